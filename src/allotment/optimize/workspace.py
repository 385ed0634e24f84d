"""Scratch arrays of one thread, made once per chunk and used for one problem after another.

They come in small tuples because a compiled call hands over every array of a tuple by value: a
function in a hot loop takes only what it needs.

A problem is one account, or the accounts of a household together. Its multipliers stand account
by account (k factor prices, the price of the budget Σw, the account's rows), then the rows that
all accounts share, then three rows of the year's regime if the problem has regimes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allotment.units import Bools, Codes, Floats, Index

CANDIDATES_MAX = 96
N_KINDS = 9  # of `problem.RowKind`


class Shape(NamedTuple):
    """The numbers of the problem at work."""

    n: int  # names of all accounts
    n_accounts: int
    n_groups: int  # substantially identical groups with more than one name
    k: int  # factors
    size: int  # multipliers
    has_kinds: bool  # some row is not linear
    has_counts: bool  # some row jumps: trades, holdings, big names
    has_limit: bool  # some account's tracking error is limited
    n_regimes: int
    first_regime: int  # position in the batch
    regime_constant: float  # of the regime at work
    constant: float  # cost that no choice changes


class Accounts(NamedTuple):
    """Per account of the problem. Costs are multiplied by the account's share of the value."""

    start: Index  # its first name, and one more
    offset: Index  # its first multiplier
    share: Floats  # of the problem's value
    risk_price: Floats  # κ of the solve at work, times the share; a limit's multiplier included
    own_risk_price: Floats  # κ as given, times the share
    te_max: Floats
    trade_min: Floats
    holding_min: Floats
    big_from: Floats
    ticket_charge: Floats
    lot_charge: Floats
    limit_price: Floats
    in_order: Bools
    charged: Bools  # a trade has a fixed cost or a smallest size: holding is a piece of its own
    parts_holdings: Bools  # closing out is a piece of its own
    parts_big: Bools
    kind_price: Floats  # (accounts, kinds) multipliers of the rows of each kind, summed
    kind_built: Floats  # what the curves stand at
    measured: Floats  # (accounts, kinds) what rows of each kind sum


class Names(NamedTuple):
    """What is given per name; positions inside the problem."""

    account: Index  # position inside the problem
    asset: Index
    benchmark: Floats
    center: Floats  # the weight that risk and impact together pull to
    held: Floats
    curvature: Floats  # κ d + 2 impact
    slack: Floats  # 1 / curvature: how far the weight moves per unit of price
    specific: Floats  # d
    impact: Floats
    utility: Floats
    half_spread: Floats
    weight_min: Floats
    weight_max: Floats
    young: Floats  # 0 unless it has a finite cost
    young_cost: Floats
    step: Floats
    may_buy: Bools
    may_rebuy: Bools
    in_group: Bools  # another name of the problem is substantially identical
    group_next: Index  # next member of the name's group, −1 at the end
    group_head: Index  # not per name: first names of the groups with more than one member


class Lots(NamedTuple):
    """The sellable lots of each name; `order` says in which order they leave."""

    start: Index  # per name, and one more
    order: Index  # places, by rising price unless the venue's order is given
    row: Index  # position in the batch
    weight: Floats
    base: Floats  # tax + half-spread + charge per weight
    rate: Floats  # and the tax of the regime at work
    price: Floats  # rate and what the multipliers of other rows add to it
    gain: Floats
    tax: Floats
    is_long: Bools
    is_loss: Bools


class Claims(NamedTuple):
    """What purchases of each name wash at a price, the oldest claim first."""

    start: Index  # per name, and one more
    weight: Floats
    cost: Floats


class Leaving(NamedTuple):
    """The lots of one name as they leave on one piece."""

    place: Index
    weight: Floats  # most that leaves
    price: Floats


class Entries(NamedTuple):
    """The linear rows' entries, by name."""

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
    losses: Floats  # most weight of loss lots that the piece sells
    washed: Floats  # what each of them costs more
    again: Floats  # weight of lots at a gain that the piece sells wherever it ends; −1 where it does not
    #                buy what it sells
    fixed: Floats  # cost of the piece whatever it trades
    big: Floats  # price per unit of weight, all of it
    least: Floats  # least weight of lots at a gain that is sold and bought back, −1 for none
    first: Index  # per piece, and one more: its first segment
    segment_low: Floats
    segment_slope: Floats


class Plan(NamedTuple):
    """The pieces of one name before their segments are written."""

    low: Floats
    high: Floats
    mode: Codes
    fixed: Floats
    losses: Floats
    washed: Floats  # cost per unit of loss sold on the piece
    least: Floats  # as in `Curves`, this and the next
    big: Floats


class State(NamedTuple):
    """Per name: prices, and the minimisers at these prices."""

    q: Floats  # price of a unit of weight: (Bπ) − u + Σ μ a over linear rows
    q_step: Floats  # its change over a whole Newton step
    q_trial: Floats
    weight: Floats
    free: Floats  # slack where the minimiser moves with q, 0 at a kink
    free_counted: Floats  # what the Hessian holds of it now
    phi: Floats  # the minimum
    piece: Index  # where the minimiser lies
    chosen: Index  # piece of the branch that is fixed
    slopes: Floats  # (n, kinds) of what rows of other kinds sum, at the minimiser
    slopes_counted: Floats
    barred: Codes  # by first name of a group: the mode that its minimiser rules out
    chosen_barred: Codes  # that its chosen pieces rule out


