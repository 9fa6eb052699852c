"""Puter's driver API: `puter.ai.chat()`, which is `POST /drivers/call` with method `complete`.

    request   {interface, driver, test_mode, method, args: {messages, model, stream, tools, ...}, auth_token}
    answer    {success, result: {message: {...}, finish reason, usage}, service, metadata}
    stream    lines {type: text | reasoning | tool_use | usage | error, ...}; usage last, no finish reason

`auth_token` belongs to the caller, as headers do: `write` leaves it out, `read` does not look at it.
What puter.js drops (tool choice, top_p, stop sequences, seed, output schema, ...) `write` drops too.
No member of an answer is a refusal in every spelling, so its words are sent as text.

The profile says:

    call        what stands before `args` in a request: interface, driver, test_mode, method
    service     the answer's `service`, as it is
    metadata    the answer's `metadata`, with the holes `$service $model`: who served it
    prices      which price each member of usage costs, `input` or `output`; one without a price costs nothing
    finish      our finish words -> the words on the wire
    ids         ids of tool calls: prefix, length and alphabet of what follows
    realities   by name (`documented`, `observed`), how an answer is spelled:
        result      the whole `result`, with the holes `$content $reasoning $tool_calls $finish $usage`;
                    a member whose hole ends in `?` is left out when there is nothing to put there
        tool_call   one entry of the tool calls, with the holes `$id $name $arguments $index`
        no_text     `content` of an answer that has tool calls and no words
        thinking    a chunk of reasoning inside `content`, with the hole `$reasoning`; null when
                    reasoning has a member and an event of its own
        normalized  what `args.normalize` adds to the result

`args.response.normalize` is the older switch: by it the words become a list of one part of text.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import unquote_to_bytes

from conformance.dialects import Context, Profile
from conformance.exchange import Event
from conformance.values import (
    Finish,
    Media,
    MediaKind,
    Message,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    Usage,
)

__all__ = ["fold", "parse", "read", "render", "stream", "write"]

# Puter passes on what the vendor behind it counts, under the vendor's names; we write the first.
INPUT = ("prompt_tokens", "input_tokens", "prompt")
OUTPUT = ("completion_tokens", "output_tokens", "completion")
CACHED = ("cached_tokens", "input_cache_read")

ROLES: Mapping[Any, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
TOP_LEVEL: Mapping[MediaKind, str] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "document": "application",
}
# puter.js copies options in this order, after messages, model, temperature, max_tokens and stream.
COPIED = (
    "tools",
    "response",
    "reasoning_effort",
    "text",
    "verbosity",
    "provider",
    "image_config",
    "compaction",
    "context_management",
    "normalize",
)
# Members of `args` that have a place in a Turn; `vision` only repeats that there is media.
READ = frozenset(
    {"messages", "model", "temperature", "max_tokens", "stream", "tools"}
    | {"reasoning_effort", "reasoning", "vision", "test_mode"}
)


def read(body: Mapping[str, Any], profile: Profile) -> Turn:
    """The turn that a driver call asks for; other members of `args` stand in `extras`."""
    args = _mapping(body.get("args"))
    extras = {name: value for name, value in args.items() if name not in READ}
    if args.get("test_mode") is True or body.get("test_mode") is True:
        extras["test_mode"] = True
    tools = (_read_tool(item) for item in _list(args.get("tools")) if isinstance(item, Mapping))
    return Turn(
        messages=tuple(_merge(_read_messages(args.get("messages")))),
        model=_text_or_none(args.get("model")),
        tools=tuple(tool for tool in tools if tool is not None),
        max_tokens=_count(args.get("max_tokens")),
        temperature=_number(args.get("temperature")),
        stream=args.get("stream") not in (None, False, 0, ""),
        reasoning=_text_or_none(args.get("reasoning_effort"))
        or _text_or_none(_mapping(args.get("reasoning")).get("effort")),
        extras=extras,
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The driver call that puter.js 2.6.3 sends for `turn`, without its last member `auth_token`.

    Raises ValueError for media that has neither data nor URL.
    """
    testing = turn.extras.get("test_mode") is True
    prompt = _write_prompt(turn.messages)
    args: dict[str, Any] = prompt if prompt is not None else {"messages": _write_messages(turn.messages)}
    for name in ("model", "temperature", "max_tokens"):
        if getattr(turn, name) is not None:
            args[name] = getattr(turn, name)
    if turn.stream:
        args["stream"] = True
    options: dict[str, Any] = {name: value for name, value in turn.extras.items() if name != "test_mode"}
    if turn.tools:
        options["tools"] = [_write_tool(tool) for tool in turn.tools]
    if turn.reasoning is not None:
        options["reasoning_effort"] = turn.reasoning
    args |= {name: options.pop(name) for name in COPIED if name in options}
    args |= options
    if testing:
        args["test_mode"] = True
    return {**profile["call"], **({"test_mode": True} if testing else {}), "args": args}


