"""The picture that the suite draws, and the simulated model's eye; Pillow reads and writes between them."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from conformance.probes.picture import FONT, FORMATS, GLYPH_HEIGHT, GLYPH_WIDTH, draw
from mockserver.simulation.vision import Picture, UnreadableMedia, look, measure

CODES = st.text(alphabet=st.sampled_from(sorted(FONT)), min_size=1, max_size=8)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def filtered(image: Image.Image, kind: int) -> bytes:
    """The picture as a PNG whose rows all have one filter, as the PNG specification defines them."""
    channels, raw = len(image.getbands()), image.tobytes()
    stride = image.width * channels
    above, rows = bytes(stride), []
    for start in range(0, len(raw), stride):
        row = raw[start : start + stride]
        done = bytearray()
        for i, value in enumerate(row):
            left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
            up = above[i]
            near = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
            done.append((value - (0, left, up, (left + up) // 2, near)[kind]) % 256)
        rows.append(bytes([kind]) + bytes(done))
        above = row
    kinds = {"L": 0, "RGB": 2, "RGBA": 6}
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, kinds[image.mode], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    )


def test_every_glyph_is_different_and_has_ink_in_each_row() -> None:
    assert len(set(FONT.values())) == len(FONT) == 36
    for rows in FONT.values():
        assert len(rows) == GLYPH_HEIGHT
        assert all(0 < row < 1 << GLYPH_WIDTH for row in rows)


def test_pillow_opens_the_picture_and_finds_dark_on_light() -> None:
    image = opened(draw("7K9", scale=4))
    assert (image.format, image.mode, image.size) == ("PNG", "L", ((3 * 6 - 1 + 6) * 4, 13 * 4))
    colors = {shade: number for number, shade in image.getcolors()}
    ink = sum(row.bit_count() for glyph in "7K9" for row in FONT[glyph])
    assert colors == {0: ink * 16, 255: image.width * image.height - ink * 16}


@settings(max_examples=50)
@given(CODES, st.integers(1, 9))
def test_what_is_drawn_is_read(code: str, scale: int) -> None:
    assert look(draw(code, scale)).text == code


def test_the_same_code_gives_the_same_bytes() -> None:
    assert draw("7K9Q") == draw("7K9Q") != draw("7K9R")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_the_code_is_read_after_pillow_has_written_it_anew(mode: str) -> None:
    image = opened(draw("BQ8D0O1I"))
    image = (
        image.point(lambda shade: shade * 257, "I").convert("I;16") if mode == "I;16" else image.convert(mode)
    )
    assert opened(saved(image)).mode == mode
    assert look(saved(image)).text == "BQ8D0O1I"


@pytest.mark.parametrize("kind", range(5), ids=["none", "sub", "up", "average", "paeth"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_code_is_read_through_every_row_filter(kind: int, mode: str) -> None:
    image = opened(draw("4J7Z", 3)).convert(mode)
    data = filtered(image, kind)
    assert opened(data).tobytes() == image.tobytes()
    assert look(data).text == "4J7Z"


def test_light_on_dark_is_read() -> None:
    assert look(saved(ImageOps.invert(opened(draw("H3LL0"))))).text == "H3LL0"


@pytest.mark.parametrize(("ink", "paper"), [("red", "white"), ("yellow", "navy"), ("#707070", "#909090")])
def test_any_two_colors_are_read(ink: str, paper: str) -> None:
    assert look(saved(ImageOps.colorize(opened(draw("C0DE")), ink, paper))).text == "C0DE"


def test_a_full_palette_is_read() -> None:
    image = opened(draw("42")).point(lambda shade: 17 if shade else 200).convert("P")
    image.putpalette([shade for place in range(256) for shade in (place, 255 - place, 128)])
    assert opened(saved(image)).getpalette() == image.getpalette()
    assert look(saved(image)).text == "42"


def test_transparent_paper_is_read_as_white() -> None:
    code = opened(draw("T1"))
    image = Image.new("RGBA", code.size, (0, 0, 0, 0))
    image.putalpha(ImageOps.invert(code))
    assert look(saved(image)).text == "T1"


@settings(max_examples=25)
@given(CODES, st.integers(1, 4), st.integers(0, 60), st.integers(0, 60))
def test_the_code_is_read_wherever_it_stands(code: str, scale: int, x: int, y: int) -> None:
    drawn = opened(draw(code, scale))
    image = Image.new("L", (drawn.width + 60, drawn.height + 60), 255)
    image.paste(drawn, (x, y))
    assert look(saved(image)).text == code


def test_two_codes_one_below_the_other_are_two_lines() -> None:
    first, second = opened(draw("ONE", 3)), opened(draw("2TWO", 5))
    image = Image.new("L", (second.width, first.height + second.height), 255)
    image.paste(first, (0, 0))
    image.paste(second, (0, first.height))
    assert look(saved(image)).text == "ONE\n2TWO"


def test_a_shape_below_the_code_is_no_text() -> None:
    image = Image.new("L", (200, 200), 255)
    image.paste(opened(draw("A1", 3)), (0, 0))
    ImageDraw.Draw(image).ellipse((20, 80, 150, 190), fill=0)
    assert look(saved(image)).text == "A1"


def test_ink_between_two_glyphs_makes_them_no_text() -> None:
    image = opened(draw("IF", 2))
    assert look(saved(image)).text == "IF"
    ImageDraw.Draw(image).rectangle((16, 6, 17, 19), fill=0)
    assert look(saved(image)).text is None


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (64, 64), 255),
        Image.linear_gradient("L"),
        Image.effect_mandelbrot((90, 80), (-2, -1.5, 1, 1.5), 40),
    ],
    ids=["blank", "gradient", "mandelbrot"],
)
def test_a_picture_without_text_has_none(image: Image.Image) -> None:
    assert look(saved(image)) == Picture("png", image.width, image.height, None)


@pytest.mark.parametrize("form", ["JPEG", "GIF", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (37, 21), (300, 1000)], ids=str)
def test_of_other_formats_pillow_and_we_know_the_same_size(form: str, size: tuple[int, int]) -> None:
    data = saved(Image.new("RGB", size, "teal"), form)
    assert look(data) == Picture(form.lower(), *opened(data).size)


@pytest.mark.parametrize("options", [{"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}], ids=str)
def test_every_kind_of_webp_has_its_size(options: dict[str, object]) -> None:
    assert measure(saved(Image.new("RGB", (37, 21), "teal"), "WEBP", **options)) == Picture("webp", 37, 21)


def test_a_progressive_jpeg_with_a_preview_has_its_own_size() -> None:
    image = Image.effect_noise((50, 60), 80)
    data = saved(image, "JPEG", progressive=True, exif=b"Exif\0\0" + saved(Image.new("L", (5, 5)), "JPEG"))
    assert measure(data) == Picture("jpeg", 50, 60)


def interlaced(image: Image.Image) -> bytes:
    """The picture as a PNG in the seven passes of Adam7, which Pillow reads and does not write."""
    passes = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    pixels, packed = image.load(), b""
    for left, top, across, down in passes:
        for y in range(top, image.height, down):
            row = bytes(pixels[x, y] for x in range(left, image.width, across))
            packed += b"\0" + row if row else b""
    head = struct.pack(">IIBBBBB", image.width, image.height, 8, 0, 0, 0, 1)
    return chunks((b"IHDR", head), (b"IDAT", zlib.compress(packed)), END)


@pytest.mark.parametrize(("code", "scale"), [("K7Q2", 1), ("K7Q2", 4), ("8B0O", 9)])
def test_an_interlaced_png_is_read(code: str, scale: int) -> None:
    image = opened(draw(code, scale))
    assert opened(interlaced(image)).tobytes() == image.tobytes()
    assert look(interlaced(image)).text == code


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("scale", [1, 2, 4, 7, 40])
def test_what_is_drawn_in_any_format_is_read(form: str, scale: int) -> None:
    data = draw("K7Q2BO80", scale, form)
    assert opened(data).format == form.upper()
    assert look(data).text == "K7Q2BO80"


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("JPEG", {"quality": 75}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("WEBP", {"quality": 75}),
        ("WEBP", {"lossless": True}),
        ("GIF", {"interlace": 1}),
        ("GIF", {"interlace": 0, "transparency": 255}),
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_code_is_read_as_other_programs_pack_it(form: str, options: dict[str, object], mode: str) -> None:
    assert look(saved(opened(draw("C0DE7", 5)).convert(mode), form, **options)).text == "C0DE7"


def test_of_an_animation_the_first_frame_is_seen() -> None:
    first, second = (opened(draw(code)) for code in ("ONE1", "TWO2"))
    assert look(saved(first, "GIF", save_all=True, append_images=[second])).text == "ONE1"


def test_a_very_large_picture_is_known_by_its_size_alone() -> None:
    assert look(saved(Image.new("1", (8192, 4096), 1))).text is None
    assert look(saved(Image.new("1", (8192, 4097), 1))) == Picture("png", 8192, 4097)


@pytest.mark.parametrize("form", ["jpeg", "gif", "webp"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_other_formats_cut_short_are_refused(form: str, part: float) -> None:
    whole = draw("7K9", 4, form)
    with pytest.raises(UnreadableMedia):
        look(whole[: int(len(whole) * part)])


WHOLE = draw("7K9")


@pytest.mark.parametrize("end", [0, 4, 8, 12, 20, 30, 40, len(WHOLE) // 2, len(WHOLE) - 13, len(WHOLE) - 1])
def test_a_picture_cut_short_is_refused(end: int) -> None:
    with pytest.raises(UnreadableMedia):
        look(WHOLE[:end])


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_a_picture_with_one_bit_flipped_is_refused(place: int, bit: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= 1 << bit
    with pytest.raises(UnreadableMedia):
        look(bytes(data))


@given(st.binary())
def test_bytes_are_an_image_or_refused_and_nothing_else(data: bytes) -> None:
    for start in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", b"RIFF    WEBPVP8X", WHOLE[:33]):
        try:
            assert isinstance(look(start + data), Picture)
        except UnreadableMedia as error:
            assert str(error)


def chunks(*named: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in named
    )


def header(width: int, height: int, depth: int, kind: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)


END = (b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"%PDF-1.7", "expected png, jpeg, gif or webp"),
        (chunks(header(0, 5, 8, 0), END), "1 pixel or more"),
        (chunks(header(2, 2, 8, 0), (b"IDAT", b"no zlib"), END), "do not unpack"),
        (chunks(header(2, 1, 8, 0), (b"IDAT", zlib.compress(b"\5\0\0")), END), "do not unpack"),
        (chunks(header(2, 1, 8, 5), END), "do not unpack"),
        (chunks(header(2, 1, 8, 0), (b"IDAT", zlib.compress(b"\0\0\1"))), "IEND"),
        (b"\xff\xd8\xff\xe0\x00\x04ab\x00\x00\x00\x00", "marker"),
        (b"RIFF\0\0\0\0WEBPABCD", "VP8"),
    ],
)
def test_a_refusal_says_what_is_wrong(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableMedia, match=said):
        look(data)


@pytest.mark.parametrize(("code", "scale"), [("", 4), ("a", 4), ("7-8", 4), ("7", 0), ("7", -1)])
def test_what_cannot_be_drawn_is_refused(code: str, scale: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        draw(code, scale)
