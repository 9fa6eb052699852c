"""The checks: what a schema or an order cannot say, each a function that yields what it saw.

A contract's rule names its check and gives it values; the function's name is the requirement.
A check looks at the steps of one probe (`Seen`) and yields a Mismatch for each place where the
provider is not what the rule demands. No I/O, no asserts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from conformance.card import Card
from conformance.contract import Contract, Failure, Rule
from conformance.dialects import dialect
from conformance.exchange import CLIENT_ERROR, SERVER_ERROR, Exchange
from conformance.select import document, select
from conformance.shapes import ABSENT, Mismatch, Shape
from conformance.values import Reasoning, Reply, Turn


class Unseen(ValueError):
    """What a check would look at is not there: the rule is neither kept nor broken. The text says what."""


Check = Callable[..., Iterable[Mismatch]]
CHECKS: dict[str, Check] = {}
OF_REFUSALS: set[str] = set()
"""Checks that look at steps which were refused, or tell themselves whether they were."""


@dataclass(frozen=True)
class Step:
    """One step of a probe as it went."""

    name: str
    contract: Contract
    exchange: Exchange
    body: Any = None
    """The request's parsed JSON."""
    turn: Turn | None = None
    expect: Any = "answered"

    @cached_property
    def document(self) -> dict[str, Any]:
        """What pointers go into; empty if no response came."""
        return document(self.exchange.response) if self.exchange.response else {}

    @cached_property
    def replies(self) -> list[Reply]:
        """The answer in neutral words; empty where there is none."""
        response = self.exchange.response
        if response is None or self.contract.dialect is None:
            return []
        speak = dialect(self.contract.dialect)
        if response.events is not None:
            return speak.fold(response.events, self.contract.profile)
        return speak.parse(response.body, self.contract.profile)

    @cached_property
    def problem(self) -> str | None:
        """What keeps the answer from being read to its end; None if nothing does.

        A stream that says how it finished is whole, though the framing's last message did not follow: that is
        for the rule of the framing alone.
        """
        response = self.exchange.response
        if response is None:
            return None
        if not response.unended:
            return response.problem
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            if self.replies and all(each.finish is not None for each in self.replies):
                return None
        return response.problem

    @property
    def reply(self) -> Reply:
        """The first reply; an empty one if there is none."""
        return self.replies[0] if self.replies else Reply(())


@dataclass(frozen=True)
class Seen:
    """What a rule looks at: the probe's steps, in order, and the card of the model that was asked."""

    contract: Contract
    rule: Rule
    steps: Mapping[str, Step]
    card: Card | None = None
    model: str | None = None
    """The id of the model that was asked."""
    told: list[str] = field(default_factory=list)
    """What a check has to say beside its mismatches, kept or not: how many of how many."""

    def step(self, name: str | None = None) -> Step:
        """The step called `name`; without a name the last one."""
        return self.steps[name] if name is not None else list(self.steps.values())[-1]


def check(function: Check) -> Check:
    """Registers a check that looks at answers."""
    CHECKS[function.__name__] = function
    return function


def check_refusal(function: Check) -> Check:
    """Registers a check that looks at refusals as well."""
    OF_REFUSALS.add(function.__name__)
    return check(function)


def _one(seen: Seen, at: str, step: str | None = None) -> tuple[str, Any] | None:
    found = select(seen.step(step).document, at)
    return found[0] if found else None


def _some(seen: Seen, at: str, step: str | None = None) -> list[tuple[str, Any]]:
    found = select(seen.step(step).document, at)
    if not found:
        raise Unseen(f"nothing stands at {at}")
    return found


def _said(seen: Seen, step: str | None = None) -> Reply:
    asked = seen.step(step)
    if not asked.replies:
        raise Unseen(f"step {asked.name} has no answer of the model")
    return asked.reply


# Members of the answer


@check
def present(seen: Seen, at: str, step: str | None = None) -> Iterator[Mismatch]:
    if _one(seen, at, step) is None:
        yield Mismatch(at, "a member", ABSENT)


