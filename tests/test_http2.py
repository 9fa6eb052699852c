"""The door for HTTP/2: a stub says what to send, curl and the client side of the package h2 read it.

The AWS SDK for JavaScript, whose default this is, reads the whole mock in clients/test_node.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import queue
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.exchange import Request
from mockserver.doors import http2_door
from mockserver.doors.http2_door import FRAMES_AT_ONCE, UNREAD, Http2
from mockserver.effects import Answer, Cut, Effect, Head, Send, Stall, Wait
from mockserver.embedded import in_thread
from mockserver.memory import Memory
from mockserver.outgoing import PREFACE
from mockserver.server import Server
from mockserver.tls import ensure_ca, server_context

PATIENCE = 60
"""Seconds until something that should have happened long ago counts as not happening."""

LONG = 10 * PATIENCE
TEXT = (("Content-Type", "text/plain"),)
SETTINGS = SettingsFrame(0).serialize()
GOAWAY = GoAwayFrame.type


@dataclass
class Door:
    """A server, and what it answers on each path. Keeps what was asked, and which answers have ended."""

    state_dir: Path
    port: int = 0
    tls_port: int = 0
    plans: dict[str, Callable[[Request], Iterator[Effect]]] = field(default_factory=dict)
    asked: queue.Queue[Request] = field(default_factory=queue.Queue)
    ended: queue.Queue[str] = field(default_factory=queue.Queue)
    stop: Callable[[], None] = lambda: None
    server: Any = None

    def answer(self, request: Request, now: float) -> Answer:
        self.asked.put(request)
        try:
            yield from self.plans[request.target](request)
        finally:
            self.ended.put(request.target)

    def plan(self, *effects: Effect, path: str = "/") -> None:
        self.plans[path] = lambda request: iter(effects)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        self.server = Server(self.answer, Memory())
        self.port = await self.server.listen("127.0.0.1", 0)
        self.tls_port = await self.server.listen("127.0.0.1", 0, server_context(self.state_dir, []))
        yield
        await self.server.close(2 * PATIENCE)

    def connect(self, tls: bool = False) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.tls_port if tls else self.port), PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not tls:
            return plain
        trusted = ssl.create_default_context(cafile=str(ensure_ca(self.state_dir)))
        trusted.set_alpn_protocols(["h2"])
        # An end without TLS's own goodbye is an error then, and not just an end.
        return trusted.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    def curl(self, tls: bool, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """curl of `/`; over TLS it finds out about HTTP/2 by itself."""
        spoken, url = ("--http2", f"https://127.0.0.1:{self.tls_port}/")
        if not tls:
            spoken, url = ("--http2-prior-knowledge", f"http://127.0.0.1:{self.port}/")
        trusted = ("--cacert", str(ensure_ca(self.state_dir)))
        limits = ("--noproxy", "*", "--max-time", str(PATIENCE))
        return subprocess.run(
            ["curl", "-sS", spoken, *trusted, *limits, *arguments, url], capture_output=True
        )


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def door(state_dir: Path) -> Iterator[Door]:
    made = Door(state_dir)
    _, made.stop = in_thread(made.serving)
    yield made
    made.stop()


@pytest.fixture
def nothing_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield
    assert caplog.record_tuples == []


class Client:
    """h2's client side on a socket; it raises for a server that breaks the protocol or overruns a window."""

    def __init__(self, connection: socket.socket, window: int | None = None, takes: bool = True) -> None:
        self.socket, self._takes = connection, takes
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        if window is not None:
            self.h2.local_settings[SettingCodes.INITIAL_WINDOW_SIZE] = window
            self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        self.events: list[Event] = []
        self.push()

    def close(self) -> None:
        self.socket.close()

    def push(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def ask(
        self,
        path: str = "/",
        method: str = "GET",
        *more: tuple[str, str],
        body: bytes = b"",
        ends: bool = True,
    ) -> int:
        """The number of the stream that the request is on."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", "mock:1"), (":path", path)]
        self.h2.send_headers(stream, [*pseudo, *more], end_stream=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=ends)
        self.push()
        return stream

    def hear(self) -> bool:
        """Takes what has come; False if the server has closed."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            return False
        for event in self.h2.receive_data(data) if data else []:
            if isinstance(event, DataReceived) and self._takes:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.events.append(event)
        if data:
            self.push()
        return bool(data)

    def wait_for(self, kind: type[Event], stream: int | None = None) -> Any:
        """The first event of this kind, on this stream if one is given."""
        while True:
            for event in self.events:
                if isinstance(event, kind) and stream in (None, getattr(event, "stream_id", None)):
                    return event
            assert self.hear(), f"expected {kind.__name__}, the server closed after {self.events}"

    def head(self, stream: int) -> list[tuple[str, str]]:
        return [(str(name), str(value)) for name, value in self.wait_for(ResponseReceived, stream).headers]

    def heard(self, stream: int) -> bytes:
        """The bytes of the body so far."""
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, DataReceived) and event.stream_id == stream
        )

    def body(self, stream: int) -> bytes:
        self.wait_for(StreamEnded, stream)
        return self.heard(stream)


