"""Contract, events and bytes: what is written is read again, by us and by readers we did not write."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import openai
import pytest
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.parsers import EventStreamJSONParser
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from conformance.contract import Contract, Failure
from conformance.exchange import Chunk, Ending, Event, Headers, Response
from conformance.framing import dump, encode, encode_event, looks_like_json, named, read
from conformance.loading import load
from conformance.wire import eventstream, sse

SPECS = load()
STREAMS = [each for each in SPECS.contracts.values() if not each.abstract and each.streams]
CONVERSE = SPECS.contracts["bedrock-runtime/converse-stream"]
INVOKE = SPECS.contracts["bedrock-runtime/invoke-model-stream"]
CHAT = SPECS.contracts["bedrock-mantle/chat-completions-stream"]
RESPONSES = SPECS.contracts["bedrock-mantle/responses-stream"]
PUTER = SPECS.contracts["puter/driver-chat-stream"]
PLAIN = SPECS.contracts["bedrock-runtime/converse"]
ONE_OF_EACH = [CONVERSE, INVOKE, CHAT, RESPONSES, PUTER]

STREAMED = [
    pytest.param(contract, name, id=f"{contract.id}:{name}")
    for contract in STREAMS
    for name, exchange in contract.exchanges.items()
    if "events" in exchange["response"]
]
FAILURES = [
    pytest.param(contract, failure, id=f"{contract.id}:{failure.id}")
    for contract in STREAMS
    for failure in contract.failures.values()
    if failure.in_stream is not None
    # A stream that is heard again has no worked example; its events are those of the one it repeats.
    and "hello" in contract.exchanges
    # Of the provider's forms, the lines of Puter's driver never come in a stream of chunks.
    and ("error" in failure.in_stream["data"] or "constant" not in contract.response["event_name"])
]


def events_of(contract: Contract, name: str = "hello") -> list[Event]:
    said = contract.exchanges[name]["response"]["events"]
    return [named(contract, each.get("name"), each["data"]) for each in said]


def head(contract: Contract) -> tuple[int, Headers]:
    return contract.response["status"], (("Content-Type", contract.response["content_type"]),)


def received(contract: Contract, *pieces: bytes, ending: Ending = "complete") -> Response:
    """The pieces as they come, one second after the other."""
    chunks = [Chunk(piece, float(second)) for second, piece in enumerate(pieces, 1)]
    return read(contract, *head(contract), chunks, ending)


def bare(response: Response) -> list[tuple[str | None, Any]]:
    return [(event.name, event.data) for event in response.events or ()]


def pairs(events: list[Event]) -> list[tuple[str | None, Any]]:
    return [(event.name, event.data) for event in events]


def failure_bytes(contract: Contract, failure: Failure) -> bytes:
    assert failure.in_stream is not None
    event = Event(failure.in_stream.get("name"), failure.in_stream["data"])
    return encode_event(contract, event, failure.in_stream.get("kind", "event"))


# Written and read again


@pytest.mark.parametrize(("contract", "name"), STREAMED)
def test_a_worked_example_is_read_as_it_was_written(contract: Contract, name: str) -> None:
    events = events_of(contract, name)
    response = received(contract, *encode(contract, events))
    assert (bare(response), response.problem, response.ending) == (pairs(events), None, "complete")
    assert response.body is None


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
@given(data=st.data())
def test_any_cut_of_the_bytes_gives_the_same_events(contract: Contract, data: st.DataObject) -> None:
    raw = b"".join(encode(contract, events_of(contract)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    response = received(contract, *pieces)
    assert (bare(response), response.problem) == (pairs(events_of(contract)), None)


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
def test_an_event_has_the_time_of_the_chunk_that_completed_it(contract: Contract) -> None:
    pieces = list(encode(contract, events_of(contract)))
    count = len(events_of(contract))
    response = received(contract, *pieces)
    assert [event.at for event in response.events or ()] == [float(each) for each in range(1, count + 1)]
    late = received(contract, pieces[0][:10], pieces[0][10:], *pieces[1:])
    assert late.events is not None
    assert late.events[0].at == 2.0


def test_events_before_a_broken_one_keep_the_time_of_their_chunk() -> None:
    first, second = list(encode(CONVERSE, events_of(CONVERSE)))[:2]
    response = received(CONVERSE, first, second + b"\0" * 16)
    assert [(event.name, event.at) for event in response.events or ()] == [
        ("messageStart", 1.0),
        ("contentBlockDelta", 2.0),
    ]
    assert response.problem is not None
    assert response.problem.startswith("prelude checksum at byte")


@pytest.mark.parametrize(
    ("contract", "name"),
    [
        pytest.param(each, name, id=f"{each.id}:{name}")
        for each in SPECS.contracts.values()
        if not each.abstract and not each.streams
        for name in each.exchanges
    ],
)
def test_a_plain_body_is_read_as_it_was_written(contract: Contract, name: str) -> None:
    said = contract.exchanges[name]["response"]
    raw = dump(said["body"], bool(contract.response.get("sorted_keys")))
    response = read(contract, said["status"], head(contract)[1], [Chunk(raw[:7]), Chunk(raw[7:])])
    assert (response.body, response.problem, response.events) == (said["body"], None, None)
    assert json.loads(raw) == said["body"]


def test_keys_keep_their_order_unless_they_are_to_be_sorted() -> None:
    assert dump({"b": 1, "a": 2}) == b'{"b":1,"a":2}'


def test_sorted_keys_are_sorted_at_every_depth() -> None:
    assert dump({"b": {"d": 1, "c": [{"f": 1, "e": 2}]}, "a": 0}, True) == (
        b'{"a":0,"b":{"c":[{"e":2,"f":1}],"d":1}}'
    )


@pytest.mark.parametrize(
    "value", ["😀"[:1].encode("utf-16", "surrogatepass").decode("utf-16"), 2**70, "\ud83d"]
)
def test_json_that_orjson_refuses_is_written_all_the_same(value: Any) -> None:
    assert json.loads(dump({"text": value})) == {"text": value}


def test_the_last_message_comes_where_the_contract_has_one() -> None:
    assert b"".join(encode(CHAT, events_of(CHAT))).endswith(b"data: [DONE]\n\n")
    assert b"DONE" not in b"".join(encode(RESPONSES, events_of(RESPONSES)))


def test_the_event_line_stands_where_the_contract_says() -> None:
    [created] = encode(RESPONSES, events_of(RESPONSES)[:1])
    assert [line.split(b":")[0] for line in created.splitlines()] == [b"data", b"event", b""]
    [chunk] = list(encode(CHAT, events_of(CHAT)[:1]))[:1]
    assert [line.split(b":")[0] for line in chunk.splitlines()] == [b"data", b""]


# Readers we did not write


def amazon(contract: Contract, operation: str, member: str, raw: bytes) -> list[dict[str, Any]]:
    """The events as boto3 gives them to an application."""
    output: Any = Session().get_service_model("bedrock-runtime").operation_model(operation).output_shape

    class Body:
        def stream(self) -> Iterator[bytes]:
            yield from (raw[at : at + 50] for at in range(0, len(raw), 50))

        def close(self) -> None:
            pass

    return list(EventStream(Body(), output.members[member], EventStreamJSONParser(), operation))


def within(part: Any, whole: Any) -> bool:
    """Everything of `part` stands in `whole`: botocore leaves out what its model does not know."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return bool(part == whole)


