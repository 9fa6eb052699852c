"""Converse and ConverseStream of bedrock-runtime.

A stream is a plain answer taken apart, and `fold` puts it together again before it is
parsed, so each block is written once and read once.

The profile:

    finish        neutral finish word -> stopReason
    ids           tool_call: how a toolUseId is made (`chat.make_id`)
    padding       {member, alphabet, shortest, longest}: each event has under `member` a beginning
                  of `alphabet`, of random length; null: none
    sorted        whether the members of every object come in alphabetical order
    usage_extras  further members of usage: the words cache_read and cache_write stand for
                  those counts, what is no text for itself
    cache_counts  {models, members}: the models whose usage tells cache counts even where nothing was
                  cached (none without `models`), and further members as in usage_extras; null: none
    guarded       the stopReason of an answer in which a guardrail intervened
    thinking      places in additionalModelRequestFields that ask for reasoning: {at: pointer,
                  words: what stands there -> effort}; a text that is not listed is the effort
    signed        {models, length, alphabet}: the models (a regular expression over their ids)
                  whose reasoning comes with a signature, and its form; null: none
    redacted      {models, trigger, length, alphabet}: the models whose reasoning is redacted when
                  the prompt holds `trigger`; null: none
    cites         {models, formats}: the models that cite documents where that is asked for, and the
                  formats that are plain text; null: none
    native        members that additionalModelResponseFieldPaths can ask for: name -> `stop_sequence`

The request does not say whether it is streamed (the path does): `read` leaves `Turn.stream`
False and `write` does not look at it. Redacted reasoning is a `Reasoning` without text whose
signature is the redacted content. Top-level members that no field of `Turn` has are in
`extras` by their names. `extras["blocks"]` is the frozenset of the kinds of blocks and tools
that no value stands for (cachePoint, guardContent, systemTool, ...), absent when there were
none; words inside such blocks are read as `Text`, and `write` makes no such blocks.
`extras["guarded"]` is what guardContent blocks hold, where there are some: `texts`, and the
`sources` and `query` that an answer is held against.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import reduce
from itertools import groupby, takewhile
from operator import or_
from typing import Any, get_args

from conformance.dialects import Context, Guard, Profile
from conformance.dialects.chat import (
    arguments_text,
    arguments_value,
    arranged,
    decoded,
    encoded,
    flag,
    fragments,
    joined,
    make_id,
    mapping,
    neutral,
    number,
    sequence,
    whole,
    word,
)
from conformance.dialects.citing import cited
from conformance.exchange import Event
from conformance.select import select
from conformance.values import (
    Media,
    MediaKind,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
)

JSON = dict[str, Any]

MEDIA: tuple[MediaKind, ...] = get_args(MediaKind)
CARRIED = frozenset({*MEDIA, "text", "json", "toolUse", "toolResult", "reasoningContent", "toolSpec"})
READ = frozenset({"messages", "system", "inferenceConfig", "toolConfig", "serviceTier", "outputConfig"})


def read(body: Mapping[str, Any], profile: Profile) -> Turn:
    """The turn that `body` asks for; all of `system` becomes one message at the head."""
    limits = mapping(body.get("inferenceConfig"))
    tools = mapping(body.get("toolConfig"))
    output = mapping(body.get("outputConfig"))
    extras = {name: value for name, value in body.items() if name not in READ}
    if kinds := frozenset(_kinds(body)) - CARRIED:
        extras["blocks"] = kinds
    if guarded := list(_guard_texts(body)):
        extras["guarded"] = _read_guarded(guarded)
    return Turn(
        messages=tuple(_read_messages(body)),
        tools=tuple(_read_tools(tools.get("tools"))),
        tool_choice=_read_choice(tools.get("toolChoice")),
        max_tokens=whole(limits.get("maxTokens")),
        stop=tuple(sequence(limits.get("stopSequences"))),
        temperature=number(limits.get("temperature")),
        top_p=number(limits.get("topP")),
        output=_read_output(output.get("textFormat")),
        reasoning=word(output.get("effort")) or _read_thinking(body, profile),
        tier=word(mapping(body.get("serviceTier")).get("type")),
        extras=extras,
    )


def write(turn: Turn, profile: Profile) -> JSON:
    """The body that asks for `turn`, with the messages at its head of role system as `system`.

    Raises ValueError for what the API has no member for.
    """
    if beyond := [f"{name} {said!r}" for name, said in _beyond(turn)]:
        raise ValueError(
            f"converse: expected a turn that Converse has members for, got {', '.join(beyond)};"
            " leave it out or ask another API"
        )
    system = list(takewhile(lambda message: message.role == "system", turn.messages))
    return {
        "messages": list(_write_messages(turn.messages[len(system) :])),
        **_unless_empty(
            system=[_write_part(part) for message in system for part in message.parts],
            inferenceConfig=_unless_empty(
                maxTokens=turn.max_tokens,
                temperature=turn.temperature,
                topP=turn.top_p,
                stopSequences=list(turn.stop),
            ),
            toolConfig=_write_tools(turn),
            outputConfig=_unless_empty(
                textFormat=_write_output(turn.output) if turn.output else None, effort=turn.reasoning
            ),
            serviceTier={"type": turn.tier} if turn.tier is not None else None,
        ),
        **{name: value for name, value in turn.extras.items() if name not in ("blocks", "guarded")},
    }


def render(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> dict[str, Any]:
    """The answer to `body`; `replies` holds exactly one."""
    return arranged(_answer(body, replies, context, profile), profile)


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """The one reply in `answer`; none if there is no message in it."""
    match answer:
        case {"output": {"message": {"content": content}}}:
            said = answer.get("stopReason")
            guarded = said is not None and said == profile.get("guarded")
            finish = "content_filter" if guarded else neutral(said, profile["finish"])
            return [Reply(_read_parts(content), finish, _read_usage(answer.get("usage")))]
    return []


def stream(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> Iterator[Event]:
    """The events of the answer that `render` gives."""
    for name, data in _take_apart(_answer(body, replies, context, profile), context.split):
        yield Event(name, arranged(data | padding(context, profile), profile))


def padding(context: Context, profile: Profile) -> JSON:
    """The member that hides the length of an event; no member if the profile has no padding."""
    form = profile["padding"]
    if form is None:
        return {}
    length = context.ids.number(form["shortest"], form["longest"])
    return {form["member"]: form["alphabet"][:length]}


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """The one reply that `events` add up to; none if no message began."""
    return parse(_put_together(events), profile)


def prefixes(body: Mapping[str, Any]) -> Iterator[tuple[JSON, str | None]]:
    """What is read before each cache point, as a body of its own, and the point's `ttl`; None if it names none."""
    tools: list[Any] = []
    system: list[Any] = []
    messages: list[JSON] = []

    def before(blocks: Any, into: list[Any]) -> Iterator[tuple[JSON, str | None]]:
        for block in sequence(blocks):
            match block:
                case {"cachePoint": point}:
                    said = {"toolConfig": {"tools": tools}, "system": system, "messages": messages}
                    yield deepcopy(said), word(mapping(point).get("ttl"))
                case _:
                    into.append(block)

    yield from before(mapping(body.get("toolConfig")).get("tools"), tools)
    yield from before(body.get("system"), system)
    for message in sequence(body.get("messages")):
        content: list[Any] = []
        messages.append({**mapping(message), "content": content})
        yield from before(mapping(message).get("content"), content)


