"""Rendering a run: one canonical document, and what people read of it.

`document` makes it from values, `matrix` and `failures` print it, `html` draws it as one page that
needs nothing else, `write` puts report.json and report.html into a folder. Only `document` sees
findings; all others read the document, so a stored report.json can be drawn again
(`conformance.runs.stored` reads one, specs/schema/run.yaml says what stands in it).
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from conformance import __version__
from conformance.card import Card
from conformance.contract import Contract, Rule
from conformance.exchange import header
from conformance.finding import EXITS, MEANING, Finding, exit_code, gathered
from conformance.loading import Specs
from conformance.runs.rulesets import digest
from conformance.runs.store import head_of
from conformance.shapes import ABSENT, Mismatch
from conformance.target import Target
from conformance.wire import FramingError, eventstream, ndjson, sse

__all__ = ["AREAS", "document", "dump_json", "failures", "html", "matrix", "write"]

FORMAT = "conformance-report/1"
AREAS = ("wire", "stream", "errors", "auth", "limits", "quotas", "modalities", "behaviour")
"""The columns of the matrix."""
HERE = Path(__file__).resolve().parent

_Found = tuple[Target, Contract, Finding]
_CLAIM_OF = {
    "input": "input_modalities",
    "output": "output_modalities",
    "tier": "tiers",
    "region": "regions",
    "endpoint": "endpoints",
    "api": "apis.",
}
"""The claim that a capability such as `input:image` stands in."""
_OWN = ("endpoints",)
"""Claims that two sellers cannot share, so that a difference says nothing."""


# The document


def document(
    findings: Sequence[_Found],
    specs: Specs,
    targets: Sequence[Target],
    *,
    started: datetime,
    seconds: float,
    exchanges: Mapping[str, list[Any]],
    requests: int,
    selection: Mapping[str, Any] | None = None,
    problems: Sequence[str] = (),
    sections: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The canonical document of a run, as plain JSON values.

    `started` has a time zone; `exchanges` are stored steps by address. Whatever the order in which the
    findings came, they stand in the order of targets, contracts and rules. A mismatch that got nothing
    has no `got`; `step` of a finding names the step that its pointers go into. `selection` is what was asked
    for (provider, model, api, shard, ...), `problems` fail the run beside its rules, and `sections` stand in the
    document as they are: `waivers`, `ruleset`, `baseline`, `declared`, `receipt`.
    """
    findings = _sorted(findings, specs, targets)
    code = exit_code([finding for _, _, finding in findings], problems)
    words = Counter(finding.word for _, _, finding in findings)
    cards = {(each.card.model, each.card.seller): each.card for each in targets if each.card is not None}
    return {
        "format": FORMAT,
        "version": __version__,
        "started": started.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(seconds, 3),
        "verdict": EXITS[code],
        "exit_code": code,
        "specs": digest(specs),
        "selection": dict(selection or {}),
        "problems": list(problems),
        "targets": [_target(each) for each in targets],
        "counts": {word: words[word] for word in MEANING},
        "requests": requests,
        "findings": [_finding(*each) for each in findings],
        "not_checked": list(_not_checked(findings)),
        "claims": [row for card in cards.values() for row in _claims(card, findings)],
        "between_sellers": list(_between_sellers(specs, {card.model for card in cards.values()})),
        "exchanges": {address: exchanges[address] for address in sorted(exchanges)},
        **(sections or {}),
    }


def dump_json(document: Mapping[str, Any]) -> str:
    """The document as canonical JSON: sorted keys, ASCII, two spaces, a newline at the end."""
    return json.dumps(document, sort_keys=True, indent=2, ensure_ascii=True) + "\n"


def _sorted(findings: Sequence[_Found], specs: Specs, targets: Sequence[Target]) -> list[_Found]:
    names = {target.name: index for index, target in enumerate(targets)}
    contracts = {name: index for index, name in enumerate(specs.contracts)}

    def place(found: _Found) -> tuple[int, int, int]:
        target, contract, finding = found
        return names[target.name], contracts[contract.id], list(contract.rules).index(finding.rule.id)

    return sorted(findings, key=place)


