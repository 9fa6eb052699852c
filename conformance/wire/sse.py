r"""Server-sent events: lines of text, an event ends at a blank line.

    event: response.created\n        field, colon, one space that does not count, value
    data: {"type": "response.created"}\n
    \n
    : still working\n                a comment
    \n
    data: [DONE]\n
    \n

Several `data` lines of one event are joined with LF. A field without colon has an empty
value. Lines end in LF, CRLF or CR. An event without a `data` line is never dispatched, nor
is one that the end of the stream cuts off. Source: WHATWG HTML, Server-sent events.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from conformance.wire import FramingError

__all__ = ["Decoder", "Message", "comment", "encode"]

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BREAKS_A_LINE = re.compile(r"[\r\n]")
_DIGITS = re.compile(r"0*[0-9]{1,15}")
"""Of what a reader waits; nobody waits for a number of more."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event. `event`, `id` and `retry` (milliseconds) are None where it has no such line.

    `id` is this event's own line, not the last one seen. `fields` has the names of the lines
    in the order they came, unknown ones too; `encode` does not look at it.
    """

    data: str
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    fields: tuple[str, ...] = ()


def encode(
    message: Message,
    event_line: Literal["before", "after", "none"] = "before",
    end: Literal["\n", "\r\n", "\r"] = "\n",
) -> bytes:
    """One event with the blank line that ends it: id, retry, then data.

    `event_line` says where the event's name stands, seen from the data; `none` leaves it out.
    Raises ValueError for what an event cannot carry: CR in `data` (it would come back as LF),
    a line break in `event`, a line break or NUL in `id`, a negative `retry`.
    """
    if "\r" in message.data:
        raise ValueError(f"data: expected no CR, which a reader takes for a line end, got {message.data!r}")
    lines = [f"data: {line}" for line in message.data.split("\n")]
    if message.event is not None and event_line != "none":
        _refuse_breaks("event", message.event)
        lines.insert(0 if event_line == "before" else len(lines), f"event: {message.event}")
    if message.retry is not None:
        if message.retry < 0:
            raise ValueError(f"retry: expected 0 or more milliseconds, got {message.retry}")
        lines.insert(0, f"retry: {message.retry}")
    if message.id is not None:
        _refuse_breaks("id", message.id)
        if "\0" in message.id:
            raise ValueError(f"id: expected no NUL, for which readers drop it, got {message.id!r}")
        lines.insert(0, f"id: {message.id}")
    return (end.join(lines) + end + end).encode()


def encode_line(
    data: bytes, event: str | None = None, event_line: Literal["before", "after", "none"] = "before"
) -> bytes:
    """As `encode` for data of one line, compact JSON for one, which has to have no CR and no LF.

    Raises ValueError for a line break in `event`.
    """
    if event is None or event_line == "none":
        return b"data: %b\n\n" % data
    _refuse_breaks("event", event)
    name = event.encode()
    if event_line == "before":
        return b"event: %b\ndata: %b\n\n" % (name, data)
    return b"data: %b\nevent: %b\n\n" % (data, name)


def comment(text: str) -> bytes:
    """A comment, which readers skip, with a blank line: some take blocks instead of lines."""
    _refuse_breaks("comment", text)
    return f": {text}\n\n".encode()


def _refuse_breaks(name: str, text: str) -> None:
    if _BREAKS_A_LINE.search(text):
        raise ValueError(f"{name}: expected one line, got {text!r}")


class Decoder:
    """Turns bytes, in whatever pieces they come, into events.

    Reads all that a browser reads. `problems` says, with the line, what other readers choke
    on: a byte order mark, CR or CRLF (the first only), an event without data, an event
    that no blank line closed, bytes that are no UTF-8 (they are replaced as a browser does).
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._line = 0
        self._pieces: list[bytes] = []
        self._ended_in_cr = False
        self._saw_cr = False
        self._forget()

    def _forget(self) -> None:
        self._data: list[str] = []
        self._event: str | None = None
        self._id: str | None = None
        self._retry: int | None = None
        self._fields: list[str] = []

    def feed(self, data: bytes) -> list[Message]:
        """The events that `data` completes. Raises nothing: see `problems`."""
        messages: list[Message] = []
        start = 0
        if self._ended_in_cr and data:
            # The CR has ended its line; an LF right after it belongs to it.
            start = int(data.startswith(b"\n"))
            self._ended_in_cr = False
        for end in _LINE_END.finditer(data, start):
            self._pieces.append(data[start : end.start()])
            start = end.end()
            line = self._take_line()
            if end[0] != b"\n":
                self._ended_in_cr = end[0] == b"\r" and start == len(data)
                self._note_cr()
            try:
                text = line.decode()
            except UnicodeDecodeError:
                self._note(f"expected UTF-8, got {_excerpt(line)}")
                text = line.decode(errors="replace")
            if text:
                self._read(text)
            else:
                messages += self._dispatch()
        if start < len(data):
            self._pieces.append(data[start:])
        return messages

    def close(self) -> list[Message]:
        """Nothing more: always empty. Raises FramingError if an event with data was cut off."""
        if self._pieces:
            # Not a reader's problem of its own when the cut went through a character.
            self._read(self._take_line().decode(errors="replace"))
        if self._fields:
            got = f"the end of the stream after {', '.join(self._fields)}"
            self._note(f"expected a blank line to close the event, got {got}")
            if self._data:
                raise FramingError(
                    f"line {self._line}",
                    "a blank line to close the event",
                    f"the end of the stream: every reader loses data {_excerpt(chr(10).join(self._data))}",
                )
        return []

    def _take_line(self) -> bytes:
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._line += 1
        if self._line == 1 and line.startswith(_BOM):
            self._note("expected no byte order mark, got one")
            line = line[len(_BOM) :]
        return line

    def _read(self, line: str) -> None:
        name, _, value = line.partition(":")
        if not name:
            return
        value = value.removeprefix(" ")
        self._fields.append(name)
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._event = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if _DIGITS.fullmatch(value):
                self._retry = int(value)

    def _dispatch(self) -> list[Message]:
        messages: list[Message] = []
        if self._data:
            data = "\n".join(self._data)
            messages = [Message(data, self._event, self._id, self._retry, tuple(self._fields))]
        elif self._fields:
            self._note(f"expected an event with data, got only {', '.join(self._fields)}")
        self._forget()
        return messages

    def _note_cr(self) -> None:
        # A CR at the end of a read may be half of a CRLF: the text must not depend on the cut.
        if not self._saw_cr:
            self._saw_cr = True
            self._note("expected LF to end the line, got CR or CRLF")

    def _note(self, problem: str) -> None:
        self.problems.append(f"line {self._line}: {problem}")


def _excerpt(text: str | bytes) -> str:
    return repr(text) if len(text) <= 80 else f"{text[:80]!r}..."
