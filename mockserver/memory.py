"""State in memory: stored values, quotas, scripts and the journal, apart for each space.

Bounded, and what goes is always the oldest:

    of one kind, of one owner    10,000 values    its own oldest value goes
    of one kind, of all owners   100,000 values   the oldest value of whoever has most goes
    owners of one kind           1,000            all that the owner has who stored nothing for the longest time goes
    journal of a space           10,000 entries   the oldest entry goes

So no test pushes out another's values (each has a space), and no key another key's by storing much. What went is
answered like what never was: 404, or as the contract has it. Each stored response holds the whole context it was made
with, so a chain whose head went can be continued from every response that is left; a conversation whose oldest items
went goes on without them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from mockserver.effects import Browse, Enter, Fetch, Inner, Left, Note, Script, Spend, Store, Tally
from mockserver.quota import Bucket

KEPT_VALUES, KEPT_OF_A_KIND, KEPT_OWNERS, KEPT_ENTRIES = 10_000, 100_000, 1_000, 10_000


class Shelves:
    """The values of one kind, by owner; each owner's in the order in which they were first stored."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, OrderedDict[str, Any]] = OrderedDict()
        self._count = 0

    def get(self, key: str) -> Any:
        """The value, None if there is none."""
        shelf = self._of.get(_owner(key))
        return None if shelf is None else shelf.get(key)

    def begin_with(self, prefix: str) -> list[tuple[str, Any]]:
        """The values of the prefix's owner whose keys begin so, oldest first."""
        shelf = self._of.get(_owner(prefix)) or OrderedDict()
        return [(key, value) for key, value in shelf.items() if key.startswith(prefix)]

    def forget(self, key: str) -> None:
        """Takes the value away, if it is there."""
        shelf = self._of.get(_owner(key)) or OrderedDict()
        if key in shelf:
            del shelf[key]
            self._count -= 1
            if not shelf:
                del self._of[_owner(key)]

    def put(self, key: str, value: Any) -> None:
        """Keeps the value, and lets go of what is too much."""
        owner = _owner(key)
        shelf = self._of.setdefault(owner, OrderedDict())
        self._of.move_to_end(owner)
        self._count += key not in shelf
        shelf[key] = value
        if len(shelf) > KEPT_VALUES:
            self._drop_oldest(shelf)
        if self._count > KEPT_OF_A_KIND:
            self._drop_oldest(max(self._of.values(), key=len))
        if len(self._of) > KEPT_OWNERS:
            _, gone = self._of.popitem(last=False)
            self._count -= len(gone)

    def _drop_oldest(self, shelf: OrderedDict[str, Any]) -> None:
        self.forget(next(iter(shelf)))


def _owner(key: str) -> str:
    """Whose a key is; keys that name nobody have one owner."""
    owner, separator, _ = key.partition(":")
    return owner if separator else ""


@dataclass
class Space:
    """What one test sees of the mock, and nobody else."""

    values: dict[str, Shelves] = field(default_factory=lambda: defaultdict(Shelves))
    buckets: dict[str, Bucket] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    counts: dict[str, dict[str, float]] = field(default_factory=dict)
    script: deque[Any] = field(default_factory=deque)
    journal: deque[Any] = field(default_factory=lambda: deque(maxlen=KEPT_ENTRIES))

    def bucket(self, asked: Spend | Left) -> Bucket:
        """The quota that is asked for, full when it is asked for first and when its limit is another."""
        found = self.buckets.get(asked.quota)
        if found is None or (found.limit, found.window) != (asked.limit, asked.window_seconds):
            found = Bucket(asked.limit, asked.window_seconds, asked.limit, asked.now)
            self.buckets[asked.quota] = found
        return found


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
                    return space.values[kind].get(key)
                case Browse(kind=kind, prefix=prefix):
                    return space.values[kind].begin_with(prefix)
                case Store(kind=kind, key=key, value=value):
                    if value is None:
                        space.values[kind].forget(key)
                    else:
                        space.values[kind].put(key, value)
                case Spend():
                    return space.bucket(effect).spend(effect.amount, effect.now)
                case Left():
                    return space.bucket(effect).left(effect.now)
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
