"""A stored run: the canonical document that an earlier run wrote, read and found right."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from conformance.documents.library import SPECS, Library
from conformance.shapes import Shape
from conformance.target import UsageError

SCHEMA = SPECS / "schema" / "run.yaml"
NAME = "report.json"


@cache
def shape() -> Shape:
    """The shape of a run, as specs/schema/run.yaml publishes it."""
    library = Library()
    return library.shape({"$ref": library.uri(SCHEMA)})


def read_run(place: Path | str) -> dict[str, Any]:
    """The run in a file, or in the folder that `--report-dir` named.

    Raises UsageError for what cannot be read or is not a run; it names the first place that is wrong.
    """
    path = Path(place)
    if path.is_dir():
        path = path / NAME
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"expected a run ({NAME}, or the folder with it), got {place}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: expected a run as JSON, got {error}") from error
    for found in shape().mismatches(said):
        raise UsageError(f"{path}: expected a run (specs/schema/run.yaml), but {found}")
    names = {each["name"] for each in said["targets"]}
    for finding in said["findings"]:
        if finding["target"] not in names:
            raise UsageError(
                f"{path}: expected a finding about one of {sorted(names)}, got {finding['target']!r}"
            )
    return dict(said)
