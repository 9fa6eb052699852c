"""A stored run judged again by the specs of today, from what it kept. Nobody is asked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.contract import Contract
from conformance.finding import Finding
from conformance.loading import Specs
from conformance.probes.examples import StoredExamples
from conformance.probes.probing import CannotAsk
from conformance.rules import Step
from conformance.run import Run
from conformance.target import Target, UsageError, account

KEPT_SECTIONS = ("declared", "examples", "ruleset", "waivers")
"""What a stored run says beside its rules and what judging it again does not look at."""


class Stored(Run):
    """A run that has asked already: a probe that it did not ask is not asked now."""

    def _pay(
        self, target: Target, contract: Contract, said: Mapping[str, Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        raise CannotAsk("the stored run did not ask this probe")

    def seen(self, target: Target, contract: Contract, probe: str) -> Mapping[str, Step]:
        """The steps of a probe as they were stored. Raises CannotAsk if it was not asked, or asked something else."""
        try:
            steps = super().seen(target, contract, probe)
        except KeyError as error:
            raise CannotAsk(f"the stored run asked another probe {probe}: it has no step {error}") from error
        for step in steps.values():
            body = step.exchange.request.body
            if step.body is not None and body and _parsed(body) != json.loads(json.dumps(step.body)):
                raise CannotAsk(
                    f"the stored run asked another probe {probe}: step {step.name} has another body"
                )
        return steps


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def targets_of(said: Mapping[str, Any], specs: Specs) -> list[Target]:
    """Who was asked. Raises UsageError for a provider that these specs do not have."""
    found = []
    asked = json.dumps(said["exchanges"])
    for each in said["targets"]:
        if each["name"] not in specs.providers:
            known = ", ".join(specs.providers)
            raise UsageError(
                f"the run asked {each['name']!r}; expected one of {known} (--specs DIR adds yours)"
            )
        provider = specs.providers[each["name"]]
        card = each["card"]
        its = next(
            (
                one
                for one in specs.cards
                if card and (one.model, one.seller) == (card["model"], card["seller"])
            ),
            None,
        )
        variables = {name: f"${name}" for name in each.get("variables", ())}
        key_env = said["selection"].get("key_env")
        names = ["MOCK_KEY", *provider.said["key"]["environment"], *([key_env] if key_env else [])]
        variable = next((name for name in names if re.search(rf"\${name}\b", asked)), names[-1])
        found.append(
            Target(
                provider,
                each["endpoint"],
                each["model"],
                its,
                each["region"],
                f"${variable}",
                variable,
                auth=each["auth"],
                reality=each["reality"],
                account=account(provider, None if variable == "MOCK_KEY" else os.environ),
                variables=variables,
            )
        )
    return found


def judge_run(
    said: Mapping[str, Any], specs: Specs, folder: Path
) -> tuple[list[tuple[Target, Contract, Finding]], list[Target]]:
    """What becomes of every rule in the run `said`, and whom it asked. `folder` is empty and ours.

    Contracts of which the run has no exchange are left out: it was not asked for them. Raises UsageError.
    """
    targets = targets_of(said, specs)
    for address, steps in said["exchanges"].items():
        (folder / f"{address}.json").write_text(json.dumps(steps), encoding="utf-8")
    asked = {(each["target"], each["contract"]) for each in said["findings"] if each["evidence"]}
    run = StoredExamples(Stored(specs, targets, folder), said.get("examples", {}))
    found = []
    for target in targets:
        for contract in specs.of(target.provider.id):
            if (target.name, contract.id) not in asked:
                continue
            for rule in contract.rules.values():
                if rule.not_checked is None:
                    found.append((target, contract, run.judge(target, contract, rule)))
    return found, targets
