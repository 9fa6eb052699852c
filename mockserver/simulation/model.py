"""The simulated model: a turn and a seed make replies.

Small, but it does what it is asked: it calls tools with arguments taken from the prompt, uses their
results, fills JSON schemas, repeats, remembers, reads the code drawn in a picture, counts, writes at
length; and it keeps to output caps, stop sequences and `n`. The same turn and seed give the same
replies in every process. It never calls out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from conformance.values import (
    Citation,
    Finish,
    Media,
    Message,
    Part,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)

from . import asked, predicted, prose, recall
from .calls import UnknownTool, calls
from .hearing import Sound, hear
from .instances import BrokenSchema, instance
from .literal import literal
from .mentions import mentions
from .nudges import hands_over, is_nudge
from .reading import words
from .shown import Shown, shown
from .speaking import CannotSpeak, aloud, speakable
from .spoken import unspoken
from .tokens import count, count_call, count_media, count_text, split
from .vision import Picture, UnreadableMedia, look
from .words import gist, may_say, topics

__all__ = [
    "Ability",
    "BrokenSchema",
    "CannotSpeak",
    "UnknownTool",
    "UnreadableMedia",
    "count",
    "count_text",
    "reply",
    "split",
]

NARRATED = re.compile(
    r"\b(?:narrate|announce|explain|describe|outline|say|tell (?:me|us|the user))\b[^.\n]{0,80}\bbefore\b[^.\n]{0,30}"
    r"\b(?:call|tool|function)",
    re.I,
)
"""A wish to be told what is about to be done, before it is done."""
PICTURES = ("image", "picture", "photo", "photograph", "screenshot", "drawing", "drawn")
SOUNDS = ("recording", "audio", "sound", "dialled", "dialed")
OF_PICTURE = re.compile(rf"\b(?:{'|'.join(PICTURES)})s?\b", re.I)
OF_SOUND = re.compile(rf"\b(?:{'|'.join(SOUNDS)})s?\b", re.I)
ONLY = re.compile(r"\b(?:only|just|nothing else|nothing but|one word|single word)\b", re.I)
CAPITALS = re.compile(r"\b(?:upper[ -]?case|all caps|capital letters)\b", re.I)
SMALL_LETTERS = re.compile(r"\blower[ -]?case\b", re.I)
WORDY = 120
"""Words of an answer for who wants it verbose."""
SHOWN = 2000
"""Characters of a tool's result that an answer repeats at most."""
RETRIES = 2
"""Calls of one tool that are made anew, when its results ask for that."""


@dataclass(frozen=True)
class Ability:
    """What the model is able to do where it is sold: a card says it, the caller passes it on."""

    reasoning: bool = False
    unasked: bool = False
    """Whether it reasons when the turn says nothing of it."""
    max_output: int | None = None
    """Tokens of an answer at most when the turn names no cap."""


def reply(turn: Turn, seed: int, ability: Ability) -> tuple[Reply, ...]:
    """`turn.n` replies; each has the whole prompt in its usage. Tool calls have no ids yet.

    Raises UnreadableMedia for an image or a recording that is none, UnknownTool for a forced call of a tool that is not
    on offer, BrokenSchema for a schema that is none: all of them ValueError.
    """
    scene = _Scene(unspoken(turn))
    scene.look()
    prompt_tokens = count(turn)
    if turn.silent:
        return (Reply((), "stop", Usage(prompt_tokens, 0)),)
    called = scene.calls()
    return tuple(
        _reply(scene, called, f"{_wording(turn, seed)} {place}", ability, prompt_tokens)
        for place in range(turn.n)
    )


def _wording(turn: Turn, seed: int) -> int:
    """What chooses among wordings: nothing, unless the caller asks for chance or names a seed."""
    if turn.temperature == 0:
        return 0
    if turn.seed is not None:
        return turn.seed
    return seed if turn.temperature is not None else 0


