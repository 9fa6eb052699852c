"""Whom a run asks: a provider of specs/, where it is, as which model, with which key."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from conformance.added import read_headers, with_variables
from conformance.card import Card
from conformance.contract import Provider
from conformance.exchange import Headers, Request
from conformance.loading import Specs
from conformance.signing import Signer
from conformance.template import fill

EMBEDDED = "mock"
"""The provider name that means: every provider of specs/, all at one mock."""

VERSION = "/v1"
"""What the paths of OpenAI's APIs begin with, and what ends the URL that its clients are given."""

_REGION = re.compile(r"[a-z0-9-]+")


class UsageError(Exception):
    """The caller asked for something that cannot be; the text says what can."""


@dataclass(frozen=True)
class Target:
    """One provider as it is asked in one run."""

    provider: Provider
    endpoint: str
    """The base URL without a slash at its end."""
    model: str | None
    card: Card | None
    region: str | None = None
    key: str | None = field(default=None, repr=False)
    key_variable: str = "KEY"
    """The name under which the key stands in evidence and in lines to paste."""
    ca: str | None = None
    auth: str | None = None
    """How a mock checks credentials: strict, lenient, off; `strict` for a real provider."""
    reality: str = "documented"
    signer: Signer | None = None
    """Signs the requests in place of `key`."""
    account: Mapping[str, str] = field(default_factory=dict)
    """What of the provider's `account` is known here, by its name."""
    headers: Headers = ()
    """What goes with every request beside the contract's own, with variables as they were written: `$NAME`."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the variables of `headers` hold."""
    without: str = ""
    """What the contracts' paths begin with and those of this endpoint do not."""

    @property
    def name(self) -> str:
        return self.provider.id

    @property
    def secrets(self) -> dict[str, str]:
        """Everything that nobody may read, with the name of the variable that stands for it."""
        found = {value: name for name, value in self.variables.items()}
        found |= {self.key: self.key_variable} if self.key else {}
        if self.signer is not None:
            said = self.provider.said["key"]["sigv4"]
            found |= {self.signer.access_key: said["access_key"], self.signer.secret: said["secret"]}
            if self.signer.token:
                found[self.signer.token] = said["token"]
        return found

    @property
    def named(self) -> tuple[str, ...]:
        """The variables that stand in evidence for what nobody may read."""
        return tuple(
            dict.fromkeys([self.key_variable, *self.variables] if self.key_variable else self.variables)
        )

    def filled(self, request: Request) -> Request:
        """The request as it is sent: the variables of `headers` replaced by what they hold."""
        return _exchanged(request, {each: with_variables(each[1], self.variables) for each in self.headers})

    def unfilled(self, request: Request) -> Request:
        """The request as it is kept: `filled` undone."""
        sent = {(name, with_variables(value, self.variables)): value for name, value in self.headers}
        return _exchanged(request, sent)


def _exchanged(request: Request, values: Mapping[tuple[str, str], str]) -> Request:
    """The request with other values in those headers; a header's name is told in any casing."""
    if not values:
        return request
    other = {(name.lower(), value): new for (name, value), new in values.items()}
    headers = tuple((name, other.get((name.lower(), value), value)) for name, value in request.headers)
    return replace(request, headers=headers)


