"""Recorded traffic placed and judged: what one exchange shows, what it cannot, and what has no place."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.cli import main
from conformance.contract import Contract
from conformance.framing import dump, encode, named
from conformance.loading import load
from conformance.placing import Placed, Unplaced, place
from conformance.recorded import Judged, Traffic, findings_of, judge_files, told
from conformance.recordings import recordings
from conformance.runs.stored import read_run
from conformance.target import UsageError

SPECS = load()
HOSTS = {
    "bedrock-runtime": "bedrock-runtime.eu-west-1.amazonaws.com",
    "bedrock-mantle": "bedrock-mantle.us-west-2.api.aws",
    "openai": "api.openai.com",
    "mistral": "api.mistral.ai",
    "puter": "api.puter.com",
}
HEADERS = {
    "Date": "Wed, 19 Aug 2026 14:34:58 GMT",
    "x-amzn-RequestId": "0d3b8d0c-7c35-4b3b-8d5f-9be9f6a3f001",
    "x-request-id": "0d3b8d0c-7c35-4b3b-8d5f-9be9f6a3f001",
    "x-amzn-bedrock-content-type": "application/json",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-amzn-requestid,x-request-id",
    "cache-control": "no-cache",
    "vary": "origin",
    "openai-version": "2020-10-01",
    "openai-processing-ms": "7",
    "mistral-correlation-id": "0d3b8d0c",
}
EXAMPLES = [
    pytest.param(each, id=each.id)
    for each in SPECS.contracts.values()
    if not each.abstract
    and each.provider is not None
    and each.provider.id in HOSTS
    and "hello" in each.exchanges
    and "shape" in each.rules
]


def recorded(contract: Contract, **changes: Any) -> dict[str, Any]:
    """The contract's worked example as somebody recorded it."""
    said = contract.exchanges["hello"]
    assert contract.provider is not None
    answer = said["response"]
    if "events" in answer:
        events = [named(contract, each.get("name"), each["data"]) for each in answer["events"]]
        body = b"".join(encode(contract, events))
    else:
        body = dump(answer["body"])
    import base64

    return {
        "host": HOSTS[contract.provider.id],
        "path": said["request"]["target"],
        "method": contract.method,
        "request_headers": said["request"].get("headers", {}),
        "request_body": said["request"].get("body"),
        "status": answer["status"],
        "response_headers": {
            "Content-Type": str(contract.response["content_type"]),
            **HEADERS,
            **answer.get("headers", {}),
        },
        "response_body_base64": base64.b64encode(body).decode(),
        **changes,
    }


def traffic(path: Path, *said: Any, **how: Any) -> Traffic:
    file = path / "traffic.json"
    file.write_text(json.dumps(list(said)), encoding="utf-8")
    return judge_files(SPECS, [file], **how)


def judge_one(path: Path, said: Any, **how: Any) -> Judged:
    [found] = traffic(path, said, **how).judged
    return found


def words(judged: Judged) -> dict[str, str]:
    return {each.rule.id: each.word for each in judged.findings}


def reason(judged: Judged, rule: str) -> str:
    return next(each.reason for each in judged.findings if each.rule.id == rule)


CHAT = SPECS.contracts["openai/chat-completions"]
STREAM = SPECS.contracts["openai/responses-stream"]
CONVERSE = SPECS.contracts["bedrock-runtime/converse"]


# Placed


@pytest.mark.parametrize("contract", EXAMPLES)
def test_the_worked_example_of_a_contract_is_placed_there_and_clean(
    contract: Contract, tmp_path: Path
) -> None:
    judged = judge_one(tmp_path, recorded(contract))
    assert judged.placed.contract.id == contract.id
    failed = [each.text() for each in judged.findings if each.fails]
    assert not failed, failed
    assert "kept" in words(judged).values()


@pytest.mark.parametrize("contract", EXAMPLES)
def test_a_mock_is_known_by_the_prefix_of_the_provider(contract: Contract, tmp_path: Path) -> None:
    said = recorded(contract)
    assert contract.provider is not None
    url = f"http://127.0.0.1:4010/~a-test{contract.provider.prefix}{said['path']}"
    assert judge_one(tmp_path, {**said, "url": url}).placed.contract.id == contract.id


def only(path: Path, said: Any) -> Placed | Unplaced:
    file = path / "one.json"
    file.write_text(json.dumps(said), encoding="utf-8")
    [found] = recordings(file)
    return place(SPECS, found)


def test_a_host_that_nobody_names_is_not_guessed(tmp_path: Path) -> None:
    said = {**recorded(CHAT), "host": "gateway.example.com"}
    found = only(tmp_path, said)
    assert isinstance(found, Unplaced)
    assert "--provider" in found.reason
    placed = traffic(tmp_path, said, assumed=SPECS.providers["openai"]).judged
    assert [each.placed.contract.id for each in placed] == ["openai/chat-completions"]


