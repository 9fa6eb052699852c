"""The AI SDK (`ai`) over its providers for OpenAI, for servers like it and for Bedrock, unmodified, in Node.

Node 20 runs the majors before the newest; package.json names them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from conformance.probes.picture import draw

Run = Callable[..., dict[str, Any]]

AMBER = "amber kettle 42"
TEXT = "Grüße aus Zürich: 量子 🙂, and a plain end."
COUNTING = "Count from 1 to 900, one number after the other, separated by spaces."
PICTURE = "data:image/png;base64," + base64.b64encode(draw("K7Q2")).decode()
WHICH_CODE = "Which code is drawn in this picture? Answer with the code only."
CITY = {"city": "Zürich", "population": 436_551}

WAYS = {
    "chat at openai": ("chat", "openai", "gpt-4o-mini"),
    "responses at openai": ("responses", "openai", "gpt-4o-mini"),
    "chat at mantle": ("chat", "bedrock-mantle", ""),
    "responses at mantle": ("responses", "bedrock-mantle", ""),
    "compatible at openai": ("compatible", "openai", "gpt-4o-mini"),
    "compatible at mantle": ("compatible", "bedrock-mantle", ""),
    "bedrock": ("bedrock", "bedrock-runtime", ""),
}
"""How the SDK is used, where, and the model that is asked; the mock's own where none is named."""


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(node: Any, mock_provider: Any, way: str) -> Run:
    """Runs cases of ai_sdk_probe.mjs and gives what they came to."""

    def run(*cases: str, **changes: str) -> dict[str, Any]:
        api, provider, model = WAYS[way]
        environment = {
            "PROBE_API": api,
            "PROBE_MODEL": model or mock_provider.model,
            "OPENAI_BASE_URL": mock_provider.url(provider) + "/v1",
            "AWS_REGION": mock_provider.info["region"],
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": mock_provider.url("bedrock-runtime"),
            "AI_SDK_LOG_WARNINGS": "false",
            **changes,
        }
        outcomes = node.run("ai_sdk_probe.mjs", *cases, **environment)
        return {name: value_of(outcome) for name, outcome in outcomes.items()}

    return run


def value_of(outcome: Mapping[str, Any]) -> Any:
    assert outcome["outcome"] == "resolved", outcome
    return outcome["value"]


def test_a_text_is_generated_and_streamed(run: Run, mock_provider: Any) -> None:
    for _ in range(2):
        mock_provider.reply(TEXT)
    read = run("text", "stream")
    told, streamed = read["text"], read["stream"]
    assert (told["text"], told["finishReason"], told["steps"]) == (TEXT, "stop", 1)
    assert told["usage"]["totalTokens"] == told["usage"]["inputTokens"] + told["usage"]["outputTokens"] > 2
    assert (streamed["text"], streamed["finishReason"], streamed["errors"]) == (TEXT, "stop", [])
    assert streamed["types"].count("text-delta") > 3
    assert streamed["usage"]["outputTokens"] == told["usage"]["outputTokens"]


def test_settings_reach_the_model(run: Run, mock_provider: Any) -> None:
    assert run("system and settings")["system and settings"]["text"] == AMBER
    [turn] = mock_provider.requests
    assert (turn.max_tokens, turn.temperature) == (64, 0)
    assert [(each.role, each.text) for each in turn.messages] == [
        ("system", "You are terse."),
        ("user", "Reply with exactly: amber kettle 42"),
    ]


def test_a_text_that_is_cut_off_says_length(run: Run) -> None:
    told = run("cut off", PROBE_PROMPT=COUNTING)["cut off"]
    assert (told["finishReason"], told["usage"]["outputTokens"]) == ("length", 16)


def test_a_tool_is_run_and_its_result_used_in_a_second_step(run: Run) -> None:
    read = run("tools", "tools, streamed", "tool, forced")
    for case in ("tools", "tools, streamed"):
        assert read[case]["asked"] == ["Paris"]
        assert "sunny, 21 degrees in Paris" in read[case]["text"]
    assert read["tools"]["roles"] == ["assistant", "tool", "assistant"]
    assert read["tool, forced"]["calls"] == [{"toolName": "get_weather", "input": {"city": "Paris"}}]


def test_an_object_is_generated_and_streamed(run: Run, mock_provider: Any, way: str) -> None:
    if way == "bedrock":
        for _ in range(2):
            mock_provider.reply(tool_calls=[{"name": "json", "arguments": CITY}])
    else:
        for _ in range(2):
            mock_provider.reply(json.dumps(CITY))
    read = run("object", "object, streamed")
    assert read["object"]["object"] == read["object, streamed"]["object"] == CITY


