"""The Responses API, as OpenAI, bedrock-mantle and others speak it.

What differs between them stands in the contract's profile:

    ids            response, call, and one for each type of item: how an id is made; calls whose alphabet
                   is `counted` are numbered from 0 in every answer; `file` and `container` for what
                   hosted tools name
    object         the word in `object`
    seconds        integer or number: how times are written
    members        every member of the response object, with what it says when the request says nothing;
                   what the request says is echoed, objects are merged. The value of a member that the
                   answer itself decides (id, status, output, ..., output_text) is not looked at
    without        of `members` those that are never sent
    if_said        members that are there only where the request has them
    plain          members that answers have which are no stream
    finish         neutral finish -> incomplete_details.reason; any other finish is `completed`
    reasoning      where the model's trace stands in its item: content or summary
    effort         null, or how hard the model thinks where the request does not say
    summary        when a trace stands in a summary: always, or asked (`reasoning.summary`)
    sealed         null, or what `encrypted_content` begins with where the request includes it
    with_status    types of output items that have a status
    items          members that an item of a type has besides
    renamed        members of an item of a type that have another name: {function_call: {id: item_id}}
    placed         types of items that say their place in `output` as output_index
    phases         null, or the `phase` of a message: `last` of the answer, or `before_calls` of tools
    text_part      members that an output_text part has besides
    echo           tool, format: members that an echoed function tool or json_schema format has at least;
                   others: the same by the type of another tool; last: types of tools that are echoed after
                   all others; strict_schemas: whether the schema of a tool is echoed as strict mode makes it,
                   where the request does not say `strict`
    client         tools beside functions that the application runs: type -> the word before `_call` in the
                   type of the item that asks for it
    callers        who may call a tool that does not say it: direct, programmatic
    fingerprint    null, or what the fingerprint of a program begins with
    safety_checks  what a computer asks to have acknowledged before it acts: code, message, and `about`, a
                   regular expression over prompts
    hosted         what the provider runs itself. tools: type -> web_search, file_search, code_interpreter,
                   image_generation, mcp, shell, tool_search or program; items: by the type of the item that tells of it `stages` (the
                   events it goes through), `streamed` (null, or a member whose words come one by one:
                   member, event), of pictures `previews` (how many come on the way at most), `included`
                   (members that come only with an `include`, and what stands there without:
                   {pointer: {include, otherwise}}; without `otherwise` nothing)
    usage_details  detail objects of usage with the counts they hold
    prewarms       whether `prompt_cache_options.prewarm` makes the prompt ready and says nothing; missing: no
    ignored        request members that the endpoint takes, does not look at and does not echo
    refused        request members that the model refuses, so that none are written
    tier           asked tier -> service_tier of the settled answer (`none`: nothing asked; others are echoed)
    sorted         whether the keys of every object are sorted
    stream:
      first_number the sequence_number of the first event
      in_progress  whether response.in_progress follows response.created
      tier         service_tier of the first events when the request names none; null: as when settled
      settled_tier the same of the last event; null: as in an answer that is no stream
      members      values of members that streams have otherwise when the request says nothing
      without      members that no event has; `begun_without`: only the last one has them
      text         members that output_text.delta and .done have besides
      empty_part   members that an output_text part has besides when it is announced
      bytes        whether probabilities in events have the bytes of their tokens; missing: no
      reasoning_event  the name in the events of a raw trace: reasoning_text or reasoning
      reasoning_part  the events around a trace in `content`: content_part or reasoning_part; null: none
      obfuscation  null, or random text in deltas: low, high (length), alphabet, `unless` a member is true

A Reply keeps its order: texts and refusals that follow one another are one message item, each
trace and each tool call is an item. What hosted tools did stands before the first words. An event's
name is its `type`.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
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
    read_content,
    read_output,
    read_usage,
    sequence,
    tier_word,
    whole,
    word,
    write_usage,
)
from conformance.dialects.responses_tools import (
    announced,
    call_in,
    call_item,
    caller_of,
    delta_of,
    echoed_tools,
    grow,
    hosted_item,
    is_call,
    is_result,
    offered,
    payloads,
    program_of,
    result_in,
    written_call,
    written_result,
)
from conformance.exchange import Event
from conformance.values import (
    Citation,
    FileCitation,
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
    "custom_tool_call": {"input": ""},
    "reasoning": {"summary": []},
}
"""What stands for the words in an item that is announced."""
LOGPROBS = "message.output_text.logprobs"
SEALED = "reasoning.encrypted_content"
SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)", re.S)
SETTLED = ("response.completed", "response.incomplete", "response.failed")


# Requests


def read(body: JSON, profile: Profile) -> Turn:
    """The turn that `body` asks for, `instructions` as its first message.

    Items of one assistant turn (its trace, its words, its calls) are one message.
    """
    body = _heeded(body, profile)
    given = items(body)
    tools, choice, hosted = offered(body, given, profile)
    silent = bool(profile.get("prewarms")) and _prewarmed(body)
    effort, output = mapping(body.get("reasoning")), mapping(body.get("text"))
    instructions = word(body.get("instructions"))
    first = [Message("system", (Text(instructions),))] if instructions else []
    return Turn(
        messages=(*first, *_read_items(given, profile)),
        model=word(body.get("model")),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=flag(body.get("parallel_tool_calls")),
        max_tokens=whole(body.get("max_output_tokens")),
        output=read_output(output.get("format")),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        stream=bool(body.get("stream")),
        reasoning=word(effort.get("effort")) or profile["effort"],
        tier=word(body.get("service_tier")),
        logprobs=_alternatives(body),
        verbosity=word(output.get("verbosity")),
        hosted=() if silent else hosted,
        silent=silent,
        extras={name: body[name] for name in EXTRAS if name in body}
        | _besides("reasoning", effort, "effort")
        | _besides("text", output, "format", "verbosity"),
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The request for `turn`; ValueError for a part that the Responses API has no form for.

    Stop sequences, seed and several choices have no member here and are left out.
    """
    instructions, messages = _instructions(turn.messages)
    effort = {} if turn.reasoning is None else {"effort": turn.reasoning}
    output = {} if turn.output is None else {"format": _write_output(turn.output)}
    verbosity = {} if turn.verbosity is None else {"verbosity": turn.verbosity}
    said = {
        "model": turn.model,
        "instructions": instructions,
        "input": [item for message in messages for item in _write_message(message)],
        "tools": [_write_tool(tool) for tool in turn.tools] or None,
        "tool_choice": _write_choice(turn.tool_choice, turn.tools),
        "parallel_tool_calls": turn.parallel_tool_calls,
        "max_output_tokens": turn.max_tokens,
        "text": {**mapping(turn.extras.get("text")), **verbosity, **output} or None,
        "temperature": turn.temperature,
        "top_p": turn.top_p,
        "stream": turn.stream or None,
        "reasoning": {**mapping(turn.extras.get("reasoning")), **effort} or None,
        "service_tier": turn.tier,
    }
    extras = {name: value for name, value in turn.extras.items() if name in EXTRAS}
    if turn.logprobs is not None:
        include = dict.fromkeys([*sequence(extras.get("include")), LOGPROBS])
        extras |= {"include": list(include)} | ({"top_logprobs": turn.logprobs} if turn.logprobs else {})
    told = {name: value for name, value in said.items() if value is not None} | extras
    return {name: value for name, value in told.items() if name not in profile["refused"]}


