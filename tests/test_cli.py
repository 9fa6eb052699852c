"""The command line as a user meets it: a process, its exit code, what it prints and what it leaves behind."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conformance.finding import Finding, exit_code
from conformance.loading import load
from mockserver.embedded import Running

ROOT = Path(__file__).resolve().parent.parent
LOWEST = ROOT / "build" / "pytest-lowest"

MUST = "puter/models:model-is-listed"
SHOULD = "bedrock-mantle/models:keys-are-sorted"
FEW = ("--api", "bedrock-mantle/models", "--api", "puter/models")

KEYS = ("AWS_BEARER_TOKEN_BEDROCK", "OPENAI_API_KEY", "PUTER_AUTH_TOKEN")

Begin = Callable[..., Running]
Serve = Callable[[Callable[["Asked"], None]], str]


class Asked(BaseHTTPRequestHandler):
    """One request to a server of a test, which answers it with `reply`."""

    def reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: the output is the test's."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers every request as the function given does; its URL."""
    running: list[ThreadingHTTPServer] = []

    def begin(answer: Callable[[Asked], None]) -> str:
        def handle(asked: Asked) -> None:
            asked.rfile.read(int(asked.headers.get("Content-Length", 0)))
            answer(asked)

        methods = dict.fromkeys(("do_GET", "do_POST", "do_PUT", "do_HEAD", "do_OPTIONS"), handle)
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Asked,), methods))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()


