"""httpx, and openai over httpx2, answered inside their own process through respx, with every socket forbidden."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from openai import AsyncOpenAI, AuthenticationError, OpenAI, RateLimitError

from mockserver.provider import Servers

IN_PROCESS = pytest.mark.mock_provider(in_process=True)
pytestmark = IN_PROCESS
MODEL = "gpt-4o-mini"
SAY: Any = [{"role": "user", "content": "Reply with exactly: no socket was opened"}]
COUNT: Any = [{"role": "user", "content": "Count from 1 to 60, one number after the other."}]
CHAT = "https://api.openai.com/v1/chat/completions"
KEY = {"Authorization": "Bearer x"}


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def client(mock_provider: Any, httpx2_mock: respx.MockRouter) -> Iterator[OpenAI]:
    """A client as users make it: it knows nothing of the mock."""
    mock_provider.mount(httpx2_mock)
    with OpenAI(max_retries=0) as made:
        yield made


def words(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


# -- openai ---------------------------------------------------------------------------------------


def test_openai_is_answered_at_its_own_address(client: OpenAI, mock_provider: Any) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=SAY)
    assert answer.choices[0].message.content == "no socket was opened"
    assert mock_provider.journal[0].contract == "openai/chat-completions"
    assert mock_provider.requests[0].messages[0].text == SAY[0]["content"]


def test_openai_reads_a_stream_an_event_at_a_time(client: OpenAI) -> None:
    raw = client.chat.completions.with_streaming_response.create(model=MODEL, messages=SAY, stream=True)
    with raw as response:
        pieces = list(response.iter_bytes())
    assert len(pieces) > 4
    assert all(piece.startswith(b"data: ") and piece.endswith(b"\n\n") for piece in pieces)
    assert (
        words(client.chat.completions.create(model=MODEL, messages=SAY, stream=True))
        == "no socket was opened"
    )


def test_openai_accumulates_a_streamed_response(client: OpenAI) -> None:
    with client.responses.stream(model=MODEL, input=SAY[0]["content"]) as stream:
        types = [event.type for event in stream]
        assert stream.get_final_response().output_text == "no socket was opened"
    assert types[0] == "response.created" and types[-1] == "response.completed"


def test_openai_async_is_answered_plain_and_streamed(client: OpenAI, mock_provider: Any) -> None:
    async def ask() -> tuple[str | None, str, str]:
        async with AsyncOpenAI(max_retries=0) as made:
            plain = await made.chat.completions.create(model=MODEL, messages=SAY)
            text = ""
            async for chunk in await made.chat.completions.create(model=MODEL, messages=SAY, stream=True):
                text += words([chunk])
            async with made.responses.stream(model=MODEL, input=SAY[0]["content"]) as stream:
                final = await stream.get_final_response()
            return plain.choices[0].message.content, text, final.output_text

    assert asyncio.run(ask()) == ("no socket was opened",) * 3
    assert len(mock_provider.requests) == 3


def test_scripted_errors_are_openais_own(client: OpenAI, mock_provider: Any) -> None:
    mock_provider.fail("throttling")
    with pytest.raises(RateLimitError) as caught:
        client.chat.completions.create(model=MODEL, messages=SAY)
    assert caught.value.response.headers["x-mock-refused"] == "script"


def test_openai_tries_again_by_itself(client: OpenAI, mock_provider: Any) -> None:
    mock_provider.fail("overloaded", times=1)
    patient = client.with_options(max_retries=1)
    assert patient.chat.completions.create(model=MODEL, messages=SAY).choices[0].message.content
    assert [entry.status for entry in mock_provider.journal] == [503, 200]


def test_bedrock_mantle_is_answered_in_any_region(client: OpenAI, mock_provider: Any) -> None:
    elsewhere = client.with_options(base_url="https://bedrock-mantle.eu-west-1.api.aws/v1")
    answer = elsewhere.chat.completions.create(model=mock_provider.model, messages=SAY)
    assert answer.choices[0].message.content == "no socket was opened"
    assert mock_provider.journal[0].contract == "bedrock-mantle/chat-completions"


def test_the_ready_client_needs_no_router(mock_provider: Any, openai_client: OpenAI) -> None:
    answer = openai_client.responses.create(model=mock_provider.model, input=SAY[0]["content"])
    assert answer.output_text == "no socket was opened"


# -- streams that end early -----------------------------------------------------------------------


def cut_short(client: OpenAI, model: str) -> tuple[int, type[BaseException], BaseException | None]:
    """How many chunks came, what was raised then, and from what."""
    got = 0
    with pytest.raises(Exception) as caught:
        for _ in client.chat.completions.create(model=model, messages=COUNT, stream=True):
            got += 1
    return got, type(caught.value), caught.value.__cause__


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_cut_raises_what_it_raises_over_a_socket(
    after: int, client: OpenAI, mock_provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_provider.cut(after_events=after)
    here = cut_short(client, MODEL)
    monkeypatch.undo()
    respx.mocks.Mocker.registry["httpcore2"].stop(force=True)
    servers = Servers()
    try:
        provider = servers.provider("over a socket")
        provider.cut(after_events=after)
        with OpenAI(base_url=provider.url("openai") + "/v1", api_key="x", max_retries=0) as over_a_socket:
            there = cut_short(over_a_socket, MODEL)
    finally:
        servers.stop()
    assert here[:2] == there[:2] and here[0] == after
    assert type(here[2]) is type(there[2])


def test_an_error_inside_a_stream_is_read(client: OpenAI, mock_provider: Any) -> None:
    mock_provider.fail("internal", after_events=2)
    with pytest.raises(Exception, match="server had an error"):
        list(client.chat.completions.create(model=MODEL, messages=COUNT, stream=True))


@pytest.mark.mock_provider(in_process=True, concurrent_requests=1)
def test_a_client_that_leaves_a_stream_gives_its_place_back(
    mock_provider: Any, httpx2_mock: respx.MockRouter
) -> None:
    mock_provider.mount(httpx2_mock)
    at = {
        "base_url": "https://api.puter.com/puterai/openai/v1/",
        "api_key": mock_provider.info["puter_token"],
    }
    with OpenAI(max_retries=0, **at) as client:
        ask: Callable[..., Any] = client.chat.completions.create
        asked = {"model": mock_provider.info["puter_model"], "messages": COUNT}
        with ask(**asked, stream=True) as stream:
            next(iter(stream))
            with pytest.raises(RateLimitError):
                ask(**asked)
        assert ask(**asked).choices


@pytest.mark.parametrize("library", ["httpcore", "httpx"])
def test_a_cut_and_a_stall_are_httpxs_own(library: str, mock_provider: Any) -> None:
    body = {"model": MODEL, "messages": COUNT, "stream": True}
    with respx.mock(using=library) as router, httpx.Client(headers=KEY) as client:
        mock_provider.mount(router)
        mock_provider.cut(after_events=2)
        with client.stream("POST", CHAT, json=body) as response:
            pieces = response.iter_raw()
            assert next(pieces) and next(pieces)
            with pytest.raises(httpx.RemoteProtocolError):
                next(pieces)
        broken = {"x-mock-break": "stalls"}
        with (
            client.stream("POST", CHAT, json=body, headers=broken) as response,
            pytest.raises(httpx.ReadTimeout),
        ):
            response.read()


# -- httpx, and the routes of the user ------------------------------------------------------------


def test_httpx_is_answered(mock_provider: Any, respx_mock: respx.MockRouter) -> None:
    mock_provider.mount(respx_mock)
    answer = httpx.post(CHAT, json={"model": MODEL, "messages": SAY}, headers=KEY)
    assert answer.json()["choices"][0]["message"]["content"] == "no socket was opened"
    assert answer.headers["x-mock-contract"] == "openai/chat-completions"
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_httpx_async_is_answered_and_streamed(mock_provider: Any, respx_mock: respx.MockRouter) -> None:
    mock_provider.mount(respx_mock)

    async def ask() -> list[str]:
        body = {"model": MODEL, "messages": SAY, "stream": True}
        async with (
            httpx.AsyncClient(headers=KEY) as client,
            client.stream("POST", CHAT, json=body) as response,
        ):
            return [line async for line in response.aiter_lines()]

    assert asyncio.run(ask())[-2:] == ["data: [DONE]", ""]


def test_what_breaks_a_rule_over_http_breaks_it_here(
    mock_provider: Any, respx_mock: respx.MockRouter
) -> None:
    mock_provider.mount(respx_mock)
    headers = {**KEY, "x-mock-break": "openai/chat-completions:usage-adds-up"}
    usage = httpx.post(CHAT, json={"model": MODEL, "messages": SAY}, headers=headers).json()["usage"]
    assert usage["total_tokens"] != usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_routes_of_the_user_win(when: str, mock_provider: Any, respx_mock: respx.MockRouter) -> None:
    def theirs() -> respx.Route:
        return respx_mock.post(CHAT).respond(418)

    route = theirs() if when == "before" else None
    mock_provider.mount(respx_mock)
    route = route or theirs()
    weather = respx_mock.get("https://weather.example.com/").respond(json={"degrees": 31})
    assert httpx.post(CHAT, json={}).status_code == 418
    assert httpx.get("https://weather.example.com/").json() == {"degrees": 31}
    assert httpx.get("https://api.openai.com/v1/models", headers=KEY).status_code == 200
    assert (route.call_count, weather.call_count, respx_mock.calls.call_count) == (1, 1, 3)
    assert [entry.path for entry in mock_provider.journal] == ["/v1/models"]


def test_a_route_of_the_user_that_declines_leaves_it_to_us(
    mock_provider: Any, respx_mock: respx.MockRouter
) -> None:
    mock_provider.mount(respx_mock)
    respx_mock.route().mock(side_effect=lambda request: None)
    assert httpx.get("https://api.openai.com/v1/models", headers=KEY).json()["object"] == "list"


def test_other_hosts_are_respxs(mock_provider: Any, respx_mock: respx.MockRouter) -> None:
    mock_provider.mount(respx_mock)
    with pytest.raises(AssertionError, match="not mocked"):
        httpx.get("https://example.com/")
    assert mock_provider.journal == []


def test_calls_are_recorded_with_answers_that_can_be_read(
    mock_provider: Any, respx_mock: respx.MockRouter
) -> None:
    mock_provider.mount(respx_mock)
    httpx.post(CHAT, json={"model": MODEL, "messages": SAY}, headers=KEY)
    call = respx_mock.calls.last
    assert call.request.headers["authorization"] == "Bearer x"
    assert call.response.json()["model"] == MODEL


class TestAssertAllCalled:
    def test_is_content_with_a_mount_that_nobody_asked(self, mock_provider: Any) -> None:
        with respx.mock(assert_all_called=True) as router:
            mock_provider.mount(router)

    def test_is_not_content_with_a_route_of_the_user_that_nobody_asked(self, mock_provider: Any) -> None:
        with pytest.raises(AssertionError, match="some routes were not called"), respx.mock() as router:
            mock_provider.mount(router)
            router.get("https://example.com/").respond(200)
            httpx.get("https://api.openai.com/v1/models", headers=KEY)


def test_a_router_that_mocks_everything_leaves_ours_to_us(mock_provider: Any) -> None:
    with respx.mock(assert_all_mocked=False, base_url="https://example.com") as router:
        mock_provider.mount(router)
        assert httpx.get("https://api.openai.com/v1/models", headers=KEY).json()["object"] == "list"
        assert httpx.get("https://example.com/").content == b""


# -- where it is answered -------------------------------------------------------------------------


def test_a_given_address_is_the_mocks_own(mock_provider: Any, respx_mock: respx.MockRouter) -> None:
    mock_provider.mount(respx_mock, base_url="https://llm.example.com/gateway/")
    body = {"model": mock_provider.model, "messages": SAY}
    answer = httpx.post("https://llm.example.com/gateway/v1/chat/completions", json=body, headers=KEY)
    assert answer.status_code == 200
    assert mock_provider.journal[0].contract == "bedrock-mantle/chat-completions"
    for other in (
        "https://llm.example.com/gateways",
        "http://llm.example.com/gateway/v1",
        "https://example.com",
    ):
        with pytest.raises(AssertionError, match="not mocked"):
            httpx.get(other)


def test_a_given_address_is_a_providers(mock_provider: Any, httpx2_mock: respx.MockRouter) -> None:
    mock_provider.mount(httpx2_mock, base_url="https://llm.example.com", provider="openai")
    with OpenAI(base_url="https://llm.example.com/v1") as client:
        assert client.chat.completions.create(model=MODEL, messages=SAY).choices
    assert mock_provider.journal[0].contract == "openai/chat-completions"


def test_a_slash_that_is_escaped_stays_so(mock_provider: Any, respx_mock: respx.MockRouter) -> None:
    mock_provider.mount(respx_mock)
    arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fmistral.magistral-small-2509"
    url = f"https://bedrock-runtime.us-east-1.amazonaws.com/model/{arn}/converse"
    answer = httpx.post(url, json={"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, headers=KEY)
    assert answer.status_code == 200, answer.text


class TestStrict:
    pytestmark = pytest.mark.mock_provider(in_process=True, auth="strict")

    def test_the_key_in_the_environment_is_good_and_another_is_not(self, client: OpenAI) -> None:
        assert client.chat.completions.create(model=MODEL, messages=SAY).choices
        with pytest.raises(AuthenticationError):
            client.with_options(api_key="sk-other").chat.completions.create(model=MODEL, messages=SAY)

    def test_signatures_are_verified(self, mock_provider: Any, respx_mock: respx.MockRouter) -> None:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        mock_provider.mount(respx_mock)
        url = "https://bedrock-mantle.us-east-1.api.aws/v1/models"

        def signed(secret: str) -> dict[str, str]:
            request = AWSRequest("GET", url)
            known = Credentials(mock_provider.info["aws_access_key_id"], secret)
            SigV4Auth(known, "bedrock-mantle", "us-east-1").add_auth(request)
            return dict(request.headers)

        assert httpx.get(url, headers=signed(mock_provider.info["aws_secret_access_key"])).status_code == 200
        assert httpx.get(url, headers=signed("another")).status_code == 401


# -- what it ends with ----------------------------------------------------------------------------


def test_nothing_stays_in_the_global_router(mock_provider: Any) -> None:
    routes, kind = respx.mock.routes, type(respx.mock.routes)
    with mock_provider.mount(respx.mock):
        respx.mock.get("https://example.com/", name="theirs").respond(200)
        with respx.mock:
            assert httpx.get("https://api.openai.com/v1/models", headers=KEY).status_code == 200
            assert httpx.get("https://example.com/").status_code == 200
    assert [each.name for each in respx.mock.routes] == ["theirs"]
    assert respx.mock.pop("theirs") and respx.routes is routes and type(routes) is kind


def test_a_block_is_answered_and_what_comes_after_is_not(mock_provider: Any) -> None:
    with mock_provider.mount(), OpenAI() as client:
        assert httpx.get("https://api.openai.com/v1/models", headers=KEY).status_code == 200
        assert client.models.list().data
    with pytest.raises(AssertionError, match="a socket was opened"):
        httpx.get("https://api.openai.com/v1/models", headers=KEY)


def test_two_tests_do_not_see_each_other() -> None:
    servers = Servers()
    mocks = [servers.provider(name, in_process=True) for name in ("one", "two")]
    seen: dict[int, list[str]] = {}

    def work(number: int) -> None:
        router = respx.Router()
        mocks[number].mount(router)
        with httpx.Client(transport=httpx.MockTransport(router.handler), headers=KEY) as client:
            for turn in range(20):
                text = f"{number} {turn}"
                mocks[number].reply(text)
                answer = client.post(CHAT, json={"model": MODEL, "messages": SAY}).json()
                seen.setdefault(number, []).append(answer["choices"][0]["message"]["content"])

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {number: [f"{number} {turn}" for turn in range(20)] for number in (0, 1)}
    assert [len(mock.journal) for mock in mocks] == [20, 20]


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [respx, object(), "https://api.openai.com", httpx.Client])
def test_what_is_no_router_is_told_what_is_expected(wrong: Any, mock_provider: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a respx router \(the fixture respx_mock or httpx2_mock"):
        mock_provider.mount(wrong)


def test_a_router_that_would_see_nothing_is_refused(mock_provider: Any) -> None:
    with pytest.raises(ValueError, match=r"using='httpcore3'.*knows httpcore, httpcore2, httpx"):
        mock_provider.mount(respx.mock(using="httpcore3"))


@pytest.mark.parametrize("url", ["llm.example.com", "ftp://llm.example.com", "https://", "https://a?b=c"])
def test_an_address_that_is_none_is_refused(url: str, mock_provider: Any) -> None:
    with pytest.raises(ValueError, match="base_url: expected a URL"):
        mock_provider.mount(base_url=url)


def test_a_provider_needs_an_address(mock_provider: Any) -> None:
    with pytest.raises(ValueError, match="expected a base_url"):
        mock_provider.mount(provider="openai")


# -- other people's projects ----------------------------------------------------------------------

THEIRS = """
import httpx, pytest
from openai import OpenAI

