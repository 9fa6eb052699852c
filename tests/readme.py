"""The generated parts of README.md: the real matrix of a real run, and the claims of both cards.

`make readme` writes them; tests/test_readme.py holds the page to them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.loading import load
from conformance.runs import terminal

COMMAND = "$ conformance run    # here only chat, the APIs that this project began with"
ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
WIDTH = 100
SHOWN = (
    *("bedrock-mantle/chat-completions*", "bedrock-mantle/responses*"),
    *("bedrock-runtime/converse*", "bedrock-runtime/invoke-model", "bedrock-runtime/invoke-model-stream"),
    *("puter/driver-chat*", "puter/chat-completions*"),
)
"""The APIs that a newcomer sees: those that the project began with. The whole matrix is too long for a first screen."""


def run() -> dict[str, Any]:
    """The canonical document of a run against the embedded mock, over the APIs that README.md shows."""
    with tempfile.TemporaryDirectory() as folder:
        shown = [word for api in SHOWN for word in ("--api", api)]
        command = [sys.executable, "-m", "conformance", "run", *shown, "--report-dir", folder]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        document: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
    return document


def matrix(document: dict[str, Any]) -> str:
    """The matrix as the terminal shows it, without what differs from run to run."""
    targets = [{**target, "endpoint": ""} for target in document["targets"]]
    lines = terminal.matrix({**document, "targets": targets}, WIDTH, color=False)
    table = lines[: next(index for index, line in enumerate(lines) if line.startswith("declared"))]
    verdict = lines[-1].partition(";")[0]
    kept = [line.rstrip() for line in [COMMAND, *table, verdict]]
    return "\n".join(["```", *kept, "```"])


def claims() -> str:
    """The claims of the seed model on which sellers differ, or that something seen or said speaks against."""
    cards = [card for card in load().cards if card.model == "magistral-small-2509"]
    rows = ["| claim | " + " | ".join(f"{card.seller} states → read as" for card in cards) + " | observed |"]
    rows.append("|---|" + "---|" * (len(cards) + 1))
    names = list(dict.fromkeys(name for card in cards for name in _names(card.claims)))
    for name in names:
        found = [card.claim(name) for card in cards]
        if not _doubtful(found):
            continue
        cells = ["" if each is None else _cell(each) for each in found]
        seen = [
            f"{card.seller}: {_value(each['observed']['value'])}"
            for card, each in zip(cards, found, strict=True)
            if each is not None and "observed" in each
        ]
        rows.append(f"| {name} | " + " | ".join(cells) + " | " + "; ".join(seen) + " |")
    return "\n".join(rows)


def _doubtful(found: list[Any]) -> bool:
    said = [each for each in found if each is not None]
    values = [each["read_as"] for each in said]
    seen = [each["observed"]["value"] for each in said if "observed" in each]
    return any(value != values[0] for value in values + seen) or any("disputed_by" in each for each in said)


def _names(claims: Any, prefix: str = "") -> Iterator[str]:
    for name, claim in claims.items():
        if "read_as" in claim:
            yield prefix + name
        else:
            yield from _names(claim, f"{prefix}{name}.")


def _cell(claim: Any) -> str:
    stated = "says nothing" if claim["stated"] is None else f"“{claim['stated']}”"
    return f"{stated} → {_value(claim['read_as'])}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(value) <= 4 else f"{len(value)} of them"
    return str(value)


def generated() -> dict[str, str]:
    """The parts by the name of their marker."""
    return {"matrix": matrix(run()), "claims": claims()}


def part(text: str, name: str) -> str:
    """What stands between the markers of a generated part."""
    found = re.search(rf"<!-- generated: {name} -->\n(.*?)\n?<!-- end -->", text, re.DOTALL)
    assert found, f"README.md: expected the markers of the generated part {name!r}"
    return found[1]


def main() -> None:
    """Writes the generated parts into README.md."""
    text = README.read_text(encoding="utf-8")
    for name, made in generated().items():
        marked = f"<!-- generated: {name} -->\n{part(text, name)}"
        text = text.replace(marked.rstrip("\n"), f"<!-- generated: {name} -->\n{made}", 1)
        text = re.sub(
            rf"(<!-- generated: {name} -->\n.*?)\n*<!-- end -->",
            r"\1\n<!-- end -->",
            text,
            count=1,
            flags=re.DOTALL,
        )
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
