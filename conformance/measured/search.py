"""Where a limit is, found at the least cost: what is refused costs nothing, so it is asked first.

A contract's section `limits` says what is varied (the length of a prompt, the cap on output) and in which turn.
The card says where to look: the number that counts, and every other reading of the page's words (128K is 128,000
or 131,072). A request between two readings tells them apart; a code word before the filler tells a prompt that was
taken from one that was cut in silence. The result is a transcript: each request, what it told, what it cost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.cases import matches
from conformance.contract import Contract, Failure
from conformance.judge import outage
from conformance.loading import Specs
from conformance.measured.prices import CURRENCY, price_of
from conformance.probes.amount import dollars
from conformance.probes.probing import CannotAsk, Exactly
from conformance.rules import Step, leaves
from conformance.run import Run
from conformance.runs.receipt import OverBudget
from conformance.select import select
from conformance.shapes import brief
from conformance.target import Target

__all__ = [
    "Search",
    "counted",
    "first_of_each_card",
    "likely",
    "look",
    "most",
    "places",
    "readings",
    "searches",
    "words_of",
]

SMALL, LARGER = 20, 420
"""Words of the two prompts that tell how many tokens a word of filler is."""
FAR = 10
"""So many times the claim is `far above`: whoever names a limit names it then."""
MOST = 20
"""Requests at most for one limit."""


@dataclass(frozen=True)
class Asked:
    """One request of a search. `sent` says how large it was, `told` what came of it."""

    sent: str
    status: int | None
    told: str
    paid: Mapping[str, Any]
    answered: bool

    def row(self, number: int) -> tuple[str, ...]:
        cost = self.paid["cost"]
        price = "no price" if cost is None else dollars(cost) if self.answered else "free"
        tokens = f"{self.paid['input_tokens']:,} + {self.paid['output_tokens']:,}" if self.answered else "-"
        return str(number), self.sent, str(self.status or "-"), self.told, tokens, price


@dataclass
class Search:
    """What was found of one limit over one API.

    The limit is not below `low` (answered) and below `high` (refused); `exact` where the requests left one number.
    """

    id: str
    target: Target
    contract: Contract
    said: Mapping[str, Any]
    claim: Mapping[str, Any]
    declared: int
    readings: Sequence[int]
    asked: list[Asked] = field(default_factory=list)
    low: int | None = None
    high: int | None = None
    exact: int | None = None
    named: int | None = None
    verdict: str = "not looked at"
    """`as declared`, `differs`, `truncated`, `not enforced`, `over budget` or `inconclusive`."""
    because: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that say something of quotas."""

    @property
    def cost(self) -> float | None:
        """Dollars of all requests; None without a price."""
        costs = [each.paid["cost"] for each in self.asked]
        return None if None in costs else sum(costs)

    def document(self) -> dict[str, Any]:
        """The search as plain values, for the run's document."""
        return {
            "limit": self.id,
            "target": self.target.name,
            "contract": self.contract.id,
            "api": self.contract.api,
            "model": self.target.model,
            "seller": self.target.card.seller if self.target.card else None,
            "claim": self.said["claim"],
            "declared": self.declared,
            "readings": list(self.readings),
            "answered": self.low,
            "refused": self.high,
            "exact": self.exact,
            "named": self.named,
            "verdict": self.verdict,
            "because": self.because,
            "requests": [
                {"sent": each.sent, "status": each.status, "told": each.told, **each.paid}
                for each in self.asked
            ],
            "cost": self.cost,
            "currency": CURRENCY,
        }

    def lines(self) -> Iterator[str]:
        """The transcript for a person."""
        others = [f"{each:,}" for each in self.readings if each != self.declared]
        stated = self.claim["stated"]
        page = f' (the page: "{stated}")' if isinstance(stated, str) else ""
        also = f"; could be read {' or '.join(others)}" if others else ""
        yield f"{self.contract.api}  {self.target.model}"
        yield f"  {self.said['claim']}: declared {self.declared:,}{page}{also}"
        if self.asked:
            rows: list[tuple[str, ...]] = [
                ("#", "asked", "status", "what it told", "tokens in + out", CURRENCY)
            ]
            rows += [each.row(number) for number, each in enumerate(self.asked, 1)]
            sizes = [max(len(row[index]) for row in rows) for index in range(6)]
            for row in rows:
                cells = [
                    cell.rjust(size) if index in (0, 4, 5) else cell.ljust(size)
                    for index, (cell, size) in enumerate(zip(row, sizes, strict=True))
                ]
                yield f"  {'  '.join(cells)}".rstrip()
        yield f"  {self.result()}"
        for name, value in self.headers.items():
            yield f"  quota in a header: {name}: {value}"
        free = len([each for each in self.asked if not each.answered])
        total = "no price" if self.cost is None else dollars(self.cost)
        yield f"  {counted(len(self.asked), 'request')}, {free} of them refused for nothing: {total}"

    def result(self) -> str:
        """The boundary in one line."""
        parts = []
        if self.exact is not None:
            parts.append(f"exactly {self.exact:,}: {self.exact:,} is answered, {self.exact + 1:,} refused")
        elif self.low is not None and self.high is not None:
            parts.append(f"between {self.low:,} (answered) and {self.high:,} (refused)")
        elif self.low is not None:
            parts.append(f"{self.low:,} is answered, and nothing was refused")
        if self.named is not None:
            parts.append(f"the refusal names {self.named:,}")
        if self.because:
            parts.append(self.because)
        return f"{self.verdict}: {'; '.join(parts)}" if parts else self.verdict