def _reply(scene: _Scene, called: tuple[ToolCall, ...], variant: str, ability: Ability, prompt: int) -> Reply:
    turn = scene.turn
    cap = turn.max_tokens if turn.max_tokens is not None else ability.max_output
    left = float("inf") if cap is None else cap
    parts: list[Part] = []
    thought = 0
    finish: Finish = "stop"
    if ability.reasoning and turn.reasoning != "none" and (turn.reasoning or ability.unasked):
        trace, thought, cut = _cut(scene.reasoning(called), left)
        left -= thought
        parts.append(Reasoning(trace))
        if cut:
            return Reply(tuple(parts), "length", Usage(prompt, thought, thought, heard=scene.heard))
    spent = sum(count_call(call.name, call.arguments) for call in called)
    plan = scene.plan(called)
    if plan and spent + count_text(plan) <= left:
        parts.append(Text(plan))
        spent += count_text(plan)
    if called and spent <= left:
        return Reply(
            (*parts, *called), "tool_calls", Usage(prompt, thought + spent, thought, heard=scene.heard)
        )
    whole = " ".join(f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}" for call in called)
    text = whole or scene.answer(variant)
    stop = _first_stop(text, turn.stop)
    if stop is not None:
        text, finish = text[: text.index(stop)], "stop_sequence"
    text, written, cut = _cut(text, left if turn.speech is None else speakable(left))
    if cut or whole:
        stop, finish = None, "length"
    usage = Usage(prompt, thought + written, thought, heard=scene.heard)
    citations: list[Citation] = []
    if turn.search and text and finish == "stop" and turn.output is None and turn.speech is None:
        cited, citation = _cited(text, scene.prompt)
        if count_text(cited) <= left and _first_stop(cited, turn.stop) is None:
            text, citations = cited, [citation]
            usage = replace(usage, output=thought + count_text(text))
    if turn.prediction is not None:
        accepted, missed = predicted.shared(text, turn.prediction)
        missed = int(min(missed, left - count_text(text))) if turn.speech is None else 0
        usage = replace(usage, output=usage.output + missed, accepted=accepted, rejected=missed)
    if text:
        parts.append(Text(text))
    made = Reply(tuple(parts), finish, usage, stop, tuple(citations))
    return made if turn.speech is None else aloud(made, turn.speech)


def _cited(text: str, prompt: str) -> tuple[str, Citation]:
    """The answer with where it comes from: a page of the domain that stands for all that there is none of."""
    topic = "-".join(topics(prompt)[:3]) or "home"
    url = f"https://example.com/{quote(topic)}"
    source = f"([example.com]({url}))"
    start = len(text) + 1
    return f"{text} {source}", Citation(url, topic.replace("-", " ").capitalize(), start, start + len(source))


def _first_stop(text: str, stops: Sequence[str]) -> str | None:
    """The stop sequence that comes first in the text, of two at one place the longer."""
    found = [(text.index(stop), -len(stop), stop) for stop in stops if stop and stop in text]
    return min(found)[2] if found else None


def _cut(text: str, tokens: float) -> tuple[str, int, bool]:
    """(the first tokens of a text, how many they are, whether any were cut off)."""
    if len(text) <= tokens:
        # A token is a character at least.
        return text, count_text(text), False
    pieces = split(text)
    if len(pieces) <= tokens:
        return text, len(pieces), False
    kept = pieces[: int(tokens)]
    return "".join(kept), len(kept), True


