"""docs/coverage.md is what the files say, and nothing in it is covered by nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

SPEC = importlib.util.spec_from_file_location(
    "coverage_table", Path(__file__).resolve().parent / "coverage_table.py"
)
assert SPEC is not None and SPEC.loader is not None
coverage_table = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = coverage_table
SPEC.loader.exec_module(coverage_table)


def test_every_member_has_the_test_of_its_shape() -> None:
    rows = [*coverage_table.member_rows()]
    assert len(rows) > 600
    assert [f"{row.contract}/{row.name}" for row in rows if not row.tests] == []


def test_every_member_has_a_test_of_what_it_does_or_a_reason_for_none() -> None:
    bare = [
        f"{row.contract}/{row.name}"
        for row in coverage_table.member_rows()
        if coverage_table.behaviour(f"{coverage_table.STREAMS.get(row.contract, row.contract)}/{row.name}")
        is None
    ]
    assert bare == []


def test_every_error_has_a_test_or_a_reason_for_none() -> None:
    rows = [*coverage_table.error_rows()]
    assert len(rows) > 300
    assert [row for row in rows if not row.tests and len(row.reason) < 15] == []


def test_every_test_that_is_named_is_there() -> None:
    rows = [*coverage_table.member_rows(), *coverage_table.error_rows()]
    named = {test for row in rows for test in row.tests}
    assert {test for test in named if not coverage_table.exists(test)} == set()


def test_the_errors_named_are_those_that_boto3_is_asked_for() -> None:
    test_boto3 = coverage_table.module("clients/test_boto3.py")
    asked = {str(each.id) for each in (*test_boto3.refusals(), *test_boto3.breaking_off())}
    named = {
        test.partition("[")[2].removesuffix("]")
        for row in coverage_table.error_rows()
        for test in row.tests
        if "TestErrors" in test
    }
    assert named - asked == set()


def test_no_entry_is_about_nothing() -> None:
    """What coverage.yaml says is said of a member, and of the nearest one."""
    paths = {
        f"{coverage_table.STREAMS.get(row.contract, row.contract)}/{row.name}"
        for row in coverage_table.member_rows()
    }
    stale = [
        entry
        for entry in coverage_table.SAID["behaviour"]
        if not any(path == entry or path.startswith(f"{entry}/") for path in paths)
    ]
    assert stale == []
    assert all(
        "test" in each or len(each["reason"]) > 15 for each in coverage_table.SAID["behaviour"].values()
    )


def test_what_clients_rely_on_is_looked_at_by_rules_of_the_suite() -> None:
    """Each promise has a rule, and all but two a rule that is asked: those two are about the client."""
    rules = {rule.name: rule for rule in coverage_table.load().rules()}
    asked = {
        promise: [name for name in names if rules[name].not_checked is None]
        for promise, names in coverage_table.SAID["relies"].items()
    }
    assert len(asked) == 16
    assert [promise for promise, names in asked.items() if not names] == [
        "a bearer key in the environment wins over a key pair",
        "boto3 ignores Retry-After and honours x-amz-retry-after",
    ]


def test_the_page_is_up_to_date() -> None:
    """Run `python tests/coverage_table.py` when this fails."""
    assert coverage_table.PAGE.read_text(encoding="utf-8") == coverage_table.page()
