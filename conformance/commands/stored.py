"""The commands on what is stored, asking nobody: judge, report, diff, merge."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from conformance.options import begin, given, specs_of, take

FORMATS = ("json", "html", "markdown", "junit", "ctrf", "badge", "shields")
RUN = "report.json, or the folder that --report-dir named"
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


def add(commands: Any) -> None:
    """Adds the commands to the command line."""
    judge = begin(
        commands,
        "judge",
        _judge,
        does="judge a stored run again, or traffic that others recorded; nobody is asked",
        description="Judges what is stored. Asks nobody, costs nothing, and reports and exits as `run` does.",
        ends=JUDGE_ENDS,
    )
    judge.add_argument(
        "run", nargs="?", metavar="RUN_DIR", type=given, help="an earlier run: report.json or its folder"
    )
    judge.add_argument(
        "--from",
        dest="recorded_in",
        metavar="PATH",
        type=given,
        action="append",
        nargs="+",
        help="recordings: VCR cassettes, HAR, our own JSON; files and folders, repeatable",
    )
    take(judge, "provider", help="whose the hosts are that no provider of specs/ has (a gateway, a proxy)")
    judge.add_argument(
        "--recorded",
        metavar="DATE",
        type=_date,
        help="when it was recorded (2026-08-19), where it does not say itself",
    )
    take(judge, "specs")
    take(judge, "report-dir", help="write the report there, as `run` does")

    report = begin(
        commands,
        "report",
        _report,
        does="draw a stored run again: HTML, Markdown, JUnit, ...",
        ends=REPORT_ENDS,
    )
    report.add_argument("run", metavar="RUN", type=given, help=RUN)
    report.add_argument("--format", choices=FORMATS, help="one format; without it all files, into -o DIR")
    report.add_argument(
        "-o", "--output", metavar="PATH", type=given, help="file (standard output without it), or folder"
    )

    diff = begin(commands, "diff", _diff, does="compare two stored runs", ends=DIFF_ENDS)
    diff.add_argument("before", metavar="A", type=given, help=RUN)
    diff.add_argument("after", metavar="B", type=given, help="the later run")
    diff.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="(text)")

    merge = begin(commands, "merge", _merge, does="put the shards of a run together", ends=MERGE_ENDS)
    merge.add_argument("runs", nargs="+", metavar="RUN", type=given, help=RUN)
    merge.add_argument(
        "-o", "--output", metavar="DIR", type=given, required=True, help="where the report goes"
    )


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


def _report(arguments: argparse.Namespace) -> int:
    from conformance.formats import FORMATS as made
    from conformance.formats import write
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
    from conformance.formats import write
    from conformance.runs.merge import merge
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
