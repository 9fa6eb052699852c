"""The document of a run in lines for the terminal: the matrix with its legend, what speaks against claims, the verdict."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.finding import MEANING
from conformance.runs.report import AREAS
from conformance.runs.told import shown

__all__ = ["LABELS", "cells", "legend", "matrix", "verdict"]

_COLORS = {"green": "32", "red": "31", "grey": "90", "yellow": "33", "purple": "35"}
LABELS: dict[str, tuple[str, str]] = {
    **{word: (meaning.mark, meaning.color) for word, meaning in MEANING.items()},
    "warning": ("x", "yellow"),
    "excused": ("=", "yellow"),
    "accused": ("#", "red"),
}
"""Mark and color of each word as `Finding.shown` tells it."""
_TOLD = {
    "warning": "broken, only should",
    "excused": "broken, but waived or so in the baseline too",
    "accused": "kept, but waived: remove the waiver",
}
_NOUNS = {"warning": "warning", "accused": "stale waiver"}


def _painted(text: str, color: str, wanted: bool) -> str:
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if wanted and text else text


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."


_SHORTEST = 16
"""An API's name is not cut below this: `  Chat Complet...`."""


def _cut_inside(text: str, width: int) -> str:
    """The text with its middle left out: `Chat Completions` and its stream differ at their ends."""
    half = (width - 3) // 2
    return text if len(text) <= width else f"{text[: width - 3 - half]}...{text[-half:]}"


class _Cell:
    """How many findings of each word; `text` is what the terminal shows of them."""

    ORDER = (
        "broken",
        "accused",
        "warning",
        "excused",
        "not asked",
        "suite error",
        "inconclusive",
        "over budget",
    )

    def __init__(self, findings: Iterable[Mapping[str, Any]]) -> None:
        self.counts = Counter(shown(each) for each in findings)

    @property
    def text(self) -> str:
        parts = [str(self.counts["kept"])] if self.counts["kept"] else []
        parts += [f"{LABELS[word][0]}{self.counts[word]}" for word in self.ORDER if self.counts[word]]
        return " ".join(parts) or ("-" if self.counts["not applicable"] else "")

    @property
    def color(self) -> str:
        worst = next((word for word in self.ORDER if self.counts[word]), None)
        return LABELS[worst or ("kept" if self.counts["kept"] else "not applicable")][1]


def matrix(document: Mapping[str, Any], width: int, color: bool) -> list[str]:
    """The run in lines of at most `width` columns: API x area, legend, contradictions, and the verdict last.

    Without `color` the marks alone tell the words apart. Names of areas and APIs are cut where they
    must be; cells never are, so a table of many results may be wider than a narrow terminal.
    """
    findings = document["findings"]
    groups: dict[str, dict[str, list[Any]]] = {}
    for each in findings:
        groups.setdefault(each["target"], {}).setdefault(each["api"], []).append(each)
    rows: list[tuple[str, list[_Cell]] | str] = []
    for target in document["targets"]:
        if target["name"] in groups:
            title = "  ".join(part for part in (target["title"], target["model"]) if part)
            whole = f"{title}  {target['endpoint']}"
            rows.append(whole if len(whole) <= width else _cut(title, width))
            for api, found in groups[target["name"]].items():
                rows.append((f"  {api}", _areas(found)))
    rows.append(("all", _areas(findings)))
    wide = _columns(rows, AREAS)
    names: tuple[str, ...] = AREAS
    if sum(wide) > width:
        names = tuple(f"{area[:5]}." if len(area) > 6 else area for area in AREAS)
        wide = _columns(rows, names, gap=1)
    wide[0] = min(wide[0], max(width - sum(wide[1:]), _SHORTEST))
    lines = [" " * wide[0] + "".join(name.rjust(size) for name, size in zip(names, wide[1:], strict=True))]
    for row in rows:
        if isinstance(row, str):
            lines += ["", row]
            continue
        label, cells = row
        if label == "all":
            lines.append("")
        painted = [
            " " * (size - len(cell.text)) + _painted(cell.text, cell.color, color)
            for cell, size in zip(cells, wide[1:], strict=True)
        ]
        lines.append("".join([_cut_inside(label, wide[0]).ljust(wide[0]), *painted]).rstrip())
    lines += ["", *_legend(_Cell(findings), width, color), "", *_contradictions(document, width)]
    lines += _terms(document, width)
    silent = len(document["not_checked"])
    if silent:
        lines += [f"{_count(silent, 'statement')} not checked (reasons in the report)", ""]
    lines.append(verdict(document, color))
    return lines


def cells(findings: Sequence[Mapping[str, Any]], areas: Sequence[str]) -> list[str]:
    """A row of the matrix as the terminal shows it: `12`, `3 X1`, `-`, or nothing for what has no rule."""
    return [_Cell(each for each in findings if each["area"] == area).text for area in areas]


