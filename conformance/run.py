"""One run: probes are asked once, rules are judged on what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from conformance.ask import TIMEOUT_READ, Asker
from conformance.contract import Contract, Rule
from conformance.equivalence import expand, goes_on
from conformance.exchange import CLIENT_ERROR, NOTHING_THERE, Exchange, Headers, Request
from conformance.finding import Finding
from conformance.framing import read
from conformance.judge import judge, outage
from conformance.loading import Specs
from conformance.measured.prices import bound_of, bounds, paid
from conformance.measured.undeclared import undeclared, witness
from conformance.probes.probing import CannotAsk, Unfounded, build
from conformance.retry import Patience
from conformance.rules import Seen, Step
from conformance.runs.receipt import Ledger, OverBudget
from conformance.runs.store import (
    Redactor,
    Store,
    again,
    exchange_to_dict,
    head_of,
    request_from_dict,
    request_key,
)
from conformance.signing import signed
from conformance.target import Target


class Run:
    """Asks targets and judges rules.

    `extra` are headers sent with every request, `budget` dollars that all workers together may spend, `retries`
    how often a request that was refused for its rate is asked again, `patience` the seconds of silence that end an
    answer. A run that is `alone` shares its exchanges with no other process, and keeps them off the disk. At a
    mutant every operation is there (`served`), though a break answers all of its requests with 404.
    """

    def __init__(
        self,
        specs: Specs,
        targets: Sequence[Target],
        folder: Path,
        extra: Headers = (),
        *,
        budget: float | None = None,
        retries: int = 0,
        patience: float = TIMEOUT_READ,
        alone: bool = False,
        served: bool = False,
    ) -> None:
        self.specs, self.targets, self.extra = specs, tuple(targets), extra
        self._by_name = {each.name: each for each in self.targets}
        self._store, self._served = Store(folder, alone=alone), served
        self._ledger, self._retries, self._patience = Ledger(folder, budget), retries, patience
        self._repeated: dict[str, int] = {}
        """How often a rate limit was waited for, by address."""
        self._refused: dict[tuple[str, str, str], OverBudget] = {}
        self._askers: dict[str, Asker] = {}
        self._seen: dict[tuple[str, str, str], Mapping[str, Step]] = {}
        self._redact = Redactor({key: name for each in self.targets for key, name in each.secrets.items()})

    @property
    def kept(self) -> Mapping[str, list[dict[str, Any]]]:
        """The stored steps by address, of a run that is alone."""
        return self._store.kept

    def close(self) -> None:
        """Ends all connections."""
        for asker in self._askers.values():
            asker.close()

    def judge(self, target: Target, contract: Contract, rule: Rule) -> Finding:
        """What became of `rule` at `target`; asks its probe if nobody has yet."""
        reason = inapplicable(target, contract, rule)
        if reason:
            return Finding(rule, "not applicable", reason)
        if target.card is None:
            return undeclared(self._judge, self.seen, target, contract, rule)
        return self._judge(target, contract, rule)

    def _judge(self, target: Target, contract: Contract, rule: Rule) -> Finding:
        assert rule.probe is not None
        try:
            steps = self.seen(target, contract, rule.probe)
        except CannotAsk as error:
            return Finding(rule, "not applicable", str(error))
        except Unfounded as error:
            return Finding(rule, "not asked", str(error))
        except OverBudget as error:
            return Finding(rule, "over budget", str(error))
        found = judge(rule, Seen(contract, rule, steps, target.card, target.model))
        if not self._served and not rule.implied and found.word in ("kept", "broken"):
            missing = self._missing(target, contract, steps)
            found = Finding(rule, "not asked", missing) if missing else found
        address = self._address(target, contract, rule.probe)
        step = _guilty(steps, contract)
        line = again(target, step.exchange) if step else ""
        evidence = tuple(f"{address}#{name}" for name in steps)
        reason, retries = found.reason, self._repeated.get(address, 0)
        if found.word == "inconclusive" and retries:
            reason += f", after {retries} {'retry' if retries == 1 else 'retries'}"
        return Finding(rule, found.word, reason, found.mismatches, evidence, line)

    def _missing(self, target: Target, contract: Contract, steps: Mapping[str, Step]) -> str | None:
        """That a refusal says nothing, as a good request for the same is answered with it: nothing is there. Else None."""
        refused, status = _guilty(steps, contract), contract.rules.get("status")
        response = refused.exchange.response if refused else None
        if refused is None or refused.expect == "answered" or response is None or status is None:
            return None
        if response.status not in NOTHING_THERE or status.probe is None:
            return None
        try:
            good = _guilty(self.seen(target, contract, status.probe), contract)
        except Unfounded as error:
            return f"nothing was there to refuse: {error}"
        except (CannotAsk, OverBudget):
            return None
        came = good.exchange.response if good else None
        if good is None or came is None or good.expect != "answered" or came.status not in NOTHING_THERE:
            return None
        asked = good.exchange.request
        return f"nothing is there to refuse: {asked.method} {asked.target} is answered with {came.status}"

    def seen(self, target: Target, contract: Contract, probe: str) -> Mapping[str, Step]:
        """The steps of a probe as they went, without those after an outage.

        Raises CannotAsk, Unfounded, and OverBudget if it could cost more than is left.
        """
        key = (target.name, contract.id, probe)
        if key not in self._seen:
            if key in self._refused:
                raise self._refused[key]
            said = expand(self.specs, self.targets, target, contract, contract.probes[probe]["steps"])
            try:
                kept = self._store.steps(
                    self._address(target, contract, probe), lambda: self._pay(target, contract, said)
                )
            except OverBudget as error:
                self._refused[key] = error
                raise
            costs = [each.get("paid") or each.get("paid_before") or {} for each in kept]
            self._repeated[self._address(target, contract, probe)] = sum(
                each.get("retries", 0) for each in costs
            )
            self._seen[key] = self._steps(target, contract, said, kept)
        return self._seen[key]

    def _address(self, target: Target, contract: Contract, probe: str) -> str:
        return self._store.address(target.name, contract.id, probe)

    def _at(self, target: Target, how: Mapping[str, Any]) -> Target:
        """Whom a step asks: most of them the target of their probe."""
        return self._by_name[how["target"]] if "target" in how else target

    def _pay(
        self, target: Target, contract: Contract, said: Mapping[str, Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Asks if there is money for it."""
        most = None
        if self._ledger.limit is not None:
            most = bound_of(list(bounds(self.specs, contract, said, target, self._by_name)))
        self._ledger.reserve(most)
        kept: list[dict[str, Any]] = []
        try:
            kept = self._ask(target, contract, said)
        finally:
            self._ledger.settle(most, sum(each.get("paid", {}).get("cost") or 0.0 for each in kept))
        return kept

    def single(
        self, target: Target, contract: Contract, how: Mapping[str, Any], most: float | None
    ) -> tuple[Step, Mapping[str, Any]]:
        """One step asked by itself, and what was paid for it; `most` is what it can cost, in dollars.

        It is not kept: whoever searches keeps what it told. Raises CannotAsk and OverBudget.
        """
        request, body, turn = build(contract, "limit", how, target, {})
        step = Step("limit", contract, Exchange(request, None), body, turn, how.get("expect", "answered"))
        self._ledger.reserve(most)
        cost = 0.0
        try:
            stored = self._send(target, how, step)
            cost = stored["paid"]["cost"] or 0.0
        finally:
            self._ledger.settle(most, cost)
        return self._step(step, stored), stored["paid"]

    def _ask(self, target: Target, contract: Contract, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        earlier: dict[str, Step] = {}
        kept = []
        alone = not goes_on(said)
        for name, how in said.items():
            asks = self._at(target, how)
            asked = self.specs.asked(how, contract, asks.model)
            try:
                request, body, turn = build(asked, name, how, asks, earlier)
            except Unfounded:
                break
            request = Request(request.method, request.target, (*request.headers, *self.extra), request.body)
            step = Step(name, asked, Exchange(request, None), body, turn, how.get("expect", "answered"))
            if alone:
                key = request_key(asks.name, self._redact.exchange(step.exchange), how.get("repeat", 1))
                stored = self._store.once(key, lambda: self._send(asks, how, step))  # noqa: B023
            else:
                # What goes on from an earlier answer belongs to the one who got that answer.
                stored = self._send(asks, how, step)
            kept.append({"step": name, **({} if asks is target else {"target": asks.name}), **stored})
            earlier[name] = self._step(step, stored) if len(said) > 1 else step
            if stored["response"] is None:
                break
        return kept

    def _send(self, target: Target, how: Mapping[str, Any], step: Step) -> dict[str, Any]:
        """The exchange as it is kept, with what it cost; refused for its rate it is asked again."""
        asker = self._askers.setdefault(target.name, Asker(target, self._patience))
        patience = Patience(target.provider.said.get("retries", {}), self._retries)
        retries, waited = 0, 0.0
        while True:
            sent = target.filled(step.exchange.request)
            if target.signer is not None and how.get("auth", "right") == "right":
                sent = signed(sent, target.endpoint, target.signer)
            came, request = asker.ask(sent), target.unfilled(sent)
            if isinstance(came, str):
                exchange = Exchange(request, None, came)
                break
            status, headers, chunks, ending = came
            exchange = Exchange(request, read(step.contract, status, headers, chunks, ending))
            expected = step.expect
            if isinstance(expected, Mapping) and step.contract.failures[expected["error"]].status == status:
                break
            pause = patience.pause(status, headers, retries, waited)
            if pause is None:
                break
            retries, waited = retries + 1, waited + pause
            patience.sleep(pause)
        done = Step(step.name, step.contract, exchange, step.body, step.turn, step.expect)
        return {
            **exchange_to_dict(self._redact.exchange(exchange)),
            "paid": {
                "model": target.model,
                "api": step.contract.api,
                "retries": retries,
                "waited": round(waited, 3),
                **self._price(target, how, done),
            },
        }

    def _price(self, target: Target, how: Mapping[str, Any], step: Step) -> dict[str, Any]:
        response = step.exchange.response
        if step.contract.dialect is None or (response is not None and response.status >= CLIENT_ERROR):
            return paid(target, None)
        usage = next((each.usage for each in step.replies if each.usage is not None), None)
        if usage is None and self._ledger.limit is not None:
            # Nobody says what it cost: the books take the most.
            plain = {key: value for key, value in how.items() if key != "contract"}
            with suppress(CannotAsk):
                found = next(bounds(self.specs, step.contract, {step.name: plain}, target))
                return paid(target, None, found)
        return paid(target, usage)

    def _step(self, asked: Step, stored: Mapping[str, Any]) -> Step:
        """The step with what came of it, read again from what is kept."""
        response = None
        if stored["response"] is not None:
            status, headers, chunks = head_of(stored["response"])
            response = read(asked.contract, status, headers, chunks, stored["response"]["ending"])
        exchange = Exchange(request_from_dict(stored["request"]), response, stored.get("failure"))
        return Step(asked.name, asked.contract, exchange, asked.body, asked.turn, asked.expect)

    def _steps(
        self, target: Target, contract: Contract, said: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]
    ) -> dict[str, Step]:
        steps: dict[str, Step] = {}
        for each in kept:
            how = said[each["step"]]
            asks = self._at(target, how)
            asked = self.specs.asked(how, contract, asks.model)
            request, body, turn = build(asked, each["step"], how, asks, steps)
            step = Step(
                each["step"], asked, Exchange(request, None), body, turn, how.get("expect", "answered")
            )
            steps[each["step"]] = self._step(step, each)
        missing = next((name for name in said if name not in steps), None)
        # A step that came to nothing by an outage says so itself when it is judged.
        if missing is not None and not any(
            step.exchange.response is None or outage(step) for step in steps.values()
        ):
            how = said[missing]
            asked = self.specs.asked(how, contract, self._at(target, how).model)
            build(asked, missing, how, target, steps)
            raise Unfounded(f"step {missing} was not asked")
        return steps


