"""Puter's endpoints for clients of OpenAI and of Anthropic, read by those clients: Python, Node and curl.

What differs from the vendors' own APIs is what these tests are about: members that are not looked at, streams without
a role and without a failure, an error that is a mere string, tokens of which few are taken.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from conformance.loading import load
from conformance.probes.picture import draw

MODEL = "mistralai/magistral-small-2509"
AMBER = "Reply with exactly: amber kettle 42"
PROMPT = "Explain quantum computing in simple terms"
TEXT = "Grüße aus Zürich: 量子 🙂, and a plain end."
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WISH = "Use the tool get_weather to tell me the weather in Singapore."
CHAT_TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
FLAT_TOOL: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": None}
BLOCK_TOOL: Any = {"name": "get_weather", "description": "Weather", "input_schema": WEATHER}
PICTURE = base64.b64encode(draw("K7Q2")).decode()
PATIENCE = 60
"""Seconds until a process counts as hanging."""

strict = pytest.mark.mock_provider(auth="strict")
SPECS = load()


def say(text: Any) -> Any:
    return [{"role": "user", "content": text}]


@pytest.fixture
def base(mock_provider: Any) -> str:
    return str(mock_provider.url("puter")) + "/puterai"


@pytest.fixture
def client(mock_provider: Any, base: str) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=base + "/openai/v1/", api_key=mock_provider.info["puter_token"], max_retries=0
    ) as made:
        yield made


@pytest.fixture
def claude(mock_provider: Any, base: str) -> Iterator[Anthropic]:
    """The Anthropic client; it shows its key in X-Api-Key."""
    with Anthropic(
        base_url=base + "/anthropic", api_key=mock_provider.info["puter_token"], max_retries=0
    ) as made:
        yield made


class TestOpenAI:
    def test_a_prompt_that_is_too_long_is_not_cut_though_it_may_be(self, client: OpenAI) -> None:
        long: Any = [*say("lorem " * 130_000), *say(AMBER)]
        refused = []
        for may in ("disabled", "auto"):
            with pytest.raises(openai.APIStatusError) as caught:
                client.responses.create(model=MODEL, input=long, truncation=may)
            refused.append((caught.value.status_code, caught.value.body))
        assert refused[0] == refused[1]
        assert 400 <= refused[0][0] < 500

    def test_a_chat_is_answered_with_puters_members_and_no_others(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(model=MODEL, messages=say(AMBER))
        assert answer.choices[0].message.content == "amber kettle 42"
        assert answer.model == MODEL
        said: Any = answer.to_dict()
        assert set(said) == {"id", "object", "created", "model", "choices", "usage"}
        assert set(said["usage"]) == {"prompt_tokens", "completion_tokens", "total_tokens"}

    def test_the_asynchronous_client_reads_answer_and_stream(self, mock_provider: Any, base: str) -> None:
        async def ask() -> tuple[str | None, str]:
            async with AsyncOpenAI(
                base_url=base + "/openai/v1", api_key=mock_provider.info["puter_token"], max_retries=0
            ) as made:
                plain = await made.chat.completions.create(model=MODEL, messages=say(AMBER))
                text = ""
                async for chunk in await made.chat.completions.create(
                    model=MODEL, messages=say(AMBER), stream=True
                ):
                    text += chunk.choices[0].delta.content or ""
                return plain.choices[0].message.content, text

        assert asyncio.run(ask()) == ("amber kettle 42", "amber kettle 42")

    def test_a_stream_has_no_role_and_ends_with_finish_and_usage_in_one_chunk(self, client: OpenAI) -> None:
        chunks = list(client.chat.completions.create(model=MODEL, messages=say(AMBER), stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "amber kettle 42"
        assert [chunk.choices[0].delta.role for chunk in chunks] == [None] * len(chunks)
        assert [bool(chunk.usage) for chunk in chunks] == [*[False] * (len(chunks) - 1), True]
        assert (chunks[-1].choices[0].finish_reason, chunks[-1].choices[0].delta.to_dict()) == ("stop", {})

    def test_a_stream_that_was_cut_by_the_cap_says_stop_and_a_plain_answer_length(
        self, client: OpenAI
    ) -> None:
        counting: Any = {"model": MODEL, "messages": say("Count from 1 to 50."), "max_tokens": 3}
        *_, last = client.chat.completions.create(**counting, stream=True)
        assert last.choices[0].finish_reason == "stop"
        assert client.chat.completions.create(**counting).choices[0].finish_reason == "length"

    def test_members_that_puter_does_not_read_change_nothing(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=say(AMBER),
            n=2,
            stop=["kettle"],
            max_completion_tokens=1,
            response_format={"type": "json_object"},
            tools=[CHAT_TOOL],
            tool_choice="required",
        )
        assert [choice.message.content for choice in answer.choices] == ["amber kettle 42"]

    def test_a_cap_above_the_models_is_lowered_without_a_word(self, client: OpenAI) -> None:
        answer = client.chat.completions.create(model=MODEL, messages=say(AMBER), max_tokens=10**9)
        assert answer.choices[0].message.content == "amber kettle 42"

    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
    def test_a_tool_is_called_whole_and_its_result_is_used(self, client: OpenAI, stream: bool) -> None:
        asked: Any = {"model": MODEL, "messages": say(WISH), "tools": [CHAT_TOOL]}
        if stream:
            chunks = list(client.chat.completions.create(**asked, stream=True))
            [[call]] = [c.choices[0].delta.tool_calls for c in chunks if c.choices[0].delta.tool_calls]
            assert call.index == 0
            finish = chunks[-1].choices[0].finish_reason
        else:
            [choice] = client.chat.completions.create(**asked).choices
            [call], finish = choice.message.tool_calls, choice.finish_reason
            assert choice.message.content == ""
        assert (finish, call.function.name) == ("tool_calls", "get_weather")
        assert call.function.arguments == '{"city":"Singapore"}'
        function: Any = {"name": call.function.name, "arguments": call.function.arguments}
        told = client.chat.completions.create(
            model=MODEL,
            messages=[
                *say(WISH),
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": call.id, "type": "function", "function": function}],
                },
                {"role": "tool", "tool_call_id": call.id, "content": "31 degrees and hailing"},
            ],
            tools=[CHAT_TOOL],
        )
        assert "31" in (told.choices[0].message.content or "")

    def test_an_image_for_a_text_model_is_refused_by_the_vendor(self, client: OpenAI) -> None:
        parts = [
            {"type": "text", "text": "Which code is drawn in this picture?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        ]
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model=MODEL, messages=say(parts))

    @pytest.mark.mock_provider(reality="observed")
    def test_an_image_for_a_text_model_was_seen_to_fail_with_500(self, client: OpenAI) -> None:
        parts = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}]
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model=MODEL, messages=say(parts))
        assert caught.value.body == "All providers failed"

    def test_a_model_without_a_list_is_404(self, client: OpenAI) -> None:
        for ask in (
            lambda: client.models.list(),
            lambda: client.embeddings.create(model=MODEL, input="Hi"),
            lambda: client.responses.retrieve("resp_0"),
        ):
            with pytest.raises(openai.NotFoundError):
                ask()

    def test_an_error_is_a_mere_string_without_code_and_type(self, client: OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="No.Such", messages=say("Hello"))
        error = caught.value
        assert (error.body, error.code, error.type) == ("Model not found: No.Such", None, None)
        assert str(error) == "Error code: 400"

    def test_a_prompt_is_continued(self, client: OpenAI) -> None:
        answer = client.completions.create(model=MODEL, prompt=AMBER)
        assert answer.id.startswith("cmpl-")
        assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("amber kettle 42", "stop")
        assert answer.usage
        assert answer.usage.total_tokens > 0
        assert client.completions.create(model=MODEL, prompt=[AMBER]).choices[0].text == "amber kettle 42"

    def test_a_prompt_is_continued_as_a_stream(self, client: OpenAI) -> None:
        chunks = list(client.completions.create(model=MODEL, prompt=AMBER, stream=True))
        assert "".join(chunk.choices[0].text for chunk in chunks) == "amber kettle 42"
        assert [bool(chunk.usage) for chunk in chunks] == [*[False] * (len(chunks) - 1), True]
        assert {chunk.object for chunk in chunks} == {"text_completion"}

    def test_several_prompts_are_refused(self, client: OpenAI) -> None:
        with pytest.raises(openai.BadRequestError):
            client.completions.create(model=MODEL, prompt=["one", "two"])

    def test_a_response_is_read_and_nothing_of_it_is_kept(self, client: OpenAI) -> None:
        answer = client.responses.create(model=MODEL, input=AMBER, instructions="Be brief.", store=True)
        assert (answer.output_text, answer.status, answer.instructions) == (
            "amber kettle 42",
            "completed",
            "Be brief.",
        )
        assert answer.usage
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
        again = client.responses.create(model=MODEL, input=AMBER, previous_response_id="resp_never_made")
        assert again.output_text == "amber kettle 42"

    def test_the_accumulator_of_the_sdk_reads_a_response_stream(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input=AMBER) as stream:
            events = list(stream)
            final = stream.get_final_response()
        assert final.output_text == "amber kettle 42"
        assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
        assert "response.in_progress" not in {event.type for event in events}

    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
    def test_a_response_calls_a_tool_and_uses_its_result(self, client: OpenAI, stream: bool) -> None:
        if stream:
            with client.responses.stream(model=MODEL, input=WISH, tools=[FLAT_TOOL]) as events:
                answer: Any = events.get_final_response()
        else:
            answer = client.responses.create(model=MODEL, input=WISH, tools=[FLAT_TOOL])
        [call] = [item for item in answer.output if item.type == "function_call"]
        assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Singapore"})
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "31 degrees"}
        made = {
            "type": "function_call",
            "call_id": call.call_id,
            "name": call.name,
            "arguments": call.arguments,
        }
        asked: Any = [{"role": "user", "content": WISH}, made, result]
        assert "31" in client.responses.create(model=MODEL, input=asked, tools=[FLAT_TOOL]).output_text

    def test_a_response_of_a_named_vendor_is_refused(self, client: OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model=MODEL, input="Hi", extra_body={"provider": "mistral"})
        assert caught.value.body == "`provider` must be 'openai-responses'"

    def test_a_response_without_a_cap_left_is_a_lack_of_funds(self, client: OpenAI) -> None:
        with pytest.raises(openai.APIStatusError) as caught:
            client.responses.create(model=MODEL, input="Hi", max_output_tokens=0)
        assert (caught.value.status_code, caught.value.body) == (402, "No usage left for request.")


TOKENS = {
    "account": (403, "app_or_api_token_required"),
    "account-free": (403, "app_or_api_token_required"),
    "temporary": (403, "app_or_api_token_required"),
    "app": (403, "forbidden"),
    "scoped": (403, "forbidden"),
    "api-free": (402, "subscription_required"),
    "api-temporary": (402, "subscription_required"),
    "no-funds": (402, "insufficient_funds"),
}
ROUTES: dict[str, Any] = {
    "/openai/v1/chat/completions": {"model": MODEL, "messages": say("Hello")},
    "/openai/v1/completions": {"model": MODEL, "prompt": "Hello"},
    "/openai/v1/responses": {"model": MODEL, "input": "Hello"},
    "/anthropic/v1/messages": {"model": MODEL, "max_tokens": 16, "messages": say("Hello")},
}


class TestTokens:
    @strict
    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("kind", TOKENS)
    def test_only_a_full_token_of_a_paid_account_is_taken(
        self, mock_provider: Any, base: str, curl: Any, route: str, kind: str
    ) -> None:
        token = mock_provider.info["puter_tokens"][kind]
        status, _, answer = curl(base + route, ROUTES[route], "-H", f"Authorization: Bearer {token}")
        assert (status, answer["code"]) == TOKENS[kind]
        assert answer["error"] == answer["message"]

    @strict
    def test_the_plan_of_the_account_is_named(self, mock_provider: Any, base: str, curl: Any) -> None:
        found = []
        for kind in ("api-free", "api-temporary"):
            token = mock_provider.info["puter_tokens"][kind]
            [route, *_] = ROUTES
            _, _, answer = curl(base + route, ROUTES[route], "-H", f"Authorization: Bearer {token}")
            found.append(answer["subscription"])
        assert found == ["user_free", "temp_free"]

    @strict
    @pytest.mark.parametrize("route", ROUTES)
    def test_the_good_token_is_taken_in_either_header(
        self, mock_provider: Any, base: str, curl: Any, route: str
    ) -> None:
        for shown in ("Authorization: Bearer {}", "X-Api-Key: {}"):
            token = shown.format(mock_provider.info["puter_token"])
            assert curl(base + route, ROUTES[route], "-H", token)[0] == 200

    @strict
    def test_sdks_raise_by_status(self, mock_provider: Any, client: OpenAI, claude: Anthropic) -> None:
        account = mock_provider.info["puter_tokens"]["account"]
        with pytest.raises(openai.PermissionDeniedError):
            client.with_options(api_key=account).chat.completions.create(model=MODEL, messages=say("Hello"))
        with pytest.raises(anthropic.PermissionDeniedError):
            claude.with_options(api_key=account).messages.create(
                model=MODEL, max_tokens=16, messages=say("Hello")
            )
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="bad").completions.create(model=MODEL, prompt="Hello")
        with pytest.raises(anthropic.AuthenticationError):
            claude.with_options(api_key="bad").messages.create(
                model=MODEL, max_tokens=16, messages=say("Hello")
            )


class TestAnthropic:
    def test_a_message_is_answered(self, claude: Anthropic) -> None:
        answer = claude.messages.create(model=MODEL, max_tokens=64, messages=say(AMBER))
        [block] = answer.content
        assert block.type == "text"
        assert block.text == "amber kettle 42"
        assert (answer.stop_reason, answer.model, answer.role) == ("end_turn", MODEL, "assistant")
        assert min(answer.usage.input_tokens, answer.usage.output_tokens) > 0
        assert set(answer.usage.to_dict()) == {"input_tokens", "output_tokens"}

    def test_the_system_prompt_and_earlier_turns_are_known(self, claude: Anthropic) -> None:
        answer = claude.messages.create(
            model=MODEL,
            max_tokens=64,
            system="You are a helpful assistant. The code word is HERON5.",
            messages=say("What is the code word? Answer with the code word only."),
        )
        assert "HERON5" in answer.content[0].text  # type: ignore[union-attr]

    def test_the_accumulator_of_the_sdk_makes_the_message_of_a_stream(self, claude: Anthropic) -> None:
        with claude.messages.stream(model=MODEL, max_tokens=64, messages=say(AMBER)) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert text == final.content[0].text == "amber kettle 42"  # type: ignore[union-attr]
        assert final.stop_reason == "end_turn"
        assert min(final.usage.input_tokens, final.usage.output_tokens) > 0

    def test_the_asynchronous_client_reads_a_stream(self, mock_provider: Any, base: str) -> None:
        async def ask() -> str:
            async with (
                AsyncAnthropic(
                    base_url=base + "/anthropic", api_key=mock_provider.info["puter_token"], max_retries=0
                ) as made,
                made.messages.stream(model=MODEL, max_tokens=64, messages=say(AMBER)) as stream,
            ):
                return await stream.get_final_text()

        assert asyncio.run(ask()) == "amber kettle 42"

    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
    def test_a_tool_is_called_and_its_result_is_used(self, claude: Anthropic, stream: bool) -> None:
        asked: Any = {"model": MODEL, "max_tokens": 256, "tools": [BLOCK_TOOL]}
        if stream:
            with claude.messages.stream(**asked, messages=say(WISH)) as events:
                answer: Any = events.get_final_message()
        else:
            answer = claude.messages.create(**asked, messages=say(WISH))
        [call] = answer.content
        assert (answer.stop_reason, call.name, call.input) == (
            "tool_use",
            "get_weather",
            {"city": "Singapore"},
        )
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "31 degrees"}
        told = claude.messages.create(
            **asked,
            messages=[
                *say(WISH),
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": [result]},
            ],
        )
        assert "31" in told.content[0].text

    def test_an_image_for_a_text_model_is_refused_by_the_vendor(self, claude: Anthropic) -> None:
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
        with pytest.raises(anthropic.BadRequestError) as caught:
            claude.messages.create(
                model=MODEL, max_tokens=64, messages=say([{"type": "image", "source": source}])
            )
        assert caught.value.body["code"] == "upstream_bad_request"  # type: ignore[index]

    @pytest.mark.parametrize(
        ("name", "raised"),
        [
            ("throttling", anthropic.RateLimitError),
            ("overloaded", anthropic.BadRequestError),
            ("upstream-auth-failed", anthropic.InternalServerError),
            ("quota-exceeded", anthropic.APIStatusError),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
    def test_each_refusal_is_raised_by_its_status(
        self, mock_provider: Any, claude: Anthropic, name: str, raised: type[Exception], stream: bool
    ) -> None:
        mock_provider.fail(name)
        with pytest.raises(raised) as caught:
            claude.messages.create(model=MODEL, max_tokens=16, messages=say("Hello"), stream=stream)
        error: Any = caught.value
        contract = SPECS.contracts["puter/messages"]
        assert error.status_code == contract.failures[name].status
        assert error.body["error"] == contract.failures[name].body["error"]
        assert error.type is None

    def test_a_stream_that_breaks_inside_puter_is_raised(self, mock_provider: Any, claude: Anthropic) -> None:
        mock_provider.fail("internal", after_events=3)
        with (
            pytest.raises(anthropic.APIStatusError, match="Internal Server Error"),
            claude.messages.stream(model=MODEL, max_tokens=64, messages=say(PROMPT)) as stream,
        ):
            stream.until_done()


class TestFailuresWithinAStream:
    @pytest.mark.parametrize("name", ["overloaded", "model-error", "upstream-throttling"])
    def test_a_failure_of_the_vendor_is_not_told_and_the_stream_ends_like_an_answer(
        self, mock_provider: Any, client: OpenAI, name: str
    ) -> None:
        mock_provider.reply("one two three four five six seven")
        whole = list(client.chat.completions.create(model=MODEL, messages=say(PROMPT), stream=True))
        mock_provider.fail(name, after_events=4)
        cut = list(client.chat.completions.create(model=MODEL, messages=say(PROMPT), stream=True))
        assert len(whole) > 5
        assert len(cut) == 5
        assert (cut[-1].choices[0].finish_reason, bool(cut[-1].usage)) == ("stop", True)

    @pytest.mark.parametrize("route", ["completions", "responses", "messages"])
    def test_it_is_told_nowhere(
        self, mock_provider: Any, client: OpenAI, claude: Anthropic, route: str
    ) -> None:
        mock_provider.fail("overloaded", after_events=4)
        if route == "completions":
            *_, last = client.completions.create(model=MODEL, prompt=PROMPT, stream=True)
            assert last.choices[0].finish_reason == "stop"
        elif route == "responses":
            with client.responses.stream(model=MODEL, input=PROMPT) as events:
                assert events.get_final_response().status == "completed"
        else:
            with claude.messages.stream(model=MODEL, max_tokens=99, messages=say(PROMPT)) as stream:
                assert stream.get_final_message().stop_reason == "end_turn"

    def test_what_breaks_inside_puter_is_an_error_chunk_and_done(
        self, mock_provider: Any, base: str, client: OpenAI, curl: Any
    ) -> None:
        mock_provider.fail("internal", after_events=2)
        received = []
        with pytest.raises(openai.APIError, match="Internal Server Error"):
            for chunk in client.chat.completions.create(model=MODEL, messages=say(PROMPT), stream=True):
                received.append(chunk)
        assert len(received) == 2
        mock_provider.fail("internal", after_events=2)
        key = ["-H", f"Authorization: Bearer {mock_provider.info['puter_token']}"]
        body = {"model": MODEL, "messages": say(PROMPT), "stream": True}
        *_, error, last, nothing = curl.raw(base + "/openai/v1/chat/completions", body, *key).split("\n\n")
        assert json.loads(error.removeprefix("data: "))["error"]["type"] == "stream_error"
        assert (last, nothing) == ("data: [DONE]", "")


class Curl:
    """Runs curl and reads what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def raw(self, url: str, body: Any, *arguments: str) -> str:
        data = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        done = subprocess.run(
            [
                "curl",
                "-sS",
                "-N",
                "-m",
                str(PATIENCE),
                "-D",
                str(self.folder / "head"),
                url,
                *data,
                *arguments,
            ],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    def __call__(self, url: str, body: Any, *arguments: str) -> tuple[int, dict[str, str], Any]:
        """Status, headers (names in lower case) and body."""
        answer = self.raw(url, body, *arguments)
        head, *lines = (self.folder / "head").read_text(encoding="utf-8").strip().splitlines()
        headers = {key.lower(): value for key, value in (line.split(": ", 1) for line in lines)}
        return int(head.split()[1]), headers, json.loads(answer)


@pytest.fixture
def curl(tmp_path: Path) -> Curl:
    return Curl(tmp_path)


class TestCurl:
    @strict
    def test_the_seed_pages_question_is_answered(self, mock_provider: Any, base: str, curl: Curl) -> None:
        key = ["-H", f"Authorization: Bearer {mock_provider.info['puter_token']}"]
        status, headers, answer = curl(
            base + "/openai/v1/chat/completions", {"model": MODEL, "messages": say(PROMPT)}, *key
        )
        assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
        assert "qubits" in answer["choices"][0]["message"]["content"]

    @pytest.mark.parametrize("route", ROUTES)
    def test_a_stream_is_server_sent_events(
        self, mock_provider: Any, base: str, curl: Curl, route: str
    ) -> None:
        key = ["-H", f"X-Api-Key: {mock_provider.info['puter_token']}"]
        raw = curl.raw(base + route, {**ROUTES[route], "stream": True}, *key)
        head = (curl.folder / "head").read_text(encoding="utf-8").lower()
        assert "content-type: text/event-stream; charset=utf-8" in head
        assert "cache-control: no-cache, no-transform" in head
        *events, last, nothing = raw.split("\n\n")
        assert nothing == ""
        assert (last == "data: [DONE]") == ("anthropic" not in route)
        named = [event.splitlines()[0].startswith("event: ") for event in events]
        assert all(named) if "responses" in route or "anthropic" in route else not any(named)

    def test_an_error_is_a_string_twice_and_a_code(self, mock_provider: Any, base: str, curl: Curl) -> None:
        key = ["-H", f"X-Api-Key: {mock_provider.info['puter_token']}"]
        for route, body in ROUTES.items():
            status, _, answer = curl(base + route, {**body, "model": "no.such"}, *key)
            text = "Model not found: no.such"
            assert (status, answer) == (400, {"error": text, "message": text, "code": "bad_request"})

    def test_a_get_is_not_found(self, base: str, curl: Curl) -> None:
        status, _, answer = curl(base + "/openai/v1/models", None)
        assert (status, answer) == (
            404,
            {"error": "Not Found", "message": "Not Found", "code": "not_found"},
        )


class TestUsage:
    @strict
    def test_what_every_route_used_is_counted_for_the_token_that_asked(
        self, mock_provider: Any, base: str, curl: Curl
    ) -> None:
        url = str(mock_provider.url("puter")) + "/metering/usage"
        key = ["-H", f"Authorization: Bearer {mock_provider.info['puter_token']}"]
        _, _, before = curl(url, None, *key)
        assert (before["usage"], before["appTotals"]) == ({}, {})
        prompt = completion = 0
        for route, body in ROUTES.items():
            usage = curl(base + route, body, *key)[2]["usage"]
            prompt += usage.get("prompt_tokens", usage.get("input_tokens"))
            completion += usage.get("completion_tokens", usage.get("output_tokens"))
        curl.raw(base + "/openai/v1/chat/completions", {**ROUTES[next(iter(ROUTES))], "stream": True}, *key)
        _, _, after = curl(url, None, *key)
        named = after["usage"]
        asked, answered = (
            named[f"mistral:magistral-small-latest:{kind}_tokens"] for kind in ("prompt", "completion")
        )
        assert (asked["count"], answered["count"]) == (5, 5)
        assert (asked["units"] > prompt, answered["units"] > completion) == (True, True)
        # 50 and 150 US cents per million tokens are as many microcents per token.
        assert (asked["cost"], answered["cost"]) == (asked["units"] * 50, answered["units"] * 150)
        spent = asked["cost"] + answered["cost"]
        assert after["appTotals"]["os-global"] == {"count": 5, "total": spent}
        info = after["allowanceInfo"]
        assert info["remaining"] == info["monthUsageAllowance"] - spent
        other = mock_provider.info["puter_tokens"]["account"]
        _, _, others = curl(url, None, "-H", f"Authorization: Bearer {other}")
        assert others["usage"] == {}

    @strict
    def test_puter_js_reads_it_back(self, node: Any, mock_provider: Any) -> None:
        read = node.run(
            "puter_usage_probe.mjs",
            PROBE_MODEL=MODEL,
            PUTER_API_ORIGIN=mock_provider.url("puter"),
            PUTER_TOKEN=mock_provider.info["puter_token"],
        )["usage"]
        assert read["before"]["usage"] == {}
        used = read["after"]["usage"]
        assert {name: each["units"] for name, each in used.items()} == {
            "mistral:magistral-small-latest:prompt_tokens": read["usage"]["prompt_tokens"],
            "mistral:magistral-small-latest:completion_tokens": read["usage"]["completion_tokens"],
        }
        left = [read[when]["allowanceInfo"]["remaining"] for when in ("before", "after")]
        assert left[0] - left[1] == sum(each["cost"] for each in used.values())

    @pytest.mark.mock_provider(funds_usd_cents=5)
    def test_the_allowance_is_what_the_account_was_given(
        self, mock_provider: Any, base: str, curl: Curl
    ) -> None:
        key = ["-H", f"X-Api-Key: {mock_provider.info['puter_token']}"]
        url = str(mock_provider.url("puter")) + "/metering/usage"
        assert curl(url, None, *key)[2]["allowanceInfo"]["monthUsageAllowance"] == 5_000_000

    def test_a_refusal_costs_nothing(self, mock_provider: Any, base: str, curl: Curl) -> None:
        key = ["-H", f"X-Api-Key: {mock_provider.info['puter_token']}"]
        mock_provider.fail("overloaded")
        for body in (ROUTES["/openai/v1/completions"], {"model": MODEL}):
            assert curl(base + "/openai/v1/completions", body, *key)[0] == 400
        assert curl(str(mock_provider.url("puter")) + "/metering/usage", None, *key)[2]["usage"] == {}


@pytest.fixture
def probe(node: Any, mock_provider: Any, base: str) -> Any:
    """Runs cases of puter_openai_probe.mjs."""

    def run(*cases: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = node.run(
            "puter_openai_probe.mjs",
            *cases,
            PROBE_MODEL=MODEL,
            OPENAI_BASE_URL=base + "/openai/v1",
            OPENAI_API_KEY=mock_provider.info["puter_token"],
        )
        return found

    return run


def resolved(outcome: Any) -> Any:
    assert outcome["outcome"] == "resolved", outcome
    return outcome["value"]


class TestNode:
    def test_chat_is_read_plain_and_iterated(self, probe: Any, mock_provider: Any) -> None:
        for _ in range(2):
            mock_provider.reply(TEXT)
        read = probe("chat", "chat, iterated")
        assert resolved(read["chat"])["choices"][0]["message"]["content"] == TEXT
        chunks = resolved(read["chat, iterated"])
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == TEXT
        assert chunks[-1]["usage"]["total_tokens"] > 0

    def test_the_accumulator_fails_for_want_of_a_role(self, probe: Any) -> None:
        outcome = probe("chat, accumulated")["chat, accumulated"]
        assert outcome["outcome"] == "rejected"
        assert "missing role for choice 0" in outcome["error"]["message"]

    def test_tools_are_called(self, probe: Any) -> None:
        read = probe("tool", "tool, iterated")
        [choice] = resolved(read["tool"])["choices"]
        calls = [
            *choice["message"]["tool_calls"],
            *(
                call
                for chunk in resolved(read["tool, iterated"])
                for call in chunk["choices"][0]["delta"].get("tool_calls", [])
            ),
        ]
        assert [json.loads(call["function"]["arguments"]) for call in calls] == [{"city": "Singapore"}] * 2

    def test_prompts_are_continued(self, probe: Any, mock_provider: Any) -> None:
        for _ in range(2):
            mock_provider.reply(TEXT)
        read = probe("completion", "completion, iterated")
        assert resolved(read["completion"])["choices"][0]["text"] == TEXT
        chunks = resolved(read["completion, iterated"])
        assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == TEXT

    def test_responses_are_read_iterated_and_accumulated(self, probe: Any, mock_provider: Any) -> None:
        for _ in range(3):
            mock_provider.reply(TEXT)
        read = probe("response", "response, iterated", "response, accumulated")
        assert resolved(read["response"])["output_text"] == TEXT
        events = resolved(read["response, iterated"])
        assert [event["sequence_number"] for event in events] == list(range(1, len(events) + 1))
        accumulated = resolved(read["response, accumulated"])
        assert accumulated["deltas"] == accumulated["response"]["output_text"] == TEXT

    def test_errors_have_a_status_and_no_code(self, probe: Any) -> None:
        read = probe("unknown model", "models")
        for case, status, name in (
            ("unknown model", 400, "BadRequestError"),
            ("models", 404, "NotFoundError"),
        ):
            error = read[case]["error"]
            assert (error["class"], error["status"], error.get("code")) == (name, status, None)

    def test_a_failure_of_the_vendor_is_not_told(self, probe: Any, mock_provider: Any) -> None:
        mock_provider.fail("overloaded", after_events=2)
        came = resolved(probe("chat, failing midway")["chat, failing midway"])
        assert came["error"] is None
        assert len(came["received"]) == 3
        mock_provider.fail("internal", after_events=2)
        came = resolved(probe("chat, failing midway")["chat, failing midway"])
        assert "Internal Server Error" in came["error"]["message"]
