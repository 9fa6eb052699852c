"""What a run ends with in the terminal: what failed, then matrix, what was measured, receipt, and the verdict last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from conformance.measured import observed, witnessed
from conformance.runs import receipt, terminal, told

__all__ = ["colored", "failures", "summary"]

TOLD = 20
"""So many failures are told in full."""
WORST = ("suite error", "broken", "inconclusive", "over budget", "not asked", "not applicable", "kept")
"""What is told first: the cause before what only follows from it."""


def failures(document: Mapping[str, Any], folder: Path | None = None) -> list[str]:
    """What failed and what warns, the worst first, each text followed by an empty line; `folder` has the rest."""
    worst = sorted(document["findings"], key=lambda each: WORST.index(each["word"]))
    texts = told.failures({"findings": worst})
    lines = [line for text in texts[:TOLD] for line in (text, "")]
    if len(texts) > TOLD:
        where = "in report.html" if folder else "--report-dir DIR keeps them all"
        lines += [f"and {len(texts) - TOLD} more: {where}", ""]
    return lines


def summary(document: Mapping[str, Any], width: int, color: bool, folder: Path | None = None) -> list[str]:
    """The document of a run in lines of at most `width` columns; `folder` is where its report was written."""
    *lines, verdict = terminal.matrix(document, width, color)
    declared, paid = document.get("declared"), document.get("receipt")
    for table in (
        observed.table(declared, width) if declared else [],
        witnessed.table(declared, width) if declared else [],
        receipt.table(paid, by="model") if paid else [],
    ):
        lines += [*table, ""] if table else []
    if folder is not None:
        lines.append(f"report: {folder / 'report.html'}")
    return [*lines, verdict]


def colored(stream: TextIO) -> bool:
    """Whether what is printed there is seen by a person who wants colour."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
