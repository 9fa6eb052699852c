"""The verdict: one rule and the exchanges of its probe in, one Finding out.

`judge` looks at responses, `judge_request` at requests: one definition, two directions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.contract import Contract, Failure, Rule
from conformance.exchange import (
    CLIENT_ERROR,
    SERVER_ERROR,
    TOO_MANY_REQUESTS,
    Event,
    Request,
    Response,
)
from conformance.finding import Finding
from conformance.order import order
from conformance.rules import CHECKS, OF_REFUSALS, Seen, Step, Unseen, leaves
from conformance.select import select
from conformance.shapes import ABSENT, Mismatch, brief

NOTHING = "nothing to look at"
"""How the reason begins where the answer has not what the rule is about."""

_NEEDS_TRUTH: Mapping[str, tuple[str, str]] = {
    "header_matches": ("headers", "the headers"),
    "header_absent": ("headers", "the headers"),
    "implied_headers": ("headers", "the headers"),
    "implied_framing": ("body_bytes", "the bytes"),
    "compact_json": ("body_bytes", "the bytes"),
    "sorted_keys": ("body_bytes", "the bytes"),
    "echoes": ("request", "the request"),
}
"""What a recorder has to have kept, for these checks to see what the provider sent."""


def judge(rule: Rule, seen: Seen) -> Finding:
    """What became of `rule` in what was seen."""
    if not seen.steps:
        return Finding(rule, "not asked", "no step of its probe was asked")
    unheard = [step for step in seen.steps.values() if step.exchange.response is None]
    if unheard:
        return Finding(rule, "inconclusive", f"no response: {unheard[0].exchange.failure}")
    for step in seen.steps.values():
        reason = outage(step)
        if reason:
            return Finding(rule, "inconclusive", reason)
    truth, kept = _NEEDS_TRUTH.get(rule.check, ("", ""))
    if truth and not all(getattr(step.exchange.truth, truth) for step in seen.steps.values()):
        return Finding(rule, "not applicable", f"the recorder did not keep {kept}")
    if rule.implied:
        return _judge_implied(rule, seen)
    function = CHECKS.get(rule.check)
    if function is None:
        return Finding(
            rule, "suite error", f"there is no check {rule.check!r}; `conformance lint` says which there are"
        )
    doubt: str | None = None
    looks_at = list(seen.steps.values())
    if rule.check in OF_REFUSALS:
        looks_at.pop()
    for step in looks_at:
        if step.expect == "answered":
            blocker = _not_answered(step)
            if blocker:
                return Finding(rule, "not asked", f"step {step.name}: {blocker}")
            shape = None if rule.check in OF_REFUSALS else _broken_shape(step)
            doubt = doubt or (shape and f"step {step.name}: shape: {shape}")
        elif rule.scope == "refusal" and _is_good(step):
            # The rule that wants the refusal is broken; of one that never came nothing is missing.
            return Finding(rule, "not asked", _not_refused(step) or "")
        else:
            doubt = doubt or _not_refused(step)
    there = rule.needs.get("there")
    if there is not None and not select(seen.step().document, there):
        return Finding(rule, "not asked", doubt or f"{NOTHING}: nothing stands at {there}")
    try:
        found = tuple(function(seen, **rule.arguments))
    except Exception as error:
        if doubt:
            return Finding(rule, "not asked", doubt)
        if isinstance(error, Unseen):
            return Finding(rule, "not asked", f"{NOTHING}: {error}")
        return Finding(rule, "suite error", f"check {rule.check} raised {type(error).__name__}: {error}")
    if found:
        return Finding(rule, "broken", "; ".join(seen.told), (*_unrefused(rule, looks_at), *found))
    if doubt:
        return Finding(rule, "not asked", doubt)
    return Finding(rule, "kept", "; ".join(seen.told))


def _unrefused(rule: Rule, steps: list[Step]) -> Iterator[Mismatch]:
    """That a refusal never came, for a check that only says how it had to look."""
    for step in steps:
        response = step.exchange.response
        if (
            rule.check not in OF_REFUSALS
            and step.expect != "answered"
            and response is not None
            and _is_good(step)
        ):
            wanted = step.contract.failures[step.expect["error"]].status if step.expect != "refused" else None
            yield Mismatch("/status", str(wanted or "a refusal (4xx)"), response.status)


def outage(step: Step) -> str | None:
    """Why an answer says nothing of the provider's promises: its rate limit or its own failure. Else None."""
    response = step.exchange.response
    assert response is not None
    expected = step.expect
    if isinstance(expected, Mapping) and step.contract.failures[expected["error"]].status == response.status:
        return None
    if response.status == step.contract.response.get("status"):
        event = _failed_within(response)
        failure = _failure_of(step.contract, event) if event is not None else None
        if event is not None and failure is not None and _is_outage(failure.status):
            return f"the stream of step {step.name} ended in {event.name}: {brief(event.data)}"
        return None
    if _is_outage(response.status):
        return f"step {step.name} was answered with status {response.status}: {brief(response.body)}"
    return None


