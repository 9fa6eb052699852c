"""The pytest plugin: options, and the hooks that hand over to `conformance.session` when asked.

Every pytest run on the machine loads this module, so it imports nothing but pytest.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SUITE = Path(__file__).resolve().parent / "suite"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "provider conformance")
    group.addoption(
        "--conformance-provider",
        metavar="NAME",
        help="whom to ask: mock (every provider of specs/ at one mock; the default) or a provider of specs/",
    )
    group.addoption(
        "--conformance-endpoint-url",
        metavar="URL",
        help="where it is; without it an embedded mock is started",
    )
    group.addoption(
        "--conformance-model", metavar="ID", help="the model to ask; without it the seed model's card decides"
    )
    group.addoption("--conformance-region", metavar="REGION", help="the region to ask")
    group.addoption(
        "--conformance-api",
        metavar="GLOB",
        action="append",
        help="only contracts whose name matches, e.g. '*/converse*'",
    )
    group.addoption(
        "--conformance-specs",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder of YAML beside the shipped specs",
    )
    group.addoption(
        "--conformance-reality",
        choices=["documented", "observed"],
        help="which reality the embedded mock shows",
    )
    group.addoption("--conformance-report-dir", metavar="DIR", help="where report.json and report.html go")
    group.addoption(
        "--conformance-auth",
        choices=["strict", "lenient", "off"],
        help="how the embedded mock checks credentials (strict)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "conformance: a promise of a provider, from the shipped suite")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Collects the shipped suite whatever `python_files` says, and once."""
    collected = yield
    if file_path.parent == SUITE and file_path.name != "__init__.py" and file_path.suffix == ".py":
        from conformance.session import SuiteModule

        return [SuiteModule.from_parent(parent, path=file_path)]
    return collected


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if (
        "conformance_case" in metafunc.fixturenames
        and metafunc.module.__name__ == "conformance.suite.promises"
    ):
        from conformance.session import parametrize

        parametrize(metafunc)
