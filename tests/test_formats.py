"""The files of a report, read by readers that we did not write: XML, JSON Schema, an SVG in a document."""

from __future__ import annotations

import json
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.formats import FILES, FORMATS, badge, ctrf, junit, markdown
from tests.test_stored import finding, run, step

BROKEN = {"mismatches": [{"at": "/usage/output", "expected": "at most 16", "got": 19}]}
FINDINGS = [
    finding("kept"),
    finding("broken", "broken", **BROKEN),
    finding("warns", "broken", level="should", **BROKEN),
    finding("excused", "broken", excused="known (me)", **BROKEN),
    finding("accused", accused="waived, but it holds"),
    finding("skipped", "not applicable", reason="the card does not offer it", evidence=[]),
    finding("unasked", "not asked", reason="shape: no usage"),
    finding("silent", "inconclusive", reason="status 429"),
    finding("dear", "over budget", reason="it costs 2 USD", evidence=[]),
    finding("ours", "suite error", reason="KeyError"),
]
WHOLE = run(*FINDINGS, verdict="suite error", exit_code=3, problems=["w.yaml:4: expired"])
HERE = Path(__file__).parent


def test_every_format_has_a_file_of_its_own() -> None:
    assert len(set(FILES)) == len(FORMATS) == 7


# JUnit


def junit_cases(document: dict[str, Any]) -> dict[str, list[str]]:
    root = xml.fromstring(junit.render(document))
    return {each.attrib["name"]: [child.tag for child in each] for each in root.iter("testcase")}


def test_junit_tells_failures_errors_and_skips_apart() -> None:
    assert junit_cases(WHOLE) == {
        "kept": [],
        "broken": ["failure"],
        "warns": ["system-out"],
        "excused": ["skipped"],
        "accused": ["failure"],
        "skipped": ["skipped"],
        "unasked": ["failure"],
        "silent": ["error"],
        "dear": ["error"],
        "ours": ["error"],
        "w.yaml:4: expired": ["failure"],
    }


def test_junit_counts_what_it_holds() -> None:
    root = xml.fromstring(junit.render(WHOLE))
    for suite in (root, *root.iter("testsuite")):
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[name]) == sum(1 for _ in suite.iter(tag))
        assert int(suite.attrib["tests"]) == sum(1 for _ in suite.iter("testcase"))
    for suite in root.iter("testsuite"):
        assert {child.tag for child in suite} == {"testcase"}
        assert float(suite.attrib["time"]) >= 0


def test_junit_failure_says_expected_and_got() -> None:
    failures = xml.fromstring(junit.render(WHOLE)).iter("failure")
    failure = next(each for each in failures if each.attrib["type"] == "broken")
    assert failure.attrib["message"] == "/usage/output: expected at most 16"
    assert "got       19" in str(failure.text)


def test_junit_gives_an_exchange_s_time_to_the_rule_that_needed_it_first() -> None:
    cases = list(xml.fromstring(junit.render(run(finding("a"), finding("b")))).iter("testcase"))
    assert [each.attrib["time"] for each in cases] == ["0.250", "0.000"]


def test_junit_is_xml_whatever_a_provider_answers() -> None:
    evil = "\x00\x1b[31m ]]> <a> & \ud800 \uffff é 猫"
    said = finding("evil", "broken", mismatches=[{"at": "/x", "expected": evil, "got": evil}], reason=evil)
    [case] = xml.fromstring(junit.render(run(said)).encode()).iter("testcase")
    assert "é 猫" in str(case[0].text)


# CTRF


def test_ctrf_is_what_its_own_schema_says() -> None:
    schema = json.loads((HERE / "ctrf-schema-0.0.json").read_text(encoding="utf-8"))
    document = json.loads(ctrf.render(WHOLE))
    jsonschema.Draft7Validator(schema).validate(document)
    summary = document["results"]["summary"]
    assert summary["stop"] - summary["start"] == 1500
    assert summary["tests"] == len(document["results"]["tests"]) == 11
    assert {name: summary[name] for name in ctrf.STATUSES} == {
        "passed": 2,
        "failed": 5,
        "skipped": 1,
        "pending": 0,
        "other": 3,
    }


