"""TLS as the mock serves it: a handshake that fails is told, to its client and to the log.

asyncio closes such a connection without a word, not even TLS's own alert. The two ways in which it happens most are a
client that does not trust the mock's certificate, and one that speaks plain http.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any

__all__ = ["Context"]

log = logging.getLogger("mockserver")

NO_HTTP = "this port serves https, and the client speaks http: use the other one"
UNTRUSTED = ("UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE")
"""How the names of alerts end that a client sends who does not know who has signed a certificate."""


class _Handshake(ssl.SSLObject):
    """One connection. `incoming` and `outgoing` are what comes from the client and goes to it."""

    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    failed = False

    def do_handshake(self) -> None:
        """As ever; but one that has failed goes on until the client, which is told, or asyncio's patience ends it."""
        if self.failed:
            self.incoming.read()
            raise ssl.SSLWantReadError
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._tell(error.reason or "")
            if not self.outgoing.pending:
                raise
            # What is written goes out, where it would be thrown away.
            self.failed = True
            raise ssl.SSLWantReadError from error

    def _tell(self, reason: str) -> None:
        if reason == "HTTP_REQUEST":
            log.warning("%s", NO_HTTP)
            self.outgoing.read()
            self.outgoing.write(_refusal(f"mockserver: {NO_HTTP}\n".encode()))
        elif reason.endswith(UNTRUSTED):
            log.warning(
                "a client does not trust the mock's certificate; `mockserver env` prints what to export"
            )
        else:
            log.warning("a client broke off TLS, or speaks another one: %s", reason.replace("_", " ").lower())


class Context(ssl.SSLContext):
    """A context to serve with."""

    sslobject_class = _Handshake

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *how: Any, **named: Any) -> Any:
        made: Any = super().wrap_bio(incoming, outgoing, *how, **named)
        made.incoming, made.outgoing = incoming, outgoing
        return made


def _refusal(body: bytes) -> bytes:
    lines = (
        "HTTP/1.1 400 Bad Request",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body