# Requests


def _read_messages(body: Mapping[str, Any]) -> Iterator[Message]:
    if parts := _read_parts(body.get("system")):
        yield Message("system", parts)
    for message in sequence(body.get("messages")):
        match message:
            case {"role": "user", **rest}:
                yield from _read_user(_read_parts(rest.get("content")))
            case {"role": "system" | "assistant" as role, **rest}:
                yield Message(role, _read_parts(rest.get("content")))


def _read_user(parts: tuple[Part, ...]) -> Iterator[Message]:
    """The user's message, with each tool result in a message of its own."""
    if not parts:
        yield Message("user", ())
    for results, run in groupby(parts, key=lambda part: isinstance(part, ToolResult)):
        if results:
            yield from (Message("tool", (part,)) for part in run)
        else:
            yield Message("user", tuple(run))


def _write_messages(messages: Sequence[Message]) -> Iterator[JSON]:
    # All results of one assistant message have to come back in one user message. What the
    # user says next stays apart: Mistral models want results alone (pydantic-ai 2.68.0).
    for results, run in groupby(messages, key=lambda message: message.role == "tool"):
        if results:
            parts = (part for message in run for part in message.parts)
            yield {"role": "user", "content": [_write_part(part) for part in parts]}
        else:
            for message in run:
                yield {"role": message.role, "content": [_write_part(part) for part in message.parts]}


