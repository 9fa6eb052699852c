"""Our YAML against the types of the openai package, member by member.

Requests are held against its TypedDicts, answers and events against its models. Everything that differs
stands in openai_differences.yaml with its reason; a difference that is not listed fails, and so does an
entry that is true no more.

The package says of a member of an answer that may be missing or null only `Optional[...] = None`; a schema
of ours may then do without it or take null, as it likes. Of a request it says both, and so must we.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict, Union, get_args, get_origin

import pytest
import yaml
from openai import OpenAI
from openai.types import Model, ModelDeleted, chat, conversations, responses
from openai.types.chat import (
    completion_create_params,
    completion_list_params,
    completion_update_params,
)
from openai.types.chat.chat_completion_store_message import ChatCompletionStoreMessage
from openai.types.chat.completions import message_list_params
from openai.types.conversations import (
    conversation_create_params,
    conversation_update_params,
    item_create_params,
    item_list_params,
    item_retrieve_params,
)
from openai.types.responses import (
    input_item_list_params,
    input_token_count_params,
    response_compact_params,
    response_create_params,
    response_retrieve_params,
)
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from conformance.contract import Contract
from conformance.loading import load

CONTRACTS = load().contracts
_SAID = yaml.safe_load((Path(__file__).parent / "openai_differences.yaml").read_text(encoding="utf-8"))
LISTED: Mapping[str, Mapping[str, str]] = _SAID["differences"]
REASONS: Mapping[str, str] = _SAID["reasons"]
"""What stands behind a short name, which many differences have for their reason."""

KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
TAGS = ("type", "role")
"""Members by whose words the alternatives of a union are told apart."""


@dataclass(frozen=True)
class Member:
    """What an object may hold under one name. `meant` is for the reader that made it."""

    meant: Any
    required: bool
    loose: bool = False
    """Of an answer: missing and null are one."""


@dataclass(frozen=True)
class Form:
    """One of the forms of a value; `kind` is a word of JSON Schema, or `any`."""

    kind: str
    words: frozenset[Any] | None = None
    """The only values; None when the kind alone counts."""
    items: Any = None
    members: Mapping[str, Member] | None = None
    """Of an object; None when it may hold anything."""
    name: str = ""


class Theirs:
    """Reads annotations of the openai package. What a member means is a tuple of alternatives."""

    def forms(self, meant: Sequence[Any]) -> list[Form]:
        return [form for each in meant for form in self._forms(each)]

    def _forms(self, said: Any) -> Iterator[Form]:
        said = bare(said)
        origin = get_origin(said)
        if said in KINDS:
            yield Form(KINDS[said])
        elif said is object or said is Any:
            yield Form("any")
        elif origin is Literal:
            for kind in {type(word) for word in get_args(said)}:
                only = frozenset(word for word in get_args(said) if type(word) is kind)
                yield Form(KINDS[kind], None if kind is type(None) else only)
        elif origin in (Union, types.UnionType):
            yield from self.forms(get_args(said))
        elif origin is dict:
            yield Form("object", items=(get_args(said)[1],))
        elif origin is not None and issubclass(origin, Iterable):
            yield Form("array", items=get_args(said))
        elif is_typeddict(said):
            yield Form("object", members=self._asked(said), name=called(said))
        elif isinstance(said, type) and issubclass(said, BaseModel):
            yield Form("object", members=self._answered(said), name=called(said))
        else:
            raise NotImplementedError(f"no reading of {said!r}")

    def _asked(self, said: Any) -> dict[str, Member]:
        hints = get_type_hints(said, include_extras=True)
        return {name: Member((hint,), marked_required(hint, said.__total__)) for name, hint in hints.items()}

    def _answered(self, said: type[BaseModel]) -> dict[str, Member]:
        return {
            field.alias or name: Member((field.annotation,), field.is_required(), not field.is_required())
            for name, field in said.model_fields.items()
        }


def marked_required(hint: Any, total: bool) -> bool:
    return get_origin(hint) is not NotRequired if total else get_origin(hint) is Required


def bare(said: Any) -> Any:
    """The annotation without what it is wrapped in."""
    while get_origin(said) in (Required, NotRequired, Annotated):
        said = get_args(said)[0]
    return said


def called(said: type) -> str:
    """The class with its module, as several have one name; the modules' common part is left out."""
    return f"{said.__module__.removeprefix('openai.types.')}.{said.__name__}"


