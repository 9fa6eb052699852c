"""Whether a value fits a JSON Schema that a caller sent, in a bounded number of steps.

A schema of a few lines can ask for more work than there is time: patterns that go back and forth, references
that double at each level. What would take too long is not found out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["BrokenSchema", "Schema", "judged", "matches", "target"]

Schema = Mapping[str, Any] | bool

BACKTRACKS = 20_000
"""Steps back after which a pattern is taken not to match."""

VISITS = 300_000
"""Pairs of a subschema and a value in the value after which a value is taken to fit."""

ALL = ("allOf", "anyOf", "oneOf")
ONE = ("not", "if", "then", "else")


class BrokenSchema(ValueError):
    """What should be a JSON Schema is none, or refers to one that is not in it."""


def judged(schema: Schema) -> Callable[[Any], bool]:
    """Whether a value fits; True for one that takes too long. Raises BrokenSchema."""
    import jsonschema_rs

    whole = dict(schema) if isinstance(schema, Mapping) else schema
    try:
        is_valid = jsonschema_rs.validator_for(
            whole,
            validate_formats=True,
            retriever=_refuse,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS),
        ).is_valid
    except jsonschema_rs.ValidationError as error:
        said = str(error).partition("\n")[0]
        raise BrokenSchema(f"expected a JSON Schema that needs nothing from elsewhere: {said}") from error
    except ValueError as error:
        raise BrokenSchema("expected a JSON Schema that is not nested so deeply") from error
    if not _refers(whole):
        return is_valid

    def fits(value: Any) -> bool:
        return visits(whole, value) > VISITS or bool(is_valid(value))

    return fits


@lru_cache(4096)
def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text; False for one that is none or takes too long."""
    try:
        return judged({"type": "string", "pattern": pattern})(text)
    except BrokenSchema:
        return False


def visits(root: Schema, value: Any) -> float:
    """How many pairs of a subschema and a part of the value there are to look at, each as often as it is met."""
    known: dict[tuple[int, int], float] = {}

    def count(schema: Any, each: Any) -> float:
        if not isinstance(schema, Mapping):
            return 1
        key = id(schema), id(each)
        if key not in known:
            # What leads back to itself is met once.
            known[key] = 1
            known[key] = 1 + sum(count(*pair) for pair in _pairs(root, schema, each))
        return known[key]

    try:
        return count(root, value)
    except RecursionError:
        return math.inf


def _pairs(root: Schema, schema: Mapping[str, Any], value: Any) -> Iterator[tuple[Any, Any]]:
    """What is looked at next, where nothing ends it early."""
    if "$ref" in schema:
        yield target(root, schema["$ref"]), value
    for name in ALL:
        yield from ((branch, value) for branch in schema.get(name, ()))
    yield from ((schema[name], value) for name in ONE if name in schema)
    yield from ((branch, value) for branch in schema.get("dependentSchemas", {}).values())
    if isinstance(value, dict):
        members = schema.get("properties", {})
        others = [
            schema[name] for name in ("additionalProperties", "unevaluatedProperties") if name in schema
        ]
        others += schema.get("patternProperties", {}).values()
        for name, inner in value.items():
            if name in members:
                yield members[name], inner
            yield from ((other, inner) for other in others)
    elif isinstance(value, list):
        others = [schema[name] for name in ("items", "contains", "unevaluatedItems") if name in schema]
        for place, inner in enumerate(value):
            first = schema.get("prefixItems", ())
            if place < len(first):
                yield first[place], inner
            yield from ((other, inner) for other in others)


def target(root: Schema, reference: Any) -> Mapping[str, Any]:
    """What a reference within the schema points to; anything goes where it points elsewhere."""
    found: Any = root
    if not isinstance(reference, str) or not reference.startswith("#"):
        return {}
    for step in reference.lstrip("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _refers(schema: Any) -> bool:
    """Whether anything in it refers to another place."""
    if isinstance(schema, dict):
        return "$ref" in schema or any(map(_refers, schema.values()))
    return isinstance(schema, list) and any(map(_refers, schema))


def _refuse(address: str) -> Any:
    raise ValueError(f"schema {address}: a simulated model fetches nothing")
