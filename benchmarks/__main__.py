"""`python -m benchmarks [start] [load] [plugin] [suite] [fixtures]`: measures, prints a table."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from benchmarks.measure import Row
from benchmarks.serving import per_request, start_up
from benchmarks.testing import fixtures, idle_plugin, machinery, suite

PARTS: dict[str, Callable[[], list[Row]]] = {
    "start": lambda: start_up(rounds=9),
    "load": lambda: per_request(rounds=5, requests=800),
    "plugin": lambda: idle_plugin(rounds=15),
    "suite": lambda: suite(rounds=3),
    "machinery": lambda: machinery(rounds=3),
    "fixtures": lambda: fixtures(rounds=3),
}
HEAD = Row("what", "ours", "yardstick", "ratio", "goal")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Ratios to a yardstick, in one run."
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all without any"
    )
    asked = parser.parse_args().parts or list(PARTS)
    unknown = [part for part in asked if part not in PARTS]
    if unknown:
        parser.error(f"expected some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    print(
        f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; above 1 the wall times say little"
    )
    print_row(HEAD)
    for part in asked:
        for row in PARTS[part]():
            print_row(row)


def print_row(row: Row) -> None:
    print(f"{row.what:40} {row.ours:>9} {row.yardstick:>11} {row.ratio:>8} {row.goal:>10}", flush=True)


if __name__ == "__main__":
    main()
