"""Tools of the Responses API that have items of their own: the provider runs them, or the application does.

    the provider      web_search, file_search, ..., and tool_search and shell unless they say otherwise: what they
                      did comes as items and events of their own (`HostedTool`, `HostedCall`)
    the application   computer, computer_use_preview, shell, local_shell, apply_patch, and tool_search with
                      `execution: client`: a call is an item of its own with a call_id, and so is what the application
                      answers (`ToolCall` and `ToolResult` with `builtin`, the word before `_call` in the item's type)

A namespace groups functions; a function with `defer_loading` is a namespace of its own. A call of either names it.
With `programmatic_tool_calling` the model may write a program, which is an item too; the provider runs it, and calls of
its making name it as their caller. Who may call a tool stands in its `allowed_callers`.
The knobs are those of `conformance.dialects.responses`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects import Context, Profile
from conformance.dialects.chat import (
    JSON,
    make_id,
    mapping,
    padding_text,
    read_content,
    read_tools,
    sequence,
    whole,
    word,
)
from conformance.select import change
from conformance.values import HostedCall, HostedTool, Media, Text, Tool, ToolCall, ToolChoice, ToolResult

BUILTIN = ("computer", "shell", "local_shell", "apply_patch", "tool_search")
"""The words of the items by which the application is asked to run a tool that is no function."""
RESULTS = {f"{name}_call_output": name for name in BUILTIN} | {"tool_search_output": "tool_search"}
CALLS = {f"{name}_call": name for name in BUILTIN}
HEAD = ("type", "id", "call_id", "status", "caller", "created_by")
"""Members of a call's item that do not say what is to be done."""
PROGRAMS = "programmatic_tool_calling"
COMPUTERS = ("computer", "computer_use", "computer_use_preview")
"""Words by which a computer may be chosen, whichever of them is on offer."""


# Tools on offer


def offered(
    body: JSON, given: Sequence[Any], profile: Profile
) -> tuple[tuple[Tool, ...], ToolChoice | None, tuple[HostedTool, ...]]:
    """The tools that the application runs, the choice among them, and those that the provider runs.

    `given` are the items of the request: what a search has found there is on offer, and deferred no more.
    """
    said, choice = [mapping(tool) for tool in sequence(body.get("tools"))], body.get("tool_choice")
    chosen_of = mapping(choice)
    listed = list(_functions(said, given))
    allowed, chosen = read_tools([tool for tool, _, _ in listed], choice)
    names = {tool.name for tool in allowed}
    programs = _programs(body)
    functions = [
        replace(tool, namespace=namespace, deferred=deferred, **callers)
        for each, namespace, deferred in listed
        for tool in read_tools([each], None)[0]
        if tool.name in names and (callers := _callers(each, programs, profile))
    ]
    kinds = {word(mapping(tool).get("type")) for tool in sequence(chosen_of.get("tools"))}
    own = [
        Tool(profile["client"][tool["type"]], word(tool.get("description")) or "", builtin=tool, **callers)
        for tool in said
        if _is_for_application(tool, profile) and ("mode" not in chosen_of or tool["type"] in kinds)
        if (callers := _callers(tool, programs, profile))
    ]
    hosted = tuple(_hosted(body, given, profile))
    if chosen is None and (named := _chosen(word(chosen_of.get("type")), own)) is not None:
        chosen = ToolChoice("named", named)
    usable = sorted(
        (tool for tool in hosted if tool.kind != "tool_search"), key=lambda tool: tool.kind == "program"
    )
    if chosen == ToolChoice("any") and usable and not (functions or own):
        chosen, hosted = None, tuple(replace(tool, forced=tool is usable[0]) for tool in hosted)
    return (*functions, *own), chosen, hosted


def _programs(body: JSON) -> bool:
    """Whether the model may write programs."""
    return any(mapping(tool).get("type") == PROGRAMS for tool in sequence(body.get("tools")))


def _callers(tool: JSON, programs: bool, profile: Profile) -> dict[str, Any]:
    """Who may call a tool; nothing where nobody can."""
    said = sequence(tool.get("allowed_callers")) or profile["callers"]
    who = {"direct": "direct" in said, "programmed": programs and "programmatic" in said}
    return who if any(who.values()) else {}


def _functions(said: Iterable[JSON], given: Iterable[Any]) -> Iterator[tuple[JSON, str | None, bool]]:
    """Each function or custom tool, its namespace, and whether it has to be searched for first."""
    said = list(said)
    found = list(loaded(given))
    found_names = {word(tool.get("name")) for tool in found}
    searched = any(tool.get("type") == "tool_search" for tool in said)
    told = {word(tool.get("name")) for tool in said}
    for tool in [*said, *(tool for tool in found if word(tool.get("name")) not in told)]:
        name = word(tool.get("name"))
        is_found = name in found_names
        if tool.get("type") == "namespace":
            for inner in map(mapping, sequence(tool.get("tools"))):
                yield inner, name, searched and inner.get("defer_loading") is True and not is_found
        else:
            deferred = searched and tool.get("defer_loading") is True
            yield tool, name if deferred or is_found else None, deferred and not is_found


