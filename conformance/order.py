"""The order of events as a regular expression over their names.

    messageStart (contentBlockStart? contentBlockDelta* contentBlockStop)* messageStop metadata

Names, parentheses, `|`, and `?` `*` `+` after a name or a group; spaces mean "then".
`Order.walk` says at which event a stream left the way, and what could have come there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

_TOKEN = re.compile(r"\s*([()|?*+]|[A-Za-z_][\w.:\[\]-]*)")
END = "the end"


class Order:
    """A compiled order. Raises ValueError for text that is no such expression."""

    def __init__(self, text: str) -> None:
        self._edges: list[list[tuple[str | None, int]]] = []
        self._tokens = self._scan(text)
        self._text = text
        self._at = 0
        self._start, self._end = self._choice()
        if self._at != len(self._tokens):
            raise ValueError(f"order {text!r}: expected a name or ')', got {self._tokens[self._at]!r}")

    @staticmethod
    def _scan(text: str) -> list[str]:
        tokens, at = [], 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(
                    f"order {text!r}: expected a name or one of ()|?*+, got {text[at : at + 10]!r}"
                )
            tokens.append(found[1])
            at = found.end()
        return tokens

    def _state(self) -> int:
        self._edges.append([])
        return len(self._edges) - 1

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _choice(self) -> tuple[int, int]:
        start, end = self._state(), self._state()
        while True:
            first, last = self._sequence()
            self._edges[start].append((None, first))
            self._edges[last].append((None, end))
            if self._peek() != "|":
                return start, end
            self._at += 1

    def _sequence(self) -> tuple[int, int]:
        start = last = self._state()
        while (token := self._peek()) is not None and token not in (")", "|"):
            first, end = self._repeated()
            self._edges[last].append((None, first))
            last = end
        return start, last

    def _repeated(self) -> tuple[int, int]:
        token = self._tokens[self._at]
        self._at += 1
        if token == "(":
            first, last = self._choice()
            if self._peek() != ")":
                raise ValueError(f"order {self._text!r}: expected ')', got the end")
            self._at += 1
        elif token in "?*+":
            raise ValueError(f"order {self._text!r}: expected a name before {token!r}")
        else:
            first, last = self._state(), self._state()
            self._edges[first].append((token, last))
        while (mark := self._peek()) in ("?", "*", "+"):
            self._at += 1
            start, end = self._state(), self._state()
            self._edges[start].append((None, first))
            self._edges[last].append((None, end))
            if mark in "?*":
                self._edges[start].append((None, end))
            if mark in "*+":
                self._edges[last].append((None, first))
            first, last = start, end
        return first, last

    def _closure(self, states: set[int]) -> set[int]:
        found, todo = set(states), list(states)
        while todo:
            for name, target in self._edges[todo.pop()]:
                if name is None and target not in found:
                    found.add(target)
                    todo.append(target)
        return found

    def names(self) -> set[str]:
        """Every event name in the expression."""
        return {name for edges in self._edges for name, _ in edges if name is not None}

    def walk(
        self, names: Sequence[str | None], may_end_with: Sequence[str] = ()
    ) -> Iterator[tuple[int, str, str]]:
        """Where the stream leaves the order: (index, what could come, what came). At most one.

        An event of `may_end_with` may come anywhere, as the last one or before one that ends every stream in which
        it stands; then the rest of the order is not asked for. An event without a name is never in order.
        """
        states = self._closure({self._start})
        for index, name in enumerate(names):
            targets = {
                target
                for state in states
                for edge, target in self._edges[state]
                if edge is not None and edge == name
            }
            if name in may_end_with and (index == len(names) - 1 or not targets):
                rest = names[index + 1 :]
                if rest and not (len(rest) == 1 and rest[0] in self._last):
                    yield index + 1, END, str(rest[0])
                return
            if not targets:
                yield index, self._next(states), str(name)
                return
            states = self._closure(targets)
        if self._end not in states:
            yield len(names), self._next(states), END

    @cached_property
    def _last(self) -> set[str]:
        """The names of events after which nothing can come."""
        can = {True: set[str](), False: set[str]()}
        for edges in self._edges:
            for name, target in edges:
                if name is not None:
                    after = self._closure({target})
                    more = any(edge is not None for state in after for edge, _ in self._edges[state])
                    can[self._end in after and not more].add(name)
        return can[True] - can[False]

    def _next(self, states: set[int]) -> str:
        possible = sorted({edge for state in states for edge, _ in self._edges[state] if edge is not None})
        if self._end in states:
            possible.append(END)
        return " or ".join(possible)


@lru_cache(maxsize=256)
def order(text: str) -> Order:
    """The compiled order, kept."""
    return Order(text)
