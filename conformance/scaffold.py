"""`conformance new provider`: a folder of YAML to begin with, for a provider that is like one we know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.contract import Contract, Provider
from conformance.loading import Specs
from conformance.target import UsageError

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def scaffold(
    specs: Specs,
    name: str,
    folder: Path,
    *,
    like: str,
    base_url: str,
    model: str,
    key: str | None,
    apis: Sequence[str],
) -> list[Path]:
    """Writes the folder; returns its files. Raises UsageError: for what is wrong before anything is written."""
    able = [each for each in specs.providers if _able(specs, each)]
    if like not in able:
        raise UsageError(f"--like: expected one of {', '.join(able)}, got {like!r}")
    provider = specs.providers[like]
    if not _NAME.fullmatch(name):
        raise UsageError(f"NAME: expected lower-case letters, digits and single hyphens, got {name!r}")
    if name in specs.providers:
        raise UsageError(f"NAME: expected one that no provider has, got {name!r}")
    if not re.match(r"https?://[^/\s]+", base_url):
        raise UsageError(f"--base-url: expected http(s)://host[:port], got {base_url!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"-o: expected a folder that is empty or not there yet, got {folder}: there is something"
        )
    if key is not None and not re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII):
        raise UsageError(f"--key-env: expected the name of a variable, such as MY_KEY, got {key!r}")
    chosen = _chosen(specs, provider, apis)
    key = key or re.sub(r"\W", "_", name).upper() + "_API_KEY"
    texts = {
        Path("providers") / f"{_file(name)}.yaml": _provider(provider, name, base_url, model, key),
        Path("cards") / f"{_file(model)}.yaml": _card(provider, name, model, chosen),
    }
    for contract in [*chosen, *_asked_by(specs, chosen)]:
        own = contract.id.partition("/")[2]
        texts[Path("contracts") / _file(name) / f"{_file(own)}.yaml"] = _contract(contract, name, own)
    try:
        for path, text in texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"-o: expected a folder to write to, got {folder}: {error.strerror}") from error
    return [folder / path for path in texts]


def _able(specs: Specs, provider: str) -> list[Contract]:
    """The provider's contracts by which text is generated."""
    return [each for each in specs.of(provider) if each.dialect is not None and each.offer is not None]


def _chosen(specs: Specs, provider: Provider, apis: Sequence[str]) -> list[Contract]:
    """The contracts of the wanted APIs, as cards call them."""
    able = _able(specs, provider.id)
    known = sorted({str(each.offer) for each in able})
    for name in apis:
        if name not in known:
            raise UsageError(f"--offers: expected some of {', '.join(known)}, got {name!r}")
    return [each for each in able if not apis or each.offer in apis]


def _asked_by(specs: Specs, chosen: Sequence[Contract]) -> list[Contract]:
    """The contracts beside the chosen ones that probes of theirs ask in a step, and so on."""
    found = {each.id: each for each in chosen}
    for contract in (known := list(chosen)):
        for probe in contract.probes.values():
            for step in probe["steps"].values():
                name = step.get("contract", contract.id)
                if name not in found:
                    found[name] = specs.contracts[name]
                    known.append(found[name])
    return known[len(chosen) :]


def _provider(provider: Provider, name: str, base_url: str, model: str, key: str) -> str:
    """The known provider's file with another head; what follows is where one begins."""
    host = urlsplit(base_url).hostname or ""
    new: Mapping[str, str] = {
        "provider": f"provider: {name}\n",
        "title": f"title: {name}\n",
        "source": "source: {text: 'not looked up yet: name the page that says it', sure: guess}\n",
        "base_url": f"base_url: {_quoted(base_url)}\n",
        "prefix": f"prefix: /{name}\n",
        "model": f"model: {_quoted(model)}\n",
        "unnamed_model": f"unnamed_model: {_quoted(model)}\n",
        # The mock tells providers by Host: a loopback address is that of all of them.
        "hosts": "hosts: []\n"
        if host in ("127.0.0.1", "localhost", "::1")
        else f"hosts: [{_quoted(host)}]\n",
        "seller": f"seller: {name}\n",
        "default_for": "",
        # It sells the model of its card.
        "models_of": "",
        "every_model": "",
        # It declares what its card says.
        "undeclared": "",
        "signing_services": "",
    }
    text = provider.path.read_text(encoding="utf-8")
    text = text[re.search(r"^\w", text, re.MULTILINE).start() :]  # type: ignore[union-attr]
    for member, line in new.items():
        found = re.search(rf"(?:^#.*\n)*^{member}:.*\n(?:[ \t]+.*\n|#.*\n(?=[ \t]))*", text, re.MULTILINE)
        if found:
            text = text[: found.start()] + line + text[found.end() :]
    variable = f"  # The variable that holds its key; [] where it takes none.\n  environment: [{key}]"
    # A region has its variables too.
    begin = re.search(r"^key:\n", text, re.MULTILINE).end()  # type: ignore[union-attr]
    own = re.sub(r"^(?:  #.*\n)*  environment:.*$", variable, text[begin:], count=1, flags=re.MULTILINE)
    text = text[:begin] + own
    return (
        f"# {name}: begun as {provider.id}. What is not known of it yet is what {provider.id} does: change what differs,\n"
        "# and say in `source` who says so. `conformance lint` checks the folder.\n" + text
    )


def _contract(contract: Contract, name: str, own: str) -> str:
    """A contract that says only what differs: at first, which models are sold."""
    lines = [
        f"contract: {name}/{own}",
        f"extends: {contract.id}",
        f"provider: {name}",
        f"api: {_quoted(f'{name} {own}')}",
        f"summary: As {contract.id}, until it is said what differs.",
        "source: {text: 'not looked up yet: name the page that says it', sure: guess}",
        "",
        "# Below comes what differs, member by member; null takes away what is inherited:",
        f"#   conformance show {contract.id}",
        "# shows all that is inherited, each line with its origin.",
    ]
    rules = _of_its_models(contract)
    if rules:
        lines += ["rules:", "  # It asks a model by a name that only the other provider knows."]
        lines += [f"  {rule}: null" for rule in rules]
    else:
        lines += ["# For instance:", "#", "# rules:", "#   a-rule-that-it-does-not-promise: null"]
    return "\n".join(lines) + "\n"


def _of_its_models(contract: Contract) -> list[str]:
    """The rules that look at what a certain model of the provider answers."""
    return [
        rule.id
        for rule in contract.rules.values()
        if rule.probe is not None
        and not rule.implied
        and any(
            step.get("expect", "answered") == "answered" and "{model}" not in (step.get("model") or "{model}")
            for step in contract.probes[rule.probe]["steps"].values()
        )
    ]


def _card(provider: Provider, name: str, model: str, contracts: Sequence[Contract]) -> str:
    """The model's file: that it is there. What no claim says is neither demanded nor looked at."""
    source = "{text: 'not looked up yet', sure: guess}"
    offers = dict.fromkeys(str(each.offer) for each in contracts)
    lines = [
        f"model: {_quoted(model)}",
        f"name: {_quoted(model)}",
        "cards:",
        f"  {name}:",
        "    page: {text: 'not looked up yet: name the page that says it', sure: guess}",
        f"    ids: {{{name}: {_quoted(model)}}}",
        "    # What no claim says is neither demanded nor looked at. Say what the page states, and more rules count:",
        "    # context_window, max_output, input_modalities, tools, structured_output, reasoning, prices, ...",
        "    claims:",
        "      apis:",
        *(f"        {offer}: {{stated: null, read_as: true, source: {source}}}" for offer in offers),
    ]
    return "\n".join(lines) + "\n"


def _file(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _quoted(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
