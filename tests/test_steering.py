"""Steering a response on its way, at the frame where it matters: no socket, no clock."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from conformance.exchange import Request
from conformance.loading import load
from mockserver.effects import Head, Send, Store
from mockserver.mock import Ids
from mockserver.responses_socket import Talk
from mockserver.services.keeping import RESPONSE
from mockserver.steering import awaited

SETTINGS = load().contracts["openai/responses-socket"].response["made_by"]["settings"]
USAGE = {
    "input_tokens": 3,
    "output_tokens": 9,
    "total_tokens": 12,
    "output_tokens_details": {"reasoning_tokens": 2},
}
TRACE = {"type": "reasoning", "id": "rs_1", "summary": []}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"}


class Server:
    """Answers each request with the events that it was given, and keeps what it answered."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers, self.asked = list(answers), list[Mapping[str, Any]]()
        self.talk = Talk(SETTINGS, self._answer, 0.0, Ids(None, random.Random(1), Request("GET", "/", ())))
        self.kept: dict[str, Any] = {}

    def _answer(self, body: Mapping[str, Any], now: float) -> Iterator[Any]:
        self.asked.append(body)
        events = self.answers.pop(0)
        yield Head(200, ())
        final = events[-1].get("response", {})
        yield Store("", RESPONSE, f"me:{final.get('id')}", {"response": final, "final": final, "input": ()})
        for number, event in enumerate(events):
            yield Send(f"data: {json.dumps({**event, 'sequence_number': number})}\n\n".encode())

    def ask(self, steer_at: Mapping[str, int], *, given: Any = "more", **said: Any) -> list[dict[str, Any]]:
        """All frames; the response is steered so many times after the first event of each of these types."""
        frames: list[dict[str, Any]] = []
        left = dict(steer_at)
        for effect in self.talk.hear(json.dumps({"type": "response.create", "input": "Hello", **said}), 0.0):
            if isinstance(effect, Store):
                self.kept[effect.key] = effect.value
            if not isinstance(effect, Send):
                continue
            frames.append(json.loads(effect.data))
            for _ in range(left.pop(frames[-1]["type"], 0)):
                steer = {"type": "response.steer", "previous_response_id": "resp_1", "input": given}
                frames += [json.loads(each.data) for each in self.talk.aside(json.dumps(steer)) or ()]
        return frames


def response(name: str, status: str, *output: Any) -> dict[str, Any]:
    usage = None if status == "in_progress" else USAGE
    return {"id": name, "status": status, "output": list(output), "usage": usage, "completed_at": 1}


