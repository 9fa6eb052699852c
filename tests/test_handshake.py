"""What a client and the log are told of a connection over TLS that does not come about."""

from __future__ import annotations

import http.client
import logging
import queue
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

import pytest

from conformance.exchange import Request
from mockserver import embedded
from mockserver.effects import Answer, Head, Send
from mockserver.embedded import in_thread
from mockserver.memory import Memory
from mockserver.server import Server
from mockserver.tls import ensure_ca, server_context

PATIENCE = 60
"""Seconds until something that should have happened long ago counts as not happening."""


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(params=["the loop that is there", "asyncio's loop"])
def port(state_dir: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where a server speaks https."""
    if request.param == "asyncio's loop":
        monkeypatch.setattr(embedded, "loop_factory", lambda: None)

    def answer(request: Request, now: float) -> Answer:
        yield Head(200, (), 2)
        yield Send(b"OK")

    @asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        server = Server(answer, Memory())
        yield await server.listen("127.0.0.1", 0, server_context(state_dir, []))
        await server.close(0.0)

    listening, stop = in_thread(serving)
    yield listening
    stop()


@pytest.fixture
def told() -> Iterator[queue.Queue[Any]]:
    """What the log is told, as it is told."""
    records: queue.Queue[Any] = queue.Queue()
    handler, log = QueueHandler(records), logging.getLogger("mockserver")
    log.addHandler(handler)
    yield records
    log.removeHandler(handler)


def trusting(state_dir: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ensure_ca(state_dir)))


def test_plain_http_is_told_that_the_port_serves_https(port: int, told: queue.Queue[Any]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    # A body that is still on its way when the answer is there.
    connection.request("POST", "/v1/models", b"x" * 5_000_000)
    response = connection.getresponse()
    assert response.status == 400
    assert response.read().startswith(b"mockserver: this port serves https, and the client speaks http")
    connection.close()
    assert told.get(timeout=PATIENCE).getMessage().startswith("this port serves https")
    assert told.empty()


def test_a_client_that_does_not_trust_the_mock_is_named_in_the_log(port: int, told: queue.Queue[Any]) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    assert "does not trust the mock's certificate" in told.get(timeout=PATIENCE).getMessage()


def test_a_client_with_other_ciphers_hears_why(port: int, told: queue.Queue[Any], state_dir: Path) -> None:
    client = trusting(state_dir)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as plain,
        pytest.raises(ssl.SSLError) as raised,
    ):
        client.wrap_socket(plain, server_hostname="localhost")
    assert "ALERT_HANDSHAKE_FAILURE" in raised.value.reason
    said = told.get(timeout=PATIENCE).getMessage()
    assert said == "a client broke off TLS, or speaks another one: no shared cipher"


def test_a_client_that_trusts_the_mock_is_answered_and_the_log_is_silent(
    port: int, told: queue.Queue[Any], state_dir: Path
) -> None:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=trusting(state_dir))
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"OK"
    connection.close()
    assert told.empty()
