"""What was asked and what came back, in no provider's words.

A dialect translates between these values and one API's JSON; the simulated model
reads a `Turn` and gives a `Reply`; rules compare replies. Nothing here knows a wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
MediaKind = Literal["image", "document", "audio", "video"]
Finish = Literal["stop", "length", "tool_calls", "stop_sequence", "content_filter"]


@dataclass(frozen=True, slots=True)
class Text:
    """Words of a message or an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """An image, document, audio or video; `format` is the short name (png, pdf, wav).

    Exactly one of `data` (the decoded bytes) and `url` is set. `data` is None with
    `url` None when the request's base64 was not decodable.
    """

    kind: MediaKind
    format: str | None
    data: bytes | None = None
    url: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool; `arguments` is the parsed JSON (an object in a right call).

    When the arguments came as text that is no JSON, `arguments` is that text; of a `custom`
    tool it is the input, which always is text. What a tool that the API itself knows has to do stands in an
    item of its own: `builtin` is that item's word (computer, shell, ...), `arguments` its members.
    `program` is the id of the model's program that made the call; None: the model made it itself.
    """

    id: str
    name: str
    arguments: Any
    custom: bool = False
    builtin: str | None = None
    namespace: str | None = None
    program: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the application answers to the call `id`; `builtin` as in that call."""

    id: str
    parts: tuple[Text | Media, ...]
    error: bool = False
    builtin: str | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model's trace before its answer; `signature` where the API signs it."""

    text: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model declines, in the API's own member for that."""

    text: str


Part = Text | Media | ToolCall | ToolResult | Reasoning | Refusal


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Tool results stand in messages of role `tool`, whatever the API."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The message's words, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Tool:
    """A function on offer; `schema` is the JSON Schema of its arguments.

    A `custom` tool takes free text instead, or text of a `grammar` (`syntax` lark or regex, and
    its `definition`); its `schema` is empty. `builtin` is a tool that the API itself knows and the application
    runs, as it was asked for. A `deferred` one is not seen before it was searched for. `direct` says whether the model
    may call it itself, `programmed` whether a program that the model writes may.
    """

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)
    strict: bool | None = None
    custom: bool = False
    grammar: Mapping[str, Any] | None = None
    builtin: Mapping[str, Any] | None = None
    namespace: str | None = None
    deferred: bool = False
    direct: bool = True
    programmed: bool = False


@dataclass(frozen=True, slots=True)
class HostedTool:
    """A tool on offer that the provider itself runs.

    `kind` is web_search, file_search, code_interpreter, image_generation, mcp, shell, tool_search or program; `said` is
    the tool as it was asked for; `forced` means that it has to be used.
    """

    kind: str
    said: Mapping[str, Any]
    forced: bool = False


@dataclass(frozen=True, slots=True)
class HostedCall:
    """What a hosted tool did: the type of the output item that tells of it, and that item's own members."""

    item: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`auto`, `any` (some tool must be called), `none`, or `named` with `name`."""

    mode: Literal["auto", "any", "none", "named"]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The form of the answer: any JSON object (`schema` None) or one that fits `schema`."""

    schema: Mapping[str, Any] | None = None
    name: str = "answer"
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One request for a completion. None means: the caller did not say."""

    messages: tuple[Message, ...]
    model: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    output: OutputFormat | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    n: int = 1
    stream: bool = False
    reasoning: str | None = None
    """The effort asked for (`low`, `high`, ...); `none` asks for no reasoning."""
    tier: str | None = None
    logprobs: int | None = None
    """How many alternatives to show at each token of the answer; None: no probabilities are asked for."""
    speech: Mapping[str, Any] | None = None
    """The answer is to be spoken: in which `voice` and `format`; None: in words."""
    prediction: str | None = None
    """What the caller expects most of the answer to be."""
    search: bool = False
    """Whether the model is to look things up and to say where."""
    verbosity: str | None = None
    """How long the answer is to be: `low`, `medium` or `high`."""
    hosted: tuple[HostedTool, ...] = ()
    """Tools that the provider itself runs."""
    silent: bool = False
    """Whether the prompt is only to be made ready, and nothing to be answered."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """What only one dialect knows and needs again, by its name on that wire."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; `output` includes `reasoning`, `audio` and `rejected`, `input` includes neither cache count."""

    input: int
    output: int
    reasoning: int = 0
    cache_read: int = 0
    cache_write: int = 0
    heard: int = 0
    """Those of `input` that were recordings."""
    audio: int = 0
    """Those of `output` that were spoken."""
    accepted: int = 0
    """Those of the caller's prediction that the answer has, and those that it has not."""
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Citation:
    """Where something in an answer comes from; `start` and `end` are places in its text, in characters."""

    url: str
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FileCitation:
    """A file that an answer follows; `index` is where in its text it is named, in characters."""

    file: str
    name: str
    index: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: parts in order, why it ended, what it cost.

    `finish` and `usage` are None when the wire did not say.
    """

    parts: tuple[Part, ...]
    finish: Finish | None = None
    usage: Usage | None = None
    stop_sequence: str | None = None
    citations: tuple[Citation, ...] = ()
    hosted: tuple[HostedCall, ...] = ()
    """What tools of the provider did before the answer was given."""
    cited_files: tuple[FileCitation, ...] = ()

    @property
    def text(self) -> str:
        """The answer's words, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools called, in order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))