def readings(claim: Mapping[str, Any]) -> list[int]:
    """Every number that the claim could mean, ascending: as it is read, as others say, and each sense of its K or M."""
    found = {claim["read_as"], claim.get("observed", {}).get("value")}
    found |= {each["value"] for each in claim.get("disputed_by", ())}
    for number, unit in re.findall(r"(\d+(?:\.\d+)?)\s*([KM])\b", str(claim["stated"])):
        power = 1 if unit == "K" else 2
        found |= {round(float(number) * base**power) for base in (1000, 1024)}
    return sorted(each for each in found if isinstance(each, int) and not isinstance(each, bool))


def searches(target: Target, contract: Contract) -> Iterator[Search]:
    """One search for each limit of the contract that the card has a number for; nothing is asked yet."""
    card = target.card
    if card is None or contract.dialect is None:
        return
    for name, said in contract.said.get("limits", {}).items():
        claim = card.claim(said["claim"]) if said is not None else None
        declared = card.value(said["claim"]) if claim is not None else None
        if claim is not None and isinstance(declared, int):
            yield Search(name, target, contract, said, claim, declared, readings(claim))


def look(run: Run, search: Search) -> Search:
    """The search, done. What was found before an outage or the end of the budget stays."""
    try:
        if search.said["varies"] == "prompt":
            _Prompts(run, search).look()
        else:
            _Caps(run, search).look()
    except OverBudget as error:
        search.verdict, search.because = "over budget", str(error)
    except (_Silent, CannotAsk) as error:
        search.verdict, search.because = "inconclusive", str(error)
    return search


def most(search: Search) -> float | None:
    """Dollars that a search can cost at most; None without a price."""
    price = price_of(search.target.card, search.target.reality)
    if price is None:
        return None
    if search.said["varies"] == "cap":
        # A short answer may still be a long one: the model is free to use its cap.
        return price.of(MOST * 64, MOST * search.declared)
    cap = search.said["turn"]["max_tokens"]
    paid = 1 + math.ceil(-math.log2(2 * search.said["resolution"]))
    prompts = (SMALL + LARGER) * 4 + paid * int(max(search.readings) * (1 + search.said["resolution"]))
    return price.of(prompts, cap * (2 + paid))


