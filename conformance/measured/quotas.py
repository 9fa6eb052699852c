"""What a flood says of the quotas that are declared: a row each beside the other claims, and the flood of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.judge import RATE_LIMITED
from conformance.loading import Specs
from conformance.measured.limits import Flood, declared_quotas, first_of_each_card, flood, places
from conformance.measured.observed import short
from conformance.run import Run
from conformance.target import UsageError

UNNAMED = {"text": "no page states a quota that this could be", "sure": "guess"}
NOT_REACHED = "not reached"


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
        if found.status == RATE_LIMITED:
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
    from conformance.reached import reached

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
