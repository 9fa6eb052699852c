"""aiobotocore, with its own botocore, against the mock: signed over http and https."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.probes.picture import draw
from mockserver.provider import MockProvider

CLIENTS = Path(__file__).parents[2] / "build" / "aws-clients"
PROBE = Path(__file__).with_name("aiobotocore_probe.py")
PATIENCE = 60
"""Seconds until the probe counts as hanging."""

Probe = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.mock_provider(auth="strict")


@pytest.fixture(params=["http", "https"])
def probe(mock_provider: MockProvider, request: pytest.FixtureRequest, tmp_path: Path) -> Probe:
    if not (CLIENTS / "aiobotocore").is_dir():
        pytest.fail(
            "expected aiobotocore in build/aws-clients; run `make build/aws-clients/.installed`",
            pytrace=False,
        )
    (tmp_path / "code.png").write_bytes(draw("KQ7M"))
    info = mock_provider.info
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"PYTHONPATH": str(CLIENTS), "AWS_EC2_METADATA_DISABLED": "true"}

    def run(*cases: str) -> dict[str, Any]:
        words = [mock_provider.url("bedrock-runtime", tls=request.param == "https"), info["ca"]]
        words += [
            info["aws_access_key_id"],
            info["aws_secret_access_key"],
            str(tmp_path / "code.png"),
            *cases,
        ]
        done = subprocess.run(
            [sys.executable, str(PROBE), *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["case"]: line["got"] for line in lines}

    return run


def test_every_operation_is_read(probe: Probe) -> None:
    assert probe(
        "converse",
        "converse_stream",
        "invoke",
        "invoke_stream",
        "tool",
        "image",
        "unknown_model",
        "many_at_once",
    ) == {
        "converse": "amber kettle",
        "converse_stream": {"text": "amber kettle", "first": "messageStart", "last": "metadata"},
        "invoke": "amber kettle",
        "invoke_stream": "amber kettle",
        "tool": {"city": "Oslo"},
        "image": "KQ7M",
        "unknown_model": "The provided model identifier is invalid.",
        "many_at_once": ["amber kettle"],
    }


def test_an_error_before_the_stream_is_raised(mock_provider: MockProvider, probe: Probe) -> None:
    mock_provider.fail("throttling")
    assert probe("scripted") == {"scripted": {"before": "ThrottlingException"}}


def test_an_error_inside_the_stream_is_raised(mock_provider: MockProvider, probe: Probe) -> None:
    mock_provider.fail("throttling", after_events=2)
    assert probe("scripted") == {"scripted": {"inside": "throttlingException"}}
