"""A whole mock: specs, keys, certificates and listeners; in a loop of the caller's, or in a thread.

In its state directory it keeps `keys.json` and the certificates; `mock.json` is there only while
the mock is ready to answer.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib
import importlib.util
import json
import os
import random
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from conformance.contract import Provider
from conformance.exchange import Request
from conformance.loading import Specs, load
from mockserver.answer import answer
from mockserver.auth import Mode
from mockserver.credentials import Credentials, from_dict, make_credentials, to_dict, with_every_kind
from mockserver.effects import Answer, Head, Send
from mockserver.environment import forget_ended
from mockserver.mock import Mock
from mockserver.route import profiles
from mockserver.server import Server
from mockserver.tls import bundle, ensure_ca, extra, server_context

__all__ = ["Options", "Running", "in_thread", "loop_factory", "serving", "start", "without_sockets"]

INFO_PATH = "/_mock/info"
"""Says what mock.json holds, to a suite that knows the address only."""

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
"""Addresses to listen on that no client can ask, and what a client here asks instead."""

GRACE_SECONDS = 0.05
"""What answers in the making get when a mock in a thread ends: its caller waits for it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a mock is to be. A port of 0 is any free one."""

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 0
    tls_port: int = 0
    auth: Mode = "lenient"
    reality: str = "documented"
    broken: Sequence[str] = ()
    seed: int | None = None
    specs: Specs | None = None
    """None: those of this package."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Quotas by their ids, over those of the providers."""
    openai_profile: str | None = None
    """Who answers at the paths that the OpenAI family shares; None: who does by default."""
    puter_js: Path | None = None
    """Where puter.js is installed; None: it is not served."""


@dataclass(frozen=True, slots=True)
class Running:
    """A mock that is ready. `info` is what mock.json holds; `stop` ends it, a second time for nothing."""

    http: str
    https: str
    ca: Path
    info: Mapping[str, Any] = field(repr=False)
    mock: Mock = field(repr=False)
    stop: Callable[[], None] = field(repr=False)


def start(*, state_dir: Path | str | None = None, **options: Any) -> Running:
    """A mock in a thread of its own, as the other members of `Options` say.

    Without `state_dir` its files are gone when it stops. Raises CannotListen for a port that cannot
    be had, KeyError for a rule to break that nobody has, SpecError for a wrong file, ValueError for
    keys that cannot be read and for a `puter_js` that is not there.
    """
    temporary = None if state_dir is not None else tempfile.mkdtemp(prefix="mockserver-")
    try:
        wanted = Options(state_dir=Path(state_dir or temporary or ""), **options)
        (mock, info), leave = in_thread(lambda: serving(wanted, GRACE_SECONDS))
    except BaseException:
        _remove(temporary)
        raise

    def stop() -> None:
        leave()
        _remove(temporary)
        atexit.unregister(stop)

    atexit.register(stop)
    return Running(info["http"], info["https"], Path(info["ca"]), info, mock, stop)


def without_sockets(
    *, auth: Any = "lenient", reality: str = "documented", openai_profile: str | None = None
) -> Running:
    """A mock that listens nowhere, for doors inside the client's process; it has no address and no files."""
    specs = load()
    credentials = _made(specs, None)
    mock = Mock(specs, credentials, auth=auth, reality=reality, openai_profile=openai_profile)
    info = {**to_dict(credentials), **_models(specs), "auth": auth, "reality": reality}
    return Running("", "", Path(), info, mock, lambda: None)


@asynccontextmanager
async def serving(options: Options, grace: float) -> AsyncIterator[tuple[Mock, Mapping[str, Any]]]:
    """The mock and what mock.json holds, for as long as the block runs; it is ready at its beginning.

    Afterwards answers in the making have `grace` seconds. Raises what `start` raises.
    """
    state_dir = options.state_dir.resolve()
    # First: it says what is wrong with a directory that is none.
    ca = ensure_ca(state_dir)
    forget_ended(state_dir)
    specs = options.specs or load()
    credentials = _credentials(state_dir, specs, options.seed)
    library, library_path = _library(options.puter_js, specs)
    mock = Mock(
        specs,
        credentials,
        auth=options.auth,
        reality=options.reality,
        broken=options.broken,
        seed=options.seed,
        library=library,
        limits=options.limits,
        openai_profile=options.openai_profile,
    )
    info: dict[str, Any] = {}

    def answered(request: Request, now: float) -> Answer:
        if request.method == "GET" and request.target == INFO_PATH:
            return _tell(info)
        return answer(mock, request, now)

    server = Server(answered, mock.state)
    try:
        context = server_context(state_dir, [options.host] if options.host else [])
        port = await server.listen(options.host, options.port)
        tls_port = await server.listen(options.host, options.tls_port, context)
        host = WILDCARDS.get(options.host, options.host)
        host = f"[{host}]" if ":" in host else host
        info |= {
            "http": f"http://{host}:{port}",
            "https": f"https://{host}:{tls_port}",
            "ca": str(ca),
            "bundle": str(bundle(state_dir)),
            "node_ca": str(extra(state_dir)),
            **to_dict(credentials),
            **_models(specs),
            "auth": options.auth,
            "reality": options.reality,
            **_profiles(specs, options.openai_profile),
            "pid": os.getpid(),
        }
        if library is not None:
            info["puter_js"] = info["http"] + library_path
        with _announced(state_dir / "mock.json", info):
            yield mock, info
    finally:
        await server.close(grace)


