"""The suite through plain pytest: pytest runs in a process of its own, its lines and its report are read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.loading import load
from mockserver.embedded import Running

ROOT = Path(__file__).resolve().parent.parent
LOWEST = ROOT / "build" / "pytest-lowest"

ALONE = "puter/models:model-is-listed"
"""A rule of level must that nothing else falls with."""
SHOULD = "bedrock-mantle/models:keys-are-sorted"
FEW = ("--conformance-api", "bedrock-mantle/models", "--conformance-api", "puter/models")

Begin = Callable[..., Running]


class Ran:
    """One run of pytest: its exit code, what it printed, its report."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.code, self.out = done.returncode, done.stdout + done.stderr
        self._report = folder / "report" / "report.json"

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self._report.read_text()))

    def words(self) -> dict[str, str]:
        """The word of every rule that was looked for."""
        return {f"{each['contract']}:{each['rule']}": each["word"] for each in self.report["findings"]}

    def outcomes(self) -> dict[str, int]:
        """What pytest's last line counts."""
        return {
            word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", self.out.splitlines()[-1])
        }


def run(folder: Path, *options: str, version: str = "newest", alone: bool = True, **environment: str) -> Ran:
    """Runs the suite in a project folder. `alone`: with no plugin that is not named in the options."""
    if version == "lowest":
        assert (LOWEST / "pytest").is_dir(), f"expected the oldest pytest: run `make {LOWEST}/.installed`"
    path = [*([str(LOWEST)] if version == "lowest" else []), str(ROOT)]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": os.pathsep.join(path), **environment}
    if alone:
        environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        options = ("-p", "conformance.plugin", *options)
    command = [sys.executable, "-m", "pytest", "--pyargs", "conformance.suite", *options]
    done = subprocess.run(
        [*command, "--conformance-report-dir", "report"],
        cwd=folder, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ran(done, folder)


def found(report: dict[str, Any]) -> list[Any]:
    """The findings without what differs between two runs of one mock: ids in bodies."""
    return [{key: value for key, value in each.items() if key != "again"} for each in report["findings"]]


def requests_of(running: Running) -> list[str]:
    """Every request that came to the mock, sorted."""
    state: Any = running.mock.state
    return sorted(
        f"{entry.method} {entry.path} {entry.status}" for space in state.spaces() for entry in space.journal
    )


def test_the_whole_suite_passes_against_the_embedded_mock_beside_the_plugins_of_the_environment(
    tmp_path: Path,
) -> None:
    ran = run(tmp_path, alone=False)
    assert ran.code == 0, ran.out
    assert "randomly-" in ran.out and "xdist-" in ran.out
    specs = load()
    looked_for = {
        rule.name
        for provider in specs.providers.values()
        for contract in specs.of(provider.id)
        for rule in contract.for_model(provider.said["model"]).rules.values()
        if rule.not_checked is None
    }
    assert set(ran.words()) == looked_for
    assert set(ran.words().values()) == {"kept", "not applicable"}
    assert ran.report["verdict"] == "conformant"
    assert ran.outcomes()["passed"] == ran.report["counts"]["kept"] > 500
    assert ran.outcomes()["skipped"] == ran.report["counts"]["not applicable"]


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
@pytest.mark.parametrize("version", ["lowest", "newest"])
def test_it_passes_on_every_pytest_and_import_mode(version: str, mode: str, tmp_path: Path) -> None:
    ran = run(tmp_path, *FEW, f"--import-mode={mode}", "-W", "error", version=version)
    assert ran.code == 0, ran.out
    assert ("pytest-8.0.0" in ran.out) == (version == "lowest")
    assert "conformant: 17 kept" in ran.out
    assert ran.outcomes() == {"passed": 17}


@pytest.mark.parametrize("dist", ["load", "loadgroup"])
def test_two_workers_ask_every_exchange_once_and_find_the_same(
    dist: str, tmp_path: Path, mock: Begin
) -> None:
    broken = (ALONE, SHOULD, "bedrock-runtime/converse:usage-given")
    options = (*FEW, "--conformance-api", "bedrock-runtime/converse", "--conformance-endpoint-url")
    ran, asked = [], []
    for plugins in ((), ("-p", "xdist", "-n", "2", "--dist", dist)):
        (folder := tmp_path / str(len(ran))).mkdir()
        running = mock(broken=broken, seed=7)
        ran.append(run(folder, *options, running.http, *plugins))
        asked.append(requests_of(running))
    serial, parallel = ran
    assert "2 workers" in parallel.out
    assert asked[0] == asked[1] and len(asked[0]) == serial.report["requests"] > 30
    assert found(serial.report) == found(parallel.report)
    assert serial.outcomes() == parallel.outcomes() and serial.outcomes()["failed"] >= 1
    assert serial.code == parallel.code == 1
    assert serial.report["exchanges"].keys() == parallel.report["exchanges"].keys()


def test_what_a_mismatch_did_not_get_is_absent_from_the_report_of_workers_too(
    tmp_path: Path, mock: Begin
) -> None:
    running = mock(broken=["bedrock-mantle/models:wrong-bearer-is-401"])
    for options in ((), ("-p", "xdist", "-n", "2")):
        ran = run(tmp_path, *FEW, "--conformance-endpoint-url", running.http, *options)
        mismatches = [each for finding in ran.report["findings"] for each in finding["mismatches"]]
        [code] = [each for each in mismatches if each["at"] == "/body/error/code"]
        assert "got" not in code, options


def test_workers_bring_mocks_of_their_own(tmp_path: Path) -> None:
    ran = run(tmp_path, *FEW, "-p", "xdist", "-n", "2")
    assert ran.code == 0, ran.out
    assert ran.report["verdict"] == "conformant" and ran.report["requests"] == 6
    assert {target["auth"] for target in ran.report["targets"]} == {"strict"}


def test_any_order_finds_the_same(tmp_path: Path, mock: Begin) -> None:
    running = mock(broken=[ALONE])
    options = (*FEW, "--conformance-endpoint-url", running.http)
    plain = run(tmp_path, *options)
    orders = []
    for seed in ("1", "2"):
        shuffled = run(tmp_path, *options, "-v", "-p", "pytest_randomly", f"--randomly-seed={seed}")
        orders.append(re.findall(r"promises.py::(\S+)", shuffled.out))
        assert found(plain.report) == found(shuffled.report)
    assert orders[0] != orders[1] and sorted(orders[0]) == sorted(orders[1])


def test_a_broken_rule_fails_its_item_and_no_other(tmp_path: Path, mock: Begin) -> None:
    ran = run(tmp_path, *FEW, "-rf", "--conformance-endpoint-url", mock(broken=[ALONE]).http)
    assert ran.code == 1
    assert re.findall(r"^FAILED \S+::(\S+)", ran.out, re.M) == [f"test_behaviour[{ALONE}]"]
    assert ran.outcomes() == {"failed": 1, "passed": 16}
    assert ran.report["verdict"] == "not conformant"
    assert [name for name, word in ran.words().items() if word != "kept"] == [ALONE]
    for line in (
        "  at        /body/models/*",
        "  expected  one of magistral",
        '  got       ["another:model"]',
        "  again     curl ",
    ):
        assert line in ran.out, ran.out
    assert "Traceback" not in ran.out and "session.py" not in ran.out


def test_a_broken_should_is_a_warning(tmp_path: Path, mock: Begin) -> None:
    ran = run(tmp_path, *FEW, "--conformance-endpoint-url", mock(broken=[SHOULD]).http)
    assert ran.code == 0
    assert ran.outcomes() == {"passed": 17, "warning": 1}
    assert "ShouldWarning: keys-are-sorted (should)" in ran.out
    assert ran.report["verdict"] == "conformant" and ran.words()[SHOULD] == "broken"


def test_a_broken_should_is_red_when_warnings_are_errors_and_can_be_taken_out(
    tmp_path: Path, mock: Begin
) -> None:
    options = (*FEW, "--conformance-endpoint-url", mock(broken=[SHOULD]).http, "-W", "error")
    strict = run(tmp_path, *options)
    assert strict.code == 1 and strict.outcomes() == {"failed": 1, "passed": 16}
    assert strict.report["verdict"] == "conformant"
    taken_out = run(tmp_path, *options, "-W", "default::conformance.suite.ShouldWarning")
    assert taken_out.code == 0 and taken_out.outcomes() == {"passed": 17, "warning": 1}


HOSTILE_INI = """
[pytest]
python_files = *_spec.py
python_functions = check_*
python_classes = Describe*
empty_parameter_set_mark = fail_at_collect
addopts = --strict-markers --strict-config --model theirs
filterwarnings = error
"""
HOSTILE_CONFTEST = """
def pytest_addoption(parser):
    for name in ("--model", "--provider", "--region", "--api", "--specs", "--report-dir", "--endpoint-url"):
        parser.addoption(name)
"""


@pytest.mark.parametrize("version", ["lowest", "newest"])
def test_the_configuration_of_the_project_does_not_matter(version: str, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(HOSTILE_INI)
    (tmp_path / "conftest.py").write_text(HOSTILE_CONFTEST)
    (tmp_path / "their_spec.py").write_text(
        "def check_theirs(request):\n    assert request.config.option.model == 'theirs'\n"
    )
    ran = run(tmp_path, ".", *FEW, "-v", version=version)
    assert ran.code == 0, ran.out
    assert "their_spec.py::check_theirs PASSED" in ran.out
    assert ran.outcomes() == {"passed": 18}


def test_k_chooses_among_the_rules(tmp_path: Path) -> None:
    ran = run(tmp_path, *FEW, "-k", "keys-are-sorted or test_auth")
    assert ran.code == 0
    assert ran.outcomes() == {"passed": 4, "deselected": 13}
    assert len(ran.words()) == 4


def test_lf_asks_the_broken_rule_again_and_nothing_else(tmp_path: Path, mock: Begin) -> None:
    running = mock(broken=[ALONE])
    options = (*FEW, "--conformance-endpoint-url", running.http)
    assert run(tmp_path, *options).code == 1
    before = len(requests_of(running))
    ran = run(tmp_path, *options, "--lf")
    assert ran.code == 1 and ran.outcomes() == {"failed": 1, "deselected": 16}
    assert len(requests_of(running)) == before + 1


def test_collect_only_lists_the_rules_and_asks_nothing(tmp_path: Path, mock: Begin) -> None:
    running = mock()
    ran = run(tmp_path, *FEW, "--collect-only", "-q", "--conformance-endpoint-url", running.http)
    assert ran.code == 0
    assert f"promises.py::test_behaviour[{ALONE}]" in ran.out
    assert "17 tests collected" in ran.out
    assert requests_of(running) == []
    assert not (tmp_path / "report" / "report.json").exists()


def test_what_does_not_apply_is_skipped_with_the_reason(tmp_path: Path, mock: Begin) -> None:
    ran = run(tmp_path, *FEW, "-rs", "--conformance-endpoint-url", mock(auth="lenient").http)
    assert ran.code == 0
    assert ran.outcomes() == {"passed": 15, "skipped": 2}
    assert "the target checks credentials in mode lenient, the rule needs strict" in ran.out


def test_a_run_that_looked_at_nothing_is_red(tmp_path: Path, mock: Begin) -> None:
    options = ("-k", "wrong-bearer-is-401", "--conformance-endpoint-url", mock(auth="lenient").http)
    ran = run(tmp_path, *FEW, *options)
    assert ran.code == 1
    assert ran.report["verdict"] == "inconclusive" and ran.report["requests"] == 0


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_what_a_stopped_run_did_not_reach_is_not_green(
    workers: tuple[str, ...], tmp_path: Path, mock: Begin
) -> None:
    url = mock(broken=["bedrock-runtime/converse:status"]).http
    api = ("--conformance-api", "bedrock-runtime/converse")
    whole = run(tmp_path, *api, "--conformance-endpoint-url", url).words()
    ran = run(tmp_path, *api, "-x", "--conformance-endpoint-url", url, *workers)
    assert ran.words().keys() == whole.keys()
    reasons = [each["reason"] for each in ran.report["findings"]]
    assert reasons.count("the run ended before it was looked at") > len(reasons) / 2


def test_a_file_of_the_same_name_is_not_the_suite(tmp_path: Path) -> None:
    (tmp_path / "promises.py").write_text("def test_theirs(): pass\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    for workers in ("0", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "promises.py", "-n", workers],
            cwd=tmp_path, env={**environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr
        assert " conformance ===" not in done.stdout


@pytest.mark.parametrize("plugins", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--conformance-provider", "nobody"], "--provider: expected one of mock, "),
        (["--conformance-provider", "bedrock-mantle"], "no key for bedrock-mantle: set AWS_BEARER_TOKEN_BEDROCK"),
        (["--conformance-specs", "nowhere"], "nowhere: expected a folder"),
        (["--conformance-api", "no-such/*"], "'no-such/*' matches none"),
        (["--conformance-endpoint-url", "127.0.0.1:4010"], "expected http(s)://host[:port][/path], got '127.0.0.1:4010'"),
    ],
    ids=["provider", "key", "specs", "api", "url"],
)  # fmt: skip
def test_a_usage_error_is_one_line_and_pytests_own_exit_code(
    options: list[str], says: str, plugins: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    ran = run(tmp_path, *options, *plugins)
    assert ran.code == pytest.ExitCode.USAGE_ERROR, ran.out
    [line] = [line for line in ran.out.splitlines() if line.startswith("ERROR: ")]
    assert says in line
    assert "Traceback" not in ran.out and "session.py" not in ran.out


def test_a_fault_of_the_suite_is_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "specs" / "contracts"
    folder.mkdir(parents=True)
    (folder / "models.yaml").write_text(
        "contract: my/models\nextends: bedrock-mantle/models\nsummary: The list of the models, at an address of our own.\n"
        "source: {text: this test, sure: guess}\nrequest: {paths: [/v1/my-models]}\nexchanges: {hello: null}\n"
        "rules:\n  keys-are-sorted: {check: no_such_check}\n"
    )
    ran = run(tmp_path, "--conformance-specs", "specs", "--conformance-api", "my/*")
    assert ran.code == 1
    assert ran.report["verdict"] == "suite error"
    assert ran.words()["my/models:keys-are-sorted"] == "suite error"
    assert "there is no check 'no_such_check'" in ran.out


def test_a_dead_endpoint_is_inconclusive_and_red(tmp_path: Path) -> None:
    ran = run(tmp_path, *FEW, "--conformance-endpoint-url", "http://127.0.0.1:9")
    assert ran.code == 1
    assert ran.report["verdict"] == "inconclusive"
    assert "Traceback" not in ran.out


def test_the_report_of_an_earlier_run_is_gone_when_this_one_cannot_begin(tmp_path: Path) -> None:
    assert run(tmp_path, *FEW).code == 0
    assert (tmp_path / "report" / "report.json").exists() and (tmp_path / "report" / "report.html").exists()
    assert run(tmp_path, "--conformance-provider", "nobody").code == 4
    assert list((tmp_path / "report").iterdir()) == []


def test_an_own_folder_beside_the_report_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "report" / "exchanges" / "mine.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")
    assert run(tmp_path, *FEW).code == 0
    assert mine.read_text() == "{}"
    names = {each.name for each in mine.parent.parent.iterdir()}
    assert names >= {"exchanges", "report.html", "report.json", "report.md", "junit.xml"}


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_no_temporary_folder_stays(workers: tuple[str, ...], tmp_path: Path) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    ran = run(tmp_path, *FEW, *workers, TMPDIR=str(temporary))
    assert ran.code == 0, ran.out
    assert [each.name for each in temporary.iterdir() if not each.name.startswith("pytest-of-")] == []


def test_junit_names_every_rule(tmp_path: Path, mock: Begin) -> None:
    run(tmp_path, *FEW, "--junit-xml", "junit.xml", "--conformance-endpoint-url", mock(broken=[ALONE]).http)
    text = (tmp_path / "junit.xml").read_text()
    assert f'name="test_behaviour[{ALONE}]"' in text
    assert len(re.findall("<testcase ", text)) == 17 and text.count("<failure ") == 1


IDLE = """
import sys

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        print("imported:", *[name for name in ("yaml", "conformance.session", "conformance.loading", "urllib3", "aiohttp") if name in sys.modules])
"""


def test_beside_xdist_an_idle_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(IDLE)
    (tmp_path / "test_theirs.py").write_text("def test_theirs(): pass\n")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conformance.plugin", "-p", "mockserver.fixtures", "-p", "xdist", "-n", "2"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout
    assert "imported:" in [line.strip() for line in done.stdout.splitlines()], done.stdout
