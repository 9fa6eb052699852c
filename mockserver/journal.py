"""What was asked and what came of it, without keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from conformance.values import Turn


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `refused` is the condition that refused it, None if it was answered."""

    at: float
    method: str
    path: str
    contract: str | None
    status: int
    refused: str | None = None
    says: str | None = None
    """Why it was refused, for a person."""
    turn: Turn | None = None
    scripted: bool = False
    scheme: str = "none"
    """By what the caller was let in: `bearer`, `sigv4` or `puter`; `none` where nothing was asked for or taken."""

    def line(self) -> str:
        """The entry in one line."""
        what = f"{self.method} {self.path} -> {self.status}"
        return f"{what} ({': '.join(filter(None, (self.refused, self.says)))})" if self.refused else what


def summary(entries: Iterable[Entry]) -> list[str]:
    """What was asked and refused, a line for each operation and each reason."""
    asked: Counter[str] = Counter()
    refused: Counter[tuple[str, int, str, str]] = Counter()
    for entry in entries:
        where = entry.contract or f"{entry.method} {entry.path}"
        asked[where] += 1
        if entry.refused:
            refused[where, entry.status, entry.refused, entry.says or ""] += 1
    lines = []
    for where, number in asked.items():
        lines.append(f"{number:5}  {where}")
        for (place, status, condition, says), times in refused.items():
            if place == where:
                lines.append(f"         refused {times}: {status} {condition}{': ' + says if says else ''}")
    return lines
