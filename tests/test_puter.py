"""Puter's driver API over HTTP, asked as puter.js asks it and read by nobody of ours: urllib3 and json.

Everything that section of the facts says of errors, tokens, money and limits is one line of a table here.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from conformance.exchange import Request
from conformance.loading import load
from conformance.probes.picture import draw
from mockserver.answer import answer
from mockserver.credentials import from_dict, make_credentials, to_dict
from mockserver.effects import Head, Send, carry_out
from mockserver.embedded import start
from mockserver.mock import Mock
from mockserver.provider import MockProvider

SPECS = load()
KEYS = SPECS.providers["bedrock"].said["key"]["made"]
TOLD = SPECS.providers["puter"].said["auth"]["puter"]["made"]
MAGISTRAL, SEES, HEARS = "mistralai/magistral-small-2509", "mistral-small-2603", "voxtral-small-2507"
SAY = "Reply with exactly: amber kettle 42"
WIRE = "/puterai/openai/v1/chat/completions"
TYPE = {"Content-Type": "text/plain;actually=json"}


@dataclass(frozen=True)
class Answer:
    """What came back, as a client without our code sees it."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Puter:
    """One mock, asked over http."""

    def __init__(self, mock: MockProvider, pool: urllib3.PoolManager) -> None:
        self.mock, self.pool = mock, pool

    @property
    def tokens(self) -> dict[str, str]:
        return {"api": self.mock.info["puter_token"], **self.mock.info["puter_tokens"]}

    def send(
        self, path: str, body: bytes | None, headers: dict[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        got = self.pool.request(
            method, self.mock.url("puter") + path, body=body, headers=headers or TYPE, retries=False
        )
        whole = got.data
        is_json = got.headers.get("content-type", "").startswith("application/json")
        return Answer(
            got.status,
            {name.lower(): value for name, value in got.headers.items()},
            json.loads(whole) if is_json else whole.decode(),
        )

    def call(self, kind: str | None = "api", **members: Any) -> Answer:
        """A driver call; a member that is None is left out."""
        body = {
            "interface": "puter-chat-completion",
            "driver": "ai-chat",
            "test_mode": False,
            "method": "complete",
            "args": {},
            **members,
            "auth_token": None if kind is None else self.tokens[kind],
        }
        sent = {name: each for name, each in body.items() if each is not None or name == "auth_token"}
        return self.send("/drivers/call", json.dumps(sent).encode())

    def chat(self, prompt: Any = SAY, kind: str | None = "api", **args: Any) -> Answer:
        """puter.ai.chat(prompt, args)."""
        messages = args.pop("messages", [{"content": prompt}])
        return self.call(kind, args={"messages": messages, "model": MAGISTRAL, **args})

    def wire(self, kind: str = "api", **members: Any) -> Answer:
        """The endpoint for OpenAI's clients."""
        body = {"model": MAGISTRAL, "messages": [{"role": "user", "content": SAY}], **members}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.tokens[kind]}"}
        return self.send(WIRE, json.dumps(body).encode(), headers)

    def said(self, *arguments: Any, **named: Any) -> str:
        got = self.chat(*arguments, **named)
        assert got.status == 200, got.body
        return str(got.body["result"]["message"]["content"])


@pytest.fixture(scope="module")
def pool() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager() as made:
        yield made


@pytest.fixture
def puter(mock_provider: MockProvider, pool: urllib3.PoolManager) -> Puter:
    return Puter(mock_provider, pool)


strict = pytest.mark.mock_provider(auth="strict")
observed = pytest.mark.mock_provider(auth="strict", reality="observed")


# -- every error, by an ordinary request ------------------------------------------------------------------------

Ask = Callable[[Puter], Answer]
PICTURE = "data:image/png;base64," + base64.b64encode(draw("K7Q2")).decode()
SHOWN = [
    {"content": ["Which code is drawn here? Answer with the code only.", {"image_url": {"url": PICTURE}}]}
]


def again(times: int, ask: Ask) -> Ask:
    """The last of so many answers."""

    def asked(puter: Puter) -> Answer:
        for _ in range(times - 1):
            ask(puter)
        return ask(puter)

    return asked


def failing(error: str) -> Ask:
    def asked(puter: Puter) -> Answer:
        puter.mock.fail(error)
        return puter.chat()

    return asked


def row(name: str, status: int, code: str, text: str, ask: Ask, *marks: Any, **more: Any) -> Any:
    return pytest.param(status, code, text, ask, more, id=name, marks=marks or (strict,))


NO_USAGE = "No usage left for request."
CONTENT = "each message must have a 'content' property"
LIMITED = pytest.mark.mock_provider
ERRORS = [
    row(
        "no interface", 400, "bad_request", "Missing or invalid `interface`", lambda p: p.call(interface=None)
    ),
    row(
        "empty interface",
        400,
        "bad_request",
        "Missing or invalid `interface`",
        lambda p: p.call(interface=""),
    ),
    row("no method", 400, "bad_request", "Missing or invalid `method`", lambda p: p.call(method=None)),
    row("number for a method", 400, "bad_request", "Missing or invalid `method`", lambda p: p.call(method=7)),
    row("unknown model", 400, "bad_request", "Model not found: Nobody-1", lambda p: p.chat(model="Nobody-1")),
    row(
        "the router",
        400,
        "bad_request",
        "Model not found: openrouter/auto",
        lambda p: p.chat(model="openrouter/auto"),
    ),
    row("empty content", 400, "bad_request", CONTENT, lambda p: p.chat("")),
    row("null content", 400, "bad_request", CONTENT, lambda p: p.chat(None)),
    row("no content", 400, "bad_request", CONTENT, lambda p: p.chat(messages=[{"role": "user"}])),
    row(
        "camel case sent back",
        400,
        "bad_request",
        CONTENT,
        lambda p: p.chat(messages=[SAY, {"role": "assistant", "content": "", "toolCalls": [{"id": "a"}]}]),
    ),
    row(
        "number message",
        400,
        "bad_request",
        "each message must be a string or object",
        lambda p: p.chat(messages=[7]),
    ),
    row(
        "list message",
        400,
        "bad_request",
        "each message must be a string or object",
        lambda p: p.chat(messages=[[]]),
    ),
    row(
        "number part",
        400,
        "bad_request",
        "each message content item must be a string or object",
        lambda p: p.chat([7]),
    ),
    row(
        "messages of the wire route",
        400,
        "bad_request",
        "`messages` must be an array of chat messages",
        lambda p: p.wire(messages="Hi"),
    ),
    row(
        "moderation",
        400,
        "bad_request",
        "message is not allowed",
        failing("moderation"),
        errorCode="moderation_flagged",
    ),
    row(
        "no JSON",
        400,
        "client_bad_json",
        "Malformed JSON in request body",
        lambda p: p.send("/drivers/call", b'{"interface": '),
    ),
    row("aborted", 400, "client_aborted", "Request aborted", failing("aborted")),
    row("bad URL", 400, "client_bad_url", "Malformed URL", failing("bad-url")),
    row(
        "vendor refuses",
        400,
        "upstream_bad_request",
        "API error occurred: Status 400.*",
        failing("upstream-bad-request"),
    ),
    row(
        "image for a text model",
        400,
        "upstream_bad_request",
        "API error occurred: Status 400.*image input is not enabled.*",
        lambda p: p.chat(messages=SHOWN),
    ),
    row(
        "broken image",
        400,
        "upstream_bad_request",
        "API error occurred: Status 400.*could not be read.*",
        lambda p: p.chat([{"image_url": {"url": PICTURE[:80]}}], model=SEES),
    ),
    row(
        "vendor down", 400, "upstream_provider_unavailable", "AI provider unavailable", failing("overloaded")
    ),
    row("all failed", 400, "upstream_failed", "All AI providers failed", failing("upstream-failed")),
    row("no token", 401, "token_missing", "Missing authentication token", lambda p: p.chat(kind=None)),
    row(
        "bad token",
        401,
        "reauth_required",
        "Re-authentication required",
        lambda p: p.chat(kind="bad"),
        reason="token_v1",
    ),
    row(
        "session revoked",
        401,
        "reauth_required",
        "Re-authentication required",
        lambda p: p.chat(kind="session-revoked"),
        reason="session_revoked",
    ),
    row(
        "session expired",
        401,
        "reauth_required",
        "Re-authentication required",
        lambda p: p.chat(kind="session-expired"),
        reason="session_expired",
    ),
    row("forged token", 401, "token_auth_failed", "Authentication failed", lambda p: p.chat(kind="forged")),
    row("no cap left", 402, "insufficient_funds", NO_USAGE, lambda p: p.chat(max_tokens=0)),
    row("a negative cap", 402, "insufficient_funds", NO_USAGE, lambda p: p.chat(max_tokens=-5)),
    row("too long a prompt", 402, "insufficient_funds", NO_USAGE, lambda p: p.chat("ambers " * 140_000)),
    row("no funds", 402, "insufficient_funds", NO_USAGE, lambda p: p.chat(kind="no-funds")),
    row(
        "free plan",
        402,
        "subscription_required",
        ".*",
        lambda p: p.wire(kind="api-free"),
        subscription="user_free",
    ),
    row("scoped token", 403, "forbidden", ".*", lambda p: p.chat(kind="scoped")),
    row("scoped token at the wire", 403, "forbidden", ".*", lambda p: p.wire(kind="scoped")),
    row(
        "app token at the wire",
        403,
        "forbidden",
        ".*only available to user sessions",
        lambda p: p.wire(kind="app"),
    ),
    row(
        "account token at the wire", 403, "app_or_api_token_required", ".*", lambda p: p.wire(kind="account")
    ),
    row("blocked app", 403, "app_blocked", ".*", lambda p: p.chat(kind="app-blocked")),
    row("subscribers only", 403, "permission_denied", ".*", failing("access-denied")),
    row("email", 403, "email_confirmation_required", ".*", lambda p: p.chat(kind="email-unconfirmed")),
    row("phone", 403, "phone_verification_required", ".*", lambda p: p.chat(kind="phone-unverified")),
    row("card", 403, "card_verification_required", ".*", lambda p: p.chat(kind="card-unverified")),
    row(
        "unknown interface",
        404,
        "not_found",
        "Driver not found: puter-ocr:ai-chat",
        lambda p: p.call(interface="puter-ocr"),
    ),
    row(
        "unknown driver",
        404,
        "not_found",
        "Driver not found: puter-chat-completion:gpt",
        lambda p: p.call(driver="gpt"),
    ),
    row(
        "unknown method",
        404,
        "not_found",
        "Method 'ai-chat' not found on driver 'puter-chat-completion'",
        lambda p: p.call(method="ai-chat", args="models"),
    ),
    row("unknown path", 404, "not_found", "Not Found", lambda p: p.send("/drivers/list", b"{}")),
    row(
        "large body",
        413,
        "client_bad_request",
        "request entity too large",
        lambda p: p.send("/drivers/call", b"{" + b" " * (50 << 20) + b"}"),
    ),
    row(
        "rate",
        429,
        "too_many_requests",
        "Too many requests.",
        again(2, lambda p: p.chat()),
        LIMITED(requests_per_10_seconds=1),
    ),
    row(
        "all calls",
        429,
        "too_many_requests",
        "Too many requests.",
        again(2, lambda p: p.chat()),
        LIMITED(calls_per_minute=1),
    ),
    row(
        "at a time",
        429,
        "too_many_requests",
        "Too many concurrent requests.",
        lambda p: p.chat(),
        LIMITED(concurrent_requests=0),
    ),
    row(
        "vendor throttles",
        429,
        "upstream_rate_limited",
        "AI provider rate limit exceeded",
        failing("upstream-throttling"),
    ),
    row(
        "vendor's key",
        500,
        "upstream_auth_failed",
        "AI provider authentication failed",
        failing("upstream-auth-failed"),
    ),
    row(
        "no messages",
        500,
        "internal_error",
        "Internal Server Error",
        lambda p: p.call(args={"model": MAGISTRAL}),
    ),
    row("tools of text", 500, "internal_error", "Internal Server Error", lambda p: p.chat(tools=["weather"])),
    row(
        "a cap in words", 500, "internal_error", "Internal Server Error", lambda p: p.chat(max_tokens="many")
    ),
    row(
        "unknown role",
        500,
        "internal_error",
        "All providers failed",
        lambda p: p.chat(messages=[{"role": "developer", "content": "Hi"}]),
    ),
    row(
        "image as observed",
        500,
        "internal_error",
        "All providers failed",
        lambda p: p.chat(messages=SHOWN),
        observed,
    ),
    row("database", 503, "db_unavailable", ".*", failing("unavailable")),
]


@pytest.mark.parametrize(("status", "code", "text", "ask", "more"), ERRORS)
def test_an_error_is_reached_and_told_as_puter_tells_it(
    puter: Puter, status: int, code: str, text: str, ask: Ask, more: dict[str, Any]
) -> None:
    got = ask(puter)
    assert (got.status, got.body["code"]) == (status, code)
    assert isinstance(got.body["error"], str)
    assert got.body["message"] == got.body["error"]
    assert text == got.body["error"] or re.fullmatch(text, got.body["error"])
    assert {name: got.body.get(name) for name in more} == more
    assert got.headers["access-control-allow-origin"] == "*"
    assert got.headers["content-type"].startswith("application/json")
    assert ("x-needs-upgrade" in got.headers) == (status in (402, 413))
    assert got.headers.get("retry-after") == ("5" if status == 503 else None)
    if code.startswith("upstream") and status != 500:
        [attempt] = got.body["attempts"]
        assert attempt["provider"] == "mistral"


def test_the_table_has_every_code_that_puter_has_here() -> None:
    told = {param.values[1] for param in ERRORS}
    failures = [each for one in SPECS.of("puter") if one.dialect for each in one.failures.values()]
    known = {each.code for each in failures if each.body is not None}
    assert told >= {each for each in known if each is not None}


DRIVER, STREAM = SPECS.contracts["puter/driver-chat"], SPECS.contracts["puter/driver-chat-stream"]


@pytest.mark.parametrize("error", sorted(DRIVER.failures))
def test_every_error_can_be_scripted(puter: Puter, error: str) -> None:
    failure = DRIVER.failures[error]
    puter.mock.fail(error)
    got = puter.chat()
    assert got.status == failure.status
    assert got.body["code"] == failure.code
    assert not [each for each in (got.body["error"], got.body["message"]) if "{" in each.split("Body:")[0]]


@pytest.mark.parametrize("error", sorted(each.id for each in STREAM.failures.values() if each.in_stream))
def test_a_failure_within_a_stream_is_its_last_line_and_the_status_stays(puter: Puter, error: str) -> None:
    puter.mock.fail(error, after_events=2)
    got = puter.chat("Count from 1 to 20.", stream=True)
    assert (got.status, got.headers["content-type"]) == (200, "application/x-ndjson")
    assert [line["type"] for line in got.lines] == ["text", "text", "error"]
    assert got.lines[-1]["message"] == STREAM.failures[error].in_stream["data"]["message"]  # type: ignore[index]


def test_a_failure_before_the_first_line_is_json_with_its_status(puter: Puter) -> None:
    got = puter.chat(model="nobody", stream=True)
    assert (got.status, got.body["code"]) == (400, "bad_request")
    assert got.headers["content-type"].startswith("application/json")


# -- the order of the checks ------------------------------------------------------------------------------------


@pytest.mark.mock_provider(auth="strict", requests_per_10_seconds=1)
def test_the_checks_come_in_the_backends_order(puter: Puter) -> None:
    wrong = {"messages": [7], "max_tokens": 0}
    puter.chat()
    # Each call is right in what was looked at before, and wrong in all that follows.
    kinds = [
        puter.call(None, interface=None, method=None),
        puter.call(interface=None, method=None),
        puter.call(interface="other", method=None),
        puter.call(interface="other", method="other"),
        puter.call(method="other"),
        puter.call(args={**wrong, "model": "nobody"}),
    ]
    assert [each.body["code"] for each in kinds[:2]] == ["token_missing", "bad_request"]
    assert [each.status for each in kinds] == [401, 400, 400, 404, 404, 429]


def test_model_messages_and_funds_are_looked_at_in_this_order(puter: Puter) -> None:
    said = [
        puter.chat(messages=[7], max_tokens=0, model="nobody"),
        puter.chat(messages=[7], max_tokens=5),
        puter.chat("Hi", max_tokens=0),
    ]
    assert [each.body["error"] for each in said] == [
        "Model not found: nobody",
        "each message must be a string or object",
        NO_USAGE,
    ]


# -- what a call may look like ----------------------------------------------------------------------------------

TOOL = {
    "description": "Current weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
WEATHER = "Use the tool get_weather to tell me the weather in Singapore."


@pytest.mark.parametrize(
    "messages",
    [
        [{"content": SAY}],
        [SAY],
        [{"role": "user", "content": SAY}],
        [{"content": [SAY]}],
        [{"content": [{"text": SAY}]}],
        [{"role": None, "content": [{"type": "text", "text": SAY}]}],
        ["Never mind.", {"content": SAY}],
    ],
)
def test_a_message_is_taken_in_each_of_its_forms(puter: Puter, messages: list[Any]) -> None:
    assert puter.said(messages=messages) == "amber kettle 42"
    [turn] = puter.mock.requests
    assert [message.role for message in turn.messages] == ["user"]


@pytest.mark.parametrize(
    "part", [{"image_url": {"url": PICTURE}}, {"type": "image_url", "image_url": {"url": PICTURE}}]
)
def test_an_image_is_seen_with_and_without_a_type(puter: Puter, part: dict[str, Any]) -> None:
    prompt = "Which code is drawn in this picture? Answer with the code only."
    got = puter.chat([prompt, part], vision=True, model=SEES)
    assert "K7Q2" in got.body["result"]["message"]["content"]


def test_a_video_is_read_and_refused_where_it_is_not_offered(puter: Puter) -> None:
    got = puter.chat(["What is this?", {"video_url": {"url": "https://videos.example/a.mp4"}}], vision=True)
    assert (got.status, got.body["code"]) == (400, "upstream_bad_request")
    assert "video input is not enabled" in got.body["error"]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "get_weather", "strict": True, **TOOL}},
        {"type": "function", "name": "get_weather", **TOOL},
        {"name": "get_weather", "description": TOOL["description"], "input_schema": TOOL["parameters"]},
    ],
    ids=["OpenAI", "flat", "Anthropic"],
)
def test_a_tool_is_called_in_each_spelling(puter: Puter, tool: dict[str, Any]) -> None:
    got = puter.chat(WEATHER, tools=[tool]).body["result"]
    [call] = got["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == (
        "get_weather",
        {"city": "Singapore"},
    )
    assert got["finish_reason"] == "tool_calls"
    streamed = puter.chat(WEATHER, tools=[tool], stream=True).lines
    assert [line["type"] for line in streamed][-2:] == ["tool_use", "usage"]
    [line] = [line for line in streamed if line["type"] == "tool_use"]
    assert (line["name"], line["input"], line["text"]) == ("get_weather", {"city": "Singapore"}, "")


