"""A request in, an answer out, as effects: route, check, ask the model, say it in the API's words.

Nothing here knows a provider: which checks there are and in which order, what each refusal
looks like and what an answer has to hold stand in the contract.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from functools import cached_property
from typing import Any

import orjson

from conformance.breakage import (
    Unbroken,
    broken_as_can_be,
    broken_reply,
    broken_response,
    broken_turn,
    broken_wire,
    implied,
    varied,
    wire_as_can_be,
    with_headers,
    without,
)
from conformance.contract import Card, Contract, Failure, Provider, Specs, fill
from conformance.dialects import Context, Guard, dialect
from conformance.exchange import Headers, Request, Response
from conformance.framing import dump, encode, encode_event, named
from conformance.judge import judge_request
from conformance.select import change, parts, select
from conformance.shapes import Mismatch, brief
from conformance.values import Media, Reply, ToolCall, ToolResult, Turn, Usage
from mockserver import tokens
from mockserver.auth import TIMESTAMP, Mode, Principal, Refused, authenticate
from mockserver.credentials import Credentials
from mockserver.effects import (
    Answer,
    Cut,
    Enter,
    Fetch,
    Head,
    Note,
    Script,
    Send,
    Spend,
    Stall,
    State,
    Store,
    Tally,
    Upgrade,
)
from mockserver.guarding import Guarding
from mockserver.journal import Entry, summary
from mockserver.memory import Memory
from mockserver.metering import amounts, told
from mockserver.origins import leave, readable
from mockserver.quota import MICROCENTS, Counted, counted, price, refuse_unknown
from mockserver.route import Route, choose, closest, route
from mockserver.script import Step

BREAK, CONTRACT, REFUSED, SAYS, REALITY, ERROR = (
    "x-mock-break",
    "x-mock-contract",
    "x-mock-refused",
    "x-mock-says",
    "x-mock-reality",
    "x-mock-error",
)
"""Headers of ours: what to break; which contract answered; which check refused, and what it says."""


class Mock:
    """Everything one running mock knows. `limits` are quotas by their ids, over those of the providers.

    Raises KeyError for a rule to break that nobody has, ValueError for a quota that there is not.
    """

    def __init__(
        self,
        specs: Specs,
        credentials: Credentials,
        *,
        auth: Mode = "lenient",
        reality: str = "documented",
        broken: Sequence[str] = (),
        seed: int | None = None,
        state: State | None = None,
        library: bytes | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        refuse_unknown(specs, limits or {})
        for name in broken:
            if name in specs.broken:
                continue
            if ":" in name or not any(rule.id == name for rule in specs.rules()):
                specs.rule(name)
        self.specs, self.credentials, self.auth, self.reality = specs, credentials, auth, reality
        self.broken, self.seed = tuple(broken), seed
        self.limits = dict(limits or {})
        self.state: State = state or Memory()
        self.library = library
        """Puter's own library as its package has it, None if nobody gave one."""

    def summary(self) -> list[str]:
        """What was asked and refused, line by line, over all spaces."""
        if not isinstance(self.state, Memory):
            return []
        return summary(entry for space in self.state.spaces() for entry in space.journal)


