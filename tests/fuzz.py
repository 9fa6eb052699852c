"""Malformed requests and frames by the thousand: the mock answers each in a provider's words, or says nobody serves it.

    python tests/fuzz.py                     100,000 requests and 100,000 streams, a line on what came
    python tests/fuzz.py --count 5000 --seed 7 --api 'bedrock-runtime/*'
    python tests/fuzz.py --sockets 2000      as many over HTTP/1.1 to a mock that listens

Each request begins as a worked example of a contract and is spoilt in one to three ways: the JSON, its text, the
path, the headers, the method. An answer has to be a good one or an error of the contract, and in time.
Exit code 1 if one was not; the requests that did it are printed.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.contract import Contract, Specs, load
from conformance.exchange import Chunk, Request
from conformance.framing import encode, named, read
from mockserver.answer import ERROR, REFUSED, answer
from mockserver.effects import Cut, Head, Send, Stall, carry_out
from mockserver.embedded import start, without_sockets
from mockserver.mock import Mock

LONG = 5.0
"""Seconds of CPU after which an answer counts as hanging."""

JUNK: Sequence[Any] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, 2**63, -(2**63), 10**30, "", " ", "x", "\u0000", "\ud83d\ude00",
    "\u202e", "a" * 5000, [], {}, [[]], [{}], [None], {"": None}, {"type": "text"}, {"text": 1}, "NaN", "null",
    {"__proto__": {}}, {"$ref": "#"}, ["a"] * 200, "../../etc/passwd", "{{7*7}}", "%00", "data:image/png;base64,AAAA",
)  # fmt: skip


@dataclass
class Outcome:
    """What came of it all."""

    asked: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=dict)
    slowest: float = 0.0

    def fault(self, what: str, request: Request | bytes) -> None:
        """Keeps the first request that led to each fault; keys are not told."""
        if isinstance(request, Request):
            names = sorted(name for name, _ in request.headers)
            shown = f"{request.method} {request.target} {names} {request.body!r}"
        else:
            shown = repr(request)
        self.faults.setdefault(what, []).append(f"{shown:.1500}")

    def lines(self) -> Iterator[str]:
        yield f"{self.asked:,} asked; slowest {self.slowest:.2f} s; {len(self.faults)} kinds of fault"
        yield "  " + ", ".join(f"{name}: {count:,}" for name, count in self.statuses.most_common(12))
        if self.refused:
            yield "  refused for " + ", ".join(
                f"{name}: {count:,}" for name, count in self.refused.most_common(30)
            )
        for what, requests in self.faults.items():
            yield f"FAULT {what}: {len(requests)} times, the shortest:\n    {min(requests, key=len)}"


# Spoiling


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything in a JSON value, the value itself first."""
    yield at
    items: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, each in items:
        yield from places(each, (*at, key))


def changed(value: Any, at: tuple[Any, ...], new: Callable[[Any], Any]) -> Any:
    """A copy with what stands at `at` made anew."""
    if not at:
        return new(value)
    key, *rest = at
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = changed(value[key], tuple(rest), new)
    return copy


def spoil_json(value: Any, rng: random.Random) -> Any:
    """The value with one thing wrong in it."""
    at = rng.choice(list(places(value)))
    match rng.randrange(8):
        case 0 if at:

            def without(parent: Any) -> Any:
                copy = dict(parent) if isinstance(parent, dict) else list(parent)
                del copy[at[-1]]
                return copy

            return changed(value, at[:-1], without)
        case 1:
            return changed(
                value,
                at,
                lambda old: (
                    {**old, rng.choice(("x", "", "model", "stream", "n")): rng.choice(JUNK)}
                    if isinstance(old, dict)
                    else old
                ),
            )
        case 2:
            return changed(value, at, lambda old: [old])
        case 3:
            return changed(value, at, lambda old: old * 3 if isinstance(old, list | str) else {"x": old})
        case 4:
            return changed(value, at, lambda old: -old if isinstance(old, int | float) else str(old))
        case 5:

            def nested(old: Any) -> Any:
                for _ in range(rng.choice((5, 40, 120))):
                    old = {"a": [old]}
                return old

            return changed(value, at, nested)
        case _:
            return changed(value, at, lambda _: rng.choice(JUNK))


