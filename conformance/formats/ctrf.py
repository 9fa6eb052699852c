"""A run in the Common Test Report Format (ctrf.io)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from conformance.runs.told import seconds_of, told

SPEC_VERSION = "0.0.0"
STATUSES = ("passed", "failed", "skipped", "pending", "other")


def render(document: Mapping[str, Any]) -> str:
    """The run as CTRF JSON. What is excused, inconclusive or over budget has status `other`; times are milliseconds."""
    start = round(datetime.fromisoformat(document["started"]).timestamp() * 1000)
    stop = start + round(document["seconds"] * 1000)
    spent = seconds_of(document)
    tests = [_test(each, seconds) for each, seconds in zip(document["findings"], spent, strict=True)]
    tests += [
        {"name": text, "status": "failed", "duration": 0, "suite": ["conformance"], "message": text}
        for text in document["problems"]
    ]
    counts = Counter(each["status"] for each in tests)
    said = {
        "reportFormat": "CTRF",
        "specVersion": SPEC_VERSION,
        "timestamp": document["started"],
        "generatedBy": f"conformance {document['version']}",
        "results": {
            "tool": {"name": "conformance", "version": document["version"]},
            "summary": {
                "tests": len(tests),
                **{status: counts[status] for status in STATUSES},
                "start": start,
                "stop": stop,
            },
            "tests": tests,
            "extra": {"verdict": document["verdict"], "exit_code": document["exit_code"]},
        },
    }
    return json.dumps(said, indent=2, sort_keys=True, ensure_ascii=True) + "\n"


def _test(said: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    finding = told(said)
    test: dict[str, Any] = {
        "name": f"{said['contract']}:{said['rule']}",
        "status": _status(finding.shown),
        "rawStatus": said["word"],
        "duration": round(seconds * 1000),
        "suite": [said["target"], said["contract"]],
        "tags": [said["area"], said["level"]],
        "type": "conformance",
    }
    if finding.shown != "kept":
        test["message"] = finding.accused or finding.excused or said["reason"] or said["text"]
    if finding.fails or finding.warns:
        test["trace"] = finding.text()
    return test


def _status(shown: str) -> str:
    if shown in ("kept", "warning"):
        return "passed"
    if shown == "not applicable":
        return "skipped"
    return "other" if shown in ("excused", "inconclusive", "over budget") else "failed"