def likely(search: Search) -> float | None:
    """Dollars that it costs where the card is right."""
    price = price_of(search.target.card, search.target.reality)
    if price is None:
        return None
    return price.of(search.declared, 64) if search.said["varies"] == "prompt" else price.of(256, 128)


class _Silent(Exception):
    """Nobody answered, or nobody could."""


class _Asking:
    """What both kinds of search need."""

    def __init__(self, run: Run, search: Search) -> None:
        self.run, self.search = run, search
        self.target, self.contract, self.said = search.target, search.contract, search.said

    def ask(self, turn: Mapping[str, Any], sent: str, most: tuple[int, int]) -> tuple[Step, bool]:
        """The step, and whether it was answered. Raises _Silent, OverBudget."""
        if len(self.search.asked) >= MOST:
            raise _Silent(f"{MOST} requests did not tell")
        how = {"turn": turn, "expect": "refused"}
        if "patch" in self.said:
            how["patch"] = self.said["patch"]
        price = price_of(self.target.card, self.target.reality)
        step, paid = self.run.single(self.target, self.contract, how, price.of(*most) if price else None)
        response = step.exchange.response
        answered = response is not None and response.status == self.contract.response["status"]
        answered = answered and response is not None and response.ending != "error"
        pattern = self.target.provider.said.get("quota_headers")
        if response is not None and pattern:
            self.search.headers |= {
                name.lower(): value for name, value in response.headers if re.fullmatch(pattern, name.lower())
            }
        self.search.asked.append(
            Asked(
                sent, None if response is None else response.status, self.told(step, answered), paid, answered
            )
        )
        if response is None:
            raise _Silent(f"no response: {step.exchange.failure}")
        silence = None if answered or self._expected(response.status) else outage(step)
        if silence:
            retries = f" after {counted(paid['retries'], 'retry')}" if paid["retries"] else ""
            raise _Silent(silence.replace("step limit", "the request") + retries)
        return step, answered

    def _expected(self, status: int) -> bool:
        name = self.said.get("refused_with")
        return name is not None and self.contract.failures[name].status == status

    def told(self, step: Step, answered: bool) -> str:
        response = step.exchange.response
        if response is None:
            return "nobody answered"
        if not answered:
            named = names_limit(self.contract, step, self.search.readings)
            if named is not None:
                self.search.named = named
                return f"refused; the limit is {named:,}, it says"
            return f"refused: {words_of(step)}"
        return "answered"


