"""Whom a run asks, and where no key is ever sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from conformance.embedded import mock_at
from conformance.loading import load
from conformance.target import Target, UsageError, is_loopback, targets

SPECS = load()
KEYS = {
    "bedrock-runtime": ["AWS_BEARER_TOKEN_BEDROCK"],
    "bedrock-mantle": ["AWS_BEARER_TOKEN_BEDROCK", "OPENAI_API_KEY"],
    "puter": ["PUTER_AUTH_TOKEN", "puterAuthToken"],
}
KEY = "key-0123456789"


def one(
    provider: str = "bedrock-runtime", environment: Mapping[str, str] | None = None, **options: Any
) -> Target:
    environment = {KEYS[provider][0]: KEY} if environment is None else environment
    [found] = targets(SPECS, provider, environment=environment, **options)
    return found


def refusal(
    provider: str = "bedrock-runtime", environment: Mapping[str, str] | None = None, **options: Any
) -> str:
    environment = (
        {"AWS_BEARER_TOKEN_BEDROCK": KEY, "PUTER_AUTH_TOKEN": KEY} if environment is None else environment
    )
    with pytest.raises(UsageError) as raised:
        targets(SPECS, provider, environment=environment, **options)
    return str(raised.value)


# Providers


def test_an_unknown_provider_is_told_with_those_that_are_known() -> None:
    said = refusal("nobody")
    assert "'nobody'" in said
    for known in ("mock", *SPECS.providers):
        assert known in said


@pytest.mark.parametrize("provider", KEYS)
def test_a_provider_is_asked_at_its_own_host_as_its_own_model(provider: str) -> None:
    target = one(provider)
    said = SPECS.providers[provider].said
    assert target.endpoint == said["base_url"].replace("{region}", "us-east-1")
    assert (target.name, target.key, target.auth) == (provider, KEY, "strict")
    assert target.card is not None
    assert target.model == target.card.ids[provider]


def test_a_model_chooses_its_card_and_a_model_without_a_card_is_asked_all_the_same() -> None:
    devstral = one(model="mistral.devstral-2-123b")
    assert devstral.card is not None
    assert devstral.card.name.startswith("Devstral")
    unknown = one(model="nobody.knows-1")
    assert (unknown.model, unknown.card) == ("nobody.knows-1", None)


# Keys


@pytest.mark.parametrize("provider", KEYS)
def test_a_missing_key_is_told_with_the_names_of_its_variables(provider: str) -> None:
    said = refusal(provider, environment={"SOME_KEY": KEY})
    for name in KEYS[provider]:
        assert name in said
    assert provider in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("provider", "name"), [(each, name) for each, names in KEYS.items() for name in names]
)
def test_a_key_is_read_from_each_variable_that_the_provider_names(provider: str, name: str) -> None:
    target = one(provider, {name: KEY})
    assert (target.key, target.key_variable) == (KEY, name)


def test_the_first_variable_that_is_set_counts_and_an_empty_one_is_not_set() -> None:
    first, second = KEYS["bedrock-mantle"]
    assert one("bedrock-mantle", {first: KEY, second: "other"}).key == KEY
    assert one("bedrock-mantle", {first: "", second: KEY}).key_variable == second


@pytest.mark.parametrize("key", [f"{KEY}\n", f"{KEY}\r", f" {KEY}", f"{KEY} ", f"{KEY}é", f"{KEY}\0", "a b"])
def test_a_key_that_no_header_can_hold_is_told_without_the_key(key: str) -> None:
    said = refusal(environment={"AWS_BEARER_TOKEN_BEDROCK": key})
    assert said.startswith("AWS_BEARER_TOKEN_BEDROCK: expected a key of printable ASCII without spaces")
    assert key.strip() not in said


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
def test_an_access_key_that_no_header_can_hold_is_told_without_the_key(name: str) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIA1234",
        "AWS_SECRET_ACCESS_KEY": "secret12",
        "AWS_SESSION_TOKEN": "token123",
    }
    said = refusal(environment={**keys, name: f"{keys[name]}\n"})
    assert said.startswith(f"{name}: expected a key")
    assert keys[name] not in said


SIGNING = {
    "AWS_ACCESS_KEY_ID": "AKIA1234",
    "AWS_SECRET_ACCESS_KEY": "secret12",
    "AWS_SESSION_TOKEN": "token123",
}


def test_what_nobody_may_read_is_known_by_its_variable() -> None:
    assert one().secrets == {KEY: "AWS_BEARER_TOKEN_BEDROCK"}
    assert one(environment=SIGNING).secrets == {value: name for name, value in SIGNING.items()}
    lasting = {name: value for name, value in SIGNING.items() if name != "AWS_SESSION_TOKEN"}
    assert one(environment=lasting).secrets == {value: name for name, value in lasting.items()}


def test_an_access_key_signs_for_its_service_and_region() -> None:
    target = one(environment={**SIGNING, "AWS_REGION": "eu-west-1"})
    assert target.signer is not None
    assert (target.key, target.signer.token) == (None, "token123")
    assert (target.signer.service, target.signer.region) == ("bedrock", "eu-west-1")


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_an_access_key_is_none(missing: str) -> None:
    said = refusal(environment={**SIGNING, missing: ""})
    assert "AWS_BEARER_TOKEN_BEDROCK or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in said


def test_a_target_shows_no_key() -> None:
    assert KEY not in repr(one())
    assert not any(secret in repr(one(environment=SIGNING)) for secret in SIGNING.values())


# Regions


@pytest.mark.parametrize("region", ["us-west-2", "eu-west-1"])
def test_a_region_stands_in_the_host(region: str) -> None:
    assert one("bedrock-mantle", region=region).endpoint == f"https://bedrock-mantle.{region}.api.aws"


def test_a_region_is_read_from_the_environment_unless_it_is_given() -> None:
    environment = {
        "AWS_BEARER_TOKEN_BEDROCK": KEY,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-2",
    }
    assert one(environment=environment).region == "eu-west-1"
    assert one(environment={**environment, "AWS_REGION": ""}).region == "eu-west-2"
    assert one(environment=environment, region="us-west-2").region == "us-west-2"
    assert one().region == "us-east-1"


def test_an_unknown_region_is_told_with_those_that_are_known() -> None:
    said = refusal("bedrock-mantle", region="mars-north-1")
    assert "--region" in said
    assert "'mars-north-1'" in said
    assert "us-east-1" in said


def test_a_provider_without_regions_takes_none() -> None:
    assert "puter has no regions" in refusal("puter", region="us-east-1")
    assert one("puter").region is None


@pytest.mark.parametrize(
    "region", ["evil.example/", "x.evil.example#", "US-EAST-1", "us east", "us-east-1\n", "@evil"]
)
def test_a_region_does_not_lead_the_key_to_another_host(region: str) -> None:
    assert "--region: expected small letters, digits and hyphens" in refusal(region=region)


# Endpoints


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/base/path/",
        "http://127.0.0.1:4010",
        "http://127.9.9.9",
        "http://localhost:4010/bedrock-runtime",
        "http://[::1]:4010",
        "http://127.0.0.1:4010/@space/bedrock-runtime",
    ],
)
def test_an_endpoint_may_be_https_anywhere_and_http_on_this_machine(url: str) -> None:
    assert one(endpoint=url).endpoint == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1:4010",
        "http://0.0.0.0:4010",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://[2001:db8::1]",
        "HTTP://example.com",
    ],
)
def test_a_key_never_goes_over_plain_http_to_another_machine(url: str) -> None:
    said = refusal(endpoint=url)
    assert "a key never goes over plain http to another machine" in said
    assert url in said


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "example.com",
        "/tmp/socket",
        "https://",
        "https://:443",
        "https://example.com:port",
        "https://example.com:99999",
        "http://[::1",
        "https://example.com/?a=b",
        "https://example.com/#a",
        "https://example.com /",
        "https://example.com\n",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "https://user@example.com/",
    ],
)
def test_an_endpoint_that_readers_could_take_for_another_is_refused(url: str) -> None:
    assert "--endpoint-url: expected http(s)://host[:port][/path]" in refusal(endpoint=url)


def test_a_password_in_an_endpoint_is_not_repeated() -> None:
    said = refusal(endpoint="https://user:hunter22@example.com/")
    assert "hunter22" not in said
    assert "//...@example.com" in said


def test_what_a_variable_holds_goes_to_no_mock_on_another_machine_over_plain_http() -> None:
    added: dict[str, Any] = {
        "headers": ["X-Api-Key: $SECRET"],
        "environment": {"SECRET": "CANARY-0123456789"},
    }
    with pytest.raises(UsageError, match="a key never goes over plain http to another machine"):
        targets(SPECS, "mock", mock={"http": "http://example.com"}, **added)
    assert targets(SPECS, "mock", mock={"http": "http://127.0.0.1:4010"}, **added)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://user:hunter22@127.0.0.1:1", "ftp://a", "http://a:b:c"]
)
def test_the_endpoint_of_a_mock_is_read_as_carefully(url: str) -> None:
    with pytest.raises(UsageError, match="--endpoint-url: expected") as refused:
        mock_at(url)
    assert "hunter" not in str(refused.value)


def test_an_endpoint_of_the_environment_counts_unless_one_is_given() -> None:
    environment = {
        "AWS_BEARER_TOKEN_BEDROCK": KEY,
        "AWS_ENDPOINT_URL": "https://a",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "https://b",
    }
    assert one(environment=environment).endpoint == "https://b"
    assert one(environment=environment, endpoint="https://c").endpoint == "https://c"
    assert one(environment={**environment, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": ""}).endpoint == "https://a"


def test_a_wrong_endpoint_of_the_environment_is_told_by_its_variable() -> None:
    said = refusal(environment={"AWS_BEARER_TOKEN_BEDROCK": KEY, "AWS_ENDPOINT_URL": "http://example.com"})
    assert said.startswith("AWS_ENDPOINT_URL: a key never goes over plain http")


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("", False),
        ("0.0.0.0", False),
        ("localhost.", False),
    ],
)
def test_this_machine_is_told_from_others(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


# The mock

MOCK = {
    "http": "http://127.0.0.1:4010/",
    "ca": "/tmp/ca.pem",
    "bearer": "ABSKbearer",
    "puter_token": "puter-token",
    "auth": "strict",
    "reality": "observed",
}


def test_every_provider_is_asked_at_one_mock_with_the_mock_s_own_keys() -> None:
    found = {each.name: each for each in targets(SPECS, "mock", mock=MOCK, environment={})}
    assert set(found) == set(SPECS.providers)
    assert found["puter"].key == "puter-token"
    assert found["bedrock-runtime"].key == "ABSKbearer"
    for each in found.values():
        assert each.endpoint == f"http://127.0.0.1:4010{each.provider.prefix}"
        assert (each.key_variable, each.ca, each.auth, each.reality) == (
            "MOCK_KEY",
            "/tmp/ca.pem",
            "strict",
            "observed",
        )
        sold_as = each.provider.said.get("models_of", each.name)
        assert each.card is not None
        assert each.model == each.card.ids[sold_as]


def test_a_mock_that_says_nothing_of_itself_is_lenient_and_documented() -> None:
    for each in targets(SPECS, "mock", mock={"http": "http://127.0.0.1:9"}, environment={}):
        assert (each.auth, each.reality, each.key, each.ca) == ("lenient", "documented", "no-key", None)


def test_a_mock_is_asked_in_the_region_that_was_named() -> None:
    named = targets(SPECS, "mock", mock=MOCK, region="eu-west-1", environment={})
    assert {each.region for each in named if each.provider.said["region"]} == {"eu-west-1"}
    usual = {each.name: each.region for each in targets(SPECS, "mock", mock=MOCK, environment={})}
    assert usual["bedrock-runtime"] == usual["bedrock-mantle"] == "us-east-1"
    assert usual["puter"] is usual["openai"] is usual["mistral"] is None


def test_no_key_of_the_environment_goes_to_a_mock() -> None:
    environment = {"AWS_BEARER_TOKEN_BEDROCK": KEY, "PUTER_AUTH_TOKEN": KEY}
    for each in targets(SPECS, "mock", mock=MOCK, environment=environment):
        assert each.key != KEY


def test_a_model_is_asked_of_the_mock_by_its_id_or_an_alias() -> None:
    found = {
        each.name: each
        for each in targets(SPECS, "mock", mock=MOCK, model="magistral-small-latest", environment={})
    }
    assert found["puter"].model == "mistralai/magistral-small-2509"
    assert found.keys() == {"puter"}


def test_a_model_that_no_card_knows_is_not_asked_of_a_mock() -> None:
    with pytest.raises(
        UsageError, match=r"--model: .* got 'mistral.magistral-smal-2509'; closest: mistral.magis"
    ):
        targets(SPECS, "mock", mock=MOCK, model="mistral.magistral-smal-2509", environment={})
