"""A picture with a code drawn in it: an image whose content only a model that sees can tell.

Gray, dark on light. Glyphs are 5 x 7 cells with one empty column between them, each cell
`scale` x `scale` pixels, and a margin of three cells around the whole. The PNG is written here;
Pillow, imported when it is needed, writes the other formats.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from functools import lru_cache

__all__ = ["FONT", "FORMATS", "GLYPH_HEIGHT", "GLYPH_WIDTH", "draw"]

GLYPH_WIDTH = 5
GLYPH_HEIGHT = 7
MARGIN = 3
INK, PAPER = 0, 255
FORMATS: Mapping[str, Mapping[str, object]] = {
    "png": {},
    "jpeg": {"quality": 90},
    "gif": {},
    "webp": {"quality": 90},
}
"""What pictures can be drawn as, and how they are packed: as clients do by default, with losses where the
format has them."""

FONT: dict[str, tuple[int, ...]] = {
    glyph: tuple(bytes.fromhex(rows))
    for glyph, rows in {
        "0": "0E 11 13 15 19 11 0E",
        "1": "04 0C 04 04 04 04 0E",
        "2": "0E 11 01 02 04 08 1F",
        "3": "1F 02 04 02 01 11 0E",
        "4": "02 06 0A 12 1F 02 02",
        "5": "1F 10 1E 01 01 11 0E",
        "6": "06 08 10 1E 11 11 0E",
        "7": "1F 01 02 04 08 08 08",
        "8": "0E 11 11 0E 11 11 0E",
        "9": "0E 11 11 0F 01 02 0C",
        "A": "0E 11 11 11 1F 11 11",
        "B": "1E 11 11 1E 11 11 1E",
        "C": "0E 11 10 10 10 11 0E",
        "D": "1C 12 11 11 11 12 1C",
        "E": "1F 10 10 1E 10 10 1F",
        "F": "1F 10 10 1E 10 10 10",
        "G": "0E 11 10 17 11 11 0F",
        "H": "11 11 11 1F 11 11 11",
        "I": "0E 04 04 04 04 04 0E",
        "J": "07 02 02 02 02 12 0C",
        "K": "11 12 14 18 14 12 11",
        "L": "10 10 10 10 10 10 1F",
        "M": "11 1B 15 15 11 11 11",
        "N": "11 11 19 15 13 11 11",
        "O": "0E 11 11 11 11 11 0E",
        "P": "1E 11 11 1E 10 10 10",
        "Q": "0E 11 11 11 15 12 0D",
        "R": "1E 11 11 1E 14 12 11",
        "S": "0F 10 10 0E 01 01 1E",
        "T": "1F 04 04 04 04 04 04",
        "U": "11 11 11 11 11 11 0E",
        "V": "11 11 11 11 11 0A 04",
        "W": "11 11 11 15 15 15 0A",
        "X": "11 11 0A 04 0A 11 11",
        "Y": "11 11 11 0A 04 04 04",
        "Z": "1F 01 02 04 08 10 1F",
    }.items()
}
"""Seven rows a glyph, top to bottom; bit 4 is the leftmost column. No row of a glyph is empty."""


@lru_cache(64)
def draw(code: str, scale: int = 4, form: str = "png") -> bytes:
    """The bytes of a picture that shows `code`; `scale` is the side of a cell in pixels, `form` one of FORMATS.

    Raises ValueError for an empty code, a character the font lacks, a scale below one, or another form.
    """
    unknown = sorted(set(code) - set(FONT))
    if unknown or not code:
        raise ValueError(f"code to draw: expected digits and upper-case letters, got {code!r}")
    if scale < 1:
        raise ValueError(f"scale of the picture: expected 1 or more pixels a cell, got {scale}")
    if form not in FORMATS:
        raise ValueError(f"format of the picture: expected one of {', '.join(FORMATS)}, got {form!r}")
    cells = len(code) * (GLYPH_WIDTH + 1) - 1 + 2 * MARGIN
    rows = [_row("", cells, scale)] * MARGIN
    for line in range(GLYPH_HEIGHT):
        drawn = "0".join(f"{FONT[glyph][line]:0{GLYPH_WIDTH}b}" for glyph in code)
        rows.append(_row("0" * MARGIN + drawn, cells, scale))
    rows += [_row("", cells, scale)] * MARGIN
    width, height = cells * scale, len(rows) * scale
    if form == "png":
        return _png(width, height, b"".join((b"\0" + row) * scale for row in rows))
    from PIL import Image

    out = io.BytesIO()
    pixels = b"".join(row * scale for row in rows)
    Image.frombytes("L", (width, height), pixels).save(out, form.upper(), **FORMATS[form])
    return out.getvalue()


def _png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(pixels, 9))
        + _chunk(b"IEND", b"")
    )


def _row(cells: str, width: int, scale: int) -> bytes:
    return b"".join(bytes([INK if cell == "1" else PAPER]) * scale for cell in cells.ljust(width, "0"))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
