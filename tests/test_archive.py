"""Stored runs on the command line: shards and their merge, baselines, diffs, waivers, frozen rules, other formats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.documents import library
from conformance.formats import FILES
from conformance.runs.stored import read_run, shape
from mockserver.embedded import Running
from tests.test_stored import finding, run

ROOT = Path(__file__).resolve().parent.parent
MUST = "puter/models:model-is-listed"
FEW = ("--api", "puter/models", "--api", "bedrock-mantle/models")
MORE = (*FEW, "--api", "bedrock-runtime/invoke-model")

Begin = Callable[..., Running]
Done = subprocess.CompletedProcess[str]


def conformance(*arguments: str, cwd: Path) -> Done:
    """Runs `conformance ...` in a folder."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=cwd, env={**environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def words(document: dict[str, Any]) -> dict[str, str]:
    return {f"{each['contract']}:{each['rule']}": each["word"] for each in document["findings"]}


def journal(running: Running) -> list[str]:
    """Every request that came to the mock, sorted, but for those by which a run finds out if anybody is there."""
    state: Any = running.mock.state
    return sorted(
        f"{entry.method} {entry.path} {entry.status}"
        for space in state.spaces()
        for entry in space.journal
        if entry.path != "/"
    )


def waivers(folder: Path, rule: str = MUST, expires: str = "2099-12-31", name: str = "w.yaml") -> Path:
    path = folder / name
    path.write_text(
        f"waivers:\n  - rule: {rule}\n    reason: it is known\n    link: https://tracker.example/1\n"
        f"    owner: me\n    expires: {expires}\n"
    )
    return path


