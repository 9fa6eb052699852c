"""What the programs of the frameworks share: what they ask for, that nobody else is asked, and a JSON line for each case.

A program is told address and key by its environment, as an application is; its arguments are the model by API and the
cases (`[[api, case], ...]`).
Whoever is looked up beside this machine is told, and not reached.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

WENT_OUT: list[str] = []
_LOOK_UP = socket.getaddrinfo


def _at_home(host: Any, *rest: Any, **more: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in ("127.0.0.1", "localhost", "::1", None):
        WENT_OUT.append(str(name))
        raise socket.gaierror(f"{name} is not looked up in a test")
    return _LOOK_UP(host, *rest, **more)


socket.getaddrinfo = _at_home
# Before whatever a framework still sends at its end, so after it.
atexit.register(lambda: print(json.dumps({"went out": WENT_OUT}), flush=True))

MODELS: dict[str, str] = json.loads(sys.argv[1])
EXACTLY = "Reply with exactly: amber kettle"
OSLO = "What is the weather in Oslo?"
BOTH = "What is the weather in Oslo and in Bergen?"
ADA = "Give the name and the age of Ada, who is 36 years old."
TOLD = "Remember that my favourite colour is teal."
ASKED = "What is my favourite colour?"
WRONG_KEY = "sk-not-a-key-of-anybody"
NO_MODEL = "no.such-model-1"

CALLED: list[str] = []
"""The cities that the weather was asked for in this case."""


class Person(BaseModel):
    name: str
    age: int


def weather(city: str) -> str:
    """What a tool answers; it knows two cities."""
    CALLED.append(city)
    return {"Oslo": "It is 31 degrees and hailing.", "Bergen": "It is 17 degrees and dry."}[city]


def error(raised: BaseException) -> dict[str, Any]:
    """What an application sees of an error."""
    return {
        "class": type(raised).__name__,
        "status": getattr(raised, "status_code", None),
        "text": str(raised),
    }


async def _all(cases: Mapping[str, Callable[[str], Awaitable[Any]]], wanted: list[list[str]]) -> None:
    for api, name in wanted:
        CALLED.clear()
        try:
            got = await cases[name](api)
        except Exception as raised:
            got = error(raised)
        print(json.dumps({"api": api, "case": name, "got": got}), flush=True)


def main(*cases: Callable[[str], Awaitable[Any]]) -> None:
    """Runs the cases that were asked for, in that order."""
    asyncio.run(_all({each.__name__: each for each in cases}, json.loads(sys.argv[2])))
