"""A document that states a code: a file whose content only a model that reads it can tell."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping

__all__ = ["FORMATS", "write"]

TITLE = "Site notes"
BEFORE, AFTER = "The office opens at nine.", "Visitors sign in at the desk."


def write(code: str, form: str) -> bytes:
    """The bytes of a document of that format in which the gate code is said to be `code`.

    Raises ValueError for a format that is not in FORMATS.
    """
    if form not in FORMATS:
        raise ValueError(f"format of the document: expected one of {', '.join(FORMATS)}, got {form!r}")
    return FORMATS[form](code)


def _text(code: str) -> bytes:
    return f"{TITLE}\n\n{BEFORE}\nThe gate code is {code}.\n{AFTER}\n".encode()


def _markdown(code: str) -> bytes:
    return f"# {TITLE}\n\n- {BEFORE}\n- The gate code is **{code}**.\n- {AFTER}\n".encode()


def _table(code: str) -> bytes:
    return f"thing,value\r\nopening hour,nine\r\ngate code,{code}\r\nfloor,3\r\n".encode()


def _page(code: str) -> bytes:
    said = "".join(f"<p>{html.escape(line)}</p>" for line in (BEFORE, f"The gate code is {code}.", AFTER))
    return f"<!doctype html><html><head><title>{TITLE}</title></head><body>{said}</body></html>".encode()


def _pdf(code: str) -> bytes:
    """One page with one line of text each, after ISO 32000-1, 7.5 and 9.4."""
    lines = (TITLE, BEFORE, f"The gate code is {code}.", AFTER)
    shown = " ".join(f"({_escaped(line)}) Tj T*" for line in lines)
    page = f"BT /F1 14 Tf 18 TL 72 720 Td {shown} ET"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(page)} >>\nstream\n{page}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    out, places = "%PDF-1.4\n", []
    for number, said in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{said}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    count = len(objects) + 1
    out += f"xref\n0 {count}\n0000000000 65535 f \n{table}"
    start = out.index("xref\n0")
    return f"{out}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode("latin-1")


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


FORMATS: Mapping[str, Callable[[str], bytes]] = {
    "txt": _text,
    "md": _markdown,
    "csv": _table,
    "html": _page,
    "pdf": _pdf,
}
"""What documents can be written as."""
