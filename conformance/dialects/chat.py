"""Chat Completions, as OpenAI, bedrock-mantle and Puter's OpenAI-compatible endpoint speak it.

What differs between them stands in the contract's profile:

    ids               answer, tool_call: how an id is made (`make_id`); a tool_call's with `of_name` is
                      its prefix, the name of the tool and the place of the call
    objects           answer, chunk: the words in `object`
    finish            neutral finish -> finish_reason of a plain answer
    finish_in_stream  the same for streams
    reasoning         member that holds the model's trace in messages and deltas; null: not sent
    thinking          true: the trace is a part of `content`, and an answer with one has a list there
    reasoning_tags    what stands before and after a trace at the head of the text; missing: none stands there
    no_content        `content` of an answer without words: null or ""
    cap               member by which a request caps the output
    seed              member that seeds what is drawn; missing: `seed`
    ignored           request members that the endpoint takes and does not look at
    refused           request members that the model refuses, so that none are written; missing: none
    effort            how hard the model thinks where the request does not say; null or missing: that is not known
    tier              asked tier -> service_tier (`none`: nothing asked; others are echoed); null: no member
    fingerprint       how `system_fingerprint` is made of the model's name (`make_id`); null or missing: not made
    finish_named      finish_reason of a call that was forced by its tool's name; missing: that of any call
    finish_function   finish_reason of a call of the deprecated `functions`; missing: they are called as tools
    audio             of a spoken answer: `seconds` until it expires; missing: answers are never spoken.
                      Then `ids` has `audio` too; without it a request for speech is not looked at
    search            whether the model looks things up without being told so (`web_search_options`); missing: no
    moderation        of `moderation`: the `categories` that answers list, and the `score` of each; missing: it is
                      not looked at
    answer, choice, message   members that every answer and chunk, choice, message has besides
    calls             members of a call in a plain answer that others have not or have: `index`, `type`
    usage             members that usage has besides
    usage_details     detail objects of usage with the counts they hold; {}: none
    sorted            whether the keys of every object are sorted
    stream:
      first           delta that opens a choice; null: none
      first_with_call delta that opens it together with a tool call that comes first;
                      null: `first` stays alone
      whole_calls     whether a tool call is sent in one chunk
      usage_in_finish whether usage is always in the chunk with the finish reason; else it has
                      a chunk of its own, when stream_options.include_usage asks for it
      finish_with_last  true: the finish reason stands beside the last delta, not in a chunk of its own
      usage_null      whether then the other chunks say `usage: null`
      padding         null, or random text: member, place (chunk or choice), low, high (length), alphabet

A call of one of the deprecated `functions` is answered in `function_call` where the profile has `finish_function`.

Events have no name and hold a chunk; `[DONE]` belongs to the framing. An answer carries its parts
in the order reasoning, text, refusal, tool calls; texts are joined. Usage stands once for all
choices: `parse` and `fold` give it to the first. Of `thinking`, `calls`, `usage`, `finish_with_last` and
of those that are said to, a profile may say nothing.

`file-id:` is our own spelling for a file that was uploaded before (`Media.url`).
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from conformance.dialects import Context, Ids, Profile
from conformance.exchange import Event
from conformance.values import (
    Citation,
    Finish,
    Media,
    MediaKind,
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
    Usage,
)

JSON = Mapping[str, Any]

EXTRAS = (
    "frequency_penalty",
    "logit_bias",
    "metadata",
    "moderation",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "safety_identifier",
    "store",
    "stream_options",
    "user",
)
"""Members of a request that no other dialect knows."""

ROLES: Mapping[str, Role] = {
    "assistant": "assistant",
    "developer": "system",
    "function": "tool",
    "system": "system",
    "tool": "tool",
    "user": "user",
}
CHOICES: Mapping[str, ToolChoice] = {
    "any": ToolChoice("any"),
    "auto": ToolChoice("auto"),
    "none": ToolChoice("none"),
    "required": ToolChoice("any"),
}
MIME = {
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "html": "text/html",
    "md": "text/markdown",
    "mp3": "audio/mpeg",
    "txt": "text/plain",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Formats whose media type is not simply their name; registered with IANA."""
FORMATS = {mime: name for name, mime in MIME.items()}
UPLOADED = "file-id:"


# Requests


def read(body: JSON, profile: Profile) -> Turn:
    """The turn that `body` asks for; members that the profile names as ignored are not looked at."""
    body = {name: value for name, value in body.items() if name not in profile["ignored"]}
    tools, choice = read_tools(_tool_list(body), body.get("tool_choice", body.get("function_call")))
    cap = whole(body.get("max_completion_tokens"))
    return Turn(
        messages=read_messages(sequence(body.get("messages"))),
        model=word(body.get("model")),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=flag(body.get("parallel_tool_calls")),
        max_tokens=whole(body.get("max_tokens")) if cap is None else cap,
        stop=_read_stop(body.get("stop")),
        output=read_output(body.get("response_format")),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        seed=whole(body.get(profile.get("seed", "seed"))),
        n=whole(body.get("n")) or 1,
        stream=bool(body.get("stream")),
        reasoning=word(body.get("reasoning_effort")) or profile.get("effort"),
        tier=word(body.get("service_tier")),
        logprobs=_alternatives(body),
        speech=_speech(body) if "audio" in profile else None,
        prediction=joined(mapping(body.get("prediction")).get("content")) or None,
        search=bool(profile.get("search")) or body.get("web_search_options") is not None,
        verbosity=word(body.get("verbosity")),
        extras={name: body[name] for name in EXTRAS if name in body},
    )


