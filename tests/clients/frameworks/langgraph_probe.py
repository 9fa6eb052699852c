"""Asks the mock through langchain-openai and langgraph: models, graphs with tools, handoffs and memory, over Responses and Chat."""

from __future__ import annotations

from typing import Annotated, Any

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
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, tools_condition
from langgraph.types import Command
from openai import AsyncOpenAI


@tool
def get_weather(city: str) -> str:
    """Current weather of a city."""
    return weather(city)


@tool
def ask_forecaster(
    call: Annotated[str, InjectedToolCallId], state: Annotated[MessagesState, InjectedState]
) -> Command[Any]:
    """Hands over to the forecaster, who knows the weather of a city."""
    said = [*state["messages"], ToolMessage("The forecaster takes over.", tool_call_id=call)]
    return Command(graph=Command.PARENT, goto="forecaster", update={"messages": said})


def model(api: str, **how: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": MODELS[api], "use_responses_api": api == "responses", **how})


def agent(api: str, *tools: Any, **how: Any) -> Any:
    """A graph that calls tools until the model answers."""
    speaks = model(api).bind_tools(tools) if tools else model(api)

    async def speak(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await speaks.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    if tools:
        graph.add_node("tools", ToolNode(tools))
        graph.add_conditional_edges("speak", tools_condition)
        graph.add_edge("tools", "speak")
    return graph.compile(**how)


def asked(question: str) -> Any:
    return {"messages": [HumanMessage(question)]}


async def answer(api: str) -> Any:
    message = await model(api).ainvoke(EXACTLY)
    used = message.usage_metadata
    assert used is not None
    return {
        "text": message.text,
        "counted": used["input_tokens"] > 0 and used["output_tokens"] > 0,
        "adds up": used["input_tokens"] + used["output_tokens"] == used["total_tokens"],
    }


async def stream(api: str) -> Any:
    chunks = [chunk async for chunk in model(api, stream_usage=True).astream(EXACTLY)]
    whole = sum(chunks[1:], chunks[0])
    return {
        "pieces": sum(bool(each.text) for each in chunks) > 1,
        "text": whole.text,
        "counted": whole.usage_metadata["output_tokens"] > 0,
    }


async def tool_loop(api: str) -> Any:
    messages = (await agent(api, get_weather).ainvoke(asked(OSLO)))["messages"]
    return {
        "called": CALLED,
        "messages": [each.type for each in messages],
        "uses the result": "31" in messages[-1].text,
    }


async def tool_in_a_stream(api: str) -> Any:
    pieces, nodes = [], []
    streamed = agent(api, get_weather).astream(asked(OSLO), stream_mode=["messages", "updates"])
    async for mode, got in streamed:
        if mode == "updates":
            nodes += list(got)
        elif isinstance(got[0], AIMessage):
            pieces.append(got[0].text)
    return {"called": CALLED, "nodes": nodes, "uses the result": "31" in "".join(pieces)}


async def two_calls(api: str) -> Any:
    messages = (await agent(api, get_weather).ainvoke(asked(BOTH)))["messages"]
    return {
        "called": sorted(CALLED),
        "messages": [each.type for each in messages],
        "uses both": "31" in messages[-1].text and "17" in messages[-1].text,
    }


async def output_by_tool(api: str) -> Any:
    return (
        await model(api).with_structured_output(Person, method="function_calling").ainvoke(ADA)
    ).model_dump()


async def output_by_schema(api: str) -> Any:
    return (await model(api).with_structured_output(Person, method="json_schema").ainvoke(ADA)).model_dump()


async def output_in_a_stream(api: str) -> Any:
    pieces = model(api).with_structured_output(Person, method="json_schema").astream(ADA)
    return [each async for each in pieces][-1].model_dump()


async def handoff(api: str) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("triage", agent(api, ask_forecaster), destinations=("forecaster",))
    graph.add_node("forecaster", agent(api, get_weather))
    graph.add_edge(START, "triage")
    messages = (await graph.compile().ainvoke(asked(OSLO)))["messages"]
    return {"called": CALLED, "uses the result": "31" in messages[-1].text}


async def memory(api: str) -> Any:
    graph = agent(api, checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "ada"}}
    await graph.ainvoke(asked(TOLD), thread)
    messages = (await graph.ainvoke(asked(ASKED), thread))["messages"]
    return {"recalls": "teal" in messages[-1].text, "messages": len(messages)}


async def previous_response(api: str) -> Any:
    kept = model(api, use_previous_response_id=True)
    told = await kept.ainvoke(TOLD)
    again = await kept.ainvoke([HumanMessage(TOLD), told, HumanMessage(ASKED)])
    return {"recalls": "teal" in again.text}


async def conversation(api: str) -> Any:
    kept = await AsyncOpenAI().conversations.create()
    speaks = model(api).bind(conversation=kept.id)
    await speaks.ainvoke(TOLD)
    return {"recalls": "teal" in (await speaks.ainvoke(ASKED)).text}


async def retried(api: str) -> Any:
    return {"text": (await model(api).ainvoke(EXACTLY)).text}


async def throttled(api: str) -> Any:
    return (await model(api, max_retries=0).ainvoke(EXACTLY)).text


async def broken_stream(api: str) -> Any:
    return [chunk.text async for chunk in model(api).astream(EXACTLY)]


async def unknown_model(api: str) -> Any:
    return (await model(api, model=NO_MODEL).ainvoke(EXACTLY)).text


async def wrong_key(api: str) -> Any:
    return (await model(api, api_key=WRONG_KEY).ainvoke(EXACTLY)).text


main(
    answer,
    stream,
    tool_loop,
    tool_in_a_stream,
    two_calls,
    output_by_tool,
    output_by_schema,
    output_in_a_stream,
    handoff,
    memory,
    previous_response,
    conversation,
    retried,
    throttled,
    broken_stream,
    unknown_model,
    wrong_key,
)
