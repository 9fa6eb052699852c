"""Every error of OpenAI's APIs as the openai package meets it: its class, its four members, its request, its retries.

An error that a request can cause is caused; the others are scripted. Which there are stands in the YAML, so an error
that is added there is asked for here, and fails until this file knows how.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, OpenAI

from conformance.contract import Failure
from conformance.loading import load
from tests.clients.raised import class_of

SPECS = load()
MODEL = "gpt-4o-mini"
KEY = "sk-proj-0123456789abcdefWXYZ"
PATIENCE = 60.0
PATHS = {"chat-completions": "/chat/completions", "responses": "/responses"}
PLAIN: Mapping[str, dict[str, Any]] = {
    "chat-completions": {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]},
    "responses": {"model": MODEL, "input": "Hello"},
}
LONG = "word " * 140_000
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NO_PICTURE = "data:image/png;base64," + base64.b64encode(b"no picture at all").decode()


def function(api: str, schema: Any) -> dict[str, Any]:
    said = {"name": "get_weather", "strict": True, "parameters": schema}
    tool = (
        {"type": "function", "function": said} if api == "chat-completions" else {"type": "function", **said}
    )
    return {"tools": [tool]}


def output(api: str, schema: Any) -> dict[str, Any]:
    said = {"name": "person", "strict": True, "schema": schema}
    if api == "chat-completions":
        return {"response_format": {"type": "json_schema", "json_schema": said}}
    return {"text": {"format": {"type": "json_schema", **said}}}


def image(api: str, url: str) -> dict[str, Any]:
    if api == "chat-completions":
        return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    return {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": url}]}]}


LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
LAX = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": [],
    "additionalProperties": False,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}

BOTH: Mapping[str, Any] = {
    "no-object": [1],
    "missing-model": {"model": None},
    "unknown-parameter": {"frobnicate": 1},
    "wrong-type": {"temperature": "warm"},
    "wrong-word": {"service_tier": "gigantic"},
    "integer-too-large": {"top_logprobs": 21},
    "integer-too-small": {"top_logprobs": -1},
    "decimal-too-large": {"temperature": 2.5},
    "decimal-too-small": {"top_p": -0.5},
    "string-too-long": {"safety_identifier": "a" * 65},
    "too-many-members": {"metadata": {str(number): "" for number in range(17)}},
    "member-name-too-long": {"metadata": {"a" * 65: ""}},
    "loose-function": lambda api: function(api, LOOSE),
    "lax-function": lambda api: function(api, LAX),
    "function-of-no-object": lambda api: function(api, {"type": "string"}),
    "loose-schema": lambda api: output(api, LOOSE),
    "lax-schema": lambda api: output(api, LAX),
    "schema-of-no-object": lambda api: output(api, {"type": "array", "items": {}}),
    "unknown-model": {"model": "gpt-nobody"},
    "media-unreadable": lambda api: image(api, NO_PICTURE),
    "image-unreachable": lambda api: image(api, "https://pictures.invalid/a.png"),
}
"""What causes an error over both APIs: members over those of a plain request, or another body."""

CHAT: Mapping[str, Any] = {
    "missing-parameter": {"messages": [{"content": "Hello"}]},
    "wrong-pattern": {"tools": [{"type": "function", "function": {"name": "a b"}}]},
    "empty-string": {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "id": ""}]}]},
    "array-too-long": {"stop": ["a"] * 5},
    "empty-array": {"messages": []},
    "two-caps": {"max_tokens": 9, "max_completion_tokens": 9},
    "value-of-reasoning": {"model": "gpt-5-nano", "temperature": 0.2},
    "old-cap": {"model": "gpt-5-nano", "max_tokens": 9},
    "stop-of-reasoning": {"model": "o3-mini", "stop": ["a"]},
    "no-web-search": {"web_search_options": {}},
    "function-call-alone": {"function_call": "auto"},
    "output-cap-exceeded": {"max_tokens": 999_999},
    "context-overflow": {"messages": [{"role": "user", "content": LONG}]},
    "prompt-and-cap-too-long": {
        "messages": [{"role": "user", "content": "word " * 120_000}],
        "max_completion_tokens": 16_000,
    },
    "orphan-tool-result": {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "21"}]},
    "unanswered-tool-call": {"messages": [{"role": "assistant", "tool_calls": [CALL]}]},
    "unknown-audio": {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]},
    "unknown-tool": {
        "tools": [{"type": "function", "function": {"name": "a"}}],
        "tool_choice": {"type": "function", "function": {"name": "b"}},
    },
    "alternatives-alone": {"top_logprobs": 2},
    "not-alone": {"stream_options": {"include_usage": True}},
    "stream-options-alone": {"stream_options": {"include_usage": True}},
    "parallel-alone": {"parallel_tool_calls": True},
    "choice-alone": {"tool_choice": "auto"},
    "no-word-json": {"response_format": {"type": "json_object"}},
    "unsupported-file": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"filename": "a.mp3", "file_data": "data:audio/mpeg;base64,AAAA"},
                    }
                ],
            }
        ]
    },
}
RESPONSES: Mapping[str, Any] = {
    "missing-parameter": {"input": [{"role": "user"}]},
    "wrong-pattern": {"tools": [{"type": "function", "name": "a b", "parameters": {}, "strict": False}]},
    "empty-string": {"input": [{"type": "function_call_output", "call_id": "", "output": ""}]},
    "empty-array": {"context_management": []},
    "value-of-reasoning": {"model": "gpt-5-nano", "temperature": 0.2},
    "below-sixteen": {"max_output_tokens": 15},
    "output-cap-exceeded": {"max_output_tokens": 999_999},
    "context-overflow": {"input": LONG},
    "orphan-tool-result": {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "21"}]},
    "unacknowledged-safety-check": {
        "model": "computer-use-preview",
        "truncation": "auto",
        "tools": [
            {
                "type": "computer_use_preview",
                "display_width": 1024,
                "display_height": 768,
                "environment": "browser",
            }
        ],
        "input": [
            {
                "type": "computer_call",
                "id": "cu_1",
                "call_id": "call_1",
                "action": {"type": "screenshot"},
                "pending_safety_checks": [{"id": "sc_1", "code": "irrelevant_domain", "message": "Look."}],
                "status": "completed",
            },
            {
                "type": "computer_call_output",
                "call_id": "call_1",
                "output": {"type": "computer_screenshot", "image_url": PIXEL},
            },
        ],
    },
    "unanswered-tool-call": {
        "input": [{"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}]
    },
    "altered-program": {
        "tools": [{"type": "programmatic_tool_calling"}],
        "input": [
            {
                "type": "program",
                "id": "prog_1",
                "call_id": "call_1",
                "code": "text(1);",
                "fingerprint": f"pfp_{'0' * 48}",
            }
        ],
    },
    "unknown-program": {
        "tools": [{"type": "programmatic_tool_calling"}],
        "input": [
            {
                "type": "function_call",
                "call_id": "call_2",
                "name": "f",
                "arguments": "{}",
                "caller": {"type": "program", "caller_id": "call_1"},
            },
            {"type": "function_call_output", "call_id": "call_2", "output": "1"},
        ],
    },
    "unknown-tool": {
        "tools": [{"type": "function", "name": "a", "parameters": {}, "strict": False}],
        "tool_choice": {"type": "function", "name": "b"},
    },
    "not-alone": {"stream_options": {"include_obfuscation": False}},
    "two-histories": {"previous_response_id": "resp_1", "conversation": "conv_1"},
    "background-unstored": {"background": True, "store": False},
    "tool-choice-alone": {"tool_choice": "required"},
    "json-unsaid": {"text": {"format": {"type": "json_object"}}},
    "unknown-response": {"previous_response_id": "resp_1"},
    "unsupported-file": {
        "input": [
            {"role": "user", "content": [{"type": "input_file", "file_url": "https://example.com/a.mp3"}]}
        ]
    },
}
OWN = {"chat-completions": CHAT, "responses": RESPONSES}
ELSEWHERE = {
    "missing-bearer": "asked below without a key",
    "invalid-bearer": "asked below with auth=strict",
    "unknown-path": "asked below",
    "wrong-method": "asked below",
    "unsupported-content-type": "asked below",
    "not-json": "asked below",
    "body-too-large": "asked below",
    "throttling": "asked below with a quota",
    "token-throttling": "asked below with a quota",
}
"""What no body causes."""


SCRIPTED = {
    **dict.fromkeys(("wrong-shape", "unsupported-parameter"), "no member of a request is known to end there"),
    **dict.fromkeys(
        ("array-too-long", "two-caps", "unacknowledged-safety-check"), "the other API has what causes it"
    ),
    **dict.fromkeys(
        ("image-not-offered", "speech-not-offered", "no-chat-model", "retired-model", "broken-schema"),
        "a model's",
    ),
    **dict.fromkeys(
        ("speech-alone", "speech-in-a-stream", "exclusive-members", "moved-parameter", "unsupported-effort"),
        "a shape's",
    ),
    **dict.fromkeys(
        ("unknown-conversation", "unknown-item", "unreadable-compaction", "trace-alone"), "state's"
    ),
}
"""What is scripted here, though a request can cause it: rules of its contract ask for it."""


def causes(api: str) -> Mapping[str, Any]:
    return {**BOTH, **OWN[api]}


def failures() -> Iterator[Any]:
    for api in PATHS:
        for failure in SPECS.contracts[f"openai/{api}"].failures.values():
            yield pytest.param(api, failure, id=f"{api}:{failure.id}")


def client_of(mock_provider: Any, **options: Any) -> OpenAI:
    ours = {"base_url": mock_provider.url("openai") + "/v1", "api_key": KEY, "max_retries": 0}
    made: OpenAI = mock_provider.openai_client(**{**ours, **options})
    return made


@pytest.fixture
def client(mock_provider: Any) -> Iterator[OpenAI]:
    """A client of OpenAI's API at the mock that tries once."""
    with client_of(mock_provider) as made:
        yield made


