"""Every member of every request that botocore models: taken as it should be, refused as it should not.

The requests are made from botocore's service model, so a member that appears there is asked for here
without anybody writing a test; docs/coverage.md lists them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.test_botocore_model import CONTRACTS, MODEL, OPERATIONS

SAMPLES = {
    "AccountId": "123456789012",
    "AsyncInvokeIdentifier": "amazon.nova-reel-v1:1",
    "AutomatedReasoningRuleIdentifier": "abcdefghijkl",
    "ConversationalModelId": "mistral.magistral-small-2509",
    "FoundationModelVersionIdentifier": "anthropic.claude-haiku",
    "GuardrailIdentifier": "mockwords001",
    "GuardrailVersion": "1",
    "InvocationArn": "arn:aws:bedrock:us-east-1:123456789012:async-invoke/abcdefghijkl",
    "InvokeModelIdentifier": "mistral.magistral-small-2509",
    "KmsKeyId": "arn:aws:kms:us-east-1:123456789012:alias/mine",
    "MimeType": "application/json",
    "RequestMetadataJson": '{"team": "a"}',
    "S3Uri": "s3://films-of-mine/a",
    "Timestamp": "2026-11-22T09:32:00Z",
    "ConverseRequestAdditionalModelResponseFieldPathsListMemberString": "/stop_sequence",
    "ConverseStreamRequestAdditionalModelResponseFieldPathsListMemberString": "/stop_sequence",
}
"""Texts for shapes whose pattern `aa` does not fit."""
STRANGE = "\u00fc \u0000;"
UNBOUNDED = {"ResponseStream", "InvokeModelWithBidirectionalStreamInput"}


@dataclass(frozen=True)
class Member:
    """One member of a request, and the way to it from the top."""

    operation: str
    path: tuple[str, ...]
    shape: Any
    required: bool

    @property
    def id(self) -> str:
        return f"{self.operation}/{'/'.join(self.path)}"

    @property
    def place(self) -> str:
        """Where it stands: body, uri, header or querystring; raw for a body that is the vendor's own."""
        top = MODEL.operation_model(self.operation).input_shape.members[self.path[0]]  # type: ignore[union-attr]
        if self.path[0] == MODEL.operation_model(self.operation).input_shape.serialization.get("payload"):  # type: ignore[union-attr]
            return "raw"
        return str(top.serialization.get("location", "body"))

    @property
    def bounds(self) -> str:
        """What the model says of it, for a person."""
        said = {key: self.shape.metadata[key] for key in ("min", "max") if self.shape.metadata.get(key)}
        told = [f"{key} {value}" for key, value in said.items()]
        if getattr(self.shape, "enum", None):
            told.append(f"one of {len(self.shape.enum)}")
        if "pattern" in self.shape.metadata:
            told.append("pattern")
        if self.shape.metadata.get("union"):
            told.append("union")
        return ", ".join([self.shape.type_name, *(["required"] if self.required else []), *told])


def members() -> Iterator[Member]:
    """Every member of every request, top down."""
    for operation in OPERATIONS:
        shape: Any = MODEL.operation_model(operation).input_shape
        yield from _members(operation, (), shape)


def _members(operation: str, path: tuple[str, ...], shape: Any) -> Iterator[Member]:
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        for name, member in shape.members.items():
            if member.serialization.get("eventstream"):
                continue
            here = Member(operation, (*path, name), member, name in shape.required_members)
            yield here
            if here.place != "raw":
                yield from _members(operation, here.path, member)
    elif shape.type_name == "list":
        yield from _members(operation, (*path, "*"), shape.member)
    elif shape.type_name == "map":
        yield from _members(operation, (*path, "*"), shape.value)


def sample(shape: Any, path: tuple[str, ...]) -> Any:
    """The smallest value of `shape` that has what `path` leads to."""
    match shape.type_name:
        case _ if getattr(shape, "is_document_type", False):
            return {"any": ["thing"]}
        case "structure":
            wanted = [*path[:1], *shape.required_members]
            if shape.metadata.get("union"):
                wanted = [*path[:1]] or [next(iter(shape.members))]
            return {
                name: sample(shape.members[name], path[1:] if path[:1] == (name,) else ())
                for name in dict.fromkeys(wanted)
            }
        case "list":
            return [sample(shape.member, path[1:])] * max(1, shape.metadata.get("min", 1))
        case "map":
            return {"a": sample(shape.value, path[1:])}
        case "boolean":
            return True
        case "integer" | "long" | "float" | "double":
            return shape.metadata.get("min", 1)
        case "blob":
            return base64.b64encode(b"some bytes").decode()
    if shape.name in SAMPLES:
        return SAMPLES[shape.name]
    return shape.enum[0] if getattr(shape, "enum", None) else "a" * max(2, shape.metadata.get("min", 0))


