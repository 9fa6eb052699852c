"""Node, for the tests of JavaScript clients (their programs are in `node/`), and boto3 without retries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "node"
PATIENCE = 180
"""Seconds until a Node process counts as hanging."""


def _find_node(packages: Path = PROGRAMS) -> str:
    """Where Node is; the test fails if it or one of the clients is missing."""
    found = shutil.which("node")
    if found is None:
        pytest.fail("expected `node` on PATH, found none; install Node 20 or newer", pytrace=False)
    wanted = json.loads((PROGRAMS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    missing = [name for name in wanted if not (packages / "node_modules" / name / "package.json").exists()]
    if missing:
        pytest.fail(
            f"expected {', '.join(missing)} in {packages / 'node_modules'}; "
            f"run `npm ci --ignore-scripts` in {PROGRAMS}",
            pytrace=False,
        )
    return found


class Node:
    """Runs the programs; the environment is that of the test, `None` takes a variable away."""

    def __init__(self, executable: str) -> None:
        self.executable = executable

    def run(self, program: str, *arguments: str, **changes: str | None) -> dict[str, dict[str, Any]]:
        """What each case came to, by its name."""
        environment = dict(os.environ)
        for name, value in changes.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        done = subprocess.run(
            [self.executable, str(PROGRAMS / program), *arguments],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stderr}{done.stdout}"
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line.get("case") or line["mode"]: line for line in lines}


@pytest.fixture(scope="session")
def node() -> Node:
    return Node(_find_node())


@pytest.fixture(scope="session")
def find_node() -> Any:
    return _find_node


@pytest.fixture(autouse=True)
def no_search_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bearer key and nothing else, boto3 asks the network whether it is in Amazon's cloud."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def once(mock_provider: Any) -> Any:
    """boto3's client, trying once."""
    from botocore.config import Config

    return mock_provider.bedrock_client(config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def strict_openai(mock_provider: Any) -> Any:
    """A client of the openai package at a provider of the mock: it tries once, and takes no member of a wrong type."""

    def at(provider: str) -> Any:
        address = mock_provider.url(provider) + "/v1"
        return mock_provider.openai_client(base_url=address, max_retries=0, _strict_response_validation=True)

    return at
