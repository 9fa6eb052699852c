"""A run as JUnit XML: one suite for each contract, one case for each rule."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from conformance.runs.told import seconds_of, told

_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""
ERRORS = ("inconclusive", "over budget", "suite error")
"""Words that say nothing of the provider: JUnit's errors, beside failures."""


def render(document: Mapping[str, Any]) -> str:
    """The run as readers of JUnit files expect it.

    A broken should passes and says so in its output; what is excused is skipped, with the reason. Seconds of a
    case are those of the exchanges that it was the first to need.
    """
    seconds = seconds_of(document)
    suites: dict[tuple[str, str], list[tuple[Mapping[str, Any], float]]] = {}
    for finding, spent in zip(document["findings"], seconds, strict=True):
        suites.setdefault((finding["target"], finding["contract"]), []).append((finding, spent))
    parts = ['<?xml version="1.0" encoding="UTF-8"?>']
    made = [
        (name, [_case(finding, spent) for finding, spent in cases]) for (_, name), cases in suites.items()
    ]
    problems = [("failure", text) for text in document["problems"]]
    kinds = [kind for _, cases in made for kind, _ in cases] + [kind for kind, _ in problems]
    parts.append(f"<testsuites name={_quoted('conformance')} {_counts(kinds)} time={_time(sum(seconds))}>")
    if problems:
        late = [
            f'<testcase classname="conformance" name={_quoted(text)} time="0.000">'
            f"<failure message={_quoted(text)} type={_quoted('waiver')}/></testcase>"
            for _, text in problems
        ]
        parts += [
            f'<testsuite name="conformance" {_counts([kind for kind, _ in problems])} time="0.000">',
            *late,
        ]
        parts.append("</testsuite>")
    for name, cases in made:
        spent = sum(each for (_, suite), own in suites.items() if suite == name for _, each in own)
        stamp = _quoted(document["started"].removesuffix("Z"))
        parts.append(
            f"<testsuite name={_quoted(name)} {_counts([kind for kind, _ in cases])} "
            f"time={_time(spent)} timestamp={stamp} hostname={_quoted('conformance')}>"
        )
        parts += [text for _, text in cases]
        parts.append("</testsuite>")
    parts.append("</testsuites>")
    return "\n".join(parts) + "\n"


def _case(said: Mapping[str, Any], spent: float) -> tuple[str, str]:
    finding = told(said)
    text = finding.text()
    first = text.splitlines()[0]
    kind, inside = "passed", ""
    if finding.accused or (finding.fails and finding.word not in ERRORS):
        kind = "failure"
        message = _quoted(finding.accused or finding.reason or _what(said) or first)
        inside = f"<failure message={message} type={_quoted(finding.shown)}>{_text(text)}</failure>"
    elif finding.fails:
        kind = "error"
        message = _quoted(finding.reason or first)
        inside = f"<error message={message} type={_quoted(finding.word)}>{_text(text)}</error>"
    elif finding.excused or finding.word == "not applicable":
        kind = "skipped"
        inside = f"<skipped message={_quoted(finding.excused or finding.reason)}/>"
    elif finding.warns:
        inside = f"<system-out>{_text(text)}</system-out>"
    head = f"<testcase classname={_quoted(said['contract'])} name={_quoted(said['rule'])} time={_time(spent)}"
    return kind, f"{head}>{inside}</testcase>" if inside else f"{head}/>"


def _what(said: Mapping[str, Any]) -> str:
    found = [f"{each['at'] or '/'}: expected {each['expected']}" for each in said["mismatches"]]
    return "; ".join(found)[:300]


def _counts(kinds: Sequence[str]) -> str:
    numbers = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    told_as = [f'{name}="{sum(each == kind for each in kinds)}"' for name, kind in numbers.items()]
    return " ".join([f'tests="{len(kinds)}"', *told_as])


def _time(seconds: float) -> str:
    return f'"{seconds:.3f}"'


def _quoted(text: str) -> str:
    return quoteattr(_NO_XML.sub("?", text))


def _text(text: str) -> str:
    return escape(_NO_XML.sub("?", text))
