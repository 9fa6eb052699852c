"""boto3's control-plane client and the catalogue: lists, profiles, forms of a model's id, what a card refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from conformance.loading import load
from mockserver.provider import MockProvider

SPECS = load()
RUNTIME = SPECS.providers["bedrock-runtime"]
ON_RUNTIME = [card for card in SPECS.cards if "bedrock-runtime" in card.ids]
THROUGH_PROFILES = [
    card for card in ON_RUNTIME if card.offers("on_demand") is False and card.offers("api:converse")
]
HELLO = [{"role": "user", "content": [{"text": "Reply with exactly: amber kettle"}]}]

Client = Callable[..., Any]


@pytest.fixture
def client(mock_provider: MockProvider) -> Iterator[Client]:
    """Makes boto3 clients of `bedrock` and `bedrock-runtime`; they sign with the mock's key pair."""
    made: list[Any] = []

    def make(service: str, region: str = "us-east-1") -> Any:
        made.append(
            boto3.client(
                service,
                region_name=region,
                endpoint_url=mock_provider.url(),
                aws_access_key_id=mock_provider.info["aws_access_key_id"],
                aws_secret_access_key=mock_provider.info["aws_secret_access_key"],
                config=Config(retries={"total_max_attempts": 1}, signature_version="v4"),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


def ids(client: Any, **filters: str) -> list[str]:
    return [each["modelId"] for each in client.list_foundation_models(**filters)["modelSummaries"]]


def says(client: Any, model: str) -> str:
    answer = client.converse(modelId=model, messages=HELLO)
    return str(answer["output"]["message"]["content"][-1]["text"])


def refusal(client: Any, model: str) -> str:
    with pytest.raises(ClientError) as caught:
        client.converse(modelId=model, messages=HELLO)
    return str(caught.value.response["Error"]["Message"])


def test_the_list_has_every_model_of_the_region(client: Client) -> None:
    expected = {
        card.ids["bedrock-runtime"] for card in ON_RUNTIME if card.offers("region:us-east-1") is not False
    }
    assert set(ids(client("bedrock"))) == expected


def test_a_region_lists_only_what_it_has(client: Client) -> None:
    assert "mistral.devstral-2-123b" in ids(client("bedrock", "eu-central-1"))
    assert "mistral.mistral-large-3-675b-instruct" not in ids(client("bedrock", "eu-central-1"))


@pytest.mark.parametrize(
    ("name", "value", "has", "lacks"),
    [
        ("byProvider", "mistral ai", "mistral.magistral-small-2509", "amazon.nova-micro-v1:0"),
        ("byOutputModality", "TEXT", "mistral.magistral-small-2509", "zai.glm-5"),
        ("byInferenceType", "ON_DEMAND", "mistral.magistral-small-2509", "mistral.pixtral-large-2502-v1:0"),
    ],
)
def test_a_filter_keeps_what_fits(client: Client, name: str, value: str, has: str, lacks: str) -> None:
    found = ids(client("bedrock"), **{name: value})
    assert has in found
    assert lacks not in found


def test_nothing_is_fine_tuned(client: Client) -> None:
    assert ids(client("bedrock"), byCustomizationType="FINE_TUNING") == []


def test_a_filter_that_is_no_word_of_the_enum_is_refused(client: Client) -> None:
    with pytest.raises(ClientError, match="ValidationException") as caught:
        client("bedrock").list_foundation_models(byOutputModality="SMELL")
    assert "byOutputModality" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("card", ON_RUNTIME, ids=lambda card: card.ids["bedrock-runtime"])
def test_each_model_describes_itself_by_id_and_by_arn(client: Client, card: Any) -> None:
    bedrock, model = client("bedrock"), card.ids["bedrock-runtime"]
    details = bedrock.get_foundation_model(modelIdentifier=model)["modelDetails"]
    assert details["modelName"] == card.name
    assert details["inputModalities"] == [each.upper() for each in card.value("input_modalities") or ()]
    assert bedrock.get_foundation_model(modelIdentifier=details["modelArn"])["modelDetails"] == details


def test_an_unknown_model_is_not_found(client: Client) -> None:
    bedrock = client("bedrock")
    with pytest.raises(bedrock.exceptions.ResourceNotFoundException):
        bedrock.get_foundation_model(modelIdentifier="no.such-model")


def test_profiles_come_in_pages(client: Client) -> None:
    bedrock = client("bedrock")
    whole = bedrock.list_inference_profiles()["inferenceProfileSummaries"]
    pages = list(bedrock.get_paginator("list_inference_profiles").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(each["inferenceProfileSummaries"]) for each in pages[:-1]] == [2] * (len(pages) - 1)
    assert [entry for page in pages for entry in page["inferenceProfileSummaries"]] == whole
    assert len(whole) > 4


def test_a_token_that_no_page_gave_is_refused(client: Client) -> None:
    with pytest.raises(ClientError, match="nextToken"):
        client("bedrock").list_inference_profiles(nextToken="made-up")


def test_there_are_no_application_profiles(client: Client) -> None:
    assert (
        client("bedrock").list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
    )


def test_a_profile_is_found_by_id_and_by_arn(client: Client) -> None:
    bedrock = client("bedrock", "eu-west-1")
    first = bedrock.list_inference_profiles()["inferenceProfileSummaries"][0]
    assert first["inferenceProfileId"].startswith("eu.")
    for name in (first["inferenceProfileId"], first["inferenceProfileArn"]):
        found = bedrock.get_inference_profile(inferenceProfileIdentifier=name)
        assert found["models"] == first["models"]


@pytest.mark.parametrize("card", THROUGH_PROFILES, ids=lambda card: card.ids["bedrock-runtime"])
def test_a_model_of_profiles_needs_one(client: Client, card: Any) -> None:
    runtime, model = client("bedrock-runtime"), card.ids["bedrock-runtime"]
    assert "isn’t supported" in refusal(runtime, model)
    profile = next(each for each in card.value("cross_region"))
    region = RUNTIME.said["profiles"][profile]["regions"][0]
    assert says(client("bedrock-runtime", region), f"{profile}.{model}") == "amber kettle"


@pytest.mark.parametrize(
    "form",
    [
        "{id}",
        "arn:aws:bedrock:us-east-1::foundation-model/{id}",
    ],
)
def test_a_model_on_demand_goes_by_its_id_and_its_arn(client: Client, form: str) -> None:
    model = form.replace("{id}", "mistral.magistral-small-2509")
    assert says(client("bedrock-runtime"), model) == "amber kettle"


def test_an_arn_of_a_profile_goes_as_well(client: Client) -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.mistral.pixtral-large-2502-v1:0"
    assert says(client("bedrock-runtime"), arn) == "amber kettle"


@pytest.mark.parametrize(
    ("model", "region"),
    [
        ("eu.mistral.pixtral-large-2502-v1:0", "us-east-1"),
        ("us.mistral.magistral-small-2509", "us-east-1"),
        ("global.mistral.pixtral-large-2502-v1:0", "us-east-1"),
        ("mistral.mistral-large-3-675b-instruct", "eu-central-1"),
        ("google.gemma-4-31b", "us-east-1"),
        ("arn:aws:bedrock:us-east-1:123456789012:custom-model/mistral.x/abcdefghijkl", "us-east-1"),
    ],
)
def test_a_name_that_leads_nowhere_is_an_invalid_identifier(client: Client, model: str, region: str) -> None:
    assert refusal(client("bedrock-runtime", region), model) == "The provided model identifier is invalid."
