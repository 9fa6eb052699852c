"""Who asks, and whether they may: credentials of a request held against the provider's file.

A provider's `auth` section names the schemes it takes, tried in the file's order:

    bearer:
      places: [header:authorization-bearer]     # where the key may stand, first hit wins
      shown: {first: 8, last: 4}                # what errors show of a refused key; may be missing
      prefixes: [ABSK, bedrock-api-key-]        # null: a key of any form
      short_term:                               # null: none; a key that holds a presigned URL
        prefix: bedrock-api-key-
        method: POST
        host: bedrock.amazonaws.com
        service: bedrock
        action: CallWithBearerToken
        unsigned_parameters: [Version]          # added to the URL after signing
        expires_seconds: {minimum: 1, maximum: 43200}
    sigv4:
      services: [bedrock]                       # of the scope; errors name the first
      clock_skew_seconds: 300
      unsigned_payload: false                   # may x-amz-content-sha256 be UNSIGNED-PAYLOAD
    puter:
      places: [body:/auth_token, header:authorization-bearer, header:x-api-key, query:auth_token]
      refused_kinds: {scoped: scoped-token}     # kind of token: condition
      made: {kinds: [scoped], funds: {}}        # kinds of tokens that a mock makes, and US cents to spend
      plans: {api-free: free}                   # kind of token: plan of its account, for `quotas`; may be missing

A refusal is the name of a condition (`conformance.lint.AUTH_CONDITIONS` has them all); status and text stand under
`errors` in the same file.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from conformance.exchange import Request
from mockserver.credentials import Credentials

__all__ = ["Credentials", "Mode", "Principal", "Refused", "authenticate"]

Mode = Literal["lenient", "strict", "off"]

ALGORITHM = "AWS4-HMAC-SHA256"
SCOPE_END = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
TIMESTAMP = "%Y%m%dT%H%M%SZ"
AUTHORITY = ("host", ":authority")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `name` is the same for the same key, and for all short-term keys made with
    one access key; it does not give the key away.

    `region` and `service` are what the credentials are scoped to, None if they do not say;
    `kind` is that of a known Puter token.
    """

    name: str
    scheme: Literal["bearer", "sigv4", "puter", "none"]
    region: str | None = None
    service: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: a key of the provider's `errors`, and what fills the placeholders of its text."""

    condition: str
    details: Mapping[str, str] = field(default_factory=dict)


def authenticate(
    schemes: Mapping[str, Mapping[str, Any]],
    request: Request,
    body: Any,
    credentials: Credentials,
    mode: Mode,
    now: float,
) -> Principal | Refused:
    """Who asks, or why they may not.

    `schemes` is the provider's `auth` section (see the module), `body` the parsed body
    (None if it is no JSON), `now` is Unix time in seconds. `off` asks for nothing,
    `lenient` for credentials of any value, `strict` lets only `credentials` pass.
    Raises ValueError for a scheme or a place that is not known.
    """
    if mode == "off":
        return Principal("anonymous", "none")
    strict = mode == "strict"
    verdict: Principal | Refused | None
    for scheme, rules in schemes.items():
        match scheme:
            case "bearer":
                verdict = _bearer(rules, request, body, credentials, strict, now)
            case "sigv4":
                verdict = _sigv4(rules, request, credentials, strict, now)
            case "puter":
                verdict = _puter(rules, request, body, credentials, strict)
            case _:
                raise ValueError(f"auth: expected the schemes bearer, sigv4 or puter, got {scheme!r}")
        if verdict is not None:
            return verdict
    return Refused("missing-credentials")


def starred(schemes: Mapping[str, Mapping[str, Any]], request: Request, body: Any) -> str:
    """The bearer key of `request` as its provider shows it in an error, the middle starred out; "" without one.

    Only a provider whose `auth` says how much of both ends is `shown` does so.
    """
    rules = schemes.get("bearer", {})
    if "shown" not in rules:
        return ""
    key = _find(rules["places"], request, body) or ""
    first, last = rules["shown"]["first"], rules["shown"]["last"]
    hidden = len(key) - first - last
    return key if hidden <= 0 else key[:first] + "*" * hidden + key[len(key) - last :]


def _bearer(
    rules: Mapping[str, Any], request: Request, body: Any, credentials: Credentials, strict: bool, now: float
) -> Principal | Refused | None:
    key = _find(rules["places"], request, body)
    if key is None:
        return None
    short_term = rules["short_term"]
    if short_term is not None and key.startswith(short_term["prefix"]):
        signed = _read_short_term(key, short_term)
        refused = _refuse_short_term(signed, short_term, credentials, now) if strict else None
        if refused or signed is None:
            return refused or Principal(_alias("bearer", key), "bearer")
        return Principal(signed.access_key, "bearer", signed.region, signed.service)
    if strict:
        if rules["prefixes"] is not None and not key.startswith(tuple(rules["prefixes"])):
            return Refused("bad-key-format")
        if _known(key, credentials.bearer) is None:
            return Refused("unknown-key")
    return Principal(_alias("bearer", key), "bearer")


