"""What all tests share: pytest inside pytest, and hypothesis without a clock."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["pytester"]

# Two busy cores make any deadline a coin toss.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")
