"""The fuzzer of `tests/fuzz.py`, a little of it; and that it can find something."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.exchange import Request
from conformance.loading import load
from conformance.openapi import document
from mockserver.embedded import start, without_sockets

SPECS = load()
ALL = "*"


def _fuzz() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).with_name("fuzz.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules["fuzz"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = _fuzz()


@pytest.mark.parametrize("seed", [1, 2])
def test_spoilt_requests_get_documented_answers(seed: int) -> None:
    outcome = fuzz.ask_in_process(SPECS, 1500, seed, ALL)
    assert outcome.faults == {}
    assert len(outcome.refused) > 8, "the requests are no longer spoilt in many ways"


def test_spoilt_streams_are_read_or_reported() -> None:
    outcome = fuzz.read_broken_streams(SPECS, 3000, 1, ALL)
    assert outcome.faults == {}
    assert outcome.statuses["reported"] > 1000


def test_spoilt_bytes_on_a_socket_get_an_answer_or_an_end(caplog: pytest.LogCaptureFixture) -> None:
    running = start()
    try:
        with caplog.at_level(logging.INFO):
            outcome = fuzz.ask_over_sockets(running.http, running.info, SPECS, 200, 1, ALL)
    finally:
        running.stop()
    assert outcome.faults == {}
    assert [record for record in caplog.records if record.exc_info] == []
    assert outcome.statuses["200"] > 20 and outcome.statuses["400"] > 20


def test_a_mock_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("planted")

    monkeypatch.setattr(fuzz, "answer", broken)
    outcome = fuzz.ask_in_process(SPECS, 5, 1, ALL)
    assert [each for each in outcome.faults if "planted" in each]


def test_an_answer_that_no_contract_documents_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "documented", lambda *_: {299})
    assert fuzz.ask_in_process(SPECS, 5, 1, ALL).faults


FAMILY = ["openai", "bedrock-mantle", "mistral", "open-responses", "openai-compatible"]


@pytest.mark.parametrize("provider", FAMILY)
def test_what_is_drawn_from_the_openapi_document_is_answered_as_it_says(provider: str) -> None:
    said = document(SPECS, provider)
    outcome = fuzz.ask_from_document(SPECS, said, 250, 1, SPECS.providers[provider].prefix)
    assert outcome.faults == {}
    assert outcome.statuses["200"] > 10, "the requests are spoilt beyond use"
    assert len(outcome.refused) > 4, "the requests are no longer spoilt in many ways"


class TestFromADocument:
    """What the mode finds, each planted."""

    @pytest.fixture
    def said(self) -> dict[str, Any]:
        made = document(SPECS, "openai")
        made["paths"] = {path: item for path, item in made["paths"].items() if path == "/v1/chat/completions"}
        return made

    def faults(self, said: dict[str, Any]) -> str:
        outcome = fuzz.ask_from_document(SPECS, said, 150, 1, SPECS.providers["openai"].prefix)
        return "\n".join(outcome.faults)

    def test_a_status_that_is_not_promised(self, said: dict[str, Any]) -> None:
        for item in said["paths"].values():
            for operation in item.values():
                del operation["responses"]["400"]
        assert "status 400 is none of" in self.faults(said)

    def test_a_refusal_without_a_promised_member(self, said: dict[str, Any]) -> None:
        for each in said["components"]["responses"].values():
            for content in each["content"].values():
                content["schema"] = {"allOf": [content["schema"], {"required": ["planted"]}]}
        assert "not of its schema: {error}" in self.faults(said)

    def test_an_answer_without_a_promised_header(self, said: dict[str, Any]) -> None:
        answer = said["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]
        answer["headers"]["x-planted"] = {"required": True, "schema": {}}
        assert "without the header x-planted" in self.faults(said)

    def test_an_event_of_another_shape(self, said: dict[str, Any]) -> None:
        answer = said["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]
        answer["content"]["text/event-stream"]["schema"] = {"required": ["planted"]}
        assert "chat-completions: 200: not of its schema: event" in self.faults(said)

    def test_a_body_that_is_taken_though_the_document_refuses_it(self, said: dict[str, Any]) -> None:
        body = said["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]
        body["schema"] = {"allOf": [body["schema"], {"required": ["planted"]}]}
        assert "200 to a body that the document refuses" in self.faults(said)


FOUND = {
    "null is an object": ("POST", "/openai-com/v1/conversations", b"null", 400),
    "an item that is nothing to keep": (
        "POST",
        "/openai-com/v1/conversations",
        b'{"items": [{"type": "compaction_trigger"}]}',
        400,
    ),
    "no body is an object without members": ("POST", "/openai-com/v1/conversations", b"", 200),
    "a number where nobody reads a body": ("GET", "/openai-com/v1/responses/hello?stream=true", b"0", 404),
    "as many answers as there are no computers for": (
        "POST",
        "/mistral-ai/v1/chat/completions",
        b'{"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}], "n": 9007199254740993}',
        422,
    ),
    "a tool of OpenAI's that Mistral has not": (
        "POST",
        "/mistral-ai/v1/chat/completions",
        b'{"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hi"}],'
        b' "tools": [{"type": "custom", "custom": {"name": "x"}}]}',
        422,
    ),
}


def test_a_null_in_a_member_of_the_request_says_nothing() -> None:
    made = without_sockets()
    headers = (("Authorization", f"Bearer {made.info['bearer']}"), ("Content-Type", "application/json"))
    body = b'{"model": "gpt-5-nano", "input": "Hi", "text": {"verbosity": null}}'
    _, answer = fuzz._carried_out(made.mock, Request("POST", "/open-responses/v1/responses", headers, body))
    assert json.loads(answer)["text"]["verbosity"] == "medium"


@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_once_is_not_there_any_more(what: str) -> None:
    method, target, body, status = FOUND[what]
    made = without_sockets()
    headers = (("Authorization", f"Bearer {made.info['bearer']}"), ("Content-Type", "application/json"))
    head, _ = fuzz._carried_out(made.mock, Request(method, target, headers, body))
    assert head.status == status
