"""The OpenAI SDK for Python as a reader of POST /responses, plain and streamed, with its validation switched on.

`client.responses.stream` is a reader that does check the order of events, ids and indexes, and `parse` wants
arguments and texts that fit; both sides of an answer are read, sync and async.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

THINKS, TALKS, OSS = "gpt-5", "gpt-4o-mini", "openai.gpt-oss-20b"
AMBER = "Reply with exactly: amber kettle 42"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TIME: Any = {**WEATHER, "name": "get_time", "description": "Current time of a city"}
SHELL: Any = {"type": "custom", "name": "run_python", "description": "Runs Python code"}
SINGAPORE = "What is the weather in Singapore?"


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def client(strict_openai: Any) -> Iterator[OpenAI]:
    """A strict client of OpenAI at the mock, that tries once."""
    with strict_openai("openai") as made:
        yield made


@pytest.fixture
def mantle(strict_openai: Any) -> Iterator[OpenAI]:
    """The same of bedrock-mantle."""
    with strict_openai("bedrock-mantle") as made:
        yield made


def both(client: OpenAI, **asked: Any) -> Iterator[Response]:
    """The answer that is no stream, then the one that the SDK adds up from the stream."""
    yield client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        yield events.get_final_response()


def named(client: OpenAI, **asked: Any) -> list[str]:
    """The types of the events of a stream, as the SDK's accumulator lets them through; deltas once."""
    with client.responses.stream(**asked) as events:
        found = [event.type for event in events]
    return [kind for kind, before in zip(found, [None, *found], strict=False) if kind != before]


