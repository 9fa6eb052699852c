"""The files of a report: each made from the canonical document, by one function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conformance.formats import badge, ctrf, junit, markdown
from conformance.runs import evidence, page, report
from conformance.target import UsageError

Document = Mapping[str, Any]

FORMATS: Mapping[str, tuple[str, Callable[[Document], str]]] = {
    "json": ("report.json", report.dump_json),
    "html": ("report.html", page.html),
    "markdown": ("report.md", markdown.render),
    "junit": ("junit.xml", junit.render),
    "ctrf": ("ctrf-report.json", ctrf.render),
    "badge": ("badge.svg", badge.svg),
    "shields": ("badge.json", badge.shields),
}
"""By the name that `--format` takes: the file of the folder, and what makes it."""

FILES = tuple(name for name, _ in FORMATS.values())


def report_folder(wanted: str) -> Path:
    """The folder, there and without the report of an earlier run: whatever becomes of this one, that is not its report.

    Raises UsageError if it cannot be written to.
    """
    folder = Path(wanted).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        for card in folder.glob("observed-*.yaml"):
            card.unlink()
        evidence.clear(folder)
    except OSError as error:
        raise UsageError(f"--report-dir: expected a folder to write to, got {wanted}: {error}") from error
    return folder


def write(document: Mapping[str, Any], folder: Path) -> None:
    """Writes every file of a report; whoever reads one sees the old file or the whole new one."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [(name, render(document)) for name, render in FORMATS.values()]
    for name, text in texts:
        new = folder / f".{name}.{os.getpid()}.new"
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(folder / name)
    evidence.write(document, folder)
