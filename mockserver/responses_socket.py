"""The Responses API over a WebSocket: a request in each frame, the events of its stream as frames; no socket here.

    client  {"type":"response.create","model":...,"input":...}
    server  {"type":"response.created",...} ... {"type":"response.completed",...}
    client  {"type":"response.create","previous_response_id":...}
    server  {"type":"error","status":400,"error":{...}}

Each request is answered as if it had come to the same path over HTTP, with the headers of the handshake. The
connection remembers the last response, also one that nothing else keeps (`store: false`), until a request that was to
go on from it fails. Where requests name lanes, each lane has a last response, and events name the lane; requests are
answered one after the other, whatever their lanes. Meanwhile a response may be steered (`mockserver.steering`). What is
said to frames that cannot be read, and for how long, stands in the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import orjson

from conformance.dialects import Ids
from conformance.dialects.chat import make_id
from conformance.dialects.responses import items
from conformance.exchange import Request
from conformance.framing import dump
from conformance.template import fill
from conformance.wire.sse import Decoder
from mockserver.effects import Answer, Cut, Effect, Fetch, Head, Inner, Send, Stall, Store
from mockserver.history import History
from mockserver.services.keeping import RESPONSE
from mockserver.steering import Course, Wrong, added, awaited

__all__ = ["Talk", "as_request"]

HANDSHAKE = ("connection", "upgrade", "content-length", "content-type", "transfer-encoding")
"""Headers that are not those of a request in a frame; neither is any that begins with sec-websocket-."""

LANES = 64
"""Lanes of a connection whose last responses are remembered."""
ENDED = 256
"""Responses of a connection of which it is known how they ended."""

ENDS = ("response.completed", "response.incomplete")
"""The last events of a response that can be continued."""

Answerer = Callable[[Mapping[str, Any], float], Answer]
"""The effects that answer a body at a Unix time, as over HTTP."""


class Talk:
    """One connection. `began` is the Unix time of its handshake; see `mockserver.effects.Conversation`.

    `settings` are `asks` (the type of a frame that asks), `unasked` (members of a request over HTTP that have no place
    here), `seconds` (how long the connection may last), `largest_bytes` of a frame, and `errors`: `limit`, `frame`, and
    `unasked` where such a member is refused; else it is not looked at. Where there are lanes, `lane` is the member that
    names one and `errors` has `lane` too; `prepares` is a member that is false where nothing is to be answered, and the
    `body` that asks for it over HTTP. `steering` says how a response is steered, where it can be: the type
    of such a frame, what it may hold, and what is said to it.
    """

    timeout_seconds = 0.0
    """Nobody is asked whether they are still there: the end of the time is the only thing that is said unasked."""

    def __init__(self, settings: Mapping[str, Any], answerer: Answerer, began: float, ids: Ids) -> None:
        self._settings, self._answerer, self._ids = settings, answerer, ids
        self._ends = began + settings["seconds"]
        self._steering: Mapping[str, Any] | None = settings.get("steering")
        self._course: Course | None = None
        self._lane: str | None = None
        self._ended: dict[str, tuple[str, int, str | None]] = {}
        self._queued: dict[tuple[str | None, str], list[Any]] = {}
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
        if self._steers(said):
            yield from self._steered(said)
            return
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
        waiting = self._queued.pop((lane, str(body.get("previous_response_id"))), None)
        if waiting is not None:
            body["input"] = [*waiting, *items(body)]
        yield from self._answer(self._prepared(body), lane, now)

    def aside(self, packet: str) -> Iterator[Send] | None:
        """What is said at once to a frame that comes while another is answered; None: it waits its turn."""
        if self._steering is None:
            return None
        try:
            said = orjson.loads(packet)
        except orjson.JSONDecodeError:
            return None
        return self._steered(said) if self._steers(said) else None

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
        following: Mapping[str, Any] | None = body
        while following is not None:
            following = yield from self._answer_one(following, lane, now)

    def _answer_one(
        self, body: Mapping[str, Any], lane: str | None, now: float
    ) -> Generator[Effect, Any, Mapping[str, Any] | None]:
        """The request that follows by itself, because its response was steered."""
        course = self._course = Course(body)
        self._lane = lane
        previous = body.get("previous_response_id")
        found = next((name for name, last in self._last.items() if last[0] == previous), None)
        last = next((last for last in self._last.values() if last[0] == previous), None)
        before = _Before(previous, last)
        frames = _Frames(self._beside(lane), course, (self._steering or {}).get("reason", ""))
        try:
            yield from _translated(self._answerer({**body, "stream": True}, now), frames, before)
        finally:
            self._course = None
        yield from frames.ended_early()
        if frames.final is not None:
            context = History(before.context, items(body))
            self._last.pop(lane, None)
            self._last[lane] = frames.final["id"], {"input": context, "response": frames.final}
            while len(self._last) > LANES:
                del self._last[next(iter(self._last))]
        elif last is not None:
            del self._last[found]
        return (yield from self._followed(course, frames.final, lane))

    def _beside(self, lane: str | None) -> dict[str, Any]:
        return {} if lane is None else {self._settings["lane"]: lane}

    # Steering

    def _steers(self, said: Any) -> bool:
        return (
            self._steering is not None
            and isinstance(said, dict)
            and said.get("type") == self._steering["asks"]
        )

    def _steered(self, said: Mapping[str, Any]) -> Iterator[Send]:
        """What is said to an event that steers a response."""
        rules = self._steering or {}
        named, course = str(said.get("previous_response_id")), self._course
        target = course if course is not None and course.id == named else None
        try:
            given = added(said, rules)
            if target is None or target.status is not None:
                raise self._gone(named, target)
            if any(target.body.get(name) is not None for name in rules["unless"]):
                raise Wrong("mode")
            if len(target.steers) >= rules["most"]:
                raise Wrong("many")
        except Wrong as wrong:
            _, number, lane = self._ended.get(named, (None, -1, None))
            if target is not None:
                number, lane = target.next_number() - 1, self._lane
            steer = {"previous_response_id": named, "input": said.get("input") or ""}
            yield self._told("failed", number + 1, lane, steer, error=self._why(wrong))
            return
        made = make_id(rules["id"], self._ids)
        target.steers.append((made, given))
        steer = {"id": made, "previous_response_id": named}
        yield self._told("accepted", target.next_number(), self._lane, steer)

    def _gone(self, named: str, target: Course | None) -> Wrong:
        status = self._ended.get(named, (None, 0, None))[0] if target is None else target.status
        if status is None:
            return Wrong("unknown", id=named)
        return Wrong("completed" if status == "completed" else "inactive", id=named, status=status)

    def _why(self, wrong: Wrong) -> Any:
        assert self._steering is not None
        return fill(self._steering["errors"][wrong.name], wrong.details)

    def _told(self, what: str, number: int, lane: str | None, steer: Mapping[str, Any], **more: Any) -> Send:
        assert self._steering is not None
        event = {
            "type": f"{self._steering['asks']}.{what}",
            "sequence_number": number,
            "steer": steer,
            **more,
        }
        return Send(dump({**event, **self._beside(lane)}))

    def _followed(
        self, course: Course, final: Any, lane: str | None
    ) -> Generator[Effect, Any, Mapping[str, Any] | None]:
        """What becomes of what was added: the request that goes on by itself, if there is one."""
        rules = self._steering
        if rules is None or course.id is None:
            return None
        self._ended[course.id] = "failed" if final is None else final["status"], course.number, lane
        while len(self._ended) > ENDED:
            del self._ended[next(iter(self._ended))]
        if not course.steers:
            return None
        if final is None:
            for made, given in course.steers:
                steer = {"id": made, "previous_response_id": course.id, "input": given}
                yield self._told(
                    "failed", course.next_number(), lane, steer, error=self._why(Wrong("successor"))
                )
            return None
        said = [item for _, given in course.steers for item in items({"input": given})]
        required = awaited(final["output"])
        if required:
            self._queued[lane, course.id] = said
            for made, _ in course.steers:
                steer = {"id": made, "previous_response_id": course.id}
                more = {"reason": rules["waits"], "required_input": required}
                yield self._told("pending", course.next_number(), lane, steer, **more)
            return None
        return {**course.body, "previous_response_id": course.id, "input": said}


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

    `final` is the response object, if it came to its end. What steers its `course` ends it early, for the `reason`: the
    rest is not sent, and what is kept of it ends there too.
    """

    def __init__(self, beside: Mapping[str, Any], course: Course, reason: str) -> None:
        self._decoder = Decoder()
        self._beside = beside
        self._course, self._reason = course, reason
        self._status = 200
        self._unsent: bytes | None = None
        self._kept: Store | None = None
        self.final: Any = None

    def keep(self, effect: Inner) -> None:
        """Notes where the response is kept."""
        if isinstance(effect, Store) and effect.kind == RESPONSE:
            self._kept = effect

    def ended_early(self) -> Iterator[Effect]:
        """The end of a response that was steered, and how it is kept."""
        if not self._unsent:
            return
        last = orjson.loads([message.data for message in Decoder().feed(self._unsent)][-1])
        if last["type"] not in ENDS:
            # It failed before it came to an end that could be earlier.
            yield Send(dump({**self._course.follow(last), **self._beside}))
            return
        for event in self._course.end(last["response"], self._reason):
            yield Send(dump({**event, **self._beside}))
        self.final = event["response"]
        if self._kept is not None:
            kept = {**self._kept.value, "response": self.final, "final": self.final}
            yield Store(self._kept.space, RESPONSE, self._kept.key, kept)

    def of(self, effect: Effect) -> Iterator[Effect]:
        match effect:
            case Send(data) if self._unsent is not None:
                self._unsent = data
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
        if isinstance(said, dict) and said.get("type") in ENDS:
            self.final = said["response"]
        sent = self._course.follow(said) if isinstance(said, dict) else said
        yield Send(dump({**sent, **self._beside}) if self._beside or sent != said else text.encode())
        if self._course.steers and self._course.can_end:
            self._unsent = b""

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
                frames.keep(effect)
                result = yield effect
            else:
                yield from frames.of(effect)
        except BaseException as error:
            thrown = error
