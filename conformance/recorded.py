"""Recorded traffic judged: each exchange by the contract it belongs to, without asking anybody.

What one recorded exchange cannot show is not applicable, with the reason: rules that need what a probe asks, rules
that are younger than the recording, rules about what the recorder lost. A refusal is read (status, code, which of the
contract's errors it is) and judged by the rules about refusals; nobody knows whether it was due.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from conformance.contract import Contract, Failure, Provider, Rule, day_of
from conformance.dialects import dialect
from conformance.exchange import CLIENT_ERROR, SERVER_ERROR, Exchange, Request, Response
from conformance.finding import EXITS, Finding, Word
from conformance.framing import read
from conformance.inert import as_line
from conformance.judge import judge, shape_mismatches
from conformance.loading import Specs
from conformance.placing import Placed, Unplaced, place
from conformance.recordings import REDACTED, NoRecording, Recording, Unreadable, files, recordings
from conformance.rules import Seen, Step, leaves
from conformance.run import inapplicable
from conformance.runs.store import Redactor, again, by_signature, exchange_to_dict
from conformance.select import select
from conformance.shapes import ABSENT, Mismatch
from conformance.target import Target, UsageError
from conformance.values import Turn
from conformance.words import INCONCLUSIVE

STEP = "recorded"
"""The name of the one step that a recording is."""
WITH_THE_BODY_GONE = ("status", "headers")
"""What can be judged of an answer whose body the recorder did not keep."""


@dataclass(frozen=True)
class Judged:
    """One recording and what became of each rule of its contract."""

    placed: Placed
    exchange: Exchange
    target: Target
    address: str
    code: str | None
    refusal: str | None
    """The error of the contract that it is, None for a good answer and for one that no contract lists."""
    findings: tuple[Finding, ...]


@dataclass
class Traffic:
    """Everything read from files: what was judged, what has no place, what could not be read."""

    judged: list[Judged] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Files of a folder that hold no recorded traffic."""

    @property
    def total(self) -> int:
        return len(self.judged) + len(self.unplaced)


def judge_files(
    specs: Specs, places: Sequence[Path], assumed: Provider | None = None, recorded: date | None = None
) -> Traffic:
    """Every recording in the files and folders, judged.

    `assumed` is whose the hosts are that no provider names, `recorded` the day of recordings that do not say theirs.
    Raises UsageError for a file that was named and is not there, or holds no recording.
    """
    traffic = Traffic()
    seen: set[Path] = set()
    for asked in places:
        if not asked.exists():
            raise UsageError(f"--from: expected a file or a folder, got {asked}: there is none")
        for path in files(asked):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            try:
                found = recordings(path)
            except NoRecording as error:
                if path == asked:
                    raise UsageError(f"--from: {error}") from error
                traffic.others.append(str(path))
            except (Unreadable, OSError) as error:
                if path == asked:
                    raise UsageError(f"--from: {error}") from error
                traffic.unreadable.append(str(error))
            else:
                for each in found:
                    _take(traffic, specs, each, assumed, recorded)
    return traffic


def _take(
    traffic: Traffic, specs: Specs, recording: Recording, assumed: Provider | None, recorded: date | None
) -> None:
    found = place(specs, recording, assumed)
    if isinstance(found, Unplaced):
        traffic.unplaced.append(found)
    else:
        traffic.judged.append(judge_placed(specs, found, recorded))


