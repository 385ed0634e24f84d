"""One account's columns into the workspace."""

from __future__ import annotations

import math

from allotment.compiled import inner
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.workspace import Account, Entries, Lots, Multipliers, Names, Workspace
from allotment.units import Index


@inner
def load(market: Market, problem: Problems, work: Workspace, options: SolveOptions, a: int) -> Account:
    """Fill names, lots, entries and the ends of the rows; returns the account's numbers."""
    _load_names(market, problem, work.names, a)
    n = problem.names_from[a + 1] - problem.names_from[a]
    k = market.loadings.shape[1]
    _load_ends(market, problem, work.multipliers, options, a)
    _load_entries(problem, work.entries, a, k)
    _load_lots(problem, work.lots, a)
    n_groups = _link_groups(market.group_ix, work.names, work.group_last, n)
    return Account(
        n,
        n_groups,
        k,
        problem.risk_price[a],
        problem.trade_min[a],
        problem.ticket_charge[a],
        problem.lot_charge[a],
        options.cash_price,
        options.limit_price,
    )


@inner
def _load_names(market: Market, problem: Problems, names: Names, a: int) -> None:
    first = problem.names_from[a]
    for i in range(problem.names_from[a + 1] - first):
        name = first + i
        asset = problem.asset_ix[name]
        names.asset[i] = asset
        names.benchmark[i] = problem.benchmark[name]
        names.held[i] = problem.held[name]
        names.utility[i] = problem.utility[name]
        names.curvature[i] = problem.risk_price[a] * market.specific_variance[asset]
        names.slack[i] = 1.0 / names.curvature[i]
        names.half_spread[i] = problem.half_spread[name]
        names.weight_min[i] = problem.weight_min[name]
        names.weight_max[i] = problem.weight_max[name]
        exposed = problem.wash_exposed[name]
        names.wash_exposed[i] = exposed
        names.wash_cost[i] = problem.wash_cost[name]
        names.may_buy[i] = problem.may_buy[name] and not (
            exposed > 0.0 and math.isinf(problem.wash_cost[name])
        )
        names.step[i] = problem.step[name]


@inner
def _load_ends(
    market: Market, problem: Problems, multipliers: Multipliers, options: SolveOptions, a: int
) -> None:
    k = market.loadings.shape[1]
    multipliers.benchmark_value[:] = 0.0
    whole = problem.cash[a]
    for name in range(problem.names_from[a], problem.names_from[a + 1]):
        whole += problem.held[name]
        for f in range(k):
            loading = market.loadings[problem.asset_ix[name], f]
            multipliers.benchmark_value[f] += problem.benchmark[name] * loading
    multipliers.lower[k] = whole - problem.cash_max[a]
    multipliers.upper[k] = whole - problem.cash_min[a]
    multipliers.price[k] = options.cash_price
    first = problem.rows_from[a]
    for r in range(first, problem.rows_from[a + 1]):
        row = k + 1 + r - first
        multipliers.lower[row] = problem.row_lower[r]
        multipliers.upper[row] = problem.row_upper[r]
        multipliers.price[row] = problem.row_price[r]


@inner
def _load_entries(problem: Problems, entries: Entries, a: int, k: int) -> None:
    """Turn the rows' entries round: by name instead of by row."""
    n = problem.names_from[a + 1] - problem.names_from[a]
    first = problem.rows_from[a]
    last = problem.rows_from[a + 1]
    start = entries.start
    start[: n + 1] = 0
    for entry in range(problem.entries_from[first], problem.entries_from[last]):
        start[problem.entry_name[entry] + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    # Filling moves each start to its end, which is the next one's start: shift back afterwards.
    for r in range(first, last):
        for entry in range(problem.entries_from[r], problem.entries_from[r + 1]):
            i = problem.entry_name[entry]
            entries.row[start[i]] = k + 1 + r - first
            entries.coefficient[start[i]] = problem.entry_coefficient[entry]
            start[i] += 1
    for i in range(n, 0, -1):
        start[i] = start[i - 1]
    start[0] = 0


@inner
def _load_lots(problem: Problems, lots: Lots, a: int) -> None:
    """The sellable lots of each name, sorted by rate."""
    first = problem.names_from[a]
    n = problem.names_from[a + 1] - first
    end = 0
    for i in range(n):
        name = first + i
        start = end
        lots.start[i] = start
        if not problem.may_sell[name]:
            continue
        for row in range(problem.lots_from[name], problem.lots_from[name + 1]):
            weight = problem.lot_weight[row]
            barred = problem.lot_is_loss[row] and problem.young[name] > 0.0
            if barred or not problem.lot_sellable[row] or weight <= 0.0:
                continue
            charge = problem.lot_charge[a] / weight
            rate = problem.lot_tax[row] + problem.half_spread[name] + charge
            place = end
            while place > start and lots.rate[place - 1] > rate:
                lots.rate[place] = lots.rate[place - 1]
                lots.row[place] = lots.row[place - 1]
                place -= 1
            lots.rate[place] = rate
            lots.row[place] = row
            end += 1
        for place in range(start, end):
            lots.weight[place] = problem.lot_weight[lots.row[place]]
            lots.is_loss[place] = problem.lot_is_loss[lots.row[place]]
    lots.start[n] = end


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