def _target(target: Target) -> dict[str, Any]:
    card = target.card
    return {
        "name": target.name,
        "title": target.provider.title,
        "endpoint": target.endpoint,
        "model": target.model,
        "card": None if card is None else {"model": card.model, "name": card.name, "seller": card.seller},
        "region": target.region,
        "auth": target.auth,
        "reality": target.reality,
        **({"variables": list(target.variables)} if target.variables else {}),
    }


def _finding(target: Target, contract: Contract, finding: Finding) -> dict[str, Any]:
    rule = finding.rule
    steps = [address.rpartition("#")[2] for address in finding.evidence]
    if rule.implied:
        step = next(iter(steps), None)
    else:
        step = rule.arguments.get("step", rule.arguments.get("shown", next(reversed(steps), None)))
    return {
        "target": target.name,
        "contract": contract.id,
        "api": contract.api,
        "rule": rule.id,
        "area": rule.area,
        "level": rule.level,
        "text": rule.text,
        "source": dict(rule.source),
        "word": finding.word,
        "reason": finding.reason,
        "excused": finding.excused,
        "accused": finding.accused,
        "mismatches": [_mismatch(each) for each in finding.mismatches],
        "evidence": list(finding.evidence),
        "step": step,
        "again": finding.again,
        "implied": rule.implied,
    }


def _mismatch(found: Mismatch) -> dict[str, Any]:
    said: dict[str, Any] = {"at": found.at, "expected": found.expected}
    if found.got is not ABSENT:
        said["got"] = json.loads(json.dumps(found.got, default=repr))
    return said


def _not_checked(findings: Iterable[_Found]) -> Iterator[dict[str, Any]]:
    for contract in {contract.id: contract for _, contract, _ in findings}.values():
        for rule in contract.rules.values():
            if rule.not_checked is not None:
                yield {
                    "contract": contract.id,
                    "api": contract.api,
                    "rule": rule.id,
                    "area": rule.area,
                    "text": rule.text,
                    "why": rule.not_checked,
                    "source": dict(rule.source),
                }


