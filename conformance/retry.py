"""When a refused request is asked again, and after how long: as the provider's own headers say.

Only refusals that cost nothing are asked again: a rate limit, or a service that says it is not there.
What was cut off may have been paid, so it is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.exchange import Headers, header

PATIENT = 2
"""How often a real provider is asked again that refuses for its rate, where nobody says; a mock means what it refuses."""
LONGEST = 30.0
"""Seconds that all pauses of one request may come to. A provider that wants more is not asked again."""
FIRST_PAUSE = 0.5
"""Seconds before the first repetition where no header says so; twice as long each time after it."""
HTTP = {"statuses": [429, 503], "seconds": ["retry-after"]}
"""What RFC 9110 and RFC 6585 say of it: for a provider whose file says nothing."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a provider's refusals are waited for: `said` is the section `retries` of its file."""

    said: Mapping[str, Any]
    attempts: int
    """Repetitions at most."""
    sleep: Callable[[float], None] = time.sleep

    def pause(self, status: int, headers: Headers, repeated: int, waited: float) -> float | None:
        """Seconds to wait before the next attempt; None if there shall be none."""
        if repeated >= self.attempts:
            return None
        said = {**HTTP, **self.said}
        should = header(headers, said["should"]) if said.get("should") else None
        if should == "false" or (should != "true" and status not in said["statuses"]):
            return None
        wished = _wished(said, headers)
        wait = FIRST_PAUSE * 2**repeated if wished is None else wished
        return wait if waited + wait <= LONGEST else None


def _wished(said: Mapping[str, Any], headers: Headers) -> float | None:
    for names, per_second in (("milliseconds", 1000), ("seconds", 1)):
        for name in said.get(names, ()):
            value = header(headers, name)
            try:
                wait = float(value) / per_second if value is not None else -1.0
            except ValueError:
                # A date: nobody's clock is to be trusted for seconds.
                continue
            if wait >= 0:
                return wait
    return None
