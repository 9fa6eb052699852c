"""The pytest plugin: options, and the hooks that hand over to `conformance.session` when asked.

Every pytest run on the machine loads this module, so beside pytest it imports only what the options are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.options import OF_A_RUN, OPTIONS
from conformance.suite import PROMISES, SHARED


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "provider conformance")
    for name in OF_A_RUN:
        group.addoption(f"--conformance-{name}", **OPTIONS[name])
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
    if _is_the_suite(file_path):
        from conformance.session import SuiteModule

        return [SuiteModule.from_parent(parent, path=file_path)]
    return collected


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # The module's name tells nothing: with --import-mode=importlib it is made of folders.
    if "conformance_case" in metafunc.fixturenames and _is_the_suite(metafunc.definition.path):
        from conformance.session import parametrize

        parametrize(metafunc)


def _is_the_suite(path: Path) -> bool:
    # The name first: resolving is a system call for each folder above each file that pytest looks at.
    return path.name == PROMISES.name and path.resolve() == PROMISES


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Names the folder that the workers of pytest-xdist share; whether the suite is asked for, they will say."""
    config: pytest.Config = node.config
    if not config.pluginmanager.has_plugin(_Home.NAME):
        config.pluginmanager.register(_Home(config), _Home.NAME)
    node.workerinput["conformance_folder"] = str(config.stash[SHARED])


class _Home:
    """The end of pytest-xdist that collects nothing: wakes up when a worker sends a finding home."""

    NAME = "conformance-home"

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.ids: Sequence[str] = ()
        config.stash[SHARED] = Path(tempfile.gettempdir(), f"conformance-{os.urandom(16).hex()}")
        if any(config.getoption(name) for name in vars(config.option) if name.startswith("conformance_")):
            from conformance.session import session_of

            # A usage error of a worker would be told as its crash.
            session_of(config)

    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        self.ids = ids

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        said = getattr(report, "conformance", None)
        if said is not None:
            from conformance.session import session_of

            session = session_of(self.config)
            # Of the ids alone nobody can say whose they are: outside the root folder a file is its bare name.
            session.expect(self.ids)
            self.ids = ()
            session.receive(said)
