"""How what was decided goes out: headers, refusals in the words of their provider, the pieces of an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.breakage import (
    Unbroken,
    broken_as_can_be,
    broken_response,
    broken_wire,
    implied,
    wire_as_can_be,
    with_headers,
)
from conformance.contract import Contract, Failure
from conformance.exchange import Event, Headers, Response
from conformance.framing import commented, dump, encode, encode_event, named
from conformance.patch import merge
from conformance.select import change, select
from conformance.shapes import brief
from conformance.template import fill
from mockserver.auth import starred
from mockserver.checks import Asking, Refusal
from mockserver.effects import Answer, Cut, Head, Note, Send, Stall
from mockserver.journal import Entry
from mockserver.mock import check_broken
from mockserver.origins import readable
from mockserver.script import Step

BREAK, CONTRACT, REFUSED, SAYS, REALITY, ERROR = (
    "x-mock-break",
    "x-mock-contract",
    "x-mock-refused",
    "x-mock-says",
    "x-mock-reality",
    "x-mock-error",
)
"""Headers of ours: what to break; which contract answered; which check refused, and what it says."""

_KNOWN = frozenset({"auth", "model"})
"""Checks after which it is known who asks for what."""

UNMADE = "unmade-sample"
_OURS = ("unspoken-body", UNMADE)
"""Conditions for which no provider has words: the mock cannot do what it was asked."""

_BODILY = ("broken-schema", "unknown-tool", "missing-model", "tool-ids-mismatch", "tier-not-offered")
"""Conditions about the body: answered like one of a wrong shape where a provider has no error of their own."""


class Telling(Asking):
    """One request, what it is to see broken, and how it is told what was decided."""

    def _prepare_breakage(self) -> None:
        """The operations of the rules that this request has to see broken.

        A rule named with its contract is broken on that contract's requests, and on those of its
        provider that no contract answers; a bare id on every contract that has such a rule.
        """
        asked = [name.strip() for name in (self.request.header(BREAK) or "").split(",") if name.strip()]
        for name in asked:
            try:
                check_broken(self.specs, name)
            except KeyError as error:
                # Told in a header: nobody is to believe that it was broken.
                self.unbroken = str(error.args[0])
        names = [*self.mock.broken, *asked]
        for name in names:
            for habit in self.specs.broken.get(name, {}).get("operations", ()):
                (self.habits if habit.keys() & {"exchange", "wire"} else self.operations).append(habit)
            contract_id, _, rule_id = name.rpartition(":")
            contract = self.contract
            if contract is None and contract_id:
                contract = self.specs.contracts.get(contract_id)
            if contract is None or contract.provider != self.provider or contract_id not in ("", contract.id):
                continue
            rule = contract.rules.get(rule_id)
            if rule is not None:
                if rule.implied:
                    self.implied_rules.append(rule)
                self.operations.extend(rule.broken_by)

    def _headers(self, content_type: str | None, more: Mapping[str, Any]) -> Headers:
        values = self._values({**more, "content_type": content_type or ""})
        said = dict(self.provider.said.get("send", {}))
        if self.contract is not None:
            if self.passed >= _KNOWN & set(self.contract.checks):
                said |= self.provider.said.get("send_known", {})
            said = {**said, **self.contract.response.get("send", {})}
        headers = [("Content-Type", content_type)] if content_type else []
        headers += [(name, str(fill(value, values))) for name, value in said.items() if value is not None]
        headers += [each for rate in self.rates.values() for each in rate.items()]
        for name in self.contract.response.get("echo", ()) if self.contract is not None else ():
            asked = self.request.header(name)
            headers += [(name, asked)] if asked else []
        headers += self._cors(values)
        if self.contract is not None:
            headers.append((CONTRACT, self.contract.id))
        headers += self._reality()
        return tuple(headers)

    def _cors(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        has_origin = self.request.header("origin") is not None
        said = {
            **self.provider.said.get("cors", {}),
            **(self.provider.said.get("to_pages", {}) if has_origin else {}),
        }
        return [
            (name, str(fill(value, values)))
            for name, value in said.items()
            if has_origin or "credentials" not in name.lower()
        ]

    def _reality(self) -> list[tuple[str, str]]:
        contract = self.contract
        if contract is None or self.card is None or contract.offer is None:
            return []
        name = f"apis.{contract.offer}"
        documented, observed = self.card.value(name), self.card.value(name, "observed")
        if documented == observed:
            return []
        return [
            (
                REALITY,
                f"{self.mock.reality}; {contract.offer}: documented {brief(documented)}, observed {brief(observed)}",
            )
        ]

    # Refusals

    def _refuse(self, refusal: Refusal) -> Answer:
        if refusal.condition in _OURS:
            yield from self._sorry(refusal.condition, refusal.details["got"])
            return
        failures = (self.contract or self.provider).failures
        failure = find_failure(failures, refusal, self.routed.path, self.mock.reality)
        if failure is None and refusal.condition in _BODILY:
            failure = find_failure(
                failures, replace(refusal, condition="request-shape"), self.routed.path, self.mock.reality
            )
        if failure is None:
            yield from self._no_such_error(refusal.condition)
            return
        yield from self._fail(failure, refusal.details, refusal.condition, refusal.says())

    def _fail(self, failure: Failure, details: Mapping[str, Any], condition: str, says: str) -> Answer:
        values = self._values(details)
        if self.contract is not None:
            # In the text only: no journal and no header shows any of a key.
            values["key"] = starred(self.contract.auth, self.request, self.body)
        body = fill(failure.body, values)
        headers = self._headers("application/json" if not isinstance(body, str) else "text/plain", {})
        if self.contract is not None:
            drop = [
                name
                for name in (*self.contract.response.get("send", ()), *self.contract.response.get("echo", ()))
                if name not in self.provider.said.get("send", {})
            ]
            headers = with_headers(headers, dict.fromkeys(drop))
        headers = with_headers(
            headers,
            {
                name: None if value is None else str(fill(value, values))
                for name, value in failure.headers.items()
            },
        )
        headers = with_headers(headers, {REFUSED: condition, SAYS: ascii_text(says)})
        self.latency_ms = 0
        yield from self._send(Response(failure.status, headers, (), body=body), refused=condition, says=says)

    def _no_such_error(self, name: str) -> Answer:
        known = sorted((self.contract or self.provider).failures)
        where = self.contract.id if self.contract else self.provider.id
        yield from self._sorry(name, f"{where} has no error for {name!r}; it has: {', '.join(known)}")

    def _sorry(self, what: str, text: str) -> Answer:
        """What was asked of the mock itself cannot be done here, and no provider has words for that."""
        where = self.contract.id if self.contract else self.provider.id
        yield Note(
            self.routed.space,
            Entry(self.now, self.request.method, self.routed.path, where, 501, what, text, self.turn),
        )
        # Members that the exceptions of both boto3 and the OpenAI SDKs show.
        body = dump({"code": "MockCannot", "message": text})
        # A client that tried again would get an answer, and nobody would see this one.
        headers = (("Content-Type", "application/json"), ("x-should-retry", "false"))
        yield Head(501, (*headers, (ERROR, ascii_text(text)), *readable(self.request)), len(body))
        yield Send(body)

    def _failure_in_stream(
        self, contract: Contract, said: Mapping[str, Any], before: Sequence[Event]
    ) -> list[bytes]:
        found = []
        for number, each in enumerate((said, said.get("then")), len(before)):
            if each is None:
                continue
            data = fill(each["data"], self._values({"number": number}))
            if "over" in each and before:
                begun = select(before[0].data, each["over"])
                data = change(data, each["over"], lambda own, begun=begun: merge(begun[0][1], own))[0]
            event = named(contract, each.get("name"), data)
            found.append(encode_event(contract, event, said.get("kind", "event")))
        return [*found, *(encode(contract, ()) if said.get("done") else ())]

    def _asks_leave(self) -> bool:
        """Whether a browser asks if a page may ask; at some providers every OPTIONS does."""
        said = self.provider.said.get("preflight")
        if said is None or self.request.method != "OPTIONS":
            return False
        return "every_options" in said or self.request.header("access-control-request-method") is not None

    def _preflight(self) -> Answer:
        """What a browser asks before it asks; the journal has the request that follows."""
        said = self.provider.said["preflight"]
        asked = {
            name: self.request.header(f"access-control-request-{name}") for name in ("method", "headers")
        }
        values = self._values({f"asked_{name}": value or "" for name, value in asked.items()})
        own = [(name, str(fill(value, values))) for name, value in said.get("headers", {}).items()]
        headers = (*(each for each in own if each[1]), *self._cors(values))
        self._prepare_breakage()
        response = self._broken(Response(said["status"], headers, (), body=said["body"]))
        pieces, _ = self._pieces(response, None, None)
        yield Head(response.status, response.headers, sum(len(piece) for piece in pieces))
        for piece in pieces:
            yield Send(piece)

    # Out

    def _send(
        self,
        response: Response,
        *,
        refused: str | None = None,
        says: str | None = None,
        step: Step | None = None,
        failure: Failure | None = None,
    ) -> Answer:
        response = self._broken(response)
        yield Note(
            self.routed.space,
            Entry(
                self.now,
                self.request.method,
                self.routed.path,
                self.contract.id if self.contract else None,
                response.status,
                refused,
                says,
                self.turn,
                step is not None or refused == "script",
                self.principal.scheme,
            ),
        )
        pieces, end = self._pieces(response, step, failure)
        if self.unbroken:
            response = replace(response, headers=(*response.headers, (ERROR, ascii_text(self.unbroken))))
        whole = None if response.events is not None else sum(len(piece) for piece in pieces)
        if end is not None and whole is not None:
            whole += 1
        yield Head(response.status, response.headers, whole)
        for piece in pieces:
            yield Send(piece)
        if end == "cut":
            yield Cut()
        elif end == "stall":
            yield Stall()

    def _broken(self, response: Response) -> Response:
        for rule in self.implied_rules if self.contract is not None else ():
            try:
                self.operations.extend(implied(self._contract, rule, response))
            except (Unbroken, KeyError) as error:
                self.unbroken = str(error)
        try:
            response = broken_response(self.contract, response, self.operations)
        except Unbroken as error:
            self.unbroken = str(error)
        return broken_as_can_be(self.contract, response, self.habits)

    def _pieces(
        self, response: Response, step: Step | None, failure: Failure | None
    ) -> tuple[list[bytes], str | None]:
        contract = self.contract
        sort = bool(contract and contract.response.get("sorted_keys"))
        if response.events is not None and contract is not None:
            pieces = list(encode(contract, response.events))
            if step is not None and step.after_events is not None:
                before = response.events[: step.after_events]
                pieces = pieces[: step.after_events]
                if failure is None or failure.in_stream is None:
                    return commented(contract, pieces, step.comments), "cut"
                pieces += self._failure_in_stream(contract, failure.in_stream, before)
                return commented(contract, pieces, step.comments), None
            if step is not None:
                pieces = commented(contract, pieces, step.comments)
        elif isinstance(response.body, str) and not (response.header("content-type") or "").startswith(
            "application/json"
        ):
            pieces = [response.body.encode()]
        elif response.body is None:
            pieces = []
        else:
            pieces = [dump(response.body, sort)]
        if any("wire" in each for each in self.habits):
            return wire_as_can_be(pieces, self.habits)
        if not any("wire" in each for each in self.operations):
            return pieces, None
        try:
            return broken_wire(pieces, self.operations)
        except Unbroken as error:
            self.unbroken = str(error)
            return pieces, None


def find_failure(
    failures: Mapping[str, Failure], refusal: Refusal, path: str, reality: str
) -> Failure | None:
    """The entry under `errors` whose condition fits the refusal best: the most specific one."""
    best: tuple[int, Failure] | None = None
    for failure in failures.values():
        if failure.reality not in (None, reality):
            continue
        for when in failure.when:
            rank = _rank(when, refusal, path)
            if rank is not None:
                rank += 1 if failure.reality == reality else 0
                if best is None or rank > best[0]:
                    best = rank, failure
    return best[1] if best else None


def _rank(when: Mapping[str, Any], refusal: Refusal, path: str) -> int | None:
    if when["condition"] != refusal.condition:
        return None
    rank = 0
    if "at" in when:
        if refusal.mismatch is None or not _fits_pointer(when["at"], refusal.mismatch.at):
            return None
        rank += 20 + len(when["at"].split("/"))
    if "keyword" in when:
        if refusal.mismatch is None or refusal.mismatch.keyword not in when["keyword"]:
            return None
        rank += 10
    if "path" in when:
        if not re.search(when["path"], path):
            return None
        rank += 5
    return rank


def _fits_pointer(pattern: str, at: str) -> bool:
    expression = "".join(
        "(?:/[^/]*)*" if part == "**" else "/[^/]*" if part == "*" else "/" + re.escape(part)
        for part in pattern.split("/")[1:]
    )
    return re.fullmatch(expression, at.partition(":")[2] or at) is not None


def ascii_text(text: str) -> str:
    """Text that a header can hold."""
    return text.encode("ascii", "backslashreplace").decode().replace("\n", " ").replace("\r", " ")[:400]
