"""The rules whose probe may vary, asked of drawn examples beside the written one; a broken one is made smaller.

Nothing is made smaller at a real provider's cost: against a mock that mock is asked; for a real provider the embedded
mock with the same rule broken, if it breaks and keeps the same examples, else the smallest stored one is shown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conformance.contract import Contract, Rule
from conformance.embedded import embedded
from conformance.finding import Finding
from conformance.loading import Specs
from conformance.probes.drawn import Example, aimed, draw, of_document, trimmed, varies, with_examples
from conformance.run import Run
from conformance.target import EMBEDDED, Target, UsageError, targets

TRIES = 80
"""Smaller examples that a mock is asked at most."""
SHRUNK = "shrunk"
"""In place of a number in the address of the evidence."""
DRAWN = "drawn"
"""The folder of a run's folder that keeps the examples of each contract."""
WORST = ("suite error", "inconclusive", "over budget")


class Examples:
    """Judges rules as `run` does, and those that may vary with `number` drawn examples each.

    Every worker of a run takes the same ones from `folder`, where the first to need them keeps them: what hypothesis
    draws hangs on the modules that are loaded. `is_mock`: asking costs nothing, so a broken example is made smaller there.
    """

    def __init__(self, run: Run, number: int, folder: Path, *, is_mock: bool) -> None:
        self.run, self.number, self.folder, self.is_mock = run, number, folder, is_mock
        self.shrinks = True
        self._drawn: dict[str, Sequence[Example]] = {}

    def of(self, contract: Contract) -> Sequence[Example]:
        """The contract's examples; drawn once."""
        if contract.id not in self._drawn:
            self._drawn[contract.id] = self._draw(contract)
        return self._drawn[contract.id]

    def _draw(self, contract: Contract) -> Sequence[Example]:
        if not self.number:
            return []
        from filelock import FileLock

        path = self.folder / DRAWN / f"{contract.id.replace('/', '~')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                made = [each.document() for each in draw(contract, self.number)]
                path.write_text(json.dumps(made), encoding="utf-8")
            return of_document(json.loads(path.read_text(encoding="utf-8")))

    def judge(self, target: Target, contract: Contract, rule: Rule) -> Finding:
        """What became of the rule in the written probe and in every example."""
        written = self.run.judge(target, contract, rule)
        said = varies(contract, rule)
        if said is None or written.word not in ("kept", "broken"):
            return written
        examples = [trimmed(each, said) for each in self.of(contract)]
        if not examples:
            return written
        found = judged(self.run, target, contract, rule, examples)
        reason, again = _told(written, found), written.again
        evidence = written.evidence + tuple(at for each in found for at in each.evidence)
        broken = [index for index, each in enumerate(found) if each.word == "broken"]
        if not broken:
            worst = next((each for word in WORST for each in found if each.word == word), None)
            if worst is None or written.word == "broken":
                return replace(written, reason=reason, evidence=evidence)
            return Finding(rule, worst.word, f"{reason}: {worst.reason}", (), evidence, worst.again)
        first = broken[0]
        reason += f"; example {first + 1}: {examples[first]}"
        mismatches, again = found[first].mismatches, found[first].again
        if self.shrinks:
            words = [written.word, *(each.word for each in found)]
            said_of, least = self._smallest(target, contract, rule, examples, words, broken)
            reason += f"; {said_of}"
            if least is not None:
                mismatches, again, evidence = least.mismatches, least.again, evidence + least.evidence
        if written.word == "broken":
            mismatches, again = written.mismatches, written.again
        return Finding(rule, "broken", reason, mismatches, evidence, again)

    def _smallest(
        self,
        target: Target,
        contract: Contract,
        rule: Rule,
        examples: Sequence[Example],
        words: Sequence[str],
        broken: Sequence[int],
    ) -> tuple[str, Finding | None]:
        """What the smallest example is, in words; and what became of it, where it was asked of the target itself."""
        start = examples[broken[0]]
        if self.is_mock:
            with TemporaryDirectory(prefix="conformance-shrinks-") as folder:
                run = Run(self.run.specs, self.run.targets, Path(folder), self.run.extra)
                try:
                    least, asked = shrink(start, lambda each: _breaks(run, target, contract, rule, each))
                finally:
                    run.close()
            if least != start:
                [found] = judged(self.run, target, contract, rule, [least], SHRUNK)
                return f"shrunk at the mock in {asked} tries: {least}", found
            return f"no smaller one breaks it in {asked} tries at the mock", None
        told = _shrunk_at_the_mock(self.run.specs, target, contract, rule, examples, words, start)
        if told is not None:
            return told, None
        least = min((examples[index] for index in broken), key=lambda each: each.size)
        return f"the smallest of the stored ones that break it: {least}", None


