"""The openai package's clients for Bedrock at bedrock-mantle, as AWS_BEDROCK_BASE_URL and credentials point them.

Two classes and two ways to make them, each with a bearer key, a provider of such keys, and access keys that
sign; the mock checks all of them strictly. test_openai_on_runtime.py has the same for bedrock-runtime.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai import AsyncBedrockOpenAI, AsyncOpenAI, BedrockOpenAI, OpenAI
from openai.providers import bedrock
from pydantic import BaseModel

pytestmark = pytest.mark.mock_provider(auth="strict")

AMBER = "Reply with exactly: amber kettle 42"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}

Make = Callable[..., Any]
CLIENTS: dict[str, Make] = {
    "BedrockOpenAI": lambda **named: BedrockOpenAI(**named),
    "AsyncBedrockOpenAI": lambda **named: AsyncBedrockOpenAI(**named),
    "OpenAI": lambda **named: OpenAI(provider=bedrock(), **named),
    "AsyncOpenAI": lambda **named: AsyncOpenAI(provider=bedrock(), **named),
}
CREDENTIALS = ["bearer", "access keys"]


class City(BaseModel):
    city: str
    population: int


@pytest.fixture(params=CREDENTIALS)
def credentials(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, mock_provider: Any) -> str:
    """The environment has these and no others."""
    if request.param == "access keys":
        sign(monkeypatch, mock_provider)
    return str(request.param)


def sign(monkeypatch: pytest.MonkeyPatch, mock_provider: Any) -> None:
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    monkeypatch.setenv("AWS_REGION", mock_provider.info["region"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", mock_provider.info["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", mock_provider.info["aws_secret_access_key"])


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, mock_provider: Any) -> Any:
    """How a client is opened; it tries once."""

    @asynccontextmanager
    async def opened(**named: Any) -> AsyncIterator[Any]:
        made = CLIENTS[request.param](max_retries=0, **named)
        try:
            yield made
        finally:
            await settled(made.close())

    return opened


async def settled(value: Any) -> Any:
    """What a call of either kind of client comes to."""
    return await value if inspect.isawaitable(value) else value


async def collected(parts: Any) -> list[Any]:
    if hasattr(parts, "__aiter__"):
        return [part async for part in parts]
    return list(parts)


async def refused(call: Callable[[], Awaitable[Any] | Any]) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await settled(call())
    return caught.value


def say(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_a_chat_is_answered_at_once_and_in_a_stream(
    credentials: str, client: Any, mock_provider: Any
) -> None:
    async def talk() -> None:
        async with client() as made:
            asked = {"model": mock_provider.model, "messages": say(AMBER)}
            answer = await settled(made.chat.completions.create(**asked))
            assert answer.choices[0].message.content == "amber kettle 42"
            stream = await settled(made.chat.completions.create(**asked, stream=True))
            chunks = await collected(stream)
            words = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
            assert "".join(words) == "amber kettle 42"

    asyncio.run(talk())


def test_the_accumulators_read_both_streams(credentials: str, client: Any, mock_provider: Any) -> None:
    async def talk() -> None:
        async with client() as made:
            for stream, final in (
                (made.chat.completions.stream(model=mock_provider.model, messages=say(AMBER)), "completion"),
                (made.responses.stream(model=mock_provider.model, input=AMBER), "response"),
            ):
                read = await accumulated(stream, f"get_final_{final}")
                text = read.output_text if final == "response" else read.choices[0].message.content
                assert text == "amber kettle 42"

    asyncio.run(talk())


async def accumulated(manager: Any, final: str) -> Any:
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            assert len(await collected(stream)) > 3
            return await getattr(stream, final)()
    with manager as stream:
        assert len(await collected(stream)) > 3
        return getattr(stream, final)()


def test_a_response_goes_on_from_one_before_and_is_found_again(
    credentials: str, client: Any, mock_provider: Any
) -> None:
    async def talk() -> None:
        async with client() as made:
            told = await settled(
                made.responses.create(
                    model=mock_provider.model, input="The code word is PELICAN7. Remember it."
                )
            )
            again = await settled(
                made.responses.create(
                    model=mock_provider.model,
                    input="What is the code word? Answer with the code word only.",
                    previous_response_id=told.id,
                )
            )
            assert "PELICAN7" in again.output_text
            assert (await settled(made.responses.retrieve(again.id))).output_text == again.output_text
            await settled(made.responses.delete(again.id))
            gone = await refused(lambda: made.responses.retrieve(again.id))
            assert type(gone) is openai.NotFoundError

    asyncio.run(talk())


def test_a_schema_is_parsed_and_a_tool_is_called(credentials: str, client: Any, mock_provider: Any) -> None:
    async def talk() -> None:
        async with client() as made:
            asked = {"model": mock_provider.model, "messages": say("Which city is the largest of France?")}
            parsed = await settled(made.chat.completions.parse(**asked, response_format=City))
            assert isinstance(parsed.choices[0].message.parsed, City)
            called = await settled(
                made.chat.completions.create(**asked, tools=[TOOL], tool_choice="required")
            )
            [call] = called.choices[0].message.tool_calls
            assert call.function.name == "get_weather"

    asyncio.run(talk())


def test_errors_have_their_classes(credentials: str, client: Any, mock_provider: Any) -> None:
    async def talk() -> None:
        async with client() as made:
            asked = {"model": mock_provider.model, "messages": say("Hello")}
            missing = await refused(lambda: made.chat.completions.create(**{**asked, "model": "no.such"}))
            assert (type(missing), missing.status_code) == (openai.NotFoundError, 404)
            mock_provider.fail("throttling")
            throttled = await refused(lambda: made.responses.create(model=mock_provider.model, input="Hello"))
            assert (type(throttled), throttled.status_code) == (openai.RateLimitError, 429)
            mock_provider.fail("internal")
            broken = await refused(lambda: made.chat.completions.create(**asked))
            assert type(broken) is openai.InternalServerError

    asyncio.run(talk())


def test_a_key_that_is_not_ours_is_refused(
    client: Any, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk() -> None:
        async with client() as made:
            for call in (made.chat.completions.create, made.responses.create):
                said = (
                    {"messages": say("Hello")} if call == made.chat.completions.create else {"input": "Hello"}
                )
                error = await refused(lambda: call(model=mock_provider.model, **said))  # noqa: B023
                assert (type(error), error.status_code) == (openai.AuthenticationError, 401)

    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKbm90LWEta2V5")
    asyncio.run(talk())


@pytest.mark.parametrize("changed", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_access_keys_that_are_not_ours_are_refused(
    client: Any, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    async def talk() -> None:
        async with client() as made:
            error = await refused(
                lambda: made.responses.create(model=mock_provider.model, input="Hello", stream=True)
            )
            assert error.status_code == 401

    sign(monkeypatch, mock_provider)
    monkeypatch.setenv(changed, "AKIAIOSFODNN7EXAMPLE")
    asyncio.run(talk())


@pytest.mark.parametrize("kind", [BedrockOpenAI, AsyncBedrockOpenAI])
def test_a_provider_of_keys_is_asked_for_one(
    kind: Any, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []

    def key() -> str:
        given.append(mock_provider.info["bearer"])
        return given[-1]

    async def talk() -> None:
        made = kind(bedrock_token_provider=key, aws_region=mock_provider.info["region"], max_retries=0)
        for _ in range(2):
            answer = await settled(
                made.chat.completions.create(model=mock_provider.model, messages=say(AMBER))
            )
            assert answer.choices[0].message.content == "amber kettle 42"
        await settled(made.close())

    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    asyncio.run(talk())
    assert len(given) >= 2
