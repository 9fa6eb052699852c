"""socket.io on engine.io 4, the server's side: packets in, packets out; no socket and no clock here.

A client asks for a handshake, then either holds a GET open and POSTs what it has to say (polling) or speaks
over a websocket. It may begin with the first and go over to the second:

    GET  ?EIO=4&transport=polling           0{"sid":"...","upgrades":["websocket"],...}
    POST ?EIO=4&transport=polling&sid=...   40{"auth_token":"..."}       answered with `ok`
    GET  ?EIO=4&transport=polling&sid=...   40{"sid":"..."}              waits until there is something to say
    websocket ?EIO=4&transport=websocket    the same packets, one in each frame

The first digit is engine.io's kind of packet; after a 4 comes socket.io's kind, then perhaps `/namespace,`,
the number of an acknowledgement and JSON. How long, how large and in which words stands in the contract.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

from conformance.exchange import Request
from mockserver.auth import Refused
from mockserver.effects import Answer, Cut, Fetch, Send, Store, Wait

__all__ = ["Hostile", "Ids", "Packets", "Talk", "hear", "take", "wants_websocket"]

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0123456"
CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = "0123456"
PROBE = "probe"
SEPARATOR = "\x1e"

LOOK_SECONDS = 0.05
"""How long it takes at most until a GET that is held open sees what another request has to say."""

MOST_NAMESPACES = 100
"""That one client may join: more than any has."""

# Kind, attachments of a binary event, namespace, acknowledgement, the rest.
_SAID = re.compile(
    r"(?P<kind>\d)(?:(?P<attached>\d{1,9})-)?(?:(?P<space>/[^,]*),?)?(?P<ack>\d{1,15})?(?P<rest>.*)",
    re.DOTALL | re.ASCII,
)

KIND = "socket"
"""Under which sessions of polling clients are stored."""

Admit = Callable[[str, Any], str | None]
"""Why a client may not join a namespace with what it shows for itself; None if it may."""


class Hostile(ValueError):
    """What no client of this protocol says; the session is over."""


class Ids(Protocol):
    """Where the names of sessions come from."""

    def token(self, length: int, alphabet: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Packets:
    """What a request is answered with. `handshake` if it began a session."""

    text: str
    handshake: bool = False


def hear(session: dict[str, Any], packet: str, admit: Admit, ids: Ids) -> list[str]:
    """What is said to one packet; `session` keeps who has joined what.

    Raises Hostile for a packet that no client sends.
    """
    kind, rest = packet[:1], packet[1:]
    if kind == PING:
        session["probed"] = session["probed"] or rest == PROBE
        return [PONG + rest]
    if kind == MESSAGE:
        return [MESSAGE + said for said in _message(session, rest, admit, ids)]
    if kind == CLOSE:
        session["over"] = True
        return []
    if kind == UPGRADE:
        session["upgraded"] = True
        return []
    if kind in (PONG, NOOP):
        return []
    raise Hostile(f"expected a packet of kind 1 to 6, got {packet[:20]!r}")


def _message(session: dict[str, Any], said: str, admit: Admit, ids: Ids) -> list[str]:
    found = _SAID.fullmatch(said)
    if found is None:
        raise Hostile(f"expected a packet of socket.io, got {said[:20]!r}")
    kind, space = found["kind"], found["space"] or "/"
    space = space.partition("?")[0]
    prefix = "" if space == "/" else f"{space},"
    data = _data(found["rest"])
    joined: dict[str, str] = session["joined"]
    if kind == CONNECT:
        why = admit(space, data)
        if why is not None:
            return [CONNECT_ERROR + prefix + _dump({"message": why})]
        if len(joined) >= MOST_NAMESPACES:
            raise Hostile(f"expected at most {MOST_NAMESPACES} namespaces, got another")
        return [CONNECT + prefix + _dump({"sid": joined.setdefault(space, _name(ids))})]
    if space not in joined:
        raise Hostile(f"expected a client that has joined {space}, got a packet of kind {kind}")
    if kind == DISCONNECT:
        del joined[space]
        return []
    if kind in (EVENT, BINARY_EVENT):
        if not isinstance(data, list) or not data:
            raise Hostile(f"expected an event with a name, got {found['rest'][:20]!r}")
        return [ACK + prefix + found["ack"] + "[]"] if found["ack"] else []
    if kind in (ACK, BINARY_ACK):
        return []
    raise Hostile(f"expected a packet of socket.io of kind 0 to 6, got {said[:20]!r}")


def _data(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Hostile(f"expected JSON, got {text[:20]!r}") from error


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _name(ids: Ids) -> str:
    return ids.token(20, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")


def wants_websocket(request: Request) -> bool:
    """Whether the connection can become a websocket as the request asks (RFC 6455, 4.2.1)."""
    connection = (request.header("connection") or "").lower()
    key = request.header("sec-websocket-key") or ""
    try:
        nonce = base64.b64decode(key, validate=True)
    except ValueError:
        return False
    return (
        request.method == "GET"
        and (request.header("upgrade") or "").strip().lower() == "websocket"
        and "upgrade" in [each.strip() for each in connection.split(",")]
        and request.header("sec-websocket-version") == "13"
        and len(nonce) == 16
    )


def take(
    method: str,
    query: str,
    body: str,
    websocket: bool,
    settings: Mapping[str, Any],
    admit: Admit,
    ids: Ids,
    now: float,
) -> Generator[Any, Any, Packets | Refused | Talk]:
    """What a request comes to, over effects: packets, a refusal, or a websocket to talk on.

    `settings` are `ping_seconds`, `timeout_seconds`, `largest_bytes`, `protocol`, and `said`, what a POST is answered
    with. `websocket` says whether the connection can become one.
    """
    asked = dict(parse_qsl(query))
    transport, name = asked.get("transport", ""), asked.get("sid")
    if transport not in ("polling", "websocket"):
        return Refused("socket-transport", {"got": transport})
    if name is None:
        return (yield from _begin(method, asked, transport, websocket, settings, admit, ids, now))
    session = yield from _session(name, settings, now)
    if session is None:
        return Refused("socket-session", {"got": name})
    if transport == "websocket":
        if session["upgraded"] or session["probed"] or not websocket:
            return Refused("socket-request", {"expected": "one websocket for a session", "got": transport})
        return Talk(session, settings, admit, ids)
    if session["upgraded"]:
        return Refused("socket-request", {"expected": "websocket", "got": transport})
    if method == "POST":
        return (yield from _told(session, body, settings, admit, ids, now))
    return (yield from _poll(session, settings))


def _begin(
    method: str,
    asked: Mapping[str, str],
    transport: str,
    websocket: bool,
    settings: Mapping[str, Any],
    admit: Admit,
    ids: Ids,
    now: float,
) -> Generator[Any, Any, Packets | Refused | Talk]:
    if asked.get("EIO") != settings["protocol"]:
        return Refused("socket-protocol", {"expected": settings["protocol"], "got": asked.get("EIO", "none")})
    if method != "GET":
        return Refused("socket-handshake", {"expected": "GET", "got": method})
    session: dict[str, Any] = {
        "sid": _name(ids),
        "out": [],
        "joined": {},
        "seen": now,
        "polled": False,
        "probed": False,
        "upgraded": transport == "websocket",
        "over": False,
    }
    if transport == "websocket":
        if not websocket:
            return Refused("socket-request", {"expected": "Upgrade: websocket", "got": "none"})
        return Talk(session, settings, admit, ids, begins=True)
    yield Store("", KIND, session["sid"], session)
    return Packets(_opening(session, settings, ["websocket"]), handshake=True)


def _opening(session: Mapping[str, Any], settings: Mapping[str, Any], upgrades: list[str]) -> str:
    return OPEN + _dump(
        {
            "sid": session["sid"],
            "upgrades": upgrades,
            "pingInterval": round(settings["ping_seconds"] * 1000),
            "pingTimeout": round(settings["timeout_seconds"] * 1000),
            "maxPayload": settings["largest_bytes"],
        }
    )


def _session(
    name: str, settings: Mapping[str, Any], now: float
) -> Generator[Any, Any, dict[str, Any] | None]:
    """The session of that name, if its client has not been silent for too long."""
    session: dict[str, Any] | None = yield Fetch("", KIND, name)
    if session is None:
        return None
    if now - session["seen"] > settings["ping_seconds"] + settings["timeout_seconds"]:
        yield Store("", KIND, name, None)
        return None
    session["seen"] = now
    return session


def _told(
    session: dict[str, Any], body: str, settings: Mapping[str, Any], admit: Admit, ids: Ids, now: float
) -> Generator[Any, Any, Packets | Refused]:
    if len(body.encode("utf-8", "surrogatepass")) > settings["largest_bytes"]:
        yield Store("", KIND, session["sid"], None)
        return Refused("socket-too-large", {"limit": str(settings["largest_bytes"])})
    try:
        for packet in body.split(SEPARATOR):
            if packet[:1] == "b":
                # The base64 of an attachment: nobody here reads it.
                continue
            session["out"] += hear(session, packet, admit, ids)
    except Hostile as error:
        yield Store("", KIND, session["sid"], None)
        return Refused("socket-request", {"expected": "packets of engine.io", "got": str(error)})
    yield Store("", KIND, session["sid"], None if session["over"] else session)
    return Packets(settings["said"])


def _poll(session: dict[str, Any], settings: Mapping[str, Any]) -> Generator[Any, Any, Packets | Refused]:
    name = session["sid"]
    if session["polled"]:
        yield Store("", KIND, name, None)
        return Refused("socket-request", {"expected": "one GET at a time", "got": "another"})
    session["polled"] = True
    yield Store("", KIND, name, session)
    found: dict[str, Any] | None = session
    try:
        for _ in range(max(1, round(settings["ping_seconds"] / LOOK_SECONDS))):
            found = yield Fetch("", KIND, name)
            if found is None:
                return Packets(CLOSE)
            if found["out"]:
                said, found["out"] = SEPARATOR.join(found["out"]), []
                return Packets(said)
            if found["probed"]:
                return Packets(NOOP)
            yield Wait(LOOK_SECONDS)
        return Packets(PING)
    finally:
        if found is not None:
            found["polled"] = False
            yield Store("", KIND, name, found)


class Talk:
    """A session over a websocket. Each text that comes is heard; each answer is effects, a Send for each frame."""

    def __init__(
        self,
        session: dict[str, Any],
        settings: Mapping[str, Any],
        admit: Admit,
        ids: Ids,
        *,
        begins: bool = False,
    ) -> None:
        self._session, self._settings, self._admit, self._ids = session, settings, admit, ids
        self._begins = begins
        self.ping_seconds = float(settings["ping_seconds"])
        self.timeout_seconds = float(settings["timeout_seconds"])
        self.largest = int(settings["largest_bytes"])

    def opening(self) -> Answer:
        """What is said first."""
        if self._begins:
            yield Send(_opening(self._session, self._settings, []).encode())

    def aside(self, packet: str) -> None:
        """Nothing: packets are answered one after the other."""

    def hear(self, packet: str, now: float) -> Answer:
        """What is said to a packet, whenever it comes; a Cut after it ends the connection."""
        session, upgraded = self._session, self._session["upgraded"]
        try:
            said = hear(session, packet, self._admit, self._ids)
        except Hostile:
            session["over"] = True
            said = []
        if not self._begins:
            yield Store("", KIND, session["sid"], None if session["over"] else session)
        if session["upgraded"] and not upgraded:
            # What was said by POST while it still polled.
            said, session["out"] = [*session["out"], *said], []
        for each in said:
            yield Send(each.encode())
        if session["over"]:
            yield Cut()

    def ping(self) -> Answer:
        """Asks whether the client is still there."""
        if self._session["upgraded"]:
            yield Send(PING.encode())

    def ended(self) -> Answer:
        """The connection is gone, and the session with it."""
        if not self._begins:
            yield Store("", KIND, self._session["sid"], None)