@pytest.mark.parametrize("name", ["tool_call_id", "tool_use_id", "id"])
def test_the_answer_of_a_tool_is_used_by_whichever_name_it_comes(puter: Puter, name: str) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather", **TOOL}}]
    message = puter.chat(WEATHER, tools=tools).body["result"]["message"]
    told = {"role": "tool", name: message["tool_calls"][0]["id"], "content": "31 degrees and hailing"}
    assert "hailing" in puter.said(messages=[{"content": WEATHER}, message, told], tools=tools)


@pytest.mark.parametrize(
    "model",
    [
        MAGISTRAL,
        "magistral-small-latest",
        " Magistral-SMALL-2509 ",
        "mistralai:mistralai/magistral-small-latest",
        "openrouter:mistralai/magistral-small-2509",
    ],
)
@pytest.mark.parametrize("provider", [None, "mistral", "no-such-provider"])
def test_a_model_is_found_by_each_of_its_names_whatever_provider_is_preferred(
    puter: Puter, model: str, provider: str | None
) -> None:
    got = puter.chat(model=model, provider=provider).body
    assert got["result"]["message"]["content"] == "amber kettle 42"
    assert got["metadata"] == {"service_used": "mistral", "providerUsed": "magistral-small-latest"}
    assert got["service"] == {"name": "ai-chat"}


