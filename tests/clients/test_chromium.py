"""Pages that use puter.js, in Chromium, as their visitors see them.

The library comes from the mock (`--puter-js`), so `<script src="http://.../v2/">` is all that points a page at it, and
the page's origin is another one than the mock's, so CORS counts. Each case is a page of `node/chromium_probe.mjs`;
what it shows is looked at here, and so is everything that the browser complained of. Screenshots of all of them are
kept in `build/screenshots`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.loading import Specs, load
from conformance.probes.picture import draw
from conformance.template import fill
from mockserver.embedded import Running, start
from mockserver.provider import MockProvider

HERE = Path(__file__).parent
SHOTS = HERE.parents[1] / "build" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
EYES = "mistral-medium-2604"
"""A model that is shown pictures."""

CODE = "K7M4"
"""What the picture says."""

TEXT = "Grüße aus Zürich: 量子 🙂, and a plain end."
FORGED = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0eXBlIjoic2Vzc2lvbiJ9.bm90LWEtc2lnbmF0dXJl"

NOISE = (
    # puter.js sets a header for /rao that only Node lets it set.
    r"console: Refused to set unsafe header \"Origin\"",
    # puter.js drops its first socket when it learns of a token, whether or not that is connected already.
    r"console: WebSocket connection to 'wss?://[^']*' failed: WebSocket is closed before the connection is established\.",
)
"""What the library does by itself, wherever it is pointed at. Nothing else is put up with."""

REFUSED = re.compile(
    r"console: Failed to load resource: the server responded with a status of (?P<status>\d+) .*"
)

SIGNED_IN = (
    "chat",
    "forms",
    "image",
    "stream",
    "tools",
    "models",
    "drivers",
    "user",
    "unknown model",
    "empty message",
    "no message",
)
SIGNING_IN = (
    "seed page",
    "no token",
    "no token, a click",
    "no token, dialog cancelled",
    "no token, window closed",
)
GONE_BAD = ("sign in", "a token that is none", "a token gone old", "a token gone wrong")
GUARDED = ("no token, isolated", "another origin", "a stranger")


@dataclass(frozen=True)
class Seen:
    """A case as it went: what the page showed, the sign-in windows, and what the browser complained of."""

    shown: str
    popups: list[dict[str, str]]
    complaints: list[str]
    value: dict[str, Any]

    @property
    def said(self) -> Any:
        """What the page showed, where that is JSON."""
        return json.loads(self.shown)


Look = Callable[..., dict[str, Seen]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    # The folder that holds node_modules, as somebody would name it who has run `npm install` there.
    mock = start(auth="strict", puter_js=HERE / "node")
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def look(node: Any, running: Running, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """Opens the pages of some cases in one browser, one after the other."""
    picture = tmp_path_factory.mktemp("pictures") / "code.png"
    picture.write_bytes(draw(CODE))

    def run(
        provider: MockProvider,
        *cases: str,
        tls: bool = False,
        other: str = "account",
        hosts: str | None = None,
    ) -> dict[str, Seen]:
        outcomes = node.run(
            "chromium_probe.mjs",
            *cases,
            PROBE_CHROMIUM=find_chromium(),
            PROBE_LIBRARY=f"{provider.url(tls=tls)}/v2/",
            PROBE_HOSTS=hosts,
            PROBE_TOKEN=provider.info["puter_token"],
            PROBE_OTHER_TOKEN=provider.info["puter_tokens"][other],
            PROBE_FORGED=FORGED,
            PROBE_MODEL=provider.info["puter_model"],
            PROBE_EYES=EYES,
            PROBE_PICTURE=str(picture),
            PROBE_SAMPLE=str(HERE / "samples" / "puter_page.html"),
            PROBE_SHOTS=str(SHOTS / "https" if tls else SHOTS),
        )
        return {name: seen(name, outcome) for name, outcome in outcomes.items()}

    return run


def seen(name: str, outcome: dict[str, Any]) -> Seen:
    assert outcome["outcome"] == "resolved", (name, outcome)
    value = outcome["value"]
    complaints = []
    for each in value["complaints"]:
        text = f"{each['kind']}: {each['text']}"
        if any(re.fullmatch(noise, text) for noise in NOISE):
            continue
        refused = REFUSED.fullmatch(text)
        path = re.sub(r"^https?://[^/]+(/~\w+)?", "", each["url"])
        complaints.append(f"{refused['status']} {path}" if refused else f"{text} ({each['url']})")
    return Seen(value["shown"], value["popups"], complaints, value)


def find_chromium() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            f"expected one of {', '.join(BROWSERS)} on PATH, found none; on Debian: apt-get install chromium",
            pytrace=False,
        )
    return found


@pytest.fixture
def provider(request: pytest.FixtureRequest, running: Running) -> Iterator[MockProvider]:
    made = MockProvider(running, request.node.nodeid, {})
    yield made
    assert made.close() is None


def of_module(name: str, cases: tuple[str, ...]) -> Any:
    """A fixture: these cases, looked at once for all tests of this file."""

    @pytest.fixture(scope="module", name=name)
    def looked(running: Running, look: Look) -> dict[str, Seen]:
        return look(MockProvider(running, f"chromium {name}", {}), *cases)

    return looked


pages = of_module("pages", SIGNED_IN)
visits = of_module("visits", SIGNING_IN)
bad_tokens = of_module("bad_tokens", GONE_BAD)
guarded = of_module("guarded", GUARDED)


@pytest.fixture(scope="module")
def specs() -> Specs:
    return load()


@pytest.fixture(scope="module")
def written(specs: Specs) -> str:
    """What the contract's example answers to the prompt of Puter's page."""
    exchange = specs.contracts["puter/driver-chat"].exchanges["quantum"]
    return str(exchange["response"]["body"]["result"]["message"]["content"])


def told(specs: Specs, error: str, **values: str) -> dict[str, Any]:
    """How a call of puter.js rejects: with the body of the error as its contract has it."""
    return {"rejected": fill(specs.contracts["puter/driver-chat"].failures[error].body, values)}


# The page of the seed


def test_the_sample_is_that_of_puters_page_to_the_letter() -> None:
    text = (HERE / "samples" / "puter_page.html").read_text(encoding="utf-8")
    assert text.count("https://") == 1
    assert '<script src="https://js.puter.com/v2/"></script>' in text
    assert 'model: "mistralai/magistral-small-2509"' in text
    assert "document.body.innerHTML = response.message.content;" in text


def test_puters_page_shows_its_text_once_its_visitor_has_signed_in(
    visits: dict[str, Seen], written: str
) -> None:
    page = visits["seed page"]
    assert page.shown == written
    assert page.complaints == []
    assert len(page.popups) == 1


def test_puters_page_asks_nobody_to_sign_in_twice(visits: dict[str, Seen], written: str) -> None:
    assert visits["seed page"].value["again"] == written


def test_puters_page_shows_its_text_over_https(look: Look, provider: MockProvider, written: str) -> None:
    looked = look(provider, "seed page", "stream", "socket", "no token, isolated", tls=True)
    assert looked["seed page"].shown == written
    assert looked["seed page"].popups[0]["url"].startswith("https://")
    assert looked["stream"].said["types"][-1] == "usage"
    assert looked["socket"].said["how"] == "connected"
    assert looked["no token, isolated"].said == [True, written]
    assert [page.complaints for page in looked.values()] == [[]] * 4


def test_puters_page_runs_untouched_in_a_browser_that_takes_the_mock_for_puter(
    look: Look, provider: MockProvider, running: Running, written: str
) -> None:
    mock = running.https.removeprefix("https://")
    page = look(provider, "seed page, untouched", hosts=mock)["seed page, untouched"]
    assert page.shown == written
    assert page.popups[0]["url"].startswith("https://puter.com/action/sign-in?")
    assert page.complaints == []


# Calls of somebody who is signed in


def test_a_page_shows_the_text_of_an_answer(pages: dict[str, Seen], written: str) -> None:
    assert pages["chat"].shown == written
    assert pages["chat"].complaints == []


def test_every_form_of_a_call_of_puters_chat_is_answered_or_refused_for_what_it_holds(
    pages: dict[str, Seen], specs: Specs, running: Running
) -> None:
    forms = pages["forms"].said
    model = running.info["puter_model"]
    refused = {
        "prompt, image": told(specs, "media-not-offered", modality="image", model=model),
        "prompt, video": told(specs, "media-not-offered", modality="video", model=model),
    }
    for form, outcome in forms.items():
        if form in refused:
            for name in ("error", "message", "code"):
                assert outcome["rejected"][name] == refused[form]["rejected"][name]
        else:
            assert outcome["resolved"]["message"]["content"], form
    assert len(forms) == 13
    assert forms["prompt, options"]["resolved"]["usage"]["completion_tokens"] == 5
    assert forms["prompt, options"]["resolved"]["finish_reason"] == "length"
    assert (
        forms["prompt, test mode, options"]["resolved"]["message"]
        == forms["prompt, options, test mode"]["resolved"]["message"]
    )
    # Each of the two refusals, and nothing else.
    assert pages["forms"].complaints == ["400 /drivers/call"] * 2


def test_a_page_shows_what_is_seen_in_a_picture_by_its_address_and_as_a_file(pages: dict[str, Seen]) -> None:
    image = pages["image"].said
    assert CODE in image["url"]
    assert CODE in image["file"]
    assert CODE not in image["none"]
    assert pages["image"].complaints == []


def test_a_page_iterates_over_a_stream_that_ends_with_its_usage(pages: dict[str, Seen]) -> None:
    stream = pages["stream"].said
    assert set(stream["types"][:-1]) == {"text"}
    assert stream["types"][-1] == "usage"
    assert "quantum" in stream["text"].lower()
    assert pages["stream"].complaints == []


def test_a_page_calls_a_tool_and_shows_an_answer_that_uses_its_result(pages: dict[str, Seen]) -> None:
    talk = pages["tools"].said
    (call,) = talk["called"]["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == (
        "get_weather",
        {"city": "Paris"},
    )
    assert "sunny, 21 degrees" in talk["answered"]
    assert [part["type"] for part in talk["streamed"]] == ["tool_use", "usage"]
    assert talk["streamed"][0]["input"] == {"city": "Paris"}
    assert pages["tools"].complaints == []


def test_a_page_lists_models_and_their_providers(pages: dict[str, Seen]) -> None:
    listed = pages["models"].said
    assert "magistral-small-latest" in {each["id"] for each in listed["models"]}
    assert listed["mistral"] == [each for each in listed["models"] if each["provider"] == "mistral"] != []
    assert set(listed["providers"]) == {each["provider"] for each in listed["models"]}
    assert pages["models"].complaints == []


def test_a_page_calls_a_driver_by_its_name(pages: dict[str, Seen]) -> None:
    drivers = pages["drivers"].said
    assert "puter-chat-completion" in drivers["listed"]
    assert drivers["called"]["success"] is True
    assert drivers["called"]["service"] == {"name": "ai-chat"}
    assert pages["drivers"].complaints == []


def test_a_page_knows_its_visitor(pages: dict[str, Seen], specs: Specs) -> None:
    assert pages["user"].shown == specs.contracts["puter/whoami"].response["answer"]["username"]
    assert pages["user"].complaints == []


@pytest.mark.parametrize(
    ("case", "error"),
    [("unknown model", "unknown-model"), ("empty message", "no-content"), ("no message", "bad-message")],
)
def test_a_page_reads_why_its_call_was_refused(
    pages: dict[str, Seen], specs: Specs, case: str, error: str
) -> None:
    assert pages[case].said == told(specs, error, model="no-such-model")
    assert pages[case].complaints == ["400 /drivers/call"]


def test_a_page_waits_while_puter_js_repeats_a_throttled_call(look: Look, provider: MockProvider) -> None:
    provider.fail("throttling", times=2)
    provider.reply(TEXT)
    page = look(provider, "throttled twice")["throttled twice"]
    assert page.shown == TEXT
    assert page.complaints == ["429 /drivers/call"] * 2


def test_a_page_sees_a_stream_break_off_and_what_the_vendor_did(
    look: Look, provider: MockProvider, specs: Specs
) -> None:
    provider.fail("model-error", after_events=2)
    provider.fail("overloaded")
    looked = look(provider, "stream failing midway", "failing")
    failure = specs.contracts["puter/driver-chat-stream"].failures["model-error"].in_stream
    assert failure is not None
    parts = looked["stream failing midway"].said
    assert [part["type"] for part in parts[:2]] == ["text", "text"]
    assert parts[2:] == [failure["data"]]
    assert looked["stream failing midway"].complaints == []
    assert looked["failing"].said["rejected"]["code"] == "upstream_provider_unavailable"
    assert looked["failing"].complaints == ["400 /drivers/call"]


def test_a_visitor_without_funds_is_told_so_by_puter_js(
    look: Look, provider: MockProvider, specs: Specs
) -> None:
    page = look(provider, "no funds", other="no-funds")["no funds"]
    assert page.said["rejected"] == told(specs, "quota-exceeded")["rejected"]
    assert "Your account has not enough funding" in page.said["dialog"]
    assert page.complaints == ["402 /drivers/call"]


# The socket


@pytest.mark.parametrize(("kind", "how"), [("account", "connected"), ("app", "refused: ")])
def test_the_socket_takes_an_account_and_refuses_an_app_quietly(
    look: Look, provider: MockProvider, kind: str, how: str
) -> None:
    page = look(provider, "socket", other=kind)["socket"]
    assert page.said["how"].startswith(how)
    assert page.said["answer"]
    assert page.complaints == []


# Signing in


@pytest.mark.parametrize("case", ["no token", "no token, a click"])
def test_a_call_without_a_token_goes_on_when_its_visitor_has_signed_in(
    visits: dict[str, Seen], written: str, case: str
) -> None:
    assert visits[case].shown == written
    assert visits[case].complaints == []


def test_the_sign_in_page_says_who_asks_and_that_it_is_a_mock(visits: dict[str, Seen]) -> None:
    (popup,) = visits["no token"].popups
    assert re.search(r"/action/sign-in\?embedded_in_popup=true&msg_id=\d+&request_auth=true$", popup["url"])
    assert "Sign in to the mock of Puter" in popup["shown"]
    assert re.search(r"http://127\.0\.0\.1:\d+ asks to use your Puter account\.", popup["shown"])
    assert "nothing is paid" in popup["shown"]


@pytest.mark.parametrize("case", ["no token, dialog cancelled", "no token, window closed"])
def test_a_call_is_cancelled_by_a_visitor_who_does_not_sign_in(visits: dict[str, Seen], case: str) -> None:
    assert visits[case].said["rejected"]["error"]["code"] == "auth_canceled"
    assert visits[case].complaints == []


def test_a_page_can_ask_its_visitor_to_sign_in_as_another(bad_tokens: dict[str, Seen]) -> None:
    page = bad_tokens["sign in"]
    assert page.said == {"success": True, "username": "mock", "user": "mock"}
    assert page.complaints == []


@pytest.mark.parametrize("case", ["a token that is none", "a token gone old"])
def test_a_call_with_a_bad_token_is_repeated_when_its_visitor_has_signed_in(
    bad_tokens: dict[str, Seen], written: str, case: str
) -> None:
    page = bad_tokens[case]
    assert page.shown == written
    assert len(page.popups) == 1
    assert "401 /drivers/call" in page.complaints
    # The start asks with the same token, if it was known by then.
    assert set(page.complaints) <= {"401 /drivers/call", "401 /whoami", "401 /rao"}


def test_a_call_with_a_forged_token_fails_and_the_next_one_does_not(
    bad_tokens: dict[str, Seen], written: str
) -> None:
    page = bad_tokens["a token gone wrong"]
    assert page.said == {"first": {"rejected": {"status": 401, "message": "Unauthorized"}}, "second": written}
    assert len(page.popups) == 1
    assert "401 /drivers/call" in page.complaints
    assert set(page.complaints) <= {"401 /drivers/call", "401 /whoami", "401 /rao"}


def test_a_page_that_is_isolated_fetches_its_token(guarded: dict[str, Seen], written: str) -> None:
    page = guarded["no token, isolated"]
    assert page.said == [True, written]
    assert page.complaints == []


def test_an_origin_that_the_page_has_set_is_left_alone(guarded: dict[str, Seen], written: str) -> None:
    page = guarded["another origin"]
    (popup,) = page.popups
    assert popup["url"].startswith("http://localhost:")
    assert page.shown == written
    assert page.complaints == []


def test_a_page_that_does_not_answer_gets_no_token_and_its_visitor_is_told_why(
    guarded: dict[str, Seen], running: Running
) -> None:
    page = guarded["a stranger"]
    assert page.value["enabled"] is False
    assert {json.dumps(each) for each in page.said} == {'{"msg": "requestOrigin"}'}
    (popup,) = page.popups
    assert f'globalThis.PUTER_ORIGIN = "{running.http}"' in popup["shown"]
    assert page.complaints == []


def test_a_picture_of_every_page_is_kept(
    pages: dict[str, Seen], visits: dict[str, Seen], bad_tokens: dict[str, Seen], guarded: dict[str, Seen]
) -> None:
    names = {name.replace(", ", "-").replace(" ", "-") for name in (*pages, *visits, *bad_tokens, *guarded)}
    names |= {"seed-page-dialog", "seed-page-sign-in", "a-stranger-sign-in"}
    for name in sorted(names):
        assert (SHOTS / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