class Multipliers(NamedTuple):
    """Per multiplier; rows and columns of the Hessian."""

    theta: Floats
    theta_trial: Floats
    step: Floats
    gradient: Floats
    value: Floats  # factor exposures Bᵀ(w−b), Σw, row values
    benchmark_value: Floats  # Bᵀb; 0 beyond the factors
    risk_price: Floats  # κ for a factor's, 0 for a row's
    kind: Codes  # RowKind of a row
    account: Index  # whose, −1 for all accounts
    first: Index  # first column of the Hessian that is not zero
    lower: Floats  # ends of Σw and of the rows; unused for factors
    upper: Floats
    price: Floats  # of leaving them
    damping: Floats  # curvature of a row beside its names'
    fixed: Bools
    hessian: Floats  # (K, K), lower triangle
    factor: Floats  # its Cholesky factor


class Extra(NamedTuple):
    """One name's coefficients beside the factors'."""

    row: Index
    coefficient: Floats
    measure: Floats  # (kinds,)
    other: Floats  # (kinds,)


class Answer(NamedTuple):
    """The best found so far."""

    piece: Index
    weight: Floats
    theta: Floats  # multipliers at which it was found
    bound_theta: Floats  # multipliers of the best lower bound
    risk_price: Floats  # per account, of the answer
    bound_risk_price: Floats


class Candidates(NamedTuple):
    """Flips of the branch search, and the minimisers that they start from (last two, per name)."""

    name: Index  # a single name, or the first of its group
    cost: Floats  # change of D when it flips, prices as they are
    piece: Index  # piece that a single name would take, or −1 − mode barred for a group
    taken: Bools
    norm: Floats  # ‖image‖
    delta: Floats
    image: Floats  # (candidates, K) L⁻¹ E Δw
    residual: Floats  # (K,)
    weight: Floats
    phi: Floats
    place: Index  # piece of the minimiser


class Brackets(NamedTuple):
    """A search for a number between one that is too low and one that is too high."""

    low: Floats
    low_value: Floats  # what was found there
    high: Floats
    high_value: Floats


class Sweeps(NamedTuple):
    """What passes over a rounded answer remember; see `sweeps`."""

    until: Floats  # per name: the way of its account's exposures up to which no move of it pays
    way: Floats  # per account: the sum of the norms by which moves changed its exposures


class Workspace(NamedTuple):
    """All of it."""

    accounts: Accounts
    names: Names
    lots: Lots
    claims: Claims
    leave: Leaving
    entries: Entries
    curves: Curves
    plan: Plan
    state: State
    multipliers: Multipliers
    extra: Extra
    answer: Answer
    best: Answer  # of all regimes
    candidates: Candidates
    count_prices: Brackets  # per multiplier
    risk_prices: Brackets  # per account: the last κ tried stands in the value of `low`
    sweeps: Sweeps
    group_last: Index  # by group number: last name seen, −1 outside a problem
    asset_seen: Bools  # by position in the market, for finding duplicates
    sold: Floats  # per lot at work: weight sold
    best_sold: Floats


class Sizes(NamedTuple):
    """The most that a workspace must hold."""

    n_accounts: int
    n_names: int
    n_lots: int
    n_claims: int
    n_multipliers: int
    n_entries: int
    n_groups: int  # 1 + the largest group number
    n_assets: int
    pieces_per_name: int
    ordered_lots: int  # lots that leave in an order given: each can be four pieces


def make_workspace(sizes: Sizes) -> Workspace:
    """A workspace for problems of at most these sizes, all with the same number of multipliers."""
    name = sizes.n_names + 1
    accounts = sizes.n_accounts + 1
    pieces = sizes.pieces_per_name * sizes.n_names + 4 * (sizes.ordered_lots + sizes.n_claims) + 1
    segments = sizes.pieces_per_name * sizes.n_lots + 2 * pieces + 1
    size = sizes.n_multipliers
    square, kinds = (size, size), (name, N_KINDS)
    by_account = (accounts, N_KINDS)
    answer = {"piece": name, "weight": name, "risk_price": accounts, "bound_risk_price": accounts}
    return Workspace(
        accounts=_make(Accounts, accounts, kind_price=by_account, kind_built=by_account, measured=by_account),
        names=_make(Names, name),
        lots=_make(Lots, sizes.n_lots, start=name),
        claims=_make(Claims, sizes.n_claims, start=name),
        leave=_make(Leaving, sizes.n_lots),
        entries=_make(Entries, sizes.n_entries, start=name),
        curves=_make(Curves, pieces, start=name, segment_low=segments, segment_slope=segments),
        plan=_make(Plan, 8 * sizes.n_lots + 4 * sizes.n_claims + 64),
        state=_make(State, name, slopes=kinds, slopes_counted=kinds),
        multipliers=_make(Multipliers, size, hessian=square, factor=square),
        extra=_make(Extra, size + 2, measure=N_KINDS, other=N_KINDS),
        answer=_make(Answer, size, **answer),
        best=_make(Answer, size, **answer),
        candidates=_make(
            Candidates,
            CANDIDATES_MAX,
            image=(CANDIDATES_MAX, size),
            residual=size,
            weight=name,
            phi=name,
            place=name,
        ),
        count_prices=_make(Brackets, size),
        risk_prices=_make(Brackets, accounts),
        sweeps=_make(Sweeps, name, way=accounts),
        group_last=np.full(sizes.n_groups, -1, np.int32),
        asset_seen=np.zeros(sizes.n_assets, np.bool_),
        sold=np.zeros(sizes.n_lots),
        best_sold=np.zeros(sizes.n_lots),
    )


_TYPES = {"Floats": np.float64, "Index": np.int32, "Bools": np.bool_, "Codes": np.int8}


def _make(record: Any, length: int, **shapes: int | tuple[int, ...]) -> Any:
    """A record of zeroed columns, each of `length` but for those named."""
    types = {name: _TYPES[hint.__forward_arg__] for name, hint in record.__annotations__.items()}
    return record(**{name: np.zeros(shapes.get(name, length), types[name]) for name in record._fields})