@dataclass(frozen=True)
class _Scene:
    """A turn as the model sees it: what is asked last, what tools answered, what was told before."""

    turn: Turn

    @cached_property
    def since_answer(self) -> tuple[Message, ...]:
        """The messages after the assistant's last."""
        messages = self.turn.messages
        after = next((at for at in range(len(messages), 0, -1) if messages[at - 1].role == "assistant"), 0)
        return messages[after:]

    @cached_property
    def results(self) -> tuple[ToolResult, ...]:
        """What tools answered to the assistant's last calls."""
        return tuple(
            part for message in self.since_answer for part in message.parts if isinstance(part, ToolResult)
        )

    @cached_property
    def round(self) -> tuple[Message, ...]:
        """What the user said last, and the calls and results since; a framework's own words begin none."""
        messages = self.turn.messages
        at = len(messages) - len(self.since_answer) if self.results else len(messages)
        asked = [i for i in range(at, 0, -1) if messages[i - 1].role == "user"]
        start = next((i for i in asked if not is_nudge(messages[i - 1].text)), asked[0] if asked else 0)
        while start > 1 and messages[start - 2].role == "user":
            start -= 1
        return messages[max(start - 1, 0) :]

    @cached_property
    def prompt(self) -> str:
        """What the user says in this round."""
        said = [message.text for message in self.round if message.role == "user" and message.text]
        return "\n".join([text for text in said if not is_nudge(text)] or said)

    @cached_property
    def made(self) -> tuple[ToolCall, ...]:
        """The calls already made in this round, without those that are to be made again: each tool's first two."""
        calls = [part for message in self.round for part in message.parts if isinstance(part, ToolCall)]
        wrong = {result.id for result in self.round_results if is_nudge(_result_text(result))}
        again = Counter[str]()
        made = []
        for call in calls:
            again[call.name] += call.id in wrong
            if call.id not in wrong or again[call.name] > RETRIES:
                made.append(call)
        return tuple(made)

    @cached_property
    def round_results(self) -> tuple[ToolResult, ...]:
        """What tools answered in this round."""
        return tuple(part for message in self.round for part in message.parts if isinstance(part, ToolResult))

    @cached_property
    def names(self) -> dict[str, str]:
        """The names of the tools that were called, by the ids of the calls."""
        calls = (part for message in self.round for part in message.parts if isinstance(part, ToolCall))
        return {call.id: call.name for call in calls if call.id}

    @cached_property
    def news(self) -> tuple[ToolResult, ...]:
        """The results to tell of: all but that another agent has taken over."""
        return tuple(result for result in self.results if not hands_over(self.names.get(result.id, "")))

    @cached_property
    def system(self) -> str:
        return "\n".join(message.text for message in self.turn.messages if message.role == "system")

    @cached_property
    def pictures(self) -> dict[int, Picture]:
        """What each image shows, by the identity of its part."""
        return {id(media): _picture(media) for media in _media(self.turn.messages) if _shown(media)}

    @cached_property
    def sounds(self) -> dict[int, Sound]:
        """What is heard in each recording, by the identity of its part."""
        heard = (media for media in _media(self.turn.messages) if media.kind == "audio" and media.url is None)
        return {id(media): _sound(media) for media in heard}

    @cached_property
    def heard(self) -> int:
        """Tokens of the prompt that are recordings."""
        return sum(count_media(media) for media in _media(self.turn.messages) if media.kind == "audio")

    def look(self) -> None:
        """Read every image and recording. Raises UnreadableMedia."""
        _ = self.pictures, self.sounds

    @cached_property
    def media(self) -> tuple[Media, ...]:
        """The media of this round; without any, those of the last message that has some."""
        if here := tuple(_media(self.round)):
            return here
        for message in reversed(self.turn.messages):
            if found := tuple(_media([message])):
                return found
        return ()

    @cached_property
    def drawn(self) -> list[str]:
        """The texts drawn in the images that the question is about, and the digits dialled in recordings."""
        seen = [self.pictures[id(media)].text for media in self.media if id(media) in self.pictures]
        heard = [self.sounds[id(media)].digits for media in self.media if id(media) in self.sounds]
        return [text for text in (*seen, *heard) if text]

    @cached_property
    def results_text(self) -> str:
        """What an answer in JSON may take from results: nothing of what another agent or an error says."""
        texts = (
            _result_text(result)
            for result in self.round_results
            if not hands_over(self.names.get(result.id, ""))
        )
        return "\n".join(text for text in texts if not is_nudge(text))

    @cached_property
    def said(self) -> str:
        """What an answer in JSON is filled from: results of tools and drawn codes first, then the prompt."""
        codes = [f'"{text}"' for text in self.drawn]
        return "\n".join([*filter(None, [self.results_text]), *codes, self.asking])

    @cached_property
    def shown(self) -> Shown | None:
        """The schema that the prompt shows for the answer."""
        return None if self.turn.output and self.turn.output.schema else shown(self.system, self.prompt)

    @property
    def asking(self) -> str:
        """The prompt without a schema that it shows."""
        return self.shown.rest if self.shown else self.prompt

    def told(self) -> Iterator[str]:
        """All texts in which a fact may stand, in order of time."""
        for message in self.turn.messages:
            yield message.text
            for part in message.parts:
                if isinstance(part, ToolResult):
                    yield _result_text(part)
                elif isinstance(part, Media) and (text := _written(part)):
                    yield text

    def calls(self) -> tuple[ToolCall, ...]:
        return calls(self.turn, self.asking, self.said, self.made)

    def plan(self, called: Sequence[ToolCall]) -> str:
        """A sentence before the calls, where the system or the user wants to be told what is about to be done."""
        if not called or not NARRATED.search(f"{self.system}\n{gist(self.prompt)}"):
            return ""
        names = " and ".join(dict.fromkeys(call.name for call in called))
        return f"I will call {names} now, and then answer."

    def reasoning(self, called: Sequence[ToolCall]) -> str:
        names = " and ".join(dict.fromkeys(call.name for call in called))
        plan = f"This needs {names}." if called else "I can answer this directly, so I will keep it short."
        return prose.reasoning(self.prompt, plan)

    def answer(self, variant: str) -> str:
        """The answer in words or JSON, uncut."""
        if self.shown is not None:
            text = json.dumps(instance(self.shown.schema, mentions(self.said)), ensure_ascii=False)
            return f"```json\n{text}\n```" if self.shown.fenced and self.turn.output is None else text
        if self.turn.output is not None:
            return json.dumps(self.json(), ensure_ascii=False)
        text = self.words(variant)
        if CAPITALS.search(self.system):
            return text.upper()
        return text.lower() if SMALL_LETTERS.search(self.system) else text

    def json(self) -> Any:
        said = mentions(self.said)
        assert self.turn.output is not None
        if self.turn.output.schema is not None:
            return instance(self.turn.output.schema, said)
        for value in said.json:
            if isinstance(value, dict) and "$schema" not in value and "properties" not in value:
                return value
        keys = _keys(self.prompt) or {"answer": {}}
        # The names of members are no values for them.
        said = mentions(re.sub("|".join(rf"[\"'`“]{re.escape(key)}[\"'`”]" for key in keys), "", self.said))
        return instance({"type": "object", "properties": keys, "required": list(keys)}, said)

    def words(self, variant: str) -> str:
        """The first of what the design lists that fits."""
        if self.news:
            return self.from_results()
        for asking in (self.prompt, self.system):
            if (text := literal(asking)) is not None:
                return text
        return (
            self.recalled()
            or self.seen()
            or asked.counting(self.prompt)
            or self.foreseen()
            or self.prose(variant)
        )

    def foreseen(self) -> str | None:
        """What the caller predicts, with the changes that the prompt asks for."""
        if self.turn.prediction is None:
            return None
        return predicted.edited(self.prompt, self.turn.prediction)

    def prose(self, variant: str) -> str:
        """Words about the prompt: as many as it asks for, else more or fewer for who wants it so."""
        wanted = asked.length(self.prompt) or 0
        text = prose.about(self.prompt, variant, wanted or (WORDY if self.turn.verbosity == "high" else 0))
        brief = self.turn.verbosity == "low" and not wanted
        return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0] if brief else text

    def from_results(self) -> str:
        lines = []
        for result in self.news:
            name = self.names.get(result.id, "the tool")
            text = _readable(_result_text(result))[:SHOWN] or "nothing"
            seen = " ".join(self.describe(part) for part in result.parts if isinstance(part, Media))
            opening = f"The call of {name} failed: " if result.error else f"According to {name}: "
            lines.append(" ".join(filter(None, [f"{opening}{text}", seen])))
        return "\n".join(lines)

    def recalled(self) -> str | None:
        """The fact asked for, when it was told; for what the user said of himself also that it was not."""
        wish = recall.question(self.prompt)
        if wish is None or (_about_picture(self.prompt) and self.media):
            return None
        value = recall.recall(wish, self.told())
        if value is None:
            return f"I do not know {wish.thing}: nobody has told me." if wish.owner == "my" else None
        if _only(self.prompt):
            return value
        thing = wish.thing
        return f"{thing[:1].upper()}{thing[1:]} is {value}."

    def seen(self) -> str | None:
        """What the media of this round show; for a question about an image that is not there, just that."""
        asking = _about_picture(self.prompt)
        if asking and not any(media.kind == "image" for media in self.media):
            return "There is no image in this conversation, so I cannot tell what it shows."
        if _about_sound(self.prompt):
            if not any(media.kind == "audio" for media in self.media):
                return "There is no recording in this conversation, so I cannot tell what is heard in it."
            asking = True
        if not asking and not any(_media(self.round)):
            return None
        if self.drawn and _only(self.prompt):
            return "\n".join(self.drawn)
        return " ".join(self.describe(media) for media in self.media)

    def describe(self, media: Media) -> str:
        """A sentence on an image, a recording or a document."""
        if media.url is not None:
            return (
                f"The {media.kind} at {media.url} is not part of the conversation, and I open no addresses."
            )
        if media.kind == "audio":
            return _heard(self.sounds[id(media)])
        if media.kind != "image":
            text = _written(media)
            name = media.name or f"the {media.kind}"
            if text:
                return f"Here is how {name} begins: {text[:200].strip()}"
            return f"I was given {name}, {len(media.data or b'')} bytes of {media.format or 'data'}."
        picture = self.pictures[id(media)]
        size = f"a {picture.format.upper()} image of {picture.width} x {picture.height} pixels"
        if picture.text:
            return f"The image shows the code {picture.text}."
        return f"I see {size}, and no text that I can read in it."


