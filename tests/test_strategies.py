"""Bodies drawn from the contracts are what the judge, botocore and the OpenAI package take for valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from conformance.exchange import Request
from conformance.judge import judge_request
from conformance.loading import load
from conformance.strategies import requests

SPECS = load()
WITH_BODY = [
    each.id for each in SPECS.contracts.values() if not each.abstract and each.request_shape is not None
]


def drawn(contract: str, number: int) -> list[dict[str, Any]]:
    """So many bodies, the same each time."""
    found: list[dict[str, Any]] = []

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests(contract))
    def collect(body: dict[str, Any]) -> None:
        found.append(body)

    collect()
    return found


@pytest.mark.parametrize("contract", WITH_BODY)
def test_what_is_drawn_is_judged_right(contract: str) -> None:
    bodies = drawn(contract, 10)
    assert len({repr(each) for each in bodies}) > 1
    asked = Request("POST", "/", ())
    for body in bodies:
        found = judge_request(SPECS.contracts[contract], asked, body, {})
        assert [each for each in found if not each.at.startswith("headers:")] == []


@pytest.mark.parametrize("contract", ["bedrock-runtime/converse", "bedrock-mantle/chat-completions"])
def test_what_is_drawn_answers_to_no_other_contract_at_the_same_path(contract: str) -> None:
    found = SPECS.contracts[contract]
    assert found.provider is not None
    for body in drawn(contract, 10):
        for other in SPECS.of(found.provider.id):
            if other.when is not None and set(other.request["paths"]) & set(found.request["paths"]):
                assert other.when.mismatches(body)


@pytest.mark.parametrize(
    ("contract", "operation"),
    [
        ("bedrock-runtime/converse", "Converse"),
        ("bedrock-runtime/converse-stream", "ConverseStream"),
        ("bedrock-runtime/count-tokens", "CountTokens"),
        ("bedrock-runtime/apply-guardrail", "ApplyGuardrail"),
    ],
)
def test_botocore_takes_what_is_drawn(contract: str, operation: str) -> None:
    from botocore.session import get_session
    from botocore.validate import ParamValidator

    shape = get_session().get_service_model("bedrock-runtime").operation_model(operation).input_shape
    assert shape is not None
    path = {"modelId": "m", "guardrailIdentifier": "g", "guardrailVersion": "1"}
    known = {name: value for name, value in path.items() if name in getattr(shape, "members", ())}
    for body in drawn(contract, 30):
        report = ParamValidator().validate({**known, **body}, shape)
        assert not report.has_errors(), report.generate_report()


def test_the_openai_package_takes_what_is_drawn_for_chat_completions() -> None:
    from openai.types.chat import completion_create_params as params
    from pydantic import TypeAdapter

    takes = TypeAdapter(params.CompletionCreateParamsNonStreaming)
    for body in drawn("bedrock-mantle/chat-completions", 30):
        _walk(takes.validate_python(body))


def test_the_openai_package_takes_what_is_drawn_for_responses() -> None:
    from openai.types.responses import response_create_params as params
    from pydantic import TypeAdapter

    takes = TypeAdapter(params.ResponseCreateParamsNonStreaming)
    for body in drawn("bedrock-mantle/responses", 30):
        # The shape takes every type that OpenAPI lists there; the package's union has fewer.
        body.pop("tool_choice", None)
        _walk(takes.validate_python(body))


def _walk(value: Any) -> None:
    """Looks at everything: an Iterable is validated when it is read."""
    if isinstance(value, Mapping):
        for each in value.values():
            _walk(each)
    elif hasattr(value, "__iter__") and not isinstance(value, str | bytes):
        for each in value:
            _walk(each)


def test_the_model_is_the_one_that_is_asked_for() -> None:
    bodies: list[Any] = []

    @settings(max_examples=5, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(requests("openai/chat-completions", model="another"))
    def collect(body: Any) -> None:
        bodies.append(body["model"])

    collect()
    assert set(bodies) == {"another"}


def test_a_contract_that_is_not_there_is_told_with_the_closest() -> None:
    with pytest.raises(KeyError, match="closest: bedrock-runtime/converse"):
        requests("bedrock-runtime/convers")


def test_an_operation_without_a_body_has_no_strategy() -> None:
    with pytest.raises(KeyError, match="have no body"):
        requests("bedrock-mantle/models")
