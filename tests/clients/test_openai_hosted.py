"""The OpenAI SDK for Python as a reader of tools that are no functions, with its validation switched on.

Those that the application runs (a computer, shells, patches, a search for tools) go a whole round: the call is an item,
the application's answer is another, and the words come after it. Plain and as a stream, which `responses.stream` reads.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from conformance.probes.picture import draw

MODEL = "gpt-5.4"
PREVIEW: Any = {
    "type": "computer_use_preview",
    "display_width": 800,
    "display_height": 600,
    "environment": "browser",
}
COMPUTER: Any = {"type": "computer"}
SHELL: Any = {"type": "shell", "environment": {"type": "local"}}
LOCAL: Any = {"type": "local_shell"}
PATCH: Any = {"type": "apply_patch"}
RATE: Any = {
    "type": "function",
    "name": "get_exchange_rate",
    "description": "Look up the current exchange rate between two currencies.",
    "parameters": {
        "type": "object",
        "properties": {"from_currency": {"type": "string"}, "to_currency": {"type": "string"}},
        "required": ["from_currency", "to_currency"],
        "additionalProperties": False,
    },
    "strict": True,
}
HIDDEN: Any = {**RATE, "defer_loading": True}
WEATHER: Any = {
    **RATE,
    "name": "get_weather",
    "description": "Current weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
EXCHANGE = "What is the current exchange rate from USD to EUR?"
SCREEN = "data:image/png;base64," + base64.b64encode(draw("K7Q2")).decode()


@pytest.fixture
def client(strict_openai: Any) -> Iterator[OpenAI]:
    """A strict client of OpenAI at the mock, that tries once."""
    with strict_openai("openai") as made:
        yield made


def both(client: OpenAI, **asked: Any) -> list[Response]:
    """The answer, plain and read from its stream."""
    with client.responses.stream(**{"model": MODEL, **asked}) as events:
        streamed = events.get_final_response()
    return [client.responses.create(**{"model": MODEL, **asked}), streamed]


def events(client: OpenAI, **asked: Any) -> list[Any]:
    return list(client.responses.create(**{"model": MODEL, "stream": True, **asked}))


def kinds(answer: Response) -> list[str]:
    return [item.type for item in answer.output]


def user(words: str) -> dict[str, str]:
    return {"role": "user", "content": words}


def after(prompt: str, answer: Response, *outputs: Any) -> Any:
    """The input that answers the calls of an answer."""
    return [user(prompt), *items(answer), *outputs]


def items(answer: Response) -> list[dict[str, Any]]:
    """The items of an answer without what the SDK's accumulator adds."""
    said = [item.to_dict() for item in answer.output]
    return [{name: value for name, value in item.items() if name != "parsed_arguments"} for item in said]


def refused(client: OpenAI, **asked: Any) -> openai.BadRequestError:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": MODEL, **asked})
    return caught.value


