"""The client's door: a request to a provider, and what came back, with its times.

Redirects are not followed and nothing is retried: what the provider does is what is looked at. An answer that does
not end is not waited for: it may have so many bytes and last so long, and who has been silent for too long is not
asked any more. Other machines are asked through the proxy that the environment names, this one never.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from conformance.exchange import Chunk, Ending, Headers, Request
from conformance.proxies import proxy_for, shown_to
from conformance.runs.store import Redactor
from conformance.target import Target

TIMEOUT_CONNECT, TIMEOUT_READ = 10.0, 120.0
"""Seconds. Slow starts of 60 s and more are known of hosted models."""

LONGEST_ANSWER = 600.0
"""Seconds until an answer is at its end, however little by little it comes."""

LARGEST_ANSWER = 8 << 20
"""Bytes of an answer, unpacked. Nothing that is asked here comes near it."""

READ_AT_ONCE = 1 << 16
"""Bytes that are unpacked at once, whatever they are packed into."""

CONTINUE, EARLY = 100, range(102, 200)
"""Statuses of what comes before an answer; 101 is one: the last that HTTP says on a connection."""

SILENT_SECONDS = 300.0
"""So long nobody has to wait for a target in vain, all its requests in a row together."""


class Asker:
    """Asks one target over kept connections; a silence longer than `patience` seconds (TIMEOUT_READ) ends an answer.

    Until it begins it has TIMEOUT_READ in any case: who falls silent is told from who is slow.
    """

    def __init__(self, target: Target, patience: float | None = None) -> None:
        self._target, self._patience = target, patience or TIMEOUT_READ
        self._pool = _Pool(target.endpoint, target.ca, TIMEOUT_READ, LONGEST_ANSWER)
        self._redact = Redactor(target.secrets)
        self._in_vain, self._last = 0.0, ""

    def ask(self, request: Request) -> tuple[int, Headers, tuple[Chunk, ...], Ending] | str:
        """Status, headers, chunks and how it ended; or why no response came, without keys.

        `request.target` is the path under the target's endpoint. After SILENT_SECONDS of answers that did not come to
        their end nothing is sent any more.
        """
        url = self._target.endpoint + request.target
        if self._in_vain >= SILENT_SECONDS:
            return f"not asked: {self._in_vain:.0f} s were waited for answers in vain, the last time {self._last}"
        came = self._ask(url, request)
        if isinstance(came, str):
            # What came instead of a response may quote the request.
            came = self._last = self._redact.text(f"{_endpoint(url)}: {came}")
        elif came[3] == "cut":
            self._last = f"{_endpoint(url)}: the answer was cut"
        else:
            self._in_vain = 0.0
            return came
        self._in_vain += time.monotonic() - self._pool.begun
        return came

    def _ask(self, url: str, request: Request) -> tuple[int, Headers, tuple[Chunk, ...], Ending] | str:
        with self._pool.asked(request.method, url, request.headers, request.body) as (response, late):
            if isinstance(response, str):
                return response
            chunks, ending = self._read(response, late)
        if late.is_set():
            return f"the answer had not ended after {LONGEST_ANSWER:.0f} s"
        if ending is None:
            return f"expected an answer of at most {LARGEST_ANSWER:,} bytes, got one of more"
        return response.status, tuple(response.headers.items()), tuple(chunks), ending

    def _read(self, response: Any, late: threading.Event) -> tuple[list[Chunk], Ending | None]:
        """The chunks and how it ended: None if it is too large, or too late."""
        chunks: list[Chunk] = []
        size, begun = 0, self._pool.begun
        self._pool.wait_at_most(self._patience)
        try:
            while data := response.read1(READ_AT_ONCE, decode_content=True):
                chunks.append(Chunk(data, round(time.monotonic() - begun, 6)))
                size += len(data)
                if size > LARGEST_ANSWER or late.is_set():
                    response.close()
                    return [], None
            response.release_conn()
            # A body shorter than its Content-Length: urllib3 does not tell, as it was not asked for so many bytes.
            return chunks, "cut" if response.length_remaining else "complete"
        except self._pool.errors:
            response.close()
            return chunks, "cut"

    def close(self) -> None:
        """Ends the kept connections."""
        self._pool.close()


class _Pool:
    """Connections of one asker, which asks one thing at a time; what takes `longest` seconds is cut off."""

    def __init__(self, endpoint: str, ca: str | None, patience: float, longest: float) -> None:
        import urllib3

        how: dict[str, Any] = {"timeout": urllib3.Timeout(connect=TIMEOUT_CONNECT, read=patience)}
        how |= {"ca_certs": ca} if ca and endpoint.startswith("https") else {}
        self._proxy = proxy_for(endpoint)
        if self._proxy is None:
            self._made = urllib3.PoolManager(retries=False, **how)
        else:
            shown = shown_to(self._proxy)
            self._made = urllib3.ProxyManager(self._proxy, proxy_headers=shown, retries=False, **how)
        self._made.pool_classes_by_scheme = {
            "http": self._watched(urllib3.HTTPConnectionPool),
            "https": self._watched(urllib3.HTTPSConnectionPool),
        }
        self._headers = urllib3.HTTPHeaderDict
        self.errors: tuple[type[Exception], ...] = (urllib3.exceptions.HTTPError, OSError)
        """What comes of a server, and is no fault of ours."""
        self.begun, self._longest = 0.0, longest
        self._connection: Any = None

    def _watched(self, pool: Any) -> Any:
        """The kind of pool, whose connections tell us which of them is in use, and take no 103 for an answer."""
        mine = self

        class Response(pool.ConnectionCls.response_class):  # type: ignore[misc]
            def _read_status(self) -> tuple[str, int, str]:
                version, status, reason = super()._read_status()
                # http.client passes over what comes before an answer, but for 100 only.
                return version, CONTINUE if status in EARLY else status, reason

        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            response_class = Response

            def request(self, *arguments: Any, **named: Any) -> None:
                mine._connection = self
                super().request(*arguments, **named)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    @contextmanager
    def asked(
        self, method: str, url: str, headers: Headers, body: bytes
    ) -> Iterator[tuple[Any, threading.Event]]:
        """The response with its body unread, or why there is none; and whether it came to an end too late."""
        named = self._headers()
        for name, value in headers:
            named.add(name, value)
        self.begun, self._connection = time.monotonic(), None
        late = threading.Event()
        watch = threading.Timer(self._longest, self._cut_off, [late])
        watch.daemon = True
        watch.start()
        try:
            try:
                response = self._made.request(
                    method, url, body=body or None, headers=named, preload_content=False, redirect=False,
                    decode_content=True,
                )  # fmt: skip
            except self.errors as error:
                over = f"no answer after {self._longest:.0f} s, only what comes before one"
                yield over if late.is_set() else self._why(url, error), late
            else:
                yield response, late
        finally:
            watch.cancel()

    def wait_at_most(self, seconds: float) -> None:
        """From here on the answer that is read may be silent for so long."""
        # A connection that ends with its answer has given its socket away: then what was said for the head holds.
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            sock.settimeout(seconds)

    def _why(self, url: str, error: BaseException) -> str:
        """Why no response came."""
        from urllib3.exceptions import ReadTimeoutError

        from conformance.unanswered import words

        said = words(error)
        if self._connection is None and isinstance(error, ReadTimeoutError):
            # Only a handshake reads before there is a request.
            said = f"timed out: nobody spoke TLS for {TIMEOUT_CONNECT:.0f} s; is it a server of plain http?"
        return said if self._proxy is None else f"through the proxy {_endpoint(self._proxy)}: {said}"

    def _cut_off(self, late: threading.Event) -> None:
        import socket

        late.set()
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            # Whoever waits for it, waits no more. Over TLS too: a TLS socket's own shutdown would have it read on in plain.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the kept connections."""
        self._made.clear()


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def probe_url(url: str, ca: str | None = None) -> str | None:
    """Why nobody answers at `url`; None if somebody does, whatever they say."""
    came = fetched(url, ca, largest=0)
    return f"{_endpoint(url)}: {came}" if isinstance(came, str) else None


def fetched(url: str, ca: str | None = None, largest: int = 1 << 20) -> tuple[int, bytes] | str:
    """The status and the first bytes, `largest` of them, of what is at `url`; or why nobody answers."""
    pool = _Pool(url, ca, TIMEOUT_CONNECT, TIMEOUT_READ)
    try:
        with pool.asked("GET", url, (), b"") as (response, _):
            if isinstance(response, str):
                return response
            try:
                return response.status, response.read(largest) if largest else b""
            except pool.errors as error:
                from conformance.unanswered import words

                return words(error)
            finally:
                response.close()
    finally:
        pool.close()
