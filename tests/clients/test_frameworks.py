"""Agent frameworks as clients: openai-agents, pydantic-ai, langchain-openai with langgraph, each in a process of its own.

The programs in `frameworks/` are written as applications are: nobody tells them of a mock but the environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mockserver.provider import MockProvider

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ROOT / "build" / "agents"
PROGRAMS = Path(__file__).with_name("frameworks")
PATIENCE = 240
"""Seconds until a program counts as hanging; it takes ten on a machine that has nothing else to do."""

MODELS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("openai_agents", "openai"): {"responses": "gpt-5.4", "chat": "gpt-4o"},
    ("langgraph", "openai"): {"responses": "gpt-5.4", "chat": "gpt-4o"},
    ("pydantic_ai", "openai"): {
        "responses": "gpt-5.4",
        "chat": "gpt-4o",
        "mistral": "mistral-small-latest",
        "converse": "mistral.magistral-small-2509",
    },
    ("openai_agents", "bedrock-mantle"): dict.fromkeys(("responses", "chat"), "openai.gpt-oss-120b"),
    ("langgraph", "bedrock-mantle"): dict.fromkeys(("responses", "chat"), "openai.gpt-oss-120b"),
    # pydantic-ai has a provider of its own for bedrock-mantle, which knows where each model is served.
    ("pydantic_ai", "bedrock-mantle"): {
        "chat": "openai.gpt-oss-120b",
        "mantle": "openai.gpt-5.6-luna",
        "mantle gpt-oss": "openai.gpt-oss-120b",
    },
}
"""The APIs that a program asks, and for which model, by program and by who answers at /v1."""

ADA = {"name": "Ada", "age": 36}
OSLO = {"called": ["Oslo"], "uses the result": True}
BOTH = {"called": ["Bergen", "Oslo"], "uses both": True}
WANTED: Mapping[str, Mapping[str, Any]] = {
    "openai_agents": {
        "answer": {"text": "amber kettle", "requests": 1, "counted": True, "adds up": True},
        "stream": {"pieces": True, "text": "amber kettle", "whole": "amber kettle"},
        "tool": {**OSLO, "requests": 2},
        "tool_in_a_stream": {
            **OSLO,
            "items": ["tool_call_item", "tool_call_output_item", "message_output_item"],
        },
        "two_calls": {**BOTH, "requests": 2},
        "structured": ADA,
        "handoff": {**OSLO, "last": "Forecaster"},
        "agent_as_tool": {**OSLO, "last": "Desk"},
        "session": {"recalls": True, "items": True},
        "previous_response": {"recalls": True},
        "conversation": {"recalls": True, "named": True, "items": True},
    },
    "pydantic_ai": {
        "answer": {"text": "amber kettle", "requests": 1, "counted": True, "finish": "stop"},
        "stream": {"pieces": True, "text": "amber kettle", "counted": True},
        "tool": {**OSLO, "requests": 2},
        "tool_in_a_stream": {**OSLO, "tool": ["function_tool_call", "function_tool_result"]},
        "two_calls": {**BOTH, "requests": 2},
        "output_by_tool": ADA,
        "output_by_schema": ADA,
        "output_by_prompt": ADA,
        "agent_as_tool": {**OSLO, "requests": 4},
        "history": {"recalls": True},
        "previous_response": {"recalls": True},
        "conversation": {"recalls": True},
    },
    "langgraph": {
        "answer": {"text": "amber kettle", "counted": True, "adds up": True},
        "stream": {"pieces": True, "text": "amber kettle", "counted": True},
        "tool_loop": {**OSLO, "messages": ["human", "ai", "tool", "ai"]},
        "tool_in_a_stream": {**OSLO, "nodes": ["speak", "tools", "speak"]},
        "two_calls": {**BOTH, "messages": ["human", "ai", "tool", "tool", "ai"]},
        "output_by_tool": ADA,
        "output_by_schema": ADA,
        "output_in_a_stream": ADA,
        "handoff": OSLO,
        "memory": {"recalls": True, "messages": 4},
        "previous_response": {"recalls": True},
        "conversation": {"recalls": True},
    },
}
"""What each case of a program comes to, over every API that has it."""

FAILED = ("throttled", "retried", "broken_stream")
"""Asked first, in this order for each API: the mock is told to fail them."""


def has(program: str, provider: str, api: str, case: str) -> bool:
    """False where an API has no such thing, or a package no way to it."""
    if case == "previous_response":
        return api in ("responses", "mantle", "mantle gpt-oss")
    if case == "conversation":
        return (provider, api) == ("openai", "responses")
    # Said by pydantic-ai; and its own package for Mistral tries once.
    if api == "mistral":
        return case not in ("output_by_schema", "retried")
    # Events of gpt-oss have no `text`, without which langchain-openai reads no streamed structured answer.
    return (program, provider, api, case) != (
        "langgraph",
        "bedrock-mantle",
        "responses",
        "output_in_a_stream",
    )


def cases(names: Callable[[str], Sequence[str]]) -> list[Any]:
    """Parameters: program, provider, API and case, of the cases that `names` gives for a program."""
    return [
        pytest.param(program, provider, api, case, id=f"{program}-{provider}-{api.replace(' ', '-')}-{case}")
        for (program, provider), apis in MODELS.items()
        for api in apis
        for case in names(program)
        if has(program, provider, api, case)
    ]


@dataclass(frozen=True)
class Asked:
    """What each case of a program came to (by API and name), whom else it looked up, and the statuses it was answered with."""

    got: Mapping[tuple[str, str], Any]
    went_out: Sequence[str]
    statuses: Sequence[int]


def command(program: str, provider: str, wanted: Sequence[tuple[str, str]]) -> list[str]:
    models = MODELS[program, provider]
    path = PROGRAMS / f"{program}_probe.py"
    return [sys.executable, str(path), json.dumps(models), json.dumps(wanted)]


def environment(**told: str) -> dict[str, str]:
    """That of the test without what it says of providers, with the frameworks, and with what is `told`."""
    if not (FRAMEWORKS / "agents").is_dir():
        pytest.fail(
            "expected openai-agents in build/agents; run `make build/agents/.installed`", pytrace=False
        )
    others = ("AWS_", "OPENAI_", "MISTRAL_", "LANGCHAIN_", "LANGSMITH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return {**kept, "PYTHONPATH": str(FRAMEWORKS), "AWS_EC2_METADATA_DISABLED": "true", **told}


def said_by(done: subprocess.CompletedProcess[str]) -> tuple[dict[tuple[str, str], Any], list[str]]:
    """What came of each case, and who else was looked up."""
    assert done.returncode == 0, done.stderr
    *lines, last = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {(line["api"], line["case"]): line["got"] for line in lines}, last["went out"]


def run(mock: MockProvider, program: str, provider: str) -> Asked:
    apis = MODELS[program, provider]
    wanted = [
        (api, case)
        for names in (FAILED, (*WANTED[program], "unknown_model", "wrong_key"))
        for api in apis
        for case in names
        if has(program, provider, api, case)
    ]
    for api, case in wanted:
        if case == "broken_stream":
            if api == "mistral":
                mock.cut(after_events=2)
            else:
                mock.fail("internal", after_events=2)
        elif case in FAILED:
            mock.fail("throttling")
        if case == "retried":
            mock.reply("amber kettle")
    told = {
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1"),
        "MISTRAL_BASE_URL": mock.url("mistral"),
        "MISTRAL_API_KEY": mock.info["bearer"],
    }
    done = subprocess.run(
        command(program, provider, wanted),
        env=environment(**mock.environment, **told),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    got, went_out = said_by(done)
    return Asked(got, went_out, [entry.status for entry in mock.journal])


@pytest.fixture(scope="module")
def asked(mock_servers: Any) -> Iterator[Callable[[str, str], Asked]]:
    """Runs a program against a provider when a test first wants to know; to import a framework takes longer than all it asks."""
    kept: dict[tuple[str, str], Asked] = {}
    opened: list[MockProvider] = []

    def ask(program: str, provider: str) -> Asked:
        if (program, provider) not in kept:
            profile = provider if provider == "openai" else None
            opened.append(
                mock_servers.provider(f"{program} {provider}", auth="strict", openai_profile=profile)
            )
            kept[program, provider] = run(opened[-1], program, provider)
        return kept[program, provider]

    yield ask
    unused = [mock.close() for mock in opened]
    assert not any(unused), unused


Ask = Callable[[str, str], Asked]


@pytest.mark.parametrize(("program", "provider", "api", "case"), cases(lambda program: list(WANTED[program])))
def test_what_an_application_asks_for_comes(
    asked: Ask, program: str, provider: str, api: str, case: str
) -> None:
    assert asked(program, provider).got[api, case] == WANTED[program][case]


RAISED: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "openai_agents": {
        "unknown_model": ("NotFoundError", 404),
        "wrong_key": ("AuthenticationError", 401),
        "throttled": ("RateLimitError", 429),
    },
    "pydantic_ai": {
        "unknown_model": ("ModelNotFoundError", 404),
        "wrong_key": ("ModelAuthenticationError", 401),
        "throttled": ("ModelRateLimitError", 429),
    },
    "langgraph": {
        "unknown_model": ("OpenAIModelNotFoundError", 404),
        "wrong_key": ("OpenAIAuthenticationError", 401),
        "throttled": ("OpenAIRateLimitError", 429),
    },
}
"""The package's class and the status it tells."""

