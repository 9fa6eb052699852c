"""Whom a command asks, outside of pytest: the targets, with the embedded mock running where it is meant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from conformance.embedded import embedded, mock_at
from conformance.loading import Specs
from conformance.target import EMBEDDED, Target, UsageError, targets


@contextmanager
def reached(
    specs: Specs,
    provider: str,
    *,
    endpoint: str | None = None,
    model: str | None = None,
    region: str | None = None,
    reality: str | None = None,
    key_env: str | None = None,
    headers: Sequence[str] = (),
    hurried: bool = True,
) -> Iterator[tuple[list[Target], bool]]:
    """The targets, and whether a mock stands for them; an embedded one ends with the block. Raises UsageError.

    The embedded mock has no limits of requests over time where it is `hurried`.
    """
    mock: Mapping[str, Any] | None = None
    running = None
    if provider == EMBEDDED:
        if endpoint:
            mock = mock_at(endpoint)
        else:
            limits: dict[str, Any] = {} if hurried else {"limits": {}}
            running = embedded(EMBEDDED)(
                specs=specs, auth="strict", reality=reality or "documented", **limits
            )
            mock = running.info
    try:
        asked = targets(
            specs,
            provider,
            endpoint=endpoint,
            model=model,
            region=region,
            mock=mock,
            key_env=key_env,
            headers=headers,
        )
        if mock is None and reality:
            asked = [replace(each, reality=reality) for each in asked]
        yield asked, mock is not None and "reality" in mock
    finally:
        if running is not None:
            running.stop()


def imagined(
    specs: Specs,
    provider: str,
    *,
    endpoint: str | None = None,
    model: str | None = None,
    region: str | None = None,
    reality: str | None = None,
) -> list[Target]:
    """The targets of a plan: nobody is asked, so no key is needed. Raises UsageError."""
    if provider == EMBEDDED:
        mock = {"http": endpoint or "http://127.0.0.1", "auth": "strict", "reality": reality or "documented"}
        return targets(specs, provider, model=model, region=region, mock=mock)
    if provider not in specs.providers:
        known = ", ".join([EMBEDDED, *specs.providers])
        raise UsageError(f"--provider: expected one of {known}, got {provider!r}")
    said = specs.providers[provider].said
    own = {how.get("environment") for how in said.get("account", {}).values()}
    variables = {name: value for name, value in os.environ.items() if name in own}
    variables |= dict.fromkeys(said["key"]["environment"][:1], "no-key-is-needed")
    if said["base_url"] is None:
        endpoint, model = endpoint or "http://127.0.0.1", model or said["model"]
    asked = targets(specs, provider, endpoint=endpoint, model=model, region=region, environment=variables)
    return [replace(each, reality=reality or each.reality) for each in asked]
