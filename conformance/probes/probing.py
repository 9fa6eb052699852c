"""A probe's steps as requests: turns in the contract's own words, patched, with credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from urllib.parse import quote, urlencode

from conformance.added import has_variables, with_variables
from conformance.breakage import with_headers
from conformance.contract import Contract
from conformance.dialects import dialect
from conformance.exchange import Request
from conformance.framing import dump
from conformance.patch import merge
from conformance.rules import Step
from conformance.select import change, select, turned
from conformance.target import Target
from conformance.template import fill
from conformance.values import (
    Media,
    Message,
    OutputFormat,
    Part,
    Reply,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    Turn,
)

EMPTY_VIDEO = bytes.fromhex("00000018 66747970 69736f6d 00000200 69736f6d6d703431 00000008 66726565")
"""The boxes `ftyp` and `free` of ISO 14496-12: an MP4 file in which nothing is shown."""


class CannotAsk(ValueError):
    """A probe that this target cannot be asked; the text says why."""


class Unfounded(ValueError):
    """A step that goes on from an earlier answer which did not hold what it needs."""


def turn(said: Mapping[str, Any], target: Target, earlier: Mapping[str, Step], streams: bool) -> Turn:
    """The Turn that a probe's step describes. Raises CannotAsk for a claim the card does not make."""
    choice = said.get("tool_choice")
    output = said.get("output")
    return Turn(
        messages=tuple(part for each in said["messages"] for part in _messages(each, target, earlier)),
        model=target.model,
        tools=tuple(
            Tool(each["name"], each.get("description", ""), each["schema"]) for each in said.get("tools", ())
        ),
        tool_choice=None
        if choice is None
        else ToolChoice(cast(Any, choice))
        if isinstance(choice, str)
        else ToolChoice("named", choice["name"]),
        parallel_tool_calls=said.get("parallel_tool_calls"),
        max_tokens=_cap(said.get("max_tokens"), target),
        stop=tuple(said.get("stop", ())),
        output=OutputFormat(output["schema"], output.get("name", "answer"), strict=True) if output else None,
        temperature=said.get("temperature"),
        top_p=said.get("top_p"),
        seed=said.get("seed"),
        n=said.get("n", 1),
        stream=streams,
        reasoning=said.get("reasoning"),
        tier=said.get("tier"),
    )


class Exactly(int):
    """A cap that is asked as it is, also above what the card claims: a search for the cap asks so."""


def _cap(said: Any, target: Target) -> int | None:
    """The cap; a plain number means that so much is enough, and no model is asked for more than its card claims."""
    number = _number(said, target)
    if number is None or type(said) is not int or target.card is None:
        return number
    claimed = target.card.value("max_output", target.reality)
    return min(number, int(claimed)) if isinstance(claimed, int | float) else number


def _number(said: Any, target: Target) -> int | None:
    if said is None or isinstance(said, int):
        return said
    value = target.card.value(said["claim"], target.reality) if target.card else None
    if not isinstance(value, int | float):
        raise CannotAsk(f"the card of this model claims no number of {said['claim']}")
    return int(value * said.get("times", 1)) + int(said.get("plus", 0))


def _messages(said: Mapping[str, Any], target: Target, earlier: Mapping[str, Step]) -> list[Message]:
    if "answered" in said:
        return [Message("assistant", _reply(earlier, said["answered"]).parts)]
    if "results" in said:
        calls = _reply(earlier, said["results"]).tool_calls
        if not calls:
            raise Unfounded(f"step {said['results']} called no tool, so there is no result to give")
        words = (Text(said["text"]),)
        return [Message("tool", tuple(ToolResult(call.id, words, builtin=call.builtin) for call in calls))]
    if "filler" in said:
        filler = said["word"] * (_number(said["filler"], target) or 0)
        return [Message(said["role"], (Text(f"{said.get('needle', '')}{filler}{said.get('text', '')}"),))]
    if "text" in said:
        return [Message(said["role"], (Text(said["text"]),))]
    return [Message(said["role"], tuple(_part(each) for each in said["parts"]))]


def _reply(earlier: Mapping[str, Step], name: str) -> Reply:
    reply = earlier[name].reply
    if not reply.parts:
        raise Unfounded(f"step {name} has no answer of the model to go on from")
    return reply


def _part(said: Mapping[str, Any]) -> Part:
    if "text" in said:
        return Text(said["text"])
    if "image" in said:
        from conformance.probes.picture import draw

        how = said["image"]
        form = how.get("format", "png")
        return Media("image", form, _whole(how, draw(how.get("code", "0"), how.get("scale", 4), form)))
    if "audio" in said:
        from conformance.probes.sound import dial

        return Media("audio", "wav", _whole(said["audio"], dial(said["audio"]["digits"])))
    if "document" in said:
        from conformance.probes.paper import write

        form = said["document"]["format"]
        return Media("document", form, write(said["document"]["code"], form), name="notes")
    return Media("video", "mp4", EMPTY_VIDEO)


