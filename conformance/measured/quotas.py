"""Quotas: requests are sent until one is refused for its rate, and what that says of the limits that are declared.

A flood is so many of the smallest requests, one after the other. What it ran into is a row beside the other claims.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.contract import Contract
from conformance.exchange import TOO_MANY_REQUESTS
from conformance.loading import Specs
from conformance.measured.observed import short
from conformance.measured.prices import price_of
from conformance.measured.search import counted, first_of_each_card, places, words_of
from conformance.reached import reached
from conformance.run import Run
from conformance.runs.receipt import OverBudget
from conformance.target import Target, UsageError

FLOOD = 500
"""Requests at most of a flood."""
UNNAMED = {"text": "no page states a quota that this could be", "sure": "guess"}
NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Flood:
    """So many of the smallest requests, one after the other, until one was refused for its rate."""

    target: Target
    contract: Contract
    answered: int
    seconds: float
    refused: str | None
    """What the refusal said; None if none came."""
    paid: Sequence[Mapping[str, Any]]
    status: int | None = None
    """Of the refusal."""

    def lines(self) -> Iterator[str]:
        yield f"{self.contract.api}  {self.target.model}  flood"
        for name, limit in declared_quotas(self.target):
            yield f"  declared: {name} {limit:,}"
        after = f"{counted(self.answered, 'request')} answered in {self.seconds:.1f} s"
        yield f"  {after}; the next one: {self.refused}" if self.refused else f"  {after}, none refused"


def declared_quotas(target: Target) -> Iterator[tuple[str, float]]:
    """The limits over time that the provider or the card states, by name."""
    for said in target.provider.said.get("quotas", ()):
        claimed = target.card.value(f"quotas.{said['id']}", target.reality) if target.card else None
        limit = said.get("limit") if claimed is None else claimed
        if isinstance(limit, int | float):
            yield said["id"], limit


def flood(run: Run, target: Target, contract: Contract, at_most: int = FLOOD) -> Flood:
    """Asks until the first refusal or the end of the budget, `at_most` times. Raises CannotAsk."""
    said = next(each for each in contract.said["limits"].values() if each and each["varies"] == "cap")
    how = {"turn": {**said["turn"], "max_tokens": 1}, "expect": "refused"}
    price = price_of(target.card, target.reality)
    begun = time.monotonic()
    paid: list[Mapping[str, Any]] = []
    for number in range(at_most):
        try:
            step, cost = run.single(target, contract, how, price.of(64, 1) if price else None)
        except OverBudget as error:
            return Flood(target, contract, number, time.monotonic() - begun, f"over budget: {error}", paid)
        paid.append(cost)
        response = step.exchange.response
        if response is None or response.status != contract.response["status"]:
            told = step.exchange.failure if response is None else f"{response.status} {words_of(step)}"
            status = None if response is None else response.status
            return Flood(target, contract, number, time.monotonic() - begun, told, paid, status)
    return Flood(target, contract, at_most, time.monotonic() - begun, None, paid)


def row(found: Flood) -> dict[str, Any]:
    """The flood as a row of `declared`: of the quota that it ran into, or may have.

    That is the one whose limit is what was answered, else the one with the shortest window that the flood was within.
    What comes back while it lasts may be answered beyond a limit. Where no page states one it is `quotas.requests`.
    """
    limit, said = _quota(found)
    name = f"quotas.{said['id']}" if said else "quotas.requests"
    card = found.target.card
    claim = card.claim(name) if card is not None else None
    costs = [each["cost"] for each in found.paid]
    after = f"{found.answered:,} answered in {found.seconds:.1f} s"
    observed: int | None = None
    verdict, note = NOT_REACHED, f"{after}, none refused"
    if found.refused is not None:
        note = f"{after}, then {found.refused}"
        verdict = "inconclusive"
        if found.status == TOO_MANY_REQUESTS:
            fits = limit is not None and said is not None and _fits(found, limit, said["window_seconds"])
            observed = limit if fits else found.answered
            verdict = "as declared" if fits else "differs"
            if limit is not None and found.answered < limit:
                note += "; what the run asked in the seconds before counts too"
    return {
        "model": card.model if card is not None else found.target.model or "",
        "seller": card.seller if card is not None else found.target.name,
        "claim": name,
        "stated": claim["stated"] if claim is not None else limit,
        "read_as": claim["read_as"] if claim is not None else limit,
        "source": dict(claim["source"] if claim is not None else said["source"] if said else UNNAMED),
        "observed": observed,
        "verdict": verdict,
        "requests": len(found.paid),
        "cost": None if None in costs else round(sum(costs), 9),
        "note": note,
    }


def _quota(found: Flood) -> tuple[int | None, Mapping[str, Any] | None]:
    """The limit and what the provider's file says of it."""
    by_id = {each["id"]: each for each in found.target.provider.said.get("quotas", ())}
    known = [
        (int(limit), by_id[name])
        for name, limit in declared_quotas(found.target)
        if by_id[name]["counts"] == "requests" and (by_id[name].get("window_seconds") or 0) >= found.seconds
    ]
    known.sort(
        key=lambda each: (
            not _fits(found, each[0], each[1]["window_seconds"]),
            each[1]["window_seconds"],
        )
    )
    return known[0] if known else (None, None)


def _fits(found: Flood, limit: int, window: float) -> bool:
    """True if this limit let so many pass: those of a window, and those that came back meanwhile."""
    return limit <= found.answered <= limit + math.ceil(limit * found.seconds / window)


def line(found: Flood) -> str:
    """The row for a person."""
    said = row(found)
    cost = "no price" if said["cost"] is None else f"{said['requests']:,} requests"
    return (
        f"  {said['claim']}: declared {short(said['read_as'])}, observed {short(said['observed'])}: "
        f"{said['verdict']} ({said['source']['text']}; {cost})"
    )


def with_floods(rows: Sequence[dict[str, Any]], floods: Sequence[Flood]) -> list[dict[str, Any]]:
    """The rows of `declared` with those of the floods: in place of the claim's own one, or after all."""
    told = {(each["model"], each["seller"], each["claim"]): each for each in map(row, floods)}
    kept = [told.pop((each["model"], each["seller"], each["claim"]), each) for each in rows]
    return [*kept, *told.values()]


def flood_everywhere(
    specs: Specs,
    provider: str,
    whom: Mapping[str, Any],
    folder: Path,
    globs: Sequence[str] | None,
    budget: float | None,
) -> Iterator[Flood]:
    """One flood for each card; the embedded mock has the provider's quotas. Money is shared with the run."""
    with reached(specs, provider, **whom, hurried=False) as (targets, _):
        run = Run(specs, targets, folder, budget=budget)
        try:
            for each in first_of_each_card(places(specs, targets, globs)):
                yield flood(run, *each)
        finally:
            run.close()


def guard_flood(how: str, is_mock: bool) -> None:
    """Only a mock is flooded, unless it was said to be meant. Raises UsageError."""
    if how == "mock" and not is_mock:
        raise UsageError("--flood: it only asks a mock; `--flood anywhere` floods a real provider")
