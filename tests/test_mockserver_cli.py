"""`mockserver` as people start it: a process with signals, ports, files and an exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3

from mockserver.cli import main
from mockserver.embedded import start

ROOT = Path(__file__).resolve().parent.parent
MOCKSERVER = [sys.executable, "-m", "mockserver"]
ANY_PORTS = ("--port", "0", "--tls-port", "0")
PATIENCE = 60
CLEAN = {
    **{
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "OPENAI_", "PUTER_", "SSL_", "NODE_"))
    },
    "PYTHONPATH": str(ROOT),
}


def mockserver(*arguments: str, cwd: Path, env: dict[str, str] = CLEAN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MOCKSERVER, *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@contextmanager
def serving(
    cwd: Path, *arguments: str, under: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A mock that is ready, and the line that it printed then; `under` is a command that starts it."""
    with subprocess.Popen(
        [*under, *MOCKSERVER, *arguments],
        cwd=cwd,
        env=CLEAN,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code and what else was printed."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


# ---- serving


def test_it_prints_one_line_when_it_is_ready_and_mock_json_says_the_same(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS, "--auth", "strict", "--reality", "observed") as (process, line):
        path = tmp_path / ".mockserver" / "mock.json"
        info = read(path)
        assert line == (
            f"mockserver ready: {info['http']} {info['https']} (auth strict, reality observed) "
            "-- `mockserver env` prints what to export\n"
        )
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE((path.parent / "keys.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((path.parent / "ca.key").stat().st_mode) == 0o600
        assert info["pid"] == process.pid
        with urllib3.PoolManager(ca_certs=info["ca"]) as pool:
            for address in (info["http"], info["https"]):
                assert pool.request("GET", f"{address}/_mock/info").json() == info
        process.terminate()
        assert finished(process) == (0, "", "")
        assert not path.exists()


def test_mock_json_holds_what_others_build_on(tmp_path: Path) -> None:
    running = start(state_dir=tmp_path)
    members = {"http", "https", "ca", "bundle", "node_ca", "bearer"}
    members |= {"aws_access_key_id", "aws_secret_access_key"}
    members |= {"puter_token", "puter_tokens", "puter_funds", "puter_model"}
    members |= {"region", "model", "auth", "reality", "pid", "openai_profile", "bedrock_path"}
    try:
        assert set(running.info) == members
        assert all(running.info.values())
        assert read(tmp_path / "mock.json") == running.info
    finally:
        running.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_though_clients_are_connected(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, *ANY_PORTS) as (process, _):
        info = read(tmp_path / ".mockserver" / "mock.json")
        with urllib3.PoolManager(ca_certs=info["ca"]) as pool:
            for address in (info["http"], info["https"]):
                pool.request("GET", f"{address}/_mock/info")
            with socket.create_connection(("127.0.0.1", int(info["http"].rpartition(":")[2]))):
                process.send_signal(number)
                assert finished(process) == (0, "", "")


@pytest.mark.parametrize(("flag", "scheme"), [("--port", "http"), ("--tls-port", "https")])
def test_a_taken_port_is_one_line_with_the_flag(tmp_path: Path, flag: str, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = mockserver(*ANY_PORTS, flag, port, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        rf"mockserver: cannot serve {scheme} on 127\.0\.0\.1, port {port}: address already in use; "
        rf"choose another with {flag} \(0: any free port\)\n",
        done.stderr,
    )
    assert not (tmp_path / ".mockserver" / "mock.json").exists()


def test_a_failed_start_leaves_the_running_mock_as_it_is(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS):
        path = tmp_path / ".mockserver" / "mock.json"
        before = path.read_text()
        port = before.partition("http://127.0.0.1:")[2].partition('"')[0]
        assert mockserver("--port", port, "--tls-port", "0", cwd=tmp_path).returncode == 1
        assert path.read_text() == before


def test_keys_are_made_once_for_a_state_directory(tmp_path: Path) -> None:
    infos = []
    for _ in range(2):
        running = start(state_dir=tmp_path)
        infos.append(dict(running.info))
        running.stop()
    for name in ("bearer", "aws_access_key_id", "aws_secret_access_key", "puter_token", "puter_tokens"):
        assert infos[0][name] == infos[1][name]
    other = start()
    assert other.info["bearer"] != infos[0]["bearer"]
    other.stop()


def test_the_same_seed_makes_the_same_keys() -> None:
    found = []
    for seed in (1, 1, 2):
        running = start(seed=seed)
        found.append(running.info["bearer"])
        running.stop()
    assert found[0] == found[1] != found[2]


def test_a_mock_that_was_killed_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS) as (process, _):
        process.kill()
    assert (tmp_path / ".mockserver" / "mock.json").exists()
    done = mockserver("env", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing answers there" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mockserver("--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert not (tmp_path / ".mockserver" / "mock.json").exists()


def test_the_line_names_the_state_directory_and_what_is_broken(tmp_path: Path) -> None:
    arguments = ("--state-dir", "else where", "--break", "status", "--seed", "1")
    with serving(tmp_path, *ANY_PORTS, *arguments) as (_, line):
        assert "reality documented, breaking status)" in line
        assert "`mockserver env --state-dir 'else where'`" in line
        assert (tmp_path / "else where" / "mock.json").exists()


def test_broken_makes_it_a_broken_provider_by_name(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS, "--broken", "null", "--broken", "stalls") as (_, line):
        assert "reality documented, breaking null, stalls)" in line
    with serving(tmp_path, *ANY_PORTS, "--broken", "null") as (_, line):
        answered = urllib3.request("GET", line.split()[2] + "/openai/v1/models", retries=False)
        assert (answered.status, answered.data) == (200, b"")


def test_specs_serves_a_broken_provider_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine" / "broken").mkdir(parents=True)
    (tmp_path / "mine" / "broken" / "teapot.yaml").write_text(
        "broken: teapot\ntext: Everything is 418.\noperations: [{exchange: {status: 418}}]\n"
    )
    with serving(tmp_path, *ANY_PORTS, "--specs", "mine", "--broken", "teapot") as (_, line):
        assert urllib3.request("GET", line.split()[2] + "/openai/v1/models", retries=False).status == 418


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--broken", "nul"], "--broken: expected one of always-wrong, "),
        (["--specs", "nowhere"], "--specs: expected a folder of YAML, got nowhere: there is none"),
        (["--host", "no-such-host.invalid"], "; --host takes an address of this machine"),
        (["--host", "fe80::1"], "; --host takes an address of this machine"),
        (
            ["--state-dir", "file"],
            "--state-dir: {here}/file: expected a directory for the mock's state, got a file",
        ),
        (["--state-dir", "x" * 300], "state, it cannot be made (File name too long); choose another place"),
        (
            ["--state-dir", "/proc/x"],
            "mockserver: --state-dir: /proc/x: expected a directory for the mock's state, ",
        ),
    ],
)
def test_what_it_cannot_be_is_one_line_that_says_why(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = mockserver(*ANY_PORTS, *arguments, cwd=tmp_path)
    assert done.returncode in (1, 2) and says.format(here=tmp_path.resolve()) in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--host", "--specs", "--state-dir", "--puter-js"])
def test_an_empty_value_is_no_value(option: str, tmp_path: Path) -> None:
    done = mockserver(*ANY_PORTS, option, "", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith(
        f"argument {option}: expected a value, got an empty one; is a variable not set?\n"
    )


def test_it_takes_more_connections_than_a_shell_allows_files(tmp_path: Path) -> None:
    few = ("sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh")
    with serving(tmp_path, *ANY_PORTS, under=few) as (_, line), ExitStack() as idle:
        address = line.split()[2]
        port = int(address.rpartition(":")[2])
        for _ in range(100):
            idle.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
        # Connections are accepted in their order.
        assert urllib3.request("GET", f"{address}/_mock/info", retries=False).status == 200


def test_who_reads_only_the_beginning_of_env_is_no_error(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS):
        reading, writing = os.pipe()
        os.close(reading)
        env = subprocess.run(
            [*MOCKSERVER, "env"], cwd=tmp_path, env=CLEAN, stdout=writing, stderr=subprocess.PIPE
        )
        os.close(writing)
    assert (env.returncode, env.stderr) == (0, b"")


def test_it_listens_where_it_is_told() -> None:
    running = start(host="0.0.0.0")
    try:
        assert running.http.startswith("http://127.0.0.1:")
        with urllib3.PoolManager(ca_certs=str(running.ca)) as pool:
            assert pool.request("GET", f"{running.https}/_mock/info").status == 200
    finally:
        running.stop()


NOT_AT_START = ("boto3", "botocore", "hypothesis", "moto", "openai", "pytest", "respx", "redis")
IMPORTED = f"""
import sys
from mockserver.embedded import start
running = start()
running.stop()
print(*[name for name in {NOT_AT_START!r} if name in sys.modules])
"""


def test_a_start_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=tmp_path, env=CLEAN, capture_output=True, text=True, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


# ---- embedded


def test_stop_leaves_nothing_behind_and_can_be_called_twice() -> None:
    before = set(threading.enumerate())
    running = start()
    assert running.ca.exists()
    running.stop()
    running.stop()
    assert not running.ca.parent.exists()
    assert set(threading.enumerate()) == before


def test_a_failed_start_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyError, match="no rule 'nobody'"):
        start(broken=["nobody"])
    with pytest.raises(TypeError, match="colour"):
        start(colour="red")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_forgets_to_stop_it_leaves_nothing_behind(tmp_path: Path) -> None:
    forgets = "from mockserver.embedded import start; print(start().http)"
    env = {**CLEAN, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", forgets], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert (done.stdout.startswith("http://"), done.stderr) == (True, "")
    assert list(tmp_path.iterdir()) == []


def test_two_mocks_in_one_state_directory_do_not_take_each_others_mock_json_away(tmp_path: Path) -> None:
    first = start(state_dir=tmp_path)
    second = start(state_dir=tmp_path)
    first.stop()
    assert read(tmp_path / "mock.json") == second.info
    second.stop()
    assert not (tmp_path / "mock.json").exists()


# ---- env


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**CLEAN, "MOCKSERVER": " ".join(MOCKSERVER)}
    return subprocess.run(["sh", "-c", script], cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_what_env_prints_lets_curl_in(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS, "--auth", "strict"):
        for evaluate in ('eval "$($MOCKSERVER env)"', "eval $($MOCKSERVER env)"):
            done = shell(
                f"""{evaluate}
                curl -sS --noproxy '*' -f "$OPENAI_BASE_URL/models" -H "Authorization: Bearer $OPENAI_API_KEY"
                curl -sS --noproxy '*' -o /dev/null --cacert "$AWS_CA_BUNDLE" "$AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
                curl -sS --noproxy '*' -o /dev/null --cacert "$NODE_EXTRA_CA_CERTS" "$AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
                """,
                tmp_path,
            )
            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads(done.stdout)["object"] == "list"


def test_the_code_for_puter_is_a_comment_in_what_env_prints(tmp_path: Path) -> None:
    with serving(tmp_path, *ANY_PORTS):
        printed = mockserver("env", cwd=tmp_path).stdout
        as_json = mockserver("env", "--shell", "json", cwd=tmp_path).stdout
    info = json.loads(as_json)
    assert f'#   puter.setAPIOrigin("{info["PUTER_API_ORIGIN"]}")\n' in printed
    assert f'#   puter.setAuthToken("{info["PUTER_AUTH_TOKEN"]}")\n' in printed


def test_env_takes_another_state_directory_and_sigv4(tmp_path: Path) -> None:
    running = start(state_dir=tmp_path / "state")
    try:
        done = mockserver("env", "--shell", "json", "--sigv4", "--state-dir", "state", cwd=tmp_path)
    finally:
        running.stop()
    assert json.loads(done.stdout)["AWS_ACCESS_KEY_ID"] == running.info["aws_access_key_id"]
    assert json.loads(done.stdout)["AWS_BEARER_TOKEN_BEDROCK"] is None


def test_env_without_a_mock_says_what_to_do(tmp_path: Path) -> None:
    done = mockserver("env", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert ".mockserver/mock.json" in done.stderr
    assert "Start one with `mockserver`, or name its directory with --state-dir." in done.stderr
    assert done.stderr.count("\n") == 1


def test_unset_needs_no_mock(tmp_path: Path) -> None:
    done = shell(
        'OPENAI_API_KEY=x; eval "$($MOCKSERVER env --unset)"; echo "${OPENAI_API_KEY-gone}"', tmp_path
    )
    assert (done.stdout, done.stderr) == ("gone\n", "")


# ---- run


ASKS_LIKE_THE_SEED = """
import boto3
client = boto3.client('bedrock-runtime', region_name='us-east-1')
response = client.converse(
    modelId='mistral.magistral-small-2509',
    messages=[{'role': 'user', 'content': [{'text': 'Can you explain the features of Amazon Bedrock?'}]}],
)
print(response['stopReason'])
"""


@pytest.mark.parametrize("sigv4", [False, True])
def test_run_lets_an_unmodified_program_in(tmp_path: Path, sigv4: bool) -> None:
    (tmp_path / "app.py").write_text(ASKS_LIKE_THE_SEED)
    options = ("--auth", "strict", *(["--sigv4"] if sigv4 else []))
    stale = {"AWS_BEARER_TOKEN_BEDROCK": "theirs", "AWS_SESSION_TOKEN": "theirs"} if sigv4 else {}
    done = mockserver("run", *options, "--", sys.executable, "app.py", cwd=tmp_path, env={**CLEAN, **stale})
    assert (done.returncode, done.stdout) == (0, "end_turn\n"), done.stderr
    assert done.stderr == "mockserver: asked and refused\n    1  bedrock-runtime/converse\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.py"]


def test_run_names_a_region_only_where_the_user_does_not(tmp_path: Path) -> None:
    def regions(**said: str) -> str:
        asks = 'echo "$AWS_REGION $AWS_DEFAULT_REGION"'
        environment = {name: value for name, value in CLEAN.items() if not name.startswith("AWS_")}
        environment |= {"AWS_CONFIG_FILE": str(tmp_path / "none"), **said}
        return mockserver("run", "--", "sh", "-c", asks, cwd=tmp_path, env=environment).stdout.strip()

    assert regions() == "us-east-1 us-east-1"
    assert regions(AWS_REGION="eu-west-1") == "eu-west-1 eu-west-1"
    assert regions(AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="sa-east-1") == "eu-west-1 sa-east-1"
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    assert regions(AWS_CONFIG_FILE=str(tmp_path / "config")) == ""


def test_run_says_how_another_seller_s_models_are_answered(tmp_path: Path) -> None:
    body = '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}'
    asks = (
        'curl -sS --noproxy "*" "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" '
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
    done = mockserver("run", "--", "sh", "-c", asks, cwd=tmp_path)
    assert "refused 1: 404 unknown-model" in done.stderr
    assert "--openai-profile says who answers at /v1: " in done.stderr
    done = mockserver("run", "--openai-profile", "openai", "--", "sh", "-c", asks, cwd=tmp_path)
    assert "refused" not in done.stderr.removeprefix("mockserver: asked and refused")
    assert "--openai-profile" not in done.stderr


def test_run_tells_what_was_refused(tmp_path: Path) -> None:
    asks = 'curl -sS --noproxy "*" "$OPENAI_BASE_URL/models"'
    done = mockserver("run", "--", "sh", "-c", asks, cwd=tmp_path)
    assert "bedrock-mantle/models" in done.stderr
    assert "refused 1: 401 missing-credentials" in done.stderr


@pytest.mark.parametrize("command", [["--", "sh", "-c", "exit 7"], ["sh", "-c", "exit 7"]])
def test_run_exits_as_the_command_does(tmp_path: Path, command: Sequence[str]) -> None:
    done = mockserver("run", *command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (7, "mockserver: nothing was asked\n")


def test_run_exits_with_128_and_the_signal_that_ended_the_command(tmp_path: Path) -> None:
    assert mockserver("run", "--", "sh", "-c", "kill -9 $$", cwd=tmp_path).returncode == 137


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("no-such-command", 127, "command not found: no-such-command"),
        ("./data", 126, "cannot run ./data: Perm"),
    ],
)
def test_run_says_that_a_command_cannot_be_run(tmp_path: Path, command: str, code: int, says: str) -> None:
    (tmp_path / "data").write_text("no program")
    done = mockserver("run", "--", command, cwd=tmp_path)
    assert done.returncode == code
    assert f"mockserver run: {says}" in done.stderr
    assert "Traceback" not in done.stderr


TELLS_SIGNALS = """
import signal, sys, time
def tell(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(5)
for name in (signal.SIGINT, signal.SIGTERM):
    signal.signal(name, tell)
print("waiting", flush=True)
while True:
    time.sleep(1)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_passes_signals_on_to_the_command(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*MOCKSERVER, "run", "--", sys.executable, "-c", TELLS_SIGNALS],
        cwd=tmp_path,
        env=CLEAN,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Without a terminal, which would tell the command of Ctrl-C by itself.
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        code, out, _ = finished(process)
    assert (code, out) == (5, f"{number.name}\n")


def test_ctrl_c_at_a_terminal_reaches_the_command_once(tmp_path: Path) -> None:
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        program = TELLS_SIGNALS.replace("    sys.exit(5)\n", "").replace("time.sleep(1)", "input()")
        os.execve(sys.executable, [*MOCKSERVER, "run", "--", sys.executable, "-c", program], CLEAN)
    seen = b""
    while b"waiting" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"\x03")
    while b"SIGINT" not in seen:
        seen += os.read(terminal, 1024)
    # The second signal, if there were one, would be told before the end of its input is seen.
    os.write(terminal, b"\x04")
    while True:
        try:
            more = os.read(terminal, 1024)
        except OSError:
            break
        if not more:
            break
        seen += more
    os.waitpid(child, 0)
    os.close(terminal)
    assert seen.count(b"SIGINT") == 1, seen


# ---- usage


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve"], "expected env, run, or options alone, got 'serve'"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--port", "65536"], "expected a port from 0 to 65535, got '65536'"),
        (["--port", "http"], "expected a port from 0 to 65535, got 'http'"),
        (["--auth", "loose"], "invalid choice: 'loose'"),
        (["env", "--shell", "cmd"], "invalid choice: 'cmd'"),
        (["env", "--unset", "--shell", "dotenv"], "a dotenv file cannot take variables away"),
        (["run"], "expected a command"),
        (["run", "--"], "expected a command"),
        (["run", "python", "--", "app.py"], "expected -- before the command, got 'python' before it"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_an_unknown_rule_to_break_ends_with_2_and_names_the_closest(tmp_path: Path) -> None:
    done = mockserver("--break", "bedrock-runtime/converse:stats", *ANY_PORTS, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("mockserver: --break: no rule 'bedrock-runtime/converse:stats'; closest: ")
    assert "bedrock-runtime/converse:status" in done.stderr
    assert done.stderr.count("\n") == 1


def test_damaged_keys_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / ".mockserver").mkdir()
    (tmp_path / ".mockserver" / "keys.json").write_text("{}")
    done = mockserver(*ANY_PORTS, cwd=tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / ".mockserver" / "keys.json") in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["env", "--help"], ["run", "--help"]])
def test_help_has_examples(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    assert "examples:\n  " in capsys.readouterr().out
