"""What the loader cannot see: names that lead nowhere, orders that do not compile, examples that
break their own contract."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.card import LISTS, cards_of
from conformance.contract import IMPLIED, Contract, Provider, Rule
from conformance.documents.document import SpecError, line_of, read
from conformance.documents.inheritance import SHAPED, bases_of
from conformance.documents.library import SPECS, Library, absolute, files
from conformance.exchange import Request, Response
from conformance.framing import named
from conformance.judge import (
    header_mismatches,
    judge_request,
    order_mismatches,
    shape_mismatches,
    status_mismatches,
)
from conformance.loading import Specs
from conformance.order import order
from conformance.resolved import relative
from conformance.rules import CHECKS
from conformance.runs import rulesets
from conformance.select import document, parts, select
from conformance.shapes import brief, pointer

CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "size": ("body-too-large",),
    "content-type": ("unsupported-content-type",),
    "json": ("body-not-json",),
    "headers": ("request-headers",),
    "shape": ("request-shape", "path-parameter", "unspoken-body"),
    "model": ("unknown-model", "missing-model"),
    "api": ("model-lacks-api", "profile-needed", "legacy-model"),
    "region": ("region-not-offered",),
    "tier": ("tier-not-offered",),
    "features": ("prompt-caching-not-offered",),
    "guardrail": ("unknown-guardrail",),
    "speech": ("output-modality",),
    "spoken": ("unknown-audio",),
    "modality": ("input-modality",),
    "media": (
        *("media-unreadable", "media-limit", "media-format", "address-not-offered"),
        *("media-unreachable", "media-unsupported"),
    ),
    "tools": ("tool-ids-mismatch", "tools-not-offered", "tools-not-streamed"),
    "calls": (
        *("orphan-tool-result", "unanswered-tool-call", "unacknowledged-safety-check"),
        *("altered-program", "unknown-program"),
    ),
    "traces": ("trace-alone",),
    "cap": ("output-cap-exceeded",),
    "context": ("context-overflow", "cap-beyond-context"),
    "state": (
        *("unknown-response", "unknown-conversation", "unknown-item", "exclusive-members"),
        *("background-unstored", "unreadable-compaction"),
    ),
    "auth": (),
    "quota": (),
    "funds": (),
}
"""The checks that a provider can list, and the conditions that each can end in; the first one needs an error.

Those of `auth` depend on the schemes, those of `quota` and `funds` stand in the provider's `quotas`.
"""

AUTH_CONDITIONS: Mapping[str, tuple[str, ...]] = {
    "bearer": ("missing-credentials", "bad-key-format", "unknown-key", "wrong-region", "expired-key"),
    "sigv4": (
        "missing-credentials",
        "incomplete-signature",
        "signature-expired",
        "signature-not-yet-current",
        "wrong-service",
        "wrong-scope-region",
        "unknown-access-key",
        "signature-mismatch",
    ),
    "puter": ("missing-credentials", "token-legacy-format", "token-wrong-signature"),
}
"""What each scheme of `auth` can end in, beside the conditions that its `refused_kinds` name."""

UNCHECKED = (
    *("unknown-path", "wrong-method", "broken-schema", "unknown-tool"),
    *("socket-transport", "socket-session", "socket-handshake", "socket-request", "socket-protocol"),
    *("socket-too-large", "no-token-yet"),
    *("unknown-job", "token-conflict", "bad-page"),
    *("unknown-response", "unknown-conversation", "unknown-item", "unknown-completion"),
    *("not-in-background", "not-streamed", "not-deletable"),
)
"""Conditions that need no check: nobody serves the path, or the model cannot do what is asked."""

POINTERS = ("at", "same_as", "of", "total", "deltas", "into", "index", "cost", "list", "parts", "names", "by")
STEPS = ("step", "to_step", "as_step", "shown", "control")
EVENTS = ("event", "start", "delta", "stop")
"""Arguments of checks by what they name."""

KINDS = (*LISTS, "api")
"""What stands before the colon in `needs: {offers: input:image}`."""


def problems(specs: Specs) -> Iterator[str]:
    """Every problem as `file:line: what`."""
    library = Library()
    shapes = [
        problem
        for folder in specs.folders
        for path in files(folder, "shapes")
        for problem in _shapes(path, library)
    ]
    yield from shapes
    for provider in specs.providers.values():
        yield from _provider(provider)
    yield from _cards(specs)
    yield from rulesets.problems(specs)
    claims = set(read(SPECS / "schema" / "card.yaml")["$defs"]["Card"]["properties"]["claims"]["properties"])
    operations = [each for each in specs.contracts.values() if not each.abstract]
    sound = not shapes
    right: set[int] = set()
    for contract in operations:
        broken = list(_compiles(contract, library, right, sound=not shapes))
        sound = sound and not broken
        yield from broken
        yield from _contract(specs, contract, claims)
    if sound:
        for contract in operations:
            yield from _exchanges(specs, contract)


def card_problems(path: Path, specs: Specs) -> Iterator[str]:
    """Every problem of one card's file by itself, such as the ones that a run writes, as `file:line: what`."""
    library = Library()
    try:
        said = read(path)
    except SpecError as error:
        yield str(error)
        return
    shape = library.shape({"$ref": library.uri(SPECS / "schema" / "card.yaml")})
    wrong = shape.mismatches(said)
    for found in wrong:
        yield _at(path, found.at, str(found))
    if not wrong:
        yield from _cards(replace(specs, cards=tuple(cards_of(path, said))))


