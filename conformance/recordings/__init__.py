"""Traffic that somebody recorded, read from files: VCR cassettes, HAR, and lines of our own form.

    vcr       vcrpy, pytest-recording, VCR of Ruby: YAML or JSON
    har       HTTP Archive 1.2, as browsers, Playwright and mitmproxy write it
    lines     our own: one JSON object an exchange (its docstring is the reference)

`recordings` finds out which of them a file is by what stands in it, never by its name. Each
Recording says what its recorder lost, so that no rule is judged on what is not there.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.exchange import Chunk, Ending, Headers, Request, Truth, header

ENDINGS = (".yaml", ".yml", ".json", ".har", ".jsonl", ".ndjson", ".gz")
"""The files of a folder that are looked into; a file that is named is read whatever it is called."""


LARGEST = 512 << 20
"""Bytes of a file, unpacked. What is larger, or does not end, is none that anybody could have read."""
LARGEST_BODY = 64 << 20
"""Bytes of one unpacked body."""
WRONG = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError)
"""What reading raises of an exchange that is not as its form has it."""


TOO_DEEP = "expected recorded traffic, got lists in lists (or objects) by the hundreds"


class NoRecording(ValueError):
    """A file that is whole, and holds no recorded traffic."""


class Unreadable(ValueError):
    """A file or an exchange that is damaged; the text says where, what was expected and what stands there."""


@dataclass(frozen=True)
class Recording:
    """One exchange as a recorder kept it. `response` has status, headers and chunks; None if none came.

    `host` has no port, `secure` is False for plain http. `lost` says why the body is not all there, None if it is.
    """

    origin: str
    host: str
    request: Request
    response: tuple[int, Headers, tuple[Chunk, ...], Ending] | None
    when: date | None = None
    truth: Truth = field(default_factory=Truth)
    lost: str | None = None
    secure: bool = True
    port: int | None = None

    @property
    def url(self) -> str:
        """Where it was asked, without what follows the path."""
        port = f":{self.port}" if self.port else ""
        return (
            f"{'https' if self.secure else 'http'}://{self.host}{port}{self.request.target.partition('?')[0]}"
        )


def files(path: Path) -> list[Path]:
    """The file, or the files below a folder that could hold recordings, in the order of their names."""
    if not path.is_dir():
        return [path]
    # What may not be looked into, or goes away meanwhile, is passed over.
    found = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    return sorted(
        each
        for each in found
        if each.suffix.lower() in ENDINGS and _shown(each, path) and os.path.isfile(each)  # noqa: PTH113
    )


def _shown(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def recordings(path: Path) -> list[Recording]:
    """The exchanges in a file, in its order. Raises NoRecording, Unreadable and OSError."""
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(LARGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(f"{path}: expected gzip to its end, got {error}") from error
    if len(data) > LARGEST:
        raise Unreadable(f"{path}: expected at most {LARGEST >> 20} MiB, unpacked, got more")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{path}: expected text in UTF-8, got byte {data[error.start]:#04x} at {error.start}"
        ) from error
    return list(_of_text(path, text))


def _of_text(path: Path, text: str) -> Iterator[Recording]:
    from conformance.recordings import har, lines, vcr

    first = text.lstrip()[:1]
    if not first:
        raise NoRecording(f"{path}: expected recorded traffic, got an empty file")
    if first in "{[":
        try:
            said = json.loads(text)
        except ValueError as error:
            said = _each_line(path, text, error)
        except RecursionError as error:
            raise Unreadable(f"{path}: {TOO_DEEP}") from error
    else:
        said = vcr.load(path, text)
    for module in (har, vcr, lines):
        if module.holds(said):
            yield from module.read(said, str(path), path.parent)
            return
    raise NoRecording(
        f"{path}: expected a VCR cassette (interactions), a HAR (log), or exchanges with host, path and status; "
        f"got {_outline(said)}"
    )


def _each_line(path: Path, text: str, whole: ValueError) -> list[Any]:
    """The values of JSON lines. Raises Unreadable with the line that is none."""
    said = []
    kept = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for number, line in kept:
        try:
            said.append(json.loads(line))
        except ValueError as error:
            if not said:
                raise Unreadable(f"{path}: expected JSON, got {whole}") from whole
            raise Unreadable(f"{path}:{number}: expected one JSON object in a line, got {error}") from error
        except RecursionError as error:
            raise Unreadable(f"{path}:{number}: {TOO_DEEP}") from error
    return said


def _outline(said: Any) -> str:
    if isinstance(said, Mapping):
        return "an object with " + (", ".join(map(str, list(said)[:6])) or "nothing in it")
    if isinstance(said, list):
        return f"a list of {len(said)}"
    return f"{str(said)[:60]!r}"


# What the readers share


def located(url: str) -> tuple[str, int | None, bool, str]:
    """Host, port, whether https, and the raw path with its query. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected http(s)://host/path, got {url[:80]!r}")
    _, _, behind = url.partition("://")
    slash = min((at for at in (behind.find("/"), behind.find("?")) if at >= 0), default=len(behind))
    target = behind[slash:].partition("#")[0]
    return parts.hostname, parts.port, parts.scheme == "https", target if target[:1] == "/" else "/" + target


