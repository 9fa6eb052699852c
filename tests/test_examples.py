"""Drawn examples beside the written turns: what is drawn, what is found by them alone, what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import main
from conformance.contract import Rule
from conformance.dialects import dialect
from conformance.embedded import embedded
from conformance.exchange import Request
from conformance.judge import judge_request
from conformance.probes.drawn import Example, aimed, draw, trimmed, varies, with_examples
from conformance.probes.examples import Examples, shrink
from conformance.probes.probing import build
from conformance.run import Run
from conformance.target import Target, targets
from tests.asked import CHAT, SPECS, Answer, Provider, completion

Start = Callable[[Answer], Provider]
ORDER, STOP = CHAT.rules["order-of-members-is-nothing"], CHAT.rules["stop-sequence-ends-it"]
ONE_CAP = CHAT.rules["lower-cap-is-less"]


@pytest.fixture(scope="module")
def mock() -> Iterator[list[Target]]:
    running = embedded("mock")(specs=SPECS, auth="strict", reality="documented")
    yield targets(SPECS, "mock", mock=running.info)
    running.stop()


def judged(provider: Provider, folder: Path, rule: Rule, number: int, is_mock: bool) -> Any:
    run = Run(SPECS, [provider.target], folder)
    try:
        return Examples(run, number, folder, is_mock=is_mock).judge(provider.target, CHAT, rule)
    finally:
        run.close()


def is_turned(body: dict[str, Any]) -> bool:
    return list(body)[-1] == "model" or next(iter(body["messages"][0])) == "content"


def says_another(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
    """A provider that takes the order of members for something, and only where a word is not ASCII."""
    text = body["messages"][0]["content"]
    odd = not text.isascii() and is_turned(body)
    return 200, {}, completion("something else" if odd else text, 12, 5)


# What is drawn


def test_what_may_vary_stands_in_the_probe_that_says_so() -> None:
    found = 0
    for contract in SPECS.contracts.values():
        for name, probe in contract.probes.items():
            for text in probe.get("drawn", {}).get("words", ()):
                said = json.dumps(list(probe["steps"].values()))
                assert text in said, f"{contract.id} {name}"
                found += 1
    assert found > 50


def test_an_example_is_a_request_of_the_contract_without_media_and_with_a_low_cap(mock: list[Target]) -> None:
    looked_at = 0
    for target in mock:
        for contract in SPECS.of(target.name):
            if contract.dialect is None or not contract.speaks(target.model or ""):
                continue
            for rule in contract.rules.values():
                said = varies(contract, rule)
                if said is None:
                    continue
                for each in draw(contract, 2):
                    example = trimmed(each, said)
                    more = with_examples(contract, rule, {1: example})
                    for name, how in more.probes[str(aimed(contract, rule, example, 1).probe)][
                        "steps"
                    ].items():
                        asked = SPECS.contracts[how.get("contract", contract.id)]
                        _, body, _ = build(asked, name, how, target, {})
                        wrong = judge_request(asked, Request("POST", "/", ()), body, {})
                        assert [each for each in wrong if not each.at.startswith("headers:")] == [], rule.name
                        turn = dialect(asked.dialect or "").read(body, asked.profile)
                        assert turn.max_tokens is not None and turn.max_tokens <= 100
                        looked_at += 1
    assert looked_at > 100


def test_members_come_from_the_contracts_own_strategy() -> None:
    drawn = draw(CHAT, 20)
    members = {at for each in drawn for at in each.members}
    assert {"/seed", "/top_p"} <= members and "/inferenceConfig/topP" not in members
    assert {at for each in draw(SPECS.contracts["bedrock-runtime/converse"], 20) for at in each.members} == {
        "/inferenceConfig/topP"
    }
    assert drawn == draw(CHAT, 20) and len({str(each) for each in drawn}) == 20


def test_drawing_leaves_nothing_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw(CHAT, 3)
    assert list(tmp_path.iterdir()) == []


def test_words_of_the_rule_are_replaced_with_those_of_the_turn() -> None:
    rule = CHAT.rules["words-before-the-stop-are-kept"]
    example = Example(("left", "right"))
    more = with_examples(CHAT, rule, {1: example})
    [step] = more.probes["stops~1"]["steps"].values()
    assert step["turn"]["messages"][0]["text"] == "Reply with exactly: left STOP right"
    assert aimed(CHAT, rule, example, 1).arguments == {"text": "left"}


def test_a_smaller_example_has_one_thing_less_and_still_breaks() -> None:
    start = Example(("one twß", "x"), (9,), {"/seed": 7})
    least, asked = shrink(start, lambda each: "ß" in each.texts[0])
    assert least == Example(("ß", "x"), (0,), {}) and asked < 40
    assert shrink(start, lambda each: False)[0] == start
    assert shrink(start, lambda each: True, tries=3)[1] == 3


# What is found


def test_two_contracts_of_the_mock_keep_three_drawn_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--api", "*/converse", "--api", "puter/chat-completions-stream", "--examples", "3"]
    assert main(["run", *asked, "--report-dir", str(tmp_path)]) == 0
    capsys.readouterr()
    said = json.loads((tmp_path / "report.json").read_text())
    reasons = {
        f"{each['contract']}:{each['rule']}": each["reason"]
        for each in said["findings"]
        if "drawn" in each["reason"]
    }
    assert set(reasons.values()) == {"written turn kept; 3 drawn: 3 kept"}
    assert {
        "bedrock-runtime/converse:order-of-members-is-nothing",
        "bedrock-runtime/converse:stop-sequence-ends-it",
        "puter/chat-completions-stream:stream-says-the-same",
        "puter/chat-completions-stream:lower-cap-is-less",
    } <= set(reasons)
    assert {len(each) for each in said["examples"].values()} == {3} and len(said["examples"]) == 2
    # Evidence, receipt and plan count them; a second look at the run knows them.
    assert sum("~" in address for address in said["exchanges"]) == 3 * 8
    assert sum(line["requests"] for line in said["receipt"]["lines"]) == said["requests"]
    assert main(["plan", *asked]) == 0
    assert f" {said['requests']} " in capsys.readouterr().out.partition("\nall ")[2].partition("\n")[0]
    assert main(["judge", str(tmp_path), "--report-dir", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    assert again["examples"] == said["examples"]
    assert [each["reason"] for each in again["findings"]] == [each["reason"] for each in said["findings"]]


def test_without_examples_nothing_is_drawn(tmp_path: Path, start: Start) -> None:
    provider = start(says_another)
    found = judged(provider, tmp_path, ORDER, 0, is_mock=True)
    assert (found.word, found.reason, len(provider.bodies)) == ("kept", "", 2)


def test_what_only_drawn_examples_reveal_is_found_and_made_smaller_at_the_mock(
    tmp_path: Path, start: Start
) -> None:
    provider = start(says_another)
    found = judged(provider, tmp_path, ORDER, 3, is_mock=True)
    assert found.word == "broken" and found.rule is ORDER
    assert found.reason.startswith("written turn kept; 3 drawn: ")
    least = found.reason.partition("shrunk at the mock in ")[2].partition("text ")[2]
    assert len(json.loads(least)) == 1 and not json.loads(least).isascii()
    assert found.mismatches[0].got == "something else"
    assert json.loads(least) in found.again
    assert any("~shrunk" in each for each in found.evidence)


def test_a_real_provider_is_asked_for_no_smaller_one(tmp_path: Path, start: Start) -> None:
    provider = start(says_another)
    found = judged(provider, tmp_path, ORDER, 3, is_mock=False)
    assert found.word == "broken"
    assert "the smallest of the stored ones that break it: text " in found.reason
    assert len(provider.bodies) == 2 + 2 * 3


def test_the_embedded_mock_makes_it_smaller_where_it_breaks_the_same_examples(
    tmp_path: Path, start: Start
) -> None:
    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
        return 200, {}, completion("something else" if is_turned(body) else "a", 12, 5)

    found = judged(start(answer), tmp_path, ORDER, 2, is_mock=False)
    assert found.word == "broken" and found.reason.startswith("written turn broken; 2 drawn: 2 broken")
    assert "shrunk at the embedded mock with this rule broken" in found.reason


def test_an_example_that_is_refused_is_not_asked_and_breaks_nothing(tmp_path: Path, start: Start) -> None:
    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
        if not body["messages"][0]["content"].isascii():
            return 400, {}, {"error": {"message": "ASCII only", "type": "invalid_request_error"}}
        return 200, {}, completion("a", 12, 5)

    found = judged(start(answer), tmp_path, ORDER, 3, is_mock=False)
    assert found.word == "kept" and "not asked" in found.reason


def test_an_outage_among_the_examples_is_not_green(tmp_path: Path, start: Start) -> None:
    def answer(body: dict[str, Any], number: int) -> tuple[int, dict[str, str], Any]:
        return (429, {}, {}) if number > 3 else (200, {}, completion("a", 12, 5))

    found = judged(start(answer), tmp_path, ORDER, 3, is_mock=False)
    assert found.word == "inconclusive" and "429" in found.reason


def test_a_budget_stops_the_examples(tmp_path: Path, start: Start) -> None:
    provider = start(lambda body, number: (200, {}, completion("a", 12, 5)))
    run = Run(SPECS, [provider.target], tmp_path, budget=0.0005)
    found = Examples(run, 50, tmp_path, is_mock=False).judge(provider.target, CHAT, ORDER)
    run.close()
    assert found.word == "over budget" and len(provider.bodies) < 20


def test_a_number_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--examples", "many"])
    assert "expected a number of examples from 0 to 100, got 'many'" in capsys.readouterr().err
