"""The door for httpx: a route in a respx router, answered in the client's process.

respx stands where httpx, and the httpx2 that openai 3 is built on, hand a request to a connection; what a route gives
back takes the place of the network. Pools, retries, parsing and streams are the client's own.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httpx
import respx
from respx.mocks import Mocker
from respx.models import RouteList

from conformance.exchange import Request
from conformance.loading import Specs
from conformance.shapes import brief
from mockserver.effects import Answer, Cut, Head, Send, Stall, State, Transport, Upgrade, Wait, carry_out

__all__ = ["Mount", "hosts_of", "mount", "under"]

Answerer = Callable[[Request, float], Answer]
Place = Callable[[httpx.URL], str | None]
"""The raw target at the mock that a URL stands for; None: it is none of ours."""

EXPECTED = "the fixture respx_mock or httpx2_mock, respx.mock, respx.mock(using='httpcore2'), respx.Router()"
OPENAI = "httpcore2"
"""respx's name for what openai 3 sends with; the package pytest-httpx2 teaches it to respx."""

GONE = "Server disconnected without sending a response."
BROKEN_OFF = "peer closed connection without sending complete message body"
SILENT = "the mock says nothing more, as it was told to"
"""The words of httpx for a connection that ends, and ours for one that does not go on."""


def hosts_of(specs: Specs) -> Place:
    """Every provider at its own hosts."""
    patterns = [pattern for provider in specs.providers.values() for pattern in provider.hosts]

    def place(url: httpx.URL) -> str | None:
        netloc = url.netloc.decode("ascii").lower()
        return _target(url) if any(pattern.match(netloc) for pattern in patterns) else None

    return place


def under(base_url: str, prefix: str = "") -> Place:
    """What stands under `base_url`, as if that were the mock's own address and `prefix`.

    Raises ValueError for what is no http or https URL.
    """
    base = urlsplit(base_url)
    if base.scheme not in ("http", "https") or not base.netloc or base.query or base.fragment:
        raise ValueError(f"base_url: expected a URL such as https://llm.example.com/openai, got {base_url!r}")
    path = base.path.rstrip("/")
    origin = httpx.URL(f"{base.scheme}://{base.netloc}")

    def place(url: httpx.URL) -> str | None:
        target = _target(url)
        if (url.scheme, url.netloc) != (origin.scheme, origin.netloc):
            return None
        if target != path and not target.startswith((f"{path}/", f"{path}?")):
            return None
        return prefix + (target.removeprefix(path) or "/")

    return place


def _target(url: httpx.URL) -> str:
    return url.raw_path.decode("ascii")


def mount(router: Any, places: Sequence[Place], answer: Answerer, state: State) -> Mount:
    """Answers what stands at one of the `places`, after every other route of the router, made before or later.

    Without a router, respx routers of our own, for httpx and where pytest-httpx2 is installed for httpx2.
    Raises TypeError for what is no router of respx, ValueError for one that intercepts nothing.
    """
    with suppress(ModuleNotFoundError):
        importlib.import_module("pytest_httpx2")
    if router is None:
        names = [name for name in ("httpcore", OPENAI) if name in Mocker.registry]
        own = [respx.mock(using=name, assert_all_called=False) for name in names]
    elif not isinstance(router, respx.Router):
        raise TypeError(f"mount: expected a respx router ({EXPECTED}), got {brief(repr(router))}")
    else:
        own = []
    routers: list[respx.Router] = [*own] if router is None else [router]
    for each in routers:
        using = each.using if isinstance(each, respx.MockRouter) else None
        if using is not None and using not in Mocker.registry:
            raise ValueError(
                f"mount: the router is using={using!r}, which respx knows nothing of "
                f"(it knows {', '.join(sorted(Mocker.registry))}); {OPENAI} comes with: pip install pytest-httpx2"
            )
    return Mount(routers, own, places, answer, state)


