"""What stands in specs/: examples keep their contracts, rules say who says so, the README teaches what is there."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cli import main
from conformance.contract import Contract, Rule
from conformance.documents.document import read
from conformance.documents.library import KINDS, SPECS, files
from conformance.lint import AUTH_CONDITIONS, CONDITIONS, UNCHECKED, exchange_mismatches, problems
from conformance.loading import load
from conformance.mutants import run_mutants
from conformance.resolved import shown
from conformance.rules import CHECKS, OF_REFUSALS
from mockserver import answer, checks, telling

if TYPE_CHECKING:
    from tests.conftest import Example

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = load()
OPERATIONS = [each for each in SHIPPED.contracts.values() if not each.abstract]
README = (SPECS / "README.md").read_text(encoding="utf-8")
SCHEMA = {
    name: read(SPECS / "schema" / f"{name}.yaml") for name in ("common", "contract", "provider", "card")
}
SURE = SCHEMA["common"]["$defs"]["Sure"]["enum"]

EXCHANGES = [
    pytest.param(contract, exchange, id=f"{contract.id}:{name}")
    for contract in OPERATIONS
    for name, exchange in contract.exchanges.items()
]
RULES = [pytest.param(rule, id=rule.name) for rule in SHIPPED.rules()]


# Contracts


@pytest.mark.parametrize(("contract", "exchange"), EXCHANGES)
def test_an_exchange_keeps_its_contract(contract: Contract, exchange: Mapping[str, Any]) -> None:
    assert [str(found) for found in exchange_mismatches(contract, exchange)] == []


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_source_and_a_counterexample_or_a_reason_for_none(rule: Rule) -> None:
    assert rule.source["text"].strip()
    assert rule.source["sure"] in SURE
    assert rule.text.endswith(".") and "\n" not in rule.text
    assert rule.implied or bool(rule.broken_by) is not bool(rule.not_checked)


def test_every_check_is_asked_for_by_a_rule_but_for_two_that_only_specs_of_users_ask_for() -> None:
    asked_for = {rule.check for rule in SHIPPED.rules()}
    assert set(CHECKS) - asked_for == {"compact_json", "text_equals"}


def sources(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """The text of every source of a file."""
    if isinstance(value, dict):
        if set(value) <= {"text", "url", "sure"} and "sure" in value:
            yield at, value["text"]
        for key, child in value.items():
            yield from sources(child, f"{at}/{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from sources(child, f"{at}/{index}")


@pytest.mark.parametrize(
    "path",
    [path for kind in KINDS for path in files(SPECS, kind)],
    ids=lambda path: path.relative_to(SPECS).as_posix(),
)
def test_a_source_can_be_found_by_whoever_reads_the_file(path: Path) -> None:
    """Notes that are not in this repository are no source."""
    assert [
        (at, text) for at, text in sources(read(path)) if re.search(r"\b[a-z]+\.md\b|/work/|shared/", text)
    ] == []


# Facts stand in YAML

SHORTEST = 25


def words(value: Any) -> Iterator[str]:
    """The texts of an error, cut at their placeholders."""
    if isinstance(value, str):
        yield from (piece for piece in re.split(r"\{\w+\}", value) if len(piece) >= SHORTEST)
    elif isinstance(value, dict):
        for child in value.values():
            yield from words(child)
    elif isinstance(value, list):
        for child in value:
            yield from words(child)


def error_texts() -> set[str]:
    places = [provider.failures for provider in SHIPPED.providers.values()]
    places += [contract.failures for contract in OPERATIONS]
    return {
        text
        for failures in places
        for failure in failures.values()
        for part in (failure.body, dict(failure.headers), failure.in_stream)
        for text in words(part)
    }


def facts_in(source: str, texts: set[str]) -> list[tuple[int, str]]:
    """The string literals of a Python file that hold an error text, or are a piece of one: line and text."""
    return [
        (node.lineno, text)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and len(node.value.strip()) >= SHORTEST
        for text in texts
        if text in node.value or node.value.strip() in text
    ]


@pytest.mark.parametrize(
    "path",
    sorted(path for folder in ("conformance", "mockserver") for path in (ROOT / folder).rglob("*.py")),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_no_python_holds_an_error_text_of_a_provider(path: Path) -> None:
    assert facts_in(path.read_text(encoding="utf-8"), error_texts()) == []


def test_a_python_file_that_held_an_error_text_would_be_found() -> None:
    texts = error_texts()
    assert len(texts) > 50
    text = max(texts, key=len)
    assert [line for line, _ in facts_in(f"x = 1\ny = {text!r}\n", texts)]
    assert [line for line, _ in facts_in(f"raise X(f'{{a}} {text[5:40]}')\n".replace("\n", " "), texts)]
    assert facts_in("x = 'something that nobody ever said of an error'", texts) == []


# The README: its example


def test_the_example_of_the_readme_loads_without_a_problem(example: Example) -> None:
    specs = example.load()
    assert [contract.id for contract in specs.of("parrot")] == ["parrot/chat", "parrot/chat-stream"]
    assert list(problems(specs)) == []


def test_the_example_of_the_readme_is_shown(example: Example) -> None:
    specs = example.load()
    lines = list(shown(specs.contracts["parrot/chat-stream"], [str(example.folder)]))
    assert any(line.startswith("  order: chunk+ ") and "chat_stream.yaml:" in line for line in lines)
    assert any(line.startswith("  throttling:") and "providers/parrot.yaml:" in line for line in lines)


def test_the_example_of_the_readme_bites(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock keeps all of its rules, and each of them is found when it is broken, the observed one too."""
    monkeypatch.setattr("conformance.loading.SPECS", SPECS)
    outcome = run_mutants(load([example.folder]), ["parrot/*"])
    assert {mutant.rule.id for mutant in outcome.mutants} >= {
        "usage-adds-up",
        "too-hot-is-422",
        "too-much-is-413",
        "image-is-refused",
        "order",
    }
    assert [mutant.rule.name for mutant in outcome.survivors] == []
    assert [finding.text() for finding in outcome.clean_failures] == []
    assert outcome.sound


