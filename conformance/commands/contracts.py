"""The commands on contracts, cards and rules themselves: lint, show, new, export, mutants, freeze."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from conformance.options import begin, given, specs_of, take

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
FREEZE_ENDS = """Writes rulesets/NAME.yaml (here; into the last --specs DIR; into specs/ of a checkout): for each rule its
level and a digest of what it demands. Commit it. A run with --rules FILE or NAME looks at these rules, at these levels,
and says which ones it leaves out because they demand something else by now; `conformance lint` reports those too.

examples:
  conformance freeze 2026.1
  conformance freeze ours-1 --specs my-specs/           into my-specs/rulesets/ours-1.yaml
  conformance run --rules rulesets/2026.1.yaml          by NAME where it stands in specs/ or in a --specs DIR

exit codes: 0 written, 2 usage (a set that is there already is not written again)
"""


def add(commands: Any) -> None:
    """Adds the commands to the command line."""
    lint = begin(
        commands,
        "lint",
        _lint,
        does="check the files in specs/ and in folders of your own",
        description="Checks contracts, providers and cards, and that every worked example keeps its own contract.",
        ends=LINT_ENDS,
    )
    lint.add_argument(
        "folders",
        nargs="*",
        metavar="DIR",
        type=given,
        help="folders beside the shipped specs, or a card's file",
    )

    show = begin(
        commands,
        "show",
        _show,
        does="print a contract with all it inherits, a rule, or a finding of a run with its evidence",
        description="Prints a contract as YAML with everything it inherits, a rule, or a finding with its exchanges.",
        ends=SHOW_ENDS,
    )
    show.add_argument(
        "contract",
        metavar="WHAT",
        help="bedrock-runtime/converse, for instance (`list` names them all), or a rule of it: bedrock-runtime/converse:shape",
    )
    show.add_argument(
        "--run",
        metavar="DIR",
        type=given,
        help="the finding of that rule in this run: its exchanges, and lines to ask them again",
    )
    take(show, "specs")

    new = begin(
        commands,
        "new",
        _new,
        does="begin a folder of YAML for a provider of your own: a gateway, vLLM, Ollama",
        description="Writes a provider, its contracts and a card that begin as those of a provider we know.",
        ends=NEW_ENDS,
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
        "--model",
        required=True,
        metavar="ID",
        type=given,
        help="the model that is asked when nobody names one",
    )
    new.add_argument(
        "--key-env",
        metavar="NAME",
        type=given,
        help="the variable that holds its key (default: NAME_API_KEY)",
    )
    new.add_argument(
        "--offers",
        metavar="API",
        action="append",
        default=[],
        help="only this API (chat-completions, ...); repeatable",
    )
    new.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=given,
        help="the folder, empty or not there yet (default: NAME-specs)",
    )

    export = begin(
        commands,
        "export",
        _export,
        does="write the contracts in another format: OpenAPI",
        description="Writes what the contracts say in a format that other tools read.",
        ends=EXPORT_ENDS,
    )
    export.add_argument("format", choices=["openapi"], help="OpenAPI 3.1")
    export.add_argument(
        "--provider",
        metavar="NAME",
        type=given,
        help="one provider at its own address (default: all, as the mock serves them)",
    )
    export.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=given,
        help="where to (default: standard output); YAML if it is called so",
    )
    take(export, "specs")

    mutants = begin(
        commands,
        "mutants",
        _mutants,
        does="break every rule in the mock once; its own check has to find it",
        description="Breaks each rule in turn in the embedded mock, asks that rule's probe, judges all rules on it.",
        ends=MUTANTS_ENDS,
    )
    take(mutants, "api", "specs")
    mutants.add_argument(
        "--broken",
        nargs="*",
        metavar="NAME",
        help="be each broken provider of specs/broken/ in turn instead (all, or those named, with the rules that fall)",
    )

    freeze = begin(
        commands, "freeze", _freeze, does="keep today's rules under a name, for --rules", ends=FREEZE_ENDS
    )
    freeze.add_argument("name", metavar="NAME", help="such as 2026.1")
    take(freeze, "specs")


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
    from conformance.resolved import shown
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

        names = list(specs.contracts)
        close = difflib.get_close_matches(arguments.contract, names, 3)
        close = close or [name for name in names if arguments.contract in name][:3]
        close = close or difflib.get_close_matches(arguments.contract, names, 1, 0)
        raise UsageError(
            f"no contract {arguments.contract!r}; closest: {', '.join(close)} (`conformance show list` has all)"
        )
    for line in shown(specs.contracts[arguments.contract], arguments.specs):
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
    quoted = shlex.quote(str(folder))
    print(f"next: conformance lint {quoted}; conformance run --specs {quoted} --provider {arguments.name}")
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


def _freeze(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from conformance.documents import library
    from conformance.runs.rulesets import FOLDER, freeze
    from conformance.target import UsageError

    name = arguments.name
    if not name or "/" in name or name.startswith("."):
        raise UsageError(f"freeze: expected a name such as 2026.1, got {name!r}")
    specs = specs_of(arguments.specs)
    # What an installed package holds goes with its next version, and a frozen set is there to outlive it.
    installed = not arguments.specs and library.SPECS.is_relative_to(library.PACKAGE)
    path = (Path() if installed else specs.folders[-1]) / FOLDER / f"{name}.yaml"
    try:
        number = freeze(specs, name, datetime.now(UTC).date(), path)
    except OSError as error:
        raise UsageError(f"freeze: expected a place to write to, got {path}: {error.strerror}") from error
    print(f"{path}: {number} rules; conformance run --rules {path if installed else name}")
    return 0
