"""State in memory: stored values, quotas, scripts and the journal, apart for each space.

Bounded, and what goes is always the oldest:

    of one kind, of one owner    10,000 values, 64 MiB    its own oldest value goes
    of one kind, of all owners   100,000 values, 256 MiB  the oldest value of whoever has most goes
    owners of one kind           1,000                    all that the owner has who stored nothing for the longest time goes
    journal of a space           10,000 entries, 64 MiB   the oldest entry goes

Bytes are those of the JSON of what is kept, about; a history that values share counts once. A value that is too large
by itself is not kept.

So no test pushes out another's values (each has a space), and no key another key's by storing much. What went is
answered like what never was: 404, or as the contract has it. Each stored response holds the whole context it was made
with (`mockserver.history`), so a chain whose head went can be continued from every response that is left; a conversation whose oldest items
went goes on without them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mockserver.effects import Browse, Enter, Fetch, Inner, Left, Note, Script, Spend, Store, Tally
from mockserver.history import History, weigh
from mockserver.quota import Bucket

KEPT_VALUES, KEPT_OF_A_KIND, KEPT_OWNERS, KEPT_ENTRIES = 10_000, 100_000, 1_000, 10_000
KEPT_BYTES, KEPT_BYTES_OF_A_KIND, KEPT_BYTES_OF_ENTRIES = 64 << 20, 256 << 20, 64 << 20


class Shelf:
    """The values of one kind and one owner in the order in which they were first stored, and what they weigh together."""

    def __init__(self) -> None:
        self.values: OrderedDict[str, Any] = OrderedDict()
        self.weight = 0
        self._weighed: dict[str, tuple[int, list[History]]] = {}
        self._holders: dict[History, int] = {}
        """How many values and later histories hold each history."""

    def __len__(self) -> int:
        return len(self.values)

    def put(self, key: str, value: Any) -> None:
        """Keeps the value in the place of what had the key before, and lets go of what is too much."""
        weight, histories = weigh(value)
        if weight + sum(each.weight for each in histories) > KEPT_BYTES:
            self.forget(key)
            return
        for each in histories:
            self._hold(each)
        if key in self.values:
            self._let_go(key)
        self.values[key], self._weighed[key] = value, (weight, histories)
        self.weight += weight
        while len(self) > KEPT_VALUES or self.weight > KEPT_BYTES:
            self.drop_oldest()

    def forget(self, key: str) -> None:
        """Takes the value away, if it is there."""
        if key in self.values:
            self._let_go(key)
            del self.values[key], self._weighed[key]

    def drop_oldest(self) -> None:
        """Takes the value away that was stored first."""
        self.forget(next(iter(self.values)))

    def _let_go(self, key: str) -> None:
        weight, histories = self._weighed[key]
        self.weight -= weight
        for each in histories:
            self._leave(each)

    def _hold(self, history: History | None) -> None:
        while history is not None:
            held = self._holders.get(history, 0)
            self._holders[history] = held + 1
            if held:
                return
            self.weight += history.own
            history = history.before

    def _leave(self, history: History | None) -> None:
        while history is not None:
            self._holders[history] -= 1
            if self._holders[history]:
                return
            del self._holders[history]
            self.weight -= history.own
            history = history.before


class Shelves:
    """The values of one kind, by owner."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Shelf] = OrderedDict()
        self._count, self._weight = 0, 0

    def get(self, key: str) -> Any:
        """The value, None if there is none."""
        shelf = self._of.get(_owner(key))
        return None if shelf is None else shelf.values.get(key)

    def begin_with(self, prefix: str) -> list[tuple[str, Any]]:
        """The values of the prefix's owner whose keys begin so, oldest first."""
        shelf = self._of.get(_owner(prefix))
        return [] if shelf is None else [pair for pair in shelf.values.items() if pair[0].startswith(prefix)]

    def forget(self, key: str) -> None:
        """Takes the value away, if it is there."""
        owner = _owner(key)
        if owner in self._of:
            with self._counted(owner) as shelf:
                shelf.forget(key)

    def put(self, key: str, value: Any) -> None:
        """Keeps the value, and lets go of what is too much."""
        owner = _owner(key)
        self._of.setdefault(owner, Shelf())
        self._of.move_to_end(owner)
        with self._counted(owner) as shelf:
            shelf.put(key, value)
        while self._count > KEPT_OF_A_KIND:
            self._drop_oldest_of(max(self._of, key=lambda owner: len(self._of[owner])))
        while self._weight > KEPT_BYTES_OF_A_KIND:
            self._drop_oldest_of(max(self._of, key=lambda owner: self._of[owner].weight))
        if len(self._of) > KEPT_OWNERS:
            _, gone = self._of.popitem(last=False)
            self._count -= len(gone)
            self._weight -= gone.weight

    def _drop_oldest_of(self, owner: str) -> None:
        with self._counted(owner) as shelf:
            shelf.drop_oldest()

    @contextmanager
    def _counted(self, owner: str) -> Iterator[Shelf]:
        """The owner's shelf; what changes on it changes the sums, and an empty one is taken away."""
        shelf = self._of[owner]
        count, weight = len(shelf), shelf.weight
        yield shelf
        self._count += len(shelf) - count
        self._weight += shelf.weight - weight
        if not shelf:
            del self._of[owner]


def _owner(key: str) -> str:
    """Whose a key is; keys that name nobody have one owner."""
    owner, separator, _ = key.partition(":")
    return owner if separator else ""


class Journal:
    """What was asked, oldest first; what is too much goes."""

    def __init__(self) -> None:
        self._entries: deque[tuple[Any, int]] = deque()
        self._weight = 0

    def __iter__(self) -> Iterator[Any]:
        # Copied at once: other threads write on.
        return iter([entry for entry, _ in list(self._entries)])

    def append(self, entry: Any) -> None:
        """Writes the entry, and lets go of the oldest ones."""
        weight, _ = weigh(entry)
        self._entries.append((entry, weight))
        self._weight += weight
        while len(self._entries) > KEPT_ENTRIES or self._weight > KEPT_BYTES_OF_ENTRIES:
            self._weight -= self._entries.popleft()[1]

    def clear(self) -> None:
        """Forgets all that was asked."""
        self._entries.clear()
        self._weight = 0


@dataclass
class Space:
    """What one test sees of the mock, and nobody else."""

    values: dict[str, Shelves] = field(default_factory=lambda: defaultdict(Shelves))
    buckets: dict[str, Bucket] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    counts: dict[str, dict[str, float]] = field(default_factory=dict)
    script: deque[Any] = field(default_factory=deque)
    journal: Journal = field(default_factory=Journal)

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
        found = self._spaces.get(name)
        return self._spaces.setdefault(name, Space()) if found is None else found

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
