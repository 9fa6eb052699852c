"""Parts of a run are put together, or refused where the whole would say what nobody looked at."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.runs.merge import merge
from conformance.runs.stored import shape
from conformance.target import UsageError
from tests.test_stored import finding, run, step


def shard(number: str, *findings: Any, **more: Any) -> dict[str, Any]:
    return run(*findings, selection={"provider": "mock", "shard": number}, **more)


def joined(*parts: dict[str, Any]) -> dict[str, Any]:
    return merge(parts, [f"part-{index}" for index in range(1, len(parts) + 1)])


def test_shards_make_the_run_that_they_are_parts_of() -> None:
    one = shard("1/2", finding("a"), seconds=1.0, requests=2, exchanges={"x": [step()]})
    two = shard("2/2", finding("b", "broken"), seconds=2.5, requests=3, exchanges={"y": [step()]})
    whole = joined(two, one)
    assert shape().mismatches(whole) == []
    assert {each["rule"]: each["word"] for each in whole["findings"]} == {"a": "kept", "b": "broken"}
    assert (whole["verdict"], whole["exit_code"]) == ("not conformant", 1)
    assert (whole["counts"]["kept"], whole["counts"]["broken"]) == (1, 1)
    assert (whole["seconds"], whole["requests"]) == (3.5, 5)
    assert set(whole["exchanges"]) == {"x", "y"}
    assert whole["selection"] == {"provider": "mock"}


def test_an_embedded_mock_may_have_another_port_in_each_part() -> None:
    one, two = shard("1/2", finding("a")), shard("2/2", finding("b"))
    two["targets"] = [{**two["targets"][0], "endpoint": "http://127.0.0.1:4999/big"}]
    assert len(joined(one, two)["findings"]) == 2
    for each in (one, two):
        each["selection"] = {**each["selection"], "endpoint_url": "http://127.0.0.1"}
    with pytest.raises(UsageError, match="part-2: expected the targets of part-1"):
        joined(one, two)


def other_specs(part: dict[str, Any]) -> None:
    part["specs"] = "f" * 16


def other_version(part: dict[str, Any]) -> None:
    part["version"] = "9.9.9"


def other_model(part: dict[str, Any]) -> None:
    part["targets"] = [{**part["targets"][0], "model": "m.2"}]


def other_rules(part: dict[str, Any]) -> None:
    part["ruleset"] = {"name": "2026.1", "frozen": "2026-11-22", "dropped": []}


def other_reality(part: dict[str, Any]) -> None:
    part["selection"] = {**part["selection"], "reality": "observed"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (other_specs, r"part-2: expected the specs of part-1 \(0123456789abcdef\), got ffffffffffffffff"),
        (other_version, r"part-2: expected the version of the suite of part-1 \(0.1.0\), got 9.9.9"),
        (other_model, r"part-2: expected the targets of part-1 \(big m.1\), got big m.2"),
        (other_rules, r"part-2: expected the rule set of part-1 \(None\), got 2026.1"),
        (other_reality, "part-2: expected the options of part-1, got another reality: None and 'observed'"),
    ],
)
def test_parts_of_different_runs_are_refused(change: Any, says: str) -> None:
    one, two = shard("1/2", finding("a")), shard("2/2", finding("b"))
    change(two)
    with pytest.raises(UsageError, match=says):
        joined(one, two)


def test_a_missing_shard_is_refused() -> None:
    with pytest.raises(UsageError, match="got no 2/3"):
        joined(shard("1/3", finding("a")), shard("3/3", finding("b")))
    with pytest.raises(UsageError, match="expected shards of one number, got 1/2, 1/3"):
        joined(shard("1/3", finding("a")), shard("1/2", finding("b")))


def test_a_rule_that_stands_in_two_parts_is_refused() -> None:
    with pytest.raises(UsageError, match="part-2: big/plain:a stands in part-1 too"):
        joined(run(finding("a")), run(finding("a", "broken")))


def test_nothing_to_merge_is_refused() -> None:
    with pytest.raises(UsageError, match="got none"):
        joined()


def test_runs_of_different_apis_are_parts_too() -> None:
    one = run(finding("a"), selection={"provider": "mock", "api": ["a/*"]})
    two = run(finding("b"), selection={"provider": "mock", "api": ["b/*"]})
    assert joined(one, two)["selection"] == {"provider": "mock", "api": ["a/*", "b/*"]}


def test_claims_are_broken_if_one_part_saw_it() -> None:
    def claims(verdict: str, *rules: str) -> list[Any]:
        row = {"model": "m-1", "seller": "big", "claim": "max_output", "stated": "40K", "read_as": 40000}
        more = {
            "unit": None,
            "observed": None,
            "source": {"text": "a page", "sure": "seed"},
            "disputed_by": [],
        }
        return [{**row, **more, "note": None, "verdict": verdict, "rules": list(rules)}]

    one = shard("1/2", finding("a"), claims=claims("kept", "big/plain:a"))
    two = shard("2/2", finding("b", "broken"), claims=claims("broken", "big/plain:b"))
    [claim] = joined(one, two)["claims"]
    assert (claim["verdict"], claim["rules"]) == ("broken", ["big/plain:b"])


def test_receipts_and_measurements_are_added_up() -> None:
    def part(number: str, rule: str, observed: int | None, cost: float) -> dict[str, Any]:
        line = {"model": "m.1", "api": "Plain", "requests": 2, "retries": 1, "input_tokens": 10}
        receipt = {"currency": "USD", "lines": [{**line, "output_tokens": 5, "cost": cost}], "total": cost}
        row = {"model": "m-1", "seller": "big", "claim": "max_output", "stated": "40K", "read_as": 40000}
        more = {"source": {}, "observed": observed, "verdict": "as declared", "requests": 1, "cost": cost}
        return shard(number, finding(rule), receipt=receipt, declared=[{**row, **more}])

    whole = joined(part("1/2", "a", None, 0.25), part("2/2", "b", 40000, 0.5))
    assert shape().mismatches(whole) == []
    assert whole["receipt"]["total"] == 0.75
    [line] = whole["receipt"]["lines"]
    assert (line["requests"], line["retries"], line["input_tokens"], line["cost"]) == (4, 2, 20, 0.75)
    [row] = whole["declared"]
    assert (row["observed"], row["requests"], row["cost"]) == (40000, 2, 0.75)


def test_a_waiver_is_stale_if_one_part_found_it_so() -> None:
    def waivers(state: str) -> list[Any]:
        words = {"rule": "a", "reason": "known", "owner": "me", "expires": "2026-12-31", "at": "w.yaml:2"}
        return [{**words, "state": state}]

    one, two = shard("1/2", finding("a"), waivers=waivers("idle")), shard("2/2", finding("b"))
    two["waivers"] = waivers("stale")
    assert [each["state"] for each in joined(one, two)["waivers"]] == ["stale"]
