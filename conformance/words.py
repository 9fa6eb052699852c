"""The seven words of a result. `MEANING` is the one place that says what each means to pytest, to the shell and
to the eye; `conformance run --help` and docs/reports.md print it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Word = Literal["kept", "broken", "not applicable", "not asked", "inconclusive", "over budget", "suite error"]


class Meaning(NamedTuple):
    """How one result word is told: to pytest, to the shell, to the eye, and in a sentence."""

    pytest: Literal["passed", "failed", "skipped"]
    exit: int
    color: str
    mark: str
    text: str


MEANING: dict[Word, Meaning] = {
    "kept": Meaning("passed", 0, "green", "+", "looked at, and it held"),
    "broken": Meaning("failed", 1, "red", "X", "it did not hold; of level should it passes with a warning and exits 0"),
    "not applicable": Meaning("skipped", 0, "grey", "-", "the card does not offer it, or the target cannot show it"),
    "not asked": Meaning("failed", 1, "red", "?", "something it needs did not hold, so it was not looked at"),
    "inconclusive": Meaning("failed", 4, "yellow", "~", "rate limit or outage: neither kept nor broken"),
    "over budget": Meaning("failed", 4, "yellow", "$", "it would have cost more than was allowed"),
    "suite error": Meaning("failed", 3, "purple", "!", "our own fault"),
}  # fmt: skip
EXITS = {0: "conformant", 1: "not conformant", 2: "usage error", 3: "suite error", 4: "inconclusive"}
"""What a run's exit code means."""
USAGE, SUITE_ERROR, INCONCLUSIVE = 2, 3, 4

PRECEDENCE = (2, 3, 1, 4, 0)
"""Of several exit codes the one that comes first here counts."""


def words_table() -> list[str]:
    """The seven words as a table: what each means to pytest, to the shell, to the eye."""
    head = ("word", "mark", "pytest", "exit", "colour", "means")
    rows = [
        (word, said.mark, said.pytest, str(said.exit), said.color, said.text)
        for word, said in MEANING.items()
    ]
    sizes = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(row, sizes, strict=True)).rstrip()
        for row in (head, *rows)
    ]