class Ours:
    """Reads JSON Schemas of one contract. What a member means is alternatives of schemas that all hold."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def forms(self, meant: Sequence[Sequence[Any]]) -> list[Form]:
        return [form for schemas in meant for form in self._all(schemas)]

    def _all(self, schemas: Sequence[Any]) -> list[Form]:
        found = [Form("any")]
        for schema in schemas:
            found = self._both(found, self._forms(schema))
        return found

    def _forms(self, schema: Any) -> list[Form]:
        if schema is True:
            return [Form("any")]
        found = self._plain(schema)
        if "$ref" in schema:
            found = self._both(found, self._forms(self.contract.definition(schema["$ref"])))
        for each in schema.get("allOf", ()):
            found = self._both(found, self._forms(each))
        for word in ("oneOf", "anyOf"):
            if word in schema:
                found = self._both(found, [form for each in schema[word] for form in self._forms(each)])
        return found

    def _plain(self, schema: Mapping[str, Any]) -> list[Form]:
        """The forms that the schema's own words leave."""
        said = schema.get("type", "any")
        values = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if values is not None and said == "any":
            said = sorted({KINDS[type(value)] for value in values})
        found = [self._of_kind(kind, schema) for kind in ([said] if isinstance(said, str) else said)]
        if values is None:
            return found
        return [
            replace(form, words=frozenset(value for value in values if KINDS[type(value)] == form.kind))
            if form.kind != "null"
            else form
            for form in found
        ]

    def _of_kind(self, kind: str, schema: Mapping[str, Any]) -> Form:
        if kind == "array" or (kind == "any" and "items" in schema):
            return Form(kind, items=((schema.get("items", {}),),))
        if kind != "object" and not (kind == "any" and {"properties", "required"} & set(schema)):
            return Form(kind)
        required = set(schema.get("required", ()))
        properties = {**{name: {} for name in sorted(required)}, **schema.get("properties", {})}
        members = {name: Member(((value,),), name in required) for name, value in properties.items()}
        return Form(kind, items=((schema.get("additionalProperties", True),),), members=members or None)

    def _both(self, some: list[Form], others: list[Form]) -> list[Form]:
        return [form for one, other in product(some, others) for form in self._meet(one, other)]

    def _meet(self, one: Form, other: Form) -> Iterator[Form]:
        kinds = {one.kind, other.kind} - {"any"}
        if kinds == {"integer", "number"}:
            kinds = {"integer"}
        if len(kinds) > 1:
            return
        words = one.words if other.words is None else other.words
        if one.words is not None and other.words is not None:
            words = one.words & other.words
        kind = min(kinds, default="any")
        if kind not in ("object", "any"):
            one, other = replace(one, members=None), replace(other, members=None)
        members = self._members(one.members, other.members)
        if members and any(self._nothing(members[tag]) for tag in TAGS if tag in members):
            return
        items = tuple(a + b for a, b in product(one.items or ((),), other.items or ((),)))
        yield Form(kind, words, items, members)

    def _members(
        self, some: Mapping[str, Member] | None, others: Mapping[str, Member] | None
    ) -> Mapping[str, Member] | None:
        if some is None or others is None:
            return some if others is None else others
        joined = {**some, **others}
        for name in set(some) & set(others):
            meant = tuple(a + b for a, b in product(some[name].meant, others[name].meant))
            joined[name] = Member(meant, some[name].required or others[name].required)
        return joined

    def _nothing(self, member: Member) -> bool:
        return all(form.words is not None and not form.words for form in self.forms(member.meant))


Difference = tuple[str, str]
"""The class that it is in, and what differs."""


