"""The Responses API, as bedrock-mantle and OpenAI speak it.

What differs between them stands in the contract's profile:

    ids            response, message, reasoning, function_call (the item), call: how an id is made
    object         the word in `object`
    members        every member of the response object, with what it says when the request says nothing;
                   what the request says is echoed, objects are merged. The value of a member that the
                   answer itself decides (id, status, output, ..., output_text) is not looked at
    finish         neutral finish -> incomplete_details.reason; any other finish is `completed`
    reasoning      where the model's trace stands in its item: content or summary
    with_status    types of output items that have a status
    items          message, reasoning, function_call: members that such an item has besides
    text_part      members that an output_text part has besides
    echo           tool, format: members that an echoed function tool or json_schema format has at least
    usage_details  detail objects of usage with the counts they hold
    ignored        request members that the endpoint takes, does not look at and does not echo
    tier           asked tier -> service_tier of the settled answer (`none`: nothing asked; others are echoed)
    sorted         whether the keys of every object are sorted
    stream:
      first_number the sequence_number of the first event
      in_progress  whether response.in_progress follows response.created
      tier         service_tier of the first events when the request names none; null: as when settled
      text         members that output_text.delta and .done have besides
      reasoning_event  the word in the names of the events of a trace in `content`: reasoning_text or reasoning
      reasoning_part  the events around a trace in `content`: content_part or reasoning_part; null: none
      obfuscation  null, or random text in deltas: low, high (length), alphabet

A Reply keeps its order: texts and refusals that follow one another are one message item, each
trace and each tool call is an item. An event's name is its `type`. `items` gives what a request
continues from that names this answer as its previous one; keeping it is the caller's work.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects import Context, Profile
from conformance.dialects.chat import (
    JSON,
    ROLES,
    UPLOADED,
    arguments_text,
    arguments_value,
    arranged,
    encoded,
    flag,
    fragments,
    joined,
    link,
    make_id,
    mapping,
    neutral,
    number,
    padding_text,
    read_content,
    read_output,
    read_tools,
    read_usage,
    sequence,
    tier_word,
    whole,
    word,
    write_usage,
)
from conformance.exchange import Event
from conformance.values import (
    Finish,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)

EXTRAS = (
    "background",
    "context_management",
    "conversation",
    "frequency_penalty",
    "include",
    "max_tool_calls",
    "metadata",
    "moderation",
    "presence_penalty",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "safety_identifier",
    "store",
    "stream_options",
    "top_logprobs",
    "truncation",
    "user",
)
"""Members of a request that no other dialect knows; of `reasoning` and `text` what is not read otherwise."""

DELTAS = {
    "response.output_text.delta": ("content", "output_text", "text"),
    "response.refusal.delta": ("content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text", "text"),
    "response.reasoning.delta": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text", "text"),
}
"""Where the words of a delta stand in the finished item: list, type of part, member."""
WORDLESS: Mapping[str, JSON] = {
    "message": {"content": []},
    "function_call": {"arguments": ""},
    "reasoning": {"summary": []},
}
"""What stands for the words in an item that is announced."""
SETTLED = ("response.completed", "response.incomplete", "response.failed")


# Requests


def read(body: JSON, profile: Profile) -> Turn:
    """The turn that `body` asks for, `instructions` as its first message.

    Items of one assistant turn (its trace, its words, its calls) are one message.
    """
    body = _heeded(body, profile)
    tools, choice = read_tools(sequence(body.get("tools")), body.get("tool_choice"))
    effort, output = mapping(body.get("reasoning")), mapping(body.get("text"))
    instructions = word(body.get("instructions"))
    first = [Message("system", (Text(instructions),))] if instructions else []
    return Turn(
        messages=(*first, *_read_items(_input(body))),
        model=word(body.get("model")),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=flag(body.get("parallel_tool_calls")),
        max_tokens=whole(body.get("max_output_tokens")),
        output=read_output(output.get("format")),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        stream=bool(body.get("stream")),
        reasoning=word(effort.get("effort")),
        tier=word(body.get("service_tier")),
        extras={name: body[name] for name in EXTRAS if name in body}
        | _besides("reasoning", effort, "effort")
        | _besides("text", output, "format"),
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The request for `turn`; ValueError for a part that the Responses API has no form for.

    Stop sequences, seed and several choices have no member here and are left out.
    """
    instructions, messages = _instructions(turn.messages)
    effort = {} if turn.reasoning is None else {"effort": turn.reasoning}
    output = {} if turn.output is None else {"format": _write_output(turn.output)}
    said = {
        "model": turn.model,
        "instructions": instructions,
        "input": [item for message in messages for item in _write_message(message)],
        "tools": [_write_tool(tool) for tool in turn.tools] or None,
        "tool_choice": _write_choice(turn.tool_choice),
        "parallel_tool_calls": turn.parallel_tool_calls,
        "max_output_tokens": turn.max_tokens,
        "text": {**mapping(turn.extras.get("text")), **output} or None,
        "temperature": turn.temperature,
        "top_p": turn.top_p,
        "stream": turn.stream or None,
        "reasoning": {**mapping(turn.extras.get("reasoning")), **effort} or None,
        "service_tier": turn.tier,
    }
    extras = {name: value for name, value in turn.extras.items() if name in EXTRAS}
    return {name: value for name, value in said.items() if value is not None} | extras


