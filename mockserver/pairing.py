"""Calls of tools and their results: which of them have no counterpart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.values import Message, ToolCall, ToolResult

__all__ = ["Unpaired", "alone", "unpaired"]


@dataclass(frozen=True, slots=True)
class Unpaired:
    """A result of a call that there is not, or calls (`ids`) without a result; `index` is that of the message."""

    condition: str
    """`orphan-tool-result` or `unanswered-tool-call`."""
    index: int
    ids: tuple[str, ...]


def unpaired(messages: Sequence[Message], *, at_once: bool) -> Unpaired | None:
    """The first of them; with `at_once` results follow the message that has the calls, and nothing comes between.

    A function that was called without an id is answered by its name, and such a call need not be answered.
    """
    open_calls: dict[str, int] = {}
    known: set[str] = set()
    for index, message in enumerate(messages):
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if at_once and open_calls and not results:
            return Unpaired("unanswered-tool-call", min(open_calls.values()), tuple(open_calls))
        for result in results:
            if result.id not in known:
                return Unpaired("orphan-tool-result", index, (result.id,))
            open_calls.pop(result.id, None)
        for call in message.parts:
            if isinstance(call, ToolCall):
                known.add(call.id or call.name)
                if call.id:
                    open_calls[call.id] = index
        if at_once and message.role not in ("assistant", "tool"):
            known.clear()
    if open_calls:
        return Unpaired("unanswered-tool-call", min(open_calls.values()), tuple(open_calls))
    return None


def alone(items: Sequence[Any]) -> str | None:
    """The id of the first trace among input items which lacks what it was thought for: a call, or a message with an id.

    A trace that has no id itself stands for itself.
    """
    waiting: str | None = None
    for item in (each for each in items if isinstance(each, Mapping)):
        kind, named = item.get("type", "message"), item.get("id")
        if kind == "reasoning":
            waiting = waiting or named
        elif waiting is not None and kind == "message" and (item.get("role") != "assistant" or not named):
            return waiting
        else:
            waiting = None
    return waiting
