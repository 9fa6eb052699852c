"""One rule's result at one place, and its text.

The seven words of a result, what each means for pytest, the exit code and the eye:

    kept            the rule was looked at and held
    broken          it did not hold: must fails the run, should warns
    not applicable  the card does not offer it, or the target cannot show it; the reason says why
    not asked       something it needs did not hold, so it was not looked at: this fails
    inconclusive    rate limit or outage: neither green nor red, fails CI by default
    over budget     it would have cost more than was allowed
    suite error     our own fault
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from conformance.contract import Rule
from conformance.shapes import Mismatch, brief

Word = Literal["kept", "broken", "not applicable", "not asked", "inconclusive", "over budget", "suite error"]


class Meaning(NamedTuple):
    """How one result word is told: to pytest, to the shell, to the eye."""

    pytest: Literal["passed", "failed", "skipped"]
    exit: int
    color: str
    mark: str


MEANING: dict[Word, Meaning] = {
    "kept": Meaning("passed", 0, "green", "+"),
    "broken": Meaning("failed", 1, "red", "X"),
    "not applicable": Meaning("skipped", 0, "grey", "-"),
    "not asked": Meaning("failed", 1, "red", "?"),
    "inconclusive": Meaning("failed", 4, "yellow", "~"),
    "over budget": Meaning("failed", 4, "yellow", "$"),
    "suite error": Meaning("failed", 3, "purple", "!"),
}
"""A broken rule of level should passes in pytest with a warning and exits 0."""

PRECEDENCE = (2, 3, 1, 4, 0)
"""Of several exit codes the one that comes first here counts."""


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

    @property
    def fails(self) -> bool:
        """True if the run is not conformant because of this."""
        if self.word == "broken":
            return self.rule.level == "must"
        return MEANING[self.word].pytest == "failed"

    @property
    def warns(self) -> bool:
        return self.word == "broken" and not self.fails

    def text(self) -> str:
        """The finding for a person: rule, where, expected, got, who says so, how to see it again."""
        lines = [f"{self.rule.id} ({self.rule.level})  {self.rule.contract}: {self.word}"]
        if self.reason:
            lines.append(f"  because   {self.reason}")
        for found in self.mismatches:
            lines.append(f"  at        {found.at or '/'}")
            lines.append(f"  expected  {found.expected}")
            lines.append(f"  got       {brief(found.got)}")
        lines.append(f"  rule      {self.rule.text}")
        lines.append(f"  says      {self.rule.source['text']} ({self.rule.source['sure']})")
        if self.again:
            lines.append(f"  again     {self.again}")
        return "\n".join(lines)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 conformant, 1 not, 3 suite error, 4 inconclusive or over budget or nothing looked at."""
    if not any(each.word in ("kept", "broken") for each in findings) and not any(
        each.word == "suite error" for each in findings
    ):
        return 4
    codes = {0 if each.warns else MEANING[each.word].exit for each in findings}
    return next(code for code in PRECEDENCE if code in codes)
