"""The fixtures for other people's tests: as their project has them, and what they do in every API's own form."""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.values import ToolCall
from mockserver.provider import MockProvider

MODEL = "mistral.magistral-small-2509"
PUTER_MODEL = "mistralai/magistral-small-2509"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
SAY = [{"role": "user", "content": "Hello"}]

SIX_LINES = """
def test_survives_throttling(mock_provider, bedrock_client):
    mock_provider.fail("throttling", times=2)
    hello = [{"role": "user", "content": [{"text": "Hello"}]}]
    answer = bedrock_client.converse(modelId=mock_provider.model, messages=hello)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert [entry.status for entry in mock_provider.journal] == [429, 429, 200]
"""

ASK = """
import pytest

SAY = [{"role": "user", "content": "Hello there"}]

def ask(mock_provider, **more):
    with mock_provider.openai_client(max_retries=0) as client:
        return client.chat.completions.create(model=mock_provider.model, messages=SAY, **more)
"""


# -- every API, asked once, as (text, calls, finish) in the words of its own client ------------------------------


def converse(mock: MockProvider, **more: Any) -> Any:
    client = mock.bedrock_client()
    try:
        answer = client.converse(modelId=MODEL, messages=HELLO)
    finally:
        client.close()
    blocks = answer["output"]["message"]["content"]
    calls = [(each["toolUse"]["name"], each["toolUse"]["input"]) for each in blocks if "toolUse" in each]
    return "".join(each.get("text", "") for each in blocks), calls, answer["stopReason"]


def converse_stream(mock: MockProvider) -> Any:
    client = mock.bedrock_client()
    text, names, pieces, finish = "", [], {}, None
    for event in client.converse_stream(modelId=MODEL, messages=HELLO)["stream"]:
        match event:
            case {"contentBlockStart": {"start": {"toolUse": call}, "contentBlockIndex": index}}:
                names.append(call["name"])
                pieces[index] = ""
            case {"contentBlockDelta": {"delta": {"text": piece}}}:
                text += piece
            case {"contentBlockDelta": {"delta": {"toolUse": call}, "contentBlockIndex": index}}:
                pieces[index] += call["input"]
            case {"messageStop": {"stopReason": reason}}:
                finish = reason
    client.close()
    return text, list(zip(names, map(json.loads, pieces.values()), strict=True)), finish


def of_message(message: Any, finish: str) -> Any:
    calls = message.get("tool_calls") or []
    named = [(each["function"]["name"], json.loads(each["function"]["arguments"])) for each in calls]
    return message.get("content") or "", named, finish


def of_chunks(choices: list[Any]) -> Any:
    text = "".join(each["delta"].get("content") or "" for each in choices)
    calls: dict[int, list[str]] = {}
    for each in choices:
        for call in each["delta"].get("tool_calls") or []:
            known = calls.setdefault(call["index"], ["", ""])
            known[0] += call["function"].get("name") or ""
            known[1] += call["function"].get("arguments") or ""
    finish = [each["finish_reason"] for each in choices if each.get("finish_reason")]
    return text, [(name, json.loads(arguments)) for name, arguments in calls.values()], finish[-1]


def invoke(mock: MockProvider) -> Any:
    client = mock.bedrock_client()
    answer = client.invoke_model(modelId=MODEL, body=json.dumps({"messages": SAY}))
    [choice] = json.loads(answer["body"].read())["choices"]
    client.close()
    return of_message(choice["message"], choice["finish_reason"])


def invoke_stream(mock: MockProvider) -> Any:
    client = mock.bedrock_client()
    answer = client.invoke_model_with_response_stream(modelId=MODEL, body=json.dumps({"messages": SAY}))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    client.close()
    return of_chunks([choice for chunk in chunks for choice in chunk["choices"]])


def chat(mock: MockProvider, model: str = MODEL, **options: Any) -> Any:
    with mock.openai_client(**options) as client:
        [choice] = client.chat.completions.create(model=model, messages=SAY).to_dict()["choices"]  # type: ignore[arg-type]
    return of_message(choice["message"], choice["finish_reason"])


