"""Traffic that real recorders made of real clients asking the mock: judged clean, and found when a byte of it is wrong.

VCR: vcrpy around boto3 (SigV4 over http) and the OpenAI SDK on httpx. HAR: Playwright around a page in Chromium.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import httpx
import openai
import pytest
import vcr
import yaml
from botocore.config import Config

from conformance.cli import main
from conformance.loading import load
from conformance.recorded import Judged, judge_files
from mockserver.embedded import Running, start

SPECS = load()
MODEL = "mistral.magistral-small-2509"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ASK: Any = [{"role": "user", "content": "Hello from a recorder"}]
CONVERSE: Any = [{"role": "user", "content": [{"text": "Hello from a recorder"}]}]


@pytest.fixture(scope="module")
def mock() -> Iterator[Running]:
    running = start(specs=SPECS, auth="strict")
    yield running
    running.stop()


def openai_client(mock: Running, prefix: str, through: httpx.Client) -> openai.OpenAI:
    """The SDK on httpx, which vcrpy knows; httpx2 it does not."""
    client: Any = through
    return openai.OpenAI(
        api_key=mock.info["bearer"],
        base_url=f"{mock.info['http']}{prefix}/v1",
        max_retries=0,
        http_client=client,
    )


def ask_openai(mock: Running, through: httpx.Client) -> None:
    client = openai_client(mock, "/bedrock-mantle", through)
    client.chat.completions.create(model=MODEL, messages=ASK, max_tokens=64)
    chunks = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        max_tokens=64,
        stream=True,
        stream_options={"include_usage": True},
    )
    assert [chunk.usage for chunk in chunks][-1]
    client.responses.create(model=MODEL, input="Hello", max_output_tokens=64)
    assert list(client.responses.create(model=MODEL, input="Hello", max_output_tokens=64, stream=True))
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no.such-model-1", messages=ASK)
    there = openai_client(mock, "/openai-com", through)
    there.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    there.responses.create(model="gpt-4o-mini", input="Hello")
    assert list(there.responses.create(model="gpt-4o-mini", input="Hello", stream=True))
    small = "mistral-small-latest"
    french = openai_client(mock, "/mistral-ai", through)
    assert french.chat.completions.create(model=small, messages=ASK).usage
    assert [chunk.usage for chunk in french.chat.completions.create(model=small, messages=ASK, stream=True)][
        -1
    ]


def ask_boto3(mock: Running) -> None:
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=f"{mock.info['http']}/bedrock-runtime",
        aws_access_key_id=mock.info["aws_access_key_id"],
        aws_secret_access_key=mock.info["aws_secret_access_key"],
        config=Config(retries={"max_attempts": 0}),
    )
    client.converse(modelId=MODEL, messages=CONVERSE)
    assert list(client.converse_stream(modelId=MODEL, messages=CONVERSE)["stream"])
    with pytest.raises(client.exceptions.ValidationException):
        client.converse(modelId="no.such-model-1", messages=CONVERSE)
    client.close()


@pytest.fixture(scope="module")
def cassettes(mock: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cassette of each client, as vcrpy wrote it."""
    folder = tmp_path_factory.mktemp("cassettes")
    recorder = vcr.VCR(record_mode="all", filter_headers=["x-amz-security-token"])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_BEARER_TOKEN_BEDROCK", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.delenv(name, raising=False)
        with recorder.use_cassette(str(folder / "openai.yaml")), httpx.Client(trust_env=False) as through:
            ask_openai(mock, through)
        with recorder.use_cassette(str(folder / "boto3.yaml")):
            ask_boto3(mock)
    return folder


