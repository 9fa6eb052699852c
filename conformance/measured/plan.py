"""What a run would ask and the most that it could cost. Nothing is asked."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from conformance.contract import Contract, Rule
from conformance.equivalence import expand, goes_on
from conformance.exchange import Exchange
from conformance.loading import Specs
from conformance.measured.limits import likely, most, places, searches
from conformance.measured.prices import bounds
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
            lines[where] = Line(
                asks,
                line.api,
                line.requests + 1,
                line.input_tokens + each.input_tokens,
                line.output_tokens + each.output_tokens,
                cost,
            )
    order = {name: index for index, name in enumerate(by_name)}
    return sorted(lines.values(), key=lambda each: order[each.target.name])


def table(lines: Sequence[Line], budget: float | None = None) -> list[str]:
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
    total = sum(line.cost or 0.0 for line in lines)
    sums = (
        sum(getattr(line, name) for line in lines) for name in ("requests", "input_tokens", "output_tokens")
    )
    rows.append(("all", *(f"{each:,}" for each in sums), dollars(total)))
    told = columns(rows)
    told += [
        "",
        "Nothing was asked. The most is: a token for each byte sent, and each cap used up; refusals cost nothing.",
    ]
    if any(line.cost is None for line in lines):
        told.append("`no price`: no card has prices for this model, so a budget cannot be kept for it.")
    if budget is not None:
        word = "within" if total <= budget else "more than"
        told.append(
            f"{word} the budget of {dollars(budget)}"
            + ("" if total <= budget else ": what could go beyond it would be `over budget`")
        )
    return told


def limits_table(searched: Sequence[tuple[Target, Contract]]) -> list[str]:
    """What the search for limits would cost, a line for each."""
    rows: list[tuple[str, ...]] = [("limits", "searches for", "declared", "USD if right", "at most")]
    for target, contract in searched:
        for search in searches(target, contract):
            costs = (likely(search), most(search))
            prices = ("no price" if each is None else dollars(each) for each in costs)
            rows.append((f"  {contract.api}", search.said["claim"], f"{search.declared:,}", *prices))
    return columns(rows)


def command(specs: Specs, arguments: Namespace) -> Iterator[str]:
    """`conformance plan`, line by line. Raises UsageError."""
    from conformance.session import cases

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
    yield from table(plan(specs, asked, rules, arguments.examples), arguments.budget)
    if arguments.limits:
        yield ""
        yield from limits_table(places(specs, asked, arguments.api))
