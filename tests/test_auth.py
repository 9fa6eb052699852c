from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import httpx2
import openai
import pytest
import yaml
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import ReadOnlyCredentials

from conformance.exchange import Request
from conformance.lint import AUTH_CONDITIONS
from conformance.loading import load
from mockserver import auth
from mockserver.auth import Credentials, Principal, Refused, authenticate
from mockserver.credentials import from_dict, make_credentials, to_dict

EXAMPLE = yaml.safe_load(
    "\n".join(line for line in (auth.__doc__ or "").splitlines() if line.startswith("    "))
)
RUNTIME = {"bearer": EXAMPLE["bearer"], "sigv4": EXAMPLE["sigv4"]}
MANTLE = {
    "bearer": {**EXAMPLE["bearer"], "prefixes": None},
    "sigv4": {**EXAMPLE["sigv4"], "services": ["bedrock-mantle", "bedrock"], "unsigned_payload": True},
}
PUTER = {"puter": EXAMPLE["puter"]}
PUTER_WIRE = {
    "puter": {
        **EXAMPLE["puter"],
        "refused_kinds": {"account": "app-or-api-token-required", "api-free": "subscription-required"},
    }
}

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.mistral.magistral-small-2509"
HASH_OF_NOTHING = hashlib.sha256(b"").hexdigest()


class Stream:
    """Bytes that look random and are the same in every run."""

    def __init__(self, seed: str) -> None:
        self.state = seed.encode()

    def __call__(self, count: int) -> bytes:
        self.state = hashlib.sha512(self.state).digest()
        return self.state[:count]


KEYS = load().providers["bedrock"].said["key"]["made"]
TOLD = load().providers["puter"].said["auth"]["puter"]["made"]
OURS = make_credentials("us-east-1", Stream("ours"), forms=KEYS, tokens=TOLD)
OTHERS = make_credentials("us-east-1", Stream("others"), forms=KEYS, tokens=TOLD)
[(ACCESS_KEY, SECRET)] = OURS.key_pairs.items()
TOKENS = {kind: token for token, kind in OURS.puter_tokens.items()}


def ask(
    schemes: dict[str, Any],
    request: Request,
    *,
    mode: auth.Mode = "strict",
    now: float = 0.0,
    body: Any = None,
) -> Principal | Refused:
    return authenticate(schemes, request, body, OURS, mode, now)


def post(*headers: tuple[str, str], target: str = "/v1/chat/completions") -> Request:
    return Request("POST", target, headers, b"{}")


def bearer(key: str) -> Request:
    return post(("Authorization", f"Bearer {key}"))


def seconds(stamp: str) -> float:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def signed_at(request: Request) -> float:
    return seconds(request.header("x-amz-date") or "")


def boto_request(
    monkeypatch: pytest.MonkeyPatch,
    model: str = "mistral.magistral-small-2509",
    *,
    access_key: str = ACCESS_KEY,
    secret: str = SECRET,
    token: str | None = None,
    region: str = "us-east-1",
) -> Request:
    """The request that boto3 would send, signed by it; nothing is sent."""
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    seen: list[Request] = []

    def capture(request: Any, **_: Any) -> AWSResponse:
        host, _, path = request.url.removeprefix("http://").partition("/")
        headers = [
            (name, value if isinstance(value, str) else value.decode())
            for name, value in request.headers.items()
        ]
        seen.append(Request(request.method, f"/{path}", (("Host", host), *headers), request.body))
        return AWSResponse(request.url, 200, HTTPHeaders(), Raw())

    client = boto3.client(
        "bedrock-runtime",
        region_name=region,
        endpoint_url="http://127.0.0.1:4010",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )
    client.meta.events.register_first("before-send.bedrock-runtime", capture)
    client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Zażółć"}]}])
    [request] = seen
    return request


class Raw:
    def stream(self, *_: Any, **__: Any) -> Any:
        yield b"{}"


