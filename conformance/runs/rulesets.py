"""Frozen rule sets: which rules a run looks at, at which level, and what each demanded on that day.

A set is a file in specs/rulesets/ that `conformance freeze NAME` writes. For each rule it keeps the level and
a digest of what the rule demands. A run with `--rules NAME` judges the rules of the set at its levels, and no
other; a rule that is gone, or demands something else by now, is dropped and named: its verdict would not be the
one that was frozen. A digest covers everything that the YAML says (the rule, its probe, the shape behind an
implied rule); the Python of a check has no digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.contract import Contract, Rule
from conformance.documents.document import SpecError, line_of, read
from conformance.documents.library import KINDS, SPECS, Library, files
from conformance.loading import Specs
from conformance.shapes import pointer
from conformance.target import UsageError

FOLDER = "rulesets"


def digest(specs: Specs) -> str:
    """16 hex digits that change with any file of the specs, and with nothing else."""
    summed = hashlib.sha256()
    for folder in specs.folders:
        for kind in KINDS:
            for path in files(folder, kind):
                summed.update(f"{path.relative_to(folder).as_posix()}\n".encode() + path.read_bytes())
    return summed.hexdigest()[:16]


def demands(contract: Contract, rule: Rule) -> str:
    """12 hex digits of everything that the YAML demands by this rule, wherever the files stand."""
    said: dict[str, Any] = {
        "check": rule.check,
        "with": dict(rule.arguments),
        "scope": rule.scope,
        "needs": dict(rule.needs),
        "reality": rule.reality,
        "probe": contract.probes[rule.probe] if rule.probe else None,
    }
    if rule.implied:
        said["response"] = {name: contract.response.get(name) for name in _BEHIND.get(rule.id, ())}
    else:
        named = {rule.arguments.get("error")}
        for step in (said["probe"] or {}).get("steps", {}).values():
            expected = step.get("expect")
            named.add(expected.get("error") if isinstance(expected, Mapping) else None)
        said["errors"] = {
            name: [failure.status, failure.code, failure.body, dict(failure.headers)]
            for name in sorted(name for name in named if isinstance(name, str))
            if (failure := contract.failures.get(name)) is not None
        }
    places: list[str] = []
    whole = [_placeless(said, places)]
    # What is pointed to may point on: the list grows while it is walked.
    for place in places:
        whole.append(_placeless(contract.definition(place), places))
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=repr).encode()).hexdigest()[:12]


_BEHIND: Mapping[str, tuple[str, ...]] = {
    "status": ("status",),
    "headers": ("content_type", "headers"),
    "framing": ("framing",),
    "shape": ("body", "events"),
    "order": ("order", "may_end_with"),
}
"""Where in `response` an implied rule's demand stands."""


def _placeless(value: Any, places: list[str]) -> Any:
    """`value` with each absolute $ref replaced by its number in `places`, which takes new ones up."""
    if isinstance(value, Mapping):
        result = {key: _placeless(each, places) for key, each in value.items()}
        ref = value.get("$ref")
        if isinstance(ref, str):
            if ref not in places:
                places.append(ref)
            result["$ref"] = places.index(ref)
        return result
    if isinstance(value, (list, tuple)):
        return [_placeless(each, places) for each in value]
    return value


@dataclass(frozen=True)
class RuleSet:
    """A frozen set: level and digest of each rule, by contract and rule id."""

    name: str
    frozen: str
    path: Path
    rules: Mapping[str, Mapping[str, tuple[str, str]]]

    def level(self, contract: Contract, rule: Rule) -> str | None:
        """The frozen level; None for a rule that is not judged under this set."""
        known = self.rules.get(contract.id, {}).get(rule.id)
        return known[0] if known is not None and known[1] == demands(contract, rule) else None

    def dropped(self, contracts: Iterable[Contract]) -> Iterator[tuple[str, str]]:
        """Rules of these contracts that are not judged, each with why."""
        for contract in contracts:
            known = self.rules.get(contract.id, {})
            for name in known:
                rule = contract.rules.get(name)
                if rule is None or rule.not_checked is not None:
                    yield f"{contract.id}:{name}", f"it was in {self.name} and is gone"
            for rule in contract.rules.values():
                if rule.not_checked is not None:
                    continue
                if rule.id not in known:
                    yield rule.name, f"newer than {self.name}"
                elif known[rule.id][1] != demands(contract, rule):
                    yield rule.name, f"it demands something else than in {self.name}"


def find(specs: Specs, name: str) -> RuleSet:
    """The set called `name` in rulesets/ of the specs, or in the file `name`.

    Raises UsageError if there is none, SpecError for a file that is no rule set.
    """
    known = {path.stem: path for folder in specs.folders for path in files(folder, FOLDER)}
    path = Path(name)
    if name in known:
        path = known[name]
    elif not path.is_file():
        names = ", ".join(known) or "none yet; `conformance freeze NAME` writes one"
        raise UsageError(f"--rules: expected a file or one of {names}; got {name!r}")
    return read_set(path)


def read_set(path: Path) -> RuleSet:
    """The set in a file. Raises SpecError."""
    said = read(path)
    library = Library()
    for found in library.shape({"$ref": library.uri(SPECS / "schema" / "ruleset.yaml")}).mismatches(said):
        raise SpecError(path, line_of(path, found.at), str(found))
    rules = {
        contract: {rule: (level, digest) for rule, (level, digest) in each.items()}
        for contract, each in said["rules"].items()
    }
    return RuleSet(said["ruleset"], said["frozen"], path, rules)


def freeze(specs: Specs, name: str, today: date, path: Path) -> int:
    """Writes the set `name` with every rule there is; returns how many.

    Raises UsageError for a set that is there already: a frozen one does not change.
    """
    if path.exists():
        raise UsageError(
            f"{path}: {name} is frozen already; take another name, or remove the file if nobody uses it"
        )
    lines = [
        f"# The rules of {name}: level, and a digest of what each demanded. Written by `conformance freeze {name}`.",
        f"ruleset: {json.dumps(name)}",
        f"frozen: '{today.isoformat()}'",
        f"version: {__version__}",
        "rules:",
    ]
    number = 0
    for contract in specs.contracts.values():
        rules = [each for each in contract.rules.values() if each.not_checked is None]
        if contract.abstract or not rules:
            continue
        lines.append(f"  {contract.id}:")
        lines += [f"    {rule.id}: [{rule.level}, '{demands(contract, rule)}']" for rule in rules]
        number += len(rules)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return number


def problems(specs: Specs) -> Iterator[str]:
    """Frozen rules that are gone or demand something else by now, as `file:line: what`."""
    for folder in specs.folders:
        for path in files(folder, FOLDER):
            frozen = read_set(path)
            here = [each for each in specs.contracts.values() if each.id in frozen.rules]
            gone = [name for name in frozen.rules if name not in specs.contracts]
            for name in gone:
                yield f"{path}:{_line(path, name)}: contract {name} is gone, but {frozen.name} is frozen: keep it"
            for name, why in frozen.dropped(here):
                contract, _, rule = name.rpartition(":")
                if rule in frozen.rules[contract]:
                    advice = f"put it back, or give the new demand a new id, or leave {frozen.name} behind"
                    yield f"{path}:{_line(path, contract, rule)}: {name}: {why}: {advice}"


def _line(path: Path, *names: str) -> int:
    return line_of(path, pointer(["rules", *names])) or 1
