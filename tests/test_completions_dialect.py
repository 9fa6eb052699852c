"""The legacy Completions dialect: both directions agree, and the openai package reads what it writes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import Completion

from conformance.dialects import Context, completions
from conformance.exchange import Event
from conformance.values import Message, Reasoning, Refusal, Reply, Text, ToolCall, Turn, Usage
from tests.dialects import Drawn, client, threes

PROFILES = yaml.safe_load("""
openai:
  ids: {answer: {prefix: cmpl-, length: 29, alphabet: abcdefghij0123456789}}
  object: text_completion
  finish: &finish
    {stop: stop, length: length, tool_calls: stop, stop_sequence: stop, content_filter: content_filter}
  finish_in_stream: *finish
  messages: false
  ignored: []
  answer: {system_fingerprint: null}
  choice: {logprobs: null}
  usage_details: {completion_tokens_details: {reasoning_tokens: 0}}
  stream: {usage_in_finish: false}
gateway:
  ids: {answer: {prefix: cmpl-, alphabet: uuid}}
  object: text_completion
  finish: *finish
  finish_in_stream: *finish
  messages: true
  ignored: [n, stop]
  answer: {}
  choice: {logprobs: null}
  usage_details: {}
  stream: {usage_in_finish: true}
""")
OPENAI, GATEWAY = PROFILES["openai"], PROFILES["gateway"]
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
ASKED = {"prompt": "Hi", "stream_options": {"include_usage": True}}


def context() -> Context:
    return Context("magistral", 1795309098.7, Drawn(), split=threes)


words = st.text(min_size=1, max_size=20)
prompts = st.builds(lambda text: (Message("user", (Text(text),)),), words)
talks = st.lists(
    st.builds(
        lambda role, text: Message(role, (Text(text),)),
        st.sampled_from(["system", "user", "assistant"]),
        words,
    ),
    min_size=2,
    max_size=4,
).map(tuple)
turns = st.builds(
    Turn,
    messages=prompts,
    model=st.none() | words,
    max_tokens=st.none() | st.integers(1, 9999),
    stop=st.lists(words, max_size=3).map(tuple),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    seed=st.none() | st.integers(),
    n=st.integers(1, 3),
    stream=st.booleans(),
    extras=st.just({}) | st.just({"echo": False, "suffix": "."}),
)
few = st.integers(0, 9)
answers = st.builds(
    lambda choices, usage: [replace(choices[0], usage=usage), *choices[1:]],
    st.lists(
        st.builds(
            Reply,
            st.lists(st.builds(Text, words), max_size=1).map(tuple),
            st.sampled_from(["stop", "length", "content_filter"]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.builds(Usage, few, few),
)


@settings(deadline=None)
@given(turns)
def test_a_turn_written_is_the_turn_read(turn: Turn) -> None:
    assert completions.read(json.loads(json.dumps(completions.write(turn, OPENAI))), OPENAI) == turn


@settings(deadline=None)
@given(talks)
def test_a_conversation_goes_as_messages_where_the_endpoint_takes_them(talk: tuple[Message, ...]) -> None:
    body = completions.write(Turn(talk), GATEWAY)
    assert "prompt" not in body
    assert completions.read(body, GATEWAY) == Turn(talk)
    with pytest.raises(ValueError, match="expected one message of the user's that is text"):
        completions.write(Turn(talk), OPENAI)


@EVERY
@settings(deadline=None)
@given(answers)
def test_an_answer_rendered_is_the_answer_parsed(profile: Any, given_replies: list[Reply]) -> None:
    answer = json.loads(json.dumps(completions.render({}, given_replies, context(), profile)))
    assert completions.parse(answer, profile) == given_replies
    Completion.model_validate(answer)


@EVERY
@settings(deadline=None)
@given(answers)
def test_a_stream_folds_to_what_the_answer_parses_to(profile: Any, given_replies: list[Reply]) -> None:
    assert (
        completions.fold(completions.stream(ASKED, given_replies, context(), profile), profile)
        == given_replies
    )


@EVERY
def test_the_sdk_reads_answer_and_stream(profile: Any) -> None:
    reply = Reply((Text("It rains."),), "stop", Usage(3, 5))
    asked: Any = {"model": "m", "prompt": "Hi"}
    body = json.dumps(completions.render({}, [reply], context(), profile)).encode()
    plain = client(body, "application/json").completions.create(**asked)
    assert (plain.choices[0].text, plain.choices[0].finish_reason) == ("It rains.", "stop")
    assert plain.usage is not None and plain.usage.total_tokens == 8
    events: list[Event] = list(completions.stream(ASKED, [reply], context(), profile))
    # The package's type of a chunk wants a finish reason, which no server gives before the last one.
    lenient = client(
        "".join(f"data: {json.dumps(event.data)}\n\n" for event in events).encode() + b"data: [DONE]\n\n",
        "text/event-stream",
    ).with_options(_extra_kwargs={"_strict_response_validation": False})
    chunks = list(lenient.completions.create(**asked, stream=True))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "It rains."
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [8]
    assert (len(chunks[-1].choices) == 1) == profile["stream"]["usage_in_finish"]


def test_what_is_no_text_is_not_sent() -> None:
    reply = Reply((Reasoning("hm"), Text("No"), Refusal("."), ToolCall("1", "f", {})), "tool_calls")
    [choice] = completions.render({}, [reply], context(), OPENAI)["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("No.", "stop")


def test_the_first_of_several_prompts_is_read() -> None:
    turn = completions.read({"prompt": ["one", "two"]}, OPENAI)
    assert [message.text for message in turn.messages] == ["one"]


def test_members_that_are_ignored_are_not_read() -> None:
    turn = completions.read({"prompt": "Hi", "n": 2, "stop": "x"}, GATEWAY)
    assert (turn.n, turn.stop) == (1, ())
    assert completions.read({"prompt": "Hi", "n": 2, "stop": "x"}, OPENAI).stop == ("x",)


@pytest.mark.parametrize("nonsense", [None, 7, "x", [], {}, {"choices": 3}, {"choices": [{"text": 3}, None]}])
def test_nonsense_breaks_nothing(nonsense: Any) -> None:
    for reply in completions.parse(nonsense, OPENAI):
        assert reply.parts == ()