def refused(client: OpenAI, path: str, method: str = "POST", **asked: Any) -> openai.APIStatusError:
    """What the client raises, with all that every error of OpenAI has."""
    with pytest.raises(openai.APIStatusError) as caught:
        getattr(client, method.lower())(path, cast_to=object, **asked)
    return checked(caught.value)


def checked(error: openai.APIStatusError) -> openai.APIStatusError:
    status = error.status_code
    assert type(error) is class_of(status)
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}
    assert error.body["message"] and "{" not in str(error.body["param"])
    assert (error.type, error.param, error.code) == tuple(
        error.body[name] for name in ("type", "param", "code")
    )
    assert error.message == f"Error code: {status} - {error.body['message']}"
    assert error.request_id and error.request_id.startswith("req_")
    return error


@pytest.mark.parametrize(("api", "failure"), [*failures()])
def test_an_error_is_raised_with_all_that_it_says(
    client: OpenAI, mock_provider: Any, api: str, failure: Failure
) -> None:
    if failure.id in ELSEWHERE:
        return
    if failure.id in causes(api):
        asked = causes(api)[failure.id]
        asked = asked(api) if callable(asked) else asked
        body = {**PLAIN[api], **asked} if isinstance(asked, dict) else asked
        if body in ([1],):
            error = refused(client, PATHS[api], content=b"[1]", options=json_headers())
        else:
            error = refused(
                client, PATHS[api], body={key: each for key, each in body.items() if each is not None}
            )
    else:
        assert not failure.when or failure.id in SCRIPTED, f"{failure.id}: no request here causes it"
        mock_provider.fail(failure.id)
        error = refused(client, PATHS[api], body=PLAIN[api])
    said = failure.body["error"]
    assert (error.status_code, error.code, error.type) == (failure.status, said["code"], said["type"])
    if "{" not in str(said["param"]):
        assert error.param == said["param"]
    assert "{" not in error.message.replace("{}", "") or "{" in str(said["message"])


