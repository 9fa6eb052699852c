"""The mock over sockets: HTTP/1.1 and HTTP/2 on the same ports, plain and over TLS.

A connection begins with a `_Greeting`, which looks at the first bytes (or at what TLS agreed on)
and hands over to the protocol that they speak: aiohttp's low-level server for HTTP/1.1, and
`mockserver.doors.http2_door`, which is imported for the first client that speaks HTTP/2. What goes out
over HTTP/1.1 is written here: exactly the head that the answer gives, and pieces joined until
something waits.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import closing, suppress
from functools import partial
from http import HTTPStatus
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import InvalidURLError

from conformance.exchange import Headers, Request, header
from mockserver.effects import (
    Answer,
    Conversation,
    Cut,
    Head,
    Send,
    Stall,
    State,
    Transport,
    Upgrade,
    Wait,
    carry_out,
)
from mockserver.origins import readable
from mockserver.outgoing import LARGEST_BODY, PREFACE, ClientLeft, Outgoing, brief, text

__all__ = ["CannotListen", "Server"]

log = logging.getLogger("mockserver")

TLS_HANDSHAKE = b"\x16\x03"
PROTOCOLS = ("h2", "http/1.1")
"""What is offered to a client in TLS, the best first."""

_QUOTED = re.compile(r"""(: (?:bytearray\()?b['"](?:[A-Za-z]+(?:-[A-Za-z]+)*:|[A-Z]{3,7} )?).*""")
"""What aiohttp quotes of what is no HTTP, after a header's name or a method: all of it may be a key."""

_ABSOLUTE = re.compile(r"https?://(?:[^/?#@]*@)?(?P<host>[^/?#@]+)(?P<path>.*)", re.IGNORECASE | re.DOTALL)
"""A target as proxies are sent it; servers have to take it too (RFC 9112, 3.2.2)."""

JOINED = 1 << 16
"""Bytes of a body after which they are written, though nothing waits yet."""

BACKLOG = 4096
"""Connections that the system takes while we are busy: of more it lets clients wait for seconds."""

VERSIONS = ((1, 0), (1, 1))
LONGEST_LINE = 1 << 16
"""Of a request line or a header: keys that hold a presigned URL are long, and so are ARNs in a path."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REASONS = {status.value: status.phrase for status in HTTPStatus}
TLS_SHUTDOWN_SECONDS = 2.0
"""How long a client may take to agree that a TLS connection is over."""

POLL_SECONDS = 0.01
TURNS = 10
"""Of the loop, in which connections that were aborted are told so and work on them is cancelled."""


class CannotListen(OSError):
    """A port is taken, or cannot be had for another reason; `what` names it, `why` is the system's word."""

    def __init__(self, scheme: str, host: str, port: int, why: str) -> None:
        super().__init__(f"cannot serve {scheme} on {host}, port {port}: {why}")
        self.scheme, self.host, self.port, self.why = scheme, host, port, why


class Server:
    """Answers on every port it listens on. Is made, used and closed inside one running loop.

    `answer(request, now)` gives the effects; `state` carries out those that are no transport.
    """

    def __init__(self, answer: Callable[[Request, float], Answer], state: State) -> None:
        self._answer, self._state = answer, state
        self._loop = asyncio.get_running_loop()
        self._listeners: list[asyncio.Server] = []
        self._connections: set[asyncio.Transport] = set()
        self._answering: set[asyncio.Transport] = set()
        self._goodbyes: dict[asyncio.Transport, Callable[[], None]] = {}
        self._pauses: set[asyncio.Future[None]] = set()
        self._ending = False
        # A client that leaves cancels the work on its answer.
        self._http1 = web.Server(self._handle, handler_cancellation=True)

    async def listen(self, host: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """The port that it listens on now: `port`, or a free one for 0; https if there is a context.

        Raises CannotListen.
        """
        scheme, seconds = ("http", None) if context is None else ("https", TLS_SHUTDOWN_SECONDS)
        if context is not None:
            context.set_alpn_protocols(PROTOCOLS)
        try:
            listener = await self._loop.create_server(
                partial(_Greeting, self),
                host,
                port,
                ssl=context,
                ssl_shutdown_timeout=seconds,
                backlog=BACKLOG,
            )
        except OSError as error:
            raise CannotListen(scheme, host, port, _reason(error)) from error
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def close(self, grace: float) -> None:
        """Stops accepting and ends every connection; answers in the making have `grace` seconds.

        They wait no more and run to their end, so a client sees whole answers; what stalls is cut.
        """
        self._ending = True
        for listener in self._listeners:
            listener.close()
        for pause in self._pauses:
            _wake(pause)
        for goodbye in list(self._goodbyes.values()):
            goodbye()
        busy = {each for each in self._connections if each in self._answering or _unsent(each)}
        for transport in self._connections - busy:
            transport.abort()
        if busy:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), grace)
        for transport in list(self._connections):
            transport.abort()
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def _drained(self) -> None:
        """Comes back when every answer is out: none is being made and none lies in a buffer of ours."""
        while self._answering or any(_unsent(transport) for transport in self._connections):
            await asyncio.sleep(POLL_SECONDS)

    def choose(self, first: bytes, alpn: str | None = None) -> Callable[[], asyncio.Protocol] | None:
        """Makes the protocol that a client speaks, by its first bytes or ALPN; None: more are needed."""
        if alpn == "h2" or first.startswith(PREFACE):
            from mockserver.doors.http2_door import Http2

            return partial(Http2, self)
        if PREFACE.startswith(first) and alpn is None:
            return None
        if first.startswith(TLS_HANDSHAKE):
            return partial(
                _Refusal, self, 400, "this port serves http, and the client speaks https: use the other one"
            )
        return partial(_Http1, self, self._http1)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport, http = request.transport, cast("_Http1", request.protocol)
        if transport is None:
            return CLOSED
        if request.version not in VERSIONS:
            version = "HTTP/{}.{}".format(*request.version)
            return _refuse_aloud(transport, 505, f"expected HTTP/1.0 or HTTP/1.1, got {version}")
        if http.left and not request.content.is_eof():
            return CLOSED
        http.reads = True
        try:
            asked = await _read(request, transport)
        except _TooLarge as error:
            log.warning("413: a client sent too much: %s", error)
            return _refuse(transport, 413, str(error))
        finally:
            http.reads = False
        out = http.out = _Http1Outgoing(request, transport, self._ending)
        self.begins(transport)
        try:
            await self.respond(asked, out)
        finally:
            self.ends(transport)
            http.out = None
        return KEPT if out.keeps and not self._ending else CLOSED

    async def respond(self, asked: Request, out: Outgoing) -> None:
        """Sends the answer to its end, or to where it ends before: `out.keeps` is False then."""
        out.readable = readable(asked)
        try:
            await self._send(asked, out)
        except ClientLeft:
            out.keeps = False
        except Exception as error:
            # Without the query, which may hold a key.
            path = asked.target.partition("?")[0]
            log.exception("%s %s: a fault of the mock, not of the request", asked.method, path)
            out.keeps = False
            with suppress(ClientLeft):
                await out.fail(error)

    async def _send(self, asked: Request, out: Outgoing) -> None:
        steps = cast(
            "Generator[Transport, None, None]", carry_out(self._answer(asked, time.time()), self._state)
        )
        due = self._loop.time()
        with closing(steps):
            for step in steps:
                match step:
                    case Send(data):
                        out.add(data)
                        if out.size >= JOINED:
                            await out.flush()
                            # A client that reads as fast as we write must not hold the others up.
                            await asyncio.sleep(0)
                    case Head():
                        out.begin(step)
                    case Wait(seconds):
                        await out.flush()
                        due += seconds
                        out.waits = True
                        await self._pause(due)
                        out.waits = False
                    case Stall():
                        await out.flush()
                        out.keeps = False
                        if not out.deserted:
                            out.waits = True
                            await self._pause(None)
                        return
                    case Cut():
                        await out.flush()
                        out.keeps = False
                        return
                    case Upgrade(conversation):
                        out.waits, out.keeps = True, False
                        await out.converse(conversation, self._state, partial(self._pause, None))
                        return
            await out.finish()

    async def _pause(self, due: float | None) -> None:
        """Comes back at loop time `due`, or when the server ends; for None only then."""
        if self._ending:
            return
        pause = self._loop.create_future()
        timer = None if due is None else self._loop.call_at(due, _wake, pause)
        self._pauses.add(pause)
        try:
            await pause
        finally:
            self._pauses.discard(pause)
            if timer is not None:
                timer.cancel()

    def opened(self, transport: asyncio.Transport, goodbye: Callable[[], None] | None = None) -> None:
        """A connection is there. `goodbye` is called when the server ends: nothing new may begin on it."""
        self._connections.add(transport)
        if goodbye is not None:
            self._goodbyes[transport] = goodbye

    def closed(self, transport: asyncio.Transport) -> None:
        """A connection is gone."""
        self._connections.discard(transport)
        self._goodbyes.pop(transport, None)

    def begins(self, transport: asyncio.Transport) -> None:
        """An answer is being made on this connection, or several."""
        self._answering.add(transport)

    def ends(self, transport: asyncio.Transport) -> None:
        """No answer is being made on this connection any more."""
        self._answering.discard(transport)


def _wake(pause: asyncio.Future[None]) -> None:
    if not pause.done():
        pause.set_result(None)


def _unsent(transport: asyncio.Transport) -> bool:
    # asyncio's TLS transport forgets its protocol when it is closed twice, and then has no size.
    try:
        return transport.get_write_buffer_size() > 0
    except AttributeError:
        return False


def _reason(error: OSError) -> str:
    # asyncio puts the system's word into a sentence of its own: "[Errno 98] error while ... : word".
    return (error.strerror or str(error)).rpartition(": ")[2]


class _TooLarge(Exception):
    """A body that nobody wants in memory."""

    def __str__(self) -> str:
        return f"expected a body of at most {LARGEST_BODY:,} bytes, got one of more"


async def _read(request: web.BaseRequest, transport: asyncio.Transport) -> Request:
    """The request with its body. Raises _TooLarge."""
    target, headers = _origin(
        text(request.raw_path.encode("utf-8", "surrogateescape")),
        tuple((text(name), text(value)) for name, value in request.raw_headers),
    )
    if (request.content_length or 0) > LARGEST_BODY:
        raise _TooLarge
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1):
        transport.write(CONTINUE)
    body = bytearray()
    # Not request.read(), which refuses what is larger than 1 MiB: what is too large, the contract says.
    while piece := await request.content.readany():
        body += piece
        if len(body) > LARGEST_BODY:
            raise _TooLarge
    return Request(request.method, target, headers, bytes(body))


def _origin(target: str, headers: Headers) -> tuple[str, Headers]:
    """Target and headers as of a client that uses no proxy: what the absolute form of a target says, Host says."""
    parts = _ABSOLUTE.fullmatch(target)
    if parts is None:
        return target, headers
    path = parts["path"]
    return (path if path.startswith("/") else f"/{path}"), (
        ("Host", parts["host"]),
        *(each for each in headers if each[0].lower() != "host"),
    )


class _Http1Outgoing(Outgoing):
    """An answer in HTTP/1.1."""

    def __init__(self, request: web.BaseRequest, transport: asyncio.Transport, ending: bool) -> None:
        super().__init__(request.method)
        self._request, self._transport = request, transport
        self._head: bytes | None = None
        self._chunked, self._wrote = False, False
        self.keeps = request.keep_alive and not ending

    @property
    def deserted(self) -> bool:
        return cast("_Http1", self._request.protocol).left

    def _open(self, head: Head, headers: list[tuple[str, str]]) -> None:
        if head.length is None and not self._bodiless:
            if self._request.version >= (1, 1):
                self._chunked = True
                if header(head.headers, "transfer-encoding") is None:
                    headers.append(("Transfer-Encoding", "chunked"))
            else:
                # HTTP/1.0 knows no chunks: the end of the connection is the end of the body.
                self.keeps = False
        self._head = _head(self._request.version, head.status, self._connection(headers))

    def _connection(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        said = (header(tuple(headers), "connection") or "").lower()
        if "close" in said:
            self.keeps = False
        elif not self.keeps:
            headers = [(name, value) for name, value in headers if name.lower() != "connection"]
            headers.append(("Connection", "close"))
        elif not said and self._request.version < (1, 1):
            headers.append(("Connection", "keep-alive"))
        return headers

    async def flush(self) -> None:
        self._write(b"")
        await self._drain()

    async def _end(self) -> None:
        self._write(b"0\r\n\r\n" if self._chunked else b"")
        await self._drain()

    async def fail(self, error: Exception) -> None:
        if not self._wrote and not self._transport.is_closing():
            _refuse(
                self._transport, 500, brief(error), ("x-mock-error", type(error).__name__), *self.readable
            )

    async def converse(
        self, conversation: Conversation, state: State, pause: Callable[[], Awaitable[None]]
    ) -> None:
        from mockserver.doors.socket_door import converse

        self._wrote = True
        await converse(self._request, conversation, state, pause)

    def _framed(self, piece: bytes) -> bytes:
        # A chunk for each piece: a reader that takes chunks for events gets every event whole.
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece

    def _write(self, end: bytes) -> None:
        body = self._take()
        data = (self._head or b"") + body + end
        self._head = None
        if not data:
            return
        if self._transport.is_closing():
            raise ClientLeft
        self._wrote = True
        self._transport.write(data)

    async def _drain(self) -> None:
        try:
            await self._request.writer.drain()
        except ConnectionError as error:
            raise ClientLeft from error


def _head(version: tuple[int, int], status: int, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/{version[0]}.{version[1]} {status} {REASONS.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _refuse(
    transport: asyncio.Transport, status: int, said: str, *headers: tuple[str, str]
) -> web.StreamResponse:
    """Writes an answer that no contract knows, in plain text; the connection ends with it."""
    body = f"mockserver: {said}\n".encode()
    fields: Headers = (
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        *headers,
        ("Connection", "close"),
    )
    transport.write(_head((1, 1), status, list(fields)) + body)
    return CLOSED


def _refuse_aloud(transport: asyncio.Transport, status: int, said: str) -> web.StreamResponse:
    """As `_refuse`, and the log has it too."""
    log.warning("%d: a client sent what is no HTTP/1.1: %s", status, said)
    return _refuse(transport, status, said)


class _Sent(web.StreamResponse):
    """What aiohttp is given when the answer is out already: nothing is left to write."""

    def __init__(self, keeps: bool) -> None:
        super().__init__()
        self._keeps = keeps

    @property
    def keep_alive(self) -> bool:
        return self._keeps

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


KEPT, CLOSED = _Sent(True), _Sent(False)


class _Greeting(asyncio.Protocol):
    """Hears the first bytes of a connection, then hands it over to the protocol that they speak."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.opened(self._transport)
        tls = transport.get_extra_info("ssl_object")
        self._alpn = None if tls is None else tls.selected_alpn_protocol()

    def data_received(self, data: bytes) -> None:
        self._first += data
        make = self._server.choose(self._first, self._alpn)
        if make is not None:
            protocol = make()
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            protocol.data_received(self._first)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.closed(self._transport)


class _Refusal(asyncio.Protocol):
    """Tells a client, in HTTP/1.1, that nobody here speaks its protocol; and the user, in the log."""

    def __init__(self, server: Server, status: int, said: str) -> None:
        self._server, self._status, self._said = server, status, said

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._transport.is_closing():
            log.warning("%s", self._said)
            _refuse(self._transport, self._status, self._said)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._server.closed(self._transport)


class _Http1(web.RequestHandler):
    """aiohttp's side of a connection, with our words for what is no HTTP at all."""

    __slots__ = ("_accepted", "_answered", "_server", "left", "out", "reads")

    def __init__(self, server: Server, manager: web.Server) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp tests for it; its type forgets it
            # A signature covers the bytes that were sent.
            auto_decompress=False,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        self._server = server
        self._answered = 0
        self.reads = False
        """Whether a body is read that is not all there."""
        self.left = False
        """Whether the client has closed its side: it says no more, and is there or not."""
        self.out: Outgoing | None = None
        """The answer in the making."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._accepted = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's says nothing, which is False
        """Whether something is still to be said. Who closes its side during a wait has left, as most who do.

        With TLS asyncio gives no choice: both sides are closed.
        """
        self.left = True
        waits = self.reads or (self.out is not None and self.out.waits)
        return self.ssl_context is None and not waits and self._answered < self._request_count

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Counts the answers: the last one to a client that has closed its side ends the connection."""
        resp, reset = await super().finish_response(request, resp, start_time)
        self._answered += 1
        return CLOSED if self.left and self._answered >= self._request_count else resp, reset

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._server.closed(self._accepted)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuses what is no HTTP. aiohttp would log a traceback for each."""
        said = _QUOTED.sub(r"\1 ...", " ".join((message or str(exc) or "no HTTP").split()))
        if isinstance(exc, InvalidURLError):
            # All that aiohttp says of it is the target, which may hold a key.
            said = "expected a target that is a path or a URL, got something else"
        transport = request.transport
        return CLOSED if transport is None else _refuse_aloud(transport, status, said)