# OpenAI's Responses, Mistral and Bedrock say 400 of an unknown model, and Bedrock 403 of a wrong key.
OTHERWISE: Mapping[tuple[str, str, str], tuple[str, int]] = {
    ("openai_agents", "responses", "unknown_model"): ("BadRequestError", 400),
    ("langgraph", "responses", "unknown_model"): ("OpenAIInvalidRequestError", 400),
    ("pydantic_ai", "responses", "unknown_model"): ("ModelNotFoundError", 400),
    ("pydantic_ai", "mistral", "unknown_model"): ("ModelRequestRejectedError", 400),
    ("pydantic_ai", "converse", "unknown_model"): ("ModelNotFoundError", 400),
    ("pydantic_ai", "converse", "wrong_key"): ("ModelAuthenticationError", 403),
}


@pytest.mark.parametrize(("program", "provider", "api", "case"), cases(lambda program: list(RAISED[program])))
def test_refusals_are_raised_as_what_they_are(
    asked: Ask, program: str, provider: str, api: str, case: str
) -> None:
    got = asked(program, provider).got[api, case]
    wanted = OTHERWISE.get((program, api, case)) if provider == "openai" else None
    assert (got["class"], got["status"]) == (wanted or RAISED[program][case])


@pytest.mark.parametrize(("program", "provider", "api", "case"), cases(lambda _: ["retried"]))
def test_throttling_is_waited_out(asked: Ask, program: str, provider: str, api: str, case: str) -> None:
    came = asked(program, provider)
    assert came.got[api, case] == {"text": "amber kettle"}
    told = [name for _, name in came.got if name in ("throttled", "retried")]
    assert came.statuses.count(429) == len(told)


