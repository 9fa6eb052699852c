"""What a run keeps on disk: asked once, whole or not at all, and never with a key in it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.exchange import Chunk, Exchange, Headers, Request, Response
from conformance.loading import load
from conformance.run import Run
from conformance.runs.store import (
    Redactor,
    Store,
    again,
    body_file,
    exchange_to_dict,
    from_text_or_base64,
    head_of,
    request_from_dict,
    text_or_base64,
)
from conformance.signing import Signer, signed
from conformance.target import Target, targets

SPECS = load()
CANARY = "CANARY7f3a+KIWI9b/Zz0q.PLUM-y_w=="
CORE = re.compile(rb"CANARY7f3a|KIWI9b|Zz0q|PLUM", re.IGNORECASE)
"""Pieces of the key that nobody escapes."""

FORMS = {
    "as it is": CANARY,
    "as JSON": json.dumps(CANARY)[1:-1],
    "as JSON of PHP": CANARY.replace("/", "\\/"),
    "as JSON of Java": CANARY.replace("=", "\\u003d").replace("+", "\\u002B"),
    "as JSON in JSON": json.dumps(CANARY.replace("/", "\\/"))[1:-1],
    "as a URL": quote(CANARY, safe=""),
    "as a URL's path": quote(CANARY),
    "as a form": quote_plus(CANARY),
    "as a URL in small letters": quote(CANARY, safe="").replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"),
    "as a URL in a URL": quote(quote(CANARY, safe=""), safe=""),
    "as HTML": CANARY.replace("=", "&#61;").replace("+", "&#x2B;").replace("/", "&#x2f;"),
    "as HTML of Python": html.escape(CANARY),
}  # fmt: skip


def target(**changes: Any) -> Target:
    said = SPECS.providers["bedrock-runtime"]
    members = {
        "endpoint": "http://127.0.0.1:9",
        "model": "m",
        "card": None,
        "key": CANARY,
        "key_variable": "MY_KEY",
    }
    return Target(said, **{**members, **changes})


def redactor() -> Redactor:
    return Redactor({CANARY: "MY_KEY"})


def decoded(said: Any) -> bytes:
    """Everything that stands in a stored value, with the base64 in it undone."""
    if isinstance(said, Mapping):
        if "base64" in said:
            return base64.b64decode(said["base64"])
        return b"\n".join(decoded(each) for each in said.values())
    if isinstance(said, list):
        return b"\n".join(map(decoded, said))
    return str(said).encode()


def assert_clean(folder: Path) -> None:
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in found if path.suffix == ".json"]
    for path in found:
        raw = path.read_bytes()
        assert not CORE.search(raw), path
        if path.suffix == ".json":
            assert not CORE.search(decoded(json.loads(raw))), path


def exchange(
    *,
    path: str = "/",
    headers: Headers = (),
    body: bytes = b"",
    status: int = 200,
    came: Headers = (),
    chunks: Sequence[bytes] = (),
) -> Exchange:
    response = Response(status, came, tuple(Chunk(each, float(at)) for at, each in enumerate(chunks, 1)))
    return Exchange(Request("POST", path, headers, body), response)


def places(key: str) -> dict[str, Exchange]:
    """The key wherever it can stand."""
    raw = f'{{"message":"Bad key {key}."}}'.encode()
    at = raw.index(key.encode())
    return {
        "header": exchange(headers=(("Authorization", f"Bearer {key}"),)),
        "url": exchange(path=f"/drivers?auth_token={key}&x=1"),
        "body": exchange(body=f'{{"auth_token":"{key}"}}'.encode()),
        "binary body": exchange(body=b"\xff\0" + key.encode()),
        "header that came": exchange(came=(("Location", f"/?key={key}"),)),
        "error echo": exchange(status=401, chunks=[raw]),
        "two chunks": exchange(chunks=[raw[: at + 5], raw[at + 5 :]]),
        "many chunks": exchange(chunks=[raw[i : i + 1] for i in range(len(raw))]),
        "whole and in two": exchange(chunks=[raw, raw[: at + 5], raw[at + 5 :]]),
        "binary chunk": exchange(chunks=[b"\xff\0" + raw]),
        "failure": Exchange(Request("GET", "/", ()), None, f"invalid header {key}"),
    }


PLACES = [
    pytest.param(form, place, id=f"{form}, {place}") for form in FORMS for place in places("any key") if place
]


@pytest.mark.parametrize(("form", "place"), PLACES)
def test_a_key_is_neither_stored_nor_told(form: str, place: str, tmp_path: Path) -> None:
    clean = redactor().exchange(places(FORMS[form])[place])
    Store(tmp_path).steps("x", lambda: [exchange_to_dict(clean)])
    assert_clean(tmp_path)
    assert b"$MY_KEY" in decoded(json.loads((tmp_path / "x.json").read_text()))
    assert not CORE.search(again(target(), clean).encode())


def test_a_problem_that_quotes_the_bytes_does_not_quote_the_key() -> None:
    response = Response(200, (), (), problem=f"event data: expected JSON, got {CANARY!r}")
    clean = redactor().exchange(Exchange(Request("GET", "/", ()), response))
    assert clean.response is not None
    assert clean.response.problem == "event data: expected JSON, got '$MY_KEY'"


def test_chunks_keep_their_times_and_their_cuts_where_no_key_is_cut() -> None:
    clean = redactor().exchange(exchange(chunks=[b"one ", CANARY.encode(), b" two"]))
    assert clean.response is not None
    assert clean.response.chunks == (Chunk(b"one ", 1.0), Chunk(b"$MY_KEY", 2.0), Chunk(b" two", 3.0))


def test_chunks_with_a_key_across_them_become_one_at_the_last_one_s_time() -> None:
    clean = redactor().exchange(
        exchange(chunks=[b"one " + CANARY[:4].encode(), CANARY[4:].encode() + b" two"])
    )
    assert clean.response is not None
    assert clean.response.chunks == (Chunk(b"one $MY_KEY two", 2.0),)


@given(st.binary(max_size=200))
def test_bytes_without_a_key_are_not_touched(data: bytes) -> None:
    assert redactor().data(data) == data


def test_the_rest_of_an_exchange_is_not_touched() -> None:
    asked = exchange(
        path="/m%2Fn?x=%20",
        headers=(("A", "é"), ("a", "")),
        body=b"{}",
        status=418,
        came=(("B", "1"),),
        chunks=[b"{}"],
    )
    assert redactor().exchange(asked) == asked


def test_a_key_that_begins_with_another_one_is_replaced_whole() -> None:
    two = Redactor({"secret-1": "SHORT", "secret-1234": "LONG"})
    assert two.data(b"secret-1 secret-1234") == b"$SHORT $LONG"


def test_a_key_of_a_few_letters_is_not_looked_for_in_texts() -> None:
    assert Redactor({"test": "MY_KEY"}).text("a test") == "a test"
    assert Redactor({"tested": "MY_KEY"}).text("tested") == "$MY_KEY"


# A provider that echoes the key wherever it can


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its key, in every form, cut anywhere."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers.get("content-length", 0)))
        assert CANARY in f"{self.headers}{asked.decode()}", "the key was sent"
        body = json.dumps({"message": " ".join(FORMS.values())}).encode()
        self.send_response(401, "Unauthorized")
        self.send_header("x-amzn-errortype", f"Bad {CANARY}")
        self.send_header("Location", f"/login?key={quote(CANARY, safe='')}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 7):
            piece = body[start : start + 7]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("provider", ["bedrock-runtime", "bedrock-mantle", "puter"])
def test_a_run_keeps_no_key_and_tells_none(provider: str, echo: str, tmp_path: Path) -> None:
    variable = SPECS.providers[provider].said["key"]["environment"][0]
    [asked] = targets(SPECS, provider, endpoint=echo, environment={variable: CANARY})
    run = Run(SPECS, [asked], tmp_path)
    told = []
    for contract in SPECS.of(provider)[:4]:
        for rule in list(contract.rules.values())[:6]:
            finding = run.judge(asked, contract, rule)
            told.append(f"{finding.text()}\n{finding}\n{finding.again}\n{finding.evidence}")
    run.close()
    assert any(f"${variable}" in each for each in told)
    assert not CORE.search("\n".join(told).encode())
    assert_clean(tmp_path)


def test_a_target_does_not_show_its_key() -> None:
    assert CANARY not in repr(target())


# The line to paste


def pasted(line: str, **variables: str) -> list[str]:
    """The arguments that a shell gives to curl."""
    script = 'curl() { printf "%s\\0" "$@"; }\n' + line
    done = subprocess.run(["sh", "-c", script], env=variables, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    "body",
    [
        '{"a":"b"}',
        """{"text":"it's $5, `id`, $HOME, \\"quoted\\" \\\\ and !bang"}""",
        "two\nlines",
        '{"auth_token":"$MY_KEY"}',
        """{"auth_token":"$MY_KEY","text":"it's $MY_KEYS, `id`"}""",
        "@file",
        "é",
    ],
)
def test_a_shell_asks_the_same_again(body: str) -> None:
    path = "/model/a%3Ab/converse?x=$HOME&y='1'"
    headers = (
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer $MY_KEY"),
        ("X", "`id` \"a\" 'b'"),
    )
    line = again(
        target(endpoint="http://127.0.0.1:9/p"), exchange(path=path, headers=headers, body=body.encode())
    )
    assert "\n" not in line or "\n" in body
    words = pasted(line, MY_KEY=CANARY, HOME="/home")
    filled = body.replace("$MY_KEYS", "\1").replace("$MY_KEY", CANARY).replace("\1", f"{CANARY}S")
    assert words == [
        "-sS", "-i", "-X", "POST",
        "-H", "Content-Type: application/json",
        "-H", f"Authorization: Bearer {CANARY}",
        "-H", "X: `id` \"a\" 'b'",
        "--data-raw", filled,
        f"http://127.0.0.1:9/p{path}",
    ]  # fmt: skip


@pytest.mark.parametrize("token", [None, "session-token"])
def test_a_signed_request_is_signed_anew(token: str | None) -> None:
    signer = Signer("AKIA1234", "secret-of-it", token, "bedrock", "us-east-1")
    request = signed(exchange(path="/m", body=b"{}").request, "http://127.0.0.1:9", signer)
    asked = target(key=None, key_variable="", signer=signer)
    words = pasted(
        again(asked, Redactor(asked.secrets).exchange(Exchange(request, None, "nobody"))),
        AWS_ACCESS_KEY_ID="AKIA1234",
        AWS_SECRET_ACCESS_KEY="secret-of-it",
        AWS_SESSION_TOKEN=token or "",
    )
    at = words.index("--aws-sigv4")
    assert words[at : at + 4] == [
        "--aws-sigv4",
        "aws:amz:us-east-1:bedrock",
        "--user",
        "AKIA1234:secret-of-it",
    ]
    assert ("X-Amz-Security-Token: session-token" in words) == (token is not None)
    assert not any(word.lower().startswith(("authorization:", "x-amz-date:")) for word in words)
    unsigned = again(asked, exchange(headers=(("Authorization", "none"),)))
    assert "--aws-sigv4" not in unsigned
    assert "Authorization: none" in unsigned


def test_a_simple_header_is_told_in_double_quotes() -> None:
    line = again(target(), exchange(headers=(("Authorization", "Bearer $MY_KEY"),)))
    assert '-H "Authorization: Bearer $MY_KEY"' in line


def test_curl_does_not_add_a_content_type_where_none_was_sent() -> None:
    assert pasted(again(target(), exchange(body=b"{}")))[4:6] == ["-H", "Content-Type:"]
    assert "Content-Type:" not in again(target(), exchange())


@pytest.mark.parametrize(
    ("body", "ending"), [(b"\xff\0", "bin"), (b"x" * 8000, "bin"), (b"{" * 8000, "json")]
)
def test_a_body_that_no_line_can_hold_stands_in_a_file_named_by_its_hash(body: bytes, ending: str) -> None:
    file = f"bodies/{hashlib.sha256(body).hexdigest()[:16]}.{ending}"
    assert f"--data-binary @{file} " in again(target(), exchange(headers=(("content-type", "x"),), body=body))
    assert body_file(body) == file
    assert "@bodies" not in again(target(), exchange(body=b"x" * 7999))


def test_a_key_in_a_body_that_stands_in_a_file_is_filled_in_when_it_is_sent() -> None:
    line = again(target(), exchange(body=b"x" * 8000 + b"$MY_KEY"))
    assert "--data-binary @<(envsubst '$MY_KEY' < bodies/" in line


# Kept and read again


@given(st.binary(max_size=60))
def test_bytes_come_back_as_they_were(data: bytes) -> None:
    assert from_text_or_base64(json.loads(json.dumps(text_or_base64(data)))) == data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"caf\xc3\xa9\r\n\t", {"text": "café\r\n\t"}),
        (b"\xff", {"base64": "/w=="}),
        (b"a\0", {"base64": "YQA="}),
        (b"", {"text": ""}),
    ],
)
def test_text_is_kept_readable(data: bytes, said: dict[str, str]) -> None:
    assert text_or_base64(data) == said


def test_an_exchange_comes_back_as_it_was() -> None:
    made = exchange(
        path="/a%2Fb",
        headers=(("A", "1"), ("a", "2")),
        body=b"\xff",
        status=201,
        came=(("B", "1"), ("B", "2")),
        chunks=[b"\0", b"x"],
    )
    said = json.loads(json.dumps(exchange_to_dict(made)))
    assert request_from_dict(said["request"]) == made.request
    assert made.response is not None
    assert head_of(said["response"]) == (201, made.response.headers, made.response.chunks)
    assert said["response"]["ending"] == "complete"
    assert "failure" not in said
    silent = exchange_to_dict(Exchange(Request("GET", "/", ()), None, "nobody"))
    assert (silent["response"], silent["failure"]) == (None, "nobody")


def test_an_address_is_readable_and_a_file_s_name() -> None:
    address = Store.address(Store(Path("/tmp")), "puter", "puter/models", "lists:all")
    assert address.startswith("puter-puter_models-lists_all-")
    assert "/" not in address
    assert len(address) < 140


def test_different_keys_have_different_addresses(tmp_path: Path) -> None:
    store = Store(tmp_path)
    keys = [("a", "b/c"), ("a", "b_c"), ("a-b", "c"), ("a", "b-c"), ("x" * 150, "1"), ("x" * 150, "2")]
    assert len({store.address(*key) for key in keys}) == len(keys)


# Once, and whole


def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    first = Store(tmp_path / "new" / "folder").steps("x", lambda: [{"step": "a"}])
    second = Store(tmp_path / "new" / "folder").steps("x", lambda: pytest.fail("asked twice"))
    assert first == second == [{"step": "a"}]


def test_different_probes_are_asked_each(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.steps("x", lambda: [{"step": "a"}]) != store.steps("y", lambda: [{"step": "b"}])


def test_threads_ask_once(tmp_path: Path) -> None:
    ready, asked = threading.Barrier(8), []

    def ask() -> list[dict[str, Any]]:
        asked.append(1)
        return [{"step": "a", "number": len(asked)}]

    def work(_: int) -> list[dict[str, Any]]:
        ready.wait()
        return Store(tmp_path).steps("x", ask)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[{"step": "a", "number": 1}]] * 8
    assert len(asked) == 1


WORKER = """
import os, sys, time
from pathlib import Path
from conformance.runs.store import Store

