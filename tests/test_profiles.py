"""The profiles of the OpenAI family: who answers at /v1, and what the profile `openai` knows."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3
from openai import NotFoundError, OpenAI
from openai.types.shared import ChatModel, ResponsesModel

from conformance.loading import load
from mockserver.embedded import Running, start
from mockserver.provider import MockProvider
from mockserver.route import profiles

SPECS = load()
ASKED = {"messages": [{"role": "user", "content": "Hello"}]}
MODELS = {name: str(each.said["model"]) for name, each in profiles(SPECS).items()}


def named(union: Any) -> Iterator[str]:
    """Every literal of a union of literals and `str`."""
    for each in typing.get_args(union):
        if isinstance(each, str):
            yield each
        elif each is not str:
            yield from named(each)


CHATTING_IDS = sorted(set(named(ChatModel)))
RESPONDING_IDS = sorted(set(named(ResponsesModel)) - set(CHATTING_IDS))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    mock = start()
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def as_openai() -> Iterator[Running]:
    mock = start(openai_profile="openai")
    yield mock
    mock.stop()


def asked(running: Running, path: str, model: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "POST",
        running.http + path,
        headers={"Authorization": "Bearer key", **headers},
        json={**ASKED, "model": model},
        retries=False,
    )


def contract(answer: urllib3.BaseHTTPResponse) -> str:
    return answer.headers["x-mock-contract"]


# Who answers


def test_v1_is_bedrock_mantle_where_nobody_chooses(running: Running) -> None:
    answer = asked(running, "/v1/chat/completions", MODELS["bedrock-mantle"])
    assert (answer.status, contract(answer)) == (200, "bedrock-mantle/chat-completions")


CHATTING = ["openai", "bedrock-mantle", "mistral"]


@pytest.mark.parametrize("name", CHATTING)
def test_the_header_chooses_a_profile_for_one_request(running: Running, name: str) -> None:
    chosen = {"x-mock-profile": name}
    answer = asked(running, "/v1/chat/completions", MODELS[name], **chosen)
    assert (answer.status, contract(answer)) == (200, f"{name}/chat-completions")


def test_the_header_counts_before_the_option(as_openai: Running) -> None:
    chosen = {"x-mock-profile": "mistral"}
    answer = asked(as_openai, "/v1/chat/completions", MODELS["mistral"], **chosen)
    assert contract(answer) == "mistral/chat-completions"


@pytest.mark.parametrize(
    ("path", "headers", "answered_by"),
    [
        ("/v1/chat/completions", {}, "openai"),
        ("/bedrock-mantle/v1/chat/completions", {}, "bedrock-mantle"),
        ("/mistral-ai/v1/chat/completions", {}, "mistral"),
        ("/v1/chat/completions", {"Host": "api.mistral.ai"}, "mistral"),
        ("/v1/chat/completions", {"Host": "bedrock-mantle.us-east-1.api.aws"}, "bedrock-mantle"),
        ("/~aspace/v1/chat/completions", {}, "openai"),
        ("/openai/v1/chat/completions", {}, "bedrock-mantle"),
    ],
)
def test_a_prefix_and_a_host_count_before_the_option(
    as_openai: Running, path: str, headers: Mapping[str, str], answered_by: str
) -> None:
    answer = asked(as_openai, path, MODELS[answered_by], **headers)
    assert contract(answer) == f"{answered_by}/chat-completions"


def test_who_signs_for_bedrock_is_answered_by_bedrock_whatever_the_option(as_openai: Running) -> None:
    from openai.lib.bedrock import BedrockOpenAI

    with BedrockOpenAI(
        base_url=as_openai.http + "/v1",
        aws_region=as_openai.info["region"],
        aws_access_key_id=as_openai.info["aws_access_key_id"],
        aws_secret_access_key=as_openai.info["aws_secret_access_key"],
    ) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=MODELS["bedrock-mantle"], messages=[{"role": "user", "content": "Hello"}]
        )
    assert answer.headers["x-mock-contract"] == "bedrock-mantle/chat-completions"


def test_a_header_that_names_no_profile_is_told_which_there_are(running: Running) -> None:
    answer = asked(running, "/v1/chat/completions", "any", **{"x-mock-profile": "open-ai"})
    assert answer.status == 400
    assert "openai" in answer.headers["x-mock-error"]
    said = answer.data.decode()
    assert all(name in said for name in MODELS), said
    assert "closest: openai" in said


def test_the_journal_says_who_answered(running: Running) -> None:
    provider = MockProvider(running, "journal", {})
    urllib3.request(
        "POST",
        f"{provider.url()}/v1/chat/completions",
        headers={"Authorization": "Bearer key", "x-mock-profile": "openai"},
        json={**ASKED, "model": "gpt-4o"},
    )
    urllib3.request("GET", f"{provider.url()}/v1/models", headers={"x-mock-profile": "nobody"}, retries=False)
    first, second = provider.journal
    assert first.contract == "openai/chat-completions"
    assert (second.status, second.refused) == (400, "unknown-profile")


def test_the_option_says_the_closest_names_and_exits_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", "--port", "0", "--tls-port", "0", "--openai-profile", "opnai"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "--openai-profile: expected one of" in done.stderr
    assert "closest: openai" in done.stderr


def test_run_passes_the_profile_on_and_bedrocks_clients_still_find_bedrock(tmp_path: Path) -> None:
    program = """