def _puter(
    rules: Mapping[str, Any], request: Request, body: Any, credentials: Credentials, strict: bool
) -> Principal | Refused | None:
    token = _find(rules["places"], request, body)
    if token is None:
        return None
    known = _known(token, credentials.puter_tokens)
    kind = None if known is None else credentials.puter_tokens[known]
    if strict:
        if kind is None:
            return Refused("token-wrong-signature" if _is_jwt(token) else "token-legacy-format")
        if kind in rules["refused_kinds"]:
            return Refused(rules["refused_kinds"][kind], {"kind": kind})
    return Principal(_alias("puter", token), "puter", kind=kind)


def _sigv4(
    rules: Mapping[str, Any], request: Request, credentials: Credentials, strict: bool, now: float
) -> Principal | Refused | None:
    authorization = request.header("authorization") or ""
    if not authorization.startswith(ALGORITHM):
        return None
    signed = _read_authorization(authorization, request)
    if isinstance(signed, Refused):
        return signed if strict else None
    refused = _refuse_signature(signed, rules, request, credentials, now) if strict else None
    return refused or Principal(signed.access_key, "sigv4", signed.region, signed.service)


@dataclass(frozen=True, slots=True)
class _Signed:
    """What a signature says of itself; `date` is the scope's, `timestamp` the request's."""

    access_key: str
    date: str
    region: str
    service: str
    timestamp: str
    headers: tuple[str, ...]
    signature: str
    query: str
    expires: int = 0

    @property
    def at(self) -> float:
        return datetime.strptime(self.timestamp, TIMESTAMP).replace(tzinfo=UTC).timestamp()


def _read_authorization(authorization: str, request: Request) -> _Signed | Refused:
    given: dict[str, str] = {}
    for parameter in authorization.removeprefix(ALGORITHM).split(","):
        name, _, value = parameter.strip().partition("=")
        given[name] = value
    timestamp = request.header("x-amz-date") or ""
    scope = given.get("Credential", "").split("/")
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not given.get(name)]
    if given.get("Credential") and (len(scope) != 5 or not all(scope) or scope[4] != SCOPE_END):
        missing.append("Credential")
    if not _is_timestamp(timestamp):
        missing.append("X-Amz-Date")
    if missing:
        return Refused("incomplete-signature", {"missing": ", ".join(missing)})
    access_key, date, region, service, _ = scope
    headers = tuple(name.lower() for name in given["SignedHeaders"].split(";"))
    query = request.target.partition("?")[2]
    return _Signed(access_key, date, region, service, timestamp, headers, given["Signature"], query)


def _refuse_signature(
    signed: _Signed, rules: Mapping[str, Any], request: Request, credentials: Credentials, now: float
) -> Refused | None:
    skew = rules["clock_skew_seconds"]
    seconds = math.floor(now)
    when = {"signed_at": signed.timestamp, "now": _stamp(seconds), "minutes": f"{skew / 60:g}"}
    if signed.at < seconds - skew:
        return Refused("signature-expired", {**when, "earliest": _stamp(seconds - skew)})
    if signed.at > seconds + skew:
        return Refused("signature-not-yet-current", {**when, "latest": _stamp(seconds + skew)})
    if signed.service not in rules["services"]:
        return Refused("wrong-service", {"service": rules["services"][0], "got": signed.service})
    if signed.region != credentials.region:
        return Refused("wrong-scope-region", {"region": credentials.region, "got": signed.region})
    secret = credentials.key_pairs.get(signed.access_key)
    if secret is None:
        return Refused("unknown-access-key", {"access_key": signed.access_key})
    payload = hashlib.sha256(request.body).hexdigest()
    claimed = request.header("x-amz-content-sha256")
    if claimed == UNSIGNED_PAYLOAD and rules["unsigned_payload"]:
        payload = UNSIGNED_PAYLOAD
    elif claimed is not None and claimed != payload:
        return Refused("signature-mismatch")
    if not set(AUTHORITY) & set(signed.headers):
        return Refused("signature-mismatch")
    headers = [(name, _joined(request, name)) for name in signed.headers]
    path = request.target.partition("?")[0]
    if not _is_genuine(signed, secret, request.method, path, headers, payload):
        return Refused("signature-mismatch")
    return None


def _read_short_term(key: str, rules: Mapping[str, Any]) -> _Signed | None:
    """What the presigned URL inside the key says; None if the key holds no such URL."""
    try:
        url = base64.b64decode(key.removeprefix(rules["prefix"]), validate=True).decode("ascii")
    except ValueError:
        return None
    authority, _, query = url.partition("/?")
    # The signature covers the parameters as they are encoded, so the text itself is kept.
    covered = [
        pair
        for pair in query.split("&")
        if pair.partition("=")[0] not in ("X-Amz-Signature", *rules["unsigned_parameters"])
    ]
    given = dict(parse_qsl(query))
    scope = given.get("X-Amz-Credential", "").split("/")
    expires = given.get("X-Amz-Expires", "")
    if (
        authority != rules["host"]
        or given.get("Action") != rules["action"]
        or given.get("X-Amz-Algorithm") != ALGORITHM
        or given.get("X-Amz-SignedHeaders") != "host"
        or not _is_timestamp(given.get("X-Amz-Date", ""))
        or len(scope) != 5
        or scope[3:] != [rules["service"], SCOPE_END]
        # Nine digits are more than any limit; int() raises for thousands of them.
        or not (expires.isdecimal() and len(expires) <= 9)
        or not rules["expires_seconds"]["minimum"] <= int(expires) <= rules["expires_seconds"]["maximum"]
    ):
        return None
    access_key, date, region, service, _ = scope
    return _Signed(
        access_key,
        date,
        region,
        service,
        timestamp=given["X-Amz-Date"],
        headers=("host",),
        signature=given.get("X-Amz-Signature", ""),
        query="&".join(covered),
        expires=int(expires),
    )


