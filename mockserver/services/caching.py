"""What a model has read before: prefixes of prompts that cache points keep for a while.

A prefix is everything before a cache point: tools, system, messages, in this order. It is kept for
the caller and the model alone, as a hash and the time at which it is forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from conformance.contract import Contract
from conformance.dialects import converse
from conformance.framing import dump
from conformance.values import Usage
from mockserver.effects import Fetch, Inner, Store
from mockserver.simulation import tokens


def counted(
    contract: Contract, body: Mapping[str, Any], usage: Usage, least: int, whose: str, space: str, now: float
) -> Generator[Inner, Any, Usage]:
    """The usage with what was read from the cache, and what was written to it, apart from the input.

    `least` is the number of tokens before a point that does something; `whose` names caller and model.
    """
    rules = contract.request["caching"]
    read = written = 0
    for prefix, lifetime in islice(converse.prefixes(body), rules["points"]):
        size = tokens.count(converse.read(prefix, contract.profile))
        if size < least or size > usage.input:
            continue
        key = f"{whose}|{hashlib.sha256(dump(prefix, True)).hexdigest()}"
        forgotten = yield Fetch(space, "prefix", key)
        if forgotten is not None and forgotten > now:
            read = size
        written = size
        yield Store(space, "prefix", key, now + rules["seconds"].get(lifetime or rules["ttl"], 0))
    return replace(usage, input=usage.input - written, cache_read=read, cache_write=written - read)
