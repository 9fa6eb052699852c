"""The document of a run, and what is drawn from it: in the terminal, and as a page in a real browser."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from conformance import formats
from conformance.card import Card
from conformance.contract import Contract, Provider
from conformance.documents.library import Library
from conformance.finding import MEANING, Finding, Word
from conformance.formats import markdown
from conformance.loading import Specs
from conformance.runs import report, streams, terminal
from conformance.runs.page import html
from conformance.runs.store import text_or_base64
from conformance.runs.told import failures
from conformance.shapes import ABSENT, Mismatch
from conformance.target import Target
from conformance.wire import eventstream, sse
from tests import test_stored as stored

HERE = Path(__file__)
SAYS = {"text": "a page", "sure": "official doc"}
STREAM = "application/vnd.amazon.eventstream"
HOSTILE = (
    "</script ><!--<script </script><script>window.ran = true</script><img src=x onerror='window.ran = true'>"
)


# A made-up world: two sellers of one model, three contracts, a finding for every word


def rule(area: str, level: str = "must", **more: Any) -> dict[str, Any]:
    return {
        "area": area,
        "level": level,
        "text": f"What {area} promises.",
        "source": SAYS,
        "probe": "greets",
        **more,
    }


def contract(
    name: str, api: str, provider: Provider, offer: str, rules: Mapping[str, Any], **response: Any
) -> Contract:
    said = {
        "api": api,
        "offer": offer,
        "source": {**SAYS, "url": "https://example.com/reference"},
        "request": {"method": "POST"},
        "response": {"status": 200, **response},
        "probes": {"greets": {"steps": {"ask": {}}}},
        "rules": rules,
    }
    return Contract(name, HERE, said, provider, (HERE,), Library())


def claim(stated: Any, read_as: Any, **more: Any) -> dict[str, Any]:
    return {"stated": stated, "read_as": read_as, "source": SAYS, **more}


BIG = Provider("big", HERE, {"title": "Big Cloud", "seller": "big", "prefix": "/big"})
SMALL = Provider("small", HERE, {"title": "Small Shop", "seller": "small", "prefix": "/small"})
PLAIN = contract(
    "big/plain",
    "Plain",
    BIG,
    "plain",
    {
        "adds-up": rule("behaviour"),
        "sorted": rule("behaviour", "should"),
        "cap": rule("limits", needs={"claim": "max_output"}),
        "image": rule("modalities", needs={"offers": "input:image"}),
        "never": rule("quotas", not_checked="it would cost too much"),
        "slow": rule("quotas"),
    },
)
STREAMED = contract(
    "big/streamed",
    "Streamed",
    BIG,
    "plain",
    {"ends": rule("stream")},
    framing={"kind": "eventstream"},
    order="a+",
)
SHOP = contract("small/chat", "Chat", SMALL, "chat", {"cap": rule("limits", needs={"claim": "max_output"})})
CARDS = (
    Card(
        "m-1",
        "Model One",
        "m",
        "big",
        HERE,
        {
            "ids": {"big": "m.1"},
            "claims": {
                "context_window": claim(
                    "128K",
                    128000,
                    unit="tokens",
                    disputed_by=[
                        {"value": 131072, "text": "which K?", "source": {"text": "nobody", "sure": "guess"}}
                    ],
                ),
                "max_output": claim("40K", 40000, unit="tokens"),
                "input_modalities": claim("Text, Image", ["text", "image"]),
                "endpoints": claim("big", ["big"]),
                "apis": {
                    "plain": claim(
                        None, True, observed={"value": False, "source": {"text": "seen", "sure": "capture"}}
                    )
                },
            },
        },
    ),
    Card(
        "m-1",
        "Model One",
        "m",
        "small",
        HERE,
        {
            "ids": {"small": "m1"},
            "claims": {
                "context_window": claim("131K", 131072, unit="tokens"),
                "max_output": claim("40K", 40000, unit="tokens"),
                "endpoints": claim("small", ["small"]),
                "apis": {"chat": claim("yes", True)},
            },
        },
    ),
)
SPECS = Specs({"big": BIG, "small": SMALL}, {each.id: each for each in (PLAIN, STREAMED, SHOP)}, CARDS)
AT_BIG = Target(BIG, "http://127.0.0.1:1/big", "m.1", CARDS[0], region="here-1", key="k" * 20, auth="strict")
AT_SMALL = Target(SMALL, "http://127.0.0.1:1/small", "m1", CARDS[1], auth="strict")

BODY = '{"usage": {"total": 7, "share": 1.0}, "text": "Hello", "deep": [{"a/b": true}]}'
EVENTS = [
    eventstream.encode(
        eventstream.Message({":event-type": "start", ":message-type": "event"}, b'{"role":"assistant"}')
    ),
    eventstream.encode(
        eventstream.Message(
            {":event-type": "chunk", ":message-type": "event"},
            json.dumps({"bytes": base64.b64encode(b'{"n": 1.50}').decode()}).encode(),
        )
    ),
    eventstream.encode(
        eventstream.Message({":event-type": "end", ":message-type": "event"}, b'{"usage":{"total":7}}')
    ),
]


def exchange(content_type: str, chunks: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "step": "ask",
        "request": {
            "method": "POST",
            "target": "/m.1/ask",
            "headers": [["Authorization", "Bearer $KEY"]],
            "body": {"text": '{"say": "hello"}'},
        },
        "response": {
            "status": 200,
            "headers": [["Content-Type", content_type], ["X-Id", "1"]],
            "chunks": chunks,
            "ending": "complete",
        },
        **more,
    }


def chunk(data: bytes, at: float) -> dict[str, Any]:
    return {"at": at, "base64": base64.b64encode(data).decode()}


EXCHANGES: dict[str, list[Any]] = {
    "plain": [
        exchange("application/json", [{"at": 0.04, "text": BODY[:20]}, {"at": 0.05, "text": BODY[20:]}])
    ],
    "streamed": [
        exchange(STREAM, [chunk(EVENTS[0] + EVENTS[1][:30], 0.1), chunk(EVENTS[1][30:] + EVENTS[2], 0.25)])
    ],
    "silent": [{**exchange("", []), "response": None, "failure": "connection refused"}],
}


def found(contract: Contract, name: str, word: Word = "kept", *mismatches: Mismatch, **more: Any) -> Any:
    target = AT_SMALL if contract is SHOP else AT_BIG
    more.setdefault("evidence", ("streamed#ask",) if contract is STREAMED else ("plain#ask",))
    return target, contract, Finding(contract.rules[name], word, mismatches=mismatches, **more)


FINDINGS = [
    *(found(PLAIN, name) for name in ("status", "headers", "framing", "shape")),
    found(PLAIN, "adds-up", "broken", Mismatch("/body/usage/total", "6", 7), again="curl -d '{}' \"$URL\""),
    found(
        PLAIN,
        "sorted",
        "broken",
        Mismatch("/body/deep/0/missing", "a member", ABSENT),
        Mismatch("/body/deep/0/a~1b", "false", True),
    ),
    found(PLAIN, "cap"),
    found(PLAIN, "image", "not applicable", reason="the card does not offer it", evidence=()),
    found(PLAIN, "slow", "over budget", reason="it costs more than was allowed", evidence=()),
    *(found(STREAMED, name) for name in ("status", "headers", "framing", "shape")),
    found(STREAMED, "order", "suite error", reason="check order raised KeyError"),
    found(
        STREAMED,
        "ends",
        "broken",
        Mismatch("/events/1/bytes/n", "2", 1.5),
        Mismatch("/events/end/why", "a member", ABSENT),
    ),
    found(SHOP, "status", "inconclusive", reason="no response: connection refused", evidence=("silent#ask",)),
    found(SHOP, "cap", "not asked", reason="status: expected 200, got 400", evidence=("silent#ask",)),
]


def draw(findings: Any = FINDINGS, exchanges: dict[str, list[Any]] = EXCHANGES) -> dict[str, Any]:
    return report.document(
        findings,
        SPECS,
        [AT_BIG, AT_SMALL],
        started=datetime(2026, 11, 22, 4, tzinfo=timezone(timedelta(hours=1))),
        seconds=4.2,
        exchanges=exchanges,
        requests=3,
    )


# The document


def test_document_says_what_became_of_every_rule() -> None:
    document = draw()
    assert document["format"] == "conformance-report/1"
    assert document["started"] == "2026-11-22T03:00:00Z"
    assert document["counts"] == {
        "kept": 9,
        "broken": 3,
        "not applicable": 1,
        "not asked": 1,
        "inconclusive": 1,
        "over budget": 1,
        "suite error": 1,
    }
    said = next(each for each in document["findings"] if each["rule"] == "adds-up")
    assert said == {
        "target": "big",
        "contract": "big/plain",
        "api": "Plain",
        "rule": "adds-up",
        "area": "behaviour",
        "level": "must",
        "text": "What behaviour promises.",
        "source": SAYS,
        "word": "broken",
        "reason": "",
        "excused": "",
        "accused": "",
        "mismatches": [{"at": "/body/usage/total", "expected": "6", "got": 7}],
        "evidence": ["plain#ask"],
        "step": "ask",
        "again": "curl -d '{}' \"$URL\"",
        "implied": False,
    }
    assert document["targets"][0]["card"] == {"model": "m-1", "name": "Model One", "seller": "big"}


def test_document_is_json_and_holds_no_key() -> None:
    text = report.dump_json(draw())
    assert json.loads(text) == draw()
    assert "k" * 20 not in text


def test_findings_in_any_order_give_the_same_json() -> None:
    assert report.dump_json(draw(FINDINGS[::-1])) == report.dump_json(draw())


def test_mismatch_that_got_nothing_is_told_from_one_that_got_null() -> None:
    document = draw([found(PLAIN, "cap", "broken", Mismatch("/a", "x", ABSENT), Mismatch("/b", "x", None))])
    assert document["findings"][0]["mismatches"] == [
        {"at": "/a", "expected": "x"},
        {"at": "/b", "expected": "x", "got": None},
    ]
    assert "got       nothing\n" in failures(document)[0]
    assert "got       null\n" in failures(document)[0]


@pytest.mark.parametrize(
    ("words", "verdict", "code"),
    [
        (["kept", "not applicable"], "conformant", 0),
        (["kept", "broken"], "not conformant", 1),
        (["kept", "not asked"], "not conformant", 1),
        (["broken", "suite error"], "suite error", 3),
        (["kept", "inconclusive"], "inconclusive", 4),
        (["kept", "over budget"], "inconclusive", 4),
        (["not applicable"], "inconclusive", 4),
        ([], "inconclusive", 4),
    ],
)
def test_verdict_is_the_worst_that_counts(words: list[Word], verdict: str, code: int) -> None:
    names = ("adds-up", "cap")
    document = draw([found(PLAIN, name, word) for name, word in zip(names, words, strict=False)])
    assert (document["verdict"], document["exit_code"]) == (verdict, code)
    assert terminal.matrix(document, 100, color=False)[-1].startswith(f"{verdict}: ")


def test_statement_that_is_not_checked_is_listed_with_its_reason() -> None:
    assert [(each["rule"], each["why"]) for each in draw()["not_checked"]] == [
        ("never", "it would cost too much")
    ]
    assert "1 statement not checked (reasons in the report)" in terminal.matrix(draw(), 100, color=False)


def test_claim_keeps_stated_read_as_and_observed_apart_and_says_what_this_run_saw() -> None:
    claims = {(each["seller"], each["claim"]): each for each in draw()["claims"]}
    assert list(claims) == [
        ("big", "context_window"),
        ("big", "max_output"),
        ("big", "input_modalities"),
        ("big", "endpoints"),
        ("big", "apis.plain"),
        ("small", "context_window"),
        ("small", "max_output"),
        ("small", "endpoints"),
        ("small", "apis.chat"),
    ]
    api = claims["big", "apis.plain"]
    assert (api["stated"], api["read_as"], api["observed"]["value"]) == (None, True, False)
    assert (api["verdict"], api["rules"]) == ("kept", ["big/plain:status", "big/streamed:status"])
    assert (claims["big", "max_output"]["verdict"], claims["big", "max_output"]["rules"]) == (
        "kept",
        ["big/plain:cap"],
    )
    assert claims["big", "input_modalities"]["verdict"] == "not looked at"
    assert claims["small", "max_output"]["verdict"] == "not looked at"
    broken = draw([found(PLAIN, "cap", "broken", Mismatch("/status", "200", 400))])
    assert next(each for each in broken["claims"] if each["claim"] == "max_output")["verdict"] == "broken"


def test_claims_on_which_sellers_differ_are_set_side_by_side() -> None:
    between = draw()["between_sellers"]
    assert [each["claim"] for each in between] == ["context_window"]
    assert {seller: said["read_as"] for seller, said in between[0]["sellers"].items()} == {
        "big": 128000,
        "small": 131072,
    }


# The terminal


def test_matrix_shows_every_word_without_color() -> None:
    lines = terminal.matrix(draw(), 100, color=False)
    assert lines[0].split() == [
        "wire",
        "stream",
        "errors",
        "auth",
        "limits",
        "quotas",
        "modalities",
        "behaviour",
    ]
    rows = {line.split("  ")[1]: line.split()[1:] for line in lines if line.startswith("  ") and line.strip()}
    assert rows["Plain"] == ["4", "1", "$1", "-", "X1", "x1"]
    assert rows["Streamed"] == ["3", "1", "X1", "!1"]
    assert rows["Chat"] == ["~1", "?1"]
    assert next(line for line in lines if line.startswith("all")).split() == [
        *["all", "7", "~1", "1", "X1", "!1", "1", "?1", "$1", "-", "X1", "x1"]
    ]
    start = next(index for index, line in enumerate(lines) if line.startswith("12 kept"))
    legend = " ".join(lines[start : lines.index("", start)])
    for mark, meaning in (("X", "broken"), ("x", "broken, only should"), ("-", "not applicable")):
        assert f"{mark} {meaning}" in legend
    assert (
        lines[-1] == "suite error: 9 kept, 2 broken, 1 warning, 1 not asked, 1 suite error, 1 inconclusive, "
        "1 over budget, 1 not applicable; 3 requests in 4.2 s"
    )


def test_matrix_tells_the_contradictions() -> None:
    text = "\n".join(terminal.matrix(draw(), 100, color=False))
    assert '  context_window  big  128,000 ("128K")  disputed: 131,072 (guess)' in text
    assert "  apis.plain      big  yes               observed no (capture)" in text
    assert '  context_window  big 128,000 ("128K")  small 131,072 ("131K")' in text
    assert "input_modalities" not in text


@pytest.mark.parametrize("width", [80, 100, 200])
def test_matrix_of_the_longest_names_fits_its_width(width: int) -> None:
    long = contract("big/long", "A name of twenty-eight letters"[:28], BIG, "plain", PLAIN.said["rules"])
    specs = Specs(SPECS.providers, {**SPECS.contracts, long.id: long}, CARDS)
    findings = [(AT_BIG, long, Finding(rule, "kept")) for rule in long.rules.values() if not rule.not_checked]
    document = report.document(
        [*FINDINGS, *findings],
        specs,
        [AT_BIG, AT_SMALL],
        started=datetime.now(UTC),
        seconds=1,
        exchanges={},
        requests=0,
    )
    lines = terminal.matrix(document, width, color=False)[:-1]
    assert max(map(len, lines)) <= width


def test_color_adds_nothing_but_color() -> None:
    colored = terminal.matrix(draw(), 100, color=True)
    assert any("\x1b[31mX1" in line for line in colored)
    assert [re.sub("\x1b\\[\\d+m", "", line) for line in colored] == terminal.matrix(draw(), 100, color=False)


def test_failures_are_the_texts_of_the_findings_and_warnings_come_last() -> None:
    told = failures(draw())
    by_name = {finding.rule.id: finding for _, _, finding in FINDINGS if finding.fails or finding.warns}
    assert [text.split()[0] for text in told] == [
        "adds-up",
        "slow",
        "order",
        "ends",
        "status",
        "cap",
        "sorted",
    ]
    assert told[0] == by_name["adds-up"].text()
    assert told[-1] == by_name["sorted"].text()


def test_what_several_contracts_share_is_told_once_and_names_them_all() -> None:
    place = {"at": "/x", "expected": "1", "got": 2}
    found = [
        {**stored.finding("cap", "broken", mismatches=[place]), "contract": contract}
        for contract in ("big/plain", "big/streamed", "small/chat")
    ]
    other = {**stored.finding("cap", "broken", mismatches=[{**place, "got": 3}]), "contract": "small/words"}
    document = stored.run(*found, other, exit_code=1)
    one, two = failures(document)
    assert one.startswith(
        "cap (must)  big/plain: broken\n  also in   big/streamed, small/chat\n  at        /x\n"
    )
    assert two.startswith("cap (must)  small/words: broken\n  at        /x\n")
    told = markdown.render(document)
    assert "<summary>Failing (4)</summary>" in told
    assert told.count("cap (must)") == 2


# The page as text


class Elements(HTMLParser):
    """What a reader we did not write takes for elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside.setdefault(tag, []).append("")
        self.open = tag

    def handle_endtag(self, tag: str) -> None:
        self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open:
            self.inside[self.open][-1] += data


