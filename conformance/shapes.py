"""JSON Schema 2020-12 with jsonschema-rs, told in our own words.

Messages are composed from keyword, path, expected and got; the library's texts differ
between versions and never reach a report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from conformance.excerpt import wrong_beginning

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TAG = "type"
"""The member by which most unions tell their branches apart."""

Retriever = Callable[[str], Any]


class Mismatch(NamedTuple):
    """One place where a value is not what it has to be. `at` is a JSON pointer."""

    at: str
    expected: str
    got: Any
    keyword: str = ""
    demanded: Any = None
    """What the keyword demands: the values of an `enum`, the names of a `type`, the number of a limit."""

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


def pointer(parts: Iterable[str | int]) -> str:
    """The JSON pointer of a path."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


class Shape:
    """A compiled schema."""

    def __init__(self, schema: Any, retriever: Retriever) -> None:
        import jsonschema_rs

        document = {"$schema": DRAFT, **schema} if isinstance(schema, dict) else schema
        # Its texts are never shown, and would each hold the value they are about.
        self._validator = jsonschema_rs.Draft202012Validator(document, retriever=retriever, mask="…")

    def fits(self, value: Any) -> bool:
        """True if `value` has this shape."""
        return bool(self._validator.is_valid(value))

    def mismatches(self, value: Any) -> list[Mismatch]:
        """Every place where `value` does not fit; empty if it does."""
        try:
            if self._validator.is_valid(value):
                return []
            return [found for error in self._validator.iter_errors(value) for found in _tell(error, value)]
        except ValueError as error:
            # The library reads values to a depth of 255.
            return [Mismatch("", "JSON that is not nested so deeply", f"({error})", "depth")]

    def first_mismatches(self, value: Any) -> list[Mismatch]:
        """Some of the mismatches, the first among them; all of an ordinary value's. Empty if it fits."""
        try:
            if self._validator.is_valid(value):
                return []
            part = wrong_beginning(value, self.fits)
        except (ValueError, RecursionError):
            return self.mismatches(value)
        found = self.mismatches(part)
        if part is value or any(_is_of_the_cut(each, value, part) for each in found[:1]):
            return found if part is value else self.mismatches(value)
        return [_as_in(value, each) for each in found]


def _is_of_the_cut(found: Mismatch, value: Any, part: Any) -> bool:
    """Whether the mismatch may be there only because something was left out."""
    at = found.at.rpartition("/")[0] if found.got is ABSENT else found.at
    whole, rest = _reached(value, at), _reached(part, at)
    return found.keyword in _WANTING and isinstance(rest, list | dict) and len(rest) < len(whole)


def _as_in(value: Any, found: Mismatch) -> Mismatch:
    """The mismatch with what the whole value has at its place."""
    if isinstance(found.got, list | dict) and found.keyword != "propertyNames":
        return found._replace(got=_reached(value, found.at))
    return found


def _reached(value: Any, at: str) -> Any:
    """What stands at a pointer that leads to something."""
    for step in at.split("/")[1:]:
        value = value[int(step) if isinstance(value, list) else step.replace("~1", "/").replace("~0", "~")]
    return value


_WANTING = frozenset({"required", "contains", "minItems", "minProperties"})
"""Keywords that demand that something is there."""


def _tell(error: Any, value: Any) -> Iterator[Mismatch]:
    keyword = error.kind.name
    at = list(error.instance_path)
    if keyword in ("anyOf", "oneOf") and getattr(error.kind, "context", None):
        yield from _nearest(error, value)
        return
    details = error.kind.as_dict()
    if keyword == "required":
        missing = details["property"]
        yield Mismatch(pointer([*at, missing]), _words(error), ABSENT, keyword)
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
        inner = details["error"]
        expected = f"as name of a member {_words(inner)}"
        yield Mismatch(pointer([*at, name]), expected, name, keyword, _demanded(inner))
    else:
        expected = _expected(keyword, error.kind, details)
        yield Mismatch(pointer(at), expected, error.instance, keyword, _demanded(error))


def kind(value: Any) -> str:
    """The word of JSON Schema for the type of `value`."""
    words = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return words.get(type(value), "null")