def spoil_bytes(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one thing wrong in them."""
    cut = rng.randrange(len(data) + 1)
    match rng.randrange(6):
        case 0:
            return data[:cut]
        case 1 if data:
            return data[:cut] + bytes([rng.randrange(256)]) + data[cut + 1 :]
        case 2:
            return (
                data[:cut]
                + rng.choice(
                    (b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"}", b'"', b",", b"\\u12", b"NaN", b"1e999")
                )
                + data[cut:]
            )
        case 3:
            return data + data
        case 4:
            return rng.choice(
                (
                    b"",
                    b"null",
                    b"[]",
                    b"0",
                    b'""',
                    b"{",
                    b"[" * 3000,
                    b'{"a":' * 2000,
                    b"\xef\xbb\xbf{}",
                    b"a=b&c=d",
                )
            )
        case _:
            return data.replace(b":", b"=", 1)


def spoil_path(target: str, rng: random.Random) -> str:
    path, _, query = target.partition("?")
    steps = path.split("/")
    where = rng.randrange(1, len(steps))
    junk = rng.choice(
        (
            "%00",
            "%2F",
            "%",
            "%zz",
            "..",
            "a" * 3000,
            "",
            "%F0%9F%98%80",
            "us.",
            "arn%3Aaws%3Abedrock",
            "{model}",
            "~x",
            ";x=1",
            "%C3",
        )
    )
    match rng.randrange(4):
        case 0:
            steps[where] = junk
        case 1:
            steps[where] += junk
        case 2:
            steps.insert(where, junk)
        case _:
            query = rng.choice(
                (query + "&x=1", "x", "=", "&&", "maxResults=abc", "nextToken=%00", "a=" + "b" * 2000)
            )
    return ("/".join(steps) or "/") + (f"?{query}" if query else "")


def spoil_headers(headers: Sequence[tuple[str, str]], rng: random.Random) -> list[tuple[str, str]]:
    found = list(headers)
    name = rng.choice(("Authorization", "Content-Type", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amzn-Bedrock-Trace",
                       "X-Amzn-Bedrock-Service-Tier", "Accept", "Host", "Origin", "x-api-key", "Cookie", "Content-Length"))  # fmt: skip
    value = rng.choice(("", " ", "Bearer", "Bearer ", "Bearer x", "Basic eA==", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b/c",
                        "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=00",
                        "Bearer bedrock-api-key-" + base64.b64encode(b"bedrock.amazonaws.com/?Action=x").decode(), "Bearer bedrock-api-key-%%%",
                        "text/plain", "application/json; charset=utf-7", "x" * 4000, "\u00ff", "-1", "null", "20269999T999999Z"))  # fmt: skip
    if rng.random() < 0.3 and found:
        found.pop(rng.randrange(len(found)))
    else:
        found = [each for each in found if each[0].lower() != name.lower()] + [(name, value)]
    return found


def spoilt(contract: Contract, rng: random.Random, headers: Sequence[tuple[str, str]]) -> Request:
    """One request that began as a worked example of the contract."""
    said = rng.choice(list(contract.exchanges.values()))["request"]
    body = said.get("body")
    request = Request(
        contract.method,
        (contract.provider.prefix if contract.provider else "") + said["target"],
        tuple(headers) + tuple(said.get("headers", {}).items()),
    )
    data = b""
    if body is not None:
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            body = spoil_json(body, rng)
        data = json.dumps(body).encode("utf-8", "surrogatepass")
    if data and rng.random() < 0.2:
        data = spoil_bytes(data, rng)
    if rng.random() < 0.12:
        request = replace(request, target=spoil_path(request.target, rng))
    if rng.random() < 0.15:
        request = replace(request, headers=tuple(spoil_headers(request.headers, rng)))
    if rng.random() < 0.05:
        request = replace(
            request, method=rng.choice(("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"))
        )
    return replace(request, body=data)


# Asking


def contracts_of(specs: Specs, glob: str) -> list[Contract]:
    """The operations that have a worked example."""
    return [
        each
        for each in specs.contracts.values()
        if not each.abstract and each.exchanges and fnmatch(each.id, glob)
    ]


def credentials_of(contract: Contract, info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headers that show the mock's own key, so that the checks after the credentials are met too."""
    assert contract.provider is not None
    key = contract.provider.said["key"]
    value = str(info[key.get("mock", "bearer")])
    return [(name, text.replace("{key}", value)) for name, text in key["send"].items()]


def documented(specs: Specs, contract: Contract) -> set[int]:
    """Every status that an answer near this contract may have: its own, its errors', and those of its provider."""
    assert contract.provider is not None
    found = {contract.response["status"]}
    for each in specs.of(contract.provider.id):
        found |= {failure.status for failure in each.failures.values()} | {each.response["status"]}
    found |= {failure.status for failure in contract.provider.failures.values()}
    if "preflight" in contract.provider.said:
        found.add(contract.provider.said["preflight"]["status"])
    return found


def ask_in_process(specs: Specs, count: int, seed: int, glob: str, auth: str = "strict") -> Outcome:
    """Asks the pure core."""
    rng, outcome = random.Random(seed), Outcome()
    made = without_sockets()
    credentials, info = made.mock.credentials, made.info
    known = contracts_of(specs, glob)
    allowed = {each.id: documented(specs, each) for each in known}
    for number in range(count):
        if number % 500 == 0:
            # Quotas and the journal are not what is looked at.
            mock = Mock(specs, credentials, auth=auth, seed=seed)  # type: ignore[arg-type]
        contract = rng.choice(known)
        request = spoilt(contract, rng, credentials_of(contract, info))
        outcome.asked += 1
        began = time.process_time()
        try:
            with _in_time():
                head, data = _carried_out(mock, request)
        except Exception as error:  # whatever it is, a user would have met it
            outcome.fault(_told(error), request)
            continue
        took = time.process_time() - began
        outcome.slowest = max(outcome.slowest, took)
        if took > LONG:
            outcome.fault(f"took {took:.1f} s", request)
        names = {name.lower(): value for name, value in head.headers}
        outcome.statuses[str(head.status)] += 1
        if REFUSED in names:
            outcome.refused[names[REFUSED]] += 1
        _judge(outcome, request, head, names, data, allowed[contract.id])
    return outcome


class Hangs(Exception):
    """It took too long, wherever it was."""


@contextmanager
def _in_time() -> Iterator[None]:
    """Raises Hangs in whatever takes longer than it may; in the main thread, where there are signals."""

    def late(*_: Any) -> None:
        raise Hangs(f"no answer after {LONG} s of CPU")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _told(error: Exception) -> str:
    """The exception and where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"


def _carried_out(mock: Mock, request: Request) -> tuple[Head, bytes]:
    head, data = None, b""
    for effect in carry_out(answer(mock, request, time.time()), mock.state):
        if isinstance(effect, Head):
            head = effect
        elif isinstance(effect, Send):
            data += effect.data
        elif isinstance(effect, Cut | Stall):
            raise AssertionError(f"{type(effect).__name__} without being asked for")
    assert head is not None, "no head"
    return head, data


def _judge(
    outcome: Outcome, request: Request, head: Head, names: Mapping[str, str], data: bytes, allowed: set[int]
) -> None:
    nobody = head.status == 404 and "no contract" in names.get(ERROR, "")
    if ERROR in names and not nobody:
        outcome.fault(f"the mock speaks of itself: {head.status} {names[ERROR]}", request)
    elif not nobody and head.status not in allowed:
        outcome.fault(f"status {head.status} is none of the documented {sorted(allowed)}", request)
    elif head.status >= 500 and REFUSED not in names:
        outcome.fault(f"status {head.status} without a refusal", request)
    for name, value in head.headers:
        if any(each in name + value for each in "\r\n\0"):
            outcome.fault(f"a header that splits: {name}: {value!r}", request)
    if names.get("content-type", "").startswith("application/json") and data:
        try:
            json.loads(data)
        except ValueError as error:
            outcome.fault(f"JSON that is none: {error}: {data[:200]!r}", request)


def read_broken_streams(specs: Specs, count: int, seed: int, glob: str) -> Outcome:
    """Streams of the worked examples, spoilt, given to the reader: it reports, and does not raise."""
    rng, outcome = random.Random(seed), Outcome()
    known = [each for each in contracts_of(specs, glob) if each.streams]
    whole = []
    for contract in known:
        for said in contract.exchanges.values():
            events = said["response"].get("events")
            if events:
                made_events = [named(contract, each.get("name"), each["data"]) for each in events]
                whole.append((contract, b"".join(encode(contract, made_events))))
    for _ in range(count):
        contract, data = rng.choice(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            data = spoil_bytes(data, rng)
        outcome.asked += 1
        began = time.process_time()
        headers = (("Content-Type", contract.response.get("content_type", "")),)
        try:
            response = read(contract, contract.response["status"], headers, [Chunk(data, None)])
        except Exception as error:  # whatever it is, the suite would have ended with it
            outcome.fault(f"{contract.id}: {_told(error)}", data)
            continue
        outcome.slowest = max(outcome.slowest, time.process_time() - began)
        outcome.statuses["reported" if response.problem else "read"] += 1
    return outcome


def ask_over_sockets(
    http: str, info: Mapping[str, Any], specs: Specs, count: int, seed: int, glob: str
) -> Outcome:
    """Asks a mock that listens, over HTTP/1.1, a new connection for each; half of them break HTTP itself."""
    rng, outcome = random.Random(seed), Outcome()
    known = contracts_of(specs, glob)
    place = urlsplit(http)
    for _ in range(count):
        contract = rng.choice(known)
        request = spoilt(contract, rng, credentials_of(contract, info))
        headers = [
            (name, value) for name, value in request.headers if name.lower() not in ("content-length", "host")
        ]
        head = f"{request.method} {request.target} HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        data = (head + f"Content-Length: {len(request.body)}\r\n\r\n").encode(
            "utf-8", "replace"
        ) + request.body
        whole = rng.random() < 0.5
        if not whole:
            data = spoil_bytes(data, rng)
        outcome.asked += 1
        began = time.monotonic()
        try:
            status = _sent(place.hostname or "", place.port or 80, data, whole)
        except TimeoutError:
            outcome.fault(f"no answer within {LONG} s, and the connection stayed open", data[:1500])
            continue
        outcome.slowest = max(outcome.slowest, time.monotonic() - began)
        outcome.statuses[status] += 1
        if status.startswith("5") and status not in {str(each) for each in documented(specs, contract)}:
            outcome.fault(f"status {status}", data[:1500])
    return outcome


def _sent(host: str, port: int, data: bytes, whole: bool) -> str:
    """The status that came, `closed` where none did."""
    with socket.create_connection((host, port), LONG) as connection:
        try:
            connection.sendall(data)
            if not whole:
                # One that says it is longer than it is would wait for the rest.
                connection.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := connection.recv(65536):
                got += chunk
        except (ConnectionError, BrokenPipeError):
            return "closed"
    return got.split(b" ", 2)[1].decode("ascii", "replace") if got.startswith(b"HTTP/") else "closed"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000, help="requests in process, and streams")
    parser.add_argument("--sockets", type=int, default=0, help="requests over sockets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--api", default="*", metavar="GLOB", help="contracts whose examples are spoilt")
    arguments = parser.parse_args(argv)
    specs = load()
    found = {
        "requests": ask_in_process(specs, arguments.count, arguments.seed, arguments.api),
        "streams": read_broken_streams(specs, arguments.count, arguments.seed, arguments.api),
    }
    if arguments.sockets:
        running = start()
        found["over sockets"] = ask_over_sockets(
            running.http, running.info, specs, arguments.sockets, arguments.seed, arguments.api
        )
        running.stop()
    for name, outcome in found.items():
        print(f"{name}: " + "\n".join(outcome.lines()))
    return 1 if any(each.faults for each in found.values()) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
