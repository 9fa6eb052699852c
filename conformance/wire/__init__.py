"""Codecs: messages to bytes and back, without sockets, clocks or `async`.

`sse`, `eventstream` and `ndjson` have the same two faces: `encode(...) -> bytes`, and a
`Decoder` whose `feed(data)` and `close()` return the list of messages that became whole.
"""

from __future__ import annotations

from typing import Any

__all__ = ["FramingError"]


class FramingError(ValueError):
    """Bytes that break their framing: where, what was expected, what came instead.

    `before` holds the messages that the same call had decoded up to there. The decoder is
    done after it: `feed` and `close` raise the error again, with nothing `before` it.
    """

    def __init__(self, where: str, expected: str, got: str) -> None:
        super().__init__(where, expected, got)
        self.where = where
        self.expected = expected
        self.got = got
        self.before: list[Any] = []

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}"
