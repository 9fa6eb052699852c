"""The verdict: what is kept, what is broken, and what may not be called either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from conformance.breakage import broken_response, broken_wire, implied
from conformance.contract import IMPLIED, Contract, Failure, Rule
from conformance.exchange import Chunk, Event, Exchange, Headers, Request, Response, Truth
from conformance.finding import Finding
from conformance.framing import dump, encode, encode_event, named, read
from conformance.judge import header_mismatches, judge, judge_request
from conformance.loading import load
from conformance.rules import CHECKS, Seen, Step
from conformance.shapes import ABSENT

SPECS = load()
CONTRACTS = [each for each in SPECS.contracts.values() if not each.abstract and each.exchanges]
CONVERSE = SPECS.contracts["bedrock-runtime/converse"]
STREAM = SPECS.contracts["bedrock-runtime/converse-stream"]
CHAT_STREAM = SPECS.contracts["bedrock-mantle/chat-completions-stream"]
RESPONSES_STREAM = SPECS.contracts["bedrock-mantle/responses-stream"]
OPEN_STREAM = SPECS.contracts["open-responses/responses-stream"]
PUTER_STREAM = SPECS.contracts["puter/driver-chat-stream"]

HEADERS: Headers = (
    ("Date", "Sun, 22 Nov 2026 08:00:00 GMT"),
    ("x-amzn-RequestId", "0d3b8d0c-7c35-4b3b-8d5f-9be9f6a3f001"),
    ("x-request-id", "0d3b8d0c-7c35-4b3b-8d5f-9be9f6a3f001"),
    ("x-amzn-bedrock-content-type", "application/json"),
    ("x-amzn-bedrock-input-token-count", "5"),
    ("x-amzn-bedrock-output-token-count", "9"),
    ("x-amzn-bedrock-invocation-latency", "400"),
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "x-amzn-requestid,x-request-id"),
    ("cache-control", "no-cache"),
    ("vary", "origin"),
    ("mistral-correlation-id", "0d3b8d0c-7c35-4b3b-8d5f-9be9f6a3f001"),
)
"""What the contracts ask of good answers, all together."""

ASKED = Request("POST", "/", ())


def head(contract: Contract) -> Headers:
    return (("Content-Type", str(contract.response["content_type"])), *HEADERS)


def pieces_of(contract: Contract, name: str | None = None) -> list[bytes]:
    said = contract.exchanges[name or next(iter(contract.exchanges))]["response"]
    if "events" in said:
        events = [named(contract, each.get("name"), each["data"]) for each in said["events"]]
        return list(encode(contract, events))
    return [dump(said["body"])]


def answer(contract: Contract, *pieces: bytes, status: int | None = None, headers: Headers = ()) -> Response:
    """The pieces as a good answer of the contract."""
    chunks = [Chunk(piece) for piece in pieces or pieces_of(contract)]
    return read(contract, status or contract.response["status"], headers or head(contract), chunks)


def refusal(contract: Contract, name: str, **changes: Any) -> Response:
    """The contract's error `name` as a response."""
    failure = contract.failures[name]
    headers = tuple((key, value) for key, value in failure.headers.items() if value is not None)
    return replace(read(contract, failure.status, headers, [Chunk(dump(failure.body))]), **changes)


def seen(
    contract: Contract,
    rule: Rule,
    *responses: Response | None,
    expect: Any = "answered",
    truth: Truth | None = None,
) -> Seen:
    """One step for each response; the last one is expected to go as `expect` says."""
    steps = {}
    for number, response in enumerate(responses):
        exchange = Exchange(ASKED, response, None if response else "refused", truth or Truth())
        name = f"step-{number}"
        last = number == len(responses) - 1
        steps[name] = Step(name, contract, exchange, expect=expect if last else "answered")
    return Seen(contract, rule, steps)


def ruling(
    contract: Contract, check: str, arguments: Mapping[str, Any] | None = None, **changes: Any
) -> Rule:
    """A rule of the contract with a check of our choice."""
    rule = next(each for each in contract.rules.values() if not each.implied)
    return replace(rule, check=check, arguments=arguments or {}, not_checked=None, **changes)


def verdict(contract: Contract, rule: str | Rule, *responses: Response | None, **how: Any) -> Finding:
    found = contract.rules[rule] if isinstance(rule, str) else rule
    return judge(found, seen(contract, found, *responses, **how))


EVERY_IMPLIED = [
    pytest.param(contract, rule, id=f"{contract.id}:{rule.id}")
    for contract in CONTRACTS
    for rule in contract.rules.values()
    if rule.implied
]


