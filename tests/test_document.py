"""Strict YAML: what is refused, at which line, and what a pointer's line is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conformance.documents.document import SpecError, line_of, lines, read
from conformance.documents.library import SPECS

VALUES: list[tuple[str, Any]] = [
    ("true", True),
    ("false", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("'no'", "no"),
    ('"on"', "on"),
    ("y", "y"),
    ("n", "n"),
    ("2026-09-01", "2026-09-01"),
    ("2026-09-01 10:30:00", "2026-09-01 10:30:00"),
    ("'10:30'", "10:30"),
    ("0", 0),
    ("-7", -7),
    ("+7", 7),
    ("1_000", 1000),
    ("0x1F", 31),
    ("'017'", "017"),
    ("0.5", 0.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("-1.5E-3", -0.0015),
    ("1.44.5", "1.44.5"),
    ("128K", "128K"),
    ("=", "="),
    ("<", "<"),
    ("'<<'", "<<"),
    ("!!str 3", "3"),
    ("🦜", "🦜"),
]

TRAPS: list[tuple[str, str]] = [
    *(
        (word, f"expected true, false or a quoted string, got {word} (YAML 1.1 truth)")
        for word in ("no", "No", "NO", "yes", "Yes", "on", "On", "ON", "off", "OFF", "True", "TRUE", "False")
    ),
    *(
        (
            word,
            f"expected a plain number or a quoted string, got {word} (YAML 1.1 reads it in base 60, 8 or 2)",
        )
        for word in ("017", "-017", "00", "09", "0o17", "0b101", "1:30", "08:30", "190:20:30")
    ),
    ("1:30.5", "expected a plain number or a quoted string, got 1:30.5 (YAML 1.1 reads it in base 60)"),
    *(
        (word, f"expected a plain number or a quoted string, got {word} (JSON has no such number)")
        for word in (".inf", "-.inf", ".nan", "1e999")
    ),
    ("!!binary aGk=", "expected a value without a tag, got 'tag:yaml.org,2002:binary'"),
    ("!!timestamp 2026-09-01", "expected a value without a tag, got 'tag:yaml.org,2002:timestamp'"),
    ("!!set {x}", "expected a value without a tag, got 'tag:yaml.org,2002:set'"),
    ("!secret x", "expected a value without a tag, got '!secret'"),
    (
        "!!python/object/apply:os.getcwd []",
        "expected a value without a tag, got 'tag:yaml.org,2002:python/object/apply:os.getcwd'",
    ),
    ("&a [*a]", "expected YAML, got found unconstructable recursive node"),
    ("&a {b: *a}", "expected YAML, got found unconstructable recursive node"),
    ("*nobody", "expected YAML, got found undefined alias"),
]

KEYS: list[tuple[str, str]] = [
    ("404", "expected a string as key, got 404: put it in quotes"),
    ("1.5", "expected a string as key, got 1.5: put it in quotes"),
    ("true", "expected a string as key, got True: put it in quotes"),
    ("null", "expected a string as key, got None: put it in quotes"),
    ("~", "expected a string as key, got None: put it in quotes"),
    ("[a]", "expected a string as key, got ['a']: put it in quotes"),
    ("{a: b}", "expected a string as key, got {'a': 'b'}: put it in quotes"),
    ("<<", "expected a plain key, got a merge key (<<)"),
    ("on", "expected true, false or a quoted string, got on (YAML 1.1 truth)"),
    ("no", "expected true, false or a quoted string, got no (YAML 1.1 truth)"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


def refusal(file: Path, text: str) -> SpecError:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        read(file)
    return raised.value


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_scalar_is_what_it_seems_to_be(file: Path, text: str, value: Any) -> None:
    file.write_text(f"before: 1\nkey: {text}\nlist: [{text or 'null'}]\n", encoding="utf-8")
    got = read(file)
    assert got == {"before": 1, "key": value, "list": [value]}
    assert type(got["key"]) is type(value)


@pytest.mark.parametrize(("text", "says"), TRAPS)
def test_a_trap_is_an_error_with_its_line(file: Path, text: str, says: str) -> None:
    error = refusal(file, f"before: 1\nthere:\n  key: {text}\n")
    assert str(error) == f"{file}:3: {says}"
    assert (error.path, error.line, error.message) == (str(file), 3, says)


@pytest.mark.parametrize(("text", "says"), TRAPS[:1] + TRAPS[13:14])
def test_a_trap_in_a_list_is_an_error_too(file: Path, text: str, says: str) -> None:
    assert str(refusal(file, f"list:\n- good\n- {text}\n")) == f"{file}:3: {says}"


@pytest.mark.parametrize(("key", "says"), KEYS)
def test_a_key_that_is_no_string_is_an_error_with_its_line(file: Path, key: str, says: str) -> None:
    assert str(refusal(file, f"before: 1\nthere:\n  ? {key}\n  : {{a: b}}\n")) == f"{file}:3: {says}"


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: 2\na: 3\n", 3), ("a:\n  b: 1\n  c: {d: 1, d: 1}\n", 3), ("a: 1\n'a': 1\n", 2)],
)
def test_a_key_that_stands_twice_is_an_error_at_the_second(file: Path, text: str, line: int) -> None:
    error = refusal(file, text)
    assert error.line == line
    assert error.message.startswith("duplicate key ") and error.message.endswith(": write it once")


def test_the_same_key_may_stand_in_two_places(file: Path) -> None:
    file.write_text("a: {x: 1}\nb: {x: 1}\n", encoding="utf-8")
    assert read(file) == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: [1,\n", 3, "expected YAML, got "),
        ("a: 1\n\tb: 2\n", 2, "expected YAML, got "),
        ("a: 1\n---\nb: 2\n", 2, "expected YAML, got but found another document"),
        ("a: b: c\n", 1, "expected YAML, got mapping values are not allowed in this context"),
        ("a: \x01\n", None, "expected YAML, got "),
        ("a:\n\tb: 1\n", 2, "expected YAML, got a tab: indent with spaces"),
    ],
)
def test_text_that_is_no_yaml_is_an_error(file: Path, text: str, line: int | None, says: str) -> None:
    error = refusal(file, text)
    assert error.line == line
    assert error.message.startswith(says)


def test_a_file_that_is_not_there_or_no_utf8_is_an_error(file: Path) -> None:
    with pytest.raises(SpecError, match="expected a UTF-8 YAML file, got "):
        read(file)
    file.write_bytes(b"b: 1\na: \xff\n")
    with pytest.raises(SpecError, match="yaml:2: expected a UTF-8 YAML file, got the byte 0xff"):
        read(file)


def test_an_empty_file_is_null(file: Path) -> None:
    file.write_text("# nothing\n", encoding="utf-8")
    assert read(file) is None
    assert line_of(file, "/a") is None


def test_an_anchor_repeats_a_value(file: Path) -> None:
    file.write_text("a: &x {k: [1]}\nb: *x\n", encoding="utf-8")
    assert read(file) == {"a": {"k": [1]}, "b": {"k": [1]}}


ADDRESSED = """\
# a comment
top:
  a/b: 1
  c~d:
    - first
    - inner: {flow: 1,
              late: 2}