def items(body: JSON) -> Sequence[Any]:
    """The items that a request says itself, a bare text as the user's message.

    Instructions are not among them; the API does not carry them over to what goes on from it.
    """
    given = body.get("input")
    return [{"role": "user", "content": given}] if isinstance(given, str) else sequence(given)


def _heeded(body: JSON, profile: Profile) -> JSON:
    return {name: value for name, value in mapping(body).items() if name not in profile["ignored"]}


def _prewarmed(body: JSON) -> bool:
    return mapping(body.get("prompt_cache_options")).get("prewarm") is True


def _alternatives(body: JSON) -> int | None:
    """How many alternatives are asked for at each token; None: nobody wants probabilities."""
    included = LOGPROBS in sequence(body.get("include"))
    return (whole(body.get("top_logprobs")) or 0) if included else None


def _besides(name: str, given: JSON, *read_already: str) -> dict[str, Any]:
    rest = {member: value for member, value in given.items() if member not in read_already}
    return {name: rest} if rest else {}


class Reading:
    """The messages in items that come one after the other; a later one goes on from an earlier one and leaves it as it is."""

    def __init__(self, profile: Profile, before: Reading | None = None) -> None:
        self._profile = profile
        self.messages: list[Message] = [] if before is None else [*before.messages]
        self._ids: dict[str, str] = {} if before is None else {**before._ids}

    def take(self, given: Iterable[Any]) -> None:
        """Reads the items after those that were read."""
        messages, ids = self.messages, self._ids
        for item in map(mapping, given):
            role = _role(item)
            if role is None:
                continue
            if is_call(item) and isinstance(item.get("id"), str):
                ids[item["id"]] = item["call_id"]
            parts = (result_in(item, ids),) if is_result(item) else _item_parts(item, self._profile)
            if messages and _continues(messages[-1], role, item):
                messages[-1] = replace(messages[-1], parts=(*messages[-1].parts, *parts))
            else:
                messages.append(Message(role, parts))


