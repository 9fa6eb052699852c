"""What changed between two stored runs: results, what was observed of claims, and the shapes of answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from conformance.exchange import Chunk
from conformance.inert import as_line
from conformance.runs.store import head_of
from conformance.runs.streams import stream_of
from conformance.runs.told import told

FORMAT = "conformance-diff/1"
GOOD = ("kept", "not applicable")
SECTIONS = {
    "new": "New: kept or not applicable before",
    "fixed": "Fixed: kept now",
    "changed": "Changed",
    "added": "Looked at in the second run only",
    "gone": "Looked at in the first run only",
    "observed": "Claims of which something else was seen",
    "drift": "Shape drift: members of answers that came, went or changed their type",
}

_Key = tuple[str, str, str]


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The differences of two documents, as plain JSON values; each section is a list, empty if nothing differs."""
    first, second = _by_rule(before), _by_rule(after)
    sections: dict[str, list[Any]] = {"new": [], "fixed": [], "changed": []}
    for key in (key for key in second if key in first):
        kind = _kind(first[key], second[key])
        if kind:
            sections[kind].append(_row(first[key], second[key]))
    return {
        "format": FORMAT,
        "before": _head(before),
        "after": _head(after),
        **sections,
        "added": [_row(None, second[key]) for key in second if key not in first],
        "gone": [_row(first[key], None) for key in first if key not in second],
        "observed": list(_observed(before, after)),
        "drift": list(_drift(before, after)),
    }


def worse(difference: Mapping[str, Any]) -> bool:
    """True if a rule fails the second run that did not fail the first: exit code 1."""
    return any(each["fails"] for each in difference["new"])


def was_kept(baseline: Mapping[str, Any]) -> set[_Key]:
    """The rules that the baseline run kept, by target, contract and rule."""
    return {key for key, each in _by_rule(baseline).items() if each["word"] == "kept"}


def _by_rule(document: Mapping[str, Any]) -> dict[_Key, Mapping[str, Any]]:
    return {(each["target"], each["contract"], each["rule"]): each for each in document["findings"]}


def _head(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in ("started", "version", "specs", "verdict", "requests")}


