"""What is kept, from outside: any sequence of operations by two keys against a plain model of it; bounds; eviction.

The model (`Account`, `Kept`) is written from the documentation, not from the mock: OpenAI OpenAPI 2.3.0, the guides
"Background mode" and "Conversation state", Open Responses 2026-04-24 on terminal states. Where they are silent it says
what specs/ marks as a guess.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from openai import DefaultHttpxClient, OpenAI

from mockserver import memory
from mockserver.effects import Browse, Fetch, Store
from mockserver.embedded import Running, start
from mockserver.history import History, weigh
from mockserver.memory import Memory
from mockserver.services import keeping, stored

MODEL = "gpt-4o-mini"
KEYS = ("sk-proj-of-ada-000000000000000000000000", "sk-proj-of-bob-000000000000000000000000")
AGES = ("queued", "in_progress", "completed")
"""How a response of the background grows up; it never grows younger, and at the last it stays."""
PATIENCE = 3
"""Looks after which it has to be made."""

WORDS = st.sampled_from(["amber kettle 42", "nine rivers", "PELICAN7", "a quiet harbour"])
WHO = st.sampled_from((0, 1))
MOSTLY_ITS_OWNER = st.sampled_from((0, 0, 0, 1))
"""What is added to the owner's number: whose key is shown for what is there already."""


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A mock that takes exactly two keys."""
    made = start(auth="strict")
    made.mock.credentials = replace(made.mock.credentials, bearer=KEYS)
    yield made
    made.stop()


@dataclass
class Kept:
    """A response as its maker knows it."""

    name: str
    owner: int
    context: list[str]
    """The texts of all that it was made from, oldest first."""
    says: str | None
    """What it says; None until it was seen to be made."""
    status: str
    background: bool
    stored: bool
    talk: Talk | None = None
    looks: int = 0
    deleted: bool = False

    def found(self, who: int) -> bool:
        return self.stored and not self.deleted and who == self.owner

    @property
    def said(self) -> list[str]:
        return [] if self.says is None else [self.says]


@dataclass
class Talk:
    """A conversation as its maker knows it."""

    name: str
    owner: int
    texts: list[str] = field(default_factory=list)
    deleted: bool = False

    def found(self, who: int) -> bool:
        return not self.deleted and who == self.owner


class Responses(RuleBasedStateMachine):
    """Two accounts that make, go on from, look at, cancel and delete responses, their own and each other's."""

    running: Running
    numbers = itertools.count()
    responses: Any = Bundle("responses")
    talks: Any = Bundle("talks")

    @initialize()
    def begin(self) -> None:
        self.space = f"state-{next(self.numbers)}"
        address = f"{self.running.http}/~{self.space}/openai-com/v1"
        self.http = DefaultHttpxClient()
        self.clients = [
            OpenAI(base_url=address, api_key=key, max_retries=0, http_client=self.http) for key in KEYS
        ]
        self.all: list[Kept] = []

    def teardown(self) -> None:
        if hasattr(self, "http"):
            self.http.close()
            assert isinstance(self.running.mock.state, Memory)
            self.running.mock.state.forget(self.space)

    # What is asked, and what has to come of it

    def make(self, who: int, says: str, context: list[str], talk: Talk | None, **asked: Any) -> Any:
        text = f"Reply with exactly: {says}"
        made = self.clients[who].responses.create(model=MODEL, input=text, **asked)
        background, stored_ = asked.get("background", False), asked.get("store", True)
        kept = Kept(made.id, who, [*context, text], None, str(made.status), background, stored_, talk)
        assert kept.name not in {each.name for each in self.all}
        assert kept.status in AGES if background else kept.status == "completed"
        self.heard(kept, made)
        if not context and not background:
            assert kept.says == says
        self.all.append(kept)
        if context:
            self.lists_input(0, kept, "asc", 100)
        return kept

    def heard(self, kept: Kept, shown: Any) -> None:
        """The response shows what it is made of; what it said is then part of its conversation."""
        if kept.says is None and kept.status == "completed":
            kept.says = shown.output_text
            if kept.talk is not None:
                kept.talk.texts += [kept.context[-1], kept.says]
        self.holds(kept, shown)

    def holds(self, kept: Kept, shown: Any) -> None:
        """The response shows what it is made of."""
        assert (shown.id, shown.object, shown.status) == (kept.name, "response", kept.status)
        assert bool(shown.background) is kept.background
        assert ([shown.output_text] if shown.output else []) == kept.said
        assert (shown.conversation.id if shown.conversation else None) == (
            kept.talk.name if kept.talk else None
        )

    def shown(self, what: Kept | Talk, other: int) -> int:
        """Whose key is shown: its owner's, or the other one's."""
        return (what.owner + other) % len(KEYS)

    def missing(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        with pytest.raises(openai.NotFoundError):
            call(*arguments, **named)

    @rule(target=responses, who=WHO, says=WORDS, store=st.booleans(), background=st.booleans())
    def creates(self, who: int, says: str, store: bool, background: bool) -> Any:
        if background and not store:
            with pytest.raises(openai.BadRequestError):
                self.make(who, says, [], None, background=True, store=False)
            return multiple()
        return self.make(who, says, [], None, background=background, store=store)

    @rule(target=responses, other=MOSTLY_ITS_OWNER, says=WORDS, previous=responses, background=st.booleans())
    def goes_on(self, other: int, says: str, previous: Kept, background: bool) -> Any:
        who = self.shown(previous, other)
        asked: dict[str, Any] = {"previous_response_id": previous.name, "background": background}
        if not previous.found(who):
            with pytest.raises(openai.BadRequestError) as caught:
                self.make(who, says, [], None, **asked)
            assert caught.value.code == "previous_response_not_found"
            return multiple()
        return self.make(who, says, [*previous.context, *previous.said], None, **asked)

    @rule(target=talks, who=WHO)
    def begins_a_talk(self, who: int) -> Any:
        return Talk(self.clients[who].conversations.create().id, who)

    @rule(
        target=responses,
        other=MOSTLY_ITS_OWNER,
        says=WORDS,
        talk=talks,
        store=st.booleans(),
        background=st.booleans(),
    )
    def talks_on(self, other: int, says: str, talk: Talk, store: bool, background: bool) -> Any:
        who = self.shown(talk, other)
        asked: dict[str, Any] = {
            "conversation": talk.name,
            "background": background,
            "store": store or background,
        }
        if not talk.found(who):
            self.missing(self.make, who, says, [], talk, **asked)
            return multiple()
        return self.make(who, says, list(talk.texts), talk, **asked)

    @rule(other=MOSTLY_ITS_OWNER, kept=responses)
    def looks(self, other: int, kept: Kept) -> None:
        who = self.shown(kept, other)
        client = self.clients[who]
        if not kept.found(who):
            self.missing(client.responses.retrieve, kept.name)
            return
        shown = client.responses.retrieve(kept.name)
        before, kept.looks = kept.status, kept.looks + 1
        if before in AGES:
            assert AGES.index(str(shown.status)) >= AGES.index(before)
            kept.status = str(shown.status)
            assert kept.status == "completed" or kept.looks < PATIENCE
        self.heard(kept, shown)

    @rule(kept=responses)
    def waits(self, kept: Kept) -> None:
        """Looks as often as it takes; what is over cannot be cancelled any more."""
        if kept.background and kept.found(kept.owner):
            for _ in range(PATIENCE):
                self.looks(0, kept)
            self.cancels(0, kept)

    @rule(other=MOSTLY_ITS_OWNER, kept=responses)
    def cancels(self, other: int, kept: Kept) -> None:
        who = self.shown(kept, other)
        client = self.clients[who]
        if not kept.found(who):
            self.missing(client.responses.cancel, kept.name)
        elif not kept.background:
            with pytest.raises(openai.BadRequestError):
                client.responses.cancel(kept.name)
        else:
            shown = client.responses.cancel(kept.name)
            kept.status = "completed" if kept.status == "completed" else "cancelled"
            self.holds(kept, shown)

    @rule(other=MOSTLY_ITS_OWNER, kept=responses)
    def deletes(self, other: int, kept: Kept) -> None:
        who = self.shown(kept, other)
        client = self.clients[who]
        if not kept.found(who):
            self.missing(client.responses.delete, kept.name)
            return
        client.responses.delete(kept.name)
        kept.deleted = True

    @rule(
        other=MOSTLY_ITS_OWNER,
        kept=responses,
        order=st.sampled_from(["asc", "desc"]),
        limit=st.sampled_from([1, 2, 100]),
    )
    def lists_input(self, other: int, kept: Kept, order: Any, limit: int) -> None:
        who = self.shown(kept, other)
        client = self.clients[who]
        if not kept.found(who):
            self.missing(client.responses.input_items.list, kept.name)
            return
        shown = [*client.responses.input_items.list(kept.name, order=order, limit=limit)]
        texts = [each.content[0].text for each in shown]  # type: ignore[union-attr]
        assert texts == (kept.context if order == "asc" else kept.context[::-1])

    @rule(other=MOSTLY_ITS_OWNER, talk=talks)
    def lists_talk(self, other: int, talk: Talk) -> None:
        who = self.shown(talk, other)
        client = self.clients[who]
        if not talk.found(who):
            self.missing(client.conversations.items.list, talk.name)
            return
        shown = client.conversations.items.list(talk.name, order="asc", limit=3)
        assert [each.content[0].text for each in shown] == talk.texts  # type: ignore[union-attr]

    @rule(other=MOSTLY_ITS_OWNER, talk=talks)
    def ends_a_talk(self, other: int, talk: Talk) -> None:
        who = self.shown(talk, other)
        client = self.clients[who]
        if not talk.found(who):
            self.missing(client.conversations.delete, talk.name)
            return
        assert client.conversations.delete(talk.name).deleted
        talk.deleted = True

    @invariant()
    def names_are_their_own(self) -> None:
        """No two responses have one id, whoever made them."""
        names = [each.name for each in getattr(self, "all", ())]
        assert len(names) == len(set(names))


SMALL = settings(
    max_examples=40,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    # To shrink what was found takes minutes: add Phase.shrink when there is something to be found.
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


def play(running: Running) -> None:
    class Here(Responses):
        pass

    Here.running = running
    run_state_machine_as_test(Here, settings=SMALL)


def test_any_sequence_of_operations_by_two_keys_ends_as_the_documentation_says(running: Running) -> None:
    play(running)


def _keeps_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "RESPONSE", "another kind")


def _keeps_unstored(monkeypatch: pytest.MonkeyPatch) -> None:
    keep = keeping.keep

    def kept(contract: Any, body: Mapping[str, Any], *rest: Any) -> Any:
        return keep(contract, {**body, "store": True}, *rest)

    monkeypatch.setattr(keeping, "keep", kept)


def _shares_between_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    perform = Memory.perform

    def shared(self: Memory, effect: Any) -> Any:
        if isinstance(effect, Fetch | Store):
            effect = replace(effect, key=f"all:{effect.key.partition(':')[2]}")
        return perform(self, effect)

    monkeypatch.setattr(Memory, "perform", shared)


def _cancels_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = keeping.cancel
    monkeypatch.setattr(keeping, "cancel", lambda kept, *rest: cancel({**kept, "ahead": []}, *rest))


def _forgets_the_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = keeping.finish
    monkeypatch.setattr(keeping, "finish", lambda kept, *rest: finish({**kept, "conversation": None}, *rest))


def _never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(kept: Any, *_: Any) -> Any:
        yield from ()
        return kept

    monkeypatch.setattr(keeping, "look", look)


def _turns_lists_round(monkeypatch: pytest.MonkeyPatch) -> None:
    page = stored.page
    monkeypatch.setattr(stored, "page", lambda entries, asked: page([*entries][::-1], asked))


@pytest.mark.parametrize(
    "plant",
    [
        _keeps_deleted,
        _keeps_unstored,
        _shares_between_keys,
        _cancels_what_is_made,
        _forgets_the_conversation,
        _never_ends,
        _turns_lists_round,
    ],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_a_planted_bug_is_found(
    running: Running, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    with pytest.raises(BaseException) as caught:
        play(running)
    assert isinstance(caught.value, AssertionError | openai.APIError | pytest.fail.Exception)


# Two keys, without a model of anything


def test_one_key_cannot_reach_what_another_keeps(running: Running) -> None:
    address = f"{running.http}/~two-keys/openai-com/v1"
    ada, bob = (OpenAI(base_url=address, api_key=key, max_retries=0) for key in KEYS)
    with ada, bob:
        made = ada.responses.create(model=MODEL, input="Hello", background=True)
        talk = ada.conversations.create(items=[{"role": "user", "content": "Hello"}])
        [item] = ada.conversations.items.list(talk.id)
        said: Any = [{"role": "user", "content": "Hello"}]
        stored_ = ada.chat.completions.create(model=MODEL, messages=said, store=True)
        reference: Any = [{"type": "item_reference", "id": item.id}]
        reached: list[Callable[[OpenAI], Any]] = [
            lambda who: who.responses.retrieve(made.id),
            lambda who: list(who.responses.retrieve(made.id, stream=True)),
            lambda who: who.responses.cancel(made.id),
            lambda who: who.responses.input_items.list(made.id),
            lambda who: who.responses.delete(made.id),
            lambda who: who.responses.create(model=MODEL, input="Hi", conversation=talk.id),
            lambda who: who.responses.create(model=MODEL, input=reference),
            lambda who: who.responses.input_tokens.count(model=MODEL, input="Hi", conversation=talk.id),
            lambda who: who.conversations.retrieve(talk.id),
            lambda who: who.conversations.update(talk.id, metadata={}),
            lambda who: who.conversations.items.list(talk.id),
            lambda who: who.conversations.items.create(talk.id, items=said),
            lambda who: who.conversations.items.retrieve(item.id or "", conversation_id=talk.id),
            lambda who: who.conversations.items.delete(item.id or "", conversation_id=talk.id),
            lambda who: who.conversations.delete(talk.id),
            lambda who: who.chat.completions.retrieve(stored_.id),
            lambda who: who.chat.completions.update(stored_.id, metadata={}),
            lambda who: who.chat.completions.messages.list(stored_.id),
            lambda who: who.chat.completions.delete(stored_.id),
        ]
        for reach in reached:
            with pytest.raises(openai.NotFoundError):
                reach(bob)
        assert list(bob.chat.completions.list()) == []
        assert ada.responses.retrieve(made.id).status == "in_progress"
        assert ada.conversations.retrieve(talk.id).metadata == {}
        assert [each.id for each in ada.chat.completions.list()] == [stored_.id]


# Bounds


def test_a_chain_whose_head_went_goes_on_from_what_is_left(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "KEPT_VALUES", 3)
    with OpenAI(base_url=f"{running.http}/~eviction/openai-com/v1", api_key=KEYS[0], max_retries=0) as client:
        names: list[str] = []
        for number in range(5):
            asked: Any = {"previous_response_id": names[-1]} if names else {}
            names.append(client.responses.create(model=MODEL, input=f"Message {number}", **asked).id)
        for name in names[:2]:
            with pytest.raises(openai.NotFoundError):
                client.responses.retrieve(name)
            with pytest.raises(openai.BadRequestError):
                client.responses.create(model=MODEL, input="And?", previous_response_id=name)
        items = client.responses.input_items.list(names[2], order="asc")
        assert [each.content[0].text for each in items][::2] == [f"Message {number}" for number in range(3)]  # type: ignore[union-attr]


def kept_in(state: Memory, prefix: str, kind: str = "response") -> list[Any]:
    return [value for _, value in state.perform(Browse("", kind, prefix))]


def test_what_one_key_keeps_never_pushes_out_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_VALUES", 10)
    state = Memory()
    state.perform(Store("", "response", "bob:first", 0))
    for number in range(100):
        state.perform(Store("", "response", f"ada:{number}", number))
        state.perform(Store("", "item", f"ada:{number}", number))
    assert kept_in(state, "ada:") == list(range(90, 100))
    assert kept_in(state, "bob:") == [0]


def test_what_is_kept_anew_keeps_its_age() -> None:
    state = Memory()
    for key in ("ada:1", "ada:2", "ada:1"):
        state.perform(Store("", "response", key, key))
    assert kept_in(state, "ada:") == ["ada:1", "ada:2"]


def test_one_test_never_pushes_out_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_VALUES", 2)
    state = Memory()
    state.perform(Store("one", "response", "ada:1", 1))
    for number in range(9):
        state.perform(Store("another", "response", f"ada:{number}", number))
    assert state.perform(Fetch("one", "response", "ada:1")) == 1


def test_of_too_many_values_whoever_has_most_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_OF_A_KIND", 6)
    state = Memory()
    for key in ("ada:1", "ada:2", "ada:3", "ada:4", "ada:5", "bob:1", "bob:2"):
        state.perform(Store("", "response", key, key))
    assert kept_in(state, "ada:") == ["ada:2", "ada:3", "ada:4", "ada:5"]
    assert kept_in(state, "bob:") == ["bob:1", "bob:2"]


def test_of_too_many_owners_the_one_who_was_silent_longest_loses_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_OWNERS", 2)
    state = Memory()
    for key in ("ada:1", "bob:1", "ada:2", "eve:1"):
        state.perform(Store("", "response", key, key))
    assert (kept_in(state, "ada:"), kept_in(state, "bob:")) == (["ada:1", "ada:2"], [])
    assert kept_in(state, "eve:") == ["eve:1"]


def test_what_is_forgotten_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_OF_A_KIND", 2)
    state = Memory()
    for key in ("ada:1", "ada:2"):
        state.perform(Store("", "response", key, key))
        state.perform(Store("", "response", key, None))
    for key in ("bob:1", "bob:2"):
        state.perform(Store("", "response", key, key))
    assert kept_in(state, "bob:") == ["bob:1", "bob:2"]


# Bounds in bytes


def test_of_too_many_bytes_the_oldest_value_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 3500)
    state = Memory()
    for number in range(9):
        state.perform(Store("", "response", f"ada:{number}", {"n": number, "text": "x" * 1000}))
        state.perform(Store("", "response", "bob:1", "x"))
    assert [each["n"] for each in kept_in(state, "ada:")] == [6, 7, 8]
    assert kept_in(state, "bob:") == ["x"]


def test_of_too_many_bytes_of_all_whoever_has_most_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES_OF_A_KIND", 3500)
    state = Memory()
    for key in ("bob:1", "ada:1", "ada:2", "ada:3"):
        state.perform(Store("", "response", key, key + "x" * 1000))
    assert [each[:5] for each in kept_in(state, "ada:")] == ["ada:2", "ada:3"]
    assert len(kept_in(state, "bob:")) == 1


def test_a_value_that_is_too_large_by_itself_pushes_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 3500)
    state = Memory()
    state.perform(Store("", "response", "ada:1", "small"))
    state.perform(Store("", "response", "ada:2", "x" * 4000))
    state.perform(
        Store("", "response", "ada:3", {"input": History(History(None, ["x" * 2000]), ["x" * 2000])})
    )
    assert kept_in(state, "ada:") == ["small"]


def test_what_is_kept_in_place_of_another_counts_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 3500)
    state = Memory()
    state.perform(Store("", "response", "ada:1", "first"))
    for _ in range(9):
        state.perform(Store("", "response", "ada:2", "x" * 2000))
    assert kept_in(state, "ada:")[0] == "first"