def chat_stream(mock: MockProvider, model: str = MODEL, **options: Any) -> Any:
    with mock.openai_client(**options) as client:
        chunks = list(client.chat.completions.create(model=model, messages=SAY, stream=True))  # type: ignore[call-overload]
    return of_chunks([choice for chunk in chunks for choice in chunk.to_dict()["choices"]])


def of_response(response: Any) -> Any:
    calls = [
        (each.name, json.loads(each.arguments)) for each in response.output if each.type == "function_call"
    ]
    return response.output_text, calls, response.status


def responses(mock: MockProvider) -> Any:
    with mock.openai_client() as client:
        return of_response(client.responses.create(model=MODEL, input="Hello"))


def responses_stream(mock: MockProvider) -> Any:
    with mock.openai_client() as client, client.responses.stream(model=MODEL, input="Hello") as stream:
        return of_response(stream.get_final_response())


def at_puter(mock: MockProvider) -> dict[str, Any]:
    base_url = mock.url("puter") + "/puterai/openai/v1/"
    return {"model": PUTER_MODEL, "base_url": base_url, "api_key": mock.info["puter_token"]}


def puter_chat(mock: MockProvider) -> Any:
    return chat(mock, **at_puter(mock))


def puter_chat_stream(mock: MockProvider) -> Any:
    return chat_stream(mock, **at_puter(mock))


def puter_driver(mock: MockProvider) -> Any:
    import urllib.request

    call = {
        "interface": "puter-chat-completion",
        "driver": "ai-chat",
        "method": "complete",
        "args": {"model": PUTER_MODEL, "messages": [{"content": "Hello"}]},
        "auth_token": mock.info["puter_token"],
    }
    request = urllib.request.Request(
        mock.url("puter") + "/drivers/call",
        json.dumps(call).encode(),
        {"Content-Type": "text/plain;actually=json"},
    )
    with urllib.request.urlopen(request) as answer:
        result = json.load(answer)["result"]
    return of_message(result["message"], result["finish_reason"])


APIS = {
    each.__name__: each
    for each in (
        converse,
        converse_stream,
        invoke,
        invoke_stream,
        chat,
        chat_stream,
        responses,
        responses_stream,
        puter_chat,
        puter_chat_stream,
        puter_driver,
    )
}
ENDS_WITH_CALLS = {"converse": "tool_use", "converse_stream": "tool_use"} | dict.fromkeys(
    ("responses", "responses_stream"), "completed"
)
ENDS = {"converse": "end_turn", "converse_stream": "end_turn"} | dict.fromkeys(
    ("responses", "responses_stream"), "completed"
)
every_api = pytest.mark.parametrize("api", APIS)