def _kind(before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    was, now = before["word"], after["word"]
    if was != now:
        if was in GOOD and now not in GOOD:
            return "new"
        return "fixed" if now == "kept" and was not in GOOD else "changed"
    if before["level"] != after["level"]:
        return "changed"
    return "changed" if set(_places(before)) != set(_places(after)) else None


def _places(finding: Mapping[str, Any]) -> Iterator[str]:
    """Where and what, without texts that an id or a time may stand in."""
    for each in finding["mismatches"]:
        got = each.get("got", "nothing")
        value = type(got).__name__ if isinstance(got, (str, list, dict)) and "got" in each else got
        yield json.dumps([each["at"], each["expected"], value])


def _row(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    said = after or before
    assert said is not None
    names = ("target", "contract", "api", "rule", "level", "text")
    return {
        **{name: said[name] for name in names},
        "before": None if before is None else before["word"],
        "after": None if after is None else after["word"],
        "fails": after is not None and told(after).fails,
        "reason": "" if after is None else after["reason"],
        "mismatches": [] if after is None else after["mismatches"],
    }


def _observed(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Claims of which a run measured something else, or on which its rules came to another verdict."""
    for section in ("declared", "claims"):
        names = ("model", "seller", "claim")
        first = {tuple(each[name] for name in names): each for each in before.get(section, ())}
        for each in after.get(section, ()):
            was = first.get(tuple(each[name] for name in names))
            seen = ("observed", "verdict") if section == "declared" else ("verdict",)
            if was is not None and any(was[name] != each[name] for name in seen):
                told_of = {name: each[name] for name in names}
                yield {
                    **told_of,
                    **{f"{name}_before": was[name] for name in seen},
                    **{f"{name}_after": each[name] for name in seen},
                }


def _drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for address, steps in after["exchanges"].items():
        earlier = {step["step"]: step for step in before["exchanges"].get(address, ())}
        for step in steps:
            was = earlier.get(step["step"])
            if was is None or was["response"] is None or step["response"] is None:
                continue
            old, new = shape_of(was["response"]), shape_of(step["response"])
            came = sorted(place for place in new if place not in old)
            went = sorted(place for place in old if place not in new)
            both = sorted(place for place in old if place in new and old[place] != new[place])
            if came or went or both:
                yield {
                    "evidence": f"{address}#{step['step']}",
                    "came": [f"{place}: {_types(new[place])}" for place in came],
                    "went": [f"{place}: {_types(old[place])}" for place in went],
                    "changed": [f"{place}: {_types(old[place])} -> {_types(new[place])}" for place in both],
                }


def shape_of(response: Mapping[str, Any]) -> dict[str, set[str]]:
    """The JSON types found at every place of an answer: `/status`, `/headers/NAME`, `/body/...`, `/events/NAME/...`.

    Members of arrays stand together under `*`, events of one name under their name.
    """
    status, headers, chunks = head_of(response)
    found: dict[str, set[str]] = {"/status": {str(status)}}
    for name, _ in headers:
        found[f"/headers/{name.lower()}"] = {"string"}
    decoded = stream_of(response)
    if decoded is None:
        _walk(_json(chunks), "/body", found)
    else:
        for event in decoded["events"]:
            _walk(_parsed(event["text"]), f"/events/{event['name'] or '*'}", found)
    return found


def _json(chunks: Iterable[Chunk]) -> Any:
    return _parsed(b"".join(chunk.data for chunk in chunks).decode("utf-8", "replace"))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _walk(value: Any, place: str, found: dict[str, set[str]]) -> None:
    if isinstance(value, dict):
        kind = "object"
        for name, each in value.items():
            _walk(each, f"{place}/{name}", found)
    elif isinstance(value, list):
        kind = "array"
        for each in value:
            _walk(each, f"{place}/*", found)
    else:
        names = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}
        kind = names[type(value)]
    found.setdefault(place, set()).add(kind)


def _types(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds))


# For people


def text(difference: Mapping[str, Any]) -> list[str]:
    """The difference in lines for a terminal; the first says how many of each."""
    lines = [_summary(difference)]
    for section, title in SECTIONS.items():
        rows = difference[section]
        if rows:
            lines += ["", f"{title} ({len(rows)})"]
            lines += [f"  {line}" for row in rows for line in _lines(section, row)]
    return lines


def markdown(difference: Mapping[str, Any]) -> str:
    """The difference as Markdown for a pull request."""
    lines = ["### Conformance, compared", "", _summary(difference)]
    for section, title in SECTIONS.items():
        rows = difference[section]
        if rows:
            lines += [
                "",
                f"<details{' open' if section == 'new' else ''}><summary>{title} ({len(rows)})</summary>",
                "",
            ]
            lines += [
                "```",
                *(line for row in rows for line in _lines(section, row)),
                "```",
                "",
                "</details>",
            ]
    return "\n".join(lines) + "\n"


def _summary(difference: Mapping[str, Any]) -> str:
    numbers = [f"{len(difference[name])} {name}" for name in SECTIONS if difference[name]]
    heads = difference["before"], difference["after"]
    first, second = (f"{each['started']} ({each['verdict']})" for each in heads)
    return f"{first} -> {second}: {', '.join(numbers) or 'no difference'}"


def _lines(section: str, row: Mapping[str, Any]) -> Iterator[str]:
    """What is told of a row. Names of members are the provider's own: no line of theirs ends a block or begins another."""
    return map(as_line, _told(section, row))


def _told(section: str, row: Mapping[str, Any]) -> Iterator[str]:
    if section == "drift":
        yield row["evidence"]
        for name in ("came", "went", "changed"):
            yield from (f"  {name:8}{each}" for each in row[name])
    elif section == "observed":
        seen = [name for name in ("observed", "verdict") if f"{name}_after" in row]
        changes = ", ".join(
            f"{name} {_plain(row[f'{name}_before'])} -> {_plain(row[f'{name}_after'])}" for name in seen
        )
        yield f"{row['claim']}  {row['model']} at {row['seller']}: {changes}"
    else:
        words = " -> ".join(word for word in (row["before"], row["after"]) if word is not None)
        yield f"{row['rule']} ({row['level']})  {row['contract']}: {words}"
        if section in ("new", "changed"):
            if row["reason"]:
                yield f"  because   {row['reason']}"
            for each in row["mismatches"]:
                got = _plain(each["got"]) if "got" in each else "nothing"
                yield f"  at {each['at'] or '/'}: expected {each['expected']}, got {got}"


def _plain(value: Any) -> str:
    told_as = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return told_as if len(told_as) <= 80 else f"{told_as[:77]}..."
