"""Operations on what is kept of answers: responses of the Responses API, stored chat completions, models of one's own."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from conformance.dialects.chat import make_id, mapping, write_usage
from conformance.template import fill
from conformance.values import Usage
from mockserver.effects import Browse, Fetch, Store
from mockserver.services import compacting, keeping
from mockserver.services.keeping import COMPLETION, ITEM, RESPONSE
from mockserver.services.operation import Asked, Body, Denied, Operation
from mockserver.services.paged import page
from mockserver.simulation import tokens

__all__ = ["OPERATIONS"]

DELETED_MODEL = "deleted-model"


# Responses


def retrieve_response(asked: Asked) -> Body:
    """The response as it is now; to look at one in the background lets it go on."""
    kept = yield from _kept_response(asked)
    if isinstance(kept, Denied):
        return kept
    return (yield from keeping.look(kept, asked.space, asked.principal))["response"]


def resume_response(asked: Asked) -> Body:
    """The events of a response that was begun in the background as a stream, after the number that was heard last."""
    kept = yield from _kept_response(asked)
    if isinstance(kept, Denied):
        return kept
    if kept["events"] is None:
        return Denied("not-streamed", {"got": asked.parameters["response_id"], "member": "stream"})
    yield from keeping.finish(kept, asked.space, asked.principal)
    heard = asked.query.get("starting_after")
    padded = asked.query.get("include_obfuscation") != "false"
    return [
        event if padded else {name: value for name, value in event.items() if name != "obfuscation"}
        for event in kept["events"]
        if heard is None or event["sequence_number"] > heard
    ]


def delete_response(asked: Asked) -> Body:
    """The response is forgotten, and so are its own items; what went on from it stays whole."""
    kept = yield from _kept_response(asked)
    if isinstance(kept, Denied):
        return kept
    yield Store(asked.space, RESPONSE, asked.key(asked.parameters["response_id"]), None)
    for name in kept["own"] if kept["conversation"] is None else ():
        yield Store(asked.space, ITEM, asked.key(name), None)
    return _told(asked, asked.parameters["response_id"])


def cancel_response(asked: Asked) -> Body:
    """The response, which goes no further; one that is over is given as it is."""
    kept = yield from _kept_response(asked)
    if isinstance(kept, Denied):
        return kept
    if not kept["response"].get("background"):
        return Denied("not-in-background", {"got": asked.parameters["response_id"]})
    status = asked.contract.response["answer"]["status"]
    return (yield from keeping.cancel(kept, status, asked.space, asked.principal))["response"]


def list_input_items(asked: Asked) -> Body:
    """A page of all that the response was made from: what it went on from, then its own input."""
    kept = yield from _kept_response(asked)
    return kept if isinstance(kept, Denied) else page(kept["input"], asked)


def _kept_response(asked: Asked) -> Generator[Any, Any, Any]:
    name = asked.parameters["response_id"]
    kept = yield Fetch(asked.space, RESPONSE, asked.key(name))
    return Denied("unknown-response", {"got": name, "member": "response_id"}) if kept is None else kept


def count_input_tokens(asked: Asked) -> Body:
    """As many tokens as the request would use for its prompt, with all that it goes on from."""
    yield from ()
    assert asked.turn is not None
    return fill(asked.contract.response["answer"], {"input_tokens": tokens.count(asked.turn)})


def compact(asked: Asked) -> Body:
    """The messages of the user, and one item with the rest in few words."""
    yield from ()
    assert asked.turn is not None
    said = asked.contract.response
    forms = said["ids"]
    items = keeping.listed(asked.items, forms, said["text_part"], asked.ids)
    users = [each for each in items if each["type"] == "message" and each["role"] == "user"]
    rest = [each for each in keeping.since_whole(items) if each not in users]
    summary = "\n".join(compacting.shortened(rest, said["compaction"]["words"]))
    item = {
        "id": make_id(forms["compaction"], asked.ids),
        "type": "compaction",
        "encrypted_content": keeping.sealed(summary),
    }
    usage = Usage(tokens.count(asked.turn), tokens.count_text(summary))
    values = {
        "id": make_id(forms["response"], asked.ids),
        "now": int(asked.now),
        "output": [*users, item],
        "usage": write_usage(usage, "input", "output", asked.contract.profile["usage_details"]),
    }
    return fill(said["answer"], values)


# Chat completions


def list_completions(asked: Asked) -> Body:
    """A page of the caller's stored completions, of one model and with certain metadata if the query says so."""
    kept = yield Browse(asked.space, COMPLETION, asked.key(""))
    wanted = {
        found[1]: value
        for name, value in asked.query.items()
        for found in [re.fullmatch(r"metadata\[(.*)\]", name)]
        if found
    }
    model = asked.query.get("model")
    return page(
        [
            each["completion"]
            for _, each in kept
            if model in (None, each["completion"]["model"])
            and wanted.items() <= mapping(each["completion"].get("metadata")).items()
        ],
        asked,
    )


