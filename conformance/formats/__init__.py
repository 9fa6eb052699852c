"""The files of a report: each made from the canonical document, by one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.formats import badge, ctrf, junit, markdown
from conformance.runs import report

Document = Mapping[str, Any]

FORMATS: Mapping[str, tuple[str, Callable[[Document], str]]] = {
    "json": ("report.json", report.dump_json),
    "html": ("report.html", report.html),
    "markdown": ("report.md", markdown.render),
    "junit": ("junit.xml", junit.render),
    "ctrf": ("ctrf-report.json", ctrf.render),
    "badge": ("badge.svg", badge.svg),
    "shields": ("badge.json", badge.shields),
}
"""By the name that `--format` takes: the file of the folder, and what makes it."""

FILES = tuple(name for name, _ in FORMATS.values())
