"""A stored run is read back, or refused with the place that is wrong; its schema is the published one."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from conformance.documents.document import read
from conformance.formats import write
from conformance.runs.report import dump_json
from conformance.runs.stored import SCHEMA, read_run
from conformance.target import UsageError

STARTED = "2026-11-22T06:00:00Z"


def finding(rule: str = "cap", word: str = "kept", **more: Any) -> dict[str, Any]:
    """A finding of a document, kept unless told otherwise."""
    return {
        "target": "big",
        "contract": "big/plain",
        "api": "Plain",
        "rule": rule,
        "area": "limits",
        "level": "must",
        "text": "The cap is kept.",
        "source": {"text": "a page", "sure": "official doc"},
        "word": word,
        "reason": "",
        "excused": "",
        "accused": "",
        "mismatches": [],
        "evidence": ["plain#ask"],
        "step": "ask",
        "again": "curl http://127.0.0.1/big",
        "implied": False,
        **more,
    }


def run(*findings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A document with these findings."""
    words = ("kept", "broken", "not applicable", "not asked", "inconclusive", "over budget", "suite error")
    return {
        "format": "conformance-report/1",
        "version": "0.1.0",
        "started": STARTED,
        "seconds": 1.5,
        "verdict": "conformant",
        "exit_code": 0,
        "specs": "0123456789abcdef",
        "selection": {"provider": "mock"},
        "problems": [],
        "targets": [
            {
                "name": "big",
                "title": "Big Cloud",
                "endpoint": "http://127.0.0.1:4001/big",
                "model": "m.1",
                "card": {"model": "m-1", "name": "Model One", "seller": "big"},
                "region": None,
                "auth": "strict",
                "reality": "documented",
            }
        ],
        "counts": {word: sum(each["word"] == word for each in findings) for word in words},
        "requests": 1,
        "findings": list(findings),
        "not_checked": [],
        "claims": [],
        "between_sellers": [],
        "exchanges": {"plain": [step()]},
        **more,
    }


def step(body: Any = None, status: int = 200, **more: Any) -> dict[str, Any]:
    """One step of a probe, answered with a JSON body."""
    text = json.dumps({"usage": {"total": 7}} if body is None else body)
    return {
        "step": "ask",
        "request": {"method": "POST", "target": "/m.1", "headers": [], "body": {"text": "{}"}},
        "response": {
            "status": status,
            "headers": [["Content-Type", "application/json"]],
            "chunks": [{"at": 0.25, "text": text}],
            "ending": "complete",
        },
        **more,
    }


def test_a_run_is_read_from_its_file_and_from_its_folder(tmp_path: Path) -> None:
    document = run(finding())
    write(document, tmp_path)
    assert read_run(tmp_path) == read_run(str(tmp_path / "report.json")) == document


def test_a_stored_run_has_its_keys_in_one_order() -> None:
    document = run(finding())
    other = dict(reversed([(key, value) for key, value in deepcopy(document).items()]))
    assert list(other) != list(document)
    assert dump_json(other) == dump_json(document)
    assert list(json.loads(dump_json(document))) == sorted(document)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "conformance-report/9"}, "/format"),
        ({"findings": [finding(word="green")]}, "/findings/0/word"),
        ({"findings": [{**finding(), "evidence": None}]}, "/findings/0/evidence"),
        ({"exchanges": {"plain": [{**step(), "request": {}}]}}, "/exchanges/plain/0/request/"),
        ({"receipt": {"currency": "USD", "lines": []}}, "/receipt/total"),
        ({"declared": [{"claim": "max_output"}]}, "/declared/0/"),
        ({"targets": []}, "expected a finding about one of []"),
    ],
)
def test_what_is_no_run_is_refused_with_the_place(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**run(finding()), **change}))
    with pytest.raises(UsageError) as told:
        read_run(path)
    assert str(path) in str(told.value) and says in str(told.value)


@pytest.mark.parametrize("content", [None, "not JSON", "[]", "\x00"])
def test_a_file_that_cannot_be_read_is_a_usage_error(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match="expected a run"):
        read_run(path)


def test_a_validator_that_we_did_not_write_reads_the_schema_alike() -> None:
    validator = jsonschema.Draft202012Validator(read(SCHEMA))
    validator.check_schema(validator.schema)
    validator.validate(run(finding()))
    assert not validator.is_valid(run(finding(word="green")))
    assert not validator.is_valid({**run(), "exit_code": 5})
