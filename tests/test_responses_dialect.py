"""The Responses dialect: both directions agree, and the openai package reads what it writes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from conformance.dialects import Context, responses
from conformance.exchange import Event
from conformance.values import (
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
mantle: &mantle
  ids:
    response: {prefix: resp_, length: 52, alphabet: abcdefghijklmnopqrstuvwxyz234567}
    message: {prefix: msg_, length: 32, alphabet: &hex 0123456789abcdef}
    reasoning: {prefix: rs_, length: 32, alphabet: *hex}
    function_call: {prefix: fc_, length: 32, alphabet: *hex}
    custom_tool_call: {prefix: ctc_, length: 32, alphabet: *hex}
    call: {prefix: call_, length: 16, alphabet: *hex}
  object: response
  seconds: integer
  without: []
  if_said: []
  plain: {}
  effort: null
  summary: always
  sealed: null
  renamed: {}
  placed: []
  phases: null
  client: {}
  callers: [direct]
  fingerprint: null
  safety_checks: []
  hosted: {tools: {}, items: {}}
  members: &members
    background: false
    completed_at: null
    created_at: null
    error: null
    frequency_penalty: 0.0
    id: null
    incomplete_details: null
    instructions: null
    max_output_tokens: null
    max_tool_calls: null
    metadata: {}
    model: null
    object: null
    output: null
    parallel_tool_calls: true
    presence_penalty: 0.0
    previous_response_id: null
    prompt_cache_key: null
    reasoning: {effort: medium, summary: null}
    safety_identifier: null
    service_tier: null
    status: null
    store: true
    temperature: 1.0
    text: {format: {type: text}, verbosity: medium}
    tool_choice: auto
    tools: null
    top_logprobs: 0
    top_p: 1.0
    truncation: disabled
    usage: null
  finish: {length: max_output_tokens, content_filter: content_filter}
  reasoning: content
  with_status: [message, reasoning, function_call]
  items: {message: {}, reasoning: {}, function_call: {}}
  text_part: {annotations: [], logprobs: []}
  echo:
    tool: {description: null, parameters: null, strict: true}
    format: {description: null}
    others: {}
    last: []
    strict_schemas: false
  usage_details:
    input_tokens_details: {cached_tokens: 0, cache_write_tokens: 0}
    output_tokens_details: {reasoning_tokens: 0}
  tier: {none: default, auto: default}
  ignored: []
  refused: []
  sorted: true
  stream: &stream
    first_number: 0
    in_progress: true
    tier: auto
    settled_tier: null
    members: {}
    without: []
    begun_without: []
    empty_part: {}
    text: {logprobs: []}
    reasoning_event: reasoning_text
    reasoning_part: reasoning_part
    obfuscation: {low: 0, high: 0, alphabet: *hex}
openai:
  <<: *mantle
  ids:
    response: {prefix: resp_, length: 50, alphabet: *hex}
    message: {prefix: msg_, length: 50, alphabet: *hex}
    reasoning: {prefix: rs_, length: 50, alphabet: *hex}
    function_call: {prefix: fc_, length: 50, alphabet: *hex}
    custom_tool_call: {prefix: ctc_, length: 50, alphabet: *hex}
    call: {prefix: call_, length: 24, alphabet: *hex}
  members: {<<: *members, billing: {payer: developer}}
  reasoning: summary
  with_status: [message, function_call]
  items: {message: {phase: final_answer}, reasoning: {}, function_call: {}}
  sorted: false
  stream: {<<: *stream, reasoning_part: content_part, obfuscation: {low: 4, high: 16, alphabet: *hex}}
""")
MANTLE, OPENAI = PROFILES["mantle"], PROFILES["openai"]
PROFILES["openai, trace in content"] = {**OPENAI, "reasoning": "content"}
EVERY = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
SEALED = {"include": ["reasoning.encrypted_content"]}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def context(tier: str | None = None) -> Context:
    return Context("openai.gpt-oss-20b", 1795309098.7, Drawn(), tier=tier, split=threes)


