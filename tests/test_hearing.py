"""The recording that the suite makes, and the simulated model's ear; the standard library's wave reads between them.

What is compressed was made by FFmpeg; that its files are what they seem is told by other readers in test_speaking.py.
"""

from __future__ import annotations

import io
import math
import struct
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import mutagen.mp3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.probes.sound import TONES, dial
from mockserver.simulation import hearing
from mockserver.simulation.compressed import compress, decode
from mockserver.simulation.hearing import Sound, hear
from mockserver.simulation.vision import UnreadableMedia

FORMS = ("mp3", "flac", "opus", "aac")
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


def fractions(samples: list[float], rate: int = 8000) -> bytes:
    """A WAV file of fractions, four bytes each."""
    data = struct.pack(f"<{len(samples)}f", *samples)
    form = struct.pack("<HHIIHH", 3, 1, rate, 4 * rate, 4, 32)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def untagged(mp3: bytes) -> bytes:
    """The frames alone, as an encoder writes them that knows of no tags."""
    file = io.BytesIO(mp3)
    mutagen.mp3.MP3(file).delete(file)
    return file.getvalue()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyAV is not installed."""
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "mockserver.simulation.compressed")
    hear.cache_clear()
    yield
    hear.cache_clear()


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
        (b"\xff\xe3\x18", "mp3"),
        (b"\xff\xf1\x50", "aac"),
        (b"fLaC", "flac"),
        (b"OggS", "ogg"),
        (b"\0\0\0\x18ftypM4A ", "mp4"),
        (fractions([0.0]), "wav"),
    ],
)
def test_where_nothing_decodes_them_other_formats_are_known_by_name_alone(
    bare: None, data: bytes, form: str
) -> None:
    assert hear(data) == Sound(form)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_dialled_is_heard_when_it_is_compressed(form: str) -> None:
    heard = hear(compress(dial("407194*#"), form))
    assert heard.digits == "407194*#"
    # AAC says nowhere how much silence its first block begins with.
    assert heard.seconds == pytest.approx(hear(dial("407194*#")).seconds, abs=0.3 if form == "aac" else 0.001)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_an_mp3_without_tags_is_heard_at_any_rate(rate: int) -> None:
    silence = [0.0] * (rate // 10)
    samples = [*silence, *tones(TONES["4"], 0.16, rate), *silence, *tones(TONES["9"], 0.16, rate), *silence]
    data = untagged(compress(recorded(samples, rate), "mp3"))
    assert data[0] == 0xFF
    heard = hear(data)
    assert (heard.format, heard.digits) == ("mp3", "49")


def test_a_file_of_fractions_is_heard() -> None:
    assert hear(fractions(tones(TONES["7"], 0.2, 8000))).digits == "7"
    assert hear(fractions(tones((440,), 0.5, 8000))).tone == 440


@pytest.mark.parametrize("form", ["wav", *FORMS])
def test_of_a_long_recording_the_beginning_is_heard_and_the_length_known(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    whole = dial("407194")
    seconds = hear(whole).seconds
    monkeypatch.setattr(hearing, "LONGEST", 1)
    hear.cache_clear()
    heard = hear(whole if form == "wav" else compress(whole, form))
    hear.cache_clear()
    assert "407194".startswith(heard.digits) and 0 < len(heard.digits) < 6
    assert heard.seconds == pytest.approx(seconds, abs=0.3)


def test_a_stream_that_breaks_off_is_heard_as_far_as_it_goes() -> None:
    whole = compress(dial("407194"), "mp3")
    heard = hear(whole[: len(whole) // 2])
    assert "407194".startswith(heard.digits) and 0 < len(heard.digits) < 6


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_ends_before_it_sounds_is_refused(form: str) -> None:
    with pytest.raises(UnreadableMedia, match="expected sound"):
        hear(compress(dial("407194"), form)[:10])


def test_a_stream_that_changes_its_rate_is_heard_until_then() -> None:
    change = compress(recorded(tones(TONES["9"], 0.2, 16000), 16000), "aac")
    assert hear(compress(dial("40"), "aac") + change).digits == "40"


@pytest.mark.parametrize("form", ["wav", "mp3", "aac", "flac", "ogg", "webm", "mp4"])
def test_a_list_of_other_files_is_opened_by_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    (tmp_path / "secret.mp3").write_bytes(compress(dial("407194"), "mp3"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnreadableMedia):
        decode(b"ffconcat version 1.0\nfile secret.mp3\n", form, 60)


@pytest.mark.parametrize("part", [0.0, 0.002, 0.5, 0.99])
def test_a_recording_cut_short_is_refused(part: float) -> None:
    whole = dial("407")
    with pytest.raises(UnreadableMedia):
        hear(whole[: int(len(whole) * part)])


@given(st.binary(max_size=200))
def test_bytes_are_a_recording_or_refused_and_nothing_else(data: bytes) -> None:
    for start in (
        b"",
        b"RIFF\0\0\0\0WAVE",
        dial("1")[:44],
        *(compress(dial("1"), form)[:200] for form in FORMS),
    ):
        try:
            assert isinstance(hear(start + data), Sound)
        except UnreadableMedia as error:
            assert str(error)


@pytest.mark.parametrize("digits", ["", "12a", "1 2"])
def test_what_no_telephone_dials_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="expected digits"):
        dial(digits)
