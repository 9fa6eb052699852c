"""What a run has paid: a ledger that all its workers share, and the receipt at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.measured.prices import CURRENCY
from conformance.probes.amount import dollars


class OverBudget(Exception):
    """A probe that could cost more than is left; the text says how much of both."""


class Ledger:
    """The money of one run in one file. Without a limit it keeps no books."""

    def __init__(self, folder: Path, limit: float | None) -> None:
        self.limit = limit
        self._path = folder / "ledger"

    def reserve(self, amount: float | None) -> None:
        """Takes the most that a probe can cost out of what is left. Raises OverBudget if that is not enough."""
        if self.limit is None:
            return
        if amount is None:
            raise OverBudget("no card has a price for this model, so nothing says what it would cost")
        with self._locked() as taken:
            if taken[0] + amount > self.limit:
                raise OverBudget(
                    f"it could cost up to {dollars(amount)}, and of the budget of {dollars(self.limit)} "
                    f"{dollars(max(self.limit - taken[0], 0.0))} is left"
                )
            taken[0] += amount

    def settle(self, reserved: float | None, paid: float) -> None:
        """Gives back what was reserved and not paid."""
        if self.limit is None or reserved is None:
            return
        with self._locked() as taken:
            taken[0] += paid - reserved

    def _locked(self) -> _Taken:
        return _Taken(self._path)


class _Taken:
    """What is taken out of the budget, as a list of one number, while nobody else can change it."""

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self._path, self._lock, self._now = path, FileLock(f"{path}.lock"), [0.0]

    def __enter__(self) -> list[float]:
        self._lock.acquire()
        self._now = [float(self._path.read_text()) if self._path.exists() else 0.0]
        return self._now

    def __exit__(self, *error: object) -> None:
        self._path.write_text(repr(self._now[0]))
        self._lock.release()


def receipt(exchanges: Mapping[str, Iterable[Mapping[str, Any]]]) -> dict[str, Any]:
    """The document's `receipt`: one line for each model and API, in the order of their names.

    `exchanges` are the stored steps by address. What was asked once and looked at twice is paid once. `cost` is
    None where no card has a price; the total is that of the lines that have one.
    """
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for steps in exchanges.values():
        for step in steps:
            paid = step.get("paid")
            if paid is None:
                continue
            key = (paid["model"] or "", paid["api"])
            line = lines.setdefault(
                key,
                {
                    "model": paid["model"],
                    "api": paid["api"],
                    "requests": 0,
                    "retries": 0,
                    "input_tokens": 0,
                    "output_tokens": 0,
                    "cost": 0.0,
                },
            )
            line["requests"] += 1
            for name in ("retries", "input_tokens", "output_tokens"):
                line[name] += paid[name]
            unpriced = line["cost"] is None or paid["cost"] is None
            line["cost"] = None if unpriced else round(line["cost"] + paid["cost"], 9)
    told = [lines[key] for key in sorted(lines)]
    return {"currency": CURRENCY, "lines": told, "total": total(told)}


def total(lines: Sequence[Mapping[str, Any]]) -> float | None:
    """What the lines that have a price cost together; None where there are lines and none has one."""
    priced = [line["cost"] for line in lines if line["cost"] is not None]
    return None if lines and not priced else round(sum(priced), 9)


def table(said: Mapping[str, Any], by: str = "api") -> list[str]:
    """The receipt for a terminal, a line for each API (or model) and the total last; empty if nothing was asked."""
    if not said["lines"]:
        return []
    sums: dict[str, dict[str, Any]] = {}
    for line in said["lines"]:
        kept = sums.setdefault(line[by] or "no model", {**dict.fromkeys(_SUMMED, 0), "cost": 0.0})
        for name in _SUMMED:
            kept[name] += line[name]
        unpriced = kept["cost"] is None or line["cost"] is None
        kept["cost"] = None if unpriced else kept["cost"] + line["cost"]
    rows: list[tuple[str, ...]] = [("receipt", "requests", "retries", "tokens in", "out", said["currency"])]
    for name, kept in sums.items():
        cost = "no price" if kept["cost"] is None else dollars(kept["cost"])
        rows.append((f"  {name}", *(f"{kept[each]:,}" for each in _SUMMED), cost))
    if len(sums) > 1:
        sums_of_all = (f"{sum(line[name] for line in said['lines']):,}" for name in _SUMMED)
        cost = "no price" if said["total"] is None else dollars(said["total"])
        rows.append(("  total", *sums_of_all, cost))
    return columns(rows)


_SUMMED = ("requests", "retries", "input_tokens", "output_tokens")


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines: the first column to the left, the others to the right."""
    sizes = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(size) if index == 0 else cell.rjust(size)
            for index, (cell, size) in enumerate(zip(row, sizes, strict=True))
        ).rstrip()
        for row in rows
    ]
