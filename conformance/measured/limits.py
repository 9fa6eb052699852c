"""`conformance limits`, and the searches that end a run: where to look, what they may cost, how they are told."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.loading import Specs
from conformance.measured.quotas import flood, guard_flood, line
from conformance.measured.search import Search, first_of_each_card, likely, look, most, places, searches
from conformance.probes.amount import dollars
from conformance.reached import reached
from conformance.retry import PATIENT
from conformance.run import Run
from conformance.runs.receipt import OverBudget, receipt, table
from conformance.target import Target, UsageError
from conformance.words import INCONCLUSIVE

__all__ = ["command", "guard_run", "look_everywhere"]

SMALL_CHANGE = 0.10
"""Dollars that all searches may cost at a real provider without a budget being named."""


def command(specs: Specs, arguments: Namespace) -> int:
    """`conformance limits`: prints the transcripts, returns the exit code. Raises UsageError."""
    whom = {
        "endpoint": arguments.endpoint_url,
        "model": arguments.model,
        "region": arguments.region,
        "reality": arguments.reality,
        "key_env": arguments.key_env,
        "headers": arguments.header,
        "hurried": not arguments.flood,
    }
    with reached(specs, arguments.provider, **whom) as (targets, is_mock), TemporaryDirectory() as folder:
        if arguments.flood:
            guard_flood(arguments.flood, is_mock)
        where = places(specs, targets, arguments.api)
        if not where:
            raise UsageError(
                "--api: expected an API that a card offers and that has limits to look for (conformance show list), "
                f"got {', '.join(arguments.api or ['*'])}"
            )
        planned = [search for each in where for search in searches(*each)]
        _guard(planned, is_mock, arguments.budget)
        retries = arguments.retries if arguments.retries is not None else 0 if is_mock else PATIENT
        run = Run(specs, targets, Path(folder), budget=arguments.budget, retries=retries)
        paid: list[Mapping[str, Any]] = []
        try:
            for search in planned:
                print(*look(run, search).lines(), "", sep="\n", flush=True)
                paid += [each.paid for each in search.asked]
            if arguments.flood:
                for each in where:
                    flooded = flood(run, *each)
                    print(*flooded.lines(), line(flooded), "", sep="\n", flush=True)
                    paid += flooded.paid
        except OverBudget as error:
            print(f"over budget: {error}")
        finally:
            run.close()
    print(*table(receipt({"limits": [{"paid": each} for each in paid]})), sep="\n")
    verdicts = {each.verdict for each in planned}
    if verdicts & {"differs", "truncated"}:
        return 1
    return INCONCLUSIVE if verdicts & {"over budget", "inconclusive", "not looked at"} else 0


def look_everywhere(
    specs: Specs,
    provider: str,
    whom: Mapping[str, Any],
    folder: Path,
    globs: Sequence[str] | None,
    budget: float | None,
    retries: int,
) -> list[Search]:
    """Every search of a run, done; `whom` is what `reached` takes. Money is shared with the run through `folder`."""
    with reached(specs, provider, **whom) as (targets, _):
        run = Run(specs, targets, folder, budget=budget, retries=retries)
        try:
            where = first_of_each_card(places(specs, targets, globs))
            return [look(run, search) for each in where for search in searches(*each)]
        finally:
            run.close()


def guard_run(
    specs: Specs, targets: Sequence[Target], globs: Sequence[str] | None, is_mock: bool, budget: float | None
) -> None:
    """Says what the searches that end a run can cost, and refuses them beyond small change. Raises UsageError."""
    where = first_of_each_card(places(specs, targets, globs))
    _guard([search for each in where for search in searches(*each)], is_mock, budget)


def _guard(planned: Sequence[Search], is_mock: bool, budget: float | None) -> None:
    """Says what a search can cost, and refuses one that costs more than small change. Raises UsageError."""
    if is_mock or budget is not None:
        return
    costs = [most(each) for each in planned]
    known = sum(each or 0.0 for each in costs)
    if None in costs or known > SMALL_CHANGE:
        expected = sum(likely(each) or 0.0 for each in planned)
        price = "nobody knows how much: no card has a price" if None in costs else f"{dollars(known)} at most"
        raise UsageError(
            f"this would cost {dollars(expected)} if the cards are right, {price}; say --budget DOLLARS "
            "to allow it (`conformance plan --limits` lists it, `--api` narrows it)"
        )
