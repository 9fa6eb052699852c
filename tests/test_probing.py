"""Steps of a probe as requests: turns, patches, credentials, and what cannot be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from conformance.contract import Contract
from conformance.exchange import Chunk, Exchange, Request, Response
from conformance.framing import dump, encode, named, read
from conformance.judge import judge_request
from conformance.loading import load
from conformance.probes.picture import draw
from conformance.probes.probing import CannotAsk, Unfounded, build, turn
from conformance.reached import imagined
from conformance.rules import OF_REFUSALS, Step
from conformance.run import inapplicable
from conformance.target import Target, targets
from conformance.values import (
    Media,
    Message,
    OutputFormat,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

SPECS = load()
CONVERSE = SPECS.contracts["bedrock-runtime/converse"]
INVOKE = SPECS.contracts["bedrock-runtime/invoke-model"]
CHAT = SPECS.contracts["bedrock-mantle/chat-completions"]
RESPONSES = SPECS.contracts["bedrock-mantle/responses"]
DRIVER = SPECS.contracts["puter/driver-chat"]
OPENAI = SPECS.contracts["puter/chat-completions"]
DETAILS = SPECS.contracts["puter/model-details"]
KEY = "CANARY-key-0123456789"
VARIABLES = {name: KEY for each in SPECS.providers.values() for name in each.said["key"]["environment"][:1]}
HELLO: dict[str, Any] = {"turn": {"messages": [{"role": "user", "text": "Hello"}], "max_tokens": 16}}


def target_of(contract: Contract, **changes: Any) -> Target:
    assert contract.provider is not None
    anywhere: dict[str, Any] = {}
    if contract.provider.said["base_url"] is None:
        anywhere = {"endpoint": "https://llm.example.com", "model": "mock-8b", "key_env": "OPENAI_API_KEY"}
    [found] = targets(SPECS, contract.provider.id, environment=VARIABLES, **anywhere)
    return replace(found, **changes)


def built(
    contract: Contract, said: Mapping[str, Any], earlier: Mapping[str, Step] | None = None, **changes: Any
) -> Request:
    return build(contract, "ask", said, target_of(contract, **changes), earlier or {})[0]


def test_a_guardrail_of_ours_is_not_asked_of_an_account_that_has_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply = SPECS.contracts["bedrock-runtime/apply-guardrail"]
    probes = {name: probe["steps"]["ask"] for name, probe in apply.probes.items()}
    with pytest.raises(
        CannotAsk, match="it names a guardrail of the account: say which in BEDROCK_GUARDRAIL_ID"
    ):
        built(apply, probes["says-nothing-bad"])
    [mine] = targets(SPECS, "bedrock-runtime", environment={**VARIABLES, "BEDROCK_GUARDRAIL_ID": "abc123"})
    asked = build(apply, "ask", probes["says-nothing-bad"], mine, {})[0]
    assert asked.target == "/guardrail/abc123/version/DRAFT/apply"
    with pytest.raises(CannotAsk, match="it names a guardrail of words that only a mock has"):
        build(apply, "ask", probes["says-a-word"], mine, {})
    monkeypatch.setenv("BEDROCK_GUARDRAIL_ID", "abc123")
    [planned] = imagined(SPECS, "bedrock-runtime")
    assert planned.account == mine.account


def body_of(
    contract: Contract, said: Mapping[str, Any], earlier: Mapping[str, Step] | None = None, **how: Any
) -> Any:
    return json.loads(built(contract, said, earlier, **how).body)


def answered(contract: Contract, name: str) -> dict[str, Step]:
    """A step `ask` that was answered as in the worked example."""
    said = contract.exchanges[name]["response"]
    if "events" in said:
        raw = b"".join(
            encode(contract, [named(contract, each.get("name"), each["data"]) for each in said["events"]])
        )
    else:
        raw = dump(said["body"])
    headers = (("Content-Type", str(contract.response["content_type"])),)
    return seen(contract, read(contract, said["status"], headers, [Chunk(raw)]))


def refused(contract: Contract) -> dict[str, Step]:
    failure = next(each for each in contract.failures.values() if each.status == 400)
    return seen(contract, read(contract, 400, (), [Chunk(dump(failure.body))]))


def seen(contract: Contract, response: Response | None) -> dict[str, Step]:
    return {"ask": Step("ask", contract, Exchange(Request("POST", "/", ()), response))}


# Turns


def test_a_turn_says_all_that_the_step_says() -> None:
    said = {
        "messages": [
            {"role": "system", "text": "Be brief."},
            {"role": "user", "parts": [{"text": "Look."}, {"image": {"code": "K7Q2"}}]},
        ],
        "tools": [
            {"name": "f", "description": "d", "schema": {"type": "object"}},
            {"name": "g", "schema": {}},
        ],
        "tool_choice": "any",
        "parallel_tool_calls": False,
        "max_tokens": 5,
        "stop": ["END"],
        "output": {"schema": {"type": "object"}, "name": "person"},
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "n": 2,
        "reasoning": "low",
        "tier": "flex",
    }
    got = turn(said, target_of(CONVERSE, model="m"), {}, True)
    picture = got.messages[1].parts[1]
    assert isinstance(picture, Media)
    assert got == Turn(
        (Message("system", (Text("Be brief."),)), Message("user", (Text("Look."), picture))),
        model="m",
        tools=(Tool("f", "d", {"type": "object"}), Tool("g", "", {})),
        tool_choice=ToolChoice("any"),
        parallel_tool_calls=False,
        max_tokens=5,
        stop=("END",),
        output=OutputFormat({"type": "object"}, "person", True),
        temperature=0.5,
        top_p=0.9,
        seed=7,
        n=2,
        stream=True,
        reasoning="low",
        tier="flex",
    )


def test_what_a_step_does_not_say_is_not_said() -> None:
    assert turn({"messages": []}, target_of(CONVERSE, model=None), {}, False) == Turn(())


def test_a_tool_is_chosen_by_its_name() -> None:
    got = turn({"messages": [], "tool_choice": {"name": "f"}}, target_of(CONVERSE), {}, False)
    assert got.tool_choice == ToolChoice("named", "f")


def test_a_picture_shows_its_code_and_a_broken_one_shows_nothing() -> None:
    def picture(said: Mapping[str, Any]) -> bytes:
        message = {"role": "user", "parts": [{"image": said}]}
        part = turn({"messages": [message]}, target_of(CONVERSE), {}, False).messages[0].parts[0]
        assert isinstance(part, Media)
        assert (part.kind, part.format) == ("image", "png")
        return part.data or b""

    whole, corrupt = picture({"code": "K7Q2"}), picture({"code": "K7Q2", "corrupt": True})
    assert whole == draw("K7Q2")
    assert corrupt == whole[: len(whole) // 2]
    assert picture({}) == draw("0")


@pytest.mark.parametrize(
    ("said", "tokens"),
    [
        ({"claim": "max_output"}, 40960),
        ({"claim": "max_output", "plus": 1}, 40961),
        ({"claim": "max_output", "times": 0.5}, 20480),
        ({"claim": "max_output", "times": 2, "plus": -1}, 81919),
    ],
)
def test_a_number_is_taken_from_the_card(said: Mapping[str, Any], tokens: int) -> None:
    target = target_of(CONVERSE)
    assert target.card is not None
    claims = {**target.card.claims, "max_output": {"read_as": 40960}}
    card = replace(target.card, said={**target.card.said, "claims": claims})
    got = turn({"messages": [], "max_tokens": said}, replace(target, card=card), {}, False)
    assert got.max_tokens == tokens
    assert isinstance(got.max_tokens, int)


def test_the_observed_number_counts_where_that_reality_is_shown() -> None:
    target = target_of(CONVERSE)
    assert target.card is not None
    claim = {"read_as": 100, "observed": {"value": 90, "source": {}}}
    card = replace(target.card, said={**target.card.said, "claims": {"max_output": claim}})
    said = {"messages": [], "max_tokens": {"claim": "max_output"}}
    for reality, tokens in (("documented", 100), ("observed", 90)):
        assert turn(said, replace(target, card=card, reality=reality), {}, False).max_tokens == tokens


@pytest.mark.parametrize("value", [None, "unreadable"])
def test_a_number_that_the_card_does_not_claim_cannot_be_asked(value: Any) -> None:
    target = target_of(CONVERSE)
    assert target.card is not None
    card = replace(target.card, said={**target.card.said, "claims": {"max_output": {"read_as": value}}})
    said = {"turn": {"messages": [], "max_tokens": {"claim": "max_output"}}}
    for each in (card, None):
        with pytest.raises(CannotAsk, match="claims no number of max_output"):
            build(CONVERSE, "ask", said, replace(target, card=each), {})


def test_filler_stands_between_the_needle_and_the_question() -> None:
    filler = {"role": "user", "needle": "First. ", "filler": 3, "word": "tin ", "text": "What was first?"}
    body = body_of(CONVERSE, {"turn": {"messages": [filler]}})
    assert body["messages"][0]["content"] == [{"text": "First. tin tin tin What was first?"}]


# Requests


def answerable(contract: Contract) -> set[str]:
    """The probes of rules that are asked here and whose check takes no refusal for an answer."""
    assert contract.provider is not None
    target = target_of(contract)
    return {
        rule.probe
        for rule in contract.rules.values()
        if rule.probe
        and rule.check not in OF_REFUSALS - {"answered"}
        and not inapplicable(target, contract, rule)
    }


EVERY_STEP = [
    pytest.param(contract, said, id=f"{contract.id}:{probe}:{name}")
    for contract in SPECS.contracts.values()
    if not contract.abstract
    for probe in sorted(answerable(contract))
    for name, said in contract.probes[probe]["steps"].items()
    if "contract" not in said and said.get("expect", "answered") == "answered" and "patch" not in said and "turn" in said
    and not any({"answered", "results"} & set(message) for message in said["turn"]["messages"])
]  # fmt: skip


@pytest.mark.parametrize(("contract", "said"), EVERY_STEP)
def test_a_step_that_is_to_be_answered_keeps_its_contract(
    contract: Contract, said: Mapping[str, Any]
) -> None:
    request = built(contract, said)
    assert request.method == contract.method
    parameters = contract.match_path(request.target)
    assert parameters is not None
    assert not judge_request(contract, request, orjson.loads(request.body), parameters)


def test_the_model_stands_where_the_contract_has_it() -> None:
    arn = "arn:aws:bedrock:us-east-1::foundation-model/a:1"
    assert (
        built(CONVERSE, HELLO, model=arn).target
        == "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fa%3A1/converse"
    )
    assert "model" not in body_of(CONVERSE, HELLO)
    assert body_of(CHAT, HELLO, model=arn)["model"] == arn
    assert built(CHAT, HELLO, model=arn).target == "/v1/chat/completions"
    _, _, asked = build(CONVERSE, "ask", HELLO, target_of(CONVERSE, model=arn), {})
    assert asked is not None
    assert asked.model == arn


def test_a_step_may_ask_another_model_or_none() -> None:
    assert body_of(CHAT, {**HELLO, "model": "other"})["model"] == "other"
    assert "model" not in body_of(CHAT, {**HELLO, "model": None})
    assert built(CONVERSE, {**HELLO, "model": "other"}).target == "/model/other/converse"


@pytest.mark.parametrize("contract", [CONVERSE, CHAT], ids=lambda each: each.id)
def test_without_a_model_a_step_cannot_be_asked(contract: Contract) -> None:
    with pytest.raises(CannotAsk, match="name one with --model"):
        built(contract, HELLO, model=None)


def test_an_operation_without_a_model_needs_none() -> None:
    assert built(DETAILS, {}, model=None) == replace(built(DETAILS, {}), body=b"")


def test_a_body_may_be_raw_or_no_json_at_all() -> None:
    assert body_of(CHAT, {"body": {"messages": []}, "model": "m"}) == {"messages": [], "model": "m"}
    request, body, asked = build(CHAT, "ask", {"text": '{"a":'}, target_of(CHAT), {})
    assert (request.body, body, asked) == (b'{"a":', None, None)


def test_the_body_that_is_told_is_the_one_that_is_sent() -> None:
    for contract in (CONVERSE, CHAT, DRIVER):
        request, body, _ = build(contract, "ask", HELLO, target_of(contract), {})
        assert json.loads(request.body) == body


def test_a_patch_merges_and_null_takes_away() -> None:
    patch = {"max_tokens": None, "stream_options": {"a": 1}, "messages": [{"role": "user", "content": "Ho"}]}
    got = body_of(CHAT, {**HELLO, "patch": patch, "model": "m"})
    assert got == {"model": "m", "messages": [{"role": "user", "content": "Ho"}], "stream_options": {"a": 1}}
    assert body_of(CHAT, {"patch": {"a": 1}}) == {"a": 1}


def test_a_step_may_go_another_way() -> None:
    request = built(CHAT, {**HELLO, "method": "PUT", "path": "/v2/chat"})
    assert (request.method, request.target) == ("PUT", "/v2/chat")


def test_a_path_that_nothing_fills_cannot_be_asked() -> None:
    empty = replace(CONVERSE, said={**CONVERSE.said, "request": {**CONVERSE.request, "model": None}})
    with pytest.raises(CannotAsk, match=r"bedrock-runtime/converse: nothing to put into \{modelId\}"):
        built(empty, HELLO)


def test_a_turn_needs_a_dialect() -> None:
    with pytest.raises(CannotAsk, match="has no dialect"):
        built(DETAILS, HELLO)


# Headers


def test_a_body_has_a_content_type_and_a_question_without_one_has_none() -> None:
    assert built(CHAT, HELLO).header("content-type") == "application/json"
    assert built(DRIVER, HELLO).header("content-type") == DRIVER.request["content_types"][0]
    assert built(DETAILS, {}).header("content-type") is None


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
@pytest.mark.parametrize("value", ["text/plain", None])
def test_a_header_of_the_step_comes_instead_of_ours_in_any_casing(name: str, value: str | None) -> None:
    request = built(CHAT, {**HELLO, "headers": {name: value}})
    found = [said for key, said in request.headers if key.lower() == "content-type"]
    assert found == ([] if value is None else [value])


def test_a_header_of_the_step_is_added_and_may_replace_the_key() -> None:
    request = built(CHAT, {**HELLO, "headers": {"X-Trace": 1, "authorization": "Basic x"}})
    assert request.header("x-trace") == "1"
    assert [value for name, value in request.headers if name.lower() == "authorization"] == ["Basic x"]


def test_what_a_contract_always_sends_is_sent() -> None:
    sending = replace(CHAT, said={**CHAT.said, "request": {**CHAT.request, "sent_headers": {"X-A": "1"}}})
    assert built(sending, HELLO).header("x-a") == "1"


# Credentials


@pytest.mark.parametrize(
    "contract", [CONVERSE, INVOKE, CHAT, RESPONSES, OPENAI, DETAILS], ids=lambda each: each.id
)
def test_a_key_of_a_header_stands_in_the_header_and_never_in_the_body(contract: Contract) -> None:
    request = built(contract, HELLO if contract.dialect else {})
    assert request.header("authorization") == f"Bearer {KEY}"
    assert KEY.encode() not in request.body
    assert KEY not in request.target


def test_a_key_of_the_body_stands_there_and_in_no_header() -> None:
    request = built(DRIVER, HELLO)
    assert json.loads(request.body)["auth_token"] == KEY
    assert KEY not in str(request.headers)


@pytest.mark.parametrize("said", [{"text": "{"}, {"body": [1]}])
def test_a_key_of_the_body_stands_in_the_header_where_the_body_is_no_object(said: Mapping[str, Any]) -> None:
    request = built(DRIVER, said)
    assert request.header("authorization") == f"Bearer {KEY}"
    assert KEY.encode() not in request.body


@pytest.mark.parametrize("contract", [CONVERSE, DRIVER], ids=lambda each: each.id)
def test_without_credentials_nothing_of_them_is_sent(contract: Contract) -> None:
    request = built(contract, {**HELLO, "auth": "none"})
    assert request.header("authorization") is None
    assert "auth_token" not in json.loads(request.body)
    assert KEY not in str(request)


@pytest.mark.parametrize(
    ("contract", "which"),
    [
        pytest.param(contract, which, id=f"{contract.id}:{which}")
        for contract in (CONVERSE, CHAT, DRIVER)
        for which in (contract.provider.said["key"]["wrong"] if contract.provider else ())
    ],
)
def test_a_wrong_key_is_the_one_of_the_provider_s_file(contract: Contract, which: str) -> None:
    assert contract.provider is not None
    wrong = contract.provider.said["key"]["wrong"][which]
    request = built(contract, {**HELLO, "auth": which})
    shown = json.loads(request.body)["auth_token"] if contract is DRIVER else request.header("authorization")
    assert shown == (wrong if contract is DRIVER else f"Bearer {wrong}")
    assert KEY not in str(request)


def test_a_key_that_is_not_there_cannot_be_shown() -> None:
    with pytest.raises(CannotAsk, match="bedrock-runtime has no expired key to show"):
        built(CONVERSE, {**HELLO, "auth": "expired"})
    with pytest.raises(CannotAsk, match="bedrock-runtime has no right key to show"):
        built(CONVERSE, HELLO, key=None)


# Going on from an earlier step

WEATHER = "What is the weather?"
TELL = {
    "turn": {
        "messages": [{"role": "user", "text": WEATHER}, {"answered": "ask"}, {"results": "ask", "text": "31"}]
    }
}


def test_a_step_goes_on_from_an_answer_and_gives_results_to_its_calls() -> None:
    earlier = answered(CONVERSE, "weather")
    [called] = earlier["ask"].reply.tool_calls
    _, _, asked = build(CONVERSE, "tell", TELL, target_of(CONVERSE), earlier)
    assert asked is not None
    assert asked.messages == (
        Message("user", (Text(WEATHER),)),
        Message("assistant", (ToolCall(called.id, "get_weather", {"city": "Lima"}),)),
        Message("tool", (ToolResult(called.id, (Text("31"),)),)),
    )


def test_a_step_without_calls_before_it_is_unfounded() -> None:
    with pytest.raises(Unfounded, match="step ask called no tool"):
        built(CONVERSE, TELL, answered(CONVERSE, "hello"))


@pytest.mark.parametrize("contract", [CONVERSE, INVOKE, CHAT, RESPONSES, DRIVER], ids=lambda each: each.id)
@pytest.mark.parametrize("message", [{"answered": "ask"}, {"results": "ask", "text": "31"}])
def test_a_step_after_a_refusal_is_unfounded(contract: Contract, message: Mapping[str, Any]) -> None:
    said = {"turn": {"messages": [message]}}
    for earlier in (refused(contract), seen(contract, None)):
        with pytest.raises(Unfounded, match="step ask has no answer of the model to go on from"):
            built(contract, said, earlier)


def test_a_patch_takes_what_stood_in_an_earlier_answer() -> None:
    earlier = answered(RESPONSES, "hello")
    sent = earlier["ask"].document["body"]["id"]
    patch = {
        "previous_response_id": {"$from": "ask", "$at": "/body/id"},
        "list": [{"$from": "ask", "$at": "/status"}],
    }
    got = body_of(RESPONSES, {**HELLO, "patch": patch}, earlier)
    assert (got["previous_response_id"], got["list"]) == (sent, [200])


def test_a_patch_that_finds_nothing_is_unfounded() -> None:
    patch = {"previous_response_id": {"$from": "ask", "$at": "/body/id"}}
    for earlier in (seen(RESPONSES, None), refused(RESPONSES)):
        with pytest.raises(Unfounded, match="step ask has nothing at /body/id"):
            built(RESPONSES, {**HELLO, "patch": patch}, earlier)


def test_a_step_that_names_no_step_is_our_fault() -> None:
    with pytest.raises(KeyError):
        built(CONVERSE, TELL)


def test_no_more_is_asked_for_than_the_card_claims() -> None:
    card = target_of(CHAT).card
    assert card is not None
    small = replace(card, said={**card.said, "claims": {**card.claims, "max_output": {"read_as": 16}}})
    asked = {"turn": {"messages": [{"role": "user", "text": "Hello"}], "max_tokens": 2048}}
    beyond = {"turn": {**asked["turn"], "max_tokens": {"claim": "max_output", "plus": 1}}}
    assert json.loads(built(CHAT, asked).body)["max_tokens"] == 2048
    assert json.loads(built(CHAT, asked, card=small).body)["max_tokens"] == 16
    assert json.loads(built(CHAT, beyond, card=small).body)["max_tokens"] == 17


def test_who_takes_bare_ids_only_is_not_asked_through_a_profile() -> None:
    contract = SPECS.contracts["bedrock-runtime/count-tokens"]
    assert contract.provider is not None
    card = SPECS.card(contract.provider, "anthropic.claude-haiku-4-5-20251001-v1:0")
    assert card is not None
    named = card.asked_as(contract.provider)
    asked = built(contract, {"body": {}}, model=named, card=card)
    assert asked.target == "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens"
    other = built(CONVERSE, HELLO, model=named, card=card)
    assert other.target == "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse"