def answered(name: str, *items: dict[str, Any], words: str = "") -> list[dict[str, Any]]:
    """The events of an answer with these items, and with a message if there are words."""
    begun = response(name, "in_progress")
    told = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(items):
        told += [
            {"type": "response.output_item.added", "output_index": index, "item": item},
            {"type": "response.output_item.done", "output_index": index, "item": item},
        ]
    done = list(items)
    if words:
        place = {"item_id": "msg_1", "output_index": len(items), "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": []}
        item = {**MESSAGE, "content": [{**part, "text": words}]}
        empty = {**MESSAGE, "content": [], "status": "in_progress"}
        told += [
            {"type": "response.output_item.added", "output_index": len(items), "item": empty},
            {"type": "response.content_part.added", **place, "part": part},
            *(
                {"type": "response.output_text.delta", **place, "delta": each, "logprobs": []}
                for each in words
            ),
            {"type": "response.output_text.done", **place, "text": words, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": item["content"][0]},
            {"type": "response.output_item.done", "output_index": len(items), "item": item},
        ]
        done.append(item)
    return [*told, {"type": "response.completed", "response": response(name, "completed", *done)}]


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"].removeprefix("response.") for frame in frames]


NEXT = answered("resp_2", words="b")


def test_a_response_ends_within_its_words() -> None:
    server = Server(answered("resp_1", TRACE, words="abcdef"), NEXT)
    frames = server.ask({"response.content_part.added": 1}, metadata={"a": "b"})
    end = kinds(frames).index("incomplete")
    assert kinds(frames[end - 5 : end + 2]) == [
        "steer.accepted",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
        "created",
    ]
    assert [frame["sequence_number"] for frame in frames[: end + 1]] == list(range(end + 1))
    ended = frames[end]["response"]
    assert (ended["incomplete_details"], ended["completed_at"]) == ({"reason": "steered"}, None)
    assert [item["type"] for item in ended["output"]] == ["reasoning", "message"]
    assert (ended["output"][1]["content"][0]["text"], ended["output"][1]["status"]) == ("a", "incomplete")
    # The trace, and one piece of the words.
    assert (ended["usage"]["output_tokens"], ended["usage"]["total_tokens"]) == (3, 6)
    assert server.kept["me:resp_1"]["response"] == server.kept["me:resp_1"]["final"] == ended
    [_, following] = server.asked
    assert following["previous_response_id"] == "resp_1"
    assert following["input"] == [{"role": "user", "content": "more"}]
    assert following["metadata"] == {"a": "b"}


def test_a_response_ends_before_its_first_item_and_after_a_trace() -> None:
    for at, output in (("response.created", []), ("response.output_item.added", [TRACE])):
        server = Server(answered("resp_1", TRACE, words="abc"), NEXT)
        frames = server.ask({at: 1})
        [ended] = [frame["response"] for frame in frames if frame["type"] == "response.incomplete"]
        assert ended["output"] == output
        assert ended["usage"]["output_tokens"] == 2 * len(output)


def test_what_comes_too_late_to_end_a_response_follows_it() -> None:
    server = Server(answered("resp_1", words="abc"), NEXT)
    frames = server.ask({"response.content_part.done": 1})
    assert kinds(frames)[-9:][0] == "created"
    assert kinds(frames).count("completed") == 2
    assert server.asked[1]["previous_response_id"] == "resp_1"


def test_calls_are_not_cut_and_what_was_added_waits_for_their_results() -> None:
    server = Server(answered("resp_1", CALL, words="abc"), NEXT)
    frames = server.ask({"response.output_item.done": 1}, stream_id="a")
    assert kinds(frames)[-2:] == ["completed", "steer.pending"]
    assert frames[-1]["required_input"] == [
        {"type": "function_call_output", "call_id": "call_1", "name": "f"}
    ]
    assert (frames[-1]["stream_id"], frames[-1]["sequence_number"]) == ("a", len(frames) - 1)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    server.ask({}, previous_response_id="resp_1", input=[output], stream_id="a")
    assert server.asked[1]["input"] == [{"role": "user", "content": "more"}, output]


def test_what_waits_is_for_its_own_lane() -> None:
    server = Server(answered("resp_1", CALL), NEXT, NEXT)
    server.ask({"response.output_item.done": 1}, stream_id="a")
    for lane, items in (("b", 1), ("a", 2)):
        server.ask({}, previous_response_id="resp_1", input="1", stream_id=lane)
        assert len(server.asked[-1]["input"]) == items


def test_a_response_that_has_ended_takes_no_more() -> None:
    server = Server(answered("resp_1", words="abc"))
    frames = server.ask({"response.completed": 1})
    assert frames[-1]["error"]["code"] == "response_already_completed"
    assert frames[-1]["sequence_number"] == frames[-2]["sequence_number"] + 1
    assert len(server.asked) == 1


def test_so_much_waits_and_no_more() -> None:
    server = Server(answered("resp_1", CALL))
    frames = server.ask({"response.output_item.added": SETTINGS["steering"]["most"] + 1})
    told = [frame for frame in frames if frame["type"] == "response.steer.failed"]
    assert [frame["error"]["code"] for frame in told] == ["too_many_pending_steers"]
    assert "id" not in told[0]["steer"]


def test_what_was_added_to_a_response_that_fails_comes_back() -> None:
    failed = {"type": "error", "code": "server_error", "message": "", "param": None}
    server = Server([*answered("resp_1", CALL)[:-1], failed])
    frames = server.ask({"response.output_item.added": 1})
    assert kinds(frames)[-2:] == ["error", "steer.failed"]
    assert frames[-1]["error"]["code"] == "successor_creation_failed"
    assert (frames[-1]["steer"]["input"], frames[-1]["steer"]["id"][:6]) == ("more", "steer_")


def test_what_fails_after_it_was_steered_is_told_as_failed() -> None:
    failed = {"type": "error", "code": "server_error", "message": "", "param": None}
    server = Server([*answered("resp_1", words="abc")[:-1], failed])
    frames = server.ask({"response.content_part.added": 1})
    assert kinds(frames)[-2:] == ["error", "steer.failed"]


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        (
            [{"type": "custom_tool_call", "call_id": "c"}],
            [{"type": "custom_tool_call_output", "call_id": "c"}],
        ),
        ([{"type": "computer_call", "call_id": "c"}], [{"type": "computer_call_output", "call_id": "c"}]),
        (
            [{"type": "apply_patch_call", "call_id": "c"}],
            [{"type": "apply_patch_call_output", "call_id": "c"}],
        ),
        ([{"type": "shell_call", "call_id": "c"}], [{"type": "shell_call_output", "call_id": "c"}]),
        ([{"type": "shell_call", "call_id": "c"}, {"type": "shell_call_output", "call_id": "c"}], []),
        (
            [{"type": "tool_search_call", "call_id": "c", "execution": "client"}],
            [{"type": "tool_search_output", "call_id": "c", "execution": "client"}],
        ),
        ([{"type": "tool_search_call", "call_id": None, "execution": "server"}], []),
        (
            [{"type": "mcp_approval_request", "id": "m"}],
            [{"type": "mcp_approval_response", "approval_request_id": "m"}],
        ),
        ([MESSAGE, TRACE, {"type": "web_search_call"}], []),
    ],
)
def test_what_a_response_waits_for_is_named_by_its_calls(items: Any, wanted: Any) -> None:
    assert awaited(items) == wanted
