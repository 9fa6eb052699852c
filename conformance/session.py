"""What the plugin does once the suite is asked for: targets, items, findings, report.

One run for a pytest session; under xdist the workers share the exchanges through the store and
send their findings home with their test reports.
"""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from conformance.contract import Contract, Rule, Specs, load
from conformance.document import SpecError
from conformance.finding import MEANING, Finding, exit_code
from conformance.run import Run
from conformance.shapes import Mismatch
from conformance.target import EMBEDDED, Target, UsageError, targets

AREAS = ("wire", "stream", "errors", "auth", "limits", "quotas", "modalities", "behaviour")


class ShouldWarning(UserWarning):
    """A rule of level should did not hold."""


class SuiteModule(pytest.Module):
    """The suite's module: its functions are tests whatever `python_functions` says."""

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")


@dataclass(frozen=True)
class Case:
    """One rule at one target, as one pytest item."""

    target: Target
    contract: Contract
    rule: Rule

    @property
    def id(self) -> str:
        return f"{self.rule.contract}:{self.rule.id}"


class Session:
    """Everything of ours in one pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started, self._clock = datetime.now(UTC), time.monotonic()
        self.specs: Specs = load(config.getoption("conformance_specs"))
        self._embedded: Any = None
        self._temporary: str | None = None
        worker = getattr(config, "workerinput", None)
        self.is_worker = worker is not None
        if worker is not None:
            said = worker["conformance"]
            self.folder, self.mock = Path(said["folder"]), said["mock"]
        else:
            wanted = config.getoption("conformance_report_dir")
            self.report_folder = Path(wanted) if wanted else None
            base = self.report_folder or Path(self._make_temporary())
            self.folder = base / "exchanges" / uuid.uuid4().hex[:12]
            if self.report_folder is not None:
                shutil.rmtree(self.report_folder / "exchanges", ignore_errors=True)
            self.mock = self._find_mock()
        self.targets = self._targets()
        self.cases = list(self._cases())
        self.findings: dict[str, tuple[Case, Finding]] = {}
        self._run: Run | None = None

    def _make_temporary(self) -> str:
        self._temporary = tempfile.mkdtemp(prefix="conformance-")
        return self._temporary

    def option(self, name: str) -> Any:
        return self.config.getoption(f"conformance_{name}")

    def _find_mock(self) -> Mapping[str, Any] | None:
        if (self.option("provider") or EMBEDDED) != EMBEDDED:
            return None
        endpoint = self.option("endpoint_url")
        if endpoint:
            return mock_at(endpoint)
        if self.config.option.collectonly:
            return {"http": "http://127.0.0.1:9", "auth": self.option("auth") or "strict"}
        start = embedded(EMBEDDED)
        self._embedded = start(
            auth=self.option("auth") or "strict", reality=self.option("reality") or "documented"
        )
        return dict(self._embedded.info)

    def _targets(self) -> list[Target]:
        return targets(
            self.specs,
            self.option("provider") or EMBEDDED,
            endpoint=self.option("endpoint_url"),
            model=self.option("model"),
            region=self.option("region"),
            mock=self.mock,
        )

    def _cases(self) -> Iterator[Case]:
        globs = self.option("api") or ["*"]
        for target in self.targets:
            for contract in self.specs.of(target.provider.id):
                if any(fnmatch(contract.id, glob) or fnmatch(contract.api, glob) for glob in globs):
                    for rule in contract.rules.values():
                        if rule.not_checked is None:
                            yield Case(target, contract, rule)

    @property
    def run(self) -> Run:
        if self._run is None:
            self._run = Run(self.specs, self.targets, self.folder)
        return self._run

    def judge(self, case: Case) -> Finding:
        """What became of the case's rule; kept for the report."""
        finding = self.run.judge(case.target, case.contract, case.rule)
        self.findings[f"{case.target.name} {case.id}"] = case, finding
        return finding

    def close(self) -> None:
        """Ends connections, the embedded mock, and what was temporary."""
        if self._run is not None:
            self._run.close()
        if self._embedded is not None:
            self._embedded.stop()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def write_report(self) -> dict[str, Any]:
        """The canonical document of this run, written to the report folder if there is one."""
        from conformance import report

        exchanges = (
            {path.stem: _read_json(path) for path in sorted(self.folder.glob("*.json"))}
            if self.folder.is_dir()
            else {}
        )
        document = report.document(
            [(case.target, case.contract, finding) for case, finding in self.findings.values()],
            self.specs,
            self.targets,
            started=self.started,
            seconds=time.monotonic() - self._clock,
            exchanges=exchanges,
            requests=sum(len(steps) for steps in exchanges.values()),
        )
        if self.report_folder is not None:
            report.write(document, self.report_folder)
        return dict(document)


def _read_json(path: Path) -> Any:
    import json

    return json.loads(path.read_text(encoding="utf-8"))


