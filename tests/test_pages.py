"""What a browser is given: Puter's library from the user's folder, the sign-in page, and leave to read every answer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import urllib3

from conformance.exchange import Request
from conformance.loading import Specs, load
from mockserver.browser.pages import NoLibrary, find_library, library, sign_in
from mockserver.embedded import Running, start
from mockserver.provider import Servers

CODE = "(()=>{globalThis.PUTER_API_ORIGIN||0})(); // Grüße\n"
"""Nobody's library, with what tells a library: the name by which it finds its API."""

PAGE = {"Origin": "http://app.example"}
PATIENCE = 60
"""Seconds after which a program hangs."""


@pytest.fixture(scope="module")
def specs() -> Specs:
    return load()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the package."""
    project = tmp_path_factory.mktemp("project")
    code = project / "node_modules/@heyputer/puter.js/dist/puter.cjs"
    code.parent.mkdir(parents=True)
    code.write_text(CODE, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def running(package: Path) -> Iterator[Running]:
    mock = start(auth="strict", puter_js=package)
    yield mock
    mock.stop()


@pytest.fixture(scope="module")
def bare() -> Iterator[Running]:
    mock = start(auth="strict")
    yield mock
    mock.stop()


def get(address: str, method: str = "GET", **options: Any) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(ca_certs=options.pop("ca", None)) as pool:
        return pool.request(method, address, **options)


# The library


@pytest.mark.parametrize(
    "where",
    [
        ".",
        "node_modules/@heyputer/puter.js",
        "node_modules/@heyputer/puter.js/dist/puter.cjs",
    ],
)
def test_the_library_is_found_in_a_project_a_package_and_as_a_file(
    package: Path, specs: Specs, where: str
) -> None:
    assert find_library(package / where, specs) == (CODE.encode(), "/v2/")


@pytest.mark.parametrize("name", ["nowhere", "empty", "other.js"])
def test_what_is_no_library_is_told_with_what_to_install(tmp_path: Path, specs: Specs, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.js").write_text("alert(1)")
    with pytest.raises(NoLibrary, match=r"expected the npm package @heyputer/puter\.js.*") as caught:
        find_library(tmp_path / name, specs)
    assert str(tmp_path / name) in str(caught.value)


def test_the_command_line_tells_a_wrong_folder_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).parent / "mockserver",
            "--port",
            "0",
            "--tls-port",
            "0",
            "--puter-js",
            "nowhere",
        ],
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("mockserver: expected the npm package @heyputer/puter.js")
    assert line.endswith("To have it: npm install @heyputer/puter.js")


def test_the_command_line_takes_the_folder_from_the_environment(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "mockserver", "--port", "0", "--tls-port", "0"],
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        timeout=PATIENCE,
        env={"MOCK_PUTER_JS": "nowhere", "PATH": ""},
    )
    assert "got nowhere: there is no such folder or file" in done.stderr


def test_the_library_is_served_byte_for_byte_after_our_own_lines(running: Running) -> None:
    answer = get(f"{running.http}/v2/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    ours, _, theirs = answer.data.partition(b"})();\n")
    assert theirs.decode() == CODE
    assert ours.startswith(b"// Set by mockserver")
    assert running.info["puter_js"] == f"{running.http}/v2/"


@pytest.mark.parametrize(
    ("page", "script", "api", "gui"),
    [
        (
            "http://app.example/",
            "http://127.0.0.1:4010/v2/",
            "http://127.0.0.1:4010",
            "http://127.0.0.1:4010",
        ),
        (
            "http://app.example/",
            "http://127.0.0.1:4010/puter/v2/",
            "http://127.0.0.1:4010/puter",
            "http://127.0.0.1:4010",
        ),
        ("http://app.example/", "https://h:4443/~a/v2", "https://h:4443/~a", "https://h:4443"),
        ("https://app.example/", None, "https://asked.example", "https://asked.example"),
        ("file:///page.html", None, "http://asked.example", "http://asked.example"),
        ("http://app.example/", "https://js.puter.com/v2/", None, None),
    ],
)
def test_the_library_learns_its_addresses_from_where_it_came(
    specs: Specs, page: str, script: str | None, api: str | None, gui: str | None
) -> None:
    settings = specs.contracts["puter/library"].response["made_by"]["settings"]
    code = library(CODE.encode(), settings, Request("GET", "/v2/?a", (("Host", "asked.example"),)))
    world = f"""
        globalThis.location = new URL({json.dumps(page)});
        globalThis.document = {{ currentScript: {json.dumps(script and {"src": script})} }};
        require('node:vm').runInThisContext({json.dumps(code)});
        console.log(JSON.stringify([globalThis.PUTER_API_ORIGIN ?? null, globalThis.PUTER_ORIGIN ?? null]));
    """
    node = shutil.which("node") or pytest.fail(
        "expected `node` on PATH, found none; install Node 20 or newer"
    )
    done = subprocess.run([node, "-e", world], capture_output=True, encoding="utf-8", timeout=PATIENCE)
    assert json.loads(done.stdout or done.stderr) == [api, gui]


def test_without_a_library_the_mock_says_how_to_give_it_one(bare: Running) -> None:
    answer = get(f"{bare.http}/v2/", headers=PAGE)
    assert answer.status == 501
    assert "--puter-js PATH" in answer.json()["message"]
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert "puter_js" not in bare.info


def test_the_fixture_serves_the_library_that_the_environment_names(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCK_PUTER_JS", str(package))
    servers = Servers()
    try:
        provider = servers.provider("a test with a page")
        assert provider.info["puter_js"] == f"{provider.url()}/v2/"
        assert get(provider.info["puter_js"]).data.decode().endswith(CODE)
    finally:
        servers.stop()


# The sign-in page


class Scripts(HTMLParser):
    """The text of a page's scripts, as a browser cuts it out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def settings_in(page: str) -> Any:
    (script,) = Scripts(page).found
    found = re.search(r"^const settings = (\{.*\});$", script, re.MULTILINE)
    assert found is not None
    return json.loads(found[1])


