"""The fuzzer of `tests/fuzz.py`, a little of it; and that it can find something."""

from __future__ import annotations

import importlib.util
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.contract import load
from mockserver.embedded import start

SPECS = load()
ALL = "*"


def _fuzz() -> Any:
    spec = importlib.util.spec_from_file_location("fuzz", Path(__file__).with_name("fuzz.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules["fuzz"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = _fuzz()


@pytest.mark.parametrize("seed", [1, 2])
def test_spoilt_requests_get_documented_answers(seed: int) -> None:
    outcome = fuzz.ask_in_process(SPECS, 1500, seed, ALL)
    assert outcome.faults == {}
    assert len(outcome.refused) > 8, "the requests are no longer spoilt in many ways"


def test_spoilt_streams_are_read_or_reported() -> None:
    outcome = fuzz.read_broken_streams(SPECS, 3000, 1, ALL)
    assert outcome.faults == {}
    assert outcome.statuses["reported"] > 1000


def test_spoilt_bytes_on_a_socket_get_an_answer_or_an_end(caplog: pytest.LogCaptureFixture) -> None:
    running = start()
    try:
        with caplog.at_level(logging.INFO):
            outcome = fuzz.ask_over_sockets(running.http, running.info, SPECS, 200, 1, ALL)
    finally:
        running.stop()
    assert outcome.faults == {}
    assert [record for record in caplog.records if record.exc_info] == []
    assert outcome.statuses["200"] > 20 and outcome.statuses["400"] > 20


def test_a_mock_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("planted")

    monkeypatch.setattr(fuzz, "answer", broken)
    outcome = fuzz.ask_in_process(SPECS, 5, 1, ALL)
    assert [each for each in outcome.faults if "planted" in each]


def test_an_answer_that_no_contract_documents_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "documented", lambda *_: {299})
    assert fuzz.ask_in_process(SPECS, 5, 1, ALL).faults
