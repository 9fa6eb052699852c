"""Schemas that callers send are held against values in a bounded number of steps."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.simulation import instances
from mockserver.simulation.fitting import VISITS, judged, matches, visits
from mockserver.simulation.instances import LARGEST, TRIED, instance
from mockserver.simulation.mentions import Mentions, mentions

DOUBLING: dict[str, Any] = {
    "$ref": "#/$defs/n0",
    "$defs": {
        **{f"n{n}": {"allOf": [{"$ref": f"#/$defs/n{n + 1}"}] * 2} for n in range(60)},
        "n60": {"type": "string"},
    },
}
DOUBLING_BELOW: dict[str, Any] = {
    "$defs": {
        "node": {
            "type": "object",
            "required": ["next"],
            "allOf": [{"properties": {"next": {"$ref": "#/$defs/node"}}}] * 2,
        }
    },
    "$ref": "#/$defs/node",
}
CHAIN: dict[str, Any] = {
    "$ref": "#/$defs/n0",
    "$defs": {
        **{f"n{n}": {"$ref": f"#/$defs/n{n + 1}"} for n in range(5)},
        "n5": {"type": "array", "items": {"$ref": "#/$defs/leaf"}},
        "leaf": {"type": "integer"},
    },
}


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"next": value}
    return value


@pytest.mark.parametrize(
    ("schema", "value"),
    [(DOUBLING, "a"), (DOUBLING_BELOW, nested(60))],
    ids=["in place", "in members"],
)
def test_what_would_be_met_more_often_than_there_is_time_for_is_taken_to_fit(schema: Any, value: Any) -> None:
    assert visits(schema, value) > 2.0**59
    assert judged(schema)(value)


def test_references_are_followed_as_often_as_they_are_met() -> None:
    assert visits(CHAIN, [1, 2, 3]) == 6 + 1 + 2 * 3
    assert not judged(CHAIN)([1, "a"])


def test_what_refers_to_itself_in_place_comes_to_an_end() -> None:
    assert visits({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, 1) < VISITS


@given(
    st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_a_schema_with_references_judges_as_one_that_we_did_not_write_does(value: Any) -> None:
    assert judged(CHAIN)(value) == jsonschema.Draft202012Validator(CHAIN).is_valid(value)


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*b$", "^(?=(a+)+$)(a|aa)+b", r"^((a|aa)+)\1b"])
def test_a_pattern_that_goes_back_without_end_does_not_match(pattern: str) -> None:
    assert not matches(pattern, "a" * 3000 + "!")


def test_a_pattern_matches_as_json_schema_has_it() -> None:
    assert matches("b{2}", "abbc")
    assert matches("^\\p{Lu}$", "É")
    assert not matches("(", "(")


class Counted(instances._Filler):
    """Counts what is made."""

    made = 0

    def make(self, *arguments: Any, **named: Any) -> Any:
        Counted.made += 1
        return super().make(*arguments, **named)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "minProperties": 10**9},
        {"type": "array", "minItems": 10**9, "items": {"type": "string"}},
        {"type": "object", "required": ["l", "r"], "properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}},
        {"anyOf": [{"const": number} for number in range(5000)], "not": {}},
    ],
    ids=["members", "items", "tree", "branches"],
)
def test_a_schema_that_nothing_fits_is_given_up(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "made", 0)
    monkeypatch.setattr(instances, "_Filler", Counted)
    instance(schema, mentions("Paris"))
    assert 0 < Counted.made <= TRIED + 2 * LARGEST


@pytest.mark.parametrize(
    "items",
    [
        {"type": "integer"},
        {"type": "number", "minimum": 1},
        {"type": "string"},
        {"type": "string", "pattern": "^a+$"},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
    ],
    ids=["integers", "numbers", "texts", "patterns", "objects"],
)
def test_another_value_for_a_list_is_looked_for_where_the_last_was_found(
    items: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Any] = []
    contains = instances._Others.__contains__

    def counted(self: instances._Others, value: Any) -> bool:
        looks.append(value)
        return contains(self, value)

    monkeypatch.setattr(instances._Others, "__contains__", counted)
    made = instance({"type": "array", "minItems": 60, "uniqueItems": True, "items": items}, Mentions(""))
    assert len({str(value) for value in made}) == len(made) == 60
    assert len(looks) <= 4 * 60


def test_a_member_is_looked_for_in_a_prompt_once() -> None:
    said = mentions("order id: 17, unit = celsius")
    assert [said.after(name) for name in ("order_id", "unit", "Unit", "city", "order_id")] == [
        "17",
        "celsius",
        "celsius",
        None,
        "17",
    ]
