"""curl as a reader of the mock: no SDK between the bytes and the eye.

Its verdicts are its own: exit codes, `-w` counters, the headers it prints.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer

MODEL = "mistral.magistral-small-2509"
PUTER_MODEL = "mistralai/magistral-small-2509"
HELLO = {"model": MODEL, "messages": [{"role": "user", "content": "Reply with exactly: amber kettle 42"}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Reply with exactly: amber kettle 42"}]}]}
PATIENCE = 60
"""Seconds until something that should have happened long ago counts as not happening."""


class Curl:
    """Runs curl with the credentials of one test's mock."""

    def __init__(self, mock_provider: Any, folder: Path) -> None:
        self.mock, self.folder = mock_provider, folder

    def __call__(self, *arguments: str, exits: int = 0) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", str(PATIENCE), *arguments],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
        )
        assert done.returncode == exits, done.stderr
        return done

    def bearer(self) -> list[str]:
        return ["-H", f"Authorization: Bearer {self.mock.info['bearer']}"]

    def json(self, body: Any) -> list[str]:
        path = self.folder / "body.json"
        path.write_text(json.dumps(body), encoding="utf-8")
        return ["-H", "Content-Type: application/json", "--data-binary", f"@{path}"]

    def answered(self, *arguments: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body."""
        done = self("--dump-header", str(self.folder / "head"), *arguments)
        # After a 100 there is a second head.
        head = (self.folder / "head").read_text(encoding="utf-8").strip().split("\n\n")[-1].splitlines()
        headers = dict(line.split(": ", 1) for line in head[1:])
        return int(head[0].split()[1]), {key.lower(): value for key, value in headers.items()}, done.stdout


@pytest.fixture
def curl(mock_provider: Any, tmp_path: Path) -> Curl:
    return Curl(mock_provider, tmp_path)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_chat_is_answered(mock_provider: Any, curl: Curl, tls: bool) -> None:
    trust = ["--cacert", mock_provider.info["ca"]] if tls else []
    url = mock_provider.url("bedrock-mantle", tls=tls) + "/v1/chat/completions"
    status, headers, body = curl.answered(url, *trust, *curl.bearer(), *curl.json(HELLO))
    assert (status, headers["content-type"]) == (200, "application/json")
    assert int(headers["content-length"]) == len(body)
    assert json.loads(body)["choices"][0]["message"]["content"] == "amber kettle 42"


def test_a_certificate_that_is_not_trusted_is_refused_by_curl(mock_provider: Any, curl: Curl) -> None:
    certificate_problem = 60
    done = curl(mock_provider.url(tls=True) + "/v1/models", *curl.bearer(), exits=certificate_problem)
    assert b"certificate" in done.stderr


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_the_certificate_is_good_for_every_name_of_this_machine(
    mock_provider: Any, curl: Curl, name: str
) -> None:
    port = mock_provider.info["https"].split("/")[2].rpartition(":")[2]
    url = mock_provider.url("bedrock-mantle", tls=True).replace("127.0.0.1", name) + "/v1/models"
    there = ["--connect-to", f"::127.0.0.1:{port}", "--cacert", mock_provider.info["ca"]]
    status, _, _ = curl.answered(url, *there, *curl.bearer())
    assert status == 200


def test_a_host_name_of_a_provider_is_enough_to_find_it(mock_provider: Any, curl: Curl) -> None:
    """`--connect-to` leaves URL and Host as they are in production; the space stands in the path."""
    place = mock_provider.info["http"].removeprefix("http://")
    address, _, space = place.partition("/")
    url = f"http://bedrock-runtime.us-east-1.amazonaws.com/{space}/model/{MODEL}/converse"
    status, headers, body = curl.answered(
        url, "--connect-to", f"::{address}", *curl.bearer(), *curl.json(CONVERSE)
    )
    assert (status, headers["x-mock-contract"]) == (200, "bedrock-runtime/converse")
    assert json.loads(body)["output"]["message"]["content"] == [{"text": "amber kettle 42"}]


@pytest.mark.mock_provider(auth="strict")
@pytest.mark.parametrize("secret", ["good", "wrong"])
def test_curl_signs_for_itself(mock_provider: Any, curl: Curl, secret: str) -> None:
    info = mock_provider.info
    key = info["aws_secret_access_key"] if secret == "good" else "not-the-secret"
    signed = ["--aws-sigv4", "aws:amz:us-east-1:bedrock", "--user", f"{info['aws_access_key_id']}:{key}"]
    url = mock_provider.url("bedrock-runtime") + f"/model/{MODEL}/converse"
    status, headers, _ = curl.answered(url, *signed, *curl.json(CONVERSE))
    if secret == "good":
        assert status == 200
    else:
        assert status == 403
        assert headers["x-amzn-errortype"].startswith("InvalidSignatureException:")


@pytest.mark.mock_provider(auth="strict")
def test_the_same_wrong_key_is_403_at_the_runtime_and_401_at_mantle(mock_provider: Any, curl: Curl) -> None:
    wrong = ["-H", "Authorization: Bearer ABSKbm90LWEta2V5"]
    runtime = mock_provider.url("bedrock-runtime") + f"/model/{MODEL}/converse"
    mantle = mock_provider.url("bedrock-mantle") + "/v1/chat/completions"
    assert curl.answered(runtime, *wrong, *curl.json(CONVERSE))[0] == 403
    assert curl.answered(mantle, *wrong, *curl.json(HELLO))[0] == 401


# -- streams ---------------------------------------------------------------------------------------------


def test_a_stream_of_server_sent_events_ends_with_done(mock_provider: Any, curl: Curl) -> None:
    url = mock_provider.url("bedrock-mantle") + "/v1/chat/completions"
    status, headers, body = curl.answered(url, "-N", *curl.bearer(), *curl.json({**HELLO, "stream": True}))
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert headers["content-type"].startswith("text/event-stream")
    *events, last, nothing = body.decode().split("\n\n")
    assert (last, nothing) == ("data: [DONE]", "")
    said = [
        json.loads(event.removeprefix("data: "))["choices"][0]["delta"].get("content") for event in events
    ]
    assert "".join(filter(None, said)) == "amber kettle 42"


def test_a_binary_stream_is_whole(mock_provider: Any, curl: Curl) -> None:
    url = mock_provider.url("bedrock-runtime") + f"/model/{MODEL}/converse-stream"
    status, headers, body = curl.answered(url, "-N", *curl.bearer(), *curl.json(CONVERSE))
    assert (status, headers["content-type"]) == (200, "application/vnd.amazon.eventstream")
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    names = [message.headers[":event-type"] for message in buffer]
    assert (names[0], names[-2:]) == ("messageStart", ["messageStop", "metadata"])


def test_what_was_streamed_is_seen_before_the_stream_ends(
    mock_provider: Any, curl: Curl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule of our own is broken by a stall: the beginning arrives, the end never does, and curl waits."""
    contract = mock_provider._running.mock.specs.contracts["bedrock-mantle/chat-completions-stream"]
    rule = replace(
        contract.rules["shape"], id="goes-on", implied=False, broken_by=[{"wire": {"stall": 1200}}]
    )
    monkeypatch.setitem(contract.rules, "goes-on", rule)
    url = mock_provider.url("bedrock-mantle") + "/v1/chat/completions"
    stalls = ["-H", "x-mock-break: goes-on"]
    command = ["curl", "-sSN", "--max-time", str(PATIENCE), url, *stalls, *curl.bearer()]
    body = curl.json({**HELLO, "stream": True})
    with subprocess.Popen([*command, *body], stdout=subprocess.PIPE) as running:
        assert running.stdout
        line = running.stdout.readline()
        assert json.loads(line.removeprefix(b"data: "))["choices"]
        assert running.poll() is None
        running.kill()


def test_a_cut_stream_is_a_transfer_that_curl_calls_incomplete(mock_provider: Any, curl: Curl) -> None:
    partial = 18
    mock_provider.cut(after_events=3)
    url = mock_provider.url("bedrock-mantle") + "/v1/chat/completions"
    done = curl(url, "-N", *curl.bearer(), *curl.json({**HELLO, "stream": True}), exits=partial)
    assert done.stdout.count(b"data: ") == 3


# -- what belongs to HTTP --------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_large_body_is_waited_for_with_100_continue(mock_provider: Any, curl: Curl, tls: bool) -> None:
    """curl announces anything above a megabyte, and waits a second for the 100 unless told to wait longer."""
    words = "amber " * 400_000
    body = curl.json({"messages": [{"role": "user", "content": words}], "model": MODEL})
    url = mock_provider.url("bedrock-mantle", tls=tls) + "/v1/chat/completions"
    patient = ["--expect100-timeout", str(PATIENCE - 1), "-H", "Expect: 100-continue", "--http1.1"]
    trust = ["--cacert", mock_provider.info["ca"]]
    done = curl("--include", url, *trust, *patient, *curl.bearer(), *body, "-w", "%{size_upload}")
    assert done.stdout.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400")
    assert int(done.stdout.rpartition(b"}")[2]) > 2_000_000
    assert mock_provider.journal[-1].refused == "context-overflow"


def test_one_connection_serves_many_requests(mock_provider: Any, curl: Curl) -> None:
    url = mock_provider.url("bedrock-mantle") + "/v1/models"
    done = curl(url, url, url, *curl.bearer(), "-w", "\n%{num_connects}\n")
    assert [line for line in done.stdout.decode().splitlines() if line in ("0", "1")] == ["1", "0", "0"]


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (
            f"/bedrock-runtime/model/{MODEL}/no-such-operation",
            200,
            {"Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}, "Version": "1.0"},
        ),
        ("/bedrock-mantle/v1/batches", 404, {}),
        ("/v1/batches", 404, {}),
        ("/puter/nowhere", 404, {"error": "Not Found", "message": "Not Found", "code": "not_found"}),
    ],
)
def test_a_path_that_is_none_is_answered_as_its_provider_does(
    mock_provider: Any, curl: Curl, path: str, status: int, body: Any
) -> None:
    got, headers, raw = curl.answered(mock_provider.url() + path, *curl.bearer(), *curl.json({}))
    assert (got, json.loads(raw)) == (status, body)
    assert headers["x-mock-refused"] == "unknown-path"