def test_a_history_that_values_share_counts_once_and_as_long_as_one_of_them_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES", 10_000)
    state, chain = Memory(), History(None, ["x" * 4000])
    for number in range(20):
        chain = History(chain, [f"{number:05}"])
        state.perform(Store("", "response", f"ada:{number}", {"input": chain}))
    assert len(kept_in(state, "ada:")) == 20
    for number in range(19):
        state.perform(Store("", "response", f"ada:{number}", None))
    # All of the chain is still held by its last link: two thirds of the room are left.
    state.perform(Store("", "response", "ada:more", "x" * 5000))
    assert len(kept_in(state, "ada:")) == 2
    state.perform(Store("", "response", "ada:19", None))
    state.perform(Store("", "response", "ada:yet more", "x" * 4500))
    assert len(kept_in(state, "ada:")) == 2


@pytest.mark.parametrize("how", ["previous_response_id", "conversation"])
def test_a_chain_keeps_each_item_once(running: Running, how: str) -> None:
    space = f"chain-{how}"
    address = f"{running.http}/~{space}/openai-com/v1"
    with OpenAI(base_url=address, api_key=KEYS[0], max_retries=0) as client:
        asked: dict[str, Any] = (
            {"conversation": client.conversations.create().id} if how == "conversation" else {}
        )
        for number in range(12):
            made = client.responses.create(model=MODEL, input=f"Message {number}", **asked)
            if how != "conversation":
                asked = {"previous_response_id": made.id}
        shown = [each.id for each in client.responses.input_items.list(made.id, order="asc")]
    assert isinstance(running.mock.state, Memory)
    [shelf] = running.mock.state.space(space).values["response"]._of.values()
    kept: list[History | None] = [value["input"] for value in shelf.values.values()]
    links: set[History] = set()
    for link in kept:
        while link is not None:
            links.add(link)
            link = link.before
    items = [item["id"] for link in links for item in link.items]
    assert sorted(items) == sorted(shown) and len(set(items)) == 23


def test_the_journal_keeps_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT_BYTES_OF_ENTRIES", 3500)
    journal = memory.Journal()
    for number in range(9):
        journal.append((number, "x" * 1000))
    assert [number for number, _ in journal] == [6, 7, 8]


def test_anything_can_be_weighed() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [{"a": deep}]
    loop: list[Any] = [b"y" * 50, None, {1: {2}}, Kept("a", 0, ["z" * 100], None, "", False, False), deep]
    loop.append(loop)
    assert 25_000 < weigh(loop)[0] < 100_000
