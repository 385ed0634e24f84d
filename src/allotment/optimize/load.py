"""One problem's columns into the workspace."""

from __future__ import annotations

import math

from allotment.compiled import hidden, inner, part
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.workspace import (
    Accounts,
    Claims,
    Lots,
    Multipliers,
    Names,
    Shape,
    Workspace,
)
from allotment.units import Index

# The values of `RowKind`: kernels do not read enumerations.
LINEAR, TURNOVER, GAIN_SHORT, GAIN_LONG, GAIN, TAX, TRADES, HOLDINGS, BIG = 0, 1, 2, 3, 4, 5, 6, 7, 8
TINY_STEP = 1e-7  # of weight; rounding by less changes no cost worth looking at
STEP_DUST = 1e-7  # steps; closer than this to a whole number is whole
_ROW_DAMPING = 1e-3  # a row without a free name has no curvature, and rows may add up to Σw


@part
def load(market: Market, problem: Problems, work: Workspace, options: SolveOptions, j: int) -> Shape:
    """Fill names, lots, entries and the ends of the rows; returns the problem's numbers."""
    k = market.loadings.shape[1]
    accounts = work.accounts
    first, last = problem.joint_from[j], problem.joint_from[j + 1]
    whole = 0.0
    for a in range(first, last):
        whole += problem.value_usd[a]
    n, offset, has_limit = 0, 0, False
    for a in range(first, last):
        at = a - first
        accounts.start[at], accounts.offset[at] = n, offset
        share = 1.0 if last - first == 1 else problem.value_usd[a] / whole
        accounts.share[at] = share
        accounts.risk_price[at] = accounts.own_risk_price[at] = share * problem.risk_price[a]
        accounts.te_max[at] = problem.te_max[a]
        has_limit = has_limit or problem.te_max[a] < math.inf
        accounts.trade_min[at] = problem.trade_min[a]
        accounts.holding_min[at] = problem.holding_min[a]
        accounts.big_from[at] = problem.big_from[a]
        accounts.ticket_charge[at] = share * problem.ticket_charge[a]
        accounts.lot_charge[at] = share * problem.lot_charge[a]
        accounts.limit_price[at] = share * options.limit_price
        accounts.in_order[at] = problem.in_order[a]
        accounts.kind_price[at, :] = 0.0
        accounts.kind_built[at, :] = 0.0
        accounts.charged[at] = (
            problem.trade_min[a] > 0.0 or problem.ticket_charge[a] > 0.0 or problem.holding_min[a] > 0.0
        )
        accounts.parts_holdings[at] = problem.holding_min[a] > 0.0
        accounts.parts_big[at] = False
        offset += k + 1
        for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
            offset += 0 if problem.row_joint[r] else 1
        n += problem.names_from[a + 1] - problem.names_from[a]
    accounts.start[last - first] = n
    size, has_kinds, has_counts = _load_ends(market, problem, work, options, j, offset)
    _load_entries(problem, work, first, last, k)
    _load_names(market, problem, work.names, accounts, first, last)
    _load_lots(problem, work.lots, accounts, first, last)
    _load_claims(problem, work.claims, work.names, accounts, first, last)
    return Shape(
        n,
        last - first,
        _link_groups(market.group_ix, work.names, work.group_last, n),
        k,
        size,
        has_kinds,
        has_counts,
        has_limit,
        problem.regimes_from[j + 1] - problem.regimes_from[j],
        problem.regimes_from[j],
        0.0,
        0.0,
    )


@hidden
def _load_names(
    market: Market, problem: Problems, names: Names, accounts: Accounts, first: int, last: int
) -> None:
    i = 0
    for a in range(first, last):
        share = accounts.share[a - first]
        for name in range(problem.names_from[a], problem.names_from[a + 1]):
            asset = problem.asset_ix[name]
            names.account[i] = a - first
            names.asset[i] = asset
            names.benchmark[i] = problem.benchmark[name]
            names.held[i] = problem.held[name]
            names.utility[i] = share * problem.utility[name]
            names.specific[i] = market.specific_variance[asset]
            names.impact[i] = share * problem.impact[name]
            names.half_spread[i] = share * problem.half_spread[name]
            names.weight_min[i] = problem.weight_min[name]
            names.weight_max[i] = problem.weight_max[name]
            finite = problem.young[name] > 0.0 and 0.0 < problem.young_cost[name] < math.inf
            names.young[i] = problem.young[name] if finite else 0.0
            names.young_cost[i] = share * problem.young_cost[name] if finite else 0.0
            names.may_buy[i] = problem.may_buy[name]
            rebuys = problem.may_rebuy[name] and problem.may_buy[name]
            names.may_rebuy[i] = rebuys and not problem.in_order[a] and _whole_gains(problem, name)
            names.step[i] = problem.step[name]
            i += 1


