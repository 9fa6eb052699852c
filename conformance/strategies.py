"""Hypothesis strategies made from contracts: request bodies that an API has to take.

For the tests of your own client or gateway:

    from hypothesis import given
    from conformance.strategies import requests

    @given(requests("bedrock-runtime/converse"))
    def test_my_gateway_passes_it_on(body): ...

What is drawn fits the contract's shape of a request, is nothing that the contract forbids beside it, and fits no other
contract at the same path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

from hypothesis import strategies as st

from conformance.contract import Contract
from conformance.loading import Specs, load
from conformance.select import change

__all__ = ["requests", "values"]

OPTIONAL = 4
"""Members beside the required ones that one object gets at most: bodies are to be read by people."""
DEEPEST = 5
"""Below so many levels nothing is drawn that need not be."""
LONGEST = 3
"""Items of a list at most, unless it needs more."""

_WORDS = {"description", "title", "default", "examples", "deprecated"}
"""Keywords that say nothing of what a value has to be."""

Definition = Callable[[str], Any]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,äß漢字"


def requests(
    contract: str, *, model: str | None = None, specs: Specs | None = None
) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of valid requests of the contract; `model` stands where the API has it in its body.

    Without `model` it is the one that the provider's file names. Raises KeyError with the closest names for a
    contract that is not there, and for one whose requests have no body.
    """
    known = specs or _shipped()
    if contract not in known.contracts:
        import difflib

        close = difflib.get_close_matches(contract, list(known.contracts), 3)
        raise KeyError(f"no contract {contract!r}; closest: {', '.join(close) or 'none'}")
    found = known.contracts[contract]
    shape = found.request_shape
    if shape is None:
        raise KeyError(f"{contract}: its requests have no body")
    schema = _both(found.request["body"], found.request.get("when", True), found.definition)
    where = found.model_at or {}
    name = model or (found.provider.said["model"] if found.provider else None)
    rivals = [each for each in _rivals(known, found) if each.when is not None]

    def named(body: Any) -> Any:
        return change(body, where["body"], name)[0] if "body" in where and name is not None else body

    def allowed(body: Any) -> Any:
        for _, at, refused in found.forbidden:
            if refused.fits(body):
                body = change(body, at, remove=True)[0]
        return body

    def fits(body: Any) -> bool:
        return (
            isinstance(body, dict)
            and not any(refused.fits(body) for _, _, refused in found.forbidden)
            and not shape.mismatches(body)
            and (found.when is None or not found.when.mismatches(body))
            and all(each.when.mismatches(body) for each in rivals if each.when is not None)
        )

    return values(schema, found.definition).map(named).map(allowed).filter(fits)


@cache
def _shipped() -> Specs:
    return load()


def _rivals(specs: Specs, contract: Contract) -> list[Contract]:
    """The contracts that answer at the same place, chosen by the body."""
    if contract.provider is None or contract.when is not None:
        return []
    paths = set(contract.request["paths"])
    return [
        each
        for each in specs.of(contract.provider.id)
        if each is not contract and each.method == contract.method and paths & set(each.request["paths"])
    ]


def within(contract: Contract, at: str) -> st.SearchStrategy[Any] | None:
    """What may stand at the pointer `at` of the contract's requests; None if its schema has no such member."""
    schema = contract.request.get("body", {})
    for name in at.split("/")[1:]:
        whole = _whole(schema, contract.definition)
        schema = whole.get("properties", {}).get(name) if isinstance(whole, Mapping) else None
        if schema is None:
            return None
    whole = _whole(schema, contract.definition)
    return None if whole is False else values(whole, contract.definition)


def values(schema: Any, definition: Definition, depth: int = 0) -> st.SearchStrategy[Any]:
    """JSON values that mostly fit the schema: what it says by `if`, `not` and `dependent` is left to a filter.

    `definition` finds what an absolute $ref points to.
    """
    whole = _whole(schema, definition)
    if whole is False:
        return st.nothing()
    if "const" in whole:
        return st.just(whole["const"])
    if "enum" in whole:
        return st.sampled_from(whole["enum"])
    for word in ("oneOf", "anyOf"):
        if word in whole:
            rest = {key: value for key, value in whole.items() if key != word}
            branches = [_both(rest, each, definition) for each in whole[word]]
            if depth > DEEPEST:
                branches = sorted(branches, key=lambda each: len(str(each)))[:2]
            return st.one_of([st.deferred(_later(each, definition, depth)) for each in branches])
    types = whole.get("type") or _guessed(whole)
    kinds = [types] if isinstance(types, str) else list(types)
    return st.one_of([_KINDS[kind](whole, definition, depth) for kind in kinds])


def _later(schema: Any, definition: Definition, depth: int) -> Callable[[], st.SearchStrategy[Any]]:
    return lambda: values(schema, definition, depth)


def _guessed(schema: Mapping[str, Any]) -> str | list[str]:
    for kind, words in (
        ("object", ("properties", "required", "minProperties", "maxProperties", "additionalProperties")),
        ("array", ("items", "prefixItems", "minItems", "maxItems")),
        ("string", ("pattern", "minLength", "maxLength", "format")),
        ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    ):
        if any(word in schema for word in words):
            return kind
    return ["string", "boolean", "integer"]


