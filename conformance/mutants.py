"""The suite tested by its own mock: every rule broken once, on purpose, must be found by its own check.

A rule that no mutant turns red proves nothing; a mutant that also turns other rules red is
compared with what the file lists under `also`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from conformance.cases import matches
from conformance.contract import Contract, Rule
from conformance.embedded import embedded
from conformance.finding import Finding
from conformance.loading import Specs
from conformance.probes.probing import CannotAsk, Unfounded
from conformance.run import Run, inapplicable
from conformance.target import EMBEDDED, Target, UsageError, targets

BREAK = "x-mock-break"
"""The request header by which the mock breaks a rule."""
UNBROKEN = "x-mock-error"
"""The response header by which it says that it could not."""


@dataclass(frozen=True)
class Mutant:
    """One rule, broken. `own` is what its own check said, `others` the rules that fell with it."""

    rule: Rule
    own: Finding
    others: tuple[str, ...]
    unbroken: str = ""
    """Why the mock could not break it, in the mock's words."""

    @property
    def killed(self) -> bool:
        return self.own.word == "broken"

    @property
    def unlisted(self) -> tuple[str, ...]:
        """Rules that fell with it and are not listed under `also`."""
        return tuple(name for name in self.others if name not in self.rule.also)

    @property
    def missing(self) -> tuple[str, ...]:
        """Rules listed under `also` that held."""
        return tuple(name for name in self.rule.also if name not in self.others)


