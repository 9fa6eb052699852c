"""The AWS event stream: binary messages with typed headers and two checksums.

    message   | total length u32 | headers length u32 | CRC-32 of these 8 bytes u32 |   prelude
              | header ... header                                                   |
              | payload                                                             |
              | CRC-32 of everything before it u32                                  |

    header    | name length u8 | name | type u8 | value |

    type      0 true, 1 false     no value
              2, 3, 4, 5          signed integer of 1, 2, 4, 8 bytes
              6 bytes, 7 string   length u16, then the bytes (a string's are UTF-8)
              8 timestamp         milliseconds since 1970 UTC, signed, 8 bytes
              9 uuid              16 bytes

All numbers are big endian, the checksums those of zlib; total length = 16 + headers +
payload. Source of the format and its limits: botocore 1.44.5 `eventstream.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from struct import error as StructError
from typing import Literal
from uuid import UUID
from zlib import crc32

from conformance.wire import FramingError

__all__ = ["Decoder", "HeaderValue", "Int", "Message", "encode"]

_PRELUDE = Struct(">III")
_LENGTHS = Struct(">II")
_U32 = Struct(">I")
_OVERHEAD = _PRELUDE.size + _U32.size
_MAX_HEADERS = 128 * 1024
_MAX_PAYLOAD = 24 * 1024 * 1024
_MAX_NAME = 0xFF
_MAX_VALUE = 0xFFFF
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Bits = Literal[8, 16, 32, 64]
_INTEGERS: Mapping[Bits, tuple[int, Struct]] = {
    8: (2, Struct(">b")),
    16: (3, Struct(">h")),
    32: (4, Struct(">i")),
    64: (5, Struct(">q")),
}
_WIDTHS: Mapping[int, Bits] = {code: bits for bits, (code, _) in _INTEGERS.items()}
_INT64 = _INTEGERS[64][1]


@dataclass(frozen=True, slots=True)
class Int:
    """A signed integer of `bits` bits: the wire tells `Int(8, 1)` from `Int(32, 1)`."""

    bits: Bits
    value: int


HeaderValue = bool | Int | bytes | str | datetime | UUID


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `headers` keep the order of the wire, though `==` does not look at it."""

    headers: Mapping[str, HeaderValue]
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """The message's bytes. Timestamps are cut to whole milliseconds.

    Raises ValueError for what the format cannot hold: a name, value, header block or
    payload that is too long, an integer that is too large, a datetime without time zone;
    TypeError for a value of another type.
    """
    headers, payload = message.headers, message.payload
    head, check = _head(len(payload), tuple(headers), *headers.values())
    return head + payload + _U32.pack(crc32(payload, check))


# A stream repeats a few headers and lengths thousands of times: this halves the cost of a frame.
# The types belong to the key, because 1 == True; `typed` does not look into a tuple, so the
# values stand alone.
@lru_cache(maxsize=512, typed=True)
def _head(payload: int, names: tuple[str, ...], *values: HeaderValue) -> tuple[bytes, int]:
    """Prelude and headers before a payload of so many bytes, and the CRC-32 up to there."""
    block = b"".join(map(_encode_header, names, values))
    if len(block) > _MAX_HEADERS:
        raise ValueError(f"headers: expected at most {_MAX_HEADERS} bytes, got {len(block)}")
    if payload > _MAX_PAYLOAD:
        raise ValueError(f"payload: expected at most {_MAX_PAYLOAD} bytes, got {payload}")
    lengths = _LENGTHS.pack(_OVERHEAD + len(block) + payload, len(block))
    head = lengths + _U32.pack(crc32(lengths)) + block
    return head, crc32(head)


def _encode_header(name: str, value: HeaderValue) -> bytes:
    raw = name.encode()
    if len(raw) > _MAX_NAME:
        raise ValueError(f"header name {name!r}: expected at most {_MAX_NAME} bytes, got {len(raw)}")
    try:
        return bytes((len(raw),)) + raw + _encode_value(value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"header {name!r}: {error}") from None


