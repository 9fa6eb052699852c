"""What is demanded of a model that no card speaks of: nothing is declared, so what it can do is only observed.

A contract's `observes` names for a capability the rule that shows it. Kept, the capability works here, and every
other rule that needs it counts; not kept, all of them are not applicable, and the report says what came instead.
Where `may_be_missing` names the status, the whole operation is not offered: neither red nor green.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.contract import Contract, Rule
from conformance.finding import Finding
from conformance.rules import Step
from conformance.select import select
from conformance.shapes import brief
from conformance.target import Target

Judge = Callable[[Target, Contract, Rule], Finding]
See = Callable[[Target, Contract, str], Mapping[str, Step]]
Found = tuple[Target, Contract, Finding]
NOT_OFFERED = "not offered here"
AS_OBSERVED = "as observed"
"""The verdict on what nobody declared."""
_LISTS = {"input": "input_modalities", "output": "output_modalities", "api": "apis"}


def witness(contract: Contract, capability: str) -> Rule | None:
    """The rule that shows whether the capability is there; None if the contract has none."""
    name = contract.said.get("observes", {}).get(capability)
    return contract.rules.get(name) if name is not None else None


def undeclared(judge: Judge, see: See, target: Target, contract: Contract, rule: Rule) -> Finding:
    """What became of `rule` at a target without a card."""
    missing = _missing(judge, see, target, contract)
    if missing is not None:
        return replace(missing, rule=rule)
    capability = rule.needs.get("offers")
    shows = witness(contract, capability) if capability is not None else None
    if shows is not None and shows is not rule:
        shown = judge(target, contract, shows)
        if shown.word in ("broken", "not asked"):
            reason = f"nobody declares {capability}, and it was not seen to work: {_why(shown)} ({shows.id})"
            return Finding(rule, "not applicable", reason, evidence=shown.evidence)
    found = judge(target, contract, rule)
    if found.word == "broken" and shows is rule:
        reason = f"nobody declares {capability}, and it was not seen to work: {_why(found)}"
        return replace(found, word="not applicable", reason=reason, mismatches=())
    if found.word == "not asked" and (shows is rule or rule.level != "must"):
        # What is refused or went wrong before was nobody's promise.
        return replace(found, word="not applicable", reason=f"nobody declares it: {found.reason}")
    return found


def _missing(judge: Judge, see: See, target: Target, contract: Contract) -> Finding | None:
    """That the whole operation is not offered; None if it is, or was not seen yet."""
    said = contract.said.get("may_be_missing")
    status = contract.rules.get("status")
    if said is None or status is None or status.probe is None:
        return None
    found = judge(target, contract, status)
    if found.word != "broken":
        return None
    step = next(iter(see(target, contract, status.probe).values()))
    response = step.exchange.response
    if response is None or response.status not in said["statuses"]:
        return None
    reason = (
        f"{NOT_OFFERED}: {contract.method} {step.exchange.request.target} is answered with {response.status}"
    )
    return Finding(status, "not applicable", reason, evidence=found.evidence, again=found.again)


def _why(found: Finding) -> str:
    if found.mismatches:
        first = found.mismatches[0]
        return f"expected {first.expected}, got {brief(first.got)}"
    return found.reason


def observed(
    findings: Sequence[Found], exchanges: Mapping[str, Sequence[Mapping[str, Any]]], read: Callable[..., Any]
) -> Iterator[dict[str, Any]]:
    """The document's rows on what nobody declared: the APIs that are there, what was seen to work, what else is said.

    `read` makes the document that pointers go into of a contract and a stored step.
    """
    by_target: dict[str, list[Found]] = {}
    for each in findings:
        if each[0].card is None:
            by_target.setdefault(each[0].name, []).append(each)
    for found in by_target.values():
        target = found[0][0]
        for claim, value, note, evidence in (
            *_apis(found),
            *_capabilities(found),
            *_members(found, exchanges, read),
        ):
            costs = [_paid(exchanges, address) for address in dict.fromkeys(evidence)]
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
        notes += [f"{where}: {finding.reason}" for where, finding in fails]
        evidence = tuple(address for _, finding in works + fails for address in finding.evidence)
        kind, colon, name = capability.partition(":")
        claim = f"{_LISTS.get(kind, kind)}.{name}" if colon else capability
        yield claim, bool(works), "; ".join(notes), evidence


def _members(
    found: Sequence[Found], exchanges: Mapping[str, Sequence[Mapping[str, Any]]], read: Callable[..., Any]
) -> Iterator[_Row]:
    done = set()
    for target, contract, finding in found:
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
        document = read(contract, step)
        there = [place.rpartition("/")[2] for place in places if select(document, place)]
        yield f"optional members.{contract.id.partition('/')[2]}", list(dict.fromkeys(there)), "", (address,)


def _paid(exchanges: Mapping[str, Sequence[Mapping[str, Any]]], address: str) -> Mapping[str, Any]:
    where, _, step = address.rpartition("#")
    kept = next((each for each in exchanges.get(where, ()) if each["step"] == step), {})
    found: Mapping[str, Any] = kept.get("paid") or kept.get("paid_before") or {}
    return found
