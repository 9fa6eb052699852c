"""What a run looks at: each rule at each target, of the contracts whose name or API was asked for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from conformance.contract import Contract, Rule
from conformance.loading import Specs
from conformance.target import Target, UsageError

__all__ = ["Case", "cases", "matches"]


@dataclass(frozen=True)
class Case:
    """One rule at one target, as one pytest item."""

    target: Target
    contract: Contract
    rule: Rule

    @property
    def id(self) -> str:
        return f"{self.contract.id}:{self.rule.id}"


def cases(asked: Sequence[Target], specs: Specs, globs: Sequence[str] | None) -> list[Case]:
    """Every rule to look at, of the contracts whose name or API a glob matches; None: of all.

    Raises UsageError for a glob that matches none: a run that asks nothing must not look like one that found nothing.
    """
    contracts = [
        (target, contract.for_model(target.model))
        for target in asked
        for contract in specs.of(target.provider.id)
    ]
    for glob in globs or ():
        if not any(matches(contract, [glob]) for _, contract in contracts):
            known = sorted({name for _, contract in contracts for name in (contract.id, contract.api)})
            close = difflib.get_close_matches(glob, known, 3) or known[:3]
            raise UsageError(
                f"--api: {glob!r} matches none of {len(known)} names; expected one such as {', '.join(close)}, "
                "or a glob (`conformance show list` has them all)"
            )
    return [
        Case(target, contract, rule)
        for target, contract in contracts
        if globs is None or matches(contract, globs)
        for rule in contract.rules.values()
        if rule.not_checked is None
    ]


def matches(contract: Contract, globs: Sequence[str]) -> bool:
    """True if one of the globs matches the contract's name or its API."""
    return any(fnmatch(contract.id, glob) or fnmatch(contract.api, glob) for glob in globs)
