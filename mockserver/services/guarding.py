"""A guardrail at work on one request: its prompt before the model, the model's answer after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance.contract import Contract
from conformance.dialects import Guard
from conformance.exchange import Request
from conformance.loading import Specs
from conformance.select import select
from conformance.values import Message, Part, Reply, Text, Turn, Usage
from mockserver.services import guardrails
from mockserver.services.guardrails import Verdict
from mockserver.services.operations import guardrail_arn


class Unknown(ValueError):
    """A guardrail or version that there is none of; the text is its name."""


@dataclass(frozen=True)
class Guarding:
    """The guardrail that a request names, and how it wants to be told."""

    guardrail: Mapping[str, Any]
    version: str
    arn: str
    traced: bool
    full: bool
    afterwards: bool
    """Whether the answer goes out before it was looked at."""
    latency_ms: int

    def prompt(self, turn: Turn) -> Verdict:
        """What it finds in the parts marked for it, or in all that was said if none is."""
        marked = turn.extras.get("guarded")
        texts = (
            marked["texts"]
            if marked
            else [part.text for message in turn.messages for part in message.parts if isinstance(part, Text)]
        )
        return self._judge(texts)

    def masked_prompt(self, turn: Turn, verdict: Verdict) -> Turn:
        """The turn as the model is shown it."""
        if not verdict.masked:
            return turn
        masked = self._masker()
        messages = tuple(replace(each, parts=_mapped(each, masked)) for each in turn.messages)
        return replace(turn, messages=messages)

    def refusal(self) -> Reply:
        """What is answered to a prompt that it blocks: no model was asked."""
        return Reply((Text(self.guardrail["blocked_input"]),), "content_filter", Usage(0, 0))

    def answer(self, turn: Turn, reply: Reply) -> tuple[Reply, Verdict]:
        """The answer as it goes out, and what was found in the model's."""
        marked = turn.extras.get("guarded", {})
        verdict = self._judge([reply.text], marked.get("sources", ""), marked.get("query", ""))
        if self.afterwards:
            # The words are out; only the end can tell.
            return (replace(reply, finish="content_filter") if verdict.blocked else reply), verdict
        if verdict.blocked:
            said = (Text(self.guardrail["blocked_output"]),)
            return replace(reply, parts=said, finish="content_filter", stop_sequence=None), verdict
        if verdict.masked:
            masked = self._masker()
            return replace(reply, parts=tuple(_masked(part, masked) for part in reply.parts)), verdict
        return reply, verdict

    def told(self, prompt: Verdict, answer: Verdict | None) -> Guard:
        """What a dialect writes of it into the answer."""
        return Guard(
            blocked=prompt.blocked or (answer is not None and answer.blocked),
            masked=answer is not None and answer.masked and not self.afterwards,
            input=prompt.assessment if self.traced else None,
            output=answer.assessment if self.traced and answer is not None else None,
            name=self.guardrail["guardrail"],
        )

    def _judge(self, texts: Any, sources: str = "", query: str = "") -> Verdict:
        return guardrails.judge(
            self.guardrail,
            texts,
            version=self.version,
            arn=self.arn,
            full=self.full,
            sources=sources,
            query=query,
            latency_ms=self.latency_ms,
        )

    def _masker(self) -> Callable[[str], str]:
        return lambda text: self._judge([text]).texts[0]


def _mapped(message: Message, change: Callable[[str], str]) -> tuple[Part, ...]:
    return tuple(_masked(part, change) for part in message.parts)


def _masked(part: Part, change: Callable[[str], str]) -> Part:
    return Text(change(part.text)) if isinstance(part, Text) else part


def named(
    specs: Specs, contract: Contract, request: Request, body: Any, region: str, latency_ms: int
) -> Guarding | None:
    """The guardrail that the request names where its contract says; None if it names none. Raises Unknown."""
    where = contract.request.get("guardrail")
    if where is None or contract.provider is None:
        return None

    def said(word: str) -> str | None:
        if word not in where:
            return None
        if where["in"] == "headers":
            return request.header(where[word])
        found = select(body, where[word])
        return str(found[0][1]) if found else None

    name, version = said("id"), said("version") or ""
    if not name:
        return None
    guardrail = guardrails.find(specs.guardrails, contract.provider, name, version)
    if guardrail is None:
        raise Unknown(f"{name} {version}")
    trace = said("trace")
    return Guarding(
        guardrail,
        version,
        guardrail_arn(contract.provider, region, guardrail),
        traced=trace in where["traced"],
        full=trace in where["full"],
        afterwards=said("mode") in where.get("afterwards", ()),
        latency_ms=latency_ms,
    )
