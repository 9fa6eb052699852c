"""socket.io, the server's side: packets by themselves, then over real connections, friendly and hostile."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from mockserver.browser.engine_io import Hostile, Talk, hear, take
from mockserver.effects import Cut, Send, carry_out
from mockserver.embedded import Running, start
from mockserver.memory import Memory

SETTINGS = {"protocol": "4", "ping_seconds": 0.2, "timeout_seconds": 0.1, "largest_bytes": 1000, "said": "ok"}
POLL, SOCKET = "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=websocket"


class Ids:
    """Names in order."""

    def __init__(self) -> None:
        self.made = 0

    def token(self, length: int, alphabet: str) -> str:
        self.made += 1
        return f"name-{self.made}"


def session(**members: Any) -> dict[str, Any]:
    return {"sid": "s", "out": [], "joined": {}, "probed": False, "upgraded": True, "over": False, **members}


def admit(namespace: str, shown: Any) -> str | None:
    return None if namespace in ("/", "/puter") else "Invalid namespace"


# Packets


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        ("2", ["3"]),
        ("2probe", ["3probe"]),
        ("3", []),
        ("6", []),
        ("40", ['40{"sid":"name-1"}']),
        ('40{"auth_token":"x"}', ['40{"sid":"name-1"}']),
        ("40/puter,", ['40/puter,{"sid":"name-1"}']),
        ('40/puter,{"auth_token":null}', ['40/puter,{"sid":"name-1"}']),
        ("40/puter?a=b,", ['40/puter,{"sid":"name-1"}']),
        ("40/nowhere,", ['44/nowhere,{"message":"Invalid namespace"}']),
    ],
)
def test_a_packet_is_answered(packet: str, said: list[str]) -> None:
    assert hear(session(), packet, admit, Ids()) == said


def test_an_event_is_acknowledged_where_its_client_wants_that() -> None:
    talk = session(joined={"/": "a", "/puter": "b"})
    assert hear(talk, '42["hello"]', admit, Ids()) == []
    assert hear(talk, '427["hello",{}]', admit, Ids()) == ["437[]"]
    assert hear(talk, '42/puter,7["hello"]', admit, Ids()) == ["43/puter,7[]"]
    assert hear(talk, '451-["hello",{"_placeholder":true,"num":0}]', admit, Ids()) == []


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "0",
        "7",
        "x",
        "4",
        "4x",
        '42["hello"]',
        "42",
        "40{",
        '40{"a":' + "[" * 100_000,
        "49",
        "41",
        '42/no,["a"]',
    ],
)
def test_what_no_client_says_is_hostile(packet: str) -> None:
    with pytest.raises(Hostile):
        hear(session(), packet, admit, Ids())


def test_a_client_joins_a_limited_number_of_namespaces() -> None:
    talk = session()
    with pytest.raises(Hostile, match="at most 100 namespaces"):
        for number in range(101):
            hear(talk, f"40/{number},", lambda namespace, shown: None, Ids())


@given(st.text(alphabet=st.sampled_from('0123456ab/,-[]{}":\x1e '), max_size=40))
def test_any_text_is_answered_with_packets_or_is_hostile(packet: str) -> None:
    try:
        said = hear(session(joined={"/": "a"}), packet, admit, Ids())
    except Hostile:
        return
    assert all(each[0] in "1346" for each in said)


# Requests, without a network


def asked(
    state: Memory, method: str, query: str, body: str = "", *, now: float = 0.0, websocket: bool = False
) -> Any:
    """What a request comes to, and how often it looked before."""
    steps = take(method, query, body, websocket, SETTINGS, admit, Ids(), now)
    result, looks = None, 0
    try:
        while True:
            effect = steps.send(result)
            looks += type(effect).__name__ == "Wait"
            result = state.perform(effect) if type(effect).__name__ in ("Fetch", "Store") else None
    except StopIteration as end:
        return end.value, looks


def begun(state: Memory) -> str:
    packets, _ = asked(state, "GET", "EIO=4&transport=polling")
    return f"EIO=4&transport=polling&sid={json.loads(packets.text[1:])['sid']}"


def test_a_client_that_polls_hears_what_was_said_to_its_post() -> None:
    state = Memory()
    query = begun(state)
    packets, _ = asked(state, "POST", query, "40")
    assert packets.text == "ok"
    packets, _ = asked(state, "POST", query, '420["a"]\x1e421["b"]')
    packets, looks = asked(state, "GET", query)
    assert (packets.text.split("\x1e")[1:], looks) == (["430[]", "431[]"], 0)


def test_a_client_that_polls_is_pinged_when_there_is_nothing_to_say() -> None:
    state = Memory()
    packets, looks = asked(state, "GET", begun(state))
    assert (packets.text, looks) == ("2", 4)


@pytest.mark.parametrize(
    ("method", "query", "condition"),
    [
        ("GET", "EIO=4", "socket-transport"),
        ("GET", "EIO=4&transport=pigeon", "socket-transport"),
        ("GET", "EIO=3&transport=polling", "socket-protocol"),
        ("GET", "transport=polling", "socket-protocol"),
        ("POST", "EIO=4&transport=polling", "socket-handshake"),
        ("GET", "EIO=4&transport=polling&sid=none", "socket-session"),
        ("GET", "EIO=4&transport=websocket", "socket-request"),
    ],
)
def test_a_request_of_another_kind_is_refused(method: str, query: str, condition: str) -> None:
    refused, _ = asked(Memory(), method, query)
    assert refused.condition == condition


def test_a_session_ends_when_its_client_is_silent_for_too_long() -> None:
    state = Memory()
    query = begun(state)
    assert asked(state, "POST", query, "3", now=0.2)[0].text == "ok"
    assert asked(state, "POST", query, "3", now=0.6)[0].condition == "socket-session"


@pytest.mark.parametrize("body", ["7", "40\x1ex", "x" * 1001, '42["not joined"]'])
def test_a_session_ends_with_the_first_hostile_packet(body: str) -> None:
    state = Memory()
    query = begun(state)
    assert asked(state, "POST", query, body)[0].condition in ("socket-request", "socket-too-large")
    assert asked(state, "POST", query, "3")[0].condition == "socket-session"


def test_a_client_that_says_goodbye_has_no_session_any_more() -> None:
    state = Memory()
    query = begun(state)
    asked(state, "POST", query, "1")
    assert asked(state, "GET", query)[0].condition == "socket-session"


def test_a_get_that_is_held_open_is_let_go_when_a_websocket_takes_over() -> None:
    state = Memory()
    query = begun(state)
    talk, _ = asked(state, "GET", query.replace("polling", "websocket"), websocket=True)
    list(carry_out(talk.hear("2probe", 0.0), state))
    packets, looks = asked(state, "GET", query)
    assert (packets.text, looks) == ("6", 0)


def test_a_second_get_at_once_ends_the_session() -> None:
    state = Memory()
    query = begun(state)
    held = take("GET", query, "", False, SETTINGS, admit, Ids(), 0.0)
    effect = next(held)
    while type(effect).__name__ != "Wait":
        effect = held.send(state.perform(effect))
    assert asked(state, "GET", query)[0].condition == "socket-request"
    with pytest.raises(StopIteration) as ended:
        effect = held.send(None)
        while True:
            effect = held.send(state.perform(effect))
    assert ended.value.value.text == "1"


def test_what_was_said_by_post_is_heard_on_the_websocket_that_takes_over() -> None:
    state = Memory()
    query = begun(state)
    asked(state, "POST", query, "40")
    talk, _ = asked(state, "GET", query.replace("polling", "websocket"), websocket=True)
    assert isinstance(talk, Talk)
    assert list(carry_out(talk.opening(), state)) == []
    assert list(carry_out(talk.hear("2probe", 0.0), state)) == [Send(b"3probe")]
    (said,) = carry_out(talk.hear("5", 0.0), state)
    assert isinstance(said, Send)
    assert said.data.startswith(b'40{"sid"')
    assert asked(state, "POST", query, "3")[0].condition == "socket-request"
    assert list(carry_out(talk.hear("x", 0.0), state)) == [Cut()]


# Over real connections


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    mock = start(auth="strict")
    yield mock
    mock.stop()


@pytest.fixture(params=["http", "https"])
def address(request: pytest.FixtureRequest, running: Running) -> str:
    return str(running.info[request.param])


def converse(running: Running, address: str, talk: Callable[[aiohttp.ClientWebSocketResponse], Any]) -> Any:
    """What `talk` comes to on a websocket."""

    async def run() -> Any:
        trust = ssl.create_default_context(cafile=running.ca)
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address + SOCKET, ssl=trust) as websocket,
        ):
            return await talk(websocket)

    return asyncio.run(asyncio.wait_for(run(), 20))


def test_an_account_joins_over_a_websocket(running: Running, address: str) -> None:
    async def talk(websocket: aiohttp.ClientWebSocketResponse) -> list[str]:
        heard = [await websocket.receive_str()]
        await websocket.send_str("40" + json.dumps({"auth_token": running.info["puter_tokens"]["account"]}))
        heard.append(await websocket.receive_str())
        return heard

    opening, joined = converse(running, address, talk)
    assert json.loads(opening[1:])["upgrades"] == []
    assert joined.startswith('40{"sid":"')


@pytest.mark.parametrize("kind", ["app", "scoped", "api-free"])
def test_a_token_that_is_no_accounts_is_told_so(running: Running, kind: str) -> None:
    async def talk(websocket: aiohttp.ClientWebSocketResponse) -> str:
        await websocket.receive_str()
        await websocket.send_str("40" + json.dumps({"auth_token": running.info["puter_tokens"][kind]}))
        return await websocket.receive_str()

    assert converse(running, running.http, talk) == '44{"message":"Authentication failed"}'


@pytest.mark.parametrize("said", ["7", "", "4" * 1_100_000, '40{"auth_token":', "42[1]"], ids=len)
def test_a_websocket_ends_with_the_first_hostile_packet(
    running: Running, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(websocket: aiohttp.ClientWebSocketResponse) -> Any:
        await websocket.receive_str()
        await websocket.send_str(said)
        return (await websocket.receive()).type

    assert converse(running, running.http, talk) in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert [record for record in caplog.records if record.name == "mockserver"] == []


def test_bytes_that_are_no_frame_end_the_connection(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = running.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(
            f"GET {SOCKET} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\n".encode()
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        client.sendall(b"\xff" * 4096)
        while client.recv(4096):
            pass
    assert [record for record in caplog.records if record.name == "mockserver"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upgrade": "websocket"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "12",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OTAxMjM0NQ==",
        },
        {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "short",
        },
        {"Upgrade": "h2c", "Connection": "Upgrade"},
    ],
)
def test_a_request_that_cannot_become_a_websocket_is_refused(
    running: Running, headers: dict[str, str]
) -> None:
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "GET", running.http + SOCKET, headers={**headers, "Origin": "http://app.example"}
        )
    assert (answer.status, answer.json()) == (400, {"code": 3, "message": "Bad request"})
    assert answer.headers["Access-Control-Allow-Origin"] == "http://app.example"


def test_the_server_ends_though_websockets_are_open() -> None:
    mock = start()

    async def run() -> aiohttp.WSMsgType:
        async with aiohttp.ClientSession() as client, client.ws_connect(mock.http + SOCKET) as websocket:
            await websocket.receive_str()
            await asyncio.to_thread(mock.stop)
            return (await websocket.receive()).type

    ended = asyncio.run(asyncio.wait_for(run(), 20))
    assert ended in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


def test_the_journal_has_one_entry_for_a_session(running: Running) -> None:
    space = running.mock.state.space("")  # type: ignore[attr-defined]
    space.journal.clear()
    with urllib3.PoolManager() as pool:
        name = json.loads(pool.request("GET", running.http + POLL).data[1:])["sid"]
        for _ in range(3):
            pool.request("POST", f"{running.http}{POLL}&sid={name}", body="3")
    assert [(entry.path, entry.status) for entry in space.journal] == [("/socket.io/", 200)]
