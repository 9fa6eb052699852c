"""A page that uses puter.js, in Chromium: the origin of the mock is not the page's, so CORS counts."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from typing import Any

import pytest

from conformance.contract import load

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TEXT = "Grüße aus Zürich: 量子 🙂, and a plain end."

NOISE = (
    # The mock has no socket: puter.js uses it for files only, and goes on without.
    "^WebSocket connection to .*/socket.io/",
    # puter.js sets a header for /rao that only Node lets it set.
    '^Refused to set unsafe header "Origin"$',
)


@dataclass(frozen=True)
class Seen:
    """What a page showed, and what the console complained of."""

    shown: str
    complaints: list[str]


@pytest.fixture(scope="module")
def provider(mock_servers: Any) -> Any:
    return mock_servers.provider("pages in Chromium", auth="strict")


@pytest.fixture(scope="module")
def seen(node: Any, provider: Any) -> dict[str, Seen]:
    """The pages of chromium_probe.mjs, opened one after the other in one browser."""
    provider.reply(TEXT)
    outcomes = node.run(
        "chromium_probe.mjs",
        *("stream", "seed call", "models", "unknown model"),
        PROBE_CHROMIUM=find_chromium(),
        PROBE_MODEL=provider.info["puter_model"],
        PUTER_TOKEN=provider.info["puter_token"],
        PUTER_API_ORIGIN=provider.environment["PUTER_API_ORIGIN"],
    )
    found = {}
    for name, outcome in outcomes.items():
        assert outcome["outcome"] == "resolved", outcome
        value = outcome["value"]
        assert value["started"] == [200, 200], name
        texts = [each["text"] for each in value["complaints"]]
        found[name] = Seen(
            value["shown"], [each for each in texts if not any(re.search(n, each) for n in NOISE)]
        )
    return found


def find_chromium() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(
            f"expected one of {', '.join(BROWSERS)} on PATH, found none; on Debian: apt-get install chromium",
            pytrace=False,
        )
    return found


def test_the_call_of_puters_model_page_shows_its_text_in_chromium(seen: dict[str, Seen]) -> None:
    exchange = load().contracts["puter/driver-chat"].exchanges["quantum"]
    written = exchange["response"]["body"]["result"]["message"]["content"]
    assert seen["seed call"] == Seen(written, [])


def test_a_page_shows_the_text_of_a_stream(seen: dict[str, Seen]) -> None:
    assert seen["stream"] == Seen(TEXT, [])


def test_a_page_lists_the_models_with_a_header_that_chromium_asks_leave_for(
    seen: dict[str, Seen], provider: Any
) -> None:
    assert seen["models"].complaints == []
    assert "magistral-small-latest" in json.loads(seen["models"].shown)
    (entry,) = [entry for entry in provider.journal if entry.path == "/puterai/chat/models/details"]
    assert entry.status == 200


def test_a_page_can_read_the_body_of_an_error(seen: dict[str, Seen]) -> None:
    page = seen["unknown model"]
    assert json.loads(page.shown)["code"] == "bad_request"
    assert page.complaints == [
        "Failed to load resource: the server responded with a status of 400 (Bad Request)"
    ]