def _of_another_type(error: Any) -> bool:
    """Whether not even the type of the value is right."""
    if error.kind.name in ("enum", "const"):
        kinds = {kind(option) for option in _demanded(error)}
        return kind(error.instance) not in kinds and kinds != {"null"}
    return bool(error.kind.name == "type")


def _of_another_tag(error: Any, here: int) -> bool:
    """Whether a word that tells the branches of a union apart is another, or not there."""
    at = list(error.instance_path)[here:]
    if error.kind.name == "required":
        return not at and error.kind.as_dict()["property"] == TAG
    if error.kind.name in ("pattern", "not"):
        return at == [TAG]
    return error.kind.name in ("const", "enum") and len(at) <= 1


def _demanded_by(choice: list[Any]) -> tuple[str, tuple[Any, ...]]:
    """The keyword that the branches of a union break together, and what they all demand."""
    if not all(_of_another_type(error) for error in choice):
        values = [error for error in choice if error.kind.name != "type"]
        return values[0].kind.name, tuple(dict.fromkeys(each for one in values for each in _demanded(one)))
    types: list[str] = []
    for error in choice:
        options = _demanded(error)
        types += options if error.kind.name == "type" else [kind(each) for each in options]
    return "type", tuple(dict.fromkeys(types))


def _demanded(error: Any) -> Any:
    kind, details = error.kind, error.kind.as_dict()
    match kind.name:
        case "type":
            return tuple(kind.types)
        case "enum":
            return tuple(kind.options)
        case "const":
            return (details["expected_value"],)
    return details.get("limit", details.get("pattern"))


def _nearest(error: Any, value: Any) -> Iterator[Mismatch]:
    """What of a union the value came closest to: the right type, then the right tag, then fewest errors.

    Where branches are equally far away, what they all demand at one place is told as one choice.
    """
    here = len(error.instance_path)
    branches = [branch for branch in error.kind.context if branch]
    if not branches:
        yield Mismatch(pointer(error.instance_path), "exactly one of the forms", error.instance, "oneOf")
        return

    def far(branch: list[Any]) -> tuple[bool, bool, bool]:
        if any(len(error.instance_path) == here and _of_another_type(error) for error in branch):
            return True, False, False
        if any(_of_another_tag(error, here) for error in branch):
            return False, True, False
        return False, False, any(e.kind.name == "required" and len(e.instance_path) == here for e in branch)

    ranked = sorted(branches, key=lambda branch: (*far(branch), len(branch)))
    near = [branch for branch in ranked if far(branch) == far(ranked[0])]
    # A tag that a pattern describes is told where no branch names its tag.
    near = [
        branch
        for branch in near
        if not any(e.kind.name in ("pattern", "not") and _of_another_tag(e, here) for e in branch)
    ] or near
    if len(near) > 1 and any(far(ranked[0])):
        choice = _choice(near, here)
        if choice:
            expected = " or ".join(dict.fromkeys(_words(each) for each in choice))
            first = choice[0]
            if first.kind.name == "required":
                member = first.kind.as_dict()["property"]
                yield Mismatch(pointer([*first.instance_path, member]), expected, ABSENT, "required")
            else:
                yield Mismatch(pointer(first.instance_path), expected, first.instance, *_demanded_by(choice))
            return
    for each in near[0]:
        yield from _tell(each, value)


def _choice(branches: list[list[Any]], here: int) -> list[Any] | None:
    """One error of each branch, all about the same place; None if there is no such place."""
    for keywords in (("type",), ("const", "enum"), ("required",)):
        for candidate in branches[0]:
            at = list(candidate.instance_path)
            if candidate.kind.name not in keywords or len(at) > here + (keywords != ("type",)):
                continue
            found = [
                next(
                    (e for e in branch if e.kind.name in (*keywords, "type") and list(e.instance_path) == at),
                    None,
                )
                for branch in branches
            ]
            if all(found):
                return found
    return None


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
        "required": lambda: f"a member {details['property']!r}",
        "falseSchema": lambda: "nothing here",
        "oneOf": lambda: "exactly one of the forms",
        "anyOf": lambda: "one of the forms",
        "not": lambda: "something else",
    }
    tell = words.get(keyword)
    return tell() if tell else f"what {keyword} demands"