def pairs(said: Any) -> Headers:
    """Headers from a mapping of name to value or values, or from a list of pairs; without HTTP/2's own."""
    found: list[tuple[str, str]] = []
    if isinstance(said, Mapping):
        for name, values in said.items():
            found += [(str(name), _text(each)) for each in (values if isinstance(values, list) else [values])]
    elif isinstance(said, Sequence) and not isinstance(said, str | bytes):
        for each in said:
            name, value = (each["name"], each["value"]) if isinstance(each, Mapping) else each
            found.append((str(name), _text(value)))
    return tuple((name, value) for name, value in found if not name.startswith(":"))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def day(said: Any) -> date | None:
    """The day of an ISO or HTTP date, of `2026-08` its first; None for anything else."""
    if isinstance(said, datetime):
        return said.date()
    if isinstance(said, date):
        return said
    if not isinstance(said, str) or not said:
        return None
    try:
        return date.fromisoformat(f"{said}-01" if len(said) == len("2026-08") else said[:10])
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(said).date()
    except (ValueError, TypeError, IndexError):
        return None


def opened(data: bytes, headers: Headers) -> tuple[bytes, str | None]:
    """The body without its content encoding, and what of it is lost. One that a recorder has opened stays as it is."""
    coding = (header(headers, "content-encoding") or "identity").strip().lower()
    if coding in ("gzip", "x-gzip") and data[:2] == b"\x1f\x8b":
        return _inflated(data, 31)
    if coding == "deflate" and data[:1] == b"\x78":
        return _inflated(data, 15)
    if coding in ("br", "zstd", "compress") and not _like_text(data):
        return data, f"the body is compressed as {coding}, which is not read here"
    return data, None


def _inflated(data: bytes, window: int) -> tuple[bytes, str | None]:
    inflater = zlib.decompressobj(window)
    try:
        found = inflater.decompress(data, LARGEST_BODY)
    except zlib.error as error:
        return b"", f"the compressed body is damaged: {error}"
    if inflater.unconsumed_tail:
        return b"", f"the compressed body has more than {LARGEST_BODY >> 20} MiB"
    return found, None if inflater.eof else "the compressed body ends before its end"


def _like_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


REDACTED = ("redact", "filtered", "scrubbed", "masked", "xxx", "***")
"""What stands in the place of values that a recorder took out, in small letters."""


def kept_headers(headers: Headers) -> bool:
    """False where the recorder has thinned out or rewritten the headers.

    An answer that lacks Date was thinned out: a server with a clock sends it (RFC 9110, 6.6.1), and these have one.
    """
    if header(headers, "date") is None:
        return False
    return not any(word in (header(headers, "content-type") or "").lower() for word in REDACTED)


def kept_bytes(data: bytes, headers: Headers) -> bool:
    """False where the body cannot be the bytes that were sent: its length is another than the headers say."""
    length = header(headers, "content-length")
    coded = header(headers, "content-encoding") not in (None, "identity")
    if coded or length is None or not length.strip().isdigit():
        return header(headers, "date") is not None or data[:1] not in (b"{", b"[")
    return int(length) == len(data)


def missing(data: bytes, headers: Headers) -> str | None:
    """What the recorder left out of a body that is shorter than its headers say; None if it is all there."""
    length = header(headers, "content-length")
    if not data and length and length.strip().isdigit() and int(length) > 0:
        return f"the recorder kept no body of {length.strip()} bytes"
    return None