def test_what_the_mock_makes_up_for_a_schema_passes_the_validator_of_the_sdk(run: Run) -> None:
    read = run("object", "object, streamed", PROBE_PROMPT="Which city is the largest of Switzerland?")
    for each in read.values():
        assert set(each["object"]) == {"city", "population"}


def test_a_picture_is_looked_at(run: Run) -> None:
    told = run("picture", PROBE_PROMPT=WHICH_CODE, PROBE_PICTURE=PICTURE)["picture"]
    assert "K7Q2" in told["text"]


# The SDK reads no raw reasoning from Responses, which is what mantle has; at OpenAI it reads the summary.
@pytest.mark.parametrize("way", ["responses at openai", "compatible at mantle", "bedrock"], indirect=True)
def test_reasoning_is_told_apart_from_the_text(run: Run, mock_provider: Any, way: str) -> None:
    for _ in range(2):
        mock_provider.reply("Four.", reasoning="Two and two, let me count.")
    asked = {"PROBE_MODEL": "gpt-5-nano", "PROBE_SUMMARY": "auto"} if way == "responses at openai" else {}
    read = run("text", "stream", **asked)
    assert (read["text"]["text"], read["text"]["reasoning"]) == ("Four.", "Two and two, let me count.")
    assert read["stream"]["text"] == "Four."
    types = read["stream"]["types"]
    assert "reasoning-delta" in types
    assert types.index("reasoning-start") < types.index("text-start")


def test_what_was_answered_is_taken_back(run: Run) -> None:
    assert "PELICAN7" in run("second turn")["second turn"]["text"]


def test_a_refusal_is_raised_with_its_status_and_is_not_tried_again(run: Run) -> None:
    failed = run("failing, retried", PROBE_MODEL="no.such-model")["failing, retried"]
    assert (failed["isCallError"], failed["retries"], failed["retryable"]) == (True, 0, False)
    assert failed["status"] in (400, 404)
    assert "no.such-model" in failed["message"] or "model" in failed["message"]


def test_throttling_is_tried_again(run: Run, mock_provider: Any) -> None:
    mock_provider.fail("throttling", times=3)
    failed = run("failing", "failing, retried")
    once, twice = failed["failing"], failed["failing, retried"]
    assert (once["status"], once["isCallError"], once["retryable"], once["retries"]) == (429, True, True, 0)
    assert (twice["status"], twice["retries"]) == (429, 2)
    assert [entry.status for entry in mock_provider.journal] == [429, 429, 429]


def test_an_error_in_the_middle_of_a_stream_is_a_part_of_it(run: Run, mock_provider: Any) -> None:
    mock_provider.fail("throttling", after_events=5)
    assert "error" in run("failing midway")["failing midway"]


def test_a_stream_may_be_aborted(run: Run) -> None:
    aborted = run("aborted", PROBE_PROMPT=COUNTING)["aborted"]
    assert "abort" in aborted["types"]
    assert "finish" not in aborted["types"]
    assert aborted["after"] > 0


@pytest.mark.mock_provider(auth="strict")
@pytest.mark.parametrize("way", ["chat at mantle", "responses at openai", "bedrock"], indirect=True)
def test_the_key_of_the_environment_is_sent(run: Run, mock_provider: Any) -> None:
    assert run("text")["text"]["text"] == AMBER
    wrong = run("failing", OPENAI_API_KEY="sk-mine", AWS_BEARER_TOKEN_BEDROCK="ABSKbm90LWEta2V5")["failing"]
    assert (wrong["status"], wrong["retryable"]) in ((401, False), (403, False))


@pytest.mark.mock_provider(auth="strict")
@pytest.mark.parametrize("way", ["bedrock"], indirect=True)
def test_the_provider_for_bedrock_signs_with_access_keys(run: Run, mock_provider: Any) -> None:
    keys = {name.upper(): mock_provider.info[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
    read = run("text", "stream", PROBE_SIGNED="1", **keys)
    assert read["text"]["text"] == read["stream"]["text"] == AMBER
    failed = run("failing", PROBE_SIGNED="1", **{**keys, "AWS_SECRET_ACCESS_KEY": "not-the-secret"})[
        "failing"
    ]
    assert failed["status"] == 403