def targets(
    specs: Specs,
    provider: str,
    *,
    endpoint: str | None = None,
    model: str | None = None,
    region: str | None = None,
    mock: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    key_env: str | None = None,
    headers: Sequence[str] = (),
) -> list[Target]:
    """The targets that `--provider`, `--endpoint-url`, `--model`, `--region`, `--key-env` and `--header` mean.

    `mock` is what a running mock says of itself (`mock.json`, or its own /_mock/info); without it
    `provider` must be one of specs/, with its key in a variable that its page names.
    A model that no card knows is asked without one, but for a mock: it knows those of the cards only, and is asked
    as the sellers of that model. Raises UsageError for an unknown provider or region, for a
    key that is missing or that no header can hold, and for one that would go over plain http to another machine.
    """
    environment = os.environ if environment is None else environment
    try:
        added, variables = read_headers(headers, environment)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if provider == EMBEDDED:
        assert mock is not None
        if region is not None:
            _refuse_region(region)
        if key_env is not None:
            raise UsageError("--key-env: a mock says itself which key it takes; name a provider of specs/")
        refuse_endpoint(str(mock["http"]), "--endpoint-url", bool(variables))
        return [
            replace(_at_mock(specs, each, mock, model, region), headers=added, variables=variables)
            for each in _selling(specs, model)
            if specs.of(each.id)
        ]
    if provider not in specs.providers:
        known = ", ".join([EMBEDDED, *specs.providers])
        raise UsageError(f"--provider: expected one of {known}, got {provider!r}")
    said = specs.providers[provider]
    region = _region(said, region, environment)
    signer = None if key_env is not None else _signer(said, region, environment)
    variable, key = ("", None) if signer else _key(said, environment, key_env)
    where, base = next(
        (
            (name, environment[name])
            for name in said.said["key"].get("endpoint_environment", ())
            if environment.get(name) and not endpoint
        ),
        ("--endpoint-url", endpoint),
    )
    if base is None and said.said["base_url"] is None:
        raise UsageError(
            f"--endpoint-url: {said.title} may be anywhere: say where, as http(s)://host[:port][/path]"
        )
    url = base or str(fill(said.said["base_url"], {"region": region or ""}))
    refuse_endpoint(url, where, bool(key or signer or variables))
    undeclared = said.said.get("undeclared", False)
    if undeclared and model is None:
        raise UsageError("--model: say which model is asked; nobody is asked as a default one here")
    return [
        Target(
            said,
            unversioned(specs, said, url.rstrip("/")),
            model or said.said["model"],
            None if undeclared else _card(specs, said, model),
            region,
            key,
            variable,
            auth="strict" if key or signer or variables else "off",
            signer=signer,
            account=account(said, environment),
            headers=added,
            variables=variables,
        )
    ]


def unversioned(specs: Specs, provider: Provider, url: str) -> str:
    """The URL without the version at its end that the provider's paths begin with: what OPENAI_BASE_URL holds
    ends with /v1, and so do our paths begin."""
    begun = {"/" + path.split("/")[1] for each in specs.of(provider.id) for path in each.request["paths"]}
    return next(
        (url.removesuffix(version) for version in sorted(begun & {VERSION}) if url.endswith(version)), url
    )


