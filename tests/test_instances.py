"""Instances of JSON Schemas: the `jsonschema` library, which we did not write, says whether they fit."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.simulation.instances import BrokenSchema, instance, slots
from mockserver.simulation.mentions import mentions
from mockserver.simulation.patterns import example

PROMPTS = [
    "",
    "Hello",
    "Ada Lovelace (ada@example.org, born 1815-12-10) orders 3 books from Paris to Rome at 10:30 for 12.50 euros.",
    '"quoted words" https://example.com/x and A-17, 0.5, -3 and 1,000,000',
]


def fits(value: Any, schema: Any) -> bool:
    judge = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    return not list(judge.iter_errors(value))


def obj(required: bool = True, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required else [],
        "additionalProperties": False,
    }


STRING, INTEGER = {"type": "string"}, {"type": "integer"}

SCHEMAS: dict[str, Any] = {
    "true": True,
    "empty": {},
    "object": {"type": "object"},
    "nothing required": obj(False, name=STRING, age=INTEGER),
    "all required": obj(name=STRING, age=INTEGER, tall={"type": "boolean"}, weight={"type": "number"}),
    "null": obj(nothing={"type": "null"}),
    "enum": obj(color={"enum": ["red", "green"]}, size={"type": "integer", "enum": [1, 2]}),
    "const": obj(kind={"const": "book"}, version={"const": 2}),
    "nullable": obj(name={"type": ["string", "null"]}, age={"anyOf": [INTEGER, {"type": "null"}]}),
    "several types": obj(id={"type": ["integer", "string"]}),
    "lengths": obj(short={"type": "string", "maxLength": 3}, long={"type": "string", "minLength": 40}),
    "exact length": {"type": "string", "minLength": 7, "maxLength": 7},
    "bounds": obj(
        a={"type": "integer", "minimum": 5, "maximum": 5},
        b={"type": "integer", "exclusiveMinimum": 5},
        c={"type": "integer", "maximum": -10},
        d={"type": "number", "exclusiveMaximum": 0},
        e={"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        f={"type": "integer", "minimum": 0, "maximum": 100},
    ),
    "multiples": obj(
        a={"type": "integer", "multipleOf": 7, "minimum": 50},
        b={"type": "number", "multipleOf": 0.25, "minimum": 0.3},
        c={"type": "integer", "multipleOf": 5, "exclusiveMinimum": 10, "exclusiveMaximum": 20},
    ),
    "formats": obj(
        **{
            name.replace("-", "_"): {"type": "string", "format": name}
            for name in (
                "date",
                "date-time",
                "time",
                "email",
                "uri",
                "uuid",
                "ipv4",
                "ipv6",
                "hostname",
                "regex",
            )
        }
    ),
    "patterns": obj(
        a={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        b={"type": "string", "pattern": r"^\+?\d{1,3}( \d+)+$"},
        c={"type": "string", "pattern": "^(?:red|green)s?$"},
        d={"type": "string", "pattern": "x[^a-z]y"},
        e={"type": "string", "pattern": r"^[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}$"},
        f={"type": "string", "pattern": "^[a-z]+$", "minLength": 9, "maxLength": 9},
    ),
    "arrays": obj(
        any={"type": "array"},
        names={"type": "array", "items": STRING},
        three={"type": "array", "items": INTEGER, "minItems": 3, "maxItems": 3},
        none={"type": "array", "items": STRING, "maxItems": 0},
        pairs={"type": "array", "items": obj(key=STRING, value={"type": "number"}), "minItems": 2},
    ),
    "unique": obj(
        numbers={"type": "array", "items": INTEGER, "minItems": 4, "uniqueItems": True},
        words={
            "type": "array",
            "items": {"type": "string", "maxLength": 5},
            "minItems": 4,
            "uniqueItems": True,
        },
        colors={"type": "array", "items": {"enum": ["r", "g", "b"]}, "minItems": 3, "uniqueItems": True},
        bits={"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
        days={
            "type": "array",
            "items": {"type": "string", "format": "date"},
            "minItems": 3,
            "uniqueItems": True,
        },
        mails={
            "type": "array",
            "items": {"type": "string", "format": "email"},
            "minItems": 3,
            "uniqueItems": True,
        },
        keys={
            "type": "array",
            "items": {"type": "string", "format": "uuid"},
            "minItems": 3,
            "uniqueItems": True,
        },
        codes={"type": "array", "items": {"pattern": "^[a-f]+$"}, "minItems": 3, "uniqueItems": True},
        tens={
            "type": "array",
            "items": {"type": "integer", "multipleOf": 10, "minimum": 0, "maximum": 30},
            "minItems": 4,
            "uniqueItems": True,
        },
        rows={"type": "array", "items": obj(id=INTEGER), "minItems": 3, "uniqueItems": True},
    ),
    "tuple": {"type": "array", "prefixItems": [STRING, INTEGER], "items": False, "minItems": 2},
    "contains": {
        "type": "array",
        "items": {"type": "integer"},
        "contains": {"minimum": 900},
        "minContains": 2,
    },
    "anyOf": {"anyOf": [obj(a=STRING), obj(b=INTEGER)]},
    "tagged union": {
        "oneOf": [
            obj(kind={"const": "circle"}, radius={"type": "number", "exclusiveMinimum": 0}),
            obj(kind={"const": "square"}, side={"type": "number", "exclusiveMinimum": 0}),
        ]
    },
    "allOf": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
            {"properties": {"a": {"maximum": 4}, "b": STRING}, "required": ["b"]},
        ]
    },
    "unions that meet": {
        "allOf": [{"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"anyOf": [STRING, {"minimum": 7}]}],
        "not": {"type": "null"},
    },
    "references": {
        "$ref": "#/$defs/Person",
        "$defs": {
            "Person": obj(name=STRING, home={"$ref": "#/$defs/a~1b"}),
            "a/b": obj(street=STRING, number={"$ref": "#/$defs/Number"}),
            "Number": {"type": "integer", "minimum": 1000},
        },
    },
    "recursion": {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "value": STRING,
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["value", "next", "children"],
            }
        },
    },
    "recursion by the root": {
        "type": "object",
        "properties": {"me": {"$ref": "#"}, "n": INTEGER},
        "required": ["n"],
    },
    "map": {"type": "object", "additionalProperties": INTEGER, "minProperties": 2},
    "map with named keys": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]{2}$"},
        "additionalProperties": STRING,
    },
    "pattern properties": {
        "type": "object",
        "patternProperties": {"^x-[a-z]+$": INTEGER},
        "additionalProperties": False,
        "minProperties": 1,
    },
    "required but not described": {"type": "object", "required": ["a", "b"]},
    "if and then": {
        **obj(False, kind={"enum": ["a", "b"]}, extra=INTEGER),
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["extra"]},
    },
    "no type": {
        "properties": {"a": {"minLength": 2}, "b": {"minItems": 1}, "c": {"minimum": 2}},
        "required": ["a"],
    },
    "default and examples": obj(
        a={"type": "integer", "default": 42}, b={"type": "string", "examples": ["as this"]}
    ),
    "wrong default": obj(a={"type": "integer", "default": "none"}),
    "draft 7": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"Point": {"type": "array", "items": [INTEGER, INTEGER], "minItems": 2}},
        "properties": {"at": {"$ref": "#/definitions/Point"}},
        "required": ["at"],
    },
}


@pytest.mark.parametrize("prompt", PROMPTS, ids=["empty", "greeting", "rich", "quotes"])
@pytest.mark.parametrize("optional", [True, False], ids=["whole", "lean"])
@pytest.mark.parametrize("name", SCHEMAS)
def test_an_instance_fits_its_schema(name: str, optional: bool, prompt: str) -> None:
    schema = SCHEMAS[name]
    value = instance(schema, mentions(prompt), optional)
    judge = jsonschema.validators.validator_for(schema)
    judge(schema, format_checker=judge.FORMAT_CHECKER).validate(value)


def bounded(low: str, high: str, values: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, int]]:
    return st.tuples(values, values).map(lambda pair: {low: min(pair), high: max(pair)})


SCALARS = st.one_of(
    st.sampled_from([{}, STRING, INTEGER, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]),
    bounded("minimum", "maximum", st.integers(-1000, 1000)).map(lambda more: {**INTEGER, **more}),
    bounded("minLength", "maxLength", st.integers(0, 40)).map(lambda more: {**STRING, **more}),
    st.lists(st.text(max_size=5), min_size=1, unique=True).map(lambda values: {"enum": values}),
    st.from_regex(r"\A\^([a-z]|\[[a-f]\]|\\d)\{[1-4]\}([xyz]\?)*\$\Z").map(
        lambda text: {**STRING, "pattern": text}
    ),
    st.sampled_from(["date", "date-time", "email", "uuid", "ipv4"]).map(
        lambda name: {**STRING, "format": name}
    ),
)
KEYS = st.sampled_from(["name", "city", "age", "date", "query", "ids", "unit", "x"])


def containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    members = st.dictionaries(KEYS, inner, max_size=4)
    return st.one_of(
        members.flatmap(
            lambda found: st.sets(st.sampled_from(sorted(found) or ["x"])).map(
                lambda required: {"type": "object", "properties": found, "required": sorted(required)}
            )
        ),
        st.tuples(inner, bounded("minItems", "maxItems", st.integers(0, 4))).map(
            lambda pair: {"type": "array", "items": pair[0], **pair[1]}
        ),
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        st.tuples(inner, inner).map(lambda pair: {"allOf": [pair[0]], "anyOf": [pair[1], pair[0]]}),
    )


@settings(max_examples=200)
@given(st.recursive(SCALARS, containers, max_leaves=8), st.sampled_from(PROMPTS), st.booleans())
def test_an_instance_fits_any_simple_schema(schema: dict[str, Any], prompt: str, optional: bool) -> None:
    value = instance(schema, mentions(prompt), optional)
    assert fits(value, schema), value


@settings(max_examples=200)
@given(
    st.from_regex(
        re.compile(
            r"\A(?:[a-c]|\[\^?[a-c0-9]{1,3}\]|\\[dws]|\.|\((?:x|y\|z)\))(?:[*+?]|\{[0-9](?:,[0-9]?)?\})?\Z"
        )
    )
)
def test_an_example_fits_its_pattern(pattern: str) -> None:
    try:
        compiled = re.compile(f"^{pattern}$")
    except re.error:
        return
    for more in (0, 3):
        found = example(compiled.pattern, more)
        assert found is not None
        assert compiled.search(found), found


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(a", "[a", "a{x}", r"\1", "*", r"a\p{L}", "[z-a]", "a{99999}"]
)
def test_a_pattern_beyond_us_has_no_example(pattern: str) -> None:
    assert example(pattern) is None


FILLED: list[tuple[str, Any, Any]] = [
    (
        "Ada is 36 years old and lives in London.",
        obj(name=STRING, age=INTEGER, city=STRING),
        {"name": "Ada", "age": 36, "city": "London"},
    ),
    ("Fly from Paris to Rome", obj(destination=STRING, origin=STRING), {"destination": "Rome", "origin": "Paris"}),
    (
        "Book a table for 4 people on May 3, 2026 at 19:30.",
        obj(date={"type": "string", "format": "date"}, time=STRING, people=INTEGER),
        {"date": "2026-05-03", "time": "19:30", "people": 4},
    ),
    ("Write to ada@example.org", obj(email={"type": "string", "format": "email"}), {"email": "ada@example.org"}),
    ("See https://example.com/a?b=1.", obj(url=STRING), {"url": "https://example.com/a?b=1"}),
    ('Search for "black holes"', obj(query=STRING), {"query": "black holes"}),
    ("the weather in fahrenheit", obj(unit={"enum": ["celsius", "fahrenheit"]}), {"unit": "fahrenheit"}),
    ("Where is order AB-123?", obj(order_id=STRING), {"order_id": "AB-123"}),
    ("Set limit = 25 and offset = 50", obj(offset=INTEGER, limit=INTEGER), {"offset": 50, "limit": 25}),
    ("What is 23 times 17?", obj(expression=STRING), {"expression": "23 * 17"}),
    ("Compare Paris, London and New York", obj(cities={"type": "array", "items": STRING}), {"cities": ["Paris", "London", "New York"]}),
    ("Add 2, 3 and 5.5", obj(numbers={"type": "array", "items": {"type": "number"}}), {"numbers": [2, 3, 5.5]}),
    ("Turn notifications on", obj(notifications={"type": "boolean"}), {"notifications": True}),
    ("Search without images", obj(images={"type": "boolean"}), {"images": False}),
    ("A square of side 4", SCHEMAS["tagged union"], {"kind": "square", "side": 4}),
    ("The code is QX-77.", obj(code={"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}), {"code": "QX-77"}),
    ('Return this: {"name": "Bob", "age": 5}', obj(name=STRING, age=INTEGER), {"name": "Bob", "age": 5}),
    (
        'Return this: {"n": {"a": 7}, "t": ["p", "q"]}',
        obj(n=obj(a=INTEGER), t={"type": "array", "items": STRING}),
        {"n": {"a": 7}, "t": ["p", "q"]},
    ),
    ("Does Ada live in London?", obj(city=STRING, name=STRING), {"city": "London", "name": "Ada"}),
    (
        "Ada has 3 cats",
        obj(name=STRING, ids={"type": "array", "items": {"anyOf": [INTEGER, {"type": "boolean"}]}}),
        {"name": "Ada", "ids": [3]},
    ),
    ("Paris: what is the name of the city?", obj(name=STRING, city=STRING), {"name": "Paris", "city": "Paris"}),
    ("Nothing of it", obj(nickname={"type": ["string", "null"], "maxLength": 3}), {"nickname": None}),
    ("what is the weather in paris", obj(city=STRING), {"city": "paris"}),
    ("Weather in San Francisco, CA", obj(location=STRING), {"location": "San Francisco, CA"}),
    ("Ship 7 boxes", obj(boxes={"type": "integer", "maximum": 5}), {"boxes": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "schema", "expected"), FILLED, ids=[prompt for prompt, _, _ in FILLED])
def test_a_value_is_taken_from_the_prompt(prompt: str, schema: Any, expected: Any) -> None:
    assert fits(expected, schema)
    assert instance(schema, mentions(prompt)) == expected


def test_an_optional_member_is_left_out_unless_it_is_mentioned() -> None:
    schema = {**obj(False, city=STRING, days=INTEGER, unit={"enum": ["c", "f"]}), "required": ["city"]}
    assert instance(schema, mentions("Weather in Paris"), optional=False) == {"city": "Paris"}
    assert instance(schema, mentions("Weather in Paris for 3 days"), optional=False) == {
        "city": "Paris",
        "days": 3,
    }


def test_where_nothing_is_required_no_call_is_empty() -> None:
    assert instance(obj(False, city=STRING), mentions("Weather in Paris"), optional=False) == {
        "city": "Paris"
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"properties": []},
        {"required": True},
        {"pattern": "("},
        {"$ref": "#/$defs/no"},
        {"$ref": "https://example.invalid/schema"},
    ],
    ids=str,
)
def test_a_broken_schema_is_refused(schema: Any) -> None:
    with pytest.raises(BrokenSchema, match="expected a JSON Schema"):
        instance(schema, mentions("x"))


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": [1], "type": "string"},
        {"not": {}},
        False,
        {"$ref": "#"},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 3},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**9},
    ],
    ids=str,
)
def test_a_schema_that_nothing_small_fits_comes_to_an_end(schema: Any) -> None:
    instance(schema, mentions("Ada counts 3 sheep"))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (obj(city=STRING), (1, False)),
        (obj(city=STRING, unit={"enum": ["c"]}, days=INTEGER), (1, False)),
        (obj(a=INTEGER, b={"type": "number"}), (2, True)),
        (obj(cities={"type": "array"}), (0, False)),
        (obj(False, origin=STRING, destination=STRING), (2, False)),
        ({}, (0, False)),
    ],
)
def test_a_call_takes_so_many_names_or_numbers(schema: Any, expected: tuple[int, bool]) -> None:
    assert slots(schema) == expected
