"""The command line: what each command takes and does stands in `conformance.commands`.

Exit codes of `conformance run`: 0 conformant, 1 not conformant, 2 usage, 3 suite error,
4 inconclusive (nobody answered, rate limit, outage, stopped early, or nothing was looked at).
Of several the first in 2, 3, 1, 4, 0.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from conformance.commands import asking, contracts, stored
from conformance.words import INCONCLUSIVE, SUITE_ERROR, USAGE

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


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "command"):
        parser.print_help()
        return USAGE
    from conformance.documents.document import SpecError
    from conformance.inert import inert
    from conformance.target import UsageError

    try:
        return int(arguments.command(arguments))
    except (UsageError, SpecError) as error:
        print(f"conformance: {inert(str(error))}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("conformance: inconclusive: stopped before there was anything to tell", file=sys.stderr)
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

    parser = argparse.ArgumentParser(
        prog="conformance",
        description="Which promises does an LLM provider keep? Contracts in, evidence out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"conformance {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    asking.add(commands)
    stored.add(commands)
    contracts.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
