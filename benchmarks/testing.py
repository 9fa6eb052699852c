"""What the plugin, the suite and the fixtures cost."""

from __future__ import annotations

import json
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import Row, cpu, in_turns, milliseconds, python, wall

PLUGINS = ("-p", "conformance.plugin", "-p", "mockserver.fixtures")
QUIET = ("-q", "-p", "no:cacheprovider")


def idle_plugin(rounds: int) -> list[Row]:
    """What a pytest run pays that has the plugin and does not use it."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        (folder / "test_nothing.py").write_text("def test_nothing(): pass\n")
        taken = in_turns(
            rounds,
            {
                "none": lambda: python("-m", "pytest", "--co", *QUIET, cwd=folder),
                "idle": lambda: python("-m", "pytest", "--co", *QUIET, *PLUGINS, cwd=folder),
            },
        )
    idle, none = cpu(taken["idle"]), cpu(taken["none"])
    more = f"{(idle - none) * 1000:+.0f} ms"
    return [Row("idle plugin, CPU of pytest --co", milliseconds(idle), milliseconds(none), more, "+20 ms")]


def suite(rounds: int) -> list[Row]:
    """The whole offline run over every API, and every rule broken once."""
    taken = in_turns(
        rounds,
        {
            "run": lambda: python("-m", "conformance", "run"),
            "mutants": lambda: python("-m", "conformance", "mutants"),
        },
    )
    return [
        Row(f"conformance {name}", f"{wall(spent):.1f} s", f"CPU {cpu(spent):.1f} s", "", goal)
        for (name, spent), goal in zip(taken.items(), ("seconds", "2 minutes"), strict=True)
    ]


def machinery(rounds: int) -> list[Row]:
    """What the suite adds: to the time that its exchanges take, and for each rule to an empty pytest item."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        python("-m", "conformance", "run", "--report-dir", name, expect=(0, 1))
        document = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        rules = len(document["findings"])
        for number in (1, rules + 1):
            text = f"import pytest\n@pytest.mark.parametrize('n', range({number}))\ndef test_empty(n): pass\n"
            (folder / f"test_{number}.py").write_text(text)
        taken = in_turns(
            rounds,
            {
                "run": lambda: python("-m", "conformance", "run", expect=(0, 1)),
                "asking": lambda: python("-m", "benchmarks.asking", str(folder / "report.json")),
                "one": lambda: python("-m", "pytest", *QUIET, "test_1.py", cwd=folder),
                "items": lambda: python("-m", "pytest", *QUIET, f"test_{rules + 1}.py", cwd=folder),
            },
        )
    run, asking = wall(taken["run"]), wall(taken["asking"])
    each = (cpu(taken["run"]) - cpu(taken["asking"])) / rules
    empty = (cpu(taken["items"]) - cpu(taken["one"])) / rules
    told = f"{document['requests']:,} exchanges"
    return [
        Row(f"conformance run, {told}", f"{run:.1f} s", f"{asking:.1f} s", f"{run / asking:.1f}x"),
        Row(
            f"one of its {rules:,} rules, CPU",
            milliseconds(each),
            milliseconds(empty),
            f"{each / empty:.1f}x",
        ),
    ]


TESTS = 200
BODIES = {
    "nothing": ("", "pass"),
    "mock_provider": ("mock_provider", "pass"),
    "bedrock_client, one call": (
        "mock_provider, bedrock_client",
        "bedrock_client.converse(modelId=mock_provider.model, messages=[{'role': 'user', 'content': [{'text': 'Hi'}]}])",
    ),
    "openai_client, one call": (
        "mock_provider, openai_client",
        "openai_client.chat.completions.create(model=mock_provider.model, messages=[{'role': 'user', 'content': 'Hi'}])",
    ),
}


def fixtures(rounds: int) -> list[Row]:
    """A test with a fixture of ours over a test with none; what a session pays once is taken off."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        for index, (arguments, body) in enumerate(BODIES.values()):
            for number in (1, TESTS + 1):
                text = "\n".join(f"def test_{each}({arguments}):\n    {body}" for each in range(number))
                (folder / f"test_{index}_{number}.py").write_text(text)
        taken = in_turns(
            rounds,
            {
                f"{index} {number}": partial(
                    python, "-m", "pytest", *QUIET, *PLUGINS, f"test_{index}_{number}.py", cwd=folder
                )
                for index in range(len(BODIES))
                for number in (1, TESTS + 1)
            },
        )
    each = [
        (cpu(taken[f"{index} {TESTS + 1}"]) - cpu(taken[f"{index} 1"])) / TESTS
        for index in range(len(BODIES))
    ]
    for index, fixture in enumerate(BODIES):
        if index:
            more = f"+{(each[index] - each[0]) * 1000:.1f} ms"
            rows.append(
                Row(f"a test with {fixture}", milliseconds(each[index]), milliseconds(each[0]), more, "ms")
            )
    return rows