@pytest.fixture
def client(door: Door) -> Iterator[Client]:
    with closing(Client(door.connect())) as made:
        yield made


# ---- what goes out


@pytest.mark.parametrize("tls", [False, True])
def test_curl_reads_a_stream_over_http_2(door: Door, tls: bool) -> None:
    door.plan(Head(200, TEXT), Send(b"he"), Wait(0), Send(b"llo"))
    done = door.curl(tls, "-w", " over %{http_version}, %{http_code}")
    assert (done.returncode, done.stdout) == (0, b"hello over 2, 200"), done.stderr


def test_a_client_over_tls_that_knows_no_http_2_is_served_as_before(door: Door) -> None:
    door.plan(Head(200, TEXT, 2), Send(b"OK"))
    assert door.curl(True, "--http1.1", "-w", " %{http_version}").stdout == b"OK 1.1"


def test_the_head_is_the_answers_own_in_its_order_without_what_http_2_forbids(
    door: Door, client: Client
) -> None:
    headers = (
        ("X-Amzn-RequestId", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "timeout=5"),
        ("date", "then"),
        ("x-a", "1"),
        ("x-a", "2"),
    )
    door.plan(Head(529, headers, 2), Send(b"hi"))
    stream = client.ask()
    assert client.head(stream) == [
        (":status", "529"),
        ("x-amzn-requestid", "1"),
        ("date", "then"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("content-length", "2"),
    ]
    assert client.body(stream) == b"hi"


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "GET")])
def test_an_answer_without_a_body_is_its_head_alone(
    door: Door, client: Client, status: int, method: str
) -> None:
    door.plan(Head(status, TEXT), Wait(0), Send(b"never"))
    assert client.body(client.ask(method=method)) == b""


def test_what_was_sent_is_out_while_the_answer_waits(door: Door, client: Client) -> None:
    door.plan(Head(202, TEXT), Wait(0), Send(b"first"), Wait(LONG), Send(b"second"))
    stream = client.ask()
    assert client.head(stream)[0] == (":status", "202")
    client.wait_for(DataReceived, stream)
    assert client.heard(stream) == b"first"


def test_a_hundred_streams_are_answered_at_once_on_one_connection(door: Door, client: Client) -> None:
    together: set[str] = set()

    def answer(request: Request) -> Iterator[Effect]:
        together.add(request.target)
        yield Head(200, TEXT)
        while len(together) < 100:
            yield Wait(0.001)
        yield Send(request.target.encode() * 1000)

    for number in range(100):
        door.plans[f"/{number}"] = answer
    streams = [client.ask(f"/{number}") for number in range(100)]
    for number, stream in enumerate(streams):
        assert client.body(stream) == f"/{number}".encode() * 1000


def test_httpx_reads_twenty_streams_at_once(door: Door) -> None:
    for number in range(20):
        piece: list[Effect] = [Send(b"%d " % number), Wait(0)]
        door.plan(Head(200, TEXT), *piece * 300, path=f"/{number}")
    trusted = ssl.create_default_context(cafile=str(ensure_ca(door.state_dir)))

    async def read() -> list[tuple[str, bytes]]:
        base = f"https://127.0.0.1:{door.tls_port}"
        async with httpx2.AsyncClient(http2=True, verify=trusted, base_url=base, timeout=PATIENCE) as client:
            answers = await asyncio.gather(*(client.get(f"/{number}") for number in range(20)))
        return [(answer.http_version, answer.content) for answer in answers]

    assert asyncio.run(read()) == [("HTTP/2", b"%d " % number * 300) for number in range(20)]


# ---- flow control


@pytest.mark.parametrize("window", [1, 1000])
def test_a_client_with_a_small_window_gets_a_large_answer_whole(door: Door, window: int) -> None:
    body = bytes(range(256)) * window
    door.plan(Head(200, TEXT), *[Send(body[at : at + 100]) for at in range(0, len(body), 100)])
    with closing(Client(door.connect(), window=window)) as client:
        stream = client.ask()
        assert client.body(stream) == body
        sizes = [len(event.data) for event in client.events if isinstance(event, DataReceived)]
        assert max(sizes) <= window


