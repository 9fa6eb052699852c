"""JSON that is asked for in words: by a schema that the prompt shows, where no member of the request says it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .instances import BrokenSchema, sound

__all__ = ["Shown", "shown"]

ASKS = re.compile(
    r"\b(?:respond|reply|answer|return|output|provide|produce|generate|formatted)\b[^.]{0,200}\bjson\b|"
    r"\bjson[_ ]schema\b",
    re.I,
)
FENCED = re.compile(r"\b(?:with)?in\s+(?:a|one)?\s*```json\b", re.I)
VALUES = 100
"""JSON values that are looked for in one text, at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A schema that a prompt shows, and the prompt without it; `fenced`: the answer is to stand in a block of code."""

    schema: Mapping[str, Any]
    rest: str
    fenced: bool


def shown(system: str, prompt: str) -> Shown | None:
    """The schema by which the answer is to be JSON; None where none is shown."""
    both = f"{system}\n{prompt}"
    if '"properties"' not in both or not ASKS.search(both):
        return None
    spans = [(start, end, value) for start, end, value in _values(prompt) if _is_schema(value)]
    schemas = [value for _, _, value in spans] or [
        value for _, _, value in _values(system) if _is_schema(value)
    ]
    if not schemas:
        return None
    rest = prompt
    for start, end, _ in reversed(spans):
        rest = f"{rest[:start]} {rest[end:]}"
    # What is said of the form is nothing to fill it with.
    rest = "\n".join(line for line in rest.splitlines() if not FENCED.search(line))
    # A schema that explains what schemas are comes before the one that is meant.
    return Shown(schemas[-1], rest, FENCED.search(both) is not None)


def _is_schema(value: Any) -> bool:
    if not isinstance(value, Mapping) or not isinstance(value.get("properties"), Mapping):
        return False
    try:
        sound(value)
    except BrokenSchema:
        return False
    return True


def _values(text: str) -> list[tuple[int, int, Any]]:
    """The outermost JSON objects in a text, with where they start and end."""
    found: list[tuple[int, int, Any]] = []
    decoder, at = json.JSONDecoder(), 0
    for _ in range(VALUES):
        start = text.find("{", at)
        if start < 0:
            break
        try:
            value, at = decoder.raw_decode(text, start)
            found.append((start, at, value))
        except (ValueError, RecursionError):
            at = start + 1
    return found
