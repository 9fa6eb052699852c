"""The proxy through which an endpoint is asked: what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say, as curl reads them.

This machine is never asked through one. A key goes to other machines over https only, so a proxy sees where it goes
and nothing of what is said.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from conformance.target import UsageError, is_loopback

__all__ = ["proxy_for", "shown_to"]


def proxy_for(endpoint: str) -> str | None:
    """The URL of the proxy, perhaps with a password in it; None where none is to be asked.

    Raises UsageError for a proxy that does not speak HTTP.
    """
    from urllib import request

    # Nobody's types know it; it is what urllib itself goes by.
    environment: Any = request
    parts = urlsplit(endpoint)
    named = environment.getproxies_environment()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or is_loopback(parts.hostname or ""):
        return None
    if environment.proxy_bypass_environment(parts.netloc, named):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    how = urlsplit(proxy)
    if how.scheme not in ("http", "https") or not how.hostname:
        raise UsageError(
            f"{parts.scheme.upper()}_PROXY: expected http(s)://host[:port], got "
            f"{how.scheme}://{how.netloc.rpartition('@')[2]}; NO_PROXY names hosts that are asked without one"
        )
    return proxy


def shown_to(proxy: str) -> dict[str, str] | None:
    """The header by which the proxy knows who asks: the name and password in its URL."""
    from urllib3.util import make_headers

    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    return make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
