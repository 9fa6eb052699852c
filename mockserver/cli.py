"""`mockserver`, `mockserver env`, `mockserver run -- CMD`."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from conformance import __version__
from conformance.options import given

if TYPE_CHECKING:
    from mockserver.embedded import Options, Running

__all__ = ["main"]

HOST, PORT, TLS_PORT, STATE_DIR = "127.0.0.1", 4010, 4443, ".mockserver"
GRACE_SECONDS = 2.0
"""What open streams get to end in after SIGTERM or Ctrl-C."""

FILES = 10_240
"""That a mock may have open; the most that a Mac allows."""

USAGE = 2
NOT_FOUND, NOT_EXECUTABLE, BY_SIGNAL = 127, 126, 128
"""What a shell exits with: no such command, one that cannot be started, one that a signal ended."""

ABOUT = """\
An offline provider for LLM clients: Amazon Bedrock, OpenAI's APIs, Mistral's and Puter, answered as their
contracts say, on http and https at once. Unmodified clients need only another address.

  mockserver                     serve until Ctrl-C
  mockserver env                 print what to export, so that clients find it and trust it
  mockserver run -- CMD...       serve on free ports for as long as CMD runs, with all of that exported
"""

SERVE_EXAMPLES = """\
examples:
  mockserver                                 http on 127.0.0.1:4010, https on 127.0.0.1:4443
  eval "$(mockserver env)"                   in another shell: what boto3, the OpenAI SDKs, Node need
  mockserver --auth strict                   check keys and signatures as the provider does; the keys
                                             that pass are those that `mockserver env` prints
  mockserver --port 0 --tls-port 0           any free ports
  mockserver --break bedrock-runtime/converse:usage-adds-up
                                             break one rule, to see what a client makes of it
  mockserver --broken null                   be a broken provider, whatever is asked
  mockserver --specs my-specs/               serve providers of your own beside the shipped ones
  mockserver --openai-profile openai         /v1 answers as OpenAI does, not as bedrock-mantle
  mockserver --quota requests_per_minute=3   run into a limit soon
  mockserver --puter-js node_modules/@heyputer/puter.js
                                             serve the puter.js that npm has installed there: a page needs
                                             <script src="http://127.0.0.1:4010/v2/"></script> and no more

Ctrl-C or SIGTERM ends it: open streams run to their end, exit code 0.
"""

ENV_EXAMPLES = """\
examples:
  eval "$(mockserver env)"                   bash, zsh, sh
  mockserver env --shell fish | source
  mockserver env --shell powershell | Out-String | Invoke-Expression
  mockserver env --shell dotenv > .env
  eval "$(mockserver env --sigv4)"           sign with an access key, and no bearer key
  eval "$(mockserver env --unset)"           take all of it away again

Only variables of these services are set. AWS_CA_BUNDLE and SSL_CERT_FILE hold the system's roots and the
mock's, so other https goes on working.
"""

RUN_EXAMPLES = """\
examples:
  mockserver run -- python app.py
  mockserver run --openai-profile openai -- python app.py      a program that asks OpenAI for its own models
  mockserver run --auth strict --seed 1 -- pytest -q
  mockserver run -- sh -c 'curl -s "$OPENAI_BASE_URL/models" -H "Authorization: Bearer $OPENAI_API_KEY"'

Exits with CMD's code (128 and the signal's number, if one ended it), and prints to stderr what was asked
and what was refused. Where neither a variable nor a config file of AWS names a Region, CMD gets one.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or CMD's; 1 if it could not be done, 2 for wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    commands = {"env": _env, "run": _run}
    try:
        code = (
            commands[arguments[0]](arguments[1:])
            if arguments and arguments[0] in commands
            else _serve(arguments)
        )
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return BY_SIGNAL + signal.SIGINT
    except BrokenPipeError:
        # Whoever read the output has enough, as `head` has.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class WrongUsage(ValueError):
    """An argument that no other file of ours looks at before the mock starts."""


