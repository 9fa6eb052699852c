"""Frozen rule sets: what is kept of a rule, and what is said when it demands something else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.documents.document import SpecError
from conformance.loading import load
from conformance.runs.rulesets import demands, digest, find, freeze, problems, read_set
from conformance.target import UsageError

if TYPE_CHECKING:
    from tests.conftest import Example

TODAY = date(2026, 11, 22)


def frozen(example: Example, name: str = "1.0") -> Path:
    path = example.folder / "rulesets" / f"{name}.yaml"
    freeze(example.load(), name, TODAY, path)
    return path


def dropped(example: Example, path: Path) -> dict[str, str]:
    specs = example.load()
    return dict(read_set(path).dropped(specs.of("parrot")))


def test_nothing_is_dropped_on_the_day_of_the_freeze(example: Example) -> None:
    path = frozen(example)
    assert dropped(example, path) == {}
    rules = read_set(path).rules["parrot/chat"]
    assert set(rules) == {
        rule.id for rule in example.load().contracts["parrot/chat"].rules.values() if rule.not_checked is None
    }
    assert list(problems(example.load())) == []


def test_a_frozen_set_is_not_written_again(example: Example) -> None:
    path = frozen(example)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"1\.0 is frozen already"):
        frozen(example)
    assert path.read_bytes() == before


def test_the_same_rules_have_the_same_digests_wherever_they_stand(example: Example, tmp_path: Path) -> None:
    import shutil

    first = frozen(example).read_text()
    moved = replace(example, folder=tmp_path / "elsewhere" / "deep")
    shutil.copytree(example.folder, moved.folder)
    (moved.folder / "rulesets" / "1.0.yaml").unlink()
    assert frozen(moved).read_text() == first


def test_a_rule_that_demands_something_else_is_dropped_and_lint_says_where(example: Example) -> None:
    path = frozen(example)
    contract = example.load().contracts["parrot/chat"]
    rule = next(each for each in contract.rules.values() if not each.implied and each.not_checked is None)
    other = replace(rule, arguments={**rule.arguments, "more": 1})
    assert demands(contract, other) != demands(contract, rule)
    text = path.read_text()
    path.write_text(text.replace(demands(contract, rule), "0" * 12))
    why = dropped(example, path)
    assert why[rule.name] == "it demands something else than in 1.0"
    told = next(each for each in problems(example.load()) if rule.name in each)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if f"    {rule.id}:" in each)
    assert told.startswith(f"{path}:{line}: {rule.name}: it demands something else")
    assert "give the new demand a new id" in told


def test_a_shape_behind_a_reference_counts(example: Example) -> None:
    path = frozen(example)
    shapes = example.path("shapes/parrot")
    text = shapes.read_text()
    assert "type: string" in text
    shapes.write_text(text.replace("type: string", "type: string, maxLength: 99999"))
    changed = [name for name, why in dropped(example, path).items() if "something else" in why]
    assert any(name.endswith(":shape") for name in changed), changed


def test_words_for_people_do_not_count(example: Example) -> None:
    path = frozen(example)
    contract = example.load().contracts["parrot/chat"]
    rule = next(each for each in contract.rules.values() if not each.implied and each.not_checked is None)
    assert demands(contract, replace(rule, text="Another sentence.")) == demands(contract, rule)
    assert demands(contract, replace(rule, level="should")) == demands(contract, rule)
    assert dropped(example, path) == {}


def test_a_rule_that_is_gone_and_one_that_is_new_are_told_apart(example: Example) -> None:
    path = frozen(example)
    rules = read_set(path).rules["parrot/chat"]
    old, new = next(iter(rules)), list(rules)[-1]
    text = path.read_text()
    path.write_text(text.replace(f"    {new}: [", "    used-to-be: ["))
    why = dropped(example, path)
    assert why["parrot/chat:used-to-be"] == "it was in 1.0 and is gone"
    assert why[f"parrot/chat:{new}"] == "newer than 1.0"
    assert f"parrot/chat:{old}" not in why


def test_the_level_of_the_set_counts(example: Example) -> None:
    path = frozen(example)
    contract = example.load().contracts["parrot/chat"]
    rule = next(each for each in contract.rules.values() if each.level == "must")
    path.write_text(path.read_text().replace(f"    {rule.id}: [must,", f"    {rule.id}: [should,"))
    assert read_set(path).level(contract, rule) == "should"


def test_a_set_is_found_by_name_or_by_file(example: Example) -> None:
    path = frozen(example)
    assert find(example.load(), "1.0") == find(example.load(), str(path))
    with pytest.raises(UsageError, match=r"expected a file or one of 1\.0; got '2\.0'"):
        find(example.load(), "2.0")


def test_a_file_that_is_no_rule_set_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("ruleset: 2026.1\nfrozen: '2026-11-22'\nversion: 0.1.0\nrules: {}\n")
    with pytest.raises(SpecError, match=r"x\.yaml:1: /ruleset: expected"):
        read_set(path)


def test_every_shipped_rule_can_be_frozen(tmp_path: Path) -> None:
    specs = load()
    rules = [each for each in specs.rules() if each.not_checked is None]
    assert freeze(specs, "all", TODAY, tmp_path / "all.yaml") == len(rules) > 500
    assert sum(map(len, read_set(tmp_path / "all.yaml").rules.values())) == len(rules)


def test_the_digest_of_the_specs_changes_with_a_file_and_with_nothing_else(example: Example) -> None:
    before = digest(example.load())
    assert digest(example.load()) == before and len(before) == 16
    example.path("chat").write_text(example.path("chat").read_text() + "# a word more\n")
    assert digest(example.load()) != before
