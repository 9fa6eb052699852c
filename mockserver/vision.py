"""What the simulated model sees in an image: its format, its size, and the text drawn in it.

Text is read from PNG without interlacing, in the glyphs of `conformance.picture`: any whole scale,
any place, any two colours, several lines. Of other images only format and size are known.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from conformance.picture import FONT, GLYPH_HEIGHT, GLYPH_WIDTH

__all__ = ["Picture", "UnreadableMedia", "look", "measure"]

LARGEST = 1 << 19
"""Pixels up to which a picture is decoded; unpacking a larger one in Python would take seconds."""

GLYPHS = {rows: glyph for glyph, rows in FONT.items()} | {(0,) * GLYPH_HEIGHT: " "}

Color = tuple[int, ...]


class UnreadableMedia(ValueError):
    """The bytes are no image, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: `format` by its bytes, not by its label; sides in pixels; `text` None if none is found."""

    format: str
    width: int
    height: int
    text: str | None = None


def look(data: bytes) -> Picture:
    """The image and the text drawn in it. Raises UnreadableMedia for what is no whole image."""
    picture = measure(data)
    if picture.format != "png":
        return picture
    header, packed, palette, transparency = _png_chunks(data)
    depth, kind, interlaced = header
    if interlaced or picture.width * picture.height > LARGEST:
        return picture
    rows = _png_rows(picture, depth, kind, packed)
    colors = [_colors(row, kind, palette, transparency) for row in rows]
    return Picture("png", picture.width, picture.height, _read(colors))


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


def _png_chunks(data: bytes) -> tuple[tuple[int, int, bool], bytes, bytes, bytes]:
    """((bit depth, color type, interlaced), packed pixels, palette, transparency), checksums held."""
    packed, palette, transparency, ended = [], b"", b"", False
    at = 8
    while at < len(data) and not ended:
        if at + 12 > len(data):
            raise UnreadableMedia(f"png: a chunk is cut off at byte {at}")
        (length,) = struct.unpack_from(">I", data, at)
        name, body, check = data[at + 4 : at + 8], data[at + 8 : at + 8 + length], data[at + 8 + length :][:4]
        wanted = struct.pack(">I", zlib.crc32(name + body))
        if check != wanted:
            raise UnreadableMedia(
                f"png: checksum of {name!r} at byte {at}: expected {wanted.hex()}, got {check.hex()}"
            )
        if name == b"IDAT":
            packed.append(body)
        elif name == b"PLTE":
            palette = body
        elif name == b"tRNS":
            transparency = body
        ended = name == b"IEND"
        at += 12 + length
    if not ended:
        raise UnreadableMedia("png: expected an IEND chunk at the end, got none")
    depth, kind, _, _, interlace = struct.unpack_from(">BBBBB", data, 24)
    if kind not in CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise UnreadableMedia(f"png: no such color type and bit depth: {kind} and {depth}")
    if kind == 3 and not palette:
        raise UnreadableMedia("png: color type 3 needs a PLTE chunk, got none")
    return (depth, kind, bool(interlace)), b"".join(packed), palette, transparency


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel by PNG color type: gray, RGB, palette, gray with alpha, RGB with alpha."""


