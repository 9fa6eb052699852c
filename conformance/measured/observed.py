"""Declared against observed: what a run saw of each claim of the cards it asked about.

A rule speaks of a claim by its `needs` (an image is seen: `offers: input:image`), an operation by its `offer`, a
search for a limit by name. What nobody looked at is said to be so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.card import LISTS, Card, flat
from conformance.contract import Contract
from conformance.finding import Finding
from conformance.measured.search import Search
from conformance.probes.amount import dollars
from conformance.shapes import ABSENT
from conformance.target import Target

Found = tuple[Target, Contract, Finding]
NOT_LOOKED_AT = "not looked at"
AS_OBSERVED = "as observed"
"""The verdict on what nobody declared (`conformance.measured.witnessed`)."""
REFUSALS = ("refused", "refused_with")


class _Seen:
    """What speaks of one claim."""

    def __init__(self) -> None:
        self.members: dict[str, bool] = {}
        self.whole: list[bool] = []
        self.listed: list[Any] = []
        self.upper: bool | None = None
        self.lower: bool | None = None
        self.evidence: list[str] = []

    def member(self, name: str, offered: bool) -> None:
        # Once seen is seen: what fails beside it fails for another reason.
        self.members[name] = self.members.get(name, False) or offered


def declared(
    findings: Sequence[Found],
    targets: Sequence[Target],
    exchanges: Mapping[str, Sequence[Mapping[str, Any]]],
    searches: Sequence[Search] = (),
) -> list[dict[str, Any]]:
    """The document's `declared`: a row for each claim of each card that was asked, in the order of the cards."""
    cards = {(each.card.model, each.card.seller): each.card for each in targets if each.card is not None}
    names = list(dict.fromkeys(name for card in cards.values() for name, _ in flat(card.claims)))
    seen = {key: _collect(card, findings) for key, card in cards.items()}
    searched = {
        (each.target.card.model, each.target.card.seller, each.said["claim"]): each
        for each in searches
        if each.target.card is not None and each.asked
    }
    rows = []
    for name in names:
        for key, card in cards.items():
            claim = card.claim(name)
            if claim is not None:
                rows.append(
                    _row(card, name, claim, seen[key].get(name), searched.get((*key, name)), exchanges)
                )
    return rows


def _collect(card: Card, findings: Iterable[Found]) -> dict[str, _Seen]:
    seen: dict[str, _Seen] = {}
    for target, contract, finding in findings:
        if (
            target.card is None
            or (target.card.model, target.card.seller) != (card.model, card.seller)
            or finding.word not in ("kept", "broken")
        ):
            continue
        for name, tell in _speaks(target, contract, finding):
            about = seen.setdefault(name, _Seen())
            tell(about)
            about.evidence += finding.evidence
    return seen


def _speaks(target: Target, contract: Contract, finding: Finding) -> Iterator[tuple[str, Any]]:
    rule, kept = finding.rule, finding.word == "kept"
    if rule.implied:
        if rule.id == "status" and contract.offer is not None:
            yield f"apis.{contract.offer}", lambda about: about.whole.append(kept)
            if kept:
                yield "endpoints", lambda about: about.member(target.provider.id, True)
        return
    for word in ("offers", "lacks"):
        if word in rule.needs:
            kind, colon, name = rule.needs[word].partition(":")
            offered = kept == (word == "offers")
            if kind == "api":
                yield f"apis.{name}", lambda about, it=offered: about.whole.append(it)
            elif colon:
                yield LISTS[kind], lambda about, it=(name, offered): about.member(*it)
            else:
                yield kind, lambda about, it=offered: about.whole.append(it)
    if "claim" in rule.needs or rule.check == "listed_claim":
        name = rule.needs.get("claim") or rule.arguments["claim"]
        if rule.check == "listed_claim":
            got = None if kept or not finding.mismatches else finding.mismatches[0].got
            told = target.card.value(name) if kept and target.card else None if got is ABSENT else got
            yield name, lambda about: about.listed.append(told)
        elif isinstance(declared := target.card.value(name) if target.card else None, str):
            # What is no number has no edge that is answered or refused: it holds, or it does not.
            yield name, lambda about: about.listed.append(declared if kept else None)
        elif rule.check in REFUSALS:
            yield name, lambda about: setattr(about, "upper", kept or bool(about.upper))
        elif rule.check == "answered":
            yield name, lambda about: setattr(about, "lower", kept or bool(about.lower))


