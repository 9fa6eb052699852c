"""The exported OpenAPI document, read by readers we did not write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from conformance.cli import main
from conformance.documents.library import SPECS
from conformance.loading import load
from conformance.openapi import document, written
from tests.conftest import Example

SPECS_HERE = load()
DOCUMENTS = {name: document(SPECS_HERE, name) for name in [*SPECS_HERE.providers, None]}
NAMES = pytest.mark.parametrize("name", DOCUMENTS, ids=lambda name: name or "all")


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in made["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def fits(made: dict[str, Any], schema: Any, value: Any) -> list[str]:
    """What jsonschema has to say against the value; the document is where $refs point."""
    whole = {**schema, "components": made["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def resolved(made: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What a reference among the responses points to."""
    return made["components"]["responses"][said["$ref"].rpartition("/")[2]] if "$ref" in said else said


@NAMES
def test_it_is_openapi(name: str | None) -> None:
    assert [str(error)[:300] for error in OpenAPIV31SpecValidator(DOCUMENTS[name]).iter_errors()] == []


@NAMES
def test_every_operation_stands_in_it(name: str | None) -> None:
    told = {
        contract: (method, operation)
        for _, method, operation in operations(DOCUMENTS[name])
        for contract in operation["x-conformance-contracts"]
    }
    here = [
        each
        for each in SPECS_HERE.contracts.values()
        if each.provider is not None and not each.abstract and name in (None, each.provider.id)
    ]
    assert set(told) == {each.id for each in here}
    for each in here:
        method, operation = told[each.id]
        assert method == each.method.lower()
        statuses = {each.response["status"], *(failure.status for failure in each.failures.values())}
        assert {str(status) for status in statuses} <= set(operation["responses"])


@NAMES
def test_worked_examples_fit_the_schemas(name: str | None) -> None:
    made = DOCUMENTS[name]
    shown = 0
    for path, method, operation in operations(made):
        answers = [resolved(made, each) for each in operation["responses"].values()]
        for content in [operation.get("requestBody", {}), *answers]:
            for kind, said in content.get("content", {}).items():
                for example, value in said.get("examples", {}).items():
                    shown += 1
                    where = f"{method} {path} {kind} {example}"
                    assert (where, fits(made, said["schema"], value["value"])) == (where, [])
    assert shown or name == "bedrock", "no example was looked at"


@NAMES
def test_no_address_of_a_file_is_left_in_it(name: str | None) -> None:
    text = written(DOCUMENTS[name])
    assert "spec://" not in text and str(SPECS.parent) not in text


