"""The simulated model does what it is asked, keeps to what it is allowed, and never differs from itself."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conformance.probes.picture import draw
from conformance.values import (
    Finish,
    Media,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Reply,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
    Usage,
)
from mockserver.simulation.model import (
    Ability,
    BrokenSchema,
    UnknownTool,
    UnreadableMedia,
    count,
    count_text,
    reply,
)
from mockserver.simulation.tokens import count_call

ROOT = Path(__file__).resolve().parent.parent
SILENT, THINKING = Ability(), Ability(reasoning=True)


def message(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def user(*parts: Part | str) -> Message:
    return message("user", *parts)


def turn(*said: Message | str, **more: Any) -> Turn:
    """A conversation: strings are said by the user and the assistant in turns."""
    roles: tuple[Role, ...] = ("user", "assistant")
    return Turn(
        tuple(
            message(roles[place % 2], each) if isinstance(each, str) else each
            for place, each in enumerate(said)
        ),
        **more,
    )


def answer(asked: Turn, seed: int = 0, ability: Ability = SILENT) -> Reply:
    (one,) = reply(asked, seed, ability)
    return one


def called(asked: Turn, ability: Ability = SILENT) -> list[tuple[str, Any]]:
    one = answer(asked, ability=ability)
    assert (one.finish == "tool_calls") == bool(one.tool_calls)
    return [(call.name, call.arguments) for call in one.tool_calls]


def tool(name: str, description: str = "", required: list[str] | None = None, **members: Any) -> Tool:
    schema = {"type": "object", "properties": members}
    return Tool(name, description, {**schema, "required": list(members) if required is None else required})


STRING, INTEGER = {"type": "string"}, {"type": "integer"}
WEATHER = tool(
    "get_weather",
    "Get the current weather for a city.",
    ["city"],
    city=STRING,
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
)
TIME = tool("get_time", "Tells the current time in a place, for example in Tokyo.", place=STRING)
ADD = tool("add", "Add two integers.", a=INTEGER, b=INTEGER)
HISTORY = tool("get_weather_history", "Past weather of a city.", city=STRING)
CALCULATOR = tool("calculator", "Evaluates an expression.", expression=STRING)
MAGIC = tool("magic_function", "Applies a magic function to an input.", input=INTEGER)
FLIGHTS = tool(
    "search_flights",
    "Find flights",
    ["origin", "destination", "date"],
    origin=STRING,
    destination=STRING,
    date={"type": "string", "format": "date"},
    passengers={"type": "integer", "minimum": 1},
)
FINAL = tool("final_result", "The final response which ends this conversation", city=STRING, country=STRING)


# Tool calls


WANTED: list[tuple[str, tuple[Tool, ...], list[tuple[str, Any]]]] = [
    ("What is the weather in Paris?", (WEATHER,), [("get_weather", {"city": "Paris"})]),
    ("what's the weather in paris", (WEATHER,), [("get_weather", {"city": "paris"})]),
    (
        "Weather in New York, in fahrenheit",
        (WEATHER,),
        [("get_weather", {"city": "New York", "unit": "fahrenheit"})],
    ),
    ("What is the weather in Paris?", (TIME, WEATHER), [("get_weather", {"city": "Paris"})]),
    (
        "Get me the value of magic_function(3). Use the tool.",
        (WEATHER, MAGIC),
        [("magic_function", {"input": 3})],
    ),
    ("What is 3 plus 4?", (ADD,), [("add", {"a": 3, "b": 4})]),
    (
        "Find flights to Rome from Paris on 2026-05-03 for 2 passengers",
        (FLIGHTS,),
        [
            (
                "search_flights",
                {"origin": "Paris", "destination": "Rome", "date": "2026-05-03", "passengers": 2},
            )
        ],
    ),
    (
        "What is the weather in Paris and in Rome?",
        (WEATHER,),
        [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})],
    ),
    (
        "Compare the weather of both Paris, London and New York",
        (WEATHER,),
        [("get_weather", {"city": city}) for city in ("Paris", "London", "New York")],
    ),
    ("Add 2 and 3, and add 4 and 5", (ADD,), [("add", {"a": 2, "b": 3}), ("add", {"a": 4, "b": 5})]),
    (
        "What are the weather and the time in Paris?",
        (WEATHER, TIME),
        [("get_weather", {"city": "Paris"}), ("get_time", {"place": "Paris"})],
    ),
    ("What is the weather in Paris?", (WEATHER, HISTORY), [("get_weather", {"city": "Paris"})]),
    ("What is 3 plus 4?", (ADD, CALCULATOR), [("add", {"a": 3, "b": 4})]),
    ("Use get_time, not the weather, for Paris", (WEATHER, TIME), [("get_time", {"place": "Paris"})]),
    ("Where is Paris?", (FINAL,), [("final_result", {"city": "Paris", "country": "Paris"})]),
    # LlamaIndex for TypeScript.
    (
        "Where is Paris?",
        (tool("format_output", "Respond with a JSON object", city=STRING),),
        [("format_output", {"city": "Paris"})],
    ),
    ("What is the weather in Paris?", (FINAL, WEATHER), [("get_weather", {"city": "Paris"})]),
]


@pytest.mark.parametrize(("prompt", "tools", "expected"), WANTED)
def test_a_tool_is_called_when_it_is_evidently_wanted(
    prompt: str, tools: tuple[Tool, ...], expected: list[tuple[str, Any]]
) -> None:
    assert called(turn(prompt, tools=tools)) == expected


@pytest.mark.parametrize(
    "prompt",
    ["Hello!", "Hi there", "Good morning, how are you?", "Thank you!", "Tell me a joke about cats.",
     "Describe Tokyo.", "Reply with exactly: weather", "Do not use any tools. How is the weather in Paris?", ""],
)  # fmt: skip
def test_no_tool_is_called_when_none_is_wanted(prompt: str) -> None:
    one = answer(turn(prompt, tools=(WEATHER, TIME, ADD)))
    assert not one.tool_calls
    assert one.text


@pytest.mark.parametrize(
    "prompt", ["Hello!", "What is the weather in Paris and in Rome?", "Reply with exactly: no"]
)
@pytest.mark.parametrize("name", ["get_weather", "add", "search_flights", "final_result"])
def test_a_forced_tool_is_called_with_valid_arguments(name: str, prompt: str) -> None:
    tools = (WEATHER, ADD, FLIGHTS, FINAL)
    made = called(turn(prompt, tools=tools, tool_choice=ToolChoice("named", name)))
    assert {each for each, _ in made} == {name}
    for _, arguments in made:
        schema = next(each.schema for each in tools if each.name == name)
        jsonschema.validate(arguments, schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_any_tool_is_called_even_for_a_greeting() -> None:
    assert called(turn("Hello!", tools=(WEATHER, ADD), tool_choice=ToolChoice("any")))


def test_the_likeliest_tool_is_called_when_any_is_asked_for() -> None:
    asked = turn("What is 3 plus 4?", tools=(WEATHER, ADD), tool_choice=ToolChoice("any"))
    assert called(asked) == [("add", {"a": 3, "b": 4})]


def test_of_several_framework_tools_the_likeliest_is_called() -> None:
    tools = (tool("final_result_Person", "", person=STRING), tool("final_result_City", "", city=STRING))
    assert called(turn("Which city is it? Paris", tools=tools)) == [("final_result_City", {"city": "Paris"})]


def test_no_tool_is_called_when_the_choice_is_none() -> None:
    assert not called(turn("Weather in Paris?", tools=(WEATHER, FINAL), tool_choice=ToolChoice("none")))


def test_calls_that_may_not_be_parallel_come_one_by_one() -> None:
    asked = turn("What is the weather in Paris and in Rome?", tools=(WEATHER,), parallel_tool_calls=False)
    assert called(asked) == [("get_weather", {"city": "Paris"})]
    asked = after(asked, "sunny")
    assert called(asked) == [("get_weather", {"city": "Rome"})]
    asked = after(asked, "rainy")
    assert called(asked) == []
    assert "rainy" in answer(asked).text


@pytest.mark.parametrize("name", ["nothing", None])
def test_a_forced_call_of_an_unknown_tool_is_refused(name: str | None) -> None:
    with pytest.raises(UnknownTool, match=r"expected one of the tools on offer \(add\), got"):
        reply(turn("Hello", tools=(ADD,), tool_choice=ToolChoice("named", name)), 0, SILENT)
    with pytest.raises(UnknownTool, match="none"):
        reply(turn("Hello", tool_choice=ToolChoice("any")), 0, SILENT)


def test_a_tool_whose_schema_is_broken_is_refused_when_it_is_called() -> None:
    with pytest.raises(BrokenSchema):
        reply(turn("Weather?", tools=(Tool("weather", "", {"type": "no such"}),)), 0, SILENT)


@pytest.mark.parametrize("schema", [{}, {"properties": {}}, {"type": "object"}], ids=str)
def test_a_tool_without_arguments_is_called_with_an_empty_object(schema: dict[str, Any]) -> None:
    assert called(turn("Refresh the cache", tools=(Tool("refresh_cache", "", schema),))) == [
        ("refresh_cache", {})
    ]


# After a tool's result


def after(asked: Turn, *results: str, error: bool = False) -> Turn:
    """The turn that follows when each call of the answer has its result."""
    calls = answer(asked).tool_calls
    assert len(calls) == len(results)
    first = len(asked.messages)
    given = tuple(replace(call, id=f"call-{first}-{place}") for place, call in enumerate(calls))
    told = tuple(
        ToolResult(call.id, (Text(result),), error) for call, result in zip(given, results, strict=True)
    )
    return replace(asked, messages=(*asked.messages, message("assistant", *given), message("tool", *told)))


def test_the_answer_uses_the_result() -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER,)), "It's sunny, 21 degrees.")
    one = answer(asked)
    assert (one.finish, one.tool_calls) == ("stop", ())
    assert "It's sunny, 21 degrees." in one.text
    assert "get_weather" in one.text


def test_the_answer_says_each_value_of_a_result_in_json() -> None:
    result = {"temperature": 21.5, "sky": "clear", "wind": {"speed": 3}, "alerts": ["heat"]}
    text = answer(after(turn("Weather in Paris?", tools=(WEATHER,)), json.dumps(result))).text
    assert all(said in text for said in ("temperature is 21.5", "sky is clear", '"speed": 3', "heat"))


def test_the_answer_uses_all_results() -> None:
    asked = after(turn("Weather in Paris and in Rome?", tools=(WEATHER,)), "sunny", "rainy")
    text = answer(asked).text
    assert "sunny" in text
    assert "rainy" in text


def test_the_answer_says_that_a_call_failed() -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER,)), "no such city", error=True)
    assert "failed: no such city" in answer(asked).text


def test_a_user_message_beside_the_result_changes_nothing() -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER,)), "sunny")
    asked = replace(asked, messages=(*asked.messages, user("Be brief.")))
    assert not called(asked)
    assert "sunny" in answer(asked).text


def test_a_new_question_may_call_the_tool_again() -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER,)), "sunny")
    more = (message("assistant", "It is sunny."), user("And the weather in Rome?"))
    assert called(replace(asked, messages=(*asked.messages, *more))) == [("get_weather", {"city": "Rome"})]


def test_the_framework_tool_comes_last_and_takes_the_results() -> None:
    report = tool("final_result", "The final response which ends this conversation", temperature=INTEGER)
    asked = turn("What is the weather in Paris?", tools=(WEATHER, report))
    assert called(asked) == [("get_weather", {"city": "Paris"})]
    assert called(after(asked, '{"temperature": 21}')) == [("final_result", {"temperature": 21})]


# JSON

PERSON = {
    "type": "object",
    "properties": {"name": STRING, "age": INTEGER},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_an_answer_in_json_fits_the_schema_and_takes_from_the_prompt() -> None:
    text = answer(turn("Ada is 36 years old.", output=OutputFormat(PERSON))).text
    assert json.loads(text) == {"name": "Ada", "age": 36}


def test_an_answer_in_json_takes_from_a_tool_result() -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER,)), "Bob is 50.")
    text = answer(replace(asked, output=OutputFormat(PERSON))).text
    assert json.loads(text) == {"name": "Bob", "age": 50}


@pytest.mark.parametrize(
    ("prompt", "keys"),
    [
        ("Tell me about cats as JSON.", {"answer"}),
        ("Tell me a joke about cats. Return JSON with 'setup' and 'punchline' keys.", {"setup", "punchline"}),
        ("Give me JSON with the keys name, age and city.", {"name", "age", "city"}),
        ('Return this as JSON: {"a": 1}', {"a"}),
        ("Hello", {"answer"}),
    ],
)
def test_an_answer_in_any_json_is_an_object_with_the_keys_asked_for(prompt: str, keys: set[str]) -> None:
    assert set(json.loads(answer(turn(prompt, output=OutputFormat())).text)) == keys


def test_members_of_json_are_of_the_types_that_the_prompt_names() -> None:
    # As DSPy 3.4.1 asks where no schema is sent.
    prompt = (
        "What is the weather in Oslo?\nRespond with a JSON object in the following order of fields: `thought`, then "
        "`tool` (must be formatted as a valid Python Literal['finish', 'weather']), then "
        "`arguments` (must be formatted as a valid Python dict[str, Any]), then `days` (... Python int)."
    )
    value = json.loads(answer(turn(prompt, output=OutputFormat())).text)
    assert list(value) == ["thought", "tool", "arguments", "days"]
    assert (value["tool"], value["arguments"]) == ("weather", {})
    assert isinstance(value["days"], int)


def test_an_answer_in_json_is_json_whatever_the_prompt_asks() -> None:
    for prompt in ("Reply with exactly: hello", "What is my name?", "Count from 1 to 9", ""):
        jsonschema.validate(json.loads(answer(turn(prompt, output=OutputFormat(PERSON))).text), PERSON)


# What agent frameworks ask

ASKS_FOR_JSON = {
    "pydantic-ai 2.38.0": "Always respond with a JSON object that's compatible with this schema:\n\n{schema}\n\n"
    "Don't include any text or Markdown fencing before or after.",
    "instructor 1.17.0": "As a genius expert, your task is to understand the content and provide the parsed objects in "
    "json that match the following json_schema:\n\n{schema}\n\nMake sure to return an instance of the JSON, not the "
    "schema itself",
    "langchain-core 1.7.2": "The output should be formatted as a JSON instance that conforms to the JSON schema below.\n"
    'As an example, for the schema {{"properties": {{"foo": {{"type": "array"}}}}, "required": ["foo"]}}\n'
    'the object {{"foo": ["bar", "baz"]}} is well-formatted.\nHere is the output schema:\n{schema}',
}


@pytest.mark.parametrize("output", [None, OutputFormat()], ids=["text", "json mode"])
@pytest.mark.parametrize("role", ["system", "user"])
@pytest.mark.parametrize("words", ASKS_FOR_JSON.values(), ids=ASKS_FOR_JSON)
def test_a_schema_that_the_prompt_shows_is_filled(
    words: str, role: Role, output: OutputFormat | None
) -> None:
    asking = message(role, words.format(schema=json.dumps(PERSON, indent=2)))
    value = json.loads(answer(turn(asking, user("Ada is 36 years old."), output=output)).text)
    jsonschema.validate(value, PERSON)
    assert value == {"name": "Ada", "age": 36}


def test_json_in_a_block_of_code_is_written_where_the_prompt_wants_one() -> None:
    asked = turn(
        message("system", f"Answer as JSON that matches this json_schema: {json.dumps(PERSON)}"),
        user(
            "Ada is 36.\n\nReturn the correct JSON response within a ```json codeblock. not the JSON_SCHEMA"
        ),
    )
    assert answer(asked).text == '```json\n{"name": "Ada", "age": 36}\n```'
    assert answer(replace(asked, output=OutputFormat())).text == '{"name": "Ada", "age": 36}'


def test_a_schema_that_is_shown_and_not_asked_for_or_is_none_is_left_alone() -> None:
    for told in (
        f"This is our data: {json.dumps(PERSON)}",
        'Answer as JSON: {"properties": {"a": {"type": 3}}}',
    ):
        assert not answer(turn(message("system", told), user("Tell me about cats."))).text.startswith("{")


def test_who_has_to_call_something_goes_on_to_a_tool_not_called_yet() -> None:
    # langchain 1.4.7 takes its result so: by a tool with the name of a class, and every call forced.
    report = tool("Report", "A report", city=STRING, temperature=INTEGER)
    asked = turn("Weather in Oslo?", tools=(WEATHER, ADD, report), tool_choice=ToolChoice("any"))
    assert called(asked) == [("get_weather", {"city": "Oslo"})]
    assert called(after(asked, "Sunny, 21C")) == [("Report", {"city": "Oslo", "temperature": 21})]


def test_an_answer_in_json_takes_from_the_results_of_a_round_that_was_answered() -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER,)), "Bob is 50.")
    asked = replace(asked, messages=(*asked.messages, message("assistant", "It is so.")), tools=())
    assert json.loads(answer(replace(asked, output=OutputFormat(PERSON))).text) == {"name": "Bob", "age": 50}


def test_of_several_framework_tools_one_is_chosen_by_its_members_too() -> None:
    city = tool("final_result_City", "", city=STRING)
    support = tool("final_result_Support", "", advice=STRING, block_card={"type": "boolean"})
    ((name, arguments),) = called(turn("Please block my card!", tools=(city, support)))
    assert (name, arguments["block_card"]) == ("final_result_Support", True)


@pytest.mark.parametrize("more", ["What about Rome?", "And in Rome?", "ok, and how about Rome"])
def test_the_same_is_asked_of_something_else(more: str) -> None:
    asked = after(turn("What is the weather in Paris?", tools=(WEATHER, ADD)), "sunny")
    asked = replace(asked, messages=(*asked.messages, message("assistant", "It is sunny."), user(more)))
    assert called(asked) == [("get_weather", {"city": "Rome"})]
    assert not called(turn(more, tools=(ADD,)))


@pytest.mark.parametrize(
    "told",
    [
        "You should roll the die and see if the number matches.",
        "Always start with `roll_dice`.",
        "Be kind. Use roll_dice before you answer.",
    ],
)
def test_a_tool_that_the_system_obliges_to_use_is_called(told: str) -> None:
    roll = tool("roll_dice", "Roll a six-sided die and return the result.")
    asked = turn(message("system", told), user("My guess is 4"), tools=(roll,))
    assert called(asked) == [("roll_dice", {})]
    assert not called(after(asked, "4"))
    assert not called(turn(message("system", told), user("Hello!"), tools=(roll,)))
    assert not called(
        turn(message("system", "Dice roll by themselves."), user("My guess is 4"), tools=(roll,))
    )


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("Get the user id of John Doe", "get_user_by_name"),
        ("Should I take an umbrella in Paris?", "get_weather"),
        ("Which city is bigger: Paris?", "GetPopulation"),
    ],
)
def test_a_tool_is_wanted_by_other_words_than_its_subject(prompt: str, wanted: str) -> None:
    by_name = tool("get_user_by_name", "Get a user's ID from their full name.", full_name=STRING)
    population = tool("GetPopulation", "Get the current population", location=STRING)
    assert [name for name, _ in called(turn(prompt, tools=(by_name, WEATHER, population)))] == [wanted]


def test_what_hands_over_to_another_agent_is_no_answer() -> None:
    call = ToolCall("call-1", "transfer_to_weather_agent", {})
    told = message("tool", ToolResult("call-1", (Text('{"assistant": "Weather agent"}'),)))
    asked = turn(user("What is the weather in Paris?"), message("assistant", call), told)
    assert "transfer_to" not in answer(asked).text
    assert called(replace(asked, tools=(WEATHER,))) == [("get_weather", {"city": "Paris"})]


def test_a_call_is_made_again_when_its_result_asks_for_that_and_no_more_than_twice() -> None:
    asked = turn("What is the weather in Paris?", tools=(WEATHER,))
    for _ in range(3):
        assert called(asked) == [("get_weather", {"city": "Paris"})]
        asked = after(asked, "No such city.\n\nFix the errors and try again.")
    assert not called(asked)
    assert "No such city." in answer(asked).text


def test_calls_and_results_that_are_told_in_words_are_what_they_are() -> None:
    # As smolagents 1.26.0 sends them, with every call forced.
    final = tool("final_answer", "Provides a final answer to the given problem.", answer=STRING)
    called_before = "Calling tools:\n" + str(
        [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": {"city": "Oslo"}},
            }
        ]
    )
    asked = turn("What is the weather in Oslo?", tools=(WEATHER, final), tool_choice=ToolChoice("any"))
    assert called(asked) == [("get_weather", {"city": "Oslo"})]
    told = (message("assistant", called_before), user('Observation:\n"Sunny in Oslo"'))
    asked = replace(asked, messages=(*asked.messages, *told))
    assert called(asked) == [("final_answer", {"answer": "Sunny in Oslo"})]
    # What cannot be read is left as it is: the tool was not called yet.
    told = (message("assistant", called_before[:-2]), told[1])
    ((name, _),) = called(replace(asked, messages=(*asked.messages[:1], *told)))
    assert name == "get_weather"


@pytest.mark.parametrize(
    "nudge",
    [
        "You must format the previous response as structured output.",
        "Correct your JSON ONLY RESPONSE, based on the following errors:\nField required",
        "Validation feedback:\nField required\n\nFix the errors and try again.",
    ],
)
def test_what_a_framework_says_by_itself_is_no_new_question(nudge: str) -> None:
    report = Tool("Person", "A person.", PERSON)
    asked = turn("Ada is 36 years old.", "I see.", nudge, tools=(report,), tool_choice=ToolChoice("any"))
    assert called(asked) == [("Person", {"name": "Ada", "age": 36})]


# Repetition

LITERAL = [
    ("Reply with exactly: hello", "hello"),
    ("Repeat exactly: Hello, World!", "Hello, World!"),
    ("Reply with exactly 'Foo Bar'.", "Foo Bar"),
    ("Reply with exactly: two\nlines", "two\nlines"),
    ("Reply with exactly: ok. Do not add anything.", "ok"),
    ('Reply with exactly: "quoted" and nothing else', "quoted"),
    ('Reply with exactly: "a" then "b"', '"a" then "b"'),
    ("Reply with exactly the word hello and nothing else.", "hello"),
    ("Please reply with exactly the following text: A-B, c!", "A-B, c!"),
    ("Respond with the single word: pong", "pong"),
    ("Reply with only the word PONG.", "PONG"),
    ("Answer with just OK.", "OK"),
    ("Answer only with the number 42.", "42"),
    ('Say "hi" and nothing else.', "hi"),
    ("Reply with the word 'ready'.", "ready"),
    ("Repeat after me: I am Sam.", "I am Sam."),
    ("Echo this back: Äöü €", "Äöü €"),
    ("Say this is a test", "this is a test"),
    ("Could you please say hello?", "hello"),
    ('Return exactly: {"a": [1, 2]}', '{"a": [1, 2]}'),
    ("I will test you. Reply with exactly: MARK-7f3a", "MARK-7f3a"),
]


@pytest.mark.parametrize(("prompt", "text"), LITERAL, ids=[prompt for prompt, _ in LITERAL])
def test_a_literal_is_repeated(prompt: str, text: str) -> None:
    assert answer(turn(prompt)).text == text


@pytest.mark.parametrize(
    "prompt",
    ["What does 'hello' mean?", "Reply with exactly three words about cats", "Answer with 'yes' or 'no'.",
     "Reply with only yes or no: is it cold?", "Say hi to my friend", "Say something nice",
     "Reply with only the name of the capital.", "Answer only in JSON.",
     "Reply with exactly two words.", "Answer with only the number of cats.", "Answer with just politeness."],
)  # fmt: skip
def test_what_is_no_literal_is_not_repeated(prompt: str) -> None:
    text = answer(turn(prompt)).text
    assert text not in prompt
    assert len(text.split()) > 5


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_any_word_is_repeated_with_its_casing_and_marks(word: str) -> None:
    expected = word[1:-1] if len(word) > 2 and word[0] == word[-1] and word[0] in "\"'`" else word
    if "“" not in word:
        assert answer(turn(f"Reply with exactly: {word}")).text == expected


def test_a_long_literal_is_repeated_whole() -> None:
    text = "all the words of a long text, " * 3000 + "and its end"
    assert answer(turn(f"Repeat exactly: {text}")).text == text
    assert answer(turn(f"{text}. Reply with exactly: done")).text == "done"


def test_a_literal_demanded_by_the_system_is_repeated() -> None:
    assert answer(turn(message("system", "Always reply with exactly: PONG"), user("ping"))).text == "PONG"


# Recall

RECALL = [
    ("My name is Ada and I live in London.", "What is my name?", "Ada"),
    ("My name is Ada and I live in London.", "Where do I live?", "London"),
    ("Hi, I'm Bob.", "Who am I?", "Bob"),
    ("Call me Ishmael.", "What's my name?", "Ishmael"),
    ("I am 36 years old.", "How old am I?", "36"),
    ("The code word is BLUE-42, please remember it.", "What is the code word?", "BLUE-42"),
    ("The code word is BLUE-42.", "Tell me the code word I gave you.", "BLUE-42"),
    ("Remember the number 4711.", "What was the number?", "4711"),
    ("Code word: tulip", "What is the code word?", "tulip"),
    ("My favourite colour is teal. My dog's name is Rex.", "Do you remember my favourite colour?", "teal"),
    ('The secret is "kiwi pie". The version is 3.14.', "What is the version?", "3.14"),
    ("The capital of Freedonia is Sylvania.", "What is the capital of Freedonia?", "Sylvania"),
]


@pytest.mark.parametrize(("told", "asked", "value"), RECALL, ids=[asked for _, asked, _ in RECALL])
def test_a_fact_told_before_is_recalled(told: str, asked: str, value: str) -> None:
    assert answer(turn(told, "Noted.", "What is rain?", "Water.", asked)).text.endswith(f" {value}.")
    assert answer(turn(message("system", told), user(asked))).text.endswith(f" {value}.")
    assert answer(turn(f"{told}\n{asked}")).text.endswith(f" {value}.")
    assert answer(turn(told, "Noted.", f"{asked} Answer with just that.")).text == value
    assert value not in answer(turn("Hello.", "Noted.", asked)).text


def test_the_fact_told_last_is_the_one_recalled() -> None:
    said = ("The code word is ONE.", "Noted.", "The code word is TWO.", "Noted.", "What is the code word?")
    assert answer(turn(*said)).text == "The code word is TWO."


def test_the_very_thing_asked_for_is_recalled_before_one_like_it() -> None:
    asked = turn("The code word is ONE. The word is TWO.", "Noted.", "What is the code word?")
    assert answer(asked).text == "The code word is ONE."


def test_what_the_user_is_and_what_the_model_is_are_two_things() -> None:
    system = message("system", "You are a pirate named Bob.")
    asked = (system, user("My name is Ada."), message("assistant", "Aye."))
    assert answer(turn(*asked, user("What is your name?"))).text == "My name is Bob."
    assert answer(turn(*asked, user("What is my name?"))).text == "Your name is Ada."


def test_a_fact_of_the_user_that_nobody_told_is_not_known() -> None:
    assert answer(turn("What is my name?")).text.startswith("I do not know your name")


def test_a_fact_is_found_in_a_very_long_prompt_and_in_a_document() -> None:
    filler = "The quick brown fox is jumping over 13 lazy dogs, and it was great.\n" * 4000
    asked = f"{filler}The code word is KIWI-9.\n{filler}What is the code word?"
    assert answer(turn(asked)).text == "The code word is KIWI-9."
    document = Media("document", "txt", data=b"Notes.\nThe code word is FIG-2.\n", name="notes")
    assert answer(turn(user("What is the code word?", document))).text == "The code word is FIG-2."


def test_the_system_may_ask_for_one_case() -> None:
    for asked, changed in (("Always answer in upper case.", str.upper), ("Use lowercase only.", str.lower)):
        text = answer(turn(message("system", asked), user("What is rain?"))).text
        assert text == changed(answer(turn("What is rain?")).text)


# Pictures

PICTURE = Media("image", "png", data=draw("7K9Q2"))
SEES = "What code does the picture show?"


def test_the_code_in_a_picture_is_read() -> None:
    assert "7K9Q2" in answer(turn(user(SEES, PICTURE))).text
    assert "7K9Q2" in answer(turn(user(PICTURE, "What does it say?"))).text
    assert answer(turn(user(f"{SEES} Answer with only the code.", PICTURE))).text == "7K9Q2"


def test_the_code_is_read_from_an_earlier_message_too() -> None:
    assert "7K9Q2" in answer(turn(user("Look at this.", PICTURE), "I see.", SEES)).text


def test_the_code_of_each_picture_is_told() -> None:
    text = answer(turn(user(SEES, PICTURE, Media("image", "png", data=draw("B52"))))).text
    assert "7K9Q2" in text
    assert "B52" in text


def test_the_code_fills_json_and_tool_results_may_be_pictures() -> None:
    schema = {"type": "object", "properties": {"code": STRING}, "required": ["code"]}
    asked = turn(user(SEES, PICTURE), output=OutputFormat(schema))
    assert json.loads(answer(asked).text) == {"code": "7K9Q2"}
    call = ToolCall("1", "take_photo", {})
    shown = turn(
        user("Take a photo"), message("assistant", call), message("tool", ToolResult("1", (PICTURE,)))
    )
    assert "7K9Q2" in answer(shown).text


def test_without_the_picture_there_is_no_code() -> None:
    text = answer(turn(SEES)).text
    assert text.startswith("There is no image")
    assert "7K9Q2" not in text


def test_a_picture_without_text_is_described_by_format_and_size() -> None:
    out = io.BytesIO()
    Image.new("L", (7, 9)).save(out, "GIF")
    text = answer(turn(user("What is in the image?", Media("image", "gif", data=out.getvalue())))).text
    assert "GIF image of 7 x 9 pixels" in text


def test_an_address_is_not_opened() -> None:
    asked = turn(user("What is in the image?", Media("image", None, url="https://example.com/x.png")))
    assert "https://example.com/x.png is not part of the conversation" in answer(asked).text


@pytest.mark.parametrize(
    "data", [None, b"", b"no image", draw("7")[:-9]], ids=["no base64", "empty", "text", "cut"]
)
@pytest.mark.parametrize("where", ["now", "earlier", "in a result"])
def test_an_unreadable_image_is_an_error_wherever_it_stands(data: bytes | None, where: str) -> None:
    media = Media("image", "png", data=data)
    asked = {
        "now": turn(user("Hello", media)),
        "earlier": turn(user("Hello", media), "Hi.", "Reply with exactly: x"),
        "in a result": turn("Look", message("tool", ToolResult("1", (media,)))),
    }[where]
    with pytest.raises(UnreadableMedia):
        reply(asked, 0, SILENT)


# Length


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Count from 1 to 5.", "1, 2, 3, 4, 5"),
        ("Please count to 3, one number per line", "1\n2\n3"),
        ("Count down from 5 to 1", "5, 4, 3, 2, 1"),
        ("Count from 10 to 50 by 10s", "10, 20, 30, 40, 50"),
        ("Count up to 4 separated by spaces", "1 2 3 4"),
        ("Count backwards from 3", None),
        ("I count on you", None),
    ],
)
def test_it_counts_when_asked_to(prompt: str, text: str | None) -> None:
    counted = answer(turn(prompt)).text
    assert counted == text if text else "1, 2" not in counted


def test_counting_far_is_long() -> None:
    assert answer(turn("Count from 1 to 500.")).text == ", ".join(map(str, range(1, 501)))


@pytest.mark.parametrize("words", [50, 300, 2000])
def test_it_writes_as_many_words_as_asked(words: int) -> None:
    written = len(answer(turn(f"Write at least {words} words about rain.")).text.split())
    assert words <= written < words + 60


def test_a_length_that_is_only_mentioned_makes_nothing_long() -> None:
    assert len(answer(turn("My teacher liked 900 words about rain.")).text.split()) < 100


def test_it_writes_more_when_asked_to_write_at_length() -> None:
    long, short = (answer(turn(f"Write a {kind}essay about rain.")).text for kind in ("long ", ""))
    assert len(long.split()) >= 500 > 100 > len(short.split())


# What else it says


def test_other_text_is_about_the_prompt() -> None:
    text = answer(turn("Explain how rainbows form in mountains.")).text
    assert "rainbows" in text
    assert "mountains" in text
    assert text.endswith(".")


@pytest.mark.parametrize("prompt", ["Hello", "hi!", "Good morning"])
def test_a_greeting_is_greeted(prompt: str) -> None:
    assert len(answer(turn(prompt)).text) < 60


@pytest.mark.parametrize(
    "messages", [(), (message("system", "Be kind."),), (user(""),)], ids=["none", "system", "empty"]
)
def test_an_answer_comes_even_when_nothing_is_asked(messages: tuple[Message, ...]) -> None:
    assert answer(Turn(messages)).text


# Caps, stop sequences, n, seeds, reasoning

COUNTS = "Count from 1 to 20"


@pytest.mark.parametrize("cap", [0, 1, 2, 7, 30])
def test_an_answer_is_cut_at_the_cap(cap: int) -> None:
    whole = answer(turn(COUNTS))
    one = answer(turn(COUNTS, max_tokens=cap))
    assert one.finish == "length"
    assert one.usage is not None
    assert one.usage.output == count_text(one.text) == cap
    assert whole.text.startswith(one.text)


def test_an_answer_that_just_fits_is_whole() -> None:
    whole = answer(turn(COUNTS))
    assert whole.usage is not None
    assert answer(turn(COUNTS, max_tokens=whole.usage.output)) == whole
    assert answer(turn(COUNTS, max_tokens=whole.usage.output - 1)).finish == "length"


def test_the_caller_caps_before_the_model() -> None:
    able = Ability(max_output=5)
    assert count_text(answer(turn(COUNTS), ability=able).text) == 5
    assert count_text(answer(turn(COUNTS, max_tokens=9), ability=able).text) == 9


def test_a_call_larger_than_the_cap_is_cut_text() -> None:
    asked = turn("Weather in Paris?", tools=(WEATHER,))
    (call,) = answer(asked).tool_calls
    size = count_call(call.name, call.arguments)
    assert answer(replace(asked, max_tokens=size)).tool_calls == (call,)
    cut = answer(replace(asked, max_tokens=size - 1))
    assert (cut.finish, cut.tool_calls, count_text(cut.text)) == ("length", (), size - 1)


@pytest.mark.parametrize(
    ("stops", "text", "finish", "found"),
    [
        ((" 5",), "1, 2, 3, 4,", "stop_sequence", " 5"),
        ((" 9", " 5"), "1, 2, 3, 4,", "stop_sequence", " 5"),
        ((" 5", " 5,"), "1, 2, 3, 4,", "stop_sequence", " 5,"),
        (("1",), "", "stop_sequence", "1"),
        (("x", ""), "1, 2, 3, 4, 5, 6", "stop", None),
    ],
)
def test_an_answer_ends_before_a_stop_sequence(
    stops: tuple[str, ...], text: str, finish: Finish, found: str | None
) -> None:
    one = answer(turn("Count from 1 to 6", stop=stops))
    assert (one.text, one.finish, one.stop_sequence) == (text, finish, found)
    assert one.usage is not None
    assert one.usage.output == count_text(text)


def test_a_cap_before_the_stop_sequence_wins() -> None:
    one = answer(turn(COUNTS, stop=(" 5",), max_tokens=4))
    assert (one.finish, one.stop_sequence) == ("length", None)


def test_n_answers_differ_and_cost_each_its_own() -> None:
    replies = reply(turn("Explain rain.", n=4), 0, SILENT)
    assert len({one.text for one in replies}) > 1
    assert replies == reply(turn("Explain rain.", n=4), 0, SILENT)
    assert replies[:2] == reply(turn("Explain rain.", n=2), 0, SILENT)
    for one in replies:
        assert one.usage == Usage(count(turn("Explain rain.")), count_text(one.text))


def test_a_seed_changes_the_wording_only_where_chance_is_asked_for() -> None:
    def wordings(**more: Any) -> int:
        return len({answer(turn("Explain rain.", **more), seed).text for seed in range(8)})

    assert wordings() == wordings(temperature=0) == wordings(seed=3, temperature=1) == 1
    assert wordings(temperature=0.7) > 1
    assert len({answer(turn("Explain rain.", seed=seed)).text for seed in range(8)}) > 1


@pytest.mark.parametrize("seed", range(4))
def test_no_seed_changes_what_was_asked_for(seed: int) -> None:
    for prompt, text in (("Reply with exactly: hello", "hello"), ("Count from 1 to 3", "1, 2, 3")):
        assert answer(turn(prompt, temperature=1.0, seed=seed), seed).text == text


def test_it_reasons_first_when_it_can_and_is_asked_to() -> None:
    one = answer(turn("Why is the sky blue?", reasoning="high"), ability=THINKING)
    trace, text = one.parts
    assert isinstance(trace, Reasoning)
    assert isinstance(text, Text)
    assert "Why is the sky blue?" in trace.text
    assert one.usage is not None
    assert one.usage.reasoning == count_text(trace.text) > 0
    assert one.usage.output == one.usage.reasoning + count_text(text.text)


def test_it_reasons_before_a_call_too() -> None:
    one = answer(turn("Weather in Paris?", tools=(WEATHER,), reasoning="low"), ability=THINKING)
    assert [type(part) for part in one.parts] == [Reasoning, ToolCall]
    assert one.finish == "tool_calls"


@pytest.mark.parametrize(("effort", "ability"), [(None, THINKING), ("none", THINKING), ("high", SILENT)])
def test_it_does_not_reason_otherwise(effort: str | None, ability: Ability) -> None:
    one = answer(turn("Why is the sky blue?", reasoning=effort), ability=ability)
    assert [type(part) for part in one.parts] == [Text]
    assert one.usage is not None
    assert one.usage.reasoning == 0


def test_reasoning_counts_against_the_cap() -> None:
    asked = turn("Why is the sky blue?", reasoning="high")
    whole = answer(asked, ability=THINKING)
    assert whole.usage is not None
    cut = answer(replace(asked, max_tokens=3), ability=THINKING)
    assert (cut.finish, cut.usage) == ("length", replace(whole.usage, output=3, reasoning=3))
    assert cut.text == ""
    cut = answer(replace(asked, max_tokens=whole.usage.reasoning + 2), ability=THINKING)
    assert count_text(cut.text) == 2


# What only some requests want


GRAMMAR = {"syntax": "regex", "definition": "[a-c]{3}!"}


@pytest.mark.parametrize(
    ("prompt", "grammar", "given"),
    [
        ("Run this:\n```python\nprint(1)\n```", None, "print(1)"),
        ('Ask run_code for "2 + 2".', None, "2 + 2"),
        ("What does it say?", None, "What does it say?"),
        ("What does it say?", GRAMMAR, "abc!"),
    ],
    ids=str,
)
def test_a_custom_tool_is_given_a_text(prompt: str, grammar: Any, given: str) -> None:
    custom = Tool("run_code", "Runs code.", custom=True, grammar=grammar)
    (call,) = answer(turn(prompt, tools=(custom,), tool_choice=ToolChoice("any"))).tool_calls
    assert (call.name, call.arguments, call.custom) == ("run_code", given, True)


def test_an_answer_is_what_was_predicted() -> None:
    one = answer(turn("Rename `old` to `new`.", prediction="old = 1\nolder = old"))
    assert one.text == "new = 1\nolder = new"
    assert one.usage is not None and one.usage.accepted > one.usage.rejected == 2


def test_a_prediction_that_does_not_come_true_is_paid_all_the_same() -> None:
    one = answer(turn("Reply with exactly: hello", prediction="something else altogether"))
    assert one.usage is not None
    assert (one.text, one.usage.accepted, one.usage.rejected) == ("hello", 0, 3)
    assert one.usage.output == count_text("hello") + 3


def test_what_was_looked_up_is_cited() -> None:
    one = answer(turn("Tell me about lighthouses.", search=True))
    (citation,) = one.citations
    assert citation.url in one.text[citation.start : citation.end]
    assert not answer(turn("Tell me about lighthouses.")).citations


def test_an_answer_is_spoken_in_the_format_asked() -> None:
    one = answer(turn("Reply with exactly: hello", speech={"voice": "alloy", "format": "wav"}))
    text, sound = one.parts
    assert text == Text("hello") and isinstance(sound, Media)
    assert (sound.kind, sound.format) == ("audio", "wav") and (sound.data or b"")[:4] == b"RIFF"
    assert one.usage is not None and one.usage.audio > 0


PROMPTS = st.sampled_from(
    [
        "Hello",
        COUNTS,
        "Reply with exactly: hello",
        "Weather in Paris and in Rome?",
        "What is my name?",
        "Explain rain.",
    ]
)


@settings(max_examples=150)
@given(
    PROMPTS,
    st.none() | st.integers(0, 80),
    st.lists(st.text(alphabet="aei 5,", max_size=2), max_size=3),
    st.sampled_from([(), (WEATHER,), (WEATHER, ADD, FINAL)]),
    st.sampled_from([None, "none", "low"]),
    st.sampled_from([None, OutputFormat(), OutputFormat(PERSON)]),
    st.sampled_from([SILENT, THINKING, Ability(True, 12)]),
    st.integers(1, 3),
    st.fixed_dictionaries(
        {},
        optional={
            "speech": st.just({"voice": "alloy", "format": "pcm16"}),
            "prediction": st.sampled_from(["Hello", "Rain falls from clouds. " * 5]),
            "search": st.just(True),
            "verbosity": st.sampled_from(["low", "medium", "high"]),
        },
    ),
)
def test_usage_always_adds_up_and_the_cap_always_holds(
    prompt: str,
    cap: int | None,
    stops: list[str],
    tools: tuple[Tool, ...],
    effort: str | None,
    output: OutputFormat | None,
    ability: Ability,
    n: int,
    more: dict[str, Any],
) -> None:
    asked = turn(
        prompt,
        max_tokens=cap,
        stop=tuple(stops),
        tools=tools,
        reasoning=effort,
        output=output,
        n=n,
        temperature=1.0,
        **more,
    )
    for one in reply(asked, 1, ability):
        spent = sum(count_text(part.text) for part in one.parts if isinstance(part, (Text, Reasoning)))
        spent += sum(count_call(call.name, call.arguments) for call in one.tool_calls)
        assert one.usage is not None
        spent += one.usage.audio + one.usage.rejected
        assert (one.usage.input, one.usage.output) == (count(asked), spent)
        limit = ability.max_output if cap is None else cap
        assert limit is None or spent <= limit
        assert (one.finish == "tool_calls") == bool(one.tool_calls)
        assert (one.finish == "stop_sequence") == (one.stop_sequence is not None)
        assert not any(stop and stop in one.text for stop in stops)
        assert all(call.id == "" for call in one.tool_calls)
        assert all(one.text[each.start : each.end] for each in one.citations)


SAYS_ALL = """
from conformance.probes.picture import draw
from conformance.values import *
from mockserver.simulation.model import Ability, reply

tool = Tool("get_weather", "", {"type": "object", "properties": {"city": {}, "unit": {"enum": ["c", "f"]}}})
for prompt in ["Explain rain and snow.", "Weather in Paris and Rome, in f", "What is my name?", "Hello"]:
    for more in [{}, {"tools": (tool,)}, {"output": OutputFormat()}, {"temperature": 1.0, "n": 3, "reasoning": "low"}]:
        picture = Media("image", "png", data=draw("7K9"))
        turn = Turn((Message("user", (Text(prompt), picture)),), **more)
        print(reply(turn, 7, Ability(reasoning=True)))
"""


def test_every_process_says_the_same() -> None:
    def says(hash_seed: str) -> str:
        environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", SAYS_ALL], env=environ, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert says("1") == says("2") == says("3")