def json_headers() -> Any:
    return {"headers": {"Content-Type": "application/json"}}


NAMED = [
    ("chat-completions", {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "zz"}]}]},
     "messages[0].content[1].type", "Invalid value: 'zz'. Supported values are: 'text', 'image_url', "),
    ("chat-completions", {"tools": [{"type": "function", "function": {}}]},
     "tools[0].function.name", "Missing required parameter: 'tools[0].function.name'."),
    ("responses", {"input": [{"role": "user", "content": "a"}, {"type": "function_call_output", "output": "a"}]},
     "input[1].call_id", "Missing required parameter: 'input[1].call_id'."),
    ("responses", {"input": 5},
     "input", "Invalid type for 'input': expected one of a string or array, but got an integer instead."),
    ("chat-completions", {"temperature": 3},
     "temperature", "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."),
]  # fmt: skip


@pytest.mark.parametrize(("api", "members", "param", "says"), NAMED)
def test_a_wrong_member_is_named_by_its_whole_path(
    client: OpenAI, api: str, members: dict[str, Any], param: str, says: str
) -> None:
    error = refused(client, PATHS[api], body={**PLAIN[api], **members})
    assert error.param == param
    assert says in error.message


@pytest.mark.parametrize("api", PATHS)
def test_a_stream_that_is_refused_is_refused_before_it_begins(client: OpenAI, api: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        if api == "responses":
            client.responses.create(model=MODEL, input="Hello", temperature=9, stream=True)
        else:
            client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "Hello"}], temperature=9, stream=True
            )
    assert checked(caught.value).code == "decimal_above_max_value"