def hostile() -> dict[str, Any]:
    """A document in which everything that can be said is said by an enemy."""

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: value[key] if key in KEPT else poisoned(value[key]) for key in value}
        if isinstance(value, list):
            return [poisoned(each) for each in value]
        return value + HOSTILE if isinstance(value, str) else value

    return cast("dict[str, Any]", poisoned(deepcopy(draw())))


KEPT = (
    "format",
    "word",
    "area",
    "level",
    "started",
    "base64",
    "url",
    "seller",
    "step",
    "evidence",
    "exchanges",
)
"""Members that the page computes with: with any other value it would be another document."""


def test_nothing_in_the_document_becomes_an_element() -> None:
    document = hostile()
    document["exchanges"]["plain"][0]["response"]["chunks"] = [
        {"at": 0.1, "text": json.dumps({"text": HOSTILE})}
    ]
    document["findings"][0]["source"]["url"] = "javascript:window.ran=true"
    assert [tag for tag, _ in Elements(html(document)).tags] == [
        tag for tag, _ in Elements(html(draw())).tags
    ]


def test_page_asks_for_nothing_and_its_policy_names_its_only_script() -> None:
    page = Elements(html(draw()))
    assert not [
        attributes for _, attributes in page.tags if {"src", "href", "srcset", "data"} & set(attributes)
    ]
    policy = next(
        each["content"] for _, each in page.tags if each.get("http-equiv") == "Content-Security-Policy"
    )
    script = page.inside["script"][-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "url(" not in page.inside["style"][0]


def embedded(document: dict[str, Any]) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(Elements(html(document)).inside["script"][0])))