# The implied rules


@pytest.mark.parametrize(("contract", "rule"), EVERY_IMPLIED)
def test_an_implied_rule_is_kept_by_the_worked_example(contract: Contract, rule: Rule) -> None:
    finding = verdict(contract, rule, answer(contract))
    assert finding.word == "kept", finding.text()


@pytest.mark.parametrize(("contract", "rule"), EVERY_IMPLIED)
def test_an_implied_rule_is_found_when_it_is_broken(contract: Contract, rule: Rule) -> None:
    good = answer(contract)
    operations = implied(contract, rule, good)
    changed = broken_response(contract, good, operations)
    pieces = list(encode(contract, changed.events)) if changed.events is not None else [dump(changed.body)]
    if any("wire" in each for each in operations):
        pieces, _ = broken_wire(pieces, operations)
    finding = verdict(
        contract, rule, answer(contract, *pieces, status=changed.status, headers=changed.headers)
    )
    assert finding.word == "broken", finding.text()
    assert finding.mismatches


def test_a_stream_has_five_implied_rules_json_has_four_and_what_is_no_json_three() -> None:
    seen = set()
    for contract in (each for each in SPECS.contracts.values() if not each.abstract):
        found = [rule.id for rule in contract.rules.values() if rule.implied]
        if all(
            step.get("expect", "answered") != "answered"
            for probe in contract.probes.values()
            for step in probe["steps"].values()
        ):
            assert found == [], f"{contract.id} is never answered"
            continue
        text = contract.response["content_type"].startswith(("text/html", "text/plain", "text/javascript"))
        left_out = {"order", "framing"} if text else set() if contract.streams else {"order"}
        assert found == [name for name in IMPLIED if name not in left_out], contract.id
        seen.add(len(found))
    assert seen == {5, 4, 3}


@pytest.mark.parametrize("contract", [CONVERSE, STREAM], ids=lambda each: each.id)
def test_what_needs_the_status_is_not_asked_of_another_one(contract: Contract) -> None:
    response = answer(contract, b'{"message":"no"}', status=403)
    words = {
        rule.id: verdict(contract, rule, response).word for rule in contract.rules.values() if rule.implied
    }
    assert words.pop("status") == "broken"
    assert set(words.values()) == {"not asked"}
    assert verdict(contract, "shape", response).reason == "status: /status: expected 200, got 403"


@pytest.mark.parametrize("contract", [CONVERSE, STREAM], ids=lambda each: each.id)
def test_what_needs_the_framing_is_not_asked_of_a_broken_one(contract: Contract) -> None:
    response = answer(contract, b"".join(pieces_of(contract))[:-3])
    words = {
        rule.id: verdict(contract, rule, response).word for rule in contract.rules.values() if rule.implied
    }
    assert (words["status"], words["headers"], words["framing"]) == ("kept", "kept", "broken")
    assert {words[name] for name in ("shape", "order") if name in words} == {"not asked"}


@pytest.mark.parametrize("contract", [CHAT_STREAM, OPEN_STREAM], ids=lambda each: each.id)
def test_a_whole_stream_without_the_last_message_is_judged_and_one_that_breaks_off_is_not(
    contract: Contract,
) -> None:
    def words(pieces: list[bytes]) -> dict[str, str]:
        response = answer(contract, *pieces)
        names = ("framing", "shape", "order", "ends-by-itself")
        return {name: verdict(contract, name, response).word for name in names}

    *events, last = pieces_of(contract)
    assert last == b"data: [DONE]\n\n"
    kept = {"shape": "kept", "order": "kept", "ends-by-itself": "kept"}
    assert words(events) == {"framing": "broken", **kept}
    broken_off = dict.fromkeys(kept, "not asked")
    assert words(events[:2]) == {"framing": "broken", **broken_off}


def test_a_stream_that_comes_as_one_json_value_keeps_nothing_but_its_status() -> None:
    headers = (("Content-Type", "application/json"), *HEADERS)
    response = answer(STREAM, pieces_of(CONVERSE)[0], headers=headers)
    words = {rule.id: verdict(STREAM, rule, response).word for rule in STREAM.rules.values() if rule.implied}
    assert words == {
        "status": "kept",
        "headers": "broken",
        "framing": "broken",
        "shape": "not asked",
        "order": "not asked",
    }


def test_an_empty_stream_has_no_shape_to_look_at() -> None:
    response = answer(STREAM, b"")
    assert verdict(STREAM, "shape", response).word == "not asked"
    assert verdict(STREAM, "order", response).word == "broken"