@pytest.mark.parametrize("api", PATHS)
def test_what_no_body_causes(client: OpenAI, api: str) -> None:
    responses = api == "responses"
    keyless = {"headers": {"Authorization": openai.Omit()}}
    error = refused(client, PATHS[api], body=PLAIN[api], options=keyless)
    assert (error.status_code, error.code) == (401, None)
    # A stranger is told nothing of the account.
    assert "openai-organization" not in error.response.headers
    # Responses says more to a stranger than Chat Completions, as recorded.
    assert (error.response.headers.get("www-authenticate") == 'Bearer realm="OpenAI API"') == responses
    assert ("openai-version" in error.response.headers) == responses
    error = refused(client, PATHS[api], body={**PLAIN[api], "model": "gpt-nobody"})
    assert (error.response.headers.get("openai-version") == "2020-10-01") == responses
    assert ("openai-organization" in error.response.headers) == responses
    assert "www-authenticate" not in error.response.headers
    nameless = {key: value for key, value in PLAIN[api].items() if key != "model"}
    error = refused(client, PATHS[api], body=nameless)
    assert (error.param, error.code) == (
        ("model", "missing_required_parameter") if responses else (None, None)
    )
    error = refused(client, PATHS[api], content=b'{"model": ', options=json_headers())
    assert (error.status_code, error.type) == (400, "invalid_request_error")
    text = {"headers": {"Content-Type": "text/plain"}}
    assert refused(client, PATHS[api], body=PLAIN[api], options=text).code == "unsupported_content_type"
    assert refused(client, PATHS[api], "PUT", body={}).code == "method_not_supported"
    error = refused(client, "/nothing-here", body={})
    assert (error.status_code, error.body["message"]) == (404, "Invalid URL (POST /v1/nothing-here)")  # type: ignore[index]
    error = refused(client, PATHS[api], content=b" " * 52_428_801, options=json_headers())
    assert error.status_code == 413


@pytest.mark.mock_provider(auth="strict")
@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (KEY, "sk-proj-" + "*" * (len(KEY) - 12) + "WXYZ"),
        ("your-api-key-here", "your-api*****here"),
        ("DEADBEEF", "DEADBEEF"),
    ],
)
def test_a_wrong_key_is_shown_with_its_middle_starred_out(mock_provider: Any, key: str, shown: str) -> None:
    with client_of(mock_provider, api_key=key) as client:
        error = refused(client, PATHS["responses"], body=PLAIN["responses"])
    assert (error.status_code, error.code) == (401, "invalid_api_key")
    assert f"Incorrect API key provided: {shown}. You can find" in error.message
    assert all(key not in entry.line() for entry in mock_provider.journal)
    assert all(key not in value for name, value in error.response.headers.items())


# Retries


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client would have waited, instead of waiting."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize(
    ("failure", "requests"),
    [
        *[
            (name, 3)
            for name in ("throttling", "token-throttling", "timed-out", "conflict", "internal", "overloaded")
        ],
        *[(name, 1) for name in ("quota-exceeded", "access-denied", "invalid-bearer", "wrong-shape")],
    ],
)
def test_what_may_be_tried_again_is_tried_again_and_nothing_else(
    mock_provider: Any, waits: list[float], failure: str, requests: int
) -> None:
    mock_provider.fail(failure, times=requests)
    with client_of(mock_provider, max_retries=2) as client:
        refused(client, PATHS["responses"], body=PLAIN["responses"])
    assert len(mock_provider.journal) == requests
    assert len(waits) == requests - 1
    if "throttling" in failure:
        assert waits == [1.0, 1.0]


