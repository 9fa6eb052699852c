"""The Chat Completions dialect: both directions agree, and the openai package reads what it writes."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from conformance.dialects import Context, chat
from conformance.exchange import Event
from conformance.values import (
    Citation,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Refusal,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
)
from tests.dialects import Drawn, client, threes

PROFILES = yaml.safe_load("""
openai:
  ids:
    answer: {prefix: chatcmpl-, length: 29, alphabet: &any abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789}
    tool_call: {prefix: call_, length: 24, alphabet: *any}
  objects: {answer: chat.completion, chunk: chat.completion.chunk}
  finish: &finish
    {stop: stop, length: length, tool_calls: tool_calls, stop_sequence: stop, content_filter: content_filter}
  finish_in_stream: *finish
  reasoning: null
  no_content: null
  cap: max_completion_tokens
  ignored: []
  tier: {none: default, auto: default, fast: priority}
  answer: {system_fingerprint: null}
  choice: {logprobs: null}
  message: {refusal: null, annotations: []}
  usage_details:
    prompt_tokens_details: {cached_tokens: 0, audio_tokens: 0}
    completion_tokens_details:
      {reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0}
  sorted: false
  stream:
    first: {role: assistant, content: "", refusal: null}
    first_with_call: {role: assistant, content: null, refusal: null}
    whole_calls: false
    usage_in_finish: false
    usage_null: true
    padding: {member: obfuscation, place: chunk, low: 4, high: 16, alphabet: *any}
mantle:
  ids:
    answer: {prefix: chatcmpl-, alphabet: uuid}
    tool_call: {prefix: chatcmpl-tool-, length: 32, alphabet: 0123456789abcdef}
  objects: {answer: chat.completion, chunk: chat.completion.chunk}
  finish: *finish
  finish_in_stream: *finish
  reasoning: reasoning
  no_content: null
  cap: max_tokens
  ignored: []
  tier: {none: default, auto: default}
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
    padding: {member: obfuscation, place: choice, low: 4, high: 16, alphabet: *any}
puter:
  ids:
    answer: {prefix: chatcmpl-, length: 32, alphabet: 0123456789abcdef}
    tool_call: {prefix: "", length: 9, alphabet: *any}
  objects: {answer: chat.completion, chunk: chat.completion.chunk}
  finish: *finish
  finish_in_stream:
    {stop: stop, length: stop, tool_calls: tool_calls, stop_sequence: stop, content_filter: stop}
  reasoning: null
  no_content: ""
  cap: max_tokens
  ignored: [max_completion_tokens, tool_choice, top_p, n, stop, seed, response_format, stream_options,
            reasoning_effort]
  tier: null
  answer: {}
  choice: {logprobs: null}
  message: {}
  usage_details: {}
  sorted: false
  stream:
    first: null
    first_with_call: null
    whole_calls: true
    usage_in_finish: true
    usage_null: false
    padding: null
