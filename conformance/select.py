"""JSON pointers with a star, over the document that a rule sees of an exchange.

The document of a response is `{status, headers, body}` or `{status, headers, events}`; header
names are lower case. `/events/NAME/...` is the payload of the first event of that name,
`/events/0/...` and `/events/-1/...` the payload of the first and the last, `*` is every one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from conformance.exchange import Event, Response

_INDEX = re.compile(r"-?[0-9]+")


def document(response: Response) -> dict[str, Any]:
    """What pointers go into."""
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers.setdefault(name.lower(), value)
    found: dict[str, Any] = {"status": response.status, "headers": headers}
    if response.events is not None:
        found["events"] = list(response.events)
    else:
        found["body"] = response.body
    return found


def parts(pointer: str) -> list[str]:
    """The pointer's steps, unescaped. Raises ValueError for text that is no JSON pointer."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"expected a JSON pointer, '' or one that begins with /, got {pointer!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


_steps = lru_cache(1024)(lambda pointer: tuple(parts(pointer)))
"""The parts of a pointer: those of contracts are asked for with each request again."""


def select(value: Any, pointer: str) -> list[tuple[str, Any]]:
    """Every place the pointer finds, as (exact pointer, value); empty if there is none."""
    return list(_walk(value, _steps(pointer), ""))


def _walk(value: Any, steps: tuple[str, ...], at: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield at, value.data if isinstance(value, Event) else value
        return
    step, rest = steps[0], steps[1:]
    if isinstance(value, Event):
        value = value.data
    for name, child in _children(value, step):
        yield from _walk(child, rest, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")


def _children(value: Any, step: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        if step == "*":
            yield from value.items()
        elif step in value:
            yield step, value[step]
    elif isinstance(value, list):
        if step == "*":
            yield from ((str(index), child) for index, child in enumerate(value))
        elif _INDEX.fullmatch(step):
            if -len(value) <= int(step) < len(value):
                yield str(int(step) % len(value)), value[int(step)]
        elif value and isinstance(value[0], Event):
            for index, event in enumerate(value):
                if event.name == step:
                    yield str(index), event
                    return


def change(value: Any, pointer: str, to: Any = None, *, remove: bool = False) -> tuple[Any, bool]:
    """A copy of `value` with the members at `pointer` set to `to` or removed, and whether anything changed."""
    return _change(value, parts(pointer), to, remove)


def _change(value: Any, steps: list[str], to: Any, remove: bool) -> tuple[Any, bool]:
    if isinstance(value, Event):
        data, changed = _change(value.data, steps, to, remove)
        return (Event(value.name, data, value.at), True) if changed else (value, False)
    if not steps:
        new = to(value) if callable(to) else to
        return new, type(new) is not type(value) or new != value
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        if not rest and step not in value and step != "*" and not remove:
            new = to(None) if callable(to) else to
            return {**value, step: new}, True
        names: list[Any] = list(value) if step == "*" else [step] if step in value else []
        result: Any = dict(value)
    elif isinstance(value, list):
        names = [int(name) for name, _ in _children(value, step)]
        result = list(value)
    else:
        return value, False
    changed = False
    for name in sorted(names, reverse=True) if isinstance(value, list) else names:
        if remove and not rest:
            del result[name]
            changed = True
        else:
            result[name], here = _change(value[name], rest, to, remove)
            changed = changed or here
    return result, changed


def turned(value: Any) -> Any:
    """The same JSON with the members of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    return [turned(each) for each in value] if isinstance(value, list) else value
