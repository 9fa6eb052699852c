"""The same in several ways: over every API, repeated, turned around, cut into other pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.embedded import embedded
from conformance.equivalence import expand, goes_on
from conformance.exchange import Chunk
from conformance.framing import dump, read
from conformance.probes.probing import CannotAsk
from conformance.rules import Seen, Step
from conformance.run import Run
from conformance.select import turned
from conformance.target import Target, targets
from tests.asked import CHAT, SPECS, Answer, Provider, completion

Start = Callable[[Answer], Provider]
EVERY_WAY = CHAT.rules["same-over-every-api"]
# A budget of examples, and the same ones each time.
FEW = settings(
    max_examples=6,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def mock() -> Iterator[list[Target]]:
    running = embedded("mock")(specs=SPECS, auth="strict", reality="documented")
    yield targets(SPECS, "mock", mock=running.info)
    running.stop()


def generating(mock: list[Target]) -> list[tuple[Target, str]]:
    """Every API over which the seed's sellers answer."""
    return [
        (target, each.id)
        for target in mock
        if target.name in ("bedrock-mantle", "bedrock-runtime", "puter") and target.card is not None
        for each in SPECS.of(target.provider.id)
        if "repeats" in each.probes
        and each.dialect is not None
        and each.speaks(target.model or "")
        and target.card.offers(f"api:{each.offer}") is True
    ]


def answered(texts: str | Callable[[int], str]) -> Answer:
    """Chat Completions and Responses of one model; each answer says what `texts` says of its number."""

    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
        text = texts if isinstance(texts, str) else texts(number)
        if "messages" in body:
            return 200, {}, completion(text, 12, 5)
        said = SPECS.contracts["bedrock-mantle/responses"].exchanges["hello"]["response"]["body"]
        content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        message = {**said["output"][-1], "content": [content]}
        return 200, {}, {**said, "output": [message]}

    return answer


# What is asked


def test_a_step_over_every_api_asks_each_one_that_the_card_offers(mock: list[Target]) -> None:
    [mantle] = [each for each in mock if each.name == "bedrock-mantle"]
    steps = expand(SPECS, mock, mantle, CHAT, CHAT.probes["every-way"]["steps"])
    assert list(steps)[:3] == ["ask", "ask-2", "ask-3"]
    others = {(how["target"], how["contract"]) for how in list(steps.values())[3:]}
    assert others >= {
        ("bedrock-mantle", "bedrock-mantle/responses"),
        ("bedrock-runtime", "bedrock-runtime/converse"),
        ("bedrock-runtime", "bedrock-runtime/invoke-model"),
    }
    assert not any("puter" in name or "stream" in name for _, name in others)


def test_a_model_with_one_api_is_compared_with_nothing(mock: list[Target]) -> None:
    [mantle] = [each for each in mock if each.name == "bedrock-mantle"]
    with pytest.raises(CannotAsk, match="no other API"):
        expand(SPECS, [], mantle, CHAT, CHAT.probes["every-way"]["steps"])


def test_who_goes_on_from_an_answer_says_so() -> None:
    assert goes_on(CHAT.probes["tool-result"]["steps"])
    assert not goes_on(CHAT.probes["every-way"]["steps"])


