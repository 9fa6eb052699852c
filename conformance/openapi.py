"""The contracts as an OpenAPI 3.1 document, for tools that read one: clients' generators, fuzzers, proxies.

    paths       each path of a contract; contracts that share path and method (plain and streamed) are one operation
    request     the shapes with their $refs; where several contracts share an operation, a body is one of theirs
    responses   each status that the contracts name: the answer, a stream as the schema of one event, the refusals;
                a server-sent event as the object of its fields, the data as contentSchema
    components  the shapes of specs/shapes under the names of file and definition: chat.Request
    x-conformance-*   what OpenAPI has no word for: contracts, the order of events, the last message of a stream

What a refusal looks like is read off the bodies of `errors`: the members that each has, and the codes there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance import __version__
from conformance.contract import Contract, Failure, Provider
from conformance.loading import Specs
from conformance.shapes import DRAFT
from conformance.target import UsageError

__all__ = ["OPENAPI", "document", "written"]

OPENAPI = "3.1.1"
LOCAL = "http://127.0.0.1:4010"
"""Where a mock listens that was told nothing."""

CODES = ("code", "type")
"""Members of an error by which clients tell errors apart: their words are listed, others are examples."""

NO_PARAMETERS = ("accept", "content-type", "authorization")
"""Headers that OpenAPI says elsewhere than among the parameters."""

FLAT = frozenset(
    {
        "type",
        "required",
        "properties",
        "patternProperties",
        "additionalProperties",
        "description",
        "$comment",
        "$schema",
    }
)
"""Keywords of a plain object, which can be written out beside others."""

Schema = dict[str, Any]


def document(specs: Specs, provider: str | None = None) -> dict[str, Any]:
    """The document of one provider at its own address, or of all of them as the mock serves them, under prefixes.

    Raises UsageError for a provider that specs/ does not have.
    """
    if provider is not None and provider not in specs.providers:
        raise UsageError(
            f"--provider: expected one of {', '.join(sorted(specs.providers))}, got {provider!r}"
        )
    here = [each for each in specs.providers.values() if provider in (None, each.id) and specs.of(each.id)]
    if not here:
        raise UsageError(f"provider {provider!r} has no operations")
    components = _Components()
    paths: dict[str, dict[str, Any]] = {}
    for each in here:
        for path, item in _paths(specs, each, components, alone=provider is not None).items():
            paths[path] = item
    alone = here[0] if provider is not None else None
    return {
        "openapi": OPENAPI,
        "info": {
            "title": alone.title if alone else "Every provider of specs/, as the mock serves them",
            "version": __version__,
            "description": _source(alone.said["source"]) if alone else "Made from the contracts.",
        },
        "jsonSchemaDialect": DRAFT,
        "servers": [_server(alone)] if alone else [{"url": LOCAL}],
        "tags": [{"name": name} for name in dict.fromkeys(_tags(paths))],
        "paths": paths,
        "components": components.said(),
    }


def written(made: Mapping[str, Any], name: str = "") -> str:
    """The document as text: YAML for a file that is called so, else JSON."""
    if name.endswith((".yaml", ".yml")):
        import yaml

        return yaml.safe_dump(_plain(made), sort_keys=False, allow_unicode=True, width=110)
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """A copy in which no two places share an object: YAML would write an anchor."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _source(said: Mapping[str, Any] | None) -> str:
    return f"Source: {said['text']} ({said['sure']})." if said else ""


def _server(provider: Provider) -> dict[str, Any]:
    url, region = str(provider.said.get("base_url") or LOCAL), provider.said.get("region")
    if "{region}" not in url or not region:
        return {"url": url}
    said = {"default": region["default"], **({"enum": region["all"]} if "all" in region else {})}
    return {"url": url, "variables": {"region": said}}