SAY = [{"role": "user", "content": "Hello"}]

@pytest.fixture
def weather(respx_mock):
    return respx_mock.get("https://weather.example.com/").respond(json={"degrees": 31})

@pytest.mark.parametrize("number", range(4))
@pytest.mark.mock_provider(in_process=True)
def test_httpx2_mock(mock_provider, httpx2_mock, number):
    mock_provider.mount(httpx2_mock)
    mock_provider.reply(f"answer {number}")
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=SAY)
    assert answer.choices[0].message.content == f"answer {number}"
    assert len(mock_provider.requests) == 1

def test_both_routers_beside_a_mock_that_listens(httpx2_mock, mock_provider, weather, respx_mock):
    mock_provider.mount(httpx2_mock)
    mock_provider.mount(respx_mock)
    with mock_provider.openai_client() as client:
        client.chat.completions.create(model=mock_provider.model, messages=SAY)
    assert httpx.get("https://weather.example.com/").json() == {"degrees": 31}
    assert weather.called and httpx2_mock.calls.call_count == 1

@pytest.mark.xfail(strict=True)
@pytest.mark.mock_provider(in_process=True)
def test_not_mounted(mock_provider, httpx2_mock):
    with OpenAI(max_retries=0) as client:
        client.models.list()
"""


@pytest.mark.parametrize("options", [(), ("-n", "2"), ("--import-mode=importlib",), ("-p", "no:respx")])
def test_it_works_in_a_strict_project(options: tuple[str, ...], pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\naddopts = --strict-markers --strict-config -W error -p no:randomly\nxfail_strict = true\n"
    )
    pytester.makepyfile(THEIRS)
    if "no:respx" in options:
        pytester.makeconftest("from respx.plugin import respx_mock")
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=5, xfailed=1)


def test_openai_behind_respx_mock_is_told_where_it_went(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from openai import APIConnectionError, OpenAI

        @pytest.mark.mock_provider(in_process=True)
        def test_wrong_router(mock_provider, respx_mock):
            mock_provider.mount(respx_mock)
            mock_provider.reply("never")
            with pytest.raises(APIConnectionError), OpenAI(max_retries=0, base_url="http://127.0.0.1:1/v1") as client:
                client.models.list()
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*openai 3 is built on httpx2: mount httpx2_mock*"])


def test_the_page_of_the_docs_runs(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "in_process.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test: mounted -->\n```python\n(.*?)```", page, re.DOTALL)
    assert block, "expected a python block after <!-- test: mounted --> in docs/in_process.md"
    pytester.makepyfile(block[1])
    pytester.runpytest_subprocess("-p", "no:randomly", "-W", "error").assert_outcomes(passed=1)