def write(turn: Turn, profile: Profile) -> dict[str, Any]:
    """The request for `turn`; ValueError for a part that Chat Completions has no form for."""
    said = {
        "model": turn.model,
        "messages": write_messages(turn.messages, profile),
        "tools": [_write_tool(tool) for tool in turn.tools] or None,
        "tool_choice": _write_choice(turn.tool_choice, turn.tools),
        "parallel_tool_calls": turn.parallel_tool_calls,
        profile["cap"]: turn.max_tokens,
        "stop": list(turn.stop) or None,
        "response_format": _write_output(turn.output),
        "temperature": turn.temperature,
        "top_p": turn.top_p,
        profile.get("seed", "seed"): turn.seed,
        "n": turn.n if turn.n != 1 else None,
        "stream": turn.stream or None,
        "reasoning_effort": turn.reasoning,
        "service_tier": turn.tier,
        "logprobs": None if turn.logprobs is None else True,
        "top_logprobs": turn.logprobs or None,
        "modalities": None if turn.speech is None else ["text", "audio"],
        "audio": None if turn.speech is None else dict(turn.speech),
        "prediction": None if turn.prediction is None else {"type": "content", "content": turn.prediction},
        "web_search_options": {} if turn.search and not profile.get("search") else None,
        "verbosity": turn.verbosity,
    }
    extras = {name: value for name, value in turn.extras.items() if name in EXTRAS}
    told = {name: value for name, value in said.items() if value is not None} | extras
    return {name: value for name, value in told.items() if name not in profile.get("refused", ())}


def _alternatives(body: JSON) -> int | None:
    return (whole(body.get("top_logprobs")) or 0) if body.get("logprobs") is True else None


def _speech(body: JSON) -> JSON | None:
    return mapping(body.get("audio")) if "audio" in sequence(body.get("modalities")) else None


def read_messages(messages: Iterable[Any]) -> tuple[Message, ...]:
    """The messages of a request, one for one; what is no object is left out."""
    return tuple(_read_message(message) for message in messages if isinstance(message, Mapping))


def write_messages(messages: Iterable[Message], profile: Profile) -> list[dict[str, Any]]:
    """The messages as a request has them; each tool result is a message of its own."""
    return [written for message in messages for written in _write_message(message, profile)]


def _read_message(message: JSON) -> Message:
    role = ROLES.get(word(message.get("role")) or "", "user")
    content = read_content(message.get("content"))
    if role == "tool":
        # The deprecated role `function` answers to a name instead of an id.
        answered = word(message.get("tool_call_id")) or word(message.get("name")) or ""
        parts = tuple(part for part in content if isinstance(part, Text | Media))
        return Message(role, (ToolResult(answered, parts),))
    if role != "assistant":
        return Message(role, content)
    refusal = word(message.get("refusal"))
    return Message(
        role,
        (
            *([Reasoning(trace)] if (trace := _trace(message)) else []),
            *content,
            *([Refusal(refusal)] if refusal else []),
            *_calls([message]),
        ),
    )


def _write_message(message: Message, profile: Profile) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        for part in message.parts:
            if isinstance(part, ToolResult):
                yield {"role": "tool", "tool_call_id": part.id, "content": _write_content(part.parts)}
    elif message.role == "assistant":
        yield _write_assistant(message, profile)
    else:
        yield {"role": message.role, "content": _write_content(message.parts)}


def _write_assistant(message: Message, profile: Profile) -> dict[str, Any]:
    said = [part for part in message.parts if isinstance(part, Text | Media)]
    refusal = "".join(part.text for part in message.parts if isinstance(part, Refusal))
    trace = "".join(part.text for part in message.parts if isinstance(part, Reasoning))
    calls = [_write_call(part, part.id) for part in message.parts if isinstance(part, ToolCall)]
    return {
        "role": "assistant",
        "content": _write_content(said) if said else None,
        **({profile["reasoning"]: trace} if trace and profile["reasoning"] else {}),
        **({"refusal": refusal} if refusal else {}),
        **({"tool_calls": calls} if calls else {}),
    }


