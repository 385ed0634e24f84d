"""The optimiser beside general solvers, on the convex core alone.

The core of an account: the sides that our answer chose are given, names that it leaves alone stay,
and nothing that is not convex is left (no smallest trade, charges or steps). Over the names that
move, with active weights a, factor exposures y and weights s sold of each lot:

    minimise   κ/2 (‖y‖² + Σ dᵢ aᵢ²) + Σ tax_l s_l + Σ spreadᵢ |wᵢ − heldᵢ| − uᵀw
    subject to y = Bᵀa,  aᵢ + Σ s_l = heldᵢ − bᵢ for names sold,  Σ wᵢ = 1 − cash,
               0 ≤ s_l ≤ lot,  aᵢ ≥ heldᵢ − bᵢ for names bought

with a diagonal cost matrix and as many rows as there are factors and names sold: the sparse factor
form. Peers get these matrices, and making them is not counted. cvxpy, whose work is modelling,
starts where ours starts: from the problem's columns, written as one would (`cvxpy`); and once more
from the matrices (`cvxpy_factor_form`). Ours starts from the cost curves of the names, which hold
what the matrices hold, and is also counted whole, from columns to certified trades (`own_whole`).

The peers come with the extra `bench` and are imported when used. The caller brings the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.core_only import search_again
from allotment.optimize.offsets import n_under, owners
from allotment.optimize.problem import Market, Problems, SolveOptions
from allotment.optimize.solution import Solutions
from allotment.optimize.solve import solve_batch, workspace_for
from allotment.units import Floats, Index

_REPEATS = 15  # of ours, which is quick
_SEARCHES = 10  # of each account in one run, so that reading its columns does not count
_PEER_REPEATS = 3
_TOLERANCE = 1e-9
Clock = Callable[[], float]


class Core(NamedTuple):
    """One account's convex core as matrices. x = (a of the m names that move, y, s of their lots)."""

    P: Any  # (size, size) sparse diagonal
    q: Floats
    A: Any  # sparse, A x = b
    b: Floats
    low: Floats  # bounds of x; infinite for none
    high: Floats
    constant: float  # of the objective
    loadings: Floats  # (m, k) of the names that move, and what follows as cvxpy models it
    specific_variance: Floats  # (m,)
    lot_name: Index  # (lots,) position among the m
    market: Market
    problem: Problems


def convex_core(problems: Problems, answers: Solutions) -> Problems:
    """The problems with the sides of their answers given, and without what is not convex."""
    none = np.zeros(problems.n_accounts)
    sold = answers.sold_by_name(problems.lots_from)
    return problems._replace(
        may_buy=problems.may_buy & (answers.bought > 0.0),
        may_sell=problems.may_sell & (sold > 0.0),
        trade_min=none,
        ticket_charge=none,
        lot_charge=none,
        step=np.zeros(len(problems.held)),
    )


def core_matrices(market: Market, core: Problems) -> Core:
    """The quadratic program of a core of one account, whose cash is fixed and which has no rows."""
    from scipy import sparse

    assert core.n_accounts == 1
    assert core.cash_min[0] == core.cash_max[0]
    assert len(core.row_kind) == 0
    moves = core.may_buy | core.may_sell
    n_lots_of = n_under(core.lots_from)
    of_lot = np.repeat(np.arange(len(moves)), n_lots_of)
    lots = np.flatnonzero(core.may_sell[of_lot])
    place = np.cumsum(moves) - 1
    lot_name = place[of_lot[lots]].astype(np.int32)
    sells = core.may_sell[moves]
    loadings, d = market.loadings[core.asset_ix], market.specific_variance[core.asset_ix]
    m, k, n_lots = int(moves.sum()), loadings.shape[1], len(lots)
    kappa, start = float(core.risk_price[0]), (core.held - core.benchmark)
    still = start[~moves] @ loadings[~moves]  # exposure of the names that stay
    lift = np.where(sells, 0.0, core.half_spread[moves])  # a purchase costs its spread by its weight
    q = np.concatenate([lift, np.zeros(k), core.lot_tax[lots] + core.half_spread[of_lot[lots]]])
    chosen = np.flatnonzero(sells)
    rows = [
        sparse.hstack([-sparse.csc_matrix(loadings[moves].T), sparse.identity(k), _zeros(k, n_lots)]),
        sparse.hstack([_picked(chosen, m), _zeros(len(chosen), k), _picked(lot_name, m, chosen)]),
        sparse.csc_matrix(np.concatenate([np.ones(m), np.zeros(k + n_lots)])),
    ]
    invested = core.held.sum() + core.cash[0] - core.cash_min[0]
    total = invested - core.held[~moves].sum() - core.benchmark[moves].sum()
    unbounded = np.full(k, np.inf)
    return Core(
        P=sparse.diags(np.concatenate([kappa * d[moves], np.full(k, kappa), np.zeros(n_lots)]), format="csc"),
        q=q,
        A=sparse.vstack(rows, format="csc"),
        b=np.concatenate([still, start[moves][chosen], [total]]),
        low=np.concatenate([np.where(sells, -np.inf, start[moves]), -unbounded, np.zeros(n_lots)]),
        high=np.concatenate([np.full(m, np.inf), unbounded, core.lot_weight[lots]]),
        constant=float(kappa / 2 * (d[~moves] @ start[~moves] ** 2) - lift @ start[moves]),
        loadings=loadings[moves],
        specific_variance=d[moves],
        lot_name=lot_name,
        market=market,
        problem=core,
    )


