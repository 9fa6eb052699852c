"""Dollars as text, both ways."""

from __future__ import annotations


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
