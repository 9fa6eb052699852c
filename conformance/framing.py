"""Between a contract's events and the bytes of its body: which codec, which names, which end."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from conformance.contract import Contract
from conformance.exchange import Chunk, Ending, Event, Headers, Response, header
from conformance.wire import FramingError, eventstream, ndjson, sse


def dump(value: Any, sorted_keys: bool = False) -> bytes:
    """Compact JSON."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sorted_keys else 0)
    except TypeError:
        # Numbers of more than 64 bits, and half a surrogate pair, which UTF-8 cannot say and JSON escapes.
        return json.dumps(value, separators=(",", ":"), sort_keys=sorted_keys).encode()


def encode(contract: Contract, events: Iterable[Event]) -> Iterator[bytes]:
    """The bytes of a stream, one piece for each event, and the last message where the contract has one."""
    framing = contract.response["framing"]
    for event in events:
        yield encode_event(contract, event)
    if framing.get("done") is not None:
        yield sse.encode(sse.Message(framing["done"]), event_line="none")


def commented(contract: Contract, pieces: Sequence[bytes], number: int) -> list[bytes]:
    """The pieces of a stream, with so many comments before each of them."""
    if not number:
        return list(pieces)
    comments = [sse.comment(contract.response["comment"])] * number
    return [each for piece in pieces for each in (*comments, piece)]


def encode_event(contract: Contract, event: Event, kind: str = "event") -> bytes:
    """One event's bytes; `kind` is `event`, `exception` or `error` (the latter two in event streams only)."""
    response = contract.response
    framing, sort = response["framing"], bool(response.get("sorted_keys"))
    if framing["kind"] == "ndjson":
        return dump(event.data, sort) + b"\n"
    if framing["kind"] == "sse":
        if isinstance(event.data, str):
            return sse.encode(sse.Message(event.data, event=event.name), event_line=framing["event_line"])
        return sse.encode_line(dump(event.data, sort), event.name, framing["event_line"])
    data = event.data
    embedded = framing.get("embedded")
    if embedded and isinstance(data, dict) and embedded in data:
        data = {**data, embedded: base64.b64encode(dump(data[embedded], sort)).decode()}
    if kind == "error":
        return eventstream.encode(
            eventstream.Message(
                {
                    ":error-code": event.name or "",
                    ":error-message": str(data.get("message", "") if isinstance(data, dict) else data),
                    ":message-type": "error",
                }
            )
        )
    type_header = ":exception-type" if kind == "exception" else ":event-type"
    return eventstream.encode(
        eventstream.Message(
            {type_header: event.name or "", ":content-type": "application/json", ":message-type": kind},
            dump(data, sort),
        )
    )


def read(
    contract: Contract, status: int, headers: Headers, chunks: Sequence[Chunk], ending: Ending = "complete"
) -> Response:
    """A response from what came: parsed JSON, the events of a stream, or the text of one that promises no JSON.

    What breaks the framing is told in `problem`; what came before it is kept.
    """
    framing = contract.response.get("framing")
    kind = (header(headers, "content-type") or "").split(";")[0].strip().lower()
    ours = str(contract.response.get("content_type", "")).split(";")[0].strip().lower()
    raw = b"".join(chunk.data for chunk in chunks)
    if framing and status == contract.response.get("status") and (kind == ours or not looks_like_json(raw)):
        return _read_stream(contract, framing, status, headers, tuple(chunks), ending)
    body, problem = None, None
    if not contract.speaks_json and "json" not in kind:
        body = raw.decode("utf-8", "replace")
    elif raw:
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            body, problem = raw.decode("utf-8", "replace"), f"JSON: {error}"
        if framing and status == contract.response.get("status"):
            problem = f"expected a stream ({ours}), got one JSON value ({kind or 'no content type'})"
    elif contract.response.get("body") is not None:
        problem = "expected JSON, got an empty body"
    if ending == "cut":
        problem = problem or "expected the whole body, got a part of it (the connection ended)"
    return Response(status, headers, tuple(chunks), body=body, problem=problem, ending=ending)


def named(contract: Contract, name: str | None, data: Any) -> Event:
    """An event of a worked example, with the name that its contract would find."""
    where = contract.response.get("event_name")
    if isinstance(where, Mapping):
        if "constant" in where:
            return Event(where["constant"], data)
        from conformance.select import select

        found = select(data, where["pointer"])
        return Event(str(found[0][1]) if found else None, data)
    return Event(name, data)