def loaded(given: Iterable[Any]) -> Iterator[JSON]:
    """The tools that searches have found so far."""
    for item in map(mapping, given):
        if item.get("type") == "tool_search_output":
            yield from map(mapping, sequence(item.get("tools")))


def _is_for_application(tool: JSON, profile: Profile) -> bool:
    match tool.get("type"):
        case "tool_search":
            mine = tool.get("execution") == "client"
        case "shell":
            mine = not _in_container(tool)
        case _:
            mine = True
    return mine and word(tool.get("type")) in profile["client"]


def _in_container(tool: JSON) -> bool:
    """Whether a shell is one that the provider runs."""
    return (word(mapping(tool.get("environment")).get("type")) or "").startswith("container")


def _chosen(kind: str | None, own: Sequence[Tool]) -> str | None:
    for tool in own:
        offered_as = mapping(tool.builtin).get("type")
        if offered_as == kind or (kind in COMPUTERS and offered_as in COMPUTERS):
            return tool.name
    return None


def _hosted(body: JSON, given: Sequence[Any], profile: Profile) -> Iterator[HostedTool]:
    known, choice = profile["hosted"]["tools"], mapping(body.get("tool_choice"))
    programs = _programs(body)
    allowed = [mapping(tool).get("type") for tool in sequence(choice.get("tools"))]
    for tool in map(mapping, sequence(body.get("tools"))):
        kind = word(tool.get("type")) or ""
        if kind not in known or _is_for_application(tool, profile) or not _callers(tool, programs, profile):
            continue
        if "mode" not in choice or kind in allowed or kind in ("tool_search", PROGRAMS):
            more: dict[str, Any] = {}
            if kind == "mcp" and _approved(given):
                # What a person has approved is not asked for again.
                more = {"require_approval": "never"}
            elif kind == "tool_search":
                more = {"among": [mapping(each) for each in sequence(body.get("tools"))]}
            elif kind == PROGRAMS:
                more = {"fingerprint": profile["fingerprint"]}
            yield HostedTool(known[kind], {**tool, **more}, choice.get("type") == kind)


def _approved(given: Iterable[Any]) -> bool:
    answers = (item for item in map(mapping, given) if item.get("type") == "mcp_approval_response")
    return any(item.get("approve") is True for item in answers)


def echoed_tools(body: JSON, given: Iterable[Any], profile: Profile) -> list[dict[str, Any]]:
    """The tools as answers repeat them: those of the types in `echo.last` at the end.

    A function that was found by a search stands there as a namespace of its own.
    """
    found = {word(tool.get("name")) for tool in loaded(given)}
    made = [_echoed(_as_namespace(tool) if word(tool.get("name")) in found else tool, profile)
            for tool in map(mapping, sequence(body.get("tools")))]  # fmt: skip
    last: Sequence[str] = profile["echo"]["last"]
    return sorted(made, key=lambda tool: last.index(tool["type"]) + 1 if tool.get("type") in last else 0)


def _as_namespace(tool: JSON) -> JSON:
    if tool.get("type") != "function" or tool.get("defer_loading") is not True:
        return tool
    inner = {name: value for name, value in tool.items() if name != "defer_loading"}
    return {
        "type": "namespace",
        "name": tool["name"],
        "description": tool.get("description") or "",
        "tools": [inner],
    }


def _echoed(tool: JSON, profile: Profile) -> dict[str, Any]:
    echo = profile["echo"]
    if tool.get("type") == "namespace":
        return {**tool, "tools": [_echoed(mapping(each), profile) for each in sequence(tool.get("tools"))]}
    if tool.get("type") != "function":
        return {**echo["others"].get(word(tool.get("type")), {}), **tool}
    said = {**echo["tool"], **{name: value for name, value in tool.items() if value is not None}}
    if echo["strict_schemas"] and tool.get("strict") is None:
        said["parameters"] = _strict(said["parameters"])
    return said


def _strict(schema: Any) -> Any:
    """A schema as strict mode wants it: objects are closed, and every member of theirs is required."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {name: _strict(value) for name, value in schema.items()}
    members = schema.get("properties")
    if isinstance(members, Mapping):
        closed |= {"additionalProperties": False, "required": list(members)}
    return closed


# Items that are sent and answered


def is_call(item: JSON) -> bool:
    """Whether the application is asked to run a tool that is no function. A search of the provider's own is no call."""
    return word(item.get("type")) in CALLS and isinstance(item.get("call_id"), str)


