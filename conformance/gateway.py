"""A look at an endpoint before a run: whether somebody answers, where the API begins, whether key and model are known.

The list of models is asked for, which costs nothing. A model that it does not name is asked one short question, as
gateways serve models that they do not list.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance.ask import Asker
from conformance.contract import Contract
from conformance.exchange import CLIENT_ERROR, SERVER_ERROR, TOO_MANY_REQUESTS
from conformance.loading import Specs
from conformance.probes.probing import CannotAsk, build
from conformance.shapes import brief
from conformance.target import VERSION, Target, UsageError

PATIENCE = 30.0
"""Seconds of silence after which nobody answers."""
TOLD = 12
"""So many models are told by name."""
REFUSED_KEY = (401, 403)
"""The statuses by which HTTP says that a key is wanted, or another one."""
HELLO = {"messages": [{"role": "user", "text": "Hello"}], "max_tokens": 16}


@dataclass(frozen=True)
class Looked:
    """What a look at an endpoint came to."""

    target: Target
    """As it is asked from now on."""
    silence: str | None = None
    """Why nothing is to be asked: nobody answers, or the key is refused."""
    notes: tuple[str, ...] = ()
    """What is good to know before the run."""


def look(specs: Specs, target: Target, named: bool = True) -> Looked:
    """How `target` is to be asked; `named` is whether the caller said which model.

    Raises UsageError for a model that is not named, or that the endpoint refuses, with those that it lists.
    """
    lists = _operation(specs, target, "listing")
    if lists is None:
        return Looked(target)
    asker = Asker(target, PATIENCE)
    try:
        status, body = _asked(asker, lists, target, {})
        if status == 404:
            there = replace(target, without=VERSION)
            other, found = _asked(asker, lists, there, {})
            if other not in (404, 0):
                target, status, body = there, other, found
        if status == 0:
            return Looked(target, f"nobody answers at {body}")
        where = f"{target.endpoint}{lists.request['paths'][0].removeprefix(target.without)}"
        if status in REFUSED_KEY:
            return Looked(target, _key_refused(target, where, status, body))
        ids = _ids(body) if status == 200 else None
        if not named:
            raise UsageError(f"--model: say which model is asked; {_listed(where, ids)}")
        if ids is None:
            note = f"{where} lists no models ({status}), so nobody knows yet whether {target.model!r} is one"
            return Looked(target, notes=(note,))
        if target.model in ids:
            return Looked(target)
        return _unlisted(specs, asker, target, where, ids)
    finally:
        asker.close()


def _unlisted(specs: Specs, asker: Asker, target: Target, where: str, ids: Sequence[str]) -> Looked:
    """A model that the list does not name: asked a short question."""
    chats = _operation(specs, target, "dialect")
    assert chats is not None
    status, body = _asked(asker, chats, target, {"turn": HELLO})
    if CLIENT_ERROR <= status < SERVER_ERROR and status != TOO_MANY_REQUESTS:
        close = difflib.get_close_matches(str(target.model), ids, 3, 0.3)
        raise UsageError(
            f"--model: {target.model!r} is refused ({status}: {brief(body)}); {_listed(where, ids)}"
            + (f"; closest: {', '.join(close)}" if close else "")
        )
    return Looked(target, notes=(f"{target.model!r} is answered, though {where} does not list it",))


def _operation(specs: Specs, target: Target, what: str) -> Contract | None:
    """The list of models (`listing`) or the plain chat (`dialect`) at OpenAI's paths; None where there is none."""
    for each in specs.of(target.provider.id):
        path, method = each.request["paths"][0], each.method
        if what == "listing" and (method, path) == ("GET", f"{VERSION}/models"):
            return each
        if what == "dialect" and each.dialect == "chat" and not each.streams and method == "POST":
            return each
    return None


def _asked(asker: Asker, contract: Contract, target: Target, how: dict[str, Any]) -> tuple[int, Any]:
    """Status and body; 0 and why, where nobody answers."""
    try:
        request, _, _ = build(contract, "look", how, target, {})
    except CannotAsk as error:
        raise UsageError(str(error)) from error
    sent = target.filled(request)
    if target.signer is not None:
        from conformance.signing import signed

        sent = signed(sent, target.endpoint, target.signer)
    came = asker.ask(sent)
    if isinstance(came, str):
        return 0, came
    raw = b"".join(chunk.data for chunk in came[2])
    try:
        return came[0], json.loads(raw)
    except (ValueError, RecursionError):
        return came[0], raw.decode("utf-8", "replace")[:200]


def _ids(body: Any) -> list[str] | None:
    """The ids of a list of models; None for anything else."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        return None
    return [each["id"] for each in data if isinstance(each, dict) and isinstance(each.get("id"), str)]


def _listed(where: str, ids: Sequence[str] | None) -> str:
    if ids is None:
        return f"{where} lists none"
    if not ids:
        return f"{where} lists no model at all"
    more = f" and {len(ids) - TOLD} more" if len(ids) > TOLD else ""
    return f"{where} lists {', '.join(ids[:TOLD])}{more}"


def _key_refused(target: Target, where: str, status: int, body: Any) -> str:
    said = f"{where} is refused with {status}: {brief(body)}"
    if target.named:
        return f"the key in {' and '.join('$' + name for name in target.named)} is not taken: {said}"
    return f"a key is wanted: {said}; name the variable that holds it with --key-env NAME, or --header 'Name: $NAME'"
