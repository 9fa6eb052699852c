"""The documents that the suite writes, and what the simulated model reads in them and in those of others."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ElementTree
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.probes.paper import FORMATS, write
from mockserver.simulation.reading import words


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_what_is_written_is_read(form: str) -> None:
    text = words(write("OSPREY4", form), form)
    assert re.search(r"gate code(?: is|:) \**OSPREY4\b", text)
    assert "<" not in text


def test_the_table_is_csv_and_the_page_is_well_formed() -> None:
    rows = list(csv.reader(write("OSPREY4", "csv").decode().splitlines()))
    assert ["gate code", "OSPREY4"] in rows and {len(row) for row in rows} == {2}
    page = ElementTree.fromstring(write("OSPREY4", "html").decode().removeprefix("<!doctype html>"))
    assert "The gate code is OSPREY4." in [each.text for each in page.iter("p")]


def test_the_table_of_a_pdf_says_where_its_objects_are() -> None:
    data = write("A(1)\\", "pdf")
    start = int(re.search(rb"startxref\n(\d+)", data)[1])  # type: ignore[index]
    assert data[start : start + 4] == b"xref"
    places = [int(each) for each in re.findall(rb"(\d{10}) 00000 n", data)]
    assert [data[at : at + 7] for at in places] == [b"%d 0 obj" % number for number in range(1, 6)]
    length = int(re.search(rb"/Length (\d+)", data)[1])  # type: ignore[index]
    stream = data[data.index(b"stream\n") + 7 : data.index(b"\nendstream")]
    assert len(stream) == length
    assert "The gate code is A(1)\\." in words(data)


def pdf(content: bytes, head: bytes = b"") -> bytes:
    return b"%%PDF-1.7\n1 0 obj\n<< %s/Length %d >>\nstream\n%s\nendstream\nendobj\n%%%%EOF" % (
        head,
        len(content),
        content,
    )


def test_a_deflated_pdf_is_read() -> None:
    page = b"BT /F1 12 Tf 72 720 Td (The code) Tj 0 -14 Td (is OWL9.) Tj ET"
    assert words(pdf(zlib.compress(page), b"/Filter /FlateDecode ")) == "The code\nis OWL9."


def test_pieces_of_a_line_and_hexadecimal_strings_are_read() -> None:
    assert words(pdf(b"BT [(The co) -20 (de is ) 5 <4f57 4C39>] TJ ET")) == "The code is OWL9"


def test_what_is_in_a_pdf_and_no_text_is_not_read() -> None:
    assert words(pdf(b"q 1 0 0 1 0 0 cm (no text) Q")) == ""
    assert words(pdf(b"no zlib", b"/Filter /FlateDecode ")) == ""


def test_scripts_and_styles_of_a_page_are_no_words() -> None:
    page = b"<html><style>p {color: red}</style><script>let code = 1</script><p>The <b>code</b> is OWL9.</p></html>"
    assert words(page) == "The code is OWL9."


def test_a_table_of_three_columns_is_read_row_by_row() -> None:
    assert words(b'a,b,c\n1,"2, two",3\n', "text/csv") == "a, b, c\n1, 2, two, 3"


def test_bytes_that_are_no_text_have_no_words() -> None:
    assert words(b"PK\x03\x04\xff\xfe", "docx") == ""


@given(st.binary())
def test_any_bytes_are_read_without_a_fault(data: bytes) -> None:
    for start in (b"", b"%PDF-1.4\n", b"<html>"):
        assert isinstance(words(start + data, "csv"), str)


def test_a_format_that_is_not_written_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of txt, md, csv, html, pdf, got 'docx'"):
        write("A1", "docx")