class TestScript:
    @every_api
    def test_a_scripted_text_comes_in_every_apis_own_form(
        self, mock_provider: MockProvider, api: str
    ) -> None:
        mock_provider.reply("Grüße, \U0001f600 and a plain end.")
        assert APIS[api](mock_provider) == ("Grüße, \U0001f600 and a plain end.", [], ENDS.get(api, "stop"))

    @every_api
    def test_scripted_calls_come_in_every_apis_own_form(self, mock_provider: MockProvider, api: str) -> None:
        calls = [
            {"name": "get_weather", "arguments": {"city": "Lisbon"}},
            {"name": "send_mail", "arguments": {"to": ["a@b.example"], "urgent": True}},
        ]
        mock_provider.reply(tool_calls=calls)
        assert APIS[api](mock_provider) == (
            "",
            [(call["name"], call["arguments"]) for call in calls],
            ENDS_WITH_CALLS.get(api, "tool_calls"),
        )

    @every_api
    def test_a_script_is_played_in_order_and_then_the_model_answers(
        self, mock_provider: MockProvider, api: str
    ) -> None:
        mock_provider.reply("first")
        mock_provider.reply("second")
        assert [APIS[api](mock_provider)[0] for _ in range(2)] == ["first", "second"]
        assert APIS[api](mock_provider)[0] not in ("", "first", "second")
        assert [entry.scripted for entry in mock_provider.journal] == [True, True, False]

    def test_a_script_comes_before_a_worked_example(self, mock_provider: MockProvider) -> None:
        """The contracts have an exchange for this very request."""
        mock_provider.reply("scripted")
        with mock_provider.openai_client() as client:
            said = [
                client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "Hi"}], max_tokens=16
                )
                for _ in range(2)
            ]
        assert said[0].choices[0].message.content == "scripted"
        assert said[1].choices[0].message.content != "scripted"

    def test_a_scripted_reply_has_the_usage_it_would_have_cost(self, mock_provider: MockProvider) -> None:
        mock_provider.reply("one two three four five six seven eight nine ten")
        with mock_provider.openai_client() as client:
            usage = client.chat.completions.create(model=MODEL, messages=SAY).usage  # type: ignore[arg-type]
        assert usage
        assert usage.completion_tokens >= 10
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens

    def test_a_scripted_reply_can_end_for_another_reason(self, mock_provider: MockProvider) -> None:
        mock_provider.reply("one two", finish="length")
        assert converse(mock_provider) == ("one two", [], "max_tokens")

    def test_a_call_of_another_form_is_refused(self, mock_provider: MockProvider) -> None:
        for wrong in ({"function": {}}, ("get_weather", {"city": "Oslo"}), "get_weather"):
            says = re.escape(
                f"tool_calls[0]: expected {{'name': ..., 'arguments': {{...}}}} and perhaps 'id', got {wrong!r}"
            )
            with pytest.raises(ValueError, match=says):
                mock_provider.reply(tool_calls=[wrong])
        with pytest.raises(ValueError, match=r"finish: expected one of stop, length, .*, got 'done'"):
            mock_provider.reply("x", finish="done")

    def test_an_error_that_no_contract_has_is_refused_with_the_closest(
        self, mock_provider: MockProvider
    ) -> None:
        with pytest.raises(ValueError, match=r"no contract has an error 'throttled'; closest: throttling"):
            mock_provider.fail("throttled")

    def test_a_scripted_error_names_what_a_real_one_would(self, mock_provider: MockProvider) -> None:
        from botocore.exceptions import ClientError

        mock_provider.fail("incomplete-signature")
        with pytest.raises(ClientError, match=r"Authorization header requires Signature\.$"):
            converse(mock_provider)


def test_the_page_starts_a_mock_without_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "mock.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test: start -->\n```python\n(.*?)```", page, re.DOTALL)
    assert block, "expected a python block after <!-- test: start --> in docs/mock.md"
    exec(block[1], {})
    assert re.fullmatch(
        r"http://127\.0\.0\.1:\d+ https://127\.0\.0\.1:\d+ \S+/ca\.pem \S+\n", capsys.readouterr().out
    )


class TestWatch:
    @every_api
    def test_requests_are_folded_to_the_same_turn_whatever_the_api(
        self, mock_provider: MockProvider, api: str
    ) -> None:
        APIS[api](mock_provider)
        [turn] = mock_provider.requests
        [message] = turn.messages
        assert (message.role, message.text, turn.stream) == ("user", "Hello", api.endswith("_stream"))
        assert turn.model == (PUTER_MODEL if api.startswith("puter") else MODEL)

    def test_a_conversation_with_tools_is_folded_whole(self, mock_provider: MockProvider) -> None:
        client = mock_provider.bedrock_client()
        call = {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"city": "Lisbon"}}
        result = {"toolUseId": "tooluse_1", "content": [{"text": "31 degrees"}]}
        spec = {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}
        client.converse(
            modelId=MODEL,
            system=[{"text": "Be brief."}],
            messages=[
                *HELLO,
                {"role": "assistant", "content": [{"toolUse": call}]},
                {"role": "user", "content": [{"toolResult": result}]},
            ],
            inferenceConfig={"maxTokens": 99, "temperature": 0.5, "stopSequences": ["END"]},
            toolConfig={"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}},
        )
        client.close()
        [turn] = mock_provider.requests
        assert [message.role for message in turn.messages] == ["system", "user", "assistant", "tool"]
        assert turn.messages[2].parts == (ToolCall("tooluse_1", "get_weather", {"city": "Lisbon"}),)
        assert (turn.max_tokens, turn.temperature, turn.stop) == (99, 0.5, ("END",))
        assert (turn.tools[0].name, turn.tool_choice and turn.tool_choice.mode) == ("get_weather", "any")

    def test_the_journal_says_what_was_refused_and_why_and_no_key(self, mock_provider: MockProvider) -> None:
        import openai

        with mock_provider.openai_client(max_retries=0) as client, pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="no.such", messages=SAY)  # type: ignore[arg-type]
        [entry] = mock_provider.journal
        assert (entry.contract, entry.status) == ("bedrock-mantle/chat-completions", 404)
        assert entry.line() == 'POST /v1/chat/completions -> 404 (unknown-model: model "no.such")'
        assert mock_provider.info["bearer"] not in repr(mock_provider.journal)