def _read_items(given: Iterable[Any], profile: Profile) -> list[Message]:
    reading = Reading(profile)
    reading.take(given)
    return reading.messages


def _role(item: JSON) -> Role | None:
    """Who speaks in an item; None if it says nothing itself, as a reference to another item."""
    match item.get("type", "message"):
        case "message":
            return ROLES.get(word(item.get("role")) or "", "user")
        case "reasoning" | "function_call" | "custom_tool_call":
            return "assistant"
        case "function_call_output" | "custom_tool_call_output":
            return "tool"
        case _ if is_call(item):
            return "assistant"
        case _ if is_result(item):
            return "tool"
        case _:
            return None


def _continues(message: Message, role: Role, item: JSON) -> bool:
    """Whether an item belongs to the assistant message before it: a second text is a message of its own."""
    if role != "assistant" or message.role != "assistant":
        return False
    return item.get("type", "message") != "message" or all(isinstance(p, Reasoning) for p in message.parts)


def _item_parts(item: JSON, profile: Profile) -> tuple[Part, ...]:
    """What an item says, be it sent or answered."""
    match item.get("type", "message"):
        case "message":
            return read_content(item.get("content"))
        case "reasoning":
            sealed = word(item.get("encrypted_content"))
            said = joined(item.get("content")) or joined(item.get("summary"))
            trace = Reasoning(_unsealed(sealed, profile) or said if sealed else said, sealed)
            return () if trace == Reasoning("") else (trace,)
        case "function_call":
            written, name = item.get("arguments"), word(item.get("name")) or ""
            arguments = arguments_value(written) if isinstance(written, str) else written
            space = word(item.get("namespace"))
            called = word(item.get("call_id")) or ""
            return (ToolCall(called, name, arguments, namespace=space, program=program_of(item)),)
        case "custom_tool_call":
            name, text = word(item.get("name")) or "", word(item.get("input")) or ""
            called = word(item.get("call_id")) or ""
            return (ToolCall(called, name, text, custom=True, program=program_of(item)),)
        case "function_call_output" | "custom_tool_call_output":
            content = read_content(item.get("output"))
            parts = tuple(part for part in content if isinstance(part, Text | Media))
            return (ToolResult(word(item.get("call_id")) or "", parts),)
        case _ if is_call(item):
            return (call_in(item),)
        case _ if is_result(item):
            return (result_in(item, {}),)
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
        case ToolCall(builtin=str()):
            return written_call(part)
        case ToolResult(builtin=str()):
            return written_result(part)
        case ToolCall(custom=True):
            text = arguments_text(part.arguments)
            called = {"call_id": part.id, "name": part.name, "input": text}
            return {"type": "custom_tool_call", **called, **caller_of(part)}
        case ToolCall():
            arguments = arguments_text(part.arguments)
            space = {} if part.namespace is None else {"namespace": part.namespace}
            called = {"call_id": part.id, "name": part.name, "arguments": arguments}
            return {"type": "function_call", **called, **space, **caller_of(part)}
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
        case ToolCall(builtin=str(kind)):
            return f"{kind}_call"
        case ToolCall():
            return "custom_tool_call" if part.custom else "function_call"
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
    if tool.custom:
        form = {} if tool.grammar is None else {"format": {"type": "grammar", **tool.grammar}}
        return {"type": "custom", "name": tool.name, **description, **form}
    function = {"name": tool.name, **description, "parameters": dict(tool.schema), "strict": tool.strict}
    return {"type": "function", **function}


