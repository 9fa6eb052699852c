"""What the plugin does once the suite is asked for: targets, items, findings, report.

One run for a pytest session. Under pytest-xdist the workers share the exchanges through the store,
each with an embedded mock of its own, and send their findings home with their test reports.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conformance.cases import Case, cases
from conformance.documents.document import SpecError
from conformance.embedded import embedded, mock_at
from conformance.finding import MEANING, Finding, exit_code
from conformance.formats import report_folder, write
from conformance.loading import Specs, load
from conformance.probes.examples import Examples, drawn_section
from conformance.retry import PATIENT
from conformance.run import Run
from conformance.shapes import ABSENT, Mismatch
from conformance.suite import SHARED, ShouldWarning
from conformance.target import EMBEDDED, Target, UsageError, targets
from conformance.terms import read_terms
from conformance.words import USAGE

SPECS = pytest.StashKey[Specs]()
"""The specs of this run, where somebody has loaded them already."""

ASKED = pytest.StashKey[list[Target]]()
"""Whom this run asks, where somebody has looked already."""


class SuiteModule(pytest.Module):
    """The suite's module: its functions are tests whatever `python_functions` says, if their area has rules."""

    def collect(self) -> Sequence[pytest.Item | pytest.Collector]:
        try:
            self._areas = {case.rule.area for case in session_of(self.config).cases}
        except pytest.UsageError as error:
            # Raised here it would be one module's collection error, with a traceback.
            self.config.pluginmanager.register(_Refusal(error))
            return []
        return list(super().collect())

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_") and name.removeprefix("test_") in self._areas


class _Refusal:
    """Ends the session with pytest's usage error as soon as the collection is over."""

    def __init__(self, error: pytest.UsageError) -> None:
        self.error = error

    def pytest_collection_modifyitems(self) -> None:
        raise self.error


