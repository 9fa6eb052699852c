"""The command line: run, lint, show, mutants; report, diff, merge and freeze stand in `conformance.runs.archive`.

Exit codes of `conformance run`: 0 conformant, 1 not conformant, 2 usage, 3 suite error,
4 inconclusive (nobody answered, rate limit, outage, stopped early, or nothing was looked at).
Of several the first in 2, 3, 1, 4, 0.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.options import takes_apis, takes_specs
from conformance.runs import archive
from conformance.words import words_table

if TYPE_CHECKING:
    from conformance.loading import Specs
    from conformance.target import Target

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
  conformance diff last/report this/report         what changed between two runs
"""

RUN_ENDS = """examples:
  conformance run --api 'puter/*' --report-dir build/report
  conformance run --endpoint-url http://127.0.0.1:4010          a mock that runs already
  AWS_BEARER_TOKEN_BEDROCK=... conformance run --provider bedrock-mantle --region us-east-1
  conformance run --provider openai-compatible --endpoint-url http://127.0.0.1:8000/v1 --model Qwen/Qwen3-8B
                                                                any server or gateway; key: --key-env, --header
  conformance run --baseline last/report --fail-on new          1 only for what the last run kept
  conformance run --shard 1/3 --report-dir part-1               one of three parts; `conformance merge` joins them
  conformance run --api '*/converse' --examples 5               what holds for any turn, of five drawn ones too

A real provider's requests cost money. Its key is read from the variable that its own page names and
goes to no other host, never over plain http; no report holds it.

--examples N draws once, from a fixed seed, words, caps and members that the contract has, without media; price it
with `conformance plan --examples N`. A broken example is made smaller at a mock, never at a real provider.

exit codes: 0 conformant (a broken should only warns), 1 not conformant, 2 usage, 3 suite error (ours),
4 inconclusive: nobody answered, rate limit, outage, stopped early, nothing looked at.
Of several the first in 2, 3, 1, 4, 0 counts. What a rule can come to:

"""
JUDGE_ENDS = """Recordings are told by what stands in them: VCR cassettes (vcrpy, pytest-recording and Ruby's, YAML or JSON),
HAR 1.2, and our own form, one JSON object an exchange, in a file, as a list or one a line (.jsonl):

  {"url": "https://api.openai.com/v1/responses", "method": "POST", "request_headers": {}, "request_body": {...},
   "status": 200, "response_headers": {"content-type": "text/event-stream"}, "response_body_text": "data: ...",
   "when": "2026-08-19"}

  host and path may stand in place of url; request_body_text/_base64 and response_body_base64 for bytes;
  response_chunks [{"at": seconds, "text" or "base64": ...}] keeps the timing; ending "cut" where the connection
  broke; fidelity "reserialised" where JSON was parsed and written again, "body_only" where neither request nor
  headers are true, "frames" where the request is not. Any of these files may be gzipped.

Provider and contract are read off host and path; what has no place is told and counted, never guessed. Judged is
what one exchange can show; a rule that is younger than the recording, or about what the recorder lost, is not
applicable. Refusals are read (status, code) and listed.

examples:
  conformance judge build/report                          the run in that folder, by this version's rules
  conformance judge --from tests/cassettes                every cassette below a folder
  conformance judge --from a.har b.yaml.gz --report-dir build/report
  conformance judge --from proxy.jsonl --provider openai  traffic of a proxy in front of OpenAI

exit codes: 0 conformant, 1 not, 2 usage (a file that was named cannot be read), 3 suite error (ours),
4 inconclusive: nothing was placed, or a file of a folder could not be read
"""
PLAN_ENDS = """examples:
  conformance plan                                         a run against the embedded mock
  conformance plan --examples 5                            with five drawn examples of what holds for any turn
  conformance plan --provider puter --budget 0.10 --limits a real one, and whether ten cents are enough

A plan is an upper bound: a token for each byte that is sent, and each cap used up. No key is needed.

exit codes: 0 planned, 1 it may cost more than --budget, or nobody knows, 2 usage
"""
LIMITS_ENDS = """What is refused costs nothing, so requests above the claim go first; one between 128,000 and 131,072 tells
which of them `128K` is; a code word before the filler tells a prompt that was cut in silence.

examples:
  conformance limits                                 the embedded mock, one API of each provider
  conformance limits --api '*' --reality observed    every API, as it was observed
  conformance limits --api puter/driver-chat --flood and how many requests until the first 429
  conformance limits --provider puter --budget 0.60  a real provider: what it can cost is said first

exit codes: 0 as the cards say, 1 not, 2 usage, 4 inconclusive or over budget
"""
LINT_ENDS = """A folder is laid out like specs/: providers/, contracts/, cards/. Its contracts may extend shipped ones.

examples:
  conformance lint                 the shipped specs
  conformance lint my-specs/       those and yours; each problem as file:line: what was expected
  conformance lint build/report/observed-magistral-small-2509.yaml      one card by itself

exit codes: 0 no problem, 1 problems, 2 usage
"""
SHOW_ENDS = """examples:
  conformance show list                           every contract and what it is about
  conformance show bedrock-runtime/converse       resolved, each line with the file and line it comes from
  conformance show bedrock-runtime/converse:usage-adds-up                     the rule, its source, its counterexample
  conformance show bedrock-runtime/converse:usage-adds-up --run build/report  what that run found: the exchanges as they
                                                  went, and lines to paste (curl, Python) that ask once more
  conformance show 3f0a9c11 --run build/report    the exchange whose hash begins so (a file of build/report/evidence)
"""
NEW_ENDS = """What is written says only what you tell: where it is, its model, its key. All else is inherited, so a run says at
once where your provider differs. Then say so in its YAML, rule by rule; specs/README.md teaches the format.

examples:
  conformance new provider my-vllm --base-url http://127.0.0.1:8000 --model Qwen/Qwen3-8B --offers chat-completions
  conformance new provider gateway --like bedrock-mantle --base-url https://llm.example.com --model mistral.magistral-small-2509
  conformance lint my-vllm-specs
  conformance run --specs my-vllm-specs --provider my-vllm        with the key in MY_VLLM_API_KEY
  conformance run --specs my-vllm-specs --api 'my-vllm/*'         the embedded mock serves it too

exit codes: 0 written, 2 usage
"""
EXPORT_ENDS = """The document is OpenAPI 3.1 with JSON Schema 2020-12, made from the contracts: paths, parameters, bodies,
answers and refusals by status, credentials, worked examples. A streamed answer is the schema of one event. Without
--provider it is the whole mock at http://127.0.0.1:4010, each provider under its prefix.

examples:
  conformance export openapi --provider openai -o openai.json
  conformance export openapi --provider bedrock-mantle -o mantle.yaml      YAML, by its name
  conformance export openapi --specs my-specs/ --provider my-vllm          a provider of your own
  conformance export openapi -o mock.json && schemathesis run mock.json --url http://127.0.0.1:4010

exit codes: 0 written, 2 usage
"""
MUTANTS_ENDS = """A rule that survives proves nothing: its check finds no fault in an answer that breaks it. Rules that fall
with another are compared with what the file lists under `also`.

examples:
  conformance mutants                             every rule of every contract
  conformance mutants --specs my-specs/ --api 'my/*'
  conformance mutants --broken                    each broken provider of specs/broken/: how many rules fall
  conformance mutants --broken gateway null       these two, and which rules fall

exit codes: 0 sound (every rule found by its own check, the unbroken mock clean), 1 not sound, 2 usage
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "command"):
        parser.print_help()
        return USAGE
    from conformance.documents.document import SpecError
    from conformance.target import UsageError

    try:
        return int(arguments.command(arguments))
    except (UsageError, SpecError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return INCONCLUSIVE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        # Python would exit with 1, which here means: not conformant.
        traceback.print_exc()
        print("conformance: suite error: this is our own fault, please report it", file=sys.stderr)
        return SUITE_ERROR


def _parser() -> argparse.ArgumentParser:
    from conformance import __version__
    from conformance.probes.amount import read_dollars

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
        epilog=RUN_ENDS + "\n".join(words_table()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
        help="where it is, with or without /v1 at its end (what OPENAI_BASE_URL holds will do); "
        "without it the embedded mock, or the provider's own host",
    )
    run.add_argument("--model", metavar="ID", help="the model to ask (default: the seed model)")
    run.add_argument("--region", metavar="REGION", help="the region to ask")
    _credentials(run)
    takes_apis(run)
    takes_specs(run)
    run.add_argument(
        "--reality", choices=["documented", "observed"], help="which reality the embedded mock shows"
    )
    run.add_argument(
        "--report-dir",
        metavar="DIR",
        help="write report.html, .json and .md, junit.xml, ctrf-report.json and a badge there",
    )
    run.add_argument(
        "--waivers",
        metavar="FILE",
        help="rules known to be broken, with owner and last day (default for a named provider: "
        "conformance-waivers.yaml here, if there is one)",
    )
    run.add_argument(
        "--baseline", metavar="RUN", help="an earlier run (report.json or its folder) to compare with"
    )
    run.add_argument(
        "--fail-on",
        choices=["any", "new"],
        help="new: exit 1 only for what the baseline run kept (default: any)",
    )
    run.add_argument("--rules", metavar="NAME", help="only the rules of a frozen set, at the levels it froze")
    run.add_argument(
        "--shard", metavar="I/N", help="only the I-th of N parts; no exchange is made in two (see merge)"
    )
    _money(run)
    _examples(run)
    run.add_argument(
        "--limits",
        action="store_true",
        help="look for context window and output cap too; see `conformance limits`",
    )
    _flood(run)
    run.set_defaults(command=_run)

    judge = commands.add_parser(
        "judge",
        help="judge a stored run again, or traffic that others recorded; nobody is asked",
        description="Judges what is stored. Asks nobody, costs nothing, and reports and exits as `run` does.",
        epilog=JUDGE_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    judge.add_argument("run", nargs="?", metavar="RUN_DIR", help="an earlier run: report.json or its folder")
    judge.add_argument(
        "--from",
        dest="recorded_in",
        metavar="PATH",
        action="append",
        nargs="+",
        help="recordings: VCR cassettes, HAR, our own JSON; files and folders, repeatable",
    )
    judge.add_argument(
        "--provider",
        metavar="NAME",
        help="whose the hosts are that no provider of specs/ has (a gateway, a proxy)",
    )
    judge.add_argument(
        "--recorded",
        metavar="DATE",
        type=_date,
        help="when it was recorded (2026-08-19), where it does not say itself",
    )
    takes_specs(judge)
    judge.add_argument("--report-dir", metavar="DIR", help="write the report there, as `run` does")
    judge.set_defaults(command=_judge)

    planned = commands.add_parser(
        "plan",
        help="how many requests a run sends and what they cost at most; asks nothing",
        description="Counts the requests of a run and the most they can cost, at the prices of the cards.",
        epilog=PLAN_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _whom(planned)
    _examples(planned)
    planned.add_argument("--budget", metavar="DOLLARS", type=read_dollars, help="say whether it is enough")
    planned.add_argument("--limits", action="store_true", help="plan the search for limits too")
    planned.set_defaults(command=_plan)

    limits = commands.add_parser(
        "limits",
        help="find context window and output cap by the cheapest search",
        description="Looks for the limits that the cards claim, over one API of each provider unless --api says more.",
        epilog=LIMITS_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _whom(limits)
    _money(limits)
    _flood(limits)
    limits.set_defaults(command=_limits)

    lint = commands.add_parser(
        "lint",
        help="check the files in specs/ and in folders of your own",
        description="Checks contracts, providers and cards, and that every worked example keeps its own contract.",
        epilog=LINT_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lint.add_argument(
        "folders", nargs="*", metavar="DIR", help="folders beside the shipped specs, or a card's file"
    )
    lint.set_defaults(command=_lint)

    show = commands.add_parser(
        "show",
        help="print a contract with all it inherits, a rule, or a finding of a run with its evidence",
        description="Prints a contract as YAML with everything it inherits, a rule, or a finding with its exchanges.",
        epilog=SHOW_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument(
        "contract",
        metavar="WHAT",
        help="bedrock-runtime/converse, for instance (`list` names them all), or a rule of it: bedrock-runtime/converse:shape",
    )
    show.add_argument(
        "--run",
        metavar="DIR",
        help="the finding of that rule in this run: its exchanges, and lines to ask them again",
    )
    takes_specs(show)
    show.set_defaults(command=_show)

    new = commands.add_parser(
        "new",
        help="begin a folder of YAML for a provider of your own: a gateway, vLLM, Ollama",
        description="Writes a provider, its contracts and a card that begin as those of a provider we know.",
        epilog=NEW_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    new.add_argument("what", choices=["provider"], help="what to begin")
    new.add_argument("name", metavar="NAME", help="its name: lower-case letters, digits, hyphens")
    new.add_argument(
        "--like",
        default="openai-compatible",
        metavar="PROVIDER",
        help="the one it begins as (default: openai-compatible; openai demands what OpenAI does)",
    )
    new.add_argument(
        "--base-url", required=True, metavar="URL", help="where it answers, without the contract's path"
    )
    new.add_argument(
        "--model", required=True, metavar="ID", help="the model that is asked when nobody names one"
    )
    new.add_argument(
        "--key-env", metavar="NAME", help="the variable that holds its key (default: NAME_API_KEY)"
    )
    new.add_argument(
        "--offers",
        metavar="API",
        action="append",
        default=[],
        help="only this API (chat-completions, ...); repeatable",
    )
    new.add_argument(
        "-o", "--output", metavar="DIR", help="the folder, empty or not there yet (default: NAME-specs)"
    )
    new.set_defaults(command=_new)

    export = commands.add_parser(
        "export",
        help="write the contracts in another format: OpenAPI",
        description="Writes what the contracts say in a format that other tools read.",
        epilog=EXPORT_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.add_argument("format", choices=["openapi"], help="OpenAPI 3.1")
    export.add_argument(
        "--provider",
        metavar="NAME",
        help="one provider at its own address (default: all, as the mock serves them)",
    )
    export.add_argument(
        "-o", "--output", metavar="FILE", help="where to (default: standard output); YAML if it is called so"
    )
    takes_specs(export)
    export.set_defaults(command=_export)

    mutants = commands.add_parser(
        "mutants",
        help="break every rule in the mock once; its own check has to find it",
        description="Breaks each rule in turn in the embedded mock, asks that rule's probe, judges all rules on it.",
        epilog=MUTANTS_ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    takes_apis(mutants)
    takes_specs(mutants)
    mutants.add_argument(
        "--broken",
        nargs="*",
        metavar="NAME",
        help="be each broken provider of specs/broken/ in turn instead (all, or those named, with the rules that fall)",
    )
    mutants.set_defaults(command=_mutants)
    archive.add(commands)
    return parser


def _whom(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--provider", default="mock", metavar="NAME", help="mock (the default) or a provider of specs/"
    )
    command.add_argument("--endpoint-url", metavar="URL", help="where it is, with or without /v1 at its end")
    command.add_argument("--model", metavar="ID", help="the model to ask (default: the seed model)")
    command.add_argument("--region", metavar="REGION", help="the region to ask")
    _credentials(command)
    takes_apis(command)
    takes_specs(command)
    command.add_argument("--reality", choices=["documented", "observed"], help="which reality a mock shows")


def _credentials(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--key-env",
        metavar="NAME",
        help="the variable that holds the key, in place of the provider's own; openai-compatible sends no key without it",
    )
    command.add_argument(
        "--header",
        metavar="LINE",
        action="append",
        default=[],
        help="a header for every request: 'X-Api-Key: $NAME' in single quotes, the variable is filled in when it is "
        "sent and told by its name; repeatable",
    )


def _examples(command: argparse.ArgumentParser) -> None:
    from conformance.probes.amount import read_examples

    command.add_argument(
        "--examples",
        metavar="N",
        type=read_examples,
        default=0,
        help="ask the rules that hold for any turn of N drawn ones too (default: 0): other words, caps, members",
    )


def _flood(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--flood",
        nargs="?",
        const="mock",
        choices=["mock", "anywhere"],
        help="send small requests until one is refused for its rate: a mock, or `anywhere`",
    )


def _money(command: argparse.ArgumentParser) -> None:
    from conformance.probes.amount import read_dollars, read_retries

    command.add_argument(
        "--budget",
        metavar="DOLLARS",
        type=read_dollars,
        help="stop below so many dollars, at the prices of the cards; what could cost more is `over budget`",
    )
    command.add_argument(
        "--retries",
        metavar="N",
        type=read_retries,
        help="how often a rate limit is waited for, as the provider's own headers say (default: 2; a mock: 0)",
    )


def specs_of(folders: Sequence[str]) -> Specs:
    """The shipped specs and those in the folders. Raises UsageError and SpecError."""
    from conformance.loading import load
    from conformance.target import UsageError

    for each in folders:
        if not Path(each).is_dir():
            raise UsageError(f"expected a folder of YAML, got {each}: there is none")
    return load(folders)


def _run(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    import pytest

    from conformance.cases import cases
    from conformance.embedded import mock_at
    from conformance.session import Verdict, report_folder
    from conformance.suite import PROMISES
    from conformance.target import EMBEDDED, targets
    from conformance.terms import read_terms

    specs = specs_of(arguments.specs)
    mock: Mapping[str, Any] | None = None
    if arguments.provider == EMBEDDED:
        mock = mock_at(arguments.endpoint_url) if arguments.endpoint_url else {"http": "http://127.0.0.1"}
    whom: dict[str, Any] = {
        "endpoint": arguments.endpoint_url,
        "region": arguments.region,
        "mock": mock,
        "key_env": arguments.key_env,
        "headers": arguments.header,
    }
    if arguments.endpoint_url and arguments.model is None and _undeclared(specs, arguments.provider):
        from conformance.gateway import look

        # Which models there are is told in the error.
        for each in targets(specs, arguments.provider, model="", **whom):
            silence = look(specs, each, named=False).silence
            print(f"conformance: inconclusive: {silence}. Nothing was asked.", file=sys.stderr)
        return INCONCLUSIVE
    asked = targets(specs, arguments.provider, model=arguments.model, **whom)
    terms = {name: getattr(arguments, name) for name in ("waivers", "baseline", "fail_on", "rules", "shard")}
    today = datetime.now(UTC).date()
    held = read_terms(specs, provider=arguments.provider, today=today, **terms)
    held.chosen(cases(asked, specs, arguments.api), specs)
    folder = report_folder(arguments.report_dir) if arguments.report_dir else None
    if arguments.provider != EMBEDDED or arguments.endpoint_url:
        from conformance.ask import probe_url

        for target in {each.endpoint: each for each in asked}.values():
            silence = probe_url(target.endpoint, target.ca)
            if silence:
                print(
                    f"conformance: inconclusive: nobody answers at {silence}. Nothing was asked.",
                    file=sys.stderr,
                )
                return INCONCLUSIVE
    looked: list[Target] | None = None
    if arguments.provider != EMBEDDED and arguments.endpoint_url:
        from conformance.gateway import look

        found = [look(specs, each) for each in asked if each.card is None]
        for one in found:
            for note in one.notes:
                print(f"conformance: {note}", file=sys.stderr)
            if one.silence:
                print(f"conformance: inconclusive: {one.silence}. Nothing was asked.", file=sys.stderr)
                return INCONCLUSIVE
        looked = [one.target for one in found] or None
    options = ["-c", str(PROMISES.with_name("run.ini")), "--rootdir", str(PROMISES.parent)]
    options += ["-p", "conformance.plugin", "-p", "no:cacheprovider", "-p", "no:logging"]
    # What failed is told by Verdict; --no-summary would silence that too before pytest 9.2.
    options += ["-qq", "--no-header", "--disable-warnings", "--tb=no", "-rN"]
    for name, value in (
        ("provider", arguments.provider),
        ("endpoint-url", arguments.endpoint_url),
        ("model", arguments.model),
        ("region", arguments.region),
        ("key-env", arguments.key_env),
        ("reality", arguments.reality),
        ("report-dir", folder),
        *((name.replace("_", "-"), value) for name, value in terms.items()),
        ("budget", arguments.budget),
        ("retries", arguments.retries),
        ("examples", arguments.examples or None),
        ("flood", arguments.flood),
    ):
        if value is not None:
            options.append(f"--conformance-{name}={value}")
    options += ["--conformance-limits"] if arguments.limits else []
    options += [f"--conformance-api={each}" for each in arguments.api or ()]
    options += [f"--conformance-header={each}" for each in arguments.header]
    verdict = Verdict(specs, looked)
    # The project around us has plugins, options and a configuration: none of them is for this run.
    theirs = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST_")}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        status = pytest.main([*options, str(PROMISES)], plugins=[verdict])
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(theirs)
    if status == pytest.ExitCode.USAGE_ERROR:
        return USAGE
    if status == pytest.ExitCode.INTERNAL_ERROR or verdict.crashes:
        print(*verdict.crashes, sep="\n", file=sys.stderr)
        return SUITE_ERROR
    return verdict.exit_code


def _undeclared(specs: Specs, provider: str) -> bool:
    return provider in specs.providers and bool(specs.providers[provider].said.get("undeclared"))


def _date(text: str) -> Any:
    from conformance.recordings import day

    found = day(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a day such as 2026-08-19, got {text!r}")
    return found


def _judge(arguments: argparse.Namespace) -> int:
    from conformance.runs.stand import judge_stored, judge_traffic
    from conformance.target import UsageError

    if (arguments.run is None) == (arguments.recorded_in is None):
        raise UsageError("expected an earlier run (RUN_DIR) or recordings (--from PATH), one of them")
    specs = specs_of(arguments.specs)
    if arguments.run is not None:
        for name in ("provider", "recorded"):
            if getattr(arguments, name) is not None:
                raise UsageError(f"--{name} is about recordings (--from); a stored run says it itself")
        return judge_stored(specs, arguments.run, arguments.report_dir)
    places = [Path(each) for group in arguments.recorded_in for each in group]
    return judge_traffic(specs, places, arguments.provider, arguments.recorded, arguments.report_dir)


def _plan(arguments: argparse.Namespace) -> int:
    from conformance.measured.plan import command

    return command(specs_of(arguments.specs), arguments)


def _limits(arguments: argparse.Namespace) -> int:
    from conformance.measured.limits import command

    return command(specs_of(arguments.specs), arguments)


def _lint(arguments: argparse.Namespace) -> int:
    from conformance.documents.document import SpecError
    from conformance.lint import card_problems, problems

    alone = [Path(each) for each in arguments.folders if Path(each).is_file()]
    try:
        specs = specs_of([each for each in arguments.folders if Path(each) not in alone])
    except SpecError as error:
        print(error)
        print("1 problem; nothing after it was looked at")
        return 1
    found = list(problems(specs)) + [problem for path in alone for problem in card_problems(path, specs)]
    for problem in found:
        print(problem)
    rules = specs.rules()
    number = {0: "no problem", 1: "1 problem"}.get(len(found), f"{len(found)} problems")
    print(
        f"{len(specs.contracts)} contracts, {len(rules)} rules, {len(specs.providers)} providers, "
        f"{len(specs.cards) + len(alone)} cards: {number}"
    )
    return 1 if found else 0


def _show(arguments: argparse.Namespace) -> int:
    from conformance.lint import shown
    from conformance.target import UsageError

    specs = specs_of(arguments.specs)
    if arguments.contract == "list":
        for each in specs.contracts.values():
            print(f"{each.id:45} {each.said['summary']}")
        return 0
    if arguments.run is not None or ":" in arguments.contract:
        from conformance.runs import evidence
        from conformance.runs.stored import read_run

        if arguments.run is None:
            lines = evidence.rule(specs, arguments.contract)
        else:
            place = Path(arguments.run)
            folder = place if place.is_dir() else place.parent
            lines = evidence.shown(read_run(place), specs, arguments.contract, folder)
        print(*lines, sep="\n")
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


def _new(arguments: argparse.Namespace) -> int:
    from conformance.loading import load
    from conformance.scaffold import scaffold

    folder = Path(arguments.output or f"{arguments.name}-specs")
    made = scaffold(
        load(),
        arguments.name,
        folder,
        like=arguments.like,
        base_url=arguments.base_url,
        model=arguments.model,
        key=arguments.key_env,
        apis=arguments.offers,
    )
    for path in made:
        print(path)
    print(f"next: conformance lint {folder}; conformance run --specs {folder} --provider {arguments.name}")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from conformance.openapi import document, written
    from conformance.target import UsageError

    text = written(document(specs_of(arguments.specs), arguments.provider), arguments.output or "")
    if arguments.output is None:
        print(text, end="")
        return 0
    try:
        Path(arguments.output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--output: expected a file that can be written, got {error}") from error
    return 0


def _mutants(arguments: argparse.Namespace) -> int:
    from conformance.mutants import matrix, run_mutants

    specs = specs_of(arguments.specs)
    progress = sys.stderr if sys.stderr.isatty() else None
    if arguments.broken is not None:
        from conformance.broken import matrix as broken_matrix
        from conformance.broken import run_broken

        outcomes = run_broken(specs, arguments.broken, arguments.api or ["*"], progress)
        for line in broken_matrix(specs, outcomes, named=bool(arguments.broken)):
            print(line)
        return 0 if all(each.fallen for each in outcomes) else 1
    outcome = run_mutants(specs, arguments.api or ["*"], progress=progress)
    for line in matrix(outcome):
        print(line)
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
