"""The provider openai-compatible: any gateway or server, asked with no more than a URL, a model and a key.

In front of the mock stands a gateway of a few lines that each test makes different.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from conformance.added import read_headers, with_variables
from conformance.exchange import Request
from conformance.loading import load
from conformance.target import UsageError, targets
from mockserver.embedded import start

SPECS = load()
CANARY = "CANARY-secret-0123456789"
Changed = Callable[[int, bytes], tuple[int, bytes]]


class Gateway:
    """Passes requests below `base` on to the mock's plain server and what comes of them back.

    `wants` is a header that has to be there; `lacks` are paths that it answers with 404; `change` gets path, the
    request's JSON, status and body, and says status and body.
    """

    def __init__(self, mock: str, base: str = "/v1") -> None:
        gateway, self.base = self, base
        self.wants: tuple[str, str] | None = None
        self.lacks: tuple[str, ...] = ()
        self.change: Callable[[str, Any, int, bytes], tuple[int, bytes]] = lambda path, asked, status, body: (
            status,
            body,
        )
        self.asked: list[tuple[str, dict[str, str]]] = []
        host = urlsplit(mock).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                gateway.asked.append(
                    (self.path, {name.lower(): value for name, value in self.headers.items()})
                )
                path = self.path.removeprefix(gateway.base)
                if path == self.path or path in gateway.lacks:
                    self.tell(404, b'{"detail":"Not Found"}')
                    return
                if gateway.wants and self.headers.get(gateway.wants[0]) != gateway.wants[1]:
                    said = {
                        "error": {"message": "Who is there?", "type": "auth", "param": None, "code": "no_key"}
                    }
                    self.tell(401, json.dumps(said).encode())
                    return
                behind = http.client.HTTPConnection(host)
                headers = {"Content-Type": "application/json"} if raw else {}
                behind.request(self.command, f"/openai-compatible/v1{path}", raw or None, headers)
                answer = behind.getresponse()
                kind, body = answer.getheader("content-type") or "", answer.read()
                behind.close()
                try:
                    asked = json.loads(raw)
                except ValueError:
                    asked = None
                status, body = gateway.change(path, asked, answer.status, body)
                self.tell(status, body, kind)

            do_GET = do_POST

            def tell(self, status: int, body: bytes, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return self.root + self.base

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    running = start(specs=SPECS, auth="off")
    yield running.http
    running.stop()


@pytest.fixture
def gateway(mock: str) -> Iterator[Gateway]:
    made = Gateway(mock)
    yield made
    made.close()


class Ran:
    """What `conformance` printed, its exit code, and the report if one was written."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.code, self.out, self.err, self.folder = done.returncode, done.stdout, done.stderr, folder

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "report.json").read_text())  # type: ignore[no-any-return]

    def words(self, contract: str) -> dict[str, str]:
        return {
            each["rule"]: each["word"]
            for each in self.report["findings"]
            if each["contract"] == f"openai-compatible/{contract}"
        }

    def observed(self) -> dict[str, Any]:
        assert {row["verdict"] for row in self.report["declared"]} == {"as observed"}
        return {row["claim"]: row["observed"] for row in self.report["declared"]}


