"""Accounts of several sleeves: decided whole or sleeve by sleeve, and settled to sleeves after the trade.

Decided *whole*, an account is one problem whose benchmark is that of its sleeves in their target shares.
What one sleeve sells another need not buy, and lots are chosen from all of them; afterwards `settle`
gives every sleeve its part by moving lots before trading them. Decided *sleeve by sleeve*, each is an account
of one joint problem: it keeps to its own benchmark, value and cash, and no loss is sold in a group that
another sleeve buys.

Funds enter by their constituents: one that is not traded now as what it holds (`hold_funds`, exact), one
that is traded as an asset of its own (`with_funds`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.optimize.claims import claims_of
from allotment.optimize.offsets import owners
from allotment.optimize.problem import LOT_COLUMNS, NAME_COLUMNS, Market, Problems, join
from allotment.units import Bools, Floats, Index


class Sleeves(NamedTuple):
    """The S sleeves of an account with n names and L lots; the lots are all that is held."""

    target: Floats  # (S,) share of the account that each should have; sums to one
    benchmark: Floats  # (S, n) by the account's names; each row sums to one
    cash: Floats  # (S,) fractions of account value; sums to the account's
    lot_sleeve: Index  # (L,) which sleeve holds the lot


class Settled(NamedTuple):
    """What becomes of the sleeves; weights are fractions of account value.

    Lots move first, at their market value, and are sold where they stand then. cash = what the sleeve
    had + sold − bought + moved away − moved in + transfer.
    """

    moved: Floats  # (L, S) of each lot to each other sleeve
    sold: Floats  # (S, n)
    bought: Floats  # (S, n)
    held: Floats  # (S, n) after the trades
    cash: Floats  # (S,)
    transfer: Floats  # (S,) what a sleeve is given of the others' cash; sums to zero


def name_of_lot(problem: Problems) -> Index:
    """(L,) position of each lot's name."""
    return owners(problem.lots_from).astype(np.int32)


def held_by_sleeve(problem: Problems, sleeves: Sleeves, weight: Floats) -> Floats:
    """(S, n) sums of a lot column by sleeve and name."""
    out = np.zeros(sleeves.benchmark.shape)
    np.add.at(out, (sleeves.lot_sleeve, name_of_lot(problem)), weight)
    return out


def whole_account(problem: Problems, sleeves: Sleeves) -> Problems:
    """The account's problem against the benchmarks of its sleeves in their target shares."""
    _check(problem, sleeves)
    return problem._replace(benchmark=(sleeves.target[:, None] * sleeves.benchmark).sum(axis=0))


def by_sleeve(problem: Problems, sleeves: Sleeves) -> Problems:
    """The sleeves as accounts of one joint problem, in their order.

    Fractions of the account become fractions of the sleeve: charges, steps, exposed and young shares keep
    their dollars (each sleeve carries the whole of a wash); limits of names, the cash band and the limit of
    tracking error hold for each sleeve. The account has no rows, and every sleeve has some value.
    """
    _check(problem, sleeves)
    assert len(problem.row_kind) == 0
    held = held_by_sleeve(problem, sleeves, problem.lot_weight)
    value = held.sum(axis=1) + sleeves.cash
    assert (value > 0.0).all()
    parts = [_sleeve(problem, sleeves, held[s], float(value[s]), s) for s in range(len(value))]
    return join(parts)._replace(
        joint_from=np.array([0, len(parts)], np.int64),
        regimes_from=problem.regimes_from,
        **{name: getattr(problem, name) for name in Problems._fields if name.startswith("regime_")},
    )


def _sleeve(problem: Problems, sleeves: Sleeves, held: Floats, value: float, s: int) -> Problems:
    """One sleeve's problem: the names that it holds or has in its benchmark."""
    names = np.flatnonzero((held > 0.0) | (sleeves.benchmark[s] > 0.0))
    of_lot = name_of_lot(problem)
    mine: Bools = sleeves.lot_sleeve == s
    lots = np.flatnonzero(mine)
    lots_from = np.searchsorted(of_lot[lots], np.append(names, len(problem.held)))
    own = held[names] / value
    least, most = problem.weight_min[names], problem.weight_max[names]
    # What the account keeps, a sleeve that holds more than its share is not made to break.
    least = np.where(problem.held[names] >= least, np.minimum(least, own), least)
    most = np.where(problem.held[names] <= most, np.maximum(most, own), most)
    per_account = ("trade_min", "holding_min", "big_from", "ticket_charge", "lot_charge")
    per_name = ("young", "step")
    columns = {name: getattr(problem, name)[names] for name in NAME_COLUMNS}
    columns |= {name: getattr(problem, name)[names] / value for name in per_name}
    columns |= {name: getattr(problem, name) / value for name in per_account}
    columns |= {name: getattr(problem, name)[lots] for name in LOT_COLUMNS}
    claims = claims_of(problem, names)
    columns |= claims | {"claim_weight": claims["claim_weight"] / value}
    return problem._replace(
        **columns
        | {
            "joint_from": np.array([0, 1], np.int64),
            "regimes_from": np.zeros(2, np.int64),
            "regime_constant": np.zeros(0),
            "regime_short_rate": np.zeros(0),
            "regime_long_rate": np.zeros(0),
            "regime_lower": np.zeros((0, 3)),
            "regime_upper": np.zeros((0, 3)),
            "names_from": np.array([0, len(names)], np.int64),
            "lots_from": lots_from.astype(np.int64),
            "value_usd": problem.value_usd * value,
            "cash": sleeves.cash[s : s + 1] / value,
            "benchmark": sleeves.benchmark[s, names],
            "held": own,
            "weight_min": least,
            "weight_max": most,
            "impact": problem.impact[names] * value,
            "lot_weight": problem.lot_weight[lots] / value,
        }
    )


