"""`load` reads specs/ and any folders beside it, and refuses what is not in the format with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from conformance.card import Card, cards_of, lent
from conformance.contract import Contract, Provider, Rule, at_home
from conformance.documents import kept
from conformance.documents.document import SpecError, line_of
from conformance.documents.inheritance import Inheritance
from conformance.documents.library import KINDS, SPECS, Library, files
from conformance.shapes import Mismatch, Shape

__all__ = ["Specs", "load"]


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

    def at(self, provider: Provider, path: str) -> list[tuple[Contract, dict[str, str]]]:
        """The provider's operations whose path this is, in the order of their files, each with the path's parameters."""
        candidates = self._by_depth[provider.id].get(path.count("/"), ())
        matching = ((each, each.match_path(path)) for each in candidates)
        return [(each, found) for each, found in matching if found is not None]

    @cached_property
    def _by_depth(self) -> Mapping[str, Mapping[int, list[Contract]]]:
        """The operations of each provider by the slashes in their paths: no parameter of a path has one."""
        found: dict[str, dict[int, list[Contract]]] = {name: {} for name in self.providers}
        for name, contracts in self._operations.items():
            for each in contracts:
                for depth in {template.count("/") for _, template in each.paths}:
                    found[name].setdefault(depth, []).append(each)
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
                here += lent(provider, here, [each for each in self.cards if each.seller != provider.seller])
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


_LOADED: WeakValueDictionary[tuple[tuple[Path, ...], str], Specs] = WeakValueDictionary()
"""What somebody still holds, by its folders and the key of its files: compiled shapes are most of what a mock weighs."""


def load(folders: Iterable[Path | str] = ()) -> Specs:
    """The specs of this package and of every folder given beside it; while no file changes, the same for all who hold them.

    Raises SpecError for the first file that is not in the format; it names file, line, what was
    expected and what stands there.
    """
    roots = (SPECS, *(Path(each) for each in folders))
    for root in roots:
        _check_names(root)
    found_as = kept.key(sorted(path for root in roots for path in root.rglob("*.yaml")))
    loaded = _LOADED.get((roots, found_as))
    if loaded is None:
        loaded = _LOADED[roots, found_as] = _read(roots, found_as)
    return loaded


def _read(roots: tuple[Path, ...], found_as: str) -> Specs:
    """Those of all the folders, from what is kept of them if it is."""
    library = Library(kept.fetch(found_as))
    providers: dict[str, Provider] = {}
    raw: dict[str, tuple[Path, dict[str, Any]]] = {}
    cards: list[Card] = []
    guardrails: dict[str, dict[str, Any]] = {}
    broken: dict[str, dict[str, Any]] = {}
    for kind, path, said in _documents(roots, library):
        match kind:
            case "guardrail":
                if said[kind] in guardrails:
                    raise _twice(path, kind, f"guardrail {said[kind]!r} stands elsewhere too")
                guardrails[said[kind]] = said
            case "broken":
                if said[kind] in broken:
                    raise _twice(path, kind, f"{said[kind]!r} stands elsewhere too")
                broken[said[kind]] = said
            case "provider":
                if said[kind] in providers:
                    first = providers[said[kind]].path
                    raise _twice(path, kind, f"provider {said[kind]!r} stands in {first} too")
                providers[said[kind]] = Provider(said[kind], path, said)
            case "contract":
                if said[kind] in raw:
                    raise _twice(path, kind, f"contract {said[kind]!r} stands in {raw[said[kind]][0]} too")
                raw[said[kind]] = path, said
            case "card":
                cards += cards_of(path, said)
    contracts = _contracts(raw, providers, library)
    if not library.trusted:
        # A shared file that is wrong is told when it is used; then there is nothing right to keep.
        with suppress(SpecError):
            for path in (shared for root in roots for shared in files(root, "shapes")):
                library.document(path)
            kept.keep(found_as, library.documents)
    return Specs(providers, contracts, tuple(cards), roots, guardrails, broken)


def _check_names(root: Path) -> None:
    """Raises SpecError for a folder that has none of the folders of specs/, and for a file in them that would not be read."""
    if not any((root / kind).is_dir() for kind in KINDS):
        folders = ", ".join(f"{kind}/" for kind in KINDS)
        raise SpecError(root, None, f"expected a folder with some of {folders} in it, got none of them")
    for path in sorted(stray for kind in KINDS for stray in (root / kind).rglob("*.yml")):
        raise SpecError(path, None, "expected a name that ends with .yaml, got .yml: it would not be read")


_READ = {
    "guardrails": "guardrail",
    "broken": "broken",
    "providers": "provider",
    "contracts": "contract",
    "cards": "card",
}
"""The folders in the order in which they are read, and the schema of what stands in each."""


def _documents(roots: Iterable[Path], library: Library) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """What each file says and what it is (guardrail, broken, provider, contract, card), folder by folder.

    Raises SpecError for a file that its schema refuses.
    """
    shapes = {} if library.trusted else {kind: _schema(kind, library) for kind in _READ.values()}
    for root in roots:
        for folder, kind in _READ.items():
            for path in files(root, folder):
                said = library.document(path)
                for found in shapes[kind].mismatches(said) if shapes else ():
                    at = found.at if found.keyword != "required" else found.at.rsplit("/", 1)[0]
                    hint = _meant(found, kind, library) if found.expected == "no such member" else ""
                    raise SpecError(path, line_of(path, at), f"{found}{hint}")
                yield kind, path, said


def _schema(kind: str, library: Library, within: str = "") -> Shape:
    return library.shape({"$ref": library.uri(SPECS / "schema" / f"{kind}.yaml") + within})


def _meant(found: Mismatch, kind: str, library: Library) -> str:
    """The member that was most likely meant, in words to put behind what is wrong."""
    import difflib

    schema = library.document(SPECS / "schema" / f"{kind}.yaml")
    known = {name for each in _parts(schema) for name in each.get("properties", ())}
    close = difflib.get_close_matches(found.at.rsplit("/", 1)[-1], sorted(known), 1, 0.75)
    return f"; closest: {close[0]}" if close else ""


def _parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of a schema, the schema itself first."""
    if isinstance(schema, Mapping):
        yield schema
    for each in (
        schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ()
    ):
        yield from _parts(each)


def _twice(path: Path, kind: str, text: str) -> SpecError:
    return SpecError(path, line_of(path, f"/{kind}"), text)


def _contracts(
    raw: Mapping[str, tuple[Path, dict[str, Any]]], providers: Mapping[str, Provider], library: Library
) -> dict[str, Contract]:
    """Each contract with all it inherits. Raises SpecError for what is missing once all of it is there."""
    heritage = Inheritance(raw, library)
    whole = None if library.trusted else _schema("contract", library, "#/$defs/WholeRule")
    contracts = {}
    for name, (path, said) in raw.items():
        full = heritage.whole(name)
        if isinstance(full.get("profile"), str) and "provider" in full:
            home = at_home(full["profile"], full["provider"])
            full = {**full, "profile": heritage.whole(home)["profile"]}
        provider = None
        if not said.get("abstract") or "provider" in full:
            if full.get("provider") not in providers:
                raise SpecError(
                    path,
                    line_of(path, "/provider"),
                    f"provider: expected one of {', '.join(sorted(providers))}, got {full.get('provider')!r}",
                )
            provider = providers[full["provider"]]
        chain = tuple(raw[each][0] for each in heritage.line(name))
        contract = Contract(name, path, full, provider, chain, library)
        if whole is not None:
            _check_operation(contract)
            _check_rules(contract, whole)
        contracts[name] = contract
    return contracts


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