@pytest.mark.parametrize(
    "word", ["extends", "when", "order", "keyword", "with", "check", "broken_by", "scope", "needs", "also", "patch", "expect", "reality", "not_checked", "varies", "exchanges", "unknown_members", "stated", "read_as", "observed", "aliases", "send", "framing", "may_end_with"]
)  # fmt: skip
def test_the_example_of_the_readme_uses_every_word_that_it_has_to_teach(example: Example, word: str) -> None:
    said = "\n".join(path.read_text(encoding="utf-8") for path in example.folder.rglob("*.yaml"))
    assert re.search(rf"(^|[ {{]){word}:", said, re.MULTILINE)


@pytest.mark.parametrize(
    "command",
    re.findall(r"^    conformance (\w+ .*?)(?:   .*)?$", README.split("## Try it")[1], re.MULTILINE),
)
def test_a_command_of_the_readme_is_one(
    example: Example, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    arguments = [part.strip("'").replace("my-specs/", str(example.folder)) for part in command.split()]
    assert arguments[0] in ("lint", "show", "run", "mutants")
    if arguments[0] in ("lint", "show"):
        assert main(arguments) == 0
    else:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--help"])
        assert ended.value.code == 0
        usage = capsys.readouterr().out
        assert all(option in usage for option in arguments if option.startswith("--"))


# The README: its words


def untold(schema: Any, words: set[str], told: bool = False) -> Iterator[str]:
    """The members of a schema that the README does not name, and of which no description says what they are."""
    for key, value in schema.items() if isinstance(schema, dict) else ():
        if key == "properties":
            for name, member in value.items():
                here = told or "description" in member
                if not here and name not in words:
                    yield name
                yield from untold(member, words, here)
        elif key not in ("const", "enum", "default", "examples"):
            for each in value if isinstance(value, list) else [value]:
                yield from untold(each, words, told or (isinstance(each, dict) and "description" in each))


@pytest.mark.parametrize(
    "path",
    [path for path in (SPECS / "schema").glob("*.yaml") if path.stem != "run"],
    ids=lambda path: path.stem,
)
def test_every_key_of_the_format_is_taught_by_the_readme_or_described_in_its_schema(path: Path) -> None:
    assert list(untold(read(path), set(re.findall(r"[\w$-]+", README)))) == []


# The README: its tables


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = re.split(r"^## ", README, flags=re.MULTILINE)
    found = next(each for each in section if each.startswith(heading + "\n"))
    table = [line for line in found.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_table_of_checks_names_every_check_with_its_values() -> None:
    told = {named(check)[0]: (named(values), check.endswith(" R")) for check, values, _ in rows("Checks")}
    there = {
        name: (
            [
                parameter.name + ("" if parameter.default is parameter.empty else "?")
                for parameter in list(inspect.signature(function).parameters.values())[1:]
            ],
            name in OF_REFUSALS,
        )
        for name, function in CHECKS.items()
    }
    assert told == there


def test_the_table_of_conditions_is_that_of_lint() -> None:
    told = {check: named(conditions) for check, conditions in rows("Conditions")}
    there = {f"`{check}`": list(conditions) for check, conditions in CONDITIONS.items() if conditions}
    there |= {f"`auth`, scheme `{scheme}`": list(each) for scheme, each in AUTH_CONDITIONS.items()}
    there["no check"] = list(UNCHECKED)
    told["`auth`, scheme `puter`"].remove("refused_kinds")
    assert told.pop("`quota`") == told.pop("`funds`") == ["quotas"]
    assert told == there


def test_the_conditions_are_those_that_the_mock_can_refuse_with() -> None:
    assert set(CONDITIONS) == set(checks.CHECKS)
    source = "".join(map(inspect.getsource, (answer, checks, telling)))
    everywhere = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mockserver").rglob("*.py"))
    known = {condition for each in CONDITIONS.values() for condition in each} | set(UNCHECKED)
    assert {condition for condition in known if f'"{condition}"' not in everywhere} == set()
    refusals = {
        argument.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refusal"
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant)
    }
    assert refusals <= known


def test_the_table_of_operations_is_that_of_the_schema() -> None:
    operations = SCHEMA["common"]["$defs"]["Operation"]["properties"]
    told = {
        named(operation)[0]: named(members) for operation, members, _ in rows("Operations of `broken_by`")
    }
    assert told == {name: list(said.get("properties", ())) for name, said in operations.items()}


def test_the_table_of_steps_is_that_of_the_schema() -> None:
    assert [named(member)[0] for member, _ in rows("Steps of a probe")] == list(
        SCHEMA["contract"]["$defs"]["Step"]["properties"]
    )


def test_every_word_for_how_sure_a_source_is_stands_in_the_readme() -> None:
    told = re.search(r"`sure`, which is one of (.*?)\. What", README, re.DOTALL)
    assert told is not None
    assert sorted(named(told[1])) == sorted(SURE)


def test_the_implied_rules_stand_in_the_readme() -> None:
    contract = next(each for each in OPERATIONS if each.streams)
    implied = [rule.id for rule in contract.rules.values() if rule.implied]
    told = re.search(r"Five rules\nnobody has to write: (.*?);", README, re.DOTALL)
    assert told is not None
    assert named(told[1]) == implied


def test_a_rule_about_how_refusals_look_stands_beside_one_that_wants_the_refusal() -> None:
    """Where an answer comes instead, the first is not asked: somebody has to find it wrong."""
    for contract in OPERATIONS:
        wanting = {rule.probe for rule in contract.rules.values() if rule.check in OF_REFUSALS}
        for rule in contract.rules.values():
            if rule.scope == "refusal" and rule.not_checked is None:
                assert rule.probe in wanting, f"{contract.id}:{rule.id}"
