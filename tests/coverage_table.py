"""docs/coverage.md: every member of every request of bedrock-runtime and every error, with the test that covers it.

Members and errors are read off the contracts in specs/; which test asks for them is made by the tests' own
lists, and tests/coverage.yaml says the rest. `python tests/coverage_table.py` writes the page;
tests/test_coverage.py holds it to the files and finds what is covered by nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from conformance.contract import Contract
from conformance.loading import Specs, load

ROOT = Path(__file__).resolve().parent.parent


def module(path: str) -> Any:
    """A file of tests as a module: the folder is no package."""
    name = f"coverage_of_{Path(path).stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


test_bedrock_members = module("test_bedrock_members.py")
PAGE = ROOT / "docs" / "coverage.md"
SAID: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "coverage.yaml").read_text(encoding="utf-8")
)
MEMBER_TEST = "tests/test_bedrock_members.py::test_a_member_is_taken_as_modelled_and_refused_otherwise"
ERROR_TEST = "tests/clients/test_boto3.py::TestErrors::test_each_error_is_raised_as_botocore_models_it"
STREAM_TEST = (
    "tests/clients/test_boto3.py::TestErrors::"
    "test_each_error_inside_a_stream_is_raised_after_the_events_before_it"
)
STREAMS = {
    "converse-stream": "converse",
    "invoke-model-stream": "invoke-model",
    "invoke-model-text-stream": "invoke-model-text",
}
"""Contracts whose members do what those of the plain form do."""


SHORT = {MEMBER_TEST: "member", ERROR_TEST: "error", STREAM_TEST: "in-stream"}
"""How the page calls the tests that stand in it hundreds of times."""


def _short(test: str) -> str:
    name, bracket, parameters = test.partition("[")
    return SHORT.get(name, name.removeprefix("tests/")) + bracket + parameters


@dataclass(frozen=True)
class Row:
    """A member or an error: its name, what is said of it, its tests, and why there is none."""

    contract: str
    name: str
    says: str
    tests: tuple[str, ...]
    reason: str = ""

    @property
    def line(self) -> str:
        tests = [f"`{_short(test)}`" for test in self.tests]
        told = "<br>".join([*tests, *([self.reason] if self.reason else [])])
        return f"| `{self.name}` | {self.says} | {told} |"


@cache
def specs() -> Specs:
    """The specs of this checkout."""
    return load()


@cache
def contracts() -> dict[str, Contract]:
    """The operations of bedrock-runtime that botocore models, by their short names."""
    modelled = {*test_bedrock_members.OPERATIONS.values(), *STREAMS, *STREAMS.values()}
    return {
        each.id.partition("/")[2]: each
        for each in specs().contracts.values()
        if each.id.partition("/")[0] == "bedrock-runtime" and each.id.partition("/")[2] in modelled
    }


def members(contract: Contract) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The path of every member of a request, with its schema: body, `path:`, `header:` and `query:`."""
    for name, schema in contract.request.get("parameters", {}).items():
        yield f"path:{name}", resolved(contract, schema)
    for place, word in (("headers", "header"), ("query", "query")):
        for name, schema in resolved(contract, contract.request.get(place)).get("properties", {}).items():
            yield f"{word}:{name}", resolved(contract, schema)
    yield from _below(contract, contract.request.get("body"), "")


def _below(contract: Contract, schema: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    said = resolved(contract, schema)
    for name, child in said.get("properties", {}).items():
        yield f"{path}{name}", resolved(contract, child)
        yield from _below(contract, child, f"{path}{name}/")
    for word in ("items", "additionalProperties"):
        if isinstance(said.get(word), Mapping):
            yield from _below(contract, said[word], f"{path}*/")
    for form in said.get("oneOf", ()):
        seen = set(said.get("properties", {}))
        yield from ((name, each) for name, each in _below(contract, form, path) if name not in seen)


def resolved(contract: Contract, schema: Any) -> Mapping[str, Any]:
    """The schema with its $ref followed."""
    said = dict(schema or {})
    while "$ref" in said:
        said = {**contract.definition(said.pop("$ref")), **said}
    return said


def says(schema: Mapping[str, Any]) -> str:
    """Its bounds in a few words."""
    words = [str(schema["type"])] if isinstance(schema.get("type"), str) else []
    if "enum" in schema:
        words.append(f"one of {len(schema['enum'])}")
    names = ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "minProperties", "maxProperties")  # fmt: skip
    words += [f"{name} {schema[name]}" for name in names if name in schema]
    return ", ".join([*words, *(["pattern"] if "pattern" in schema else [])]) or "any"


