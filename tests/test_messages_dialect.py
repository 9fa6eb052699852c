"""The Messages dialect: both directions agree, and the anthropic package reads what it writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anthropic
import httpx2
import pytest
import yaml
from anthropic.types import Message as Answer
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.dialects import Context, messages
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
from tests.dialects import Drawn, threes

PROFILES = yaml.safe_load("""
anthropic:
  ids:
    answer: {prefix: msg_01, length: 22, alphabet: &any abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789}
    tool_call: {prefix: toolu_01, length: 22, alphabet: *any}
  finish: &finish
    {stop: end_turn, length: max_tokens, tool_calls: tool_use, stop_sequence: stop_sequence, content_filter: refusal}
  finish_in_stream: *finish
  reasoning: true
  ignored: []
  tier: {none: standard, auto: standard}
  answer: {container: null}
  cache_usage: true
  stream: {usage_first: prompt, usage_last: all, whole_calls: false, ping: true}
gateway:
  ids: {answer: {prefix: msg_, alphabet: uuid}, tool_call: {prefix: "", length: 9, alphabet: *any}}
  finish: *finish
  finish_in_stream: *finish
  reasoning: false
  ignored: [stop_sequences]
  tier: null
  answer: {}
  cache_usage: false
  stream: {usage_first: zero, usage_last: all, whole_calls: true, ping: false}
