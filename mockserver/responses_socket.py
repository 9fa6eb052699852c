"""The Responses API over a WebSocket: a request in each frame, the events of its stream as frames; no socket here.

    client  {"type":"response.create","model":...,"input":...}
    server  {"type":"response.created",...} ... {"type":"response.completed",...}
    client  {"type":"response.create","previous_response_id":...}
    server  {"type":"error","status":400,"error":{...}}

Each request is answered as if it had come to the same path over HTTP, with the headers of the handshake. The
connection remembers the last response, also one that nothing else keeps (`store: false`), until a request that was to
go on from it fails. Where requests name lanes, each lane has a last response, and events name the lane; requests are
answered one after the other, whatever their lanes. What is said to frames that cannot be read, and for how long, stands in the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import orjson

from conformance.dialects.responses import items
from conformance.exchange import Request
from conformance.framing import dump
from conformance.template import fill
from conformance.wire.sse import Decoder
from mockserver.effects import Answer, Cut, Effect, Fetch, Head, Inner, Send, Stall
from mockserver.history import History
from mockserver.services.keeping import RESPONSE

__all__ = ["Talk", "as_request"]

HANDSHAKE = ("connection", "upgrade", "content-length", "content-type", "transfer-encoding")
"""Headers that are not those of a request in a frame; neither is any that begins with sec-websocket-."""

LANES = 64
"""Lanes of a connection whose last responses are remembered."""

Answerer = Callable[[Mapping[str, Any], float], Answer]
"""The effects that answer a body at a Unix time, as over HTTP."""


class Talk:
    """One connection. `began` is the Unix time of its handshake; see `mockserver.effects.Conversation`.

    `settings` are `asks` (the type of a frame that asks), `unasked` (members of a request over HTTP that have no place
    here), `seconds` (how long the connection may last), `largest_bytes` of a frame, and `errors`: `limit`, `frame`, and
    `unasked` where such a member is refused; else it is not looked at. Where there are lanes, `lane` is the member that
    names one and `errors` has `lane` too; `prepares` is a member that is false where nothing is to be answered, and the
    `body` that asks for it over HTTP.
    """

    timeout_seconds = 0.0
    """Nobody is asked whether they are still there: the end of the time is the only thing that is said unasked."""

    def __init__(self, settings: Mapping[str, Any], answerer: Answerer, began: float) -> None:
        self._settings, self._answerer = settings, answerer
        self._ends = began + settings["seconds"]
        self._last: dict[str | None, tuple[str, Mapping[str, Any]]] = {}
        self.ping_seconds = float(settings["seconds"])
        self.largest = int(settings["largest_bytes"])

    def opening(self) -> Answer:
        """Nothing: the client speaks first."""
        yield from ()

    def hear(self, packet: str, now: float) -> Answer:
        """The events of the answer to one frame, a Send for each; a Cut where its stream is cut."""
        self.ping_seconds = max(0.0, self._ends - now)
        try:
            said = orjson.loads(packet)
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict) or said.get("type") != self._settings["asks"]:
            got = said.get("type") if isinstance(said, dict) else packet
            yield self._error("frame", {"expected": self._settings["asks"], "got": str(got)[:40]})
            return
        dropped = {"type", *self._settings["unasked"]}
        refused = next((name for name in self._settings["unasked"] if name in said), None)
        if refused is not None and "unasked" in self._settings["errors"]:
            yield self._error("unasked", {"member": refused})
            return
        body = {name: value for name, value in said.items() if name not in dropped}
        lane = body.pop(self._settings["lane"], None) if "lane" in self._settings else None
        if lane is not None and not isinstance(lane, str):
            yield self._error("lane", {})
            return
        yield from self._answer(self._prepared(body), lane, now)

    def _prepared(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body as a request over HTTP says it, also that nothing is to be answered."""
        prepares = self._settings.get("prepares")
        if prepares is None or not isinstance(body.get(prepares["member"]), bool):
            return body
        rest = {name: value for name, value in body.items() if name != prepares["member"]}
        return rest if body[prepares["member"]] else {**rest, **prepares["body"]}

    def ping(self) -> Answer:
        """The time is over: the client is told, and the connection ends."""
        yield self._error("limit", {"minutes": self._settings["seconds"] // 60})
        yield Cut()

    def ended(self) -> Answer:
        """Nothing: what the connection remembered goes with it."""
        yield from ()

    def _error(self, name: str, details: Mapping[str, Any]) -> Send:
        return Send(dump(fill(self._settings["errors"][name], details)))

    def _answer(self, body: Mapping[str, Any], lane: str | None, now: float) -> Answer:
        previous = body.get("previous_response_id")
        found = next((name for name, last in self._last.items() if last[0] == previous), None)
        last = next((last for last in self._last.values() if last[0] == previous), None)
        before = _Before(previous, last)
        frames = _Frames({} if lane is None else {self._settings["lane"]: lane})
        yield from _translated(self._answerer({**body, "stream": True}, now), frames, before)
        if frames.final is not None:
            context = History(before.context, items(body))
            self._last.pop(lane, None)
            self._last[lane] = frames.final["id"], {"input": context, "response": frames.final}
            while len(self._last) > LANES:
                del self._last[next(iter(self._last))]
        elif last is not None:
            del self._last[found]


def as_request(handshake: Request, body: Mapping[str, Any]) -> Request:
    """The request over HTTP that says what a frame said, on a connection that was opened so."""
    headers = tuple(
        (name, value)
        for name, value in handshake.headers
        if name.lower() not in HANDSHAKE and not name.lower().startswith("sec-websocket-")
    )
    return Request(
        "POST", handshake.target, (*headers, ("Content-Type", "application/json")), orjson.dumps(body)
    )


class _Before:
    """What a request goes on from: the response that the connection remembers, or one that is kept."""

    def __init__(self, previous: Any, last: tuple[str, Mapping[str, Any]] | None) -> None:
        self._previous = previous
        self.local = last[1] if last is not None and last[0] == previous else None
        self.context: History | None = None

    def is_sought(self, effect: Effect) -> bool:
        return (
            isinstance(effect, Fetch)
            and effect.kind == RESPONSE
            and self._previous is not None
            and effect.key.endswith(f":{self._previous}")
        )

    def found(self, kept: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """What goes on is remembered too: the whole context is the new response's."""
        if kept is not None:
            self.context = History(kept["input"], kept["response"]["output"])
        return kept


class _Frames:
    """Turns the bytes of an answer over HTTP into frames, each with the members `beside`.

    `final` is the response object, if it came to its end.
    """

    def __init__(self, beside: Mapping[str, Any]) -> None:
        self._decoder = Decoder()
        self._beside = beside
        self._status = 200
        self.final: Any = None

    def of(self, effect: Effect) -> Iterator[Effect]:
        match effect:
            case Head(status=status):
                self._status = status
            case Send(data) if self._status >= 400:
                yield Send(dump(self._refusal(data)))
            case Send(data):
                for message in self._decoder.feed(data):
                    yield from self._event(message.data)
            case Cut() | Stall():
                yield effect

    def _event(self, text: str) -> Iterator[Effect]:
        try:
            said = orjson.loads(text)
        except orjson.JSONDecodeError:
            # The end of a stream over HTTP ([DONE]): a connection goes on.
            return
        if isinstance(said, dict) and said.get("type") in ("response.completed", "response.incomplete"):
            self.final = said["response"]
        yield Send(dump({**said, **self._beside}) if self._beside else text.encode())

    def _refusal(self, data: bytes) -> dict[str, Any]:
        try:
            said = orjson.loads(data)
        except orjson.JSONDecodeError:
            said = {"error": {"code": None, "message": data.decode("utf-8", "replace")}}
        error = said.get("error", said) if isinstance(said, dict) else {"code": None, "message": str(said)}
        return {"type": "error", "status": self._status, "error": error, **self._beside}


def _translated(answer: Answer, frames: _Frames, before: _Before) -> Generator[Effect, Any, None]:
    """The effects of `answer`, with frames in place of bytes; what ends it from outside ends the answer."""
    result: Any = None
    thrown: BaseException | None = None
    while True:
        try:
            effect = answer.send(result) if thrown is None else answer.throw(thrown)
        except StopIteration:
            return
        result = thrown = None
        try:
            if before.is_sought(effect):
                result = before.found(before.local or (yield effect))
            elif isinstance(effect, Inner):
                result = yield effect
            else:
                yield from frames.of(effect)
        except BaseException as error:
            thrown = error