class TestText:
    def test_plain_and_streamed_say_the_same(self, client: OpenAI) -> None:
        for answer in both(client, model=TALKS, input=AMBER):
            assert answer.output_text == "amber kettle 42"
            assert (answer.status, answer.model, answer.object) == ("completed", TALKS, "response")
            assert answer.usage is not None
            assert answer.usage.input_tokens + answer.usage.output_tokens == answer.usage.total_tokens
            assert answer.id.startswith("resp_")
            assert answer.output[0].id.startswith("msg_")

    def test_the_async_client_reads_both(self, mock_provider: Any) -> None:
        async def ask() -> tuple[str, str]:
            async with AsyncOpenAI(
                base_url=mock_provider.url("openai") + "/v1",
                api_key="sk-test",
                max_retries=0,
                _strict_response_validation=True,
            ) as client:
                plain = await client.responses.create(model=TALKS, input=AMBER)
                async with client.responses.stream(model=TALKS, input=AMBER) as events:
                    streamed = await events.get_final_response()
                return plain.output_text, streamed.output_text

        assert asyncio.run(ask()) == ("amber kettle 42", "amber kettle 42")

    def test_events_are_numbered_and_named_as_their_type(self, client: OpenAI) -> None:
        events = list(client.responses.create(model=TALKS, input=AMBER, stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events)))
        kinds = [event.type for event in events]
        assert kinds[:2] == ["response.created", "response.in_progress"]
        assert kinds[-1] == "response.completed"

    def test_what_was_asked_is_repeated(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {
            "instructions": "Be short.",
            "max_output_tokens": 99,
            "metadata": {"a": "b"},
            "temperature": 0.5,
            "truncation": "auto",
            "text": {"verbosity": "low"},
            "safety_identifier": "me",
            "prompt_cache_key": "key",
            "parallel_tool_calls": False,
            "max_tool_calls": 3,
            "service_tier": "flex",
            "store": False,
        }
        for answer in both(client, model=TALKS, input="Hello", **asked):
            said = answer.to_dict()
            text = said.pop("text")
            assert text["verbosity"] == "low"
            assert {name: said[name] for name in asked if name != "text"} == {
                name: value for name, value in asked.items() if name != "text"
            }

    def test_obfuscation_can_be_switched_off(self, client: OpenAI) -> None:
        def padded(**options: Any) -> set[bool]:
            events = client.responses.create(model=TALKS, input=AMBER, stream=True, **options)
            return {"obfuscation" in event.to_dict() for event in events if event.type.endswith(".delta")}

        assert padded() == {True}
        assert padded(stream_options={"include_obfuscation": False}) == {False}

    def test_every_token_comes_with_its_probability_where_they_are_included(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
        for answer in both(client, model=TALKS, input=AMBER, **asked):
            part = answer.output[0].content[0]
            assert "".join(each.token for each in part.logprobs) == "amber kettle 42"
            assert all(len(each.top_logprobs) == 2 for each in part.logprobs)
        events = list(client.responses.create(model=TALKS, input=AMBER, stream=True, **asked))
        deltas = [event for event in events if event.type == "response.output_text.delta"]
        assert [event.logprobs[0].token for event in deltas] == [event.delta for event in deltas]

    def test_without_include_nothing_is_said_of_probabilities(self, client: OpenAI) -> None:
        for answer in both(client, model=TALKS, input=AMBER):
            assert answer.output[0].content[0].logprobs == []


class TestCut:
    def test_an_answer_that_is_too_long_is_incomplete_and_says_why(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {"model": TALKS, "input": "Count from 1 to 200.", "max_output_tokens": 16}
        plain = client.responses.create(**asked)
        *_, last = client.responses.create(**asked, stream=True)
        assert last.type == "response.incomplete"
        for answer in (plain, last.response):
            assert answer.status == "incomplete"
            assert answer.incomplete_details.reason == "max_output_tokens"
            assert answer.output[-1].status == "incomplete"
            assert answer.usage.output_tokens == 16

    def test_a_prompt_that_is_too_long_is_refused_unless_it_may_be_cut(self, client: OpenAI) -> None:
        long: Any = [
            {"role": "user", "content": "lorem " * 130_000},
            {"role": "user", "content": AMBER},
        ]
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=TALKS, input=long)
        assert caught.value.code == "context_length_exceeded"
        answer = client.responses.create(model=TALKS, input=long, truncation="auto")
        assert answer.output_text == "amber kettle 42"
        assert answer.usage is not None
        assert answer.usage.input_tokens < 128_000

    @pytest.mark.parametrize("failure", ["internal", "throttling", "overloaded"])
    def test_a_stream_that_fails_tells_it_in_an_error_and_then_as_a_failed_response(
        self, client: OpenAI, mock_provider: Any, failure: str
    ) -> None:
        mock_provider.fail(failure, after_events=5)
        events = list(client.responses.create(model=TALKS, input=AMBER, stream=True))
        *begun, error, failed = events
        assert [event.sequence_number for event in events] == list(range(7))
        assert len(begun) == 5
        assert (error.type, failed.type) == ("error", "response.failed")
        assert error.message
        assert failed.response.status == "failed"
        assert failed.response.error is not None
        assert failed.response.id == begun[0].response.id

    def test_the_accumulator_has_no_final_response_of_a_failed_stream(
        self, client: OpenAI, mock_provider: Any
    ) -> None:
        mock_provider.fail("internal", after_events=5)
        with client.responses.stream(model=TALKS, input=AMBER) as events, pytest.raises(RuntimeError):
            events.get_final_response()


class TestTools:
    def test_a_call_and_its_result_make_an_answer(self, client: OpenAI) -> None:
        for answer in both(client, model=TALKS, input=SINGAPORE, tools=[WEATHER]):
            [call] = [item for item in answer.output if item.type == "function_call"]
            assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Singapore"})
            assert call.id.startswith("fc_")
            assert call.call_id.startswith("call_")
            back: Any = [
                {"role": "user", "content": SINGAPORE},
                *answer.output,
                {"type": "function_call_output", "call_id": call.call_id, "output": "31 degrees"},
            ]
            assert "31" in client.responses.create(model=TALKS, input=back, tools=[WEATHER]).output_text
            back[-1]["output"] = [{"type": "input_text", "text": "28 degrees"}]
            assert "28" in client.responses.create(model=TALKS, input=back, tools=[WEATHER]).output_text

    def test_a_tool_is_repeated_as_strict_mode_makes_it(self, client: OpenAI) -> None:
        for answer in both(client, model=TALKS, input="Hello", tools=[WEATHER]):
            [tool] = answer.to_dict()["tools"]
            assert tool["strict"] is True
            assert tool["parameters"]["additionalProperties"] is False
            assert tool["parameters"]["required"] == ["city"]

    @pytest.mark.parametrize(
        ("choice", "called"),
        [
            ("none", []),
            ("auto", ["get_weather"]),
            ("required", ["get_weather"]),
            ({"type": "function", "name": "get_time"}, ["get_time"]),
            (
                {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "get_time"}],
                },
                ["get_time"],
            ),
            (
                {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "get_time"}],
                },
                [],
            ),
        ],
        ids=["none", "auto", "required", "named", "allowed and required", "allowed"],
    )
    def test_only_tools_that_are_chosen_are_called(
        self, client: OpenAI, choice: Any, called: list[str]
    ) -> None:
        for answer in both(client, model=TALKS, input=SINGAPORE, tools=[WEATHER, TIME], tool_choice=choice):
            assert [item.name for item in answer.output if item.type == "function_call"] == called
            assert answer.to_dict()["tool_choice"] == choice

    def test_several_calls_are_items_of_their_own(self, client: OpenAI) -> None:
        asked = "What is the weather in Paris and in Rome?"
        for answer in both(client, model=TALKS, input=asked, tools=[WEATHER]):
            calls = [item for item in answer.output if item.type == "function_call"]
            assert len({call.call_id for call in calls}) == len(calls) == 2
        for answer in both(client, model=TALKS, input=asked, tools=[WEATHER], parallel_tool_calls=False):
            assert len([item for item in answer.output if item.type == "function_call"]) == 1

    def test_a_custom_tool_is_given_text(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {
            "model": TALKS,
            "input": "Run this Python code: `print(6 * 7)`",
            "tools": [SHELL],
            "tool_choice": {"type": "custom", "name": "run_python"},
        }
        for answer in both(client, **asked):
            [call] = [item for item in answer.output if item.type == "custom_tool_call"]
            assert call.name == "run_python"
            assert "6 * 7" in call.input
            assert call.id.startswith("ctc_")
            back: Any = [
                {"role": "user", "content": asked["input"]},
                *answer.output,
                {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "it says 42"},
            ]
            assert "42" in client.responses.create(model=TALKS, input=back, tools=[SHELL]).output_text
        kinds = named(client, **asked)
        assert "response.custom_tool_call_input.delta" in kinds
        assert kinds[-3:] == [
            "response.custom_tool_call_input.done",
            "response.output_item.done",
            "response.completed",
        ]


class TestHostedTools:
    def test_a_web_search_comes_before_an_answer_that_cites_it(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {
            "model": TALKS,
            "input": "Search the web for news of penguins.",
            "tools": [{"type": "web_search"}],
            "include": ["web_search_call.action.sources"],
        }
        for answer in both(client, **asked):
            search, message = answer.output
            assert (search.type, search.status, search.id[:3]) == ("web_search_call", "completed", "ws_")
            part = message.content[0]
            [cited] = part.annotations
            assert cited.type == "url_citation"
            assert cited.url in part.text[cited.start_index : cited.end_index]
            assert [source.url for source in search.action.sources] == [cited.url]
        assert named(client, **asked)[2:7] == [
            "response.output_item.added",
            "response.web_search_call.in_progress",
            "response.web_search_call.searching",
            "response.web_search_call.completed",
            "response.output_item.done",
        ]
        assert "response.output_text.annotation.added" in named(client, **asked)

    def test_sources_come_only_where_they_are_included(self, client: OpenAI) -> None:
        answer = client.responses.create(
            model=TALKS, input="Search the web for penguins.", tools=[{"type": "web_search"}]
        )
        assert "sources" not in answer.output[0].to_dict()["action"]

    @pytest.mark.parametrize(
        ("tool", "items"),
        [
            ({"type": "file_search", "vector_store_ids": ["vs_1"]}, ["file_search_call"]),
            ({"type": "code_interpreter", "container": {"type": "auto"}}, ["code_interpreter_call"]),
            ({"type": "image_generation"}, ["image_generation_call"]),
        ],
        ids=lambda each: each["type"] if isinstance(each, dict) else "",
    )
    def test_a_hosted_tool_that_is_chosen_is_used(self, client: OpenAI, tool: Any, items: list[str]) -> None:
        asked: dict[str, Any] = {"model": TALKS, "input": "Hello", "tools": [tool]}
        for answer in both(client, **asked, tool_choice={"type": tool["type"]}):
            assert [item.type for item in answer.output] == [*items, "message"]
        for answer in both(client, **asked):
            assert [item.type for item in answer.output] == ["message"]
        for answer in both(client, **asked, tool_choice="required"):
            assert [item.type for item in answer.output] == [*items, "message"]

    def test_a_picture_that_was_made_is_one(self, client: OpenAI) -> None:
        for answer in both(
            client, model=TALKS, input="Draw an image of a cat", tools=[{"type": "image_generation"}]
        ):
            assert base64.b64decode(answer.output[0].result).startswith(b"\x89PNG")

    @pytest.mark.parametrize("wanted", [None, 0, 3])
    def test_pictures_are_shown_while_one_is_made(self, client: OpenAI, wanted: int | None) -> None:
        tool: Any = {"type": "image_generation", **({} if wanted is None else {"partial_images": wanted})}
        asked: Any = {"model": TALKS, "input": "Draw an image of a cat", "tools": [tool]}
        with client.responses.stream(**asked) as events:
            told = list(events)
        shown = [each for each in told if each.type == "response.image_generation_call.partial_image"]
        assert [each.partial_image_index for each in shown] == list(range(wanted or 0))
        assert all(base64.b64decode(each.partial_image_b64).startswith(b"\x89PNG") for each in shown)
        kinds = [each.type.rpartition(".")[2] for each in told if "image_generation_call" in each.type]
        assert kinds == ["in_progress", "generating", *["partial_image"] * (wanted or 0), "completed"]

    def test_a_server_is_asked_after_its_approval(self, client: OpenAI) -> None:
        tool: Any = {
            "type": "mcp",
            "server_label": "wiki",
            "server_url": "https://example.com",
            "require_approval": "always",
        }
        prompt: Any = {"role": "user", "content": "Use the tools of the server to find penguins."}
        for answer in both(client, model=TALKS, input=[prompt], tools=[tool]):
            listed, asks = answer.output
            assert (listed.type, asks.type) == ("mcp_list_tools", "mcp_approval_request")
            yes = {"type": "mcp_approval_response", "approval_request_id": asks.id, "approve": True}
            back = [prompt, *answer.output, yes]
            for final in both(client, model=TALKS, input=back, tools=[tool]):
                assert "mcp_call" in [item.type for item in final.output]
                assert final.output_text

    def test_no_more_calls_are_made_than_are_allowed(self, client: OpenAI) -> None:
        tools: Any = [{"type": "web_search"}, {"type": "file_search", "vector_store_ids": ["vs_1"]}]
        asked: dict[str, Any] = {"model": TALKS, "input": "Search the web and my files.", "tools": tools}
        for most, found in ((None, 2), (1, 1)):
            for answer in both(client, **asked, max_tool_calls=most):
                assert len([item for item in answer.output if item.type != "message"]) == found


class TestStructure:
    def test_an_answer_is_parsed_into_its_class(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {"model": TALKS, "input": "Ada is 36 years old.", "text_format": Person}
        assert client.responses.parse(**asked).output_parsed == Person(name="Ada", age=36)
        with client.responses.stream(**asked) as events:
            assert events.get_final_response().output_parsed == Person(name="Ada", age=36)

    def test_the_form_is_repeated(self, client: OpenAI) -> None:
        form = {
            "type": "json_schema",
            "name": "p",
            "schema": {**Person.model_json_schema(), "additionalProperties": False},
            "strict": True,
            "description": None,
        }
        for answer in both(client, model=TALKS, input="Ada is 36.", text={"format": form}):
            assert answer.to_dict()["text"]["format"] == form
            assert set(json.loads(answer.output_text)) == {"name", "age"}

    def test_any_object_is_json(self, client: OpenAI) -> None:
        for answer in both(
            client, model=TALKS, input="Name and age as JSON.", text={"format": {"type": "json_object"}}
        ):
            assert isinstance(json.loads(answer.output_text), dict)


class TestReasoning:
    def test_a_trace_is_hidden_unless_a_summary_is_asked_for(self, client: OpenAI) -> None:
        for answer in both(client, model=THINKS, input="Hello there, how are you?"):
            assert answer.output[0].type == "reasoning"
            assert answer.output[0].summary == []
            assert answer.usage.output_tokens_details.reasoning_tokens > 0

    @pytest.mark.parametrize("wanted", ["auto", "concise", "detailed"])
    def test_a_summary_comes_in_parts(self, client: OpenAI, wanted: Any) -> None:
        asked: dict[str, Any] = {
            "model": THINKS,
            "input": "Explain the tides.",
            "reasoning": {"summary": wanted},
        }
        for answer in both(client, **asked):
            parts = answer.output[0].summary
            assert (len(parts) > 1) == (wanted == "detailed")
            assert all(part.text for part in parts)
            assert answer.reasoning.summary == wanted
        assert named(client, **asked)[2:8] == [
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done" if wanted != "detailed" else "response.reasoning_summary_part.added",
        ]

    def test_a_sealed_trace_is_taken_back(self, client: OpenAI) -> None:
        asked: dict[str, Any] = {"model": THINKS, "store": False, "include": ["reasoning.encrypted_content"]}
        for answer in both(client, input=SINGAPORE, tools=[WEATHER], **asked):
            thought, call = answer.output
            assert thought.encrypted_content
            back: Any = [
                {"role": "user", "content": SINGAPORE},
                *answer.output,
                {"type": "function_call_output", "call_id": call.call_id, "output": "31 degrees"},
            ]
            assert "31" in client.responses.create(input=back, tools=[WEATHER], **asked).output_text
        answer = client.responses.create(model=THINKS, input="Hello")
        assert answer.output[0].encrypted_content is None

    def test_no_effort_is_no_trace(self, client: OpenAI) -> None:
        answer = client.responses.create(model="gpt-5.1", input="Hello")
        assert [item.type for item in answer.output] == ["message"]
        assert answer.reasoning.effort == "none"


class TestMantle:
    def test_gpt_oss_sends_fewer_members_and_its_trace_in_words(self, mock_provider: Any) -> None:
        """Not strict: what it sends lacks what the SDK wants."""
        with mock_provider.openai_client(base_url=mock_provider.url("bedrock-mantle") + "/v1") as client:
            plain = client.responses.create(model=OSS, input=AMBER)
            events = list(client.responses.create(model=OSS, input=AMBER, stream=True))
            raw = client.responses.with_raw_response.create(model=OSS, input=AMBER).http_response.text
        # The SDK makes a float of whatever comes.
        assert isinstance(json.loads(raw)["created_at"], float)
        for answer in (plain, events[-1].response):
            assert answer.output_text == "amber kettle 42"
            assert not {"store", "max_output_tokens", "reasoning"} & set(answer.to_dict())
            assert answer.output[0].content[0].type == "reasoning_text"
        assert "response.reasoning_part.added" in [event.type for event in events]

    def test_gpt_5_numbers_its_calls_from_zero(self, mock_provider: Any) -> None:
        with mock_provider.openai_client(
            base_url=mock_provider.url("bedrock-mantle") + "/openai/v1", max_retries=0
        ) as client:
            for answer in both(client, model="openai.gpt-5.6-luna", input=SINGAPORE, tools=[WEATHER]):
                assert [item.call_id for item in answer.output if item.type == "function_call"] == ["call_0"]
                assert answer.to_dict()["prompt_cache_retention"] == "in_memory"


@pytest.mark.parametrize("place", ["openai", "bedrock-mantle"])
def test_null_stands_for_what_is_left_out(mock_provider: Any, place: str) -> None:
    # What llama-index-llms-openai 0.8.3 sends with every request.
    left_out: Any = dict.fromkeys(
        ("include", "instructions", "max_output_tokens", "metadata", "previous_response_id", "user")
    )
    model = TALKS if place == "openai" else OSS
    with mock_provider.openai_client(base_url=mock_provider.url(place) + "/v1", max_retries=0) as client:
        for answer in both(client, model=model, input=AMBER, tools=[], truncation="disabled", **left_out):
            assert answer.output_text == "amber kettle 42"
