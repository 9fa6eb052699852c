"""Mistral's chat dialect on InvokeModel, read by the openai package's types and by botocore."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EventStreamJSONParser
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from conformance.dialects import Context, mistral
from conformance.exchange import Event
from conformance.values import (
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
)
from tests.dialects import Drawn

PROFILE: dict[str, Any] = yaml.safe_load("""
ids:
  answer: {prefix: chatcmpl-, alphabet: uuid}
  tool_call: {prefix: chatcmpl-tool-, length: 32, alphabet: 0123456789abcdef}
objects: {answer: chat.completion, chunk: chat.completion.chunk}
finish: &finish
  {stop: stop, length: length, tool_calls: tool_calls, stop_sequence: stop, content_filter: content_filter}
finish_in_stream: *finish
reasoning: null
no_content: null
cap: max_tokens
ignored: []
tier: null
answer: {}
choice: {logprobs: null}
message: {refusal: null}
usage_details: {}
sorted: true
stream:
  first: {role: assistant, content: ""}
  first_with_call: null
  whole_calls: false
  usage_in_finish: false
  usage_null: false
  padding: null
embedded: bytes
padding:
  member: p
  alphabet: abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789
  shortest: 2
  longest: 61
""")
METRICS = "amazon-bedrock-invocationMetrics"


def context() -> Context:
    return Context(
        model="mistral.magistral-small-2509",
        now=1795309098.0,
        ids=Drawn(),
        latency_ms=412,
        tier="flex",
        split=lambda text: [text[at : at + 3] for at in range(0, len(text), 3)],
    )


def answered(*replies: Reply) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(json.dumps(mistral.render({}, replies, context(), PROFILE)))
    return answer


def streamed(*replies: Reply) -> list[Event]:
    return list(mistral.stream({}, replies, context(), PROFILE))


def chunks(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [event.data["bytes"] for event in events]


# What the dialect can carry

names = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
objects = st.dictionaries(names, st.none() | st.booleans() | st.integers() | st.text(), max_size=3)
texts = st.builds(Text, st.text(min_size=1))
images = st.builds(Media, st.just("image"), st.sampled_from(["png", "jpeg"]), st.binary())
calls = st.builds(ToolCall, names, names, objects)
users = st.lists(texts | images, max_size=3).map(lambda parts: Message("user", tuple(parts)))
assistants = st.builds(
    lambda words, called: Message("assistant", (*words, *called)),
    st.lists(texts, max_size=1),
    st.lists(calls, max_size=2),
)
results = st.builds(ToolResult, names, texts.map(lambda part: (part,)))
turns = st.builds(
    Turn,
    messages=st.lists(
        st.builds(Message, st.just("system"), texts.map(lambda part: (part,)))
        | users
        | assistants
        | results.map(lambda part: Message("tool", (part,))),
        max_size=4,
    ).map(tuple),
    tools=st.lists(st.builds(Tool, names, st.text(), objects), max_size=2).map(tuple),
    tool_choice=st.sampled_from([None, ToolChoice("auto"), ToolChoice("any"), ToolChoice("none")]),
    max_tokens=st.none() | st.integers(min_value=1),
    stop=st.lists(st.text(min_size=1), max_size=2).map(tuple),
    output=st.none() | st.builds(OutputFormat, st.none()) | st.builds(OutputFormat, objects, names),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
)
counts = st.integers(min_value=0, max_value=10**6)
replies = st.builds(
    lambda words, called, finish, usage: Reply((*words, *called), finish, usage),
    st.lists(texts, max_size=1),
    st.lists(calls, max_size=2),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.builds(Usage, counts, counts),
)
COMPLETE = Reply(
    (Text("Let me look that up."), ToolCall("", "get_weather", {"city": "Singapore"})),
    "tool_calls",
    Usage(19, 46),
)

# Both ways


@given(turns)
def test_reads_back_the_turn_it_wrote(turn: Turn) -> None:
    body = json.loads(json.dumps(mistral.write(turn, PROFILE)))
    assert mistral.read(body, PROFILE) == turn


@given(replies)
def test_parses_back_the_reply_it_rendered(reply: Reply) -> None:
    assert mistral.parse(answered(reply), PROFILE) == [reply]


@given(replies)
def test_a_stream_folds_to_the_reply_it_was_made_of(reply: Reply) -> None:
    assert mistral.fold(streamed(reply), PROFILE) == [reply]


wire_names = st.sampled_from(
    ["bytes", "choices", "message", "delta", "content", "tool_calls", "function", "usage", "index", METRICS]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(wire_names, inner, max_size=4),
    max_leaves=20,
)


@given(anything)
def test_no_json_makes_a_reader_raise(value: Any) -> None:
    mistral.read({"messages": value, "tools": value, "tool_choice": value}, PROFILE)
    mistral.parse(value, PROFILE)
    mistral.parse({"choices": [value]}, PROFILE)
    mistral.fold(
        [Event("chunk", value), Event(None, {"bytes": {"choices": [value], METRICS: value}})], PROFILE
    )


# Readers that others wrote


@given(replies)
def test_the_openai_package_takes_the_answer_for_a_completion(reply: Reply) -> None:
    read = ChatCompletion.model_validate(answered(reply), strict=True)
    assert (read.choices[0].message.content or "") == reply.text
    assert [(call.id, call.type) for call in read.choices[0].message.tool_calls or ()] == [
        (call.id, "function") for call in reply.tool_calls
    ]
    assert read.choices[0].finish_reason == reply.finish
    assert reply.usage is not None
    assert read.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens) == (reply.usage.input, reply.usage.output)


@given(replies)
def test_the_openai_package_takes_the_chunks_for_its_own(reply: Reply) -> None:
    read = [ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in chunks(streamed(reply))]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in read) == reply.text
    assert [chunk.choices[0].finish_reason for chunk in read] == [None] * (len(read) - 1) + [reply.finish]
    assert len({chunk.id for chunk in read}) == 1


def test_botocore_reads_the_events_once_the_chunk_is_base64() -> None:
    service = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")
    shape: Any = service.operation_model("InvokeModelWithResponseStream").output_shape
    for event in streamed(COMPLETE):
        payload = event.data | {"bytes": base64.b64encode(json.dumps(event.data["bytes"]).encode()).decode()}
        frame = {
            "headers": {":message-type": "event", ":event-type": event.name},
            "body": json.dumps(payload).encode(),
            "status_code": 200,
        }
        parsed = EventStreamJSONParser().parse(frame, shape.members["body"])
        assert json.loads(parsed["chunk"]["bytes"]) == event.data["bytes"]


# The wire's habits


def test_an_answer_has_the_members_of_a_mantle_answer_without_the_tier() -> None:
    answer = answered(COMPLETE)
    assert list(answer) == ["choices", "created", "id", "model", "object", "usage"]
    assert list(answer["choices"][0]) == ["finish_reason", "index", "logprobs", "message"]
    assert answer["usage"] == {"completion_tokens": 46, "prompt_tokens": 19, "total_tokens": 65}


def test_only_the_last_chunk_counts_the_tokens() -> None:
    sent = chunks(streamed(COMPLETE))
    assert [METRICS in chunk for chunk in sent] == [False] * (len(sent) - 1) + [True]
    assert sent[-1][METRICS] == {
        "inputTokenCount": 19,
        "outputTokenCount": 46,
        "invocationLatency": 412,
        "firstByteLatency": 412,
    }
    assert all("usage" not in chunk for chunk in sent)


def test_the_metrics_count_the_prompt_once_and_all_answers() -> None:
    sent = chunks(
        streamed(Reply((Text("a"),), "stop", Usage(9, 2)), Reply((Text("b"),), "stop", Usage(9, 3)))
    )
    assert (sent[-1][METRICS]["inputTokenCount"], sent[-1][METRICS]["outputTokenCount"]) == (9, 5)


def test_every_event_is_padded_beside_the_chunk_not_inside() -> None:
    events = streamed(COMPLETE)
    alphabet = PROFILE["padding"]["alphabet"]
    assert {event.name for event in events} == {"chunk"}
    assert all(event.data.keys() == {"bytes", "p"} for event in events)
    assert all(alphabet.startswith(event.data["p"]) and event.data["p"] for event in events)
    assert all("p" not in chunk for chunk in chunks(events))


def test_a_stream_without_padding_has_the_chunk_alone() -> None:
    events = mistral.stream({}, [COMPLETE], context(), PROFILE | {"padding": None})
    assert all(event.data.keys() == {"bytes"} for event in events)


def test_there_is_no_trace_beside_the_answer() -> None:
    thought = Reply((Reasoning("Hm."), Text("Yes.")), "stop", Usage(1, 2))
    assert mistral.parse(answered(thought), PROFILE)[0].parts == (Text("Yes."),)
    assert "Hm." not in json.dumps(chunks(streamed(thought)))


def test_model_stream_and_tier_stay_out_of_the_body() -> None:
    turn = Turn((Message("user", (Text("Hi"),)),), model="a-model", stream=True, tier="flex")
    body = mistral.write(turn, PROFILE)
    assert body == {"messages": [{"role": "user", "content": "Hi"}]}
    assert mistral.read(body | {"model": "a-model", "stream": True}, PROFILE) == Turn(turn.messages)


@pytest.mark.parametrize("mode", ["auto", "any", "none"])
def test_a_choice_is_one_of_the_three_words(mode: Any) -> None:
    assert mistral.write(Turn((), tool_choice=ToolChoice(mode)), PROFILE)["tool_choice"] == mode


def test_a_choice_by_name_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="'look'; offer that tool alone and choose any"):
        mistral.write(Turn((), tool_choice=ToolChoice("named", "look")), PROFILE)


def test_reads_an_image_however_its_url_is_nested() -> None:
    for image in ("data:image/png;base64,iVBORw==", {"url": "data:image/png;base64,iVBORw=="}):
        content = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": image}]
        turn = mistral.read({"messages": [{"role": "user", "content": content}]}, PROFILE)
        assert turn.messages[0].parts == (Text("What is it?"), Media("image", "png", b"\x89PNG"))


# The older spelling


def test_stop_reason_is_read_like_finish_reason() -> None:
    called = {"id": "abc", "function": {"name": "look", "arguments": '{"far": true}'}}
    message = {"role": "assistant", "content": "Hm", "tool_calls": [called]}
    answer = {"choices": [{"index": 0, "message": message, "stop_reason": "tool_calls"}]}
    expected = Reply((Text("Hm"), ToolCall("abc", "look", {"far": True})), "tool_calls")
    assert mistral.parse(answer, PROFILE) == [expected]


def test_a_stream_of_messages_is_read_like_one_of_deltas() -> None:
    sent: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "A ki"}, "stop_reason": None}]},
        {"choices": [{"index": 0, "message": {"content": "wi."}, "stop_reason": "length"}]},
    ]
    sent[1][METRICS] = {"inputTokenCount": 19, "outputTokenCount": 3, "cacheReadInputTokenCount": 2}
    events = [Event("chunk", {"bytes": chunk}) for chunk in sent]
    assert mistral.fold(events, PROFILE) == [Reply((Text("A kiwi."),), "length", Usage(19, 3, cache_read=2))]


def test_usage_in_a_chunk_wins_over_the_metrics() -> None:
    told = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    usage = {
        "usage": {"prompt_tokens": 7, "completion_tokens": 1},
        METRICS: {"inputTokenCount": 1, "outputTokenCount": 1},
    }
    (reply,) = mistral.fold([Event("chunk", {"bytes": told | usage})], PROFILE)
    assert reply.usage == Usage(7, 1)
