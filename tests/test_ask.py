"""The client's door, against servers of a few lines that say exactly what they send."""

from __future__ import annotations

import base64
import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
import urllib3

from conformance import ask
from conformance.ask import Asker, fetched, probe_url
from conformance.embedded import mock_at
from conformance.exchange import Chunk, Ending, Headers, Request
from conformance.loading import load
from conformance.target import Target, UsageError, targets

KEY = "CANARY-key-0123456789"
ENVIRONMENT = {"AWS_BEARER_TOKEN_BEDROCK": KEY}
[TARGET] = targets(load(), "bedrock-runtime", environment=ENVIRONMENT)
GET = Request("GET", "/ask", (("Authorization", f"Bearer {KEY}"),))
POST = Request("POST", "/ask", (("Authorization", f"Bearer {KEY}"), ("Content-Type", "text/plain")), b"Hello")
OK = b"HTTP/1.1 200 OK\r\n"

Reset = object()
"""Instead of bytes: the connection is reset."""


class Server:
    """Answers each connection's requests with the next scripts: bytes that are sent one after the other.

    A connection is closed when its script ends in `Reset`, or when the client leaves. Where a script ends in a
    context of TLS, both speak it from there on, and the next scripts are for what the client asks then.
    """

    def __init__(self, *scripts: Sequence[Any], keep: bool = False, tls: Any = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._scripts, self._keep, self._tls = list(scripts), keep, tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            try:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._talk(connection)
            except OSError:
                pass
            finally:
                connection.close()

    def _talk(self, connection: socket.socket) -> None:
        while self._scripts:
            request = _request(connection)
            if not request:
                return
            self.requests.append(request)
            for piece in self._scripts.pop(0):
                if isinstance(piece, ssl.SSLContext):
                    with piece.wrap_socket(connection, server_side=True) as inside:
                        self._talk(inside)
                    return
                if piece is Reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(piece)
            if not self._keep:
                return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def _request(connection: socket.socket) -> bytes:
    """One request with its body, as it stands on the wire."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    ]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(*scripts: Sequence[Any], **options: Any) -> Server:
        servers.append(Server(*scripts, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Answer = tuple[int, Headers, tuple[Chunk, ...], Ending]


def target(url: str, **changes: Any) -> Target:
    return replace(TARGET, endpoint=url, **changes)


def came(url: str, request: Request = POST, **changes: Any) -> Answer:
    asker = Asker(target(url, **changes))
    answer = asker.ask(request)
    asker.close()
    assert not isinstance(answer, str), answer
    return answer


def failed(url: str, request: Request = POST, **changes: Any) -> str:
    asker = Asker(target(url, **changes))
    answer = asker.ask(request)
    asker.close()
    assert isinstance(answer, str), answer
    return answer


def body(answer: Answer) -> bytes:
    return b"".join(chunk.data for chunk in answer[2])


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> list[bytes]:
    frames = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return [OK + b"Transfer-Encoding: chunked\r\n\r\n", *frames, end]


# What is sent


def test_a_request_is_sent_as_it_stands(serve: Serve) -> None:
    server = serve([OK + b"Content-Length: 0\r\n\r\n"])
    headers = (
        ("X-Mixed-Case", "1"),
        ("x-twice", "a"),
        ("x-twice", "b"),
        ("Content-Type", "application/json"),
    )
    path = "/model/arn%3Aaws%2Fa/converse?x=%20y&z"
    came(f"{server.url}/base", Request("POST", path, headers, b'{"a":1}'))
    [request] = server.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /base{path} HTTP/1.1"
    assert "X-Mixed-Case: 1" in lines
    assert [line for line in lines if line.startswith("x-twice")] in (
        ["x-twice: a", "x-twice: b"],
        ["x-twice: a, b"],
    )
    assert sent == b'{"a":1}'


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("POST", "0"), ("DELETE", None)])
def test_a_request_without_a_body_says_so_as_its_method_does(
    serve: Serve, method: str, length: str | None
) -> None:
    server = serve([OK + b"Content-Length: 0\r\n\r\n"])
    came(server.url, Request(method, "/", ()))
    head = server.requests[0].decode().lower()
    assert head.endswith("\r\n\r\n")
    assert ("content-length: 0" in head) == (length == "0")


def test_connections_are_kept(serve: Serve) -> None:
    server = serve(*[[OK + b"Content-Length: 2\r\n\r\nhi"]] * 3, keep=True)
    asker = Asker(target(server.url))
    for _ in range(3):
        asker.ask(POST)
    asker.close()
    assert (len(server.requests), server.connections) == (3, 1)


# What comes back


def test_status_headers_and_body_come_as_they_are(serve: Serve) -> None:
    raw = b"HTTP/1.1 418 Teapot\r\nX-Mixed-Case: 1\r\nset-cookie: a\r\nset-cookie: b\r\nContent-Length: 3\r\n\r\n\xff\x00!"
    status, headers, chunks, ending = came(serve([raw]).url)
    assert (status, ending) == (418, "complete")
    assert headers == (
        ("X-Mixed-Case", "1"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("Content-Length", "3"),
    )
    assert b"".join(chunk.data for chunk in chunks) == b"\xff\x00!"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_takes_no_key_away(serve: Serve, status: int) -> None:
    other = serve([OK + b"Content-Length: 0\r\n\r\n"])
    moved = f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}/stolen\r\nContent-Length: 5\r\n\r\nmoved"
    server = serve([moved.encode()], [OK + b"Content-Length: 0\r\n\r\n"])
    answer = came(server.url)
    assert (answer[0], body(answer)) == (status, b"moved")
    assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_nothing_is_asked_twice(serve: Serve, status: int, request_: Request) -> None:
    busy = f"HTTP/1.1 {status} Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n".encode()
    server = serve([busy], [busy])
    assert came(server.url, request_)[0] == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("script", [[b""], [Reset], [b"HTTP/1.1 2", Reset]])
@pytest.mark.parametrize("request_", [GET, POST], ids=["GET", "POST"])
def test_nothing_is_asked_twice_when_nothing_came(
    serve: Serve, script: Sequence[Any], request_: Request
) -> None:
    server = serve(script, [OK + b"Content-Length: 0\r\n\r\n"])
    failed(server.url, request_)
    assert len(server.requests) == 1


def test_a_packed_body_is_unpacked(serve: Serve) -> None:
    packed = gzip.compress(b"Hello")
    head = OK + f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    answer = came(serve([head + packed]).url)
    assert (body(answer), answer[3]) == (b"Hello", "complete")


@pytest.mark.parametrize("status", [100, 102, 103])
def test_what_comes_before_an_answer_is_not_the_answer(serve: Serve, status: int) -> None:
    early = f"HTTP/1.1 {status} Early\r\nLink: </a>; rel=preload\r\n\r\n".encode()
    server = serve(
        [early, early, OK + b"Content-Length: 2\r\n\r\nhi"], [early, OK + b"Content-Length: 2\r\n\r\nho"]
    )
    answer = came(server.url)
    assert (answer[0], answer[1], body(answer)) == (200, (("Content-Length", "2"),), b"hi")
    assert fetched(server.url) == (200, b"ho")


# Chunks and their times


def test_a_chunk_has_the_seconds_since_the_request_was_sent(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 100.25, 101.5, 103.0000004, 110.0])
    monkeypatch.setattr(ask, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    _, _, chunks, _ = came(serve(chunked(b"one", b"two", b"three")).url)
    assert chunks == (Chunk(b"one", 0.25), Chunk(b"two", 1.5), Chunk(b"three", 3.0))


def test_times_do_not_go_back(serve: Serve) -> None:
    answer = came(serve(chunked(*[b"piece %d" % number for number in range(50)])).url)
    times = [chunk.at or 0.0 for chunk in answer[2]]
    assert times == sorted(times)
    assert times[0] >= 0
    assert body(answer) == b"".join(b"piece %d" % number for number in range(50))


def test_what_came_is_there_before_the_rest_comes(serve: Serve) -> None:
    """A chunk is read when it is there, and not when a buffer is full."""
    server = serve(chunked(b"first", end=b""))
    asker = Asker(target(server.url))
    answer = asker.ask(POST)
    asker.close()
    assert not isinstance(answer, str)
    assert (body(answer), answer[3]) == (b"first", "cut")


# How it ends


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([OK + b"Content-Length: 5\r\n\r\n", b"Hello"], id="length"),
        pytest.param(chunked(b"He", b"llo"), id="chunked"),
        pytest.param([OK + b"Connection: close\r\n\r\nHello"], id="close"),
    ],
)
def test_a_whole_body_is_complete(serve: Serve, script: Sequence[Any]) -> None:
    answer = came(serve(script).url)
    assert (body(answer), answer[3]) == (b"Hello", "complete")


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([OK + b"Content-Length: 9\r\n\r\n", b"Hello"], id="length"),
        pytest.param(chunked(b"He", b"llo", end=b""), id="no-last-chunk"),
        pytest.param([*chunked(b"He", b"llo", end=b""), b"5\r\nno"], id="half-a-chunk"),
        pytest.param([*chunked(b"He", b"llo", end=b""), b"zz\r\nno"], id="no-length-of-a-chunk"),
    ],
)
def test_a_body_that_was_cut_is_told_and_kept(serve: Serve, script: Sequence[Any]) -> None:
    answer = came(serve(script).url)
    assert body(answer).startswith(b"Hello")
    assert (answer[0], answer[3]) == (200, "cut")


def test_a_connection_that_was_reset_in_the_body_is_a_cut(serve: Serve) -> None:
    assert came(serve([*chunked(b"Hello", end=b""), Reset]).url)[3] == "cut"


def test_a_packed_body_that_cannot_be_unpacked_is_a_cut(serve: Serve) -> None:
    assert came(serve([OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nHello"]).url)[3] == "cut"


def test_an_answer_that_falls_silent_is_a_cut(serve: Serve) -> None:
    server = serve([OK + b"Content-Length: 9\r\n\r\nHello"], [], keep=True)
    asker = Asker(target(server.url), patience=0.2)
    answer = asker.ask(POST)
    asker.close()
    assert isinstance(answer, tuple)
    assert (body(answer), answer[3]) == (b"Hello", "cut")


def test_an_answer_is_waited_for_longer_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(urllib3, "PoolManager", lambda **said: SimpleNamespace(said=given.update(said)))
    Asker(target("http://127.0.0.1:9"))
    assert given["timeout"].connect_timeout == ask.TIMEOUT_CONNECT
    assert given["timeout"].read_timeout == ask.TIMEOUT_READ > ask.TIMEOUT_CONNECT


@pytest.mark.parametrize("length", [b"9" * 40, b"f" * 40])
def test_a_length_that_no_machine_holds_is_a_cut(serve: Serve, length: bytes) -> None:
    plain = [OK + b"Content-Length: " + length + b"\r\n\r\nHello"]
    pieces = [OK + b"Transfer-Encoding: chunked\r\n\r\n" + length + b"\r\nHello"]
    assert came(serve(pieces).url)[3] == "cut"
    if length.isdigit():
        assert came(serve(plain).url)[3] == "cut"


# What does not end


ENDLESS = [b" " * 1000] * 1000


@pytest.mark.parametrize(
    "script",
    [
        [OK + b"\r\n", *ENDLESS],
        [OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 1_000_000)],
    ],
    ids=["as it is", "packed"],
)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    serve: Serve, script: Sequence[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "LARGEST_ANSWER", 200_000)
    server = serve(script)
    assert failed(server.url) == f"{server.url}: expected an answer of at most 200,000 bytes, got one of more"


@pytest.mark.parametrize(
    ("piece", "says"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", "no answer after 0 s, only what comes before one"),
        (b"X-More: of it\r\n", "the answer had not ended after 0 s"),
    ],
    ids=["before the head", "in the body"],
)
def test_an_answer_that_does_not_end_is_cut_off(
    serve: Serve, piece: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never silent, so no patience for silence ends it."""
    monkeypatch.setattr(ask, "LONGEST_ANSWER", 0.3)
    monkeypatch.setattr(ask, "LARGEST_ANSWER", 1 << 40)
    server = serve([OK + b"\r\n" if b"X-More" in piece else b"", *([piece] * 2_000_000)])
    assert failed(server.url) == f"{server.url}: {says}"


def test_an_answer_may_be_longer_in_coming_than_silent(serve: Serve) -> None:
    def late() -> Iterator[bytes]:
        time.sleep(0.3)
        yield OK + b"Content-Length: 5\r\n\r\nHello"

    asker = Asker(target(serve(late()).url), patience=0.1)
    answer = asker.ask(POST)
    asker.close()
    assert isinstance(answer, tuple)
    assert answer[0] == 200


def test_who_was_silent_for_too_long_is_not_asked_any_more(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = count()
    # Whoever looks at the clock does so a hundred seconds after the last time.
    monkeypatch.setattr(ask, "time", SimpleNamespace(monotonic=lambda: 100.0 * next(looks)))
    good = chunked(b"Hello")
    server = serve([], good, [], [OK + b"Content-Length: 9\r\n\r\nHello"], good)
    asker = Asker(target(server.url))
    first, *rest = (asker.ask(POST) for _ in range(5))
    asker.close()
    assert isinstance(first, str)
    assert [isinstance(each, tuple) and each[3] for each in rest[:3]] == ["complete", False, "cut"]
    assert isinstance(rest[3], str)
    assert rest[3].startswith("not asked: 300 s were waited for answers in vain, the last time ")
    assert len(server.requests) == 4


# Why nothing came


def unused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_refused_connection_is_told_in_a_line() -> None:
    url = unused()
    said = failed(url)
    assert said.startswith(f"{url}: ")
    assert "refused" in said.lower()
    assert "object at 0x" not in said
    assert "\n" not in said


def test_a_host_that_is_not_there_is_told() -> None:
    said = failed("http://nobody.invalid")
    assert said.startswith("http://nobody.invalid: ")
    assert "object at 0x" not in said


def test_a_server_that_does_not_answer_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "TIMEOUT_READ", 0.2)
    said = failed(serve([], [], keep=True).url)
    assert "timed out" in said.lower()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([b""], "without response"),
        ([Reset], "reset"),
        ([b"what?\r\n\r\n"], "expected an answer in HTTP/1.1, got 'what?'"),
        ([b"HTTP/2.0 200 OK\r\n\r\n"], "expected an answer in HTTP/1.1, got 'HTTP/2.0'"),
        ([b"HTTP/1.1 abc OK\r\n\r\n"], "expected an answer in HTTP/1.1, got 'HTTP/1.1 abc OK'"),
        ([OK + b"X: y\r\n" * 200 + b"\r\n"], ": got more than 100 headers"),
        ([OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n"], ": got more than 65536 bytes when reading header line"),
    ],
)
def test_what_came_instead_of_a_response_is_told(serve: Serve, script: Sequence[Any], says: str) -> None:
    server = serve(script)
    said = failed(server.url)
    assert said.startswith(f"{server.url}: ")
    assert says in said
    assert "('" not in said


@pytest.mark.parametrize(
    "echo",
    [
        b"Bearer CANARY-key-0123456789\r\n\r\n",
        b"HTTP/9 CANARY%2Dkey%2D0123456789\r\n\r\n",
        b"HTTP/1.1 CANARY-key-0123456789\r\n\r\n",
    ],
)
def test_a_failure_does_not_tell_the_key(serve: Serve, echo: bytes) -> None:
    said = failed(serve([echo]).url, replace(POST, target=f"/ask?auth_token={KEY}"))
    assert "$AWS_BEARER_TOKEN_BEDROCK" in said
    assert "CANARY" not in said
    for url in (unused(), "http://nobody.invalid"):
        assert KEY not in failed(url, replace(POST, target=f"/ask?auth_token={KEY}"))


def test_a_failure_does_not_tell_a_password_of_the_endpoint() -> None:
    said = failed(unused().replace("//", "//user:hunter22@"))
    assert "hunter22" not in said


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, serve: Serve) -> Server:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    answers = [[OK + b"Content-Length: 2\r\n\r\nhi"]] * 2
    return serve(*answers, tls=context)


