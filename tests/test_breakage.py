"""Broken on purpose: each operation changes what it says, and one that changes nothing is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml

from conformance.breakage import (
    Unbroken,
    broken_reply,
    broken_response,
    broken_turn,
    broken_wire,
    implied,
    varied,
    with_headers,
    without,
)
from conformance.contract import Contract, Rule
from conformance.documents.library import SPECS as FOLDER
from conformance.exchange import Chunk, Event, Request, Response
from conformance.framing import dump, encode, named, read
from conformance.judge import (
    header_mismatches,
    order_mismatches,
    shape_mismatches,
    status_mismatches,
)
from conformance.loading import load
from conformance.values import (
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
)

SPECS = load()
OPERATION = yaml.safe_load((FOLDER / "schema" / "common.yaml").read_text(encoding="utf-8"))["$defs"][
    "Operation"
]
LEVELS = {name: set(said.get("properties", ())) for name, said in OPERATION["properties"].items()}

A, B, C = Event("a", {"n": 1}), Event("b", {"n": 2, "l": [1, 2]}), Event("c", {"n": 3})
PLAIN = Response(
    200,
    (("Content-Type", "application/json"), ("X-Id", "1")),
    (),
    body={"n": 1, "m": {"k": "v"}, "l": [{"x": 1}, {"x": 2}]},
)
STREAM = replace(PLAIN, body=None, events=(A, B, C))


def after(response: Response, **how: Any) -> Response:
    return broken_response(None, response, [{"exchange": how}])


def names(response: Response) -> list[str | None]:
    return [event.name for event in response.events or ()]


# Exchanges

EXCHANGES: list[tuple[Response, dict[str, Any], Response]] = [
    (PLAIN, {"status": 202}, replace(PLAIN, status=202)),
    (PLAIN, {"headers": {"x-id": "2"}}, replace(PLAIN, headers=(("Content-Type", "application/json"), ("X-Id", "2")))),
    (PLAIN, {"headers": {"x-id": None}}, replace(PLAIN, headers=(("Content-Type", "application/json"),))),
    (PLAIN, {"headers": {"New": "1"}}, replace(PLAIN, headers=(*PLAIN.headers, ("New", "1")))),
    (PLAIN, {"set": {"/body/m/k": "w"}}, replace(PLAIN, body={**PLAIN.body, "m": {"k": "w"}})),
    (PLAIN, {"set": {"/body/m/new": None}}, replace(PLAIN, body={**PLAIN.body, "m": {"k": "v", "new": None}})),
    (PLAIN, {"set": {"/body/l/*/x": 0}}, replace(PLAIN, body={**PLAIN.body, "l": [{"x": 0}, {"x": 0}]})),
    (PLAIN, {"set": {"/body": []}}, replace(PLAIN, body=[])),
    (PLAIN, {"set": {"/headers/x-id": "2"}}, replace(PLAIN, headers=(PLAIN.headers[0], ("X-Id", "2")))),
    (STREAM, {"set": {"/events/b/n": "x"}}, replace(STREAM, events=(A, Event("b", {**B.data, "n": "x"}), C))),
    (STREAM, {"set": {"/events/-1/n": 4}}, replace(STREAM, events=(A, B, Event("c", {"n": 4})))),
    (PLAIN, {"add": {"/body/n": 2}}, replace(PLAIN, body={**PLAIN.body, "n": 3})),
    (PLAIN, {"add": {"/body/new": 2}}, replace(PLAIN, body={**PLAIN.body, "new": 2})),
    (STREAM, {"add": {"/events/0/n": -1.5}}, replace(STREAM, events=(Event("a", {"n": -0.5}), B, C))),
    (PLAIN, {"remove": ["/body/m", "/body/l/0"]}, replace(PLAIN, body={"n": 1, "l": [{"x": 2}]})),
    (PLAIN, {"remove": ["/headers/x-id"]}, replace(PLAIN, headers=PLAIN.headers[:1])),
    (STREAM, {"remove": ["/events/b/l"]}, replace(STREAM, events=(A, Event("b", {"n": 2}), C))),
    (PLAIN, {"rename": {"/body/m/k": "q"}}, replace(PLAIN, body={**PLAIN.body, "m": {"q": "v"}})),
    (STREAM, {"rename": {"/events/b/n": "m"}}, replace(STREAM, events=(A, Event("b", {"l": [1, 2], "m": 2}), C))),
    (STREAM, {"repeat": "b"}, replace(STREAM, events=(A, B, B, C))),
    (STREAM, {"repeat": -1}, replace(STREAM, events=(A, B, C, C))),
    (STREAM, {"drop": "b"}, replace(STREAM, events=(A, C))),
    (STREAM, {"drop": 0}, replace(STREAM, events=(B, C))),
    (STREAM, {"drop": "*"}, replace(STREAM, events=())),
    (STREAM, {"move": {"event": "a", "to": 1}}, replace(STREAM, events=(B, A, C))),
    (STREAM, {"move": {"event": "a", "to": -1}}, replace(STREAM, events=(B, C, A))),
    (STREAM, {"insert": {"at": 1, "event": {"name": "d", "data": {"n": 0}}}}, replace(STREAM, events=(A, Event("d", {"n": 0}), B, C))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "how", "changed"), EXCHANGES, ids=[str(how)[:60] for _, how, _ in EXCHANGES]
)
def test_an_exchange_is_changed_as_the_operation_says(
    before: Response, how: dict[str, Any], changed: Response
) -> None:
    assert after(before, **how) == changed


UNCHANGED: list[tuple[Response, dict[str, Any]]] = [
    (PLAIN, {"status": 200}),
    (PLAIN, {"headers": {"x-gone": None}}),
    (PLAIN, {"set": {"/body/n": 1}}),
    (PLAIN, {"set": {"/body/nowhere/n": 1}}),
    (PLAIN, {"set": {"/events/0/n": 7}}),
    (PLAIN, {"add": {"/body/n": 0}}),
    (PLAIN, {"add": {"/body/m/k": 1}}),
    (PLAIN, {"remove": ["/body/gone"]}),
    (PLAIN, {"remove": ["/body"]}),
    (STREAM, {"remove": ["/events"]}),
    (PLAIN, {"remove": ["/headers/x-gone"]}),
    (PLAIN, {"rename": {"/body/gone": "here"}}),
    (PLAIN, {"repeat": 0}),
    (STREAM, {"repeat": "d"}),
    (STREAM, {"repeat": 3}),
    (STREAM, {"repeat": -4}),
    (STREAM, {"drop": "d"}),
    (replace(STREAM, events=()), {"drop": "*"}),
    (replace(STREAM, events=()), {"drop": 0}),
    (STREAM, {"move": {"event": "a", "to": 0}}),
    (STREAM, {"move": {"event": "d", "to": 0}}),
    (PLAIN, {"insert": {"at": 0, "event": {"name": "d"}}}),
]


@pytest.mark.parametrize(("response", "how"), UNCHANGED, ids=[str(how)[:60] for _, how in UNCHANGED])
def test_an_operation_that_changes_nothing_in_an_exchange_is_refused(
    response: Response, how: dict[str, Any]
) -> None:
    with pytest.raises(Unbroken):
        after(response, **how)


def test_the_refusal_names_the_contract_and_the_operation() -> None:
    contract = SPECS.contracts["bedrock-runtime/converse"]
    operation = {"exchange": {"status": 200}}
    with pytest.raises(Unbroken, match=r"bedrock-runtime/converse: .*'status': 200.* changes nothing"):
        broken_response(contract, PLAIN, [operation])
    with pytest.raises(Unbroken, match=r"expected an event 'd', got \['a', 'b', 'c'\]"):
        after(STREAM, drop="d")


def test_operations_are_done_one_after_the_other() -> None:
    done = broken_response(
        None, STREAM, [{"exchange": {"drop": "a"}}, {"exchange": {"set": {"/events/0/n": 9}}}]
    )
    assert done.events == (Event("b", {"n": 9, "l": [1, 2]}), C)
    with pytest.raises(Unbroken):
        broken_response(None, STREAM, [{"exchange": {"drop": "a"}}, {"exchange": {"drop": "a"}}])


def test_operations_of_other_levels_leave_the_exchange_alone() -> None:
    assert (
        broken_response(None, PLAIN, [{"reply": {"text": "x"}}, {"wire": {"flip": 0}}, {"skip": ["auth"]}])
        == PLAIN
    )


def test_the_changed_exchange_is_another_one() -> None:
    before = {"n": 1, "m": {"k": "v"}}
    after(replace(PLAIN, body=before), set={"/body/m/k": "w"})
    assert before == {"n": 1, "m": {"k": "v"}}


def test_an_event_keeps_its_time_when_it_is_changed() -> None:
    timed = replace(STREAM, events=(replace(A, at=1.5),))
    assert after(timed, set={"/events/0/n": 2}).events == (Event("a", {"n": 2}, 1.5),)


# Bytes

PIECES = [b"one\n", b"two\n", b"three\n"]
WIRES: list[tuple[dict[str, Any], list[bytes], str | None]] = [
    ({"flip": 0}, [b"nne\ntwo\nthree\n"], None),
    ({"flip": -1}, [b"one\ntwo\nthree\x0b"], None),
    ({"append": "}"}, [*PIECES, b"}"], None),
    ({"body": ""}, [b""], None),
    ({"line_end": "\r\n"}, [b"one\r\n", b"two\r\n", b"three\r\n"], None),
    ({"line_end": "\r"}, [b"one\r", b"two\r", b"three\r"], None),
    ({"join": ": still here\n"}, [b"one\n: still here\ntwo\n: still here\nthree\n"], None),
    ({"cut": 5}, [b"one\nt"], "cut"),
    ({"cut": -2}, [b"one\ntwo\nthre"], "cut"),
    ({"stall": 5}, [b"one\nt"], "stall"),
    ({"stall": 0}, [b""], "stall"),
    ({"flip": 0, "cut": 3}, [b"nne"], "cut"),
]


@pytest.mark.parametrize(("how", "pieces", "end"), WIRES, ids=[str(how) for how, _, _ in WIRES])
def test_bytes_are_changed_as_the_operation_says(
    how: dict[str, Any], pieces: list[bytes], end: str | None
) -> None:
    assert broken_wire(PIECES, [{"wire": how}]) == (pieces, end)


@pytest.mark.parametrize(
    ("pieces", "operations"),
    [
        (PIECES, [{"line_end": "\n"}]),
        (PIECES[:1], [{"join": ", "}]),
        (PIECES, [{"append": ""}]),
        ([], [{"flip": 0}]),
        ([b""], [{"flip": -1}]),
        (PIECES, [{"cut": 5}, {"line_end": "\n"}]),
    ],
)
def test_an_operation_that_changes_nothing_in_the_bytes_is_refused(
    pieces: Sequence[bytes], operations: Sequence[Mapping[str, Any]]
) -> None:
    with pytest.raises(Unbroken):
        broken_wire(pieces, [{"wire": how} for how in operations])


def test_bytes_without_an_operation_stay_as_they_are() -> None:
    assert broken_wire(PIECES, [{"exchange": {"status": 202}}]) == (PIECES, None)


def test_a_cut_at_the_end_still_cuts_the_connection() -> None:
    assert broken_wire([b"abc"], [{"wire": {"cut": 3}}]) == ([b"abc"], "cut")


# Replies and turns

REPLY = Reply(
    (Text("Hi"), Reasoning("Hm."), ToolCall("1", "f", {"a": 1})), "stop_sequence", Usage(5, 9), "END"
)
REPLIES: list[tuple[dict[str, Any], Reply]] = [
    ({"text": "Ho"}, replace(REPLY, parts=(Text("Ho"),))),
    ({"append": "!"}, replace(REPLY, parts=(*REPLY.parts, Text("!")))),
    ({"finish": "length"}, replace(REPLY, finish="length", stop_sequence=None)),
    ({"finish": None}, replace(REPLY, finish=None, stop_sequence=None)),
    ({"usage": {"output": 1, "input": -9}}, replace(REPLY, usage=Usage(0, 10))),
    ({"arguments": [7]}, replace(REPLY, parts=(*REPLY.parts[:2], ToolCall("1", "f", [7])))),
    ({"drop": "text"}, replace(REPLY, parts=REPLY.parts[1:])),
    ({"drop": "tool_calls"}, replace(REPLY, parts=REPLY.parts[:2])),
    ({"relabel": {"stop_sequence": "stop"}}, replace(REPLY, finish="stop")),
    ({"relabel": {"length": "stop"}}, REPLY),
    ({"drop": "reasoning"}, replace(REPLY, parts=(REPLY.parts[0], REPLY.parts[2]))),
]


@pytest.mark.parametrize(("how", "changed"), REPLIES, ids=[str(how) for how, _ in REPLIES])
def test_a_reply_is_changed_as_the_operation_says(how: dict[str, Any], changed: Reply) -> None:
    assert broken_reply(REPLY, [{"reply": how}]) == changed


def test_a_reply_varies_with_the_request_as_it_was_sent_or_with_each_answer() -> None:
    def said(of: str, request: Request, answer: str) -> str:
        return broken_reply(REPLY, varied([{"reply": {"vary": of}}], request, answer)).text

    one = Request("POST", "/", (("A", "1"),), b"{}")
    other = replace(one, headers=(("A", "1"), ("B", "1")))
    assert said("request", one, "x") == said("request", one, "y") != said("request", other, "x")
    assert said("id", one, "x") == said("id", other, "x") != said("id", one, "y")
    assert varied([{"reply": {"text": "Ho"}}], one, "x") == [{"reply": {"text": "Ho"}}]


def test_a_reply_that_counts_nothing_stays_uncounted() -> None:
    assert broken_reply(replace(REPLY, usage=None), [{"reply": {"usage": {"output": 1}}}]).usage is None


PICTURE = Media("image", "png", b"1")
TURN = Turn(
    (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("Look."), PICTURE, Media("document", "pdf", b"2"))),
        Message("tool", (ToolResult("1", (Text("31"),)),)),
        Message("user", (Media("audio", "wav", b"3"), Media("video", "mp4", b"4"))),
        Message("user", (Text("And?"),)),
    ),
    tools=(Tool("f"),),
    tool_choice=ToolChoice("any"),
    max_tokens=5,
    stop=("END",),
    output=OutputFormat(),
    n=2,
    reasoning="high",
)
SYSTEM, LOOK, RESULT, BOTH, LAST = TURN.messages
SEEN, HEARD = Message("user", BOTH.parts[:1]), Message("user", BOTH.parts[1:])
IGNORED: dict[str, Turn] = {
    "max_tokens": replace(TURN, max_tokens=None),
    "stop": replace(TURN, stop=()),
    "tools": replace(TURN, tools=()),
    "tool_choice": replace(TURN, tool_choice=None),
    "parallel_tool_calls": replace(TURN, parallel_tool_calls=False),
    "reasoning": replace(TURN, reasoning=None),
    "audio": replace(TURN, messages=(SYSTEM, LOOK, RESULT, HEARD, LAST)),
    "video": replace(TURN, messages=(SYSTEM, LOOK, RESULT, SEEN, LAST)),
    "documents": replace(TURN, messages=(SYSTEM, Message("user", LOOK.parts[:2]), RESULT, BOTH, LAST)),
    "output": replace(TURN, output=None),
    "n": replace(TURN, n=1),
    "images": replace(
        TURN, messages=(SYSTEM, Message("user", (LOOK.parts[0], LOOK.parts[2])), RESULT, BOTH, LAST)
    ),
    "results": replace(TURN, messages=(SYSTEM, LOOK, Message("tool", (ToolResult("1", ()),)), BOTH, LAST)),
    "history": replace(TURN, messages=(SYSTEM, LAST)),
    "system": replace(TURN, messages=(LOOK, RESULT, BOTH, LAST)),
}


@pytest.mark.parametrize("name", IGNORED)
def test_a_model_does_not_see_what_it_is_told_to_ignore(name: str) -> None:
    assert broken_turn(TURN, [{"reply": {"ignore": [name]}}]) == IGNORED[name]
    assert IGNORED[name] != TURN


@pytest.mark.parametrize("name", IGNORED)
def test_a_turn_without_what_is_ignored_stays_as_it_is(name: str) -> None:
    """Of a probe's steps only some have it, and the others are to be answered as ever."""
    plain = Turn((Message("user", (Text("Hi"),)),))
    assert broken_turn(plain, [{"reply": {"ignore": [name]}}, {"exchange": {"status": 202}}]) == plain


