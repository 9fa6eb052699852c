"""What a contract says with all that it extends, and with what it says of some models only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.documents.document import SpecError, line_of
from conformance.documents.library import Library, absolute
from conformance.patch import merge, overlay

__all__ = ["SHAPED", "Inheritance", "bases_of", "extend"]

SHAPED = (
    ("request", "body"),
    ("request", "headers"),
    ("request", "query"),
    ("request", "when"),
    ("request", "when_query"),
    ("request", "forbidden"),
    ("request", "parameters"),
    ("response", "body"),
    ("response", "headers"),
    ("response", "events"),
)
"""The sections and members of a contract that are shapes."""


class Inheritance:
    """The contracts of all files, each with all that it extends. `raw` has the files and what they say, by contract."""

    def __init__(self, raw: Mapping[str, tuple[Path, dict[str, Any]]], library: Library) -> None:
        self._raw, self._library = raw, library
        self._folded: dict[tuple[str, ...], dict[str, Any]] = {}

    def whole(self, name: str) -> dict[str, Any]:
        """What the contract says with all it extends. Raises SpecError as `line` does."""
        return self._fold(self.line(name))

    def line(self, name: str, chain: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The contract and all it extends, nearest first: where two come together, what both extend comes after both.

        This is the order in which Python looks through classes (C3). Raises SpecError for a circle, for a contract
        that there is not, and for bases that name each other in opposite orders.
        """
        path, said = self._raw[name]

        def wrong(text: str) -> SpecError:
            return SpecError(path, line_of(path, "/extends"), text)

        if name in chain:
            raise wrong(f"extends goes in a circle: {' -> '.join([*chain, name])}")
        bases = bases_of(said)
        for base in bases:
            if base not in self._raw:
                import difflib

                close = ", ".join(difflib.get_close_matches(base, sorted(self._raw), 3))
                raise wrong(f"extends: expected a known contract, got {base!r}; closest: {close or 'none'}")
        rest = [list(self.line(base, (*chain, name))) for base in bases] + [list(bases)]
        found = [name]
        while rest := [each for each in rest if each]:
            following = next(
                (each[0] for each in rest if not any(each[0] in other[1:] for other in rest)), None
            )
            if following is None:
                raise wrong(f"extends: expected bases in an order that they agree on, got {', '.join(bases)}")
            found.append(following)
            rest = [each[1:] if each[0] == following else each for each in rest]
        return tuple(found)

    def _fold(self, line: tuple[str, ...]) -> dict[str, Any]:
        if line not in self._folded:
            path, said = self._raw[line[0]]
            base = self._library.uri(path)
            own = dict(said)
            _make_absolute(own, base)
            if "by_model" in own:
                own["by_model"] = {name: dict(each) for name, each in own["by_model"].items()}
                for each in own["by_model"].values():
                    _make_absolute(each, base)
            parent = self._fold(line[1:]) if line[1:] else {}
            own_alone = ("abstract", "extends", "afresh", *own.get("afresh", ()))
            inherited = {key: value for key, value in parent.items() if key not in own_alone}
            self._folded[line] = extend(inherited, own)
        return self._folded[line]


def bases_of(said: Mapping[str, Any]) -> list[str]:
    """What a contract's file names under `extends`: one contract, several, none."""
    named = said.get("extends", [])
    return [named] if isinstance(named, str) else list(named)


def _make_absolute(said: dict[str, Any], base: str) -> None:
    """Every $ref of the shapes in `said` is made absolute against the file `base`."""
    for section, member in SHAPED:
        if member in said.get(section, {}):
            said[section] = {**said[section], member: absolute(said[section][member], base)}


def extend(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `parent`.

    Errors, rules, probes, exchanges and limits merge by id and member, null takes one away; `headers`, `send`,
    `events`, `forbidden`, `auth` and `also` are merge-patched; in a profile null is a value; what else there is (shapes, lists,
    words) is replaced whole.
    """
    result: dict[str, Any] = dict(parent)
    for key, value in own.items():
        if key in ("request", "response") and isinstance(value, Mapping):
            base = dict(result.get(key, {}))
            for name, member in value.items():
                base[name] = (
                    merge(base.get(name), member)
                    if name in ("headers", "send", "events", "forbidden")
                    else member
                )
            result[key] = base
        elif key == "by_model":
            base = dict(result.get(key, {}))
            result[key] = {
                **base,
                **{name: extend(base.get(name, {}), each) for name, each in value.items()},
            }
        elif key in ("errors", "rules", "exchanges", "probes", "limits"):
            base = dict(result.get(key, {}))
            for name, member in value.items():
                base[name] = (
                    {**base.get(name, {}), **member} if member is not None and base.get(name) else member
                )
            result[key] = base
        elif key == "profile":
            result[key] = overlay(result.get(key), value)
        else:
            result[key] = merge(result.get(key), value)
    return result
