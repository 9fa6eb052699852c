"""What a run saw of models that no card speaks of, as rows of the report's `declared` and as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.card import LISTS
from conformance.finding import Finding
from conformance.framing import read
from conformance.measured.observed import AS_OBSERVED, Found, paid_for, short
from conformance.measured.undeclared import NOT_OFFERED, witness
from conformance.runs.store import head_of
from conformance.select import document, select

_GROUPS = {**LISTS, "api": "apis"}
"""What a row is called after whose capability is one of several: `input_modalities.image`."""


def observed(
    findings: Sequence[Found], exchanges: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """The document's rows on what nobody declared: the APIs that are there, what was seen to work, what else is said."""
    by_target: dict[str, list[Found]] = {}
    for each in findings:
        if each[0].card is None:
            by_target.setdefault(each[0].name, []).append(each)
    for found in by_target.values():
        target = found[0][0]
        for claim, value, note, evidence in (
            *_apis(found),
            *_capabilities(found),
            *_members(found, exchanges),
        ):
            costs = [paid_for(exchanges, address) for address in dict.fromkeys(evidence)]
            row = {
                "model": target.model or "",
                "seller": target.name,
                "claim": claim,
                "stated": None,
                "read_as": None,
                "source": {"text": "nobody declares it: no card knows this model", "sure": "observed"},
                "observed": value,
                "verdict": AS_OBSERVED,
                "requests": len(costs),
                "cost": round(sum(each.get("cost") or 0.0 for each in costs), 9),
            }
            yield {**row, "note": note} if note else row


_Row = tuple[str, Any, str, tuple[str, ...]]


def _apis(found: Sequence[Found]) -> Iterator[_Row]:
    for _, contract, finding in found:
        if (
            finding.rule.id == "status"
            and finding.rule.implied
            and finding.word in ("kept", "broken", "not applicable")
        ):
            note = finding.reason or "; ".join(str(each) for each in finding.mismatches)
            yield f"apis.{contract.id.partition('/')[2]}", finding.word == "kept", note, finding.evidence


def _capabilities(found: Sequence[Found]) -> Iterator[_Row]:
    seen: dict[str, dict[bool, list[tuple[str, Finding]]]] = {}
    for _, contract, finding in found:
        capability = finding.rule.needs.get("offers")
        if capability is None or finding.reason.startswith(NOT_OFFERED):
            continue
        shows = witness(contract, capability)
        if shows is not None and shows.id == finding.rule.id and finding.word in ("kept", "not applicable"):
            where = contract.id.partition("/")[2]
            seen.setdefault(capability, {}).setdefault(finding.word == "kept", []).append((where, finding))
    for capability, both in seen.items():
        works, fails = both.get(True, []), both.get(False, [])
        notes = [f"seen over {', '.join(where for where, _ in works)}"] if works else []
        # Behind what they all begin with: that nobody declares it.
        notes += [
            f"{where}: {finding.reason.partition(': ')[2] or finding.reason}" for where, finding in fails
        ]
        evidence = tuple(address for _, finding in works + fails for address in finding.evidence)
        kind, colon, name = capability.partition(":")
        claim = f"{_GROUPS.get(kind, kind)}.{name}" if colon else capability
        yield claim, bool(works), "; ".join(notes), evidence


def _members(found: Sequence[Found], exchanges: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[_Row]:
    done = set()
    for _, contract, finding in found:
        places = contract.said.get("optional_members", ())
        plain = finding.rule.id == "status" and finding.rule.implied and finding.word == "kept"
        if not places or not plain or contract.id in done:
            continue
        done.add(contract.id)
        address = next(iter(finding.evidence))
        where, _, name = address.rpartition("#")
        step = next((each for each in exchanges.get(where, ()) if each["step"] == name), None)
        if step is None or step["response"] is None:
            continue
        status, headers, chunks = head_of(step["response"])
        seen = document(read(contract, status, headers, chunks, step["response"]["ending"]))
        there = [place.rpartition("/")[2] for place in places if select(seen, place)]
        yield f"optional members.{contract.id.partition('/')[2]}", list(dict.fromkeys(there)), "", (address,)


def table(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """What was observed of models that nobody declares anything of, in lines of at most `width` columns."""
    rows = [row for row in rows if row["verdict"] == AS_OBSERVED]
    if not rows:
        return []
    lines, last = [], ""
    size = max(len(row["claim"]) for row in rows)
    for row in rows:
        model = f"{row['seller']}  {row['model']}"
        if model != last:
            lines.append(f"observed, as nobody declares it   {model}")
            last = model
        value = short(row["observed"])
        # What works needs no more words here; why something does not is the finding.
        note = f": {row['note']}" if row.get("note") and not row["observed"] else ""
        lines += textwrap.wrap(
            f"  {row['claim'].ljust(size)}  {value}{note}",
            max(width, size + 20),
            subsequent_indent=" " * (size + 4),
            max_lines=3,
            placeholder=" ...",
        )
    return lines
