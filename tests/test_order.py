"""The order of events, held against `re` and against streams of our own."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.order import END, Order, order

CONVERSE = "messageStart (contentBlockStart? contentBlockDelta* contentBlockStop)* messageStop metadata"

GOOD = [
    ("a", "a"),
    ("a b c", "a b c"),
    ("a?", ""),
    ("a?", "a"),
    ("a*", ""),
    ("a*", "a a a"),
    ("a+", "a a"),
    ("a | b c", "b c"),
    ("(a | b)+ c", "a b b a c"),
    ("(a? b*)* c", "b a b b c"),
    ("a (b | )", "a"),
    ("", ""),
    (
        "response.created (response.output_text.delta)* response.completed",
        "response.created response.completed",
    ),
    ("data-x [DONE]".replace("[DONE]", "D[0]"), "data-x D[0]"),
    (CONVERSE, "messageStart messageStop metadata"),
    (
        CONVERSE,
        "messageStart contentBlockDelta contentBlockStop contentBlockStart contentBlockStop messageStop metadata",
    ),
]

# order, events, index of the event that leaves it, what could have come, what came
BAD = [
    ("a", "", 0, "a", END),
    ("a", "b", 0, "a", "b"),
    ("a", "a a", 1, END, "a"),
    ("a+", "", 0, "a", END),
    ("a b? c", "a d", 1, "b or c", "d"),
    ("a b? c", "a", 1, "b or c", END),
    ("(a | b) c?", "b b", 1, f"c or {END}", "b"),
    ("", "a", 0, END, "a"),
    (CONVERSE, "messageStop metadata", 0, "messageStart", "messageStop"),
    (
        CONVERSE,
        "messageStart contentBlockDelta messageStop metadata",
        2,
        "contentBlockDelta or contentBlockStop",
        "messageStop",
    ),
    (CONVERSE, "messageStart messageStop", 2, "metadata", END),
    (CONVERSE, "messageStart messageStop metadata metadata", 3, END, "metadata"),
    ("a", "A", 0, "a", "A"),
]


def walked(
    text: str, events: Sequence[str | None], may_end_with: Sequence[str] = ()
) -> list[tuple[int, str, str]]:
    return list(Order(text).walk(events, may_end_with))


@pytest.mark.parametrize(("text", "events"), GOOD)
def test_a_stream_in_order_has_nothing_to_tell(text: str, events: str) -> None:
    assert walked(text, events.split()) == []


@pytest.mark.parametrize(("text", "events", "index", "expected", "got"), BAD)
def test_a_stream_leaves_the_order_at_the_first_event_that_could_not_come(
    text: str, events: str, index: int, expected: str, got: str
) -> None:
    assert walked(text, events.split()) == [(index, expected, got)]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ("a b error", []),
        ("error", []),
        ("a b c", []),
        ("a b c error", []),
        ("a error b", [(2, END, "b")]),
        ("a error error", [(2, END, "error")]),
        ("a c error", [(1, "b", "c")]),
        ("a b", [(2, "c", END)]),
    ],
)
def test_an_event_that_may_end_a_stream_may_come_anywhere_and_only_last(
    events: str, found: list[tuple[int, str, str]]
) -> None:
    assert walked("a b c", events.split(), ["error", "failed"]) == found


def test_an_event_that_may_end_a_stream_and_stands_in_the_order_keeps_its_place() -> None:
    assert walked("a error b", ["a", "error", "b"], ["error"]) == []
    assert walked("a error b", ["a", "error"], ["error"]) == []
    assert walked("a error b", ["error", "a"], ["error"]) == [(1, END, "a")]


def test_an_event_without_a_name_is_never_in_order() -> None:
    assert walked("a? b", [None, "b"]) == [(0, "a or b", "None")]
    assert walked("a*", [None]) == [(0, f"a or {END}", "None")]
    assert walked("(a | b)* c?", ["a", None, "c"]) == [(1, f"a or b or c or {END}", "None")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(a", "order '(a': expected ')', got the end"),
        ("a)", "order 'a)': expected a name or ')', got ')'"),
        ("* a", "order '* a': expected a name before '*'"),
        ("a | ? b", "order 'a | ? b': expected a name before '?'"),
        ("(+)", "order '(+)': expected a name before '+'"),
        ("a, b", "order 'a, b': expected a name or one of ()|?*+, got ', b'"),
        ("a{2}", "order 'a{2}': expected a name or one of ()|?*+, got '{2}'"),
        ("1a", "order '1a': expected a name or one of ()|?*+, got '1a'"),
    ],
)
def test_text_that_is_no_order_is_an_error(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Order(text)


def test_the_names_of_an_order_are_known() -> None:
    assert Order(CONVERSE).names() == {
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    }


def test_an_order_is_compiled_once() -> None:
    assert order(CONVERSE) is order(CONVERSE)


# Against `re`: one letter for each event. An order is written with spaces between names, `re` without.

orders = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.one_of(
        st.builds("({} {})".format, inner, inner),
        st.builds("({} | {})".format, inner, inner),
        st.builds("({})?".format, inner),
        st.builds("({})*".format, inner),
        st.builds("({})+".format, inner),
    ),
    max_leaves=8,
)
streams = st.lists(st.sampled_from("abcd"), max_size=7)


def same_in_re(text: str) -> re.Pattern[str]:
    return re.compile(text.replace(" ", "").replace("(", "(?:"))


@given(orders, streams)
def test_a_stream_is_in_order_if_and_only_if_re_matches_it(text: str, events: list[str]) -> None:
    assert (walked(text, events) == []) is (same_in_re(text).fullmatch("".join(events)) is not None)


LEAVES = 4
"""Names in a small order: no more events than that are needed to bring a stream to its end."""


def can_begin(text: str, events: Sequence[str]) -> bool:
    """Whether some stream in order begins like this: tried out with all that could follow."""
    todo, seen = ["".join(events)], set()
    pattern = same_in_re(text)
    while todo:
        word = todo.pop()
        if pattern.fullmatch(word):
            return True
        if len(word) < len(events) + LEAVES and word not in seen:
            seen.add(word)
            todo += [word + letter for letter in "abc"]
    return False


small = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.one_of(
        st.builds("({} {})".format, inner, inner),
        st.builds("({} | {})".format, inner, inner),
        st.builds("({})*".format, inner),
    ),
    max_leaves=LEAVES,
)


@given(small, st.lists(st.sampled_from("abcd"), max_size=4))
def test_the_way_is_left_at_the_first_event_after_which_no_stream_could_be_in_order(
    text: str, events: list[str]
) -> None:
    found = walked(text, events)
    left = next((n for n in range(len(events)) if not can_begin(text, events[: n + 1])), None)
    if left is not None:
        assert [index for index, _, _ in found] == [left]
        expected = set(found[0][1].split(" or "))
        before = events[:left]
        assert expected - {END} == {letter for letter in "abc" if can_begin(text, [*before, letter])}
        assert (END in expected) is bool(same_in_re(text).fullmatch("".join(before)))
    elif found:
        assert [(index, got) for index, _, got in found] == [(len(events), END)]


@given(orders, streams, st.integers(0, 7))
def test_a_stream_that_ends_early_with_an_error_is_in_order_as_far_as_it_came(
    text: str, events: list[str], cut: int
) -> None:
    whole = walked(text, events)
    begun = events[:cut]
    found = walked(text, [*begun, "error"], ["error"])
    if whole == [] or (whole[0][0] >= cut):
        assert found == []
