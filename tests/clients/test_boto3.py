"""boto3 as a reader of the mock: what it parses, raises, retries and cannot know.

Nothing here is parsed by code of ours. boto3 checks required members, types and minima before it sends;
everything else the mock has to refuse.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import boto3
import jsonschema
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.session import Session as CoreSession
from urllib3.exceptions import ProtocolError

from conformance.contract import Failure
from conformance.loading import load
from conformance.probes.picture import draw
from tests.clients.raised import error_of

MODEL = "mistral.magistral-small-2509"
REGION = "us-east-1"
ONCE = Config(retries={"total_max_attempts": 1})
UNCHECKED = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
EVENTS_IN_STREAM = "application/vnd.amazon.eventstream"

OPERATIONS = {
    "bedrock-runtime/converse": "Converse",
    "bedrock-runtime/converse-stream": "ConverseStream",
    "bedrock-runtime/invoke-model": "InvokeModel",
    "bedrock-runtime/invoke-model-stream": "InvokeModelWithResponseStream",
    "bedrock-runtime/invoke-model-text": "InvokeModel",
    "bedrock-runtime/invoke-model-text-stream": "InvokeModelWithResponseStream",
    "bedrock-runtime/count-tokens": "CountTokens",
    "bedrock-runtime/apply-guardrail": "ApplyGuardrail",
    "bedrock-runtime/invoke-guardrail-checks": "InvokeGuardrailChecks",
    "bedrock-runtime/start-async-invoke": "StartAsyncInvoke",
    "bedrock-runtime/get-async-invoke": "GetAsyncInvoke",
    "bedrock-runtime/list-async-invokes": "ListAsyncInvokes",
}
CONTRACTS = {name: each for name, each in load().contracts.items() if name in OPERATIONS}
RUNTIME = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "languages": {"type": "array", "items": {"enum": ["Go", "Rust", "Python"]}, "minItems": 1},
    },
    "required": ["name", "age", "languages"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def sessions() -> dict[str, boto3.Session]:
    """One session for each way of paying: a session reads its data files once, and keeps its key pair."""
    return {"bearer over https": boto3.Session(), "SigV4 over http": boto3.Session()}


@pytest.fixture(params=["bearer over https", "SigV4 over http"])
def client(
    request: pytest.FixtureRequest,
    sessions: dict[str, boto3.Session],
    mock_provider: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A client as users make one: a region, and the rest from the environment."""
    if request.param == "SigV4 over http":
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", mock_provider.info["aws_access_key_id"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", mock_provider.info["aws_secret_access_key"])
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", mock_provider.url())
    return sessions[request.param].client("bedrock-runtime", region_name=REGION)


def user(*blocks: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": [{"text": each} if isinstance(each, str) else each for each in blocks],
    }


def asked(text: str, **more: Any) -> dict[str, Any]:
    return {"modelId": MODEL, "messages": [user(text)], **more}


def invoked(text: str, contract: str = "", **more: Any) -> dict[str, Any]:
    if "model-text" in contract:
        body = {"prompt": f"<s>[INST] {text} [/INST]", "max_tokens": 256}
        return {"modelId": "mistral.mistral-7b-instruct-v0:2", "body": json.dumps(body)}
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 256, **more}
    return {"modelId": MODEL, "body": json.dumps(body)}


def tools(schema: Any = WEATHER, **choice: Any) -> dict[str, Any]:
    spec = {
        "name": "get_weather",
        "description": "Current weather of a city",
        "inputSchema": {"json": schema},
    }
    other = {
        "name": "send_mail",
        "description": "Sends a letter",
        "inputSchema": {"json": {"type": "object"}},
    }
    return {"tools": [{"toolSpec": spec}, {"toolSpec": other}], **({"toolChoice": choice} if choice else {})}


def text_of(answer: Any) -> str:
    return "".join(block.get("text", "") for block in answer["output"]["message"]["content"])


@dataclass
class Streamed:
    """A ConverseStream, put together as the guide says to."""

    text: str = ""
    calls: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    stop: str | None = None
    usage: Any = None

    @classmethod
    def read(cls, answer: Any) -> Streamed:
        made = cls()
        pieces: dict[int, list[str]] = {}
        for event in answer["stream"]:
            [(name, data)] = event.items()
            made.names.append(name)
            if name == "contentBlockStart":
                made.calls.append(dict(data["start"]["toolUse"]))
                pieces[data["contentBlockIndex"]] = []
            elif name == "contentBlockDelta" and "toolUse" in data["delta"]:
                pieces[data["contentBlockIndex"]].append(data["delta"]["toolUse"]["input"])
            elif name == "contentBlockDelta":
                made.text += data["delta"]["text"]
            elif name == "messageStop":
                made.stop = data["stopReason"]
            elif name == "metadata":
                made.usage = data["usage"]
        for call, parts in zip(made.calls, pieces.values(), strict=True):
            call["input"] = json.loads("".join(parts))
        return made