def _write_content(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    return [write_part(part) for part in parts]


def read_content(content: Any) -> tuple[Part, ...]:
    """The parts of a message's `content`, a string or a list; empty words are left out."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    found = (read_part(part) for part in sequence(content))
    return tuple(part for part in found if part is not None and part != Text(""))


def read_part(part: Any) -> Part | None:
    """One content part; None if it is of no kind we know. Parts of the Responses API are known too."""
    if isinstance(part, str):
        return Text(part)
    if not isinstance(part, Mapping):
        return None
    kind = part.get("type") or next((name for name in ("text", "image_url") if name in part), None)
    match kind:
        case "text" | "input_text" | "output_text":
            return Text(word(part.get("text")) or "")
        case "refusal":
            return Refusal(word(part.get("refusal")) or "")
        case "thinking" | "reasoning":
            return Reasoning(joined(part.get("thinking") or part.get("text")))
        case "image_url" | "input_image":
            return _read_image(part)
        case "input_audio":
            audio = mapping(part.get("input_audio"))
            return Media("audio", word(audio.get("format")), decoded(audio.get("data")))
        case "file" | "input_file":
            return _read_file(inner(part, "file"))
        case _:
            return None


def write_part(part: Part) -> dict[str, Any]:
    """A content part of a request; ValueError for one that Chat Completions has no form for."""
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Media(kind="image"):
            return {"type": "image_url", "image_url": {"url": link(part)}}
        case Media(kind="audio", data=bytes() as data):
            return {"type": "input_audio", "input_audio": {"data": encoded(data), "format": part.format}}
        case Media(kind="document", url=str() as url) if url.startswith(UPLOADED):
            return {"type": "file", "file": {"file_id": url.removeprefix(UPLOADED)}}
        case Media(kind="document", data=bytes()):
            name = {} if part.name is None else {"filename": part.name}
            return {"type": "file", "file": {**name, "file_data": link(part)}}
    raise ValueError(
        "chat: expected text, an image, or audio or a document as bytes or uploaded file, "
        f"got {part!r}; send it over an API that takes it"
    )


def _read_image(part: JSON) -> Media:
    image = part.get("image_url")
    url = word(mapping(image).get("url")) or word(image)
    if url is None and (uploaded := word(part.get("file_id"))):
        url = UPLOADED + uploaded
    return media("image", url)


def _read_file(file: JSON) -> Media:
    name = word(file.get("filename"))
    if uploaded := word(file.get("file_id")):
        return Media("document", None, url=UPLOADED + uploaded, name=name)
    return media("document", word(file.get("file_data")) or word(file.get("file_url")), name)


def _tool_list(body: JSON) -> Sequence[Any]:
    return [*sequence(body.get("tools")), *sequence(body.get("functions"))]


def read_tools(tools: Iterable[Any], choice: Any) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """The tools on offer and the choice among them, nested as in Chat or flat as in Responses.

    Of `allowed_tools` only the tools it names are on offer. Tools without a name are left out.
    """
    offered = tuple(tool for tool in map(_read_tool, tools) if tool is not None)
    if isinstance(choice, str):
        return offered, CHOICES.get(choice)
    chosen = inner(mapping(choice), word(mapping(choice).get("type")) or "")
    if name := word(chosen.get("name")):
        return offered, ToolChoice("named", name)
    if "mode" not in chosen:
        return offered, None
    allowed = [tool.name for tool in map(_read_tool, sequence(chosen.get("tools"))) if tool is not None]
    mode = CHOICES.get(word(chosen["mode"]) or "")
    return tuple(tool for tool in offered if tool.name in allowed), mode


def _read_tool(tool: Any) -> Tool | None:
    function = inner(mapping(tool), word(mapping(tool).get("type")) or "")
    name = word(function.get("name"))
    if not name:
        return None
    description, schema = word(function.get("description")) or "", mapping(function.get("parameters"))
    if mapping(tool).get("type") == "custom":
        form = mapping(function.get("format"))
        grammar = inner(form, "grammar") if form.get("type") == "grammar" else None
        return Tool(name, description, custom=True, grammar=grammar and _grammar(grammar))
    return Tool(name, description, schema, flag(function.get("strict")))


def _grammar(told: JSON) -> JSON:
    return {name: told[name] for name in ("syntax", "definition") if name in told}


def _write_tool(tool: Tool) -> dict[str, Any]:
    if tool.custom:
        custom: dict[str, Any] = {"name": tool.name}
        if tool.description:
            custom["description"] = tool.description
        if tool.grammar is not None:
            custom["format"] = {"type": "grammar", "grammar": dict(tool.grammar)}
        return {"type": "custom", "custom": custom}
    function = {
        "name": tool.name,
        "description": tool.description or None,
        "parameters": dict(tool.schema) or None,
        "strict": tool.strict,
    }
    said = {name: value for name, value in function.items() if value is not None}
    return {"type": "function", "function": said}


def _write_choice(choice: ToolChoice | None, tools: Sequence[Tool]) -> Any:
    if choice is None:
        return None
    if choice.mode == "named":
        kind = "custom" if any(tool.custom and tool.name == choice.name for tool in tools) else "function"
        return {"type": kind, kind: {"name": choice.name}}
    return "required" if choice.mode == "any" else choice.mode


def read_output(form: Any) -> OutputFormat | None:
    """The form asked for, nested as in Chat or flat as in Responses; None for plain text."""
    match mapping(form).get("type"):
        case "json_object":
            return OutputFormat()
        case "json_schema":
            told = inner(form, "json_schema")
            output = OutputFormat(mapping(told.get("schema")), strict=flag(told.get("strict")))
            return replace(output, name=name) if (name := word(told.get("name"))) else output
        case _:
            return None


def _write_output(output: OutputFormat | None) -> dict[str, Any] | None:
    if output is None:
        return None
    if output.schema is None:
        return {"type": "json_object"}
    strict = {} if output.strict is None else {"strict": output.strict}
    told = {"name": output.name, "schema": dict(output.schema), **strict}
    return {"type": "json_schema", "json_schema": told}


def _read_stop(stop: Any) -> tuple[str, ...]:
    given = [stop] if isinstance(stop, str) else sequence(stop)
    return tuple(text for text in given if isinstance(text, str))


# Answers


def render(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> dict[str, Any]:
    """The plain answer: one choice for each reply."""
    replies = [_tagged(reply, profile) for reply in replies]
    asked = _asked(body, profile)
    answer = {
        **_head("answer", context, profile),
        "choices": [_choice(index, reply, asked, context, profile) for index, reply in enumerate(replies)],
        **_usage(replies, profile),
        **_moderation(body, profile),
        **({"metadata": dict(mapping(body.get("metadata")))} if body.get("store") is True else {}),
    }
    return arranged(answer, profile)


def parse(answer: Any, profile: Profile) -> list[Reply]:
    """One reply for each choice of a plain answer; usage is with the first."""
    choices = [choice for choice in sequence(mapping(answer).get("choices")) if isinstance(choice, Mapping)]
    usage = read_usage(mapping(answer).get("usage"), "prompt", "completion")
    return [
        Reply(
            _untagged(_gathered([mapping(choice.get("message"))]), profile),
            _neutral_finish(choice.get("finish_reason"), profile["finish"], profile),
            usage if position == 0 else None,
            citations=_citations([mapping(choice.get("message"))]),
        )
        for position, choice in enumerate(choices)
    ]


def _head(kind: str, context: Context, profile: Profile) -> dict[str, Any]:
    return {
        "id": make_id(profile["ids"]["answer"], context.ids),
        "object": profile["objects"][kind],
        "created": int(context.now),
        "model": context.model,
        **({} if profile["tier"] is None else {"service_tier": tier_word(context.tier, profile["tier"])}),
        **profile["answer"],
        **_fingerprint(context.model, profile.get("fingerprint")),
    }


def _fingerprint(model: str, form: JSON | None) -> dict[str, Any]:
    """The member that names what the model runs on: always the same for one model."""
    if form is None:
        return {}
    alphabet, drawn = form["alphabet"], hashlib.sha256(model.encode("utf-8", "surrogatepass")).digest()
    made = "".join(alphabet[byte % len(alphabet)] for byte in drawn[: form["length"]])
    return {"system_fingerprint": f"{form['prefix']}{made}"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What of a request an answer's form depends on."""

    logprobs: int | None
    functions: bool
    """Whether the tools are the deprecated functions."""
    named: bool
    """Whether a call was forced by the name of its tool."""


def _asked(body: JSON, profile: Profile) -> _Asked:
    choice = body.get("tool_choice", body.get("function_call"))
    forced = isinstance(choice, Mapping) and "allowed_tools" not in choice
    functions = "finish_function" in profile and not body.get("tools") and bool(body.get("functions"))
    return _Asked(_alternatives(body), functions, forced)


def _finish(reply: Reply, asked: _Asked, words: Mapping[Finish, str], profile: Profile) -> str | None:
    if reply.finish == "tool_calls":
        if asked.named and "finish_named" in profile:
            return str(profile["finish_named"])
        if asked.functions:
            return str(profile["finish_function"])
    return None if reply.finish is None else words[reply.finish]


def _neutral_finish(said: Any, words: Mapping[Finish, str], profile: Profile) -> Finish | None:
    if said is not None and said == profile.get("finish_function"):
        return "tool_calls"
    return neutral(said, words)


def _logprobs(text: str, refusal: str, asked: _Asked, context: Context) -> dict[str, Any]:
    """The member `logprobs` of a choice, if it was asked for and there are words."""
    if asked.logprobs is None or not (text or refusal):
        return {}
    content = context.likely(text, asked.logprobs) if text else None
    return {
        "logprobs": {
            "content": content,
            "refusal": context.likely(refusal, asked.logprobs) if refusal else None,
        }
    }


def _moderation(body: JSON, profile: Profile) -> dict[str, Any]:
    """What a moderation model thinks of question and answer: nothing here is ever flagged."""
    model = word(mapping(body.get("moderation")).get("model"))
    if model is None or "moderation" not in profile:
        return {}
    categories = profile["moderation"]["categories"]
    result = {
        "categories": dict.fromkeys(categories, False),
        "category_applied_input_types": {name: ["text"] for name in categories},
        "category_scores": dict.fromkeys(categories, profile["moderation"]["score"]),
        "flagged": False,
        "model": model,
        "type": "moderation_result",
    }
    results = {"model": model, "results": [result], "type": "moderation_results"}
    return {"moderation": {"input": results, "output": results}}


def _choice(index: int, reply: Reply, asked: _Asked, context: Context, profile: Profile) -> dict[str, Any]:
    trace, refusal = _joined(reply, Reasoning), _joined(reply, Refusal)
    calls = [
        _write_call(call, _call_id(index, call, context, profile))
        for index, call in enumerate(reply.tool_calls)
    ]
    spoken = _spoken(reply)
    message = {
        "role": "assistant",
        "content": _content(trace, None if spoken else reply.text, profile),
        **({profile["reasoning"]: trace} if trace and profile["reasoning"] else {}),
        **(called := _called(calls, asked, profile)),
        **{name: value for name, value in profile["message"].items() if name not in called},
        **({"refusal": refusal} if refusal else {}),
        **({"annotations": _annotations(reply)} if reply.citations else {}),
    }
    if spoken is not None:
        expires = int(context.now) + profile["audio"]["seconds"]
        made = make_id(profile["ids"]["audio"], context.ids)
        data = encoded(spoken.data or b"")
        message["audio"] = {"id": made, "data": data, "expires_at": expires, "transcript": reply.text}
    return {
        "index": index,
        "message": message,
        **profile["choice"],
        **_logprobs("" if spoken else reply.text, refusal, asked, context),
        "finish_reason": _finish(reply, asked, profile["finish"], profile),
    }


def _content(trace: str, text: str | None, profile: Profile) -> Any:
    if not (trace and profile.get("thinking")):
        return text or profile["no_content"]
    return [_thought(trace, closed=True), *([{"type": "text", "text": text}] if text else [])]


def _thought(trace: str, **more: Any) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": trace}], **more}


def _called(calls: Sequence[JSON], asked: _Asked, profile: Profile) -> dict[str, Any]:
    if asked.functions and calls:
        return {"function_call": calls[0]["function"]}
    form = profile.get("calls", {})
    told = [
        {
            **{name: value for name, value in call.items() if name != "type" or form.get("type", True)},
            **({"index": index} if form.get("index") else {}),
        }
        for index, call in enumerate(calls)
    ]
    return {"tool_calls": told} if told else {}


def _call_id(index: int, call: ToolCall, context: Context, profile: Profile) -> str:
    """Its own id, else a new one; `of_name` makes it of the tool's name and the place of the call."""
    form = profile["ids"]["tool_call"]
    if form.get("of_name"):
        return call.id or f"{form['prefix']}{call.name}:{index}"
    return call.id or make_id(form, context.ids)


def _spoken(reply: Reply) -> Media | None:
    return next((part for part in reply.parts if isinstance(part, Media) and part.kind == "audio"), None)


def _annotations(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": each.start,
                "end_index": each.end,
                "title": each.title,
                "url": each.url,
            },
        }
        for each in reply.citations
    ]


