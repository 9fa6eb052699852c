"""docs/findings.md: made of the kept runs, and every finding of level must confirmed or owned up to."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "docs" / "findings"
RUNS = {path.stem: json.loads(path.read_text()) for path in sorted(KEPT.glob("*-*.json"))}
SERVERS = {"aimock", "ministack", "llmock", "litellm", "fakellm", "mock-llm"}
CONFIRMED = json.loads((KEPT / "confirmed.json").read_text())


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("findings_page", ROOT / "docs" / "findings.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def must(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in run["findings"] if each["level"] == "must"]


def test_servers_of_others_were_asked_and_each_but_a_gateway_breaks_a_must() -> None:
    assert {run["server"] for run in RUNS.values()} == SERVERS
    assert {run["server"] for run in RUNS.values() if not must(run)} == {"litellm"}


def test_of_a_server_that_breaks_no_must_the_shoulds_are_told_and_a_client_saw_each() -> None:
    own = (KEPT / "litellm.md").read_text()
    broken = {each["rule"] for each in RUNS["litellm-openai-compatible"]["findings"]}
    assert broken
    assert all(f"| **{rule}**: " in own for rule in broken)
    assert "ours until shown otherwise" not in own


def test_the_pages_are_those_that_the_kept_runs_give(maker: ModuleType) -> None:
    pages = dict(maker.pages(list(RUNS.values()), CONFIRMED))
    assert set(pages) == {"findings.md", *(f"findings/{server}.md" for server in SERVERS)}
    for name, page in pages.items():
        assert (ROOT / "docs" / name).read_text() == page, "`python docs/findings.py` writes it anew"
        for link in re.findall(r"\]\(([^)]+\.md)\)", page):
            assert (ROOT / "docs" / name).parent.joinpath(link).is_file()


def test_a_finding_is_told_under_one_cause(maker: ModuleType) -> None:
    for run in RUNS.values():
        for each in must(run):
            assert maker.cause(each) in maker.CAUSES
    answered: dict[str, Any] = {
        "area": "errors",
        "rule": "bad",
        "mismatches": [{"at": "/status", "expected": "400", "got": "200"}],
    }
    assert maker.cause(answered) == "answered"
    assert maker.cause({**answered, "mismatches": [{"at": "/status", "got": "422"}]}) == "otherwise"
    assert maker.cause({**answered, "area": "behaviour"}) == "canned"


def test_every_must_finding_is_confirmed_or_listed_as_ours(maker: ModuleType) -> None:
    for run in RUNS.values():
        page = (KEPT / f"{run['server']}.md").read_text()
        for each in must(run):
            if maker.confirmation(run, each, CONFIRMED) is None:
                assert f"- `{each['contract']}:{each['rule']}`: " in page
            else:
                assert f"| **{each['rule']}**: " in page


def test_what_only_a_guess_says_and_no_client_saw_is_not_confirmed(maker: ModuleType) -> None:
    run = {"server": "llmock", "provider": "openai"}
    guess = {
        "contract": "openai/responses",
        "rule": "nobody-asked",
        "source": {"sure": "guess", "text": "ours"},
    }
    assert maker.confirmation(run, guess, CONFIRMED) is None
    cited = {**guess, "source": {"sure": "spec", "text": "OpenAI's document", "url": "https://example.com/"}}
    assert (
        maker.confirmation(run, cited, CONFIRMED) == "spec: OpenAI's document ([page](https://example.com/))"
    )


def test_what_is_known_as_a_fault_of_ours_is_never_confirmed(maker: ModuleType) -> None:
    run = {"server": "ministack", "provider": "bedrock-runtime"}
    # As a run of the day before found it; now its probe names no guardrail that only the mock has.
    fault: dict[str, Any] = {
        "contract": "bedrock-runtime/apply-guardrail",
        "rule": "status",
        "source": {"sure": "botocore model", "text": "ApplyGuardrail"},
    }
    assert fault["source"]["sure"] in maker.CITED
    assert maker.confirmation(run, fault, CONFIRMED) is None


def test_clients_speak_of_the_servers_as_they_are_asked() -> None:
    """What boto3 saw at aimock's stream is the error that its users meet."""
    said = [
        each["said"]
        for each in CONFIRMED
        if each["server"] == "aimock" and "converse_stream" in each["asked"]
    ]
    assert any("ContentBlockStart must have one and only one member set" in each for each in said)


def test_a_report_is_kept_without_what_only_its_machine_knows(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"text": "a page", "sure": "spec"}
    finding = {
        "contract": "openai/responses",
        "rule": "status",
        "area": "wire",
        "level": "must",
        "text": "A good request is answered.",
        "source": source,
        "word": "broken",
        "mismatches": [{"at": "/status", "expected": "200", "got": {"long": "x" * 500}}],
        "again": "curl http://127.0.0.1:18101/v1",
    }
    report = {
        "targets": [{"name": "openai", "model": "gpt-4o-mini"}],
        "started": "2026-11-22T06:30:00Z",
        "version": "0.1.0",
        "counts": {"kept": 1, "broken": 1},
        "findings": [finding, {**finding, "word": "kept"}],
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    monkeypatch.setattr(maker, "KEPT", tmp_path / "kept")
    maker.main(["keep", "parrot", "1.0", "parrot serve", str(tmp_path)])
    kept = json.loads((tmp_path / "kept" / "parrot-openai.json").read_text())
    [only] = kept["findings"]
    assert only["again"] == "curl http://SERVER/v1"
    assert len(only["mismatches"][0]["got"]) == maker.LONGEST
    assert kept["date"] == "2026-11-22"
