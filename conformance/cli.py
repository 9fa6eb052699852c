"""The command line: run, lint, show, mutants.

Exit codes of `conformance run`: 0 conformant, 1 not conformant, 2 usage, 3 suite error,
4 inconclusive (nobody answered, rate limit, outage, or nothing was looked at).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.contract import Specs

USAGE, INCONCLUSIVE, SUITE_ERROR = 2, 4, 3

EXAMPLES = """examples:
  conformance run                                  ask the embedded mock, over every API
  conformance run --report-dir build/report        the same, with report.html and report.json
  conformance run --api '*/converse*'              only some contracts
  conformance run --provider bedrock-mantle --model mistral.magistral-small-2509 --region us-east-1
                                                   a real provider; the key is read from the variable
                                                   that the provider's own page names
  conformance lint my-specs/                       check contracts of your own
  conformance show bedrock-runtime/converse        a contract with everything it inherits
  conformance mutants                              break every rule once and see it found
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "command"):
        parser.print_help()
        return USAGE
    from conformance.document import SpecError
    from conformance.target import UsageError

    try:
        return int(arguments.command(arguments))
    except (UsageError, SpecError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    from conformance import __version__

    parser = argparse.ArgumentParser(
        prog="conformance",
        description="Which promises does an LLM provider keep? Contracts in, evidence out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"conformance {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="ask a provider and judge its answers",
        description="Asks a provider, real or mocked, and says which promises it keeps.",
        epilog="exit codes: 0 conformant, 1 not conformant, 2 usage, 3 suite error, 4 inconclusive or nothing asked",
    )
    run.add_argument(
        "--provider",
        default="mock",
        metavar="NAME",
        help="mock (all of them at one URL; the default) or a provider of specs/",
    )
    run.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="where it is; without it the embedded mock, or the provider's own host",
    )
    run.add_argument("--model", metavar="ID", help="the model to ask (default: the seed model)")
    run.add_argument("--region", metavar="REGION", help="the region to ask")
    run.add_argument(
        "--api", metavar="GLOB", action="append", help="only contracts whose name or API matches; repeatable"
    )
    run.add_argument(
        "--specs", metavar="DIR", action="append", default=[], help="a folder of YAML of your own; repeatable"
    )
    run.add_argument(
        "--reality", choices=["documented", "observed"], help="which reality the embedded mock shows"
    )
    run.add_argument("--report-dir", metavar="DIR", help="write report.html and report.json there")
    run.set_defaults(command=_run)

    lint = commands.add_parser("lint", help="check the files in specs/ and in folders of your own")
    lint.add_argument("folders", nargs="*", metavar="DIR", help="folders beside the shipped specs")
    lint.set_defaults(command=_lint)

    show = commands.add_parser(
        "show", help="print a contract with everything it inherits, each line with its origin"
    )
    show.add_argument(
        "contract", metavar="CONTRACT", help="bedrock-runtime/converse, for instance; `list` names them all"
    )
    show.add_argument("--specs", metavar="DIR", action="append", default=[])
    show.set_defaults(command=_show)

    mutants = commands.add_parser(
        "mutants",
        help="break every rule in the mock once; its own check has to find it",
        description="Breaks each rule in turn in the embedded mock, asks that rule's probe, judges all rules on it.",
    )
    mutants.add_argument(
        "--api", metavar="GLOB", action="append", help="only contracts whose name or API matches; repeatable"
    )
    mutants.add_argument("--specs", metavar="DIR", action="append", default=[])
    mutants.set_defaults(command=_mutants)
    return parser


def _specs(folders: Sequence[str]) -> Specs:
    from conformance.contract import load

    return load(folders)


def _run(arguments: argparse.Namespace) -> int:
    import pytest

    from conformance.target import EMBEDDED, targets

    specs = _specs(arguments.specs)
    mock = (
        {"http": arguments.endpoint_url or "http://127.0.0.1:9"} if arguments.provider == EMBEDDED else None
    )
    asked = targets(
        specs,
        arguments.provider,
        endpoint=arguments.endpoint_url,
        model=arguments.model,
        region=arguments.region,
        mock=mock,
    )
    if mock is None or arguments.endpoint_url:
        from conformance.ask import probe_url

        for target in {each.endpoint: each for each in asked}.values():
            silence = probe_url(target.endpoint, target.ca)
            if silence:
                print(
                    f"conformance: inconclusive: nobody answers at {silence}. Nothing was asked.",
                    file=sys.stderr,
                )
                return INCONCLUSIVE
    suite = Path(__file__).resolve().parent / "suite"
    options = ["-c", str(suite / "pytest.ini"), "--rootdir", str(suite), "-p", "conformance.plugin"]
    options += ["-p", "no:cacheprovider", "--disable-warnings", "-q", "--no-header", "--no-summary"]
    for name, value in (
        ("provider", arguments.provider),
        ("endpoint-url", arguments.endpoint_url),
        ("model", arguments.model),
        ("region", arguments.region),
        ("reality", arguments.reality),
        ("report-dir", arguments.report_dir and str(Path(arguments.report_dir).resolve())),
    ):
        if value:
            options.append(f"--conformance-{name}={value}")
    options += [f"--conformance-api={each}" for each in arguments.api or ()]
    options += [f"--conformance-specs={Path(each).resolve()}" for each in arguments.specs]
    collector = _Verdict()
    kept = {name: os.environ.pop(name, None) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        status = pytest.main([*options, str(suite / "promises.py")], plugins=[collector])
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update({name: value for name, value in kept.items() if value is not None})
    if status == pytest.ExitCode.INTERRUPTED:
        return SUITE_ERROR
    if status in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        return SUITE_ERROR
    return collector.code


class _Verdict:
    """Listens to the end of the session for its exit code, and prints what failed."""

    code = INCONCLUSIVE

    def pytest_unconfigure(self, config: Any) -> None:
        reporter = config.pluginmanager.get_plugin("conformance-reporter")
        if reporter is not None:
            self.code = reporter.exit_code


def _lint(arguments: argparse.Namespace) -> int:
    from conformance.lint import problems

    specs = _specs(arguments.folders)
    found = list(problems(specs))
    for problem in found:
        print(problem)
    rules = specs.rules()
    print(
        f"{len(specs.contracts)} contracts, {len(rules)} rules, {len(specs.providers)} providers, "
        f"{len(specs.cards)} cards: {'no problem' if not found else f'{len(found)} problems'}"
    )
    return 1 if found else 0


def _show(arguments: argparse.Namespace) -> int:
    from conformance.lint import shown
    from conformance.target import UsageError

    specs = _specs(arguments.specs)
    if arguments.contract == "list":
        for each in specs.contracts.values():
            print(f"{each.id:45} {each.said['summary']}")
        return 0
    if arguments.contract not in specs.contracts:
        import difflib

        close = difflib.get_close_matches(arguments.contract, list(specs.contracts), 3)
        raise UsageError(
            f"no contract {arguments.contract!r}; closest: {', '.join(close) or 'see conformance show list'}"
        )
    for line in shown(specs, specs.contracts[arguments.contract], arguments.specs):
        print(line)
    return 0


def _mutants(arguments: argparse.Namespace) -> int:
    from conformance.mutants import matrix, run_mutants

    specs = _specs(arguments.specs)
    outcome = run_mutants(specs, arguments.api or ["*"], progress=sys.stderr if sys.stderr.isatty() else None)
    for line in matrix(outcome):
        print(line)
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