def _citations(deltas: Iterable[JSON]) -> tuple[Citation, ...]:
    said = [mapping(each) for delta in deltas for each in sequence(delta.get("annotations"))]
    found = [mapping(each.get("url_citation")) for each in said if each.get("type") == "url_citation"]
    return tuple(
        Citation(
            word(each.get("url")) or "",
            word(each.get("title")) or "",
            whole(each.get("start_index")) or 0,
            whole(each.get("end_index")) or 0,
        )
        for each in found
    )


def _joined(reply: Reply, kind: type[Reasoning] | type[Refusal]) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, kind))


def _write_call(call: ToolCall, made: str) -> dict[str, Any]:
    if call.custom:
        custom = {"name": call.name, "input": arguments_text(call.arguments)}
        return {"id": made, "type": "custom", "custom": custom}
    function = {"name": call.name, "arguments": arguments_text(call.arguments)}
    return {"id": made, "type": "function", "function": function}


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
        known[0].heard,
        sum(usage.audio for usage in known),
        sum(usage.accepted for usage in known),
        sum(usage.rejected for usage in known),
    )
    told = write_usage(total, "prompt", "completion", profile["usage_details"])
    return {"usage": {**told, **profile.get("usage", {})}}


# Streams


def stream(body: JSON, replies: Sequence[Reply], context: Context, profile: Profile) -> Iterator[Event]:
    """The same answer as chunks; those of several choices take turns."""
    replies = [_tagged(reply, profile) for reply in replies]
    form, options = profile["stream"], mapping(body.get("stream_options"))
    head, usage = _head("chunk", context, profile), _usage(replies, profile)
    alone = bool(options.get("include_usage")) and not form["usage_in_finish"]
    padding = None if options.get("include_obfuscation") is False else form["padding"]
    asked = _asked(body, profile)
    for choice in _take_turns(_deltas(reply, asked, context, profile) for reply in replies):
        finished = choice["finish_reason"] is not None
        chunk = {**head, "choices": [choice]}
        if form["usage_in_finish"] and finished:
            chunk |= usage
        elif alone and form["usage_null"]:
            chunk["usage"] = None
        yield Event(None, arranged(_padded(chunk, padding, context), profile))
    if alone:
        yield Event(None, arranged(_padded({**head, "choices": [], **usage}, padding, context), profile))


