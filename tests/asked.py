"""A provider of Chat Completions made of one function, for tests of who asks."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conformance.loading import load
from conformance.target import Target, targets

SPECS = load()
CHAT = SPECS.contracts["bedrock-mantle/chat-completions"]
Answer = Callable[[dict[str, Any], int], tuple[int, dict[str, str], Any]]
"""The request's body and how many came before it; status, headers and body of the answer."""


def completion(text: str, input: int, output: int, finish: str = "stop") -> dict[str, Any]:
    """A good answer."""
    usage = {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}
    said = json.loads(json.dumps(CHAT.exchanges["hello"]["response"]["body"]))
    said["choices"][0] |= {
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, "refusal": None},
    }
    return {**said, "usage": usage}


def refusal(text: str) -> dict[str, Any]:
    """A bad one."""
    return {
        "error": {"code": "validation_error", "message": text, "param": None, "type": "invalid_request_error"}
    }


class Provider:
    """Answers every request by the function; `bodies` are what was asked."""

    def __init__(self, answer: Answer) -> None:
        provider, self.bodies = self, list[Any]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, headers, said = answer(body, len(provider.bodies))
                provider.bodies.append(body)
                raw = json.dumps(said).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.target: Target
        [self.target] = targets(
            SPECS, "bedrock-mantle", endpoint=url, environment={"AWS_BEARER_TOKEN_BEDROCK": "key-0123456789"}
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
