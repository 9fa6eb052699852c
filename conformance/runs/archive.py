"""The commands on stored runs: report, diff, merge; and freeze, which keeps a set of rules for later ones."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conformance.options import takes_specs

FORMATS = ("json", "html", "markdown", "junit", "ctrf", "badge", "shields")
RUN = "report.json, or the folder that --report-dir named"

REPORT_ENDS = """examples:
  conformance report build/report --format markdown > comment.md
  conformance report build/report -o build/again            every file anew
  conformance report old/report.json --format junit -o junit.xml

exit codes: 0 written, 2 usage. The run's own verdict is not the exit code: it stands in what is written
"""
DIFF_ENDS = """A and B are stored runs, A the earlier one. Told are: rules newly broken, fixed or otherwise changed; rules
looked at in one run only; claims of which something else was seen; and shape drift: members of answers that
came, went or changed their type, whether a rule speaks of them or not.

examples:
  conformance diff last/report this/report
  conformance diff last/report this/report --format markdown >> "$GITHUB_STEP_SUMMARY"

exit codes: 0 no rule fails that did not fail before, 1 some do, 2 usage
"""
MERGE_ENDS = """Parts are the shards of one run, or runs of different APIs: of the same specs, targets and options, each rule
in one of them. Anything else is refused, a missing shard too. Seconds and requests are summed.

examples:
  conformance run --shard 1/2 --report-dir part-1
  conformance run --shard 2/2 --report-dir part-2
  conformance merge part-1 part-2 -o build/report

exit codes: those of the run that the parts make; 2 usage
"""
FREEZE_ENDS = """Writes rulesets/NAME.yaml (here; into the last --specs DIR; into specs/ of a checkout): for each rule its
level and a digest of what it demands. Commit it. A run with --rules FILE or NAME looks at these rules, at these levels, and says which ones it leaves out because they demand
something else by now; `conformance lint` reports those too.

examples:
  conformance freeze 2026.1
  conformance freeze ours-1 --specs my-specs/           into my-specs/rulesets/ours-1.yaml
  conformance run --rules rulesets/2026.1.yaml          by NAME where it stands in specs/ or in a --specs DIR

exit codes: 0 written, 2 usage (a set that is there already is not written again)
"""


def add(commands: Any) -> None:
    """Adds the commands to the command line."""
    report = _command(
        commands, "report", "draw a stored run again: HTML, Markdown, JUnit, ...", REPORT_ENDS, _report
    )
    report.add_argument("run", metavar="RUN", help=RUN)
    report.add_argument("--format", choices=FORMATS, help="one format; without it all files, into -o DIR")
    report.add_argument("-o", "--output", metavar="PATH", help="file (standard output without it), or folder")

    diff = _command(commands, "diff", "compare two stored runs", DIFF_ENDS, _diff)
    diff.add_argument("before", metavar="A", help=RUN)
    diff.add_argument("after", metavar="B", help="the later run")
    diff.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="(text)")

    merge = _command(commands, "merge", "put the shards of a run together", MERGE_ENDS, _merge)
    merge.add_argument("runs", nargs="+", metavar="RUN", help=RUN)
    merge.add_argument("-o", "--output", metavar="DIR", required=True, help="where the report goes")

    freeze = _command(
        commands, "freeze", "keep today's rules under a name, for --rules", FREEZE_ENDS, _freeze
    )
    freeze.add_argument("name", metavar="NAME", help="such as 2026.1")
    takes_specs(freeze)


def _command(
    commands: Any, name: str, text: str, ends: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=ends,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=run)
    return parser


def _report(arguments: argparse.Namespace) -> int:
    from conformance.formats import FORMATS as made
    from conformance.runs.report import write
    from conformance.runs.stored import read_run
    from conformance.target import UsageError

    document = read_run(arguments.run)
    try:
        if arguments.format is None:
            if arguments.output is None:
                raise UsageError("report: expected --format FORMAT, or -o DIR for every file")
            write(document, Path(arguments.output))
            return 0
        text = made[arguments.format][1](document)
        if arguments.output is None:
            sys.stdout.write(text)
        else:
            Path(arguments.output).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"-o: expected a place to write to, got {arguments.output}: {error}") from error
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    from conformance.runs.diff import diff, markdown, text, worse
    from conformance.runs.report import dump_json
    from conformance.runs.stored import read_run

    difference = diff(read_run(arguments.before), read_run(arguments.after))
    if arguments.format == "json":
        sys.stdout.write(dump_json(difference))
    elif arguments.format == "markdown":
        sys.stdout.write(markdown(difference))
    else:
        for line in text(difference):
            print(line)
    return 1 if worse(difference) else 0


def _merge(arguments: argparse.Namespace) -> int:
    from conformance.runs.merge import merge
    from conformance.runs.report import write
    from conformance.runs.stored import read_run
    from conformance.runs.summary import colored, failures, summary
    from conformance.target import UsageError

    document = merge([read_run(each) for each in arguments.runs], arguments.runs)
    try:
        write(document, Path(arguments.output))
    except OSError as error:
        raise UsageError(f"-o: expected a folder to write to, got {arguments.output}: {error}") from error
    folder, width = Path(arguments.output), shutil.get_terminal_size().columns
    for line in (*failures(document, folder), *summary(document, width, colored(sys.stdout), folder)):
        print(line)
    return int(document["exit_code"])


def _freeze(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from conformance.cli import specs_of
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
    number = freeze(specs, name, datetime.now(UTC).date(), path)
    print(f"{path}: {number} rules; conformance run --rules {path if installed else name}")
    return 0
