"""What stands there before anybody made it: the ids of documentation, and the objects that a test puts there.

A sample says what was asked, and perhaps what was said; that is asked of the provider itself when a request first
names the id, and what is kept of the answer stands under the id from then on, like all that a key made.

    resp_123:                                # its id
      as: response                           # or completion, conversation, model
      asked: {model: gpt-4o-mini, input: Hello}
      says: Hello, Ada.                      # without it the simulated model answers

What a provider lists (`samples` in its file) stands there for every key where any key is taken, and again after it
was deleted, at the next request that names it. What a test keeps (`mock_provider.keep`) stands there for every key,
in its own copy, and once it is deleted it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from conformance.contract import Contract
from conformance.loading import Specs
from conformance.values import Reply, Text
from mockserver.effects import Answer, Fetch, Inner, Note, Script, Store
from mockserver.script import Step
from mockserver.services.keeping import COMPLETION, CONVERSATION, CONVERSED, RESPONSE, conversed
from mockserver.services.stored import DELETED_MODEL

__all__ = ["KEPT", "MADE", "Asker", "lay"]

MODEL = "model"
MADE = (RESPONSE, CONVERSATION, COMPLETION)
"""What a request can make; a fine-tuned model is there without one."""
KEPT, LAID = "sample", "laid-sample"
"""Kinds of values in the state: what a test keeps (`all`: by id), and which of it a key was given."""


class Asker(NamedTuple):
    """Who asks for a sample, where, and how the provider is asked on their behalf."""

    provider: str
    space: str
    owner: str
    ask: Callable[[str, Any], Answer]
    """What the provider answers to a body that is posted to a path."""


def lay(
    specs: Specs, listed: Mapping[str, Any], names: Iterable[str], asker: Asker
) -> Generator[Any, Any, str | None]:
    """Each sample that is named stands there afterwards; why one that a test keeps cannot, None if none of them.

    `listed` are those of the provider, by id.
    """
    for name in names:
        own = ((yield Fetch(asker.space, KEPT, "all")) or {}).get(name)
        sample = own or listed.get(name)
        mark = f"{asker.owner}:{asker.provider}:{name}"
        if sample is None or (own and (yield Fetch(asker.space, LAID, mark))):
            continue
        why = yield from _lay(specs, name, sample, asker)
        if own and why is not None:
            return why
        if own:
            yield Store(asker.space, LAID, mark, True)
    return None


def named(parameters: Mapping[str, str], body: Any) -> Iterator[str]:
    """The ids that a request names: in its path, and as what it goes on from."""
    yield from parameters.values()
    if isinstance(body, Mapping):
        conversation = body.get("conversation")
        inside = conversation.get("id") if isinstance(conversation, Mapping) else conversation
        yield from (each for each in (body.get("previous_response_id"), inside) if isinstance(each, str))


def _makes(contract: Contract) -> str | None:
    """What answers of the contract are kept as."""
    if contract.response.get("does") == "create-conversation":
        return CONVERSATION
    kind: str | None = contract.response.get("remember", {}).get("as")
    return kind


def _lay(specs: Specs, name: str, sample: Mapping[str, Any], asker: Asker) -> Generator[Any, Any, str | None]:
    kind = sample["as"]
    if kind == MODEL:
        yield Store(asker.space, DELETED_MODEL, f"{asker.owner}:{name}", None)
        return None
    path = next((each.request["paths"][0] for each in specs.of(asker.provider) if _makes(each) == kind), None)
    if path is None or (yield from _stands(name, sample, asker)):
        return None
    asked = {**sample["asked"], **({"store": True} if kind == COMPLETION else {})}
    step = None if sample.get("says") is None else Step(reply=Reply((Text(sample["says"]),), "stop"))
    stores, entry = yield from _kept(asker.ask(path, asked), step)
    first = next((each.key for each in stores if each.kind == kind), None)
    if first is None:
        came = "nothing" if entry is None else entry.line()
        return f"{kind} {name!r} cannot be made at {asker.provider}, where its request came to: {came}"
    made = first.removeprefix(f"{asker.owner}:")
    for each in stores:
        key = ":".join(name if part == made else part for part in each.key.split(":"))
        # What is changed since stays so: only what is missing is laid.
        if (yield Fetch(asker.space, each.kind, key)) is None:
            yield Store(asker.space, each.kind, key, _renamed(each.value, made, name))
    return None


def _stands(name: str, sample: Mapping[str, Any], asker: Asker) -> Generator[Any, Any, bool]:
    """Whether all of the sample is there: itself, and the items that have an id in it."""
    if (yield Fetch(asker.space, sample["as"], f"{asker.owner}:{name}")) is None:
        return False
    for item in sample["asked"].get("items", ()) if sample["as"] == CONVERSATION else ():
        key = conversed(asker.owner, name, str(item.get("id")))
        if "id" in item and (yield Fetch(asker.space, CONVERSED, key)) is None:
            return False
    return True


def _kept(answer: Answer, step: Step | None) -> Generator[Any, Any, tuple[list[Store], Any]]:
    """What an answer keeps, and its entry of the journal; nothing goes out, is noted, or takes a scripted step."""
    stores: dict[tuple[str, str], Store] = {}
    entry: Any = None
    result: Any = None
    while True:
        try:
            effect = answer.send(result)
        except StopIteration:
            return [each for each in stores.values() if each.value is not None], entry
        result = None
        match effect:
            case Store(kind=kind, key=key):
                stores[kind, key] = effect
            case Fetch(kind=kind, key=key) if (kind, key) in stores:
                result = stores[kind, key].value
            case Script():
                result = step
            case Note(entry=entry):
                pass
            case _ if isinstance(effect, Inner):
                result = yield effect


def _renamed(value: Any, old: str, new: str) -> Any:
    """The value with the id `new` wherever it has `old`."""
    if isinstance(value, Mapping):
        return {key: _renamed(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, old, new) for each in value]
    return new if value == old else value
