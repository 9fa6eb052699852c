"""A run as a badge: an SVG that stands by itself, and the JSON that a badge service draws one from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

from conformance.runs.told import shown

LABEL = "conformance"
COLORS = {0: ("#2e7d4f", "brightgreen"), 1: ("#b8231a", "red"), 3: ("#6f36a8", "purple")}
"""By exit code: as SVG has it, and by the name that badge services know; any other is yellow."""
OTHER = ("#946200", "yellow")
NARROW = 6.3
"""Pixels that a character of the badge's font takes."""


def message(document: Mapping[str, Any]) -> str:
    """`614 kept`, or what is worst of it: `3 broken`, `inconclusive`."""
    counts = Counter(shown(each) for each in document["findings"])
    if document["exit_code"] == 0:
        waived = f", {counts['excused']} excused" if counts["excused"] else ""
        return f"{counts['kept']} kept{waived}"
    if document["exit_code"] == 1:
        failing = (f"{counts[word]} {word}" for word in ("broken", "not asked") if counts[word])
        return next(failing, document["verdict"])
    return str(document["verdict"])


def shields(document: Mapping[str, Any]) -> str:
    """The endpoint document of badge services, version 1."""
    _, color = COLORS.get(document["exit_code"], OTHER)
    said = {"schemaVersion": 1, "label": LABEL, "message": message(document), "color": color}
    return json.dumps(said, indent=2, sort_keys=True) + "\n"


def svg(document: Mapping[str, Any]) -> str:
    """The badge as a picture of 20 pixels' height; it names no font that has to be fetched."""
    text = message(document)
    color, _ = COLORS.get(document["exit_code"], OTHER)
    left, right = (round(len(each) * NARROW + 12) for each in (LABEL, text))
    whole = left + right
    title = escape(f"{LABEL}: {text}")
    words = "".join(
        f'<text x="{x}" y="14" textLength="{round(len(each) * NARROW)}">{escape(each)}</text>'
        for x, each in ((left / 2, LABEL), (left + right / 2, text))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{color}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{words}</g>'
        "</svg>\n"
    )
