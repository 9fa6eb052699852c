"""PyYAML's safe loader, made strict. Imported for the first file that has to be read as YAML.

Specs that were read before are kept as JSON (`conformance.documents.kept`), and a mock that starts with those needs none of this.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import yaml

__all__ = ["Strict", "Trap", "line_at"]

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


class Trap(Exception):
    """A word that YAML reads as something else than it seems to say; the text says what was expected instead."""

    def __init__(self, node: Any, text: str) -> None:
        self.line = line_at(node)
        super().__init__(text)


def line_at(node: Any) -> int:
    """The line at which a node begins, from 1."""
    return int(node.start_mark.line) + 1


class Strict(_Base):  # type: ignore[misc]
    """PyYAML's safe loader without the surprises of YAML 1.1."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, pattern) for tag, pattern in table if tag.rsplit(":", 1)[1] == "null"]
        for first, table in _Base.yaml_implicit_resolvers.items()
    }


def _truth(loader: Any, node: Any) -> bool:
    value = node.value
    if value in ("true", "false"):
        return bool(value == "true")
    raise Trap(node, f"expected true, false or a quoted string, got {value} (YAML 1.1 truth)")


def _integer(loader: Any, node: Any) -> int:
    value = node.value.replace("_", "")
    if not _PLAIN.match(value):
        raise _no_plain_number(node, "YAML 1.1 reads it in base 60, 8 or 2")
    return int(value, 0)


def _float(loader: Any, node: Any) -> float:
    value = node.value.replace("_", "")
    if ":" in value:
        raise _no_plain_number(node, "YAML 1.1 reads it in base 60")
    if not _DECIMAL.match(value) or math.isinf(float(value)):
        raise _no_plain_number(node, "JSON has no such number")
    return float(value)


def _no_plain_number(node: Any, why: str) -> Trap:
    return Trap(node, f"expected a plain number or a quoted string, got {node.value} ({why})")


def _sequence(loader: Any, node: Any) -> list[Any]:
    return [loader.construct_object(each, deep=True) for each in node.value]


def _tagged(loader: Any, node: Any) -> Any:
    raise Trap(node, f"expected a value without a tag, got {node.tag!r}")


def _mapping(loader: Any, node: Any) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            raise Trap(key_node, "expected a plain key, got a merge key (<<)")
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise Trap(key_node, f"expected a string as key, got {key!r}: put it in quotes")
        if key in result:
            raise Trap(key_node, f"duplicate key {key!r}: write it once")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


Strict.add_implicit_resolver("tag:yaml.org,2002:bool", _TRUTH, list("yYnNtTfFoO"))
Strict.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
Strict.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
Strict.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^(?:<<)$"), ["<"])
Strict.add_constructor("tag:yaml.org,2002:bool", _truth)
Strict.add_constructor("tag:yaml.org,2002:int", _integer)
Strict.add_constructor("tag:yaml.org,2002:float", _float)
Strict.add_constructor("tag:yaml.org,2002:seq", _sequence)
Strict.add_constructor("tag:yaml.org,2002:map", _mapping)
for _tag in _Base.yaml_constructors:
    if _tag is not None and _tag.rsplit(":", 1)[1] not in _CORE_TAGS:
        Strict.add_constructor(_tag, _tagged)
Strict.add_constructor(None, _tagged)