def judge_placed(specs: Specs, placed: Placed, recorded: date | None = None) -> Judged:
    """What became of each rule of the contract in one recording."""
    recording, contract, provider = placed.recording, placed.contract, placed.provider
    card = specs.card(provider, placed.model) if placed.model else None
    variable = next(iter(provider.said["key"]["environment"]), "KEY")
    target = Target(
        provider,
        recording.url.removesuffix(recording.request.target.partition("?")[0]),
        placed.model,
        card,
        placed.region,
        key_variable=variable,
    )
    response = None
    if recording.response is not None:
        status, headers, chunks, ending = recording.response
        response = read(contract, status, headers, chunks, ending)
    failure = None if response is not None else "no answer was recorded"
    exchange = Exchange(recording.request, response, failure, recording.truth)
    exchange = replace(_redacted(exchange, provider, variable), truth=recording.truth)
    if exchange.response is not None and recording.response is not None:
        kept = exchange.response
        exchange = replace(
            exchange, response=read(contract, kept.status, kept.headers, kept.chunks, recording.response[3])
        )
    stored = json.dumps(exchange_to_dict(exchange), sort_keys=True)
    digest = hashlib.sha256(stored.encode()).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", "/".join(Path(recording.origin).parts[-2:]))
    address = f"{name[-100:]}-{digest}"
    step = Step(STEP, contract, exchange, placed.body, _turn(placed), "answered")
    line = again(target, Exchange(_askable(exchange.request, target), None))
    when = recording.when or recorded
    findings = []
    for rule in contract.rules.values():
        if rule.not_checked is None:
            word, reason, mismatches = _verdict(rule, step, target, recording, when)
            findings.append(Finding(rule, word, reason, mismatches, (f"{address}#{STEP}",), line))
    code = code_of(contract, exchange.response) if exchange.response else None
    known = failure_of(contract, exchange.response, code) if exchange.response else None
    return Judged(placed, exchange, target, address, code, known.id if known else None, tuple(findings))


def _verdict(
    rule: Rule, step: Step, target: Target, recording: Recording, when: date | None
) -> tuple[Word, str, tuple[Any, ...]]:
    reason = _unfit(rule, step, target, recording, when)
    if reason:
        return "not applicable", reason, ()
    expected = "refused" if rule.scope == "refusal" else "answered"
    found = judge(rule, Seen(step.contract, rule, {STEP: replace(step, expect=expected)}, target.card))
    if found.word == "inconclusive" or (found.word == "not asked" and _shows_nothing(step, found, when)):
        return "not applicable", found.reason, ()
    young = _younger(step.contract, when)
    seen = tuple(each for each in found.mismatches if not _rewritten(each.got) and not _is_of(young, each))
    if found.mismatches and not seen and all(_is_of(young, each) for each in found.mismatches):
        return "kept", "", ()
    if found.word == "broken" and not seen:
        return "not applicable", f"the recorder put {found.mismatches[0].got} at {found.mismatches[0].at}", ()
    return found.word, found.reason, seen


def _younger(contract: Contract, when: date | None) -> set[str]:
    """The members that the shapes require and that a recording of `when` need not have yet."""
    said = contract.response.get("since", {})
    return {name for name, since in said.items() if when is None or when < day_of(since)}


def _is_of(names: set[str], found: Mismatch) -> bool:
    return found.got is ABSENT and found.at.rpartition("/")[2] in names


def _rewritten(value: Any) -> bool:
    """True for a text that a recorder put in the place of another."""
    return isinstance(value, str) and any(word in value.lower() for word in REDACTED)


def _unfit(rule: Rule, step: Step, target: Target, recording: Recording, when: date | None) -> str | None:
    """Why this recording says nothing about `rule`; None if it does."""
    response = step.exchange.response
    if response is None:
        return "no answer was recorded"
    if rule.since is not None and (when is None or when < rule.since):
        day = f"this is of {when}" if when else "nothing says when this was recorded (--recorded says it)"
        return f"it holds since {rule.since}, {day}"
    refused = response.status >= CLIENT_ERROR
    if rule.scope == "refusal":
        if not refused:
            return "it is about refusals, and this was answered"
        if response.status >= SERVER_ERROR:
            return f"it is about refusals, and this is a failure: status {response.status}"
    elif rule.scope != "answer" or {"step", "as_step"} & set(rule.arguments):
        return f"it needs what its probe {rule.probe} asks"
    elif refused:
        return f"this was refused with status {response.status}"
    if not recording.truth.headers and any(
        str(each).startswith("/headers") for each in rule.arguments.values()
    ):
        return "the recorder did not keep the headers"
    if recording.lost and rule.id not in WITH_THE_BODY_GONE:
        return recording.lost
    if rule.reality is not None:
        return f"it is of the {rule.reality} reality, and a recording does not say which it shows"
    # The card may say that the API is not offered; here it was, and that is what is judged.
    anywhere = replace(step.contract, said={**step.contract.said, "offer": None})
    return inapplicable(target, anywhere, rule)


