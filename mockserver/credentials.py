"""The keys of one mock: made once, kept in mock.json, the only ones that pass in strict mode."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.template import fill

__all__ = ["Credentials", "from_dict", "make_credentials", "to_dict", "with_every_kind"]

DEFAULT_KIND = "api"
BAD, FORGED = "bad", "forged"
USELESS_KINDS = (BAD, FORGED)
"""A text that is no token, and a token that somebody else signed: ready-made, to see them refused."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Every key that is good, and the one region they are good in.

    `key_pairs` is access key id -> secret, `puter_tokens` is token -> kind (`api`, `account`, `app`, ...),
    `useless` is kind -> what is no good token at all, `puter_funds` is kind -> US cents to spend; a kind
    that is not there has what the mock gives everybody. The repr shows the region only.
    """

    region: str
    bearer: tuple[str, ...] = field(repr=False)
    key_pairs: Mapping[str, str] = field(repr=False)
    puter_tokens: Mapping[str, str] = field(repr=False)
    useless: Mapping[str, str] = field(repr=False, default_factory=dict)
    puter_funds: Mapping[str, float] = field(repr=False, default_factory=dict)


def make_credentials(
    region: str,
    entropy: Callable[[int], bytes],
    *,
    forms: Mapping[str, str],
    tokens: Mapping[str, Any],
) -> Credentials:
    """New keys: one bearer key, one access key pair, one Puter token of each kind, good for something or not.

    `entropy(n)` gives n bytes (`os.urandom`, or seeded bytes for the same keys again).
    `forms` says how they begin, as a provider's file has it (`key.made`), `tokens` which kinds of tokens
    there are beside `api` and what they have to spend, as Puter's has it (`auth.puter.made`).
    """
    account = int.from_bytes(entropy(8), "big") % 10**12
    user = str(fill(forms["user"], {"id": entropy(2).hex(), "account": f"{account:012d}"}))
    said = f"{user}:".encode() + base64.b64encode(entropy(36))
    bearer = forms["bearer"] + base64.b64encode(said).decode()
    access_key = forms["access_key"] + base64.b32encode(entropy(10)).decode()
    secret = base64.b64encode(entropy(30)).decode()
    made = _tokens((DEFAULT_KIND, *tokens["kinds"]), entropy)
    return Credentials(region, (bearer,), {access_key: secret}, made, _useless(entropy), tokens["funds"])


def with_every_kind(
    credentials: Credentials, entropy: Callable[[int], bytes], tokens: Mapping[str, Any]
) -> Credentials:
    """The same keys, and new Puter tokens of the kinds in `tokens` that an older version did not make."""
    missing = [kind for kind in tokens["kinds"] if kind not in credentials.puter_tokens.values()]
    if not missing and set(USELESS_KINDS) <= set(credentials.useless):
        return credentials
    return replace(
        credentials,
        puter_tokens={**credentials.puter_tokens, **_tokens(missing, entropy)},
        useless={**_useless(entropy), **credentials.useless},
        puter_funds=credentials.puter_funds or tokens["funds"],
    )


def _tokens(kinds: Iterable[str], entropy: Callable[[int], bytes]) -> dict[str, str]:
    signing_key = entropy(32)
    return {_jwt({"kind": kind, "uuid": entropy(16).hex()}, signing_key): kind for kind in kinds}


def _useless(entropy: Callable[[int], bytes]) -> dict[str, str]:
    forged = _jwt({"kind": DEFAULT_KIND, "uuid": entropy(16).hex()}, entropy(32))
    return {BAD: f"no-jwt-{entropy(8).hex()}", FORGED: forged}


def to_dict(credentials: Credentials) -> dict[str, Any]:
    """The members of mock.json that hold these keys.

    Raises ValueError unless there is one bearer key, one key pair and one token a kind,
    `api` among them: mock.json has one place for each.
    """
    tokens = {kind: token for token, kind in credentials.puter_tokens.items()}
    keys, pairs, kinds = (len(credentials.bearer), len(credentials.key_pairs), len(credentials.puter_tokens))
    if (keys, pairs, kinds) != (1, 1, len(tokens)) or DEFAULT_KIND not in tokens:
        raise ValueError(
            "mock.json holds one bearer key, one key pair and one Puter token a kind, "
            f"{DEFAULT_KIND!r} among them; got {keys} bearer keys, {pairs} key pairs and "
            f"{kinds} tokens of the kinds {sorted(tokens)}"
        )
    [(access_key, secret)] = credentials.key_pairs.items()
    return {
        "bearer": credentials.bearer[0],
        "aws_access_key_id": access_key,
        "aws_secret_access_key": secret,
        "puter_token": tokens.pop(DEFAULT_KIND),
        "puter_tokens": {**tokens, **credentials.useless},
        "puter_funds": dict(credentials.puter_funds),
        "region": credentials.region,
    }


def from_dict(stored: Mapping[str, Any]) -> Credentials:
    """The keys that mock.json holds; its other members are left alone.

    Raises ValueError, naming the member, when one is missing or is no text.
    """
    others = stored.get("puter_tokens")
    if not isinstance(others, Mapping):
        raise _unreadable("puter_tokens", "an object of kind: token", others)
    tokens = {_text(stored, "puter_token"): DEFAULT_KIND}
    named = {kind: _text(others, kind, "puter_tokens.") for kind in others}
    tokens.update({token: kind for kind, token in named.items() if kind not in USELESS_KINDS})
    return Credentials(
        _text(stored, "region"),
        (_text(stored, "bearer"),),
        {_text(stored, "aws_access_key_id"): _text(stored, "aws_secret_access_key")},
        tokens,
        {kind: token for kind, token in named.items() if kind in USELESS_KINDS},
        _funds(stored.get("puter_funds", {}), named),
    )


def _funds(stored: Any, kinds: Iterable[str]) -> dict[str, float]:
    """US cents by kind of token."""
    if not isinstance(stored, Mapping):
        raise _unreadable("puter_funds", "an object of kind: US cents", stored)
    known = sorted({DEFAULT_KIND, *kinds})
    for kind, cents in stored.items():
        if kind not in known:
            text = f"expected kinds out of {', '.join(known)}, got {kind!r}"
            raise ValueError(f"mock.json: puter_funds: {text}")
        if not isinstance(cents, int | float) or isinstance(cents, bool) or cents < 0:
            raise ValueError(f"mock.json: puter_funds.{kind}: expected US cents, 0 or more, got {cents!r}")
    return dict(stored)


def _text(stored: Mapping[str, Any], name: str, where: str = "") -> str:
    value = stored.get(name)
    if not isinstance(value, str) or not value:
        raise _unreadable(where + name, "a text that is not empty", value)
    return value


def _unreadable(name: str, expected: str, got: object) -> ValueError:
    what = "nothing" if got is None else "an empty text" if got == "" else type(got).__name__
    return ValueError(
        f"mock.json: expected {expected} at {name!r}, got {what}; "
        "delete the file, the mock makes new keys when it starts"
    )


def _jwt(claims: Mapping[str, str], signing_key: bytes) -> str:
    header = {"alg": "HS256", "typ": "JWT"}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_base64url(hmac.digest(signing_key, signed.encode(), hashlib.sha256))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