def test_a_host_that_only_looks_like_a_providers_is_not_placed(tmp_path: Path) -> None:
    for host in (
        "api.openai.com.example.com",
        "xapi.openai.com",
        "bedrock-runtime.eu-west-1.amazonaws.com.evil.org",
    ):
        assert isinstance(only(tmp_path, {**recorded(CHAT), "host": host}), Unplaced)


def test_a_signature_names_its_service_where_the_host_does_not(tmp_path: Path) -> None:
    signed = "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260819/eu-west-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
    said = {**recorded(CONVERSE), "host": "proxy.example.com", "request_headers": {"Authorization": signed}}
    found = only(tmp_path, said)
    assert isinstance(found, Placed)
    assert found.contract.id == "bedrock-runtime/converse"


def test_the_region_is_read_off_the_host(tmp_path: Path) -> None:
    found = only(tmp_path, recorded(CONVERSE))
    assert isinstance(found, Placed)
    assert (found.region, found.model) == ("eu-west-1", "mistral.magistral-small-2509")


def test_an_operation_without_a_contract_is_told_and_not_judged(tmp_path: Path) -> None:
    found = only(tmp_path, {**recorded(CHAT), "path": "/v1/batches"})
    assert isinstance(found, Unplaced)
    assert found.reason == "openai has no contract for POST /v1/batches"


def test_without_the_request_a_stream_is_known_by_its_answer(tmp_path: Path) -> None:
    said = {**recorded(STREAM), "request_body": None, "fidelity": "frames"}
    assert judge_one(tmp_path, said).placed.contract is STREAM


def test_an_invocation_in_a_form_without_contract_is_judged_by_its_envelope(tmp_path: Path) -> None:
    said = recorded(SPECS.contracts["bedrock-runtime/invoke-model"])
    said |= {"path": "/model/nobody.some-model-v1%3A0/invoke", "response_body_base64": None}
    judged = judge_one(tmp_path, {**said, "response_body_text": '{"generation":"Hi"}'})
    assert judged.placed.contract.id == "bedrock-runtime/invoke-any"
    assert words(judged)["shape"] == "kept"


# Judged


def test_what_needs_a_probe_is_not_applicable_and_says_which(tmp_path: Path) -> None:
    judged = judge_one(tmp_path, recorded(CHAT))
    assert words(judged)["stop-sequence-ends-it"] == "not applicable"
    assert "stops" in reason(judged, "stop-sequence-ends-it")


def test_what_the_recorder_lost_is_not_applicable(tmp_path: Path) -> None:
    said = {**recorded(CHAT), "response_headers": {"Content-Type": "application/json"}}
    judged = judge_one(tmp_path, said)
    assert (words(judged)["headers"], words(judged)["says-its-version"]) == (
        "not applicable",
        "not applicable",
    )
    assert words(judged)["shape"] == "kept"
    gone = {**said, "response_body_base64": "", "response_headers": {**HEADERS, "Content-Length": "100"}}
    lost = judge_one(tmp_path, gone)
    assert words(lost)["shape"] == "not applicable"
    assert "100 bytes" in reason(lost, "shape")


def test_a_value_that_a_recorder_put_in_the_place_of_another_is_not_the_providers(tmp_path: Path) -> None:
    said = recorded(CONVERSE)
    said["response_headers"]["x-amzn-RequestId"] = "X-AMZN-REQUESTID-XXX"
    judged = judge_one(tmp_path, said)
    assert words(judged)["headers"] == "not applicable"
    said["response_headers"]["x-amzn-RequestId"] = "no-uuid"
    assert words(judge_one(tmp_path, said))["headers"] == "broken"


def test_the_older_a_recording_the_less_it_owes(tmp_path: Path) -> None:
    rule = "cache-writes-are-counted"
    since = STREAM.rules[rule].since
    assert since == date(2026, 7, 1)
    said = without_numbers(recorded(STREAM))
    old, new = ({**said, "when": when} for when in ("2025-04", "2026-08"))
    assert words(judge_one(tmp_path, recorded(STREAM, when="2026-08")))[rule] == "kept"
    judged = judge_one(tmp_path, old)
    assert words(judged)[rule] == "not applicable"
    assert reason(judged, rule) == "it holds since 2026-07-01, this is of 2025-04-01"
    assert words(judge_one(tmp_path, new))["shape"] == "broken"
    assert words(judged)["shape"] == "kept"
    assert [name for name, word in words(judged).items() if word not in ("kept", "not applicable")] == []


def without_numbers(said: dict[str, Any]) -> dict[str, Any]:
    """A stream as it was before its events had numbers."""
    import base64
    import re

    body = base64.b64decode(said["response_body_base64"])
    body = re.sub(rb',"sequence_number":\d+|"sequence_number":\d+,', b"", body)
    return {**said, "response_body_base64": base64.b64encode(body).decode()}


