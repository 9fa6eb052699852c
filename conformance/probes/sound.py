"""A recording of dialled digits: sound whose content only a model that hears can tell.

A WAV file, one channel of 16-bit samples. Each digit is the pair of tones that a telephone dials it
with (ITU-T Q.23), with silence before, between and after them.
"""

from __future__ import annotations

import io
import math
import sys
import wave
from array import array
from collections.abc import Mapping
from functools import cache, lru_cache

__all__ = ["TONES", "dial"]

RATE = 8000
"""Samples a second."""
SOUNDS, SILENT = 0.16, 0.1
"""Seconds of a digit, and of the silence around it."""
LOUD = 12_000
"""Of each of the two tones; 32,767 is the most that both may come to."""

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)
TONES: Mapping[str, tuple[int, int]] = {
    digit: (ROWS[place // 3], COLUMNS[place % 3]) for place, digit in enumerate("123456789*0#")
}
"""The two frequencies of each key, in hertz."""


@lru_cache(64)
def dial(digits: str) -> bytes:
    """The bytes of a WAV file in which `digits` are dialled. Raises ValueError for what no telephone dials."""
    if not digits or set(digits) - set(TONES):
        raise ValueError(f"digits to dial: expected digits, * and #, got {digits!r}")
    silence = [0] * int(RATE * SILENT)
    samples = array("h", silence)
    for digit in digits:
        samples.extend(_tones(*TONES[digit]))
        samples.extend(silence)
    if sys.byteorder == "big":
        samples.byteswap()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return out.getvalue()


@cache
def _tones(low: int, high: int) -> tuple[int, ...]:
    turns = (2 * math.pi * place / RATE for place in range(int(RATE * SOUNDS)))
    return tuple(int(LOUD * (math.sin(low * turn) + math.sin(high * turn))) for turn in turns)