@check
def has_members(seen: Seen, at: str, members: list[str], step: str | None = None) -> Iterator[Mismatch]:
    """Every object there has all of the members, be they null."""
    found = select(seen.step(step).document, at)
    if not found:
        yield Mismatch(at, "an object", ABSENT)
    for where, value in found:
        for name in members:
            if not isinstance(value, Mapping) or name not in value:
                yield Mismatch(f"{where}/{name}", "a member, be it null", ABSENT)


@check
def absent(seen: Seen, at: str, step: str | None = None) -> Iterator[Mismatch]:
    for where, value in select(seen.step(step).document, at):
        yield Mismatch(where, "no such member", value)


@check
def equal(
    seen: Seen,
    at: str,
    to: Any = None,
    same_as: str | None = None,
    step: str | None = None,
    as_step: str | None = None,
    first: bool = False,
) -> Iterator[Mismatch]:
    """`at` equals `to`, or what stands at `same_as` (of step `as_step`); of several places the `first` alone, if said."""
    if same_as is not None:
        other = _one(seen, same_as, as_step or step)
        to = other[1] if other else ABSENT
    found = select(seen.step(step).document, at)
    if not found:
        yield Mismatch(at, f"{to!r}", ABSENT)
    for where, value in found[:1] if first else found:
        if value != to:
            yield Mismatch(
                where, json.dumps(to, ensure_ascii=False) if to is not ABSENT else "the same", value
            )


@check
def echoes(seen: Seen, at: str, of: str, step: str | None = None) -> Iterator[Mismatch]:
    """`at` is what the request's body had at `of`; the model that was asked, where the path carries it."""
    asked = seen.step(step)
    sent = select(asked.body, of)
    expected = sent[0][1] if sent else asked.turn.model if asked.turn and of == "/model" else ABSENT
    if expected is None and not sent:
        raise Unseen("the request names no model")
    found = select(asked.document, at)
    if not found:
        yield Mismatch(at, json.dumps(expected) if expected is not ABSENT else "what was asked", ABSENT)
    for where, value in found:
        if value != expected:
            yield Mismatch(where, json.dumps(expected) if expected is not ABSENT else "nothing", value)


@check
def one_of(seen: Seen, at: str, values: list[Any], step: str | None = None) -> Iterator[Mismatch]:
    """Whatever stands at `at` is one of `values`."""
    for where, value in _some(seen, at, step):
        if value not in values:
            yield Mismatch(where, "one of " + json.dumps(values), value)


@check
def refers(seen: Seen, at: str, to: str, step: str | None = None) -> Iterator[Mismatch]:
    """Whatever stands at `at` stands somewhere at `to` too."""
    known = [value for _, value in select(seen.step(step).document, to)]
    for where, value in _some(seen, at, step):
        if value not in known:
            yield Mismatch(where, "one of " + json.dumps(known), value)


@check
def matches(seen: Seen, at: str, pattern: str, step: str | None = None) -> Iterator[Mismatch]:
    found = select(seen.step(step).document, at)
    if not found:
        yield Mismatch(at, f"text that matches {pattern}", ABSENT)
    for where, value in found:
        if not isinstance(value, str) or not re.search(pattern, value):
            yield Mismatch(where, f"text that matches {pattern}", value)


@check
def sum(seen: Seen, total: str, parts: list[str], step: str | None = None) -> Iterator[Mismatch]:
    """`total` is the sum of `parts`; parts that are missing count nothing."""
    found = _some(seen, total, step)[0]
    values = [_one(seen, part, step) for part in parts]
    expected = 0
    for value in values:
        expected += value[1] if value and isinstance(value[1], int) else 0
    if found[1] != expected:
        yield Mismatch(found[0], str(expected), found[1])


@check
def at_most(seen: Seen, at: str, limit: float, step: str | None = None) -> Iterator[Mismatch]:
    for where, value in _some(seen, at, step):
        if not isinstance(value, int | float) or value > limit:
            yield Mismatch(where, f"at most {limit}", value)