def _tags(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for item in paths.values():
        for operation in item.values():
            yield from operation["tags"]


# Paths and operations


def _paths(
    specs: Specs, provider: Provider, components: _Components, *, alone: bool
) -> dict[str, dict[str, Any]]:
    """The path items of a provider; templates that differ in the names of their parameters only are one path."""
    operations: dict[tuple[str, str], list[tuple[Contract, str]]] = {}
    templates: dict[str, str] = {}
    for contract in specs.of(provider.id):
        for path in contract.request["paths"]:
            anonymous = re.sub(r"\{\w+\}", "{}", path)
            templates.setdefault(anonymous, path)
            operations.setdefault((anonymous, contract.method), []).append((contract, path))
    found: dict[str, dict[str, Any]] = {}
    named: dict[str, int] = {}
    for (anonymous, method), members in operations.items():
        path = templates[anonymous]
        # An operation is told by its plain answer; the stream is another form of it.
        members.sort(key=lambda member: member[0].streams)
        at = path if alone else provider.prefix + path
        contracts = [contract for contract, _ in members]
        name = contracts[0].id if not alone else contracts[0].id.partition("/")[2]
        named[name] = named.get(name, 0) + 1
        unique = name if named[name] == 1 else f"{name}-{named[name]}"
        found.setdefault(at, {})[method.lower()] = _operation(
            contracts, path, unique.replace("/", "."), components, _tag(provider, path, alone=alone)
        )
    return found


def _tag(provider: Provider, path: str, *, alone: bool) -> str:
    """What operations on one thing share: the first word of the path after its version, if it has one."""
    steps = [step for step in path.split("/") if step and "{" not in step]
    version = next((at for at, step in enumerate(steps) if re.fullmatch(r"v\d+", step)), -1)
    [word, *_] = [*steps[version + 1 :], *steps, "/"]
    return word if alone else f"{provider.id} {word}"


def _operation(
    contracts: Sequence[Contract], path: str, name: str, components: _Components, tag: str
) -> dict[str, Any]:
    first = contracts[0]
    provider = first.provider
    assert provider is not None
    said = [
        f"{each.said['summary']} {_source(each.said.get('source'))} Contract: {each.id}."
        for each in contracts
    ]
    said += [
        f"Models whose id matches `{own['models']}` differ: {', '.join(_told(own))}. {_source(own['source'])}"
        for own in _of_models(contracts)
        if _told(own)
    ]
    made: dict[str, Any] = {
        "operationId": name,
        "summary": first.said["summary"],
        "description": "\n\n".join(said),
        "tags": [tag],
    }
    parameters = [*_path_parameters(contracts, path, components), *_parameters(contracts, components)]
    if parameters:
        made["parameters"] = parameters
    body = _request_body(contracts, components)
    if body is not None:
        made["requestBody"] = body
    made["responses"] = _responses(contracts, components)
    made["security"] = _security(contracts, components)
    made["x-conformance-contracts"] = [each.id for each in contracts]
    return made


def _of_models(contracts: Sequence[Contract]) -> list[Mapping[str, Any]]:
    """What the contracts say of some models only, each once."""
    said: list[Mapping[str, Any]] = []
    for each in contracts:
        said += [own for own in each.said.get("by_model", {}).values() if own not in said]
    return said


def _told(own: Mapping[str, Any]) -> list[str]:
    """The parts of an operation in which some models differ."""
    return [name for name in ("request", "response", "errors") if name in own]


def _path_parameters(
    contracts: Sequence[Contract], path: str, components: _Components
) -> Iterator[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", path)
    for index, name in enumerate(names):
        schemas = []
        for contract in contracts:
            for template in contract.request["paths"]:
                own = re.findall(r"\{(\w+)\}", template)
                if re.sub(r"\{\w+\}", "{}", template) == re.sub(r"\{\w+\}", "{}", path):
                    said = contract.request.get("parameters", {}).get(own[index])
                    schemas.append(
                        {"type": "string", "minLength": 1}
                        if said is None
                        else components.schema(contract, said)
                    )
        yield {"name": name, "in": "path", "required": True, "schema": _any(schemas)}


def _parameters(contracts: Sequence[Contract], components: _Components) -> Iterator[dict[str, Any]]:
    """Query parameters and headers; one that not every contract demands is optional."""
    for place, section in (("query", "query"), ("header", "headers")):
        shapes = [(each, _resolved(each, each.request.get(section))) for each in contracts]
        names = dict.fromkeys(name for _, shape in shapes for name in shape.get("properties", {}))
        for name in names:
            if place == "header" and name.lower() in NO_PARAMETERS:
                continue
            schemas = [
                components.schema(each, shape["properties"][name])
                for each, shape in shapes
                if name in shape.get("properties", {})
            ]
            required = all(name in shape.get("required", ()) for _, shape in shapes)
            yield {"name": name, "in": place, "required": required, "schema": _any(schemas)}


def _resolved(contract: Contract, schema: Any) -> Mapping[str, Any]:
    """The object that lists the members, behind one $ref."""
    if not isinstance(schema, Mapping):
        return {}
    if "$ref" not in schema:
        return schema
    found = contract.definition(schema["$ref"])
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return {
        **found,
        **own,
        "properties": {**found.get("properties", {}), **own.get("properties", {})},
        "required": [*found.get("required", ()), *own.get("required", ())],
    }


def _request_body(contracts: Sequence[Contract], components: _Components) -> dict[str, Any] | None:
    bodies = [(each, components.request(each)) for each in contracts if each.request.get("body") is not None]
    if not bodies:
        return None
    types = dict.fromkeys(
        kind for each, _ in bodies for kind in (each.request.get("content_types") or ["application/json"])
    )
    schemas = [schema for _, schema in bodies]
    if any(schema != schemas[0] for schema in schemas):
        # The contract whose `when` fits is asked, else the one without.
        chosen = {
            each.id: components.schema(each, each.request["when"])
            for each, _ in bodies
            if each.request.get("when") is not None
        }
        other = [{"not": _any([*chosen.values()])}] if chosen else []
        schemas = [
            {"allOf": [schema, *([chosen[each.id]] if each.id in chosen else other)]} if chosen else schema
            for each, schema in bodies
        ]
    content: dict[str, Any] = {"schema": _any(schemas)}
    examples = _examples(contracts, lambda said: said["request"].get("body"))
    if examples:
        content["examples"] = examples
    # No body at all is taken for an object without members.
    required = not any(each.request_shape is not None and each.request_shape.fits({}) for each, _ in bodies)
    return {"required": required, "content": dict.fromkeys(types, content)}


def _examples(contracts: Sequence[Contract], value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for contract in contracts:
        for name, said in contract.exchanges.items():
            shown = value(said)
            # What is refused is no example of what to ask.
            if shown is not None and said["response"]["status"] == contract.response["status"]:
                key = name if len(contracts) == 1 else f"{contract.id.partition('/')[2]}.{name}"
                found[key.replace("/", ".")] = {"summary": said.get("text", name), "value": shown}
    return found


# Answers


def _responses(contracts: Sequence[Contract], components: _Components) -> dict[str, Any]:
    # What some models answer otherwise is an answer too.
    contracts = [each for contract in contracts for each in (contract, *contract.of_some_models.values())]
    answers: dict[int, list[Contract]] = {}
    for each in contracts:
        answers.setdefault(each.response["status"], []).append(each)
    failures: dict[int, list[tuple[Contract, Failure]]] = {}
    for each in contracts:
        for failure in each.failures.values():
            failures.setdefault(failure.status, []).append((each, failure))
    found: dict[str, Any] = {}
    for status in sorted({*answers, *failures}):
        good, bad = answers.get(status, []), [failure for _, failure in failures.get(status, [])]
        if not good:
            found[str(status)] = components.response(str(status), _refusal(bad))
            continue
        said = _answer(good, components)
        if bad:
            # Some errors are told with the status of a good answer.
            refused = _refusal(bad)
            said["description"] += f"\n\n{refused['description']}"
            for kind, content in refused["content"].items():
                there = said["content"].get(kind)
                said["content"][kind] = (
                    {"schema": _any([there["schema"], content["schema"]])} if there else content
                )
        found[str(status)] = said
    return found


def _answer(contracts: Sequence[Contract], components: _Components) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for contract in contracts:
        kind = (contract.response.get("content_type") or "application/octet-stream").partition(";")[0].strip()
        schema = _events(contract, components) if contract.streams else components.answer(contract)
        said: dict[str, Any] = {
            "schema": _any([content[kind]["schema"], schema]) if kind in content else schema
        }
        if contract.streams:
            said["x-conformance-stream"] = {
                "order": contract.response["order"],
                "may_end_with": contract.response.get("may_end_with", []),
                "framing": contract.response["framing"],
            }
        else:
            examples = _examples([contract], lambda said: said["response"].get("body"))
            if examples:
                said["examples"] = examples
        content[kind] = {**content.get(kind, {}), **said}
    made: dict[str, Any] = {
        "description": " ".join(dict.fromkeys(each.said["summary"] for each in contracts))
    }
    headers = _headers(contracts, components)
    if headers:
        made["headers"] = headers
    made["content"] = content
    return made


def _events(contract: Contract, components: _Components) -> Schema:
    """The schema of one event: of server-sent events its fields, as OpenAPI 3.2 has them; else of its data."""
    named = [(name, components.schema(contract, said)) for name, said in contract.response["events"].items()]
    told: dict[str, list[Any]] = {}
    for failure in contract.failures.values():
        if failure.in_stream is not None:
            told.setdefault(failure.in_stream.get("name") or "", []).append(failure.in_stream["data"])
    named += [(name or "failure", _template(data)) for name, data in told.items()]
    framing = contract.response["framing"]
    if framing["kind"] != "sse":
        return {**_any([schema for _, schema in named]), "description": "One event of the stream."}
    schemas = [
        _message(
            name, schema, framing["event_line"] != "none" and name in {*contract.response["events"], *told}
        )
        for name, schema in named
    ]
    if framing.get("done") is not None:
        data = {"data": {"const": framing["done"]}}
        schemas.insert(0, {"title": "end", "type": "object", "required": ["data"], "properties": data})
    return {**_any(schemas), "description": "One server-sent event; its data is JSON."}


def _message(name: str, schema: Any, with_name: bool) -> Schema:
    """The fields of one server-sent event."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {
        "title": name,
        "type": "object",
        "required": ["event", "data"] if with_name else ["data"],
        "properties": {"data": data, **({"event": {"const": name}} if with_name else {})},
    }


def _headers(contracts: Sequence[Contract], components: _Components) -> dict[str, Any]:
    shapes = [(each, _resolved(each, each.response.get("headers"))) for each in contracts]
    found: dict[str, Any] = {}
    names = [
        name for _, shape in shapes for name in (*shape.get("required", ()), *shape.get("properties", {}))
    ]
    for name in dict.fromkeys(names):
        if name != "content-type":
            schemas = [
                components.schema(each, shape["properties"][name])
                for each, shape in shapes
                if name in shape.get("properties", {})
            ]
            required = all(name in shape.get("required", ()) for _, shape in shapes)
            schema = _any(schemas)
            typed = (
                schema if isinstance(schema, Mapping) and "anyOf" in schema else {"type": "string", **schema}
            )
            found[name] = {"required": required, "schema": typed}
    return found


def _refusal(failures: Iterable[Failure]) -> dict[str, Any]:
    """All refusals with one status: what each says of itself, and the shape that their bodies share."""
    failures = list(failures)
    lines = dict.fromkeys(f"- {each.id}. {_source(each.source)}" for each in failures)
    content: dict[str, Any] = {}
    for kind, plain in (("application/json", False), ("text/plain", True)):
        bodies = [each.body for each in failures if isinstance(each.body, str) == plain]
        if bodies:
            content[kind] = {"schema": _template(bodies)}
    headers = {
        name: {"schema": {"type": "string"}}
        for each in failures
        for name, value in each.headers.items()
        if value is not None and name.lower() != "content-type"
    }
    return {
        "description": "\n".join(["Refused:", *lines]),
        **({"headers": headers} if headers else {}),
        "content": content,
    }


def _template(bodies: Sequence[Any], name: str = "") -> Schema:
    """The shape that these bodies, with placeholders in their texts, have in common."""
    found: list[Schema] = []
    objects = [each for each in bodies if isinstance(each, Mapping)]
    if objects:
        members = dict.fromkeys(key for each in objects for key in each)
        shape: Schema = {"type": "object"}
        if members:
            shape["required"] = [key for key in members if all(key in each for each in objects)]
            shape["properties"] = {
                key: _template([each[key] for each in objects if key in each], key) for key in members
            }
        found.append(shape)
    lists = [each for each in bodies if isinstance(each, list)]
    if lists:
        items = [item for each in lists for item in each]
        found.append({"type": "array", **({"items": _template(items)} if items else {})})
    texts = list(dict.fromkeys(each for each in bodies if isinstance(each, str)))
    if texts:
        filled = any("{" in text for text in texts)
        found.append(
            {"enum": texts} if name in CODES and not filled else {"type": "string", "examples": texts[:3]}
        )
    if any(each is None for each in bodies):
        found.append({"type": "null"})
    if any(isinstance(each, bool) for each in bodies):
        found.append({"type": "boolean"})
    if any(isinstance(each, int | float) and not isinstance(each, bool) for each in bodies):
        found.append({"type": "number"})
    made: Schema = _any(found)
    return made


def _any(schemas: Sequence[Any]) -> Any:
    """What fits one of these, each named once; of none, what fits all."""
    different: list[Any] = []
    for each in schemas:
        if each not in different:
            different.append(each)
    if not different:
        return {}
    return different[0] if len(different) == 1 else {"anyOf": different}


# Who asks


def _security(contracts: Sequence[Contract], components: _Components) -> list[dict[str, Any]]:
    """The ways to show who asks, one of them enough; none where nobody looks."""
    found: list[dict[str, Any]] = []
    for contract in contracts:
        if "auth" not in contract.checks:
            found.append({})
            continue
        for scheme, said in contract.auth.items():
            for place in said.get("places", [""]):
                made = _scheme(scheme, place)
                if made is not None:
                    found.append({components.scheme(made): []})
    return [each for index, each in enumerate(found) if each not in found[:index]]


def _scheme(scheme: str, place: str) -> dict[str, Any] | None:
    """OpenAPI's word for a scheme and where its key stands; None where it has none, as for a member of the body."""
    if scheme == "sigv4":
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    where, _, name = place.partition(":")
    if place == "header:authorization-bearer":
        return {"type": "http", "scheme": "bearer"}
    if where in ("header", "query", "cookie"):
        return {"type": "apiKey", "in": where, "name": name}
    return None


class _Components:
    """What the operations point to, under names that say where it stands."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._schemas: dict[str, Any] = {}
        self._responses: dict[str, Any] = {}
        self._schemes: dict[str, Any] = {}

    def said(self) -> dict[str, Any]:
        """All of them, as the document has them."""
        return {
            "schemas": dict(sorted(self._schemas.items())),
            "responses": self._responses,
            "securitySchemes": self._schemes,
        }

    def request(self, contract: Contract) -> Schema:
        """The body's schema, closed where unknown members are refused."""
        from conformance.documents.closing import close

        schema = contract.request["body"]
        if contract.request.get("unknown_members") == "refused":
            schema = close(schema, contract.definition)
        made: Schema = self.schema(contract, schema)
        return made

    def answer(self, contract: Contract) -> Schema:
        """The schema of a plain answer; {} where the contract says nothing of it."""
        made: Schema = self.schema(contract, contract.response.get("body") or {})
        return made

    def schema(self, contract: Contract, schema: Any) -> Any:
        """`schema` with each $ref into the specs pointed at a component, which is made if it is not there."""
        if isinstance(schema, list):
            return [self.schema(contract, each) for each in schema]
        if not isinstance(schema, Mapping):
            return schema
        made = {key: self.schema(contract, value) for key, value in schema.items() if key != "$schema"}
        if "allOf" in made and "required" in made:
            # Some readers of OpenAPI want every required member listed right beside it.
            made["allOf"] = [*made["allOf"], {"required": made.pop("required")}]
        if "$comment" in made:
            # What is only for readers of the specs there, nobody shows who reads OpenAPI.
            made["description"] = " ".join(filter(None, (made.get("description"), made.pop("$comment"))))
        if isinstance(made.get("$ref"), str):
            flat = self._flat(contract, schema)
            if flat is not None:
                return self.schema(contract, flat)
            made["$ref"] = f"#/components/schemas/{self._component(contract, made['$ref'])}"
        return made

    def _flat(self, contract: Contract, schema: Mapping[str, Any]) -> dict[str, Any] | None:
        """A closed object with what it refers to written out, member by member; None where that cannot be done.

        Closed beside a $ref, it lists the members of the other object again, each as `true`: generators see nothing in it.
        """
        if schema.get("additionalProperties") is not False or not set(schema) <= FLAT | {"$ref"}:
            return None
        there = contract.definition(schema["$ref"])
        if not isinstance(there, Mapping):
            return None
        if "$ref" in there:
            there = self._flat(contract, {**there, "additionalProperties": False}) or there
        if not set(there) <= FLAT:
            return None
        own, theirs = schema.get("properties", {}), there.get("properties", {})
        members = {
            name: _both(own.get(name, True), theirs.get(name, True))
            for name in (*theirs, *sorted(set(own) - set(theirs)))
        }
        both = {**there, **schema, "properties": members}
        del both["$ref"]
        required = (*there.get("required", ()), *schema.get("required", ()))
        patterns = {**there.get("patternProperties", {}), **schema.get("patternProperties", {})}
        for name, value in (("required", list(dict.fromkeys(required))), ("patternProperties", patterns)):
            both.pop(name, None)
            if value:
                both[name] = value
        return both

    def _component(self, contract: Contract, uri: str) -> str:
        if uri not in self._names:
            name = self._free(_name(uri))
            self._names[uri] = name
            # Taken before it is made: shapes hold themselves.
            self._schemas[name] = {}
            self._schemas[name] = self.schema(contract, contract.definition(uri))
        return self._names[uri]

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self._schemas:
            number += 1
            free = f"{name}-{number}"
        return free

    def response(self, name: str, said: dict[str, Any]) -> dict[str, Any]:
        """A reference to this response, kept once."""
        number, free = 1, name
        while self._responses.setdefault(free, said) != said:
            number += 1
            free = f"{name}-{number}"
        return {"$ref": f"#/components/responses/{free}"}

    def scheme(self, said: dict[str, Any]) -> str:
        """The name of this security scheme, kept once."""
        name = {"http": "bearer"}.get(said["type"], "") or (
            "sigv4" if "x-amazon-apigateway-authtype" in said else f"{said['in']}-{said['name']}"
        )
        self._schemes.setdefault(name, said)
        return name


def _name(uri: str) -> str:
    """spec:///…/shapes/chat.yaml#/$defs/Request is chat.Request; closed, chat.Request.closed."""
    variant, place = re.match(r"(?:(\w+):)?(spec://.*)", uri).groups()  # type: ignore[union-attr]
    path, _, fragment = place.partition("#")
    steps = [step for step in fragment.split("/") if step and step != "$defs"]
    parts = [path.rpartition("/")[2].removesuffix(".yaml"), *steps, *([variant] if variant else [])]
    return re.sub(r"[^a-zA-Z0-9._-]", "_", ".".join(parts))


def _both(one: Any, other: Any) -> Any:
    """The schema of what fits both."""
    return other if one is True or one == other else one if other is True else {"allOf": [other, one]}
