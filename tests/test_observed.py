"""Declared against observed: the seed's contradictions, in both realities, and the card that a run writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.loading import load
from conformance.measured.observed import declared, observed_cards, table

SEED = "magistral-small-2509"
APIS = ["bedrock-mantle/chat-completions", "bedrock-mantle/responses", "puter/driver-chat"]


@pytest.fixture(scope="module", params=["documented", "observed"])
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, Any]]:
    """The reality, the report's folder and the document of a run with its limits looked for."""
    folder = tmp_path_factory.mktemp("report")
    globs = [each for glob in APIS for each in ("--api", glob)]
    main(["run", *globs, "--limits", "--reality", request.param, "--report-dir", str(folder)])
    return request.param, folder, json.loads((folder / "report.json").read_text())


def row(document: dict[str, Any], claim: str, seller: str) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = [
        each
        for each in document["declared"]
        if (each["claim"], each["seller"], each["model"]) == (claim, seller, SEED)
    ]
    return found


def test_the_sellers_of_the_seed_differ_in_what_they_declare_and_in_what_is_observed(
    ran: tuple[str, Path, dict[str, Any]],
) -> None:
    _, _, document = ran
    for claim, bedrock, puter in (
        ("context_window", 128000, 131072),
        ("max_output", 40000, 131072),
        ("input_modalities", ["text", "image"], ["text"]),
    ):
        for seller, value in (("bedrock", bedrock), ("puter", puter)):
            found = row(document, claim, seller)
            assert (found["read_as"], found["observed"]) == (value, value), claim
            assert found["requests"] and found["cost"] > 0
    assert row(document, "context_window", "bedrock")["verdict"] == "as declared"
    assert row(document, "max_output", "puter")["verdict"] == "not enforced"


def test_responses_are_as_declared_or_as_they_were_observed(ran: tuple[str, Path, dict[str, Any]]) -> None:
    reality, _, document = ran
    found = row(document, "apis.responses", "bedrock")
    assert found["read_as"] is True
    if reality == "documented":
        assert (found["observed"], found["verdict"]) == (True, "as declared")
        assert "seen before: no" in found["note"]
    else:
        assert (found["observed"], found["verdict"]) == (False, "differs")


def test_what_nobody_looked_at_is_said_to_be_so(ran: tuple[str, Path, dict[str, Any]]) -> None:
    _, _, document = ran
    found = row(document, "launched", "bedrock")
    assert (found["observed"], found["verdict"], found["requests"]) == (None, "not looked at", 0)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(ran: tuple[str, Path, dict[str, Any]], width: int) -> None:
    reality, _, document = ran
    lines = table(document["declared"], width)
    assert all(len(line) <= width for line in lines)
    told = "\n".join(lines)
    for claim in ("context_window", "max_output", "input_modalities", "apis.responses"):
        assert claim in told
    assert ("differs" in told) == (reality == "observed")


def test_the_observed_card_is_a_card(
    ran: tuple[str, Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reality, folder, _ = ran
    written = folder / f"observed-{SEED}.yaml"
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / written.name).write_text(written.read_text())
    assert main(["lint", str(tmp_path), str(written)]) == 0, capsys.readouterr().out
    card = next(each for each in load([tmp_path]).cards if each.path.parent.parent == tmp_path)
    assert card.model == SEED and card.seller == "bedrock"
    assert card.value("apis.responses", "observed") is (reality == "documented")
    claim = card.claim("context_window")
    assert claim is not None and claim["observed"]["source"]["sure"] == "observed"
    assert "between 126,720 (answered) and 129,536 (refused)" in claim["observed"]["text"]


def test_a_card_that_is_none_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sold_nowhere, empty = tmp_path / "observed-x.yaml", tmp_path / "observed-y.yaml"
    sold_nowhere.write_text(
        "model: x\nname: X\ncards:\n  bedrock: {page: {text: none, sure: guess}, ids: {nobody: x}, claims: {}}\n"
    )
    empty.write_text("model: x\nname: X\ncards: {}\n")
    assert main(["lint", str(sold_nowhere), str(empty)]) == 1
    told = capsys.readouterr().out
    assert f"{sold_nowhere}:4: no provider 'nobody'" in told
    assert f"{empty}:3: /cards: expected" in told


def test_without_a_card_there_is_nothing_to_compare_with() -> None:
    assert declared([], [], {}) == []
    assert table([], 80) == []
    assert observed_cards([], [], "2026-11-22") == {}