def _write_choice(choice: ToolChoice | None, tools: Iterable[Tool]) -> Any:
    if choice is None:
        return None
    if choice.mode == "named":
        custom = any(tool.custom and tool.name == choice.name for tool in tools)
        return {"type": "custom" if custom else "function", "name": choice.name}
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
    settled = _settled(body, made, output, replies[0], context, profile)
    return arranged({**settled, **profile["plain"]}, profile)


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """The reply in a response object; none in anything else."""
    output = mapping(answer).get("output")
    if not isinstance(output, list):
        return []
    parts = tuple(part for item in output for part in _item_parts(mapping(item), profile))
    usage = read_usage(mapping(answer).get("usage"), "input", "output")
    return [Reply(parts, _finish(answer, parts, profile), usage)]


def _finish(answer: JSON, parts: Sequence[Part], profile: Profile) -> Finish | None:
    match answer.get("status"):
        case "completed":
            done = {part.id for part in parts if isinstance(part, ToolResult)}
            left = [part for part in parts if isinstance(part, ToolCall) and part.id not in done]
            return "tool_calls" if left else "stop"
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
        "created_at": _seconds(context, profile),
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
        "tools": echoed_tools(body, items(body), profile),
        "text": _echoed_text(mapping(body.get("text")), profile),
    }
    members: Mapping[str, Any] = profile["members"]
    said = {name: body[name] for name in profile["if_said"] if body.get(name) is not None}
    return {
        name: decided[name] if name in decided else _echoed(body.get(name), unsaid)
        for name, unsaid in members.items()
        if name not in profile["without"]
    } | said


def _settled(
    body: JSON, made: str, output: list[dict[str, Any]], reply: Reply, context: Context, profile: Profile
) -> dict[str, Any]:
    """The response object when the answer is finished."""
    reason = profile["finish"].get(reply.finish)
    details = profile["usage_details"]
    decided = {
        "status": _status(reply, profile),
        "completed_at": _seconds(context, profile) if reason is None else None,
        "incomplete_details": None if reason is None else {"reason": reason},
        "output": output,
        "output_text": reply.text,
        "usage": None if reply.usage is None else write_usage(reply.usage, "input", "output", details),
        "service_tier": tier_word(context.tier, profile["tier"]),
    }
    return {name: decided.get(name, value) for name, value in _begun(body, made, context, profile).items()}


def _seconds(context: Context, profile: Profile) -> int | float:
    return float(int(context.now)) if profile["seconds"] == "number" else int(context.now)


def _status(reply: Reply, profile: Profile) -> str:
    return "incomplete" if reply.finish in profile["finish"] else "completed"


def _echoed(said: Any, unsaid: Any) -> Any:
    if isinstance(said, Mapping) and isinstance(unsaid, Mapping):
        # A null says nothing, here as outside.
        return {
            **unsaid,
            **{name: value for name, value in said.items() if value is not None or name not in unsaid},
        }
    return unsaid if said is None else said