def judged(
    run: Run, target: Target, contract: Contract, rule: Rule, examples: Sequence[Example], name: str = ""
) -> list[Finding]:
    """What becomes of the rule in each of the examples; its evidence stands under their numbers, or under `name`."""
    named: dict[int | str, Example] = {name or index: each for index, each in enumerate(examples, 1)}
    more = with_examples(contract, rule, named)
    return [
        replace(run.judge(target, more, aimed(contract, rule, each, index)), rule=rule)
        for index, each in named.items()
    ]


def shrink(example: Example, breaks: Callable[[Example], bool], tries: int = TRIES) -> tuple[Example, int]:
    """The smallest example on the way down that still breaks, and how many were asked; `example` itself breaks."""
    asked, known = 0, {str(example)}
    smaller = example.smaller()
    while asked < tries:
        each = next(smaller, None)
        if each is None:
            break
        if str(each) in known:
            continue
        known.add(str(each))
        asked += 1
        if breaks(each):
            example, smaller = each, each.smaller()
    return example, asked


def _breaks(run: Run, target: Target, contract: Contract, rule: Rule, example: Example) -> bool:
    # Each under a name of its own: what is asked under one name is asked once.
    name = hashlib.sha256(str(example).encode()).hexdigest()[:16]
    [found] = judged(run, target, contract, rule, [example], name)
    return found.word == "broken"


def _shrunk_at_the_mock(
    specs: Specs,
    target: Target,
    contract: Contract,
    rule: Rule,
    examples: Sequence[Example],
    words: Sequence[str],
    start: Example,
) -> str | None:
    """The smallest example at the embedded mock with this rule broken; None if that does not do as the provider did."""
    from conformance.mutants import BREAK

    try:
        mock = embedded(EMBEDDED)(specs=specs, auth="strict", reality=target.reality)
    except UsageError:
        return None
    try:
        asked = targets(specs, EMBEDDED, model=target.model, region=target.region, mock=mock.info)
        here = next((each for each in asked if each.name == target.name), None)
        if here is None:
            return None
        with TemporaryDirectory(prefix="conformance-shrinks-") as folder:
            run = Run(specs, asked, Path(folder), ((BREAK, rule.name),))
            try:
                there = [run.judge(here, contract, rule), *judged(run, here, contract, rule, examples)]
                if [each.word for each in there] != list(words):
                    return None
                least, tries = shrink(start, lambda each: _breaks(run, here, contract, rule, each))
            finally:
                run.close()
    finally:
        mock.stop()
    return f"shrunk at the embedded mock with this rule broken, in {tries} tries: {least}"


def _told(written: Finding, found: Sequence[Finding]) -> str:
    """How many of how many, after what the check said of the written one."""
    words = [each.word for each in found]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    own = "written turn " + written.word + (f" ({written.reason})" if written.reason else "")
    return f"{own}; {len(found)} drawn: {counts}"


def planned(contract: Contract, rule: Rule, drawn: Sequence[Example]) -> Iterator[tuple[Contract, str]]:
    """For each example a contract that has the rule's probe with it, and that probe's name."""
    said = varies(contract, rule)
    if said is not None and drawn:
        examples: dict[int | str, Example] = {
            index: trimmed(each, said) for index, each in enumerate(drawn, 1)
        }
        more = with_examples(contract, rule, examples)
        for index, each in examples.items():
            yield more, str(aimed(contract, rule, each, index).probe)


class StoredExamples(Examples):
    """Those of a run that has asked already: `drawn` is its document's `examples`. Nobody is asked for a smaller one."""

    def __init__(self, run: Run, drawn: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        super().__init__(run, 0, Path(), is_mock=False)
        self.shrinks = False
        self._drawn = {contract: of_document(each) for contract, each in drawn.items()}


def drawn_section(folder: Path) -> dict[str, Any]:
    """The document's `examples`, by contract; nothing where none were drawn."""
    found = {
        path.stem.replace("~", "/"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / DRAWN).glob("*.json"))
    }
    return {"examples": found} if found else {}
