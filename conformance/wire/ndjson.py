r"""Newline-delimited JSON: one value a line, each line ended by LF.

    {"type":"text","text":"Hello"}\n
    {"type":"usage","usage":{"prompt_tokens":1}}\n

JSON escapes line breaks inside strings, so an LF always ends a value. Source: ndjson-spec 1.0.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from conformance.wire import FramingError

__all__ = ["Decoder", "encode"]

_BOM = b"\xef\xbb\xbf"


def encode(value: Any) -> bytes:
    """The value as one line of JSON with its LF. Raises TypeError for what JSON cannot say."""
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class Decoder:
    """Turns bytes, in whatever pieces they come, into parsed values; blank lines are skipped.

    `problems` says, with the line, what a reader that parses line by line may choke on: a
    byte order mark, CRLF (the first only), a blank line, a last line without LF, and JSON
    that strict parsers refuse (half a surrogate pair, a number too large for a double).
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._line = 0
        self._pieces: list[bytes] = []
        self._saw_crlf = False
        self._failure: tuple[str, str, str] | None = None

    def feed(self, data: bytes) -> list[Any]:
        """The values of the lines that `data` completes.

        Raises FramingError for a line that is no JSON.
        """
        if self._failure:
            raise FramingError(*self._failure)
        *ended, rest = data.split(b"\n")
        values: list[Any] = []
        try:
            for piece in ended:
                self._pieces.append(piece)
                values += self._values()
        except FramingError as error:
            error.before = values
            self._failure = (error.where, error.expected, error.got)
            raise
        if rest:
            self._pieces.append(rest)
        return values

    def close(self) -> list[Any]:
        """The value of a last line that has no LF, if there is one.

        Raises FramingError if it is no JSON, which is what a stream that was cut off looks like.
        """
        if self._failure:
            raise FramingError(*self._failure)
        if not self._pieces:
            return []
        values = self._values()
        self._note("expected LF to end the line, got the end of the stream")
        return values

    def _values(self) -> list[Any]:
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._line += 1
        if self._line == 1 and line.startswith(_BOM):
            self._note("expected no byte order mark, got one")
            line = line[len(_BOM) :]
        if line.endswith(b"\r") and not self._saw_crlf:
            self._saw_crlf = True
            self._note("expected LF to end the line, got CRLF")
        if not line.strip():
            self._note("expected a JSON value, got a blank line")
            return []
        try:
            return [orjson.loads(line)]
        except orjson.JSONDecodeError as error:
            return [self._parse_leniently(line, f"{error.msg} at column {error.colno}")]

    def _parse_leniently(self, line: bytes, complaint: str) -> Any:
        """The value of a line that orjson refuses and the grammar of JSON allows.

        Servers in JavaScript write such lines: JSON.stringify escapes half a surrogate pair
        when a delta splits an emoji.
        """
        try:
            value = json.loads(line.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            got = repr(line) if len(line) <= 80 else f"{line[:80]!r}..."
            raise FramingError(f"line {self._line}", "one JSON value", f"{got} ({complaint})") from None
        self._note(f"expected JSON that every parser takes, got {complaint}")
        return value

    def _note(self, problem: str) -> None:
        self.problems.append(f"line {self._line}: {problem}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
