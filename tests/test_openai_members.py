"""Every member of a request that the openai package types: taken as it should be, refused and named as it should not.

The requests are made from the package's TypedDicts, so a member that appears there is asked for here without
anybody writing a test. What it does not say, the ranges, is that of OpenAI's OpenAPI document 2.3.0.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

import pytest
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from typing_extensions import get_type_hints, is_typeddict

from conformance.exchange import Request
from mockserver.answer import answer
from mockserver.effects import Head, Send, carry_out
from mockserver.embedded import Running, without_sockets

OPERATIONS: Mapping[str, tuple[str, Any, dict[str, Any]]] = {
    "chat": (
        "/openai-com/v1/chat/completions",
        completion_create_params.CompletionCreateParamsNonStreaming,
        {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello, JSON"}]},
    ),
    "responses": (
        "/openai-com/v1/responses",
        response_create_params.ResponseCreateParamsNonStreaming,
        {"model": "gpt-4o-mini", "input": "Hello, JSON"},
    ),
}
TEXTS = {"model": "gpt-4o-mini", "url": "https://example.com/a.png", "type": "compaction", "mode": "standard"}
"""Values of members that are no text like any other."""
MAPS = {"tools": {"type": "function", "name": "a", "function": {"name": "a"}}}
"""Values of members that are typed as objects with anything in them."""
NEEDED = {
    "FunctionCallOutput": {"call_id": "a"},
    "ItemReference": {"type": "item_reference"},
}
"""What the document requires and the package does not, by the name of the type."""
LAXER: Mapping[str, str] = {
    "responses/input/1/*/0/content/1/*/1/detail": "a default in the package's own prose; servers do without",
    "responses/input/1/*/1/content": "a message may be a mere text",
    "responses/input/1/*/1/content/*/1/detail": "as above",
    "responses/input/1/*/2/id": "history that was not stored has no ids",
    "responses/input/1/*/2/content": "a message may be a mere text",
    "responses/input/1/*/2/content/*/0/annotations": "history is taken with what it has",
    "responses/input/1/*/2/content/*/0/annotations/##": "history is taken with what it has",
    "responses/input/1/*/2/content/*/0/logprobs/##": "history is taken with what it has",
    "responses/input/1/*/2/status": "history is taken with what it has",
    "responses/input/1/*/2/type": "a message needs no type",
    "responses/input/1/*/4/action/1/keys": "newer than the document, which knows no keys that are held",
    "responses/input/1/*/4/actions/*/1/keys": "newer than the document, which knows no keys that are held",
    "responses/input/1/*/10/tools/*/0/parameters": "the document requires it; Open Responses asks for type and name",
    "responses/input/1/*/10/tools/*/0/strict": "the document requires it; Open Responses asks for type and name",
    "responses/input/1/*/11/tools/*/0/parameters": "the document requires it; Open Responses asks for type and name",
    "responses/input/1/*/11/tools/*/0/strict": "the document requires it; Open Responses asks for type and name",
    "responses/reasoning/0/effort": "what is no effort at all is refused as one that the model does not take",
    "responses/tools/*/0/parameters": "the document requires it; Open Responses asks for type and name",
    "responses/tools/*/0/strict": "the document requires it; Open Responses asks for type and name",
    "responses/##/filters/1/filters/*/0/key": "filters within filters are any objects",
    "responses/##/filters/1/filters/*/0/type": "filters within filters are any objects",
    "responses/##/filters/1/filters/*/0/value": "filters within filters are any objects",
    "responses/input/1/*/13/id": "a trace that was not stored has no id",
    "responses/input/1/*/13/content/*/#": "a trace is taken as it came",
    "responses/input/1/*/15/result": "history is taken with what it has",
    "responses/input/1/*/15/error/code": "history is taken with what it has",
    "responses/input/1/*/15/error/param": "history is taken with what it has",
    "responses/input/1/*/16/code": "history is taken with what it has",
    "responses/input/1/*/16/outputs": "history is taken with what it has",
    "responses/input/1/*/27/output/1/*/1/detail": "as above",
    "responses/prompt/0/variables/0/*/2/detail": "as above",
}
"""Members that are taken in more forms than the package types, or need not be there, and why; # is any step, ## any way."""
NUMBERS = {"max_output_tokens": 16, "compact_threshold": 1000}
"""Values of members for which 1 is too little."""

