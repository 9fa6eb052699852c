"""Dialects: one API's JSON to and from `Turn` and `Reply`, both ways.

A dialect is a module with six pure functions. The mock reads requests and renders
answers; the suite writes requests and parses answers; both use the same module, and
readers we did not write hold it to the truth.

    read(body, profile)                     -> Turn        a request that fits its shape
    write(turn, profile)                    -> dict        the same, backwards
    render(body, replies, context, profile) -> JSON        a plain answer
    parse(answer, profile)                  -> [Reply]     one for each choice
    stream(body, replies, context, profile) -> Events      the same answer as a stream
    fold(events, profile)                   -> [Reply]     what a stream adds up to

`body` is the request's JSON body (the caller has validated it), `profile` the contract's
own knobs as values. The model id is carried by the caller: in `Turn.model`, and put where the
contract says it stands (path or body); `render` and `stream` find it in `context.model`.
`parse` and `fold` are lenient about what they do not need and never raise on JSON that
broke its shape: what cannot be read is left out of the Reply.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, cast

from conformance.exchange import Event
from conformance.values import Reply, Turn

Profile = Mapping[str, Any]


class Ids(Protocol):
    """A source of ids: random, or drawn from a seed so that bytes repeat."""

    def uuid(self) -> str:
        """A version 4 UUID, lower case, with hyphens."""

    def token(self, length: int, alphabet: str) -> str:
        """`length` characters out of `alphabet`."""

    def number(self, low: int, high: int) -> int:
        """An integer, both ends included."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a guardrail made of a request and its answer."""

    blocked: bool
    """Whether its own words stand in place of the model's answer."""
    masked: bool
    input: Mapping[str, Any] | None = None
    """What it found in the request, and in the answer; both None if the caller wants no trace."""
    output: Mapping[str, Any] | None = None
    name: str = ""
    """Its id."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an answer needs beside the request and the reply."""

    model: str
    now: float
    """Unix time in seconds."""
    ids: Ids
    latency_ms: int = 0
    tier: str | None = None
    """The tier that served the request; None if the caller named none."""
    reality: str = "documented"
    split: Callable[[str], Sequence[str]] = field(default=lambda text: [text] if text else [])
    """Cuts text into the pieces that a stream sends one by one."""
    likely: Callable[[str, int], list[dict[str, Any]]] = field(default=lambda text, alternatives: [])
    """For a text, each of its tokens as OpenAI tells how likely it was: token, logprob, bytes, top_logprobs."""
    served: Mapping[str, str] = field(default_factory=dict)
    """Who serves the model, as its card says: `service` and `model`."""
    guard: Guard | None = None
    """What a guardrail did; None where the request named none."""
    prices: Mapping[str, float] = field(default_factory=dict)
    """US dollars per million tokens of `input` and of `output`; empty for a model without prices."""


class Dialect(Protocol):
    """What each dialect module offers."""

    def read(self, body: Mapping[str, Any], profile: Profile) -> Turn: ...

    def write(self, turn: Turn, profile: Profile) -> dict[str, Any]: ...

    def render(
        self, body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
    ) -> dict[str, Any]: ...

    def parse(self, answer: Any, profile: Profile) -> list[Reply]: ...

    def stream(
        self, body: Mapping[str, Any], replies: Sequence[Reply], context: Context, profile: Profile
    ) -> Iterator[Event]: ...

    def fold(self, events: Iterable[Event], profile: Profile) -> list[Reply]: ...


NAMES = ("mistral", "mistral_text", "converse", "chat", "completions", "responses", "messages", "puter")


@cache
def dialect(name: str) -> Dialect:
    """The dialect called `name`; one of `NAMES`."""
    if name not in NAMES:
        raise ValueError(f"dialect: expected one of {', '.join(NAMES)}, got {name!r}")
    return cast(Dialect, importlib.import_module(f"conformance.dialects.{name}"))
