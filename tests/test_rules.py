"""The checks: each is kept by one exchange and broken by another that hardly differs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from conformance.card import Card
from conformance.contract import Contract
from conformance.documents.library import SPECS as FOLDER
from conformance.exchange import Chunk, Ending, Event, Exchange, Headers, Request, Response
from conformance.loading import load
from conformance.rules import CHECKS, OF_REFUSALS, Seen, Step, Unseen
from conformance.shapes import ABSENT, Mismatch
from conformance.values import OutputFormat, Tool, Turn

SPECS = load()
CONVERSE = SPECS.contracts["bedrock-runtime/converse"]
STREAM = SPECS.contracts["bedrock-runtime/converse-stream"]
MODELS = SPECS.contracts["puter/model-details"]
PUTER_CARD = next(card for card in SPECS.cards if card.seller == "puter" and "magistral" in card.ids["puter"])
RULE = CONVERSE.rules["usage-adds-up"]


def step(
    body: Any = None,
    *,
    events: Sequence[Event] | None = None,
    raw: bytes | None = None,
    status: int = 200,
    headers: Headers = (),
    ending: Ending = "complete",
    contract: Contract = CONVERSE,
    sent: Any = None,
    turn: Turn | None = None,
    name: str = "ask",
) -> Step:
    chunks = (Chunk(raw if raw is not None else json.dumps(body).encode()),)
    if raw is not None and body is None:
        body = json.loads(raw)
    response = Response(
        status, headers, chunks, body=body, events=None if events is None else tuple(events), ending=ending
    )
    return Step(name, contract, Exchange(Request("POST", "/", ()), response), sent, turn)


def said(
    *parts: Mapping[str, Any], finish: str = "end_turn", tokens: tuple[int, int] | None = (5, 9), **how: Any
) -> Step:
    """An answer in the words of Converse."""
    body: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": list(parts)}},
        "stopReason": finish,
    }
    if tokens is not None:
        body["usage"] = {"inputTokens": tokens[0], "outputTokens": tokens[1], "totalTokens": sum(tokens)}
    return step(body, **how)


def text(words: str, **how: Any) -> Step:
    return said({"text": words}, **how)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"toolUse": {"toolUseId": "tooluse_1", "name": name, "input": arguments}}


def stream(*names: str, **data: Any) -> Step:
    return step(events=[Event(name, data) for name in names], contract=STREAM)


def blocks(*pairs: tuple[str, int]) -> Step:
    """Events of one letter (begin, delta, end) with their block's index."""
    return step(events=[Event(name, {"i": index}) for name, index in pairs], contract=STREAM)


def deltas(*pieces: str, whole: str) -> Step:
    events = [Event("piece", {"d": piece}) for piece in pieces]
    return step(events=[*events, Event("other", {"d": "!"}), Event("done", {"text": whole})], contract=STREAM)


def turn(**members: Any) -> Turn:
    return Turn((), **members)


def refused(name: str = "bad-request", **changes: Any) -> Step:
    """The contract's error as it is documented."""
    failure = CONVERSE.failures[name]
    headers = tuple((key, value) for key, value in failure.headers.items() if value is not None)
    return step(
        changes.pop("body", failure.body), **{"status": failure.status, "headers": headers, **changes}
    )


def listed(price: float, name: str = "mistralai/magistral-small-2509", **more: Any) -> Step:
    entry = {"id": name, "aliases": ["mistral"], "costs": {"input": price}, **more}
    return step({"models": [{"id": "another", "costs": {"input": 1}}, entry]}, contract=MODELS)


WEATHER = Tool(
    "get_weather", schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Anna is older."}}}
PERSON = OutputFormat({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]})


@dataclass(frozen=True)
class Case:
    """A check, what it is given, an exchange that keeps it and one that breaks it at `at`."""

    check: str
    arguments: Mapping[str, Any]
    kept: Step | Sequence[Step]
    broken: Step | Sequence[Step]
    at: Sequence[str]
    card: Card | None = None

    def mismatches(self, steps: Step | Sequence[Step], **more: Any) -> list[Mismatch]:
        several = [steps] if isinstance(steps, Step) else steps
        named = {each.name: each for each in several}
        seen = Seen(several[-1].contract, RULE, named, self.card)
        return list(CHECKS[self.check](seen, **self.arguments, **more))


