"""The commands that ask a provider, real or mocked, or say what asking it would cost: run, plan, limits."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from conformance.inert import as_line
from conformance.options import OF_A_RUN, begin, for_pytest, specs_of, take
from conformance.words import INCONCLUSIVE, SUITE_ERROR, USAGE, words_table

if TYPE_CHECKING:
    from conformance.loading import Specs
    from conformance.target import Target

WHOM = ("provider", "endpoint-url", "model", "region", "key-env", "header", "api", "specs", "reality")
"""Who is asked, and about which contracts."""

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


def add(commands: Any) -> None:
    """Adds the commands to the command line."""
    run = begin(
        commands,
        "run",
        _run,
        does="ask a provider and judge its answers",
        description="Asks a provider, real or mocked, and says which promises it keeps.",
        ends=RUN_ENDS + "\n".join(words_table()),
    )
    take(run, *(name for name in OF_A_RUN if name != "flood"))
    take(run, "flood", nargs="?", const="mock")
    run.set_defaults(provider="mock")

    planned = begin(
        commands,
        "plan",
        _plan,
        does="how many requests a run sends and what they cost at most; asks nothing",
        description="Counts the requests of a run and the most they can cost, at the prices of the cards.",
        ends=PLAN_ENDS,
    )
    take(planned, *WHOM, "examples")
    take(planned, "budget", help="say whether it is enough")
    take(planned, "limits", help="plan the search for limits too")
    planned.set_defaults(provider="mock")

    limits = begin(
        commands,
        "limits",
        _limits,
        does="find context window and output cap by the cheapest search",
        description="Looks for the limits that the cards claim, over one API of each provider unless --api says more.",
        ends=LIMITS_ENDS,
    )
    take(limits, *WHOM, "budget", "retries")
    take(limits, "flood", nargs="?", const="mock")
    limits.set_defaults(provider="mock")


def _run(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    import pytest

    from conformance.cases import cases
    from conformance.embedded import mock_at
    from conformance.formats import report_folder
    from conformance.session import Verdict
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
            print(f"conformance: inconclusive: {as_line(silence or '')}. Nothing was asked.", file=sys.stderr)
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
                    f"conformance: inconclusive: nobody answers at {as_line(silence)}. Nothing was asked.",
                    file=sys.stderr,
                )
                return INCONCLUSIVE
    looked: list[Target] | None = None
    if arguments.provider != EMBEDDED and arguments.endpoint_url:
        from conformance.gateway import look

        found = [look(specs, each) for each in asked if each.card is None]
        for one in found:
            for note in one.notes:
                print(f"conformance: {as_line(note)}", file=sys.stderr)
            if one.silence:
                print(
                    f"conformance: inconclusive: {as_line(one.silence)}. Nothing was asked.", file=sys.stderr
                )
                return INCONCLUSIVE
        looked = [one.target for one in found] or None
    options = ["-c", str(PROMISES.with_name("run.ini")), "--rootdir", str(PROMISES.parent)]
    options += ["-p", "conformance.plugin", "-p", "no:cacheprovider", "-p", "no:logging"]
    # What failed is told by Verdict; --no-summary would silence that too before pytest 9.2.
    options += ["-qq", "--no-header", "--disable-warnings", "--tb=no", "-rN"]
    options += for_pytest(arguments, report_dir=folder)
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


def _plan(arguments: argparse.Namespace) -> int:
    from conformance.measured.plan import command

    return command(specs_of(arguments.specs), arguments)


def _limits(arguments: argparse.Namespace) -> int:
    from conformance.measured.limits import command

    return command(specs_of(arguments.specs), arguments)
