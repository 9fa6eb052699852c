"""Limits over time, and what there is to spend. `now` is an argument; nothing here knows a clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.card import Card
from conformance.contract import Contract
from conformance.loading import Specs
from mockserver.auth import Principal
from mockserver.credentials import Credentials

__all__ = ["MICROCENTS", "Bucket", "Counted", "counted", "price", "refuse_unknown"]

MICROCENTS = 1_000_000
"""In a US cent: what one token costs is a whole number of them, or nearly."""


@dataclass(slots=True)
class Bucket:
    """Holds up to `limit` and refills evenly over `window` seconds; with None it never does.

    Even refill, not once a window: a guess, no page says which.
    """

    limit: float
    window: float | None
    level: float
    at: float

    def spend(self, amount: float, now: float) -> float:
        """Seconds until `amount` fits; 0.0 if it fits now, and then it is spent.

        More than the whole limit is taken as the whole limit: it would never fit; into a limit of nothing nothing
        fits, and the whole window is told. What never refills says how much is missing instead, and takes a
        negative amount back.
        """
        if self.window is None:
            if amount > self.level + 1e-9:
                return amount - self.level
            self.level = min(self.limit, self.level - amount)
            return 0.0
        if self.limit <= 0:
            return self.window
        wanted = min(amount, self.limit)
        if wanted <= self.left(now) + 1e-9:
            self.level -= wanted
            return 0.0
        return (wanted - self.level) / (self.limit / self.window)

    def left(self, now: float) -> float:
        """How much of it is there now."""
        if self.window is not None:
            refilled = max(0.0, now - self.at) * self.limit / self.window
            self.level = min(self.limit, self.level + refilled)
            self.at = max(now, self.at)
        return self.level


@dataclass(frozen=True, slots=True)
class Counted:
    """One quota of the provider that a request counts against.

    `name` is shared by all requests that count together; `limit` is of requests, tokens, or US cents.
    """

    name: str
    counts: str
    limit: float
    window_seconds: float | None
    condition: str
    said: Mapping[str, Any]


def counted(
    contract: Contract,
    principal: Principal,
    model: str | None,
    card: Card | None,
    credentials: Credentials,
    limits: Mapping[str, float],
) -> Iterator[Counted]:
    """The quotas that a request counts against, in the provider's order.

    `limits` by the quotas' ids come before those of the caller's plan, of the provider and of the card;
    money that the credentials give to a kind of token comes before all. One without a limit is left out.
    """
    assert contract.provider is not None
    shared = contract.said.get("quotas")
    for said in contract.provider.said.get("quotas", ()):
        if shared is not None and said["id"] not in shared:
            continue
        limit = limits.get(said["id"])
        if limit is None:
            limit = said.get("limits", {}).get(_plan(contract, principal), said.get("limit"))
        if limit is None and card is not None:
            limit = card.value(f"quotas.{said['id']}")
        if said["counts"] == "cost" and principal.kind is not None:
            limit = credentials.puter_funds.get(principal.kind, limit)
        if limit is None:
            continue
        together = model if shared is None else shared[said["id"]]
        name = f"{principal.name}|{together}|{said['id']}"
        yield Counted(name, said["counts"], limit, said["window_seconds"], said["condition"], said)


def _plan(contract: Contract, principal: Principal) -> str | None:
    """The plan of the account, where the provider tells its tokens apart by plans."""
    plan: str | None = contract.auth.get(principal.scheme, {}).get("plans", {}).get(principal.kind)
    return plan


def refuse_unknown(specs: Specs, limits: Mapping[str, float]) -> None:
    """Raises ValueError for a quota that no provider has, and for less than nothing."""
    known = {said["id"] for provider in specs.providers.values() for said in provider.said.get("quotas", ())}
    for name, limit in limits.items():
        if name not in known:
            raise ValueError(f"expected one of the quotas {', '.join(sorted(known))}, got {name!r}")
        if limit < 0:
            raise ValueError(f"{name}: expected a limit of 0 or more, got {limit!r}")


def price(prices: Mapping[str, float], tokens_in: float, tokens_out: float) -> float:
    """Microcents that so many tokens cost at so many US dollars per million."""
    return (tokens_in * prices["input"] + tokens_out * prices["output"]) * 100
