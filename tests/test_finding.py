"""Seven words, what each means, and the one exit code of a run."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import get_args

import pytest

from conformance.finding import MEANING, PRECEDENCE, Finding, Word, exit_code
from conformance.loading import load
from conformance.shapes import ABSENT, Mismatch

RULES = load().contracts["bedrock-runtime/converse"].rules
MUST = next(rule for rule in RULES.values() if rule.level == "must" and not rule.implied)
SHOULD = next(rule for rule in RULES.values() if rule.level == "should")
WORDS: tuple[Word, ...] = get_args(Word)


def must(word: Word) -> Finding:
    return Finding(MUST, word)


def should(word: Word) -> Finding:
    return Finding(SHOULD, word)


def test_every_word_has_a_meaning() -> None:
    assert set(MEANING) == set(WORDS)
    assert len(WORDS) == 7
    assert len({meaning.mark for meaning in MEANING.values()}) == 7


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("kept", "passed", 0),
        ("broken", "failed", 1),
        ("not applicable", "skipped", 0),
        ("not asked", "failed", 1),
        ("inconclusive", "failed", 4),
        ("over budget", "failed", 4),
        ("suite error", "failed", 3),
    ],
)
def test_a_word_means_the_same_to_pytest_and_to_the_shell(word: Word, outcome: str, code: int) -> None:
    assert (MEANING[word].pytest, MEANING[word].exit) == (outcome, code)
    assert must(word).fails == (outcome == "failed")
    # Beside something that was looked at, the word alone decides.
    assert exit_code([must("kept"), must(word)]) == code


def test_a_broken_should_warns_and_a_broken_must_fails() -> None:
    assert (should("broken").fails, should("broken").warns) == (False, True)
    assert (must("broken").fails, must("broken").warns) == (True, False)
    assert exit_code([should("broken")]) == 0
    assert exit_code([should("broken"), must("broken")]) == 1


@pytest.mark.parametrize("word", [word for word in WORDS if word != "broken"])
def test_the_level_counts_for_what_is_broken_alone(word: Word) -> None:
    assert should(word).fails == must(word).fails
    assert not should(word).warns
    assert exit_code([should("kept"), should(word)]) == exit_code([must("kept"), must(word)])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["kept", "not applicable"], 0),
        (["kept", "inconclusive", "over budget"], 4),
        (["kept", "broken", "inconclusive"], 1),
        (["kept", "not asked", "over budget"], 1),
        (["broken", "suite error", "inconclusive"], 3),
        (["kept", "not asked", "suite error", "not applicable"], 3),
        (list(WORDS), 3),
    ],
)
def test_of_several_codes_the_gravest_counts(words: list[Word], code: int) -> None:
    for order in permutations(words) if len(words) < 5 else [words, words[::-1]]:
        assert exit_code([must(word) for word in order]) == code


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["not applicable"],
        ["not asked"],
        ["not asked", "not applicable"],
        ["inconclusive", "not asked"],
        ["over budget", "not applicable"],
    ],
)
def test_a_run_that_looked_at_nothing_is_inconclusive(words: list[Word]) -> None:
    assert exit_code([must(word) for word in words]) == 4


def test_our_own_fault_is_told_though_nothing_was_looked_at() -> None:
    assert exit_code([must("suite error")]) == 3
    assert exit_code([must("suite error"), must("not applicable"), must("inconclusive")]) == 3


def test_the_order_of_codes_is_usage_suite_error_broken_inconclusive_kept() -> None:
    assert PRECEDENCE == (2, 3, 1, 4, 0)
    assert {meaning.exit for meaning in MEANING.values()} <= set(PRECEDENCE)


# The text


def test_a_broken_rule_is_told_with_where_what_who_and_how_to_see_it_again() -> None:
    found = (
        Mismatch("/body/usage/totalTokens", "14", 15),
        Mismatch("", "a member", ABSENT),
    )
    lines = Finding(SHOULD, "broken", mismatches=found, again="curl -X POST http://x").text().splitlines()
    assert lines == [
        f"{SHOULD.id} (should)  bedrock-runtime/converse: broken",
        "  at        /body/usage/totalTokens",
        "  expected  14",
        "  got       15",
        "  at        /",
        "  expected  a member",
        "  got       nothing",
        f"  rule      {SHOULD.text}",
        f"  says      {SHOULD.source['text']} ({SHOULD.source['sure']})",
        "  again     curl -X POST http://x",
    ]


def test_a_reason_is_told_where_there_is_one() -> None:
    text = Finding(MUST, "inconclusive", "no response: refused").text()
    assert "  because   no response: refused" in text.splitlines()
    assert "because" not in must("kept").text()
    assert "again" not in must("kept").text()


def test_nothing_that_a_provider_said_is_obeyed_by_a_terminal() -> None:
    evil = "\x1b[31mred\x1b]0;title\x07 \x9b31m \u202eright to left\r\nconformant: 900 kept \ud800"
    told = replace(
        must("broken"), reason=evil, mismatches=(Mismatch(f"/{evil}", evil, {evil: evil}),), again=evil
    ).text()
    assert all(each.isprintable() or each == "\n" for each in told)
    assert told.encode()
    begun = [each.split(" ")[0] for each in told.splitlines()[1:] if not each.startswith("  ")]
    assert begun == ["conformant:"], "only a line to paste has lines of its own"
    assert r"\x1b[31mred\x1b]0;title\x07 \x9b31m \u202eright to left\r\nconformant" in told


def test_a_long_value_is_shortened() -> None:
    text = Finding(MUST, "broken", mismatches=(Mismatch("/body", "a text", "x" * 5000),)).text()
    assert len(text) < 1500


def test_a_finding_does_not_change() -> None:
    with pytest.raises(AttributeError):
        must("kept").word = "broken"  # type: ignore[misc]
    assert replace(must("kept"), word="broken").fails
