"""The report as one page that needs nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from conformance.runs.report import AREAS
from conformance.runs.streams import stream_of
from conformance.runs.terminal import LABELS, verdict

__all__ = ["html"]

HERE = Path(__file__).resolve().parent


def html(document: Mapping[str, Any]) -> str:
    """The report as one page: no network, no other file, works from file://.

    Nothing of the document becomes markup: it stands packed in a block of base64, the page's script
    shows it as text, and the page's policy lets no other script run.
    """
    style, script = ((HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    data = {
        "document": document,
        "streams": {
            f"{address}#{step['step']}": decoded
            for address, steps in document["exchanges"].items()
            for step in steps
            if (decoded := stream_of(step["response"])) is not None
        },
        "areas": AREAS,
        "marks": {word: mark for word, (mark, _) in LABELS.items()},
    }
    its_digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "title": escape(f"{document['verdict']}: {', '.join(each['title'] for each in document['targets'])}"),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{its_digest}'; base-uri 'none'",
        "style": style,
        "verdict": escape(verdict(document, color=False)),
        "data": _packed(data),
        "script": script,
    }
    page = (HERE / "page.html").read_text(encoding="utf-8")
    pieces = page.split("%%")
    return "".join(piece if index % 2 == 0 else parts[piece] for index, piece in enumerate(pieces))


def _packed(data: Any) -> str:
    """JSON packed by gzip, as base64: the same bodies stand in many exchanges, so this is a seventh of it."""
    text = json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    # Without a time, so that the same document is the same page.
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