def _at(path: Path, pointer: str, text: str) -> str:
    return f"{path}:{line_of(path, pointer) or 1}: {text}"


def _in(contract: Contract, pointer: str, text: str) -> str:
    path, line = contract.origin(pointer)
    return f"{path}:{line or 1}: {text}" + ("" if path == contract.path else f" (in {contract.id})")


# Shapes


def _shapes(path: Path, library: Library) -> Iterator[str]:
    try:
        whole = absolute(library.document(path), library.uri(path))
    except SpecError as error:
        yield str(error)
        return
    for name, schema in (whole or {}).get("$defs", {}).items():
        for where, text in _schema(schema, pointer(["$defs", name]), library):
            yield _at(path, where, text)


def _schema(schema: Any, at: str, library: Library) -> Iterator[tuple[str, str]]:
    """What is wrong with a schema, as (pointer, what): references that lead nowhere, words that are no schema."""
    nowhere = list(_nowhere(schema, at, library))
    yield from nowhere
    if nowhere or not _resolves(schema, library, set()):
        return
    try:
        library.compiled(schema)
    except Exception as error:
        where = at + pointer(getattr(error, "instance_path", ()))
        yield where, f"expected JSON Schema 2020-12, got {brief(getattr(error, 'instance', schema))}"


def _references(schema: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield f"{at}/$ref", schema["$ref"]
        for key, value in schema.items():
            if key not in ("const", "enum", "default", "examples"):
                yield from _references(value, at + pointer([key]))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _references(value, f"{at}/{index}")


def _nowhere(schema: Any, at: str, library: Library) -> Iterator[tuple[str, str]]:
    for where, uri in _references(schema, at):
        try:
            library.definition(uri)
        except (KeyError, IndexError, TypeError, ValueError):
            yield where, f"$ref: expected a definition that is there, got {relative(uri)!r}"
        except SpecError as error:
            yield where, f"$ref: {error}"


def _resolves(schema: Any, library: Library, seen: set[str]) -> bool:
    """True if every reference leads somewhere, and so on from there."""
    for _, uri in _references(schema, ""):
        if uri not in seen:
            seen.add(uri)
            try:
                if not _resolves(library.definition(uri), library, seen):
                    return False
            except (KeyError, IndexError, TypeError, ValueError, SpecError):
                return False
    return True


# Providers and cards


def _provider(provider: Provider) -> Iterator[str]:
    unknown = provider.said.get("unknown_path")
    if unknown is not None and unknown not in provider.failures:
        yield _at(
            provider.path, "/unknown_path", f"unknown_path: expected one of the errors, got {unknown!r}"
        )
    for name in _unknown_checks(provider.said["checks"]):
        yield _at(provider.path, "/checks", f"no check {name!r}; there are {', '.join(CONDITIONS)}")
    for scheme in provider.said["auth"]:
        if scheme not in AUTH_CONDITIONS:
            known = ", ".join(AUTH_CONDITIONS)
            yield _at(provider.path, f"/auth/{scheme}", f"no auth scheme {scheme!r}; there are {known}")
    conditions = _known_conditions(provider, provider.said["auth"])
    for key, failure in provider.failures.items():
        for condition in sorted({when["condition"] for when in failure.when} - conditions):
            yield _at(provider.path, f"/errors/{key}/when", _no_condition(key, condition, conditions))


def _unknown_checks(checks: Iterable[str]) -> list[str]:
    return [name for name in checks if name not in CONDITIONS]


def _no_condition(key: str, condition: str, known: set[str]) -> str:
    return f"error {key}: no condition {condition!r}; there are {', '.join(sorted(known))}"


def _known_conditions(provider: Provider, auth: Mapping[str, Any]) -> set[str]:
    known = {condition for each in CONDITIONS.values() for condition in each}
    known |= {condition for each in AUTH_CONDITIONS.values() for condition in each}
    known |= {
        str(condition) for scheme in auth.values() for condition in scheme.get("refused_kinds", {}).values()
    }
    known |= {quota["condition"] for quota in provider.said.get("quotas", ()) if "condition" in quota}
    return known | set(UNCHECKED)


def _cards(specs: Specs) -> Iterator[str]:
    sellers = {provider.seller for provider in specs.providers.values()}
    taken: dict[tuple[str, str], str] = {}
    for card in specs.cards:
        where = f"/cards/{card.seller}"
        if card.seller not in sellers:
            yield _at(
                card.path,
                where,
                f"no provider sells as {card.seller!r}; there are {', '.join(sorted(sellers))}",
            )
        for provider, model in card.ids.items():
            if provider not in specs.providers:
                known = ", ".join(specs.providers)
                yield _at(
                    card.path, f"{where}/ids/{provider}", f"no provider {provider!r}; there are {known}"
                )
            for name in {model.lower(), *(alias.lower() for alias in card.said.get("aliases", ()))}:
                first = taken.setdefault((provider, name), card.model)
                if first != card.model:
                    text = f"{name!r} is the name of {first!r} at {provider} too"
                    yield _at(card.path, f"{where}/ids/{provider}", text)


# Contracts


def _taken_away(specs: Specs, contract: Contract) -> Iterator[str]:
    """Rules and probes that the contract takes away, though nothing that it extends has them."""
    own = read(contract.path)
    bases = [specs.contracts[base].said for base in bases_of(own)]
    for section in ("rules", "probes"):
        inherited = {*IMPLIED, *(name for base in bases for name in base.get(section, {}))}
        for name, said in own.get(section, {}).items():
            if said is None and name not in inherited:
                close = difflib.get_close_matches(name, sorted(inherited), 1)
                hint = f"; closest: {close[0]}" if close else ""
                where = line_of(contract.path, f"/{section}/{name}")
                yield f"{contract.path}:{where}: {section}: null takes {name!r} away, and nothing that {contract.id} extends has it{hint}"


def _contract(specs: Specs, contract: Contract, claims: set[str]) -> Iterator[str]:
    yield from _taken_away(specs, contract)
    yield from _errors(contract)
    yield from _by_model(specs, contract)
    for rule in contract.rules.values():
        yield from _rule(contract, rule, claims)
    for place, names in (
        ("core", contract.said.get("core", {})),
        ("observes", contract.said.get("observes", {}).values()),
    ):
        for name in names:
            if name not in contract.rules and contract.said["rules"].get(name, name) is not None:
                yield _in(contract, f"/{place}", f"{place}: {name!r} is no rule here")
    for name, probe in contract.probes.items():
        yield from _probe(specs, contract, name, probe["steps"], claims)
    for implied, others in contract.said.get("also", {}).items():
        # Of what is inherited a core leaves rules out, here too.
        there = contract.said["rules"] if "core" in contract.said else contract.rules
        wrong = [implied] * (implied not in IMPLIED) + [each for each in others if each not in there]
        for name in wrong:
            yield _in(contract, f"/also/{implied}", f"also: {name!r} is no rule here that could be broken")
    yield from _rivals(specs, contract)


def _by_model(specs: Specs, contract: Contract) -> Iterator[str]:
    assert contract.provider is not None
    ids = [
        card.id_at(contract.provider)
        for card in specs.cards
        if card.seller == contract.provider.seller and contract.provider.models_of in card.ids
    ]
    owners = {each.path: each.provider for each in specs.contracts.values()}
    for name, said in contract.said.get("by_model", {}).items():
        where = f"/by_model/{name}"
        missing = [each for each in ("models", "source") if each not in said]
        if missing:
            yield _in(contract, where, f"by_model {name}: expected {' and '.join(missing)}, got nothing")
        elif (
            not any(re.search(said["models"], each) for each in ids)
            # Another provider's models need not be sold by one that was begun as it.
            and owners.get(contract.origin(where)[0]) in (None, contract.provider)
        ):
            text = f"by_model {name}: no card of {contract.provider.seller} has an id in which {said['models']!r} is found"
            yield _in(contract, where, text)
        for rule, changed in said.get("rules", {}).items():
            # A contract that inherits the entry may lack the rule that it takes away.
            if changed is not None and rule not in contract.every_rule:
                yield _in(contract, where, f"by_model {name}: no rule {rule!r}")


def _compiles(contract: Contract, library: Library, right: set[int], sound: bool) -> Iterator[str]:
    """What is wrong with schemas and order; `sound` says that the shared shapes are right.

    `right` holds the ids of the schemas that were found so in another contract that has them too; more are added.
    """
    for section, member in SHAPED:
        said = contract.said.get(section, {}).get(member)
        at = f"/{section}/{member}"
        pieces = {at: said}
        if member in ("parameters", "events"):
            pieces = {at + pointer([name]): schema for name, schema in (said or {}).items()}
        elif member == "forbidden":
            pieces = {f"{at}/{name}/body": each["body"] for name, each in (said or {}).items()}
        for where, schema in pieces.items():
            if schema is None or id(schema) in right:
                continue
            wrong = list(_schema(schema, where, library) if sound else _nowhere(schema, where, library))
            for place, text in wrong:
                yield _in(contract, place, text)
            if not wrong:
                right.add(id(schema))
    said_order = contract.response.get("order")
    if said_order is None:
        return
    try:
        names = order(said_order).names()
    except ValueError as error:
        yield _in(contract, "/response/order", str(error))
        return
    for name in sorted(names - set(contract.response.get("events", {}))):
        yield _in(contract, "/response/order", f"order names {name!r}, which is not among the events")


def _errors(contract: Contract) -> Iterator[str]:
    assert contract.provider is not None
    known = _known_conditions(contract.provider, contract.auth)
    answered = {when["condition"] for failure in contract.failures.values() for when in failure.when}
    for key in contract.said.get("errors", {}):
        if key in contract.failures:
            for condition in sorted({when["condition"] for when in contract.failures[key].when} - known):
                yield _in(contract, f"/errors/{key}/when", _no_condition(key, condition, known))
    quotas = {each["id"] for each in contract.provider.said.get("quotas", ())}
    for name in sorted(set(contract.said.get("quotas", ())) - quotas):
        known_quotas = ", ".join(sorted(quotas)) or "none"
        text = f"the provider has no quota {name!r}; there are {known_quotas}"
        yield _in(contract, f"/quotas/{name}", text)
    for name in _unknown_checks(contract.said.get("checks", ())):
        yield _in(contract, "/checks", f"no check {name!r}; there are {', '.join(CONDITIONS)}")
    for check in contract.checks:
        needed = list(CONDITIONS.get(check, ())[:1])
        if check == "auth":
            for scheme, said in contract.auth.items():
                needed += [*AUTH_CONDITIONS.get(scheme, ()), *said.get("refused_kinds", {}).values()]
        elif check in ("quota", "funds"):
            needed += [
                each["condition"]
                for each in contract.provider.said.get("quotas", ())
                if (each["counts"] == "cost") == (check == "funds")
                and each["id"] in contract.said.get("quotas", {each["id"]: None})
            ]
        for condition in needed:
            if condition not in answered:
                text = f"check {check!r} can end in {condition!r}, and no error answers it"
                yield _in(contract, "/contract", text)


def _rivals(specs: Specs, contract: Contract) -> Iterator[str]:
    """Contracts that nothing tells apart from this one."""
    assert contract.provider is not None
    for other in specs.of(contract.provider.id):
        if other.id == contract.id:
            return
        shared = {path for path in contract.request["paths"] if path in other.request["paths"]}
        same = other.request.get("models") == contract.request.get("models")
        if (
            shared
            and same
            and other.method == contract.method
            and other.when is other.when_query is None
            and contract.when is contract.when_query is None
        ):
            text = f"{contract.method} {min(shared)} is {other.id} too: one of them needs request.when"
            yield _in(contract, "/request", text)


# Rules


def _rule(contract: Contract, rule: Rule, claims: set[str]) -> Iterator[str]:
    if rule.not_checked is not None or rule.implied:
        return
    for text in _rule_problems(contract, rule, claims):
        yield _in(contract, f"/rules/{rule.id}", f"rule {rule.id}: {text}")


def _rule_problems(contract: Contract, rule: Rule, claims: set[str]) -> Iterator[str]:
    if rule.check not in CHECKS:
        yield f"no check {rule.check!r}; there are {', '.join(sorted(CHECKS))}"
        return
    try:
        inspect.signature(CHECKS[rule.check]).bind(None, **rule.arguments)
    except TypeError as error:
        yield f"check {rule.check}: {error}"
    yield from _argument_problems(contract, rule)
    for key, value in rule.needs.items():
        yield from _need_problems(key, value, claims)
    for operation in rule.broken_by:
        if "instead" in operation and operation["instead"] not in contract.exchanges:
            yield f"no exchange {operation['instead']!r}"
        if "refuse" in operation and operation["refuse"] not in contract.failures:
            yield f"no error {operation['refuse']!r}"
        for check in operation.get("skip", ()):
            if check not in contract.checks:
                yield f"skips {check!r}, which is not checked here"
    for other in rule.also:
        if other not in contract.rules:
            yield f"also names {other!r}, which is no rule here"


def _argument_problems(contract: Contract, rule: Rule) -> Iterator[str]:
    steps = contract.probes[rule.probe]["steps"] if rule.probe is not None else {}
    events = {*contract.response.get("events", {}), *contract.response.get("may_end_with", ())}
    for name, value in rule.arguments.items():
        if name in STEPS and value not in steps:
            yield f"probe {rule.probe} has no step {value!r}; there are {', '.join(steps)}"
        if name in EVENTS and value not in events:
            yield f"no event {value!r}; there are {', '.join(sorted(events)) or 'none'}"
        if name == "error" and value not in contract.failures:
            yield f"no error {value!r}"
        if name in POINTERS:
            for each in (
                value.values()
                if isinstance(value, Mapping)
                else value
                if isinstance(value, list)
                else [value]
            ):
                try:
                    parts(each)
                except ValueError as error:
                    yield f"{name}: {error}"
        if name == "pattern":
            try:
                re.compile(value)
            except re.error as error:
                yield f"pattern: expected a regular expression, got {value!r} ({error})"


def _need_problems(key: str, value: str, claims: set[str]) -> Iterator[str]:
    name = value.partition(".")[0]
    if key in ("offers", "lacks") and ":" in value:
        kind = value.partition(":")[0]
        if kind not in KINDS:
            yield f"needs {key}: expected one of {', '.join(KINDS)} before the colon, got {value!r}"
    elif key in ("offers", "lacks", "claim") and name not in claims:
        yield f"needs {key}: cards make no claim {name!r}; there are {', '.join(sorted(claims))}"


# Probes


def _probe(
    specs: Specs, contract: Contract, probe: str, steps: Mapping[str, Mapping[str, Any]], claims: set[str]
) -> Iterator[str]:
    earlier: set[str] = set()
    for step, said in steps.items():
        for text in _step_problems(specs, contract, said, earlier, claims):
            yield _in(contract, f"/probes/{probe}/steps/{step}", f"probe {probe}, step {step}: {text}")
        earlier.add(step)


def _step_problems(
    specs: Specs, contract: Contract, said: Mapping[str, Any], earlier: set[str], claims: set[str]
) -> Iterator[str]:
    other = said.get("contract")
    if other is not None and other not in specs.contracts:
        yield f"no contract {other!r}"
        return
    asked = specs.contracts[other] if other is not None else contract
    if len({"turn", "body", "text"} & set(said)) > 1:
        yield "expected one of turn, body, text, got " + ", ".join(
            sorted({"turn", "body", "text"} & set(said))
        )
    if "turn" in said and asked.dialect is None:
        yield f"{asked.id} has no dialect to put a turn into"
    expect = said.get("expect")
    if isinstance(expect, Mapping) and expect["error"] not in asked.failures:
        yield f"no error {expect['error']!r}"
    auth = said.get("auth", "right")
    wrong = asked.provider.said["key"].get("wrong", {}) if asked.provider else {}
    if auth not in ("right", "none", *wrong):
        yield f"the provider's key has no {auth!r} one under `wrong`"
    for name in _named(said, ("answered", "results", "$from")):
        if name not in earlier:
            yield f"no earlier step {name!r}; there are {', '.join(sorted(earlier)) or 'none'}"
    known = asked.provider.said.get("account", {}) if asked.provider else {}
    for name in _named(said, ("$account",)):
        if name not in known:
            yield f"the provider has no {name!r} under `account`; there are {', '.join(sorted(known)) or 'none'}"
    for name in _named(said.get("turn", {}), ("claim",)):
        if name.partition(".")[0] not in claims:
            yield f"cards make no claim {name!r}; there are {', '.join(sorted(claims))}"


def _named(value: Any, keys: Sequence[str]) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            if key in keys and isinstance(child, str):
                yield child
            elif key not in ("schema", "body"):
                yield from _named(child, keys)
    elif isinstance(value, list):
        for child in value:
            yield from _named(child, keys)


# Worked examples


def _exchanges(specs: Specs, contract: Contract) -> Iterator[str]:
    for name, exchange in contract.exchanges.items():
        for found in (
            *exchange_mismatches(contract, exchange),
            *_answered_by_another(specs, contract, exchange),
        ):
            yield _in(contract, f"/exchanges/{name}", f"exchange {name} breaks its contract: {found}")


def exchange_mismatches(contract: Contract, exchange: Mapping[str, Any]) -> Iterator[Any]:
    """Where a worked example is not what its contract demands."""
    asked, said = exchange["request"], exchange["response"]
    headers = tuple((str(key), str(value)) for key, value in asked.get("headers", {}).items())
    parameters = contract.match_path(asked["target"].partition("?")[0])
    if parameters is None:
        yield f"its target {asked['target']!r} is no path of the contract"
        return
    response = _response(contract, said)
    there = document(response)
    there["headers"] |= {name.lower(): "" for name in _sent(contract)}
    for where in exchange.get("varies", {}):
        if not select(there, where.lower() if where.startswith("/headers/") else where):
            yield f"varies: nothing stands at {where}"
    if said["status"] != contract.response["status"]:
        if said["status"] not in {failure.status for failure in contract.failures.values()}:
            yield f"no answer and no error of the contract has status {said['status']}"
        return
    if contract.when is not None and not contract.when.fits(asked.get("body")):
        yield "its request's body does not fit request.when"
    yield from judge_request(
        contract, Request(contract.method, asked["target"], headers), asked.get("body"), parameters
    )
    yield from status_mismatches(contract, response)
    if "headers" in said:
        yield from header_mismatches(contract, response)
    yield from shape_mismatches(contract, response)
    yield from order_mismatches(contract, response)


def _response(contract: Contract, said: Mapping[str, Any]) -> Response:
    """The response that the mock makes of a worked example."""
    events = None
    if "events" in said:
        events = tuple(named(contract, each.get("name"), each["data"]) for each in said["events"])
    headers = [(str(name), str(value)) for name, value in said.get("headers", {}).items()]
    content_type = contract.response.get("content_type")
    if content_type and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", content_type))
    return Response(said["status"], tuple(headers), (), body=said.get("body"), events=events)


def _sent(contract: Contract) -> list[str]:
    """The names of the headers that the mock sends with any answer."""
    said = {
        **(contract.provider.said.get("send", {}) if contract.provider else {}),
        **contract.response.get("send", {}),
    }
    return [name for name, value in said.items() if value is not None]


def _answered_by_another(specs: Specs, contract: Contract, exchange: Mapping[str, Any]) -> Iterator[str]:
    """Another contract of the provider whose `when` takes the example's request away from this one."""
    assert contract.provider is not None
    if contract.when is not None:
        return
    asked = exchange["request"]
    path = asked["target"].partition("?")[0]
    for other in specs.of(contract.provider.id):
        here = other.match(contract.method, path) is not None
        if here and other.when is not None and other.when.fits(asked.get("body")):
            yield f"its request is one of {other.id}, whose request.when it fits"
