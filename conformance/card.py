"""Cards: what one model can do where one seller sells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from conformance.contract import Provider
from conformance.template import fill

__all__ = ["LISTS", "Card", "cards_of", "flat", "lent"]

LISTS: Mapping[str, str] = {
    "input": "input_modalities",
    "output": "output_modalities",
    "tier": "tiers",
    "region": "regions",
    "endpoint": "endpoints",
}
"""The claim that is a list of what stands after the colon of a capability: `input:image`."""

_SELLING = (
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
        if name not in self._found:
            found: Any = self.claims
            for part in name.split("."):
                found = found.get(part) if isinstance(found, Mapping) else None
            self._found[name] = found
        return self._found[name]

    @cached_property
    def _found(self) -> dict[str, Mapping[str, Any] | None]:
        """The claims that were looked for before, by their names: with each request they are asked for again."""
        return {}

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
        if kind in LISTS:
            value = self.value(LISTS[kind], reality)
            return None if value is None else name in value
        if kind == "api":
            value = self.value(f"apis.{name}", reality)
            return None if value is None else bool(value)
        value = self.value(kind, reality)
        return None if value is None else bool(value)


def flat(claims: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every claim with its name; those of a group have names with a dot: `prices.input`."""
    for name, said in claims.items():
        if "read_as" in said:
            yield f"{prefix}{name}", said
        else:
            yield from flat(said, f"{prefix}{name}.")


def cards_of(path: Path, said: Mapping[str, Any]) -> list[Card]:
    """The cards of one file, one for each seller of its model."""
    return [
        Card(said["model"], said["name"], said.get("family", ""), seller, path, card)
        for seller, card in said["cards"].items()
    ]


def lent(provider: Provider, own: Iterable[Card], others: Iterable[Card]) -> list[Card]:
    """The cards of other sellers as `provider` has them, one for each id that none of its `own` has."""
    said = provider.said["every_model"]
    taken = {name for card in own for name in (card.id_at(provider), *card.said.get("aliases", ()))}
    found = []
    for card in others:
        claims = {name: claim for name, claim in card.claims.items() if name not in _SELLING}
        if "text" in (card.value("output_modalities") or ["text"]):
            claims["apis"] = said["apis"]
        shown = card.said.get("listing", {})
        listing = {name: shown.get(name, value) for name, value in said["listing"].items()}
        for name in dict.fromkeys(card.ids.values()):
            if name not in taken:
                taken.add(name)
                ids = {**card.ids, provider.models_of: name}
                found.append(
                    replace(card, said={**card.said, "ids": ids, "claims": claims, "listing": listing})
                )
    return found
