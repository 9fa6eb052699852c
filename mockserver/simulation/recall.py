"""Facts told in a conversation, and questions for them: `My name is Ada.` `What is my name?`"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from .literal import IN_QUOTES, inside
from .words import STOP, listed, may_say, stem

__all__ = ["Fact", "Question", "facts", "question", "recall"]


SHORT = 2_000
"""Characters of a text of which it is remembered what it tells."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something told: `owner` is `my`, `your` or `the`, `what` the thing, `value` what it is."""

    owner: str
    what: str
    value: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something asked for: `my` `name`."""

    owner: str
    what: str

    @property
    def thing(self) -> str:
        """The thing as the one who answers calls it."""
        return f"{ {'my': 'your', 'your': 'my'}.get(self.owner, 'the') } {self.what}"


END = (
    r"(?=[.!?;](?:\s|$)|,?\s+(?:and|but|so)\s+(?:I|my|the|it|you|your|we|please|remember)\b|"
    r",\s+(?:please|remember|keep|do|don't|which|so|I)\b|\n|$)"
)
VALUE = rf"(?P<value>[^\n]{{1,300}}?){END}"
IS = r"(?:\s+(?:is|are|was|were|will\s+be|equals)\b\s*:?|\s*[:=])\s+"
TOLD = re.compile(
    rf"\b(?P<owner>my|the|your|our|this)\s+(?P<what>(?:[\w'-]+\s+){{0,4}}?[\w'-]+){IS}{VALUE}", re.I
)
LABEL = re.compile(rf"(?:^|(?<=\n)|(?<=[.!?] ))(?P<what>[A-Za-z][\w'-]*(?: [\w'-]+){{0,3}})\s*[:=]\s*{VALUE}")
REMEMBERED = re.compile(
    r"\b(?:remember|memori[sz]e|note|keep in mind)\s+(?:the|this|that the|my)\s+"
    r"(?P<what>(?:[\w'-]+ ){0,3}?"
    rf"(?:word|number|code|name|phrase|password|key|colou?r|city|animal))\s*(?:is)?\s*:?\s+{VALUE}",
    re.I,
)
REMINDING = ("remember", "memori", "note", "keep in mind")
NAMING = ("i am", "i'm", "call me", "i live", "you are", "you're")
"""What one of those that name somebody has in it."""
NAMED = (
    (re.compile(rf"\b(?:I am|I'm) (?:called|named) {VALUE}", re.I), "my", "name"),
    (re.compile(rf"\bcall me {VALUE}", re.I), "my", "name"),
    (re.compile(r"\b(?:I am|I'm) (?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"), "my", "name"),
    (re.compile(rf"\b(?:I live|I'm living|I am living) in {VALUE}", re.I), "my", "city"),
    (re.compile(r"\b(?:I am|I'm) (?P<value>\d{1,3})(?: years old)?\b", re.I), "my", "age"),
    (re.compile(rf"\b[Yy]ou(?: are|'re)(?: [^.\n]{{0,80}}?)? (?:named|called) {VALUE}"), "your", "name"),
    (re.compile(r"\b[Yy]ou(?: are|'re) (?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"), "your", "name"),
)
OF_SOMEBODY = (
    (re.compile(r"\bwho am i\b|\bwhat am i called\b", re.I), Question("my", "name")),
    (re.compile(r"\bwho are you\b|\bwhat are you called\b", re.I), Question("your", "name")),
    (re.compile(r"\bhow old am i\b", re.I), Question("my", "age")),
    (re.compile(r"\bwhere do i live\b", re.I), Question("my", "city")),
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
ASKED = re.compile(
    r"\b(?:what|which|who|whose|tell me|recall|remind me|repeat|remember|know|give me|state|name)\b"
    r"[^.!?\n]{0,80}?"
    r"\b(?P<owner>my|the|your|our)\s+(?P<what>(?:[\w'-]+[ ]?){1,6})",
    re.I,
)
NO_THINGS = STOP - {"name", "number", "word", "words"}
BREAK = listed(
    """
    i you we is are was were that which who in of on at from to for mentioned told said stated given
    again above earlier before please was's and or only exactly as by with called did do does should
    would s
    """
)


def question(prompt: str) -> Question | None:
    """The fact that the prompt's end asks for; None if it asks for none."""
    end = prompt.strip()[-500:]
    sentences = [part for part in SENTENCE_END.split(end) if part.strip()]
    for sentence in reversed(sentences):
        if may_say(sentence, ("am i", "are you", "do i live")):
            for kind, asked in OF_SOMEBODY:
                if kind.search(sentence):
                    return asked
        if match := ASKED.search(sentence):
            words = []
            for word in match["what"].split():
                if word.lower() in BREAK:
                    break
                words.append(word)
            if words:
                return Question(match["owner"].lower(), " ".join(words).rstrip("?"))
    return None


def facts(text: str) -> tuple[Fact, ...]:
    """What a text tells, in no particular order of kinds."""
    # What was said before is looked at with each request again.
    return _told(text) if len(text) <= SHORT else tuple(_facts(text))


@lru_cache(4096)
def _told(text: str) -> tuple[Fact, ...]:
    return tuple(_facts(text))


def _facts(text: str) -> Iterator[Fact]:
    for match in TOLD.finditer(text):
        owner = match["owner"].lower()
        yield Fact({"this": "the"}.get(owner, owner), match["what"], _value(match["value"]))
    if ":" in text or "=" in text:
        for match in LABEL.finditer(text):
            yield Fact("the", match["what"], _value(match["value"]))
    if may_say(text, REMINDING):
        for match in REMEMBERED.finditer(text):
            yield Fact("the", match["what"], _value(match["value"]))
    if may_say(text, NAMING):
        for kind, owner, what in NAMED:
            for match in kind.finditer(text):
                yield Fact(owner, what, _value(match["value"]))


def recall(asked: Question, texts: Iterable[str]) -> str | None:
    """What was told last of what is asked; `texts` are in order of time. None if nothing was."""
    wanted = _key(asked.what)
    best: tuple[int, str] | None = None
    for text in texts:
        for fact in facts(text):
            told = _key(fact.what)
            close = _closeness(wanted, told) if _same_owner(asked.owner, fact.owner) else 0
            if close and fact.value and (best is None or close >= best[0]):
                best = close, fact.value
    return best[1] if best else None


def _value(text: str) -> str:
    text = text.strip().rstrip(",")
    if quoted := IN_QUOTES.match(text):
        return inside(quoted)
    return text.strip("*")


@lru_cache(4096)
def _key(what: str) -> frozenset[str]:
    return frozenset(stem(word) for word in re.findall(r"[\w-]+", what) if word.lower() not in NO_THINGS)


def _closeness(wanted: frozenset[str], told: frozenset[str]) -> int:
    """2 for the same thing, 1 when one says it more narrowly than the other, 0 for another thing."""
    if not wanted or not told:
        return 0
    return 2 if wanted == told else 1 if wanted < told or told < wanted else 0


def _same_owner(asked: str, told: str) -> bool:
    """Whether it may be one thing: what is `my` may be called `the`, but what is `your` is yours."""
    return asked == told or ("your" not in (asked, told) and not {asked, told}.isdisjoint(("the", "our")))
