"""Calls of tools and their results that a framework tells in words, where the API has members for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from conformance.values import Message, Text, ToolCall, ToolResult, Turn

__all__ = ["unspoken"]

# As smolagents 1.26.0 sends a conversation: the calls as Python writes them, the results in the user's name.
CALLING, OBSERVATION = "Calling tools:\n", "Observation:\n"
LONGEST = 20_000
"""Characters of told calls that are read."""


def unspoken(turn: Turn) -> Turn:
    """The turn with told calls and results as what they are; itself where none are told."""
    if not any(each.role == "assistant" and each.text.startswith(CALLING) for each in turn.messages):
        return turn
    return replace(turn, messages=tuple(_messages(turn.messages)))


def _messages(messages: tuple[Message, ...]) -> Iterator[Message]:
    latest = ""
    for message in messages:
        text = message.text
        if message.role == "assistant" and (calls := _calls(text)):
            latest = calls[0].id
            yield replace(message, parts=calls)
        elif message.role == "user" and latest and text.startswith(OBSERVATION):
            yield Message("tool", (ToolResult(latest, (Text(text.removeprefix(OBSERVATION)),)),))
        else:
            yield message


def _calls(text: str) -> tuple[ToolCall, ...]:
    if not text.startswith(CALLING) or len(text) > LONGEST:
        return ()
    try:
        told: Any = ast.literal_eval(text.removeprefix(CALLING).strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    functions = [
        (each.get("id"), each["function"])
        for each in (told if isinstance(told, list) else [])
        if isinstance(each, Mapping) and isinstance(each.get("function"), Mapping)
    ]
    return tuple(
        ToolCall(str(name), str(function.get("name")), function.get("arguments"))
        for name, function in functions
    )
