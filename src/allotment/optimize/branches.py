"""The search over branches: which piece of its cost curve each name takes.

First the dual over every branch is climbed; its minimisers are the first choice. Then, with the
choice fixed, the convex problem is solved exactly. What a flip of one group from piece c to
piece a would bring is known to second order without solving again: φ_a − φ_c + ½‖L⁻¹E Δw‖²,
L the Cholesky factor of the Hessian; several flips together cost Σ (φ_a − φ_c) + ½‖Σ L⁻¹E Δw‖².
A local search over single flips and pairs on this model proposes, an exact solve disposes.

A branch whose φ exceeds the group's best by more than the gap is in no better answer, so it is
no candidate: D + (φ_a − φ_best) bounds every answer that takes it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from allotment.compiled import hidden, inner, part
from allotment.optimize.curves import piece_minimum
from allotment.optimize.dual import copy_to, minima, solve_chosen
from allotment.optimize.flips import best_flips
from allotment.optimize.linear import factorise, solve_lower
from allotment.optimize.load import LINEAR, TRADES
from allotment.optimize.measures import charged_for, measure
from allotment.optimize.minima import chosen_minima, group_minimum, name_minimum
from allotment.optimize.pieces import BUY, SELL
from allotment.optimize.problem import SolveOptions
from allotment.optimize.workspace import (
    CANDIDATES_MAX,
    Candidates,
    Curves,
    Multipliers,
    Names,
    Shape,
    State,
    Workspace,
)
from allotment.units import Floats, Index

_FIRST_THRESHOLD = 1e-5  # excess of candidates before a gap is known
_WORTH = 1e-9  # a smaller improvement is not worth another solve


class Found(NamedTuple):
    """What the search ended with, as fractions of the problem's value."""

    cost: float
    bound: float
    n_solves: int


@inner
def row_costs(shape: Shape, m: Multipliers) -> float:
    """Risk by factors, and the price of all rows' excess, at `value`."""
    total = 0.0
    for r in range(shape.size):
        value = m.value[r]
        if m.risk_price[r] > 0.0:
            total += 0.5 * m.risk_price[r] * value * value
            continue
        excess = max(value - m.upper[r], m.lower[r] - value)
        if excess > 0.0:
            total += m.price[r] * excess
    return total


@hidden
def answer_cost(shape: Shape, work: Workspace) -> float:
    """Cost of the current minimisers on the chosen pieces, leaving rows priced."""
    names, state = work.names, work.state
    total = shape.constant
    for i in range(shape.n):
        total += state.phi[i] - (state.q[i] + names.utility[i]) * state.weight[i]
    if shape.has_kinds:
        total -= charged_for(shape, work.accounts)
    return total + row_costs(shape, work.multipliers)


@inner
def _add(candidates: Candidates, count: int, name: int, cost: float, piece: int) -> int:
    """Append a flip; when the list is full, it takes the dearest one's place or none."""
    place = count
    if count == CANDIDATES_MAX:
        place = 0
        for c in range(1, count):
            if candidates.cost[c] > candidates.cost[place]:
                place = c
        if cost >= candidates.cost[place]:
            return count
    candidates.name[place] = name
    candidates.cost[place] = cost
    candidates.piece[place] = piece
    return max(count, place + 1)


@inner
def _collect_name(
    names: Names,
    curves: Curves,
    state: State,
    candidates: Candidates,
    i: int,
    barred: int,
    threshold: float,
    count: int,
) -> int:
    """The flip of name i to its best other piece whose mode is not barred."""
    best = 1e300
    other = -1
    for piece in range(curves.start[i], curves.start[i + 1]):
        if piece == state.chosen[i] or curves.mode[piece] == barred:
            continue
        phi, weight = piece_minimum(names, curves, i, piece, state.q[i])
        if phi < best and weight != candidates.weight[i]:
            best = phi
            other = piece
    now = candidates.phi[i]
    if other < 0 or best - min(best, now) > threshold:
        return count
    return _add(candidates, count, i, best - now, other)


