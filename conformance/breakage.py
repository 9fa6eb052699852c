"""A reply, an exchange or its bytes, broken on purpose: each rule's counterexample.

Operations stand in YAML under `broken_by`; the implied rules get theirs from the contract's
schemas. An operation that changes nothing in an exchange or in its bytes is an error: it proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from conformance.contract import Contract, Rule
from conformance.exchange import Chunk, Event, Headers, Request, Response
from conformance.framing import encode, read
from conformance.judge import order_mismatches, shape_mismatches
from conformance.select import change
from conformance.shapes import pointer
from conformance.values import Media, MediaKind, Reply, Text, ToolCall, ToolResult, Turn

Operation = Mapping[str, Any]


class Unbroken(ValueError):
    """An operation that changed nothing, or could not be applied to this exchange."""


def broken_turn(turn: Turn, operations: Sequence[Operation]) -> Turn:
    """The turn as a model sees it that does not look at some of its members.

    A turn without them stays as it is: of a probe's steps, often only the last has them.
    """
    for operation in operations:
        for name in operation.get("reply", {}).get("ignore", ()):
            turn = _IGNORE[name](turn)
    return turn


def without(turn: Turn, *kinds: MediaKind) -> Turn:
    """The turn for a model that is given no media of these kinds."""
    kept = tuple(
        replace(
            message,
            parts=tuple(
                part for part in message.parts if not (isinstance(part, Media) and part.kind in kinds)
            ),
        )
        for message in turn.messages
    )
    return replace(turn, messages=kept)


def _empty_results(turn: Turn) -> Turn:
    kept = tuple(
        replace(
            message,
            parts=tuple(replace(p, parts=()) if isinstance(p, ToolResult) else p for p in message.parts),
        )
        for message in turn.messages
    )
    return replace(turn, messages=kept)


def _last_only(turn: Turn) -> Turn:
    systems = tuple(message for message in turn.messages if message.role == "system")
    return replace(turn, messages=(*systems, *turn.messages[-1:]))


def _no_system(turn: Turn) -> Turn:
    return replace(turn, messages=tuple(message for message in turn.messages if message.role != "system"))


_IGNORE: Mapping[str, Callable[[Turn], Turn]] = {
    "max_tokens": lambda turn: replace(turn, max_tokens=None),
    "stop": lambda turn: replace(turn, stop=()),
    "tools": lambda turn: replace(turn, tools=()),
    "tool_choice": lambda turn: replace(turn, tool_choice=None),
    "output": lambda turn: replace(turn, output=None),
    "n": lambda turn: replace(turn, n=1),
    "parallel_tool_calls": lambda turn: replace(turn, parallel_tool_calls=False) if turn.tools else turn,
    "reasoning": lambda turn: replace(turn, reasoning=None if turn.reasoning != "none" else "low"),
    "images": lambda turn: without(turn, "image"),
    "audio": lambda turn: without(turn, "audio"),
    "video": lambda turn: without(turn, "video"),
    "documents": lambda turn: without(turn, "document"),
    "results": _empty_results,
    "history": _last_only,
    "system": _no_system,
}


def varied(operations: Sequence[Operation], request: Request, answer: str) -> list[Operation]:
    """The operations with each `vary` written out: the text ends in what the request as sent, or `answer`, comes to."""
    found: list[Operation] = []
    for operation in operations:
        how = operation.get("reply", {})
        if "vary" in how:
            sent = f"{[name for name, _ in request.headers]} {request.body!r}"
            of = hashlib.sha256((sent if how["vary"] == "request" else answer).encode()).hexdigest()[:8]
            operation = {"reply": {**how, "append": f" {of}"}}
        found.append(operation)
    return found


def broken_reply(reply: Reply, operations: Sequence[Operation]) -> Reply:
    """The reply, changed as the operations of level `reply` say; one without what they change stays as it is."""
    for operation in operations:
        reply = _break_reply(reply, operation.get("reply", {}))
    return reply


def _break_reply(reply: Reply, how: Mapping[str, Any]) -> Reply:
    if "text" in how:
        reply = replace(reply, parts=(Text(how["text"]),))
    if "append" in how:
        reply = replace(reply, parts=(*reply.parts, Text(how["append"])))
    if "finish" in how:
        reply = replace(reply, finish=how["finish"], stop_sequence=None)
    if "relabel" in how and reply.finish is not None:
        reply = replace(reply, finish=how["relabel"].get(reply.finish, reply.finish))
    if "arguments" in how:
        parts = tuple(
            replace(part, arguments=how["arguments"]) if isinstance(part, ToolCall) else part
            for part in reply.parts
        )
        reply = replace(reply, parts=parts)
    if "drop" in how:
        kinds = {"text": "Text", "tool_calls": "ToolCall", "reasoning": "Reasoning"}
        reply = replace(reply, parts=tuple(p for p in reply.parts if type(p).__name__ != kinds[how["drop"]]))
    if "usage" in how and reply.usage is not None:
        counts = {name: max(0, getattr(reply.usage, name) + by) for name, by in how["usage"].items()}
        reply = replace(reply, usage=replace(reply.usage, **counts))
    return reply


def broken_response(
    contract: Contract | None, response: Response, operations: Sequence[Operation]
) -> Response:
    """The response, changed as the operations of level `exchange` say.

    Raises Unbroken for an operation that changes nothing.
    """
    for operation in operations:
        if "exchange" in operation:
            changed = _break_exchange(response, operation["exchange"])
            if changed == response:
                where = contract.id if contract else "no contract"
                raise Unbroken(f"{where}: {dict(operation)} changes nothing in this exchange")
            response = changed
    return response


def _break_exchange(response: Response, how: Mapping[str, Any]) -> Response:
    if "status" in how:
        response = replace(response, status=how["status"])
    if "headers" in how:
        response = replace(response, headers=with_headers(response.headers, how["headers"]))
    changes: list[tuple[str, Any, bool]] = [
        (at, _const(value), False) for at, value in how.get("set", {}).items()
    ]
    changes += [(at, _plus(by), False) for at, by in how.get("add", {}).items()]
    changes += [(at, None, True) for at in how.get("remove", ())]
    for at, to, remove in changes:
        response = _edit(response, at, to, remove)
    for at, name in how.get("rename", {}).items():
        response = _rename(response, at, name)
    return _break_events(response, how)


def _const(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _plus(by: float) -> Callable[[Any], Any]:
    def added(value: Any) -> Any:
        if value is not None and not isinstance(value, int | float):
            raise Unbroken(f"expected a number to add {by} to, got {value!r}")
        return (value or 0) + by

    return added


def _edit(response: Response, at: str, to: Any, remove: bool) -> Response:
    area, _, rest = at.removeprefix("/").partition("/")
    rest = f"/{rest}" if rest else ""
    if remove and not rest:
        raise Unbroken(f"expected a pointer to a member, got {at!r}: a whole {area} cannot be removed")
    if area == "events" and response.events is not None:
        events, _changed = change(list(response.events), rest, to, remove=remove)
        return replace(response, events=tuple(events))
    if area == "body":
        if not rest:
            return replace(response, body=to(response.body))
        body, _changed = change(response.body, rest, to, remove=remove)
        return replace(response, body=body)
    if area == "headers":
        return replace(
            response, headers=with_headers(response.headers, {rest[1:]: None if remove else to(None)})
        )
    return response


def _rename(response: Response, at: str, name: str) -> Response:
    from conformance.select import document, select

    found = select(document(response), at)
    if not found:
        return response
    where, value = found[0]
    response = _edit(response, where, None, True)
    return _edit(response, f"{where.rpartition('/')[0]}/{name}", _const(value), False)


def _break_events(response: Response, how: Mapping[str, Any]) -> Response:
    events = list(response.events or ())
    if "repeat" in how:
        index = _index(events, how["repeat"])
        events.insert(index, events[index])
    if how.get("drop") == "*":
        events.clear()
    elif "drop" in how:
        del events[_index(events, how["drop"])]
    if "move" in how:
        events.insert(
            how["move"]["to"] % (len(events) or 1), events.pop(_index(events, how["move"]["event"]))
        )
    if "insert" in how:
        new = how["insert"]["event"]
        events.insert(how["insert"]["at"], Event(new.get("name"), new.get("data")))
    return replace(response, events=tuple(events)) if response.events is not None else response


def _index(events: Sequence[Event], which: str | int) -> int:
    if isinstance(which, int):
        if -len(events) <= which < len(events):
            return which % len(events)
    else:
        for index, event in enumerate(events):
            if event.name == which:
                return index
    raise Unbroken(f"expected an event {which!r}, got {[event.name for event in events]}")


def with_headers(headers: Headers, changes: Mapping[str, str | None]) -> Headers:
    """`headers` with those of `changes` set (in place, in any casing), or removed where the value is None."""
    left = {name.lower(): (name, value) for name, value in changes.items()}
    result = []
    for name, value in headers:
        if name.lower() in left:
            _, new = left.pop(name.lower())
            if new is not None:
                result.append((name, new))
        else:
            result.append((name, value))
    return tuple(result) + tuple((name, value) for name, value in left.values() if value is not None)


def broken_wire(pieces: Sequence[bytes], operations: Sequence[Operation]) -> tuple[list[bytes], str | None]:
    """The body's pieces, changed as the operations of level `wire` say, and how it ends.

    The end is None (as it should), `cut` (the connection ends inside the body) or `stall`.
    Raises Unbroken for an operation that changes nothing.
    """
    result, end = list(pieces), None
    for operation in operations:
        if "wire" not in operation:
            continue
        how = operation["wire"]
        whole, ended = b"".join(result), end
        changed: list[bytes] = result
        if "flip" in how:
            if not whole:
                raise Unbroken(f"{dict(operation)}: expected a body, got no bytes")
            at = how["flip"] % len(whole)
            changed = [whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]]
        if "body" in how:
            changed = [how["body"].encode()]
        if "append" in how:
            changed = [*changed, how["append"].encode()]
        if "line_end" in how:
            changed = [piece.replace(b"\n", how["line_end"].encode()) for piece in changed]
        if "join" in how:
            changed = [how["join"].encode().join(changed)]
        if "cut" in how:
            changed, end = [b"".join(changed)[: how["cut"]]], "cut"
        if "stall" in how:
            changed, end = [b"".join(changed)[: how["stall"]]], "stall"
        if b"".join(changed) == whole and end == ended:
            raise Unbroken(f"{dict(operation)} changes nothing in these bytes")
        result = changed
    return result, end


def broken_as_can_be(contract: Contract | None, response: Response, habits: Sequence[Operation]) -> Response:
    """The response after those of the operations that change something in it."""
    for habit in habits:
        with suppress(Unbroken):
            response = broken_response(contract, response, [habit])
    return response


def wire_as_can_be(pieces: Sequence[bytes], habits: Sequence[Operation]) -> tuple[list[bytes], str | None]:
    """As `broken_wire`, after those of the operations that change something."""
    result, end = list(pieces), None
    for habit in habits:
        with suppress(Unbroken):
            result, ended = broken_wire(result, [habit])
            end = ended or end
    return result, end


def implied(contract: Contract, rule: Rule, response: Response) -> list[Operation]:
    """Operations that break one of the implied rules in this very response."""
    match rule.id:
        case "status":
            return [{"exchange": {"status": 202 if response.status != 202 else 200}}]
        case "headers":
            return [
                {
                    "exchange": {
                        "headers": {"content-type": "text/plain" if contract.speaks_json else "image/gif"}
                    }
                }
            ]
        case "framing":
            return [_FRAMING[contract.response["framing"]["kind"] if contract.streams else "json"]]
        case "shape":
            return [_first(contract, response, _removals(response), shape_mismatches)]
        case "order":
            return [_first(contract, response, _disorders(response), order_mismatches)]
    raise Unbroken(f"{rule.name}: expected one of the implied rules, got {rule.id!r}")


_FRAMING: Mapping[str, Operation] = {
    "json": {"wire": {"append": "}"}},
    "eventstream": {"wire": {"flip": -1}},
    "sse": {"wire": {"append": "data: {\n\n"}},
    "ndjson": {"wire": {"append": "{\n"}},
}


def _first(
    contract: Contract,
    response: Response,
    candidates: Iterator[Operation],
    mismatches: Callable[[Contract, Response], Iterator[Any]],
) -> Operation:
    for operation in candidates:
        try:
            changed = broken_response(contract, response, [operation])
        except Unbroken:
            continue
        if next(mismatches(contract, _as_read(contract, changed)), None) is not None:
            return operation
    raise Unbroken(
        f"{contract.id}: nothing in this answer can be taken away without its shape or order still holding"
    )


def _as_read(contract: Contract, response: Response) -> Response:
    """The response as a reader gets it: what a change does may be lost on the wire."""
    if response.events is None:
        return response
    chunks = [Chunk(piece) for piece in encode(contract, response.events)]
    return read(contract, response.status, response.headers, chunks)


def _removals(response: Response) -> Iterator[Operation]:
    if response.events is not None:
        for index, event in enumerate(response.events):
            for at in _members(event.data, 3):
                yield {"exchange": {"remove": [f"/events/{index}{at}"]}}
    else:
        for at in _members(response.body, 4):
            yield {"exchange": {"remove": [f"/body{at}"]}}
        yield {"exchange": {"set": {"/body": []}}}


def _members(value: Any, depth: int) -> Iterator[str]:
    if depth == 0:
        return
    if isinstance(value, Mapping):
        for key in value:
            yield pointer([key])
        for key, child in value.items():
            yield from (pointer([key]) + rest for rest in _members(child, depth - 1))
    elif isinstance(value, list):
        for index, child in enumerate(value[:2]):
            yield from (pointer([index]) + rest for rest in _members(child, depth - 1))


def _disorders(response: Response) -> Iterator[Operation]:
    yield {"exchange": {"repeat": -1}}
    yield {"exchange": {"repeat": 0}}
    yield {"exchange": {"drop": 0}}
    yield {"exchange": {"drop": -1}}
    yield {"exchange": {"insert": {"at": 0, "event": {"name": "out-of-order", "data": {}}}}}
    for index in range(1, len(response.events or ())):
        yield {"exchange": {"drop": index}}
        yield {"exchange": {"repeat": index}}
    yield {"exchange": {"drop": "*"}}
