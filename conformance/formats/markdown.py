"""A run as Markdown: what a person reads in a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.runs.report import AREAS
from conformance.runs.terminal import cells, legend, verdict
from conformance.runs.told import texts, told

TOLD = 20
"""So many failures are told in full: a comment has room for 65,536 characters."""
LONGEST = 1500
"""Characters of one failure."""


def render(document: Mapping[str, Any]) -> str:
    """Verdict, matrix, what failed and what it cost; the rest is in report.html."""
    lines = [f"### Conformance: {document['verdict']}", "", verdict(document).partition(": ")[2] + ".", ""]
    lines += [f"- {text}" for text in document["problems"]]
    lines += [*_matrix(document), "", f"`{legend(document)}`", ""]
    findings = [told(each) for each in document["findings"]]
    failing = [each for each in findings if each.fails]
    warning = [each for each in findings if each.warns]
    lines += _folded(f"Failing ({len(failing)})", texts(failing), opened=True)
    lines += _folded(f"Warnings ({len(warning)})", texts(warning), opened=False)
    excused = [f"{each.rule.name}: {each.excused}" for each in findings if each.excused]
    lines += _folded(f"Excused ({len(excused)})", excused, opened=False)
    lines += _declared(document.get("declared", ()))
    lines += _receipt(document.get("receipt"))
    dropped = document.get("ruleset", {}).get("dropped", ())
    if dropped:
        name = document["ruleset"]["name"]
        told_as = [f"{each['rule']}: {each['why']}" for each in dropped]
        title = f"Not judged under the frozen rules {name} ({len(told_as)})"
        lines += _folded(title, told_as, opened=False)
    return "\n".join(lines).rstrip() + "\n"


def _matrix(document: Mapping[str, Any]) -> Iterator[str]:
    findings = document["findings"]
    areas = [area for area in AREAS if any(each["area"] == area for each in findings)]
    yield "| | " + " | ".join(areas) + " |"
    yield "|---|" + "---:|" * len(areas)
    for target in document["targets"]:
        own = [each for each in findings if each["target"] == target["name"]]
        if own:
            yield f"| **{_inline(target['title'])}** {_inline(target['model'] or '')} |" + " |" * len(areas)
        for api in dict.fromkeys(each["api"] for each in own):
            row = cells([each for each in own if each["api"] == api], areas)
            yield f"| {_inline(api)} | " + " | ".join(_inline(each) for each in row) + " |"


def _folded(title: str, entries: Sequence[str], *, opened: bool) -> list[str]:
    if not entries:
        return []
    told_as = [text if len(text) <= LONGEST else f"{text[:LONGEST]} ..." for text in entries[:TOLD]]
    fence = _fence(told_as)
    more = [f"and {len(entries) - TOLD} more, in report.html"] if len(entries) > TOLD else []
    head = f"<details{' open' if opened else ''}><summary>{title}</summary>"
    return [head, "", fence, *"\n\n".join(told_as).splitlines(), fence, *more, "", "</details>", ""]


def _fence(texts: Sequence[str]) -> str:
    """More backticks than any text has in a row: what a provider answers ends no block."""
    longest = max((len(found) for text in texts for found in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)


def _declared(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if rows:
        yield "| declared | by | read as | observed | verdict |"
        yield "|---|---|---|---|---|"
        for each in rows:
            names = ("claim", "seller", "read_as", "observed", "verdict")
            yield "| " + " | ".join(_inline(_plain(each[name])) for name in names) + " |"
        yield ""


def _receipt(receipt: Mapping[str, Any] | None) -> Iterator[str]:
    if receipt is not None:
        yield f"| receipt ({receipt['currency']}) | requests | retries | tokens in | tokens out | cost |"
        yield "|---|---:|---:|---:|---:|---:|"
        for line in receipt["lines"]:
            names = ("requests", "retries", "input_tokens", "output_tokens")
            numbers = " | ".join(f"{line[name]:,}" for name in names)
            yield f"| {_inline(line['api'])} | {numbers} | {_money(line['cost'])} |"
        yield f"| total | | | | | {_money(receipt['total'])} |"
        yield ""


def _money(value: float | None) -> str:
    return "no price" if value is None else f"{value:.6f}"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _inline(text: str) -> str:
    """The text as a cell's content, with nothing in it that Markdown or HTML would read."""
    return re.sub(r"([\\`*_{}\[\]<>|~#])", r"\\\1", text).replace("\n", " ")
