"""What a test makes the mock do next, instead of asking the simulated model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.values import Reply, Text, Turn, Usage


@dataclass(frozen=True, slots=True)
class Step:
    """One scripted answer: a reply, an error by its contract name, or an answer that is cut.

    `after_events` lets the simulated model begin a stream, of which so many events arrive: then
    the error comes, or without `fail` the connection ends. Before each event of a stream come so
    many `comments`, which readers skip: by such a slow answer is kept alive.
    """

    reply: Reply | None = None
    fail: str | None = None
    after_events: int | None = None
    comments: int = 0

    def counted(self, turn: Turn) -> Reply:
        """The scripted reply with the tokens it would have cost, spoken where speech is asked for. Raises CannotSpeak."""
        from mockserver.simulation import tokens

        assert self.reply is not None
        if self.reply.usage is not None:
            return self.reply
        output = tokens.count_text(self.reply.text)
        for call in self.reply.tool_calls:
            output += tokens.count_text(f"{call.name}{call.arguments}")
        counted = replace(self.reply, usage=Usage(input=tokens.count(turn), output=output))
        if turn.speech is None or counted.tool_calls:
            return counted
        from mockserver.simulation.speaking import aloud

        return aloud(counted, turn.speech)

    def ended_early(self, reply: Reply) -> Reply:
        """The words of `reply` that came before a failure which the API does not tell, as if they were all."""
        from mockserver.simulation import tokens

        text = "".join(tokens.split(reply.text)[: self.after_events])
        prompt = reply.usage.input if reply.usage else 0
        return Reply((Text(text),), "stop", Usage(prompt, tokens.count_text(text)))

    def __str__(self) -> str:
        if self.fail is not None:
            after = "" if self.after_events is None else f", after_events={self.after_events}"
            return f"fail({self.fail!r}{after})"
        if self.reply is not None:
            calls = [call.name for call in self.reply.tool_calls]
            text = "".join(part.text for part in self.reply.parts if isinstance(part, Text))
            more = f", tool_calls={calls}" if calls else ""
            more += f", comments={self.comments}" if self.comments else ""
            return f"reply({text!r}{more})"
        return f"cut(after_events={self.after_events})"