import json, os, openai
from openai.lib.bedrock import BedrockOpenAI
said = [{"role": "user", "content": "Hello"}]
with openai.OpenAI() as plain, BedrockOpenAI(aws_region="us-east-1") as bedrock:
    print(json.dumps([
        client.chat.completions.with_raw_response.create(model=model, messages=said).headers["x-mock-contract"]
        for client, model in ((plain, "gpt-4o"), (bedrock, "mistral.magistral-small-2509"))
    ]))
"""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mockserver", "run", "--openai-profile", "openai"),
            *("--", sys.executable, "-c", program),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["openai/chat-completions", "bedrock-mantle/chat-completions"]


@pytest.mark.mock_provider(openai_profile="openai")
def test_the_marker_chooses_for_one_test(mock_provider: Any, openai_client: OpenAI) -> None:
    mock_provider.reply("as OpenAI")
    with OpenAI() as client:
        mine = client.chat.completions.with_raw_response.create(
            model="o3", messages=[{"role": "user", "content": "Hello"}]
        )
    assert mine.headers["x-mock-contract"] == "openai/chat-completions"
    assert mine.parse().choices[0].message.content == "as OpenAI"
    answer = openai_client.chat.completions.create(
        model="o3", messages=[{"role": "user", "content": "Reply with exactly: ours"}]
    )
    assert answer.id.startswith("chatcmpl-")


@pytest.mark.mock_provider(openai_profile="open-responses", in_process=True)
def test_the_profile_holds_without_sockets_too(mock_provider: Any) -> None:
    with mock_provider.mount(base_url="http://gateway.example"):
        with OpenAI(base_url="http://gateway.example/v1", api_key="key") as client:
            answers = [
                client.responses.with_raw_response.create(
                    model="gpt-5-nano", input="Hello", extra_headers=each
                )
                for each in ({}, {"x-mock-profile": "openai"})
            ]
        assert [each.headers["x-mock-contract"] for each in answers] == [
            "open-responses/responses",
            "openai/responses",
        ]
    assert [each.contract for each in mock_provider.journal] == [
        "open-responses/responses",
        "openai/responses",
    ]


def test_a_provider_of_ones_own_can_be_a_profile_and_knows_its_own_model_only(tmp_path: Path) -> None:
    written = [sys.executable, "-m", "conformance", "new", "provider", "my-vllm", "--model", "my-model"]
    subprocess.run(
        [*written, "--like", "openai", "--base-url", "http://127.0.0.1:8000", "--offers", "chat-completions"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=60,
    )
    mock = start(specs=load([tmp_path / "my-vllm-specs"]), openai_profile="my-vllm")
    try:
        answer = asked(mock, "/v1/chat/completions", "my-model")
        other = asked(mock, "/v1/chat/completions", "gpt-4o")
    finally:
        mock.stop()
    assert (answer.status, contract(answer)) == (200, "my-vllm/chat-completions")
    # It was begun as OpenAI, and sells its own model all the same.
    assert (other.status, contract(other)) == (404, "my-vllm/chat-completions")


# What the profile `openai` knows


@pytest.fixture(scope="module")
def client(as_openai: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=as_openai.http + "/v1", api_key="key", max_retries=0) as made:
        yield made


def test_openai_answers_to_every_model_that_its_own_package_names(client: OpenAI) -> None:
    refused = []
    for name in (*CHATTING_IDS, *RESPONDING_IDS):
        try:
            if name in RESPONDING_IDS:
                client.responses.create(model=name, input="Hello")
            else:
                client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hello"}])
        except NotFoundError as error:
            refused.append((name, error.message))
    assert refused == []
    assert min(len(CHATTING_IDS), len(RESPONDING_IDS)) > 20


def test_openai_answers_to_every_model_of_the_catalogue_that_writes_text(client: OpenAI) -> None:
    names = {
        name
        for card in SPECS.cards
        if "text" in (card.value("output_modalities") or ["text"])
        if card.seller != "openai" or card.offers("api:chat-completions")
        for name in card.ids.values()
    }
    refused = []
    for name in sorted(names):
        try:
            answer = client.chat.completions.create(
                model=name, messages=[{"role": "user", "content": "Hello"}]
            )
            assert answer.model
        except NotFoundError as error:
            refused.append((name, error.message))
    assert refused == []
    assert len(names) > 100


def test_the_list_of_openai_holds_the_whole_catalogue_once(client: OpenAI) -> None:
    listed = [each.id for each in client.models.list()]
    assert len(listed) == len(set(listed))
    assert {name for card in SPECS.cards for name in card.ids.values()} <= set(listed)
    assert all(each.created and each.owned_by for each in client.models.list())


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("no-such-model", "does not exist", "model_not_found"),
        ("amazon.titan-embed-text-v2:0", "not a chat model", None),
        ("o1-pro", "only supported in v1/responses", None),
    ],
)
def test_openai_does_not_know_a_model_that_nobody_has_nor_lets_one_chat_that_cannot(
    client: OpenAI, name: str, words: str, code: str | None
) -> None:
    with pytest.raises(NotFoundError, match=words) as refused:
        client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hello"}])
    assert refused.value.code == code


def test_bedrock_does_not_know_what_only_openai_sells(running: Running) -> None:
    assert asked(running, "/v1/chat/completions", "gpt-4o").status == 404


# Magistral's Responses: the card's sample shows them, the wire refuses them


def responses(running: Running) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "POST",
        running.http + "/v1/responses",
        headers={"Authorization": "Bearer key"},
        json={"model": "mistral.magistral-small-2509", "input": "Hello"},
        retries=False,
    )


def test_magistrals_responses_are_answered_as_documented_and_the_header_says_so(running: Running) -> None:
    answer = responses(running)
    assert answer.status == 200
    assert answer.headers["x-mock-reality"] == "documented; responses: documented true, observed false"


def test_magistrals_responses_are_refused_as_observed() -> None:
    mock = start(reality="observed")
    try:
        answer = responses(mock)
    finally:
        mock.stop()
    assert answer.status == 400
    assert answer.json()["error"]["message"] == (
        "The model 'mistral.magistral-small-2509' does not support the '/v1/responses' API"
    )
    assert answer.headers["x-mock-reality"] == "observed; responses: documented true, observed false"