def render(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> dict[str, Any]:
    """The envelope around the first reply, spelled as `context.reality` says."""
    reply = replies[0]
    spelling = profile["realities"][context.reality]
    calls = [
        _fill(spelling["tool_call"], _call_values(call, index, context, profile))
        for index, call in enumerate(reply.tool_calls)
    ]
    args = _mapping(body.get("args"))
    content = _content(reply, spelling, bool(calls))
    in_parts = _mapping(args.get("response")).get("normalize") is True
    if in_parts and isinstance(content, str):
        content = [{"type": "text", "text": content}]
    result = _fill(
        spelling["result"],
        {
            "content": content,
            "reasoning": _reasoning(reply) or None,
            "tool_calls": calls or None,
            "finish": None if reply.finish is None else profile["finish"][reply.finish],
            "usage": _write_usage(reply.usage, context, profile),
        },
    )
    if args.get("normalize") is True:
        result |= spelling["normalized"]
    if in_parts:
        result["normalized"] = True
    return {
        "success": True,
        "result": result,
        "service": dict(profile["service"]),
        "metadata": _fill(profile["metadata"], context.served),
    }


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """The reply in an envelope, in either spelling; none when it failed or has no message."""
    envelope = _mapping(answer)
    result = _mapping(envelope.get("result"))
    message = result.get("message")
    if envelope.get("success") is False or not isinstance(message, Mapping):
        return []
    thought = message.get("reasoning")
    parts: list[Part] = [Reasoning(thought)] if isinstance(thought, str) and thought else []
    parts += _read_parts(message.get("content"))
    parts += _read_calls(message)
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(Refusal(refusal))
    word = _first(result, ("finish_reason", "finishReason"))
    return [Reply(tuple(_join(parts)), _read_finish(word, profile), _read_usage(result.get("usage")))]


def stream(
    body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
) -> Iterator[Event]:
    """The first reply as lines: its parts in order, tool calls whole, and usage at the end."""
    reply = replies[0]
    thinking = profile["realities"][context.reality]["thinking"]
    for part in reply.parts:
        if isinstance(part, Text | Refusal):
            for piece in context.split(part.text):
                yield _line("text", text=piece)
        elif isinstance(part, Reasoning):
            for piece in context.split(part.text):
                if thinking is None:
                    yield _line("reasoning", reasoning=piece)
                else:
                    yield _line("text", text=[_fill(thinking, {"reasoning": piece})])
        elif isinstance(part, ToolCall):
            call = {"id": _call_id(part, context, profile), "name": part.name, "input": part.arguments}
            yield _line("tool_use", **call, text="")
    usage = _write_usage(reply.usage, context, profile)
    yield _line("usage", usage=usage) if usage is not None else _line("usage")


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """What the lines add up to; `finish` is None, since no line says it. None when nothing came."""
    parts: list[Part] = []
    usage: Usage | None = None
    for event in events:
        line = _mapping(event.data)
        match line.get("type"):
            case "text":
                parts += _read_parts(line.get("text"))
            case "reasoning" if isinstance(line.get("reasoning"), str):
                parts.append(Reasoning(line["reasoning"]))
            case "tool_use":
                parts += _read_parts([line])
            case "usage":
                usage = _read_usage(line.get("usage"))
    return [Reply(tuple(_join(parts)), None, usage)] if parts or usage else []


def _read_messages(value: Any) -> Iterator[Message]:
    """The messages as they stand; one that mixes tool results with words becomes several."""
    for item in _list(value):
        if isinstance(item, str):
            yield Message("user", (Text(item),))
        elif isinstance(item, Mapping):
            yield from _read_message(item)


def _read_message(item: Mapping[str, Any]) -> Iterator[Message]:
    wanted = item.get("role")
    role = ROLES.get(wanted, "user") if isinstance(wanted, str) else "user"
    parts = [*_read_parts(item.get("content")), *_read_calls({"tool_calls": item.get("tool_calls")})]
    if role == "tool" and not any(isinstance(part, ToolResult) for part in parts):
        answers = _first(item, ("tool_call_id", "tool_use_id", "id"))
        plain = tuple(part for part in parts if isinstance(part, Text | Media))
        parts = [ToolResult(_text_or_none(answers) or "", plain)]
    if not parts:
        yield Message(role, ())
    for is_result, run in groupby(parts, lambda part: isinstance(part, ToolResult)):
        yield Message("tool" if is_result else role, tuple(run))


def _merge(messages: Iterable[Message]) -> Iterator[Message]:
    """Messages of one role that follow each other, as one: the server merges them."""
    for role, run in groupby(messages, lambda message: message.role):
        yield Message(role, tuple(part for message in run for part in message.parts))


def _read_parts(content: Any) -> Iterator[Part]:
    """The parts of a message's content, of an answer's or of a text line; empty words are none."""
    for item in content if isinstance(content, list) else [content]:
        if isinstance(item, str):
            if item:
                yield Text(item)
        elif isinstance(item, Mapping):
            part = _read_part(item)
            if part is not None:
                yield part


def _read_part(item: Mapping[str, Any]) -> Part | None:
    kind = item.get("type")
    if kind == "tool_use":
        return ToolCall(
            _text_or_none(item.get("id")) or "",
            _text_or_none(item.get("name")) or "",
            item.get("input"),
        )
    if kind == "tool_result":
        answers = _first(item, ("tool_use_id", "tool_call_id", "id"))
        parts = tuple(_read_plain(item.get("content")))
        return ToolResult(_text_or_none(answers) or "", parts, item.get("is_error") is True)
    if kind == "thinking":
        signature = _text_or_none(item.get("signature"))
        return Reasoning("".join(_words(item.get("thinking"))), signature)
    return _read_plain_part(item)


def _read_plain(content: Any) -> Iterator[Text | Media]:
    """The words and media of a tool's answer."""
    for item in content if isinstance(content, list) else [content]:
        part = _read_plain_part({"text": item} if isinstance(item, str) else _mapping(item))
        if part is not None:
            yield part


def _read_plain_part(item: Mapping[str, Any]) -> Text | Media | None:
    if "image_url" in item:
        return _read_url("image", _url(item["image_url"]))
    if "video_url" in item:
        return _read_url("video", _url(item["video_url"]))
    if "input_audio" in item:
        audio = _mapping(item["input_audio"])
        return Media("audio", _text_or_none(audio.get("format")), _decode(audio.get("data")))
    if item.get("type") == "file":
        return _read_file(item)
    text = item.get("text")
    return Text(text) if isinstance(text, str) and text else None


def _read_file(item: Mapping[str, Any]) -> Media:
    """A document: a path in the user's Puter storage stands as its URL."""
    path = _text_or_none(item.get("puter_path"))
    if path is not None:
        return Media("document", None, url=path)
    inner = _mapping(item.get("file"))
    return _read_url("document", inner.get("file_data"), _text_or_none(inner.get("filename")))


def _url(value: Any) -> Any:
    return value.get("url") if isinstance(value, Mapping) else value


def _read_url(kind: MediaKind, url: Any, name: str | None = None) -> Media:
    if not isinstance(url, str):
        return Media(kind, None, name=name)
    if not url.startswith("data:"):
        return Media(kind, None, url=url, name=name)
    head, _, payload = url.removeprefix("data:").partition(",")
    mime, *parameters = head.split(";")
    data = _decode(payload) if "base64" in parameters else _unquote(payload)
    return Media(kind, mime.partition("/")[2] or None, data, name=name)


def _decode(value: Any) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _unquote(text: str) -> bytes:
    # JSON may hold lone surrogates, which have no UTF-8.
    return unquote_to_bytes(text.encode("utf-8", "surrogatepass"))


def _words(value: Any) -> Iterator[str]:
    """The text in a thinking chunk: a string, or a list of text chunks."""
    for item in value if isinstance(value, list) else [value]:
        text = item.get("text") if isinstance(item, Mapping) else item
        if isinstance(text, str):
            yield text


def _read_calls(message: Mapping[str, Any]) -> Iterator[ToolCall]:
    for item in _list(_first(message, ("tool_calls", "toolCalls"))):
        call = _mapping(item)
        function = _mapping(call.get("function"))
        name = _text_or_none(function.get("name"))
        if name is not None:
            yield ToolCall(_text_or_none(call.get("id")) or "", name, _arguments(function.get("arguments")))


def _arguments(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _read_tool(item: Mapping[str, Any]) -> Tool | None:
    """A tool in OpenAI's form, the flat one or Anthropic's; None when it has no name."""
    tool = item["function"] if isinstance(item.get("function"), Mapping) else item
    name = _text_or_none(tool.get("name"))
    if name is None:
        return None
    strict = tool.get("strict")
    return Tool(
        name,
        _text_or_none(tool.get("description")) or "",
        _mapping(_first(tool, ("parameters", "input_schema"))),
        strict if isinstance(strict, bool) else None,
    )


def _read_finish(word: Any, profile: Profile) -> Finish | None:
    """Our first word for the wire's; None for a word that the profile does not know."""
    ours: Finish
    for ours, theirs in profile["finish"].items():
        if theirs == word:
            return ours
    return None


def _read_usage(value: Any) -> Usage | None:
    usage = _mapping(value)
    spent, made = _count(_first(usage, INPUT)), _count(_first(usage, OUTPUT))
    if spent is None and made is None:
        return None
    return Usage(spent or 0, made or 0, cache_read=_count(_first(usage, CACHED)) or 0)


def _join(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts, with texts that follow each other as one, and reasoning likewise."""
    for kind, run in groupby(parts, type):
        if kind is Text:
            yield Text("".join(part.text for part in run if isinstance(part, Text)))
        elif kind is Reasoning:
            thoughts = [part for part in run if isinstance(part, Reasoning)]
            signed = [part.signature for part in thoughts if part.signature is not None]
            yield Reasoning("".join(part.text for part in thoughts), signed[-1] if signed else None)
        else:
            yield from run


def _write_prompt(messages: Sequence[Message]) -> dict[str, Any] | None:
    """The arguments of `chat(prompt)` and `chat(prompt, media)`: no role, no types; None for others."""
    if len(messages) != 1 or messages[0].role != "user" or not messages[0].parts:
        return None
    prompt, *rest = messages[0].parts
    media = [part for part in rest if isinstance(part, Media) and part.kind in ("image", "video")]
    if not isinstance(prompt, Text) or len(media) != len(rest):
        return None
    if not media:
        return {"messages": [{"content": prompt.text}]}
    untyped = [{f"{part.kind}_url": {"url": _write_url(part)}} for part in media]
    return {"vision": True, "messages": [{"content": [prompt.text, *untyped]}]}


def _write_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The messages in OpenAI's form; each tool result is a message of its own."""
    written: list[dict[str, Any]] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        for result in results:
            content = _write_content(result.parts)
            written.append({"role": "tool", "tool_call_id": result.id, "content": content})
        if not results:
            written.append(_write_message(message))
    return written


def _write_message(message: Message) -> dict[str, Any]:
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    parts = [part for part in message.parts if not isinstance(part, ToolCall)]
    if not calls:
        return {"role": message.role, "content": _write_content(parts)}
    return {
        "role": message.role,
        "content": _write_content(parts) if parts else None,
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _json(call.arguments)},
            }
            for call in calls
        ],
    }