def test_without_a_model_the_default_one_of_the_docs_answers(puter: Puter) -> None:
    got = puter.call(args={"messages": [{"content": SAY}]}).body
    assert got["result"]["message"]["content"] == "amber kettle 42"
    assert got["metadata"]["providerUsed"] == "gpt-5-nano"


@pytest.mark.parametrize("value", [True, "yes", 1, [], {}])
def test_whatever_is_true_in_javascript_streams(puter: Puter, value: Any) -> None:
    got = puter.chat(stream=value)
    assert got.headers["content-type"] == "application/x-ndjson"
    assert "".join(line["text"] for line in got.lines[:-1]) == "amber kettle 42"
    assert got.lines[-1]["type"] == "usage"
    assert got.lines[-1]["usage"]["usd_cents"] > 0


@pytest.mark.parametrize("value", [False, None, 0, ""])
def test_whatever_is_false_in_javascript_does_not(puter: Puter, value: Any) -> None:
    assert puter.said(stream=value) == "amber kettle 42"


def test_test_mode_is_answered_like_any_other_call(puter: Puter) -> None:
    got = puter.call(
        test_mode=True, args={"messages": [{"content": SAY}], "model": MAGISTRAL, "test_mode": True}
    )
    assert got.body["result"]["message"]["content"] == "amber kettle 42"