def test_ctrf_keeps_our_own_word_beside_its_status() -> None:
    tests = {
        each["name"].partition(":")[2]: each for each in json.loads(ctrf.render(WHOLE))["results"]["tests"]
    }
    assert (tests["silent"]["status"], tests["silent"]["rawStatus"]) == ("other", "inconclusive")
    assert (tests["excused"]["status"], tests["excused"]["message"]) == ("other", "known (me)")
    assert (tests["warns"]["status"], tests["kept"]["duration"]) == ("passed", 250)
    assert "got       19" in tests["broken"]["trace"]


# Badge


@pytest.mark.parametrize(
    ("document", "message", "color"),
    [
        (run(finding("a"), finding("b")), "2 kept", "brightgreen"),
        (run(finding("a"), finding("b", "broken", excused="known")), "1 kept, 1 excused", "brightgreen"),
        (run(finding("a"), finding("b", "broken"), exit_code=1, verdict="not conformant"), "1 broken", "red"),
        (run(finding("a", accused="holds"), exit_code=1, verdict="not conformant"), "not conformant", "red"),
        (run(finding("a", "inconclusive"), exit_code=4, verdict="inconclusive"), "inconclusive", "yellow"),
        (run(exit_code=4, verdict="inconclusive"), "inconclusive", "yellow"),
        (WHOLE, "suite error", "purple"),
    ],
)
def test_badge_is_green_for_a_conformant_run_alone(
    document: dict[str, Any], message: str, color: str
) -> None:
    assert json.loads(badge.shields(document)) == {
        "schemaVersion": 1,
        "label": "conformance",
        "message": message,
        "color": color,
    }
    picture = xml.fromstring(badge.svg(document))
    assert picture.attrib["aria-label"] == f"conformance: {message}"
    texts = [str(each.text) for each in picture.iter() if each.tag.endswith("text")]
    assert texts == ["conformance", message]
    assert (badge.COLORS[0][0] in badge.svg(document)) == (document["exit_code"] == 0)


# Markdown


def test_markdown_has_the_matrix_and_tells_what_fails() -> None:
    told = markdown.render(WHOLE)
    assert told.startswith("### Conformance: suite error\n")
    assert "| Plain | 1 X1 \\#1 x1 =1 ?1 !1 \\~1 $1 |" in told
    assert "`12 kept   X broken   # kept, but waived: remove the waiver   x broken, only should" in told
    assert "- w.yaml:4: expired" in told
    assert "broken (must)  big/plain: broken" in told
    assert "<details open><summary>Failing (6)</summary>" in told
    assert "<details><summary>Warnings (1)</summary>" in told
    assert "big/plain:excused: known (me)" in told


def test_markdown_has_the_receipt_and_what_was_measured() -> None:
    line = {"model": "m.1", "api": "Plain", "requests": 1200, "retries": 3, "input_tokens": 40}
    receipt = {"currency": "USD", "lines": [{**line, "output_tokens": 9, "cost": 0.25}], "total": 0.25}
    row = {"model": "m-1", "seller": "big", "claim": "max_output", "stated": "40K", "read_as": 40000}
    more = {"source": {}, "observed": 40000, "verdict": "as declared", "requests": 1, "cost": None}
    told = markdown.render(run(finding(), receipt=receipt, declared=[{**row, **more}]))
    assert "| Plain | 1,200 | 3 | 40 | 9 | 0.250000 |" in told
    assert "| max\\_output | big | 40,000 | 40,000 | as declared |" in told


def test_markdown_of_very_many_failures_fits_into_a_comment() -> None:
    long = {"at": "/x", "expected": "y" * 3000, "got": "z" * 3000}
    told = markdown.render(
        run(*(finding(f"rule-{index}", "broken", mismatches=[long]) for index in range(300)))
    )
    assert len(told) < 65_536
    assert "and 280 more, in report.html" in told


def test_nothing_that_a_provider_answers_is_markup_in_the_markdown() -> None:
    evil = {"at": "/x", "expected": "````\n</details><img src=x>", "got": "````"}
    told = markdown.render(run(finding(word="broken", mismatches=[evil], api="a|b<i>")))
    assert "| a\\|b\\<i\\> |" in told
    lines = told.splitlines()
    opened = lines.index("`````")
    closed = lines.index("`````", opened + 1)
    assert any("<img" in each for each in lines[opened:closed])
    assert not any("<img" in each for each in lines[:opened] + lines[closed:])


def test_no_format_needs_more_than_the_document(tmp_path: Path) -> None:
    document = json.loads(json.dumps(run(finding(), exchanges={"plain": [step()]})))
    for name, (_, render) in FORMATS.items():
        assert render(document) == render(document), name
