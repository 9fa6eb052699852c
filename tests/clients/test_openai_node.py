"""openai-node at two providers of the OpenAI family: OpenAI itself and bedrock-mantle.

test_node.py holds what it does at bedrock-mantle by the environment alone; here is the rest of it: structured
output by its zod helpers, what is kept, streams left in the middle, the class of each error.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from conformance.loading import load
from conformance.probes.picture import draw

Run = Callable[..., dict[str, Any]]

TEXT = "Grüße aus Zürich: 量子 🙂, and a plain end."
CITY = {"city": "Zürich", "population": 436_551, "river": None}
COUNTING = "Count from 1 to 900, one number after the other, separated by spaces."
PICTURE = "data:image/png;base64," + base64.b64encode(draw("K7Q2")).decode()
WHICH_CODE = "Which code is drawn in this picture? Answer with the code only."
CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
"""What openai-node raises for a status; other 4xx are a plain APIError, 5xx an InternalServerError."""
CONTRACTS = load().contracts
PROVIDERS = {"openai": "gpt-4o-mini", "bedrock-mantle": ""}
"""Providers, and the model to ask; the mock's own where none is named."""


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def run(node: Any, mock_provider: Any, provider: str) -> Run:
    """Runs cases at the provider; each that did not throw gives its value."""

    def run(*cases: str, **changes: str) -> dict[str, Any]:
        environment = {
            "OPENAI_BASE_URL": mock_provider.url(provider) + "/v1",
            "PROBE_MODEL": PROVIDERS[provider] or mock_provider.model,
            **changes,
        }
        outcomes = node.run("openai_family_probe.mjs", *cases, **environment)
        return {name: value_of(outcome) for name, outcome in outcomes.items()}

    return run


def value_of(outcome: Mapping[str, Any]) -> Any:
    assert outcome["outcome"] == "resolved", outcome
    return outcome["value"]


def test_what_a_zod_schema_asks_for_comes_parsed(run: Run, mock_provider: Any) -> None:
    cases = [
        "chat, parsed",
        "chat, parsed from a stream",
        "responses, parsed",
        "responses, parsed from a stream",
    ]
    for _ in cases:
        mock_provider.reply(json.dumps(CITY))
    read = run(*cases)
    assert read["chat, parsed"]["parsed"] == CITY
    assert read["chat, parsed from a stream"]["message"]["parsed"] == CITY
    assert read["chat, parsed from a stream"]["snapshots"] > 3
    assert read["responses, parsed"] == read["responses, parsed from a stream"] == CITY


def test_what_the_mock_makes_up_for_a_zod_schema_passes_its_parser(run: Run) -> None:
    read = run("chat, parsed", "responses, parsed", PROBE_PROMPT="Which city is the largest of Switzerland?")
    for parsed in (read["chat, parsed"]["parsed"], read["responses, parsed"]):
        assert set(parsed) == set(CITY)
        assert isinstance(parsed["population"], int)


def test_two_choices_are_two_answers_also_in_a_stream(run: Run) -> None:
    read = run("chat, two choices", "chat, two choices streamed")
    for completion in read.values():
        assert [choice["index"] for choice in completion["choices"]] == [0, 1]
        contents = [choice["message"]["content"] for choice in completion["choices"]]
        assert contents == ["amber kettle 42"] * 2


def test_a_picture_is_looked_at(run: Run) -> None:
    read = run("chat, picture", "responses, picture", PROBE_PROMPT=WHICH_CODE, PROBE_PICTURE=PICTURE)
    assert "K7Q2" in read["chat, picture"]["choices"][0]["message"]["content"]
    assert "K7Q2" in read["responses, picture"]


def test_the_tool_runner_runs_a_tool_out_of_a_stream(run: Run) -> None:
    ran = run("chat, tools run in a stream")["chat, tools run in a stream"]
    assert ran["asked"] == [{"city": "Paris"}]
    assert "sunny, 21 degrees in Paris" in ran["text"]


def test_the_accumulator_of_responses_joins_a_function_call(run: Run) -> None:
    streamed = run("responses, tool streamed")["responses, tool streamed"]
    [call] = [item for item in streamed["response"]["output"] if item["type"] == "function_call"]
    assert json.loads(call["arguments"]) == json.loads(streamed["fragments"]) == {"city": "Paris"}


