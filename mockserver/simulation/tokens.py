"""How many tokens a text, an image, a prompt is. One count for usage, caps, limits and quotas.

An estimate, not a vocabulary: a piece is a word with the space before it (long words in parts),
a digit, a few marks, or white space. English prose comes out some percent below what a model's
own tokenizer says.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

from conformance.values import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Turn

from .vision import UnreadableMedia, measure

__all__ = ["count", "count_call", "count_media", "count_text", "split"]

# No piece looks beyond its own end, so the first pieces of a text are the pieces of its beginning:
# an answer cut at a token counts exactly as many.
PIECE = re.compile(
    r" ?[^\W\d_぀-ヿ㐀-鿿가-힯]{1,12}"
    r"|[぀-ヿ㐀-鿿가-힯]"
    r"|\d"
    r"| ?(?:[^\w\s]|_){1,4}"
    r"|\s{1,16}"
)

PER_MESSAGE = 3
"""Tokens that part one message from the next: an estimate."""

PATCH, LONGEST_SIDE = 16, 1024
"""An image is scaled to fit 1024 pixels, then each 16 x 16 square is a token: an estimate."""

UNSEEN = 256
"""Tokens of an image or a sound that is only named by its address, or that cannot be read: an estimate."""

BYTES_PER_TOKEN = 256
"""Of a document that is no plain text, and of a sound that nothing decodes here: an estimate."""

HEARD_PER_SECOND = 10
"""Tokens of a second of a recording, whatever its format: an estimate; OpenAI was recorded to count 4 for 0.4 seconds."""

SHORT, LONG = 1_000, 50_000
"""Characters of texts whose counts are remembered: clients say all that was said before again with each request."""


def split(text: str) -> list[str]:
    """The tokens of a text; joined they are the text again."""
    return PIECE.findall(text)


def count_text(text: str) -> int:
    """The number of tokens of a text."""
    size = len(text)
    return _of_short(text) if size <= SHORT else _of_long(text) if size <= LONG else _counted(text)


def _counted(text: str) -> int:
    return len(PIECE.findall(text))


_of_short, _of_long = lru_cache(8192)(_counted), lru_cache(256)(_counted)


def count(turn: Turn) -> int:
    """The number of tokens of a prompt: messages with their media, tools, and the form of the answer."""
    total = sum(map(_message, turn.messages))
    for tool in turn.tools:
        total += PER_MESSAGE + count_text(f"{tool.name} {tool.description} {_json(tool.schema)}")
    if turn.output is not None and turn.output.schema is not None:
        total += count_text(_json(turn.output.schema))
    return total


def _message(message: Message) -> int:
    return PER_MESSAGE + sum(map(_part, message.parts))


def _part(part: Part) -> int:
    if type(part) is Text:
        # Nearly every part is one.
        return count_text(part.text)
    match part:
        case Text(text) | Reasoning(text) | Refusal(text):
            return count_text(text)
        case ToolCall(_, name, arguments):
            return count_call(name, arguments)
        case ToolResult(_, parts):
            return sum(_part(inner) for inner in parts)
        case Media():
            return count_media(part)


def count_call(name: str, arguments: Any) -> int:
    """The number of tokens of a tool call."""
    return count_text(name) + count_text(_json(arguments))


def count_media(media: Media) -> int:
    """The number of tokens of an image, a document or a recording."""
    if media.data is None:
        return UNSEEN
    if media.kind == "image":
        return _image(media.data)
    if media.kind == "audio":
        return _recording(media.data)
    try:
        return count_text(media.data.decode())
    except UnicodeDecodeError:
        return 1 + len(media.data) // BYTES_PER_TOKEN


def _image(data: bytes) -> int:
    try:
        picture = measure(data)
    except UnreadableMedia:
        return UNSEEN
    shrink = max(1.0, max(picture.width, picture.height) / LONGEST_SIDE)
    columns, rows = (-(-int(side / shrink) // PATCH) or 1 for side in (picture.width, picture.height))
    return columns * rows


def _recording(data: bytes) -> int:
    from .hearing import hear

    try:
        seconds = hear(data).seconds
    except UnreadableMedia:
        return UNSEEN
    if seconds is None:
        return 1 + len(data) // BYTES_PER_TOKEN
    return max(1, math.ceil(round(seconds * HEARD_PER_SECOND, 3)))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