def _echoed_text(said: JSON, profile: Profile) -> Any:
    text = _echoed(said, profile["members"].get("text"))
    form = mapping(mapping(text).get("format"))
    if form.get("type") != "json_schema":
        return text
    return {**text, "format": {**profile["echo"]["format"], **form}}


def _output(body: JSON, reply: Reply, context: Context, profile: Profile) -> list[dict[str, Any]]:
    """The finished output items; when the answer was cut off, the last one is incomplete."""
    output: list[dict[str, Any]] = []
    numbers = itertools.count()
    hosted = [hosted_item(call, body, context, profile) for call in reply.hosted]
    if hosted and hosted[0]["type"] == "compaction":
        # The context is made short before the model thinks.
        output.append(hosted.pop(0))
    for kind, group in itertools.groupby(reply.parts, key=_kind):
        if kind != "reasoning":
            output += hosted
            hosted = []
        parts = list(group)
        for each in [parts] if kind == "message" else [[part] for part in parts]:
            output.append(_item(kind, each, reply, numbers, body, context, profile))
    output += hosted
    if output and "status" in output[-1] and reply.finish in profile["finish"]:
        output[-1]["status"] = "incomplete"
    for index, item in enumerate(output):
        if item["type"] in profile["placed"]:
            item["output_index"] = index
    return output


def _item(
    kind: str,
    parts: Sequence[Part],
    reply: Reply,
    numbers: Iterator[int],
    body: JSON,
    context: Context,
    profile: Profile,
) -> dict[str, Any]:
    head = {"id": make_id(profile["ids"][kind], context.ids), "type": kind}
    if kind in profile["with_status"]:
        head["status"] = "completed"
    said: dict[str, Any]
    match parts[0]:
        case ToolCall() as call:
            made = call.id or _call_id(numbers, context, profile)
            member = "input" if call.custom else "arguments"
            space = {} if call.namespace is None else {"namespace": call.namespace}
            said = {"call_id": made, "name": call.name, **space, member: arguments_text(call.arguments)}
            said |= caller_of(call)
            if call.builtin is not None:
                said = call_item(call, made)
        case Reasoning() as trace:
            said = _trace(trace, body, profile)
        case _:
            content = [_answered(part, reply, body, context, profile) for part in parts]
            said = {"role": "assistant", "content": content, **_phase(reply, profile)}
    renamed = profile["renamed"].get(kind, {})
    whole_item = {**head, **profile["items"].get(kind, {}), **said}
    return {renamed.get(name, name): value for name, value in whole_item.items()}


def _call_id(numbers: Iterator[int], context: Context, profile: Profile) -> str:
    form = profile["ids"]["call"]
    return f"{form['prefix']}{next(numbers)}" if form["alphabet"] == "counted" else make_id(form, context.ids)


def _phase(reply: Reply, profile: Profile) -> dict[str, Any]:
    phases = profile["phases"]
    if phases is None:
        return {}
    return {"phase": phases["before_calls"] if reply.tool_calls else phases["last"]}


def _trace(trace: Reasoning, body: JSON, profile: Profile) -> dict[str, Any]:
    said: dict[str, Any] = {"summary": []}
    if trace.text and profile["reasoning"] == "content":
        said["content"] = [{"type": "reasoning_text", "text": trace.text}]
    elif trace.text:
        parts = _summary(trace.text, body, profile)
        said["summary"] = [{"type": "summary_text", "text": text} for text in parts]
    if SEALED in sequence(body.get("include")):
        sealed = trace.signature or _sealed(trace.text, profile)
        said |= {} if sealed is None else {"encrypted_content": sealed}
    return said