def _flat(claims: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, said in claims.items():
        if "read_as" in said:
            yield f"{prefix}{name}", said
        else:
            yield from _flat(said, f"{prefix}{name}.")


def _claims(card: Card, findings: Sequence[_Found]) -> Iterator[dict[str, Any]]:
    about: dict[str, list[Finding]] = {}
    for target, contract, finding in findings:
        if target.card is not None and (target.card.model, target.card.seller) == (card.model, card.seller):
            for name in _speaks_to(contract, finding.rule):
                about.setdefault(name, []).append(finding)
    for name, said in _flat(card.claims):
        seen = about.get(name, [])
        word = next((word for word in ("broken", "kept") if any(each.word == word for each in seen)), None)
        yield {
            "model": card.model,
            "seller": card.seller,
            "claim": name,
            "stated": said["stated"],
            "read_as": said["read_as"],
            "unit": said.get("unit"),
            "observed": said.get("observed"),
            "verdict": word or "not looked at",
            "rules": [each.rule.name for each in seen if each.word == word],
            "source": dict(said["source"]),
            "disputed_by": list(said.get("disputed_by", ())),
            "note": said.get("note"),
        }


def _speaks_to(contract: Contract, rule: Rule) -> Iterator[str]:
    """The claims that this rule's result says something about."""
    if rule.implied and rule.id == "status" and contract.offer is not None:
        yield f"apis.{contract.offer}"
    for kind in ("claim", "offers", "lacks"):
        if kind in rule.needs:
            family, colon, member = rule.needs[kind].partition(":")
            claim = _CLAIM_OF[family] if colon else family
            yield claim + member if claim.endswith(".") else claim


def _between_sellers(specs: Specs, models: set[str]) -> Iterator[dict[str, Any]]:
    for model in sorted(models):
        cards = [card for card in specs.cards if card.model == model]
        for name in dict.fromkeys(name for card in cards for name, _ in _flat(card.claims)):
            claims = {card.seller: claim for card in cards if (claim := card.claim(name)) is not None}
            if name not in _OWN and len({json.dumps(each["read_as"]) for each in claims.values()}) > 1:
                yield {
                    "model": model,
                    "claim": name,
                    "sellers": {
                        seller: {key: claim.get(key) for key in ("stated", "read_as", "unit", "source")}
                        for seller, claim in claims.items()
                    },
                }


# The terminal


_COLORS = {"green": "32", "red": "31", "grey": "90", "yellow": "33", "purple": "35"}
_LABELS: dict[str, tuple[str, str]] = {
    **{word: (meaning.mark, meaning.color) for word, meaning in MEANING.items()},
    "warning": ("x", "yellow"),
    "excused": ("=", "yellow"),
    "accused": ("#", "red"),
}
"""Mark and color of each word as `Finding.shown` tells it."""
_TOLD = {
    "warning": "broken, only should",
    "excused": "broken, but waived or so in the baseline too",
    "accused": "kept, but waived: remove the waiver",
}
_NOUNS = {"warning": "warning", "accused": "stale waiver"}


def shown(finding: Mapping[str, Any]) -> str:
    """The word for the eye: `Finding.shown` of a finding of a document."""
    return told(finding).shown


def _painted(text: str, color: str, wanted: bool) -> str:
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if wanted and text else text


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."


_SHORTEST = 16
"""An API's name is not cut below this: `  Chat Complet...`."""


def _cut_inside(text: str, width: int) -> str:
    """The text with its middle left out: `Chat Completions` and its stream differ at their ends."""
    half = (width - 3) // 2
    return text if len(text) <= width else f"{text[: width - 3 - half]}...{text[-half:]}"


class _Cell:
    """How many findings of each word; `text` is what the terminal shows of them."""

    ORDER = (
        "broken",
        "accused",
        "warning",
        "excused",
        "not asked",
        "suite error",
        "inconclusive",
        "over budget",
    )

    def __init__(self, findings: Iterable[Mapping[str, Any]]) -> None:
        self.counts = Counter(shown(each) for each in findings)

    @property
    def text(self) -> str:
        parts = [str(self.counts["kept"])] if self.counts["kept"] else []
        parts += [f"{_LABELS[word][0]}{self.counts[word]}" for word in self.ORDER if self.counts[word]]
        return " ".join(parts) or ("-" if self.counts["not applicable"] else "")

    @property
    def color(self) -> str:
        worst = next((word for word in self.ORDER if self.counts[word]), None)
        return _LABELS[worst or ("kept" if self.counts["kept"] else "not applicable")][1]


def matrix(document: Mapping[str, Any], width: int, color: bool) -> list[str]:
    """The run in lines of at most `width` columns: API x area, legend, contradictions, and the verdict last.

    Without `color` the marks alone tell the words apart. Names of areas and APIs are cut where they
    must be; cells never are, so a table of many results may be wider than a narrow terminal.
    """
    findings = document["findings"]
    groups: dict[str, dict[str, list[Any]]] = {}
    for each in findings:
        groups.setdefault(each["target"], {}).setdefault(each["api"], []).append(each)
    rows: list[tuple[str, list[_Cell]] | str] = []
    for target in document["targets"]:
        if target["name"] in groups:
            title = "  ".join(part for part in (target["title"], target["model"]) if part)
            whole = f"{title}  {target['endpoint']}"
            rows.append(whole if len(whole) <= width else _cut(title, width))
            for api, found in groups[target["name"]].items():
                rows.append((f"  {api}", _areas(found)))
    rows.append(("all", _areas(findings)))
    wide = _columns(rows, AREAS)
    names: tuple[str, ...] = AREAS
    if sum(wide) > width:
        names = tuple(f"{area[:5]}." if len(area) > 6 else area for area in AREAS)
        wide = _columns(rows, names, gap=1)
    wide[0] = min(wide[0], max(width - sum(wide[1:]), _SHORTEST))
    lines = [" " * wide[0] + "".join(name.rjust(size) for name, size in zip(names, wide[1:], strict=True))]
    for row in rows:
        if isinstance(row, str):
            lines += ["", row]
            continue
        label, cells = row
        if label == "all":
            lines.append("")
        painted = [
            " " * (size - len(cell.text)) + _painted(cell.text, cell.color, color)
            for cell, size in zip(cells, wide[1:], strict=True)
        ]
        lines.append("".join([_cut_inside(label, wide[0]).ljust(wide[0]), *painted]).rstrip())
    lines += ["", *_legend(_Cell(findings), width, color), "", *_contradictions(document, width)]
    lines += _terms(document, width)
    silent = len(document["not_checked"])
    if silent:
        lines.append(f"{_count(silent, 'statement')} not checked (reasons in the report)")
    lines.append(verdict(document, color))
    return lines


def cells(findings: Sequence[Mapping[str, Any]], areas: Sequence[str] = AREAS) -> list[str]:
    """A row of the matrix as the terminal shows it: `12`, `3 X1`, `-`, or nothing for what has no rule."""
    return [_Cell(each for each in findings if each["area"] == area).text for area in areas]


def seconds_of(document: Mapping[str, Any]) -> list[float]:
    """For each finding, the seconds of the exchanges that it was the first to need."""
    seen: set[str] = set()
    spent = []
    for finding in document["findings"]:
        fresh = [each for each in finding["evidence"] if each not in seen]
        seen.update(fresh)
        spent.append(sum(_seconds(document, each) for each in fresh))
    return spent


def _seconds(document: Mapping[str, Any], evidence: str) -> float:
    address, _, name = evidence.rpartition("#")
    step = next((each for each in document["exchanges"].get(address, ()) if each["step"] == name), None)
    response = step["response"] if step is not None else None
    chunks = response["chunks"] if response is not None else ()
    return float(chunks[-1]["at"] or 0.0) if chunks else 0.0


def _terms(document: Mapping[str, Any], width: int) -> Iterator[str]:
    """What the run was held to beside its contracts, and what of that fails it."""
    waivers = Counter(each["state"] for each in document.get("waivers", ()))
    if waivers:
        yield "waivers: " + ", ".join(f"{number} {state}" for state, number in sorted(waivers.items()))
    ruleset = document.get("ruleset")
    if ruleset is not None:
        dropped = ruleset["dropped"]
        told_of = f"rules frozen as {ruleset['name']} on {ruleset['frozen']}"
        yield (
            f"{told_of}: {_count(len(dropped), 'rule')} not judged (reasons in the report)"
            if dropped
            else told_of
        )
        changed = [each for each in dropped if not each["why"].startswith("newer")]
        yield from (_cut(f"  {each['rule']}: {each['why']}", width) for each in changed)
    yield from document["problems"]


def _areas(findings: Sequence[Mapping[str, Any]]) -> list[_Cell]:
    return [_Cell(each for each in findings if each["area"] == area) for area in AREAS]


def _columns(rows: Iterable[tuple[str, list[_Cell]] | str], names: Sequence[str], gap: int = 2) -> list[int]:
    """Width of the labels, then of each column."""
    told = [row for row in rows if not isinstance(row, str)]
    areas = [
        max([len(name), *(len(cells[index].text) for _, cells in told)]) + gap
        for index, name in enumerate(names)
    ]
    return [max(len(label) for label, _ in told), *areas]


def legend(document: Mapping[str, Any]) -> str:
    """What the marks of its matrix mean, in one line without colour: `12 kept   X broken`."""
    return next(_legend(_Cell(document["findings"]), sys.maxsize, color=False))


def _legend(all_cells: _Cell, width: int, color: bool) -> Iterator[str]:
    words = [("12", "kept", "green")]
    for word in (*_Cell.ORDER, "not applicable"):
        if all_cells.counts[word]:
            mark, paint = _LABELS[word]
            words.append((mark, _TOLD.get(word, word), paint))
    line, length = "", 0
    for mark, word, paint in words:
        size = len(mark) + 1 + len(word)
        if length and length + 3 + size > width:
            yield line
            line, length = "", 0
        line += ("   " if length else "") + f"{_painted(mark, paint, color)} {word}"
        length += size + (3 if length > 0 else 0)
    yield line


def verdict(document: Mapping[str, Any], color: bool = False) -> str:
    """The last line of a run: `not conformant: 613 kept, 1 broken; 120 requests in 4.2 s`."""
    counts = Counter(shown(each) for each in document["findings"])
    words = ", ".join(
        _count(counts[word], _NOUNS[word]) if word in _NOUNS else f"{counts[word]} {word}"
        for word in ("kept", *_Cell.ORDER, "not applicable")
        if counts[word]
    )
    asked = f"{_count(document['requests'], 'request')} in {document['seconds']:.1f} s"
    paint = {0: "green", 1: "red", 3: "purple"}.get(document["exit_code"], "yellow")
    return f"{_painted(document['verdict'], paint, color)}: {words or 'nothing was looked at'}; {asked}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _contradictions(document: Mapping[str, Any], width: int) -> Iterator[str]:
    """Claims that something seen or said speaks against, and claims on which sellers differ."""
    claims = [
        (each["claim"], each["seller"], _said(each), against)
        for each in document["claims"]
        if (against := _against(each))
    ]
    if claims:
        yield from ("declared, and what speaks against it", *_table(claims, width), "")
    between = [
        (each["claim"], *(f"{seller} {_said(claim)}" for seller, claim in each["sellers"].items()))
        for each in document["between_sellers"]
    ]
    if between:
        yield from ("between sellers", *_table(between, width), "")


def _table(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    sizes = [max(len(row[index]) for row in rows if index < len(row)) for index in range(max(map(len, rows)))]
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, sizes, strict=False)]
        yield _cut(f"  {'  '.join(cells)}".rstrip(), width)


