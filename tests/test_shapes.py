"""What does not fit a schema is told in our own words: where, expected, got."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.shapes import ABSENT, Mismatch, Shape, brief, pointer

DRAFT = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def nowhere(uri: str) -> Any:
    raise KeyError(uri)


def told(schema: Any, value: Any) -> list[str]:
    return [str(found) for found in Shape(schema, nowhere).mismatches(value)]


# For each keyword: schema, value, what is told, the keyword that the mismatch carries.
KEYWORDS: list[tuple[Any, Any, list[str], str]] = [
    ({"type": "string"}, 1, ["/: expected type string, got 1"], "type"),
    ({"type": ["string", "null"]}, 1, ["/: expected type null or string, got 1"], "type"),
    ({"enum": ["a", 2, None]}, "b", ['/: expected one of ["a", 2, null], got "b"'], "enum"),
    ({"const": {"a": 1}}, {"a": 2}, ['/: expected {"a": 1}, got {"a": 2}'], "const"),
    ({"pattern": "^a"}, "b", ['/: expected text that matches ^a, got "b"'], "pattern"),
    ({"minimum": 1}, 0, ["/: expected at least 1, got 0"], "minimum"),
    ({"maximum": 1.5}, 2, ["/: expected at most 1.5, got 2"], "maximum"),
    ({"exclusiveMinimum": 0}, 0, ["/: expected more than 0, got 0"], "exclusiveMinimum"),
    ({"exclusiveMaximum": 1}, 1, ["/: expected less than 1, got 1"], "exclusiveMaximum"),
    ({"multipleOf": 2}, 3, ["/: expected a multiple of 2, got 3"], "multipleOf"),
    ({"minLength": 2}, "é", ['/: expected at least 2 characters, got "é"'], "minLength"),
    ({"maxLength": 1}, "ab", ['/: expected at most 1 characters, got "ab"'], "maxLength"),
    ({"minItems": 1}, [], ["/: expected at least 1 items, got []"], "minItems"),
    ({"maxItems": 1}, [1, 2], ["/: expected at most 1 items, got [1, 2]"], "maxItems"),
    ({"uniqueItems": True}, [1, 1], ["/: expected items that differ, got [1, 1]"], "uniqueItems"),
    ({"items": {"type": "string"}}, ["a", 2], ["/1: expected type string, got 2"], "type"),
    ({"prefixItems": [{}], "items": False}, [1, 2], ["/1: expected nothing here, got 2"], "falseSchema"),
    ({"unevaluatedItems": False}, [1], ["/: expected no more items, got [1]"], "unevaluatedItems"),
    (
        {"contains": {"type": "string"}, "minContains": 2},
        ["a"],
        ['/: expected as many items of the form under `contains` as are wanted, got ["a"]'],
        "contains",
    ),
    ({"minProperties": 1}, {}, ["/: expected at least 1 members, got {}"], "minProperties"),
    (
        {"maxProperties": 1},
        {"a": 1, "b": 2},
        ['/: expected at most 1 members, got {"a": 1, "b": 2}'],
        "maxProperties",
    ),
    (
        {"required": ["a", "b"]},
        {},
        ["/a: expected a member 'a', got nothing", "/b: expected a member 'b', got nothing"],
        "required",
    ),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, ["/b: expected a member 'b', got nothing"], "required"),
    (
        {"properties": {"a": {}}, "additionalProperties": False},
        {"a": 1, "b": 2, "c/d": 3},
        ["/b: expected no such member, got 2", "/c~1d: expected no such member, got 3"],
        "additionalProperties",
    ),
    (
        {"properties": {"o": {"type": "object", "additionalProperties": False}}},
        {"o": {"x": 1, "y": 2}},
        ["/o/x: expected no such member, got 1", "/o/y: expected no such member, got 2"],
        "additionalProperties",
    ),
    ({"additionalProperties": {"type": "string"}}, {"x": 1}, ["/x: expected type string, got 1"], "type"),
    ({"properties": {"a": False}}, {"a": 1}, ["/a: expected nothing here, got 1"], "falseSchema"),
    (
        {"unevaluatedProperties": False},
        {"x": 1},
        ["/x: expected no such member, got 1"],
        "unevaluatedProperties",
    ),
    (
        {"properties": {"o": {"propertyNames": {"maxLength": 2}}}},
        {"o": {"abc": 1}},
        ['/o/abc: expected as name of a member at most 2 characters, got "abc"'],
        "propertyNames",
    ),
    ({"not": {"type": "string"}}, "a", ['/: expected something else, got "a"'], "not"),
    ({"if": {"type": "integer"}, "then": {"minimum": 5}}, 1, ["/: expected at least 5, got 1"], "minimum"),
    (
        {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        1,
        ["/: expected exactly one of the forms, got 1"],
        "oneOf",
    ),
    (False, 1, ["/: expected nothing here, got 1"], "falseSchema"),
]


@pytest.mark.parametrize(
    ("schema", "value", "texts", "keyword"),
    KEYWORDS,
    ids=[f"{each[3]}-{json.dumps(each[0])}" for each in KEYWORDS],
)
def test_a_keyword_says_where_expected_and_got(
    schema: Any, value: Any, texts: list[str], keyword: str
) -> None:
    shape = Shape(schema, nowhere)
    found = shape.mismatches(value)
    assert sorted(map(str, found)) == sorted(texts)
    assert {each.keyword for each in found} == {keyword}
    assert not shape.fits(value)


@pytest.mark.parametrize(
    ("schema", "value"), [each[:2] for each in KEYWORDS], ids=[json.dumps(each[0]) for each in KEYWORDS]
)
def test_nothing_of_the_librarys_text_reaches_a_reader(schema: Any, value: Any) -> None:
    document = schema if isinstance(schema, bool) else DRAFT | schema
    theirs = [error.message for error in jsonschema_rs.Draft202012Validator(document).iter_errors(value)]
    ours = " ".join(told(schema, value))
    assert theirs
    assert not any(text in ours for text in theirs)


ELSEWHERE = {
    "AnyOf", "OneOfNotValid",  # told by their nearest branch
    "AdditionalItems", "Format", "ContentEncoding", "ContentMediaType",  # no verdicts in 2020-12
    "BacktrackLimitExceeded", "RegexEngineFailure", "Custom", "FromUtf8", "Referencing",  # no verdict on the value
}  # fmt: skip


def test_every_error_that_the_library_knows_is_tried() -> None:
    known = {
        name
        for name, kind in vars(jsonschema_rs.ValidationErrorKind).items()
        if isinstance(kind, type) and not name.startswith("_")
    }
    tried = {
        type(error.kind).__name__
        for schema, value, *_ in KEYWORDS
        for error in jsonschema_rs.validator_for(
            schema if isinstance(schema, bool) else DRAFT | schema
        ).iter_errors(value)
    }
    assert known - ELSEWHERE == tried


TEXT = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
}
IMAGE = {
    "type": "object",
    "required": ["type", "url"],
    "properties": {"type": {"const": "image"}, "url": {"type": "string"}},
}
ONE_KEY = [
    {"type": "object", "required": [name], "properties": {name: {"type": "object"}}}
    for name in ("text", "image")
]

UNIONS: list[tuple[str, Any, Any, list[str]]] = [
    (
        "neither type",
        {"anyOf": [{"type": "string"}, {"type": "array"}]},
        4,
        ["/: expected type string or type array, got 4"],
    ),
    (
        "the right type",
        {"anyOf": [{"type": "string"}, {"type": "array", "items": TEXT}]},
        [{"type": "text", "text": 1}],
        ["/0/text: expected type string, got 1"],
    ),
    (
        "a list of wrong things",
        {"anyOf": [{"type": "string"}, {"type": "array", "items": TEXT}]},
        [3],
        ["/0: expected type object, got 3"],
    ),
    (
        "the right tag",
        {"oneOf": [TEXT, IMAGE]},
        {"type": "image", "url": 1},
        ["/url: expected type string, got 1"],
    ),
    (
        "the right tag and a missing member",
        {"oneOf": [TEXT, IMAGE]},
        {"type": "image"},
        ["/url: expected a member 'url', got nothing"],
    ),
    (
        "no such tag",
        {"oneOf": [TEXT, IMAGE]},
        {"type": "audio", "text": ""},
        ['/type: expected "text" or "image", got "audio"'],
    ),
    ("no tag", {"oneOf": [TEXT, IMAGE]}, {}, ["/type: expected a member 'type', got nothing"]),
    ("one-key union, its key", {"oneOf": ONE_KEY}, {"image": "a"}, ['/image: expected type object, got "a"']),
    (
        "a tag and no more",
        {"oneOf": [{"required": ["type"], "properties": {"type": {"pattern": "_call$"}}}, TEXT]},
        {"type": "text"},
        ["/text: expected a member 'text', got nothing"],
    ),
    (
        "no tag, a role",
        {"oneOf": [TEXT, {"required": ["role"], "properties": {"role": {"enum": ["user", "tool"]}}}]},
        {"role": "nobody"},
        ['/role: expected one of ["user", "tool"], got "nobody"'],
    ),
    (
        "a word or an object, and neither",
        {"oneOf": [{"enum": ["auto"]}, TEXT]},
        5,
        ['/: expected one of ["auto"] or type object, got 5'],
    ),
    (
        "one-key union, no key",
        {"oneOf": ONE_KEY},
        {"video": {}},
        ["/text: expected a member 'text' or a member 'image', got nothing"],
    ),
    (
        "one-key union, two keys",
        {"oneOf": ONE_KEY},
        {"text": {}, "image": {}},
        ['/: expected exactly one of the forms, got {"image": {}, "text": {}}'],
    ),
    (
        "words and null",
        {"anyOf": [{"enum": ["a", "b"]}, {"const": None}]},
        "c",
        ['/: expected one of ["a", "b"] or null, got "c"'],
    ),
    (
        "null or an object",
        {"anyOf": [{"type": "null"}, {"type": "object", "required": ["a"]}]},
        {},
        ["/a: expected a member 'a', got nothing"],
    ),
    (
        "nested",
        {
            "properties": {
                "x": {
                    "oneOf": [
                        {"type": "null"},
                        {"properties": {"y": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}},
                    ]
                }
            }
        },
        {"x": {"y": []}},
        ["/x/y: expected type string or type integer, got []"],
    ),
    (
        "fewest errors",
        {"anyOf": [{"minLength": 3, "pattern": "^a"}, {"maxLength": 1}]},
        "bb",
        ['/: expected at most 1 characters, got "bb"'],
    ),
    (
        "the same words once",
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "string", "maxLength": 9}]},
        1,
        ["/: expected type string, got 1"],
    ),
]


@pytest.mark.parametrize(
    ("schema", "value", "texts"), [each[1:] for each in UNIONS], ids=[each[0] for each in UNIONS]
)
def test_of_a_union_the_nearest_branch_is_told(schema: Any, value: Any, texts: list[str]) -> None:
    assert told(schema, value) == texts


@pytest.mark.parametrize(
    ("schema", "value", "keyword", "demanded"),
    [
        ({"enum": ["a", "b"]}, "c", "enum", ("a", "b")),
        ({"const": "a"}, "c", "const", ("a",)),
        ({"type": ["string", "null"]}, 1, "type", ("null", "string")),
        ({"maximum": 2}, 3, "maximum", 2),
        ({"minItems": 1}, [], "minItems", 1),
        ({"pattern": "^a"}, "c", "pattern", "^a"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "propertyNames", 1),
        ({"oneOf": [TEXT, IMAGE]}, {"type": "audio"}, "const", ("text", "image")),
        ({"oneOf": [{"enum": ["auto"]}, TEXT]}, 5, "type", ("string", "object")),
    ],
)
def test_a_mismatch_has_what_was_demanded_as_a_value(
    schema: Any, value: Any, keyword: str, demanded: Any
) -> None:
    [found] = Shape(schema, nowhere).mismatches(value)
    assert (found.keyword, found.demanded) == (keyword, demanded)


def test_what_fits_has_no_mismatches() -> None:
    shape = Shape({"oneOf": [TEXT, IMAGE]}, nowhere)
    assert shape.fits({"type": "text", "text": ""})
    assert shape.mismatches({"type": "text", "text": ""}) == []


def test_a_reference_is_looked_up_where_it_points() -> None:
    asked = []

    def retrieve(uri: str) -> Any:
        asked.append(uri)
        return {"$defs": {"Age": {"type": "integer", "minimum": 0}}}

    shape = Shape({"properties": {"age": {"$ref": "spec:///people.yaml#/$defs/Age"}}}, retrieve)
    assert [str(each) for each in shape.mismatches({"age": -1})] == ["/age: expected at least 0, got -1"]
    assert asked == ["spec:///people.yaml"]


def test_a_mismatch_at_the_top_stands_at_a_slash() -> None:
    assert str(Mismatch("", "a", ABSENT)) == "/: expected a, got nothing"
    assert str(Mismatch("/x", "a", {"b": ABSENT})) == "/x: expected a, got {'b': nothing}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", '"a\\nb"'),
        ({"b": 1, "a": "é"}, '{"a": "é", "b": 1}'),
        (ABSENT, "nothing"),
        ({1, 2}, "{1, 2}"),
        (None, "null"),
    ],
)
def test_a_value_is_told_as_json(value: Any, text: str) -> None:
    assert brief(value) == text


def test_a_long_value_is_shortened_in_the_middle() -> None:
    text = brief("a" * 500 + "b" * 500, limit=80)
    assert text == '"' + "a" * 39 + " ... " + "b" * 19 + '"'
    assert brief("a" * 70, limit=80) == f'"{"a" * 70}"'


@pytest.mark.parametrize(
    ("parts", "text"), [([], ""), (["a", 0], "/a/0"), (["a/b", "c~d", ""], "/a~1b/c~0d/")]
)
def test_a_path_is_a_json_pointer(parts: list[str | int], text: str) -> None:
    assert pointer(parts) == text


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "text", "image", "long text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "type", "text", "url"]), inner, max_size=3)
    ),
    max_leaves=6,
)
schemas = st.recursive(
    st.sampled_from(
        [
            {},
            {"type": "string"},
            {"type": "integer", "minimum": 0},
            {"const": "text"},
            {"enum": [1, None]},
            False,
            TEXT,
            IMAGE,
        ]
    ),
    lambda inner: st.one_of(
        st.builds(lambda a, b: {"oneOf": [a, b]}, inner, inner),
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
        st.builds(lambda a: {"properties": {"a": a}, "required": ["a"]}, inner),
        st.builds(lambda a: {"properties": {"a": a}, "additionalProperties": False}, inner),
        st.builds(lambda a: {"type": "array", "items": a}, inner),
        st.builds(lambda a: {"additionalProperties": a}, inner),
    ),
    max_leaves=5,
)


@given(schemas, values)
def test_a_value_that_another_validator_refuses_has_a_mismatch_that_stands_in_it(
    schema: Any, value: Any
) -> None:
    found = Shape(schema, nowhere).mismatches(value)
    assert bool(found) is not jsonschema.Draft202012Validator(schema).is_valid(value)
    for each in found:
        above = value
        *parents, _ = each.at.split("/")[1:] or [""]
        for step in parents:
            above = above[int(step)] if isinstance(above, list) else above[step]
        assert each.expected