def _summary(trace: str, body: JSON, profile: Profile) -> list[str]:
    """The parts of a summary, as long as the request wants it: a part for each sentence, or the first one."""
    effort = mapping(body.get("reasoning"))
    wanted = effort.get("summary") or effort.get("generate_summary")
    if profile["summary"] == "asked" and wanted is None:
        return []
    match wanted:
        case "detailed":
            return SENTENCE.findall(trace)
        case "concise":
            return SENTENCE.findall(trace)[:1]
        case _:
            return [trace]


def _sealed(trace: str, profile: Profile) -> str | None:
    """The trace in opaque words, for whoever keeps no state; None where the endpoint has none."""
    if profile["sealed"] is None:
        return None
    return str(profile["sealed"]) + base64.urlsafe_b64encode(trace.encode("utf-8", "surrogatepass")).decode()


def _unsealed(sealed: str, profile: Profile) -> str | None:
    """The trace that was sealed; None for words that nobody here made."""
    if profile["sealed"] is None or not sealed.startswith(profile["sealed"]):
        return None
    try:
        return base64.urlsafe_b64decode(sealed.removeprefix(profile["sealed"])).decode(
            "utf-8", "surrogatepass"
        )
    except (binascii.Error, ValueError):
        return None


def _answered(part: Part, reply: Reply, body: JSON, context: Context, profile: Profile) -> dict[str, Any]:
    match part:
        case Text(words):
            sources: list[Citation | FileCitation] = [*reply.citations, *reply.cited_files]
            found = {"annotations": [_annotation(each) for each in sources]} if sources else {}
            alternatives = _alternatives(body)
            likely = {} if alternatives is None else {"logprobs": context.likely(words, alternatives)}
            return {"type": "output_text", "text": words, **profile["text_part"], **found, **likely}
        case Refusal(words):
            return {"type": "refusal", "refusal": words}
    raise ValueError(
        f"responses: expected words, a refusal, a trace or a tool call in an answer, got {part!r}"
    )


def _annotation(found: Citation | FileCitation) -> dict[str, Any]:
    if isinstance(found, FileCitation):
        named = {"file_id": found.file, "filename": found.name}
        return {"type": "file_citation", **named, "index": found.index}
    place = {"start_index": found.start, "end_index": found.end}
    return {"type": "url_citation", **place, "url": found.url, "title": found.title}


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
    parts = (
        part for index in sorted(output) for part in _item_parts(_grown(output[index], words[index]), profile)
    )
    return [Reply(tuple(parts))]


def _grown(item: JSON, deltas: Sequence[JSON]) -> JSON:
    """An unfinished item with the words that came for it."""
    if not deltas:
        return item
    if (
        member := {"function_call": "arguments", "custom_tool_call": "input"}.get(str(item.get("type")))
    ) is not None:
        return {**item, member: "".join(delta["delta"] for delta in deltas)}
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
    how = profile["stream"]
    unwanted = mapping(body.get("stream_options")).get("include_obfuscation") is False
    if unwanted or (
        how["obfuscation"] is not None and body.get(how["obfuscation"].get("unless", "")) is True
    ):
        profile = {**profile, "stream": {**how, "obfuscation": None}}
    begun = _within(_begun(body, made, context, profile), body, (*how["without"], *how["begun_without"]), how)
    yield {"type": "response.created", "response": begun}
    if how["in_progress"]:
        yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(output):
        yield {"type": "response.output_item.added", "output_index": index, "item": _empty(item, profile)}
        known = item.get("id", item.get(profile["renamed"].get(item["type"], {}).get("id", "")))
        where = {"item_id": known, "output_index": index}
        match item["type"]:
            case "message":
                yield from _message_payloads(item, where, context, profile)
            case "reasoning":
                yield from _trace_payloads(item, where, context, profile)
            case "function_call":
                pieces, said = fragments(item["arguments"]), {"arguments": item["arguments"]}
                yield from grow("function_call_arguments", where, pieces, said, {}, context, profile)
            case "custom_tool_call":
                written, said = context.split(item["input"]), {"input": item["input"]}
                yield from grow("custom_tool_call_input", where, written, said, {}, context, profile)
            case _:
                yield from payloads(item, where, body, context, profile)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    kind = f"response.{_status(reply, profile)}"
    settled = _settled(body, made, output, reply, context, profile)
    if how["settled_tier"] is not None and "service_tier" in settled:
        settled["service_tier"] = how["settled_tier"]
    yield {"type": kind, "response": _within(settled, body, how["without"], how)}


