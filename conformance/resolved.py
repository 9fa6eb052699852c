"""A contract as it is read: with all it inherits, each line with the file and line that it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from conformance.contract import Contract
from conformance.documents.document import lines
from conformance.documents.library import SPECS
from conformance.shapes import pointer

__all__ = ["relative", "shown"]


def shown(contract: Contract, folders: Sequence[str] = ()) -> Iterator[str]:
    """The resolved contract as YAML, with what its provider says for it; each line with the file and line it came from."""
    paths = list(contract.chain)
    said = dict(contract.said)
    if contract.provider is not None:
        paths.append(contract.provider.path)
        said["auth"] = contract.auth
        said["checks"] = list(contract.checks)
        said["errors"] = {**contract.provider.said["errors"], **contract.said.get("errors", {})}
    known = {path: lines(path) for path in paths}
    for text, where in _dump(said, "", 0):
        origin = next((path for path in paths if where in known[path]), None)
        yield f"{text:<100}  # {_short(origin, folders)}:{known[origin][where]}" if origin else text


def _short(path: Path, folders: Sequence[str]) -> str:
    for folder in (SPECS, *map(Path, folders)):
        if path.is_relative_to(folder):
            inside = path.relative_to(folder)
            return (inside if folder is SPECS else folder / inside).as_posix()
    return str(path)


def _dump(value: Any, at: str, depth: int) -> Iterator[tuple[str, str]]:
    pad = "  " * depth
    for key, child in value.items() if isinstance(value, Mapping) else enumerate(value):
        here = at + pointer([key])
        head = f"{pad}{_flow(key)}:" if isinstance(value, Mapping) else f"{pad}-"
        text = _flow(child)
        if isinstance(child, Mapping | list) and child and len(text) + len(head) > 96:
            yield head, here
            yield from _dump(child, here, depth + 1)
        else:
            yield f"{head} {text}", here


_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def _flow(value: Any) -> str:
    """The value on one line."""
    value = relative(value)
    text: str = yaml.dump(
        value, Dumper=_DUMPER, default_flow_style=True, width=1_000_000, sort_keys=False, allow_unicode=True
    )
    text = text.removesuffix("\n").removesuffix("\n...").strip()
    return json.dumps(value, ensure_ascii=False) if "\n" in text else text


def relative(value: Any) -> Any:
    """The value with references as a reader of the folder writes them."""
    if isinstance(value, str):
        return value.replace(f"spec://{SPECS.resolve().as_posix()}/", "").removeprefix("spec://")
    if isinstance(value, Mapping):
        return {key: relative(child) for key, child in value.items()}
    if isinstance(value, list):
        return [relative(child) for child in value]
    return value