def embedded(name: str) -> Any:
    """The function that starts the embedded provider `name`, found by its entry point."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="conformance.embedded"):
        if entry.name == name:
            return entry.load()
    raise UsageError(
        f"no embedded provider {name!r}: install the distribution that brings it, or give --endpoint-url"
    )


def mock_at(endpoint: str) -> dict[str, Any]:
    """What the mock at `endpoint` says of itself. A mock that nobody can reach is asked all the same."""
    import urllib3

    info: dict[str, Any] = {"http": endpoint.rstrip("/"), "auth": "lenient"}
    try:
        response = urllib3.request("GET", f"{endpoint.rstrip('/')}/_mock/info", retries=False, timeout=10.0)
        if response.status == 200:
            info = {**info, **response.json(), "http": endpoint.rstrip("/")}
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        pass
    return info


_KEY = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """This pytest session's Session, made when first asked for."""
    if _KEY not in config.stash:
        try:
            config.stash[_KEY] = Session(config)
        except (UsageError, SpecError) as error:
            raise pytest.UsageError(str(error)) from error
        config.pluginmanager.register(Reporter(config.stash[_KEY]), "conformance-reporter")
    return config.stash[_KEY]


def parametrize(metafunc: pytest.Metafunc) -> None:
    """One item for each case of the function's area."""
    session = session_of(metafunc.config)
    area = metafunc.function.__name__.removeprefix("test_")
    cases = [case for case in session.cases if case.rule.area == area]
    several = len({target.name for target in session.targets}) != len(
        {t.provider.id for t in session.targets}
    )
    metafunc.parametrize(
        "conformance_case",
        [
            pytest.param(
                _Item(session, case),
                id=f"{case.target.name}-{case.id}" if several else case.id,
                marks=pytest.mark.xdist_group(f"{case.contract.id} {case.rule.probe}")
                if metafunc.config.pluginmanager.has_plugin("xdist")
                else (),
            )
            for case in cases
        ],
    )


class _Item:
    """What a test function calls: judges, and tells pytest what became of it."""

    def __init__(self, session: Session, case: Case) -> None:
        self.session, self.case = session, case

    def __call__(self) -> None:
        __tracebackhide__ = True
        finding = self.session.judge(self.case)
        meaning = MEANING[finding.word]
        if meaning.pytest == "skipped":
            pytest.skip(finding.reason)
        if finding.warns:
            warnings.warn(ShouldWarning(finding.text()), stacklevel=2)
        elif finding.fails:
            pytest.fail(finding.text(), pytrace=False)


def finding_to_dict(case: Case, finding: Finding) -> dict[str, Any]:
    """The finding as values that survive the way home from an xdist worker."""
    return {
        "target": case.target.name,
        "contract": case.contract.id,
        "rule": case.rule.id,
        "word": finding.word,
        "reason": finding.reason,
        "mismatches": [
            [each.at, each.expected, _plain(each.got), each.keyword] for each in finding.mismatches
        ],
        "evidence": list(finding.evidence),
        "again": finding.again,
    }


def _plain(value: Any) -> Any:
    import json

    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)


class Reporter:
    """Registered once the suite is collected: carries findings home and writes the report."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.document: dict[str, Any] | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        case = getattr(item, "callspec", None) and item.callspec.params.get("conformance_case")  # type: ignore[attr-defined]
        if call.when == "call" and isinstance(case, _Item):
            key = f"{case.case.target.name} {case.case.id}"
            if key in self.session.findings:
                report.conformance = finding_to_dict(*self.session.findings[key])
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = getattr(report, "conformance", None)
        if said is None or self.session.is_worker:
            return
        contract = self.session.specs.contracts[said["contract"]]
        target = next(each for each in self.session.targets if each.name == said["target"])
        case = Case(target, contract, contract.rules[said["rule"]])
        finding = Finding(
            case.rule,
            said["word"],
            said["reason"],
            tuple(Mismatch(*each) for each in said["mismatches"]),
            tuple(said["evidence"]),
            said["again"],
        )
        self.session.findings[f"{case.target.name} {case.id}"] = case, finding

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.session.is_worker:
            self.session.close()
            return
        if self.session.findings and not session.config.option.collectonly:
            self.document = self.session.write_report()
        self.session.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["conformance"] = {
            "folder": str(self.session.folder.resolve()),
            "mock": self.session.mock,
        }

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.document is None or self.session.is_worker:
            return
        from conformance import report

        terminalreporter.section("conformance")
        markup = terminalreporter._tw.hasmarkup
        for line in report.matrix(self.document, terminalreporter._tw.fullwidth, markup):
            terminalreporter.write_line(line)
        if self.session.report_folder is not None:
            terminalreporter.write_line(f"report: {self.session.report_folder / 'report.html'}")

    @property
    def exit_code(self) -> int:
        """What `conformance run` exits with."""
        return exit_code([finding for _, finding in self.session.findings.values()])
