"""Pointers with a star, into responses; and copies with a change at a pointer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.exchange import Event, Response
from conformance.select import change, document, parts, select
from conformance.shapes import pointer

PLAIN = Response(
    200,
    (("Content-Type", "application/json"), ("X-Two", "first"), ("x-two", "second")),
    (),
    body={
        "usage": {"in": 3, "out": 4},
        "choices": [{"text": "a"}, {"text": "b", "n": None}],
        "a/b": {"c~d": 1},
    },
)
STREAM = Response(
    200,
    (),
    (),
    events=(
        Event("start", {"role": "assistant"}),
        Event("delta", {"text": "Hel", "index": 0}),
        Event("delta", {"text": "lo", "index": 0}),
        Event("*", {"text": "odd"}),
        Event("stop", {"usage": {"total": 7}}),
    ),
)

FOUND: list[tuple[Response, str, list[tuple[str, Any]]]] = [
    (PLAIN, "/status", [("/status", 200)]),
    (PLAIN, "/headers/content-type", [("/headers/content-type", "application/json")]),
    (PLAIN, "/headers/Content-Type", []),
    (PLAIN, "/headers/x-two", [("/headers/x-two", "first")]),
    (PLAIN, "/body/usage/in", [("/body/usage/in", 3)]),
    (PLAIN, "/body/usage/*", [("/body/usage/in", 3), ("/body/usage/out", 4)]),
    (PLAIN, "/body/choices/0/text", [("/body/choices/0/text", "a")]),
    (PLAIN, "/body/choices/-1/text", [("/body/choices/1/text", "b")]),
    (PLAIN, "/body/choices/*/text", [("/body/choices/0/text", "a"), ("/body/choices/1/text", "b")]),
    (PLAIN, "/body/choices/*/n", [("/body/choices/1/n", None)]),
    (PLAIN, "/body/*/*/text", [("/body/choices/0/text", "a"), ("/body/choices/1/text", "b")]),
    (PLAIN, "/body/a~1b/c~0d", [("/body/a~1b/c~0d", 1)]),
    (PLAIN, "/body/a~1b/*", [("/body/a~1b/c~0d", 1)]),
    (PLAIN, "/body/choices/2", []),
    (PLAIN, "/body/choices/-3", []),
    (PLAIN, "/body/choices/text", []),
    (PLAIN, "/body/choices/--1", []),
    (PLAIN, "/body/choices/²", []),
    (PLAIN, "/body/choices/", []),
    (PLAIN, "/body/usage/in/deeper", []),
    (PLAIN, "/events/0", []),
    (STREAM, "/body", []),
    (STREAM, "/events/delta/text", [("/events/1/text", "Hel")]),
    (STREAM, "/events/delta", [("/events/1", {"text": "Hel", "index": 0})]),
    (STREAM, "/events/stop/usage/total", [("/events/4/usage/total", 7)]),
    (STREAM, "/events/-1/usage/total", [("/events/4/usage/total", 7)]),
    (STREAM, "/events/0/role", [("/events/0/role", "assistant")]),
    (
        STREAM,
        "/events/*/text",
        [("/events/1/text", "Hel"), ("/events/2/text", "lo"), ("/events/3/text", "odd")],
    ),
    (STREAM, "/events/nobody/text", []),
    (STREAM, "/events/9", []),
]


@pytest.mark.parametrize(
    ("response", "at", "found"), FOUND, ids=[f"{each[1]}-{len(each[2])}" for each in FOUND]
)
def test_a_pointer_finds_exact_places(response: Response, at: str, found: list[tuple[str, Any]]) -> None:
    assert select(document(response), at) == found


@pytest.mark.parametrize(("response", "at", "found"), FOUND, ids=[each[1] for each in FOUND])
def test_what_a_pointer_found_is_found_again_at_its_exact_place(
    response: Response, at: str, found: list[tuple[str, Any]]
) -> None:
    for where, value in found:
        assert select(document(response), where) == [(where, value)]


def test_the_empty_pointer_is_the_whole() -> None:
    whole = document(PLAIN)
    assert select(whole, "") == [("", whole)]


def test_a_document_has_events_or_a_body() -> None:
    assert set(document(PLAIN)) == {"status", "headers", "body"}
    assert set(document(STREAM)) == {"status", "headers", "events"}
    assert document(Response(204, (), ())) == {"status": 204, "headers": {}, "body": None}


@pytest.mark.parametrize("text", ["body/x", "$.body", "events"])
def test_text_that_is_no_pointer_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="expected a JSON pointer, '' or one that begins with /, got "):
        parts(text)


@given(st.lists(st.text(max_size=4), max_size=4))
def test_a_pointer_comes_apart_into_what_it_was_made_of(names: list[str]) -> None:
    assert parts(pointer(names)) == names


VALUE = {"a": {"b": [1, 2, 3]}, "c": None}

CHANGES: list[tuple[str, Any, Any]] = [
    ("/a/b/0", 9, {"a": {"b": [9, 2, 3]}, "c": None}),
    ("/a/b/-1", 9, {"a": {"b": [1, 2, 9]}, "c": None}),
    ("/a/b/*", 0, {"a": {"b": [0, 0, 0]}, "c": None}),
    ("/a/new", 1, {"a": {"b": [1, 2, 3], "new": 1}, "c": None}),
    ("/c", {}, {"a": {"b": [1, 2, 3]}, "c": {}}),
    ("/*", 1, {"a": 1, "c": 1}),
    ("", 5, 5),
    ("/a/b/0", lambda value: value + 10, {"a": {"b": [11, 2, 3]}, "c": None}),
    ("/new", lambda value: value, {**VALUE, "new": None}),
    ("/a/b/0", True, {"a": {"b": [True, 2, 3]}, "c": None}),
]


@pytest.mark.parametrize(
    ("at", "to", "expected"), CHANGES, ids=[f"{each[0]}-{n}" for n, each in enumerate(CHANGES)]
)
def test_a_copy_is_changed_at_a_pointer(at: str, to: Any, expected: Any) -> None:
    before = copy.deepcopy(VALUE)
    got, changed = change(VALUE, at, to)
    assert got == expected and changed
    assert before == VALUE


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("/a/b/1", {"a": {"b": [1, 3]}, "c": None}),
        ("/a/b/*", {"a": {"b": []}, "c": None}),
        ("/c", {"a": {"b": [1, 2, 3]}}),
        ("/*", {}),
        ("/a/b", {"a": {}, "c": None}),
    ],
)
def test_a_member_is_removed_from_a_copy(at: str, expected: Any) -> None:
    before = copy.deepcopy(VALUE)
    assert change(VALUE, at, remove=True) == (expected, True)
    assert before == VALUE


@pytest.mark.parametrize(
    ("at", "to", "remove"),
    [
        ("/a/b/0", 1, False),
        ("/x/y", 1, False),
        ("/a/b/7", 1, False),
        ("/c/x", 1, False),
        ("/x", None, True),
        ("/a/b/7", None, True),
        ("/c/x", None, True),
    ],
)
def test_what_is_not_there_or_is_so_already_is_no_change(at: str, to: Any, remove: bool) -> None:
    assert change(VALUE, at, to, remove=remove) == (VALUE, False)


def test_true_is_not_one() -> None:
    assert change({"a": 1}, "/a", True)[1]
    events, changed = change([Event("x", {"a": 1})], "/x/a", True)
    assert changed and events[0].data["a"] is True


def test_an_event_keeps_its_name_and_time() -> None:
    events = [Event("a", {"n": 1}, 0.5), Event("b", {"n": 2}, 0.7)]
    assert change(events, "/b/n", 5) == ([Event("a", {"n": 1}, 0.5), Event("b", {"n": 5}, 0.7)], True)
    assert change(events, "/*/n", remove=True) == ([Event("a", {}, 0.5), Event("b", {}, 0.7)], True)
    assert change(events, "/0", remove=True) == ([Event("b", {"n": 2}, 0.7)], True)
    assert change(events, "/a", {"m": 1}) == ([Event("a", {"m": 1}, 0.5), events[1]], True)


trees = st.recursive(
    st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b/", "c~", "*", "0"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(trees, st.lists(st.sampled_from(["a", "b/", "c~", "0", "-1"]), max_size=3))
def test_what_was_put_at_a_place_that_is_there_stands_there(tree: Any, steps: list[str]) -> None:
    at = pointer(steps)
    there = select(tree, at)
    got, changed = change(tree, at, "new")
    if there:
        assert changed
        assert select(got, there[0][0]) == [(there[0][0], "new")]
        assert change(got, there[0][0], there[0][1])[0] == tree
    elif changed:
        # What counts from the end is found at its place from the beginning.
        assert [value for _, value in select(got, at)] == ["new"]
        assert change(got, at, remove=True) == (tree, True)