@pytest.mark.mock_provider(requests_per_minute=3)
def test_a_limit_is_counted_down_told_and_waited_for(mock_provider: Any, waits: list[float]) -> None:
    with client_of(mock_provider) as client:
        left = []
        for _ in range(3):
            raw = client.responses.with_raw_response.create(model=MODEL, input="Hello")
            assert raw.headers["x-ratelimit-limit-requests"] == "3"
            left.append(raw.headers["x-ratelimit-remaining-requests"])
            assert raw.headers["x-ratelimit-reset-requests"].endswith("s")
        assert left == ["2", "1", "0"]
        error = refused(client, PATHS["responses"], body=PLAIN["responses"])
        assert (error.type, error.code) == ("requests", "rate_limit_exceeded")
        assert (
            "on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in " in error.message
        )
        headers = error.response.headers
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert 0 < int(headers["retry-after-ms"]) <= 20_000
        assert 1 <= int(headers["retry-after"]) <= 20
        # Another model has a limit of its own.
        client.responses.create(model="gpt-4o", input="Hello")
    with client_of(mock_provider, max_retries=1) as client:
        refused(client, PATHS["responses"], body=PLAIN["responses"])
    assert len(waits) == 1
    assert 0 < waits[0] <= 20


@pytest.mark.mock_provider(requests_per_minute=70, tokens_per_minute=9000)
@pytest.mark.parametrize(
    ("failure", "of", "says"),
    [
        ("throttling", "requests", "Limit 70, Used 70, Requested 1."),
        ("token-throttling", "tokens", "Limit 9000, Used 9000, Requested 900."),
    ],
)
@pytest.mark.parametrize("api", ["chat-completions", "responses"])
def test_a_scripted_limit_is_told_as_that_of_the_account(
    mock_provider: Any, api: str, failure: str, of: str, says: str
) -> None:
    mock_provider.fail(failure)
    cap = "max_tokens" if api == "chat-completions" else "max_output_tokens"
    with client_of(mock_provider) as client:
        error = refused(client, PATHS[api], body={**PLAIN[api], cap: 900})
    assert says in error.message
    headers = error.response.headers
    assert headers[f"x-ratelimit-limit-{of}"] == says.split(",")[0].removeprefix("Limit ")
    assert (headers[f"x-ratelimit-remaining-{of}"], headers[f"x-ratelimit-reset-{of}"]) == ("0", "1m0s")


@pytest.mark.mock_provider(tokens_per_minute=1000)
def test_tokens_count_by_the_prompt_or_the_cap_whichever_is_more(mock_provider: Any) -> None:
    with client_of(mock_provider) as client:
        ask = client.chat.completions.with_raw_response.create
        hello: Any = [{"role": "user", "content": "Hello"}]
        raw = ask(model=MODEL, messages=hello, max_completion_tokens=600)
        assert raw.headers["x-ratelimit-limit-tokens"] == "1000"
        assert 400 <= int(raw.headers["x-ratelimit-remaining-tokens"]) < 420
        assert int(ask(model=MODEL, messages=hello).headers["x-ratelimit-remaining-tokens"]) > 380
        error = refused(
            client, PATHS["chat-completions"], body={**PLAIN["chat-completions"], "max_tokens": 900}
        )
    assert (error.status_code, error.type) == (429, "tokens")
    assert "on tokens per min (TPM): Limit 1000, Used " in error.message


def test_an_answer_has_the_headers_of_the_account_and_the_limits(client: OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model=MODEL, input="Hello")
    said = raw.headers
    assert said["openai-version"] == "2020-10-01"
    assert said["openai-processing-ms"].isdecimal()
    assert said["openai-organization"] and said["openai-project"]
    assert said["x-request-id"] == raw.request_id
    limits = {name for name in said if name.startswith("x-ratelimit-")}
    assert limits == {
        f"x-ratelimit-{part}-{what}"
        for part in ("limit", "remaining", "reset")
        for what in ("requests", "tokens")
    }


# Streams


def test_a_failure_in_a_chat_stream_raises_after_the_chunks_before_it(
    client: OpenAI, mock_provider: Any
) -> None:
    mock_provider.fail("internal", after_events=3)
    chunks = []
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    with pytest.raises(openai.APIError, match="The server had an error") as caught:
        chunks += list(stream)
    assert type(caught.value) is openai.APIError
    assert caught.value.type == "server_error"


def test_a_failure_in_a_responses_stream_is_an_event_and_then_the_failed_response(
    client: OpenAI, mock_provider: Any
) -> None:
    mock_provider.fail("overloaded", after_events=4)
    events = list(client.responses.create(model=MODEL, input="Hello", stream=True))
    assert [event.sequence_number for event in events] == list(range(6))
    error, failed = events[-2:]
    assert (error.type, failed.type) == ("error", "response.failed")
    assert (error.code, error.param) == ("server_error", None)  # type: ignore[union-attr]
    response = failed.response  # type: ignore[union-attr]
    assert (response.status, response.error and response.error.code) == ("failed", "server_error")
    assert response.id == events[0].response.id  # type: ignore[union-attr]
    assert response.model.startswith(MODEL)