CASES = [
    # Members of the answer
    Case("present", {"at": "/body/a/b"}, step({"a": {"b": None}}), step({"a": {}}), ["/body/a/b"]),
    Case("absent", {"at": "/body/*/x"}, step({"a": {"y": 1}}), step({"a": {"x": 1}, "b": {"x": 2}}), ["/body/a/x", "/body/b/x"]),
    Case("equal", {"at": "/body/a", "to": "x"}, step({"a": "x"}), step({"a": "y"}), ["/body/a"]),
    Case("equal", {"at": "/body/a", "to": "x"}, step({"a": "x"}), step({}), ["/body/a"]),
    Case("equal", {"at": "/body/a", "to": None}, step({"a": None}), step({"a": 0}), ["/body/a"]),
    Case("equal", {"at": "/body/*/a", "to": 1}, step([{"a": 1}, {"a": 1}]), step([{"a": 1}, {"a": 2}]), ["/body/1/a"]),
    Case("equal", {"at": "/body/a", "same_as": "/body/b"}, step({"a": 1, "b": 1}), step({"a": 1, "b": 2}), ["/body/a"]),
    Case("equal", {"at": "/body/a", "same_as": "/body/b"}, step({"a": 1, "b": 1}), step({"a": 1}), ["/body/a"]),
    Case(
        "equal",
        {"at": "/body/a", "same_as": "/body/b", "step": "ask", "as_step": "tell"},
        [step({"b": 1}, name="tell"), step({"a": 1, "b": 2})],
        [step({"b": 2}, name="tell"), step({"a": 1, "b": 1})],
        ["/body/a"],
    ),
    Case("echoes", {"at": "/body/m", "of": "/kind"}, step({"m": 1}, sent={"kind": 1}), step({"m": 2}, sent={"kind": 1}), ["/body/m"]),
    Case("echoes", {"at": "/body/m", "of": "/kind"}, step({"m": 1}, sent={"kind": 1}), step({}, sent={"kind": 1}), ["/body/m"]),
    Case("echoes", {"at": "/body/m", "of": "/kind"}, step({"m": 1}, sent={"kind": 1}), step({"m": 1}, sent={}), ["/body/m"]),
    Case(
        "echoes",
        {"at": "/body/m", "of": "/model"},
        step({"m": "small"}, turn=turn(model="small")),
        step({"m": "large"}, turn=turn(model="small")),
        ["/body/m"],
    ),
    Case("echoes", {"at": "/body/m", "of": "/model"}, step({"m": "a"}, sent={"model": "a"}), step({"m": "a"}, sent={}), ["/body/m"]),
    Case("one_of", {"at": "/body/*", "values": [1, 2]}, step([1, 2, 1]), step([1, 3, 4]), ["/body/1", "/body/2"]),
    Case("refers", {"at": "/body/*/of", "to": "/body/*/id"}, step([{"id": 1}, {"of": 1}]), step([{"id": 1}, {"of": 2}]), ["/body/1/of"]),
    Case("matches", {"at": "/body/id", "pattern": "^x-"}, step({"id": "x-1"}), step({"id": "1-x-"}), ["/body/id"]),
    Case("matches", {"at": "/body/id", "pattern": "."}, step({"id": "x"}), step({"id": 7}), ["/body/id"]),
    Case("matches", {"at": "/body/id", "pattern": "."}, step({"id": "x"}), step({}), ["/body/id"]),
    Case(
        "sum",
        {"total": "/body/t", "parts": ["/body/a", "/body/b", "/body/cache"]},
        step({"t": 3, "a": 1, "b": 2}),
        step({"t": 3, "a": 1, "b": 2, "cache": 4}),
        ["/body/t"],
    ),
    Case("has_members", {"at": "/body", "members": ["a", "b"]}, step({"a": 1, "b": None}), step({"a": 1}), ["/body/b"]),
    Case("at_most", {"at": "/body/*", "limit": 5}, step([5, 4]), step([5, 6]), ["/body/1"]),
    Case("at_least", {"at": "/body/*", "limit": 5}, step([5, 6]), step([5, 4]), ["/body/1"]),
    Case("at_least", {"at": "/body/*", "limit": 5}, step([5, 6]), step([5, None]), ["/body/1"]),
    Case("count", {"at": "/body/*", "exactly": 2}, step([0, 0]), step([0]), ["/body/*"]),
    Case("count", {"at": "/body/*", "at_least": 2}, step([0, 0]), step([0]), ["/body/*"]),
    Case("count", {"at": "/body/*", "at_most": 2}, step([0, 0]), step([0, 0, 0]), ["/body/*"]),
    Case("count", {"event": "a", "exactly": 1}, stream("a", "b"), stream("a", "a"), ["/events/a"]),
    Case("count", {"event": "a", "exactly": 0}, stream("b"), stream("a"), ["/events/a"]),
    Case(
        "grows",
        {"at": "/body/n", "before": "tell", "after": "ask"},
        [step({"n": 1}, name="tell"), step({"n": 2})],
        [step({"n": 2}, name="tell"), step({"n": 2})],
        ["/body/n"],
    ),
    Case(
        "same_everywhere",
        {"at": "/events/*/id"},
        step(events=[Event("a", {"id": 1}), Event("b", {"id": 1})], contract=STREAM),
        step(events=[Event("a", {"id": 1}), Event("b", {"id": 2})], contract=STREAM),
        ["/events/1/id"],
    ),
    Case("same_everywhere", {"at": "/events/*/id"}, stream("a", id=1), stream("a"), ["/events/*/id"]),
    Case("increments", {"at": "/body/*", "first": 0}, step([0, 1, 2]), step([0, 2, 3]), ["/body/1"]),
    Case("increments", {"at": "/body/*", "first": 1}, step([1]), step([0]), ["/body/0"]),
    Case("increments", {"at": "/body/*", "first": 0}, step([0]), step([]), ["/body/*"]),
    Case("distinct", {"at": "/body/*/id"}, step([{"id": 1}, {"id": "1"}]), step([{"id": 1}, {"id": 2}, {"id": 1}]), ["/body/2/id"]),
    Case("in_order", {"list": "/body", "by": [""]}, step(["a", "b", "b"]), step(["a", "c", "b"]), ["/body/2"]),
    Case(
        "in_order",
        {"list": "/body", "by": ["/p", "/id"]},
        step([{"p": "a", "id": "z"}, {"p": "b", "id": "y"}]),
        step([{"p": "a", "id": "z"}, {"p": "a", "id": "y"}]),
        ["/body/1"],
    ),
    Case(
        "sorted_keys",
        {},
        step({"a": [{"b": 1, "c": 2}], "d": {}}),
        step({"a": [{"c": 1, "b": 2}], "d": {"f": 1, "e": 1}}),
        ["/a/0", "/d"],
    ),
    Case("sorted_keys", {}, stream("a", b=1, c=2), stream("a", c=1, b=2), [""]),
    Case("compact_json", {}, step(raw=rb'{"a":"b: \" c","d":[1,2]}'), step(raw=b'{"a": 1}'), ["/body"]),
    Case("compact_json", {}, step(raw=b'{"a":1.0,"b":"\\u00e9"}\n'), step(raw=b'{"a":1,\n"b":2}'), ["/body"]),
    # Headers
    Case(
        "header_matches",
        {"name": "X-Id", "pattern": "^[0-9]+$"},
        step({}, headers=(("x-ID", "12"),)),
        step({}, headers=(("x-ID", "1a"),)),
        ["/headers/x-id"],
    ),
    Case("header_matches", {"name": "x-id", "pattern": ""}, step({}, headers=(("X-Id", ""),)), step({}), ["/headers/x-id"]),
    Case(
        "header_absent",
        {"name": "x-ratelimit-.*"},
        step({}, headers=(("not-x-ratelimit-a", ""),)),
        step({}, headers=(("X-RateLimit-Left", "1"),)),
        ["/headers/x-ratelimit-left"],
    ),
    # What the card says
    Case(
        "names_model",
        {"at": "/body/models/*/id"},
        listed(50, "MistralAI/Magistral-Small-2509"),
        listed(50, "mistralai/magistral"),
        ["/body/models/*/id"],
        PUTER_CARD,
    ),
    Case(
        "names_model",
        {"at": "/body/models/*/id"},
        listed(50, "magistral-small-latest"),
        listed(50, "latest"),
        ["/body/models/*/id"],
        PUTER_CARD,
    ),
    Case(
        "listed_claim",
        {"list": "/body/models", "names": ["/id"], "at": "/context", "claim": "context_window"},
        listed(0, context=131072),
        listed(0, context=131073),
        ["/body/models/1/context"],
        PUTER_CARD,
    ),
    Case(
        "listed_claim",
        {"list": "/body/models", "names": ["/id"], "at": "/costs/input", "claim": "prices.input", "times": 100},
        listed(50),
        listed(51),
        ["/body/models/1/costs/input"],
        PUTER_CARD,
    ),
    Case(
        "listed_claim",
        {"list": "/body/models", "names": ["/id", "/aliases/*"], "at": "/in", "claim": "input_modalities"},
        listed(0, "?", aliases=["magistral-small-latest"], **{"in": ["text"]}),
        listed(0, "?", aliases=["magistral-small-latest"], **{"in": ["text", "image"]}),
        ["/body/models/1/in"],
        PUTER_CARD,
    ),
    Case(
        "listed_claim",
        {"list": "/body/models", "names": ["/id"], "at": "/tools", "claim": "tools"},
        listed(0, tools=True),
        listed(0),
        ["/body/models/1/tools"],
        PUTER_CARD,
    ),
    Case(
        "listed_claim",
        {"list": "/body/models", "names": ["/id"], "at": "/tools", "claim": "tools"},
        listed(0, tools=True),
        listed(0, "mistral", tools=True),
        ["/body/models"],
        PUTER_CARD,
    ),
    Case(
        "priced",
        {"cost": "/body/cents", "parts": {"input": "/body/in", "output": "/body/out"}, "unit": 100},
        step({"cents": 0.5 * 3e-4 + 1.5 * 7e-4, "in": 3, "out": 7}),
        step({"cents": 0.5 * 3e-4 + 1.5 * 8e-4, "in": 3, "out": 7}),
        ["/body/cents"],
        PUTER_CARD,
    ),
    Case(
        "priced",
        {"cost": "/body/cents", "parts": {"input": "/body/in"}, "unit": 100},
        step({"cents": 0}),
        step({"in": 0}),
        ["/body/cents"],
        PUTER_CARD,
    ),
    # Streams
    Case("ends_with", {"event": "b"}, stream("a", "b"), stream("b", "a"), ["/events/-1"]),
    Case("ends_with", {"event": "b"}, stream("b"), stream(), ["/events/-1"]),
    Case(
        "nested",
        {"start": "b", "delta": "d", "stop": "e", "index": "/i"},
        blocks(("b", 0), ("d", 0), ("e", 0), ("other", 9), ("d", 1), ("e", 1)),
        blocks(("b", 0), ("b", 1), ("e", 0), ("e", 1)),
        ["/events/1/i"],
    ),
    Case(
        "nested",
        {"start": "b", "delta": "d", "stop": "e", "index": "/i"},
        blocks(("d", 0), ("e", 0)),
        blocks(("d", 1), ("e", 1)),
        ["/events/0/i"],
    ),
    Case(
        "nested",
        {"start": "b", "delta": "d", "stop": "e", "index": "/i"},
        blocks(("d", 0), ("e", 0), ("d", 1)),
        blocks(("d", 0), ("e", 0), ("d", 0)),
        ["/events/2/i"],
    ),
    Case(
        "nested",
        {"start": "b", "delta": "d", "stop": "e", "index": "/i"},
        blocks(("d", 0)),
        step(events=[Event("d", {})], contract=STREAM),
        ["/events/0/i"],
    ),
    Case(
        "joins",
        {"deltas": "/events/*/d", "into": "/events/done/text", "event": "piece"},
        deltas("a", "b", whole="ab"),
        deltas("a", "b", whole="ab!"),
        ["/events/done/text"],
    ),
    Case(
        "joins",
        {"deltas": "/events/*/d", "into": "/events/done/text"},
        deltas("a", "b", whole="ab!"),
        deltas("a", "b", whole="ab"),
        ["/events/done/text"],
    ),
    Case("joins", {"deltas": "/events/*/d", "into": "/events/0/text"}, stream("a", text="b", d="b"), stream("a", d="b"), ["/events/0/text"]),
    Case(
        "fold_equals",
        {"step": "streamed", "to_step": "plain"},
        [text("Hi", name="plain"), text("Hi", name="streamed")],
        [text("Hi", name="plain"), text("H", name="streamed")],
        ["/text"],
    ),
    Case(
        "fold_equals",
        {"step": "streamed", "to_step": "plain"},
        [said(call("a", x=1), name="plain"), said(call("a", x=1), name="streamed")],
        [said(call("a", x=1), name="plain"), said(call("a", x=2), name="streamed")],
        ["/tool_calls"],
    ),
    Case(
        "fold_equals",
        {"step": "streamed", "to_step": "plain"},
        [text("Hi", name="plain"), text("Hi", finish="unheard_of", name="streamed")],
        [text("Hi", name="plain"), text("Hi", finish="max_tokens", name="streamed")],
        ["/finish"],
    ),
    # The same in several ways
    Case(
        "alike",
        {"at_least": 2, "step": "ask"},
        [text("Hi", name="ask"), text("Ho", name="ask-2"), text("Hi", name="ask-3")],
        [text("Hi", name="ask"), text("Ho", name="ask-2"), text("Ha", name="ask-3")],
        ["/text"],
    ),
    Case(
        "same_over_apis",
        {"step": "ask"},
        [text("Hi", name="ask"), text("Hi", name="ask-2"), text("Hi", name="other")],
        [text("Hi", name="ask"), text("Hi", name="ask-2"), text("Ho", name="other")],
        ["/text"],
    ),
    Case(
        "same_over_apis",
        {"step": "ask"},
        [text("Hi", name="ask"), text("Ho", name="ask-2"), text("Ha", name="other")],
        [text("Hi", name="ask"), text("Hi", finish="max_tokens", name="other")],
        ["/finish"],
    ),
    Case(
        "counts_alike",
        {"within": 0.1, "beside": 2, "step": "ask"},
        [text("Hi", name="ask"), text("Hi", tokens=(7, 9), name="other")],
        [text("Hi", name="ask"), text("Hi", tokens=(9, 90), name="other")],
        ["/usage/input", "/usage/output"],
    ),
    Case(
        "fewer_tokens",
        {"step": "narrow", "than": "wide"},
        [text("Hi", tokens=(5, 8), name="narrow"), text("Hi", tokens=(5, 9), name="wide")],
        [text("Hi", tokens=(5, 9), name="narrow"), text("Hi", tokens=(5, 9), name="wide")],
        ["/usage/output"],
    ),
    Case(
        "equal",
        {"at": "/events/*/d", "to": "", "first": True},
        step(events=[Event("role", {}), Event("piece", {"d": ""}), Event("piece", {"d": "x"})], contract=STREAM),
        step(events=[Event("role", {}), Event("piece", {"d": "x"}), Event("piece", {"d": ""})], contract=STREAM),
        ["/events/1/d"],
    ),
    # Refusals
    Case("answered", {}, text("Hi"), text("Hi", status=201), ["/status"]),
    Case("answered", {}, text("Hi"), step({"status": "queued"}), ["/body"]),
    Case(
        "answered",
        {},
        text("Hi"),
        step(events=[Event("messageStart", {}), Event("throttlingException", {})], contract=STREAM, ending="error"),
        ["/events/-1"],
    ),
    Case("refused", {}, step({}, status=400), step({}, status=200), ["/status"]),
    Case("refused", {}, step({}, status=499), step({}, status=500), ["/status"]),
    Case("refused", {}, stream_failed := step(events=[Event("x", {})], ending="error", contract=STREAM), stream("x"), ["/status"]),
    Case("refused_with", {"error": "bad-request"}, refused(), refused(status=403), ["/status"]),
    Case(
        "refused_with",
        {"error": "bad-request"},
        refused(headers=(("x-amzn-errortype", "ValidationException"),)),
        refused(headers=(("x-amzn-errortype", "ValidationExceptions"),)),
        ["/headers/x-amzn-errortype"],
    ),
    Case("refused_with", {"error": "bad-request"}, refused(), refused(headers=()), ["/headers/x-amzn-errortype"]),
    Case("refused_with", {"error": "bad-request", "exact": ["status"]}, refused(headers=()), refused(status=401, headers=()), ["/status"]),
    Case(
        "refused_with",
        {"error": "prompt-caching-not-offered", "exact": ["message"]},
        refused("prompt-caching-not-offered", status=400),
        refused("prompt-caching-not-offered", body={"message": "No."}),
        ["/body/message"],
    ),
    Case(
        "refused_with",
        {"error": "prompt-caching-not-offered", "exact": ["message"]},
        refused("prompt-caching-not-offered"),
        refused("prompt-caching-not-offered", body={}),
        ["/body/message"],
    ),
    # What the model said
    Case("finish_is", {"finish": "stop"}, text("Hi"), text("Hi", finish="max_tokens"), ["/finish"]),
    Case(
        "cut_says",
        {"at": "/body/why", "to": "cap"},
        step({"why": "cap"}, turn=turn(max_tokens=9)),
        text("Hi", tokens=(5, 9), turn=turn(max_tokens=9)),
        ["/body/why"],
    ),
    Case("text_equals", {"text": "Hi"}, text(" Hi\n"), text("Hi!"), ["/text"]),
    Case("text_has", {"text": "PELICAN7"}, text("It is pelican7."), text("It is PELICAN 7."), ["/text"]),
    Case("text_lacks", {"text": "STOP"}, text("one two stop"), text("one STOP two"), ["/text"]),
    Case(
        "sees",
        {"shown": "show", "control": "control", "text": "K7Q2"},
        [text("It says k7q2.", name="show"), text("I see none.", name="control")],
        [text("I see none.", name="show"), text("I see none.", name="control")],
        ["/text"],
    ),
    Case(
        "sees",
        {"shown": "show", "control": "control", "text": "K7Q2"},
        [text("K7Q2", name="show"), text("K7", name="control")],
        [text("K7Q2", name="show"), text("K7Q2", name="control")],
        ["/text"],
    ),
    Case("tool_called", {"name": "get_weather"}, said(call("x"), call("get_weather")), said(call("x"), {"text": "get_weather"}), ["/tool_calls"]),
    Case(
        "arguments_fit",
        {},
        said(call("get_weather", city="Lima"), turn=turn(tools=(WEATHER,))),
        said(call("get_weather", city=7), turn=turn(tools=(WEATHER,))),
        ["/tool_calls/0/arguments/city"],
    ),
    Case(
        "arguments_fit",
        {},
        said(call("get_weather", city="Lima"), turn=turn(tools=(WEATHER,))),
        said(call("get_weather", city="Lima"), call("get_wether"), turn=turn(tools=(WEATHER,))),
        ["/tool_calls/1/name"],
    ),
    Case(
        "arguments_fit",
        {},
        said(call("get_weather", city="Lima"), turn=turn(tools=(WEATHER,))),
        text("Lima", turn=turn(tools=(WEATHER,))),
        ["/tool_calls"],
    ),
    Case(
        "tool_called",
        {"name": "f", "times": 2},
        said(call("f"), call("g"), call("f")),
        said(call("f"), call("g")),
        ["/tool_calls"],
    ),
    Case("text_has_or_refused", {"text": "31"}, refused(), text("It is 30."), ["/text"]),
    Case("text_has_or_refused", {"text": "31"}, text("It is 31."), text("It is 30."), ["/text"]),
    Case("reasons", {}, said(THOUGHT, {"text": "Anna"}), text("Anna"), ["/reasoning"]),
    Case("reasons_not", {}, text("Anna"), said(THOUGHT, {"text": "Anna"}), ["/reasoning"]),
    Case("reasons_not", {}, refused(), said(THOUGHT, {"text": "Anna"}), ["/reasoning"]),
    Case("fits_output", {}, text('{"age":36}', turn=turn(output=PERSON)), text('{"age":"36"}', turn=turn(output=PERSON)), ["/text/age"]),
    Case("fits_output", {}, text(' {"age":36} ', turn=turn(output=PERSON)), text("She is 36.", turn=turn(output=PERSON)), ["/text"]),
    Case("fits_output", {}, text("[]", turn=turn(output=OutputFormat())), text("[", turn=turn(output=OutputFormat())), ["/text"]),
    Case("fits_output", {}, text("[]"), text("["), ["/text"]),
    Case("cap_honoured", {}, text("Hi", turn=turn(max_tokens=9)), text("Hi", turn=turn(max_tokens=8)), ["/usage/output"]),
    Case("usage_given", {}, text("Hi", tokens=(1, 1)), text("Hi", tokens=None), ["/usage"]),
    Case("usage_given", {}, text("Hi", tokens=(1, 1)), text("Hi", tokens=(0, 0)), ["/usage/input", "/usage/output"]),
]  # fmt: skip