class Walk:
    """One type of theirs and one schema of ours, both at once."""

    def __init__(self, contract: Contract) -> None:
        self.theirs, self.ours = Theirs(), Ours(contract)
        self.members = 0
        self.classes: set[str] = set()
        self.walked: set[tuple[str, str]] = set()

    def differences(self, said: Any, schema: Any, tag: str = "") -> Iterator[Difference]:
        """`tag` is a member that is known to be the same on both sides."""
        theirs, ours = self.theirs.forms([said]), self.ours.forms([(schema,)])
        if tag:
            yield from self._object(self._merged(theirs), self._merged(ours), "", "", tag)
        else:
            yield from self._compare(theirs, ours, "", "")

    def _compare(self, theirs: list[Form], ours: list[Form], where: str, name: str) -> Iterator[Difference]:
        """`name` is the member of the class `where`, or empty where the value is no member."""
        told = f"{name}: " if name else ""
        free = [any(form.kind == "any" for form in forms) for forms in (theirs, ours)]
        if free[0] or free[1]:
            if free[0] != free[1]:
                yield where, f"{told}{'openai' if free[0] else 'ours'} takes anything"
            return
        kinds = [{form.kind for form in forms} for forms in (theirs, ours)]
        if kinds[0] != kinds[1]:
            yield where, f"{told}type: openai {listed(kinds[0])}, ours {listed(kinds[1])}"
        for kind in sorted(kinds[0] & kinds[1]):
            pair = [[form for form in forms if form.kind == kind] for forms in (theirs, ours)]
            if kind == "object":
                yield from self._objects(*pair, where, name)
            elif kind == "array":
                yield from self._items(*pair, where, name)
            else:
                yield from self._words(*pair, where, told)

    def _words(self, theirs: list[Form], ours: list[Form], where: str, told: str) -> Iterator[Difference]:
        said = [words(forms) for forms in (theirs, ours)]
        if said[0] == said[1]:
            return
        if said[0] is None or said[1] is None:
            yield where, f"{told}words: openai {listed(said[0])}, ours {listed(said[1])}"
            return
        if missing := said[0] - said[1]:
            yield where, f"{told}words missing: {listed(missing)}"
        if extra := said[1] - said[0]:
            yield where, f"{told}words beyond: {listed(extra)}"

    def _items(self, theirs: list[Form], ours: list[Form], where: str, name: str) -> Iterator[Difference]:
        meant = [tuple(each for form in forms for each in form.items) for forms in (theirs, ours)]
        each = self.theirs.forms(meant[0]), self.ours.forms(meant[1])
        yield from self._compare(*each, where, f"{name}[]")

    def _objects(self, theirs: list[Form], ours: list[Form], where: str, name: str) -> Iterator[Difference]:
        maps = [form for form in theirs if form.members is None]
        if maps:
            meant = tuple(each for form in maps for each in form.items)
            values = tuple(each for form in ours for each in form.items or ((True,),))
            yield from self._compare(self.theirs.forms(meant), self.ours.forms(values), where, f"{name}{{}}")
            if any(form.members for form in ours):
                yield where, f"{name}: a map in openai, members in ours"
            return
        tag = self._tag(theirs)
        if tag is None or len(theirs) == 1 == len(ours):
            yield from self._object(self._merged(theirs), self._merged(ours), where, name)
            return
        closed = {word for form in ours for word in self._tagged(self.ours, form, tag) or ()}
        found = {word for form in theirs for word in self._tagged(self.theirs, form, tag) or ()}
        unseen = set()
        for word in sorted(found):
            mine = [form for form in ours if word in (self._tagged(self.ours, form, tag) or ())]
            mine = mine or [form for form in ours if self._tagged(self.ours, form, tag) is None]
            them = [form for form in theirs if word in (self._tagged(self.theirs, form, tag) or ())]
            if mine and all(set(form.members or ()) <= {tag} for form in mine) and self._more(them, tag):
                unseen.add(word)
            elif mine:
                yield from self._object(self._merged(them), self._merged(mine), where, name, tag)
            else:
                yield where, f"{name}: alternative missing: {tag} {word}"
        if unseen:
            yield where, f"{name}: members of these not looked into: {listed(unseen)}"
        if extra := closed - found:
            yield where, f"{name}: alternatives beyond: {tag} {listed(extra)}"

    def _more(self, theirs: list[Form], tag: str) -> bool:
        return any(set(form.members or ()) > {tag} for form in theirs)

    def _tag(self, theirs: list[Form]) -> str | None:
        for tag in TAGS:
            if all(self._tagged(self.theirs, form, tag) is not None for form in theirs):
                return tag
        return None

    def _tagged(self, reader: Theirs | Ours, form: Form, tag: str) -> frozenset[Any] | None:
        """The words of the member that tells alternatives apart; None if it has no closed set of them."""
        if form.members is None or tag not in form.members:
            return None
        return words([each for each in reader.forms(form.members[tag].meant) if each.kind == "string"])

    def _merged(self, forms: list[Form]) -> Form:
        """Alternatives of one word as one: what is required is required in each."""
        if any(form.members is None for form in forms):
            return Form("object", name=" | ".join(form.name for form in forms))
        names = {name for form in forms for name in form.members or ()}
        members = {}
        for name in sorted(names):
            held = [(form.members or {}).get(name) for form in forms]
            some = [member for member in held if member is not None]
            meant = tuple(each for member in some for each in member.meant)
            required = len(some) == len(held) and all(member.required for member in some)
            members[name] = Member(meant, required, any(member.loose for member in some))
        return Form("object", members=members, name=" | ".join(sorted({form.name for form in forms})))

    def _object(self, theirs: Form, ours: Form, where: str, name: str, tag: str = "") -> Iterator[Difference]:
        """`tag` is the member by which the two were found to be the same alternative."""
        key = (theirs.name, json.dumps(ours.members, default=repr, sort_keys=True))
        if key in self.walked:
            return
        self.walked.add(key)
        self.classes.add(theirs.name)
        if ours.members is None:
            yield where or theirs.name, f"{name}: an object of any members, openai {theirs.name}"
            return
        assert theirs.members is not None
        if missing := set(theirs.members) - set(ours.members):
            yield theirs.name, f"members missing: {listed(missing)}"
        if extra := set(ours.members) - set(theirs.members):
            yield theirs.name, f"members beyond: {listed(extra)}"
        for each in sorted(set(theirs.members) & set(ours.members)):
            self.members += 1
            if each == tag:
                yield from self._required(theirs.members[each], ours.members[each], theirs.name, each)
            else:
                yield from self._member(theirs.members[each], ours.members[each], theirs.name, each)

    def _member(self, theirs: Member, ours: Member, where: str, name: str) -> Iterator[Difference]:
        yield from self._required(theirs, ours, where, name)
        forms = self.theirs.forms(theirs.meant), self.ours.forms(ours.meant)
        if theirs.loose:
            forms = without_null(forms[0]), without_null(forms[1])
        yield from self._compare(*forms, where, name)

    def _required(self, theirs: Member, ours: Member, where: str, name: str) -> Iterator[Difference]:
        if not theirs.loose:
            if theirs.required != ours.required:
                yield where, f"{name}: required by {'openai' if theirs.required else 'us'} alone"
        elif ours.required and not any(form.kind in ("null", "any") for form in self.ours.forms(ours.meant)):
            yield where, f"{name}: may be missing, ours requires it"


