"""What less tracking error costs: one account solved at many prices of risk, each answer certified.

At the price of risk κ an account minimises price + κ/2 TE², where its price is all that is not risk:
tax, trading, washes and relaxations, less utility. Solved for κ after κ, each from the multipliers
of the one before, this draws the lower edge of what can be had. Two things are exact whatever the
gaps of the single solves:

- every κ takes the best of all answers found, so that tracking error falls and the price rises
  from point to point: no point is dominated by another;
- a plan of tracking error t costs at least L(κ) − κ/2 t² for the proven bound L of each κ. The
  largest of these is a floor under every plan there is, drawn or not.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions, Status
from allotment.optimize.solve import solve_one
from allotment.units import Codes, Floats, Ints

POINTS = 21
_SPAN = 100.0  # the prices of risk go from a hundredth of the account's own to a hundred times it
# As κ grows, exposures shrink about as κ to the power −2/3, and their prices κ Bᵀ(w−b) grow the less.
_POWER = 1.0 / 3.0


class Frontier(NamedTuple):
    """The points in the order of their price of risk, shape (m,); fractions of account value."""

    risk_price: Floats  # κ, ascending
    tracking_error: Floats  # annual, falling
    price: Floats  # all that is not risk, rising
    tax: Floats  # the year's included
    trading_cost: Floats
    turnover: Floats  # one-way
    objective: Floats  # price + κ/2 TE²
    lower_bound: Floats  # proven: no plan has less at this κ
    status: Codes  # Status of the answer taken
    answers: tuple[Solutions, ...]  # one per κ solved
    taken: Ints  # (m,) which of the answers each point has
    chosen: int  # the point at the account's own price of risk
    hold_tracking_error: float  # of doing nothing
    hold_price: float  # of doing nothing: no tax, no trading; broken limits are in it
    hold_feasible: bool  # doing nothing keeps every limit

    @property
    def gap_bps(self) -> Floats:
        """How far from optimal each point can be, in basis points."""
        gap: Floats = (self.objective - self.lower_bound) * 1e4
        return gap

    def floor(self, tracking_error: Floats) -> Floats:
        """Least price of any plan with these tracking errors, or less; same shape."""
        under = self.lower_bound - 0.5 * self.risk_price * np.asarray(tracking_error)[..., None] ** 2
        least: Floats = under.max(axis=-1)
        return least


def table(found: Frontier, value_usd: float) -> dict[str, list[float] | list[bool]]:
    """The points as columns, dollars for a value of the account."""
    at = np.arange(len(found.risk_price))
    columns = {
        "risk_price": found.risk_price,
        "tracking_error": found.tracking_error,
        "tax_and_cost_bps": found.price * 1e4,
        "tax_usd": found.tax * value_usd,
        "trading_cost_usd": found.trading_cost * value_usd,
        "turnover": found.turnover,
        "floor_bps": found.floor(found.tracking_error) * 1e4,
        "gap_bps": found.gap_bps,
        "is_relaxed": found.status == Status.RELAXED,
        "is_chosen": at == found.chosen,
    }
    return {name: column.tolist() for name, column in columns.items()}


def frontier(
    market: Market, problem: Problems, *, points: int = POINTS, options: SolveOptions | None = None
) -> Frontier | None:
    """The frontier of one account; None when it cannot be solved (EMPTY, INVALID, FAILED).

    points: an odd number; the middle one has the account's own price of risk, or that at which its
    limit of tracking error is met. The limit itself is left out: the frontier shows what it costs.
    """
    assert problem.n_accounts == 1
    assert points % 2 == 1
    own = float(problem.risk_price[0])
    start = None
    if own == 0.0:
        limited = solve_one(market, problem, options=options)
        if limited.status[0] not in _ANSWERED:
            return None
        own, start = float(limited.risk_multiplier[0]), _start(limited)
    free = problem._replace(te_max=np.full(1, math.inf))
    middle = points // 2
    ratio = _SPAN ** (1.0 / max(middle, 1))
    risk_price = own * ratio ** np.arange(-middle, points - middle, dtype=np.float64)
    risk_price[middle] = own
    answers: list[Solutions | None] = [None] * points
    first = _solved(market, free, own, options, start)
    if first is None:
        return None
    for way in (1, -1):
        last, scale = first, ratio ** (way * _POWER)
        for at in range(middle, points if way > 0 else -1, way):
            if at != middle:
                found = _solved(market, free, float(risk_price[at]), options, _start(last, scale))
                if found is None:
                    return None
                last = found
            answers[at] = last
    return _drawn(risk_price, [one for one in answers if one is not None], middle)


_ANSWERED = (Status.SOLVED, Status.RELAXED)


def _solved(
    market: Market, free: Problems, risk_price: float, options: SolveOptions | None, start: Floats | None
) -> Solutions | None:
    asked = free._replace(risk_price=np.full(1, risk_price))
    found = solve_one(market, asked, options=options, start=start)
    return found if found.status[0] in _ANSWERED else None


def _start(found: Solutions, scale: float = 1.0) -> Floats:
    """Multipliers to start from: exposures at another price of risk, the same price of cash."""
    return np.append(found.factor_price[0] * scale, found.cash_price[0])


def _drawn(risk_price: Floats, answers: list[Solutions], middle: int) -> Frontier:
    """Each κ with the best of the answers, and its own bound."""

    def column(name: str) -> Floats:
        return np.array([getattr(one, name)[0] for one in answers])

    te, price = column("tracking_error"), column("objective") - column("risk")
    costs = price + 0.5 * risk_price[:, None] * te**2
    taken = np.argmin(costs, axis=1)
    objective = costs[np.arange(len(answers)), taken]
    moved = np.array([float(one.bought.sum() + one.sold.sum()) / 2 for one in answers])
    held = answers[middle]
    half_variance = float(held.hold_risk[0]) / risk_price[middle]
    return Frontier(
        risk_price=risk_price,
        tracking_error=te[taken],
        price=price[taken],
        tax=(column("tax") + column("year_tax"))[taken],
        trading_cost=column("cost")[taken],
        turnover=moved[taken],
        objective=objective,
        lower_bound=np.minimum(column("lower_bound"), objective),
        status=column("status").astype(np.int8)[taken],
        answers=tuple(answers),
        taken=taken.astype(np.int64),
        chosen=middle,
        hold_tracking_error=math.sqrt(max(2.0 * half_variance, 0.0)),
        hold_price=float(held.hold_objective[0] - held.hold_risk[0]),
        hold_feasible=bool(held.hold_feasible[0]),
    )
