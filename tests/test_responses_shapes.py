"""Answers and events of Responses that OpenAI's newest types have, and older or other servers send: none is found wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from openai import OpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from conformance.loading import load
from conformance.order import order

CONTRACTS = load().contracts
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
OF_ITEM = {"item_id": "item_1", "output_index": 0}
COMMAND = {"output_index": 0, "command_index": 0}
SHELL = {"stdout": "42\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
NEWEST: Mapping[str, Mapping[str, Any]] = {
    "response.audio.delta": {"delta": "AAAA"},
    "response.audio.done": {},
    "response.audio.transcript.delta": {"delta": "Hello"},
    "response.audio.transcript.done": {},
    "response.shell_call_command.added": {**COMMAND, "command": ""},
    "response.shell_call_command.delta": {**COMMAND, "delta": "ls", "obfuscation": "aB"},
    "response.shell_call_command.done": {**COMMAND, "command": "ls"},
    "response.shell_call_output_content.delta": {**OF_ITEM, "command_index": 0, "delta": {"stdout": "42"}},
    "response.shell_call_output_content.done": {**OF_ITEM, "command_index": 0, "output": [SHELL]},
    "response.compaction.compacting": OF_ITEM,
    "response.custom_tool_call_input.delta": {**OF_ITEM, "delta": "print"},
    "response.custom_tool_call_input.done": {**OF_ITEM, "input": "print(42)"},
    "response.code_interpreter_call_code.done": {**OF_ITEM, "code": "print(42)"},
    "response.image_generation_call.partial_image": {
        **OF_ITEM,
        "partial_image_index": 0,
        "partial_image_b64": "AAAA",
        "size": "1024x1024",
    },
}
CHOICES: tuple[Any, ...] = (
    "required",
    {"type": "function", "name": "get_weather"},
    {"type": "mcp", "server_label": "files", "name": None},
    {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
    *(
        {"type": word}
        for word in (
            "web_search_preview_2025_03_11",
            "computer",
            "computer_use",
            "computer_use_preview",
            "programmatic_tool_calling",
            "apply_patch",
            "shell",
        )
    ),
)
ITEMS: tuple[Mapping[str, Any], ...] = (
    {"type": "web_search_call", "id": "ws_1", "status": "in_progress"},
    {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "f", "input": "a", "status": "completed"},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAAB"},
    {"type": "acme:search", "whatever": 1},
    {"type": "orchid_call", "id": "oc_1"},
)  # fmt: skip
WRONG: tuple[Mapping[str, Any], ...] = (
    {"type": "web_search_call", "id": "ws_1"},
    {"type": "mcp_call", "id": "mcp_1", "server_label": "files", "arguments": "{}"},
    {"type": "shell_call", "call_id": "call_1", "status": "completed", "action": {"commands": []}},
)


def event(kind: str) -> dict[str, Any]:
    return {"type": kind, "sequence_number": 3, **NEWEST[kind]}


@pytest.mark.parametrize("kind", NEWEST)
@pytest.mark.parametrize("contract", ["openai/responses-stream", "openai/responses-resume"])
def test_an_event_of_the_newest_types_is_not_found_wrong(contract: str, kind: str) -> None:
    read = EVENTS.validate_python(event(kind))
    assert read.type == kind
    assert list(CONTRACTS[contract].event_shapes[kind].mismatches(event(kind))) == []


@pytest.mark.parametrize("kind", [kind for kind, members in NEWEST.items() if members])
def test_an_event_that_lacks_a_member_is_found_wrong(kind: str) -> None:
    bare = {"type": kind, "sequence_number": 3}
    assert list(CONTRACTS["openai/responses-stream"].event_shapes[kind].mismatches(bare)) != []


@pytest.mark.parametrize("kind", NEWEST)
def test_an_item_may_be_told_by_any_of_them(kind: str) -> None:
    named = [
        "response.created",
        "response.output_item.added",
        kind,
        "response.output_item.done",
        "response.completed",
    ]
    assert list(order(CONTRACTS["openai/responses-stream"].response["order"]).walk(named)) == []
    assert list(order(CONTRACTS["openai/responses-resume"].response["order"]).walk(named)) == []


@pytest.mark.parametrize(
    "contract",
    ["bedrock-mantle/responses-stream", "open-responses/responses-stream", "openai/responses-stream"],
)
def test_the_input_of_a_custom_tool_has_its_place_in_a_stream(contract: str) -> None:
    said = CONTRACTS[contract].response
    named = [
        "response.created",
        "response.output_item.added",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(named) <= set(said["events"])
    assert list(order(said["order"]).walk(named)) == []


def response(**members: Any) -> dict[str, Any]:
    """An answer with no more than the newest types and the document want, and these members."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5.6",
        "status": "completed",
        "output": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1,
        "usage": None,
        **members,
    }


