"""Responses that are steered over a WebSocket, read by the OpenAI SDK for Python with its validation switched on.

A response can only be steered while it is on its way. These are long, and the client's buffers are small: the mock cannot
have sent them before they are steered, however slow the client is.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from openai import OpenAI
from openai.lib.responses_websocket import (
    ResponsesWebSocketAccumulator,
    ResponsesWebSocketLimits,
    ResponsesWebSocketSession,
)

MODEL = "gpt-5.4"
LONG = "Count from 1 to 12000."
"""Seven megabytes of events."""
ENDS = ("response.completed", "response.incomplete", "error")
WAITS = 60.0
MANY = 3000
"""Calls of which there are four megabytes of events."""
NOTE: Any = {"type": "function", "name": "take_note", "parameters": {"type": "object"}, "strict": False}


@pytest.fixture
def client(strict_openai: Any) -> Iterator[OpenAI]:
    with strict_openai("openai") as made:
        yield made


@pytest.fixture
def connection(client: OpenAI) -> Iterator[Any]:
    place = urlsplit(str(client.base_url))
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        narrow.connect((place.hostname, place.port))
        narrow.settimeout(None)
        with client.responses.connect(
            websocket_connection_options={"sock": narrow, "close_timeout": 1, "max_size": None}
        ) as made:
            yield made


def until(connection: Any, *kinds: str) -> list[Any]:
    """The events up to the first of one of these types."""
    found = []
    for event in connection:
        found.append(event)
        if event.type in kinds:
            return found
    raise AssertionError(f"the connection ended after {len(found)} events without {kinds}")


def test_a_steered_response_ends_and_another_goes_on_from_it(client: OpenAI, connection: Any) -> None:
    asked: Any = {"instructions": "WRITE IN ALL CAPS.", "metadata": {"colour": "amber"}, "stream_id": "a"}
    connection.response.create(model=MODEL, input=LONG, **asked)
    told = until(connection, "response.output_text.delta")
    first = told[0].response.id
    connection.response.steer(previous_response_id=first, input="Reply with exactly: heron 42")
    told += until(connection, *ENDS)
    accepted = next(event for event in told if event.type == "response.steer.accepted")
    assert (accepted.steer.previous_response_id, accepted.stream_id) == (first, "a")
    assert [event.sequence_number for event in told] == list(range(len(told)))
    accumulator = ResponsesWebSocketAccumulator()
    for event in told:
        accumulator.add_event(event)
    ended = told[-1].response
    assert (ended.status, ended.incomplete_details.reason) == ("incomplete", "steered")
    assert [item.status for item in ended.output if item.type == "message"] == ["incomplete"]
    assert ended.output_text == "".join(e.delta for e in told if e.type == "response.output_text.delta")
    assert accumulator.snapshot().output_text == ended.output_text
    assert 0 < ended.usage.output_tokens < 20_000
    again = until(connection, *ENDS)
    begun, last = again[0].response, again[-1].response
    assert (begun.previous_response_id, begun.id == first) == (first, False)
    assert (last.status, last.output_text) == ("completed", "HERON 42")
    assert (last.metadata, last.instructions) == ({"colour": "amber"}, "WRITE IN ALL CAPS.")
    assert {event.stream_id for event in again} == {"a"}
    # What is kept is what was said.
    kept = client.responses.retrieve(first)
    assert (kept.status, kept.output_text) == ("incomplete", ended.output_text)
    [added] = client.responses.input_items.list(last.id, limit=1).data
    assert added.content[0].text == "Reply with exactly: heron 42"


def test_additions_wait_for_the_results_of_calls_and_go_before_them(
    mock_provider: Any, connection: Any
) -> None:
    mock_provider.reply(tool_calls=[{"name": "take_note"}] * MANY)
    connection.response.create(model=MODEL, input="Take notes.", tools=[NOTE])
    told = until(connection, "response.function_call_arguments.delta")
    first = told[0].response.id
    part = {"type": "input_text", "text": "The code word is PELICAN7."}
    connection.response.steer(previous_response_id=first, input=[{"role": "user", "content": [part]}])
    connection.response.steer(previous_response_id=first, input="Remember it.")
    told += until(connection, *ENDS)
    # Calls are not cut: they have to be answered first.
    assert (told[-1].type, len(told[-1].response.output)) == ("response.completed", MANY)
    ids = [event.steer.id for event in told if event.type == "response.steer.accepted"]
    assert len(set(ids)) == 2
    pending = [connection.recv(), connection.recv()]
    assert [event.type for event in pending] == ["response.steer.pending"] * 2
    assert [event.steer.id for event in pending] == ids
    assert pending[0].reason == "waiting_for_required_input"
    stubs = [stub.to_dict() for stub in pending[0].required_input]
    calls = [(call.call_id, call.name) for call in told[-1].response.output]
    assert [(stub["call_id"], stub["name"]) for stub in stubs] == calls
    assert {stub["type"] for stub in stubs} == {"function_call_output"}
    assert [e.sequence_number for e in [*told, *pending]] == list(range(len(told) + 2))
    mock_provider.reply("It is noted.")
    results: Any = [{**stub, "output": "Noted."} for stub in stubs]
    connection.response.create(model=MODEL, previous_response_id=first, input=results)
    last = until(connection, *ENDS)[-1].response
    question = "What is the code word? Answer with the code word only."
    connection.response.create(model=MODEL, previous_response_id=last.id, input=question)
    assert until(connection, *ENDS)[-1].response.output_text == "PELICAN7"


def test_what_cannot_be_added_comes_back_and_says_why(connection: Any) -> None:
    def failed(target: str, given: Any, **more: Any) -> str:
        connection.send({"type": "response.steer", "previous_response_id": target, "input": given, **more})
        event = connection.recv()
        assert (event.type, event.error.type) == ("response.steer.failed", "invalid_request_error")
        assert (event.steer.previous_response_id, event.steer.id) == (target, None)
        return str(event.error.code)

    connection.response.create(model=MODEL, input="Reply with exactly: heron")
    done = until(connection, *ENDS)[-1].response.id
    assert failed(done, "more") == "response_already_completed"
    assert failed("resp_of_nobody", "more") == "response_not_found"
    connection.response.create(model=MODEL, input=LONG, max_output_tokens=16)
    cut = until(connection, *ENDS)[-1].response.id
    assert failed(cut, "more") == "response_not_active"
    assert failed(done, "more", stream_id="a") == "invalid_input"
    assert failed(done, []) == "invalid_input"
    for message in (
        {"type": "message", "role": "system", "content": "more"},
        {"type": "message", "role": "user", "content": [{"type": "output_text", "text": "more"}]},
        {"type": "message", "role": "user", "content": "more", "id": "msg_1"},
    ):
        connection.send({"type": "response.steer", "previous_response_id": done, "input": [message]})
        event = connection.recv()
        assert event.error.code == "invalid_input"
        assert [dict(each)["role"] for each in event.steer.input] == [message["role"]]


def test_what_belongs_to_a_conversation_is_not_steered(client: OpenAI, connection: Any) -> None:
    connection.response.create(model=MODEL, input=LONG, conversation=client.conversations.create().id)
    told = until(connection, "response.output_text.delta")
    connection.response.steer(previous_response_id=told[0].response.id, input="more")
    failed = until(connection, "response.steer.failed", *ENDS)[-1]
    assert failed.error.code == "steering_not_supported"


def test_other_requests_wait_for_their_turn_while_a_response_is_steered(connection: Any) -> None:
    connection.response.create(model=MODEL, input=LONG)
    first = until(connection, "response.output_text.delta")[0].response.id
    connection.response.create(model=MODEL, input="Reply with exactly: ibis")
    connection.response.steer(previous_response_id=first, input="Reply with exactly: heron")
    assert until(connection, *ENDS)[-1].type == "response.incomplete"
    assert [until(connection, *ENDS)[-1].response.output_text for _ in range(2)] == ["heron", "ibis"]


def test_the_sessions_of_the_sdk_follow_a_steered_lane(connection: Any) -> None:
    limits = ResponsesWebSocketLimits(
        max_lanes=2,
        max_events_per_lane=100_000,
        max_events=100_000,
        max_bytes_per_lane=64 << 20,
        max_bytes=64 << 20,
    )
    with ResponsesWebSocketSession(connection, limits=limits) as session:
        lane = session.lane("a")
        lane.send({"type": "response.create", "model": MODEL, "input": "Reply with exactly: heron"})
        done = lane.get_final_response(timeout=WAITS)
        lane.send({"type": "response.steer", "previous_response_id": done.id, "input": "more"})
        event = lane.recv(timeout=WAITS)
        assert (event.type, event.error.code) == ("response.steer.failed", "response_already_completed")
        assert done.output_text == "heron"
