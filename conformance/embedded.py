"""A mock to ask: started beside the run, found by its entry point, or one that runs already and says who it is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from conformance.loading import Specs
from conformance.target import UsageError

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
    import urllib3

    url = endpoint.rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--endpoint-url: expected http(s)://host[:port][/path], got {endpoint!r}")
    info: dict[str, Any] = {"auth": "lenient"}
    try:
        response = urllib3.request("GET", f"{url}/_mock/info", retries=False, timeout=10.0)
        if response.status == 200:
            info |= response.json()
    except (urllib3.exceptions.HTTPError, OSError, ValueError, TypeError):
        pass
    return info | {"http": url}
