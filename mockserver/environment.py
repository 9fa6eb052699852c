"""What to export so that a client finds the mock and trusts it, and how each shell says it.

Every name belongs to one service, so that the rest of a program's AWS or web traffic goes on
as before; only the two bundles are everybody's, and they hold the system's roots beside ours.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "SHELLS",
    "NotRunning",
    "describe",
    "export",
    "forget_ended",
    "installed",
    "past_proxies",
    "puter_code",
    "region",
    "unset",
    "variables",
]

Variables = Mapping[str, str | None]
"""What each variable has to be; None: not set."""

SHELLS = ("sh", "fish", "powershell", "dotenv", "json")
BEARER = "AWS_BEARER_TOKEN_BEDROCK"
PLAIN = re.compile(r"[\w@%+=:,./-]*")


CONNECT_SECONDS = 2.0


class NotRunning(Exception):
    """No mock answers that keeps its state in this directory; the text says what was looked for."""


def describe(state_dir: Path) -> dict[str, Any]:
    """What mock.json says of the mock that runs with this state directory. Raises NotRunning."""
    path = state_dir / "mock.json"
    try:
        info: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        address = info["http"]
    except FileNotFoundError:
        raise NotRunning(f"expected {path}, which a mock writes when it is ready; it is not there") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise NotRunning(f"expected {path} as a mock writes it; it cannot be read: {error!r}") from error
    if not _answers(address):
        raise NotRunning(f"{path} says {address}, and nothing answers there")
    return info


def forget_ended(state_dir: Path) -> None:
    """Removes mock.json if the mock that wrote it answers no more."""
    try:
        describe(state_dir)
    except NotRunning:
        (state_dir / "mock.json").unlink(missing_ok=True)


def _answers(address: str) -> bool:
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(address)
    try:
        socket.create_connection((place.hostname, place.port), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def variables(info: Mapping[str, Any], *, sigv4: bool = False) -> dict[str, str | None]:
    """The variables for the mock that `info` (mock.json) describes.

    boto3 takes the bearer key before any other, so with `sigv4` there is none.
    """
    http, https, bundle = info["http"], info["https"], info["bundle"]
    found: dict[str, str | None] = {
        # boto3 sends a bearer key over https only.
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": https,
        "AWS_ENDPOINT_URL_BEDROCK": https,
        BEARER: info["bearer"],
        "AWS_BEDROCK_BASE_URL": http + info["bedrock_path"],
        # LiteLLM's name, so that DSPy and CrewAI find it too: they do not read boto3's.
        "AWS_BEDROCK_RUNTIME_ENDPOINT": https,
        "OPENAI_BASE_URL": f"{http}/v1",
        # The name before openai 1, which LlamaIndex reads alone.
        "OPENAI_API_BASE": f"{http}/v1",
        "OPENAI_API_KEY": info["bearer"],
        # OpenAI's Agents SDK sends what was said to OpenAI's own host, whatever address it was told.
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "PUTER_API_ORIGIN": http,
        "PUTER_AUTH_TOKEN": info["puter_token"],
        # The first two replace a program's roots, the third adds to them.
        "AWS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "NODE_EXTRA_CA_CERTS": info["node_ca"],
    }
    if sigv4:
        found[BEARER] = None
        found["AWS_ACCESS_KEY_ID"] = info["aws_access_key_id"]
        found["AWS_SECRET_ACCESS_KEY"] = info["aws_secret_access_key"]
        # One of another key pair would be sent along.
        found["AWS_SESSION_TOKEN"] = None
    return found


def installed(environment: Mapping[str, str]) -> Path | None:
    """Where puter.js is installed, as MOCK_PUTER_JS says; None if it says nothing."""
    said = environment.get("MOCK_PUTER_JS")
    return Path(said) if said else None


def region(info: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """The Region without which the SDKs of AWS do not start, where the user named it for some of them or nowhere."""
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    config = Path(environment.get("AWS_CONFIG_FILE") or "~/.aws/config")
    if not named and config.expanduser().is_file():
        return {}
    return dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), named or str(info["region"])) | {
        name: environment[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if environment.get(name)
    }


def past_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables by which clients ask this machine without a proxy, and whoever was asked so already."""
    already = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    value = already if already == "*" else ",".join(filter(None, (already, "127.0.0.1")))
    return {"NO_PROXY": value, "no_proxy": value}


def unset() -> dict[str, str | None]:
    """Every variable that `variables` sets, with or without `sigv4`, to be taken away again."""
    members = ("http", "https", "bundle", "node_ca", "bearer", "bedrock_path", "puter_token")
    keys = ("aws_access_key_id", "aws_secret_access_key")
    info = dict.fromkeys((*members, *keys), "set")
    both = variables(info) | {name: value for name, value in variables(info, sigv4=True).items() if value}
    return dict.fromkeys(both)


def export(wanted: Variables, shell: str) -> str:
    """The lines that make the variables so in one of SHELLS.

    Raises ValueError for another shell. A dotenv file cannot take a variable away: it leaves it out.
    """
    if shell == "json":
        return json.dumps(wanted, indent=2) + "\n"
    if shell not in SHELLS:
        raise ValueError(f"shell: expected one of {', '.join(SHELLS)}, got {shell!r}")
    lines = [_line(name, value, shell) for name, value in wanted.items()]
    return "".join(f"{line}\n" for line in lines if line)


def puter_code(info: Mapping[str, Any]) -> str:
    """The lines that point puter.js at the mock: it reads no environment variable."""
    origin, token = json.dumps(info["http"]), json.dumps(info["puter_token"])
    lines = [f"puter.setAPIOrigin({origin})", f"puter.setAuthToken({token})"]
    if info.get("puter_js"):
        lines.append(f'or, in a page: <script src="{info["puter_js"]}"></script>')
    return "".join(f"{line}\n" for line in lines)


def _line(name: str, value: str | None, shell: str) -> str:
    match shell, value:
        case "sh", None:
            return f"unset {name}"
        case "sh", str():
            return f"export {name}={shlex.quote(value)}"
        case "fish", None:
            return f"set -e {name}"
        case "fish", str():
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"set -gx {name} '{escaped}'"
        case "powershell", None:
            return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
        case "powershell", str():
            quoted = value.replace("'", "''")
            return f"$env:{name} = '{quoted}'"
        case "dotenv", str():
            return f"{name}={_dotenv(value)}"
    return ""


def _dotenv(value: str) -> str:
    # `docker run --env-file` keeps quotes, so there are none where none are needed. In single ones every
    # reader leaves `$` and `#` alone.
    if PLAIN.fullmatch(value):
        return value
    quote = "'" if "'" not in value else '"'
    return f"{quote}{value}{quote}"