def test_the_page_has_a_token_for_each_account_that_the_mock_knows(running: Running) -> None:
    page = get(f"{running.http}/action/sign-in?msg_id=1").data.decode()
    accounts = settings_in(page)["accounts"]
    assert {each["kind"]: each["token"] for each in accounts} == {
        each["kind"]: running.info["puter_tokens"][each["kind"]] for each in accounts
    }
    assert accounts[0]["kind"] == "app"


def test_no_text_ends_the_script_of_the_page() -> None:
    text = "</script><!--<script>&\u2028"
    page = sign_in({"token": "app"}, {"accounts": [{"kind": "app", "text": text}]})
    assert settings_in(page)["accounts"][0]["text"] == text


def test_the_page_lets_nobody_frame_it_and_loads_nothing_from_elsewhere(running: Running) -> None:
    answer = get(f"{running.http}/action/sign-in")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert re.findall(r"https?://|src=", answer.data.decode()) == []


# A token for a page that is isolated


def test_a_token_is_fetched_once_by_who_knows_the_session(running: Running) -> None:
    left = {"session": "3f0c", "auth_token": "token"}
    assert get(f"{running.http}/login/set", "POST", json=left).status == 200
    fetched = get(f"{running.http}/login/wait", "POST", json={"session": "3f0c"})
    assert (fetched.status, fetched.json()) == (200, {"auth_token": "token"})


@pytest.mark.parametrize("body", [{}, {"session": 7}, {"session": "x" * 2000}, [], None])
def test_who_names_no_session_gets_no_token(running: Running, body: Any) -> None:
    answer = get(f"{running.http}/login/wait", "POST", json=body)
    assert (answer.status, answer.json()["code"]) == (404, "not_found")


# Leave to read


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/version", 200),
        ("GET", "/whoami", 401),
        ("POST", "/drivers/call", 401),
        ("GET", "/puter/no/such/path", 404),
        ("PUT", "/whoami", 404),
        ("GET", "/no/such/path", 404),
        ("GET", "/action/sign-in", 200),
        ("GET", "/v2/", 200),
        ("GET", "/socket.io/?EIO=4&transport=polling", 200),
        ("GET", "/socket.io/?EIO=4&transport=pigeon", 400),
        ("POST", "/login/set", 200),
        ("OPTIONS", "/drivers/call", 200),
        ("OPTIONS", "/puter/no/such/path", 200),
    ],
)
def test_a_page_may_read_every_answer_and_is_told_what_it_is(
    running: Running, scheme: str, method: str, path: str, status: int
) -> None:
    answer = get(running.info[scheme] + path, method, headers=PAGE, ca=str(running.ca))
    assert answer.status == status
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert "Origin" in answer.headers["Vary"]
    assert answer.headers["Content-Type"]


def test_a_page_may_ask_for_a_path_that_nobody_serves_and_read_that_nobody_does(running: Running) -> None:
    wants = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-of-mine"}
    answer = get(f"{running.http}/no/such/path", "OPTIONS", headers={**PAGE, **wants})
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert answer.headers["Access-Control-Allow-Headers"] == "x-of-mine"
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
def test_a_page_may_read_of_a_fault_of_the_mock(
    running: Running, monkeypatch: pytest.MonkeyPatch, http2: bool
) -> None:
    import httpx2

    def broken(*_: Any) -> Any:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("mockserver.answer.route", broken)
    with httpx2.Client(http1=not http2, http2=http2, trust_env=False) as client:
        answer = client.get(f"{running.http}/whoami", headers=PAGE)
    assert (answer.http_version, answer.status_code) == ("HTTP/2" if http2 else "HTTP/1.1", 500)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
