"""The door by itself: a stub says what to send, and clients that we did not write read it."""

from __future__ import annotations

import gc
import gzip
import hashlib
import http.client
import json
import logging
import queue
import re
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from conformance.exchange import Request
from mockserver import embedded, server
from mockserver.effects import Answer, Cut, Effect, Head, Send, Stall, Upgrade, Wait
from mockserver.embedded import in_thread
from mockserver.memory import Memory
from mockserver.server import CannotListen, Server
from mockserver.tls import ensure_ca, server_context

PATIENCE = 60
"""Seconds until something that should have happened long ago counts as not happening."""

TEXT = (("Content-Type", "text/plain"),)
LONG = bytes(range(256)) * 1000
OLD = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"


@dataclass
class Stub:
    """Answers each path with what is planned for it; keeps what was asked, and what was closed."""

    plans: dict[str, Callable[[Request], Iterator[Effect]]] = field(default_factory=dict)
    asked: queue.Queue[Request] = field(default_factory=queue.Queue)
    ended: queue.Queue[str] = field(default_factory=queue.Queue)
    grace: float = 2 * PATIENCE
    left: int | None = None
    """Connections that are still there when the server has closed."""

    def answer(self, request: Request, now: float) -> Answer:
        self.asked.put(request)
        try:
            yield from self.plans[request.target.partition("?")[0]](request)
        finally:
            self.ended.put(request.target)

    def plan(self, *effects: Effect, path: str = "/") -> None:
        self.plans[path] = lambda request: iter(effects)


@dataclass
class Served:
    """A server with its stub; `stop` ends it with the grace it is given here."""

    port: int
    tls_port: int
    ca: Path
    stub: Stub
    stop: Callable[[], None]
    server: Server

    def connect(self, tls: bool = False) -> http.client.HTTPConnection:
        if tls:
            trusted = ssl.create_default_context(cafile=str(self.ca))
            return http.client.HTTPSConnection("127.0.0.1", self.tls_port, timeout=PATIENCE, context=trusted)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def socket(self, tls: bool = False) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.tls_port if tls else self.port), PATIENCE)
        if not tls:
            return plain
        trusted = ssl.create_default_context(cafile=str(self.ca))
        # An end without TLS's own goodbye is an error then, and not just an end.
        return trusted.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    def say(self, data: bytes, tls: bool = False) -> bytes:
        """All bytes that come back until the server closes."""
        with self.socket(tls) as connection:
            connection.sendall(data)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def served(state_dir: Path) -> Iterator[Served]:
    stub = Stub()

    @asynccontextmanager
    async def serving() -> AsyncIterator[tuple[int, int, Server]]:
        server = Server(stub.answer, Memory())
        port = await server.listen("127.0.0.1", 0)
        tls_port = await server.listen("127.0.0.1", 0, server_context(state_dir, []))
        yield port, tls_port, server
        await server.close(stub.grace)
        stub.left = len(server._connections)

    (port, tls_port, server), stop = in_thread(serving)
    yield Served(port, tls_port, ensure_ca(state_dir), stub, stop, server)
    stop()


