"""Which inputs cannot be worked with; see `solution.Fault`."""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner
from allotment.optimize.problem import Market, Problems
from allotment.units import Bools, Index

# The values of `Fault`: kernels do not read enumerations.
_ACCOUNT, _NAME, _RISK, _LOT, _LIMITS, _ROW, _DUPLICATE, _REGIME = 1, 2, 3, 4, 5, 6, 7, 8
_BIG_KIND = 8  # the last of `RowKind`
_LARGEST = 1e12  # a larger number is a mistake, and sums with it hold nothing else
_LOTS_OVER_HELD = 1e-9  # Σ of lots may exceed the weight held by float rounding


@hidden
def find_fault(market: Market, problem: Problems, asset_seen: Bools, a: int) -> int:
    """The first fault of account a, as a Fault; 0 when there is none."""
    numbers = problem.risk_price[a] + abs(problem.cash[a]) + abs(problem.cash_min[a])
    numbers += abs(problem.cash_max[a]) + problem.value_usd[a]
    charges = problem.trade_min[a] + problem.ticket_charge[a] + problem.lot_charge[a]
    charges += problem.holding_min[a]
    if not numbers + charges <= _LARGEST or problem.value_usd[a] <= 0.0:
        return _ACCOUNT
    free_risk = problem.risk_price[a] == 0.0 and problem.te_max[a] == math.inf
    if problem.risk_price[a] < 0.0 or free_risk or not problem.te_max[a] > 0.0:
        return _ACCOUNT
    if not problem.big_from[a] >= 0.0 or problem.holding_min[a] < 0.0:
        return _ACCOUNT
    if problem.cash_min[a] > problem.cash_max[a] or problem.trade_min[a] < 0.0:
        return _ACCOUNT
    if problem.ticket_charge[a] < 0.0 or problem.lot_charge[a] < 0.0:
        return _ACCOUNT
    first = problem.names_from[a]
    last = problem.names_from[a + 1]
    for i in range(first, last):
        fault = _name_fault(market, problem, i)
        if fault > 0:
            return fault
    for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
        if not _row_is_sound(problem, r, last - first):
            return _ROW
    return _DUPLICATE if _has_duplicate(problem.asset_ix[first:last], asset_seen) else 0


@hidden
def regimes_are_sound(problem: Problems, first: int, last: int) -> bool:
    """Finite rates, ends the right way up and within reach."""
    for g in range(first, last):
        rates = abs(problem.regime_short_rate[g]) + abs(problem.regime_long_rate[g])
        if not rates + abs(problem.regime_constant[g]) <= _LARGEST:
            return False
        for x in range(3):
            lower, upper = problem.regime_lower[g, x], problem.regime_upper[g, x]
            if not lower <= upper or lower == math.inf or upper == -math.inf:
                return False
    return True


@hidden
def _name_fault(market: Market, problem: Problems, i: int) -> int:
    asset = problem.asset_ix[i]
    variance = market.specific_variance[asset]
    risk = variance
    for f in range(market.loadings.shape[1]):
        risk += abs(market.loadings[asset, f])
    if not risk <= _LARGEST or variance <= 0.0:
        return _RISK
    numbers = abs(problem.benchmark[i]) + problem.held[i] + abs(problem.utility[i]) + problem.half_spread[i]
    numbers += problem.young[i] + problem.step[i] + problem.impact[i]
    least = min(problem.held[i], problem.half_spread[i], problem.step[i])
    least = min(least, problem.young[i], problem.impact[i])
    priced = _is_price(problem.young_cost[i])
    for claim in range(problem.claims_from[i], problem.claims_from[i + 1]):
        numbers += problem.claim_weight[claim]
        least = min(least, problem.claim_weight[claim])
        priced = priced and _is_price(problem.claim_cost[claim])
    if not numbers <= _LARGEST or least < 0.0 or not priced:
        return _NAME
    low = problem.weight_min[i]
    high = problem.weight_max[i]
    if not abs(low) + abs(high) <= _LARGEST or low > high or high < 0.0:
        return _LIMITS
    total = 0.0
    for lot in range(problem.lots_from[i], problem.lots_from[i + 1]):
        weight = problem.lot_weight[lot]
        numbers = weight + abs(problem.lot_tax[lot]) + abs(problem.lot_gain[lot])
        if not numbers <= _LARGEST or weight < 0.0:
            return _LOT
        total += weight
    return _LOT if total > problem.held[i] + _LOTS_OVER_HELD * (1.0 + problem.held[i]) else 0


@inner
def _is_price(cost: float) -> bool:
    """A cost, or infinite for what is barred."""
    return 0.0 <= cost <= _LARGEST or cost == math.inf


@hidden
def _row_is_sound(problem: Problems, r: int, n: int) -> bool:
    lower = problem.row_lower[r]
    upper = problem.row_upper[r]
    if not lower <= upper or lower == math.inf or upper == -math.inf:
        return False
    if not 0.0 <= problem.row_price[r] <= _LARGEST or not 0 <= problem.row_kind[r] <= _BIG_KIND:
        return False
    for entry in range(problem.entries_from[r], problem.entries_from[r + 1]):
        inside = 0 <= problem.entry_name[entry] < n
        if not inside or not abs(problem.entry_coefficient[entry]) <= _LARGEST:
            return False
    return True


@inner
def _has_duplicate(assets: Index, asset_seen: Bools) -> bool:
    """`asset_seen` is all False before and after."""
    found = False
    for asset in assets:
        found = found or asset_seen[asset]
        asset_seen[asset] = True
    for asset in assets:
        asset_seen[asset] = False
    return found