@pytest.mark.parametrize("name", ["hello", "features", "weather"])
def test_botocore_reads_the_events_of_converse(name: str) -> None:
    events = events_of(CONVERSE, name)
    got = amazon(CONVERSE, "ConverseStream", "stream", b"".join(encode(CONVERSE, events)))
    assert [next(iter(each)) for each in got] == [event.name for event in events]
    assert all(
        next(iter(each.values())) and within(next(iter(each.values())), event.data)
        for each, event in zip(got, events, strict=True)
    )


def test_botocore_reads_the_chunks_inside_the_bytes_of_invoke() -> None:
    events = events_of(INVOKE)
    got = amazon(INVOKE, "InvokeModelWithResponseStream", "body", b"".join(encode(INVOKE, events)))
    assert [json.loads(each["chunk"]["bytes"]) for each in got] == [event.data["bytes"] for event in events]


def openai_client(raw: bytes, content_type: str) -> openai.OpenAI:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, content=raw)

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(base_url="http://mock/v1", api_key="none", http_client=transport, max_retries=0)


@pytest.mark.parametrize(
    "contract", [each for each in STREAMS if each.dialect == "chat"], ids=lambda each: each.id
)
def test_openai_reads_the_chunks_of_a_chat(contract: Contract) -> None:
    raw = b"".join(encode(contract, events_of(contract)))
    client = openai_client(raw, contract.response["content_type"])
    stream = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    assert [chunk.to_dict() for chunk in stream] == [event.data for event in events_of(contract)]