@hidden
def _whole_gains(problem: Problems, name: int) -> bool:
    """Lots at a gain are whole steps, or steps are small."""
    step = problem.step[name]
    whole = True
    for row in range(problem.lots_from[name], problem.lots_from[name + 1]):
        if step >= TINY_STEP and not problem.lot_is_loss[row]:
            steps = problem.lot_weight[row] / step
            whole = whole and abs(steps - round(steps)) <= STEP_DUST
    return whole


@inner
def price_risk(shape: Shape, accounts: Accounts, names: Names, multipliers: Multipliers) -> float:
    """Curvatures and centres for the κ at work; returns the cost that completing squares leaves."""
    constant = 0.0
    for a in range(shape.n_accounts):
        risk_price = accounts.risk_price[a]
        offset = accounts.offset[a]
        for f in range(offset, offset + shape.k):
            multipliers.risk_price[f] = risk_price
        for i in range(accounts.start[a], accounts.start[a + 1]):
            pull = risk_price * names.specific[i]
            push = 2.0 * names.impact[i]
            if push == 0.0:
                names.curvature[i] = pull
                names.center[i] = names.benchmark[i]
            else:
                names.curvature[i] = pull + push
                names.center[i] = (pull * names.benchmark[i] + push * names.held[i]) / (pull + push)
                apart = names.benchmark[i] - names.held[i]
                constant += 0.5 * pull * push / (pull + push) * apart * apart
            names.slack[i] = 1.0 / names.curvature[i]
    return constant


@hidden
def _load_ends(
    market: Market, problem: Problems, work: Workspace, options: SolveOptions, j: int, shared: int
) -> tuple[int, bool, bool]:
    """Ends and kinds of all multipliers; `shared` is the first row of all accounts. Returns their
    number, and whether rows are of other kinds, and jump."""
    m, accounts = work.multipliers, work.accounts
    k = market.loadings.shape[1]
    first, last = problem.joint_from[j], problem.joint_from[j + 1]
    has_kinds, has_counts = False, False
    for a in range(first, last):
        at = a - first
        offset = accounts.offset[at]
        for f in range(k + 1):
            m.benchmark_value[offset + f] = 0.0
            m.kind[offset + f], m.account[offset + f], m.first[offset + f] = LINEAR, at, offset
            m.risk_price[offset + f], m.damping[offset + f] = 0.0, 0.0
        whole = problem.cash[a]
        for name in range(problem.names_from[a], problem.names_from[a + 1]):
            whole += problem.held[name]
            asset = problem.asset_ix[name]
            for f in range(k):
                m.benchmark_value[offset + f] += problem.benchmark[name] * market.loadings[asset, f]
        m.lower[offset + k] = whole - problem.cash_max[a]
        m.upper[offset + k] = whole - problem.cash_min[a]
        m.price[offset + k] = accounts.share[at] * options.cash_price
        m.damping[offset + k] = _ROW_DAMPING
        own = offset + k + 1
        for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
            joint = problem.row_joint[r]
            row = shared if joint else own
            kind = problem.row_kind[r]
            has_kinds = has_kinds or kind != LINEAR
            has_counts = has_counts or kind >= TRADES
            m.benchmark_value[row] = 0.0
            m.lower[row], m.upper[row] = problem.row_lower[r], problem.row_upper[r]
            m.price[row] = problem.row_price[r] * (1.0 if joint else accounts.share[at])
            m.kind[row], m.risk_price[row], m.damping[row] = kind, 0.0, _ROW_DAMPING
            m.account[row], m.first[row] = (-1, 0) if joint else (at, offset)
            for b in range(last - first):
                if joint or b == at:
                    accounts.charged[b] = accounts.charged[b] or kind == TRADES
                    accounts.parts_holdings[b] = accounts.parts_holdings[b] or kind == HOLDINGS
                    accounts.parts_big[b] = accounts.parts_big[b] or kind == BIG
            if joint:
                shared += 1
            else:
                own += 1
    if problem.regimes_from[j + 1] > problem.regimes_from[j]:
        for kind in (GAIN_SHORT, GAIN_LONG, GAIN):
            m.benchmark_value[shared], m.risk_price[shared], m.damping[shared] = 0.0, 0.0, _ROW_DAMPING
            m.kind[shared], m.account[shared], m.first[shared] = kind, -1, 0
            m.price[shared] = options.regime_price
            shared += 1
        has_kinds = True
    return shared, has_kinds, has_counts