BESIDE: Mapping[str, Mapping[str, Any]] = {
    "chat/top_logprobs": {"logprobs": True},
    "chat/stream_options": {"stream": True},
    "chat/tool_choice": {"tools": [{"type": "function", "function": {"name": "a"}}]},
    "chat/parallel_tool_calls": {"tools": [{"type": "function", "function": {"name": "a"}}]},
    "chat/function_call": {"functions": [{"name": "a"}]},
    "responses/stream_options": {"stream": True},
    "responses/tool_choice": {
        "tools": [{"type": "function", "name": "a", "parameters": None, "strict": None}]
    },
}
"""What a member needs beside it."""

RANGES: Mapping[str, Mapping[str, tuple[float | None, float | None]]] = {
    "chat": {
        "temperature": (0, 2),
        "top_p": (0, 1),
        "frequency_penalty": (-2, 2),
        "presence_penalty": (-2, 2),
        "n": (1, 128),
        "top_logprobs": (0, 20),
    },
    "responses": {
        "temperature": (0, 2),
        "top_p": (0, 1),
        "top_logprobs": (0, 20),
        "max_output_tokens": (16, None),
    },
}
"""OpenAI OpenAPI 2.3.0, least and most."""

LENGTHS = {"chat": {"safety_identifier": 64}, "responses": {"safety_identifier": 64, "prompt_cache_key": 64}}
REQUIRED: Any = Required
TAGS = ("type", "role")
"""By these the alternatives of a union are told apart: without one nobody knows which was meant."""

KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
OTHERS: Mapping[str, Any] = {
    "string": "zzz",
    "boolean": True,
    "number": 0.5,
    "object": {"no": "such"},
    "array": [["no such"]],
}
"""A value of each kind, for the place of another."""

Step = str | int
"""A member's name, `*` for what a list or a map holds, a number for one alternative of a union."""


@dataclass(frozen=True)
class Member:
    """One member of a request, and the way to it from the top."""

    operation: str
    path: tuple[Step, ...]
    said: Any
    required: bool

    @property
    def id(self) -> str:
        return f"{self.operation}/{'/'.join(str(step) for step in self.path)}"


def bare(said: Any) -> Any:
    while get_origin(said) in (Required, NotRequired, Annotated):
        said = get_args(said)[0]
    return said


def alternatives(said: Any) -> list[Any]:
    """What a value may be; one thing if it is no union."""
    said = bare(said)
    if get_origin(said) in (Union, types.UnionType):
        return [each for inner in get_args(said) for each in alternatives(inner)]
    return [said]


def kinds(said: Any) -> set[str]:
    """The kinds of JSON that a value may be of."""
    found: set[str] = set()
    for each in alternatives(said):
        origin = get_origin(each)
        if origin is Literal:
            found |= {KINDS[type(word)] for word in get_args(each)}
        elif each in KINDS:
            found.add(KINDS[each])
        elif is_typeddict(each) or origin is dict:
            found.add("object")
        elif origin is not None and issubclass(origin, Iterable):
            found.add("array")
        else:
            return {"any"}
    return found | ({"number"} if "integer" in found and "number" in found else set())


def members(operation: str) -> Iterator[Member]:
    """Every member of the request, top down; an object that holds itself is gone through once."""
    yield from _below(operation, (), OPERATIONS[operation][1], ())


def _below(operation: str, path: tuple[Step, ...], said: Any, inside: tuple[Any, ...]) -> Iterator[Member]:
    every = alternatives(said)
    for number, each in enumerate(every):
        here = (*path, number) if len(every) > 1 else path
        origin = get_origin(each)
        if is_typeddict(each):
            if each in inside:
                continue
            hints = get_type_hints(each, include_extras=True)
            for name, hint in hints.items():
                found = Member(operation, (*here, name), hint, get_origin(hint) is REQUIRED)
                yield found
                yield from _below(operation, found.path, hint, (*inside, each))
        elif origin is dict:
            yield from _below(operation, (*here, "*"), get_args(each)[1], inside)
        elif origin is not None and origin is not Literal and issubclass(origin, Iterable):
            yield from _below(operation, (*here, "*"), get_args(each)[0], inside)


def sample(said: Any, path: tuple[Step, ...], name: str = "") -> Any:
    """The smallest value that has what `path` leads to."""
    every = alternatives(said)
    if len(every) > 1:
        number = path[0] if path else _plainest(every)
        return sample(every[number], path[1:], name)  # type: ignore[index]
    each = every[0]
    origin = get_origin(each)
    if is_typeddict(each):
        hints = get_type_hints(each, include_extras=True)
        wanted = [*path[:1], *(key for key, hint in hints.items() if get_origin(hint) is REQUIRED)]
        return NEEDED.get(each.__name__, {}) | {
            str(key): sample(hints[str(key)], path[1:] if path[:1] == (key,) else (), str(key))
            for key in dict.fromkeys(wanted)
        }
    if origin is Literal:
        return get_args(each)[0]
    if origin is dict:
        return MAPS.get(name) or {"a": sample(get_args(each)[1], path[1:])}
    if origin is not None and issubclass(origin, Iterable):
        return [sample(get_args(each)[0], path[1:], name)]
    plain = {str: TEXTS.get(name, "a"), bool: True, int: NUMBERS.get(name, 1), float: 1.0, type(None): None}
    return plain.get(each, {"any": "thing"})


