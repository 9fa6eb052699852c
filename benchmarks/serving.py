"""The mock against the bare server: time to the first answer, and CPU per request under load."""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, Spent, cpu, cpu_of, environment, free_port, in_turns, milliseconds, wall

MODEL = "mistral.magistral-small-2509"
PUTER_MODEL = "mistralai/magistral-small-2509"
PROMPT = "Tell me about the weather on the coast, in two or three sentences."
CONVERSE = {
    "messages": [{"role": "user", "content": [{"text": PROMPT}]}],
    "inferenceConfig": {"maxTokens": 256},
}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}], "max_completion_tokens": 256}
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "converse": (f"/bedrock-runtime/model/{MODEL}/converse", CONVERSE),
    "converse stream": (f"/bedrock-runtime/model/{MODEL}/converse-stream", CONVERSE),
    "invoke": (
        f"/bedrock-runtime/model/{MODEL}/invoke",
        {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 256},
    ),
    "chat": ("/bedrock-mantle/v1/chat/completions", CHAT),
    "responses": ("/bedrock-mantle/v1/responses", {"model": MODEL, "input": PROMPT}),
    "puter driver": (
        "/puter/drivers/call",
        {
            "interface": "puter-chat-completion",
            "driver": "ai-chat",
            "method": "complete",
            "args": {"messages": [{"role": "user", "content": PROMPT}], "model": PUTER_MODEL},
        },
    ),
    "chat stream": (
        "/puter/puterai/openai/v1/chat/completions",
        {**CHAT, "model": PUTER_MODEL, "stream": True},
    ),
}
"""Each has a path of its own: the bare server goes by it."""
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer any-key-will-do"}
CONNECTIONS = 8
PATIENCE_SECONDS = 60.0
QUOTAS = (
    "calls_per_minute",
    "requests_per_10_seconds",
    "concurrent_requests",
    "funds_usd_cents",
    "requests_per_minute",
    "tokens_per_minute",
    "tokens_per_day",
)
"""What providers allow an account: less than is asked here."""


class Server:
    """A server process, asked and ended by whoever started it."""

    def __init__(self, *command: str) -> None:
        self.port = free_port()
        self.begun = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, *(each.replace("{port}", str(self.port)) for each in command)],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.pid = self._process.pid

    def first_answer(self) -> float:
        """Seconds from the start of the process to its first answer."""
        path, body = ASKED["converse"]
        while time.perf_counter() - self.begun < PATIENCE_SECONDS:
            try:
                ask(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), path, body)
                return time.perf_counter() - self.begun
            except ConnectionRefusedError:
                time.sleep(0.002)
        raise RuntimeError(f"no answer within {PATIENCE_SECONDS} s")

    def stop(self) -> float:
        """Ends it; the CPU seconds it has used in all."""
        os.kill(self.pid, signal.SIGTERM)
        _, status, used = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return used.ru_utime + used.ru_stime


def ask(
    connection: http.client.HTTPConnection, path: str, body: dict[str, Any], place: str = ""
) -> tuple[str, bytes]:
    """Content type and body of the answer. Raises RuntimeError if it is not 200.

    `place` stands at the end of the prompt: what is asked twice is partly remembered.
    """
    connection.request("POST", path, json.dumps(body).replace(PROMPT, f"{PROMPT}{place}"), HEADERS)
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {data[:200]!r}")
    return response.headers["Content-Type"], data


def pieces_of(content_type: str, data: bytes) -> list[bytes]:
    """The body in the pieces in which it is sent: events of a stream, or the whole."""
    if content_type.startswith("text/event-stream"):
        return [piece + b"\n\n" for piece in data.split(b"\n\n") if piece]
    if content_type == "application/vnd.amazon.eventstream":
        pieces = []
        while data:
            length = int.from_bytes(data[:4])
            pieces.append(data[:length])
            data = data[length:]
        return pieces
    return [data]


@contextmanager
def servers() -> Iterator[dict[str, tuple[str, ...]]]:
    """The commands that start the mock and the bare server, which gives the mock's own answers."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        quotas = [part for name in QUOTAS for part in ("--quota", f"{name}=1000000000")]
        ports = ("--port", "{port}", "--tls-port", "0")
        mock = ("-m", "mockserver", *ports, "--state-dir", f"{folder}/state", *quotas)
        server = Server(*mock)
        server.first_answer()
        answers = {}
        for path, body in ASKED.values():
            content_type, data = ask(http.client.HTTPConnection("127.0.0.1", server.port), path, body)
            pieces = [piece.decode("latin-1") for piece in pieces_of(content_type, data)]
            answers[path] = {"type": content_type, "pieces": pieces}
        server.stop()
        file = Path(folder) / "answers.json"
        file.write_text(json.dumps(answers))
        yield {"mock": mock, "bare": ("-m", "benchmarks.bare", "{port}", str(file))}


def start_up(rounds: int) -> list[Row]:
    """From the start of the process to its first answer; keys and certificates are there already."""

    def started(command: tuple[str, ...]) -> Spent:
        server = Server(*command)
        seconds = server.first_answer()
        used = cpu_of(server.pid)
        server.stop()
        return Spent(seconds, used)

    with servers() as commands:
        taken = in_turns(rounds, {name: partial(started, command) for name, command in commands.items()})
    rows = []
    for what, read in (("wall, least", wall), ("CPU, median", cpu)):
        ours, bare = read(taken["mock"]), read(taken["bare"])
        rows.append(
            Row(f"start to first answer ({what})", milliseconds(ours), milliseconds(bare), f"{ours / bare:.2f}", "1.15")
        )  # fmt: skip
    return rows


def load(port: int, path: str, body: dict[str, Any], requests: int) -> None:
    """Asks over several kept connections at once. Raises RuntimeError if one answer is not 200."""

    begun = time.time_ns()

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for turn in range(requests // CONNECTIONS):
            ask(connection, path, body, f" It is for reader {begun}-{number}-{turn}.")

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(work, range(CONNECTIONS)))


def per_request(rounds: int, requests: int) -> list[Row]:
    """CPU of the server process for one request; the mock checks, counts and thinks, the bare server only sends."""
    rows = []
    with servers() as commands:
        running = {name: Server(*command) for name, command in commands.items()}
        try:
            for server in running.values():
                server.first_answer()
            for name, (path, body) in ASKED.items():

                def measured(server: Server, path: str = path, body: dict[str, Any] = body) -> Spent:
                    before, begun = cpu_of(server.pid), time.perf_counter()
                    load(server.port, path, body, requests)
                    return Spent(
                        (time.perf_counter() - begun) / requests, (cpu_of(server.pid) - before) / requests
                    )

                taken = in_turns(
                    rounds, {each: partial(measured, server) for each, server in running.items()}
                )
                ours, bare = (
                    statistics.median(each.cpu for each in taken[which]) for which in ("mock", "bare")
                )
                rows.append(
                    Row(f"{name}, CPU per request", f"{ours * 1e6:.0f} us", f"{bare * 1e6:.0f} us", f"{ours / bare:.2f}")
                )  # fmt: skip
        finally:
            for server in running.values():
                server.stop()
    return rows
