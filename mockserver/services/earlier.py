"""The messages of what a request goes on from, each item of a chain read once.

What was read is kept with the newest history of a chain, which the next request reads on from; a request that goes
on from an older one reads anew. Of few chains at a time: those that were read last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import ref

from conformance.dialects.responses import Reading
from conformance.values import Message
from mockserver.history import History
from mockserver.services.keeping import Given, spread, stands_alone

__all__ = ["KEPT", "earlier"]

KEPT = 64
"""Histories at most of which it is kept what was read of them."""

_kept: deque[ref[History]] = deque()


def earlier(found: Given, profile: Any) -> Sequence[Message]:
    """The messages before the request's own. Raises ValueError for a compaction that nobody here made."""
    if stands_alone(found.own):
        return ()
    rest = found.history if found.before is None else found.since
    if found.before is None or stands_alone(rest):
        reading = Reading(profile)
    else:
        reading = Reading(profile, _read(found.before, profile))
    reading.take(spread(rest))
    return reading.messages


def _read(history: History, profile: Any) -> Reading:
    links: list[History] = []
    link: History | None = history
    known: Reading | None = None
    while link is not None:
        known = _known(link, profile)
        if known is not None:
            break
        links.append(link)
        link = link.before
    if known is not None and not links:
        return known
    reading = Reading(profile, known)
    for each in reversed(links):
        if stands_alone(each.items):
            reading = Reading(profile)
        reading.take(spread(each.items))
    if link is not None:
        link.read = None
    _keep(history, profile, reading)
    return reading


def _known(history: History, profile: Any) -> Reading | None:
    # Another thread may take it away at any time; another contract may read the same items otherwise.
    read = history.read
    return read[1] if read is not None and read[0] is profile else None


def _keep(history: History, profile: Any, reading: Reading) -> None:
    history.read = profile, reading
    _kept.append(ref(history))
    while len(_kept) > KEPT:
        old = _kept.popleft()()
        if old is not None and all(each() is not old for each in _kept):
            old.read = None