def test_event_stream_is_decoded_with_the_time_at_which_each_event_was_whole() -> None:
    stream = embedded(draw())["streams"]["streamed#ask"]
    assert stream["problem"] is None
    assert [(each["name"], each["at"]) for each in stream["events"]] == [
        ("start", 0.1),
        ("chunk", 0.25),
        ("end", 0.25),
    ]
    assert stream["events"][1]["text"] == '{"bytes": {"n": 1.50}}'
    assert stream["events"][1]["opened"] == ["bytes"]


def test_event_of_lists_in_lists_is_shown_as_text() -> None:
    deep = b"[" * 100_000
    for payload in (deep, b'{"bytes":"' + base64.b64encode(deep) + b'"}'):
        data = eventstream.encode(eventstream.Message({":event-type": "chunk"}, payload))
        said = {
            "status": 200,
            "headers": [["content-type", "application/vnd.amazon.eventstream"]],
            "chunks": [{"at": 0.1, **text_or_base64(data)}],
        }
        [event] = (streams.stream_of(said) or {})["events"]
        assert event["text"] == payload.decode()


def test_stream_that_breaks_off_shows_what_came_and_where_it_broke() -> None:
    broken = {**EXCHANGES, "streamed": [exchange(STREAM, [chunk(EVENTS[0] + EVENTS[1][:30], 0.1)])]}
    stream = embedded(draw(exchanges=broken))["streams"]["streamed#ask"]
    assert [each["name"] for each in stream["events"]] == ["start"]
    assert stream["problem"].startswith("end of stream at byte")


