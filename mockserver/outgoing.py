"""An answer on its way out: what holds for it over HTTP/1.1 and HTTP/2 alike."""

from __future__ import annotations

import re
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import cast

from conformance.exchange import Headers, header
from mockserver.effects import Conversation, Head, State

__all__ = ["LARGEST_BODY", "PREFACE", "ClientLeft", "Outgoing", "brief", "text"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client that speaks HTTP/2 says first."""
LARGEST_BODY = 256 << 20
"""Bytes of a request's body that are read at all; how many of them are too many, the contracts say."""
_NO_LINE = re.compile(r"[\r\n\0]")


def text(raw: bytes) -> str:
    """What a name or value off the wire is to everybody else."""
    return raw.decode("utf-8", "replace")


class ClientLeft(Exception):
    """Nobody reads what is written."""


class Outgoing(ABC):
    """One answer on its way out: what holds for it whichever protocol it is written in.

    `keeps` says whether the connection lives on (HTTP/1.1) or the answer came to its own end (HTTP/2).
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._pieces: list[bytes] = []
        self._bodiless, self._left = False, cast("int | None", None)
        self._began = False
        self.size = 0
        self.keeps = True
        self.waits = False
        """Whether the answer waits for its time, and not for its client to read."""
        self.readable: Headers = ()
        """What goes with an answer of our own, so that the page that asked can read it."""

    @property
    def deserted(self) -> bool:
        """Whether the client will say no more, so that nothing tells when it is gone."""
        return False

    def begin(self, head: Head) -> None:
        """The head, held back until the first bytes of the body go out or something waits."""
        if self._began:
            raise RuntimeError("an answer has one head, and here is another")
        self._began = True
        self._bodiless = self._method == "HEAD" or head.status in (204, 304)
        self._left = head.length
        headers = list(head.headers)
        for name, value in headers:
            if _NO_LINE.search(name) or _NO_LINE.search(value):
                raise ValueError(f"header {name!r}: expected one line, got {value!r}")
        if head.length is not None and head.status != 204 and header(head.headers, "content-length") is None:
            headers.append(("Content-Length", str(head.length)))
        self._open(head, headers)

    def add(self, data: bytes) -> None:
        """Bytes of the body, joined with those that are not yet written."""
        if not self._began:
            raise RuntimeError("an answer begins with its head, and here is its body")
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise RuntimeError(f"the body is {-self._left} bytes longer than its head says")
        if data and not self._bodiless:
            self._pieces.append(data)
            self.size += len(data)

    async def finish(self) -> None:
        """The body is whole."""
        if not self._began:
            raise RuntimeError("the answer has no head")
        if self._left and not self._bodiless:
            raise RuntimeError(f"the body is {self._left} bytes shorter than its head says")
        await self._end()

    def _framed(self, piece: bytes) -> bytes:
        """One piece of the body as it is written."""
        return piece

    def _take(self) -> bytes:
        """The bytes that are not yet written; they count as written then."""
        body = b"".join(map(self._framed, self._pieces))
        self._pieces, self.size = [], 0
        return body

    @abstractmethod
    def _open(self, head: Head, headers: list[tuple[str, str]]) -> None:
        """Keeps the head until it is written; `headers` are all of them."""

    @abstractmethod
    async def flush(self) -> None:
        """Everything so far is handed to the system, or waits for a slow client to read."""

    @abstractmethod
    async def _end(self) -> None:
        """Everything is handed over, and the client is told that this is all."""

    @abstractmethod
    async def fail(self, error: Exception) -> None:
        """Tells the client of a fault of ours; what had begun is cut off."""

    async def converse(
        self, conversation: Conversation, state: State, pause: Callable[[], Awaitable[None]]
    ) -> None:
        """The connection becomes a websocket until one side, or `pause`, ends it."""
        raise RuntimeError("no request in this protocol asks for a websocket")


def brief(error: Exception) -> str:
    """What a client is told of a fault of ours."""
    said = traceback.format_exception_only(error)[-1].strip()
    return f"a fault of the mock, not of the request: {said}; its log holds the traceback"
