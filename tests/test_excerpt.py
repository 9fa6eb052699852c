"""Of a large value only its beginning is looked at for what is wrong, and the first mismatch is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.excerpt import ORDINARY, beginning, wrong_beginning
from conformance.shapes import Shape

SCHEMA = {
    "type": "object",
    "required": ["model"],
    "properties": {
        "model": {"type": "string"},
        "items": {
            "type": "array",
            "maxItems": 2000,
            "items": {
                "oneOf": [
                    {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
                    {"type": "object", "required": ["parts"], "properties": {"parts": {"$ref": "#/$defs/parts"}}},
                ]
            },
        },
    },
    "$defs": {"parts": {"type": "array", "items": {"type": "integer"}, "minItems": 1}},
}  # fmt: skip


def nowhere(uri: str) -> Any:
    raise KeyError(uri)


SHAPE = Shape(SCHEMA, nowhere)
RIGHT = {"text": "a"}


def size(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(size, inside))


LARGE = {
    "every item": {"model": "m", "items": [{"text": 1}] * 1999},
    "the last item": {"model": "m", "items": [RIGHT] * 1998 + [{"text": 1}]},
    "deep in the last item": {"model": "m", "items": [RIGHT] * 900 + [{"parts": [1] * 900 + ["a"] * 900}]},
    "too many, all right": {"model": "m", "items": [RIGHT] * 2001},
    "what stands behind": {"items": [RIGHT] * 1000, "model": 5},
    "what is missing": {"items": [RIGHT] * 1000},
    "every member of many": {"model": "m", "items": {str(number): 1 for number in range(5000)}},
    "what stands behind many members": {**{str(number): 1 for number in range(5000)}, "model": 5},
    "the last list in a list": {"model": "m", "items": [{"parts": [1] * 9}] * 99 + [{"parts": []}]},
}


@pytest.mark.parametrize("name", LARGE)
def test_the_first_mismatch_of_a_large_value_is_the_first_of_all(name: str) -> None:
    first, *_ = SHAPE.mismatches(LARGE[name])
    assert SHAPE.first_mismatches(LARGE[name])[0] == first


@pytest.mark.parametrize("length", [10**3, 10**4, 10**5])
def test_no_more_is_told_of_a_longer_body(length: int) -> None:
    wrong = {"model": "m", "items": [{"text": 1}] * length}
    found = SHAPE.first_mismatches(wrong)
    assert 0 < len(found) <= ORDINARY
    assert found[0].at == "/items/0/text"


@pytest.mark.parametrize("at", [0, 1000, 77_777, 99_999])
def test_the_beginning_that_does_not_fit_is_found_in_few_looks(at: int) -> None:
    value = [0] * at + [1] * (100_000 - at)
    looks = []

    def fits(part: Any) -> bool:
        looks.append(len(part))
        return 1 not in part

    part = wrong_beginning(value, fits)
    assert 1 in part
    assert sum(part) <= ORDINARY
    assert len(looks) <= 20


def test_a_value_of_ordinary_size_is_looked_at_as_it_is() -> None:
    value = [1] * (ORDINARY - 2)
    assert wrong_beginning(value, lambda part: False) is value


NESTED = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=40,
)


@given(NESTED, st.integers(1, 60))
def test_a_beginning_is_the_value_with_less_in_it(value: Any, most: int) -> None:
    part, whole = beginning(value, most)
    assert size(part) <= size(value)
    assert (json.dumps(part) == json.dumps(value)) or not whole
    if size(value) < most:
        assert whole


@given(NESTED)
def test_of_an_ordinary_value_everything_is_told(value: Any) -> None:
    assert SHAPE.first_mismatches(value) == SHAPE.mismatches(value)