def retrieve_completion(asked: Asked) -> Body:
    """A stored completion."""
    kept = yield from _kept_completion(asked)
    return kept if isinstance(kept, Denied) else kept["completion"]


def update_completion(asked: Asked) -> Body:
    """The completion with the new metadata in place of the old."""
    kept = yield from _kept_completion(asked)
    if isinstance(kept, Denied):
        return kept
    changed = {**kept["completion"], "metadata": asked.body["metadata"] or {}}
    yield Store(asked.space, COMPLETION, asked.key(changed["id"]), {**kept, "completion": changed})
    return changed


def delete_completion(asked: Asked) -> Body:
    """The completion is forgotten."""
    kept = yield from _kept_completion(asked)
    if isinstance(kept, Denied):
        return kept
    yield Store(asked.space, COMPLETION, asked.key(asked.parameters["completion_id"]), None)
    return _told(asked, asked.parameters["completion_id"])


def list_messages(asked: Asked) -> Body:
    """A page of the messages that a stored completion answered."""
    kept = yield from _kept_completion(asked)
    if isinstance(kept, Denied):
        return kept
    return page([*_shown_messages(kept, asked.contract.response["entry"])], asked)


def _shown_messages(kept: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for index, message in enumerate(kept["messages"]):
        content = message.get("content")
        parts = content if isinstance(content, list) else None
        text = content if parts is None else "".join(each.get("text", "") for each in parts)
        yield {
            **message,
            **fill(entry, {"id": kept["completion"]["id"], "index": index, "content": text, "parts": parts}),
        }


def _kept_completion(asked: Asked) -> Generator[Any, Any, Any]:
    name = asked.parameters["completion_id"]
    kept = yield Fetch(asked.space, COMPLETION, asked.key(name))
    return Denied("unknown-completion", {"got": name, "member": "completion_id"}) if kept is None else kept


# Models


def delete_model(asked: Asked) -> Body:
    """A model that was tuned from one on sale is gone for this caller; others cannot be deleted."""
    name = asked.parameters["model"]
    tuned = re.fullmatch(asked.contract.response["deletable"], name)
    if tuned is None:
        known = asked.specs.card(asked.provider, name) is not None
        return Denied("not-deletable" if known else "unknown-model", {"model": name, "got": name})
    gone = yield Fetch(asked.space, DELETED_MODEL, asked.key(name))
    if gone or asked.specs.card(asked.provider, tuned["id"]) is None:
        return Denied("unknown-model", {"model": name, "got": name})
    yield Store(asked.space, DELETED_MODEL, asked.key(name), True)
    return _told(asked, name)


def _told(asked: Asked, name: str) -> Any:
    return fill(asked.contract.response["answer"], {"id": name})


OPERATIONS: Mapping[str, Operation] = {
    "retrieve-response": retrieve_response,
    "resume-response": resume_response,
    "delete-response": delete_response,
    "cancel-response": cancel_response,
    "list-input-items": list_input_items,
    "count-input-tokens": count_input_tokens,
    "compact": compact,
    "list-completions": list_completions,
    "retrieve-completion": retrieve_completion,
    "update-completion": update_completion,
    "delete-completion": delete_completion,
    "list-messages": list_messages,
    "delete-model": delete_model,
}