def looks_like_json(raw: bytes) -> bool:
    """True for one JSON value with nothing behind it."""
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def _read_stream(
    contract: Contract,
    framing: Mapping[str, Any],
    status: int,
    headers: Headers,
    chunks: tuple[Chunk, ...],
    ending: Ending,
) -> Response:
    decoder: Any = {"sse": sse, "eventstream": eventstream, "ndjson": ndjson}[framing["kind"]].Decoder()
    events: list[Event] = []
    done = False
    problem: str | None = None
    failed = False
    last = framing.get("done") or "[DONE]"
    at: float | None = None

    def take(messages: Iterable[Any]) -> None:
        nonlocal done, problem, failed
        for message in messages:
            if framing["kind"] == "sse" and message.data == last:
                done = True
                continue
            if done and problem is None:
                problem = f"expected nothing after {last}, got another event"
            event, bad, error = _event(contract, framing, message, at)
            events.append(event)
            failed = failed or error
            problem = problem or bad

    try:
        for chunk in chunks:
            at = chunk.at
            take(decoder.feed(chunk.data))
        take(decoder.close())
    except FramingError as error:
        take(error.before)
        problem = problem or str(error)
    if framing["kind"] != "eventstream" and problem is None:
        problem = next(iter(decoder.problems), None)
    unended = problem is None and framing.get("done") is not None and not done and not failed
    if unended:
        problem = f"expected a last message {framing['done']}, got the end of the stream"
    if ending == "cut":
        problem = problem or "expected the whole stream, got a part of it (the connection ended)"
    elif failed:
        ending = "error"
    unended = unended and ending == "complete"
    return Response(
        status, headers, chunks, events=tuple(events), problem=problem, ending=ending, unended=unended
    )


def _event(
    contract: Contract, framing: Mapping[str, Any], message: Any, at: float | None
) -> tuple[Event, str | None, bool]:
    """The event, what is wrong with its form, and whether it is the provider's error."""
    if framing["kind"] == "eventstream":
        return _binary_event(framing, message, at)
    where = contract.response["event_name"]
    problem = None
    if framing["kind"] == "sse":
        try:
            data = orjson.loads(message.data)
        except orjson.JSONDecodeError as error:
            data, problem = message.data, f"event data: expected JSON, got {message.data[:80]!r} ({error})"
        name = message.event
    else:
        data, name = message, None
    failed = name == "error" or (isinstance(data, dict) and bool(data.get("error")) and "constant" in where)
    if isinstance(where, Mapping) and "pointer" in where:
        from conformance.select import select

        found = select(data, where["pointer"])
        named = str(found[0][1]) if found else None
        if name is not None and name != named:
            problem = problem or f"expected the event line to say {named!r}, got {name!r}"
        name = named
        failed = failed or name == "error"
    elif isinstance(where, Mapping) and "constant" in where:
        name = "error" if failed else where["constant"]
    return Event(name, data, at), problem, failed


def _binary_event(
    framing: Mapping[str, Any], message: eventstream.Message, at: float | None
) -> tuple[Event, str | None, bool]:
    kind = message.headers.get(":message-type")
    if kind == "error":
        data: Any = {"message": message.headers.get(":error-message")}
        return Event(str(message.headers.get(":error-code")), data, at), None, True
    failed = kind == "exception"
    name = message.headers.get(":exception-type" if failed else ":event-type")
    problem = (
        None if failed or kind == "event" else f"expected :message-type event or exception, got {kind!r}"
    )
    try:
        data = orjson.loads(message.payload) if message.payload else {}
    except orjson.JSONDecodeError as error:
        return Event(str(name), message.payload.decode("utf-8", "replace"), at), f"payload: {error}", failed
    embedded = framing.get("embedded")
    if embedded and isinstance(data, dict) and isinstance(data.get(embedded), str):
        try:
            data = {**data, embedded: orjson.loads(base64.b64decode(data[embedded], validate=True))}
        except (binascii.Error, orjson.JSONDecodeError) as error:
            problem = f"{embedded}: expected base64 of JSON ({error})"
    return Event(None if name is None else str(name), data, at), problem, failed
