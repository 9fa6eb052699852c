"""The same asked in several ways: over every API of a model, several times, with its members in another order.

A step of a probe may say `over: every-api` (it becomes one step for each other API that the card offers in this
run, each answered whole), `times: 3` (three requests, whatever is kept of the first) and `reversed: true`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.contract import Contract
from conformance.loading import Specs
from conformance.probes.probing import CannotAsk
from conformance.target import Target

Steps = Mapping[str, Mapping[str, Any]]


def expand(specs: Specs, targets: Sequence[Target], target: Target, contract: Contract, said: Steps) -> Steps:
    """The steps as they are asked, `over` and `times` written out.

    Raises CannotAsk where a step goes over APIs and the model has no other one in this run.
    """
    if not any("over" in how or "times" in how for how in said.values()):
        return said
    steps: dict[str, Mapping[str, Any]] = {}
    for name, how in said.items():
        own = {key: value for key, value in how.items() if key not in ("over", "times")}
        if "over" in how:
            others = list(siblings(specs, targets, target, contract))
            if not others:
                raise CannotAsk("the model is offered over no other API in this run")
            for seller, other in others:
                steps[other.id.replace("/", "-")] = {**own, "contract": other.id, "target": seller.name}
            continue
        steps[name] = own
        for number in range(2, how.get("times", 1) + 1):
            steps[f"{name}-{number}"] = {**own, "repeat": number}
    return steps


def siblings(
    specs: Specs, targets: Sequence[Target], target: Target, contract: Contract
) -> list[tuple[Target, Contract]]:
    """Every other API over which this run can ask the same model of the same seller, answers in one piece only."""
    card = target.card
    if card is None:
        return []
    return [
        (other, each)
        for other in targets
        if other.card is not None and (other.card.model, other.card.seller) == (card.model, card.seller)
        for each in specs.of(other.provider.id)
        if each.dialect is not None
        and not each.streams
        and each.id != contract.id
        and each.speaks(other.model or "")
        and each.offer is not None
        and "repeats" in each.probes
        and card.offers(f"api:{each.offer}", target.reality) is True
    ]


def goes_on(said: Steps) -> bool:
    """True if a step takes something from an earlier answer."""
    return any(_takes(how) for how in said.values())


def _takes(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool({"$from", "answered", "results"} & set(value)) or any(map(_takes, value.values()))
    return isinstance(value, list) and any(map(_takes, value))