def test_no_more_is_sent_than_the_whole_connection_takes(door: Door) -> None:
    total = 1 << 16
    door.plan(Head(200, TEXT), Send(b"x" * total))
    with closing(Client(door.connect(), takes=False)) as client:
        streams = [client.ask(), client.ask()]
        # The window of a connection, which none of this client's words has made larger.
        while sum(len(client.heard(stream)) for stream in streams) < total - 1:
            client.hear()
        client.h2.ping(b"in order")
        client.push()
        client.wait_for(PingAckReceived)
        assert sum(len(client.heard(stream)) for stream in streams) == total - 1
        client.h2.increment_flow_control_window(total + 1)
        for stream in streams:
            client.h2.increment_flow_control_window(1, stream)
        client.push()
        assert [len(client.body(stream)) for stream in streams] == [total, total]


def test_a_stream_that_nobody_reads_does_not_hold_up_another(door: Door) -> None:
    door.plan(Head(200, TEXT), Send(b"x" * 100), path="/unread")
    door.plan(Head(200, TEXT, 0), path="/empty")
    with closing(Client(door.connect(), window=10, takes=False)) as client:
        unread = client.ask("/unread")
        assert client.body(client.ask("/empty")) == b""
        while len(client.heard(unread)) < 10:
            client.hear()
        client.h2.increment_flow_control_window(90, unread)
        client.push()
        assert client.body(unread) == b"x" * 100


def test_a_client_may_widen_the_windows_of_all_streams_at_once(door: Door) -> None:
    door.plan(Head(200, TEXT), Send(b"x" * 100))
    with closing(Client(door.connect(), window=0)) as client:
        # Both sides have agreed on their settings by the second answer: nothing else is on its way then.
        for word in (b"the  1st", b"the  2nd"):
            client.h2.ping(word)
            client.push()
            while client.wait_for(PingAckReceived).ping_data != word:
                client.events.pop(0)
        stream = client.ask()
        client.head(stream)
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
        client.push()
        assert client.body(stream) == b"x" * 100


def test_an_answer_is_made_no_faster_than_its_client_reads(door: Door) -> None:
    made: list[int] = []

    def endless(request: Request) -> Generator[Effect, Any, None]:
        yield Head(200, TEXT)
        while True:
            made.append(10_000)
            yield Send(b"x" * 10_000)

    door.plans["/"] = endless
    door.plan(Head(200, TEXT, 0), path="/other")
    with closing(Client(door.connect(), takes=False)) as client:
        stream = client.ask()
        while len(client.heard(stream)) < 65_535:
            client.hear()
        client.body(client.ask("/other"))
        assert sum(made) < 4 * 65_535


def digest(request: Request) -> Iterator[Effect]:
    yield Head(200, TEXT)
    yield Send(hashlib.sha256(request.body).hexdigest().encode())


@pytest.mark.parametrize("tls", [False, True])
def test_curl_uploads_26_megabytes(door: Door, tls: bool, tmp_path: Path) -> None:
    door.plans["/"] = digest
    data = bytes(range(256)) * (26 * 4096)
    (tmp_path / "large").write_bytes(data)
    done = door.curl(tls, "--data-binary", f"@{tmp_path / 'large'}")
    assert done.stdout.decode() == hashlib.sha256(data).hexdigest(), done.stderr


# ---- what comes in


def test_bodies_that_no_memory_should_hold_are_refused_and_others_are_not(
    door: Door, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http2_door, "LARGEST_BODY", 10)
    door.plan(Head(200, TEXT, 2), Send(b"OK"))
    held, large = (client.ask("/", "POST", body=piece, ends=False) for piece in (b"xxxxxx", b"xxxxx"))
    assert dict(client.head(large))[":status"] == "413"
    assert client.body(large) == b"mockserver: expected bodies of at most 10 bytes, got more\n"
    assert client.wait_for(StreamReset, large).error_code == ErrorCodes.NO_ERROR
    client.h2.send_data(held, b"xxxx", end_stream=True)
    client.push()
    assert client.body(held) == b"OK"
    assert door.asked.get(timeout=PATIENCE).body == b"x" * 10
    assert door.asked.empty()
    assert len(caplog.records) == 1


def test_the_request_is_told_as_over_http_1(door: Door, client: Client) -> None:
    door.plan(Head(200, TEXT, 0), path="/model/a%2Fb:1?q=%20")
    more = (("x-a", "1"), ("host", "mock:1"), ("x-a", "ü"))
    client.body(client.ask("/model/a%2Fb:1?q=%20", "POST", *more, body=b"{}"))
    assert door.asked.get(timeout=PATIENCE) == Request(
        "POST", "/model/a%2Fb:1?q=%20", (("host", "mock:1"), ("x-a", "1"), ("x-a", "ü")), b"{}"
    )


