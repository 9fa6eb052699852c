"""Anthropic's Messages, as Anthropic and the gateways that imitate it speak it.

What differs between them stands in the contract's profile:

    ids               answer, tool_call: how an id is made (`make_id` of the chat dialect)
    finish            neutral finish -> stop_reason of a plain answer
    finish_in_stream  the same for streams
    reasoning         whether the model's trace is sent, as a block of type `thinking`
    ignored           request members that the endpoint takes and does not look at
    tier              asked tier -> service_tier in usage (`none`: nothing asked); null: no member
    answer            members that every answer has besides
    cache_usage       whether usage counts what was read from and put into a cache
    stream:
      usage_first     counts in `message_start`: `prompt` (what is known by then) or `zero`
      usage_last      counts in `message_delta`: `all`, or `output` alone
      whole_calls     whether the arguments of a tool call come in one delta
      ping            whether a `ping` follows the start

An event's name is its `type`. System messages stand apart from the others, in `system`; results of tools stand in
a user's message. An answer keeps the order of its parts: each trace, text and tool call is a block. Refusals have no
block of their own and are said as text. Stop reasons tell the neutral finish; a stop sequence is named beside it.

`file-id:` is our own spelling for a file that was uploaded before (`Media.url`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.dialects import Context, Profile
from conformance.dialects.chat import (
    JSON,
    MIME,
    UPLOADED,
    arguments_text,
    arguments_value,
    arranged,
    decoded,
    encoded,
    flag,
    fragments,
    make_id,
    mapping,
    neutral,
    number,
    sequence,
    tier_word,
    whole,
    word,
)
from conformance.exchange import Event
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

EXTRAS = (
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "provider",
    "speed",
    "top_k",
)
"""Members of a request that no other dialect knows; of `thinking` and `output_config` what is not read otherwise."""

CACHE = ("cache_creation_input_tokens", "cache_read_input_tokens")
DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}
"""Where a delta has its words, and the member of the block that they add to."""
WORDLESS: Mapping[str, JSON] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}
"""What stands for the words in a block that is announced."""


# Requests


def read(body: JSON, profile: Profile) -> Turn:
    """The turn that `body` asks for; members that the profile names as ignored are not looked at."""
    body = {name: value for name, value in body.items() if name not in profile["ignored"]}
    choice = mapping(body.get("tool_choice"))
    config, thinking = mapping(body.get("output_config")), mapping(body.get("thinking"))
    alone = flag(choice.get("disable_parallel_tool_use"))
    system = _read_blocks(body.get("system"))
    return Turn(
        messages=(
            *([Message("system", system)] if system else []),
            *(each for said in sequence(body.get("messages")) for each in _read_message(mapping(said))),
        ),
        model=word(body.get("model")),
        tools=tuple(tool for tool in map(_read_tool, sequence(body.get("tools"))) if tool is not None),
        tool_choice=_read_choice(choice),
        parallel_tool_calls=None if alone is None else not alone,
        max_tokens=whole(body.get("max_tokens")),
        stop=tuple(each for each in sequence(body.get("stop_sequences")) if isinstance(each, str)),
        output=_read_output(mapping(config.get("format"))),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        stream=bool(body.get("stream")),
        reasoning="none" if thinking.get("type") == "disabled" else word(config.get("effort")),
        tier=word(body.get("service_tier")),
        extras={name: body[name] for name in EXTRAS if name in body}
        | ({"thinking": thinking} if thinking and thinking.get("type") != "disabled" else {}),
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The request for `turn`; ValueError for a part that Messages has no form for.

    Seed and several choices have no member here and are left out.
    """
    system = [part for message in turn.messages if message.role == "system" for part in message.parts]
    config = {
        **({} if turn.reasoning in (None, "none") else {"effort": turn.reasoning}),
        **_write_output(turn.output),
    }
    said = {
        "model": turn.model,
        "system": _write_content(system) if system else None,
        "messages": list(_write_messages(turn.messages)),
        "tools": [_write_tool(tool) for tool in turn.tools] or None,
        "tool_choice": _write_choice(turn.tool_choice, turn.parallel_tool_calls),
        "max_tokens": turn.max_tokens,
        "stop_sequences": list(turn.stop) or None,
        "output_config": config or None,
        "thinking": {"type": "disabled"} if turn.reasoning == "none" else turn.extras.get("thinking"),
        "temperature": turn.temperature,
        "top_p": turn.top_p,
        "stream": turn.stream or None,
        "service_tier": turn.tier,
    }
    extras = {name: value for name, value in turn.extras.items() if name in EXTRAS}
    return {name: value for name, value in said.items() if value is not None} | extras


