"""Scratch arrays of one thread, made once per chunk and used for one account after another.

They come in small tuples because a compiled call hands over every array of a tuple by value: a
function that takes only what it needs is both faster and quicker to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allotment.units import Bools, Codes, Floats, Index

CANDIDATES_MAX = 96
_PIECES_PER_NAME = 8


class Account(NamedTuple):
    """The numbers of one account, as in `Problems` and `SolveOptions`."""

    n: int  # names
    n_groups: int  # substantially identical groups with more than one name
    k: int  # factors; the budget is multiplier k, the rows follow
    risk_price: float
    trade_min: float
    ticket_charge: float
    lot_charge: float
    cash_price: float
    limit_price: float


class Names(NamedTuple):
    """What is given per name; positions inside the account."""

    asset: Index
    benchmark: Floats
    held: Floats
    curvature: Floats  # κ d
    slack: Floats  # 1 / (κ d): how far the weight moves per unit of price
    utility: Floats
    half_spread: Floats
    weight_min: Floats
    weight_max: Floats
    wash_exposed: Floats
    wash_cost: Floats
    step: Floats
    may_buy: Bools
    in_group: Bools  # another name of the account is substantially identical
    group_next: Index  # next member of the name's group, −1 at the end
    group_head: Index  # not per name: first names of the groups with more than one member


class Lots(NamedTuple):
    """The sellable lots of each name, by rising rate."""

    start: Index  # per name, and one more
    row: Index  # position in the batch
    weight: Floats
    rate: Floats  # tax + half-spread + charge per weight
    is_loss: Bools


class Entries(NamedTuple):
    """The rows' entries, by name."""

    start: Index  # per name, and one more
    row: Index  # multiplier
    coefficient: Floats


class Curves(NamedTuple):
    """Convex pieces of the names' cost curves and their segments; see `curves`."""

    start: Index  # per name, and one more: its first piece
    low: Floats
    high: Floats
    cost: Floats  # at the high end, fixed charge included
    mode: Codes
    first: Index  # per piece, and one more: its first segment
    segment_low: Floats
    segment_slope: Floats


class Plan(NamedTuple):
    """The pieces of one name before their segments are written."""

    low: Floats
    high: Floats
    mode: Codes
    fixed: Floats


class State(NamedTuple):
    """Per name: prices, and the minimisers at these prices."""

    q: Floats  # price of a unit of weight: (Bπ) − u + Σ μ a
    q_step: Floats  # its change over a whole Newton step
    q_trial: Floats
    weight: Floats
    free: Floats  # slack where the minimiser moves with q, 0 at a kink
    free_counted: Floats  # what the Hessian holds of it now
    phi: Floats  # the minimum
    chosen: Index  # piece of the branch that is fixed
    preferred: Index  # piece of the exact minimum over all branches


class Multipliers(NamedTuple):
    """Per multiplier: k factor prices, the budget's, the rows'."""

    theta: Floats
    theta_trial: Floats
    step: Floats
    gradient: Floats
    value: Floats  # factor exposures Bᵀ(w−b), Σw, row values
    benchmark_value: Floats  # Bᵀb; 0 beyond the factors
    lower: Floats  # ends of Σw and of the rows; unused for factors
    upper: Floats
    price: Floats  # of leaving them
    fixed: Bools
    hessian: Floats  # (K, K)
    factor: Floats  # its Cholesky factor


class Answer(NamedTuple):
    """The best found so far."""

    piece: Index
    weight: Floats
    theta: Floats  # multipliers at which it was found
    bound_theta: Floats  # multipliers of the best lower bound


class Candidates(NamedTuple):
    """Flips of the branch search, and the minimisers that they start from (last two, per name)."""

    name: Index  # a single name, or the first of its group
    cost: Floats  # change of D when it flips, prices as they are
    piece: Index  # piece that a single name would take, or −1 − mode for a group
    taken: Bools
    norm: Floats  # ‖image‖
    delta: Floats
    image: Floats  # (candidates, K) L⁻¹ E Δw
    residual: Floats  # (K,)
    weight: Floats
    phi: Floats


class Workspace(NamedTuple):
    """All of it."""

    names: Names
    lots: Lots
    entries: Entries
    curves: Curves
    plan: Plan
    state: State
    multipliers: Multipliers
    answer: Answer
    candidates: Candidates
    group_last: Index  # by group number: last name seen, −1 outside an account
    asset_seen: Bools  # by position in the market, for finding duplicates


def make_workspace(
    n_names: int, n_lots: int, n_rows: int, n_entries: int, n_factors: int, n_groups: int, n_assets: int
) -> Workspace:
    """A workspace for accounts of at most these sizes, all with `n_rows` rows.

    n_groups is 1 + the largest group number.
    """
    pieces = _PIECES_PER_NAME * n_names + 1
    segments = 4 * n_lots + 6 * n_names + 1
    size = n_factors + 1 + n_rows
    square = (size, size)
    name = n_names + 1
    return Workspace(
        names=_make(Names, name),
        lots=_make(Lots, n_lots, start=name),
        entries=_make(Entries, n_entries, start=name),
        curves=_make(Curves, pieces, start=name, segment_low=segments, segment_slope=segments),
        plan=_make(Plan, _PIECES_PER_NAME),
        state=_make(State, name),
        multipliers=_make(Multipliers, size, hessian=square, factor=square),
        answer=_make(Answer, name, theta=size, bound_theta=size),
        candidates=_make(
            Candidates, CANDIDATES_MAX, image=(CANDIDATES_MAX, size), residual=size, weight=name, phi=name
        ),
        group_last=np.full(n_groups, -1, np.int32),
        asset_seen=np.zeros(n_assets, np.bool_),
    )


_TYPES = {"Floats": np.float64, "Index": np.int32, "Bools": np.bool_, "Codes": np.int8}


def _make(record: Any, length: int, **shapes: int | tuple[int, ...]) -> Any:
    """A record of zeroed columns, each of `length` but for those named."""
    types = {name: _TYPES[hint.__forward_arg__] for name, hint in record.__annotations__.items()}
    return record(**{name: np.zeros(shapes.get(name, length), types[name]) for name in record._fields})