def _read_tools(tools: Any) -> Iterator[Tool]:
    for tool in sequence(tools):
        match tool:
            case {"toolSpec": {"name": str(name), **rest}}:
                schema = mapping(mapping(rest.get("inputSchema")).get("json"))
                described = word(rest.get("description")) or ""
                yield Tool(name, described, schema, flag(rest.get("strict")))


def _write_tools(turn: Turn) -> JSON:
    return _unless_empty(
        tools=[
            {
                "toolSpec": {
                    "name": tool.name,
                    "inputSchema": {"json": dict(tool.schema)},
                    **_unless_empty(description=tool.description, strict=tool.strict),
                }
            }
            for tool in turn.tools
        ],
        toolChoice=_write_choice(turn.tool_choice) if turn.tool_choice else None,
    )


def _read_choice(choice: Any) -> ToolChoice | None:
    match choice:
        case {"tool": {"name": str(name)}}:
            return ToolChoice("named", name)
        case {"any": _}:
            return ToolChoice("any")
        case {"auto": _}:
            return ToolChoice("auto")
    return None


def _write_choice(choice: ToolChoice) -> JSON:
    return {"tool": {"name": choice.name}} if choice.mode == "named" else {choice.mode: {}}


def _read_output(form: Any) -> OutputFormat | None:
    match form:
        case {"structure": {"jsonSchema": {"schema": str(text), **rest}}}:
            schema = arguments_value(text)
            name = word(rest.get("name")) or OutputFormat().name
            return OutputFormat(schema if isinstance(schema, dict) else None, name)
    return None


def _write_output(output: OutputFormat) -> JSON:
    schema = {"type": "object"} if output.schema is None else output.schema
    named = {"schema": _text(schema), "name": output.name}
    return {"type": "json_schema", "structure": {"jsonSchema": named}}


def _kinds(body: Mapping[str, Any]) -> Iterator[str]:
    """The kinds of all blocks and tools of a request."""
    yield from _block_kinds(body.get("system"))
    yield from _block_kinds(mapping(body.get("toolConfig")).get("tools"))
    for message in sequence(body.get("messages")):
        yield from _block_kinds(mapping(message).get("content"))


def _block_kinds(blocks: Any) -> Iterator[str]:
    for block in sequence(blocks):
        yield from mapping(block)
        yield from _block_kinds(mapping(mapping(block).get("toolResult")).get("content"))


def _beyond(turn: Turn) -> Iterator[tuple[str, Any]]:
    """What the turn asks for that no member of a request can say."""
    if turn.tool_choice and turn.tool_choice.mode == "none":
        yield "tool_choice", turn.tool_choice.mode
    if turn.parallel_tool_calls is not None:
        yield "parallel_tool_calls", turn.parallel_tool_calls
    if turn.seed is not None:
        yield "seed", turn.seed
    if turn.n != 1:
        yield "n", turn.n


def _read_thinking(body: Mapping[str, Any], profile: Profile) -> str | None:
    """The effort that a vendor's own member asks for."""
    for said in profile.get("thinking", ()):
        for _, value in select(body.get("additionalModelRequestFields"), said["at"]):
            if isinstance(value, str):
                return str(said.get("words", {}).get(value, value))
    return None


