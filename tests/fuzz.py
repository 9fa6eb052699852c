"""Malformed requests and frames by the thousand: the mock answers each in a provider's words, or says nobody serves it.

    python tests/fuzz.py                     100,000 requests and 100,000 streams, a line on what came
    python tests/fuzz.py --count 5000 --seed 7 --api 'bedrock-runtime/*'
    python tests/fuzz.py --sockets 2000      as many over HTTP/1.1 to a mock that listens
    python tests/fuzz.py --openapi openai    100,000 requests drawn from the exported OpenAPI document, which alone says
                                             what may be answered: status, content type, headers, body, each event

Each request begins as a worked example of a contract and is spoilt in one to three ways: the JSON, its text, the
path, the headers, the method. An answer has to be a good one or an error of the contract, and in time.
Exit code 1 if one was not; the requests that did it are printed.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import re
import signal
import socket
import sys
import time
import traceback
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jsonschema_rs

from conformance.contract import Contract
from conformance.exchange import Chunk, Request
from conformance.framing import encode, named, read
from conformance.loading import Specs, load
from conformance.openapi import document
from conformance.wire import sse
from mockserver.answer import answer
from mockserver.effects import Cut, Head, Send, Stall, carry_out
from mockserver.embedded import start, without_sockets
from mockserver.mock import Mock
from mockserver.telling import ERROR, REFUSED

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
    unmade: Counter[str] = field(default_factory=Counter)
    """What the mock says it does not make."""
    faults: dict[str, list[str]] = field(default_factory=dict)
    slowest: float = 0.0

    def fault(self, what: str, request: Request | bytes, got: str = "") -> None:
        """Keeps the requests that led to each fault; keys are not told."""
        if isinstance(request, Request):
            names = sorted(name for name, _ in request.headers)
            shown = f"{request.method} {request.target} {names} {request.body!r}"
        else:
            shown = repr(request)
        self.faults.setdefault(what, []).append(f"{shown:.1500}" + (f"\n    -> {got:.1500}" if got else ""))

    def lines(self) -> Iterator[str]:
        yield f"{self.asked:,} asked; slowest {self.slowest:.2f} s; {len(self.faults)} kinds of fault"
        yield "  " + ", ".join(f"{name}: {count:,}" for name, count in self.statuses.most_common(12))
        if self.refused:
            yield "  refused for " + ", ".join(
                f"{name}: {count:,}" for name, count in self.refused.most_common(30)
            )
        if self.unmade:
            yield "  not made here: " + ", ".join(
                f"{what}: {count:,}" for what, count in self.unmade.most_common(8)
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


# From an OpenAPI document


STRINGS: Sequence[Any] = (
    "", " ", "x", "\u0000", "\ud83d\ude00", "\u202e", "\ud800", "e\u0301" * 40, "a" * 70_000, "../../etc/passwd", "{{7*7}}", "%00",
    "data:image/png;base64,AAAA", "data:,", "https://example.com/a.png", "resp_" + "0" * 48, "null", "true", "1e999", "auto",
)  # fmt: skip
NUMBERS: Sequence[Any] = (
    0,
    -1,
    1,
    0.5,
    -0.0,
    2,
    21,
    129,
    1e308,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    1e-320,
)
OTHERS: Mapping[str, Sequence[Any]] = {
    "string": (None, 1, True, [], {}, ["x"], {"text": "x"}),
    "integer": (None, "1", 1.5, True, [], {}, [1], 1e3),
    "number": (None, "1", True, [], {}, [1]),
    "boolean": (None, "true", 0, 1, [], {}),
    "array": (None, "x", {}, {"0": 1}, 1, True),
    "object": (None, "x", [], [[]], 1, True),
    "null": ("x", 1, [], {}, False),
}  # fmt: skip
JSON_BYTES: Sequence[bytes] = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"9" * 400, b"00", b"01", b"1.", b".5", b"+1", b"0x1", b"\xff",
    b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u12"', b'"\t"', b"'x'", b"undefined", b"/**/1", b"[1,]", b'{"a":1,}', b"[" * 500,
)  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One operation of the document, as anybody who reads it has it."""

    method: str
    path: str
    said: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.said["operationId"])


