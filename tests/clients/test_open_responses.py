"""Open Responses 2026-04-24: judged by llm-comply and by the schemas of its document, read by clients of others.

Of the 17 checks of Open Responses' own runner ten go over HTTP: llm-comply makes all of them. The seven over a
WebSocket are written here after the words of the specification, over the `websockets` package.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from importlib.resources import files
from typing import Any

import pytest
import urllib3
from llm_comply.schema import SpecLoader
from openai import APIError, NotFoundError, OpenAI
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from conformance.exchange import Request
from conformance.loading import load
from mockserver.effects import Answer, Cut, Send, carry_out
from mockserver.embedded import Running, start
from mockserver.memory import Memory
from mockserver.mock import Ids
from mockserver.provider import MockProvider
from mockserver.responses_socket import Talk

# llm-comply 0.5.0 resolves references as jsonschema did before 4.18.
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")

MODEL = "gpt-5-nano"
PATIENCE = 60
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Current weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASKED: Mapping[str, Mapping[str, Any]] = {
    "text": {"input": "Hello"},
    "instructions": {"input": "Hello", "instructions": "Be brief.", "metadata": {"a": "b"}},
    "a tool": {"input": "What is the weather in Singapore?", "tools": [TOOL], "tool_choice": "required"},
    "reasoning": {"input": "Which is greater, 9.11 or 9.9?", "reasoning": {"effort": "high"}},
    "sealed reasoning": {
        "input": "Which is greater, 9.11 or 9.9?",
        "reasoning": {"effort": "high"},
        "include": ["reasoning.encrypted_content"],
    },
    "cut": {"input": "Count from 1 to 200.", "max_output_tokens": 16},
    "probabilities": {"input": "Hello", "top_logprobs": 2, "include": ["message.output_text.logprobs"]},
}
DOCUMENT = SpecLoader(str(files("llm_comply") / "specs" / "openresponses.json"))
"""The OpenAPI document of Open Responses, as llm-comply brings it."""


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    mock = start(auth="strict", openai_profile="open-responses")
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=running.http + "/v1", api_key=running.info["bearer"], max_retries=0) as made:
        yield made


def comply(url: str, key: str, model: str, form: str) -> dict[str, str]:
    """What each of llm-comply's tests came to, and its complaints."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "import sys; from llm_comply.cli import main; sys.exit(main())", "run"),
            *("--base-url", url, "--api-key", key, "--model", model, "--format", form, "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout, done.stderr
    results = json.loads(done.stdout)["results"]
    return {each["id"]: " ".join([each["status"], *each.get("errors", ())]) for each in results}


def wrong(kind: str, said: Any) -> list[str]:
    """What Open Responses' own schema finds wrong."""
    found: list[str] = DOCUMENT.validate(said, kind)
    return found


EVENTS = {
    DOCUMENT.get_schema(name)["properties"]["type"]["enum"][0]: name
    for name in DOCUMENT.schema_names
    if name.endswith("StreamingEvent")
}
"""The schema of each event by its type."""


def wrong_events(events: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What is wrong with the events, by their type."""
    found = {each["type"]: wrong(EVENTS[each["type"]], each) for each in events}
    return {name: each for name, each in found.items() if each}


# Over HTTP


def test_llm_comply_finds_nothing_wrong_with_open_responses(running: Running) -> None:
    found = comply(running.http + "/v1", running.info["bearer"], MODEL, "open-responses")
    assert found == dict.fromkeys(found, "passed")
    assert len(found) == 13


def test_llm_comply_finds_nothing_wrong_with_chat_completions_of_openai(running: Running) -> None:
    found = comply(running.http + "/openai-com/v1", running.info["bearer"], "gpt-4o-mini", "openai-chat")
    assert {name: said for name, said in found.items() if said != "passed"}.keys() <= {
        "chat-reasoning-summary"
    }
    assert len(found) == 9


@pytest.mark.parametrize("name", ASKED)
def test_every_answer_has_the_shape_that_the_document_demands(client: OpenAI, name: str) -> None:
    answer = client.responses.with_raw_response.create(model=MODEL, **ASKED[name]).http_response.json()
    assert wrong("ResponseResource", answer) == []
    assert answer["status"] == ("incomplete" if name == "cut" else "completed")


@pytest.mark.parametrize("name", ASKED)
def test_every_event_has_the_shape_that_the_document_demands(client: OpenAI, name: str) -> None:
    with client.responses.with_streaming_response.create(model=MODEL, stream=True, **ASKED[name]) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    named, events = lines[:-1:2], [json.loads(line.removeprefix("data: ")) for line in lines[1:-1:2]]
    assert named == [f"event: {each['type']}" for each in events]
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert wrong_events(events) == {}
    if "reasoning" in name:
        types = {each["type"] for each in events}
        assert {"response.reasoning.delta", "response.reasoning.done"} <= types
        assert not any("reasoning_text" in each for each in types)


@pytest.mark.parametrize("name", ["throttling", "internal", "model-error", "overloaded"])
def test_a_failure_in_a_stream_is_told_and_the_response_has_failed(running: Running, name: str) -> None:
    provider = MockProvider(running, f"fails in a stream: {name}", {})
    provider.fail(name, after_events=5)
    with (
        OpenAI(base_url=f"{provider.url()}/v1", api_key=running.info["bearer"]) as client,
        client.responses.with_streaming_response.create(model=MODEL, input="Hello", stream=True) as answer,
    ):
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[1:-1:2]]
    assert [each["sequence_number"] for each in events] == list(range(7))
    assert [each["type"] for each in events[-2:]] == ["error", "response.failed"]
    assert wrong_events(events) == {}
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]


def test_the_openai_package_raises_the_error_inside_a_stream(running: Running) -> None:
    provider = MockProvider(running, "raises inside a stream", {})
    provider.fail("internal", after_events=3)
    with OpenAI(base_url=f"{provider.url()}/v1", api_key=running.info["bearer"]) as client:
        events = client.responses.create(model=MODEL, input="Hello", stream=True)
        with pytest.raises(APIError, match="The server failed") as failed:
            list(events)
    assert failed.value.code == "server_error"


@pytest.mark.parametrize(
    ("model", "told", "kind"),
    [("no-such-model", {}, "not_found"), (MODEL, {"max_output_tokens": 1}, "invalid_request")],
)
def test_a_refusal_has_one_of_the_five_types(
    running: Running, model: str, told: Mapping[str, Any], kind: str
) -> None:
    answer = urllib3.request(
        "POST",
        running.http + "/v1/responses",
        headers={"Authorization": f"Bearer {running.info['bearer']}"},
        json={"model": model, "input": "Hello", **told},
    )
    assert answer.json()["error"]["type"] == kind


def test_there_are_no_chat_completions_in_open_responses(client: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello"}])


# Over a WebSocket: the seven checks


@pytest.fixture
def socket(running: Running) -> Iterator[Connection]:
    with opened(running) as connection:
        yield connection


def opened(running: Running, key: str | None = None) -> Connection:
    url = running.http.replace("http", "ws", 1) + "/v1/responses"
    headers = {"Authorization": f"Bearer {key or running.info['bearer']}"}
    return connect(url, additional_headers=headers, proxy=None, open_timeout=PATIENCE)


def test_a_socket_opens_over_tls_too(running: Running) -> None:
    # The threads of the synchronous client get in each other's way over TLS: one connection in 25 never sends a byte.
    import asyncio
    import ssl

    from websockets.asyncio.client import connect as connect_async

    async def frames() -> list[dict[str, Any]]:
        url = running.https.replace("http", "ws", 1) + "/v1/responses"
        headers = {"Authorization": f"Bearer {running.info['bearer']}"}
        trust = ssl.create_default_context(cafile=str(running.ca))
        async with connect_async(url, additional_headers=headers, ssl=trust, proxy=None) as connection:
            said = {"type": "response.create", "model": MODEL, "input": "Reply with exactly: amber kettle 42"}
            await connection.send(json.dumps(said))
            found = [json.loads(await connection.recv())]
            while found[-1]["type"] != "response.completed":
                found.append(json.loads(await connection.recv()))
            return found

    assert text(asyncio.run(frames())) == "amber kettle 42"


def ask(socket: Connection, **body: Any) -> list[dict[str, Any]]:
    """The frames that come to a `response.create`, to the last of them."""
    socket.send(json.dumps({"type": "response.create", "model": MODEL, **body}))
    return heard(socket)


def heard(socket: Connection) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] not in (
        *("response.completed", "response.incomplete", "response.failed", "error"),
    ):
        frames.append(json.loads(socket.recv(timeout=PATIENCE)))
    return frames


def text(frames: list[dict[str, Any]]) -> str:
    assert frames[-1]["type"] == "response.completed", frames[-1]
    return str(frames[-1]["response"]["output"][-1]["content"][0]["text"])


def error(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """The error of the one frame that came, which has the shape that the document demands."""
    (frame,) = frames
    assert wrong("WebSocketErrorEvent", frame) == []
    assert "sequence_number" not in frame
    return {"status": frame["status"], "code": frame["error"]["code"], "param": frame["error"]["param"]}


NOT_FOUND = {"status": 400, "code": "previous_response_not_found", "param": "previous_response_id"}
QUESTION = "What is the code word? Answer with the code word only."


def test_1_a_request_is_answered_with_the_events_of_a_stream(socket: Connection) -> None:
    frames = ask(socket, input="Reply with exactly: amber kettle 42")
    assert text(frames) == "amber kettle 42"
    assert [each["sequence_number"] for each in frames] == list(range(len(frames)))
    assert wrong_events(frames) == {}
    joined = "".join(each["delta"] for each in frames if each["type"] == "response.output_text.delta")
    assert joined == "amber kettle 42"


def test_2_one_response_is_made_after_the_other(socket: Connection) -> None:
    for word in ("amber", "kettle"):
        socket.send(
            json.dumps({"type": "response.create", "model": MODEL, "input": f"Reply with exactly: {word}"})
        )
    first, second = heard(socket), heard(socket)
    assert (text(first), text(second)) == ("amber", "kettle")
    for frames in (first, second):
        assert len({each["response"]["id"] for each in frames if "response" in each}) == 1
        assert frames[0]["type"] == "response.created"


def test_3_an_answer_that_is_stored_nowhere_goes_on_on_its_connection(
    socket: Connection, client: OpenAI
) -> None:
    first = ask(socket, input="The code word is PELICAN7. Remember it.", store=False)
    second = ask(socket, input="Thank you.", store=False, previous_response_id=first[-1]["response"]["id"])
    name = second[-1]["response"]["id"]
    assert second[-1]["response"]["store"] is False
    assert text(ask(socket, input=QUESTION, previous_response_id=name)) == "PELICAN7"


def test_4_an_answer_that_is_stored_nowhere_is_unknown_on_another_connection(running: Running) -> None:
    with opened(running) as first, opened(running) as second:
        name = ask(first, input="Hello", store=False)[-1]["response"]["id"]
        assert error(ask(second, input=QUESTION, previous_response_id=name)) == NOT_FOUND
        # Only the last one is remembered.
        ask(first, input="Hello", store=False)
        assert error(ask(first, input=QUESTION, previous_response_id=name)) == NOT_FOUND


def test_5_an_answer_that_is_stored_goes_on_everywhere(running: Running, client: OpenAI) -> None:
    with opened(running) as first, opened(running) as second:
        name = ask(first, input="The code word is PELICAN7. Remember it.")[-1]["response"]["id"]
        assert text(ask(second, input=QUESTION, previous_response_id=name)) == "PELICAN7"
    answer = client.responses.create(model=MODEL, input=QUESTION, previous_response_id=name)
    assert answer.output_text == "PELICAN7"


@pytest.mark.parametrize(
    "told", [{"model": "no-such-model"}, {"max_output_tokens": 1}, {"input": [{"type": "message"}]}], ids=str
)
def test_6_a_continuation_that_fails_lets_the_connection_forget(
    socket: Connection, told: dict[str, Any]
) -> None:
    name = ask(socket, input="The code word is PELICAN7.", store=False)[-1]["response"]["id"]
    failed = ask(socket, **{"input": QUESTION, "previous_response_id": name, **told})
    assert error(failed)["status"] in (400, 404)
    assert error(ask(socket, input=QUESTION, previous_response_id=name)) == NOT_FOUND
    assert text(ask(socket, input="Reply with exactly: still here")) == "still here"


def test_a_failure_that_continues_nothing_lets_the_connection_forget_nothing(
    socket: Connection,
) -> None:
    name = ask(socket, input="The code word is PELICAN7.", store=False)[-1]["response"]["id"]
    error(ask(socket, input="Hello", model="no-such-model"))
    assert text(ask(socket, input=QUESTION, previous_response_id=name)) == "PELICAN7"


def test_7_a_result_of_a_tool_goes_on_and_a_compaction_begins_anew(
    socket: Connection, client: OpenAI
) -> None:
    asked = ask(socket, input="What is the weather in Singapore?", tools=[TOOL], store=False)
    call = asked[-1]["response"]["output"][-1]
    assert (call["type"], json.loads(call["arguments"])) == ("function_call", {"city": "Singapore"})
    result = {
        "type": "function_call_output",
        "call_id": call["call_id"],
        "output": "31 degrees and hailing",
    }
    told = ask(
        socket,
        input=[result],
        tools=[TOOL],
        store=False,
        previous_response_id=asked[-1]["response"]["id"],
    )
    assert "hailing" in text(told)
    short = client.responses.with_raw_response.compact(
        model=MODEL, input=[{"role": "user", "content": "The code word is HERON5. Remember it."}]
    ).http_response.json()
    assert wrong("CompactResource", short) == []
    again = [*short["output"], {"role": "user", "content": QUESTION}]
    assert text(ask(socket, input=again)) == "HERON5"


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("no JSON", "invalid_value", "type"),
        ('{"type":"response.cancel"}', "invalid_value", "type"),
        ("[]", "invalid_value", "type"),
        ('{"type":"response.create","input":"Hello"}', "missing_required_parameter", "model"),
        ('{"type":"response.create","model":"gpt-5-nano","input":5}', "invalid_value", "input"),
        ('{"type":"response.create","model":"gpt-5-nano","stream":true}', "invalid_value", "stream"),
        ('{"type":"response.create","model":"gpt-5-nano","background":true}', "invalid_value", "background"),
    ],
)
def test_a_frame_that_is_wrong_is_told_and_the_connection_stays(
    socket: Connection, frame: str, code: str, param: str
) -> None:
    socket.send(frame)
    assert error(heard(socket)) == {"status": 400, "code": code, "param": param}
    assert text(ask(socket, input="Reply with exactly: still here")) == "still here"


def test_who_has_no_key_gets_no_socket(running: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(running, key="not-a-key-of-anybody")
    assert refused.value.response.status_code == 401


def test_a_cut_ends_the_connection_in_the_middle_of_an_answer(running: Running) -> None:
    provider = MockProvider(running, "cut on a socket", {})
    provider.cut(after_events=4)
    url = provider.url().replace("http", "ws", 1) + "/v1/responses"
    headers = {"Authorization": f"Bearer {running.info['bearer']}"}
    frames: list[Any] = []
    with connect(url, additional_headers=headers, proxy=None, open_timeout=PATIENCE) as socket:
        socket.send(json.dumps({"type": "response.create", "model": MODEL, "input": "Hello"}))
        with pytest.raises(ConnectionClosedOK):
            while True:
                frames.append(socket.recv(timeout=PATIENCE))
    assert len(frames) == 4
    assert [each.contract for each in provider.journal] == [
        "open-responses/responses-socket",
        "open-responses/responses-stream",
    ]


def test_the_connection_ends_after_an_hour_and_says_so() -> None:
    contract = load().contracts["open-responses/responses-socket"]
    settings = contract.response["made_by"]["settings"]
    asked: list[Any] = []

    def answered(body: Mapping[str, Any], now: float) -> Answer:
        asked.append((body, now))
        yield from ()

    ids = Ids(None, random.Random(1), Request("GET", "/", ()))
    talk = Talk(settings, answered, began=1000.0, ids=ids)
    assert talk.ping_seconds == 3600
    list(carry_out(talk.hear('{"type":"response.create"}', 1000.0 + 600), Memory()))
    assert (asked, talk.ping_seconds) == ([({"stream": True}, 1600.0)], 3000)
    said, end = carry_out(talk.ping(), Memory())
    assert isinstance(said, Send)
    assert error([json.loads(said.data)]) == {
        "status": 400,
        "code": "websocket_connection_limit_reached",
        "param": None,
    }
    assert end == Cut()


# Clients of others


@pytest.mark.parametrize(
    ("prefix", "model"), [("/open-responses/v1", MODEL), ("/openai-com/v1", "gpt-4o-mini")]
)
def test_the_openai_package_talks_on_a_socket(running: Running, prefix: str, model: str) -> None:
    with (
        closing(OpenAI(base_url=running.http + prefix, api_key=running.info["bearer"])) as client,
        client.responses.connect() as connection,
    ):
        connection.response.create(model=model, input="The code word is PELICAN7. Remember it.", store=False)
        frames: Iterator[Any] = iter(connection)
        first = next(each for each in frames if each.type == "response.completed")
        connection.response.create(
            model=model, input=QUESTION, store=False, previous_response_id=first.response.id
        )
        types = []
        for event in frames:
            types.append(event.type)
            if event.type == "response.completed":
                break
        assert event.response.output_text == "PELICAN7"
        assert types[:2] == ["response.created", "response.in_progress"]
        connection.response.create(model=model, input="Hello", previous_response_id="resp_of_nobody")
        refused = next(frames)
        assert (refused.type, refused.status) == ("error", 400)
        assert refused.error.code == "previous_response_not_found"


@pytest.fixture(scope="module")
def told(node: Any, running: Running) -> Any:
    outcomes = node.run(
        "open_responses_probe.mjs",
        *("text", "streams", "uses a tool", "is refused", "talks on a socket", "is refused on a socket"),
        PROBE_URL=running.http + "/v1",
        PROBE_KEY=running.info["bearer"],
        PROBE_MODEL=MODEL,
        NO_PROXY="127.0.0.1",
    )
    return {name: each.get("value", each.get("error")) for name, each in outcomes.items()}


def test_the_ai_sdk_s_provider_for_open_responses_reads_text_and_streams(told: Any) -> None:
    assert told["text"] == {"text": "amber kettle 42", "finishReason": "stop", "counted": True}
    assert told["streams"]["text"] == "amber kettle 42"
    assert told["streams"]["pieces"] > 1


def test_the_ai_sdk_s_provider_for_open_responses_uses_a_tool(told: Any) -> None:
    assert told["uses a tool"]["called"] == [{"toolName": "get_weather", "input": {"city": "Singapore"}}]
    assert "hailing" in told["uses a tool"]["text"]


def test_the_ai_sdk_s_provider_for_open_responses_is_told_why_it_is_refused(told: Any) -> None:
    assert told["is refused"]["message"] == "The requested model 'no-such-model' does not exist."


def test_openai_node_talks_on_a_socket(told: Any) -> None:
    first, second = told["talks on a socket"]
    assert (first["store"], second) == (False, {"text": "PELICAN7", "store": False})
    refused, after = told["is refused on a socket"]
    assert refused["error"]["code"] == "previous_response_not_found"
    assert after["text"] == "amber kettle 42"
