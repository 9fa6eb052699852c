"""What a prompt mentions that could be a value: names, numbers, dates, addresses, quotations."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .words import STOP, gist, listed, stem, topics

__all__ = ["Mentions", "mentions"]

QUOTED = re.compile(r"“([^”]{1,500})”|\"([^\"\n]{1,500})\"|`([^`\n]{1,500})`|(?<!\w)'([^'\n]{1,500})'(?!\w)")
NUMBER = re.compile(r"(?<![\w.-])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:(?=[CF]\b(?![\w-]))|(?!\w|\.\d|-[\dA-Z]))")
CODE = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*(?![\w-])")
NAME = re.compile(
    r"(?<!\w)[^\W\d_a-z][\w'’]*"
    r"(?:[ -](?:(?:de|da|del|la|von|van|of|the) )?[^\W\d_a-z][\w'’]*)*(?:, [A-Z]{2}\b)?"
)
DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
DATE_TIME = re.compile(r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})\b")
WRITTEN_DATE = re.compile(r"\b([A-Z][a-z]{2,8})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b")
DATE_WRITTEN = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)? ([A-Z][a-z]{2,8})\.?,? (\d{4})\b")
WHEN = re.compile(
    r"\b(?:today|tomorrow|tonight|yesterday|(?:next |this )?"
    r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|week|month))\b",
    re.I,
)
TIME = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"'`)\]]+[^\s<>\"'`)\].,;:!?]")
UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
UNIT = re.compile(
    r"\b(?:celsius|fahrenheit|kelvin|metric|imperial|kilomet(?:er|re)s?|miles?|met(?:er|re)s?|feet|"
    r"kilograms?|kg|pounds?|lit(?:er|re)s?|seconds?|minutes?|hours?|euros?|dollars?|EUR|USD|GBP)\b",
    re.I,
)
FORMULA = re.compile(r"[\d(][\d.\s()]*(?:[-+*/×÷^%][\d.\s()]+)+")
AFTER_IN = re.compile(r"\b(?:in|at|for|near|from|to|of) ((?:[^\W\d_]+[ -]?){1,2})", re.I)
BETWEEN = re.compile(
    r"\s*(?:,|&|\band\b|,\s*and\b)\s*(?:\b(?:in|at|for|of|to|from|near|also|then|the)\b\s*)*", re.I
)

OPERATORS = {
    r"\bplus\b": "+",
    r"\bminus\b": "-",
    r"\b(?:times|multiplied by)\b": "*",
    r"\bdivided by\b": "/",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ARTICLES = ("The ", "A ", "An ", "I ")
PLACED = re.compile(r"\b(?:in|at|near|from|to|for)\s+(?:the\s+)?$", re.I)
NO_NAMES = listed(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april june july
    august september october november december json markdown api csv xml html url http ok celsius fahrenheit
    kelvin respond describe explain call extract generate create compute calculate translate summarize
    search check book send add multiply count repeat remember compare draw plan order tell ask using
    given imagine consider suppose
    """
)


