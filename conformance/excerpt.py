"""The beginning of a large value: enough of it to see where it first goes wrong.

A validator tells everything that is wrong, and a body of a megabyte can be wrong in a million places. Of a request
only the first is told, so only a part as large as an ordinary request is looked at for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["ORDINARY", "beginning", "wrong_beginning"]

ORDINARY = 200
"""Values in a body, itself and members and items at any depth, of which everything that is wrong is told."""

FEWEST, NARROW, SHALLOW = 4, 64, 3
"""Items of an array, members of an object, and levels of both that are there when nothing more is to be."""


def wrong_beginning(value: Any, fits: Callable[[Any], bool]) -> Any:
    """The shortest beginning of a value that does not fit, give or take `ORDINARY` values; the value itself if small.

    The value itself does not fit. Each look at a beginning costs as much as to see that it fits.
    """
    fitting, most = 0, ORDINARY
    while True:
        part, whole = beginning(value, most)
        if whole:
            part = value
        if whole or not fits(part):
            break
        fitting, most = most, 2 * most
    while most - fitting > ORDINARY:
        middle = (fitting + most) // 2
        shorter, _ = beginning(value, middle)
        if fits(shorter):
            fitting = middle
        else:
            part, most = shorter, middle
    return part


def beginning(value: Any, most: int) -> tuple[Any, bool]:
    """(about the first `most` values in `value`, in its own order; whether that is all of it).

    Where it ends, objects have their first members all the same, arrays their first items, and so have some of these.
    """
    left = most

    def cut(each: Any, late: int) -> Any:
        """`late` is how many levels above were begun after the end."""
        nonlocal left
        left -= 1
        if not isinstance(each, list | dict):
            return each
        late += left <= 0
        if late > SHALLOW:
            return type(each)()
        if isinstance(each, list):
            items: list[Any] = []
            for item in each:
                if left <= 0 and len(items) >= FEWEST:
                    break
                items.append(cut(item, late))
            return items
        members: dict[str, Any] = {}
        for name, member in each.items():
            if left <= 0 and len(members) >= NARROW:
                break
            members[name] = cut(member, late)
        return members

    part = cut(value, 0)
    return part, left > 0