@hidden
def _load_entries(problem: Problems, work: Workspace, first: int, last: int, k: int) -> None:
    """Turn the linear rows' entries round: by name instead of by row."""
    entries, accounts = work.entries, work.accounts
    n = accounts.start[last - first]
    start = entries.start
    start[: n + 1] = 0
    for a in range(first, last):
        base = accounts.start[a - first]
        rows_first, rows_last = problem.rows_from[a], problem.rows_from[a + 1]
        for entry in range(problem.entries_from[rows_first], problem.entries_from[rows_last]):
            start[base + problem.entry_name[entry] + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    # Filling moves each start to its end, which is the next one's start: shift back afterwards.
    for a in range(first, last):
        base = accounts.start[a - first]
        row = accounts.offset[a - first] + k + 1
        for r in range(problem.rows_from[a], problem.rows_from[a + 1]):
            if problem.row_joint[r]:
                continue
            for entry in range(problem.entries_from[r], problem.entries_from[r + 1]):
                i = base + problem.entry_name[entry]
                entries.row[start[i]] = row
                entries.coefficient[start[i]] = problem.entry_coefficient[entry]
                start[i] += 1
            row += 1
    for i in range(n, 0, -1):
        start[i] = start[i - 1]
    start[0] = 0


@hidden
def _load_lots(problem: Problems, lots: Lots, accounts: Accounts, first: int, last: int) -> None:
    """The lots of each name that can be sold, in the order of their columns."""
    end = 0
    i = 0
    for a in range(first, last):
        share = accounts.share[a - first]
        for name in range(problem.names_from[a], problem.names_from[a + 1]):
            lots.start[i] = end
            i += 1
            if not problem.may_sell[name]:
                continue
            bars_losses = problem.young[name] > 0.0 and math.isinf(problem.young_cost[name])
            for row in range(problem.lots_from[name], problem.lots_from[name + 1]):
                weight = problem.lot_weight[row]
                if weight <= 0.0:
                    continue
                barred = problem.lot_is_loss[row] and bars_losses
                if barred or not problem.lot_sellable[row]:
                    if problem.in_order[a]:
                        break  # what comes after it cannot be reached
                    continue
                charge = problem.lot_charge[a] / weight
                rate = problem.lot_tax[row] + problem.half_spread[name] + charge
                lots.order[end] = end
                lots.row[end] = row
                lots.weight[end] = weight
                lots.base[end] = lots.rate[end] = lots.price[end] = share * rate
                lots.gain[end] = problem.lot_gain[row]
                lots.tax[end] = problem.lot_tax[row]
                lots.is_long[end] = problem.lot_is_long[row]
                lots.is_loss[end] = problem.lot_is_loss[row]
                end += 1
    lots.start[i] = end


@hidden
def _load_claims(
    problem: Problems, claims: Claims, names: Names, accounts: Accounts, first: int, last: int
) -> None:
    """The claims of each name, those of one price one after another as one, and what they rule out: to
    buy where one bars, to sell and buy back where one is open."""
    i, end = 0, 0
    for a in range(first, last):
        share = accounts.share[a - first]
        for name in range(problem.names_from[a], problem.names_from[a + 1]):
            claims.start[i] = begin = end
            costs = False
            for row in range(problem.claims_from[name], problem.claims_from[name + 1]):
                weight, cost = problem.claim_weight[row], share * problem.claim_cost[row]
                names.may_rebuy[i] = False
                if math.isinf(cost):
                    names.may_buy[i] = False
                costs = costs or cost > 0.0
                if end > begin and claims.cost[end - 1] == cost:
                    claims.weight[end - 1] += weight
                else:
                    claims.weight[end], claims.cost[end] = weight, cost
                    end += 1
            if not (costs and names.may_buy[i]):
                end = begin
            i += 1
    claims.start[i] = end


@hidden
def set_regime(shape: Shape, problem: Problems, work: Workspace, regime: int) -> None:
    """Price lots by a regime of the year, and set its ends."""
    lots, accounts, m = work.lots, work.accounts, work.multipliers
    for a in range(shape.n_accounts):
        share = accounts.share[a]
        for place in range(lots.start[accounts.start[a]], lots.start[accounts.start[a + 1]]):
            tax = _rate(problem, regime, lots.is_long[place]) * lots.gain[place]
            lots.rate[place] = lots.base[place] + share * tax
            lots.price[place] = lots.rate[place]
    for x in range(3):
        row = shape.size - 3 + x
        m.lower[row] = problem.regime_lower[regime, x]
        m.upper[row] = problem.regime_upper[regime, x]


@hidden
def _rate(problem: Problems, regime: int, is_long: bool) -> float:
    rate: float = problem.regime_long_rate[regime] if is_long else problem.regime_short_rate[regime]
    return rate


@inner
def _link_groups(group_ix: Index, names: Names, group_last: Index, n: int) -> int:
    """Link the names of each substantially identical group; returns how many have several."""
    n_groups = 0
    for i in range(n):
        names.in_group[i] = False
        names.group_next[i] = -1
        group = group_ix[names.asset[i]]
        last = group_last[group]
        group_last[group] = i
        if last < 0:
            continue
        if not names.in_group[last]:
            names.group_head[n_groups] = last
            n_groups += 1
        names.in_group[last] = True
        names.in_group[i] = True
        names.group_next[last] = i
    for i in range(n):
        group_last[group_ix[names.asset[i]]] = -1
    return n_groups
