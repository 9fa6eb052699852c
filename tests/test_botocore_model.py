"""Our YAML against botocore's service model, member by member.

Everything that differs stands in botocore_differences.yaml with its reason; a difference that is not listed
fails, and so does an entry that is true no more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from conformance.contract import Contract
from conformance.loading import load

MODEL = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")
CONTRACTS = load().contracts
LISTED: Mapping[str, Mapping[str, str]] = yaml.safe_load(
    (Path(__file__).parent / "botocore_differences.yaml").read_text(encoding="utf-8")
)
OPERATIONS = {
    "Converse": "converse",
    "ConverseStream": "converse-stream",
    "InvokeModel": "invoke-model",
    "InvokeModelWithResponseStream": "invoke-model-stream",
    "InvokeModelWithBidirectionalStream": "invoke-model-bidirectional",
    "CountTokens": "count-tokens",
    "ApplyGuardrail": "apply-guardrail",
    "InvokeGuardrailChecks": "invoke-guardrail-checks",
    "StartAsyncInvoke": "start-async-invoke",
    "GetAsyncInvoke": "get-async-invoke",
    "ListAsyncInvokes": "list-async-invokes",
}
TYPES = {
    "structure": ["object"],
    "map": ["object"],
    "list": ["array"],
    "string": ["string"],
    "blob": ["string"],
    "timestamp": ["string"],
    "integer": ["integer"],
    "long": ["integer"],
    "float": ["number"],
    "double": ["number"],
    "boolean": ["boolean"],
}
BOUNDS = {
    "string": ("minLength", "maxLength"),
    "list": ("minItems", "maxItems"),
    "map": ("minProperties", "maxProperties"),
    "integer": ("minimum", "maximum"),
    "long": ("minimum", "maximum"),
    "float": ("minimum", "maximum"),
    "double": ("minimum", "maximum"),
}
"""Words of JSON Schema for the model's min and max. A blob's maximum counts bytes, ours characters of base64."""


ANYTHING = r"[\s\S]*"


def brief(pattern: str | None) -> str:
    """The pattern; of a long one its beginning, and by what it is known when it changes."""
    if pattern is None or len(pattern) <= 60:
        return str(pattern)
    return f"{pattern[:20]}... ({hashlib.sha256(pattern.encode()).hexdigest()[:8]})"


class Walk:
    """One operation, both sides at once. `differences` are told as (shape, what)."""

    def __init__(self, operation: OperationModel, contract: Contract) -> None:
        self.operation, self.contract = operation, contract
        self.members = 0
        self.walked: set[tuple[str, str]] = set()

    def differences(self) -> Iterator[tuple[str, str]]:
        yield from self._path()
        yield from self._input()
        yield from self._output()
        yield from self._errors()

    def _path(self) -> Iterator[tuple[str, str]]:
        http = self.operation.http
        asked = {"method": http["method"], "path": http["requestUri"], "status": http["responseCode"]}
        ours = {
            "method": self.contract.method,
            "path": self.contract.request["paths"][0],
            "status": self.contract.response["status"],
        }
        if asked != ours:
            yield self.operation.name, f"botocore {asked}, ours {ours}"

    def _input(self) -> Iterator[tuple[str, str]]:
        request = self.contract.request
        body: dict[str, Any] = {}
        shape: Any = self.operation.input_shape
        places: dict[str, Mapping[str, Any]] = {
            "uri": request.get("parameters", {}),
            "header": self._properties(request.get("headers")),
            "querystring": self._properties(request.get("query")),
        }
        found: dict[str, set[str]] = {place: set() for place in places}
        for name, member in shape.members.items():
            where = member.serialization.get("location")
            if where is None:
                body[name] = member
                continue
            called = str(member.serialization["name"])
            called = called.lower() if where == "header" else called
            found[where].add(called)
            yield from self._bound(shape, name, member, places[where], called)
        for where, names in found.items():
            if extra := sorted(set(places[where]) - names):
                yield shape.name, f"{where} members beyond the model: {', '.join(extra)}"
        yield from self._payload(shape, body, request.get("body"))

    def _bound(
        self, shape: Any, name: str, member: Any, ours: Mapping[str, Any], called: str
    ) -> Iterator[tuple[str, str]]:
        self.members += 1
        if called not in ours:
            yield shape.name, f"member missing: {name}"
        else:
            yield from self._compare(member, ours[called])

    def _payload(self, shape: Any, body: Mapping[str, Any], schema: Any) -> Iterator[tuple[str, str]]:
        payload = shape.serialization.get("payload")
        if payload is not None:
            self.members += 1
            kind = "stream of events" if body[payload].serialization.get("eventstream") else "raw body"
            yield shape.name, f"{payload} is a {kind}"
        elif body:
            required = [name for name in shape.required_members if name in body]
            yield from self._structure(shape, body, required, self._resolved(schema))
        elif schema is not None:
            yield shape.name, "no body in the model"

    def _output(self) -> Iterator[tuple[str, str]]:
        shape: Any = self.operation.output_shape
        response = self.contract.response
        headers = self._properties(response.get("headers"))
        body: dict[str, Any] = {}
        for name, member in shape.members.items():
            if member.serialization.get("location") == "header":
                called = str(member.serialization["name"]).lower()
                if called == "content-type":
                    self.members += 1
                    continue
                yield from self._bound(shape, name, member, headers, called)
            else:
                body[name] = member
        stream = next((each for each in body.values() if each.serialization.get("eventstream")), None)
        if stream is None:
            yield from self._payload(shape, body, response.get("body"))
            return
        events = response["events"]
        if missing := sorted(set(stream.members) ^ set(events)):
            yield stream.name, f"events of one side only: {', '.join(missing)}"
        for name, event in stream.members.items():
            self.members += 1
            yield from self._compare(event, events.get(name, {}))

    def _errors(self) -> Iterator[tuple[str, str]]:
        ours = self.contract.failures.values()
        modelled: dict[str, Any] = {shape.name: shape for shape in self.operation.error_shapes}
        for name, shape in modelled.items():
            self.members += 1
            same = [each for each in ours if each.code == name]
            if not same:
                yield self.operation.name, f"error missing: {name}"
            for each in same:
                status = shape.metadata["error"]["httpStatusCode"]
                if each.status != status:
                    yield name, f"status: botocore {status}, ours {each.status} ({each.id})"
                members = {member for member in each.body if member.lower() != "message"}
                if extra := members - set(shape.members):
                    yield name, f"members beyond the model: {', '.join(sorted(extra))}"
        for code in sorted({each.code for each in ours if each.code in MODEL.shape_names} - set(modelled)):
            yield self.operation.name, f"error that the operation does not list: {code}"

    # Shapes

    def _compare(self, shape: Any, schema: Any) -> Iterator[tuple[str, str]]:
        ours = self._resolved(schema)
        key = (shape.name, repr(schema))
        if key in self.walked:
            return
        self.walked.add(key)
        if shape.metadata.get("document") or getattr(shape, "is_document_type", False):
            if set(ours) - {"$comment"}:
                yield shape.name, "a document of any form in the model"
            return
        yield from self._type(shape, ours)
        match shape.type_name:
            case "structure":
                yield from self._structure(shape, shape.members, shape.required_members, ours)
            case "list":
                self.members += 1
                yield from self._compare(shape.member, ours.get("items", {}))
            case "map":
                self.members += 2
                names = {**ours.get("propertyNames", {})}
                yield from self._facts(shape.key, {"type": "string", **names})
                yield from self._compare(shape.value, ours.get("additionalProperties", {}))
        yield from self._facts(shape, ours)

    def _type(self, shape: Any, ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        said = ours.get("type")
        kinds = said if isinstance(said, list) else [said]
        if said is None and ("enum" in ours or "const" in ours):
            kinds = ["string"]
        if kinds != TYPES[shape.type_name]:
            yield shape.name, f"type: botocore {shape.type_name}, ours {said}"

    def _structure(
        self, shape: Any, members: Mapping[str, Any], required: Any, ours: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        properties = ours.get("properties", {})
        if missing := sorted(set(members) - set(properties)):
            yield shape.name, f"members missing: {', '.join(missing)}"
        if extra := sorted(set(properties) - set(members)):
            yield shape.name, f"members beyond the model: {', '.join(extra)}"
        wanted, said = set(required), set(ours.get("required", ()))
        if wanted != said:
            text = f"required: botocore {sorted(wanted)}, ours {sorted(said)}"
            yield shape.name, text
        union = bool(shape.metadata.get("union"))
        one = (ours.get("minProperties"), ours.get("maxProperties")) == (1, 1)
        if union != one:
            yield shape.name, f"union: botocore {union}, ours {one}"
        for name, member in members.items():
            self.members += 1
            if name in properties:
                yield from self._compare(member, properties[name])

    def _facts(self, shape: Any, ours: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Enum, pattern, least and most."""
        listed = list(getattr(shape, "enum", ()) or ())
        said = ours.get("enum", [ours["const"]] if "const" in ours else [])
        if set(listed) != set(said):
            yield shape.name, f"enum: botocore {sorted(listed)}, ours {sorted(said)}"
        pattern, written = shape.metadata.get("pattern"), ours.get("pattern")
        pattern = None if pattern == ANYTHING else pattern
        if pattern is not None or written is not None:
            forms = {None} if pattern is None else {f"^{pattern}$", f"^({pattern})$"}
            if written not in forms:
                yield shape.name, f"pattern: botocore {brief(pattern)}, ours {brief(written)}"
        least, most = BOUNDS.get(shape.type_name, ("minLength", "maxLength"))
        for word, mine in (("min", least), ("max", most)):
            value = shape.metadata.get(word)
            value = None if word == "min" and value == 0 and mine not in ("minimum",) else value
            written = ours.get(mine)
            if shape.type_name == "structure":
                continue
            if value != written:
                yield shape.name, f"{mine}: botocore {value}, ours {written}"

    def _resolved(self, schema: Any) -> Mapping[str, Any]:
        """The schema with its $ref and those beside it followed."""
        ours: dict[str, Any] = dict(schema or {})
        while "$ref" in ours:
            target = self.contract.definition(ours.pop("$ref"))
            ours = {**target, **ours}
        return ours

    def _properties(self, schema: Any) -> Mapping[str, Any]:
        return self._resolved(schema).get("properties", {})  # type: ignore[no-any-return]


