"""Readable text about a prompt. The same prompt and variant give the same words."""

from __future__ import annotations

import re
import zlib

from .asked import is_greeting
from .words import topics

__all__ = ["about", "reasoning"]

GREETINGS = (
    "Hello! How can I help you today?",
    "Hi there! What would you like to talk about?",
    "Good to hear from you. What can I do for you?",
    "Hello, and welcome. What is on your mind?",
)
OPENINGS = (
    "Here is what can be said about {topic}.",
    "Let me take {topic} step by step.",
    "There is more to {topic} than meets the eye.",
    "A short answer about {topic} follows.",
)
BODIES = (
    "It is sensible to begin with {word}, because the rest depends on it.",
    "An example makes it easier to see {word} than any definition.",
    "It helps to ask what would change without {word}.",
    "Many people notice {word} first and look for causes later.",
    "With time {word} will become familiar, and details start to matter.",
    "What holds for {word} in general may fail in a single case.",
    "Those who work with {word} every day tend to keep things simple.",
    "Seen from the other side, {word} may answer a question of its own.",
)
CLOSINGS = (
    "In short, one part at a time is the best way to understand {topic}.",
    "That is the heart of {topic}; ask on if a part is unclear.",
    "Taken together, this is what {topic} may come down to.",
    "So much for {topic}, in a few words.",
)


def about(prompt: str, variant: str, words: int = 0) -> str:
    """A few sentences about the prompt, or as many as it takes for `words` words."""
    if is_greeting(prompt) or not prompt.strip():
        return _pick(GREETINGS, variant)
    names = topics(prompt)[:12] or ["that"]
    whole = " and ".join(names[:2])
    sentences = [_pick(OPENINGS, variant, prompt).format(topic=whole)]
    closing = _pick(CLOSINGS, variant, prompt, "end").format(topic=whole)
    start = _number(variant, prompt)
    written = len(f"{sentences[0]} {closing}".split())
    turn = 0
    while turn < min(len(names), 3) or written < words:
        # Five steps at a time meet all eight sentences, and a new word at each round.
        word = names[(turn + turn // len(BODIES)) % len(names)]
        sentences.append(BODIES[(start + turn * 5) % len(BODIES)].format(word=word))
        written += len(sentences[-1].split())
        turn += 1
    sentences.append(closing)
    paragraphs = [sentences[at : at + 6] for at in range(0, len(sentences), 6)]
    return "\n\n".join(" ".join(paragraph) for paragraph in paragraphs)


def reasoning(prompt: str, plan: str) -> str:
    """The trace before an answer: what was asked, and what the answer will do."""
    first = re.split(r"(?<=[.!?])\s", prompt.strip(), maxsplit=1)[0]
    asked = f'The user says: "{first[:120]}".' if first else "The user says nothing in words."
    return f"{asked} {plan}"


def _pick(options: tuple[str, ...], *keys: str) -> str:
    return options[_number(*keys) % len(options)]


def _number(*keys: str) -> int:
    return zlib.crc32("\0".join(keys).encode("utf-8", "surrogatepass"))