@pytest.mark.parametrize("content", [[], ""])
def test_what_may_be_empty_may(puter: Puter, content: Any) -> None:
    """An empty list of parts, and words beside calls of tools; an empty list of messages too."""
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    messages: list[Any] = [
        {"content": []} if content == [] else {"role": "assistant", "content": "", "tool_calls": calls},
        *([] if content == [] else [{"role": "tool", "tool_call_id": "a", "content": ""}]),
    ]
    assert puter.chat(messages=messages).status == 200
    assert puter.chat(messages=[]).status == 200


def test_the_documented_and_the_observed_spelling_are_two_realities(puter: Puter) -> None:
    got = puter.chat(WEATHER, tools=[{"name": "get_weather", "input_schema": TOOL["parameters"]}]).body[
        "result"
    ]
    assert {"finish_reason", "message", "usage", "index"} <= set(got)
    assert not {"finishReason", "via_ai_chat_service"} & set(got)


@observed
def test_the_observed_spelling_is_camel_case(puter: Puter) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather", **TOOL}}]
    got = puter.chat(WEATHER, tools=tools).body["result"]
    assert (got["finishReason"], got["via_ai_chat_service"], got["message"]["prefix"]) == (
        "tool_calls",
        True,
        False,
    )
    assert got["message"]["toolCalls"][0]["function"]["name"] == "get_weather"
    # Sent back as it came it is refused: the client has to rename the member.
    back = puter.chat(messages=[{"content": WEATHER}, got["message"]], tools=tools)
    assert (back.status, back.body["error"]) == (400, CONTENT)