def _within(response: JSON, body: JSON, without: Sequence[str], how: JSON) -> dict[str, Any]:
    """The response object as events of a stream have it."""
    unsaid = {name: value for name, value in how["members"].items() if body.get(name) is None}
    return {name: unsaid.get(name, value) for name, value in response.items() if name not in without}


def _empty(item: JSON, profile: Profile) -> dict[str, Any]:
    """An item as it is announced: all that is known before its words."""
    kind = item["type"]
    status = {"status": "in_progress"} if "status" in item else {}
    if kind not in WORDLESS:
        return announced(item, profile)
    beside: JSON = profile["items"].get(kind, {})
    kept = {
        name: beside.get(name, value)
        for name, value in item.items()
        if kind != "reasoning" or name != "content" or name in beside
    }
    return {**kept, **WORDLESS[kind], **status}


def _message_payloads(
    item: JSON, where: JSON, context: Context, profile: Profile
) -> Iterator[dict[str, Any]]:
    for index, part in enumerate(item["content"]):
        place = {**where, "content_index": index}
        if part["type"] == "refusal":
            yield {"type": "response.content_part.added", **place, "part": {**part, "refusal": ""}}
            pieces, said = context.split(part["refusal"]), {"refusal": part["refusal"]}
            yield from grow("refusal", place, pieces, said, {}, context, profile)
        else:
            empty = {**part, **profile["stream"]["empty_part"], "text": ""}
            yield {"type": "response.content_part.added", **place, "part": empty}
            yield from _text_payloads(part, place, context, profile)
        yield {"type": "response.content_part.done", **place, "part": part}


def _text_payloads(part: JSON, place: JSON, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    beside = profile["stream"]["text"]
    pieces = context.split(part["text"])
    likely = sequence(part.get("logprobs"))
    each = (
        [[_shown(entry, profile)] for entry in likely] if len(likely) == len(pieces) else [None] * len(pieces)
    )
    for piece, entries in zip(pieces, each, strict=True):
        told = beside if entries is None else {**beside, "logprobs": entries}
        yield delta_of("output_text", place, piece, told, context, profile)
    for index, annotation in enumerate(sequence(part.get("annotations"))):
        found = {"annotation_index": index, "annotation": annotation}
        yield {"type": "response.output_text.annotation.added", **place, **found}
    told = {**beside, "logprobs": [_shown(entry, profile) for entry in likely]} if likely else beside
    yield {"type": "response.output_text.done", **place, "text": part["text"], **told}


def _shown(entry: JSON, profile: Profile) -> JSON:
    """The probability of a token as events tell it: without its bytes, unless the profile wants them."""
    if profile["stream"].get("bytes"):
        return entry
    others = [{name: each[name] for name in ("token", "logprob")} for each in entry["top_logprobs"]]
    return {"token": entry["token"], "logprob": entry["logprob"], "top_logprobs": others}


def _trace_payloads(item: JSON, where: JSON, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    holder = profile["reasoning"]
    how = profile["stream"]
    around, name = {
        "content": (how["reasoning_part"], how["reasoning_event"]),
        "summary": ("reasoning_summary_part", "reasoning_summary_text"),
    }[holder]
    for index, part in enumerate(item.get(holder, [])):
        place = {**where, f"{holder}_index": index}
        if around is not None:
            yield {"type": f"response.{around}.added", **place, "part": {**part, "text": ""}}
        pieces, said = context.split(part["text"]), {"text": part["text"]}
        yield from grow(name, place, pieces, said, {}, context, profile)
        if around is not None:
            yield {"type": f"response.{around}.done", **place, "part": part}