def _guilty(steps: Mapping[str, Step], contract: Contract) -> Step | None:
    """The step whose request is worth asking again: the last one that was asked of the rule's own contract."""
    own = [step for step in steps.values() if step.contract is contract] or list(steps.values())
    return own[-1] if own else None


def inapplicable(target: Target, contract: Contract, rule: Rule) -> str | None:
    """Why `rule` says nothing about `target`; None if it does."""
    card, reality = target.card, target.reality
    if rule.not_checked:
        return f"not checked: {rule.not_checked}"
    if rule.reality not in (None, reality):
        return f"the rule is of the {rule.reality} reality, the target shows the {reality} one"
    offer = f"api:{contract.offer}"
    if card and target.provider.id in card.ids and not contract.speaks(card.ids[target.provider.id]):
        return f"{contract.id} has not the form of bodies for {card.name}"
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
        needed = {name: needs[name] for name in ("offers", "lacks", "claim") if name in needs}
        if set(needed) == {"offers"} and witness(contract, needs["offers"]) is not None:
            return None
        return "no card says what this model offers" if needed else None
    if "offers" in needs and card.offers(needs["offers"], reality) is not True:
        return f"the card of {card.name} at {card.seller} does not offer {needs['offers']}"
    besides = contract.request.get("tools_need") if needs.get("offers") == "tools" else None
    if besides is not None and card.offers(besides, reality) is False:
        return f"the card of {card.name} at {card.seller} does not offer {besides}"
    if "lacks" in needs and card.offers(needs["lacks"], reality) is not False:
        return f"the card of {card.name} at {card.seller} offers {needs['lacks']}"
    if "claim" in needs and card.value(needs["claim"], reality) is None:
        return f"the card of {card.name} at {card.seller} claims no {needs['claim']}"
    return None
