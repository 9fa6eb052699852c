"""The evidence behind a finding: shown, written beside the report, and asked once more.

Every exchange of a run stands in its report.json. Beside it `write` puts each into a file of its own, named
by the hash of what is in it, in the form that `conformance judge --from` reads; and the bodies that lines to
paste name. `shown` prints a finding with its exchanges, and the lines: curl and Python.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance.exchange import Exchange, Request
from conformance.inert import inert
from conformance.loading import Specs
from conformance.runs import streams, told
from conformance.runs.rejudge import targets_of
from conformance.runs.store import (
    BODIES,
    again,
    body_file,
    by_signature,
    from_text_or_base64,
    request_from_dict,
)
from conformance.target import Target, UsageError

FOLDER = "evidence"
_OURS = re.compile(r"[0-9a-f]{16}\.(json|bin)")
LONGEST = 4000
"""Characters of a body that are shown."""


def digest(step: Mapping[str, Any]) -> str:
    """The content's own name: of what was asked and answered, whatever run it is from."""
    said = json.dumps([step["request"], step["response"]], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def steps(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every exchange of a run: its evidence (address#step), the URL that was asked, and the stored step."""
    endpoints = {each["name"]: each["endpoint"] for each in document["targets"]}
    asked = {
        evidence.rpartition("#")[0]: each["target"]
        for each in document["findings"]
        for evidence in each["evidence"]
    }
    urls = {each["evidence"]: each["url"] for each in document.get("recordings", ()) if "evidence" in each}
    for address, kept in document["exchanges"].items():
        for step in kept:
            name = f"{address}#{step['step']}"
            target = step["request"]["target"]
            if name in urls:
                base = urls[name].removesuffix(target.partition("?")[0])
            else:
                base = endpoints.get(step.get("target", asked.get(address)), "")
            yield name, base + target, step


def recording(url: str, step: Mapping[str, Any], when: str) -> dict[str, Any]:
    """The exchange in the form that `conformance judge --from` reads (`conformance.recordings.lines`)."""
    request, response = step["request"], step["response"]
    said: dict[str, Any] = {
        "url": url,
        "when": when,
        "method": request["method"],
        "request_headers": request["headers"],
        **{f"request_body_{kind}": value for kind, value in request["body"].items()},
        "status": None,
    }
    if response is not None:
        said |= {
            "status": response["status"],
            "response_headers": response["headers"],
            "response_chunks": response["chunks"],
            "ending": "cut" if response["ending"] == "cut" else "complete",
        }
    return said


def clear(folder: Path, but: Collection[Path] = ()) -> None:
    """Takes the exchanges and bodies of an earlier run out of a report's folder, `but` what stays."""
    for name in (FOLDER, BODIES):
        for old in (folder / name).glob("*"):
            if _OURS.fullmatch(old.name) and old not in but:
                old.unlink()
        if not but and (folder / name).is_dir() and not any((folder / name).iterdir()):
            (folder / name).rmdir()


def write(document: Mapping[str, Any], folder: Path) -> None:
    """Puts every exchange into `evidence/`, and into `bodies/` what lines to paste name; nothing of an earlier run stays."""
    wanted: dict[Path, bytes] = {}
    for _, url, step in steps(document):
        if url.startswith("http"):
            said = json.dumps(recording(url, step, document["started"]), indent=1, ensure_ascii=True)
            wanted[folder / FOLDER / f"{digest(step)}.json"] = said.encode() + b"\n"
        body = from_text_or_base64(step["request"]["body"])
        file = body_file(body)
        if file is not None:
            wanted[folder / file] = body
    clear(folder, wanted)
    for path, data in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


# Shown


def shown(document: Mapping[str, Any], specs: Specs, name: str, place: Path) -> Iterator[str]:
    """The finding `contract:rule`, or the exchange of a hash or address, as lines. Raises UsageError."""
    return map(inert, _shown(document, specs, name, place))


def _shown(document: Mapping[str, Any], specs: Specs, name: str, place: Path) -> Iterator[str]:
    targets = {each.name: each for each in targets_of(document, specs)}
    by_name = {found: (url, step) for found, url, step in steps(document)}
    findings = [
        each for each in document["findings"] if name in (f"{each['contract']}:{each['rule']}", each["rule"])
    ]
    if findings:
        for each in findings:
            yield told.told(each).text()
            for evidence in each["evidence"]:
                if evidence in by_name:
                    yield ""
                    yield from _exchange(evidence, *by_name[evidence], targets[each["target"]], place)
            yield ""
        return
    same = [
        found
        for found, (_, step) in by_name.items()
        if name in (found, found.rpartition("#")[0]) or digest(step).startswith(name)
    ]
    if not same or len(name) < 4:
        import difflib

        known = [f"{each['contract']}:{each['rule']}" for each in document["findings"]]
        close = difflib.get_close_matches(name, known, 3) or known[:1]
        raise UsageError(
            f"expected a finding (CONTRACT:RULE), an address or a hash of {place}, got {name!r}; "
            f"closest: {', '.join(close) or 'none, the run found nothing'}"
        )
    owner = {evidence: each["target"] for each in document["findings"] for evidence in each["evidence"]}
    for found in same:
        target = targets[owner.get(found, next(iter(targets)))]
        yield from _exchange(found, *by_name[found], target, place)


def _exchange(name: str, url: str, step: Mapping[str, Any], target: Target, place: Path) -> Iterator[str]:
    request = request_from_dict(step["request"])
    asked = replace(target, endpoint=url.removesuffix(request.target))
    yield f"== {name}  {digest(step)}"
    yield f"> {request.method} {url}"
    yield from (f"> {key}: {value}" for key, value in request.headers)
    yield from _body(step["request"]["body"], ">")
    response = step["response"]
    if response is None:
        yield f"< no response: {step.get('failure')}"
    else:
        yield f"< {response['status']}"
        yield from (f"< {key}: {value}" for key, value in response["headers"])
        stream = streams.stream_of(response)
        if stream is not None:
            for event in stream["events"]:
                at = "" if event["at"] is None else f"{event['at']:8.3f} s  "
                yield f"< {at}{event['name'] or 'data'}: {_cut(event['text'])}"
            if stream["problem"]:
                yield f"< {stream['problem']}"
        else:
            data = b"".join(from_text_or_base64(chunk) for chunk in response["chunks"])
            yield from _body({"text": data.decode("utf-8", "replace")}, "<")
        if response["ending"] != "complete":
            yield f"< ended: {response['ending']}"
    yield ""
    if body_file(request.body):
        yield f"# in {place}, where the body lies"
    yield f"curl    {again(asked, Exchange(request, None))}"
    yield "python"
    yield from (f"    {line}" for line in python(asked, request).splitlines())


def _body(said: Mapping[str, str], mark: str) -> Iterator[str]:
    text = said.get("text")
    if text is None:
        text = f"{len(from_text_or_base64(said))} bytes that are no text"
    if text:
        yield mark
        yield from (f"{mark} {line}" for line in _cut(text).splitlines())


def _cut(text: str) -> str:
    return (
        text if len(text) <= LONGEST else f"{text[:LONGEST]}... and {len(text) - LONGEST:,} characters more"
    )


def python(target: Target, request: Request) -> str:
    """A program of a few lines that asks the same once more; the key comes from the environment."""
    variables = target.named
    if by_signature(target, request):
        return _signed_python(target, request)
    headers = ", ".join(f"{name!r}: {_said(value, variables)}" for name, value in request.headers)
    lines = ["import os, urllib.error, urllib.request"]
    lines.append(f"body = {_python_body(request.body, variables)}")
    lines.append(
        f"asked = urllib.request.Request({_said(target.endpoint + request.target, variables)}, body, {{{headers}}}, "
        f"method={request.method!r})"
    )
    return "\n".join([*lines, *_ANSWER])


_ANSWER = (
    "try:",
    "    answer = urllib.request.urlopen(asked)",
    "except urllib.error.HTTPError as refused:",
    "    answer = refused",
    "print(answer.status, answer.headers, answer.read().decode('utf-8', 'replace'), sep='\\n')",
)


def _signed_python(target: Target, request: Request) -> str:
    from conformance.signing import SIGNED_HEADERS

    said = target.provider.said["key"]["sigv4"]
    kept = {name: value for name, value in request.headers if name.lower() not in SIGNED_HEADERS}
    region = target.signer.region if target.signer else target.region or ""
    return "\n".join(
        [
            "import urllib.error, urllib.request",
            "from botocore.auth import SigV4Auth",
            "from botocore.awsrequest import AWSRequest",
            "from botocore.session import get_session",
            f"body = {_python_body(request.body, target.named)}",
            f"made = AWSRequest({request.method!r}, {target.endpoint + request.target!r}, {kept!r}, body)",
            f"SigV4Auth(get_session().get_credentials(), {said['service']!r}, {region!r}).add_auth(made)",
            "asked = urllib.request.Request(made.url, body, dict(made.headers), method=made.method)",
            *_ANSWER,
        ]
    )


def _python_body(body: bytes, variables: Sequence[str]) -> str:
    if not body:
        return "None"
    file = body_file(body)
    said = f"open({file!r}, 'rb').read()" if file else repr(body)
    for variable in variables:
        if f"${variable}".encode() in body:
            said += f".replace(b'${variable}', os.environ[{variable!r}].encode())"
    return said


def _said(text: str, variables: Sequence[str]) -> str:
    """A Python expression of the text, keys taken from the environment."""
    if not variables:
        return repr(text)
    names = "|".join(sorted(map(re.escape, variables), key=len, reverse=True))
    pieces = re.split(rf"\$({names})", text)
    return " + ".join(
        f"os.environ[{piece!r}]" if index % 2 else repr(piece) for index, piece in enumerate(pieces)
    )


def rule(specs: Specs, name: str) -> Iterator[str]:
    """A rule as the specs have it: its sentence, who says so, how it is asked and how it is broken. Raises UsageError."""
    try:
        found = specs.rule(name)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from error
    yield f"{found.name} ({found.level}, {found.area})"
    yield f"  rule      {found.text}"
    yield f"  says      {found.source['text']} ({found.source['sure']})"
    if found.since:
        yield f"  since     {found.since}"
    if found.not_checked:
        yield f"  unchecked {found.not_checked}"
        return
    yield f"  asks      {found.probe}" + (
        "" if found.scope == "probe" else f"; holds for every {found.scope}"
    )
    yield f"  check     {found.check} {json.dumps(dict(found.arguments))}"
    for operation in found.broken_by:
        yield f"  broken by {json.dumps(operation)}"
