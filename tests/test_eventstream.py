"""The codec of AWS event streams, held against botocore's parser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zlib import crc32

import pytest
from botocore.eventstream import EventStream, EventStreamBuffer
from botocore.exceptions import EventStreamError
from botocore.parsers import EventStreamJSONParser
from botocore.session import Session
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.wire import FramingError
from conformance.wire.eventstream import Decoder, HeaderValue, Int, Message, encode

untimed = settings(deadline=None)


def event(name: str, payload: bytes) -> Message:
    return Message(
        {":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload
    )


MESSAGE_START = event("messageStart", b'{"p":"abcdef","role":"assistant"}')
THROTTLED = Message(
    {
        ":exception-type": "throttlingException",
        ":content-type": "application/json",
        ":message-type": "exception",
    },
    b'{"message":"Too many requests"}',
)
EVERY_TYPE = Message(
    {
        "t": True,
        "f": False,
        "i8": Int(8, -1),
        "i16": Int(16, 258),
        "i32": Int(32, -2),
        "i64": Int(64, 2**40),
        "b": b"\x00\xff",
        "s": "é",
        "when": datetime(1970, 1, 1, 0, 0, 1, 5000, tzinfo=UTC),
        "id": UUID("00112233-4455-6677-8899-aabbccddeeff"),
    },
    b"\x00",
)

# The checksums of these frames were computed by another encoder and read back by botocore 1.44.5;
# messageStart is byte-equal to a frame captured from the service.
CASES: list[tuple[str, Message, str]] = [
    ("empty", Message({}), "000000100000000005c248eb7d98c8ff"),
    (
        "messageStart",
        MESSAGE_START,
        "0000008300000052160125f3"
        "0b3a6576656e742d7479706507000c6d6573736167655374617274"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d747970650700056576656e74"
        "7b2270223a22616263646566222c22726f6c65223a22617373697374616e74227d0cd629ac",
    ),
    (
        "contentBlockDelta",
        event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"abc"}'),
        "0000009e00000057fe1b824f"
        "0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c7461"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d747970650700056576656e74"
        "7b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869227d2c"
        "2270223a22616263227d9343f010",
    ),
    (
        "contentBlockStop",
        event("contentBlockStop", b'{"contentBlockIndex":0,"p":"ab"}'),
        "0000008600000056d98c6e9a"
        "0b3a6576656e742d74797065070010636f6e74656e74426c6f636b53746f70"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d747970650700056576656e74"
        "7b22636f6e74656e74426c6f636b496e646578223a302c2270223a226162227df3388a20",
    ),
    (
        "messageStop",
        event("messageStop", b'{"p":"abcd","stopReason":"end_turn"}'),
        "0000008500000051004881e9"
        "0b3a6576656e742d7479706507000b6d65737361676553746f70"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d747970650700056576656e74"
        "7b2270223a2261626364222c2273746f70526561736f6e223a22656e645f7475726e227d1cfadd05",
    ),
    (
        "metadata",
        event(
            "metadata",
            b'{"metrics":{"latencyMs":12},"p":"abcde","usage":'
            b'{"inputTokens":5,"outputTokens":2,"serverToolUsage":{},"totalTokens":7}}',
        ),
        "000000d60000004ef2f33907"
        "0b3a6576656e742d747970650700086d65746164617461"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d747970650700056576656e74"
        "7b226d657472696373223a7b226c6174656e63794d73223a31327d2c2270223a226162636465222c"
        "227573616765223a7b22696e707574546f6b656e73223a352c226f7574707574546f6b656e73223a322c"
        "22736572766572546f6f6c5573616765223a7b7d2c22746f74616c546f6b656e73223a377d7d74e277c8",
    ),
    (
        "chunk",
        event("chunk", b'{"bytes":"eyJhIjoxfQ==","p":"abc"}'),
        "0000007d0000004b856e630f"
        "0b3a6576656e742d747970650700056368756e6b"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d747970650700056576656e74"
        "7b226279746573223a2265794a68496a6f7866513d3d222c2270223a22616263227d31a0e6b7",
    ),
    (
        "throttlingException",
        THROTTLED,
        "00000090000000618e91a9b7"
        "0f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074696f6e"
        "0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
        "0d3a6d6573736167652d74797065070009657863657074696f6e"
        "7b226d657373616765223a22546f6f206d616e79207265717565737473227de67f8005",
    ),
    (
        "every header type",
        EVERY_TYPE,
        "000000690000005894b01393"
        "017400"
        "016601"
        "02693802ff"
        "03693136030102"
        "0369333204fffffffe"
        "03693634050000010000000000"
        "016206000200ff"
        "0173070002c3a9"
        "047768656e0800000000000003ed"
        "0269640900112233445566778899aabbccddeeff"
        "00f2c19486",
    ),
]

ids = [name for name, _, _ in CASES]

aware = st.datetimes(
    min_value=datetime(1, 1, 2),
    max_value=datetime(9999, 12, 30),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]),
).map(lambda when: when.replace(microsecond=when.microsecond // 1000 * 1000))
values: st.SearchStrategy[HeaderValue] = st.one_of(
    st.booleans(),
    st.integers(-(2**7), 2**7 - 1).map(lambda n: Int(8, n)),
    st.integers(-(2**15), 2**15 - 1).map(lambda n: Int(16, n)),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: Int(32, n)),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: Int(64, n)),
    st.binary(max_size=20),
    st.text(max_size=20),
    aware,
    st.uuids(),
)
messages = st.builds(
    Message, st.dictionaries(st.text(max_size=12), values, max_size=5), st.binary(max_size=60)
)


def decode(data: bytes) -> list[Message]:
    decoder = Decoder()
    return decoder.feed(data) + decoder.close()


def failure(data: bytes) -> FramingError:
    with pytest.raises(FramingError) as caught:
        decode(data)
    return caught.value


def frame(headers: bytes, payload: bytes = b"", total: int | None = None, length: int | None = None) -> bytes:
    """A frame with right checksums around whatever stands in it, the lengths too if given."""
    size = 16 + len(headers) + len(payload) if total is None else total
    head = size.to_bytes(4) + (len(headers) if length is None else length).to_bytes(4)
    body = head + crc32(head).to_bytes(4) + headers + payload
    return body + crc32(body).to_bytes(4)


def as_botocore_says(value: HeaderValue) -> Any:
    match value:
        case Int():
            return value.value
        case datetime():
            return round((value - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
        case UUID():
            return value.bytes
        case _:
            return value


@pytest.mark.parametrize(("_", "message", "expected"), CASES, ids=ids)
def test_a_message_has_these_bytes(_: str, message: Message, expected: str) -> None:
    assert encode(message).hex() == expected


@pytest.mark.parametrize(("_", "message", "data"), CASES, ids=ids)
def test_these_bytes_are_the_message(_: str, message: Message, data: str) -> None:
    [read] = decode(bytes.fromhex(data))
    assert read == message
    assert list(read.headers) == list(message.headers)


@untimed
@given(st.lists(messages, max_size=4), st.data())
def test_any_cut_gives_the_same_messages(sent: list[Message], data: st.DataObject) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()
    read: list[Message] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += decoder.feed(stream[start:end])
    assert [*read, *decoder.close()] == sent
    assert [list(message.headers) for message in read] == [list(message.headers) for message in sent]


@untimed
@given(messages)
def test_botocore_reads_what_we_write(message: Message) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(encode(message))
    read: Any = next(buffer)
    assert list(read.headers.items()) == [(k, as_botocore_says(v)) for k, v in message.headers.items()]
    assert read.payload == message.payload


class Body:
    """What botocore expects of a response body."""

    def __init__(self, *messages: Message) -> None:
        self.data = b"".join(map(encode, messages))

    def stream(self) -> Iterator[bytes]:
        yield self.data


def converse_stream(*sent: Message) -> Iterator[Any]:
    operation = Session().get_service_model("bedrock-runtime").operation_model("ConverseStream")
    shape: Any = operation.get_event_stream_output()
    return iter(EventStream(Body(*sent), shape, EventStreamJSONParser(), operation.name))


def test_botocore_gives_the_event_and_raises_the_exception() -> None:
    events = converse_stream(MESSAGE_START, THROTTLED)
    assert next(events) == {"messageStart": {"role": "assistant"}}
    with pytest.raises(EventStreamError) as caught:
        next(events)
    assert caught.value.response["Error"] == {"Code": "throttlingException", "Message": "Too many requests"}


def test_botocore_raises_the_error_of_an_error_frame() -> None:
    headers: dict[str, HeaderValue] = {
        ":message-type": "error",
        ":error-code": "InternalError",
        ":error-message": "An unknown error",
    }
    with pytest.raises(EventStreamError) as caught:
        next(converse_stream(Message(headers)))
    assert caught.value.response["Error"] == {"Code": "InternalError", "Message": "An unknown error"}


@untimed
@given(messages, st.data(), st.integers(1, 255))
def test_every_flipped_byte_is_found(message: Message, data: st.DataObject, flip: int) -> None:
    stream = bytearray(encode(message))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= flip
    failure(bytes(stream))


@untimed
@given(messages, st.data())
def test_every_cut_message_is_found(message: Message, data: st.DataObject) -> None:
    stream = encode(message)
    error = failure(stream[: data.draw(st.integers(1, len(stream) - 1))])
    assert error.where.startswith("end of stream at byte ")


def test_a_checksum_error_says_where_expected_and_got() -> None:
    first = encode(Message({}))
    broken = first[:-4] + b"\0\0\0\0"
    assert str(failure(broken)) == "message checksum at byte 12: expected 0x7d98c8ff, got 0x00000000"
    broken = first + first[:8] + b"\0\0\0\0" + first[12:]
    assert str(failure(broken)) == "prelude checksum at byte 24: expected 0x05c248eb, got 0x00000000"


def test_a_cut_says_what_is_missing() -> None:
    first, second = encode(Message({})), encode(MESSAGE_START)
    assert str(failure(first + second[:20])) == (
        "end of stream at byte 36: expected the 131 bytes of the message that starts at byte 16, got only 20"
    )
    assert str(failure(first[:5])) == (
        "end of stream at byte 5: "
        "expected the prelude's 12 bytes of the message that starts at byte 0, got only 5"
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (b"\x01a\x00\x01a\x01", "header at byte 15: expected each name once, got 'a' again"),
        (b"\x05ab", "header at byte 13: expected 5 more bytes, got 2 to the headers' end"),
        (b"\x01a", "header at byte 14: expected 1 more bytes, got 0 to the headers' end"),
        (b"\x01a\x07\x00\x04xy", "header at byte 17: expected 4 more bytes, got 2 to the headers' end"),
        (b"\x01a\x04\x00\x00", "header at byte 15: expected 4 more bytes, got 2 to the headers' end"),
        (b"\x01a\x0a", "header type at byte 14: expected 0 to 9, got 10"),
        (b"\x02a\xff\x00", "header text at byte 14: expected UTF-8, got b'a\\xff'"),
        (b"\x01a\x07\x00\x02b\xff", "header text at byte 18: expected UTF-8, got b'b\\xff'"),
        (
            b"\x01a\x08\x7f" + b"\xff" * 7,
            "timestamp at byte 15: expected milliseconds within the years 1 to 9999, got 9223372036854775807",
        ),
    ],
)
def test_a_bad_header_is_refused_at_its_byte(headers: bytes, expected: str) -> None:
    # A payload follows: a header that overruns the block must not read on into it.
    assert str(failure(frame(headers, b"payload that is no header"))) == expected


@pytest.mark.parametrize(
    ("total", "length", "expected"),
    [
        (0, 0, "total length at byte 0: expected at least 16, got 0"),
        (15, 0, "total length at byte 0: expected at least 16, got 15"),
        (20, 5, "headers length at byte 4: expected at most 4, got 5"),
        (2**32 - 1, 131073, "headers length at byte 4: expected at most 131072, got 131073"),
        (2**32 - 1, 0, "total length at byte 0: expected at most 25165840, got 4294967295"),
        (25165841, 0, "total length at byte 0: expected at most 25165840, got 25165841"),
    ],
)
def test_an_impossible_length_is_refused_with_the_prelude(total: int, length: int, expected: str) -> None:
    prelude = frame(b"", total=total, length=length)[:12]
    with pytest.raises(FramingError) as caught:
        Decoder().feed(prelude)
    assert str(caught.value) == expected


def test_the_largest_message_is_read_and_written() -> None:
    largest = Message({"b": bytes(65535), "c": bytes(65527)}, bytes(24 * 1024 * 1024))
    assert len(encode(largest)) == 16 + 128 * 1024 + 24 * 1024 * 1024
    assert decode(encode(largest)) == [largest]


def test_messages_before_the_error_are_kept() -> None:
    decoder = Decoder()
    good = encode(MESSAGE_START)
    with pytest.raises(FramingError) as caught:
        decoder.feed(good + good + bytes(12))
    assert caught.value.before == [MESSAGE_START, MESSAGE_START]
    with pytest.raises(FramingError) as fed:
        decoder.feed(good)
    with pytest.raises(FramingError) as closed:
        decoder.close()
    assert str(fed.value) == str(closed.value) == str(caught.value)
    assert fed.value.before == closed.value.before == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message({"a": Int(8, 128)}), "header 'a': expected 8 signed bits, got 128"),
        (Message({"a": "x" * 65536}), "header 'a': expected at most 65535 bytes, got 65536"),
        (Message({"n" * 256: True}), "expected at most 255 bytes, got 256"),
        (Message({str(n): bytes(65535) for n in range(3)}), "headers: expected at most 131072 bytes"),
        (Message({"a": datetime(2026, 1, 1)}), "header 'a': expected a datetime with a time zone"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(message: Message, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        encode(message)
    assert expected in str(caught.value)


def test_a_payload_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="payload: expected at most 25165824 bytes, got 25165825"):
        encode(Message({}, bytes(24 * 1024 * 1024 + 1)))


def test_a_plain_number_is_refused_even_after_the_bool_that_equals_it() -> None:
    assert encode(Message({"a": True}))
    number: Any = 1
    with pytest.raises(TypeError, match=r"header 'a': expected bool, Int, .* or UUID, got 1"):
        encode(Message({"a": number}))