def spoilt(shape: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Values that the model does not allow in the place of `value`, each with what it breaks."""
    if getattr(shape, "is_document_type", False) or shape.type_name == "timestamp":
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    match shape.type_name:
        case "structure":
            yield "type", "text"
            for name in shape.required_members:
                yield f"required {name}", {key: each for key, each in value.items() if key != name}
            if shape.metadata.get("union"):
                yield "nothing of a union", {}
                if len(shape.members) > 1:
                    other = next(name for name in shape.members if name not in value)
                    yield "two of a union", {**value, other: sample(shape.members[other], ())}
        case "list":
            yield "type", "text"
            if least:
                yield "min", value[: least - 1]
            if most:
                yield "max", value[:1] * (most + 1)
        case "map":
            yield "type", "text"
            if least:
                yield "min", {}
            if most:
                yield "max", {f"a{number}": value["a"] for number in range(most + 1)}
        case "boolean":
            yield "type", "text"
        case "integer" | "long" | "float" | "double":
            yield "type", "text"
            if least is not None:
                yield "min", least - 1
            if most is not None:
                yield "max", most + 1
        case "blob":
            yield "type", {"no": "text"}
            if least:
                yield "min", ""
        case "string":
            yield "type", {"no": "text"}
            if getattr(shape, "enum", None):
                yield "enum", "zzz"
            if least:
                yield "min", "a" * (least - 1)
            if most and most < 5000:
                yield "max", (value or "a") + "a" * most
            pattern = shape.metadata.get("pattern")
            if pattern and not re.fullmatch(pattern, STRANGE):
                yield "pattern", STRANGE


def put(value: Any, path: tuple[str, ...], new: Any) -> Any:
    """`value` with `new` at `path`."""
    if not path:
        return new
    if path[0] == "*":
        if isinstance(value, list):
            return [put(value[0], path[1:], new), *value[1:]]
        return {key: put(each, path[1:], new) for key, each in value.items()}
    return {**value, path[0]: put(value[path[0]], path[1:], new)}


def get(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = (
            next(iter(value.values() if isinstance(value, dict) else value)) if step == "*" else value[step]
        )
    return value


def whole(member: Member) -> dict[str, Any]:
    """The smallest request, by the model's names, that has the member."""
    shape: Any = MODEL.operation_model(member.operation).input_shape
    value = sample(shape, member.path)
    assert isinstance(value, dict)
    return value


def mismatches(operation: str, value: Mapping[str, Any]) -> list[str]:
    """Where the contract does not take the request."""
    contract = CONTRACTS[f"bedrock-runtime/{OPERATIONS[operation]}"]
    shape: Any = MODEL.operation_model(operation).input_shape
    body, headers, query, found = {}, {}, {}, []
    for name, said in value.items():
        member = shape.members.get(name)
        where = member.serialization.get("location", "body")
        called = member.serialization.get("name", name)
        if where == "uri":
            found += contract.parameters[called].mismatches(said)
        elif where == "header":
            headers[called.lower()] = said
        elif where == "querystring":
            query[called] = said
        else:
            body[name] = said
    if contract.request_headers is not None:
        found += contract.request_headers.mismatches(headers)
    if contract.query is not None:
        found += contract.query.mismatches(query)
    if contract.request_shape is not None and "payload" not in shape.serialization:
        found += contract.request_shape.mismatches(body)
    return [str(each) for each in found]


MEMBERS = [*members()]
ASKED = [pytest.param(each, id=each.id) for each in MEMBERS if each.place != "raw"]


@pytest.mark.parametrize("member", ASKED)
def test_a_member_is_taken_as_modelled_and_refused_otherwise(member: Member) -> None:
    request = whole(member)
    if member.place == "header" and "guardrailIdentifier" in request:
        # In headers a guardrail and its version are named together.
        request["guardrailVersion"] = "1"
    assert mismatches(member.operation, request) == []
    value = get(request, member.path)
    for broken, other in spoilt(member.shape, value):
        assert mismatches(member.operation, put(request, member.path, other)), broken
    if member.required and member.place == "body":
        parent = get(request, member.path[:-1])
        without = {key: each for key, each in parent.items() if key != member.path[-1]}
        assert mismatches(member.operation, put(request, member.path[:-1], without))


def test_the_walk_reaches_the_depths() -> None:
    ids = {each.id for each in MEMBERS}
    assert len(ids) == len(MEMBERS) > 350
    assert "Converse/messages/*/content/*/toolResult/content/*/image/source/s3Location/uri" in ids
    assert "InvokeGuardrailChecks/checks/sensitiveInformation/entities/*/type" in ids