def fold(events: Iterable[Event], profile: Profile) -> list[Reply]:
    """One reply for each choice, by index; of a cut stream what came. Usage is with the first."""
    deltas: dict[int, list[JSON]] = {}
    finishes: dict[int, Any] = {}
    usage = None
    for chunk in (mapping(event.data) for event in events):
        usage = read_usage(chunk.get("usage"), "prompt", "completion") or usage
        for choice in map(mapping, sequence(chunk.get("choices"))):
            index = whole(choice.get("index")) or 0
            deltas.setdefault(index, []).append(mapping(choice.get("delta")))
            finishes[index] = choice.get("finish_reason") or finishes.get(index)
    words = profile["finish_in_stream"]
    return [
        Reply(
            _untagged(_gathered(deltas[index]), profile),
            _neutral_finish(finishes[index], words, profile),
            None if position else usage,
            citations=_citations(deltas[index]),
        )
        for position, index in enumerate(sorted(deltas))
    ]


def _take_turns(choices: Iterable[Iterator[tuple[JSON, JSON]]]) -> Iterator[dict[str, Any]]:
    """The deltas of all choices in turn, as members `choices` of chunks have them."""
    for row in itertools.zip_longest(*choices):
        for index, sent in enumerate(row):
            if sent is not None:
                yield {"index": index, "delta": sent[0], **sent[1]}


