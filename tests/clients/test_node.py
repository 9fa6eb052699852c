"""What JavaScript clients make of the mock: openai-node, puter.js and the AWS SDK, unmodified, in Node.

The programs beside this file call them as applications do; a test says what the mock is to do, runs
a few cases of a program and looks at what the application got.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from conformance.loading import Specs, load
from conformance.probes.picture import draw
from conformance.template import fill
from mockserver.environment import variables

PROGRAMS = Path(__file__).parent / "node"
PATIENCE = 60
"""Seconds until a process counts as hanging."""

TEXT = "Grüße aus Zürich: 量子 🙂, and a plain end."
"""Bytes of characters must not be torn apart, and JavaScript counts them in UTF-16."""

COUNTING = "Count from 1 to 900, one number after the other, separated by spaces."
"""The answer is far longer than what a client lets flow before it reads."""


def resolved(outcome: Mapping[str, Any]) -> Any:
    assert outcome["outcome"] == "resolved", outcome
    return outcome["value"]


def rejected(outcome: Mapping[str, Any]) -> Any:
    assert outcome["outcome"] == "rejected", outcome
    return outcome["error"]


def test_a_missing_node_fails_the_test_and_says_what_to_install(
    find_node: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="found none; install Node 20"):
        find_node()


def test_missing_packages_fail_the_test_and_say_what_to_run(find_node: Any, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"openai.* run `npm ci --ignore-scripts` in .*node"):
        find_node(tmp_path)


# openai-node, at bedrock-mantle


@pytest.fixture
def openai(node: Any, mock_provider: Any) -> Any:
    """Runs cases of openai_probe.mjs at mantle; the addresses are those that `mockserver env` prints."""

    def run(*cases: str, **changes: str) -> dict[str, dict[str, Any]]:
        return node.run("openai_probe.mjs", *cases, **{"PROBE_MODEL": mock_provider.model, **changes})

    return run


def test_openai_node_reads_a_chat_completion(openai: Any, mock_provider: Any) -> None:
    for _ in range(2):
        mock_provider.reply(TEXT)
    read = openai("chat", "chat, raw")
    completion, raw = resolved(read["chat"]), resolved(read["chat, raw"])
    (choice,) = completion["choices"]
    assert choice["message"]["content"] == raw["text"] == TEXT
    assert choice["finish_reason"] == "stop"
    usage = completion["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert raw["request_id"]


def test_openai_node_is_cut_off_by_one_token(openai: Any) -> None:
    completion = resolved(openai("chat, one token")["chat, one token"])
    assert completion["choices"][0]["finish_reason"] == "length"
    assert completion["usage"]["completion_tokens"] == 1


def test_an_answer_for_a_schema_parses_in_javascript_and_is_valid(openai: Any) -> None:
    completion = resolved(openai("chat, json_schema")["chat, json_schema"])
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "population": {"type": "integer"}},
        "required": ["city", "population"],
        "additionalProperties": False,
    }
    assert jsonschema_rs.is_valid(schema, json.loads(completion["choices"][0]["message"]["content"]))


def test_openai_node_iterates_over_a_chat_stream(openai: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    *chunks, last = resolved(openai("chat, iterated")["chat, iterated"])
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content") or "" for delta in deltas) == TEXT
    assert len(chunks) > 3
    assert [each["finish_reason"] for chunk in chunks for each in chunk["choices"]][-1] == "stop"
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert len({chunk["id"] for chunk in (*chunks, last)}) == 1


def test_openai_nodes_accumulator_makes_a_completion_of_a_stream(openai: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    accumulated = resolved(openai("chat, accumulated")["chat, accumulated"])
    (choice,) = accumulated["completion"]["choices"]
    assert choice["message"]["content"] == accumulated["deltas"] == TEXT
    assert (choice["message"]["role"], choice["finish_reason"]) == ("assistant", "stop")
    assert accumulated["completion"]["usage"]["completion_tokens"] > 1


def test_a_tool_that_openai_node_forces_is_called_with_valid_arguments(openai: Any) -> None:
    completion = resolved(openai("tool, forced")["tool, forced"])
    (call,) = completion["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert isinstance(json.loads(call["function"]["arguments"])["city"], str)


def test_openai_nodes_accumulator_joins_the_arguments_of_a_tool_call(openai: Any) -> None:
    accumulated = resolved(openai("tool, accumulated")["tool, accumulated"])
    (choice,) = accumulated["completion"]["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert choice["finish_reason"] == "tool_calls"
    assert [each["arguments"] for each in accumulated["done"]] == [call["function"]["arguments"]]


def test_openai_nodes_tool_runner_comes_to_an_answer_that_uses_the_result(openai: Any) -> None:
    ran = resolved(openai("tool, run")["tool, run"])
    assert ran["asked"] == ["Paris"]
    assert ran["roles"] == ["user", "assistant", "tool", "assistant"]
    assert "sunny, 21 degrees in Paris" in ran["text"]


def test_openai_node_reads_a_response(openai: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    response = resolved(openai("responses")["responses"])
    assert response["output_text"] == TEXT
    assert response["status"] == "completed"
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_openai_node_iterates_over_the_events_of_a_response(openai: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    events = resolved(openai("responses, iterated")["responses, iterated"])
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == TEXT


def test_openai_nodes_accumulator_makes_a_response_of_a_stream(openai: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    accumulated = resolved(openai("responses, accumulated")["responses, accumulated"])
    assert accumulated["response"]["output_text"] == accumulated["deltas"] == TEXT
    assert accumulated["response"]["status"] == "completed"


def test_openai_node_answers_a_function_call_by_the_id_of_the_response(openai: Any) -> None:
    talk = resolved(openai("responses, tool")["responses, tool"])
    assert talk["call"]["name"] == "get_weather"
    assert json.loads(talk["call"]["arguments"]) == {"city": "Paris"}
    assert "sunny, 21 degrees" in talk["answered"]["output_text"]


def test_openai_node_lists_the_models(openai: Any, mock_provider: Any) -> None:
    models = resolved(openai("models")["models"])
    assert mock_provider.model in [model["id"] for model in models]


def test_openai_node_raises_the_class_of_each_status(openai: Any, mock_provider: Any) -> None:
    read = openai("unknown model", "wrong type")
    missing, wrong = rejected(read["unknown model"]), rejected(read["wrong type"])
    assert missing["class"] == "NotFoundError"
    assert "no-such-model" in missing["message"]
    assert wrong["class"] == "BadRequestError"
    assert "max_tokens" in wrong["message"]
    raised = {}
    for error in ("throttling", "internal"):
        mock_provider.fail(error)
        raised[error] = rejected(openai("no second try")["no second try"])
    assert raised["throttling"]["class"] == "RateLimitError"
    assert raised["internal"]["class"] == "InternalServerError"
    for error in (missing, wrong, *raised.values()):
        assert error["code"] and error["type"] and error["requestID"]


@pytest.mark.mock_provider(auth="strict")
def test_openai_node_raises_an_authentication_error_for_a_key_of_its_own(openai: Any) -> None:
    assert rejected(openai("chat", OPENAI_API_KEY="sk-mine")["chat"])["class"] == "AuthenticationError"
    resolved(openai("chat")["chat"])


def test_openai_node_tries_again_when_it_is_throttled(openai: Any, mock_provider: Any) -> None:
    mock_provider.fail("throttling")
    mock_provider.reply(TEXT)
    completion = resolved(openai("chat")["chat"])
    assert completion["choices"][0]["message"]["content"] == TEXT
    assert [entry.refused is None for entry in mock_provider.journal] == [False, True]


def test_a_chat_stream_that_is_cut_ends_in_an_error_after_what_was_sent(
    openai: Any, mock_provider: Any
) -> None:
    mock_provider.cut(after_events=3)
    seen = resolved(openai("chat, failing midway")["chat, failing midway"])
    assert seen["received"] == 3
    assert seen["error"]["message"] == "terminated"


def test_an_error_inside_a_chat_stream_is_raised_by_openai_node(openai: Any, mock_provider: Any) -> None:
    mock_provider.fail("throttling", after_events=2)
    seen = resolved(openai("chat, failing midway")["chat, failing midway"])
    assert seen["received"] == 2
    assert seen["error"]["class"] == "APIError"


def test_a_node_program_finds_the_mock_by_the_environment_that_run_sets(
    node: Any, mock_provider: Any
) -> None:
    command = [sys.executable, "-m", "mockserver", "run", "--auth", "strict", "--"]
    command += [node.executable, str(PROGRAMS / "openai_probe.mjs"), "chat", "unknown model"]
    done = subprocess.run(
        command,
        env={**os.environ, "PROBE_MODEL": mock_provider.model},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["resolved", "rejected"]
    assert "bedrock-mantle/chat-completions" in done.stderr


# openai-node, at Puter


@pytest.fixture
def openai_at_puter(openai: Any, mock_provider: Any) -> Any:
    def run(*cases: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = openai(
            *cases,
            OPENAI_BASE_URL=f"{mock_provider.url('puter')}/puterai/openai/v1/",
            OPENAI_API_KEY=mock_provider.info["puter_token"],
            PROBE_MODEL=mock_provider.info["puter_model"],
        )
        return found

    return run


def test_openai_node_reads_a_chat_completion_of_puter(openai_at_puter: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    completion = resolved(openai_at_puter("chat")["chat"])
    assert completion["choices"][0]["message"]["content"] == TEXT
    assert completion["model"] == mock_provider.info["puter_model"]


def test_openai_node_iterates_over_a_chat_stream_of_puter(openai_at_puter: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    chunks = resolved(openai_at_puter("chat, iterated")["chat, iterated"])
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == TEXT
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] > 1


def test_openai_nodes_accumulator_fails_at_puter_as_it_does_at_the_real_one(openai_at_puter: Any) -> None:
    # Puter's streams have no chunk with the role.
    error = rejected(openai_at_puter("chat, accumulated")["chat, accumulated"])
    assert error["message"] == "missing role for choice 0"


def test_openai_nodes_tool_runner_comes_to_an_answer_at_puter(openai_at_puter: Any) -> None:
    ran = resolved(openai_at_puter("tool, run")["tool, run"])
    assert (ran["asked"], "sunny, 21 degrees" in ran["text"]) == (["Paris"], True)


def test_openai_node_finds_text_where_errors_have_an_object_at_puter(openai_at_puter: Any) -> None:
    read = openai_at_puter("unknown model", "models")
    unknown, models = rejected(read["unknown model"]), rejected(read["models"])
    assert (unknown["class"], models["class"]) == ("BadRequestError", "NotFoundError")
    assert "code" not in unknown
    assert "Model not found" in unknown["message"]


@pytest.mark.mock_provider(concurrent_requests=1)
def test_a_stream_that_was_cut_gives_its_place_back(openai_at_puter: Any, mock_provider: Any) -> None:
    mock_provider.cut(after_events=3)
    read = openai_at_puter("chat, failing midway", "no second try")
    assert resolved(read["chat, failing midway"])["received"] == 3
    resolved(read["no second try"])


# puter.js


EYES, CODE = "mistral-medium-2604", "K7M4"
"""A model of Puter's that is shown pictures, and what the picture says."""


