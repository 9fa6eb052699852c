"""Which words of a prompt carry its subject."""

from __future__ import annotations

import re

__all__ = ["arithmetic", "gist", "kindred", "nouns", "stem", "stems", "subject", "topics"]

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def listed(text: str) -> frozenset[str]:
    """The words of a text that is a list of words."""
    return frozenset(text.split())


STOP = listed(
    """
    a about above after again all also always am an and any anything are as ask asked at be because been
    before being below between both but by call called can could current currently data did do does
    doing done down each either else etc even ever every everything example few find first for form from
    full fetch function get gets give given gives go going had has have having he hello help her here
    hers hey hi him his how i if in info information input into is it item its just keep kind know last
    least let like list long look made make makes many may me mean might more most much must my name
    need never new next no not nothing now number numbers of off ok on once one only or other our out
    output over own per please provide put question reply respond result results retrieve return returns
    said same say see set shall she short should show simple since so some something string sure take
    takes tell text than thank thanks that the their them then there these they thing things think this
    those through to today too tool tools two type under until up upon us use used user uses using value
    values very want wants was way we well were what when where whether which while who whose why will
    with within without word words would write yes yet you your yours answer what's it's i'm i'd i've
    let's don't can't there's that's who's where's how's you're
    """
)

COMMANDS = listed(
    """
    explain describe summarize summarise write compose generate create discuss translate json keys
    """
)
"""Verbs that say what to do with a subject: they may name a tool, but nothing to write about."""

SUFFIXES = (
    "ations", "ation", "itions", "ition", "ators", "ator", "ating", "ated", "ates", "ate",
    "ings", "ing", "ers", "er", "ed", "es", "s", "e",
)  # fmt: skip

OPERATORS = {
    r"\+|\bplus\b|\bsum\b|\badd\b": "add sum plus",
    r"[*×]|\d\s*x\s*\d|\btimes\b|\bmultipl": "multiply product times multiplication",
    r"\d\s*[-−]\s*\d|\bminus\b|\bsubtract": "subtract minus difference",
    r"\d\s*[/÷]\s*\d|\bdivided?\b": "divide quotient division",
}

NOUNS = listed("user name text number value word thing item data information input output question code")
"""Words too common for a subject, by which a tool can be named all the same."""

KINDRED = {
    "weather": "hot hotter cold colder warm warmer rain raining rainy snow snowing sunny umbrella temperature forecast",
    "population": "people inhabitants populous bigger",
}
"""Words by which a subject is asked for without its name."""

IRREGULAR = {"die": "dic", "people": "person", "children": "child"}
"""Stems that no ending tells."""

GIST = 4000
"""Characters of a long prompt that say what it is about: half from its head, half from its tail."""


def gist(text: str) -> str:
    """The text itself, or head and tail of a long one."""
    return text if len(text) <= GIST else f"{text[: GIST // 2]}\n{text[-GIST // 2 :]}"


def may_say(text: str, words: tuple[str, ...]) -> bool:
    """False if none of the lower case words is in the text, in whatever case: no pattern that needs one is looked for.

    True of every text with other letters than those of ASCII: a pattern has its own mind about their case.
    """
    if not text.isascii():
        return True
    lower = text.lower()
    for word in words:  # noqa: SIM110 - a generator takes twice as long
        if word in lower:
            return True
    return False


def stem(word: str) -> str:
    """The word without its ending, so that `calculator` and `calculate` are one."""
    word = word.lower().removesuffix("'s").removesuffix("’s")
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)]
    return word


def keyed(text: str) -> frozenset[str]:
    """The stems of the words of a list."""
    return frozenset(map(stem, text.split()))


def subject(text: str) -> list[str]:
    """The words that carry the text's subject, as written, each once, in order."""
    found: dict[str, str] = {}
    for word in WORD.findall(gist(text)):
        if word.lower() not in STOP and len(word) > 1:
            found.setdefault(word.lower(), word)
    return list(found.values())


def stems(text: str) -> set[str]:
    """The stems of the words that carry the text's subject; `snake_case` and `camelCase` are taken apart."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", gist(text))
    return {stem(word) for word in subject(apart) if len(word) > 2}


def arithmetic(text: str) -> set[str]:
    """Stems of the operations that the text asks for in signs or words; empty if it has no two numbers."""
    if len(re.findall(r"\d+", gist(text))) < 2:
        return set()
    asked = [words for sign, words in OPERATORS.items() if re.search(sign, gist(text), re.I)]
    names = " ".join(["calculate math arithmetic", *asked]) if asked else ""
    return {stem(name) for name in names.split()}


def kindred(text: str) -> set[str]:
    """Stems of the subjects that the text asks for by other words."""
    said = {word.lower() for word in WORD.findall(gist(text))}
    return {stem(name) for name, words in KINDRED.items() if not said.isdisjoint(words.split())}


def nouns(text: str) -> set[str]:
    """The common nouns in a text, as stems; `snake_case` is taken apart."""
    found = (word.lower().removesuffix("'s") for word in WORD.findall(gist(text).replace("_", " ")))
    return {stem(word) for word in found if word in NOUNS or word.removesuffix("s") in NOUNS}


def topics(text: str) -> list[str]:
    """What there is to write about, the first first; empty when there is nothing."""
    return [word for word in subject(text) if word.lower() not in COMMANDS]