def test_a_response_that_is_cut_off_is_incomplete(run: Run) -> None:
    response = run("responses, cut off", PROBE_PROMPT=COUNTING)["responses, cut off"]
    assert (response["status"], response["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    assert response["usage"]["output_tokens"] == 16


def test_a_response_goes_on_from_an_earlier_one(run: Run) -> None:
    assert "PELICAN7" in run("responses, continued")["responses, continued"]


def test_a_response_is_kept_until_it_is_deleted(run: Run) -> None:
    kept = run("responses, kept")["responses, kept"]
    assert kept["found"]["id"] == kept["made"]["id"]
    assert kept["found"]["output"] == kept["made"]["output"]
    assert kept["gone"]["class"] == "NotFoundError"


def test_a_response_in_the_background_is_waited_for_or_cancelled(run: Run) -> None:
    read = run("responses, in the background", "responses, cancelled")
    waited = read["responses, in the background"]
    assert waited["began"] in ("queued", "in_progress")
    assert waited["response"]["output_text"] == "amber kettle 42"
    assert read["responses, cancelled"]["status"] in ("cancelled", "completed")


@pytest.mark.parametrize("provider", ["openai"], indirect=True)
def test_what_openai_keeps_is_listed_page_by_page(run: Run) -> None:
    items = run("responses, items of the input")["responses, items of the input"]
    assert [item["content"][0]["text"] for item in items] == ["My name is Ada.", "What is my name?"]


@pytest.mark.parametrize("provider", ["openai"], indirect=True)
def test_a_conversation_remembers(run: Run) -> None:
    talk = run("conversation")["conversation"]
    assert "PELICAN7" in talk["text"]
    assert talk["roles"] == ["user", "assistant"] * 2
    assert talk["deleted"]["deleted"] is True


@pytest.mark.parametrize("provider", ["openai"], indirect=True)
def test_a_stored_completion_is_found_updated_and_deleted(run: Run) -> None:
    stored = run("chat, stored")["chat, stored"]
    assert stored["found"]["choices"] == stored["made"]["choices"]
    assert (stored["found"]["metadata"], stored["updated"]["metadata"]) == (
        {"of": "probe"},
        {"of": "another"},
    )
    assert [message["content"] for message in stored["asked"]] == ["Reply with exactly: amber kettle 42"]
    assert stored["deleted"]["deleted"] is True


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_a_stream_may_be_left_in_the_middle(run: Run, api: str) -> None:
    left = run(f"{api}, aborted", PROBE_PROMPT=COUNTING)[f"{api}, aborted"]
    # What had arrived when it was left is still handed out; the whole answer is more than 900 parts.
    assert 3 <= left.pop("received") < 900
    assert left == {"aborted": True, "error": None, "after": 1}


def test_a_request_that_is_aborted_first_is_never_sent(node: Any, mock_provider: Any) -> None:
    environment = {"OPENAI_BASE_URL": mock_provider.url("openai") + "/v1", "PROBE_MODEL": "gpt-4o-mini"}
    outcome = node.run("openai_family_probe.mjs", "aborted before an answer", **environment)
    assert outcome["aborted before an answer"]["error"]["class"] == "APIUserAbortError"
    assert mock_provider.journal == []


def test_each_error_is_raised_as_the_class_of_its_status(run: Run, mock_provider: Any, provider: str) -> None:
    failures = list(CONTRACTS[f"{provider}/chat-completions"].failures.values())
    for failure in failures:
        mock_provider.fail(failure.id)
    raised = run("errors", PROBE_TIMES=str(len(failures)))["errors"]
    for failure, error in zip(failures, raised, strict=True):
        fallback = "InternalServerError" if failure.status >= 500 else "APIError"
        assert (error["status"], error["class"]) == (failure.status, CLASSES.get(failure.status, fallback))
        assert error["classes"].count("APIError") == 1
        assert error.get("code") == failure.code
        assert "{" not in error["message"].replace("ErrorEvent { error: APIError {", "")


def test_an_error_inside_a_response_stream_reaches_the_program(run: Run, mock_provider: Any) -> None:
    mock_provider.fail("throttling", after_events=4)
    seen = run("error in a responses stream")["error in a responses stream"]
    assert seen["received"][:2] == ["response.created", "response.in_progress"]
    assert seen["error"] is not None or seen["received"][-1] in ("error", "response.failed")
