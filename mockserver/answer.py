"""A request in, an answer out, as effects: route, check, ask the model, say it in the API's words.

Nothing here knows a provider: which checks there are and in which order, what each refusal
looks like and what an answer has to hold stand in the contract.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import orjson

from conformance.breakage import (
    broken_reply,
    broken_turn,
    varied,
    with_headers,
    without,
)
from conformance.contract import Failure
from conformance.dialects import Context, Guard, dialect
from conformance.exchange import Event, Request, Response
from conformance.framing import dump, named
from conformance.nesting import MOST_LEVELS, is_deeper
from conformance.select import change
from conformance.template import fill
from conformance.values import Reply, Usage
from mockserver import rates
from mockserver.auth import TIMESTAMP, Refused, authenticate
from mockserver.checks import CHECKS, Check, Refusal
from mockserver.effects import (
    Answer,
    Enter,
    Fetch,
    Head,
    Note,
    Script,
    Send,
    Upgrade,
)
from mockserver.journal import Entry
from mockserver.mock import Mock
from mockserver.origins import leave, readable
from mockserver.route import Route, choose, closest, route
from mockserver.script import Step
from mockserver.simulation import tokens
from mockserver.simulation.likelihood import likely
from mockserver.telling import ERROR, UNMADE, Telling, ascii_text


def answer(mock: Mock, request: Request, now: float, space: str = "") -> Answer:
    """The effects that answer `request` at Unix time `now`."""
    routed = route(mock.specs, request, space, mock.openai_profile)
    if routed.provider is None:
        yield from _nobody(mock, request, routed, now)
        return
    yield from _Answering(mock, request, routed, routed.provider, now).run()


def _nobody(mock: Mock, request: Request, routed: Route, now: float) -> Answer:
    asked_leave = leave(request)
    if asked_leave is not None:
        # The page is told by the request itself that nobody serves the path, not by its browser that it may not ask.
        yield Head(204, asked_leave, 0)
        return
    near = closest(mock.specs, routed.path)
    status, refused, error = 404, "unknown-path", "no contract for this path"
    text = f"no contract for {request.method} {routed.path}; closest: {', '.join(near) or 'none'}"
    if routed.wrong is not None:
        status, refused, error, text = 400, "unknown-profile", ascii_text(routed.wrong), routed.wrong
    yield Note(routed.space, Entry(now, request.method, routed.path, None, status, refused, text))
    body = f"{text}\n".encode()
    headers = (("Content-Type", "text/plain; charset=utf-8"), (ERROR, error))
    yield Head(status, (*headers, *readable(request)), len(body))
    yield Send(body)


class _Answering(Telling):
    """One request on its way through the checks to its answer."""

    # The way through

    def run(self) -> Answer:
        self._parse()
        if self._asks_leave():
            self.contract = next((each for each, _ in self.routed.contracts), None)
            yield from self._preflight()
            return
        chosen = choose(self.routed, self.body, self._speaks)
        if chosen is None:
            self._prepare_breakage()
            condition = "wrong-method" if self.routed.others else "unknown-path"
            yield from self._refuse(
                Refusal(condition, {"path": self.routed.path, "method": self.request.method})
            )
            return
        found, self.parameters = chosen
        self.contract = self._as_for_its_model(found)
        self._prepare_breakage()
        try:
            forced = next((each["refuse"] for each in self.operations if "refuse" in each), None)
            if forced is not None:
                yield from self._fail(self.contract.failures[forced], {}, "break", forced)
                return
            instead = next((each["instead"] for each in self.operations if "instead" in each), None)
            if instead is not None:
                yield from self._replay(self.contract.exchanges[instead])
                return
            refusal = yield from self._check()
            if refusal is not None:
                yield from self._refuse(refusal)
                return
            yield from self._answer()
        finally:
            yield from self._settle(None)
            for quota, limit in self.entered:
                yield Enter(self.routed.space, quota, limit, leave=True)

    def _parse(self) -> None:
        if not self.request.body:
            return
        try:
            body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            self.body_error = str(error)
            return
        # Only a body with so many brackets can be so deep.
        brackets = self.request.body.count(b"{") + self.request.body.count(b"[")
        if brackets > MOST_LEVELS and is_deeper(body, MOST_LEVELS):
            self.body_error = f"more than {MOST_LEVELS} levels"
            return
        self.body = body

    def _skipped(self) -> set[str]:
        return {name for each in self.operations for name in each.get("skip", ())}

    def _check(self) -> Generator[Any, Any, Refusal | None]:
        assert self.contract is not None
        skipped = self._skipped()
        for name in self.contract.checks:
            if name in skipped:
                continue
            refusal = yield from CHECKS[name](self)
            if refusal is not None:
                return refusal
            self.passed.add(name)
            if name == "auth":
                refusal = yield from self._lay_samples()
                if refusal is not None:
                    return refusal
        return None

    def _lay_samples(self) -> Check:
        """What the request names stands there, if it is one of the things that are there before anybody made them."""
        contract = self._contract
        if "does" not in contract.response and "state" not in contract.checks:
            return None
        from mockserver.services import samples

        # Whoever looks at keys strictly is asked as the provider itself: what a key did not make is not there.
        listed = {} if self.mock.auth == "strict" else self.provider.said.get("samples", {})
        asker = samples.Asker(self.provider.id, self.routed.space, self.principal.name, self._asked_before)
        why = yield from samples.lay(self.specs, listed, samples.named(self.parameters, self.body), asker)
        return None if why is None else Refusal(UNMADE, {"got": why})

    def _asked_before(self, path: str, body: Any) -> Answer:
        """The answer to what this caller posts to `path`, whatever it costs."""
        request = Request("POST", self.provider.prefix + path, _JSON, dump(body))
        asking = _Answering(
            self.mock, request, route(self.specs, request, self.routed.space), self.provider, self.now
        )
        asking.principal = self.principal
        asking.operations.append({"skip": ["auth", "quota", "funds"]})
        return asking.run()

    # Answers

    def _answer(self) -> Answer:
        contract = self._contract
        step: Step | None = None
        if contract.dialect is not None or "does" in contract.response:
            step = yield Script(self.routed.space)
        # A list of the cards is whole; the example that stands beside it need not be.
        if step is None and not contract.response.get("listing"):
            for exchange in contract.exchanges.values():
                if self._asks(exchange):
                    yield from self._replay(exchange)
                    return
        if contract.response.get("made_by") is not None:
            yield from self._make(**contract.response["made_by"])
            return
        if step is None and (contract.dialect is None or "does" in contract.response):
            yield from self._state_nothing()
            return
        unfit = None if step is None else self._unfit(step)
        if unfit is not None:
            yield from self._sorry(str(step), unfit)
            return
        failure = contract.failures[step.fail] if step is not None and step.fail is not None else None
        if step is not None and failure is not None and step.after_events is None:
            yield from self._fail(failure, (yield from self._as_if(failure)), "script", f"scripted {step}")
            return
        from mockserver.simulation.instances import sound
        from mockserver.simulation.model import BrokenSchema, CannotSpeak, UnknownTool

        turn = self._read_turn()
        try:
            for schema in (
                *(tool.schema for tool in turn.tools),
                turn.output.schema if turn.output else None,
            ):
                sound(schema)
            replies, guard = self._guarded(step)
        except (BrokenSchema, UnknownTool) as error:
            condition = "broken-schema" if isinstance(error, BrokenSchema) else "unknown-tool"
            yield from self._refuse(
                Refusal(condition, {"got": str(error), "expected": "a tool on offer and a JSON Schema"})
            )
            return
        except CannotSpeak as error:
            yield from self._sorry("audio-format", str(error))
            return
        if step is not None and failure is not None and failure.untold:
            replies, step, failure = [step.ended_early(each) for each in replies], Step(), None
        replies = self._compacted((yield from self._cached(replies)))
        response = self._render(replies, guard)
        yield from self._settle(replies[0].usage)
        response = yield from self._remember(response, replies)
        if failure is None:
            yield from self._send(response, step=step)
            if step is None or step.after_events is None:
                yield from self._finish(response)
        else:
            says = f"scripted {step}"
            yield from self._send(response, step=step, failure=failure, refused="script", says=says)

    def _unfit(self, step: Step) -> str | None:
        """Why the step cannot be an answer of this contract, None if it can."""
        contract = self._contract
        if (step.after_events is not None or step.comments) and not contract.streams:
            return f"{contract.id} is no stream"
        if step.comments and "comment" not in contract.response:
            return f"a stream of {contract.id} has no comments"
        if step.fail is None:
            is_answer = contract.dialect is not None and "does" not in contract.response
            return None if is_answer else f"{contract.id} is no answer of a model"
        known = contract.failures
        if step.fail not in known:
            return f"{contract.id} has no error for {step.fail!r}; it has: {', '.join(sorted(known))}"
        failure = known[step.fail]
        if step.after_events is not None and failure.in_stream is None and not failure.untold:
            inside = sorted(name for name, each in known.items() if each.in_stream or each.untold)
            return (
                f"{contract.id} has no {step.fail!r} inside a stream; it has: {', '.join(inside) or 'none'}"
            )
        return None

    def _as_if(self, failure: Failure) -> Generator[Any, Any, Mapping[str, Any]]:
        """What fills the text of an error that was scripted: as if this request had been wrong in that way."""
        prompt = tokens.count(self._read_turn()) if self._contract.dialect is not None else 0
        conditions = {each["condition"] for each in failure.when}
        limit: int | None = self._max_output()
        if "context-overflow" in conditions and self.card is not None:
            limit = self.card.value("context_window", self.mock.reality)
        elif "body-too-large" in conditions:
            limit = self._contract.request.get("limit_bytes")
        limit, window, requested = limit or 0, SCRIPTED_WAIT, (limit or 0) + 1
        for quota in (yield from self._counted()):
            if quota.condition in conditions:
                limit, window = int(quota.limit), quota.window_seconds or SCRIPTED_WAIT
                requested = int(self._amount(quota))
                self.rates[quota.said["id"]] = fill(
                    quota.said.get("send", {}), rates.state(limit, window, 0.0)
                )
        sigv4 = self._contract.auth.get("sigv4", {"clock_skew_seconds": 0, "services": [""]})
        skew = sigv4["clock_skew_seconds"]
        late = -2 * skew if "signature-expired" in conditions else 2 * skew
        times = {"now": 0, "earliest": -skew, "latest": skew, "signed_at": late}
        return {
            **{name: _signing_time(self.now + seconds) for name, seconds in times.items()},
            "minutes": skew // 60,
            "service": sigv4["services"][0],
            "limit": limit,
            "requested": requested,
            "prompt": prompt,
            "total": limit + 1 + prompt,
            "pointer": "/messages",
            "member": "messages",
            "last": "messages",
            "expected": "an array",
            "got": "something else",
            "modality": "image",
            **_MISSHAPEN,
            **({"missing": "Signature"} if "incomplete-signature" in conditions else {}),
            **rates.state(limit, window, 0.0),
            **rates.waiting(SCRIPTED_WAIT),
        }

    def _asks(self, exchange: Mapping[str, Any]) -> bool:
        asked = exchange["request"]
        if exchange.get("reality", self.mock.reality) != self.mock.reality or self.contract is None:
            return False
        if exchange["response"]["status"] != self.contract.response["status"]:
            return False
        target = self.routed.path + (f"?{self.routed.query}" if self.routed.query else "")
        if asked["target"] != target or "body" not in asked:
            return False
        body, at = self.body, self.provider.said["key"].get("body")
        if at is not None and isinstance(body, Mapping):
            # The caller's key is no part of what is asked.
            body, _ = change(body, at, remove=True)
        return bool(asked["body"] == body)

    def _replay(self, exchange: Mapping[str, Any]) -> Answer:
        said = exchange["response"]
        headers = self._headers(self._contract.response.get("content_type"), {})
        if said.get("headers"):
            headers = with_headers(headers, said["headers"])
            # A browser wants the origin of this request, not that of the example.
            headers = with_headers(headers, dict(self._cors(self._values({}))))
        response = Response(
            said["status"],
            headers,
            (),
            body=said.get("body"),
            events=tuple(named(self._contract, each.get("name"), each["data"]) for each in said["events"])
            if "events" in said
            else None,
        )
        made: dict[str, Any] = {}
        for where, kind in exchange.get("varies", {}).items():
            response = self._vary(response, where, kind, made)
        if self.reserved is not None or self._contract.response.get("meters"):
            yield from self._settle(self._usage_in(response))
        response = yield from self._remember(response)
        yield from self._send(response)

    def _usage_in(self, response: Response) -> Usage | None:
        """What a worked example says of its own cost."""
        speak, profile = dialect(self._contract.dialect or ""), self._contract.profile
        if response.events is not None:
            found = speak.fold(response.events, profile)
        else:
            found = speak.parse(response.body, profile)
        return found[0].usage if found else None

    def _vary(self, response: Response, where: str, kind: str, made: dict[str, Any]) -> Response:
        def anew(value: Any) -> Any:
            if kind == "now":
                return type(value)(self.now) if isinstance(value, int | float) else value
            return made.setdefault(str(value), re.sub(r"[0-9a-zA-Z]{12,}$", self._like, str(value)))

        area, _, rest = where.removeprefix("/").partition("/")
        if area == "headers":
            new = formatdate(self.now, usegmt=True) if kind == "now" else self.ids.uuid()
            return replace(response, headers=with_headers(response.headers, {rest: new}))
        if area == "body":
            return replace(response, body=change(response.body, f"/{rest}", anew)[0])
        if area == "events" and response.events is not None:
            return replace(response, events=tuple(change(list(response.events), f"/{rest}", anew)[0]))
        return response

    def _like(self, found: re.Match[str]) -> str:
        text = found[0]
        alphabet = (
            "0123456789abcdef" if re.fullmatch(r"[0-9a-f]+", text) else "0123456789abcdefghijklmnopqrstuvwxyz"
        )
        return self.ids.token(len(text), alphabet)

    def _guarded(self, step: Step | None) -> tuple[list[Reply], Guard | None]:
        """The replies as a guardrail lets them through, and what it did; without one just the replies."""
        guarding = self.guarding
        if guarding is None:
            return self._think(step), None
        found = guarding.prompt(self._read_turn())
        if found.blocked:
            return [guarding.refusal()], guarding.told(found, None)
        self.turn = guarding.masked_prompt(self._read_turn(), found)
        made = [guarding.answer(self._read_turn(), each) for each in self._think(step)]
        return [reply for reply, _ in made], guarding.told(found, made[0][1])

    def _think(self, step: Step | None) -> list[Reply]:
        from mockserver.simulation.model import Ability, reply
        from mockserver.simulation.vision import UnreadableMedia

        turn = broken_turn(self._read_turn(), self.operations)
        if turn.hosted:
            from mockserver.simulation import hosted

            turn = hosted.wanting(turn)
        if step is not None and step.reply is not None:
            replies = [step.counted(turn)]
        else:
            limit = min(
                (each for each in (self._max_output(), self.cap_left) if each is not None), default=None
            )
            if limit is not None and turn.max_tokens is not None and turn.max_tokens > limit:
                turn = replace(turn, max_tokens=limit)
            reasons = bool(self.card and self.card.offers("reasoning", self.mock.reality))
            unasked = bool(self.card and self.card.offers("reasoning_unasked", self.mock.reality))
            ability = Ability(reasoning=reasons, unasked=unasked, max_output=limit)
            seed = self._model_seed()
            try:
                replies = list(reply(turn, seed, ability))
            except UnreadableMedia:
                seen = without(turn, "image", "audio")
                replies = list(reply(seen, seed, ability))
            if turn.hosted:
                forms = self._contract.profile["ids"]
                replies = [hosted.ran(turn, each, forms, self.ids) for each in replies]
            if any(call.builtin == "computer" for each in replies for call in each.tool_calls):
                from mockserver.simulation import acting

                profile = self._contract.profile
                replies = [acting.checked(each, turn, profile, self.ids) for each in replies]
        operations = varied(self.operations, self.request, self.request_id)
        return [broken_reply(each, operations) for each in replies]

    def _cached(self, replies: list[Reply]) -> Generator[Any, Any, list[Reply]]:
        """The replies, and in their usage what cache points did, where the model's card offers them."""
        usage, card = replies[0].usage, self.card
        if usage is None or card is None or "caching" not in self._contract.request:
            return replies
        if card.offers("prompt_caching", self.mock.reality) is not True:
            return replies
        from mockserver.services.caching import counted

        least = card.value("cache_minimum", self.mock.reality) or 0
        whose = f"{self.principal.name}|{card.id_at(self.provider)}"
        space = self.routed.space
        usage = yield from counted(self._contract, self.body, usage, least, whose, space, self.now)
        return [replace(replies[0], usage=usage), *replies[1:]]

    def _compacted(self, replies: list[Reply]) -> list[Reply]:
        """The replies, begun by what is left of a context that was to be made short."""
        rule = self._contract.response.get("compaction")
        if rule is None or not isinstance(self.body, dict) or not self.body.get("context_management"):
            return replies
        from mockserver.services import compacting, keeping

        items = keeping.context(self.given, self.body)
        return compacting.compacted(replies, self._read_turn(), self.body, items, rule["words"])

    def _model_seed(self) -> int:
        turn = self._read_turn()
        base = turn.seed if turn.seed is not None else self.mock.seed or 0
        return int.from_bytes(hashlib.sha256(f"{base}".encode()).digest()[:4], "big")

    def _context(self, guard: Guard | None = None) -> Context:
        turn = self._read_turn()
        return Context(
            model=self.model or "",
            now=self.now,
            ids=self.ids,
            latency_ms=self.latency_ms,
            tier=turn.tier,
            reality=self.mock.reality,
            split=tokens.split,
            likely=likely,
            served=self._served(),
            prices=self._prices(),
            guard=guard,
        )

    def _render(self, replies: Sequence[Reply], guard: Guard | None = None) -> Response:
        contract = self._contract
        speak = dialect(contract.dialect or "")
        context = self._context(guard)
        usage = replies[0].usage
        headers = self._headers(
            contract.response.get("content_type"),
            {
                "input_tokens": usage.input if usage else 0,
                "output_tokens": usage.output if usage else 0,
            },
        )
        status = contract.response["status"]
        if contract.streams:
            events = tuple(speak.stream(self.body, replies, context, contract.profile))
            return Response(status, headers, (), events=events)
        return Response(status, headers, (), body=speak.render(self.body, replies, context, contract.profile))

    def _remember(
        self, response: Response, replies: Sequence[Reply] | None = None
    ) -> Generator[Any, Any, Response]:
        """Keeps the answer if its contract says so; gives it as it goes out."""
        rule = self._contract.response.get("remember")
        if rule is None or not isinstance(self.body, dict):
            return response
        from mockserver.services import keeping

        space, owner = self.routed.space, self.principal.name
        if replies is not None and self._read_turn().speech is not None:
            from mockserver.services import spoken

            yield from spoken.keep(response, space, owner)
        if rule["as"] == keeping.RESPONSE:
            asked = self._contract, self.body, self.given
            return (yield from keeping.keep(*asked, response, space, owner, self.ids))
        if self.body.get("store") is True:
            made = response.body if response.events is None else self._whole(response.events, replies)
            yield from keeping.keep_completion(rule, self.body, made, space, owner)
        return response

    def _whole(self, events: Sequence[Event], replies: Sequence[Reply] | None) -> Any:
        """The plain answer that says what a stream said."""
        contract = self._contract
        speak = dialect(contract.dialect or "")
        replies = replies or speak.fold(events, contract.profile)
        made = speak.render(self.body, replies, self._context(), contract.profile)
        said = events[0].data
        return {name: said[name] if name in ("id", "created") else value for name, value in made.items()}

    def _finish(self, response: Response) -> Answer:
        """An answer that was begun in the background is made when all of its stream was heard."""
        rule = self._contract.response.get("remember")
        if rule is None or not response.events or not self.body.get("background"):
            return
        from mockserver.services import keeping

        if rule["as"] == keeping.RESPONSE:
            space, owner = self.routed.space, self.principal.name
            name = response.events[0].data["response"]["id"]
            kept = yield Fetch(space, keeping.RESPONSE, f"{owner}:{name}")
            if kept is not None:
                yield from keeping.finish(kept, space, owner)

    def _state_nothing(self) -> Answer:
        """An operation without a model: a fixed answer, or a list made from the cards."""
        said = self._contract.response
        values = self._values({})
        if "does" in said:
            from mockserver.services import keeping
            from mockserver.services.operations import OPERATIONS, Asked, Denied, NoReader

            asked = Asked(
                self.specs,
                self.provider,
                self._contract,
                self.body,
                self.parameters,
                self._contract.read_query(self.request.target),
                self.now,
                self.ids,
                values["region"],
                self.routed.space,
                self.principal.name,
                None if self.card is None else self.card.id_at(self.provider),
                self.latency_ms,
                self._read_turn() if self._contract.dialect is not None and self.body is not None else None,
                keeping.context(self.given, self.body),
            )
            try:
                body = yield from OPERATIONS[said["does"]](asked)
            except NoReader as error:
                yield from self._sorry("unspoken-body", str(error))
                return
            if isinstance(body, Denied):
                yield from self._refuse(Refusal(body.condition, body.details))
                return
        elif said.get("listing"):
            from mockserver.services.listing import BadToken, NoSuchEntry, listed

            try:
                body = listed(
                    self.specs,
                    self._contract,
                    values,
                    region=self.region,
                    card=self.card,
                    query=self._contract.read_query(self.request.target),
                    parameters=self.parameters,
                )
            except NoSuchEntry as error:
                yield from self._refuse(Refusal("unknown-model", {"model": str(error)}))
                return
            except BadToken as error:
                details = {"member": str(error), "expected": "a token of this list", "got": "another"}
                yield from self._refuse(Refusal("request-shape", details))
                return
        else:
            if said.get("metering"):
                values |= yield from self._metered(said["metering"])
            body = fill(said.get("answer"), values)
            others = said.get("answer_for", {}).get(self.principal.kind)
            if others is not None:
                body = {**body, **others}
        headers = self._headers(said.get("content_type"), {})
        if self._contract.streams:
            events = tuple(named(self._contract, None, data) for data in body or ())
            yield from self._send(Response(said["status"], headers, (), events=events))
            return
        yield from self._send(Response(said["status"], headers, (), body=body))

    def _make(self, name: str, settings: Mapping[str, Any]) -> Answer:
        """What a browser needs beside the operations: Puter's library, its sign-in page, its socket."""
        if name == "socket":
            yield from self._open_socket(settings)
            return
        if name == "responses-socket":
            yield from self._open_responses(settings)
            return
        from mockserver.browser import pages

        said = self._contract.response
        body: Any = None
        match name:
            case "library":
                if self.mock.library is None:
                    yield from self._sorry("no-library", fill(settings["missing"], self._values({})))
                    return
                body = pages.library(self.mock.library, settings, self.request)
            case "sign-in":
                body = pages.sign_in(self.mock.credentials.puter_tokens, settings)
            case "token-left":
                yield from pages.leave_token(self.body, settings)
                body = fill(said["answer"], self._values({}))
            case "token-fetched":
                token = yield from pages.fetch_token(self.body, settings)
                if token is None:
                    yield from self._refuse(Refusal("no-token-yet"))
                    return
                body = fill(said["answer"], self._values({"token": token}))
        headers = self._headers(said.get("content_type"), {})
        yield from self._send(Response(said["status"], headers, (), body=body))

    def _open_socket(self, settings: Mapping[str, Any]) -> Answer:
        from mockserver.browser import engine_io

        made = yield from engine_io.take(
            self.request.method,
            self.routed.query,
            self.request.body.decode("utf-8", "replace"),
            engine_io.wants_websocket(self.request),
            settings,
            self._admits,
            self.ids,
            self.now,
        )
        headers = self._headers(self._contract.response.get("content_type"), {})
        match made:
            case Refused(condition, details):
                yield from self._refuse(Refusal(condition, details))
            case engine_io.Packets(text, handshake=True):
                yield from self._send(Response(self._contract.response["status"], headers, (), body=text))
            case engine_io.Packets(text):
                # Only the beginning of a session is noted, or the journal would hold nothing else.
                body = text.encode()
                yield Head(self._contract.response["status"], headers, len(body))
                yield Send(body)
            case engine_io.Talk():
                yield Note(
                    self.routed.space,
                    Entry(self.now, self.request.method, self.routed.path, self._contract.id, 101),
                )
                yield Upgrade(made)

    def _open_responses(self, settings: Mapping[str, Any]) -> Answer:
        from mockserver import responses_socket
        from mockserver.browser.engine_io import wants_websocket

        if not wants_websocket(self.request):
            details = {"path": self.routed.path, "method": self.request.method}
            yield from self._refuse(Refusal("wrong-method", details))
            return

        def asked(body: Mapping[str, Any], now: float) -> Answer:
            return answer(self.mock, responses_socket.as_request(self.request, body), now, self.routed.space)

        yield Note(
            self.routed.space,
            Entry(self.now, self.request.method, self.routed.path, self._contract.id, 101),
        )
        yield Upgrade(responses_socket.Talk(settings, asked, self.now, self.ids))

    def _admits(self, namespace: str, shown: Any) -> str | None:
        """Why a client of the socket may not join, None if it may."""
        said = self._contract.response["made_by"]["settings"]["refusals"]
        # An address of the mock may have a path before it, and socket.io takes a path for a namespace.
        asked = Request(self.request.method, namespace.rstrip("/") + self.routed.path, ())
        if self.contract not in [each for each, _ in route(self.specs, asked).contracts]:
            return str(said["namespace"])
        found = authenticate(
            self._contract.auth, asked, shown, self.mock.credentials, self.mock.auth, self.now
        )
        return str(said["token"]) if isinstance(found, Refused) else None


SCRIPTED_WAIT = 1.0
"""Seconds after which a limit that a script runs into lets the next request through."""

_MISSHAPEN = {
    "param": "messages",
    "parent": "messages",
    "options": "'this' and 'that'",
    "wanted": "an array",
    "came": "a string",
    "size": 1,
    "index": 0,
    "ids": "call_0",
    "name": "tool",
    "context": "()",
    "missing": "member",
    "cap": "max_tokens",
    "checks": "sc_0",
    "kind": "function",
}
"""What stands in the texts of errors that a script asks for, of a fault that the request does not have."""

_JSON = (("Content-Type", "application/json"),)


def _signing_time(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime(TIMESTAMP)
