"""Recorded traffic read from files: what each format keeps, what it loses, and what is no recording."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import zlib
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import conformance.recordings.vcr
from conformance.exchange import Truth
from conformance.recordings import TOO_DEEP, NoRecording, Recording, Unreadable, files, recordings

DATE = "Wed, 19 Aug 2026 14:34:58 GMT"
BODY = b'{"object":"list","data":[]}'
SENT = b'{"model":"m"}'
HEADERS = {"Date": DATE, "Content-Type": "application/json", "Content-Length": str(len(BODY))}


def vcr(body: Any = None, headers: Mapping[str, Any] | None = None, **answer: Any) -> dict[str, Any]:
    """A cassette of vcrpy with one exchange."""
    given_headers = {name: [value] for name, value in (HEADERS if headers is None else headers).items()}
    answered = {
        "status": {"code": 200, "message": "OK"},
        "headers": given_headers,
        "body": {"string": BODY.decode() if body is None else body},
        **answer,
    }
    asked = {
        "method": "POST",
        "uri": "https://api.openai.com/v1/x%2Fy?b=1",
        "headers": {"Accept": ["*/*"]},
        "body": SENT.decode(),
    }
    return {"version": 1, "interactions": [{"request": asked, "response": answered}]}


def har(content: Mapping[str, Any], headers: Mapping[str, str] = HEADERS, **response: Any) -> dict[str, Any]:
    """An archive with one exchange."""
    asked = {
        "method": "POST",
        "url": "https://api.openai.com/v1/x%2Fy?b=1",
        "headers": [{"name": ":authority", "value": "api.openai.com"}, {"name": "accept", "value": "*/*"}],
        "postData": {"mimeType": "application/json", "text": SENT.decode()},
    }
    answered = {
        "status": 200,
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "content": dict(content),
        **response,
    }
    return {
        "log": {
            "entries": [{"startedDateTime": "2026-08-20T01:02:03Z", "request": asked, "response": answered}]
        }
    }


def line(**changes: Any) -> dict[str, Any]:
    """One exchange in our own form."""
    said = {
        "url": "https://api.openai.com/v1/x%2Fy?b=1",
        "method": "post",
        "request_headers": {"Accept": "*/*"},
        "request_body_text": SENT.decode(),
        "status": 200,
        "response_headers": HEADERS,
        "response_body_text": BODY.decode(),
    }
    return {**said, **changes}


def one(path: Path, said: Any, name: str = "a.json") -> Recording:
    """The recording in a file that holds `said`: YAML, JSON or bytes."""
    file = path / name
    if isinstance(said, bytes):
        file.write_bytes(said)
    else:
        file.write_text(yaml.dump(said) if name.endswith("yaml") else json.dumps(said), encoding="utf-8")
    [found] = recordings(file)
    return found


def body_of(found: Recording) -> bytes:
    assert found.response is not None
    return b"".join(chunk.data for chunk in found.response[2])


FORMS: list[Any] = [
    pytest.param(vcr(), "a.yaml", id="vcr-yaml"),
    pytest.param(vcr(), "a.json", id="vcr-json"),
    pytest.param(har({"text": BODY.decode(), "size": len(BODY)}), "a.har", id="har"),
    pytest.param(line(), "a.json", id="ours"),
    pytest.param([line()], "a.json", id="ours-in-a-list"),
]


@pytest.mark.parametrize(("said", "name"), FORMS)
def test_every_form_says_the_same_of_one_exchange(tmp_path: Path, said: Any, name: str) -> None:
    found = one(tmp_path, said, name)
    assert (found.host, found.port, found.secure) == ("api.openai.com", None, True)
    assert (found.request.method, found.request.target) == ("POST", "/v1/x%2Fy?b=1")
    assert [(key.lower(), value) for key, value in found.request.headers] == [("accept", "*/*")]
    assert found.request.body == SENT
    assert found.response is not None
    assert found.response[0] == 200
    assert dict(found.response[1]) == HEADERS
    assert body_of(found) == BODY
    assert found.truth == Truth(timing=False)
    assert found.lost is None
    assert found.when is not None
    assert (found.when.year, found.when.month) == (2026, 8)


@pytest.mark.parametrize(("said", "name"), FORMS)
def test_the_name_of_a_file_does_not_matter_and_it_may_be_gzipped(
    tmp_path: Path, said: Any, name: str
) -> None:
    text = yaml.dump(said) if name.endswith("yaml") else json.dumps(said)
    found = one(tmp_path, gzip.compress(text.encode()), "traffic.bin")
    assert body_of(found) == BODY


def test_lines_are_read_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(
        "\n".join(json.dumps(line(status=status)) for status in (200, 404)) + "\n\n", encoding="utf-8"
    )
    assert [each.response and each.response[0] for each in recordings(file)] == [200, 404]
    assert [each.origin for each in recordings(file)] == [f"{file}#0", f"{file}#1"]


def test_chunks_keep_their_times(tmp_path: Path) -> None:
    chunks = [{"at": 0.5, "text": "da"}, {"at": 0.75, "base64": base64.b64encode(b"ta").decode()}]
    found = one(tmp_path, {**line(response_headers={"Date": DATE}), "response_chunks": chunks})
    assert found.response is not None
    assert [(chunk.data, chunk.at) for chunk in found.response[2]] == [(b"da", 0.5), (b"ta", 0.75)]
    assert found.truth.timing


def test_cassettes_of_ruby_are_read(tmp_path: Path) -> None:
    said = {
        "http_interactions": [
            {
                "request": {
                    "method": "post",
                    "uri": "https://api.mistral.ai/v1/x",
                    "body": {"encoding": "UTF-8", "string": "{}"},
                    "headers": {},
                },
                "response": {
                    "status": {"code": 200, "message": "OK"},
                    "headers": {"Date": [DATE]},
                    "body": {"encoding": "ASCII-8BIT", "base64_string": base64.b64encode(b"\xff\0").decode()},
                },
                "recorded_at": "Wed, 19 Aug 2026 14:36:13 GMT",
            }
        ],
        "recorded_with": "VCR 6.3.1",
    }
    found = one(tmp_path, said, "a.yaml")
    assert (found.request.method, found.host, found.when) == ("POST", "api.mistral.ai", date(2026, 8, 19))
    assert body_of(found) == b"\xff\0"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_of_cassettes_are_opened_where_the_recorder_has_not(tmp_path: Path, coding: str) -> None:
    packed = gzip.compress(BODY) if coding == "gzip" else zlib.compress(BODY)
    headers = {"Date": DATE, "Content-Encoding": coding, "Content-Length": str(len(packed))}
    found = one(tmp_path, vcr(packed, headers), "a.yaml")
    assert body_of(found) == BODY
    assert found.truth.body_bytes
    opened = one(tmp_path, vcr(BODY.decode(), headers), "b.yaml")
    assert body_of(opened) == BODY
    cut = one(tmp_path, vcr(packed[:-12], headers), "c.yaml")
    assert cut.lost is not None


def test_json_that_a_serializer_parsed_is_no_bytes_and_its_headers_prove_nothing(tmp_path: Path) -> None:
    said = vcr()
    answer = said["interactions"][0]["response"]
    del answer["body"]
    answer["parsed_body"] = json.loads(BODY)
    found = one(tmp_path, said, "a.yaml")
    assert json.loads(body_of(found)) == json.loads(BODY)
    assert found.truth == Truth(body_bytes=False, headers=False, timing=False)


def test_headers_without_a_date_were_thinned_out(tmp_path: Path) -> None:
    found = one(tmp_path, vcr(headers={"Content-Type": "application/json"}), "a.yaml")
    assert not found.truth.headers
    assert not found.truth.body_bytes


def test_a_body_of_another_length_than_its_header_says_is_not_what_was_sent(tmp_path: Path) -> None:
    assert not one(tmp_path, vcr(BODY.decode() + " "), "a.yaml").truth.body_bytes
    assert one(tmp_path, vcr(), "b.yaml").truth.body_bytes


@pytest.mark.parametrize(
    ("fidelity", "truth"),
    [
        ("bytes", Truth(timing=False)),
        ("reserialised", Truth(body_bytes=False, headers=False, timing=False)),
        ("body_only", Truth(body_bytes=False, headers=False, timing=False, request=False)),
        ("frames", Truth(timing=False, request=False)),
    ],
)
def test_our_form_says_what_its_recorder_lost(tmp_path: Path, fidelity: str, truth: Truth) -> None:
    assert one(tmp_path, line(fidelity=fidelity)).truth == truth


@pytest.mark.parametrize(
    "content",
    [
        {"size": 27},
        {"size": 0, "mimeType": "text/event-stream"},
        {},
        {"size": 27, "text": ""},
        {"size": 4000, "text": BODY.decode()},
        {"size": 6, "text": "\ufffd\ufffd"},
    ],
)
def test_a_har_whose_exporter_lost_the_body_says_so(tmp_path: Path, content: dict[str, Any]) -> None:
    assert one(tmp_path, har(content, {"Date": DATE})).lost is not None


def test_an_empty_body_that_a_har_says_is_empty_is_not_lost(tmp_path: Path) -> None:
    assert one(tmp_path, har({"size": 0, "text": ""}, {"Date": DATE})).lost is None
    assert one(tmp_path, har({"size": 0}, {"Date": DATE, "Content-Length": "0"})).lost is None


def test_a_har_holds_bytes_as_base64_or_in_a_file_beside(tmp_path: Path) -> None:
    data = bytes(range(256))
    coded = {"text": base64.b64encode(data).decode(), "encoding": "base64", "size": 256}
    assert body_of(one(tmp_path, har(coded, {"Date": DATE}))) == data
    (tmp_path / "0123.dat").write_bytes(data)
    assert body_of(one(tmp_path, har({"_file": "0123.dat", "size": 256}, {"Date": DATE}))) == data
    assert one(tmp_path, har({"_file": "gone.dat"}, {"Date": DATE})).lost is not None
    (tmp_path.parent / "outside.dat").write_bytes(data)
    assert one(tmp_path, har({"_file": "../outside.dat", "size": 1}, {"Date": DATE})).lost is not None


def test_an_exchange_without_an_answer_has_none(tmp_path: Path) -> None:
    assert one(tmp_path, har({}, {}, status=0)).response is None
    assert one(tmp_path, line(status=None)).response is None


@pytest.mark.parametrize(
    ("said", "when"),
    [
        (line(when="2026-08"), date(2026, 8, 1)),
        (line(when="2025-03-04T05:06:07Z"), date(2025, 3, 4)),
        (line(), date(2026, 8, 19)),
        (line(response_headers={}), None),
        (line(response_headers={"Date": "yesterday"}), None),
    ],
)
def test_the_day_is_the_one_that_the_recording_says(tmp_path: Path, said: Any, when: date | None) -> None:
    assert one(tmp_path, said).when == when


@pytest.mark.parametrize(
    "said",
    [b"{}", b"[]", b"[1]", b"just text", b"a: 1", b'{"log": {}}', b'{"status": 200}', b"", b"- x\n- y\n"],
)
def test_what_holds_no_traffic_is_no_recording(tmp_path: Path, said: bytes) -> None:
    with pytest.raises(NoRecording):
        one(tmp_path, said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b'{"log": {"entries": [{}]}}', "#0: expected request"),
        (
            b'{"interactions": [{"request": {"method": "GET", "uri": "/x"}, "response": {}}]}',
            "#0: expected request",
        ),
        (b'{"interactions": [{"request": 7, "response": {}}]}', "#0: expected request"),
        (b'{"interactions"', "expected JSON"),
        (b'{"status": 200, "url": "ftp://x"}', "expected host, method, path and status"),
        (json.dumps(line(fidelity="perfect")).encode(), "fidelity 'perfect', expected one of bytes"),
        (json.dumps(line(response_body_base64="%", response_body_text=None)).encode(), "no base64"),
        (b"interactions:\n- [}", ":2: expected YAML or JSON"),
        (json.dumps(line()).encode() + b"\n{", ":2: expected one JSON object in a line"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (gzip.compress(b"interactions: []", mtime=0)[:-3], "expected gzip to its end"),
        (b"[" * 100_000, TOO_DEEP),
        (b'{"a":' * 100_000, TOO_DEEP),
        (b"interactions: " + b"[" * 3000 + b"]" * 3000, TOO_DEEP),
        (b"interactions: &a\n- *a\n", TOO_DEEP),
        (json.dumps(line()).encode() + b"\n" + b"[" * 100_000, f":2: {TOO_DEEP}"),
        (b"\0\0", "expected YAML or JSON, got unacceptable character #x0000: "),
        (json.dumps(line(status=float("inf"))).encode(), "got cannot convert float infinity to integer"),
        (json.dumps(har({"size": float("inf")})).encode(), "got cannot convert float infinity to integer"),
        (
            json.dumps(line(response_chunks=[{"at": "x", "text": ""}])).encode(),
            "got a chunk at 'x', expected seconds",
        ),
        (
            json.dumps(line(response_chunks=[{"at": float("nan"), "text": ""}])).encode(),
            "got a chunk at nan, expected seconds",
        ),
    ],
)
def test_what_is_damaged_is_told_with_its_place(tmp_path: Path, said: bytes, told: str) -> None:
    with pytest.raises(Unreadable) as caught:
        one(tmp_path, said)
    assert told in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        gzip.compress(b" " * 5_000_000),
        b" " * 5_000_000,
        ("a: &a [0]\n" + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise("abcdefgh"))
         + "interactions: [*h]\n").encode(),
    ],
    ids=["gzip", "plain", "aliases"],
)  # fmt: skip
def test_what_is_larger_than_anybody_reads_is_refused(
    tmp_path: Path, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (conformance.recordings, conformance.recordings.vcr):
        monkeypatch.setattr(module, "LARGEST", 4 << 20)
    with pytest.raises(Unreadable, match=r"expected at most 4 MiB, .* got more"):
        one(tmp_path, said)


def test_a_body_that_unpacks_to_more_than_anybody_reads_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance.recordings, "LARGEST_BODY", 1 << 20)
    packed = base64.b64encode(gzip.compress(b" " * 5_000_000)).decode()
    said = line(
        response_headers={"content-encoding": "gzip"}, response_body_text=None, response_body_base64=packed
    )
    assert one(tmp_path, json.dumps(said).encode()).lost == "the compressed body has more than 1 MiB"


def test_a_body_beside_an_archive_is_a_file_and_nothing_that_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "body.bin")
    found = one(tmp_path, json.dumps(har({"_file": "body.bin"})).encode())
    assert found.lost == "the file body.bin of the body is not there"


def test_tags_in_a_cassette_are_not_carried_out(tmp_path: Path) -> None:
    text = "interactions: []\nx: !!python/object/apply:os.system ['touch " + str(tmp_path / "owned") + "']\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert recordings(tmp_path / "a.yaml") == []
    assert not (tmp_path / "owned").exists()


def test_a_folder_is_searched_below_and_hidden_and_foreign_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("b/x.yaml", "a.har", "c.jsonl", ".git/x.yaml", "notes.md", "d.yaml.gz", "e.YML"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(each.relative_to(tmp_path)) for each in files(tmp_path)]
    assert found == ["a.har", "b/x.yaml", "c.jsonl", "d.yaml.gz", "e.YML"]


def test_a_folder_that_may_not_be_looked_into_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.har").touch()
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def forbidding(path: Any) -> Any:
        if os.fspath(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    assert [each.name for each in files(tmp_path)] == ["a.har"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                (
                    "log",
                    "entries",
                    "interactions",
                    "request",
                    "response",
                    "status",
                    "headers",
                    "body",
                    "string",
                    "url",
                    "uri",
                    "method",
                    "content",
                    "text",
                    "host",
                    "path",
                    "code",
                    "encoding",
                    "size",
                    "postData",
                )
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=24,
)


@given(ANYTHING, st.booleans())
def test_no_file_is_so_odd_that_reading_it_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, said: Any, as_yaml: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / "odd.json"
    file.write_text(yaml.safe_dump(said) if as_yaml else json.dumps(said), encoding="utf-8")
    with contextlib.suppress(NoRecording, Unreadable):
        recordings(file)


@given(st.sampled_from([vcr(), har({"text": "x"}), line()]), st.data())
def test_no_member_is_missed_so_badly_that_reading_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, said: Any, data: st.DataObject
) -> None:
    places = [place for place, _ in _walk(said)]
    place = data.draw(st.sampled_from(places))
    changed = json.loads(json.dumps(said))
    inside = changed
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = data.draw(ANYTHING)
    file = tmp_path_factory.getbasetemp() / "nearly.json"
    file.write_text(json.dumps(changed), encoding="utf-8")
    with contextlib.suppress(NoRecording, Unreadable):
        recordings(file)


def _walk(value: Any, at: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*at, key), child
        yield from _walk(child, (*at, key))