def test_shards_ask_together_what_a_whole_run_asks_and_merge_to_what_it_found(
    tmp_path: Path, mock: Begin
) -> None:
    whole, parts = mock(seed=7, broken=[MUST]), mock(seed=7, broken=[MUST])
    done = conformance("run", *MORE, "--endpoint-url", whole.http, "--report-dir", "whole", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    for number in (1, 2, 3):
        options = ("--endpoint-url", parts.http, "--shard", f"{number}/3", "--report-dir", f"part-{number}")
        conformance("run", *MORE, *options, cwd=tmp_path)
    assert journal(parts) == journal(whole) and len(journal(whole)) > 20
    done = conformance("merge", "part-3", "part-1", "part-2", "-o", "merged", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    one, other = read_run(tmp_path / "whole"), read_run(tmp_path / "merged")
    assert words(other) == words(one)
    assert (other["requests"], other["counts"]) == (one["requests"], one["counts"])
    assert {name: len(steps) for name, steps in other["exchanges"].items()} == {
        name: len(steps) for name, steps in one["exchanges"].items()
    }
    for name in ("part-1", "part-2", "part-3"):
        assert 0 < len(read_run(tmp_path / name)["findings"]) < len(one["findings"])


def test_a_shard_is_the_same_shard_in_every_run(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        conformance("run", *FEW, "--shard", "2/2", "--report-dir", name, cwd=tmp_path)
        found.append(words(read_run(tmp_path / name)))
    assert found[0] == found[1] != {}


def test_merge_tells_what_failed_and_what_it_cost_as_a_run_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {
        "model": "m.1",
        "api": "Plain",
        "requests": 2,
        "retries": 0,
        "input_tokens": 7,
        "output_tokens": 3,
    }
    paid = {"currency": "USD", "lines": [{**line, "cost": 0.25}], "total": 0.25}
    parts = [
        run(finding("cap"), selection={"provider": "mock", "shard": "1/2"}, receipt=paid),
        run(finding("ends", "broken"), selection={"provider": "mock", "shard": "2/2"}, receipt=paid),
    ]
    for number, part in enumerate(parts):
        (tmp_path / f"{number}.json").write_text(json.dumps(part))
    out = tmp_path / "whole"
    assert main(["merge", str(tmp_path / "0.json"), str(tmp_path / "1.json"), "-o", str(out)]) == 1
    told = capsys.readouterr().out
    assert told.startswith("ends (must)  big/plain: broken\n")
    assert "  m.1           4        0         14    6  $0.50\n" in told
    assert f"report: {out / 'report.html'}\n" in told
    assert told.splitlines()[-1].startswith("not conformant: 1 kept, 1 broken;")


def test_merge_refuses_a_run_without_one_of_its_shards(tmp_path: Path) -> None:
    conformance("run", *FEW, "--shard", "1/2", "--report-dir", "part", cwd=tmp_path)
    done = conformance("merge", "part", "-o", "merged", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "expected every shard, got no 2/2" in done.stderr
    assert not (tmp_path / "merged").exists()


def test_a_baseline_fails_the_run_for_what_it_kept_and_for_nothing_else(tmp_path: Path, mock: Begin) -> None:
    good = ("--endpoint-url", mock(broken=[]).http)
    bad = ("--endpoint-url", mock(broken=[MUST]).http)
    assert conformance("run", *FEW, *good, "--report-dir", "good", cwd=tmp_path).returncode == 0
    assert conformance("run", *FEW, *bad, "--report-dir", "bad", cwd=tmp_path).returncode == 1
    new = ("--fail-on", "new", "--report-dir", "now", "--baseline")
    done = conformance("run", *FEW, *bad, *new, "good", cwd=tmp_path)
    assert done.returncode == 1, done.stdout
    done = conformance("run", *FEW, *bad, *new, "bad", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("conformant: ") and ", 1 excused; " in done.stdout
    finding = next(each for each in read_run(tmp_path / "now")["findings"] if each["excused"])
    assert (finding["word"], finding["rule"]) == ("broken", "model-is-listed")
    assert "did not keep it either" in finding["excused"]
    # A rule that the baseline did not look at is not one that it kept.
    only = ("--api", "bedrock-mantle/models")
    assert conformance("run", *only, *good, "--report-dir", "less", cwd=tmp_path).returncode == 0
    assert conformance("run", *FEW, *bad, *new, "less", cwd=tmp_path).returncode == 0
    # Without --fail-on new a baseline excuses nothing.
    assert conformance("run", *FEW, *bad, "--baseline", "bad", cwd=tmp_path).returncode == 1


def test_a_baseline_does_not_turn_silence_into_green(tmp_path: Path, mock: Begin) -> None:
    running = mock()
    options = ("--endpoint-url", running.http, "--report-dir", "good")
    assert conformance("run", *FEW, *options, cwd=tmp_path).returncode == 0
    running.stop()
    new = ("--endpoint-url", running.http, "--fail-on", "new", "--baseline", "good")
    assert conformance("run", *FEW, *new, cwd=tmp_path).returncode == 4


def test_diff_exits_with_1_for_what_is_new_alone(tmp_path: Path, mock: Begin) -> None:
    for name, broken in (("good", []), ("bad", [MUST])):
        options = ("--endpoint-url", mock(broken=broken, seed=1).http, "--report-dir", name)
        conformance("run", *FEW, *options, cwd=tmp_path)
    done = conformance("diff", "good", "bad", cwd=tmp_path)
    assert done.returncode == 1
    assert "model-is-listed (must)  puter/models: kept -> broken" in done.stdout
    done = conformance("diff", "bad", "good/report.json", "--format", "markdown", cwd=tmp_path)
    assert done.returncode == 0 and "Fixed: kept now (1)" in done.stdout
    done = conformance("diff", "good", "good", "--format", "json", cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)["new"] == []
    assert conformance("diff", "good", "nowhere", cwd=tmp_path).returncode == 2


def test_a_waiver_excuses_and_a_stale_or_late_one_fails(tmp_path: Path, mock: Begin) -> None:
    broken, clean = ("--endpoint-url", mock(broken=[MUST]).http), ("--endpoint-url", mock().http)
    held = ("--waivers", str(waivers(tmp_path)))
    done = conformance("run", *FEW, *broken, *held, "--report-dir", "report", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "waivers: 1 used" in done.stdout
    assert [each["state"] for each in read_run(tmp_path / "report")["waivers"]] == ["used"]
    done = conformance("run", *FEW, *clean, *held, cwd=tmp_path)
    assert done.returncode == 1
    assert "waived at w.yaml:2, but it holds: remove the waiver" in done.stdout
    late = ("--waivers", str(waivers(tmp_path, expires="2026-01-01")))
    done = conformance("run", *FEW, *broken, *late, cwd=tmp_path)
    assert (
        done.returncode == 1
        and "w.yaml:2: the waiver of puter/models:model-is-listed (me) expired" in done.stdout
    )
    # Its day is over though nothing that it speaks of was looked at.
    only = ("--api", "bedrock-mantle/models")
    done = conformance("run", *only, *clean, *late, cwd=tmp_path)
    assert done.returncode == 1 and done.stdout.splitlines()[-1].startswith("not conformant: ")
    assert "broken" not in done.stdout.splitlines()[-1]


def test_waivers_in_the_working_folder_count_for_a_named_provider_and_not_for_the_mock(
    tmp_path: Path, mock: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    waivers(tmp_path, "no-such-rule", name="conformance-waivers.yaml")
    assert conformance("run", *FEW, cwd=tmp_path).returncode == 0
    monkeypatch.setenv("PUTER_AUTH_TOKEN", "x" * 20)
    url = f"{mock(auth='lenient').http}/puter"
    options = ("--provider", "puter", "--endpoint-url", url, "--api", "puter/models")
    done = conformance("run", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "conformance-waivers.yaml:2: no rule 'no-such-rule'" in done.stderr


def test_an_installed_package_freezes_into_the_folder_where_it_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(library, "PACKAGE", library.SPECS.parent)
    assert main(["freeze", "1.0"]) == 0
    assert (tmp_path / "rulesets" / "1.0.yaml").is_file()
    assert "conformance run --rules rulesets/1.0.yaml" in capsys.readouterr().out


def test_a_run_of_frozen_rules_says_what_it_leaves_out_and_keeps_its_levels(
    tmp_path: Path, mock: Begin
) -> None:
    folder = tmp_path / "specs"
    (folder / "contracts").mkdir(parents=True)
    done = conformance("freeze", "1.0", "--specs", "specs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = folder / "rulesets" / "1.0.yaml"
    assert conformance("freeze", "1.0", "--specs", "specs", cwd=tmp_path).returncode == 2
    running = ("--endpoint-url", mock(broken=[MUST]).http, "--rules", str(path))
    assert conformance("run", *FEW, *running, cwd=tmp_path).returncode == 1
    # Frozen as a should, it warns though it is a must today; one that is not in the set is left out.
    text = path.read_text()
    start_of = text.index("  puter/models:\n")
    own = text[start_of:].replace("model-is-listed: [must,", "model-is-listed: [should,", 1)
    own = own.replace("    shape: [", "    other: [", 1)
    path.write_text(text[:start_of] + own)
    done = conformance("run", *FEW, *running, "--report-dir", "report", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    document = read_run(tmp_path / "report")
    assert document["ruleset"]["name"] == document["selection"]["rules"] == "1.0"
    why = {each["rule"]: each["why"] for each in document["ruleset"]["dropped"]}
    assert why["puter/models:shape"] == "newer than 1.0"
    assert why["puter/models:other"] == "it was in 1.0 and is gone"
    assert "puter/models:shape" not in words(document)
    assert "puter/models:other: it was in 1.0 and is gone" in done.stdout
    done = conformance("lint", "specs", cwd=tmp_path)
    assert done.returncode == 1 and "puter/models:other: it was in 1.0 and is gone" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--fail-on", "new"), "--fail-on new: expected --baseline RUN beside it"),
        (
            ("run", "--baseline", "nowhere"),
            "expected a run (report.json, or the folder with it), got nowhere",
        ),
        (("run", "--waivers", "nowhere"), "--waivers: expected a file, got nowhere"),
        (("run", "--rules", "1000.1"), "--rules: expected a file or one of"),
        (("run", "--shard", "0/3"), "--shard: expected I/N with 1 <= I <= N, such as 1/3, got '0/3'"),
        (("run", "--shard", "4/3"), "got '4/3'"),
        (("run", "--shard", "half"), "got 'half'"),
        (("run", *FEW, "--shard", "99/100"), "--shard: expected at most"),
        (("report", "nowhere", "--format", "html"), "expected a run"),
        (("freeze", "../x"), "freeze: expected a name such as 2026.1"),
    ],
)
def test_what_cannot_be_is_2_with_one_clear_line(
    arguments: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    done = conformance(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert says in done.stderr.splitlines()[-1] and len(done.stderr.splitlines()) == 1


def test_a_stored_run_is_drawn_again_byte_for_byte(tmp_path: Path) -> None:
    conformance("run", *FEW, "--report-dir", "report", cwd=tmp_path)
    assert conformance("report", "report", "-o", "again", cwd=tmp_path).returncode == 0
    files = {name: (tmp_path / "report" / name).read_bytes() for name in FILES}
    assert {name: (tmp_path / "again" / name).read_bytes() for name in FILES} == files
    done = conformance("report", "report/report.json", "--format", "junit", cwd=tmp_path)
    assert done.stdout.encode() == files["junit.xml"]
    assert len(list(xml.fromstring(done.stdout).iter("testcase"))) == len(
        read_run(tmp_path / "report")["findings"]
    )


def test_a_written_run_fits_its_schema_whatever_became_of_it(tmp_path: Path, mock: Begin) -> None:
    running = mock(broken=[MUST, "puter/models:shape", "bedrock-mantle/models:status"])
    held = ("--waivers", str(waivers(tmp_path)))
    for options in ((), held, ("--endpoint-url", running.http), ("--endpoint-url", running.http, *held)):
        conformance("run", *FEW, *options, "--report-dir", "report", cwd=tmp_path)
        document = json.loads((tmp_path / "report" / "report.json").read_text())
        assert shape().mismatches(document) == []
        assert {each["word"] for each in document["findings"]} >= {"kept"}
