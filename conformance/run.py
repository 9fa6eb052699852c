"""One run: probes are asked once, rules are judged on what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.ask import Asker
from conformance.contract import Contract, Rule, Specs
from conformance.exchange import Exchange, Headers, Request
from conformance.finding import Finding
from conformance.framing import read
from conformance.judge import judge, outage
from conformance.probing import CannotAsk, Unfounded, build
from conformance.rules import Seen, Step
from conformance.signing import signed
from conformance.store import Redactor, Store, again, exchange_to_dict, head_of, request_from_dict
from conformance.target import Target


class Run:
    """Asks targets and judges rules. `extra` are headers sent with every request."""

    def __init__(self, specs: Specs, targets: Sequence[Target], folder: Path, extra: Headers = ()) -> None:
        self.specs, self.targets, self.extra = specs, tuple(targets), extra
        self._store = Store(folder)
        self._askers: dict[str, Asker] = {}
        self._seen: dict[tuple[str, str, str], Mapping[str, Step]] = {}
        self._redact = Redactor({key: name for each in self.targets for key, name in each.secrets.items()})

    def close(self) -> None:
        """Ends all connections."""
        for asker in self._askers.values():
            asker.close()

    def judge(self, target: Target, contract: Contract, rule: Rule) -> Finding:
        """What became of `rule` at `target`; asks its probe if nobody has yet."""
        reason = inapplicable(target, contract, rule)
        if reason:
            return Finding(rule, "not applicable", reason)
        assert rule.probe is not None
        try:
            steps = self.seen(target, contract, rule.probe)
        except CannotAsk as error:
            return Finding(rule, "not applicable", str(error))
        except Unfounded as error:
            return Finding(rule, "not asked", str(error))
        found = judge(rule, Seen(contract, rule, steps, target.card))
        address = self._address(target, contract, rule.probe)
        step = _guilty(steps, found)
        line = again(target, step.exchange) if step else ""
        evidence = tuple(f"{address}#{name}" for name in steps)
        return Finding(rule, found.word, found.reason, found.mismatches, evidence, line)

    def seen(self, target: Target, contract: Contract, probe: str) -> Mapping[str, Step]:
        """The steps of a probe as they went, without those after an outage. Raises CannotAsk and Unfounded."""
        key = (target.name, contract.id, probe)
        if key not in self._seen:
            said = contract.probes[probe]["steps"]
            kept = self._store.steps(
                self._address(target, contract, probe), lambda: self._ask(target, contract, said)
            )
            self._seen[key] = self._steps(target, contract, said, kept)
        return self._seen[key]

    def _address(self, target: Target, contract: Contract, probe: str) -> str:
        return self._store.address(target.name, contract.id, probe)

    def _ask(self, target: Target, contract: Contract, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        asker = self._askers.setdefault(target.name, Asker(target))
        earlier: dict[str, Step] = {}
        kept = []
        for name, how in said.items():
            asked = self.specs.contracts[how["contract"]] if "contract" in how else contract
            try:
                request, body, turn = build(asked, name, how, target, earlier)
            except Unfounded:
                break
            request = Request(request.method, request.target, (*request.headers, *self.extra), request.body)
            if target.signer is not None and how.get("auth", "right") == "right":
                request = signed(request, target.endpoint, target.signer)
            came = asker.ask(request)
            if isinstance(came, str):
                exchange = Exchange(request, None, came)
            else:
                status, headers, chunks, ending = came
                exchange = Exchange(request, read(asked, status, headers, chunks, ending))
            earlier[name] = Step(name, asked, exchange, body, turn, how.get("expect", "answered"))
            kept.append({"step": name, **exchange_to_dict(self._redact.exchange(exchange))})
            if exchange.response is None:
                break
        return kept

    def _steps(
        self, target: Target, contract: Contract, said: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]
    ) -> dict[str, Step]:
        steps: dict[str, Step] = {}
        for each in kept:
            how = said[each["step"]]
            asked = self.specs.contracts[how["contract"]] if "contract" in how else contract
            _, body, turn = build(asked, each["step"], how, target, steps)
            response = None
            if each["response"] is not None:
                status, headers, chunks = head_of(each["response"])
                response = read(asked, status, headers, chunks, each["response"]["ending"])
            exchange = Exchange(request_from_dict(each["request"]), response, each.get("failure"))
            steps[each["step"]] = Step(
                each["step"], asked, exchange, body, turn, how.get("expect", "answered")
            )
        missing = next((name for name in said if name not in steps), None)
        # A step that came to nothing by an outage says so itself when it is judged.
        if missing is not None and not any(
            step.exchange.response is None or outage(step) for step in steps.values()
        ):
            how = said[missing]
            asked = self.specs.contracts[how["contract"]] if "contract" in how else contract
            build(asked, missing, how, target, steps)
            raise Unfounded(f"step {missing} was not asked")
        return steps


def _guilty(steps: Mapping[str, Step], found: Finding) -> Step | None:
    """The step whose request is worth asking again: the last one that was asked."""
    return list(steps.values())[-1] if steps else None


def inapplicable(target: Target, contract: Contract, rule: Rule) -> str | None:
    """Why `rule` says nothing about `target`; None if it does."""
    card, reality = target.card, target.reality
    if rule.not_checked:
        return f"not checked: {rule.not_checked}"
    if rule.reality not in (None, reality):
        return f"the rule is of the {rule.reality} reality, the target shows the {reality} one"
    offer = f"api:{contract.offer}"
    if (
        contract.offer
        and card
        and rule.needs.get("lacks") != offer
        and card.offers(offer, reality) is not True
    ):
        return f"the card of {card.name} at {card.seller} does not offer {contract.api}"
    needs = rule.needs
    if "auth" in needs and target.auth != needs["auth"]:
        return f"the target checks credentials in mode {target.auth}, the rule needs {needs['auth']}"
    if card is None:
        return "no card says what this model offers" if {"offers", "lacks", "claim"} & set(needs) else None
    if "offers" in needs and card.offers(needs["offers"], reality) is not True:
        return f"the card of {card.name} at {card.seller} does not offer {needs['offers']}"
    if "lacks" in needs and card.offers(needs["lacks"], reality) is not False:
        return f"the card of {card.name} at {card.seller} offers {needs['lacks']}"
    if "claim" in needs and card.value(needs["claim"], reality) is None:
        return f"the card of {card.name} at {card.seller} claims no {needs['claim']}"
    return None
