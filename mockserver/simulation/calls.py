"""Which tools a prompt wants called, and with what arguments."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.values import Tool, ToolCall, Turn

from . import acting
from .asked import is_greeting
from .grammars import text_of
from .instances import instance, slots
from .literal import literal
from .mentions import Mentions, mentions
from .words import arithmetic, gist, kindred, nouns, stems, topics

__all__ = ["UnknownTool", "calls"]

TAKES_RESULT = re.compile(
    r"^(?:final|structured)_(?:result|answer|output|response)(?:_\w+)?$|^(?:submit|return)_(?:result|answer|output)$"
)
SAYS_RESULT = re.compile(
    r"\bfinal (?:response|result|answer|output)\b|\bends? (?:this|the) conversation\b|"
    r"\bstructured (?:output|response)\b|^respond with (?:a|an|the) (?:\w+ )?object\b",
    re.I,
)
REFUSES_TOOLS = re.compile(
    r"\b(?:do not|don't|without|never|no need to)\s+(?:use|using|call|calling|invoke|any)\b"
    r"[^.]{0,20}\b(?:tools?|functions?)\b|\bwithout\s+(?:using|calling|invoking)\s+(?:it|them)\b",
    re.I,
)


WANTS_TOOLS = re.compile(
    r"\b(?:use|using|with) (?:your|the) (?:tools?|functions?)\b|\bfollow the tool instructions\b", re.I
)
FOLLOWS_UP = re.compile(
    r"\W*(?:(?:ok(?:ay)?|and|so|then)[\s,]+)*(?:(?:what|how) about|and (?:in|at|on|for|of|to))\b", re.I
)
"""Words that ask again what was asked before, of something else."""
OBLIGES = re.compile(r"\b(?:should|must|always|use|call|using|calling)\b", re.I)
SEARCH = "tool_search"
SEARCHES = re.compile(
    r"\btool[ _-]?search\b|\b(?:search|look|find)\b.{0,20}\btools?\b|\bdiscover\b.{0,40}\btools?\b", re.I
)
"""Words for which tools are searched that nobody has named yet."""
QUERY = {"properties": {"query": {"type": "string"}}, "required": ["query"]}
"""What a search is told where the request does not say it."""
CODE = re.compile(r"```[\w+-]*\n(.*?)```", re.S)


class UnknownTool(ValueError):
    """A call is forced of a tool that is not on offer."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """A tool that shares `words` with the prompt; `named` when the prompt says its whole name."""

    tool: Tool
    words: frozenset[str]
    score: int
    named: bool


def calls(turn: Turn, prompt: str, said: str, made: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """The calls to answer with, their ids empty; none when the answer is to be in words.

    `prompt` is what the user says, `said` the same with what tools have answered since, `made` the calls
    already made for this prompt. Raises UnknownTool, and BrokenSchema for a tool's schema.
    """
    choice = turn.tool_choice.mode if turn.tool_choice else "auto"
    if choice == "none" or (not turn.tools and choice == "auto"):
        return ()
    if choice == "named" or not turn.tools:
        name = turn.tool_choice.name if turn.tool_choice else None
        tool = next((tool for tool in turn.tools if tool.name == name), None)
        if tool is None:
            offered = ", ".join(tool.name for tool in turn.tools) or "none"
            raise UnknownTool(f"tool to call: expected one of the tools on offer ({offered}), got {name!r}")
        if tool.builtin is not None:
            return (_acted(tool, prompt, made) or _last(tool, prompt),)
        return _limited(turn, _calls_of(tool, prompt, said))
    own = [tool for tool in turn.tools if tool.builtin is None]
    acted = _acting(turn, prompt, made)
    if acted is not None:
        return (acted,)
    plain = [tool for tool in own if not _takes_result(tool)]
    wishes = _wanted(plain, prompt) or _asked_before(turn, plain, prompt) or _obliged(turn, plain, prompt)
    if search := _search(turn, prompt, made, wishes):
        return (search,)
    if _searcher(turn) is not None:
        # What the application did not find is not there.
        own = [tool for tool in own if not tool.deferred]
        wishes = [tool for tool in wishes if not tool.deferred]
    functions = [tool for tool in own if not _takes_result(tool)]
    wanted = [call for tool in wishes for call in _calls_of(tool, prompt, said)]
    if left := _not_made(wanted, made, turn.parallel_tool_calls is not False):
        return _limited(turn, left)
    if ordered := _ordered(turn, functions, prompt, made):
        return _limited(turn, _calls_of(ordered, prompt, said)[:1])
    takers = [tool for tool in own if _takes_result(tool)]
    if takers:
        return (_call(max(takers, key=lambda tool: _fit(tool, prompt)), mentions(said)),)
    if choice == "any":
        done = {call.name for call in made}
        if done and (left_over := [tool for tool in own if tool.name not in done]):
            # Where a framework takes its result by a tool whose name says nothing, that tool is the last.
            return (_call(_likeliest(left_over[::-1], prompt), mentions(said)),)
        likeliest = _likeliest(own or turn.tools, prompt)
        if likeliest.builtin is not None:
            return (_acted(likeliest, prompt, made) or _last(likeliest, prompt),)
        return _limited(turn, _calls_of(likeliest, prompt, said))
    return ()


def _acting(turn: Turn, prompt: str, made: Sequence[ToolCall]) -> ToolCall | None:
    """What the application is to do next with a computer, a shell or a file; None where nothing of it is wanted."""
    tools = [tool for tool in turn.tools if tool.builtin is not None]
    if not tools or _wants_none(prompt):
        return None
    tool = acting.wanted(tools, prompt)
    return None if tool is None else _acted(tool, prompt, made)


def _acted(tool: Tool, prompt: str, made: Sequence[ToolCall]) -> ToolCall | None:
    """The first step that the tool was not told yet."""
    if tool.name == SEARCH:
        return _searched(tool, prompt)
    steps, done = acting.steps(tool, prompt), sum(call.name == tool.name for call in made)
    return steps[done] if done < len(steps) else None


def _last(tool: Tool, prompt: str) -> ToolCall:
    return acting.steps(tool, prompt)[-1]


def _searcher(turn: Turn) -> Tool | None:
    """The tool by which the application searches for others."""
    return next((tool for tool in turn.tools if tool.builtin is not None and tool.name == SEARCH), None)


def _search(turn: Turn, prompt: str, made: Sequence[ToolCall], wishes: Sequence[Tool]) -> ToolCall | None:
    """The search for tools that the application makes, where the prompt wants some that are not seen yet."""
    tool = _searcher(turn)
    if tool is None or _wants_none(prompt) or any(call.name == SEARCH for call in made):
        return None
    told = "\n".join(message.text for message in turn.messages if message.role in ("system", "user"))
    hidden = any(wish.deferred for wish in wishes)
    return _searched(tool, prompt) if hidden or (not wishes and SEARCHES.search(gist(told))) else None


def _searched(tool: Tool, prompt: str) -> ToolCall:
    schema = (tool.builtin or {}).get("parameters") or QUERY
    words = " ".join(topics(gist(prompt))[:8]) or gist(prompt)
    arguments = instance({"type": "object", **schema}, mentions(words), optional=False)
    return ToolCall("", SEARCH, {"arguments": arguments, "execution": "client"}, builtin=SEARCH)


def _limited(turn: Turn, found: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    return tuple(found[:1] if turn.parallel_tool_calls is False else found)


def _takes_result(tool: Tool) -> bool:
    """Whether an agent framework takes its structured result by this tool."""
    return bool(TAKES_RESULT.match(tool.name) or SAYS_RESULT.search(tool.description))


def _wants_none(prompt: str) -> bool:
    """Whether the prompt is evidently answered without tools."""
    return is_greeting(prompt) or bool(REFUSES_TOOLS.search(prompt)) or literal(prompt) is not None


def _wanted(tools: Sequence[Tool], prompt: str) -> list[Tool]:
    """The tools that the prompt evidently wants, the likeliest first."""
    if _wants_none(prompt):
        return []
    wishes = sorted((_wish(tool, prompt) for tool in tools), key=lambda wish: -wish.score)
    if any(wish.named for wish in wishes):
        return [wish.tool for wish in wishes if wish.named]
    wanted: list[Tool] = []
    explained: set[str] = set()
    for wish in wishes:
        # A second tool is wanted only for words of its own: not for `weather` again.
        if wish.score >= (2 if wanted else 1) and not wish.words <= explained:
            wanted.append(wish.tool)
            explained |= wish.words
    return wanted


def _asked_before(turn: Turn, tools: Sequence[Tool], prompt: str) -> list[Tool]:
    """The tools last called, for a prompt that only says of what else the same is wanted: `what about Paris?`"""
    if not FOLLOWS_UP.match(prompt) or len(prompt) > 200:
        return []
    for message in reversed(turn.messages):
        names = {part.name for part in message.parts if isinstance(part, ToolCall)}
        if names:
            return [tool for tool in tools if tool.name in names]
    return []


def _obliged(turn: Turn, tools: Sequence[Tool], prompt: str) -> list[Tool]:
    """The tools that a sentence of the system says to use, by their name or all its words."""
    if _wants_none(prompt) or not prompt:
        return []
    told = gist("\n".join(message.text for message in turn.messages if message.role == "system"))
    sentences = [text for text in re.split(r"(?<=[.!?])\s|\n", told) if OBLIGES.search(text)]
    return [tool for tool in tools if any(_names(text, tool) for text in sentences)]


def _names(text: str, tool: Tool) -> bool:
    own = stems(tool.name)
    return ("_" in tool.name and mentions(text).has(tool.name)) or (len(own) > 1 and own <= stems(text))


def _ordered(turn: Turn, tools: Sequence[Tool], prompt: str, made: Sequence[ToolCall]) -> Tool | None:
    """The next tool that the system tells to call by its name, where the prompt wants tools used; else the likeliest."""
    if not tools or not WANTS_TOOLS.search(prompt) or REFUSES_TOOLS.search(prompt):
        return None
    told = "\n".join(message.text for message in turn.messages if message.role == "system")
    done = {call.name for call in made}
    places = {
        tool.name: found.start()
        for tool in tools
        if (found := re.search(rf"\bcall\s+(?:the\s+)?[`'\"]?{re.escape(tool.name)}\b", told, re.I))
    }
    named = sorted((tool for tool in tools if tool.name in places), key=lambda tool: places[tool.name])
    left = [tool for tool in named if tool.name not in done]
    if left or named or made:
        return left[0] if left else None
    return _likeliest(tools, prompt)


def _likeliest(tools: Sequence[Tool], prompt: str) -> Tool:
    return max(tools, key=lambda tool: _wish(tool, prompt).score)


def _fit(tool: Tool, prompt: str) -> int:
    """How many words of the prompt a tool that takes a result has in its name, its description and its members."""
    members: Mapping[str, Any] = tool.schema.get("properties", {})
    told = [tool.name, tool.description, *members]
    told += [str(member.get("description", "")) for member in members.values() if isinstance(member, Mapping)]
    return len(stems(" ".join(told)) & stems(prompt))


def _wish(tool: Tool, prompt: str) -> _Wish:
    said = mentions(prompt)
    sums = arithmetic(prompt)
    asked = stems(prompt) | sums | kindred(prompt)
    members = tool.schema.get("properties", {})
    own = (stems(tool.name) & asked) if stems(tool.name) else nouns(tool.name) & nouns(prompt)
    # Places and names that a description gives as examples, and the words for arguments, are no wish.
    examples = stems(" ".join([*mentions(tool.description).names, *members]))
    other = (stems(tool.description) & asked) - own - examples
    named = "_" in tool.name and said.has(tool.name)
    # All words of a calculation are one wish: `add` and `calculator` are not both wanted for it.
    words = frozenset("sum" if word in sums else word for word in own or other)
    return _Wish(tool, words, 2 * len(own) + len(other), named)


def _calls_of(tool: Tool, prompt: str, said: str) -> list[ToolCall]:
    """One call, or one for each of several things: `in Paris and in Rome`."""
    if not _takes_result(tool):
        shares = mentions(prompt).shares(*slots(tool.schema))
        if shares:
            return [_call(tool, share) for share in shares]
    return [_call(tool, mentions(said if _takes_result(tool) else prompt))]


def _call(tool: Tool, said: Mentions) -> ToolCall:
    if tool.custom:
        return ToolCall("", tool.name, _input(tool, said), custom=True, namespace=tool.namespace)
    schema = tool.schema if tool.schema.get("type") else {"type": "object", **tool.schema}
    return ToolCall("", tool.name, instance(schema, said, optional=False), namespace=tool.namespace)


def _input(tool: Tool, said: Mentions) -> str:
    """What a custom tool is given: code or a quotation of the prompt, else all of it; a text of its grammar."""
    if tool.grammar is not None:
        return text_of(tool.grammar) or said.text
    if code := CODE.search(said.text):
        return code[1].strip()
    return said.quoted[0] if said.quoted else said.text


def _not_made(wanted: Sequence[ToolCall], made: Sequence[ToolCall], parallel: bool) -> list[ToolCall]:
    """The wanted calls whose tool was not called yet; one after the other when they may not be parallel."""
    times = Counter(call.name for call in made)
    left = []
    for call in wanted:
        if times[call.name]:
            times[call.name] -= not parallel
        else:
            left.append(call)
    return left
