"""How an error names what is wrong with a body, and what it says of that.

param     messages[0].content[1].type, as OpenAI writes a place; None for the body itself
parent    the same of what holds it: messages[0].content[1]
options   'auto', 'default', and 'flex': the words that are taken
wanted    a string; one of a string or array: the types that are taken, in the provider's words
came      an integer: the type that came
limit     the number that was demanded
size      how much came instead: characters, items or members
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.select import parts
from conformance.shapes import Mismatch, brief, kind

_ARTICLE = re.compile(r"^an? ")


def told(found: Mismatch, body: Any, type_words: Mapping[str, str]) -> tuple[Mismatch, dict[str, Any]]:
    """What fills the text of the error for `found`; and `found`, where a word of another type is a wrong type.

    `type_words` are the provider's words for the types of JSON; without them a wrong word is one of any type.
    """
    options: tuple[Any, ...] = found.demanded if found.keyword in ("enum", "const") else ()
    if type_words and options and kind(found.got) not in {kind(option) for option in options}:
        kinds = tuple(dict.fromkeys(kind(option) for option in options))
        found = found._replace(keyword="type", demanded=kinds)
    steps = parts(found.at)
    details: dict[str, Any] = {
        "param": place(steps, body),
        "parent": place(steps[:-1], body),
        "options": listed([option for option in options if option is not None]),
        "wanted": _types(found.demanded, type_words) if found.keyword == "type" else "",
        "came": type_words.get(kind(found.got), kind(found.got)),
        "limit": found.demanded,
    }
    if isinstance(found.got, str | list | dict):
        details["size"] = len(found.got)
    return found, details


def place(steps: Sequence[str], body: Any) -> str | None:
    """The way through `body` in words: members after a dot, items in brackets; None for no way at all."""
    way = ""
    for step in steps:
        if isinstance(body, list):
            way += f"[{step}]"
            body = body[int(step)] if step.isdecimal() and int(step) < len(body) else None
        else:
            way += f".{step}" if way else step
            body = body.get(step) if isinstance(body, Mapping) else None
    return way or None


def listed(options: Sequence[Any]) -> str:
    """The options in quotes: 'a', 'b', and 'c'."""
    words = [f"'{each}'" if isinstance(each, str) else brief(each) for each in options]
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _types(names: Sequence[str], words: Mapping[str, str]) -> str:
    told = [words.get(name, name) for name in names if name != "null" or len(names) == 1]
    if len(told) == 1:
        return told[0]
    return "one of " + " or ".join([told[0], *(_ARTICLE.sub("", each) for each in told[1:])])