def _guard_texts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The texts that are marked for a guardrail, with what each is marked as."""
    blocks = [*sequence(body.get("system"))]
    for message in sequence(body.get("messages")):
        blocks += sequence(mapping(message).get("content"))
    for block in blocks:
        match block:
            case {"guardContent": {"text": {"text": str()} as marked}}:
                yield marked


def _read_guarded(marked: Sequence[Mapping[str, Any]]) -> JSON:
    def of(kind: str) -> str:
        return "\n".join(each["text"] for each in marked if kind in sequence(each.get("qualifiers")))

    kinds = ("grounding_source", "query")
    texts = [
        each["text"]
        for each in marked
        if "guard_content" in sequence(each.get("qualifiers"))
        or not set(sequence(each.get("qualifiers"))) & set(kinds)
    ]
    return {"texts": texts, "sources": of("grounding_source"), "query": of("query")}


# Blocks


def _read_parts(blocks: Any) -> tuple[Part, ...]:
    parts = (_read_block(block) for block in sequence(blocks))
    return tuple(part for part in parts if part is not None)


def _read_block(block: Any) -> Part | None:
    """The part that a block stands for; None if it holds nothing for a model to read."""
    match block:
        case {"text": str(text)}:
            return Text(text)
        case {"json": value}:
            return Text(_text(value))
        case {"toolUse": {"name": str(name), **call}}:
            return ToolCall(word(call.get("toolUseId")) or "", name, call.get("input"))
        case {"toolResult": {"toolUseId": str(id), **result}}:
            return _read_result(id, result)
        case {"reasoningContent": {"reasoningText": {"text": str(text), **rest}}}:
            return Reasoning(text, word(rest.get("signature")))
        case {"reasoningContent": {"redactedContent": str(blob)}}:
            return Reasoning("", blob)
        case {"citationsContent": {"content": [_, *_] as words}} | {"searchResult": {"content": words}}:
            return Text(joined(words))
        case {"guardContent": {"text": {"text": str(text)}}}:
            return Text(text)
        case {"guardContent": {"image": _} as guarded}:
            return _read_media(guarded)
    return _read_media(block)


def _write_part(part: Part) -> JSON:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text}
        case Media():
            return _write_media(part)
        case ToolCall(id, name, arguments):
            return {"toolUse": {"toolUseId": id, "name": name, "input": arguments}}
        case ToolResult(id, parts, error):
            content = [_write_part(inner) for inner in parts]
            status = {"status": "error"} if error else {}
            return {"toolResult": {"toolUseId": id, "content": content, **status}}
        case Reasoning("", str(blob)):
            return {"reasoningContent": {"redactedContent": blob}}
        case Reasoning(text, signature):
            signed = {} if signature is None else {"signature": signature}
            return {"reasoningContent": {"reasoningText": {"text": text, **signed}}}


def _read_result(id: str, result: Mapping[Any, Any]) -> ToolResult:
    parts = tuple(part for part in _read_parts(result.get("content")) if isinstance(part, Text | Media))
    return ToolResult(id, parts, error=result.get("status") == "error")


def _read_media(block: Any) -> Media | None:
    for kind in MEDIA:
        media = mapping(mapping(block).get(kind))
        if "source" in media:
            data, url = _read_source(media["source"])
            return Media(kind, word(media.get("format")), data, url, word(media.get("name")))
    return None


def _read_source(source: Any) -> tuple[bytes | None, str | None]:
    match source:
        case {"s3Location": {"uri": str(url)}}:
            return None, url
        case {"bytes": str(blob)}:
            return decoded(blob), None
        case {"text": str(text)}:
            # JSON can hold half of a surrogate pair, UTF-8 cannot.
            return text.encode(errors="replace"), None
        case {"content": words}:
            return joined(words).encode(errors="replace"), None
    return None, None


def _write_media(media: Media) -> JSON:
    if media.data is not None:
        source: JSON = {"bytes": encoded(media.data)}
    elif media.url is not None and media.url.startswith("s3:"):
        source = {"s3Location": {"uri": media.url}}
    else:
        raise ValueError(
            f"converse: expected data or an s3: url for the {media.kind}, got url {media.url!r};"
            " fetch it and give its bytes"
        )
    return {media.kind: {**_unless_empty(format=media.format, name=media.name), "source": source}}


# Answers


def _answer(body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile) -> JSON:
    (reply,) = replies
    parts = (_thought_of(_with_id(part, context, profile), body, context, profile) for part in reply.parts)
    content = [block for part in parts for block in _blocks(part, body, context, profile)]
    answer: JSON = {
        "output": {"message": {"role": "assistant", "content": content}},
        "metrics": {"latencyMs": context.latency_ms},
    }
    if reply.finish is not None:
        answer["stopReason"] = profile["finish"][reply.finish]
    if reply.usage is not None:
        answer["usage"] = _write_usage(reply.usage, profile, context.model)
    if context.tier is not None:
        answer["serviceTier"] = {"type": context.tier}
    if "performanceConfig" in body:
        answer["performanceConfig"] = body["performanceConfig"]
    if fields := _native(body, reply, profile):
        answer["additionalModelResponseFields"] = fields
    if context.guard is not None:
        answer |= _guarded(context.guard, profile)
    return answer


def _blocks(part: Part, body: Mapping[str, Any], context: Context, profile: Profile) -> list[JSON]:
    if isinstance(part, Text):
        return cited(part.text, body, profile, context.model)
    return [_write_part(part)]


def _native(body: Mapping[str, Any], reply: Reply, profile: Profile) -> JSON:
    """The vendor's own members that were asked for, as far as there are some."""
    known = {name: getattr(reply, of) for name, of in profile.get("native", {}).items()}
    found: JSON = {}
    for path in sequence(body.get("additionalModelResponseFieldPaths")):
        for at, value in select(known, path):
            if value is not None:
                found[at.removeprefix("/")] = value
    return found


