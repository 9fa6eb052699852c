"""Asks the mock through LiteLLM and prints what came, a JSON line for each case.

Run with build/litellm in front: LiteLLM wants an openai of its own. Argument: JSON with `model`, `options` (what every
call is told of address and key) and `cases`. Whoever is looked up beside this machine is told, and not reached.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from typing import Any

WENT_OUT: list[str] = []
_LOOK_UP = socket.getaddrinfo


def _at_home(host: Any, *rest: Any, **more: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in ("127.0.0.1", "localhost", "::1", None):
        WENT_OUT.append(str(name))
        raise socket.gaierror(f"{name} is not looked up in a test")
    return _LOOK_UP(host, *rest, **more)


socket.getaddrinfo = _at_home
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}

import litellm  # noqa: E402

litellm.suppress_debug_info = True
SAID = json.loads(sys.argv[1])
MODEL: str = SAID["model"]
FORCED: dict[str, Any] = SAID["forced"]
OPTIONS: dict[str, Any] = {**SAID["options"], "max_retries": 0, "num_retries": 0}
EXACTLY = [{"role": "user", "content": "Reply with exactly: amber kettle"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}
ADA = [{"role": "user", "content": "Give the name and the age of Ada, who is 36 years old, as JSON."}]
OSLO = [{"role": "user", "content": "What is the weather in Oslo?"}]


def ask(**how: Any) -> Any:
    return litellm.completion(**{"model": MODEL, "messages": EXACTLY, **OPTIONS, **how})


def text() -> Any:
    answer = ask()
    return {
        "text": answer.choices[0].message.content,
        "finish": answer.choices[0].finish_reason,
        "adds up": answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.total_tokens,
        "counted": answer.usage.completion_tokens > 0,
    }


def text_async() -> Any:
    async def go() -> Any:
        answer = await litellm.acompletion(model=MODEL, messages=EXACTLY, **OPTIONS)
        stream = await litellm.acompletion(model=MODEL, messages=EXACTLY, stream=True, **OPTIONS)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
        return {"text": answer.choices[0].message.content, "stream": "".join(pieces)}

    return asyncio.run(go())


def stream() -> Any:
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    whole = litellm.stream_chunk_builder(chunks, messages=EXACTLY)
    return {
        "text": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "pieces": sum(bool(each.choices and each.choices[0].delta.content) for each in chunks) > 1,
        "counted": whole.usage.completion_tokens > 0,
    }


def cut() -> Any:
    answer = ask(messages=[{"role": "user", "content": "Count from 1 to 200."}], max_tokens=16)
    return {"finish": answer.choices[0].finish_reason, "tokens": answer.usage.completion_tokens}


def tools() -> Any:
    answer = ask(messages=OSLO, tools=[WEATHER], **FORCED)
    message = answer.choices[0].message
    [call] = message.tool_calls
    told = ask(
        messages=[
            *OSLO,
            message,
            {"role": "tool", "tool_call_id": call.id, "content": "It is 31 degrees and hailing."},
        ],
        tools=[WEATHER],
    )
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "finish": answer.choices[0].finish_reason,
        "uses the result": "31" in told.choices[0].message.content,
    }


def tools_in_a_stream() -> Any:
    chunks = list(ask(messages=OSLO, tools=[WEATHER], **FORCED, stream=True))
    whole = litellm.stream_chunk_builder(chunks, messages=OSLO)
    [call] = whole.choices[0].message.tool_calls
    return {
        "name": call.function.name,
        "arguments": json.loads(call.function.arguments),
        "finish": whole.choices[0].finish_reason,
    }


def structured() -> Any:
    answer = ask(messages=ADA, response_format=PERSON)
    return json.loads(answer.choices[0].message.content)


def respond(**how: Any) -> Any:
    return litellm.responses(**{"model": MODEL, "input": EXACTLY[0]["content"], **OPTIONS, **how})


def responses() -> Any:
    answer = respond()
    again = respond(input="Reply with exactly: what you said before", previous_response_id=answer.id)
    return {
        "text": answer.output[-1].content[0].text,
        "status": answer.status,
        "counted": answer.usage.output_tokens > 0,
        "goes on": again.previous_response_id is not None,
    }


def responses_stream() -> Any:
    events = list(respond(stream=True))
    names = [str(getattr(each.type, "value", each.type)) for each in events]
    deltas = [
        each.delta for each in events if str(getattr(each.type, "value", each.type)).endswith("text.delta")
    ]
    return {"text": "".join(deltas), "first": names[0], "last": names[-1]}


def responses_tools() -> Any:
    flat = {"type": "function", **WEATHER["function"]}  # type: ignore[dict-item]
    answer = respond(input=OSLO[0]["content"], tools=[flat], **FORCED)
    call = answer.output[-1]
    return {"type": call.type, "name": call.name, "arguments": json.loads(call.arguments)}


def error(**how: Any) -> Any:
    try:
        ask(**how)
    except Exception as raised:
        return {
            "class": type(raised).__name__,
            "status": getattr(raised, "status_code", None),
            "text": str(raised),
        }
    return {"class": None}


def unknown_model() -> Any:
    return error(model=MODEL.rpartition("/")[0] + "/no.such-model-1")


def wrong_key() -> Any:
    return error(**SAID["wrong"])


def too_long() -> Any:
    return error(messages=[{"role": "user", "content": "tin " * SAID["too_long"]}])


def bad_temperature() -> Any:
    return error(temperature=7)


def scripted() -> Any:
    return error()


def scripted_in_a_stream() -> Any:
    try:
        for _ in ask(stream=True):
            pass
    except Exception as raised:
        return {"class": type(raised).__name__}
    return {"class": None}


def went_out() -> Any:
    return WENT_OUT


for number, name in enumerate(SAID["cases"]):
    try:
        got = globals()[name]()
    except Exception as raised:
        got = {"raised": f"{type(raised).__name__}: {raised}"}
    print(json.dumps({"case": name, "number": number, "got": got}), flush=True)