@pytest.mark.parametrize("tls", [False, True])
def test_the_host_that_curl_is_told_is_the_one_that_is_asked_for(door: Door, tls: bool) -> None:
    door.plan(Head(200, TEXT, 0))
    door.curl(tls, "-H", "Host: bedrock-runtime.us-east-1.amazonaws.com")
    assert door.asked.get(timeout=PATIENCE).header("host") == "bedrock-runtime.us-east-1.amazonaws.com"


def test_a_client_that_waits_for_100_is_told_to_go_on(door: Door, client: Client) -> None:
    door.plans["/"] = digest
    stream = client.h2.get_next_available_stream_id()
    pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "mock"), (":path", "/")]
    client.h2.send_headers(stream, [*pseudo, ("expect", "100-continue")])
    client.push()
    told = client.wait_for(InformationalResponseReceived, stream)
    assert (":status", "100") in told.headers
    client.h2.send_data(stream, b"data", end_stream=True, pad_length=7)
    client.push()
    assert client.body(stream).decode() == hashlib.sha256(b"data").hexdigest()


def test_trailers_end_a_request(door: Door, client: Client) -> None:
    door.plans["/"] = digest
    stream = client.h2.get_next_available_stream_id()
    pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "mock"), (":path", "/")]
    client.h2.send_headers(stream, pseudo)
    client.h2.send_data(stream, b"data")
    client.h2.send_headers(stream, [("x-checksum", "1")], end_stream=True)
    client.push()
    assert client.body(stream).decode() == hashlib.sha256(b"data").hexdigest()


@pytest.mark.parametrize("cut", [0, 1, 16, 23, 24, 30])
def test_the_preface_may_come_in_parts(door: Door, cut: int) -> None:
    door.plan(Head(200, TEXT, 0))
    said = PREFACE + SETTINGS
    with door.connect() as connection:
        connection.sendall(said[:cut])
        # By then the first part has been read: connections are served in turn.
        assert door.curl(False).returncode == 0
        connection.sendall(said[cut:])
        assert read_frames(connection)[0].type == SettingsFrame.type


def read_frames(connection: socket.socket) -> list[Any]:
    """The frames that have come once some have."""
    data = bytearray()
    while True:
        data += connection.recv(1 << 16)
        frames = parse(bytes(data))
        if frames:
            return frames


def parse(data: bytes) -> list[Any]:
    """The frames in these bytes; mypy knows no members of theirs."""
    frames = []
    while len(data) >= 9:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + length]))
        frames.append(frame)
        data = data[9 + length :]
    return frames


# ---- how it ends


@pytest.mark.usefixtures("nothing_logged")
def test_streams_go_on_after_their_client_said_goodbye(door: Door, client: Client) -> None:
    go_on = threading.Event()

    def held(request: Request) -> Iterator[Effect]:
        yield Head(200, TEXT)
        while not go_on.is_set():
            yield Wait(0.001)
        for number in range(300):
            yield Send(b"%d " % number * 100)
            yield Wait(0)

    door.plans["/"] = held
    stream = client.ask()
    client.head(stream)
    # A client of h2 can hear no more once it has said goodbye; those of others can.
    client.socket.sendall(goodbye(ErrorCodes.NO_ERROR))
    go_on.set()
    assert client.body(stream) == b"".join(b"%d " % number * 100 for number in range(300))


def goodbye(code: ErrorCodes) -> bytes:
    speaker = H2Connection()
    speaker.initiate_connection()
    speaker.clear_outbound_data_buffer()
    speaker.close_connection(code, b"no more")
    return speaker.data_to_send()


