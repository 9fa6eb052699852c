"""Known defects: a waiver excuses what is broken, accuses what holds, and ends on its day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conformance.documents.document import SpecError
from conformance.finding import Finding, Word, exit_code
from conformance.loading import load
from conformance.runs.waivers import Waivers, read_waivers
from conformance.target import Target

SPECS = load()
CONTRACT = SPECS.contracts["bedrock-runtime/converse"]
RULE = CONTRACT.rules["cap-honoured"]
TODAY = date(2026, 11, 22)
TARGET = Target(
    SPECS.providers["bedrock-runtime"], "http://127.0.0.1:1", "mistral.magistral-small-2509", None
)

ENTRY = """\
waivers:
  - rule: {rule}
    reason: it counts one token too many
    link: https://tracker.example/1234
    owner: gateway team
    expires: {expires}
    {when}
"""


def waivers(
    folder: Path, rule: str = RULE.name, expires: str = "2026-12-31", when: str = "", more: str = ""
) -> Waivers:
    path = folder / "waivers.yaml"
    path.write_text(ENTRY.format(rule=rule, expires=expires, when=when) + more)
    return read_waivers(path, SPECS, TODAY)


def after(found: Waivers, word: Word, level: str = "must") -> Finding:
    finding = Finding(replace(RULE, level=level), word)
    return found.applied(finding, TARGET, CONTRACT)


@pytest.mark.parametrize("word", ["broken", "not asked"])
def test_what_is_waived_and_broken_does_not_fail_the_run(word: Word, tmp_path: Path) -> None:
    finding = after(waivers(tmp_path), word)
    assert (finding.word, finding.fails, finding.warns, finding.shown) == (word, False, False, "excused")
    assert finding.excused == (
        "it counts one token too many (waived by gateway team until 2026-12-31, https://tracker.example/1234)"
    )
    assert exit_code([finding, Finding(RULE, "kept")]) == 0
    assert finding.excused in finding.text()


def test_a_waived_should_does_not_even_warn(tmp_path: Path) -> None:
    assert after(waivers(tmp_path), "broken", "should").warns is False


@pytest.mark.parametrize("level", ["must", "should"])
def test_what_is_waived_and_holds_fails_until_the_waiver_is_removed(level: str, tmp_path: Path) -> None:
    finding = after(waivers(tmp_path), "kept", level)
    assert (finding.word, finding.fails, finding.shown, finding.exit) == ("kept", True, "accused", 1)
    assert finding.accused == "waived at waivers.yaml:2, but it holds: remove the waiver"
    narrowed = after(waivers(tmp_path, rule="cap-honoured"), "kept")
    assert narrowed.accused.endswith("remove the waiver, or narrow it with `when`")


@pytest.mark.parametrize("word", ["inconclusive", "suite error", "over budget", "not applicable"])
def test_an_outage_or_our_own_fault_is_nobodys_known_defect(word: Word, tmp_path: Path) -> None:
    assert after(waivers(tmp_path), word) == Finding(RULE, word)


def test_a_waiver_counts_on_its_last_day_and_not_on_the_next(tmp_path: Path) -> None:
    assert after(waivers(tmp_path, expires="2026-11-22"), "broken").fails is False
    late = waivers(tmp_path, expires="2026-11-21")
    finding = after(late, "broken")
    assert (
        finding.fails and "its waiver (gateway team, waivers.yaml:2) expired on 2026-11-21" in finding.reason
    )
    [problem] = late.problems()
    assert problem.startswith(
        f"waivers.yaml:2: the waiver of {RULE.name} (gateway team) expired on 2026-11-21"
    )
    assert exit_code([Finding(RULE, "kept")], late.problems()) == 1


@pytest.mark.parametrize(
    ("when", "covers"),
    [
        ("when: {provider: bedrock-runtime}", True),
        ("when: {provider: puter}", False),
        ("when: {provider: 'bedrock-*', model: 'mistral.*', contract: '*/converse'}", True),
        ("when: {provider: 'bedrock-*', model: 'amazon.*'}", False),
        ("when: {contract: '*/converse-stream'}", False),
    ],
)
def test_a_waiver_counts_where_all_its_conditions_hold(when: str, covers: bool, tmp_path: Path) -> None:
    assert after(waivers(tmp_path, rule="cap-honoured", when=when), "broken").fails is not covers


@pytest.mark.parametrize(
    ("changes", "line", "says"),
    [
        (
            {"rule": "bedrock-runtime/converse:cap-honored"},
            2,
            "closest: bedrock-runtime/converse:cap-honoured",
        ),
        ({"rule": "cap-honored"}, 2, "no rule 'cap-honored'; closest: cap-honoured"),
        ({"expires": "soon"}, 6, "expires: expected text that matches"),
        ({"expires": "2026-02-30"}, 6, "expected a day such as 2026-12-31"),
        ({"when": "when: {provider: nobody}"}, 7, "when.provider: expected a glob of"),
        ({"when": "when: {contract: 'puter/converse'}"}, 7, "'puter/converse' matches none"),
        ({"when": "when: {region: here}"}, 7, "region"),
        ({"when": "ticket: 5"}, 7, "/waivers/0/ticket: expected no such member"),
    ],
)
def test_a_wrong_entry_is_told_with_file_line_and_what_would_be_right(
    changes: dict[str, Any], line: int, says: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as told:
        waivers(tmp_path, **changes)
    assert says in str(told.value)
    assert f"waivers.yaml:{line}: " in str(told.value)


def test_an_entry_without_an_owner_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(ENTRY.format(rule=RULE.name, expires="2026-12-31", when="").replace("owner", "# owner"))
    with pytest.raises(SpecError, match="owner"):
        read_waivers(path, SPECS, TODAY)


def test_every_entry_is_told_with_what_became_of_it(tmp_path: Path) -> None:
    entries = [
        ("shape", "2026-12-31"),
        ("headers", "2026-12-31"),
        ("status", "2026-01-01"),
        ("framing", "2026-12-31"),
    ]
    more = "".join(
        ENTRY.format(rule=f"{CONTRACT.id}:{rule}", expires=day, when="").removeprefix("waivers:\n")
        for rule, day in entries[1:]
    )
    found = waivers(tmp_path, f"{CONTRACT.id}:shape", more=more)
    words: dict[str, Word] = {"shape": "broken", "headers": "kept", "status": "broken"}
    seen = [
        (TARGET, CONTRACT, found.applied(Finding(CONTRACT.rules[rule], word), TARGET, CONTRACT))
        for rule, word in words.items()
    ]
    assert [each["state"] for each in found.section(seen)] == ["used", "stale", "expired", "idle"]