def walks() -> dict[str, Walk]:
    return {
        name: Walk(MODEL.operation_model(name), CONTRACTS[f"bedrock-runtime/{ours}"])
        for name, ours in OPERATIONS.items()
    }


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    """What differs, by the shape or operation it differs in."""
    told: dict[str, set[str]] = {}
    for walk in walks().values():
        for where, what in walk.differences():
            told.setdefault(where, set()).add(what)
    return told


def test_every_operation_of_the_model_has_a_contract() -> None:
    assert set(OPERATIONS) == set(MODEL.operation_names)


def test_the_walk_sees_every_member() -> None:
    told = walks()
    for walk in told.values():
        list(walk.differences())
    assert told["Converse"].members > 200
    assert told["ListAsyncInvokes"].members > 20
    assert sum(walk.members for walk in told.values()) > 900


def test_every_difference_is_listed_with_its_reason(found: dict[str, set[str]]) -> None:
    listed = {where: set(each) for where, each in LISTED.items()}
    unlisted = {
        f"{where}: {what}" for where, each in found.items() for what in each - listed.get(where, set())
    }
    assert unlisted == set()


def test_no_listed_difference_is_stale(found: dict[str, set[str]]) -> None:
    stale = {
        f"{where}: {what}" for where, each in LISTED.items() for what in set(each) - found.get(where, set())
    }
    assert stale == set()


