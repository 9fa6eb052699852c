"""The exchanges of one run on disk: redacted, asked once, shared by all workers.

A probe's steps are kept under (target, contract, probe). The first who needs them holds the lock
and asks; the others read. Nothing is taken from an earlier run: a run has a folder of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from conformance.exchange import Chunk, Exchange, Headers, Request, Response
from conformance.signing import SIGNED_HEADERS
from conformance.target import Target

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
STILL_A_SECRET = 6
"""Shorter keys are not searched for in texts: they would hit words."""


def text_or_base64(data: bytes) -> dict[str, str]:
    """Bytes as JSON can hold them: `text` where they are UTF-8 without control characters, else `base64`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    if _NO_TEXT.search(text):
        return {"base64": base64.b64encode(data).decode()}
    return {"text": text}


def from_text_or_base64(said: Mapping[str, str]) -> bytes:
    """The bytes again."""
    return base64.b64decode(said["base64"]) if "base64" in said else said["text"].encode()


def exchange_to_dict(exchange: Exchange) -> dict[str, Any]:
    """The exchange as plain values; parsed forms are left out, they are read again."""
    request, response = exchange.request, exchange.response
    said: dict[str, Any] = {
        "request": {
            "method": request.method,
            "target": request.target,
            "headers": [list(each) for each in request.headers],
            "body": text_or_base64(request.body),
        },
        "response": None,
    }
    if exchange.failure is not None:
        said["failure"] = exchange.failure
    if response is not None:
        said["response"] = {
            "status": response.status,
            "headers": [list(each) for each in response.headers],
            "chunks": [{"at": chunk.at, **text_or_base64(chunk.data)} for chunk in response.chunks],
            "ending": response.ending,
        }
    return said


def head_of(said: Mapping[str, Any]) -> tuple[int, Headers, tuple[Chunk, ...]]:
    """Status, headers and chunks of a stored response."""
    headers = tuple((str(name), str(value)) for name, value in said["headers"])
    chunks = tuple(Chunk(from_text_or_base64(each), each["at"]) for each in said["chunks"])
    return said["status"], headers, chunks


def request_from_dict(said: Mapping[str, Any]) -> Request:
    """The stored request."""
    headers = tuple((str(name), str(value)) for name, value in said["headers"])
    return Request(said["method"], said["target"], headers, from_text_or_base64(said["body"]))


class Redactor:
    """Replaces keys wherever they stand, echoes included, by the names of their variables.

    A key is found as it is, and with any of its characters escaped: as JSON may, as a URL, as HTML.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        # The longest first: a key may begin with another one.
        self._secrets = [
            (re.compile(b"".join(map(_any_form, secret))), f"${name}".encode())
            for secret, name in sorted(secrets.items(), key=lambda each: -len(each[0]))
            if len(secret) >= STILL_A_SECRET
        ]

    def data(self, data: bytes) -> bytes:
        """The bytes without keys."""
        for secret, name in self._secrets:
            data = secret.sub(name, data)
        return data

    def text(self, text: str) -> str:
        """The text without keys."""
        return self.data(text.encode()).decode()

    def headers(self, headers: Headers) -> Headers:
        """The headers without keys."""
        return tuple((name, self.text(value)) for name, value in headers)

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without keys. Bodies whose keys were split over chunks are joined to one chunk."""
        request = exchange.request
        request = replace(
            request,
            target=self.text(request.target),
            headers=self.headers(request.headers),
            body=self.data(request.body),
        )
        response = exchange.response
        if response is not None:
            chunks = tuple(Chunk(self.data(chunk.data), chunk.at) for chunk in response.chunks)
            if self.data(b"".join(chunk.data for chunk in chunks)) != b"".join(
                chunk.data for chunk in chunks
            ):
                chunks = (Chunk(self.data(response.raw), response.chunks[-1].at),)
            response = Response(
                response.status,
                self.headers(response.headers),
                chunks,
                problem=None if response.problem is None else self.text(response.problem),
                ending=response.ending,
            )
        failure = None if exchange.failure is None else self.text(exchange.failure)
        return Exchange(request, response, failure, exchange.truth)


@cache
def _any_form(character: str) -> bytes:
    """A pattern of the ways in which a character of a key is written."""
    if character.isascii() and character.isalnum():
        return re.escape(character.encode())
    raw, code = re.escape(character.encode()), f"{ord(character):x}".encode()
    percent = b"".join(b"%%(?:25)?%02x" % byte for byte in character.encode())
    escapes = (rb"\\*" + raw, percent, rb"\\+u0*" + code, rb"\\+x" + code, b"&#x0*" + code + b";")
    return b"(?:" + escapes[0] + b"|(?i:" + b"|".join(escapes[1:]) + b"|&#0*%d;))" % ord(character)


INLINE = 8000
"""A body of more bytes is a file in a line to paste."""
BODIES = "bodies"
"""The folder of a report that holds such files; lines to paste are meant to be pasted beside it."""


def body_file(body: bytes) -> str | None:
    """The name under which a line to paste finds this body beside it; None for one that stands in the line."""
    if len(body) < INLINE and "text" in text_or_base64(body):
        return None
    ending = "json" if body[:1] in (b"{", b"[") else "bin"
    return f"{BODIES}/{hashlib.sha256(body).hexdigest()[:16]}.{ending}"