def without_null(forms: list[Form]) -> list[Form]:
    return [form for form in forms if form.kind != "null"]


def words(forms: Iterable[Form]) -> frozenset[Any] | None:
    found: set[Any] = set()
    for form in forms:
        if form.words is None:
            return None
        found |= form.words
    return frozenset(found)


def listed(values: Iterable[Any] | None) -> str:
    return "any" if values is None else ", ".join(sorted(str(value) for value in values))


@dataclass(frozen=True)
class Operation:
    """What the package sends to a path and takes for an answer; None where there is nothing."""

    asked: Any = None
    answered: Any = None
    events: Any = None
    listed: Any = None
    """The entries of a page, which is a class of the package's own machinery and not of its types."""


CREATED = (
    completion_create_params.CompletionCreateParamsNonStreaming
    | completion_create_params.CompletionCreateParamsStreaming
)
OPERATIONS = {
    "POST /v1/chat/completions": Operation(CREATED, chat.ChatCompletion, chat.ChatCompletionChunk),
    "GET /v1/chat/completions": Operation(
        completion_list_params.CompletionListParams, listed=chat.ChatCompletion
    ),
    "GET /v1/chat/completions/{}": Operation(answered=chat.ChatCompletion),
    "POST /v1/chat/completions/{}": Operation(
        completion_update_params.CompletionUpdateParams, chat.ChatCompletion
    ),
    "DELETE /v1/chat/completions/{}": Operation(answered=chat.ChatCompletionDeleted),
    "GET /v1/chat/completions/{}/messages": Operation(
        message_list_params.MessageListParams, listed=ChatCompletionStoreMessage
    ),
    "POST /v1/responses": Operation(
        response_create_params.ResponseCreateParams, responses.Response, responses.ResponseStreamEvent
    ),
    "GET /v1/responses/{}": Operation(
        response_retrieve_params.ResponseRetrieveParams, responses.Response, responses.ResponseStreamEvent
    ),
    "DELETE /v1/responses/{}": Operation(),
    "POST /v1/responses/{}/cancel": Operation(answered=responses.Response),
    "GET /v1/responses/{}/input_items": Operation(
        input_item_list_params.InputItemListParams, responses.ResponseItemList
    ),
    "POST /v1/responses/input_tokens": Operation(
        input_token_count_params.InputTokenCountParams, responses.InputTokenCountResponse
    ),
    "POST /v1/responses/compact": Operation(
        response_compact_params.ResponseCompactParams, responses.CompactedResponse
    ),
    "POST /v1/conversations": Operation(
        conversation_create_params.ConversationCreateParams, conversations.Conversation
    ),
    "GET /v1/conversations/{}": Operation(answered=conversations.Conversation),
    "POST /v1/conversations/{}": Operation(
        conversation_update_params.ConversationUpdateParams, conversations.Conversation
    ),
    "DELETE /v1/conversations/{}": Operation(answered=conversations.ConversationDeletedResource),
    "POST /v1/conversations/{}/items": Operation(
        item_create_params.ItemCreateParams, conversations.ConversationItemList
    ),
    "GET /v1/conversations/{}/items": Operation(
        item_list_params.ItemListParams, conversations.ConversationItemList
    ),
    "GET /v1/conversations/{}/items/{}": Operation(
        item_retrieve_params.ItemRetrieveParams, conversations.ConversationItem
    ),
    "DELETE /v1/conversations/{}/items/{}": Operation(answered=conversations.Conversation),
    "GET /v1/models": Operation(listed=Model),
    "GET /v1/models/{}": Operation(answered=Model),
    "DELETE /v1/models/{}": Operation(answered=ModelDeleted),
}


