"""A mock to ask: started beside the run, found by its entry point, or one that runs already and says who it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from conformance.loading import Specs
from conformance.target import UsageError, refuse_endpoint

__all__ = ["embedded", "mock_at"]

FAST = 1_000_000_000
"""Requests in a window that no suite comes to."""


def embedded(name: str) -> Any:
    """The function that starts the embedded provider `name`, found by its entry point."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="conformance.embedded"):
        if entry.name == name:
            return partial(_unhurried, entry.load())
    raise UsageError(
        f"no embedded provider {name!r}: install the distribution that brings it, or give --endpoint-url"
    )


def _unhurried(start: Any, *, specs: Specs, limits: Mapping[str, float] | None = None, **options: Any) -> Any:
    """The embedded provider without limits of requests over time: a suite asks faster than a plan allows.

    `limits`, by quota, are kept as they are; an empty one keeps those of the provider.
    """
    if limits is not None:
        return start(specs=specs, limits=limits, **options)
    rates = {
        quota["id"]: FAST
        for provider in specs.providers.values()
        for quota in provider.said.get("quotas", ())
        if quota["counts"] == "requests"
    }
    return start(specs=specs, limits=rates, **options)


def mock_at(endpoint: str) -> dict[str, Any]:
    """What the mock at `endpoint` says of itself. A mock that nobody can reach is asked all the same.

    Raises UsageError for what is no URL.
    """
    from conformance.ask import fetched

    refuse_endpoint(endpoint, "--endpoint-url", with_key=False)
    url = endpoint.rstrip("/")
    info: dict[str, Any] = {"auth": "lenient"}
    came = fetched(f"{url}/_mock/info")
    if not isinstance(came, str) and came[0] == 200:
        # Whoever it is that answers, it may be no mock.
        with suppress(ValueError, TypeError, RecursionError):
            info |= json.loads(came[1])
    return info | {"http": url}
