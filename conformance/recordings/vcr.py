"""VCR cassettes: vcrpy and pytest-recording (`interactions`), VCR of Ruby (`http_interactions`).

    interactions:
      - request: {method, uri, headers: {name: [values]}, body}
        response: {status: {code, message}, headers: {name: [values]}, body: {string}}
        recorded_at: ...        not by every recorder

A body is a string, bytes, base64, or JSON that a serializer has parsed (`parsed_body`): then nothing is known
of the bytes, and such serializers drop headers too. Bodies may be gzipped, as they went over the wire.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from conformance.exchange import Chunk, Request, Truth, header
from conformance.recordings import (
    LARGEST,
    TOO_DEEP,
    WRONG,
    Recording,
    Unreadable,
    day,
    kept_bytes,
    kept_headers,
    located,
    missing,
    opened,
    pairs,
)

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MEMBERS = ("interactions", "http_interactions")


class _Loader(_Base):  # type: ignore[misc]
    """Cassettes hold bytes, dates and tags of Python's; none of them is carried out, their values are taken."""


def _plain(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("", _plain)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def load(path: Path, text: str) -> Any:
    """The content of a YAML file. Raises Unreadable."""
    try:
        said = yaml.load(text, Loader=_Loader)
        if _weight(said, {}) > LARGEST:
            raise Unreadable(f"{path}: expected at most {LARGEST >> 20} MiB, its aliases filled in, got more")
        return said
    except RecursionError as error:
        raise Unreadable(f"{path}: {TOO_DEEP}") from error
    except Unreadable:
        raise
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise Unreadable(
            f"{where}: expected YAML or JSON, got {' '.join(str(getattr(error, 'problem', None) or error).split())}"
        ) from error


def _weight(said: Any, known: dict[int, int]) -> int:
    """About how many bytes it has when each alias (`*name`) is filled in; RecursionError for one within itself."""
    if not isinstance(said, dict | list):
        return len(said) if isinstance(said, str | bytes) else 1
    if id(said) not in known:
        inside = [*said, *said.values()] if isinstance(said, dict) else said
        known[id(said)] = 1 + sum(_weight(each, known) for each in inside)
    return known[id(said)]


def holds(said: Any) -> bool:
    """True for a cassette."""
    return isinstance(said, Mapping) and any(isinstance(said.get(each), list) for each in _MEMBERS)


def read(said: Mapping[str, Any], origin: str, folder: Path) -> Iterator[Recording]:
    """The exchanges of a cassette. Raises Unreadable for one that lacks what every exchange has."""
    found = next(said[each] for each in _MEMBERS if isinstance(said.get(each), list))
    for number, each in enumerate(found):
        at = f"{origin}#{number}"
        try:
            yield _recording(each, at)
        except WRONG as error:
            told = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise Unreadable(
                f"{at}: expected request (method, uri) and response (status), got {told}"
            ) from error


def _recording(said: Mapping[str, Any], origin: str) -> Recording:
    asked, answered = said["request"], said["response"]
    host, port, secure, target = located(str(asked["uri"]))
    headers = pairs(asked.get("headers") or {})
    body, _ = _body(asked.get("body"), asked)
    sent, _ = opened(body, headers)
    request = Request(str(asked["method"]).upper(), target, headers, sent)
    when = day(said.get("recorded_at"))
    status = answered["status"] if "status" in answered else answered["status_code"]
    code = int(status["code"] if isinstance(status, Mapping) else status)
    got = pairs(answered.get("headers") or {})
    data, parsed = _body(answered.get("body", answered.get("content")), answered)
    lost = missing(data, got)
    plain, damaged = opened(data, got)
    # What was decoded by the recorder has lost its coding, and its length with it.
    whole = kept_bytes(data if plain is data else plain, got) or plain is not data
    truth = Truth(body_bytes=whole and not parsed, headers=kept_headers(got) and not parsed, timing=False)
    return Recording(
        origin,
        host,
        request,
        (code, got, (Chunk(plain),) if plain else (), "complete"),
        when or day(header(got, "date")),
        truth,
        lost or damaged,
        secure,
        port,
    )


def _body(said: Any, beside: Mapping[str, Any]) -> tuple[bytes, bool]:
    """The bytes, and whether they are ours because only the parsed JSON was kept."""
    if "parsed_body" in beside:
        return json.dumps(beside["parsed_body"], ensure_ascii=False).encode(), True
    if isinstance(said, Mapping):
        if "base64_string" in said:
            return _decoded(said["base64_string"]), False
        if "parsed_body" in said:
            return json.dumps(said["parsed_body"], ensure_ascii=False).encode(), True
        said = said.get("string")
    if said is None:
        return b"", False
    if isinstance(said, bytes):
        return said, False
    if isinstance(said, str):
        return said.encode("utf-8", "surrogateescape"), False
    return json.dumps(said, ensure_ascii=False).encode(), True


def _decoded(said: Any) -> bytes:
    try:
        return base64.b64decode(said)
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"a body that is no base64: {error}") from error