def conformance(
    *arguments: str, cwd: Path, path: tuple[Path, ...] = (ROOT,), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `conformance ...` without keys in its environment but for those given."""
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith("PYTEST_") and key not in KEYS
    }
    environ |= {"PYTHONPATH": os.pathsep.join(map(str, path)), **environment}
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def report_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "report.json").read_text()))


def own_specs(folder: Path, rule: str = "") -> Path:
    """A folder with one contract of the user's own, and `rule` in it."""
    (folder / "contracts").mkdir(parents=True)
    (folder / "contracts" / "models.yaml").write_text(
        "contract: my/models\n"
        "extends: bedrock-mantle/models\n"
        "summary: The list of the models, at an address of our own.\n"
        "source: {text: this test, sure: guess}\n"
        "request: {paths: [/v1/my-models]}\n"
        f"exchanges: {{hello: null}}\n{rule}"
    )
    return folder


NO_SUCH_CHECK = "rules:\n  keys-are-sorted: {check: no_such_check}\n"


# Exit codes


def test_a_clean_mock_is_0(tmp_path: Path) -> None:
    done = conformance("run", *FEW, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("conformant: 17 kept; 6 requests in ")
    assert done.stderr == ""


def test_a_broken_must_is_1(tmp_path: Path, mock: Begin) -> None:
    done = conformance("run", *FEW, "--endpoint-url", mock(broken=[MUST]).http, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("not conformant: 16 kept, 1 broken; ")


def test_a_broken_should_is_0_and_told(tmp_path: Path, mock: Begin) -> None:
    done = conformance("run", *FEW, "--endpoint-url", mock(broken=[SHOULD]).http, cwd=tmp_path)
    assert done.returncode == 0
    assert "keys-are-sorted (should)  bedrock-mantle/models: broken" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("conformant: 16 kept, 1 warning; ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--provider", "nobody"], "got 'nobody'"),
        (["--provider", "bedrock-mantle"], "set AWS_BEARER_TOKEN_BEDROCK or OPENAI_API_KEY"),
        (["--provider", "puter"], "set PUTER_AUTH_TOKEN"),
        (["--api", "no-such/*"], "'no-such/*' matches none"),
        (["--api", "*/models", "--api", "no-such/*"], "'no-such/*' matches none"),
        (["--specs", "nowhere"], "expected a folder of YAML, got nowhere"),
        (["--endpoint-url", "127.0.0.1:4010"], "--endpoint-url: expected http(s)://"),
        (["--report-dir", "file/report"], "--report-dir: expected a folder to write to, got file/report"),
        (["--reality", "wished"], "invalid choice: 'wished'"),
        (["--region", "Mars"], "--region: expected small letters, digits and hyphens, got 'Mars'"),
        (["--endpoint-url", "http://"], "got 'http://'"),
        (["--endpoint-url", ""], "--endpoint-url: expected a value, got an empty one"),
        (["--report-dir", ""], "--report-dir: expected a value, got an empty one"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_2_with_one_clear_line(
    arguments: list[str], says: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    done = conformance("run", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr.splitlines()[-1]
    assert done.stdout == "" and "Traceback" not in done.stderr


def test_a_key_that_would_go_over_plain_http_to_another_machine_is_2(tmp_path: Path) -> None:
    done = conformance(
        "run", "--provider", "bedrock-mantle", "--endpoint-url", "http://provider.example",
        cwd=tmp_path, AWS_BEARER_TOKEN_BEDROCK="canary-of-the-test",
    )  # fmt: skip
    assert done.returncode == 2
    assert "never goes over plain http" in done.stderr and "canary" not in done.stdout + done.stderr


def test_a_rule_whose_check_does_not_exist_is_3(tmp_path: Path) -> None:
    folder = own_specs(tmp_path / "mine", NO_SUCH_CHECK)
    done = conformance("run", "--specs", str(folder), "--api", "my/*", cwd=tmp_path)
    assert done.returncode == 3
    assert "there is no check 'no_such_check'" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("suite error: ")


CRASHES = """
import conformance.run
def judge(*_):
    raise ZeroDivisionError("planted")
conformance.run.judge = judge
"""


def test_a_check_that_crashes_is_3_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(CRASHES)
    done = conformance("run", *FEW, cwd=tmp_path, path=(tmp_path, ROOT))
    assert done.returncode == 3
    assert "ZeroDivisionError: planted (sitecustomize.py:4, in judge)" in done.stdout


def test_a_crash_before_anything_is_asked_is_3_and_not_the_1_of_python(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import conformance.loading as c\nc.load = lambda *_: 1 / 0\n")
    done = conformance("run", cwd=tmp_path, path=(tmp_path, ROOT))
    assert done.returncode == 3
    assert "suite error" in done.stderr.splitlines()[-1]


def test_nobody_there_is_4_with_a_clear_line(tmp_path: Path) -> None:
    done = conformance("run", "--provider", "mock", "--endpoint-url", "http://127.0.0.1:9", cwd=tmp_path)
    assert done.returncode == 4
    [line] = done.stderr.splitlines()
    assert line.startswith("conformance: inconclusive: nobody answers at http://127.0.0.1:9")
    assert line.endswith("Nothing was asked.")
    assert done.stdout == ""


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_provider_that_has_no_time_is_4(status: int, tmp_path: Path, serve: Serve) -> None:
    url = serve(lambda asked: asked.reply(status, {"message": "not now"}))
    done = conformance("run", "--endpoint-url", url, "--report-dir", "report", *FEW, cwd=tmp_path)
    assert done.returncode == 4
    assert f"status {status}" in done.stdout
    report = report_in(tmp_path / "report")
    assert {each["word"] for each in report["findings"]} <= {"inconclusive", "not applicable"}
    assert report["verdict"] == "inconclusive"


def test_of_several_exit_codes_3_comes_before_1(tmp_path: Path, mock: Begin) -> None:
    folder = own_specs(tmp_path / "mine", NO_SUCH_CHECK)
    url = mock(broken=[MUST], specs=load([folder])).http
    done = conformance(
        "run", "--specs", "mine", *FEW, "--api", "my/models", "--endpoint-url", url, "--report-dir", "report",
        cwd=tmp_path,
    )  # fmt: skip
    counts = report_in(tmp_path / "report")["counts"]
    assert (counts["suite error"], counts["broken"]) == (1, 1)
    assert done.returncode == 3


def test_of_several_exit_codes_1_comes_before_4(tmp_path: Path, serve: Serve) -> None:
    url = serve(lambda asked: asked.reply(429 if "/puter/" in asked.path else 404, {"message": "no"}))
    done = conformance("run", *FEW, "--endpoint-url", url, "--report-dir", "report", cwd=tmp_path)
    counts = report_in(tmp_path / "report")["counts"]
    assert counts["inconclusive"] and counts["broken"]
    assert done.returncode == 1


def test_every_set_of_results_ends_in_the_first_of_2_3_1_4_0() -> None:
    must = load().rule("bedrock-mantle/models:status")
    codes = {"kept": 0, "broken": 1, "not asked": 1, "suite error": 3, "inconclusive": 4, "over budget": 4}
    words: list[Any] = list(codes)
    for number in range(1, len(words) + 1):
        for some in itertools.combinations(words, number):
            reached = {codes[word] for word in some}
            expected = next(code for code in (3, 1, 4, 0) if code in reached)
            if not {"kept", "broken", "suite error"} & set(some):
                expected = 4  # nothing was looked at
            assert exit_code([Finding(must, word) for word in some]) == expected, some


def test_ctrl_c_is_4_and_the_report_says_what_was_not_reached(tmp_path: Path, serve: Serve) -> None:
    started, process = threading.Event(), []

    def interrupts(asked: Asked) -> None:
        if asked.path.startswith("/puter/puterai"):
            started.wait()
            os.kill(process[0].pid, signal.SIGINT)
            process[0].wait(60)
        asked.reply(200, {})

    url = serve(interrupts)
    process.append(
        subprocess.Popen(
            [sys.executable, "-m", "conformance", "run", *FEW, "--endpoint-url", url, "--report-dir", "report"],
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            # What a shell starts in the background, and all that it starts, ignores SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    )  # fmt: skip
    started.set()
    out, _ = process[0].communicate(timeout=120)
    report = report_in(tmp_path / "report")
    assert "the run ended before it was looked at" in {each["reason"] for each in report["findings"]}, out
    assert process[0].returncode == report["exit_code"] == 1, "what came before was broken"


def test_a_report_that_there_is_no_room_for_is_told_and_so_is_what_was_found(
    tmp_path: Path, serve: Serve
) -> None:
    url = serve(lambda asked: asked.reply(404, {"message": "no"}))
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "run", *FEW, "--endpoint-url", url, "--report-dir", "report"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )  # fmt: skip
    assert done.returncode == 2
    assert f"--report-dir: no whole report in {tmp_path / 'report'}: File too large" in done.stdout
    assert "not conformant: " in done.stdout
    assert "Traceback" not in done.stdout and "report.html" not in done.stdout


# Where it runs


def test_the_project_around_it_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\npython_files = *_spec.py\naddopts = --nonsense\nminversion = 99\n"
    )
    (tmp_path / "conftest.py").write_text("raise RuntimeError('a conftest of somebody else')\n")
    before = sorted(tmp_path.rglob("*"))
    done = conformance(
        "run",
        *FEW,
        cwd=tmp_path,
        PYTEST_ADDOPTS="--nonsense",
        PYTEST_PLUGINS="no_such_plugin",
        PYTHONWARNINGS="error",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_it_writes_no_cache_into_the_package(tmp_path: Path) -> None:
    assert conformance("run", *FEW, cwd=ROOT / "conformance" / "suite").returncode == 0
    assert list((ROOT / "conformance").rglob(".pytest_cache")) == []


def test_it_prints_the_same_on_the_lowest_pytest(tmp_path: Path, mock: Begin) -> None:
    assert (LOWEST / "pytest").is_dir(), f"expected the oldest pytest: run `make {LOWEST}/.installed`"
    url = mock(broken=[MUST]).http
    outputs = [
        conformance("run", *FEW, "--endpoint-url", url, cwd=tmp_path, path=path)
        for path in ((ROOT,), (LOWEST, ROOT))
    ]  # fmt: skip
    newest, lowest = (each.stdout.rpartition(" in ")[0] for each in outputs)
    assert "model-is-listed (must)" in newest
    assert newest == lowest
    assert [each.returncode for each in outputs] == [1, 1]


# What it prints


def test_failures_come_first_then_the_matrix_then_the_verdict(tmp_path: Path, mock: Begin) -> None:
    out = conformance("run", *FEW, "--endpoint-url", mock(broken=[MUST, SHOULD]).http, cwd=tmp_path).stdout
    lines = out.splitlines()
    places = [
        next(index for index, line in enumerate(lines) if line.startswith(begin))
        for begin in (
            "....",
            "model-is-listed (must)",
            "keys-are-sorted (should)",
            "====",
            "Puter",
            "not conformant:",
        )
    ]
    assert places == sorted(places)
    assert places[-1] == len(lines) - 1
    told = lines[places[1] : places[2]]
    for word in ("at", "expected", "got", "rule", "says", "again"):
        assert any(line.startswith(f"  {word} ") for line in told), word


@pytest.mark.parametrize("report", [(), ("--report-dir", "report")])
def test_of_many_failures_twenty_are_told_causes_first(
    report: tuple[str, ...], tmp_path: Path, serve: Serve
) -> None:
    url = serve(lambda asked: asked.reply(404, {}))
    out = conformance("run", "--endpoint-url", url, "--api", "*/c*", *report, cwd=tmp_path).stdout
    told = [
        line.rpartition(": ")[2]
        for line in out.splitlines()
        if line.partition("  ")[0].endswith((" (must)", " (should)"))
    ]
    assert told == ["broken"] * 20
    [more] = [line for line in out.splitlines() if line.startswith("and ")]
    assert more.endswith("more: in report.html" if report else "more: --report-dir DIR keeps them all")


def test_every_address_of_evidence_is_an_exchange_of_the_report(tmp_path: Path, mock: Begin) -> None:
    url = mock(broken=[MUST, "bedrock-runtime/converse:status"]).http
    conformance("run", "--endpoint-url", url, "--report-dir", "report", "--api", "*/c*", *FEW, cwd=tmp_path)
    report = report_in(tmp_path / "report")
    steps = {f"{address}#{each['step']}" for address, kept in report["exchanges"].items() for each in kept}
    named = {address for finding in report["findings"] for address in finding["evidence"]}
    assert named and named <= steps
    assert all(each["evidence"] for each in report["findings"] if each["word"] == "broken")
    # What two probes have in common was asked once.
    asked = sum("paid" in each for kept in report["exchanges"].values() for each in kept)
    assert report["requests"] == asked <= len(steps)
    assert "report.html" in {each.name for each in (tmp_path / "report").iterdir()}


# Keys


def test_the_key_is_in_nothing_that_is_printed_or_kept(tmp_path: Path, serve: Serve) -> None:
    canary = "bedrock-api-key-canary/of+the=test"

    def echoes(asked: Asked) -> None:
        asked.reply(
            400,
            {"you": dict(asked.headers.items()), "escaped": canary.replace("/", "\\/"), "path": asked.path},
        )

    (temporary := tmp_path / "temporary").mkdir()
    done = conformance(
        "run", "--provider", "bedrock-mantle", "--endpoint-url", serve(echoes), "--report-dir", "report", "--api", "*/c*", "--api", "*/models",
        cwd=tmp_path, AWS_BEARER_TOKEN_BEDROCK=canary, TMPDIR=str(temporary),
    )  # fmt: skip
    assert done.returncode == 1
    assert "$AWS_BEARER_TOKEN_BEDROCK" in done.stdout
    texts = [done.stdout, done.stderr, *(each.read_text() for each in tmp_path.rglob("*") if each.is_file())]
    assert len(texts) > 9, "standard output and error, the files of the report, the evidence"
    for text in texts:
        assert canary not in text and canary.replace("/", "\\/") not in text and "of+the" not in text


def test_a_provider_at_a_mock_is_asked_with_the_key_of_the_environment(tmp_path: Path, mock: Begin) -> None:
    running = mock()
    done = conformance(
        "run", "--provider", "bedrock-mantle", "--endpoint-url", running.http, "--api", "*/models", "--report-dir", "report",
        cwd=tmp_path, AWS_BEARER_TOKEN_BEDROCK=running.info["bearer"],
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert [each["name"] for each in report_in(tmp_path / "report")["targets"]] == ["bedrock-mantle"]
    kept = "".join(each.read_text() for each in (tmp_path / "report").rglob("*") if each.is_file())
    assert running.info["bearer"] not in kept + done.stdout


# lint, show, help


def test_lint_finds_no_problem_in_the_shipped_specs(tmp_path: Path) -> None:
    done = conformance("lint", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("no problem\n")


@pytest.mark.parametrize(
    ("rule", "line", "says"),
    [
        ("rulez: {}\n", 7, "rulez"),
        ("rules:\n  keys-are-sorted: {level: maybe}\n", 8, "maybe"),
        ("rules:\n  keys-are-sorted: {check: no_such_check}\n", 8, "no check 'no_such_check'"),
        ("rules:\n  keys-are-sorted: {also: [no]}\n", 8, "expected"),
        ("rules:\n  keys-are-sorted: {broken_by: [}\n", 8, "expected YAML"),
        ("rules: {}\nrules: {}\n", 8, "duplicate key 'rules'"),
    ],
)
def test_lint_names_file_and_line(rule: str, line: int, says: str, tmp_path: Path) -> None:
    folder = own_specs(tmp_path / "mine", rule)
    done = conformance("lint", "mine", cwd=tmp_path)
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"mine/{(folder / 'contracts' / 'models.yaml').relative_to(folder)}:{line}: "), (
        done.stdout
    )
    assert says in first


def test_lint_of_a_folder_that_is_not_there_is_2(tmp_path: Path) -> None:
    done = conformance("lint", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "conformance: expected a folder of YAML, got nowhere: there is none\n"


def test_show_prints_where_each_line_comes_from(tmp_path: Path) -> None:
    done = conformance("show", "bedrock-runtime/converse-stream", cwd=tmp_path)
    assert done.returncode == 0
    files = set()
    for line in done.stdout.splitlines():
        text, mark, origin = line.rpartition("  # ")
        if mark and not text.strip().startswith("-"):
            name, _, number = origin.partition(":")
            files.add(name)
            there = (ROOT / "specs" / name).read_text().splitlines()[int(number) - 1]
            assert text.strip().partition(":")[0].strip("'\"") in there, line
    assert "contracts/bedrock_runtime/converse_stream.yaml" in files and len(files) >= 2


def test_show_of_a_name_that_is_nearly_right_names_the_right_one(tmp_path: Path) -> None:
    done = conformance("show", "bedrock-runtime/convers", cwd=tmp_path)
    assert done.returncode == 2
    assert "bedrock-runtime/converse" in done.stderr


def test_show_shows_a_contract_of_ones_own(tmp_path: Path) -> None:
    own_specs(tmp_path / "mine")
    done = conformance("show", "my/models", "--specs", "mine", cwd=tmp_path)
    assert done.returncode == 0
    assert "# mine/contracts/models.yaml:1" in done.stdout
    assert "# contracts/bedrock_mantle/models.yaml:" in done.stdout


@pytest.mark.parametrize("command", [(), ("run",), ("lint",), ("show",), ("mutants",)])
def test_help_teaches_by_examples(command: tuple[str, ...], tmp_path: Path) -> None:
    done = conformance(*command, "--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert "examples:" in done.stdout
    assert f"conformance {' '.join(command)}".strip() in done.stdout.partition("examples:")[2]
    if command and command != ("show",):
        assert "exit codes: 0 " in done.stdout


def test_no_command_prints_the_help_and_is_2(tmp_path: Path) -> None:
    done = conformance(cwd=tmp_path)
    assert done.returncode == 2
    assert "examples:" in done.stdout
