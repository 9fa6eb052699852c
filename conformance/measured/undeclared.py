"""What is demanded of a model that no card speaks of: nothing is declared, so what it can do is only observed.

A contract's `observes` names for a capability the rule that shows it. Kept, the capability works here, and every
other rule that needs it counts; not kept, all of them are not applicable, and the report says what came instead.
Where `may_be_missing` names the status, the whole operation is not offered: neither red nor green.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from conformance.contract import Contract, Rule
from conformance.finding import Finding
from conformance.judge import NOTHING
from conformance.rules import Step
from conformance.shapes import Mismatch, brief
from conformance.target import Target

Judge = Callable[[Target, Contract, Rule], Finding]
See = Callable[[Target, Contract, str], Mapping[str, Step]]
FAILED = 500
"""The status by which a server says that it failed at this request; others from 502 on say that it is away."""
NOT_OFFERED = "not offered here"


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
    if found.word == "inconclusive" and rule.level != "must":
        return _refused_as_its_own_failure(see, target, contract, found)
    if found.word == "not asked" and (
        shows is rule or rule.level != "must" or found.reason.startswith(NOTHING)
    ):
        # What is refused or went wrong before was nobody's promise, nor that there is anything to look at.
        return replace(found, word="not applicable", reason=f"nobody declares it: {found.reason}")
    return found


def _refused_as_its_own_failure(see: See, target: Target, contract: Contract, found: Finding) -> Finding:
    """A request that had to be refused and was answered with 500 is no outage of a server that answers the others."""
    assert found.rule.probe is not None
    for step in see(target, contract, found.rule.probe).values():
        response = step.exchange.response
        if step.expect != "answered" and response is not None and response.status == FAILED:
            wrong = Mismatch("/status", "a refusal (4xx)", response.status)
            return replace(found, word="broken", reason="", mismatches=(wrong,))
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
