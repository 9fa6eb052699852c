"""The codec of newline-delimited JSON, held against `json` of the standard library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.wire import FramingError
from conformance.wire.ndjson import Decoder, encode

untimed = settings(deadline=None)

CASES: list[tuple[Any, bytes]] = [
    ({"type": "text", "text": "Hi"}, b'{"type":"text","text":"Hi"}\n'),
    ({"text": "a\nb\r\u2028é😀"}, '{"text":"a\\nb\\r\u2028é😀"}\n'.encode()),
    ([], b"[]\n"),
    (None, b"null\n"),
    (1.5, b"1.5\n"),
    ("", b'""\n'),
]

PROBLEMS: list[tuple[str, bytes, list[Any], list[str]]] = [
    ("nothing odd", b"1\n2\n", [1, 2], []),
    ("blank line", b"1\n \n2\n", [1, 2], ["line 2: expected a JSON value, got a blank line"]),
    ("CRLF", b"1\n2\r\n3\r\n", [1, 2, 3], ["line 2: expected LF to end the line, got CRLF"]),
    ("byte order mark", b"\xef\xbb\xbf1\n", [1], ["line 1: expected no byte order mark, got one"]),
    (
        "last line without LF",
        b'1\n{"a":2}',
        [1, {"a": 2}],
        ["line 2: expected LF to end the line, got the end of the stream"],
    ),
]

BROKEN: list[tuple[bytes, str]] = [
    (b"1\n<html>\n", "line 2: expected one JSON value, got b'<html>' ("),
    (b"1\n{} {}\n", "line 2: expected one JSON value, got b'{} {}' ("),
    (b"1\nNaN\n", "line 2: expected one JSON value, got b'NaN' ("),
    (b'1\n"\xff"\n', "line 2: expected one JSON value, got b'\"\\xff\"' ("),
    (b"1\n\xef\xbb\xbf2\n", "line 2: expected one JSON value, got b'\\xef\\xbb\\xbf2' ("),
    (b"1\n" + b"x" * 90 + b"\n", f"line 2: expected one JSON value, got {b'x' * 80!r}... ("),
    (b"1\n" + b"[" * 100_000 + b"\n", f"line 2: expected one JSON value, got {b'[' * 80!r}... ("),
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(("value", "expected"), CASES)
def test_a_value_has_these_bytes(value: Any, expected: bytes) -> None:
    assert encode(value) == expected


@pytest.mark.parametrize(("value", "data"), CASES)
def test_these_bytes_are_the_value(value: Any, data: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(data) == [value]
    assert decoder.close() == []
    assert decoder.problems == []


@untimed
@given(st.lists(values, max_size=4), st.booleans(), st.data())
def test_any_cut_gives_the_same_values(sent: list[Any], ended: bool, data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    stream = stream if ended else stream[:-1]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    found: list[Any] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end])
    assert found + decoder.close() == sent
    assert len(decoder.problems) == (not ended and bool(sent))


@untimed
@given(st.lists(values, max_size=4))
def test_json_reads_what_we_write_line_by_line(sent: list[Any]) -> None:
    assert [json.loads(line) for line in b"".join(map(encode, sent)).split(b"\n")[:-1]] == sent


@pytest.mark.parametrize(("_", "data", "expected", "problems"), PROBLEMS, ids=[case[0] for case in PROBLEMS])
def test_says_what_other_readers_choke_on(
    _: str, data: bytes, expected: list[Any], problems: list[str]
) -> None:
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        decoder = Decoder()
        found: list[Any] = []
        for piece in pieces:
            found += decoder.feed(piece)
        assert found + decoder.close() == expected
        assert decoder.problems == problems


@pytest.mark.parametrize(("data", "expected"), BROKEN, ids=[text[:60] for _, text in BROKEN])
def test_a_line_that_is_no_json_is_an_error_after_the_values_before_it(data: bytes, expected: str) -> None:
    decoder = Decoder()
    with pytest.raises(FramingError) as caught:
        decoder.feed(data + b"3\n")
    assert str(caught.value).startswith(expected)
    assert caught.value.before == [1]
    with pytest.raises(FramingError) as fed:
        decoder.feed(b"4\n")
    with pytest.raises(FramingError) as closed:
        decoder.close()
    assert str(fed.value) == str(closed.value) == str(caught.value)
    assert fed.value.before == closed.value.before == []


@pytest.mark.parametrize(("data", "value"), [(b'"\\ud83d"\n', "\ud83d"), (b"-1e999\n", float("-inf"))])
def test_json_that_only_some_parsers_take_is_read_and_told(data: bytes, value: Any) -> None:
    decoder = Decoder()
    assert decoder.feed(data) == [value] == [json.loads(data)]
    [problem] = decoder.problems
    assert problem.startswith("line 1: expected JSON that every parser takes, got ")


def test_a_last_line_that_is_cut_off_is_an_error() -> None:
    decoder = Decoder()
    assert decoder.feed(b'{"a":1}\n{"a":') == [{"a": 1}]
    with pytest.raises(FramingError, match=r"line 2: expected one JSON value, got b'\{\"a\":' \("):
        decoder.close()


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        encode({"a": object()})