def _png_rows(picture: Picture, depth: int, kind: int, packed: bytes) -> Iterator[bytes]:
    """Row by row, one byte a sample."""
    channels = CHANNELS[kind]
    stride = (picture.width * channels * depth + 7) // 8
    step = max(1, channels * depth // 8)
    expected = (stride + 1) * picture.height
    unpack = zlib.decompressobj()
    try:
        raw = unpack.decompress(packed, expected + 1)
    except zlib.error as error:
        raise UnreadableMedia(f"png: its pixels do not unpack: {error}") from error
    if len(raw) < expected:
        raise UnreadableMedia(f"png: expected {expected} bytes of pixels, got {len(raw)}")
    above = bytearray(stride)
    for line in range(picture.height):
        start = line * (stride + 1)
        above = _unfilter(raw[start], bytearray(raw[start + 1 : start + 1 + stride]), above, step)
        yield _samples(above, depth, kind, picture.width * channels)


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> bytearray:
    if kind == 0:
        return row
    if kind == 1:
        for i in range(step, len(row)):
            row[i] = (row[i] + row[i - step]) & 255
    elif kind == 2:
        return bytearray([(value + up) & 255 for value, up in zip(row, above, strict=True)])
    elif kind == 3:
        for i, up in enumerate(above):
            left = row[i - step] if i >= step else 0
            row[i] = (row[i] + (left + up) // 2) & 255
    elif kind == 4:
        for i, up in enumerate(above):
            left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
            guess = left + up - corner
            by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
            near = left if by_left <= by_up and by_left <= by_corner else up if by_up <= by_corner else corner
            row[i] = (row[i] + near) & 255
    else:
        raise UnreadableMedia(f"png: expected a row filter from 0 to 4, got {kind}")
    return row


def _samples(row: bytearray, depth: int, kind: int, count: int) -> bytes:
    if depth == 8:
        return bytes(row)
    if depth == 16:
        return bytes(row[::2])
    # A palette's samples are places in it; the others are shades, stretched to a byte.
    stretch = 1 if kind == 3 else 255 // ((1 << depth) - 1)
    mask = (1 << depth) - 1
    samples = [(byte >> shift & mask) * stretch for byte in row for shift in range(8 - depth, -1, -depth)]
    return bytes(samples[:count])


def _colors(row: bytes, kind: int, palette: bytes, transparency: bytes) -> list[Color]:
    """One color a pixel; what is transparent lies on white."""
    if kind == 0:
        return [(value, value, value) for value in row]
    if kind == 2:
        return list(zip(row[::3], row[1::3], row[2::3], strict=True))
    if kind == 3:
        try:
            return [_palette_color(place, palette, transparency) for place in row]
        except IndexError as error:
            raise UnreadableMedia(f"png: palette of {len(palette) // 3} colors is too short") from error
    if kind == 4:
        return [_on_white((gray, gray, gray), alpha) for gray, alpha in zip(row[::2], row[1::2], strict=True)]
    pixels = zip(row[::4], row[1::4], row[2::4], row[3::4], strict=True)
    return [_on_white((red, green, blue), alpha) for red, green, blue, alpha in pixels]


def _palette_color(place: int, palette: bytes, transparency: bytes) -> Color:
    color = palette[place * 3], palette[place * 3 + 1], palette[place * 3 + 2]
    return _on_white(color, transparency[place] if place < len(transparency) else 255)


def _on_white(color: Color, alpha: int) -> Color:
    if alpha == 255:
        return color
    return tuple((value * alpha + 255 * (255 - alpha)) // 255 for value in color)


def _read(rows: list[list[Color]]) -> str | None:
    """The lines of text, joined by line feeds; None where no line is text."""
    counts: Counter[Color] = Counter()
    for row in rows:
        counts.update(row)
    paper = counts.most_common(1)[0][0]
    far = {color: sum(abs(a - b) for a, b in zip(color, paper, strict=True)) for color in counts}
    furthest = max(far.values())
    if not furthest:
        return None
    ink = {color for color, distance in far.items() if distance * 2 > furthest}
    lines = [text for band in _bands(rows, ink) if (text := _line(band))]
    return "\n".join(lines) or None


def _bands(rows: list[list[Color]], ink: set[Color]) -> Iterator[list[list[bool]]]:
    """Rows with ink that follow each other: every glyph has ink in each of its rows."""
    band: list[list[bool]] = []
    for row in rows:
        if ink.isdisjoint(row):
            if band:
                yield band
            band = []
        else:
            band.append([color in ink for color in row])
    if band:
        yield band


def _line(band: list[list[bool]]) -> str | None:
    scale, rest = divmod(len(band), GLYPH_HEIGHT)
    if rest or not scale:
        return None
    left = min(row.index(True) for row in band)
    right = max(len(row) - row[::-1].index(True) for row in band)
    lines = [band[line * scale + scale // 2] for line in range(GLYPH_HEIGHT)]
    # A glyph may be narrower than its cell, so that the line begins left of its first ink.
    for empty in range(GLYPH_WIDTH - 1):
        start = left - empty * scale + scale // 2
        cells = range(start, right, (GLYPH_WIDTH + 1) * scale)
        glyphs = [GLYPHS.get(_cell(lines, at, scale)) for at in cells]
        if None not in glyphs:
            return "".join(glyph for glyph in glyphs if glyph).strip()
    return None


def _cell(lines: list[list[bool]], at: int, scale: int) -> tuple[int, ...]:
    """Seven rows of bits, as in FONT; ink in the gap after the glyph makes a row that fits none."""
    rows = []
    for line in lines:
        bits = 0
        for column in range(GLYPH_WIDTH + 1):
            x = at + column * scale
            bits = bits << 1 | (0 <= x < len(line) and line[x])
        rows.append(bits >> 1 if not bits & 1 else -1)
    return tuple(rows)