def test_several_members_are_ignored_together() -> None:
    both = broken_turn(TURN, [{"reply": {"ignore": ["tools", "stop"]}}, {"reply": {"ignore": ["n"]}}])
    assert both == replace(TURN, tools=(), stop=(), n=1)


def test_pictures_alone_are_taken_out_of_a_turn() -> None:
    assert without(TURN, "image") == IGNORED["images"]


# The format and its operations


def test_every_operation_of_the_format_is_tested_here() -> None:
    assert LEVELS["exchange"] == {name for _, how, _ in EXCHANGES for name in how}
    assert LEVELS["wire"] == {name for how, _, _ in WIRES for name in how}
    assert LEVELS["reply"] == {name for how, _ in REPLIES for name in how} | {"ignore", "vary"}
    assert set(LEVELS) - {"exchange", "wire", "reply"} == {"instead", "refuse", "skip"}, (
        "those are the mock's own"
    )


def test_every_member_that_the_format_lets_a_model_ignore_is_tested_here() -> None:
    reply = OPERATION["properties"]["reply"]["properties"]
    assert set(reply["ignore"]["items"]["enum"]) == set(IGNORED)
    assert set(reply["drop"]["enum"]) == {how["drop"] for how, _ in REPLIES if "drop" in how}


@pytest.mark.parametrize(
    ("changes", "headers"),
    [
        ({"b": "2"}, (("A", "1"), ("B", "2"), ("C", "1"))),
        ({"b": None}, (("A", "1"), ("C", "1"))),
        ({"D": "1", "e": None}, (("A", "1"), ("B", "1"), ("C", "1"), ("D", "1"))),
    ],
)
def test_headers_are_changed_in_their_place(
    changes: Mapping[str, str | None], headers: tuple[tuple[str, str], ...]
) -> None:
    assert with_headers((("A", "1"), ("B", "1"), ("C", "1")), changes) == headers


