"""Plan, budget, receipt, retries: nothing is paid twice, and nothing beyond what was allowed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance import retry
from conformance.cases import cases
from conformance.cli import main
from conformance.embedded import embedded
from conformance.formats import markdown
from conformance.measured.plan import plan
from conformance.measured.prices import bounds, price_of
from conformance.probes.amount import dollars, read_dollars, read_retries
from conformance.reached import imagined
from conformance.retry import LONGEST, Patience
from conformance.run import Run
from conformance.runs.receipt import Ledger, OverBudget, receipt, table
from conformance.target import targets
from tests.asked import CHAT, SPECS, Answer, Provider, completion, refusal
from tests.test_stored import run

Start = Callable[[Answer], Provider]
GREETS = "usage-given"


def greets(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
    return 200, {}, completion("Hello!", 1000, 100)


# Amounts


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.1, "$0.10"), (1234.5, "$1,234.50"), (0.0042, "$0.0042"), (0.000000004, "$0.0000000")],
)
def test_small_amounts_are_told_with_two_figures(amount: float, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "ten"])
def test_what_is_no_amount_is_no_budget(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"expected dollars, such as 0.10, got '{text}'"):
        read_dollars(text)


@pytest.mark.parametrize("text", ["-1", "two", "1.5"])
def test_what_is_no_number_is_no_number_of_retries(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"expected a number from 0 on, got '{text}'"):
        read_retries(text)


# Receipt


def test_an_answer_costs_its_own_counts_at_the_prices_of_the_card(tmp_path: Path, start: Start) -> None:
    run = Run(SPECS, [start(greets).target], tmp_path)
    run.judge(run.targets[0], CHAT, CHAT.rules[GREETS])
    run.close()
    said = receipt({path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")})
    assert said["currency"] == "USD"
    assert said["lines"] == [
        {
            "model": "mistral.magistral-small-2509",
            "api": "Chat Completions",
            "requests": 1,
            "retries": 0,
            "input_tokens": 1000,
            "output_tokens": 100,
            "cost": (1000 * 0.5 + 100 * 1.5) / 1_000_000,
        }
    ]
    assert "$0.00065" in "\n".join(table(said))


def test_the_same_request_of_two_probes_is_paid_once(tmp_path: Path, start: Start) -> None:
    provider = start(lambda body, number: (200, {}, completion("amber kettle 42", 10, 5)))
    run = Run(SPECS, [provider.target], tmp_path)
    for name in ("repeats-exactly", "order-of-members-is-nothing", "unknown-header-is-nothing"):
        assert run.judge(provider.target, CHAT, CHAT.rules[name]).word == "kept"
    run.close()
    # The plain form, its members turned, and one with a header more.
    assert len(provider.bodies) == 3
    kept = [step for path in tmp_path.glob("*.json") for step in json.loads(path.read_text())]
    assert len(kept) == 5 and len([step for step in kept if step.get("paid")]) == 3


def test_repetitions_on_purpose_are_asked_each(tmp_path: Path, start: Start) -> None:
    provider = start(lambda body, number: (200, {}, completion(f"amber kettle {number}", 10, 5)))
    run = Run(SPECS, [provider.target], tmp_path)
    found = run.judge(provider.target, CHAT, CHAT.rules["repetitions-are-alike"])
    run.close()
    assert len(provider.bodies) == 3
    assert found.word == "broken" and found.reason == "1 of 3 answers are the same, 2 are asked for"


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_same_exchange_is_never_paid_twice_by_workers(tmp_path: Path, workers: str) -> None:
    running = embedded("mock")(specs=SPECS, auth="strict", reality="documented")
    try:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-n",
            workers,
        ]
        command += ["--pyargs", "conformance.suite.promises", "--conformance-api=bedrock-runtime/converse"]
        command += [f"--conformance-endpoint-url={running.http}", f"--conformance-report-dir={tmp_path}"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
        report = json.loads((tmp_path / "report.json").read_text())
        asked = [entry for space in running.mock.state.spaces() for entry in space.journal]
    finally:
        running.stop()
    assert report["receipt"]["lines"]
    assert sum(line["requests"] for line in report["receipt"]["lines"]) == report["requests"] == len(asked)


# Budget


def test_a_budget_stops_below_it(tmp_path: Path, start: Start) -> None:
    provider = start(greets)
    price = price_of(provider.target.card)
    assert price is not None
    [bound] = bounds(SPECS, CHAT, CHAT.probes["greets"]["steps"], provider.target)
    assert bound.cost is not None
    for budget, word in ((bound.cost * 0.99, "over budget"), (bound.cost * 1.01, "kept")):
        run = Run(SPECS, [provider.target], tmp_path / word, budget=budget)
        found = run.judge(provider.target, CHAT, CHAT.rules[GREETS])
        run.close()
        assert found.word == word
    assert len(provider.bodies) == 1


def test_a_run_never_spends_more_than_its_budget(tmp_path: Path) -> None:
    assert (
        main(["run", "--api", "bedrock-runtime/converse", "--budget", "0.001", "--report-dir", str(tmp_path)])
        == 4
    )
    report = json.loads((tmp_path / "report.json").read_text())
    words = report["counts"]
    assert words["over budget"] and words["kept"] and not words["broken"]
    assert 0 < report["receipt"]["total"] <= 0.001
    told = next(each["reason"] for each in report["findings"] if each["word"] == "over budget")
    assert re.fullmatch(r"it could cost up to \$\S+, and of the budget of \$0.0010 \$\S+ is left", told)


def test_two_ledgers_of_one_run_share_one_budget(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path, 1.0), Ledger(tmp_path, 1.0)
    one.reserve(0.6)
    with pytest.raises(OverBudget):
        other.reserve(0.6)
    one.settle(0.6, 0.1)
    other.reserve(0.6)


def test_a_model_without_a_price_is_not_asked_on_a_budget(tmp_path: Path) -> None:
    with pytest.raises(OverBudget, match="no card has a price"):
        Ledger(tmp_path, 1.0).reserve(None)


# Plan


def test_a_plan_asks_nobody_and_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = ["--api", "bedrock-runtime/converse", "--api", "puter/driver-chat"]
    assert main(["plan", *api]) == 0
    assert "Nothing was asked." in capsys.readouterr().out
    main(["run", *api, "--report-dir", str(tmp_path)])
    paid = {
        line["api"]: line for line in json.loads((tmp_path / "report.json").read_text())["receipt"]["lines"]
    }
    asked = imagined(SPECS, "mock")
    chosen = cases(asked, SPECS, api[1::2])
    planned = {
        each.api: each
        for each in plan(SPECS, asked, [(each.target, each.contract, each.rule) for each in chosen])
    }
    assert set(paid) == set(planned)
    for name, line in planned.items():
        assert paid[name]["requests"] == line.requests
        assert paid[name]["input_tokens"] <= line.input_tokens
        assert paid[name]["output_tokens"] <= line.output_tokens
        assert line.cost is not None and paid[name]["cost"] <= line.cost


def test_a_real_provider_is_planned_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", "--provider", "puter", "--api", "puter/models", "--api", "puter/driver-chat"]
    assert main([*asked, "--budget", "10"]) == 0
    assert "within the budget of $10.00" in capsys.readouterr().out
    assert main([*asked, "--budget", "0.01"]) == 1
    said = capsys.readouterr().out
    assert "more than the budget of $0.010" in said
    assert "requests that leave the model its whole output cap" in said


def test_the_search_for_limits_counts_against_the_budget_of_a_plan(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["plan", "--provider", "puter", "--api", "puter/driver-chat", "--budget", "1"]
    assert main(asked) == 0
    assert main([*asked, "--limits"]) == 1
    assert "context_window" in capsys.readouterr().out


def test_without_prices_a_plan_says_neither_nothing_nor_within_the_budget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "--provider", "openai-compatible", "--budget", "1"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"^all .* no price$", said, re.MULTILINE)
    assert "no price, so a budget of $1.00 cannot be kept" in said


# Retries


def patience(name: str, attempts: int = 3) -> Patience:
    return Patience(SPECS.providers[name].said["retries"], attempts)


@pytest.mark.parametrize(
    ("provider", "headers", "seconds"),
    [
        ("bedrock-mantle", (("Retry-After-Ms", "1500"), ("Retry-After", "9")), 1.5),
        ("bedrock-mantle", (("Retry-After", "9"),), 9.0),
        ("bedrock-mantle", (("x-should-retry", "false"), ("Retry-After", "1")), None),
        ("bedrock-runtime", (("x-amz-retry-after", "700"),), 0.7),
        ("puter", (), retry.FIRST_PAUSE),
        ("puter", (("Retry-After", "5"),), 5.0),
        ("bedrock-mantle", (("Retry-After", str(LONGEST + 1)),), None),
        ("bedrock-mantle", (("Retry-After", "Sun, 22 Nov 2026 06:00:00 GMT"),), retry.FIRST_PAUSE),
    ],
)
def test_a_pause_is_as_long_as_the_providers_own_headers_say(
    provider: str, headers: tuple[tuple[str, str], ...], seconds: float | None
) -> None:
    assert patience(provider).pause(429, headers, 0, 0.0) == seconds


def test_a_provider_that_says_yes_is_asked_again_whatever_the_status() -> None:
    assert patience("bedrock-mantle").pause(400, (("x-should-retry", "true"),), 0, 0.0) == retry.FIRST_PAUSE
    assert patience("bedrock-mantle").pause(400, (), 0, 0.0) is None


def test_all_pauses_together_have_an_end() -> None:
    waited, repeated = 0.0, 0
    while (pause := patience("puter", attempts=100).pause(429, (), repeated, waited)) is not None:
        waited, repeated = waited + pause, repeated + 1
    assert waited <= LONGEST and repeated < 10


def test_a_rate_limit_that_ends_is_waited_for_and_counted(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = start(
        lambda body, number: (
            greets(body, number) if number == 2 else (429, {"retry-after-ms": "1"}, refusal("slow down"))
        )
    )
    run = Run(SPECS, [provider.target], tmp_path, retries=2)
    assert run.judge(provider.target, CHAT, CHAT.rules[GREETS]).word == "kept"
    run.close()
    [kept] = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert kept[0]["paid"]["retries"] == 2 and kept[0]["paid"]["waited"] == 0.002


def test_a_rate_limit_that_does_not_end_is_inconclusive(tmp_path: Path, start: Start) -> None:
    provider = start(lambda body, number: (429, {"retry-after-ms": "1"}, refusal("slow down")))
    run = Run(SPECS, [provider.target], tmp_path, retries=2)
    found = run.judge(provider.target, CHAT, CHAT.rules[GREETS])
    run.close()
    assert found.word == "inconclusive" and len(provider.bodies) == 3
    assert found.reason.endswith(", after 2 retries")


def test_a_refusal_that_is_expected_is_not_repeated(tmp_path: Path, start: Start) -> None:
    provider = start(lambda body, number: (401, {"x-should-retry": "true"}, refusal("no such key")))
    run = Run(SPECS, [provider.target], tmp_path, retries=2)
    run.judge(provider.target, CHAT, CHAT.rules["wrong-bearer-is-401"])
    run.close()
    assert len(provider.bodies) == 1


def test_targets_of_a_plan_are_those_of_a_run() -> None:
    mock = {"http": "http://127.0.0.1", "auth": "strict", "reality": "documented"}
    assert [each.model for each in imagined(SPECS, "mock")] == [
        each.model for each in targets(SPECS, "mock", mock=mock)
    ]


def test_what_has_no_price_is_not_said_to_cost_nothing() -> None:
    def paid(model: str, cost: float | None) -> dict[str, Any]:
        counts = {"retries": 0, "input_tokens": 10, "output_tokens": 5}
        return {"paid": {"model": model, "api": "Chat", "cost": cost, **counts}}

    said = receipt({"a": [paid("one", None)], "b": [paid("two", None)]})
    assert said["total"] is None
    assert table(said, by="model")[-1].split() == ["total", "2", "0", "20", "10", "no", "price"]
    assert "| total | | | | | no price |" in markdown.render(run(receipt=said))
    priced = receipt({"a": [paid("one", None)], "b": [paid("two", 0.25)]})
    assert priced["total"] == 0.25
    assert receipt({})["total"] == 0