@observed
def test_thinking_as_observed_stands_among_the_words(puter: Puter) -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "closed": True}
    puter.mock.reply("Yes.", reasoning="Hm.")
    got = puter.chat().body["result"]["message"]["content"]
    assert got == [thinking, {"type": "text", "text": "Yes."}]
    puter.mock.reply("Yes.", reasoning="Hm.")
    [*chunks, _, last, _] = puter.chat(stream=True).lines
    assert {line["type"] for line in [*chunks, last]} == {"text"}
    assert "".join(each["thinking"][0]["text"] for line in chunks for each in line["text"]) == "Hm."


def test_reasoning_as_documented_has_lines_of_its_own(puter: Puter) -> None:
    puter.mock.reply("Yes.", reasoning="Hm.")
    lines = puter.chat(stream=True).lines
    assert "".join(line["reasoning"] for line in lines if line["type"] == "reasoning") == "Hm."
    assert [line["type"] for line in lines[-2:]] == ["text", "usage"]
    puter.mock.reply("Yes.", reasoning="Hm.")
    assert puter.chat().body["result"]["message"]["reasoning"] == "Hm."


# -- lists ------------------------------------------------------------------------------------------------------

SOLD = {
    # id: context, input, US cents per million tokens in and out
    "magistral-small-latest": (131072, ["text"], 50, 150),
    "mistral-medium-2604": (262144, ["text", "image"], 150, 750),
    "mistral-large-2512": (262144, ["text", "image"], 50, 150),
    "mistral-small-2603": (256000, ["text", "image"], 15, 60),
    "codestral-2508": (256000, ["text"], 30, 90),
    "ministral-14b-2512": (262144, ["text", "image"], 20, 20),
    "ministral-8b-2512": (262144, ["text", "image"], 10, 10),
    "ministral-3b-2512": (131072, ["text", "image"], 4, 4),
    "voxtral-small-2507": (32768, ["text", "audio"], 10, 30),
}


def details(puter: Puter) -> list[Any]:
    got = puter.send("/puterai/chat/models/details", None, {}, "GET")
    assert got.status == 200
    return list(got.body["models"])


@strict
def test_every_mistral_model_is_listed_with_what_it_costs(puter: Puter) -> None:
    models = details(puter)
    listed = {
        each["id"]: (
            each["context"],
            each["modalities"]["input"],
            each["costs"]["prompt_tokens"],
            each["costs"]["completion_tokens"],
        )
        for each in models
        if each["provider"] == "mistral"
    }
    assert listed == SOLD
    assert models == sorted(models, key=lambda each: (each["provider"], each["id"]))
    assert len({each["id"] for each in models}) == len(models)
    assert all(
        f"mistralai/{name}" in each["aliases"] for name in SOLD for each in models if each["id"] == name
    )
    # What is not known of a model is left out.
    for model in models:
        assert not [
            each
            for each in model.values()
            if each is None or str(each).startswith("{") != isinstance(each, dict)
        ]