EACH = [pytest.param(case, id=f"{case.check}-{number}") for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", EACH)
def test_a_check_is_kept_by_what_it_demands(case: Case) -> None:
    assert case.mismatches(case.kept) == []


@pytest.mark.parametrize("case", EACH)
def test_a_check_is_broken_by_anything_else_and_says_where(case: Case) -> None:
    found = case.mismatches(case.broken)
    assert [each.at for each in found] == list(case.at)
    assert all(each.expected and isinstance(each.expected, str) for each in found)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        ("finish_is", {"finish": "length"}),
        ("cut_says", {"at": "/body/why", "to": "cap"}),
        ("fewer_tokens", {"step": "ask", "than": "ask"}),
    ],
)
def test_an_answer_that_ends_by_itself_under_its_cap_was_not_cut(
    check: str, arguments: dict[str, Any]
) -> None:
    rule = replace(RULE, check=check, arguments=arguments)

    def found(tokens: int) -> list[Mismatch]:
        answered = text("Hi", tokens=(5, tokens), turn=turn(max_tokens=16))
        return list(CHECKS[check](Seen(CONVERSE, rule, {"ask": answered}), **arguments))

    with pytest.raises(Unseen, match="ended by itself, 9 tokens under a cap of 16"):
        found(9)
    assert found(16) and found(17), "whoever used the cap up, or did not mind it, was cut or should have been"


