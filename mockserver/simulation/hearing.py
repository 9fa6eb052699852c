"""What the simulated model hears in a recording: how long it is, digits dialled in it, or one steady tone.

Only WAV of whole samples (8, 16, 24 or 32 bits) is decoded, in Python, by Goertzel's algorithm; of other
formats only the name is known.
"""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from conformance.probes.sound import TONES

from .vision import UnreadableMedia

__all__ = ["Sound", "hear"]

LONGEST = 60
"""Seconds of a recording that are listened to; more would take seconds of computing."""
WINDOW = 0.025
"""Seconds looked at together: short enough for two pauses between digits, long enough to tell 697 from 770 Hz."""
QUIET = 0.01
"""Mean power, of a full-scale square wave's, below which there is silence; relative to the loudest window."""
PURE = 0.7
"""Part of a window's power that its tones must have."""

MAGIC = (
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"\xff\xf1", "aac"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x1aE\xdf\xa3", "webm"),
)

FREQUENCIES = sorted({tone for pair in TONES.values() for tone in pair})
DIGITS = {pair: digit for digit, pair in TONES.items()}


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: `format` by its bytes; `seconds` None if it was not decoded; `digits` dialled, empty if none."""

    format: str
    seconds: float | None = None
    digits: str = ""
    tone: int | None = None
    """Hertz, if the whole recording is one tone."""


@lru_cache(16)
def hear(data: bytes) -> Sound:
    """The recording and what is heard in it. Raises UnreadableMedia for what is none, or is cut off."""
    if not (data.startswith(b"RIFF") and data[8:12] == b"WAVE"):
        for magic, name in MAGIC:
            if data.startswith(magic):
                return Sound(name)
        if data[4:8] == b"ftyp":
            return Sound("mp4")
        raise UnreadableMedia(
            f"audio: expected wav, mp3, aac, flac, ogg, webm or mp4, got {data[:8].hex(' ')!r}"
        )
    try:
        with wave.open(io.BytesIO(data)) as file:
            rate, declared = file.getframerate(), file.getnframes()
            width, channels = file.getsampwidth(), file.getnchannels()
            frames = file.readframes(min(declared, LONGEST * rate))
    except (wave.Error, EOFError) as error:
        raise UnreadableMedia(f"wav: expected whole samples in a RIFF file, got {error}") from error
    whole = min(declared, LONGEST * rate) * width * channels
    if not rate or len(frames) < whole or not frames:
        raise UnreadableMedia(f"wav: expected {whole} bytes of samples, got {len(frames)}")
    samples = _samples(frames, width, channels)
    windows = [_window(piece, rate) for piece in _pieces(samples, max(1, int(rate * WINDOW)))]
    loudest = max((power for power, _ in windows), default=0.0)
    marks = [mark if power > loudest * QUIET else "" for power, mark in windows]
    digits = "".join(mark for mark, run in groupby(marks) if mark and len(list(run)) > 1)
    return Sound("wav", declared / rate, digits, None if digits else _tone(samples, rate))


def _samples(frames: bytes, width: int, channels: int) -> list[float]:
    """The first channel, from -1 to 1."""
    step, full = width * channels, float(1 << (8 * width - 1))
    if width == 1:
        return [(value - 128) / full for value in frames[::step]]
    return [
        int.from_bytes(frames[at : at + width], "little", signed=True) / full
        for at in range(0, len(frames) - width + 1, step)
    ]


def _pieces(samples: Sequence[float], length: int) -> Iterator[Sequence[float]]:
    for start in range(0, len(samples) - length + 1, length):
        yield samples[start : start + length]


def _window(piece: Sequence[float], rate: int) -> tuple[float, str]:
    """(mean power, the digit whose two tones make up most of it, or none)."""
    power = sum(value * value for value in piece) / len(piece)
    if not power:
        return 0.0, ""
    found = sorted(((_power(piece, tone, rate), tone) for tone in FREQUENCIES), reverse=True)[:2]
    low, high = sorted(tone for _, tone in found)
    if sum(strength for strength, _ in found) < PURE * power:
        return power, ""
    return power, DIGITS.get((low, high), "")


def _power(piece: Sequence[float], tone: float, rate: int) -> float:
    """The mean power of one frequency in the piece, by Goertzel's algorithm."""
    twice = 2 * math.cos(2 * math.pi * tone / rate)
    last = before = 0.0
    for value in piece:
        last, before = value + twice * last - before, last
    strength = last * last + before * before - twice * last * before
    return 2 * strength / len(piece) ** 2


def _tone(samples: Sequence[float], rate: int) -> int | None:
    """The frequency of a steady tone, by its zero crossings; None if that frequency is not most of the sound."""
    piece = samples[: rate // 2]
    rises = [at for at in range(1, len(piece)) if piece[at - 1] < 0 <= piece[at]]
    if len(rises) < 3:
        return None
    tone = (len(rises) - 1) * rate / (rises[-1] - rises[0])
    power = sum(value * value for value in piece) / len(piece)
    return round(tone) if _power(piece, tone, rate) > PURE * power else None