def test_event_before_a_broken_one_in_the_same_chunk_is_shown() -> None:
    broken = bytes([*EVENTS[1][:-1], EVENTS[1][-1] ^ 1])
    exchanges = {"streamed": [exchange(STREAM, [chunk(EVENTS[0] + broken, 0.1)])]}
    stream = embedded(draw(exchanges=exchanges))["streams"]["streamed#ask"]
    assert [each["name"] for each in stream["events"]] == ["start"]
    assert stream["problem"].startswith("message checksum")


@pytest.mark.parametrize(
    ("content_type", "data", "events"),
    [
        (
            "text/event-stream; charset=utf-8",
            sse.encode(sse.Message("{}", event="hi")) + b"data: [DONE]\n\n",
            [("hi", "{}"), (None, "[DONE]")],
        ),
        (
            "application/x-ndjson",
            b'{"a": 1.0}\n{"b": "\xc3\xa9"}\n',
            [(None, '{"a": 1.0}'), (None, '{"b": "é"}')],
        ),
    ],
)
def test_lines_and_server_sent_events_are_decoded_too(
    content_type: str, data: bytes, events: list[Any]
) -> None:
    cut = [{"at": 0.1, **chunk(data[:9], 0.1)}, {"at": 0.2, **chunk(data[9:], 0.2)}]
    stream = embedded(draw(exchanges={"x": [exchange(content_type, cut)]}))["streams"]["x#ask"]
    assert [(each["name"], each["text"]) for each in stream["events"]] == events