def _against(claim: Mapping[str, Any]) -> str:
    told = []
    if claim["verdict"] == "broken":
        rules = Counter(rule.rpartition(":")[2] for rule in claim["rules"])
        told.append("broken by " + ", ".join(f"{rule} ({times})" for rule, times in rules.items()))
    observed = claim["observed"]
    if observed is not None and observed["value"] != claim["read_as"]:
        told.append(f"observed {_plain(observed['value'])} ({observed['source']['sure']})")
    for each in claim["disputed_by"]:
        told.append(f"disputed: {_plain(each['value'])} ({each['source']['sure']})")
    return ", ".join(told)


def _said(claim: Mapping[str, Any]) -> str:
    """What the claim is read as, and the page's own words where they are as short as `128K`."""
    stated = str(claim["stated"])
    told = _cut(_plain(claim["read_as"]), 24)
    return f'{told} ("{stated}")' if claim["stated"] is not None and len(stated) <= 12 else told


def _plain(value: Any) -> str:
    """A claim's value for a person: 128,000; yes; text, image."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value)
    return str(value)


def failures(document: Mapping[str, Any]) -> list[str]:
    """The texts of the findings that fail the run, then of those that warn; what several contracts share, once."""
    found = [told(each) for each in document["findings"]]
    return texts(each for each in found if each.fails) + texts(each for each in found if each.warns)


def texts(findings: Iterable[Finding]) -> list[str]:
    """The texts of the findings; one that is the same in several contracts is told once and names them."""
    return [
        group[0].text(sorted({each.rule.contract for each in group} - {group[0].rule.contract}))
        for group in gathered(findings)
    ]


def told(said: Mapping[str, Any]) -> Finding:
    """A finding of a document again, with as much of its rule as its text needs."""
    rule = Rule(
        id=said["rule"],
        contract=said["contract"],
        area=said["area"],
        level=said["level"],
        text=said["text"],
        source=said["source"],
        probe=None,
        check="",
        arguments={},
        scope="",
        needs={},
        broken_by=(),
        also=(),
        reality=None,
        not_checked=None,
        implied=said["implied"],
    )
    found = [Mismatch(each["at"], each["expected"], each.get("got", ABSENT)) for each in said["mismatches"]]
    return Finding(
        rule,
        said["word"],
        said["reason"],
        tuple(found),
        tuple(said["evidence"]),
        said["again"],
        said["excused"],
        said["accused"],
    )


# The page


def html(document: Mapping[str, Any]) -> str:
    """The report as one page: no network, no other file, works from file://.

    Nothing of the document becomes markup: it stands packed in a block of base64, the page's script
    shows it as text, and the page's policy lets no other script run.
    """
    style, script = ((HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    data = {
        "document": document,
        "streams": {
            f"{address}#{step['step']}": decoded
            for address, steps in document["exchanges"].items()
            for step in steps
            if (decoded := stream_of(step["response"])) is not None
        },
        "areas": AREAS,
        "marks": {word: mark for word, (mark, _) in _LABELS.items()},
    }
    its_digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "title": escape(f"{document['verdict']}: {', '.join(each['title'] for each in document['targets'])}"),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{its_digest}'; base-uri 'none'",
        "style": style,
        "verdict": escape(verdict(document, color=False)),
        "data": _packed(data),
        "script": script,
    }
    page = (HERE / "page.html").read_text(encoding="utf-8")
    pieces = page.split("%%")
    return "".join(piece if index % 2 == 0 else parts[piece] for index, piece in enumerate(pieces))


def _packed(data: Any) -> str:
    """JSON packed by gzip, as base64: the same bodies stand in many exchanges, so this is a seventh of it."""
    text = json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    # Without a time, so that the same document is the same page.
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def stream_of(response: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The messages of a streamed answer with their times, and what broke off the reading; None for others."""
    if response is None:
        return None
    _, headers, chunks = head_of(response)
    kind = (header(headers, "content-type") or "").split(";")[0].strip().lower()
    if kind not in _READERS:
        return None
    decoder, tell = _READERS[kind]
    reader = decoder()
    events: list[dict[str, Any]] = []
    problem = None
    try:
        for chunk in chunks:
            events += [{"at": chunk.at, **tell(message)} for message in reader.feed(chunk.data)]
        events += [{"at": chunks[-1].at if chunks else None, **tell(message)} for message in reader.close()]
    except FramingError as error:
        events += [{"at": None, **tell(message)} for message in error.before]
        problem = str(error)
    return {"events": events, "problem": problem}


