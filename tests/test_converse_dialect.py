"""The Converse dialect, held to itself both ways and to botocore's model of the API."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import EventStreamJSONParser, create_parser
from botocore.serialize import create_serializer
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects import Context, converse
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
from tests.dialects import Drawn

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PROFILE: dict[str, Any] = {
    "finish": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "stop_sequence": "stop_sequence",
        "content_filter": "content_filtered",
    },
    "ids": {"tool_call": {"prefix": "tooluse_", "length": 22, "alphabet": ALPHABET + "-_"}},
    "padding": {"member": "p", "alphabet": ALPHABET, "shortest": 2, "longest": 61},
    "sorted": True,
    "usage_extras": {"serverToolUsage": {}, "cacheReadInputTokenCount": "cache_read"},
}
BEYOND_THE_MODEL = {"p", "serverToolUsage", "cacheReadInputTokenCount"}


def context(**changes: Any) -> Context:
    words = Context(
        model="mistral.magistral-small-2509",
        now=0.0,
        ids=Drawn(),
        latency_ms=412,
        split=lambda text: [text[at : at + 3] for at in range(0, len(text), 3)],
    )
    return replace(words, **changes)


def answered(reply: Reply, body: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return converse.render(body or {}, [reply], context(**changes), PROFILE)


def streamed(reply: Reply, body: dict[str, Any] | None = None, **changes: Any) -> list[Event]:
    return list(converse.stream(body or {}, [reply], context(**changes), PROFILE))


# What the dialect can carry

names = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
objects = st.dictionaries(names, st.none() | st.booleans() | st.integers() | st.text(), max_size=3)
texts = st.builds(Text, st.text())
media = st.builds(
    Media,
    kind=st.sampled_from(["image", "video", "audio"]),
    format=st.sampled_from(["png", "mp4", "wav"]),
    data=st.binary(min_size=1),
) | st.builds(
    Media,
    kind=st.just("document"),
    format=st.sampled_from(["pdf", None]),
    url=st.just("s3://bucket/key"),
    name=names,
)
calls = st.builds(ToolCall, names, names, objects)
results = st.builds(
    ToolResult,
    names,
    st.lists(texts | media.filter(lambda part: part.kind != "audio")).map(tuple),
    st.booleans(),
)
thoughts = st.builds(Reasoning, st.text(min_size=1), st.none() | st.text(min_size=1)) | st.builds(
    Reasoning, st.just(""), st.binary(min_size=1).map(lambda blob: base64.b64encode(blob).decode())
)


def message(role: Any, *parts: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[Message]:
    return st.lists(st.one_of(*parts), min_size=1, max_size=most).map(
        lambda parts: Message(role, tuple(parts))
    )


heads = st.lists(message("system", texts.filter(lambda part: part.text != "")), max_size=1)
bodies = st.lists(
    message("user", texts, media)
    | message("assistant", texts, calls, thoughts)
    | message("tool", results, most=1),
    max_size=4,
)
turns = st.builds(
    Turn,
    messages=st.tuples(heads, bodies).map(lambda both: (*both[0], *both[1])),
    tools=st.lists(
        st.builds(Tool, names, st.text(), objects, st.none() | st.booleans()), min_size=1, max_size=2
    ).map(tuple),
    tool_choice=st.sampled_from([None, ToolChoice("auto"), ToolChoice("any"), ToolChoice("named", "get")]),
    max_tokens=st.none() | st.integers(min_value=1),
    stop=st.lists(st.text(min_size=1), max_size=2).map(tuple),
    output=st.none() | st.builds(OutputFormat, objects, names),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    reasoning=st.sampled_from([None, "low", "high"]),
    tier=st.sampled_from([None, "flex"]),
    extras=st.sampled_from(
        [{}, {"additionalModelRequestFields": {"top_k": 5}, "performanceConfig": {"latency": "standard"}}]
    ),
)
counts = st.integers(min_value=0, max_value=10**6)
replies = st.builds(
    Reply,
    st.lists(texts | calls | thoughts, max_size=4).map(tuple),
    st.sampled_from([*PROFILE["finish"], None]),
    st.none() | st.builds(Usage, counts, counts, cache_read=counts, cache_write=counts),
)
WIRE_NAMES = """
    messages system role content text json toolUse toolResult toolUseId name input reasoningContent
    reasoningText redactedContent signature guardContent image source bytes s3Location uri toolConfig
    tools toolSpec inputSchema toolChoice tool inferenceConfig stopSequences outputConfig textFormat
    structure jsonSchema schema serviceTier output message stopReason usage inputTokens outputTokens
    contentBlockIndex delta start citationsContent searchResult
