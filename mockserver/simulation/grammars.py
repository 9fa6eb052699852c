"""A text of a grammar, for custom tools whose input has to fit one: the shortest that is found.

Of Lark's grammars: rules and terminals, alternatives, groups, strings, regular expressions, ranges,
repetitions, priorities, aliases, and the terminals that are imported most. No templates, no %extend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .patterns import example

__all__ = ["text_of"]

COMMON = {
    "CNAME": "name",
    "DIGIT": "1",
    "ESCAPED_STRING": '"text"',
    "FLOAT": "1.5",
    "HEXDIGIT": "1",
    "INT": "1",
    "LETTER": "a",
    "NEWLINE": "\n",
    "NUMBER": "1",
    "SIGNED_FLOAT": "1.5",
    "SIGNED_INT": "1",
    "SIGNED_NUMBER": "1",
    "WORD": "word",
    "WS": " ",
    "WS_INLINE": " ",
    "LCASE_LETTER": "a",
    "UCASE_LETTER": "A",
    "DECIMAL": "1.5",
}
"""A text for each terminal of Lark's own library."""
DEFINITION = re.compile(r"^[?!]?(\w+)(?:\.-?\d+)?\s*:(?!:)", re.M)
IMPORT = re.compile(r"^%import\s+common\.(\w+)(?:\s*->\s*(\w+))?", re.M)
PIECE = re.compile(
    r'(?P<text>"(?:[^"\\\n]|\\.)*")i?|(?P<pattern>/(?:[^/\\\n]|\\.)+/)[imslux]*|(?P<name>\w+)'
    r"|(?P<range>\.\.)|->\s*\w+|(?P<times>~\s*\d+(?:\.\.\d+)?)|(?P<mark>[()\[\]|?*+])|//[^\n]*|\s+"
)
DEEPEST = 60
LONGEST, LONGEST_LINE = 10_000, 5_000
"""Characters of a text, and of a line of a grammar."""
STEPS = 20_000
"""Pieces of rules that are looked at for one text."""


def text_of(grammar: Mapping[str, Any]) -> str | None:
    """A text that fits a `definition` in the `syntax` lark or regex; None if none is found."""
    definition = str(grammar.get("definition", ""))
    if grammar.get("syntax") == "regex":
        return example(definition)
    if any(len(line) > LONGEST_LINE for line in definition.splitlines()):
        return None
    try:
        return _Grammar(definition).text("start", ())
    except (_Endless, _TooMuch, RecursionError):
        return None


class _Endless(ValueError):
    """There is no end to what would have to be written, or no rule for it."""


class _TooMuch(Exception):
    """It takes too long, or gets too long."""


class _Grammar:
    def __init__(self, definition: str) -> None:
        found = list(DEFINITION.finditer(definition))
        ends = [each.start() for each in found[1:]] + [len(definition)]
        self.rules: dict[str, str] = {}
        for each, end in zip(found, ends, strict=False):
            # Directives stand between rules.
            self.rules[each[1]] = re.split(r"^%", definition[each.end() : end], maxsplit=1, flags=re.M)[0]
        self.steps = 0
        self.imported = {alias or name: COMMON.get(name) for name, alias in IMPORT.findall(definition)}

    def text(self, name: str, inside: tuple[str, ...]) -> str:
        """The text of a rule that does not call itself again."""
        if self.imported.get(name) is not None:
            return str(self.imported[name])
        if name not in self.rules or name in inside or len(inside) > DEEPEST:
            raise _Endless(name)
        pieces = [each for each in PIECE.finditer(self.rules[name]) if each.lastgroup]
        return self._alternatives(iter([*pieces, None]), (*inside, name))

    def _alternatives(self, pieces: Iterator[re.Match[str] | None], inside: tuple[str, ...]) -> str:
        """Up to the end of the group: the first of the shortest alternatives that come to an end."""
        found: list[str | None] = []
        parts: list[str] = []
        unfinished = False
        while True:
            self.steps += 1
            if self.steps > STEPS:
                raise _TooMuch
            piece = next(pieces, None)
            mark = piece["mark"] if piece is not None else ")"
            if piece is None or mark in (")", "]", "|"):
                if sum(map(len, parts)) > LONGEST:
                    raise _TooMuch
                found.append(None if unfinished else "".join(parts))
                parts, unfinished = [], False
                if mark == "|":
                    continue
                ended = [each for each in found if each is not None]
                if not ended:
                    raise _Endless(inside[-1])
                return min(ended, key=lambda each: (not each, len(each)))
            try:
                self._take(piece, pieces, parts, inside)
            except _Endless:
                unfinished = True
                parts.append("")

    def _take(
        self,
        piece: re.Match[str],
        pieces: Iterator[re.Match[str] | None],
        parts: list[str],
        inside: tuple[str, ...],
    ) -> None:
        match piece.lastgroup:
            case "text":
                parts.append(re.sub(r"\\(.)", _unescaped, piece["text"][1:-1]))
            case "pattern":
                made = example(piece["pattern"][1:-1])
                if made is None:
                    raise _Endless(piece["pattern"])
                parts.append(made)
            case "name":
                parts.append(self.text(piece["name"], inside))
            case "range":
                next(pieces)  # `"a".."z"`: its first letter stands already
            case "times":
                times = int(re.findall(r"\d+", piece["times"])[0])
                if len(parts[-1]) * times > LONGEST:
                    raise _TooMuch
                parts[-1] *= times
            case "mark" if piece["mark"] == "(":
                parts.append(self._alternatives(pieces, inside))
            case "mark" if piece["mark"] == "[":
                self._skip(pieces)
                parts.append("")
            case _ if piece["mark"] in "?*":
                parts[-1] = ""

    def _skip(self, pieces: Iterator[re.Match[str] | None]) -> None:
        depth = 1
        while depth:
            piece = next(pieces)
            mark = piece["mark"] if piece is not None else None
            depth += (mark in ("(", "[")) - (mark in (")", "]"))


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1])
