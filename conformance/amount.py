"""Dollars as text, both ways."""

from __future__ import annotations

EXAMPLES = 100
"""Examples that one run draws at most."""


def read_examples(text: str) -> int:
    """How many examples. Raises argparse.ArgumentTypeError for what is no number, or too many."""
    from argparse import ArgumentTypeError

    if not (text.isascii() and text.isdigit()) or int(text) > EXAMPLES:
        raise ArgumentTypeError(f"expected a number of examples from 0 to {EXAMPLES}, got {text!r}")
    return int(text)


def read_dollars(text: str) -> float:
    """Dollars, with or without their sign. Raises ValueError for what is no amount."""
    amount = float(text.removeprefix("$"))
    if not 0 <= amount < float("inf"):
        raise ValueError(f"expected dollars, such as 0.10, got {text}")
    return amount


def dollars(amount: float) -> str:
    """`$0.0042`: as many decimals as it takes to see two figures, two at least."""
    if not amount:
        return "$0.00"
    decimals = 2
    while decimals < 7 and abs(amount) * 10**decimals < 10:
        decimals += 1
    return f"${amount:,.{decimals}f}"