def test_every_reason_says_something() -> None:
    assert all(len(reason) > 15 for each in LISTED.values() for reason in each.values())


IDS = {
    "mistral.magistral-small-2509": True,
    "anthropic.claude-3-haiku-20240307-v1:0": True,
    "us.mistral.pixtral-large-2502-v1:0": True,
    "my_model": True,
    "arn:aws:bedrock:us-east-1::foundation-model/mistral.mistral-7b-instruct-v0:2": True,
    "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0": True,
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123": True,
    "arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghijkl": True,
    "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl": True,
    "arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.titan/abcdefghijkl": True,
    "arn:aws:bedrock:us-east-1:123456789012:custom-model-deployment/abcdefghijkl": True,
    "arn:aws:bedrock:us-east-1:123456789012:prompt/ABCDEFGHIJ:3": True,
    "arn:aws:bedrock:us-east-1:123456789012:default-prompt-router/meta.llama:1": True,
    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-endpoint": True,
    "two words": False,
    "a/b": False,
    "arn:aws:s3:::bucket": True,
    "Größe": False,
    "": False,
}
"""Model ids, and whether botocore's pattern takes them whole."""


@pytest.mark.parametrize("shape", ["ConversationalModelId", "InvokeModelIdentifier"])
@pytest.mark.parametrize(("id", "good"), IDS.items())
def test_a_model_id_is_taken_by_both_patterns_or_by_none(shape: str, id: str, good: bool) -> None:
    contract = CONTRACTS["bedrock-runtime/converse"]
    theirs = re.fullmatch(MODEL.shape_for(shape).metadata["pattern"], id) is not None
    assert (theirs, contract.parameters["modelId"].fits(id)) == (good, good)


def test_a_member_that_was_taken_out_would_be_found(found: dict[str, set[str]]) -> None:
    """The walk bites: without a member, an enum value or a bound it tells a difference."""
    whole = CONTRACTS["bedrock-runtime/count-tokens"]
    schema = Walk(MODEL.operation_model("CountTokens"), whole)._resolved(whole.request["body"])
    input_ = {"type": "object", "minProperties": 1, "maxProperties": 1, "properties": {"converse": {}}}
    broken = {**schema, "properties": {"input": input_}}
    said = {**whole.said, "request": {**whole.request, "body": broken}}
    told = set(Walk(MODEL.operation_model("CountTokens"), replace(whole, said=said)).differences())
    assert ("CountTokensInput", "members missing: invokeModel") in told
    assert ("ConverseTokensRequest", "type: botocore structure, ours None") in told
