"""The document of a run: made of values here, read by whatever draws, compares or merges runs.

Only `document` sees findings; all others read the document, so a stored report.json can be drawn again
(`conformance.runs.stored` reads one, specs/schema/run.yaml says what stands in it).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from conformance import __version__
from conformance.card import LISTS, Card, flat
from conformance.contract import Contract, Rule
from conformance.finding import EXITS, MEANING, Finding, exit_code
from conformance.loading import Specs
from conformance.runs.rulesets import digest
from conformance.shapes import ABSENT, Mismatch
from conformance.target import Target

__all__ = ["AREAS", "FORMAT", "document", "dump_json"]

FORMAT = "conformance-report/1"
AREAS = ("wire", "stream", "errors", "auth", "limits", "quotas", "modalities", "behaviour")
"""The columns of the matrix."""
_Found = tuple[Target, Contract, Finding]
_CLAIM_OF = {**LISTS, "api": "apis."}
"""The claim that a capability such as `input:image` stands in; of an API it is a claim of its own."""
_OWN = ("endpoints",)
"""Claims that two sellers cannot share, so that a difference says nothing."""


def document(
    findings: Sequence[_Found],
    specs: Specs,
    targets: Sequence[Target],
    *,
    started: datetime,
    seconds: float,
    exchanges: Mapping[str, list[Any]],
    requests: int,
    selection: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
    sections: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The canonical document of a run, as plain JSON values.

    `started` has a time zone; `exchanges` are stored steps by address. Whatever the order in which the
    findings came, they stand in the order of targets, contracts and rules. A mismatch that got nothing
    has no `got`; `step` of a finding names the step that its pointers go into. `selection` is what was asked
    for (provider, model, api, shard, ...), `problems` fail the run beside its rules, and `sections` stand in the
    document as they are: `waivers`, `ruleset`, `baseline`, `declared`, `receipt`.
    """
    findings = _sorted(findings, specs, targets)
    code = exit_code([finding for _, _, finding in findings], problems)
    words = Counter(finding.word for _, _, finding in findings)
    cards = {(each.card.model, each.card.seller): each.card for each in targets if each.card is not None}
    return {
        "format": FORMAT,
        "version": __version__,
        "started": started.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(seconds, 3),
        "verdict": EXITS[code],
        "exit_code": code,
        "specs": digest(specs),
        "selection": dict(selection or {}),
        "problems": list(problems),
        "targets": [_target(each) for each in targets],
        "counts": {word: words[word] for word in MEANING},
        "requests": requests,
        "findings": [_finding(*each) for each in findings],
        "not_checked": list(_not_checked(findings)),
        "claims": [row for card in cards.values() for row in _claims(card, findings)],
        "between_sellers": list(_between_sellers(specs, {card.model for card in cards.values()})),
        "exchanges": {address: exchanges[address] for address in sorted(exchanges)},
        **(sections or {}),
    }


def dump_json(document: Mapping[str, Any]) -> str:
    """The document as canonical JSON: sorted keys, ASCII, two spaces, a newline at the end."""
    return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=True) + "\n"


def _sorted(findings: Sequence[_Found], specs: Specs, targets: Sequence[Target]) -> list[_Found]:
    names = {target.name: index for index, target in enumerate(targets)}
    contracts = {name: index for index, name in enumerate(specs.contracts)}

    def place(found: _Found) -> tuple[int, int, int]:
        target, contract, finding = found
        return names[target.name], contracts[contract.id], list(contract.rules).index(finding.rule.id)

    return sorted(findings, key=place)


def _target(target: Target) -> dict[str, Any]:
    card = target.card
    return {
        "name": target.name,
        "title": target.provider.title,
        "endpoint": target.endpoint,
        "model": target.model,
        "card": None if card is None else {"model": card.model, "name": card.name, "seller": card.seller},
        "region": target.region,
        "auth": target.auth,
        "reality": target.reality,
        **({"variables": list(target.variables)} if target.variables else {}),
    }


