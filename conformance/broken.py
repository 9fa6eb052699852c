"""The suite run against each broken provider: which rules fall, which still hold.

A broken provider is a list of operations in specs/broken/ that the mock does to every answer. One that
nothing falls for is no misbehaviour that this suite can see.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

from conformance.ask import TIMEOUT_READ
from conformance.cases import matches
from conformance.contract import Rule
from conformance.embedded import embedded
from conformance.finding import Finding
from conformance.loading import Specs
from conformance.mutants import BREAK
from conformance.run import Run
from conformance.target import EMBEDDED, Target, UsageError, targets

PATIENCE = 0.5
"""Seconds of silence that end an answer of a provider that stalls, once it has begun."""


@dataclass
class Outcome:
    """What became of every rule at one broken provider, of those that the unbroken mock keeps."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def names(self, *words: str) -> list[str]:
        """The rules of which one of these words is true, sorted."""
        return sorted(each.rule.name for each in self.findings if each.word in words)

    @property
    def fallen(self) -> list[str]:
        """The rules that are not kept: broken, or there was nothing left to look at."""
        return sorted(each.rule.name for each in self.findings if each.word != "kept")


def run_broken(
    specs: Specs, names: Sequence[str] = (), globs: Sequence[str] = ("*",), progress: IO[str] | None = None
) -> list[Outcome]:
    """The suite's verdict on each of the broken providers (all of them if none is named), in order of name.

    Raises UsageError for a name or a glob that fits nothing.
    """
    for name in names:
        if name not in specs.broken:
            raise UsageError(f"--broken: expected one of {', '.join(sorted(specs.broken))}, got {name!r}")
    if not any(matches(contract, globs) for contract in specs.contracts.values()):
        raise UsageError(
            f"--api: expected a name or glob of a contract, got {', '.join(globs)}: none matches"
        )
    mock = embedded(EMBEDDED)(auth="strict", reality="documented", specs=specs)
    outcomes = []
    try:
        asked = targets(specs, EMBEDDED, mock=mock.info)
        with tempfile.TemporaryDirectory(prefix="conformance-broken-") as folder:
            kept = {
                (target.name, rule.name)
                for target in asked
                for rule in _kept(specs, target, globs, Path(folder))
            }
            for name in sorted(names or specs.broken):
                if progress is not None:
                    progress.write(f"\r{name} \x1b[K")
                    progress.flush()
                outcomes.append(_one(specs, name, asked, kept, Path(folder)))
    finally:
        mock.stop()
        if progress is not None:
            progress.write("\r\x1b[K")
    return outcomes


def _kept(specs: Specs, target: Target, globs: Sequence[str], folder: Path) -> list[Rule]:
    """The rules that the unbroken mock keeps."""
    run = Run(specs, [target], folder / "clean" / target.name, alone=True)
    try:
        return [
            rule
            for contract in specs.of(target.provider.id)
            if matches(contract, globs)
            for rule in contract.rules.values()
            if run.judge(target, contract, rule).word == "kept"
        ]
    finally:
        run.close()


def _one(
    specs: Specs,
    name: str,
    asked: Sequence[Target],
    kept: Collection[tuple[str, str]],
    folder: Path,
) -> Outcome:
    outcome, begun = Outcome(name), time.monotonic()
    said = specs.broken[name]
    looked_at = said.get("asked", ["*"])
    patience = (
        PATIENCE if any("stall" in each.get("wire", ()) for each in said["operations"]) else TIMEOUT_READ
    )
    for target in asked:
        base = target.endpoint.removesuffix(target.provider.prefix)
        here = replace(target, endpoint=f"{base}/~{name}{target.provider.prefix}")
        run = Run(specs, [here], folder / name / target.name, ((BREAK, name),), patience=patience, alone=True)
        try:
            for contract in specs.of(target.provider.id):
                for rule in contract.rules.values():
                    if (target.name, rule.name) in kept and any(
                        fnmatchcase(rule.name, each) for each in looked_at
                    ):
                        outcome.findings.append(run.judge(here, contract, rule))
        finally:
            run.close()
    outcome.seconds = time.monotonic() - begun
    return outcome


def rows(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The matrix as data: for each broken provider, which rules fell and how, by contract."""
    told: dict[str, Any] = {}
    for outcome in outcomes:
        mine = told.setdefault(outcome.name, {})
        for finding in sorted(outcome.findings, key=lambda each: each.rule.name):
            if finding.word != "kept":
                contract, _, rule = finding.rule.name.rpartition(":")
                mine.setdefault(contract, {}).setdefault(finding.word, []).append(rule)
    return told


def matrix(specs: Specs, outcomes: Sequence[Outcome], named: bool) -> Iterator[str]:
    """The matrix for a person: a line for each broken provider, and the rules that fell if it was `named`."""
    yield f"{'broken provider':20} {'asked':>6} {'must':>6} {'should':>7} {'other':>6} {'kept':>6}  what it does"
    for outcome in outcomes:
        broken = [each for each in outcome.findings if each.word == "broken"]
        must = sum(each.rule.level == "must" for each in broken)
        kept = len(outcome.names("kept"))
        other = len(outcome.findings) - len(broken) - kept
        text = " ".join(specs.broken[outcome.name]["text"].split())
        yield (
            f"{outcome.name:20} {len(outcome.findings):6} {must:6} {len(broken) - must:7} {other:6} {kept:6}  {text}"
        )
    if named:
        for name, contracts in rows(outcomes).items():
            for contract, words in contracts.items():
                for word, rules in words.items():
                    yield f"{name}: {contract}: {word}: {', '.join(rules)}"
    unseen = [outcome.name for outcome in outcomes if not outcome.fallen]
    total = sum(outcome.seconds for outcome in outcomes)
    yield ""
    yield (
        f"{len(outcomes)} broken providers, {len(outcomes) - len(unseen)} found out, {total:.1f} s"
        + (f"; nothing falls for {', '.join(unseen)}" if unseen else "")
    )
