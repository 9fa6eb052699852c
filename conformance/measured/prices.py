"""What asking costs: the prices of a card, a bound on a probe before it is asked, what an answer cost.

A bound holds whatever the model's tokenizer is: no token is shorter than a byte of the request.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from conformance.card import Card
from conformance.contract import Contract
from conformance.dialects import dialect
from conformance.exchange import Request
from conformance.framing import dump
from conformance.loading import Specs
from conformance.probes.probing import Unfounded, build
from conformance.target import Target
from conformance.values import Media, Turn, Usage

CURRENCY = "USD"
PER_MESSAGE = 16
"""Tokens that a template may put around a message: an estimate from above."""
PIXELS_PER_TOKEN = 14 * 14
"""An image is at most so finely divided: the smallest patch that open vision models use."""
UNSEEN_IMAGE = 4096
"""Tokens of a picture whose size nobody can read: an estimate from above."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens, in and out."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Dollars for so many tokens."""
        return (input_tokens * self.input + output_tokens * self.output) / 1_000_000


def price_of(card: Card | None, reality: str = "documented") -> Price | None:
    """The card's prices; None where it has none."""
    if card is None:
        return None
    found = [card.value(f"prices.{name}", reality) for name in ("input", "output")]
    if not all(isinstance(each, int | float) for each in found):
        return None
    return Price(*found)


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one request can come to. `request` is None where an earlier answer is part of it."""

    step: str
    contract: Contract
    request: Request | None
    input_tokens: int
    output_tokens: int
    cost: float | None
    """Dollars; None where no card has a price."""


def bounds(
    specs: Specs,
    contract: Contract,
    steps: Mapping[str, Mapping[str, Any]],
    target: Target,
    others: Mapping[str, Target] | None = None,
) -> Iterator[Bound]:
    """The bound of each step of a probe, in order; `others` are the targets that a step may name.

    Raises CannotAsk where the target cannot be asked.
    """
    before, first = 0, target
    for name, how in steps.items():
        target = (others or {}).get(how.get("target", ""), first)
        asked = specs.asked(how, contract, target.model)
        price = price_of(target.card, target.reality)
        request: Request | None = None
        cap: int | None = None
        try:
            request, body, turn = build(asked, name, how, target, {})
            tokens = len(request.body) + _around(turn)
            cap = _cap(asked, body, turn)
        except (KeyError, Unfounded):
            # What came before comes again in it.
            tokens = before + len(dump(how))
            said = how.get("turn", {}).get("max_tokens")
            cap = said if isinstance(said, int) else None
        answer = 0 if asked.dialect is None else _output(target, cap)
        if how.get("auth", "right") != "right" or asked.dialect is None:
            yield Bound(name, asked, request, 0, 0, 0.0)
            continue
        before += tokens + answer
        yield Bound(name, asked, request, tokens, answer, price.of(tokens, answer) if price else None)


def _around(turn: Turn | None) -> int:
    if turn is None:
        return 0
    media = [part for message in turn.messages for part in message.parts if isinstance(part, Media)]
    return PER_MESSAGE * len(turn.messages) + sum(_picture(each) for each in media if each.kind == "image")


def _picture(media: Media) -> int:
    data = media.data or b""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        return UNSEEN_IMAGE
    width, height = struct.unpack(">II", data[16:24])
    return int(width * height / PIXELS_PER_TOKEN) + 1


def _cap(contract: Contract, body: Any, turn: Turn | None) -> int | None:
    """The cap of the request as it is sent; it may have been patched. None if there is none that can be read."""
    if contract.dialect is not None and isinstance(body, Mapping):
        # A body that was patched to be wrong is not for the dialect to read.
        with suppress(Exception):
            turn = dialect(contract.dialect).read(body, contract.profile)
    return None if turn is None or not isinstance(turn.max_tokens, int) else turn.max_tokens * max(turn.n, 1)


def _output(target: Target, cap: int | None) -> int:
    most = largest_answer(target)
    if most is None:
        return max(cap or 0, 0)
    return max(min(most if cap is None else cap, most), 0)


def largest_answer(target: Target) -> int | None:
    """The most output tokens of the model's card; None where no card says a number."""
    most = target.card.value("max_output", target.reality) if target.card else None
    return most if isinstance(most, int) else None


def paid(target: Target, usage: Usage | None, bound: Bound | None = None) -> dict[str, Any]:
    """What an answer cost: its own counts at the card's prices; nothing where nothing is counted.

    A good answer that counts nothing is taken at `bound`: money that nobody saw is not money saved.
    """
    price = price_of(target.card, target.reality)
    if usage is not None:
        tokens = usage.input + usage.cache_read + usage.cache_write, usage.output
    else:
        tokens = (bound.input_tokens, bound.output_tokens) if bound else (0, 0)
    cost = price.of(*tokens) if price else None
    return {"input_tokens": tokens[0], "output_tokens": tokens[1], "cost": cost}


def bound_of(bounds: list[Bound]) -> float | None:
    """The dollars of all of them together; None where one has no price."""
    costs = [each.cost for each in bounds]
    return None if any(each is None for each in costs) else sum(each or 0.0 for each in costs)