'200': &x
  deep: {x: 1}
again: *x
"""

LINES = [
    ("", 2),
    ("/top", 2),
    ("/top/a~1b", 3),
    ("/top/c~0d/0", 5),
    ("/top/c~0d/1", 6),
    ("/top/c~0d/1/inner/late", 7),
    ("/200/deep/x", 9),
    ("/again", 10),
    ("/again/deep", 9),
    ("/top/nothing/there", 2),
    ("/top/c~0d/7", 4),
    ("/nowhere", 2),
]


@pytest.mark.parametrize(("pointer", "line"), LINES)
def test_a_pointer_has_the_line_of_its_member_or_of_the_nearest_above(
    file: Path, pointer: str, line: int
) -> None:
    file.write_text(ADDRESSED, encoding="utf-8")
    assert line_of(file, pointer) == line


def test_every_member_has_a_line(file: Path) -> None:
    file.write_text("a:\n- b: 1\n  c: []\n", encoding="utf-8")
    assert lines(file) == {"": 1, "/a": 1, "/a/0": 2, "/a/0/b": 2, "/a/0/c": 3}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(
        st.characters(
            exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85\ufeff\ufffe\uffff"
        )
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abñ/~<* ", max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(json_values)
def test_json_reads_as_what_json_says(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    assert read(file) == value


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_pyyaml_as_it_is_and_without_libyaml_reads_our_files_the_same(path: Path) -> None:
    """But for dates, which stay strings with us."""

    class DatesAsText(yaml.SafeLoader):
        yaml_implicit_resolvers: ClassVar[Any] = {
            first: [each for each in table if each[0] != "tag:yaml.org,2002:timestamp"]
            for first, table in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    assert read(path) == yaml.load(path.read_text(encoding="utf-8"), DatesAsText)
