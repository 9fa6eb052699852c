"""Headers that `--header` adds to every request: `X-Api-Key: $NAME`, the variable taken from the environment.

What is kept and printed has the variable's name; only the wire has what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from conformance.exchange import Headers

_LINE = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(?P<value>[\x20-\x7e]*?)[ \t]*")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>[A-Za-z_]\w*)\}|(?P<plain>[A-Za-z_]\w*))")


def read_headers(lines: Sequence[str], environment: Mapping[str, str]) -> tuple[Headers, dict[str, str]]:
    """The headers with each variable written as `$NAME`, and what the variables hold.

    Raises ValueError for what is no header and for a variable that is not set.
    """
    found: list[tuple[str, str]] = []
    variables: dict[str, str] = {}
    for line in lines:
        parts = _LINE.fullmatch(line)
        if parts is None:
            # What is not shown may be a key.
            came = f"{line.partition(':')[0]!r}: and something else" if ":" in line else "no colon in it"
            raise ValueError(f"--header: expected 'Name: value' in printable ASCII, got {came}")
        for variable in _VARIABLE.finditer(parts["value"]):
            name = variable["braced"] or variable["plain"]
            held = environment.get(name)
            if not held:
                raise ValueError(f"--header: {parts['name']} wants ${name}, and that variable is not set")
            if not held.isascii() or not held.isprintable():
                raise ValueError(
                    f"--header: expected ${name} to hold printable ASCII; is there a line break in it?"
                )
            if re.match(r"\w", parts["value"][variable.end() :]):
                raise ValueError(
                    f"--header: expected no letter, digit or underscore right behind ${{{name}}}"
                )
            variables[name] = held
        value = _VARIABLE.sub(lambda variable: f"${variable['braced'] or variable['plain']}", parts["value"])
        found.append((parts["name"], value))
    return tuple(found), variables


def has_variables(value: str) -> bool:
    """True for a value that a variable fills: what it holds may be a key."""
    return _VARIABLE.search(value) is not None


def with_variables(value: str, variables: Mapping[str, str]) -> str:
    """The value with its variables filled in; one that is not among `variables` stays."""
    return _VARIABLE.sub(lambda found: variables.get(found["braced"] or found["plain"], found[0]), value)
