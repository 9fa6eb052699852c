"""What a test holds in its hand: a mock to script, and to ask what it was asked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, get_args

from conformance.exchange import Request
from conformance.values import Finish, Part, Reasoning, Reply, Text, ToolCall, Turn
from mockserver.auth import Mode
from mockserver.effects import Answer, Fetch, Store
from mockserver.embedded import Running, start, without_sockets
from mockserver.environment import installed, variables
from mockserver.journal import Entry
from mockserver.memory import Memory
from mockserver.script import Step

if TYPE_CHECKING:
    import ssl

    from openai import OpenAI

    from mockserver.doors.httpx_door import Mount

__all__ = ["MockProvider", "Servers"]

RUNTIME, MANTLE = "bedrock-runtime", "bedrock-mantle"
REALITIES = ("documented", "observed")
CLIENTS = "the clients come with: pip install 'provider-conformance[clients]'"
RESPX = "the router comes with: pip install 'provider-conformance[respx]'"
HTTPX_ONLY = "the routers it is mounted on see httpx only, and openai 3 is built on httpx2: mount httpx2_mock"
NOWHERE = "https://mock-provider.invalid"
"""The address, in no network, of a mock that listens nowhere."""

SHOWN_CHARACTERS = 200


class Servers:
    """The mocks of one session, one for each way of checking, each reality, with sockets and without."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str, bool, str | None], Running] = {}
        self._sessions: dict[str, Any] = {}

    def provider(
        self,
        test: str,
        *,
        auth: str = "lenient",
        reality: str = "documented",
        in_process: bool = False,
        openai_profile: str | None = None,
        **limits: float,
    ) -> MockProvider:
        """The mock for one test. `limits` are quotas by their ids (`requests_per_minute=3`, `funds_usd_cents=0.5`).

        With `in_process` it listens nowhere; boto3 is answered inside this process.
        `openai_profile` answers at /v1 (`openai`, `open-responses`, ...).

        Raises ValueError for a mode, a reality, a profile or a quota that there is not.
        """
        for name, got, known in (("auth", auth, get_args(Mode)), ("reality", reality, REALITIES)):
            if got not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {got!r}")
        key = (auth, reality, in_process, openai_profile)
        if key not in self._running:
            how: dict[str, Any] = {"auth": auth, "reality": reality, "openai_profile": openai_profile}
            self._running[key] = (
                without_sockets(**how) if in_process else start(**how, puter_js=installed(os.environ))
            )
        running = self._running[key]
        quotas = {
            quota["id"]
            for provider in running.mock.specs.providers.values()
            for quota in provider.said.get("quotas", ())
        }
        for name, limit in limits.items():
            if name not in quotas:
                known_quotas = ", ".join(sorted(quotas))
                raise ValueError(
                    f"expected auth, reality, openai_profile, in_process or a quota ({known_quotas}), got {name!r}"
                )
            if limit < 0:
                raise ValueError(f"{name}: expected a limit of 0 or more, got {limit!r}")
        return MockProvider(running, test, limits, self._sessions)

    def stop(self) -> None:
        """Ends them all."""
        for running in self._running.values():
            running.stop()