def _write_content(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    if not parts:
        return []
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [_write_part(part) for part in parts]


def _write_part(part: Part) -> dict[str, Any]:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text}
        case Reasoning(text):
            return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        case Media():
            return _write_media(part)
        case _:
            raise TypeError(f"puter: a message's content cannot hold a {type(part).__name__}")


def _write_media(media: Media) -> dict[str, Any]:
    """Media in a list of parts; documents and audio in OpenAI's form, which Puter hands on."""
    if media.kind == "image" or media.kind == "video":
        member = f"{media.kind}_url"
        return {"type": member, member: {"url": _write_url(media)}}
    if media.kind == "document" and media.url is not None:
        return {"type": "file", "puter_path": media.url}
    if media.kind == "document":
        name = {} if media.name is None else {"filename": media.name}
        return {"type": "file", "file": {**name, "file_data": _write_url(media)}}
    if media.data is None:
        raise ValueError("puter: expected audio with data, got none; give its bytes, not its URL")
    data = base64.b64encode(media.data).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": media.format}}


def _write_url(media: Media) -> str:
    if media.url is not None:
        return media.url
    if media.data is None:
        raise ValueError(f"puter: expected {media.kind} with data or url, got neither")
    mime = f"{TOP_LEVEL[media.kind]}/{media.format}" if media.format else ""
    return f"data:{mime};base64,{base64.b64encode(media.data).decode()}"