def _zeros(n_rows: int, n_columns: int) -> Any:
    from scipy import sparse

    return sparse.csc_matrix((n_rows, n_columns))


def _picked(columns: Any, m: int, chosen: Any = None) -> Any:
    """A row of ones per chosen name: of the m names, or of the lots that belong to it."""
    from scipy import sparse

    if chosen is None:
        return sparse.identity(m, format="csr")[columns]
    by_name = sparse.csc_matrix(
        (np.ones(len(columns)), (columns, np.arange(len(columns)))), (m, len(columns))
    )
    return by_name.tocsr()[chosen]


def compare(clock: Clock, market: Market, problems: Problems) -> dict[str, Any]:
    """Milliseconds per account of ours and of each peer, their ratios, and how far objectives differ.

    problems: accounts that stand alone, without rows, washes, impact or utility, of a fixed cash
    weight. clock: seconds that only grow. A peer that is not installed is left out.
    """
    assert problems.n_joint == problems.n_accounts
    core = convex_core(problems, solve_batch(market, problems))
    own = solve_batch(market, core)
    n = core.n_accounts
    whole_ms = 1e3 / n * _least_seconds(clock, lambda: solve_batch(market, core))
    work, costs = workspace_for(market, core, np.arange(n)), np.empty(n)
    options = SolveOptions()
    search_again(market, core, work, options, 1, costs)  # compiled before the clock starts
    searched = _least_seconds(clock, lambda: search_again(market, core, work, options, _SEARCHES, costs))
    own_ms = 1e3 / n * searched / _SEARCHES
    cores = [core_matrices(market, core.account(a)) for a in range(n)]
    made: dict[str, Any] = {
        "accounts": n,
        "variables_mean": round(float(np.mean([len(one.q) for one in cores])), 1),
        "own_gap_bps_max": float(own.gap.max() * 1e4),
        "milliseconds": {"own": round(own_ms, 4), "own_whole": round(whole_ms, 4)},
        "objective_apart_max": {},
    }
    for name, solve in PEERS.items():
        try:
            solve(clock, cores[0])  # imported, and warm
        except ImportError:
            continue
        came = [[solve(clock, one) for _ in range(_PEER_REPEATS)] for one in cores]
        milliseconds = 1e3 * float(np.mean([min(seconds for seconds, _ in runs) for runs in came]))
        apart = [abs(runs[0][1] - costs[a]) for a, runs in enumerate(came)]
        made["milliseconds"][name] = round(milliseconds, 4)
        made["objective_apart_max"][name] = max(apart)
        made[f"ratio_{name}"] = round(milliseconds / own_ms, 1)
    return made


def _least_seconds(clock: Clock, work: Callable[[], object]) -> float:
    """The least of some runs: what else the machine does only adds."""
    taken = []
    for _ in range(_REPEATS):
        started = clock()
        work()
        taken.append(clock() - started)
    return min(taken)


def _cost(core: Core, x: Floats) -> float:
    return float(x @ (core.P @ x) / 2 + core.q @ x + core.constant)


