"""README.md: every block is run, every generated part is what a run gives today."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mockserver.embedded import start

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def block(name: str) -> str:
    """The fenced block behind the marker `<!-- test: name -->`."""
    found = re.search(rf"<!-- test: {name} -->\n```\w*\n(.*?)```", TEXT, re.DOTALL)
    assert found, f"README.md: expected a block marked {name!r}"
    return found[1]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_parts", ROOT / "tests" / "readme.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shell(script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        environ.pop(name, None)
    return subprocess.run(
        ["sh", "-euc", script], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("name", ["develop", "six-lines", "ci"])
def test_the_three_blocks_have_at_most_six_lines(name: str) -> None:
    assert len(block(name).strip().splitlines()) <= 6


def test_the_develop_block_runs_an_unchanged_program(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from openai import OpenAI\n"
        "answer = OpenAI().responses.create(model='mistral.magistral-small-2509', input='Reply with exactly: it runs')\n"
        "print(answer.output_text)\n"
    )
    done = shell(block("develop").replace("pip install", ": pip install"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "it runs" in done.stdout


def test_the_six_lines_pass_and_can_fail(tmp_path: Path) -> None:
    test = tmp_path / "test_app.py"
    test.write_text(block("six-lines"))
    command = f"{sys.executable} -m pytest -q -p no:cacheprovider -p no:randomly test_app.py"
    assert "1 passed" in shell(command, tmp_path).stdout
    test.write_text(block("six-lines").replace("times=2", "times=1"))
    assert "1 failed" in shell(command, tmp_path).stdout


def test_the_ci_block_asks_the_provider_with_the_key_it_names(tmp_path: Path) -> None:
    mock = start(auth="strict")
    try:
        script = block("ci").replace("=...", f"='{mock.info['bearer']}'")
        script = script.replace(
            "--report-dir report", f"--report-dir report --endpoint-url {mock.http}/bedrock-mantle"
        )
        done = shell(script, tmp_path)
    finally:
        mock.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "conformant" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()


def test_the_matrix_is_the_one_that_a_run_gives(maker: Any) -> None:
    assert maker.part(TEXT, "matrix") == maker.matrix(maker.run()), "make readme writes it anew"


def test_the_claims_are_those_of_the_cards(maker: Any) -> None:
    assert maker.part(TEXT, "claims") == maker.claims(), "make readme writes it anew"


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_command_in_a_table_exists() -> None:
    told = {
        found
        for page in PAGES
        for found in re.findall(
            r"^\| `(conformance|mockserver) (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert {("conformance", "judge"), ("mockserver", "env")} <= told
    for program, command in sorted(told):
        done = subprocess.run([BIN / program, command, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, f"{program} {command}: {done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\]\(([^)#:\s]+)\)", text):
        assert (page.parent / name).exists(), name
    for name in re.findall(r"`((?:specs|docs|tests|benchmarks)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