@given(st.recursive(st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@FEW
def test_json_turned_around_is_the_same_json(value: Any) -> None:
    assert turned(value) == value
    assert dump(turned(turned(value))) == dump(value)


# What is found


@pytest.mark.parametrize(
    ("texts", "word", "told"),
    [
        (
            "amber kettle 42",
            "kept",
            "1 of 1 other APIs say the same; noise floor: 0 of 2 own repetitions differ",
        ),
        (
            lambda number: "amber kettle 42" if number < 3 else "another model",
            "broken",
            "0 of 1 other APIs say the same; noise floor: 0 of 2 own repetitions differ",
        ),
        (
            lambda number: f"amber kettle {number}",
            "kept",
            "0 of 1 other APIs say the same; noise floor: 2 of 2 own repetitions differ",
        ),
    ],
)
def test_a_difference_counts_if_it_is_above_the_noise(
    tmp_path: Path, start: Start, texts: Any, word: str, told: str
) -> None:
    provider = start(answered(texts))
    run = Run(SPECS, [provider.target], tmp_path)
    found = run.judge(provider.target, CHAT, EVERY_WAY)
    run.close()
    assert (found.word, found.reason) == (word, told)


def test_no_counts_are_no_agreement(tmp_path: Path, start: Start) -> None:
    seen = Seen(CHAT, CHAT.rules["counts-alike-over-every-api"], {})
    assert seen.told == []
    provider = start(lambda body, number: (200, {}, {**answered("amber")(body, number)[2], "usage": None}))
    run = Run(SPECS, [provider.target], tmp_path)
    found = run.judge(provider.target, CHAT, CHAT.rules["counts-alike-over-every-api"])
    run.close()
    assert found.word == "not asked"


# Properties of the mock, by drawn examples


def ask(run: Run, target: Target, contract: str, turn: dict[str, Any], **how: Any) -> Step:
    said = {"turn": turn, **how}
    patch = SPECS.contracts[contract].probes["two-caps"]["steps"]["wide"].get("patch")
    if patch:
        said["patch"] = patch
    return run.single(target, SPECS.contracts[contract], said, None)[0]


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "text": text}], **more}


WORDS = st.lists(
    st.sampled_from(["amber", "kettle", "42", "STOP", "tin", "river"]), min_size=2, max_size=6
).map(" ".join)


@FEW
@given(words=WORDS)
def test_the_same_turn_is_answered_alike_over_every_api(
    mock: list[Target], tmp_path: Path, words: str
) -> None:
    run = Run(SPECS, mock, tmp_path)
    said = {
        name: ask(run, target, name, question(f"Reply with exactly: {words}", max_tokens=64)).reply.text
        for target, name in generating(mock)
    }
    run.close()
    assert len(said) >= 10 and set(said.values()) == {words}


@FEW
@given(low=st.integers(1, 20), more=st.integers(1, 40))
def test_a_lower_cap_never_gives_more_tokens(mock: list[Target], tmp_path: Path, low: int, more: int) -> None:
    run = Run(SPECS, mock, tmp_path)
    for target, name in generating(mock):
        short, long = (
            ask(
                run,
                target,
                name,
                question("Count from 1 to 200.", max_tokens=max(cap, 16 if "responses" in name else 1)),
            )
            for cap in (low, low + more)
        )
        assert short.reply.usage is not None and long.reply.usage is not None, name
        assert short.reply.usage.output <= long.reply.usage.output, name
        assert long.reply.text.startswith(short.reply.text), name
    run.close()


@FEW
@given(words=WORDS)
def test_a_stop_sequence_never_appears_where_it_is_offered(
    mock: list[Target], tmp_path: Path, words: str
) -> None:
    run = Run(SPECS, mock, tmp_path)
    for target, name in generating(mock):
        if "stop-sequence-ends-it" in SPECS.contracts[name].rules:
            turn = question(f"Reply with exactly: {words}", max_tokens=64, stop=["STOP"])
            assert "STOP" not in ask(run, target, name, turn).reply.text, name
    run.close()


@FEW
@given(cuts=st.lists(st.integers(1, 400), max_size=12))
def test_a_stored_stream_cut_into_other_pieces_says_the_same(
    mock: list[Target], tmp_path: Path, cuts: list[int]
) -> None:
    run = Run(SPECS, mock, tmp_path)
    for target, name in generating(mock):
        contract = SPECS.contracts[name]
        if not contract.streams:
            continue
        step = ask(run, target, name, question("Reply with exactly: amber kettle 42", max_tokens=64))
        response = step.exchange.response
        assert response is not None
        raw, places = response.raw, sorted({0, *cuts, len(response.raw)})
        pieces = tuple(Chunk(raw[a:b]) for a, b in pairwise(places) if raw[a:b])
        again = read(contract, response.status, response.headers, pieces, response.ending)
        assert again.events is not None and response.events is not None
        assert [(e.name, e.data) for e in again.events] == [(e.name, e.data) for e in response.events], name
    run.close()
