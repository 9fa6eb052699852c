"""The suite tested by a mock that breaks every rule once: no rule survives, and what is wrong with a rule is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.loading import load
from conformance.mutants import Outcome, run_mutants

ROOT = Path(__file__).resolve().parent.parent

OFFERS = ROOT / "tests" / "offers"
"""Two models that nobody sells: one that offers everything, one that offers every API and only text."""


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Every rule of the shipped specs, broken."""
    return run_mutants(load(), ["*"])


@pytest.fixture(scope="module")
def beyond(outcome: Outcome) -> Outcome:
    """The rules for what no shipped card offers, broken at models that do."""
    return run_mutants(load([OFFERS]), ["*"], only={rule.name for rule, _ in outcome.skipped})


def test_every_rule_is_broken_once(outcome: Outcome, beyond: Outcome) -> None:
    rules = {
        rule.name
        for contract in load().contracts.values()
        if not contract.abstract
        for rule in contract.rules.values()
        if rule.not_checked is None
    }
    broken = [mutant.rule.name for mutant in (*outcome.mutants, *beyond.mutants)]
    assert len(broken) == len(set(broken)) > 900
    alone = {
        rule.name
        for rule, why in beyond.skipped
        if why == "the model is offered over no other API in this run"
    }
    assert [(rule.name, why) for rule, why in beyond.skipped if rule.name not in alone] == []
    assert set(broken) == rules - alone


def test_rules_for_what_no_card_offers_are_found_too(beyond: Outcome) -> None:
    assert beyond.sound
    assert "bedrock-mantle/chat-completions:pdf-is-read" in {mutant.rule.name for mutant in beyond.mutants}


def test_every_rule_is_found_by_its_own_check(outcome: Outcome) -> None:
    assert [(each.rule.name, each.own.word, each.unbroken) for each in outcome.survivors] == []


def test_the_unbroken_mock_keeps_every_rule(outcome: Outcome) -> None:
    assert [finding.text() for finding in outcome.clean_failures] == []
    assert outcome.clean == len(outcome.mutants)


def test_what_else_falls_with_a_rule_is_what_the_file_lists(outcome: Outcome) -> None:
    assert [(each.rule.name, each.unlisted) for each in outcome.mutants if each.unlisted] == []
    assert [(each.rule.name, each.missing) for each in outcome.mutants if each.missing] == []


def test_that_is_called_sound(outcome: Outcome) -> None:
    assert outcome.sound


CONTRACT = """contract: my/models
extends: bedrock-mantle/models
summary: The list of the models, at an address of our own.
source: {text: this test, sure: guess}
request: {paths: [/v1/my-models]}
exchanges: {hello: null}
also: {shape: [models-are-available, owned-by-system, retention-is-default]}
rules:
  retention-is-default:
    area: wire
    level: must
    text: Every model has the default retention.
    source: {text: this test, sure: guess}
    probe: lists
    check: equal
    with: {at: /body/data/*/data_retention/mode, to: TO}
    broken_by: [{exchange: {set: {SET}}}]
    also: [ALSO]
"""


def mutants(
    folder: Path, *, to: str = "default", set_: str = "/body/data/0/data_retention/mode: none", also: str = ""
) -> tuple[int, str]:
    """Exit code and output of `conformance mutants` for the one contract with the one rule made so."""
    (folder / "mine" / "contracts").mkdir(parents=True)
    text = CONTRACT.replace("TO}", f"{to}}}").replace("SET", set_).replace("ALSO", also)
    (folder / "mine" / "contracts" / "models.yaml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "mutants", "--specs", "mine", "--api", "my/*"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


def test_a_rule_of_ones_own_that_bites_is_sound(tmp_path: Path) -> None:
    code, out = mutants(tmp_path)
    assert code == 0, out
    assert out.splitlines()[-1].startswith(
        "11 rules broken, 11 found by their own check, 11 of 11 kept by the unbroken mock"
    )
    assert out.endswith("sound\n")


def test_a_counterexample_that_changes_nothing_is_not_sound(tmp_path: Path) -> None:
    code, out = mutants(tmp_path, set_="/body/data/0/data_retention/mode: default")
    assert code == 1
    assert "survives: my/models:retention-is-default is kept though broken by" in out
    assert "changes nothing in this exchange" in out
    assert out.endswith("NOT SOUND\n")


def test_a_counterexample_that_leaves_its_rule_whole_is_not_sound(tmp_path: Path) -> None:
    code, out = mutants(tmp_path, set_="/body/zzz: 1")
    assert code == 1
    assert "survives: my/models:retention-is-default is kept" in out and "changes nothing" not in out


def test_another_rule_that_falls_too_and_is_not_listed_is_told(tmp_path: Path) -> None:
    code, out = mutants(
        tmp_path, set_="/body/data/0/data_retention/mode: none, /body/data/0/owned_by: nobody"
    )
    assert code == 1
    assert "also falls, not listed: my/models:retention-is-default -> owned-by-system" in out


def test_listed_it_is_sound(tmp_path: Path) -> None:
    code, out = mutants(
        tmp_path,
        set_="/body/data/0/data_retention/mode: none, /body/data/0/owned_by: nobody",
        also="owned-by-system",
    )
    assert code == 0, out


def test_a_rule_that_is_listed_and_holds_is_told(tmp_path: Path) -> None:
    code, out = mutants(tmp_path, also="owned-by-system")
    assert code == 1
    assert "listed under also, but holds: my/models:retention-is-default -> owned-by-system" in out


def test_a_rule_that_the_unbroken_mock_does_not_keep_is_told(tmp_path: Path) -> None:
    code, out = mutants(tmp_path, to="table")
    assert code == 1
    assert "the unbroken mock: retention-is-default (must)  my/models: broken" in out
    assert "10 of 11 kept by the unbroken mock" in out


def test_a_glob_that_matches_no_contract_is_a_usage_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "mutants", "--api", "no-such/*"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "got no-such/*: none matches" in done.stderr and "Traceback" not in done.stderr
