"""Tools that the provider runs itself: which of them a prompt wants, and what they did. Nothing is asked anywhere."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects import Ids
from conformance.dialects.chat import make_id
from conformance.probes.picture import draw
from conformance.values import FileCitation, HostedCall, HostedTool, Reply, Text, Tool, Turn

from . import acting, programs
from .words import gist

__all__ = ["ran", "wanting"]

WANTED = {
    "web_search": r"\b(?:search|web|online|internet|news|latest|current|today|look(?:ing)? up)\b",
    "file_search": r"\b(?:files?|documents?|knowledge base|vector store|uploaded|handbook|manual)\b",
    "code_interpreter": r"\b(?:python|code|calculate|compute|plot|script|csv)\b",
    "image_generation": r"\b(?:draw|paint|sketch|generate|create|make)\b.{0,60}\b(?:image|picture|logo|photo|illustration)\b",
    "mcp": r"\b(?:mcp|server|tools?|connector)\b",
    "shell": acting.WANTED["shell"],
}
"""Words in a prompt for which a tool of that kind is used, when nobody forces or forbids it."""
STAYING = ("tool_search", "program")
"""Tools that serve calls of others."""
LISTED = "search"
"""The tool that a server of MCP has here, where the request allows none by name."""


def wanting(turn: Turn) -> Turn:
    """The turn with those of its hosted tools that are to be used, each of them forced; the others are left out.

    A search for tools stays, and so do programs: whether they are used shows when the model has called one.
    """
    turn = programs.choosing(turn)
    mode = turn.tool_choice.mode if turn.tool_choice else "auto"
    staying = tuple(tool for tool in turn.hosted if tool.kind in STAYING)
    if mode in ("none", "named"):
        return replace(turn, hosted=staying)
    prompt = _prompt(turn)
    wanted = [
        tool
        for tool in turn.hosted
        if tool.forced or (tool.kind in WANTED and re.search(WANTED[tool.kind], prompt, re.I | re.S))
    ]
    if any(tool.forced for tool in turn.hosted):
        wanted = [tool for tool in wanted if tool.forced]
    wanted = [tool for tool in wanted if tool.kind not in STAYING]
    most = turn.extras.get("max_tool_calls")
    chosen = tuple(
        replace(tool, forced=True) for tool in wanted[: max(most, 0) if isinstance(most, int) else None]
    )
    return replace(turn, hosted=(*chosen, *staying), search=any(tool.kind == "web_search" for tool in chosen))


def ran(turn: Turn, reply: Reply, forms: Mapping[str, Any], ids: Ids) -> Reply:
    """The reply with what the hosted tools of a `wanting` turn did for it; `forms` say how a `file` and a `container` are named.

    A call of a server that wants to be asked for its approval is all that comes: there is no answer without it.
    """
    if reply.tool_calls:
        # What the application has to do comes first.
        return programs.calling(turn, replace(reply, hosted=tuple(_searched(turn, reply))), forms, ids)
    done = [(tool, tuple(_calls(tool, _prompt(turn), reply, forms, ids))) for tool in turn.hosted]
    calls = programs.uncalled(turn, reply, forms, ids) + tuple(
        call
        for tool, made in done
        for call in (programs.around(turn, made, reply.text, forms, ids) if _is_programmed(tool) else made)
    )
    if any(call.item == "mcp_approval_request" for call in calls):
        reply = replace(
            reply, parts=tuple(part for part in reply.parts if not isinstance(part, Text)), finish="stop"
        )
    told = replace(reply, hosted=calls, cited_files=tuple(_cited(calls, reply)))
    return programs.calling(turn, told, forms, ids)


def _is_programmed(tool: HostedTool) -> bool:
    """Whether only a program may call it."""
    callers = tool.said.get("allowed_callers") or ()
    return "direct" not in callers and "programmatic" in callers


def _searched(turn: Turn, reply: Reply) -> Iterator[HostedCall]:
    """The search by which the provider found the tools that are called and were not seen before."""
    search = next((tool for tool in turn.hosted if tool.kind == "tool_search"), None)
    if search is None:
        return
    hidden = {(tool.namespace, tool.name) for tool in turn.tools if tool.deferred}
    called = [call.namespace for call in reply.tool_calls if (call.namespace, call.name) in hidden]
    paths = list(dict.fromkeys(called))
    if paths:
        said = {"call_id": None, "execution": "server"}
        yield HostedCall("tool_search_call", {**said, "arguments": {"paths": paths}})
        found = [tool for tool in search.said["among"] if tool.get("name") in paths]
        yield HostedCall("tool_search_output", {**said, "tools": found})


def _cited(calls: Sequence[HostedCall], reply: Reply) -> Iterator[FileCitation]:
    """Where the answer names the files that were found: at its end."""
    if reply.finish != "stop" or not reply.text:
        return
    for call in calls:
        for found in call.said.get("results", ()) if call.item == "file_search_call" else ():
            yield FileCitation(found["file_id"], found["filename"], len(reply.text))


def _prompt(turn: Turn) -> str:
    return next((gist(each.text) for each in reversed(turn.messages) if each.role == "user"), "")


def _calls(
    tool: HostedTool, prompt: str, reply: Reply, forms: Mapping[str, Any], ids: Ids
) -> Iterator[HostedCall]:
    match tool.kind:
        case "web_search":
            sources = [{"type": "url", "url": each.url} for each in reply.citations]
            action = {"type": "search", "query": prompt, "queries": [prompt], "sources": sources}
            yield HostedCall("web_search_call", {"action": action})
        case "file_search":
            found = {"file_id": make_id(forms["file"], ids), "filename": "notes.txt", "score": 0.87}
            result = {**found, "attributes": {}, "text": f"Notes on: {prompt}"}
            yield HostedCall("file_search_call", {"queries": [prompt], "results": [result]})
        case "code_interpreter":
            container = tool.said.get("container")
            named = container if isinstance(container, str) else make_id(forms["container"], ids)
            code = f"print({json.dumps(reply.text)})"
            logs = [{"type": "logs", "logs": f"{reply.text}\n"}]
            said = {"code": code, "container_id": named, "outputs": logs}
            yield HostedCall("code_interpreter_call", said)
        case "image_generation":
            picture = base64.b64encode(draw("MOCK")).decode()
            kept = {name: tool.said.get(name) for name in ("background", "quality", "size")}
            said = {name: value or "auto" for name, value in kept.items()}
            more = {"action": "generate", "output_format": "png", "revised_prompt": prompt, "result": picture}
            yield HostedCall("image_generation_call", {**more, **said})
        case "shell":
            yield from _in_container(tool, prompt, reply, forms, ids)
        case "mcp":
            yield from _of_server(tool.said, prompt, reply)


def _in_container(
    tool: HostedTool, prompt: str, reply: Reply, forms: Mapping[str, Any], ids: Ids
) -> Iterator[HostedCall]:
    """A shell that the provider runs says what the answer will."""
    where = tool.said.get("environment") or {}
    named = where.get("container_id") or make_id(forms["container"], ids)
    call_id = {"call_id": make_id(forms["call"], ids)}
    [step] = acting.steps(Tool("shell", builtin=tool.said), prompt)
    place = {"type": "container_reference", "container_id": named}
    yield HostedCall("shell_call", {**call_id, "action": step.arguments["action"], "environment": place})
    done = {"stdout": f"{reply.text}\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
    yield HostedCall("shell_call_output", {**call_id, "output": [done], "max_output_length": None})


def _of_server(said: Mapping[str, Any], prompt: str, reply: Reply) -> Iterator[HostedCall]:
    label, names = said.get("server_label"), _allowed(said.get("allowed_tools"))
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    tools = [
        {"name": name, "description": None, "input_schema": schema, "annotations": None} for name in names
    ]
    yield HostedCall("mcp_list_tools", {"server_label": label, "tools": tools})
    call = {"server_label": label, "name": names[0], "arguments": json.dumps({"query": prompt})}
    if said.get("require_approval") == "never":
        done = {"output": reply.text, "error": None, "approval_request_id": None}
        yield HostedCall("mcp_call", {**call, **done})
    else:
        yield HostedCall("mcp_approval_request", call)


def _allowed(given: Any) -> Sequence[str]:
    names = given.get("tool_names") if isinstance(given, Mapping) else given
    return names or [LISTED]
