"""What a run is held to beside its contracts: waivers, a baseline, a frozen rule set, a shard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from conformance.cases import Case
from conformance.contract import Contract
from conformance.finding import Finding
from conformance.loading import Specs
from conformance.probes.probing import CannotAsk, Unfounded, build
from conformance.runs.diff import was_kept
from conformance.runs.rulesets import RuleSet, find
from conformance.runs.stored import read_run
from conformance.runs.waivers import DEFAULT, Waivers, read_waivers
from conformance.target import EMBEDDED, Target, UsageError


@dataclass(frozen=True)
class Terms:
    """What `--waivers`, `--baseline`, `--fail-on`, `--rules` and `--shard` mean."""

    waivers: Waivers
    baseline: Mapping[str, Any] | None
    fail_on_new: bool
    ruleset: RuleSet | None
    shard: tuple[int, int] | None

    def chosen(self, cases: Sequence[Case], specs: Specs) -> list[Case]:
        """The cases of the rule set, at its levels, that fall into the shard.

        A shard takes whole probes, in turns, and those that ask the same together: nothing is paid in two of them.
        Raises UsageError where nothing would be left: a run that asks nothing is not green.
        """
        left = list(cases)
        if self.ruleset is not None:
            levels = [(case, self.ruleset.level(case.contract, case.rule)) for case in left]
            left = [
                replace(case, rule=replace(case.rule, level=level))
                for case, level in levels
                if level is not None
            ]
            if not left:
                raise UsageError(f"--rules: none of these contracts has a rule of {self.ruleset.name}")
        if self.shard is not None:
            index, number = self.shard
            groups = _together(left, specs)
            if index > len(groups):
                raise UsageError(
                    f"--shard: expected at most {len(groups)} shards for what is asked, got {number}"
                )
            own = {probe for group in groups[index - 1 :: number] for probe in group}
            left = [case for case in left if _probe(case) in own]
        return left

    def applied(self, finding: Finding, case: Case) -> Finding:
        """The finding, excused or accused as the waivers and the baseline say."""
        finding = self.waivers.applied(finding, case.target, case.contract)
        if self.baseline is None or not self.fail_on_new or finding.accused or finding.exit != 1:
            return finding
        if (case.target.name, case.contract.id, case.rule.id) in was_kept(self.baseline):
            return finding
        return replace(
            finding, excused=f"the baseline run of {self.baseline['started']} did not keep it either"
        )

    def sections(self, found: Iterable[tuple[Target, Contract, Finding]], specs: Specs) -> dict[str, Any]:
        """What the run's document says of waivers, rule set and baseline; nothing of what was not given."""
        said: dict[str, Any] = {}
        kept = list(found)
        if self.waivers.entries:
            said["waivers"] = self.waivers.section(kept)
        if self.ruleset is not None:
            providers = {target.provider.id for target, _, _ in kept}
            contracts = [contract for name in sorted(providers) for contract in specs.of(name)]
            said["ruleset"] = {
                "name": self.ruleset.name,
                "frozen": self.ruleset.frozen,
                "dropped": [{"rule": rule, "why": why} for rule, why in self.ruleset.dropped(contracts)],
            }
        if self.baseline is not None:
            said["baseline"] = {name: self.baseline[name] for name in ("started", "version", "specs")}
        return said


_Probe = tuple[str, str, str | None]


def _probe(case: Case) -> _Probe:
    return case.target.name, case.contract.id, case.rule.probe


def _together(cases: Sequence[Case], specs: Specs) -> list[list[_Probe]]:
    """The probes in the order of the cases; those that send the same request stand in one group."""
    leader: dict[_Probe, _Probe] = {}
    first: dict[Any, _Probe] = {}
    for case in cases:
        probe = _probe(case)
        if probe in leader:
            continue
        leader[probe] = probe
        for request in _requests(case, specs):
            other = first.setdefault(request, probe)
            one, two = _led(leader, other), _led(leader, probe)
            leader[two] = one
    groups: dict[_Probe, list[_Probe]] = {}
    for probe in leader:
        groups.setdefault(_led(leader, probe), []).append(probe)
    return list(groups.values())


def _led(leader: Mapping[_Probe, _Probe], probe: _Probe) -> _Probe:
    while leader[probe] != probe:
        probe = leader[probe]
    return probe


def _requests(case: Case, specs: Specs) -> Iterator[Any]:
    """What the probe of the case sends whatever is answered; nothing of a probe that cannot be asked."""
    assert case.rule.probe is not None
    for name, how in case.contract.probes[case.rule.probe]["steps"].items():
        contract = specs.asked(how, case.contract, case.target.model)
        # A step that goes on from an answer is nobody else's.
        with suppress(CannotAsk, Unfounded, KeyError):
            request, _, _ = build(contract, name, how, case.target, {})
            yield how.get("target", case.target.name), request


def read_terms(
    specs: Specs,
    *,
    provider: str,
    waivers: str | None,
    baseline: str | None,
    fail_on: str | None,
    rules: str | None,
    shard: str | None,
    today: date,
) -> Terms:
    """The terms that the options mean.

    Without `waivers` the file conformance-waivers.yaml of the working folder counts, if there is one and a
    provider was named: what a provider is known to break, a mock keeps. Raises UsageError and SpecError.
    """
    if fail_on == "new" and baseline is None:
        raise UsageError("--fail-on new: expected --baseline RUN beside it, to say what is new")
    file = Path(waivers) if waivers else Path(DEFAULT)
    if waivers and not file.is_file():
        raise UsageError(f"--waivers: expected a file, got {waivers}: there is none")
    wanted = waivers or (provider != EMBEDDED and file.is_file())
    return Terms(
        read_waivers(file, specs, today) if wanted else Waivers(),
        None if baseline is None else read_run(baseline),
        fail_on == "new",
        None if rules is None else find(specs, rules),
        None if shard is None else _shard(shard),
    )


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard: expected I/N with 1 <= I <= N, such as 1/3, got {text!r}")
    return int(found[1]), int(found[2])
