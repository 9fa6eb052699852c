"""Steering: what a client adds to a response that is still on its way over a WebSocket; no socket here.

    client  {"type":"response.steer","previous_response_id":"resp_1","input":"Stop. Reply with: OK"}
    server  {"type":"response.steer.accepted",...}
    server  {"type":"response.incomplete",...}    the response ends where it can, because it was steered
    server  {"type":"response.created",...}       the next one goes on from it, with its settings and what was added

A response ends within a text and before or after a trace, never between calls. Where it ends with calls that the
application has to answer, what was added waits for the request that answers them (`response.steer.pending`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.dialects.responses import SETTLED

__all__ = ["Course", "Wrong", "added", "awaited"]

APART = ("type", "delta", "sequence_number", "obfuscation")
"""Members of a delta that its closing event does not repeat."""
ENDED = {"shell_call": "shell_call_output"}
"""Calls that are no longer waited for where such an item of the same call follows."""


class Wrong(Exception):
    """What is added cannot be taken: the name of an error in the contract, and what fills its text."""

    def __init__(self, name: str, **details: Any) -> None:
        super().__init__(name)
        self.name, self.details = name, details


class Course:
    """One response on its way: what was said of it, and what the client has added to it.

    `body` is its request. `steers` are what was added: its id and its input, in order.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.id: str | None = None
        self.number = -1
        """The sequence number that was sent last."""
        self.steers: list[tuple[str, Any]] = []
        self._ahead = 0
        self._output: list[Any] = []
        self._item: dict[str, Any] | None = None
        self._part: dict[str, Any] = {}
        self._delta: Mapping[str, Any] = {}
        self._text: list[str] = []
        self._deltas = 0
        self.can_end = False
        self.status: str | None = None
        """How it ended, once it has."""

    def next_number(self) -> int:
        """The sequence number of an event that stands between those of the response."""
        self._ahead += 1
        self.number += 1
        return self.number

    def follow(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """The event as it is sent, after what was sent between."""
        kind = event.get("type")
        if "sequence_number" in event:
            event = {**event, "sequence_number": event["sequence_number"] + self._ahead}
            self.number = event["sequence_number"]
        match kind:
            case "response.created":
                self.id = event["response"]["id"]
            case "response.output_item.added":
                self._item = dict(event["item"])
            case "response.content_part.added":
                self._part, self._text = dict(event["part"]), []
            case "response.output_text.delta":
                self._delta = event
                self._text.append(event["delta"])
                self._deltas += 1
            case "response.output_item.done":
                self._output.append(event["item"])
                self._item = None
        if kind in SETTLED:
            self.status = event["response"]["status"]
        begun = kind in ("response.in_progress", "response.output_text.delta")
        thought = kind == "response.output_item.done" and event["item"]["type"] == "reasoning"
        said = all(item["type"] in ("message", "reasoning") for item in self._output)
        self.can_end = said and (begun or thought)
        return event

    def end(self, final: Mapping[str, Any], reason: str) -> Iterator[dict[str, Any]]:
        """The events that end it here; `final` is the response as it would have become."""
        output = list(self._output)
        if self._item is not None:
            yield from self._close(output)
        usage = final.get("usage")
        if usage is not None:
            thought = usage.get("output_tokens_details", {}).get("reasoning_tokens", 0)
            spent = min(usage["output_tokens"], self._deltas + (thought if output else 0))
            usage = {**usage, "output_tokens": spent, "total_tokens": usage["input_tokens"] + spent}
            if not output:
                usage["output_tokens_details"] = {**usage["output_tokens_details"], "reasoning_tokens": 0}
        cut = {"status": "incomplete", "incomplete_details": {"reason": reason}, "completed_at": None}
        response = {**final, **cut, "output": output, "usage": usage}
        yield self._numbered({"type": "response.incomplete", "response": response})

    def _close(self, output: list[Any]) -> Iterator[dict[str, Any]]:
        text = "".join(self._text)
        place = {name: value for name, value in self._delta.items() if name not in APART}
        part = {**self._part, "text": text}
        item = {**(self._item or {}), "content": [part], "status": "incomplete"}
        where = {name: place[name] for name in ("item_id", "output_index", "content_index")}
        yield self._numbered({"type": "response.output_text.done", **place, "text": text})
        yield self._numbered({"type": "response.content_part.done", **where, "part": part})
        ended = {"output_index": place["output_index"], "item": item}
        yield self._numbered({"type": "response.output_item.done", **ended})
        output.append(item)

    def _numbered(self, event: dict[str, Any]) -> dict[str, Any]:
        self.number += 1
        return {**event, "sequence_number": self.number}


def added(said: Mapping[str, Any], rules: Mapping[str, Any]) -> Any:
    """The input of a steering event; Wrong if it is none.

    `rules` are `members` of the event, `message` (those of a message), `roles` and `parts` (types of content).
    """
    beyond = next((name for name in said if name not in rules["members"]), None)
    if beyond is not None:
        raise Wrong("member", member=beyond)
    given = said.get("input")
    if isinstance(given, str) and given:
        return given
    if not isinstance(given, list) or not given:
        raise Wrong("input", member="input")
    for index, message in enumerate(given):
        if not _is_message(message, rules):
            raise Wrong("input", member=f"input[{index}]")
    return given


def _is_message(message: Any, rules: Mapping[str, Any]) -> bool:
    if not isinstance(message, dict) or any(name not in rules["message"] for name in message):
        return False
    if message.get("type", "message") != "message" or message.get("role") not in rules["roles"]:
        return False
    content = message.get("content")
    if isinstance(content, str):
        return True
    if not isinstance(content, list):
        return False
    return all(isinstance(part, dict) and part.get("type") in rules["parts"] for part in content)


def awaited(output: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the application has to supply before a response with these items can go on, each as the beginning of its item."""
    done = {(item["type"], item.get("call_id")) for item in output}
    found = []
    for item in output:
        call = {"call_id": item.get("call_id")}
        match item["type"]:
            case "function_call":
                found.append({"type": "function_call_output", **call, "name": item["name"]})
            case "custom_tool_call" | "computer_call" | "shell_call" | "apply_patch_call" as kind:
                if (ENDED.get(kind), item.get("call_id")) not in done:
                    found.append({"type": f"{kind}_output", **call})
            case "tool_search_call" if item.get("execution") == "client":
                found.append({"type": "tool_search_output", **call, "execution": "client"})
            case "mcp_approval_request":
                found.append({"type": "mcp_approval_response", "approval_request_id": item["id"]})
    return found