@strict
def test_the_names_are_sorted_and_open_to_everybody(puter: Puter) -> None:
    names = puter.send("/puterai/chat/models", None, {}, "GET").body["models"]
    assert names == sorted(names)
    assert "mistralai:mistralai/magistral-small-latest" in names
    assert len(names) == len(details(puter))


@strict
def test_the_driver_lists_the_same_models_by_both_methods(puter: Puter) -> None:
    models, names = puter.call(method="models").body, puter.call(method="list").body
    assert models["result"] == details(puter)
    assert names["result"] == sorted(each["id"] for each in details(puter))
    assert models["success"] is names["success"] is True
    assert puter.call(None, method="list").body["code"] == "token_missing"


@strict
@pytest.mark.parametrize("method", ["models", "list"])
def test_a_call_that_is_the_example_gets_the_whole_list_too(puter: Puter, method: str) -> None:
    said = puter.call(method=method, driver=None, test_mode=None).body
    assert len(said["result"]) == len(details(puter)) > 1


@pytest.mark.parametrize("model", SOLD)
def test_every_listed_model_answers_and_is_billed_at_its_own_price(puter: Puter, model: str) -> None:
    got = puter.chat(model=model).body
    usage, (_, _, cents_in, cents_out) = got["result"]["usage"], SOLD[model]
    expected = (usage["prompt_tokens"] * cents_in + usage["completion_tokens"] * cents_out) / 1e6
    assert usage["usd_cents"] == pytest.approx(expected)
    assert got["metadata"]["providerUsed"] == model


# -- tokens and boot --------------------------------------------------------------------------------------------


@strict
@pytest.mark.parametrize(
    ("headers", "path", "body"),
    [
        ({}, "", "{token}"),
        ({"Authorization": "Bearer {token}"}, "", None),
        ({"x-api-key": "{token}"}, "", None),
        ({}, "?auth_token={token}", None),
        ({"Authorization": "Basic eDp5", "x-api-key": "{token}"}, "", None),
    ],
    ids=["body", "bearer", "x-api-key", "query", "basic is passed over"],
)
def test_the_token_is_found_in_each_of_its_places(
    puter: Puter, headers: dict[str, str], path: str, body: str | None
) -> None:
    token = puter.tokens["account"]
    call: dict[str, Any] = {
        "interface": "puter-chat-completion",
        "method": "complete",
        "args": {"messages": [SAY], "model": MAGISTRAL},
    }
    if body is not None:
        call["auth_token"] = token
    filled = {name: value.replace("{token}", token) for name, value in headers.items()}
    got = puter.send(
        "/drivers/call" + path.replace("{token}", token), json.dumps(call).encode(), {**TYPE, **filled}
    )
    assert got.status == 200


@strict
@pytest.mark.parametrize(
    "kind", ["api", "account", "account-free", "temporary", "app", "api-free", "api-temporary"]
)
def test_every_good_kind_of_token_may_call_the_driver(puter: Puter, kind: str) -> None:
    assert puter.said(kind=kind) == "amber kettle 42"


@strict
def test_whoami_says_whose_token_it_is(puter: Puter) -> None:
    def asked(kind: str) -> Answer:
        headers = {"Authorization": f"Bearer {puter.tokens[kind]}"}
        return puter.send("/whoami", None, headers, "GET")

    said = {kind: asked(kind).body for kind in ("api", "temporary", "email-unconfirmed", "app")}
    assert (said["api"]["is_temp"], said["temporary"]["is_temp"]) == (False, True)
    assert said["temporary"]["uuid"] != said["api"]["uuid"]
    assert said["email-unconfirmed"]["email_confirmed"] is False
    assert said["app"]["app_name"]
    assert [asked(kind).status for kind in ("bad", "forged", "session-expired")] == [401, 401, 401]


# -- limits -----------------------------------------------------------------------------------------------------


@pytest.mark.mock_provider(requests_per_10_seconds=1)
def test_the_rate_is_shared_between_the_routes_and_apart_for_each_method_and_account(puter: Puter) -> None:
    assert puter.chat().status == 200
    refused = puter.wire()
    assert (refused.status, refused.body["code"]) == (429, "too_many_requests")
    assert not [name for name in refused.headers if "retry-after" in name or "ratelimit" in name]
    assert puter.call(method="models").status == 200
    assert puter.call(method="list").status == 200
    assert puter.call(method="models").status == 429
    assert puter.chat(kind="account").status == 200


@pytest.mark.mock_provider(requests_per_10_seconds=2, concurrent_requests=0)
def test_a_request_refused_for_being_one_too_many_at_a_time_spends_the_rate_all_the_same(
    puter: Puter,
) -> None:
    assert [puter.chat().body["error"] for _ in range(3)] == [
        "Too many concurrent requests.",
        "Too many concurrent requests.",
        "Too many requests.",
    ]