def test_the_place_of_a_wrong_event_is_named() -> None:
    good = answer(STREAM)
    events = list(good.events or ())
    events[1] = Event(events[1].name, {**events[1].data, "contentBlockIndex": "first"})
    [found] = verdict(STREAM, "shape", answer(STREAM, *encode(STREAM, events))).mismatches
    assert (found.at, found.expected, found.got) == ("/events/1/contentBlockIndex", "type integer", "first")
    [swapped] = verdict(STREAM, "order", answer(STREAM, *encode(STREAM, events[1:]))).mismatches
    assert (swapped.at, swapped.expected, swapped.got) == ("/events/0", "messageStart", "contentBlockDelta")


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ((), "/headers/content-type"),
        ((("content-type", "text/plain"),), "/headers/content-type"),
        ((("CONTENT-TYPE", "Application/JSON; charset=utf-8"),), None),
        ((("Content-Type", "application/json;actually=text"),), "/headers/content-type"),
        ((("Content-Type", "application/json"), ("Content-Type", "text/plain")), None),
    ],
)
def test_a_content_type_is_compared_without_casing_and_charset(headers: Headers, at: str | None) -> None:
    response = read(CONVERSE, 200, (*headers, *HEADERS), [Chunk(b"{}")])
    assert {found.at for found in header_mismatches(CONVERSE, response)} == ({at} if at else set())


def test_a_missing_content_type_and_a_wrong_one_are_told_apart() -> None:
    missing = read(CONVERSE, 200, HEADERS, [Chunk(b"{}")])
    wrong = read(CONVERSE, 200, (("Content-Type", "text/plain"), *HEADERS), [Chunk(b"{}")])
    assert next(header_mismatches(CONVERSE, missing)).got is ABSENT
    assert next(header_mismatches(CONVERSE, wrong)).got == "text/plain"


@pytest.mark.parametrize("left", ["content_type", "headers"])
def test_one_of_content_type_and_headers_is_enough_to_judge_by(left: str) -> None:
    other = "headers" if left == "content_type" else "content_type"
    less = replace(CONVERSE, said={**CONVERSE.said, "response": {**CONVERSE.response, other: None}})
    assert verdict(less, "headers", answer(CONVERSE)).word == "kept"
    assert verdict(less, "headers", answer(CONVERSE, headers=(("x", "y"),))).word == "broken"


def test_a_header_that_the_contract_lists_is_looked_for_in_any_casing() -> None:
    upper = tuple((name.upper(), value) for name, value in head(CONVERSE))
    without = tuple(each for each in head(CONVERSE) if each[0] != "x-amzn-RequestId")
    assert verdict(CONVERSE, "headers", answer(CONVERSE, headers=upper)).word == "kept"
    [found] = verdict(CONVERSE, "headers", answer(CONVERSE, headers=without)).mismatches
    assert found.at == "/headers/x-amzn-requestid"


# What says nothing of the promises


@pytest.mark.parametrize("status", [429, 500, 503, 529, 599])
@pytest.mark.parametrize("rule", ["status", "shape", "usage-adds-up", "temperature-above-one-is-refused"])
def test_a_rate_limit_or_an_outage_is_inconclusive(rule: str, status: int) -> None:
    finding = verdict(CONVERSE, rule, answer(CONVERSE, b'{"message":"busy"}', status=status))
    assert finding.word == "inconclusive"
    assert str(status) in finding.reason
    assert "busy" in finding.reason


def test_an_outage_in_an_earlier_step_is_inconclusive() -> None:
    busy = answer(CONVERSE, b"{}", status=503)
    assert verdict(CONVERSE, "tool-result-is-used", busy, answer(CONVERSE)).word == "inconclusive"


def test_no_response_is_inconclusive_and_says_why() -> None:
    finding = verdict(CONVERSE, "status", None)
    assert (finding.word, finding.reason) == ("inconclusive", "no response: refused")


def test_a_failure_that_the_probe_asks_for_is_no_outage() -> None:
    name = next(key for key, failure in CONVERSE.failures.items() if failure.status == 429)
    rule = ruling(CONVERSE, "refused_with", {"error": name, "exact": ["status"]})
    assert verdict(CONVERSE, rule, refusal(CONVERSE, name), expect={"error": name}).word == "kept"
    assert verdict(CONVERSE, rule, refusal(CONVERSE, name), expect="refused").word == "inconclusive"