def test_a_day_can_be_given_to_what_does_not_say_its_own(tmp_path: Path) -> None:
    said = recorded(CHAT)
    del said["response_headers"]["Date"]
    rule = "annotations-are-a-member"
    assert words(judge_one(tmp_path, said))[rule] == "not applicable"
    assert words(judge_one(tmp_path, said, recorded=date(2026, 8, 1)))[rule] == "kept"
    assert (
        words(judge_one(tmp_path, {**said, "when": "2025-12"}, recorded=date(2026, 8, 1)))[rule]
        == "not applicable"
    )


def test_a_stream_whose_connection_broke_is_broken(tmp_path: Path) -> None:
    assert words(judge_one(tmp_path, recorded(STREAM, ending="cut")))["framing"] == "broken"


# Refusals


def refusal(contract: Contract, error: str, **changes: Any) -> dict[str, Any]:
    failure = contract.failures[error]
    headers = {
        "Content-Type": "application/json",
        **HEADERS,
        **{k: v for k, v in failure.headers.items() if v},
    }
    answer = {"response_headers": headers, "response_body_base64": None}
    return (
        recorded(contract, status=failure.status, response_body_text=dump(failure.body).decode(), **answer)
        | changes
    )


@pytest.mark.parametrize(
    ("contract", "error"),
    [
        pytest.param(each.values[0], error, id=f"{each.values[0].id}:{error}")
        for each in EXAMPLES
        for error, failure in each.values[0].failures.items()
        if failure.status >= 400
    ],
)
def test_every_error_of_a_contract_is_read_with_its_code(
    contract: Contract, error: str, tmp_path: Path
) -> None:
    judged = judge_one(tmp_path, refusal(contract, error))
    failure = contract.failures[error]
    if failure.code is not None:
        assert judged.code == failure.code
    assert judged.refusal is not None
    assert contract.failures[judged.refusal].status == failure.status
    assert [each.text() for each in judged.findings if each.fails] == []


def test_a_refusal_is_judged_by_the_rules_about_refusals(tmp_path: Path) -> None:
    said = refusal(CHAT, "unknown-model")
    assert words(judge_one(tmp_path, said))["errors-have-a-type"] == "kept"
    said["response_body_text"] = said["response_body_text"].replace('"type"', '"kind"')
    judged = judge_one(tmp_path, said)
    assert words(judged)["errors-have-a-type"] == "broken"
    assert words(judged)["shape"] == "not applicable"


def test_a_rate_limit_and_an_outage_are_listed_and_nobodys_fault(tmp_path: Path) -> None:
    for error in ("throttling", "internal"):
        judged = judge_one(tmp_path, refusal(CHAT, error))
        assert set(words(judged).values()) <= {"not applicable", "kept"}
        assert judged.refusal == error


# A run of them


def test_a_rule_is_broken_if_it_is_broken_anywhere_and_names_where(tmp_path: Path) -> None:
    bad = copy.deepcopy(recorded(CHAT))
    bad["response_body_base64"], bad["response_body_text"] = (
        None,
        _body(CHAT).replace('"total_tokens":11', '"total_tokens":12'),
    )
    found = traffic(tmp_path, recorded(CHAT), bad, recorded(CHAT))
    by_rule = {finding.rule.id: finding for _, _, finding in findings_of(found)}
    broken = by_rule["usage-adds-up"]
    assert (broken.word, broken.mismatches[0].got) == ("broken", 12)
    assert broken.reason == f"in 1 of 3 recordings that show it, first in {tmp_path / 'traffic.json'}#1"
    assert len(by_rule["shape"].evidence) == 3
    assert "$OPENAI_API_KEY" in broken.again


def _body(contract: Contract) -> str:
    return dump(contract.exchanges["hello"]["response"]["body"]).decode()


def test_what_has_no_place_is_counted_and_told(tmp_path: Path) -> None:
    lost = {**recorded(CHAT), "path": "/v1/batches"}
    lines = told(traffic(tmp_path, recorded(CHAT), lost, lost, refusal(CHAT, "unknown-model")))
    assert lines[0] == "4 recordings: 2 placed, 2 not"
    assert any("refused: 404 model_not_found" in line for line in lines)
    assert any("could not place POST https://api.openai.com/v1/batches (2)" in line for line in lines)


def run(*arguments: str) -> int:
    return main(["judge", *arguments])


