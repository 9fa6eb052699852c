"""Tools of Responses that are no functions, as @ai-sdk/openai and openai-node use them, plain and as streams.

The AI SDK runs what it is asked to run and goes on by itself, so each of its cases is a whole round.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.embedded import Running, start

RATES = {"from_currency": "USD", "to_currency": "EUR"}
CASES = (
    *("AI SDK, shell", "AI SDK, local shell", "AI SDK, patch", "AI SDK, tool search"),
    *("AI SDK, tool search of the application", "AI SDK, file search"),
    *("openai-node, shell", "openai-node, patch", "openai-node, computer", "openai-node, tool search"),
    *("openai-node, file search", "openai-node, compaction"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    mock = start(auth="strict")
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def told(node: Any, running: Running) -> dict[str, Any]:
    """What each case came to; all of them in one process."""
    outcomes = node.run(
        "hosted_probe.mjs",
        *CASES,
        OPENAI_BASE_URL=running.http + "/openai-com/v1",
        OPENAI_API_KEY=running.info["bearer"],
        PROBE_MODEL="gpt-5.4",
        AI_SDK_LOG_WARNINGS="false",
        NO_PROXY="127.0.0.1",
    )
    return {name: each.get("value", each.get("error")) for name, each in outcomes.items()}


def test_the_ai_sdk_runs_a_shell_and_uses_what_it_said(told: Any) -> None:
    plain, streamed = told["AI SDK, shell"]
    for each in (plain, streamed):
        assert [asked["action"]["commands"] for asked in each["asked"]] == [["ls -l"]]
        assert "notes.txt" in each["text"]
    assert (plain["steps"], streamed["errors"]) == (2, [])


def test_the_ai_sdk_runs_the_older_shell(told: Any) -> None:
    plain, streamed = told["AI SDK, local shell"]
    for each in (plain, streamed):
        assert [asked["action"]["command"][-1] for asked in each["asked"]] == ["ls -l"]
        assert "notes.txt" in each["text"]
    assert (plain["steps"], streamed["errors"]) == (2, [])


def test_the_ai_sdk_applies_a_patch(told: Any) -> None:
    plain, streamed = told["AI SDK, patch"]
    operation = {"type": "create_file", "path": "hello.py", "diff": "+print(1)\n"}
    for each in (plain, streamed):
        assert [asked["operation"] for asked in each["asked"]] == [operation]
        assert "change 31" in each["text"]
    assert (plain["steps"], streamed["errors"]) == (2, [])


@pytest.mark.parametrize("case", ["AI SDK, tool search", "AI SDK, tool search of the application"])
def test_the_ai_sdk_calls_a_tool_that_was_found(told: Any, case: str) -> None:
    plain, streamed = told[case]
    for each in (plain, streamed):
        assert "0.92" in each["text"]
        assert len(each["asked"]) == 1
    if case == "AI SDK, tool search":
        assert plain["asked"] == streamed["asked"] == [RATES]
    assert streamed["errors"] == []
    assert streamed["calls"] == ["tool_search", "get_exchange_rate"]


def test_the_ai_sdk_tells_which_files_were_cited(told: Any) -> None:
    for each in told["AI SDK, file search"]:
        [source] = each["sources"]
        assert (source["sourceType"], source["filename"]) == ("document", "notes.txt")


def test_openai_node_adds_up_the_items(told: Any) -> None:
    for case, kind in (
        ("openai-node, shell", "shell_call"),
        ("openai-node, patch", "apply_patch_call"),
        ("openai-node, computer", "computer_call"),
    ):
        item = told[case]["response"]["output"][-1]
        assert (item["type"], item["status"]) == (kind, "completed")
    shell = told["openai-node, shell"]
    assert shell["response"]["output"][-1]["action"]["commands"] == ["ls -l"]
    assert "response.shell_call_command.delta" in shell["events"]
    patch = told["openai-node, patch"]["response"]["output"][-1]
    assert patch["operation"] == {"type": "create_file", "path": "hello.py", "diff": "+print(1)\n"}


def test_openai_node_reads_searches_and_citations(told: Any) -> None:
    found = [item["type"] for item in told["openai-node, tool search"]["response"]["output"]]
    assert found[-3:] == ["tool_search_call", "tool_search_output", "function_call"]
    cited = told["openai-node, file search"]
    [annotation] = cited["response"]["output"][-1]["content"][0]["annotations"]
    assert annotation["type"] == "file_citation"
    assert "response.output_text.annotation.added" in cited["events"]


def test_openai_node_reads_what_is_left_of_a_long_context(told: Any) -> None:
    made = told["openai-node, compaction"]
    [item, *_] = made["response"]["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"]
    assert "PELICAN7" in made["again"]
