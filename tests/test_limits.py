"""The search for limits: what is asked, in which order, what it tells and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.embedded import embedded
from conformance.measured.search import Search, likely, look, most, readings, searches
from conformance.run import Run
from conformance.target import Target, targets
from tests.asked import CHAT, SPECS, Answer, Provider, completion, refusal

Start = Callable[[Answer], Provider]


@pytest.fixture(params=["documented", "observed"])
def mock(request: pytest.FixtureRequest) -> Iterator[list[Target]]:
    running = embedded("mock")(specs=SPECS, auth="strict", reality=request.param)
    yield targets(SPECS, "mock", mock=running.info)
    running.stop()


def search(target: Target, folder: Path, name: str, **run: Any) -> Search:
    """The search called `name` over Chat Completions, done."""
    asking = Run(SPECS, [target], folder, **run)
    try:
        [found] = [each for each in searches(target, CHAT) if each.id == name]
        return look(asking, found)
    finally:
        asking.close()


def words(body: dict[str, Any]) -> int:
    return len(body["messages"][0]["content"].split())


def window(limit: int, says: str = "too long", truncates: int | None = None) -> Answer:
    """A model of one token a word that takes so many, or that drops what stands first without a word."""

    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
        tokens = words(body)
        if truncates is not None and tokens > truncates:
            return 200, {}, completion("I do not know.", truncates, 5)
        if tokens + body["max_tokens"] > limit:
            return 400, {}, refusal(says)
        return 200, {}, completion("OSPREY3", tokens, 2)

    return answer


def caps(limit: int, enforced: bool = True, says: str = "no") -> Answer:
    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
        cap = body["max_tokens"]
        if cap < 1 or (enforced and cap > limit):
            return 400, {}, refusal(says)
        return 200, {}, completion("amber kettle 42", 12, min(5, cap))

    return answer


def test_what_a_page_says_in_k_is_read_in_both_senses() -> None:
    assert readings({"stated": "128K tokens", "read_as": 128000}) == [128000, 131072]
    assert readings({"stated": "1M", "read_as": 1000000}) == [1000000, 1048576]
    assert readings(
        {"stated": None, "read_as": 7, "disputed_by": [{"value": 9}], "observed": {"value": 8}}
    ) == [7, 8, 9]


@pytest.mark.parametrize(("limit", "verdict"), [(128000, "as declared"), (131072, "differs")])
def test_two_requests_tell_128000_from_131072(tmp_path: Path, start: Start, limit: int, verdict: str) -> None:
    provider = start(window(limit))
    found = search(provider.target, tmp_path, "context-window")
    assert found.verdict == verdict
    assert found.low is not None and found.high is not None and found.low <= limit < found.high
    # Two small ones count the filler; of the large ones the dearest is the only one that is paid.
    assert len(found.asked) <= 5
    assert [each.answered for each in found.asked[2:]] in ([False, False, True], [False, True])


def test_what_is_refused_costs_nothing_and_the_rest_what_the_card_says(tmp_path: Path, start: Start) -> None:
    provider = start(window(128000))
    found = search(provider.target, tmp_path, "context-window")
    assert all(each.paid["cost"] == 0 for each in found.asked if not each.answered)
    tokens = sum(
        words(body) for body, each in zip(provider.bodies, found.asked, strict=True) if each.answered
    )
    answers = 2 * len([each for each in found.asked if each.answered])
    assert found.cost == pytest.approx((tokens * 0.5 + answers * 1.5) / 1_000_000)
    expected, bound = likely(found), most(found)
    assert expected is not None and bound is not None
    assert found.cost is not None and found.cost == pytest.approx(expected, rel=0.1)
    assert found.cost < bound


def test_a_prompt_that_is_cut_in_silence_is_found(tmp_path: Path, start: Start) -> None:
    found = search(start(window(10**9, truncates=32000)).target, tmp_path, "context-window")
    assert found.verdict == "truncated"
    assert "only 32,000 were counted" in found.result()


def test_a_limit_below_the_claim_is_halved_in(tmp_path: Path, start: Start) -> None:
    found = search(start(window(50_000)).target, tmp_path, "context-window")
    assert found.verdict == "differs"
    assert found.low is not None and found.high is not None
    assert found.low <= 50_000 < found.high and found.high - found.low < 0.05 * found.high


def test_a_limit_above_every_reading_is_told(tmp_path: Path, start: Start) -> None:
    found = search(start(window(10**9)).target, tmp_path, "context-window")
    assert found.verdict == "differs" and "more than any reading" in found.result()
    assert found.high is None


def test_a_refusal_that_names_the_limit_is_believed_and_checked(tmp_path: Path, start: Start) -> None:
    found = search(start(caps(30_000, says="at most 40,000 tokens")).target, tmp_path, "output-cap")
    assert found.named == 40_000
    assert found.exact == 30_000 and found.verdict == "differs"


def test_a_cap_is_found_to_the_token(tmp_path: Path, start: Start) -> None:
    found = search(start(caps(40_000)).target, tmp_path, "output-cap")
    assert (found.exact, found.verdict) == (40_000, "as declared")
    assert [each.sent for each in found.asked[1:]] == [
        "cap 0",
        "cap -1",
        "cap 400,000",
        "cap 40,000",
        "cap 40,001",
    ]


def test_a_cap_that_nobody_enforces_is_told(tmp_path: Path, start: Start) -> None:
    found = search(start(caps(40_000, enforced=False)).target, tmp_path, "output-cap")
    assert found.verdict == "not enforced"


def test_a_rate_limit_is_no_limit_of_the_model(tmp_path: Path, start: Start) -> None:
    provider = start(lambda body, number: (429, {}, refusal("slow down")))
    found = search(provider.target, tmp_path, "context-window")
    assert found.verdict == "inconclusive" and "429" in found.result()
    assert len(provider.bodies) == 1


def test_a_refusal_of_everything_is_no_limit(tmp_path: Path, start: Start) -> None:
    found = search(start(lambda body, number: (401, {}, refusal("who?"))).target, tmp_path, "output-cap")
    assert found.verdict == "inconclusive" and "was refused" in found.result()


def test_a_budget_ends_the_search_before_the_dear_request(tmp_path: Path, start: Start) -> None:
    provider = start(window(128000))
    found = search(provider.target, tmp_path, "context-window", budget=0.01)
    assert found.verdict == "over budget"
    assert len(provider.bodies) == 2


def test_the_mock_has_the_limits_of_its_cards_over_every_api(tmp_path: Path, mock: list[Target]) -> None:
    run = Run(SPECS, mock, tmp_path)
    sellers = set()
    for target in mock:
        for contract in SPECS.of(target.provider.id):
            if target.name not in ("bedrock-mantle", "bedrock-runtime", "puter"):
                continue
            if contract.offer is None or not target.card or not contract.speaks(target.model or ""):
                continue
            if target.card.offers(f"api:{contract.offer}", target.reality) is not True:
                continue
            for each in searches(target, contract):
                if each.id == "output-cap":
                    found = look(run, each)
                    wanted = "not enforced" if target.name == "puter" else "as declared"
                    assert found.verdict == wanted, f"{contract.id}: {found.result()}"
                    sellers.add(target.card.seller)
    run.close()
    assert sellers == {"bedrock", "puter"}


def test_the_transcript_counts_requests_and_money_for_both_cards(capsys: pytest.CaptureFixture[str]) -> None:
    for api, declared in (("bedrock-runtime/converse", "128,000"), ("puter/driver-chat", "131,072")):
        assert main(["limits", "--api", api]) == 0
        said = capsys.readouterr().out
        assert f"context_window: declared {declared}" in said
        assert "as declared: between" in said
        assert "5 requests, 2 of them refused for nothing: $0.06" in said
        assert "the needle is found" in said


def test_a_flood_ends_with_the_first_429(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["limits", "--api", "puter/chat-completions", "--flood"]) == 0
    said = capsys.readouterr().out
    assert "requests_per_10_seconds 200" in said
    assert "the next one: 429 Too many requests." in said


def test_only_a_mock_is_flooded_unless_it_is_said(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = start(window(128000))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key-0123456789")
    asked = ["limits", "--provider", "bedrock-mantle", "--endpoint-url", provider.target.endpoint]
    assert main([*asked, "--flood", "--budget", "1"]) == 2
    assert provider.bodies == []


def test_a_real_provider_is_not_searched_without_a_budget(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = start(window(128000))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key-0123456789")
    asked = ["limits", "--provider", "bedrock-mantle", "--endpoint-url", provider.target.endpoint]
    assert main(asked) == 2
    assert "--budget DOLLARS" in capsys.readouterr().err
    assert provider.bodies == []
    assert main(["run", *asked[1:], "--limits"]) == 2
    assert "--budget" in "".join(capsys.readouterr())
    assert provider.bodies == []