""")
OPENAI, MANTLE, PUTER = PROFILES["openai"], PROFILES["mantle"], PROFILES["puter"]
MISTRAL = {
    **PUTER,
    "ignored": [],
    "seed": "random_seed",
    "thinking": True,
    "calls": {"index": True, "type": False},
    "usage": {"service_tier": "standard"},
    "message": {"tool_calls": None},
    "stream": {
        **PUTER["stream"],
        "first": {"role": "assistant", "content": ""},
        "finish_with_last": True,
        "usage_in_finish": True,
    },
}
DOCUMENTED = {
    **OPENAI,
    "finish_named": "stop",
    "finish_function": "function_call",
    "ids": {**OPENAI["ids"], "audio": {"prefix": "audio_", "length": 8, "alphabet": "0123456789abcdef"}},
    "audio": {"seconds": 3600},
    "fingerprint": {"prefix": "fp_", "length": 10, "alphabet": "0123456789abcdef"},
    "moderation": {"categories": ["hate", "violence"], "score": 0.00001},
}
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
ASKED = {"messages": [], "stream_options": {"include_usage": True}}


def context(tier: str | None = None) -> Context:
    return Context("mistral.magistral-small-2509", 1795309098.7, Drawn(), tier=tier, split=threes)


def sse(events: Sequence[Event]) -> bytes:
    return "".join(f"data: {json.dumps(event.data)}\n\n" for event in events).encode() + b"data: [DONE]\n\n"


words = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=3)
texts = st.builds(Text, words)
functions = st.builds(ToolCall, names, names, objects)
calls = functions | st.builds(ToolCall, names, names, st.text(), custom=st.just(True))
tools = st.builds(Tool, names, st.text(), objects, st.none() | st.booleans()) | st.builds(
    Tool,
    names,
    st.text(),
    custom=st.just(True),
    grammar=st.none() | st.just({"syntax": "regex", "definition": "[a-z]+"}),
)
images = st.builds(
    Media, st.just("image"), st.sampled_from(["png", "jpeg", "webp"]), st.binary()
) | st.builds(Media, st.just("image"), st.none(), url=st.just("https://example.com/kiwi.png"))
sounds = st.builds(Media, st.just("audio"), st.sampled_from(["mp3", "wav"]), st.binary())
papers = st.builds(
    Media, st.just("document"), st.sampled_from(["pdf", "txt", "docx"]), st.binary(), name=st.none() | words
) | st.builds(Media, st.just("document"), st.none(), url=st.just("file-id:file-1"))
spoken = st.lists(texts, min_size=1, max_size=3)
messages = st.one_of(
    st.builds(Message, st.just("system"), spoken.map(tuple)),
    st.builds(
        Message,
        st.just("user"),
        st.lists(texts | images | sounds | papers, min_size=1, max_size=4).map(tuple),
    ),
    st.builds(
        lambda said, refused, called: Message("assistant", (*said, *refused, *called)),
        spoken,
        st.lists(st.builds(Refusal, words), max_size=1),
        st.lists(calls, max_size=2),
    ),
    st.builds(
        lambda made, parts: Message("tool", (ToolResult(made, tuple(parts)),)),
        names,
        st.lists(texts, max_size=2),
    ),
)
fractions = st.none() | st.floats(0, 1)
turns = st.builds(
    Turn,
    messages=st.lists(messages, min_size=1, max_size=5).map(tuple),
    model=st.none() | names,
    tools=st.lists(tools, max_size=2).map(tuple),
    tool_choice=st.none()
    | st.builds(ToolChoice, st.sampled_from(["auto", "any", "none"]))
    | st.builds(ToolChoice, st.just("named"), names),
    parallel_tool_calls=st.none() | st.booleans(),
    max_tokens=st.none() | st.integers(1, 99999),
    stop=st.lists(words, max_size=4).map(tuple),
    output=st.none()
    | st.builds(OutputFormat)
    | st.builds(OutputFormat, objects, names, st.none() | st.booleans()),
    temperature=fractions,
    top_p=fractions,
    seed=st.none() | st.integers(),
    n=st.integers(1, 3),
    stream=st.booleans(),
    reasoning=st.none() | st.sampled_from(["none", "low", "high"]),
    tier=st.none() | st.sampled_from(["auto", "flex"]),
    logprobs=st.none() | st.integers(0, 20),
    speech=st.none() | st.just({"voice": "alloy", "format": "wav"}),
    prediction=st.none() | words,
    search=st.booleans(),
    verbosity=st.none() | st.sampled_from(["low", "high"]),
    extras=st.just({}) | st.just({"stream_options": {"include_usage": True}, "logit_bias": None}),
)


def replies(reasons: bool = False, counts: bool = False) -> st.SearchStrategy[list[Reply]]:
    """Answers of one to three choices, such as can stand on a wire with or without reasoning and details."""
    parts = st.builds(
        lambda thought, said, refused, called: (*thought, *said, *refused, *called),
        st.lists(st.builds(Reasoning, words), max_size=1 if reasons else 0),
        st.lists(texts, max_size=1),
        st.lists(st.builds(Refusal, words), max_size=1),
        # The SDK's types know no custom call in a stream.
        st.lists(functions, max_size=2),
    )
    few = st.integers(0, 9)
    detail = few if counts else st.just(0)
    usage = st.builds(Usage, few, few, detail, detail)
    one = st.builds(Reply, parts, st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
    return st.builds(
        lambda choices, spent: [replace(choices[0], usage=spent), *choices[1:]],
        st.lists(one, min_size=1, max_size=3),
        usage,
    )


CARRIED = [(OPENAI, replies(counts=True)), (MANTLE, replies(reasons=True)), (PUTER, replies())]
CARRY = pytest.mark.parametrize(("profile", "possible"), CARRIED, ids=PROFILES)


@settings(deadline=None)
@given(turns)
def test_a_turn_written_is_the_turn_read(turn: Turn) -> None:
    body = json.loads(json.dumps(chat.write(turn, OPENAI)))
    assert chat.read(body, OPENAI) == replace(turn, speech=None)
    assert chat.read(body, DOCUMENTED) == turn


@settings(deadline=None)
@given(words, words)
def test_reasoning_goes_back_under_the_profiles_name(trace: str, said: str) -> None:
    turn = Turn((Message("assistant", (Reasoning(trace), Text(said))),))
    body = chat.write(turn, MANTLE)
    assert body["messages"][0]["reasoning"] == trace
    assert chat.read(body, MANTLE) == turn
    assert "reasoning" not in chat.write(turn, OPENAI)["messages"][0]


@CARRY
@settings(deadline=None)
@given(data=st.data())
def test_an_answer_rendered_is_the_answer_parsed(profile: Any, possible: Any, data: Any) -> None:
    given_replies = data.draw(possible)
    answer = json.loads(json.dumps(chat.render({}, given_replies, context(), profile)))
    assert chat.parse(answer, profile) == given_replies
    ChatCompletion.model_validate(answer)


@CARRY
@settings(deadline=None)
@given(data=st.data())
def test_a_stream_folds_to_what_the_answer_parses_to(profile: Any, possible: Any, data: Any) -> None:
    given_replies = data.draw(possible)
    events = list(chat.stream(ASKED, given_replies, context(), profile))
    kept = profile["finish_in_stream"] == profile["finish"]
    known = [
        choice if kept or choice.finish == "tool_calls" else replace(choice, finish="stop")
        for choice in given_replies
    ]
    assert chat.fold(events, profile) == known
    for event in events:
        assert event.name is None
        ChatCompletionChunk.model_validate(event.data)


@settings(deadline=None)
@given(replies(counts=True).filter(lambda choices: choices[0].finish in ("stop", "tool_calls")))
def test_the_sdk_accumulates_the_stream(given_replies: list[Reply]) -> None:
    only = given_replies[0]
    events = list(chat.stream(ASKED, [only], context(), OPENAI))
    with client(sse(events), "text/event-stream").chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream_options={"include_usage": True}
    ) as read:
        final = read.get_final_completion()
    assert chat.parse(final.model_dump(), OPENAI) == [only]


@EVERY
def test_the_sdk_reads_answer_and_stream(profile: Any) -> None:
    reply = Reply((Text("It rains."), ToolCall("", "weather", {"city": "Oslo"})), "tool_calls", Usage(3, 5))
    asked: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    answer = json.dumps(chat.render({}, [reply], context(), profile)).encode()
    plain = client(answer, "application/json").chat.completions.create(**asked)
    assert plain.choices[0].message.content == "It rains."
    assert plain.usage is not None and plain.usage.total_tokens == 8
    events = list(chat.stream(ASKED, [reply], context(), profile))
    chunks = list(client(sse(events), "text/event-stream").chat.completions.create(**asked, stream=True))
    assert len(chunks) == len(events)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "It rains."
    pieces = [call for delta in deltas for call in delta.tool_calls or []]
    assert pieces[0].id and pieces[0].id.startswith(profile["ids"]["tool_call"]["prefix"])
    assert json.loads("".join(piece.function.arguments for piece in pieces)) == {"city": "Oslo"}
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == [8]


def test_mantle_sorts_its_keys_and_names_its_tier() -> None:
    answer = chat.render({}, [Reply((Text("Hello!"),), "stop", Usage(5, 3))], context(), MANTLE)
    made = answer.pop("id").removeprefix("chatcmpl-")
    assert uuid.UUID(made).version == 4
    assert json.dumps(answer, separators=(",", ":")) == (
        '{"choices":[{"finish_reason":"stop","index":0,"logprobs":null,'
        '"message":{"content":"Hello!","refusal":null,"role":"assistant"}}],"created":1795309098,'
        '"model":"mistral.magistral-small-2509","object":"chat.completion","service_tier":"default",'
        '"usage":{"completion_tokens":3,"prompt_tokens":5,"total_tokens":8}}'
    )
    assert chat.render({}, [Reply(())], context("flex"), MANTLE)["service_tier"] == "flex"
    assert chat.render({}, [Reply(())], context("fast"), OPENAI)["service_tier"] == "priority"


def test_puter_streams_without_role_and_ends_with_usage_in_the_finish_chunk() -> None:
    reply = Reply((Text("Hi"), ToolCall("abcdefghi", "weather", {"city": "Oslo"})), "length", Usage(3, 5))
    chunks = [event.data for event in chat.stream({}, [reply], context(), PUTER)]
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"content": "Hi"},
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "abcdefghi",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
                }
            ]
        },
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]
    assert [chunk.get("usage") for chunk in chunks] == [
        None,
        None,
        {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
    ]
    assert set(chunks[0]) == {"id", "object", "created", "model", "choices"}
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_openai_opens_with_the_role_and_closes_with_a_usage_chunk_when_asked() -> None:
    reply = Reply((Text("Hi"),), "stop", Usage(3, 5))
    chunks = [event.data for event in chat.stream(ASKED, [reply], context(), OPENAI)]
    assert [chunk["choices"] for chunk in chunks] == [
        [
            {
                "index": 0,
                "delta": {"role": "assistant", "content": "", "refusal": None},
                "logprobs": None,
                "finish_reason": None,
            }
        ],
        [{"index": 0, "delta": {"content": "Hi"}, "logprobs": None, "finish_reason": None}],
        [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}],
        [],
    ]
    assert [chunk["usage"] is None for chunk in chunks] == [True, True, True, False]
    unasked = [event.data for event in chat.stream({}, [reply], context(), OPENAI)]
    assert len(unasked) == 3
    assert not any("usage" in chunk for chunk in unasked)


def test_openai_opens_role_and_tool_call_in_one_chunk() -> None:
    reply = Reply((ToolCall("call_1", "weather", {"city": "Oslo"}),), "tool_calls")
    first, *rest = [
        event.data["choices"][0]["delta"] for event in chat.stream({}, [reply], context(), OPENAI)
    ]
    assert (first["role"], first["content"]) == ("assistant", None)
    assert first["tool_calls"][0]["function"] == {"name": "weather", "arguments": ""}
    assert set(rest[0]["tool_calls"][0]) == {"index", "function"}


def test_padding_stands_where_the_profile_says_and_can_be_switched_off() -> None:
    reply = Reply((Text("Hi"),), "stop")
    off = {"stream_options": {"include_obfuscation": False}}
    assert all("obfuscation" in event.data for event in chat.stream({}, [reply], context(), OPENAI))
    assert not any("obfuscation" in event.data for event in chat.stream(off, [reply], context(), OPENAI))
    inside = next(chat.stream({}, [reply], context(), MANTLE)).data
    assert "obfuscation" in inside["choices"][0] and "obfuscation" not in inside


def test_choices_take_turns_and_share_one_usage() -> None:
    both = [Reply((Text("abcdef"),), "stop", Usage(4, 2)), Reply((Text("xyz"),), "length", Usage(4, 1))]
    events = list(chat.stream(ASKED, both, context(), MANTLE))
    assert [choice["index"] for event in events for choice in event.data["choices"]] == [0, 1, 0, 1, 0, 1, 0]
    answer = chat.render({}, both, context(), MANTLE)
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}
    assert [reply.usage for reply in chat.fold(events, MANTLE)] == [Usage(4, 3), None]


def test_cached_tokens_are_part_of_the_prompt_on_the_wire() -> None:
    usage = Usage(10, 5, reasoning=2, cache_read=90)
    assert chat.write_usage(replace(usage, cache_write=7), "input", "output", {}) == {
        "input_tokens": 107,
        "output_tokens": 5,
        "total_tokens": 112,
    }
    answer = chat.render({}, [Reply((), "stop", usage)], context(), OPENAI)
    assert answer["usage"]["prompt_tokens"] == 100
    assert answer["usage"]["prompt_tokens_details"] == {"cached_tokens": 90, "audio_tokens": 0}
    assert chat.parse(answer, OPENAI)[0].usage == usage


def test_a_cut_stream_folds_to_what_came() -> None:
    reply = Reply(
        (Text("abcdef"), ToolCall("call_1", "weather", {"city": "Oslo"})), "tool_calls", Usage(1, 1)
    )
    events = list(chat.stream({}, [reply], context(), OPENAI))
    assert chat.fold(events[:2], OPENAI) == [Reply((Text("abc"),))]
    assert chat.fold(events[:5], OPENAI) == [Reply((Text("abcdef"), ToolCall("call_1", "weather", '{"cit')))]
    assert chat.fold([], OPENAI) == []


def test_the_newer_cap_beats_the_older() -> None:
    assert chat.read({"max_tokens": 9, "max_completion_tokens": 5}, OPENAI).max_tokens == 5
    assert chat.read({"max_tokens": 9, "max_completion_tokens": None}, OPENAI).max_tokens == 9
    assert chat.read({"max_tokens": 9, "max_completion_tokens": 5}, PUTER).max_tokens == 9


def test_puter_does_not_look_at_what_it_ignores() -> None:
    body = {"n": 3, "stop": "x", "tool_choice": "none", "seed": 1, "temperature": 0.5}
    assert chat.read(body, PUTER) == Turn((), temperature=0.5)


@pytest.mark.parametrize(("stop", "read"), [("END", ("END",)), (["a", "b"], ("a", "b")), (None, ())])
def test_stop_is_a_string_or_a_list(stop: Any, read: tuple[str, ...]) -> None:
    assert chat.read({"stop": stop}, OPENAI).stop == read


TWO = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("first", "second")]


@pytest.mark.parametrize(
    ("choice", "read", "offered"),
    [
        ("auto", ToolChoice("auto"), 2),
        ("none", ToolChoice("none"), 2),
        ("required", ToolChoice("any"), 2),
        ({"type": "function", "function": {"name": "second"}}, ToolChoice("named", "second"), 2),
        ({"type": "custom", "custom": {"name": "second"}}, ToolChoice("named", "second"), 2),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": TWO[:1]}},
            ToolChoice("any"),
            1,
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TWO[1:]}},
            ToolChoice("auto"),
            1,
        ),
        (None, None, 2),
    ],
)
def test_every_tool_choice_is_read(choice: Any, read: ToolChoice | None, offered: int) -> None:
    turn = chat.read({"tools": TWO, "tool_choice": choice}, OPENAI)
    assert (turn.tool_choice, len(turn.tools)) == (read, offered)


def test_deprecated_functions_are_read_as_tools() -> None:
    body = {
        "functions": [{"name": "weather", "parameters": {"type": "object"}}],
        "function_call": {"name": "weather"},
        "messages": [
            {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "rain"},
        ],
    }
    turn = chat.read(body, OPENAI)
    assert turn.tools == (Tool("weather", "", {"type": "object"}),)
    assert turn.tool_choice == ToolChoice("named", "weather")
    assert turn.messages == (
        Message("assistant", (ToolCall("weather", "weather", {}),)),
        Message("tool", (ToolResult("weather", (Text("rain"),)),)),
    )


def test_content_parts_are_decoded() -> None:
    png = base64.b64encode(b"PNG").decode()
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}},
        {"type": "input_audio", "input_audio": {"data": png, "format": "wav"}},
        {"type": "file", "file": {"filename": "a.md", "file_data": f"data:text/markdown;base64,{png}"}},
        {"type": "file", "file": {"file_data": "data:text/plain;charset=utf-8,a%20b"}},
        {"type": "hologram"},
    ]
    (message,) = chat.read({"messages": [{"role": "developer", "content": content}]}, OPENAI).messages
    assert message == Message(
        "system",
        (
            Text("Look"),
            Media("image", "png", b"PNG"),
            Media("image", "png"),
            Media("audio", "wav", b"PNG"),
            Media("document", "md", b"PNG", name="a.md"),
            Media("document", "txt", b"a b"),
        ),
    )


def test_what_chat_has_no_form_for_is_refused() -> None:
    turn = Turn((Message("user", (Media("video", "mp4", b""),)),))
    with pytest.raises(ValueError, match="expected text, an image"):
        chat.write(turn, OPENAI)


@pytest.mark.parametrize("member", ["reasoning", "reasoning_content"])
def test_reasoning_is_read_under_both_names(member: str) -> None:
    answer = {"choices": [{"message": {member: "Hm.", "content": "Yes."}, "finish_reason": "stop"}]}
    events = [Event(None, {"choices": [{"index": 0, "delta": {member: piece}}]}) for piece in ("H", "m.")]
    assert chat.parse(answer, OPENAI) == [Reply((Reasoning("Hm."), Text("Yes.")), "stop")]
    assert chat.fold(events, OPENAI) == [Reply((Reasoning("Hm."),))]


CALL = Reply((ToolCall("call_1", "weather", {"city": "Oslo"}),), "tool_calls")
NAMED = {"tools": [{}], "tool_choice": {"type": "function", "function": {"name": "weather"}}}
ALLOWED = {"tools": [{}], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required"}}}
FUNCTIONS = {"functions": [{"name": "weather"}]}


@pytest.mark.parametrize(
    ("body", "finish"),
    [
        ({"tools": [{}]}, "tool_calls"),
        ({"tools": [{}], "tool_choice": "required"}, "tool_calls"),
        (ALLOWED, "tool_calls"),
        (NAMED, "stop"),
        (FUNCTIONS, "function_call"),
        ({**FUNCTIONS, "function_call": {"name": "weather"}}, "stop"),
    ],
    ids=str,
)
def test_the_reason_of_a_call_depends_on_how_it_was_asked(body: dict[str, Any], finish: str) -> None:
    assert chat.render(body, [CALL], context(), DOCUMENTED)["choices"][0]["finish_reason"] == finish
    assert (
        list(chat.stream(body, [CALL], context(), DOCUMENTED))[-1].data["choices"][0]["finish_reason"]
        == finish
    )
    assert chat.render(body, [CALL], context(), MANTLE)["choices"][0]["finish_reason"] == "tool_calls"


def test_a_function_is_answered_as_one_and_read_back() -> None:
    answer = chat.render(FUNCTIONS, [CALL], context(), DOCUMENTED)
    message = answer["choices"][0]["message"]
    assert message["function_call"] == {"name": "weather", "arguments": '{"city":"Oslo"}'}
    assert "tool_calls" not in message
    (whole,) = chat.parse(answer, DOCUMENTED)
    (pieces,) = chat.fold(chat.stream(FUNCTIONS, [CALL], context(), DOCUMENTED), DOCUMENTED)
    assert whole == pieces == Reply((ToolCall("weather", "weather", {"city": "Oslo"}),), "tool_calls")


def test_a_trace_may_be_a_part_of_the_content() -> None:
    reply = Reply((Reasoning("Hm, hm."), Text("144")), "stop", Usage(3, 5))
    answer = chat.render({}, [reply], context(), MISTRAL)
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm, hm."}], "closed": True}
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": [thought, {"type": "text", "text": "144"}],
        "tool_calls": None,
    }
    assert answer["usage"]["service_tier"] == "standard"
    assert chat.parse(answer, MISTRAL) == [reply]
    events = list(chat.stream({}, [reply], context(), MISTRAL))
    assert events[1].data["choices"][0]["delta"]["content"][0]["thinking"] == [
        {"type": "text", "text": "Hm,"}
    ]
    assert chat.fold(events, MISTRAL) == [reply]


def test_the_last_delta_may_have_the_finish_reason() -> None:
    events = list(chat.stream({}, [Reply((Text("abcd"),), "stop", Usage(3, 5))], context(), MISTRAL))
    assert [event.data["choices"][0]["delta"].get("content") for event in events] == ["", "abc", "d"]
    assert [event.data["choices"][0]["finish_reason"] for event in events] == [None, None, "stop"]
    assert "usage" in events[-1].data
    (silent,) = chat.stream(
        {}, [Reply((), "stop")], context(), {**MISTRAL, "stream": {**MISTRAL["stream"], "first": None}}
    )
    assert silent.data["choices"][0]["finish_reason"] == "stop"


def test_calls_may_be_numbered_and_say_no_type() -> None:
    both = Reply((ToolCall("1", "weather", {}), ToolCall("2", "time", {})), "tool_calls")
    message = chat.render({}, [both], context(), MISTRAL)["choices"][0]["message"]
    assert [set(each) for each in message["tool_calls"]] == [{"id", "index", "function"}] * 2
    assert [each["index"] for each in message["tool_calls"]] == [0, 1]


def test_a_seed_may_have_another_name() -> None:
    assert chat.write(Turn((), seed=7), MISTRAL)["random_seed"] == 7
    assert chat.read({"random_seed": 7}, MISTRAL).seed == 7
    assert chat.read({"random_seed": 7}, OPENAI).seed is None


def test_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    # As mistralai 3.7.0 sends back what it was answered: of its ToolCall `index` is 0 unless somebody says otherwise.
    made = [
        {"id": f"call{name}", "type": "function", "index": 0, "function": {"name": name, "arguments": "{}"}}
        for name in ("roll", "greet")
    ]
    asked = chat.read({"messages": [{"role": "assistant", "content": [], "tool_calls": made}]}, OPENAI)
    assert asked.messages[0].parts == (ToolCall("callroll", "roll", {}), ToolCall("callgreet", "greet", {}))
    pieces: list[dict[str, Any]] = [made[0], {"index": 0, "function": {"arguments": " "}}, made[1]]
    pieces.append({"index": 0, "function": {"arguments": "\n"}})
    events = [Event(None, {"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]}) for piece in pieces]
    assert [call.name for call in chat.fold(events, OPENAI)[0].tool_calls] == ["roll", "greet"]


def test_functions_are_called_as_tools_where_nobody_says_otherwise() -> None:
    message = chat.render(FUNCTIONS, [CALL], context(), MANTLE)["choices"][0]["message"]
    assert "function_call" not in message and message["tool_calls"]


def test_an_id_may_be_made_of_the_name_and_place_of_a_call() -> None:
    kimi = {**MANTLE, "ids": {**MANTLE["ids"], "tool_call": {"prefix": "functions.", "of_name": True}}}
    both = Reply((ToolCall("", "weather", {}), ToolCall("", "time", {})), "tool_calls")
    message = chat.render({}, [both], context(), kimi)["choices"][0]["message"]
    assert [each["id"] for each in message["tool_calls"]] == ["functions.weather:0", "functions.time:1"]
    (streamed,) = chat.fold(chat.stream({}, [both], context(), kimi), kimi)
    assert [call.id for call in streamed.tool_calls] == ["functions.weather:0", "functions.time:1"]


def test_a_custom_call_is_streamed_in_pieces() -> None:
    reply = Reply((ToolCall("call_1", "code", "print(1)", custom=True),), "tool_calls")
    events = list(chat.stream({}, [reply], context(), DOCUMENTED))
    calls = [each for event in events for each in event.data["choices"][0]["delta"].get("tool_calls", ())]
    assert calls[0] == {
        "index": 0,
        "id": "call_1",
        "type": "custom",
        "custom": {"name": "code", "input": ""},
    }
    assert [set(each) for each in calls[1:]] == [{"index", "custom"}] * 3
    assert chat.fold(events, DOCUMENTED) == [reply]


def test_a_spoken_answer_has_no_content_but_a_transcript() -> None:
    reply = Reply((Text("Hello there"), Media("audio", "pcm16", bytes(range(20)))), "stop")
    answer = chat.render({}, [reply], context(), DOCUMENTED)
    message = answer["choices"][0]["message"]
    assert (message["content"], message["audio"]["transcript"]) == (None, "Hello there")
    assert message["audio"]["expires_at"] == answer["created"] + 3600
    assert base64.b64decode(message["audio"]["data"]) == bytes(range(20))
    events = list(chat.stream({}, [reply], context(), DOCUMENTED))
    (pieces,) = chat.fold(events, DOCUMENTED)
    assert pieces == chat.parse(answer, DOCUMENTED)[0]
    assert pieces.parts == (Text("Hello there"), Media("audio", None, bytes(range(20))))


def test_citations_are_told_and_read_back() -> None:
    cited = Citation("https://example.com/x", "X", 3, 8)
    reply = Reply((Text("It is so."),), "stop", citations=(cited,))
    answer = chat.render({}, [reply], context(), DOCUMENTED)
    assert answer["choices"][0]["message"]["annotations"] == [
        {
            "type": "url_citation",
            "url_citation": {"start_index": 3, "end_index": 8, "title": "X", "url": "https://example.com/x"},
        }
    ]
    assert chat.parse(answer, DOCUMENTED) == [reply]
    assert chat.fold(chat.stream({}, [reply], context(), DOCUMENTED), DOCUMENTED) == [reply]


def odds(text: str, alternatives: int) -> list[dict[str, Any]]:
    return [{"token": each, "logprob": -0.5, "bytes": None, "top_logprobs": []} for each in text]


def test_odds_stand_only_where_they_were_asked_for() -> None:
    reply, asking = Reply((Text("abcd"),), "stop"), {"logprobs": True, "top_logprobs": 2}
    told = replace(context(), likely=odds)
    assert chat.render({}, [reply], told, DOCUMENTED)["choices"][0]["logprobs"] is None
    [choice] = chat.render(asking, [reply], told, DOCUMENTED)["choices"]
    assert choice["logprobs"] == {"content": odds("abcd", 2), "refusal": None}
    beside = [
        event.data["choices"][0]["logprobs"] for event in chat.stream(asking, [reply], told, DOCUMENTED)
    ]
    assert beside == [
        None,
        {"content": odds("abc", 2), "refusal": None},
        {"content": odds("d", 2), "refusal": None},
        None,
    ]
    (refused,) = chat.render(asking, [Reply((Refusal("no"),))], told, DOCUMENTED)["choices"]
    assert refused["logprobs"] == {"content": None, "refusal": odds("no", 2)}


def test_a_fingerprint_is_that_of_the_model() -> None:
    here = chat.render({}, [CALL], context(), DOCUMENTED)["system_fingerprint"]
    there = chat.render({}, [CALL], replace(context(), model="gpt-4o"), DOCUMENTED)["system_fingerprint"]
    assert here != there and len(here) == len("fp_0123456789")
    assert chat.render({}, [CALL], context(), DOCUMENTED)["system_fingerprint"] == here


def test_moderation_is_told_to_who_asks() -> None:
    asking = {"moderation": {"model": "omni-moderation-latest"}}
    said = chat.render(asking, [CALL], context(), DOCUMENTED)["moderation"]
    assert said["input"]["results"][0]["categories"] == {"hate": False, "violence": False}
    assert "moderation" not in chat.render({}, [CALL], context(), DOCUMENTED)
    assert "moderation" not in chat.render(asking, [CALL], context(), MANTLE)


def test_words_and_sounds_of_usage_are_counted_apart() -> None:
    details = {
        "prompt_tokens_details": {"audio_tokens": 0, "text_tokens": 0},
        "completion_tokens_details": {"audio_tokens": 0, "text_tokens": 0, "rejected_prediction_tokens": 0},
    }
    usage = chat.write_usage(Usage(9, 12, heard=4, audio=5, rejected=2), "prompt", "completion", details)
    assert usage["prompt_tokens_details"] == {"audio_tokens": 4, "text_tokens": 5}
    assert usage["completion_tokens_details"] == {
        "audio_tokens": 5,
        "text_tokens": 7,
        "rejected_prediction_tokens": 2,
    }
    assert chat.read_usage(usage, "prompt", "completion") == Usage(9, 12, heard=4, audio=5, rejected=2)


@pytest.mark.parametrize("text", ["", "{", '"word"', "NaN", "[" * 100_000])
def test_arguments_that_are_no_json_stay_text(text: str) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": text}}
    (reply,) = chat.parse({"choices": [{"message": {"tool_calls": [call]}}]}, OPENAI)
    assert reply.parts == (ToolCall("1", "f", text),)
    assert chat.render({}, [reply], context(), OPENAI)["choices"][0]["message"]["tool_calls"][0] == {
        **call,
        "type": "function",
    }


members = st.sampled_from(
    [
        "role",
        "content",
        "type",
        "text",
        "image_url",
        "url",
        "tool_calls",
        "function",
        "arguments",
        "name",
        "file",
    ]
)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["text", "tool", "assistant", "file"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
    max_leaves=12,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        name: junk | st.lists(junk, max_size=2)
        for name in [
            "messages", "tools", "tool_choice", "functions", "function_call", "stop", "response_format", "n",
            "max_tokens", "stream_options", "seed", "choices", "usage", "finish_reason", "delta", "message",
        ]
    },
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(bodies, junk)
def test_nothing_that_is_json_makes_a_reader_raise(body: dict[str, Any], other: Any) -> None:
    choices = {"choices": [body, {"index": 0, "message": other, "delta": other}, other], "usage": other}
    for answer in (body, other, choices):
        chat.read(answer if isinstance(answer, dict) else {"messages": [answer]}, OPENAI)
        chat.parse(answer, OPENAI)
        chat.fold([Event(None, answer), Event(None, "[DONE]"), Event(None, answer)], OPENAI)
