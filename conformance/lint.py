"""What the loader cannot see: names that lead nowhere, orders that do not compile, examples that
break their own contract. And a contract printed with the origin of each line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from conformance.contract import SPECS, Contract, Provider, Rule, Specs
from conformance.document import line_of, read
from conformance.exchange import Request, Response
from conformance.framing import named
from conformance.judge import (
    header_mismatches,
    judge_request,
    order_mismatches,
    shape_mismatches,
    status_mismatches,
)
from conformance.order import order
from conformance.rules import CHECKS

NEEDED_CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "size": ("body-too-large",),
    "content-type": ("unsupported-content-type",),
    "json": ("body-not-json",),
    "headers": ("request-headers",),
    "shape": ("request-shape",),
    "model": ("unknown-model",),
    "api": ("model-lacks-api",),
    "region": ("region-not-offered",),
    "tier": ("tier-not-offered",),
    "features": ("prompt-caching-not-offered",),
    "modality": ("input-modality",),
    "media": ("media-unreadable",),
    "tools": ("tool-ids-mismatch",),
    "cap": ("output-cap-exceeded",),
    "context": ("context-overflow",),
    "state": ("unknown-response",),
}
"""The conditions that each check can end in, and that some error has to answer."""


def problems(specs: Specs) -> Iterator[str]:
    """Every problem as `file:line: what`."""
    for provider in specs.providers.values():
        yield from _provider(provider)
    for contract in specs.contracts.values():
        if not contract.abstract:
            yield from _contract(contract)


def _at(path: Path, pointer: str, text: str) -> str:
    return f"{path}:{line_of(path, pointer) or 1}: {text}"


def _provider(provider: Provider) -> Iterator[str]:
    unknown = provider.said.get("unknown_path")
    if unknown is not None and unknown not in provider.failures:
        yield _at(
            provider.path, "/unknown_path", f"unknown_path: expected one of the errors, got {unknown!r}"
        )


def _contract(contract: Contract) -> Iterator[str]:
    yield from _compiles(contract)
    yield from _errors(contract)
    for rule in contract.rules.values():
        yield from _rule(contract, rule)
    for name, probe in contract.probes.items():
        for step, said in probe["steps"].items():
            expect = said.get("expect")
            if isinstance(expect, Mapping) and expect["error"] not in contract.failures:
                yield _at(contract.path, f"/probes/{name}", f"step {step}: no error {expect['error']!r}")
    for name, exchange in contract.exchanges.items():
        for found in exchange_mismatches(contract, exchange):
            yield _at(contract.path, f"/exchanges/{name}", f"exchange {name} breaks its contract: {found}")


def _compiles(contract: Contract) -> Iterator[str]:
    for what in (
        "request_shape",
        "request_headers",
        "parameters",
        "when",
        "response_shape",
        "response_headers",
        "event_shapes",
    ):
        try:
            getattr(contract, what)
        except Exception as error:
            yield _at(contract.path, "/request", f"{what} does not compile: {str(error).splitlines()[0]}")
    text = contract.response.get("order")
    if text is not None:
        try:
            names = order(text).names()
        except ValueError as error:
            yield _at(contract.path, "/response/order", str(error))
            return
        for name in names - set(contract.response.get("events", {})):
            yield _at(
                contract.path, "/response/order", f"order names {name!r}, which is not among the events"
            )


def _errors(contract: Contract) -> Iterator[str]:
    conditions = {when["condition"] for failure in contract.failures.values() for when in failure.when}
    for check in contract.checks:
        for condition in NEEDED_CONDITIONS.get(check, ()):
            if condition not in conditions:
                yield _at(
                    contract.path,
                    "/contract",
                    f"check {check!r} can end in {condition!r}, and no error answers it",
                )


def _rule(contract: Contract, rule: Rule) -> Iterator[str]:
    where = f"/rules/{rule.id}"
    if rule.not_checked is not None or rule.implied:
        return
    if rule.check not in CHECKS:
        known = ", ".join(sorted(CHECKS))
        yield _at(contract.path, where, f"rule {rule.id}: no check {rule.check!r}; there are {known}")
        return
    try:
        inspect.signature(CHECKS[rule.check]).bind(None, **rule.arguments)
    except TypeError as error:
        yield _at(contract.path, where, f"rule {rule.id}: check {rule.check}: {error}")
    error_name = rule.arguments.get("error")
    if error_name is not None and error_name not in contract.failures:
        yield _at(contract.path, where, f"rule {rule.id}: no error {error_name!r}")
    for operation in rule.broken_by:
        if "instead" in operation and operation["instead"] not in contract.exchanges:
            yield _at(contract.path, where, f"rule {rule.id}: no exchange {operation['instead']!r}")
        if "refuse" in operation and operation["refuse"] not in contract.failures:
            yield _at(contract.path, where, f"rule {rule.id}: no error {operation['refuse']!r}")
        for check in operation.get("skip", ()):
            if check not in contract.checks:
                yield _at(contract.path, where, f"rule {rule.id}: skips {check!r}, which is not checked here")
    for other in rule.also:
        if other not in contract.rules:
            yield _at(contract.path, where, f"rule {rule.id}: also names {other!r}, which is no rule here")


def exchange_mismatches(contract: Contract, exchange: Mapping[str, Any]) -> Iterator[Any]:
    """Where a worked example is not what its contract demands."""
    asked, said = exchange["request"], exchange["response"]
    headers = tuple((str(key), str(value)) for key, value in asked.get("headers", {}).items())
    parameters = contract.match_path(asked["target"].partition("?")[0])
    if parameters is None:
        yield f"its target {asked['target']!r} is no path of the contract"
        return
    if said["status"] != contract.response["status"]:
        return
    yield from judge_request(
        contract, Request(contract.method, asked["target"], headers), asked.get("body"), parameters
    )
    events = None
    if "events" in said:
        events = tuple(named(contract, each.get("name"), each["data"]) for each in said["events"])
    given = {**_sent(contract), **said.get("headers", {})}
    response = Response(said["status"], tuple(given.items()), (), body=said.get("body"), events=events)
    yield from status_mismatches(contract, response)
    if "headers" in said:
        yield from header_mismatches(contract, response)
    yield from shape_mismatches(contract, response)
    yield from order_mismatches(contract, response)


def _sent(contract: Contract) -> dict[str, str]:
    content_type = contract.response.get("content_type")
    return {"Content-Type": content_type} if content_type else {}


def shown(specs: Specs, contract: Contract, folders: Sequence[str] = ()) -> Iterator[str]:
    """The resolved contract as YAML, each line with the file and line it came from."""
    chain = list(_chain(specs, contract))
    lines: dict[Path, dict[str, int]] = {path: _positions(path) for path, _ in chain}
    for text, pointer in _dump(contract.said, "", 0):
        origin = ""
        for path, _ in chain:
            if pointer in lines[path]:
                origin = f"{_short(path)}:{lines[path][pointer]}"
                break
        yield f"{text:<100}  # {origin}" if origin else text


def _chain(specs: Specs, contract: Contract) -> Iterator[tuple[Path, Any]]:
    name: str | None = contract.id
    while name is not None:
        each = specs.contracts[name]
        said = read(each.path)
        yield each.path, said
        name = said.get("extends")


def _short(path: Path) -> str:
    return path.relative_to(SPECS).as_posix() if path.is_relative_to(SPECS) else str(path)


def _positions(path: Path) -> dict[str, int]:
    """The line of every member of a file, by JSON pointer."""
    found: dict[str, int] = {}

    def walk(node: Any, pointer: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = f"{pointer}/{str(key.value).replace('~', '~0').replace('/', '~1')}"
                found[here] = key.start_mark.line + 1
                walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                found[f"{pointer}/{index}"] = value.start_mark.line + 1
                walk(value, f"{pointer}/{index}")

    walk(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), "")
    return found


def _dump(value: Any, pointer: str, depth: int) -> Iterator[tuple[str, str]]:
    pad = "  " * depth
    for key, child in value.items() if isinstance(value, Mapping) else enumerate(value):
        here = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
        head = f"{pad}{key}:" if isinstance(value, Mapping) else f"{pad}-"
        if isinstance(child, Mapping | list) and child and len(_flow(child)) + len(head) > 96:
            yield head, here
            yield from _dump(child, here, depth + 1)
        else:
            yield f"{head} {_flow(child)}", here


def _flow(value: Any) -> str:
    if isinstance(value, str) and value.startswith("spec://"):
        value = re.sub(rf"^spec://{re.escape(SPECS.resolve().as_posix())}/", "", value)
    text = yaml.safe_dump(
        _relative(value), default_flow_style=True, width=100_000, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _relative(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(f"spec://{SPECS.resolve().as_posix()}/", "")
    if isinstance(value, Mapping):
        return {key: _relative(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_relative(child) for child in value]
    return value
