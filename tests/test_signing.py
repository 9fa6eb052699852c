"""Requests of the suite, signed with an access key where there is no key of the provider's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.loading import load
from conformance.run import Run
from conformance.target import UsageError, targets
from mockserver.embedded import start


@pytest.mark.parametrize("provider", ["bedrock-runtime", "bedrock-mantle"])
def test_a_strict_provider_takes_the_signature_and_no_secret_is_kept(provider: str, tmp_path: Path) -> None:
    specs = load()
    mock = start(auth="strict")
    try:
        keys = {
            "AWS_ACCESS_KEY_ID": mock.info["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": mock.info["aws_secret_access_key"],
        }
        [target] = targets(specs, provider, endpoint=f"{mock.http}/{provider}", environment=keys)
        run = Run(specs, [target], tmp_path)
        contract = next(each for each in specs.of(provider) if each.dialect is not None)
        finding = run.judge(target, contract, contract.rules["status"])
        run.close()
    finally:
        mock.stop()
    assert finding.word == "kept", finding.text()
    assert "--aws-sigv4" in finding.again
    kept = json.dumps([path.read_text() for path in tmp_path.glob("*.json")]) + finding.text()
    for secret in keys.values():
        assert secret not in kept


def test_a_wrong_secret_is_refused(tmp_path: Path) -> None:
    specs = load()
    mock = start(auth="strict")
    try:
        keys = {
            "AWS_ACCESS_KEY_ID": mock.info["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": "not-the-secret-of-it",
        }
        [target] = targets(
            specs, "bedrock-runtime", endpoint=f"{mock.http}/bedrock-runtime", environment=keys
        )
        run = Run(specs, [target], tmp_path)
        contract = specs.contracts["bedrock-runtime/converse"]
        finding = run.judge(target, contract, contract.rules["status"])
        run.close()
    finally:
        mock.stop()
    assert finding.word == "broken"
    assert finding.mismatches[0].got == 403


def test_a_bearer_key_comes_before_an_access_key() -> None:
    environment = {
        "AWS_BEARER_TOKEN_BEDROCK": "ABSKsome-key",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    [target] = targets(load(), "bedrock-runtime", environment=environment)
    assert target.signer is None
    assert target.key == "ABSKsome-key"


def test_without_any_key_both_ways_are_named() -> None:
    with pytest.raises(
        UsageError, match="AWS_BEARER_TOKEN_BEDROCK or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    ):
        targets(load(), "bedrock-runtime", environment={})