def test_a_server_is_known_by_the_authority_of_its_target(
    secure: Server, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    assert body(came(secure.url, ca=str(tmp_path / "ca.pem"))) == b"hi"
    assert probe_url(secure.url, str(tmp_path / "ca.pem")) is None


def test_a_server_that_nobody_vouches_for_gets_no_key(secure: Server) -> None:
    said = failed(secure.url)
    assert "certificate" in said.lower()
    assert secure.requests == []
    assert "certificate" in (probe_url(secure.url) or "").lower()


def test_who_vouches_for_a_server_may_be_said_in_the_environment(
    secure: Server, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not trusted: unable to get local issuer certificate; SSL_CERT_FILE=" in failed(secure.url)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert body(came(secure.url)) == b"hi"


def test_a_certificate_that_is_over_is_told(
    serve: Serve, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    begun, over = (datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2020))
    authority.issue_cert("127.0.0.1", not_before=begun, not_after=over).configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = serve(tls=context)
    said = failed(server.url, ca=str(tmp_path / "ca.pem"))
    assert said == f"{server.url}: its certificate is not trusted: certificate has expired"


def test_a_server_of_plain_http_that_is_asked_over_https_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "TIMEOUT_CONNECT", 0.2)
    silent = serve([], keep=True)
    said = failed(silent.url.replace("http", "https"))
    assert said.endswith("timed out: nobody spoke TLS for 0 s; is it a server of plain http?")
    monkeypatch.undo()
    plain = serve(tls=Plain())
    said = failed(plain.url)
    assert said.startswith(f"{plain.url}: no TLS: ")


class Plain:
    """Says what a server of plain http says to what is none, in place of TLS."""

    def wrap_socket(self, connection: socket.socket, server_side: bool) -> socket.socket:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        return connection


# Through a proxy


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_another_machine_is_asked_through_the_proxy_which_reads_nothing_of_it(
    serve: Serve, authority: trustme.CA, tmp_path: Path, no_proxies: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("there.invalid").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    proxy = serve([OK + b"\r\n", context], [OK + b"Content-Length: 2\r\n\r\nhi"])
    no_proxies.setenv("HTTPS_PROXY", proxy.url.replace("//", "//user:p%40ss@"))
    assert body(came("https://there.invalid", ca=str(tmp_path / "ca.pem"))) == b"hi"
    asked, inside = proxy.requests
    assert asked.startswith(b"CONNECT there.invalid:443 HTTP/1.")
    assert b"Basic " + base64.b64encode(b"user:p@ss") in asked
    assert KEY.encode() not in asked
    assert inside.startswith(b"POST /ask HTTP/1.1\r\n")


def test_a_proxy_that_lets_nobody_through_is_named_without_its_password(
    serve: Serve, no_proxies: pytest.MonkeyPatch
) -> None:
    proxy = serve([b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n"])
    no_proxies.setenv("https_proxy", proxy.url.replace("//", "//user:hunter22@"))
    said = failed("https://there.invalid")
    assert said.startswith(f"https://there.invalid: through the proxy {proxy.url}: ")
    assert "407 Who are you?" in said
    assert "hunter22" not in said
    gone = unused()
    no_proxies.setenv("https_proxy", gone)
    assert failed("https://there.invalid").endswith(f"through the proxy {gone}: connection refused")


def test_this_machine_and_whom_no_proxy_names_are_asked_without_one(
    serve: Serve, no_proxies: pytest.MonkeyPatch
) -> None:
    proxy = serve([OK + b"Content-Length: 3\r\n\r\nvia"])
    no_proxies.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    no_proxies.setenv("NO_PROXY", "example.com,.invalid")
    here = serve([OK + b"Content-Length: 2\r\n\r\nhi"])
    assert body(came(here.url)) == b"hi"
    assert "proxy" not in failed("http://there.invalid")
    assert proxy.connections == 0
    no_proxies.setenv("NO_PROXY", "example.com")
    assert body(came("http://there.invalid")) == b"via"
    assert proxy.requests[0].startswith(b"POST http://there.invalid/ask HTTP/1.1\r\n")


@pytest.mark.parametrize("proxy", ["socks5://user:hunter22@127.0.0.1:1080", "http://"])
def test_a_proxy_that_speaks_no_http_is_a_wrong_usage(proxy: str, no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("ALL_PROXY", proxy)
    with pytest.raises(UsageError, match=r"^HTTPS_PROXY: expected http\(s\)://host") as raised:
        probe_url("https://there.invalid")
    assert "hunter22" not in str(raised.value)


# Is anybody there?


@pytest.mark.parametrize("status", [200, 302, 404, 500])
def test_somebody_is_there_whatever_they_say(serve: Serve, status: int) -> None:
    server = serve([f"HTTP/1.1 {status} X\r\nLocation: {unused()}\r\nContent-Length: 0\r\n\r\n".encode()])
    assert probe_url(server.url) is None
    assert len(server.requests) == 1


def test_what_does_not_end_is_read_so_far(serve: Serve) -> None:
    assert fetched(serve([OK + b"\r\n", *ENDLESS]).url, largest=5) == (200, b"     ")
    assert probe_url(serve([OK + b"\r\n", *ENDLESS]).url) is None
    server = serve([OK + b"\r\n", *[b"[" * 1000] * 1000])
    assert mock_at(server.url) == {"auth": "lenient", "http": server.url}


def test_nobody_is_there() -> None:
    url = unused()
    said = probe_url(url)
    assert said is not None
    assert said.startswith(f"{url}: ")
    assert "refused" in said.lower()
