"""Two runs compared: what is new, fixed or changed, what was observed of claims, and the shapes of answers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from conformance.runs.diff import FORMAT, SECTIONS, diff, markdown, shape_of, text, was_kept, worse
from tests.test_stored import finding, run, step

WRONG = {"at": "/usage/output", "expected": "at most 16", "got": 19}


def rules(rows: list[Any]) -> list[tuple[str, str, str]]:
    return [(each["rule"], each["before"], each["after"]) for each in rows]


def test_a_run_does_not_differ_from_itself() -> None:
    difference = diff(run(finding(), finding("b", "broken")), run(finding(), finding("b", "broken")))
    assert difference["format"] == FORMAT
    assert not any(difference[name] for name in SECTIONS)
    assert not worse(difference)
    [line] = text(difference)
    assert line.endswith("no difference")


def test_new_fixed_changed_added_and_gone_are_told_apart() -> None:
    before = run(
        finding("a"),
        finding("b", "broken"),
        finding("c", "broken"),
        finding("d", "not asked"),
        finding("old"),
    )
    after = run(
        finding("a", "broken", mismatches=[WRONG]),
        finding("b"),
        finding("c", "inconclusive"),
        finding("d", "not asked"),
        finding("young"),
    )
    difference = diff(before, after)
    assert rules(difference["new"]) == [("a", "kept", "broken")]
    assert rules(difference["fixed"]) == [("b", "broken", "kept")]
    assert rules(difference["changed"]) == [("c", "broken", "inconclusive")]
    assert [each["rule"] for each in difference["added"]] == ["young"]
    assert [each["rule"] for each in difference["gone"]] == ["old"]
    assert worse(difference)


@pytest.mark.parametrize(
    ("was", "now", "fails"),
    [
        ("kept", {"word": "broken"}, True),
        ("kept", {"word": "broken", "level": "should"}, False),
        ("kept", {"word": "not asked"}, True),
        ("not applicable", {"word": "broken"}, True),
        ("broken", {"word": "broken"}, False),
        ("kept", {"word": "not applicable"}, False),
        ("kept", {"word": "broken", "excused": "known"}, False),
    ],
)
def test_worse_is_what_fails_now_and_did_not_before(was: str, now: dict[str, str], fails: bool) -> None:
    level = now.get("level", "must")
    assert worse(diff(run(finding(word=was, level=level)), run({**finding(), **now}))) is fails


def test_another_number_at_the_same_place_is_a_change_and_another_id_is_none() -> None:
    def broken(got: Any) -> dict[str, Any]:
        return run(finding("a", "broken", mismatches=[{"at": "/id", "expected": "x", "got": got}]))

    assert rules(diff(broken(19), broken(20))["changed"]) == [("a", "broken", "broken")]
    assert diff(broken("id-1"), broken("id-2"))["changed"] == []


def test_a_claim_that_came_out_otherwise_is_told() -> None:
    def declared(observed: int, verdict: str) -> dict[str, Any]:
        row = {
            "model": "m-1",
            "seller": "big",
            "claim": "context_window",
            "stated": "128K",
            "read_as": 128000,
        }
        more = {"source": {}, "observed": observed, "verdict": verdict, "requests": 2, "cost": None}
        return run(finding(), declared=[{**row, **more}])

    [row] = diff(declared(128000, "as declared"), declared(131072, "differs"))["observed"]
    assert (row["observed_before"], row["observed_after"]) == (128000, 131072)
    lines = "\n".join(text(diff(declared(128000, "as declared"), declared(131072, "differs"))))
    assert "context_window  m-1 at big: observed 128000 -> 131072, verdict as declared -> differs" in lines


def test_members_that_came_went_or_changed_their_type_are_drift() -> None:
    old = step({"id": "a", "usage": {"total": 7}, "choices": [{"text": "x"}]})
    new = step({"id": 5, "usage": {"total": 9, "cached": 0}, "choices": [{"text": "y"}, {"text": None}]})
    before, after = run(exchanges={"plain": [old]}), run(exchanges={"plain": [new]})
    [row] = diff(before, after)["drift"]
    assert row["evidence"] == "plain#ask"
    assert row["came"] == ["/body/usage/cached: number"]
    assert row["went"] == []
    assert row["changed"] == ["/body/choices/*/text: string -> null or string", "/body/id: string -> number"]


def test_another_status_and_other_headers_are_drift() -> None:
    new = step(status=201)
    new["response"]["headers"].append(["X-New", "1"])
    [row] = diff(run(), run(exchanges={"plain": [new]}))["drift"]
    assert row["came"] == ["/headers/x-new: string"]
    assert row["changed"] == ["/status: 200 -> 201"]


def test_events_of_a_stream_have_their_shape_by_name() -> None:
    data = b'event: a\ndata: {"n": 1}\n\nevent: a\ndata: {"n": "x"}\n\nevent: b\ndata: [DONE]\n\n'
    response = {
        "status": 200,
        "headers": [["Content-Type", "text/event-stream"]],
        "chunks": [{"at": 0.1, "base64": base64.b64encode(data).decode()}],
        "ending": "complete",
    }
    shape = shape_of(response)
    assert shape["/events/a/n"] == {"number", "string"}
    assert shape["/events/b"] == {"string"}


def test_the_text_tells_what_is_new_with_expected_and_got() -> None:
    lines = "\n".join(text(diff(run(finding()), run(finding(word="broken", mismatches=[WRONG])))))
    assert "New: kept or not applicable before (1)" in lines
    assert "cap (must)  big/plain: kept -> broken" in lines
    assert "at /usage/output: expected at most 16, got 19" in lines


def test_what_a_provider_answers_ends_no_block_of_the_markdown() -> None:
    evil = {**WRONG, "got": "```\n</details><script>"}
    told = markdown(diff(run(finding()), run(finding(word="broken", mismatches=[evil]))))
    fence = next(line for line in told.splitlines() if line.startswith("```"))
    assert told.splitlines().count(fence) == 2
    assert "<details open>" in told


def test_what_the_baseline_kept_is_known_by_target_contract_and_rule() -> None:
    assert was_kept(run(finding("a"), finding("b", "broken"), finding("c", "not applicable"))) == {
        ("big", "big/plain", "a")
    }


def test_a_difference_is_json() -> None:
    difference = diff(run(finding()), run(finding(word="broken", mismatches=[WRONG])))
    assert json.loads(json.dumps(difference)) == difference