def _guarded(guard: Guard, profile: Profile) -> JSON:
    """What a guardrail did: the reason for the end, and what it found where that was asked for."""
    told = {"stopReason": profile["guarded"]} if guard.blocked or guard.masked else {}
    trace: JSON = {}
    if guard.input is not None:
        trace["inputAssessment"] = {guard.name: guard.input}
    if guard.output is not None:
        trace["outputAssessments"] = {guard.name: [guard.output]}
    return {**told, **({"trace": {"guardrail": trace}} if trace else {})}


def _thought_of(part: Part, body: Mapping[str, Any], context: Context, profile: Profile) -> Part:
    """Reasoning with its signature, or redacted, where the model does that."""
    if not isinstance(part, Reasoning) or part.signature is not None:
        return part
    redacted, signed = profile.get("redacted"), profile.get("signed")
    if redacted and re.search(redacted["models"], context.model) and redacted["trigger"] in _text(body):
        return Reasoning("", context.ids.token(redacted["length"], redacted["alphabet"]))
    if signed and re.search(signed["models"], context.model):
        return replace(part, signature=context.ids.token(signed["length"], signed["alphabet"]))
    return part


def _with_id(part: Part, context: Context, profile: Profile) -> Part:
    if isinstance(part, ToolCall) and not part.id:
        return replace(part, id=make_id(profile["ids"]["tool_call"], context.ids))
    return part


def _read_usage(usage: Any) -> Usage | None:
    match usage:
        case {"inputTokens": int(input), "outputTokens": int(output), **rest}:
            return Usage(
                input,
                output,
                cache_read=whole(rest.get("cacheReadInputTokens")) or 0,
                cache_write=whole(rest.get("cacheWriteInputTokens")) or 0,
            )
    return None


def _write_usage(usage: Usage, profile: Profile, model: str) -> JSON:
    counts = {"cache_read": usage.cache_read, "cache_write": usage.cache_write}
    extras = dict(profile["usage_extras"])
    told = profile.get("cache_counts")
    always = told.get("models") if told else None
    tells = bool(always and re.search(always, model)) or bool(usage.cache_read or usage.cache_write)
    if told and tells:
        extras |= told["members"]
    return {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output + usage.cache_read + usage.cache_write,
        **({"cacheReadInputTokens": usage.cache_read} if tells else {}),
        **({"cacheWriteInputTokens": usage.cache_write} if tells else {}),
        **{name: counts[value] if isinstance(value, str) else value for name, value in extras.items()},
    }


# Streams


def _take_apart(answer: JSON, split: Callable[[str], Sequence[str]]) -> Iterator[tuple[str, JSON]]:
    message = answer["output"]["message"]
    yield "messageStart", {"role": message["role"]}
    for index, block in enumerate(message["content"]):
        start, deltas = _pieces(block, split)
        if start is not None:
            yield "contentBlockStart", {"contentBlockIndex": index, "start": start}
        for delta in deltas:
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}
        yield "contentBlockStop", {"contentBlockIndex": index}
    yield "messageStop", _only(answer, "stopReason", "additionalModelResponseFields")
    yield "metadata", _only(answer, "metrics", "usage", "serviceTier", "performanceConfig", "trace")