def _is_outage(status: int) -> bool:
    return status == TOO_MANY_REQUESTS or status >= SERVER_ERROR


def _failed_within(response: Response) -> Event | None:
    """The event in which a stream failed; None for one that did not."""
    return response.events[-1] if response.ending == "error" and response.events else None


def _failure_of(contract: Contract, event: Event) -> Failure | None:
    """The error of the contract that comes as this event; of several the one that says most of it."""
    best, most = None, 0
    data = list(leaves(event.data))
    for failure in contract.failures.values():
        if failure.in_stream is None or failure.in_stream.get("name", event.name) != event.name:
            continue
        same = [leaf for leaf in leaves(failure.in_stream["data"]) if leaf in data]
        agreed = len(same) + ("name" in failure.in_stream)
        if agreed > most:
            best, most = failure, agreed
    return best


def _not_refused(step: Step) -> str | None:
    """How the step went otherwise than its probe expects, where that is a refusal; None if it did not."""
    response = step.exchange.response
    assert response is not None
    if step.expect == "refused":
        if CLIENT_ERROR <= response.status < SERVER_ERROR or response.ending == "error":
            return None
        return f"step {step.name}: status: expected a refusal (4xx), got {response.status}"
    status = step.contract.failures[step.expect["error"]].status
    if response.status != status:
        return f"step {step.name}: status: expected {status}, got {response.status}: {brief(response.body)}"
    return None


def _is_good(step: Step) -> bool:
    response = step.exchange.response
    return response is not None and response.status < CLIENT_ERROR and response.ending != "error"


def _not_answered(step: Step) -> str | None:
    response = step.exchange.response
    assert response is not None
    if response.status != step.contract.response.get("status"):
        return f"status: expected {step.contract.response.get('status')}, got {response.status}: {brief(response.body)}"
    if step.problem:
        return f"framing: {step.problem}"
    failed = _failed_within(response)
    if failed is not None:
        return f"the stream ended in {failed.name}: {brief(failed.data)}"
    return None


def _broken_shape(step: Step) -> str | None:
    response = step.exchange.response
    assert response is not None
    if response.events == ():
        return "no event came"
    found = next(shape_mismatches(step.contract, response), None)
    return str(found) if found else None


def _judge_implied(rule: Rule, seen: Seen) -> Finding:
    # A probe may begin at another operation, to have something to ask this one for.
    own = (name for name, step in seen.steps.items() if step.contract is seen.contract)
    step = seen.step(next(own, next(iter(seen.steps))))
    response = step.exchange.response
    assert response is not None
    contract = step.contract
    wrong_status = list(status_mismatches(contract, response))
    if rule.id == "status":
        return _finding(rule, wrong_status)
    if wrong_status:
        return Finding(rule, "not asked", f"status: {wrong_status[0]}")
    if rule.id == "headers":
        if contract.response.get("content_type") is None and contract.response_headers is None:
            return Finding(rule, "not applicable", "the contract lists no headers")
        return _finding(rule, list(header_mismatches(contract, response)))
    if rule.id == "framing":
        wrong = (
            [Mismatch("/body", "a body framed as its content type says", response.problem)]
            if response.problem
            else []
        )
        if not wrong and response.events == ():
            return Finding(rule, "not asked", "nothing to look at: no event came")
        return _finding(rule, wrong)
    if step.problem:
        return Finding(rule, "not asked", f"framing: {step.problem}")
    failed = _failed_within(response)
    if rule.id == "shape":
        if not (contract.event_shapes if contract.streams else contract.response_shape):
            return Finding(rule, "not applicable", "the contract lists no shape")
        found = list(shape_mismatches(contract, response))
        if not found and response.events == ():
            return Finding(rule, "not asked", "nothing to look at: no event came")
    else:
        if contract.response.get("order") is None:
            return Finding(rule, "not applicable", "the contract lists no order")
        found = list(order_mismatches(contract, response))
    if failed is not None and not found:
        return Finding(rule, "not asked", f"the stream ended in {failed.name}: {brief(failed.data)}")
    return _finding(rule, found)


