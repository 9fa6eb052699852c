"""Texts for grammars: what is made fits the grammar, and what has no end is not made."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mockserver.simulation import grammars
from mockserver.simulation.grammars import text_of

SUM = """
start: expr
expr: term (SP ADD SP term)* -> add
| term
term: factor (SP MUL SP factor)* -> mul
| factor
factor: INT
SP: " "
ADD: "+"
MUL: "*"
%import common.INT
"""


def lark(definition: str) -> str | None:
    return text_of({"syntax": "lark", "definition": definition})


@pytest.mark.parametrize(
    ("definition", "pattern"),
    [
        (SUM, r"\d+( [+*] \d+)*"),
        ('start: "SELECT" " " NAME ";"\nNAME: /[a-z]+/\n', "SELECT [a-z]+;"),
        ('start: a\na: b a | "x"~3\nb: [c] "q"\nc: "a".."z"', "(q)*xxx"),
        ('?start.2: "on"i | "off"\n', "(?i:on|off)"),
        ('start: ("a" | "b") "c"+\n// a comment\n', "[ab]c+"),
        ('start: WORD NUMBER\n%import common.WORD\n%import common.INT -> NUMBER\n%ignore " "\n', r"\w+\d+"),
        (r'start: "\"" /\w{3}/ "\n"', '"\\w{3}\n'),
        ('start: item ("," item)*\nitem: "k" "=" value\nvalue: start | "1"', "k=1"),
    ],
    ids=str,
)
def test_a_text_fits_its_grammar(definition: str, pattern: str) -> None:
    assert re.fullmatch(pattern, lark(definition) or "")


def test_a_text_fits_its_expression() -> None:
    assert re.fullmatch(r"\d{4}-[a-f]+", text_of({"syntax": "regex", "definition": r"^\d{4}-[a-f]+$"}) or "")


@pytest.mark.parametrize(
    "definition",
    ['start: start "a"', "start: nowhere", 'begin: "a"', "", 'start: a\na: b\nb: a "x"'],
    ids=str,
)
def test_what_has_no_end_has_no_text(definition: str) -> None:
    assert lark(definition) is None


@pytest.mark.parametrize(
    "definition",
    [
        "start: a0 a0\n" + "\n".join(f"a{n}: a{n + 1} a{n + 1}" for n in range(40)) + '\na40: "x"',
        "start: a0 | a0\n" + "\n".join(f"a{n}: a{n + 1} | a{n + 1}" for n in range(40)) + '\na40: "x"',
        "start: a0~99\n" + "\n".join(f"a{n}: a{n + 1}~99" for n in range(8)) + '\na8: "x"',
        "start: /" + "\\/" * 30_000,
    ],
    ids=["doubling", "alternatives", "times", "one line"],
)
def test_a_grammar_that_has_no_short_text_is_given_up(
    definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    take = grammars._Grammar._take

    def counted(self: grammars._Grammar, piece: re.Match[str], *more: Any) -> None:
        looks.append(piece[0])
        take(self, piece, *more)

    monkeypatch.setattr(grammars._Grammar, "_take", counted)
    assert grammars.text_of({"syntax": "lark", "definition": definition}) is None
    assert len(looks) <= grammars.STEPS
