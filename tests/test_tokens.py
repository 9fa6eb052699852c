"""The token count: pieces that are the text again, the same for every use."""

from __future__ import annotations

import io
import json
import wave
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.probes.picture import draw
from conformance.values import (
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)
from mockserver.simulation.tokens import count, count_media, count_text, split

PIECES = [
    ("", []),
    ("Hello world", ["Hello", " world"]),
    ("Hello, wörld!", ["Hello", ",", " wörld", "!"]),
    ("In 2025", ["In", " ", "2", "0", "2", "5"]),
    ("a  b\n\nc", ["a", "  ", "b", "\n\n", "c"]),
    ("snake_case", ["snake", "_", "case"]),
    ("日本 語", ["日", "本", " ", "語"]),
    ("internationalization", ["internationa", "lization"]),
    ("-----", ["----", "-"]),
    ("hi 😀", ["hi", " 😀"]),
]


@pytest.mark.parametrize(("text", "pieces"), PIECES, ids=[text or "empty" for text, _ in PIECES])
def test_a_text_has_these_pieces(text: str, pieces: list[str]) -> None:
    assert split(text) == pieces


@given(st.text())
def test_the_pieces_are_the_text_and_are_counted(text: str) -> None:
    assert "".join(split(text)) == text
    assert len(split(text)) == count_text(text)


@given(st.text(alphabet=st.sampled_from("aZ1 \n\t.,_é日-")), st.integers(0, 40))
def test_the_first_pieces_of_a_text_count_as_many(text: str, pieces: int) -> None:
    assert count_text("".join(split(text)[:pieces])) == min(pieces, count_text(text))


@given(st.text(), st.text())
def test_a_longer_text_never_counts_less(text: str, more: str) -> None:
    assert count_text(text) <= count_text(text + more)


HELLO = Turn((Message("user", (Text("Hello there"),)),))


@pytest.mark.parametrize(
    "part",
    [
        Text("x"),
        Reasoning("x"),
        Refusal("x"),
        ToolCall("1", "get_weather", {"city": "Paris"}),
        ToolResult("1", (Text("sunny"),)),
        ToolResult("1", (Media("image", "png", data=draw("7")),)),
        Media("image", "png", data=draw("7")),
        Media("image", "png", data=b"no picture"),
        Media("image", "png", data=None),
        Media("image", "png", url="https://example.com/a.png"),
        Media("document", "txt", data=b"words"),
        Media("audio", "wav", data=b"\xff" * 1000),
    ],
    ids=lambda part: type(part).__name__,
)
def test_each_part_of_a_message_is_counted(part: Part) -> None:
    assert count(Turn((Message("user", (part,)),))) > count(Turn((Message("user", ()),))) == 3


@pytest.mark.parametrize(("seconds", "tokens"), [(0.01, 1), (0.4, 4), (1.1, 11), (1.15, 12)])
def test_a_recording_counts_ten_tokens_a_second(seconds: float, tokens: int) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, 16_000, 0, "NONE", ""))
        written.writeframes(b"\1\2" * int(16_000 * seconds))
    assert count_media(Media("audio", "wav", data=file.getvalue())) == tokens


@pytest.mark.parametrize(
    "more",
    [
        replace(HELLO, tools=(Tool("f"),)),
        replace(HELLO, output=OutputFormat({})),
        replace(HELLO, messages=(Message("system", ()), *HELLO.messages)),
    ],
    ids=["tools", "output", "system"],
)
def test_tools_the_form_of_the_answer_and_each_message_are_counted(more: Turn) -> None:
    assert count(more) > count(HELLO)


def test_a_message_counts_its_text_and_the_parting_from_the_next() -> None:
    assert count(HELLO) == count_text("Hello there") + 3


def test_a_tool_call_counts_its_name_and_its_arguments_as_json() -> None:
    call = Message("assistant", (ToolCall("1", "get_weather", {"city": "Zürich"}),))
    told = json.dumps({"city": "Zürich"}, ensure_ascii=False)
    assert count(Turn((call,))) == 3 + count_text("get_weather") + count_text(told)


def test_a_larger_image_is_more_tokens_up_to_a_bound() -> None:
    def tokens(scale: int) -> int:
        return count(Turn((Message("user", (Media("image", "png", data=draw("7K", scale)),)),)))

    assert tokens(2) < tokens(4) < tokens(20)
    assert tokens(60) == tokens(120)


def test_a_long_prompt_is_counted_whole() -> None:
    assert count_text("the quick brown fox. " * 30_000) == 30_000 * 5 + 1
