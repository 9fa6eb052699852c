"""Why no answer came, in a line that says what to do."""

from __future__ import annotations

import ssl
from http.client import BadStatusLine, UnknownProtocol

__all__ = ["words"]

UNKNOWN_AUTHORITY = (18, 19, 20, 21)
"""OpenSSL's codes for a certificate that only itself, or nobody who is known here, has signed."""


def words(error: BaseException) -> str:
    """What urllib3, http.client or the system says of it, without the object that says so."""
    reason = getattr(error, "reason", None)
    told: BaseException = reason if isinstance(reason, BaseException) else error
    # urllib3 puts words of its own in front of what happened.
    told = next((each for each in reversed(told.args) if isinstance(each, BaseException)), told)
    text = " ".join(str(told).split())
    if isinstance(told, UnknownProtocol) or (
        isinstance(told, BadStatusLine) and not isinstance(told, OSError)
    ):
        return f"expected an answer in HTTP/1.1, got {text!r}"
    below: BaseException | None = told
    while below is not None:
        if isinstance(below, ssl.SSLError):
            return _no_tls(below)
        # The system's own words, where they are at the bottom of it.
        if isinstance(below, OSError) and below.strerror:
            return below.strerror.lower() if below.strerror.isascii() else below.strerror
        below = below.__cause__ or below.__context__
    # Whose words it is, and where, are told already.
    return text.rsplit(": ", 1)[-1] if "object at 0x" in text or text.startswith("HTTP") else text


def _no_tls(error: ssl.SSLError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        said = (error.reason or str(error)).replace("_", " ").lower()
        return f"no TLS: {said}" + ("; is it a server of plain http?" if "wrong version" in said else "")
    said = f"its certificate is not trusted: {error.verify_message.rstrip('.').lower()}"
    if error.verify_code not in UNKNOWN_AUTHORITY:
        return said
    return f"{said}; SSL_CERT_FILE=FILE in front of the command names the authorities that are"
