"""Mistral's older text dialect on Invoke: a prompt goes in, `outputs` come out.

The conversation stands in the prompt between marks, and the model's turns between them:

    <s>[INST] What is it? [/INST] A tree.</s>[INST] Which one? [/INST]

There is no system role (its words stand before the first question), no tools, no images and no count of
tokens but the one in the last chunk of a stream. An answer begins with a space. The profile:

    finish    neutral finish word -> stop_reason
    embedded  member of an event that holds the chunk; its JSON object here, base64 on the wire
    padding   as in `mistral`
    sorted    whether the members of every object come in alphabetical order
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.dialects import Context, Profile
from conformance.dialects.chat import arranged, mapping, neutral, number, sequence, whole, word
from conformance.dialects.converse import padding
from conformance.dialects.mistral import METRICS, counts, metrics, of_guardrail
from conformance.exchange import Event
from conformance.values import Message, Refusal, Reply, Text, Turn

_ASKED = re.compile(r"\[INST\](.*?)\[/INST\]([^\[]*)", re.DOTALL)


def read(body: Mapping[str, Any], profile: Profile) -> Turn:
    """The turn that `body` asks for; a prompt without marks is what the user says."""
    prompt = word(body.get("prompt")) or ""
    messages: list[Message] = []
    for asked, said in _ASKED.findall(prompt):
        messages.append(Message("user", (Text(asked.strip()),)))
        if answer := said.replace("</s>", "").strip():
            messages.append(Message("assistant", (Text(answer),)))
    return Turn(
        messages=tuple(messages) or (Message("user", (Text(prompt.removeprefix("<s>").strip()),)),),
        max_tokens=whole(body.get("max_tokens")),
        stop=tuple(each for each in sequence(body.get("stop")) if isinstance(each, str)),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The body that asks for `turn`. Raises ValueError for what a prompt cannot say."""
    if turn.tools or turn.output is not None or turn.n != 1 or turn.seed is not None:
        raise ValueError(
            "mistral_text: expected words, a cap and stop sequences, got tools, an output format, a seed or"
            " several answers; ask another API"
        )
    system = " ".join(each.text for each in turn.messages if each.role == "system")
    prompt, opening = "<s>", f"{system} " if system else ""
    for message in turn.messages:
        if any(not isinstance(part, Text) for part in message.parts):
            raise ValueError("mistral_text: expected text alone, got other parts; ask another API")
        if message.role == "user":
            prompt, opening = f"{prompt}[INST] {opening}{message.text} [/INST]", ""
        elif message.role == "assistant":
            prompt += f" {message.text}</s>"
    said = {
        "prompt": prompt,
        "max_tokens": turn.max_tokens,
        "stop": list(turn.stop) or None,
        "temperature": turn.temperature,
        "top_p": turn.top_p,
    }
    return {name: value for name, value in said.items() if value is not None}


def render(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> dict[str, Any]:
    """The answer to `body`; `replies` holds exactly one."""
    (reply,) = replies
    answer = {"outputs": [{"text": f" {_words(reply)}", "stop_reason": _reason(reply, profile)}]}
    return arranged(answer | of_guardrail(context, profile), profile)


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """One reply for each output; nothing says what it cost."""
    return [
        Reply((Text(text),), neutral(output.get("stop_reason"), profile["finish"]))
        for output in map(mapping, sequence(mapping(answer).get("outputs")))
        if (text := word(output.get("text"))) is not None
    ]


def stream(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> Iterator[Event]:
    """A chunk for each piece; after the last one an empty text with the reason, unless the cap cut it."""
    (reply,) = replies
    pieces: list[tuple[str, str | None]] = [(piece, None) for piece in context.split(f" {_words(reply)}")]
    reason = _reason(reply, profile)
    if reply.finish == "length" and pieces:
        pieces[-1] = (pieces[-1][0], reason)
    else:
        pieces.append(("", reason))
    blocked = context.guard is not None and context.guard.blocked
    if blocked:
        pieces = [(f" {_words(reply)}", reason)]
    for left, (text, why) in zip(reversed(range(len(pieces))), pieces, strict=True):
        chunk: dict[str, Any] = {"outputs": [{"text": text, "stop_reason": why}]}
        if not left:
            chunk |= of_guardrail(context, profile) | (
                {} if blocked else {METRICS: metrics(replies, context)}
            )
        data = {profile["embedded"]: arranged(chunk, profile), **padding(context, profile)}
        yield Event("chunk", data)


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """The one reply that the chunks add up to; none if no chunk has outputs."""
    text, reason, usage, seen = "", None, None, False
    for event in events:
        chunk = mapping(mapping(event.data).get(profile["embedded"]))
        usage = counts(chunk.get(METRICS)) or usage
        for output in map(mapping, sequence(chunk.get("outputs"))[:1]):
            seen = True
            text += word(output.get("text")) or ""
            reason = output.get("stop_reason") or reason
    return [Reply((Text(text),), neutral(reason, profile["finish"]), usage)] if seen else []


def _words(reply: Reply) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))


def _reason(reply: Reply, profile: Profile) -> str | None:
    return None if reply.finish is None else str(profile["finish"][reply.finish])