def chunks_of(answer: Any) -> list[Any]:
    return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


# -- read, with a key and with a signature, both of which are looked at ------------------------------


@pytest.mark.mock_provider(auth="strict")
class TestReads:
    def test_converse_is_read(self, client: Any) -> None:
        answer = client.converse(**asked("Reply with exactly: amber kettle 42"))
        assert text_of(answer) == "amber kettle 42"
        assert (answer["output"]["message"]["role"], answer["stopReason"]) == ("assistant", "end_turn")
        assert answer["metrics"]["latencyMs"] > 0
        assert re.fullmatch(r"[0-9a-f-]{36}", answer["ResponseMetadata"]["RequestId"])
        assert (
            answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"] == answer["usage"]["totalTokens"]
        )

    def test_a_converse_stream_is_read_to_its_metadata(self, client: Any) -> None:
        answer = client.converse_stream(**asked("Reply with exactly: amber kettle 42"))
        assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"] == EVENTS_IN_STREAM
        got = Streamed.read(answer)
        assert (got.text, got.stop) == ("amber kettle 42", "end_turn")
        assert got.names.count("contentBlockDelta") > 1
        assert [name for name in got.names if name != "contentBlockDelta"] == [
            "messageStart",
            "contentBlockStop",
            "messageStop",
            "metadata",
        ]
        assert got.usage["inputTokens"] + got.usage["outputTokens"] == got.usage["totalTokens"]

    def test_invoke_model_is_read(self, client: Any) -> None:
        answer = client.invoke_model(**invoked("Reply with exactly: amber kettle 42"))
        body = json.loads(answer["body"].read())
        assert body["choices"][0]["message"]["content"] == "amber kettle 42"
        assert answer["contentType"] == "application/json"
        usage, headers = body["usage"], answer["ResponseMetadata"]["HTTPHeaders"]
        assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
        assert headers["x-amzn-bedrock-input-token-count"] == str(usage["prompt_tokens"])
        assert headers["x-amzn-bedrock-output-token-count"] == str(usage["completion_tokens"])

    def test_an_invoke_stream_is_read_to_its_metrics(self, client: Any) -> None:
        answer = client.invoke_model_with_response_stream(**invoked("Reply with exactly: amber kettle 42"))
        assert answer["contentType"] == "application/json"
        chunks = chunks_of(answer)
        said = [each["choices"][0]["delta"].get("content") or "" for each in chunks if each["choices"]]
        assert "".join(said) == "amber kettle 42"
        assert len([piece for piece in said if piece]) > 1
        metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
        assert metrics["inputTokenCount"] > 0
        assert metrics["outputTokenCount"] > 0
        assert not any("amazon-bedrock-invocationMetrics" in each for each in chunks[:-1])

    def test_a_body_with_every_kind_of_letter_is_signed_and_read(self, client: Any) -> None:
        said = "Grüße, 東京 and \U0001f600"
        assert text_of(client.converse(**asked(f"Reply with exactly: {said}"))) == said

    def test_a_model_named_by_its_arn_is_one_path_segment(self, client: Any) -> None:
        arn = f"arn:aws:bedrock:{REGION}::foundation-model/no.such-model"
        error = error_of(client.converse, modelId=arn, messages=[user("Hello")])
        assert (code_of(error), error.response["Error"]["Message"]) == (
            "ValidationException",
            "The provided model identifier is invalid.",
        )


# -- what the model does ------------------------------------------------------------------------------


def converse(client: Any, **request: Any) -> tuple[Any, list[Any], str, Any]:
    answer = client.converse(**request)
    blocks = answer["output"]["message"]["content"]
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    return text_of(answer), calls, answer["stopReason"], answer["usage"]


def converse_stream(client: Any, **request: Any) -> tuple[Any, list[Any], str, Any]:
    got = Streamed.read(client.converse_stream(**request))
    return got.text, got.calls, got.stop or "", got.usage


both = pytest.mark.parametrize("ask", [converse, converse_stream])
Ask = Callable[..., tuple[str, list[Any], str, Any]]