def contracts(operation: str) -> list[Contract]:
    """Those of OpenAI at this method and path: one for the plain answer and maybe one for the stream."""
    return [
        contract
        for contract in CONTRACTS.values()
        if contract.provider is not None and contract.provider.id == "openai" and not contract.abstract
        for path in contract.request.get("paths", ())
        if f"{contract.method} {re.sub('{[^}]*}', '{}', path)}" == operation
    ]


class Walks:
    """The walks over all operations; `differences` is what they found."""

    def __init__(self) -> None:
        self.members = 0
        self.classes: set[str] = set()
        self.events: set[str] = set()
        self.differences: dict[str, set[str]] = {}
        for name, operation in OPERATIONS.items():
            found = contracts(name)
            if not found:
                self._tell(name, "no contract")
            for contract in found:
                self._walk(name, operation, contract)

    def _tell(self, where: str, what: str) -> None:
        self.differences.setdefault(where, set()).add(what)

    def _walk(self, name: str, operation: Operation, contract: Contract) -> None:
        walk = Walk(contract)
        for said, schema, tag in self._pairs(name, operation, contract):
            for where, what in walk.differences(said, schema, tag):
                self._tell(where or name, what)
        self.members += walk.members
        self.classes |= walk.classes

    def _pairs(self, name: str, operation: Operation, contract: Contract) -> Iterator[tuple[Any, Any, str]]:
        request, response = contract.request, contract.response
        asked = request.get("body" if contract.method == "POST" else "query")
        if operation.asked is not None and asked is not None:
            yield operation.asked, asked, ""
        elif operation.asked is not None or asked is not None:
            self._tell(name, f"asks nothing in {'ours' if asked is None else 'openai'}")
        if contract.streams:
            yield from self._events(name, operation, contract)
        elif operation.listed is not None:
            yield operation.listed, self._entries(contract), ""
        elif operation.answered is not None:
            yield operation.answered, response["body"], ""

    def _entries(self, contract: Contract) -> Any:
        """The schema of the entries of a list."""
        ours = Ours(contract)
        [page] = ours.forms([(contract.response["body"],)])
        assert page.members is not None, contract.id
        [entries] = ours.forms(page.members["data"].meant)
        [schemas] = entries.items
        return {"allOf": list(schemas)}

    def _events(self, name: str, operation: Operation, contract: Contract) -> Iterator[tuple[Any, Any, str]]:
        events = contract.response["events"]
        if is_model(operation.events):
            [schema] = events.values()
            yield operation.events, schema, ""
            return
        union = get_args(bare(operation.events))
        modelled = {get_args(each.model_fields["type"].annotation)[0]: each for each in union}
        self.events |= set(modelled)
        if missing := set(modelled) - set(events):
            self._tell(name, f"events missing: {listed(missing)}")
        if extra := set(events) - set(modelled):
            self._tell(name, f"events beyond: {listed(extra)}")
        for each in sorted(set(modelled) & set(events)):
            yield modelled[each], events[each], "type"