def _serve(arguments: Sequence[str]) -> int:
    parser = _parser(
        "mockserver",
        ABOUT,
        SERVE_EXAMPLES,
        usage="mockserver [options] | env [options] | run [options] -- CMD...",
    )
    parser.add_argument("--version", action="version", version=f"mockserver {__version__}")
    _mock_options(parser, PORT, TLS_PORT, Path(STATE_DIR))
    asked, more = parser.parse_known_args(arguments)
    if more and not more[0].startswith("-"):
        parser.error(
            f"expected env, run, or options alone, got {more[0]!r}; a program: mockserver run -- {more[0]}"
        )
    if more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    import gc

    # What is loaded now stays: no collection has to look at it, until it is ready and never again.
    gc.disable()
    import asyncio

    from mockserver.embedded import Options, loop_factory

    _log()
    _allow_connections()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_until_told(Options(**_members(asked))))
    except Exception as error:
        return _give_up("mockserver", error)
    return 0


def _allow_connections() -> None:
    """Lets the process have as many files as the system allows; each connection is one, and shells allow few."""
    try:
        import resource
    except ImportError:
        # Windows counts connections otherwise.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _until_told(options: Options) -> None:
    import asyncio
    import gc

    from mockserver.embedded import serving

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with serving(options, GRACE_SECONDS) as (mock, info):
        gc.freeze()
        gc.enable()
        print(_ready(info, mock.broken, options.state_dir), flush=True)
        await stop.wait()


def _ready(info: Mapping[str, Any], broken: Sequence[str], state_dir: Path) -> str:
    how = f"auth {info['auth']}, reality {info['reality']}"
    if broken:
        how += f", breaking {', '.join(broken)}"
    env = (
        "mockserver env"
        if state_dir == Path(STATE_DIR)
        else f"mockserver env --state-dir {shlex.quote(str(state_dir))}"
    )
    return f"mockserver ready: {info['http']} {info['https']} ({how}) -- `{env}` prints what to export"


def _env(arguments: Sequence[str]) -> int:
    from mockserver.environment import SHELLS, NotRunning, describe, export, puter_code, unset, variables

    about = (
        "Prints what to export so that boto3, the OpenAI SDKs and Node find the running mock and trust it."
    )
    parser = _parser("mockserver env", about, ENV_EXAMPLES)
    parser.add_argument("--shell", choices=SHELLS, default="sh", help="whose syntax to print (sh)")
    parser.add_argument("--sigv4", action="store_true", help="an access key in place of the bearer key")
    parser.add_argument("--unset", action="store_true", help="print what takes the variables away again")
    _state_dir(parser, Path(STATE_DIR))
    asked = parser.parse_args(arguments)
    if asked.unset:
        if asked.shell == "dotenv":
            parser.error("--unset: a dotenv file cannot take variables away; delete the file")
        print(export(unset(), asked.shell), end="")
        return 0
    try:
        info = describe(asked.state_dir)
    except NotRunning as error:
        print(
            f"mockserver env: no mock is running here: {error}. "
            "Start one with `mockserver`, or name its directory with --state-dir.",
            file=sys.stderr,
        )
        return 1
    print(export(variables(info, sigv4=asked.sigv4), asked.shell), end="")
    if asked.shell != "json":
        # At the end: an unquoted eval makes one line of it all, and a comment ends that line.
        print("# puter.js reads no environment variable; point it at the mock in code:")
        print("".join(f"#   {line}\n" for line in puter_code(info).splitlines()), end="")
        print("# Puter tokens of other kinds (with --auth strict each is met as the service meets it):")
        print("".join(f"#   {kind:18} {token}\n" for kind, token in info["puter_tokens"].items()), end="")
    return 0