def test_openai_reads_the_events_of_a_response() -> None:
    raw = b"".join(encode(RESPONSES, events_of(RESPONSES)))
    client = openai_client(raw, RESPONSES.response["content_type"])
    stream = client.responses.create(model="m", input="Hi", stream=True)
    assert [(each.type, each.to_dict()) for each in stream] == pairs(events_of(RESPONSES))


def test_json_reads_each_line_of_puter() -> None:
    lines = b"".join(encode(PUTER, events_of(PUTER))).decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [event.data for event in events_of(PUTER)]


# Failures inside a stream


@pytest.mark.parametrize(("contract", "failure"), FAILURES)
def test_a_failure_inside_a_stream_is_read_as_its_end(contract: Contract, failure: Failure) -> None:
    assert failure.in_stream is not None
    first = next(encode(contract, events_of(contract)))
    response = received(contract, first, failure_bytes(contract, failure))
    assert (response.ending, response.problem) == ("error", None)
    assert bare(response)[1] == (failure.in_stream.get("name") or "error", failure.in_stream["data"])


@pytest.mark.parametrize(
    ("contract", "failure"),
    [each for each in FAILURES if each.values[0].response["framing"]["kind"] == "eventstream"],  # type: ignore[union-attr]
)
def test_botocore_raises_what_fails_inside_a_stream(contract: Contract, failure: Failure) -> None:
    operation, member = (
        ("ConverseStream", "stream") if contract is CONVERSE else ("InvokeModelWithResponseStream", "body")
    )
    first = next(encode(contract, events_of(contract)))
    with pytest.raises(EventStreamError) as raised:
        amazon(contract, operation, member, first + failure_bytes(contract, failure))
    assert failure.in_stream is not None
    assert raised.value.response["Error"]["Code"] == failure.in_stream["name"]
    assert raised.value.response["Error"]["Message"] == failure.in_stream["data"]["message"]


def test_an_error_frame_is_read_by_us_and_by_botocore() -> None:
    frame = encode_event(CONVERSE, Event("InternalFailure", {"message": "It broke."}), "error")
    response = received(CONVERSE, frame)
    assert bare(response) == [("InternalFailure", {"message": "It broke."})]
    assert (response.ending, response.problem) == ("error", None)
    with pytest.raises(EventStreamError, match=r"\(InternalFailure\).*It broke\."):
        amazon(CONVERSE, "ConverseStream", "stream", frame)


@pytest.mark.parametrize(
    ("contract", "failure"),
    [each for each in FAILURES if each.values[0] is CHAT or each.values[0] is RESPONSES],
)
def test_openai_raises_what_fails_inside_a_stream(contract: Contract, failure: Failure) -> None:
    raw = next(encode(contract, events_of(contract))) + failure_bytes(contract, failure)
    client = openai_client(raw, contract.response["content_type"])
    stream: Any = (
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True)
        if contract is CHAT
        else client.responses.create(model="m", input="Hi", stream=True)
    )
    if contract is CHAT:
        with pytest.raises(openai.APIError, match=str(failure.body["error"]["message"])):
            list(stream)
    else:
        # The SDK gives a flat error event to the application.
        assert [each.type for each in stream][1:] == ["error"]


def test_an_exception_without_a_stream_before_it_is_an_ending_too() -> None:
    response = received(
        CONVERSE, encode_event(CONVERSE, Event("throttlingException", {"message": "no"}), "exception")
    )
    assert (bare(response), response.ending) == ([("throttlingException", {"message": "no"})], "error")


def test_an_answer_with_an_empty_error_member_has_not_failed() -> None:
    data = {**events_of(CHAT)[0].data, "error": None}
    response = received(CHAT, *encode(CHAT, [Event("chunk", data)]))
    assert (bare(response), response.ending) == ([("chunk", data)], "complete")