def items(body: JSON, answer: Any) -> list[Any]:
    """The items of the request, then those of its answer: the context of a request chained to it.

    Instructions are not among them; the API does not carry them over.
    """
    return [*_input(body), *sequence(mapping(answer).get("output"))]


def _heeded(body: JSON, profile: Profile) -> JSON:
    return {name: value for name, value in body.items() if name not in profile["ignored"]}


def _input(body: JSON) -> Sequence[Any]:
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else sequence(given)


def _besides(name: str, given: JSON, read_already: str) -> dict[str, Any]:
    rest = {member: value for member, value in given.items() if member != read_already}
    return {name: rest} if rest else {}


def _read_items(given: Iterable[Any]) -> list[Message]:
    messages: list[Message] = []
    for item in map(mapping, given):
        role = _role(item)
        if role is None:
            continue
        parts = _item_parts(item)
        if messages and _continues(messages[-1], role, item):
            messages[-1] = replace(messages[-1], parts=(*messages[-1].parts, *parts))
        else:
            messages.append(Message(role, parts))
    return messages


def _role(item: JSON) -> Role | None:
    """Who speaks in an item; None if it says nothing itself, as a reference to another item."""
    match item.get("type", "message"):
        case "message":
            return ROLES.get(word(item.get("role")) or "", "user")
        case "reasoning" | "function_call" | "custom_tool_call":
            return "assistant"
        case "function_call_output" | "custom_tool_call_output":
            return "tool"
        case _:
            return None


def _continues(message: Message, role: Role, item: JSON) -> bool:
    """Whether an item belongs to the assistant message before it: a second text is a message of its own."""
    if role != "assistant" or message.role != "assistant":
        return False
    return item.get("type", "message") != "message" or all(isinstance(p, Reasoning) for p in message.parts)


def _item_parts(item: JSON) -> tuple[Part, ...]:
    """What an item says, be it sent or answered."""
    match item.get("type", "message"):
        case "message":
            return read_content(item.get("content"))
        case "reasoning":
            trace = Reasoning(
                joined(item.get("content")) or joined(item.get("summary")),
                word(item.get("encrypted_content")),
            )
            return () if trace == Reasoning("") else (trace,)
        case "function_call" | "custom_tool_call":
            said = item.get("arguments", item.get("input"))
            arguments = arguments_value(said) if isinstance(said, str) else said
            return (ToolCall(word(item.get("call_id")) or "", word(item.get("name")) or "", arguments),)
        case "function_call_output" | "custom_tool_call_output":
            content = read_content(item.get("output"))
            parts = tuple(part for part in content if isinstance(part, Text | Media))
            return (ToolResult(word(item.get("call_id")) or "", parts),)
        case _:
            return ()


def _instructions(messages: Sequence[Message]) -> tuple[str | None, Sequence[Message]]:
    """The first message's words, if they are the system's, and the messages after it."""
    match messages:
        case [Message(role="system", parts=(Text(text),)), *rest] if text:
            return text, rest
        case _:
            return None, messages


def _write_message(message: Message) -> Iterator[dict[str, Any]]:
    for kind, group in itertools.groupby(message.parts, key=_kind):
        parts = list(group)
        if kind == "message":
            yield {"role": message.role, "content": _write_content(parts, message.role)}
        else:
            yield from map(_write_item, parts)