def _finding(rule: Rule, found: list[Mismatch]) -> Finding:
    return Finding(rule, "broken", mismatches=tuple(found)) if found else Finding(rule, "kept")


def status_mismatches(contract: Contract, response: Response) -> Iterator[Mismatch]:
    """The status of a good answer."""
    expected = contract.response["status"]
    if response.status != expected:
        yield Mismatch("/status", str(expected), response.status)


def header_mismatches(contract: Contract, response: Response) -> Iterator[Mismatch]:
    """Content type and the headers that the contract lists."""
    expected = contract.response.get("content_type")
    if expected is not None:
        got = response.header("content-type")
        if got is None or _media_type(got) != _media_type(expected):
            yield Mismatch("/headers/content-type", _media_type(expected), ABSENT if got is None else got)
    shape = contract.response_headers
    if shape is not None:
        headers = {name.lower(): value for name, value in reversed(response.headers)}
        for found in shape.mismatches(headers):
            yield found._replace(at=f"/headers{found.at}")


def _media_type(value: str) -> str:
    """The type without its charset; other parameters (Puter's `actually`) count."""
    kept = [part.strip().lower() for part in value.split(";")]
    return ";".join([kept[0], *(part for part in kept[1:] if not part.startswith("charset="))])


def shape_mismatches(contract: Contract, response: Response) -> Iterator[Mismatch]:
    """The body, or each event by its name."""
    if response.events is None:
        shape = contract.response_shape
        if shape is not None:
            for found in shape.mismatches(response.body):
                yield found._replace(at=f"/body{found.at}")
        return
    shapes = contract.event_shapes
    for index, event in enumerate(response.events):
        if event.name is not None and event.name in shapes:
            for found in shapes[event.name].mismatches(event.data):
                yield found._replace(at=f"/events/{index}{found.at}")


def order_mismatches(contract: Contract, response: Response) -> Iterator[Mismatch]:
    """Where the events leave the contract's order."""
    text = contract.response.get("order")
    if text is None or response.events is None:
        return
    names = [event.name for event in response.events]
    for index, expected, got in order(text).walk(names, contract.response.get("may_end_with", ())):
        yield Mismatch(f"/events/{index}", expected, got)


def judge_request(
    contract: Contract, request: Request, body: Any, parameters: Mapping[str, str]
) -> list[Mismatch]:
    """Where a request is not what the contract demands, of a large body where it first is not; pointers go into the body.

    Mismatches of headers stand at `headers:/name`, those of the path at `path:/name`, of what follows `?` at
    `query:/name`.
    """
    found: list[Mismatch] = []
    for name, shape in contract.parameters.items():
        if name in parameters:
            found += [each._replace(at=f"path:/{name}") for each in shape.mismatches(parameters[name])]
    if contract.request_headers is not None:
        headers = {name.lower(): value for name, value in reversed(request.headers)}
        found += [
            each._replace(at=f"headers:{each.at}") for each in contract.request_headers.mismatches(headers)
        ]
    if contract.query is not None:
        asked = contract.read_query(request.target)
        found += [each._replace(at=f"query:{each.at}") for each in contract.query.mismatches(asked)]
    if contract.request_shape is not None:
        found += contract.request_shape.first_mismatches(body)
    if not found:
        found += [
            Mismatch(at, "something else beside it", [*select(body, at), (at, ABSENT)][0][1], name)
            for name, at, shape in contract.forbidden
            if shape.fits(body)
        ]
    return found