class Mount:
    """The mock in respx routers, until it is closed: at the end of a `with` block or of the test."""

    def __init__(
        self,
        routers: Sequence[respx.Router],
        own: Sequence[respx.MockRouter],
        places: Sequence[Place],
        answer: Answerer,
        state: State,
    ) -> None:
        self._own = own
        self._mounted: list[tuple[respx.Router, _Mounted]] = []
        for router in routers:
            route = _Mounted(places, answer, state, _errors(router))
            # Not `router.add`, which puts the router's own base URL before every route.
            router.routes.add(route)
            # The list itself has to stay: `respx.routes` is that of `respx.mock`.
            router.routes.__class__ = _Ordered
            self._mounted.append((router, route))
        for started in own:
            started.start()

    @property
    def sees_httpx2(self) -> bool:
        """Whether a client of openai 3 is answered."""
        return any(
            isinstance(router, respx.MockRouter) and router.using == OPENAI for router, _ in self._mounted
        )

    def close(self) -> None:
        """Takes the mock out of the routers; a second time for nothing."""
        for started in self._own:
            started.stop()
        for router, route in self._mounted:
            kept = RouteList(router.routes)
            routes = [each for each in kept if each is not route]
            router.routes.clear()
            for each in routes:
                router.routes.add(each, name=each.name)
            if not any(isinstance(each, _Mounted) for each in routes):
                router.routes.__class__ = RouteList
        self._own, self._mounted = [], []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _errors(router: respx.Router) -> ModuleType:
    """The library whose exceptions are those of the connection that the router stands for."""
    mocker = Mocker.registry.get(router.using or "") if isinstance(router, respx.MockRouter) else None
    return importlib.import_module(mocker.targets[0].partition(".")[0] if mocker else "httpx")


class _Ordered(RouteList):
    """Routes, the user's own before those of a mock."""

    def __iter__(self) -> Iterator[respx.Route]:
        routes = list(super().__iter__())
        yield from (each for each in routes if not isinstance(each, _Mounted))
        yield from (each for each in routes if isinstance(each, _Mounted))


class _Mounted(respx.Route):
    """A mock among the routes of a router."""

    def __init__(self, places: Sequence[Place], answer: Answerer, state: State, errors: ModuleType) -> None:
        super().__init__()
        self._places, self._answer, self._state, self._errors = places, answer, state, errors
        self.side_effect = self._respond

    # By identity: a router merges routes of equal patterns, and this one has none.
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "<Route to mock_provider>"

    @property
    def called(self) -> bool:
        """True: `assert_all_called` is about the routes that a test expects, not about whoever answers the rest."""
        return True

    def _respond(self, request: httpx.Request) -> httpx.Response | None:
        target = next((found for place in self._places if (found := place(request.url)) is not None), None)
        if target is None:
            return None
        headers = tuple((_text(name), _text(value)) for name, value in request.headers.raw)
        asked = Request(request.method, target, headers, request.content)
        effects = cast(
            "Generator[Transport, None, None]", carry_out(self._answer(asked, time.time()), self._state)
        )
        return _response(request, effects, self._errors)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _response(
    request: httpx.Request, effects: Generator[Transport, None, None], errors: ModuleType
) -> httpx.Response:
    """The answer as httpx has it: a plain one whole, as respx records it; a stream as it comes."""
    head: Head | None = None
    for effect in effects:
        match effect:
            case Head():
                head = effect
                break
            case Wait(seconds):
                time.sleep(seconds)
            case Stall():
                raise errors.ReadTimeout(SILENT)
            case _:
                raise errors.RemoteProtocolError(GONE)
    if head is None:
        raise errors.RemoteProtocolError(GONE)
    headers = list(head.headers)
    bodiless = request.method == "HEAD" or head.status in (204, 304)
    body = _Body(effects, errors, bodiless)
    named = {name.lower() for name, _ in headers}
    if head.length is None:
        if not bodiless and "transfer-encoding" not in named:
            headers.append(("Transfer-Encoding", "chunked"))
    elif head.status != 204 and "content-length" not in named:
        headers.append(("Content-Length", str(head.length)))
    # respx lets a test read a plain answer once more; what breaks off in one is told at once.
    content: Any = {"stream": body} if head.length is None else {"content": b"".join(body)}
    extensions = {"http_version": b"HTTP/1.1"}
    return httpx.Response(head.status, headers=headers, request=request, extensions=extensions, **content)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body as it comes, an event at a time, with its real pauses; leaving it ends the work behind it."""

    def __init__(self, effects: Generator[Transport, None, None], errors: ModuleType, bodiless: bool) -> None:
        self._effects, self._errors, self._bodiless = effects, errors, bodiless

    def _piece(self, effect: Transport) -> bytes:
        """What goes to the client now; raises what a connection raises that ends or falls silent here."""
        match effect:
            case Send(data=data):
                return b"" if self._bodiless else data
            case Cut() | Upgrade():
                raise self._errors.RemoteProtocolError(BROKEN_OFF)
            case Stall():
                raise self._errors.ReadTimeout(SILENT)
        return b""

    def __iter__(self) -> Iterator[bytes]:
        for effect in self._effects:
            if isinstance(effect, Wait):
                time.sleep(effect.seconds)
            elif piece := self._piece(effect):
                yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import anyio

        for effect in self._effects:
            if isinstance(effect, Wait):
                await anyio.sleep(effect.seconds)
            elif piece := self._piece(effect):
                yield piece

    def close(self) -> None:
        self._effects.close()

    async def aclose(self) -> None:
        self.close()
