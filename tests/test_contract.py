"""The loader: what it refuses and how it says so, what is inherited, what a card and a path mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.documents.document import SpecError
from conformance.documents.library import Library, absolute
from conformance.loading import Specs, load
from conformance.patch import merge
from conformance.rules import CHECKS
from conformance.template import fill

if TYPE_CHECKING:
    from tests.conftest import Example

# What is changed (file, from, to), then the file, a text of the line, and the message of the error.
WRONG: dict[str, tuple[tuple[str, str, str], tuple[str, str, str]]] = {
    "an unknown key of a contract": (
        ("chat", "dialect: chat ", "dialct: chat "),
        ("chat", "dialct:", '/dialct: expected no such member, got "chat"; closest: dialect'),
    ),
    "an unknown key of a rule": (
        ("chat", "    check: sum ", "    chekc: sum "),
        ("chat", "chekc:", '/rules/usage-adds-up/chekc: expected no such member, got "sum"'),
    ),
    "an unknown key of a probe's step": (
        ("chat", "        patch: {temp", "        path_: {temp"),
        (
            "chat",
            "path_:",
            '/probes/feverish/steps/ask/path_: expected no such member, got {"temperature": 3}',
        ),
    ),
    "an unknown key of a provider": (
        ("providers/parrot", "region: null", "region: null\nzone: 1"),
        ("providers/parrot", "zone:", "/zone: expected no such member, got 1"),
    ),
    "an unknown key of an error": (
        ("providers/parrot", "    status: 429", "    status: 429\n    retry: 1"),
        ("providers/parrot", "retry:", "/errors/throttling/retry: expected no such member, got 1"),
    ),
    "an unknown claim of a card": (
        ("cards/parrot_mini", "      tools:", "      wings:"),
        ("cards/parrot_mini", "wings:", "/cards/parrot/claims/wings: expected no such member, got "),
    ),
    "a missing key of a contract": (
        ("chat", "summary: One turn of a conversation.\n", ""),
        ("chat", "contract: parrot/chat", "/summary: expected a member 'summary', got nothing"),
    ),
    "a missing key of a provider": (
        ("providers/parrot", "prefix: /parrot ", "#"),
        ("providers/parrot", "provider: parrot", "/prefix: expected a member 'prefix', got nothing"),
    ),
    "a source that does not say how sure it is": (
        (
            "providers/parrot",
            "{text: no page says it; Parrot 1.0.3 was seen to do it, sure: observed}",
            "{text: no page}",
        ),
        (
            "providers/parrot",
            "{text: no page}",
            "/errors/throttling/source/sure: expected a member 'sure', got nothing",
        ),
    ),
    "a word that is none of sure's": (
        ("providers/parrot", "sure: observed", "sure: certain"),
        ("providers/parrot", "sure: certain", '/errors/throttling/source/sure: expected one of ["spec", '),
    ),
    "a claim without what it is read as": (
        ("cards/parrot_mini", "        read_as: 1024 ", "        # 1024 "),
        (
            "cards/parrot_mini",
            "max_output:",
            "/cards/parrot/claims/max_output/read_as: expected a member 'read_as', got nothing",
        ),
    ),
    "a status that is text": (
        ("providers/parrot", "status: 429", "status: '429'"),
        ("providers/parrot", "status: '429'", '/errors/throttling/status: expected type integer, got "429"'),
    ),
    "a condition that says nothing": (
        (
            "chat",
            "when: [{condition: request-shape, at: /temperature, keyword: [maximum]}]",
            "when: [{at: /temperature}]",
        ),
        (
            "chat",
            "when: [{at:",
            "/errors/too-hot/when/0/condition: expected a member 'condition', got nothing",
        ),
    ),
    "an operation that there is not": (
        ("chat", "broken_by: [{exchange: {add:", "broken_by: [{exchange: {plus:"),
        ("chat", "plus:", "/rules/usage-adds-up/broken_by/0/exchange/plus: expected no such member, got "),
    ),
    "an area that there is not": (
        ("chat", "    area: limits", "    area: money"),
        ("chat", "area: money", '/rules/too-much-is-413/area: expected one of ["wire", '),
    ),
    "a YAML trap": (
        ("chat", "sorted: false", "sorted: no"),
        ("chat", "sorted: no", "expected true, false or a quoted string, got no (YAML 1.1 truth)"),
    ),
    "an unknown provider": (
        ("chat", "provider: parrot\n", "provider: parott\n"),
        ("chat", "provider: parott", "provider: expected one of parrot, got 'parott'"),
    ),
    "no provider": (
        ("chat", "provider: parrot\n", ""),
        ("chat", "contract: parrot/chat", "provider: expected one of parrot, got None"),
    ),
    "an unknown contract to extend": (
        ("chat", "extends: common/generate ", "extends: common/generat "),
        (
            "chat",
            "extends:",
            "extends: expected a known contract, got 'common/generat'; closest: common/generate",
        ),
    ),
    "a circle": (
        ("chat", "extends: common/generate ", "extends: parrot/chat-stream "),
        ("chat", "extends:", "extends goes in a circle: parrot/chat -> parrot/chat-stream -> parrot/chat"),
    ),
    "a contract that stands twice": (
        ("chat_stream", "contract: parrot/chat-stream", "contract: parrot/chat"),
        ("chat_stream", "contract: parrot/chat", "contract 'parrot/chat' stands in "),
    ),
    "a rule without a counterexample": (
        ("chat", "    broken_by: [{skip: [shape]}]        #", "    #"),
        ("chat", "  too-hot-is-422:", "/rules/too-hot-is-422/broken_by: expected a member 'broken_by'"),
    ),
    "a rule with an empty list of counterexamples": (
        ("chat", "broken_by: [{skip: [cap]}]", "broken_by: []"),
        ("chat", "broken_by: []", "/rules/too-much-is-413/broken_by: expected at least 1 items, got []"),
    ),
    "a rule that no probe asks": (
        ("chat", "    probe: feverish\n", ""),
        ("chat", "  too-hot-is-422:", "/rules/too-hot-is-422/probe: expected a member 'probe'"),
    ),
    "a rule that is both checked and not": (
        ("chat", "    probe: feverish\n", "    probe: feverish\n    not_checked: too hot to touch\n"),
        ("chat", "  too-hot-is-422:", "/rules/too-hot-is-422: expected exactly one of the forms, got "),
    ),
    "a rule without a level": (
        ("chat", "    level: should\n", ""),
        (
            "chat",
            "  too-much-is-413:",
            "/rules/too-much-is-413/level: expected a member 'level', got nothing",
        ),
    ),
    "a change of a rule that is not inherited": (
        ("chat", "  image-is-refused: &", "  picture-is-refused: &"),
        (
            "chat",
            "  picture-is-refused:",
            "/rules/picture-is-refused/area: expected a member 'area', got nothing",
        ),
    ),
    "an unknown probe": (
        ("chat", "probe: feverish", "probe: feverisch"),
        ("chat", "probe: feverisch", "/rules/too-hot-is-422/probe: expected one of greets, repeats, "),
    ),
    "an inherited rule whose probe is taken away": (
        ("chat_stream", "rules:\n", "probes: {feverish: null}\nrules:\n"),
        ("chat", "probe: feverish", "/rules/too-hot-is-422/probe: expected one of greets, repeats, "),
    ),
    "an operation without a path": (
        ("chat", "  paths: [/chat] ", "  # [/chat] "),
        ("chat", "request:", "/request/paths: expected it here or in what parrot/chat extends, got nothing"),
    ),
    "an operation without a status": (
        ("chat", "  status: 200\n  content_type", "  content_type"),
        (
            "chat",
            "response:",
            "/response/status: expected it here or in what parrot/chat extends, got nothing",
        ),
    ),
    "a stream without an order": (
        ("chat_stream", "  order: chunk+ ", "  # chunk+ "),
        (
            "chat_stream",
            "response:",
            "/response/order: expected it here or in what parrot/chat-stream extends",
        ),
    ),
    "a stream without names": (
        ("chat_stream", "  event_name: {constant: chunk} ", "  # "),
        (
            "chat_stream",
            "response:",
            "/response/event_name: expected it here or in what parrot/chat-stream extends",
        ),
    ),
    "server-sent events that do not say where their name stands": (
        ("chat_stream", "event_line: none, ", ""),
        ("chat_stream", "framing:", "/response/framing/event_line: expected it here or in what"),
    ),
}


@pytest.mark.parametrize(("change", "error"), WRONG.values(), ids=list(WRONG))
def test_an_error_names_file_line_expected_and_got(
    example: Example, change: tuple[str, str, str], error: tuple[str, str, str]
) -> None:
    example.change(*change)
    file, text, message = error
    with pytest.raises(SpecError) as raised:
        example.load()
    where = f"{example.path(file)}:{example.line(file, text)}: "
    assert str(raised.value).startswith(where), f"{raised.value}\ndoes not begin with {where}"
    assert raised.value.message.startswith(message)


def test_an_empty_file_is_an_error(example: Example) -> None:
    example.path("chat_stream").write_text("# to be written", encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        example.load()
    assert str(raised.value) == f"{example.path('chat_stream')}: /: expected type object, got null"


def test_the_example_loads(example: Example) -> None:
    specs = example.load()
    assert list(specs.contracts) == ["common/generate", "parrot/chat", "parrot/chat-stream"]
    assert list(specs.providers) == ["parrot"]
    assert [card.model for card in specs.cards] == ["parrot-mini"]


def test_a_provider_that_stands_twice_is_an_error(example: Example) -> None:
    twin = example.folder / "providers" / "twin.yaml"
    twin.write_text(example.path("providers/parrot").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(SpecError, match=r"twin\.yaml:1: provider 'parrot' stands in .*parrot\.yaml too"):
        example.load()


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_specs_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SpecError,
        match="expected a folder with some of providers/, contracts/, shapes/, cards/, guardrails/, broken/ in it",
    ):
        load([tmp_path / name])


def test_a_file_that_would_not_be_read_is_an_error(example: Example) -> None:
    example.path("chat").rename(example.folder / "contracts" / "chat.yml")
    with pytest.raises(SpecError, match=r"chat\.yml: expected a name that ends with \.yaml, got \.yml"):
        example.load()


# What is inherited


@pytest.fixture
def parrot(example: Example) -> Specs:
    return example.load()


def test_a_rule_that_says_only_what_differs_keeps_the_rest(parrot: Specs) -> None:
    base = parrot.contracts["common/generate"].said["rules"]["image-is-refused"]
    rule = parrot.contracts["parrot/chat"].rules["image-is-refused"]
    assert rule.broken_by == ({"skip": ["shape"]},)
    assert base["broken_by"] != [{"skip": ["shape"]}]
    assert (rule.text, rule.probe, rule.check) == (base["text"], base["probe"], base["check"])


def beside(example: Example, name: str, extends: str, more: str = "") -> None:
    """One more contract of the example."""
    example.path(name).write_text(
        f"contract: parrot/{name}\nextends: {extends}\nprovider: parrot\nsummary: One base of several.\n"
        f"source: {{text: this test, sure: guess}}\n{more}",
        encoding="utf-8",
    )


def test_of_several_bases_the_first_that_has_a_word_counts_and_what_all_extend_comes_last(
    example: Example,
) -> None:
    spoken = "abstract: true\nrules: {cap-honoured: {level: should}, %s}\n"
    beside(example, "first", "common/generate", spoken % "video-is-seen: null")
    beside(example, "second", "common/generate", spoken % "cap-says-length: {level: should}")
    beside(example, "chat-too", "[parrot/first, parrot/chat]", "request: {paths: [/v1/chat-too]}\n")
    beside(example, "chat-last", "[parrot/second, parrot/chat-too]", "request: {paths: [/v1/last]}\n")
    specs = example.load()
    chat, last = specs.contracts["parrot/chat"], specs.contracts["parrot/chat-last"]
    # What parrot/chat says itself is not undone by common/generate, which parrot/first extends too.
    assert "broken-image-is-refused" not in specs.contracts["parrot/chat-too"].rules
    assert {name for name in chat.rules if name not in last.rules} == {"video-is-seen"}
    assert last.rules["cap-says-length"].level == last.rules["cap-honoured"].level == "should"
    assert [path.stem for path in last.chain] == [
        "chat-last",
        "second",
        "chat-too",
        "first",
        "chat",
        "generate",
    ]


def test_bases_that_disagree_on_their_order_are_an_error(example: Example) -> None:
    beside(example, "one", "[common/generate, parrot/chat]")
    with pytest.raises(SpecError, match="expected bases in an order that they agree on"):
        example.load()


def test_null_takes_a_rule_away_and_a_child_does_not_get_it_back(parrot: Specs) -> None:
    assert "broken-image-is-refused" in parrot.contracts["common/generate"].said["rules"]
    assert "broken-image-is-refused" not in parrot.contracts["parrot/chat"].rules
    assert "broken-image-is-refused" not in parrot.contracts["parrot/chat-stream"].rules


@pytest.mark.parametrize("section", ["probes", "exchanges", "errors"])
def test_null_takes_away_one_of_any_section(example: Example, section: str) -> None:
    name = {"probes": "stops", "exchanges": "hello", "errors": "too-hot"}[section]
    example.change(
        "chat_stream",
        "rules:\n",
        f"{section}: {{{name}: null}}\nrules:\n  too-hot-is-422: null\n  stop-sequence-ends-it: null\n"
        "  words-before-the-stop-are-kept: null\n",
    )
    if section == "exchanges":
        text = example.path("chat_stream").read_text(encoding="utf-8")
        example.path("chat_stream").write_text(text[: text.index("exchanges:\n")], encoding="utf-8")
    specs = example.load()
    attribute = {"errors": "failures"}.get(section, section)
    assert name in getattr(specs.contracts["parrot/chat"], attribute)
    assert name not in getattr(specs.contracts["parrot/chat-stream"], attribute)


def test_null_takes_away_an_error_of_the_provider(example: Example) -> None:
    example.change("chat", "  too-hot:", "  throttling: null\n  too-hot:")
    specs = example.load()
    assert "throttling" in specs.providers["parrot"].failures
    assert "throttling" not in specs.contracts["parrot/chat"].failures
    assert {"no-key", "too-hot"} <= set(specs.contracts["parrot/chat-stream"].failures)


def test_null_in_a_profile_is_a_value(example: Example) -> None:
    example.change("chat_stream", "\nrequest:", "\nprofile: {cap: null, stream: {first: null}}\nrequest:")
    plain, stream = (example.load().contracts[name].profile for name in ("parrot/chat", "parrot/chat-stream"))
    assert stream["cap"] is None and plain["cap"] == "max_tokens"
    assert stream["stream"] == {**plain["stream"], "first": None}


def test_what_a_member_of_a_rule_or_probe_says_is_replaced_whole(example: Example) -> None:
    example.change(
        "chat_stream",
        "rules:\n",
        "probes: {feverish: {steps: {again: {body: {}}}}}\nrules:\n  too-hot-is-422: {with: {error: too-hot}}\n",
    )
    contract = example.load().contracts["parrot/chat-stream"]
    assert contract.probes["feverish"] == {
        "text": "A temperature above the range.",
        "steps": {"again": {"body": {}}},
    }
    assert contract.rules["too-hot-is-422"].arguments == {"error": "too-hot"}


def test_headers_sent_headers_and_events_are_merged_and_shapes_replaced(example: Example) -> None:
    example.change(
        "chat_stream",
        "  content_type: text/event-stream\n",
        "  content_type: text/event-stream\n"
        "  headers: {required: [x-beak], properties: {x-beak: {type: string}}}\n"
        "  send: {X-Feathers: null, X-Beak: red}\n",
    )
    response = example.load().contracts["parrot/chat-stream"].response
    assert response["headers"]["required"] == ["x-beak"]
    assert set(response["headers"]["properties"]) == {"x-feathers", "x-beak"}
    assert response["send"] == {"X-Beak": "red"}
    assert response["body"] is None
    assert response["status"] == 200


def test_an_abstract_contract_is_no_operation_and_its_child_is_one(parrot: Specs) -> None:
    assert parrot.contracts["common/generate"].abstract
    assert [each.id for each in parrot.of("parrot")] == ["parrot/chat", "parrot/chat-stream"]
    assert {rule.contract for rule in parrot.rules()} == {"parrot/chat", "parrot/chat-stream"}


def test_the_implied_rules_come_first_and_order_only_with_streams(parrot: Specs) -> None:
    plain, stream = parrot.contracts["parrot/chat"], parrot.contracts["parrot/chat-stream"]
    assert [rule.id for rule in plain.rules.values() if rule.implied] == [
        "status",
        "headers",
        "framing",
        "shape",
    ]
    assert list(stream.rules)[:5] == ["status", "headers", "framing", "shape", "order"]
    assert stream.rules["order"].also == ("usage-given",)
    assert {rule.probe for rule in stream.rules.values() if rule.implied} == {next(iter(stream.probes))}


def test_checks_and_auth_come_from_the_provider_unless_the_contract_says_more(example: Example) -> None:
    example.change(
        "chat_stream", "\nrequest:", "\nchecks: [json]\nauth: {bearer: null, puter: {places: []}}\nrequest:"
    )
    plain, stream = (example.load().contracts[name] for name in ("parrot/chat", "parrot/chat-stream"))
    assert plain.checks == ("auth", "json", "shape", "model", "cap")
    assert stream.checks == ("json",)
    assert list(plain.auth) == ["bearer"]
    assert list(stream.auth) == ["puter"]


@pytest.mark.parametrize(
    ("pointer", "file", "text"),
    [
        ("/rules/usage-adds-up/with", "chat_stream", "    with: {total"),
        ("/rules/usage-adds-up/level", "chat", "    level: must "),
        ("/rules/too-hot-is-422", "chat", "  too-hot-is-422:"),
        ("/response/order", "chat_stream", "  order:"),
        ("/response/status", "chat", "  status: 200"),
        ("/nothing/there", "chat_stream", "contract:"),
    ],
)
def test_the_origin_of_a_member_is_the_file_that_says_it(
    example: Example, pointer: str, file: str, text: str
) -> None:
    contract = example.load().contracts["parrot/chat-stream"]
    assert contract.origin(pointer) == (example.path(file), example.line(file, text))


def test_the_origin_of_a_common_rule_is_the_common_file(parrot: Specs) -> None:
    path, line = parrot.contracts["parrot/chat-stream"].origin("/rules/arguments-fit")
    assert path == parrot.contracts["common/generate"].path
    assert line is not None
    assert path.read_text(encoding="utf-8").splitlines()[line - 1] == "  arguments-fit:"


def test_a_rule_is_found_by_its_name_and_a_wrong_name_gets_the_closest(parrot: Specs) -> None:
    assert parrot.rule("parrot/chat:usage-adds-up").text.startswith("total_tokens is the sum")
    with pytest.raises(
        KeyError, match="no rule 'parrot/chat:usage-ads-up'; closest: parrot/chat:usage-adds-up"
    ):
        parrot.rule("parrot/chat:usage-ads-up")
    with pytest.raises(KeyError, match="no rule 'x:forgets'; closest: parrot/chat:forgets"):
        parrot.rule("x:forgets")


def test_a_check_is_named_by_the_rule_unless_it_says_another(parrot: Specs) -> None:
    rules = parrot.contracts["parrot/chat"].rules
    assert rules["cap-honoured"].check == "cap_honoured"
    assert rules["usage-adds-up"].check == "sum"
    assert {rule.check for rule in rules.values() if not rule.implied and not rule.not_checked} <= set(CHECKS)


# Merging and filling


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}, {"a": {"c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({}, {"a": None}, {}),
        ({}, {"a": {"b": None}}, {"a": {"b": None}}),
        ({"a": 1}, [], []),
        (None, {"a": 1}, {"a": 1}),
        ({"profile": {"a": 1}}, {"profile": {"a": None}}, {"profile": {}}),
    ],
)
def test_a_merge_patch_merges(base: Any, patch: Any, merged: Any) -> None:
    assert merge(base, patch) == merged


def test_a_merge_leaves_what_it_merges_alone() -> None:
    base, patch = {"a": {"b": 1}}, {"a": {"b": None, "c": 1}}
    merge(base, patch)
    assert (base, patch) == ({"a": {"b": 1}}, {"a": {"b": None, "c": 1}})


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{n}", 7),
        ("no {n} of {word}, {unknown}", "no 7 of x, {unknown}"),
        ({"a": ["{none}", "{list}"], "{n}": True}, {"a": [None, [1]], "{n}": True}),
        ("{unknown}", "{unknown}"),
        ('{"json": {n}}', '{"json": 7}'),
        (3, 3),
    ],
)
def test_placeholders_are_filled_and_unknown_ones_stay(template: Any, filled: Any) -> None:
    assert fill(template, {"n": 7, "word": "x", "none": None, "list": [1]}) == filled


# Cards


@pytest.mark.parametrize("name", ["parrot-mini", "Polly", "polly", "POLLY", " polly "])
def test_a_card_is_found_by_id_and_by_alias_in_any_casing(parrot: Specs, name: str) -> None:
    card = parrot.card(parrot.providers["parrot"], name)
    assert card is not None and card.model == "parrot-mini"


@pytest.mark.parametrize("name", ["Parrot-Mini", "pol", "", "magistral-small-2509"])
def test_another_name_finds_no_card(parrot: Specs, name: str) -> None:
    assert parrot.card(parrot.providers["parrot"], name) is None


def test_a_card_counts_at_its_seller_only() -> None:
    specs = load()
    runtime, puter = specs.providers["bedrock-runtime"], specs.providers["puter"]
    assert specs.card(runtime, "mistral.magistral-small-2509") is not specs.card(
        puter, "magistral-small-2509"
    )
    assert specs.card(puter, "magistral-small-2509") is not None
    assert specs.card(runtime, "magistral-small-2509") is None
    assert specs.card(puter, "mistral.magistral-small-2509") is None


def test_a_card_says_what_is_declared_and_what_was_observed(parrot: Specs) -> None:
    card = parrot.cards[0]
    assert card.value("max_output") == 1024
    assert card.value("max_output", "observed") == 512
    assert card.value("context_window", "observed") == 8192
    assert card.value("apis.chat") is True
    assert card.value("prices.input") is None
    assert card.value("quotas.requests.deeper") is None
    claim = card.claim("max_output")
    assert claim is not None and claim["stated"] == "up to 1,024 tokens"


@pytest.mark.parametrize(
    ("capability", "offered"),
    [
        ("input:text", True),
        ("input:image", False),
        ("output:text", None),
        ("region:mars", None),
        ("api:chat", True),
        ("api:sing", None),
        ("tools", False),
        ("reasoning", None),
        ("context_window", True),
    ],
)
def test_a_capability_is_offered_or_not_or_nobody_says(
    parrot: Specs, capability: str, offered: bool | None
) -> None:
    assert parrot.cards[0].offers(capability) is offered


# Paths and hosts


PATHS = [
    (
        "/model/{modelId}/converse",
        "/model/mistral.magistral-small-2509/converse",
        {"modelId": "mistral.magistral-small-2509"},
    ),
    (
        "/model/{modelId}/converse",
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse",
        {"modelId": "arn:aws:bedrock:us-east-1:1:inference-profile/x"},
    ),
    ("/model/{modelId}/converse", "/model/a:b/converse", {"modelId": "a:b"}),
    ("/model/{modelId}/converse", "/model/a%20b%25/converse", {"modelId": "a b%"}),
    ("/model/{modelId}/converse", "/model/a/b/converse", None),
    ("/model/{modelId}/converse", "/model//converse", None),
    ("/model/{modelId}/converse", "/model/a/converse/", None),
    ("/model/{modelId}/converse", "/model/a/converse-stream", None),
    ("/model/{modelId}/converse", "/x/model/a/converse", None),
    ("/model/{modelId}/converse", "/model/a%2Fconverse", None),
    ("/v1/a.b", "/v1/a.b", {}),
    ("/v1/a.b", "/v1/axb", None),
    ("/{a}/x/{b}", "/1/x/2", {"a": "1", "b": "2"}),
]


@pytest.mark.parametrize(("template", "path", "parameters"), PATHS)
def test_a_raw_path_matches_segment_by_segment(
    example: Example, template: str, path: str, parameters: dict[str, str] | None
) -> None:
    example.change("chat", "paths: [/chat]", f"paths: ['{template}']")
    contract = example.load().contracts["parrot/chat"]
    assert contract.match("POST", path) == parameters
    assert contract.match_path(path) == parameters
    assert contract.match("GET", path) is None


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.eu-west-1.amazonaws.com", "eu-west-1"),
        ("bedrock-runtime.eu-west-1.amazonaws.com:443", "eu-west-1"),
        ("bedrock-runtime.amazonaws.com", None),
        ("bedrock-runtimexeu-west-1.amazonaws.com", None),
        ("bedrock-runtime.eu-west-1.amazonaws.com.evil.example", None),
    ],
)
def test_a_host_name_says_the_region(host: str, region: str | None) -> None:
    found = [pattern.match(host) for pattern in load().providers["bedrock-runtime"].hosts]
    assert [each["region"] for each in found if each] == ([region] if region else [])


# Closed shapes

DEFINITIONS = """\
$defs:
  Message:
    type: object
    required: [role]
    properties:
      role: {type: string}
      parts: {type: array, items: {$ref: '#/$defs/Part'}}
      reply_to: {$ref: '#/$defs/Message'}
      meta: {type: object}
      labels: {type: object, additionalProperties: {$ref: '#/$defs/Text'}}
  Part: {oneOf: [{$ref: '#/$defs/Text'}, {$ref: '#/$defs/Image'}]}
  Text: {type: object, required: [text], properties: {text: {type: string}}}
  Image: {type: object, required: [image], properties: {image: {$ref: 'other.yaml#/$defs/Picture'}}}
  Anything: {}
