"""What a run would ask and the most that it could cost. Nothing is asked."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from conformance.cases import cases
from conformance.contract import Contract, Rule
from conformance.equivalence import expand, goes_on
from conformance.exchange import Exchange
from conformance.loading import Specs
from conformance.measured.prices import bounds, largest_answer
from conformance.measured.search import likely, most, places, searches
from conformance.probes.amount import dollars
from conformance.probes.drawn import draw, varies
from conformance.probes.examples import planned
from conformance.probes.probing import CannotAsk
from conformance.reached import imagined
from conformance.run import inapplicable
from conformance.runs.receipt import columns
from conformance.runs.store import request_key
from conformance.target import Target


@dataclass(frozen=True)
class Line:
    """What is planned for one API of one target."""

    target: Target
    api: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    """Dollars at most; None where no card has a price."""
    whole: int = 0
    """How many of the requests leave the model its whole output cap, whatever short answer they ask for."""
    whole_cost: float = 0.0
    """Dollars at most that these are of `cost`."""


def plan(
    specs: Specs,
    targets: Sequence[Target],
    chosen: Sequence[tuple[Target, Contract, Rule]],
    examples: int = 0,
) -> list[Line]:
    """One line for each API, in the order of `chosen`. The same request is planned once, as it is paid once.

    With `examples` so many drawn ones are planned beside each probe that may vary.
    """
    drawn = cache(lambda contract: draw(specs.contracts[contract], examples))
    by_name = {each.name: each for each in targets}
    counted: set[str] = set()
    probes: dict[tuple[str, str, str], tuple[Target, Contract, str]] = {}
    for target, contract, rule in chosen:
        if rule.probe is not None and inapplicable(target, contract, rule) is None:
            probes[target.name, contract.id, rule.probe] = target, contract, rule.probe
            if examples and varies(contract, rule) is not None:
                for more, probe in planned(contract, rule, drawn(contract.id)):
                    probes[target.name, contract.id, probe] = target, more, probe
    lines: dict[tuple[str, str], Line] = {}
    for target, contract, probe in probes.values():
        try:
            steps = expand(specs, targets, target, contract, contract.probes[probe]["steps"])
            found = list(bounds(specs, contract, steps, target, by_name))
        except CannotAsk:
            continue
        alone = not goes_on(steps)
        for (name, how), each in zip(steps.items(), found, strict=True):
            asks = by_name.get(how.get("target", ""), target)
            if alone and each.request is not None:
                key = request_key(asks.name, Exchange(each.request, None), how.get("repeat", 1))
                if key in counted:
                    continue
                counted.add(key)
            assert each.step == name
            where = asks.name, each.contract.api
            line = lines.get(where, Line(asks, each.contract.api, 0, 0, 0, 0.0))
            cost = None if line.cost is None or each.cost is None else line.cost + each.cost
            whole = 0 < each.output_tokens == largest_answer(asks)
            lines[where] = Line(
                asks,
                line.api,
                line.requests + 1,
                line.input_tokens + each.input_tokens,
                line.output_tokens + each.output_tokens,
                cost,
                line.whole + whole,
                line.whole_cost + ((each.cost or 0.0) if whole else 0.0),
            )
    order = {name: index for index, name in enumerate(by_name)}
    return sorted(lines.values(), key=lambda each: order[each.target.name])


def table(lines: Sequence[Line]) -> list[str]:
    """The plan for a terminal, the total last."""
    rows: list[tuple[str, ...]] = [("plan", "requests", "tokens in", "out", "USD at most")]
    seller = ""
    for line in lines:
        title = f"{line.target.provider.title}  {line.target.model or ''}".rstrip()
        if title != seller:
            rows.append((title, "", "", "", ""))
            seller = title
        price = "no price" if line.cost is None else dollars(line.cost)
        rows.append(
            (
                f"  {line.api}",
                f"{line.requests:,}",
                f"{line.input_tokens:,}",
                f"{line.output_tokens:,}",
                price,
            )
        )
    total = dearest(lines)
    sums = (
        sum(getattr(line, name) for line in lines) for name in ("requests", "input_tokens", "output_tokens")
    )
    rows.append(("all", *(f"{each:,}" for each in sums), "no price" if total is None else dollars(total)))
    told = columns(rows)
    told += [
        "",
        "Nothing was asked. The most is: a token for each byte sent, and each cap used up; refusals cost nothing.",
    ]
    whole = sum(line.whole for line in lines)
    if whole and total:
        told.append(
            f"{dollars(sum(line.whole_cost for line in lines))} of it is for {whole} requests that leave the model "
            "its whole output cap, and ask for a short answer."
        )
    if any(line.cost is None for line in lines):
        told.append("`no price`: no card has prices for this model, so a budget cannot be kept for it.")
    return told


def dearest(lines: Sequence[Line]) -> float | None:
    """The most that what has a price can cost together; None where nothing that is counted in tokens has one."""
    if any(line.cost is None for line in lines) and not any(line.cost for line in lines):
        return None
    return sum(line.cost or 0.0 for line in lines)


def _against(budget: float, most_of_all: float | None) -> str:
    if most_of_all is None:
        return f"no price, so a budget of {dollars(budget)} cannot be kept"
    if most_of_all <= budget:
        return f"within the budget of {dollars(budget)}"
    return (
        f"more than the budget of {dollars(budget)}: a run with it asks what fits, and the rest is `over budget` "
        "(exit 4)"
    )


def limits_table(searched: Sequence[tuple[Target, Contract]]) -> list[str]:
    """What the search for limits would cost, a line for each."""
    rows: list[tuple[str, ...]] = [("limits", "searches for", "declared", "USD if right", "at most")]
    for target, contract in searched:
        for search in searches(target, contract):
            costs = (likely(search), most(search))
            prices = ("no price" if each is None else dollars(each) for each in costs)
            rows.append((f"  {contract.api}", search.said["claim"], f"{search.declared:,}", *prices))
    return columns(rows)


def command(specs: Specs, arguments: Namespace) -> int:
    """`conformance plan`: prints it; 1 if it may cost more than the budget, else 0. Raises UsageError."""
    asked = imagined(
        specs,
        arguments.provider,
        endpoint=arguments.endpoint_url,
        model=arguments.model,
        region=arguments.region,
        reality=arguments.reality,
    )
    chosen = cases(asked, specs, arguments.api)
    rules = [(each.target, each.contract, each.rule) for each in chosen]
    lines = plan(specs, asked, rules, arguments.examples)
    print(*table(lines), sep="\n")
    total = dearest(lines)
    if arguments.limits:
        searched = places(specs, asked, arguments.api)
        print("", *limits_table(searched), sep="\n")
        costs = [most(each) for where in searched for each in searches(*where)]
        total = None if total is None else total + sum(cost or 0.0 for cost in costs)
    if arguments.budget is None:
        return 0
    print("", _against(arguments.budget, total), sep="\n")
    return 0 if total is not None and total <= arguments.budget else 1
