"""The options `--mode`, `--amount` and `--years-left`, which several commands share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from allotment.errors import UsageError

if TYPE_CHECKING:
    from allotment.optimize.modes import Purpose

ModeName = Annotated[
    str,
    typer.Option(
        help="What to trade for: track, harvest, tax_neutral, gain_budget, realise_gains, transition, "
        "raise_cash, invest_cash, liquidate. Without it, what the mandate says."
    ),
]
Amount = Annotated[
    float | None,
    typer.Option(help="Dollars of the mode: net losses, gains allowed or wanted, cash to pay out."),
]
YearsLeft = Annotated[int, typer.Option(help="Of a transition, this year included.")]


def purpose(mode: str, amount: float | None, years_left: int) -> Purpose | None:
    """What the options ask for; None without a mode. Raises UsageError for what makes no sense."""
    if not mode:
        if amount is not None or years_left != 1:
            raise UsageError("--amount and --years-left belong to a --mode.")
        return None
    from allotment.optimize.modes import Mode, Purpose

    names = [known.value for known in Mode]
    if mode not in names:
        raise UsageError(f"there is no mode {mode!r}; there are {', '.join(names)}.")
    return Purpose(mode=Mode(mode), amount_usd=math.nan if amount is None else amount, years_left=years_left)
