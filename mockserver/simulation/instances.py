"""An instance of a JSON Schema, filled from what a prompt mentions where something fits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, product
from typing import Any

from .fitting import BrokenSchema, Schema, judged, matches, target
from .mentions import Mentions
from .patterns import example
from .words import keyed, stem, stems

__all__ = ["BrokenSchema", "instance", "slots", "sound"]

DEEP, DEEPEST = 5, 40
"""Levels below which only what a schema requires is made, and below which nothing is: recursion ends."""

LARGEST, LONGEST = 2000, 10_000
"""Values in one instance, and characters in one string, at most."""

TRIED = 2 * LARGEST
"""Values and branches in all instances of a schema after which no other is tried."""

TRIED_CHARACTERS = 300_000
"""Characters of a pattern, each time that it is read to make one text that is long enough."""

PLACES = keyed("city location place town country destination origin region area address capital")
PEOPLE = keyed("name person author customer recipient sender patient guest owner contact")
DAYS = keyed("date day when deadline")
TIMES = keyed("time")
UNITS = keyed("unit units currency")
EMAILS = keyed("email mail")
URLS = keyed("url uri link website href")
FORMULAS = keyed("expression formula calculation equation")
CODES = keyed("id code number order sku reference ticket key account serial version")
WHOLE = keyed("query question prompt message text input request")
FROM = keyed("from origin source departure start")
TO = keyed("to destination target arrival end")

UNIONS = 64
"""Branches that are looked at, at most, where two unions meet."""

FORMATS = {
    "date": "2025-01-15",
    "date-time": "2025-01-15T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uri-reference": "https://example.com/",
    "iri": "https://example.com/",
    "iri-reference": "https://example.com/",
    "uri-template": "https://example.com/{id}",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "json-pointer": "/a",
    "relative-json-pointer": "0",
    "regex": "^a$",
}


class _Missing:
    """Nothing in the prompt fits."""


MISSING = _Missing()


def instance(schema: Schema, said: Mentions, optional: bool = True) -> Any:
    """A value that fits the schema, taken from the prompt where it fits, else plain.

    `optional`: whether members that are not required are there even when the prompt does not mention them.
    Where no value is found that fits (a contradiction, or what this module does not read: `not`, branches of
    `oneOf` that overlap), the nearest one comes back: a model can be wrong too, and the judge will say so.
    Raises BrokenSchema.
    """
    fits = judged(schema)
    if isinstance(schema, Mapping) and (members := schema.get("properties")):
        for value in said.json:
            if isinstance(value, dict) and not value.keys().isdisjoint(members) and fits(value):
                return value
    first: Any = MISSING
    looked = 0
    for choice in range(4):
        for mentions in (said, Mentions("")):
            for every in (optional, not optional):
                filler = _Filler(schema, mentions, every, choice)
                value = filler.make(schema, "", 0)
                if fits(value):
                    return value
                first = value if first is MISSING else first
                looked += LARGEST - filler.left + filler.weighed
                if looked > TRIED:
                    return first
        if filler.left < 0:
            break
    return first


def slots(schema: Schema) -> tuple[int, bool]:
    """(how many names or numbers one call takes, whether they are numbers), by what the schema requires."""
    filler = _Filler(schema, Mentions(""), False, 0)
    whole = filler.resolve(schema)
    members = whole.get("properties", {})
    kinds = []
    for key in whole.get("required") or members:
        member = filler.resolve(members.get(key, True))
        if not {"enum", "const", "format"} & member.keys():
            kinds.append("number" if _kind(member) in ("integer", "number") else _kind(member))
    if kinds and set(kinds) == {"number"}:
        return len(kinds), True
    return kinds.count("string"), False


def sound(schema: Schema | None) -> None:
    """Raises BrokenSchema for what is no JSON Schema, or not one that stands by itself."""
    if schema is not None:
        judged(schema)


@dataclass
class _Filler:
    """One attempt at one instance; keeps what of the prompt is used up."""

    root: Schema
    said: Mentions
    every: bool
    choice: int
    """Which of several branches is tried, counted from the likeliest."""
    used: list[Any] = field(default_factory=list)
    left: int = LARGEST
    weighed: int = 0
    """Branches of unions that were looked at."""

    def make(self, schema: Schema, key: str, depth: int, sure: bool = False) -> Any:
        """A value; with `sure` only one that the prompt gives, else MISSING."""
        self.left -= 1
        if self.left < 0 or depth > DEEPEST or (sure and depth > DEEP):
            return MISSING if sure else None
        whole = self.resolve(schema)
        for union in ("anyOf", "oneOf"):
            if union in whole:
                return self.union(whole, union, key, depth, sure)
        if "const" in whole:
            return whole["const"] if not sure or self.says(whole["const"]) else MISSING
        if "enum" in whole:
            return self.member(whole, sure)
        kind = _kind(whole)
        if isinstance(whole.get("type"), list) and "null" in whole["type"] and not self.choice:
            found = self.typed(kind, whole, key, depth, True)
            return found if found is not MISSING or sure else None
        return self.typed(kind, whole, key, depth, sure)

    def typed(self, kind: str, schema: Mapping[str, Any], key: str, depth: int, sure: bool) -> Any:
        if kind == "object":
            return self.object(schema, depth, sure)
        if kind == "array":
            return self.array(schema, key, depth, sure)
        if kind in ("integer", "number"):
            found = self.number(schema, key, kind, sure)
        elif kind == "boolean":
            found = self.boolean(key)
        elif kind == "string":
            found = self.string(schema, key, sure)
        else:
            return MISSING if sure else None
        if found is not MISSING or sure:
            return found
        if not self.choice:
            for given in (schema.get("default"), *_list(schema.get("examples"))[:1]):
                if given is not None:
                    return given
        if kind == "boolean":
            return bool(self.choice % 2)
        return _plain_string(schema, key, self.said) if kind == "string" else _plain_number(schema, kind)

    def resolve(self, schema: Schema) -> Mapping[str, Any]:
        """The schema with its references followed and its `allOf` taken into one."""
        whole: Mapping[str, Any] = schema if isinstance(schema, Mapping) else {}
        for _ in range(20):
            if "$ref" in whole:
                rest = {key: value for key, value in whole.items() if key != "$ref"}
                whole = _merged(target(self.root, whole["$ref"]), rest)
            elif "allOf" in whole:
                parts = whole["allOf"]
                whole = {key: value for key, value in whole.items() if key != "allOf"}
                for part in parts if isinstance(parts, list) else []:
                    whole = _merged(whole, part if isinstance(part, Mapping) else {})
            elif "if" in whole:
                branch = whole.get("else" if self.choice % 2 else "then", {})
                condition = {} if self.choice % 2 else whole["if"]
                whole = {key: value for key, value in whole.items() if key not in ("if", "then", "else")}
                for part in (condition, branch):
                    whole = _merged(whole, part if isinstance(part, Mapping) else {})
            else:
                break
        return whole

    def union(self, whole: Mapping[str, Any], union: str, key: str, depth: int, sure: bool) -> Any:
        rest = {name: value for name, value in whole.items() if name != union}
        branches = [_merged(rest, self.resolve(branch)) for branch in _list(whole[union])]
        if not branches:
            return MISSING if sure else None
        self.weighed += len(branches)
        asked = stems(self.said.text)
        ranked = sorted(branches, key=lambda branch: -self.likelihood(branch, asked, depth))
        if sure or not self.choice:
            for branch in ranked:
                found = self.make(branch, key, depth + 1, True)
                if found is not MISSING:
                    return found
            if sure:
                return MISSING
            if any(branch.get("type") == "null" for branch in branches):
                return None
        return self.make(ranked[self.choice % len(ranked)], key, depth + 1)

    def likelihood(self, branch: Mapping[str, Any], asked: set[str], depth: int) -> int:
        if depth > DEEP:
            return {"null": 9, "object": -1, "array": 3}.get(_kind(branch), 8)
        members = branch.get("properties", {})
        names = [str(branch.get("title", "")), *members]
        for member in (branch, *map(self.resolve, members.values())):
            names += map(str, [member.get("const", ""), *_list(member.get("enum"))])
        return len(stems(" ".join(names)) & asked) if _kind(branch) != "null" else -1

    def says(self, value: Any) -> bool:
        return isinstance(value, (str, int, float)) and self.said.has(str(value))

    def member(self, schema: Mapping[str, Any], sure: bool) -> Any:
        values = _list(schema["enum"])
        kinds = _list(schema.get("type"))
        values = [value for value in values if not kinds or any(_is(value, kind) for kind in kinds)] or values
        for value in values:
            if self.says(value) and value not in self.used:
                self.used.append(value)
                return value
        if sure:
            return MISSING
        if not self.choice and schema.get("default") in values:
            return schema["default"]
        return values[self.choice % len(values)] if values else None

    def object(self, schema: Mapping[str, Any], depth: int, sure: bool) -> Any:
        members: Mapping[str, Schema] = schema.get("properties", {})
        required = _list(schema.get("required"))
        # A schema written by hand often names nothing required, and no call is meant to be empty.
        wanted = set(required or (members if not depth else ()))
        order = [*members, *(key for key in required if key not in members)]
        made: dict[str, Any] = {}
        for key in order:
            member = members.get(key, schema.get("additionalProperties", True))
            needed = key in wanted or (self.every and depth < DEEP)
            value = self.make(member, key, depth + 1, sure or not needed)
            if value is not MISSING:
                made[key] = value
            elif sure and key in required:
                return MISSING
        if sure:
            return made or MISSING
        fewest = _int(schema.get("minProperties"), 0)
        for key, member in self.further(schema, members, depth, fewest > len(made)):
            if len(made) >= max(fewest, 1) or self.left < 0:
                break
            made.setdefault(key, self.make(member, key, depth + 1))
        return made

    def further(
        self, schema: Mapping[str, Any], members: Mapping[str, Schema], depth: int, needed: bool
    ) -> Iterator[tuple[str, Schema]]:
        """Members that an object may have beside those it names: first the likeliest."""
        if needed:
            yield from members.items()
        lean = not needed and (members or depth > DEEP or self.choice)
        for pattern, member in ({} if lean else schema.get("patternProperties", {})).items():
            yield example(pattern) or "a", member
        rest = schema.get("additionalProperties", needed)
        if rest is False or lean or (rest is True and not needed):
            return
        names = self.resolve(schema.get("propertyNames", True))
        if names:
            yield str(self.make({"type": "string", **names}, "key", depth + 1)), rest
        yield from ((name, rest) for name in self.said.names)
        yield from ((f"key{place}", rest) for place in range(1, _int(schema.get("minProperties"), 1) + 1))

    def array(self, schema: Mapping[str, Any], key: str, depth: int, sure: bool) -> Any:
        listed = schema.get("items", True)
        first = _list(schema.get("prefixItems")) or (listed if isinstance(listed, list) else [])
        items: Schema = listed if isinstance(listed, (Mapping, bool)) else schema.get("additionalItems", True)
        fewest = _int(schema.get("minItems"), 0)
        most = _int(schema.get("maxItems"), LARGEST)
        made = [self.make(member, key, depth + 1) for member in first[:most]]
        given = [] if first else self.given(items, key)
        if sure and not given:
            return MISSING
        made += given[: most - len(made)]
        if "contains" in schema:
            times = max(_int(schema.get("minContains"), 1), 0)
            made += [
                self.make(_merged(self.resolve(items), self.resolve(schema["contains"])), key, depth + 1)
            ] * times
        usual = 0 if items is False or depth > DEEP or (self.choice and not fewest) else 1
        others = _Others(made) if schema.get("uniqueItems") else None
        while len(made) < min(max(fewest, usual), most) and self.left > 0:
            value = self.make(items, key, depth + 1)
            if others is not None:
                if value in others:
                    value = self.another(self.resolve(items), others, value)
                others.add(value)
            made.append(value)
        return made

    def given(self, items: Schema, key: str) -> list[Any]:
        """All that the prompt gives for a list."""
        whole = self.resolve(items)
        if "anyOf" in whole or "oneOf" in whole:
            return []
        if "enum" in whole:
            return [value for value in _list(whole["enum"]) if self.says(value)]
        found: list[Any]
        if _kind(whole) == "string":
            found = [text for text in self.texts(whole, key, False) if _may_be(text, whole)]
        elif _kind(whole) in ("integer", "number"):
            found = [value for value in self.said.numbers if _in_bounds(value, whole, _kind(whole))]
        else:
            return []
        self.used += found
        return found

    def another(self, items: Mapping[str, Any], made: _Others, value: Any) -> Any:
        """A value for a list whose values must differ."""
        if "enum" in items:
            return next((other for other in _list(items["enum"]) if other not in made), value)
        if isinstance(value, bool):
            return not value
        if isinstance(value, (int, float)):
            step = Fraction(str(items.get("multipleOf", 1)))
            bounded = "maximum" in items or "exclusiveMaximum" in items
            for sign in (1, -1) if bounded else (1,):
                for turn in made.turns(value, sign):
                    other = _exact(value + sign * step * turn)
                    if other not in made and _in_bounds(other, items, _kind(items)):
                        return other
        if isinstance(value, str):
            for turn in made.turns(value):
                text = _other_text(value, turn, items)
                if text not in made:
                    return text
        if isinstance(value, dict):
            members = items.get("properties", {})
            for key, old in value.items():
                new = self.another(self.resolve(members.get(key, {})), made.column(key), old)
                if new != old:
                    return {**value, key: new}
        return value

    def number(self, schema: Mapping[str, Any], key: str, kind: str, sure: bool) -> Any:
        named = self.said.after(key)
        near: list[Any] = [_parsed(named)] if named else []
        near += [self.said.before(key)]
        if self.said.chosen is not None:
            near = []
        rest = [] if sure else [value for value in self.said.numbers if value not in self.used]
        for value in (*near, *rest, *([] if sure else self.said.numbers)):
            if value is not None and _in_bounds(value, schema, kind):
                self.used.append(value)
                return int(value) if kind == "integer" else value
        return MISSING

    def boolean(self, key: str) -> Any:
        named = (self.said.after(key) or "").lower()
        if named in ("true", "yes", "on", "false", "no", "off"):
            return named in ("true", "yes", "on")
        asked = stems(key) & stems(self.said.text)
        if not asked:
            return MISSING
        denied = re.findall(r"\b(?:no|not|without|don't|never)\b([^.,;]{0,40})", self.said.text, re.I)
        return not any(asked & stems(after) for after in denied)

    def string(self, schema: Mapping[str, Any], key: str, sure: bool) -> Any:
        found = [text for text in self.texts(schema, key, sure) if _may_be(text, schema)]
        for text in found:
            if text not in self.used:
                self.used.append(text)
                return text
        return found[0] if found and not sure else MISSING

    def texts(self, schema: Mapping[str, Any], key: str, sure: bool) -> list[str]:
        """What in the prompt may be this text, the likeliest first."""
        said = self.said
        kinds = {
            "date": said.dates,
            "date-time": said.date_times,
            "email": said.emails,
            "uri": said.urls,
            "uuid": said.uuids,
        }
        if "format" in schema:
            return kinds.get(schema["format"], [])
        named = said.after(key) if said.chosen is None else None
        found = [named] if named else []
        if "pattern" in schema:
            numbers = map(str, said.numbers)
            rest = [*numbers, *said.dates, *said.times, *said.text.split()]
            return [*found, *said.codes, *said.quoted, *said.names, *rest]
        words = {stem(word) for word in re.sub(r"(?<=[a-z])(?=[A-Z])|[_-]", " ", key).split()}
        for preposition, keys in (("from", FROM), ("to", TO)):
            if words & keys:
                found += said.following(preposition)
        for keys, values in (
            (EMAILS | TO | PEOPLE, said.emails),
            (URLS, said.urls),
            (FORMULAS, said.formulas),
            (UNITS, said.units),
            (DAYS, said.whens),
            (TIMES, said.times),
            (PLACES, said.places),
            (PEOPLE, said.people),
            (CODES, [*said.codes, *map(str, said.numbers)]),
        ):
            if words & keys and values:
                return [*found, *values]
        if sure or words & (EMAILS | URLS | FORMULAS | UNITS | DAYS | TIMES):
            return found
        if words & WHOLE:
            return [*found, *(said.chosen or ()), *said.quoted, *filter(None, [said.text.strip()])]
        return [*found, *said.quoted, *said.names, *said.codes]


class _Others:
    """Values of a list that must differ: whether one is there, and how far others were looked for."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values: list[Any] = []
        self._plain: set[Any] = set()
        self._turns: dict[tuple[Any, int], int] = {}
        self._columns: dict[str, _Others] = {}
        for value in values:
            self.add(value)

    def __contains__(self, value: Any) -> bool:
        # 1 and 1.0 are one value, and so are 1 and true: Python's equality, which a set has too.
        return value in self._plain if _is_plain(value) else value in self._values

    def add(self, value: Any) -> None:
        self._values.append(value)
        if _is_plain(value):
            self._plain.add(value)
        if isinstance(value, dict):
            for key, column in self._columns.items():
                column.add(value.get(key))

    def column(self, key: str) -> _Others:
        """The values of one member of the objects in the list."""
        if key not in self._columns:
            self._columns[key] = _Others(row.get(key) for row in self._values if isinstance(row, dict))
        return self._columns[key]

    def turns(self, value: Any, sign: int = 1) -> Iterator[int]:
        """The numbers of tries for another value than this, without those that an earlier search took or passed over."""
        start = self._turns.get((value, sign), 1)
        for turn in range(start, len(self._values) + 2):
            self._turns[value, sign] = turn
            yield turn


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float)) or value is None


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema for what fits both."""
    both = dict(one)
    for key, value in other.items():
        mine: Any = both.get(key)
        if key not in both:
            both[key] = value
        elif key == "properties":
            names = [*mine, *(name for name in value if name not in mine)]
            both[key] = {name: _both(mine.get(name), value.get(name)) for name in names}
        elif key == "required":
            both[key] = list(dict.fromkeys([*_list(mine), *_list(value)]))
        elif key in ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"):
            both[key] = max(mine, value)
        elif key in ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"):
            both[key] = min(mine, value)
        elif key == "enum":
            others = _Others(value)
            both[key] = [member for member in mine if member in others]
        elif key == "type":
            common = [kind for kind in _list(mine) if kind in _list(value)]
            both[key] = common[0] if len(common) == 1 else common or value
        elif key == "items" and isinstance(mine, Mapping) and isinstance(value, Mapping):
            both[key] = {"allOf": [mine, value]}
        elif key in ("anyOf", "oneOf"):
            pairs = islice(product(mine, value), UNIONS)
            both[key] = [{"allOf": [left, right]} for left, right in pairs]
        else:
            both[key] = value
    return both


def _both(one: Schema | None, other: Schema | None) -> Schema:
    if one is None or one is True:
        return True if other is None else other
    if other is None or other is True:
        return one
    return {"allOf": [one, other]}


def _kind(schema: Mapping[str, Any]) -> str:
    """The type a value is made of: the stated one, else what the other keywords speak of."""
    kinds = _list(schema.get("type"))
    if kinds:
        return str(next((kind for kind in kinds if kind != "null"), "null"))
    for kind, keys in (
        ("object", {"properties", "required", "additionalProperties", "patternProperties", "minProperties"}),
        ("array", {"items", "prefixItems", "minItems", "contains", "uniqueItems"}),
        ("number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    ):
        if keys & schema.keys():
            return kind
    return "string"


def _is(value: Any, kind: str) -> bool:
    kinds: dict[str, Any] = {
        "string": str,
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
    }
    if kind in kinds:
        return isinstance(value, kinds[kind])
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _may_be(text: str, schema: Mapping[str, Any]) -> bool:
    if not _int(schema.get("minLength"), 0) <= len(text) <= _int(schema.get("maxLength"), LONGEST):
        return False
    return "pattern" not in schema or matches(schema["pattern"], text)


def _plain_string(schema: Mapping[str, Any], key: str, said: Mentions) -> str:
    fewest, most = _int(schema.get("minLength"), 0), _int(schema.get("maxLength"), LONGEST)
    fewest = min(fewest, LONGEST)
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    if "pattern" in schema:
        times = min(fewest + 2, 1 + TRIED_CHARACTERS // len(schema["pattern"])) if schema["pattern"] else 1
        tries = (example(schema["pattern"], more) for more in range(times))
        return next((text for text in tries if text is not None and fewest <= len(text) <= most), "")
    text = said.topic or key.replace("_", " ") or "text"
    while len(text) < fewest:
        text += f" {text}"
    return text if len(text) <= most else text[:most]


def _other_text(text: str, turn: int, schema: Mapping[str, Any]) -> str:
    """The text changed so that it fits still."""
    kind = schema.get("format")
    if "pattern" in schema:
        return example(schema["pattern"], turn) or text
    if kind in ("date", "date-time"):
        return f"{text[:8]}{turn:02}{text[10:]}"
    if kind == "uuid":
        return f"{text[:-3]}{turn:03}"
    if kind in ("email", "idn-email", "hostname", "idn-hostname"):
        return f"a{turn}{text}"
    mark = str(turn + 1)
    return text[: _int(schema.get("maxLength"), LONGEST) - len(mark)] + mark


def _plain_number(schema: Mapping[str, Any], kind: str) -> int | float:
    step = Fraction(str(schema["multipleOf"])) if schema.get("multipleOf") else None
    if step is None and kind == "integer":
        step = Fraction(1)
    low, high = _bound(schema, "minimum", "exclusiveMinimum"), _bound(schema, "maximum", "exclusiveMaximum")
    if low is None and high is None:
        return _exact(step or Fraction(1))
    if step is None:
        if low is not None and high is not None:
            return _exact((low + high) / 2)
        return _exact(math.floor(low) + 1 if low is not None else math.ceil(high or 0) - 1)
    if low is not None:
        found = math.ceil(low / step) * step
        found = max(found, step) if high is None or step <= high else found
        return _exact(found if found != schema.get("exclusiveMinimum") else found + step)
    found = min(math.floor((high or 0) / step) * step, step)
    return _exact(found if found != schema.get("exclusiveMaximum") else found - step)


def _bound(schema: Mapping[str, Any], *keys: str) -> Fraction | None:
    given = [
        schema[key] for key in keys if isinstance(schema.get(key), (int, float)) and schema[key] is not True
    ]
    given = [value for value in given if value is not False]
    if not given:
        return None
    return Fraction(str(max(given) if "minimum" in keys else min(given)))


def _in_bounds(value: Any, schema: Mapping[str, Any], kind: str) -> bool:
    if kind == "integer" and value != int(value):
        return False
    exact = Fraction(str(value))
    low, high = _bound(schema, "minimum", "exclusiveMinimum"), _bound(schema, "maximum", "exclusiveMaximum")
    if (low is not None and exact < low) or (high is not None and exact > high):
        return False
    if value in (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")):
        return False
    step = schema.get("multipleOf")
    return not step or exact % Fraction(str(step)) == 0


def _exact(value: Any) -> int | float:
    return int(value) if value == int(value) else float(value)


def _parsed(text: str) -> int | float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return (int(value) if value.is_integer() else value) if math.isfinite(value) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _int(value: Any, otherwise: int) -> int:
    return int(value) if isinstance(value, (int, float)) else otherwise
