"""A quota is counted, told and waited for; one that a flood ran into stands among what was declared and observed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.exchange import Request
from conformance.loading import load
from conformance.measured.quotas import Flood, row, with_floods
from conformance.reached import imagined
from mockserver import rates
from mockserver.answer import answer
from mockserver.cli import main as serve
from mockserver.effects import Head, carry_out
from mockserver.embedded import without_sockets
from mockserver.quota import Bucket

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


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0s"),
        (0.0004, "0s"),
        (0.006, "6ms"),
        (0.0174, "17ms"),
        (1.0, "1s"),
        (8.64, "8.64s"),
        (60.0, "1m0s"),
        (86.4, "1m26.4s"),
        (360.0, "6m0s"),
        (7200.5, "2h0m0.5s"),
    ],
)
def test_a_duration_is_told_as_openai_tells_it(seconds: float, said: str) -> None:
    assert rates.duration(seconds) == said


@pytest.mark.parametrize(
    ("limit", "reset"), [(10_000, "6ms"), (5_000, "12ms"), (3_500, "17ms"), (500, "120ms")]
)
def test_a_limit_is_whole_again_when_recorded_answers_say_so(limit: int, reset: str) -> None:
    bucket = Bucket(limit, 60, limit, 0.0)
    assert bucket.spend(1, 0.0) == 0.0
    assert rates.state(limit, 60, bucket.left(0.0)) == {
        "limit": str(limit),
        "remaining": str(limit - 1),
        "used": "1",
        "reset": reset,
    }


def test_looking_at_what_is_left_takes_nothing_of_it() -> None:
    bucket = Bucket(10, 60, 10, 0.0)
    bucket.spend(4, 0.0)
    assert [bucket.left(0.0), bucket.left(6.0), bucket.left(600.0)] == [6.0, 7.0, 10.0]


def test_nothing_fits_into_a_limit_of_nothing() -> None:
    assert Bucket(0, 60, 0, 0.0).spend(1, 0.0) == 60


def test_a_wait_is_told_in_seconds_and_milliseconds() -> None:
    assert rates.waiting(19.9994) == {"wait": "20s", "retry_after": "20", "retry_after_ms": "20000"}
    assert rates.waiting(0.0036) == {"wait": "4ms", "retry_after": "1", "retry_after_ms": "4"}


def test_a_quota_that_nobody_has_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(["--quota", "nope=1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("mockserver: --quota: expected one of the quotas ")
    assert "requests_per_minute" in said and "got 'nope'" in said


def test_one_option_sets_a_quota_for_every_provider_that_has_it() -> None:
    having = {
        provider.id
        for provider in SPECS.providers.values()
        if any(quota["id"] == "requests_per_minute" for quota in provider.said.get("quotas", ()))
    }
    assert {"openai", "bedrock-runtime"} <= having
    mock = without_sockets().mock
    mock.limits = {"requests_per_minute": 1}
    plain = {"model": "gpt-4o-mini", "input": "Hello"}
    headers = (("Content-Type", "application/json"), ("Authorization", "Bearer sk-0123456789"))
    asked = Request("POST", "/openai-com/v1/responses", headers, json.dumps(plain).encode())
    found = []
    for _ in range(2):
        effects = carry_out(answer(mock, asked, 1_795_334_400.0), mock.state)
        found += [each.status for each in effects if isinstance(each, Head)]
    assert found == [200, 429]
