"""How long the sample world takes to make."""

from __future__ import annotations


def bench(accounts: int = 1000, seed: int = 1) -> dict[str, float]:
    """Seconds for the market and for a book of `accounts`, after compilation."""
    raise NotImplementedError
