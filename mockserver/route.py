"""Whose request is it: provider, operation, and the space of a test, read off the raw path.

The raw path is matched, because `%2F` in an ARN is not a slash. A provider is found by its
prefix, then by Host, then by path, where the service of a SigV4 scope decides between several.
Where the providers of the OpenAI family share a path, the profile that was chosen decides.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.contract import Contract, Provider
from conformance.exchange import Request
from conformance.loading import Specs

# `~` is what every signer leaves as it is; curl signs `@` unescaped, unlike AWS.
_SPACE = re.compile(r"^/~(?P<space>[A-Za-z0-9_-]+)(?P<rest>/.*|$)")
PROFILE = "x-mock-profile"
"""The header of ours by which one request chooses the profile of the OpenAI family that answers it."""

_SCOPE = re.compile(r"Credential=[^/,\s]+/\d+/(?P<region>[^/,\s]+)/(?P<service>[^/,\s]+)/")


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. `contracts` are the operations at this path and method, `others` at this path only."""

    space: str
    path: str
    query: str
    provider: Provider | None
    region: str | None
    contracts: tuple[tuple[Contract, Mapping[str, str]], ...]
    others: tuple[Contract, ...]
    wrong: str | None = None
    """Why the request cannot be placed, where its own header is wrong: nobody serves it."""


class UnknownProfile(ValueError):
    """A profile is named that there is not; the text says which there are."""


def route(specs: Specs, request: Request, space: str = "", openai_profile: str | None = None) -> Route:
    """The route of `request`; `provider` is None if nobody's path is anything like it.

    `openai_profile` answers where the request names none.
    """
    path, _, query = request.target.partition("?")
    inside = _SPACE.match(path)
    if inside:
        space, path = inside["space"], inside["rest"] or "/"
    provider, path = _by_prefix(specs, path)
    region = None
    if provider is None:
        provider, region = _by_host(specs, request.header("host") or "")
    if provider is None:
        try:
            provider = _by_profile(specs, request, path, openai_profile) or _by_path(specs, request, path)
        except UnknownProfile as error:
            return Route(space, path, query, None, None, (), (), f"{PROFILE}: {error}")
    if provider is None:
        return Route(space, path, query, None, None, (), ())
    here = specs.at(provider, path)
    return Route(
        space,
        path,
        query,
        provider,
        region,
        tuple((each, found) for each, found in here if each.method == request.method),
        tuple(each for each, _ in here if each.method != request.method),
    )


def profiles(specs: Specs) -> dict[str, Provider]:
    """The providers that can be chosen for the paths that the OpenAI family shares, by the names to choose them by."""
    return {each.id: each for each in specs.providers.values() if "openai_profile" in each.said}


def find_profile(specs: Specs, name: str) -> Provider:
    """The provider of the profile called `name`. Raises UnknownProfile with the closest names."""
    known = profiles(specs)
    if name not in known:
        close = difflib.get_close_matches(name, known, 3)
        nearest = f"; closest: {', '.join(close)}" if close else ""
        raise UnknownProfile(f"expected one of {', '.join(sorted(known))}, got {name!r}{nearest}")
    return known[name]


def choose(
    routed: Route, body: Any, speaks: Callable[[Contract, Mapping[str, str]], bool] = lambda *_: True
) -> tuple[Contract, Mapping[str, str]] | None:
    """Of the operations at one path the one whose `when` fits the body, and the query; else the one without.

    Those that do not have the form of the model's bodies count only where none has it.
    """
    plain = None
    spoken = [each for each in routed.contracts if speaks(*each)]
    for contract, parameters in spoken or routed.contracts:
        by_body, by_query = contract.when, contract.when_query
        if by_body is None and by_query is None:
            plain = plain or (contract, parameters)
        elif (by_body is None or by_body.fits(body)) and (
            by_query is None or by_query.fits(contract.read_query(f"?{routed.query}"))
        ):
            return contract, parameters
    return plain or next(iter(spoken or routed.contracts), None)


def closest(specs: Specs, path: str) -> list[str]:
    """The paths of contracts most like `path`."""
    known = sorted(
        {template for each in specs.contracts.values() for template in each.request.get("paths", ())}
    )
    return difflib.get_close_matches(path, known, 3, 0.3)


def _by_prefix(specs: Specs, path: str) -> tuple[Provider | None, str]:
    for provider in specs.providers.values():
        if path == provider.prefix or path.startswith(provider.prefix + "/"):
            return provider, path.removeprefix(provider.prefix) or "/"
    return None, path


def _by_host(specs: Specs, host: str) -> tuple[Provider | None, str | None]:
    for provider in specs.providers.values():
        for pattern in provider.hosts:
            found = pattern.match(host.lower())
            if found:
                return provider, found.groupdict().get("region")
    return None, None


def _by_profile(specs: Specs, request: Request, path: str, openai_profile: str | None) -> Provider | None:
    name = request.header(PROFILE)
    # Who signs for a service means that service, whatever the mock stands for otherwise.
    if name is None and openai_profile and not _SCOPE.search(request.header("authorization") or ""):
        name = openai_profile
    if name is None:
        return None
    provider = find_profile(specs, name)
    return provider if _under(path, provider.said["openai_profile"]) else None


def _under(path: str, prefixes: Iterable[str]) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in prefixes)


def _by_path(specs: Specs, request: Request, path: str) -> Provider | None:
    found = [provider for provider in specs.providers.values() if specs.at(provider, path)]
    scope = _SCOPE.search(request.header("authorization") or "")
    for provider in specs.providers.values():
        # Who names the very path says of it what nobody else is to say, be it that it is not served.
        if path in provider.said.get("default_for", ()) and not scope:
            return provider
    if len(found) != 1 and scope:
        signed = [
            each
            for each in found or specs.providers.values()
            if scope["service"] in each.said.get("signing_services", ())
        ]
        found = signed or found
    defaults = [
        (len(prefix), provider)
        for provider in (found or specs.providers.values())
        for prefix in provider.said.get("default_for", ())
        if _under(path, [prefix])
    ]
    if defaults:
        return max(defaults, key=lambda each: each[0])[1]
    return found[0] if found else None
