"""The Hessian of the dual, kept up to date name by name.

diag(1/κ) + Σ over free names of slack E_i E_iᵀ, E_i the name's loadings, 1 for the budget, its
coefficients in linear rows, and the slopes of what other rows count. Lower triangle only.
"""

from __future__ import annotations

from allotment.compiled import hidden, inner
from allotment.optimize.load import LINEAR
from allotment.optimize.workspace import Accounts, Entries, Extra, Multipliers, Shape, Workspace
from allotment.units import Floats


@hidden
def start_hessian(shape: Shape, work: Workspace) -> None:
    """Forget the names counted; what is left is the curvature of the multipliers themselves."""
    m = work.multipliers
    m.hessian[:, :] = 0.0
    for r in range(shape.size):
        m.hessian[r, r] = 1.0 / m.risk_price[r] if m.risk_price[r] > 0.0 else m.damping[r]
    work.state.free_counted[: shape.n] = 0.0


@inner
def extras(
    shape: Shape,
    accounts: Accounts,
    entries: Entries,
    m: Multipliers,
    extra: Extra,
    slopes: Floats,
    a: int,
    i: int,
) -> int:
    """Rows and coefficients of name i beside its loadings; returns how many."""
    extra.row[0], extra.coefficient[0] = accounts.offset[a] + shape.k, 1.0
    count = 1
    for entry in range(entries.start[i], entries.start[i + 1]):
        extra.row[count], extra.coefficient[count] = entries.row[entry], entries.coefficient[entry]
        count += 1
    if shape.has_kinds:
        for r in range(shape.size):
            kind = m.kind[r]
            if kind == LINEAR or slopes[kind] == 0.0 or (m.account[r] >= 0 and m.account[r] != a):
                continue
            share = 1.0 if m.account[r] >= 0 else accounts.share[a]
            extra.row[count], extra.coefficient[count] = r, share * slopes[kind]
            count += 1
    return count


@inner
def _add(
    shape: Shape,
    m: Multipliers,
    extra: Extra,
    table: Floats,
    offset: int,
    row: int,
    change: float,
    count: int,
) -> None:
    """Add change × E_i E_iᵀ."""
    hessian = m.hessian
    for f in range(shape.k):
        scaled = change * table[row, f]
        for g in range(f + 1):
            hessian[offset + f, offset + g] += scaled * table[row, g]
    for x in range(count):
        r = extra.row[x]
        scaled = change * extra.coefficient[x]
        for f in range(shape.k):
            hessian[r, offset + f] += scaled * table[row, f]
        for y in range(count):
            if extra.row[y] <= r:
                hessian[r, extra.row[y]] += scaled * extra.coefficient[y]


@hidden
def count_free(shape: Shape, work: Workspace, table: Floats) -> None:
    """Bring the Hessian up to date with the names that became free or ceased to be."""
    accounts, names, state, m, extra = work.accounts, work.names, work.state, work.multipliers, work.extra
    for a in range(shape.n_accounts):
        offset = accounts.offset[a]
        for i in range(accounts.start[a], accounts.start[a + 1]):
            before, now = state.free_counted[i], state.free[i]
            turned = False
            if shape.has_kinds and before != 0.0 and now != 0.0:
                for kind in range(state.slopes.shape[1]):
                    turned = turned or state.slopes[i, kind] != state.slopes_counted[i, kind]
            if before == now and not turned:
                continue
            change = now - before
            if shape.has_kinds and before != 0.0 and (turned or now == 0.0):
                old = extras(shape, accounts, work.entries, m, extra, state.slopes_counted[i], a, i)
                _add(shape, m, extra, table, offset, names.asset[i], -before, old)
                change = now
            if change != 0.0:
                count = extras(shape, accounts, work.entries, m, extra, state.slopes[i], a, i)
                _add(shape, m, extra, table, offset, names.asset[i], change, count)
            state.free_counted[i] = now
            if shape.has_kinds:
                for kind in range(state.slopes.shape[1]):
                    state.slopes_counted[i, kind] = state.slopes[i, kind]