def _tell_message(message: eventstream.Message) -> dict[str, Any]:
    """Name, headers and payload of one message. JSON that stands in it as base64 is shown as JSON."""
    said = message.headers.items()
    headers = {
        name: str(value.value if isinstance(value, eventstream.Int) else value) for name, value in said
    }
    names = (":event-type", ":exception-type", ":error-code")
    name = next((headers[key] for key in names if key in headers), None)
    text = message.payload.decode("utf-8", "replace")
    opened = []
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    for key, value in payload.items() if isinstance(payload, dict) else ():
        inner = _json_in_base64(value)
        if inner is not None:
            text = text.replace(json.dumps(value), inner)
            opened.append(key)
    return {"name": name, "headers": headers, "text": text, "opened": opened}


def _json_in_base64(value: Any) -> str | None:
    """The JSON object in `value`; None if it is anything else."""
    if not isinstance(value, str):
        return None
    try:
        text = base64.b64decode(value, validate=True).decode()
        return text if isinstance(json.loads(text), dict) else None
    except (binascii.Error, ValueError):
        return None


def _tell_event(message: sse.Message) -> dict[str, Any]:
    return {"name": message.event, "text": message.data}


def _tell_line(value: Any) -> dict[str, Any]:
    return {"name": None, "text": json.dumps(value, ensure_ascii=False)}


_READERS: dict[str, tuple[Any, Any]] = {
    "application/vnd.amazon.eventstream": (eventstream.Decoder, _tell_message),
    "text/event-stream": (sse.Decoder, _tell_event),
    "application/x-ndjson": (ndjson.Decoder, _tell_line),
}


# The folder


def write(document: Mapping[str, Any], folder: Path) -> None:
    """Writes every file of a report; whoever reads one sees the old file or the whole new one."""
    from conformance.formats import FORMATS
    from conformance.runs import evidence

    folder.mkdir(parents=True, exist_ok=True)
    texts = [(name, render(document)) for name, render in FORMATS.values()]
    for name, text in texts:
        new = folder / f".{name}.{os.getpid()}.new"
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(folder / name)
    evidence.write(document, folder)
