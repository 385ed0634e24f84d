"""Why a decision is what it is: every trade's terms, pushes and alternatives, and why not the others.

All of it is computed from the answer and the multipliers that prove it; nothing is put into words here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np

from allotment.optimize.alternatives import Alternatives, Pushes, alternatives_of, pushes_of
from allotment.optimize.decision import Decision, decision_of
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.optimize.terms import Terms, terms_of
from allotment.optimize.why_not import WhyNot, why_not
from allotment.units import Codes


class Reason(IntEnum):
    """What speaks most for a trade. Stored: numbers keep their meaning."""

    HARVEST_LOSS = 1  # the loss is worth more than what the sale costs
    EXCLUDED = 2  # nothing of this name may be held
    OVER_LIMIT = 3  # above the name's weight limit
    REDUCE_OVERWEIGHT = 4  # less risk against the benchmark
    RAISE_CASH = 5  # cash is dear
    REDUCE_UNDERWEIGHT = 6  # less risk against the benchmark
    INVEST_CASH = 7  # cash is cheap
    TILT = 8
    REALISE_GAIN = 9  # the sale lowers tax though it realises a gain
    UNDER_LIMIT = 10  # below the name's least weight
    KEEP_ROW = 11  # a limit on a sum of names


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """What there is to tell of one decision. Alternatives are weighed when they are asked for: what a
    trade changes and what speaks most for it is known in a tenth of the time."""

    decision: Decision
    terms: Terms
    pushes: Pushes
    of_sale: Codes  # (L,) Reason of each lot sold, 0 for the others
    of_purchase: Codes  # (n,) Reason of each name bought, 0 for the others
    solutions: Solutions
    joint: int  # number of the problem in its batch
    options: SolveOptions
    asked_most: int

    @cached_property
    def alternatives(self) -> Alternatives:
        """What each trade would be done without for."""
        return alternatives_of(
            self.decision, self.solutions, self.joint, self.terms.names, self.pushes, self.options
        )

    @cached_property
    def why_not(self) -> WhyNot:
        """Why names that a person would ask about were not traded."""
        return why_not(self.decision, self.options, self.asked_most)


def reasons_of(
    market: Market,
    problems: Problems,
    solutions: Solutions,
    j: int,
    options: SolveOptions | None = None,
    *,
    asked_most: int = 10,
) -> Reasons | None:
    """The reasons of problem j of a batch; None for one without an answer (EMPTY, INVALID, FAILED).

    options: those that it was solved with. asked_most: how many losses not taken, and how many
    distances from the index, are asked about in each account.
    """
    options = SolveOptions() if options is None else options
    decision = decision_of(market, problems, solutions, j)
    if decision is None:
        return None
    terms, pushes = terms_of(decision, options), pushes_of(decision)
    of_sale, of_purchase = _largest(decision, pushes)
    return Reasons(
        decision=decision,
        terms=terms,
        pushes=pushes,
        of_sale=of_sale,
        of_purchase=of_purchase,
        solutions=solutions,
        joint=j,
        options=options,
        asked_most=asked_most,
    )


def _largest(d: Decision, pushes: Pushes) -> tuple[Codes, Codes]:
    """What speaks most for each sale of a lot and each purchase, per unit of weight traded."""
    p = d.problem
    move = d.weight - p.held
    per_unit = 1.0 / np.where(move == 0.0, 1.0, np.abs(move))
    risk = -(pushes.factors.sum(axis=1) + pushes.specific) * per_unit
    cash, row = -pushes.cash * per_unit, -(pushes.row + pushes.year) * per_unit
    tilt = p.utility * np.sign(move)
    lot = np.flatnonzero(d.sold > 0.0)
    i = d.lot_name[lot]
    tax = -p.lot_tax[lot]
    if d.regime >= 0:
        rate = np.where(p.lot_is_long, p.regime_long_rate[d.regime], p.regime_short_rate[d.regime])
        tax = tax - (rate * p.lot_gain)[lot]
    sides = np.array([Reason.REDUCE_OVERWEIGHT, Reason.RAISE_CASH, Reason.KEEP_ROW, Reason.TILT])
    why = sides[np.argmax([risk[i], cash[i], row[i], tilt[i]], axis=0)]
    others = np.max([risk[i], cash[i], row[i], tilt[i]], axis=0)
    taxed = np.where(p.lot_is_loss[lot], Reason.HARVEST_LOSS, Reason.REALISE_GAIN)
    why = np.where((tax > 0.0) & (tax >= others), taxed, why)
    over = p.held[i] > p.weight_max[i]
    why = np.where(over, np.where(p.weight_max[i] <= 0.0, Reason.EXCLUDED, Reason.OVER_LIMIT), why)
    of_sale = np.zeros(len(d.sold), np.int8)
    of_sale[lot] = why
    sides[:2] = Reason.REDUCE_UNDERWEIGHT, Reason.INVEST_CASH
    bought = sides[np.argmax([risk, cash, row, tilt], axis=0)]
    bought = np.where(p.held < p.weight_min, Reason.UNDER_LIMIT, bought)
    return of_sale, np.where(d.bought > 0.0, bought, 0).astype(np.int8)
