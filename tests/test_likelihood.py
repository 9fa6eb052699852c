"""Odds of tokens: every token is there, and its odds are odds."""

from __future__ import annotations

import math

from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.simulation.likelihood import OTHERS, likely


@example("".join(OTHERS), 20)
@given(st.text(max_size=60), st.integers(0, 20))
def test_tokens_and_alternatives_are_all_there(text: str, alternatives: int) -> None:
    entries = likely(text, alternatives)
    assert "".join(each["token"] for each in entries) == text
    for entry in entries:
        others = entry["top_logprobs"]
        assert len(others) == alternatives == len({each["token"] for each in others})
        assert sum(math.exp(each["logprob"]) for each in others) <= 1
        assert [each["logprob"] for each in others] == sorted((e["logprob"] for e in others), reverse=True)
        if others:
            assert {**entry, "top_logprobs": None} == {**others[0], "top_logprobs": None}


@given(st.text(max_size=60))
def test_the_bytes_are_those_of_the_text(text: str) -> None:
    told = b"".join(bytes(each["bytes"]) for each in likely(text, 0))
    assert told.decode("utf-8", "surrogatepass") == text
    assert likely(text, 0) == likely(text, 0)
