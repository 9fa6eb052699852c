"""Runs of parts put together: shards of one run, or runs of different APIs at the same targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from conformance.finding import EXITS, MEANING, exit_code
from conformance.runs.receipt import total
from conformance.runs.report import FORMAT
from conformance.runs.told import told
from conformance.target import UsageError

SAME = {"version": "version of the suite", "specs": "specs", "ruleset": "rule set", "baseline": "baseline"}
"""What parts of one run have in common."""


def merge(parts: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """One document of several; `names` are what the parts are called in errors.

    Seconds and requests are summed: what was spent, not what it took side by side. Raises UsageError for parts
    of different specs, targets or options, for a rule that stands in two of them, and for shards that are missing.
    """
    if not parts:
        raise UsageError("expected the folders of runs to merge, got none")
    for part, name in zip(parts, names, strict=True):
        _refuse_other(parts[0], part, names[0], name)
    _refuse_missing([part["selection"].get("shard") for part in parts])
    findings: dict[tuple[str, str, str], tuple[str, Mapping[str, Any]]] = {}
    for part, name in zip(parts, names, strict=True):
        for each in part["findings"]:
            key = each["target"], each["contract"], each["rule"]
            if key in findings:
                raise UsageError(
                    f"{name}: {each['contract']}:{each['rule']} stands in {findings[key][0]} too: "
                    "expected parts of one run, each rule in one of them"
                )
            findings[key] = name, each
    order = {target["name"]: index for index, target in enumerate(parts[0]["targets"])}
    in_order = sorted(
        (each for _, each in findings.values()), key=lambda each: (order[each["target"]], each["contract"])
    )
    problems = list(dict.fromkeys(text for part in parts for text in part["problems"]))
    code = exit_code([told(each) for each in in_order], problems)
    words = Counter(each["word"] for each in in_order)
    selection = {key: value for key, value in parts[0]["selection"].items() if key not in ("shard", "api")}
    apis = [glob for part in parts for glob in part["selection"].get("api", ["*"])]
    merged: dict[str, Any] = {
        "format": FORMAT,
        "version": parts[0]["version"],
        "started": min(part["started"] for part in parts),
        "seconds": round(sum(part["seconds"] for part in parts), 3),
        "verdict": EXITS[code],
        "exit_code": code,
        "specs": parts[0]["specs"],
        "selection": selection | ({} if "*" in apis else {"api": list(dict.fromkeys(apis))}),
        "problems": problems,
        "targets": parts[0]["targets"],
        "counts": {word: words[word] for word in MEANING},
        "requests": sum(part["requests"] for part in parts),
        "findings": in_order,
        "not_checked": _distinct(parts, "not_checked", ("contract", "rule"), _first),
        "claims": _distinct(parts, "claims", ("model", "seller", "claim"), _claim),
        "between_sellers": _distinct(parts, "between_sellers", ("model", "claim"), _first),
        "exchanges": {
            address: steps
            for part in parts
            for address, steps in part["exchanges"].items()
        },
    }  # fmt: skip
    for name in ("ruleset", "baseline"):
        if name in parts[0]:
            merged[name] = parts[0][name]
    examples = {name: each for part in parts for name, each in part.get("examples", {}).items()}
    if examples:
        merged["examples"] = examples
    if any("waivers" in part for part in parts):
        merged["waivers"] = _distinct(parts, "waivers", ("at", "rule"), _waiver)
    if any("declared" in part for part in parts):
        merged["declared"] = _distinct(parts, "declared", ("model", "seller", "claim"), _declared)
    receipts = [part["receipt"] for part in parts if "receipt" in part]
    if receipts:
        merged["receipt"] = _receipt(receipts)
    return merged


def _refuse_other(first: Mapping[str, Any], part: Mapping[str, Any], first_name: str, name: str) -> None:
    for key, title in SAME.items():
        if first.get(key) != part.get(key):
            raise UsageError(
                f"{name}: expected the {title} of {first_name} ({_named(first.get(key))}), got {_named(part.get(key))}"
            )
    ours, theirs = ({**each["selection"], "shard": "", "api": ""} for each in (first, part))
    if ours != theirs:
        differ = sorted(key for key in ours | theirs if ours.get(key) != theirs.get(key))
        raise UsageError(
            f"{name}: expected the options of {first_name}, got another {', '.join(differ)}: "
            + "; ".join(f"{ours.get(key)!r} and {theirs.get(key)!r}" for key in differ)
        )
    # An embedded mock has another port in every run.
    ports = ("endpoint",) if "endpoint_url" not in first["selection"] else ()
    one, other = (
        [{key: value for key, value in target.items() if key not in ports} for target in each["targets"]]
        for each in (first, part)
    )
    if one != other:
        told_as = [", ".join(f"{each['name']} {each['model']}" for each in side) for side in (one, other)]
        raise UsageError(f"{name}: expected the targets of {first_name} ({told_as[0]}), got {told_as[1]}")


def _named(value: Any) -> str:
    return str(value.get("name") or value.get("started")) if isinstance(value, Mapping) else str(value)


def _refuse_missing(shards: Iterable[str | None]) -> None:
    given = [each for each in shards if each is not None]
    if not given:
        return
    numbers = {each.partition("/")[2] for each in given}
    if len(numbers) != 1:
        raise UsageError(f"expected shards of one number, got {', '.join(sorted(given))}")
    number = int(numbers.pop())
    missing = [f"{index}/{number}" for index in range(1, number + 1) if f"{index}/{number}" not in given]
    if missing:
        raise UsageError(
            f"expected every shard, got no {', '.join(missing)}: what was not looked at would read as kept"
        )


_Join = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]


def _distinct(
    parts: Sequence[Mapping[str, Any]], section: str, names: Sequence[str], join: _Join
) -> list[Mapping[str, Any]]:
    """The rows of a section; rows that have the same `names` are joined."""
    found: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for part in parts:
        for row in part.get(section, ()):
            key = tuple(row.get(name) for name in names)
            found[key] = join(found[key], row) if key in found else row
    return list(found.values())


def _first(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    return one


def _claim(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    order = ("broken", "kept", "not looked at")
    verdict = min(one["verdict"], other["verdict"], key=order.index)
    rules = [rule for each in (one, other) if each["verdict"] == verdict for rule in each["rules"]]
    return {**one, "verdict": verdict, "rules": rules}


def _waiver(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    order = ("expired", "stale", "used", "idle")
    return {**one, "state": min(one["state"], other["state"], key=order.index)}


def _declared(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    seen = other if one["observed"] is None else one
    costs = [each["cost"] for each in (one, other) if each["cost"] is not None]
    return {**seen, "requests": one["requests"] + other["requests"], "cost": sum(costs) if costs else None}


def _receipt(receipts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    currencies = {each["currency"] for each in receipts}
    if len(currencies) != 1:
        raise UsageError(f"expected receipts in one currency, got {', '.join(sorted(currencies))}")
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for receipt in receipts:
        for line in receipt["lines"]:
            key = (line["model"], line["api"])
            lines[key] = _added(lines[key], line) if key in lines else dict(line)
    told = [lines[key] for key in sorted(lines, key=lambda each: (each[0] or "", each[1]))]
    return {"currency": currencies.pop(), "lines": told, "total": total(told)}


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    names = ("requests", "retries", "input_tokens", "output_tokens")
    unpriced = one["cost"] is None or other["cost"] is None
    cost = None if unpriced else round(one["cost"] + other["cost"], 9)
    return {**one, **{name: one[name] + other[name] for name in names}, "cost": cost}