def _shows_nothing(step: Step, found: Finding, when: date | None) -> bool:
    """True if it is not the provider's fault that the rule could not be looked at here."""
    response = step.exchange.response
    assert response is not None
    if found.reason.startswith("nothing to look at"):
        return True
    if response.problem is not None:
        return False
    shape = list(shape_mismatches(step.contract, response))
    young = _younger(step.contract, when)
    return response.ending == "error" or (bool(shape) and all(_is_of(young, each) for each in shape))


def _turn(placed: Placed) -> Turn | None:
    """The request in neutral words; None where it is in none that its dialect knows."""
    if placed.contract.dialect is None or not isinstance(placed.body, Mapping):
        return None
    try:
        turn = dialect(placed.contract.dialect).read(placed.body, placed.contract.profile)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return replace(turn, model=placed.model) if placed.model else turn


_OF_THE_CONNECTION = (
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "accept-encoding",
    "content-encoding",
)


def _askable(request: Request, target: Target) -> Request:
    """The request as it can be asked once more: without what belonged to its connection, with the key's variable."""
    headers = [each for each in request.headers if each[0].lower() not in _OF_THE_CONNECTION]
    if not by_signature(target, request):
        sent = target.provider.said["key"]["send"]
        names = {name.lower() for name in sent}
        headers = [each for each in headers if each[0].lower() not in names]
        headers += [(name, value.replace("{key}", f"${target.key_variable}")) for name, value in sent.items()]
    return replace(request, headers=tuple(headers))


# Refusals


def code_of(contract: Contract, response: Response) -> str | None:
    """What a client tells the refusal apart by, read where the contract's errors have it; None for a good answer."""
    if response.status < CLIENT_ERROR and response.ending != "error":
        return None
    for name in dict.fromkeys(_header_places(contract)):
        value = response.header(name)
        if value:
            return re.split(r"[:#]", value)[0]
    if response.ending == "error" and response.events:
        event = response.events[-1]
        found = next(
            (_word(event.data, at) for at in _places(contract, in_stream=True) if _word(event.data, at)), None
        )
        return found or event.name
    return next((_word(response.body, at) for at in _places(contract) if _word(response.body, at)), None)


def _header_places(contract: Contract) -> Iterator[str]:
    for failure in contract.failures.values():
        for name, value in failure.headers.items():
            if failure.code is not None and value is not None and failure.code in value:
                yield name


def _places(contract: Contract, in_stream: bool = False) -> list[str]:
    """Pointers to where errors have their code, the most usual one first."""
    found: Counter[str] = Counter()
    for failure in contract.failures.values():
        said = (failure.in_stream or {}).get("data") if in_stream else failure.body
        for at, value in leaves(said):
            if failure.code is not None and value == failure.code:
                found[at] += 1
    return [at for at, _ in found.most_common()]


def _word(value: Any, at: str) -> str | None:
    found = select(value, at)
    return str(found[0][1]).rpartition("#")[2] if found and isinstance(found[0][1], str | int) else None