"""
OTHER = "$defs: {Picture: {type: object, properties: {bytes: {type: string}}}}\n"

CLOSED: list[tuple[Any, Any, list[str]]] = [
    ({"$ref": "Message"}, {"role": "user", "parts": [{"text": "a"}], "meta": {"x": 1}}, []),
    ({"$ref": "Message"}, {"role": "user", "rule": 1}, ["/rule"]),
    (
        {"$ref": "Message"},
        {"role": "user", "reply_to": {"role": "x", "reply_to": {"role": "y", "z": 1}}},
        ["/reply_to/reply_to/z"],
    ),
    ({"$ref": "Message"}, {"role": "user", "parts": [{"text": "a", "size": 1}]}, ["/parts/0/size"]),
    (
        {"$ref": "Message"},
        {"role": "user", "parts": [{"image": {"bytes": "", "url": ""}}]},
        ["/parts/0/image/url"],
    ),
    ({"$ref": "Message"}, {"role": "user", "labels": {"any": {"text": "a"}}}, []),
    ({"$ref": "Message"}, {"role": "user", "labels": {"any": {"text": "a", "b": 1}}}, ["/labels/any/b"]),
    ({"$ref": "Message", "properties": {"more": {}}}, {"role": "user", "more": 1}, []),
    ({"$ref": "Message", "properties": {"more": {}}}, {"role": "user", "more": 1, "less": 1}, ["/less"]),
    (
        {"$ref": "Message", "properties": {"more": {}}},
        {"role": "user", "reply_to": {"role": "", "more": 1}},
        ["/reply_to/more"],
    ),
    ({"allOf": [{"$ref": "Message"}, {"$ref": "Text"}]}, {"role": "", "text": ""}, []),
    ({"allOf": [{"$ref": "Message"}, {"$ref": "Text"}]}, {"role": "", "text": "", "x": 1}, ["/x"]),
    (
        {"type": "array", "prefixItems": [{"$ref": "Text"}], "items": {"$ref": "Image"}},
        [{"text": "", "a": 1}, {"image": {"b": 1}}],
        ["/0/a", "/1/image/b"],
    ),
    ({"$ref": "Anything"}, {"x": 1}, []),
    ({"type": "object", "required": ["a"]}, {"a": 1, "x": 1}, []),
    ({"properties": {"a": {}}, "additionalProperties": True}, {"x": 1}, []),
    ({"properties": {"a": {}}, "patternProperties": {"^x-": {}}}, {"x-1": 1, "y": 1}, ["/y"]),
    ({"properties": {"a": {"const": {"properties": {"b": 1}}}}}, {"a": {"properties": {"b": 1}}}, []),
    (
        {
            "properties": {"a": {}},
            "oneOf": [{"required": ["b"], "properties": {"b": {}}}, {"required": ["a"]}],
        },
        {"b": 1},
        [],
    ),
    ({"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}}, {"a": 1, "b": 2, "c": 3}, []),
]


@pytest.mark.parametrize(("schema", "value", "refused"), CLOSED)
def test_a_closed_shape_refuses_unlisted_members_at_any_depth(
    tmp_path: Path, schema: Any, value: Any, refused: list[str]
) -> None:
    (tmp_path / "defs.yaml").write_text(DEFINITIONS, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(OTHER, encoding="utf-8")
    library = Library()

    def named(part: Any) -> Any:
        if isinstance(part, dict):
            return {
                key: f"defs.yaml#/$defs/{each}" if key == "$ref" else named(each)
                for key, each in part.items()
            }
        return [named(each) for each in part] if isinstance(part, list) else part

    whole = absolute(named(schema), library.uri(tmp_path / "contract.yaml"))
    found = library.shape(whole, closed=True).mismatches(value)
    assert sorted(each.at for each in found) == sorted(refused)
    assert {each.expected for each in found} <= {"no such member"}
    assert library.shape(whole).mismatches(value) == []


def test_unknown_members_of_a_request_are_refused_only_where_the_contract_says_so(example: Example) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "", "name": "Polly"}], "seed": 1}
    shape = example.load().contracts["parrot/chat"].request_shape
    assert shape is not None
    assert {str(each) for each in shape.mismatches(body)} == {
        '/messages/0/name: expected no such member, got "Polly"',
        "/seed: expected no such member, got 1",
    }
    example.change("chat", "unknown_members: refused", "unknown_members: ignored")
    shape = example.load().contracts["parrot/chat"].request_shape
    assert shape is not None and shape.fits(body)


def test_a_reference_that_leads_nowhere_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "defs.yaml").write_text(DEFINITIONS, encoding="utf-8")
    library = Library()
    base = library.uri(tmp_path / "defs.yaml")
    assert library.definition(f"{base}#/$defs/Text")["required"] == ["text"]
    with pytest.raises(KeyError):
        library.definition(f"{base}#/$defs/Nobody")
    with pytest.raises(SpecError, match=re.escape(f"{tmp_path / 'gone.yaml'}: expected a UTF-8 YAML file")):
        library.definition(f"{library.uri(tmp_path / 'gone.yaml')}#/$defs/Text")
