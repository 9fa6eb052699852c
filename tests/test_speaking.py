"""Spoken answers: files that the standard library and mutagen read, as long as their words."""

from __future__ import annotations

import array
import hashlib
import io
import sys
import wave
from typing import Any

import pytest
from mutagen.aac import AAC
from mutagen.flac import FLAC
from mutagen.mp3 import MP3
from mutagen.oggopus import OggOpus

from mockserver.simulation.speaking import FORMATS, CannotSpeak, speak, speakable, spoken_tokens
from mockserver.simulation.tokens import split

TALE = "An amber kettle hums on the stove while rain falls on the roof."


def samples(text: str) -> array.array[int]:
    with wave.open(io.BytesIO(speak(text, "wav"))) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24_000)
        return array.array("h", sound.readframes(sound.getnframes()))


def test_a_wav_file_sounds() -> None:
    assert max(abs(each) for each in samples("Hello there")) > 1000


def test_more_words_last_longer() -> None:
    assert len(samples("one two three")) == 3 * len(samples("one"))
    assert spoken_tokens("one two three four") > spoken_tokens("one")


def test_other_words_sound_otherwise() -> None:
    assert samples("kettle") != samples("amber")
    assert samples("kettle") == samples("kettle")


@pytest.mark.parametrize("tokens", [0, 1, 2, 7, 100])
def test_what_can_be_said_and_spoken_fits(tokens: int) -> None:
    words = " ".join(["word"] * 200)
    said = "".join(split(words)[: int(speakable(tokens))])
    assert len(split(said)) + spoken_tokens(said) <= tokens
    assert tokens < 100 or said


def test_bare_samples_are_those_of_the_file() -> None:
    assert speak("amber kettle", "pcm16") == samples("amber kettle").tobytes()


def test_nothing_said_is_a_file_without_sound() -> None:
    assert len(samples("")) == 0


@pytest.mark.parametrize(("form", "reader"), [("mp3", MP3), ("flac", FLAC), ("opus", OggOpus), ("aac", AAC)])
def test_a_compressed_answer_is_such_a_file_and_as_long_as_its_words(form: str, reader: Any) -> None:
    info = reader(io.BytesIO(speak(TALE, form))).info
    # Of Opus no rate is told: it is always played at 48,000 samples a second.
    assert (info.channels, getattr(info, "sample_rate", 24_000)) == (1, 24_000)
    # Blocks are counted, and a first one with silence of the encoder's own.
    assert info.length == pytest.approx(len(samples(TALE)) / 24_000, abs=0.1)


def test_flac_says_what_the_wav_file_says() -> None:
    read = FLAC(io.BytesIO(speak(TALE, "flac"))).info
    said = samples(TALE)
    assert read.total_samples == len(said)
    # The encoder signs the samples that it was given.
    assert read.md5_signature == int(hashlib.md5(said.tobytes()).hexdigest(), 16)


def test_the_same_words_are_the_same_bytes() -> None:
    for form in FORMATS:
        assert speak(TALE, form) == speak(TALE, form) != speak("kettle", form)


@pytest.mark.parametrize("form", ["mp3", "flac", "opus", "aac"])
def test_where_nothing_makes_a_format_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "mockserver.simulation.compressed", raising=False)
    with pytest.raises(CannotSpeak, match=rf"'{form}' .* pip install 'provider-conformance\[sound\]'"):
        speak("Hello", form)
    assert speak("Hello", "wav")


def test_a_format_that_is_not_made_is_named() -> None:
    with pytest.raises(CannotSpeak, match="'ogg'"):
        speak("Hello", "ogg")
