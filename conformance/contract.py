"""Contracts and providers: what the YAML in specs/ says of them, as values.

`conformance.loading` makes them. Shapes are compiled when they are first asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from conformance.documents.document import lines
from conformance.documents.inheritance import extend
from conformance.documents.library import Library
from conformance.patch import merge
from conformance.shapes import Shape

__all__ = ["IMPLIED", "Contract", "Failure", "Provider", "Rule", "at_home", "day_of"]

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
                said = extend(said, {key: value for key, value in own.items() if key in _OF_A_MODEL})
            self._variants[fitting] = replace(self, said=said)
        return self._variants[fitting]

    @property
    def of_some_models(self) -> Mapping[str, Contract]:
        """This contract as each entry of `by_model` has it, taken by itself."""
        return {
            name: replace(
                self,
                said=extend(self.said, {key: value for key, value in own.items() if key in _OF_A_MODEL}),
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
            key: {
                **value,
                "steps": {name: _step_at_home(step, home) for name, step in value["steps"].items()},
            }
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


def at_home(contract: str, provider: str) -> str:
    """The id of a contract that is named as `./name` by one of the same provider."""
    return provider + contract.removeprefix(".") if contract.startswith("./") else contract


def _step_at_home(step: Mapping[str, Any], provider: str) -> Mapping[str, Any]:
    return {**step, "contract": at_home(step["contract"], provider)} if "contract" in step else step


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