def _read_message(message: JSON) -> Iterator[Message]:
    """One message, or two where results of tools and words stand in one of the user's."""
    parts = _read_blocks(message.get("content"))
    if message.get("role") == "assistant":
        yield Message("assistant", parts)
        return
    results = tuple(part for part in parts if isinstance(part, ToolResult))
    others = tuple(part for part in parts if not isinstance(part, ToolResult))
    if results:
        yield Message("tool", results)
    if others or not results:
        yield Message("system" if message.get("role") == "system" else "user", others)


def _write_messages(messages: Iterable[Message]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        yield {"role": role, "content": _write_content(message.parts)}


def _write_content(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_write_block(part) for part in parts]


def _read_blocks(content: Any) -> tuple[Part, ...]:
    """The parts of `content`, a string or a list of blocks; empty words are left out."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    found = (_read_block(block) for block in sequence(content))
    return tuple(part for part in found if part is not None and part != Text(""))


def _read_block(block: Any) -> Part | None:
    """One content block of a request or an answer; None if it is of no kind we know."""
    if isinstance(block, str):
        return Text(block)
    said = mapping(block)
    match said.get("type", "text" if "text" in said else None):
        case "text":
            return Text(word(said.get("text")) or "")
        case "thinking":
            return Reasoning(word(said.get("thinking")) or "", word(said.get("signature")) or None)
        case "tool_use":
            given = said.get("input")
            return ToolCall(word(said.get("id")) or "", word(said.get("name")) or "", given)
        case "tool_result":
            parts = _read_blocks(said.get("content"))
            media = tuple(part for part in parts if isinstance(part, Text | Media))
            return ToolResult(word(said.get("tool_use_id")) or "", media, bool(said.get("is_error")))
        case "image":
            return _read_media("image", mapping(said.get("source")), None)
        case "document":
            return _read_media("document", mapping(said.get("source")), word(said.get("title")))
        case _:
            return None


def _write_block(part: Part) -> dict[str, Any]:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text}
        case Reasoning():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}
        case ToolCall():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": part.arguments}
        case ToolResult():
            failed = {"is_error": True} if part.error else {}
            content = {"content": _write_content(part.parts)} if part.parts else {}
            return {"type": "tool_result", "tool_use_id": part.id, **content, **failed}
        case Media(kind="image" | "document") as media:
            title = {} if media.name is None else {"title": media.name}
            return {"type": media.kind, "source": _write_source(media), **title}
    raise ValueError(
        "messages: expected text, an image, a document, a trace, a tool call or its result, "
        f"got {part!r}; send it over an API that takes it"
    )


def _read_media(kind: MediaKind, source: JSON, name: str | None) -> Media:
    match source.get("type"):
        case "url":
            return Media(kind, None, url=word(source.get("url")), name=name)
        case "file":
            return Media(kind, None, url=UPLOADED + (word(source.get("file_id")) or ""), name=name)
        case "text":
            return Media(kind, "txt", (word(source.get("data")) or "").encode(), name=name)
        case _:
            mime = word(source.get("media_type")) or ""
            form = next((short for short, long in MIME.items() if long == mime), mime.rpartition("/")[2])
            return Media(kind, form or None, decoded(source.get("data")), name=name)


def _write_source(media: Media) -> dict[str, Any]:
    if media.url is not None and media.url.startswith(UPLOADED):
        return {"type": "file", "file_id": media.url.removeprefix(UPLOADED)}
    if media.url is not None:
        return {"type": "url", "url": media.url}
    if media.kind == "document" and media.format == "txt":
        return {"type": "text", "media_type": MIME["txt"], "data": (media.data or b"").decode()}
    family = "application" if media.kind == "document" else media.kind
    mime = MIME.get(media.format or "", f"{family}/{media.format}")
    return {"type": "base64", "media_type": mime, "data": encoded(media.data or b"")}


def _read_tool(tool: Any) -> Tool | None:
    said = mapping(tool)
    name = word(said.get("name"))
    if not name:
        return None
    description, schema = word(said.get("description")) or "", mapping(said.get("input_schema"))
    return Tool(name, description, schema, flag(said.get("strict")))


def _write_tool(tool: Tool) -> dict[str, Any]:
    description = {"description": tool.description} if tool.description else {}
    strict = {} if tool.strict is None else {"strict": tool.strict}
    # An object without its type is refused by Anthropic: any schema of arguments is one of objects.
    return {"name": tool.name, **description, "input_schema": dict(tool.schema), **strict}


def _read_choice(choice: JSON) -> ToolChoice | None:
    match choice.get("type"):
        case "auto":
            return ToolChoice("auto")
        case "any":
            return ToolChoice("any")
        case "none":
            return ToolChoice("none")
        case "tool" if name := word(choice.get("name")):
            return ToolChoice("named", name)
        case _:
            return None


def _write_choice(choice: ToolChoice | None, parallel: bool | None) -> dict[str, Any] | None:
    if choice is None and parallel is None:
        return None
    mode = "auto" if choice is None else "tool" if choice.mode == "named" else choice.mode
    named = {} if choice is None or choice.name is None else {"name": choice.name}
    alone = {} if parallel is None else {"disable_parallel_tool_use": not parallel}
    return {"type": mode, **named, **alone}


def _read_output(form: JSON) -> OutputFormat | None:
    return OutputFormat(mapping(form.get("schema"))) if form.get("type") == "json_schema" else None


def _write_output(output: OutputFormat | None) -> dict[str, Any]:
    """A form without a schema has no member here: any JSON is an object of any members."""
    if output is None:
        return {}
    schema = {"type": "object"} if output.schema is None else dict(output.schema)
    return {"format": {"type": "json_schema", "schema": schema}}


# Answers


def render(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> dict[str, Any]:
    """The message for the first reply; the API has no second choice."""
    reply = replies[0]
    finish = None if reply.finish is None else profile["finish"][reply.finish]
    return arranged(
        {
            **_head(context, profile),
            "content": [_answered(part, context, profile) for part in _sent(reply, profile)],
            "model": context.model,
            "stop_reason": finish,
            "stop_sequence": reply.stop_sequence,
            **profile["answer"],
            "usage": _write_usage(reply.usage or Usage(0, 0), context, profile),
        },
        {"sorted": False},
    )


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """The reply in a message; none in anything else."""
    said = mapping(answer)
    if not isinstance(said.get("content"), list):
        return []
    parts = _read_blocks(said["content"])
    finish = neutral(said.get("stop_reason"), profile["finish"])
    return [Reply(parts, finish, _read_usage(said.get("usage")), word(said.get("stop_sequence")))]


def _head(context: Context, profile: Profile) -> dict[str, Any]:
    made = make_id(profile["ids"]["answer"], context.ids)
    return {"id": made, "type": "message", "role": "assistant"}


def _sent(reply: Reply, profile: Profile) -> Iterator[Part]:
    """The parts that become blocks, texts that follow one another as one."""
    kept = [part for part in reply.parts if profile["reasoning"] or not isinstance(part, Reasoning)]
    for is_text, group in itertools.groupby(kept, key=lambda part: isinstance(part, Text | Refusal)):
        if not is_text:
            yield from group
            continue
        text = "".join(part.text for part in group if isinstance(part, Text | Refusal))
        if text:
            yield Text(text)


def _answered(part: Part, context: Context, profile: Profile) -> dict[str, Any]:
    match part:
        case ToolCall():
            made = part.id or make_id(profile["ids"]["tool_call"], context.ids)
            given = arguments_value(part.arguments) if isinstance(part.arguments, str) else part.arguments
            return {"type": "tool_use", "id": made, "name": part.name, "input": given}
        case _:
            return _write_block(part)


def _write_usage(usage: Usage, context: Context, profile: Profile) -> dict[str, Any]:
    tier = {} if profile["tier"] is None else {"service_tier": tier_word(context.tier, profile["tier"])}
    if profile["cache_usage"]:
        cache = dict(zip(CACHE, (usage.cache_write, usage.cache_read), strict=True))
        return {"input_tokens": usage.input, **cache, "output_tokens": usage.output, **tier}
    prompt = usage.input + usage.cache_write + usage.cache_read
    return {"input_tokens": prompt, "output_tokens": usage.output, **tier}


def _read_usage(said: Any) -> Usage | None:
    """Usage from its wire object; None if it has neither count."""
    counts = mapping(said)
    prompt, output = whole(counts.get("input_tokens")), whole(counts.get("output_tokens"))
    if prompt is None and output is None:
        return None
    write, read_back = (whole(counts.get(name)) or 0 for name in CACHE)
    return Usage(prompt or 0, output or 0, 0, read_back, write)


# Streams


def stream(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> Iterator[Event]:
    """The same answer as events: the message without its words, its blocks one after the other, how it ended."""
    for payload in _payloads(replies[0], context, profile):
        yield Event(payload["type"], arranged(payload, {"sorted": False}))


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """The reply that the events add up to; of a cut stream what came. None without a start."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    begun = False
    for payload in (mapping(event.data) for event in events):
        index = whole(payload.get("index"))
        match payload.get("type"):
            case "message_start":
                begun = True
                message = {**mapping(payload.get("message"))}
            case "content_block_start" if index is not None:
                blocks[index] = {**mapping(payload.get("content_block")), "pieces": []}
            case "content_block_delta" if index in blocks:
                _grow(blocks[index], mapping(payload.get("delta")))
            case "message_delta":
                message |= mapping(payload.get("delta"))
                message["usage"] = {**mapping(message.get("usage")), **mapping(payload.get("usage"))}
    if not begun:
        return []
    parts = _read_blocks([_closed(blocks[index]) for index in sorted(blocks)])
    finish = neutral(message.get("stop_reason"), profile["finish_in_stream"])
    return [Reply(parts, finish, _read_usage(message.get("usage")), word(message.get("stop_sequence")))]


def _payloads(reply: Reply, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    form, usage = profile["stream"], reply.usage or Usage(0, 0)
    # Before the first word one token of output is counted at most; here none is.
    known = Usage(usage.input, 0, 0, usage.cache_read, usage.cache_write)
    first = {"prompt": known, "zero": Usage(0, 0)}[form["usage_first"]]
    yield {
        "type": "message_start",
        "message": {
            **_head(context, profile),
            "content": [],
            "model": context.model,
            "stop_reason": None,
            "stop_sequence": None,
            **profile["answer"],
            "usage": _write_usage(first, context, profile),
        },
    }
    if form["ping"]:
        yield {"type": "ping"}
    for index, part in enumerate(_sent(reply, profile)):
        block = _answered(part, context, profile)
        yield {"type": "content_block_start", "index": index, "content_block": _wordless(block)}
        for delta in _deltas(block, context, profile):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    finish = None if reply.finish is None else profile["finish_in_stream"][reply.finish]
    last = _write_usage(usage, context, profile)
    if form["usage_last"] == "output":
        last = {"output_tokens": last["output_tokens"]}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": finish, "stop_sequence": reply.stop_sequence},
        "usage": last,
    }
    yield {"type": "message_stop"}


def _wordless(block: JSON) -> dict[str, Any]:
    """A block as it is announced: all that is known before its words."""
    return {**block, **WORDLESS[block["type"]]}


def _deltas(block: JSON, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            for piece in context.split(block["text"]):
                yield {"type": "text_delta", "text": piece}
        case "thinking":
            for piece in context.split(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            if block["signature"]:
                yield {"type": "signature_delta", "signature": block["signature"]}
        case _:
            said = arguments_text(block["input"])
            for piece in [said] if profile["stream"]["whole_calls"] else fragments(said):
                yield {"type": "input_json_delta", "partial_json": piece}


def _grow(block: dict[str, Any], delta: JSON) -> None:
    place = DELTAS.get(word(delta.get("type")) or "")
    if place is None or not isinstance(delta.get(place[0]), str):
        return
    said, member = place
    if member == "input":
        block["pieces"].append(delta[said])
    else:
        block[member] = (word(block.get(member)) or "") + delta[said]


def _closed(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block with the arguments that came for it; without any it is as it was announced."""
    whole_block = {name: value for name, value in block.items() if name != "pieces"}
    if block["pieces"]:
        whole_block["input"] = arguments_value("".join(block["pieces"]))
    return whole_block
