"""The files of specs/ and of folders laid out like it, read once, and the shapes compiled from them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from conformance.documents.closing import VARIANTS, close
from conformance.documents.document import read
from conformance.select import parts
from conformance.shapes import Shape

__all__ = ["KINDS", "PACKAGE", "SPECS", "Library", "absolute", "files"]

PACKAGE = Path(__file__).resolve().parent.parent
SPECS = PACKAGE / "specs" if (PACKAGE / "specs").is_dir() else PACKAGE.parent / "specs"
"""The shipped specs: inside the package once it is installed, beside it in a checkout."""
KINDS = ("providers", "contracts", "shapes", "cards", "guardrails", "broken")
"""The folders that hold the files of each kind."""


def files(folder: Path, kind: str) -> list[Path]:
    """The YAML files of one kind (`providers`, `contracts`, `cards`, `shapes`, `guardrails`, `broken`) below `folder`."""
    return sorted((folder / kind).rglob("*.yaml"))


class Library:
    """The files of all folders, read once, and the shapes compiled from them."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self.trusted = known is not None
        """True if the documents were found right when they were kept."""
        self._documents: dict[str, Any] = dict(known or {})
        self._absolute: dict[str, Any] = {}
        self._uris: dict[Path, str] = {}
        self._folders: dict[Path, str] = {}
        # A schema that many contracts inherit is one value; each is kept, so that none takes the place of another.
        self._shapes: dict[tuple[int, bool], tuple[Any, Shape]] = {}

    def uri(self, path: Path) -> str:
        # To resolve a path is a system call for each folder above it; files of one folder share them.
        if path not in self._uris:
            folder = self._folders.get(path.parent)
            if folder is None:
                folder = self._folders[path.parent] = path.parent.resolve().as_posix()
            place = f"{folder}/{path.name}"
            self._uris[path] = f"spec://{Path(place).resolve().as_posix() if path.is_symlink() else place}"
        return self._uris[path]

    def document(self, path: Path) -> Any:
        """The file's content as it is written."""
        uri = self.uri(path)
        if uri not in self._documents:
            self._documents[uri] = read(path)
        return self._documents[uri]

    @property
    def documents(self) -> Mapping[str, Any]:
        """What was read so far, by URI."""
        return self._documents

    def shape(self, schema: Any, closed: bool = False) -> Shape:
        """A compiled schema; `closed` adds that no object may have members it does not list."""
        if (id(schema), closed) not in self._shapes:
            whole = close(schema, self.definition) if closed else schema
            self._shapes[id(schema), closed] = schema, self.compiled(whole)
        return self._shapes[id(schema), closed][1]

    def compiled(self, schema: Any) -> Shape:
        """The same of a schema as it stands, and not kept: some weigh megabytes."""
        return Shape(schema, self._retrieve)

    def definition(self, uri: str) -> Any:
        """What an absolute $ref points to. Raises KeyError for a place that is not there."""
        document, _, fragment = uri.partition("#")
        found = self._retrieve(document)
        for part in parts(unquote(fragment)):
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found

    def _retrieve(self, uri: str) -> Any:
        for variant, change in VARIANTS.items():
            if uri.startswith(variant):
                return change(self._retrieve(uri.removeprefix(variant)), self.definition)
        if uri not in self._absolute:
            path = Path(uri.removeprefix("spec://"))
            self._absolute[uri] = absolute(self.document(path), self.uri(path))
        return self._absolute[uri]


def absolute(schema: Any, base: str) -> Any:
    """`schema` with every $ref made absolute against the file `base`."""
    if isinstance(schema, dict):
        result: dict[str, Any] = {key: absolute(value, base) for key, value in schema.items()}
        ref = schema.get("$ref")
        if isinstance(ref, str) and not ref.startswith("spec://"):
            target, _, fragment = ref.partition("#")
            uri = base
            if target:
                place = os.path.normpath(Path(base.removeprefix("spec://")).parent / target)
                uri = "spec://" + Path(place).as_posix()
            result["$ref"] = f"{uri}#{fragment}"
        return result
    if isinstance(schema, list):
        return [absolute(value, base) for value in schema]
    return schema
