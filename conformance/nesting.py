"""How deep JSON is nested."""

from __future__ import annotations

from typing import Any

__all__ = ["MOST_LEVELS", "is_deeper"]

MOST_LEVELS = 255
"""As deep as the validator of shapes reads; deeper JSON cannot be judged, and soon not written again either."""


def is_deeper(value: Any, most: int) -> bool:
    """Whether objects and arrays stand in one another more than `most` levels deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            break
    return bool(level)
