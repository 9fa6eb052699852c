"""Specs that were read and found right, kept between processes as JSON.

Reading YAML is most of what a mock does before it can answer. What is kept is found by the name,
time and size of every file, so a change of any of them reads them all anew; a cache that cannot be
read or written is no error.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from conformance import __version__

KEPT = 8
"""Sets of files kept at most; the oldest go."""


def key(paths: Iterable[Path]) -> str:
    """The same for the same files as they are now. Raises OSError for a file that is gone."""
    digest = hashlib.sha256(__version__.encode())
    folders: dict[Path, Path] = {}
    for path in paths:
        found = path.stat()
        if path.parent not in folders:
            folders[path.parent] = path.parent.resolve()
        place = folders[path.parent] / path.name
        digest.update(f"\n{place} {found.st_mtime_ns} {found.st_size}".encode())
    return digest.hexdigest()[:32]


def fetch(name: str) -> dict[str, Any] | None:
    """The documents kept under `name`, by URI; None if there are none."""
    try:
        found = orjson.loads((_folder() / f"specs-{name}.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def keep(name: str, documents: Mapping[str, Any]) -> None:
    """Keeps the documents under `name`, if they can be told as JSON and there is a place for them."""
    with suppress(OSError, TypeError):
        told = orjson.dumps(dict(documents))
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=".specs-", dir=folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(told)
        Path(scratch).replace(folder / f"specs-{name}.json")
        by_age = sorted(folder.glob("specs-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in by_age[KEPT:]:
            old.unlink(missing_ok=True)


def _folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "provider-conformance"