folder, name = Path(sys.argv[1]), sys.argv[2]

def ask():
    (folder / f"asked-{name}").touch()
    # The other one is on its way before this answer is kept.
    while len(list(folder.glob("came-*"))) < 2:
        time.sleep(0.01)
    return [{"step": name}]

(folder / f"came-{name}").touch()
print(Store(folder / "store").steps("x", ask))
"""


def test_processes_ask_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(tmp_path)]
    workers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in ("a", "b")]
    said = {worker.communicate(timeout=60)[0] for worker in workers}
    assert [worker.returncode for worker in workers] == [0, 0]
    assert len(list(tmp_path.glob("asked-*"))) == 1
    assert len(said) == 1


def test_a_question_that_failed_leaves_nothing_and_is_asked_again(tmp_path: Path) -> None:
    def fail() -> list[dict[str, Any]]:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        Store(tmp_path).steps("x", fail)
    assert not list(tmp_path.glob("*.json"))
    assert Store(tmp_path).steps("x", lambda: [{"step": "a"}]) == [{"step": "a"}]


def test_what_was_half_written_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.write_text

    def half(self: Path, data: str, *more: Any, **options: Any) -> int:
        whole(self, data[: len(data) // 2], *more, **options)
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", half)
        with pytest.raises(OSError, match="disk full"):
            Store(tmp_path).steps("x", lambda: [{"step": "a"}])
    assert Store(tmp_path).steps("x", lambda: [{"step": "b"}]) == [{"step": "b"}]


def test_half_a_surrogate_pair_can_be_kept(tmp_path: Path) -> None:
    steps = [{"step": "\ud83d"}]
    assert Store(tmp_path).steps("x", lambda: steps) == steps
