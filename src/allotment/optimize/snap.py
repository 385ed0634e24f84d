"""From a general solver's trades, good to its tolerance, to trades in whole steps.

General solvers leave dust and fractions of steps. What is less than dust is no trade, what leaves
less than dust is all; the rest goes to the nearest step. This is the least that makes their answers
lawful; it searches nothing, and a rule that they break otherwise stays broken.
"""

from __future__ import annotations

import numpy as np

from allotment.optimize.certify import Trades
from allotment.optimize.offsets import owners
from allotment.optimize.problem import Problems
from allotment.units import Floats

_DUST = 1e-8  # of account value


def snap(problems: Problems, trades: Trades) -> Trades:
    """The trades without dust and in whole steps, or none of a name where that is too small a trade."""
    sold = np.where(trades.sold < _DUST, 0.0, np.minimum(trades.sold, problems.lot_weight))
    sold = np.where(problems.lot_weight - sold < _DUST, problems.lot_weight * (sold > 0.0), sold)
    bought = np.where(trades.bought < _DUST, 0.0, trades.bought)
    account = owners(problems.names_from)
    for i in np.flatnonzero(np.add.reduceat(np.append(sold, 0.0), problems.lots_from[:-1]) > 0.0).tolist():
        lots = slice(int(problems.lots_from[i]), int(problems.lots_from[i + 1]))
        _snap_sale(sold[lots], problems.lot_weight[lots], float(problems.held[i]), float(problems.step[i]))
        least = float(problems.trade_min[account[i]])
        total = float(sold[lots].sum())
        if total < least and problems.held[i] - total > _DUST:
            sold[lots] = 0.0
    stepped = problems.step > 0.0
    whole = np.round(bought / np.where(stepped, problems.step, 1.0)) * problems.step
    bought = np.where(stepped, whole, bought)
    return Trades(sold, np.where(bought < problems.trade_min[account], 0.0, bought))


def _snap_sale(sold: Floats, weight: Floats, held: float, step: float) -> None:
    """Bring the sum of a name's sales to whole steps, by the lots that are sold in part, the last first."""
    total = float(sold.sum())
    if step <= 0.0 or held - total < _DUST:
        return  # closing out may carry a fraction
    rest = round(total / step) * step - total
    if rest > float((weight - sold)[sold > 0.0].sum()):
        rest -= step
    for lot in np.flatnonzero(sold > 0.0)[::-1]:
        change = min(max(rest, -float(sold[lot])), float(weight[lot] - sold[lot]))
        sold[lot] += change
        rest -= change
