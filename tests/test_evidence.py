"""A stored run judged again, a finding shown, and the lines to paste that ask once more."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.loading import load
from conformance.runs.evidence import digest, steps
from conformance.runs.stored import read_run
from mockserver.embedded import Running, start

SPECS = load()
RULE = "bedrock-mantle/chat-completions:usage-adds-up"
LONG = "bedrock-mantle/chat-completions:broken-image-is-refused"


@pytest.fixture(scope="module")
def mock() -> Iterator[Running]:
    running = start(specs=SPECS, auth="strict")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def run(mock: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run against a mock that is still there."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "conformance", "run", "--endpoint-url", mock.info["http"]]
    command += ["--api", "bedrock-mantle/chat-completions", "--report-dir", str(folder)]
    subprocess.run(command, check=False, capture_output=True, cwd=folder)
    return folder


def words(said: Any) -> dict[str, str]:
    return {f"{each['contract']}:{each['rule']}": each["word"] for each in said["findings"]}


def test_a_stored_run_judged_again_says_the_same_and_asks_nobody(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("conformance.ask.Asker.ask", lambda *arguments: asked.append(arguments))
    code = main(["judge", str(run), "--report-dir", str(tmp_path / "again")])
    assert asked == []
    first, again = read_run(run), read_run(tmp_path / "again")
    assert code == first["exit_code"]
    assert words(again) == words(first)
    assert again["exchanges"] == first["exchanges"]
    assert again["requests"] == 0
    assert "judged again" in capsys.readouterr().out


def test_a_stored_run_is_judged_by_the_answers_it_kept(run: Path, tmp_path: Path) -> None:
    said = json.loads((run / "report.json").read_text(encoding="utf-8"))
    [finding] = [each for each in said["findings"] if f"{each['contract']}:{each['rule']}" == RULE]
    [evidence] = finding["evidence"]
    for step in said["exchanges"][evidence.rpartition("#")[0]]:
        chunk = step["response"]["chunks"][0]
        chunk["text"] = re.sub(r'"total_tokens":\d+', '"total_tokens":1', chunk["text"])
    (tmp_path / "report.json").write_text(json.dumps(said), encoding="utf-8")
    assert main(["judge", str(tmp_path), "--report-dir", str(tmp_path / "again")]) == 1
    assert words(read_run(tmp_path / "again"))[RULE] == "broken"


def test_a_rule_whose_probe_the_stored_run_did_not_ask_is_not_applicable(run: Path, tmp_path: Path) -> None:
    said = json.loads((run / "report.json").read_text(encoding="utf-8"))
    gone = [address for address in said["exchanges"] if "-no-model-" in address]
    assert gone
    for address in gone:
        del said["exchanges"][address]
    (tmp_path / "report.json").write_text(json.dumps(said), encoding="utf-8")
    main(["judge", str(tmp_path), "--report-dir", str(tmp_path / "again")])
    again = read_run(tmp_path / "again")
    assert words(again)["bedrock-mantle/chat-completions:missing-model-is-refused"] == "not applicable"


def test_a_probe_that_asks_something_else_now_is_not_judged_on_what_was_asked_then(
    run: Path, tmp_path: Path
) -> None:
    said = json.loads((run / "report.json").read_text(encoding="utf-8"))
    [address] = [address for address in said["exchanges"] if "-greets-" in address]
    body = said["exchanges"][address][0]["request"]["body"]
    body["text"] = body["text"].replace("Hello!", "Good morning!")
    (tmp_path / "report.json").write_text(json.dumps(said), encoding="utf-8")
    main(["judge", str(tmp_path), "--report-dir", str(tmp_path / "again")])
    assert words(read_run(tmp_path / "again"))[RULE] == "not applicable"


def test_every_exchange_lies_beside_the_report_under_the_hash_of_what_is_in_it(run: Path) -> None:
    said = read_run(run)
    names = {f"{digest(step)}.json" for _, _, step in steps(said)}
    assert names == {path.name for path in (run / "evidence").iterdir()}
    path = run / "evidence" / sorted(names)[0]
    assert {"url", "when", "status", "response_chunks"} <= set(json.loads(path.read_text(encoding="utf-8")))


def test_evidence_of_an_earlier_run_does_not_stay(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    (folder / "evidence").mkdir(parents=True)
    old, foreign = folder / "evidence" / "0123456789abcdef.json", folder / "evidence" / "mine.json"
    old.touch()
    foreign.touch()
    main(["judge", str(run), "--report-dir", str(folder)])
    assert not old.exists()
    assert foreign.exists()


def shown(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["show", name, "--run", str(run)]) == 0
    return capsys.readouterr().out


def test_a_finding_is_shown_with_its_exchange(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = shown(run, RULE, capsys)
    assert "usage-adds-up (must)  bedrock-mantle/chat-completions: kept" in out
    assert "> POST http://127.0.0.1" in out
    assert '< {"choices"' in out
    assert "> Authorization: Bearer $MOCK_KEY" in out


def test_an_exchange_is_shown_by_the_beginning_of_its_hash(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = sorted((run / "evidence").iterdir())[0].stem
    assert name in shown(run, name[:8], capsys)


def test_what_the_run_does_not_have_is_an_error_with_the_closest(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "bedrock-mantle/chat-completions:usage-ads-up", "--run", str(run)]) == 2
    assert RULE in capsys.readouterr().err
    assert main(["show", RULE, "--run", str(run / "nowhere")]) == 2


def test_a_rule_is_shown_with_its_source_and_its_counterexample(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "openai/responses:cache-writes-are-counted"]) == 0
    out = capsys.readouterr().out
    assert "since     2026-07-01" in out
    assert "broken by" in out
    assert main(["show", "openai/responses:no-such-rule"]) == 2


def pasted(run: Path, name: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The curl line and the Python program of a finding's last exchange."""
    out = shown(run, name, capsys).splitlines()
    at = max(index for index, line in enumerate(out) if line == "python")
    program = []
    for line in out[at + 1 :]:
        if not line.startswith("    "):
            break
        program.append(line.removeprefix("    "))
    [curl] = [line.removeprefix("curl").strip() for line in out[at - 1 : at]]
    return curl, "\n".join(program)


@pytest.mark.parametrize(("name", "status"), [(RULE, "200"), (LONG, "400")])
def test_the_lines_to_paste_ask_the_same_once_more(
    mock: Running, run: Path, capsys: pytest.CaptureFixture[str], name: str, status: str
) -> None:
    curl, program = pasted(run, name, capsys)
    assert str(mock.info["bearer"]) not in curl + program
    environment = {**os.environ, "MOCK_KEY": str(mock.info["bearer"]), "NO_PROXY": "*", "no_proxy": "*"}
    bash = shutil.which("bash") or "/bin/sh"
    for command in ([bash, "-c", curl], [sys.executable, "-c", program]):
        done = subprocess.run(command, cwd=run, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert status in done.stdout.splitlines()[0]


def test_the_body_that_a_line_names_is_there(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = read_run(run)
    named = {
        found for each in said["findings"] for found in re.findall(r"bodies/[0-9a-f]{16}\.\w+", each["again"])
    }
    assert named
    for name in named:
        assert hashlib.sha256((run / name).read_bytes()).hexdigest()[:16] == Path(name).stem
