"""Contracts, providers and cards: what the YAML in specs/ says, as values.

`load` reads a folder (and any the user adds), refuses what is not in the format with file
and line, resolves `extends` and compiles shapes when they are first asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from conformance import kept
from conformance.document import SpecError, line_of, lines, read
from conformance.select import parts
from conformance.shapes import Shape

HERE = Path(__file__).resolve().parent
SPECS = HERE / "specs" if (HERE / "specs").is_dir() else HERE.parent / "specs"

_SHAPED = (
    ("request", "body"),
    ("request", "headers"),
    ("request", "query"),
    ("request", "when"),
    ("request", "when_query"),
    ("request", "forbidden"),
    ("request", "parameters"),
    ("response", "body"),
    ("response", "headers"),
    ("response", "events"),
)
_OF_A_MODEL = ("profile", "request", "response", "errors", "rules")
"""The sections in which an entry of `by_model` can differ from its contract."""
IMPLIED = ("status", "headers", "framing", "shape", "order")
"""The rules that every contract has without saying so."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence a provider keeps or breaks."""

    id: str
    contract: str
    area: str
    level: str
    text: str
    source: Mapping[str, str]
    probe: str | None
    check: str
    arguments: Mapping[str, Any]
    scope: str
    needs: Mapping[str, str]
    broken_by: tuple[Mapping[str, Any], ...]
    also: tuple[str, ...]
    reality: str | None
    not_checked: str | None
    implied: bool = False
    since: date | None = None
    """The day since when it holds: what was recorded before owes it nothing. None: it always did."""

    @property
    def name(self) -> str:
        """The rule's name across all contracts: `contract:id`."""
        return f"{self.contract}:{self.id}"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a provider refuses: one entry under `errors`."""

    id: str
    status: int
    code: str | None
    when: tuple[Mapping[str, Any], ...]
    headers: Mapping[str, str | None]
    body: Any
    in_stream: Mapping[str, Any] | None
    """The same failure as an event, after a stream has begun."""
    reality: str | None
    source: Mapping[str, str]
    untold: bool = False
    """Whether a stream that fails so ends early without a word of it."""


@dataclass(frozen=True)
class Provider:
    """Who sells: hosts, credentials, order of checks, errors. One file in specs/providers/."""

    id: str
    path: Path
    said: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.said["title"])

    @property
    def seller(self) -> str:
        """The seller whose cards count here."""
        return str(self.said.get("seller", self.id))

    @property
    def models_of(self) -> str:
        """The provider whose ids of models are asked here."""
        return str(self.said.get("models_of", self.id))

    @property
    def prefix(self) -> str:
        return str(self.said["prefix"])

    @cached_property
    def failures(self) -> Mapping[str, Failure]:
        return _failures(self.said["errors"])

    @cached_property
    def forms(self) -> tuple[re.Pattern[str], ...]:
        """The longer forms of a model's id; groups `id` and, where it names one, `profile`."""
        return tuple(re.compile(form) for form in self.said.get("model_forms", ()))

    @cached_property
    def hosts(self) -> tuple[re.Pattern[str], ...]:
        """Patterns of the provider's host names; group `region` where it stands in them."""
        return tuple(
            re.compile(re.escape(host).replace(r"\{region\}", "(?P<region>[a-z0-9-]+)") + r"(?::\d+)?$")
            for host in self.said["hosts"]
        )


