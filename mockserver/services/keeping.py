"""What is kept of an answer, and what a request goes on from: responses, conversations, stored completions.

Kinds of values in the state, each under `principal:...`, so that one key never sees another's:

    response           id               input (the whole context, a History), response as it is now, final, ahead
                                        (the statuses that looks will still see; None when it is over), own, events
    item               id               one item of a response or a conversation, for references to it
    conversation       id               the conversation object
    conversation-item  conversation:id  one item of it
    said               conversation     the context of the last response in it, which the next one shares
    completion         id               completion, messages

Which answers are kept, and for how many looks one made in the background is unfinished, stands in the contract under
`response.remember` and `response.background`. What is kept of a response is whole: to delete or to lose the head of a
chain leaves the responses after it as they are (they share what they went on from). What goes on from an unfinished one has its input, and no output yet.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract import Contract
from conformance.dialects import Ids
from conformance.dialects.chat import make_id
from conformance.dialects.responses import items
from conformance.exchange import Event, Response
from mockserver.effects import Browse, Fetch, Store
from mockserver.history import History, begun
from mockserver.services.operation import Denied

__all__ = [
    "COMPLETION",
    "CONVERSATION",
    "CONVERSED",
    "ITEM",
    "RESPONSE",
    "SAID",
    "Given",
    "given",
    "keep",
    "spread",
]

RESPONSE, ITEM, COMPLETION = "response", "item", "completion"
CONVERSATION, CONVERSED, SAID = "conversation", "conversation-item", "said"

LONGEST_SUMMARY = 1_000_000
"""Characters that the words of a compaction may have when they come back."""

WHOLE = "~"
"""How a compaction begins that stands for all that was said before it."""


@dataclass(frozen=True)
class Given:
    """What a request is given to go on from, and its own input with references looked up.

    `before` is the part of the history that another response holds, `since` the items after it.
    """

    history: Sequence[Any]
    own: Sequence[Any]
    conversation: str | None
    before: History | None = None
    since: Sequence[Any] = ()


def given(body: Any, space: str, owner: str) -> Generator[Any, Any, Given | Denied]:
    """What the body of a request to the Responses API goes on from; Denied if it names what is not there."""
    body = body if isinstance(body, Mapping) else {}
    previous, conversation = body.get("previous_response_id"), _named(body.get("conversation"))
    if previous is not None and conversation is not None:
        return Denied("exclusive-members", {"member": "previous_response_id", "got": "conversation"})
    if body.get("background") and body.get("store") is False:
        return Denied("background-unstored", {"member": "background", "got": "store"})
    history: list[Any] = []
    before: History | None = None
    since: Sequence[Any] = ()
    if previous is not None:
        kept = yield Fetch(space, RESPONSE, f"{owner}:{previous}")
        if kept is None:
            return Denied("unknown-response", {"got": previous, "member": "previous_response_id"})
        before, since = kept["input"], kept["response"]["output"]
        history = [*before, *since]
    elif conversation is not None:
        if (yield Fetch(space, CONVERSATION, f"{owner}:{conversation}")) is None:
            return Denied("unknown-conversation", {"got": conversation, "member": "conversation"})
        history = [item for _, item in (yield Browse(space, CONVERSED, conversed(owner, conversation)))]
        before, since = begun(history, (yield Fetch(space, SAID, f"{owner}:{conversation}")))
    own: list[Any] = []
    for item in items(body):
        if isinstance(item, Mapping) and item.get("type") == "item_reference":
            item = yield Fetch(space, ITEM, f"{owner}:{item['id']}")
            if item is None:
                return Denied("unknown-item", {"got": items(body)[len(own)]["id"], "member": "input"})
        own.append(item)
    return Given(history, own, conversation, before, since)


def context(found: Given | None, body: Any) -> list[Any]:
    """All that a request is answered from: what it goes on from, then its own input."""
    if found is None:
        return [*items(body)] if isinstance(body, Mapping) else []
    return [*found.history, *found.own]


def _named(conversation: Any) -> Any:
    return conversation.get("id") if isinstance(conversation, Mapping) else conversation


def conversed(owner: str, conversation: str, item: str = "") -> str:
    """The key of an item of a conversation; without `item` the beginning of all of them."""
    return f"{owner}:{conversation}:{item}"


# Compaction


def sealed(summary: str, *, whole: bool = False) -> str:
    """The opaque words of a compaction: whoever sends them back is understood, nothing is kept for it.

    A whole one stands for all that was said before it, another one beside the messages that it came with.
    """
    return WHOLE * whole + base64.urlsafe_b64encode(zlib.compress(summary.encode())).decode()


def spread(items: Iterable[Any]) -> Iterator[Any]:
    """The items with each compaction replaced by what it says, from the last whole one on.

    Raises ValueError for a compaction that nobody here made.
    """
    for item in since_whole(items):
        yield {"role": "assistant", "content": unsealed(item)} if is_compaction(item) else item


def since_whole(items: Iterable[Any]) -> Sequence[Any]:
    """The items from the last whole compaction on: all of them if there is none."""
    items = [*items]
    return items[next((at for at in reversed(range(len(items))) if _is_whole(items[at])), 0) :]


def stands_alone(items: Iterable[Any]) -> bool:
    """Whether what came before the items is no longer read: a whole compaction is among them."""
    return any(map(_is_whole, items))


def is_compaction(item: Any) -> bool:
    """Whether an item is what is left of a context that was made short."""
    return isinstance(item, Mapping) and item.get("type") == "compaction"


def _is_whole(item: Any) -> bool:
    return is_compaction(item) and str(item.get("encrypted_content")).startswith(WHOLE)


def is_spread(items: Iterable[Any]) -> bool:
    """Whether some of the items are not what a request says itself: a compaction, or an item that it referred to."""
    return any(is_compaction(item) or (isinstance(item, Mapping) and "id" in item) for item in items)


def unsealed(item: Mapping[str, Any]) -> str:
    """What a compaction says. Raises ValueError for one that nobody here made."""
    text = str(item.get("encrypted_content")).removeprefix(WHOLE)
    try:
        opened = zlib.decompressobj()
        words = opened.decompress(base64.urlsafe_b64decode(text.encode()), LONGEST_SUMMARY)
        if opened.unconsumed_tail or not opened.eof:
            raise ValueError("it is cut or too long")
        return words.decode()
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ValueError(f"no compaction of ours: {error}") from error


# Responses


def listed(
    items: Iterable[Any], forms: Mapping[str, Any], text_part: Mapping[str, Any], ids: Ids
) -> list[Any]:
    """The items as lists show them: each with a type and an id, messages with parts and a status.

    `text_part` is what a part that the model said has besides.
    """
    return [_listed(item, forms, text_part, ids) for item in items]


def _listed(item: Any, forms: Mapping[str, Any], text_part: Mapping[str, Any], ids: Ids) -> Any:
    kind = item.get("type", "message")
    form = forms.get(kind, forms["other"])
    head = {"id": item.get("id") or make_id(form, ids), "type": kind}
    if kind != "message":
        unsaid = {name: value for name, value in form.get("unsaid", {}).items() if item.get(name) is None}
        # No content is content that is not there: only a request may say it with a null.
        said = {name: value for name, value in item.items() if name != "content" or value is not None}
        return {**said, **unsaid, **head}
    content = item["content"]
    if isinstance(content, str):
        if item["role"] == "assistant":
            content = [{"type": "output_text", "text": content, **text_part}]
        else:
            content = [{"type": "input_text", "text": content}]
    return {**head, "status": "completed", **item, **head, "content": content}


def keep(
    contract: Contract,
    body: Any,
    found: Given | None,
    response: Response,
    space: str,
    owner: str,
    ids: Ids,
) -> Generator[Any, Any, Response]:
    """Keeps a response of the Responses API; gives it as it goes out, which one in the background does unfinished."""
    rule = contract.response["remember"]
    if found is None:
        found = Given((), items(body), None)
    response = _in_conversation(response, found.conversation)
    final = _made(response)
    if final is None:
        return response
    statuses = contract.response.get("background", {})
    background = bool(body.get("background") and statuses)
    stages = [word for word, looks in statuses.items() for _ in range(looks)]
    if background:
        response = _unfinished_answer(response, stages)
    own = listed(found.own, {**contract.profile["ids"], **rule["ids"]}, rule["text_part"], ids)
    # An item that came with an id is another response's.
    named = {item.get("id") for item in found.own}
    kept = {
        "input": History(found.before, (*found.since, *own)),
        "own": [each["id"] for each in (*own, *final["output"]) if each.get("id") not in {None, *named}],
        "new": own,
        "conversation": found.conversation,
        "final": final,
        "response": unfinished(final, stages[0]) if background else final,
        "ahead": stages[1:] if background else None,
        "events": None,
    }
    if background and response.events is not None:
        kept["events"] = [event.data for event in response.events]
    if body.get("store") is not False:
        for item in (*own, *final["output"]):
            if "id" in item:
                yield Store(space, ITEM, f"{owner}:{item['id']}", item)
        yield Store(space, RESPONSE, f"{owner}:{final['id']}", kept)
    if not background:
        yield from _converse(kept, space, owner)
    return response


def keep_completion(
    rule: Mapping[str, Any], body: Mapping[str, Any], made: Mapping[str, Any], space: str, owner: str
) -> Generator[Any, Any, None]:
    """Keeps a chat completion, with the members of its request that stored ones repeat, and what it answered."""
    repeated = {name: body.get(name, unsaid) for name, unsaid in rule["repeats"].items()}
    kept = {"completion": {**made, **repeated}, "messages": body["messages"]}
    yield Store(space, COMPLETION, f"{owner}:{made['id']}", kept)


def look(kept: Mapping[str, Any], space: str, owner: str) -> Generator[Any, Any, Mapping[str, Any]]:
    """What is kept of a response, after somebody looked at it: one made in the background goes a step on."""
    if kept["ahead"] is None:
        return kept
    if not kept["ahead"]:
        return (yield from finish(kept, space, owner))
    return (yield from _changed(kept, kept["ahead"][0], kept["ahead"][1:], space, owner))


def finish(kept: Mapping[str, Any], space: str, owner: str) -> Generator[Any, Any, Mapping[str, Any]]:
    """The response is made; what was said goes to its conversation. One that is over stays as it is."""
    if kept["ahead"] is None:
        return kept
    done = {**kept, "response": kept["final"], "ahead": None}
    yield Store(space, RESPONSE, f"{owner}:{kept['final']['id']}", done)
    yield from _converse(done, space, owner)
    return done


def cancel(
    kept: Mapping[str, Any], status: str, space: str, owner: str
) -> Generator[Any, Any, Mapping[str, Any]]:
    """The response goes no further; of its stream that stays which came before its first item."""
    if kept["ahead"] is None:
        return kept
    events = kept["events"]
    if events:
        events = events[: next((at for at, each in enumerate(events) if "item" in each), len(events))]
    return (yield from _changed({**kept, "events": events}, status, None, space, owner))


def _changed(
    kept: Mapping[str, Any], status: str, ahead: Sequence[str] | None, space: str, owner: str
) -> Generator[Any, Any, Mapping[str, Any]]:
    changed = {**kept, "response": unfinished(kept["final"], status), "ahead": ahead}
    yield Store(space, RESPONSE, f"{owner}:{kept['final']['id']}", changed)
    return changed


def unfinished(final: Mapping[str, Any], status: str) -> dict[str, Any]:
    """The response object before there is an answer in it."""
    unsaid: dict[str, Any] = {
        "status": status,
        "output": [],
        "usage": None,
        "completed_at": None,
        "incomplete_details": None,
    }
    return {name: unsaid.get(name, value) for name, value in final.items()}


def _converse(kept: Mapping[str, Any], space: str, owner: str) -> Generator[Any, Any, None]:
    if kept["conversation"] is not None:
        yield from append([*kept["new"], *kept["final"]["output"]], kept["conversation"], space, owner)
        yield Store(space, SAID, f"{owner}:{kept['conversation']}", kept["input"])


def append(items: Iterable[Any], conversation: str, space: str, owner: str) -> Generator[Any, Any, None]:
    """The items stand at the end of the conversation."""
    for item in items:
        yield Store(space, CONVERSED, conversed(owner, conversation, item["id"]), item)
        yield Store(space, ITEM, f"{owner}:{item['id']}", item)


def _made(response: Response) -> Any:
    """The finished response object in an answer; None if there is none."""
    if response.events is None:
        return response.body
    return next(
        (each.data["response"] for each in reversed(response.events) if "response" in each.data), None
    )


def _in_conversation(response: Response, conversation: str | None) -> Response:
    """The answer, which names its conversation if it has one."""
    if conversation is None:
        return response
    said = {"conversation": {"id": conversation}}
    if response.events is None:
        return replace(response, body={**response.body, **said})
    return replace(
        response,
        events=tuple(
            Event(each.name, {**each.data, "response": {**each.data["response"], **said}})
            if "response" in each.data
            else each
            for each in response.events
        ),
    )


def _unfinished_answer(response: Response, stages: Sequence[str]) -> Response:
    """The answer as it goes out while the work goes on: a plain one is not begun, a stream says that it waits."""
    if response.events is None:
        return replace(response, body=unfinished(response.body, stages[0]))
    first = response.events[0].data
    waits = {**first, "response": {**first["response"], "status": stages[0]}}
    told = [waits, {**waits, "type": f"response.{stages[0]}"}, *(each.data for each in response.events[1:])]
    begin = first["sequence_number"]
    return replace(
        response,
        events=tuple(
            Event(data["type"], {**data, "sequence_number": number})
            for number, data in enumerate(told, begin)
        ),
    )
