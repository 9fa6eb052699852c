"""Spoken answers: files that the standard library reads, as long as their words."""

from __future__ import annotations

import array
import io
import wave

import pytest

from mockserver.simulation.speaking import CannotSpeak, speak, speakable, spoken_tokens
from mockserver.simulation.tokens import split


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


def test_a_format_that_is_not_made_is_named() -> None:
    with pytest.raises(CannotSpeak, match="'opus'"):
        speak("Hello", "opus")