class Session:
    """Everything of ours in one pytest session.

    Raises UsageError and SpecError. Nothing is asked before the first `judge`.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.started, self._clock = datetime.now(UTC), time.monotonic()
        self.specs = config.stash[SPECS] if SPECS in config.stash else load(self.option("specs"))
        self.is_worker = hasattr(config, "workerinput")
        wanted = None if self.is_worker else self.option("report_dir")
        self.report_folder = report_folder(wanted) if wanted else None
        self.unkept: str | None = None
        """Why the report could not be written."""
        self.findings: dict[str, tuple[Case, Finding]] = {}
        self._expected: set[str] = set()
        self._embedded: Any = None
        self._run: Run | None = None
        self.terms = read_terms(
            self.specs,
            provider=self.option("provider") or EMBEDDED,
            today=self.started.date(),
            **{name: self.option(name) for name in ("waivers", "baseline", "fail_on", "rules", "shard")},
        )
        try:
            self._choose(self._find_mock())
            if self.option("limits"):
                from conformance.measured.limits import guard_run

                guard_run(
                    self.specs, self.targets, self.option("api"), self.mock is not None, self.option("budget")
                )
            if self.option("flood"):
                from conformance.measured.quotas import guard_flood

                guard_flood(self.option("flood"), self.is_mock)
            self.folder = self._exchanges()
        except BaseException:
            self._stop_mock()
            raise

    @property
    def is_mock(self) -> bool:
        """True if it is our mock that is asked: it says so itself."""
        return self.mock is not None and "reality" in self.mock

    def option(self, name: str) -> Any:
        return self.config.getoption(f"conformance_{name}")

    def _exchanges(self) -> Path:
        if self.is_worker:
            folder = Path(self.config.workerinput["conformance_folder"])  # type: ignore[attr-defined]
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return folder
        if SHARED in self.config.stash:
            return self.config.stash[SHARED]
        return Path(tempfile.mkdtemp(prefix="conformance-"))

    def _find_mock(self) -> Mapping[str, Any] | None:
        if (self.option("provider") or EMBEDDED) != EMBEDDED:
            return None
        endpoint = self.option("endpoint_url")
        if endpoint:
            return mock_at(endpoint)
        options = {
            "auth": self.option("auth") or "strict",
            "reality": self.option("reality") or "documented",
        }
        if self.config.option.collectonly or SHARED in self.config.stash:
            return {"http": "http://127.0.0.1", **options}
        self._embedded = embedded(EMBEDDED)(specs=self.specs, **options)
        return dict(self._embedded.info)

    def _choose(self, mock: Mapping[str, Any] | None) -> None:
        self.mock = mock
        looked: list[Target] = self.config.stash.get(ASKED, [])
        self.targets = looked or targets(
            self.specs,
            self.option("provider") or EMBEDDED,
            endpoint=self.option("endpoint_url"),
            model=self.option("model"),
            region=self.option("region"),
            mock=mock,
            key_env=self.option("key_env"),
            headers=self.option("header"),
        )
        self.cases = self.terms.chosen(cases(self.targets, self.specs, self.option("api")), self.specs)
        self._by_id = {case.id: case for case in self.cases}

    def judge(self, case: Case) -> Finding:
        """What became of the case's rule; kept for the report. What we raise ourselves is a suite error."""
        if self._run is None:
            self._run = Run(
                self.specs,
                self.targets,
                self.folder,
                budget=self.option("budget"),
                retries=self.retries,
                alone=not self.is_worker,
            )
            self._examples = Examples(self._run, self.option("examples"), self.folder, is_mock=self.is_mock)
        try:
            finding = self._examples.judge(case.target, case.contract, case.rule)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}, in {place.name}"
            finding = Finding(case.rule, "suite error", f"{type(error).__name__}: {error} ({where})")
        finding = self.terms.applied(finding, case)
        self.findings[case.id] = case, finding
        return finding

    # Workers and the home they send their findings to

    def tell(self, case: Case) -> dict[str, Any]:
        """What was found, as values that survive the way home."""
        finding = self.findings[case.id][1]
        mismatches: list[list[Any]] = []
        for each in finding.mismatches:
            got = [] if each.got is ABSENT else [json.dumps(each.got, default=repr)]
            mismatches.append([each.at, each.expected, each.keyword, *got])
        mock = self.mock and {
            name: self.mock[name] for name in ("http", "auth", "reality") if name in self.mock
        }
        return {
            "case": case.id,
            "word": finding.word,
            "reason": finding.reason,
            "mismatches": mismatches,
            "evidence": list(finding.evidence),
            "again": finding.again,
            "excused": finding.excused,
            "accused": finding.accused,
            "mock": mock,
        }

    def receive(self, said: Mapping[str, Any]) -> None:
        """Keeps what a worker told."""
        if not self.findings and said["mock"] != self.mock:
            self._choose(said["mock"])
        case = self._by_id[said["case"]]
        mismatches = [
            Mismatch(at, expected, json.loads(got[0]) if got else ABSENT, keyword)
            for at, expected, keyword, *got in said["mismatches"]
        ]
        self.findings[case.id] = (
            case,
            Finding(
                case.rule,
                said["word"],
                said["reason"],
                tuple(mismatches),
                tuple(said["evidence"]),
                said["again"],
                said["excused"],
                said["accused"],
            ),
        )

    def expect(self, items: Sequence[str]) -> None:
        """The ids of pytest items that are to be run."""
        for each in items:
            name = each[each.find("[") + 1 : each.rfind("]")]
            if name in self._by_id:
                self._expected.add(name)

    # The end

    def write_report(self) -> dict[str, Any]:
        """The canonical document of this run, written to the report folder if there is one."""
        from conformance.measured.observed import declared, observed_cards
        from conformance.measured.witnessed import observed
        from conformance.runs import report
        from conformance.runs.receipt import receipt

        for name in self._expected - set(self.findings):
            case = self._by_id[name]
            self.findings[name] = (
                case,
                Finding(case.rule, "inconclusive", "the run ended before it was looked at"),
            )
        exchanges = self._told_by_workers() if self._run is None else dict(self._run.kept)
        found = [(case.target, case.contract, finding) for case, finding in self.findings.values()]
        searched = self._look_for_limits() if self.option("limits") else []
        rows = declared(found, self.targets, exchanges, searched) + list(observed(found, exchanges))
        paid = [{"paid": each.paid} for search in searched for each in search.asked]
        if self.option("flood"):
            from conformance.measured.quotas import flood_everywhere, with_floods

            floods = list(flood_everywhere(self.specs, *self._whom, self.option("budget")))
            rows = with_floods(rows, floods)
            paid += [{"paid": each} for flooded in floods for each in flooded.paid]
        document = report.document(
            found,
            self.specs,
            self.targets,
            started=self.started,
            seconds=time.monotonic() - self._clock,
            exchanges=exchanges,
            requests=sum("paid" in step for steps in exchanges.values() for step in steps) + len(paid),
            selection=self.selection,
            problems=self.terms.waivers.problems(),
            sections={
                **self.terms.sections(found, self.specs),
                **drawn_section(self.folder),
                "declared": rows,
                "limits": [each.document() for each in searched],
                "receipt": receipt({**exchanges, "limits": paid}),
            },
        )
        if self.report_folder is not None:
            day = self.started.date().isoformat()
            cards = observed_cards(rows, self.targets, day)
            self._keep(document, self.report_folder, cards)
        return document

    def _keep(self, document: Mapping[str, Any], folder: Path, cards: Mapping[str, str]) -> None:
        """Writes the report. What was asked may have been paid: where there is no room for it, it is told all the same."""
        try:
            write(document, folder)
            for name, text in cards.items():
                (folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            self.unkept = f"no whole report in {folder}: {error.strerror or error}"
            self.report_folder = None

    def _told_by_workers(self) -> dict[str, Any]:
        return {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(self.folder.glob("*.json"))
        }

    def _look_for_limits(self) -> list[Any]:
        from conformance.measured.limits import look_everywhere

        return look_everywhere(self.specs, *self._whom, self.option("budget"), self.retries)

    @property
    def _whom(self) -> tuple[str, dict[str, Any], Path, Sequence[str] | None]:
        """What asks after the rules: the provider, how it is reached, the run's folder, the globs of APIs."""
        names = {"endpoint": "endpoint_url", "model": "model", "region": "region", "reality": "reality"}
        whom = {name: self.option(option) for name, option in names.items()}
        whom |= {"key_env": self.option("key_env"), "headers": self.option("header")}
        return self.option("provider") or EMBEDDED, whom, self.folder, self.option("api")

    @property
    def selection(self) -> dict[str, Any]:
        """What was asked for, without what was not given."""
        names = ("endpoint_url", "model", "region", "key_env", "api", "reality", "shard")
        given = {name: self.option(name) for name in names}
        rules = self.terms.ruleset
        given |= {"examples": self.option("examples") or None}
        given |= {"provider": self.option("provider") or EMBEDDED, "rules": rules and rules.name}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def retries(self) -> int:
        """How often a request that was refused for its rate is asked again; a mock means what it refuses."""
        wanted: int | None = self.option("retries")
        return wanted if wanted is not None else 0 if self.mock is not None else PATIENT

    @property
    def exit_code(self) -> int:
        """What `conformance run` exits with."""
        problems = self.terms.waivers.problems()
        code = exit_code([finding for _, finding in self.findings.values()], problems)
        return code if self.unkept is None else USAGE

    def close(self) -> None:
        """Ends connections and the embedded mock, and removes what was temporary."""
        if self._run is not None:
            self._run.close()
        self._stop_mock()
        if not self.is_worker:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_mock(self) -> None:
        if self._embedded is not None:
            self._embedded.stop()


_KEY = pytest.StashKey[Session]()


def session_of(config: pytest.Config) -> Session:
    """This pytest session's Session, made when first asked for. Raises pytest.UsageError."""
    if _KEY not in config.stash:
        try:
            config.stash[_KEY] = Session(config)
        except (UsageError, SpecError) as error:
            raise pytest.UsageError(str(error)) from error
        config.pluginmanager.register(Reporter(config.stash[_KEY]), Reporter.NAME)
    return config.stash[_KEY]


def parametrize(metafunc: pytest.Metafunc) -> None:
    """One item for each case of the function's area."""
    session = session_of(metafunc.config)
    area = metafunc.function.__name__.removeprefix("test_")
    has_xdist = metafunc.config.pluginmanager.has_plugin("xdist")
    metafunc.parametrize(
        "conformance_case",
        [
            pytest.param(
                _Item(session, case),
                id=case.id,
                # With --dist loadgroup no worker waits for another that asks the probe of both.
                marks=[pytest.mark.xdist_group(f"{case.contract.id} {case.rule.probe}")] if has_xdist else [],
            )
            for case in session.cases
            if case.rule.area == area
        ],
    )


class _Item:
    """What a test function calls: judges, and tells pytest what became of it."""

    def __init__(self, session: Session, case: Case) -> None:
        self.session, self.case = session, case

    def __call__(self) -> None:
        __tracebackhide__ = True
        finding = self.session.judge(self.case)
        if finding.excused:
            pytest.xfail(finding.excused)
        if MEANING[finding.word].pytest == "skipped":
            pytest.skip(finding.reason)
        if finding.warns:
            warnings.warn(ShouldWarning(finding.text()), stacklevel=2)
        elif finding.fails:
            pytest.fail(finding.text(), pytrace=False)


def _item(item: pytest.Item) -> _Item | None:
    """What the pytest item of ours calls; None for an item of somebody else's."""
    callspec = getattr(item, "callspec", None)
    called = callspec.params.get("conformance_case") if callspec else None
    return called if isinstance(called, _Item) else None


class Reporter:
    """Registered once the suite is collected: sends findings home and writes the report."""

    NAME = "conformance-reporter"

    def __init__(self, session: Session) -> None:
        self.session = session
        self.document: dict[str, Any] | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.session.expect([item.nodeid for item in session.items if _item(item)])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        ours = _item(item)
        if self.session.is_worker and call.when == "call" and ours and ours.case.id in self.session.findings:
            report.conformance = self.session.tell(ours.case)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.session.is_worker and not session.config.option.collectonly:
            self.document = self.session.write_report()
            if session.exitstatus == pytest.ExitCode.OK and self.session.exit_code != 0:
                # All were skipped: nothing was looked at.
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        self.session.close()

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.document is None:
            return
        from conformance.runs.summary import summary

        terminalreporter.section("conformance")
        writer = terminalreporter._tw
        if self.session.unkept is not None:
            terminalreporter.write_line(f"--report-dir: {self.session.unkept}")
        for line in summary(self.document, writer.fullwidth, writer.hasmarkup, self.session.report_folder):
            terminalreporter.write_line(line)


class Verdict:
    """Given to pytest by `conformance run`: brings the specs, prints what failed, keeps the exit code."""

    def __init__(self, specs: Specs, asked: list[Target] | None = None) -> None:
        self.specs, self.asked = specs, asked
        self.crashes: list[str] = []
        """Why the suite could not be collected."""
        self.exit_code = exit_code([])

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[SPECS] = self.specs
        if self.asked is not None:
            config.stash[ASKED] = self.asked

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.crashes.append(report.longreprtext)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        from conformance.runs.summary import failures

        reporter = config.pluginmanager.get_plugin(Reporter.NAME)
        if reporter is None or reporter.document is None:
            return
        self.exit_code = reporter.session.exit_code
        told = failures(reporter.document, reporter.session.report_folder)
        for line in ("", *told) if told else ():
            terminalreporter.write_line(line)
