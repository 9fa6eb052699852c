"""The OpenAI SDK for Python as a reader of what OpenAI keeps: responses, conversations, stored completions, models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

MODEL = "gpt-4o-mini"
AMBER = "Reply with exactly: amber kettle 42"
SECRET = "The code word is PELICAN7. Remember it."
RECALL = "What is the code word? Answer with the code word only."
TUNED = "ft:gpt-4o-mini:acme::0Aa1Bb2C"

pytestmark = pytest.mark.mock_provider(openai_profile="openai")


@pytest.fixture
def client(mock_provider: Any) -> Iterator[OpenAI]:
    """A client of OpenAI that tries once."""
    with mock_provider.openai_client(max_retries=0) as made:
        yield made


@pytest.fixture
def stranger(mock_provider: Any) -> Iterator[OpenAI]:
    """The same with the key of another account."""
    with mock_provider.openai_client(max_retries=0, api_key="sk-proj-of-another-account") as made:
        yield made


def missing(call: Callable[..., Any], *arguments: Any, **named: Any) -> openai.NotFoundError:
    """The 404 that the call ends in."""
    with pytest.raises(openai.NotFoundError) as caught:
        call(*arguments, **named)
    return caught.value


def wrong(call: Callable[..., Any], *arguments: Any, **named: Any) -> openai.BadRequestError:
    """The 400 that the call ends in."""
    with pytest.raises(openai.BadRequestError) as caught:
        call(*arguments, **named)
    return caught.value


def say(client: OpenAI, text: str, **named: Any) -> Any:
    return client.responses.create(model=MODEL, input=text, **named)


def texts(items: Any) -> list[str]:
    return [item.content[0].text for item in items]


class TestResponses:
    def test_a_response_is_fetched_as_it_was_answered(self, client: OpenAI) -> None:
        made = say(client, AMBER)
        assert client.responses.retrieve(made.id) == made

    def test_one_that_was_not_to_be_kept_is_not_there(self, client: OpenAI) -> None:
        made = say(client, AMBER, store=False)
        assert "not found" in missing(client.responses.retrieve, made.id).message
        error = wrong(say, client, "And?", previous_response_id=made.id)
        assert (error.code, error.param) == ("previous_response_not_found", "previous_response_id")

    def test_a_stream_is_kept_like_any_other_answer(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input=AMBER) as stream:
            final = stream.get_final_response()
        assert client.responses.retrieve(final.id).output_text == "amber kettle 42"

    def test_one_that_is_deleted_is_gone_and_ends_its_chain(self, client: OpenAI) -> None:
        first = say(client, SECRET)
        second = say(client, "Thank you.", previous_response_id=first.id)
        client.responses.delete(first.id)
        missing(client.responses.retrieve, first.id)
        missing(client.responses.delete, first.id)
        wrong(say, client, RECALL, previous_response_id=first.id)
        # What went on from it before has its own copy of what was said.
        assert "PELICAN7" in say(client, RECALL, previous_response_id=second.id).output_text

    def test_another_key_finds_nothing(self, client: OpenAI, stranger: OpenAI) -> None:
        made, conversation = say(client, SECRET), client.conversations.create()
        unknown = missing(stranger.responses.retrieve, "resp_of_nobody")
        error = missing(stranger.responses.retrieve, made.id)
        assert error.message.replace(made.id, "X") == unknown.message.replace("resp_of_nobody", "X")
        missing(stranger.responses.delete, made.id)
        missing(stranger.responses.input_items.list, made.id)
        missing(stranger.conversations.retrieve, conversation.id)
        wrong(say, stranger, RECALL, previous_response_id=made.id)
        assert client.responses.retrieve(made.id).id == made.id

    def test_what_came_before_is_part_of_the_input(self, client: OpenAI) -> None:
        first = say(client, SECRET)
        second = say(client, RECALL, previous_response_id=first.id)
        items = list(client.responses.input_items.list(second.id, order="asc"))
        assert texts(items) == [SECRET, first.output_text, RECALL]
        assert items[1].id == first.output[0].id

    def test_input_items_come_page_by_page(self, client: OpenAI) -> None:
        words = [f"message {number}" for number in range(25)]
        made = client.responses.create(
            model=MODEL, input=[{"role": "user", "content": each} for each in words]
        )
        page = client.responses.input_items.list(made.id)
        assert (len(page.data), page.has_more) == (20, True)
        assert texts(page) == words[::-1]
        assert texts(client.responses.input_items.list(made.id, order="asc", limit=7)) == words
        assert len({each.id for each in page}) == 25

    @pytest.mark.parametrize(
        ("limit", "code"), [(0, "integer_below_min_value"), (101, "integer_above_max_value")]
    )
    def test_a_page_has_one_to_a_hundred_items(self, client: OpenAI, limit: int, code: str) -> None:
        made = say(client, AMBER)
        error = wrong(client.responses.input_items.list, made.id, limit=limit)
        assert (error.code, error.param) == (code, "limit")

    def test_tokens_are_counted_as_they_are_used(self, client: OpenAI) -> None:
        tools: Any = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
        asked: dict[str, Any] = {"model": MODEL, "input": AMBER, "instructions": "Be brief.", "tools": tools}
        counted = client.responses.input_tokens.count(**asked)
        assert counted.object == "response.input_tokens"
        made = client.responses.create(**asked)
        assert made.usage
        assert counted.input_tokens == made.usage.input_tokens

    def test_tokens_of_a_chain_are_counted_with_what_came_before(self, client: OpenAI) -> None:
        first = say(client, SECRET)
        counted = client.responses.input_tokens.count(
            model=MODEL, input=RECALL, previous_response_id=first.id
        )
        second = say(client, RECALL, previous_response_id=first.id)
        assert counted.input_tokens == second.usage.input_tokens

    def test_a_reference_to_an_item_stands_for_it(self, client: OpenAI) -> None:
        told = say(client, SECRET)
        [item] = client.responses.input_items.list(told.id)
        reference: Any = {"type": "item_reference", "id": item.id}
        again = client.responses.create(model=MODEL, input=[reference, {"role": "user", "content": RECALL}])
        assert "PELICAN7" in again.output_text
        client.responses.delete(told.id)
        missing(client.responses.create, model=MODEL, input=[reference])


class TestCompaction:
    def test_what_is_made_short_is_the_input_of_a_new_chain(self, client: OpenAI) -> None:
        history: Any = [
            {"role": "user", "content": SECRET},
            {"role": "assistant", "content": " ".join(["I will remember it."] * 50)},
        ]
        made = client.responses.compact(model=MODEL, input=history)
        assert (made.object, [each.type for each in made.output]) == (
            "response.compaction",
            ["message", "compaction"],
        )
        assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens
        after: Any = [
            *(each.to_dict(warnings=False) for each in made.output),
            {"role": "user", "content": RECALL},
        ]
        answered = client.responses.create(model=MODEL, input=after)
        assert "PELICAN7" in answered.output_text
        whole = client.responses.input_tokens.count(model=MODEL, input=[*history, after[-1]])
        assert answered.usage
        assert answered.usage.input_tokens < whole.input_tokens

    def test_a_chain_is_made_short_by_its_id(self, client: OpenAI) -> None:
        first = say(client, SECRET)
        made = client.responses.compact(model=MODEL, previous_response_id=first.id)
        assert made.output[0].to_dict(warnings=False)["content"][0]["text"] == SECRET

    def test_a_compaction_that_nobody_made_is_refused(self, client: OpenAI) -> None:
        forged: Any = [
            {"type": "compaction", "encrypted_content": "gAAAAABnoLettersOfOurs"},
            {"role": "user", "content": "Hi"},
        ]
        assert wrong(client.responses.create, model=MODEL, input=forged).code == "invalid_encrypted_content"


class TestAutomaticCompaction:
    """With `context_management` the answer to a long input begins with what is left of it."""

    LONG = SECRET + " Rain fell on the quiet harbour." * 250
    SHORTENS: Any = ({"type": "compaction", "compact_threshold": 1000},)

    def test_a_chain_goes_on_from_what_is_left(self, client: OpenAI) -> None:
        first = client.responses.create(model=MODEL, input=self.LONG, context_management=self.SHORTENS)
        assert [each.type for each in first.output] == ["compaction", "message"]
        assert first.output[0].to_dict().keys() == {"id", "type", "encrypted_content"}
        assert first.usage
        assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens
        assert first.usage.input_tokens > 1000
        again = say(client, RECALL, previous_response_id=first.id, context_management=self.SHORTENS)
        assert "PELICAN7" in again.output_text
        assert [each.type for each in again.output] == ["message"]
        assert again.usage.input_tokens < first.usage.input_tokens / 4
        third = say(client, RECALL, previous_response_id=again.id)
        assert "PELICAN7" in third.output_text

    def test_what_was_made_short_twice_is_still_known(self, client: OpenAI) -> None:
        rain: Any = {"input": "Rain fell on the quiet harbour. " * 250, "context_management": self.SHORTENS}
        told = client.responses.create(model=MODEL, input=self.LONG, context_management=self.SHORTENS)
        more = client.responses.create(model=MODEL, previous_response_id=told.id, **rain)
        assert more.output[0].type == "compaction"
        assert "PELICAN7" in say(client, RECALL, previous_response_id=more.id).output_text

    def test_items_before_the_one_that_is_left_are_dropped(self, client: OpenAI) -> None:
        first = client.responses.create(model=MODEL, input=self.LONG, context_management=self.SHORTENS)
        question: Any = {"role": "user", "content": RECALL}
        output: Any = first.output
        whole = [{"role": "user", "content": self.LONG}, *output, question]
        counted = [
            client.responses.input_tokens.count(model=MODEL, input=given)
            for given in (whole, [*output, question])
        ]
        assert counted[0] == counted[1]
        again = client.responses.create(model=MODEL, input=whole, context_management=self.SHORTENS)
        assert "PELICAN7" in again.output_text
        assert [each.type for each in again.output] == ["message"]

    def test_a_conversation_goes_on_from_what_is_left(self, client: OpenAI) -> None:
        talk = client.conversations.create().id
        client.responses.create(
            model=MODEL, input=self.LONG, conversation=talk, context_management=self.SHORTENS
        )
        again = say(client, RECALL, conversation=talk)
        assert "PELICAN7" in again.output_text
        assert again.usage.input_tokens < 1000

    def test_a_stream_shows_the_item_first(self, client: OpenAI) -> None:
        with client.responses.stream(
            model=MODEL, input=self.LONG, context_management=self.SHORTENS
        ) as stream:
            events = list(stream)
            final = stream.get_final_response()
        told = [each.type for each in events if getattr(each, "output_index", None) == 0]
        assert told == ["response.output_item.added", "response.output_item.done"]
        [item] = [
            each.item for each in events if each.type == "response.output_item.done" and not each.output_index
        ]
        assert final.output[0] == item
        assert "PELICAN7" in say(client, RECALL, previous_response_id=final.id).output_text

    @pytest.mark.parametrize(
        "named",
        [
            {"context_management": [{"type": "compaction", "compact_threshold": 100_000}]},
            {"context_management": [{"type": "compaction"}]},
            {"context_management": None},
            {},
        ],
    )
    def test_below_the_threshold_nothing_is_made_short(self, client: OpenAI, named: Any) -> None:
        made = client.responses.create(model=MODEL, input=self.LONG, **named)
        assert [each.type for each in made.output] == ["message"]
        assert say(client, RECALL, previous_response_id=made.id).usage.input_tokens > 1000

    def test_a_threshold_below_a_thousand_is_refused(self, client: OpenAI) -> None:
        low: Any = [{"type": "compaction", "compact_threshold": 999}]
        refused = wrong(client.responses.create, model=MODEL, input="Hi", context_management=low)
        assert refused.code == "integer_below_min_value"


class TestBackground:
    def test_it_is_queued_then_in_progress_then_made(self, client: OpenAI) -> None:
        made = say(client, AMBER, background=True)
        assert (made.status, made.output, made.background) == ("queued", [], True)
        seen = [client.responses.retrieve(made.id) for _ in range(3)]
        assert [each.status for each in seen] == ["in_progress", "completed", "completed"]
        assert seen[1] == seen[2]
        assert seen[1].output_text == "amber kettle 42"

    def test_it_can_be_cancelled_once_and_again(self, client: OpenAI) -> None:
        made = say(client, AMBER, background=True)
        for _ in range(2):
            assert client.responses.cancel(made.id).status == "cancelled"
        assert client.responses.retrieve(made.id).status == "cancelled"
        assert client.responses.retrieve(made.id).output == []

    def test_one_that_is_made_stays_made(self, client: OpenAI) -> None:
        made = say(client, AMBER, background=True)
        for _ in range(2):
            client.responses.retrieve(made.id)
        assert client.responses.cancel(made.id).output_text == "amber kettle 42"

    def test_what_was_not_in_the_background_cannot_be_cancelled(self, client: OpenAI) -> None:
        made = say(client, AMBER)
        wrong(client.responses.cancel, made.id)
        missing(client.responses.cancel, "resp_of_nobody")

    def test_it_has_to_be_kept(self, client: OpenAI) -> None:
        assert wrong(say, client, AMBER, background=True, store=False).param == "background"

    def test_its_stream_is_heard_again_from_any_event(self, client: OpenAI) -> None:
        events = list(say(client, AMBER, background=True, stream=True))
        assert [event.type for event in events[:3]] == [
            "response.created",
            "response.queued",
            "response.in_progress",
        ]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        name = events[0].response.id
        assert client.responses.retrieve(name).status == "completed"
        for heard in (None, 0, 5, len(events)):
            after: Any = {} if heard is None else {"starting_after": heard}
            again = list(client.responses.retrieve(name, stream=True, **after))
            assert again == [event for event in events if heard is None or event.sequence_number > heard]

    def test_a_stream_that_was_left_is_heard_to_its_end(self, client: OpenAI) -> None:
        with client.responses.stream(model=MODEL, input="Count from 1 to 300.", background=True) as stream:
            first = next(iter(stream))
        with client.responses.stream(
            response_id=first.response.id, starting_after=first.sequence_number
        ) as rest:
            assert rest.get_final_response().output_text.endswith("300")

    def test_what_was_not_begun_as_a_stream_is_not_heard_as_one(self, client: OpenAI) -> None:
        for made in (say(client, AMBER, background=True), say(client, AMBER)):
            assert wrong(client.responses.retrieve, made.id, stream=True).param == "stream"

    def test_a_cancelled_stream_says_no_more(self, mock_provider: Any, client: OpenAI) -> None:
        # The connection breaks in the middle, so that the work is not done yet.
        mock_provider.cut(after_events=6)
        heard: list[Any] = []
        with pytest.raises(openai.APIConnectionError):
            heard.extend(say(client, AMBER, background=True, stream=True))
        name = heard[0].response.id
        assert client.responses.cancel(name).status == "cancelled"
        again = list(client.responses.retrieve(name, stream=True))
        assert [event.type for event in again] == [event.type for event in heard[:3]]

    def test_bedrock_mantle_has_it_too(self, mock_provider: Any) -> None:
        with mock_provider.openai_client(
            base_url=mock_provider.url("bedrock-mantle") + "/v1", max_retries=0
        ) as mantle:
            made = mantle.responses.create(model="openai.gpt-oss-120b", input=AMBER, background=True)
            assert made.status == "queued"
            assert [mantle.responses.retrieve(made.id).status for _ in range(2)] == [
                "in_progress",
                "completed",
            ]
            mantle.responses.delete(made.id)
            assert missing(mantle.responses.retrieve, made.id).code == "not_found"


class TestConversations:
    def test_a_conversation_is_made_changed_and_deleted(self, client: OpenAI) -> None:
        made = client.conversations.create(metadata={"topic": "rivers"})
        assert (made.object, made.metadata, made.id[:5]) == ("conversation", {"topic": "rivers"}, "conv_")
        assert client.conversations.retrieve(made.id) == made
        assert client.conversations.update(made.id, metadata={"topic": "seas"}).metadata == {"topic": "seas"}
        assert client.conversations.retrieve(made.id).metadata == {"topic": "seas"}
        gone = client.conversations.delete(made.id)
        assert (gone.id, gone.object, gone.deleted) == (made.id, "conversation.deleted", True)
        missing(client.conversations.retrieve, made.id)
        missing(client.conversations.items.list, made.id)

    def test_responses_go_on_in_it_and_add_to_it(self, client: OpenAI) -> None:
        made = client.conversations.create()
        told = say(client, SECRET, conversation=made.id)
        assert told.conversation
        assert told.conversation.id == made.id
        with client.responses.stream(model=MODEL, input=RECALL, conversation={"id": made.id}) as stream:
            recalled = stream.get_final_response()
        assert "PELICAN7" in recalled.output_text
        items = list(client.conversations.items.list(made.id, order="asc"))
        assert texts(items) == [SECRET, told.output_text, RECALL, recalled.output_text]
        assert texts(client.responses.input_items.list(recalled.id, order="asc")) == texts(items[:3])

    def test_a_response_of_the_background_adds_to_it_when_it_is_made(self, client: OpenAI) -> None:
        made = client.conversations.create()
        begun = say(client, AMBER, conversation=made.id, background=True)
        assert list(client.conversations.items.list(made.id)) == []
        for _ in range(3):
            client.responses.retrieve(begun.id)
        assert texts(client.conversations.items.list(made.id, order="asc")) == [AMBER, "amber kettle 42"]

    def test_it_excludes_an_earlier_response(self, client: OpenAI) -> None:
        made, first = client.conversations.create(), say(client, AMBER)
        error = wrong(say, client, "And?", conversation=made.id, previous_response_id=first.id)
        assert error.code == "mutually_exclusive_parameters"
        missing(say, client, "And?", conversation="conv_of_nobody")

    def test_items_are_added_listed_fetched_and_deleted(self, client: OpenAI) -> None:
        made = client.conversations.create(items=[{"role": "user", "content": "zero"}])
        twenty: Any = [
            {"type": "message", "role": "user", "content": f"item {number}"} for number in range(20)
        ]
        added = client.conversations.items.create(made.id, items=twenty)
        assert (len(added.data), added.has_more, added.first_id) == (20, False, added.data[0].id)
        listed = client.conversations.items.list(made.id, limit=6)
        assert texts(listed) == [*(f"item {number}" for number in reversed(range(20))), "zero"]
        assert client.conversations.items.retrieve(added.first_id, conversation_id=made.id) == added.data[0]
        assert client.conversations.items.delete(added.first_id, conversation_id=made.id).id == made.id
        missing(client.conversations.items.retrieve, added.first_id, conversation_id=made.id)
        assert len(list(client.conversations.items.list(made.id))) == 20

    def test_twenty_items_at_a_time_are_the_most(self, client: OpenAI) -> None:
        items: Any = [{"role": "user", "content": "once more"}] * 21
        assert wrong(client.conversations.create, items=items).code == "array_above_max_length"
        made = client.conversations.create()
        assert wrong(client.conversations.items.create, made.id, items=items).param == "items"

    def test_calls_and_their_results_stay_what_they_are(self, client: OpenAI) -> None:
        made = client.conversations.create()
        tool: Any = {
            "type": "function",
            "name": "get_weather",
            "strict": False,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
        asked = say(
            client, "What is the weather in Oslo?", conversation=made.id, tools=[tool], tool_choice="required"
        )
        [call] = [each for each in asked.output if each.type == "function_call"]
        result: Any = {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": "4 degrees and sleet",
        }
        told = client.responses.create(model=MODEL, input=[result], conversation=made.id, tools=[tool])
        assert "sleet" in told.output_text
        kinds = [each.type for each in client.conversations.items.list(made.id, order="asc")]
        assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_with_a_seed_a_conversation_that_gets_an_old_id_begins_empty() -> None:
    from mockserver.embedded import start

    mock = start(seed=7)
    try:
        with OpenAI(base_url=f"{mock.http}/openai-com/v1", api_key="any") as client:
            found = []
            for _ in range(2):
                conversation = client.conversations.create()
                say(client, AMBER, conversation=conversation.id)
                found.append((conversation.id, len(list(client.conversations.items.list(conversation.id)))))
    finally:
        mock.stop()
    assert found[0] == found[1]
    assert found[0][1] == 2


def test_a_trace_that_was_sent_without_content_is_listed_without(client: OpenAI) -> None:
    name = client.conversations.create().id
    trace: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "content": None}
    [item] = client.conversations.items.create(name, items=[trace]).data
    assert "content" not in item.to_dict()


def test_what_is_asked_of_the_moderation_is_not_what_an_answer_tells_of_it(client: OpenAI) -> None:
    made = say(client, AMBER, moderation={"model": "omni-moderation-latest"})
    assert made.to_dict()["moderation"] is None
    assert made.output_text == "amber kettle 42"


def complete(client: OpenAI, text: str, **named: Any) -> Any:
    return client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], **named)


class TestCompletions:
    def test_a_stored_completion_is_fetched_changed_and_deleted(self, client: OpenAI) -> None:
        made = complete(client, AMBER, store=True, metadata={"topic": "kettles"})
        found = client.chat.completions.retrieve(made.id)
        assert (found.id, found.choices, found.usage) == (made.id, made.choices, made.usage)
        changed = client.chat.completions.update(made.id, metadata={"topic": "pots"})
        assert changed.to_dict()["metadata"] == {"topic": "pots"}
        gone = client.chat.completions.delete(made.id)
        assert (gone.id, gone.object, gone.deleted) == (made.id, "chat.completion.deleted", True)
        missing(client.chat.completions.retrieve, made.id)
        missing(client.chat.completions.update, made.id, metadata={})
        missing(client.chat.completions.delete, made.id)
        missing(client.chat.completions.messages.list, made.id)

    def test_only_what_was_to_be_stored_is(self, client: OpenAI, stranger: OpenAI) -> None:
        missing(client.chat.completions.retrieve, complete(client, AMBER).id)
        made = complete(client, AMBER, store=True)
        missing(stranger.chat.completions.retrieve, made.id)
        assert list(stranger.chat.completions.list()) == []

    def test_a_stream_is_stored_as_the_answer_that_it_was(self, client: OpenAI) -> None:
        plain = complete(client, AMBER)
        chunks = list(complete(client, AMBER, store=True, stream=True, metadata={"how": "streamed"}))
        found = client.chat.completions.retrieve(chunks[0].id)
        assert (found.id, found.created) == (chunks[0].id, chunks[0].created)
        assert (found.choices, found.usage) == (plain.choices, plain.usage)
        assert found.to_dict()["metadata"] == {"how": "streamed"}

    def test_they_are_listed_by_age_model_and_metadata(self, client: OpenAI) -> None:
        made = [
            complete(client, f"Number {n}", store=True, metadata={"odd": str(n % 2)}).id for n in range(5)
        ]
        listed = client.chat.completions.list
        assert [each.id for each in listed(limit=2)] == made
        assert [each.id for each in listed(order="desc", limit=3)] == made[::-1]
        assert [each.id for each in listed(metadata={"odd": "1"})] == made[1::2]
        assert [each.id for each in listed(model=MODEL)] == made
        assert list(listed(model="gpt-4.1")) == []
        # Nothing follows what is not in the list, and no page is too long or too short; that is all they say of it.
        assert list(listed(after="chatcmpl-of-nobody")) == listed(limit=0).data == []
        assert [each.id for each in listed(limit=101)] == made
        assert wrong(listed, limit=-1).code == "integer_below_min_value"

    def test_their_messages_come_with_their_parts(self, client: OpenAI) -> None:
        parts: Any = [{"type": "text", "text": "Hello "}, {"type": "text", "text": "Ada"}]
        said: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}]
        made = client.chat.completions.create(model=MODEL, messages=said, store=True)
        first, second = client.chat.completions.messages.list(made.id, limit=1)
        assert (first.role, first.content, first.content_parts) == ("system", "Be brief.", None)
        assert second.content_parts
        assert [each.to_dict() for each in second.content_parts] == parts
        assert (first.id, second.id) == (f"{made.id}-0", f"{made.id}-1")


class TestModels:
    def test_a_model_is_found_by_its_id(self, client: OpenAI) -> None:
        found = client.models.retrieve(MODEL)
        assert (found.id, found.object) == (MODEL, "model")
        assert missing(client.models.retrieve, "no/such/model").code == "model_not_found"

    def test_a_slash_in_an_id_is_no_slash_of_the_path(self, client: OpenAI) -> None:
        # openai sends it as %2F; were it a slash, the path would be none of the API's.
        assert "no/such" in missing(client.models.retrieve, "no/such").message

    def test_only_a_tuned_model_is_deleted_and_only_once(self, client: OpenAI, stranger: OpenAI) -> None:
        gone = client.models.delete(TUNED)
        assert (gone.id, gone.deleted) == (TUNED, True)
        missing(client.models.delete, TUNED)
        assert stranger.models.delete(TUNED).deleted
        with pytest.raises(openai.PermissionDeniedError):
            client.models.delete(MODEL)
        missing(client.models.delete, "no-such-model")


class TestAsync:
    """The same operations with the client that does not wait."""

    def test_responses(self, client: OpenAI) -> None:
        async def go(ours: AsyncOpenAI) -> None:
            made = await ours.responses.create(model=MODEL, input=SECRET, background=True)
            assert [(await ours.responses.retrieve(made.id)).status for _ in range(2)] == [
                "in_progress",
                "completed",
            ]
            assert (await ours.responses.cancel(made.id)).status == "completed"
            second = await ours.responses.create(model=MODEL, input=RECALL, previous_response_id=made.id)
            assert "PELICAN7" in second.output_text
            items = [each async for each in ours.responses.input_items.list(second.id, limit=1, order="asc")]
            assert texts(items)[::2] == [SECRET, RECALL]
            counted = await ours.responses.input_tokens.count(
                model=MODEL, input=RECALL, previous_response_id=made.id
            )
            assert second.usage
            assert counted.input_tokens == second.usage.input_tokens
            short = await ours.responses.compact(model=MODEL, previous_response_id=second.id)
            assert [each.type for each in short.output] == ["message", "message", "compaction"]
            await ours.responses.delete(made.id)
            with pytest.raises(openai.NotFoundError):
                await ours.responses.retrieve(made.id)
            stream = await ours.responses.create(model=MODEL, input=AMBER, background=True, stream=True)
            events = [event async for event in stream]
            name: Any = events[0]
            again = await ours.responses.retrieve(name.response.id, stream=True, starting_after=2)
            assert [event async for event in again] == events[3:]

        self.run(client, go)

    def test_conversations(self, client: OpenAI) -> None:
        async def go(ours: AsyncOpenAI) -> None:
            made = await ours.conversations.create(items=[{"role": "user", "content": SECRET}])
            assert (await ours.conversations.retrieve(made.id)).id == made.id
            assert (await ours.conversations.update(made.id, metadata={"a": "b"})).metadata == {"a": "b"}
            said = await ours.responses.create(model=MODEL, input=RECALL, conversation=made.id)
            assert "PELICAN7" in said.output_text
            added = await ours.conversations.items.create(made.id, items=[{"role": "user", "content": "Bye"}])
            one = await ours.conversations.items.retrieve(added.first_id, conversation_id=made.id)
            await ours.conversations.items.delete(one.id, conversation_id=made.id)
            items = [each async for each in ours.conversations.items.list(made.id, limit=2, order="asc")]
            assert texts(items) == [SECRET, RECALL, said.output_text]
            assert (await ours.conversations.delete(made.id)).deleted
            with pytest.raises(openai.NotFoundError):
                await ours.conversations.retrieve(made.id)

        self.run(client, go)

    def test_completions_and_models(self, client: OpenAI) -> None:
        async def go(ours: AsyncOpenAI) -> None:
            said: Any = [{"role": "user", "content": AMBER}]
            made = await ours.chat.completions.create(model=MODEL, messages=said, store=True)
            assert (await ours.chat.completions.retrieve(made.id)).choices == made.choices
            await ours.chat.completions.update(made.id, metadata={"a": "b"})
            assert [each.id async for each in ours.chat.completions.list(metadata={"a": "b"})] == [made.id]
            assert [each.content async for each in ours.chat.completions.messages.list(made.id)] == [AMBER]
            assert (await ours.chat.completions.delete(made.id)).deleted
            with pytest.raises(openai.NotFoundError):
                await ours.chat.completions.retrieve(made.id)
            assert (await ours.models.retrieve(MODEL)).id == MODEL
            assert (await ours.models.delete(TUNED)).deleted

        self.run(client, go)

    def run(self, client: OpenAI, go: Callable[[AsyncOpenAI], Any]) -> None:
        async def all_of_it() -> None:
            async with AsyncOpenAI(
                base_url=str(client.base_url), api_key=client.api_key, max_retries=0
            ) as ours:
                await go(ours)

        asyncio.run(all_of_it())


def test_what_the_model_said_as_plain_text_is_listed_as_a_part_with_all_its_members(client: OpenAI) -> None:
    said: Any = {"role": "assistant", "content": "Hello, Ada."}
    conversation = client.conversations.create(items=[said])
    client.conversations.items.create(conversation.id, items=[said])
    made = client.responses.create(model=MODEL, input=[said, {"role": "user", "content": "And now?"}])
    listed: list[Any] = [
        *client.conversations.items.list(conversation.id),
        *(each for each in client.responses.input_items.list(made.id) if getattr(each, "role", "") != "user"),
    ]
    assert len(listed) == 3
    for item in listed:
        [part] = item.to_dict()["content"]
        assert part == {"type": "output_text", "text": "Hello, Ada.", "annotations": [], "logprobs": []}
