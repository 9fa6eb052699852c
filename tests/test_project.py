"""A project of somebody else's, with the built wheel and a configuration that suits nobody but it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from conformance.loading import load

ROOT = Path(__file__).resolve().parent.parent
LOWEST = ROOT / "build" / "pytest-lowest"
OF_MODELS = sum(rule.not_checked is None for rule in load().rules() if fnmatchcase(rule.contract, "*/models"))
"""How many rules `--api '*/models'` looks at; the mock keeps them all."""

INI = """
[pytest]
python_files = *_spec.py
addopts = --strict-markers --strict-config --model theirs -p their_plugin
filterwarnings = error
"""
PLUGIN = """
import pytest

def pytest_addoption(parser):
    for name in ("--model", "--provider", "--region", "--mock", "--auth", "--reality"):
        parser.addoption(name)
    parser.addini("model", "theirs too")

def pytest_configure(config):
    config.addinivalue_line("markers", "provider: theirs")

@pytest.fixture
def provider():
    return "theirs"

@pytest.fixture
def model(request):
    return request.config.getoption("--model")
"""
THEIRS = """
def test_theirs(model, provider):
    assert (model, provider) == ("theirs", "theirs")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it but the installed wheel. No network."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = folder.glob("*.whl")
    into = folder / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-index",
        "--no-deps",
        "--target",
        str(into),
        str(wheel),
    ]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return into


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, with the six lines of the README as its test."""
    (tmp_path / "pytest.ini").write_text(INI)
    (tmp_path / "their_plugin.py").write_text(PLUGIN)
    (tmp_path / "their_spec.py").write_text(THEIRS)
    (tmp_path / "retry_spec.py").write_text(six_lines())
    return tmp_path


def six_lines() -> str:
    """The test in the README's first screen."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- test: six-lines -->\n```python\n(.*?)```", readme, re.DOTALL)
    assert block, "expected a python block after <!-- test: six-lines --> in README.md"
    return block[1]


def python(
    project: Path, installed: Path, *arguments: str, before: tuple[Path, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs Python in the project; the wheel is found before this checkout."""
    environ = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "AWS_", "OPENAI_"))
    }
    environ |= {"PYTHONPATH": os.pathsep.join(map(str, (*before, installed, project))), **environment}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_wheel_is_what_is_imported(project: Path, installed: Path) -> None:
    code = "import conformance.documents.library as c, mockserver; print(c.__file__, c.SPECS, mockserver.__file__)"
    done = python(project, installed, "-c", code)
    assert done.stderr == ""
    assert all(path.startswith(str(installed)) for path in done.stdout.split()), done.stdout


def test_the_six_lines_are_six() -> None:
    assert len(six_lines().splitlines()) <= 6
    assert "times=2" in six_lines()


@pytest.mark.parametrize(
    "options", [(), ("-W", "error"), ("--import-mode=importlib",), ("-n", "2")], ids=["plain", "W-error", "importlib", "xdist"]
)  # fmt: skip
def test_the_six_lines_pass_beside_the_plugins_of_the_environment(
    options: tuple[str, ...], project: Path, installed: Path
) -> None:
    done = python(project, installed, "-m", "pytest", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert "randomly" in done.stdout and "provider-conformance" in done.stdout


def test_the_six_lines_pass_on_the_lowest_pytest(project: Path, installed: Path) -> None:
    assert (LOWEST / "pytest").is_dir(), f"expected the oldest pytest: run `make {LOWEST}/.installed`"
    done = python(
        project, installed, "-m", "pytest", "-p", "conformance.plugin", "-p", "mockserver.fixtures",
        before=(LOWEST,), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pytest-8.0.0" in done.stdout and "2 passed" in done.stdout


def test_six_lines_that_expect_too_few_tries_fail(project: Path, installed: Path) -> None:
    spec = project / "retry_spec.py"
    spec.write_text(six_lines().replace("times=2", "times=1"))
    done = python(project, installed, "-m", "pytest", "retry_spec.py")
    assert done.returncode == 1 and "1 failed" in done.stdout, done.stdout


def test_the_project_runs_the_suite_beside_its_own_tests(project: Path, installed: Path) -> None:
    (project / "retry_spec.py").unlink()
    done = python(
        project, installed, "-m", "pytest", "their_spec.py", "--pyargs", "conformance.suite", "--conformance-api", "*/models"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"conformant: {OF_MODELS} kept" in done.stdout and f"{OF_MODELS + 1} passed" in done.stdout


def test_the_suite_is_found_where_pytest_would_not_look(project: Path, installed: Path) -> None:
    hidden = project / ".venv" / "lib" / "site-packages"
    hidden.parent.mkdir(parents=True)
    hidden.symlink_to(installed, target_is_directory=True)
    done = python(
        project, hidden, "-m", "pytest", "--pyargs", "conformance.suite", "--conformance-api", "*/models"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{OF_MODELS} passed" in done.stdout


def test_the_command_runs_from_the_wheel_and_leaves_nothing_in_the_project(
    project: Path, installed: Path
) -> None:
    before = {path for path in project.rglob("*") if "__pycache__" not in path.parts}
    done = python(project, installed, "-m", "conformance", "run", "--api", "*/models")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(f"conformant: {OF_MODELS} kept")
    assert {path for path in project.rglob("*") if "__pycache__" not in path.parts} == before
