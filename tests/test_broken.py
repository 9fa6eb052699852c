"""The suite against each named broken provider: exactly the rules that the matrix lists fall, and so for a user's own run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.broken import Outcome, matrix, rows, run_broken
from conformance.documents.document import SpecError
from conformance.loading import load
from conformance.target import UsageError
from mockserver import embedded

SPECS = load()
EXPECTED = json.loads((Path(__file__).parent / "broken_matrix.json").read_text())
PROMISED = {
    "null",
    "always-wrong",
    "claims-falsely",
    "ignores-modality",
    "truncates-silently",
    "drops-usage",
    "stalls",
}
"""What issue and design name; more may stand beside them."""


def test_every_promised_broken_provider_is_there() -> None:
    assert set(SPECS.broken) >= PROMISED
    assert set(EXPECTED) == set(SPECS.broken)


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The matrix of those broken providers that are to be looked at, in one run: the unbroken mock is asked once."""
    here = [each for each in request.session.items if each.path == request.path]
    wanted = [each.callspec.params["name"] for each in here if "found" in each.fixturenames]
    return rows(run_broken(SPECS, wanted))


@pytest.mark.parametrize("name", sorted(SPECS.broken))
def test_the_rules_that_fall_are_those_of_the_matrix(found: dict[str, Any], name: str) -> None:
    assert found[name] == EXPECTED[name], "`python tests/broken.py` writes the matrix anew"


def test_each_is_found_out_by_rules_of_level_must() -> None:
    for name, contracts in EXPECTED.items():
        fallen = [
            SPECS.rule(f"{at}:{rule}") for at, words in contracts.items() for rule in words.get("broken", ())
        ]
        assert any(rule.level == "must" for rule in fallen), name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("always-wrong", "repeats-exactly"),
        ("claims-falsely", "cap-says-length"),
        ("drops-usage", "shape"),
        ("gateway", "stop-sequence-ends-it"),
        ("ignores-caps", "cap-honoured"),
        ("ignores-modality", "image-is-seen"),
        ("lies-about-usage", "cap-honoured"),
        ("null", "framing"),
        ("truncates-silently", "earlier-turns-are-known"),
    ],
)
def test_each_falls_for_what_it_does(name: str, rule: str) -> None:
    assert rule in EXPECTED[name]["bedrock-mantle/chat-completions"]["broken"]


def test_a_provider_that_says_nothing_keeps_no_rule_about_an_answer() -> None:
    words = EXPECTED["null"]["bedrock-mantle/chat-completions"]
    fallen = {rule for rules in words.values() for rule in rules}
    contract = SPECS.contracts["bedrock-mantle/chat-completions"]
    about_answers = {rule.id for rule in contract.rules.values() if rule.area == "behaviour" and rule.probe}
    assert about_answers - fallen <= {"seed-repeats", "reasoning-is-shown", "reasoning-can-be-off"}


def test_the_lines_for_a_person_count_and_name_what_fell() -> None:
    outcomes = run_broken(SPECS, ["drops-usage"], ["bedrock-mantle/chat-completions"])
    lines = list(matrix(SPECS, outcomes, named=True))
    assert any(line.startswith("drops-usage: bedrock-mantle/chat-completions: broken: ") for line in lines)
    assert lines[-1].startswith("1 broken providers, 1 found out")
    quiet = Outcome("gateway")
    assert "nothing falls for gateway" in list(matrix(SPECS, [quiet], named=False))[-1]


def test_a_name_that_nobody_has_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"expected one of always-wrong, .*got 'nil'"):
        run_broken(SPECS, ["nil"])


def test_a_run_against_a_broken_mock_is_not_conformant(tmp_path: Path) -> None:
    mock = embedded.start(state_dir=tmp_path / "state", broken=["ignores-caps"])
    try:
        command = [sys.executable, "-m", "conformance", "run", "--endpoint-url", mock.http]
        done = subprocess.run(
            [*command, "--api", "bedrock-mantle/chat-completions"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
    finally:
        mock.stop()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "cap-honoured" in done.stdout


def test_a_broken_provider_of_ones_own_is_read_from_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    told = folder / "mumbles.yaml"
    told.write_text("broken: mumbles\ntext: Says everything twice.\noperations: [{reply: {append: again}}]\n")
    assert load([tmp_path]).broken["mumbles"]["operations"] == [{"reply": {"append": "again"}}]
    told.write_text("broken: mumbles\ntext: Says everything twice.\noperations: [{refuse: overloaded}]\n")
    with pytest.raises(SpecError, match=r"mumbles.yaml:3: "):
        load([tmp_path])