# The folder


def test_folder_gets_every_file_and_nothing_else(tmp_path: Path) -> None:
    formats.write(draw(), tmp_path / "new" / "folder")
    names = [
        "badge.json",
        "badge.svg",
        "ctrf-report.json",
        "junit.xml",
        "report.html",
        "report.json",
        "report.md",
    ]
    found = sorted(each.name for each in (tmp_path / "new" / "folder").iterdir())
    assert [each for each in found if each not in ("bodies", "evidence")] == names
    assert json.loads((tmp_path / "new" / "folder" / "report.json").read_text()) == draw()


def test_page_that_cannot_be_drawn_leaves_the_old_files_alone(tmp_path: Path) -> None:
    formats.write(draw(), tmp_path)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    with pytest.raises(KeyError):
        formats.write({"format": "conformance-report/1"}, tmp_path)
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before


# The page in Chromium, driven over its own pipe


class Browser:
    """One tab. `run` evaluates, `press` and `click` are a person's: trusted, at the place on the screen."""

    FLAGS = (
        *(
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
        ),
        *("--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe"),
    )

    def __init__(self, profile: Path) -> None:
        names = ("chromium", "chromium-browser", "google-chrome")
        program = next((path for name in names if (path := shutil.which(name))), None)
        if program is None:
            pytest.fail(f"expected one of {', '.join(names)}, got none; on Debian: apt-get install chromium")
        ours_in, its_out = os.pipe()
        its_in, ours_out = os.pipe()
        # Chromium reads commands from descriptor 3 and answers on 4.
        line = f'exec "$0" "$@" 3<&{its_in} 4>&{its_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, program, *self.FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(its_in, its_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(its_in)
        os.close(its_out)
        self._in, self._out = os.fdopen(ours_in, "rb", buffering=0), os.fdopen(ours_out, "wb", buffering=0)
        self._buffer, self._last, self._session = b"", 0, ""
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False
        )

    def call(self, method: str, **parameters: Any) -> Any:
        self._last += 1
        asked = {"id": self._last, "method": method, "params": parameters}
        self._out.write(
            json.dumps(asked | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        )
        while True:
            while b"\0" not in self._buffer:
                read = self._in.read(1 << 20)
                assert read, "Chromium went away"
                self._buffer += read
            raw, _, self._buffer = self._buffer.partition(b"\0")
            said = json.loads(raw)
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(said["params"]["exceptionDetails"]["exception"]["description"])
            if said.get("method") == "Log.entryAdded":
                self.errors.append(said["params"]["entry"]["text"])
            if said.get("id") == self._last:
                assert "error" not in said, said
                return said["result"]

    def open(self, page: Path, fragment: str = "") -> None:
        self.errors.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"{page.as_uri()}{fragment}")
        self.run(
            "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))"
        )
        # The page unpacks what it shows after it is loaded.
        self.run(
            "new Promise((done, fail) => { const look = (left) => document.querySelector('main') ? done()"
            " : left ? setTimeout(look, 10, left - 1) : fail(new Error('nothing was drawn')); look(6000); })"
        )

    def run(self, script: str) -> Any:
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        return cast(
            "list[str]",
            self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())"),
        )

    def wait(self, selector: str, text: str) -> None:
        """Returns when an element that `selector` finds says `text`; fails after a minute."""
        self.run(
            "new Promise((done, fail) => { const look = (left) =>"
            f" [...document.querySelectorAll({json.dumps(selector)})].some(e => e.innerText.trim() === {json.dumps(text)})"
            " ? done() : left ? setTimeout(look, 10, left - 1) : fail(new Error('not seen')); look(6000); })"
        )

    def click(self, selector: str) -> None:
        box = self.run(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
            f" return [b.x + b.width / 2, b.y + b.height / 2]; }})(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def press(self, key: str) -> None:
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, "Tab": 9, "ArrowRight": 39, "ArrowDown": 40}.get(key, 0)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._in.close()
        self._out.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("chromium"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    formats.write(draw(), folder)
    return folder / "report.html"


def test_page_opens_without_an_error_and_shows_first_what_needs_attention(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    assert browser.texts("h1") == ["Suite error"]
    assert browser.texts(".rule .id") == ["adds-up", "ends", "sorted", "cap", "order", "status", "slow"]
    assert browser.texts(".matrix tfoot a") == ["7~1", "1X1!1", "1?1", "$1", "-", "X1x1", "9X2x1?1!1~1$1"]
    assert browser.errors == []
    assert browser.run("performance.getEntriesByType('resource').length") == 0


def test_every_count_of_a_cell_is_in_sight_however_many_there_are_and_however_narrow_the_page(
    browser: Browser, tmp_path: Path
) -> None:
    document = draw()
    # A rule many times: counts of three digits and every mark in one cell.
    many = [
        {**each, "contract": f"{each['contract']}-{n}", "area": "wire"}
        for each in document["findings"]
        for n in range(150)
    ]
    formats.write({**document, "findings": many}, tmp_path)
    for width in (1280, 390):
        browser.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        browser.open(tmp_path / "report.html")
        hidden = browser.run(
            "[...document.querySelectorAll('.cell')].filter(e => { const b = e.getBoundingClientRect();"
            " return [...e.querySelectorAll('b, .few')].some(f => { const c = f.getBoundingClientRect();"
            " return c.left < b.left || c.right > b.right || c.top < b.top || c.bottom > b.bottom }) })"
            ".map(e => e.getAttribute('aria-label'))"
        )
        assert hidden == []
        names = browser.run(
            "[...document.querySelectorAll('.matrix thead th')].map(e => { const r = document.createRange();"
            " r.selectNodeContents(e); const b = r.getBoundingClientRect(); return [b.left, b.right] })"
        )
        assert all(one[1] <= other[0] for one, other in pairwise(names))
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False
    )


def test_page_says_where_was_asked(browser: Browser, page: Path, tmp_path: Path) -> None:
    document = draw()
    for target in document["targets"]:
        target["endpoint"] = "http://127.0.0.1:8000"
    formats.write(document, tmp_path)
    browser.open(tmp_path / "report.html")
    assert "asked at http://127.0.0.1:8000" in browser.texts(".head p")


def test_one_click_on_a_cell_lists_its_rules_and_opens_the_evidence_of_the_worst(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    browser.click('.matrix a[aria-label^="Plain, behaviour"]')
    assert browser.texts(".rule .id") == ["adds-up", "sorted"]
    assert browser.texts(".rule[open] .id") == ["adds-up"]
    assert browser.texts(".rule[open] .exchange h4") == ["Exchange plain#ask"]
    where = browser.run("location.hash")
    assert where == "#provider=big&api=Plain&area=behaviour&word=all&rule=big+big%2Fplain%3Aadds-up"
    assert len(browser.texts(".matrix a[aria-current]")) == 1


def test_keys_walk_the_matrix_and_open_a_cell_and_a_rule(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('.matrix a').focus()")
    browser.press("ArrowRight")
    assert browser.run("document.activeElement.getAttribute('aria-label')") == "Plain, limits: 1 kept"
    browser.press("Enter")
    assert browser.texts(".rule .id") == ["cap"]
    browser.wait(".rule[open] .exchange h4", "Exchange plain#ask")
    browser.run("document.querySelector('.rule summary').focus()")
    browser.press("Enter")
    assert browser.run("document.querySelector('.rule').open") is False


def test_link_to_a_cell_opens_it_and_back_leaves_it(browser: Browser, page: Path) -> None:
    browser.open(page, "#provider=small&api=Chat&word=all")
    assert browser.texts(".rule .id") == ["cap", "status"]
    browser.click('.matrix a[aria-label^="Streamed, wire"]')
    assert browser.texts(".rule .id") == ["status", "headers", "shape"]
    browser.run(
        "new Promise(done => { addEventListener('popstate', () => setTimeout(done)); history.back(); })"
    )
    assert browser.texts(".rule .id") == ["cap", "status"]


def test_back_returns_to_where_the_reader_was_and_a_pasted_address_is_scrolled_to(
    browser: Browser, page: Path
) -> None:
    browser.open(page, "#word=all")
    browser.click('.matrix a[aria-label^="Plain, limits"]')
    assert browser.run("document.querySelector('#rules').getBoundingClientRect().top") < 100
    browser.run(
        "new Promise(done => { addEventListener('popstate', () => setTimeout(done, 50)); history.back(); })"
    )
    assert 0 < browser.run("document.querySelector('.matrix a').getBoundingClientRect().top") < 900
    browser.run("new Promise(done => { addEventListener('popstate', done); location.hash = 'word=kept'; })")
    assert browser.run("document.querySelector('#rules').getBoundingClientRect().top") < 100


def test_link_to_a_rule_opens_its_evidence_with_the_mismatch_marked(browser: Browser, page: Path) -> None:
    browser.open(page, "#rule=big+big/plain:adds-up")
    assert browser.texts(".rule[open] .mismatches td") == ["/body/usage/total", "6", "7"]
    assert browser.texts(".rule[open] .wrong") == ["7expected 6"]
    assert browser.texts('[aria-label="request"] .first b') == ["POST /m.1/ask"]
    assert browser.texts('[aria-label="response"] .first .soft') == ["· first byte 40 ms, last 50 ms"]
    drawn = browser.run(
        "document.querySelector('[aria-label=\"response\"] .code').textContent.replace('expected 6', '')"
    )
    assert json.loads(drawn) == json.loads(BODY)
    assert '"share": 1.0' in drawn
    bar, top = browser.run(
        "[document.querySelector('.bar').getBoundingClientRect().bottom,"
        " document.querySelector('.rule[open]').getBoundingClientRect().top]"
    )
    assert bar - 1 <= top < 300


def test_place_of_a_missing_member_is_marked_where_it_should_stand(browser: Browser, page: Path) -> None:
    browser.open(page, "#rule=big+big/plain:sorted")
    assert browser.texts(".rule[open] .lacks > .note") == ["/missing expected a member"]
    assert browser.run("document.querySelector('.lacks').textContent").startswith(
        "{/missing expected a member"
    )


def test_events_of_a_stream_are_listed_with_times_and_the_wrong_ones_stand_open(
    browser: Browser, page: Path
) -> None:
    browser.open(page, "#rule=big+big/streamed:ends")
    assert browser.texts(".event .name") == ["start", "chunk", "end"]
    assert browser.texts(".event .time") == ["100 ms", "250 ms", "250 ms"]
    assert browser.texts(".event[open] .note") == ["expected 2", "/why expected a member"]
    browser.click(".event:first-child summary")
    browser.wait(".event:first-child .headers th", ":event-type")


def test_wrong_event_far_down_the_stream_is_in_sight(browser: Browser, tmp_path: Path) -> None:
    many = [exchange(STREAM, [chunk(EVENTS[0], 0.1) for _ in range(100)] + [chunk(EVENTS[2], 0.2)])]
    late = found(STREAMED, "ends", "broken", Mismatch("/events/end/why", "a member", ABSENT))
    formats.write(draw([late], {"streamed": many}), tmp_path)
    browser.open(tmp_path / "report.html", "#rule=big+big/streamed:ends")
    assert browser.run(
        "(([view, note]) => view.top < note.top && note.bottom < view.bottom)"
        "(['[aria-label=response] .view', '.note'].map(e => document.querySelector(e).getBoundingClientRect()))"
    )


def test_raw_view_shows_the_chunks_as_they_came(browser: Browser, page: Path) -> None:
    browser.open(page, "#rule=big+big/streamed:ends")
    browser.click('[aria-label="response"] .switch button:last-child')
    assert browser.texts('[aria-label="response"] .chunk p') == [
        f"100 ms · {len(EVENTS[0]) + 30} bytes",
        f"250 ms · {len(EVENTS[1]) - 30 + len(EVENTS[2])} bytes",
    ]
    first = browser.texts('[aria-label="response"] .chunk .code')[0].splitlines()[0]
    assert bytes.fromhex("".join(first.split("  ")[1:3]).replace(" ", "")) == EVENTS[0][:16]
    browser.open(page, "#rule=big+big/plain:adds-up")
    browser.click('[aria-label="response"] .switch button:last-child')
    chunks = browser.run(
        "[...document.querySelectorAll('[aria-label=\"response\"] .chunk .code')].map(e => e.textContent)"
    )
    assert chunks == [BODY[:20], BODY[20:]]


def test_request_that_nobody_answered_says_so(browser: Browser, page: Path) -> None:
    browser.open(page, "#rule=small+small/chat:status")
    assert browser.texts(".rule[open] .reason") == ["no response: connection refused"]
    assert browser.texts('[aria-label="response"]') == ["No response: connection refused"]


def test_line_to_paste_is_copied(browser: Browser, page: Path) -> None:
    browser.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.open(page, "#rule=big+big/plain:adds-up")
    browser.click(".copy")
    browser.wait(".copy", "Copied")
    assert browser.run("navigator.clipboard.readText()") == "curl -d '{}' \"$URL\""


def test_filters_narrow_the_list_together(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click('.chips button[data-word="all"]')
    assert len(browser.texts(".rule")) == len(FINDINGS)
    browser.click("input[name=q]")
    for letter in "KeyError":
        browser.press(letter)
    assert browser.texts(".rule .id") == ["order"]
    browser.click(".clear")
    assert browser.run("document.querySelector('input[name=q]').value") == ""
    browser.click('.chips button[data-word="warning"]')
    assert browser.texts(".rule .id") == ["sorted"]
    for name, value, left in (
        ("level", "must", 12),
        ("area", "wire", 0),
        ("provider", "small", 2),
        ("api", "Chat", 2),
    ):
        browser.open(page, "#word=all")
        browser.run(
            f"(e => {{ e.value = {value!r}; e.dispatchEvent(new Event('change')); }})"
            f"(document.querySelector('select[name={name}]'))"
        )
        assert all(browser.texts(".rule")), name
        kept = [each for each in draw()["findings"] if each[{"provider": "target"}.get(name, name)] == value]
        assert len(browser.texts(".rule")) == len(kept) > left - 1
        assert browser.run("location.hash") == f"#{name}={value}&word=all"


def test_declared_and_observed_stand_apart(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.texts("#declared tr.against th") == ["context_window", "apis.plain"]
    row = browser.texts("#declared tr.against:last-child td")
    assert row[0] == "says nothing"
    assert row[1].startswith("yes")
    assert row[2].startswith("no")
    assert row[3] == "+ kept by\nstatus × 2"
    assert browser.texts("#not-checked td")[1] == "it would cost too much"


@pytest.mark.parametrize("where", ["", "#word=all&rule=big+big%2Fplain%3Asorted"])
def test_on_a_telephone_nothing_is_wider_than_the_screen(browser: Browser, page: Path, where: str) -> None:
    size = {"height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", width=390, **size)
    try:
        browser.open(page, where)
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.call("Emulation.setDeviceMetricsOverride", width=1280, **{**size, "height": 900})


SECTIONS: dict[str, Any] = {
    "declared": [
        {
            "model": "m-1",
            "seller": "big",
            "claim": "context_window",
            "stated": "128K",
            "read_as": 128000,
            "source": SAYS,
            "observed": 131072,
            "verdict": "differs",
            "requests": 2,
            "cost": 0.0655,
        }
    ],
    "receipt": {
        "currency": "USD",
        "lines": [
            {
                "model": "m.1",
                "api": "Plain",
                "requests": 1200,
                "retries": 3,
                "input_tokens": 40,
                "output_tokens": 9,
                "cost": 0.25,
            },
            {
                "model": None,
                "api": "Models",
                "requests": 1,
                "retries": 0,
                "input_tokens": 0,
                "output_tokens": 0,
                "cost": None,
            },
        ],
        "total": 0.25,
    },
    "waivers": [
        {
            "rule": "adds-up",
            "reason": "known",
            "link": "https://tracker.example/1",
            "owner": "gateway team",
            "expires": "2026-12-31",
            "when": {"model": "m.*"},
            "at": "w.yaml:2",
            "state": "used",
        }
    ],
    "ruleset": {
        "name": "2026.1",
        "frozen": "2026-11-22",
        "dropped": [{"rule": "big/plain:sorted", "why": "newer than 2026.1"}],
    },
    "baseline": {"started": "2026-11-01T00:00:00Z", "version": "0.1.0", "specs": "0" * 16},
}


@pytest.fixture(scope="module")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    excused = found(PLAIN, "adds-up", "broken", Mismatch("/a", "1", 2), excused="known (gateway team)")
    accused = found(PLAIN, "cap", accused="waived at w.yaml:9, but it holds")
    formats.write({**draw([excused, accused]), **SECTIONS, "problems": ["w.yaml:4: expired"]}, folder)
    return folder / "report.html"


def test_what_was_measured_paid_and_waived_stands_on_the_page(browser: Browser, full_page: Path) -> None:
    browser.open(full_page)
    assert browser.errors == []
    [row] = browser.texts("#measured tbody tr")
    assert "128,000" in row and "131,072" in row and "differs" in row and "0.0655 USD" in row
    rows = browser.texts("#receipt tr")
    assert rows[1].split("\t")[1:] == ["1,200", "3", "40", "9", "0.25"]
    assert rows[2].split("\t")[-1] == "no price"
    assert rows[3].split("\t") == ["Total", "1,201", "3", "40", "9", "0.25"]
    assert "gateway team" in browser.texts("#waivers tbody tr")[0]
    assert browser.run("document.querySelector('#waivers a').href") == "https://tracker.example/1"
    assert browser.texts("#ruleset h2") == ["Rules frozen as 2026.1"]
    assert browser.texts(".head .problem") == ["w.yaml:4: expired"]


def test_what_is_excused_and_what_is_accused_are_words_of_their_own(
    browser: Browser, full_page: Path
) -> None:
    browser.open(full_page)
    told = [" ".join(each.split()) for each in browser.texts(".head .counts a")]
    assert told == ["# 1 stale waiver", "= 1 excused"]
    assert browser.texts(".rule .id") == ["cap"]
    browser.click('.chips button[data-word="excused"]')
    assert browser.texts(".rule .id") == ["adds-up"]
    browser.click(".rule summary")
    browser.wait(".rule[open] .reason", "= known (gateway team)")


def test_hostile_answer_is_shown_and_does_not_run(browser: Browser, tmp_path: Path) -> None:
    document = hostile()
    document["exchanges"]["plain"][0]["response"]["chunks"] = [
        {"at": 0.1, "text": json.dumps({"text": HOSTILE})}
    ]
    document["exchanges"]["plain"][0]["response"]["headers"].append(["X-Bad", HOSTILE])
    for each in document["findings"]:
        each["source"]["url"] = "javascript:window.ran=true"
        each["evidence"] = ["plain#ask"]
    formats.write(document, tmp_path)
    browser.open(tmp_path / "report.html", "#word=all")
    browser.run("document.querySelectorAll('.rule').forEach(e => e.open = true)")
    browser.wait(".rule:last-child[open] h4", "Exchange plain#ask")
    assert HOSTILE in "\n".join(browser.texts(".rule[open] .code"))
    assert browser.run("window.ran") is None
    assert browser.run("document.querySelectorAll('img, script:not([type])').length") == 1
    assert browser.run("document.querySelectorAll('a[href^=\"javascript\"]').length") == 0
    assert browser.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_in_light_and_in_dark(browser: Browser, page: Path, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(page, "#word=all")
    contrasts = browser.run(CONTRASTS)
    assert set(contrasts) >= {word.replace(" ", "-") for word in MEANING} | {"warning", "soft", "ink"}
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}


CONTRASTS = """(() => {
  const paper = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const light = (...layers) => {
    for (const layer of layers) { paper.fillStyle = layer; paper.fillRect(0, 0, 1, 1); }
    const part = [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const ground = getComputedStyle(document.body).backgroundColor;
  const ratio = (element) => {
    const style = getComputedStyle(element);
    const [a, b] = [light(ground, style.backgroundColor), light(style.color)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const found = { soft: ratio(document.querySelector('.soft')), ink: ratio(document.body) };
  for (const mark of document.querySelectorAll('.rule .mark')) found[mark.classList[1]] = ratio(mark);
  return found;
})()"""