def _write_item(part: Part) -> dict[str, Any]:
    match part:
        case ToolCall():
            arguments = arguments_text(part.arguments)
            return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": arguments}
        case ToolResult():
            output = _write_content(part.parts, "user") if part.parts else ""
            return {"type": "function_call_output", "call_id": part.id, "output": output}
        case Reasoning():
            content = {"content": [{"type": "reasoning_text", "text": part.text}]} if part.text else {}
            signed = {} if part.signature is None else {"encrypted_content": part.signature}
            return {"type": "reasoning", "summary": [], **content, **signed}
    raise ValueError(f"responses: expected a tool call, a tool result or a trace, got {part!r}")


def _kind(part: Part) -> str:
    """The type of the item in which a part stands."""
    match part:
        case ToolCall():
            return "function_call"
        case ToolResult():
            return "function_call_output"
        case Reasoning():
            return "reasoning"
        case _:
            return "message"


def _write_content(parts: Sequence[Part], role: Role) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    text = "output_text" if role == "assistant" else "input_text"
    return [_write_part(part, text) for part in parts]


def _write_part(part: Part, text: str) -> dict[str, Any]:
    match part:
        case Text(words):
            return {"type": text, "text": words}
        case Refusal(words):
            return {"type": "refusal", "refusal": words}
        case Media(kind="image" | "document", url=str() as url) if url.startswith(UPLOADED):
            kind = "input_image" if part.kind == "image" else "input_file"
            return {"type": kind, "file_id": url.removeprefix(UPLOADED)}
        case Media(kind="image"):
            return {"type": "input_image", "image_url": link(part), "detail": "auto"}
        case Media(kind="audio", data=bytes() as data):
            return {"type": "input_audio", "input_audio": {"data": encoded(data), "format": part.format}}
        case Media(kind="document"):
            name = {} if part.name is None else {"filename": part.name}
            return {"type": "input_file", **name, "file_data" if part.url is None else "file_url": link(part)}
    raise ValueError(
        "responses: expected text, a refusal, an image, a document, or audio as bytes, "
        f"got {part!r}; send it over an API that takes it"
    )


def _write_tool(tool: Tool) -> dict[str, Any]:
    description = {"description": tool.description} if tool.description else {}
    function = {"name": tool.name, **description, "parameters": dict(tool.schema), "strict": tool.strict}
    return {"type": "function", **function}


def _write_choice(choice: ToolChoice | None) -> Any:
    if choice is None:
        return None
    if choice.mode == "named":
        return {"type": "function", "name": choice.name}
    return "required" if choice.mode == "any" else choice.mode


def _write_output(output: OutputFormat) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    strict = {} if output.strict is None else {"strict": output.strict}
    return {"type": "json_schema", "name": output.name, "schema": dict(output.schema), **strict}


# Answers


