"""One run: each probe asked once, every rule judged on what came, and a probe that cannot go on says why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conformance.contract import Contract
from conformance.finding import Finding
from conformance.framing import dump
from conformance.loading import load
from conformance.run import Run, inapplicable
from conformance.target import Target, targets

SPECS = load()
CONVERSE = SPECS.contracts["bedrock-runtime/converse"]
CALL = CONVERSE.exchanges["weather"]["response"]["body"]
HELLO = CONVERSE.exchanges["hello"]["response"]["body"]
TOLD = {**HELLO, "output": {"message": {"role": "assistant", "content": [{"text": "It is 31 degrees."}]}}}

Provider = Callable[..., "Served"]


class Served:
    """A provider that gives these answers (status and body) one after the other, and the last one for ever."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        served, self.asked = self, list[str]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                status, body = answers[min(len(served.asked), len(answers) - 1)]
                served.asked.append(self.path)
                raw = dump(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("x-amzn-RequestId", "0d3b8d0c-7c35-4b3b-8d5f-9be9f6a3f001")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        [self.target] = targets(
            SPECS, "bedrock-runtime", endpoint=url, environment={"AWS_BEARER_TOKEN_BEDROCK": "key-0123456789"}
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    started: list[Served] = []

    def start(*answers: tuple[int, Any]) -> Served:
        started.append(Served(*answers))
        return started[-1]

    yield start
    for each in started:
        each.close()


def judged(served: Served, folder: Path, *rules: str, contract: Contract = CONVERSE) -> list[Finding]:
    run = Run(SPECS, [served.target], folder)
    found = [run.judge(served.target, contract, contract.rules[rule]) for rule in rules]
    run.close()
    return found


def test_a_probe_is_asked_once_for_all_its_rules_and_for_the_next_worker(
    provider: Provider, tmp_path: Path
) -> None:
    served = provider((200, HELLO))
    rules = [rule.id for rule in CONVERSE.rules.values() if rule.probe == "greets"]
    assert len(rules) > 5
    first = judged(served, tmp_path, *rules)
    assert {finding.word for finding in first} == {"kept"}
    assert len(served.asked) == 1
    second = judged(served, tmp_path, *rules)
    assert second == first
    assert len(served.asked) == 1


def test_a_finding_names_its_evidence_and_how_to_see_it_again(provider: Provider, tmp_path: Path) -> None:
    served = provider((200, HELLO))
    [finding] = judged(served, tmp_path, "usage-adds-up")
    [evidence] = finding.evidence
    address, step = evidence.split("#")
    assert (tmp_path / f"{address}.json").is_file()
    assert step == "ask"
    assert finding.again.startswith("curl ")
    assert served.target.endpoint in finding.again


def test_a_probe_goes_on_from_an_answer(provider: Provider, tmp_path: Path) -> None:
    served = provider((200, CALL), (200, TOLD))
    [finding] = judged(served, tmp_path, "tool-result-is-used")
    assert (finding.word, len(served.asked)) == ("kept", 2)
    assert [each.split("#")[1] for each in finding.evidence] == ["ask", "tell"]


@pytest.mark.parametrize("again", [False, True])
def test_a_probe_that_cannot_go_on_is_not_asked(provider: Provider, tmp_path: Path, again: bool) -> None:
    served = provider((200, HELLO))
    for _ in range(2 if again else 1):
        [finding] = judged(served, tmp_path, "tool-result-is-used")
    assert (finding.word, len(served.asked)) == ("not asked", 1)
    assert "step ask called no tool" in finding.reason


@pytest.mark.parametrize("status", [429, 503])
def test_an_outage_in_the_first_step_is_told_as_an_outage(
    provider: Provider, tmp_path: Path, status: int
) -> None:
    served = provider((status, {"message": "busy"}))
    [finding] = judged(served, tmp_path, "tool-result-is-used")
    assert (finding.word, len(served.asked)) == ("inconclusive", 1)
    assert str(status) in finding.reason


@pytest.mark.parametrize("status", [404, 405])
def test_a_refusal_by_which_good_requests_are_answered_too_says_nothing(
    provider: Provider, tmp_path: Path, status: int
) -> None:
    served = provider((status, {"message": "no such page"}))
    told, refused = judged(served, tmp_path, "status", "unknown-model-is-refused")
    assert (told.word, refused.word) == ("broken", "not asked")
    assert refused.reason.startswith("nothing is there to refuse: POST /model/")
    assert refused.reason.endswith(f"is answered with {status}")


def test_a_refusal_with_404_counts_where_good_requests_are_answered(
    provider: Provider, tmp_path: Path
) -> None:
    served = provider((404, {"message": "no such model"}), (200, HELLO))
    [refused] = judged(served, tmp_path, "unknown-model-is-refused")
    assert (refused.word, len(served.asked)) == ("kept", 2)


def test_nobody_is_inconclusive(provider: Provider, tmp_path: Path) -> None:
    served = provider((200, HELLO))
    served.target = replace(served.target, endpoint="http://127.0.0.1:9")
    [status, told] = judged(served, tmp_path, "status", "tool-result-is-used")
    assert {status.word, told.word} == {"inconclusive"}
    assert "http://127.0.0.1:9" in status.reason


def test_a_probe_that_this_target_cannot_be_asked_is_not_applicable(
    provider: Provider, tmp_path: Path
) -> None:
    served = provider((200, HELLO))
    served.target = replace(served.target, model=None)
    [finding] = judged(served, tmp_path, "status")
    assert (finding.word, served.asked) == ("not applicable", [])
    assert "--model" in finding.reason


# To whom a rule applies


@pytest.mark.parametrize(
    ("changes", "rule", "why"),
    [
        ({}, {}, None),
        ({}, {"not_checked": "no way to ask"}, "not checked: no way to ask"),
        ({}, {"reality": "observed"}, "the rule is of the observed reality"),
        ({"reality": "observed"}, {"reality": "observed"}, None),
        ({"auth": "lenient"}, {"needs": {"auth": "strict"}}, "mode lenient"),
        ({}, {"needs": {"auth": "strict"}}, None),
        ({"card": None}, {"needs": {"offers": "tools"}}, "no card says"),
        ({"card": None}, {}, None),
        ({}, {"needs": {"offers": "tools"}}, None),
        ({}, {"needs": {"offers": "output:video"}}, "does not offer output:video"),
        ({}, {"needs": {"lacks": "tools"}}, "offers tools"),
        ({}, {"needs": {"lacks": "output:video"}}, None),
        ({}, {"needs": {"claim": "max_output"}}, None),
        ({}, {"needs": {"claim": "mood"}}, "claims no mood"),
    ],
)
def test_a_rule_applies_where_its_needs_are_met(
    changes: dict[str, Any], rule: dict[str, Any], why: str | None
) -> None:
    [target] = targets(SPECS, "bedrock-runtime", environment={"AWS_BEARER_TOKEN_BEDROCK": "key-0123456789"})
    asked: Target = replace(target, **changes)
    reason = inapplicable(asked, CONVERSE, replace(CONVERSE.rules["usage-adds-up"], **rule))
    assert (reason is None) == (why is None)
    assert why is None or why in (reason or "")
