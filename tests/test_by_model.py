"""What is otherwise for some models of a provider: laid over its contract, inherited by name, told by lint."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conformance.contract import Contract
from conformance.dialects import chat, responses
from conformance.lint import problems
from conformance.loading import load
from conformance.values import Message, Text, Turn

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


def test_a_model_that_no_entry_names_and_no_model_have_the_contract_itself() -> None:
    plain = SPECS.contracts["bedrock-mantle/chat-completions"]
    assert plain.said["by_model"]
    assert plain.for_model(None) is plain
    assert plain.for_model("nobody") is plain


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


SOURCE = {"text": "written for this test", "sure": "spec"}
LACKING = {
    "source": ({"models": "^gpt-4o"}, "expected source, got nothing"),
    "models": ({"models": "^nobody$", "source": SOURCE}, "no card of openai has an id"),
    "rules": (
        {"models": "^gpt-4o", "source": SOURCE, "rules": {"nowhere": {"level": "must"}}},
        "no rule 'nowhere'",
    ),
}
"""Entries that are not right, and what is told of each."""


def test_lint_tells_what_an_entry_lacks(tmp_path: Path) -> None:
    entries = {name: entry for name, (entry, _) in LACKING.items()}
    told = [line for line in problems(load([own(tmp_path, by_model=entries)])) if "by_model" in line]
    assert len(told) == len(LACKING)
    for name, (_, lacks) in LACKING.items():
        assert any(f"by_model {name}: " in line and lacks in line and "mine.yaml" in line for line in told), (
            told
        )


@pytest.mark.parametrize(
    ("provider", "model", "cap", "refused"),
    [
        ("openai", "gpt-5", "max_completion_tokens", {"temperature", "top_p"}),
        ("openai", "o3", "max_completion_tokens", {"temperature", "top_p", "stop"}),
        ("openai", "gpt-4o", "max_completion_tokens", set()),
        ("bedrock-mantle", "openai.gpt-5.6-luna", "max_completion_tokens", {"temperature", "top_p"}),
        ("bedrock-mantle", "mistral.magistral-small-2509", "max_tokens", set()),
    ],
)
def test_chat_is_asked_for_nothing_that_the_model_refuses(
    provider: str, model: str, cap: str, refused: set[str]
) -> None:
    turn = Turn(
        messages=(Message("user", (Text("Hello"),)),),
        model=model,
        max_tokens=16,
        stop=("STOP",),
        temperature=0.0,
        top_p=0.5,
    )
    profile = SPECS.contracts[f"{provider}/chat-completions"].for_model(model).profile
    written = chat.write(turn, profile)
    assert set(written) == {"model", "messages", cap, "stop", "temperature", "top_p"} - refused


@pytest.mark.parametrize(
    ("model", "effort"), [("gpt-5", "medium"), ("gpt-5.1", "none"), ("gpt-5.5", "medium"), ("gpt-4o", None)]
)
def test_both_apis_know_how_hard_a_model_thinks_unasked(model: str, effort: str | None) -> None:
    asked = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    over_chat = SPECS.contracts["openai/chat-completions"].for_model(model)
    over_responses = SPECS.contracts["openai/responses"].for_model(model)
    assert chat.read(asked, over_chat.profile).reasoning == effort
    assert chat.read({**asked, "reasoning_effort": "low"}, over_chat.profile).reasoning == "low"
    assert responses.read({"model": model, "input": "Hello"}, over_responses.profile).reasoning == effort


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("openai.gpt-5.5", "/openai/v1/chat/completions"),
        ("mistral.magistral-small-2509", "/v1/chat/completions"),
    ],
)
def test_a_family_is_asked_under_its_own_prefix(model: str, path: str) -> None:
    contract = SPECS.contracts["bedrock-mantle/chat-completions"].for_model(model)
    assert contract.request["paths"][0] == path
    other = contract.probes[contract.rules["one-prefix-per-family"].probe or ""]["steps"]["ask"]["path"]
    assert other != path


def test_a_step_over_another_api_is_asked_as_that_api_is_for_the_model() -> None:
    own, other = SPECS.contracts["openai/chat-completions"], SPECS.contracts["openai/responses"]
    asked = SPECS.asked({"contract": "openai/responses"}, own, "gpt-5")
    assert asked is other.for_model("gpt-5")
    assert asked is not other
    assert SPECS.asked({}, own, "gpt-5") is own
