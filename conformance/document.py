"""Strict YAML: a file says exactly what it seems to say, or it is an error with file and line.

Refused: duplicate keys, keys that are no strings, the YAML 1.1 truths (no, on, yes, off), numbers in
base 60, 8 or 2, .inf and .nan, merge keys, tags, anchors that hold themselves. Dates stay strings;
`1e3` is a number, as in YAML 1.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUTH = re.compile(r"^(?:true|false|True|False|TRUE|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$")
_INTEGER = re.compile(
    r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0o?[0-9_]+|0b[01_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+)$"
)
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|\.(?:inf|Inf|INF|nan|NaN|NAN))$"
)
_PLAIN = re.compile(r"^[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+)$")
_DECIMAL = re.compile(r"^[-+]?[0-9]*\.?[0-9]*(?:[eE][-+]?[0-9]+)?$")
_CORE_TAGS = ("null", "bool", "int", "float", "str", "seq", "map")


class SpecError(Exception):
    """A file that is not what it has to be. The text names file, line, expected and got."""

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        self.path, self.line, self.message = str(path), line, message
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")


class _Strict(_Base):  # type: ignore[misc]
    """PyYAML's safe loader without the surprises of YAML 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in table if tag.rsplit(":", 1)[1] == "null"]
        for first, table in _Base.yaml_implicit_resolvers.items()
    }


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _truth(loader: Any, node: Any) -> bool:
    value = node.value
    if value in ("true", "false"):
        return bool(value == "true")
    raise SpecError(
        loader.source, _line(node), f"expected true, false or a quoted string, got {value} (YAML 1.1 truth)"
    )


def _integer(loader: Any, node: Any) -> int:
    value = node.value.replace("_", "")
    if not _PLAIN.match(value):
        raise _no_plain_number(loader, node, "YAML 1.1 reads it in base 60, 8 or 2")
    return int(value, 0)


def _float(loader: Any, node: Any) -> float:
    value = node.value.replace("_", "")
    if ":" in value:
        raise _no_plain_number(loader, node, "YAML 1.1 reads it in base 60")
    if not _DECIMAL.match(value) or math.isinf(float(value)):
        raise _no_plain_number(loader, node, "JSON has no such number")
    return float(value)


def _no_plain_number(loader: Any, node: Any, why: str) -> SpecError:
    return SpecError(
        loader.source,
        _line(node),
        f"expected a plain number or a quoted string, got {node.value} ({why})",
    )


def _sequence(loader: Any, node: Any) -> list[Any]:
    return [loader.construct_object(each, deep=True) for each in node.value]


def _tagged(loader: Any, node: Any) -> Any:
    raise SpecError(loader.source, _line(node), f"expected a value without a tag, got {node.tag!r}")


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise SpecError(loader.source, _line(key_node), "expected a plain key, got a merge key (<<)")
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise SpecError(
                loader.source, _line(key_node), f"expected a string as key, got {key!r}: put it in quotes"
            )
        if key in result:
            raise SpecError(loader.source, _line(key_node), f"duplicate key {key!r}: write it once")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Strict.add_implicit_resolver("tag:yaml.org,2002:bool", _TRUTH, list("yYnNtTfFoO"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])
_Strict.add_constructor("tag:yaml.org,2002:bool", _truth)
_Strict.add_constructor("tag:yaml.org,2002:int", _integer)
_Strict.add_constructor("tag:yaml.org,2002:float", _float)
_Strict.add_constructor("tag:yaml.org,2002:seq", _sequence)
_Strict.add_constructor("tag:yaml.org,2002:map", _mapping)
for _tag in _Base.yaml_constructors:
    if _tag is not None and _tag.rsplit(":", 1)[1] not in _CORE_TAGS:
        _Strict.add_constructor(_tag, _tagged)
_Strict.add_constructor(None, _tagged)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A loader over the file; what goes wrong inside the block becomes a SpecError."""
    try:
        loader = _Strict(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(path, None, f"expected a UTF-8 YAML file, got {error}") from error
    except yaml.YAMLError as error:
        raise SpecError(path, None, f"expected YAML, got {error}") from error
    loader.source = path
    try:
        yield loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise SpecError(path, line, f"expected YAML, got {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise SpecError(path, None, f"expected YAML, got {error}") from error
    finally:
        loader.dispose()


def read(path: Path) -> Any:
    """The one YAML document in `path` as plain values: what JSON can say, and nothing else.

    Raises SpecError for a file that cannot be read, is no YAML, or holds one of the traps.
    """
    with _opened(path) as loader:
        return loader.get_single_data()


def line_of(path: Path, pointer: str) -> int | None:
    """The line of the member at JSON pointer `pointer`, or of the nearest one above it."""
    known = lines(path)
    while pointer and pointer not in known:
        pointer = pointer.rpartition("/")[0]
    return known.get(pointer)


def lines(path: Path) -> dict[str, int]:
    """The line of every member of a file, by JSON pointer. Raises SpecError like `read`."""
    found: dict[str, int] = {}

    def walk(node: Any, pointer: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = f"{pointer}/{str(key.value).replace('~', '~0').replace('/', '~1')}"
                found[here] = _line(key)
                walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                found[f"{pointer}/{index}"] = _line(value)
                walk(value, f"{pointer}/{index}")

    with _opened(path) as loader:
        node = loader.get_single_node()
    if node is not None:
        found[""] = _line(node)
        walk(node, "")
    return found
