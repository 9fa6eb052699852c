"""A spoken answer: no speech, but a tone for each token, so that it sounds, lasts as long as its words, and is a real file."""

from __future__ import annotations

import array
import io
import math
import sys
import wave
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from conformance.values import Media, Reply

from .tokens import split

__all__ = ["FORMATS", "CannotSpeak", "aloud", "speak", "speakable", "spoken_tokens"]

RATE = 24_000
"""Samples a second, one channel of 16 bits."""
TONE, PAUSE = 0.06, 0.02
"""Seconds of each token's tone, and of the silence after it."""
TOKENS_PER_SECOND = 20
"""How many tokens a second of speech counts: an estimate."""
FORMATS = ("wav", "pcm16", "mp3", "flac", "opus", "aac")
"""A WAV file, its bare samples (little-endian), and what PyAV makes of that file."""


class CannotSpeak(ValueError):
    """An audio format that is not made here."""


def speak(text: str, form: str) -> bytes:
    """The sound of `text` in one of FORMATS. Raises CannotSpeak, which says what to install if that is why."""
    if form not in FORMATS:
        raise CannotSpeak(f"audio: expected {', '.join(FORMATS)}, got {form!r}")
    samples = b"".join(
        _tone(zlib.crc32(token.encode("utf-8", "surrogatepass")) % 16) for token in split(text)
    )
    if form == "pcm16":
        return samples
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(samples)
    return file.getvalue() if form == "wav" else _compressed(file.getvalue(), form)


def _compressed(wav: bytes, form: str) -> bytes:
    try:
        from .compressed import compress
    except ImportError as error:
        raise CannotSpeak(
            f"audio: {form!r} is made by PyAV ({error}), which comes with: "
            "pip install 'provider-conformance[sound]'; wav and pcm16 need nothing"
        ) from error
    return compress(wav, form)


def aloud(reply: Reply, speech: Mapping[str, Any]) -> Reply:
    """The reply with the sound of its words, counted; one without words as it is. `speech` is a turn's. Raises CannotSpeak."""
    if not reply.text:
        return reply
    form, tokens = str(speech.get("format")), spoken_tokens(reply.text)
    sound = Media("audio", form, speak(reply.text, form))
    usage = reply.usage and replace(reply.usage, output=reply.usage.output + tokens, audio=tokens)
    return replace(reply, parts=(*reply.parts, sound), usage=usage)


def spoken_tokens(text: str) -> int:
    """How many tokens the sound of `text` counts."""
    return math.ceil(len(split(text)) * (TONE + PAUSE) * TOKENS_PER_SECOND)


def speakable(tokens: float) -> float:
    """How many tokens of text can be said and spoken with so many in all."""
    return max(0.0, (tokens - 1) / (1 + (TONE + PAUSE) * TOKENS_PER_SECOND))


@lru_cache
def _tone(pitch: int) -> bytes:
    step = 2 * math.pi * 220 * 2 ** (pitch / 12) / RATE
    length = int(RATE * TONE)
    # It swells and fades, so that nothing clicks.
    samples = array.array(
        "h",
        (int(9000 * math.sin(math.pi * at / length) * math.sin(step * at)) for at in range(length)),
    )
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes() + bytes(2 * int(RATE * PAUSE))