def _encode_value(value: HeaderValue) -> bytes:
    match value:
        case bool():
            return b"\x00" if value else b"\x01"
        case Int():
            code, form = _INTEGERS[value.bits]
            try:
                return bytes((code,)) + form.pack(value.value)
            except StructError:
                raise ValueError(f"expected {value.bits} signed bits, got {value.value}") from None
        case bytes():
            return b"\x06" + _sized(value)
        case str():
            return b"\x07" + _sized(value.encode())
        case datetime():
            if value.tzinfo is None:
                raise ValueError(f"expected a datetime with a time zone, got {value!r}")
            return b"\x08" + _INT64.pack((value - _EPOCH) // _MILLISECOND)
        case UUID():
            return b"\x09" + value.bytes
        case _:
            raise TypeError(f"expected bool, Int, bytes, str, datetime or UUID, got {value!r}")


def _sized(value: bytes) -> bytes:
    if len(value) > _MAX_VALUE:
        raise ValueError(f"expected at most {_MAX_VALUE} bytes, got {len(value)}")
    return len(value).to_bytes(2) + value


class Decoder:
    """Turns bytes, in whatever pieces they come, into messages.

    Positions in its errors count from the first byte ever fed. A length that is not
    possible is refused when its prelude is whole, not after its bytes have come.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0
        self._total = 0
        self._headers = 0
        self._failure: tuple[str, str, str] | None = None

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes.

        Raises FramingError for a checksum that does not fit, a length out of range, a header
        that overruns the block, comes twice or has an unknown type, and text that is no UTF-8.
        """
        if self._failure:
            raise FramingError(*self._failure)
        self._buffer += data
        messages: list[Message] = []
        try:
            while self._is_whole():
                messages.append(self._take())
        except FramingError as error:
            error.before = messages
            self._failure = (error.where, error.expected, error.got)
            self._buffer.clear()
            raise
        return messages

    def close(self) -> list[Message]:
        """Nothing more: always empty. Raises FramingError if a message was cut off."""
        if self._failure:
            raise FramingError(*self._failure)
        if self._buffer:
            needed = f"the {self._total} bytes" if self._total else f"the prelude's {_PRELUDE.size} bytes"
            raise FramingError(
                f"end of stream at byte {self._start + len(self._buffer)}",
                f"{needed} of the message that starts at byte {self._start}",
                f"only {len(self._buffer)}",
            )
        return []

    def _is_whole(self) -> bool:
        if not self._total:
            if len(self._buffer) < _PRELUDE.size:
                return False
            self._total, self._headers = _read_prelude(bytes(self._buffer[: _PRELUDE.size]), self._start)
        return len(self._buffer) >= self._total

    def _take(self) -> Message:
        frame = bytes(self._buffer[: self._total])
        body = frame[: -_U32.size]
        _compare_checksum("message checksum", self._start + len(body), crc32(body), frame[len(body) :])
        block = body[_PRELUDE.size : _PRELUDE.size + self._headers]
        headers = _read_headers(block, self._start + _PRELUDE.size)
        del self._buffer[: self._total]
        self._start += self._total
        self._total = 0
        return Message(headers, body[_PRELUDE.size + self._headers :])


def _read_prelude(prelude: bytes, start: int) -> tuple[int, int]:
    total, headers, _ = _PRELUDE.unpack(prelude)
    lengths = prelude[: _LENGTHS.size]
    _compare_checksum("prelude checksum", start + len(lengths), crc32(lengths), prelude[len(lengths) :])
    if total < _OVERHEAD:
        raise FramingError(f"total length at byte {start}", f"at least {_OVERHEAD}", str(total))
    room = min(_MAX_HEADERS, total - _OVERHEAD)
    if headers > room:
        raise FramingError(f"headers length at byte {start + 4}", f"at most {room}", str(headers))
    most = _OVERHEAD + headers + _MAX_PAYLOAD
    if total > most:
        raise FramingError(f"total length at byte {start}", f"at most {most}", str(total))
    return total, headers


def _compare_checksum(name: str, position: int, computed: int, stated: bytes) -> None:
    got = int.from_bytes(stated)
    if got != computed:
        raise FramingError(f"{name} at byte {position}", f"0x{computed:08x}", f"0x{got:08x}")


def _read_headers(block: bytes, start: int) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0

    def take(size: int) -> bytes:
        nonlocal at
        if at + size > len(block):
            left = f"{len(block) - at} to the headers' end"
            raise FramingError(f"header at byte {start + at}", f"{size} more bytes", left)
        at += size
        return block[at - size : at]

    while at < len(block):
        began = start + at
        name = _text(take(take(1)[0]), began + 1)
        if name in headers:
            raise FramingError(f"header at byte {began}", "each name once", f"{name!r} again")
        headers[name] = _read_value(take, start + at)
    return headers


def _read_value(take: Callable[[int], bytes], position: int) -> HeaderValue:
    code = take(1)[0]
    match code:
        case 0 | 1:
            return code == 0
        case 2 | 3 | 4 | 5:
            bits = _WIDTHS[code]
            return Int(bits, int.from_bytes(take(bits // 8), signed=True))
        case 6:
            return take(int.from_bytes(take(2)))
        case 7:
            return _text(take(int.from_bytes(take(2))), position + 3)
        case 8:
            milliseconds = int.from_bytes(take(8), signed=True)
            try:
                return _EPOCH + timedelta(milliseconds=milliseconds)
            except OverflowError:
                where = f"timestamp at byte {position + 1}"
                raise FramingError(
                    where, "milliseconds within the years 1 to 9999", str(milliseconds)
                ) from None
        case 9:
            return UUID(bytes=take(16))
        case _:
            raise FramingError(f"header type at byte {position}", "0 to 9", str(code))


def _text(raw: bytes, position: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise FramingError(f"header text at byte {position + error.start}", "UTF-8", repr(raw)) from None