class _Ids:
    """Random ids; with a seed the same ids for the same request, in any process."""

    def __init__(self, seed: int | None, request: Request) -> None:
        if seed is None:
            # Unguessable, and one call for all the ids of a request instead of one for each character.
            self._random = random.Random(os.urandom(32))
        else:
            digest = hashlib.sha256(
                f"{seed}\n{request.method} {request.target}\n".encode() + request.body
            ).digest()
            self._random = random.Random(int.from_bytes(digest[:8], "big"))

    def uuid(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) % 4]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    def token(self, length: int, alphabet: str) -> str:
        return "".join(self._random.choices(alphabet, k=length))

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A check says no: the condition, what fills the texts, and where in the body."""

    condition: str
    details: Mapping[str, Any] = field(default_factory=dict)
    mismatch: Mismatch | None = None

    def says(self) -> str:
        """Why, for a person."""
        if self.mismatch is not None:
            return str(self.mismatch)
        told = ", ".join(f"{key} {brief(value)}" for key, value in self.details.items())
        return told or self.condition.replace("-", " ")


Check = Generator[Any, Any, Refusal | None]


def answer(mock: Mock, request: Request, now: float, space: str = "") -> Answer:
    """The effects that answer `request` at Unix time `now`."""
    routed = route(mock.specs, request, space)
    if routed.provider is None:
        yield from _nobody(mock, request, routed, now)
        return
    yield from _Answering(mock, request, routed, routed.provider, now).run()


def _nobody(mock: Mock, request: Request, routed: Route, now: float) -> Answer:
    asked_leave = leave(request)
    if asked_leave is not None:
        # The page is told by the request itself that nobody serves the path, not by its browser that it may not ask.
        yield Head(204, asked_leave, 0)
        return
    near = closest(mock.specs, routed.path)
    text = f"no contract for {request.method} {routed.path}; closest: {', '.join(near) or 'none'}\n"
    yield Note(routed.space, Entry(now, request.method, routed.path, None, 404, "unknown-path", text.strip()))
    body = text.encode()
    headers = (("Content-Type", "text/plain; charset=utf-8"), (ERROR, "no contract for this path"))
    yield Head(404, (*headers, *readable(request)), len(body))
    yield Send(body)


class _Answering:
    """One request on its way through the checks to its answer."""

    def __init__(self, mock: Mock, request: Request, routed: Route, provider: Provider, now: float) -> None:
        self.mock, self.request, self.routed, self.provider, self.now = mock, request, routed, provider, now
        self.specs = mock.specs
        self.ids = _Ids(mock.seed, request)
        self.request_id = self.ids.uuid()
        self.contract: Contract | None = None
        self.parameters: Mapping[str, str] = {}
        self.body: Any = None
        self.body_error: str | None = None
        self.principal = Principal("anonymous", "none")
        self.model: str | None = None
        self.card: Card | None = None
        self.profile: str | None = None
        self.turn: Turn | None = None
        self.history: list[Any] = []
        self.guarding: Guarding | None = None
        self.entered: list[tuple[str, int]] = []
        self.reserved: tuple[str, float, float] | None = None
        self.cap_left: int | None = None
        self.operations: list[Mapping[str, Any]] = []
        self.habits: list[Mapping[str, Any]] = []
        """Operations on every answer, those that they change nothing of too."""
        self.implied_rules: list[Any] = []
        self.unbroken: str | None = None
        self.latency_ms = self.ids.number(180, 620)

    # The way through

    def run(self) -> Answer:
        self._parse()
        if self.request.method == "OPTIONS" and "preflight" in self.provider.said:
            self.contract = next((each for each, _ in self.routed.contracts), None)
            yield from self._preflight()
            return
        chosen = choose(self.routed, self.body, self._speaks)
        if chosen is None:
            self._prepare_breakage()
            condition = "wrong-method" if self.routed.others else "unknown-path"
            yield from self._refuse(
                Refusal(condition, {"path": self.routed.path, "method": self.request.method})
            )
            return
        self.contract, self.parameters = chosen
        self._prepare_breakage()
        try:
            forced = next((each["refuse"] for each in self.operations if "refuse" in each), None)
            if forced is not None:
                yield from self._fail(self.contract.failures[forced], {}, "break", forced)
                return
            instead = next((each["instead"] for each in self.operations if "instead" in each), None)
            if instead is not None:
                yield from self._replay(self.contract.exchanges[instead])
                return
            refusal = yield from self._check()
            if refusal is not None:
                yield from self._refuse(refusal)
                return
            yield from self._answer()
        finally:
            yield from self._settle(None)
            for quota, limit in self.entered:
                yield Enter(self.routed.space, quota, limit, leave=True)

    def _speaks(self, contract: Contract, parameters: Mapping[str, str]) -> bool:
        """Whether the contract has the form of the bodies for the model that the path names."""
        where = contract.model_at or {}
        card, _ = self.specs.named(self.provider, parameters.get(where.get("path", ""), ""))
        return card is None or contract.speaks(card.id_at(self.provider))

    def _parse(self) -> None:
        if not self.request.body:
            return
        try:
            self.body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            self.body_error = str(error)

    def _prepare_breakage(self) -> None:
        """The operations of the rules that this request has to see broken.

        A rule named with its contract is broken on that contract's requests, and on those of its
        provider that no contract answers; a bare id on every contract that has such a rule.
        """
        asked = self.request.header(BREAK)
        names = [*self.mock.broken, *(name.strip() for name in (asked or "").split(",") if name.strip())]
        for name in names:
            for habit in self.specs.broken.get(name, {}).get("operations", ()):
                (self.habits if habit.keys() & {"exchange", "wire"} else self.operations).append(habit)
            contract_id, _, rule_id = name.rpartition(":")
            contract = self.contract
            if contract is None and contract_id:
                contract = self.specs.contracts.get(contract_id)
            if contract is None or contract.provider != self.provider or contract_id not in ("", contract.id):
                continue
            rule = contract.rules.get(rule_id)
            if rule is not None:
                if rule.implied:
                    self.implied_rules.append(rule)
                self.operations.extend(rule.broken_by)

    def _skipped(self) -> set[str]:
        return {name for each in self.operations for name in each.get("skip", ())}

    def _check(self) -> Generator[Any, Any, Refusal | None]:
        assert self.contract is not None
        skipped = self._skipped()
        for name in self.contract.checks:
            if name in skipped:
                continue
            refusal = yield from _CHECKS[name](self)
            if refusal is not None:
                return refusal
        return None

    # Checks, by the names that contracts list

    def size(self) -> Check:
        assert self.contract is not None
        limit = self.contract.request.get("limit_bytes")
        yield from ()
        if limit is not None and len(self.request.body) > limit:
            return Refusal("body-too-large", {"limit": limit, "requested": len(self.request.body)})
        return None

    def content_type(self) -> Check:
        assert self.contract is not None
        allowed = self.contract.request.get("content_types")
        yield from ()
        if allowed is None or self.contract.request.get("body") is None:
            return None
        got = (self.request.header("content-type") or "").lower().replace(" ", "")
        if got in allowed or got.split(";charset=")[0] in allowed:
            return None
        return Refusal("unsupported-content-type", {"expected": " or ".join(allowed), "got": got or "none"})

    def authentication(self) -> Check:
        assert self.contract is not None
        yield from ()
        found = authenticate(
            self.contract.auth, self.request, self.body, self.mock.credentials, self.mock.auth, self.now
        )
        if isinstance(found, Refused):
            return Refusal(found.condition, found.details)
        self.principal = found
        return None

    def json(self) -> Check:
        assert self.contract is not None
        yield from ()
        if self.contract.request.get("body") is None:
            return None
        if self.body_error is not None:
            return Refusal("body-not-json", {"expected": "JSON", "got": self.body_error})
        if self.body is None:
            self.body = {}
        return None

    def headers(self) -> Check:
        return (yield from self._shape(lambda found: found.at.startswith("headers:"), "request-headers"))

    def shape(self) -> Check:
        refusal = yield from self._shape(lambda found: found.at.startswith("path:"), "path-parameter")
        return refusal or (
            yield from self._shape(
                lambda found: not found.at.startswith(("headers:", "path:")), "request-shape"
            )
        )

    @cached_property
    def _mismatches(self) -> list[Mismatch]:
        assert self.contract is not None
        return judge_request(self.contract, self.request, self.body, self.parameters)

    def _shape(self, wanted: Any, condition: str) -> Check:
        yield from ()
        for found in self._mismatches:
            if wanted(found):
                at = found.at.partition(":")[2] or found.at
                details = {
                    "pointer": at,
                    "member": ".".join(parts(at)) if at else "body",
                    "last": parts(at)[-1] if at else "body",
                    "expected": found.expected,
                    "got": found.got if isinstance(found.got, str) else brief(found.got),
                }
                return Refusal(condition, details, found)
        return None

    def find_model(self) -> Check:
        """Which model is asked, and what its card says."""
        assert self.contract is not None
        where = self.contract.model_at
        yield from ()
        if where is None:
            return None
        if "path" in where:
            self.model = self.parameters.get(where["path"])
        else:
            found = select(self.body, where["body"])
            self.model = found[0][1] if found and isinstance(found[0][1], str) else None
        self.model = self.model or self.provider.said.get("unnamed_model")
        if not self.model:
            return Refusal("missing-model", {"member": parts(where.get("body", "/model"))[-1]})
        self.card, self.profile = self.specs.named(self.provider, self.model)
        if self.card is None:
            return Refusal("unknown-model", {"model": self.model})
        return None

    def api(self) -> Check:
        yield from ()
        contract = self.contract
        assert contract is not None
        if self.card is None or contract.offer is None:
            return None
        prefix = self.card.value(f"prefixes.{self.provider.id}", self.mock.reality)
        elsewhere = prefix is not None and not self.routed.path.startswith(f"{prefix}/")
        if elsewhere or self.card.offers(f"api:{contract.offer}", self.mock.reality) is not True:
            return Refusal("model-lacks-api", {"model": self.model, "path": self.routed.path})
        bare_only = contract.request.get("bare_ids", False)
        if bare_only and self.profile is not None:
            return Refusal("model-lacks-api", {"model": self.model, "path": self.routed.path})
        bare = self.profile is None and "profiles" in self.provider.said and not bare_only
        if bare and self.card.offers("on_demand", self.mock.reality) is False:
            return Refusal("profile-needed", {"model": self.model})
        if self.card.offers("legacy", self.mock.reality):
            return Refusal("legacy-model", {"model": self.model})
        if not contract.speaks(self.card.id_at(self.provider)):
            got = f"{contract.id} has not the form of bodies for {self.model}; ask it by another API"
            return Refusal("unspoken-body", {"got": got})
        return None

    @property
    def region(self) -> str | None:
        """The region of the credentials, of the host name, or the one this mock stands for."""
        return self.principal.region or self.routed.region

    def in_region(self) -> Check:
        yield from ()
        if self.card is None or self.region is None:
            return None
        places = [self.card.offers(f"region:{self.region}", self.mock.reality)]
        if self.profile is not None:
            within = self.provider.said["profiles"][self.profile]["regions"]
            # A profile sends the request where the model is; it has to be one of the Region that is asked.
            places = [within is None or self.region in within]
        if False in places:
            return Refusal("region-not-offered", {"model": self.model, "region": self.region})
        return None

    def _read_turn(self) -> Turn:
        assert self.contract is not None and self.contract.dialect is not None
        if self.turn is None:
            turn = dialect(self.contract.dialect).read(self.body, self.contract.profile)
            header = self.contract.request.get("tier_header")
            tier = turn.tier or (self.request.header(header) if header else None)
            self.turn = replace(turn, model=self.model, stream=self.contract.streams, tier=tier)
        return self.turn

    def tier(self) -> Check:
        yield from ()
        turn = self._read_turn()
        if self.card is None or turn.tier is None:
            return None
        if self.card.offers(f"tier:{turn.tier}", self.mock.reality) is False:
            return Refusal("tier-not-offered", {"model": self.model, "tier": turn.tier, "got": turn.tier})
        return None

    def features(self) -> Check:
        yield from ()
        turn = self._read_turn()
        blocks = set(turn.extras.get("blocks", ()))
        cached = blocks & set(self._contract.request.get("cache_blocks", ()))
        if cached and self.card is not None and self.card.offers("prompt_caching") is False:
            return Refusal("prompt-caching-not-offered", {"model": self.model})
        return None

    def guardrail(self) -> Check:
        """The guardrail that the request names, if it names one."""
        from mockserver.guarding import Unknown, named

        yield from ()
        region = self._values({})["region"]
        try:
            self.guarding = named(
                self.specs, self._contract, self.request, self.body, region, self.latency_ms
            )
        except Unknown as error:
            return Refusal("unknown-guardrail", {"got": str(error)})
        return None

    def modality(self) -> Check:
        yield from ()
        if self.card is None:
            return None
        for part in _media(self._read_turn()):
            if part.kind in _KINDS and self.card.offers(f"input:{part.kind}", self.mock.reality) is False:
                return Refusal("input-modality", {"model": self.model, "modality": part.kind})
        return None

    def media(self) -> Check:
        from mockserver.hearing import hear
        from mockserver.vision import UnreadableMedia, look

        yield from ()
        beyond = self._beyond_media()
        if beyond is not None:
            return beyond
        opened = {"image": look, "audio": hear}
        for part in _media(self._read_turn()):
            if part.kind in opened and part.url is None:
                try:
                    opened[part.kind](part.data or b"")
                except UnreadableMedia as error:
                    return Refusal("media-unreadable", {"modality": part.kind, "got": str(error)})
        return None

    def _beyond_media(self) -> Refusal | None:
        """The first block above one of the contract's limits."""
        from mockserver.limits import beyond

        limits = self._contract.request.get("media")
        if not limits or self.card is None:
            return None
        found = beyond(self._read_turn(), limits, self.card.id_at(self.provider))
        return None if found is None else Refusal(*found)

    def tools(self) -> Check:
        yield from ()
        turn = self._read_turn()
        if turn.tools and self.card is not None and self.card.offers("tools") is False:
            return Refusal("tools-not-offered", {"model": self.model})
        open_calls: set[str] = set()
        for message in turn.messages:
            for part in message.parts:
                if isinstance(part, ToolCall):
                    open_calls.add(part.id)
                elif isinstance(part, ToolResult) and part.id not in open_calls and not self.history:
                    return Refusal(
                        "tool-ids-mismatch", {"got": part.id, "expected": ", ".join(open_calls) or "none"}
                    )
        return None

    def cap(self) -> Check:
        yield from ()
        turn = self._read_turn()
        limit = self.card.value("max_output", self.mock.reality) if self.card else None
        if limit is not None and turn.max_tokens is not None and turn.max_tokens > limit:
            return Refusal(
                "output-cap-exceeded", {"limit": limit, "requested": turn.max_tokens, "model": self.model}
            )
        return None

    def context(self) -> Check:
        yield from ()
        turn = self._read_turn()
        limit = self.card.value("context_window", self.mock.reality) if self.card else None
        if limit is None:
            return None
        prompt = self._estimate(turn)
        asked = turn.max_tokens or 0
        if "cap" not in self._contract.checks:
            # A provider that does not check the cap lowers it to what is left; nothing may be left.
            asked = 1 if turn.max_tokens is None or turn.max_tokens > 0 else limit
            self.cap_left = limit - prompt
        if prompt + asked > limit:
            details = {"limit": limit, "prompt": prompt, "requested": asked, "total": prompt + asked}
            return Refusal("context-overflow", {**details, "model": self.model})
        return None

    def _estimate(self, turn: Turn) -> int:
        """Tokens of the prompt, as this provider guesses them before anybody has counted."""
        said = self.provider.said.get("estimate")
        if said is None:
            return tokens.count(turn)
        text = "\n".join(message.text for message in turn.messages)
        characters, words = len(text), len(text.split())
        return int(characters / said["characters_per_token"] + words / said["words_per_token"])

    def state(self) -> Check:
        """Earlier answers that this request goes on from."""
        turn = self._read_turn()
        previous = turn.extras.get("previous_response_id")
        if previous is None:
            return None
        kept = yield Fetch(self.routed.space, "response", f"{self.principal.name}:{previous}")
        if kept is None:
            return Refusal("unknown-response", {"got": previous, "member": "previous_response_id"})
        self.history = kept["items"]
        earlier = dialect("responses").read({"input": self.history}, self._contract.profile)
        self.turn = replace(turn, messages=_joined(earlier.messages, turn.messages))
        return None

    @property
    def _contract(self) -> Contract:
        assert self.contract is not None
        return self.contract

    def quota(self) -> Check:
        """Every limit over time of the provider; places are given back when the answer has ended."""
        for quota in (yield from self._counted()):
            if quota.counts == "cost" or (quota.counts == "tokens" and self._contract.dialect is None):
                continue
            if quota.counts == "concurrent":
                entered = yield Enter(self.routed.space, quota.name, int(quota.limit))
                if not entered:
                    return Refusal(quota.condition, {"limit": quota.limit})
                self.entered.append((quota.name, int(quota.limit)))
                continue
            amount = 1.0
            if quota.counts == "tokens" and self._contract.dialect is not None:
                turn = self._read_turn()
                amount = tokens.count(turn) + (turn.max_tokens or self._max_output() or 0)
            wait = yield Spend(
                self.routed.space, quota.name, amount, quota.limit, quota.window_seconds, self.now
            )
            if wait:
                return Refusal(quota.condition, {"limit": quota.limit, "seconds": wait, "requested": amount})
        return None

    def _counted(self) -> Generator[Any, Any, list[Counted]]:
        own = (yield Fetch(self.routed.space, "limits", "all")) or {}
        limits = {**self.mock.limits, **own}
        return list(
            counted(self._contract, self.principal, self.model, self.card, self.mock.credentials, limits)
        )

    def funds(self) -> Check:
        """Sets aside what the answer may cost at most; less output is left where the money ends before."""
        prices = self._prices()
        for quota in (yield from self._counted()):
            if quota.counts != "cost" or not prices or self._is_free(quota.said):
                continue
            turn = self._read_turn()
            prompt = price(prices, tokens.count(turn), 0)
            caps = (turn.max_tokens, self.cap_left, self._max_output())
            cap = min((each for each in caps if each is not None), default=0)
            budget = quota.limit * MICROCENTS
            cost = prompt + price(prices, 0, cap)
            missing = yield Spend(self.routed.space, quota.name, cost, budget, None, self.now)
            if missing and prices["output"]:
                cap = int((cost - missing - prompt) / price(prices, 0, 1))
                cost = prompt + price(prices, 0, cap)
                if cap >= 1:
                    missing = yield Spend(self.routed.space, quota.name, cost, budget, None, self.now)
            if missing:
                return Refusal(quota.condition, {"limit": quota.limit, "requested": cost / MICROCENTS})
            self.reserved = quota.name, cost, budget
            self.cap_left = cap
        return None

    def _is_free(self, said: Mapping[str, Any]) -> bool:
        """Whether this request costs nothing, as one of the realities has it."""
        where = said.get("free", {}).get(self.mock.reality)
        return where is not None and any(value is True for _, value in select(self.body, where))

    def _settle(self, usage: Usage | None) -> Generator[Any, Any, None]:
        """Counts what was used, pays it out of what was set aside, and gives the rest back."""
        meters = self._contract.response.get("meters")
        free = any(self._is_free(each) for each in self.provider.said.get("quotas", ()))
        if meters is not None and usage is not None and self.card is not None and not free:
            served = self.card.said.get("served_as", {})
            yield Tally(self.routed.space, self._meter, amounts(meters, served, usage, self._prices()))
        if self.reserved is None:
            return
        name, cost, budget = self.reserved
        self.reserved = None
        used = price(self._prices(), usage.input, usage.output) if usage is not None else 0.0
        missing = yield Spend(self.routed.space, name, used - cost, budget, None, self.now)
        if missing:
            # A scripted answer may be longer than what was left for it: then nothing is left.
            yield Spend(self.routed.space, name, used - cost - missing, budget, None, self.now)

    @property
    def _meter(self) -> str:
        return f"{self.principal.name}|{self.provider.id}"

    def _metered(self, said: Mapping[str, Any]) -> Generator[Any, Any, dict[str, Any]]:
        """What this account used, and what it may use."""
        counts = yield Tally(self.routed.space, self._meter, {})
        budgets = [each.limit * MICROCENTS for each in (yield from self._counted()) if each.counts == "cost"]
        return told(counts, min(budgets, default=said["allowance"]))

    def _max_output(self) -> int | None:
        return self.card.value("max_output", self.mock.reality) if self.card else None

    # Answers

    def _answer(self) -> Answer:
        contract = self._contract
        step: Step | None = None
        if contract.dialect is not None or "does" in contract.response:
            step = yield Script(self.routed.space)
        if step is None:
            for exchange in contract.exchanges.values():
                if self._asks(exchange):
                    yield from self._replay(exchange)
                    return
        if contract.response.get("made_by") is not None:
            yield from self._make(**contract.response["made_by"])
            return
        if contract.dialect is None and step is None:
            yield from self._state_nothing()
            return
        unfit = None if step is None else self._unfit(step)
        if unfit is not None:
            yield from self._sorry(str(step), unfit)
            return
        failure = contract.failures[step.fail] if step is not None and step.fail is not None else None
        if step is not None and failure is not None and step.after_events is None:
            yield from self._fail(failure, self._as_if(failure), "script", f"scripted {step}")
            return
        from mockserver.instances import sound
        from mockserver.model import BrokenSchema, UnknownTool

        turn = self._read_turn()
        try:
            for schema in (*(tool.schema for tool in turn.tools), turn.output.schema if turn.output else None):
                sound(schema)
            replies, guard = self._guarded(step)
        except (BrokenSchema, UnknownTool) as error:
            condition = "broken-schema" if isinstance(error, BrokenSchema) else "unknown-tool"
            yield from self._refuse(
                Refusal(condition, {"got": str(error), "expected": "a tool on offer and a JSON Schema"})
            )
            return
        if step is not None and failure is not None and failure.untold:
            replies, step, failure = [step.ended_early(each) for each in replies], Step(), None
        response = self._render(replies, guard)
        yield from self._settle(replies[0].usage)
        if contract.response.get("remember"):
            yield from self._remember(response)
        if failure is None:
            yield from self._send(response, step=step)
        else:
            says = f"scripted {step}"
            yield from self._send(response, step=step, failure=failure, refused="script", says=says)

    def _unfit(self, step: Step) -> str | None:
        """Why the step cannot be an answer of this contract, None if it can."""
        contract = self._contract
        if step.after_events is not None and not contract.streams:
            return f"{contract.id} is no stream"
        if step.fail is None:
            return None if contract.dialect is not None else f"{contract.id} is no answer of a model"
        known = contract.failures
        if step.fail not in known:
            return f"{contract.id} has no error for {step.fail!r}; it has: {', '.join(sorted(known))}"
        failure = known[step.fail]
        if step.after_events is not None and failure.in_stream is None and not failure.untold:
            inside = sorted(name for name, each in known.items() if each.in_stream or each.untold)
            return (
                f"{contract.id} has no {step.fail!r} inside a stream; it has: {', '.join(inside) or 'none'}"
            )
        return None

    def _as_if(self, failure: Failure) -> Mapping[str, Any]:
        """What fills the text of an error that was scripted: as if this request had been wrong in that way."""
        prompt = tokens.count(self._read_turn()) if self._contract.dialect is not None else 0
        conditions = {each["condition"] for each in failure.when}
        limit: int | None = self._max_output()
        if "context-overflow" in conditions and self.card is not None:
            limit = self.card.value("context_window", self.mock.reality)
        elif "body-too-large" in conditions:
            limit = self._contract.request.get("limit_bytes")
        limit = limit or 0
        sigv4 = self._contract.auth.get("sigv4", {"clock_skew_seconds": 0, "services": [""]})
        skew = sigv4["clock_skew_seconds"]
        late = -2 * skew if "signature-expired" in conditions else 2 * skew
        times = {"now": 0, "earliest": -skew, "latest": skew, "signed_at": late}
        return {
            **{name: _signing_time(self.now + seconds) for name, seconds in times.items()},
            "minutes": skew // 60,
            "service": sigv4["services"][0],
            "missing": "'Signature' parameter",
            "limit": limit,
            "requested": limit + 1,
            "prompt": prompt,
            "total": limit + 1 + prompt,
            "pointer": "/messages",
            "member": "messages",
            "last": "messages",
            "expected": "an array",
            "got": "something else",
            "modality": "image",
        }

    def _asks(self, exchange: Mapping[str, Any]) -> bool:
        asked = exchange["request"]
        if exchange.get("reality", self.mock.reality) != self.mock.reality or self.contract is None:
            return False
        if exchange["response"]["status"] != self.contract.response["status"]:
            return False
        target = self.routed.path + (f"?{self.routed.query}" if self.routed.query else "")
        if asked["target"] != target or "body" not in asked:
            return False
        body, at = self.body, self.provider.said["key"].get("body")
        if at is not None and isinstance(body, Mapping):
            # The caller's key is no part of what is asked.
            body, _ = change(body, at, remove=True)
        return bool(asked["body"] == body)

    def _replay(self, exchange: Mapping[str, Any]) -> Answer:
        said = exchange["response"]
        headers = self._headers(self._contract.response.get("content_type"), {})
        if said.get("headers"):
            headers = with_headers(headers, said["headers"])
            # A browser wants the origin of this request, not that of the example.
            headers = with_headers(headers, dict(self._cors(self._values({}))))
        response = Response(
            said["status"],
            headers,
            (),
            body=said.get("body"),
            events=tuple(named(self._contract, each.get("name"), each["data"]) for each in said["events"])
            if "events" in said
            else None,
        )
        made: dict[str, Any] = {}
        for where, kind in exchange.get("varies", {}).items():
            response = self._vary(response, where, kind, made)
        if self.reserved is not None or self._contract.response.get("meters"):
            yield from self._settle(self._usage_in(response))
        if self._contract.response.get("remember"):
            yield from self._remember(response)
        yield from self._send(response)

    def _usage_in(self, response: Response) -> Usage | None:
        """What a worked example says of its own cost."""
        speak, profile = dialect(self._contract.dialect or ""), self._contract.profile
        if response.events is not None:
            found = speak.fold(response.events, profile)
        else:
            found = speak.parse(response.body, profile)
        return found[0].usage if found else None

    def _vary(self, response: Response, where: str, kind: str, made: dict[str, Any]) -> Response:
        def anew(value: Any) -> Any:
            if kind == "now":
                return type(value)(self.now) if isinstance(value, int | float) else value
            return made.setdefault(str(value), re.sub(r"[0-9a-zA-Z]{12,}$", self._like, str(value)))

        area, _, rest = where.removeprefix("/").partition("/")
        if area == "headers":
            new = formatdate(self.now, usegmt=True) if kind == "now" else self.ids.uuid()
            return replace(response, headers=with_headers(response.headers, {rest: new}))
        if area == "body":
            return replace(response, body=change(response.body, f"/{rest}", anew)[0])
        if area == "events" and response.events is not None:
            return replace(response, events=tuple(change(list(response.events), f"/{rest}", anew)[0]))
        return response

    def _like(self, found: re.Match[str]) -> str:
        text = found[0]
        alphabet = (
            "0123456789abcdef" if re.fullmatch(r"[0-9a-f]+", text) else "0123456789abcdefghijklmnopqrstuvwxyz"
        )
        return self.ids.token(len(text), alphabet)

    def _guarded(self, step: Step | None) -> tuple[list[Reply], Guard | None]:
        """The replies as a guardrail lets them through, and what it did; without one just the replies."""
        guarding = self.guarding
        if guarding is None:
            return self._think(step), None
        found = guarding.prompt(self._read_turn())
        if found.blocked:
            return [guarding.refusal()], guarding.told(found, None)
        self.turn = guarding.masked_prompt(self._read_turn(), found)
        made = [guarding.answer(self._read_turn(), each) for each in self._think(step)]
        return [reply for reply, _ in made], guarding.told(found, made[0][1])

    def _think(self, step: Step | None) -> list[Reply]:
        from mockserver.model import Ability, reply
        from mockserver.vision import UnreadableMedia

        turn = broken_turn(self._read_turn(), self.operations)
        if step is not None and step.reply is not None:
            replies = [step.counted(turn)]
        else:
            limit = min(
                (each for each in (self._max_output(), self.cap_left) if each is not None), default=None
            )
            if limit is not None and turn.max_tokens is not None and turn.max_tokens > limit:
                turn = replace(turn, max_tokens=limit)
            reasons = bool(self.card and self.card.offers("reasoning", self.mock.reality))
            unasked = bool(self.card and self.card.offers("reasoning_unasked", self.mock.reality))
            ability = Ability(reasoning=reasons, unasked=unasked, max_output=limit)
            seed = self._model_seed()
            try:
                replies = list(reply(turn, seed, ability))
            except UnreadableMedia:
                seen = without(turn, "image", "audio")
                replies = list(reply(seen, seed, ability))
        operations = varied(self.operations, self.request, self.request_id)
        return [broken_reply(each, operations) for each in replies]

    def _model_seed(self) -> int:
        turn = self._read_turn()
        base = turn.seed if turn.seed is not None else self.mock.seed or 0
        return int.from_bytes(hashlib.sha256(f"{base}".encode()).digest()[:4], "big")

    def _render(self, replies: Sequence[Reply], guard: Guard | None = None) -> Response:
        contract = self._contract
        speak = dialect(contract.dialect or "")
        turn = self._read_turn()
        context = Context(
            model=self.model or "",
            now=self.now,
            ids=self.ids,
            latency_ms=self.latency_ms,
            tier=turn.tier,
            reality=self.mock.reality,
            split=tokens.split,
            served=self._served(),
            prices=self._prices(),
            guard=guard,
        )
        usage = replies[0].usage
        headers = self._headers(
            contract.response.get("content_type"),
            {
                "input_tokens": usage.input if usage else 0,
                "output_tokens": usage.output if usage else 0,
            },
        )
        status = contract.response["status"]
        if contract.streams:
            events = tuple(speak.stream(self.body, replies, context, contract.profile))
            return Response(status, headers, (), events=events)
        return Response(status, headers, (), body=speak.render(self.body, replies, context, contract.profile))

    def _served(self) -> dict[str, str]:
        """The vendor and its own name of the model; the seller and its id where the card says no other."""
        if self.card is None:
            return {}
        plain = {"service": self.card.seller, "model": self.card.id_at(self.provider)}
        return {**plain, **self.card.said.get("served_as", {})}

    def _prices(self) -> dict[str, float]:
        """US dollars per million tokens of input and output; empty unless the card names both."""
        if self.card is None:
            return {}
        found = {name: self.card.value(f"prices.{name}") for name in ("input", "output")}
        return {} if None in found.values() else found

    def _remember(self, response: Response) -> Answer:
        if not isinstance(self.body, dict) or self.body.get("store") is False:
            return
        from conformance.dialects.responses import items

        made = response.body
        if response.events is not None:
            made = next((e.data["response"] for e in reversed(response.events) if "response" in e.data), None)
        if made is None:
            return
        kept = {"items": [*self.history, *items(self.body, made)], "response": made}
        yield Store(self.routed.space, "response", f"{self.principal.name}:{made['id']}", kept)

    def _state_nothing(self) -> Answer:
        """An operation without a model: a fixed answer, or a list made from the cards."""
        said = self._contract.response
        values = self._values({})
        if "does" in said:
            from mockserver.operations import OPERATIONS, Asked, Denied, NoReader

            asked = Asked(
                self.specs,
                self.provider,
                self._contract,
                self.body,
                self.parameters,
                self._contract.read_query(self.request.target),
                self.now,
                self.ids,
                values["region"],
                self.routed.space,
                self.principal.name,
                None if self.card is None else self.card.id_at(self.provider),
                self.latency_ms,
            )
            try:
                body = yield from OPERATIONS[said["does"]](asked)
            except NoReader as error:
                yield from self._sorry("unspoken-body", str(error))
                return
            if isinstance(body, Denied):
                yield from self._refuse(Refusal(body.condition, body.details))
                return
        elif said.get("listing"):
            from mockserver.listing import BadToken, NoSuchEntry, listed

            try:
                body = listed(
                    self.specs,
                    self._contract,
                    values,
                    region=self.region,
                    card=self.card,
                    query=self._contract.read_query(self.request.target),
                    parameters=self.parameters,
                )
            except NoSuchEntry as error:
                yield from self._refuse(Refusal("unknown-model", {"model": str(error)}))
                return
            except BadToken as error:
                details = {"member": str(error), "expected": "a token of this list", "got": "another"}
                yield from self._refuse(Refusal("request-shape", details))
                return
        else:
            if said.get("metering"):
                values |= yield from self._metered(said["metering"])
            body = fill(said.get("answer"), values)
            others = said.get("answer_for", {}).get(self.principal.kind)
            if others is not None:
                body = {**body, **others}
        headers = self._headers(said.get("content_type"), {})
        yield from self._send(Response(said["status"], headers, (), body=body))

    def _make(self, name: str, settings: Mapping[str, Any]) -> Answer:
        """What a browser needs beside the operations: Puter's library, its sign-in page, its socket."""
        if name == "socket":
            yield from self._open_socket(settings)
            return
        from mockserver import pages

        said = self._contract.response
        body: Any = None
        match name:
            case "library":
                if self.mock.library is None:
                    yield from self._sorry("no-library", fill(settings["missing"], self._values({})))
                    return
                body = pages.library(self.mock.library, settings, self.request)
            case "sign-in":
                body = pages.sign_in(self.mock.credentials.puter_tokens, settings)
            case "token-left":
                yield from pages.leave_token(self.body, settings)
                body = fill(said["answer"], self._values({}))
            case "token-fetched":
                token = yield from pages.fetch_token(self.body, settings)
                if token is None:
                    yield from self._refuse(Refusal("no-token-yet"))
                    return
                body = fill(said["answer"], self._values({"token": token}))
        headers = self._headers(said.get("content_type"), {})
        yield from self._send(Response(said["status"], headers, (), body=body))

    def _open_socket(self, settings: Mapping[str, Any]) -> Answer:
        from mockserver import engine_io

        made = yield from engine_io.take(
            self.request.method,
            self.routed.query,
            self.request.body.decode("utf-8", "replace"),
            engine_io.wants_websocket(self.request),
            settings,
            self._admits,
            self.ids,
            self.now,
        )
        headers = self._headers(self._contract.response.get("content_type"), {})
        match made:
            case Refused(condition, details):
                yield from self._refuse(Refusal(condition, details))
            case engine_io.Packets(text, handshake=True):
                yield from self._send(Response(self._contract.response["status"], headers, (), body=text))
            case engine_io.Packets(text):
                # Only the beginning of a session is noted, or the journal would hold nothing else.
                body = text.encode()
                yield Head(self._contract.response["status"], headers, len(body))
                yield Send(body)
            case engine_io.Talk():
                yield Note(
                    self.routed.space,
                    Entry(self.now, self.request.method, self.routed.path, self._contract.id, 101),
                )
                yield Upgrade(made)

    def _admits(self, namespace: str, shown: Any) -> str | None:
        """Why a client of the socket may not join, None if it may."""
        said = self._contract.response["made_by"]["settings"]["refusals"]
        # An address of the mock may have a path before it, and socket.io takes a path for a namespace.
        asked = Request(self.request.method, namespace.rstrip("/") + self.routed.path, ())
        if self.contract not in [each for each, _ in route(self.specs, asked).contracts]:
            return str(said["namespace"])
        found = authenticate(
            self._contract.auth, asked, shown, self.mock.credentials, self.mock.auth, self.now
        )
        return str(said["token"]) if isinstance(found, Refused) else None

    def _values(self, more: Mapping[str, Any]) -> dict[str, Any]:
        served = self._served()
        return {
            "request_id": self.request_id,
            "date": formatdate(self.now, usegmt=True),
            "now": int(self.now),
            "latency_ms": self.latency_ms,
            "model": self.model or "",
            "served_by": served.get("service", ""),
            "served_model": served.get("model", ""),
            "path": self.routed.path,
            "region": self.region or (self.provider.said.get("region") or {}).get("default", ""),
            "origin": self.request.header("origin") or "*",
            **more,
        }

    def _headers(self, content_type: str | None, more: Mapping[str, Any]) -> Headers:
        values = self._values({**more, "content_type": content_type or ""})
        said = dict(self.provider.said.get("send", {}))
        if self.contract is not None:
            said = {**said, **self.contract.response.get("send", {})}
        headers = [("Content-Type", content_type)] if content_type else []
        headers += [(name, str(fill(value, values))) for name, value in said.items() if value is not None]
        for name in self.contract.response.get("echo", ()) if self.contract is not None else ():
            asked = self.request.header(name)
            headers += [(name, asked)] if asked else []
        headers += self._cors(values)
        if self.contract is not None:
            headers.append((CONTRACT, self.contract.id))
        headers += self._reality()
        return tuple(headers)

    def _cors(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        has_origin = self.request.header("origin") is not None
        return [
            (name, str(fill(value, values)))
            for name, value in self.provider.said.get("cors", {}).items()
            if has_origin or "credentials" not in name.lower()
        ]

    def _reality(self) -> list[tuple[str, str]]:
        contract = self.contract
        if contract is None or self.card is None or contract.offer is None:
            return []
        name = f"apis.{contract.offer}"
        documented, observed = self.card.value(name), self.card.value(name, "observed")
        if documented == observed:
            return []
        return [
            (
                REALITY,
                f"{self.mock.reality}; {contract.offer}: documented {brief(documented)}, observed {brief(observed)}",
            )
        ]

    # Refusals

    def _refuse(self, refusal: Refusal) -> Answer:
        if refusal.condition == "unspoken-body":
            yield from self._sorry(refusal.condition, refusal.details["got"])
            return
        failures = (self.contract or self.provider).failures
        failure = find_failure(failures, refusal, self.routed.path, self.mock.reality)
        if failure is None and refusal.condition in _BODILY:
            failure = find_failure(
                failures, replace(refusal, condition="request-shape"), self.routed.path, self.mock.reality
            )
        if failure is None:
            yield from self._no_such_error(refusal.condition)
            return
        yield from self._fail(failure, refusal.details, refusal.condition, refusal.says())

    def _fail(self, failure: Failure, details: Mapping[str, Any], condition: str, says: str) -> Answer:
        values = self._values(details)
        body = fill(failure.body, values)
        headers = self._headers("application/json" if not isinstance(body, str) else "text/plain", {})
        if self.contract is not None:
            drop = [
                name
                for name in (*self.contract.response.get("send", ()), *self.contract.response.get("echo", ()))
                if name not in self.provider.said.get("send", {})
            ]
            headers = with_headers(headers, dict.fromkeys(drop))
        headers = with_headers(
            headers,
            {
                name: None if value is None else str(fill(value, values))
                for name, value in failure.headers.items()
            },
        )
        headers = with_headers(headers, {REFUSED: condition, SAYS: _ascii(says)})
        self.latency_ms = 0
        yield from self._send(Response(failure.status, headers, (), body=body), refused=condition, says=says)

    def _no_such_error(self, name: str) -> Answer:
        known = sorted((self.contract or self.provider).failures)
        where = self.contract.id if self.contract else self.provider.id
        yield from self._sorry(name, f"{where} has no error for {name!r}; it has: {', '.join(known)}")

    def _sorry(self, what: str, text: str) -> Answer:
        """What was asked of the mock itself cannot be done here, and no provider has words for that."""
        where = self.contract.id if self.contract else self.provider.id
        yield Note(
            self.routed.space,
            Entry(self.now, self.request.method, self.routed.path, where, 501, what, text, self.turn),
        )
        # Members that the exceptions of both boto3 and the OpenAI SDKs show.
        body = dump({"code": "MockCannot", "message": text})
        # A client that tried again would get an answer, and nobody would see this one.
        headers = (("Content-Type", "application/json"), ("x-should-retry", "false"))
        yield Head(501, (*headers, (ERROR, _ascii(text)), *readable(self.request)), len(body))
        yield Send(body)

    def _failure_in_stream(self, contract: Contract, said: Mapping[str, Any]) -> list[bytes]:
        data = fill(said["data"], self._values({}))
        event = encode_event(contract, named(contract, said.get("name"), data), said.get("kind", "event"))
        return [event, *(encode(contract, ()) if said.get("done") else ())]

    def _preflight(self) -> Answer:
        """What a browser asks before it asks; the journal has the request that follows."""
        said = self.provider.said["preflight"]
        headers = (("Content-Type", "text/plain; charset=utf-8"), *self._cors(self._values({})))
        self._prepare_breakage()
        response = self._broken(Response(said["status"], headers, (), body=said["body"]))
        pieces, _ = self._pieces(response, None, None)
        yield Head(response.status, response.headers, sum(len(piece) for piece in pieces))
        for piece in pieces:
            yield Send(piece)

    # Out

    def _send(
        self,
        response: Response,
        *,
        refused: str | None = None,
        says: str | None = None,
        step: Step | None = None,
        failure: Failure | None = None,
    ) -> Answer:
        response = self._broken(response)
        yield Note(
            self.routed.space,
            Entry(
                self.now,
                self.request.method,
                self.routed.path,
                self.contract.id if self.contract else None,
                response.status,
                refused,
                says,
                self.turn,
                step is not None or refused == "script",
            ),
        )
        pieces, end = self._pieces(response, step, failure)
        if self.unbroken:
            response = replace(response, headers=(*response.headers, (ERROR, _ascii(self.unbroken))))
        whole = None if response.events is not None else sum(len(piece) for piece in pieces)
        if end is not None and whole is not None:
            whole += 1
        yield Head(response.status, response.headers, whole)
        for piece in pieces:
            yield Send(piece)
        if end == "cut":
            yield Cut()
        elif end == "stall":
            yield Stall()

    def _broken(self, response: Response) -> Response:
        for rule in self.implied_rules if self.contract is not None else ():
            try:
                self.operations.extend(implied(self._contract, rule, response))
            except (Unbroken, KeyError) as error:
                self.unbroken = str(error)
        try:
            response = broken_response(self.contract, response, self.operations)
        except Unbroken as error:
            self.unbroken = str(error)
        return broken_as_can_be(self.contract, response, self.habits)

    def _pieces(
        self, response: Response, step: Step | None, failure: Failure | None
    ) -> tuple[list[bytes], str | None]:
        contract = self.contract
        sort = bool(contract and contract.response.get("sorted_keys"))
        if response.events is not None and contract is not None:
            pieces = list(encode(contract, response.events))
            if step is not None and step.after_events is not None:
                pieces = pieces[: step.after_events]
                if failure is None or failure.in_stream is None:
                    return pieces, "cut"
                return [*pieces, *self._failure_in_stream(contract, failure.in_stream)], None
        elif isinstance(response.body, str) and not (response.header("content-type") or "").startswith(
            "application/json"
        ):
            pieces = [response.body.encode()]
        elif response.body is None:
            pieces = []
        else:
            pieces = [dump(response.body, sort)]
        if any("wire" in each for each in self.habits):
            return wire_as_can_be(pieces, self.habits)
        if not any("wire" in each for each in self.operations):
            return pieces, None
        try:
            return broken_wire(pieces, self.operations)
        except Unbroken as error:
            self.unbroken = str(error)
            return pieces, None


_CHECKS = {
    "size": _Answering.size,
    "content-type": _Answering.content_type,
    "auth": _Answering.authentication,
    "json": _Answering.json,
    "headers": _Answering.headers,
    "shape": _Answering.shape,
    "model": _Answering.find_model,
    "api": _Answering.api,
    "region": _Answering.in_region,
    "tier": _Answering.tier,
    "features": _Answering.features,
    "guardrail": _Answering.guardrail,
    "modality": _Answering.modality,
    "media": _Answering.media,
    "tools": _Answering.tools,
    "cap": _Answering.cap,
    "context": _Answering.context,
    "state": _Answering.state,
    "quota": _Answering.quota,
    "funds": _Answering.funds,
}
"""The checks by the names that contracts and providers list under `checks`."""

_BODILY = ("broken-schema", "unknown-tool", "missing-model", "tool-ids-mismatch", "tier-not-offered")
"""Conditions about the body: answered like one of a wrong shape where a provider has no error of their own."""

_KINDS = ("image", "audio", "video")


def find_failure(
    failures: Mapping[str, Failure], refusal: Refusal, path: str, reality: str
) -> Failure | None:
    """The entry under `errors` whose condition fits the refusal best: the most specific one."""
    best: tuple[int, Failure] | None = None
    for failure in failures.values():
        if failure.reality not in (None, reality):
            continue
        for when in failure.when:
            rank = _rank(when, refusal, path)
            if rank is not None:
                rank += 1 if failure.reality == reality else 0
                if best is None or rank > best[0]:
                    best = rank, failure
    return best[1] if best else None


def _rank(when: Mapping[str, Any], refusal: Refusal, path: str) -> int | None:
    if when["condition"] != refusal.condition:
        return None
    rank = 0
    if "at" in when:
        if refusal.mismatch is None or not _fits_pointer(when["at"], refusal.mismatch.at):
            return None
        rank += 20 + len(when["at"].split("/"))
    if "keyword" in when:
        if refusal.mismatch is None or refusal.mismatch.keyword not in when["keyword"]:
            return None
        rank += 10
    if "path" in when:
        if not re.search(when["path"], path):
            return None
        rank += 5
    return rank


def _fits_pointer(pattern: str, at: str) -> bool:
    expression = "".join(
        "(?:/[^/]*)*" if part == "**" else "/[^/]*" if part == "*" else "/" + re.escape(part)
        for part in pattern.split("/")[1:]
    )
    return re.fullmatch(expression, at.partition(":")[2] or at) is not None


def _media(turn: Turn) -> Iterator[Media]:
    for message in turn.messages:
        for part in message.parts:
            if isinstance(part, Media):
                yield part
            elif isinstance(part, ToolResult):
                yield from (each for each in part.parts if isinstance(each, Media))


def _joined(earlier: Sequence[Any], now: Sequence[Any]) -> tuple[Any, ...]:
    systems = [message for message in now if message.role == "system"]
    return (*systems, *earlier, *(message for message in now if message.role != "system"))


def _signing_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime(TIMESTAMP)


def _ascii(text: str) -> str:
    """Text that a header can hold."""
    return text.encode("ascii", "backslashreplace").decode().replace("\n", " ").replace("\r", " ")[:400]
