"""A prompt that is too long, without its beginning."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from conformance.values import Turn

from . import tokens

__all__ = ["shortened"]


def shortened(turn: Turn, room: int) -> Turn | None:
    """The turn without the oldest of its messages, so that it is `room` tokens at most; None if the last is more.

    What the system says stays, and no result of a tool is left without its call.
    """
    said = [message for message in turn.messages if message.role == "system"]
    rest = [message for message in turn.messages if message.role != "system"]

    def without(dropped: int) -> Turn:
        while dropped < len(rest) and rest[dropped].role == "tool":
            dropped += 1
        return replace(turn, messages=(*said, *rest[dropped:]))

    dropped = bisect_left(range(len(rest)), True, key=lambda each: tokens.count(without(each)) <= room)
    found = without(dropped)
    return found if len(found.messages) > len(said) else None