def sse(events: Iterable[Event]) -> bytes:
    return "".join(f"event: {event.name}\ndata: {json.dumps(event.data)}\n\n" for event in events).encode()


words = st.text(min_size=1, max_size=20)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
objects = st.dictionaries(st.text(max_size=8), values | st.lists(values, max_size=2), max_size=3)
texts = st.builds(Text, words)
refusals = st.builds(Refusal, words)
traces = st.builds(Reasoning, words, st.none() | words)
calls = st.builds(ToolCall, names, names, objects) | st.builds(
    ToolCall, names, names, st.text(), custom=st.just(True)
)
grammars = st.none() | st.just({"syntax": "regex", "definition": "[a-z]+"})
images = st.builds(Media, st.just("image"), st.sampled_from(["png", "jpeg"]), st.binary()) | st.builds(
    Media,
    st.just("image"),
    st.none(),
    url=st.sampled_from(["https://example.com/kiwi.png", "file-id:file-1"]),
)
sounds = st.builds(Media, st.just("audio"), st.sampled_from(["mp3", "wav"]), st.binary())
papers = st.builds(
    Media, st.just("document"), st.sampled_from(["pdf", "txt"]), st.binary(), name=st.none() | words
) | st.builds(
    Media,
    st.just("document"),
    st.none(),
    url=st.sampled_from(["https://example.com/a.pdf", "file-id:file-1"]),
)


def listed(part: Any, least: int = 0, most: int = 2) -> Any:
    return st.lists(part, min_size=least, max_size=most)


asked = st.builds(Message, st.just("user"), listed(texts | images | sounds | papers, 1, 3).map(tuple))
told = st.builds(Message, st.just("system"), listed(texts, 1, 2).map(tuple))
replied = st.builds(
    lambda thought, said, called: Message("assistant", (*thought, *said, *called)),
    listed(traces, 0, 1),
    listed(texts | refusals, 1, 2),
    listed(calls),
)
resulted = st.builds(
    lambda made, parts: Message("tool", (ToolResult(made, tuple(parts)),)), names, listed(texts | images)
)
fractions = st.none() | st.floats(0, 1)
# Two assistant messages in a row are one on this wire, unless the second begins with words.
conversations = st.lists(st.tuples(asked | told | resulted, st.none() | replied), min_size=1, max_size=3).map(
    lambda pairs: tuple(message for pair in pairs for message in pair if message is not None)
)
turns = st.builds(
    Turn,
    messages=conversations,
    model=st.none() | names,
    tools=listed(
        st.builds(Tool, names, st.text(), objects, st.none() | st.booleans())
        | st.builds(Tool, names, st.text(), custom=st.just(True), grammar=grammars)
    ).map(tuple),
    tool_choice=st.none()
    | st.builds(ToolChoice, st.sampled_from(["auto", "any", "none"]))
    | st.builds(ToolChoice, st.just("named"), names),
    parallel_tool_calls=st.none() | st.booleans(),
    max_tokens=st.none() | st.integers(1, 99999),
    output=st.none()
    | st.builds(OutputFormat)
    | st.builds(OutputFormat, objects, names, st.none() | st.booleans()),
    temperature=fractions,
    top_p=fractions,
    stream=st.booleans(),
    reasoning=st.none() | st.sampled_from(["none", "low", "high"]),
    tier=st.none() | st.sampled_from(["auto", "flex"]),
    extras=st.just({})
    | st.just({"store": False, "previous_response_id": "resp_1", "metadata": {"a": "b"}})
    | st.just({"text": {"more": "low"}, "reasoning": {"summary": "auto"}, "include": []}),
    verbosity=st.none() | st.sampled_from(["low", "high"]),
)
replies = st.builds(
    lambda parts, cut, usage: Reply(
        tuple(parts), cut or ("tool_calls" if any(isinstance(p, ToolCall) for p in parts) else "stop"), usage
    ),
    st.lists(
        texts | refusals | traces | calls, max_size=4, unique_by=lambda part: getattr(part, "id", object())
    ),
    st.none() | st.sampled_from(["length", "content_filter"]),
    st.builds(Usage, *[st.integers(0, 9)] * 5),
)