class TestBehaviour:
    @both
    def test_usage_adds_up_and_counts_more_for_more(self, once: Any, ask: Ask) -> None:
        short, long = (
            ask(once, **asked(f"Say hello. {more}"))[3] for more in ("", "And listen to this story. " * 20)
        )
        for usage in (short, long):
            assert usage["inputTokens"] + usage["outputTokens"] == usage["totalTokens"]
        assert long["inputTokens"] > short["inputTokens"] + 60

    @both
    def test_a_cap_of_one_token_ends_with_max_tokens(self, once: Any, ask: Ask) -> None:
        _, _, stop, usage = ask(once, **asked("Count from 1 to 50.", inferenceConfig={"maxTokens": 1}))
        assert (stop, usage["outputTokens"]) == ("max_tokens", 1)

    def test_a_cap_of_one_token_ends_invoke_with_length(self, once: Any) -> None:
        answer = json.loads(once.invoke_model(**invoked("Count from 1 to 50.", max_tokens=1))["body"].read())
        assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 1)

    def test_a_cap_of_one_token_ends_an_invoke_stream_with_length(self, once: Any) -> None:
        request = invoked("Count from 1 to 50.", max_tokens=1)
        chunks = chunks_of(once.invoke_model_with_response_stream(**request))
        reasons = [each["choices"][0]["finish_reason"] for each in chunks if each["choices"]]
        assert [reason for reason in reasons if reason] == ["length"]
        assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 1

    @both
    @pytest.mark.parametrize("choice", [{"auto": {}}, {"any": {}}, {"tool": {"name": "get_weather"}}])
    def test_a_tool_is_called_with_arguments_that_fit_its_schema(
        self, once: Any, ask: Ask, choice: dict[str, Any]
    ) -> None:
        request = asked("What is the weather in Lisbon, in celsius?", toolConfig=tools(**choice))
        _, calls, stop, _ = ask(once, **request)
        assert (stop, [call["name"] for call in calls]) == ("tool_use", ["get_weather"])
        jsonschema.validate(calls[0]["input"], WEATHER)
        assert calls[0]["input"] == {"city": "Lisbon", "unit": "celsius"}
        assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", calls[0]["toolUseId"])

    @both
    def test_a_named_tool_is_called_whatever_is_said(self, once: Any, ask: Ask) -> None:
        request = asked("Good morning!", toolConfig=tools(tool={"name": "get_weather"}))
        _, calls, stop, _ = ask(once, **request)
        assert (stop, [call["name"] for call in calls]) == ("tool_use", ["get_weather"])
        jsonschema.validate(calls[0]["input"], WEATHER)

    @both
    def test_a_greeting_calls_no_tool_of_its_own_accord(self, once: Any, ask: Ask) -> None:
        text, calls, stop, _ = ask(once, **asked("Good morning!", toolConfig=tools()))
        assert (calls, stop) == ([], "end_turn")
        assert text

    @pytest.mark.parametrize("choice", ["auto", "any"])
    def test_invoke_calls_a_tool_with_arguments_that_fit_its_schema(self, once: Any, choice: str) -> None:
        function = {"name": "get_weather", "description": "Current weather of a city", "parameters": WEATHER}
        request = invoked(
            "What is the weather in Lisbon?",
            tools=[{"type": "function", "function": function}],
            tool_choice=choice,
        )
        choice_made = json.loads(once.invoke_model(**request)["body"].read())["choices"][0]
        [call] = choice_made["message"]["tool_calls"]
        assert (choice_made["finish_reason"], call["function"]["name"]) == ("tool_calls", "get_weather")
        jsonschema.validate(json.loads(call["function"]["arguments"]), WEATHER)

    @both
    def test_the_result_of_a_tool_is_used(self, once: Any, ask: Ask) -> None:
        first = once.converse(**asked("What is the weather in Lisbon?", toolConfig=tools(any={})))
        message = first["output"]["message"]
        call = next(block["toolUse"] for block in message["content"] if "toolUse" in block)
        result = {"toolUseId": call["toolUseId"], "content": [{"text": "It is 31 degrees and hailing."}]}
        messages = [user("What is the weather in Lisbon?"), message, user({"toolResult": result})]
        text, _, stop, _ = ask(once, modelId=MODEL, messages=messages, toolConfig=tools())
        assert stop == "end_turn"
        assert "31 degrees" in text

    def test_a_result_that_answers_no_call_is_refused(self, once: Any) -> None:
        result = {"toolUseId": "tooluse_stray", "content": [{"text": "31 degrees"}]}
        messages = [
            user("Hello"),
            {"role": "assistant", "content": [{"text": "Hi"}]},
            user({"toolResult": result}),
        ]
        error = error_of(once.converse, modelId=MODEL, messages=messages, toolConfig=tools())
        assert code_of(error) == "ValidationException"
        assert "tooluse_stray" in str(error)

    @both
    def test_an_answer_ends_before_its_stop_sequence(self, once: Any, ask: Ask) -> None:
        request = asked("Reply with exactly: one two HALT three", inferenceConfig={"stopSequences": ["HALT"]})
        text, _, stop, _ = ask(once, **request)
        assert stop == "stop_sequence"
        assert text.strip() == "one two"

    @both
    def test_a_structured_answer_validates(self, once: Any, ask: Ask) -> None:
        structure = {"jsonSchema": {"schema": json.dumps(PERSON), "name": "person"}}
        text, _, stop, _ = ask(
            once,
            **asked(
                "Ada, who is 36 years old, writes Rust. Give her as JSON.",
                outputConfig={"textFormat": {"type": "json_schema", "structure": structure}},
            ),
        )
        answer = json.loads(text)
        jsonschema.validate(answer, PERSON)
        assert (answer["age"], stop) == (36, "end_turn")

    @both
    def test_the_code_in_a_picture_is_read_back(self, once: Any, ask: Ask) -> None:
        picture = {"image": {"format": "png", "source": {"bytes": draw("K7Q2")}}}
        question = "Which code is drawn in this picture? Answer with the code only."
        seen = ask(once, modelId=MODEL, messages=[user(question, picture)])[0]
        blind = ask(once, modelId=MODEL, messages=[user(question)])[0]
        assert "K7Q2" in seen
        assert "K7Q2" not in blind

    @both
    def test_what_the_system_prompt_states_is_known(self, once: Any, ask: Ask) -> None:
        question = asked("What is the code word? Answer with the code word only.")
        system = [{"text": "You are a helpful assistant. The code word is HERON5."}]
        assert "HERON5" in ask(once, **question, system=system)[0]
        assert "HERON5" not in ask(once, **question)[0]

    def test_the_tier_asked_for_is_echoed(self, once: Any) -> None:
        assert once.converse(**asked("Hello", serviceTier={"type": "flex"}))["serviceTier"] == {
            "type": "flex"
        }