# What breaks the framing


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
def test_a_stream_cut_between_two_events_is_not_whole(contract: Contract) -> None:
    pieces = list(encode(contract, events_of(contract)))
    response = received(contract, *pieces[:2], ending="cut")
    assert bare(response) == pairs(events_of(contract))[:2]
    assert response.ending == "cut"
    assert response.problem


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
@pytest.mark.parametrize("ending", ["cut", "complete"])
def test_a_stream_cut_inside_an_event_keeps_what_came_before(contract: Contract, ending: Ending) -> None:
    first, second, *_ = encode(contract, events_of(contract))
    response = received(contract, first + second[:-4], ending=ending)
    assert bare(response) == pairs(events_of(contract))[:1]
    assert response.ending == ending
    assert response.problem


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
def test_a_stream_that_ends_before_its_last_message_is_told(contract: Contract) -> None:
    whole = b"".join(encode(contract, events_of(contract)))
    short = whole.removesuffix(b"data: [DONE]\n\n")
    problem = received(contract, short).problem
    assert (problem is None) == (contract.response["framing"].get("done") is None)
    if problem:
        assert problem == "expected a last message [DONE], got the end of the stream"


@pytest.mark.parametrize("contract", [CHAT, RESPONSES], ids=lambda each: each.id)
def test_an_event_after_the_last_message_is_a_problem(contract: Contract) -> None:
    pieces = [b"data: [DONE]\n\n", *encode(contract, events_of(contract))]
    response = received(contract, *pieces)
    assert response.problem == "expected nothing after [DONE], got another event"
    assert bare(response) == pairs(events_of(contract))


@pytest.mark.parametrize(
    ("contract", "raw", "says"),
    [
        pytest.param(CHAT, b"data: {\n\ndata: [DONE]\n\n", "event data: expected JSON, got '{'", id="sse"),
        pytest.param(PUTER, b"{\n", "line 1: expected one JSON value", id="ndjson"),
        pytest.param(
            CONVERSE,
            eventstream.encode(
                eventstream.Message({":event-type": "messageStart", ":message-type": "event"}, b"{")
            ),
            "payload: ",
            id="eventstream",
        ),
        pytest.param(
            INVOKE,
            eventstream.encode(
                eventstream.Message(
                    {":event-type": "chunk", ":message-type": "event"}, b'{"bytes":"no base64!"}'
                )
            ),
            "bytes: expected base64 of JSON",
            id="embedded-base64",
        ),
        pytest.param(
            INVOKE,
            eventstream.encode(
                eventstream.Message({":event-type": "chunk", ":message-type": "event"}, b'{"bytes":"e3!0="}')
            ),
            "bytes: expected base64 of JSON",
            id="embedded-base64-with-junk",
        ),
        pytest.param(
            INVOKE,
            eventstream.encode(
                eventstream.Message(
                    {":event-type": "chunk", ":message-type": "event"},
                    dump({"bytes": base64.b64encode(b"{").decode()}),
                )
            ),
            "bytes: expected base64 of JSON",
            id="embedded-json",
        ),
        pytest.param(
            CONVERSE,
            eventstream.encode(eventstream.Message({":event-type": "messageStart"}, b"{}")),
            "expected :message-type event or exception, got None",
            id="no-message-type",
        ),
    ],
)
def test_an_event_that_cannot_be_read_is_a_problem(contract: Contract, raw: bytes, says: str) -> None:
    response = received(contract, raw)
    assert response.problem is not None
    assert response.problem.startswith(says)


def test_a_flipped_byte_is_a_problem_and_what_came_before_is_kept() -> None:
    raw = bytearray(b"".join(encode(CONVERSE, events_of(CONVERSE))))
    raw[-1] ^= 1
    response = received(CONVERSE, bytes(raw))
    assert bare(response) == pairs(events_of(CONVERSE))[:-1]
    assert response.problem is not None
    assert response.problem.startswith("message checksum at byte")


