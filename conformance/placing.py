"""Whose exchange is a recorded one: provider and contract, read off host, path and body.

Nothing is guessed: a host is one that a provider's file names, or a mock's with the provider's prefix in
its path, or one that the caller names. What else there is stays unplaced, with the reason.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract import Contract, Provider
from conformance.exchange import Request, header
from conformance.loading import Specs
from conformance.recordings import Recording

_SPACE = re.compile(r"^/~[A-Za-z0-9_-]+(?P<rest>/.*|$)")
_SCOPE = re.compile(r"Credential=[^/,\s]+/\d+/[^/,\s]+/(?P<service>[^/,\s]+)/")


@dataclass(frozen=True)
class Placed:
    """A recording with its contract. `body` is the request's parsed JSON, `model` the id that was asked."""

    recording: Recording
    contract: Contract
    body: Any
    model: str | None
    region: str | None

    @property
    def provider(self) -> Provider:
        assert self.contract.provider is not None
        return self.contract.provider


@dataclass(frozen=True)
class Unplaced:
    """A recording that no contract is for, and why."""

    recording: Recording
    reason: str


def place(specs: Specs, recording: Recording, assumed: Provider | None = None) -> Placed | Unplaced:
    """Where `recording` belongs. `assumed` is whose every host is that no provider's file names."""
    path = recording.request.target.partition("?")[0]
    inside = _SPACE.match(path)
    path = (inside["rest"] or "/") if inside else path
    provider, region = _of_host(specs, recording.host)
    if provider is None:
        provider, path = _of_prefix(specs, path)
    provider = provider or assumed or _of_signature(specs, recording.request, path)
    if provider is None:
        return Unplaced(recording, "no provider has this host; --provider NAME says whose it is")
    # The forms that nobody has described come last: an abstract contract with a path is the envelope of all.
    at_path = [
        (contract, found)
        for contract in (*specs.of(provider.id), *_envelopes(specs, provider))
        if (found := contract.match_path(path)) is not None
    ]
    here = [each for each in at_path if each[0].method == recording.request.method]
    if not here:
        what = f"{recording.request.method} {path}"
        return Unplaced(recording, f"{provider.id} has no contract for {what}")
    body = _json(recording.request.body)
    models = {contract.id: _model(contract, found, body) for contract, found in here}
    able = [contract for contract, _ in here if contract.speaks(models[contract.id] or "")]
    chosen = _choose(recording, able, body)
    if chosen is None:
        model = next((each for each in models.values() if each), "this model")
        return Unplaced(
            recording, f"{provider.id} has no contract for the form in which {model} is asked at {path}"
        )
    return Placed(recording, chosen, body, models[chosen.id], region)


def _envelopes(specs: Specs, provider: Provider) -> list[Contract]:
    """What is said of operations whatever the form of their bodies, as contracts to judge by."""
    return [
        replace(each, said={**each.said, "abstract": False})
        for each in specs.contracts.values()
        if each.abstract and each.provider is provider and each.request.get("paths")
    ]


def _of_host(specs: Specs, host: str) -> tuple[Provider | None, str | None]:
    for provider in specs.providers.values():
        for pattern in provider.hosts:
            found = pattern.match(host.lower())
            if found:
                return provider, found.groupdict().get("region")
    return None, None


def _of_prefix(specs: Specs, path: str) -> tuple[Provider | None, str]:
    for provider in specs.providers.values():
        if path.startswith(provider.prefix + "/"):
            return provider, path.removeprefix(provider.prefix)
    return None, path


def _of_signature(specs: Specs, request: Request, path: str) -> Provider | None:
    """The one provider that serves the path and whose service a SigV4 signature names."""
    scope = _SCOPE.search(request.header("authorization") or "")
    found = [
        each
        for each in specs.providers.values()
        if scope
        and scope["service"] in each.said.get("signing_services", ())
        and any(contract.match_path(path) is not None for contract in specs.of(each.id))
    ]
    return found[0] if len(found) == 1 else None


def _choose(recording: Recording, here: list[Contract], body: Any) -> Contract | None:
    """By the request's body where it is known, else by what the answer says it is."""
    plain = [each for each in here if each.when is None]
    if recording.truth.request and recording.request.body:
        fitting = [each for each in here if each.when is not None and each.when.fits(body)]
        return next(iter(fitting), None) or next(iter(plain), None)
    kind = header(recording.response[1], "content-type") if recording.response else None
    said = (kind or "").partition(";")[0].strip().lower()
    fitting = [each for each in here if str(each.response.get("content_type", "")).partition(";")[0] == said]
    return next(iter(fitting), None) or next(iter(plain), None)


def _model(contract: Contract, parameters: dict[str, str], body: Any) -> str | None:
    where = contract.model_at or {}
    if "path" in where:
        return parameters.get(where["path"])
    if "body" in where:
        from conformance.select import select

        found = select(body, where["body"])
        return str(found[0][1]) if found and found[0][1] is not None else None
    return None


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None
