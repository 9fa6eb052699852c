"""A quota that a flood ran into stands among what was declared and observed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.contract import load
from conformance.limits import Flood
from conformance.quotas import row, with_floods
from conformance.reached import imagined

SPECS = load()
[PUTER] = imagined(SPECS, "puter")
PAID = {"input_tokens": 5, "output_tokens": 1, "cost": 0.001}


def flooded(
    answered: int, seconds: float, refused: str | None = "429 slow down", status: int | None = 429
) -> Flood:
    contract = SPECS.contracts["puter/chat-completions"]
    number = answered + (refused is not None)
    return Flood(PUTER, contract, answered, seconds, refused, [PAID] * number, status)


def test_a_refusal_at_the_declared_number_is_as_declared() -> None:
    said = row(flooded(200, 1.0))
    assert (said["claim"], said["read_as"], said["observed"]) == ("quotas.requests_per_10_seconds", 200, 200)
    assert (said["verdict"], said["requests"], said["cost"]) == ("as declared", 201, 0.201)
    assert said["source"]["sure"] == "official doc"


def test_what_comes_back_meanwhile_is_not_a_higher_limit() -> None:
    assert row(flooded(220, 1.0))["verdict"] == "as declared"
    assert (row(flooded(221, 1.0))["verdict"], row(flooded(221, 1.0))["observed"]) == ("differs", 221)


def test_an_earlier_refusal_differs_and_says_what_else_it_could_be() -> None:
    said = row(flooded(30, 1.0))
    assert (said["observed"], said["verdict"]) == (30, "differs")
    assert "what the run asked in the seconds before counts too" in said["note"]


def test_a_flood_that_nobody_stops_observes_no_quota() -> None:
    said = row(flooded(500, 1.0, None, None))
    assert (said["observed"], said["verdict"]) == (None, "not reached")


def test_another_refusal_is_no_quota() -> None:
    said = row(flooded(3, 1.0, "500 oops", 500))
    assert (said["observed"], said["verdict"]) == (None, "inconclusive")


def test_a_flood_replaces_the_row_of_its_claim_and_no_other() -> None:
    [own] = with_floods([], [flooded(200, 1.0)])
    other = {**own, "claim": "max_output"}
    unseen = {**own, "observed": None}
    assert with_floods([unseen, other], [flooded(200, 1.0)]) == [own, other]


def test_a_run_with_a_flood_reports_the_quota_and_what_it_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--api", "puter/chat-completions", "--flood", "--report-dir", str(tmp_path)]) == 0
    assert "quotas.requests_per_10_seconds" in capsys.readouterr().out
    said = json.loads((tmp_path / "report.json").read_text())
    [found] = [each for each in said["declared"] if each["claim"] == "quotas.requests_per_10_seconds"]
    assert (found["observed"], found["verdict"]) == (200, "as declared")
    assert found["cost"] > 0 and said["requests"] > found["requests"] > 200


def test_a_run_floods_no_real_provider_unless_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.asked import Provider

    provider = Provider(lambda body, number: (500, {}, {}))
    try:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key-0123456789")
        asked = ["run", "--provider", "bedrock-mantle", "--endpoint-url", provider.target.endpoint]
        assert main([*asked, "--flood"]) == 2
        assert "`--flood anywhere` floods a real provider" in "".join(capsys.readouterr())
        assert provider.bodies == []
    finally:
        provider.close()