class MockProvider:
    """Every provider of specs/ at one address, scripted and watched by one test."""

    def __init__(
        self, running: Running, test: str, limits: Mapping[str, float], sessions: dict[str, Any] | None = None
    ) -> None:
        self._running = running
        self._sessions = {} if sessions is None else sessions
        self._space_name = hashlib.sha256(test.encode()).hexdigest()[:12]
        assert isinstance(running.mock.state, Memory)
        self._memory: Memory = running.mock.state
        self._memory.forget(self._space_name)
        self._made: list[Step] = []
        self._mounts: list[Mount] = []
        if limits:
            self._memory.perform(Store(self._space_name, "limits", "all", dict(limits)))

    # Where it is

    def url(self, provider: str = "", *, tls: bool = False) -> str:
        """The base URL; with `provider` that provider's own (`bedrock-runtime`, `bedrock-mantle`, `puter`).

        Raises KeyError for a provider that specs/ does not have.
        """
        if self.in_process:
            raise ValueError(
                "in_process=True: the mock listens nowhere; boto3, and what `mount` sees, is answered without an address"
            )
        base = f"{self._running.https if tls else self._running.http}/~{self._space_name}"
        return base + self._running.mock.specs.providers[provider].prefix if provider else base

    @property
    def in_process(self) -> bool:
        """True if it listens nowhere."""
        return not self._running.http

    @contextmanager
    def door(self) -> Iterator[None]:
        """While the block runs, boto3 sessions made in it are answered by this test's mock, without sockets."""
        from mockserver.doors.boto_door import opened

        with opened(self._answer, self._running.mock.state):
            yield

    def mount(self, router: Any = None, *, base_url: str = "", provider: str = "") -> Mount:
        """Answers httpx and openai clients in this process, through a respx router: `mount(httpx2_mock)`.

        Answered is what goes to a provider's own host (https://api.openai.com), to this mock's address, and to
        `base_url` as if that were the address, or with `provider` (`openai`) that provider's. Routes of the user's own
        win, whenever they are made. openai 3 is built on httpx2, which `httpx2_mock` and respx.mock(using="httpcore2")
        see; `respx_mock` sees httpx. Without a router both are seen, by routers of our own. It ends with the test, or
        with a `with` block. A signature covers the path, so SigV4 and `provider` do not go together.

        Raises TypeError for what is no router of respx, ValueError for a URL that is none, KeyError for a provider
        that specs/ does not have.
        """
        try:
            from mockserver.doors import httpx_door
        except ModuleNotFoundError as error:
            error.add_note(RESPX)
            raise

        specs = self._running.mock.specs
        prefix = specs.providers[provider].prefix if provider else ""
        if provider and not base_url:
            raise ValueError("mount: expected a base_url with the provider that answers there, got none")
        places = [httpx_door.under(base_url, prefix)] if base_url else []
        own = (NOWHERE,) if self.in_process else (self._running.http, self._running.https)
        places += [httpx_door.under(each) for each in own]
        places.append(httpx_door.hosts_of(specs))
        mounted = httpx_door.mount(router, places, self._answer, self._running.mock.state)
        self._mounts.append(mounted)
        return mounted

    def _answer(self, request: Request, now: float) -> Answer:
        from mockserver.answer import answer

        return answer(self._running.mock, request, now, self._space_name)

    @property
    def info(self) -> Mapping[str, Any]:
        """What mock.json holds: keys, region, model, CA; addresses are this test's own."""
        if self.in_process:
            return self._running.info
        info = {**self._running.info, "http": self.url(), "https": self.url(tls=True)}
        if "puter_js" in info:
            info["puter_js"] = info["puter_js"].replace(self._running.http, self.url(), 1)
        return info

    @property
    def model(self) -> str:
        """The id of the seed model at Bedrock."""
        return str(self._running.info["model"])

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point unmodified clients at this test's mock."""
        if self.in_process:
            return {
                "AWS_ACCESS_KEY_ID": self._running.info["aws_access_key_id"],
                "AWS_SECRET_ACCESS_KEY": self._running.info["aws_secret_access_key"],
                "OPENAI_API_KEY": self._running.info["bearer"],
                "OPENAI_AGENTS_DISABLE_TRACING": "1",
            }
        return {name: value for name, value in variables(self.info).items() if value is not None}

    def bedrock_client(self, **options: Any) -> Any:
        """A boto3 client of bedrock-runtime; `options` go to `boto3.client` over ours."""
        try:
            import boto3
        except ModuleNotFoundError as error:
            error.add_note(CLIENTS)
            raise

        if self.in_process:
            named = {
                name: self._running.info[name] for name in ("aws_access_key_id", "aws_secret_access_key")
            }
            return boto3.Session().client(
                "bedrock-runtime", **{"region_name": self._running.info["region"], **named, **options}
            )
        session = self._sessions.get("boto3")
        if session is None:
            session = self._sessions["boto3"] = boto3.Session()
        # The environment's bearer key comes first; a key pair spares boto3 the search for one on the network.
        ours = {
            "aws_access_key_id": self._running.info["aws_access_key_id"],
            "aws_secret_access_key": self._running.info["aws_secret_access_key"],
            "region_name": self._running.info["region"],
            "endpoint_url": self.url(RUNTIME, tls=True),
            "verify": str(self._running.ca),
        }
        return session.client("bedrock-runtime", **{**ours, **options})

    def openai_client(self, **options: Any) -> OpenAI:
        """An OpenAI client of bedrock-mantle, or of the `openai_profile`; `options` go to `openai.OpenAI` over ours."""
        try:
            from openai import DefaultHttpxClient, OpenAI
        except ModuleNotFoundError as error:
            error.add_note(CLIENTS)
            raise

        asked = self._running.mock.openai_profile or MANTLE
        if self.in_process:
            at = NOWHERE + self._running.mock.specs.providers[asked].prefix
            if not self._mounts:
                self.mount()
        else:
            at = self.url(asked)
        ours: dict[str, Any] = {"base_url": f"{at}/v1", "api_key": self._running.info["bearer"]}
        if "http_client" not in options and not self.in_process:
            # By itself each client would read all roots of the system.
            ours["http_client"] = DefaultHttpxClient(verify=self._trust())
        return OpenAI(**{**ours, **options})

    def _trust(self) -> ssl.SSLContext:
        import ssl

        ca = str(self._running.ca)
        if ca not in self._sessions:
            self._sessions[ca] = ssl.create_default_context(cafile=ca)
        made: ssl.SSLContext = self._sessions[ca]
        return made

    # What it is to do

    def reply(
        self,
        text: str = "",
        *,
        tool_calls: Sequence[Mapping[str, Any]] = (),
        finish: str | None = None,
        reasoning: str = "",
        comments: int = 0,
    ) -> None:
        """The next answer: this text, these calls (`{"name": ..., "arguments": {...}}`), in every API's own form.

        `reasoning` comes before them, where the API shows any. With `comments` a stream of server-sent events has
        so many comment lines before each event, as one that is slow is kept alive.
        """
        if finish is not None and finish not in get_args(Finish):
            raise ValueError(f"finish: expected one of {', '.join(get_args(Finish))}, got {finish!r}")
        parts: list[Part] = [Reasoning(reasoning)] if reasoning else []
        parts += [Text(text)] if text else []
        given: Sequence[Any] = tool_calls
        for index, call in enumerate(given):
            if not isinstance(call, Mapping) or "name" not in call or set(call) - {"name", "arguments", "id"}:
                raise ValueError(
                    f"tool_calls[{index}]: expected {{'name': ..., 'arguments': {{...}}}} and perhaps 'id', got {call!r}"
                )
            parts.append(ToolCall(call.get("id", ""), call["name"], call.get("arguments", {})))
        reason: Any = finish or ("tool_calls" if tool_calls else "stop")
        self._add(Step(reply=Reply(tuple(parts), reason), comments=comments))

    def fail(self, error: str, *, times: int = 1, after_events: int | None = None) -> None:
        """The next `times` answers: the error of this contract name, as each API tells it.

        With `after_events` the answer is a stream that breaks off with the error after so many events.
        Raises ValueError for a name that no contract has; it lists those there are.
        """
        known = {name for each in self._running.mock.specs.contracts.values() for name in each.failures}
        if error not in known:
            import difflib

            close = difflib.get_close_matches(error, known, 3)
            raise ValueError(
                f"fail: no contract has an error {error!r}; closest: {', '.join(close) or 'none'}; "
                f"all: {', '.join(sorted(known))}"
            )
        for _ in range(times):
            self._add(Step(fail=error, after_events=after_events))

    def keep(self, kind: str, name: str, asked: Mapping[str, Any], *, says: str | None = None) -> None:
        """There is a `response`, a `conversation` or a `completion` called `name`, for every key in a copy of its own.

        It was made by the request `asked`, as its body would be posted, and says `says`; without it the simulated model
        answers. It can be looked at, gone on from, changed and deleted as any other. Raises ValueError for another kind.
        """
        from mockserver.services.samples import KEPT, MADE

        if kind not in MADE:
            raise ValueError(f"keep: expected one of {', '.join(MADE)}, got {kind!r}")
        kept = self._memory.perform(Fetch(self._space_name, KEPT, "all")) or {}
        made = {"as": kind, "asked": asked, "says": says}
        self._memory.perform(Store(self._space_name, KEPT, "all", {**kept, name: made}))

    def cut(self, *, after_events: int) -> None:
        """The next answer's stream ends after so many events, in the middle; those events arrive."""
        self._add(Step(after_events=after_events))

    def _add(self, step: Step) -> None:
        self._made.append(step)
        self._space().script.append(step)

    # What it was asked

    def _space(self) -> Any:
        return self._memory.space(self._space_name)

    @property
    def journal(self) -> list[Entry]:
        """Every request of this test, in order."""
        return list(self._space().journal)

    @property
    def requests(self) -> list[Turn]:
        """Every request for a completion, folded to a Turn: what was asked, in no API's words."""
        return [entry.turn for entry in self.journal if entry.turn is not None]

    def close(self) -> str | None:
        """Ends this test's space; what was scripted and never used, for a person, or None."""
        space = self._space()
        unused, entries = list(space.script), list(space.journal)
        self._memory.forget(self._space_name)
        blind = bool(self._mounts) and not any(each.sees_httpx2 for each in self._mounts)
        for each in self._mounts:
            each.close()
        if not unused:
            return None
        lines = [f"{len(unused)} of {len(self._made)} scripted answers were never asked for:"]
        lines += [f"  {step}" for step in unused]
        if not entries:
            where = "in this process" if self.in_process else f"to {self.url()}"
            lines.append(f"no request came {where}; is the client pointed elsewhere?")
            return "\n".join([*lines, *([HTTPX_ONLY] if blind else [])])
        taken = sum(entry.scripted for entry in entries)
        lines.append(f"requests that came: {len(entries)}, with a scripted answer: {taken}; the nearest:")
        return "\n".join([*lines, *_shown(_nearest(entries))])


def _nearest(entries: Sequence[Entry]) -> Entry:
    """Of these the request that a script could best have answered: a completion that none did, the last one."""
    return max(
        enumerate(entries), key=lambda each: (not each[1].scripted, each[1].turn is not None, each[0])
    )[1]


def _shown(entry: Entry) -> list[str]:
    lines = [f"  {entry.line()}"]
    if entry.turn is not None and entry.turn.messages:
        last = entry.turn.messages[-1]
        lines.append(f"  {last.role}: {last.text[:SHOWN_CHARACTERS]!r}")
    return lines
