"""Nothing that was asked for and not looked at is green: not for the shell, not for pytest, not for a badge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conformance.words import MEANING, words_table

ROOT = Path(__file__).resolve().parent.parent
KEYS = ("AWS_BEARER_TOKEN_BEDROCK", "OPENAI_API_KEY", "PUTER_AUTH_TOKEN", "AWS_ACCESS_KEY_ID")
CONVERSE = "bedrock-runtime/converse-stream"

Answer = Callable[[BaseHTTPRequestHandler], None]
Serve = Callable[[Answer], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers every request as the function given does; its URL."""
    running: list[ThreadingHTTPServer] = []

    def begin(answer: Answer) -> str:
        def handle(asked: BaseHTTPRequestHandler) -> None:
            asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
            answer(asked)

        silent = {"log_message": lambda *_: None}
        methods = dict.fromkeys(("do_GET", "do_POST", "do_PUT", "do_HEAD", "do_OPTIONS"), handle)
        handler = type("Handler", (BaseHTTPRequestHandler,), {**methods, **silent})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()


def answering(status: int, content_type: str, body: bytes) -> Answer:
    """Answers everything alike."""

    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(status)
        asked.send_header("Content-Type", content_type)
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        asked.wfile.write(body)

    return answer


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m ...` without keys in its environment but for those given."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith("PYTEST_") and key not in KEYS
    }
    environ = {**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def both(folder: Path, *options: str, **environment: str) -> tuple[int, int]:
    """The exit codes of the command and of plain pytest, asked for the same."""
    told = [f"--conformance-{each.removeprefix('--')}" if each.startswith("--") else each for each in options]
    ours = python("conformance", "run", *options, cwd=folder, **environment)
    suite = ("pytest", "-p", "conformance.plugin", "--pyargs", "conformance.suite", *told)
    theirs = python(*suite, cwd=folder, **environment)
    assert "Traceback" not in ours.stderr + theirs.stderr
    return ours.returncode, theirs.returncode


def test_no_key_is_a_usage_error(tmp_path: Path) -> None:
    assert both(tmp_path, "--provider", "puter") == (2, pytest.ExitCode.USAGE_ERROR)


def test_an_empty_filter_is_a_usage_error(tmp_path: Path) -> None:
    assert both(tmp_path, "--api", "no-such/*") == (2, pytest.ExitCode.USAGE_ERROR)


def test_a_k_that_chooses_nothing_is_not_green(tmp_path: Path) -> None:
    suite = ("pytest", "-p", "conformance.plugin", "--pyargs", "conformance.suite", "-k", "no_such_rule")
    assert python(*suite, cwd=tmp_path).returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_an_unreachable_host_is_inconclusive(tmp_path: Path, serve: Serve) -> None:
    url = "http://127.0.0.1:9"
    code, theirs = both(tmp_path, "--endpoint-url", url, "--api", "puter/models")
    assert (code, theirs) == (4, pytest.ExitCode.TESTS_FAILED)


def test_zero_exchanges_are_inconclusive(tmp_path: Path) -> None:
    # The card of the seed model offers no raw prompts: every rule is skipped, and nothing is asked.
    options = ("--api", "bedrock-runtime/invoke-model-text", "--report-dir", "report")
    assert both(tmp_path, *options) == (4, pytest.ExitCode.TESTS_FAILED)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert (report["requests"], report["verdict"], report["counts"]["kept"]) == (0, "inconclusive", 0)
    badge = json.loads((tmp_path / "report" / "badge.json").read_text())
    assert (badge["message"], badge["color"]) == ("inconclusive", "yellow")


@pytest.mark.parametrize(
    ("status", "content_type", "body", "codes"),
    [
        (200, "application/vnd.amazon.eventstream", b"", (1, 1)),
        (200, "text/event-stream", b"", (1, 1)),
        (200, "application/json", b"", (1, 1)),
        (204, "application/json", b"", (1, 1)),
        (429, "application/json", b"{}", (4, 1)),
        (503, "text/html", b"<h1>busy</h1>", (4, 1)),
    ],
)
def test_zero_events_and_empty_answers_are_not_green(
    status: int, content_type: str, body: bytes, codes: tuple[int, int], tmp_path: Path, serve: Serve
) -> None:
    url = serve(answering(status, content_type, body))
    options = ("--endpoint-url", url, "--api", CONVERSE, "--report-dir", "report")
    assert both(tmp_path, *options) == codes
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    words = {each["rule"]: each["word"] for each in report["findings"]}
    assert words["order"] != "kept" and words["shape"] != "kept"
    assert json.loads((tmp_path / "report" / "badge.json").read_text())["color"] != "brightgreen"


def test_every_word_is_told_by_the_help_of_run_and_by_the_page_on_reports(tmp_path: Path) -> None:
    help_text = python("conformance", "run", "--help", cwd=tmp_path).stdout
    page = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    for line in words_table():
        assert line in help_text.splitlines()
        assert line in page.splitlines()
    assert [line.split("  ")[0] for line in words_table()[1:]] == list(MEANING)


def test_no_word_but_kept_and_not_applicable_passes_ci() -> None:
    passing = {word for word, said in MEANING.items() if said.exit == 0}
    assert passing == {"kept", "not applicable"}
    assert {word for word, said in MEANING.items() if said.color == "green"} == {"kept"}
    assert all((said.pytest == "failed") == (said.exit != 0) for said in MEANING.values())


def test_what_is_excused_is_an_expected_failure_of_pytest_and_what_is_accused_a_failure(
    tmp_path: Path, serve: Serve
) -> None:
    path = tmp_path / "w.yaml"
    entry = "  - {rule: 'puter/models:%s', reason: known, link: 'https://t.example/1', owner: me, expires: '2099-01-01'}"
    path.write_text("waivers:\n" + "\n".join(entry % rule for rule in ("shape", "framing")))
    url = serve(answering(200, "application/json", b'{"models": 5}'))
    told = (
        "--conformance-endpoint-url",
        url,
        "--conformance-waivers",
        "w.yaml",
        "--conformance-api",
        "puter/models",
    )
    suite = ("pytest", "-p", "conformance.plugin", "--pyargs", "conformance.suite", "-rA", *told)
    done = python(*suite, cwd=tmp_path)
    lines: list[Any] = [line for line in done.stdout.splitlines() if "puter/models:" in line]
    assert any(line.startswith("XFAIL") and "puter/models:shape]" in line for line in lines), done.stdout
    assert any(line.startswith("FAILED") and "puter/models:framing]" in line for line in lines)
