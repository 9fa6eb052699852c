"""What an account used: counted with each answer, told by the operation that reads it back.

A contract whose answers are counted says under which names (`response.meters`); the one that tells
them says what an account may use where nothing limits it (`response.metering`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.template import fill
from conformance.values import Usage
from mockserver.quota import price

__all__ = ["amounts", "told"]


def amounts(
    meters: Mapping[str, str], served: Mapping[str, str], usage: Usage, prices: Mapping[str, float]
) -> dict[str, float]:
    """What one answer adds to the counts of its account, by the names of `Tally`.

    `served` fills the names: who served the model, and what they call it. Costs are in microcents.
    """
    prompt = usage.input + usage.cache_read + usage.cache_write
    free = {"input": 0.0, "output": 0.0}
    spent = {
        fill(meters["input"], served): (prompt, price(prices or free, prompt, 0)),
        fill(meters["output"], served): (usage.output, price(prices or free, 0, usage.output)),
    }
    app, whole = meters["app"], sum(cost for _, cost in spent.values())
    added = {f"app count/{app}": 1.0, f"app total/{app}": whole}
    for name, (units, cost) in spent.items():
        added |= {f"count/{name}": 1, f"units/{name}": units, f"cost/{name}": cost}
    return added


def told(counts: Mapping[str, float], allowance: float) -> dict[str, Any]:
    """What fills an answer: allowance and remaining in microcents, usage by name, apps by id."""
    usage: dict[str, dict[str, int]] = {}
    apps: dict[str, dict[str, int]] = {}
    for key, value in sorted(counts.items()):
        kind, _, name = key.partition("/")
        member = kind.removeprefix("app ")
        (usage if member == kind else apps).setdefault(name, {})[member] = round(value)
    spent = sum(app["total"] for app in apps.values())
    return {
        "allowance": round(allowance),
        "remaining": max(0, round(allowance) - spent),
        "usage": usage,
        "apps": apps,
    }
