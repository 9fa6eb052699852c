"""What was said before, in links that values share; and what a value weighs.

    [hi, hello]  <-  [how are you, fine]  <-  [and now?]
     first response's                         third response's input: its own link, and all before it

A chain of responses keeps each item once, however often it goes on: each response holds its own link, which holds the
one before. So what goes on from a response that was forgotten stays whole, and what nobody holds any more is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

__all__ = ["History", "weigh"]

NUMBER = 8
"""Bytes that count for what is neither text nor made of parts."""


class History:
    """Items, oldest first: all of `before`, then `items`. Never changed once it is made.

    `own` is what the items weigh, `weight` what all of it does, in bytes. `read` is for whoever reads it again and
    again, to keep what was read of it.
    """

    __slots__ = ("__weakref__", "before", "items", "own", "read", "weight")

    def __init__(self, before: History | None, items: Iterable[Any]) -> None:
        self.before, self.items = before, tuple(items)
        self.read: Any = None
        self.own: int = weigh(self.items)[0]
        self.weight: int = self.own + (0 if before is None else before.weight)

    def __iter__(self) -> Iterator[Any]:
        links: list[History] = []
        link: History | None = self
        while link is not None:
            links.append(link)
            link = link.before
        return (item for link in reversed(links) for item in link.items)

    def __repr__(self) -> str:
        return f"History({list(self)!r})"


def begun(items: Sequence[Any], history: History | None) -> tuple[History | None, Sequence[Any]]:
    """Items as the history that they begin with and what comes after it; (None, all) if they do not begin so."""
    said = [] if history is None else list(history)
    if len(said) > len(items) or any(old is not new for old, new in zip(said, items, strict=False)):
        return None, items
    return history, items[len(said) :]


@cache
def _fields(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """Takes the fields out of an object of that kind; None if it has none that are known."""
    names = getattr(kind, "__dataclass_fields__", None)
    if names is None or len(names) > 1:
        return attrgetter(*names) if names else None
    return lambda each: tuple(getattr(each, name) for name in names)


def weigh(value: Any) -> tuple[int, list[History]]:
    """About how many bytes the value has as JSON, what stands in it twice once; and the histories in it, not weighed.

    Of any depth, and of anything: of an object its fields count.
    """
    weight, histories, left = 0, list[History](), [value]
    seen: set[int] = set()
    while left:
        each = left.pop()
        kind: Any = type(each)
        # The plainest first: this is done for all that is kept and all that is noted.
        if kind is str or kind is bytes:
            weight += len(each) + 3
            continue
        if each is None or kind is bool or kind is int or kind is float:
            weight += NUMBER
            continue
        inner: Iterable[Any]
        if kind is dict:
            inner = (*each, *each.values())
        elif kind is list or kind is tuple:
            inner = each
        elif (fields := _fields(kind)) is not None:
            inner = fields(each)
        elif isinstance(each, History):
            histories.append(each)
            continue
        elif isinstance(each, Mapping):
            inner = (*each, *each.values())
        elif isinstance(each, Sequence | set | frozenset) and not isinstance(each, str):
            inner = each
        else:
            weight += NUMBER
            continue
        if id(each) not in seen:
            seen.add(id(each))
            weight += 2
            for part in inner:
                # Most are of these two kinds, and need no turn of their own.
                if part is None:
                    weight += NUMBER
                elif (kind := type(part)) is str:
                    weight += len(part) + 3
                elif kind is bool or kind is int or kind is float:
                    weight += NUMBER
                else:
                    left.append(part)
    return weight, histories
