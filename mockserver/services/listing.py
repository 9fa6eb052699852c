"""Lists that are made from the cards: models, and the inference profiles that hold them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.card import Card
from conformance.contract import Contract, Provider
from conformance.loading import Specs
from conformance.select import select
from conformance.template import fill


class NoSuchEntry(LookupError):
    """The path names an entry that the list does not have."""


class BadToken(ValueError):
    """The token of the next page is none that this list gave out."""


def listed(
    specs: Specs,
    contract: Contract,
    values: Mapping[str, Any],
    *,
    region: str | None,
    card: Card | None,
    query: Mapping[str, Any],
    parameters: Mapping[str, str],
) -> Any:
    """The body of a list, or of one entry of it; `card` is the model that was asked for, if one was.

    Raises NoSuchEntry and BadToken.
    """
    said = contract.response
    listing = said["listing"] if isinstance(said["listing"], Mapping) else {"of": said["listing"]}
    provider = contract.provider
    assert provider is not None
    entries = [
        entry
        for each in _values(specs, provider, listing, values, region, card)
        for entry in [fill(_without_gaps(said["entry"], each), {**values, **each})]
        if _wanted(entry, listing.get("filters", {}), query)
    ]
    if "one" in listing:
        name = parameters[listing["one"]["parameter"]]
        entries = [each for each in entries if name in _found(each, listing["one"]["at"])]
        if not entries:
            raise NoSuchEntry(name)
    for at in reversed(said.get("sorted_by", ())):
        entries.sort(key=lambda entry: str(select(entry, at)[0][1]))
    token = None
    if "page" in listing:
        entries, token = _page(entries, listing["page"], query)
    answer = said["answer"]
    if "page" in listing and token is None:
        # Where nothing follows there is no token, not an empty one.
        answer = {name: each for name, each in answer.items() if each != "{next_token}"}
    return fill(answer, {"entries": entries, "entry": entries[0] if entries else None, "next_token": token})


def _values(
    specs: Specs,
    provider: Provider,
    listing: Mapping[str, Any],
    values: Mapping[str, Any],
    region: str | None,
    wanted: Card | None,
) -> Iterator[dict[str, Any]]:
    """What fills each entry."""
    for card in specs.cards_at(provider):
        if wanted is not None and card is not wanted:
            continue
        spelt = specs.providers[listing["named_at"]] if "named_at" in listing else provider
        if spelt.models_of not in card.ids:
            continue
        ours = card_values(card, spelt)
        ours |= {
            name: [word for claim, word in words.items() if card.offers(claim)]
            for name, words in listing.get("words", {}).items()
        }
        ours |= {name: card.offers(claim) is True for name, claim in listing.get("flags", {}).items()}
        if listing["of"] == "profiles":
            yield from _profiles(specs, provider, listing, card, {**values, **ours}, region)
        elif region is None or card.offers(f"region:{region}") is not False:
            yield ours


def _profiles(
    specs: Specs,
    provider: Provider,
    listing: Mapping[str, Any],
    card: Card,
    values: Mapping[str, Any],
    region: str | None,
) -> Iterator[dict[str, Any]]:
    known = specs.providers[provider.models_of].said["profiles"]
    for prefix in card.value("cross_region") or ():
        within = known[prefix]["regions"]
        if region is not None and within is not None and region not in within:
            continue
        places = [
            each
            for each in within or card.value("regions") or [values["region"]]
            if card.offers(f"region:{each}") is not False
        ]
        yield {
            **values,
            "profile": prefix,
            "profile_name": known[prefix]["name"],
            "places": [
                fill(listing["each_region"], {**values, "place": each})
                for each in places[: listing.get("at_most")]
            ],
        }


def _without_gaps(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` without the members that may be missing, `{name?}`, and of which the card says nothing."""
    if not isinstance(template, Mapping):
        return template
    kept: dict[str, Any] = {}
    for key, value in template.items():
        if isinstance(value, str) and value.endswith("?}"):
            name = value[1:-2]
            if values.get(name) is not None:
                kept[key] = f"{{{name}}}"
        else:
            kept[key] = _without_gaps(value, values)
    return kept


def _wanted(entry: Any, filters: Mapping[str, str], query: Mapping[str, Any]) -> bool:
    return all(
        str(query[name]).lower() in (str(each).lower() for each in _found(entry, [at]))
        for name, at in filters.items()
        if name in query
    )


def _found(entry: Any, places: Sequence[str]) -> list[Any]:
    """What stands at the places; the members of a list one by one."""
    values = [value for at in places for _, value in select(entry, at)]
    return [each for value in values for each in (value if isinstance(value, list) else [value])]


def _page(
    entries: list[Any], page: Mapping[str, Any], query: Mapping[str, Any]
) -> tuple[list[Any], str | None]:
    """One page, and the token of the next one if there is one."""
    start = 0
    token = query.get(page["token"])
    if token is not None:
        try:
            start = int(base64.urlsafe_b64decode(token).decode("ascii"))
        except (binascii.Error, UnicodeDecodeError, ValueError) as error:
            raise BadToken(page["token"]) from error
        if not 0 <= start < len(entries):
            raise BadToken(page["token"])
    end = start + query.get(page["size"], page["default"])
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(entries) else None
    return entries[start:end], following


def card_values(card: Card, provider: Provider) -> dict[str, Any]:
    """What a list can print of a card."""
    values: dict[str, Any] = {
        "id": card.id_at(provider),
        "seller_id": card.id_at(provider),
        "name": card.name,
        "aliases": list(card.said.get("aliases", ())),
    }
    for name in (
        "context_window",
        "max_output",
        "input_modalities",
        "output_modalities",
        "tools",
        "knowledge_cutoff",
        "lifecycle",
    ):
        values[name] = card.value(name)
    for name in ("input_modalities", "output_modalities"):
        values[f"{name}_upper"] = [each.upper() for each in values[name] or ()]
    for name in ("input", "output"):
        price = card.value(f"prices.{name}")
        cents = None if price is None else round(price * 100, 6)
        values[f"price_{name}"] = price
        values[f"price_{name}_cents"] = int(cents) if cents is not None and cents == int(cents) else cents
    return {**values, **card.said.get("listing", {})}
