"""What one request may hold: blocks of a kind, their bytes and their sides, as the contract says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from conformance.values import Media, Message, Text, ToolResult, Turn
from mockserver.simulation.vision import UnreadableMedia, measure


def beyond(
    turn: Turn, limits: Mapping[str, Mapping[str, Any]], model: str
) -> tuple[str, dict[str, Any]] | None:
    """The condition and its details of the first block that is too many, too large or in the wrong place."""
    counts: Counter[str] = Counter()
    for message in turn.messages:
        for media, loose in _blocks(message):
            limit = limits.get(media.kind)
            if limit is None:
                continue
            counts[media.kind] += 1
            found = _beyond(media, message, limit, counts[media.kind], model, loose)
            if found is not None:
                return found[0], {"modality": media.kind, "model": model, **found[1]}
    return None


def _blocks(message: Message) -> list[tuple[Media, bool]]:
    """The media of a message, and whether each stands outside a tool's result."""
    found = []
    for part in message.parts:
        if isinstance(part, Media):
            found.append((part, True))
        elif isinstance(part, ToolResult):
            found += [(inner, False) for inner in part.parts if isinstance(inner, Media)]
    return found


def _beyond(
    media: Media, message: Message, limit: Mapping[str, Any], number: int, model: str, loose: bool
) -> tuple[str, dict[str, Any]] | None:
    unknown = _unknown_format(media, limit)
    if unknown is not None:
        return "media-unsupported", _said(", ".join(limit["formats"]), unknown)
    if media.url is not None:
        host = urlsplit(media.url).hostname or ""
        if "unreachable" in limit and re.search(limit["unreachable"], host):
            return "media-unreachable", {"got": media.url}
        for beginning, models in limit.get("addresses", {}).items():
            if media.url.startswith(beginning) and not re.search(models, model):
                return "address-not-offered", {"got": media.url}
        return None
    if number > limit.get("count", number):
        return "media-limit", _said(f"at most {limit['count']} {media.kind} blocks", f"{number} and more")
    size = len(media.data or b"")
    if size > limit.get("bytes", size):
        return "media-limit", _said(f"at most {limit['bytes']} bytes", f"{size} bytes")
    if loose and message.role not in limit.get("roles", [message.role]):
        return "media-limit", _said(
            f"{media.kind} in a message of {' or '.join(limit['roles'])}", message.role
        )
    if loose and limit.get("with_text") and not any(isinstance(part, Text) for part in message.parts):
        return "media-limit", _said("a text block beside it", "none")
    if media.kind == "image" and media.data:
        return _image(media, limit)
    return None


def _unknown_format(media: Media, limit: Mapping[str, Any]) -> str | None:
    """The format, where it is none of those that are taken; that of a name or an address is its ending."""
    if "formats" not in limit:
        return None
    _, dot, ending = (media.name or urlsplit(media.url or "").path).rpartition(".")
    found = media.format or (ending.lower() if dot else None)
    return found if found is not None and found not in limit["formats"] else None


def _image(media: Media, limit: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    try:
        picture = measure(media.data or b"")
    except UnreadableMedia:
        # Whoever opens it tells what is wrong with it.
        return None
    if max(picture.width, picture.height) > limit.get("pixels", max(picture.width, picture.height)):
        pixels = f"{picture.width} x {picture.height} pixels"
        return "media-limit", _said(f"at most {limit['pixels']} x {limit['pixels']} pixels", pixels)
    if media.format is not None and media.format != picture.format and not limit.get("sniffed"):
        return "media-format", _said(media.format, picture.format)
    return None


def _said(expected: str, got: str) -> dict[str, Any]:
    return {"expected": expected, "got": got}
