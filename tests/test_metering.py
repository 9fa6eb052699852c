"""What an account used: counted with each answer, told by the operation that reads it back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from conformance.values import Reply, Text, Usage
from mockserver.effects import Tally
from mockserver.memory import Memory
from mockserver.metering import amounts, told
from mockserver.script import Step

METERS = {"input": "{service}:{model}:in", "output": "{service}:{model}:out", "app": "mine"}
SERVED = {"service": "mistral", "model": "small"}
PRICES = {"input": 0.5, "output": 1.5}


def test_an_answer_adds_units_costs_and_a_count_under_each_name() -> None:
    assert amounts(METERS, SERVED, Usage(10, 4), PRICES) == {
        "app count/mine": 1,
        "app total/mine": 1100,
        "count/mistral:small:in": 1,
        "units/mistral:small:in": 10,
        "cost/mistral:small:in": 500,
        "count/mistral:small:out": 1,
        "units/mistral:small:out": 4,
        "cost/mistral:small:out": 600,
    }


def test_what_came_out_of_a_cache_is_part_of_the_prompt() -> None:
    assert amounts(METERS, SERVED, Usage(10, 0, 0, 5, 1), PRICES)["units/mistral:small:in"] == 16


def test_a_model_without_prices_is_counted_and_costs_nothing() -> None:
    added = amounts(METERS, SERVED, Usage(10, 4), {})
    assert (added["units/mistral:small:in"], added["app total/mine"]) == (10, 0)


def test_what_was_counted_is_told_by_name_and_taken_off_the_allowance() -> None:
    values = told(amounts(METERS, SERVED, Usage(10, 4), PRICES), 2000)
    assert (values["allowance"], values["remaining"]) == (2000, 900)
    assert values["usage"] == {
        "mistral:small:in": {"cost": 500, "count": 1, "units": 10},
        "mistral:small:out": {"cost": 600, "count": 1, "units": 4},
    }
    assert values["apps"] == {"mine": {"count": 1, "total": 1100}}


def test_nothing_is_left_where_more_was_used_than_allowed() -> None:
    assert told(amounts(METERS, SERVED, Usage(10, 4), PRICES), 1000)["remaining"] == 0


def test_nothing_used_is_nothing_told() -> None:
    assert told({}, 5) == {"allowance": 5, "remaining": 5, "usage": {}, "apps": {}}


def test_counts_of_many_threads_add_up_and_stay_apart_by_name_and_space() -> None:
    memory = Memory()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: memory.perform(Tally("a", "me", {"x": 1, "y": 2})), range(400)))
    assert memory.perform(Tally("a", "me", {})) == {"x": 400, "y": 800}
    assert memory.perform(Tally("a", "you", {})) == {}
    assert memory.perform(Tally("b", "me", {})) == {}


def test_an_answer_that_ended_early_has_so_many_pieces_and_counts_them() -> None:
    reply = Reply((Text("one two three four"),), "length", Usage(7, 4))
    early = Step(fail="overloaded", after_events=2).ended_early(reply)
    assert (early.text, early.finish, early.usage) == ("one two", "stop", Usage(7, 2))
