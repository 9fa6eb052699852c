"""What a browser is given to run: Puter's own library from a folder of the user's, and the page that signs in.

The library is never ours: it is read from an installed npm package and sent byte for byte, after a line of
ours that sets, where the page has not, the globals by which it learns its addresses. The sign-in page is
`sign_in.html` beside this file; what it says to the page that opened it stands in the contract.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from conformance.contract import Contract
from conformance.exchange import Request
from conformance.loading import Specs
from mockserver.effects import Fetch, Store, Wait

__all__ = ["NoLibrary", "fetch_token", "find_library", "leave_token", "library", "sign_in"]

TEMPLATE = Path(__file__).with_name("sign_in.html")
SETTINGS = "/* settings */ null"
"""What in the template gives way to what the page has to know."""

KIND = "token"
"""Under which tokens lie that a page has left for another."""

LOOK_SECONDS = 0.1
"""How long it takes at most until a page that waits for a token sees that it is there."""

LEFT_AT_MOST = 1024
"""Characters of a session's name or of a token that are kept."""

ADDRESSES = """\
// Set by mockserver; Puter's own code begins on the next line.
(() => {{
const scheme = globalThis.location?.protocol === "https:" ? "https:" : "http:";
// A module and a worker do not know where their script came from.
const at = new URL(globalThis.document?.currentScript?.src || scheme + {asked});
if ({hosts}.includes(at.hostname)) return;
globalThis[{api}] ??= at.origin + at.pathname.slice(0, at.pathname.lastIndexOf({path}));
globalThis[{gui}] ??= at.origin;
}})();
"""


class NoLibrary(ValueError):
    """Nothing that could be Puter's library lies where the user says; the text says what was looked for."""


def find_library(path: Path, specs: Specs) -> tuple[bytes, str]:
    """The library that lies at `path`, and the path of the contract that serves it. Raises NoLibrary.

    `path` is the file itself, its npm package, or a folder that has it installed.
    """
    contract = next((each for each in specs.contracts.values() if _serves_library(each)), None)
    if contract is None:
        raise NoLibrary("no contract of these specs serves a library to browsers")
    return _read_library(path, contract.response["made_by"]["settings"]), contract.request["paths"][0]


def _serves_library(contract: Contract) -> bool:
    return bool(contract.response.get("made_by", {}).get("name") == "library")


def _read_library(path: Path, settings: Mapping[str, Any]) -> bytes:
    package = f"node_modules/{settings['package']}"
    names = [f"{folder}{name}" for folder in ("", f"{package}/") for name in settings["files"]]
    candidates = [path] if path.is_file() else [path / name for name in names]
    found = next((each for each in candidates if each.is_file()), None)
    expected = f"the npm package {settings['package']}, a folder with it in node_modules, or its file {settings['files'][0]}"
    if found is None:
        why = f"no {settings['files'][0]} in it" if path.is_dir() else "there is no such folder or file"
        raise NoLibrary(
            f"expected {expected}; got {path}: {why}. To have it: npm install {settings['package']}"
        )
    try:
        code = found.read_bytes()
    except OSError as error:
        raise NoLibrary(f"expected {expected}; {found} cannot be read: {error.strerror}") from error
    if settings["global"].encode() not in code:
        raise NoLibrary(f"expected {expected}; {found} does not look like it: no {settings['global']} in it")
    return code


def library(code: bytes, settings: Mapping[str, Any], request: Request) -> str:
    """The library as a page gets it: with the addresses of the mock that it was fetched from."""
    said = {name: json.dumps(settings[name]) for name in ("hosts", "path", "api", "gui")}
    path = request.target.partition("?")[0]
    said["asked"] = json.dumps(f"//{request.header('host') or ''}{path}")
    return ADDRESSES.format(**said) + code.decode("utf-8")


def sign_in(tokens: Mapping[str, str], settings: Mapping[str, Any]) -> str:
    """The page, with a token for each account of `settings` that the mock has one for.

    `tokens` is token -> kind.
    """
    by_kind = {kind: token for token, kind in tokens.items()}
    accounts = [
        {**each, "token": by_kind[each["kind"]]} for each in settings["accounts"] if each["kind"] in by_kind
    ]
    said = json.dumps({**settings, "accounts": accounts}, ensure_ascii=False)
    # No text may end the script or begin a comment in it.
    safe = re.sub(r"[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", said)
    page = TEMPLATE.read_text(encoding="utf-8")
    return page.replace(SETTINGS, safe, 1)


def leave_token(body: Any, settings: Mapping[str, Any]) -> Generator[Any, Any, None]:
    """Keeps a token for the page that waits for it under the name of a session."""
    session, token = (_text(body, settings[name]) for name in ("session", "token"))
    if session and token:
        yield Store("", KIND, session, token)


def fetch_token(body: Any, settings: Mapping[str, Any]) -> Generator[Any, Any, str | None]:
    """The token that is left under the name of a session, once; None if there is none after a while."""
    session = _text(body, settings["session"])
    if not session:
        return None
    for _ in range(round(settings["seconds"] / LOOK_SECONDS)):
        token: str | None = yield Fetch("", KIND, session)
        if token is not None:
            yield Store("", KIND, session, None)
            return token
        yield Wait(LOOK_SECONDS)
    return None


def _text(body: Any, member: str) -> str | None:
    value = body.get(member) if isinstance(body, Mapping) else None
    return value if isinstance(value, str) and len(value) <= LEFT_AT_MOST else None
