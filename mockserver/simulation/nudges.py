"""What an agent framework puts into a conversation by itself: told to try again, to format, to hand over."""

from __future__ import annotations

import re

from .words import may_say

__all__ = ["hands_over", "is_nudge"]

NUDGE = re.compile(
    r"\bfix (?:the errors?|your mistakes?)\b|\bcorrect your json\b|\bnow let's retry\b|\bvalidation error found\b|"
    r"\bformat (?:the|your) (?:previous|last) (?:response|answer) as\b",
    re.I,
)
NUDGING = ("fix ", "correct your json", "let's retry", "validation error found", "format ")
"""What one of those has in it."""
HANDOVER = re.compile(r"(?:transfer|hand_?off|handover|delegate)(?:_back)?_to_\w+", re.I)


def is_nudge(text: str) -> bool:
    """Whether a message asks for nothing new: the last answer is wanted again, in another form or without its errors."""
    return may_say(text, NUDGING) and NUDGE.search(text) is not None


def hands_over(name: str) -> bool:
    """Whether a tool hands the conversation to another agent: what it answers is then nothing that was asked for."""
    return HANDOVER.fullmatch(name) is not None