@dataclass(frozen=True)
class Mentions:
    """What `text` mentions, each kind in order of appearance and each value once."""

    text: str
    chosen: tuple[str, ...] | None = None
    """The names or numbers that one of several parallel calls is about; None: all of them."""

    @cached_property
    def quoted(self) -> list[str]:
        return _once(next(filter(None, groups)) for groups in QUOTED.findall(self.text))

    @cached_property
    def numbers(self) -> list[int | float]:
        """Numbers that stand alone: no parts of dates, times or codes."""
        if self.chosen is not None and all(NUMBER.fullmatch(one) for one in self.chosen):
            return [_number(one) for one in self.chosen]
        return [_number(match.group()) for match in self.number_matches]

    @cached_property
    def number_matches(self) -> list[re.Match[str]]:
        taken = [
            match.span()
            for kind in (DATE_TIME, DATE, WRITTEN_DATE, DATE_WRITTEN, TIME, UUID, URL, EMAIL)
            for match in kind.finditer(self.text)
        ]
        return [
            match
            for match in NUMBER.finditer(self.text)
            if not any(start <= match.start() < end for start, end in taken)
        ]

    @cached_property
    def names(self) -> list[str]:
        """Capitalised names; a word that may be capitalised only because a sentence begins comes last."""
        if self.chosen is not None and not all(NUMBER.fullmatch(one) for one in self.chosen):
            return list(self.chosen)
        return _once(name for _, name in sorted(self.name_spans, key=lambda found: found[0][2]))

    @cached_property
    def name_spans(self) -> list[tuple[tuple[int, int, bool], str]]:
        """((start, end, whether it begins a sentence), name), in order of appearance."""
        found = []
        for match in NAME.finditer(self.text):
            start, name = match.start(), match.group()
            first = _begins_sentence(self.text, start)
            while (
                name and _plain(name.split()[0]) and (first or " " not in name or name.startswith(ARTICLES))
            ):
                rest = name.partition(" ")[2]
                start, name, first = match.end() - len(rest), rest, False
            while name and _plain(name.split()[-1]):
                name = name.rpartition(" ")[0]
            if len(name) > 1 and not name[0].islower() and not CODE.fullmatch(name):
                found.append(((start, start + len(name), first), name))
        return found

    @cached_property
    def places(self) -> list[str]:
        """Names; without any, what follows `in`, `at`, `for` and the like."""
        if self.names:
            return self._names_by(lambda placed: not placed)
        after = (
            " ".join(word for word in phrase.split() if word.lower() not in STOP and not WHEN.fullmatch(word))
            for phrase in AFTER_IN.findall(self.text)
        )
        return _once(phrase for phrase in after if phrase)

    @cached_property
    def people(self) -> list[str]:
        """Names, those that stand where a place would come last."""
        return self._names_by(lambda placed: placed)

    def _names_by(self, late: Callable[[bool], bool]) -> list[str]:
        if self.chosen is not None:
            return self.names
        spans = [
            (late(PLACED.search(self.text, 0, at[0]) is not None) + at[2], name)
            for at, name in self.name_spans
        ]
        return _once(name for _, name in sorted(spans, key=lambda span: span[0]))

    @cached_property
    def dates(self) -> list[str]:
        """ISO dates, also those written with a month's name."""
        found = [(match.start(), match.group()) for match in DATE.finditer(self.text)]
        for kind, day, month in ((WRITTEN_DATE, 2, 1), (DATE_WRITTEN, 1, 2)):
            for match in kind.finditer(self.text):
                short = match[month][:3].lower()
                if short in MONTHS and 1 <= int(match[day]) <= 31:
                    iso = f"{match[3]}-{MONTHS.index(short) + 1:02}-{int(match[day]):02}"
                    found.append((match.start(), iso))
        return _once(date for _, date in sorted(found))

    @cached_property
    def date_times(self) -> list[str]:
        return _once(DATE_TIME.findall(self.text))

    @cached_property
    def whens(self) -> list[str]:
        return self.dates or _once(WHEN.findall(self.text))

    @cached_property
    def times(self) -> list[str]:
        return _once(TIME.findall(self.text))

    @cached_property
    def emails(self) -> list[str]:
        return _once(EMAIL.findall(self.text))

    @cached_property
    def urls(self) -> list[str]:
        return _once(URL.findall(self.text))

    @cached_property
    def uuids(self) -> list[str]:
        return _once(UUID.findall(self.text))

    @cached_property
    def codes(self) -> list[str]:
        """Words of letters and digits: order numbers, versions."""
        return _once(CODE.findall(self.text))

    @cached_property
    def units(self) -> list[str]:
        return _once(UNIT.findall(self.text))

    @cached_property
    def formulas(self) -> list[str]:
        text = self.text
        for words, sign in OPERATORS.items():
            text = re.sub(words, sign, text, flags=re.I)
        return _once(found.strip() for found in FORMULA.findall(text))

    @cached_property
    def topic(self) -> str:
        return " ".join(topics(self.text)[:4])

    @cached_property
    def json(self) -> list[Any]:
        """JSON objects and arrays that stand in the text."""
        found, at, decoder = [], 0, json.JSONDecoder()
        while (start := min(_places_of(self.text, at), default=-1)) >= 0:
            try:
                value, at = decoder.raw_decode(self.text, start)
                found.append(value)
            except (ValueError, RecursionError):
                at = start + 1
        return found

    def has(self, phrase: str) -> bool:
        """Whether the text says the phrase, in any casing, as whole words."""
        words = re.sub(r"[_\s-]+", " ", phrase).strip()
        if not self._may_say(words.split(" ")):
            return False
        pattern = r"[_\s-]+".join(map(re.escape, words.split(" ")))
        return bool(words) and re.search(rf"(?<!\w){pattern}(?!\w)", self.text, re.I) is not None

    def after(self, name: str) -> str | None:
        """What the text gives under a name: `order id: 17`, `unit = celsius`, `days is 3`; else None."""
        if name not in self._after:
            self._after[name] = self._found_after(name)
        return self._after[name]

    @cached_property
    def _after(self) -> dict[str, str | None]:
        """What was looked up already."""
        return {}

    @cached_property
    def _lower(self) -> str | None:
        """The text in lower case where every word in it is in it then too; None for a text of any letters."""
        return self.text.lower() if self.text.isascii() else None

    def _may_say(self, words: list[str]) -> bool:
        """Whether all of the words stand somewhere in the text, as words or parts of them."""
        lower = self._lower
        return lower is None or all(word.lower() in lower or not word.isascii() for word in words)

    def _found_after(self, name: str) -> str | None:
        words = _words_of(name)
        if not words or not self._may_say(words):
            return None
        key = r"[_\s-]*".join(map(re.escape, words))
        joint = r"=|:" if len(name) == 1 else r"=|:|\bis\b|\bof\b|(?=\s[-\d])"
        match = re.search(
            rf"(?<!\w)[\"'`]?{key}[\"'`]?\s*(?:{joint})\s*(?:\"([^\"\n]+)\"|'([^'\n]+)'|([^\s,;\"']+))",
            self.text,
            re.I,
        )
        if match is None:
            return None
        value = next(group for group in match.groups() if group).rstrip(".!?)")
        # `Which city is it?` gives no city, `notifications is off` gives a value.
        return None if value.lower() in STOP - {"yes", "no", "on", "off"} else value or None

    def before(self, name: str) -> int | float | None:
        """The number that the text puts before a name: 3 `days`; None if there is none."""
        wanted = {stem(word) for word in _words_of(name)}
        for match in self.number_matches:
            next_word = re.match(r"[ -]([^\W\d_]+)", self.text[match.end() : match.end() + 40])
            if next_word and stem(next_word[1]) in wanted:
                return _number(match.group())
        return None

    def following(self, preposition: str) -> list[str]:
        """Names that stand right after a preposition: `from` Paris."""
        return [
            name
            for (start, _, _), name in self.name_spans
            if self.text[:start].rstrip().lower().endswith((f" {preposition}", f"\n{preposition}"))
        ]

    def shares(self, slots: int, numeric: bool) -> list[Mentions]:
        """One Mentions for each of several parallel calls: `in Paris and in Rome`; empty if it is one call.

        `slots` is how many names (or numbers, if `numeric`) one call takes.
        """
        if numeric:
            spans = [(match.start(), match.end(), match.group()) for match in self.number_matches]
        else:
            spans = [(start, end, name) for (start, end, _), name in self.name_spans]
        if slots == 1:
            spans = _chain(self.text, spans)
        values = _once(value for _, _, value in spans) if slots == 1 else [value for _, _, value in spans]
        if slots < 1 or len(values) <= slots or len(values) % slots or not self.has("and"):
            return []
        groups = [tuple(values[at : at + slots]) for at in range(0, len(values), slots)]
        return [replace(self, chosen=group) for group in groups]


def mentions(text: str) -> Mentions:
    """What a text mentions; of a very long one only head and tail are read."""
    return Mentions(gist(text))


def _chain(text: str, spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The first values in a row that are joined by commas or `and`."""
    chain: list[tuple[int, int, str]] = []
    for span in spans:
        if chain and not BETWEEN.fullmatch(text, chain[-1][1], span[0]):
            if len(chain) > 1:
                return chain
            chain = []
        chain.append(span)
    return chain


def _begins_sentence(text: str, at: int) -> bool:
    before = text[max(0, at - 4) : at].rstrip(" \t\"'“(")
    return not before or before[-1] in ".!?:\n"


def _words_of(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\s-]+", " ", name).split()


def _plain(word: str) -> bool:
    lower = word.lower().strip("'’,")
    return lower in STOP or lower in NO_NAMES or lower.partition("'")[0] in STOP


def _places_of(text: str, at: int) -> Iterator[int]:
    return (place for bracket in "{[" if (place := text.find(bracket, at)) >= 0)


def _number(text: str) -> int | float:
    plain = text.replace(",", "").replace("−", "-")
    return float(plain) if "." in plain else int(plain)


def _once(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))
