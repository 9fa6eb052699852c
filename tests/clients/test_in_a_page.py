"""OpenAI's SDK and fetch inside a page of Chromium: the mock is another origin, so nothing is sent without its leave."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

Look = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.mock_provider(auth="strict")

AMBER = "amber kettle 42"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PROVIDERS = {"bedrock-mantle": "", "openai": "gpt-4o-mini"}
"""Providers, and the model to ask; the mock's own where none is named."""


@pytest.fixture
def look(node: Any, mock_provider: Any) -> Look:
    """Runs cases of page_probe.mjs at a provider; the page must not have complained of more than is allowed."""

    def look(provider: str, *cases: str, allowed: str = "", key: str = "") -> dict[str, Any]:
        url = mock_provider.url(provider)
        base = url if provider == "bedrock-runtime" else f"{url}/v1"
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        assert found is not None, f"expected one of {BROWSERS} on PATH, found none: apt-get install chromium"
        outcomes = node.run(
            "page_probe.mjs",
            *cases,
            PROBE_CHROMIUM=found,
            PROBE_URL=base,
            PROBE_MODEL=PROVIDERS.get(provider) or mock_provider.model,
            PROBE_KEY=key or mock_provider.info["bearer"],
        )
        for name, outcome in outcomes.items():
            assert outcome["outcome"] == "resolved", (name, outcome)
            assert [
                each for each in outcome["value"]["complaints"] if not allowed or allowed not in each
            ] == []
        return {name: outcome["value"]["value"] for name, outcome in outcomes.items()}

    return look


@pytest.mark.parametrize("provider", PROVIDERS)
def test_openais_sdk_asks_from_a_page(look: Look, provider: str) -> None:
    read = look(provider, "chat", "chat, streamed", "responses", "chat, aborted", allowed="status of 404")
    assert read["chat"]["text"] == read["chat, streamed"] == read["responses"]["text"] == AMBER
    assert read["chat"]["id"]
    gone = read["responses"]["gone"]
    assert (gone["class"], gone["status"], bool(gone["id"])) == ("NotFoundError", 404, True)
    assert read["chat, aborted"]["received"] == 3
    assert read["chat, aborted"]["after"] > 0


def test_a_page_plays_a_spoken_answer_in_every_format(look: Look) -> None:
    heard = look("openai", "spoken")["spoken"]
    said = heard["wav"]
    assert said["loudest"] > 0.2
    assert set(heard) == {"wav", "mp3", "flac", "opus", "aac"}
    for each in heard.values():
        assert (each["transcript"], each["channels"]) == (AMBER, 1)
        assert each["seconds"] == pytest.approx(said["seconds"], abs=0.1)
        assert each["loudest"] == pytest.approx(said["loudest"], rel=0.3)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_page_can_read_why_its_key_is_refused(look: Look, provider: str) -> None:
    refused = look(provider, "refused", allowed="status of 401", key="sk-of-nobody")["refused"]
    assert (refused["class"], refused["status"], refused["code"]) == (
        "AuthenticationError",
        401,
        "invalid_api_key",
    )
    assert refused["id"]


def test_a_page_can_read_what_bedrock_answers_and_which_error_it_was(look: Look) -> None:
    read = look("bedrock-runtime", "converse", allowed="status of 400")["converse"]
    assert read["text"] == AMBER
    assert read["id"]
    assert read["kind"].startswith("ValidationException")
