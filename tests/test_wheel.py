"""What a user gets who installs the wheel: read from a wheel that is built here, once, without network."""

from __future__ import annotations

import configparser
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The root folder of the built wheel."""
    into = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(into), str(ROOT)]
    build = subprocess.run(command, capture_output=True, text=True, check=False)
    assert build.returncode == 0, build.stdout + build.stderr
    return zipfile.Path(next(into.glob("*.whl")))


def dist_info(wheel: zipfile.Path) -> zipfile.Path:
    return next(folder for folder in wheel.iterdir() if folder.name.endswith(".dist-info"))


def metadata(wheel: zipfile.Path) -> Message:
    return BytesParser().parsebytes((dist_info(wheel) / "METADATA").read_bytes())


def names(wheel: zipfile.Path) -> set[str]:
    return set(wheel.root.namelist())


def test_every_yaml_file_of_specs_is_in_the_wheel_and_no_other(wheel: zipfile.Path) -> None:
    in_checkout = {f"conformance/{path.relative_to(ROOT)}" for path in ROOT.glob("specs/**/*.yaml")}
    assert in_checkout, "specs/ holds no YAML file: this test looked at nothing"
    assert {name for name in names(wheel) if name.endswith((".yaml", ".yml"))} == in_checkout


def test_a_file_of_specs_is_the_same_in_the_wheel(wheel: zipfile.Path) -> None:
    for path in ROOT.glob("specs/**/*.yaml"):
        assert (wheel / "conformance" / str(path.relative_to(ROOT))).read_bytes() == path.read_bytes()


def test_every_file_of_the_two_packages_is_in_the_wheel(wheel: zipfile.Path) -> None:
    in_checkout = {
        str(path.relative_to(ROOT))
        for package in ("conformance", "mockserver")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in {".py", ".ini", ".html", ".css", ".js", ".typed"}
    }
    assert {"conformance/py.typed", "mockserver/py.typed"} <= in_checkout
    assert in_checkout <= names(wheel)


def test_nothing_else_is_installed(wheel: zipfile.Path) -> None:
    assert {name.split("/")[0] for name in names(wheel)} == {
        "conformance",
        "mockserver",
        dist_info(wheel).name,
    }


def test_the_entry_points_are_two_commands_two_plugins_and_the_embedded_mock(wheel: zipfile.Path) -> None:
    entry_points = configparser.ConfigParser()
    entry_points.read_string((dist_info(wheel) / "entry_points.txt").read_text())
    assert {group: dict(entry_points[group]) for group in entry_points.sections()} == {
        "console_scripts": {"conformance": "conformance.cli:main", "mockserver": "mockserver.cli:main"},
        "pytest11": {"conformance": "conformance.plugin", "mock-provider": "mockserver.fixtures"},
        "conformance.embedded": {"mock": "mockserver.embedded:start"},
    }


def test_every_entry_point_is_a_module_of_the_wheel(wheel: zipfile.Path) -> None:
    entry_points = configparser.ConfigParser()
    entry_points.read_string((dist_info(wheel) / "entry_points.txt").read_text())
    for group in entry_points.sections():
        for value in entry_points[group].values():
            assert f"{value.split(':')[0].replace('.', '/')}.py" in names(wheel)


def test_requirements_have_lower_bounds_and_nothing_else(wheel: zipfile.Path) -> None:
    requirements = metadata(wheel).get_all("Requires-Dist", [])
    assert requirements
    for requirement in requirements:
        demand = requirement.split(";")[0]
        assert ">=" in demand, requirement
        assert not any(sign in demand for sign in ("==", "<", "~=", "!=", ",")), requirement


def test_the_licence_and_the_notice_are_in_the_wheel(wheel: zipfile.Path) -> None:
    for name in ("LICENSE", "NOTICE"):
        assert (dist_info(wheel) / "licenses" / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_lowest_pytest_that_we_try_is_the_lowest_that_we_allow(wheel: zipfile.Path) -> None:
    [lowest] = [
        requirement.removeprefix("pytest>=")
        for requirement in metadata(wheel).get_all("Requires-Dist", [])
        if requirement.startswith("pytest>=")
    ]
    lock = (ROOT / "requirements-pytest-lowest.lock").read_text()
    [tried] = [line.split()[0].removeprefix("pytest==") for line in lock.splitlines() if "pytest==" in line]
    assert tried.removesuffix(".0") == lowest


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "requirements-pytest-lowest.lock", "tests/clients/node/package-lock.json"]
)
def test_a_lock_names_hashes_and_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "sha256:" in text or '"integrity": "sha512-' in text
    for trace in ("index-url", "find-links", '"resolved"', "registry"):
        assert trace not in text