def failing(contract: Contract, failure: Failure) -> Response:
    """A stream that begins well and ends in the failure."""
    assert failure.in_stream is not None
    event = Event(failure.in_stream.get("name"), failure.in_stream["data"])
    last = encode_event(contract, event, failure.in_stream.get("kind", "event"))
    return answer(contract, *pieces_of(contract)[:2], last)


@pytest.mark.parametrize(
    ("contract", "failure"),
    [
        pytest.param(contract, failure, id=f"{contract.id}:{failure.id}")
        for contract in (STREAM, CHAT_STREAM, RESPONSES_STREAM, PUTER_STREAM)
        for failure in contract.failures.values()
        if failure.in_stream
    ],
)
@pytest.mark.parametrize("rule", ["shape", "order", "usage-given", "answered"])
def test_a_stream_that_fails_midway_keeps_nothing(contract: Contract, failure: Failure, rule: str) -> None:
    found = contract.rules[rule] if rule in contract.rules else ruling(contract, rule)
    finding = verdict(contract, found, failing(contract, failure))
    if failure.status == 429 or failure.status >= 500:
        assert finding.word == "inconclusive", finding.text()
    else:
        assert finding.word == ("broken" if rule == "answered" else "not asked"), finding.text()
    if rule != "answered":
        assert "ended in" in finding.reason


def test_a_stream_that_fails_in_words_of_its_own_is_no_outage() -> None:
    last = encode_event(STREAM, Event("surpriseException", {"message": "Boo"}), "exception")
    finding = verdict(STREAM, "usage-given", answer(STREAM, *pieces_of(STREAM)[:2], last))
    assert finding.word == "not asked"
    assert 'surpriseException: {"message": "Boo"}' in finding.reason


# Rules with checks


def test_a_rule_is_kept_or_broken_by_what_its_check_yields() -> None:
    assert verdict(CONVERSE, "usage-adds-up", answer(CONVERSE)).word == "kept"
    body = {**answer(CONVERSE).body, "usage": {"inputTokens": 5, "outputTokens": 9, "totalTokens": 15}}
    finding = verdict(CONVERSE, "usage-adds-up", answer(CONVERSE, dump(body)))
    assert finding.word == "broken"
    assert [(each.at, each.expected, each.got) for each in finding.mismatches] == [
        ("/body/usage/totalTokens", "14", 15)
    ]


def test_a_rule_is_not_asked_of_a_refused_question() -> None:
    finding = verdict(CONVERSE, "usage-adds-up", refusal(CONVERSE, "bad-request"))
    assert finding.word == "not asked"
    assert finding.reason.startswith("step step-0: status: expected 200, got 400: ")


def test_a_rule_is_not_asked_of_a_broken_framing() -> None:
    finding = verdict(CONVERSE, "usage-adds-up", answer(CONVERSE, b"{"))
    assert finding.word == "not asked"
    assert "framing: JSON: " in finding.reason


def test_a_rule_that_seems_to_hold_is_not_asked_of_a_broken_shape() -> None:
    body = {**answer(CONVERSE).body, "stopReason": 7}
    finding = verdict(CONVERSE, "usage-adds-up", answer(CONVERSE, dump(body)))
    assert finding.word == "not asked"
    assert "shape: /body/stopReason: expected" in finding.reason


def test_a_rule_that_is_seen_not_to_hold_is_broken_whatever_the_shape() -> None:
    body = {
        **answer(CONVERSE).body,
        "stopReason": 7,
        "usage": {"inputTokens": 5, "outputTokens": 9, "totalTokens": 15},
    }
    assert verdict(CONVERSE, "usage-adds-up", answer(CONVERSE, dump(body))).word == "broken"


def test_a_check_that_stumbles_over_a_broken_shape_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(seen: Seen) -> list[Any]:
        raise TypeError("a dict was expected")

    monkeypatch.setitem(CHECKS, "stumble", stumble)
    rule = ruling(CONVERSE, "stumble")
    assert verdict(CONVERSE, rule, answer(CONVERSE, b'{"usage":7}')).word == "not asked"
    finding = verdict(CONVERSE, rule, answer(CONVERSE))
    assert (finding.word, finding.reason) == (
        "suite error",
        "check stumble raised TypeError: a dict was expected",
    )


def test_a_pattern_of_ours_that_does_not_compile_is_our_fault() -> None:
    rule = ruling(CONVERSE, "matches", {"at": "/body/stopReason", "pattern": "("})
    assert verdict(CONVERSE, rule, answer(CONVERSE)).word == "suite error"


