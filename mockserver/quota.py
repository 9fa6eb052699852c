"""Limits over time. `now` is an argument; nothing here knows a clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Holds up to `limit` and refills evenly over `window` seconds.

    Even refill, not once a window: a guess, no page says which.
    """

    limit: float
    window: float
    level: float
    at: float

    def spend(self, amount: float, now: float) -> float:
        """Seconds until `amount` fits; 0.0 if it fits now, and then it is spent.

        More than the whole limit is taken as the whole limit: it would never fit.
        """
        rate = self.limit / self.window
        self.level = min(self.limit, self.level + max(0.0, now - self.at) * rate)
        self.at = max(now, self.at)
        wanted = min(amount, self.limit)
        if wanted <= self.level + 1e-9:
            self.level -= wanted
            return 0.0
        return (wanted - self.level) / rate
