"""pytest fixtures for other people's tests: a provider on this machine that does as it is told.

    def test_retries(mock_provider, bedrock_client):
        mock_provider.fail("throttling", times=2)
        ...

One mock a session, in a thread on free ports; each test has a space of its own in it, so that
journal, script and quotas are kept apart. Every pytest run on the machine loads this module, so
it imports nothing but pytest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from openai import OpenAI

    from mockserver.provider import MockProvider, Servers

MARKER = "@pytest.mark.mock_provider"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "mock_provider(auth=..., reality=..., openai_profile=..., in_process=..., **quotas): how the mock of this test is to be, and its limits",
    )


@pytest.fixture(scope="session")
def mock_servers() -> Iterator[Servers]:
    """The mocks of this session by how they were asked for, started when a test first needs them."""
    from mockserver.provider import Servers

    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture
def mock_provider(
    request: pytest.FixtureRequest, mock_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MockProvider]:
    """A `mockserver.provider.MockProvider` of this test's own; the environment points clients at it.

    Unscripted requests go to the simulated model. A script that was made and not used fails
    the test at its end.
    """
    marker = request.node.get_closest_marker("mock_provider")
    if marker and marker.args:
        pytest.fail(f"{MARKER}: expected names (auth='strict'), got {marker.args[0]!r}", pytrace=False)
    try:
        provider = mock_servers.provider(request.node.nodeid, **(marker.kwargs if marker else {}))
    except ValueError as error:
        pytest.fail(f"{MARKER}: {error}", pytrace=False)
    for name, value in provider.environment.items():
        monkeypatch.setenv(name, value)
    from mockserver.environment import past_proxies

    for name, value in past_proxies(os.environ).items():
        monkeypatch.setenv(name, value)
    with provider.door() if provider.in_process else nullcontext():
        yield provider
    unused = provider.close()
    if unused:
        pytest.fail(unused, pytrace=False)


@pytest.fixture
def bedrock_client(mock_provider: MockProvider) -> Iterator[Any]:
    """A boto3 client of bedrock-runtime, as unmodified as clients come. Needs the extra `clients`."""
    client = mock_provider.bedrock_client()
    yield client
    client.close()


@pytest.fixture
def openai_client(mock_provider: MockProvider) -> Iterator[OpenAI]:
    """An `openai.OpenAI` client of bedrock-mantle, or of the marker's `openai_profile`. Needs the extra `clients`."""
    client = mock_provider.openai_client()
    yield client
    client.close()