@dataclass(frozen=True)
class Contract:
    """One operation of one endpoint, with everything it inherits."""

    id: str
    path: Path
    said: Mapping[str, Any]
    provider: Provider | None
    chain: tuple[Path, ...]
    """The contract's own file, then those of what it extends, nearest first."""
    _library: Library = field(repr=False)

    def origin(self, pointer: str) -> tuple[Path, int | None]:
        """The file and the line that say the member at `pointer`, or the nearest one above it.

        What an own member replaced is not looked at: the contract's own file counts before the ones it extends.
        """
        for path in self.chain:
            line = lines(path).get(pointer)
            if line is not None:
                return path, line
        return self.origin(pointer.rpartition("/")[0]) if pointer else (self.path, None)

    @property
    def abstract(self) -> bool:
        return bool(self.said.get("abstract"))

    @property
    def api(self) -> str:
        """The row in the matrix."""
        return str(self.said.get("api", self.id))

    @property
    def offer(self) -> str | None:
        """The name of this API in a card's `apis`; None for an operation without a model."""
        return self.said.get("offer")

    @property
    def dialect(self) -> str | None:
        return self.said.get("dialect")

    @property
    def profile(self) -> Mapping[str, Any]:
        return self.said.get("profile", {})  # type: ignore[no-any-return]

    @property
    def request(self) -> Mapping[str, Any]:
        return self.said.get("request", {})  # type: ignore[no-any-return]

    @property
    def response(self) -> Mapping[str, Any]:
        return self.said.get("response", {})  # type: ignore[no-any-return]

    def for_model(self, model: str | None) -> Contract:
        """This contract as it is for the model with that id: with all that `by_model` says of it, in its order."""
        fitting = tuple(
            name
            for name, each in self.said.get("by_model", {}).items()
            if model is not None and re.search(each["models"], model)
        )
        if fitting not in self._variants:
            said = self.said
            for name in fitting:
                own = self.said["by_model"][name]
                said = _extend(said, {key: value for key, value in own.items() if key in _OF_A_MODEL})
            self._variants[fitting] = replace(self, said=said)
        return self._variants[fitting]

    @property
    def of_some_models(self) -> Mapping[str, Contract]:
        """This contract as each entry of `by_model` has it, taken by itself."""
        return {
            name: replace(
                self,
                said=_extend(self.said, {key: value for key, value in own.items() if key in _OF_A_MODEL}),
            )
            for name, own in self.said.get("by_model", {}).items()
        }

    @cached_property
    def _variants(self) -> dict[tuple[str, ...], Contract]:
        return {(): self}

    def speaks(self, model: str) -> bool:
        """Whether bodies for the model with this id are of the form that this contract has."""
        pattern = self.request.get("models")
        return pattern is None or re.search(pattern, model) is not None

    @property
    def streams(self) -> bool:
        return bool(self.response.get("framing"))

    @property
    def speaks_json(self) -> bool:
        """Whether a good answer is JSON; a stream's events count as such."""
        return self.streams or "json" in (self.response.get("content_type") or "json")

    @property
    def method(self) -> str:
        return str(self.request["method"])

    @property
    def model_at(self) -> Mapping[str, str] | None:
        """Where the model id stands: {path: name} or {body: pointer}; None without a model."""
        return self.request.get("model")

    @cached_property
    def auth(self) -> Mapping[str, Any]:
        """The provider's auth section with this contract's own merged over it."""
        ours = self.said.get("auth", {})
        return merge(self.provider.said["auth"] if self.provider else {}, ours)  # type: ignore[no-any-return]

    @cached_property
    def checks(self) -> tuple[str, ...]:
        """The conditions in the order in which the provider checks them."""
        said = self.said.get("checks")
        if said is None and self.provider is not None:
            said = self.provider.said["checks"]
        return tuple(said or ())

    @cached_property
    def failures(self) -> Mapping[str, Failure]:
        """The provider's errors with this contract's own over them; one that has a body of its own has its own headers too."""
        own = {key: value for key, value in self.said.get("errors", {}).items() if value is not None}
        inherited = dict(self.provider.failures) if self.provider else {}
        if self.response.get("untold_failures"):
            inherited = {
                key: replace(each, in_stream=None, untold=each.in_stream is not None)
                for key, each in inherited.items()
            }
        for key, value in self.said.get("errors", {}).items():
            if value is None:
                inherited.pop(key, None)
        said = self.provider.said["errors"] if self.provider else {}
        whole = {}
        for key, value in own.items():
            without = {"headers"} if "body" in value else set()
            base = {name: each for name, each in said.get(key, {}).items() if name not in without}
            whole[key] = {**base, **value}
        return {**inherited, **_failures(whole)}

    @cached_property
    def rules(self) -> Mapping[str, Rule]:
        """The rules by id, the implied ones first."""
        rules = {each.id: each for each in self._implied()}
        for key, value in self.said.get("rules", {}).items():
            if value is not None:
                rules[key] = _rule(self.id, key, value)
        core = self.said.get("core")
        if core is None:
            return rules
        return {
            key: replace(
                rule,
                level=core.get(key, rule.level),
                also=tuple(each for each in rule.also if each in core or each in IMPLIED),
            )
            for key, rule in rules.items()
            if key in core or rule.implied
        }

    @cached_property
    def every_rule(self) -> Mapping[str, Rule]:
        """The rules by id, those too that only some models are held to."""
        own = (each.get("rules", {}) for each in self.said.get("by_model", {}).values())
        rules = {key: value for each in own for key, value in each.items() if value and "check" in value}
        return {**{key: _rule(self.id, key, value) for key, value in rules.items()}, **self.rules}

    def _implied(self) -> Iterator[Rule]:
        steps = [step for probe in self.probes.values() for step in probe["steps"].values()]
        if self.abstract or all(step.get("expect", "answered") != "answered" for step in steps):
            return
        also = self.said.get("also", {})
        probe = next(iter(self.probes))
        texts = {
            "status": f"A good request is answered with status {self.response.get('status')}.",
            "headers": "The answer has the headers that the contract lists.",
            "framing": "The body is framed as its content type says.",
            "shape": "The answer has the shape that the contract lists.",
            "order": f"The events come in the order {self.response.get('order')}.",
        }
        for name in IMPLIED:
            if name == "order" and not self.streams:
                continue
            if name == "framing" and not self.speaks_json:
                # Any bytes are a text.
                continue
            yield Rule(
                id=name,
                contract=self.id,
                area="stream" if name in ("order", "framing") and self.streams else "wire",
                level="must",
                text=texts[name],
                source=self.said["source"],
                probe=probe,
                check=f"implied_{name}",
                arguments=MappingProxyType({}),
                scope="answer",
                needs=MappingProxyType({}),
                broken_by=(),
                also=tuple(also.get(name, ())),
                reality=None,
                not_checked=None,
                implied=True,
            )

    @cached_property
    def probes(self) -> Mapping[str, Mapping[str, Any]]:
        """The probes by name; the first one is the plainest. A step that asks `./name` asks that of this provider."""
        home = "." if self.provider is None else self.provider.id
        return {
            key: {**value, "steps": {name: _at_home(step, home) for name, step in value["steps"].items()}}
            for key, value in self.said.get("probes", {}).items()
            if value is not None
        }

    @cached_property
    def exchanges(self) -> Mapping[str, Mapping[str, Any]]:
        """The worked examples by name."""
        return {key: value for key, value in self.said.get("exchanges", {}).items() if value is not None}

    @cached_property
    def paths(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        """Compiled patterns of the raw path, and the templates they came from."""
        return tuple((_path_pattern(path), path) for path in self.request.get("paths", ()))

    def match(self, method: str, raw_path: str) -> dict[str, str] | None:
        """The path's parameters, percent-decoded, if this operation is asked; else None."""
        if method != self.request.get("method"):
            return None
        return self.match_path(raw_path)

    def match_path(self, raw_path: str) -> dict[str, str] | None:
        """The same, whatever the method."""
        for pattern, _ in self.paths:
            found = pattern.match(raw_path)
            if found:
                return {key: unquote(value) for key, value in found.groupdict().items()}
        return None

    def definition(self, uri: str) -> Any:
        """What an absolute $ref of this contract points to."""
        return self._library.definition(uri)

    @cached_property
    def request_shape(self) -> Shape | None:
        """The shape of a request's body, closed if unknown members are refused; None without a body."""
        schema = self.request.get("body")
        if schema is None:
            return None
        return self._library.shape(schema, closed=self.request.get("unknown_members") == "refused")

    @cached_property
    def request_headers(self) -> Shape | None:
        schema = self.request.get("headers")
        return self._library.shape(schema) if schema is not None else None

    @cached_property
    def query(self) -> Shape | None:
        """The shape of what stands after `?`, as an object; None where the contract says nothing of it."""
        schema = self.request.get("query")
        return self._library.shape(schema) if schema is not None else None

    def read_query(self, target: str) -> dict[str, Any]:
        """What stands after `?` in a raw target; what the contract types as an integer is one where it can be."""
        from urllib.parse import parse_qsl

        typed = self.request.get("query", {}).get("properties", {})
        found: dict[str, Any] = dict(parse_qsl(target.partition("?")[2], keep_blank_values=True))
        for name, value in found.items():
            if typed.get(name, {}).get("type") == "integer" and re.fullmatch(r"-?[0-9]{1,18}", value):
                found[name] = int(value)
        return found

    @cached_property
    def parameters(self) -> Mapping[str, Shape]:
        return {key: self._library.shape(value) for key, value in self.request.get("parameters", {}).items()}

    @cached_property
    def when(self) -> Shape | None:
        """The shape of the bodies that this contract, of those at its path, answers."""
        schema = self.request.get("when")
        return self._library.shape(schema) if schema is not None else None

    @cached_property
    def forbidden(self) -> tuple[tuple[str, str, Shape], ...]:
        """Bodies that the shape allows and the provider refuses: a name, the pointer of the member, their shape."""
        said = self.request.get("forbidden", {})
        return tuple((name, each["at"], self._library.shape(each["body"])) for name, each in said.items())

    @cached_property
    def when_query(self) -> Shape | None:
        """The shape of what stands after `?` where this contract, of those at its path, answers."""
        schema = self.request.get("when_query")
        return self._library.shape(schema) if schema is not None else None

    @cached_property
    def response_shape(self) -> Shape | None:
        schema = self.response.get("body")
        return self._library.shape(schema) if schema is not None else None

    @cached_property
    def response_headers(self) -> Shape | None:
        schema = self.response.get("headers")
        return self._library.shape(schema) if schema is not None else None

    @cached_property
    def event_shapes(self) -> Mapping[str, Shape]:
        return {key: self._library.shape(value) for key, value in self.response.get("events", {}).items()}


@dataclass(frozen=True)
class Card:
    """What one model can do where one seller sells it."""

    model: str
    name: str
    family: str
    seller: str
    path: Path
    said: Mapping[str, Any]

    @property
    def ids(self) -> Mapping[str, str]:
        """The model's id at each of the seller's providers."""
        return self.said["ids"]  # type: ignore[no-any-return]

    def id_at(self, provider: Provider) -> str:
        """The model's id there. Raises KeyError where it is not sold."""
        return self.ids[provider.models_of]

    def asked_as(self, provider: Provider) -> str | None:
        """The id to ask the model with there: its own, or that of an inference profile where it is behind one.

        None where no profile of the provider's default region holds it.
        """
        bare = self.id_at(provider)
        if "profiles" not in provider.said or self.value("on_demand") is not False:
            return bare
        home = provider.said["region"]["default"]
        for name in self.value("cross_region") or ():
            within = provider.said["profiles"][name]["regions"]
            if within is None or home in within:
                return str(fill(provider.said["profile_id"], {"profile": name, "id": bare}))
        return None

    @property
    def claims(self) -> Mapping[str, Any]:
        return self.said["claims"]  # type: ignore[no-any-return]

    def claim(self, name: str) -> Mapping[str, Any] | None:
        """The claim at `name` (`max_output`, `quotas.requests_per_minute`, `apis.converse`)."""
        found: Any = self.claims
        for part in name.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return None
            found = found[part]
        return found  # type: ignore[no-any-return]

    def value(self, name: str, reality: str = "documented") -> Any:
        """What the claim is read as (or was observed to be, where `reality` is observed); None if not claimed."""
        claim = self.claim(name)
        if claim is None:
            return None
        if reality == "observed" and "observed" in claim:
            return claim["observed"]["value"]
        return claim["read_as"]

    def offers(self, capability: str, reality: str = "documented") -> bool | None:
        """Whether the card offers `input:image`, `api:converse`, `tier:flex`, `tools`, ...; None if it does not say."""
        kind, _, name = capability.partition(":")
        lists = {
            "input": "input_modalities",
            "output": "output_modalities",
            "tier": "tiers",
            "region": "regions",
            "endpoint": "endpoints",
        }
        if kind in lists:
            value = self.value(lists[kind], reality)
            return None if value is None else name in value
        if kind == "api":
            value = self.value(f"apis.{name}", reality)
            return None if value is None else bool(value)
        value = self.value(kind, reality)
        return None if value is None else bool(value)


@dataclass(frozen=True)
class Specs:
    """Everything loaded."""

    providers: Mapping[str, Provider]
    contracts: Mapping[str, Contract]
    cards: tuple[Card, ...]
    folders: tuple[Path, ...] = ()
    """Where all of it stands."""
    guardrails: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The guardrails that the mock knows, by id."""
    broken: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Providers that misbehave on purpose, by the names under which the mock can be one."""

    def of(self, provider: str) -> list[Contract]:
        """The provider's operations, in the order of their files."""
        return self._operations.get(provider, [])

    @cached_property
    def _operations(self) -> Mapping[str, list[Contract]]:
        found: dict[str, list[Contract]] = {}
        for each in self.contracts.values():
            if each.provider is not None and not each.abstract:
                found.setdefault(each.provider.id, []).append(each)
        return found

    def asked(self, how: Mapping[str, Any], contract: Contract, model: str | None) -> Contract:
        """The contract by which a step of a probe of `contract` is asked: another one that it names, for the model."""
        return self.contracts[how["contract"]].for_model(model) if "contract" in how else contract

    def card(self, provider: Provider, model: str) -> Card | None:
        """The card of the model that `provider` sells as `model` (id or alias, any casing of an alias)."""
        card = self.named(provider, model)[0]
        return card if card is not None and card.seller == provider.seller else None

    def named(self, provider: Provider, model: str) -> tuple[Card | None, str | None]:
        """The card of `model`, and the inference profile through which the name asks for it.

        A profile that does not hold the model names nothing. A provider may know more models than it sells.
        """
        profile = None
        for form in provider.forms:
            longer = form.fullmatch(model)
            if longer:
                model = longer["id"]
                profile = longer.groupdict().get("profile", profile)
        cards = self._cards_of.get(provider.id, {})
        card = cards.get(model) or cards.get(("alias", model.strip().lower()))
        if card is not None and profile is not None and profile not in (card.value("cross_region") or ()):
            return None, profile
        return card, profile

    @cached_property
    def _cards_of(self) -> Mapping[str, Mapping[Any, Card]]:
        """The cards of each provider by id and, in lower case, by alias; the first one counts."""
        found: dict[str, dict[Any, Card]] = {}
        for provider in self.providers.values():
            known = found.setdefault(provider.id, {})
            for card in self.cards_at(provider):
                known.setdefault(card.id_at(provider), card)
                for alias in card.said.get("aliases", ()):
                    known.setdefault(("alias", alias.lower()), card)
        return found

    def cards_at(self, provider: Provider) -> tuple[Card, ...]:
        """The cards that count at `provider`: its seller's, then those of models that it knows without selling them."""
        return self._at[provider.id]

    @cached_property
    def _at(self) -> Mapping[str, tuple[Card, ...]]:
        found = {}
        for provider in self.providers.values():
            sold = [each for each in self.cards if each.seller == provider.seller]
            here = [each for each in sold if provider.models_of in each.ids]
            if "every_model" in provider.said:
                here += _lent(provider, here, [each for each in self.cards if each.seller != provider.seller])
            found[provider.id] = tuple(here)
        return found

    def rule(self, name: str) -> Rule:
        """The rule called `contract:id`. Raises KeyError with the closest names."""
        contract, _, rule = name.partition(":")
        if contract in self.contracts and rule in self.contracts[contract].every_rule:
            return self.contracts[contract].every_rule[rule]
        import difflib

        known = [each.name for each in self.rules()]
        close = (
            difflib.get_close_matches(name, known, 3)
            or [each for each in known if each.endswith(f":{rule}")][:3]
        )
        raise KeyError(f"no rule {name!r}; closest: {', '.join(close) or 'none'}")

    def rules(self) -> list[Rule]:
        """Every rule of every operation."""
        return [
            rule for each in self.contracts.values() if not each.abstract for rule in each.every_rule.values()
        ]


SELLING = (
    "apis",
    "endpoints",
    "lifecycle",
    "legacy",
    "on_demand",
    "cross_region",
    "prefixes",
    "quotas",
    "regions",
    "tiers",
)
"""Claims that say how a model is sold, not what it can do."""


def _lent(provider: Provider, own: Iterable[Card], others: Iterable[Card]) -> list[Card]:
    """The cards of other sellers as `provider` has them, one for each id that none of its `own` has."""
    said = provider.said["every_model"]
    taken = {name for card in own for name in (card.id_at(provider), *card.said.get("aliases", ()))}
    lent = []
    for card in others:
        claims = {name: claim for name, claim in card.claims.items() if name not in SELLING}
        if "text" in (card.value("output_modalities") or ["text"]):
            claims["apis"] = said["apis"]
        shown = card.said.get("listing", {})
        listing = {name: shown.get(name, value) for name, value in said["listing"].items()}
        for name in dict.fromkeys(card.ids.values()):
            if name not in taken:
                taken.add(name)
                ids = {**card.ids, provider.models_of: name}
                lent.append(
                    replace(card, said={**card.said, "ids": ids, "claims": claims, "listing": listing})
                )
    return lent


class Library:
    """The files of all folders, read once, and the shapes compiled from them."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self.trusted = known is not None
        """True if the documents were found right when they were kept."""
        self._documents: dict[str, Any] = dict(known or {})
        self._absolute: dict[str, Any] = {}
        self._uris: dict[Path, str] = {}
        # A schema that many contracts inherit is one value; each is kept, so that none takes the place of another.
        self._shapes: dict[tuple[int, bool], tuple[Any, Shape]] = {}

    def uri(self, path: Path) -> str:
        # To resolve a path is a system call for each folder above it.
        if path not in self._uris:
            self._uris[path] = "spec://" + path.resolve().as_posix()
        return self._uris[path]

    def document(self, path: Path) -> Any:
        """The file's content as it is written."""
        uri = self.uri(path)
        if uri not in self._documents:
            self._documents[uri] = read(path)
        return self._documents[uri]

    @property
    def documents(self) -> Mapping[str, Any]:
        """What was read so far, by URI."""
        return self._documents

    def shape(self, schema: Any, closed: bool = False) -> Shape:
        """A compiled schema; `closed` adds that no object may have members it does not list."""
        if (id(schema), closed) not in self._shapes:
            whole = close(schema, self.definition) if closed else schema
            self._shapes[id(schema), closed] = schema, Shape(whole, self._retrieve)
        return self._shapes[id(schema), closed][1]

    def definition(self, uri: str) -> Any:
        """What an absolute $ref points to. Raises KeyError for a place that is not there."""
        document, _, fragment = uri.partition("#")
        found = self._retrieve(document)
        for part in parts(unquote(fragment)):
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found

    def _retrieve(self, uri: str) -> Any:
        for variant, change in _VARIANTS.items():
            if uri.startswith(variant):
                return change(self._retrieve(uri.removeprefix(variant)), self.definition)
        if uri not in self._absolute:
            path = Path(uri.removeprefix("spec://"))
            self._absolute[uri] = absolute(self.document(path), self.uri(path))
        return self._absolute[uri]


def absolute(schema: Any, base: str) -> Any:
    """`schema` with every $ref made absolute against the file `base`."""
    if isinstance(schema, dict):
        result: dict[str, Any] = {key: absolute(value, base) for key, value in schema.items()}
        ref = schema.get("$ref")
        if isinstance(ref, str) and not ref.startswith("spec://"):
            target, _, fragment = ref.partition("#")
            uri = base
            if target:
                place = os.path.normpath(Path(base.removeprefix("spec://")).parent / target)
                uri = "spec://" + Path(place).as_posix()
            result["$ref"] = f"{uri}#{fragment}"
        return result
    if isinstance(schema, list):
        return [absolute(value, base) for value in schema]
    return schema


Definition = Callable[[str], Any]
"""Finds what an absolute $ref points to."""
Change = Callable[[Any, Definition], Any]
Raw = Mapping[str, tuple[Path, dict[str, Any]]]
"""The contracts as their files say them, by their ids."""


def close(schema: Any, definition: Definition) -> Any:
    """`schema` with `additionalProperties: false` wherever it lists members and does not say otherwise.

    What describes one and the same object (`$ref` or `allOf` beside `properties`) is closed as a whole, the
    branches of a union each for itself, and an object of which nothing is listed stays open.
    """
    if not isinstance(schema, dict):
        return schema
    if "properties" not in schema and "patternProperties" not in schema and "allOf" not in schema:
        return _within(schema, definition, close, "closed:")
    result = _within(schema, definition, _open, "open:")
    if "$defs" in schema:
        result["$defs"] = {name: close(each, definition) for name, each in schema["$defs"].items()}
    listed = _listed(schema, definition)
    if listed is not None:
        names, patterns = listed
        # Its own first, in their order: what is written of a schema is the same each time.
        for key, every in (("properties", names), ("patternProperties", patterns)):
            own = result.get(key, {})
            result[key] = {**own, **dict.fromkeys(sorted(every - set(own)), True)}
        result["additionalProperties"] = False
    return result


def _open(schema: Any, definition: Definition) -> Any:
    """`schema` with the objects inside it closed, but not itself: a part of what describes an object."""
    if not isinstance(schema, dict):
        return schema
    return _within(schema, definition, _open, "open:")


_VARIANTS: Mapping[str, Change] = {"closed:": close, "open:": _open}
"""Before the address of a file: how its definitions are changed before they are used."""

_INSIDE_ONE = ("items", "contains", "additionalProperties", "unevaluatedProperties", "unevaluatedItems")
_INSIDE_MANY = ("properties", "patternProperties", "prefixItems")
_OF_THE_SAME = ("allOf", "anyOf", "oneOf", "then", "else", "dependentSchemas")
"""Keywords whose schemas describe the very object that the schema around them describes."""


def _within(schema: Mapping[str, Any], definition: Definition, same: Change, variant: str) -> dict[str, Any]:
    """`schema` with all objects inside it closed, and `same` done to what describes the same object."""
    result = dict(schema)
    for key, value in schema.items():
        if key in _INSIDE_ONE:
            result[key] = close(value, definition)
        elif key in _INSIDE_MANY:
            result[key] = _each(value, close, definition)
        elif key in ("then", "else"):
            result[key] = same(value, definition)
        elif key in _OF_THE_SAME or key == "$defs":
            result[key] = _each(value, same, definition)
        elif key == "$ref":
            result[key] = variant + value
    return result


def _each(schemas: Any, change: Change, definition: Definition) -> Any:
    if isinstance(schemas, Mapping):
        return {name: change(each, definition) for name, each in schemas.items()}
    return [change(each, definition) for each in schemas]


def _listed(schema: Any, definition: Definition) -> tuple[set[str], set[str]] | None:
    """The names and name patterns that all that describes one object lists; None where others are allowed."""
    names: set[str] = set()
    patterns: set[str] = set()
    todo, seen = [schema], set()
    while todo:
        part = todo.pop()
        if not isinstance(part, Mapping):
            continue
        if part.get("additionalProperties", False) is not False or "unevaluatedProperties" in part:
            return None
        names |= set(part.get("properties", ()))
        patterns |= set(part.get("patternProperties", ()))
        for key in _OF_THE_SAME:
            value = part.get(key)
            if isinstance(value, list):
                todo += value
            elif isinstance(value, Mapping):
                todo += [value] if key in ("then", "else") else value.values()
        if "$ref" in part and part["$ref"] not in seen:
            seen.add(part["$ref"])
            todo.append(definition(part["$ref"]))
    return (names, patterns) if names or patterns else None


def merge(base: Any, patch: Any) -> Any:
    """`base` patched as RFC 7396 says: null removes a member. A null in an object that is new stays a null."""
    if not isinstance(patch, Mapping) or not isinstance(base, Mapping):
        return patch
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _overlay(base: Any, own: Any) -> Any:
    """`own` over `base`, object by object; null is a value like any other."""
    if not isinstance(own, Mapping) or not isinstance(base, Mapping):
        return own
    return {**base, **{key: _overlay(base.get(key), value) for key, value in own.items()}}


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` with every {name} of its strings replaced from `values`; unknown names stay.

    A string that is nothing but one placeholder becomes the value itself, whatever its type.
    """
    if isinstance(template, str):
        if "{" not in template:
            return template
        whole = re.fullmatch(r"\{(\w+)\}", template)
        if whole and whole[1] in values:
            return values[whole[1]]
        return re.sub(
            r"\{(\w+)\}", lambda found: str(values[found[1]]) if found[1] in values else found[0], template
        )
    if isinstance(template, Mapping):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    return template


def _at_home(step: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
    return {**step, "contract": _home(step["contract"], provider)} if "contract" in step else step


def _home(contract: str, provider: str) -> str:
    """The id of a contract that is named as `./name` by one of the same provider."""
    return provider + contract.removeprefix(".") if contract.startswith("./") else contract


def _path_pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(
        re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^/?]+)" for index, part in enumerate(parts)
    )
    return re.compile(f"^{pattern}$")


def _failures(said: Mapping[str, Any]) -> dict[str, Failure]:
    return {
        key: Failure(
            id=key,
            status=value["status"],
            code=value.get("code"),
            when=tuple(
                {"condition": each} if isinstance(each, str) else each for each in value.get("when", ())
            ),
            headers=value.get("headers", {}),
            body=value["body"],
            in_stream=value.get("in_stream"),
            reality=value.get("reality"),
            source=value["source"],
        )
        for key, value in said.items()
    }


def _rule(contract: str, name: str, said: Mapping[str, Any]) -> Rule:
    return Rule(
        id=name,
        contract=contract,
        area=said["area"],
        level=said["level"],
        text=said["text"],
        source=said["source"],
        probe=said.get("probe"),
        check=said.get("check", name).replace("-", "_"),
        arguments=said.get("with", {}),
        scope=said.get("scope", "probe"),
        needs=said.get("needs", {}),
        broken_by=tuple(said.get("broken_by", ())),
        also=tuple(said.get("also", ())),
        reality=said.get("reality"),
        not_checked=said.get("not_checked"),
        since=day_of(said["since"]) if "since" in said else None,
    )


def day_of(said: str) -> date:
    """The day; of a month its first."""
    return date.fromisoformat(said if said.count("-") > 1 else f"{said}-01")


KINDS = ("providers", "contracts", "shapes", "cards", "guardrails", "broken")
"""The folders that hold the files of each kind."""


def files(folder: Path, kind: str) -> list[Path]:
    """The YAML files of one kind (`providers`, `contracts`, `cards`, `shapes`, `guardrails`, `broken`) below `folder`."""
    return sorted((folder / kind).rglob("*.yaml"))


def load(folders: Iterable[Path | str] = ()) -> Specs:
    """The specs of this package and of every folder given beside it.

    Raises SpecError for the first file that is not in the format; it names file, line, what was
    expected and what stands there.
    """
    roots = [SPECS, *(Path(each) for each in folders)]
    for root in roots:
        if not any((root / kind).is_dir() for kind in KINDS):
            folders = ", ".join(f"{kind}/" for kind in KINDS)
            raise SpecError(root, None, f"expected a folder with some of {folders} in it, got none of them")
        for path in sorted(stray for kind in KINDS for stray in (root / kind).rglob("*.yml")):
            raise SpecError(
                path, None, "expected a name that ends with .yaml, got .yml: it would not be read"
            )
    found_as = kept.key(sorted(path for root in roots for path in root.rglob("*.yaml")))
    library = Library(kept.fetch(found_as))
    schemas = {
        kind: library.shape({"$ref": library.uri(SPECS / "schema" / f"{kind}.yaml")})
        for kind in ("contract", "provider", "card", "guardrail", "broken")
        if not library.trusted
    }
    providers: dict[str, Provider] = {}
    raw: dict[str, tuple[Path, dict[str, Any]]] = {}
    cards: list[Card] = []
    guardrails: dict[str, dict[str, Any]] = {}
    broken: dict[str, dict[str, Any]] = {}
    for root in roots:
        for path in files(root, "guardrails"):
            said = _checked(library, schemas.get("guardrail"), path)
            if said["guardrail"] in guardrails:
                raise SpecError(
                    path, line_of(path, "/guardrail"), f"guardrail {said['guardrail']!r} stands elsewhere too"
                )
            guardrails[said["guardrail"]] = said
        for path in files(root, "broken"):
            said = _checked(library, schemas.get("broken"), path)
            if said["broken"] in broken:
                raise SpecError(path, line_of(path, "/broken"), f"{said['broken']!r} stands elsewhere too")
            broken[said["broken"]] = said
        for path in files(root, "providers"):
            said = _checked(library, schemas.get("provider"), path)
            if said["provider"] in providers:
                first = providers[said["provider"]].path
                raise SpecError(
                    path, line_of(path, "/provider"), f"provider {said['provider']!r} stands in {first} too"
                )
            providers[said["provider"]] = Provider(said["provider"], path, said)
        for path in files(root, "contracts"):
            said = _checked(library, schemas.get("contract"), path)
            if said["contract"] in raw:
                other = raw[said["contract"]][0]
                raise SpecError(
                    path, line_of(path, "/contract"), f"contract {said['contract']!r} stands in {other} too"
                )
            raw[said["contract"]] = path, said
        for path in files(root, "cards"):
            said = _checked(library, schemas.get("card"), path)
            for seller, card in said["cards"].items():
                cards.append(Card(said["model"], said["name"], said.get("family", ""), seller, path, card))
    if not library.trusted:
        whole = library.shape({"$ref": library.uri(SPECS / "schema" / "contract.yaml") + "#/$defs/WholeRule"})
    resolved: dict[tuple[str, ...], dict[str, Any]] = {}
    contracts = {}
    for name, (path, said) in raw.items():
        full = _resolve(name, raw, resolved, library)
        if isinstance(full.get("profile"), str) and "provider" in full:
            home = _home(full["profile"], full["provider"])
            full = {**full, "profile": _resolve(home, raw, resolved, library)["profile"]}
        provider = None
        if not said.get("abstract") or "provider" in full:
            if full.get("provider") not in providers:
                raise SpecError(
                    path,
                    line_of(path, "/provider"),
                    f"provider: expected one of {', '.join(sorted(providers))}, got {full.get('provider')!r}",
                )
            provider = providers[full["provider"]]
        contract = Contract(
            name, path, full, provider, tuple(raw[each][0] for each in _line(name, raw)), library
        )
        if not library.trusted:
            _check_operation(contract)
            _check_rules(contract, whole)
        contracts[name] = contract
    if not library.trusted:
        # A shared file that is wrong is told when it is used; then there is nothing right to keep.
        with suppress(SpecError):
            for path in (shared for root in roots for shared in files(root, "shapes")):
                library.document(path)
            kept.keep(found_as, library.documents)
    return Specs(providers, contracts, tuple(cards), tuple(roots), guardrails, broken)


def _checked(library: Library, shape: Shape | None, path: Path) -> dict[str, Any]:
    said = library.document(path)
    for found in shape.mismatches(said) if shape else ():
        at = found.at if found.keyword != "required" else found.at.rsplit("/", 1)[0]
        raise SpecError(path, line_of(path, at), str(found))
    return said  # type: ignore[no-any-return]


def _check_operation(contract: Contract) -> None:
    """What an operation needs once everything is inherited."""
    if contract.abstract:
        return
    needed = ["request/method", "request/paths", "response/status"]
    if contract.streams:
        needed += ["response/event_name", "response/events", "response/order"]
        if contract.response["framing"]["kind"] == "sse":
            needed.append("response/framing/event_line")
    for place in needed:
        found: Any = contract.said
        for part in place.split("/"):
            found = found.get(part) if isinstance(found, Mapping) else None
        if found is None:
            where, line = contract.origin(f"/{place}")
            raise SpecError(
                where, line, f"/{place}: expected it here or in what {contract.id} extends, got nothing"
            )


def _check_rules(contract: Contract, whole: Shape) -> None:
    """What a rule needs once everything is inherited: all its words, a probe that exists, or why not."""
    for name, rule in contract.said.get("rules", {}).items():
        if rule is None:
            continue
        where = f"/rules/{name}"
        for found in whole.mismatches(rule):
            raise SpecError(*contract.origin(where), str(found._replace(at=where + found.at)))
        if not contract.abstract and rule.get("probe") and rule["probe"] not in contract.probes:
            known = ", ".join(contract.probes) or "none"
            raise SpecError(
                *contract.origin(f"{where}/probe"),
                f"{where}/probe: expected one of {known}, got {rule['probe']!r}",
            )


def _line(name: str, raw: Raw, chain: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The contract and all it extends, nearest first: where two come together, what both extend comes after both.

    This is the order in which Python looks through classes (C3). Raises SpecError for a circle, for a contract that
    there is not, and for bases that name each other in opposite orders.
    """
    path, said = raw[name]
    if name in chain:
        raise SpecError(
            path, line_of(path, "/extends"), f"extends goes in a circle: {' -> '.join([*chain, name])}"
        )
    bases = bases_of(said)
    for base in bases:
        if base not in raw:
            raise SpecError(
                path, line_of(path, "/extends"), f"extends: expected a known contract, got {base!r}"
            )
    rest = [list(_line(base, raw, (*chain, name))) for base in bases] + [list(bases)]
    found = [name]
    while rest := [each for each in rest if each]:
        following = next((each[0] for each in rest if not any(each[0] in other[1:] for other in rest)), None)
        if following is None:
            raise SpecError(
                path,
                line_of(path, "/extends"),
                f"extends: expected bases in an order that they agree on, got {', '.join(bases)}",
            )
        found.append(following)
        rest = [each[1:] if each[0] == following else each for each in rest]
    return tuple(found)


def bases_of(said: Mapping[str, Any]) -> list[str]:
    """What a contract's file names under `extends`: one contract, several, none."""
    named = said.get("extends", [])
    return [named] if isinstance(named, str) else list(named)


def _resolve(
    name: str, raw: Raw, done: dict[tuple[str, ...], dict[str, Any]], library: Library
) -> dict[str, Any]:
    """What the contract says with all it extends."""

    def folded(line: tuple[str, ...]) -> dict[str, Any]:
        if line not in done:
            path, said = raw[line[0]]
            own = dict(said)
            _make_absolute(own, library.uri(path))
            if "by_model" in own:
                own["by_model"] = {name: dict(each) for name, each in own["by_model"].items()}
                for each in own["by_model"].values():
                    _make_absolute(each, library.uri(path))
            parent = folded(line[1:]) if line[1:] else {}
            own_alone = ("abstract", "extends", "afresh", *own.get("afresh", ()))
            done[line] = _extend({key: value for key, value in parent.items() if key not in own_alone}, own)
        return done[line]

    return folded(_line(name, raw))


def _make_absolute(said: dict[str, Any], base: str) -> None:
    """Every $ref of the shapes in `said` is made absolute against the file `base`."""
    for section, member in _SHAPED:
        if member in said.get(section, {}):
            said[section] = {**said[section], member: absolute(said[section][member], base)}


def _extend(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `parent`.

    Errors, rules, probes and exchanges merge by id and member, null takes one away; `headers`, `send`,
    `events`, `forbidden`, `auth` and `also` are merge-patched; in a profile null is a value; what else there is (shapes, lists,
    words) is replaced whole.
    """
    result: dict[str, Any] = dict(parent)
    for key, value in own.items():
        if key in ("request", "response") and isinstance(value, Mapping):
            base = dict(result.get(key, {}))
            for name, member in value.items():
                base[name] = (
                    merge(base.get(name), member)
                    if name in ("headers", "send", "events", "forbidden")
                    else member
                )
            result[key] = base
        elif key == "by_model":
            base = dict(result.get(key, {}))
            result[key] = {
                **base,
                **{name: _extend(base.get(name, {}), each) for name, each in value.items()},
            }
        elif key in ("errors", "rules", "exchanges", "probes", "limits"):
            base = dict(result.get(key, {}))
            for name, member in value.items():
                base[name] = (
                    {**base.get(name, {}), **member} if member is not None and base.get(name) else member
                )
            result[key] = base
        elif key == "profile":
            result[key] = _overlay(result.get(key), value)
        else:
            result[key] = merge(result.get(key), value)
    return result