@pytest.fixture(scope="module")
def har(mock: Running, tmp_path_factory: pytest.TempPathFactory, node: Any) -> Path:
    """An archive of a page that asked, as Playwright wrote it."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.fail(f"expected one of {', '.join(BROWSERS)} on PATH, found none", pytrace=False)
    path = tmp_path_factory.mktemp("har") / "page.har"
    seen = node.run(
        "har_probe.mjs",
        str(path),
        PROBE_CHROMIUM=browser,
        PROBE_MOCK=mock.info["http"],
        PROBE_KEY=mock.info["bearer"],
        PROBE_MODEL=MODEL,
    )
    assert {name: case["status"] for name, case in seen.items()} == {
        "chat": 200,
        "stream": 200,
        "converse": 200,
        "converse stream": 200,
        "unknown model": 404,
    }
    return path


def judged(path: Path) -> list[Judged]:
    return judge_files(SPECS, [path]).judged


def broken(path: Path) -> set[str]:
    """The rules that are broken or cannot be looked at any more, by name."""
    return {
        found.rule.name
        for each in judged(path)
        for found in each.findings
        if found.word not in ("kept", "not applicable")
    }


def contracts(path: Path) -> list[str]:
    return [each.placed.contract.id for each in judged(path)]


def test_cassettes_of_real_clients_are_placed_and_clean(
    cassettes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert contracts(cassettes / "openai.yaml") == [
        "bedrock-mantle/chat-completions",
        "bedrock-mantle/chat-completions-stream",
        "bedrock-mantle/responses",
        "bedrock-mantle/responses-stream",
        "bedrock-mantle/chat-completions",
        "openai/chat-completions",
        "openai/responses",
        "openai/responses-stream",
        "mistral/chat-completions",
        "mistral/chat-completions-stream",
    ]
    assert contracts(cassettes / "boto3.yaml") == [
        "bedrock-runtime/converse",
        "bedrock-runtime/converse-stream",
        "bedrock-runtime/converse",
    ]
    assert broken(cassettes) == set()
    assert main(["judge", "--from", str(cassettes)]) == 0
    assert "13 recordings: 13 placed, 0 not" in capsys.readouterr().out


def test_every_implied_rule_is_looked_at_in_what_vcrpy_kept(cassettes: Path) -> None:
    for each in judged(cassettes):
        if each.code is None:
            words = {found.rule.id: found.word for found in each.findings if found.rule.implied}
            assert set(words.values()) == {"kept"}, (each.placed.contract.id, words)


def test_a_refusal_is_read_with_its_status_and_code(cassettes: Path) -> None:
    refused = [each for each in judged(cassettes) if each.code]
    assert [
        (each.exchange.response and each.exchange.response.status, each.code, each.refusal)
        for each in refused
    ] == [
        (400, "ValidationException", "unknown-model"),
        (404, "not_found", "unknown-model"),
    ]


def test_a_page_in_chromium_recorded_as_har_is_placed_and_clean(
    har: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert contracts(har) == [
        "bedrock-mantle/chat-completions",
        "bedrock-mantle/chat-completions-stream",
        "bedrock-runtime/converse",
        "bedrock-runtime/converse-stream",
        "bedrock-mantle/chat-completions",
    ]
    assert broken(har) == set()
    assert main(["judge", "--from", str(har)]) == 0
    out = capsys.readouterr().out
    assert "could not place GET" in out
    assert "404 not_found" in out


def test_a_har_keeps_events_and_frames_of_streams(har: Path) -> None:
    for each in judged(har):
        if each.placed.contract.streams:
            response = each.exchange.response
            assert response is not None
            assert response.events
            assert {found.rule.id: found.word for found in each.findings}["framing"] == "kept"


Change = Callable[[bytes], bytes]


def swapped(old: bytes, new: bytes) -> Change:
    def change(body: bytes) -> bytes:
        assert old in body
        assert len(old) == len(new)
        return body.replace(old, new, 1)

    return change


def flipped(body: bytes) -> bytes:
    """One bit of the last message's checksum."""
    return body[:-1] + bytes([body[-1] ^ 1])


def counted(member: bytes) -> Change:
    """The first digit of the last number under `member` is another one."""

    def change(body: bytes) -> bytes:
        at = body.rindex(member) + len(member)
        while not body[at : at + 1].isdigit():
            at += 1
        digit = b"8" if body[at : at + 1] != b"8" else b"7"
        return body[:at] + digit + body[at + 1 :]

    return change


CHANGES: list[Any] = [
    pytest.param("bedrock-runtime/converse-stream", flipped, "framing", id="checksum"),
    pytest.param("bedrock-runtime/converse", swapped(b'"stopReason"', b'"stopReasom"'), "shape", id="member"),
    pytest.param(
        "bedrock-runtime/converse", counted(b'"totalTokens"'), "usage-adds-up", id="usage-of-converse"
    ),
    pytest.param(
        "bedrock-mantle/chat-completions", swapped(b'"choices"', b'"choicez"'), "shape", id="choices"
    ),
    pytest.param("bedrock-mantle/chat-completions", counted(b'"total_tokens"'), "usage-adds-up", id="usage"),
    pytest.param(
        "bedrock-mantle/chat-completions-stream", swapped(b"[DONE]", b"[D0NE]"), "framing", id="done"
    ),
]
OF_CASSETTES: list[Any] = [
    pytest.param(
        "bedrock-mantle/chat-completions-stream",
        counted(b'"total_tokens"'),
        "usage-adds-up",
        id="usage-in-a-stream",
    ),
    pytest.param(
        "bedrock-mantle/responses-stream", counted(b'"sequence_number"'), "events-are-numbered", id="number"
    ),
    pytest.param(
        "bedrock-mantle/responses", counted(b'"total_tokens"'), "usage-adds-up", id="usage-of-responses"
    ),
    pytest.param(
        "openai/chat-completions", counted(b'"total_tokens"'), "usage-adds-up", id="usage-at-openai"
    ),
]