def by_signature(target: Target, request: Request) -> bool:
    """True for a request that showed who asks by a SigV4 signature: it has to be signed anew."""
    signed = request.header("x-amz-date") is not None or (request.header("authorization") or "").startswith(
        "AWS4"
    )
    return signed and "sigv4" in target.provider.said["key"]


def again(target: Target, exchange: Exchange) -> str:
    """A curl line that asks the same once more; the key is a variable, a long body a file of the report."""
    request, variables = exchange.request, target.named
    words = ["curl", "-sS", "-i", "-X", request.method]
    signed = by_signature(target, request)
    for name, value in request.headers:
        if not (signed and name.lower() in SIGNED_HEADERS):
            words += ["-H", _quoted(f"{name}: {value}", variables)]
    if signed:
        words += _signature(target)
    if request.body:
        if request.header("content-type") is None:
            words += ["-H", "Content-Type:"]
        file = body_file(request.body)
        if file is None:
            words += ["--data-raw", _quoted(request.body.decode(), variables)]
        elif named := [f"${each}" for each in variables if f"${each}".encode() in request.body]:
            words += ["--data-binary", f"@<(envsubst '{' '.join(named)}' < {file})"]
        else:
            words += ["--data-binary", f"@{file}"]
    return " ".join([*words, _quoted(f"{target.endpoint}{request.target}", variables)])


def _signature(target: Target) -> list[str]:
    """What makes curl sign the request anew, with the keys of the environment."""
    said = target.provider.said["key"]["sigv4"]
    region = target.signer.region if target.signer else target.region or ""
    words = ["--aws-sigv4", f"aws:amz:{region}:{said['service']}"]
    words += ["--user", f'"${said["access_key"]}:${said["secret"]}"']
    if target.signer is not None and target.signer.token:
        words += ["-H", f'"X-Amz-Security-Token: ${said["token"]}"']
    return words


def _quoted(text: str, variables: Sequence[str]) -> str:
    """Quoted for a shell, so that nothing but the variables of keys is filled in."""
    names = "|".join(sorted(map(re.escape, variables), key=len, reverse=True))
    if not names or not re.search(rf"\$(?:{names})", text):
        return shlex.quote(text)
    if not re.search(rf'[\\"`!]|\$(?:{names})\w|\$(?!{names})', text):
        return f'"{text}"'
    pieces = re.split(rf"(\$(?:{names}))", text)
    return "".join(
        f'"{piece}"' if index % 2 else shlex.quote(piece) if piece else ""
        for index, piece in enumerate(pieces)
    )


class Store:
    """A folder of exchanges, one file for each (target, contract, probe).

    Of a run that is `alone`, with no other process to share with, nothing is written: `kept` has what it was told.
    """

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        self.folder, self._alone = folder, alone
        self.kept: dict[str, list[dict[str, Any]]] = {}
        self._paid: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def address(self, *key: str) -> str:
        """The name of the evidence: readable, and different for different keys."""
        text = "\n".join(key)
        readable = "-".join(part.replace("/", "_").replace(":", "_") for part in key)
        return f"{readable[:120]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def steps(self, address: str, ask: Callable[[], Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """What is kept under `address`; asked for once, by whoever comes first."""
        if self._alone:
            if address not in self.kept:
                self.kept[address] = [dict(each) for each in ask()]
            return self.kept[address]
        from filelock import FileLock

        path = self.folder / f"{address}.json"
        if not path.exists():
            with FileLock(str(path) + ".lock"):
                if not path.exists():
                    made = json.dumps(list(ask()), ensure_ascii=True)
                    temporary = path.with_suffix(".new")
                    temporary.write_text(made, encoding="utf-8")
                    temporary.replace(path)
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    def once(self, key: str, ask: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """What is kept under `key`; asked for once. Who finds it there has not paid for it."""
        if self._alone:
            if key not in self._paid:
                self._paid[key] = dict(ask())
                return self._paid[key]
            return _paid_before(self._paid[key])
        from filelock import FileLock

        folder = self.folder / "paid"
        path = folder / f"{key}.json"
        if not path.exists():
            folder.mkdir(exist_ok=True)
            with FileLock(f"{path}.lock"):
                if not path.exists():
                    made = dict(ask())
                    temporary = path.with_suffix(".new")
                    temporary.write_text(json.dumps(made, ensure_ascii=True), encoding="utf-8")
                    temporary.replace(path)
                    return made
        return _paid_before(json.loads(path.read_text(encoding="utf-8")))


def _paid_before(stored: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(stored)
    found["paid_before"] = found.pop("paid", None)
    return found


def request_key(target: str, exchange: Exchange, repeat: int) -> str:
    """The name of what a request came to: the same for the same request to the same target, however often.

    The request is without keys, since each worker may have its own. `repeat` tells repetitions on purpose apart.
    """
    request = exchange.request
    head = [target, str(repeat), request.method, request.target]
    head += [f"{name.lower()}: {value}" for name, value in request.headers]
    return hashlib.sha256("\n".join(head).encode() + b"\n\n" + request.body).hexdigest()[:40]