# -- every error there is, as an exception -------------------------------------------------------------


def call(client: Any, contract: str) -> Any:
    """Asks the operation; a stream is read to its end."""
    match OPERATIONS[contract]:
        case "Converse":
            return client.converse(**asked("Hello"))
        case "ConverseStream":
            return list(client.converse_stream(**asked("Hello"))["stream"])
        case "InvokeModel":
            return client.invoke_model(**invoked("Hello", contract))
        case "CountTokens":
            return client.count_tokens(
                modelId="anthropic.claude-haiku-4-5-20251001-v1:0",
                input={"converse": {"messages": [user("Hello")]}},
            )
        case "ApplyGuardrail":
            return client.apply_guardrail(
                guardrailIdentifier="mockwords001", guardrailVersion="1", source="INPUT", content=[]
            )
        case "InvokeGuardrailChecks":
            return client.invoke_guardrail_checks(messages=[user("Hello")], checks={})
        case "StartAsyncInvoke":
            return client.start_async_invoke(
                modelId="amazon.nova-reel-v1:1",
                modelInput={"text": "Hello"},
                outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://films-of-mine"}},
            )
        case "GetAsyncInvoke":
            return client.get_async_invoke(
                invocationArn="arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghijkl"
            )
        case "ListAsyncInvokes":
            return client.list_async_invokes()
    return list(client.invoke_model_with_response_stream(**invoked("Hello", contract))["body"])


def refusals() -> Iterator[Any]:
    for contract, each in CONTRACTS.items():
        for name, failure in each.failures.items():
            if failure.status >= 400:
                yield pytest.param(contract, failure, id=f"{contract}:{name}")


def breaking_off() -> Iterator[Any]:
    for contract, each in CONTRACTS.items():
        if each.streams:
            for name, failure in each.failures.items():
                if failure.in_stream:
                    yield pytest.param(contract, failure, id=f"{contract}:{name}")