def _deltas(reply: Reply, asked: _Asked, context: Context, profile: Profile) -> Iterator[tuple[JSON, JSON]]:
    """Each delta with what stands beside it; the last has the finish reason."""
    form = profile["stream"]
    beside = {**profile["choice"], "finish_reason": None}
    pieces = _pieces(reply, asked, context, profile)
    opening = next(pieces, None)
    if opening is not None and _begins_call(opening[0]) and form["first_with_call"] is not None:
        opening = {**form["first_with_call"], **opening[0]}, opening[1]
    elif form["first"] is not None:
        yield dict(form["first"]), beside
    told: list[tuple[JSON, JSON]] = [
        (delta, {**beside, **likely})
        for delta, likely in itertools.chain([opening] if opening else [], pieces)
    ]
    if reply.finish is not None:
        merged = form.get("finish_with_last") and told
        last, its_own = told.pop() if merged else ({}, beside)
        told.append(
            (last, {**its_own, "finish_reason": _finish(reply, asked, profile["finish_in_stream"], profile)})
        )
    yield from told


def _begins_call(delta: JSON) -> bool:
    return "tool_calls" in delta or "function_call" in delta


def _pieces(
    reply: Reply, asked: _Asked, context: Context, profile: Profile
) -> Iterator[tuple[dict[str, Any], JSON]]:
    """Each delta, and its `logprobs` where they were asked for."""
    spoken = _spoken(reply)
    if profile.get("thinking"):
        for piece in context.split(_joined(reply, Reasoning)):
            yield {"content": [_thought(piece)]}, {}
    elif profile["reasoning"] is not None:
        for piece in context.split(_joined(reply, Reasoning)):
            yield {profile["reasoning"]: piece}, {}
    if spoken is None:
        yield from _worded("content", reply.text, asked, context)
    yield from _worded("refusal", _joined(reply, Refusal), asked, context)
    if reply.citations:
        yield {"annotations": _annotations(reply)}, {}
    if spoken is not None:
        yield from (({"audio": each}, {}) for each in _audio_pieces(reply, spoken, context, profile))
    for index, call in enumerate(reply.tool_calls):
        whole_call = _write_call(call, _call_id(index, call, context, profile))
        pieces = fragments(arguments_text(call.arguments))
        if asked.functions:
            yield {"function_call": {"name": call.name, "arguments": ""}}, {}
            for piece in pieces:
                yield {"function_call": {"arguments": piece}}, {}
            return
        if profile["stream"]["whole_calls"]:
            yield {"tool_calls": [{"index": index, **whole_call}]}, {}
            continue
        kind, member = ("custom", "input") if call.custom else ("function", "arguments")
        yield {"tool_calls": [{"index": index, **whole_call, kind: {"name": call.name, member: ""}}]}, {}
        for piece in pieces:
            yield {"tool_calls": [{"index": index, kind: {member: piece}}]}, {}


def _worded(member: str, text: str, asked: _Asked, context: Context) -> Iterator[tuple[dict[str, Any], JSON]]:
    entries = iter([] if asked.logprobs is None else context.likely(text, asked.logprobs))
    for piece in context.split(text):
        if asked.logprobs is None:
            yield {member: piece}, {}
            continue
        told: list[JSON] = []
        while sum(len(each["token"]) for each in told) < len(piece) and (entry := next(entries, None)):
            told.append(entry)
        yield {member: piece}, {"logprobs": {"content": None, "refusal": None} | {member: told}}


