"""The Puter dialect, held against worked examples of the wire and against itself both ways.

puter.js is the foreign reader of this wire; it is driven from `tests/clients/node`. Here the
examples are JSON text, compared letter by letter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.dialects import Context, puter
from conformance.exchange import Event
from conformance.values import (
    Media,
    Message,
    Reasoning,
    Refusal,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)

FUNCTION = {"name": "$name", "arguments": "$arguments"}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "$reasoning"}], "closed": True}
PROFILE: dict[str, Any] = {
    "call": {
        "interface": "puter-chat-completion",
        "driver": "ai-chat",
        "test_mode": False,
        "method": "complete",
    },
    "service": {"name": "ai-chat"},
    "metadata": {"service_used": "$service", "providerUsed": "$model"},
    "prices": {"prompt_tokens": "input", "completion_tokens": "output"},
    "finish": {
        "stop": "stop",
        "stop_sequence": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    },
    "ids": {"prefix": "", "length": 9, "alphabet": "abc"},
    "realities": {
        "documented": {
            "result": {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "$content",
                    "refusal": None,
                    "reasoning": "$reasoning?",
                    "tool_calls": "$tool_calls?",
                },
                "logprobs": None,
                "finish_reason": "$finish",
                "usage": "$usage?",
            },
            "tool_call": {"id": "$id", "type": "function", "function": FUNCTION},
            "no_text": None,
            "thinking": None,
            "normalized": {"normalized": True},
        },
        "observed": {
            "result": {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "$content",
                    "toolCalls": "$tool_calls",
                    "prefix": False,
                },
                "finishReason": "$finish",
                "usage": "$usage?",
                "via_ai_chat_service": True,
            },
            "tool_call": {"id": "$id", "function": FUNCTION, "index": "$index"},
            "no_text": "",
            "thinking": THINKING,
            "normalized": {},
        },
    },
}
SERVED = {"service": "mistral", "model": "magistral-small-latest"}
PRICES = {"input": 0.5, "output": 1.5}


class Fixed:
    """Ids that are always the same."""

    def uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def token(self, length: int, alphabet: str) -> str:
        return (alphabet * length)[:length]

    def number(self, low: int, high: int) -> int:
        return low


def words(text: str) -> list[str]:
    """The text in pieces of three characters."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def context(
    reality: str = "documented",
    split: Callable[[str], Sequence[str]] = lambda text: [text],
    prices: Mapping[str, float] = PRICES,
) -> Context:
    return Context(
        "mistralai/magistral-small-2509",
        1.8e9,
        Fixed(),
        reality=reality,
        split=split,
        served=SERVED,
        prices=prices,
    )


