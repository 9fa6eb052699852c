"""What a prompt asks for in so many words: a greeting back, counting, a length."""

from __future__ import annotations

import re

from .words import gist, may_say

__all__ = ["counting", "is_greeting", "length"]

GREETING = re.compile(
    r"\W*(?:(?:hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day|night)|welcome|thanks|"
    r"thank you|bye|goodbye|how are you|how's it going|what's up|nice to meet you|there|again|everyone|"
    r"very much|so much|today|doing|friend|all|you)\W*)+",
    re.I,
)

COUNT = re.compile(
    r"\bcount(?:ing)?\b[^.\d\n-]{0,40}?(?:(?P<down>down|backwards?)\b[^.\d\n-]{0,20})?"
    r"(?:from\s+)?(?P<first>-?\d+)?[^.\d\n-]{0,20}?"
    r"(?:\b(?:up to|down to|to|until|through)\b|[-–])\s*(?P<last>-?\d[\d,]*)"
    r"(?:[^.\n]{0,20}\b(?:by|steps of)\s+(?P<step>\d+)s?)?",
    re.I,
)
LENGTH = re.compile(
    r"\b(?P<number>\d[\d,]*)[- ]+(?P<unit>word|sentence|paragraph|line)s?\b|"
    r"\b(?P<long>very long|long|detailed|lengthy|at length|in (?:great )?detail|as long as|never stop)\b",
    re.I,
)
WRITES = re.compile(
    r"\b(?:write|tell|compose|give|generate|produce|create|describe|explain|talk|continue)\b", re.I
)

MOST_COUNTED = 100_000
"""Numbers or words in one answer at most: more than any cap, and soon made."""


def is_greeting(prompt: str) -> bool:
    """Whether the prompt is a greeting and nothing else."""
    return len(prompt) < 200 and GREETING.fullmatch(prompt.strip()) is not None


def counting(prompt: str) -> str | None:
    """The numbers that the prompt wants counted; None if it wants none."""
    match = COUNT.search(gist(prompt)) if may_say(prompt, ("count",)) else None
    if not match:
        return None
    last = int(match["last"].replace(",", ""))
    first = int(match["first"]) if match["first"] else (last if match["down"] else 1)
    if match["down"] and not match["first"]:
        last = 1
    step = int(match["step"] or 1) or 1
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    lines = re.search(
        r"\b(?:per|each|own|new|separate) (?:on )?(?:a )?(?:new )?lines?\b|\blines?\b", prompt, re.I
    )
    separator = "\n" if lines else " " if re.search(r"\bspaces?\b", prompt, re.I) else ", "
    return separator.join(map(str, numbers[:MOST_COUNTED]))


def length(prompt: str) -> int | None:
    """The number of words that the prompt wants written at least; None if it names no length."""
    prompt = gist(prompt)
    match = LENGTH.search(prompt)
    if not match or not WRITES.search(prompt):
        return None
    if match["long"]:
        return 600
    words = {"word": 1, "sentence": 14, "paragraph": 70, "line": 12}[match["unit"].lower()]
    return min(int(match["number"].replace(",", "")) * words, MOST_COUNTED)