def _pieces(block: JSON, split: Callable[[str], Sequence[str]]) -> tuple[JSON | None, list[JSON]]:
    """The start of a block (None where it has none) and its deltas, at least one."""
    match block:
        case {"text": text}:
            return None, [{"text": piece} for piece in split(text) or [""]]
        case {"citationsContent": {"content": words, "citations": citations}}:
            spoken = [{"text": piece} for piece in split(joined(words))]
            return None, [*({"citation": each} for each in citations), *spoken]
        case {"reasoningContent": {"reasoningText": {"text": text, **signature}}}:
            pieces = [{"text": piece} for piece in split(text) or [""]] + ([signature] if signature else [])
            return None, [{"reasoningContent": piece} for piece in pieces]
        case {"reasoningContent": _}:
            return None, [block]
        case {"toolUse": {"input": arguments, **start}}:
            written = ["", *fragments(arguments_text(arguments))]
            return {"toolUse": start}, [{"toolUse": {"input": piece}} for piece in written]
        case {"toolResult": {"content": content, **start}}:
            return {"toolResult": start}, [{"toolResult": [piece]} for piece in content]
        case {"image": {"source": source, **start}}:
            return {"image": start}, [{"image": {"source": source}}]
    raise ValueError(f"converse: expected a part that a stream can carry, got {', '.join(block)}")


def _put_together(events: Iterable[Event]) -> JSON:
    """The plain answer to which a stream adds up, without `output` if no message began."""
    answer: JSON = {}
    starts: dict[int, JSON] = {}
    deltas: dict[int, list[JSON]] = {}
    for event in events:
        match event.name, event.data:
            case "messageStart", _:
                answer.setdefault("output", {})
            case "contentBlockStart", {"contentBlockIndex": int(index), "start": dict(start)}:
                starts[index] = start
            case "contentBlockDelta", {"contentBlockIndex": int(index), "delta": dict(delta)}:
                deltas.setdefault(index, []).append(delta)
            case "messageStop" | "metadata", dict(rest):
                answer |= _only(rest, "stopReason", "metrics", "usage")
    if starts or deltas or "output" in answer:
        indices = sorted(starts.keys() | deltas.keys())
        content = [_block(starts.get(index, {}), deltas.get(index, [])) for index in indices]
        answer["output"] = {"message": {"content": content}}
    return answer


def _block(start: JSON, deltas: list[JSON]) -> JSON:
    """The block that a start and its deltas make; an empty one if they make none."""
    match start:
        case {"toolUse": dict(call)}:
            text = "".join(_strings(_inner(deltas, "toolUse"), "input"))
            return {"toolUse": {**call, "input": arguments_value(text) if text else {}}}
        case {"toolResult": dict(result)}:
            pieces = (piece for delta in deltas for piece in sequence(delta.get("toolResult")))
            return {"toolResult": {**result, "content": list(pieces)}}
        case {"image": dict(image)}:
            return {"image": reduce(or_, _inner(deltas, "image"), image)}
    if thoughts := _inner(deltas, "reasoningContent"):
        return {"reasoningContent": _thought(thoughts)}
    words = list(_strings(deltas, "text"))
    return {"text": "".join(words)} if words else {}


def _thought(deltas: list[JSON]) -> JSON:
    if redacted := "".join(_strings(deltas, "redactedContent")):
        return {"redactedContent": redacted}
    signature = "".join(_strings(deltas, "signature"))
    return {"reasoningText": {"text": "".join(_strings(deltas, "text")), "signature": signature or None}}


# JSON


def _inner(deltas: list[JSON], name: str) -> list[JSON]:
    return [delta[name] for delta in deltas if isinstance(delta.get(name), dict)]


def _strings(objects: list[JSON], name: str) -> Iterator[str]:
    return (value for each in objects if isinstance(value := each.get(name), str))


def _only(members: Mapping[Any, Any], *names: str) -> JSON:
    return {name: members[name] for name in names if name in members}


def _unless_empty(**members: Any) -> JSON:
    """The members that say something: not None, and no empty text, list or object."""
    return {name: value for name, value in members.items() if value is not None and value not in ("", [], {})}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
