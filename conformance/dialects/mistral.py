"""Mistral's chat dialect on InvokeModel and InvokeModelWithResponseStream of bedrock-runtime.

It is Chat Completions in other clothes: model, stream and tier stand outside the body
(`read` leaves them unset, `write` does not look at them), tool_choice is one of three words,
and every chunk of a stream travels inside an event named `chunk`; the last one counts the tokens.

The profile has all keys of `chat`'s, and

    embedded  member of an event that holds the chunk; its JSON object here, base64 on the wire
    padding   {member, alphabet, shortest, longest}: each event has under `member` a beginning
              of `alphabet`, of random length; null: none
    guarded   {acted, passed}: what is said of a guardrail that the request names

`parse` and `fold` take the older spelling too: stop_reason for finish_reason, message for delta.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects import Context, Profile, chat
from conformance.dialects.chat import mapping, sequence, whole
from conformance.dialects.converse import padding
from conformance.exchange import Event
from conformance.values import Reply, Turn, Usage

METRICS = "amazon-bedrock-invocationMetrics"
ACTION, TRACE = "amazon-bedrock-guardrailAction", "amazon-bedrock-trace"
"""Members that Bedrock puts beside the vendor's own."""


def read(body: Mapping[str, Any], profile: Profile) -> Turn:
    """The turn that `body` asks for, without model, stream and tier."""
    return replace(chat.read(body, profile), model=None, stream=False, tier=None)


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The body that asks for `turn`; ValueError for a choice of a tool by name."""
    body = chat.write(replace(turn, model=None, stream=False, tier=None), profile)
    if turn.tool_choice is None:
        return body
    if turn.tool_choice.mode == "named":
        raise ValueError(
            f"mistral: expected tool_choice auto, any or none, got the tool {turn.tool_choice.name!r};"
            " offer that tool alone and choose any"
        )
    return body | {"tool_choice": turn.tool_choice.mode}


def render(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> dict[str, Any]:
    """The answer to `body`: one choice for each reply, and what a guardrail did."""
    answer = chat.render(body, replies, context, profile)
    told = of_guardrail(context, profile)
    return chat.arranged(answer | told, profile) if told else answer


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """One reply for each choice; usage is with the first."""
    return chat.parse(_spelled(answer), profile)


def stream(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> Iterator[Event]:
    """The same answer as events that hold chunks; the last chunk has the metrics."""
    chunks = [event.data for event in chat.stream(body, replies, context, profile)]
    if context.guard is not None and context.guard.blocked:
        # One chunk has it all, and no metrics.
        chunks = [chat.arranged(_blocked(chunks, replies), profile)]
    for left, chunk in zip(reversed(range(len(chunks))), chunks, strict=True):
        last: dict[str, Any] = {} if left else of_guardrail(context, profile)
        if not left and not (context.guard is not None and context.guard.blocked):
            last[METRICS] = metrics(replies, context)
        whole = chat.arranged(chunk | last, profile) if last else chunk
        yield Event("chunk", {profile["embedded"]: whole, **padding(context, profile)})


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """One reply for each choice; usage is with the first, from the metrics if nothing else tells it."""
    chunks = [_spelled(mapping(event.data).get(profile["embedded"])) for event in events]
    replies = chat.fold([Event(None, chunk) for chunk in chunks], profile)
    usage = next((told for chunk in chunks if (told := counts(chunk.get(METRICS)))), None)
    return [
        replace(reply, usage=reply.usage or (usage if index == 0 else None))
        for index, reply in enumerate(replies)
    ]


def of_guardrail(context: Context, profile: Profile) -> dict[str, Any]:
    """What Bedrock adds to a vendor's body where the request named a guardrail."""
    guard = context.guard
    if guard is None:
        return {}
    trace: dict[str, Any] = {}
    if guard.input is not None:
        trace["input"] = {guard.name: guard.input}
    if guard.output is not None:
        trace["outputs"] = [{guard.name: guard.output}]
    action = profile["guarded"]["acted" if guard.blocked or guard.masked else "passed"]
    return {ACTION: action, **({TRACE: {"guardrail": trace}} if trace else {})}


def _blocked(chunks: Sequence[Mapping[str, Any]], replies: Sequence[Reply]) -> dict[str, Any]:
    last = chunks[-1]
    finish = next((each["choices"][0]["finish_reason"] for each in reversed(chunks) if each["choices"]), None)
    said = {"role": "assistant", "content": replies[0].text}
    return {**last, "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def metrics(replies: Sequence[Reply], context: Context) -> dict[str, int]:
    """What the last chunk counts, and the milliseconds it took."""
    known = [reply.usage for reply in replies if reply.usage is not None]
    counts = {
        "inputTokenCount": sum((usage.input + usage.cache_read + usage.cache_write) for usage in known[:1]),
        "outputTokenCount": sum(usage.output for usage in known),
    }
    latencies = {"invocationLatency": context.latency_ms, "firstByteLatency": context.latency_ms}
    return (counts if known else {}) | latencies


def counts(metrics: Any) -> Usage | None:
    """The tokens that the metrics of a last chunk count; None if there are none."""
    match metrics:
        case {"inputTokenCount": int(input), "outputTokenCount": int(output), **rest}:
            read, written = rest.get("cacheReadInputTokenCount"), rest.get("cacheWriteInputTokenCount")
            return Usage(input, output, cache_read=whole(read) or 0, cache_write=whole(written) or 0)
    return None


def _spelled(answer: Any) -> dict[str, Any]:
    """An answer or chunk in the newer spelling."""
    choices = [_respelled(choice) for choice in map(mapping, sequence(mapping(answer).get("choices")))]
    return {**mapping(answer), "choices": choices}


def _respelled(choice: Mapping[str, Any]) -> dict[str, Any]:
    finish = choice.get("finish_reason") or choice.get("stop_reason")
    return {"delta": choice.get("message"), **choice, "finish_reason": finish}