@check
def at_least(seen: Seen, at: str, limit: float, step: str | None = None) -> Iterator[Mismatch]:
    for where, value in _some(seen, at, step):
        if not isinstance(value, int | float) or value < limit:
            yield Mismatch(where, f"at least {limit}", value)


@check
def count(
    seen: Seen,
    event: str | None = None,
    at: str | None = None,
    exactly: int | None = None,
    at_least: int | None = None,
    at_most: int | None = None,
    step: str | None = None,
) -> Iterator[Mismatch]:
    """How many events of a name there are, or places that a pointer finds."""
    if event is not None:
        number = len([each for each in seen.step(step).document.get("events", ()) if each.name == event])
    else:
        number = len(select(seen.step(step).document, at or ""))
    where = f"/events/{event}" if event else at or ""
    if exactly is not None and number != exactly:
        yield Mismatch(where, f"exactly {exactly}", number)
    if at_least is not None and number < at_least:
        yield Mismatch(where, f"at least {at_least}", number)
    if at_most is not None and number > at_most:
        yield Mismatch(where, f"at most {at_most}", number)


@check
def grows(seen: Seen, at: str, before: str, after: str) -> Iterator[Mismatch]:
    """The number at `at` is greater in step `after` than in step `before`."""
    where, now = _some(seen, at, after)[0]
    then = _some(seen, at, before)[0][1]
    if not (isinstance(now, int | float) and isinstance(then, int | float) and now > then):
        yield Mismatch(where, f"more than {then!r}, as it was in step {before}", now)


@check
def same_everywhere(seen: Seen, at: str, step: str | None = None) -> Iterator[Mismatch]:
    found = select(seen.step(step).document, at)
    if not found:
        yield Mismatch(at, "the same value everywhere", ABSENT)
    for where, value in found[1:]:
        if value != found[0][1]:
            yield Mismatch(where, json.dumps(found[0][1]), value)


@check
def increments(seen: Seen, at: str, first: int, step: str | None = None) -> Iterator[Mismatch]:
    found = select(seen.step(step).document, at)
    if not found:
        yield Mismatch(at, f"{first}, and one more each", ABSENT)
    for expected, (where, value) in enumerate(found, first):
        if value != expected:
            yield Mismatch(where, str(expected), value)
            return


@check
def in_order(seen: Seen, list: str, by: Iterable[str], step: str | None = None) -> Iterator[Mismatch]:
    """The entries of a list stand in the order of what they say at `by`, the first place first."""
    before: Any = None
    for where, entry in select(seen.step(step).document, f"{list}/*"):
        here = [str(value) for at in by for _, value in select(entry, at)]
        if before is not None and here < before:
            yield Mismatch(where, f"one that comes after {' '.join(before)}", " ".join(here))
            return
        before = here


@check
def distinct(seen: Seen, at: str, step: str | None = None) -> Iterator[Mismatch]:
    """No two places that the pointer finds hold the same."""
    known: dict[str, str] = {}
    for where, value in _some(seen, at, step):
        first = known.setdefault(json.dumps(value, sort_keys=True), where)
        if first != where:
            yield Mismatch(where, f"another value than at {first}", value)