def test_plain_and_streamed_answers_are_one_operation() -> None:
    post = DOCUMENTS["openai"]["paths"]["/v1/chat/completions"]["post"]
    assert set(post["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    stream = post["responses"]["200"]["content"]["text/event-stream"]["x-conformance-stream"]
    assert stream["framing"]["done"] == "[DONE]"


def test_a_server_sent_event_is_told_by_its_fields() -> None:
    post = DOCUMENTS["openai"]["paths"]["/v1/responses"]["post"]
    events = post["responses"]["200"]["content"]["text/event-stream"]["schema"]["anyOf"]
    [created] = [each for each in events if each["title"] == "response.created"]
    assert created["properties"]["event"] == {"const": "response.created"}
    assert created["properties"]["data"]["contentMediaType"] == "application/json"
    chunk, end = (
        DOCUMENTS["openai"]["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["content"][
            "text/event-stream"
        ]["schema"]["anyOf"][at]
        for at in (1, 0)
    )
    assert "event" not in chunk["properties"] and end["properties"]["data"] == {"const": "[DONE]"}


def test_a_refusal_names_its_codes() -> None:
    made = DOCUMENTS["openai"]
    refused = resolved(made, made["paths"]["/v1/chat/completions"]["post"]["responses"]["401"])
    schema = refused["content"]["application/json"]["schema"]
    good = {
        "error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    }
    assert fits(made, schema, good) == []
    assert fits(made, schema, {"error": {**good["error"], "code": "rate_limit_exceeded"}})
    assert fits(made, schema, {"message": "no"})


def test_shapes_are_components_and_point_at_each_other() -> None:
    schemas = DOCUMENTS["bedrock-runtime"]["components"]["schemas"]
    messages = schemas["converse.Request"]["properties"]["messages"]
    assert messages["items"] == {"$ref": "#/components/schemas/converse.Message"}


def test_where_unknown_members_are_refused_the_schema_is_closed(example: Example) -> None:
    made = document(example.load(), "parrot")
    [content] = [each["requestBody"]["content"] for _, _, each in operations(made) if "requestBody" in each]
    said = content["application/json"]
    [good, *_] = [each["value"] for each in said["examples"].values()]
    assert fits(made, said["schema"], good) == []
    assert fits(made, said["schema"], {**good, "unheard": 1})


def test_a_closed_object_lists_its_members_itself() -> None:
    schemas = DOCUMENTS["openai"]["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]
    asked = schemas["application/json"]["schema"]
    assert asked["additionalProperties"] is False and set(asked["required"]) == {"model", "messages"}
    assert asked["properties"]["temperature"]["maximum"] == 2


@NAMES
def test_no_member_of_an_object_is_without_a_schema_where_one_is_known(name: str | None) -> None:
    def vague(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            if "$ref" in value and True in value.get("properties", {}).values():
                yield value["$ref"]
            for each in value.values():
                yield from vague(each)
        elif isinstance(value, list):
            for each in value:
                yield from vague(each)

    assert list(vague(DOCUMENTS[name])) == []


@NAMES
def test_operations_on_one_thing_share_one_tag(name: str | None) -> None:
    made = DOCUMENTS[name]
    tags = {path: set(said["tags"]) for path, _, said in operations(made)}
    assert all(len(each) == 1 for each in tags.values())
    assert {tag["name"] for tag in made["tags"]} == set().union(*tags.values())
    assert len(made["tags"]) <= len(tags)


def test_an_operation_is_named_after_its_plain_answer() -> None:
    look = DOCUMENTS["openai"]["paths"]["/v1/responses/{response_id}"]["get"]
    assert (look["operationId"], look["tags"]) == ("responses-retrieve", ["responses"])


def test_the_document_is_the_same_in_every_process() -> None:
    texts = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "conformance", "export", "openapi", "--provider", "openai"]
        made = subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=120
        )
        texts.append(made.stdout)
    assert texts[0] == texts[1]


def test_credentials_are_told_where_they_stand() -> None:
    mantle = DOCUMENTS["bedrock-mantle"]
    assert mantle["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    security = mantle["paths"]["/v1/models"]["get"]["security"]
    assert {name for each in security for name in each} == {"bearer", "sigv4"}


def test_the_address_has_the_region_in_it() -> None:
    [server] = DOCUMENTS["bedrock-mantle"]["servers"]
    assert server["url"].replace("{region}", server["variables"]["region"]["default"]).startswith("https://")
    assert "us-east-1" in server["variables"]["region"]["enum"]


def test_all_of_them_stand_under_the_prefixes_of_the_mock() -> None:
    paths = DOCUMENTS[None]["paths"]
    for provider in SPECS_HERE.providers.values():
        assert any(path.startswith(provider.prefix + "/") for path in paths), provider.id


def test_a_provider_of_your_own_is_written_too(example: Example) -> None:
    made = document(example.load(), "parrot")
    assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []
    assert any(name.startswith("parrot.") for name in made["components"]["schemas"])


class TestCommand:
    @pytest.mark.parametrize("name", ["mantle.json", "mantle.yaml"])
    def test_writes_a_file(self, name: str, tmp_path: Path) -> None:
        assert main(["export", "openapi", "--provider", "bedrock-mantle", "-o", str(tmp_path / name)]) == 0
        text = (tmp_path / name).read_text(encoding="utf-8")
        read = json.loads(text) if name.endswith("json") else yaml.safe_load(text)
        assert read == document(load(), "bedrock-mantle")

    def test_prints_without_a_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["export", "openapi", "--provider", "mistral"]) == 0
        assert json.loads(capsys.readouterr().out) == document(load(), "mistral")

    def test_names_the_providers_there_are(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["export", "openapi", "--provider", "opnai"]) == 2
        assert "expected one of bedrock, bedrock-mantle" in capsys.readouterr().err

    def test_a_file_that_cannot_be_written_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert (
            main(["export", "openapi", "--provider", "mistral", "-o", str(tmp_path / "no" / "x.json")]) == 2
        )
        assert "expected a file that can be written" in capsys.readouterr().err


def test_what_holds_for_some_models_only_is_told() -> None:
    chat = DOCUMENTS["openai"]["paths"]["/v1/chat/completions"]["post"]
    [own] = [
        each
        for each in SPECS_HERE.contracts["openai/chat-completions"].said["by_model"].values()
        if "no-chat-model" in each.get("errors", {})
    ]
    assert f"Models whose id matches `{own['models']}` differ: errors." in chat["description"]
    assert "- no-chat-model." in resolved(DOCUMENTS["openai"], chat["responses"]["404"])["description"]