def test_a_client_that_gives_up_with_an_error_ends_the_work(
    door: Door, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    door.plan(Head(200, TEXT), Stall())
    client.head(client.ask())
    client.socket.sendall(goodbye(ErrorCodes.INTERNAL_ERROR))
    assert door.ended.get(timeout=PATIENCE) == "/"
    assert not client.hear()
    assert [record.getMessage() for record in caplog.records] == [
        "a client ends its connection with error 2: no more"
    ]


@pytest.mark.usefixtures("nothing_logged")
def test_a_cut_resets_the_stream_after_all_that_was_sent_and_no_other(door: Door, client: Client) -> None:
    sent = bytes(range(256)) * 2000
    door.plan(Head(200, TEXT), Send(sent), Send(b"last"), Cut(), Send(b"never"), path="/cut")
    door.plan(Cut(), path="/nothing")
    door.plan(Head(200, TEXT), Wait(0), Send(b"whole"))
    cut, nothing, whole = client.ask("/cut"), client.ask("/nothing"), client.ask()
    for stream in (cut, nothing):
        assert client.wait_for(StreamReset, stream).error_code == ErrorCodes.INTERNAL_ERROR
    assert client.heard(cut) == sent + b"last"
    assert client.body(whole) == client.body(client.ask()) == b"whole"


@pytest.mark.parametrize("tls", [False, True])
def test_curl_sees_that_a_stream_was_cut_and_what_came_before(door: Door, tls: bool) -> None:
    # It forgets what it holds when it hears that the stream is cut, and has to have used it before.
    door.plan(Head(200, TEXT), Send(b"first"), Cut())
    done = door.curl(tls)
    stream_error = 92
    assert (done.returncode, done.stdout) == (stream_error, b"first")


def endless(request: Request) -> Generator[Effect, Any, None]:
    yield Head(200, TEXT)
    yield Send(b"first")
    while True:
        yield Wait(0)
        yield Send(b"x" * 10_000)


HELD: dict[str, Callable[[Request], Iterator[Effect]]] = {
    "stalls": lambda request: iter([Head(200, TEXT), Send(b"first"), Stall()]),
    "waits": lambda request: iter([Head(200, TEXT), Send(b"first"), Wait(LONG)]),
    "writes": endless,
}


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("held", HELD)
@pytest.mark.parametrize("leaves", ["stream", "connection"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_leaves_ends_the_work_without_a_word(
    door: Door, held: str, leaves: str, tls: bool
) -> None:
    door.plans["/held"] = HELD[held]
    door.plan(Head(200, TEXT, 2), Send(b"OK"))
    with closing(Client(door.connect(tls))) as client:
        stream = client.ask("/held")
        client.wait_for(DataReceived, stream)
        if leaves == "stream":
            client.h2.reset_stream(stream, ErrorCodes.CANCEL)
            client.push()
            assert door.ended.get(timeout=PATIENCE) == "/held"
            assert client.body(client.ask()) == b"OK"
            return
    assert door.ended.get(timeout=PATIENCE) == "/held"


def test_a_fault_of_ours_is_a_500_with_its_type_and_one_record(
    door: Door, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    door.plans["/"] = lambda request: iter([Head(200, TEXT), Send(b"x"), 1 / 0])  # type: ignore[list-item]
    stream = client.ask()
    assert client.head(stream)[0] == (":status", "500")
    assert ("x-mock-error", "ZeroDivisionError") in client.head(stream)
    assert b"ZeroDivisionError: division by zero" in client.body(stream)
    [record] = caplog.records
    assert record.exc_info is not None


def test_a_fault_in_the_middle_of_a_stream_resets_it(
    door: Door, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: Request) -> Generator[Effect, Any, None]:
        yield Head(200, TEXT)
        yield Send(b"first")
        yield Wait(0)
        raise ConnectionError("this is no client that left")

    door.plans["/"] = broken
    stream = client.ask()
    assert client.wait_for(StreamReset, stream).error_code == ErrorCodes.INTERNAL_ERROR
    assert client.heard(stream) == b"first"
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ((), "the answer has no head"),
        ((Send(b"x"),), "an answer begins with its head"),
        ((Head(200, (), 1),), "1 bytes shorter than its head says"),
        ((Head(200, (), 1), Send(b"xx")), "1 bytes longer than its head says"),
        ((Head(200, (("x-a", "1\r\nx-b: 2"),), 0),), "expected one line"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_a_fault_and_no_hang(
    door: Door, client: Client, effects: tuple[Effect, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    door.plan(*effects)
    stream = client.ask()
    assert client.head(stream)[0] == (":status", "500")
    assert said in client.body(stream).decode()
    assert len(caplog.records) == 1


# ---- shutdown


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_streams_run_to_their_end_when_the_server_stops(door: Door, tls: bool) -> None:
    more: list[Effect] = [Wait(LONG), Send(b"more ")]
    door.plan(Head(200, TEXT), Send(b"first "), *more * 3, Send(b"last"))
    door.plan(Head(200, TEXT), Wait(0), Stall(), path="/stalls")
    with closing(Client(door.connect(tls))) as client:
        stalls, stream, half = client.ask("/stalls"), client.ask(), client.h2.get_next_available_stream_id()
        client.wait_for(DataReceived, stream)
        pseudo = [(":method", "POST"), (":scheme", "http"), (":authority", "mock"), (":path", "/")]
        client.h2.send_headers(half, pseudo)
        client.push()
        client.h2.ping(b"in order")
        client.push()
        client.wait_for(PingAckReceived)
        stopping = threading.Thread(target=door.stop)
        stopping.start()
        # A client of h2 hears nothing after a goodbye, so the frames are read by hand.
        heard = b"".join(iter(lambda: client.socket.recv(1 << 16), b""))
        stopping.join(PATIENCE)
    assert not stopping.is_alive()
    frames = parse(heard)
    [told] = [frame for frame in frames if frame.type == GOAWAY]
    assert (told.last_stream_id, told.error_code) == (stream, ErrorCodes.NO_ERROR)
    body = b"".join(
        frame.data for frame in frames if isinstance(frame, DataFrame) and frame.stream_id == stream
    )
    assert body == b"more more more last"
    reset = {frame.stream_id: frame.error_code for frame in frames if isinstance(frame, RstStreamFrame)}
    assert reset == {half: ErrorCodes.REFUSED_STREAM, stalls: ErrorCodes.INTERNAL_ERROR}


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_an_idle_client_is_told_that_the_server_stops(door: Door, tls: bool) -> None:
    door.plan(Head(200, TEXT, 0))
    with closing(Client(door.connect(tls))) as client:
        client.body(client.ask())
        door.stop()
        assert client.wait_for(ConnectionTerminated).error_code == ErrorCodes.NO_ERROR
        assert not client.hear()


# ---- hostile clients


def headers(stream: int, *flags: str, block: bytes = b"\x82\x86\x84\x41\x01a") -> bytes:
    """A request by GET over http for `/` at `a`, as HPACK writes it without a table."""
    frame = HeadersFrame(stream, block)
    frame.flags = set(flags)  # type: ignore[assignment]
    return bytes(frame.serialize())


ASK = headers(1, "END_HEADERS", "END_STREAM")
BEGIN = headers(1, "END_HEADERS")
BOMB = b"\x82\x86\x84\x41\x01a" + b"\x40\x01b\x7f\xa1\x1e" + b"c" * 4000 + b"\xbe" * 100
RESETS = b"".join(
    headers(number, "END_HEADERS", "END_STREAM") + RstStreamFrame(number, error_code=8).serialize()
    for number in range(1, 20_001, 2)
)
HOSTILE = {
    "a frame larger than allowed": (b"\x00\x40\x01" + bytes(6), ErrorCodes.FRAME_SIZE_ERROR),
    "a frame of 16 MB": (b"\xff\xff\xff" + bytes(6), ErrorCodes.FRAME_SIZE_ERROR),
    "an empty DATA frame": (BEGIN + DataFrame(1).serialize(), ErrorCodes.FRAME_SIZE_ERROR),
    "CONTINUATION without an end": (
        headers(1) + ContinuationFrame(1, b"").serialize() * 10_000,
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "CONTINUATION of nothing": (ContinuationFrame(1, b"").serialize(), ErrorCodes.PROTOCOL_ERROR),
    "a header list that grows when it is read": (
        headers(1, "END_HEADERS", "END_STREAM", block=BOMB),
        ErrorCodes.ENHANCE_YOUR_CALM,
    ),
    "another frame inside a header block": (headers(1) + SETTINGS, ErrorCodes.PROTOCOL_ERROR),
    "a header block that is none": (
        headers(1, "END_HEADERS", block=b"\xff\xff\xff\xff\xff"),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "streams that are reset as soon as they are there": (RESETS, ErrorCodes.ENHANCE_YOUR_CALM),
    "streams that make the server reset them": (
        b"".join(
            headers(number, "END_HEADERS") + WindowUpdateFrame(number, 2**31 - 1).serialize()
            for number in range(1, 20_001, 2)
        ),
        ErrorCodes.ENHANCE_YOUR_CALM,
    ),
    "pings": (PingFrame(0, b"12345678").serialize() * 10_000, ErrorCodes.ENHANCE_YOUR_CALM),
    "settings": (SETTINGS * 10_000, ErrorCodes.ENHANCE_YOUR_CALM),
    "priorities": (PriorityFrame(1, 3).serialize() * 10_000, ErrorCodes.ENHANCE_YOUR_CALM),
    "frames that nobody knows": (
        (b"\x00\x00\x01\xbe" + bytes(5) + b"x") * 10_000,
        ErrorCodes.ENHANCE_YOUR_CALM,
    ),
    "more streams than allowed": (
        b"".join(headers(number, "END_HEADERS") for number in range(1, 2001, 2)),
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "a stream of the server's": (headers(2, "END_HEADERS"), ErrorCodes.PROTOCOL_ERROR),
    "a window that overflows": (
        WindowUpdateFrame(0, 2**31 - 1).serialize(),
        ErrorCodes.FLOW_CONTROL_ERROR,
    ),
    "data for a stream that there is not": (DataFrame(1, b"x").serialize(), ErrorCodes.PROTOCOL_ERROR),
    "more data than the window": (
        BEGIN + DataFrame(1, b"x" * 16_384).serialize() * 2 + b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x",
        ErrorCodes.PROTOCOL_ERROR,
    ),
    "a promise": (b"\x00\x00\x04\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02", ErrorCodes.PROTOCOL_ERROR),
}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_client_that_breaks_the_protocol_is_told_why_and_closed(
    door: Door, what: str, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    door.plan(Head(200, TEXT), Stall())
    said, code = HOSTILE[what]
    with door.connect(tls) as connection:
        # What it answers until it has had enough fits into the system's buffers.
        say(connection, PREFACE + SETTINGS + said)
        last = parse(hear_all(connection))[-1]
    assert (last.type, last.error_code) == (GOAWAY, code)
    assert last.additional_data.startswith(b"mockserver: ")
    [record] = caplog.records
    assert record.getMessage().startswith("a client broke HTTP/2: ")
    assert record.exc_info is None
    door.plan(Head(200, TEXT, 2), Send(b"OK"))
    assert door.curl(tls).stdout == b"OK"


def say(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return


def hear_all(connection: socket.socket) -> bytes:
    heard = bytearray()
    while True:
        try:
            data = connection.recv(1 << 16)
        except OSError:
            return bytes(heard)
        if not data:
            return bytes(heard)
        heard += data


def test_a_client_that_agreed_on_http_2_and_speaks_something_else_is_told_so(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with door.connect(tls=True) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: mock\r\n\r\n")
        settings, last = parse(hear_all(connection))
    assert (settings.type, last.type, last.error_code) == (
        SettingsFrame.type,
        GOAWAY,
        ErrorCodes.PROTOCOL_ERROR,
    )
    assert b"expected the preface of HTTP/2" in last.additional_data
    assert len(caplog.records) == 1


def test_a_broken_preface_on_the_http_port_is_no_http_1_either(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(PREFACE[:-2] + b"??" + SETTINGS)
        assert hear_all(connection).startswith(b"HTTP/1.1 400 Bad Request\r\n")


class Sink(asyncio.Transport):
    """A client that reads when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.unread = 0
        self.closed = False
        self.told: list[str] = []

    def write(self, data: Any) -> None:
        self.written += data
        self.unread += len(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")

    def get_write_buffer_size(self) -> int:
        return self.unread


@asynccontextmanager
async def at_a_sink(answer: Callable[[], Answer]) -> AsyncIterator[tuple[Sink, Http2]]:
    """A connection without a socket; nothing may be raised in its loop."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    sink, http2 = Sink(), Http2(Server(lambda request, now: answer(), Memory()))
    http2.connection_made(sink)
    yield sink, http2
    for _ in range(5):
        await asyncio.sleep(0)
    http2.connection_lost(None)
    await asyncio.sleep(0)
    assert faults == []


def ok() -> Answer:
    yield Head(200, TEXT, 2)
    yield Send(b"OK")


@pytest.mark.usefixtures("nothing_logged")
def test_a_client_that_makes_the_server_talk_and_does_not_listen_is_not_heard_either() -> None:
    # Each is answered, with more bytes than it has.
    late = DataFrame(1, b"x").serialize() * (FRAMES_AT_ONCE - 1)

    async def talk() -> None:
        async with at_a_sink(ok) as (sink, http2):
            http2.data_received(
                PREFACE + SETTINGS + headers(1, "END_HEADERS") + RstStreamFrame(1).serialize()
            )
            for _ in range(2 * UNREAD // len(late)):
                if not sink.told:
                    http2.data_received(late)
            assert sink.told == ["pause"]
            assert sink.unread < UNREAD + 2 * len(late)
            sink.unread = 0
            http2.resume_writing()
            assert sink.told == ["pause", "resume"]
            http2.data_received(PingFrame(0, b"12345678").serialize())
            assert parse(bytes(sink.written))[-1].type == PingFrame.type
            assert not sink.closed

    asyncio.run(talk())


@pytest.mark.usefixtures("nothing_logged")
def test_a_client_that_says_much_at_once_lets_others_have_their_turn() -> None:
    async def talk() -> None:
        async with at_a_sink(ok) as (sink, http2):
            http2.data_received(PREFACE + SETTINGS)
            written = len(sink.written)
            turns = 0

            def turn() -> None:
                nonlocal turns
                turns += 1
                asyncio.get_running_loop().call_soon(turn)

            turn()
            updates = WindowUpdateFrame(0, 1).serialize() * FRAMES_AT_ONCE * 9
            http2.data_received(updates + PingFrame(0, b"12345678").serialize())
            assert sink.told == ["pause"]
            while sink.told == ["pause"]:
                await asyncio.sleep(0)
            assert sink.told == ["pause", "resume"]
            assert [frame.type for frame in parse(bytes(sink.written[written:]))] == [PingFrame.type]
            assert turns >= 9

    asyncio.run(talk())


@pytest.mark.usefixtures("nothing_logged")
def test_no_more_is_written_than_the_system_takes() -> None:
    def much() -> Answer:
        yield Head(200, TEXT)
        yield Send(b"x" * 1_000_000)

    async def talk() -> None:
        async with at_a_sink(much) as (sink, http2):
            wide = SettingsFrame(0, {SettingCodes.INITIAL_WINDOW_SIZE: 1 << 30}).serialize()
            wide += WindowUpdateFrame(0, 1 << 30).serialize()
            asked = b"".join(headers(number, "END_HEADERS", "END_STREAM") for number in (1, 3, 5))
            http2.data_received(PREFACE + wide)
            for full in (True, False):
                if full:
                    http2.pause_writing()
                    http2.data_received(asked)
                else:
                    http2.resume_writing()
                for _ in range(10):
                    await asyncio.sleep(0)
                data = [frame for frame in parse(bytes(sink.written)) if isinstance(frame, DataFrame)]
                assert sum(len(frame.data) for frame in data) == (0 if full else 3_000_000)

    asyncio.run(talk())


@pytest.mark.usefixtures("nothing_logged")
def test_each_event_begins_a_data_frame() -> None:
    events = [b"data: %d\n\n" % number for number in range(300)] + [b"x" * 40_000, b"data: [DONE]\n\n"]

    def said() -> Answer:
        yield Head(200, TEXT)
        for event in events:
            yield Send(event)

    async def talk() -> None:
        async with at_a_sink(said) as (sink, http2):
            http2.data_received(PREFACE + SETTINGS + headers(1, "END_HEADERS", "END_STREAM"))
            for _ in range(10):
                await asyncio.sleep(0)
            data = [frame for frame in parse(bytes(sink.written)) if isinstance(frame, DataFrame)]
            got = [frame.data for frame in data if frame.data]
            assert got[:300] == events[:300] and got[-1] == events[-1]
            assert b"".join(got) == b"".join(events)
            assert [frame for frame in data if "END_STREAM" in frame.flags] == data[-1:]

    asyncio.run(talk())


FRAMES = [
    SETTINGS,
    ASK,
    BEGIN,
    headers(1),
    headers(3, "END_HEADERS", "END_STREAM"),
    DataFrame(1, b"data").serialize(),
    b"\x00\x00\x00\x00\x01\x00\x00\x00\x01",
    ContinuationFrame(1, b"\x82").serialize(),
    RstStreamFrame(1).serialize(),
    PriorityFrame(1, 3).serialize(),
    PingFrame(0, b"12345678").serialize(),
    WindowUpdateFrame(0, 5).serialize(),
    WindowUpdateFrame(1, 5).serialize(),
    SettingsFrame(0, {SettingCodes.INITIAL_WINDOW_SIZE: 0}).serialize(),
    SettingsFrame(0, {SettingCodes.HEADER_TABLE_SIZE: 0}).serialize(),
    SettingsFrame(0, flags=["ACK"]).serialize(),
    goodbye(ErrorCodes.NO_ERROR),
    goodbye(ErrorCodes.INTERNAL_ERROR),
]


@st.composite
def noise(draw: st.DrawFn) -> bytes:
    """Frames in any order, some of their bytes changed."""
    said = bytearray(b"".join(draw(st.lists(st.sampled_from(FRAMES) | st.binary(max_size=20), max_size=12))))
    for _ in range(draw(st.integers(0, 3)) if said else 0):
        said[draw(st.integers(0, len(said) - 1))] = draw(st.integers(0, 255))
    return bytes(said)


@settings(max_examples=400)
@given(said=noise(), pieces=st.integers(1, 50))
def test_whatever_a_client_says_nothing_is_raised_and_a_goodbye_is_the_last_word(
    said: bytes, pieces: int
) -> None:
    async def talk() -> None:
        async with at_a_sink(ok) as (sink, http2):
            for at in range(0, len(said) + len(PREFACE), pieces):
                http2.data_received((PREFACE + said)[at : at + pieces])
                await asyncio.sleep(0)
        told = [frame.type for frame in parse(bytes(sink.written))]
        assert GOAWAY not in told[:-1]
        assert sink.closed or GOAWAY not in told

    asyncio.run(talk())


def test_h2_is_not_imported_before_somebody_speaks_http_2() -> None:
    program = """
import subprocess, sys
from mockserver.embedded import start
running = start()
for spoken in ("--http1.1", "--http2-prior-knowledge"):
    subprocess.run(["curl", "-s", "--noproxy", "*", spoken, "-o", "/dev/null", running.http], check=True)
    print("h2" in sys.modules)
running.stop()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    assert done.stdout.split() == ["False", "True"], done.stderr
