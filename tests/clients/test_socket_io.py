"""The socket, read by the client that its protocol's authors wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.embedded import Running, start


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    mock = start(auth="strict")
    yield mock
    mock.stop()


@pytest.fixture(scope="module", params=["http", "https"])
def talks(request: pytest.FixtureRequest, node: Any, running: Running) -> dict[str, Any]:
    """What each case of socket_probe.mjs came to."""
    outcomes = node.run(
        "socket_probe.mjs",
        "polling",
        "websocket",
        "polling, then websocket",
        "an address with a path",
        "a namespace that there is not",
        "no token",
        "ten at once",
        PROBE_ORIGIN=running.info[request.param],
        PROBE_TOKEN=running.info["puter_tokens"]["account"],
        NODE_EXTRA_CA_CERTS=running.info["ca"],
        NO_PROXY="127.0.0.1",
    )
    for name, outcome in outcomes.items():
        assert outcome["outcome"] == "resolved", (name, outcome)
    return {name: outcome["value"] for name, outcome in outcomes.items()}


@pytest.mark.parametrize(
    ("case", "transport"),
    [
        ("polling", "polling"),
        ("websocket", "websocket"),
        ("polling, then websocket", "websocket"),
        ("an address with a path", "websocket"),
    ],
)
def test_socket_io_connects_and_its_event_is_acknowledged(
    talks: dict[str, Any], case: str, transport: str
) -> None:
    assert talks[case] == {"how": "connected", "transport": transport, "acknowledged": "with nothing"}


def test_socket_io_is_told_of_a_namespace_that_there_is_not(talks: dict[str, Any]) -> None:
    assert talks["a namespace that there is not"] == {"how": "Invalid namespace"}


def test_socket_io_is_told_that_it_has_no_token(talks: dict[str, Any]) -> None:
    assert talks["no token"] == {"how": "Authentication failed"}


def test_ten_clients_talk_at_once(talks: dict[str, Any]) -> None:
    assert {talk["how"] for talk in talks["ten at once"]} == {"connected"}
