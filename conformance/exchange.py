"""What happened on the wire: a request, the response to it, and what of it is true.

Values only. `ask` makes exchanges by asking a provider, the mock sees them from the
other side, a recording is read into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Headers = tuple[tuple[str, str], ...]
Ending = Literal["complete", "error", "cut"]

CLIENT_ERROR, TOO_MANY_REQUESTS, SERVER_ERROR = 400, 429, 500
"""HTTP's own statuses (RFC 9110, RFC 6585): the first of the refusals, that of a rate limit, the first of a server's own failures."""
NOTHING_THERE = (404, 405)
"""By these HTTP says that there is no such resource, or that it has no such method (RFC 9110)."""


def header(headers: Headers, name: str) -> str | None:
    """The first value of `name`, in any casing; None if it is not there."""
    wanted = name.lower()
    for key, value in headers:
        if key.lower() == wanted:
            return value
    return None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it stands on the wire.

    `target` is the raw path and query as sent (`%2F` stays `%2F`); `headers` keep order
    and casing; `body` is the bytes after transfer decoding.
    """

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of header `name`, in any casing."""
        return header(self.headers, name)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    `name` is what the contract's `event_name` finds (None where events have no name);
    `data` is the parsed JSON, or the text itself where it is not JSON (`[DONE]`).
    `at` is seconds since the request was sent, None if the recorder did not keep it.
    """

    name: str | None
    data: Any
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a body as they arrived, and when (seconds since the request was sent)."""

    data: bytes
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A response: head, raw chunks, and the parsed form.

    `body` is the parsed JSON of a plain answer, `events` the events of a stream; the other
    is None. `problem` says what was wrong with the framing or the JSON, None if nothing.
    """

    status: int
    headers: Headers
    chunks: tuple[Chunk, ...]
    body: Any = None
    events: tuple[Event, ...] | None = None
    problem: str | None = None
    ending: Ending = "complete"
    unended: bool = False
    """True where `problem` is no more than that the framing's last message did not come."""

    def header(self, name: str) -> str | None:
        """The first value of header `name`, in any casing."""
        return header(self.headers, name)

    @property
    def raw(self) -> bytes:
        """The body's bytes, all chunks joined."""
        return b"".join(chunk.data for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Truth:
    """Which properties of a recorded exchange can be believed."""

    body_bytes: bool = True
    headers: bool = True
    timing: bool = True
    request: bool = True


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response; `response` is None when none came (`failure` says why)."""

    request: Request
    response: Response | None
    failure: str | None = None
    truth: Truth = field(default_factory=Truth)