def test_every_check_has_a_case() -> None:
    assert {case.check for case in CASES} == set(CHECKS)


def test_a_mismatch_says_what_was_expected_and_what_came() -> None:
    [found] = Case("equal", {"at": "/body/a", "to": "é"}, (), (), ()).mismatches(step({"a": "e"}))
    assert (found.expected, found.got) == ('"é"', "e")
    [absent] = Case("present", {"at": "/body/a"}, (), (), ()).mismatches(step({}))
    assert absent.got is ABSENT
    assert str(absent) == "/body/a: expected a member, got nothing"


@pytest.mark.parametrize(
    ("check", "arguments", "looked_at", "got"),
    [
        ("header_matches", {"name": "X", "pattern": "a"}, step({}), ABSENT),
        ("header_matches", {"name": "X", "pattern": "a"}, step({}, headers=(("x", "b"),)), "b"),
        ("refused_with", {"error": "bad-request", "exact": ["code"]}, refused(headers=()), ABSENT),
        ("refused_with", {"error": "bad-request", "exact": ["code"]}, refused(headers=(("x-amzn-errortype", "b"),)), "b"),
        ("echoes", {"at": "/body/m", "of": "/k"}, step({}, sent={"k": 1}), ABSENT),
        ("matches", {"at": "/body/m", "pattern": "a"}, step({"m": 7}), 7),
    ],
)  # fmt: skip
def test_what_is_missing_and_what_is_wrong_are_told_apart(
    check: str, arguments: Mapping[str, Any], looked_at: Step, got: Any
) -> None:
    assert [each.got for each in Case(check, arguments, (), (), ()).mismatches(looked_at)] == [got]


