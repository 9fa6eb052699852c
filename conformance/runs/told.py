"""Findings read back from a run's document, and what they say: their words, their texts, their seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conformance.contract import Rule
from conformance.finding import Finding, gathered
from conformance.shapes import ABSENT, Mismatch

__all__ = ["failures", "seconds_of", "shown", "texts", "told"]


def failures(document: Mapping[str, Any]) -> list[str]:
    """The texts of the findings that fail the run, then of those that warn; what several contracts share, once."""
    found = [told(each) for each in document["findings"]]
    return texts(each for each in found if each.fails) + texts(each for each in found if each.warns)


def texts(findings: Iterable[Finding]) -> list[str]:
    """The texts of the findings; one that is the same in several contracts is told once and names them."""
    return [
        group[0].text(sorted({each.rule.contract for each in group} - {group[0].rule.contract}))
        for group in gathered(findings)
    ]


def told(said: Mapping[str, Any]) -> Finding:
    """A finding of a document again, with as much of its rule as its text needs."""
    rule = Rule(
        id=said["rule"],
        contract=said["contract"],
        area=said["area"],
        level=said["level"],
        text=said["text"],
        source=said["source"],
        probe=None,
        check="",
        arguments={},
        scope="",
        needs={},
        broken_by=(),
        also=(),
        reality=None,
        not_checked=None,
        implied=said["implied"],
    )
    found = [Mismatch(each["at"], each["expected"], each.get("got", ABSENT)) for each in said["mismatches"]]
    return Finding(
        rule,
        said["word"],
        said["reason"],
        tuple(found),
        tuple(said["evidence"]),
        said["again"],
        said["excused"],
        said["accused"],
    )


def shown(finding: Mapping[str, Any]) -> str:
    """The word for the eye: `Finding.shown` of a finding of a document."""
    return told(finding).shown


def seconds_of(document: Mapping[str, Any]) -> list[float]:
    """For each finding, the seconds of the exchanges that it was the first to need."""
    seen: set[str] = set()
    spent = []
    for finding in document["findings"]:
        fresh = [each for each in finding["evidence"] if each not in seen]
        seen.update(fresh)
        spent.append(sum(_seconds(document, each) for each in fresh))
    return spent


def _seconds(document: Mapping[str, Any], evidence: str) -> float:
    address, _, name = evidence.rpartition("#")
    step = next((each for each in document["exchanges"].get(address, ()) if each["step"] == name), None)
    response = step["response"] if step is not None else None
    chunks = response["chunks"] if response is not None else ()
    return float(chunks[-1]["at"] or 0.0) if chunks else 0.0