def _run(arguments: Sequence[str]) -> int:
    about = "Serves for as long as a command runs, on free ports, with the command's environment set for it."
    parser = _parser("mockserver run", about, RUN_EXAMPLES, usage="mockserver run [options] -- CMD...")
    _mock_options(parser, 0, 0, None)
    parser.add_argument("--sigv4", action="store_true", help="an access key in place of the bearer key")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD", help="what to run")
    own, command = list(arguments), None
    if "--" in own:
        own, command = own[: own.index("--")], own[own.index("--") + 1 :]
    asked = parser.parse_args(own)
    if command is None:
        command = asked.command
    elif asked.command:
        parser.error(f"expected -- before the command, got {asked.command[0]!r} before it")
    if not command:
        parser.error("expected a command: mockserver run -- python app.py")
    from mockserver.embedded import start

    _log()
    try:
        running = start(**_members(asked))
    except Exception as error:
        return _give_up("mockserver run", error)
    try:
        code = _run_beside(running, command, asked.sigv4)
    finally:
        running.stop()
    _print_summary(running)
    return code


def _run_beside(running: Running, command: Sequence[str], sigv4: bool) -> int:
    from mockserver.environment import past_proxies, region, variables

    wanted = variables(running.info, sigv4=sigv4)
    environment = {name: value for name, value in os.environ.items() if name not in wanted}
    environment |= {name: value for name, value in wanted.items() if value is not None}
    environment |= past_proxies(os.environ)
    environment |= region(running.info, os.environ)
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif number != signal.SIGINT or not _at_terminal():
            child.send_signal(number)

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, forward)
    try:
        child = subprocess.Popen(command, env=environment)
    except FileNotFoundError:
        print(f"mockserver run: command not found: {command[0]}", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"mockserver run: cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_EXECUTABLE
    for number in early:
        child.send_signal(number)
    code = child.wait()
    return code if code >= 0 else BY_SIGNAL - code


def _at_terminal() -> bool:
    """Whether Ctrl-C reaches the command by itself: the terminal tells every process in its foreground."""
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY)
    except (OSError, AttributeError):
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _log() -> None:
    import logging

    logging.basicConfig(format="%(name)s: %(message)s")


def _print_summary(running: Running) -> None:
    lines = running.mock.summary()
    print("mockserver: asked and refused" if lines else "mockserver: nothing was asked", file=sys.stderr)
    for line in lines:
        print(line, file=sys.stderr)


def _give_up(name: str, error: Exception) -> int:
    """The exit code, once what a user can mend is said in one line. Raises a fault of ours again."""
    said = _plainly(error)
    if said is None:
        raise error
    print(f"{name}: {said}", file=sys.stderr)
    return USAGE if isinstance(error, (KeyError, WrongUsage)) else 1


def _plainly(error: Exception) -> str | None:
    from conformance.documents.document import SpecError
    from mockserver.server import CannotListen

    match error:
        case CannotListen(host=host) if host not in (HOST, "::1") and _no_such_address(error.__cause__):
            return f"{error}; --host takes an address of this machine"
        case CannotListen(scheme=scheme):
            flag = "--port" if scheme == "http" else "--tls-port"
            return f"{error}; choose another with {flag} (0: any free port)"
        case KeyError(args=[str(text)]) if text.startswith("no rule "):
            return f"--break: {text}"
        case NotADirectoryError():
            return f"--state-dir: {error}"
        case SpecError() | ValueError() | PermissionError() | FileNotFoundError():
            return str(error)
    return None


def _no_such_address(cause: BaseException | None) -> bool:
    import errno
    import socket

    known = (errno.EADDRNOTAVAIL, errno.EINVAL, errno.EAFNOSUPPORT)
    return isinstance(cause, socket.gaierror) or getattr(cause, "errno", None) in known


