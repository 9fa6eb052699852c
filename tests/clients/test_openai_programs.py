"""Programs of the model that call tools (programmatic tool calling), read by the OpenAI SDK for Python and openai-node.

The SDK's validation is switched on. A program is an item, the calls that it makes name it as their caller, and its output
is an item again when all of them are answered. Plain and as a stream, which the SDKs' own accumulators read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

MODEL = "gpt-5.4"
PROGRAMS: Any = {"type": "programmatic_tool_calling"}
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
    "allowed_callers": ["programmatic"],
}
EITHER = {**WEATHER, "allowed_callers": ["direct", "programmatic"]}
PROMPT = "What is the weather in Paris and in Rome?"
ONE = "What is the weather in Paris?"


@pytest.fixture
def client(strict_openai: Any) -> Iterator[OpenAI]:
    with strict_openai("openai") as made:
        yield made


def both(client: OpenAI, **asked: Any) -> list[Response]:
    """The answer, plain and read from its stream."""
    with client.responses.stream(**{"model": MODEL, **asked}) as events:
        streamed = events.get_final_response()
    return [client.responses.create(**{"model": MODEL, **asked}), streamed]


def kinds(answer: Response) -> list[str]:
    return [item.type for item in answer.output if item.type != "reasoning"]


def items(answer: Response) -> list[dict[str, Any]]:
    """The items of an answer without what the SDK's accumulator adds."""
    said = [item.to_dict() for item in answer.output]
    return [{name: value for name, value in item.items() if name != "parsed_arguments"} for item in said]


def outputs(answer: Response) -> list[Any]:
    """What an application answers to the calls, as they come."""
    calls = [item for item in answer.output if item.type == "function_call"]
    return [
        {
            "type": "function_call_output",
            "call_id": call.call_id,
            "output": f"{json.loads(call.arguments)['city']}: {20 + place} degrees",
            "caller": call.caller.to_dict() if call.caller else None,
        }
        for place, call in enumerate(calls)
    ]


def refused(client: OpenAI, **asked: Any) -> openai.BadRequestError:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": MODEL, **asked})
    return caught.value


