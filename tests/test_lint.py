"""Every kind of problem in specs is found, with file and line; a contract is shown with its origins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from conformance.cli import main
from conformance.documents.library import KINDS
from conformance.lint import CONDITIONS, problems
from conformance.loading import load
from conformance.resolved import shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Example

SHIPPED = load()

Change = tuple[str, str, str]

# What is changed (file, from, to), then the file, a text of the line, and what is said of it.
PROBLEMS: dict[str, tuple[list[Change], tuple[str, str, str]]] = {
    # Shapes
    "a reference to a definition that is not there": (
        [("chat", "parrot.yaml#/$defs/Request", "parrot.yaml#/$defs/Requst")],
        ("chat", "Requst", "$ref: expected a definition that is there, got '{folder}/shapes/parrot.yaml#/$defs/Requst'"),
    ),
    "a reference to a file that is not there": (
        [("chat", "../shapes/parrot.yaml#/$defs/Answer", "../shapes/parot.yaml#/$defs/Answer")],
        ("chat", "parot.yaml", "$ref: {folder}/shapes/parot.yaml: expected a UTF-8 YAML file, got "),
    ),
    "a reference inside a shared shape": (
        [("shapes/parrot", "items: {$ref: '#/$defs/Message'}", "items: {$ref: '#/$defs/Mesage'}")],
        ("shapes/parrot", "Mesage", "$ref: expected a definition that is there, got '{folder}/shapes/parrot.yaml#/$defs/Mesage'"),
    ),
    "a word of a shared shape that is no schema": (
        [("shapes/parrot", "stream: {type: boolean}", "stream: {type: bool}")],
        ("shapes/parrot", "type: bool}", 'expected JSON Schema 2020-12, got "bool"'),
    ),
    "a pattern that is none": (
        [("chat", "pattern: '^[a-z]+$'", "pattern: '^[a-z+$'")],
        ("chat", "'^[a-z+$'", 'expected JSON Schema 2020-12, got "^[a-z+$"'),
    ),
    "a shared file that is no YAML": (
        [("shapes/parrot", "  Usage:\n", "  Usage: on\n  Use:\n")],
        ("shapes/parrot", "Usage: on", "expected true, false or a quoted string, got on (YAML 1.1 truth)"),
    ),
    "an event's shape": (
        [("chat_stream", "parrot.yaml#/$defs/Chunk", "parrot.yaml#/$defs/Chunks")],
        ("chat_stream", "Chunks", "$ref: expected a definition that is there, got "),
    ),
    # What is taken away
    "a rule taken away that nobody has": (
        [("chat_stream", "rules:\n", "rules:\n  cap-honourd: null\n")],
        ("chat_stream", "cap-honourd", "rules: null takes 'cap-honourd' away, and nothing that parrot/chat-stream extends has it; closest: cap-honoured"),
    ),
    # Orders
    "an order that does not compile": (
        [("chat_stream", "order: chunk+ ", "order: (chunk+ ")],
        ("chat_stream", "order: (chunk", "order '(chunk+': expected ')', got the end"),
    ),
    "an order that names no event": (
        [("chat_stream", "order: chunk+ ", "order: chunk+ bye ")],
        ("chat_stream", "bye", "order names 'bye', which is not among the events"),
    ),
    # Providers
    "an unknown path without an error": (
        [("providers/parrot", "errors:\n", "unknown_path: no-path\nerrors:\n")],
        ("providers/parrot", "unknown_path", "unknown_path: expected one of the errors, got 'no-path'"),
    ),
    "a check of the provider that there is not": (
        [("providers/parrot", "checks: [auth, json,", "checks: [auth, jsn, json,")],
        ("providers/parrot", "jsn", f"no check 'jsn'; there are {', '.join(CONDITIONS)}"),
    ),
    "a check of a contract that there is not": (
        [("chat_stream", "\nrequest:", "\nchecks: [shape, cap, modle]\nrequest:")],
        ("chat_stream", "modle", "no check 'modle'; there are "),
    ),
    "a condition of the provider that there is not": (
        [("providers/parrot", "when: [unknown-model]", "when: [unknown-model, unknown-mode]")],
        ("providers/parrot", "unknown-mode]", "error unknown-model: no condition 'unknown-mode'; there are "),
    ),
    "a condition of a contract that there is not": (
        [("chat", "{condition: request-shape, at: /temp", "{condition: requestshape, at: /temp")],
        ("chat", "requestshape", "error too-hot: no condition 'requestshape'; there are "),
    ),
    "a scheme that there is not": (
        [("providers/parrot", "  bearer: {places", "  basic: {places")],
        ("providers/parrot", "basic:", "no auth scheme 'basic'; there are bearer, sigv4, puter"),
    ),
    "a check whose condition no error answers": (
        [("providers/parrot", "when: [request-shape, body-not-json]", "when: [request-shape]")],
        ("chat", "contract:", "check 'json' can end in 'body-not-json', and no error answers it"),
    ),
    "a refused key that no error answers": (
        [("providers/parrot", "wrong-region, expired-key]", "wrong-region]")],
        ("chat", "contract:", "check 'auth' can end in 'expired-key', and no error answers it"),
    ),
    "a kind of token that no error answers": (
        [("providers/parrot", "short_term: null}", "short_term: null, refused_kinds: {old: old-key}}")],
        ("chat", "contract:", "check 'auth' can end in 'old-key', and no error answers it"),
    ),
    "a quota that no error answers": (
        [
            (
                "providers/parrot",
                "errors:\n",
                "quotas: [{id: many, counts: requests, window_seconds: 60, limit: 9, condition: too-many, source: {text: a guess, sure: guess}}]\nerrors:\n",
            ),
            ("providers/parrot", "model, cap]", "model, cap, quota]"),
        ],
        ("chat", "contract:", "check 'quota' can end in 'too-many', and no error answers it"),
    ),
    "a sum of money that no error answers": (
        [
            (
                "providers/parrot",
                "errors:\n",
                "quotas: [{id: seeds, counts: cost, window_seconds: null, condition: no-seeds, source: {text: a guess, sure: guess}}]\nerrors:\n",
            ),
            ("providers/parrot", "model, cap]", "model, cap, funds]"),
        ],
        ("chat", "contract:", "check 'funds' can end in 'no-seeds', and no error answers it"),
    ),
    "a quota of a contract that the provider has not": (
        [("chat", "\nrequest:", "\nquotas: {many: all}\nrequest:")],
        ("chat", "quotas:", "the provider has no quota 'many'; there are none"),
    ),
    # Cards
    "a seller that nobody is": (
        [("cards/parrot_mini", "  parrot:  ", "  parott:  ")],
        ("cards/parrot_mini", "parott:", "no provider sells as 'parott'; there are parrot"),
    ),
    "an id at a provider that there is not": (
        [("cards/parrot_mini", "ids: {parrot: parrot-mini}", "ids: {parrot: parrot-mini, mock: x}")],
        ("cards/parrot_mini", "mock: x", "no provider 'mock'; there are parrot"),
    ),
    # Rules
    "a check that there is not": (
        [("chat", "check: sum ", "check: summ ")],
        ("chat", "usage-adds-up:", "rule usage-adds-up: no check 'summ'; there are absent, alike, answered, "),
    ),
    "a value that the check does not take": (
        [("chat", "with: {total: ", "with: {totall: ")],
        ("chat", "usage-adds-up:", "rule usage-adds-up: check sum: missing a required argument: 'total'"),
    ),
    "a value too many": (
        [("chat", "with: {error: too-much-seen}", "with: {error: too-much-seen, soon: true}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: check refused_with: got an unexpected keyword argument 'soon'"),
    ),
    "a pointer that is none": (
        [("chat", "with: {total: /body/usage/total_tokens", "with: {total: usage/total_tokens")],
        ("chat", "usage-adds-up:", "rule usage-adds-up: total: expected a JSON pointer, '' or one that begins with /, got "),
    ),
    "a pointer in a list that is none": (
        [("chat", "parts: [/body/usage/prompt_tokens,", "parts: [usage.prompt_tokens,")],
        ("chat", "usage-adds-up:", "rule usage-adds-up: parts: expected a JSON pointer, '' or one that begins with /, got "),
    ),
    "a step that the probe does not have": (
        [("chat", "with: {error: too-much-seen}", "with: {error: too-much-seen, step: again}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: probe above-cap has no step 'again'; there are ask"),
    ),
    "an event that the stream does not have": (
        [("chat_stream", "rules:\n", "rules:\n  ends: {area: stream, level: must, text: 'It ends, at last.', source: {text: a guess, sure: guess}, probe: greets, check: ends_with, with: {event: bye}, broken_by: [{exchange: {drop: -1}}]}\n")],
        ("chat_stream", "  ends:", "rule ends: no event 'bye'; there are chunk, error"),
    ),
    "a pattern of a rule that is none": (
        [("chat", "check: refused_with\n    with: {error: too-much-seen}", "check: header_matches\n    with: {name: x-feathers, pattern: '('}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: pattern: expected a regular expression, got '('"),
    ),
    "an error that there is not": (
        [("chat", "with: {error: too-much-seen}", "with: {error: too-many-seen}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: no error 'too-many-seen'"),
    ),
    "a claim that cards do not make": (
        [("chat", "needs: {claim: max_output}", "needs: {claim: max_outptu}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: needs claim: cards make no claim 'max_outptu'; there are apis, "),
    ),
    "a capability that cards do not offer": (
        [("chat", "needs: {claim: max_output}", "needs: {offers: tool}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: needs offers: cards make no claim 'tool'; there are "),
    ),
    "a kind of capability that there is not": (
        [("chat", "needs: {claim: max_output}", "needs: {lacks: inputs:image}")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: needs lacks: expected one of input, output, tier, region, endpoint, api before the colon, got 'inputs:image'"),
    ),
    "a counterexample with an exchange that there is not": (
        [("chat", "broken_by: [{skip: [cap]}]", "broken_by: [{instead: helo}]")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: no exchange 'helo'"),
    ),
    "a counterexample with an error that there is not": (
        [("chat", "broken_by: [{skip: [cap]}]", "broken_by: [{refuse: nobody}]")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: no error 'nobody'"),
    ),
    "a counterexample that skips what is not checked": (
        [("chat", "broken_by: [{skip: [cap]}]", "broken_by: [{skip: [media]}]")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: skips 'media', which is not checked here"),
    ),
    "a rule that falls with it and is none": (
        [("chat", "also: [above-cap-is-refused]", "also: [above-cap-is-broken]")],
        ("chat", "too-much-is-413:", "rule too-much-is-413: also names 'above-cap-is-broken', which is no rule here"),
    ),
    "what falls with an implied rule and is none": (
        [("chat_stream", "also: {order: [usage-given]}", "also: {order: [usage-taken]}")],
        ("chat_stream", "also: {", "also: 'usage-taken' is no rule here that could be broken"),
    ),
    "an implied rule that there is not": (
        [("chat_stream", "also: {order: [usage-given]}", "also: {disorder: [usage-given]}")],
        ("chat_stream", "also: {", "also: 'disorder' is no rule here that could be broken"),
    ),
    # Probes
    "an error that a probe expects in vain": (
        [("chat", "expect: {error: too-hot}", "expect: {error: too-cold}")],
        ("chat", "      ask:", "probe feverish, step ask: no error 'too-cold'"),
    ),
    "another contract that there is not": (
        [("chat", "        expect: {error: too-hot}", "        expect: {error: too-hot}\n        contract: parrot/sing")],
        ("chat", "      ask:", "probe feverish, step ask: no contract 'parrot/sing'"),
    ),
    "an earlier step that there is not": (
        [("chat", "messages: [{role: user, text: Hello}]", "messages: [{answered: greet}, {role: user, text: Hello}]")],
        ("chat", "      ask:", "probe feverish, step ask: no earlier step 'greet'; there are none"),
    ),
    "a later step that is taken from": (
        [("chat", "patch: {temperature: 3}", "patch: {temperature: 3, model: {$from: ask, $at: /body/model}}")],
        ("chat", "      ask:", "probe feverish, step ask: no earlier step 'ask'; there are none"),
    ),
    "a claim in a turn that cards do not make": (
        [("chat", "text: Hello}], max_tokens: 16}", "text: Hello}], max_tokens: {claim: max}}")],
        ("chat", "      ask:", "probe feverish, step ask: cards make no claim 'max'; there are "),
    ),
    "a key that the provider does not have": (
        [("chat", "patch: {temperature: 3}", "patch: {temperature: 3}\n        auth: expired #")],
        ("chat", "      ask:", "probe feverish, step ask: the provider's key has no 'expired' one under `wrong`"),
    ),
    "a turn without a dialect": (
        [("chat", "dialect: chat ", "# ")],
        ("chat", "      ask:", "probe feverish, step ask: parrot/chat has no dialect to put a turn into"),
    ),
    "two bodies": (
        [("chat", "patch: {temperature: 3}", "body: {temperature: 3}")],
        ("chat", "      ask:", "probe feverish, step ask: expected one of turn, body, text, got body, turn"),
    ),
    # Worked examples
    "an example at another path": (
        [("chat", "target: /chat\n", "target: /chats\n")],
        ("chat", "  hello:", "exchange hello breaks its contract: its target '/chats' is no path of the contract"),
    ),
    "an example whose request breaks the shape": (
        [("chat", "content: Hello Polly}]}", "content: Hello Polly}], max_tokens: 0}")],
        ("chat", "  hello:", "exchange hello breaks its contract: /max_tokens: expected at least 1, got 0"),
    ),
    "an example with an unknown member": (
        [("chat", "content: Hello Polly}]}", "content: Hello Polly}], seeds: 0}")],
        ("chat", "  hello:", "exchange hello breaks its contract: /seeds: expected no such member, got 0"),
    ),
    "an example whose response breaks the shape": (
        [("chat", "        object: chat\n", "        object: talk\n")],
        ("chat", "  hello:", 'exchange hello breaks its contract: /body/object: expected "chat", got "talk"'),
    ),
    "an example whose headers break the shape": (
        [("chat", "headers: {X-Feathers: green}\n", "headers: {X-Feathers: Green}\n")],
        ("chat", "  hello:", 'exchange hello breaks its contract: /headers/x-feathers: expected text that matches ^[a-z]+$, got "Green"'),
    ),
    "an example of another content type": (
        [("chat", "headers: {X-Feathers: green}\n", "headers: {x-feathers: green, content-type: text/html}\n")],
        ("chat", "  hello:", 'exchange hello breaks its contract: /headers/content-type: expected application/json, got "text/html"'),
    ),
    "an example with a status of nobody": (
        [("chat", "    response:\n      status: 200", "    response:\n      status: 418")],
        ("chat", "  hello:", "exchange hello breaks its contract: no answer and no error of the contract has status 418"),
    ),
    "an example whose events break the order": (
        [("chat_stream", "  order: chunk+ ", "  order: chunk "), ],
        ("chat_stream", "  hello:", 'exchange hello breaks its contract: /events/1: expected the end, got "chunk"'),
    ),
    "an example whose event breaks the shape": (
        [("chat_stream", "object: chunk, choices: [{index: 0, delta: {}", "object: chnk, choices: [{index: 0, delta: {}")],
        ("chat_stream", "  hello:", 'exchange hello breaks its contract: /events/1/object: expected "chunk", got "chnk"'),
    ),
    "an example that varies where nothing is": (
        [("chat", "varies: {/body/id: id, ", "varies: {/body/ident: id, ")],
        ("chat", "  hello:", "exchange hello breaks its contract: varies: nothing stands at /body/ident"),
    ),
    "an example that varies a header that nobody sends": (
        [("chat", "varies: {/body/id: id, ", "varies: {/headers/X-Beak: id, ")],
        ("chat", "  hello:", "exchange hello breaks its contract: varies: nothing stands at /headers/X-Beak"),
    ),
    "an example that `when` takes away": (
        [("chat", "content: Hello Polly}]}", "content: Hello Polly}], stream: true}")],
        ("chat", "  hello:", "exchange hello breaks its contract: its request is one of parrot/chat-stream, whose request.when it fits"),
    ),
    "an example that does not fit `when`": (
        [("chat_stream", "content: Hello Polly}], stream: true}", "content: Hello Polly}]}")],
        ("chat_stream", "  hello:", "exchange hello breaks its contract: its request's body does not fit request.when"),
    ),
    # Contracts beside each other
    "two contracts that nothing tells apart": (
        [("chat_stream", "  when: {required: [stream], properties: {stream: {const: true}}}", "  model: {body: /model}")],
        ("chat_stream", "request:", "POST /chat is parrot/chat too: one of them needs request.when"),
    ),
}  # fmt: skip


def found(example: Example) -> list[str]:
    return list(problems(example.load()))


@pytest.mark.parametrize(("changes", "problem"), PROBLEMS.values(), ids=list(PROBLEMS))
def test_a_problem_is_found_with_file_and_line(
    example: Example, changes: list[Change], problem: tuple[str, str, str]
) -> None:
    for change in changes:
        example.change(*change)
    file, text, says = problem
    expected = f"{example.path(file)}:{example.line(file, text)}: {says.format(folder=example.folder.resolve()) if '{folder}' in says else says}"
    said = found(example)
    assert any(each.startswith(expected) for each in said), f"expected {expected}\ngot " + "\n    ".join(said)


def test_the_example_has_no_problem(example: Example) -> None:
    assert found(example) == []


def test_the_shipped_specs_have_no_problem() -> None:
    assert list(problems(SHIPPED)) == []


def test_two_models_of_one_name_are_a_problem(example: Example) -> None:
    twin = example.path("cards/twin")
    text = example.path("cards/parrot_mini").read_text(encoding="utf-8")
    twin.write_text(
        text.replace("model: parrot-mini", "model: parrot-maxi").replace(
            "{parrot: parrot-mini}", "{parrot: POLLY}"
        )
    )
    assert found(example) == [
        f"{twin}:{example.line('cards/twin', 'ids:')}: 'polly' is the name of 'parrot-mini' at parrot too"
    ]


def test_a_rule_that_is_not_checked_is_no_problem_whatever_it_names(example: Example) -> None:
    example.change("chat", "    not_checked: the wire", "    check: telepathy\n    not_checked: the wire")
    assert found(example) == []


def test_a_problem_of_what_is_inherited_stands_where_it_is_said_and_names_who_inherits(
    example: Example,
) -> None:
    example.change("chat_stream", "rules:\n", "errors: {too-hot: null}\nrules:\n")
    rule, step = example.line("chat", "  too-hot-is-422:"), example.line("chat", "      ask:")
    assert found(example) == [
        f"{example.path('chat')}:{rule}: rule too-hot-is-422: no error 'too-hot' (in parrot/chat-stream)",
        f"{example.path('chat')}:{step}: probe feverish, step ask: no error 'too-hot' (in parrot/chat-stream)",
    ]


def test_a_problem_is_told_once(example: Example) -> None:
    example.change("shapes/parrot", "stream: {type: boolean}", "stream: {type: bool}")
    assert len(found(example)) == 1


# The command


def test_lint_prints_problems_and_exits_with_1(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example.change("chat", "check: sum ", "check: summ ")
    assert main(["lint", str(example.folder)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(
        f"{example.path('chat')}:{example.line('chat', 'usage-adds-up:')}: rule usage-adds-up: no check"
    )


def test_lint_says_how_much_was_looked_at_and_exits_with_0(
    example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", str(example.folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(": no problem")


def test_lint_of_a_folder_without_specs_is_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", str(tmp_path)]) != 0
    out, err = capsys.readouterr()
    assert f"expected a folder with some of {', '.join(f'{kind}/' for kind in KINDS)} in it" in out + err


# A contract as it is read


def without_references(value: Any) -> Any:
    """The value without its $refs, which are absolute once a contract is loaded and readable where it is shown."""
    if isinstance(value, dict):
        return {name: without_references(each) for name, each in value.items() if name != "$ref"}
    return [without_references(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", sorted(SHIPPED.contracts))
def test_a_shown_contract_is_yaml_that_says_what_the_contract_says(name: str) -> None:
    contract = SHIPPED.contracts[name]
    read = yaml.load("\n".join(shown(contract)), yaml.CSafeLoader)
    assert set(read) >= set(contract.said)
    for section in set(contract.said) - {"auth", "checks", "errors", "request", "response"}:
        assert without_references(read[section]) == without_references(contract.said[section])
    if contract.provider is not None:
        assert read["checks"] == list(contract.checks)
        assert {key for key, value in read["errors"].items() if value} == set(contract.failures)


def test_text_of_several_lines_is_shown_on_one(example: Example) -> None:
    example.change(
        "chat", "summary: One turn of a conversation.", "summary: |\n  One turn.\n\n  Of a 'conversation'."
    )
    specs = example.load()
    lines = list(shown(specs.contracts["parrot/chat"]))
    summary = specs.contracts["parrot/chat"].said["summary"]
    assert (
        yaml.load("\n".join(lines), yaml.CSafeLoader)["summary"]
        == summary
        == "One turn.\n\nOf a 'conversation'.\n"
    )
    assert all("  # " in line for line in lines)


def test_each_shown_line_has_the_file_and_line_that_says_it(example: Example) -> None:
    specs = example.load()
    lines = list(shown(specs.contracts["parrot/chat-stream"], [str(example.folder)]))

    def origin(text: str) -> str:
        return next(line.rsplit("# ", 1)[1] for line in lines if line.strip().startswith(text))

    folder = example.folder
    assert (
        origin("order: chunk+")
        == f"{folder}/contracts/chat_stream.yaml:{example.line('chat_stream', 'order: chunk')}"
    )
    assert origin("dialect: chat") == f"{folder}/contracts/chat.yaml:{example.line('chat', 'dialect: chat')}"
    assert (
        origin("throttling:")
        == f"{folder}/providers/parrot.yaml:{example.line('providers/parrot', 'throttling:')}"
    )
    assert origin("too-hot:") == f"{folder}/contracts/chat.yaml:{example.line('chat', 'too-hot:')}"
    assert "common/generate.yaml:" in origin("arguments-fit:")
    assert not any("spec://" in line for line in lines)


def test_show_prints_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "bedrock-runtime/converse"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("contract: bedrock-runtime/converse ")
    assert first.endswith("# contracts/bedrock_runtime/converse.yaml:1")


def test_show_of_an_unknown_contract_names_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "bedrock-runtime/convers"]) == 2
    assert (
        "no contract 'bedrock-runtime/convers'; closest: bedrock-runtime/converse" in capsys.readouterr().err
    )
    assert main(["show", "convers"]) == 2
    assert "; closest: bedrock-runtime/converse, " in capsys.readouterr().err
    assert main(["show", "nope"]) == 2
    [said] = re.findall("no contract 'nope'; closest: (\\S+) ", capsys.readouterr().err)
    assert said in SHIPPED.contracts


def test_show_list_names_every_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SHIPPED.contracts)