def _shown(media: Media) -> bool:
    return media.kind == "image" and media.url is None


def _picture(media: Media) -> Picture:
    if media.data is None:
        raise UnreadableMedia("image: its base64 could not be decoded")
    return look(media.data)


def _sound(media: Media) -> Sound:
    if media.data is None:
        raise UnreadableMedia("audio: its base64 could not be decoded")
    return hear(media.data)


def _heard(sound: Sound) -> str:
    """A sentence on a recording."""
    if sound.digits:
        return f"In the recording the digits {sound.digits} are dialled."
    if sound.tone is not None:
        return f"The recording is a steady tone of {sound.tone} Hz."
    if sound.seconds is None:
        return (
            f"I was given a recording as {sound.format}. "
            "To let me listen to it: pip install 'provider-conformance[sound]'"
        )
    return f"I hear a recording of {sound.seconds:.1f} seconds, and nothing in it that I know."


def _media(messages: Sequence[Message]) -> Iterator[Media]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, Media):
                yield part
            elif isinstance(part, ToolResult):
                yield from (inner for inner in part.parts if isinstance(inner, Media))


def _written(media: Media) -> str:
    """The words of a document; empty for one that cannot be read, and for other media."""
    if media.kind != "document" or media.data is None:
        return ""
    return words(media.data, f"{media.format or ''} {media.name or ''}")


