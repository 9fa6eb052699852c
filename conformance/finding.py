"""One rule's result at one place, and its text. What its word means stands in `conformance.words`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.contract import Rule
from conformance.inert import as_line, inert
from conformance.shapes import Mismatch, brief
from conformance.words import EXITS, INCONCLUSIVE, MEANING, PRECEDENCE, Word

__all__ = ["EXITS", "MEANING", "PRECEDENCE", "Finding", "Word", "exit_code", "gathered"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one rule. `mismatches` is empty unless the word is `broken`."""

    rule: Rule
    word: Word
    reason: str = ""
    mismatches: tuple[Mismatch, ...] = ()
    evidence: tuple[str, ...] = ()
    """Addresses of the exchanges that were looked at, in the order they were asked."""
    again: str = ""
    """A line to paste that asks the same once more; secrets stand in it as variables."""
    excused: str = ""
    """Why a failure does not fail the run: a waiver, or a baseline that did not keep the rule either."""
    accused: str = ""
    """Why the run fails whatever the word: a waiver for a rule that holds."""

    @property
    def fails(self) -> bool:
        """True if the run is not conformant because of this."""
        if self.accused:
            return True
        if self.excused:
            return False
        if self.word == "broken":
            return self.rule.level == "must"
        return MEANING[self.word].pytest == "failed"

    @property
    def warns(self) -> bool:
        return self.word == "broken" and self.rule.level != "must" and not (self.excused or self.accused)

    @property
    def shown(self) -> str:
        """The word for the eye: `warning` for a broken should, `excused`, `accused`, else the word itself."""
        if self.accused or self.excused:
            return "accused" if self.accused else "excused"
        return "warning" if self.warns else self.word

    @property
    def exit(self) -> int:
        """The exit code of a run in which nothing was worse than this."""
        if self.accused:
            return 1
        return 0 if self.excused or self.warns else MEANING[self.word].exit

    def text(self, also: Sequence[str] = ()) -> str:
        """The finding for a person: rule, where, expected, got, who says so, how to see it again.

        `also` are other contracts of which the very same was found.
        """
        lines = [f"{self.rule.id} ({self.rule.level})  {self.rule.contract}: {self.word}"]
        if also:
            lines.append(f"  also in   {', '.join(also)}")
        if self.reason:
            lines.append(f"  because   {as_line(self.reason)}")
        if self.accused or self.excused:
            lines.append(f"  {'accused' if self.accused else 'excused'}   {self.accused or self.excused}")
        for found in self.mismatches:
            lines.append(f"  at        {as_line(found.at or '/')}")
            lines.append(f"  expected  {as_line(found.expected)}")
            lines.append(f"  got       {as_line(brief(found.got))}")
        lines.append(f"  rule      {self.rule.text}")
        lines.append(f"  says      {self.rule.source['text']} ({self.rule.source['sure']})")
        if self.again:
            # It may have several lines: those of the body that it sends.
            lines.append(f"  again     {inert(self.again)}")
        return "\n".join(lines)


def gathered(findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
    """The findings, those together that say the same of several contracts; each where its first one stood."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        rule, found = each.rule, tuple((one.at, one.expected, brief(one.got)) for one in each.mismatches)
        said = (rule.id, rule.level, rule.text, rule.source["text"], each.word, each.reason, found)
        groups.setdefault((*said, each.excused, each.accused), []).append(each)
    return [tuple(group) for group in groups.values()]


def exit_code(findings: Sequence[Finding], problems: Sequence[str] = ()) -> int:
    """0 conformant, 1 not, 3 suite error, 4 inconclusive or over budget or nothing looked at.

    `problems` fail the run beside what was found: waivers that expired, for instance.
    """
    if not any(each.word in ("kept", "broken") for each in findings) and not any(
        each.word == "suite error" for each in findings
    ):
        return INCONCLUSIVE
    codes = {each.exit for each in findings} | ({1} if problems else set())
    return next(code for code in PRECEDENCE if code in codes)