def test_a_path_of_nobody_is_told_the_closest(mock_provider: Any, curl: Curl) -> None:
    status, _, raw = curl.answered(mock_provider.url() + "/chat/completion", *curl.json({}))
    assert status == 404
    assert b"/v1/chat/completions" in raw


def test_a_request_that_breaks_its_contract_is_told_which_and_where(mock_provider: Any, curl: Curl) -> None:
    url = mock_provider.url("bedrock-runtime") + f"/model/{MODEL}/converse"
    status, headers, _ = curl.answered(
        url, *curl.bearer(), *curl.json({**CONVERSE, "inferenceConfig": {"temperature": 5}})
    )
    assert status == 400
    assert headers["x-mock-contract"] == "bedrock-runtime/converse"
    assert "/inferenceConfig/temperature" in headers["x-mock-says"]


def test_a_preflight_of_a_browser_is_answered(mock_provider: Any, curl: Curl) -> None:
    browser = [
        "-X",
        "OPTIONS",
        "-H",
        "Origin: http://localhost:3000",
        "-H",
        "Access-Control-Request-Method: POST",
    ]
    status, headers, _ = curl.answered(mock_provider.url("puter") + "/drivers/call", *browser)
    assert (status, headers["access-control-allow-origin"]) == (200, "http://localhost:3000")


