"""One value laid over another: a JSON Merge Patch, and an overlay in which null is a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["merge", "overlay"]


def merge(base: Any, patch: Any) -> Any:
    """`base` patched as RFC 7396 says: null removes a member. A null in an object that is new stays a null."""
    if not isinstance(patch, Mapping) or not isinstance(base, Mapping):
        return patch
    result = dict(base)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def overlay(base: Any, own: Any) -> Any:
    """`own` over `base`, object by object; null is a value like any other."""
    if not isinstance(own, Mapping) or not isinstance(base, Mapping):
        return own
    return {**base, **{key: overlay(base.get(key), value) for key, value in own.items()}}
