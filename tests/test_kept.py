"""Specs kept between processes, and shared within one: found again only while no file has changed."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from weakref import WeakValueDictionary, ref

import pytest

from conformance import loading
from conformance.documents import kept, library
from conformance.documents.document import SpecError
from conformance.loading import load


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where specs are kept; nobody holds any yet, whatever the modules of other tests have loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(loading, "_LOADED", WeakValueDictionary())
    return tmp_path / "cache" / "provider-conformance"


def read_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that the loader reads from now on."""
    read: list[Path] = []
    genuine = library.read

    def noted(path: Path) -> object:
        read.append(path)
        return genuine(path)

    monkeypatch.setattr(library, "read", noted)
    return read


def test_a_second_load_reads_no_file_and_gives_the_same(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    first = {name: each.said for name, each in load().contracts.items()}
    assert list(cache.glob("specs-*.json"))
    read = read_files(monkeypatch)
    second = load()
    assert read == []
    assert {name: each.said for name, each in second.contracts.items()} == first
    body = second.contracts["bedrock-runtime/converse"].request_shape
    assert body is not None
    assert body.mismatches({"messages": 3})


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A card of the model `one`, in a folder of specs."""
    path = tmp_path / "specs" / "cards" / "one.yaml"
    path.parent.mkdir(parents=True)
    source = "{text: a page, sure: guess}"
    path.write_text(
        f"model: one\nname: One\ncards: {{shop: {{page: {source}, ids: {{puter: one}}, claims: {{}}}}}}\n"
    )
    return path


def test_a_changed_file_is_read_anew_and_refused_if_it_is_wrong(card: Path) -> None:
    folder = card.parent.parent
    assert any(each.model == "one" for each in load([folder]).cards)
    assert any(each.model == "one" for each in load([folder]).cards)
    card.write_text("model: one\n")
    os.utime(card, ns=(1, 1))
    with pytest.raises(SpecError, match=r"one\.yaml"):
        load([folder])
    with pytest.raises(SpecError, match=r"one\.yaml"):
        load([folder])


def test_a_cache_that_cannot_be_read_or_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    load()
    for path in cache.glob("specs-*.json"):
        path.write_text("{")
    assert load().contracts
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load().contracts


def test_only_the_newest_are_kept(cache: Path) -> None:
    for index in range(kept.KEPT + 3):
        kept.keep(f"{index:032}", {})
        os.utime(cache / f"specs-{index:032}.json", ns=(index + 1, index + 1))
    assert len(list(cache.glob("specs-*.json"))) == kept.KEPT
    assert kept.fetch(f"{kept.KEPT + 2:032}") == {}
    assert kept.fetch(f"{0:032}") is None


def test_shared_shapes_are_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    read = read_files(monkeypatch)
    shape = load().contracts["bedrock-runtime/converse"].request_shape
    assert shape is not None
    assert shape.mismatches([])
    assert read == []


def test_who_loads_what_somebody_holds_has_the_same_until_a_file_changes(card: Path) -> None:
    folder = card.parent.parent
    held = load([folder])
    assert load([folder]) is held
    assert load() is not held
    card.write_text(card.read_text().replace("model: one", "model: two"))
    os.utime(card, ns=(1, 1))
    changed = load([folder])
    assert [each.model for each in changed.cards if each.path == card] == ["two"]
    assert [each.model for each in held.cards if each.path == card] == ["one"]


def test_what_nobody_holds_is_not_held_by_us() -> None:
    forgotten = ref(load())
    gc.collect()
    assert forgotten() is None