ALL_STEPS = [check for check in CHECKS if check not in ("fold_equals", "grows", "sees")]


@pytest.mark.parametrize("case", [each for each in EACH if each.values[0].check in ALL_STEPS])  # type: ignore[union-attr]
def test_a_check_looks_at_the_step_that_its_rule_names(case: Case) -> None:
    if "step" in case.arguments:
        return
    assert isinstance(case.broken, Step)
    assert isinstance(case.kept, Step)
    other = replace(case.kept, name="other")
    assert [each.at for each in case.mismatches([case.broken, other], step="ask")] == list(case.at)
    assert case.mismatches([case.broken, other]) == []


def test_checks_of_refusals_are_those_that_can_look_at_one() -> None:
    assert {
        "answered",
        "header_absent",
        "header_matches",
        "reasons_not",
        "refused",
        "refused_with",
        "text_has_or_refused",
    } == OF_REFUSALS


@pytest.mark.parametrize(
    ("check", "arguments", "looked_at"),
    [
        ("one_of", {"at": "/body/x", "values": []}, step({})),
        ("refers", {"at": "/body/x", "to": "/body/y"}, step({})),
        ("sum", {"total": "/body/x", "parts": []}, step({})),
        ("at_most", {"at": "/body/x", "limit": 1}, step({})),
        ("at_least", {"at": "/body/x", "limit": 1}, step({})),
        ("compact_json", {}, stream("a")),
        ("nested", {"start": "b", "delta": "d", "stop": "e", "index": "/i"}, stream("a")),
        ("text_lacks", {"text": "x"}, step({})),
        ("fold_equals", {"step": "ask", "to_step": "ask"}, step({})),
        ("cap_honoured", {}, text("Hi")),
        ("cap_honoured", {}, text("Hi", tokens=None, turn=turn(max_tokens=9))),
        ("names_model", {"at": "/body/models/*/id"}, listed(50)),
        (
            "listed_claim",
            {"list": "/body/models", "names": ["/id"], "at": "/x", "claim": "tools"},
            listed(50),
        ),
        ("priced", {"cost": "/body/x", "parts": {"input": "/body/y"}, "unit": 1}, step({"x": 0})),
        ("echoes", {"at": "/body/m", "of": "/model"}, step({"m": "a"}, sent={}, turn=turn(model=None))),
    ],
)
def test_a_check_without_anything_to_look_at_says_so(
    check: str, arguments: Mapping[str, Any], looked_at: Step
) -> None:
    with pytest.raises(Unseen):
        Case(check, arguments, (), (), ()).mismatches(looked_at)


