"""Legacy Completions, as OpenAI and the servers that imitate it speak it: a prompt is continued.

What differs between them stands in the contract's profile:

    ids               answer: how an id is made (`make_id` of the chat dialect)
    object            the word in `object`, of answers and chunks alike
    finish            neutral finish -> finish_reason of a plain answer
    finish_in_stream  the same for streams
    messages          whether a request may hold `messages` of Chat Completions in the place of `prompt`
    ignored           request members that the endpoint takes and does not look at
    answer, choice    members that every answer and chunk, every choice has besides
    usage_details     detail objects of usage with the counts they hold; {}: none
    stream:
      usage_in_finish whether usage is always in the chunk with the finish reason; else it has a chunk of its
                      own, when stream_options.include_usage asks for it

Events have no name and hold a chunk; `[DONE]` belongs to the framing. There are words only: what else a Reply has
(tool calls, a trace) is not sent, a refusal is said as text. Of several prompts the first is read. Usage stands once
for all choices: `parse` and `fold` give it to the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from conformance.dialects import Context, Profile
from conformance.dialects.chat import (
    JSON,
    arranged,
    make_id,
    mapping,
    neutral,
    number,
    read_messages,
    read_usage,
    sequence,
    whole,
    word,
    write_messages,
    write_usage,
)
from conformance.exchange import Event
from conformance.values import Message, Refusal, Reply, Text, Turn, Usage

EXTRAS = (
    "best_of",
    "echo",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "presence_penalty",
    "provider",
    "stream_options",
    "suffix",
    "user",
)
"""Members of a request that have no neutral name."""

# `write_messages` of the chat dialect asks by which name a trace goes back: here by none.
CHAT: Profile = {"reasoning": None}


# Requests


def read(body: JSON, profile: Profile) -> Turn:
    """The turn that `body` asks for; a prompt is one message of the user's."""
    body = {name: value for name, value in body.items() if name not in profile["ignored"]}
    stop = body.get("stop")
    return Turn(
        messages=_read_prompt(body, profile),
        model=word(body.get("model")),
        max_tokens=whole(body.get("max_tokens")),
        stop=(stop,) if isinstance(stop, str) else tuple(s for s in sequence(stop) if isinstance(s, str)),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        seed=whole(body.get("seed")),
        n=whole(body.get("n")) or 1,
        stream=bool(body.get("stream")),
        extras={name: body[name] for name in EXTRAS if name in body},
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The request for `turn`; ValueError for messages where only a prompt can be sent.

    Tools, tool choice, a form of the answer, reasoning and tier have no member here and are left out.
    """
    said = {
        "model": turn.model,
        **_write_prompt(turn.messages, profile),
        "max_tokens": turn.max_tokens,
        "stop": list(turn.stop) or None,
        "temperature": turn.temperature,
        "top_p": turn.top_p,
        "seed": turn.seed,
        "n": turn.n if turn.n != 1 else None,
        "stream": turn.stream or None,
    }
    extras = {name: value for name, value in turn.extras.items() if name in EXTRAS}
    return {name: value for name, value in said.items() if value is not None} | extras


def _read_prompt(body: JSON, profile: Profile) -> tuple[Message, ...]:
    prompt = body.get("prompt")
    if prompt is None and profile["messages"]:
        return read_messages(sequence(body.get("messages")))
    first = prompt if isinstance(prompt, str) else next(iter(sequence(prompt)), "")
    return (Message("user", (Text(first),) if isinstance(first, str) and first else ()),)


def _write_prompt(messages: Sequence[Message], profile: Profile) -> dict[str, Any]:
    match messages:
        case [Message(role="user", parts=(Text(text),))]:
            return {"prompt": text}
    if profile["messages"]:
        return {"messages": write_messages(messages, CHAT)}
    raise ValueError(
        "completions: expected one message of the user's that is text, "
        f"got {len(messages)} messages; send them over an API that takes a conversation"
    )


# Answers


def render(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> dict[str, Any]:
    """The answer with one choice for each reply."""
    choices = [
        _choice(index, _text(reply), _reason(reply, profile["finish"]), profile)
        for index, reply in enumerate(replies)
    ]
    answer = {**_head(context, profile), "choices": choices, **_usage(replies, profile)}
    return arranged(answer, {"sorted": False})


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """A reply for each choice; none in anything else."""
    return _gathered([mapping(answer)], profile["finish"])


def stream(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> Iterator[Event]:
    """The same answer as chunks; those of several choices take turns."""
    form, asked = profile["stream"], mapping(body.get("stream_options"))
    head, usage = _head(context, profile), _usage(replies, profile)
    for row in itertools.zip_longest(*(_pieces(reply, context, profile) for reply in replies)):
        for index, sent in enumerate(row):
            if sent is None:
                continue
            chunk = {**head, "choices": [_choice(index, sent[0], sent[1], profile)]}
            if form["usage_in_finish"] and sent[1] is not None:
                chunk |= usage
            yield Event(None, arranged(chunk, {"sorted": False}))
    if asked.get("include_usage") and not form["usage_in_finish"]:
        yield Event(None, arranged({**head, "choices": [], **usage}, {"sorted": False}))


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """One reply for each choice, by index; of a cut stream what came. Usage is with the first."""
    return _gathered([mapping(event.data) for event in events], profile["finish_in_stream"])


def _gathered(chunks: Iterable[JSON], words: Any) -> list[Reply]:
    texts: dict[int, list[str]] = {}
    finishes: dict[int, Any] = {}
    usage = None
    for chunk in chunks:
        usage = read_usage(chunk.get("usage"), "prompt", "completion") or usage
        for choice in map(mapping, sequence(chunk.get("choices"))):
            index = whole(choice.get("index")) or 0
            texts.setdefault(index, []).append(word(choice.get("text")) or "")
            finishes[index] = choice.get("finish_reason") or finishes.get(index)
    return [
        Reply(
            tuple(Text(text) for text in ["".join(texts[index])] if text),
            neutral(finishes[index], words),
            None if position else usage,
        )
        for position, index in enumerate(sorted(texts))
    ]


def _head(context: Context, profile: Profile) -> dict[str, Any]:
    return {
        "id": make_id(profile["ids"]["answer"], context.ids),
        "object": profile["object"],
        "created": int(context.now),
        "model": context.model,
        **profile["answer"],
    }


def _choice(index: int, text: str, finish: str | None, profile: Profile) -> dict[str, Any]:
    return {"text": text, "index": index, **profile["choice"], "finish_reason": finish}


def _pieces(reply: Reply, context: Context, profile: Profile) -> Iterator[tuple[str, str | None]]:
    """Each piece of text with the finish reason; the last has the reason and no text."""
    for piece in context.split(_text(reply)):
        yield piece, None
    reason = _reason(reply, profile["finish_in_stream"])
    if reason is not None:
        yield "", reason


def _reason(reply: Reply, words: Any) -> str | None:
    return None if reply.finish is None else str(words[reply.finish])


def _text(reply: Reply) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))


def _usage(replies: Sequence[Reply], profile: Profile) -> dict[str, Any]:
    """The member `usage`, if any reply has one: the prompt counts once, the answers add up."""
    known = [reply.usage for reply in replies if reply.usage is not None]
    if not known:
        return {}
    total = Usage(
        known[0].input,
        sum(usage.output for usage in known),
        sum(usage.reasoning for usage in known),
        known[0].cache_read,
        known[0].cache_write,
    )
    return {"usage": write_usage(total, "prompt", "completion", profile["usage_details"])}
