"""The sample programs of the two model pages, as their readers would save them, run against the mock.

Bedrock's are run with nothing but environment variables set. Puter's have their address and token in the
text; those two strings are replaced, and nothing else.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parent / "samples"
BEDROCK_ASKS = "Can you explain the features of Amazon Bedrock?"
PUTER_ASKS = "Explain quantum computing in simple terms"
PATIENCE = 60
"""Seconds until a program counts as hanging."""

pytestmark = pytest.mark.mock_provider(auth="strict")


def run(*command: str, **environment: str) -> str:
    """What the command prints; it must end well, and with no environment but this."""
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def at(address: str, token: str, sample: str, folder: Path) -> str:
    """The path of one of Puter's samples with another address and token in it."""
    text = (SAMPLES / sample).read_text(encoding="utf-8")
    for old, new in (("https://api.puter.com", address), ("YOUR_PUTER_AUTH_TOKEN", token)):
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / sample).write_text(text, encoding="utf-8")
    return str(folder / sample)


def asked(mock_provider: Any) -> tuple[str, str, str]:
    """Which contract answered the one request there was, for which model, and the text it was asked."""
    [entry] = mock_provider.journal
    assert (entry.status, entry.refused) == (200, None)
    [message] = entry.turn.messages
    return entry.contract, entry.turn.model, message.text


@pytest.mark.parametrize(
    ("sample", "contract"),
    [
        ("bedrock_responses.py", "bedrock-mantle/responses"),
        ("bedrock_chat_completions.py", "bedrock-mantle/chat-completions"),
    ],
)
def test_the_samples_that_use_openai_run_as_they_are(mock_provider: Any, sample: str, contract: str) -> None:
    printed = run(sys.executable, str(SAMPLES / sample), **mock_provider.environment)
    assert printed.startswith(("Response(id='resp_", "ChatCompletion(id='chatcmpl-"))
    assert "Amazon Bedrock" in printed
    assert asked(mock_provider) == (contract, mock_provider.model, BEDROCK_ASKS)


def test_the_sample_that_invokes_runs_as_it_is(mock_provider: Any) -> None:
    printed = run(sys.executable, str(SAMPLES / "bedrock_invoke.py"), **mock_provider.environment)
    answer = ast.literal_eval(printed)
    assert "Amazon Bedrock" in answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert asked(mock_provider) == ("bedrock-runtime/invoke-model", mock_provider.model, BEDROCK_ASKS)


def test_the_sample_that_converses_runs_as_it_is(mock_provider: Any) -> None:
    printed = run(sys.executable, str(SAMPLES / "bedrock_converse.py"), **mock_provider.environment)
    answer = ast.literal_eval(printed)
    assert "Amazon Bedrock" in answer["output"]["message"]["content"][0]["text"]
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]
    assert asked(mock_provider) == ("bedrock-runtime/converse", mock_provider.model, BEDROCK_ASKS)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_the_openai_sample_of_puter_runs_with_another_address_and_token(
    mock_provider: Any, tmp_path: Path, tls: bool
) -> None:
    program = at(mock_provider.url(tls=tls), mock_provider.info["puter_token"], "puter_openai.py", tmp_path)
    printed = run(sys.executable, program, SSL_CERT_FILE=mock_provider.environment["SSL_CERT_FILE"])
    assert "quantum" in printed.lower()
    assert asked(mock_provider) == (
        "puter/chat-completions",
        mock_provider.info["puter_model"],
        PUTER_ASKS,
    )


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_the_curl_sample_of_puter_runs_with_another_address_and_token(
    mock_provider: Any, tmp_path: Path, tls: bool
) -> None:
    program = at(mock_provider.url(tls=tls), mock_provider.info["puter_token"], "puter_curl.sh", tmp_path)
    answer = json.loads(run("sh", program, SSL_CERT_FILE=mock_provider.environment["SSL_CERT_FILE"]))
    assert "quantum" in answer["choices"][0]["message"]["content"].lower()
    assert answer["model"] == "mistralai/magistral-small-2509"
    assert asked(mock_provider) == ("puter/chat-completions", answer["model"], PUTER_ASKS)


@pytest.mark.parametrize("sample", ["bedrock_chat_completions.py", "bedrock_converse.py"])
def test_mockserver_run_sets_all_that_a_sample_needs(sample: str) -> None:
    mockserver = Path(sys.executable).parent / "mockserver"
    done = subprocess.run(
        [mockserver, "run", "--auth", "strict", "--", sys.executable, SAMPLES / sample],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert "Amazon Bedrock" in done.stdout
    assert "mockserver: asked and refused" in done.stderr
    assert "refused 1" not in done.stderr
