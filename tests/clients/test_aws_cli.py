"""The AWS CLI, with its own botocore, against the mock: what `mockserver env` exports is all it is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.loading import load
from mockserver.environment import variables
from mockserver.provider import MockProvider

CLIENTS = Path(__file__).parents[2] / "build" / "aws-clients"
MODEL = "mistral.magistral-small-2509"
PATIENCE = 60
"""Seconds until the CLI counts as hanging."""

Aws = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def aws(mock_provider: MockProvider, request: pytest.FixtureRequest, tmp_path: Path) -> Aws:
    """Runs the CLI; it finds the mock by its environment. Version 1 has no commands for streams."""
    if not (CLIENTS / "awscli").is_dir():
        pytest.fail(
            "expected the AWS CLI in build/aws-clients; run `make build/aws-clients/.installed`",
            pytrace=False,
        )
    ours = variables(mock_provider.info, sigv4=getattr(request, "param", "bearer") == "SigV4")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {name: value for name, value in ours.items() if value is not None}
    environment |= {
        "PYTHONPATH": str(CLIENTS),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "awscli", *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return run


def answered(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def hello(text: str = "Reply with exactly: amber kettle") -> str:
    return json.dumps([{"role": "user", "content": [{"text": text}]}])


@pytest.mark.parametrize("aws", ["bearer", "SigV4"], indirect=True)
@pytest.mark.mock_provider(auth="strict")
def test_converse_answers(aws: Aws) -> None:
    answer = answered(aws("bedrock-runtime", "converse", "--model-id", MODEL, "--messages", hello()))
    assert answer["output"]["message"]["content"] == [{"text": "amber kettle"}]
    assert answer["stopReason"] == "end_turn"


def test_converse_calls_a_tool(aws: Aws) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = {
        "tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": schema}}}],
        "toolChoice": {"any": {}},
    }
    asks = hello("What is the weather in Oslo?")
    answer = answered(
        aws(
            "bedrock-runtime",
            "converse",
            "--model-id",
            MODEL,
            "--messages",
            asks,
            "--tool-config",
            json.dumps(tools),
        )
    )
    assert answer["stopReason"] == "tool_use"
    assert answer["output"]["message"]["content"][-1]["toolUse"]["input"] == {"city": "Oslo"}


def test_invoke_model_writes_the_body_to_a_file(aws: Aws, tmp_path: Path) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "Reply with exactly: amber kettle"}]})
    (tmp_path / "body.json").write_text(body)
    answered(
        aws("bedrock-runtime", "invoke-model", "--model-id", MODEL, "--body", "fileb://body.json", "out.json")
    )
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["choices"][0]["message"]["content"] == "amber kettle"


def test_a_model_that_nobody_sells_is_told_with_its_exception(aws: Aws) -> None:
    done = aws("bedrock-runtime", "converse", "--model-id", "no.such-model", "--messages", hello())
    assert done.returncode != 0
    expected = (
        "(ValidationException) when calling the Converse operation: The provided model identifier is invalid."
    )
    assert expected in done.stderr


ERRORS = [
    (name, failure.code)
    for name, failure in load().contracts["bedrock-runtime/converse"].failures.items()
    if name
    in ("throttling", "access-denied", "internal", "unavailable", "timeout", "model-error", "model-not-ready")
]


@pytest.mark.parametrize(("name", "code"), ERRORS)
def test_an_error_is_told_with_its_code(mock_provider: MockProvider, aws: Aws, name: str, code: str) -> None:
    mock_provider.fail(name)
    done = aws("bedrock-runtime", "converse", "--model-id", MODEL, "--messages", hello())
    assert done.returncode != 0
    assert f"({code})" in done.stderr


def test_the_catalogue_is_listed_and_queried(aws: Aws) -> None:
    query = "modelSummaries[?providerName=='Mistral AI'].modelId"
    assert MODEL in answered(aws("bedrock", "list-foundation-models", "--query", query))


def test_profiles_are_gathered_from_all_pages(aws: Aws) -> None:
    listed = answered(aws("bedrock", "list-inference-profiles", "--page-size", "2"))
    assert len(listed["inferenceProfileSummaries"]) > 4