def test_a_claim_that_the_card_does_not_make_is_nothing_to_compare_with() -> None:
    arguments = {"list": "/body/models", "names": ["/id"], "at": "/x", "claim": "mood"}
    with pytest.raises(Unseen, match="no card claims mood"):
        Case("listed_claim", arguments, (), (), (), PUTER_CARD).mismatches(listed(50))


def test_a_price_is_compared_as_a_decimal_fraction() -> None:
    """0.07 dollars are 7 cents, though 0.07 * 100 is 7.000000000000001."""
    claims = {**PUTER_CARD.claims, "prices": {"input": {"read_as": 0.07}}}
    card = replace(PUTER_CARD, said={**PUTER_CARD.said, "claims": claims})
    arguments = {
        "list": "/body/models",
        "names": ["/id"],
        "at": "/costs/input",
        "claim": "prices.input",
        "times": 100,
    }
    assert Case("listed_claim", arguments, (), (), (), card).mismatches(listed(7)) == []


def test_a_text_in_an_error_s_placeholder_may_be_anything() -> None:
    failure = next(
        each
        for each in CONVERSE.failures.values()
        if isinstance(each.body, dict) and "{" in str(each.body.get("message", ""))
    )
    filled = {"message": failure.body["message"].replace("{", "<\n").replace("}", ">")}
    case = Case("refused_with", {"error": failure.id, "exact": ["message"]}, (), (), ())
    assert case.mismatches(step(filled)) == []
    assert [each.at for each in case.mismatches(step({"message": failure.body["message"][1:]}))] == [
        "/body/message"
    ]