def _plainest(every: list[Any]) -> int:
    return next((number for number, each in enumerate(every) if each is not type(None)), 0)


def walk(value: Any, path: tuple[Step, ...]) -> list[str | int]:
    """The way through `value` as JSON has it."""
    way: list[str | int] = []
    for step in path:
        if isinstance(step, int):
            continue
        key: str | int = step
        if step == "*":
            key = 0 if isinstance(value, list) else "a"
        way.append(key)
        value = value[key]
    return way


def put(value: Any, way: list[str | int], new: Any) -> Any:
    """`value` with `new` at the end of the way; without it where `new` is `...`."""
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if len(way) > 1:
        copy[way[0]] = put(value[way[0]], way[1:], new)
    elif new is ...:
        del copy[way[0]]
    else:
        copy[way[0]] = new
    return copy


def written(way: list[str | int]) -> str:
    """The way as OpenAI writes it."""
    said = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
    return said.removeprefix(".")


@pytest.fixture(scope="module")
def running() -> Running:
    return without_sockets(auth="lenient", reality="documented")


class Asked:
    """Asks the mock in this process; what it says."""

    def __init__(self, running: Running) -> None:
        self.mock = running.mock

    def __call__(self, operation: str, body: Any) -> tuple[int, Any]:
        headers = (("Content-Type", "application/json"), ("Authorization", "Bearer sk-0123456789"))
        asked = Request("POST", OPERATIONS[operation][0], headers, json.dumps(body).encode())
        status, sent = 0, b""
        # A minute later each time: no limit is met.
        self.now = getattr(self, "now", 1_795_334_400.0) + 60
        for effect in carry_out(answer(self.mock, asked, self.now), self.mock.state):
            if isinstance(effect, Head):
                status = effect.status
            elif isinstance(effect, Send):
                sent += effect.data
        return status, json.loads(sent) if sent.startswith(b"{") else {}


@pytest.fixture(scope="module")
def asked(running: Running) -> Asked:
    return Asked(running)


def request(member: Member) -> dict[str, Any]:
    """The smallest request that has the member."""
    _, said, plain = OPERATIONS[member.operation]
    made = sample(said, member.path)
    beside = BESIDE.get(f"{member.operation}/{member.path[0]}", {})
    return {**plain, **beside, str(member.path[0]): made[str(member.path[0])]}


def fault(body: Any) -> tuple[Any, Any]:
    said = body.get("error") or {}
    return said.get("param"), said.get("code")


SHAPE_CODES = {
    *("invalid_type", "invalid_value", "missing_required_parameter", "unknown_parameter", "empty_array"),
    *(
        "integer_above_max_value",
        "integer_below_min_value",
        "decimal_above_max_value",
        "decimal_below_min_value",
    ),
    *("string_above_max_length", "empty_string", "array_above_max_length", "object_above_max_properties"),
}


def laxer(member: Member) -> str | None:
    """Why the member is taken in more forms, if it is."""
    return next((why for form, why in LAXER.items() if re.fullmatch(pattern(form), member.id)), None)


def pattern(form: str) -> str:
    """The form of ids as a regular expression."""
    return re.escape(form).replace(r"\#\#", ".+").replace(r"\#", "[^/]+")


MEMBERS = [each for operation in OPERATIONS for each in members(operation)]


@pytest.mark.parametrize("member", [pytest.param(each, id=each.id) for each in MEMBERS if not laxer(each)])
def test_a_member_is_taken_as_typed_and_named_where_it_is_not(member: Member, asked: Asked) -> None:
    look_at(member, asked)


@pytest.mark.parametrize("member", [pytest.param(each, id=each.id) for each in MEMBERS if laxer(each)])
def test_a_member_that_is_taken_in_more_forms_is_listed_with_the_reason(member: Member, asked: Asked) -> None:
    with pytest.raises(AssertionError):
        look_at(member, asked)


