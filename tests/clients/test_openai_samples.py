"""The OpenAI SDK for Python asks for what documentation names, as specs/ lists it, and for what a test put there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from conformance.loading import load

SPECS = load()
MODEL = "gpt-4o-mini"
QUESTION = {"model": MODEL, "input": "What is in the kettle?"}


def retrieves_response(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    found = client.responses.retrieve(name)
    assert (found.id, found.status, found.output_text) == (name, "completed", sample["says"])


def resumes_response(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    events = list(client.responses.retrieve(name, stream=True))
    assert events[-1].type == "response.completed"
    assert (events[-1].response.id, events[-1].response.output_text) == (name, sample["says"])
    later = client.responses.retrieve(name, stream=True, starting_after=3)
    assert [each.sequence_number for each in later] == [each.sequence_number for each in events[4:]]


def cancels_response(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    assert client.responses.cancel(name).id == name


def deletes_response(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    client.responses.delete(name)


def lists_input(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    listed: Any = client.responses.input_items.list(name).to_dict()
    assert [each["content"][0]["text"] for each in listed["data"]] == [sample["asked"]["input"]]


def retrieves_conversation(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    found = client.conversations.retrieve(name)
    assert (found.id, found.object) == (name, "conversation")


def updates_conversation(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    assert client.conversations.update(name, metadata={"topic": "tea"}).metadata == {"topic": "tea"}
    assert client.conversations.retrieve(name).metadata == {"topic": "tea"}


def deletes_conversation(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    assert client.conversations.delete(name).id == name


def adds_items(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    added = client.conversations.items.create(name, items=[{"role": "user", "content": "And then?"}])
    assert added.data[0].id in [each.id for each in client.conversations.items.list(name)]


def lists_items(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    listed = {each.id for each in client.conversations.items.list(name)}
    assert listed >= {each["id"] for each in sample["asked"]["items"]}


def retrieves_item(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    for said in sample["asked"]["items"]:
        item: Any = client.conversations.items.retrieve(said["id"], conversation_id=name)
        assert (item.id, item.content[0].text) == (said["id"], said["content"])


def deletes_item(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    for said in sample["asked"]["items"]:
        assert client.conversations.items.delete(said["id"], conversation_id=name).id == name


def retrieves_completion(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    found = client.chat.completions.retrieve(name)
    assert (found.id, found.object, bool(found.choices[0].message.content)) == (name, "chat.completion", True)


def updates_completion(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    changed = client.chat.completions.update(name, metadata={"topic": "tea"})
    assert (changed.id, changed.to_dict()["metadata"]) == (name, {"topic": "tea"})


def deletes_completion(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    assert client.chat.completions.delete(name).id == name


def lists_messages(client: OpenAI, name: str, sample: Mapping[str, Any]) -> None:
    listed = [(each.role, each.content) for each in client.chat.completions.messages.list(name)]
    assert listed == [(each["role"], each["content"]) for each in sample["asked"]["messages"]]


def deletes_model(client: OpenAI, name: str, _: Mapping[str, Any]) -> None:
    assert client.models.delete(name).id == name


Use = Callable[[OpenAI, str, Mapping[str, Any]], None]

USES: Mapping[str, Mapping[str, Use]] = {
    "response": {
        "retrieve-response": retrieves_response,
        "resume-response": resumes_response,
        "cancel-response": cancels_response,
        "delete-response": deletes_response,
        "list-input-items": lists_input,
    },
    "conversation": {
        "retrieve-conversation": retrieves_conversation,
        "update-conversation": updates_conversation,
        "delete-conversation": deletes_conversation,
        "add-items": adds_items,
        "list-items": lists_items,
        "retrieve-item": retrieves_item,
        "delete-item": deletes_item,
    },
    "completion": {
        "retrieve-completion": retrieves_completion,
        "update-completion": updates_completion,
        "delete-completion": deletes_completion,
        "list-messages": lists_messages,
    },
    "model": {"delete-model": deletes_model},
}
"""How the SDK asks for each operation on each kind of sample; the operations by the words of the contracts."""


def samples() -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (provider.id, name, sample)
        for provider in SPECS.providers.values()
        for name, sample in provider.said.get("samples", {}).items()
    ]


def operations() -> list[Any]:
    """Each sample with each operation that its provider has for its kind."""
    return [
        pytest.param(provider, name, sample, USES[sample["as"]][does], id=f"{provider}:{name}:{does}")
        for provider, name, sample in samples()
        for does in [str(each.response.get("does")) for each in SPECS.of(provider)]
        if does in USES[sample["as"]]
    ]


def client_of(mock_provider: Any, provider: str) -> OpenAI:
    made: OpenAI = mock_provider.openai_client(base_url=f"{mock_provider.url(provider)}/v1", max_retries=0)
    return made


def test_every_operation_on_what_is_kept_is_among_those_that_are_tried() -> None:
    tried = {does for uses in USES.values() for does in uses}
    kept = {
        each.response["does"]
        for each in SPECS.of("openai")
        if "does" in each.response and "{" in each.request["paths"][0]
    }
    assert kept == tried


@pytest.mark.parametrize(("provider", "name", "sample", "use"), operations())
def test_what_documentation_names_is_there(
    mock_provider: Any, provider: str, name: str, sample: Mapping[str, Any], use: Use
) -> None:
    with client_of(mock_provider, provider) as client:
        # Again after it was deleted too, if that is what this does.
        use(client, name, sample)
        use(client, name, sample)


FIRST: Mapping[str, Use] = {
    "response": retrieves_response,
    "conversation": retrieves_conversation,
    "completion": retrieves_completion,
}


@pytest.mark.mock_provider(auth="strict")
@pytest.mark.parametrize(
    ("provider", "name", "sample"), [each for each in samples() if each[2]["as"] in FIRST]
)
def test_where_keys_are_checked_there_is_only_what_a_key_made(
    mock_provider: Any, provider: str, name: str, sample: Mapping[str, Any]
) -> None:
    with client_of(mock_provider, provider) as client, pytest.raises(openai.NotFoundError):
        FIRST[sample["as"]](client, name, sample)


@pytest.mark.parametrize("provider", sorted({provider for provider, _, _ in samples()}))
def test_what_no_list_names_is_not_there(mock_provider: Any, provider: str) -> None:
    with client_of(mock_provider, provider) as client, pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_1234")


@pytest.mark.mock_provider(openai_profile="openai")
class TestOneKey:
    def test_a_response_and_a_conversation_can_be_gone_on_from(self, mock_provider: Any) -> None:
        with mock_provider.openai_client() as client:
            made = client.responses.create(model=MODEL, input="And then?", previous_response_id="resp_123")
            context = client.responses.input_items.list(made.id, order="asc").data
            assert [each.role for each in context] == ["user", "assistant", "user"]
            talked = client.responses.create(model=MODEL, input="And you?", conversation="conv_123")
            assert talked.conversation is not None and talked.conversation.id == "conv_123"
            assert "msg_abc" in [each.id for each in client.responses.input_items.list(talked.id)]

    def test_what_is_changed_stays_changed_until_it_is_deleted(self, mock_provider: Any) -> None:
        with mock_provider.openai_client() as client:
            client.conversations.update("conv_123", metadata={"topic": "tea"})
            client.conversations.items.delete("msg_abc", conversation_id="conv_123")
            assert client.conversations.retrieve("conv_123").metadata == {"topic": "tea"}
            client.conversations.delete("conv_123")
            assert client.conversations.retrieve("conv_123").metadata == {"topic": "demo"}

    def test_another_key_has_its_own(self, mock_provider: Any) -> None:
        stranger = mock_provider.openai_client(api_key="sk-proj-of-another-account")
        with mock_provider.openai_client() as client, stranger:
            client.conversations.update("conv_123", metadata={"topic": "tea"})
            assert stranger.conversations.retrieve("conv_123").metadata == {"topic": "demo"}

    def test_nothing_is_listed_that_nobody_asked_for(self, mock_provider: Any) -> None:
        with mock_provider.openai_client() as client:
            assert list(client.chat.completions.list()) == []
            client.chat.completions.retrieve("completion_id")
            assert [each.id for each in client.chat.completions.list()] == ["completion_id"]

    def test_readers_and_deleters_at_once_all_find_it(self, mock_provider: Any) -> None:
        with mock_provider.openai_client(max_retries=0) as client, ThreadPoolExecutor(4) as pool:
            asked = [client.responses.retrieve, client.responses.delete] * 20
            for done in [pool.submit(each, "resp_123") for each in asked]:
                done.result()

    def test_what_made_it_is_no_request_and_takes_no_scripted_answer(self, mock_provider: Any) -> None:
        mock_provider.reply("This is for the next answer.")
        with mock_provider.openai_client() as client:
            asked = client.responses.create(**QUESTION, previous_response_id="resp_123")
            assert asked.output_text == "This is for the next answer."
            assert "unicorn" in client.responses.retrieve("resp_123").output_text
        assert [each.contract for each in mock_provider.journal] == [
            "openai/responses",
            "openai/responses-retrieve",
        ]

    @pytest.mark.mock_provider(openai_profile="openai", requests_per_minute=1)
    def test_it_costs_no_request(self, mock_provider: Any) -> None:
        with mock_provider.openai_client(max_retries=0) as client:
            client.responses.retrieve("resp_123")
            assert client.responses.create(**QUESTION).status == "completed"


@pytest.mark.mock_provider(openai_profile="openai")
class TestKept:
    def test_a_test_begins_with_a_response_of_its_own(self, mock_provider: Any) -> None:
        mock_provider.keep("response", "resp_of_ada", QUESTION, says="Tea, Ada.")
        with mock_provider.openai_client(max_retries=0) as client:
            found = client.responses.retrieve("resp_of_ada")
            assert (found.id, found.output_text) == ("resp_of_ada", "Tea, Ada.")
            lists_input(client, "resp_of_ada", {"asked": QUESTION})
            client.responses.delete("resp_of_ada")
            for gone in (client.responses.retrieve, client.responses.delete):
                with pytest.raises(openai.NotFoundError):
                    gone("resp_of_ada")

    def test_each_key_has_its_own_copy(self, mock_provider: Any) -> None:
        mock_provider.keep("response", "resp_of_ada", QUESTION)
        stranger = mock_provider.openai_client(api_key="sk-proj-of-another-account", max_retries=0)
        with mock_provider.openai_client() as client, stranger:
            client.responses.delete("resp_of_ada")
            assert stranger.responses.retrieve("resp_of_ada").id == "resp_of_ada"

    def test_one_of_the_background_is_on_its_way_and_can_be_cancelled(self, mock_provider: Any) -> None:
        mock_provider.keep("response", "resp_begun", {**QUESTION, "background": True})
        with mock_provider.openai_client() as client:
            assert client.responses.retrieve("resp_begun").status == "in_progress"
            assert client.responses.cancel("resp_begun").status == "cancelled"
            assert client.responses.retrieve("resp_begun").status == "cancelled"

    def test_a_conversation_and_a_stored_chat(self, mock_provider: Any) -> None:
        ada = {"type": "message", "id": "msg_ada", "role": "user", "content": "My name is Ada."}
        mock_provider.keep("conversation", "conv_of_ada", {"items": [ada]})
        chat = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
        mock_provider.keep("completion", "chatcmpl-of-ada", chat, says="Hello, Ada.")
        with mock_provider.openai_client(max_retries=0) as client:
            said = client.responses.create(model=MODEL, input="What is my name?", conversation="conv_of_ada")
            assert "Ada" in said.output_text
            client.conversations.items.delete("msg_ada", conversation_id="conv_of_ada")
            with pytest.raises(openai.NotFoundError):
                client.conversations.items.retrieve("msg_ada", conversation_id="conv_of_ada")
            found = client.chat.completions.retrieve("chatcmpl-of-ada")
            assert found.choices[0].message.content == "Hello, Ada."

    @pytest.mark.mock_provider(openai_profile="openai", auth="strict")
    def test_it_is_there_where_keys_are_checked_too(self, mock_provider: Any) -> None:
        mock_provider.keep("response", "resp_of_ada", QUESTION)
        with mock_provider.openai_client(max_retries=0) as client:
            assert client.responses.retrieve("resp_of_ada").id == "resp_of_ada"

    def test_one_that_cannot_be_made_says_why(self, mock_provider: Any) -> None:
        mock_provider.keep("response", "resp_odd", {**QUESTION, "model": "no-such-model-1"})
        with mock_provider.openai_client() as client, pytest.raises(openai.APIStatusError) as caught:
            client.responses.retrieve("resp_odd")
        assert caught.value.status_code == 501
        assert "'resp_odd' cannot be made at openai" in caught.value.message
        assert "unknown-model" in caught.value.message

    def test_another_kind_is_refused(self, mock_provider: Any) -> None:
        with pytest.raises(ValueError, match="one of response, conversation, completion, got 'file'"):
            mock_provider.keep("file", "file_123", {})


@pytest.mark.mock_provider(openai_profile="openai")
def test_a_prompt_brings_its_model_along(mock_provider: Any) -> None:
    with mock_provider.openai_client() as client:
        assert client.responses.create(prompt={"id": "pmpt_123"}, input="Hello").model == MODEL
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(input="Hello")
        assert caught.value.code == "missing_required_parameter"


def test_the_example_of_the_page_passes(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mock.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test: keep -->\n```python\n(.*?)```", page, re.DOTALL)
    assert block, "expected a python block after <!-- test: keep --> in docs/mock.md"
    pytester.makepyfile(block[1])
    pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider", "-p", "no:randomly").assert_outcomes(
        passed=1
    )