def _refuse_short_term(
    signed: _Signed | None, rules: Mapping[str, Any], credentials: Credentials, now: float
) -> Refused | None:
    """The signature comes first: of a key that is not proven, neither region nor time is believed."""
    secret = None if signed is None else credentials.key_pairs.get(signed.access_key)
    if signed is None or secret is None:
        return Refused("unknown-key")
    nothing = hashlib.sha256(b"").hexdigest()
    if not _is_genuine(signed, secret, rules["method"], "/", [("host", rules["host"])], nothing):
        return Refused("unknown-key")
    if signed.region != credentials.region:
        return Refused("wrong-region", {"region": credentials.region, "got": signed.region})
    if signed.at + signed.expires < now:
        return Refused("expired-key")
    return None


def _is_genuine(
    signed: _Signed, secret: str, method: str, path: str, headers: Sequence[tuple[str, str]], payload: str
) -> bool:
    """Whether the signature is that of these values; `path` is raw, `payload` is the hash of the body."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import ReadOnlyCredentials

    if signed.date != signed.timestamp[:8]:
        return False
    # botocore encodes the path once more, as clients do when they sign: it must get it as sent.
    # Its own header map refuses ":authority" on newer Pythons, so the headers are written here.
    rebuilt = AWSRequest(method=method, url=f"https://signed.invalid{path}?{signed.query}")
    rebuilt.context["timestamp"] = signed.timestamp
    signer = SigV4Auth(ReadOnlyCredentials(signed.access_key, secret, None), signed.service, signed.region)
    try:
        canonical = signer.canonical_request(rebuilt).split("\n")[:3]
        canonical += [f"{name}:{' '.join(value.split())}" for name, value in sorted(headers)]
        canonical += ["", ";".join(sorted(name for name, _ in headers)), payload]
        expected = signer.signature(signer.string_to_sign(rebuilt, "\n".join(canonical)), rebuilt)
    except ValueError:
        # A target or header that no URL and no UTF-8 can hold was not signed by anybody.
        return False
    return hmac.compare_digest(_bytes(expected), _bytes(signed.signature))


def _joined(request: Request, name: str) -> str:
    """All values of a signed header; `host` and `:authority` (HTTP/2) stand for each other."""
    if name in AUTHORITY:
        return request.header(name) or request.header("host") or request.header(":authority") or ""
    return ",".join(value.strip() for key, value in request.headers if key.lower() == name)


def _find(places: Iterable[str], request: Request, body: Any) -> str | None:
    """The first key or token that stands in one of the places, None if there is none."""
    for place in places:
        kind, _, name = place.partition(":")
        value: Any = None
        if place == "header:authorization-bearer":
            scheme, _, rest = (request.header("authorization") or "").strip().partition(" ")
            value = rest.strip() if scheme.lower() == "bearer" else None
        elif kind == "header":
            value = request.header(name)
        elif kind == "query":
            value = dict(parse_qsl(request.target.partition("?")[2])).get(name)
        elif kind == "body":
            value = body.get(name.removeprefix("/")) if isinstance(body, Mapping) else None
        else:
            raise ValueError(f"auth places: expected header:NAME, query:NAME or body:/NAME, got {place!r}")
        if isinstance(value, str) and value:
            return value
    return None


def _known(given: str, keys: Iterable[str]) -> str | None:
    """The key that is equal to `given`; takes as long whichever it is."""
    found = None
    for key in keys:
        if hmac.compare_digest(_bytes(key), _bytes(given)):
            found = key
    return found


def _is_jwt(token: str) -> bool:
    parts = token.split(".")
    if len(parts) != 3 or not parts[2]:
        return False
    try:
        return all(
            isinstance(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))), dict)
            for part in parts[:2]
        )
    except (ValueError, RecursionError):
        return False


def _is_timestamp(text: str) -> bool:
    try:
        datetime.strptime(text, TIMESTAMP)
    except ValueError:
        return False
    return True


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(TIMESTAMP)


def _alias(scheme: str, key: str) -> str:
    return f"{scheme}-{hashlib.sha256(_bytes(key)).hexdigest()[:16]}"


def _bytes(text: str) -> bytes:
    # A header or a JSON text may hold a lone surrogate, which plain UTF-8 refuses.
    return text.encode("utf-8", "surrogatepass")