def test_a_check_that_is_not_there_is_our_fault() -> None:
    finding = verdict(CONVERSE, ruling(CONVERSE, "no_such_check"), answer(CONVERSE))
    assert finding.word == "suite error"
    assert "no_such_check" in finding.reason


# Nothing is kept that was not looked at


def test_a_rule_without_steps_is_not_asked() -> None:
    for rule in CONVERSE.rules.values():
        assert judge(rule, Seen(CONVERSE, rule, {})).word == "not asked"


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        ("sum", {"total": "/body/usage/allTokens", "parts": []}),
        ("one_of", {"at": "/body/mood", "values": ["good"]}),
        ("at_most", {"at": "/body/mood", "limit": 1}),
        ("cap_honoured", {}),
        ("nested", {"start": "a", "delta": "b", "stop": "c", "index": "/i"}),
    ],
)
def test_a_check_that_finds_nothing_to_look_at_is_not_asked(check: str, arguments: Mapping[str, Any]) -> None:
    finding = verdict(CONVERSE, ruling(CONVERSE, check, arguments), answer(CONVERSE))
    assert finding.word == "not asked"
    assert finding.reason.startswith("nothing to look at: ")


@pytest.mark.parametrize(
    ("check", "arguments"),
    [("text_lacks", {"text": "STOP"}), ("fold_equals", {"step": "step-0", "to_step": "step-0"})],
)
def test_words_are_not_looked_for_where_the_model_said_nothing(
    check: str, arguments: Mapping[str, Any]
) -> None:
    models = SPECS.contracts["bedrock-mantle/models"]
    assert verdict(models, ruling(models, check, arguments), answer(models)).word == "not asked"


@pytest.mark.parametrize(
    ("check", "arguments", "truth", "word"),
    [
        ("header_absent", {"name": "retry-after"}, Truth(headers=False), "not applicable"),
        ("header_matches", {"name": "date", "pattern": "."}, Truth(headers=False), "not applicable"),
        ("sorted_keys", {}, Truth(body_bytes=False), "not applicable"),
        ("compact_json", {}, Truth(body_bytes=False), "not applicable"),
        ("header_absent", {"name": "retry-after"}, Truth(body_bytes=False), "kept"),
        ("sorted_keys", {}, Truth(headers=False), "kept"),
    ],
)
def test_what_a_recorder_did_not_keep_is_not_judged(
    check: str, arguments: Mapping[str, Any], truth: Truth, word: str
) -> None:
    assert verdict(CONVERSE, ruling(CONVERSE, check, arguments), answer(CONVERSE), truth=truth).word == word


@pytest.mark.parametrize(
    ("rule", "truth"), [("headers", Truth(headers=False)), ("framing", Truth(body_bytes=False))]
)
def test_an_implied_rule_is_not_judged_by_what_a_recorder_did_not_keep(rule: str, truth: Truth) -> None:
    assert verdict(CONVERSE, rule, answer(CONVERSE), truth=truth).word == "not applicable"


@pytest.mark.parametrize(
    ("without", "rule"),
    [
        ({"content_type": None, "headers": None}, "headers"),
        ({"body": None}, "shape"),
    ],
)
def test_what_a_contract_does_not_list_is_not_applicable(without: Mapping[str, Any], rule: str) -> None:
    said = {**CONVERSE.said, "response": {**CONVERSE.response, **without}}
    silent = replace(CONVERSE, said=said)
    finding = verdict(silent, rule, read(silent, 200, (), [Chunk(b"{}")]))
    assert finding.word == "not applicable"
    assert finding.reason.startswith("the contract lists no ")


@pytest.mark.parametrize(("without", "rule"), [({"events": {}}, "shape"), ({"order": None}, "order")])
def test_what_a_stream_s_contract_does_not_list_is_not_applicable(
    without: Mapping[str, Any], rule: str
) -> None:
    silent = replace(STREAM, said={**STREAM.said, "response": {**STREAM.response, **without}})
    assert verdict(silent, rule, answer(STREAM)).word == "not applicable"


# Refusals


def test_a_refusal_is_looked_at_by_the_checks_of_refusals() -> None:
    rule = "temperature-above-one-is-refused"
    assert verdict(CONVERSE, rule, refusal(CONVERSE, "bad-request")).word == "kept"
    assert verdict(CONVERSE, rule, answer(CONVERSE)).word == "broken"