class Document:
    """An OpenAPI document and nothing else: draws requests from it, good ones and spoilt ones, and judges answers by it."""

    def __init__(self, said: Mapping[str, Any], rng: random.Random) -> None:
        self._said, self._rng = said, rng
        self.operations = [
            Operation(method.upper(), path, operation)
            for path, item in said["paths"].items()
            for method, operation in item.items()
        ]
        self._shapes: dict[int, Any] = {}
        self._kept: list[Any] = []
        self.seen: list[str] = []
        """Ids that answers gave out."""

    def fits(self, schema: Any, value: Any) -> bool:
        """Whether the value has the shape; a value that no reader takes has none."""
        if id(schema) not in self._shapes:
            self._kept.append(schema)
            whole = {**schema, "components": self._said["components"]}
            self._shapes[id(schema)] = jsonschema_rs.Draft202012Validator(
                whole, keywords={"contentSchema": self._content()}
            )
        try:
            return bool(self._shapes[id(schema)].is_valid(value))
        except ValueError:
            return False

    def _content(self) -> Any:
        """The keyword contentSchema, which readers of JSON Schema pass over if they are not told."""
        # What Rust holds no garbage collector sees: a circle through a compiled schema would stay for good.
        drawing = weakref.proxy(self)

        class Content:
            def __init__(self, parent: Any, value: Any, path: Any) -> None:
                self._schema = value

            def validate(self, text: str) -> None:
                value = json.loads(text)
                if not drawing.fits(self._schema, value):
                    raise ValueError(drawing.why(self._schema, value))

        return Content

    def why(self, schema: Any, value: Any) -> str:
        """What of the value does not fit, and the value."""
        told = "; ".join(
            f"{'/'.join(map(str, error.instance_path))}: {error.message:.160}"
            for error in self._shapes[id(schema)].iter_errors(value)
        )
        return f"{told:.600} in {json.dumps(value):.800}"

    def _resolved(self, said: Any) -> Any:
        while isinstance(said, Mapping) and "$ref" in said:
            own = {key: value for key, value in said.items() if key != "$ref"}
            found: Any = self._said
            for step in said["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            both = {**found.get("properties", {}), **own.get("properties", {})}
            said = {**found, **own, **({"properties": both} if both else {})}
        return said

    # Good values

    def sample(self, schema: Any, depth: int = 0) -> Any:
        """A value that the schema is likely to take."""
        rng, schema = self._rng, self._resolved(schema)
        if not isinstance(schema, Mapping):
            return rng.choice(("x", 1, None))
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return rng.choice(schema["enum"])
        made: Any = None
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                branches = schema[key] if depth < 6 else schema[key][:1]
                made = self.sample(rng.choice(branches), depth + 1)
        for each in schema.get("allOf", ()):
            part = self.sample(each, depth + 1)
            made = {**made, **part} if isinstance(made, dict) and isinstance(part, dict) else part
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list):
            kind = rng.choice(kind)
        match kind:
            case "object":
                return self._object(schema, made if isinstance(made, dict) else {}, depth)
            case "array":
                least = schema.get("minItems", 0)
                number = (
                    least
                    if depth > 6
                    else rng.randint(least, min(schema.get("maxItems", least + 2), least + 2))
                )
                return [self.sample(schema.get("items", {}), depth + 1) for _ in range(number)]
            case "string":
                return self._text(schema)
            case "integer" | "number":
                low, high = schema.get("minimum", 0), schema.get("maximum", schema.get("minimum", 0) + 100)
                return (
                    rng.randint(int(low), int(high))
                    if kind == "integer"
                    else round(rng.uniform(low, high), 2)
                )
            case "boolean":
                return rng.random() < 0.5
            case "null":
                return None
        return made if made is not None else rng.choice(("x", 1, {}))

    def _object(self, schema: Mapping[str, Any], made: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        for name, each in schema.get("properties", {}).items():
            if name in required or (depth < 6 and self._rng.random() < 0.3):
                made[name] = self.sample(each, depth + 1)
        return made

    def _text(self, schema: Mapping[str, Any]) -> str:
        if schema.get("examples"):
            return str(self._rng.choice(schema["examples"]))
        if self.seen and self._rng.random() < 0.2:
            return self._rng.choice(self.seen)
        word = self._rng.choice(
            ("hello", "x", "get_weather", "https://example.com/a.png", "data:image/png;base64,AAAA")
        )
        return (word * 9)[: max(len(word), schema.get("minLength", 0))][: schema.get("maxLength", 200)]

    def body(self, content: Mapping[str, Any]) -> Any:
        """An example of the document with more members that its schema has, or a value drawn from the schema."""
        rng, examples = self._rng, list(content.get("examples", {}).values())
        drawn = self.sample(content["schema"])
        if not examples:
            return drawn
        example = rng.choice(examples)["value"]
        if not isinstance(drawn, dict) or not isinstance(example, dict):
            return example
        more = {name: value for name, value in drawn.items() if rng.random() < 0.3}
        if self.seen and rng.random() < 0.1:
            more["previous_response_id"] = rng.choice(self.seen)
        return {**more, **example} if rng.random() < 0.7 else {**example, **more}

    # Spoilt ones

    def spoil(self, schema: Any, value: Any) -> Any:
        """The value with one thing wrong in it that the schema speaks of, at some depth."""
        rng, schema = self._rng, self._resolved(schema)
        if not isinstance(schema, Mapping) or rng.random() < 0.15:
            return self.wrong(schema if isinstance(schema, Mapping) else {}, value)
        for key in ("anyOf", "oneOf", "allOf"):
            if schema.get(key):
                fitting = [each for each in schema[key] if self.fits(each, value)]
                if fitting and rng.random() < 0.8:
                    return self.spoil(rng.choice(fitting), value)
                return self.wrong(rng.choice(schema[key]), value)
        if isinstance(value, dict) and value:
            name = rng.choice(list(value))
            match rng.randrange(8):
                case 0:
                    return {key: each for key, each in value.items() if key != name}
                case 1:
                    new = rng.choice(
                        (*schema.get("properties", {"x": 0}), "unheard", "", "\u0000", "__proto__")
                    )
                    return {**value, new: rng.choice((*STRINGS, *NUMBERS, None, [], {}))}
                case 2:
                    return {(key if key != name else key.upper()): each for key, each in value.items()}
                case _:
                    return {
                        **value,
                        name: self.spoil(schema.get("properties", {}).get(name, {}), value[name]),
                    }
        if isinstance(value, list) and value and rng.random() < 0.8:
            at = rng.randrange(len(value))
            match rng.randrange(5):
                case 0:
                    return [*value[:at], *value[at + 1 :]]
                case 1:
                    return value * rng.choice((2, 40))
                case _:
                    return [*value[:at], self.spoil(schema.get("items", {}), value[at]), *value[at + 1 :]]
        return self.wrong(schema, value)

    def wrong(self, schema: Any, value: Any) -> Any:
        """Something else in its place: another type, out of range, too long, too deep, no word of the list."""
        rng, schema = self._rng, self._resolved(schema)
        schema = schema if isinstance(schema, Mapping) else {}
        kind = schema.get("type", "string")
        kinds = kind if isinstance(kind, list) else [kind]
        choices: list[Any] = [each for name in kinds for each in OTHERS.get(name, ())]
        for name, step in (("minimum", -1), ("maximum", 1), ("exclusiveMinimum", 0), ("exclusiveMaximum", 0)):
            if name in schema:
                choices += [schema[name] + step] * 4
        if "maxLength" in schema:
            choices += ["a" * (schema["maxLength"] + 1)] * 4
        if "maxItems" in schema and isinstance(value, list):
            choices += [(value or ["x"]) * (schema["maxItems"] + 1)] * 4
        if "maxProperties" in schema:
            choices += [{f"k{number}": "x" for number in range(schema["maxProperties"] + 1)}] * 4
        if "enum" in schema or "const" in schema:
            choices += ["unheard", "AUTO", ""] * 2
        deep: Any = value
        for _ in range(rng.choice((3, 40, 120, 250, 300, 500))):
            deep = [deep] if rng.random() < 0.5 else {"a": deep}
        return rng.choice((*choices, *choices, rng.choice(STRINGS), rng.choice(NUMBERS), deep, [value]))

    def text(self, value: Any) -> bytes:
        """The value as JSON, now and then JSON that is none, or one that readers do not agree on."""
        rng = self._rng
        data = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        roll = rng.random()
        if roll < 0.04 and data.startswith(b"{") and len(data) > 2:
            # One member twice: the first or the last may count, and nothing may break.
            twice = json.dumps(rng.choice(list(value))).encode("utf-8", "surrogatepass")
            return b"{" + twice + b":" + rng.choice((b"null", b"1", b'"x"', b"[]")) + b"," + data[1:]
        if roll < 0.08 and b":" in data:
            places = [at for at in range(len(data)) if data[at : at + 1] == b":"]
            at = rng.choice(places) + 1
            return data[:at] + rng.choice(JSON_BYTES) + data[at:].lstrip(b' "0123456789.truefalsn-')
        return spoil_bytes(data, rng) if roll < 0.16 else data

    def request(self, operation: Operation, key: str) -> tuple[Request, Any]:
        """A request near the operation, and the JSON value in it (None without one)."""
        rng = self._rng
        path, query = operation.path, []
        headers = [("Host", "fuzz.example.com")]
        for each in operation.said.get("parameters", ()):
            value = self._parameter(each)
            if value is None:
                continue
            match each["in"]:
                case "path":
                    path = path.replace(
                        f"{{{each['name']}}}", quote(value, safe="" if rng.random() < 0.9 else "/?#")
                    )
                case "query":
                    query.append((each["name"], value))
                case "header":
                    headers.append((each["name"], value.encode("ascii", "replace").decode()))
        if query and rng.random() < 0.1:
            query.append(rng.choice(query))
        if rng.random() < 0.95:
            headers += self._credentials(operation.said["security"], key)
        value, data = None, b""
        if "requestBody" in operation.said:
            kind, content = rng.choice(list(operation.said["requestBody"]["content"].items()))
            value = self.body(content)
            for _ in range(rng.choice((0, 0, 1, 1, 1, 1, 2, 3))):
                value = self.spoil(content["schema"], value)
            data = self.text(value)
            wrong = (
                "text/plain",
                "",
                "application/x-www-form-urlencoded",
                "application/json; charset=utf-7",
                "*/*",
                "x",
            )
            headers.append(("Content-Type", kind if rng.random() < 0.93 else rng.choice(wrong)))
        elif rng.random() < 0.1:
            data = self.text(rng.choice(JUNK))
        target = path + (f"?{urlencode(query, errors='replace')}" if query else "")
        request = Request(operation.method, target, tuple(headers), data)
        if rng.random() < 0.03:
            request = replace(request, target=spoil_path(request.target, rng))
        if rng.random() < 0.03:
            request = replace(request, headers=tuple(spoil_headers(request.headers, rng)))
        if rng.random() < 0.02:
            request = replace(request, method=rng.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD")))
        return request, value

    def _parameter(self, said: Mapping[str, Any]) -> str | None:
        rng = self._rng
        roll = rng.random()
        if not said.get("required") and roll < 0.5:
            return None
        if self.seen and roll < 0.6 and said["in"] == "path":
            return rng.choice(self.seen)
        value = self.sample(said["schema"])
        if roll > 0.8:
            value = self.wrong(said["schema"], value)
        text = value if isinstance(value, str) else json.dumps(value)
        return text.encode("utf-8", "replace").decode()[:3000] or ("x" if said["in"] == "path" else "")

    def _credentials(self, security: Sequence[Mapping[str, Any]], key: str) -> list[tuple[str, str]]:
        """The key at a place where the operation looks for one; nobody signs here."""
        schemes = self._said["components"]["securitySchemes"]
        here = [schemes[name] for each in security for name in each]
        known = [
            each
            for each in here
            if "x-amazon-apigateway-authtype" not in each and each.get("in", "header") == "header"
        ]
        if not known:
            return []
        scheme = self._rng.choice(known)
        return [("Authorization", f"Bearer {key}")] if scheme["type"] == "http" else [(scheme["name"], key)]

    # Answers

    def judge(self, outcome: Outcome, operation: Operation, asked: Asked, head: Head, data: bytes) -> None:
        """Reports what of the answer the document does not have."""
        names = {name.lower(): value for name, value in head.headers}
        here = operation.said["responses"]
        strayed = asked.request.method != operation.method or not asked.on_path
        if head.status == 501 and ERROR in names and "has no error for" not in names[ERROR]:
            # What is documented and cannot be made here (audio in a rare format) is said to be so.
            outcome.unmade[f"{names[ERROR]:.60}"] += 1
            return
        if ERROR in names and "no contract" not in names[ERROR]:
            outcome.fault(
                f"{operation.name}: the mock speaks of itself: {head.status} {names[ERROR]:.90}",
                asked.request,
            )
            return
        if head.status >= 500:
            outcome.fault(
                f"{operation.name}: status {head.status}: {names.get(REFUSED)} {data[:200]!r}", asked.request
            )
            return
        if strayed:
            # Another operation, or none: the document does not say what an unknown path is answered.
            return
        said = self._resolved(here.get(str(head.status)))
        if said is None:
            outcome.fault(f"{operation.name}: status {head.status} is none of {sorted(here)}", asked.request)
            return
        for name, promised in said.get("headers", {}).items():
            if promised.get("required") and name.lower() not in names:
                outcome.fault(f"{operation.name}: {head.status} without the header {name}", asked.request)
        if asked.request.method == "HEAD" or (not data and not said.get("content")):
            return
        kind = names.get("content-type", "").partition(";")[0].strip()
        content = said.get("content", {}).get(kind)
        if content is None:
            outcome.fault(
                f"{operation.name}: {head.status} as {kind!r}, expected {sorted(said.get('content', {}))}",
                asked.request,
            )
            return
        self._judge_body(outcome, f"{operation.name}: {head.status}", asked, kind, content, data)
        nothing = not asked.request.body and not operation.said.get("requestBody", {}).get("required")
        if head.status < 300 and asked.value is not None and not nothing:
            schema = operation.said["requestBody"]["content"]["application/json"]["schema"]
            try:
                # What is in the bytes, which may not be what was drawn.
                fitting = self.fits(schema, json.loads(asked.request.body))
            except (ValueError, RecursionError) as error:
                outcome.fault(
                    f"{operation.name}: {head.status} to a body that is no JSON: {error}", asked.request
                )
                return
            if not fitting:
                outcome.fault(
                    f"{operation.name}: {head.status} to a body that the document refuses", asked.request
                )

    def _judge_body(
        self, outcome: Outcome, where: str, asked: Asked, kind: str, content: Mapping[str, Any], data: bytes
    ) -> None:
        if "x-conformance-stream" in content:
            values = list(_events(kind, data))
        elif kind == "application/json":
            try:
                values = [json.loads(data)]
            except ValueError as error:
                outcome.fault(f"{where}: JSON that is none: {error}", asked.request)
                return
        else:
            values = [data.decode("utf-8", "replace")]
        for value in values:
            self._see(value)
            if not self.fits(content["schema"], value):
                wrong = f"{where}: not of its schema: {_skeleton(value)}"
                outcome.fault(wrong, asked.request, self.why(content["schema"], value))

    def _see(self, value: Any) -> None:
        """Remembers what the answer gave out: its id, and that of the response in an event."""
        for found in re.findall(
            r'"id": ?"((?:resp|chatcmpl|conv|msg)_?[^"]+)"', json.dumps(value).replace('\\"', '"')
        )[:3]:
            self.seen.append(found)


@dataclass(frozen=True)
class Asked:
    """A request that was made from an operation; `value` is its JSON, `on_path` says whether its path still is the operation's."""

    request: Request
    value: Any
    on_path: bool


def _events(kind: str, data: bytes) -> Iterator[Any]:
    """The fields of each server-sent event of a stream; the lines of another."""
    if kind == "text/event-stream":
        decoder = sse.Decoder()
        for message in [*decoder.feed(data), *decoder.close()]:
            yield {"data": message.data, **({"event": message.event} if message.event else {})}
    elif kind.endswith("ndjson"):
        yield from (json.loads(line) for line in data.splitlines() if line)


def _skeleton(value: Any) -> str:
    """What tells faults of one kind from another: the members, not what is in them."""
    if isinstance(value, dict) and "data" in value and isinstance(value["data"], str):
        return f"event {value.get('event', '')}"
    return f"{{{', '.join(sorted(value))}}}" if isinstance(value, dict) else type(value).__name__


def ask_from_document(
    specs: Specs, said: Mapping[str, Any], count: int, seed: int, prefix: str = ""
) -> Outcome:
    """Asks the pure core what the document says can be asked, below `prefix`, and a little else."""
    rng, outcome = random.Random(seed), Outcome()
    drawing = Document(said, rng)
    made = without_sockets()
    for number in range(count):
        if number % 500 == 0:
            mock = Mock(specs, made.mock.credentials, auth="strict", seed=seed)
            drawing.seen.clear()
        operation = rng.choice(drawing.operations)
        request, value = drawing.request(operation, str(made.info["bearer"]))
        pattern = re.sub(r"\\\{\w+\\\}", "[^/?]+", re.escape(operation.path))
        asked = Asked(request, value, re.fullmatch(pattern, request.target.partition("?")[0]) is not None)
        outcome.asked += 1
        began = time.process_time()
        try:
            with _in_time():
                head, data = _carried_out(mock, replace(request, target=prefix + request.target))
        except Exception as error:  # whatever it is, a user would have met it
            outcome.fault(f"{operation.name}: {_told(error)}", request)
            continue
        took = time.process_time() - began
        outcome.slowest = max(outcome.slowest, took)
        if took > LONG:
            outcome.fault(f"{operation.name}: took {took:.1f} s", request)
        outcome.statuses[str(head.status)] += 1
        outcome.refused[next((value for name, value in head.headers if name.lower() == REFUSED), "-")] += 1
        drawing.judge(outcome, operation, asked, head, data)
    return outcome


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000, help="requests in process, and streams")
    parser.add_argument("--sockets", type=int, default=0, help="requests over sockets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--api", default="*", metavar="GLOB", help="contracts whose examples are spoilt")
    parser.add_argument(
        "--openapi",
        nargs="*",
        metavar="PROVIDER",
        help="draw from the OpenAPI documents of these (none: of all)",
    )
    arguments = parser.parse_args(argv)
    specs = load()
    if arguments.openapi is not None:
        found = {
            name: ask_from_document(
                specs, document(specs, name), arguments.count, arguments.seed, specs.providers[name].prefix
            )
            for name in arguments.openapi or specs.providers
        }
        return _say(found)
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
    return _say(found)


def _say(found: Mapping[str, Outcome]) -> int:
    for name, outcome in found.items():
        print(f"{name}: " + "\n".join(outcome.lines()))
    return 1 if any(each.faults for each in found.values()) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