class _Prompts(_Asking):
    """Varies how long the prompt is. The limit holds for prompt and cap together."""

    def __init__(self, run: Run, search: Search) -> None:
        super().__init__(run, search)
        self.slope, self.offset = 1.0, 0.0
        self.cap = self.said["turn"]["max_tokens"]
        self.resolution = self.said["resolution"]

    def look(self) -> None:
        search = self.search
        self._calibrate()
        candidates = self._apart()
        top = int(candidates[-1] * (1 + self.resolution))
        if self._taken(top):
            if search.verdict != "truncated":
                search.verdict = "differs"
                search.because = "more than any reading of the claim was answered"
            return
        believed = candidates[0]
        for lower, upper in zip(reversed(candidates[:-1]), reversed(candidates[1:]), strict=True):
            if self._taken((lower + upper) // 2):
                believed = upper
                break
        if search.verdict == "truncated":
            return
        near = believed * (1 - 2 * self.resolution)
        if (search.low is None or search.low < near) and not self._taken(
            int(believed * (1 - self.resolution))
        ):
            self._bisect()
        if search.verdict != "truncated":
            self._decide()

    def _calibrate(self) -> None:
        """How many tokens a word of filler is, and how many there are without any: two points."""
        counted = []
        for words in (SMALL, LARGER):
            step, answered = self._prompt(words, f"{words} words")
            if not answered:
                raise _Silent(f"a prompt of {words} words was refused: {words_of(step)}")
            usage = step.reply.usage
            if usage is None:
                raise _Silent("the answer counts no tokens")
            counted.append(usage.input + usage.cache_read + usage.cache_write)
        self.slope = (counted[1] - counted[0]) / (LARGER - SMALL)
        if self.slope <= 0:
            raise _Silent(f"{LARGER} words are counted as {counted[1]} tokens, {SMALL} as {counted[0]}")
        self.offset = counted[0] - SMALL * self.slope

    def _apart(self) -> list[int]:
        """The readings, without those that are nearer to the declared number than the search can tell."""
        declared = self.search.declared
        far = [
            each
            for each in self.search.readings
            if abs(each - declared) > 1.5 * self.resolution * declared or each == declared
        ]
        return sorted(set(far))

    def _prompt(self, words: int, sent: str) -> tuple[Step, bool]:
        turn = dict(self.said["turn"])
        turn["messages"] = [
            {**each, "filler": words} if "filler" in each else each for each in turn["messages"]
        ]
        tokens = int(words * max(self.slope, 1.0) + self.offset) + 64
        return self.ask(turn, sent, (tokens, self.cap))

    def _taken(self, total: int) -> bool:
        """Whether prompt and cap of so many tokens together are answered, and taken whole."""
        search = self.search
        words = int((total - self.cap - self.offset) / self.slope)
        aimed = int(words * self.slope + self.offset) + self.cap
        step, answered = self._prompt(
            words, f"{aimed:,} tokens (prompt {aimed - self.cap:,} and cap {self.cap})"
        )
        if not answered:
            search.high = aimed if search.high is None else min(search.high, aimed)
            return False
        usage = step.reply.usage
        counted = usage.input + usage.cache_read + usage.cache_write if usage else None
        lost = self.said["answer"].lower() not in step.reply.text.lower()
        if counted is not None and counted < (aimed - self.cap) * (1 - 5 * self.resolution):
            search.verdict = "truncated"
            search.because = f"of a prompt of {aimed - self.cap:,} tokens only {counted:,} were counted"
        elif lost and counted is None:
            search.verdict = "truncated"
            search.because = f"what stood first in a prompt of {aimed - self.cap:,} tokens is not known"
        else:
            search.low = aimed if search.low is None else max(search.low, aimed)
        return True

    def told(self, step: Step, answered: bool) -> str:
        if not answered:
            return super().told(step, answered)
        usage = step.reply.usage
        found = self.said["answer"].lower() in step.reply.text.lower()
        counted = (
            f"{usage.input + usage.cache_read + usage.cache_write:,} counted" if usage else "not counted"
        )
        return f"answered; {counted}, the needle is {'found' if found else 'LOST'}"

    def _bisect(self) -> None:
        search = self.search
        while search.verdict != "truncated":
            low, high = search.low or int(LARGER * self.slope), search.high or 0
            if high - low <= self.resolution * 2 * high:
                return
            self._taken((low + high) // 2)

    def _decide(self) -> None:
        search = self.search
        low, high = search.low or 0, search.high or 0
        within = [each for each in self._apart() if low <= each < high]
        if search.declared in within:
            search.verdict = "as declared"
        else:
            search.verdict = "differs"
            if within:
                search.because = f"{within[0]:,} is another reading of the claim"


class _Caps(_Asking):
    """Varies the cap on output of a question whose answer is short: what is answered costs next to nothing."""

    def look(self) -> None:
        search = self.search
        self._honoured()
        for edge in search.said.get("edges", ()):
            self._taken(edge, counts=False)
        declared = search.declared
        if self._taken(declared * FAR):
            search.verdict = "not enforced"
            search.because = "a cap above the maximum is lowered or ignored without a word"
            return
        believed = search.named if search.named is not None else declared
        if self._taken(believed) and not self._taken(believed + 1):
            search.exact = believed
        low, high = search.low or 0, search.high or 0
        while search.exact is None:
            if high - low <= 1:
                search.exact = low
                break
            self._taken((low + high) // 2)
            low, high = search.low or 0, search.high or 0
        search.verdict = "as declared" if search.exact == declared else "differs"

    def _honoured(self) -> None:
        """A cap that the answer is bound to reach is reached to the token."""
        turn = self.said["long"]
        cap = turn["max_tokens"]
        step, answered = self.ask(turn, f"cap {cap}, a long answer", (64, cap))
        if not answered:
            raise _Silent(f"a cap of {cap} was refused: {words_of(step)}")

    def _taken(self, cap: int, counts: bool = True) -> bool:
        search = self.search
        turn = {**self.said["turn"], "max_tokens": Exactly(cap)}
        _, answered = self.ask(turn, f"cap {cap:,}", (64, min(max(cap, 0), search.declared)))
        if not counts:
            return answered
        if answered:
            search.low = cap if search.low is None else max(search.low, cap)
        else:
            search.high = cap if search.high is None else min(search.high, cap)
        return answered

    def told(self, step: Step, answered: bool) -> str:
        if not answered:
            return super().told(step, answered)
        usage = step.reply.usage
        finish = f", finish {step.reply.finish}" if step.reply.finish else ""
        return f"answered; {usage.output if usage else 'no'} tokens{finish}"


def names_limit(contract: Contract, step: Step, known: Iterable[int]) -> int | None:
    """The limit that a refusal names: where the contract's own words for it stand, or a number that could be it."""
    for failure in contract.failures.values():
        if failure.status == step.document.get("status"):
            found = _filled(failure, step.document)
            if found is not None:
                return found
    text = " ".join(str(value) for _, value in leaves(step.document.get("body")))
    numbers = {int(each.replace(",", "")) for each in re.findall(r"\b\d[\d,]*\b", text)}
    return next((each for each in known if each in numbers), None)


def _filled(failure: Failure, found: Mapping[str, Any]) -> int | None:
    for at, template in leaves(failure.body, "/body"):
        if not isinstance(template, str) or "{limit}" not in template:
            continue
        pieces = re.split(r"(\{\w+\})", template)
        first = True
        pattern = ""
        for piece in pieces:
            if piece == "{limit}" and first:
                pattern, first = pattern + r"(?P<limit>\d+)", False
            else:
                pattern += ".*" if piece.startswith("{") else re.escape(piece)
        for _, value in select(found, at):
            match = re.fullmatch(pattern, value, re.DOTALL) if isinstance(value, str) else None
            if match:
                return int(match["limit"])
    return None


def words_of(step: Step) -> str:
    """What a refusal says, short."""
    body = step.document.get("body")
    said = next(
        (str(value) for at, value in leaves(body) if at.endswith(("message", "Message"))), brief(body)
    )
    return said if len(said) <= 60 else said[:57] + "..."


def counted(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def places(
    specs: Specs, targets: Sequence[Target], globs: Sequence[str] | None
) -> list[tuple[Target, Contract]]:
    """Where to look: the contracts that match; without globs the first of each target whose answers count tokens."""
    found = []
    for target in targets:
        fit = [
            each
            for each in specs.of(target.provider.id)
            if any(searches(target, each))
            and each.speaks(target.model or "")
            and (
                each.offer is None
                or (target.card and target.card.offers(f"api:{each.offer}", target.reality))
            )
            and (globs is None or matches(each, globs))
        ]
        found += [(target, each) for each in (fit[:1] if globs is None else fit)]
    return found


def first_of_each_card(where: Sequence[tuple[Target, Contract]]) -> list[tuple[Target, Contract]]:
    """One place for each card: a limit is the model's, whatever API asks for it."""
    found: dict[tuple[str, str], tuple[Target, Contract]] = {}
    for target, contract in where:
        if target.card is not None:
            found.setdefault((target.card.model, target.card.seller), (target, contract))
    return list(found.values())
