"""Schemas closed: no object may have members that it does not list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["VARIANTS", "Change", "Definition", "close"]

Definition = Callable[[str], Any]
"""Finds what an absolute $ref points to."""
Change = Callable[[Any, Definition], Any]


def close(schema: Any, definition: Definition) -> Any:
    """`schema` with `additionalProperties: false` wherever it lists members and does not say otherwise.

    What describes one and the same object (`$ref` or `allOf` beside `properties`) is closed as a whole, the
    branches of a union each for itself, and an object of which nothing is listed stays open.
    """
    if not isinstance(schema, dict):
        return schema
    if "properties" not in schema and "patternProperties" not in schema and "allOf" not in schema:
        return _within(schema, definition, close, "closed:")
    result = _within(schema, definition, _open, "open:")
    if "$defs" in schema:
        result["$defs"] = {name: close(each, definition) for name, each in schema["$defs"].items()}
    listed = _listed(schema, definition)
    if listed is not None:
        names, patterns = listed
        # Its own first, in their order: what is written of a schema is the same each time.
        for key, every in (("properties", names), ("patternProperties", patterns)):
            own = result.get(key, {})
            result[key] = {**own, **dict.fromkeys(sorted(every - set(own)), True)}
        result["additionalProperties"] = False
    return result


def _open(schema: Any, definition: Definition) -> Any:
    """`schema` with the objects inside it closed, but not itself: a part of what describes an object."""
    if not isinstance(schema, dict):
        return schema
    return _within(schema, definition, _open, "open:")


VARIANTS: Mapping[str, Change] = {"closed:": close, "open:": _open}
"""Before the address of a file: how its definitions are changed before they are used."""

_INSIDE_ONE = ("items", "contains", "additionalProperties", "unevaluatedProperties", "unevaluatedItems")
_INSIDE_MANY = ("properties", "patternProperties", "prefixItems")
_OF_THE_SAME = ("allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas")
"""Keywords whose schemas describe the very object that the schema around them describes."""


def _within(schema: Mapping[str, Any], definition: Definition, same: Change, variant: str) -> dict[str, Any]:
    """`schema` with all objects inside it closed, and `same` done to what describes the same object."""
    result = dict(schema)
    for key, value in schema.items():
        if key in _INSIDE_ONE:
            result[key] = close(value, definition)
        elif key in _INSIDE_MANY:
            result[key] = _each(value, close, definition)
        elif key in ("then", "else"):
            result[key] = same(value, definition)
        elif key in _OF_THE_SAME or key == "$defs":
            result[key] = _each(value, same, definition)
        elif key == "$ref":
            result[key] = variant + value
    return result


def _each(schemas: Any, change: Change, definition: Definition) -> Any:
    if isinstance(schemas, Mapping):
        return {name: change(each, definition) for name, each in schemas.items()}
    return [change(each, definition) for each in schemas]


def _listed(schema: Any, definition: Definition) -> tuple[set[str], set[str]] | None:
    """The names and name patterns that all that describes one object lists; None where others are allowed."""
    names: set[str] = set()
    patterns: set[str] = set()
    todo, seen = [schema], set()
    while todo:
        part = todo.pop()
        if not isinstance(part, Mapping):
            continue
        if part.get("additionalProperties", False) is not False or "unevaluatedProperties" in part:
            return None
        names |= set(part.get("properties", ()))
        patterns |= set(part.get("patternProperties", ()))
        for key in _OF_THE_SAME:
            value = part.get(key)
            if isinstance(value, list):
                todo += value
            elif isinstance(value, Mapping):
                todo += [value] if key in ("then", "else") else value.values()
        if "$ref" in part and part["$ref"] not in seen:
            seen.add(part["$ref"])
            todo.append(definition(part["$ref"]))
    return (names, patterns) if names or patterns else None