class TestShell:
    PROMPT = "Run `ls -l` in the shell and tell me what is there."

    def test_commands_are_asked_for_and_their_output_is_told(self, client: OpenAI) -> None:
        for answer in both(client, input=self.PROMPT, tools=[SHELL]):
            call = next(item for item in answer.output if item.type == "shell_call")
            assert (call.action.commands, call.status, call.id[:3]) == (["ls -l"], "completed", "sh_")
            assert call.environment.type == "local"
            done = {"stdout": "notes.txt\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
            back = {"type": "shell_call_output", "call_id": call.call_id, "output": [done]}
            for final in both(client, input=after(self.PROMPT, answer, back), tools=[SHELL]):
                assert kinds(final)[-1] == "message"
                assert "notes.txt" in final.output_text

    def test_a_command_that_fails_is_told_as_failed(self, client: OpenAI) -> None:
        answer = client.responses.create(model=MODEL, input=self.PROMPT, tools=[SHELL])
        call = answer.output[-1]
        for outcome in ({"type": "exit", "exit_code": 2}, {"type": "timeout"}):
            done = {"stdout": "", "stderr": "no such thing", "outcome": outcome}
            back = {"type": "shell_call_output", "call_id": call.call_id, "output": [done]}
            final = client.responses.create(
                model=MODEL, input=after(self.PROMPT, answer, back), tools=[SHELL]
            )
            assert "failed" in final.output_text
            assert "no such thing" in final.output_text

    def test_the_conversation_goes_on_from_what_is_kept(self, client: OpenAI) -> None:
        answer = client.responses.create(model=MODEL, input=self.PROMPT, tools=[SHELL])
        done = {"stdout": "notes.txt\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
        back: Any = {"type": "shell_call_output", "call_id": answer.output[-1].call_id, "output": [done]}
        final = client.responses.create(
            model=MODEL, input=[back], tools=[SHELL], previous_response_id=answer.id
        )
        assert "notes.txt" in final.output_text

    def test_a_command_comes_piece_by_piece(self, client: OpenAI) -> None:
        told = events(client, input=self.PROMPT, tools=[SHELL])
        begun = next(
            each.item
            for each in told
            if each.type == "response.output_item.added" and each.item.type == "shell_call"
        )
        assert (begun.status, begun.action.commands) == ("in_progress", [])
        pieces = [each for each in told if each.type == "response.shell_call_command.delta"]
        assert "".join(each.delta for each in pieces) == "ls -l"
        [ended] = [each for each in told if each.type == "response.shell_call_command.done"]
        assert (ended.command, ended.command_index) == ("ls -l", 0)

    def test_one_that_the_provider_runs_is_answered_at_once(self, client: OpenAI) -> None:
        tool = {"type": "shell", "environment": {"type": "container_auto"}}
        for answer in both(client, input=self.PROMPT, tools=[tool]):
            call, output, message = (item for item in answer.output if item.type != "reasoning")
            assert (call.type, output.type, message.type) == ("shell_call", "shell_call_output", "message")
            assert call.call_id == output.call_id
            assert call.environment.type == "container_reference"
            assert output.output[0].outcome.exit_code == 0
        told = [each.type for each in events(client, input=self.PROMPT, tools=[tool])]
        assert "response.shell_call_output_content.delta" in told
        assert told.index("response.shell_call_output_content.done") > told.index(
            "response.shell_call_command.done"
        )

    def test_what_was_run_by_the_provider_needs_no_answer(self, client: OpenAI) -> None:
        tool = {"type": "shell", "environment": {"type": "container_auto"}}
        answer = client.responses.create(model=MODEL, input=self.PROMPT, tools=[tool])
        back = [*after(self.PROMPT, answer), user("Reply with exactly: amber kettle 42")]
        assert client.responses.create(model=MODEL, input=back, tools=[tool]).output_text == "amber kettle 42"

    @pytest.mark.parametrize("choice", [{"type": "shell"}, "required"], ids=["by its type", "required"])
    def test_it_is_used_when_it_has_to_be(self, client: OpenAI, choice: Any) -> None:
        for answer in both(client, input="Hello", tools=[SHELL], tool_choice=choice):
            assert kinds(answer)[-1] == "shell_call"

    @pytest.mark.parametrize(
        "asked", [{"input": "Hello"}, {"input": PROMPT, "tool_choice": "none"}], ids=["unwanted", "forbidden"]
    )
    def test_it_is_left_alone(self, client: OpenAI, asked: Any) -> None:
        for answer in both(client, tools=[SHELL], **asked):
            assert kinds(answer)[-1] == "message"


class TestLocalShell:
    PROMPT = "Run the command: git status"

    # The SDK types the call in `id`; the AI SDK and the guide's own sample send it as `call_id`.
    @pytest.mark.parametrize("member", ["call_id", "id", "item"])
    def test_a_command_goes_a_whole_round(self, client: OpenAI, member: str) -> None:
        for answer in both(client, input=self.PROMPT, tools=[LOCAL]):
            call = answer.output[-1]
            assert (call.type, call.status, call.action.type) == ("local_shell_call", "completed", "exec")
            assert call.action.command[-1] == "git status"
            named = {"id": call.id} if member == "item" else {member: call.call_id}
            back = {"type": "local_shell_call_output", "output": "nothing to commit", **named}
            for final in both(client, input=after(self.PROMPT, answer, back), tools=[LOCAL]):
                assert "nothing to commit" in final.output_text


class TestPatches:
    @pytest.mark.parametrize(
        ("prompt", "operation"),
        [
            (
                'Create a file lib/hello.py with the content "print(1)"',
                {"type": "create_file", "path": "lib/hello.py", "diff": "+print(1)\n"},
            ),
            (
                'Update lib/hello.py: replace "print(1)" with "print(2)" in the file.',
                {"type": "update_file", "path": "lib/hello.py", "diff": "@@\n-print(1)\n+print(2)\n"},
            ),
            ("Delete the file old.txt, please.", {"type": "delete_file", "path": "old.txt"}),
        ],
        ids=["create", "update", "delete"],
    )
    def test_a_file_is_patched_as_the_prompt_says(
        self, client: OpenAI, prompt: str, operation: dict[str, str]
    ) -> None:
        for answer in both(client, input=prompt, tools=[PATCH]):
            call = answer.output[-1]
            assert (call.type, call.status, call.id[:4]) == ("apply_patch_call", "completed", "apc_")
            assert call.operation.to_dict() == operation
            back = {
                "type": "apply_patch_call_output",
                "call_id": call.call_id,
                "status": "completed",
                "output": "It is done.",
            }
            for final in both(client, input=after(prompt, answer, back), tools=[PATCH]):
                assert "It is done." in final.output_text

    def test_a_patch_that_failed_is_told_as_failed(self, client: OpenAI) -> None:
        prompt = "Delete the file old.txt"
        answer = client.responses.create(model=MODEL, input=prompt, tools=[PATCH])
        back = {
            "type": "apply_patch_call_output",
            "call_id": answer.output[-1].call_id,
            "status": "failed",
            "output": "There is no such file.",
        }
        final = client.responses.create(model=MODEL, input=after(prompt, answer, back), tools=[PATCH])
        assert "failed: There is no such file." in final.output_text

    def test_the_diff_comes_with_the_finished_item(self, client: OpenAI) -> None:
        told = events(client, input='Create a file a.py with "print(1)"', tools=[PATCH])
        items = [each.item for each in told if each.type.startswith("response.output_item.")]
        assert [(item.status, item.operation.diff) for item in items[-2:]] == [
            ("in_progress", ""),
            ("completed", "+print(1)\n"),
        ]


class TestComputer:
    PROMPT = 'In the browser, click at (120, 80), type "penguins" and press ENTER. Which code is shown?'

    def test_a_computer_is_worked_step_by_step(self, client: OpenAI) -> None:
        """The older tool: an action for each call, and a picture after each."""
        context: list[Any] = [user(self.PROMPT)]
        done = []
        for _ in range(3):
            answer = client.responses.create(model=MODEL, input=context, tools=[PREVIEW], truncation="auto")
            call = answer.output[-1]
            assert (call.type, call.status, call.pending_safety_checks) == ("computer_call", "completed", [])
            done.append(call.action.to_dict())
            shot = {"type": "computer_screenshot", "image_url": SCREEN}
            back = {"type": "computer_call_output", "call_id": call.call_id, "output": shot}
            context += [*(item.to_dict() for item in answer.output), back]
        assert done == [
            {"type": "click", "button": "left", "x": 120, "y": 80},
            {"type": "type", "text": "penguins"},
            {"type": "keypress", "keys": ["ENTER"]},
        ]
        for final in both(client, input=context, tools=[PREVIEW], truncation="auto"):
            assert "K7Q2" in final.output_text

    def test_the_newer_tool_is_told_all_actions_at_once(self, client: OpenAI) -> None:
        for answer in both(client, input=self.PROMPT, tools=[COMPUTER]):
            call = answer.output[-1]
            assert [action.type for action in call.actions] == ["click", "type", "keypress"]
            shot = {"type": "computer_screenshot", "image_url": SCREEN}
            back = {"type": "computer_call_output", "call_id": call.call_id, "output": shot}
            for final in both(client, input=after(self.PROMPT, answer, back), tools=[COMPUTER]):
                assert "K7Q2" in final.output_text

    def test_actions_stay_on_the_screen(self, client: OpenAI) -> None:
        for prompt, place in (("Click at (5000, 4000)", (799, 599)), ("Click the button", (400, 300))):
            answer = client.responses.create(model=MODEL, input=prompt, tools=[PREVIEW])
            action = answer.output[-1].action
            assert (action.x, action.y) == place

    def test_a_computer_is_first_looked_at(self, client: OpenAI) -> None:
        for choice in ("computer", "computer_use"):
            for answer in both(client, input="Hello", tools=[COMPUTER], tool_choice={"type": choice}):
                assert [action.type for action in answer.output[-1].actions] == ["screenshot"]

    def test_safety_checks_have_to_be_acknowledged(self, client: OpenAI) -> None:
        prompt = "Take a screenshot of my bank's page in the browser."
        for answer in both(client, input=prompt, tools=[PREVIEW]):
            call = answer.output[-1]
            [check] = call.pending_safety_checks
            assert (check.code, check.id[:6]) == ("sensitive_domain", "cu_sc_")
            shot = {"type": "computer_screenshot", "image_url": SCREEN}
            back = {"type": "computer_call_output", "call_id": call.call_id, "output": shot}
            error = refused(client, input=after(prompt, answer, back), tools=[PREVIEW])
            assert "acknowledged" in error.message
            seen = {**back, "acknowledged_safety_checks": [check.to_dict()]}
            for final in both(client, input=after(prompt, answer, seen), tools=[PREVIEW]):
                assert final.output_text
            kept: Any = {"input": [back], "tools": [PREVIEW], "previous_response_id": answer.id}
            if answer.store is not False:
                assert "acknowledged" in refused(client, **kept).message
                assert client.responses.create(model=MODEL, **{**kept, "input": [seen]}).output_text


class TestPairs:
    OUTPUTS: Sequence[Any] = (
        {"type": "shell_call_output", "output": []},
        {"type": "local_shell_call_output", "id": "call_nobody", "output": "."},
        {"type": "apply_patch_call_output", "status": "completed"},
        {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": SCREEN}},
        {"type": "tool_search_output", "execution": "client", "tools": []},
    )

    @pytest.mark.parametrize("output", OUTPUTS, ids=lambda each: str(each["type"]))
    def test_an_output_of_a_call_that_there_is_not_is_refused(self, client: OpenAI, output: Any) -> None:
        named = output if "id" in output else {**output, "call_id": "call_nobody"}
        error = refused(client, input=[user("Hello"), named], tools=[SHELL])
        assert "call_nobody" in error.message
        assert output["type"].removesuffix("_output").removesuffix("_call").replace("_", " ") in error.message

    def test_an_output_of_another_kind_does_not_answer_a_call(self, client: OpenAI) -> None:
        answer = client.responses.create(model=MODEL, input=TestShell.PROMPT, tools=[SHELL])
        back = {"type": "function_call_output", "call_id": answer.output[-1].call_id, "output": "notes.txt"}
        refused(client, input=after(TestShell.PROMPT, answer, back), tools=[SHELL])

    def test_a_call_without_its_output_is_refused(self, client: OpenAI) -> None:
        answer = client.responses.create(model=MODEL, input=TestShell.PROMPT, tools=[SHELL])
        error = refused(client, input=after(TestShell.PROMPT, answer, user("Well?")), tools=[SHELL])
        assert f"shell call {answer.output[-1].call_id}" in error.message


class TestToolSearch:
    def test_the_provider_finds_a_tool_before_it_is_called(self, client: OpenAI) -> None:
        tools = [{"type": "tool_search"}, WEATHER, HIDDEN]
        for answer in both(client, input=EXCHANGE, tools=tools):
            search, found, call = (item for item in answer.output if item.type != "reasoning")
            assert (search.type, search.execution, search.call_id) == ("tool_search_call", "server", None)
            assert search.arguments == {"paths": ["get_exchange_rate"]}
            assert [tool.name for tool in found.tools] == ["get_exchange_rate"]
            assert (call.name, call.namespace) == ("get_exchange_rate", "get_exchange_rate")
            assert json.loads(call.arguments) == {"from_currency": "USD", "to_currency": "EUR"}
            back = {"type": "function_call_output", "call_id": call.call_id, "output": "1 USD is 0.92 EUR"}
            for final in both(client, input=after(EXCHANGE, answer, back), tools=tools):
                assert "0.92" in final.output_text
                assert final.tools[-1].type == "namespace"

    def test_a_tool_that_is_seen_is_not_searched_for(self, client: OpenAI) -> None:
        tools = [{"type": "tool_search"}, WEATHER, HIDDEN]
        for answer in both(client, input="What is the weather in Paris?", tools=tools):
            assert kinds(answer)[-1] == "function_call"
            assert "tool_search_call" not in kinds(answer)
            assert answer.output[-1].namespace is None

    def test_a_namespace_is_found_whole(self, client: OpenAI) -> None:
        space = {"type": "namespace", "name": "bank", "description": "Money.", "tools": [HIDDEN]}
        for answer in both(client, input=EXCHANGE, tools=[{"type": "tool_search"}, space]):
            search, found, call = (item for item in answer.output if item.type != "reasoning")
            assert search.arguments == {"paths": ["bank"]}
            assert [tool.type for tool in found.tools] == ["namespace"]
            assert (call.name, call.namespace) == ("get_exchange_rate", "bank")

    def test_a_namespace_that_is_seen_names_its_calls(self, client: OpenAI) -> None:
        space = {"type": "namespace", "name": "bank", "description": "Money.", "tools": [RATE]}
        for answer in both(client, input=EXCHANGE, tools=[space]):
            call = answer.output[-1]
            assert (call.type, call.name, call.namespace) == ("function_call", "get_exchange_rate", "bank")
            back = {"type": "function_call_output", "call_id": call.call_id, "output": "0.92"}
            for final in both(client, input=after(EXCHANGE, answer, back), tools=[space]):
                assert "0.92" in final.output_text

    def test_the_application_searches_where_it_said_so(self, client: OpenAI) -> None:
        schema = {
            "type": "object",
            "properties": {"queries": {"type": "array", "items": {"type": "string"}}},
            "required": ["queries"],
            "additionalProperties": False,
        }
        search: Any = {
            "type": "tool_search",
            "execution": "client",
            "description": "Finds tools.",
            "parameters": schema,
        }
        tools = [search, WEATHER, HIDDEN]
        for answer in both(client, input=EXCHANGE, tools=tools):
            call = answer.output[-1]
            assert (call.type, call.execution, call.status) == ("tool_search_call", "client", "completed")
            assert call.arguments["queries"]
            found = {
                "type": "tool_search_output",
                "execution": "client",
                "call_id": call.call_id,
                "status": "completed",
                "tools": [HIDDEN],
            }
            context = after(EXCHANGE, answer, found)
            for second in both(client, input=context, tools=tools):
                called = second.output[-1]
                assert (called.name, called.namespace) == ("get_exchange_rate", "get_exchange_rate")
                assert [tool.type for tool in second.tools] == ["function", "tool_search", "namespace"]
            none = {**found, "tools": []}
            for second in both(client, input=after(EXCHANGE, answer, none), tools=tools):
                assert kinds(second)[-1] == "message"

    def test_a_tool_that_nobody_listed_is_called_once_it_was_found(self, client: OpenAI) -> None:
        search: Any = {"type": "tool_search", "execution": "client"}
        prompt = f"Search for tools that help, and then tell me. {EXCHANGE}"
        answer = client.responses.create(model=MODEL, input=prompt, tools=[search])
        call = answer.output[-1]
        assert call.type == "tool_search_call"
        found = {
            "type": "tool_search_output",
            "execution": "client",
            "call_id": call.call_id,
            "tools": [HIDDEN],
        }
        second = client.responses.create(model=MODEL, input=after(prompt, answer, found), tools=[search])
        assert second.output[-1].name == "get_exchange_rate"


class TestNarration:
    def test_who_wants_to_be_told_before_a_call_is_told(self, client: OpenAI) -> None:
        asked: Any = {"input": "What is the weather in Paris?", "tools": [WEATHER]}
        narrate = "Briefly narrate what you are about to do before calling each tool."
        for answer in both(client, **asked, instructions=narrate):
            words, call = (item for item in answer.output if item.type != "reasoning")
            assert (words.type, words.phase, call.type) == ("message", "commentary", "function_call")
            assert "get_weather" in words.content[0].text
        for answer in both(client, **asked):
            assert "message" not in kinds(answer)


class TestFileSearch:
    def test_an_answer_names_the_files_that_it_follows(self, client: OpenAI) -> None:
        asked: Any = {
            "input": "What do my files say about penguins?",
            "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}],
            "include": ["file_search_call.results"],
        }
        for answer in both(client, **asked):
            search, message = (item for item in answer.output if item.type != "reasoning")
            [cited] = message.content[0].annotations
            assert cited.type == "file_citation"
            assert (cited.file_id, cited.filename) == (search.results[0].file_id, search.results[0].filename)
            assert cited.index == len(message.content[0].text)
        [told] = [
            each for each in events(client, **asked) if each.type == "response.output_text.annotation.added"
        ]
        assert (told.annotation.type, told.annotation_index) == ("file_citation", 0)


class TestSockets:
    """The members that only requests on a WebSocket have."""

    def test_a_lane_is_named_by_all_that_it_brings(self, client: OpenAI) -> None:
        with client.responses.connect() as connection:

            def ask(**said: Any) -> list[Any]:
                connection.response.create(model=MODEL, store=False, **said)
                found = []
                for event in connection:
                    found.append(event)
                    if event.type in ("response.completed", "error"):
                        break
                return found

            told = ask(input="The code word is PELICAN7. Remember it.", stream_id="first")
            assert {event.stream_id for event in told} == {"first"}
            assert ask(input="Reply with exactly: amber kettle 42")[-1].to_dict().get("stream_id") is None
            # Another lane goes on from what the first one said, although another answer came since.
            question: dict[str, Any] = {
                "input": "What is the code word? Answer with the code word only.",
                "previous_response_id": told[-1].response.id,
            }
            forked = ask(**question, stream_id="second")
            assert (forked[-1].response.output_text, forked[-1].stream_id) == ("PELICAN7", "second")
            assert ask(**question, stream_id="first")[-1].response.output_text == "PELICAN7"
            gone = ask(input="Hello", previous_response_id="resp_of_nobody", stream_id="first")
            assert [(event.type, event.stream_id) for event in gone] == [("error", "first")]

    def test_what_is_only_made_ready_says_nothing_and_can_be_continued(self, client: OpenAI) -> None:
        with client.responses.connect() as connection:
            connection.response.create(
                model=MODEL,
                input="The code word is PELICAN7. Remember it.",
                tools=[{"type": "web_search"}],
                generate=False,
                store=False,
            )
            events = []
            for event in connection:
                events.append(event.type)
                if event.type == "response.completed":
                    break
            assert events == ["response.created", "response.in_progress", "response.completed"]
            assert event.response.output == []
            assert (event.response.usage.output_tokens, event.response.usage.input_tokens > 5) == (0, True)
            connection.response.create(
                model=MODEL,
                input="What is the code word? Answer with the code word only.",
                previous_response_id=event.response.id,
                generate=True,
            )
            final = next(each for each in connection if each.type == "response.completed")
            assert final.response.output_text == "PELICAN7"

    def test_a_cache_is_warmed_without_an_answer(self, client: OpenAI) -> None:
        for answer in both(client, input="Hello", prompt_cache_options={"prewarm": True}):
            assert (answer.status, answer.output, answer.usage.output_tokens) == ("completed", [], 0)