class TestErrors:
    @pytest.mark.parametrize(("contract", "failure"), [*refusals()])
    def test_each_error_is_raised_as_botocore_models_it(
        self, mock_provider: Any, once: Any, contract: str, failure: Failure
    ) -> None:
        mock_provider.fail(failure.id)
        error = error_of(lambda: call(once, contract))
        assert code_of(error) == failure.code
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == failure.status
        assert error.response["ResponseMetadata"]["RequestId"]
        message = error.response["Error"]["Message"]
        assert message
        assert "{" not in message, "a placeholder that nobody filled"
        modelled = {shape.name for shape in RUNTIME.operation_model(OPERATIONS[contract]).error_shapes}
        if failure.code in modelled:
            assert isinstance(error, getattr(once.exceptions, failure.code))
        else:
            assert type(error) is ClientError or failure.code in RUNTIME.shape_names

    def test_every_error_that_botocore_models_can_be_had(self) -> None:
        for contract, operation in OPERATIONS.items():
            modelled = {shape.name for shape in RUNTIME.operation_model(operation).error_shapes}
            assert modelled <= {failure.code for failure in CONTRACTS[contract].failures.values()}

    def test_members_of_an_error_beyond_its_message_are_read(self, mock_provider: Any, once: Any) -> None:
        mock_provider.fail("model-error")
        error = error_of(once.converse, **asked("Hello"))
        assert error.response["originalStatusCode"] == 500
        assert error.response["resourceName"] == MODEL

    @pytest.mark.parametrize(("contract", "failure"), [*breaking_off()])
    def test_each_error_inside_a_stream_is_raised_after_the_events_before_it(
        self, mock_provider: Any, once: Any, contract: str, failure: Failure
    ) -> None:
        mock_provider.fail(failure.id, after_events=2)
        said = failure.in_stream or {}
        request = asked("Hello") if "converse" in contract else invoked("Hello", contract)
        name = "converse_stream" if "converse" in contract else "invoke_model_with_response_stream"
        answer = getattr(once, name)(**request)
        events = []
        with (
            closing(answer.get("stream") or answer["body"]) as stream,
            pytest.raises(EventStreamError) as caught,
        ):
            for event in stream:
                events.append(event)
        assert len(events) == 2
        assert caught.value.response["Error"] == {"Code": said["name"], "Message": said["data"]["message"]}

    def test_every_exception_of_a_stream_can_be_had(self) -> None:
        for contract, member in (
            ("bedrock-runtime/converse-stream", "ConverseStreamOutput"),
            ("bedrock-runtime/invoke-model-stream", "ResponseStream"),
            ("bedrock-runtime/invoke-model-text-stream", "ResponseStream"),
        ):
            members = {
                name
                for name, shape in RUNTIME.shape_for(member).members.items()
                if shape.metadata.get("exception")
            }
            assert members == {
                failure.in_stream["name"]
                for failure in CONTRACTS[contract].failures.values()
                if failure.in_stream
            }

    @pytest.mark.parametrize("contract", [name for name, each in CONTRACTS.items() if each.streams])
    def test_a_cut_stream_gives_the_events_before_the_cut_and_then_breaks(
        self, mock_provider: Any, once: Any, contract: str
    ) -> None:
        mock_provider.cut(after_events=3)
        count = "Count from 1 to 30."
        if "converse" in contract:
            stream = once.converse_stream(**asked(count))["stream"]
        else:
            stream = once.invoke_model_with_response_stream(**invoked(count, contract))["body"]
        events = []
        with closing(stream), pytest.raises(ProtocolError):
            for event in stream:
                events.append(event)
        assert len(events) == 3

    def test_throttling_is_retried_until_it_is_over(self, mock_provider: Any, bedrock_client: Any) -> None:
        mock_provider.fail("throttling", times=2)
        mock_provider.reply("back again")
        answer = bedrock_client.converse(**asked("Hello"))
        assert text_of(answer) == "back again"
        assert answer["ResponseMetadata"]["RetryAttempts"] == 2
        assert [entry.status for entry in mock_provider.journal] == [429, 429, 200]

    @pytest.mark.parametrize("name", ["timeout", "model-error", "overloaded", "bad-request"])
    def test_what_boto3_does_not_retry_is_asked_once(
        self, mock_provider: Any, bedrock_client: Any, name: str
    ) -> None:
        mock_provider.fail(name)
        error_of(bedrock_client.converse, **asked("Hello"))
        assert len(mock_provider.journal) == 1


# -- what boto3 lets through ---------------------------------------------------------------------------


TOO_LONG = {"toolUse": {"toolUseId": "x" * 65, "name": "get_weather", "input": {}}}

SENT_AS_IT_IS = {
    "a role that is none": asked("x") | {"messages": [{"role": "tool", "content": [{"text": "x"}]}]},
    "a temperature above the range": asked("x", inferenceConfig={"temperature": 5.0}),
    "a top_p above the range": asked("x", inferenceConfig={"topP": 1.5}),
    "a tier that is none": asked("x", serviceTier={"type": "zzz"}),
    "a latency that is none": asked("x", performanceConfig={"latency": "soon"}),
    "an image format that is none": {
        "modelId": MODEL,
        "messages": [user("x", {"image": {"format": "bmp", "source": {"bytes": b"BM"}}})],
    },
    "a tool name outside the pattern": asked("x")
    | {"toolConfig": {"tools": [{"toolSpec": {"name": "get weather", "inputSchema": {"json": {}}}}]}},
    "a tool name above the length": asked("x")
    | {"toolConfig": {"tools": [{"toolSpec": {"name": "g" * 65, "inputSchema": {"json": {}}}}]}},
    "a call id above the length": {
        "modelId": MODEL,
        "messages": [user("x"), {"role": "assistant", "content": [TOO_LONG]}],
    },
    "a response path that is no pointer": asked("x", additionalModelResponseFieldPaths=["stop_reason"]),
    "too many response paths": asked("x", additionalModelResponseFieldPaths=[f"/{n}" for n in range(11)]),
    "metadata outside the pattern": asked("x", requestMetadata={"who": "me; you"}),
    "a guardrail version outside the pattern": asked(
        "x", guardrailConfig={"guardrailIdentifier": "abc", "guardrailVersion": "v1"}
    ),
}
REFUSED_BY_BOTO3 = {
    "no role": {"modelId": MODEL, "messages": [{"content": [{"text": "x"}]}]},
    "a cap of none": asked("x", inferenceConfig={"maxTokens": 0}),
    "a negative temperature": asked("x", inferenceConfig={"temperature": -1.0}),
    "no tools": asked("x", toolConfig={"tools": []}),
    "a text that is a number": {"modelId": MODEL, "messages": [user({"text": 5})]},
    "a block that is nothing": {"modelId": MODEL, "messages": [user({})]},
    "a block that is two things": {
        "modelId": MODEL,
        "messages": [user({"text": "x", "cachePoint": {"type": "default"}})],
    },
}


