"""Strict YAML: a file says exactly what it seems to say, or it is an error with file and line.

Refused: duplicate keys, keys that are no strings, the YAML 1.1 truths (no, on, yes, off), numbers in
base 60, 8 or 2, .inf and .nan, merge keys, tags, anchors that hold themselves. Dates stay strings;
`1e3` is a number, as in YAML 1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class SpecError(Exception):
    """A file that is not what it has to be. The text names file, line, expected and got."""

    def __init__(self, path: Path | str, line: int | None, message: str) -> None:
        self.path, self.line, self.message = str(path), line, message
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A loader over the file; what goes wrong inside the block becomes a SpecError."""
    import yaml

    from conformance.documents.strict import Strict, Trap

    try:
        loader = Strict(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(path, None, f"expected a UTF-8 YAML file, got none: {error.strerror}") from error
    except UnicodeDecodeError as error:
        above = error.object[: error.start].count(b"\n")
        got = f"{error.object[error.start]:#x}"
        raise SpecError(path, above + 1, f"expected a UTF-8 YAML file, got the byte {got}") from error
    except yaml.YAMLError as error:
        raise SpecError(path, None, f"expected YAML, got {error}") from error
    try:
        yield loader
    except Trap as trap:
        raise SpecError(path, trap.line, str(trap)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise SpecError(path, line, f"expected YAML, got {_words(path, line, error)}") from error
    except yaml.YAMLError as error:
        raise SpecError(path, None, f"expected YAML, got {error}") from error
    finally:
        loader.dispose()


def _words(path: Path, line: int | None, error: Any) -> str:
    """What the reader of YAML stumbled over; it says of a tab only that nothing begins with it."""
    written = path.read_text(encoding="utf-8").splitlines()[line - 1 : line] if line else []
    if any("\t" in each[: len(each) - len(each.lstrip())] for each in written):
        return "a tab: indent with spaces"
    return str(error.problem or error.context)


def read(path: Path) -> Any:
    """The one YAML document in `path` as plain values: what JSON can say, and nothing else.

    Raises SpecError for a file that cannot be read, is no YAML, or holds one of the traps.
    """
    with _opened(path) as loader:
        return loader.get_single_data()


def line_of(path: Path, pointer: str) -> int | None:
    """The line of the member at JSON pointer `pointer`, or of the nearest one above it."""
    known = lines(path)
    while pointer and pointer not in known:
        pointer = pointer.rpartition("/")[0]
    return known.get(pointer)


def lines(path: Path) -> dict[str, int]:
    """The line of every member of a file, by JSON pointer. Raises SpecError like `read`."""
    from conformance.documents.strict import line_at

    found: dict[str, int] = {}

    def walk(node: Any, pointer: str) -> None:
        if node.id == "mapping":
            for key, value in node.value:
                here = f"{pointer}/{str(key.value).replace('~', '~0').replace('/', '~1')}"
                found[here] = line_at(key)
                walk(value, here)
        elif node.id == "sequence":
            for index, value in enumerate(node.value):
                found[f"{pointer}/{index}"] = line_at(value)
                walk(value, f"{pointer}/{index}")

    with _opened(path) as loader:
        node = loader.get_single_node()
    if node is not None:
        found[""] = line_at(node)
        walk(node, "")
    return found
