"""One page of a list, by the id of the entry before it: `limit`, `order` and `after`, as the OpenAI family has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conformance.template import fill
from mockserver.services.operation import Asked, Denied


def page(entries: Iterable[Mapping[str, Any]], asked: Asked) -> Any:
    """The list object of the contract with one page of `entries` (oldest first); Denied for an unknown `after` that
    the contract does not take for the end."""
    said = asked.contract.response
    how, query = said["page"], asked.query
    ordered = list(entries)
    if query.get("order", how["order"]) == how["newest_first"]:
        ordered.reverse()
    if "after" in query:
        places = [at for at, each in enumerate(ordered) if each.get("id") == query["after"]]
        if not places and "unknown_after" not in how:
            details = {
                "member": "after",
                "got": query["after"],
                "expected": "the id of an entry of this list",
            }
            return Denied("bad-page", details)
        ordered = ordered[places[0] + 1 :] if places else []
    shown = ordered[: query.get("limit", how["default"])]
    values: Mapping[str, Any] = {
        "entries": shown,
        "first_id": shown[0].get("id") if shown else None,
        "last_id": shown[-1].get("id") if shown else None,
        "has_more": len(ordered) > len(shown),
    }
    return fill(said["answer"], values)