def _by_piqp(clock: Clock, core: Core) -> tuple[float, float]:
    """Seconds and cost."""
    import piqp

    started = clock()
    solver: Any = piqp.SparseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = _TOLERANCE
    solver.setup(core.P, core.q, core.A, core.b, None, None, None, core.low, core.high)
    solver.solve()
    seconds = clock() - started
    return seconds, _cost(core, np.asarray(solver.result.x))


def _by_clarabel(clock: Clock, core: Core) -> tuple[float, float]:
    """Seconds and cost. Bounds become rows of the nonnegative cone."""
    import clarabel
    from scipy import sparse

    low, high = np.flatnonzero(np.isfinite(core.low)), np.flatnonzero(np.isfinite(core.high))
    one = sparse.identity(len(core.q), format="csr")
    A = sparse.vstack([core.A, -one[low], one[high]], format="csc")
    b = np.concatenate([core.b, -core.low[low], core.high[high]])
    P = sparse.triu(core.P, format="csc")
    cones = [clarabel.ZeroConeT(len(core.b)), clarabel.NonnegativeConeT(len(low) + len(high))]
    started = clock()
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    answer = clarabel.DefaultSolver(P, core.q, A, b, cones, settings).solve()
    seconds = clock() - started
    return seconds, _cost(core, np.asarray(answer.x))


def _by_cvxpy(clock: Clock, core: Core) -> tuple[float, float]:
    """Seconds and cost; weights sold of all lots and bought of all names, by Clarabel."""
    import cvxpy
    from scipy import sparse

    cp: Any = cvxpy
    p, market = core.problem, core.market
    started = clock()
    n, n_lots = len(p.held), len(p.lot_weight)
    name = owners(p.lots_from)
    by_name = sparse.csr_matrix((np.ones(n_lots), (name, np.arange(n_lots))), (n, n_lots))
    loadings, variance = market.loadings[p.asset_ix], market.specific_variance[p.asset_ix]
    sold, bought = cp.Variable(n_lots), cp.Variable(n)
    weight = p.held - by_name @ sold + bought
    active = weight - p.benchmark
    risk = cp.sum_squares(loadings.T @ active)
    risk += cp.sum_squares(cp.multiply(np.sqrt(variance), active))
    cost = p.risk_price[0] / 2 * risk + (p.lot_tax + p.half_spread[name]) @ sold + p.half_spread @ bought
    bounds = [sold >= 0, sold <= p.lot_weight * p.may_sell[name], bought >= 0, bought <= 1.0 * p.may_buy]
    bounds += [cp.sum(bought) - cp.sum(sold) == p.cash[0] - p.cash_min[0]]
    task = cp.Problem(cp.Minimize(cost), bounds)
    settings = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), _TOLERANCE)
    task.solve(solver=cp.CLARABEL, **settings)
    return clock() - started, float(task.value)


def _by_cvxpy_factor_form(clock: Clock, core: Core) -> tuple[float, float]:
    """Seconds and cost; the matrices of the factor form, by Clarabel."""
    import cvxpy

    cp: Any = cvxpy
    m, k = core.loadings.shape
    kappa = float(core.P[m, m])
    n_rows = len(core.b)
    started = clock()
    active, sold = cp.Variable(m), cp.Variable(len(core.lot_name))
    y = core.b[:k] + core.loadings.T @ active
    risk = cp.sum_squares(y) + cp.sum_squares(cp.multiply(np.sqrt(core.specific_variance), active))
    cost = kappa / 2 * risk + core.q[:m] @ active + core.q[m + k :] @ sold
    rest = core.A[k:n_rows]
    bounds = [rest[:, :m] @ active + rest[:, m + k :] @ sold == core.b[k:], sold >= 0]
    bounds += [sold <= core.high[m + k :]]
    bought = np.flatnonzero(np.isfinite(core.low[:m]))
    bounds += [active[bought] >= core.low[:m][bought]]
    task = cp.Problem(cp.Minimize(cost), bounds)
    settings = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), _TOLERANCE)
    task.solve(solver=cp.CLARABEL, **settings)
    seconds = clock() - started
    return seconds, float(task.value) + core.constant


PEERS: dict[str, Callable[[Clock, Core], tuple[float, float]]] = {
    "piqp": _by_piqp,
    "clarabel": _by_clarabel,
    "cvxpy": _by_cvxpy,
    "cvxpy_factor_form": _by_cvxpy_factor_form,
}
