"""The OpenAI SDK for Python as a reader of the mock: Chat Completions, Responses, models, and Puter's endpoint.

The SDK builds its objects from whatever comes, so what it yields is looked at, and its accumulator
(`client.responses.stream`), which does check the order of events, is used wherever there is one.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import jsonschema
import openai
import pytest
from openai import AsyncOpenAI, BedrockOpenAI, OpenAI
from pydantic import BaseModel

from conformance.contract import Failure
from conformance.loading import load
from conformance.probes.picture import draw
from tests.clients.raised import class_of

MODEL = "mistral.magistral-small-2509"
AMBER = "Reply with exactly: amber kettle 42"

SPECS = load()

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
FUNCTION = {"name": "get_weather", "description": "Current weather of a city", "parameters": WEATHER}
CHAT_TOOL: Any = {"type": "function", "function": FUNCTION}
RESPONSES_TOOL: Any = {"type": "function", "strict": True, **FUNCTION}
PICTURE = "data:image/png;base64," + base64.b64encode(draw("K7Q2")).decode()
WHICH_CODE = "Which code is drawn in this picture? Answer with the code only."


class Person(BaseModel):
    name: str
    age: int
    unit: Literal["celsius", "fahrenheit"]


@pytest.fixture
def client(mock_provider: Any) -> Iterator[OpenAI]:
    """A client that tries once."""
    with mock_provider.openai_client(max_retries=0) as made:
        yield made


@pytest.fixture
def puter(mock_provider: Any) -> Iterator[OpenAI]:
    """A client of Puter's OpenAI-compatible endpoint."""
    with mock_provider.openai_client(
        base_url=mock_provider.url("puter") + "/puterai/openai/v1/",
        api_key=mock_provider.info["puter_token"],
        max_retries=0,
    ) as made:
        yield made