def _parser(name: str, about: str, examples: str, usage: str | None = None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=name,
        usage=usage,
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _mock_options(parser: argparse.ArgumentParser, port: int, tls_port: int, state_dir: Path | None) -> None:
    def shown(number: int) -> str:
        return str(number) if number else "any free one"

    parser.add_argument("--host", type=given, default=HOST, help=f"address to listen on ({HOST})")
    parser.add_argument("--port", type=_port, default=port, help=f"for http; 0: any free one ({shown(port)})")
    parser.add_argument(
        "--tls-port", type=_port, default=tls_port, help=f"for https; 0: any free one ({shown(tls_port)})"
    )
    _state_dir(parser, state_dir)
    parser.add_argument(
        "--auth",
        choices=("lenient", "strict", "off"),
        default="lenient",
        help="lenient: there must be a key, any will do; strict: only its own; off: none needed (lenient)",
    )
    parser.add_argument(
        "--reality",
        choices=("documented", "observed"),
        default="documented",
        help="where pages and the real wire differ: answer as which (documented)",
    )
    parser.add_argument(
        "--openai-profile",
        metavar="NAME",
        help="which provider of the OpenAI family answers at /v1, as openai or open-responses; the header "
        "x-mock-profile chooses for one request (bedrock-mantle)",
    )
    parser.add_argument(
        "--break",
        dest="rules",
        action="append",
        default=[],
        metavar="RULE_ID",
        help="break this rule in every answer; may be given again",
    )
    parser.add_argument(
        "--broken",
        action="append",
        default=[],
        metavar="NAME",
        help="be this broken provider of specs/broken/, whatever is asked (null, stalls, ...); may be given again",
    )
    parser.add_argument(
        "--specs",
        type=given,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder of YAML of your own, served beside the shipped specs; may be given again",
    )
    parser.add_argument(
        "--quota",
        dest="limits",
        type=_quota,
        action="append",
        default=[],
        metavar="ID=LIMIT",
        help="another limit for every provider that counts this (others do not run into it), e.g. "
        "requests_per_minute=3, or funds_usd_cents=0.5: what each Puter account has to spend; may be given again",
    )
    from mockserver.environment import installed

    parser.add_argument(
        "--puter-js",
        type=_path,
        default=installed(os.environ),
        metavar="PATH",
        help="the npm package @heyputer/puter.js, a folder that has it in node_modules, or its file: served at /v2/ "
        "($MOCK_PUTER_JS, else not served)",
    )
    parser.add_argument("--seed", type=int, help="same seed, same answers, to the byte (random)")


def _state_dir(parser: argparse.ArgumentParser, default: Path | None) -> None:
    where = default or "one that is removed afterwards"
    text = f"where keys, certificates and mock.json are ({where})"
    parser.add_argument("--state-dir", type=_path, default=default, metavar="DIR", help=text)


def _members(asked: argparse.Namespace) -> dict[str, Any]:
    from conformance.loading import load
    from mockserver.quota import refuse_unknown

    for folder in asked.specs:
        if not Path(folder).is_dir():
            raise WrongUsage(f"--specs: expected a folder of YAML, got {folder}: there is none")
    names = ("host", "port", "tls_port", "state_dir", "auth", "reality", "seed", "puter_js", "openai_profile")
    specs = load(asked.specs)
    for name in asked.broken:
        if name not in specs.broken:
            raise WrongUsage(f"--broken: expected one of {', '.join(sorted(specs.broken))}, got {name!r}")
    if asked.openai_profile is not None:
        from mockserver.route import UnknownProfile, find_profile

        try:
            find_profile(specs, asked.openai_profile)
        except UnknownProfile as error:
            raise WrongUsage(f"--openai-profile: {error}") from error
    try:
        refuse_unknown(specs, dict(asked.limits))
    except ValueError as error:
        raise WrongUsage(f"--quota: {error}") from error
    members = {name: getattr(asked, name) for name in names}
    return members | {"specs": specs, "broken": [*asked.rules, *asked.broken], "limits": dict(asked.limits)}


def _path(text: str) -> Path:
    return Path(given(text))


def _quota(text: str) -> tuple[str, float]:
    import math

    name, _, number = text.partition("=")
    try:
        limit = float(number)
    except ValueError:
        limit = -1.0
    if not name or not 0 <= limit < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected ID=LIMIT with a limit of 0 or more (requests_per_minute=3), got {text!r}"
        )
    return name, limit


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)