def _audio_pieces(
    reply: Reply, spoken: Media, context: Context, profile: Profile
) -> Iterator[dict[str, Any]]:
    """The id, then words and sound in turn, each piece of it base64 of its own, then when it expires."""
    yield {"id": make_id(profile["ids"]["audio"], context.ids), "transcript": ""}
    data, words = spoken.data or b"", context.split(reply.text)
    # Whole samples of two bytes in each.
    size = max(2, -(-len(data) // max(1, len(words))) // 2 * 2)
    sounds = [encoded(data[start : start + size]) for start in range(0, len(data), size)]
    for piece, sound in itertools.zip_longest(words, sounds):
        if piece is not None:
            yield {"transcript": piece}
        if sound is not None:
            yield {"data": sound}
    yield {"expires_at": int(context.now) + profile["audio"]["seconds"]}


def _padded(chunk: dict[str, Any], padding: JSON | None, context: Context) -> dict[str, Any]:
    if padding is None:
        return chunk
    place = {"chunk": [chunk], "choice": chunk["choices"]}[padding["place"]]
    for holder in place:
        holder[padding["member"]] = padding_text(padding, context.ids)
    return chunk


def _gathered(deltas: Sequence[JSON]) -> tuple[Part, ...]:
    """The parts that the deltas of one choice add up to; a whole message is a single delta."""
    content = [part for delta in deltas for part in read_content(delta.get("content"))]
    trace = "".join(_trace(delta) for delta in deltas)
    trace += "".join(part.text for part in content if isinstance(part, Reasoning))
    audio = [mapping(delta.get("audio")) for delta in deltas]
    said = "".join(word(each.get("transcript")) or "" for each in audio)
    sound = b"".join(decoded(each.get("data")) or b"" for each in audio)
    text = "".join(part.text for part in content if isinstance(part, Text)) + said
    refusal = "".join(word(delta.get("refusal")) or "" for delta in deltas)
    refusal += "".join(part.text for part in content if isinstance(part, Refusal))
    return (
        *([Reasoning(trace)] if trace else []),
        *([Text(text)] if text else []),
        *([Refusal(refusal)] if refusal else []),
        *([Media("audio", None, sound)] if sound else []),
        *_calls(deltas),
    )


def _tagged(reply: Reply, profile: Profile) -> Reply:
    """The reply with its trace at the head of its text, where it is sent so."""
    tags, trace = profile.get("reasoning_tags"), _joined(reply, Reasoning)
    if tags is None or not trace:
        return reply
    rest = (part for part in reply.parts if not isinstance(part, Reasoning))
    return replace(reply, parts=(Text(f"{tags[0]}{trace}{tags[1]}"), *rest))


def _untagged(parts: tuple[Part, ...], profile: Profile) -> tuple[Part, ...]:
    """The parts with the trace at the head of the text as one of its own."""
    tags, first = profile.get("reasoning_tags"), next(iter(parts), None)
    if tags is None or not isinstance(first, Text) or not first.text.startswith(tags[0]):
        return parts
    trace, _, text = first.text.removeprefix(tags[0]).partition(tags[1])
    return (Reasoning(trace), *([Text(text)] if text else []), *parts[1:])


def _trace(message: JSON) -> str:
    return word(message.get("reasoning_content")) or word(message.get("reasoning")) or ""


def _calls(deltas: Iterable[JSON]) -> Iterator[ToolCall]:
    """The calls in messages or deltas; a fragment belongs to its index, or to the call before it.

    Another id begins another call: Mistral's SDK writes index 0 with every call of a message.
    """
    calls: dict[Any, dict[str, Any]] = {}
    begun: dict[int, Any] = {}
    latest: Any = None
    for call in itertools.chain.from_iterable(map(_call_list, deltas)):
        function = inner(call, "custom" if "custom" in call else "function")
        name, index, call_id = word(function.get("name")), whole(call.get("index")), word(call.get("id"))
        if index is not None:
            latest = begun.get(index, index)
        elif name or latest is None:
            latest = ("call", len(calls))
        if call_id and latest in calls and calls[latest]["id"] not in ("", call_id):
            latest = (index, call_id)
        if index is not None:
            begun[index] = latest
        found = calls.setdefault(latest, {"id": "", "name": "", "arguments": [], "custom": False})
        found["custom"] = found["custom"] or "custom" in call
        found["id"] = found["id"] or call_id or ""
        found["name"] += name or ""
        found["arguments"].append(function.get("arguments", function.get("input")))
    for found in calls.values():
        if found["custom"]:
            words = "".join(piece for piece in found["arguments"] if isinstance(piece, str))
            yield ToolCall(found["id"], found["name"], words, custom=True)
        else:
            yield ToolCall(found["id"], found["name"], _arguments(found["arguments"]))


def _call_list(message: JSON) -> Iterator[JSON]:
    yield from (call for call in sequence(message.get("tool_calls")) if isinstance(call, Mapping))
    if deprecated := mapping(message.get("function_call")):
        # It has no id; its result comes back under the function's name.
        yield {"id": deprecated.get("name"), "function": deprecated}


def _arguments(pieces: Sequence[Any]) -> Any:
    """Texts are joined and read; some servers send the object itself."""
    objects = [piece for piece in pieces if piece is not None and not isinstance(piece, str)]
    if objects:
        return objects[-1]
    return arguments_value("".join(piece for piece in pieces if piece is not None))


# What Chat Completions and Responses have in common


def make_id(form: JSON, ids: Ids) -> str:
    """An id: `prefix`, then `length` characters of `alphabet`, or a UUID where alphabet is `uuid`."""
    made = ids.uuid() if form["alphabet"] == "uuid" else ids.token(form["length"], form["alphabet"])
    return f"{form['prefix']}{made}"


def tier_word(tier: str | None, words: Mapping[str, str]) -> str:
    """The tier as an answer names it."""
    return words["none"] if tier is None else words.get(tier, tier)


def neutral(said: Any, words: Mapping[Finish, str]) -> Finish | None:
    """The first finish whose word is `said`; None if there is none."""
    return next((finish for finish, wire in words.items() if wire == said), None)


def padding_text(padding: JSON, ids: Ids) -> str:
    """Random text of a length between `low` and `high`."""
    return ids.token(ids.number(padding["low"], padding["high"]), padding["alphabet"])


def arranged(answer: JSON, profile: Profile) -> dict[str, Any]:
    """A copy of `answer` that shares nothing with the profile or other events; keys sorted if it says so."""
    return _copied(answer, bool(profile["sorted"]))


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""What nearly every value in an event is, and what has no keys to sort."""


def _copied(members: JSON, in_order: bool) -> dict[str, Any]:
    return {
        name: value if type(value := members[name]) in _PLAIN else _copy(value, in_order)
        for name in (sorted(members) if in_order else members)
    }


def _copy(value: Any, in_order: bool) -> Any:
    # An abstract class is slow to ask, and nearly no mapping is anything but a dict.
    if type(value) is dict or isinstance(value, Mapping):
        return _copied(value, in_order)
    if isinstance(value, list | tuple):
        return [item if type(item) in _PLAIN else _copy(item, in_order) for item in value]
    return value


def write_usage(usage: Usage, asked: str, answered: str, details: Mapping[str, JSON]) -> dict[str, Any]:
    """Usage as a wire object; the count of the prompt includes what was read from or put into a cache.

    `asked` and `answered` begin the names of the counts: prompt and completion, or input and output.
    """
    prompt = usage.input + usage.cache_read + usage.cache_write
    counts = {
        f"{asked}_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
            "audio_tokens": usage.heard,
            "text_tokens": prompt - usage.heard,
        },
        f"{answered}_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio,
            "text_tokens": usage.output - usage.audio - usage.reasoning,
            "accepted_prediction_tokens": usage.accepted,
            "rejected_prediction_tokens": usage.rejected,
        },
    }
    return {
        f"{asked}_tokens": prompt,
        f"{answered}_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        **{
            member: {name: counts.get(member, {}).get(name, zero) for name, zero in zeros.items()}
            for member, zeros in details.items()
        },
    }


def read_usage(usage: Any, asked: str, answered: str) -> Usage | None:
    """Usage from its wire object; None if it has neither count."""
    found = mapping(usage)
    prompt, output = whole(found.get(f"{asked}_tokens")), whole(found.get(f"{answered}_tokens"))
    if prompt is None and output is None:
        return None
    before = mapping(found.get(f"{asked}_tokens_details"))
    after = mapping(found.get(f"{answered}_tokens_details"))
    cached, kept = whole(before.get("cached_tokens")) or 0, whole(before.get("cache_write_tokens")) or 0
    fresh = max(0, (prompt or 0) - cached - kept)
    return Usage(
        fresh,
        output or 0,
        whole(after.get("reasoning_tokens")) or 0,
        cached,
        kept,
        whole(before.get("audio_tokens")) or 0,
        whole(after.get("audio_tokens")) or 0,
        whole(after.get("accepted_prediction_tokens")) or 0,
        whole(after.get("rejected_prediction_tokens")) or 0,
    )


def arguments_text(arguments: Any) -> str:
    """A call's arguments as compact JSON; text that never was JSON stays as it is."""
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


def arguments_value(text: str) -> Any:
    """A call's arguments as JSON; the text itself where it is none, or is a mere string."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, str) else value


def _refuse(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")


def fragments(text: str) -> list[str]:
    """`text` in at most three pieces, as a stream sends arguments."""
    size = max(1, -(-len(text) // 3))
    return [text[start : start + size] for start in range(0, len(text), size)]


def media(kind: MediaKind, url: str | None, name: str | None = None) -> Media:
    """The media behind a data URL, decoded, or behind a link."""
    if url is None:
        return Media(kind, None, name=name)
    if url[:5].lower() != "data:":
        return Media(kind, None, url=url, name=name)
    head, _, payload = url[5:].partition(",")
    mime, *marks = head.split(";")
    data = decoded(payload) if "base64" in marks else unquote_to_bytes(payload)
    return Media(kind, FORMATS.get(mime) or mime.rpartition("/")[2] or None, data, name=name)


def link(part: Media) -> str:
    """A data URL for bytes, or the link itself."""
    if part.url is not None:
        return part.url
    family = "application" if part.kind == "document" else part.kind
    mime = MIME.get(part.format or "", f"{family}/{part.format}")
    return f"data:{mime};base64,{encoded(part.data or b'')}"


def decoded(text: Any) -> bytes | None:
    """The bytes behind base64, line breaks allowed; None if it is not base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True) if isinstance(text, str) else None
    except ValueError:
        return None


def encoded(data: bytes) -> str:
    """`data` as base64."""
    return base64.b64encode(data).decode("ascii")


def joined(texts: Any) -> str:
    """Words that stand as a string, or as a list of objects with `text`."""
    if isinstance(texts, str):
        return texts
    return "".join(word(mapping(part).get("text")) or "" for part in sequence(texts))


def inner(outer: JSON, name: str) -> JSON:
    """The object that `outer` has under `name`, or `outer` itself where it is flat."""
    nested = outer.get(name)
    return nested if isinstance(nested, Mapping) else outer


def mapping(value: Any) -> JSON:
    """`value` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()


def word(value: Any) -> str | None:
    """`value` if it is a string."""
    return value if isinstance(value, str) else None


def flag(value: Any) -> bool | None:
    """`value` if it is a boolean."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """`value` if it is a number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole(value: Any) -> int | None:
    """`value` if it is a whole number; JSON Schema counts 16.0 among them."""
    found = number(value)
    return int(found) if found is not None and found % 1 == 0 else None
