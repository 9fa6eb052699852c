"""JSON Schema 2020-12 with jsonschema-rs, told in our own words.

Messages are composed from keyword, path, expected and got; the library's texts differ
between versions and never reach a report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Retriever = Callable[[str], Any]


class Mismatch(NamedTuple):
    """One place where a value is not what it has to be. `at` is a JSON pointer."""

    at: str
    expected: str
    got: Any
    keyword: str = ""

    def __str__(self) -> str:
        return f"{self.at or '/'}: expected {self.expected}, got {brief(self.got)}"


def brief(value: Any, limit: int = 200) -> str:
    """`value` as JSON, shortened in the middle."""
    if isinstance(value, _Absent):
        return "nothing"
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 4 :]}"


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()
"""What a Mismatch got where there was nothing."""


def pointer(parts: list[str | int]) -> str:
    """The JSON pointer of a path."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


class Shape:
    """A compiled schema."""

    def __init__(self, schema: Any, retriever: Retriever) -> None:
        import jsonschema_rs

        document = {"$schema": DRAFT, **schema} if isinstance(schema, dict) else schema
        self._validator = jsonschema_rs.Draft202012Validator(document, retriever=retriever)

    def fits(self, value: Any) -> bool:
        """True if `value` has this shape."""
        return bool(self._validator.is_valid(value))

    def mismatches(self, value: Any) -> list[Mismatch]:
        """Every place where `value` does not fit; empty if it does."""
        if self._validator.is_valid(value):
            return []
        return [found for error in self._validator.iter_errors(value) for found in _tell(error, value)]


def _tell(error: Any, value: Any) -> Iterator[Mismatch]:
    keyword = error.kind.name
    at = list(error.instance_path)
    if keyword in ("anyOf", "oneOf") and getattr(error.kind, "context", None):
        yield from _nearest(error, value)
        return
    details = error.kind.as_dict()
    if keyword == "required":
        missing = details["property"]
        yield Mismatch(pointer([*at, missing]), f"a member {missing!r}", ABSENT, keyword)
    elif keyword in ("additionalProperties", "unevaluatedProperties"):
        for name in details["unexpected"]:
            yield Mismatch(pointer([*at, name]), "no such member", error.instance[name], keyword)
    elif keyword == "falseSchema" and list(error.schema_path)[-1:] == ["additionalProperties"]:
        # Where nothing is listed at all the library names neither the object nor its members.
        for step in at:
            value = value[step]
        for name in value:
            yield Mismatch(pointer([*at, name]), "no such member", value[name], "additionalProperties")
    elif keyword == "propertyNames":
        name = details["error"].instance
        yield Mismatch(pointer([*at, name]), f"as name of a member {_words(details['error'])}", name, keyword)
    else:
        yield Mismatch(pointer(at), _expected(keyword, error.kind, details), error.instance, keyword)


def _nearest(error: Any, value: Any) -> Iterator[Mismatch]:
    """The branch of a union that the value came closest to: the right type, then the right form, then fewest errors."""
    branches = [branch for branch in error.kind.context if branch]
    if not branches:
        yield Mismatch(
            pointer(list(error.instance_path)), "exactly one of the forms", error.instance, "oneOf"
        )
        return

    def badness(branch: list[Any]) -> tuple[bool, int, int]:
        kinds = [each.kind.name for each in branch]
        here = len(error.instance_path)
        wrong_type = any(
            name == "type" and len(each.instance_path) == here
            for name, each in zip(kinds, branch, strict=True)
        )
        wrong_form = any(
            name in ("required", "const", "enum") and len(each.instance_path) <= here + 1
            for name, each in zip(kinds, branch, strict=True)
        )
        return wrong_type, int(wrong_form), len(branch)

    ranked = sorted(branches, key=badness)
    best = ranked[0]
    if len(ranked) > 1 and badness(ranked[0])[:2] == badness(ranked[1])[:2] and badness(best)[0]:
        expected = " or ".join(dict.fromkeys(_words(branch[0]) for branch in ranked))
        yield Mismatch(pointer(list(error.instance_path)), expected, error.instance, "type")
        return
    for each in best:
        yield from _tell(each, value)


def _words(error: Any) -> str:
    return _expected(error.kind.name, error.kind, error.kind.as_dict())


def _expected(keyword: str, kind: Any, details: dict[str, Any]) -> str:
    words: dict[str, Callable[[], str]] = {
        "type": lambda: "type " + " or ".join(kind.types),
        "enum": lambda: "one of " + brief(kind.options, 400),
        "const": lambda: brief(details["expected_value"]),
        "pattern": lambda: f"text that matches {details['pattern']}",
        "minimum": lambda: f"at least {brief(details['limit'])}",
        "maximum": lambda: f"at most {brief(details['limit'])}",
        "exclusiveMinimum": lambda: f"more than {brief(details['limit'])}",
        "exclusiveMaximum": lambda: f"less than {brief(details['limit'])}",
        "minLength": lambda: f"at least {details['limit']} characters",
        "maxLength": lambda: f"at most {details['limit']} characters",
        "minItems": lambda: f"at least {details['limit']} items",
        "maxItems": lambda: f"at most {details['limit']} items",
        "minProperties": lambda: f"at least {details['limit']} members",
        "maxProperties": lambda: f"at most {details['limit']} members",
        "multipleOf": lambda: f"a multiple of {brief(details['multiple_of'])}",
        "uniqueItems": lambda: "items that differ",
        "contains": lambda: "as many items of the form under `contains` as are wanted",
        "unevaluatedItems": lambda: "no more items",
        "falseSchema": lambda: "nothing here",
        "oneOf": lambda: "exactly one of the forms",
        "anyOf": lambda: "one of the forms",
        "not": lambda: "something else",
    }
    tell = words.get(keyword)
    return tell() if tell else f"what {keyword} demands"