def is_model(said: Any) -> bool:
    return isinstance(said, type) and issubclass(said, BaseModel)


@pytest.fixture(scope="module")
def walks() -> Walks:
    return Walks()


def test_every_difference_is_listed_with_its_reason(walks: Walks) -> None:
    unlisted = {
        f"{where}: {what}"
        for where, each in walks.differences.items()
        for what in each - set(LISTED.get(where, ()))
    }
    assert unlisted == set()


def test_no_listed_difference_is_stale(walks: Walks) -> None:
    stale = {
        f"{where}: {what}"
        for where, each in LISTED.items()
        for what in set(each) - walks.differences.get(where, set())
    }
    assert stale == set()


def test_every_reason_says_something() -> None:
    named = {reason for each in LISTED.values() for reason in each.values()}
    assert {reason for reason in named if len(reason) < 20} == set(REASONS)
    assert all(len(reason) > 40 for reason in REASONS.values())


ASKS = re.compile(r'self\._(get|post|delete|get_api_list)\(\s*(?:path_template\(\s*)?"([^"]+)"')
"""How a method of the package says what it sends where; `get_api_list` is a page of a GET."""


def test_every_operation_of_the_package_is_walked() -> None:
    """`connect` is none of them: it opens a WebSocket, whose messages are requests and events walked here."""
    client = OpenAI(api_key="none")
    resources: list[Any] = [client.models, client.chat.completions, client.chat.completions.messages]
    resources += [client.responses, client.responses.input_items, client.responses.input_tokens]
    resources += [client.conversations, client.conversations.items]
    asked = {
        f"{'GET' if verb == 'get_api_list' else verb.upper()} /v1{re.sub('{[^}]*}', '{}', path)}"
        for resource in resources
        for verb, path in ASKS.findall(inspect.getsource(type(resource)))
    }
    assert asked == set(OPERATIONS)


