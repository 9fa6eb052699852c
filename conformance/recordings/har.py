"""HTTP Archive 1.2: what browsers, Playwright, mitmproxy and proxies export.

    log.entries[]: startedDateTime, request {method, url, headers, postData}, response {status, headers, content}

`content.text` is text, or bytes where `content.encoding` is base64; `content._file` names a file beside (Playwright).
Bodies are decoded already. Exporters cut long ones, leave out those of streams and turn binary ones into text:
what `content.size` and the text itself tell of that is believed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.exchange import Chunk, Request, Truth, header
from conformance.recordings import (
    LARGEST_BODY,
    WRONG,
    Recording,
    Unreadable,
    day,
    kept_bytes,
    kept_headers,
    located,
    opened,
    pairs,
)


def holds(said: Any) -> bool:
    """True for an archive."""
    return (
        isinstance(said, Mapping)
        and isinstance(said.get("log"), Mapping)
        and isinstance(said["log"].get("entries"), list)
    )


def read(said: Mapping[str, Any], origin: str, folder: Path) -> Iterator[Recording]:
    """The exchanges of an archive. Raises Unreadable for one that lacks what every exchange has."""
    for number, each in enumerate(said["log"]["entries"]):
        at = f"{origin}#{number}"
        try:
            yield _recording(each, at, folder)
        except WRONG as error:
            told = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise Unreadable(
                f"{at}: expected request (method, url) and response (status), got {told}"
            ) from error


def _recording(said: Mapping[str, Any], origin: str, folder: Path) -> Recording:
    asked, answered = said["request"], said["response"]
    host, port, secure, target = located(str(asked["url"]))
    posted = asked.get("postData") or {}
    sent, _ = _content(posted, folder)
    request = Request(str(asked["method"]).upper(), target, pairs(asked.get("headers", [])), sent)
    if not sent and int(asked.get("bodySize") or 0) > 0:
        request_known = False
    else:
        request_known = True
    when = day(said.get("startedDateTime"))
    status = int(answered["status"])
    if status == 0:
        return Recording(origin, host, request, None, when, secure=secure, port=port)
    headers = pairs(answered.get("headers", []))
    content = answered.get("content") or {}
    data, lost = _content(content, folder)
    size = int(content.get("size") or 0)
    if not data and (size > 0 or int(answered.get("bodySize") or 0) > 0):
        lost = lost or f"the exporter kept no body of {max(size, int(answered.get('bodySize') or 0))} bytes"
    elif not data and lost is None and "text" not in content and header(headers, "content-length") != "0":
        # Browsers leave out the bodies of streams, size and all.
        lost = "the exporter kept no body"
    elif 0 < len(data) < size and header(headers, "content-encoding") in (None, "identity"):
        lost = lost or f"the exporter kept {len(data)} of {size} bytes"
    if lost is None and content.get("encoding") != "base64" and "�" in str(content.get("text", "")):
        lost = "the exporter turned bytes into text"
    plain, damaged = opened(data, headers)
    whole = kept_bytes(plain, headers) and (size in (0, len(plain)) or size < 0)
    return Recording(
        origin,
        host,
        request,
        (status, headers, (Chunk(plain),) if plain else (), "complete"),
        when or day(header(headers, "date")),
        Truth(body_bytes=whole, headers=kept_headers(headers), timing=False, request=request_known),
        lost or damaged,
        secure,
        port,
    )


def _content(said: Mapping[str, Any], folder: Path) -> tuple[bytes, str | None]:
    """The bytes of `content` or `postData`, and why there are none."""
    if "_file" in said:
        beside = folder / Path(str(said["_file"])).name
        if not beside.is_file():
            return b"", f"the file {said['_file']} of the body is not there"
        if beside.stat().st_size > LARGEST_BODY:
            return b"", f"the file {said['_file']} of the body has more than {LARGEST_BODY >> 20} MiB"
        try:
            return beside.read_bytes(), None
        except OSError as error:
            return b"", f"the file {said['_file']} of the body cannot be read: {error.strerror}"
    text = said.get("text")
    if text is None:
        return b"", None
    if said.get("encoding") == "base64":
        try:
            return base64.b64decode(text, validate=True), None
        except (binascii.Error, TypeError) as error:
            raise ValueError(f"a body that is no base64: {error}") from error
    return str(text).encode("utf-8", "surrogatepass"), None