def settle(problem: Problems, sleeves: Sleeves, sold: Floats, bought: Floats) -> Settled:
    """The sleeves after trades of the whole account: sold (L,) by lot, bought (n,) by name.

    Rule: of a name the account holds after trading, each sleeve has the part that it has in the whole
    account's benchmark; a name that no sleeve has in its benchmark stays where it is. A sleeve with too
    much of a name after the sales gives lots to those with too little, of each of its lots the same
    fraction, so that no sleeve is given the better basis; purchases fill what is still missing, in
    proportion. Lots move at market value against cash; then cash is shared like the targets.
    """
    _check(problem, sleeves)
    name, n_sleeves = name_of_lot(problem), len(sleeves.target)
    left = problem.lot_weight - sold
    kept = held_by_sleeve(problem, sleeves, left)
    after = np.maximum(kept.sum(axis=0) + bought, 0.0)
    held = _parts(sleeves, kept) * after
    surplus, missing = np.maximum(kept - held, 0.0), np.maximum(held - kept, 0.0)
    lacking = missing.sum(axis=0)
    taken = np.divide(missing, lacking, out=np.zeros(missing.shape), where=lacking > 0.0)
    given = np.divide(surplus, kept, out=np.zeros(kept.shape), where=kept > 0.0)
    moved = (left * given[sleeves.lot_sleeve, name])[:, None] * taken[:, name].T
    came, went = np.zeros(n_sleeves), np.zeros(n_sleeves)
    came += moved.sum(axis=0)
    np.add.at(went, sleeves.lot_sleeve, moved.sum(axis=1))
    sold_by = held_by_sleeve(problem, sleeves, sold)
    bought_by = taken * bought
    cash = sleeves.cash + sold_by.sum(axis=1) - bought_by.sum(axis=1) + went - came
    shared = sleeves.target * cash.sum()
    return Settled(
        moved=moved, sold=sold_by, bought=bought_by, held=held, cash=shared, transfer=shared - cash
    )


def _parts(sleeves: Sleeves, kept: Floats) -> Floats:
    """(S, n) the part of each name that each sleeve shall have; columns sum to one where anybody
    wants or has the name."""
    wanted = sleeves.target[:, None] * sleeves.benchmark
    total = wanted.sum(axis=0)
    basis = np.where(total > 0.0, wanted, kept)
    whole = basis.sum(axis=0)
    equal = np.full(basis.shape, 1.0 / len(basis))
    parts: Floats = np.divide(basis, whole, out=equal, where=whole > 0.0)
    return parts


def hold_funds(problem: Problems, fund_weight: Floats, constituents: Floats) -> Problems:
    """An account that keeps funds: what they hold is taken off the benchmark.

    fund_weight: (F,) fractions of account value, not among the account's names; constituents: (F, n)
    weights inside each fund, by the account's names. Risk is exact as far as the fund's holdings are
    names of the account.
    """
    assert constituents.shape == (len(fund_weight), len(problem.held))
    inside = (fund_weight[:, None] * constituents).sum(axis=0)
    return problem._replace(benchmark=problem.benchmark - inside)


def with_funds(market: Market, constituents: Floats, own_variance: Floats) -> Market:
    """The market with F funds as further assets, at positions N, N + 1, …; each a group of its own.

    constituents: (F, N) weights inside each fund; own_variance: (F,) annual variance beside its
    holdings (what it holds that is not in the market). A fund's factor loadings are those of its holdings,
    exact. Its specific variance is theirs too, but the part that it shares with names held directly is
    left out: with c its constituents, 2x Σ cᵢ dᵢ (wᵢ − bᵢ) of a fund of weight x.
    """
    n_assets, _ = market.loadings.shape
    assert constituents.shape == (len(own_variance), n_assets)
    first = int(market.group_ix.max()) + 1
    # A fund at a time, not by BLAS: decisions are to be the same bits on any processor.
    loadings = [(of[:, None] * market.loadings).sum(axis=0) for of in constituents]
    inside = (constituents**2 * market.specific_variance).sum(axis=1)
    return Market(
        loadings=np.vstack([market.loadings, *loadings]),
        specific_variance=np.concatenate([market.specific_variance, inside + own_variance]),
        group_ix=np.concatenate(
            [market.group_ix, np.arange(first, first + len(own_variance), dtype=np.int32)]
        ),
    )


def _check(problem: Problems, sleeves: Sleeves) -> None:
    """A caller's broken promise about shapes and sums is an AssertionError."""
    n_sleeves, n = sleeves.benchmark.shape
    assert problem.n_accounts == 1
    assert n == len(problem.held)
    assert sleeves.target.shape == sleeves.cash.shape == (n_sleeves,)
    assert sleeves.lot_sleeve.shape == problem.lot_weight.shape
    assert abs(float(sleeves.target.sum()) - 1.0) < 1e-9
    assert abs(float(sleeves.cash.sum() - problem.cash[0])) < 1e-9
    by_name = np.bincount(name_of_lot(problem), weights=problem.lot_weight, minlength=n)
    assert np.allclose(by_name, problem.held, rtol=0.0, atol=1e-9)
