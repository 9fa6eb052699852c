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
COMPARED = 4000
"""Tokens of either text that are compared at most."""


def edited(prompt: str, prediction: str) -> str:
    """The prediction with the changes of names that the prompt asks for."""
    for old, new in CHANGES.findall(prompt):
        prediction = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _, new=new: new, prediction)  # type: ignore[misc]
    return prediction


def shared(text: str, prediction: str) -> tuple[int, int]:
    """(tokens of the prediction that the text has, those that it has not)."""
    foreseen = split(prediction)
    matcher = SequenceMatcher(None, split(text)[:COMPARED], foreseen[:COMPARED], autojunk=False)
    accepted = sum(block.size for block in matcher.get_matching_blocks())
    return accepted, len(foreseen) - accepted
