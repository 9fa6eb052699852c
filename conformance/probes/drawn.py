"""Examples drawn by hypothesis beside what the contracts have written: other words, other caps, more members.

A probe that says what in it may vary (`drawn`) is asked again for each example. They are drawn once, with a fixed seed,
and never while asking: no shrinking, no deadline, no database. The members come from the contract's own strategy
(`conformance.strategies`); caps stay low and there is no media, so the most that they cost is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from tempfile import TemporaryDirectory
from typing import Any

from conformance.contract import Contract, Rule
from conformance.patch import merge

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789äßéñ漢字"
"""Small ones: a stop sequence stands in capitals."""
TEXTS = 2
"""Texts of one probe that may vary, at most; caps likewise."""
WORDS, LENGTH = 4, 5
"""Of one text, at most: an answer of so few words stays below every cap."""
MEMBERS = 2
"""Members beside the written ones, at most."""


@dataclass(frozen=True)
class Example:
    """What one drawn example has in place of the written texts and caps, and beside the written members."""

    texts: tuple[str, ...] = ()
    more: tuple[int, ...] = ()
    """How much higher the cap of each step is."""
    members: Mapping[str, Any] = field(default_factory=dict)
    """Values by pointer into the body."""

    @property
    def size(self) -> tuple[int, int, int]:
        """What a smaller example has less of."""
        return len(self.members), sum(map(len, self.texts)), sum(self.more)

    def __str__(self) -> str:
        said = [f"text {json.dumps(each, ensure_ascii=False)}" for each in self.texts]
        said += [f"cap + {each}" for each in self.more]
        said += [f"{at} {json.dumps(value, ensure_ascii=False)}" for at, value in self.members.items()]
        return ", ".join(said)

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def smaller(self) -> Iterator[Example]:
        """The same with one thing less, the most at once first."""
        for at in self.members:
            yield replace(self, members={key: value for key, value in self.members.items() if key != at})
        for index, text in enumerate(self.texts):
            for shorter in _shorter(text):
                yield replace(self, texts=(*self.texts[:index], shorter, *self.texts[index + 1 :]))
        for index, number in enumerate(self.more):
            for less in sorted({0, number // 2, max(number - 1, 0)} - {number}):
                yield replace(self, more=(*self.more[:index], less, *self.more[index + 1 :]))


def _shorter(text: str) -> Iterator[str]:
    words = text.split()
    for index in range(len(words) if len(words) > 1 else 0):
        yield " ".join(words[:index] + words[index + 1 :])
    for index, letter in enumerate(text):
        left = text[:index] + text[index + 1 :]
        if letter != " " and left.strip() == left and "  " not in left and left:
            yield left


def varies(contract: Contract, rule: Rule) -> Mapping[str, Any] | None:
    """What of the rule's probe may vary; None where nothing may."""
    found: Mapping[str, Any] | None = contract.probes.get(rule.probe or "", {}).get("drawn")
    return found


def draw(contract: Contract, number: int) -> list[Example]:
    """`number` examples for the contract; the same ones each time, as long as the same modules are loaded."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    from conformance.strategies import within

    word = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=LENGTH).map("".join)
    text = st.lists(word, min_size=1, max_size=WORDS).map(" ".join)
    offered = {at: within(contract, at) for at in contract.said.get("drawn_members", ())}
    some = {at: each for at, each in offered.items() if each is not None}

    @st.composite
    def example(one: st.DrawFn) -> Example:
        chosen = one(st.permutations(sorted(some)))[: one(st.integers(0, MEMBERS))] if some else []
        members = {at: one(some[at]) for at in chosen}
        return Example(
            tuple(one(text) for _ in range(TEXTS)),
            tuple(one(st.integers(0, 100)) for _ in range(TEXTS)),
            {at: value for at, value in members.items() if value is not None},
        )

    found: list[Example] = []

    @settings(
        max_examples=2 * number + 2,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(example())
    def collect(each: Example) -> None:
        # What hypothesis begins with is the smallest there is.
        if each not in found and sum(map(len, each.texts)) > TEXTS:
            found.append(each)

    if number:
        with _elsewhere():
            collect()
    return found[:number]


@contextmanager
def _elsewhere() -> Iterator[None]:
    """What hypothesis writes while it draws goes to a folder that is gone afterwards, not to the working folder."""
    from hypothesis.configuration import set_hypothesis_home_dir

    with TemporaryDirectory(prefix="conformance-draws-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


def asked_as(probe: str, number: int | str) -> str:
    """The name under which a probe is asked with an example: evidence stands under it."""
    return f"{probe}~{number}"


def trimmed(example: Example, drawn: Mapping[str, Any]) -> Example:
    """Of the example what this probe makes use of."""
    limit = drawn.get("caps")
    return Example(
        example.texts[: len(drawn.get("words", ()))],
        () if limit is None else tuple(each % (limit + 1) for each in example.more),
        example.members,
    )


def with_examples(contract: Contract, rule: Rule, examples: Mapping[int | str, Example]) -> Contract:
    """The contract with a probe more for each example of the rule's own one."""
    assert rule.probe is not None
    written = contract.probes[rule.probe]
    probes = {
        asked_as(rule.probe, name): {**written, "steps": _steps(written, each)}
        for name, each in examples.items()
    }
    return replace(contract, said={**contract.said, "probes": {**contract.said["probes"], **probes}})


def aimed(contract: Contract, rule: Rule, example: Example, number: int | str) -> Rule:
    """The rule, looking at that probe; texts that it names itself are replaced in it too."""
    assert rule.probe is not None
    swap = _swap(contract.probes[rule.probe], example)
    return replace(rule, probe=asked_as(rule.probe, number), arguments=_swapped(rule.arguments, swap))


def _swap(probe: Mapping[str, Any], example: Example) -> dict[str, str]:
    return dict(zip(probe["drawn"].get("words", ()), example.texts, strict=False))


def _steps(probe: Mapping[str, Any], example: Example) -> dict[str, Any]:
    swap = _swap(probe, example)
    steps = {name: dict(_swapped(how, swap)) for name, how in probe["steps"].items()}
    members: dict[str, Any] = {}
    for at, value in example.members.items():
        for name in reversed(at.split("/")[1:]):
            value = {name: value}
        members = merge(members, value)
    for index, how in enumerate(steps.values()):
        if index < len(example.more):
            how["turn"] = {**how["turn"], "max_tokens": how["turn"]["max_tokens"] + example.more[index]}
        if members:
            how["patch"] = merge(how.get("patch", {}), members)
    return steps


def _swapped(value: Any, swap: Mapping[str, str]) -> Any:
    if isinstance(value, str) and swap:
        return re.sub("|".join(map(re.escape, swap)), lambda found: swap[found[0]], value)
    if isinstance(value, Mapping):
        return {key: _swapped(each, swap) for key, each in value.items()}
    return [_swapped(each, swap) for each in value] if isinstance(value, list) else value


def of_document(said: Sequence[Mapping[str, Any]]) -> list[Example]:
    """The examples that a run has kept of one contract."""
    return [Example(tuple(each["texts"]), tuple(each["more"]), each["members"]) for each in said]
