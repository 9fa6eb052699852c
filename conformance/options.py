"""The options of the command line, each said once: for the commands that take it, and for pytest, which has those of a run.

Every pytest run on the machine loads this module, so it imports nothing heavy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.probes.amount import read_dollars, read_examples, read_retries

if TYPE_CHECKING:
    from conformance.loading import Specs

__all__ = ["OF_A_RUN", "OPTIONS", "begin", "for_pytest", "given", "specs_of", "take"]


def given(text: str) -> str:
    """The text. Raises ArgumentTypeError for an empty one: a variable of the shell that is not set names nobody."""
    if not text:
        raise argparse.ArgumentTypeError("expected a value, got an empty one; is a variable not set?")
    return text


OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "provider": {
        "metavar": "NAME",
        "type": given,
        "help": "mock (all of them at one URL; the default) or a provider of specs/",
    },
    "endpoint-url": {
        "metavar": "URL",
        "type": given,
        "help": "where it is, with or without /v1 at its end (what OPENAI_BASE_URL holds will do); "
        "without it the embedded mock, or the provider's own host",
    },
    "model": {"metavar": "ID", "type": given, "help": "the model to ask (default: the seed model)"},
    "region": {"metavar": "REGION", "type": given, "help": "the region to ask"},
    "key-env": {
        "metavar": "NAME",
        "type": given,
        "help": "the variable that holds the key, in place of the provider's own; openai-compatible sends no key without it",
    },
    "header": {
        "metavar": "LINE",
        "action": "append",
        "default": [],
        "help": "a header for every request: 'X-Api-Key: $NAME' in single quotes, the variable is filled in when it is "
        "sent and told by its name; repeatable",
    },
    "api": {
        "metavar": "GLOB",
        "type": given,
        "action": "append",
        "help": "only contracts whose name or API matches; repeatable",
    },
    "specs": {
        "metavar": "DIR",
        "type": given,
        "action": "append",
        "default": [],
        "help": "a folder of YAML of your own; repeatable",
    },
    "reality": {"choices": ["documented", "observed"], "help": "which reality a mock shows"},
    "report-dir": {
        "metavar": "DIR",
        "type": given,
        "help": "write report.html, .json and .md, junit.xml, ctrf-report.json and a badge there",
    },
    "waivers": {
        "metavar": "FILE",
        "type": given,
        "help": "rules known to be broken, with owner and last day (default for a named provider: "
        "conformance-waivers.yaml here, if there is one)",
    },
    "baseline": {
        "metavar": "RUN",
        "type": given,
        "help": "an earlier run (report.json or its folder) to compare with",
    },
    "fail-on": {
        "choices": ["any", "new"],
        "help": "new: exit 1 only for what the baseline run kept (default: any)",
    },
    "rules": {
        "metavar": "NAME",
        "type": given,
        "help": "only the rules of a frozen set, at the levels it froze",
    },
    "shard": {
        "metavar": "I/N",
        "type": given,
        "help": "only the I-th of N parts; no exchange is made in two (see merge)",
    },
    "budget": {
        "metavar": "DOLLARS",
        "type": read_dollars,
        "help": "stop below so many dollars, at the prices of the cards; what could cost more is `over budget`",
    },
    "retries": {
        "metavar": "N",
        "type": read_retries,
        "help": "how often a rate limit is waited for, as the provider's own headers say (default: 2; a mock: 0)",
    },
    "examples": {
        "metavar": "N",
        "type": read_examples,
        "default": 0,
        "help": "ask the rules that hold for any turn of N drawn ones too (default: 0): other words, caps, members",
    },
    "limits": {
        "action": "store_true",
        "help": "look for context window and output cap too; see `conformance limits`",
    },
    "flood": {
        "choices": ["mock", "anywhere"],
        "help": "send small requests until one is refused for its rate: a mock, or `anywhere`",
    },
}
"""What argparse is told of each; `conformance run` and pytest have them all."""

OF_A_RUN = tuple(OPTIONS)


def take(command: argparse.ArgumentParser, *names: str, **own: Any) -> None:
    """Gives the command these options; `own` is what it says otherwise of them."""
    for name in names:
        command.add_argument(f"--{name}", **{**OPTIONS[name], **own})


def for_pytest(arguments: argparse.Namespace, **instead: Any) -> Iterator[str]:
    """The options of a run, but for --specs, as the plugin takes them; `instead` has values that are not as they came."""
    for name in OF_A_RUN:
        value = {**vars(arguments), **instead}[name.replace("-", "_")]
        if value is True:
            yield f"--conformance-{name}"
        elif isinstance(value, list):
            yield from (f"--conformance-{name}={each}" for each in value if name != "specs")
        elif value is not None and value is not False:
            yield f"--conformance-{name}={value}"


def begin(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    does: str,
    ends: str,
    description: str | None = None,
) -> argparse.ArgumentParser:
    """A new command, called `name`: `does` says what in the list of commands, `ends` stands after its options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=does,
        description=description or f"{does[0].upper()}{does[1:]}.",
        epilog=ends,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=run)
    return parser


def specs_of(folders: Sequence[str]) -> Specs:
    """The shipped specs and those in the folders. Raises UsageError and SpecError."""
    from conformance.loading import load
    from conformance.target import UsageError

    for each in folders:
        if not Path(each).is_dir():
            raise UsageError(f"expected a folder of YAML, got {each}: there is none")
    return load(folders)
