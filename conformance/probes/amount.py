"""Amounts that options take, read from text: dollars, examples, retries; and dollars as text."""

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
    """Dollars, with or without their sign. Raises argparse.ArgumentTypeError for what is no amount."""
    from argparse import ArgumentTypeError

    try:
        amount = float(text.removeprefix("$"))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise ArgumentTypeError(f"expected dollars, such as 0.10, got {text!r}")
    return amount


def read_retries(text: str) -> int:
    """How often is waited. Raises argparse.ArgumentTypeError for what is no number from 0 on."""
    from argparse import ArgumentTypeError

    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"expected a number from 0 on, got {text!r}")
    return int(text)


def dollars(amount: float) -> str:
    """`$0.0042`: as many decimals as it takes to see two figures, two at least."""
    if not amount:
        return "$0.00"
    decimals = 2
    while decimals < 7 and abs(amount) * 10**decimals < 10:
        decimals += 1
    return f"${amount:,.{decimals}f}"