def say(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def refused(call: Callable[[], Any]) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    assert type(caught.value) is class_of(caught.value.status_code)
    return caught.value


def joined(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


class TestChat:
    def test_an_answer_is_read(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(model=MODEL, messages=say(AMBER))
        [choice] = answer.choices
        assert (choice.message.role, choice.message.content) == ("assistant", "amber kettle 42")
        assert (choice.finish_reason, answer.model, answer.object) == ("stop", MODEL, "chat.completion")
        assert answer.id.startswith("chatcmpl-")
        assert answer.created > 1_700_000_000
        assert answer._request_id
        usage = answer.usage
        assert usage
        assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
        assert min(usage.prompt_tokens, usage.completion_tokens) > 0

    def test_a_stream_is_read_to_its_end(self, client: OpenAI) -> None:
        chunks = list(client.chat.completions.create(model=MODEL, messages=say(AMBER), stream=True))
        assert joined(chunks) == "amber kettle 42"
        assert chunks[0].choices[0].delta.role == "assistant"
        assert [each.choices[0].finish_reason for each in chunks if each.choices[0].finish_reason] == ["stop"]
        assert len({each.id for each in chunks}) == 1
        assert not any(each.usage for each in chunks)

    def test_a_stream_ends_with_its_usage_when_that_is_asked_for(self, client: OpenAI) -> None:
        plain = client.chat.completions.create(model=MODEL, messages=say(AMBER))
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=say(AMBER), stream=True, stream_options={"include_usage": True}
            )
        )
        assert [bool(each.usage) for each in chunks] == [*[False] * (len(chunks) - 1), True]
        assert chunks[-1].choices == []
        assert chunks[-1].usage == plain.usage

    def test_the_last_message_of_a_stream_is_done(self, client: OpenAI) -> None:
        with client.chat.completions.with_streaming_response.create(
            model=MODEL, messages=say(AMBER), stream=True
        ) as answer:
            lines = [line for line in answer.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        assert all(json.loads(line.removeprefix("data: ")) for line in lines[:-1])

    def test_the_accumulator_of_the_sdk_makes_the_same_answer(self, client: OpenAI) -> None:
        with client.chat.completions.stream(model=MODEL, messages=say(AMBER)) as stream:
            made = stream.get_final_completion()
        assert (made.choices[0].message.content, made.choices[0].finish_reason) == ("amber kettle 42", "stop")

    def test_both_kinds_of_client_read_both_forms_at_once(self, mock_provider: Any) -> None:
        async def ask() -> list[str]:
            async with AsyncOpenAI(max_retries=0) as client:

                async def streamed(text: str) -> str:
                    said = await client.chat.completions.create(model=MODEL, messages=say(text), stream=True)
                    return joined([chunk async for chunk in said])

                async def plain(text: str) -> str:
                    answer = await client.chat.completions.create(model=MODEL, messages=say(text))
                    return answer.choices[0].message.content or ""

                asked = (f"Reply with exactly: number {n}" for n in range(6))
                return await asyncio.gather(
                    *((streamed if n % 2 else plain)(text) for n, text in enumerate(asked))
                )

        assert asyncio.run(ask()) == [f"number {n}" for n in range(6)]
        assert sorted(turn.stream for turn in mock_provider.requests) == [False] * 3 + [True] * 3

    @pytest.mark.parametrize("member", ["max_tokens", "max_completion_tokens"])
    def test_a_cap_of_one_token_ends_with_length(self, client: OpenAI, member: str) -> None:
        cap: Any = {member: 1}
        answer = client.chat.completions.create(model=MODEL, messages=say("Count from 1 to 50."), **cap)
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage
        assert answer.usage.completion_tokens == 1

    def test_a_stream_capped_at_one_token_ends_with_length(self, client: OpenAI) -> None:
        chunks = list(
            client.chat.completions.create(
                model=MODEL, messages=say("Count from 1 to 50."), max_tokens=1, stream=True
            )
        )
        assert [each.choices[0].finish_reason for each in chunks if each.choices[0].finish_reason] == [
            "length"
        ]

    @pytest.mark.parametrize(
        "choice", ["auto", "required", {"type": "function", "function": {"name": "get_weather"}}]
    )
    def test_a_tool_is_called_with_arguments_that_fit_its_schema(self, client: OpenAI, choice: Any) -> None:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=say("What is the weather in Lisbon, in celsius?"),
            tools=[CHAT_TOOL],
            tool_choice=choice,
        )
        [call] = answer.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert call.function.name == "get_weather"
        arguments = json.loads(call.function.arguments)
        jsonschema.validate(arguments, WEATHER)
        assert arguments == {"city": "Lisbon", "unit": "celsius"}
        assert answer.choices[0].finish_reason == "tool_calls"

    def test_a_streamed_call_is_put_together_by_the_accumulator(self, client: OpenAI) -> None:
        with client.chat.completions.stream(
            model=MODEL,
            messages=say("What is the weather in Lisbon, in celsius?"),
            tools=[{"type": "function", "function": {**FUNCTION, "strict": True}}],
            tool_choice="required",
        ) as stream:
            seen = [event.type for event in stream]
            made = stream.get_final_completion()
        [call] = made.choices[0].message.tool_calls or []
        assert json.loads(call.function.arguments) == {"city": "Lisbon", "unit": "celsius"}
        assert "tool_calls.function.arguments.delta" in seen
        assert made.choices[0].finish_reason == "tool_calls"

    def test_a_greeting_calls_no_tool_of_its_own_accord(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(model=MODEL, messages=say("Good morning!"), tools=[CHAT_TOOL])
        assert not answer.choices[0].message.tool_calls
        assert answer.choices[0].message.content

    def test_the_result_of_a_tool_is_used(self, client: OpenAI) -> None:
        question = say("What is the weather in Lisbon?")
        first = client.chat.completions.create(
            model=MODEL, messages=question, tools=[CHAT_TOOL], tool_choice="required"
        )
        message = first.choices[0].message
        [call] = message.tool_calls or []
        result: Any = {"role": "tool", "tool_call_id": call.id, "content": "It is 31 degrees and hailing."}
        answer = client.chat.completions.create(
            model=MODEL, messages=[*question, message.to_dict(), result], tools=[CHAT_TOOL]
        )
        assert "31 degrees" in (answer.choices[0].message.content or "")
        assert answer.choices[0].finish_reason == "stop"

    def test_an_answer_ends_before_its_stop_sequence(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(
            model=MODEL, messages=say("Reply with exactly: one two HALT three"), stop=["HALT"]
        )
        assert (answer.choices[0].message.content or "").strip() == "one two"
        assert answer.choices[0].finish_reason == "stop"

    def test_a_structured_answer_is_parsed_into_the_class_asked_for(self, client: OpenAI) -> None:
        answer = client.chat.completions.parse(
            model=MODEL,
            messages=say("Ada, who is 36 years old, thinks in fahrenheit. Give her as JSON."),
            response_format=Person,
        )
        assert answer.choices[0].message.parsed == Person(name="Ada", age=36, unit="fahrenheit")

    def test_any_object_is_an_object(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(
            model=MODEL, messages=say("Give me a JSON object."), response_format={"type": "json_object"}
        )
        assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)

    def test_several_answers_are_several_choices(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(model=MODEL, messages=say("Tell me of the sea."), n=3)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        assert all(choice.message.content for choice in answer.choices)

    def test_log_probabilities_may_be_asked_for(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(
            model=MODEL, messages=say(AMBER), logprobs=True, top_logprobs=2
        )
        assert answer.choices[0].message.content == "amber kettle 42"

    def test_the_code_in_a_picture_is_read_back(self, client: OpenAI) -> None:
        parts = [{"type": "text", "text": WHICH_CODE}, {"type": "image_url", "image_url": {"url": PICTURE}}]
        seen = client.chat.completions.create(model=MODEL, messages=say(parts))
        blind = client.chat.completions.create(model=MODEL, messages=say(WHICH_CODE))
        assert "K7Q2" in (seen.choices[0].message.content or "")
        assert "K7Q2" not in (blind.choices[0].message.content or "")

    def test_what_the_system_message_states_is_known(self, client: OpenAI) -> None:
        system = {"role": "system", "content": "You are a helpful assistant. The code word is HERON5."}
        question = say("What is the code word? Answer with the code word only.")
        told = client.chat.completions.create(model=MODEL, messages=[system, *question])
        untold = client.chat.completions.create(model=MODEL, messages=question)
        assert "HERON5" in (told.choices[0].message.content or "")
        assert "HERON5" not in (untold.choices[0].message.content or "")

    def test_the_tier_asked_for_is_echoed(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(model=MODEL, messages=say("Hello"), service_tier="flex")
        assert answer.service_tier == "flex"


class TestResponses:
    def test_an_answer_is_read(self, client: OpenAI) -> None:
        answer = client.responses.create(model=MODEL, input=AMBER)
        assert (answer.output_text, answer.status, answer.model) == ("amber kettle 42", "completed", MODEL)
        assert answer.id.startswith("resp_")
        usage = answer.usage
        assert usage
        assert usage.input_tokens + usage.output_tokens == usage.total_tokens
        assert min(usage.input_tokens, usage.output_tokens) > 0

    def test_a_stream_is_read_event_by_event(self, client: OpenAI) -> None:
        events: list[Any] = list(client.responses.create(model=MODEL, input=AMBER, stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == "amber kettle 42"
        assert len(deltas) > 1
        assert events[-1].response.output_text == "amber kettle 42"
        assert events[-1].response.usage.total_tokens > 0

    def test_the_accumulator_of_the_sdk_finds_nothing_out_of_order(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input=AMBER) as stream:
            seen = [event.type for event in stream]
            made = stream.get_final_response()
        assert made.output_text == "amber kettle 42"
        assert seen[-1] == "response.completed"

    def test_the_accumulator_puts_a_call_together(self, client: OpenAI) -> None:
        with client.responses.stream(
            model=MODEL,
            input="What is the weather in Lisbon, in celsius?",
            tools=[RESPONSES_TOOL],
            tool_choice="required",
        ) as stream:
            seen = [event.type for event in stream]
            made = stream.get_final_response()
        [call] = [item for item in made.output if item.type == "function_call"]
        assert json.loads(call.arguments) == {"city": "Lisbon", "unit": "celsius"}
        assert "response.function_call_arguments.done" in seen

    @pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "name": "get_weather"}])
    def test_a_tool_is_called_and_its_result_used(self, client: OpenAI, choice: Any) -> None:
        first = client.responses.create(
            model=MODEL,
            input="What is the weather in Lisbon, in celsius?",
            tools=[RESPONSES_TOOL],
            tool_choice=choice,
        )
        [call] = [item for item in first.output if item.type == "function_call"]
        jsonschema.validate(json.loads(call.arguments), WEATHER)
        assert json.loads(call.arguments)["city"] == "Lisbon"
        output = "It is 31 degrees and hailing."
        second = client.responses.create(
            model=MODEL,
            previous_response_id=first.id,
            input=[{"type": "function_call_output", "call_id": call.call_id, "output": output}],
            tools=[RESPONSES_TOOL],
        )
        assert "31 degrees" in second.output_text

    def test_a_chain_of_answers_knows_what_was_said(self, client: OpenAI) -> None:
        first = client.responses.create(model=MODEL, input="The code word is PELICAN7. Remember it.")
        second = client.responses.create(model=MODEL, input="Thank you.", previous_response_id=first.id)
        question = "What is the code word? Answer with the code word only."
        third = client.responses.create(model=MODEL, input=question, previous_response_id=second.id)
        assert "PELICAN7" in third.output_text
        assert third.previous_response_id == second.id
        assert "PELICAN7" not in client.responses.create(model=MODEL, input=question).output_text

    def test_an_answer_that_was_streamed_can_be_continued(self, client: OpenAI) -> None:
        events: list[Any] = list(
            client.responses.create(model=MODEL, input="The code word is PELICAN7. Remember it.", stream=True)
        )
        answer = client.responses.create(
            model=MODEL,
            input="What is the code word? Answer with the code word only.",
            previous_response_id=events[-1].response.id,
        )
        assert "PELICAN7" in answer.output_text

    def test_an_answer_that_was_not_stored_cannot_be_continued(self, client: OpenAI) -> None:
        first = client.responses.create(model=MODEL, input="Hello there", store=False)
        error = refused(
            lambda: client.responses.create(model=MODEL, input="And now?", previous_response_id=first.id)
        )
        assert (error.status_code, error.code) == (404, "not_found")

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_cap_that_is_reached_leaves_an_incomplete_answer(self, client: OpenAI, stream: bool) -> None:
        text = "Count from 1 to 100, one number after the other."
        answer: Any = client.responses.create(model=MODEL, input=text, max_output_tokens=16, stream=stream)
        if stream:
            last = list(answer)[-1]
            assert last.type == "response.incomplete"
            answer = last.response
        assert answer.status == "incomplete"
        assert answer.incomplete_details.reason == "max_output_tokens"
        assert answer.usage.output_tokens == 16

    def test_a_structured_answer_is_parsed_into_the_class_asked_for(self, client: OpenAI) -> None:
        answer = client.responses.parse(
            model=MODEL,
            input="Ada, who is 36 years old, thinks in fahrenheit. Give her as JSON.",
            text_format=Person,
        )
        assert answer.output_parsed == Person(name="Ada", age=36, unit="fahrenheit")

    def test_what_the_instructions_state_is_known(self, client: OpenAI) -> None:
        answer = client.responses.create(
            model=MODEL,
            instructions="You are a helpful assistant. The code word is HERON5.",
            input="What is the code word? Answer with the code word only.",
        )
        assert "HERON5" in answer.output_text
        assert answer.instructions == "You are a helpful assistant. The code word is HERON5."

    def test_the_code_in_a_picture_is_read_back(self, client: OpenAI) -> None:
        content: Any = [
            {"type": "input_text", "text": WHICH_CODE},
            {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
        ]
        answer = client.responses.create(model=MODEL, input=[{"role": "user", "content": content}])
        assert "K7Q2" in answer.output_text

    def test_an_asynchronous_client_reads_both_forms(self, mock_provider: Any) -> None:
        async def ask() -> tuple[str, str]:
            async with AsyncOpenAI(max_retries=0) as client:
                plain = await client.responses.create(model=MODEL, input=AMBER)
                async with client.responses.stream(model=MODEL, input=AMBER) as stream:
                    streamed = await stream.get_final_response()
                return plain.output_text, streamed.output_text

        assert asyncio.run(ask()) == ("amber kettle 42", "amber kettle 42")

    def test_an_error_inside_a_stream_comes_as_an_event(self, mock_provider: Any, client: OpenAI) -> None:
        mock_provider.fail("throttling", after_events=2)
        events: list[Any] = list(client.responses.create(model=MODEL, input="Hello there", stream=True))
        *begun, error, failed = events
        assert [event.type for event in begun] == ["response.created", "response.in_progress"]
        assert (error.type, error.code) == ("error", "rate_limit_exceeded")
        assert "Too many requests" in error.message
        assert (failed.type, failed.response.status) == ("response.failed", "failed")
        assert failed.response.error.code == error.code

    @pytest.mark.mock_provider(reality="observed")
    def test_in_the_reality_observed_the_seed_model_has_no_responses(self, client: OpenAI) -> None:
        error = refused(lambda: client.responses.create(model=MODEL, input="Hello"))
        assert error.status_code == 400
        assert "/v1/responses" in str(error)


class TestModels:
    def test_the_list_holds_the_seed_model(self, client: OpenAI) -> None:
        models = list(client.models.list())
        assert MODEL in [each.id for each in models]
        assert {each.object for each in models} == {"model"}

    def test_a_model_is_retrieved_by_its_id(self, client: OpenAI) -> None:
        model = client.models.retrieve(MODEL)
        assert (model.id, model.object, model.owned_by) == (MODEL, "model", "system")
        assert model.created > 1_600_000_000

    def test_a_model_that_is_not_there_is_not_found(self, client: OpenAI) -> None:
        error = refused(lambda: client.models.retrieve("no.such-model"))
        assert (error.status_code, error.code) == (404, "not_found")


def ask(client: OpenAI, contract: str) -> Any:
    """Asks the operation; a stream is read to its end."""
    model = "mistralai/magistral-small-2509" if contract.startswith("puter") else MODEL
    if "responses" in contract:
        answer: Any = client.responses.create(model=model, input="Hello", stream=contract.endswith("-stream"))
    else:
        answer = client.chat.completions.create(
            model=model, messages=say("Hello"), stream=contract.endswith("-stream")
        )
    return list(answer) if contract.endswith("-stream") else answer


def errors(*contracts: str) -> list[Any]:
    return [
        pytest.param(contract, failure, id=f"{contract}:{failure.id}")
        for contract in contracts
        for failure in SPECS.contracts[contract].failures.values()
        if failure.status >= 400 and failure.reality != "observed"
    ]


class TestErrors:
    @pytest.mark.parametrize(
        ("contract", "failure"),
        errors(
            "bedrock-mantle/chat-completions",
            "bedrock-mantle/chat-completions-stream",
            "bedrock-mantle/responses",
            "bedrock-mantle/responses-stream",
        ),
    )
    def test_each_error_is_raised_as_its_class_with_its_code(
        self, mock_provider: Any, client: OpenAI, contract: str, failure: Failure
    ) -> None:
        mock_provider.fail(failure.id)
        error = refused(lambda: ask(client, contract))
        assert (error.status_code, error.code) == (failure.status, failure.code)
        assert error.request_id
        if failure.code is not None:
            assert error.type
            assert error.param is None
            assert len(error.message) > len("Error code: 400 - ")
        assert "{" not in error.message.replace("ErrorEvent { error: APIError {", ""), (
            "an unfilled placeholder"
        )

    @pytest.mark.parametrize(
        ("contract", "failure"), errors("puter/chat-completions", "puter/chat-completions-stream")
    )
    def test_each_error_of_puter_is_raised_with_a_body_that_is_a_mere_string(
        self, mock_provider: Any, puter: OpenAI, contract: str, failure: Failure
    ) -> None:
        mock_provider.fail(failure.id)
        error = refused(lambda: ask(puter, contract))
        assert error.status_code == failure.status
        assert isinstance(error.body, str)
        assert error.code is None
        assert "{member}" not in error.body

    @pytest.mark.parametrize("name", ["throttling", "internal", "unavailable"])
    def test_an_error_inside_a_chat_stream_is_raised_after_the_chunks_before_it(
        self, mock_provider: Any, client: OpenAI, name: str
    ) -> None:
        failure = SPECS.contracts["bedrock-mantle/chat-completions-stream"].failures[name]
        mock_provider.fail(name, after_events=2)
        chunks = []
        with pytest.raises(openai.APIError) as caught:
            for chunk in client.chat.completions.create(
                model=MODEL, messages=say("Hello there"), stream=True
            ):
                chunks.append(chunk)
        assert len(chunks) == 2
        assert caught.value.code == failure.code

    def test_a_cut_stream_gives_the_chunks_before_the_cut_and_then_breaks(
        self, mock_provider: Any, client: OpenAI
    ) -> None:
        mock_provider.cut(after_events=3)
        chunks = []
        with pytest.raises(openai.APIConnectionError):
            for chunk in client.chat.completions.create(
                model=MODEL, messages=say("Hello there"), stream=True
            ):
                chunks.append(chunk)
        assert len(chunks) == 3

    def test_throttling_is_retried_until_it_is_over(self, mock_provider: Any, openai_client: OpenAI) -> None:
        mock_provider.fail("throttling", times=2)
        mock_provider.reply("back again")
        answer = openai_client.chat.completions.with_raw_response.create(model=MODEL, messages=say("Hello"))
        assert answer.retries_taken == 2
        assert answer.parse().choices[0].message.content == "back again"
        assert [entry.status for entry in mock_provider.journal] == [429, 429, 200]

    def test_a_model_that_is_not_there_is_not_found(self, client: OpenAI) -> None:
        error = refused(lambda: client.chat.completions.create(model="no.such", messages=say("Hello")))
        assert (error.status_code, error.code, error.type) == (404, "not_found", "invalid_request_error")
        assert "no.such" in str(error)

    @pytest.mark.parametrize(
        "body",
        [
            {"messages": "Hello"},
            {"messages": []},
            {"messages": [{"role": "nobody", "content": "Hello"}]},
            {"messages": [{"role": "user", "content": [{"type": "smell", "text": "Hello"}]}]},
            {"messages": say("Hello"), "temperature": "warm"},
            {"messages": say("Hello"), "max_tokens": 0},
            {"messages": say("Hello"), "tools": [{"type": "function"}]},
            {"messages": say("Hello"), "service_tier": "reserved"},
            {"messages": say("Hello"), "response_format": {"type": "xml"}},
        ],
        ids=["text", "none", "role", "part", "temperature", "cap", "tool", "tier", "format"],
    )
    def test_a_chat_of_the_wrong_shape_is_refused(
        self, mock_provider: Any, client: OpenAI, body: Any
    ) -> None:
        error = refused(lambda: client.chat.completions.create(model=MODEL, **body))
        assert (error.status_code, error.code) == (400, "validation_error")
        assert mock_provider.journal[-1].refused in ("request-shape", "tier-not-offered")

    @pytest.mark.parametrize(
        "body",
        [
            {"input": 5},
            {"input": [{"role": "nobody", "content": "Hello"}]},
            {"input": "Hello", "max_output_tokens": 15},
            {"input": "Hello", "tools": [{"type": "telepathy"}]},
            {"input": "Hello", "service_tier": "reserved"},
        ],
        ids=["number", "role", "cap", "tool", "tier"],
    )
    def test_a_response_of_the_wrong_shape_is_refused(self, client: OpenAI, body: Any) -> None:
        error = refused(lambda: client.responses.create(model=MODEL, **body))
        assert (error.status_code, error.code) == (400, "validation_error")

    def test_a_path_that_is_none_is_not_found(self, client: OpenAI) -> None:
        error = refused(lambda: client.batches.list())
        assert (error.status_code, error.body) == (404, {})

    def test_more_output_than_the_model_has_is_refused(self, mock_provider: Any, client: OpenAI) -> None:
        client.chat.completions.create(model=MODEL, messages=say(AMBER), max_tokens=40_000)
        error = refused(
            lambda: client.chat.completions.create(model=MODEL, messages=say("Hello"), max_tokens=40_001)
        )
        assert error.status_code == 400
        assert mock_provider.journal[-1].refused == "output-cap-exceeded"

    def test_a_prompt_beyond_the_window_is_refused(self, mock_provider: Any, client: OpenAI) -> None:
        error = refused(lambda: client.chat.completions.create(model=MODEL, messages=say("hello " * 140_000)))
        assert error.status_code == 400
        assert mock_provider.journal[-1].refused == "context-overflow"

    def test_an_image_that_is_none_is_refused(self, mock_provider: Any, client: OpenAI) -> None:
        parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
        error = refused(lambda: client.chat.completions.create(model=MODEL, messages=say(parts)))
        assert error.status_code == 400
        assert mock_provider.journal[-1].refused == "media-unreadable"

    @pytest.mark.parametrize(
        "do",
        [
            lambda mock: mock.fail("timeout"),
            lambda mock: mock.cut(after_events=1),
            lambda mock: mock.fail("throttling", after_events=1),
        ],
        ids=["an error of another provider", "a cut of no stream", "an error in no stream"],
    )
    def test_a_script_that_does_not_fit_the_request_says_so_and_is_not_retried(
        self, mock_provider: Any, openai_client: OpenAI, do: Callable[[Any], None]
    ) -> None:
        do(mock_provider)
        error = refused(lambda: openai_client.chat.completions.create(model=MODEL, messages=say("Hello")))
        assert (error.status_code, error.code) == (501, "MockCannot")
        assert "bedrock-mantle/chat-completions" in str(error)
        assert len(mock_provider.journal) == 1


@pytest.mark.mock_provider(auth="strict")
class TestWhoAsks:
    def test_a_client_with_nothing_but_the_environment_is_let_in(self, mock_provider: Any) -> None:
        with OpenAI() as client:
            answer = client.chat.completions.create(model=MODEL, messages=say(AMBER))
        assert answer.choices[0].message.content == "amber kettle 42"

    def test_a_client_with_nothing_but_the_environment_trusts_the_certificate(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", mock_provider.url(tls=True) + "/v1")
        with OpenAI(max_retries=0) as client:
            assert client.responses.create(model=MODEL, input=AMBER).output_text == "amber kettle 42"

    @pytest.mark.parametrize("key", ["sk-something-else", "ABSKbm90LWEta2V5"])
    def test_a_key_that_is_not_ours_is_refused(self, client: OpenAI, key: str) -> None:
        error = refused(
            lambda: client.with_options(api_key=key).chat.completions.create(
                model=MODEL, messages=say("Hello")
            )
        )
        assert (error.status_code, error.code) == (401, "invalid_api_key")
        assert error.request_id

    def test_bedrock_openai_sends_the_bearer_key(self, mock_provider: Any) -> None:
        with BedrockOpenAI(max_retries=0) as client:
            answer = client.chat.completions.create(model=MODEL, messages=say(AMBER))
        assert answer.choices[0].message.content == "amber kettle 42"

    @pytest.mark.parametrize("stream", [False, True])
    def test_bedrock_openai_signs(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, stream: bool
    ) -> None:
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
        monkeypatch.setenv("AWS_REGION", mock_provider.info["region"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", mock_provider.info["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", mock_provider.info["aws_secret_access_key"])
        with BedrockOpenAI(max_retries=0) as client:
            answer: Any = client.chat.completions.create(model=MODEL, messages=say(AMBER), stream=stream)
            said = joined(list(answer)) if stream else answer.choices[0].message.content
        assert said == "amber kettle 42"

    def test_a_signature_that_is_not_ours_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
        monkeypatch.setenv("AWS_REGION", mock_provider.info["region"])
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", mock_provider.info["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
        with BedrockOpenAI(max_retries=0) as client:
            error = refused(lambda: client.chat.completions.create(model=MODEL, messages=say("Hello")))
        assert error.status_code == 401

    def test_a_token_that_puter_did_not_make_is_refused(self, puter: OpenAI) -> None:
        error = refused(lambda: ask(puter.with_options(api_key="YOUR_PUTER_AUTH_TOKEN"), "puter"))
        assert (error.status_code, error.body) == (401, "Re-authentication required")

    def test_a_token_without_funds_is_told_so(self, mock_provider: Any, puter: OpenAI) -> None:
        poor = puter.with_options(api_key=mock_provider.info["puter_tokens"]["no-funds"])
        error = refused(lambda: ask(poor, "puter"))
        assert (error.status_code, error.body) == (402, "No usage left for request.")


class TestPuter:
    MODEL = "mistralai/magistral-small-2509"

    def test_an_answer_is_read(self, puter: OpenAI) -> None:
        answer = puter.chat.completions.create(model=self.MODEL, messages=say(AMBER))
        assert answer.choices[0].message.content == "amber kettle 42"
        assert (answer.choices[0].finish_reason, answer.model) == ("stop", self.MODEL)
        assert answer.usage
        assert answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.total_tokens

    def test_a_stream_is_read_and_ends_with_its_usage_unasked(self, puter: OpenAI) -> None:
        chunks = list(puter.chat.completions.create(model=self.MODEL, messages=say(AMBER), stream=True))
        assert joined(chunks) == "amber kettle 42"
        assert not any(chunk.choices[0].delta.role for chunk in chunks)
        assert [bool(chunk.usage) for chunk in chunks] == [*[False] * (len(chunks) - 1), True]
        assert chunks[-1].choices[0].finish_reason == "stop"

    @pytest.mark.parametrize("stream", [False, True])
    def test_a_tool_that_is_evidently_wanted_is_called(self, puter: OpenAI, stream: bool) -> None:
        answer: Any = puter.chat.completions.create(
            model=self.MODEL,
            messages=say("What is the weather in Lisbon, in celsius?"),
            tools=[CHAT_TOOL],
            stream=stream,
        )
        if stream:
            chunks = list(answer)
            calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
            finish = chunks[-1].choices[0].finish_reason
        else:
            calls, finish = answer.choices[0].message.tool_calls, answer.choices[0].finish_reason
        [call] = calls
        assert (call.function.name, finish) == ("get_weather", "tool_calls")
        jsonschema.validate(json.loads(call.function.arguments), WEATHER)

    def test_a_model_that_is_not_there_is_named_in_a_mere_string(self, puter: OpenAI) -> None:
        error = refused(lambda: puter.chat.completions.create(model="no.such", messages=say("Hello")))
        assert (error.status_code, error.body) == (400, "Model not found: no.such")

    def test_the_endpoint_has_no_list_of_models(self, puter: OpenAI) -> None:
        assert refused(lambda: puter.models.list()).status_code == 404