class TestShapes:
    @pytest.mark.parametrize("operation", ["converse", "converse_stream"])
    @pytest.mark.parametrize("request_", SENT_AS_IT_IS.values(), ids=SENT_AS_IT_IS)
    def test_what_boto3_does_not_check_is_refused_by_the_mock(
        self, mock_provider: Any, once: Any, operation: str, request_: Any
    ) -> None:
        error = error_of(getattr(once, operation), **request_)
        assert isinstance(error, once.exceptions.ValidationException)
        assert mock_provider.journal[-1].refused == "request-shape"

    @pytest.mark.parametrize("request_", REFUSED_BY_BOTO3.values(), ids=REFUSED_BY_BOTO3)
    def test_what_boto3_checks_is_refused_when_it_is_told_not_to(
        self, mock_provider: Any, request_: Any
    ) -> None:
        unchecked = mock_provider.bedrock_client(config=UNCHECKED)
        error = error_of(unchecked.converse, **request_)
        assert isinstance(error, unchecked.exceptions.ValidationException)
        assert mock_provider.journal[-1].refused == "request-shape"

    @pytest.mark.parametrize(
        "arguments",
        [
            {"body": b"{"},
            {"body": b"[]"},
            {"body": b'{"max_tokens": 16}'},
            {"body": json.dumps({"messages": [{"role": "user", "content": "x"}], "max_tokens": 0})},
            {"body": json.dumps({"messages": [{"role": "nobody", "content": "x"}]})},
            {**invoked("x"), "trace": "enabled"},
            {**invoked("x"), "serviceTier": "zzz"},
            {**invoked("x"), "guardrailIdentifier": "abc"},
        ],
        ids=["half", "list", "no messages", "no tokens", "role", "trace", "tier", "guardrail"],
    )
    def test_an_invocation_of_the_wrong_shape_is_refused(self, once: Any, arguments: Any) -> None:
        error = error_of(once.invoke_model, **{"modelId": MODEL, **arguments})
        assert isinstance(error, once.exceptions.ValidationException)

    @pytest.mark.parametrize("model", ["no.such-model", "us.mistral.magistral-small-2509", "Not A Model"])
    def test_a_model_that_is_not_sold_is_refused(self, once: Any, model: str) -> None:
        error = error_of(once.converse, modelId=model, messages=[user("Hello")])
        assert code_of(error) == "ValidationException"
        assert error.response["Error"]["Message"] == "The provided model identifier is invalid."

    def test_a_cache_point_is_refused_as_a_matter_of_access(self, once: Any) -> None:
        messages = [user("Hello", {"cachePoint": {"type": "default"}})]
        error = error_of(once.converse, modelId=MODEL, messages=messages)
        assert isinstance(error, once.exceptions.AccessDeniedException)
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403

    def test_a_tier_that_is_not_sold_for_the_model_is_refused(self, once: Any) -> None:
        error = error_of(once.converse, **asked("Hello", serviceTier={"type": "reserved"}))
        assert isinstance(error, once.exceptions.ValidationException)

    def test_more_output_than_the_model_has_is_refused_and_the_limit_named(self, once: Any) -> None:
        once.converse(**asked("Reply with exactly: ok", inferenceConfig={"maxTokens": 40_000}))
        error = error_of(once.converse, **asked("Hello", inferenceConfig={"maxTokens": 40_001}))
        assert code_of(error) == "ValidationException"
        assert "40000" in str(error)

    def test_a_prompt_beyond_the_window_is_refused_and_the_window_named(
        self, mock_provider: Any, once: Any
    ) -> None:
        error = error_of(once.converse, **asked("hello " * 140_000))
        assert code_of(error) == "ValidationException"
        assert "128000" in str(error)
        assert mock_provider.journal[-1].refused == "context-overflow"

    def test_an_image_that_is_none_is_refused(self, mock_provider: Any, once: Any) -> None:
        picture = {"image": {"format": "png", "source": {"bytes": draw("K7Q2")[:60]}}}
        error = error_of(once.converse, modelId=MODEL, messages=[user("What is it?", picture)])
        assert code_of(error) == "ValidationException"
        assert mock_provider.journal[-1].refused == "media-unreadable"

    def test_an_image_is_refused_by_a_model_that_reads_text_only(self, once: Any) -> None:
        picture = {"image": {"format": "png", "source": {"bytes": draw("K7Q2")}}}
        messages = [user("What is it?", picture)]
        error = error_of(once.converse, modelId="mistral.devstral-2-123b", messages=messages)
        assert "image" in str(error)

    @pytest.mark.parametrize("address", ["prefix", "signature"])
    def test_a_path_that_is_none_answers_200_with_nothing_boto3_can_read(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, address: str
    ) -> None:
        where = mock_provider.url("bedrock-runtime", tls=True)
        if address == "signature":
            monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
            where = mock_provider.url()
        client = mock_provider.bedrock_client(config=ONCE, endpoint_url=f"{where}/nowhere")
        answer = client.list_async_invokes()
        assert set(answer) == {"ResponseMetadata"}
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert mock_provider.journal[-1].refused == "unknown-path"