def js(value: Any) -> str:
    """JSON as JavaScript prints it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def call(**args: Any) -> dict[str, Any]:
    return {**PROFILE["call"], "args": args, "auth_token": "t"}


def one(message: Any) -> Message:
    """What a list of this one message is read into."""
    (read,) = puter.read(call(messages=[message]), PROFILE).messages
    return read


USER = Message("user", (Text("Hi"),))
REPLY = Reply((Text("Good day"),), "stop", Usage(11, 7))
CALLS = Reply((ToolCall("", "weather", {"city": "Zürich"}),), "tool_calls", Usage(20, 10))


# What puter.js sends


def test_a_prompt_is_sent_without_a_role() -> None:
    turn = Turn((USER,), model="mistralai/magistral-small-2509")
    assert js(puter.write(turn, PROFILE)) == (
        '{"interface":"puter-chat-completion","driver":"ai-chat","test_mode":false,"method":"complete",'
        '"args":{"messages":[{"content":"Hi"}],"model":"mistralai/magistral-small-2509"}}'
    )


def test_media_is_sent_bare_and_untyped() -> None:
    turn = Turn((Message("user", (Text("What?"), Media("image", "png", b"\x89PNG"))),))
    assert js(puter.write(turn, PROFILE)["args"]) == (
        '{"vision":true,"messages":[{"content":["What?",'
        '{"image_url":{"url":"data:image/png;base64,iVBORw=="}}]}]}'
    )


def test_options_are_sent_in_the_order_in_which_puter_js_copies_them() -> None:
    turn = Turn(
        (USER,),
        model="m",
        temperature=0,
        max_tokens=0,
        stream=True,
        reasoning="low",
        tools=(Tool("weather", "Tells it", {"type": "object"}),),
        extras={"normalize": True, "provider": "mistral", "test_mode": True},
    )
    written = puter.write(turn, PROFILE)
    assert js(written["args"]) == (
        '{"messages":[{"content":"Hi"}],"model":"m","temperature":0,"max_tokens":0,"stream":true,'
        '"tools":[{"type":"function","function":{"name":"weather","description":"Tells it",'
        '"parameters":{"type":"object"}}}],"reasoning_effort":"low","provider":"mistral",'
        '"normalize":true,"test_mode":true}'
    )
    assert list(written) == ["interface", "driver", "test_mode", "method", "args"]
    assert written["test_mode"] is True


def test_a_conversation_keeps_its_roles_and_each_tool_result_is_a_message() -> None:
    messages = (
        Message("system", (Text("Be kind"),)),
        USER,
        Message("assistant", (ToolCall("1", "a", {"x": 1}), ToolCall("2", "b", {}))),
        Message("tool", (ToolResult("1", (Text("one"),)), ToolResult("2", (Text("two"),)))),
    )
    assert js(puter.write(Turn(messages), PROFILE)["args"]["messages"]) == (
        '[{"role":"system","content":"Be kind"},{"role":"user","content":"Hi"},'
        '{"role":"assistant","content":null,"tool_calls":['
        '{"id":"1","type":"function","function":{"name":"a","arguments":"{\\"x\\":1}"}},'
        '{"id":"2","type":"function","function":{"name":"b","arguments":"{}"}}]},'
        '{"role":"tool","tool_call_id":"1","content":"one"},{"role":"tool","tool_call_id":"2","content":"two"}]'
    )


@pytest.mark.parametrize("kind", ["image", "document", "audio"])
def test_media_with_nothing_in_it_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"puter: expected .* with data"):
        puter.write(Turn((USER, Message("user", (Media(kind, "x"),)))), PROFILE)


# What a server reads


@pytest.mark.parametrize(
    "message",
    [
        "Hi",
        {"content": "Hi"},
        {"role": "user", "content": "Hi"},
        {"content": ["Hi"]},
        {"content": [{"text": "Hi"}]},
        {"content": [{"type": "text", "text": "Hi"}]},
        {"content": {"text": "Hi"}},
    ],
)
def test_a_prompt_is_read_in_every_form(message: Any) -> None:
    assert one(message) == USER


@pytest.mark.parametrize(
    ("part", "media"),
    [
        ({"image_url": {"url": "https://a/b.png"}}, Media("image", None, url="https://a/b.png")),
        ({"type": "image_url", "image_url": "https://a/b"}, Media("image", None, url="https://a/b")),
        ({"image_url": {"url": "data:image/png;base64,AAEC"}}, Media("image", "png", b"\x00\x01\x02")),
        ({"image_url": {"url": "data:image/svg+xml,%3Csvg%3E"}}, Media("image", "svg+xml", b"<svg>")),
        ({"image_url": {"url": "data:image/png;base64,%%%"}}, Media("image", "png")),
        ({"image_url": {"url": "data:text,\ud800"}}, Media("image", None, b"\xed\xa0\x80")),
        ({"image_url": {}}, Media("image", None)),
        ({"video_url": {"url": "https://a/b.mp4"}}, Media("video", None, url="https://a/b.mp4")),
        ({"type": "file", "puter_path": "~/a.pdf"}, Media("document", None, url="~/a.pdf")),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
            Media("document", "pdf", b"\x00", name="a.pdf"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            Media("audio", "wav", b"\x00"),
        ),
    ],
)
def test_media_is_read_in_every_form(part: Any, media: Media) -> None:
    assert one({"content": ["See", part]}).parts == (Text("See"), media)


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "w", "description": "d", "parameters": {"type": "object"}}},
        {"type": "function", "name": "w", "description": "d", "parameters": {"type": "object"}},
        {"name": "w", "description": "d", "input_schema": {"type": "object"}},
    ],
)
def test_a_tool_is_read_in_three_spellings(tool: Any) -> None:
    turn = puter.read(call(messages=[], tools=[tool, {"type": "function"}, "w"]), PROFILE)
    assert turn.tools == (Tool("w", "d", {"type": "object"}),)


@pytest.mark.parametrize("name", ["tool_call_id", "tool_use_id", "id"])
def test_a_tool_result_is_read_under_three_names(name: str) -> None:
    read = one({"role": "tool", name: "c1", "content": "sunny"})
    assert read == Message("tool", (ToolResult("c1", (Text("sunny"),)),))


def test_tool_parts_among_words_become_messages_of_their_own() -> None:
    body = call(
        messages=[
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "a", "input": {}}]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "1", "content": "no", "is_error": True},
                    {"type": "text", "text": "Go on"},
                ],
            },
        ]
    )
    assert puter.read(body, PROFILE).messages == (
        Message("assistant", (ToolCall("1", "a", {}),)),
        Message("tool", (ToolResult("1", (Text("no"),), error=True),)),
        Message("user", (Text("Go on"),)),
    )


def test_consecutive_messages_of_one_role_are_merged() -> None:
    turn = puter.read(call(messages=["a", {"content": "b"}, {"role": "assistant", "content": "c"}]), PROFILE)
    assert [(message.role, message.text) for message in turn.messages] == [("user", "ab"), ("assistant", "c")]


def test_what_the_server_ignores_is_no_wish() -> None:
    turn = puter.read(call(messages=["Hi"], tool_choice="required", top_p=0.5, stop=["x"], seed=1), PROFILE)
    assert (turn.tool_choice, turn.top_p, turn.stop, turn.seed) == (None, None, (), None)
    assert turn.extras == {"tool_choice": "required", "top_p": 0.5, "stop": ["x"], "seed": 1}


@pytest.mark.parametrize(("value", "streams"), [("yes", True), (1, True), (0, False), ("", False)])
def test_any_true_value_streams(value: Any, streams: bool) -> None:
    assert puter.read(call(messages=["Hi"], stream=value), PROFILE).stream is streams


def test_the_effort_is_read_nested_and_flat() -> None:
    assert puter.read(call(reasoning={"effort": "high"}), PROFILE).reasoning == "high"
    assert puter.read(call(reasoning_effort="low"), PROFILE).reasoning == "low"


# What a server answers


def test_an_answer_is_spelled_as_documented() -> None:
    assert js(puter.render({}, [REPLY], context(), PROFILE)) == (
        '{"success":true,"result":{"index":0,"message":{"role":"assistant","content":"Good day",'
        '"refusal":null},"logprobs":null,"finish_reason":"stop","usage":{"prompt_tokens":11,'
        '"completion_tokens":7,"cached_tokens":0,"usd_cents":0.0016}},"service":{"name":"ai-chat"},'
        '"metadata":{"service_used":"mistral","providerUsed":"magistral-small-latest"}}'
    )


def test_an_answer_is_spelled_as_observed() -> None:
    assert js(puter.render({}, [REPLY], context("observed"), PROFILE)["result"]) == (
        '{"index":0,"message":{"role":"assistant","content":"Good day","toolCalls":null,"prefix":false},'
        '"finishReason":"stop","usage":{"prompt_tokens":11,"completion_tokens":7,"cached_tokens":0,'
        '"usd_cents":0.0016},"via_ai_chat_service":true}'
    )


def test_tool_calls_carry_a_made_id_and_arguments_as_text() -> None:
    documented = puter.render({}, [CALLS], context(), PROFILE)["result"]
    assert js(documented["message"]) == (
        '{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"abcabcabc","type":"function",'
        '"function":{"name":"weather","arguments":"{\\"city\\":\\"Zürich\\"}"}}]}'
    )
    assert documented["finish_reason"] == "tool_calls"
    observed = puter.render({}, [CALLS], context("observed"), PROFILE)["result"]
    assert js(observed["message"]) == (
        '{"role":"assistant","content":"","toolCalls":[{"id":"abcabcabc",'
        '"function":{"name":"weather","arguments":"{\\"city\\":\\"Zürich\\"}"},"index":0}],"prefix":false}'
    )
    assert observed["finishReason"] == "tool_calls"


def test_reasoning_stands_where_the_reality_keeps_it() -> None:
    reply = Reply((Reasoning("Hm"), Text("Yes")), "stop", Usage(1, 1))
    documented = puter.render({}, [reply], context(), PROFILE)["result"]["message"]
    assert (documented["reasoning"], documented["content"]) == ("Hm", "Yes")
    observed = puter.render({}, [reply], context("observed"), PROFILE)["result"]["message"]
    assert observed["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "closed": True},
        {"type": "text", "text": "Yes"},
    ]


@pytest.mark.parametrize(
    ("prices", "cents"),
    [
        ({}, None),
        (PRICES, 0.0016),
        ({"input": 10_000, "output": 0}, 11),
        ({"input": 0.07, "output": 0}, 0.000077),
    ],
)
def test_the_cost_is_the_sum_of_tokens_times_price(prices: Mapping[str, float], cents: float | None) -> None:
    reply = replace(REPLY, usage=Usage(11, 7, cache_read=3))
    answer = puter.render({}, [reply], context(prices=prices), PROFILE)
    assert js(answer["result"]["usage"]["usd_cents"]) == js(cents)


def test_who_served_it_is_what_the_card_says() -> None:
    other = replace(context(), served={"service": "openrouter", "model": "m-1"})
    answer = puter.render({}, [REPLY], other, PROFILE)
    assert answer["metadata"] == {"service_used": "openrouter", "providerUsed": "m-1"}


@pytest.mark.parametrize("reality", ["documented", "observed"])
def test_the_older_switch_makes_the_words_a_list(reality: str) -> None:
    body = call(messages=["Hi"], response={"normalize": True})
    result = puter.render(body, [REPLY], context(reality), PROFILE)["result"]
    assert result["message"]["content"] == [{"type": "text", "text": "Good day"}]
    assert result["normalized"] is True


def test_normalize_is_said_where_the_reality_knows_it() -> None:
    body = call(messages=["Hi"], normalize=True)
    documented = puter.render(body, [REPLY], context(), PROFILE)["result"]
    assert (documented["normalized"], documented["message"]["content"]) == (True, "Good day")
    assert "normalized" not in puter.render(body, [REPLY], context("observed"), PROFILE)["result"]
    for other in (None, False, "yes"):
        body = call(messages=["Hi"], normalize=other, response={"normalize": other})
        assert "normalized" not in puter.render(body, [REPLY], context(), PROFILE)["result"]


def test_a_stream_is_lines_with_usage_last() -> None:
    reply = Reply(
        (Reasoning("Hm"), Text("Hello"), ToolCall("c1", "weather", {"city": "Bern"})),
        "tool_calls",
        Usage(11, 7),
    )
    events = list(puter.stream({}, [reply], context(split=words), PROFILE))
    assert [js(event.data) for event in events] == [
        '{"type":"reasoning","reasoning":"Hm"}',
        '{"type":"text","text":"Hel"}',
        '{"type":"text","text":"lo"}',
        '{"type":"tool_use","id":"c1","name":"weather","input":{"city":"Bern"},"text":""}',
        '{"type":"usage","usage":{"prompt_tokens":11,"completion_tokens":7,"cached_tokens":0,'
        '"usd_cents":0.0016}}',
    ]
    assert [event.name for event in events] == ["reasoning", "text", "text", "tool_use", "usage"]


def test_a_stream_as_observed_thinks_in_chunks() -> None:
    first, *_ = puter.stream({}, [Reply((Reasoning("Hm"),))], context("observed"), PROFILE)
    assert js(first.data) == (
        '{"type":"text","text":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}],"closed":true}]}'
    )


def test_a_stream_without_counts_still_ends_with_a_usage_line() -> None:
    assert [event.data for event in puter.stream({}, [Reply(())], context(), PROFILE)] == [{"type": "usage"}]


def test_words_of_a_refusal_are_sent_as_text() -> None:
    reply = Reply((Refusal("I will not"),), "stop", Usage(1, 1))
    (parsed,) = puter.parse(puter.render({}, [reply], context(), PROFILE), PROFILE)
    (folded,) = puter.fold(puter.stream({}, [reply], context(), PROFILE), PROFILE)
    assert parsed.text == folded.text == "I will not"


def test_an_unknown_reality_is_an_error() -> None:
    with pytest.raises(KeyError, match="dreamt"):
        puter.render({}, [REPLY], context("dreamt"), PROFILE)


# What a client reads


@pytest.mark.parametrize(
    "answer",
    [
        {"success": False, "error": {"code": "insufficient_funds", "message": "No."}},
        {"success": False, "result": {"message": {"content": "Hi"}}},
        {"error": "Model not found: x", "message": "Model not found: x", "code": "bad_request"},
        {"success": True},
        {"success": True, "result": None},
        {"success": True, "result": "Hi"},
        [],
        None,
        "Hi",
    ],
)
def test_what_holds_no_message_is_no_reply(answer: Any) -> None:
    assert puter.parse(answer, PROFILE) == []


def test_a_vendors_own_content_is_read() -> None:
    content = [
        {"type": "text", "text": "Let me see. "},
        {"type": "text", "text": "One moment."},
        {"type": "tool_use", "id": "1", "name": "a", "input": {"x": 1}},
    ]
    result = {"message": {"content": content}, "finish_reason": "pause_turn", "usage": {"input_tokens": 3}}
    assert puter.parse({"success": True, "result": result}, PROFILE) == [
        Reply((Text("Let me see. One moment."), ToolCall("1", "a", {"x": 1})), None, Usage(3, 0))
    ]


def test_the_members_own_refusal_is_read() -> None:
    result = {"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}
    assert puter.parse({"result": result}, PROFILE) == [Reply((Refusal("No."),), "stop", None)]


def test_arguments_that_are_no_json_stay_text() -> None:
    item = {"id": "1", "function": {"name": "a", "arguments": '{"x":'}}
    (reply,) = puter.parse({"result": {"message": {"tool_calls": [item]}}}, PROFILE)
    assert reply.tool_calls == (ToolCall("1", "a", '{"x":'),)


def test_an_error_line_leaves_what_came_before_it() -> None:
    events = [
        Event("text", {"type": "text", "text": "Go"}),
        Event("error", {"type": "error", "message": "x"}),
    ]
    assert puter.fold(events, PROFILE) == [Reply((Text("Go"),), None, None)]
    assert puter.fold(events[1:], PROFILE) == []


# Both ways

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
ARGUMENTS = st.dictionaries(NAME, TEXT | st.integers(-9, 9) | st.booleans() | st.none(), max_size=3)
CALL = st.builds(ToolCall, NAME, NAME, ARGUMENTS)
MEDIA = st.one_of(
    st.builds(Media, st.sampled_from(["image", "video"]), st.sampled_from(["png", "mp4"]), st.binary()),
    st.builds(Media, st.just("image"), st.none(), st.none(), st.just("https://host/picture.png")),
    st.builds(Media, st.just("audio"), st.just("wav"), st.binary()),
    st.builds(Media, st.just("document"), st.just("pdf"), st.binary(), st.none(), st.none() | NAME),
)
SAID = st.lists(st.builds(Text, TEXT) | MEDIA, min_size=1, max_size=3).map(tuple)
REASONED = st.builds(Reasoning, TEXT)
RESULT = st.builds(ToolResult, NAME, st.just(()) | SAID)


@st.composite
def assistant_parts(draw: st.DrawFn) -> tuple[Any, ...]:
    thoughts = draw(st.lists(REASONED, max_size=1))
    texts = draw(st.lists(st.builds(Text, TEXT), max_size=1))
    calls = draw(st.lists(CALL, min_size=0 if texts else 1, max_size=2))
    return (*thoughts, *texts, *calls)


MESSAGE = st.one_of(
    st.builds(Message, st.sampled_from(["system", "user"]), SAID),
    st.builds(Message, st.just("assistant"), assistant_parts()),
    st.builds(Message, st.just("tool"), st.lists(RESULT, min_size=1, max_size=2).map(tuple)),
)
# The server merges neighbours of one role, so a turn that has them comes back shorter.
MESSAGES = st.lists(MESSAGE, max_size=4).filter(
    lambda found: all(one.role != other.role for one, other in pairwise(found))
)
TOOL = st.builds(
    Tool,
    NAME,
    st.just("") | TEXT,
    st.sampled_from([{}, {"type": "object"}]),
    st.none() | st.booleans(),
)
TURN = st.builds(
    Turn,
    messages=MESSAGES.map(tuple),
    model=st.none() | NAME,
    tools=st.lists(TOOL, max_size=2).map(tuple),
    max_tokens=st.none() | st.integers(0, 10**6),
    temperature=st.none() | st.floats(0, 2),
    stream=st.booleans(),
    reasoning=st.none() | st.sampled_from(["none", "low"]),
    extras=st.fixed_dictionaries(
        {}, optional={"provider": NAME, "test_mode": st.just(True), "unheard_of": st.integers()}
    ),
)
REPLIES = st.builds(
    Reply,
    assistant_parts(),
    st.none() | st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.none() | st.builds(Usage, st.integers(0, 999), st.integers(0, 999), cache_read=st.integers(0, 9)),
)
REALITIES = st.sampled_from(["documented", "observed"])
MEMBERS = """
    args messages role content type text image_url video_url url file input_audio data tools tool_calls
    function name arguments thinking tool_call_id result message usage prompt_tokens finish_reason reasoning
    stream max_tokens
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "text", "data:,", "tool"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS.split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(TURN)
def test_a_turn_comes_back_as_it_was_written(turn: Turn) -> None:
    body = json.loads(json.dumps(puter.write(turn, PROFILE)))
    assert puter.read(body, PROFILE) == turn