def _terms(document: Mapping[str, Any], width: int) -> Iterator[str]:
    """What the run was held to beside its contracts, and what of that fails it."""
    waivers = Counter(each["state"] for each in document.get("waivers", ()))
    if waivers:
        yield "waivers: " + ", ".join(f"{number} {state}" for state, number in sorted(waivers.items()))
    ruleset = document.get("ruleset")
    if ruleset is not None:
        dropped = ruleset["dropped"]
        told_of = f"rules frozen as {ruleset['name']} on {ruleset['frozen']}"
        yield (
            f"{told_of}: {_count(len(dropped), 'rule')} not judged (reasons in the report)"
            if dropped
            else told_of
        )
        changed = [each for each in dropped if not each["why"].startswith("newer")]
        yield from (_cut(f"  {each['rule']}: {each['why']}", width) for each in changed)
    yield from document["problems"]


def _areas(findings: Sequence[Mapping[str, Any]]) -> list[_Cell]:
    return [_Cell(each for each in findings if each["area"] == area) for area in AREAS]


def _columns(rows: Iterable[tuple[str, list[_Cell]] | str], names: Sequence[str], gap: int = 2) -> list[int]:
    """Width of the labels, then of each column."""
    told = [row for row in rows if not isinstance(row, str)]
    areas = [
        max([len(name), *(len(cells[index].text) for _, cells in told)]) + gap
        for index, name in enumerate(names)
    ]
    return [max(len(label) for label, _ in told), *areas]


def legend(document: Mapping[str, Any]) -> str:
    """What the marks of its matrix mean, in one line without colour: `12 kept   X broken`."""
    return next(_legend(_Cell(document["findings"]), sys.maxsize, color=False))


def _legend(all_cells: _Cell, width: int, color: bool) -> Iterator[str]:
    words = [("12", "kept", "green")]
    for word in (*_Cell.ORDER, "not applicable"):
        if all_cells.counts[word]:
            mark, paint = LABELS[word]
            words.append((mark, _TOLD.get(word, word), paint))
    line, length = "", 0
    for mark, word, paint in words:
        size = len(mark) + 1 + len(word)
        if length and length + 3 + size > width:
            yield line
            line, length = "", 0
        line += ("   " if length else "") + f"{_painted(mark, paint, color)} {word}"
        length += size + (3 if length > 0 else 0)
    yield line


def verdict(document: Mapping[str, Any], color: bool = False) -> str:
    """The last line of a run: `not conformant: 613 kept, 1 broken; 120 requests in 4.2 s`."""
    counts = Counter(shown(each) for each in document["findings"])
    words = ", ".join(
        _count(counts[word], _NOUNS[word]) if word in _NOUNS else f"{counts[word]} {word}"
        for word in ("kept", *_Cell.ORDER, "not applicable")
        if counts[word]
    )
    asked = f"{_count(document['requests'], 'request')} in {document['seconds']:.1f} s"
    paint = {0: "green", 1: "red", 3: "purple"}.get(document["exit_code"], "yellow")
    return f"{_painted(document['verdict'], paint, color)}: {words or 'nothing was looked at'}; {asked}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _contradictions(document: Mapping[str, Any], width: int) -> Iterator[str]:
    """Claims that something seen or said speaks against, and claims on which sellers differ."""
    claims = [
        (each["claim"], each["seller"], _said(each), against)
        for each in document["claims"]
        if (against := _against(each))
    ]
    if claims:
        yield from ("declared, and what speaks against it", *_table(claims, width), "")
    between = [
        (each["claim"], *(f"{seller} {_said(claim)}" for seller, claim in each["sellers"].items()))
        for each in document["between_sellers"]
    ]
    if between:
        yield from ("between sellers", *_table(between, width), "")


def _table(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    sizes = [max(len(row[index]) for row in rows if index < len(row)) for index in range(max(map(len, rows)))]
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, sizes, strict=False)]
        yield _cut(f"  {'  '.join(cells)}".rstrip(), width)


def _against(claim: Mapping[str, Any]) -> str:
    told = []
    if claim["verdict"] == "broken":
        rules = Counter(rule.rpartition(":")[2] for rule in claim["rules"])
        told.append("broken by " + ", ".join(f"{rule} ({times})" for rule, times in rules.items()))
    observed = claim["observed"]
    if observed is not None and observed["value"] != claim["read_as"]:
        told.append(f"observed {_plain(observed['value'])} ({observed['source']['sure']})")
    for each in claim["disputed_by"]:
        told.append(f"disputed: {_plain(each['value'])} ({each['source']['sure']})")
    return ", ".join(told)


def _said(claim: Mapping[str, Any]) -> str:
    """What the claim is read as, and the page's own words where they are as short as `128K`."""
    stated = str(claim["stated"])
    told = _cut(_plain(claim["read_as"]), 24)
    return f'{told} ("{stated}")' if claim["stated"] is not None and len(stated) <= 12 else told


def _plain(value: Any) -> str:
    """A claim's value for a person: 128,000; yes; text, image."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    return str(value)
