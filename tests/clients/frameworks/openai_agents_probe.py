"""Asks the mock through openai-agents: agents, their tools, handoffs and memories, over Responses and Chat."""

from __future__ import annotations

from typing import Any

from agents import (
    Agent,
    OpenAIConversationsSession,
    Runner,
    SQLiteSession,
    function_tool,
    set_default_openai_api,
    set_default_openai_client,
)
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
from openai import AsyncOpenAI


@function_tool
def get_weather(city: str) -> str:
    """Current weather of a city."""
    return weather(city)


def agent(api: str, **how: Any) -> Any:
    set_default_openai_api("responses" if api == "responses" else "chat_completions")
    return Agent(**{"name": "Assistant", "model": MODELS[api], **how})


async def answer(api: str) -> Any:
    result = await Runner.run(agent(api), EXACTLY)
    used = result.context_wrapper.usage
    return {
        "text": result.final_output,
        "requests": used.requests,
        "counted": used.input_tokens > 0 and used.output_tokens > 0,
        "adds up": used.input_tokens + used.output_tokens == used.total_tokens,
    }


async def stream(api: str) -> Any:
    result = Runner.run_streamed(agent(api), EXACTLY)
    pieces = []
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            pieces.append(event.data.delta)
    return {"pieces": len(pieces) > 1, "text": "".join(pieces), "whole": result.final_output}


async def tool(api: str) -> Any:
    result = await Runner.run(agent(api, tools=[get_weather]), OSLO)
    return {
        "called": CALLED,
        "requests": len(result.raw_responses),
        "uses the result": "31" in result.final_output,
    }


async def tool_in_a_stream(api: str) -> Any:
    result = Runner.run_streamed(agent(api, tools=[get_weather]), OSLO)
    items = [
        event.item.type async for event in result.stream_events() if event.type == "run_item_stream_event"
    ]
    return {
        "called": CALLED,
        "items": [each for each in items if each != "reasoning_item"],
        "uses the result": "31" in result.final_output,
    }


async def two_calls(api: str) -> Any:
    result = await Runner.run(agent(api, tools=[get_weather]), BOTH)
    return {
        "called": sorted(CALLED),
        "requests": len(result.raw_responses),
        "uses both": "31" in result.final_output and "17" in result.final_output,
    }


async def structured(api: str) -> Any:
    result = await Runner.run(agent(api, output_type=Person), ADA)
    return result.final_output_as(Person, raise_if_incorrect_type=True).model_dump()


async def handoff(api: str) -> Any:
    forecaster = agent(
        api, name="Forecaster", handoff_description="Knows the weather of a city", tools=[get_weather]
    )
    result = await Runner.run(agent(api, name="Triage", handoffs=[forecaster]), OSLO)
    return {
        "last": result.last_agent.name,
        "called": CALLED,
        "uses the result": "31" in result.final_output,
    }


async def agent_as_tool(api: str) -> Any:
    forecaster = agent(api, name="Forecaster", tools=[get_weather])
    asks = forecaster.as_tool(tool_name="ask_forecaster", tool_description="Knows the weather of a city")
    result = await Runner.run(agent(api, name="Desk", tools=[asks]), OSLO)
    return {
        "last": result.last_agent.name,
        "called": CALLED,
        "uses the result": "31" in result.final_output,
    }


async def session(api: str) -> Any:
    kept = SQLiteSession("ada")
    for said in (TOLD, ASKED):
        result = await Runner.run(agent(api), said, session=kept)
    return {"recalls": "teal" in result.final_output, "items": len(await kept.get_items()) >= 4}


async def previous_response(api: str) -> Any:
    told = await Runner.run(agent(api), TOLD)
    result = await Runner.run(agent(api), ASKED, previous_response_id=told.last_response_id)
    return {"recalls": "teal" in result.final_output}


async def conversation(api: str) -> Any:
    kept = OpenAIConversationsSession()
    for said in (TOLD, ASKED):
        result = await Runner.run(agent(api), said, session=kept)
    begins = kept.session_id.startswith("conv_")
    items = await kept.get_items()
    await kept.clear_session()
    return {"recalls": "teal" in result.final_output, "named": begins, "items": len(items) >= 4}


async def by_another_client(api: str, client: AsyncOpenAI) -> Any:
    set_default_openai_client(client, use_for_tracing=False)
    try:
        return (await Runner.run(agent(api), EXACTLY)).final_output
    finally:
        set_default_openai_client(AsyncOpenAI(), use_for_tracing=False)


async def retried(api: str) -> Any:
    return {"text": (await Runner.run(agent(api), EXACTLY)).final_output}


async def throttled(api: str) -> Any:
    return await by_another_client(api, AsyncOpenAI(max_retries=0))


async def broken_stream(api: str) -> Any:
    result = Runner.run_streamed(agent(api), EXACTLY)
    async for _ in result.stream_events():
        pass
    return result.final_output


async def unknown_model(api: str) -> Any:
    return (await Runner.run(agent(api, model=NO_MODEL), EXACTLY)).final_output


async def wrong_key(api: str) -> Any:
    return await by_another_client(api, AsyncOpenAI(api_key=WRONG_KEY))


main(
    answer,
    stream,
    tool,
    tool_in_a_stream,
    two_calls,
    structured,
    handoff,
    agent_as_tool,
    session,
    previous_response,
    conversation,
    retried,
    throttled,
    broken_stream,
    unknown_model,
    wrong_key,
)
