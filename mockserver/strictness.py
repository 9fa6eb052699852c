"""Schemas that are to be kept to the letter: what such a schema has to say, and where one does not say it.

Every object closes itself and requires all that it lists, and the whole is an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.select import parts, select
from conformance.shapes import pointer

__all__ = ["Loose", "loose"]


@dataclass(frozen=True, slots=True)
class Loose:
    """One place at which a schema is not strict: of which kind, where in the body, and where in the schema."""

    keyword: str
    """`strict-type`, `strict-additional` or `strict-required`."""
    at: str
    name: str
    context: tuple[str, ...]
    missing: str = ""
    got: str = ""


def loose(body: Any, places: Sequence[Mapping[str, str]]) -> Loose | None:
    """The first such place of a request.

    `places` say which objects of `body` hold a schema (`of`, and in it `schema`): those that say `strict: true` are
    looked at, and called by their `name`.
    """
    for said in places:
        for at, holder in select(body, said["of"]):
            if not isinstance(holder, Mapping) or holder.get("strict") is not True:
                continue
            schema = holder.get(said["schema"])
            where = pointer([*parts(at), said["schema"]])
            if not isinstance(schema, Mapping):
                continue
            if schema.get("type") != "object":
                return Loose("strict-type", where, str(holder.get("name")), (), got=str(schema.get("type")))
            for keyword, context, missing in _faults(schema, ()):
                return Loose(keyword, where, str(holder.get("name")), context, missing)
    return None


def _faults(schema: Any, context: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    if not isinstance(schema, Mapping):
        return
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, Mapping):
        if schema.get("additionalProperties") is not False:
            yield "strict-additional", context, ""
        required = schema.get("required")
        names = properties if isinstance(properties, Mapping) else {}
        for name in names:
            if not isinstance(required, list) or name not in required:
                yield "strict-required", context, name
    for key in ("properties", "$defs", "definitions"):
        inside = schema.get(key)
        if isinstance(inside, Mapping):
            for name, inner in inside.items():
                yield from _faults(inner, (*context, key, name))
    yield from _faults(schema.get("items"), (*context, "items"))
    for key in ("anyOf", "allOf", "oneOf"):
        branches = schema.get(key)
        for index, inner in enumerate(branches if isinstance(branches, list) else ()):
            yield from _faults(inner, (*context, key, str(index)))