@settings(deadline=None)
@given(turns)
def test_a_turn_written_is_the_turn_read(turn: Turn) -> None:
    body = json.loads(json.dumps(responses.write(turn, MANTLE)))
    assert responses.read(body, MANTLE) == turn


@EVERY
@settings(deadline=None)
@given(reply=replies)
def test_an_answer_rendered_is_the_answer_parsed(profile: Any, reply: Reply) -> None:
    answer = json.loads(json.dumps(responses.render(SEALED, [reply], context(), profile)))
    assert responses.parse(answer, profile) == [reply]
    assert list(answer) == (sorted(profile["members"]) if profile["sorted"] else list(profile["members"]))
    Response.model_validate(answer)


@EVERY
@settings(deadline=None)
@given(reply=replies)
def test_a_stream_ends_with_the_answer_and_its_deltas_add_up_to_it(profile: Any, reply: Reply) -> None:
    events = list(responses.stream(SEALED, [reply], context(), profile))
    assert responses.fold(events, profile) == [reply]
    last = events[-1].data["response"]
    assert responses.parse(last, profile) == [reply]
    assert responses.fold(events[:-1], profile) == [Reply(reply.parts)]
    unfinished = [
        event for event in events if event.name not in ("response.output_item.done", events[-1].name)
    ]
    assert responses.fold(unfinished, profile) == [Reply(reply.parts)]


