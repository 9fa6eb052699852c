"""How likely each token of an answer was, and what else might have stood there: made up, and always the same."""

from __future__ import annotations

import math
import zlib
from typing import Any

from .tokens import split

__all__ = ["likely"]

OTHERS = (
    " the", " a", ",", ".", " and", " to", " of", " in", " is", " it", " that", " for",
    " as", " with", " on", " this", " be", " are", " or", " at", " from", " by", " an", " we",
)  # fmt: skip
"""Tokens that might have come instead."""


def likely(text: str, alternatives: int) -> list[dict[str, Any]]:
    """Each token of `text` with its natural logarithm of probability, its bytes, and so many alternatives.

    The alternatives begin with the token itself, the likeliest; their probabilities add up to less than 1.
    """
    return [_entry(token, place, alternatives) for place, token in enumerate(split(text))]


def _entry(token: str, place: int, alternatives: int) -> dict[str, Any]:
    drawn = zlib.crc32(f"{place} {token}".encode("utf-8", "surrogatepass"))
    chance = 0.6 + 0.39 * (drawn % 1000) / 1000
    start = drawn // 1000
    others = (OTHERS[(start + step) % len(OTHERS)] for step in range(len(OTHERS)))
    candidates = [token, *(other for other in others if other != token)][:alternatives]
    # Each further one has half of what is left.
    chances = [chance, *((1 - chance) / 2**step for step in range(1, len(candidates)))]
    return {
        **_single(token, chance),
        "top_logprobs": [_single(*each) for each in zip(candidates, chances, strict=False)],
    }


def _single(token: str, chance: float) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": round(math.log(chance), 8),
        "bytes": list(token.encode("utf-8", "surrogatepass")),
    }