@pytest.fixture
def puter(node: Any, mock_provider: Any, tmp_path: Path) -> Any:
    """Runs a mode of puter_probe.mjs, at the origin that `mockserver env` prints."""
    picture = tmp_path / "code.png"
    picture.write_bytes(draw(CODE))

    def run(mode: str, **changes: str | None) -> dict[str, Any]:
        given = {
            "PUTER_TOKEN": mock_provider.info["puter_token"],
            "PROBE_EYES": EYES,
            "PROBE_PICTURE": str(picture),
        }
        outcome = node.run("puter_probe.mjs", mode, **{**given, **changes})[mode]
        assert outcome["stray"] == [], "an error that reached no promise of the caller"
        return outcome

    return run


@pytest.fixture(scope="session")
def specs() -> Specs:
    return load()


def told(specs: Specs, contract: str, error: str, **values: str) -> Any:
    """The body of an error as its contract has it, told of the seed model."""
    route = {"served_by": "mistral", "served_model": "magistral-small-latest"}
    return fill(specs.contracts[contract].failures[error].body, {**route, **values})


def test_the_call_of_puters_model_page_gives_the_text_at_response_message_content(
    puter: Any, specs: Specs
) -> None:
    said = resolved(puter("chat"))
    exchange = specs.contracts["puter/driver-chat"].exchanges["quantum"]
    written = exchange["response"]["body"]["result"]["message"]["content"]
    assert said["response"]["message"]["content"] == said["printed"] == written


