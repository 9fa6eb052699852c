"""Our own form: one JSON object an exchange. Alone in a file, as a list, or one a line (`.jsonl`).

    host                    api.openai.com, or with a port; or `url` in place of host and path
    method, path            POST, /v1/responses?x=y
    request_headers         {name: value} or [[name, value], ...]
    request_body            the parsed JSON; or request_body_text, request_body_base64
    status                  200; null if no answer came
    response_headers        as above
    response_body_text      the body as it was sent, without its content encoding; or response_body_base64,
                            or response_chunks: [{at: seconds since the request, text | base64}, ...]
    when                    2026-08, 2026-08-19 or a time: the day it was recorded
    fidelity                bytes (default): all is as it was sent
                            reserialised: the JSON was parsed and written again, headers may be missing
                            body_only: neither request nor headers are true; frames: the request is not
    ending                  complete (default), cut: the connection ended before the answer did

Other members are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.exchange import Chunk, Request, Truth, header
from conformance.recordings import (
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

FIDELITY = ("bytes", "reserialised", "body_only", "frames")


def holds(said: Any) -> bool:
    """True for an exchange or a list of them."""
    first = said[0] if isinstance(said, list) and said else said
    return (
        isinstance(first, Mapping)
        and "status" in first
        and ("url" in first or {"host", "path"} <= set(first))
    )


def read(said: Any, origin: str, folder: Path) -> Iterator[Recording]:
    """The exchanges. Raises Unreadable for one that lacks what every exchange has."""
    found = said if isinstance(said, list) else [said]
    for number, each in enumerate(found):
        at = f"{origin}#{number}" if len(found) > 1 else origin
        try:
            yield _recording(each, at)
        except WRONG as error:
            told = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise Unreadable(f"{at}: expected host, method, path and status, got {told}") from error


def _recording(said: Mapping[str, Any], origin: str) -> Recording:
    fidelity = said.get("fidelity", "bytes")
    if fidelity not in FIDELITY:
        raise ValueError(f"fidelity {fidelity!r}, expected one of {', '.join(FIDELITY)}")
    url = said.get("url") or f"https://{said['host']}{said['path']}"
    host, port, secure, target = located(str(url))
    body = _bytes(said, "request_body")
    if body is None and said.get("request_body") is not None:
        body = json.dumps(said["request_body"], ensure_ascii=False).encode()
    request = Request(
        str(said["method"]).upper(), target, pairs(said.get("request_headers") or {}), body or b""
    )
    when = day(said.get("when"))
    if said["status"] is None:
        return Recording(origin, host, request, None, when, secure=secure, port=port)
    headers = pairs(said.get("response_headers") or {})
    if "response_chunks" in said:
        chunks = tuple(
            Chunk(_bytes(each, "") or b"", _seconds(each.get("at"))) for each in said["response_chunks"]
        )
        data = b"".join(chunk.data for chunk in chunks)
    else:
        data = _bytes(said, "response_body") or b""
        chunks = (Chunk(data),) if data else ()
    lost = missing(data, headers)
    plain, damaged = opened(data, headers)
    if plain is not data:
        chunks = (Chunk(plain),)
    timed = bool(chunks) and all(chunk.at is not None for chunk in chunks)
    truth = Truth(
        body_bytes=fidelity in ("bytes", "frames") and kept_bytes(plain, headers),
        headers=fidelity in ("bytes", "frames") and kept_headers(headers),
        timing=timed,
        request=fidelity in ("bytes", "reserialised"),
    )
    ending = said.get("ending", "complete")
    if ending not in ("complete", "cut"):
        raise ValueError(f"ending {ending!r}, expected complete or cut")
    return Recording(
        origin,
        host,
        request,
        (int(said["status"]), headers, chunks, ending),
        when or day(header(headers, "date")),
        truth,
        lost or damaged,
        secure,
        port,
    )


def _seconds(said: Any) -> float | None:
    """A time since the request; None where the recorder did not keep it."""
    if said is not None and (
        isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said)
    ):
        raise ValueError(f"a chunk at {said!r}, expected seconds")
    return None if said is None else float(said)


def _bytes(said: Mapping[str, Any], prefix: str) -> bytes | None:
    """What stands at `..._text` or `..._base64`; None if neither does."""
    text, coded = (f"{prefix}_text", f"{prefix}_base64") if prefix else ("text", "base64")
    if said.get(coded) is not None:
        try:
            return base64.b64decode(said[coded], validate=True)
        except (binascii.Error, TypeError) as error:
            raise ValueError(f"a body that is no base64: {error}") from error
    if said.get(text) is not None:
        return str(said[text]).encode("utf-8", "surrogatepass")
    return None