def is_result(item: JSON) -> bool:
    """Whether an item answers such a call."""
    return word(item.get("type")) in RESULTS and result_id(item) is not None


def result_id(item: JSON) -> str | None:
    """What names the call that is answered; a local shell may say it in `id`, with the call's own id too."""
    return word(item.get("call_id")) or (
        word(item.get("id")) if item.get("type") == "local_shell_call_output" else None
    )


def call_in(item: JSON) -> ToolCall:
    """The call in an item; its arguments are the members that say what is to be done."""
    kind = CALLS[item["type"]]
    said = {name: value for name, value in item.items() if name not in HEAD}
    return ToolCall(item["call_id"], kind, said, builtin=kind, program=program_of(item))


def program_of(item: JSON) -> str | None:
    """The id of the program that made a call; None where the model made it itself."""
    return word(mapping(item.get("caller")).get("caller_id"))


def caller_of(call: ToolCall) -> dict[str, Any]:
    """The member by which a call names the program that made it."""
    return {} if call.program is None else {"caller": {"type": "program", "caller_id": call.program}}


def result_in(item: JSON, ids: Mapping[str, str]) -> ToolResult:
    """What the application answers; `ids` lead from the ids of items to those of their calls."""
    kind, named = RESULTS[item["type"]], result_id(item) or ""
    content, failed = _outcome(kind, item)
    parts = tuple(part for part in content if isinstance(part, Text | Media))
    return ToolResult(ids.get(named, named), parts, failed, builtin=kind)


def _outcome(kind: str, item: JSON) -> tuple[Sequence[Any], bool]:
    """(what came back, whether it failed)."""
    match kind:
        case "computer":
            shot = {**mapping(item.get("output")), "type": "input_image"}
            return read_content([shot]), item.get("status") == "failed"
        case "shell":
            chunks = [mapping(chunk) for chunk in sequence(item.get("output"))]
            told = "\n".join(word(chunk.get(name)) or "" for chunk in chunks for name in ("stdout", "stderr"))
            ends = [mapping(chunk.get("outcome")) for chunk in chunks]
            late = ["It ran out of time."] if any(end.get("type") == "timeout" for end in ends) else []
            text = "\n".join([*filter(None, told.split("\n")), *late])
            return [Text(text)], any(end.get("exit_code", 1) != 0 for end in ends)
        case "tool_search":
            names = ", ".join(word(mapping(tool).get("name")) or "" for tool in sequence(item.get("tools")))
            return [Text(names)], False
        case "apply_patch":
            status = word(item.get("status")) or ""
            return [Text(word(item.get("output")) or status)], status == "failed"
        case _:
            return [Text(word(item.get("output")) or "")], False


def written_call(call: ToolCall) -> dict[str, Any]:
    """The item of such a call as a request sends it back."""
    head = {"type": f"{call.builtin}_call", "call_id": call.id, "status": "completed"}
    return {**head, **call.arguments, **caller_of(call)}


def written_result(result: ToolResult) -> dict[str, Any]:
    """The item that answers it with words; ValueError for a computer, which is answered with a picture."""
    text = "".join(part.text for part in result.parts if isinstance(part, Text))
    head = {"type": f"{result.builtin}_call_output", "call_id": result.id}
    match result.builtin:
        case "shell":
            outcome = {"type": "exit", "exit_code": int(result.error)}
            return {**head, "output": [{"stdout": text, "stderr": "", "outcome": outcome}]}
        case "apply_patch":
            return {**head, "status": "failed" if result.error else "completed", "output": text}
        case "local_shell":
            return {**head, "id": result.id, "output": text}
    raise ValueError(f"responses: expected the result of a shell or a patch, got {result!r}")


# Items that are made


def call_item(call: ToolCall, made: str) -> dict[str, Any]:
    """The members of a call's item beside its id, type and status; `made` is its call_id."""
    return {"call_id": made, **call.arguments, **caller_of(call)}


def hosted_item(call: HostedCall, body: JSON, context: Context, profile: Profile) -> dict[str, Any]:
    """The item that tells what a tool of the provider did, with what the request includes."""
    included = sequence(body.get("include"))
    said: Any = dict(call.said)
    for where, rule in profile["hosted"]["items"][call.item]["included"].items():
        if rule["include"] not in included:
            said, _ = change(said, where, rule.get("otherwise"), remove="otherwise" not in rule)
    if "tools" in said and call.item == "tool_search_output":
        said["tools"] = [_echoed(mapping(tool), profile) for tool in said["tools"]]
    return {
        "id": make_id(profile["ids"][call.item], context.ids),
        "type": call.item,
        **({"status": "completed"} if call.item in profile["with_status"] else {}),
        **profile["items"].get(call.item, {}),
        **said,
    }