def member_rows() -> Iterator[Row]:
    """Every member once for each contract."""
    operations = {ours: theirs for theirs, ours in test_bedrock_members.OPERATIONS.items()}
    asked = {each.id: each for each in test_bedrock_members.MEMBERS if each.place != "raw"}
    places = _places(asked)
    for name, contract in contracts().items():
        plain = STREAMS.get(name, name)
        known: dict[str, Mapping[str, Any]] = {}
        for path, schema in members(contract):
            known.setdefault(path, schema)
        for path, schema in known.items():
            tests, reason = [], ""
            shape = places.get((operations.get(name, operations.get(plain, "")), path))
            if shape is not None:
                tests.append(f"{MEMBER_TEST}[{shape}]")
            elif said := SAID["shapes"].get(plain):
                tests.append(said["test"])
            found = behaviour(f"{plain}/{path}")
            if found is not None:
                tests += [found["test"]] if "test" in found else []
                reason = found.get("reason", "")
            yield Row(name, path, says(schema), tuple(tests), reason)


def _places(asked: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Where each modelled member stands in our YAML: (operation, path) -> the id of its test."""
    found = {}
    words = {"uri": "path:", "header": "header:", "querystring": "query:"}
    for id, member in asked.items():
        path = "/".join(member.path)
        if member.place in words:
            shape = test_bedrock_members.MODEL.operation_model(member.operation).input_shape
            wire = str(shape.members[member.path[0]].serialization["name"])
            path = words[member.place] + (wire.lower() if member.place == "header" else wire)
        found[member.operation, path] = id
    return found


def behaviour(path: str) -> Mapping[str, str] | None:
    """What coverage.yaml says of the longest beginning of the path."""
    steps = path.split("/")
    for end in range(len(steps), 0, -1):
        found: Mapping[str, str] | None = SAID["behaviour"].get("/".join(steps[:end]))
        if found is not None:
            return found
    return None


def error_rows() -> Iterator[Row]:
    """Every error once for each contract."""
    for name, contract in contracts().items():
        for failure in contract.failures.values():
            said = SAID["errors"].get(f"{name}/*") or SAID["errors"].get(f"*/{failure.id}")
            told = f"{failure.status} {failure.code or ''}".strip()
            if said is not None:
                tests = (said["test"],) if "test" in said else ()
                yield Row(name, failure.id, told, tests, said.get("reason", ""))
                continue
            made = [f"{ERROR_TEST}[{contract.id}:{failure.id}]"]
            if contract.streams and failure.in_stream:
                made.append(f"{STREAM_TEST}[{contract.id}:{failure.id}]")
            yield Row(name, failure.id, told, tuple(made))


@cache
def tests_in(path: str) -> frozenset[str]:
    """The tests of a file, `Class::name` or `name`."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(found)


def exists(test: str) -> bool:
    """Whether there is a test of that id, its parameters aside."""
    path, _, name = test.partition("[")[0].partition("::")
    return (ROOT / path).is_file() and (not name or name in tests_in(path))


def page() -> str:
    """The whole page."""
    lines = [
        "# What the tests of bedrock-runtime cover",
        "",
        "Made by `python tests/coverage_table.py` from specs/contracts/bedrock_runtime and tests/coverage.yaml; "
        "a test fails when it is old. Each member has the test of its shape (it is taken as botocore models it "
        "and refused otherwise) and the test of what it does, or the reason why nothing is to be seen. "
        "tests/test_botocore_model.py holds the same YAML against botocore's model, answers too.",
        "",
        *(f"- `{short}[...]` is `{test}[...]`" for test, short in SHORT.items()),
        "- files are those below `tests/`",
    ]
    for title, head, rows in (
        ("Members of requests", "member | bounds", [*member_rows()]),
        ("Errors", "error | status and code", [*error_rows()]),
    ):
        lines += ["", f"## {title}"]
        for name in contracts():
            own = [row for row in rows if row.contract == name]
            lines += ["", f"### {name}: {len(own)}", "", f"| {head} | covered by |", "|---|---|---|"]
            lines += [row.line for row in own]
    lines += ["", "## What clients rely on", "", "| promise | rules of the suite |", "|---|---|"]
    for promise, names in SAID["relies"].items():
        lines.append(f"| {promise} | {'<br>'.join(map(_rule, names))} |")
    return "\n".join(lines) + "\n"


def _rule(name: str) -> str:
    rule = specs().rule(name)
    return f"`{name}`" + (f" not asked: {rule.not_checked}" if rule.not_checked else "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
