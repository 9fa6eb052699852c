"""What a request goes on from is read once, however long the chain gets."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest

from conformance.dialects import responses
from conformance.loading import load
from mockserver.history import History
from mockserver.services import earlier
from mockserver.services.keeping import Given, sealed, spread

PROFILE = load().contracts["openai/responses"].profile
TURN: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": "Hello"}],
    [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}],
    [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}],
    [{"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'}],
    [{"type": "function_call_output", "call_id": "c", "output": "2"}],
    [{"type": "compaction", "encrypted_content": sealed("what was said")}],
    [{"type": "compaction", "encrypted_content": sealed("all that was said", whole=True)}],
    [],
]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The items that are read."""
    items: list[Any] = []
    take = responses.Reading.take

    def counted(self: responses.Reading, given: Iterable[Any]) -> None:
        given = list(given)
        items.extend(given)
        take(self, given)

    monkeypatch.setattr(responses.Reading, "take", counted)
    return items


def given(before: History | None, since: list[Any]) -> Given:
    return Given([*(before or ()), *since], [], None, before, since)


def anew(found: Given) -> Any:
    return responses.read({"input": [*spread(found.history)]}, PROFILE).messages


@pytest.mark.parametrize("seed", range(20))
def test_what_is_read_on_is_what_is_read_at_once(seed: int) -> None:
    chance = random.Random(seed)
    histories: list[History | None] = [None]
    for _ in range(30):
        # Mostly the newest goes on, sometimes an older one, of another contract now and then.
        before = histories[-1] if chance.random() < 0.7 else chance.choice(histories)
        found = given(before, chance.choice(TURN) + chance.choice(TURN))
        profile = PROFILE if chance.random() < 0.9 else dict(PROFILE)
        assert tuple(earlier.earlier(found, profile)) == anew(found)
        histories.append(History(before, (*found.since, *chance.choice(TURN))))


@pytest.mark.parametrize("turns", [10, 100, 400])
def test_a_chain_reads_each_item_twice_at_most(turns: int, taken: list[Any]) -> None:
    before: History | None = None
    for _ in range(turns):
        since = [*TURN[1]]
        earlier.earlier(given(before, since), PROFILE)
        before = History(before, (*since, *TURN[0]))
    assert len(taken) <= 2 * 2 * turns


def test_what_was_read_is_kept_with_few_histories() -> None:
    chains = []
    for _ in range(3 * earlier.KEPT):
        history = History(History(None, TURN[0]), TURN[1])
        for _ in range(2):
            earlier.earlier(given(history, TURN[0]), PROFILE)
        chains.append(history)
    assert sum(each.read is not None for each in chains) <= earlier.KEPT
    assert chains[-1].read is not None


def test_a_chain_keeps_what_was_read_with_its_newest_history_only() -> None:
    first = History(None, TURN[0])
    earlier.earlier(given(first, TURN[1]), PROFILE)
    second = History(first, (*TURN[1], *TURN[0]))
    earlier.earlier(given(second, TURN[1]), PROFILE)
    assert first.read is None
    assert second.read is not None