@pytest.mark.mock_provider(lists_per_minute=2, whoami_per_minute=1)
def test_lists_and_whoami_have_limits_of_their_own(puter: Puter) -> None:
    lists = [
        puter.send(path, None, {}, "GET").status
        for path in ("/puterai/chat/models", "/puterai/chat/models/details", "/puterai/chat/models")
    ]
    assert lists == [200, 200, 429]
    headers = {"Authorization": f"Bearer {puter.tokens['api']}"}
    assert [puter.send("/whoami", None, headers, "GET").status for _ in range(2)] == [200, 429]


class Core:
    """The mock without sockets, at a time that stands still until it is moved."""

    def __init__(self) -> None:
        keys = make_credentials("us-east-1", os.urandom, forms=KEYS, tokens=TOLD)
        self.tokens = {kind: token for token, kind in keys.puter_tokens.items()}
        self.mock = Mock(SPECS, keys)
        self.now = 1.8e9

    def begin(self, kind: str, **args: Any) -> Iterator[Any]:
        call = {
            "interface": "puter-chat-completion",
            "method": "complete",
            "args": {"messages": [SAY], "model": MAGISTRAL, **args},
            "auth_token": self.tokens[kind],
        }
        headers = (("Content-Type", "application/json"),)
        request = Request("POST", "/puter/drivers/call", headers, json.dumps(call).encode())
        return carry_out(answer(self.mock, request, self.now), self.mock.state)

    def ask(self, kind: str, **args: Any) -> tuple[int, Any]:
        head, *rest = self.begin(kind, **args)
        assert isinstance(head, Head)
        return head.status, json.loads(b"".join(each.data for each in rest if isinstance(each, Send)))


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.mark.parametrize(
    ("kind", "limit"),
    [("account", 200), ("api", 200), ("account-free", 30), ("temporary", 20), ("api-temporary", 20)],
)
def test_the_rate_is_that_of_the_plan(core: Core, kind: str, limit: int) -> None:
    assert [core.ask(kind)[0] for _ in range(limit + 1)] == [200] * limit + [429]
    core.now += 10
    assert core.ask(kind)[0] == 200


@pytest.mark.parametrize(("kind", "limit"), [("account", 20), ("account-free", 3), ("temporary", 2)])
def test_so_many_at_a_time_as_the_plan_allows_and_a_place_is_free_again_when_one_has_ended(
    core: Core, kind: str, limit: int
) -> None:
    open_ones = [core.begin(kind) for _ in range(limit)]
    assert [next(each).status for each in open_ones] == [200] * limit
    status, body = core.ask(kind)
    assert (status, body["error"]) == (429, "Too many concurrent requests.")
    for _ in open_ones.pop():
        pass
    assert core.ask(kind)[0] == 200


# -- money ------------------------------------------------------------------------------------------------------


@pytest.mark.mock_provider(funds_usd_cents=0.02)
def test_money_goes_down_as_tokens_are_used_until_nothing_is_left(puter: Puter) -> None:
    spent, answers = 0.0, []
    for _ in range(12):
        got = puter.chat("Count from 1 to 30.")
        answers.append(got)
        if got.status == 200:
            spent += got.body["result"]["usage"]["usd_cents"]
    statuses = [each.status for each in answers]
    assert statuses == sorted(statuses)
    assert statuses[0] == 200
    last = answers[-1]
    assert (last.status, last.body["code"]) == (402, "insufficient_funds")
    # The last good answer was cut where the money ended: not one token more can be paid.
    assert answers[statuses.count(200) - 1].body["result"]["finish_reason"] == "length"
    assert 0.02 - 0.0021 < spent <= 0.02
    # What is left pays for no other route either; another account has its own.
    assert puter.wire(messages=[{"role": "user", "content": "Count from 1 to 30."}]).status == 402
    assert puter.chat("Count from 1 to 30.", kind="account").status == 200


@pytest.mark.mock_provider(funds_usd_cents=0.02)
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_costs_nothing(puter: Puter, stream: bool) -> None:
    for _ in range(30):
        puter.mock.fail("overloaded")
        assert puter.chat("Count from 1 to 30.", stream=stream).status == 400
    assert puter.chat("Count from 1 to 30.").body["result"]["finish_reason"] == "stop"


@pytest.mark.mock_provider(funds_usd_cents=0.005)
def test_a_scripted_reply_longer_than_the_money_takes_all_of_it(puter: Puter) -> None:
    puter.mock.reply("word " * 1000)
    assert puter.chat(max_tokens=2).status == 200
    assert puter.chat(max_tokens=2).status == 402


@pytest.mark.mock_provider(funds_usd_cents=0.003)
def test_test_mode_costs_nothing_as_documented(puter: Puter) -> None:
    for _ in range(20):
        assert puter.chat(test_mode=True).status == 200


@pytest.mark.mock_provider(reality="observed", funds_usd_cents=0.003)
def test_test_mode_is_billed_as_observed(puter: Puter) -> None:
    assert 402 in [puter.chat(test_mode=True).status for _ in range(20)]


@pytest.mark.mock_provider(funds_usd_cents=0.1)
def test_a_cap_above_what_can_be_paid_is_lowered(puter: Puter) -> None:
    got = puter.chat("Count from 1 to 2000, one number after the other.", max_tokens=131072).body["result"]
    assert got["finish_reason"] == "length"
    assert 0.0985 < got["usage"]["usd_cents"] <= 0.1