def test_comments_keep_a_stream_alive_and_nobody_reads_them(client: OpenAI, mock_provider: Any) -> None:
    mock_provider.reply("amber kettle 42", comments=2)
    stream: Any = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    assert "".join(each.choices[0].delta.content or "" for each in stream) == "amber kettle 42"
    mock_provider.reply("amber kettle 42", comments=1)
    with client.responses.stream(model=MODEL, input="Hello") as found:
        assert found.get_final_response().output_text == "amber kettle 42"


def raw_chunks(mock_provider: Any, path: str, body: bytes) -> list[bytes]:
    """The chunks of HTTP in which a stream comes; the last, which is empty, comes with it."""
    at = urlsplit(mock_provider.url("openai"))
    head = f"POST {at.path}/v1{path} HTTP/1.1\r\nHost: mock\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((at.hostname, at.port), PATIENCE) as connection:
        connection.sendall(head.encode() + body)
        data = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    rest, chunks = data.partition(b"\r\n\r\n")[2], []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return chunks


@pytest.mark.parametrize(
    ("path", "asked", "first"),
    [
        ("/chat/completions", b'"messages": [{"role": "user", "content": "Hello"}]', b"data: {"),
        ("/responses", b'"input": "Hello"', b"event: response."),
    ],
)
def test_each_event_and_each_comment_is_one_chunk_with_its_blank_line(
    mock_provider: Any, path: str, asked: bytes, first: bytes
) -> None:
    mock_provider.reply("amber kettle 42", comments=1)
    *chunks, last = raw_chunks(mock_provider, path, b'{"model": "gpt-4o-mini", "stream": true, %b}' % asked)
    assert last == b""
    assert all(chunk.endswith(b"\n\n") and chunk.count(b"\n\n") == 1 for chunk in chunks)
    assert b"\r" not in b"".join(chunks)
    comments, events = chunks[::2], chunks[1::2]
    assert set(comments) == {b": keep-alive\n\n"}
    ends = [event for event in events if event == b"data: [DONE]\n\n"]
    assert ends == ([events[-1]] if path == "/chat/completions" else [])
    assert all(event.startswith(first) for event in events if event not in ends)
    assert all(sum(line.startswith(b"data: ") for line in event.splitlines()) == 1 for event in events)


def test_a_body_ends_with_its_last_event_so_that_a_connection_serves_the_next_stream(
    mock_provider: Any,
) -> None:
    async def ask() -> list[Any]:
        at = mock_provider.url("openai") + "/v1"
        async with AsyncOpenAI(base_url=at, api_key=KEY, http_client=DefaultAsyncHttpxClient()) as client:
            sockets = []
            for _ in range(3):
                stream = await client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "Hello"}], stream=True
                )
                sockets.append(stream.response.extensions["network_stream"].get_extra_info("client_addr"))
                assert [each async for each in stream]
            return sockets

    assert len(set(asyncio.run(ask()))) == 1


@pytest.mark.mock_provider(concurrent_requests=1)
def test_a_client_that_leaves_gives_its_place_back_and_nothing_is_logged(
    mock_provider: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the providers that limit what goes on at once Puter has an OpenAI endpoint."""
    at = mock_provider.url("puter") + "/puterai/openai/v1/"
    hello: Any = [{"role": "user", "content": "Hello"}]
    stalls, model = {"x-mock-break": "stalls"}, mock_provider.info["puter_model"]
    with (
        caplog.at_level(logging.DEBUG, "mockserver"),
        client_of(mock_provider, base_url=at, api_key=mock_provider.info["puter_token"]) as client,
    ):
        ask = client.chat.completions.create
        stream: Any = ask(model=model, messages=hello, stream=True, extra_headers=stalls)
        with pytest.raises(openai.RateLimitError):
            ask(model=model, messages=hello)
        stream.close()
        deadline = time.monotonic() + PATIENCE
        answer: Any = None
        while answer is None and time.monotonic() < deadline:
            try:
                answer = ask(model=model, messages=hello)
            except openai.RateLimitError:
                time.sleep(0.01)
    assert answer.choices[0].message.content
    assert [entry.status for entry in mock_provider.journal][:2] == [200, 429]
    assert mock_provider.journal[-1].status == 200
    assert caplog.records == []