def _row(
    card: Card,
    name: str,
    claim: Mapping[str, Any],
    about: _Seen | None,
    search: Search | None,
    exchanges: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    value, text, verdict = None, "", NOT_LOOKED_AT
    requests, cost = 0, 0.0
    if search is not None:
        value, text, verdict = _searched(search)
        requests, cost = len(search.asked), search.cost or 0.0
    elif about is not None:
        value, text, verdict = _judged(claim, about)
        steps = [paid_for(exchanges, address) for address in dict.fromkeys(about.evidence)]
        requests, cost = len(steps), sum(each.get("cost") or 0.0 for each in steps)
    row = {
        "model": card.model,
        "seller": card.seller,
        "claim": name,
        "stated": claim["stated"],
        "read_as": claim["read_as"],
        "source": dict(claim["source"]),
        "observed": value,
        "verdict": verdict,
        "requests": requests,
        "cost": round(cost, 9),
    }
    notes = [text] if text else []
    earlier = claim.get("observed")
    if earlier is not None and value is not None and not _same(earlier["value"], value):
        notes.append(f"seen before: {short(earlier['value'])} ({earlier['source']['text']})")
    if notes:
        row["note"] = "; ".join(notes)
    return row


def paid_for(exchanges: Mapping[str, Sequence[Mapping[str, Any]]], address: str) -> Mapping[str, Any]:
    """What the stored step at `address` (where it is kept, `#` and its name) cost, in whichever probe it was paid."""
    where, _, step = address.rpartition("#")
    kept = next((each for each in exchanges.get(where, ()) if each["step"] == step), {})
    found: Mapping[str, Any] = kept.get("paid") or kept.get("paid_before") or {}
    return found


def _searched(search: Search) -> tuple[Any, str, str]:
    """Value, how it was found, verdict."""
    if search.verdict in ("over budget", "inconclusive"):
        return None, search.result(), search.verdict
    if search.exact is not None:
        return search.exact, search.result().partition(": ")[2], search.verdict
    if search.verdict in ("as declared", "not enforced"):
        return search.declared, search.result().partition(": ")[2], search.verdict
    return search.low, search.result().partition(": ")[2], search.verdict


def _judged(claim: Mapping[str, Any], about: _Seen) -> tuple[Any, str, str]:
    read_as = claim["read_as"]
    if about.lower is not None or about.upper is not None:
        if not about.lower:
            return None, "the declared maximum was refused", "differs"
        if about.upper is None:
            return (
                read_as,
                f"{short(read_as)} is answered, and more is answered or lowered too",
                "at least as declared",
            )
        if not about.upper:
            return None, f"more than {short(read_as)} is not refused", "differs"
        return read_as, f"{short(read_as)} is answered, {short(read_as + 1)} refused", "as declared"
    if about.listed:
        told = next((each for each in about.listed if not _same(each, read_as)), read_as)
        return told, "as the provider's own list says", _verdict(told, read_as)
    if about.members:
        seen = [each for each, offered in about.members.items() if offered]
        missing = [each for each, offered in about.members.items() if not offered]
        stated = read_as if isinstance(read_as, list) else [read_as]
        # What is not asked about stays as it is stated.
        value = [each for each in stated if each not in missing] + [
            each for each in seen if each not in stated
        ]
        looked = [
            f"{each} {'works' if about.members[each] else 'is refused or does not'}" for each in about.members
        ]
        return value, ", ".join(looked), _verdict(value, stated)
    works = any(about.whole)
    return works, "", _verdict(works, bool(read_as))


def _verdict(value: Any, read_as: Any) -> str:
    return "as declared" if _same(value, read_as) else "differs"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return bool(one == other)


def short(value: Any) -> str:
    """A claim's value for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nothing"
    return "-" if value is None else str(value)


TOLD = ("context_window", "max_output", "input_modalities")
"""Claims that are told even if nothing is to be said of them: those that the search and the pictures are for."""


def table(rows: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """The claims of which something is to be said, in lines of at most `width` columns; the rest in one line.

    Something is to be said where an observation differs, where sellers differ, and of the claims in `TOLD`.
    """
    rows = [row for row in rows if row["verdict"] != AS_OBSERVED]
    asked = {(row["model"], row["seller"]) for row in rows if row["verdict"] != NOT_LOOKED_AT}
    rows = [row for row in rows if (row["model"], row["seller"]) in asked]
    looked = [row for row in rows if row["verdict"] != NOT_LOOKED_AT]
    if not looked:
        return []
    told: list[tuple[str, ...]] = [("declared, observed", "by", "declared", "observed", "verdict", "USD")]
    last, quiet = "", 0
    for row in rows:
        if not _worth(row):
            quiet += row["verdict"] != NOT_LOOKED_AT
            continue
        stated = row["stated"]
        page = f' ("{stated}")' if isinstance(stated, str) and not isinstance(row["read_as"], list) else ""
        told.append(
            (
                "" if row["claim"] == last else f"  {row['claim']}",
                row["seller"],
                f"{short(row['read_as'])}{page}",
                short(row["observed"]),
                row["verdict"] + (" *" if "seen before" in row.get("note", "") else ""),
                dollars(row["cost"]) if row["cost"] else "",
            )
        )
        last = row["claim"]
    lines = list(_fitted(told, width))
    for row in rows:
        if "seen before" in row.get("note", ""):
            lines.append(_cut(f"  * {row['claim']} of {row['seller']}: {row['note']}", width))
    if quiet:
        lines.append(
            f"  {quiet} more as declared; not looked at: {len(rows) - len(looked)} (all in the report)"
        )
    if any(row["claim"] == "context_window" and row["verdict"] == NOT_LOOKED_AT for row in rows):
        lines.append("  --limits looks for context window and output cap")
    return lines


def _worth(row: Mapping[str, Any]) -> bool:
    if row["claim"] in TOLD or "seen before" in row.get("note", ""):
        return True
    if row["verdict"] == NOT_LOOKED_AT:
        return False
    # A flood is asked for: what it found is told.
    return str(row["verdict"]) != "as declared" or row["claim"].startswith("quotas.")


def _fitted(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Lines; what is declared and what is observed are cut where the line would be too long."""
    sizes = [max(len(row[index]) for row in rows) for index in range(6)]
    left = width - sum(sizes) + sizes[2] + sizes[3] - 2 * 5
    sizes[3] = min(sizes[3], max(left // 2, 8))
    sizes[2] = min(sizes[2], max(left - sizes[3], 8))
    for row in rows:
        if len(row[2]) > sizes[2]:
            # The number before the words of the page.
            row = (*row[:2], row[2].partition(" (")[0], *row[3:])
        cells = [
            cell.rjust(size) if index == 5 else _cut(cell, size).ljust(size)
            for index, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ]
        yield _cut("  ".join(cells).rstrip(), width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."


def observed_cards(rows: Sequence[Mapping[str, Any]], targets: Sequence[Target], when: str) -> dict[str, str]:
    """The cards as this run saw them, as YAML by file name, in the format of specs/cards. `when` is the run's day."""
    found: dict[str, dict[str, Any]] = {}
    for target in targets:
        card = target.card
        if card is None:
            continue
        said = found.setdefault(
            card.model, {"model": card.model, "name": card.name, "family": card.family, "cards": {}}
        )
        if card.seller in said["cards"]:
            continue
        own = {
            row["claim"]: row
            for row in rows
            if (row["model"], row["seller"]) == (card.model, card.seller) and row["observed"] is not None
        }
        # Through JSON: a copy, so that YAML needs no anchors.
        copy = json.loads(json.dumps(card.said))
        for name, claim in flat(copy["claims"]):
            claim.pop("observed", None)  # type: ignore[attr-defined]
            if name in own:
                claim["observed"] = _observation(own[name], target, when)  # type: ignore[index]
        said["cards"][card.seller] = copy
    return {f"observed-{model}.yaml": _yaml(said) for model, said in found.items()}


def _observation(row: Mapping[str, Any], target: Target, when: str) -> dict[str, Any]:
    asked = f"{row['requests']} request{'' if row['requests'] == 1 else 's'}"
    said: dict[str, Any] = {"value": row["observed"]}
    if row.get("note"):
        said["text"] = row["note"]
    said["source"] = {
        "text": f"conformance run of {when} against {target.endpoint}, {asked}",
        "sure": "observed",
    }
    return said


def _yaml(said: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=110)
    return "# Written by `conformance run`: what was declared, and what this run observed.\n" + text