@check
def sorted_keys(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """The keys of every object stand in alphabetical order on the wire."""
    found = seen.step(step).document
    for value in [event.data for event in found["events"]] if "events" in found else [found.get("body")]:
        yield from _unsorted(value, "")


def _unsorted(value: Any, at: str) -> Iterator[Mismatch]:
    if isinstance(value, dict):
        if list(value) != sorted(value):
            yield Mismatch(at, "keys " + ", ".join(sorted(value)), list(value))
        for key, child in value.items():
            yield from _unsorted(child, f"{at}/{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _unsorted(child, f"{at}/{index}")


@check
def compact_json(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """The JSON has no spaces between its tokens."""
    response = seen.step(step).exchange.response
    if response is None or response.events is not None:
        raise Unseen("a stream has no one body")
    outside = re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', response.raw.strip())
    if re.search(rb"\s", outside):
        yield Mismatch(
            "/body", "JSON without spaces between tokens", response.raw[:80].decode("utf-8", "replace")
        )


@check_refusal
def header_matches(seen: Seen, name: str, pattern: str, step: str | None = None) -> Iterator[Mismatch]:
    value = seen.step(step).document["headers"].get(name.lower())
    if value is None or not re.search(pattern, value):
        yield Mismatch(
            f"/headers/{name.lower()}", f"text that matches {pattern}", ABSENT if value is None else value
        )


@check_refusal
def header_absent(seen: Seen, name: str, step: str | None = None) -> Iterator[Mismatch]:
    """No header whose name matches the pattern `name`."""
    for key, value in seen.step(step).document["headers"].items():
        if re.fullmatch(name, key):
            yield Mismatch(f"/headers/{key}", "no such header", value)


# What the card says


@check
def names_model(seen: Seen, at: str, step: str | None = None) -> Iterator[Mismatch]:
    """One of the places is a name of the model that was asked: its id or an alias, in any casing."""
    found = select(seen.step(step).document, at)
    names = _names(seen)
    if not any(str(value).lower() in names for _, value in found):
        yield Mismatch(at, "one of " + ", ".join(sorted(names)), [value for _, value in found])


def _names(seen: Seen) -> set[str]:
    card, provider = seen.card, seen.contract.provider
    if card is None and seen.model is not None:
        return {seen.model.lower()}
    if card is None or provider is None:
        raise Unseen("no card says what the model is called")
    return {name.lower() for name in (card.id_at(provider), *card.said.get("aliases", ()))}


def _claimed(seen: Seen, claim: str) -> Any:
    value = seen.card.value(claim) if seen.card else None
    if value is None:
        raise Unseen(f"no card claims {claim}")
    return value


@check
def listed_claim(
    seen: Seen,
    list: str,
    names: Iterable[str],
    at: str,
    claim: str,
    times: float = 1,
    step: str | None = None,
) -> Iterator[Mismatch]:
    """The entry of the model in a list says at `at` what the card claims (a number `times` as much)."""
    wanted, declared = _names(seen), _claimed(seen, claim)
    if isinstance(declared, int | float) and not isinstance(declared, bool):
        # Prices are decimal fractions: 0.07 times 100 is 7 and a bit.
        declared = round(declared * times, 9)
    for where, entry in select(seen.step(step).document, f"{list}/*"):
        called = {str(value).lower() for name in names for _, value in select(entry, name)}
        if called & wanted:
            found = select(entry, at)
            got = found[0][1] if found else ABSENT
            same = (
                sorted(got) == sorted(declared)
                if isinstance(got, _LIST) and isinstance(declared, _LIST)
                else got == declared
            )
            if not same:
                yield Mismatch(where + at, json.dumps(declared), got)
            return
    yield Mismatch(list, "an entry called " + " or ".join(sorted(wanted)), ABSENT)


_LIST = list


@check
def priced(
    seen: Seen, cost: str, parts: Mapping[str, str], unit: float, step: str | None = None
) -> Iterator[Mismatch]:
    """`cost` is what the counted tokens cost at the card's prices per million, in `unit` parts of a dollar."""
    found = _one(seen, cost, step)
    expected = 0.0
    for name, where in parts.items():
        counted = _one(seen, where, step)
        expected += (counted[1] if counted else 0) * _claimed(seen, f"prices.{name}") * unit / 1_000_000
    if found is None or not isinstance(found[1], int | float) or abs(found[1] - expected) > 1e-9:
        yield Mismatch(cost, f"{expected:g}", found[1] if found else ABSENT)


# Streams


@check
def ends_with(seen: Seen, event: str, step: str | None = None) -> Iterator[Mismatch]:
    events = seen.step(step).document.get("events") or []
    last = events[-1].name if events else None
    if last != event:
        yield Mismatch("/events/-1", event, last)


@check
def nested(
    seen: Seen, start: str, delta: str, stop: str, index: str, step: str | None = None
) -> Iterator[Mismatch]:
    """Blocks do not overlap and are numbered from 0: each index is opened, filled and closed before the next."""
    current, expected, is_open = 0, 0, False
    events = seen.step(step).document.get("events", ())
    blocks = [(number, event) for number, event in enumerate(events) if event.name in (start, delta, stop)]
    if not blocks:
        raise Unseen(f"the stream has no {start}, {delta} or {stop}")
    for number, event in blocks:
        found = select(event.data, index)
        value = found[0][1] if found else None
        if not is_open:
            is_open, current = True, expected
        if value != current:
            yield Mismatch(f"/events/{number}{index}", str(current), value)
            return
        if event.name == stop:
            is_open, expected = False, current + 1


@check
def joins(
    seen: Seen, deltas: str, into: str, event: str | None = None, step: str | None = None
) -> Iterator[Mismatch]:
    """The pieces at `deltas` (of events called `event`), joined, are the text at `into`."""
    found = seen.step(step).document
    if event is not None:
        found = {**found, "events": [each for each in found["events"] if each.name == event]}
    joined = "".join(value for _, value in select(found, deltas) if isinstance(value, str))
    whole = _one(seen, into, step)
    if whole is None or whole[1] != joined:
        yield Mismatch(into, json.dumps(joined, ensure_ascii=False), whole[1] if whole else ABSENT)


@check
def fold_equals(seen: Seen, step: str, to_step: str) -> Iterator[Mismatch]:
    """Two steps came to the same text, calls and finish reason."""
    one, other = _said(seen, step), _said(seen, to_step)
    if one.text != other.text:
        yield Mismatch("/text", json.dumps(other.text, ensure_ascii=False), one.text)
    calls, others = ([[call.name, call.arguments] for call in each.tool_calls] for each in (one, other))
    if calls != others:
        yield Mismatch("/tool_calls", json.dumps(others, ensure_ascii=False), calls)
    if one.finish is not None and other.finish is not None and one.finish != other.finish:
        yield Mismatch("/finish", str(other.finish), one.finish)


# Refusals


@check_refusal
def answered(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    asked = seen.step(step)
    expected = asked.contract.response["status"]
    if asked.document["status"] != expected:
        yield Mismatch("/status", str(expected), asked.document["status"])
        return
    response = asked.exchange.response
    if response is not None and response.ending == "error":
        yield Mismatch("/events/-1", "an answer to its end", asked.document["events"][-1].data)
        return
    if asked.problem is not None:
        yield Mismatch("/body", "an answer that can be read", asked.problem)
        return
    if not asked.replies and asked.contract.dialect:
        yield Mismatch("/body", "an answer of the model", asked.document.get("body"))


@check_refusal
def refused(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """Any status of the 4xx kind, or an error inside the stream."""
    asked = seen.step(step)
    response = asked.exchange.response
    status = asked.document["status"]
    if CLIENT_ERROR <= status < SERVER_ERROR or (response is not None and response.ending == "error"):
        return
    yield Mismatch("/status", "a refusal (4xx)", status)


@check_refusal
def refused_with(
    seen: Seen, error: str, exact: list[str] | None = None, step: str | None = None
) -> Iterator[Mismatch]:
    """The contract's error `error`: its status, its code (header and body members), its message where asked for."""
    asked = seen.step(step)
    failure = asked.contract.failures[error]
    exact = exact or ["status", "code"]
    found = asked.document
    if "status" in exact and found["status"] != failure.status:
        yield Mismatch("/status", str(failure.status), found["status"])
    if "code" in exact:
        yield from _same_code(failure, found)
    if "message" in exact:
        yield from _same_text(failure.body, found.get("body"), "/body")


def _same_code(failure: Failure, found: Mapping[str, Any]) -> Iterator[Mismatch]:
    if failure.code is None:
        return
    code = re.escape(failure.code)
    for name, value in failure.headers.items():
        if value is not None and failure.code in value:
            got = found["headers"].get(name.lower())
            if got is None and failure.code in _codes(found.get("body")):
                # Clients read it there as well; that it has to be in the header is a rule of its own.
                continue
            if got is None or not re.match(rf"{code}(?:$|[:#])", got):
                yield Mismatch(f"/headers/{name.lower()}", failure.code, ABSENT if got is None else got)
    for where, value in leaves(failure.body, "/body"):
        if value == failure.code:
            places = select(found, where)
            if not places or places[0][1] != failure.code:
                yield Mismatch(where, failure.code, places[0][1] if places else ABSENT)


def _codes(body: Any) -> set[str]:
    """What in an error's body may be its code: `com.amazon.coral.service#ValidationException` is one too."""
    return {value.rpartition("#")[2].partition(":")[0] for _, value in leaves(body) if isinstance(value, str)}


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every member that is no object, with its pointer."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from leaves(child, f"{at}/{key}")
    else:
        yield at, value


def _same_text(expected: Any, got: Any, at: str) -> Iterator[Mismatch]:
    """Every member of the documented body, placeholders standing for anything."""
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            if not isinstance(got, Mapping) or key not in got:
                yield Mismatch(f"{at}/{key}", "a member", ABSENT)
            else:
                yield from _same_text(value, got[key], f"{at}/{key}")
    elif isinstance(expected, str):
        pattern = ".*".join(re.escape(piece) for piece in re.split(r"\{\w+\}", expected))
        if not isinstance(got, str) or not re.fullmatch(pattern, got, re.DOTALL):
            yield Mismatch(at, expected, got)
    elif expected != got:
        yield Mismatch(at, json.dumps(expected), got)


# What the model said


def _whole(step: Step) -> str | None:
    """That an answer ended by itself below its cap: it was never cut. None if the cap may have cut it."""
    usage, cap = step.reply.usage, step.turn.max_tokens if step.turn else None
    if cap is None or usage is None or step.reply.finish == "length" or not 0 < usage.output < cap:
        return None
    return f"the answer ended by itself, {usage.output} tokens under a cap of {cap}: it was not cut"


@check
def finish_is(seen: Seen, finish: str, step: str | None = None) -> Iterator[Mismatch]:
    reply = seen.step(step).reply
    if reply.finish != finish:
        whole = _whole(seen.step(step)) if finish == "length" else None
        if whole:
            raise Unseen(whole)
        yield Mismatch("/finish", finish, reply.finish)


@check
def cut_says(seen: Seen, at: str, to: Any, step: str | None = None) -> Iterator[Mismatch]:
    """An answer that the cap cut has `to` at `at`."""
    found = tuple(equal(seen, at, to, step=step))
    whole = _whole(seen.step(step)) if found else None
    if whole:
        raise Unseen(whole)
    yield from found


@check
def text_equals(seen: Seen, text: str, step: str | None = None) -> Iterator[Mismatch]:
    got = seen.step(step).reply.text
    if got.strip() != text:
        yield Mismatch("/text", text, got)


@check
def text_has(seen: Seen, text: str, step: str | None = None) -> Iterator[Mismatch]:
    got = seen.step(step).reply.text
    if text.lower() not in got.lower():
        yield Mismatch("/text", f"text with {text!r} in it", got)


@check
def text_lacks(seen: Seen, text: str, step: str | None = None) -> Iterator[Mismatch]:
    got = _said(seen, step).text
    if text in got:
        yield Mismatch("/text", f"text without {text!r}", got)


@check
def sees(seen: Seen, shown: str, control: str, text: str) -> Iterator[Mismatch]:
    """The code is named when the picture is shown, and not named without it."""
    got = seen.step(shown).reply.text
    if text.lower() not in got.lower():
        yield Mismatch("/text", f"the code {text!r} that the picture shows", got)
    without = seen.step(control).reply.text
    if text.lower() in without.lower():
        yield Mismatch("/text", f"no {text!r} without the picture", without)


@check_refusal
def text_has_or_refused(seen: Seen, text: str, step: str | None = None) -> Iterator[Mismatch]:
    """The text is in the answer, or there was a refusal instead of an answer."""
    if any(refused(seen, step)):
        yield from text_has(seen, text, step)


@check
def reasons(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """A trace came before the answer, or its tokens were counted."""
    if not _trace(seen, step):
        yield Mismatch("/reasoning", "a trace, or a count of its tokens", ABSENT)


@check_refusal
def reasons_not(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """No trace came and none was counted, or there was a refusal instead of an answer."""
    if any(refused(seen, step)) and (trace := _trace(seen, step)):
        yield Mismatch("/reasoning", "no trace", trace)


def _trace(seen: Seen, step: str | None) -> str:
    reply = _said(seen, step)
    said = "".join(part.text for part in reply.parts if isinstance(part, Reasoning))
    return said or (f"{reply.usage.reasoning} tokens" if reply.usage and reply.usage.reasoning else "")


@check
def tool_called(seen: Seen, name: str, times: int = 1, step: str | None = None) -> Iterator[Mismatch]:
    """The tool is called so many times at least."""
    called = [call.name for call in seen.step(step).reply.tool_calls]
    if called.count(name) < times:
        yield Mismatch("/tool_calls", f"{times} call{'s' * (times > 1)} of {name}", called)


@check
def arguments_fit(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """Every call is of a tool on offer, and its arguments fit that tool's schema."""
    asked = seen.step(step)
    tools = {tool.name: tool for tool in asked.turn.tools} if asked.turn else {}
    if not asked.reply.tool_calls:
        yield Mismatch("/tool_calls", "a call", [])
    for index, call in enumerate(asked.reply.tool_calls):
        if call.name not in tools:
            yield Mismatch(f"/tool_calls/{index}/name", "one of " + ", ".join(tools), call.name)
            continue
        for found in Shape(dict(tools[call.name].schema), _no_reference).mismatches(call.arguments):
            yield found._replace(at=f"/tool_calls/{index}/arguments{found.at}")


@check
def fits_output(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """The text is JSON and fits the schema that was asked for."""
    asked = seen.step(step)
    schema = asked.turn.output.schema if asked.turn and asked.turn.output else None
    try:
        value = json.loads(asked.reply.text)
    except (ValueError, RecursionError) as error:
        yield Mismatch("/text", f"JSON ({error})", asked.reply.text)
        return
    if schema is not None:
        for found in Shape(dict(schema), _no_reference).mismatches(value):
            yield found._replace(at=f"/text{found.at}")


def _no_reference(uri: str) -> Any:
    raise KeyError(uri)


@check
def cap_honoured(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """No more output tokens are counted than were allowed."""
    asked = seen.step(step)
    usage, cap = asked.reply.usage, asked.turn.max_tokens if asked.turn else None
    if cap is None:
        raise Unseen(f"step {asked.name} sets no cap")
    if usage is None:
        raise Unseen("no output tokens are counted")
    if usage.output > cap:
        yield Mismatch("/usage/output", f"at most {cap}", usage.output)


@check
def usage_given(seen: Seen, step: str | None = None) -> Iterator[Mismatch]:
    """Tokens in and tokens out are counted, and are more than nothing."""
    usage = seen.step(step).reply.usage
    if usage is None:
        yield Mismatch("/usage", "counts of input and output tokens", ABSENT)
        return
    if usage.input <= 0:
        yield Mismatch("/usage/input", "more than 0", usage.input)
    if usage.output <= 0:
        yield Mismatch("/usage/output", "more than 0", usage.output)


# The same in several ways


def _asked_again(seen: Seen, step: str) -> list[Step]:
    """The step and its repetitions."""
    again = re.compile(re.escape(step) + r"(-\d+)?")
    return [each for each in seen.steps.values() if again.fullmatch(each.name)]


def _over_others(seen: Seen, step: str) -> list[Step]:
    """The steps over other APIs. Raises Unseen if there is none."""
    own = {each.name for each in _asked_again(seen, step)}
    others = [each for each in seen.steps.values() if each.name not in own]
    if not others:
        raise Unseen("no other API was asked")
    return others


def _essence(step: Step) -> tuple[str, str | None]:
    if not step.replies:
        raise Unseen(f"step {step.name} has no answer of the model")
    return step.reply.text.strip(), step.reply.finish


def _alike(one: tuple[str, str | None], other: tuple[str, str | None]) -> bool:
    """Same text; same finish reason where both say one."""
    return one[0] == other[0] and (None in (one[1], other[1]) or one[1] == other[1])


def _noise(repeats: list[Step]) -> tuple[int, int]:
    """How many of the repetitions differ from the first answer, and how many there are."""
    first, *others = map(_essence, repeats)
    return len([each for each in others if not _alike(first, each)]), len(others)


@check
def alike(seen: Seen, at_least: int, step: str = "ask") -> Iterator[Mismatch]:
    """So many of a step's repetitions come to one text and finish reason."""
    said = [_essence(each) for each in _asked_again(seen, step)]
    most = max(len([other for other in said if _alike(each, other)]) for each in said)
    seen.told.append(f"{most} of {len(said)} answers are the same, {at_least} are asked for")
    if most < at_least:
        yield Mismatch("/text", f"{at_least} of {len(said)} answers alike", [text for text, _ in said])


@check
def same_over_apis(seen: Seen, step: str = "ask") -> Iterator[Mismatch]:
    """Text and finish reason are those of every other API, or differ no oftener than the API's own repetitions do."""
    repeats, others = _asked_again(seen, step), _over_others(seen, step)
    own = _essence(repeats[0])
    differing = [each for each in others if not _alike(own, _essence(each))]
    noise, of = _noise(repeats)
    seen.told.append(
        f"{len(others) - len(differing)} of {len(others)} other APIs say the same; "
        f"noise floor: {noise} of {of} own repetitions differ"
    )
    if of and len(differing) / len(others) <= noise / of:
        return
    for each in differing:
        text, finish = _essence(each)
        where = "/text" if text != own[0] else "/finish"
        expected = text if text != own[0] else finish
        yield Mismatch(
            where, f"{expected!r}, as {each.contract.api} says", own[0] if text != own[0] else own[1]
        )


@check
def counts_alike(seen: Seen, within: float, beside: int, step: str = "ask") -> Iterator[Mismatch]:
    """Tokens in and out are those of every other API, but for a share `within` and so many `beside` it.

    `beside` is what a template may put around the same messages.
    """
    own = seen.step(step).reply.usage
    counted = [(each, each.reply.usage) for each in _over_others(seen, step) if each.reply.usage is not None]
    if own is None or not counted:
        raise Unseen("tokens are not counted on both sides")
    for each, other in counted:
        for name in ("input", "output"):
            ours, theirs = getattr(own, name), getattr(other, name)
            if abs(ours - theirs) > max(ours, theirs) * within + beside:
                yield Mismatch(f"/usage/{name}", f"about {theirs}, as {each.contract.api} counts", ours)


@check
def fewer_tokens(seen: Seen, step: str, than: str) -> Iterator[Mismatch]:
    """Fewer output tokens are counted for `step` than for `than`, whose cap is higher; both are too low for the answer."""
    fewer, more = seen.step(step).reply.usage, seen.step(than).reply.usage
    if fewer is None or more is None or not more.output:
        raise Unseen("no output tokens are counted")
    whole = _whole(seen.step(than))
    if whole:
        raise Unseen(whole)
    if fewer.output >= more.output:
        yield Mismatch("/usage/output", f"fewer than {more.output}", fewer.output)
