"""The client's door: a request to a provider, and what came back, with its times.

Redirects are not followed and nothing is retried: what the provider does is what is looked at.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from conformance.exchange import Chunk, Ending, Headers, Request
from conformance.runs.store import Redactor
from conformance.target import Target

TIMEOUT_CONNECT, TIMEOUT_READ = 10.0, 120.0
"""Seconds. Slow starts of 60 s and more are known of hosted models."""


class Asker:
    """Asks one target over kept connections; a silence longer than `patience` seconds (TIMEOUT_READ) ends an answer."""

    def __init__(self, target: Target, patience: float | None = None) -> None:
        import urllib3

        self._urllib3 = urllib3
        self._target = target
        timeout = urllib3.Timeout(connect=TIMEOUT_CONNECT, read=patience or TIMEOUT_READ)
        pools: dict[str, Any] = {"retries": False, "timeout": timeout}
        if target.ca and target.endpoint.startswith("https"):
            pools["ca_certs"] = target.ca
        self._pool = urllib3.PoolManager(**pools)
        self._redact = Redactor(target.secrets)

    def ask(self, request: Request) -> tuple[int, Headers, tuple[Chunk, ...], Ending] | str:
        """Status, headers, chunks and how it ended; or why no response came, without keys.

        `request.target` is the path under the target's endpoint.
        """
        url = self._target.endpoint + request.target
        headers = self._urllib3.HTTPHeaderDict()
        for name, value in request.headers:
            headers.add(name, value)
        begun = time.monotonic()
        try:
            response = self._pool.request(
                request.method,
                url,
                body=request.body or None,
                headers=headers,
                preload_content=False,
                redirect=False,
                decode_content=True,
            )
        except (self._urllib3.exceptions.HTTPError, OSError) as error:
            # What came instead of a response may quote the request.
            return self._redact.text(f"{_endpoint(url)}: {_words(error)}")
        chunks: list[Chunk] = []
        ending: Ending = "complete"
        try:
            while data := response.read1(decode_content=True):
                chunks.append(Chunk(data, round(time.monotonic() - begun, 6)))
            response.release_conn()
            # A body shorter than its Content-Length: urllib3 does not tell, as it was not asked for so many bytes.
            if response.length_remaining:
                ending = "cut"
        except (self._urllib3.exceptions.HTTPError, OSError):
            ending = "cut"
            response.close()
        return response.status, tuple(response.headers.items()), tuple(chunks), ending

    def close(self) -> None:
        """Ends the kept connections."""
        self._pool.clear()


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _words(error: BaseException) -> str:
    reason = getattr(error, "reason", None)
    told: BaseException | None = reason if isinstance(reason, BaseException) else error
    text = str(told)
    while told is not None:
        # The system's own words, where they are at the bottom of it.
        if isinstance(told, OSError) and told.strerror:
            return told.strerror.lower() if told.strerror.isascii() else told.strerror
        told = told.__cause__ or told.__context__
    return text.rsplit(": ", 1)[-1] if "object at 0x" in text else text


def probe_url(url: str, ca: str | None = None) -> str | None:
    """Why nobody answers at `url`; None if somebody does, whatever they say."""
    import urllib3

    pools: Mapping[str, Any] = {"ca_certs": ca} if ca and url.startswith("https") else {}
    try:
        urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=TIMEOUT_CONNECT, read=TIMEOUT_CONNECT), **pools
        ).request("GET", url)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return f"{_endpoint(url)}: {_words(error)}"
    return None