ENDS_WITH = {"mistral": "incomplete chunked read", "converse": "The system encountered an unexpected error"}
"""Words in what is raised; Mistral's stream is cut, for of an error inside of one nothing is known."""


@pytest.mark.parametrize(("program", "provider", "api", "case"), cases(lambda _: ["broken_stream"]))
def test_a_stream_that_fails_is_not_taken_for_a_whole_one(
    asked: Ask, program: str, provider: str, api: str, case: str
) -> None:
    got = asked(program, provider).got[api, case]
    assert ENDS_WITH.get(api, "The server had an error while processing your request") in got["text"]


@pytest.mark.parametrize(("program", "provider"), MODELS)
def test_nobody_else_is_asked(asked: Ask, program: str, provider: str) -> None:
    assert asked(program, provider).went_out == []


def test_an_application_runs_under_mockserver_run(tmp_path: Path) -> None:
    program = command("openai_agents", "openai", [("responses", "handoff")])
    done = subprocess.run(
        [sys.executable, "-m", "mockserver", "run", "--openai-profile", "openai", "--", *program],
        cwd=tmp_path,
        env=environment(PYTHONPATH=f"{ROOT}{os.pathsep}{FRAMEWORKS}"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    got, went_out = said_by(done)
    assert got == {("responses", "handoff"): WANTED["openai_agents"]["handoff"]}
    assert went_out == []
