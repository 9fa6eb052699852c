"""Operations of a provider that are no model's answer: counting, guardrails, asynchronous jobs, what is kept.

Each is a generator of state effects that ends with the body of the answer, or with the condition
under which the contract refuses. Which contract does what stands in its `response.does`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from conformance.contract import Contract, Provider
from conformance.dialects import dialect
from conformance.dialects.chat import make_id
from conformance.template import fill
from mockserver.effects import Fetch, Store
from mockserver.services import conversations, guardrails, stored
from mockserver.services.operation import Asked, Denied, Operation
from mockserver.simulation import tokens

__all__ = ["OPERATIONS", "Asked", "Denied", "NoReader"]

SOONEST = "0001-01-01T00:00:00"


class NoReader(ValueError):
    """Nobody here reads bodies of that form; the text says which."""


# Tokens


def count_tokens(asked: Asked) -> Generator[Any, Any, Mapping[str, Any] | Denied]:
    """As many tokens as usage, caps, limits and quotas count. Raises NoReader."""
    yield from ()
    [(kind, said)] = asked.body["input"].items()
    first = asked.specs.contracts[asked.contract.request["counted"][kind]]
    body: Any = said
    if isinstance(said.get("body"), str):
        try:
            body = json.loads(base64.b64decode(said["body"], validate=True))
        except (binascii.Error, ValueError) as error:
            return Denied("body-not-json", {"expected": "JSON in base64", "got": str(error)})
    reader = _reader(asked, first, body)
    for found in reader.request_shape.mismatches(body) if reader.request_shape else ():
        where = f"input.{kind}{found.at.replace('/', '.')}"
        details = {"expected": found.expected, "got": str(found.got), "pointer": found.at}
        return Denied("request-shape", {**details, "member": where, "last": found.at.rpartition("/")[2]})
    turn = dialect(str(reader.dialect)).read(body, reader.profile)
    return {"inputTokens": tokens.count(turn)}


def _reader(asked: Asked, first: Contract, body: Any) -> Contract:
    """The contract, of those at the path of `first`, that has the form of this model's bodies."""
    model = asked.model or ""
    path = first.request["paths"][0]
    rivals = [
        each
        for each in asked.specs.of(asked.provider.id)
        if path in each.request["paths"] and each.speaks(model)
    ]
    for each in rivals:
        if each.when is None or each.when.fits(body):
            return each
    raise NoReader(
        f"no contract of {path} has the form of bodies for {model}; ask with `converse` instead of `invokeModel`"
    )


# Guardrails


def apply_guardrail(asked: Asked) -> Generator[Any, Any, Mapping[str, Any] | Denied]:
    """What a guardrail finds in some texts, as input of a model or as its output."""
    yield from ()
    name, version = asked.parameters["guardrailIdentifier"], asked.parameters["guardrailVersion"]
    guardrail = guardrails.find(asked.specs.guardrails, asked.provider, name, version)
    if guardrail is None:
        return Denied("unknown-guardrail", {"got": name})
    texts, marked = [], {"grounding_source": "", "query": ""}
    images = 0
    for block in asked.body["content"]:
        if "text" not in block:
            images += 1
            continue
        text, qualifiers = block["text"]["text"], block["text"].get("qualifiers", ())
        for qualifier in set(qualifiers) & set(marked):
            marked[qualifier] += text + "\n"
        if "guard_content" in qualifiers or not qualifiers:
            texts.append(text)
    told = asked.contract.response["answer"]
    is_output = asked.body["source"] == told["output"]
    verdict = guardrails.judge(
        guardrail,
        texts,
        version=version,
        arn=guardrail_arn(asked.provider, asked.region, guardrail),
        full=asked.body.get("outputScope") == told["full"],
        sources=marked["grounding_source"] if is_output else "",
        query=marked["query"],
        latency_ms=asked.latency_ms,
    )
    outputs: Sequence[str] = ()
    if verdict.blocked:
        outputs = [guardrail["blocked_output" if is_output else "blocked_input"]]
    elif verdict.masked:
        outputs = verdict.texts
    metrics = verdict.assessment["invocationMetrics"]
    covered = {
        **metrics["guardrailCoverage"],
        **({"images": {"guarded": 0, "total": images}} if images else {}),
    }
    return {
        "action": told["action"]["intervened" if verdict.intervened else "none"],
        "actionReason": told["reason"][
            "blocked" if verdict.blocked else "masked" if verdict.masked else "none"
        ],
        "assessments": [verdict.assessment],
        "guardrailCoverage": covered,
        "outputs": [{"text": text} for text in outputs],
        "usage": metrics["usage"],
    }


