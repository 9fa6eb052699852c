"""The arrow `specs -> conformance -> mockserver`, and what may be imported where."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PURE_CORE = [
    "conformance.values",
    "conformance.exchange",
    "conformance.contract",
    "conformance.loading",
    "conformance.judge",
    "conformance.rules",
    "conformance.finding",
    "conformance.breakage",
    "conformance.dialects.mistral",
    "conformance.dialects.converse",
    "conformance.dialects.chat",
    "conformance.dialects.completions",
    "conformance.dialects.messages",
    "conformance.dialects.responses",
    "conformance.dialects.puter",
    "conformance.wire.sse",
    "conformance.wire.eventstream",
    "conformance.wire.ndjson",
    "mockserver.answer",
    "mockserver.simulation.model",
    "mockserver.auth",
    "mockserver.quota",
]

OUTSIDE = ["aiohttp", "asyncio", "boto3", "botocore", "openai", "pytest", "socket"]

# jsonschema_rs brings socket with it (importlib.metadata, email.utils): its copy is forgotten, so that an
# import of ours, or of a library that we should not have asked for, brings it back and is seen.
IMPORTED_BY = """
import importlib, sys
import jsonschema_rs, orjson, yaml
module, *outside = sys.argv[1:]
for name in outside:
    sys.modules.pop(name, None)
importlib.import_module(module)
print(*[name for name in outside if name in sys.modules])
"""


def fresh(*arguments: str, cwd: Path = ROOT, **environment: str) -> str:
    """What a fresh interpreter prints; it finds the checkout and does not load plugins on its own."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("module", PURE_CORE)
def test_the_pure_core_imports_no_io(module: str) -> None:
    assert fresh("-c", IMPORTED_BY, module, *OUTSIDE).split() == []


def test_who_answers_loads_what_few_requests_need_when_they_come() -> None:
    """Stored state, guardrails, hosted tools, the simulated model and the dialects cost a start nothing."""
    code = "import sys, mockserver.answer; print(*sys.modules)"
    loaded = fresh("-c", code).split()
    late = (
        "mockserver.services",
        "mockserver.simulation.model",
        "mockserver.simulation.hosted",
        "conformance.dialects.",
    )
    assert "mockserver.checks" in loaded
    assert [name for name in loaded if name.startswith(late)] == []


@pytest.mark.parametrize("module", ["botocore.auth", "socketserver", "asyncio.events"])
def test_an_import_of_io_is_seen(module: str) -> None:
    assert "socket" in fresh("-c", IMPORTED_BY, module, *OUTSIDE).split()


def imported(source: str) -> Iterator[str]:
    """The absolute names that a module imports by statement, or by a call with a literal name."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called),
                args=[ast.Constant(value=str(name)), *_],
            ) if called in {"import_module", "__import__", "find_spec", "run_module", "importorskip"}:
                yield name


@pytest.mark.parametrize("path", sorted(ROOT.glob("conformance/**/*.py")), ids=lambda path: path.name)
def test_conformance_does_not_import_mockserver(path: Path) -> None:
    assert [name for name in imported(path.read_text()) if name.split(".")[0] == "mockserver"] == []


@pytest.mark.parametrize(
    "source",
    [
        "import mockserver",
        "def late():\n    import os, mockserver.simulation.model as model",
        "from mockserver.answer import answer",
        "importlib.import_module('mockserver.embedded')",
        "__import__('mockserver')",
    ],
)
def test_an_import_of_mockserver_is_seen_in_any_form(source: str) -> None:
    assert "mockserver" in [name.split(".")[0] for name in imported(source)]


def loaded(source: str, known: Mapping[str, str]) -> Iterator[str]:
    """The modules among those `known` that a module imports as it runs, at once or late."""
    tree = ast.parse(source)
    only_typed = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in only_typed:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in known else node.module


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports count. Only a package may name its own modules, which take from it what they share."""
    sources = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path.read_text()
        for package in ("conformance", "mockserver")
        for path in (ROOT / package).rglob("*.py")
    }
    imports = {
        name: {other for other in loaded(source, sources) if not other.startswith(f"{name}.")}
        for name, source in sources.items()
    }
    assert imports["mockserver.answer"] and imports["conformance.session"]
    assert len(list(TopologicalSorter(imports).static_order())) == len(sources)


HEAVY = [
    "aiohttp",
    "asyncio",
    "boto3",
    "botocore",
    "cryptography",
    "h2",
    "hypothesis",
    "jsonschema_rs",
    "openai",
    "orjson",
    "yaml",
]

REPORTS_IMPORTS = f"""
import sys

def pytest_unconfigure():
    print("imported:", *[name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize("which", ["newest", "lowest"])
def test_an_idle_plugin_imports_nothing_heavy(which: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(REPORTS_IMPORTS)
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    lowest = ROOT / "build" / "pytest-lowest"
    path = [str(ROOT)]
    if which == "lowest":
        assert (lowest / "pytest").is_dir(), (
            f"expected the oldest pytest in {lowest}: run `make {lowest}/.installed`"
        )
        path.insert(0, str(lowest))
    printed = fresh(
        "-m", "pytest", "--co", "-q", "-p", "conformance.plugin", "-p", "mockserver.fixtures",
        cwd=tmp_path, PYTHONPATH=os.pathsep.join(path),
    )  # fmt: skip
    assert "test_nothing.py" in printed
    assert "imported:\n" in printed.replace("imported: \n", "imported:\n"), printed