def render(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> dict[str, Any]:
    """The response object for the first reply; the API has no second choice."""
    made, output = (
        make_id(profile["ids"]["response"], context.ids),
        _output(body, replies[0], context, profile),
    )
    return arranged(_settled(body, made, output, replies[0], context, profile), profile)


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """The reply in a response object; none in anything else."""
    output = mapping(answer).get("output")
    if not isinstance(output, list):
        return []
    parts = tuple(part for item in output for part in _item_parts(mapping(item)))
    usage = read_usage(mapping(answer).get("usage"), "input", "output")
    return [Reply(parts, _finish(answer, parts, profile), usage)]


def _finish(answer: JSON, parts: Iterable[Part], profile: Profile) -> Finish | None:
    match answer.get("status"):
        case "completed":
            return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"
        case "incomplete":
            return neutral(mapping(answer.get("incomplete_details")).get("reason"), profile["finish"])
        case _:
            return None


def _begun(body: JSON, made: str, context: Context, profile: Profile) -> dict[str, Any]:
    """The response object while the answer is still being made."""
    body = _heeded(body, profile)
    decided = {
        "id": made,
        "object": profile["object"],
        "created_at": int(context.now),
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": context.model,
        "output": [],
        "output_text": "",
        "usage": None,
        "service_tier": word(body.get("service_tier"))
        or profile["stream"]["tier"]
        or tier_word(context.tier, profile["tier"]),
        "tools": [_echoed_tool(tool, profile) for tool in sequence(body.get("tools"))],
        "text": _echoed_text(mapping(body.get("text")), profile),
    }
    members: Mapping[str, Any] = profile["members"]
    return {
        name: decided[name] if name in decided else _echoed(body.get(name), unsaid)
        for name, unsaid in members.items()
    }


def _settled(
    body: JSON, made: str, output: list[dict[str, Any]], reply: Reply, context: Context, profile: Profile
) -> dict[str, Any]:
    """The response object when the answer is finished."""
    reason = profile["finish"].get(reply.finish)
    details = profile["usage_details"]
    decided = {
        "status": _status(reply, profile),
        "completed_at": int(context.now) if reason is None else None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "output": output,
        "output_text": reply.text,
        "usage": None if reply.usage is None else write_usage(reply.usage, "input", "output", details),
        "service_tier": tier_word(context.tier, profile["tier"]),
    }
    return {name: decided.get(name, value) for name, value in _begun(body, made, context, profile).items()}


def _status(reply: Reply, profile: Profile) -> str:
    return "incomplete" if reply.finish in profile["finish"] else "completed"


def _echoed(said: Any, unsaid: Any) -> Any:
    if isinstance(said, Mapping) and isinstance(unsaid, Mapping):
        return {**unsaid, **said}
    return unsaid if said is None else said


def _echoed_tool(tool: Any, profile: Profile) -> Any:
    if mapping(tool).get("type") != "function":
        return tool
    return {**profile["echo"]["tool"], **tool}


def _echoed_text(said: JSON, profile: Profile) -> Any:
    text = _echoed(said, profile["members"].get("text"))
    form = mapping(mapping(text).get("format"))
    if form.get("type") != "json_schema":
        return text
    return {**text, "format": {**profile["echo"]["format"], **form}}


def _output(body: JSON, reply: Reply, context: Context, profile: Profile) -> list[dict[str, Any]]:
    """The finished output items; when the answer was cut off, the last one is incomplete."""
    sealed = "reasoning.encrypted_content" in sequence(body.get("include"))
    output = []
    for kind, group in itertools.groupby(reply.parts, key=_kind):
        parts = list(group)
        for item in [parts] if kind == "message" else [[part] for part in parts]:
            output.append(_item(kind, item, sealed, context, profile))
    if output and "status" in output[-1] and reply.finish in profile["finish"]:
        output[-1]["status"] = "incomplete"
    return output


def _item(
    kind: str, parts: Sequence[Part], sealed: bool, context: Context, profile: Profile
) -> dict[str, Any]:
    head = {"id": make_id(profile["ids"][kind], context.ids), "type": kind}
    if kind in profile["with_status"]:
        head["status"] = "completed"
    said: dict[str, Any]
    match parts[0]:
        case ToolCall() as call:
            made = call.id or make_id(profile["ids"]["call"], context.ids)
            said = {"call_id": made, "name": call.name, "arguments": arguments_text(call.arguments)}
        case Reasoning() as trace:
            said = _trace(trace, sealed, profile)
        case _:
            said = {"role": "assistant", "content": [_answered(part, profile) for part in parts]}
    return {**head, **profile["items"][kind], **said}


def _trace(trace: Reasoning, sealed: bool, profile: Profile) -> dict[str, Any]:
    said: dict[str, Any] = {"summary": []}
    if trace.text and profile["reasoning"] == "content":
        said["content"] = [{"type": "reasoning_text", "text": trace.text}]
    elif trace.text:
        said["summary"] = [{"type": "summary_text", "text": trace.text}]
    if sealed and trace.signature is not None:
        said["encrypted_content"] = trace.signature
    return said


def _answered(part: Part, profile: Profile) -> dict[str, Any]:
    match part:
        case Text(words):
            return {"type": "output_text", "text": words, **profile["text_part"]}
        case Refusal(words):
            return {"type": "refusal", "refusal": words}
    raise ValueError(
        f"responses: expected words, a refusal, a trace or a tool call in an answer, got {part!r}"
    )


# Streams


def stream(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> Iterator[Event]:
    """The same answer as numbered events; the last holds the response object as `render` makes it."""
    numbers = itertools.count(profile["stream"]["first_number"])
    for payload in _payloads(body, replies[0], context, profile):
        payload["sequence_number"] = next(numbers)
        yield Event(payload["type"], arranged(payload, profile))


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """The reply in the terminal event; if there is none, what the events before it add up to."""
    output: dict[int, JSON] = {}
    words: dict[int, list[JSON]] = {}
    settled: Any = None
    begun = False
    for payload in (mapping(event.data) for event in events):
        kind, index = payload.get("type"), whole(payload.get("output_index"))
        begun = begun or "response" in payload
        if kind in SETTLED:
            settled = payload.get("response")
        elif index is not None and "item" in payload:
            output[index] = mapping(payload["item"])
            words[index] = []
        elif index in output and isinstance(payload.get("delta"), str):
            words[index].append(payload)
    if settled is not None:
        return parse(settled, profile)
    if not begun and not output:
        return []
    parts = (part for index in sorted(output) for part in _item_parts(_grown(output[index], words[index])))
    return [Reply(tuple(parts))]


def _grown(item: JSON, deltas: Sequence[JSON]) -> JSON:
    """An unfinished item with the words that came for it."""
    if not deltas:
        return item
    if item.get("type") == "function_call":
        return {**item, "arguments": "".join(delta["delta"] for delta in deltas)}
    lists: dict[str, dict[Any, dict[str, str]]] = {}
    for delta in deltas:
        place = DELTAS.get(word(delta.get("type")) or "")
        if place is None:
            continue
        holder, kind, member = place
        parts = lists.setdefault(holder, {})
        part = parts.setdefault(whole(delta.get(f"{holder}_index")), {"type": kind, member: ""})
        part[member] = part.get(member, "") + delta["delta"]
    return {**item, **{holder: list(parts.values()) for holder, parts in lists.items()}}


def _payloads(body: JSON, reply: Reply, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    made, output = make_id(profile["ids"]["response"], context.ids), _output(body, reply, context, profile)
    if mapping(body.get("stream_options")).get("include_obfuscation") is False:
        profile = {**profile, "stream": {**profile["stream"], "obfuscation": None}}
    yield {"type": "response.created", "response": _begun(body, made, context, profile)}
    if profile["stream"]["in_progress"]:
        yield {"type": "response.in_progress", "response": _begun(body, made, context, profile)}
    for index, item in enumerate(output):
        yield {"type": "response.output_item.added", "output_index": index, "item": _empty(item)}
        where = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "message":
                yield from _message_payloads(item, where, context, profile)
            case "reasoning":
                yield from _trace_payloads(item, where, context, profile)
            case _:
                pieces, said = fragments(item["arguments"]), {"arguments": item["arguments"]}
                yield from _grow("function_call_arguments", where, pieces, said, {}, context, profile)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    kind = f"response.{_status(reply, profile)}"
    yield {"type": kind, "response": _settled(body, made, output, reply, context, profile)}


def _empty(item: JSON) -> dict[str, Any]:
    """An item as it is announced: all that is known before its words."""
    wordless = WORDLESS[item["type"]]
    status = {"status": "in_progress"} if "status" in item else {}
    kept = {name: value for name, value in item.items() if item["type"] != "reasoning" or name != "content"}
    return {**kept, **wordless, **status}


def _message_payloads(
    item: JSON, where: JSON, context: Context, profile: Profile
) -> Iterator[dict[str, Any]]:
    for index, part in enumerate(item["content"]):
        place = {**where, "content_index": index}
        member = "text" if part["type"] == "output_text" else "refusal"
        beside = profile["stream"]["text"] if member == "text" else {}
        yield {"type": "response.content_part.added", **place, "part": {**part, member: ""}}
        pieces, said = context.split(part[member]), {member: part[member]}
        yield from _grow(part["type"], place, pieces, said, beside, context, profile)
        yield {"type": "response.content_part.done", **place, "part": part}


def _trace_payloads(item: JSON, where: JSON, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    holder = profile["reasoning"]
    content = profile["stream"]["reasoning_part"]
    around, name = {
        "content": (content, profile["stream"]["reasoning_event"]),
        "summary": ("reasoning_summary_part", "reasoning_summary_text"),
    }[holder]
    for index, part in enumerate(item.get(holder, [])):
        place = {**where, f"{holder}_index": index}
        if around is not None:
            yield {"type": f"response.{around}.added", **place, "part": {**part, "text": ""}}
        pieces, said = context.split(part["text"]), {"text": part["text"]}
        yield from _grow(name, place, pieces, said, {}, context, profile)
        if around is not None:
            yield {"type": f"response.{around}.done", **place, "part": part}


def _grow(
    name: str,
    place: JSON,
    pieces: Iterable[str],
    said: JSON,
    beside: JSON,
    context: Context,
    profile: Profile,
) -> Iterator[dict[str, Any]]:
    """A delta for each piece, then the event that says the whole."""
    padding = profile["stream"]["obfuscation"]
    for piece in pieces:
        random = {} if padding is None else {"obfuscation": padding_text(padding, context.ids)}
        yield {"type": f"response.{name}.delta", **place, "delta": piece, **beside, **random}
    yield {"type": f"response.{name}.done", **place, **said, **beside}
