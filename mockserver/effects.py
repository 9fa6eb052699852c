"""What `answer` asks of the world, as values; a door carries them out.

`answer` is a generator: it yields an effect and is sent the effect's result. State effects are
carried out by a `State` (in memory here; the same effects can be carried out by Redis), the
others by the door that holds the connection. Ended early, it may still yield state effects.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.exchange import Headers


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers go out. `length` is the body's size, None for a stream."""

    status: int
    headers: Headers
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes of the body go out. Several in a row may be joined by the door."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens for so many seconds; what was sent before has to be out by then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more comes, and the connection stays open until the client leaves or the server ends."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends here, in the middle of the body; what was sent before arrives."""


class Conversation(Protocol):
    """What is said on a websocket; each method gives effects, a Send for each text frame, a Cut to end it."""

    ping_seconds: float
    """How long a client may be silent before `ping` is said; looked at after each packet."""
    timeout_seconds: float
    """How long a client may be silent after a ping."""
    largest: int
    """Bytes of one message."""

    def opening(self) -> Answer: ...
    def hear(self, packet: str, now: float) -> Answer: ...
    def aside(self, packet: str) -> Iterator[Send] | None:
        """What is said at once to a packet that comes while another is answered; None: it waits its turn."""

    def ping(self) -> Answer: ...
    def ended(self) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The connection becomes a websocket; asked for only where the request has `Upgrade: websocket`."""

    conversation: Conversation


Transport = Head | Send | Wait | Stall | Cut | Upgrade


@dataclass(frozen=True, slots=True)
class Fetch:
    """The value stored at (space, kind, key), or None."""

    space: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Store:
    """Keeps a value at (space, kind, key); None forgets it.

    A key `owner:rest` says whose the value is: what one owner keeps never pushes out another's.
    """

    space: str
    kind: str
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Browse:
    """What is stored at (space, kind) under keys that begin with `prefix`: pairs of key and value, oldest first.

    The prefix names the owner, `owner:` at least.
    """

    space: str
    kind: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Spend:
    """Takes `amount` out of a quota: seconds until it would fit, 0.0 if it fitted and is spent now.

    Without a window it never refills: the result is how much is missing, and a negative amount is given back.
    """

    space: str
    quota: str
    amount: float
    limit: float
    window_seconds: float | None
    now: float


@dataclass(frozen=True, slots=True)
class Left:
    """How much of a quota over time is left, without taking any of it."""

    space: str
    quota: str
    limit: float
    window_seconds: float | None
    now: float


@dataclass(frozen=True, slots=True)
class Enter:
    """Takes one of `limit` places: True, or False if all are taken. `leave` gives it back."""

    space: str
    quota: str
    limit: int
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Adds to the counts kept under `name`, each by its own key; gives all of them as they are then."""

    space: str
    name: str
    amounts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Script:
    """The next scripted step of this space, taken off its list; None if there is none."""

    space: str


@dataclass(frozen=True, slots=True)
class Note:
    """One journal entry, written when the answer is known (`mockserver.journal.Entry`)."""

    space: str
    entry: Any


Inner = Fetch | Store | Browse | Spend | Left | Enter | Tally | Script | Note
Effect = Transport | Inner
Answer = Generator[Effect, Any, None]


class State(Protocol):
    """Carries out state effects, at once and from any thread."""

    def perform(self, effect: Inner) -> Any: ...


def carry_out(answer: Answer, state: State) -> Iterator[Transport]:
    """The transport effects of `answer`, with every state effect carried out on the way.

    Closing the iterator ends `answer`; what it has to give back first is carried out.
    """
    result: Any = None
    try:
        while True:
            effect = answer.send(result)
            result = None
            if isinstance(effect, Transport):
                yield effect
            else:
                result = state.perform(effect)
    except StopIteration:
        return
    except BaseException:
        _end(answer, state)
        raise


class _Unwanted(BaseException):
    """Nobody waits for the rest. Unlike `close()`, it lets a generator yield what it has to give back."""


def _end(answer: Answer, state: State) -> None:
    try:
        effect = answer.throw(_Unwanted())
        while isinstance(effect, Inner):
            effect = answer.send(state.perform(effect))
    except (_Unwanted, StopIteration):
        return
    answer.close()
