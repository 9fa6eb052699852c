"""What the simulated model sees in an image: its format, its size, and the text drawn in it.

PNG, JPEG, GIF and WebP are really decoded, by Pillow, which is imported with the first image. Text
is read in the glyphs of `conformance.probes.picture`: any whole scale, any place, any two colours, several
lines. Of an animation the first frame is seen.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from conformance.probes.picture import FONT, GLYPH_HEIGHT, GLYPH_WIDTH

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Picture", "UnreadableMedia", "look", "measure"]

LARGEST = 1 << 25
"""Pixels up to which a picture is decoded; a few bytes can be made to unpack to far more."""
SAMPLE = 1024
"""Pixels a side of what is looked at to find the paper of a larger picture."""
INK = 255

GLYPHS = {rows: glyph for glyph, rows in FONT.items()} | {(0,) * GLYPH_HEIGHT: " "}

Color = tuple[int, int, int]


class UnreadableMedia(ValueError):
    """The bytes are no image, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: `format` by its bytes, not by its label; sides in pixels; `text` None if none is found."""

    format: str
    width: int
    height: int
    text: str | None = None


@lru_cache(16)
def look(data: bytes) -> Picture:
    """The image and the text drawn in it. Raises UnreadableMedia for what is no whole image."""
    picture = measure(data)
    if picture.format == "png":
        _check_png(data)
    if picture.width * picture.height > LARGEST:
        return picture
    return replace(picture, text=_read(_decoded(data, picture)))


def _decoded(data: bytes, picture: Picture) -> Image:
    """The first frame as RGB; what is transparent lies on white."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[picture.format.upper()]) as image:
            image.load()
            if image.mode.startswith("I"):
                # Sixteen bits a sample; a plain conversion would clip them.
                return image.convert("I").point(lambda shade: shade / 256).convert("L").convert("RGB")
            whole = image.convert("RGBA")
    except Exception as error:
        # Decoders raise whatever they stumble over; the bytes come from outside.
        raise UnreadableMedia(f"{picture.format}: its pixels do not unpack: {error}") from error
    paper = Image.new("RGBA", whole.size, "white")
    paper.alpha_composite(whole)
    return paper.convert("RGB")


def measure(data: bytes) -> Picture:
    """Format and size from the first bytes. Raises UnreadableMedia for what is no image."""
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
            width, height = struct.unpack_from(">II", data, 16)
            found = Picture("png", width, height)
        elif data[:6] in (b"GIF87a", b"GIF89a"):
            width, height = struct.unpack_from("<HH", data, 6)
            found = Picture("gif", width, height)
        elif data.startswith(b"\xff\xd8\xff"):
            found = Picture("jpeg", *_jpeg_size(data))
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            found = Picture("webp", *_webp_size(data))
        else:
            raise UnreadableMedia(f"image: expected png, jpeg, gif or webp, got bytes {data[:8].hex(' ')!r}")
    except (struct.error, IndexError) as error:
        raise UnreadableMedia(f"image: its header is cut off after {len(data)} bytes") from error
    if not found.width or not found.height:
        raise UnreadableMedia(f"image: expected sides of 1 pixel or more, got {found.width} x {found.height}")
    return found


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        mark, length = struct.unpack_from(">HH", data, at)
        if 0xFFC0 <= mark <= 0xFFCF and mark not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if mark < 0xFF00:
            raise UnreadableMedia(f"jpeg: expected a marker at byte {at}, got {mark:04x}")
        at += 2 + length


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        struct.unpack_from("6s", data, 24)
        return width, height
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise UnreadableMedia(f"webp: expected a chunk VP8, VP8L or VP8X, got {kind!r}")


def _check_png(data: bytes) -> None:
    """Raises UnreadableMedia for a PNG with a wrong checksum or without its end."""
    at = 8
    while at < len(data):
        if at + 12 > len(data):
            raise UnreadableMedia(f"png: a chunk is cut off at byte {at}")
        (length,) = struct.unpack_from(">I", data, at)
        name, body, check = data[at + 4 : at + 8], data[at + 8 : at + 8 + length], data[at + 8 + length :][:4]
        wanted = struct.pack(">I", zlib.crc32(name + body))
        if check != wanted:
            raise UnreadableMedia(
                f"png: checksum of {name!r} at byte {at}: expected {wanted.hex()}, got {check.hex()}"
            )
        if name == b"IEND":
            return
        at += 12 + length
    raise UnreadableMedia("png: expected an IEND chunk at the end, got none")


def _read(image: Image) -> str | None:
    """The lines of text, joined by line feeds; None where no line is text."""
    from PIL import Image, ImageChops

    side = max(image.size)
    sample = image if side <= SAMPLE else image.resize((SAMPLE, SAMPLE), Image.Resampling.NEAREST)
    shades = sample.getcolors(sample.width * sample.height) or []
    paper = max(shades, key=lambda each: each[0])[1]
    apart = ImageChops.difference(image, Image.new("RGB", image.size, cast(Color, paper)))
    red, green, blue = apart.split()
    far = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    furthest = cast(tuple[int, int], far.getextrema())[1]
    if not furthest:
        return None
    ink = far.point([INK if shade * 2 > furthest else 0 for shade in range(256)]).tobytes()
    rows = [ink[start : start + image.width] for start in range(0, len(ink), image.width)]
    lines = [text for band in _bands(rows) if (text := _line(band))]
    return "\n".join(lines) or None


def _bands(rows: list[bytes]) -> Iterator[list[bytes]]:
    """Rows with ink that follow each other: every glyph has ink in each of its rows."""
    band: list[bytes] = []
    for row in rows:
        if INK in row:
            band.append(row)
            continue
        if band:
            yield band
        band = []
    if band:
        yield band


def _line(band: list[bytes]) -> str | None:
    scale, rest = divmod(len(band), GLYPH_HEIGHT)
    if rest or not scale:
        return None
    left = min(row.index(INK) for row in band)
    right = max(row.rindex(INK) + 1 for row in band)
    lines = [band[line * scale + scale // 2] for line in range(GLYPH_HEIGHT)]
    # A glyph may be narrower than its cell, so that the line begins left of its first ink.
    for empty in range(GLYPH_WIDTH - 1):
        start = left - empty * scale + scale // 2
        cells = range(start, right, (GLYPH_WIDTH + 1) * scale)
        glyphs = [GLYPHS.get(_cell(lines, at, scale)) for at in cells]
        if None not in glyphs:
            return "".join(glyph for glyph in glyphs if glyph).strip()
    return None


def _cell(lines: list[bytes], at: int, scale: int) -> tuple[int, ...]:
    """Seven rows of bits, as in FONT; ink in the gap after the glyph makes a row that fits none."""
    rows = []
    for line in lines:
        bits = 0
        for column in range(GLYPH_WIDTH + 1):
            x = at + column * scale
            bits = bits << 1 | (0 <= x < len(line) and line[x] == INK)
        rows.append(bits >> 1 if not bits & 1 else -1)
    return tuple(rows)
