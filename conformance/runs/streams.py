"""A streamed answer that was stored, message by message, for a person."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from conformance.exchange import header
from conformance.runs.store import head_of
from conformance.wire import FramingError, eventstream, ndjson, sse

__all__ = ["stream_of"]


def stream_of(response: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The messages of a streamed answer with their times, and what broke off the reading; None for others."""
    if response is None:
        return None
    _, headers, chunks = head_of(response)
    kind = (header(headers, "content-type") or "").split(";")[0].strip().lower()
    if kind not in _READERS:
        return None
    decoder, tell = _READERS[kind]
    reader = decoder()
    events: list[dict[str, Any]] = []
    problem = None
    try:
        for chunk in chunks:
            events += [{"at": chunk.at, **tell(message)} for message in reader.feed(chunk.data)]
        events += [{"at": chunks[-1].at if chunks else None, **tell(message)} for message in reader.close()]
    except FramingError as error:
        events += [{"at": None, **tell(message)} for message in error.before]
        problem = str(error)
    return {"events": events, "problem": problem}


def _tell_message(message: eventstream.Message) -> dict[str, Any]:
    """Name, headers and payload of one message. JSON that stands in it as base64 is shown as JSON."""
    said = message.headers.items()
    headers = {
        name: str(value.value if isinstance(value, eventstream.Int) else value) for name, value in said
    }
    names = (":event-type", ":exception-type", ":error-code")
    name = next((headers[key] for key in names if key in headers), None)
    text = message.payload.decode("utf-8", "replace")
    opened = []
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        payload = None
    for key, value in payload.items() if isinstance(payload, dict) else ():
        inner = _json_in_base64(value)
        if inner is not None:
            text = text.replace(json.dumps(value), inner)
            opened.append(key)
    return {"name": name, "headers": headers, "text": text, "opened": opened}


def _json_in_base64(value: Any) -> str | None:
    """The JSON object in `value`; None if it is anything else."""
    if not isinstance(value, str):
        return None
    try:
        text = base64.b64decode(value, validate=True).decode()
        return text if isinstance(json.loads(text), dict) else None
    except (binascii.Error, ValueError, RecursionError):
        return None


def _tell_event(message: sse.Message) -> dict[str, Any]:
    return {"name": message.event, "text": message.data}


def _tell_line(value: Any) -> dict[str, Any]:
    return {"name": None, "text": json.dumps(value, ensure_ascii=False)}


_READERS: dict[str, tuple[Any, Any]] = {
    "application/vnd.amazon.eventstream": (eventstream.Decoder, _tell_message),
    "text/event-stream": (sse.Decoder, _tell_event),
    "application/x-ndjson": (ndjson.Decoder, _tell_line),
}