def _remove(folder: str | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def in_thread(context: Callable[[], AbstractAsyncContextManager[T]]) -> tuple[T, Callable[[], None]]:
    """What the context gives, entered in a thread with a loop of its own; and a function that leaves it.

    What entering raises is raised here.
    """
    entered: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def stay() -> None:
        async with context() as value:
            leaving = asyncio.Event()
            entered.set_result((value, asyncio.get_running_loop(), leaving))
            await leaving.wait()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(stay())
        except BaseException as error:
            if entered.done():
                raise
            entered.set_exception(error)

    thread = threading.Thread(target=run, name="mockserver", daemon=True)
    thread.start()
    value, loop, leaving = entered.result()

    def leave() -> None:
        # A loop that is closed takes no calls.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(leaving.set)
        thread.join()

    return value, leave


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Makes uvloop's loop where it is installed (it pays for TLS); None: asyncio's own."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    made: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return made


def _tell(info: Mapping[str, Any]) -> Answer:
    body = json.dumps(info).encode()
    yield Head(200, (("Content-Type", "application/json"),), len(body))
    yield Send(body)


def _library(path: Path | None, specs: Specs) -> tuple[bytes | None, str]:
    """Puter's library, if the user says where it is, and the path it is served at. Raises NoLibrary."""
    if path is None:
        return None, ""
    from mockserver.browser.pages import find_library

    return find_library(path, specs)


def _credentials(state_dir: Path, specs: Specs, seed: int | None) -> Credentials:
    """The keys in the directory, made if there are none."""
    from filelock import FileLock

    path = state_dir / "keys.json"
    with FileLock(state_dir / "keys.lock"):
        if path.exists():
            try:
                stored = from_dict(json.loads(path.read_text(encoding="utf-8")))
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            made = with_every_kind(stored, os.urandom, _tokens(specs))
            if made == stored:
                return stored
        else:
            made = _made(specs, seed)
        _write(path, to_dict(made))
        return made


def _made(specs: Specs, seed: int | None) -> Credentials:
    """New keys, the same ones for the same seed."""
    entropy = os.urandom if seed is None else random.Random(f"keys {seed}").randbytes
    seller = next(each for each in specs.providers.values() if "made" in each.said["key"])
    forms = seller.said["key"]["made"]
    return make_credentials(seller.said["region"]["default"], entropy, forms=forms, tokens=_tokens(specs))


def _tokens(specs: Specs) -> Mapping[str, Any]:
    """Which Puter tokens a mock makes, as the provider's file has it."""
    schemes = (each.said["auth"].get("puter", {}) for each in specs.providers.values())
    return next(each["made"] for each in schemes if "made" in each)


def _models(specs: Specs) -> dict[str, str]:
    """The first model for each kind of key in mock.json."""
    return {
        name: str(_first(specs, scheme).said["model"])
        for name, scheme in (("model", "bearer"), ("puter_model", "puter"))
    }


def _profiles(specs: Specs, chosen: str | None) -> dict[str, str]:
    """Who answers at the paths that the OpenAI family shares, and the path at which Bedrock does."""
    default = next(each for each in profiles(specs).values() if "default_for" in each.said)
    path = str(default.said["openai_profile"][0])
    shared = chosen in (None, default.id)
    return {"openai_profile": chosen or default.id, "bedrock_path": path if shared else default.prefix + path}


def _first(specs: Specs, scheme: str) -> Provider:
    return next(each for each in specs.providers.values() if scheme in each.said["auth"])


@contextmanager
def _announced(path: Path, info: Mapping[str, Any]) -> Iterator[None]:
    """mock.json is there while the block runs, unless another mock has put its own in its place."""
    _write(path, info)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            if json.loads(path.read_text(encoding="utf-8")) == info:
                path.unlink()


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replaces the file as a whole; readable by its owner only."""
    # mkstemp creates with mode 0600.
    descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    Path(scratch).replace(path)
