"""What is printed for a shell is read by that shell, where one is there to read it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mockserver.environment import (
    SHELLS,
    NotRunning,
    describe,
    export,
    forget_ended,
    puter_code,
    unset,
    variables,
)

INFO: dict[str, Any] = {
    "http": "http://127.0.0.1:4010",
    "https": "https://127.0.0.1:4443",
    "ca": "/home/it's me/$HOME `x` #1/ca.pem",
    "bundle": "/home/it's me/$HOME `x` #1/ca-bundle.pem",
    "node_ca": "/home/it's me/$HOME `x` #1/ca-extra.pem",
    "bearer": "ABSKabc+/==",
    "aws_access_key_id": "AKIA",
    "aws_secret_access_key": "se/cr+et=",
    "bedrock_path": "/v1",
    "puter_token": "ey.J.w-_",
}
SERVICES = ("AWS_", "OPENAI_", "PUTER_")
EVERYBODYS = {"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"}


@pytest.mark.parametrize("sigv4", [False, True])
def test_only_variables_of_these_services_are_set(sigv4: bool) -> None:
    names = set(variables(INFO, sigv4=sigv4))
    assert {name for name in names - EVERYBODYS if not name.startswith(SERVICES)} == set()
    assert not names & {"AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"}


def test_the_bearer_key_and_the_access_key_are_never_given_together() -> None:
    plain, signed = variables(INFO), variables(INFO, sigv4=True)
    assert plain["AWS_BEARER_TOKEN_BEDROCK"] == INFO["bearer"]
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(plain)
    assert signed["AWS_BEARER_TOKEN_BEDROCK"] is None
    assert (signed["AWS_ACCESS_KEY_ID"], signed["AWS_SECRET_ACCESS_KEY"]) == ("AKIA", "se/cr+et=")


def test_boto3_is_sent_to_https_and_node_gets_what_it_adds_to_its_roots() -> None:
    found = variables(INFO)
    assert found["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == INFO["https"]
    assert found["AWS_ENDPOINT_URL_BEDROCK"] == INFO["https"]
    assert found["AWS_CA_BUNDLE"] == found["SSL_CERT_FILE"] == INFO["bundle"]
    assert found["NODE_EXTRA_CA_CERTS"] == INFO["node_ca"]


def in_sh(script: str, **environment: str) -> dict[str, str]:
    """The environment after `script`, as a program that sh starts sees it."""
    done = subprocess.run(
        ["sh", "-euc", f"{script}\nenv -0"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


@pytest.mark.parametrize("sigv4", [False, True])
def test_sh_reads_what_is_printed_for_it(sigv4: bool) -> None:
    wanted = variables(INFO, sigv4=sigv4)
    found = in_sh(export(wanted, "sh"), AWS_BEARER_TOKEN_BEDROCK="old", AWS_SESSION_TOKEN="old")
    assert {name: found.get(name) for name in wanted} == wanted


def test_sh_forgets_all_of_it_again() -> None:
    both = variables(INFO) | variables(INFO, sigv4=True)
    script = export(both, "sh") + export(variables(INFO), "sh") + export(unset(), "sh")
    assert set(in_sh(script, AWS_SESSION_TOKEN="theirs", KEPT="1")) & {*both, "KEPT"} == {"KEPT"}
    assert in_sh(export(unset(), "sh"), AWS_SESSION_TOKEN="theirs")["AWS_SESSION_TOKEN"] == "theirs"


def test_json_holds_null_for_what_must_not_be_set() -> None:
    assert json.loads(export(variables(INFO, sigv4=True), "json")) == variables(INFO, sigv4=True)


@pytest.mark.parametrize("sigv4", [False, True])
def test_node_reads_the_dotenv_file(sigv4: bool, tmp_path: Path) -> None:
    wanted = variables(INFO, sigv4=sigv4)
    (tmp_path / ".env").write_text(export(wanted, "dotenv"))
    done = subprocess.run(
        ["node", f"--env-file={tmp_path / '.env'}", "-e", "console.log(JSON.stringify(process.env))"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert {name: found.get(name) for name in wanted} == wanted


def test_a_plain_value_has_no_quotes_in_a_dotenv_file() -> None:
    assert "AWS_BEARER_TOKEN_BEDROCK=ABSKabc+/==\n" in export(variables(INFO), "dotenv")


# No shell of these is at hand everywhere: their manuals say how a text is quoted.
@pytest.mark.parametrize(
    ("shell", "value", "line"),
    [
        ("fish", "it's $HOME \\ x", "set -gx A 'it\\'s $HOME \\\\ x'\n"),
        ("fish", None, "set -e A\n"),
        ("powershell", "it's $HOME", "$env:A = 'it''s $HOME'\n"),
        ("powershell", None, "Remove-Item Env:A -ErrorAction SilentlyContinue\n"),
        ("dotenv", None, ""),
    ],
)
def test_other_shells_have_their_own_quotes(shell: str, value: str | None, line: str) -> None:
    assert export({"A": value}, shell) == line


def test_an_unknown_shell_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of sh, fish, powershell, dotenv, json, got 'cmd'"):
        export({}, "cmd")
    assert all(export({"A": "1"}, shell) for shell in SHELLS)


def test_node_runs_the_lines_for_puter() -> None:
    says = (
        "const said = []; const puter = {setAPIOrigin: x => said.push(x), setAuthToken: x => said.push(x)};"
    )
    script = f"{says}\n{puter_code(INFO)}\nconsole.log(JSON.stringify(said))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [INFO["http"], INFO["puter_token"]]


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_without_a_mock_it_says_what_it_looked_for(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "mock.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(NotRunning, match=str(path)):
        describe(tmp_path)


def test_a_mock_that_has_ended_is_told_and_forgotten_but_a_running_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "mock.json"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        path.write_text(json.dumps({"http": address}))
        assert describe(tmp_path)["http"] == address
        forget_ended(tmp_path)
        assert path.exists()
    with pytest.raises(NotRunning, match=f"says {address}, and nothing answers there"):
        describe(tmp_path)
    forget_ended(tmp_path)
    assert not path.exists()


def test_this_machine_is_asked_past_proxies_and_so_is_whoever_was() -> None:
    from mockserver.environment import past_proxies

    assert past_proxies({}) == {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    assert past_proxies({"NO_PROXY": "intern.example"})["no_proxy"] == "intern.example,127.0.0.1"
    assert past_proxies({"no_proxy": "*"})["NO_PROXY"] == "*"