""")
ANTHROPIC, GATEWAY = PROFILES["anthropic"], PROFILES["gateway"]
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def context(tier: str | None = None) -> Context:
    return Context("magistral", 1795309098.7, Drawn(), tier=tier, split=threes)


def sse(events: Sequence[Event]) -> bytes:
    return "".join(f"event: {event.name}\ndata: {json.dumps(event.data)}\n\n" for event in events).encode()


def client(body: bytes, kind: str) -> anthropic.Anthropic:
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, headers={"content-type": kind}, content=body)
    )
    return anthropic.Anthropic(
        base_url="http://mock",
        api_key="k",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
        _strict_response_validation=True,
    )


ASKED: Any = {"model": "magistral", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}

words = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=3)
texts = st.builds(Text, words)
calls = st.builds(ToolCall, names, names, objects)
images = st.builds(Media, st.just("image"), st.sampled_from(["png", "jpeg"]), st.binary()) | st.builds(
    Media, st.just("image"), st.none(), url=st.sampled_from(["https://example.com/kiwi.png", "file-id:f1"])
)
papers = st.builds(
    Media, st.just("document"), st.just("pdf"), st.binary(), name=st.none() | words
) | st.builds(lambda text: Media("document", "txt", text.encode()), st.text())
traces = st.builds(Reasoning, words, st.none() | names)
said = st.one_of(
    st.builds(Message, st.just("user"), st.lists(texts | images | papers, min_size=1, max_size=4).map(tuple)),
    st.builds(
        lambda thought, spoken, called: Message("assistant", (*thought, *spoken, *called)),
        st.lists(traces, max_size=1),
        st.lists(texts, min_size=1, max_size=2),
        st.lists(calls, max_size=2),
    ),
    st.builds(
        lambda made, parts, failed: Message("tool", (ToolResult(made, tuple(parts), failed),)),
        names,
        st.lists(texts | images, max_size=2),
        st.booleans(),
    ),
)
systems = st.lists(
    st.builds(Message, st.just("system"), st.lists(texts, min_size=1, max_size=2).map(tuple)), max_size=1
)
turns = st.builds(
    Turn,
    messages=st.tuples(systems, st.lists(said, min_size=1, max_size=4)).map(
        lambda both: (*both[0], *both[1])
    ),
    model=st.none() | names,
    tools=st.lists(st.builds(Tool, names, st.text(), objects, st.none() | st.booleans()), max_size=2).map(
        tuple
    ),
    tool_choice=st.builds(ToolChoice, st.sampled_from(["auto", "any", "none"]))
    | st.builds(ToolChoice, st.just("named"), names),
    parallel_tool_calls=st.none() | st.booleans(),
    max_tokens=st.none() | st.integers(1, 99999),
    stop=st.lists(words, max_size=4).map(tuple),
    output=st.none() | st.builds(OutputFormat, objects),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    stream=st.booleans(),
    reasoning=st.none() | st.sampled_from(["none", "low", "high"]),
    tier=st.none() | st.just("auto"),
    extras=st.just({}) | st.just({"top_k": 5, "metadata": {"user_id": "me"}}),
)


def replies(reasons: bool) -> st.SearchStrategy[Reply]:
    """Answers as they can stand on a wire: texts that follow one another are one block."""
    few = st.integers(0, 9)
    cached = few if reasons else st.just(0)
    return st.builds(
        lambda thought, spoken, called, finish, usage: Reply(
            (*thought, *spoken, *called), finish, usage, "END" if finish == "stop_sequence" else None
        ),
        st.lists(traces, max_size=1 if reasons else 0),
        st.lists(texts, max_size=1),
        st.lists(calls, max_size=2),
        st.sampled_from(["stop", "length", "tool_calls", "stop_sequence", "content_filter"]),
        st.builds(Usage, few, few, st.just(0), cached, cached),
    )


@settings(deadline=None)
@given(turns)
def test_a_turn_written_is_the_turn_read(turn: Turn) -> None:
    body = json.loads(json.dumps(messages.write(turn, ANTHROPIC)))
    assert messages.read(body, ANTHROPIC) == turn


@EVERY
@settings(deadline=None)
@given(data=st.data())
def test_an_answer_rendered_is_the_answer_parsed(profile: Any, data: Any) -> None:
    reply = data.draw(replies(profile["reasoning"]))
    answer = json.loads(json.dumps(messages.render({}, [reply], context(), profile)))
    assert messages.parse(answer, profile) == [reply]
    Answer.model_validate(answer)


@EVERY
@settings(deadline=None)
@given(data=st.data())
def test_a_stream_folds_to_what_the_answer_parses_to(profile: Any, data: Any) -> None:
    reply = data.draw(replies(profile["reasoning"]))
    assert messages.fold(messages.stream({}, [reply], context(), profile), profile) == [reply]


@EVERY
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_the_sdk_accumulates_the_stream(profile: Any, data: Any) -> None:
    reply = data.draw(replies(profile["reasoning"]))
    events = list(messages.stream({}, [reply], context(), profile))
    with client(sse(events), "text/event-stream").messages.stream(**ASKED) as read:
        final = read.get_final_message()
    assert messages.parse(final.model_dump(), profile) == [reply]


@EVERY
def test_the_sdk_reads_an_answer(profile: Any) -> None:
    reply = Reply((Text("It rains."), ToolCall("", "weather", {"city": "Oslo"})), "tool_calls", Usage(3, 5))
    body = json.dumps(messages.render({}, [reply], context(), profile)).encode()
    answer = client(body, "application/json").messages.create(**ASKED)
    assert isinstance(answer, Answer)
    text, call = answer.content
    assert text.type == "text" and text.text == "It rains."
    assert call.type == "tool_use" and (call.name, call.input) == ("weather", {"city": "Oslo"})
    assert call.id.startswith(profile["ids"]["tool_call"]["prefix"]) and call.id
    assert (answer.stop_reason, answer.usage.input_tokens, answer.usage.output_tokens) == ("tool_use", 3, 5)


def test_a_cut_stream_gives_what_came() -> None:
    reply = Reply((Text("one two three"),), "stop", Usage(1, 3))
    events = list(messages.stream({}, [reply], context(), GATEWAY))
    assert messages.fold(events[:4], GATEWAY) == [Reply((Text("one tw"),), None, Usage(0, 0))]
    assert messages.fold([], GATEWAY) == []


def test_a_trace_is_left_out_where_the_endpoint_drops_it() -> None:
    reply = Reply((Reasoning("hm"), Text("Yes.")), "stop", Usage(1, 1))
    assert [block["type"] for block in messages.render({}, [reply], context(), GATEWAY)["content"]] == [
        "text"
    ]


def test_members_that_are_ignored_are_not_read() -> None:
    turn = Turn((Message("user", (Text("Hi"),)),), stop=("x",))
    body = messages.write(turn, GATEWAY)
    assert body["stop_sequences"] == ["x"]
    assert messages.read(body, GATEWAY) == replace(turn, stop=())


def test_results_and_words_of_one_message_are_told_apart() -> None:
    blocks = [{"type": "tool_result", "tool_use_id": "a", "content": "31"}, {"type": "text", "text": "And?"}]
    turn = messages.read({"messages": [{"role": "user", "content": blocks}]}, ANTHROPIC)
    assert [message.role for message in turn.messages] == ["tool", "user"]
    assert turn.messages[0].parts == (ToolResult("a", (Text("31"),)),)


def test_what_has_no_form_is_named_with_what_to_do() -> None:
    turn = Turn((Message("user", (Media("audio", "mp3", b""),)),))
    with pytest.raises(ValueError, match=r"messages: expected text, an image.*send it over an API"):
        messages.write(turn, ANTHROPIC)


@EVERY
@given(values)
def test_nonsense_folds_to_nothing(profile: Any, nonsense: Any) -> None:
    assert messages.parse(nonsense, profile) in ([],) or isinstance(nonsense, dict)
    messages.fold(
        [Event("message_start", {"type": "message_start", "message": nonsense}), Event(None, nonsense)],
        profile,
    )
