"""OpenAI's APIs on bedrock-runtime, as the openai package's own Bedrock provider asks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.providers import bedrock

from mockserver.embedded import Running, start

CHATS, RESPONDS = "mistral.magistral-small-2509", "us.openai.gpt-5.6-sol"
HELLO: Any = [{"role": "user", "content": "Reply with exactly: amber kettle 42"}]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    mock = start(auth="strict")
    yield mock
    mock.stop()


def client(running: Running, **credentials: Any) -> OpenAI:
    provider = bedrock(
        endpoint="runtime",
        region=running.info["region"],
        base_url=running.http + "/bedrock-runtime/openai/v1",
        **credentials,
    )
    return OpenAI(provider=provider, max_retries=0)


@pytest.fixture(params=["bearer", "sigv4"])
def asked(request: pytest.FixtureRequest, running: Running) -> Iterator[OpenAI]:
    credentials = (
        {"api_key": running.info["bearer"]}
        if request.param == "bearer"
        else {
            "access_key_id": running.info["aws_access_key_id"],
            "secret_access_key": running.info["aws_secret_access_key"],
        }
    )
    with client(running, **credentials) as made:
        yield made


def test_chats(asked: OpenAI) -> None:
    answer = asked.chat.completions.with_raw_response.create(model=CHATS, messages=HELLO)
    assert answer.headers["x-mock-contract"] == "bedrock-runtime/openai-chat-completions"
    assert answer.parse().choices[0].message.content == "amber kettle 42"


def test_streams_a_chat(asked: OpenAI) -> None:
    with asked.chat.completions.stream(model=CHATS, messages=HELLO) as stream:
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content == "amber kettle 42"


def test_responds_at_once_and_in_a_stream_and_goes_on(asked: OpenAI) -> None:
    first = asked.responses.create(model=RESPONDS, input="The code word is PELICAN7. Remember it.")
    with asked.responses.stream(
        model=RESPONDS,
        input="What is the code word? Answer with the code word only.",
        previous_response_id=first.id,
    ) as stream:
        assert stream.get_final_response().output_text == "PELICAN7"


@pytest.mark.parametrize(
    "told",
    [
        {"background": True},
        {"tools": [{"type": "web_search"}]},
        {"extra_body": {"guardrailConfig": {"guardrailIdentifier": "gr-1", "guardrailVersion": "1"}}},
    ],
    ids=["background", "a tool of the server's", "a guardrail in the body"],
)
def test_what_only_mantle_does_is_a_bad_request(asked: OpenAI, told: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        asked.responses.create(model=RESPONDS, input="Hello", **told)
    assert refused.value.code == "validation_error"


@pytest.mark.parametrize("model", [CHATS, "openai.gpt-oss-20b-1:0"])
def test_few_models_respond_here(asked: OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError):
        asked.responses.create(model=model, input="Hello")


def test_gpt_oss_thinks_at_the_head_of_its_text(asked: OpenAI) -> None:
    model = "openai.gpt-oss-20b-1:0"
    answer = asked.chat.completions.create(model=model, messages=HELLO, reasoning_effort="low")
    content = answer.choices[0].message.content or ""
    assert content.startswith("<reasoning>")
    assert content.partition("</reasoning>")[2] == "amber kettle 42"
    with asked.chat.completions.stream(model=model, messages=HELLO, reasoning_effort="low") as stream:
        assert stream.get_final_completion().choices[0].message.content == content


def test_the_guardrail_of_the_headers_is_enforced(asked: OpenAI) -> None:
    headers = {
        "X-Amzn-Bedrock-GuardrailIdentifier": "mockwords001",
        "X-Amzn-Bedrock-GuardrailVersion": "1",
    }
    with pytest.raises(openai.BadRequestError, match="guardrail identifier or version"):
        asked.chat.completions.create(
            model=CHATS,
            messages=HELLO,
            extra_headers={**headers, "X-Amzn-Bedrock-GuardrailIdentifier": "nobodys"},
        )
    blocked = asked.chat.completions.create(
        model=CHATS, messages=[{"role": "user", "content": "I like a kumquat."}], extra_headers=headers
    )
    assert blocked.choices[0].finish_reason == "content_filter"


def test_a_wrong_bearer_key_is_403_and_a_wrong_signature_401(running: Running) -> None:
    with client(running, api_key="ABSKbm90LWEta2V5") as wrong, pytest.raises(openai.PermissionDeniedError):
        wrong.chat.completions.create(model=CHATS, messages=HELLO)
    secret = running.info["aws_secret_access_key"][::-1]
    with (
        client(running, access_key_id=running.info["aws_access_key_id"], secret_access_key=secret) as wrong,
        pytest.raises(openai.AuthenticationError, match="signature we calculated does not match"),
    ):
        wrong.chat.completions.create(model=CHATS, messages=HELLO)


def test_models_are_listed_by_the_names_of_mantle(asked: OpenAI, running: Running) -> None:
    with openai.OpenAI(
        base_url=running.http + "/bedrock-mantle/v1", api_key=running.info["bearer"], max_retries=0
    ) as mantle:
        there = {model.id for model in mantle.models.list()}
    here = {model.id for model in asked.models.list()}
    assert CHATS in here
    assert here < there
