"""What a provider looks at before it answers: one request, and a check for each name that contracts list.

Which checks there are and in which order stands in the contract; each ends in a condition, for which the
contract has the words.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from conformance.card import Card
from conformance.contract import Contract, Provider
from conformance.dialects import dialect
from conformance.exchange import Request
from conformance.judge import judge_request
from conformance.select import parts, select
from conformance.shapes import Mismatch, brief
from conformance.template import fill
from conformance.values import Media, ToolCall, ToolResult, Turn, Usage
from mockserver import naming, rates
from mockserver.auth import Principal, Refused, authenticate
from mockserver.effects import Enter, Fetch, Left, Spend, Tally
from mockserver.metering import amounts, told
from mockserver.mock import Ids, Mock
from mockserver.quota import MICROCENTS, Counted, counted, price
from mockserver.route import Route
from mockserver.simulation import tokens

if TYPE_CHECKING:
    from mockserver.services.guarding import Guarding
    from mockserver.services.keeping import Given


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


_KINDS = ("image", "audio", "video")


class Asking:
    """One request: what is known of it so far, and the checks."""

    def __init__(self, mock: Mock, request: Request, routed: Route, provider: Provider, now: float) -> None:
        self.mock, self.request, self.routed, self.provider, self.now = mock, request, routed, provider, now
        self.specs = mock.specs
        self.ids = Ids(mock.seed, mock.chance, request)
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
        self.history: Sequence[Any] = ()
        self.given: Given | None = None
        """What the request goes on from, where its contract looks for it."""
        self.guarding: Guarding | None = None
        self.entered: list[tuple[str, int]] = []
        self.reserved: tuple[str, float, float] | None = None
        self.passed: set[str] = set()
        """The checks that found nothing wrong."""
        self.rates: dict[str, Mapping[str, str]] = {}
        """Headers that say what is left of each quota that was looked at."""
        self.cap_left: int | None = None
        self.operations: list[Mapping[str, Any]] = []
        self.habits: list[Mapping[str, Any]] = []
        """Operations on every answer, those that they change nothing of too."""
        self.implied_rules: list[Any] = []
        self.unbroken: str | None = None
        self.latency_ms = self.ids.number(180, 620)

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
        if not self.request.body:
            self.body = {}
        return None

    def headers(self) -> Check:
        return (yield from self._shape(lambda found: found.at.startswith("headers:"), "request-headers"))

    def _speaks(self, contract: Contract, parameters: Mapping[str, str]) -> bool:
        """Whether the contract has the form of the bodies for the model that the path names."""
        if "models" not in contract.request:
            return True
        where = contract.model_at or {}
        card, _ = self.specs.named(self.provider, parameters.get(where.get("path", ""), ""))
        return card is None or contract.speaks(card.id_at(self.provider))

    def shape(self) -> Check:
        refusal = yield from self._shape(lambda found: found.at.startswith("path:"), "path-parameter")
        if refusal is None and not self._speaks(self._contract, self.parameters):
            # What another vendor's body has wrong is not told in this one's words.
            model = self.parameters[(self._contract.model_at or {})["path"]]
            got = f"{self._contract.id} has not the form of bodies for {model}; ask it by another API"
            return Refusal("unspoken-body", {"got": got})
        return (
            refusal
            or (
                yield from self._shape(
                    lambda found: not found.at.startswith(("headers:", "path:")), "request-shape"
                )
            )
            or self._loose_schema()
        )

    def _loose_schema(self) -> Refusal | None:
        """The first schema that says of itself that it is strict, and is not."""
        places = self._contract.request.get("strict_schemas")
        if not places:
            return None
        from mockserver.strictness import loose

        found = loose(self.body, places)
        if found is None:
            return None
        mismatch = Mismatch(found.at, "a strict schema", found.keyword, found.keyword)
        more = {"name": found.name, "context": str(found.context), "missing": found.missing, "got": found.got}
        return self._misshapen("request-shape", mismatch, **more)

    @cached_property
    def _mismatches(self) -> list[Mismatch]:
        assert self.contract is not None
        return judge_request(self.contract, self.request, self.body, self.parameters)

    def _shape(self, wanted: Any, condition: str) -> Check:
        yield from ()
        for found in self._mismatches:
            if wanted(found):
                return self._misshapen(condition, found)
        return None

    def _misshapen(self, condition: str, found: Mismatch, **more: Any) -> Refusal:
        """What is not as the contract demands, with all that an error may say of it."""
        at = found.at.partition(":")[2] or found.at
        body = self.body if at == found.at else None
        found, named = naming.told(found._replace(at=at), body, self.provider.said.get("type_words", {}))
        details = {
            "pointer": at,
            "member": ".".join(parts(at)) if at else "body",
            "last": parts(at)[-1] if at else "body",
            "expected": found.expected,
            "got": found.got if isinstance(found.got, str) else brief(found.got),
        }
        return Refusal(condition, {**details, **named, **more}, found)

    def _as_for_its_model(self, contract: Contract) -> Contract:
        """The contract as it is for the model that the request names, if it names one."""
        where = contract.model_at or {}
        named = self.parameters.get(where["path"]) if "path" in where else None
        if "body" in where:
            named = next((value for _, value in select(self.body, where["body"])), None)
        if not isinstance(named, str):
            return contract
        card = self.specs.card(self.provider, named)
        return contract.for_model(named if card is None else card.id_at(self.provider))

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
            named = found[0][1] if found else None
            if not isinstance(self.body, Mapping) or not isinstance(named, str | None):
                # What is no name at all is a matter of the shape, wherever that is checked.
                return None
            self.model = named or self._brought_along(where)
        self.model = self.model or self.provider.said.get("unnamed_model")
        if not self.model:
            return Refusal("missing-model", {"member": parts(where.get("body", "/model"))[-1]})
        self.card, self.profile = self.specs.named(self.provider, self.model)
        if self.card is None:
            return Refusal("unknown-model", {"model": self.model})
        return None

    def _brought_along(self, where: Mapping[str, Any]) -> str | None:
        """The model that comes with what the body has instead of one."""
        for at, model in where.get("comes_with", {}).items():
            if any(value is not None for _, value in select(self.body, at)):
                return str(model)
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
        return None

    @property
    def region(self) -> str | None:
        """The region of the credentials, of the host name, or the one this mock stands for."""
        return self.principal.region or self.routed.region

    @property
    def _told_region(self) -> str:
        """The same as answers name it; "" at a provider without regions."""
        return self.region or str((self.provider.said.get("region") or {}).get("default", ""))

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
            streams = self.contract.streams
            if (turn.model, turn.stream, turn.tier) != (self.model, streams, tier):
                turn = replace(turn, model=self.model, stream=streams, tier=tier)
            self.turn = turn
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
        from mockserver.services.guarding import Unknown, named

        yield from ()
        try:
            self.guarding = named(
                self.specs, self._contract, self.request, self.body, self._told_region, self.latency_ms
            )
        except Unknown as error:
            return Refusal("unknown-guardrail", {"got": str(error)})
        return None

    def speech(self) -> Check:
        """An answer in a form that this model does not have: speech."""
        yield from ()
        speaks = self.card is None or self.card.offers("output:audio", self.mock.reality) is not False
        if self._read_turn().speech is not None and not speaks:
            return Refusal("output-modality", {"model": self.model, "modality": "audio"})
        return None

    def spoken(self) -> Check:
        """Earlier spoken answers that this request names."""
        turn = self._read_turn()
        if "audio" not in self._contract.profile:
            return None
        from mockserver.services import spoken
        from mockserver.services.operation import Denied

        body = yield from spoken.given(self.body, self.routed.space, self.principal.name, self.now)
        if isinstance(body, Denied):
            return Refusal(body.condition, body.details)
        if body is not self.body:
            heard = dialect(self._contract.dialect or "").read(body, self._contract.profile)
            self.turn = replace(turn, messages=heard.messages)
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
        from mockserver.simulation.hearing import hear
        from mockserver.simulation.vision import UnreadableMedia, look

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
        if turn.tools and self.card is not None:
            needed = self._contract.request.get("tools_need")
            if needed is not None and self.card.offers(needed, self.mock.reality) is False:
                return Refusal("tools-not-streamed", {"model": self.model})
            if self.card.offers("tools") is False:
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

    def calls(self) -> Check:
        """Calls of tools and their results belong together, and follow each other where the contract says so."""
        from mockserver.pairing import misprogrammed, unacknowledged, unpaired

        yield from ()
        at_once = bool(self._contract.request.get("results_at_once"))
        found = unpaired(self._read_turn().messages, at_once=at_once)
        if found is not None:
            named = {"got": found.ids[0], "ids": ", ".join(found.ids), "kind": found.kind}
            return Refusal(found.condition, {"index": found.index, **named})
        turn = self._read_turn()
        programs = any(tool.kind == "program" for tool in turn.hosted)
        if not programs and not any(tool.builtin is not None for tool in turn.tools):
            return None
        from mockserver.services import keeping

        items = keeping.context(self.given, self.body)
        wrong = misprogrammed(items, self._contract.profile["fingerprint"]) if programs else None
        if wrong is not None:
            return Refusal(wrong[0], {"got": wrong[1]})
        left = unacknowledged(items)
        if left is None:
            return None
        return Refusal("unacknowledged-safety-check", {"got": left.id, "checks": "; ".join(left.checks)})

    def traces(self) -> Check:
        """Traces of reasoning that are sent back come with what they were thought for."""
        from mockserver.pairing import alone

        yield from ()
        given = self.body.get("input") if isinstance(self.body, Mapping) else None
        found = alone(given) if isinstance(given, list) else None
        return None if found is None else Refusal("trace-alone", {"got": found, "member": "input"})

    def cap(self) -> Check:
        yield from ()
        turn = self._read_turn()
        limit = self.card.value("max_output", self.mock.reality) if self.card else None
        if limit is not None and turn.max_tokens is not None and turn.max_tokens > limit:
            details = {"limit": limit, "requested": turn.max_tokens, "model": self.model}
            return Refusal("output-cap-exceeded", {**details, "cap": self._cap_member(turn.max_tokens)})
        return None

    def _cap_member(self, cap: int) -> str:
        """The member of the body that caps the output at `cap`."""
        named = [name for name, value in self.body.items() if value == cap and name.startswith("max_")]
        return named[0] if named else str(self._contract.profile.get("cap", "max_tokens"))

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
        shortens = self._contract.request.get("shortens", {}).items()
        if prompt + asked > limit and any(self.body.get(name) == word for name, word in shortens):
            from mockserver.simulation.truncation import shortened

            shorter = shortened(turn, limit - asked)
            if shorter is not None:
                self.turn = shorter
                return None
        if prompt + asked > limit:
            details = {"limit": limit, "prompt": prompt, "requested": asked, "total": prompt + asked}
            if prompt <= limit and self._answers("cap-beyond-context"):
                return Refusal("cap-beyond-context", {**details, "model": self.model})
            return Refusal("context-overflow", {**details, "model": self.model})
        return None

    def _answers(self, condition: str) -> bool:
        """Whether an error of this contract is for that condition."""
        failures = self._contract.failures.values()
        return any(when["condition"] == condition for each in failures for when in each.when)

    def _estimate(self, turn: Turn) -> int:
        """Tokens of the prompt, as this provider guesses them before anybody has counted."""
        said = self.provider.said.get("estimate")
        if said is None:
            return tokens.count(turn)
        text = "\n".join(message.text for message in turn.messages)
        characters, words = len(text), len(text.split())
        return int(characters / said["characters_per_token"] + words / said["words_per_token"])

    def state(self) -> Check:
        """Earlier answers and items that this request goes on from."""
        from mockserver.services import keeping
        from mockserver.services.earlier import earlier
        from mockserver.services.operation import Denied

        turn = self._read_turn()
        found = yield from keeping.given(self.body, self.routed.space, self.principal.name)
        if isinstance(found, Denied):
            return Refusal(found.condition, found.details)
        self.given, self.history = found, found.history
        if not found.history and not keeping.is_spread(found.own):
            return None
        profile = self._contract.profile
        try:
            own = dialect("responses").read({**self.body, "input": [*keeping.spread(found.own)]}, profile)
            before = earlier(found, profile)
        except ValueError as error:
            return Refusal("unreadable-compaction", {"got": str(error), "member": "input"})
        self.turn = replace(turn, messages=_joined(before, own.messages))
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
            amount = self._amount(quota)
            wait = yield Spend(
                self.routed.space, quota.name, amount, quota.limit, quota.window_seconds, self.now
            )
            left = yield Left(self.routed.space, quota.name, quota.limit, quota.window_seconds, self.now)
            state = rates.state(quota.limit, quota.window_seconds, left)
            self.rates[quota.said["id"]] = fill(quota.said.get("send", {}), state)
            if wait:
                more = {"seconds": wait, "requested": int(amount), **rates.waiting(wait)}
                return Refusal(quota.condition, {**state, **more, "limit": quota.limit})
        return None

    def _amount(self, quota: Counted) -> float:
        """What this request takes of a quota."""
        if quota.counts != "tokens" or not isinstance(self.body, Mapping):
            return 1.0
        turn = self._read_turn()
        prompt = tokens.count(turn)
        if quota.said.get("takes") == "larger":
            caps = [each for each in (turn.max_tokens, self._max_output()) if each is not None]
            return max(prompt, min(caps) if turn.max_tokens is not None else 0)
        return prompt + (turn.max_tokens or self._max_output() or 0)

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

    # What fills texts, and what things cost

    def _values(self, more: Mapping[str, Any]) -> dict[str, Any]:
        served = self._served()
        return {
            "request_id": self.request_id,
            "request_hex": self.request_id.replace("-", ""),
            "date": _http_date(int(self.now)),
            "now": int(self.now),
            "latency_ms": self.latency_ms,
            "model": self.model or "",
            "served_by": served.get("service", ""),
            "served_model": served.get("model", ""),
            "path": self.routed.path,
            "method": self.request.method,
            "region": self._told_region,
            "origin": self.request.header("origin") or "*",
            **more,
        }

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


CHECKS = {
    "size": Asking.size,
    "content-type": Asking.content_type,
    "auth": Asking.authentication,
    "json": Asking.json,
    "headers": Asking.headers,
    "shape": Asking.shape,
    "model": Asking.find_model,
    "api": Asking.api,
    "region": Asking.in_region,
    "tier": Asking.tier,
    "features": Asking.features,
    "guardrail": Asking.guardrail,
    "speech": Asking.speech,
    "spoken": Asking.spoken,
    "modality": Asking.modality,
    "media": Asking.media,
    "tools": Asking.tools,
    "calls": Asking.calls,
    "traces": Asking.traces,
    "cap": Asking.cap,
    "context": Asking.context,
    "state": Asking.state,
    "quota": Asking.quota,
    "funds": Asking.funds,
}
"""The checks by the names that contracts and providers list under `checks`."""


@lru_cache(maxsize=1)
def _http_date(now: int) -> str:
    return formatdate(now, usegmt=True)


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
