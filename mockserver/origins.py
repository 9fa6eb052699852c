"""What lets a page of any origin read an answer that is the mock's own and no provider's."""

from __future__ import annotations

from conformance.exchange import Headers, Request

__all__ = ["leave", "readable"]

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def readable(request: Request) -> Headers:
    """The headers by which a browser shows the answer to the page that asked; none if no page did.

    A page that sends its cookies along is not shown what is for `*`.
    """
    origin = request.header("origin")
    if origin is None:
        return ()
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Vary", "Origin"),
    )


def leave(request: Request) -> Headers | None:
    """The headers that give a browser leave to ask what it asks leave for; None if it does not ask."""
    if request.method != "OPTIONS" or request.header("access-control-request-method") is None:
        return None
    wanted = request.header("access-control-request-headers")
    return (
        *readable(request),
        ("Access-Control-Allow-Methods", METHODS),
        *((("Access-Control-Allow-Headers", wanted),) if wanted else ()),
        ("Access-Control-Allow-Private-Network", "true"),
    )
