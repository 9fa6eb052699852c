"""What somebody else wrote, as a terminal may be given it: nothing in it is obeyed.

Answers, recordings and stored runs are other people's. An escape sequence in one of them would paint, clear or rename
the terminal, a line break would begin a line that reads as ours, a mark of direction would turn words around, and half
a surrogate pair cannot be written at all.
"""

from __future__ import annotations

import re

__all__ = ["as_line", "inert"]

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # marks of direction, separators of lines
    "\ud800-\udfff]"  # halves of surrogate pairs
)


def inert(text: str) -> str:
    """The text, with what a terminal would obey written out: `\\x1b`. Its lines stay lines."""
    return _OBEYED.sub(_written, text)


def as_line(text: str) -> str:
    """The same as one line."""
    return inert(text).replace("\n", "\\n")


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