@pytest.fixture
def conform(tmp_path: Path) -> Callable[..., Ran]:
    def run(*words: str, **variables: str) -> Ran:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
        done = subprocess.run(
            [sys.executable, "-m", "conformance", *words],
            env=environment | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ran(done, tmp_path / "report")

    return run


def ask(gateway: Gateway, *more: str, url: str | None = None) -> list[str]:
    words = ["run", "--provider", "openai-compatible", "--endpoint-url", url or gateway.url]
    return [*words, "--model", "mock-8b", "--report-dir", "report", *more]


# What is judged


def test_without_a_card_a_good_server_is_conformant_and_what_it_can_is_told_as_observed(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    ran = conform(*ask(gateway))
    assert ran.code == 0, ran.out + ran.err
    assert "broken" not in {each["word"] for each in ran.report["findings"]}
    seen = ran.observed()
    for claim in ("apis.chat-completions", "apis.responses-stream", "input_modalities.image", "tools"):
        assert seen[claim] is True
    assert "owned_by" in seen["optional members.models"]
    assert "observed, as nobody declares it" in ran.out
    assert all("authorization" not in headers for _, headers in gateway.asked)


def test_a_404_for_responses_is_not_offered_and_neither_red_nor_green(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    gateway.lacks = ("/responses",)
    ran = conform(*ask(gateway))
    assert ran.code == 0, ran.out + ran.err
    assert set(ran.words("responses").values()) == {"not applicable"}
    assert set(ran.words("responses-stream").values()) == {"not applicable"}
    assert ran.observed()["apis.responses"] is False
    asked = [each for each in ran.report["findings"] if "/responses" in each["contract"] and each["evidence"]]
    assert {each["reason"] for each in asked} == {"not offered here: POST /v1/responses is answered with 404"}
    assert "POST /v1/responses is answered with 404" in " ".join(ran.out.split())


def test_a_404_for_chat_is_red(gateway: Gateway, conform: Callable[..., Ran]) -> None:
    gateway.lacks = ("/chat/completions",)
    ran = conform(*ask(gateway, "--api", "*/chat-completions"))
    assert ran.code == 1
    assert ran.words("chat-completions")["status"] == "broken"


def without_tools(path: str, asked: Any, status: int, body: bytes) -> tuple[int, bytes]:
    if isinstance(asked, dict) and "tools" in asked:
        return 400, b'{"error":{"message":"no tools here","type":"bad","param":"tools","code":null}}'
    return status, body


def test_tools_that_are_refused_are_told_and_fail_nothing(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    gateway.change = without_tools
    ran = conform(*ask(gateway, "--api", "*/chat-completions"))
    assert ran.code == 0, ran.out + ran.err
    words = ran.words("chat-completions")
    for rule in ("forced-tool-is-called", "arguments-fit", "tool-result-is-used", "named-tool-is-called"):
        assert words[rule] == "not applicable"
    assert ran.observed()["tools"] is False
    assert "no tools here" in ran.out


def with_bad_arguments(path: str, asked: Any, status: int, body: bytes) -> tuple[int, bytes]:
    return status, body.replace(b'{\\"city\\": \\"Singapore\\"', b'{\\"town\\": 7').replace(
        b'{\\"city\\":\\"Singapore\\"', b'{\\"town\\": 7'
    )


def test_tools_that_work_have_to_work_right(gateway: Gateway, conform: Callable[..., Ran]) -> None:
    gateway.change = with_bad_arguments
    ran = conform(*ask(gateway, "--api", "*/chat-completions"))
    assert ran.code == 1
    words = ran.words("chat-completions")
    assert (words["forced-tool-is-called"], words["arguments-fit"]) == ("kept", "broken")


def failing_at_nonsense(path: str, asked: Any, status: int, body: bytes) -> tuple[int, bytes]:
    return (500, b"Internal Server Error") if status >= 400 else (status, body)


def test_a_500_for_what_has_to_be_refused_is_a_warning_and_no_outage(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    gateway.change = failing_at_nonsense
    ran = conform(*ask(gateway, "--api", "*/chat-completions"))
    assert ran.code == 0, ran.out + ran.err
    assert ran.words("chat-completions")["not-json-is-refused"] == "broken"
    assert "got       500" in ran.out


def test_a_stored_run_is_judged_again_as_it_was(gateway: Gateway, conform: Callable[..., Ran]) -> None:
    gateway.lacks = ("/responses",)
    first = conform(*ask(gateway))
    before = first.words("responses") | first.words("chat-completions")
    again = conform("judge", "report", "--report-dir", "report")
    assert again.code == 0, again.out + again.err
    assert again.words("responses") | again.words("chat-completions") == before


# Where it is


@pytest.mark.parametrize(
    ("base", "given"),
    [
        ("/v1", "/v1"),
        ("/v1", ""),
        ("/v1", "/"),
        ("/openai/v1", "/openai/v1"),
        ("/api/v1", "/api/v1/"),
        ("/proxy/v1", "/proxy"),
        ("/v1beta/openai", "/v1beta/openai"),
    ],
)
def test_what_openai_base_url_holds_is_understood(
    mock: str, conform: Callable[..., Ran], base: str, given: str
) -> None:
    gateway = Gateway(mock, base)
    try:
        ran = conform(
            *ask(gateway, "--api", "*/models", "--api", "*/chat-completions-stream", url=gateway.root + given)
        )
    finally:
        gateway.close()
    assert ran.code == 0, ran.out + ran.err
    assert gateway.asked[-1][0] == f"{base}/models" or gateway.asked[-1][0] == f"{base}/chat/completions"


def test_the_same_gateway_is_asked_as_another_profile(gateway: Gateway, conform: Callable[..., Ran]) -> None:
    words = [
        "run",
        "--provider",
        "openai",
        "--endpoint-url",
        gateway.url,
        "--model",
        "mock-8b",
        "--key-env",
        "GW",
    ]
    ran = conform(*words, "--api", "openai/models", GW=CANARY)
    assert "openai" in ran.out
    assert {path for path, _ in gateway.asked} <= {"/v1/models", "/"}
    assert any(headers.get("authorization") == f"Bearer {CANARY}" for _, headers in gateway.asked)


# Who asks


def test_a_header_of_the_callers_own_is_sent_and_never_printed(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    gateway.wants = ("x-api-key", CANARY)
    headers = ["--header", "X-Api-Key: ${GW}", "--header", "X-Team: blue"]
    ran = conform(*ask(gateway, *headers, "--api", "*/chat-completions"), GW=CANARY)
    assert ran.code == 0, ran.out + ran.err
    words = ran.words("chat-completions")
    assert (words["missing-key-is-401"], words["wrong-key-is-401"]) == ("kept", "kept")
    assert all(headers["x-team"] == "blue" for _, headers in gateway.asked[2:])
    written = b"".join(path.read_bytes() for path in ran.folder.rglob("*") if path.is_file())
    assert CANARY not in ran.out + ran.err
    assert CANARY.encode() not in written
    shown = conform("show", "openai-compatible/chat-completions:status", "--run", "report")
    address = next(each["evidence"][0] for each in ran.report["findings"] if each["evidence"])
    shown = conform("show", address, "--run", "report")
    assert '-H "X-Api-Key: $GW"' in shown.out
    assert "os.environ['GW']" in shown.out


def test_a_key_is_named_by_its_variable_and_a_refused_one_is_told(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    gateway.wants = ("authorization", f"Bearer {CANARY}")
    good = conform(*ask(gateway, "--key-env", "GW", "--api", "*/models"), GW=CANARY)
    assert good.code == 0, good.out + good.err
    bad = conform(*ask(gateway, "--key-env", "GW"), GW="another-key-0123")
    assert bad.code == 4
    assert "the key in $GW is not taken" in bad.err
    assert "another-key-0123" not in bad.out + bad.err
    none = conform(*ask(gateway))
    assert none.code == 4
    assert "a key is wanted" in none.err
    assert "--key-env" in none.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--key-env", "NOT_SET_HERE"), "NOT_SET_HERE: it is not set"),
        (
            ("--header", "X-Api-Key: $NOT_SET_HERE"),
            "X-Api-Key wants $NOT_SET_HERE, and that variable is not set",
        ),
        (("--header", "no colon"), "expected 'Name: value' in printable ASCII, got no colon in it"),
    ],
)
def test_a_variable_that_is_not_set_is_a_usage_error_that_says_so(
    gateway: Gateway, conform: Callable[..., Ran], words: tuple[str, ...], told: str
) -> None:
    ran = conform(*ask(gateway, *words))
    assert ran.code == 2
    assert told in ran.err
    assert gateway.asked == []


# Which model


def test_an_unknown_model_is_told_with_those_that_there_are(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    ran = conform(*ask(gateway, "--model", "mock-9b"))
    assert ran.code == 2
    assert "'mock-9b' is refused (404" in ran.err
    assert "/v1/models lists mock-8b; closest: mock-8b" in ran.err


def test_without_a_model_those_that_there_are_are_told(gateway: Gateway, conform: Callable[..., Ran]) -> None:
    ran = conform("run", "--provider", "openai-compatible", "--endpoint-url", gateway.url)
    assert ran.code == 2
    assert "say which model is asked" in ran.err
    assert "lists mock-8b" in ran.err


def hiding_its_models(path: str, asked: Any, status: int, body: bytes) -> tuple[int, bytes]:
    return status, body.replace(b"mock-8b", b"hidden") if path == "/models" else body


def test_a_model_that_is_answered_but_not_listed_is_asked_with_a_note(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    gateway.change = hiding_its_models
    ran = conform(*ask(gateway, "--api", "*/models"))
    assert ran.code == 0, ran.out + ran.err
    assert "'mock-8b' is answered, though" in ran.err
    assert ran.words("models")["lists-the-model"] == "broken"


def test_where_nobody_answers_nothing_is_asked(conform: Callable[..., Ran]) -> None:
    words = [
        "run",
        "--provider",
        "openai-compatible",
        "--endpoint-url",
        "http://127.0.0.1:9/v1",
        "--model",
        "any",
    ]
    ran = conform(*words)
    assert ran.code == 4
    assert "nobody answers at http://127.0.0.1:9" in ran.err


def test_an_endpoint_has_to_be_named(conform: Callable[..., Ran]) -> None:
    ran = conform("run", "--provider", "openai-compatible", "--model", "any")
    assert ran.code == 2
    assert "--endpoint-url" in ran.err


def test_a_plan_needs_neither_address_nor_model_nor_key(
    gateway: Gateway, conform: Callable[..., Ran]
) -> None:
    planned = conform("plan", "--provider", "openai-compatible")
    assert planned.code == 0, planned.err
    [whole] = [line for line in planned.out.splitlines() if line.startswith("all ")]
    ran = conform(*ask(gateway))
    assert 0 < ran.report["requests"] <= int(whole.split()[1])


def test_a_gateway_of_ones_own_is_begun_and_declares_what_its_card_says(
    conform: Callable[..., Ran], tmp_path: Path
) -> None:
    words = [
        "new",
        "provider",
        "my-gateway",
        "--like",
        "openai-compatible",
        "--model",
        "gpt-4o",
        "-o",
        "mine",
    ]
    made = conform(*words, "--base-url", "https://llm.example.com")
    assert made.code == 0, made.err
    assert conform("lint", "mine").code == 0
    ours = load([tmp_path / "mine"])
    [found] = targets(ours, "my-gateway", environment={"MY_GATEWAY_API_KEY": CANARY})
    assert (found.endpoint, found.model, found.key) == ("https://llm.example.com", "gpt-4o", CANARY)
    assert found.card is not None


# Through plain pytest


def test_plain_pytest_takes_headers_too(gateway: Gateway, tmp_path: Path) -> None:
    gateway.wants = ("x-api-key", CANARY)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pyargs", "conformance.suite", "-q", "-p", "no:randomly"),
            *("-p", "no:cacheprovider", "--conformance-provider=openai-compatible"),
            *(f"--conformance-endpoint-url={gateway.url}", "--conformance-model=mock-8b"),
            *("--conformance-header=X-Api-Key: $GW", "--conformance-api=*/models"),
        ],
        env={**os.environ, "GW": CANARY},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert CANARY not in done.stdout


# Values


def test_variables_of_a_header_are_filled_and_told_by_name() -> None:
    headers, variables = read_headers(["A: $ONE-${TWO}", "B: plain"], {"ONE": "1", "TWO": "2"})
    assert headers == (("A", "$ONE-$TWO"), ("B", "plain"))
    assert variables == {"ONE": "1", "TWO": "2"}
    assert with_variables("$ONE-$TWO", variables) == "1-2"
    with pytest.raises(ValueError, match=r"right behind \$\{ONE\}"):
        read_headers(["A: ${ONE}x"], {"ONE": "1"})


def test_a_server_without_a_key_may_be_on_the_local_network_and_one_with_a_key_may_not() -> None:
    where = {"endpoint": "http://192.168.1.5:8000/v1", "model": "qwen"}
    [found] = targets(SPECS, "openai-compatible", environment={}, **where)
    assert (found.endpoint, found.key, found.auth, found.card) == (
        "http://192.168.1.5:8000",
        None,
        "off",
        None,
    )
    with pytest.raises(UsageError, match="never goes over plain http"):
        targets(SPECS, "openai-compatible", environment={"GW": CANARY}, key_env="GW", **where)
    with pytest.raises(UsageError, match="never goes over plain http"):
        targets(SPECS, "openai-compatible", environment={"GW": CANARY}, headers=["X-Key: $GW"], **where)


def test_a_short_secret_is_told_by_its_name_too() -> None:
    """The redactor does not look for so few letters, but the header that was added is known."""
    where = {"endpoint": "https://llm.example.com/v1", "model": "qwen", "headers": ["X-Key: $GW"]}
    [found] = targets(SPECS, "openai-compatible", environment={"GW": "abc"}, **where)
    asked = Request("GET", "/v1/models", (("x-key", "$GW"), ("Accept", "*/*")))
    sent = found.filled(asked)
    assert sent.header("X-Key") == "abc"
    assert found.unfilled(sent) == asked
