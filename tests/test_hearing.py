"""The recording that the suite makes, and the simulated model's ear; the standard library's wave reads between them."""

from __future__ import annotations

import io
import math
import struct
import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.probes.sound import TONES, dial
from mockserver.simulation.hearing import Sound, hear
from mockserver.simulation.vision import UnreadableMedia

DIGITS = st.text(alphabet=st.sampled_from(sorted(TONES)), min_size=1, max_size=6)


def recorded(samples: list[float], rate: int = 8000, width: int = 2, channels: int = 1) -> bytes:
    """A WAV file as other programs write it: any rate, width and number of channels; samples from -1 to 1."""
    full = (1 << (8 * width - 1)) - 1
    frames = b""
    for value in samples:
        number = int(value * full)
        one = bytes([number + 128]) if width == 1 else number.to_bytes(width, "little", signed=True)
        frames += one * channels
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(frames)
    return out.getvalue()


def tones(frequencies: tuple[int, ...], seconds: float, rate: int) -> list[float]:
    return [
        sum(math.sin(2 * math.pi * each * at / rate) for each in frequencies) * 0.8 / max(1, len(frequencies))
        for at in range(int(seconds * rate))
    ]


@settings(max_examples=30)
@given(DIGITS)
def test_what_is_dialled_is_heard(digits: str) -> None:
    assert hear(dial(digits)).digits == digits


def test_the_recording_is_a_wave_file_with_two_tones_a_digit() -> None:
    with wave.open(io.BytesIO(dial("5"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        frames = file.readframes(file.getnframes())
    samples = [value / 32768 for (value,) in struct.iter_unpack("<h", frames)][800:2080]
    # A plain Fourier sum, bin by bin: the two loudest of the band are the digit's own.
    loud = {}
    for tone in range(600, 1600, 5):
        turns = [2 * math.pi * tone * at / 8000 for at in range(len(samples))]
        real = sum(value * math.cos(turn) for value, turn in zip(samples, turns, strict=True))
        imaginary = sum(value * math.sin(turn) for value, turn in zip(samples, turns, strict=True))
        loud[tone] = math.hypot(real, imaginary)
    assert max((tone for tone in loud if tone < 1000), key=loud.__getitem__) == 770
    assert max((tone for tone in loud if tone > 1000), key=loud.__getitem__) in (1335, 1340)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_digits_are_heard_at_any_rate_and_width(rate: int, width: int) -> None:
    silence = [0.0] * (rate // 10)
    samples = [*silence, *tones(TONES["4"], 0.1, rate), *silence, *tones(TONES["9"], 0.1, rate), *silence]
    assert hear(recorded(samples, rate, width)).digits == "49"


def test_of_two_channels_the_first_is_heard() -> None:
    assert hear(recorded(tones(TONES["7"], 0.2, 8000), channels=2)).digits == "7"


@pytest.mark.parametrize("frequency", [220, 440, 1000])
def test_one_steady_tone_is_known_by_its_frequency(frequency: int) -> None:
    found = hear(recorded(tones((frequency,), 0.5, 16000), 16000))
    assert (found.digits, found.tone) == ("", frequency)


def test_silence_and_noise_say_nothing() -> None:
    assert hear(recorded([0.0] * 4000)) == Sound("wav", 0.5)
    noise = [((at * 7919) % 1000 - 500) / 700 for at in range(4000)]
    assert hear(recorded(noise)).digits == ""


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90", "mp3"),
        (b"fLaC", "flac"),
        (b"OggS", "ogg"),
        (b"\0\0\0\x18ftypM4A ", "mp4"),
    ],
)
def test_other_formats_are_known_by_name_alone(data: bytes, form: str) -> None:
    assert hear(data) == Sound(form)


@pytest.mark.parametrize("part", [0.0, 0.002, 0.5, 0.99])
def test_a_recording_cut_short_is_refused(part: float) -> None:
    whole = dial("407")
    with pytest.raises(UnreadableMedia):
        hear(whole[: int(len(whole) * part)])


@given(st.binary(max_size=200))
def test_bytes_are_a_recording_or_refused_and_nothing_else(data: bytes) -> None:
    for start in (b"", b"RIFF\0\0\0\0WAVE", dial("1")[:44]):
        try:
            assert isinstance(hear(start + data), Sound)
        except UnreadableMedia as error:
            assert str(error)


@pytest.mark.parametrize("digits", ["", "12a", "1 2"])
def test_what_no_telephone_dials_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="expected digits"):
        dial(digits)
