"""Calls of tools and their results: which of them have no counterpart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.values import Message, ToolCall, ToolResult
from mockserver.simulation.programs import altered

__all__ = ["Unacknowledged", "Unpaired", "alone", "misprogrammed", "unacknowledged", "unpaired"]


@dataclass(frozen=True, slots=True)
class Unpaired:
    """A result of a call that there is not, or calls (`ids`) without a result; `index` is that of the message.

    `kind` is what is called: `function`, or the word for a tool that is none.
    """

    condition: str
    """`orphan-tool-result` or `unanswered-tool-call`."""
    index: int
    ids: tuple[str, ...]
    kind: str = "function"


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """Safety checks, in words, that the computer's call `id` waits for and its result leaves out."""

    id: str
    checks: tuple[str, ...]


def unpaired(messages: Sequence[Message], *, at_once: bool) -> Unpaired | None:
    """The first of them; with `at_once` results follow the message that has the calls, and nothing comes between.

    A function that was called without an id is answered by its name, and such a call need not be answered.
    """
    open_calls: dict[_Key, int] = {}
    known: set[_Key] = set()
    for index, message in enumerate(messages):
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if at_once and open_calls and not results:
            return _open(open_calls)
        for result in results:
            key = result.builtin, result.id
            if key not in known:
                return Unpaired("orphan-tool-result", index, (result.id,), _words(result.builtin))
            open_calls.pop(key, None)
        for call in message.parts:
            if isinstance(call, ToolCall):
                known.add((call.builtin, call.id or call.name))
                if call.id:
                    open_calls[call.builtin, call.id] = index
        if at_once and message.role not in ("assistant", "tool"):
            known.clear()
    return _open(open_calls) if open_calls else None


_Key = tuple[str | None, str]
"""What kind of call it is, and its id."""


def _open(calls: Mapping[_Key, int]) -> Unpaired:
    first = next(iter(calls))
    ids = tuple(name for _, name in calls)
    return Unpaired("unanswered-tool-call", min(calls.values()), ids, _words(first[0]))


def _words(builtin: str | None) -> str:
    return (builtin or "function").replace("_", " ")


def unacknowledged(items: Sequence[Any]) -> Unacknowledged | None:
    """The first result of a computer among the items that leaves out a safety check which its call waits for."""
    waiting: dict[Any, Sequence[Any]] = {}
    for item in (each for each in items if isinstance(each, Mapping)):
        if item.get("type") == "computer_call":
            waiting[item.get("call_id")] = item.get("pending_safety_checks") or ()
        elif item.get("type") == "computer_call_output":
            seen = {check.get("id") for check in item.get("acknowledged_safety_checks") or ()}
            left = [check for check in waiting.get(item.get("call_id"), ()) if check.get("id") not in seen]
            if left:
                words = tuple(f"{check.get('code')}: {check.get('message')}" for check in left)
                return Unacknowledged(str(item.get("call_id")), words)
    return None


def misprogrammed(items: Sequence[Any], beginning: str) -> tuple[str, str] | None:
    """(`altered-program` or `unknown-program`, the call_id) of the first such; fingerprints of ours begin so."""
    known: set[Any] = set()
    for item in (each for each in items if isinstance(each, Mapping)):
        caller = item.get("caller")
        named = caller.get("caller_id") if isinstance(caller, Mapping) else None
        if item.get("type") == "program":
            known.add(item.get("call_id"))
            if altered(item, beginning):
                return "altered-program", str(item.get("call_id"))
        elif named is not None and named not in known:
            return "unknown-program", str(named)
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