@hidden
def _collect(shape: Shape, work: Workspace, threshold: float) -> int:
    """List the flips within `threshold` of their group's best branch, the nearest ones if too many."""
    names, curves, state, candidates = work.names, work.curves, work.state, work.candidates
    count = 0
    for i in range(shape.n):
        if not names.in_group[i] and curves.start[i + 1] - curves.start[i] > 1:
            count = _collect_name(names, curves, state, candidates, i, -1, threshold, count)
    for g in range(shape.n_groups):
        count = _collect_group(names, curves, state, candidates, names.group_head[g], threshold, count)
    return count


@inner
def _collect_group(
    names: Names,
    curves: Curves,
    state: State,
    candidates: Candidates,
    head: int,
    threshold: float,
    count: int,
) -> int:
    """The flips of a group: single names inside its mode, and all of it to the other one."""
    now = 0.0
    barred = state.chosen_barred[head]
    i = head
    while i >= 0:
        now += candidates.phi[i]
        if curves.start[i + 1] - curves.start[i] > 1:
            count = _collect_name(names, curves, state, candidates, i, barred, threshold, count)
        i = names.group_next[i]
    best = group_minimum(names, curves, state, head, state.q, BUY if barred == SELL else SELL)
    if best - min(best, now) > threshold:
        return count
    return _add(candidates, count, head, best - now, -1 - (BUY if barred == SELL else SELL))


@hidden
def _image(shape: Shape, work: Workspace, table: Floats, c: int) -> None:
    """image[c] ← L⁻¹ E Δw. Overwrites the minimisers of a group's names."""
    names, curves, state, m = work.names, work.curves, work.state, work.multipliers
    candidates, accounts, extra = work.candidates, work.accounts, work.extra
    image = candidates.image[c]
    image[:] = 0.0
    i = candidates.name[c]
    piece = candidates.piece[c]
    while i >= 0:
        place = piece
        if piece >= 0:
            _, weight = piece_minimum(names, curves, i, piece, state.q[i])
        else:
            name_minimum(names, curves, state, i, state.q[i], -1 - piece)
            weight = state.weight[i]
            place = state.piece[i]
        change = weight - candidates.weight[i]
        a = names.account[i]
        row, offset = names.asset[i], accounts.offset[a]
        for f in range(shape.k):
            image[offset + f] += change * table[row, f]
        image[offset + shape.k] += change
        for entry in range(work.entries.start[i], work.entries.start[i + 1]):
            image[work.entries.row[entry]] += change * work.entries.coefficient[entry]
        if shape.has_kinds:
            measure(accounts, names, work.lots, work.leave, curves, i, place, weight, extra.measure)
            measure(
                accounts,
                names,
                work.lots,
                work.leave,
                curves,
                i,
                state.chosen[i],
                candidates.weight[i],
                extra.other,
            )
            for r in range(shape.size):
                kind = m.kind[r]
                if kind != LINEAR and (m.account[r] < 0 or m.account[r] == a):
                    share = 1.0 if m.account[r] >= 0 else accounts.share[a]
                    image[r] += share * (extra.measure[kind] - extra.other[kind])
        i = names.group_next[i] if piece < 0 else -1
    for r in range(shape.size):
        if m.fixed[r]:
            image[r] = 0.0
    solve_lower(m.factor, m.first, image)


@inner
def _apply_flips(
    names: Names, curves: Curves, state: State, candidates: Candidates, chosen: Index, count: int
) -> None:
    """Single names first: a group that turns as a whole overrules them."""
    for c in range(count):
        if candidates.taken[c] and candidates.piece[c] >= 0:
            chosen[candidates.name[c]] = candidates.piece[c]
    for c in range(count):
        if not candidates.taken[c] or candidates.piece[c] >= 0:
            continue
        i = candidates.name[c]
        barred = -1 - candidates.piece[c]
        state.chosen_barred[i] = barred
        while i >= 0:
            name_minimum(names, curves, state, i, state.q[i], barred)
            chosen[i] = state.piece[i]
            i = names.group_next[i]


