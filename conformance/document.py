"""Strict YAML: a file says exactly what it seems to say, or it is an error with file and line.

Refused: duplicate keys, the YAML 1.1 truths (no, on, yes, off), base-60 numbers, octal
numbers, anchors with merge keys. Dates stay strings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUTH = re.compile(r"^(?:true|false|True|False|TRUE|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$")
_INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0[0-9_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+)$")


class SpecError(Exception):
    """A file that is not what it has to be. The text names file, line, expected and got."""

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        self.path, self.line, self.message = str(path), line, message
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")


class _Strict(_Base):  # type: ignore[misc]
    """PyYAML's safe loader without the surprises of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {
        first: [(tag, pattern) for tag, pattern in table if tag.rsplit(":", 1)[1] in ("null", "float")]
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
    digits = value.lstrip("+-")
    if ":" in value or (digits.startswith("0") and digits != "0" and not digits.startswith("0x")):
        raise SpecError(
            loader.source,
            _line(node),
            f"expected a plain number or a quoted string, got {node.value} (YAML 1.1 reads it in base 60 or 8)",
        )
    return int(value, 0)


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise SpecError(loader.source, _line(key_node), "expected a plain key, got a merge key (<<)")
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise SpecError(loader.source, _line(key_node), "expected a scalar as key, got a collection")
        if key in result:
            raise SpecError(loader.source, _line(key_node), f"duplicate key {key!r}: write it once")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Strict.add_implicit_resolver("tag:yaml.org,2002:bool", _TRUTH, list("yYnNtTfFoO"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
_Strict.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])
_Strict.add_constructor("tag:yaml.org,2002:bool", _truth)
_Strict.add_constructor("tag:yaml.org,2002:int", _integer)
_Strict.add_constructor("tag:yaml.org,2002:map", _mapping)


def _loader(text: str, path: Path) -> Any:
    loader = _Strict(text)
    loader.source = path
    return loader


def read(path: Path) -> Any:
    """The one YAML document in `path` as plain values.

    Raises SpecError for a file that cannot be read, is no YAML, or holds one of the traps.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(path, None, f"expected a UTF-8 YAML file, got {error}") from error
    loader = _loader(text, path)
    try:
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(
            path, mark.line + 1 if mark else None, f"expected YAML, got {error.problem or error.context}"
        ) from error
    except yaml.YAMLError as error:
        raise SpecError(path, None, f"expected YAML, got {error}") from error
    finally:
        loader.dispose()


def line_of(path: Path, pointer: str) -> int | None:
    """The line of the member at JSON pointer `pointer`, or of the nearest one above it."""
    loader = _loader(path.read_text(encoding="utf-8"), path)
    try:
        node = loader.get_single_node()
    finally:
        loader.dispose()
    if node is None:
        return None
    line = _line(node)
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == name]
            if not found:
                break
            line, node = _line(found[0][0]), found[0][1]
        elif isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
            node = node.value[int(name)]
            line = _line(node)
        else:
            break
    return line
