"""An answer that the caller foresaw: mostly the text that was predicted, but for what the prompt wants changed."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from .tokens import split

__all__ = ["edited", "shared"]

NAME = r"[\"'`“]?([\w.$-]+)[\"'`”]?"
CHANGES = re.compile(
    rf"\b(?:replace|change|rename)\s+(?:the\s+)?(?:\w+\s+(?=[\"'`“]))?{NAME}"
    rf"\s+(?:property\s+)?(?:with|to|by|into)\s+(?:an?\s+|the\s+)?{NAME}",
    re.I,
)
COMPARED = 500
"""Tokens of either text that are compared at most, between what they begin and end with alike."""


def edited(prompt: str, prediction: str) -> str:
    """The prediction with the changes of names that the prompt asks for."""
    for old, new in CHANGES.findall(prompt):
        prediction = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _, new=new: new, prediction)  # type: ignore[misc]
    return prediction


def shared(text: str, prediction: str) -> tuple[int, int]:
    """(tokens of the prediction that the text has, those that it has not)."""
    came, foreseen = split(text), split(prediction)
    alike = 0
    for _ in range(2):
        before = _alike(came, foreseen)
        # What is left is turned around, so that its end is compared next.
        came, foreseen = came[before:][::-1], foreseen[before:][::-1]
        alike += before
    matcher = SequenceMatcher(None, came[:COMPARED], foreseen[:COMPARED], autojunk=False)
    accepted = alike + sum(block.size for block in matcher.get_matching_blocks())
    return accepted, alike + len(foreseen) - accepted


def _alike(one: list[str], other: list[str]) -> int:
    """With how many equal tokens both begin."""
    return next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