def _finding(target: Target, contract: Contract, finding: Finding) -> dict[str, Any]:
    rule = finding.rule
    steps = [address.rpartition("#")[2] for address in finding.evidence]
    if rule.implied:
        step = next(iter(steps), None)
    else:
        step = rule.arguments.get("step", rule.arguments.get("shown", next(reversed(steps), None)))
    return {
        "target": target.name,
        "contract": contract.id,
        "api": contract.api,
        "rule": rule.id,
        "area": rule.area,
        "level": rule.level,
        "text": rule.text,
        "source": dict(rule.source),
        "word": finding.word,
        "reason": finding.reason,
        "excused": finding.excused,
        "accused": finding.accused,
        "mismatches": [_mismatch(each) for each in finding.mismatches],
        "evidence": list(finding.evidence),
        "step": step,
        "again": finding.again,
        "implied": rule.implied,
    }


def _mismatch(found: Mismatch) -> dict[str, Any]:
    said: dict[str, Any] = {"at": found.at, "expected": found.expected}
    if found.got is not ABSENT:
        said["got"] = json.loads(json.dumps(found.got, default=repr))
    return said


def _not_checked(findings: Iterable[_Found]) -> Iterator[dict[str, Any]]:
    for contract in {contract.id: contract for _, contract, _ in findings}.values():
        for rule in contract.rules.values():
            if rule.not_checked is not None:
                yield {
                    "contract": contract.id,
                    "api": contract.api,
                    "rule": rule.id,
                    "area": rule.area,
                    "text": rule.text,
                    "why": rule.not_checked,
                    "source": dict(rule.source),
                }


def _claims(card: Card, findings: Sequence[_Found]) -> Iterator[dict[str, Any]]:
    about: dict[str, list[Finding]] = {}
    for target, contract, finding in findings:
        if target.card is not None and (target.card.model, target.card.seller) == (card.model, card.seller):
            for name in _speaks_to(contract, finding.rule):
                about.setdefault(name, []).append(finding)
    for name, said in flat(card.claims):
        seen = about.get(name, [])
        word = next((word for word in ("broken", "kept") if any(each.word == word for each in seen)), None)
        yield {
            "model": card.model,
            "seller": card.seller,
            "claim": name,
            "stated": said["stated"],
            "read_as": said["read_as"],
            "unit": said.get("unit"),
            "observed": said.get("observed"),
            "verdict": word or "not looked at",
            "rules": [each.rule.name for each in seen if each.word == word],
            "source": dict(said["source"]),
            "disputed_by": list(said.get("disputed_by", ())),
            "note": said.get("note"),
        }


def _speaks_to(contract: Contract, rule: Rule) -> Iterator[str]:
    """The claims that this rule's result says something about."""
    if rule.implied and rule.id == "status" and contract.offer is not None:
        yield f"apis.{contract.offer}"
    for kind in ("claim", "offers", "lacks"):
        if kind in rule.needs:
            family, colon, member = rule.needs[kind].partition(":")
            claim = _CLAIM_OF[family] if colon else family
            yield claim + member if claim.endswith(".") else claim


def _between_sellers(specs: Specs, models: set[str]) -> Iterator[dict[str, Any]]:
    for model in sorted(models):
        cards = [card for card in specs.cards if card.model == model]
        for name in dict.fromkeys(name for card in cards for name, _ in flat(card.claims)):
            claims = {card.seller: claim for card in cards if (claim := card.claim(name)) is not None}
            if name not in _OWN and len({json.dumps(each["read_as"]) for each in claims.values()}) > 1:
                yield {
                    "model": model,
                    "claim": name,
                    "sellers": {
                        seller: {key: claim.get(key) for key in ("stated", "read_as", "unit", "source")}
                        for seller, claim in claims.items()
                    },
                }
