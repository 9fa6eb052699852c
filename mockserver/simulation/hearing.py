"""What the simulated model hears in a recording: how long it is, digits dialled in it, or one steady tone.

WAV of whole samples (8, 16, 24 or 32 bits) is decoded here; other formats are by PyAV, and where that is not installed
only their name is known. What is heard in the samples is found by Goertzel's algorithm.
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
    # A frame of MPEG 1, 2 or 2.5, with a checksum or without.
    *((bytes((0xFF, each)), "mp3") for each in (0xFA, 0xFB, 0xF2, 0xF3, 0xE2, 0xE3)),
    *((bytes((0xFF, each)), "aac") for each in (0xF0, 0xF1, 0xF8, 0xF9)),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\x1aE\xdf\xa3", "webm"),
)

FREQUENCIES = sorted({tone for pair in TONES.values() for tone in pair})
DIGITS = {pair: digit for digit, pair in TONES.items()}


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: `format` by its bytes; `seconds` None if nothing decodes it here; `digits` dialled, empty if none."""

    format: str
    seconds: float | None = None
    digits: str = ""
    tone: int | None = None
    """Hertz, if the whole recording is one tone."""


@lru_cache(16)
def hear(data: bytes) -> Sound:
    """The recording and what is heard in it. Raises UnreadableMedia for what is none, or is cut off."""
    form = _format(data)
    decoded = (_wav(data) if form == "wav" else None) or _other(data, form)
    if decoded is None:
        return Sound(form)
    samples, rate, seconds = decoded
    windows = [_window(piece, rate) for piece in _pieces(samples, max(1, int(rate * WINDOW)))]
    loudest = max((power for power, _ in windows), default=0.0)
    marks = [mark if power > loudest * QUIET else "" for power, mark in windows]
    digits = "".join(mark for mark, run in groupby(marks) if mark and len(list(run)) > 1)
    return Sound(form, seconds, digits, None if digits else _tone(samples, rate))


def _format(data: bytes) -> str:
    if data.startswith(b"RIFF") and data[8:12] == b"WAVE":
        return "wav"
    for magic, name in MAGIC:
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return "mp4"
    raise UnreadableMedia(f"audio: expected wav, mp3, aac, flac, ogg, webm or mp4, got {data[:8].hex(' ')!r}")


def _wav(data: bytes) -> tuple[Sequence[float], int, float] | None:
    """(samples, how many a second, seconds of the whole); None if the samples are of another kind than whole."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            rate, declared = file.getframerate(), file.getnframes()
            width, channels = file.getsampwidth(), file.getnchannels()
            frames = file.readframes(min(declared, LONGEST * rate))
    except (wave.Error, EOFError) as error:
        if str(error).startswith("unknown "):
            # A format, extended or not: fractions, or compressed by a law.
            return None
        raise UnreadableMedia(f"wav: expected whole samples in a RIFF file, got {error}") from error
    whole = min(declared, LONGEST * rate) * width * channels
    if not rate or len(frames) < whole or not frames:
        raise UnreadableMedia(f"wav: expected {whole} bytes of samples, got {len(frames)}")
    return _samples(frames, width, channels), rate, declared / rate


def _other(data: bytes, form: str) -> tuple[Sequence[float], int, float] | None:
    """As _wav; None if nothing is installed that decodes it."""
    try:
        from .compressed import RATE, decode
    except ImportError:
        return None
    samples, seconds = decode(data, form, LONGEST)
    return samples, RATE, seconds


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
