"""What is left of a quota, and how long until it is whole again, as the headers of an answer say it."""

from __future__ import annotations

import math

__all__ = ["duration", "state", "waiting"]


def state(limit: float, window_seconds: float | None, left: float) -> dict[str, str]:
    """What the texts of a quota can name: `limit`, `remaining`, `used` in whole ones, `reset` as a duration."""
    seconds = (limit - left) / (limit / window_seconds) if window_seconds and limit else 0.0
    remaining = math.floor(left + 1e-9)
    return {
        "limit": str(int(limit)),
        "remaining": str(remaining),
        "used": str(int(limit) - remaining),
        "reset": duration(seconds),
    }


def waiting(seconds: float) -> dict[str, str]:
    """How long to wait: `wait` as a duration, `retry_after` in whole seconds, `retry_after_ms` in milliseconds."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    return {
        "wait": duration(milliseconds / 1000),
        "retry_after": str(max(1, math.ceil(milliseconds / 1000))),
        "retry_after_ms": str(milliseconds),
    }


def duration(seconds: float) -> str:
    """Seconds as 17ms, 1s, 8.64s, 6m0s: in milliseconds below one second, and in hours and minutes above."""
    milliseconds = math.floor(seconds * 1000 + 1e-6)
    if milliseconds == 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    rest = f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}"
    return f"{minutes}m{rest}" if minutes else rest