def test_it_exits_as_a_run_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, lost, broken = (
        tmp_path / name for name in ("good.json", "bad.json", "lost.json", "broken.json")
    )
    good.write_text(json.dumps(recorded(CHAT)), encoding="utf-8")
    bad.write_text(json.dumps(recorded(CHAT, status=201)), encoding="utf-8")
    lost.write_text(json.dumps({**recorded(CHAT), "path": "/v1/batches"}), encoding="utf-8")
    broken.write_text("{", encoding="utf-8")
    assert run("--from", str(good)) == 0
    assert run("--from", str(good), "--from", str(bad)) == 1
    assert run("--from", str(good), str(lost)) == 0
    assert run("--from", str(lost)) == 4
    assert "inconclusive" in capsys.readouterr().out
    assert run("--from", str(broken)) == 2
    assert "expected JSON" in capsys.readouterr().err
    assert run("--from", str(tmp_path / "nowhere")) == 2
    assert run() == 2
    assert run("--from", str(good), "--provider", "nobody") == 2
    bad.unlink()
    assert run("--from", str(tmp_path)) == 4
    assert f"could not read {broken}" in capsys.readouterr().out
    broken.unlink()
    assert run("--from", str(tmp_path)) == 0


def test_a_folder_without_traffic_is_never_green(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    assert run("--from", str(tmp_path)) == 4


def test_the_report_is_that_of_a_run_and_lists_every_recording(tmp_path: Path) -> None:
    file = tmp_path / "traffic.json"
    lost = {**recorded(CHAT), "path": "/v1/batches"}
    file.write_text(json.dumps([recorded(CHAT), lost, refusal(CHAT, "unknown-model")]), encoding="utf-8")
    assert run("--from", str(file), "--report-dir", str(tmp_path / "report")) == 0
    said = read_run(tmp_path / "report")
    assert [(each["contract"], each["status"], each["code"]) for each in said["recordings"]] == [
        ("openai/chat-completions", 200, None),
        ("openai/chat-completions", 404, "model_not_found"),
        (None, 200, None),
    ]
    assert said["verdict"] == "conformant"
    assert (tmp_path / "report" / "report.html").exists()


def test_what_a_report_kept_can_be_judged_as_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "traffic.json"
    file.write_text(json.dumps([recorded(CHAT), recorded(STREAM)]), encoding="utf-8")
    run("--from", str(file), "--report-dir", str(tmp_path / "report"))
    first = capsys.readouterr().out.splitlines()[-1].partition(";")[0]
    assert run("--from", str(tmp_path / "report" / "evidence")) == 0
    assert capsys.readouterr().out.splitlines()[-1].partition(";")[0] == first


CANARY = "sk-canary-0123456789abcdef"


def test_no_key_that_a_recorder_left_reaches_report_or_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = recorded(CHAT)
    said |= {
        "path": f"{said['path']}?api_key={CANARY}-query",
        "request_headers": {
            "Authorization": f"Bearer {CANARY}-header",
            "Cookie": f"session={CANARY}-cookie",
            "X-Api-Key": f"{CANARY}-x",
        },
        "status": 401,
        "response_headers": {**HEADERS, "Set-Cookie": f"a={CANARY}-set; path=/"},
        "response_body_base64": None,
        "response_body_text": json.dumps(
            {
                "error": {
                    "message": f"Incorrect API key provided: {CANARY}-header.",
                    "type": "t",
                    "param": None,
                    "code": "invalid_api_key",
                }
            }
        ),
    }
    driver = SPECS.contracts["puter/driver-chat"]
    body = recorded(driver)
    body["request_body"] = {**(body["request_body"] or {}), "auth_token": f"{CANARY}-body"}
    file = tmp_path / "traffic.json"
    file.write_text(json.dumps([said, body]), encoding="utf-8")
    assert run("--from", str(file), "--report-dir", str(tmp_path / "report")) in (0, 1)
    out = "".join(capsys.readouterr())
    texts = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in (tmp_path / "report").rglob("*")
        if path.is_file()
    ]
    assert texts
    assert not [text for text in (*texts, out) if CANARY in text]


VALUES = (
    st.none()
    | st.integers()
    | st.text(max_size=6)
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=4), st.integers(), max_size=2)
)


@pytest.mark.parametrize("contract", EXAMPLES)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_answer_is_so_odd_that_judging_it_is_our_fault(
    contract: Contract, tmp_path: Path, data: st.DataObject
) -> None:
    body = data.draw(VALUES | st.just(contract.exchanges["hello"]["response"].get("body")))
    if isinstance(body, dict) and body:
        body = {**body, data.draw(st.sampled_from(sorted(map(str, body)))): data.draw(VALUES)}
    said = recorded(contract, response_body_base64=None, response_body_text=json.dumps(body))
    said["status"] = data.draw(st.sampled_from((200, 201, 302, 404, 503)))
    for each in traffic(tmp_path, said).judged:
        assert [found.reason for found in each.findings if found.word == "suite error"] == []


def test_a_named_file_that_is_no_recording_is_an_error_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1", encoding="utf-8")
    with pytest.raises(UsageError, match="expected a VCR cassette"):
        judge_files(SPECS, [tmp_path / "a.yaml"])
