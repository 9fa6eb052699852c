"""The text that a prompt wants repeated as it stands: `Reply with exactly: hello`."""

from __future__ import annotations

import re

from .words import may_say

__all__ = ["IN_QUOTES", "inside", "literal"]

WINDOW, TAIL_LENGTH = 2000, 300
"""Characters at either end of a prompt in which an instruction is looked for, and of its own tail."""

IN_QUOTES = re.compile(r"(?:“([^”]+)”|\"([^\"]+)\"|'(.+?)'(?!\w)|`([^`]+)`)", re.S)
VERBS = ("reply", "respond", "answer", "say", "repeat", "return", "output", "write", "print", "echo")
VERB = rf"(?:{'|'.join(VERBS)})"
START = r"(?:^|(?<=[.!?:,;\n])\s{0,4}|\b(?:please|always|must|should|only|just|then|and|to|you)\s+)"
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
WITH_COLON = re.compile(rf"{START}{VERB}\b{JOINTS}\s+{EXACTLY}\b{WHAT}\s*:\s*(?=\S)", re.I)
NAMED_COLON = re.compile(
    rf"{START}{VERB}\b{JOINTS}{WHAT}\s+{NAMED_AS}(?:\s*\([^()\n]*\))?\s*:\s*(?=\S)", re.I
)
REPEAT_COLON = re.compile(rf"{START}(?:repeat|echo|say)\b{JOINTS}{WHAT}\s*:\s*(?=\S)", re.I)
WITHOUT_COLON = re.compile(rf"{START}{VERB}\b{JOINTS}\s+{EXACTLY}\b(?P<what>{WHAT})\s+(?P<text>[^\n]+)", re.I)
SAY_QUOTED = re.compile(
    rf"{START}(?:say|repeat|echo|reply|respond|answer|print|output)\b{JOINTS}{WHAT}\s+(?=[\"“'`])",
    re.I,
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
MEASURED = re.compile(
    r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten)\s+"
    r"(?:words?|sentences?|characters?|lines?|items?|letters?|paragraphs?|tokens?|times|examples?|bullets?)\b",
    re.I,
)


def literal(prompt: str) -> str | None:
    """The text that the prompt wants repeated; None if it wants no such thing."""
    if not may_say(prompt, VERBS):
        return None
    for kind in (WITH_COLON, NAMED_COLON, REPEAT_COLON):
        if found := _at_an_end(kind, prompt):
            return _unquoted(prompt[found[1] :])
    if found := _at_an_end(SAY_QUOTED, prompt):
        quoted = IN_QUOTES.match(prompt, found[1])
        if quoted and not CHOICE.match(prompt, quoted.end()):
            return inside(quoted)
    if found := _at_an_end(WITHOUT_COLON, prompt):
        return _without_colon(found[0])
    if match := SAY.search(prompt[:WINDOW].strip()):
        text = match["text"].strip().rstrip(".!?")
        return text if len(text.split()) <= 6 and " to " not in text else None
    return None


def inside(quoted: re.Match[str]) -> str:
    """What stands between the marks that IN_QUOTES found."""
    return next(text for text in quoted.groups() if text)


def _at_an_end(kind: re.Pattern[str], prompt: str) -> tuple[re.Match[str], int] | None:
    """(the match, where it ends in the prompt): an instruction stands at a long text's head or tail."""
    for start in dict.fromkeys((0, max(0, len(prompt) - WINDOW))):
        if match := kind.search(prompt[start : start + WINDOW]):
            return match, start + match.end()
    return None


def _without_colon(match: re.Match[str]) -> str | None:
    """`exactly hello` and `only the word hello`, but not `exactly two words` or `only the name`."""
    if (quoted := IN_QUOTES.match(match["text"])) and not CHOICE.match(match["text"], quoted.end()):
        return inside(quoted)
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


def _unquoted(text: str) -> str | None:
    text = text.strip()
    if quoted := IN_QUOTES.match(text):
        after = text[quoted.end() :].strip(" .!\n")
        if not after or TAIL.match(" " + after[:WINDOW]):
            return inside(quoted)
    return (text[:-TAIL_LENGTH] + TAIL.sub("", text[-TAIL_LENGTH:])).strip() or None