@EVERY
@settings(deadline=None)
@given(reply=replies)
def test_every_event_is_what_the_sdk_says_it_is(profile: Any, reply: Reply) -> None:
    events = list(responses.stream(SEALED, [reply], context(), profile))
    assert [event.data["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        assert event.name == event.data["type"]
        if "reasoning_part" not in event.data["type"]:
            EVENT.validate_python(event.data)


@EVERY
@settings(deadline=None)
@given(reply=replies.filter(lambda reply: reply.finish in ("stop", "tool_calls")))
def test_the_sdk_accumulates_the_stream(profile: Any, reply: Reply) -> None:
    events = list(responses.stream(SEALED, [reply], context(), profile))
    known = profile["stream"]["reasoning_part"] == "content_part"
    with client(sse(events), "text/event-stream", known).responses.stream(model="m", input="Hi") as read:
        seen = [event.type for event in read]
        final = read.get_final_response()
    assert seen == [event.name for event in events]
    assert final.output_text == reply.text
    assert responses.parse(final.model_dump(), profile) == [reply]


def test_the_sdk_reads_an_answer_cut_off() -> None:
    reply = Reply((Reasoning("Hm."), Text("Once upon")), "length", Usage(3, 5, reasoning=2))
    answer = json.dumps(responses.render({"max_output_tokens": 16}, [reply], context(), MANTLE)).encode()
    read = client(answer, "application/json").responses.create(model="m", input="Hi")
    assert (read.status, read.max_output_tokens) == ("incomplete", 16)
    assert read.incomplete_details is not None and read.incomplete_details.reason == "max_output_tokens"
    assert [item.status for item in read.output] == ["completed", "incomplete"]  # type: ignore[union-attr]
    assert read.completed_at is None
    assert read.usage is not None and read.usage.output_tokens_details.reasoning_tokens == 2
    events = list(responses.stream({}, [reply], context(), OPENAI))
    seen = list(client(sse(events), "text/event-stream").responses.create(model="m", input="Hi", stream=True))
    assert seen[-1].type == "response.incomplete"


def test_events_come_in_order() -> None:
    reply = Reply(
        (Reasoning("Hm."), Text("It rains."), ToolCall("", "weather", {})), "tool_calls", Usage(1, 1)
    )
    start = ["response.created", "response.in_progress", "response.output_item.added"]
    words = ["response.output_text.delta"] * 3 + ["response.output_text.done", "response.content_part.done"]
    message = [
        "response.content_part.added",
        *words,
        "response.output_item.done",
        "response.output_item.added",
    ]
    call = ["response.function_call_arguments.delta"] * 2 + ["response.function_call_arguments.done"]
    end = [*call, "response.output_item.done", "response.completed"]
    trace = ["response.reasoning_text.delta", "response.reasoning_text.done"]
    between = ["response.output_item.done", "response.output_item.added"]
    seen = [event.name for event in responses.stream({}, [reply], context(), MANTLE)]
    around = ["response.reasoning_part.added", *trace, "response.reasoning_part.done"]
    assert seen == [*start, *around, *between, *message, *end]
    summary = ["response.reasoning_summary_text.delta", "response.reasoning_summary_text.done"]
    around = ["response.reasoning_summary_part.added", *summary, "response.reasoning_summary_part.done"]
    seen = [event.name for event in responses.stream({}, [reply], context(), OPENAI)]
    assert seen == [*start, *around, *between, *message, *end]


def test_an_item_is_announced_without_its_words() -> None:
    reply = Reply(
        (Reasoning("Hm."), Text("Yes."), ToolCall("call_1", "weather", {"city": "Oslo"})), "tool_calls"
    )
    events = list(responses.stream({}, [reply], context(), MANTLE))
    parts = [event.data["part"] for event in events if str(event.name).endswith("part.added")]
    assert [part["text"] for part in parts] == ["", ""]
    added = [event.data["item"] for event in events if event.name == "response.output_item.added"]
    assert [{name: value for name, value in item.items() if name != "id"} for item in added] == [
        {"type": "reasoning", "status": "in_progress", "summary": []},
        {"type": "message", "status": "in_progress", "role": "assistant", "content": []},
        {
            "type": "function_call",
            "status": "in_progress",
            "call_id": "call_1",
            "name": "weather",
            "arguments": "",
        },
    ]


def test_an_answer_has_all_31_members_and_echoes_the_request() -> None:
    body = {
        "model": "m",
        "instructions": "Be brief.",
        "temperature": 0.2,
        "store": False,
        "text": {"format": {"type": "json_schema", "name": "city", "schema": {"type": "object"}}},
        "tools": [{"type": "function", "name": "weather"}],
        "reasoning": {"effort": "low"},
        "metadata": None,
    }
    answer = responses.render(body, [Reply((Text("Hi"),), "stop", Usage(1, 1))], context(), MANTLE)
    assert len(answer) == 31
    assert {name: answer[name] for name in ("instructions", "temperature", "store", "metadata")} == {
        "instructions": "Be brief.",
        "temperature": 0.2,
        "store": False,
        "metadata": {},
    }
    assert answer["model"] == "openai.gpt-oss-20b"
    assert answer["created_at"] == answer["completed_at"] == 1795309098
    assert answer["reasoning"] == {"effort": "low", "summary": None}
    assert answer["tools"] == [
        {"type": "function", "name": "weather", "description": None, "parameters": None, "strict": True}
    ]
    assert answer["text"]["verbosity"] == "medium"
    assert answer["text"]["format"]["description"] is None
    assert "output_text" not in answer


def test_the_first_events_name_the_tier_asked_for_and_the_last_the_tier_that_served() -> None:
    def tiers(body: dict[str, Any], served: str | None) -> tuple[str, str]:
        events = list(responses.stream(body, [Reply((), "stop")], context(served), MANTLE))
        return events[0].data["response"]["service_tier"], events[-1].data["response"]["service_tier"]

    assert tiers({}, None) == ("auto", "default")
    assert tiers({"service_tier": "flex"}, "flex") == ("flex", "flex")


def test_obfuscation_stands_in_deltas_and_can_be_switched_off() -> None:
    reply = Reply((Text("It rains."), ToolCall("", "weather", {})), "tool_calls")
    deltas = [
        event.data for event in responses.stream({}, [reply], context(), MANTLE) if "delta" in event.data
    ]
    assert [delta["obfuscation"] for delta in deltas] == [""] * 5
    off = {"stream_options": {"include_obfuscation": False}}
    assert not any("obfuscation" in event.data for event in responses.stream(off, [reply], context(), OPENAI))


def test_a_sealed_trace_is_sent_only_when_asked_for() -> None:
    reply = Reply((Reasoning("Hm.", "rsn_1"), Text("Yes.")), "stop")
    assert responses.parse(responses.render({}, [reply], context(), MANTLE), MANTLE) == [
        replace(reply, parts=(Reasoning("Hm."), Text("Yes.")))
    ]


def test_ids_begin_as_the_profile_says() -> None:
    reply = Reply((Reasoning("Hm."), Text("Yes."), ToolCall("", "weather", {})), "tool_calls")
    answer = responses.render({}, [reply], context(), MANTLE)
    assert answer["id"].startswith("resp_") and len(answer["id"]) == 57
    assert [item["id"][:3] for item in answer["output"]] == ["rs_", "msg", "fc_"]
    assert answer["output"][2]["call_id"].startswith("call_")


def test_a_string_is_one_user_message_and_instructions_come_first() -> None:
    turn = responses.read({"input": "Hi", "instructions": "Be brief."}, MANTLE)
    assert turn.messages == (Message("system", (Text("Be brief."),)), Message("user", (Text("Hi"),)))


def test_items_of_one_assistant_turn_are_one_message() -> None:
    items = [
        {"type": "message", "role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Rain?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me look."}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Oslo"}'},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "rain"}],
        },
        {"type": "item_reference", "id": "msg_1"},
        {"role": "assistant", "content": "Yes."},
        {"role": "assistant", "content": "It does."},
    ]
    assert responses.read({"input": items}, MANTLE).messages == (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("Rain?"),)),
        Message(
            "assistant",
            (Reasoning("Hm."), Text("Let me look."), ToolCall("call_1", "weather", {"city": "Oslo"})),
        ),
        Message("tool", (ToolResult("call_1", (Text("rain"),)),)),
        Message("assistant", (Text("Yes."),)),
        Message("assistant", (Text("It does."),)),
    )