def look_at(member: Member, asked: Asked) -> None:
    """Asks for the member as it is typed, and in every way in which it is not."""
    body = request(member)
    status, said = asked(member.operation, body)
    _, code = fault(said)
    way = walk(body, member.path)
    # A sample may be refused for what it means (no such file, no such tool), and never for its form.
    assert status == 200 or code not in SHAPE_CODES, said
    taken = kinds(member.said)
    if "any" in taken:
        return
    for kind, other in OTHERS.items():
        if kind in taken or (kind == "number" and "integer" in taken):
            continue
        status, said = asked(member.operation, put(body, way, other))
        assert (status, fault(said)) == (400, (written(way), "invalid_type")), kind
    every = alternatives(member.said)
    words = [word for each in every if get_origin(each) is Literal for word in get_args(each)]
    if any(isinstance(word, str) for word in words) and str not in every:
        status, said = asked(member.operation, put(body, way, "zzz"))
        assert (status, fault(said)) == (400, (written(way), "invalid_value"))
    if member.required:
        status, said = asked(member.operation, put(body, way, ...))
        assert status == 400
        if member.id == "chat/model":
            assert (fault(said), said["error"]["message"]) == (
                (None, None),
                "you must provide a model parameter",
            )
        elif member.path[-1] not in TAGS:
            assert fault(said) == (written(way), "missing_required_parameter")


@pytest.mark.parametrize(
    ("operation", "name", "edges"),
    [(operation, name, edges) for operation, all_of in RANGES.items() for name, edges in all_of.items()],
)
def test_a_number_is_taken_at_its_edges_and_refused_beyond(
    operation: str, name: str, edges: tuple[float | None, float | None], asked: Asked
) -> None:
    plain = {**OPERATIONS[operation][2], **BESIDE.get(f"{operation}/{name}", {})}
    for edge, step, words in ((edges[0], -1, "below_min"), (edges[1], 1, "above_max")):
        if edge is None:
            continue
        assert asked(operation, {**plain, name: edge})[0] == 200
        status, said = asked(operation, {**plain, name: edge + step})
        kind = "integer" if name in ("n", "top_logprobs", "max_output_tokens") else "decimal"
        assert (status, fault(said)) == (400, (name, f"{kind}_{words}_value"))


@pytest.mark.parametrize(
    ("operation", "name", "most"),
    [(operation, name, most) for operation, all_of in LENGTHS.items() for name, most in all_of.items()],
)
def test_a_text_is_taken_at_its_length_and_refused_beyond(
    operation: str, name: str, most: int, asked: Asked
) -> None:
    plain = OPERATIONS[operation][2]
    assert asked(operation, {**plain, name: "a" * most})[0] == 200
    status, said = asked(operation, {**plain, name: "a" * (most + 1)})
    assert (status, fault(said)) == (400, (name, "string_above_max_length"))
    assert f"length {most}, but got a string with length {most + 1}" in said["error"]["message"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_member_that_nobody_knows_is_named_at_any_depth(operation: str, asked: Asked) -> None:
    plain = OPERATIONS[operation][2]
    status, said = asked(operation, {**plain, "frobnicate": True})
    assert (status, fault(said)) == (400, ("frobnicate", "unknown_parameter"))
    holder = "messages" if operation == "chat" else "input"
    deep = {**plain, holder: [{"role": "user", "content": "Hello", "frobnicate": 1}]}
    status, said = asked(operation, deep)
    assert (status, fault(said)) == (400, (f"{holder}[0].frobnicate", "unknown_parameter"))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_metadata_is_bounded_in_every_way(operation: str, asked: Asked) -> None:
    plain = OPERATIONS[operation][2]
    for metadata, param, code in (
        ({f"a{number}": "1" for number in range(17)}, "metadata", "object_above_max_properties"),
        ({"a" * 65: "1"}, "metadata", "string_above_max_length"),
        ({"a": "1" * 513}, "metadata.a", "string_above_max_length"),
        ({"0": 5}, "metadata.0", "invalid_type"),
    ):
        status, said = asked(operation, {**plain, "metadata": metadata})
        assert (status, fault(said)) == (400, (param, code))
    edge = {f"{number:064}": "1" * 512 for number in range(16)}
    assert asked(operation, {**plain, "metadata": edge})[0] == 200


@pytest.mark.parametrize("form", LAXER)
def test_what_is_listed_is_there(form: str) -> None:
    assert any(re.fullmatch(pattern(form), member.id) for member in MEMBERS)


def test_the_walk_reaches_the_depths() -> None:
    ids = {each.id for each in MEMBERS}
    assert len(ids) == len(MEMBERS) > 400
    assert any(each.startswith("chat/messages/*/") and each.endswith("/image_url/url") for each in ids)
    assert any(each.startswith("responses/input/1/*/") and each.endswith("/call_id") for each in ids)
