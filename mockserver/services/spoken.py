"""Spoken answers that a later request names by their id: what was said then counts as said, until it expires."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from conformance.dialects.chat import mapping, sequence
from conformance.exchange import Response
from mockserver.effects import Fetch, Store
from mockserver.services.operation import Denied

__all__ = ["given", "keep"]

SPOKEN = "spoken"
"""The kind of value in the state, under `principal:id`: `transcript` and `expires_at` in seconds since 1970."""


def given(body: Any, space: str, owner: str, now: float) -> Generator[Any, Any, Any]:
    """The body with what was said in the place of each name of a spoken answer; Denied for one that is not kept.

    A body that names none comes back as it is.
    """
    messages = list(sequence(mapping(body).get("messages")))
    named = [
        (index, name)
        for index, message in enumerate(messages)
        if (name := mapping(mapping(message).get("audio")).get("id")) is not None
    ]
    for index, name in named:
        kept = yield Fetch(space, SPOKEN, f"{owner}:{name}")
        if kept is None or kept["expires_at"] < now:
            return Denied("unknown-audio", {"got": name, "member": f"messages[{index}].audio.id"})
        messages[index] = {**messages[index], "content": kept["transcript"]}
    return {**body, "messages": messages} if named else body


def keep(response: Response, space: str, owner: str) -> Generator[Any, Any, None]:
    """Keeps what each choice of a chat completion, whole or streamed, says in speech."""
    for said in _spoken(response):
        kept = {"transcript": said["transcript"], "expires_at": said["expires_at"]}
        yield Store(space, SPOKEN, f"{owner}:{said['id']}", kept)


def _spoken(response: Response) -> Iterator[Mapping[str, Any]]:
    if response.events is None:
        for choice in sequence(mapping(response.body).get("choices")):
            if audio := mapping(mapping(choice["message"]).get("audio")):
                yield audio
        return
    pieces: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for event in response.events:
        for choice in sequence(mapping(event.data).get("choices")):
            if audio := mapping(mapping(choice.get("delta")).get("audio")):
                pieces[choice["index"]].append(audio)
    for each in pieces.values():
        words = "".join(piece.get("transcript", "") for piece in each)
        yield {**{name: value for piece in each for name, value in piece.items()}, "transcript": words}