def mismatches(**members: Any) -> list[str]:
    shape = CONTRACTS["openai/responses"].response_shape
    assert shape is not None
    return [str(each) for each in shape.mismatches(response(**members))]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_choice_that_may_be_asked_for_may_be_repeated(choice: Any) -> None:
    assert mismatches(tool_choice=choice) == []
    assert Response.model_validate(response(tool_choice=choice)).tool_choice is not None


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: str(item["type"]))
def test_an_item_of_a_tool_is_not_found_wrong(item: Mapping[str, Any]) -> None:
    assert mismatches(output=[item]) == []


@pytest.mark.parametrize("item", WRONG, ids=lambda item: str(item["type"]))
def test_an_item_of_a_hosted_tool_is_looked_into(item: Mapping[str, Any]) -> None:
    assert mismatches(output=[item]) != []


def test_what_moderation_and_tools_used_say_is_looked_into() -> None:
    result = {
        "type": "moderation_result",
        "model": "omni-moderation-latest",
        "flagged": False,
        "categories": {"violence": False},
        "category_applied_input_types": {"violence": ["text"]},
        "category_scores": {"violence": 0.01},
    }
    error = {"type": "error", "code": "server_error", "message": "Not now"}
    assert mismatches(moderation={"input": result, "output": error}, tool_usage=None) == []
    assert mismatches(moderation={"input": result}) != []
    assert mismatches(tool_usage={"web_search": {"num_requests": 1}}) != []


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ({"id": "call_1", "type": "custom", "custom": {"name": "f", "input": "a"}}, True),
        ({"id": "call_1", "function": {"name": "f", "arguments": "{}"}}, True),
        ({"id": "call_1", "type": "custom", "function": {"name": "f", "arguments": "{}"}}, False),
        ({"id": "call_1", "type": "function", "custom": {"name": "f", "input": "a"}}, False),
    ],
)
def test_a_custom_call_needs_no_function_at_whoever_is_compatible(call: Any, right: bool) -> None:
    shape = CONTRACTS["openai-compatible/chat-completions"].response_shape
    assert shape is not None
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
    }
    assert (list(shape.mismatches(answer)) == []) == right


@pytest.mark.parametrize(
    ("contract", "refused"), [("openai/responses", False), ("open-responses/responses", True)]
)
def test_only_open_responses_has_a_minimum_for_calls_of_tools(contract: str, refused: bool) -> None:
    shape = CONTRACTS[contract].request_shape
    assert shape is not None
    asked = {"model": "gpt-4o-mini", "input": "Hello", "max_tool_calls": 0}
    assert bool(list(shape.mismatches(asked))) == refused


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-mini"),
        ("bedrock-mantle", "mistral.magistral-small-2509"),
        ("open-responses", "mock-8b"),
    ],
)
@pytest.mark.parametrize("word", ["web_search_preview_2025_03_11", "computer", "programmatic_tool_calling"])
def test_the_mock_repeats_a_choice_in_its_own_shape(
    mock_provider: Any, provider: str, model: str, word: str
) -> None:
    choice: Any = {"type": word}
    tools: Any = [choice]
    with OpenAI(base_url=mock_provider.url(provider) + "/v1", api_key="sk-mock", max_retries=0) as client:
        made = client.responses.with_raw_response.create(
            model=model, input="Hello", tools=tools, tool_choice=choice
        )
    answer = made.http_response.json()
    assert answer["tool_choice"] == choice
    shape = CONTRACTS[f"{provider}/responses"].response_shape
    assert shape is not None
    assert [str(each) for each in shape.mismatches(answer)] == []