def test_a_code_in_the_body_is_looked_for_where_the_contract_has_it() -> None:
    mantle = SPECS.contracts["bedrock-mantle/chat-completions"]
    failure = next(
        each
        for each in mantle.failures.values()
        if isinstance(each.body, dict) and each.body["error"]["code"]
    )
    case = Case("refused_with", {"error": failure.id, "exact": ["code"]}, (), (), ())
    assert case.mismatches(step(failure.body, contract=mantle)) == []
    other = {"error": {**failure.body["error"], "code": "other"}}
    assert [each.at for each in case.mismatches(step(other, contract=mantle))] == ["/body/error/code"]
    assert [each.at for each in case.mismatches(step({}, contract=mantle))] == ["/body/error/code"]


def test_a_member_that_is_no_text_is_compared_as_it_is() -> None:
    mantle = SPECS.contracts["bedrock-mantle/chat-completions"]
    failure = next(
        each
        for each in mantle.failures.values()
        if isinstance(each.body, dict) and each.body["error"]["param"] is None
    )
    case = Case("refused_with", {"error": failure.id, "exact": ["message"]}, (), (), ())
    assert case.mismatches(step(failure.body, contract=mantle)) == []
    other = {"error": {**failure.body["error"], "param": 7}}
    assert [(each.at, each.expected) for each in case.mismatches(step(other, contract=mantle))] == [
        ("/body/error/param", "null")
    ]


# Checks and rules belong to each other


def test_every_check_has_a_rule_or_stands_in_the_readme_for_contracts_of_other_people() -> None:
    used = {rule.check for rule in SPECS.rules() if rule.not_checked is None}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in CHECKS if name not in used and f"| `{name}`" not in readme] == []


def test_every_rule_that_is_checked_names_a_check() -> None:
    named = {rule.check for rule in SPECS.rules() if rule.not_checked is None and not rule.implied}
    assert named - set(CHECKS) == set()


def test_an_answer_has_a_reply_and_a_refusal_has_none() -> None:
    assert refused().replies == []
    assert refused().reply.parts == ()
    assert Step("ask", CONVERSE, Exchange(Request("GET", "/", ()), None, "nobody")).document == {}
    assert listed(50).replies == []
    events = [Event(each["name"], each["data"]) for each in STREAM.exchanges["hello"]["response"]["events"]]
    assert step(events=events, contract=STREAM).reply.text == "Hello! How can I help you today?"
    assert stream_failed.reply.parts == ()
