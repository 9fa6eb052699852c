"""A context that grew too long is made short while it is answered: `context_management` of the Responses API.

The answer begins with an item that stands for all that was said before it; what goes on from the answer, or sends the
item back, is read from there on. This answer itself is still made from everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.dialects.chat import mapping, sequence, whole
from conformance.values import HostedCall, Reply, Turn
from mockserver.services import keeping
from mockserver.simulation import tokens

__all__ = ["compacted", "shortened"]


def compacted(
    replies: Sequence[Reply], turn: Turn, body: Mapping[str, Any], items: Iterable[Any], words: int
) -> list[Reply]:
    """The replies, each with a compaction before all else if the prompt is longer than a threshold of the body.

    Of each text in `items` so many words are kept. An entry without a threshold asks for nothing.
    """
    entries = map(mapping, sequence(body.get("context_management")))
    thresholds = [most for each in entries if (most := whole(each.get("compact_threshold"))) is not None]
    if turn.silent or not thresholds or tokens.count(turn) <= min(thresholds):
        return [*replies]
    summary = "\n".join(shortened(keeping.since_whole(items), words))
    made = HostedCall("compaction", {"encrypted_content": keeping.sealed(summary, whole=True)})
    written = tokens.count_text(summary)
    return [
        replace(
            each,
            hosted=(made, *each.hosted),
            usage=each.usage and replace(each.usage, output=each.usage.output + written),
        )
        for each in replies
    ]


def shortened(items: Iterable[Any], most: int) -> Iterator[str]:
    """The first words of each text in the items; what was made short before stays as it is."""
    for item in items:
        if keeping.is_compaction(item):
            yield keeping.unsealed(item)
            continue
        for text in _texts(item):
            yield " ".join(text.split()[:most])


def _texts(item: Any) -> Iterator[str]:
    for name in ("content", "output", "summary"):
        said = mapping(item).get(name)
        if isinstance(said, str):
            yield said
        elif isinstance(said, list):
            yield from (each["text"] for each in map(mapping, said) if isinstance(each.get("text"), str))