@pytest.mark.parametrize(
    ("choice", "read", "offered"),
    [
        ("required", ToolChoice("any"), 2),
        ({"type": "function", "name": "second"}, ToolChoice("named", "second"), 2),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "first"}]},
            ToolChoice("any"),
            1,
        ),
        ({"type": "web_search"}, None, 2),
    ],
)
def test_every_tool_choice_is_read(choice: Any, read: ToolChoice | None, offered: int) -> None:
    tools = [{"type": "function", "name": name} for name in ("first", "second")] + [{"type": "web_search"}]
    turn = responses.read({"tools": tools, "tool_choice": choice}, MANTLE)
    assert (turn.tool_choice, len(turn.tools)) == (read, offered)


def test_a_chained_request_continues_from_input_and_output() -> None:
    body = {"input": "What is my name?", "instructions": "Be brief."}
    answer = responses.render(body, [Reply((Text("Ada."),), "stop")], context(), MANTLE)
    chained = {"input": [*responses.items(body), *answer["output"], *responses.items({"input": "Sure?"})]}
    assert [(message.role, message.text) for message in responses.read(chained, MANTLE).messages] == [
        ("user", "What is my name?"),
        ("assistant", "Ada."),
        ("user", "Sure?"),
    ]


def test_a_finished_item_counts_more_than_its_deltas() -> None:
    events = list(responses.stream({}, [Reply((Text("Hello!"),), "stop")], context(), MANTLE))[:-1]
    events[-1].data["item"]["content"][0]["text"] = "Bye!"
    assert responses.fold(events, MANTLE) == [Reply((Text("Bye!"),))]


def test_what_responses_has_no_form_for_is_refused() -> None:
    with pytest.raises(ValueError, match="expected text, a refusal"):
        responses.write(Turn((Message("user", (Media("video", "mp4", b""),)),)), MANTLE)


