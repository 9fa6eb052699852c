"""What an operation is given, and how it says no; the operations stand in `mockserver.services.operations`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.contract import Contract, Provider
from conformance.dialects import Ids
from conformance.loading import Specs
from conformance.values import Turn


@dataclass(frozen=True)
class Asked:
    """A request that passed its checks, and where it stands."""

    specs: Specs
    provider: Provider
    contract: Contract
    body: Any
    parameters: Mapping[str, str]
    query: Mapping[str, Any]
    now: float
    ids: Ids
    region: str
    space: str
    principal: str
    model: str | None
    """The id of the model on its card."""
    latency_ms: int = 0
    turn: Turn | None = None
    """The body as its dialect reads it, with all that it goes on from; None without a dialect."""
    items: Sequence[Any] = ()
    """What the turn goes on from and the body's own items, in the words of the Responses API."""

    def key(self, name: str) -> str:
        """The key in the state of what this caller has under `name`."""
        return f"{self.principal}:{name}"


@dataclass(frozen=True)
class Denied:
    """The operation refuses: a condition of the contract's errors, and what fills their texts."""

    condition: str
    details: Mapping[str, Any] = field(default_factory=dict)


Body = Generator[Any, Any, Any]
"""State effects, then the body of the answer (of a stream the payloads of its events) or `Denied`."""

Operation = Callable[[Asked], Body]
