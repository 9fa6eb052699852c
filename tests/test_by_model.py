"""What is otherwise for some models of a provider: laid over its contract, inherited by name, told by lint."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conformance.contract import Contract, load
from conformance.lint import problems

SPECS = load()
STREAM = SPECS.contracts["bedrock-mantle/responses-stream"]


def own(folder: Path, **said: object) -> Path:
    """A folder with one contract that extends OpenAI's Responses, and what it says by model."""
    (folder / "contracts").mkdir()
    contract = {
        "contract": "openai/mine",
        "extends": "openai/responses",
        "summary": "OpenAI's Responses at another path.",
        "source": {"text": "written for this test", "sure": "spec"},
        "request": {"paths": ["/v1/mine"]},
        **said,
    }
    (folder / "contracts" / "mine.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    return folder


def mine(folder: Path) -> Contract:
    return load([folder]).contracts["openai/mine"]


def test_a_contract_is_otherwise_for_the_models_that_an_entry_names() -> None:
    other = STREAM.for_model("openai.gpt-oss-20b")
    assert STREAM.response["framing"]["event_line"] == "after"
    assert other.response["framing"]["event_line"] == "none"
    assert (STREAM.profile["seconds"], other.profile["seconds"]) == ("integer", "number")
    assert "cap-is-echoed" in STREAM.rules
    assert "cap-is-echoed" not in other.rules


def test_a_model_that_no_entry_names_and_no_model_have_the_contract_itself(tmp_path: Path) -> None:
    contract = mine(own(tmp_path, by_model={"none": {"models": "^nobody$"}}))
    assert contract.for_model(None) is contract
    assert contract.for_model("gpt-4o") is contract


def test_it_is_made_once() -> None:
    assert STREAM.for_model("openai.gpt-oss-20b") is STREAM.for_model("openai.gpt-oss-120b")


def test_entries_lie_over_one_another_in_their_order(tmp_path: Path) -> None:
    entries = {
        "first": {"models": "gpt", "profile": {"members": {"user": "one", "store": False}}},
        "second": {"models": "gpt-4o", "profile": {"members": {"user": "two"}}},
    }
    members = mine(own(tmp_path, by_model=entries)).for_model("gpt-4o-mini").profile["members"]
    assert (members["user"], members["store"], members["top_p"]) == ("two", False, 1.0)


def test_a_rule_that_only_some_models_are_held_to_is_known(tmp_path: Path) -> None:
    rule = {
        "area": "wire",
        "level": "should",
        "text": "An answer says its user.",
        "source": {"text": "written for this test", "sure": "spec"},
        "probe": "greets",
        "check": "present",
        "with": {"at": "/body/user"},
        "broken_by": [{"exchange": {"remove": ["/body/user"]}}],
    }
    contract = mine(own(tmp_path, by_model={"some": {"models": "^gpt-4o", "rules": {"says-its-user": rule}}}))
    assert "says-its-user" in contract.every_rule
    assert "says-its-user" not in contract.rules
    assert "says-its-user" in contract.for_model("gpt-4o-mini").rules


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"models": "^gpt-4o"}, "expected source, got nothing"),
        (
            {"models": "^nobody$", "source": {"text": "written for this test", "sure": "spec"}},
            "no card of openai has an id",
        ),
        (
            {
                "models": "^gpt-4o",
                "source": {"text": "written for this test", "sure": "spec"},
                "rules": {"nowhere": {"level": "must"}},
            },
            "no rule 'nowhere'",
        ),
    ],
    ids=["source", "models", "rules"],
)
def test_lint_tells_what_an_entry_lacks(tmp_path: Path, entry: object, told: str) -> None:
    found = [line for line in problems(load([own(tmp_path, by_model={"some": entry})])) if "by_model" in line]
    assert any(told in line and "mine.yaml" in line for line in found), found