def gone(connection: socket.socket) -> bool:
    """Whether the server has ended the connection, with or without a reset."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def ask(path: str = "/", method: str = "GET", *more: str, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: mock", "Connection: close", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def curl(*arguments: str, send: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", str(PATIENCE), *arguments],
        input=send,
        capture_output=True,
        check=False,
    )


# ---- what goes out


def test_the_head_is_the_answers_own_in_its_casing_and_order(served: Served) -> None:
    headers = (
        ("X-Amzn-RequestId", "1"),
        ("date", "then"),
        ("cONTENT-type", "text/plain"),
        ("x-a", "1"),
        ("x-a", "2"),
    )
    served.stub.plan(Head(418, headers, 2), Send(b"hi"))
    assert served.say(ask()) == (
        b"HTTP/1.1 418 I'm a Teapot\r\nX-Amzn-RequestId: 1\r\ndate: then\r\ncONTENT-type: text/plain\r\n"
        b"x-a: 1\r\nx-a: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    )


def test_a_status_without_a_name_is_sent_without_one(served: Served) -> None:
    served.stub.plan(Head(529, TEXT, 0))
    assert served.say(ask()).startswith(b"HTTP/1.1 529 \r\n")


def test_framing_headers_of_the_answer_stay_where_they_are(served: Served) -> None:
    served.stub.plan(Head(200, (("transfer-encoding", "chunked"), *TEXT)), Send(b"hi"))
    assert served.say(ask()) == (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nContent-Type: text/plain\r\n"
        b"Connection: close\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )


@pytest.mark.parametrize("tls", [False, True])
def test_curl_reads_a_plain_answer(served: Served, tls: bool) -> None:
    served.stub.plan(Head(200, TEXT, 5), Send(b"he"), Send(b"llo"))
    port, scheme = (served.tls_port, "https") if tls else (served.port, "http")
    done = curl("--cacert", str(served.ca), f"{scheme}://127.0.0.1:{port}/")
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_each_piece_is_a_chunk_whether_something_waits_or_not(served: Served) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"a"), Send(b"bb"), Wait(0), Send(b"c"), Send(b""), Send(b"d"))
    body = served.say(ask()).partition(b"\r\n\r\n")[2]
    assert body == b"1\r\na\r\n2\r\nbb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n"


def test_a_long_body_is_written_in_parts(served: Served) -> None:
    piece = bytes(range(256)) * 64
    served.stub.plan(Head(200, TEXT), *[Send(piece)] * 100)
    connection = served.connect()
    connection.request("GET", "/")
    assert connection.getresponse().read() == piece * 100
    connection.close()
    raw = served.say(ask()).partition(b"\r\n\r\n")[2]
    assert raw.startswith(b"4000\r\n")
    assert raw.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("tls", [False, True])
def test_what_was_sent_is_out_while_the_answer_waits(served: Served, tls: bool) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"first"), Wait(10 * PATIENCE), Send(b"second"))
    connection = served.connect(tls)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.read(5) == b"first"
    connection.close()
    response.close()


def test_the_head_is_out_while_the_body_waits(served: Served) -> None:
    served.stub.plan(Head(202, TEXT), Wait(10 * PATIENCE), Send(b"late"))
    connection = served.connect()
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.status == 202
    connection.close()
    response.close()


def test_waits_add_up_from_the_start_so_that_streams_do_not_drift(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    dues: list[float] = []

    async def note(server: Server, due: float | None) -> None:
        assert due is not None
        dues.append(due)

    monkeypatch.setattr(Server, "_pause", note)
    served.stub.plan(Head(200, TEXT), *list[Effect]([Wait(1024.0), Send(b"x")]) * 4)
    served.say(ask())
    assert [later - dues[0] for later in dues] == pytest.approx([0.0, 1024.0, 2048.0, 3072.0])


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "PROPFIND"])
def test_any_method_is_the_answers_business(served: Served, method: str) -> None:
    served.stub.plan(Head(200, TEXT, 2), Send(b"OK"))
    assert served.say(ask(method=method)).endswith(b"\r\n\r\nOK")
    assert served.stub.asked.get(timeout=PATIENCE).method == method


@pytest.mark.parametrize("length", [2, None])
def test_head_gets_the_head_alone(served: Served, length: int | None) -> None:
    served.stub.plan(Head(200, TEXT, length), Send(b"OK"))
    head, _, body = served.say(ask(method="HEAD")).partition(b"\r\n\r\n")
    assert body == b""
    assert (b"Content-Length: 2" in head) == (length == 2)
    assert b"chunked" not in head


def test_a_given_length_stays_where_it_is(served: Served) -> None:
    served.stub.plan(Head(200, (("content-length", "2"), *TEXT), 2), Send(b"hi"))
    said = served.say(ask())
    assert said.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Type")
    assert said.lower().count(b"content-length") == 1


@pytest.mark.parametrize("length", [0, None])
def test_no_content_has_no_length(served: Served, length: int | None) -> None:
    served.stub.plan(Head(204, TEXT, length))
    assert (
        served.say(ask())
        == b"HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    )


def test_a_client_of_http_1_0_reads_a_stream_to_the_end_of_the_connection(served: Served) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"a"), Wait(0), Send(b"b"))
    done = curl("--http1.0", f"http://127.0.0.1:{served.port}/")
    assert (done.returncode, done.stdout) == (0, b"ab")
    assert served.say(OLD).endswith(b"Connection: close\r\n\r\nab")


def test_a_client_of_http_1_0_may_keep_its_connection_when_the_length_is_known(served: Served) -> None:
    served.stub.plan(Head(200, (), 2), Send(b"hi"))
    last = OLD.replace(b"keep-alive", b"close")
    assert served.say(OLD + last) == (
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    )


def test_an_answer_may_close_the_connection(served: Served) -> None:
    served.stub.plan(Head(200, (("connection", "close"),), 2), Send(b"hi"))
    said = served.say(b"GET / HTTP/1.1\r\nHost: mock\r\n\r\n")
    assert said == b"HTTP/1.1 200 OK\r\nconnection: close\r\nContent-Length: 2\r\n\r\nhi"


def test_one_connection_serves_many_requests(served: Served) -> None:
    served.stub.plan(Head(200, TEXT, 2), Send(b"OK"))
    served.stub.plan(Head(200, TEXT), Send(b"stream"), path="/stream")
    connection = served.connect()
    connection.connect()
    first = connection.sock
    for path, body in [("/", b"OK"), ("/stream", b"stream")] * 3:
        connection.request("POST", path, b"x" * 1000)
        assert connection.getresponse().read() == body
        assert connection.sock is first
    connection.close()


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    served.stub.plan(Head(200, (), 1), Wait(0.01), Send(b"1"))
    served.stub.plan(Head(200, (), 1), Send(b"2"), path="/2")
    said = served.say(b"GET / HTTP/1.1\r\nHost: mock\r\n\r\n" + ask("/2"))
    assert re.findall(rb"\r\n\r\n(\d)", said) == [b"1", b"2"]


# ---- what comes in


def test_the_request_is_what_stood_on_the_wire(served: Served) -> None:
    served.stub.plan(Head(200, TEXT, 0), path="/model/arn%3Aaws%2Fx/converse")
    served.say(
        b"POST /model/arn%3Aaws%2Fx/converse?a=%20b&a=+ HTTP/1.1\r\nhOST: mock\r\nX-B: 2\r\nx-a:  1 \r\n"
        b"X-B: \xc3\xa9\r\ncontent-length: 2\r\nConnection: close\r\n\r\nhi"
    )
    assert served.stub.asked.get(timeout=PATIENCE) == Request(
        "POST",
        "/model/arn%3Aaws%2Fx/converse?a=%20b&a=+",
        (
            ("hOST", "mock"),
            ("X-B", "2"),
            ("x-a", "1"),
            ("X-B", "é"),
            ("content-length", "2"),
            ("Connection", "close"),
        ),
        b"hi",
    )


def test_a_body_that_is_compressed_stays_so_for_the_signature_covers_it(served: Served) -> None:
    served.stub.plan(Head(200, TEXT, 0))
    packed = gzip.compress(b"{}")
    connection = served.connect()
    connection.request("POST", "/", packed, {"Content-Encoding": "gzip"})
    connection.getresponse().read()
    connection.close()
    assert served.stub.asked.get(timeout=PATIENCE).body == packed


def digest(request: Request) -> Generator[Effect, Any, None]:
    said = hashlib.sha256(request.body).hexdigest().encode()
    yield Head(200, TEXT, len(said))
    yield Send(said)


@pytest.mark.parametrize("tls", [False, True])
def test_curl_waits_for_the_100_and_sends_26_megabytes(served: Served, tls: bool, tmp_path: Path) -> None:
    served.stub.plans["/"] = digest
    data = bytes(range(256)) * (26 * 4096)
    (tmp_path / "large").write_bytes(data)
    port, scheme = (served.tls_port, "https") if tls else (served.port, "http")
    done = curl(
        "-v",
        "--http1.1",
        *("--expect100-timeout", str(PATIENCE), "-H", "Expect: 100-continue"),
        *("--cacert", str(served.ca), "--data-binary", f"@{tmp_path / 'large'}"),
        f"{scheme}://127.0.0.1:{port}/",
    )
    assert done.stdout.decode() == hashlib.sha256(data).hexdigest()
    assert b"< HTTP/1.1 100 Continue" in done.stderr


def test_curl_sends_a_body_in_chunks(served: Served) -> None:
    served.stub.plans["/"] = digest
    data = b"0123456789" * 200_000
    done = curl(
        *("-H", "Transfer-Encoding: chunked", "--data-binary", "@-", f"http://127.0.0.1:{served.port}/"),
        send=data,
    )
    assert done.stdout.decode() == hashlib.sha256(data).hexdigest()


def test_a_body_with_broken_chunks_is_refused(served: Served) -> None:
    said = served.say(ask("/", "POST", "Transfer-Encoding: chunked") + b"zz\r\nhi\r\n")
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.endswith(b"\n")


def test_a_key_as_long_as_signed_urls_are_passes(served: Served) -> None:
    served.stub.plan(Head(200, TEXT, 0))
    key = "k" * 30_000
    assert served.say(ask("/", "GET", f"Authorization: Bearer {key}")).startswith(b"HTTP/1.1 200")


def test_an_upgrade_that_nobody_takes_is_an_ordinary_request(served: Served) -> None:
    served.stub.plan(Head(404, TEXT, 2), Send(b"no"))
    asked = b"GET / HTTP/1.1\r\nHost: mock\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert served.say(asked + ask()).count(b"HTTP/1.1 404") == 2
    done = curl("--http2", f"http://127.0.0.1:{served.port}/")
    assert done.stdout == b"no"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://there:1/a%2Fb?c=d://e", "/a%2Fb?c=d://e"),
        ("HTTPS://user:pass@there:1/a", "/a"),
        ("http://there:1?c=/d", "/?c=/d"),
        ("http://there:1", "/"),
    ],
)
def test_a_target_as_proxies_are_sent_it_says_the_host(served: Served, target: str, path: str) -> None:
    served.stub.plan(Head(200, TEXT, 0), path=path.partition("?")[0])
    assert served.say(ask(target)).startswith(b"HTTP/1.1 200")
    asked = served.stub.asked.get(timeout=PATIENCE)
    assert (asked.target, asked.headers) == (path, (("Host", "there:1"), ("Connection", "close")))


def test_curl_may_take_it_for_a_proxy(served: Served) -> None:
    served.stub.plan(Head(200, TEXT, 2), Send(b"OK"), path="/v1/models")
    proxy = ("--noproxy", "", "--proxy", f"http://127.0.0.1:{served.port}")
    assert curl(*proxy, "http://there.invalid/v1/models").stdout == b"OK"
    assert served.stub.asked.get(timeout=PATIENCE).header("host") == "there.invalid"


@pytest.mark.parametrize("more", ["Content-Length: 11", "Transfer-Encoding: chunked"])
def test_a_body_that_no_memory_should_hold_is_refused(
    served: Served, more: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "LARGEST_BODY", 10)
    served.stub.plan(Head(200, TEXT, 0))
    head = ask("/", "POST", more)
    sent = (b"x" * 11) if "Length" in more else b"6\r\nxxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n"
    said = served.say(head + sent)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.endswith(b"mockserver: expected a body of at most 10 bytes, got one of more\n")
    assert served.stub.asked.empty()
    assert len(caplog.records) == 1
    assert served.say(ask("/", "POST", "Content-Length: 10") + b"x" * 10).startswith(b"HTTP/1.1 200")


@contextmanager
def busy(served: Served) -> Iterator[None]:
    """The server does nothing else for as long as the block runs."""
    begun, done = threading.Event(), threading.Event()

    def work(request: Request) -> Iterator[Effect]:
        begun.set()
        done.wait(PATIENCE)
        yield Head(200, TEXT, 0)

    served.stub.plans["/busy"] = work
    with served.socket() as asking:
        asking.sendall(ask("/busy"))
        assert begun.wait(PATIENCE)
        try:
            yield
        finally:
            done.set()
        assert read_all(asking).startswith(b"HTTP/1.1 200")


def test_a_burst_of_clients_is_let_in_while_the_server_is_busy(served: Served) -> None:
    # What the system itself allows; of more than its list holds it lets clients wait.
    allowed = Path("/proc/sys/net/core/somaxconn")
    many = min(300, int(allowed.read_text()) if allowed.exists() else 128)
    with busy(served):
        clients = [served.socket() for _ in range(many)]
    served.stub.plan(Head(200, TEXT, 0))
    for client in clients:
        client.sendall(ask())
    assert all(read_all(client).startswith(b"HTTP/1.1 200") for client in clients)
    for client in clients:
        client.close()


# ---- how it ends


@pytest.fixture(params=["the loop that is there", "asyncio's loop"])
def each_loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "asyncio's loop":
        monkeypatch.setattr(embedded, "loop_factory", lambda: None)


UPLOAD = ask("/", "POST", "Content-Length: 2") + b"hi"
KEPT = UPLOAD.replace(b"close", b"keep-alive")


@pytest.mark.usefixtures("each_loop", "nothing_logged")
@pytest.mark.parametrize(("said", "answers"), [(UPLOAD, 1), (KEPT, 1), (KEPT * 5, 5), (KEPT + ask()[:-1], 1)])
def test_a_client_that_closes_its_side_is_heard_out(served: Served, said: bytes, answers: int) -> None:
    served.stub.plan(Head(200, TEXT), Send(LONG), Send(b"last"))
    with served.socket() as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        heard = read_all(connection)
    assert heard.count(b"HTTP/1.1 200") == heard.count(b"4\r\nlast\r\n0\r\n\r\n") == answers
    assert heard.count(LONG) == answers


@pytest.mark.usefixtures("each_loop", "nothing_logged")
@pytest.mark.parametrize(
    "said", [b"", b"GET / HT", UPLOAD[:-1], ask("/", "POST", "Transfer-Encoding: chunked") + b"2\r\nhi\r\n"]
)
def test_half_a_request_is_no_request(served: Served, said: bytes) -> None:
    with served.socket() as connection:
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    assert served.stub.asked.empty()


@pytest.mark.usefixtures("each_loop", "nothing_logged")
def test_a_client_that_closes_its_side_waits_for_nothing_that_never_comes(served: Served) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"first"), Stall())
    with served.socket() as connection:
        # The end is there before the request is looked at.
        with busy(served):
            connection.sendall(UPLOAD)
            connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).endswith(b"\r\n\r\n5\r\nfirst\r\n")
    assert [served.stub.ended.get(timeout=PATIENCE) for _ in range(2)] == ["/busy", "/"]


@pytest.mark.parametrize("tls", [False, True])
def test_a_cut_ends_the_stream_after_all_that_was_sent(served: Served, tls: bool) -> None:
    sent = bytes(range(256)) * 20_000
    served.stub.plan(Head(200, TEXT), Send(sent), Send(b"last"), Cut(), Send(b"never"))
    connection = served.connect(tls)
    connection.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead) as cut:
        connection.getresponse().read()
    connection.close()
    assert cut.value.partial == sent + b"last"


@pytest.mark.parametrize("tls", [False, True])
def test_a_cut_in_a_plain_answer_leaves_it_short(served: Served, tls: bool) -> None:
    served.stub.plan(Head(200, TEXT, 10), Send(b"half"), Cut())
    connection = served.connect(tls)
    connection.request("GET", "/")
    with pytest.raises(http.client.IncompleteRead, match="4 bytes read, 6 more expected"):
        connection.getresponse().read()
    connection.close()


def test_a_cut_before_the_head_answers_nothing(served: Served) -> None:
    served.stub.plan(Cut())
    assert served.say(ask()) == b""


@pytest.fixture
def nothing_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield
    assert caplog.record_tuples == []


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("then", [Stall(), Wait(10 * PATIENCE)])
def test_a_client_that_leaves_ends_the_work_without_a_word(served: Served, tls: bool, then: Effect) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"first"), then, path="/held")
    connection = served.connect(tls)
    connection.request("GET", "/held")
    response = connection.getresponse()
    assert response.read(5) == b"first"
    response.close()
    connection.close()
    assert served.stub.ended.get(timeout=PATIENCE) == "/held"


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_leaves_while_much_is_written_ends_the_work_too(served: Served, tls: bool) -> None:
    def endless(request: Request) -> Generator[Effect, Any, None]:
        yield Head(200, TEXT)
        while True:
            yield Send(b"x" * 10_000)

    served.stub.plans["/"] = endless
    connection = served.connect(tls)
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read(100_000)
    response.close()
    connection.close()
    assert served.stub.ended.get(timeout=PATIENCE) == "/"


@pytest.mark.usefixtures("nothing_logged")
def test_a_client_that_leaves_while_it_uploads_is_forgotten(served: Served) -> None:
    with served.socket() as connection:
        connection.sendall(ask("/", "POST", "Content-Length: 1000") + b"half")
    served.stub.plan(Head(200, TEXT, 0))
    assert served.say(ask()).startswith(b"HTTP/1.1 200")
    assert served.stub.asked.qsize() == 1


def test_a_fault_of_ours_is_a_500_with_its_type_and_one_record(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.stub.plans["/"] = lambda request: iter([Head(200, TEXT), Send(b"x"), 1 / 0])  # type: ignore[list-item]
    said = served.say(ask("/?auth_token=secret"))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"x-mock-error: ZeroDivisionError" in head
    assert b"ZeroDivisionError: division by zero" in body
    [record] = caplog.records
    assert record.exc_info is not None
    assert "secret" not in record.getMessage()


def broken_stream(request: Request) -> Generator[Effect, Any, None]:
    yield Head(200, TEXT)
    yield Send(b"first")
    yield Wait(0)
    raise ConnectionError("this is no client that left")


def test_a_fault_in_the_middle_of_a_stream_cuts_it(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    served.stub.plans["/"] = broken_stream
    assert served.say(ask()).endswith(b"\r\n\r\n5\r\nfirst\r\n")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize(
    ("effects", "said"),
    [
        ((), "the answer has no head"),
        ((Send(b"x"),), "an answer begins with its head"),
        ((Head(200, (), 0), Head(200, (), 0)), "one head"),
        ((Head(200, (), 1),), "1 bytes shorter than its head says"),
        ((Head(200, (), 1), Send(b"xx")), "1 bytes longer than its head says"),
        ((Head(200, (("x-a", "1\r\nx-b: 2"),), 0),), "expected one line"),
    ],
)
def test_an_answer_that_cannot_be_sent_is_a_fault_and_no_hang(
    served: Served, effects: tuple[Effect, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    served.stub.plan(*effects)
    answer = served.say(b"GET / HTTP/1.1\r\nHost: mock\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500")
    assert said in answer.decode()
    assert len(caplog.records) == 1


class Talk:
    """A conversation in which nothing is said."""

    ping_seconds = timeout_seconds = float(PATIENCE)
    largest = 1000

    def __init__(self, ended: queue.Queue[str]) -> None:
        self._ended = ended

    def opening(self) -> Answer:
        yield from ()

    def hear(self, packet: str, now: float) -> Answer:
        yield from ()

    def aside(self, packet: str) -> Iterator[Send] | None:
        return None

    def ping(self) -> Answer:
        yield from ()

    def ended(self) -> Answer:
        self._ended.put("talk")
        yield from ()


@pytest.mark.usefixtures("each_loop", "nothing_logged")
def test_a_client_that_leaves_while_its_pings_are_answered_ends_the_talk_without_a_word(
    served: Served,
) -> None:
    ended: queue.Queue[str] = queue.Queue()
    served.stub.plan(Upgrade(Talk(ended)))
    with served.socket() as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: mock\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 101 ")
        ping = b"\x89\xfd\0\0\0\0" + b"x" * 125
        # Until an answer has to wait for the client to read.
        while not any(each.get_write_buffer_size() > 1 << 16 for each in served.server._connections):
            connection.sendall(ping * 100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert ended.get(timeout=PATIENCE) == "talk"
    served.stop()
    gc.collect()


# ---- what is no HTTP/1.1


@pytest.mark.parametrize("line", [b"Authorizat,ion: Bearer ABSKsecret", b"Authorization\x01: Bearer ABSKsecret", b"Authorization: B\0 ABSKsecret", b"x=ABSKsecret", b"ABSKsecret", b"secret-key-1: \0", b"x: " + b"ABSKsecret" * 9000])  # fmt: skip
def test_a_key_in_a_broken_header_is_neither_told_nor_logged(
    line: bytes, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    answer = served.say(b"GET / HTTP/1.1\r\nHost: mock\r\n" + line + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400") and b"secret" not in answer
    assert "400: a client sent what is no HTTP/1.1" in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize(
    "said",
    [b"GET /secret" + b"-" * 70_000 + b" HTTP/1.1", b"secret", b"secret / HTTP/x", b"GET /secret HTTP/7"],
)
def test_a_key_in_a_broken_request_line_is_neither_told_nor_logged(
    said: bytes, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    answer = served.say(said + b"\r\nHost: mock\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400") and b"secret" not in answer
    assert "400: a client sent what is no HTTP/1.1" in caplog.text and "secret" not in caplog.text


@pytest.mark.parametrize(
    "line", [b"GET http://[bad/?key=secret HTTP/1.1", b"GET http:///?key=secret HTTP/1.1"]
)
def test_a_target_that_is_no_url_is_refused_without_the_key_in_it(
    line: bytes, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    answer = served.say(line + b"\r\nHost: mock\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"expected a target that is a path or a URL" in answer
    assert (
        "400: a client sent what is no HTTP/1.1" in caplog.text
        and "secret" not in caplog.text + answer.decode()
    )


@pytest.mark.parametrize("line", [b"GET /", b"GET / HTTP/0.9", b"GET / HTTP/2.0"])
def test_another_http_is_refused_in_http_1_1(
    line: bytes, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    answer = served.say(line + b"\r\nHost: mock\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 505 ")
    assert b"mockserver: expected HTTP/1.0 or HTTP/1.1, got HTTP/" in answer
    assert len(caplog.records) == 1


def test_a_request_may_come_byte_by_byte_and_begin_like_http_2(served: Served) -> None:
    served.stub.plan(Head(200, TEXT, 2), Send(b"OK"))
    with served.socket() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in ask(method="PROPFIND"):
            connection.sendall(bytes([byte]))
        assert read_all(connection).endswith(b"\r\n\r\nOK")


def test_https_to_the_http_port_is_named_in_the_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    done = curl("-k", f"https://127.0.0.1:{served.port}/")
    assert done.returncode != 0
    assert "serves http, and the client speaks https" in caplog.text


def test_garbage_is_refused_with_one_line_and_no_traceback(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    said = served.say(b"\x00\x01\x02 what is this\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"aiohttp" not in said
    [record] = caplog.records
    assert record.exc_info is None
    assert "\n" not in record.getMessage()


# ---- shutdown


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_streams_run_to_their_end_when_the_server_stops(served: Served, tls: bool) -> None:
    served.stub.plan(
        Head(200, TEXT), Send(b"first "), *list[Effect]([Wait(10 * PATIENCE), Send(LONG)]) * 3, Send(b"last")
    )
    connection = served.connect(tls)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.read(6) == b"first "
    stopping = threading.Thread(target=served.stop)
    stopping.start()
    assert response.read() == LONG * 3 + b"last"
    connection.close()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_what_stalls_is_cut_when_the_server_stops(served: Served, tls: bool) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"first"), Stall())
    connection = served.connect(tls)
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.read(5) == b"first"
    stopping = threading.Thread(target=served.stop)
    stopping.start()
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
    assert served.stub.ended.get(timeout=PATIENCE) == "/"


@pytest.mark.parametrize("last", [Stall(), Wait(PATIENCE)])
def test_tls_says_goodbye_when_the_server_stops(served: Served, last: Effect) -> None:
    served.stub.plan(Head(200, TEXT), Send(b"first"), last)
    with served.socket(tls=True) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: mock\r\n\r\n")
        said = b""
        while b"first" not in said:
            said += connection.recv(1 << 16)
        stopping = threading.Thread(target=served.stop)
        stopping.start()
        assert read_all(connection) == (b"\r\n" if last == Stall() else b"\r\n0\r\n\r\n").removeprefix(
            said.partition(b"first")[2]
        )
    stopping.join(PATIENCE)


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_never_reads_does_not_keep_the_server(served: Served, tls: bool) -> None:
    def endless(request: Request) -> Generator[Effect, Any, None]:
        yield Head(200, TEXT)
        while True:
            yield Send(b"x" * 10_000)

    served.stub.plans["/"] = endless
    served.stub.grace = 0.01
    with served.socket(tls) as connection:
        connection.sendall(ask())
        connection.recv(1)
        served.stop()
        assert served.stub.ended.get(timeout=PATIENCE) == "/"
        assert served.stub.left == 0


@pytest.mark.usefixtures("nothing_logged")
@pytest.mark.parametrize("tls", [False, True])
def test_idle_connections_do_not_keep_the_server(served: Served, tls: bool) -> None:
    served.stub.plan(Head(200, TEXT, 0))
    connection = served.connect(tls)
    connection.request("GET", "/")
    connection.getresponse().read()
    silent = served.socket()
    uploading = served.socket()
    uploading.sendall(ask("/", "POST", "Content-Length: 10"))
    # Connections are accepted in their order: what came before this one is known to the server.
    served.say(ask())
    served.stop()
    assert gone(silent)
    assert gone(uploading)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/")
        connection.getresponse()
    for each in (silent, uploading, connection):
        each.close()
    with pytest.raises(ConnectionRefusedError):
        served.socket()


@pytest.mark.usefixtures("nothing_logged")
def test_a_slow_client_gets_all_of_its_answer_and_others_are_sent_away(served: Served) -> None:
    sent = []

    def more_than_the_system_takes(request: Request) -> Generator[Effect, Any, None]:
        yield Head(200, TEXT)
        while not any(transport.get_write_buffer_size() for transport in served.server._connections):
            sent.append(b"x" * 20_000)
            yield Send(sent[-1])
            yield Wait(0)

    idle = served.connect()
    served.stub.plan(Head(200, TEXT, 0))
    idle.request("GET", "/")
    idle.getresponse().read()
    served.stub.plans["/large"] = more_than_the_system_takes
    connection = served.connect()
    connection.request("GET", "/large")
    response = connection.getresponse()
    for path in ("/", "/large"):
        assert served.stub.ended.get(timeout=PATIENCE) == path
    stopping = threading.Thread(target=served.stop)
    stopping.start()
    assert gone(idle.sock)
    idle.close()
    stopping.join(0.2)
    assert stopping.is_alive(), "the server ended before its client had read all"
    assert response.read() == b"".join(sent)
    connection.close()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()


def test_a_taken_port_is_named(served: Served) -> None:
    @asynccontextmanager
    async def taking() -> AsyncIterator[None]:
        await Server(served.stub.answer, Memory()).listen("127.0.0.1", served.port)
        yield

    with pytest.raises(CannotListen, match=f"cannot serve http on 127.0.0.1, port {served.port}: address"):
        in_thread(taking)


# ---- a client that people use


def test_boto3_asks_over_https_with_a_bearer_key(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps(
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        }
    ).encode()
    served.stub.plan(
        Head(200, (("Content-Type", "application/json"),), len(body)),
        Send(body),
        path="/model/a.b-v1%3A0/converse",
    )
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-key")
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"https://127.0.0.1:{served.tls_port}",
        verify=str(served.ca),
        config=Config(retries={"total_max_attempts": 1}),
    )
    answer = client.converse(modelId="a.b-v1:0", messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    client.close()
    assert answer["output"]["message"]["content"] == [{"text": "Hello"}]
    assert served.stub.asked.get(timeout=PATIENCE).header("authorization") == "Bearer a-key"