"""
wire_names = st.sampled_from(WIRE_NAMES.split())
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "assistant", "=", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(wire_names, inner, max_size=4),
    max_leaves=20,
)

# Both ways


@given(turns)
def test_reads_back_the_turn_it_wrote(turn: Turn) -> None:
    body = json.loads(json.dumps(converse.write(turn, PROFILE)))
    assert converse.read(body, PROFILE) == turn


@given(replies)
def test_parses_back_the_reply_it_rendered(reply: Reply) -> None:
    answer = json.loads(json.dumps(answered(reply)))
    assert converse.parse(answer, PROFILE) == [reply]


@given(replies)
def test_a_stream_folds_to_the_reply_it_was_made_of(reply: Reply) -> None:
    assert converse.fold(streamed(reply), PROFILE) == [reply]


@given(replies.filter(lambda reply: bool(reply.parts)))
def test_a_stream_and_a_plain_answer_give_tool_calls_without_id_the_same_ids(reply: Reply) -> None:
    unnamed = replace(
        reply,
        parts=tuple(replace(part, id="") if isinstance(part, ToolCall) else part for part in reply.parts),
    )
    (plain,) = converse.parse(answered(unnamed), PROFILE)
    assert all(call.id for call in plain.tool_calls)
    assert converse.fold(streamed(unnamed), PROFILE)[0].parts == plain.parts


@given(anything)
def test_no_json_makes_a_reader_raise(value: Any) -> None:
    converse.read(value if isinstance(value, dict) else {"messages": value}, PROFILE)
    converse.parse(value, PROFILE)
    converse.parse({"output": {"message": {"content": value}}, "usage": value, "stopReason": value}, PROFILE)
    kinds = ["messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata", None]
    converse.fold([Event(kind, value) for kind in kinds], PROFILE)
    converse.fold([Event("contentBlockDelta", {"contentBlockIndex": 0, "delta": value})], PROFILE)
    converse.fold([Event("contentBlockStart", {"contentBlockIndex": 0, "start": value})], PROFILE)


# botocore as the other end

SERVICE = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


ASKED: Any = SERVICE.operation_model("Converse").input_shape
ANSWERED: Any = SERVICE.operation_model("Converse").output_shape
STREAMED: Any = SERVICE.operation_model("ConverseStream").output_shape
EVENTS = STREAMED.members["stream"]


def without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: without(inner, names) for name, inner in value.items() if name not in names}
    return [without(inner, names) for inner in value] if isinstance(value, list) else value


def complaints(value: Any, shape: Any) -> str:
    report: str = ParamValidator().validate(value, shape).generate_report()
    return report


def modelled(event: Event) -> dict[str, Any]:
    """The event as botocore hands it to its user."""
    frame = {
        "headers": {":message-type": "event", ":event-type": event.name},
        "body": json.dumps(event.data).encode(),
        "status_code": 200,
    }
    parsed: dict[str, Any] = EventStreamJSONParser().parse(frame, EVENTS)
    return parsed


@given(turns)
def test_botocore_would_send_what_it_writes(turn: Turn) -> None:
    body = converse.write(turn, PROFILE) | {"modelId": "mistral.magistral-small-2509"}
    assert complaints(body, ASKED) == ""


def test_reads_what_botocore_sends() -> None:
    asked = {
        "modelId": "mistral.magistral-small-2509",
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"guardContent": {"text": {"text": "What is in it?"}}},
                    {"image": {"format": "png", "source": {"bytes": b"\x89PNG"}}},
                    {"document": {"name": "a note", "source": {"text": "Kiwi"}}},
                    {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/film"}}}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
                    {"reasoningContent": {"redactedContent": b"\x00\x01"}},
                    {"toolUse": {"toolUseId": "call1", "name": "look", "input": {"far": True}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call1", "content": [{"json": {"seen": "kiwi"}}]}},
                    {"toolResult": {"toolUseId": "call2", "content": [], "status": "error"}},
                    {"text": "And now?"},
                ],
            },
        ],
        "inferenceConfig": {"maxTokens": 64, "temperature": 0.7, "topP": 0.9, "stopSequences": ["END"]},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}},
                {"systemTool": {"name": "nova_grounding"}},
            ],
            "toolChoice": {"tool": {"name": "look"}},
        },
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"schema": '{"type": "object"}', "name": "fruit"}},
            },
            "effort": "low",
        },
        "serviceTier": {"type": "flex"},
        "requestMetadata": {"team": "fruit"},
    }
    request = create_serializer("rest-json").serialize_to_request(asked, SERVICE.operation_model("Converse"))
    assert converse.read(json.loads(request["body"]), PROFILE) == Turn(
        messages=(
            Message("system", (Text("Be brief."),)),
            Message(
                "user",
                (
                    Text("What is in it?"),
                    Media("image", "png", b"\x89PNG"),
                    Media("document", None, b"Kiwi", name="a note"),
                    Media("video", "mp4", url="s3://bucket/film"),
                ),
            ),
            Message(
                "assistant",
                (Reasoning("Hm", "c2ln"), Reasoning("", "AAE="), ToolCall("call1", "look", {"far": True})),
            ),
            Message("tool", (ToolResult("call1", (Text('{"seen":"kiwi"}'),)),)),
            Message("tool", (ToolResult("call2", (), error=True),)),
            Message("user", (Text("And now?"),)),
        ),
        tools=(Tool("look", schema={"type": "object"}),),
        tool_choice=ToolChoice("named", "look"),
        max_tokens=64,
        stop=("END",),
        output=OutputFormat({"type": "object"}, "fruit"),
        temperature=0.7,
        top_p=0.9,
        reasoning="low",
        tier="flex",
        extras={
            "requestMetadata": {"team": "fruit"},
            "blocks": frozenset({"cachePoint", "guardContent", "systemTool"}),
            "guarded": {"texts": ["What is in it?"], "sources": "", "query": ""},
        },
    )


COMPLETE = Reply(
    parts=(
        Reasoning("The user wants a city.", "c2ln"),
        Text("Let me look that up."),
        ToolCall("", "get_weather", {"unit": "celsius", "city": "Singapore"}),
    ),
    finish="tool_calls",
    usage=Usage(120, 5, cache_read=7, cache_write=2),
)


@given(replies.filter(lambda reply: reply.finish is not None and reply.usage is not None))
def test_its_answers_fit_botocores_model(reply: Reply) -> None:
    answer = without(answered(reply), BEYOND_THE_MODEL)
    assert complaints(answer, ANSWERED) == ""


@given(replies.filter(lambda reply: reply.finish is not None and reply.usage is not None))
def test_its_events_fit_botocores_model(reply: Reply) -> None:
    for event in streamed(reply):
        assert event.name is not None
        assert complaints(without(event.data, BEYOND_THE_MODEL), EVENTS.members[event.name]) == ""


def test_botocore_reads_its_answer() -> None:
    answer = answered(COMPLETE, {"performanceConfig": {"latency": "optimized"}}, tier="flex")
    parsed = create_parser("rest-json").parse(
        {"status_code": 200, "headers": {}, "body": json.dumps(answer).encode()},
        ANSWERED,
    )
    thought, text, call = parsed["output"]["message"]["content"]
    assert thought == {
        "reasoningContent": {"reasoningText": {"text": "The user wants a city.", "signature": "c2ln"}}
    }
    assert text == {"text": "Let me look that up."}
    assert call["toolUse"]["input"] == {"unit": "celsius", "city": "Singapore"}
    assert parsed["output"]["message"]["role"] == "assistant"
    assert parsed["stopReason"] == "tool_use"
    assert parsed["metrics"] == {"latencyMs": 412}
    assert parsed["serviceTier"] == {"type": "flex"}
    assert parsed["performanceConfig"] == {"latency": "optimized"}
    assert parsed["usage"] == {
        "inputTokens": 120,
        "outputTokens": 5,
        "totalTokens": 134,
        "cacheReadInputTokens": 7,
        "cacheWriteInputTokens": 2,
    }


def test_botocore_reads_its_stream() -> None:
    events = [modelled(event) for event in streamed(COMPLETE, tier="flex")]
    assert events[0] == {"messageStart": {"role": "assistant"}}
    assert events[-2:] == [
        {"messageStop": {"stopReason": "tool_use"}},
        {
            "metadata": {
                "metrics": {"latencyMs": 412},
                "serviceTier": {"type": "flex"},
                "usage": {
                    "inputTokens": 120,
                    "outputTokens": 5,
                    "totalTokens": 134,
                    "cacheReadInputTokens": 7,
                    "cacheWriteInputTokens": 2,
                },
            }
        },
    ]
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    joined = {
        index: [each["delta"] for each in deltas if each["contentBlockIndex"] == index] for index in range(3)
    }
    assert (
        "".join(delta["reasoningContent"].get("text", "") for delta in joined[0]) == "The user wants a city."
    )
    assert joined[0][-1] == {"reasoningContent": {"signature": "c2ln"}}
    assert "".join(delta["text"] for delta in joined[1]) == "Let me look that up."
    arguments = "".join(delta["toolUse"]["input"] for delta in joined[2])
    assert json.loads(arguments) == {"unit": "celsius", "city": "Singapore"}
    assert len(joined[2]) > 2


# The wire's habits


def test_only_a_tool_call_has_a_start_event() -> None:
    events = streamed(COMPLETE)
    starts = [event.data for event in events if event.name == "contentBlockStart"]
    (start,) = starts
    assert start["contentBlockIndex"] == 2
    assert start["start"]["toolUse"]["name"] == "get_weather"
    stops = [event.data["contentBlockIndex"] for event in events if event.name == "contentBlockStop"]
    assert stops == [0, 1, 2]


def test_text_goes_out_in_the_pieces_that_split_gives() -> None:
    events = streamed(Reply((Text("A kiwi."),)))
    deltas = [event.data["delta"] for event in events if event.name == "contentBlockDelta"]
    assert deltas == [{"text": "A k"}, {"text": "iwi"}, {"text": "."}]


def test_every_event_is_padded_by_a_beginning_of_the_alphabet() -> None:
    pads = [event.data["p"] for event in streamed(Reply((Text("A kiwi. " * 40),)))]
    assert all(ALPHABET.startswith(pad) and 2 <= len(pad) <= 61 for pad in pads)
    assert len({len(pad) for pad in pads}) > 20


def test_no_event_is_padded_where_the_profile_names_no_padding() -> None:
    events = converse.stream({}, [COMPLETE], context(), PROFILE | {"padding": None})
    assert all("p" not in event.data for event in events)


def members(value: Any) -> Iterator[list[str]]:
    if isinstance(value, dict):
        yield list(value)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from members(inner)


def test_members_are_sorted_where_the_profile_says_so() -> None:
    for value in [answered(COMPLETE), *(event.data for event in streamed(COMPLETE))]:
        assert all(names == sorted(names) for names in members(value))
    unsorted = converse.render({}, [COMPLETE], context(), PROFILE | {"sorted": False})
    assert any(names != sorted(names) for names in members(unsorted))


def test_usage_has_the_members_that_the_profile_adds() -> None:
    usage = answered(Reply((), usage=Usage(3, 4)))["usage"]
    assert usage == {
        "inputTokens": 3,
        "outputTokens": 4,
        "totalTokens": 7,
        "serverToolUsage": {},
        "cacheReadInputTokenCount": 0,
    }


def test_a_call_without_an_id_gets_one_of_the_profiles_form() -> None:
    (call,) = converse.parse(answered(COMPLETE), PROFILE)[0].tool_calls
    assert call.id.startswith("tooluse_")
    assert len(call.id) == len("tooluse_") + 22


def test_tier_and_latency_mode_are_silent_when_nobody_named_them() -> None:
    assert answered(COMPLETE).keys() == {"metrics", "output", "stopReason", "usage"}


def test_a_refusal_is_said_in_plain_text() -> None:
    assert converse.parse(answered(Reply((Refusal("No."),))), PROFILE)[0].parts == (Text("No."),)


def test_arguments_that_are_no_json_arrive_as_they_are() -> None:
    broken = Reply((ToolCall("call1", "look", '{"far": '),))
    assert converse.parse(answered(broken), PROFILE) == [broken]
    assert converse.fold(streamed(broken), PROFILE) == [broken]


def test_an_image_that_the_model_made_is_streamed() -> None:
    drawn = Reply((Media("image", "png", b"\x89PNG"),))
    events = streamed(drawn)
    assert modelled(events[1]) == {
        "contentBlockStart": {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}
    }
    assert converse.fold(events, PROFILE) == [drawn]


# Requests, one habit each


def test_results_that_follow_each_other_go_back_in_one_user_message() -> None:
    first, second = ToolResult("call1", (Text("one"),)), ToolResult("call2", (Text("two"),))
    apart = Turn((Message("tool", (first,)), Message("tool", (second,)), Message("user", (Text("Well?"),))))
    body = converse.write(apart, PROFILE)
    assert [message["role"] for message in body["messages"]] == ["user", "user"]
    assert [list(block) for block in body["messages"][0]["content"]] == [["toolResult"], ["toolResult"]]
    assert converse.read(body, PROFILE) == apart


def test_system_messages_at_the_head_become_the_member_system() -> None:
    said = (Message("system", (Text("Be brief."),)), Message("user", (Text("Hi"),)))
    body = converse.write(Turn(said), PROFILE)
    assert body["system"] == [{"text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_a_later_system_message_stays_where_it_is() -> None:
    late = Turn((Message("user", (Text("Hi"),)), Message("system", (Text("Be brief."),))))
    body = converse.write(late, PROFILE)
    assert "system" not in body
    assert converse.read(body, PROFILE) == late


def test_the_schema_of_the_output_is_a_text_that_holds_json() -> None:
    body = converse.write(Turn((), output=OutputFormat({"type": "array"}, "fruit")), PROFILE)
    form = body["outputConfig"]["textFormat"]
    assert form["type"] == "json_schema"
    assert json.loads(form["structure"]["jsonSchema"]["schema"]) == {"type": "array"}


def test_an_output_schema_that_is_no_json_reads_as_none() -> None:
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}
    turn = converse.read({"outputConfig": {"textFormat": form}}, PROFILE)
    assert turn.output == OutputFormat(None)


def test_base64_that_is_none_reads_as_no_data() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "not base64!"}}}
    turn = converse.read({"messages": [{"role": "user", "content": [image]}]}, PROFILE)
    assert turn.messages == (Message("user", (Media("image", "png"),)),)


@pytest.mark.parametrize(
    ("turn", "named"),
    [
        (Turn((), tool_choice=ToolChoice("none")), "tool_choice"),
        (Turn((), parallel_tool_calls=False), "parallel_tool_calls"),
        (Turn((), seed=7), "seed"),
        (Turn((), n=2), "n 2"),
        (Turn((Message("user", (Media("image", "png", url="https://provider.invalid/kiwi"),)),)), "s3"),
    ],
)
def test_what_converse_cannot_say_is_refused_by_name(turn: Turn, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        converse.write(turn, PROFILE)


# Answers by others


def test_a_server_tools_result_and_its_citations_are_read() -> None:
    events = [
        Event("messageStart", {"role": "assistant"}),
        Event("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolResult": {"toolUseId": "call1"}}}),
        Event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"toolResult": [{"text": "found"}]}}),
        Event("contentBlockStop", {"contentBlockIndex": 0}),
        Event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"citation": {"title": "Fruit"}}}),
        Event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"text": "A kiwi."}}),
        Event("contentBlockDelta", {"contentBlockIndex": 2, "delta": {"citation": {"title": "Fruit"}}}),
        Event("messageStop", {"stopReason": "guardrail_intervened"}),
    ]
    content = [
        {"toolResult": {"toolUseId": "call1", "content": [{"text": "found"}]}},
        {"citationsContent": {"content": [{"text": "A kiwi."}], "citations": [{"title": "Fruit"}]}},
        {"citationsContent": {"citations": [{"title": "Fruit"}]}},
    ]
    found = [Reply((ToolResult("call1", (Text("found"),)), Text("A kiwi.")))]
    assert converse.fold(events, PROFILE) == found
    assert converse.parse({"output": {"message": {"content": content}}}, PROFILE) == found


def test_a_stream_cut_off_folds_to_what_had_come() -> None:
    events = streamed(COMPLETE)
    (reply,) = converse.fold(events[:-8], PROFILE)
    assert reply.parts[0] == Reasoning("The user wants a city.", "c2ln")
    assert (reply.finish, reply.usage) == (None, None)
    assert converse.fold([], PROFILE) == []