def test_the_walk_sees_every_member(walks: Walks) -> None:
    assert walks.members > 4000
    assert len(walks.events) == len(get_args(bare(responses.ResponseStreamEvent))) > 50
    known = {
        "chat.chat_completion.ChatCompletion",
        "chat.chat_completion_chunk.ChoiceDeltaToolCallFunction",
        "chat.chat_completion_content_part_param.FileFile",
        "responses.tool_param.Mcp",
        "responses.response_input_param.ShellCall",
        "responses.response_usage.ResponseUsage",
        "responses.response_web_search_call_searching_event.ResponseWebSearchCallSearchingEvent",
        "conversations.message.Message",
        "model.Model",
    }
    assert known - walks.classes == set()


class City(BaseModel):
    name: str
    river: str | None = None
    size: Literal["small", "large"]
    twins: list[int]


class Asked(TypedDict, total=False):
    name: Required[str]
    river: str | None
    place: Required[Pier | Field]


class Pier(TypedDict):
    type: Literal["pier"]


class Field(TypedDict):
    type: Literal["field"]


CITY: dict[str, Any] = {
    "type": "object",
    "required": ["name", "size", "twins"],
    "properties": {
        "name": {"type": "string"},
        "river": {"type": "string"},
        "size": {"enum": ["small", "large"]},
        "twins": {"type": "array", "items": {"type": "integer"}},
    },
}
ASKED: dict[str, Any] = {
    "type": "object",
    "required": ["name", "place"],
    "properties": {
        "name": {"type": "string"},
        "river": {"oneOf": [{"type": "null"}, {"type": "string"}]},
        "place": {
            "oneOf": [
                {"type": "object", "required": ["type"], "properties": {"type": {"const": "pier"}}},
                {"type": "object", "required": ["type"], "properties": {"type": {"const": "field"}}},
            ]
        },
    },
}
BROKEN = [
    (City, CITY, {}, set()),
    (City, CITY, {"name": None}, {"members missing: name"}),
    (City, CITY, {"rain": {}}, {"members beyond: rain"}),
    (City, CITY, {"name": {"type": ["string", "null"]}}, {"name: type: openai string, ours null, string"}),
    (City, CITY, {"river": {"type": ["string", "null"]}}, set()),
    (City, CITY, {"size": {"enum": ["small"]}}, {"size: words missing: large"}),
    (City, CITY, {"size": {"enum": ["small", "large", "vast"]}}, {"size: words beyond: vast"}),
    (City, CITY, {"size": {"type": "string"}}, {"size: words: openai large, small, ours any"}),
    (City, CITY, {"twins": {"type": "array"}}, {"twins[]: ours takes anything"}),
    (
        City,
        CITY,
        {"twins": {"type": "array", "items": {"type": "number"}}},
        {"twins[]: type: openai integer, ours number"},
    ),
    (City, {**CITY, "required": ["size", "twins"]}, {}, {"name: required by openai alone"}),
    (
        City,
        {**CITY, "required": [*CITY["required"], "river"]},
        {},
        {"river: may be missing, ours requires it"},
    ),
    (Asked, ASKED, {}, set()),
    (Asked, ASKED, {"river": {"type": "string"}}, {"river: type: openai null, string, ours string"}),
    (Asked, {**ASKED, "required": ["name", "place", "river"]}, {}, {"river: required by us alone"}),
    (
        Asked,
        ASKED,
        {"place": ASKED["properties"]["place"]["oneOf"][0]},
        {"place: alternative missing: type field"},
    ),
]
"""A type, a schema, members to replace in it (None: to take out), and what the walk is to tell."""


@pytest.mark.parametrize(("said", "schema", "changed", "told"), BROKEN)
def test_the_walk_tells_each_kind_of_difference(
    said: Any, schema: Mapping[str, Any], changed: Mapping[str, Any], told: set[str]
) -> None:
    properties = {**schema["properties"], **changed}
    kept = {name: value for name, value in properties.items() if value is not None}
    required = [name for name in schema["required"] if name in kept]
    ours = {**schema, "required": required, "properties": kept}
    found = Walk(CONTRACTS["openai/responses"]).differences(said, ours)
    assert {what for _, what in found} == told
