"""Templates: values whose strings have {names} to fill in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["fill"]

_NAME = re.compile(r"\{(\w+)\}")


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """`template` with every {name} of its strings replaced from `values`; unknown names stay.

    A string that is nothing but one placeholder becomes the value itself, whatever its type.
    """
    if isinstance(template, str):
        if "{" not in template:
            return template
        whole = _NAME.fullmatch(template)
        if whole and whole[1] in values:
            return values[whole[1]]
        return _NAME.sub(lambda found: str(values[found[1]]) if found[1] in values else found[0], template)
    if isinstance(template, Mapping):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, values) for value in template]
    return template
