"""What a prompt asks for in so many words: a repetition, a fact told before, counting, a length."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .words import STOP, gist, stem

__all__ = ["Fact", "Question", "counting", "facts", "is_greeting", "length", "literal", "question", "recall"]

VERB = r"(?:reply|respond|answer|say|repeat|return|output|write|print|echo)"
START = r"(?:^|(?<=[.!?:,;\n])\s*|\b(?:please|always|must|should|only|just|then|and|to|you)\s+)"
JOINTS = (
    r"(?:\s+(?:back|me|after|with|to|this|the|following|message|question|by|saying|in|your|reply|answer))*"
)
EXACTLY = r"(?:exactly|verbatim|precisely|only|just|simply|nothing\s+but)"
WHAT = (
    r"(?:\s+(?:with|and|only|this|the|a|one|single|following|exact|literal|words?|text|phrase|string|sentence|"
    r"number|letter|token|character|line|message|json|sequence|output|nothing\s+else|\([^()\n]*\)))*"
)
NAMED_AS = r"(?:words?|text|phrase|string|sentence|number|letter|token|line)"
TAIL = re.compile(
    r"[\s,.;]*\b(?:and\s+(?:nothing|no)\b|nothing\s+else|(?:do\s+not|don't)\s+(?:add|say|write|include|use|explain)|"
    r"no\s+(?:other|further|additional|explanation|punctuation)|without\s+(?:any|further|other|quotes)).*\Z",
    re.I | re.S,
)
WITH_COLON = re.compile(rf"{START}{VERB}\b{JOINTS}\s+{EXACTLY}\b{WHAT}\s*:\s*(?P<text>.+)\Z", re.I | re.S)
NAMED_COLON = re.compile(
    rf"{START}{VERB}\b{JOINTS}{WHAT}\s+{NAMED_AS}(?:\s*\([^()\n]*\))?\s*:\s*(?P<text>.+)\Z", re.I | re.S
)
REPEAT_COLON = re.compile(rf"{START}(?:repeat|echo|say)\b{JOINTS}{WHAT}\s*:\s*(?P<text>.+)\Z", re.I | re.S)
WITHOUT_COLON = re.compile(rf"{START}{VERB}\b{JOINTS}\s+{EXACTLY}\b(?P<what>{WHAT})\s+(?P<text>[^\n]+)", re.I)
SAY_QUOTED = re.compile(
    rf"{START}(?:say|repeat|echo|reply|respond|answer|print|output)\b{JOINTS}{WHAT}\s+(?P<text>[\"“'`].+)",
    re.I | re.S,
)
SAY = re.compile(
    r"\A(?:(?:can|could|would|will) you )?(?:please |just |simply )*say "
    r"(?P<text>(?!some|any|a |an |the |why|what|how|your|more|it)[^\n,:\"]+)\Z",
    re.I,
)
CHOICE = re.compile(r"\s*(?:,|or\b|if\b|when\b|unless\b)", re.I)
NO_VALUE = re.compile(r"(?:of|that|which|from|in|you|I|for|and|to|is)\b", re.I)
BARE = re.compile(
    r"(?!JSON|XML|YAML|HTML|SQL|CSV)\S*[A-Z\d]\S*|(?i:yes|no|ok|okay|hello|hi|ping|pong|done|true|false|ready)"
)
IN_QUOTES = re.compile(r"\A(?:“([^”]+)”|\"([^\"]+)\"|'(.+?)'(?!\w)|`([^`]+)`)", re.S)
MEASURED = re.compile(
    r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten)\s+"
    r"(?:words?|sentences?|characters?|lines?|items?|letters?|paragraphs?|tokens?|times|examples?|bullets?)\b",
    re.I,
)

GREETING = re.compile(
    r"\W*(?:(?:hello|hi|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day|night)|welcome|thanks|"
    r"thank you|bye|goodbye|how are you|how's it going|what's up|nice to meet you|there|again|everyone|"
    r"very much|so much|today|doing|friend|all|you)\W*)+",
    re.I,
)

COUNT = re.compile(
    r"\bcount(?:ing)?\b[^.\d\n-]{0,40}?(?:(?P<down>down|backwards?)\b[^.\d\n-]{0,20})?"
    r"(?:from\s+)?(?P<first>-?\d+)?[^.\d\n-]{0,20}?"
    r"(?:\b(?:up to|down to|to|until|through)\b|[-–])\s*(?P<last>-?\d[\d,]*)"
    r"(?:[^.\n]{0,20}\b(?:by|steps of)\s+(?P<step>\d+)s?)?",
    re.I,
)
LENGTH = re.compile(
    r"\b(?P<number>\d[\d,]*)[- ]+(?P<unit>word|sentence|paragraph|line)s?\b|"
    r"\b(?P<long>very long|long|detailed|lengthy|at length|in (?:great )?detail|as long as|never stop)\b",
    re.I,
)
WRITES = re.compile(
    r"\b(?:write|tell|compose|give|generate|produce|create|describe|explain|talk|continue)\b", re.I
)

MOST_COUNTED = 100_000
"""Numbers or words in one answer at most: more than any cap, and soon made."""


def literal(prompt: str) -> str | None:
    """The text that the prompt wants repeated as it stands; None if it wants no such thing."""
    for kind in (WITH_COLON, NAMED_COLON, REPEAT_COLON):
        if match := kind.search(prompt):
            return _unquoted(match["text"])
    if match := SAY_QUOTED.search(prompt):
        quoted = IN_QUOTES.match(match["text"])
        if quoted and not CHOICE.match(match["text"], quoted.end()):
            return _inside(quoted)
    if match := WITHOUT_COLON.search(prompt):
        return _without_colon(match)
    if (
        (match := SAY.search(prompt.strip()))
        and len(match["text"].split()) <= 6
        and " to " not in match["text"]
    ):
        return match["text"].strip().rstrip(".!?")
    return None


def _without_colon(match: re.Match[str]) -> str | None:
    """`exactly hello` and `only the word hello`, but not `exactly two words` or `only the name`."""
    if (quoted := IN_QUOTES.match(match["text"])) and not CHOICE.match(match["text"], quoted.end()):
        return _inside(quoted)
    text = TAIL.sub("", re.split(r"[.!?](?:\s|$)", match["text"])[0]).strip()
    if not text or MEASURED.match(text) or NO_VALUE.match(text) or re.search(r"\bor\b", text):
        return None
    if re.search(rf"\b{NAMED_AS}\Z", match["what"], re.I):
        return text
    if re.search(r"\b(?:the|this|a|one)\Z", match["what"], re.I):
        return None
    if re.search(r"\bexactly\b", match.group(), re.I):
        return text if len(text.split()) <= 3 else None
    return text if BARE.fullmatch(text) else None


def _inside(quoted: re.Match[str]) -> str:
    return next(text for text in quoted.groups() if text)


def _unquoted(text: str) -> str | None:
    text = text.strip()
    if quoted := IN_QUOTES.match(text):
        after = text[quoted.end() :].strip(" .!\n")
        if not after or TAIL.match(" " + after):
            return _inside(quoted)
    return TAIL.sub("", text).strip() if TAIL.search(text) else text or None


def is_greeting(prompt: str) -> bool:
    """Whether the prompt is a greeting and nothing else."""
    return GREETING.fullmatch(prompt.strip()) is not None


def counting(prompt: str) -> str | None:
    """The numbers that the prompt wants counted; None if it wants none."""
    match = COUNT.search(gist(prompt))
    if not match:
        return None
    last = int(match["last"].replace(",", ""))
    first = int(match["first"]) if match["first"] else (last if match["down"] else 1)
    if match["down"] and not match["first"]:
        last = 1
    step = int(match["step"] or 1) or 1
    numbers = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    lines = re.search(
        r"\b(?:per|each|own|new|separate) (?:on )?(?:a )?(?:new )?lines?\b|\blines?\b", prompt, re.I
    )
    separator = "\n" if lines else " " if re.search(r"\bspaces?\b", prompt, re.I) else ", "
    return separator.join(map(str, numbers[:MOST_COUNTED]))


def length(prompt: str) -> int | None:
    """The number of words that the prompt wants written at least; None if it names no length."""
    prompt = gist(prompt)
    match = LENGTH.search(prompt)
    if not match or not WRITES.search(prompt):
        return None
    if match["long"]:
        return 600
    words = {"word": 1, "sentence": 14, "paragraph": 70, "line": 12}[match["unit"].lower()]
    return min(int(match["number"].replace(",", "")) * words, MOST_COUNTED)


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
NAMED = (
    (re.compile(rf"\b(?:I am|I'm) (?:called|named) {VALUE}", re.I), "my", "name"),
    (re.compile(rf"\bcall me {VALUE}", re.I), "my", "name"),
    (re.compile(r"\b(?:I am|I'm) (?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"), "my", "name"),
    (re.compile(rf"\b(?:I live|I'm living|I am living) in {VALUE}", re.I), "my", "city"),
    (re.compile(r"\b(?:I am|I'm) (?P<value>\d{1,3})(?: years old)?\b", re.I), "my", "age"),
    (re.compile(rf"\b[Yy]ou(?: are|'re)(?: [^.\n]{{0,80}}?)? (?:named|called) {VALUE}"), "your", "name"),
    (re.compile(r"\b[Yy]ou(?: are|'re) (?P<value>[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"), "your", "name"),
)
ASKED = re.compile(
    r"\b(?:what|which|who|whose|tell me|recall|remind me|repeat|remember|know|give me|state|name)\b"
    r"[^.!?\n]{0,80}?"
    r"\b(?P<owner>my|the|your|our)\s+(?P<what>(?:[\w'-]+[ ]?){1,6})",
    re.I,
)
NO_THINGS = STOP - {"name", "number", "word", "words"}
BREAK = frozenset(
    [
        "i",
        "you",
        "we",
        "is",
        "are",
        "was",
        "were",
        "that",
        "which",
        "who",
        "in",
        "of",
        "on",
        "at",
        "from",
        "to",
        "for",
        "mentioned",
        "told",
        "said",
        "stated",
        "given",
        "again",
        "above",
        "earlier",
        "before",
        "please",
        "was's",
        "and",
        "or",
        "only",
        "exactly",
        "as",
        "by",
        "with",
        "called",
        "did",
        "do",
        "does",
        "should",
        "would",
        "s",
    ]
)


def question(prompt: str) -> Question | None:
    """The fact that the prompt's end asks for; None if it asks for none."""
    end = prompt.strip()[-500:]
    sentences = [part for part in re.split(r"(?<=[.!?])\s+|\n+", end) if part.strip()]
    for sentence in reversed(sentences):
        if re.search(r"\bwho am i\b|\bwhat am i called\b", sentence, re.I):
            return Question("my", "name")
        if re.search(r"\bwho are you\b|\bwhat are you called\b", sentence, re.I):
            return Question("your", "name")
        if re.search(r"\bhow old am i\b", sentence, re.I):
            return Question("my", "age")
        if re.search(r"\bwhere do i live\b", sentence, re.I):
            return Question("my", "city")
        if match := ASKED.search(sentence):
            words = []
            for word in match["what"].split():
                if word.lower() in BREAK:
                    break
                words.append(word)
            if words:
                return Question(match["owner"].lower(), " ".join(words).rstrip("?"))
    return None


def facts(text: str) -> Iterator[Fact]:
    """What a text tells, in no particular order of kinds."""
    for match in TOLD.finditer(text):
        owner = match["owner"].lower()
        yield Fact({"this": "the"}.get(owner, owner), match["what"], _value(match["value"]))
    for match in (*LABEL.finditer(text), *REMEMBERED.finditer(text)):
        yield Fact("the", match["what"], _value(match["value"]))
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
        return _inside(quoted)
    return text.strip("*")


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