def guardrail_arn(provider: Provider, region: str, guardrail: Mapping[str, Any]) -> str:
    """The ARN of a guardrail in the one account that this mock has."""
    return str(fill(provider.said["guardrail_arn"], {"region": region, "id": guardrail["guardrail"]}))


def check_guardrails(asked: Asked) -> Generator[Any, Any, Mapping[str, Any] | Denied]:
    """What checks that stand in the request itself find in some messages."""
    yield from ()
    detects, checks = asked.contract.response["detects"], asked.body["checks"]
    blocks = [
        (at, inner, block["text"])
        for at, message in enumerate(asked.body["messages"])
        for inner, block in enumerate(message["content"])
    ]
    text = "\n".join(words for _, _, words in blocks)
    results: dict[str, Any] = {}
    for kind in ("contentFilter", "promptAttack"):
        if kind in checks:
            results[kind] = {
                "results": [
                    {
                        "category": each["category"],
                        "severityScore": _score(detects[kind][each["category"]], text, detects["score"]),
                    }
                    for each in checks[kind]["categories"]
                ]
            }
    if "sensitiveInformation" in checks:
        wanted = [each["type"] for each in checks["sensitiveInformation"]["entities"]]
        results["sensitiveInformation"] = {
            "results": [*_people(wanted, detects["sensitiveInformation"], blocks, detects["score"])],
            "truncated": False,
        }
    units = -(-len(text) // detects["text_unit"]) or 1
    return {"results": results, "usage": {kind: {"textUnits": units} for kind in results}}


def _score(words: Sequence[str], text: str, score: float) -> float:
    return score if any(re.search(rf"\b{re.escape(word)}\b", text, re.I) for word in words) else 0.0


def _people(
    wanted: Sequence[str], patterns: Mapping[str, str], blocks: Sequence[tuple[int, int, str]], score: float
) -> Iterator[dict[str, Any]]:
    for kind in wanted:
        for at, inner, words in blocks if kind in patterns else ():
            for match in re.finditer(patterns[kind], words):
                yield {
                    "type": kind,
                    "confidenceScore": score,
                    "beginOffset": match.start(),
                    "endOffset": match.end(),
                    "messageIndex": at,
                    "contentIndex": inner,
                }


# Jobs


def start_job(asked: Asked) -> Generator[Any, Any, Mapping[str, Any] | Denied]:
    """A new job; the one that the same token has already started."""
    token = asked.body.get("clientRequestToken")
    asks = {name: value for name, value in asked.body.items() if name != "clientRequestToken"}
    digest = hashlib.sha256(json.dumps(asks, sort_keys=True).encode()).hexdigest()
    if token is not None:
        known = yield Fetch(asked.space, "job-token", f"{asked.principal}:{token}")
        if known is not None and known["digest"] != digest:
            return Denied("token-conflict", {"got": token})
        if known is not None:
            return {"invocationArn": known["arn"]}
    said = asked.contract.response
    values = {"region": asked.region, "id": make_id(said["ids"]["job"], asked.ids), "model": asked.model}
    told, how = fill(said["answer"], values), said["job"]
    arn = told["invocationArn"]
    job = {
        "invocationArn": arn,
        "modelArn": told["modelArn"],
        **({"clientRequestToken": token} if token is not None else {}),
        "submitTime": _time(asked.now),
        "outputDataConfig": asked.body["outputDataConfig"],
    }
    fails = how["fails_on"] in json.dumps(asked.body["modelInput"])
    kept = {
        "job": job,
        "looks": how["polls"],
        "runs": how["statuses"]["running"],
        "ends": how["statuses"]["failed" if fails else "done"],
        "says": told["failureMessage"] if fails else None,
    }
    yield Store(asked.space, "job", f"{asked.principal}:{arn}", kept)
    listed = (yield Fetch(asked.space, "jobs", asked.principal)) or []
    yield Store(asked.space, "jobs", asked.principal, [*listed, arn])
    if token is not None:
        yield Store(asked.space, "job-token", f"{asked.principal}:{token}", {"arn": arn, "digest": digest})
    return {"invocationArn": arn}


def show_job(asked: Asked) -> Generator[Any, Any, Mapping[str, Any] | Denied]:
    """One job; it ends when it has been looked at often enough."""
    arn = asked.parameters["invocationArn"]
    shown = yield from _look(asked, arn)
    return shown if shown is not None else Denied("unknown-job", {"got": arn})


def _look(asked: Asked, arn: str) -> Generator[Any, Any, dict[str, Any] | None]:
    key = f"{asked.principal}:{arn}"
    kept = yield Fetch(asked.space, "job", key)
    if kept is None:
        return None
    if "ended" not in kept:
        left = kept["looks"] - 1
        kept = {**kept, "looks": left, **({"ended": _time(asked.now)} if left < 0 else {})}
        yield Store(asked.space, "job", key, kept)
    job = {**kept["job"], "status": kept["ends" if "ended" in kept else "runs"]}
    job["lastModifiedTime"] = kept.get("ended", job["submitTime"])
    if "ended" in kept:
        job["endTime"] = kept["ended"]
        if kept["says"] is not None:
            job["failureMessage"] = kept["says"]
    return job


def list_jobs(asked: Asked) -> Generator[Any, Any, Mapping[str, Any] | Denied]:
    """The caller's jobs, filtered, in order of submission, a page of them."""
    query = asked.query
    arns = (yield Fetch(asked.space, "jobs", asked.principal)) or []
    jobs = []
    for arn in arns:
        job = yield from _look(asked, arn)
        if job is not None and _wanted(job, query):
            jobs.append(job)
    if query.get("sortOrder") != asked.contract.response["answer"]["oldest_first"]:
        jobs.reverse()
    begin = 0
    if "nextToken" in query:
        found = re.fullmatch(r"from-(\d{1,9})", _plain(query["nextToken"]))
        if found is None:
            return Denied("bad-page", {"got": query["nextToken"], "member": "nextToken"})
        begin = int(found[1])
    end = begin + query.get("maxResults", asked.contract.response["answer"]["page"])
    more = {"nextToken": base64.urlsafe_b64encode(f"from-{end}".encode()).decode()} if end < len(jobs) else {}
    return {"asyncInvokeSummaries": jobs[begin:end], **more}


def _wanted(job: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    submitted = _moment(job["submitTime"])
    return (
        query.get("statusEquals", job["status"]) == job["status"]
        and submitted >= _moment(query.get("submitTimeAfter", SOONEST))
        and ("submitTimeBefore" not in query or submitted <= _moment(query["submitTimeBefore"]))
    )


def _plain(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError):
        return ""


def _time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    """The time that `text` says; the beginning of time if it says none (its form is checked before)."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        moment = datetime.fromisoformat(SOONEST)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


OPERATIONS: Mapping[str, Operation] = {
    "count-tokens": count_tokens,
    "apply-guardrail": apply_guardrail,
    "check-guardrails": check_guardrails,
    "start-job": start_job,
    "show-job": show_job,
    "list-jobs": list_jobs,
    **stored.OPERATIONS,
    **conversations.OPERATIONS,
}
"""The operations by the words that contracts have for them."""
