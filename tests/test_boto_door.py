"""boto3 answered inside its own process, beside moto, with every socket forbidden."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from moto import mock_aws
from urllib3.exceptions import ProtocolError

pytestmark = pytest.mark.mock_provider(in_process=True)
HELLO = [{"role": "user", "content": [{"text": "Reply with exactly: no socket was opened"}]}]


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    yield


def text(stream: Any) -> str:
    return "".join(
        event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event
    )


def test_a_prompt_from_motos_s3_is_streamed_by_us(mock_provider: Any) -> None:
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="prompts")
        s3.put_object(Bucket="prompts", Key="hello", Body=b"Reply with exactly: from the bucket")
        prompt = s3.get_object(Bucket="prompts", Key="hello")["Body"].read().decode()
        bedrock = boto3.client("bedrock-runtime", region_name="us-east-1")
        answer = bedrock.converse_stream(
            modelId=mock_provider.model, messages=[{"role": "user", "content": [{"text": prompt}]}]
        )
        assert text(answer["stream"]) == "from the bucket"
    assert mock_provider.requests[0].messages[0].text == "Reply with exactly: from the bucket"


def test_the_ready_client_reads_plain_answers_and_bodies(mock_provider: Any, bedrock_client: Any) -> None:
    answer = bedrock_client.converse(modelId=mock_provider.model, messages=HELLO)
    assert answer["output"]["message"]["content"][0]["text"] == "no socket was opened"
    body = json.dumps(
        {"messages": [{"role": "user", "content": "Reply with exactly: invoked"}], "max_tokens": 32}
    )
    invoked = bedrock_client.invoke_model(modelId=mock_provider.model, body=body)
    first = invoked["body"].read(10)
    assert json.loads(first + invoked["body"].read())["choices"][0]["message"]["content"] == "invoked"


def test_a_client_of_the_default_session_is_answered_too(mock_provider: Any) -> None:
    client = boto3.client("bedrock-runtime", region_name="us-east-1")
    assert client.converse(modelId=mock_provider.model, messages=HELLO)["stopReason"] == "end_turn"


def test_throttling_is_retried_by_boto3_itself(mock_provider: Any, bedrock_client: Any) -> None:
    mock_provider.fail("throttling", times=1)
    answer = bedrock_client.converse(modelId=mock_provider.model, messages=HELLO)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert [entry.status for entry in mock_provider.journal] == [429, 200]


def test_errors_are_typed(mock_provider: Any) -> None:
    client = mock_provider.bedrock_client(config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(client.exceptions.ValidationException):
        client.converse(modelId="no.such-model", messages=HELLO)
    mock_provider.fail("unavailable")
    with pytest.raises(ClientError) as caught:
        client.converse(modelId=mock_provider.model, messages=HELLO)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_stream_that_is_cut_says_so_after_its_events(mock_provider: Any, bedrock_client: Any) -> None:
    mock_provider.cut(after_events=3)
    stream = bedrock_client.converse_stream(modelId=mock_provider.model, messages=HELLO)["stream"]
    events: list[Any] = []
    with pytest.raises((ProtocolError, EventStreamError)):
        events.extend(iter_into(stream, events))
    assert len(events) == 3


def iter_into(stream: Any, events: list[Any]) -> list[Any]:
    for event in stream:
        events.append(event)
    return []


@pytest.mark.mock_provider(in_process=True, auth="strict")
def test_signatures_are_verified_in_process(mock_provider: Any, bedrock_client: Any) -> None:
    assert bedrock_client.converse(modelId=mock_provider.model, messages=HELLO)["stopReason"] == "end_turn"
    wrong = boto3.Session("AKIAFAKEFAKEFAKEFAKE", "not-a-secret").client(
        "bedrock-runtime", region_name="us-east-1"
    )
    with pytest.raises(ClientError) as caught:
        wrong.converse(modelId=mock_provider.model, messages=HELLO)
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_it_has_no_address(mock_provider: Any) -> None:
    with pytest.raises(ValueError, match="listens nowhere"):
        mock_provider.url()


class TestWithoutUs:
    """The control: what moto does by itself."""

    pytestmark = pytest.mark.filterwarnings("default")

    def test_moto_alone_does_not_know_the_operation(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
            monkeypatch.delenv(name, raising=False)
        with mock_aws():
            client = boto3.client("bedrock-runtime", region_name="us-east-1")
            with pytest.raises(NotImplementedError):
                client.converse_stream(modelId="mistral.magistral-small-2509", messages=HELLO)
