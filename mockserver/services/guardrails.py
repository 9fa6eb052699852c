"""What a guardrail finds in texts, and what it makes of them.

A guardrail stands in specs/guardrails: words, topics and content filters are known by their words,
personal data by patterns. Found is what stands there literally, letter case aside; the real service asks
a model, so what is found is an imitation, and how it is told is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.contract import Provider
from conformance.template import fill

Guardrail = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a guardrail made of some texts."""

    texts: tuple[str, ...]
    """The texts, masked where something is to be masked."""
    assessment: Mapping[str, Any] = field(repr=False)
    blocked: bool = False
    masked: bool = False

    @property
    def intervened(self) -> bool:
        return self.blocked or self.masked


def find(
    guardrails: Mapping[str, Guardrail], provider: Provider, name: str, version: str
) -> Guardrail | None:
    """The guardrail called `name` (id or ARN) in that version; None if there is none.

    Under `says` are the words in which the provider tells what it found.
    """
    said = guardrails.get(name.rpartition("guardrail/")[2])
    if said is None or said["provider"] != provider.id or version not in said["versions"]:
        return None
    return {**said, "says": provider.said["guardrail_words"]}


def judge(
    guardrail: Guardrail,
    texts: Sequence[str],
    *,
    version: str,
    arn: str,
    full: bool = False,
    sources: str = "",
    query: str = "",
    latency_ms: int = 0,
) -> Verdict:
    """What `guardrail` finds in `texts`; with `full` also what it looked for and did not find.

    `sources` and `query` are what an answer is held against, where the guardrail looks at grounding.
    """
    text = "\n".join(texts)
    found: dict[str, Any] = {
        "topicPolicy": _policy("topics", _topics(guardrail, text, full)),
        "contentPolicy": _policy("filters", _content(guardrail, text, full)),
        "wordPolicy": _words(guardrail, text, full),
        "sensitiveInformationPolicy": _sensitive(guardrail, text, full),
        "contextualGroundingPolicy": _policy("filters", _grounding(guardrail, text, sources, query, full)),
    }
    found = {name: policy for name, policy in found.items() if policy}
    actions = [entry["action"] for entry in _entries(found)]
    units = -(-len(text) // guardrail["text_unit"]) or 1
    found["invocationMetrics"] = {
        "guardrailProcessingLatency": latency_ms,
        "usage": usage(guardrail, units),
        "guardrailCoverage": coverage(texts),
    }
    found["appliedGuardrailDetails"] = {
        "guardrailId": guardrail["guardrail"],
        "guardrailVersion": version,
        "guardrailArn": arn,
        "guardrailOrigin": [guardrail["says"]["origin"]],
        "guardrailOwnership": guardrail["says"]["ownership"],
    }
    masked = tuple(_masked(guardrail, each) for each in texts)
    says = guardrail["says"]
    return Verdict(masked, found, says["blocked"] in actions, says["masked"] in actions)


def usage(guardrail: Guardrail, units: int) -> dict[str, int]:
    """The text units that each policy of the guardrail looked at."""

    def counted(*policies: str) -> int:
        return units if any(guardrail.get(policy) for policy in policies) else 0

    return {
        "topicPolicyUnits": counted("topics"),
        "contentPolicyUnits": counted("content"),
        "wordPolicyUnits": counted("words"),
        "sensitiveInformationPolicyUnits": counted("sensitive"),
        "sensitiveInformationPolicyFreeUnits": counted("regexes"),
        "contextualGroundingPolicyUnits": counted("grounding"),
        "contentPolicyImageUnits": 0,
    }


def coverage(texts: Iterable[str]) -> dict[str, Any]:
    """How many of all characters were looked at: all of them."""
    total = sum(map(len, texts))
    return {"textCharacters": {"guarded": total, "total": total}}


def _policy(name: str, entries: Iterator[dict[str, Any]]) -> dict[str, Any]:
    listed = list(entries)
    return {name: listed} if listed else {}


def _entries(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for policy in found.values():
        for entries in policy.values():
            yield from (entry for entry in entries if "action" in entry)


def _first(words: Iterable[str], text: str) -> str | None:
    """The first of `words` that stands in `text`, as it stands there."""
    for word in words:
        match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
        if match:
            return match[0]
    return None


def _acting(guardrail: Guardrail, said: Mapping[str, Any], hit: bool) -> dict[str, Any]:
    says = guardrail["says"]
    return {"action": said.get("action", says["blocked"]) if hit else says["none"], "detected": hit}


def _topics(guardrail: Guardrail, text: str, full: bool) -> Iterator[dict[str, Any]]:
    for said in guardrail.get("topics", ()):
        hit = _first(said["words"], text) is not None
        if hit or full:
            yield {"name": said["name"], "type": guardrail["says"]["denied"], **_acting(guardrail, said, hit)}


def _content(guardrail: Guardrail, text: str, full: bool) -> Iterator[dict[str, Any]]:
    for said in guardrail.get("content", ()):
        hit = _first(said["words"], text) is not None
        if hit or full:
            sure = guardrail["says"]["certain" if hit else "none"]
            strength = {"confidence": sure, "filterStrength": said["strength"]}
            yield {"type": said["type"], **strength, **_acting(guardrail, said, hit)}


def _words(guardrail: Guardrail, text: str, full: bool) -> dict[str, Any]:
    custom: list[dict[str, Any]] = []
    managed: list[dict[str, Any]] = []
    for said in guardrail.get("words", ()):
        match = _first([said["match"]], text)
        if match is not None or full:
            entry = {"match": match or said["match"], **_acting(guardrail, said, match is not None)}
            if "list" in said:
                managed.append({**entry, "type": said["list"]})
            else:
                custom.append(entry)
    return {"customWords": custom, "managedWordLists": managed} if custom or managed else {}


def _sensitive(guardrail: Guardrail, text: str, full: bool) -> dict[str, Any]:
    kinds = [
        {
            "match": match,
            "type": said["type"],
            **_acting(guardrail, said, bool(match)),
        }
        for said in guardrail.get("sensitive", ())
        for match in _matches(said, text, full)
    ]
    patterns = [
        {
            "name": said["name"],
            "match": match,
            "regex": said["pattern"],
            **_acting(guardrail, said, bool(match)),
        }
        for said in guardrail.get("regexes", ())
        for match in _matches(said, text, full)
    ]
    return {"piiEntities": kinds, "regexes": patterns} if kinds or patterns else {}


def _matches(said: Mapping[str, Any], text: str, full: bool) -> list[str]:
    found = [match[0] for match in re.finditer(said["pattern"], text)]
    return found or ([""] if full else [])


def _grounding(
    guardrail: Guardrail, text: str, sources: str, query: str, full: bool
) -> Iterator[dict[str, Any]]:
    """An answer is grounded as far as its longer words stand in the sources."""
    wanted = guardrail.get("grounding", {})
    measures: Mapping[str, Callable[[], float]] = {
        "grounding": lambda: _share(text, sources),
        "relevance": lambda: _share(query, text),
    }
    if not sources or not text:
        return
    for name, measured in measures.items():
        if name in wanted:
            score = measured()
            hit = score < wanted[name]
            if hit or full:
                kind = {"type": guardrail["says"][name], "threshold": wanted[name], "score": score}
                yield {**kind, **_acting(guardrail, {}, hit)}


def _share(words_of: str, inside: str) -> float:
    words = {word.lower() for word in re.findall(r"\w{4,}|\d+", words_of)}
    known = {word.lower() for word in re.findall(r"\w{4,}|\d+", inside)}
    return round(len(words & known) / len(words), 2) if words else 1.0


def _masked(guardrail: Guardrail, text: str) -> str:
    for said in (*guardrail.get("sensitive", ()), *guardrail.get("regexes", ())):
        if said["action"] == guardrail["says"]["masked"]:
            mask = fill(guardrail["says"]["mask"], {"kind": said.get("type", said.get("name", ""))})
            text = re.sub(said["pattern"], mask, text)
    return text
