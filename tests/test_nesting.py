"""JSON by the thousand levels is refused as what nobody can read, over every API, and is no fault of the mock."""

from __future__ import annotations

import json
from typing import Any

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from conformance.nesting import is_deeper

JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def levels(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(levels, inside), default=0)


@given(JSON, st.integers(0, 6))
def test_levels_are_those_of_arrays_and_objects(value: Any, most: int) -> None:
    assert is_deeper(value, most) == (levels(value) > most)


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


def result(value: Any) -> dict[str, Any]:
    call = {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}
    answered = {"toolResult": {"toolUseId": "t", "content": [{"json": value}]}}
    return {
        "messages": [
            {"role": "user", "content": [{"text": "Hello"}]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [answered]},
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
    }


def function(value: Any) -> dict[str, Any]:
    tool = {"type": "function", "function": {"name": "f", "parameters": value}}
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}], "tools": [tool]}


ASKED = {
    "converse": ("bedrock-runtime", "/model/mistral.magistral-small-2509/converse", result),
    "chat": ("openai", "/v1/chat/completions", function),
    "responses": ("openai", "/v1/responses", lambda value: {"model": "gpt-4o-mini", "input": value}),
}


@pytest.mark.parametrize("depth", [300, 990])
@pytest.mark.parametrize("api", ASKED)
def test_a_body_that_is_nested_too_deeply_is_a_bad_request(mock_provider: Any, api: str, depth: int) -> None:
    provider, path, body = ASKED[api]

    def status(value: str) -> int:
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-mock"}
        sent = json.dumps(body("@")).replace('"@"', value)
        answered = urllib3.request("POST", mock_provider.url(provider) + path, body=sent, headers=headers)
        return answered.status

    assert status(nested(depth)) == 400
    if api != "responses":
        assert status(nested(200)) == 200