@dataclass
class Outcome:
    """Everything that was broken, what the unbroken mock did, and what could not be asked here."""

    mutants: list[Mutant] = field(default_factory=list)
    clean_failures: list[Finding] = field(default_factory=list)
    clean: int = 0
    skipped: list[tuple[Rule, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def survivors(self) -> list[Mutant]:
        return [each for each in self.mutants if not each.killed]

    @property
    def sound(self) -> bool:
        return bool(self.mutants) and not (
            self.survivors
            or self.clean_failures
            or any(each.unlisted or each.missing for each in self.mutants)
        )


def run_mutants(
    specs: Specs, globs: Sequence[str], progress: IO[str] | None = None, only: Collection[str] | None = None
) -> Outcome:
    """Breaks every rule of the contracts that match (`only` those, if any are named), in a mock of each reality.

    Raises UsageError if no contract matches.
    """
    outcome = Outcome()
    begun = time.monotonic()
    open_rules = {
        (contract.id, rule.id): "no target"
        for contract in specs.contracts.values()
        if not contract.abstract and matches(contract, globs)
        for rule in contract.rules.values()
        if rule.not_checked is None and (only is None or rule.name in only)
    }
    if not open_rules:
        raise UsageError(
            f"--api: expected a name or glob of a contract, got {', '.join(globs)}: none matches"
        )
    with tempfile.TemporaryDirectory(prefix="conformance-mutants-") as folder:
        for auth, reality in (("strict", "documented"), ("lenient", "documented"), ("strict", "observed")):
            if not open_rules:
                break
            mock = embedded(EMBEDDED)(auth=auth, reality=reality, specs=specs)
            try:
                asked = targets(specs, EMBEDDED, mock=mock.info)
                for target in [other for each in asked for other in _cards(specs, each)]:
                    _break_all(specs, target, open_rules, outcome, Path(folder) / auth / reality, progress)
            finally:
                mock.stop()
    outcome.skipped = [
        (specs.rule(f"{contract}:{rule}"), why) for (contract, rule), why in open_rules.items()
    ]
    outcome.seconds = time.monotonic() - begun
    return outcome


def _cards(specs: Specs, target: Target) -> Iterator[Target]:
    """The target, and the same provider asked for every other model it sells."""
    yield target
    for card in specs.cards:
        if (
            card.seller == target.provider.seller
            and target.provider.models_of in card.ids
            and card is not target.card
            and (name := card.asked_as(target.provider)) is not None
        ):
            yield replace(target, model=name, card=card)


def _break_all(
    specs: Specs,
    target: Target,
    open_rules: dict[tuple[str, str], str],
    outcome: Outcome,
    folder: Path,
    progress: IO[str] | None,
) -> None:
    place = folder / str(target.card and target.card.model) / "clean" / target.name
    clean = Run(specs, [target], place, alone=True)
    try:
        for contract in (each.for_model(target.model) for each in specs.of(target.provider.id)):
            for rule in contract.rules.values():
                key = (contract.id, rule.id)
                if key not in open_rules:
                    continue
                unbroken = clean.judge(target, contract, rule)
                if unbroken.word == "not applicable":
                    open_rules[key] = unbroken.reason
                    continue
                del open_rules[key]
                outcome.clean += 1
                if unbroken.word != "kept":
                    outcome.clean_failures.append(unbroken)
                mutant = break_rule(specs, target, contract, rule, clean, folder)
                outcome.mutants.append(mutant)
                if progress is not None:
                    progress.write(
                        f"\r{len(outcome.mutants)} mutants, {len(outcome.survivors)} survive \x1b[K"
                    )
                    progress.flush()
    finally:
        clean.close()
        if progress is not None:
            progress.write("\r\x1b[K")


def break_rule(
    specs: Specs, target: Target, contract: Contract, rule: Rule, clean: Run, folder: Path
) -> Mutant:
    """Asks the rule's probe of a mock that breaks the rule, and judges every rule of that probe."""
    target = replace(target, endpoint=_space(target, rule.name))
    place = folder / f"{contract.id}-{rule.id}".replace("/", "_")
    run = Run(specs, [target], place, ((BREAK, rule.name),), alone=True, served=True)
    try:
        own = run.judge(target, contract, rule)
        others = []
        for other in contract.rules.values():
            if other.id == rule.id or other.probe != rule.probe or inapplicable(target, contract, other):
                continue
            try:
                fell = run.judge(target, contract, other).word == "broken"
                if fell and clean.judge(target, contract, other).word == "kept":
                    others.append(other.id)
            except CannotAsk:
                continue
        return Mutant(rule, own, tuple(others), _unbroken(run, target, contract, rule))
    finally:
        run.close()


def _unbroken(run: Run, target: Target, contract: Contract, rule: Rule) -> str:
    assert rule.probe is not None
    with suppress(CannotAsk, Unfounded):
        for step in run.seen(target, contract, rule.probe).values():
            response = step.exchange.response
            said = response.header(UNBROKEN) if response is not None else None
            if said:
                return said
    return ""


def _space(target: Target, name: str) -> str:
    """The endpoint with a space of its own in the mock, so that no mutant spends another's quota."""
    base = target.endpoint.removesuffix(target.provider.prefix)
    return f"{base}/~{name.replace('/', '_').replace(':', '_')}{target.provider.prefix}"


def matrix(outcome: Outcome) -> Iterator[str]:
    """The matrix for a person: each contract, how many rules were broken and found, then what is wrong."""
    by_contract: dict[str, list[Mutant]] = {}
    for mutant in outcome.mutants:
        by_contract.setdefault(mutant.rule.contract, []).append(mutant)
    yield f"{'contract':45} {'broken':>7} {'found':>7} {'survive':>8}"
    for name, mutants in by_contract.items():
        killed = sum(mutant.killed for mutant in mutants)
        yield f"{name:45} {len(mutants):7} {killed:7} {len(mutants) - killed:8}"
    yield ""
    for finding in outcome.clean_failures:
        yield f"the unbroken mock: {finding.text()}"
    for mutant in outcome.survivors:
        how = [dict(each) for each in mutant.rule.broken_by] or "what its schema demands"
        yield f"survives: {mutant.rule.name} is {mutant.own.word} though broken by {how}"
        for why in filter(None, (mutant.unbroken, mutant.own.reason)):
            yield f"          {why}"
    for mutant in outcome.mutants:
        if mutant.unlisted:
            yield f"also falls, not listed: {mutant.rule.name} -> {', '.join(mutant.unlisted)}"
        if mutant.missing:
            yield f"listed under also, but holds: {mutant.rule.name} -> {', '.join(mutant.missing)}"
    for rule, why in outcome.skipped:
        yield f"not broken: {rule.name}, for {why}"
    found = len(outcome.mutants) - len(outcome.survivors)
    yield (
        f"{len(outcome.mutants)} rules broken, {found} found by their own check, "
        f"{outcome.clean - len(outcome.clean_failures)} of {outcome.clean} kept by the unbroken mock, "
        f"{outcome.seconds:.1f} s: {'sound' if outcome.sound else 'NOT SOUND'}"
    )
