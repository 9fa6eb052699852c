"""Tools that the application runs for the model and that are no functions: which of them a prompt wants, and for what.

A computer is worked step by step, a shell is given commands, a file is patched. Nothing is done here: what is
to be done stands in the call, and the application tells what came of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects import Ids
from conformance.dialects.chat import make_id
from conformance.values import Reply, Tool, ToolCall, Turn

from .mentions import mentions
from .prose import about
from .words import gist

__all__ = ["checked", "steps", "wanted"]

FILE = re.compile(
    r"(?<![\w/.:-])(?:[\w-]+/|\.{1,2}/|/)*[\w-]+(?:\.[A-Za-z]\w{0,7})+\b(?!://)|\b(?:Make|Docker)file\b"
)
FENCE = re.compile(r"```[\w+-]*\n(.*?)```", re.S)
RUN = re.compile(
    r"\b(?:run|execute)\s+(?:the\s+)?(?:shell\s+)?(?:commands?\s*)?:?\s*(.+?)"
    r"(?:\s+(?:and|then)\s+(?:tell|show|say|report|give)\b.*|\s+(?:in|on|with|using)\s+(?:the|a|your)\s+(?:local\s+)?"
    r"(?:shell|terminal|console)\b.*|[.!?]?\s*$|[.!?]\s.*)",
    re.I | re.S | re.M,
)
KNOWN_COMMANDS = {
    r"\b(?:list|which|what|show)\b.{0,30}\b(?:files|director(?:y|ies)|folders?)\b": "ls -la",
    r"\b(?:current|working) (?:directory|folder)\b": "pwd",
    r"\bwho(?:ami| am i)\b": "whoami",
    r"\b(?:disk space|free space)\b": "df -h",
    r"\b(?:date|time)\b": "date",
    r"\b(?:python) version\b|\bversion of python\b": "python3 --version",
    r"\bgit status\b": "git status",
}
"""What is run where the prompt names no command itself."""
WANTED = {
    "apply_patch": r"\b(?:patch|diff)\b|\b(?:create|add|write|update|edit|change|modify|fix|rename|replace|delete|remove)\b"
    r".{0,80}\b(?:files?|function|code|line)\b",
    "computer": r"\b(?:computer|browser|screen(?:shot)?|mouse|keyboard|desktop|window|web ?page|web ?site|button|tab)\b|"
    r"\b(?:click|double-click|scroll|drag)\b",
    "shell": r"\b(?:shell|terminal|console|bash|command(?:s| line)?|run|execute|script|director(?:y|ies)|folders?|"
    r"list\b.{0,20}\bfiles)\b",
}
"""Words in a prompt for which the application is asked to act, when nobody forces or forbids it."""
WANTED["local_shell"] = WANTED["shell"]
ORDER = ("apply_patch", "computer", "shell", "local_shell")
"""Of several that a prompt wants the first one is used."""
SCREEN = (1024, 768)
"""Pixels of a screen whose size nobody says."""
POINT = re.compile(r"\(?\b(\d{1,4})\s*,\s*(\d{1,4})\b\)?")
KEYS = re.compile(
    r"\b(?:press|hit)\s+(?:the\s+)?(?:keys?\s+)?((?:[A-Za-z0-9]+\s*\+\s*)*[A-Za-z0-9]+)(?:\s+key)?", re.I
)
VERBS = re.compile(
    r"\b(?P<double_click>double[- ]?click)|\b(?P<click>(?:right[- ]|left[- ])?click)|\b(?P<drag>drag)\b|"
    r"\b(?P<scroll>scroll)\b|\b(?P<move>move (?:the )?(?:mouse|pointer|cursor))|\b(?P<keypress>(?:press|hit))\b|"
    r"\b(?P<type>(?:type|write|fill in|enter(?=\s+(?:the\b|[\"'`“]))))\b|\b(?P<wait>wait)\b|\b(?P<screenshot>screen ?shot)",
    re.I,
)
SCROLLED = 400
"""Pixels that a scroll goes."""


def wanted(tools: Sequence[Tool], prompt: str) -> Tool | None:
    """The first of the tools that the application has to run for the prompt; None where it wants none of them."""
    prompt = gist(prompt)
    for word in ORDER:
        for tool in tools:
            if tool.name == word and re.search(WANTED[word], prompt, re.I | re.S):
                return tool
    return None


def steps(tool: Tool, prompt: str) -> list[ToolCall]:
    """The calls of the tool that the prompt wants, one after the other; their ids are empty."""
    said, prompt = tool.builtin or {}, gist(prompt)
    match tool.name:
        case "computer":
            actions = list(_actions(prompt, said))
            if said.get("type") == "computer":
                made: list[dict[str, Any]] = [{"actions": actions}]
            else:
                made = [{"action": action} for action in actions]
            made = [{"pending_safety_checks": [], **each} for each in made]
        case "shell":
            action = {"commands": _commands(prompt), "max_output_length": None, "timeout_ms": None}
            where = said.get("environment")
            made = [{"action": action, **({"environment": {"type": "local"}} if where else {})}]
        case "local_shell":
            command = ["bash", "-lc", " && ".join(_commands(prompt))]
            made = [{"action": {"type": "exec", "command": command, "env": {}}}]
        case _:
            made = [{"operation": _operation(prompt)}]
    return [ToolCall("", tool.name, each, builtin=tool.name) for each in made]


def checked(reply: Reply, turn: Turn, profile: Mapping[str, Any], ids: Ids) -> Reply:
    """The reply with the safety checks that its calls of a computer wait for: those of the profile that the prompt is about."""
    prompt = next((gist(each.text) for each in reversed(turn.messages) if each.role == "user"), "")
    found = [check for check in profile["safety_checks"] if re.search(check["about"], prompt, re.I)]
    if not found:
        return reply
    parts = []
    for part in reply.parts:
        if isinstance(part, ToolCall) and part.builtin == "computer":
            pending = [
                {"id": make_id(profile["ids"]["safety_check"], ids), "code": each["code"], "message": each["message"]}
                for each in found
            ]  # fmt: skip
            part = replace(part, arguments={**part.arguments, "pending_safety_checks": pending})
        parts.append(part)
    return replace(reply, parts=tuple(parts))


def _commands(prompt: str) -> list[str]:
    if fenced := FENCE.search(prompt):
        return [line for line in fenced[1].splitlines() if line.strip()]
    if quoted := re.findall(r"`([^`\n]+)`", prompt):
        return quoted
    if found := RUN.search(prompt):
        command = found[1].strip().strip("\"'“”")
        if re.match(r"[\w./~-]+(?:\s|$)", command) and not re.match(
            r"(?:a|the|it|this|that|some|my)\b", command, re.I
        ):
            return [command]
    return [command for words, command in KNOWN_COMMANDS.items() if re.search(words, prompt, re.I)][:1] or [
        "ls -la"
    ]


def _operation(prompt: str) -> dict[str, str]:
    """What is to be done to which file: the first that the prompt names, with the quoted words or the code in it."""
    outside = FENCE.sub(" ", prompt)
    file = FILE.search(outside)
    path = file[0] if file else "notes.txt"
    fenced = FENCE.search(prompt)
    quoted = [words for words in mentions(outside).quoted if words != path]
    if re.search(
        r"\b(?:delete|remove)\b(?:\s+\w+){0,3}\s+(?:file\b|`?" + re.escape(path) + ")", outside, re.I
    ):
        return {"type": "delete_file", "path": path}
    if re.search(
        r"\b(?:create|new|write|add)\b(?:\s+\w+){0,3}\s+(?:file\b|`?" + re.escape(path) + ")", outside, re.I
    ):
        text = fenced[1].rstrip("\n") if fenced else "\n".join(quoted) or about(prompt, "0 0", 0)
        return {"type": "create_file", "path": path, "diff": _lines("+", text)}
    old, new = quoted[:2] if len(quoted) > 1 else ("", "\n".join(quoted))
    if fenced:
        new = fenced[1].rstrip("\n")
    diff = (_lines("-", old) if old else "") + _lines("+", new or about(prompt, "0 0", 0))
    return {"type": "update_file", "path": path, "diff": f"@@\n{diff}"}


def _lines(sign: str, text: str) -> str:
    return "".join(f"{sign}{line}\n" for line in text.split("\n"))


def _actions(prompt: str, said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the prompt wants done, in its order, on a screen of the size that the tool says; else a look at the screen."""
    width, height = int(said.get("display_width") or SCREEN[0]), int(said.get("display_height") or SCREEN[1])
    found = list(VERBS.finditer(prompt))
    if not found:
        yield {"type": "screenshot"}
    for index, verb in enumerate(found):
        end = found[index + 1].start() if index + 1 < len(found) else len(prompt)
        yield _action(verb.lastgroup or "", prompt[verb.start() : end], width, height)


