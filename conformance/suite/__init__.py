"""The test functions that `pytest --pyargs conformance.suite` collects: one item a rule and target.

A broken rule of level should is a `ShouldWarning`: shown, not red. Under `-W error` it is red, as the
user asked; `-W error -W default::conformance.suite.ShouldWarning` takes these out again. The verdict
in report.json is the same either way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

PROMISES = Path(__file__).resolve().with_name("promises.py")
"""The module of the suite that holds its test functions."""

SHARED = pytest.StashKey[Path]()
"""The folder of exchanges that the workers of pytest-xdist share."""


class ShouldWarning(UserWarning):
    """A rule of level should did not hold."""
