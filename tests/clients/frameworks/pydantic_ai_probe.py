"""Asks the mock through pydantic-ai: agents, tools, outputs, histories, over Responses, Chat, Converse and Mistral's API."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from cases import (
    ADA,
    ASKED,
    BOTH,
    CALLED,
    EXACTLY,
    MODELS,
    NO_MODEL,
    OSLO,
    TOLD,
    WRONG_KEY,
    Person,
    main,
    weather,
)
from openai import AsyncBedrockOpenAI, AsyncOpenAI
from pydantic_ai import Agent, NativeOutput, PromptedOutput, RunContext, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.bedrock_mantle import BedrockMantleResponsesModel
from pydantic_ai.models.mistral import MistralModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.bedrock_mantle import BedrockMantleProvider
from pydantic_ai.providers.mistral import MistralProvider
from pydantic_ai.providers.openai import OpenAIProvider


@cache
def model(api: str, name: str | None = None, **how: Any) -> Model:
    """`how` are a key and, for openai's client, how often it tries again; else as the environment says."""
    name = name or MODELS[api]
    match api:
        case "responses":
            return OpenAIResponsesModel(name, provider=OpenAIProvider(openai_client=AsyncOpenAI(**how)))
        case "chat":
            return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=AsyncOpenAI(**how)))
        case "mistral":
            # Mistral's package reads no address in the environment, and asks once.
            how.pop("max_retries", None)
            return MistralModel(
                name, provider=MistralProvider(base_url=os.environ["MISTRAL_BASE_URL"], **how)
            )
        case "mantle" | "mantle gpt-oss":
            client = AsyncBedrockOpenAI(**how)
            return BedrockMantleResponsesModel(name, provider=BedrockMantleProvider(openai_client=client))
        case _ if "max_retries" in how:
            tries = Config(retries={"total_max_attempts": 1 + how["max_retries"]})
            bedrock = boto3.client("bedrock-runtime", config=tries)
            return BedrockConverseModel(name, provider=BedrockProvider(bedrock_client=bedrock))
    return BedrockConverseModel(name, provider=BedrockProvider(**how))


def forecaster(api: str, **how: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(model(api), **how)

    @agent.tool_plain
    def get_weather(city: str) -> str:
        """Current weather of a city."""
        return weather(city)

    return agent


async def answer(api: str) -> Any:
    result = await Agent(model(api)).run(EXACTLY)
    return {
        "text": result.output,
        "requests": result.usage.requests,
        "counted": result.usage.input_tokens > 0 and result.usage.output_tokens > 0,
        "finish": result.response.finish_reason,
    }


async def stream(api: str) -> Any:
    async with Agent(model(api)).run_stream(EXACTLY) as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        counted = result.usage.output_tokens > 0
    return {"pieces": len(pieces) > 1, "text": "".join(pieces), "counted": counted}


async def tool(api: str) -> Any:
    result = await forecaster(api).run(OSLO)
    return {"called": CALLED, "requests": result.usage.requests, "uses the result": "31" in result.output}


async def tool_in_a_stream(api: str) -> Any:
    kinds = []
    async with forecaster(api).run_stream_events(OSLO) as events:
        async for event in events:
            kinds.append(event.event_kind)
    return {
        "called": CALLED,
        "tool": [each for each in kinds if each.startswith("function_tool")],
        "uses the result": "31" in event.result.output,
    }


async def two_calls(api: str) -> Any:
    result = await forecaster(api).run(BOTH)
    return {
        "called": sorted(CALLED),
        "requests": result.usage.requests,
        "uses both": "31" in result.output and "17" in result.output,
    }


async def output_by_tool(api: str) -> Any:
    return (await Agent(model(api), output_type=ToolOutput(Person)).run(ADA)).output.model_dump()


async def output_by_schema(api: str) -> Any:
    return (await Agent(model(api), output_type=NativeOutput(Person)).run(ADA)).output.model_dump()


async def output_by_prompt(api: str) -> Any:
    return (await Agent(model(api), output_type=PromptedOutput(Person)).run(ADA)).output.model_dump()


async def agent_as_tool(api: str) -> Any:
    desk: Agent[None, str] = Agent(model(api))

    @desk.tool
    async def ask_forecaster(context: RunContext[None], question: str) -> str:
        """Knows the weather of a city."""
        return str((await forecaster(api).run(question, usage=context.usage)).output)

    result = await desk.run(OSLO)
    return {"called": CALLED, "requests": result.usage.requests, "uses the result": "31" in result.output}


async def history(api: str) -> Any:
    agent = Agent(model(api))
    told = await agent.run(TOLD)
    result = await agent.run(ASKED, message_history=told.all_messages())
    return {"recalls": "teal" in result.output}


async def previous_response(api: str) -> Any:
    agent = Agent(model(api))
    told = await agent.run(TOLD)
    result = await agent.run(
        ASKED, model_settings={"openai_previous_response_id": told.response.provider_response_id}
    )
    return {"recalls": "teal" in result.output}


async def conversation(api: str) -> Any:
    kept = await AsyncOpenAI().conversations.create()
    agent = Agent(model(api), model_settings={"openai_conversation_id": kept.id})
    await agent.run(TOLD)
    return {"recalls": "teal" in (await agent.run(ASKED)).output}


async def retried(api: str) -> Any:
    return {"text": (await Agent(model(api)).run(EXACTLY)).output}


async def throttled(api: str) -> Any:
    return (await Agent(model(api, max_retries=0)).run(EXACTLY)).output


async def broken_stream(api: str) -> Any:
    async with Agent(model(api)).run_stream(EXACTLY) as result:
        return [piece async for piece in result.stream_text()]


async def unknown_model(api: str) -> Any:
    # Of other vendors' models pydantic-ai itself says that bedrock-mantle has none.
    name = f"openai.{NO_MODEL}" if api.startswith("mantle") else NO_MODEL
    return (await Agent(model(api, name)).run(EXACTLY)).output


async def wrong_key(api: str) -> Any:
    return (await Agent(model(api, api_key=WRONG_KEY)).run(EXACTLY)).output


main(
    answer,
    stream,
    tool,
    tool_in_a_stream,
    two_calls,
    output_by_tool,
    output_by_schema,
    output_by_prompt,
    agent_as_tool,
    history,
    previous_response,
    conversation,
    retried,
    throttled,
    broken_stream,
    unknown_model,
    wrong_key,
)