# -- Puter's driver, as puter.js sends it ------------------------------------------------------------------


@pytest.fixture
def driver(mock_provider: Any) -> dict[str, Any]:
    return {
        "interface": "puter-chat-completion",
        "driver": "ai-chat",
        "test_mode": False,
        "method": "complete",
        "args": {
            "messages": [{"content": "Reply with exactly: amber kettle 42"}],
            "model": PUTER_MODEL,
        },
        "auth_token": mock_provider.info["puter_token"],
    }


def call(curl: Curl, mock_provider: Any, body: Any) -> tuple[int, dict[str, str], bytes]:
    """The content type of puter.js says text, so that a browser asks without a preflight."""
    path = curl.folder / "call.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    typed = ["-H", "Content-Type: text/plain;actually=json", "--data-binary", f"@{path}"]
    return curl.answered(mock_provider.url("puter") + "/drivers/call", *typed)


@pytest.mark.mock_provider(auth="strict")
def test_a_driver_call_with_its_token_in_the_body_is_answered(
    mock_provider: Any, curl: Curl, driver: dict[str, Any]
) -> None:
    status, headers, raw = call(curl, mock_provider, driver)
    assert status == 200
    assert headers["content-type"].startswith("application/json")
    answer = json.loads(raw)
    assert (answer["success"], answer["result"]["message"]["content"]) == (True, "amber kettle 42")


def test_a_driver_stream_is_a_line_an_event(mock_provider: Any, curl: Curl, driver: dict[str, Any]) -> None:
    driver["args"]["stream"] = True
    status, headers, raw = call(curl, mock_provider, driver)
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    lines = [json.loads(line) for line in raw.splitlines()]
    assert "".join(line["text"] for line in lines[:-1]) == "amber kettle 42"
    assert lines[-1]["type"] == "usage"


@pytest.mark.mock_provider(auth="strict")
def test_a_driver_call_without_a_token_is_refused(
    mock_provider: Any, curl: Curl, driver: dict[str, Any]
) -> None:
    status, _, raw = call(curl, mock_provider, driver | {"auth_token": None})
    assert (status, json.loads(raw)["code"]) == (401, "token_missing")


def test_an_error_of_a_driver_call_says_its_text_twice(
    mock_provider: Any, curl: Curl, driver: dict[str, Any]
) -> None:
    mock_provider.fail("upstream-throttling")
    status, _, raw = call(curl, mock_provider, driver)
    answer = json.loads(raw)
    assert (status, answer["code"]) == (429, "upstream_rate_limited")
    assert answer["error"] == answer["message"] == "AI provider rate limit exceeded"


# -- what curl would not send --------------------------------------------------------------------------------


@pytest.fixture
def line(mock_provider: Any) -> Iterator[socket.socket]:
    host, _, port = mock_provider.info["http"].split("/")[2].rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as made:
        yield made


def test_a_stray_request_line_does_not_end_the_mock(
    mock_provider: Any, curl: Curl, line: socket.socket
) -> None:
    line.sendall(b"HELO mail.example\r\n\r\n")
    assert line.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert curl.answered(mock_provider.url() + "/v1/models", *curl.bearer())[0] == 200
