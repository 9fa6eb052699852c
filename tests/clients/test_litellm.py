"""LiteLLM as a client: OpenAI, an OpenAI-compatible server and Bedrock's Converse, each told only another address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mockserver.provider import MockProvider

LITELLM = Path(__file__).parents[2] / "build" / "litellm"
PROBE = Path(__file__).with_name("litellm_probe.py")
PATIENCE = 120
"""Seconds until the probe counts as hanging; to import LiteLLM alone takes five."""

Probe = Callable[..., Any]
ROUTES = ("openai", "openai-compatible", "bedrock-runtime")

pytestmark = pytest.mark.mock_provider(auth="strict")


def route(mock: MockProvider, name: str) -> dict[str, Any]:
    """The model as LiteLLM names it, and what its calls are told."""
    info = mock.info
    if name == "bedrock-runtime":
        keys = {"aws_access_key_id": info["aws_access_key_id"], "aws_region_name": "us-east-1"}
        return {
            "model": "bedrock/converse/mistral.magistral-small-2509",
            "options": {
                "aws_bedrock_runtime_endpoint": mock.url(name),
                "aws_secret_access_key": info["aws_secret_access_key"],
                **keys,
            },
            "wrong": {"aws_secret_access_key": "not-a-key-of-anybody"},
            # LiteLLM does not know that this model takes a tool choice.
            "forced": {},
        }
    model = {"openai": "openai/gpt-4o-mini", "openai-compatible": "hosted_vllm/mock-8b"}[name]
    return {
        "model": model,
        "options": {"api_base": f"{mock.url(name)}/v1", "api_key": info["bearer"]},
        "wrong": {"api_key": "sk-not-a-key-of-anybody"},
        "forced": {"tool_choice": "required"},
    }


def _probed(said: dict[str, Any], cases: Sequence[str], told: Mapping[str, str]) -> Any:
    """A line for each case; `told` are variables of the environment."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "OPENAI_", "LITELLM_", "HOSTED_VLLM_"))
    }
    environment |= {"PYTHONPATH": str(LITELLM), "AWS_EC2_METADATA_DISABLED": "true", **told}
    done = subprocess.run(
        [sys.executable, str(PROBE), json.dumps({**said, "cases": [*cases, "went_out"]})],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines.pop()["got"] == [], "nobody else is looked up"
    return lines


@pytest.fixture(params=ROUTES)
def probe(mock_provider: MockProvider, request: pytest.FixtureRequest) -> Probe:
    if not (LITELLM / "litellm").is_dir():
        pytest.fail("expected LiteLLM in build/litellm; run `make build/litellm/.installed`", pytrace=False)
    name: str = request.param

    def run(*cases: str, **more: Any) -> Any:
        return _probed({**route(mock_provider, name), **more}, cases, {})

    run.route = name  # type: ignore[attr-defined]
    return run


CALL = {"name": "get_weather", "arguments": {"city": "Oslo"}}
ANSWERED = {
    "text": {"text": "amber kettle", "finish": "stop", "adds up": True, "counted": True},
    "text_async": {"text": "amber kettle", "stream": "amber kettle"},
    "stream": {"text": "amber kettle", "finish": "stop", "pieces": True, "counted": True},
    "cut": {"finish": "length", "tokens": 16},
    "tools": {**CALL, "finish": "tool_calls", "uses the result": True},
    "tools_in_a_stream": {**CALL, "finish": "tool_calls"},
    "structured": {"name": "Ada", "age": 36},
    # OpenAI's and vLLM's are passed through, Bedrock's made by LiteLLM of Converse.
    "responses": {"text": "amber kettle", "status": "completed", "counted": True, "goes on": True},
    "responses_stream": {"text": "amber kettle", "first": "response.created", "last": "response.completed"},
    "responses_tools": {"type": "function_call", **CALL},
}
REFUSED = {
    "openai": {
        "unknown_model": ("NotFoundError", "The model `no.such-model-1` does not exist"),
        "wrong_key": ("AuthenticationError", "Incorrect API key provided"),
        "bad_temperature": ("BadRequestError", "temperature"),
    },
    "openai-compatible": {
        "unknown_model": ("NotFoundError", "The model `no.such-model-1` does not exist"),
        "wrong_key": ("AuthenticationError", "Unauthorized"),
        "too_long": ("ContextWindowExceededError", "maximum context length is 32768 tokens"),
        "bad_temperature": ("BadRequestError", "temperature"),
    },
    "bedrock-runtime": {
        "unknown_model": ("BadRequestError", "The provided model identifier is invalid."),
        "wrong_key": ("PermissionDeniedError", "signature"),
        "bad_temperature": ("BadRequestError", "temperature"),
    },
}
"""LiteLLM's class, and words of the provider that stand in its text."""


def test_answers_are_read_and_refusals_are_raised_as_what_they_are(probe: Probe) -> None:
    """In one process for each route: to import LiteLLM takes longer than all the calls."""
    refused = REFUSED[probe.route]  # type: ignore[attr-defined]
    lines = probe(*ANSWERED, *refused, too_long=40_000)
    got = {line["case"]: line["got"] for line in lines}
    assert {name: got[name] for name in ANSWERED} == ANSWERED
    assert {name: got[name]["class"] for name in refused} == {name: refused[name][0] for name in refused}
    for name, (_, words) in refused.items():
        assert words in got[name]["text"]


FAILED = {
    "throttling": dict.fromkeys(ROUTES, "RateLimitError"),
    # Bedrock's 500 is told as 503 by LiteLLM.
    "internal": {
        **dict.fromkeys(ROUTES, "InternalServerError"),
        "bedrock-runtime": "ServiceUnavailableError",
    },
    "overloaded": dict.fromkeys(("openai", "openai-compatible"), "ServiceUnavailableError"),
}


def test_failures_are_raised_and_a_stream_that_fails_is_not_taken_for_a_whole_one(
    mock_provider: MockProvider, probe: Probe
) -> None:
    name = probe.route  # type: ignore[attr-defined]
    failures = [failure for failure, classes in FAILED.items() if name in classes]
    for failure in failures:
        mock_provider.fail(failure)
    mock_provider.fail("internal", after_events=2)
    *lines, broken = probe(*["scripted"] * len(failures), "scripted_in_a_stream")
    got = dict(zip(failures, (line["got"]["class"] for line in lines), strict=True))
    assert got == {each: FAILED[each][name] for each in failures}
    assert broken["got"]["class"] is not None


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("bedrock/converse/mistral.magistral-small-2509", {"aws_region_name": "us-east-1"}),
        ("openai/openai.gpt-oss-20b", {}),
    ],
)
def test_the_environment_alone_leads_here(
    mock_provider: MockProvider, model: str, options: dict[str, str]
) -> None:
    """What DSPy, CrewAI and others hand over to LiteLLM names no address."""
    said = {"model": model, "options": options, "forced": {}}
    (line,) = _probed(said, ["text"], mock_provider.environment)
    assert line["got"] == ANSWERED["text"]