# -- in a project of its own ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def imported(mock_servers: Any) -> None:
    """What a run inside imports first is forgotten after it, and neither cryptography nor yaml can be imported twice."""
    import conformance.documents.strict  # noqa: F401

    with mock_servers.provider("outside").openai_client() as client:
        client.models.list()


@pytest.fixture(scope="module")
def kept_outside() -> str:
    """Where the specs are kept: pytester has a home of its own, in which each run would read them anew."""
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


@pytest.fixture
def inner(
    imported: None, kept_outside: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Runs a test file in this process, in a project of its own; nothing of it may warn."""
    monkeypatch.setenv("XDG_CACHE_HOME", kept_outside)

    def run(text: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(ASK + textwrap.dedent(text))
        return pytester.runpytest_inprocess(
            "-p", "no:randomly", "-p", "no:cacheprovider", "-W", "error", *options
        )

    return run


class TestInAProject:
    def test_the_fixtures_are_listed_with_what_they_are(self, pytester: pytest.Pytester) -> None:
        result = pytester.runpytest_inprocess("--fixtures")
        for line in (
            "mock_provider*",
            "*MockProvider` of this test's own*",
            "bedrock_client*",
            "*boto3 client of bedrock-runtime*",
            "openai_client*",
            "*client of bedrock-mantle*",
        ):
            result.stdout.fnmatch_lines([line])

    def test_every_name_of_ours_is_registered(self, pytester: pytest.Pytester) -> None:
        result = pytester.runpytest_inprocess("--markers", "--strict-markers")
        result.stdout.fnmatch_lines(["@pytest.mark.mock_provider(auth=..., reality=...,*quotas)*"])

    def test_a_script_that_is_not_used_fails_the_test_with_the_nearest_request(
        self, inner: Callable[..., pytest.RunResult]
    ) -> None:
        result = inner(
            """
            def test_it(mock_provider):
                mock_provider.reply("first")
                mock_provider.reply("never")
                mock_provider.fail("throttling", times=2)
                ask(mock_provider)
                with pytest.raises(Exception):
                    ask(mock_provider, temperature="warm")
            """
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            [
                "3 of 4 scripted answers were never asked for:",
                "  reply('never')",
                "  fail('throttling')",
                "  fail('throttling')",
                "requests that came: 2, with a scripted answer: 1; the nearest:",
                "  POST /v1/chat/completions -> 400 (request-shape: /temperature: *",
            ]
        )
        result.stdout.no_fnmatch_line("*provider.py*")

    def test_the_nearest_request_is_shown_with_what_it_said(
        self, inner: Callable[..., pytest.RunResult]
    ) -> None:
        result = inner(
            """
            def test_it(mock_provider):
                ask(mock_provider)
                mock_provider.cut(after_events=1)
            """
        )
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            ["  cut(after_events=1)", "  POST /v1/chat/completions -> 200", "  user: 'Hello there'"]
        )

    def test_a_script_that_nobody_came_for_asks_where_the_client_points(
        self, inner: Callable[..., pytest.RunResult]
    ) -> None:
        result = inner("def test_it(mock_provider):\n    mock_provider.reply('hello')\n")
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(
            ["no request came to http://127.0.0.1:*; is the client pointed elsewhere?"]
        )

    def test_what_one_test_leaves_is_not_there_in_the_next(
        self, inner: Callable[..., pytest.RunResult]
    ) -> None:
        result = inner(
            """
            import os

            KEPT = {}

            def test_leaves(mock_provider):
                with mock_provider.openai_client() as client:
                    made = client.responses.create(model=mock_provider.model, input="Hello there")
                KEPT.update(id=made.id, url=mock_provider.url())
                mock_provider.reply("never")

            def test_finds_nothing(mock_provider):
                assert mock_provider.url() != KEPT["url"]
                assert mock_provider.journal == mock_provider.requests == []
                assert ask(mock_provider).choices[0].message.content != "never"
                with mock_provider.openai_client() as client, pytest.raises(Exception, match="not found"):
                    client.responses.create(
                        model=mock_provider.model, input="And now?", previous_response_id=KEPT["id"]
                    )

            @pytest.mark.parametrize("text", ["a", "b"])
            def test_each_case_is_a_test(mock_provider, text):
                mock_provider.reply(text)
                assert ask(mock_provider).choices[0].message.content == text
                assert len(mock_provider.journal) == 1

            def test_the_environment_is_given_back():
                assert "OPENAI_BASE_URL" not in os.environ
            """
        )
        result.assert_outcomes(passed=5, errors=1)

    def test_quotas_are_each_tests_own(self, inner: Callable[..., pytest.RunResult]) -> None:
        result = inner(
            """
            def converse(client, model):
                return client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hello"}]}])

            @pytest.mark.parametrize("again", [1, 2])
            @pytest.mark.mock_provider(requests_per_minute=2)
            def test_it(mock_provider, again):
                from botocore.config import Config

                client = mock_provider.bedrock_client(config=Config(retries={"total_max_attempts": 1}))
                for _ in range(2):
                    converse(client, mock_provider.model)
                with pytest.raises(client.exceptions.ThrottlingException):
                    converse(client, mock_provider.model)
                client.close()
            """
        )
        result.assert_outcomes(passed=2)

    def test_the_marker_says_how_the_mock_is_to_be(self, inner: Callable[..., pytest.RunResult]) -> None:
        result = inner(
            """
            import openai

            @pytest.mark.mock_provider(auth="strict")
            class TestStrict:
                def test_the_key_is_looked_at(self, mock_provider, openai_client):
                    ask(mock_provider)
                    wrong = openai_client.with_options(api_key="dummy", max_retries=0)
                    with pytest.raises(openai.AuthenticationError):
                        wrong.models.list()

                @pytest.mark.mock_provider(auth="lenient")
                def test_the_nearest_marker_counts(self, openai_client):
                    assert openai_client.with_options(api_key="dummy").models.list().data

            @pytest.mark.mock_provider(reality="observed")
            def test_reality(mock_provider, openai_client):
                with pytest.raises(openai.BadRequestError, match="does not support"):
                    openai_client.responses.create(model=mock_provider.model, input="Hello")
            """
        )
        result.assert_outcomes(passed=3)

    @pytest.mark.parametrize(
        ("marker", "says"),
        [
            ("'strict'", "expected names (auth='strict'), got 'strict'"),
            ("auth='severe'", "auth: expected one of lenient, strict, off, got 'severe'"),
            ("reality='mine'", "reality: expected one of documented, observed, got 'mine'"),
            (
                "rpm=3",
                "expected auth, reality, openai_profile, in_process or a quota (*requests_per_minute*), got 'rpm'",
            ),
            ("requests_per_minute=-1", "requests_per_minute: expected a limit of 0 or more, got -1"),
        ],
    )
    def test_a_marker_that_is_wrong_says_what_was_expected(
        self, inner: Callable[..., pytest.RunResult], marker: str, says: str
    ) -> None:
        result = inner(
            f"@pytest.mark.mock_provider({marker})\ndef test_it(mock_provider):\n    raise AssertionError\n"
        )
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"@pytest.mark.mock_provider: {says}"])

    def test_a_client_that_is_not_installed_is_named_with_what_to_install(
        self, inner: Callable[..., pytest.RunResult]
    ) -> None:
        result = inner(
            """
            import sys

            @pytest.fixture
            def bare(monkeypatch):
                monkeypatch.setitem(sys.modules, "boto3", None)
                monkeypatch.setitem(sys.modules, "openai", None)

            def test_boto3(bare, bedrock_client):
                pass

            def test_openai(bare, openai_client):
                pass
            """
        )
        result.assert_outcomes(errors=2)
        lines = result.stdout.str().count("pip install 'provider-conformance[clients]'")
        assert lines >= 2

    def test_a_proxy_of_the_environment_is_not_asked(
        self, inner: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "intranet.example")
        monkeypatch.delenv("no_proxy", raising=False)
        result = inner(
            """
            import os

            def test_it(mock_provider, bedrock_client):
                ask(mock_provider)
                hello = [{"role": "user", "content": [{"text": "Hello"}]}]
                bedrock_client.converse(modelId=mock_provider.model, messages=hello)
                assert os.environ["no_proxy"] == "intranet.example,127.0.0.1"
            """
        )
        result.assert_outcomes(passed=1)

    def test_many_workers_and_a_random_order_change_nothing(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(
            """
            import json
            import urllib.request

            import pytest

            def said(mock_provider):
                asked = {"model": mock_provider.model, "messages": [{"role": "user", "content": "Hello there"}]}
                headers = {"Content-Type": "application/json", "Authorization": "Bearer dummy"}
                url = mock_provider.url("bedrock-mantle") + "/v1/chat/completions"
                request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)["choices"][0]["message"]["content"]

            @pytest.mark.parametrize("number", range(12))
            def test_it(mock_provider, number):
                for _ in range(number % 3):
                    mock_provider.reply(f"reply {number}")
                texts = [said(mock_provider) for _ in range(3)]
                assert [text for text in texts if text.startswith("reply")] == [f"reply {number}"] * (number % 3)
                assert len(mock_provider.requests) == 3
            """
        )
        result = pytester.runpytest_subprocess("-n", "2", "-p", "randomly", "-W", "error")
        result.assert_outcomes(passed=12)

    def test_a_hostile_project_is_served_all_the_same(self, pytester: pytest.Pytester) -> None:
        """Its own file names, another plugin that owns the bare words, imports without a package, every warning an error."""
        pytester.makeini(
            """
            [pytest]
            python_files = *_spec.py
            python_functions = it_*
            addopts = --strict-markers --strict-config --import-mode=importlib -p owner
            filterwarnings = error
            xfail_strict = true
            """
        )
        pytester.makepyfile(
            owner="""
            import pytest

            def pytest_addoption(parser):
                for name in ("--model", "--provider", "--endpoint-url", "--region", "--api", "--auth"):
                    parser.addoption(name)
                parser.addini("model", "theirs")
                parser.addini("waivers", "theirs")

            @pytest.fixture
            def model(request):
                return request.config.getoption("--model")
            """,
            throttling_spec=SIX_LINES.replace("def test_", "def it_")
            + "    assert mock_provider.model\n\n\ndef it_keeps_its_option(model):\n    assert model == 'theirs'\n",
            test_not_collected="raise RuntimeError",
        )
        pytester.syspathinsert()
        result = pytester.runpytest_subprocess("--model", "theirs")
        result.assert_outcomes(passed=2)

    def test_a_run_that_does_not_use_them_imports_nothing_of_it(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytester.makepyfile(
            """
            import sys

            def test_it():
                heavy = {"aiohttp", "yaml", "boto3", "openai", "jsonschema_rs", "cryptography", "orjson", "asyncio"}
                assert not heavy & set(sys.modules)
                assert [name for name in sys.modules if name.startswith("mockserver.")] == ["mockserver.fixtures"]
            """
        )
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        ours = ("-p", "conformance.plugin", "-p", "mockserver.fixtures")
        pytester.runpytest_subprocess(*ours).assert_outcomes(passed=1)