def _result_text(result: ToolResult) -> str:
    return "\n".join(part.text for part in result.parts if isinstance(part, Text))


def _readable(text: str) -> str:
    """A tool's result as a sentence: the values of a JSON object with their names, other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    if not isinstance(value, dict) or not value:
        return text.strip()
    return ", ".join(f"{key.replace('_', ' ')} is {_plain(inner)}" for key, inner in value.items()) + "."


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _about_picture(prompt: str) -> bool:
    return may_say(prompt, PICTURES) and OF_PICTURE.search(gist(prompt)) is not None


def _about_sound(prompt: str) -> bool:
    return may_say(prompt, SOUNDS) and OF_SOUND.search(gist(prompt)) is not None


def _only(prompt: str) -> bool:
    """Whether the bare value is wanted, without a sentence around it."""
    return ONLY.search(gist(prompt)) is not None


def _keys(prompt: str) -> dict[str, dict[str, Any]]:
    """The members that a prompt wants in its JSON, each with its schema: quoted names, else those listed after `keys`.

    What stands in brackets after a name is its type, as DSPy 3.4.1 writes it: `(must be ... Python Literal['a', 'b'])`.
    """
    text = mentions(prompt).text
    if not re.search(r"\b(?:keys?|fields?|members?|propert(?:y|ies)|json)\b", text, re.I):
        return {}
    bare = mentions(re.sub(r"\([^()]*\)", "", text))
    if quoted := [name for name in bare.quoted if re.fullmatch(r"[A-Za-z_][\w-]*", name)]:
        notes = {name: re.search(rf"{re.escape(name)}[\"'`”]\s*\(([^()]*)\)", text) for name in quoted}
        return {name: _python_type(note[1] if note else "") for name, note in notes.items()}
    match = re.search(
        r"\b(?:keys?|fields?|members?|propert(?:y|ies))[:\s]+([\w-]+(?:(?:,\s*(?:and\s+)?|\s+and\s+)[\w-]+)*)",
        text,
    )
    return {name: {} for name in re.split(r",\s*(?:and\s+)?|\s+and\s+", match[1])} if match else {}


PYTHON = {"int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
"""Types of JSON Schema by their names in Python."""


def _python_type(note: str) -> dict[str, Any]:
    """The schema of what a note calls a Python type; any value where it names none."""
    match = re.search(r"\bPython (Literal|int|float|bool|list|dict)\b(?:\[([^\]]*)\])?", note)
    if match is None:
        return {}
    if match[1] != "Literal":
        return {"type": PYTHON[match[1]]}
    words = re.findall(r"[\"']([^\"']+)[\"']", match[2] or "")
    return {"enum": words} if words else {}
