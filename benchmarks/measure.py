"""Processes measured from outside: wall and CPU seconds, ours and the yardstick in turns."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CACHE = tempfile.mkdtemp(prefix="benchmarks-bytecode-")
atexit.register(shutil.rmtree, CACHE, ignore_errors=True)


class Row(NamedTuple):
    """One line of the table. `goal` is what the ratio, or the value, should not exceed."""

    what: str
    ours: str
    yardstick: str
    ratio: str
    goal: str = ""


class Spent(NamedTuple):
    """Seconds of a process."""

    wall: float
    cpu: float


def environment(**more: str) -> dict[str, str]:
    """For child processes: bytecode is cached, outside the checkout; no plugin of pytest loads by itself."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    ours = {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": CACHE, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return {**kept, **ours, **more}


def python(*arguments: str, cwd: Path = ROOT, expect: Sequence[int] = (0,)) -> Spent:
    """What `python ARGUMENTS` took from start to exit."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expect:
        raise RuntimeError(f"python {' '.join(arguments)}: exit code {process.returncode}")
    return Spent(wall, used.ru_utime + used.ru_stime)


def in_turns(rounds: int, measured: Mapping[str, Callable[[], Spent]]) -> dict[str, list[Spent]]:
    """Every one of them `rounds` times, in turns, so that a busy moment meets all; a first round warms up."""
    taken: dict[str, list[Spent]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        for name, measure in measured.items():
            spent = measure()
            if number:
                taken[name].append(spent)
    return taken


def cpu(spent: Sequence[Spent]) -> float:
    """Median CPU seconds."""
    return statistics.median(each.cpu for each in spent)


def wall(spent: Sequence[Spent]) -> float:
    """Least wall seconds: what is above it is the machine's other work."""
    return min(each.wall for each in spent)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_of(pid: int) -> float:
    """CPU seconds that the process has used, all threads together; to the nanosecond, on Linux only."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9
