"""The door without sockets: botocore's own `before-send` event, answered in the client's process.

botocore asks whoever listens before it sends a request; what a listener gives back takes the
place of the network. Retries, parsing and streams are botocore's, as with a real connection.
"""

from __future__ import annotations

import importlib.util
import io
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from conformance.exchange import Request
from mockserver.effects import Answer, Cut, Head, Send, Stall, State, Transport, Wait, carry_out

__all__ = ["EVENT", "MOTO_SERVICE", "opened"]

EVENT = "before-send.bedrock-runtime"
MOTO_SERVICE = "bedrockruntime"
"""What moto calls the service; it has to stand aside, since it raises for operations it does not know."""

Answerer = Callable[[Request, float], Answer]


@contextmanager
def opened(answer: Answerer, state: State) -> Iterator[None]:
    """While the block runs, every boto3 session made in it asks `answer` instead of the network.

    moto's `mock_aws`, started in the block without a `core` configuration of its own, answers all
    other services. Needs boto3.
    """
    from botocore import handlers

    door = _Door(answer, state)
    entry = (EVENT, door, handlers.REGISTER_FIRST)
    with ExitStack() as stack:
        # A session that was made before knows nothing of the door.
        stack.enter_context(patch("boto3.DEFAULT_SESSION", None))
        stack.enter_context(_moto_aside())
        handlers.BUILTIN_HANDLERS.append(entry)
        stack.callback(handlers.BUILTIN_HANDLERS.remove, entry)
        yield


@contextmanager
def _moto_aside() -> Iterator[None]:
    if importlib.util.find_spec("moto") is None:
        yield
        return
    from moto.core.config import default_user_config

    passed = default_user_config["core"]["passthrough"]["services"]
    passed.append(MOTO_SERVICE)
    try:
        yield
    finally:
        passed.remove(MOTO_SERVICE)


class _Door:
    """Listens to `before-send`."""

    def __init__(self, answer: Answerer, state: State) -> None:
        self._answer, self._state = answer, state

    def __call__(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse
        from botocore.exceptions import ReadTimeoutError

        effects = carry_out(self._answer(_request(request), time.time()), self._state)
        first = next(effects)
        if not isinstance(first, Head):
            raise ReadTimeoutError(endpoint_url=request.url)
        raw = _Body(effects, request.url)
        return AWSResponse(request.url, first.status, _headers(first), raw)


def _headers(head: Head) -> Any:
    from botocore.awsrequest import HeadersDict

    headers = HeadersDict()
    for name, value in head.headers:
        headers[name] = value
    if head.length is not None:
        headers["Content-Length"] = str(head.length)
    return headers


def _request(request: Any) -> Request:
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = tuple((str(name), _text(value)) for name, value in request.headers.items())
    if not any(name.lower() == "host" for name, _ in headers):
        headers = (("Host", parts.netloc), *headers)
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    return Request(request.method, target, headers, body.encode() if isinstance(body, str) else bytes(body))


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


class _Body(io.RawIOBase):
    """The body as botocore reads it: at once, in parts, or as a stream with its real pauses."""

    def __init__(self, effects: Iterator[Transport], url: str) -> None:
        self._effects, self._url = effects, url
        self._left = b""

    def stream(self, amt: int | None = None, decode_content: bool | None = None) -> Iterator[bytes]:
        """Pieces as they come. Raises ProtocolError where the answer is cut, ReadTimeoutError where it stalls."""
        from urllib3.exceptions import ProtocolError, ReadTimeoutError

        if self._left:
            left, self._left = self._left, b""
            yield left
        for effect in self._effects:
            match effect:
                case Send(data=data):
                    yield data
                case Wait(seconds=seconds):
                    time.sleep(seconds)
                case Cut():
                    raise ProtocolError("Response ended prematurely")
                case Stall():
                    raise ReadTimeoutError(None, self._url, "Read timed out.")  # type: ignore[arg-type]

    def readable(self) -> bool:
        return True

    def read(self, amt: int | None = -1, **_: Any) -> bytes:
        """Up to `amt` bytes; all of them without one."""
        wanted = None if amt is None or amt < 0 else amt
        parts = []
        have = 0
        for piece in self.stream():
            parts.append(piece)
            have += len(piece)
            if wanted is not None and have >= wanted:
                break
        whole = b"".join(parts)
        if wanted is None:
            return whole
        self._left = whole[wanted:] + self._left
        return whole[:wanted]

    def close(self) -> None:
        """Ends the work behind the answer."""
        closing = getattr(self._effects, "close", None)
        if closing is not None:
            closing()
        super().close()
