"""Chat Completions of OpenAI's profile, every member of them, read by the openai package: sync, async, its stream helper, `parse`."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import math
import sys
import wave
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import openai
import pytest
from mutagen.aac import AAC
from mutagen.flac import FLAC
from mutagen.mp3 import MP3
from mutagen.oggopus import OggOpus
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from conformance.probes.sound import dial
from mockserver.simulation.compressed import compress

MODEL = "gpt-4o-mini"
AMBER = "Reply with exactly: amber kettle 42"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: Any = {"name": "get_weather", "description": "Current weather of a city", "parameters": WEATHER}
CLOCK: Any = {"name": "get_time", "description": "Current time in a city", "parameters": WEATHER}
TOOLS: Any = [{"type": "function", "function": FUNCTION}, {"type": "function", "function": CLOCK}]
CODE: Any = {"type": "custom", "custom": {"name": "code_exec", "description": "Executes Python code"}}
SPOKEN: Any = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
Create = Callable[..., Any]

pytestmark = pytest.mark.mock_provider(openai_profile="openai")


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def client(strict_openai: Any) -> Iterator[OpenAI]:
    """A strict client of OpenAI at the mock, that tries once."""
    with strict_openai("openai") as made:
        yield made


@pytest.fixture
def create(client: OpenAI) -> Create:
    """Asks with the model and one message of the user, unless told otherwise."""

    def ask(text: Any, **members: Any) -> Any:
        said = {"model": MODEL, "messages": [{"role": "user", "content": text}], **members}
        return client.chat.completions.create(**said)

    return ask


def refused(call: Callable[[], Any]) -> Any:
    with pytest.raises(openai.BadRequestError) as caught:
        call()
    return caught.value


def folded(chunks: list[ChatCompletionChunk], index: int = 0) -> str:
    deltas = [each.delta for chunk in chunks for each in chunk.choices if each.index == index]
    return "".join(delta.content or "" for delta in deltas)


class TestText:
    def test_an_answer_has_the_members_of_2026(self, create: Create) -> None:
        answer: ChatCompletion = create(AMBER)
        [choice] = answer.choices
        assert (choice.message.content, choice.finish_reason) == ("amber kettle 42", "stop")
        assert {"refusal", "annotations", "content", "role"} == choice.message.model_fields_set
        assert {"logprobs", "index", "finish_reason", "message"} == choice.model_fields_set
        assert answer.service_tier == "default"
        assert answer.system_fingerprint and answer.system_fingerprint.startswith("fp_")
        assert answer.usage and answer.usage.prompt_tokens_details and answer.usage.completion_tokens_details
        assert answer.usage.completion_tokens_details.reasoning_tokens == 0

    def test_a_model_that_never_tells_odds_has_no_member_for_them(self, create: Create) -> None:
        [choice] = create(AMBER, model="gpt-5.1").choices
        assert "logprobs" not in choice.model_fields_set

    def test_an_async_client_reads_the_same(self, mock_provider: Any) -> None:
        async def ask() -> tuple[ChatCompletion, list[ChatCompletionChunk]]:
            async with AsyncOpenAI(base_url=mock_provider.url("openai") + "/v1", api_key="sk-mock") as made:
                said: Any = {"model": MODEL, "messages": [{"role": "user", "content": AMBER}]}
                whole = await made.chat.completions.create(**said)
                chunks = await made.chat.completions.create(**said, stream=True)
                return whole, [chunk async for chunk in chunks]

        whole, chunks = asyncio.run(ask())
        assert whole.choices[0].message.content == folded(chunks) == "amber kettle 42"

    def test_a_fast_answer_is_told_to_be_of_priority(self, create: Create) -> None:
        assert create(AMBER, service_tier="fast").service_tier == "priority"
        assert create(AMBER, service_tier="auto").service_tier == "default"
        assert create(AMBER, service_tier="flex").service_tier == "flex"

    @pytest.mark.parametrize("stop", ["STOP", ["STOP"], ["five", "STOP", "never", "four"]])
    def test_an_answer_ends_before_a_stop_sequence(self, create: Create, stop: Any) -> None:
        [choice] = create("Reply with exactly: one two three STOP four five", stop=stop).choices
        assert choice.message.content.strip() == "one two three"
        assert choice.finish_reason == "stop"

    def test_several_choices_are_numbered_and_paid_together(self, create: Create) -> None:
        one, three = create(AMBER), create(AMBER, n=3)
        assert [choice.index for choice in three.choices] == [0, 1, 2]
        assert three.usage.completion_tokens == 3 * one.usage.completion_tokens
        assert three.usage.prompt_tokens == one.usage.prompt_tokens

    def test_chunks_of_several_choices_take_turns(self, create: Create) -> None:
        chunks = list(create(AMBER, n=2, stream=True))
        assert folded(chunks, 0) == folded(chunks, 1) == "amber kettle 42"
        order = [choice.index for chunk in chunks for choice in chunk.choices]
        assert order == [0, 1] * (len(order) // 2)

    def test_who_wants_it_verbose_gets_more_words(self, create: Create) -> None:
        lengths = [
            len(create("Tell me about lighthouses.", verbosity=how).choices[0].message.content.split())
            for how in ("low", "medium", "high")
        ]
        assert lengths[0] < lengths[1] < lengths[2]

    def test_metadata_is_told_with_what_is_stored(self, create: Create) -> None:
        assert create(AMBER, store=True, metadata={"shelf": "upper"}).metadata == {"shelf": "upper"}
        assert create(AMBER).metadata is None

    def test_random_text_stands_in_chunks_unless_it_is_not_wanted(self, create: Create) -> None:
        assert all(chunk.obfuscation for chunk in create(AMBER, stream=True))
        quiet = create(AMBER, stream=True, stream_options={"include_obfuscation": False})
        assert not any(chunk.obfuscation for chunk in quiet)


class TestOdds:
    def test_each_token_has_its_odds_and_what_else_might_have_come(self, create: Create) -> None:
        [choice] = create(AMBER, logprobs=True, top_logprobs=3).choices
        entries = choice.logprobs.content
        assert "".join(each.token for each in entries) == "amber kettle 42"
        assert b"".join(bytes(each.bytes) for each in entries) == b"amber kettle 42"
        assert choice.logprobs.refusal is None
        for entry in entries:
            assert len(entry.top_logprobs) == 3
            assert entry.logprob <= 0
            assert (entry.token, entry.logprob) == (
                entry.top_logprobs[0].token,
                entry.top_logprobs[0].logprob,
            )
            assert sum(math.exp(each.logprob) for each in entry.top_logprobs) <= 1
            assert len({each.token for each in entry.top_logprobs}) == 3

    def test_without_alternatives_there_are_just_the_odds(self, create: Create) -> None:
        entries = create(AMBER, logprobs=True).choices[0].logprobs.content
        assert entries and not any(each.top_logprobs for each in entries)

    def test_a_stream_tells_the_odds_of_what_each_chunk_brings(self, create: Create) -> None:
        whole = create(AMBER, logprobs=True, top_logprobs=2).choices[0].logprobs.content
        chunks = list(create(AMBER, logprobs=True, top_logprobs=2, stream=True))
        told = [
            each
            for chunk in chunks
            for choice in chunk.choices
            if choice.logprobs
            for each in choice.logprobs.content
        ]
        assert told == whole
        for chunk in chunks:
            [choice] = chunk.choices
            if choice.logprobs:
                assert "".join(each.token for each in choice.logprobs.content) == choice.delta.content

    def test_alternatives_alone_are_refused(self, create: Create) -> None:
        assert refused(lambda: create(AMBER, top_logprobs=2)).param == "top_logprobs"
        assert refused(lambda: create(AMBER, logprobs=True, top_logprobs=21)).param == "top_logprobs"


class TestTools:
    def test_a_tool_that_is_named_is_called_and_the_reason_is_stop(self, create: Create) -> None:
        choice: Any = {"type": "function", "function": {"name": "get_weather"}}
        [answer] = create("What is the weather in Oslo?", tools=TOOLS, tool_choice=choice).choices
        [call] = answer.message.tool_calls
        assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Oslo"})
        assert answer.finish_reason == "stop"
        assert answer.message.content is None

    def test_a_tool_that_has_to_be_called_ends_with_tool_calls(self, create: Create) -> None:
        [answer] = create("What is the weather in Oslo?", tools=TOOLS, tool_choice="required").choices
        assert answer.finish_reason == "tool_calls"

    def test_none_calls_nothing(self, create: Create) -> None:
        [answer] = create("What is the weather in Oslo?", tools=TOOLS, tool_choice="none").choices
        assert answer.message.tool_calls is None and answer.message.content

    @pytest.mark.parametrize(("mode", "calls"), [("required", ["get_time"]), ("auto", [])])
    def test_only_allowed_tools_are_called(self, create: Create, mode: str, calls: list[str]) -> None:
        allowed = {"mode": mode, "tools": [{"type": "function", "function": {"name": "get_time"}}]}
        choice: Any = {"type": "allowed_tools", "allowed_tools": allowed}
        [answer] = create("What is the weather like in Oslo?", tools=TOOLS, tool_choice=choice).choices
        assert [call.function.name for call in answer.message.tool_calls or []] == calls

    def test_calls_that_may_not_be_parallel_come_one_by_one(self, create: Create) -> None:
        asked = "What is the weather in Singapore and in Oslo?"
        assert len(create(asked, tools=TOOLS).choices[0].message.tool_calls) == 2
        one = create(asked, tools=TOOLS, parallel_tool_calls=False).choices[0].message
        assert len(one.tool_calls) == 1

    def test_the_stream_helper_tells_of_a_call(self, client: OpenAI) -> None:
        with client.chat.completions.stream(
            model=MODEL, messages=[{"role": "user", "content": "What is the weather in Oslo?"}], tools=TOOLS
        ) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_completion()
        assert "tool_calls.function.arguments.delta" in kinds
        assert kinds.count("tool_calls.function.arguments.done") == 1
        [call] = final.choices[0].message.tool_calls or []
        assert json.loads(call.function.arguments) == {"city": "Oslo"}

    def test_a_custom_tool_is_called_with_a_text(self, create: Create) -> None:
        choice: Any = {"type": "custom", "custom": {"name": "code_exec"}}
        [answer] = create("Run ```python\nprint(1)\n```", tools=[CODE], tool_choice=choice).choices
        [call] = answer.message.tool_calls
        assert (call.type, call.custom.name, call.custom.input) == ("custom", "code_exec", "print(1)")
        assert call.id.startswith("call_")

    def test_the_input_of_a_custom_tool_fits_its_grammar(self, create: Create) -> None:
        grammar = {"syntax": "regex", "definition": r"\d{4}-\d{2}-\d{2}"}
        tool = {
            "type": "custom",
            "custom": {"name": "day", "format": {"type": "grammar", "grammar": grammar}},
        }
        [call] = (
            create("Which day is it?", tools=[tool], tool_choice="required").choices[0].message.tool_calls
        )
        assert len(call.custom.input) == 10 and call.custom.input[4] == "-"

    def test_an_answer_goes_on_from_the_result_of_a_custom_tool(self, create: Create, client: OpenAI) -> None:
        asked: Any = [{"role": "user", "content": "Use code_exec to add 2 and 3."}]
        first = client.chat.completions.create(model=MODEL, messages=asked, tools=[CODE])
        message = first.choices[0].message
        assert message.tool_calls
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "5"}
        going_on: Any = [*asked, message.model_dump(exclude_none=True), result]
        second = client.chat.completions.create(model=MODEL, messages=going_on, tools=[CODE])
        assert "5" in (second.choices[0].message.content or "")

    def test_a_custom_call_comes_in_pieces(self, mock_provider: Any) -> None:
        with OpenAI(base_url=mock_provider.url("openai") + "/v1", api_key="sk-mock") as lenient:
            stream = lenient.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": "Run `print(12345)` by code_exec."}],
                tools=[CODE],
                tool_choice="required",
                stream=True,
            )
            calls = [
                call.model_dump(exclude_unset=True)
                for chunk in stream
                for choice in chunk.choices
                for call in choice.delta.tool_calls or []
            ]
        assert calls[0]["custom"] == {"name": "code_exec", "input": ""}
        assert "".join(call["custom"]["input"] for call in calls) == "print(12345)"
        assert {call["index"] for call in calls} == {0}


class TestFunctions:
    """The members that tools have replaced."""

    def test_a_function_is_called_in_function_call(self, create: Create) -> None:
        [choice] = create("What is the weather in Oslo?", functions=[FUNCTION]).choices
        assert choice.finish_reason == "function_call"
        assert choice.message.function_call.name == "get_weather"
        assert json.loads(choice.message.function_call.arguments) == {"city": "Oslo"}
        assert choice.message.tool_calls is None

    def test_a_function_that_is_named_ends_with_stop(self, create: Create) -> None:
        [choice] = create("Oslo", functions=[FUNCTION], function_call={"name": "get_weather"}).choices
        assert choice.finish_reason == "stop" and choice.message.function_call.name == "get_weather"

    def test_none_calls_no_function(self, create: Create) -> None:
        [choice] = create("What is the weather in Oslo?", functions=[FUNCTION], function_call="none").choices
        assert choice.message.function_call is None and choice.finish_reason == "stop"

    def test_a_stream_brings_the_call_in_pieces(self, create: Create) -> None:
        chunks = list(create("What is the weather in Oslo?", functions=[FUNCTION], stream=True))
        calls = [chunk.choices[0].delta.function_call for chunk in chunks]
        assert chunks[0].choices[0].delta.role == "assistant" and calls[0].name == "get_weather"
        assert json.loads("".join(call.arguments or "" for call in calls if call)) == {"city": "Oslo"}
        assert chunks[-1].choices[0].finish_reason == "function_call"

    def test_its_result_is_used(self, create: Create) -> None:
        [choice] = create(
            "What is the weather in Oslo?",
            messages=[
                {"role": "user", "content": "What is the weather in Oslo?"},
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
                },
                {"role": "function", "name": "get_weather", "content": "31 degrees"},
            ],
            functions=[FUNCTION],
        ).choices
        assert "31" in choice.message.content


class TestForms:
    def test_an_answer_is_parsed_into_a_class(self, client: OpenAI) -> None:
        parsed = client.chat.completions.parse(
            model=MODEL,
            messages=[{"role": "user", "content": "Ada is 36 years old."}],
            response_format=Person,
        )
        assert parsed.choices[0].message.parsed == Person(name="Ada", age=36)

    def test_a_stream_is_parsed_into_a_class(self, client: OpenAI) -> None:
        with client.chat.completions.stream(
            model=MODEL,
            messages=[{"role": "user", "content": "Ada is 36 years old."}],
            response_format=Person,
        ) as stream:
            kinds = {event.type for event in stream}
            parsed = stream.get_final_completion().choices[0].message.parsed
        assert parsed == Person(name="Ada", age=36)
        assert {"chunk", "content.delta", "content.done"} <= kinds

    def test_an_async_stream_is_parsed_into_a_class(self, mock_provider: Any) -> None:
        async def ask() -> Any:
            async with (
                AsyncOpenAI(base_url=mock_provider.url("openai") + "/v1", api_key="sk-mock") as made,
                made.chat.completions.stream(
                    model=MODEL,
                    messages=[{"role": "user", "content": "Ada is 36 years old."}],
                    response_format=Person,
                ) as stream,
            ):
                return (await stream.get_final_completion()).choices[0].message.parsed

        assert asyncio.run(ask()) == Person(name="Ada", age=36)

    def test_the_arguments_of_a_strict_tool_are_parsed_too(self, client: OpenAI) -> None:
        parsed = client.chat.completions.parse(
            model=MODEL,
            messages=[{"role": "user", "content": "Ada is 36 years old."}],
            tools=[openai.pydantic_function_tool(Person)],
            tool_choice="required",
        )
        [call] = parsed.choices[0].message.tool_calls or []
        assert call.function.parsed_arguments == Person(name="Ada", age=36)

    def test_a_message_of_an_answer_can_be_sent_back_as_it_is(self, client: OpenAI) -> None:
        messages: Any = [{"role": "user", "content": "My name is Ada."}]
        first = client.chat.completions.create(model=MODEL, messages=messages)
        messages += [first.choices[0].message, {"role": "user", "content": "What is my name?"}]
        second = client.chat.completions.create(model=MODEL, messages=messages)
        assert "Ada" in (second.choices[0].message.content or "")

    def test_a_text_may_have_the_members_of_its_message_beside_it(self, client: OpenAI) -> None:
        asked: list[Any] = [{"role": "user", "content": "The code word is PELICAN7. Remember it."}]
        said = client.chat.completions.create(model=MODEL, messages=asked).choices[0].message
        text, members = said.content, said.model_dump(exclude={"content"}, exclude_unset=True)
        asked += [
            # As @openai/agents sends an answer back.
            {"role": "assistant", "content": [{"type": "text", "text": text, **members}]},
            {"role": "user", "content": "What is the code word? Answer with the code word only."},
        ]
        told = client.chat.completions.create(model=MODEL, messages=asked).choices[0].message
        assert told.content == "PELICAN7"

    def test_what_is_cut_is_not_parsed(self, client: OpenAI) -> None:
        said: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Ada is 36 years old."}]}
        with pytest.raises(openai.LengthFinishReasonError):
            client.chat.completions.parse(**said, response_format=Person, max_completion_tokens=2)
        with (
            pytest.raises(openai.LengthFinishReasonError),
            client.chat.completions.stream(**said, response_format=Person, max_completion_tokens=2) as stream,
        ):
            stream.until_done()

    def test_a_scripted_filter_is_told_by_the_parser(self, client: OpenAI, mock_provider: Any) -> None:
        mock_provider.reply("Nothing to see here.", finish="content_filter")
        with pytest.raises(openai.ContentFilterFinishReasonError):
            client.chat.completions.parse(
                model=MODEL, messages=[{"role": "user", "content": "Hello"}], response_format=Person
            )

    def test_any_json_object_is_one(self, create: Create) -> None:
        [choice] = create("Ada as JSON, please.", response_format={"type": "json_object"}).choices
        assert isinstance(json.loads(choice.message.content), dict)

    def test_json_has_to_be_spoken_of(self, create: Create) -> None:
        error = refused(lambda: create("Ada, please.", response_format={"type": "json_object"}))
        assert error.param == "messages"
        parts = [{"type": "text", "text": "Ada as json, please."}]
        assert create(parts, response_format={"type": "json_object"}).choices


class TestSound:
    def test_a_spoken_answer_is_a_wav_file_with_what_it_says(self, create: Create) -> None:
        answer = create(AMBER, model="gpt-audio", **SPOKEN)
        [choice] = answer.choices
        audio = choice.message.audio
        assert (audio.transcript, choice.message.content) == ("amber kettle 42", None)
        assert audio.id.startswith("audio_") and audio.expires_at > answer.created
        with wave.open(io.BytesIO(base64.b64decode(audio.data))) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 24_000)
            frames = sound.readframes(sound.getnframes())
        assert len(frames) == 2 * sound.getnframes() > 0 and any(frames)
        details = answer.usage.completion_tokens_details
        assert details.audio_tokens > 0
        assert details.audio_tokens + details.text_tokens == answer.usage.completion_tokens

    def test_a_stream_brings_sound_and_words_in_pieces(self, create: Create) -> None:
        members: Any = {**SPOKEN, "audio": {"voice": "alloy", "format": "pcm16"}}
        whole = create(AMBER, model="gpt-audio", **members).choices[0].message.audio
        chunks = list(create(AMBER, model="gpt-audio", stream=True, **members))
        pieces = [chunk.choices[0].delta.audio for chunk in chunks if chunk.choices[0].delta.audio]
        assert "".join(piece.transcript or "" for piece in pieces) == "amber kettle 42"
        sound = [base64.b64decode(piece.data) for piece in pieces if piece.data]
        assert b"".join(sound) == base64.b64decode(whole.data)
        assert all(len(each) % 2 == 0 for each in sound)
        assert [piece.id for piece in pieces if piece.id] == [pieces[0].id]
        assert pieces[-1].model_dump(exclude_none=True).keys() == {"expires_at"}

    @pytest.mark.parametrize("stream", [False, True])
    def test_an_earlier_spoken_answer_is_known_by_its_id(self, client: OpenAI, stream: bool) -> None:
        create: Any = client.chat.completions.create
        ask = partial(create, model="gpt-audio", modalities=["text", "audio"])
        voice: Any = {"voice": "alloy", "format": "pcm16"}
        secret: Any = [{"role": "user", "content": "Reply with exactly: The code word is PELICAN7."}]
        if stream:
            chunks = [chunk.choices[0].delta for chunk in ask(messages=secret, audio=voice, stream=True)]
            named = next(chunk.audio.id for chunk in chunks if chunk.audio)
        else:
            named = ask(messages=secret, audio=voice).choices[0].message.audio.id

        def asked_after(name: str) -> Any:
            question = {"role": "user", "content": "What is the code word? Answer with the code word only."}
            return ask(messages=[{"role": "assistant", "audio": {"id": name}}, question], audio=voice)

        assert asked_after(named).choices[0].message.audio.transcript == "PELICAN7"
        with pytest.raises(openai.NotFoundError) as caught:
            asked_after("audio_0123")
        assert caught.value.param == "messages[0].audio.id"

    @pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus", "aac"])
    def test_a_stream_of_another_format_is_refused(self, create: Create, form: str) -> None:
        members: Any = {**SPOKEN, "audio": {"voice": "alloy", "format": form}}
        error = refused(lambda: create(AMBER, model="gpt-audio", stream=True, **members))
        assert (error.code, error.param) == ("unsupported_value", "audio.format")

    @pytest.mark.parametrize(
        ("form", "reader"), [("mp3", MP3), ("flac", FLAC), ("opus", OggOpus), ("aac", AAC)]
    )
    def test_compressed_it_says_and_counts_the_same(self, create: Create, form: str, reader: Any) -> None:
        whole = create(AMBER, model="gpt-audio", **SPOKEN)
        answer = create(AMBER, model="gpt-audio", **{**SPOKEN, "audio": {"voice": "alloy", "format": form}})
        said, audio = whole.choices[0].message.audio, answer.choices[0].message.audio
        assert (audio.transcript, answer.usage) == (said.transcript, whole.usage)
        with wave.open(io.BytesIO(base64.b64decode(said.data))) as sound:
            seconds = sound.getnframes() / sound.getframerate()
        # Blocks are counted, and a first one with silence of the encoder's own.
        assert reader(io.BytesIO(base64.b64decode(audio.data))).info.length == pytest.approx(seconds, abs=0.1)

    def test_what_a_test_says_is_spoken_too(self, create: Create, mock_provider: Any) -> None:
        mock_provider.reply("The kettle is on")
        answer = create(AMBER, model="gpt-audio", **SPOKEN)
        [choice] = answer.choices
        assert (choice.message.audio.transcript, choice.message.content) == ("The kettle is on", None)
        assert base64.b64decode(choice.message.audio.data)[:4] == b"RIFF"
        details = answer.usage.completion_tokens_details
        assert 0 < details.audio_tokens == answer.usage.completion_tokens - details.text_tokens

    def test_a_format_that_nothing_makes_is_told_to_be_ours(
        self, client: OpenAI, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "av", None)
        monkeypatch.delitem(sys.modules, "mockserver.simulation.compressed", raising=False)
        with pytest.raises(openai.InternalServerError, match=r"'mp3' .* pip install .*\[sound\]") as caught:
            client.chat.completions.create(
                model="gpt-audio",
                messages=[{"role": "user", "content": AMBER}],
                modalities=["text", "audio"],
                audio={"voice": "alloy", "format": "mp3"},
            )
        assert caught.value.status_code == 501

    def test_a_model_without_a_voice_does_not_speak(self, create: Create) -> None:
        assert refused(lambda: create(AMBER, **SPOKEN)).param == "modalities"

    def test_who_wants_to_hear_says_how(self, create: Create) -> None:
        error = refused(lambda: create(AMBER, model="gpt-audio", modalities=["text", "audio"]))
        assert (error.param, error.code) == ("audio", "missing_required_parameter")

    @pytest.mark.parametrize("form", ["wav", "mp3"])
    def test_a_recording_is_heard_and_counted(self, create: Create, form: str) -> None:
        dialled = dial("407194")
        sound = dialled if form == "wav" else compress(dialled, form)
        parts = [
            {
                "type": "text",
                "text": "Which digits are dialled in this recording? Answer with the digits only.",
            },
            {
                "type": "input_audio",
                "input_audio": {"data": base64.b64encode(sound).decode(), "format": form},
            },
        ]
        answer = create(parts, model="gpt-audio")
        assert answer.choices[0].message.content == "407194"
        details = answer.usage.prompt_tokens_details
        assert details.audio_tokens > 0
        assert details.audio_tokens + details.text_tokens == answer.usage.prompt_tokens
        # By the second, not by the byte: fewer bytes count the same.
        wav = {"data": base64.b64encode(dialled).decode(), "format": "wav"}
        parts[1] = {"type": "input_audio", "input_audio": wav}
        assert create(parts, model="gpt-audio").usage == answer.usage

    def test_an_mp3_that_is_none_is_refused(self, create: Create) -> None:
        sound = {"data": base64.b64encode(b"ID3\x04 no sound").decode(), "format": "mp3"}
        part = {"type": "input_audio", "input_audio": sound}
        assert refused(lambda: create([part], model="gpt-audio")).status_code == 400


class TestMembers:
    def test_a_prediction_is_counted_as_far_as_it_holds(self, create: Create) -> None:
        code = "class User {\n  name: string;\n  username: string;\n}\n"
        foreseen: Any = {"type": "content", "content": code}
        answer = create("Replace the username property with an email property.", prediction=foreseen)
        assert answer.choices[0].message.content == code.replace("username", "email")
        details = answer.usage.completion_tokens_details
        assert details.accepted_prediction_tokens > details.rejected_prediction_tokens > 0
        plain = create(f"Reply with exactly: {code}")
        assert plain.usage.completion_tokens_details.accepted_prediction_tokens == 0

    def test_a_search_is_cited_where_it_stands_in_the_text(self, create: Create) -> None:
        answer = create("Tell me about lighthouses.", model="gpt-4o-search-preview", web_search_options={})
        message = answer.choices[0].message
        [citation] = [each.url_citation for each in message.annotations]
        cited = message.content[citation.start_index : citation.end_index]
        assert citation.url in cited and citation.title

    def test_a_model_that_cannot_search_says_so(self, create: Create) -> None:
        error = refused(lambda: create("What day is today?", web_search_options={}))
        assert (error.param, error.code) == ("web_search_options", None)

    def test_moderation_stands_beside_the_answer(self, create: Create) -> None:
        answer = create(AMBER, moderation={"model": "omni-moderation-latest"})
        for side in (answer.moderation.input, answer.moderation.output):
            [result] = side.results
            assert (result.flagged, result.model) == (False, "omni-moderation-latest")
            assert result.categories.keys() == result.category_scores.keys()

    @pytest.mark.parametrize("model", ["gpt-5.1", "o3", "o4-mini"])
    def test_newer_models_want_the_newer_cap(self, create: Create, model: str) -> None:
        error = refused(lambda: create(AMBER, model=model, max_tokens=50))
        assert (error.code, error.param) == ("unsupported_parameter", "max_tokens")
        assert create(AMBER, model=model, max_tokens=None, max_completion_tokens=500).choices

    def test_reasoning_models_take_no_stop_sequence(self, create: Create) -> None:
        error = refused(lambda: create(AMBER, model="o3", stop=["x"]))
        assert (error.code, error.param) == ("unsupported_parameter", "stop")

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("temperature", 2.1),
            ("top_p", -0.1),
            ("n", 129),
            ("n", 0),
            ("stop", ["a", "b", "c", "d", "e"]),
            ("stop", []),
            ("presence_penalty", 2.5),
            ("frequency_penalty", -2.5),
            ("logit_bias", {"1": 101}),
            ("metadata", {str(number): "x" for number in range(17)}),
            ("metadata", {"x" * 65: "y"}),
            ("metadata", {"x": "y" * 513}),
            ("reasoning_effort", "extreme"),
            ("verbosity", "chatty"),
            ("service_tier", "reserved"),
            ("safety_identifier", "x" * 65),
            ("parallel_tool_calls", True),
            ("tool_choice", "auto"),
            ("stream_options", {"include_usage": True}),
            ("messages", []),
            ("modalities", ["video"]),
            ("prediction", {"type": "text", "content": "x"}),
            ("response_format", {"type": "yaml"}),
            ("tools", [{"type": "function", "function": {"name": "get weather"}}]),
        ],
        ids=str,
    )
    def test_a_member_out_of_range_is_refused_by_its_name(
        self, create: Create, member: str, value: Any
    ) -> None:
        error = refused(lambda: create(AMBER, **{member: value}))
        assert str(error.param).partition("[")[0].partition(".")[0] == member

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("temperature", 2),
            ("top_p", 0),
            ("n", 1),
            ("stop", ["v", "w", "x", "y"]),
            ("presence_penalty", -2),
            ("frequency_penalty", 2),
            ("logit_bias", {"1734": -100}),
            ("seed", 2**62),
            ("user", "somebody"),
            ("safety_identifier", "x" * 64),
            ("prompt_cache_key", "shelf"),
            ("prompt_cache_retention", "24h"),
            ("metadata", {"x" * 64: "y" * 512}),
            ("max_tokens", None),
            ("service_tier", "scale"),
            ("modalities", ["text"]),
            ("reasoning_effort", None),
        ],
        ids=str,
    )
    def test_a_member_within_its_range_is_taken(self, create: Create, member: str, value: Any) -> None:
        assert create(AMBER, **{member: value}).choices[0].message.content == "amber kettle 42"


class TestMistral:
    """Mistral's own API, which clients of OpenAI ask too: what it puts elsewhere comes through."""

    @pytest.fixture
    def mistral(self, mock_provider: Any) -> Iterator[OpenAI]:
        with OpenAI(base_url=mock_provider.url("mistral") + "/v1", api_key="k", max_retries=0) as made:
            yield made

    def test_a_trace_is_a_part_of_the_content(self, mistral: OpenAI) -> None:
        said: Any = {
            "model": "mistral-small-latest",
            "messages": [{"role": "user", "content": AMBER}],
            "reasoning_effort": "high",
        }
        whole: Any = mistral.chat.completions.create(**said).choices[0].message.content
        assert [part["type"] for part in whole] == ["thinking", "text"]
        assert whole[1]["text"] == "amber kettle 42"
        deltas: list[Any] = [
            chunk.choices[0].delta.content for chunk in mistral.chat.completions.create(**said, stream=True)
        ]
        thoughts = [part["thinking"][0]["text"] for each in deltas if isinstance(each, list) for part in each]
        assert "".join(thoughts) == whole[0]["thinking"][0]["text"]
        assert "".join(each for each in deltas if isinstance(each, str)) == "amber kettle 42"

    def test_its_models_are_listed_and_shown_with_what_they_can_do(self, mistral: OpenAI) -> None:
        listed = {each.id: each for each in mistral.models.list()}
        shown = mistral.models.retrieve("mistral-small-latest")
        assert listed[shown.id] == shown
        told = shown.model_dump()
        assert told["max_context_length"] == 256_000
        assert {name for name, can in told["capabilities"].items() if can} >= {"completion_chat", "vision"}
        with pytest.raises(openai.NotFoundError):
            mistral.models.retrieve("no-such-model")

    def test_a_call_is_numbered_and_ends_with_tool_calls_though_it_was_named(self, mistral: OpenAI) -> None:
        answer = mistral.chat.completions.create(
            model="mistral-small-latest",
            messages=[{"role": "user", "content": "What is the weather in Oslo?"}],
            tools=TOOLS,
            tool_choice={"type": "function", "function": {"name": "get_weather"}},
        )
        [choice] = answer.choices
        [call] = choice.message.tool_calls or []
        assert choice.finish_reason == "tool_calls" and len(call.id) == 9
        assert (call.model_extra or {})["index"] == 0
