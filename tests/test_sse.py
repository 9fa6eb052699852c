"""The codec of server-sent events, held against the openai SDK's decoder and the rules of browsers."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openai._streaming import SSEDecoder

from conformance.wire import FramingError
from conformance.wire.sse import Decoder, Message, comment, encode

untimed = settings(deadline=None)

Where = Literal["before", "after", "none"]
End = Literal["\n", "\r\n", "\r"]
ENDS: list[End] = ["\n", "\r\n", "\r"]

CASES: list[tuple[Message, Where, End, bytes]] = [
    (Message("[DONE]", fields=("data",)), "none", "\n", b"data: [DONE]\n\n"),
    (Message("{}", "ping", fields=("event", "data")), "before", "\n", b"event: ping\ndata: {}\n\n"),
    (Message("{}", "ping", fields=("data", "event")), "after", "\n", b"data: {}\nevent: ping\n\n"),
    (Message("", fields=("data",)), "before", "\n", b"data: \n\n"),
    (Message(" x", fields=("data",)), "before", "\n", b"data:  x\n\n"),
    (Message("a\n\nb", fields=("data",) * 3), "before", "\n", b"data: a\ndata: \ndata: b\n\n"),
    (Message("é😀\u2028", fields=("data",)), "before", "\n", "data: é😀\u2028\n\n".encode()),
    (
        Message("a", "e", "7", 1500, ("id", "retry", "event", "data")),
        "before",
        "\n",
        b"id: 7\nretry: 1500\nevent: e\ndata: a\n\n",
    ),
    (
        Message("a", "", "", 0, ("id", "retry", "data", "event")),
        "after",
        "\n",
        b"id: \nretry: 0\ndata: a\nevent: \n\n",
    ),
    (Message("a", "e", fields=("event", "data")), "before", "\r\n", b"event: e\r\ndata: a\r\n\r\n"),
    (Message("a", "e", fields=("event", "data")), "before", "\r", b"event: e\rdata: a\r\r"),
]

# What `encode` never writes and every browser reads.
READINGS: list[tuple[str, bytes, list[Message]]] = [
    ("no space after the colon", b"data:a\n\n", [Message("a", fields=("data",))]),
    ("no colon", b"data\n\n", [Message("", fields=("data",))]),
    ("no colon twice", b"data\ndata\n\n", [Message("\n", fields=("data", "data"))]),
    ("comment in an event", b"data: a\n: no\n:\ndata: b\n\n", [Message("a\nb", fields=("data", "data"))]),
    ("unknown field", b"foo: 1\ndata: a\n\n", [Message("a", fields=("foo", "data"))]),
    ("case counts", b"Data: 1\ndata: a\n\n", [Message("a", fields=("Data", "data"))]),
    ("space before the name", b" data: 1\ndata: a\n\n", [Message("a", fields=(" data", "data"))]),
    (
        "last event line wins",
        b"event: a\nevent: b\ndata\n\n",
        [Message("", "b", fields=("event", "event", "data"))],
    ),
    ("retry of letters", b"retry: 1s\ndata: a\n\n", [Message("a", fields=("retry", "data"))]),
    ("retry of Arabic digits", "retry: ٣\ndata: a\n\n".encode(), [Message("a", fields=("retry", "data"))]),
    ("id with NUL", b"id: 1\0\ndata: a\n\n", [Message("a", fields=("id", "data"))]),
    ("blank lines", b"\n\ndata: a\n\n\n\n", [Message("a", fields=("data",))]),
    (
        "form feed is no line end",
        "data: a\x0cb\x85c\n\n".encode(),
        [Message("a\x0cb\x85c", fields=("data",))],
    ),
    ("line ends mixed", b"data: a\rdata: b\r\ndata: c\n\r\n", [Message("a\nb\nc", fields=("data",) * 3)]),
    ("byte order mark", b"\xef\xbb\xbfdata: a\n\n", [Message("a", fields=("data",))]),
    (
        "two byte order marks",
        b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n",
        [Message("b", fields=("data",))],
    ),
    ("later byte order mark", b"\n\xef\xbb\xbfdata: a\n\n", []),
    ("event without data", b"event: ping\n\ndata: a\n\n", [Message("a", fields=("data",))]),
    ("no UTF-8", b"data: a\xffb\xe2\x82\n\n", [Message("a\ufffdb\ufffd", fields=("data",))]),
]

PROBLEMS: list[tuple[str, bytes, list[str]]] = [
    ("nothing odd", b": hello\n\nevent: a\ndata: b\n\n\n", []),
    ("byte order mark", b"\xef\xbb\xbfdata: a\n\n", ["line 1: expected no byte order mark, got one"]),
    ("CRLF", b"data: a\n\r\n\r\n", ["line 2: expected LF to end the line, got CR or CRLF"]),
    ("CR", b"data: a\n\r\r", ["line 2: expected LF to end the line, got CR or CRLF"]),
    (
        "no data",
        b"data: a\n\nevent: ping\nid: 1\n\n",
        ["line 5: expected an event with data, got only event, id"],
    ),
    ("no UTF-8", b"data: \xff\n\n", ["line 1: expected UTF-8, got b'data: \\xff'"]),
    (
        "not closed, without data",
        b"data: a\n\nevent: ping\n",
        ["line 3: expected a blank line to close the event, got the end of the stream after event"],
    ),
    (
        "cut in a name",
        b"data: a\n\nda",
        ["line 3: expected a blank line to close the event, got the end of the stream after da"],
    ),
    ("cut in a comment", b"data: a\n\n: kee", []),
]

one_line = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
texts = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), max_size=20)
messages = st.builds(
    Message,
    texts,
    st.none() | one_line,
    st.none() | one_line.filter(lambda text: "\0" not in text),
    st.none() | st.integers(0, 10**9),
)
fragments = st.sampled_from(
    [
        *(b"data", b"event", b"id", b"retry", b"foo", b":", b": ", b" ", b"1", b"x", b"\0"),
        *(b"\n", b"\r", b"\r\n", b"\n\n", "é😀".encode(), b"\xef\xbb\xbf", b"\xef\xbb", b"\xff"),
    ]
)
streams = st.lists(fragments, max_size=30).map(b"".join)


def read(data: bytes) -> list[Message]:
    decoder = Decoder()
    return decoder.feed(data) + decoder.close()


def seen(data: list[bytes]) -> tuple[list[Message], list[str], str | None]:
    """All that a decoder tells of a stream that comes in these pieces."""
    decoder = Decoder()
    found: list[Message] = []
    for piece in data:
        found += decoder.feed(piece)
    try:
        return found + decoder.close(), decoder.problems, None
    except FramingError as error:
        return found, decoder.problems, str(error)


def as_a_browser(data: bytes) -> list[tuple[str, str]]:
    """Name and data of the events, by the steps of the WHATWG page written down one by one."""
    lines = re.split("\r\n|\n|\r", data.decode("utf-8", "replace").removeprefix("\ufeff"))[:-1]
    events = []
    buffer, name = "", ""
    for line in lines:
        if line == "":
            if buffer:
                events.append((name or "message", buffer.removesuffix("\n")))
            buffer, name = "", ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if field == "event":
                name = value
            elif field == "data":
                buffer += value + "\n"
    return events


def by_openai(data: bytes) -> list[Any]:
    return list(SSEDecoder().iter_bytes(iter([data])))


@pytest.mark.parametrize(("message", "where", "end", "expected"), CASES)
def test_an_event_has_these_bytes(message: Message, where: Where, end: End, expected: bytes) -> None:
    assert encode(message, where, end) == expected


@pytest.mark.parametrize(("message", "_where", "_end", "data"), CASES)
def test_these_bytes_are_the_event(message: Message, _where: Where, _end: End, data: bytes) -> None:
    assert read(data) == [message]


@pytest.mark.parametrize(("_", "data", "expected"), READINGS, ids=[name for name, _, _ in READINGS])
def test_reads_what_a_browser_reads(_: str, data: bytes, expected: list[Message]) -> None:
    assert seen([data])[0] == expected


def test_nobody_waits_for_a_number_that_no_clock_holds() -> None:
    [first, second], _, _ = seen([b"retry: " + b"9" * 6000 + b"\ndata: x\n\nretry: 05\ndata: x\n\n"])
    assert (first.retry, second.retry) == (None, 5)


@pytest.mark.parametrize(("_", "data", "expected"), PROBLEMS, ids=[name for name, _, _ in PROBLEMS])
def test_says_what_other_readers_choke_on(_: str, data: bytes, expected: list[str]) -> None:
    found, problems, failure = seen([data])
    assert problems == expected
    assert failure is None
    assert len(found) == 1


@untimed
@given(streams)
@example(b"\xef\xbb\xbfdata: a\r\n\r\n")
@example(b"data\n\n")
def test_any_stream_reads_as_in_a_browser(data: bytes) -> None:
    assert [(message.event or "message", message.data) for message in seen([data])[0]] == as_a_browser(data)


@untimed
@given(st.lists(messages, max_size=4), st.sampled_from(ENDS), st.data())
def test_any_cut_gives_the_same_messages(sent: list[Message], end: End, data: st.DataObject) -> None:
    stream = b"".join(encode(message, end=end) for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found, _, failure = seen(pieces)
    assert failure is None
    assert [(m.data, m.event, m.id, m.retry) for m in found] == [
        (m.data, m.event, m.id, m.retry) for m in sent
    ]


@untimed
@given(streams)
@example(b"\xef\xbb\xbfdata: a\r\n\r\nevent: \xff\r\r\ndata")
def test_byte_by_byte_tells_the_same_as_at_once(data: bytes) -> None:
    assert seen([data[i : i + 1] for i in range(len(data))]) == seen([data])


@pytest.mark.parametrize("end", ENDS)
def test_an_event_comes_with_the_last_byte_of_its_blank_line(end: End) -> None:
    stream = encode(Message("a"), end=end)
    # CR ends a line at once; a browser does not wait to see whether LF follows.
    whole = len(stream) - 1 if end == "\r\n" else len(stream)
    decoder = Decoder()
    assert decoder.feed(stream[: whole - 1]) == []
    assert decoder.feed(stream[whole - 1 : whole]) == [Message("a", fields=("data",))]


@untimed
@given(messages, st.sampled_from(["before", "after", "none"]), st.sampled_from(ENDS))
def test_openai_reads_what_we_write(message: Message, where: Where, end: End) -> None:
    [event] = by_openai(comment("keep-alive") + encode(message, where, end))
    assert event.data == message.data
    # openai does not tell an empty name from none.
    assert event.event == (None if where == "none" else message.event or None)
    assert event.id == message.id
    assert event.retry == message.retry


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"data: a\n\nevent: e\ndata: last\n", "'last'"),
        (b"data: a\n\nevent: e\ndata: la", "'la'"),
        (b"data: a\n\n\ndata: \xe2\x82", "'\ufffd'"),
        (b"data: a\n\n\ndata: " + b"x" * 90, repr("x" * 80) + "..."),
    ],
)
def test_an_event_that_is_cut_off_is_an_error(data: bytes, got: str) -> None:
    decoder = Decoder()
    assert decoder.feed(data) == [Message("a", fields=("data",))]
    with pytest.raises(FramingError) as caught:
        decoder.close()
    assert str(caught.value) == (
        "line 4: expected a blank line to close the event, "
        f"got the end of the stream: every reader loses data {got}"
    )
    assert [event.data for event in by_openai(data.replace(b"\xe2\x82", b"?"))] == ["a"]


def test_problems_do_not_call_a_cut_character_bad_utf8() -> None:
    assert seen([b"data: \xe2\x82"])[1] == [
        "line 1: expected a blank line to close the event, got the end of the stream after data"
    ]


def test_a_comment_is_a_block_that_readers_skip() -> None:
    assert comment("OPENROUTER PROCESSING") == b": OPENROUTER PROCESSING\n\n"
    assert seen([comment("a: b")]) == ([], [], None)


def test_a_long_line_costs_no_more_in_pieces() -> None:
    decoder = Decoder()
    for _ in range(20_000):
        assert decoder.feed(b"data: 0123456789") == []
    [message] = decoder.feed(b"\n\n")
    assert len(message.data) == 20_000 * 16 - len("data: ")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message("a\rb"), "data: expected no CR, which a reader takes for a line end, got 'a\\rb'"),
        (Message("a", event="b\nc"), "event: expected one line, got 'b\\nc'"),
        (Message("a", id="b\rc"), "id: expected one line, got 'b\\rc'"),
        (Message("a", id="b\0"), "id: expected no NUL, for which readers drop it, got 'b\\x00'"),
        (Message("a", retry=-1), "retry: expected 0 or more milliseconds, got -1"),
    ],
)
def test_what_an_event_cannot_carry_is_refused(message: Message, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        encode(message)
    assert str(caught.value) == expected


def test_a_comment_of_two_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="comment: expected one line"):
        comment("a\ndata: b")