def _whole(schema: Any, definition: Definition) -> Any:
    """The schema with its $ref and allOf written into it."""
    if not isinstance(schema, Mapping):
        return {} if schema else False
    parts = [{key: value for key, value in schema.items() if key not in ("$ref", "allOf", "$comment")}]
    if "$ref" in schema:
        parts.append(_whole(definition(schema["$ref"]), definition))
    parts += [_whole(each, definition) for each in schema.get("allOf", ())]
    return reduce(lambda one, other: _joined(one, other), parts)


def _both(one: Any, other: Any, definition: Definition) -> Any:
    return _joined(_whole(one, definition), _whole(other, definition))


def _joined(one: Any, other: Any) -> Any:
    """A schema for what fits both."""
    if one is False or other is False:
        return False
    joined = {**other, **one}
    for key in set(one) & set(other):
        mine, theirs = one[key], other[key]
        if key in ("properties", "patternProperties"):
            joined[key] = {**theirs, **mine}
            for name in set(mine) & set(theirs):
                joined[key][name] = {"allOf": [mine[name], theirs[name]]}
        elif key == "required":
            joined[key] = [*theirs, *(each for each in mine if each not in theirs)]
        elif key == "enum":
            joined[key] = [each for each in mine if each in theirs]
        elif key == "type":
            first, second = ([each] if isinstance(each, str) else each for each in (mine, theirs))
            joined[key] = [
                each for each in first if each in second or (each == "integer" and "number" in second)
            ]
        elif key.startswith(("min", "exclusiveMin")):
            joined[key] = max(mine, theirs)
        elif key.startswith(("max", "exclusiveMax")):
            joined[key] = min(mine, theirs)
        elif key == "items":
            joined[key] = {"allOf": [mine, theirs]}
    return joined


# One kind of value each


def _object(schema: Mapping[str, Any], definition: Definition, depth: int) -> st.SearchStrategy[Any]:
    must = schema.get("required", ())
    said = {name: _whole(each, definition) for name, each in schema.get("properties", {}).items()}
    # What may be left out and of which nothing is said is left out: nobody knows what it has to be.
    listed = {
        name: each
        for name, each in said.items()
        if each is not False and (name in must or set(each) - _WORDS)
    }
    required = [name for name in must if name in listed]
    optional = [name for name in listed if name not in required]
    least = max(schema.get("minProperties", 0), len(required))
    most = min(schema.get("maxProperties", len(required) + OPTIONAL), len(listed))
    if not listed:
        free = schema.get("additionalProperties", False)
        inner = st.text("abc", min_size=1, max_size=4)
        size = {
            "min_size": schema.get("minProperties", 0),
            "max_size": max(schema.get("minProperties", 0), 2),
        }
        return (
            st.just({})
            if free is False
            else st.dictionaries(inner, values(free, definition, depth + 1), **size)
        )
    if depth > DEEPEST:
        most = least

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Any]:
        number = draw(st.integers(max(least - len(required), 0), max(most - len(required), 0)))
        chosen = draw(st.permutations(optional))[:number] if optional else []
        inside = {
            name: draw(values(listed[name], definition, depth + 1))
            for name in listed
            if name in {*required, *chosen}
        }
        # A member that need not be there says no more by null, and clients' own types often have none.
        return {name: value for name, value in inside.items() if value is not None or name in required}

    return drawn()


def _array(schema: Mapping[str, Any], definition: Definition, depth: int) -> st.SearchStrategy[Any]:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", LONGEST), max(LONGEST, least))
    items = st.deferred(lambda: values(schema.get("items", True), definition, depth + 1))
    if depth > DEEPEST:
        most = least
    return st.lists(
        items, min_size=least, max_size=most, unique_by=repr if schema.get("uniqueItems") else None
    )


def _string(schema: Mapping[str, Any], definition: Definition, depth: int) -> st.SearchStrategy[Any]:
    least = schema.get("minLength", 0)
    most = min(schema.get("maxLength", least + 20), least + 40)
    if "pattern" in schema:
        whole = schema["pattern"].startswith("^") and schema["pattern"].endswith("$")
        found = st.from_regex(schema["pattern"].replace(r"\A", "^"), fullmatch=whole)
        return found.filter(
            lambda text: least <= len(text) <= schema.get("maxLength", 10_000) and "\n" not in text[-1:]
        )
    if schema.get("contentEncoding") == "base64" or schema.get("format") in ("byte", "base64"):
        return st.sampled_from(["aGVsbG8=", "AAEC", "Zg=="])
    return st.text(_LETTERS, min_size=least, max_size=most)


def _integer(schema: Mapping[str, Any], definition: Definition, depth: int) -> st.SearchStrategy[Any]:
    low, high = _range(schema, 1)
    return st.integers(int(low), int(high))


def _number(schema: Mapping[str, Any], definition: Definition, depth: int) -> st.SearchStrategy[Any]:
    low, high = _range(schema, 0)
    return st.integers(0, 100).map(lambda share: round(low + (high - low) * share / 100, 4))


def _range(schema: Mapping[str, Any], step: float) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0 if schema.get("maximum", 1) >= 0 else -1000))
    low += step if "exclusiveMinimum" in schema else 0
    high = schema.get("maximum", schema.get("exclusiveMaximum", low + 1000))
    high -= step if "exclusiveMaximum" in schema else 0
    return low, min(high, low + 1000)


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Definition, int], st.SearchStrategy[Any]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": lambda schema, definition, depth: st.booleans(),
    "null": lambda schema, definition, depth: st.none(),
}