@pytest.mark.parametrize(
    ("contract", "change", "says"),
    [
        pytest.param(CHAT, (b"\n", b"\r\n"), "expected LF", id="sse-crlf"),
        pytest.param(PUTER, (b"\n", b"\r\n"), "expected LF", id="ndjson-crlf"),
        pytest.param(PUTER, (b"\n", b"\n\n"), "blank line", id="ndjson-blank-line"),
    ],
)
def test_bytes_that_some_readers_choke_on_are_a_problem(
    contract: Contract, change: tuple[bytes, bytes], says: str
) -> None:
    raw = b"".join(encode(contract, events_of(contract))).replace(*change)
    response = received(contract, raw)
    assert bare(response) == pairs(events_of(contract))
    assert response.problem is not None
    assert says in response.problem


def test_an_event_line_that_contradicts_its_data_is_a_problem() -> None:
    raw = sse.encode(sse.Message('{"type":"response.created"}', event="response.done"), event_line="after")
    response = received(RESPONSES, raw)
    assert response.problem == "expected the event line to say 'response.created', got 'response.done'"


def test_a_missing_event_line_is_no_problem_of_the_framing() -> None:
    events = events_of(RESPONSES)
    raw = b"".join(sse.encode(sse.Message(json.dumps(event.data))) for event in events)
    response = received(RESPONSES, raw)
    assert (bare(response), response.problem) == (pairs(events), None)


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
def test_one_json_value_instead_of_a_stream_is_a_problem(contract: Contract) -> None:
    response = read(contract, 200, (("content-type", "application/json"),), [Chunk(b'{"text":"Hello"}')])
    assert (response.body, response.events) == ({"text": "Hello"}, None)
    assert response.problem is not None
    assert "expected a stream" in response.problem
    assert "application/json" in response.problem


def test_a_stream_under_another_content_type_is_still_read_as_one() -> None:
    raw = b"".join(encode(CHAT, events_of(CHAT)))
    response = read(CHAT, 200, (("content-type", "text/plain"),), [Chunk(raw)])
    assert (bare(response), response.problem) == (pairs(events_of(CHAT)), None)


@pytest.mark.parametrize(
    ("raw", "ending", "body", "problem"),
    [
        (b"", "complete", None, "expected JSON, got an empty body"),
        (b'{"a":1}}', "complete", '{"a":1}}', "JSON: "),
        (b"<html>", "complete", "<html>", "JSON: "),
        (b'{"a":1}', "cut", {"a": 1}, "expected the whole body, got a part of it"),
    ],
)
def test_a_plain_body_that_is_no_whole_json_is_a_problem(
    raw: bytes, ending: Ending, body: Any, problem: str
) -> None:
    response = received(PLAIN, raw, ending=ending)
    assert response.body == body
    assert response.problem is not None
    assert response.problem.startswith(problem)


@pytest.mark.parametrize("contract", ONE_OF_EACH, ids=lambda each: each.id)
def test_a_refusal_of_a_stream_is_read_as_plain_json(contract: Contract) -> None:
    response = read(contract, 400, (("Content-Type", "application/json"),), [Chunk(b'{"message":"no"}')])
    assert (response.body, response.events, response.problem) == ({"message": "no"}, None, None)


# Names


@pytest.mark.parametrize(
    ("contract", "name", "data", "found"),
    [
        pytest.param(CONVERSE, "messageStop", {"type": "x"}, "messageStop", id="header"),
        pytest.param(RESPONSES, None, {"type": "response.created"}, "response.created", id="pointer"),
        pytest.param(RESPONSES, "given", {"kind": "x"}, None, id="pointer-to-nothing"),
        pytest.param(PUTER, None, {"type": "text", "text": "a"}, "text", id="pointer-in-a-line"),
        pytest.param(CHAT, None, {"id": "1"}, "chunk", id="constant"),
    ],
)
def test_an_event_is_called_what_its_contract_says(
    contract: Contract, name: str | None, data: Mapping[str, Any], found: str | None
) -> None:
    assert named(contract, name, data) == Event(found, data)


@pytest.mark.parametrize(
    ("raw", "whole"),
    [(b"{}", True), (b" [1] ", True), (b"{}\n{}", False), (b"", False), (b"data: {}", False)],
)
def test_one_json_value_is_told_from_more_and_less(raw: bytes, whole: bool) -> None:
    assert looks_like_json(raw) is whole