def announced(item: JSON, profile: Profile) -> dict[str, Any]:
    """An item of these as it is announced: without what comes piece by piece, and what nobody included."""
    status = {"status": "in_progress"} if "status" in item else {}
    wordless: dict[str, Any] = {}
    match item:
        case {"type": "shell_call", "action": action}:
            wordless = {"action": {**action, "commands": []}}
        # No event that OpenAI's own SDKs know brings the diff of a patch, so that it comes with the finished item.
        case {"type": "apply_patch_call", "operation": {"diff": _} as operation}:
            wordless = {"operation": {**operation, "diff": ""}}
        case {"type": "shell_call_output"}:
            wordless = {"output": []}
        case {"type": "program"}:
            # As of a patch: no event brings the code.
            wordless = {"code": "", "fingerprint": ""}
        case {"type": "program_output"}:
            # Its status has no word for what is still at work.
            return dict(item)
    rules = profile["hosted"]["items"].get(item["type"])
    if rules is None:
        return {**item, **wordless, **status}
    if rules["streamed"] is not None:
        wordless = {rules["streamed"]["member"]: ""}
    begun: Any = {**item, **wordless, **status}
    for where, rule in rules["included"].items():
        begun, _ = change(begun, where, rule.get("otherwise"), remove="otherwise" not in rule)
    return dict(begun)


def payloads(
    item: JSON, where: JSON, body: JSON, context: Context, profile: Profile
) -> Iterator[dict[str, Any]]:
    """The events of an item between its announcement and its end."""
    match item:
        case {"type": "image_generation_call" as kind}:
            *begun, last = _stages(item, where, context, profile)
            yield from begun
            for index in range(min(_previews(body), profile["hosted"]["items"][kind]["previews"])):
                said = {name: item[name] for name in ("background", "output_format", "quality", "size")}
                image = {"partial_image_index": index, "partial_image_b64": item["result"]}
                yield {"type": f"response.{kind}.partial_image", **where, **image, **said}
            yield last
        case {"type": "shell_call"}:
            for index, command in enumerate(item["action"]["commands"]):
                place = {"output_index": where["output_index"], "command_index": index}
                yield {"type": "response.shell_call_command.added", **place, "command": ""}
                pieces, said = context.split(command), {"command": command}
                yield from grow("shell_call_command", place, pieces, said, {}, context, profile)
        case {"type": "shell_call_output"}:
            for index, chunk in enumerate(item["output"]):
                place = {**where, "command_index": index}
                told = {name: chunk[name] for name in ("stdout", "stderr") if chunk[name]}
                yield {"type": "response.shell_call_output_content.delta", **place, "delta": told}
                yield {"type": "response.shell_call_output_content.done", **place, "output": [chunk]}
        case {"type": kind} if kind in profile["hosted"]["items"]:
            yield from _stages(item, where, context, profile)


def _previews(body: JSON) -> int:
    """How many pictures are to be shown while the last one is made."""
    tools = (
        tool for tool in map(mapping, sequence(body.get("tools"))) if tool.get("type") == "image_generation"
    )
    return next((whole(tool.get("partial_images")) or 0 for tool in tools), 0)


def _stages(item: JSON, where: JSON, context: Context, profile: Profile) -> Iterator[dict[str, Any]]:
    """The stages that a hosted tool goes through; what it is told to do comes before the second."""
    rules = profile["hosted"]["items"][item["type"]]
    stages, streamed = rules["stages"], rules["streamed"]
    for index, stage in enumerate(stages):
        if index == 1 and streamed is not None:
            said = item[streamed["member"]]
            pieces, whole_text = context.split(said), {streamed["member"]: said}
            yield from grow(streamed["event"], where, pieces, whole_text, {}, context, profile)
        yield {"type": f"response.{item['type']}.{stage}", **where}


def grow(
    name: str,
    place: JSON,
    pieces: Iterable[str],
    said: JSON,
    beside: JSON,
    context: Context,
    profile: Profile,
) -> Iterator[dict[str, Any]]:
    """A delta for each piece, then the event that says the whole."""
    for piece in pieces:
        yield delta_of(name, place, piece, beside, context, profile)
    yield {"type": f"response.{name}.done", **place, **said, **beside}


def delta_of(
    name: str, place: JSON, piece: str, beside: JSON, context: Context, profile: Profile
) -> dict[str, Any]:
    """One piece of what comes word by word, with the random text that pads it."""
    padding = profile["stream"]["obfuscation"]
    random = {} if padding is None else {"obfuscation": padding_text(padding, context.ids)}
    return {"type": f"response.{name}.delta", **place, "delta": piece, **beside, **random}