@given(REPLIES, REALITIES)
def test_an_answer_is_parsed_into_the_reply_it_was_made_of(reply: Reply, reality: str) -> None:
    answer = json.loads(json.dumps(puter.render({}, [reply], context(reality), PROFILE)))
    assert puter.parse(answer, PROFILE) == [reply]


@given(REPLIES, REALITIES)
def test_a_stream_folds_to_the_parsed_answer_but_for_its_finish(reply: Reply, reality: str) -> None:
    events = list(puter.stream({}, [reply], context(reality, words), PROFILE))
    lines = [json.dumps(event.data) for event in events]
    assert not any("\n" in line for line in lines)
    again = [Event(event.name, json.loads(line)) for event, line in zip(events, lines, strict=True)]
    (parsed,) = puter.parse(puter.render({}, [reply], context(reality), PROFILE), PROFILE)
    assert puter.fold(again, PROFILE) == [replace(parsed, finish=None)]


@given(JSON)
def test_no_json_makes_a_reader_raise(value: Any) -> None:
    puter.read({"args": value}, PROFILE)
    puter.read({"args": {"messages": [value], "tools": [value]}}, PROFILE)
    puter.parse(value, PROFILE)
    puter.parse({"result": {"message": value, "usage": value, "finish_reason": value}}, PROFILE)
    for kind in ("text", "reasoning", "tool_use", "usage", "error"):
        puter.fold([Event(kind, {"type": kind, kind: value, "id": value}), Event(None, value)], PROFILE)
