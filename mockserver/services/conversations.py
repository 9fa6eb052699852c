"""Operations on conversations: an object with metadata, and items that responses and their callers add to it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from conformance.dialects.chat import make_id
from conformance.template import fill
from mockserver.effects import Browse, Fetch, Store
from mockserver.services import keeping
from mockserver.services.keeping import CONVERSATION, CONVERSED, ITEM, SAID, conversed
from mockserver.services.operation import Asked, Body, Denied, Operation
from mockserver.services.paged import page

__all__ = ["OPERATIONS"]


def create_conversation(asked: Asked) -> Body:
    """A new conversation, with the items that it begins with."""
    said = asked.contract.response
    name = make_id(said["ids"]["conversation"], asked.ids)
    values = {"id": name, "now": int(asked.now), "metadata": asked.body.get("metadata") or {}}
    made = fill(said["answer"], values)
    # With a seed the same request makes the same id again: what was said under it before is another conversation's.
    yield from _forget(asked, name)
    yield Store(asked.space, CONVERSATION, asked.key(name), made)
    items = keeping.listed(asked.body.get("items") or (), said["ids"], said["text_part"], asked.ids)
    yield from keeping.append(items, name, asked.space, asked.principal)
    return made


def retrieve_conversation(asked: Asked) -> Body:
    """The conversation, without its items."""
    return (yield from _conversation(asked))


def update_conversation(asked: Asked) -> Body:
    """The conversation with the new metadata in place of the old."""
    found = yield from _conversation(asked)
    if isinstance(found, Denied):
        return found
    changed = {**found, "metadata": asked.body["metadata"] or {}}
    yield Store(asked.space, CONVERSATION, asked.key(changed["id"]), changed)
    return changed


def delete_conversation(asked: Asked) -> Body:
    """The conversation is gone; its items are not deleted, so a reference to one still finds it."""
    found = yield from _conversation(asked)
    if isinstance(found, Denied):
        return found
    yield from _forget(asked, found["id"])
    return fill(asked.contract.response["answer"], {"id": found["id"]})


def _forget(asked: Asked, name: str) -> Generator[Any, Any, None]:
    yield Store(asked.space, CONVERSATION, asked.key(name), None)
    yield Store(asked.space, SAID, asked.key(name), None)
    for key, _ in (yield Browse(asked.space, CONVERSED, conversed(asked.principal, name))):
        yield Store(asked.space, CONVERSED, key, None)


def add_items(asked: Asked) -> Body:
    """The items that were added, as a list."""
    found = yield from _conversation(asked)
    if isinstance(found, Denied):
        return found
    said = asked.contract.response
    items = keeping.listed(asked.body["items"], said["ids"], said["text_part"], asked.ids)
    yield from keeping.append(items, found["id"], asked.space, asked.principal)
    return page(items, asked)


def list_items(asked: Asked) -> Body:
    """A page of the conversation's items."""
    found = yield from _conversation(asked)
    if isinstance(found, Denied):
        return found
    kept = yield Browse(asked.space, CONVERSED, conversed(asked.principal, found["id"]))
    return page([item for _, item in kept], asked)


def retrieve_item(asked: Asked) -> Body:
    """One item."""
    _, found = yield from _item(asked)
    return found


def delete_item(asked: Asked) -> Body:
    """The conversation, which has the item no more."""
    conversation, found = yield from _item(asked)
    if isinstance(found, Denied):
        return found
    name = found["id"]
    yield Store(asked.space, CONVERSED, conversed(asked.principal, conversation["id"], name), None)
    yield Store(asked.space, ITEM, asked.key(name), None)
    return conversation


def _conversation(asked: Asked) -> Generator[Any, Any, Any]:
    name = asked.parameters["conversation_id"]
    found = yield Fetch(asked.space, CONVERSATION, asked.key(name))
    return (
        Denied("unknown-conversation", {"got": name, "member": "conversation_id"}) if found is None else found
    )


def _item(asked: Asked) -> Generator[Any, Any, tuple[Any, Any]]:
    """The conversation and its item; in the item's place Denied if one of them is not there."""
    conversation = yield from _conversation(asked)
    if isinstance(conversation, Denied):
        return None, conversation
    name = asked.parameters["item_id"]
    found = yield Fetch(asked.space, CONVERSED, conversed(asked.principal, conversation["id"], name))
    return conversation, Denied(
        "unknown-item", {"got": name, "member": "item_id"}
    ) if found is None else found


OPERATIONS: Mapping[str, Operation] = {
    "create-conversation": create_conversation,
    "retrieve-conversation": retrieve_conversation,
    "update-conversation": update_conversation,
    "delete-conversation": delete_conversation,
    "add-items": add_items,
    "list-items": list_items,
    "retrieve-item": retrieve_item,
    "delete-item": delete_item,
}