def account(provider: Provider, environment: Mapping[str, str] | None) -> dict[str, str]:
    """What the account has that probes name: as the variables say, at a mock (`environment` None) all of it."""
    named = provider.said.get("account", {})
    if environment is None:
        return {name: how["mock"] for name, how in named.items()}
    found = {
        name: environment.get(how.get("environment", "")) or how.get("default") for name, how in named.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _selling(specs: Specs, model: str | None) -> list[Provider]:
    """The providers that a mock can be asked as: those that sell `model` or have no card, all of them for None.

    Raises UsageError for a model that nobody sells; a mock would refuse each request.
    """
    everybody = list(specs.providers.values())
    if model is None:
        return everybody
    carded = {card.seller for card in specs.cards}
    sellers = [each for each in everybody if each.seller not in carded or specs.card(each, model) is not None]
    if not sellers:
        known = sorted({name for card in specs.cards for name in card.ids.values()})
        close = ", ".join(get_close_matches(model, known, 3, 0.4)) or "none"
        raise UsageError(
            f"--model: expected a model of a card in specs/cards, got {model!r}; closest: {close}"
        )
    return sellers


def _at_mock(
    specs: Specs, provider: Provider, mock: Mapping[str, Any], model: str | None, region: str | None
) -> Target:
    card = _card(specs, provider, model)
    return Target(
        provider,
        str(mock["http"]).rstrip("/") + provider.prefix,
        card.id_at(provider) if card else model,
        card,
        region or (provider.said["region"] or {}).get("default"),
        str(mock.get(provider.said["key"].get("mock", "bearer"), "no-key")),
        "MOCK_KEY",
        mock.get("ca"),
        mock.get("auth", "lenient"),
        mock.get("reality", "documented"),
        account=account(provider, None),
    )


def _card(specs: Specs, provider: Provider, model: str | None) -> Card | None:
    return specs.card(provider, provider.said["model"] if model is None else model)


def _region(provider: Provider, region: str | None, environment: Mapping[str, str]) -> str | None:
    said = provider.said["region"]
    if said is None:
        if region is not None:
            raise UsageError(f"--region: {provider.id} has no regions, got {region!r}")
        return None
    region = region or next(
        (environment[name] for name in said["environment"] if environment.get(name)), said["default"]
    )
    _refuse_region(region)
    known = said.get("all")
    if known and region not in known:
        raise UsageError(f"--region: expected one of {', '.join(known)}, got {region!r}")
    return region


def _refuse_region(region: str) -> None:
    # It becomes part of a host name, and the key goes there.
    if not _REGION.fullmatch(region):
        raise UsageError(f"--region: expected small letters, digits and hyphens, got {region!r}")


def _signer(provider: Provider, region: str | None, environment: Mapping[str, str]) -> Signer | None:
    """The access key of the environment, where there is one and no key of the provider's own."""
    said = provider.said["key"].get("sigv4")
    if said is None or any(environment.get(name) for name in provider.said["key"]["environment"]):
        return None
    access_key, secret = environment.get(said["access_key"]), environment.get(said["secret"])
    if not access_key or not secret:
        return None
    token = environment.get(said["token"]) or None
    for name, part in ((said["access_key"], access_key), (said["secret"], secret), (said["token"], token)):
        if part:
            _fit_for_a_header(name, part)
    return Signer(access_key, secret, token, said["service"], region or "")


def _key(provider: Provider, environment: Mapping[str, str], wanted: str | None) -> tuple[str, str | None]:
    """The variable and what it holds: the `wanted` one, or the first of the provider's own that is set."""
    if wanted is not None:
        if not environment.get(wanted):
            raise UsageError(
                f"--key-env: expected a variable that holds the key, got {wanted}: it is not set"
            )
        return wanted, _fit_for_a_header(wanted, environment[wanted])
    names = list(provider.said["key"]["environment"])
    if not names:
        return "", None
    for name in names:
        key = environment.get(name)
        if key:
            return name, _fit_for_a_header(name, key)
    signing = provider.said["key"].get("sigv4")
    if signing:
        names.append(f"{signing['access_key']} and {signing['secret']}")
    raise UsageError(
        f"no key for {provider.id}: set {' or '.join(names)}, as {provider.title} names it, or name another "
        "variable with --key-env"
    )


def _fit_for_a_header(name: str, key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(
            f"{name}: expected a key of printable ASCII without spaces, got {len(key)} characters with "
            "others among them; is there a line break at its end?"
        )
    return key


def refuse_endpoint(url: str, where: str, with_key: bool) -> None:
    """Raises UsageError for what is no URL of a host, and where a key would go over plain http to another machine."""
    # Readers differ on where a host begins and ends around `@` and a backslash, and the key goes to the host.
    got = repr(re.sub(r"//[^/]*@", "//...@", url))
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme not in ("http", "https")
        or re.search(r"[\\\s?#]", url)
        or "@" in parts.netloc
    ):
        raise UsageError(f"{where}: expected http(s)://host[:port][/path], got {got}")
    if with_key and parts.scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"{where}: a key never goes over plain http to another machine; got {got}, use https"
        )


def is_loopback(host: str) -> bool:
    """True for this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