def openai_request(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Request:
    """The request that the OpenAI SDK for Bedrock would send, signed by it."""
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
    seen: list[Request] = []

    def capture(request: httpx2.Request) -> httpx2.Response:
        headers = tuple((name.decode(), value.decode()) for name, value in request.headers.raw)
        seen.append(Request(request.method, request.url.raw_path.decode(), headers, request.read()))
        return httpx2.Response(200, json={})

    with httpx2.Client(transport=httpx2.MockTransport(capture)) as transport:
        client = openai.BedrockOpenAI(
            base_url="http://127.0.0.1:4010/v1",
            aws_region="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
            http_client=transport,
            **options,
        )
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    [request] = seen
    return request


def sign_by_hand(
    target: str,
    body: bytes,
    headers: dict[str, str],
    *,
    stamp: str = "20261122T120000Z",
    region: str = "us-east-1",
    service: str = "bedrock",
    method: str = "POST",
    payload: str | None = None,
    access_key: str = ACCESS_KEY,
    secret: str = SECRET,
) -> Request:
    """A signature written from AWS's description, with no botocore in it. Queries must be sorted."""
    headers = {**headers, "x-amz-date": stamp}
    path, _, query = target.partition("?")
    names = sorted(headers)
    lines = [f"{name}:{headers[name]}" for name in names]
    payload = payload or hashlib.sha256(body).hexdigest()
    canonical = "\n".join([method, quote(path), query, *lines, "", ";".join(names), payload])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + secret.encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    credential = f"{access_key}/{scope}"
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, Signature={key.hex()}"
    )
    return Request(method, target, (*headers.items(), ("authorization", authorization)), body)