class TestRound:
    def test_a_program_calls_tools_and_its_output_comes_with_the_answer(self, client: OpenAI) -> None:
        tools = [PROGRAMS, WEATHER]
        for answer in both(client, input=PROMPT, tools=tools):
            assert kinds(answer) == ["program", "function_call", "function_call"]
            program, *calls = (item for item in answer.output if item.type != "reasoning")
            assert [json.loads(call.arguments) for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
            assert {call.caller.caller_id for call in calls} == {program.call_id}
            assert {call.caller.type for call in calls} == {"program"}
            assert 'tools.get_weather({"city": "Paris"})' in program.code
            assert program.call_id not in {call.call_id for call in calls}
            back: Any = [{"role": "user", "content": PROMPT}, *items(answer), *outputs(answer)]
            for final in both(client, input=back, tools=tools, store=False):
                assert kinds(final) == ["program_output", "message"]
                told = final.output[-2]
                assert (told.call_id, told.status) == (program.call_id, "completed")
                assert told.result == "Paris: 20 degrees\nRome: 21 degrees"
                assert "21 degrees" in final.output_text

    def test_a_program_goes_on_from_what_is_kept(self, client: OpenAI) -> None:
        asked: Any = {"model": MODEL, "tools": [PROGRAMS, WEATHER]}
        answer = client.responses.create(**asked, input=PROMPT)
        final = client.responses.create(**asked, input=outputs(answer), previous_response_id=answer.id)
        assert kinds(final) == ["program_output", "message"]
        after = client.responses.create(**asked, input="Hello", previous_response_id=final.id)
        assert kinds(after) == ["message"]

    def test_a_program_whose_calls_may_not_be_parallel_makes_one_after_the_other(
        self, client: OpenAI
    ) -> None:
        asked: Any = {"model": MODEL, "tools": [PROGRAMS, WEATHER], "parallel_tool_calls": False}
        answer = client.responses.create(**asked, input=PROMPT)
        program = answer.output[-2]
        second = client.responses.create(**asked, input=outputs(answer), previous_response_id=answer.id)
        assert (kinds(answer), kinds(second)) == (["program", "function_call"], ["function_call"])
        assert second.output[-1].caller.caller_id == program.call_id
        last = client.responses.create(**asked, input=outputs(second), previous_response_id=second.id)
        assert kinds(last) == ["program_output", "message"]
        assert last.output[0].call_id == program.call_id

    def test_a_stream_has_the_items_and_no_events_of_its_own(self, client: OpenAI) -> None:
        told = list(client.responses.create(model=MODEL, input=ONE, tools=[PROGRAMS, WEATHER], stream=True))
        [begun, ended] = [
            each
            for each in told
            if each.type.startswith("response.output_item.") and each.item.type == "program"
        ]
        assert (begun.item.code, begun.item.call_id) == ("", ended.item.call_id)
        assert told.index(ended) == told.index(begun) + 1
        assert ended.item.code == 'text(await tools.get_weather({"city": "Paris"}));'


class TestCallers:
    def test_of_two_calls_a_program_makes_both_and_one_is_made_by_the_model(self, client: OpenAI) -> None:
        for prompt, program in ((PROMPT, True), (ONE, False), (f"{ONE} Write a program for it.", True)):
            for answer in both(client, input=prompt, tools=[PROGRAMS, EITHER]):
                calls = [item for item in answer.output if item.type == "function_call"]
                assert ("program" in kinds(answer)) is program
                assert all((call.caller is not None) is program for call in calls)

    @pytest.mark.parametrize("callers", [["direct"], None], ids=["direct", "unsaid"])
    def test_what_the_model_has_to_call_itself_no_program_calls(self, client: OpenAI, callers: Any) -> None:
        tool = {**WEATHER, "allowed_callers": callers}
        for answer in both(client, input=PROMPT, tools=[PROGRAMS, tool]):
            assert kinds(answer) == ["function_call", "function_call"]

    def test_what_only_programs_may_call_is_not_called_without_them(self, client: OpenAI) -> None:
        for answer in both(client, input=PROMPT, tools=[WEATHER]):
            assert kinds(answer) == ["message"]
        named = {"type": "function", "name": "get_weather"}
        assert refused(client, input=PROMPT, tools=[WEATHER], tool_choice=named).status_code == 400

    def test_a_named_tool_of_programs_is_called_by_one(self, client: OpenAI) -> None:
        named = {"type": "function", "name": "get_weather"}
        for answer in both(client, input=ONE, tools=[PROGRAMS, WEATHER], tool_choice=named):
            assert kinds(answer) == ["program", "function_call"]

    def test_a_custom_tool_and_a_shell_name_their_program(self, client: OpenAI) -> None:
        only = {"allowed_callers": ["programmatic"]}
        shell = {"type": "shell", "environment": {"type": "local"}, **only}
        note = {"type": "custom", "name": "take_note", "description": "Takes a note of what is said.", **only}
        for prompt, tool, kind in (
            ("Run `ls -l` in the shell.", shell, "shell_call"),
            ('Take a note of "pelicans".', note, "custom_tool_call"),
        ):
            for answer in both(client, input=prompt, tools=[PROGRAMS, tool]):
                program, call = (item for item in answer.output if item.type != "reasoning")
                assert (call.type, call.caller.caller_id) == (kind, program.call_id)

    def test_what_the_provider_runs_is_done_within_the_program(self, client: OpenAI) -> None:
        shell = {
            "type": "shell",
            "environment": {"type": "container_auto"},
            "allowed_callers": ["programmatic"],
        }
        for answer in both(client, input="Run `ls` in the shell.", tools=[PROGRAMS, shell]):
            assert kinds(answer) == [
                "program",
                "shell_call",
                "shell_call_output",
                "program_output",
                "message",
            ]
            program, call, output = [item for item in answer.output if item.type != "reasoning"][:3]
            assert call.caller.caller_id == output.caller.caller_id == program.call_id
        for answer in both(client, input="Run `ls` in the shell.", tools=[shell]):
            assert kinds(answer) == ["message"]


class TestChoice:
    @pytest.mark.parametrize(
        "choice",
        [PROGRAMS, "required", {"type": "function", "name": "get_weather"}],
        ids=["programs", "required", "named"],
    )
    def test_a_chosen_program_is_written_and_ends_though_the_choice_is_still_there(
        self, client: OpenAI, choice: Any
    ) -> None:
        asked: Any = {"tools": [PROGRAMS, WEATHER], "tool_choice": choice}
        for answer in both(client, **asked, input="Hello"):
            assert kinds(answer) == ["program", "function_call"]
            back: Any = [{"role": "user", "content": "Hello"}, *items(answer), *outputs(answer)]
            for final in both(client, **asked, input=back):
                assert kinds(final) == ["program_output", "message"]

    def test_a_chosen_program_without_tools_only_says_something(self, client: OpenAI) -> None:
        for answer in both(client, input="Reply with exactly: heron", tools=[PROGRAMS], tool_choice=PROGRAMS):
            assert kinds(answer) == ["program", "program_output", "message"]
            program, output = [item for item in answer.output if item.type != "reasoning"][:2]
            assert (output.call_id, output.result) == (program.call_id, "heron")

    def test_programs_are_left_alone_where_nobody_wants_them(self, client: OpenAI) -> None:
        for asked in ({"input": "Hello"}, {"input": PROMPT, "tool_choice": "none"}):
            for answer in both(client, tools=[PROGRAMS, WEATHER], **asked):
                assert kinds(answer) == ["message"]


class TestReplay:
    def test_a_program_that_was_altered_is_refused(self, client: OpenAI) -> None:
        asked: Any = {"tools": [PROGRAMS, WEATHER], "model": MODEL}
        answer = client.responses.create(**asked, input=ONE)
        altered = [
            {**item, "code": 'text("nothing");'} if item["type"] == "program" else item
            for item in items(answer)
        ]
        error = refused(client, **asked, input=[{"role": "user", "content": ONE}, *altered, *outputs(answer)])
        assert "fingerprint" in error.message

    def test_a_program_of_somebody_else_is_taken(self, client: OpenAI) -> None:
        program: Any = {
            "type": "program",
            "id": "prog_1",
            "call_id": "call_program",
            "code": "text(1);",
            "fingerprint": "from elsewhere",
        }
        call: Any = {
            "type": "function_call",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": '{"city": "Paris"}',
            "caller": {"type": "program", "caller_id": "call_program"},
        }
        output: Any = {"type": "function_call_output", "call_id": "call_1", "output": "21 degrees"}
        for final in both(client, input=[program, call, output], tools=[PROGRAMS, WEATHER]):
            assert kinds(final) == ["program_output", "message"]
        error = refused(client, input=[call, output], tools=[PROGRAMS, WEATHER])
        assert "call_program" in error.message


def test_openai_node_adds_up_the_items(node: Any, mock_provider: Any) -> None:
    told = node.run(
        "hosted_probe.mjs",
        "openai-node, program",
        OPENAI_BASE_URL=mock_provider.url("openai") + "/v1",
        OPENAI_API_KEY=mock_provider.environment["OPENAI_API_KEY"],
        PROBE_MODEL=MODEL,
        NO_PROXY="127.0.0.1",
    )["openai-node, program"]
    first, last = told["value"]
    program, *calls = (item for item in first if item["type"] != "reasoning")
    assert [call["caller"] for call in calls] == [{"type": "program", "caller_id": program["call_id"]}] * 2
    assert program["code"].startswith("const results = await Promise.all([")
    assert [item["type"] for item in last if item["type"] != "reasoning"] == ["program_output", "message"]
    assert last[-2]["result"] == "21 degrees\n21 degrees"
