"""State in memory: stored values, quotas, scripts and the journal, apart for each space.

Bounded: the oldest stored value of a kind goes when there are too many, and so does the
oldest journal entry.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from mockserver.effects import Enter, Fetch, Inner, Note, Script, Spend, Store, Tally
from mockserver.quota import Bucket

KEPT_VALUES, KEPT_ENTRIES = 10_000, 10_000


@dataclass
class Space:
    """What one test sees of the mock, and nobody else."""

    values: OrderedDict[tuple[str, str], Any] = field(default_factory=OrderedDict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    counts: dict[str, dict[str, float]] = field(default_factory=dict)
    script: deque[Any] = field(default_factory=deque)
    journal: deque[Any] = field(default_factory=lambda: deque(maxlen=KEPT_ENTRIES))


class Memory:
    """Carries out state effects in this process, from any thread."""

    def __init__(self) -> None:
        self._spaces: dict[str, Space] = {}
        self._lock = threading.Lock()

    def space(self, name: str) -> Space:
        """The space called `name`, made when first asked for."""
        return self._spaces.setdefault(name, Space())

    def spaces(self) -> list[Space]:
        """All spaces there are."""
        with self._lock:
            return list(self._spaces.values())

    def forget(self, name: str) -> None:
        """Drops a space and all that is in it."""
        with self._lock:
            self._spaces.pop(name, None)

    def perform(self, effect: Inner) -> Any:
        """The effect's result, as `mockserver.effects` says."""
        with self._lock:
            space = self.space(effect.space)
            match effect:
                case Fetch(kind=kind, key=key):
                    return space.values.get((kind, key))
                case Store(kind=kind, key=key, value=value):
                    if value is None:
                        space.values.pop((kind, key), None)
                    else:
                        space.values[kind, key] = value
                        if len(space.values) > KEPT_VALUES:
                            space.values.popitem(last=False)
                case Spend():
                    bucket = space.buckets.get(effect.quota)
                    if bucket is None or (bucket.limit, bucket.window) != (
                        effect.limit,
                        effect.window_seconds,
                    ):
                        bucket = Bucket(effect.limit, effect.window_seconds, effect.limit, effect.now)
                        space.buckets[effect.quota] = bucket
                    return bucket.spend(effect.amount, effect.now)
                case Enter(quota=quota, limit=limit, leave=leave):
                    taken = space.places.get(quota, 0)
                    if leave:
                        space.places[quota] = max(0, taken - 1)
                    elif taken >= limit:
                        return False
                    else:
                        space.places[quota] = taken + 1
                    return True
                case Tally(name=name, amounts=amounts):
                    counts = space.counts.setdefault(name, {})
                    for key, amount in amounts.items():
                        counts[key] = counts.get(key, 0) + amount
                    return dict(counts)
                case Script():
                    return space.script.popleft() if space.script else None
                case Note(entry=entry):
                    space.journal.append(entry)
            return None