def short_term_key(
    *, access_key: str = ACCESS_KEY, secret: str = SECRET, region: str = "us-east-1", token: str | None = None
) -> tuple[str, float]:
    """A key as AWS's token generator makes it with botocore, and when it was signed; good for 900 s."""
    request = AWSRequest(
        method="POST",
        url="https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )
    credentials = ReadOnlyCredentials(access_key, secret, token)
    SigV4QueryAuth(credentials, "bedrock", region, expires=900).add_auth(request)
    url = (request.url or "").removeprefix("https://") + "&Version=1"
    return f"bedrock-api-key-{base64.b64encode(url.encode()).decode()}", seconds(request.context["timestamp"])


def changed(request: Request, name: str, change: Callable[[str], str]) -> Request:
    """The request with one header changed; it must have the header."""
    assert request.header(name) is not None
    headers = tuple((key, change(value) if key.lower() == name else value) for key, value in request.headers)
    return replace(request, headers=headers)


# SigV4


@pytest.mark.parametrize("model", ["mistral.magistral-small-2509", "vendor.model-v1:0", ARN])
def test_the_signature_of_boto3_is_verified(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    request = boto_request(monkeypatch, model)
    assert quote(model, safe="") in request.target
    found = ask(RUNTIME, request, now=signed_at(request))
    assert found == Principal(ACCESS_KEY, "sigv4", "us-east-1", "bedrock")


def test_a_session_token_is_tolerated_and_is_part_of_what_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    request = boto_request(monkeypatch, token="session")
    assert request.header("x-amz-security-token") == "session"
    assert isinstance(ask(RUNTIME, request, now=signed_at(request)), Principal)
    other = changed(request, "x-amz-security-token", lambda _: "other")
    assert ask(RUNTIME, other, now=signed_at(request)) == Refused("signature-mismatch")


def test_the_signature_of_the_openai_sdk_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    request = openai_request(monkeypatch)
    assert request.header("x-amz-content-sha256") is not None
    found = ask(MANTLE, request, now=signed_at(request))
    assert found == Principal(ACCESS_KEY, "sigv4", "us-east-1", "bedrock-mantle")
    refused = Refused("wrong-service", {"service": "bedrock", "got": "bedrock-mantle"})
    assert ask(RUNTIME, request, now=signed_at(request)) == refused


def test_awss_own_example_of_a_signature_is_verified() -> None:
    # aws-sig-v4-test-suite, get-vanilla
    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    headers = (
        ("Host", "example.amazonaws.com"),
        ("X-Amz-Date", "20150830T123600Z"),
        (
            "Authorization",
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={signature}",
        ),
    )
    known = Credentials("us-east-1", (), {"AKIDEXAMPLE": secret}, {})
    schemes = {"sigv4": {**EXAMPLE["sigv4"], "services": ["service"]}}
    now = seconds("20150830T123600Z")
    found = authenticate(schemes, Request("GET", "/", headers), None, known, "strict", now)
    assert found == Principal("AKIDEXAMPLE", "sigv4", "us-east-1", "service")


def test_a_query_is_part_of_what_is_signed() -> None:
    request = sign_by_hand("/async-invoke?a=1&b=x%2Fy", b"", {"host": "h"}, method="GET")
    now = signed_at(request)
    assert isinstance(ask(RUNTIME, request, now=now), Principal)
    reordered = replace(request, target="/async-invoke?b=x%2Fy&a=1")
    assert isinstance(ask(RUNTIME, reordered, now=now), Principal)
    other = replace(request, target="/async-invoke?a=1&b=z")
    assert ask(RUNTIME, other, now=now) == Refused("signature-mismatch")


@pytest.mark.parametrize("signed", ["host", ":authority"])
@pytest.mark.parametrize("kept", ["host", ":authority"])
def test_over_http2_authority_stands_for_host(signed: str, kept: str) -> None:
    request = sign_by_hand("/model/m%3A0/converse", b"{}", {signed: "127.0.0.1:4443"})
    headers = tuple((kept if name == signed else name, value) for name, value in request.headers)
    request = replace(request, headers=headers)
    assert isinstance(ask(RUNTIME, request, now=signed_at(request)), Principal)
    other = changed(request, kept, lambda _: "127.0.0.1:1")
    assert ask(RUNTIME, other, now=signed_at(request)) == Refused("signature-mismatch")


def test_headers_that_botocore_never_signs_are_verified_when_signed() -> None:
    request = sign_by_hand("/", b"", {"host": "h", "user-agent": "Java"})
    assert isinstance(ask(RUNTIME, request, now=signed_at(request)), Principal)
    other = changed(request, "user-agent", lambda _: "other")
    assert ask(RUNTIME, other, now=signed_at(request)) == Refused("signature-mismatch")


def test_space_and_letter_case_of_headers_do_not_matter() -> None:
    request = sign_by_hand("/", b"", {"host": "h", "x-a": "one two"})
    request = changed(request, "x-a", lambda _: " one   two ")
    request = changed(request, "authorization", lambda value: value.replace("=host;", "=Host;"))
    assert isinstance(ask(RUNTIME, request, now=signed_at(request)), Principal)


def test_values_of_a_header_that_comes_twice_are_joined_as_they_are_signed() -> None:
    request = sign_by_hand("/", b"", {"host": "h", "x-a": "one,two"})
    headers = (*(h for h in request.headers if h[0] != "x-a"), ("x-a", "one "), ("X-A", "two"))
    assert isinstance(ask(RUNTIME, replace(request, headers=headers), now=signed_at(request)), Principal)


TAMPERED: dict[str, Callable[[Request], Request]] = {
    "body": lambda request: replace(request, body=request.body + b" "),
    "path": lambda request: replace(request, target=request.target.replace("converse", "invoke")),
    "decoded path": lambda request: replace(request, target=request.target.replace("%2F", "/")),
    "method": lambda request: replace(request, method="PUT"),
    "query": lambda request: replace(request, target=request.target + "?a=1"),
    "host": lambda request: changed(request, "host", lambda _: "evil.example"),
    "content-type": lambda request: changed(request, "content-type", lambda _: "text/plain"),
    "signature": lambda request: changed(request, "authorization", lambda value: value[:-1] + "x"),
    "hash of the body": lambda request: replace(
        request, headers=(*request.headers, ("x-amz-content-sha256", HASH_OF_NOTHING))
    ),
    "date of the scope": lambda request: changed(
        request,
        "authorization",
        lambda value: value.replace(f"/{(request.header('x-amz-date') or '')[:8]}/", "/20010101/"),
    ),
    "target that is no URL": lambda request: replace(request, target="[x"),
    "lone surrogate": lambda request: changed(request, "content-type", lambda value: value + "\udcff"),
}


@pytest.mark.parametrize("part", TAMPERED)
def test_what_is_changed_after_signing_is_refused(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    request = boto_request(monkeypatch, ARN)
    assert ask(RUNTIME, TAMPERED[part](request), now=signed_at(request)) == Refused("signature-mismatch")


def test_host_must_be_signed() -> None:
    request = sign_by_hand("/", b"", {"accept": "*/*"})
    assert ask(RUNTIME, request, now=signed_at(request)) == Refused("signature-mismatch")


def test_another_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    request = boto_request(monkeypatch, secret="another")
    assert ask(RUNTIME, request, now=signed_at(request)) == Refused("signature-mismatch")


def test_an_unknown_access_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    request = boto_request(monkeypatch, access_key="AKIAUNKNOWN", secret="another")
    refused = Refused("unknown-access-key", {"access_key": "AKIAUNKNOWN"})
    assert ask(RUNTIME, request, now=signed_at(request)) == refused


def test_a_signature_for_another_region_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    request = boto_request(monkeypatch, region="eu-west-1")
    refused = Refused("wrong-scope-region", {"region": "us-east-1", "got": "eu-west-1"})
    assert ask(RUNTIME, request, now=signed_at(request)) == refused


def test_a_signature_for_another_service_is_refused_by_the_first_of_the_services() -> None:
    request = sign_by_hand("/v1/models", b"", {"host": "h"}, service="mantle")
    refused = Refused("wrong-service", {"service": "bedrock-mantle", "got": "mantle"})
    assert ask(MANTLE, request, now=signed_at(request)) == refused


def test_a_signature_lives_as_long_as_the_clock_skew() -> None:
    request = sign_by_hand("/", b"", {"host": "h"})
    now = signed_at(request)
    assert isinstance(ask(RUNTIME, request, now=now + 300.9), Principal)
    assert isinstance(ask(RUNTIME, request, now=now - 300), Principal)
    assert ask(RUNTIME, request, now=now + 301) == Refused(
        "signature-expired",
        {
            "signed_at": "20261122T120000Z",
            "earliest": "20261122T120001Z",
            "now": "20261122T120501Z",
            "minutes": "5",
        },
    )
    assert ask(RUNTIME, request, now=now - 301) == Refused(
        "signature-not-yet-current",
        {
            "signed_at": "20261122T120000Z",
            "latest": "20261122T115959Z",
            "now": "20261122T115459Z",
            "minutes": "5",
        },
    )


@pytest.mark.parametrize("schemes, passes", [(MANTLE, True), (RUNTIME, False)], ids=["mantle", "runtime"])
def test_an_unsigned_payload_passes_only_where_the_file_says_so(
    schemes: dict[str, Any], passes: bool
) -> None:
    headers = {"host": "h", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    request = sign_by_hand("/", b"signed", headers, payload="UNSIGNED-PAYLOAD")
    found = ask(schemes, replace(request, body=b"anything"), now=signed_at(request))
    assert isinstance(found, Principal) if passes else found == Refused("signature-mismatch")


@pytest.mark.parametrize(
    "authorization, missing",
    [
        ("AWS4-HMAC-SHA256", "Credential, Signature, SignedHeaders"),
        ("AWS4-HMAC-SHA256 Credential=A/20261122/r/bedrock/aws4_request, SignedHeaders=host", "Signature"),
        (
            "AWS4-HMAC-SHA256 Credential=A/20261122/r/aws4_request, SignedHeaders=host, Signature=0",
            "Credential",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=/20261122/r/bedrock/aws4_request, SignedHeaders=host, Signature=0",
            "Credential",
        ),
        ("AWS4-HMAC-SHA256 Credential=A/20261122/r/bedrock/x, SignedHeaders=host, Signature=0", "Credential"),
    ],
)
def test_a_signature_with_a_part_missing_is_incomplete(authorization: str, missing: str) -> None:
    request = post(("authorization", authorization), ("x-amz-date", "20261122T120000Z"))
    assert ask(RUNTIME, request) == Refused("incomplete-signature", {"missing": missing})


@pytest.mark.parametrize("date", [(), (("x-amz-date", "yesterday"),)], ids=["none", "unreadable"])
def test_a_signature_without_a_date_is_incomplete(date: tuple[tuple[str, str], ...]) -> None:
    request = sign_by_hand("/", b"", {"host": "h"})
    request = replace(request, headers=(*(h for h in request.headers if h[0] != "x-amz-date"), *date))
    assert ask(RUNTIME, request) == Refused("incomplete-signature", {"missing": "X-Amz-Date"})


# Bearer keys


def test_our_long_term_key_passes() -> None:
    for schemes in (RUNTIME, MANTLE):
        assert isinstance(found := ask(schemes, bearer(OURS.bearer[0])), Principal)
        assert found.scheme == "bearer"


@pytest.mark.parametrize("key", ["dummy", "sk-0123", "absk123", "\udcff"])
def test_a_key_of_another_form_is_refused_where_the_form_is_checked(key: str) -> None:
    assert ask(RUNTIME, bearer(key)) == Refused("bad-key-format")
    assert ask(MANTLE, bearer(key)) == Refused("unknown-key")


@pytest.mark.parametrize("key", [OTHERS.bearer[0], "ABSK", OURS.bearer[0][:-1], OURS.bearer[0] + "x"])
def test_a_key_of_the_right_form_that_is_not_ours_is_unknown(key: str) -> None:
    assert ask(RUNTIME, bearer(key)) == Refused("unknown-key")


@pytest.mark.parametrize("token", [None, "session/token+=="])
def test_a_short_term_key_passes_until_it_expires(token: str | None) -> None:
    key, made = short_term_key(token=token)
    passes = Principal(ACCESS_KEY, "bearer", "us-east-1", "bedrock")
    for schemes in (RUNTIME, MANTLE):
        assert ask(schemes, bearer(key), now=made) == passes
        assert ask(schemes, bearer(key), now=made + 900) == passes
        assert ask(schemes, bearer(key), now=made + 901) == Refused("expired-key")


def test_a_short_term_key_of_another_region_is_refused() -> None:
    key, made = short_term_key(region="eu-west-1")
    refused = Refused("wrong-region", {"region": "us-east-1", "got": "eu-west-1"})
    assert ask(RUNTIME, bearer(key), now=made) == refused


def rewritten(key: str, old: str, new: str) -> str:
    url = base64.b64decode(key.removeprefix("bedrock-api-key-")).decode()
    assert old in url
    return "bedrock-api-key-" + base64.b64encode(url.replace(old, new).encode()).decode()


@pytest.mark.parametrize(
    "old, new",
    [
        ("X-Amz-Expires=900", "X-Amz-Expires=901"),
        ("X-Amz-Expires=900", "X-Amz-Expires=" + "9" * 5000),
        ("us-east-1", "us-west-2"),
        ("CallWithBearerToken", "GetCallerIdentity"),
        ("bedrock.amazonaws.com", "evil.example"),
        ("%2Fbedrock%2F", "%2Fs3%2F"),
        ("X-Amz-Date=2", "X-Amz-Date=x"),
        ("SignedHeaders=host", "SignedHeaders=none"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("X-Amz-Signature=", "Nothing="),
        (ACCESS_KEY, "AKIAUNKNOWN"),
    ],
)
def test_a_short_term_key_that_was_changed_is_unknown(old: str, new: str) -> None:
    key, made = short_term_key()
    assert ask(RUNTIME, bearer(rewritten(key, old, new)), now=made) == Refused("unknown-key")


@pytest.mark.parametrize("rest", ["", "!", "bm90IGEgdXJs", "/////w==", "\u00fc"])
def test_a_short_term_key_that_cannot_be_decoded_is_unknown(rest: str) -> None:
    assert ask(RUNTIME, bearer(f"bedrock-api-key-{rest}")) == Refused("unknown-key")


def test_a_short_term_key_signed_with_another_secret_is_unknown() -> None:
    key, made = short_term_key(secret="another")
    assert ask(RUNTIME, bearer(key), now=made) == Refused("unknown-key")


def signed_url_key(**changes: str) -> str:
    """A key with a genuine signature over parameters that need not be those of a key."""
    stamp = changes.get("X-Amz-Date", "20261122T120000Z")
    service = changes.pop("service", "bedrock")
    parameters = {
        "Action": "CallWithBearerToken",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{ACCESS_KEY}/{stamp[:8]}/us-east-1/{service}/aws4_request",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
        **changes,
    }
    url = f"bedrock.amazonaws.com/?{urlencode(parameters, quote_via=quote, safe='')}"
    request = AWSRequest("POST", f"https://{url}", {"host": "bedrock.amazonaws.com"})
    request.context["timestamp"] = stamp
    signer = SigV4Auth(ReadOnlyCredentials(ACCESS_KEY, SECRET, None), service, "us-east-1")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return "bedrock-api-key-" + base64.b64encode(f"{url}&X-Amz-Signature={signature}".encode()).decode()


@pytest.mark.parametrize(
    "changes, passes",
    [
        ({}, True),
        ({"Action": "GetCallerIdentity"}, False),
        ({"X-Amz-Algorithm": "AWS4-ECDSA-P256-SHA256"}, False),
        ({"X-Amz-SignedHeaders": "host;x"}, False),
        ({"X-Amz-Date": "20261122"}, False),
        ({"X-Amz-Expires": "0"}, False),
        ({"X-Amz-Expires": "43201"}, False),
        ({"service": "s3"}, False),
    ],
)
def test_a_genuine_signature_over_something_else_is_no_short_term_key(
    changes: dict[str, str], passes: bool
) -> None:
    found = ask(RUNTIME, bearer(signed_url_key(**changes)), now=seconds("20261122T120000Z"))
    assert isinstance(found, Principal) if passes else found == Refused("unknown-key")


# Puter tokens


@pytest.mark.parametrize(
    "request_, body",
    [
        (post(), {"auth_token": TOKENS["api"]}),
        (post(("authorization", f"bearer  {TOKENS['api']} ")), None),
        (post(("X-API-Key", TOKENS["api"])), None),
        (post(target=f"/drivers/call?auth_token={TOKENS['api']}"), None),
        (post(("authorization", "Basic eA=="), ("x-api-key", TOKENS["api"])), ["not", "an", "object"]),
        (post(("authorization", f"Bearer {TOKENS['api']}"), ("x-api-key", "bad")), {"auth_token": ""}),
    ],
    ids=["body", "bearer", "x-api-key", "query", "basic is no bearer", "the first place wins"],
)
def test_a_token_is_found_in_each_of_its_places(request_: Request, body: Any) -> None:
    assert isinstance(found := ask(PUTER, request_, body=body), Principal)
    assert (found.scheme, found.kind) == ("puter", "api")


def test_a_good_token_in_a_later_place_does_not_save_a_bad_one() -> None:
    request = bearer(TOKENS["api"])
    assert ask(PUTER, request, body={"auth_token": "bad"}) == Refused("token-legacy-format")


@pytest.mark.parametrize("kind", [*TOKENS])
def test_each_kind_of_token_is_known_and_refused_where_the_file_says_so(kind: str) -> None:
    for schemes in (PUTER, PUTER_WIRE):
        condition = schemes["puter"]["refused_kinds"].get(kind)
        found = ask(schemes, bearer(TOKENS[kind]))
        if condition is None:
            assert isinstance(found, Principal)
            assert found.kind == kind
        else:
            assert found == Refused(condition, {"kind": kind})


@pytest.mark.parametrize("token", ["bad", "a.b.c", "e30.e30.", "e30.W10.x", "\ud800"])
def test_a_string_that_is_no_jwt_is_of_the_old_format(token: str) -> None:
    assert ask(PUTER, post(), body={"auth_token": token}) == Refused("token-legacy-format")


def test_deep_nesting_inside_a_token_is_refused_without_a_crash() -> None:
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    assert ask(PUTER, post(), body={"auth_token": f"{deep}.e30.x"}) == Refused("token-legacy-format")


@pytest.mark.parametrize("token", [TOKENS["api"] + "x", next(iter(OTHERS.puter_tokens)), "e30.e30.x"])
def test_a_jwt_that_is_not_ours_has_a_wrong_signature(token: str) -> None:
    assert ask(PUTER, bearer(token)) == Refused("token-wrong-signature")


# Modes


@pytest.mark.parametrize("schemes", [RUNTIME, MANTLE, PUTER], ids=["runtime", "mantle", "puter"])
@pytest.mark.parametrize("mode", ["lenient", "strict"])
@pytest.mark.parametrize(
    "request_",
    [post(), post(("authorization", "")), post(("authorization", "Bearer ")), post(("authorization", "x"))],
)
def test_without_credentials_nobody_passes(
    schemes: dict[str, Any], mode: auth.Mode, request_: Request
) -> None:
    assert ask(schemes, request_, mode=mode) == Refused("missing-credentials")


@pytest.mark.parametrize("schemes", [RUNTIME, MANTLE, PUTER], ids=["runtime", "mantle", "puter"])
def test_off_asks_for_nothing(schemes: dict[str, Any]) -> None:
    assert ask(schemes, post(), mode="off") == Principal("anonymous", "none")


@pytest.mark.parametrize("schemes", [RUNTIME, MANTLE, PUTER], ids=["runtime", "mantle", "puter"])
@pytest.mark.parametrize("key", ["dummy", "bedrock-api-key-dummy", OURS.bearer[0], "\udcff"])
def test_lenient_takes_any_key_and_knows_it_again(schemes: dict[str, Any], key: str) -> None:
    found = ask(schemes, bearer(key), mode="lenient")
    assert isinstance(found, Principal)
    assert found == ask(schemes, bearer(key), mode="lenient")
    assert found != ask(schemes, bearer("another"), mode="lenient")


def test_lenient_knows_the_kind_of_our_tokens_and_refuses_none() -> None:
    found = ask(PUTER_WIRE, bearer(TOKENS["account"]), mode="lenient")
    assert isinstance(found, Principal)
    assert found.kind == "account"


def test_lenient_takes_any_signature_and_its_region() -> None:
    request = sign_by_hand("/", b"", {"host": "h"}, secret="another", region="eu-west-1", service="s3")
    found = ask(RUNTIME, replace(request, body=b"other"), mode="lenient", now=0)
    assert found == Principal(ACCESS_KEY, "sigv4", "eu-west-1", "s3")


def test_lenient_takes_the_region_of_a_short_term_key() -> None:
    key, made = short_term_key(region="eu-west-1", secret="another")
    found = ask(RUNTIME, bearer(key), mode="lenient", now=made + 10**6)
    assert found == Principal(ACCESS_KEY, "bearer", "eu-west-1", "bedrock")


def test_lenient_takes_no_signature_that_cannot_be_read() -> None:
    request = post(("authorization", "AWS4-HMAC-SHA256 Credential=x"))
    assert ask(RUNTIME, request, mode="lenient") == Refused("missing-credentials")


def test_every_refusal_is_a_listed_condition() -> None:
    key, made = short_term_key()
    hand = sign_by_hand("/", b"", {"host": "h"})
    now = signed_at(hand)
    found = {
        "bearer": [
            ask(RUNTIME, post()),
            ask(RUNTIME, bearer("dummy")),
            ask(RUNTIME, bearer("ABSK")),
            ask(RUNTIME, bearer(key), now=made + 901),
            ask(RUNTIME, bearer(short_term_key(region="eu-west-1")[0]), now=made),
        ],
        "sigv4": [
            ask(RUNTIME, post()),
            ask(RUNTIME, post(("authorization", "AWS4-HMAC-SHA256"))),
            ask(RUNTIME, hand, now=now + 301),
            ask(RUNTIME, hand, now=now - 301),
            ask(RUNTIME, sign_by_hand("/", b"", {"host": "h"}, service="s3"), now=now),
            ask(RUNTIME, sign_by_hand("/", b"", {"host": "h"}, region="eu-west-1"), now=now),
            ask(RUNTIME, sign_by_hand("/", b"", {"host": "h"}, access_key="x"), now=now),
            ask(RUNTIME, replace(hand, body=b"x"), now=now),
        ],
        "puter": [ask(PUTER, post()), ask(PUTER, bearer("bad")), ask(PUTER, bearer("e30.e30.x"))],
    }
    assert {
        scheme: {verdict.condition for verdict in verdicts if isinstance(verdict, Refused)}
        for scheme, verdicts in found.items()
    } == {scheme: set(conditions) for scheme, conditions in AUTH_CONDITIONS.items()}


def test_a_scheme_or_place_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected the schemes bearer, sigv4 or puter, got 'basic'"):
        ask({"basic": {}}, post())
    with pytest.raises(ValueError, match="expected header:NAME, query:NAME or body:/NAME, got 'cookie:x'"):
        ask({"puter": {"places": ["cookie:x"], "refused_kinds": {}}}, post())


# The keys themselves


def test_no_repr_shows_a_key() -> None:
    secrets = [*OURS.bearer, SECRET, *OURS.puter_tokens]
    shown = [repr(OURS)]
    for mode in ("lenient", "strict"):
        for key in (*OURS.bearer, *OTHERS.bearer):
            shown.append(repr(ask(RUNTIME, bearer(key), mode=mode)))
        for token in (*OURS.puter_tokens, *OTHERS.puter_tokens):
            shown.append(repr(ask(PUTER_WIRE, bearer(token), mode=mode)))
    assert not [
        secret for secret in (*secrets, *OTHERS.bearer, *OTHERS.puter_tokens) if secret in "".join(shown)
    ]


def test_the_keys_look_like_real_ones() -> None:
    assert OURS.bearer[0].startswith("ABSK")
    assert base64.b64decode(OURS.bearer[0].removeprefix("ABSK"), validate=True).startswith(b"BedrockAPIKey-")
    assert (ACCESS_KEY[:4], len(ACCESS_KEY), len(SECRET)) == ("AKIA", 20, 40)
    assert {"api", "account", "app", "api-free", "scoped", "no-funds", "session-expired"} <= set(TOKENS)
    assert sorted(OURS.useless) == ["bad", "forged"]


def test_the_same_entropy_gives_the_same_keys_and_other_entropy_others() -> None:
    assert make_credentials("us-east-1", Stream("ours"), forms=KEYS, tokens=TOLD) == OURS
    assert not set(OURS.puter_tokens) & set(OTHERS.puter_tokens)
    assert OURS.bearer != OTHERS.bearer
    assert OURS.key_pairs != OTHERS.key_pairs


def test_the_keys_come_back_from_mock_json() -> None:
    stored = json.loads(json.dumps({"http": "http://127.0.0.1:4010", **to_dict(OURS)}))
    assert from_dict(stored) == OURS
    assert stored["puter_token"] == TOKENS["api"]
    assert "api" not in stored["puter_tokens"]


@pytest.mark.parametrize(
    "member, value, message",
    [
        ("bearer", None, "expected a text that is not empty at 'bearer', got nothing"),
        ("aws_secret_access_key", "", "at 'aws_secret_access_key', got an empty text"),
        ("region", 7, "at 'region', got int"),
        ("puter_tokens", [], "expected an object of kind: token at 'puter_tokens', got list"),
        ("puter_tokens", {"app": None}, "at 'puter_tokens.app', got nothing"),
    ],
)
def test_a_broken_mock_json_is_named(member: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict({**to_dict(OURS), member: value})


def test_what_mock_json_cannot_hold_is_refused() -> None:
    for keys in (
        replace(OURS, bearer=("a", "b")),
        replace(OURS, key_pairs={}),
        replace(OURS, puter_tokens={"a": "api", "b": "api"}),
        replace(OURS, puter_tokens={"a": "app"}),
    ):
        with pytest.raises(ValueError, match=r"mock\.json holds one bearer key"):
            to_dict(keys)


def test_importing_auth_loads_no_network_and_no_botocore() -> None:
    heavy = {"aiohttp", "asyncio", "botocore", "socket"}
    code = f"import sys, mockserver.auth; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
