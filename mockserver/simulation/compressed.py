"""Sound as MP3, FLAC, Opus and AAC, made and read by FFmpeg through PyAV.

PyAV comes with the extra `sound`; where it is missing, importing this module raises ImportError.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain

import av
from av.audio import AudioStream

from .vision import UnreadableMedia

__all__ = ["RATE", "compress", "decode"]

ENCODERS = {
    "mp3": ("mp3", "libmp3lame"),
    "flac": ("flac", "flac"),
    "opus": ("ogg", "libopus"),
    "aac": ("adts", "aac"),
}
"""The container and the encoder of each format, in FFmpeg's words."""
RATE = 8_000
"""Samples a second of what is decoded, whatever the file has: as a telephone has them."""


def compress(wav: bytes, form: str) -> bytes:
    """The sound of a WAV file in another format, the same bytes each time. Raises KeyError for one that is not made."""
    container, codec = ENCODERS[form]
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(wav), "r", format="wav") as heard,
        av.open(out, "w", format=container, options={"fflags": "+bitexact"}) as written,
    ):
        source = heard.streams.audio[0]
        stream = written.add_stream(codec, rate=source.rate, layout="mono")
        assert isinstance(stream, AudioStream)
        for frame in heard.decode(source):
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
    return out.getvalue()


def decode(data: bytes, form: str, longest: int) -> tuple[Sequence[float], float]:
    """(samples from -1 to 1 of all channels in one, at RATE; seconds of the whole).

    No more than `longest` seconds are decoded, and what is broken ends it. `form` is a container in FFmpeg's words.
    Raises UnreadableMedia if there is no sound.
    """
    samples = array("h")
    declared = 0
    # An AAC stream may change its rate on the way, which the resampler does not follow: a ValueError.
    with (
        suppress(av.FFmpegError, ValueError),
        # The container is named: a playlist, which opens other files, is never taken for one.
        av.open(io.BytesIO(data), "r", format=form) as file,
    ):
        declared = file.duration or 0
        resampler = av.AudioResampler("s16", "mono", RATE)
        sound = file.streams.audio
        for frame in chain(file.decode(sound[0]) if sound else (), (None,)):
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
            if len(samples) > longest * RATE:
                break
    if not samples:
        raise UnreadableMedia(f"{form}: expected sound, got none that can be decoded")
    decoded = len(samples) / RATE
    seconds = decoded if decoded <= longest else max(decoded, declared / av.time_base)
    return [value / 32768 for value in samples[: longest * RATE]], seconds
