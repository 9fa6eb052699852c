"""What the simulated model reads in a document: plain text, Markdown, CSV, HTML, and simple PDF.

Of a PDF only text shown as literal or hexadecimal strings in one-byte encodings is read, from streams
that are plain or deflated: what most programs write for Latin letters, but not embedded subsets of fonts.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser

from .words import listed

__all__ = ["words"]

LARGEST = 1 << 23
"""Bytes that a stream of a PDF may unpack to."""
BLOCKS = listed("address article br div dd dt h1 h2 h3 h4 h5 h6 hr li p section table td th title tr")

STREAM = re.compile(rb"<<(?P<head>[^\0]{0,2000}?)>>\s*stream\r?\n(?P<data>.*?)\r?\nendstream", re.S)
SHOWN = re.compile(
    rb"\((?P<literal>(?:\\.|[^\\()])*)\)|<(?P<hex>[0-9A-Fa-f\s]+)>|(?P<line>\bT\*|'|\bTd\b|\bTD\b|\bET\b)",
    re.S,
)
ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.S)
ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def words(data: bytes, form: str | None = None) -> str:
    """The words of a document; empty if it is of no kind that can be read here.

    `form` is what the caller calls it (csv, html, text/html, notes.csv); the bytes count where they tell.
    """
    if data.startswith(b"%PDF"):
        return "\n".join(_pdf(data))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""
    if re.match(r"\s*(?:<!doctype html|<html)\b", text, re.I):
        return _html(text)
    if form is not None and re.search(r"\bcsv\b", form):
        return "\n".join(_rows(text))
    return text


def _rows(text: str) -> Iterator[str]:
    """A row of two cells as `first: second`, a longer one with commas."""
    for row in csv.reader(text.splitlines()):
        cells = [cell.strip() for cell in row]
        yield f"{cells[0]}: {cells[1]}" if len(cells) == 2 else ", ".join(cells)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in ("script", "style")
        if tag in BLOCKS:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in ("script", "style")
        if tag in BLOCKS:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if self._unseen <= 0:
            self.said.append(data)


def _html(text: str) -> str:
    page = _Page()
    page.feed(text)
    page.close()
    lines = (" ".join(line.split()) for line in "".join(page.said).split("\n"))
    return "\n".join(line for line in lines if line)


def _pdf(data: bytes) -> Iterator[str]:
    """The lines that its streams show."""
    for stream in STREAM.finditer(data):
        shown = stream["data"]
        if b"/FlateDecode" in stream["head"]:
            try:
                shown = zlib.decompressobj().decompress(shown, LARGEST)
            except zlib.error:
                continue
        if not re.search(rb"\bBT\b", shown):
            continue
        line = ""
        for found in SHOWN.finditer(shown):
            if found["line"]:
                if line.strip():
                    yield line.strip()
                line = ""
            elif found["literal"] is not None:
                line += ESCAPE.sub(_unescaped, found["literal"]).decode("cp1252", "replace")
            else:
                digits = re.sub(rb"\s", b"", found["hex"]).decode()
                line += bytes.fromhex(digits + "0" * (len(digits) % 2)).decode("cp1252", "replace")
        if line.strip():
            yield line.strip()


def _unescaped(found: re.Match[bytes]) -> bytes:
    said = found[1]
    if said.isdigit():
        return bytes([int(said, 8) & 255])
    return b"" if said.endswith(b"\n") else ESCAPED.get(said, said)