def test_a_refusal_of_an_earlier_step_is_not_the_one_that_is_looked_for() -> None:
    refused = refusal(CONVERSE, "bad-request")
    finding = verdict(CONVERSE, ruling(CONVERSE, "refused"), refused, refused, expect="refused")
    assert finding.word == "not asked"
    assert finding.reason.startswith("step step-0: status: ")
    assert (
        verdict(CONVERSE, ruling(CONVERSE, "refused"), answer(CONVERSE), refused, expect="refused").word
        == "kept"
    )


@pytest.mark.parametrize("expect", [{"error": "bad-request"}, "refused"])
def test_what_seems_to_hold_is_not_kept_by_an_answer_where_a_refusal_was_due(expect: Any) -> None:
    rule = ruling(CONVERSE, "absent", {"at": "/body/Output"})
    assert verdict(CONVERSE, rule, refusal(CONVERSE, "bad-request"), expect=expect).word == "kept"
    finding = verdict(CONVERSE, rule, answer(CONVERSE), expect=expect)
    assert finding.word == "not asked"
    assert "got 200" in finding.reason


def test_what_seems_to_hold_is_not_kept_by_another_refusal() -> None:
    rule = ruling(CONVERSE, "absent", {"at": "/body/Output"})
    other = refusal(CONVERSE, "bad-request", status=403)
    assert verdict(CONVERSE, rule, other, expect={"error": "bad-request"}).word == "not asked"
    assert verdict(CONVERSE, rule, other, expect="refused").word == "kept"


def test_what_is_seen_not_to_hold_is_broken_by_any_answer() -> None:
    rule = ruling(CONVERSE, "present", {"at": "/body/message"})
    assert verdict(CONVERSE, rule, answer(CONVERSE), expect={"error": "bad-request"}).word == "broken"


def test_of_a_refusal_that_never_came_the_status_is_told_first() -> None:
    rule = ruling(CONVERSE, "present", {"at": "/body/message"})
    finding = verdict(CONVERSE, rule, answer(CONVERSE), expect={"error": "bad-request"})
    assert [(each.at, each.expected) for each in finding.mismatches] == [
        ("/status", "400"),
        ("/body/message", "a member"),
    ]
    bare = replace(refusal(CONVERSE, "bad-request"), body={})
    assert [
        each.at for each in verdict(CONVERSE, rule, bare, expect={"error": "bad-request"}).mismatches
    ] == ["/body/message"]


def test_details_of_what_is_not_there_are_not_asked() -> None:
    rule = ruling(CONVERSE, "present", {"at": "/body/output/message/mood"})
    assert verdict(CONVERSE, rule, answer(CONVERSE)).word == "broken"
    finding = verdict(CONVERSE, replace(rule, needs={"there": "/body/feelings"}), answer(CONVERSE))
    assert (finding.word, finding.reason) == (
        "not asked",
        "nothing to look at: nothing stands at /body/feelings",
    )
    there = replace(rule, needs={"there": "/body/output/message/content/*/text"})
    assert verdict(CONVERSE, there, answer(CONVERSE)).word == "broken"


def test_how_refusals_look_is_not_asked_of_an_answer_in_the_place_of_one() -> None:
    rule = replace(ruling(CONVERSE, "present", {"at": "/body/message"}), scope="refusal")
    finding = verdict(CONVERSE, rule, answer(CONVERSE), expect={"error": "bad-request"})
    assert finding.word == "not asked"
    assert "expected 400, got 200" in finding.reason
    assert verdict(CONVERSE, rule, refusal(CONVERSE, "bad-request"), expect="refused").word == "kept"
    bare = replace(refusal(CONVERSE, "bad-request"), body={})
    assert verdict(CONVERSE, rule, bare, expect="refused").word == "broken"


# Requests


def test_a_request_is_judged_in_its_path_its_headers_and_its_body() -> None:
    invoke = SPECS.contracts["bedrock-runtime/invoke-model"]
    request = Request("POST", "/", (("X-Amzn-Bedrock-Trace", "LOUD"), ("x-amzn-bedrock-trace", "ENABLED")))
    [found] = judge_request(invoke, request, {"messages": [{"role": "user", "content": "Hi"}]}, {})
    assert (found.at, found.got) == ("headers:/x-amzn-bedrock-trace", "LOUD")
    plain = Request("POST", "/", ())
    [long] = judge_request(CONVERSE, plain, {"messages": []}, {"modelId": "m" * 3000})
    assert long.at == "path:/modelId"
    [wrong] = judge_request(CONVERSE, plain, {"messages": 7}, {"modelId": "m"})
    assert (wrong.at, wrong.expected) == ("/messages", "type array")