def _write_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.schema)
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _content(reply: Reply, spelling: Mapping[str, Any], has_calls: bool) -> Any:
    """The answer's words, or chunks where this reality keeps reasoning among them."""
    words = "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))
    thought = _reasoning(reply)
    if thought and spelling["thinking"] is not None:
        chunks = [_fill(spelling["thinking"], {"reasoning": thought})]
        return [*chunks, {"type": "text", "text": words}] if words else chunks
    return spelling["no_text"] if has_calls and not words else words


def _reasoning(reply: Reply) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, Reasoning))


def _call_values(call: ToolCall, index: int, context: Context, profile: Profile) -> dict[str, Any]:
    return {
        "id": _call_id(call, context, profile),
        "name": call.name,
        "arguments": _json(call.arguments),
        "index": index,
    }


def _call_id(call: ToolCall, context: Context, profile: Profile) -> str:
    ids = profile["ids"]
    return call.id or f"{ids['prefix']}{context.ids.token(ids['length'], ids['alphabet'])}"


def _json(arguments: Any) -> str:
    """Arguments as JSON text; text that is no JSON stays as it is."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


def _write_usage(usage: Usage | None, context: Context, profile: Profile) -> dict[str, Any] | None:
    if usage is None:
        return None
    counts = {INPUT[0]: usage.input, OUTPUT[0]: usage.output, CACHED[0]: usage.cache_read}
    return {**counts, "usd_cents": _cost(counts, context.prices, profile["prices"])}


def _cost(counts: Mapping[str, int], prices: Mapping[str, float], paid: Mapping[str, str]) -> float | None:
    """US cents, None for a model without prices; a whole number is an int, as JavaScript prints it."""
    if not prices:
        return None
    # The prices are dollars, and binary fractions: 0.07 times 100 is 7 and a bit.
    cents = sum(counts[name] * round(prices[price] * 100, 9) for name, price in paid.items()) / 1_000_000
    return int(cents) if cents.is_integer() else cents


def _fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` with its holes (`$name`, `$name?`) filled; KeyError for a hole nobody knows."""
    if isinstance(template, Mapping):
        filled = ((key, _fill(value, values), _optional(value)) for key, value in template.items())
        return {key: value for key, value, optional in filled if value is not None or not optional}
    if isinstance(template, list):
        return [_fill(value, values) for value in template]
    if isinstance(template, str) and template.startswith("$"):
        return values[template[1:].removesuffix("?")]
    return template


def _optional(template: Any) -> bool:
    return isinstance(template, str) and template.startswith("$") and template.endswith("?")


def _line(kind: str, **members: Any) -> Event:
    return Event(kind, {"type": kind, **members})


def _first(value: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first of `names` that is there and not null."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