def test_puter_js_reads_what_the_test_told_the_mock_to_say(puter: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    response = resolved(puter("chat"))["response"]
    assert response["message"] == {**response["message"], "role": "assistant", "content": TEXT}
    assert response["finish_reason"] == "stop"
    assert response["usage"]["completion_tokens"] > 1


@pytest.mark.mock_provider(reality="observed")
def test_puter_js_reads_the_spelling_of_mistrals_sdk_where_that_was_observed(puter: Any) -> None:
    response = resolved(puter("chat"))["response"]
    assert response["finishReason"] == "stop"
    assert "finish_reason" not in response


def test_the_calls_that_puter_js_makes_at_its_start_are_answered(puter: Any, mock_provider: Any) -> None:
    puter("chat")
    asked = sorted((entry.path, entry.status) for entry in mock_provider.journal)
    assert asked == [("/drivers/call", 200), ("/rao", 200), ("/whoami", 200)]


def test_every_form_of_a_prompt_arrives_and_media_are_refused(
    puter: Any, mock_provider: Any, specs: Specs
) -> None:
    outcomes = resolved(puter("chat-prompt-forms"))
    assert len(outcomes) == 13
    media = {"prompt, image": "image", "prompt, file": "image", "prompt, video": "video"}
    texts = {
        form: resolved(outcome)["message"]["content"]
        for form, outcome in outcomes.items()
        if form not in media
    }
    assert all(texts.values())
    assert texts["prompt, true, options"] == texts["prompt, options, true"]
    limited = resolved(outcomes["prompt, options"])
    assert (limited["finish_reason"], limited["usage"]["completion_tokens"]) == ("length", 20)
    for form, modality in media.items():
        names = {"modality": modality, "model": mock_provider.info["puter_model"]}
        assert rejected(outcomes[form]) == told(specs, "puter/driver-chat", "media-not-offered", **names)


def test_a_picture_is_seen_by_its_address_and_as_a_file_of_puter_js(puter: Any) -> None:
    image = resolved(puter("image"))
    assert CODE in image["url"]
    assert CODE in image["file"]
    assert CODE not in image["none"]


def test_puter_js_calls_drivers_by_name_and_reads_the_whole_envelope(puter: Any, specs: Specs) -> None:
    drivers = resolved(puter("drivers"))
    assert drivers["listed"] == list(specs.contracts["puter/lsmod"].response["answer"]["interfaces"])
    assert drivers["called"]["success"] is True
    assert drivers["called"]["result"]["message"]["content"]
    assert drivers["unknown"]["code"] == "not_found"


def test_puter_js_knows_who_has_the_token(puter: Any, specs: Specs) -> None:
    assert resolved(puter("user")) == specs.contracts["puter/whoami"].response["answer"]


def test_puter_js_rejects_wrong_arguments_in_puters_words(puter: Any, specs: Specs) -> None:
    outcomes = resolved(puter("bad-arguments"))
    wrong = {
        "no content": "no-content",
        "a number": "bad-message",
        "a part that is a number": "bad-part",
        "no token left": "quota-exceeded",
        "tools that are none": "internal",
        "no-such-model": "unknown-model",
    }
    assert {name: rejected(outcome) for name, outcome in outcomes.items()} == {
        name: told(specs, "puter/driver-chat", error, model="no-such-model") for name, error in wrong.items()
    }


def test_puter_js_iterates_over_a_stream_of_lines(puter: Any, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    streamed = resolved(puter("stream"))
    *texts, usage = streamed["parts"]
    assert streamed["printed"] == "".join(part["text"] for part in texts) == TEXT
    assert len(texts) > 3
    assert usage["type"] == "usage"
    assert usage["usage"]["completion_tokens"] > 1


def test_puter_js_calls_a_tool_and_gets_an_answer_that_uses_its_result(puter: Any) -> None:
    talk = resolved(puter("tools"))
    (call,) = talk["called"]["message"]["tool_calls"]
    assert talk["called"]["finish_reason"] == "tool_calls"
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert "sunny, 21 degrees" in talk["answered"]["message"]["content"]
    tool_use, usage = talk["streamed"]["parts"]
    assert (tool_use["type"], tool_use["name"], tool_use["input"]) == (
        "tool_use",
        "get_weather",
        {"city": "Paris"},
    )
    assert usage["type"] == "usage"


def test_puter_js_lists_models_with_the_limits_of_the_card(
    puter: Any, mock_provider: Any, specs: Specs
) -> None:
    models = resolved(puter("listModels"))
    name = mock_provider.info["puter_model"]
    card = specs.card(specs.providers["puter"], name)
    assert card is not None
    (entry,) = [each for each in models if name in (each["id"], *each["aliases"])]
    assert entry["context"] == card.value("context_window")
    assert entry["max_tokens"] == card.value("max_output")
    assert entry["modalities"]["input"] == card.value("input_modalities")
    assert set(resolved(puter("listModelProviders"))) == {each["provider"] for each in models}


@pytest.mark.mock_provider(auth="strict")
def test_a_token_that_is_none_is_told_puter_js_as_unauthorized(puter: Any, mock_provider: Any) -> None:
    unauthorized = {"status": 401, "message": "Unauthorized"}
    assert rejected(puter("bad-token")) == unauthorized
    assert {entry.refused for entry in mock_provider.journal} == {"token-legacy-format"}
    resolved(puter("chat"))


def test_without_strict_checks_any_token_of_puter_js_will_do(puter: Any) -> None:
    resolved(puter("bad-token"))


def test_puter_js_without_a_token_is_unauthorized(puter: Any, mock_provider: Any) -> None:
    assert rejected(puter("chat", PUTER_TOKEN=None)) == {"status": 401, "message": "Unauthorized"}
    (entry,) = mock_provider.journal
    assert (entry.path, entry.refused) == ("/drivers/call", "missing-credentials")


def test_puter_js_rejects_with_the_body_of_the_error(puter: Any, specs: Specs) -> None:
    unknown = told(specs, "puter/driver-chat", "unknown-model", model="no-such-model")
    assert rejected(puter("error-model")) == unknown


@pytest.mark.parametrize("error", ["quota-exceeded", "overloaded", "model-error"])
def test_puter_js_rejects_with_what_the_vendor_behind_puter_did(
    puter: Any, mock_provider: Any, specs: Specs, error: str
) -> None:
    mock_provider.fail(error)
    assert rejected(puter("chat")) == told(specs, "puter/driver-chat", error)


def test_puter_js_tries_again_when_it_is_throttled(puter: Any, mock_provider: Any) -> None:
    mock_provider.fail("throttling", times=2)
    mock_provider.reply(TEXT)
    assert resolved(puter("chat"))["printed"] == TEXT
    calls = [entry.status for entry in mock_provider.journal if entry.path == "/drivers/call"]
    assert calls == [429, 429, 200]


def test_a_failure_inside_a_stream_is_a_line_that_puter_js_hands_on(
    puter: Any, mock_provider: Any, specs: Specs
) -> None:
    mock_provider.fail("model-error", after_events=2)
    streamed = resolved(puter("stream"))
    failure = specs.contracts["puter/driver-chat-stream"].failures["model-error"].in_stream
    assert failure is not None
    assert [part["type"] for part in streamed["parts"][:2]] == ["text", "text"]
    assert streamed["parts"][2:] == [failure["data"]]


# The AWS SDK for JavaScript


class Bedrock:
    """Runs cases of bedrock_probe.mjs with one handler, with a bearer key unless a test changes that."""

    def __init__(self, node: Any, provider: Any, handler: str, tls: bool) -> None:
        self._node, self._provider = node, provider
        self.speaks_http2 = handler == "default"
        self._wanted = {
            "PROBE_HANDLER": handler,
            "PROBE_MODEL": provider.model,
            "AWS_REGION": provider.info["region"],
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": provider.url("bedrock-runtime", tls=tls),
        }

    def __call__(self, *cases: str, **changes: str | None) -> dict[str, dict[str, Any]]:
        ran: dict[str, dict[str, Any]] = self._node.run(
            "bedrock_probe.mjs", *cases, **{**changes, **self._wanted}
        )
        return ran


HANDLERS = {
    "NodeHttpHandler": ("http1", True),
    "default over https": ("default", True),
    "default over http": ("default", False),
}


@pytest.fixture(params=HANDLERS)
def bedrock(request: pytest.FixtureRequest, node: Any, mock_provider: Any) -> Bedrock:
    return Bedrock(node, mock_provider, *HANDLERS[request.param])


@pytest.mark.mock_provider(auth="strict")
@pytest.mark.parametrize("keys", ["a bearer key", "an access key"])
def test_the_aws_sdk_is_let_in_with(keys: str, bedrock: Bedrock, mock_provider: Any) -> None:
    wanted = variables(mock_provider.info, sigv4=keys == "an access key")
    mock_provider.reply(TEXT)
    answer = resolved(bedrock("converse", **wanted)["converse"])
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": TEXT}]}
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert answer["$metadata"]["requestId"]


@pytest.mark.mock_provider(auth="strict")
def test_wrong_keys_are_told_the_aws_sdk_by_their_own_errors(bedrock: Bedrock, mock_provider: Any) -> None:
    unknown = rejected(bedrock("converse", AWS_BEARER_TOKEN_BEDROCK="ABSKnone")["converse"])
    assert unknown["name"] == "AccessDeniedException"
    wanted = {**variables(mock_provider.info, sigv4=True), "AWS_SECRET_ACCESS_KEY": "another"}
    mismatch = rejected(bedrock("converse", **wanted)["converse"])
    assert mismatch["name"] == "InvalidSignatureException"
    assert mismatch["$metadata"]["httpStatusCode"] == 403


def test_the_aws_sdk_is_cut_off_by_one_token(bedrock: Bedrock) -> None:
    answer = resolved(bedrock("converse, one token")["converse, one token"])
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 1)


def test_the_aws_sdk_calls_a_tool_and_gets_an_answer_that_uses_its_result(bedrock: Bedrock) -> None:
    talk = resolved(bedrock("converse, tool")["converse, tool"])
    assert talk["called"]["stopReason"] == "tool_use"
    assert (talk["toolUse"]["name"], talk["toolUse"]["input"]) == ("get_weather", {"city": "Paris"})
    (block,) = talk["answered"]["output"]["message"]["content"]
    assert "sunny, 21 degrees" in block["text"]


def names(events: list[dict[str, Any]]) -> list[str]:
    return [name for event in events for name in event]


def test_the_aws_sdk_reads_the_events_of_a_converse_stream(bedrock: Bedrock, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    events = resolved(bedrock("converse stream")["converse stream"])
    first, *deltas, stop, end, last = events
    assert names([first, stop, end, last]) == ["messageStart", "contentBlockStop", "messageStop", "metadata"]
    assert "".join(event["contentBlockDelta"]["delta"]["text"] for event in deltas) == TEXT
    assert len(deltas) > 3
    assert end["messageStop"]["stopReason"] == "end_turn"
    usage = last["metadata"]["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]


def test_the_aws_sdk_speaks_http_2_by_default(bedrock: Bedrock) -> None:
    protocol = resolved(bedrock("protocol")["protocol"])
    assert protocol == ("h2" if bedrock.speaks_http2 else "http/1.1")


def test_the_aws_sdk_reads_a_long_stream_to_its_end(bedrock: Bedrock) -> None:
    # Over HTTP/2 it says goodbye as soon as the head is there, and wants the rest all the same. A stream
    # that fits into one write would not show whether it gets it.
    events = resolved(bedrock("converse stream", PROBE_PROMPT=COUNTING)["converse stream"])
    assert len(events) > 1000
    assert names(events[-3:]) == ["contentBlockStop", "messageStop", "metadata"]
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(texts).split() == [str(number) for number in range(1, 901)]


def test_the_aws_sdk_reads_ten_long_streams_at_once(bedrock: Bedrock) -> None:
    prompt = COUNTING.replace("900", "200")
    streams = resolved(bedrock("ten at once", PROBE_PROMPT=prompt)["ten at once"])
    assert [stream.split()[-1] for stream in streams] == ["200"] * 10


def test_the_aws_sdk_may_leave_a_stream_and_go_on(bedrock: Bedrock, mock_provider: Any) -> None:
    read = bedrock("converse stream, left early", "converse", PROBE_PROMPT=COUNTING)
    assert resolved(read["converse stream, left early"]) == {"messageStart": {"role": "assistant"}}
    assert resolved(read["converse"])["output"]["message"]["content"][0]["text"].startswith("1 2 3 ")


def test_the_aws_sdk_joins_the_input_of_a_tool_call_from_a_stream(bedrock: Bedrock) -> None:
    events = resolved(bedrock("converse stream, tool")["converse stream, tool"])
    (start,) = [event["contentBlockStart"] for event in events if "contentBlockStart" in event]
    assert start["start"]["toolUse"]["name"] == "get_weather"
    pieces = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    assert json.loads("".join(each["delta"]["toolUse"]["input"] for each in pieces)) == {"city": "Paris"}
    assert {"messageStop": {"stopReason": "tool_use"}} in events


def test_the_aws_sdk_reads_what_invoke_answers(bedrock: Bedrock, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    invoked = resolved(bedrock("invoke")["invoke"])
    assert invoked["contentType"] == "application/json"
    assert invoked["answer"]["choices"][0]["message"]["content"] == TEXT


def test_the_aws_sdk_reads_the_chunks_of_an_invoke_stream(bedrock: Bedrock, mock_provider: Any) -> None:
    mock_provider.reply(TEXT)
    invoked = resolved(bedrock("invoke stream")["invoke stream"])
    choices = [choice for chunk in invoked["chunks"] for choice in chunk["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == TEXT
    assert choices[-1]["finish_reason"] == "stop"
    assert len(invoked["chunks"]) > 3
    assert [name for name in invoked["chunks"][-1] if name.startswith("amazon-bedrock-")]


def test_the_aws_sdk_raises_a_validation_exception_for_an_unknown_model(bedrock: Bedrock) -> None:
    error = rejected(bedrock("unknown model")["unknown model"])
    assert (error["class"], error["$fault"]) == ("ValidationException", "client")
    assert (error["$metadata"]["httpStatusCode"], error["$metadata"]["attempts"]) == (400, 1)


def test_the_aws_sdk_tries_again_when_it_is_throttled(bedrock: Bedrock, mock_provider: Any) -> None:
    mock_provider.fail("throttling")
    mock_provider.reply(TEXT)
    answer = resolved(bedrock("converse")["converse"])
    assert answer["$metadata"]["attempts"] == 2
    assert answer["output"]["message"]["content"] == [{"text": TEXT}]


def test_the_aws_sdk_raises_a_throttling_exception_when_it_may_not_try_again(
    bedrock: Bedrock, mock_provider: Any
) -> None:
    mock_provider.fail("throttling")
    error = rejected(bedrock("no second try")["no second try"])
    assert (error["class"], error["$metadata"]["httpStatusCode"]) == ("ThrottlingException", 429)


@pytest.mark.parametrize(
    ("error", "raised"),
    [("validation-in-stream", "ValidationException"), ("throttling", "ThrottlingException")],
)
def test_an_exception_inside_a_stream_is_raised_by_the_aws_sdk_after_what_was_sent(
    bedrock: Bedrock, mock_provider: Any, error: str, raised: str
) -> None:
    mock_provider.fail(error, after_events=3)
    seen = resolved(bedrock("converse stream, failing")["converse stream, failing"])
    assert names(seen["received"]) == ["messageStart", "contentBlockDelta", "contentBlockDelta"]
    assert (seen["error"]["class"], seen["error"]["$fault"]) == (raised, "client")


def test_a_converse_stream_that_is_cut_ends_in_a_broken_connection(
    bedrock: Bedrock, mock_provider: Any
) -> None:
    mock_provider.cut(after_events=1000)
    read = bedrock("converse stream, failing", PROBE_PROMPT=COUNTING)
    seen = resolved(read["converse stream, failing"])
    assert len(seen["received"]) == 1000
    assert seen["error"]["code"] == ("ERR_HTTP2_STREAM_ERROR" if bedrock.speaks_http2 else "ECONNRESET")
