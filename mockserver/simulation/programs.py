"""Programs by which the model calls tools: what they look like, which calls they make, what comes of them.

    program            await tools.get_weather({"city": "Paris"})     the provider runs it
    function_call      caller: that program                          the application runs it, as any call
    program_output     what the program said, when all its calls are answered

Nothing is run here: the code tells of the calls that the prompt wants, and the output of what came back.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects import Ids
from conformance.dialects.chat import make_id
from conformance.values import HostedCall, HostedTool, Reply, Text, ToolCall, ToolChoice, ToolResult, Turn

from .words import gist

__all__ = ["altered", "around", "calling", "choosing", "uncalled"]

WANTED = re.compile(r"\b(?:program(?:s|matic(?:ally)?)?|script|javascript|in code|loop)\b", re.I)
"""Words for which a tool is called by a program, where the model may call it itself too."""
PLAIN = re.compile(r"[A-Za-z_$][\w$]*")
LENGTH = 48
"""Characters of a fingerprint after its beginning."""


def choosing(turn: Turn) -> Turn:
    """The turn whose choice of tools leaves out what a program that is at work has settled, and holds for a forced one."""
    program = _program(turn)
    if program is None:
        return turn
    if _at_work(turn) is not None:
        return replace(turn, tool_choice=None, hosted=_unforced(turn))
    reachable = tuple(tool for tool in turn.tools if tool.programmed)
    if not program.forced or not reachable:
        return turn
    return replace(turn, tools=reachable, tool_choice=ToolChoice("any"))


def calling(turn: Turn, reply: Reply, forms: Mapping[str, Any], ids: Ids) -> Reply:
    """The reply with the programs that make calls of it, and the output of the one that has made its last call."""
    program = _program(turn)
    if program is None:
        return reply
    at_work = _at_work(turn)
    by_program = _by_program(turn, reply, program.forced or at_work is not None)
    ended = () if at_work is None or by_program else (_output(at_work, _told(turn, at_work)),)
    if by_program:
        named = at_work or make_id(forms["call"], ids)
        parts = tuple(
            replace(part, program=named) if isinstance(part, ToolCall) and part in by_program else part
            for part in reply.parts
        )
        together = turn.parallel_tool_calls is not False
        begun = () if at_work else (_begun(named, _code(by_program, together), program),)
        return replace(reply, parts=parts, hosted=(*reply.hosted, *begun))
    return replace(reply, hosted=(*ended, *reply.hosted))


def uncalled(turn: Turn, reply: Reply, forms: Mapping[str, Any], ids: Ids) -> tuple[HostedCall, ...]:
    """A program that was to be written though there is no tool that it could call."""
    program = _program(turn)
    if program is None or not program.forced or reply.tool_calls or _at_work(turn) is not None:
        return ()
    named = make_id(forms["call"], ids)
    return _begun(named, f"text({json.dumps(reply.text)});", program), _output(named, reply.text)


def around(
    turn: Turn, made: Sequence[HostedCall], said: str, forms: Mapping[str, Any], ids: Ids
) -> tuple[HostedCall, ...]:
    """What a tool of the provider did for a program, which is all that may call it; `said` is what came of it."""
    program = _program(turn)
    if program is None or not made:
        return tuple(made)
    named = make_id(forms["call"], ids)
    caller = {"caller": {"type": "program", "caller_id": named}}
    told = [
        HostedCall(call.item, {**call.said, **caller}) if "call_id" in call.said else call for call in made
    ]
    names = dict.fromkeys(
        re.sub(r"_(?:call(?:_output)?|list_tools|approval_request)$", "", call.item) for call in made
    )
    code = "\n".join(f"text(await tools.{name}());" for name in names)
    waits = any(call.item == "mcp_approval_request" for call in made)
    return _begun(named, code, program), *told, *(() if waits else (_output(named, said),))


def altered(item: Mapping[str, Any], beginning: str) -> bool:
    """Whether a program is sent back with another fingerprint than it was made with; of others' programs nobody knows."""
    said = str(item.get("fingerprint"))
    ours = len(said) == len(beginning) + LENGTH and said.startswith(beginning)
    return ours and said != _fingerprint(str(item.get("call_id")), str(item.get("code")), beginning)


def _program(turn: Turn) -> HostedTool | None:
    return next((tool for tool in turn.hosted if tool.kind == "program"), None)


def _unforced(turn: Turn) -> tuple[HostedTool, ...]:
    return tuple(replace(tool, forced=False) for tool in turn.hosted)


def _at_work(turn: Turn) -> str | None:
    """The program whose calls were answered since the model spoke last."""
    answered: set[str] = set()
    for message in reversed(turn.messages):
        answered |= {part.id for part in message.parts if isinstance(part, ToolResult)}
        if message.role == "assistant":
            calls = [part for part in message.parts if isinstance(part, ToolCall) and part.id in answered]
            return next((call.program for call in reversed(calls) if call.program is not None), None)
    return None


def _told(turn: Turn, program: str) -> str:
    """What the calls of the program were answered."""
    parts = [part for message in turn.messages for part in message.parts]
    made = {part.id for part in parts if isinstance(part, ToolCall) and part.program == program}
    results = [part for part in parts if isinstance(part, ToolResult) and part.id in made]
    return "\n".join(
        "".join(each.text for each in result.parts if isinstance(each, Text)) for result in results
    )


def _by_program(turn: Turn, reply: Reply, wanted: bool) -> tuple[ToolCall, ...]:
    """The calls that a program makes: of tools that the model may not call itself, and of others if there are several."""
    tools = {(tool.namespace, tool.name): tool for tool in turn.tools}
    found = [
        call
        for call in reply.tool_calls
        if (tool := tools.get((call.namespace, call.name))) and tool.programmed
    ]
    prompt = next((gist(each.text) for each in reversed(turn.messages) if each.role == "user"), "")
    if wanted or len(found) > 1 or WANTED.search(prompt):
        return tuple(found)
    return tuple(call for call in found if not tools[call.namespace, call.name].direct)


def _begun(named: str, code: str, program: HostedTool) -> HostedCall:
    mark = _fingerprint(named, code, str(program.said["fingerprint"]))
    return HostedCall("program", {"call_id": named, "code": code, "fingerprint": mark})


def _output(named: str, said: str) -> HostedCall:
    return HostedCall("program_output", {"call_id": named, "result": said, "status": "completed"})


def _fingerprint(named: str, code: str, beginning: str) -> str:
    return (
        beginning + hashlib.sha256(f"{named}\n{code}".encode("utf-8", "surrogatepass")).hexdigest()[:LENGTH]
    )


def _code(calls: Sequence[ToolCall], together: bool) -> str:
    """JavaScript that makes the calls and says what comes back."""
    if len(calls) == 1 or not together:
        return "\n".join(f"text(await {_call(call)});" for call in calls)
    listed = "".join(f"  {_call(call)},\n" for call in calls)
    return f"const results = await Promise.all([\n{listed}]);\nresults.forEach((result) => text(result));"


def _call(call: ToolCall) -> str:
    path = [call.name] if call.namespace in (None, call.name) else [str(call.namespace), call.name]
    reach = "".join(f".{name}" if PLAIN.fullmatch(name) else f"[{json.dumps(name)}]" for name in path)
    return f"tools{reach}({json.dumps(call.arguments, ensure_ascii=False)})"
