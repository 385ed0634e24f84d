"""A limit on tracking error: κ is its multiplier.

With TE² ≤ t² the bound is D at κ = κ₀ + λ less λ t²/2, for any λ ≥ 0; so λ is raised until the
minimisers over every branch keep the limit. With branches fixed TE falls smoothly as κ grows,
and the answer is brought onto the limit, because unused room costs.
"""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, part
from allotment.optimize.branches import keep
from allotment.optimize.counts import climb
from allotment.optimize.dual import Effort, copy_to, solve_chosen
from allotment.optimize.hessian import start_hessian
from allotment.optimize.load import price_risk
from allotment.optimize.workspace import Shape, Workspace
from allotment.units import Floats

_RISK_PRICE_MIN = 1e-2
_FIRST_RISK_PRICE = 100.0
_CLIMBS = 14
_CLOSE = 1e-3  # share of the limit by which the relaxed tracking error may miss it
_SOLVES = 14
_ROOM = 2e-6  # share of the limit left for rounding
_LEAST_RATIO = 1e-6  # an account that is its index has no tracking error at all
_POWER = 1.5  # tracking error falls about as κ to the power −2/3


@inner
def with_constants(shape: Shape, regime_constant: float, constant: float) -> Shape:
    """The same problem with other constants."""
    return Shape(
        shape.n,
        shape.n_accounts,
        shape.n_groups,
        shape.k,
        shape.size,
        shape.has_kinds,
        shape.has_counts,
        shape.has_limit,
        shape.n_regimes,
        shape.first_regime,
        regime_constant,
        constant,
    )


@hidden
def priced(shape: Shape, work: Workspace) -> Shape:
    """The problem at the accounts' κ: curvatures, Hessian, and the limits' part of the cost."""
    accounts = work.accounts
    constant = shape.regime_constant + price_risk(shape, accounts, work.names, work.multipliers)
    for a in range(shape.n_accounts):
        if accounts.te_max[a] < math.inf:
            over = accounts.risk_price[a] - accounts.own_risk_price[a]
            constant -= 0.5 * over * accounts.te_max[a] * accounts.te_max[a]
    start_hessian(shape, work)
    return with_constants(shape, shape.regime_constant, constant)


@hidden
def te_square(shape: Shape, work: Workspace, weight: Floats, a: int) -> float:
    """TE² of account a; `value` must hold the exposures of the weights."""
    names, accounts = work.names, work.accounts
    total = 0.0
    for i in range(accounts.start[a], accounts.start[a + 1]):
        active = weight[i] - names.benchmark[i]
        total += names.specific[i] * active * active
    for f in range(accounts.offset[a], accounts.offset[a] + shape.k):
        total += work.multipliers.value[f] * work.multipliers.value[f]
    return total


@hidden
def _set_risk_price(shape: Shape, work: Workspace, a: int, risk_price: float) -> None:
    """Factor prices grow with κ."""
    accounts, m = work.accounts, work.multipliers
    ratio = risk_price / accounts.risk_price[a]
    accounts.risk_price[a] = risk_price
    for f in range(accounts.offset[a], accounts.offset[a] + shape.k):
        m.theta[f] *= ratio


@hidden
def _move_risk_price(
    shape: Shape, work: Workspace, a: int, ratio: float, close: float, te_price: float
) -> bool:
    """Move κ of account a, whose TE is `ratio` times its target, towards it; False when it stands
    well. TE falls about as a power of κ: a secant in logarithms, inside what is known."""
    accounts, brackets = work.accounts, work.risk_prices
    now = accounts.risk_price[a]
    least = max(accounts.own_risk_price[a], accounts.share[a] * _RISK_PRICE_MIN)
    most = accounts.own_risk_price[a] + accounts.share[a] * te_price
    if -close < ratio - 1.0 <= 0.0 or (ratio <= 1.0 and now <= least) or (ratio > 1.0 and now >= most):
        return False
    before, before_ratio = brackets.low_value[a], brackets.high_value[a]
    if ratio > 1.0:
        brackets.low[a] = now
    else:
        brackets.high[a] = now
    power = -1.0 / _POWER
    ratio = max(ratio, _LEAST_RATIO)
    if before > 0.0 and before != now and before_ratio != ratio:
        slope = math.log(ratio / before_ratio) / math.log(now / before)
        power = slope if slope < -0.02 else power
    # A little further than the target, so that its inner side is met.
    wanted = now * math.exp(min(2.0, max(-2.0, -(math.log(ratio) + 0.4 * close) / power)))
    low, high = brackets.low[a], brackets.high[a]
    if low > 0.0 and high > 0.0 and not low < wanted < high:
        wanted = math.sqrt(low * high)
    wanted = min(most, max(least, wanted))
    if wanted == now:
        return False
    brackets.low_value[a], brackets.high_value[a] = now, ratio
    _set_risk_price(shape, work, a, wanted)
    return True


@hidden
def start_limits(shape: Shape, work: Workspace) -> None:
    """A first κ for accounts whose tracking error is limited."""
    accounts = work.accounts
    for a in range(shape.n_accounts):
        if accounts.te_max[a] < math.inf and accounts.own_risk_price[a] <= 0.0:
            accounts.risk_price[a] = accounts.share[a] * _FIRST_RISK_PRICE


@hidden
def _forget(shape: Shape, work: Workspace) -> None:
    for a in range(shape.n_accounts):
        work.risk_prices.low[a], work.risk_prices.high[a] = 0.0, 0.0
        work.risk_prices.low_value[a], work.risk_prices.high_value[a] = 0.0, 0.0


@part
def climb_limits(
    shape: Shape, work: Workspace, table: Floats, te_price: float, bound: float, effort: Effort
) -> tuple[Shape, float]:
    """`counts.climb` over κ too; returns the problem at the last κ and the best bound."""
    accounts = work.accounts
    _forget(shape, work)
    shape = priced(shape, work)
    for trial in range(_CLIMBS):
        bound = climb(shape, work, table, bound, effort)
        if bound >= effort.enough:
            break
        moved = False
        for a in range(shape.n_accounts):
            if accounts.te_max[a] < math.inf and trial < _CLIMBS - 1:
                ratio = math.sqrt(te_square(shape, work, work.state.weight, a)) / accounts.te_max[a]
                moved = _move_risk_price(shape, work, a, ratio, _CLOSE, te_price) or moved
        if not moved:
            break
        shape = priced(shape, work)
    return shape, bound


@part
def meet_limits(shape: Shape, work: Workspace, table: Floats, te_price: float, room: float) -> Shape:
    """With the answer's branches fixed, bring each account onto its limit less a share `room`; the
    answer is kept. Returns the problem at the last κ."""
    accounts, state, answer = work.accounts, work.state, work.answer
    for i in range(shape.n):
        state.chosen[i] = answer.piece[i]
    copy_to(work.multipliers.theta, answer.theta, shape.size)
    copy_to(accounts.risk_price, answer.risk_price, shape.n_accounts)
    _forget(shape, work)
    shape = priced(shape, work)
    for trial in range(_SOLVES):
        solve_chosen(shape, work, table)
        moved = False
        keep(shape, work)
        for a in range(shape.n_accounts):
            if accounts.te_max[a] < math.inf and trial < _SOLVES - 1:
                target = accounts.te_max[a] * (1.0 - room)
                ratio = math.sqrt(te_square(shape, work, state.weight, a)) / target
                moved = _move_risk_price(shape, work, a, ratio, _ROOM, te_price) or moved
        if not moved:
            break
        shape = priced(shape, work)
    return shape