# -- who asks --------------------------------------------------------------------------------------------


def short_term_key(
    access_key: str,
    secret: str,
    region: str,
    made: datetime.datetime,
    seconds: int,
    service: str = "bedrock",
) -> str:
    """A key as aws-bedrock-token-generator makes it: a presigned URL in base64, signed by botocore."""
    import base64
    from unittest import mock

    from botocore.auth import SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    asked = AWSRequest(
        "POST",
        "https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )
    with mock.patch("botocore.auth.get_current_datetime", lambda **_: made):
        SigV4QueryAuth(Credentials(access_key, secret), service, region, expires=seconds).add_auth(asked)
    url = asked.url.removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


@pytest.mark.mock_provider(auth="strict")
class TestWhoAsks:
    def refused(self, mock_provider: Any, key: str, monkeypatch: pytest.MonkeyPatch) -> ClientError:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", key)
        client = mock_provider.bedrock_client(config=ONCE)
        error = error_of(client.converse, **asked("Hello"))
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert isinstance(error, client.exceptions.AccessDeniedException)
        return error

    def test_a_key_that_is_nobodys_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = self.refused(mock_provider, "ABSKbm90LWEta2V5", monkeypatch)
        assert "make sure your API Key is valid" in str(error)

    def test_a_key_of_no_known_form_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        error = self.refused(mock_provider, "sk-something-else", monkeypatch)
        assert "Must start with pre-defined prefix" in str(error)

    def short_term(self, mock_provider: Any, **changes: Any) -> str:
        info = mock_provider.info
        return short_term_key(
            info["aws_access_key_id"],
            info["aws_secret_access_key"],
            changes.get("region", info["region"]),
            datetime.datetime.now(datetime.UTC) - changes.get("age", datetime.timedelta()),
            3600,
            changes.get("service", "bedrock"),
        )

    def test_a_short_term_key_is_good(self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", self.short_term(mock_provider))
        answer = mock_provider.bedrock_client(config=ONCE).converse(**asked("Reply with exactly: ok"))
        assert text_of(answer) == "ok"

    def test_a_short_term_key_that_ran_out_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = self.short_term(mock_provider, age=datetime.timedelta(hours=2))
        assert "Bearer Token has expired" in str(self.refused(mock_provider, key, monkeypatch))

    def test_a_short_term_key_of_another_region_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = self.short_term(mock_provider, region="eu-west-1")
        assert "make sure your API Key is valid" in str(self.refused(mock_provider, key, monkeypatch))

    def test_a_short_term_key_for_another_service_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = self.short_term(mock_provider, service="s3")
        assert "make sure your API Key is valid" in str(self.refused(mock_provider, key, monkeypatch))

    def signed(self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
        return mock_provider.bedrock_client(config=ONCE, **options)

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"aws_access_key_id": "AKIAFAKEFAKEFAKEFAKE"}, "UnrecognizedClientException"),
            ({"aws_secret_access_key": "not-the-secret"}, "InvalidSignatureException"),
            ({"region_name": "eu-west-1"}, "InvalidSignatureException"),
        ],
        ids=["key", "secret", "region"],
    )
    def test_a_signature_that_is_not_ours_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], code: str
    ) -> None:
        error = error_of(self.signed(mock_provider, monkeypatch, **options).converse, **asked("Hello"))
        assert (code_of(error), error.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 403)

    def test_the_key_of_the_environment_wins_over_a_key_pair(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = mock_provider.bedrock_client(config=ONCE, aws_access_key_id="AKIAFAKEFAKEFAKEFAKE")
        assert text_of(client.converse(**asked("Reply with exactly: ok"))) == "ok"

    def test_the_key_of_the_environment_is_used_even_where_the_key_pair_is_better(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKbm90LWEta2V5")
        monkeypatch.setenv("AWS_AUTH_SCHEME_PREFERENCE", "sigv4")
        error = error_of(mock_provider.bedrock_client(config=ONCE).converse, **asked("Hello"))
        assert "make sure your API Key is valid" in str(error)
        assert mock_provider.journal[-1].refused == "unknown-key"

    def test_a_preference_of_the_environment_does_not_take_the_key_away(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_AUTH_SCHEME_PREFERENCE", "sigv4")
        assert mock_provider.bedrock_client(config=ONCE).converse(**asked("Hello"))["stopReason"]
        assert mock_provider.journal[-1].scheme == "bearer"

    @pytest.mark.parametrize(
        "said",
        [{"signature_version": "v4"}, {"auth_scheme_preference": "sigv4"}],
        ids=lambda said: next(iter(said)),
    )
    def test_what_the_code_asks_for_wins_over_the_key_of_the_environment(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
    ) -> None:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "ABSKbm90LWEta2V5")
        client = mock_provider.bedrock_client(config=ONCE.merge(Config(**said)))
        assert client.converse(**asked("Hello"))["stopReason"]
        assert list(client.converse_stream(**asked("Hello"))["stream"])
        assert [entry.scheme for entry in mock_provider.journal] == ["sigv4", "sigv4"]

    @pytest.mark.parametrize(
        ("minutes", "says"), [(-10, "Signature expired: "), (10, "Signature not yet current: ")]
    )
    def test_a_clock_that_is_off_is_told_so(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch, minutes: int, says: str
    ) -> None:
        off = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
        client = self.signed(mock_provider, monkeypatch)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: off)
        error = error_of(client.converse, **asked("Hello"))
        assert (code_of(error), error.response["Error"]["Message"].startswith(says)) == (
            "InvalidSignatureException",
            True,
        )

    def test_a_clock_within_five_minutes_is_good_enough(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        off = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=4)
        client = self.signed(mock_provider, monkeypatch)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: off)
        assert client.converse(**asked("Hello"))["stopReason"]

    def test_a_session_token_is_signed_along(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = self.signed(mock_provider, monkeypatch, aws_session_token="a/session+token==")
        assert client.converse(**asked("Hello"))["stopReason"]

        def another(request: Any, **_: Any) -> None:
            request.headers["X-Amz-Security-Token"] = "another"

        client.meta.events.register("before-send.bedrock-runtime", another)
        assert code_of(error_of(client.converse, **asked("Hello"))) == "InvalidSignatureException"
        assert mock_provider.journal[-1].refused == "signature-mismatch"

    def test_a_signature_for_another_service_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = self.signed(mock_provider, monkeypatch)
        client._request_signer._signing_name = "s3"
        error = error_of(client.converse, **asked("Hello"))
        assert (code_of(error), mock_provider.journal[-1].refused) == (
            "InvalidSignatureException",
            "wrong-service",
        )

    def test_a_request_without_a_key_is_refused(
        self, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from botocore import UNSIGNED

        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        error = error_of(mock_provider.bedrock_client(config=config).converse, **asked("Hello"))
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_any_key_is_good_enough_for_a_mock_that_is_lenient(
    mock_provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "dummy")
    answer = mock_provider.bedrock_client(config=ONCE).converse(**asked("Reply with exactly: ok"))
    assert text_of(answer) == "ok"


def test_botocore_without_boto3_reads_the_mock_too(mock_provider: Any) -> None:
    client = CoreSession().create_client("bedrock-runtime", region_name=REGION)
    assert text_of(client.converse(**asked("Reply with exactly: ok"))) == "ok"


def test_the_arn_of_a_foundation_model_names_it_too(mock_provider: Any, bedrock_client: Any) -> None:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{mock_provider.model}"
    answer = bedrock_client.converse(modelId=arn, messages=[{"role": "user", "content": [{"text": "Hello"}]}])
    assert answer["stopReason"] == "end_turn"
    with pytest.raises(bedrock_client.exceptions.ValidationException):
        bedrock_client.converse(
            modelId=arn.replace("foundation-model/", "foundation-model/x"),
            messages=[{"role": "user", "content": [{"text": "Hello"}]}],
        )