def _action(kind: str, clause: str, width: int, height: int) -> dict[str, Any]:
    points = [
        {"x": min(int(x), width - 1), "y": min(int(y), height - 1)} for x, y in POINT.findall(clause)
    ] or [{"x": width // 2, "y": height // 2}]
    match kind:
        case "click":
            return {
                "type": kind,
                "button": "right" if clause.lower().startswith("right") else "left",
                **points[0],
            }
        case "double_click":
            return {"type": kind, "keys": None, **points[0]}
        case "drag":
            return {"type": kind, "path": points if len(points) > 1 else [*points, {"x": 0, "y": 0}]}
        case "scroll":
            up, aside = re.search(r"\bup\b", clause, re.I), re.search(r"\b(?:left|right)\b", clause, re.I)
            far = -SCROLLED if up or (aside and aside[0].lower() == "left") else SCROLLED
            return {
                "type": kind,
                "scroll_x": far if aside else 0,
                "scroll_y": 0 if aside else far,
                **points[0],
            }
        case "move":
            return {"type": kind, **points[0]}
        case "keypress":
            keys = KEYS.search(clause)
            return {"type": kind, "keys": re.split(r"\s*\+\s*", keys[1].upper()) if keys else ["ENTER"]}
        case "type":
            quoted = mentions(clause).quoted
            return {"type": kind, "text": quoted[0] if quoted else " ".join(clause.split()[1:]).rstrip(".!?")}
        case _:
            return {"type": kind}