def test_a_prompt_is_measured_as_puter_estimates_it(puter: Puter) -> None:
    """Half of characters/4 + words x 4/3: so many short words are more than so many tokens of ours."""
    assert puter.chat("word " * 100_000, max_tokens=8).status == 200
    assert puter.chat("word " * 140_000, max_tokens=8).status == 402
    # One token of 131,072 has to be left for the answer.
    longest = "a" * (131_072 * 8 - 6)
    assert [puter.chat(each, max_tokens=8).status for each in (longest, longest + "a" * 8)] == [200, 402]


def test_the_keys_of_an_older_mock_get_the_kinds_they_lack(tmp_path: Path) -> None:
    running = start(state_dir=tmp_path)
    running.stop()
    path = tmp_path / "keys.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    kept = {kind: stored["puter_tokens"][kind] for kind in ("account", "scoped")}
    del stored["puter_funds"]
    path.write_text(json.dumps({**stored, "puter_tokens": kept}), encoding="utf-8")
    running = start(state_dir=tmp_path)
    running.stop()
    assert running.info["puter_token"] == stored["puter_token"]
    assert {kind: running.info["puter_tokens"][kind] for kind in kept} == kept
    assert {"bad", "forged", "session-expired"} <= set(running.info["puter_tokens"])
    assert running.info["puter_funds"] == {"no-funds": 0}


def test_the_credentials_file_says_what_each_kind_of_token_has_to_spend(tmp_path: Path) -> None:
    start(state_dir=tmp_path).stop()
    path = tmp_path / "keys.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**stored, "puter_funds": {"account": 0}}), encoding="utf-8")
    running = start(state_dir=tmp_path)
    try:
        with urllib3.PoolManager() as pool:
            asked = [
                pool.request(
                    "POST",
                    running.http + "/drivers/call",
                    headers=TYPE,
                    body=json.dumps(
                        {
                            "interface": "puter-chat-completion",
                            "method": "complete",
                            "args": {"messages": [SAY], "model": MAGISTRAL},
                            "auth_token": running.info["puter_tokens"][kind],
                        }
                    ).encode(),
                ).status
                for kind in ("account", "no-funds")
            ]
    finally:
        running.stop()
    assert asked == [402, 200]


@pytest.mark.parametrize(
    ("funds", "message"),
    [
        ([], "expected an object of kind: US cents at 'puter_funds'"),
        ({"king": 1}, "puter_funds: expected kinds out of .*, got 'king'"),
        ({"api": -1}, r"puter_funds\.api: expected US cents, 0 or more, got -1"),
        ({"api": True}, r"puter_funds\.api: expected US cents, 0 or more, got True"),
    ],
)
def test_wrong_funds_in_the_credentials_file_are_told(funds: Any, message: str) -> None:
    keys = to_dict(make_credentials("us-east-1", os.urandom, forms=KEYS, tokens=TOLD))
    with pytest.raises(ValueError, match=message):
        from_dict({**keys, "puter_funds": funds})


# -- as a user sets it up ---------------------------------------------------------------------------------------


def test_env_prints_a_token_of_every_kind_and_the_command_line_sets_the_funds(tmp_path: Path) -> None:
    """`mockserver run` is asked by curl with the money of the command line; `mockserver env` names the kinds."""
    mockserver = [sys.executable, "-m", "mockserver"]
    call = json.dumps(
        {
            "interface": "puter-chat-completion",
            "method": "complete",
            "args": {"messages": [SAY], "model": MAGISTRAL},
        }
    )
    script = (
        f"{shlex.join([*mockserver, 'env', '--state-dir', str(tmp_path)])}; "
        "for each in 1 2 3 4 5 6 7 8; do curl -s -o /dev/null -w '%{http_code}\\n' "
        f'"$PUTER_API_ORIGIN/drivers/call?auth_token=$PUTER_AUTH_TOKEN" -H "Content-Type: {TYPE["Content-Type"]}" '
        f"-d {shlex.quote(call)}; done"
    )
    options = ["--state-dir", str(tmp_path), "--quota", "funds_usd_cents=0.005", "--auth", "strict"]
    done = subprocess.run(
        [*mockserver, "run", *options, "--", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    printed = done.stdout.splitlines()
    statuses = [line for line in printed if re.fullmatch(r"\d{3}", line)]
    assert statuses == sorted(statuses)
    assert (statuses[0], statuses[-1]) == ("200", "402")
    kinds = {line.split()[1] for line in printed if re.fullmatch(r"#   [a-z-]+ +\S+", line)}
    assert {"account", "app", "api-free", "scoped", "no-funds", "bad", "forged"} <= kinds


@pytest.mark.parametrize(
    "wrong", ["requests_per_minute", "=3", "requests_per_minute=many", "requests_per_minute=-1"]
)
def test_a_quota_in_another_form_is_told(wrong: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", "--port", "0", "--tls-port", "0", "--quota", wrong],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "expected ID=LIMIT with a limit of 0 or more (requests_per_minute=3)" in done.stderr


def test_a_quota_that_nobody_has_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected one of the quotas .*funds_usd_cents.*, got 'rpm'"):
        start(state_dir=tmp_path, limits={"rpm": 1})
    with pytest.raises(ValueError, match="requests_per_minute: expected a limit of 0 or more, got -1"):
        start(state_dir=tmp_path, limits={"requests_per_minute": -1})