def _whole(said: Mapping[str, Any], data: bytes) -> bytes:
    return data[: len(data) // 2] if said.get("corrupt") else data


def build(
    contract: Contract, name: str, said: Mapping[str, Any], target: Target, earlier: Mapping[str, Step]
) -> tuple[Request, Any, Turn | None]:
    """The request of one step, its JSON body, and the Turn it came from (None for a raw one).

    Raises CannotAsk where the card lacks what the step names, KeyError for an earlier step that is not there.
    """
    asked: Turn | None = None
    model = said.get("model", target.model)
    if isinstance(model, str) and "{" in model:
        model = str(fill(model, {"model": target.model, "region": target.region}))
    if contract.request.get("bare_ids") and "model" not in said and target.card is not None:
        # Behind an inference profile the model is asked by the profile's id everywhere else.
        model = target.card.id_at(target.provider)
    if model is None and contract.model_at and "model" not in said:
        raise CannotAsk(f"no card says which model {target.provider.id} sells: name one with --model")
    if "turn" in said:
        if contract.dialect is None:
            raise CannotAsk(f"{contract.id} has no dialect to put a turn into")
        asked = replace(turn(said["turn"], target, earlier, contract.streams), model=model)
        try:
            body: Any = dialect(contract.dialect).write(asked, contract.profile)
        except ValueError as error:
            why = str(error).partition(", got")[0]
            raise CannotAsk(f"{contract.id} has no words for it: {why}") from error
    else:
        body = said.get("body")
    where = contract.model_at or {}
    if "body" in where and isinstance(body, Mapping):
        body, _ = change(body, where["body"], model, remove=model is None)
    if "patch" in said:
        body = merge(body or {}, _taken(said["patch"], earlier, target))
    if said.get("reversed"):
        body = turned(body)
    path = said.get("path") or _path(contract, model, _taken(said.get("filled", {}), earlier, target))
    path = path.removeprefix(target.without)
    if "query" in said:
        path += "?" + urlencode(_taken(said["query"], earlier, target))
    headers = dict(contract.request.get("sent_headers", {}))
    content_types = contract.request.get("content_types")
    if contract.request.get("body") is not None:
        headers.setdefault("Content-Type", content_types[0] if content_types else "application/json")
    headers, body = _credentials(said.get("auth", "right"), contract, target, headers, body)
    sent = with_headers(tuple(headers.items()), _added(said.get("auth", "right"), contract, target))
    sent = with_headers(sent, said.get("headers", {}))
    if "text" in said:
        raw = said["text"].encode()
    else:
        raw = b"" if body is None else dump(body)
    request = Request(
        said.get("method", contract.method),
        path,
        tuple((key, str(value)) for key, value in sent),
        raw,
    )
    return request, body, asked


def _added(which: str, contract: Contract, target: Target) -> dict[str, str | None]:
    """The headers that the caller added. One that a variable fills may be a key: a probe without one does without
    it, a probe with a wrong one shows that instead."""
    if which == "right":
        return dict(target.headers)
    wrong = None if which == "none" else _key_said(contract, target).get("wrong", {}).get(which)
    plain = {name: value for name, value in target.headers if not has_variables(value)}
    filled = {name: value for name, value in target.headers if has_variables(value)}
    if wrong is None:
        return dict(plain)
    return {
        **plain,
        **{
            name: with_variables(value, dict.fromkeys(target.variables, wrong))
            for name, value in filled.items()
        },
    }


def _key_said(contract: Contract, target: Target) -> Mapping[str, Any]:
    return {**target.provider.said["key"], **contract.said.get("key", {})}


def _taken(value: Any, earlier: Mapping[str, Step], target: Target) -> Any:
    """`{$from: step, $at: pointer}` replaced by what stood there in the earlier step's answer, `{$account: name}`
    by what the target's account has."""
    if isinstance(value, Mapping):
        if "$account" in value:
            return _of_account(value["$account"], target)
        if "$from" in value:
            found = select(earlier[value["$from"]].document, value["$at"])
            if not found:
                raise Unfounded(f"step {value['$from']} has nothing at {value['$at']}")
            return found[0][1]
        return {key: _taken(child, earlier, target) for key, child in value.items()}
    if isinstance(value, list):
        return [_taken(child, earlier, target) for child in value]
    return value


def _of_account(name: str, target: Target) -> str:
    if name not in target.account:
        variable = target.provider.said["account"][name].get("environment")
        what = name.replace("-", " ")
        if variable is None:
            raise CannotAsk(f"it names a {what} that only a mock has")
        raise CannotAsk(f"it names a {what} of the account: say which in {variable}")
    return target.account[name]


def _path(contract: Contract, model: str | None, values: Mapping[str, Any]) -> str:
    template = contract.request["paths"][0]
    where = contract.model_at or {}

    def filled(found: re.Match[str]) -> str:
        if where.get("path") == found[1]:
            return quote(model or "", safe="")
        if found[1] in values:
            return quote(str(values[found[1]]), safe="")
        raise CannotAsk(f"{contract.id}: nothing to put into {{{found[1]}}} of {template}")

    return re.sub(r"\{(\w+)\}", filled, template)


def _credentials(
    which: str, contract: Contract, target: Target, headers: dict[str, str], body: Any
) -> tuple[dict[str, str], Any]:
    said = _key_said(contract, target)
    # A signature is made when it is sent; headers that the caller added say who asks; or nobody asks for a key.
    other = target.signer is not None or (target.key is None and (target.variables or target.auth == "off"))
    if which == "none" or (which == "right" and other):
        return headers, body
    key = target.key if which == "right" else said.get("wrong", {}).get(which)
    if key is None:
        raise CannotAsk(f"{target.provider.id} has no {which} key to show")
    if said.get("body") is not None and isinstance(body, Mapping):
        body, _ = change(body, said["body"], key)
        return headers, body
    return {**headers, **{name: value.replace("{key}", key) for name, value in said["send"].items()}}, body