# The implied rules, in every worked example


def example(contract: Contract, name: str) -> Response:
    said = contract.exchanges[name]["response"]
    headers = (("Content-Type", str(contract.response["content_type"])),)
    if "events" in said:
        events = tuple(named(contract, each.get("name"), each["data"]) for each in said["events"])
        return Response(said["status"], headers, (), events=events)
    return Response(said["status"], headers, (), body=said["body"])


def asked(contract: Contract, rule: Rule, response: Response) -> Response:
    """What a reader gets of the response once the rule is broken in it."""
    operations = implied(contract, rule, response)
    changed = broken_response(contract, response, operations)
    pieces = list(encode(contract, changed.events)) if changed.events is not None else [dump(changed.body)]
    if any("wire" in each for each in operations):
        pieces, _ = broken_wire(pieces, operations)
    return read(contract, changed.status, changed.headers, [Chunk(piece) for piece in pieces])


EXAMPLES = [
    pytest.param(contract, name, id=f"{contract.id}:{name}")
    for contract in SPECS.contracts.values()
    if not contract.abstract and "status" in contract.rules
    for name, exchange in contract.exchanges.items()
    if exchange["response"]["status"] == contract.response["status"]
]


@pytest.mark.parametrize(("contract", "name"), EXAMPLES)
def test_each_implied_rule_is_broken_in_every_worked_example(contract: Contract, name: str) -> None:
    response = example(contract, name)
    rules = {rule.id: rule for rule in contract.rules.values() if rule.implied}
    broken = {rule.id: asked(contract, rule, response) for rule in rules.values()}
    assert list(status_mismatches(contract, broken["status"]))
    assert next(header_mismatches(contract, broken["headers"])).at == "/headers/content-type"
    assert broken["framing"].problem
    assert list(shape_mismatches(contract, broken["shape"]))
    assert broken["shape"].problem is None
    if contract.streams:
        assert list(order_mismatches(contract, broken["order"]))
        assert broken["order"].problem is None
        assert not list(order_mismatches(contract, response))


def test_only_implied_rules_are_broken_without_being_told_how() -> None:
    contract = SPECS.contracts["bedrock-runtime/converse"]
    with pytest.raises(Unbroken, match="usage-adds-up: expected one of the implied rules"):
        implied(contract, contract.rules["usage-adds-up"], PLAIN)


def test_a_shape_that_nothing_breaks_is_told() -> None:
    contract = SPECS.contracts["bedrock-runtime/converse"]
    loose = replace(contract, said={**contract.said, "response": {**contract.response, "body": {}}})
    with pytest.raises(Unbroken, match="bedrock-runtime/converse: nothing in this answer can be taken away"):
        implied(loose, contract.rules["shape"], PLAIN)
