"""Waivers: rules that a provider is known to break, each with a reason, an owner and a last day.

Strict both ways. A rule that is waived and broken does not fail the run; one that is waived and holds does,
until the waiver is removed; so does a waiver whose day is over. What a waiver may excuse are `broken` and
`not asked`: an outage or a fault of ours is nobody's known defect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from conformance.contract import Contract
from conformance.documents.document import SpecError, line_of, read
from conformance.documents.library import SPECS, Library
from conformance.finding import Finding
from conformance.loading import Specs
from conformance.target import Target

DEFAULT = "conformance-waivers.yaml"
EXCUSABLE = ("broken", "not asked")


@dataclass(frozen=True)
class Waiver:
    """One entry of the file."""

    rule: str
    reason: str
    link: str
    owner: str
    expires: date
    when: Mapping[str, str]
    at: str
    """File and line."""

    def covers(self, target: Target, contract: Contract, rule: str) -> bool:
        """True if the entry speaks of this rule at this target."""
        if self.rule not in (rule, f"{contract.id}:{rule}"):
            return False
        said = {"provider": target.name, "model": target.model or "", "contract": contract.id}
        return all(fnmatchcase(said[name], glob) for name, glob in self.when.items())


@dataclass(frozen=True)
class Waivers:
    """The entries of a file, and the day on which they are read."""

    entries: tuple[Waiver, ...] = ()
    today: date = date.min

    def applied(self, finding: Finding, target: Target, contract: Contract) -> Finding:
        """The finding, excused or accused by the first entry that covers it."""
        covering = [each for each in self.entries if each.covers(target, contract, finding.rule.id)]
        if not covering:
            return finding
        current = next((each for each in covering if each.expires >= self.today), None)
        if current is None:
            late = f"its waiver ({covering[0].owner}, {covering[0].at}) expired on {covering[0].expires}"
            return replace(finding, reason="; ".join(part for part in (finding.reason, late) if part))
        if finding.word in EXCUSABLE:
            until = f"waived by {current.owner} until {current.expires}, {current.link}"
            return replace(finding, excused=f"{current.reason} ({until})")
        if finding.word == "kept":
            narrow = "" if ":" in current.rule else ", or narrow it with `when`"
            return replace(
                finding, accused=f"waived at {current.at}, but it holds: remove the waiver{narrow}"
            )
        return finding

    def problems(self) -> list[str]:
        """What fails the run whatever was looked at: entries whose day is over."""
        return [
            f"{each.at}: the waiver of {each.rule} ({each.owner}) expired on {each.expires}: "
            f"remove it, or see {each.link} and give it another day"
            for each in self.entries
            if each.expires < self.today
        ]

    def section(self, found: Iterable[tuple[Target, Contract, Finding]]) -> list[dict[str, Any]]:
        """Every entry with what became of it, for the run's document."""
        findings = list(found)
        told = []
        for each in self.entries:
            own = [
                finding
                for target, contract, finding in findings
                if each.covers(target, contract, finding.rule.id)
            ]
            if each.expires < self.today:
                state = "expired"
            elif any(finding.accused for finding in own):
                state = "stale"
            else:
                state = "used" if any(finding.excused for finding in own) else "idle"
            said = {"rule": each.rule, "reason": each.reason, "link": each.link, "owner": each.owner}
            more = {
                "expires": each.expires.isoformat(),
                "when": dict(each.when),
                "at": each.at,
                "state": state,
            }
            told.append({**said, **more})
        return told


def read_waivers(path: Path, specs: Specs, today: date) -> Waivers:
    """The waivers in a file.

    Raises SpecError, with file and line, for what is not in the format and for names that nothing has.
    """
    said = read(path)
    library = Library()
    for found in library.shape({"$ref": library.uri(SPECS / "schema" / "waivers.yaml")}).mismatches(said):
        at = found.at.rsplit("/", 1)[0] if found.keyword == "required" else found.at
        raise SpecError(
            path, line_of(path, at), f"{found} (specs/schema/waivers.yaml says what stands in it)"
        )
    entries = []
    for index, entry in enumerate(said["waivers"]):
        pointer = f"/waivers/{index}"
        _refuse_unknown(path, pointer, entry, specs)
        try:
            expires = date.fromisoformat(entry["expires"])
        except ValueError as error:
            where = line_of(path, f"{pointer}/expires")
            raise SpecError(path, where, f"expires: expected a day such as 2026-12-31: {error}") from error
        at = f"{path.name}:{line_of(path, pointer)}"
        words = (entry["rule"], entry["reason"], entry["link"], entry["owner"])
        entries.append(Waiver(*words, expires, entry.get("when", {}), at))
    return Waivers(tuple(entries), today)


def _refuse_unknown(path: Path, pointer: str, entry: Mapping[str, Any], specs: Specs) -> None:
    rules = [rule for rule in specs.rules() if rule.not_checked is None]
    whole, short = {rule.name for rule in rules}, {rule.id for rule in rules}
    name = entry["rule"]
    if name not in whole | short:
        close = difflib.get_close_matches(name, sorted(whole if ":" in name else short), 1)
        advice = f"closest: {close[0]}" if close else "`conformance show CONTRACT` lists them"
        raise SpecError(path, line_of(path, f"{pointer}/rule"), f"no rule {name!r}; {advice}")
    known = {
        "provider": list(specs.providers),
        "contract": [rule.contract for rule in rules if name in (rule.id, rule.name)],
    }
    for kind, names in known.items():
        glob = entry.get("when", {}).get(kind)
        if glob is not None and not any(fnmatchcase(each, glob) for each in names):
            listed = ", ".join(dict.fromkeys(names))
            where = line_of(path, f"{pointer}/when/{kind}")
            raise SpecError(path, where, f"when.{kind}: expected a glob of {listed}; {glob!r} matches none")