@inner
def weigh_counts(shape: Shape, m: Multipliers) -> None:
    """Let flips feel rows that jump: leaving the end by one costs what their damping says."""
    for r in range(shape.size):
        if m.kind[r] < TRADES:
            continue
        above = m.value[r] - m.upper[r]
        below = m.value[r] - m.lower[r]
        if m.theta[r] > 0.0 or above > 0.0:
            m.fixed[r], m.gradient[r] = False, above
        elif m.theta[r] < 0.0 or below < 0.0:
            m.fixed[r], m.gradient[r] = False, below


@hidden
def propose(shape: Shape, work: Workspace, table: Floats, threshold: float) -> bool:
    """Flip `chosen` where the model promises most; False when it promises nothing.

    Needs q, the minimisers of the chosen pieces, gradient and Hessian; overwrites minimisers.
    """
    state, m, candidates = work.state, work.multipliers, work.candidates
    copy_to(candidates.weight, state.weight, shape.n)
    copy_to(candidates.phi, state.phi, shape.n)
    count = _collect(shape, work, threshold)
    if shape.has_counts:
        weigh_counts(shape, m)
    if count == 0 or not factorise(m.hessian, m.first, m.fixed, m.factor):
        return False
    for c in range(count):
        _image(shape, work, table, c)
    copy_to(candidates.residual, m.gradient, shape.size)
    solve_lower(m.factor, m.first, candidates.residual)
    if best_flips(candidates, count) > -_WORTH:
        return False
    _apply_flips(work.names, work.curves, state, candidates, state.chosen, count)
    return True


@hidden
def keep(shape: Shape, work: Workspace) -> None:
    """The chosen pieces, their minimisers and multipliers are the best answer so far."""
    state, answer = work.state, work.answer
    for i in range(shape.n):
        answer.piece[i] = state.chosen[i]
        answer.weight[i] = state.weight[i]
    copy_to(answer.theta, work.multipliers.theta, shape.size)
    copy_to(answer.risk_price, work.accounts.risk_price, shape.n_accounts)


@hidden
def keep_bound(shape: Shape, work: Workspace) -> None:
    """The multipliers at work give the best bound so far."""
    copy_to(work.answer.bound_theta, work.multipliers.theta, shape.size)
    copy_to(work.answer.bound_risk_price, work.accounts.risk_price, shape.n_accounts)


@hidden
def choose_minimisers(shape: Shape, work: Workspace) -> None:
    """Fix each name on the piece of its minimum over every branch."""
    state = work.state
    for i in range(shape.n):
        state.chosen[i] = state.piece[i]
        state.chosen_barred[i] = state.barred[i]


@part
def search(
    shape: Shape, work: Workspace, table: Floats, options: SolveOptions, bound: float, target: float
) -> Found:
    """Fill `answer` with the best choice of branches found and the best bound's multipliers.

    Starts from the minimisers over every branch at `theta`; `bound` is the best bound so far, whose
    multipliers are kept. target: gap at which to stop.
    """
    names, curves, state = work.names, work.curves, work.state
    choose_minimisers(shape, work)
    cost = math.inf
    solves = 0
    # The relaxed maximum often sits on a kink, so its minimisers are mended before the first solve.
    propose(shape, work, table, _FIRST_THRESHOLD)
    while solves < options.solves_max:
        solve_chosen(shape, work, table)
        solves += 1
        trial = answer_cost(shape, work)
        improved = trial < cost - _WORTH
        if trial < cost:
            cost = trial
            keep(shape, work)
        here = minima(shape, work, work.multipliers.theta, state.q, True)
        if here > bound:
            bound = here
            keep_bound(shape, work)
        if cost - bound <= target or not improved:
            break
        chosen_minima(shape.n, names, curves, state, state.q)
        if not propose(shape, work, table, cost - here):
            break
    return Found(cost, bound, solves)
