"""An example of a regular expression, for strings that a JSON Schema asks to fit a `pattern`.

Knows what such patterns are made of: literals, classes, groups, alternatives, quantifiers, anchors.
Not look-around, back references or property classes.
"""

from __future__ import annotations

import re

__all__ = ["example"]

CLASSES = {
    "d": "0123456789",
    "w": "abcdefghijklmnopqrstuvwxyz0123456789_",
    "s": " ",
    "D": "a",
    "W": "-",
    "S": "a",
}
LITERALS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
ANY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,:;!?'\"#$%&()*+/<=>@[]^`{|}~\\"
DIGITS = re.compile(r"[0-9]{1,9}")
UNBOUNDED = 1 << 30
LONGEST = 10_000
"""Characters of an example at most; a pattern that wants more has none."""


def example(pattern: str, more: int = 0) -> str | None:
    """A string that fits, with `more` repetitions than the fewest where allowed; None if none is found."""
    try:
        return _Reader(pattern, more).whole()
    except (_Unknown, RecursionError):
        return None


class _Unknown(ValueError):
    """Something in the pattern that this module does not know."""


class _Reader:
    def __init__(self, pattern: str, more: int) -> None:
        self.pattern = pattern
        self.more = more
        self.at = 0

    def whole(self) -> str:
        found = self.alternatives()
        if self.at < len(self.pattern):
            raise _Unknown(f"unbalanced ) at {self.at}")
        return found

    def alternatives(self) -> str:
        """The first branch's example; the others are read over."""
        found = self.branch()
        while self.peek() == "|":
            self.at += 1
            self.branch()
        return found

    def branch(self) -> str:
        found: list[str] = []
        while self.peek() not in ("", "|", ")"):
            if self.peek() in "^$":
                self.at += 1
                continue
            choices = self.atom()
            fewest, most = self.quantifier()
            times = min(most, fewest + self.more)
            if times * max(map(len, choices), default=1) > LONGEST:
                raise _Unknown("too long")
            found += [choices[i % len(choices)] for i in range(times)]
        return "".join(found)

    def atom(self) -> list[str]:
        """What may stand here, one string for each of several repetitions."""
        char = self.take()
        if char == "(":
            if self.peek() == "?":
                self.at += 1
                if self.peek() == "<" and self.pattern[self.at + 1 : self.at + 2] not in ("=", "!"):
                    self.at = self.pattern.find(">", self.at) + 1
                elif self.take() != ":":
                    raise _Unknown("look-around")
            inner = self.alternatives()
            if self.take() != ")":
                raise _Unknown("group without end")
            return [inner]
        if char == "[":
            return list(self.members())
        if char == ".":
            return ["a"]
        if char == "\\":
            return list(self.escaped()) or [""]
        if char in "*+?{":
            raise _Unknown(f"nothing to repeat at {self.at}")
        return [char]

    def escaped(self) -> str:
        char = self.take()
        if char and char in "bB":
            return ""
        if char in CLASSES:
            return CLASSES[char]
        if char in LITERALS:
            return LITERALS[char]
        if char in "xu":
            length = 2 if char == "x" else 4
            digits = self.pattern[self.at : self.at + length]
            self.at += length
            try:
                return chr(int(digits, 16))
            except ValueError as error:
                raise _Unknown(f"escape {char}{digits}") from error
        if char.isalnum() or not char:
            raise _Unknown(f"escape {char}")
        return char

    def members(self) -> str:
        negated = self.peek() == "^"
        self.at += negated
        found = ""
        while (char := self.take()) != "]":
            if not char:
                raise _Unknown("class without end")
            chars = self.escaped() if char == "\\" else char
            if (
                self.peek() == "-"
                and self.pattern[self.at + 1 : self.at + 2] not in ("]", "")
                and len(chars) == 1
            ):
                self.at += 1
                last = self.take()
                last = self.escaped() if last == "\\" else last
                # A few of a range are enough for an example, all of a short one for a negated class.
                chars = "".join(map(chr, range(ord(chars), min(ord(last), ord(chars) + 127) + 1)))
            found += chars
        if negated:
            found = "".join(char for char in ANY if char not in found)
        if not found:
            raise _Unknown("empty class")
        return found

    def quantifier(self) -> tuple[int, int]:
        fewest, most = 1, 1
        char = self.peek()
        if char and char in "*+?":
            self.at += 1
            fewest, most = {"*": (0, UNBOUNDED), "+": (1, UNBOUNDED), "?": (0, 1)}[char]
        elif char == "{":
            end = self.pattern.find("}", self.at)
            low, comma, high = self.pattern[self.at + 1 : end].partition(",")
            if end < 0 or not DIGITS.fullmatch(low) or not (not high or DIGITS.fullmatch(high)):
                raise _Unknown("braces")
            self.at = end + 1
            fewest = int(low)
            most = int(high) if high else UNBOUNDED if comma else fewest
        else:
            return 1, 1
        if self.peek() in ("?", "+"):
            self.at += 1
        return fewest, most

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        return char