def failure_of(contract: Contract, response: Response, code: str | None) -> Failure | None:
    """The contract's error that this is: by status and code, then by as much of its words as agree."""
    if response.status < CLIENT_ERROR:
        return None
    same = [
        each
        for each in contract.failures.values()
        if each.status == response.status and (each.code == code or each.code is None)
    ]
    got = json.dumps(response.body, ensure_ascii=False) if response.body is not None else ""

    def agreed(failure: Failure) -> int:
        words = [
            value for _, value in leaves(failure.body) if isinstance(value, str) and value != failure.code
        ]
        return sum(
            len(piece)
            for text in words
            for piece in re.split(r"\{\w+\}", text)
            if len(piece) > 3 and piece in got
        )

    return max(same, key=agreed, default=None)


# Keys


_CREDENTIALS = ("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "set-cookie")
_CREDENTIALS_LIKE = re.compile(r"(security-token|api-?key|secret|session)", re.IGNORECASE)
_QUERY = re.compile(
    r"(?i)(?P<name>[?&](?:x-amz-(?:security-token|credential|signature)|key|api[-_]key|token|sig|code))=(?P<value>[^&#]+)"
)


def _redacted(exchange: Exchange, provider: Provider, variable: str) -> Exchange:
    """The exchange without the keys that its recorder left in it, wherever they stand."""
    request = exchange.request
    secrets: dict[str, str] = {}
    at = provider.said["key"].get("body")
    found = select(_parsed(request.body), at) if at else []
    secrets |= {value: variable for _, value in found if isinstance(value, str) and _real(value)}
    response = exchange.response
    for headers in (request.headers, response.headers if response else ()):
        for name, value in headers:
            if name.lower() in _CREDENTIALS or _CREDENTIALS_LIKE.search(name):
                for part in re.split(r"[\s,;]+", value):
                    text = part.partition("=")[2] or part if name.lower() != "authorization" else part
                    if _real(text) and text.lower() not in _SCHEMES:
                        secrets[text] = variable if name.lower() == "authorization" else _variable(name)
    for found_ in _QUERY.finditer(request.target):
        if _real(found_["value"]):
            secrets[found_["value"]] = _variable(found_["name"].strip("?&"))
    return Redactor(secrets).exchange(exchange) if secrets else exchange


_SCHEMES = ("bearer", "basic", "aws4-hmac-sha256", "path=/", "secure", "httponly")


def _real(value: str) -> bool:
    return len(value) > 5 and not _rewritten(value) and not value.startswith("$")


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


# The run


_FIRST: tuple[Word, ...] = ("suite error", "broken", "kept", "not asked", "not applicable")
"""Of several exchanges that one rule was judged on, the word that comes first here is the rule's."""


def findings_of(traffic: Traffic) -> list[tuple[Target, Contract, Finding]]:
    """One finding for each rule of each contract: broken if it is broken anywhere, kept if it was looked at at all.

    What it shows is the first exchange of that word; its evidence has all of them.
    """
    by_rule: dict[tuple[str, str], list[tuple[Judged, Finding]]] = {}
    for judged in traffic.judged:
        for finding in judged.findings:
            by_rule.setdefault((finding.rule.contract, finding.rule.id), []).append((judged, finding))
    targets = {each.name: each for each in targets_of(traffic)}
    found = []
    for rows in by_rule.values():
        word = next(word for word in _FIRST if any(each.word == word for _, each in rows))
        same = [(judged, each) for judged, each in rows if each.word == word]
        judged, first = same[0]
        looked = len([each for _, each in rows if each.word in ("kept", "broken")])
        reason = first.reason
        if word == "broken":
            origin = judged.placed.recording.origin
            reason = f"in {len(same)} of {looked} recordings that show it, first in {origin}"
        evidence = (
            tuple(address for _, each in same for address in each.evidence)
            if word != "not applicable"
            else ()
        )
        target = targets[judged.target.name]
        line = first.again if word != "not applicable" else ""
        found.append(
            (target, judged.placed.contract, replace(first, reason=reason, evidence=evidence, again=line))
        )
    return found


def targets_of(traffic: Traffic) -> list[Target]:
    """One target for each provider; without a model where several were asked."""
    found: dict[str, Target] = {}
    for each in traffic.judged:
        one = found.setdefault(each.target.name, each.target)
        if one.model != each.target.model:
            one = replace(one, model=None, card=None)
        found[each.target.name] = one
    return list(found.values())


def document(
    traffic: Traffic, specs: Specs, started: datetime, seconds: float, selection: Mapping[str, Any]
) -> dict[str, Any]:
    """The canonical document of a run (specs/schema/run.yaml), with what became of each recording under `recordings`."""
    from conformance.runs import report

    said = report.document(
        findings_of(traffic),
        specs,
        targets_of(traffic),
        started=started,
        seconds=seconds,
        exchanges={
            each.address: [{"step": STEP, **exchange_to_dict(each.exchange)}] for each in traffic.judged
        },
        requests=0,
        selection=selection,
        sections={"recordings": [*map(_row, traffic.judged), *map(_row, traffic.unplaced)]},
    )
    if traffic.unreadable and said["exit_code"] == 0:
        # What could not be read was not looked at, and that is never green.
        said |= {"exit_code": INCONCLUSIVE, "verdict": EXITS[INCONCLUSIVE]}
    return said


def _row(each: Judged | Unplaced) -> dict[str, Any]:
    if isinstance(each, Unplaced):
        recording = each.recording
        placed: dict[str, Any] = {"contract": None, "why": each.reason}
        code = refusal = None
        words: list[dict[str, Any]] = []
    else:
        recording = each.placed.recording
        placed = {
            "contract": each.placed.contract.id,
            "model": each.placed.model,
            "evidence": f"{each.address}#{STEP}",
        }
        code, refusal = each.code, each.refusal
        words = [
            {"rule": found.rule.id, "level": found.rule.level, "word": found.word}
            for found in each.findings
            if found.word != "not applicable"
        ]
    return {
        "origin": recording.origin,
        "method": recording.request.method,
        "url": _without_keys(recording.url),
        "when": recording.when.isoformat() if recording.when else None,
        "status": recording.response[0] if recording.response else None,
        "code": code,
        "refusal": refusal,
        **placed,
        "findings": words,
    }


def _without_keys(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def told(traffic: Traffic) -> list[str]:
    """What was read, for the terminal: placed, refusals with their codes, what has no place, what could not be read."""
    lines = [
        f"{_count(traffic.total, 'recording')}: {len(traffic.judged)} placed, {len(traffic.unplaced)} not"
    ]
    by_contract = Counter(each.placed.contract.id for each in traffic.judged)
    wide = max(map(len, by_contract), default=0)
    for name, number in by_contract.items():
        here = [each for each in traffic.judged if each.placed.contract.id == name]
        refused = Counter(_refusal(each) for each in here if each.code or _status(each) >= CLIENT_ERROR)
        text = ", ".join(f"{word}{f' ({times})' if times > 1 else ''}" for word, times in refused.items())
        lines.append(f"  {name.ljust(wide)}  {number:4}" + (f"   refused: {text}" if text else ""))
    reasons: dict[tuple[str, str], list[Unplaced]] = {}
    for unplaced in traffic.unplaced:
        recording = unplaced.recording
        what = f"{recording.request.method} {_without_keys(recording.url)}"
        reasons.setdefault((what, unplaced.reason), []).append(unplaced)
    for (what, reason), each in reasons.items():
        times = f" ({len(each)})" if len(each) > 1 else ""
        lines.append(f"  could not place {what}{times}: {reason}")
        lines.append(f"    {each[0].recording.origin}")
    lines += [f"  could not read {each}" for each in traffic.unreadable]
    if traffic.others:
        lines.append(
            f"  {_count(len(traffic.others), 'file')} without recorded traffic, first {traffic.others[0]}"
        )
    return list(map(as_line, lines))


def _status(judged: Judged) -> int:
    return judged.exchange.response.status if judged.exchange.response else 0


def _refusal(judged: Judged) -> str:
    return f"{_status(judged)} {judged.code or 'without a code'}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