def changed_cassette(cassettes: Path, contract: str, change: Change, to: Path) -> None:
    """The first answer of the contract with the change in it, in a cassette of its own."""
    for path in sorted(cassettes.glob("*.yaml")):
        said = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for each, found in zip(said["interactions"], judged(path), strict=True):
            if found.placed.contract.id == contract:
                body = each["response"]["body"]["string"]
                changed = change(body.encode() if isinstance(body, str) else body)
                each["response"]["body"]["string"] = changed.decode() if isinstance(body, str) else changed
                to.write_text(yaml.dump({"version": 1, "interactions": [each]}), encoding="utf-8")
                return
    raise AssertionError(contract)


@pytest.mark.parametrize(("contract", "change", "rule"), [*CHANGES, *OF_CASSETTES])
def test_a_byte_changed_in_a_cassette_is_found(
    cassettes: Path, tmp_path: Path, contract: str, change: Change, rule: str
) -> None:
    path = tmp_path / "changed.yaml"
    changed_cassette(cassettes, contract, lambda body: body, path)
    assert broken(path) == set()
    changed_cassette(cassettes, contract, change, path)
    assert f"{contract}:{rule}" in broken(path)


@pytest.mark.parametrize(("contract", "change", "rule"), CHANGES)
def test_a_byte_changed_in_a_har_is_found(
    har: Path, tmp_path: Path, contract: str, change: Change, rule: str
) -> None:
    import base64

    said = json.loads(har.read_text(encoding="utf-8"))
    for each, found in zip(_asked(said), judged(har), strict=True):
        if found.placed.contract.id == contract:
            content = each["response"]["content"]
            if content.get("encoding") == "base64":
                content["text"] = base64.b64encode(change(base64.b64decode(content["text"]))).decode()
            else:
                content["text"] = change(content["text"].encode()).decode()
            break
    path = tmp_path / "changed.har"
    path.write_text(json.dumps(said), encoding="utf-8")
    assert f"{contract}:{rule}" in broken(path)


def _asked(said: Mapping[str, Any]) -> list[Any]:
    return [each for each in said["log"]["entries"] if each["request"]["method"] == "POST"]


def test_a_must_that_is_broken_makes_the_exit_code_one(cassettes: Path, tmp_path: Path) -> None:
    path = tmp_path / "changed.yaml"
    changed_cassette(cassettes, "bedrock-runtime/converse-stream", flipped, path)
    assert main(["judge", "--from", str(path)]) == 1


def test_gzipped_files_and_gzipped_bodies_are_the_same_traffic(cassettes: Path, tmp_path: Path) -> None:
    said = yaml.load((cassettes / "openai.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    for each in said["interactions"]:
        body = each["response"]["body"]["string"]
        each["response"]["body"]["string"] = gzip.compress(body.encode() if isinstance(body, str) else body)
        each["response"]["headers"]["content-encoding"] = ["gzip"]
        each["response"]["headers"].pop("content-length", None)
        each["response"]["headers"].pop("Content-Length", None)
    path = tmp_path / "openai.yaml.gz"
    path.write_bytes(gzip.compress(yaml.dump(said).encode()))

    def words(place: Path) -> list[Any]:
        return [
            (each.placed.contract.id, each.code, [(found.rule.id, found.word) for found in each.findings])
            for each in judged(place)
        ]

    assert words(path) == words(cassettes / "openai.yaml")


def test_no_key_of_a_cassette_reaches_the_report(
    mock: Running, cassettes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = [str(mock.info["bearer"]), str(mock.info["aws_secret_access_key"])]
    assert any(
        secret in path.read_text(encoding="utf-8") for path in cassettes.iterdir() for secret in secrets
    )
    main(["judge", "--from", str(cassettes), "--report-dir", str(tmp_path)])
    texts = [
        path.read_text(encoding="utf-8", errors="replace") for path in tmp_path.rglob("*") if path.is_file()
    ]
    out = capsys.readouterr().out
    for secret in secrets:
        assert not [text for text in (*texts, out) if secret in text]
