"""What all tests share: pytest inside pytest, hypothesis without a clock, a provider of our own making.

And how several workers share the tests: whole files, so that what a module's fixtures start is started once. The mark
`xdist_group` would say it file by file, but pytest-xdist 3.8 puts the group into an attribute that pytest 9.2 no longer
reads.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from conformance import loading
from conformance.documents.library import SPECS
from conformance.loading import Specs, load

pytest_plugins = ["pytester"]

TOGETHER = {
    "tests/clients/test_chromium.py": "browser",
    "tests/clients/test_in_a_page.py": "browser",
    "tests/clients/test_recorded_traffic.py": "browser",
    "tests/test_project.py": "wheel",
    "tests/test_wheel.py": "wheel",
}
"""Files that one worker has, one after the other: two browsers are too much for two cores, two builds write one folder."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals out whole files, those that stand together to one worker."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return TOGETHER.get(file, file)

    return Together(config, log)


@pytest.fixture(scope="module", autouse=True)
def one_worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """While a worker has tests that stand together, no other has."""
    file = request.path.relative_to(request.config.rootpath).as_posix()
    if file not in TOGETHER or "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    mine = tmp_path_factory.getbasetemp().parent / f"{TOGETHER[file]}.worker"
    try:
        mine.touch(exist_ok=False)
    except FileExistsError:
        pytest.fail(f"expected one worker for all of {TOGETHER[file]!r}; another one has tests of it too")
    yield
    mine.unlink()


def pytest_collection_finish() -> None:
    """From here on garbage is looked for among what the tests make: all of them, collected, are 800,000 objects that stay.

    To go over those takes half a second on a quiet machine, and while it lasts no mock in this process answers; at the
    end of a session it took longer than the five seconds that xdist's workers have to end in.
    """
    gc.freeze()


# Two busy cores make any deadline a coin toss.
settings.register_profile("project", deadline=None, print_blob=True)
settings.load_profile("project")


@dataclass(frozen=True)
class Example:
    """A folder with the provider that specs/README.md teaches the format by, to be changed at will."""

    folder: Path

    def path(self, name: str) -> Path:
        """The file called `name`: `chat` for contracts/chat.yaml, `shapes/parrot`, ..."""
        return self.folder / f"{name if '/' in name else f'contracts/{name}'}.yaml"

    def change(self, name: str, old: str, new: str) -> None:
        """Puts `new` where the file says `old`, which it has to say once."""
        text = self.path(name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: expected {old!r} once, got it {text.count(old)} times"
        self.path(name).write_text(text.replace(old, new), encoding="utf-8")

    def line(self, name: str, text: str) -> int:
        """The number of the first line of the file that has `text`."""
        lines = self.path(name).read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def load(self) -> Specs:
        """The example's own files, loaded beside those of the package."""
        specs = load([self.folder])
        return replace(
            specs,
            providers={key: each for key, each in specs.providers.items() if key == "parrot"},
            contracts={
                key: each for key, each in specs.contracts.items() if key.startswith(("parrot/", "common/"))
            },
            cards=tuple(card for card in specs.cards if card.path.is_relative_to(self.folder)),
            folders=(self.folder,),
        )


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    """The example of specs/README.md as files; beside it only the common contract is loaded, which takes no time."""
    found = Example(tmp_path / "parrot")
    text = (SPECS / "README.md").read_text(encoding="utf-8")
    for name, content in re.findall(r"```yaml\n# (\S+)\n(.*?)```", text, re.DOTALL):
        path = found.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    small = tmp_path / "specs"
    for part in ("schema", "contracts/common"):
        shutil.copytree(SPECS / part, small / part)
    monkeypatch.setattr(loading, "SPECS", small)
    return found


@pytest.fixture
def start() -> Iterator[Callable[[Any], Any]]:
    """Starts a provider of Chat Completions that is made of the function given (`tests.asked`)."""
    from tests.asked import Provider

    running: list[Provider] = []

    def begin(answer: Any) -> Provider:
        running.append(Provider(answer))
        return running[-1]

    yield begin
    for each in running:
        each.close()


@pytest.fixture
def mock() -> Iterator[Callable[..., Any]]:
    """Starts a mock in this process, as its options say."""
    from mockserver.embedded import Running
    from mockserver.embedded import start as serve

    begun: list[Running] = []

    def begin(**options: Any) -> Running:
        begun.append(serve(**{"auth": "strict", **options}))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()
