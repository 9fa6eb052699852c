"""What `conformance judge` does: a document of what is stored, told and written as that of a run is."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from conformance.formats import report_folder, write
from conformance.loading import Specs
from conformance.recorded import document, judge_files, told
from conformance.runs import report, terminal
from conformance.runs.rejudge import KEPT_SECTIONS, judge_run
from conformance.runs.stored import read_run
from conformance.runs.summary import colored, failures
from conformance.target import UsageError


def judge_traffic(
    specs: Specs, places: Sequence[Path], provider: str | None, recorded: date | None, report_dir: str | None
) -> int:
    """Judges recordings, prints what became of them; the exit code. Raises UsageError."""
    if provider is not None and provider not in specs.providers:
        raise UsageError(f"--provider: expected one of {', '.join(specs.providers)}, got {provider!r}")
    started, clock = datetime.now(UTC), time.monotonic()
    traffic = judge_files(specs, places, specs.providers[provider] if provider else None, recorded)
    folder = report_folder(report_dir) if report_dir else None
    selection = {"recordings": [str(each) for each in places]} | ({"provider": provider} if provider else {})
    said = document(traffic, specs, started, time.monotonic() - clock, selection)
    return _tell(said, folder, told(traffic))


def judge_stored(specs: Specs, place: str, report_dir: str | None) -> int:
    """Judges a stored run again, prints what became of it; the exit code. Raises UsageError."""
    said = read_run(place)
    if said.get("recordings"):
        raise UsageError(f"{place}: these are judged recordings; judge the files again with --from")
    clock = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="conformance-") as store:
        found, targets = judge_run(said, specs, Path(store))
    folder = report_folder(report_dir) if report_dir else None
    again = report.document(
        found,
        specs,
        targets,
        started=datetime.fromisoformat(said["started"].replace("Z", "+00:00")),
        seconds=time.monotonic() - clock,
        exchanges=said["exchanges"],
        requests=0,
        selection=said["selection"],
        sections={name: said[name] for name in KEPT_SECTIONS if name in said},
    )
    return _tell(again, folder, _since_then(said, again))


def _since_then(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is told otherwise than when the run was made."""
    words = {(each["target"], each["contract"], each["rule"]): each["word"] for each in before["findings"]}
    lines = [f"the run of {before['started']} by version {before['version']}, judged again"]
    for each in now["findings"]:
        word = words.get((each["target"], each["contract"], each["rule"]))
        if word != each["word"]:
            lines.append(
                f"  {each['contract']}:{each['rule']}  {word or 'no such rule then'} -> {each['word']}"
            )
    return lines


def _tell(said: Mapping[str, Any], folder: Path | None, lines: Sequence[str]) -> int:
    for line in failures(said, folder):
        print(line)
    *table, verdict = (
        terminal.matrix(said, shutil.get_terminal_size().columns, colored(sys.stdout))
        if said["findings"]
        else [terminal.verdict(said)]
    )
    for line in (*table, *lines, ""):
        print(line)
    if folder is not None:
        write(said, folder)
        print(f"report: {folder / 'report.html'}")
    print(verdict)
    return int(said["exit_code"])