def test_a_failed_or_unfinished_answer_has_no_finish() -> None:
    answer = responses.render({}, [Reply((Text("Hi"),), "stop")], context(), MANTLE)
    for status in ("failed", "in_progress", "queued", "cancelled"):
        assert responses.parse({**answer, "status": status}, MANTLE)[0].finish is None
    assert responses.parse({"error": {"code": "validation_error"}}, MANTLE) == []
    assert responses.fold([], MANTLE) == []


members = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "summary",
        "arguments",
        "name",
        "call_id",
        "output",
        "response",
        "delta",
    ]
)
kinds = st.sampled_from(
    [
        "message", "reasoning", "function_call", "function_call_output", "input_image", "input_file",
        "response.output_text.delta", "response.reasoning_text.delta", "response.completed", "completed",
    ]
)  # fmt: skip
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | kinds,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=4),
    max_leaves=12,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        name: junk | st.lists(junk, max_size=2)
        for name in [
            "input", "tools", "tool_choice", "text", "reasoning", "include", "output", "usage", "status",
            "response", "stream_options", "item", "content_index",
        ]
    }
    | {"output_index": st.integers(0, 1), "type": kinds, "delta": kinds, "item": junk},
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(bodies, min_size=1, max_size=4), junk)
def test_nothing_that_is_json_makes_a_reader_raise(shapes: list[dict[str, Any]], other: Any) -> None:
    for body in shapes:
        responses.read(body, MANTLE)
        responses.parse(body, MANTLE)
        responses.render(body, [Reply((Text("Hi"),), "stop")], context(), MANTLE)
        responses.items(body)
    responses.parse(other, MANTLE)
    responses.fold([*(Event(None, body) for body in shapes), Event(None, other)], MANTLE)


def test_a_stream_may_begin_at_one_and_leave_out_that_it_is_in_progress() -> None:
    stream = {**OPENAI["stream"], "first_number": 1, "in_progress": False}
    events = list(
        responses.stream(
            {}, [Reply((Text("Hi"),), "stop", Usage(1, 1))], context(), {**OPENAI, "stream": stream}
        )
    )
    assert [event.data["sequence_number"] for event in events] == list(range(1, len(events) + 1))
    assert [event.name for event in events][:2] == ["response.created", "response.output_item.added"]


def test_the_words_of_an_answer_stand_together_where_the_profile_has_a_member_for_them() -> None:
    profile = {**OPENAI, "members": {**OPENAI["members"], "output_text": None}}
    reply = Reply((Text("It "), ToolCall("1", "f", {}), Text("rains.")), "tool_calls", Usage(1, 1))
    assert responses.render({}, [reply], context(), profile)["output_text"] == "It rains."
    *_, last = responses.stream({}, [reply], context(), profile)
    assert last.data["response"]["output_text"] == "It rains."
    assert "output_text" not in responses.render({}, [reply], context(), OPENAI)


def test_members_that_are_ignored_are_neither_read_nor_echoed() -> None:
    body = {"input": "Hi", "tool_choice": "none", "top_p": 0.5, "temperature": 0.5}
    profile = {**OPENAI, "ignored": ["tool_choice", "top_p"]}
    turn = responses.read(body, profile)
    assert (turn.tool_choice, turn.top_p, turn.temperature) == (None, None, 0.5)
    answer = responses.render(body, [Reply((Text("Hi"),), "stop", Usage(1, 1))], context(), profile)
    assert (answer["tool_choice"], answer["top_p"], answer["temperature"]) == ("auto", 1.0, 0.5)


@pytest.mark.parametrize("kind", ["shell", "local_shell", "apply_patch"])
def test_a_call_of_a_tool_that_is_no_function_is_read_as_it_was_written(kind: str) -> None:
    call = ToolCall("call_1", kind, {"action": {"commands": ["ls"]}}, builtin=kind)
    result = ToolResult("call_1", (Text("notes.txt"),), builtin=kind)
    turn = Turn((Message("assistant", (call,)), Message("tool", (result,))))
    body = json.loads(json.dumps(responses.write(turn, OPENAI)))
    assert [item["type"] for item in body["input"]] == [f"{kind}_call", f"{kind}_call_output"]
    assert responses.read(body, OPENAI).messages == turn.messages
