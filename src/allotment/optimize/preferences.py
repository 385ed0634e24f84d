"""What each preference and limit costs: the account decided again without it, warm.

Multipliers rank wishes, but are marginal: they do not price the screen of fifty names. So the account is
solved again without the wish, and the difference of risk, tax and cost is its price; once without any
of them, for wishes overlap and their prices do not add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allotment.optimize.offsets import n_under, owners
from allotment.optimize.problem import Market, Problems, SolveOptions, join
from allotment.optimize.solution import Solutions, Status
from allotment.optimize.solve import solve_batch
from allotment.units import Bools, Codes, Floats, Index

_FREE_RISK_PRICE = 1e-2  # κ of an account without any other price of risk, once its limit is gone


class Wish(IntEnum):
    """What an account asks for beside the benchmark, the least tax and the least cost."""

    TILT = 1  # utilities, of one name or of all
    EXCLUSION = 2  # names of which nothing may be held
    WEIGHT_LIMIT = 3  # other limits of a name's weight
    NO_PURCHASE = 4
    NO_SALE = 5
    LOCKED_LOTS = 6
    CASH_BAND = 7
    TRACKING_LIMIT = 8
    TRADE_MIN = 9
    HOLDING_MIN = 10
    ROW = 11
    ALL = 12  # every wish at once


class Preference(NamedTuple):
    """One wish; `at` is the position of a single name or row, −1 for the wish as a whole."""

    wish: Wish
    at: int = -1


class PreferencePrices(NamedTuple):
    """Per preference (m,): what it costs, in fractions of account value. Negative terms are savings.

    Without its wish an account can do what it does with it, so no price is below 0; it is exact but
    for the gaps of the two answers. The last row is ALL, if it was asked for with others: its price
    less the sum of the others is their `interaction`.
    """

    wish: Codes
    at: Index
    price: Floats  # the sum of the terms
    risk: Floats
    tax: Floats  # of the lots and the year
    cost: Floats  # trading costs and washes
    utility: Floats  # of the tilts that stay
    relaxation: Floats  # what is paid for limits that cannot be met
    tracking_error: Floats  # without the wish, annual
    uncertain: Floats  # the two gaps together
    interaction: float


def preferences_of(problem: Problems) -> tuple[Preference, ...]:
    """The wishes of a problem, each as a whole, rows one by one, and all together at the end."""
    found = [Preference(wish) for wish in Wish if wish < Wish.ROW and _is_asked(problem, wish)]
    found += [Preference(Wish.ROW, r) for r in range(len(problem.row_kind))]
    return (*found, Preference(Wish.ALL)) if len(found) > 1 else tuple(found)


def price_preferences(
    market: Market,
    problem: Problems,
    answer: Solutions,
    preferences: Sequence[Preference] | None = None,
    options: SolveOptions | None = None,
) -> PreferencePrices:
    """The prices of these preferences of one problem, of all that it has without.

    answer: to this problem alone, solved with these options; its status SOLVED or RELAXED.
    """
    assert problem.n_joint == 1
    assert np.isin(answer.status, (Status.SOLVED, Status.RELAXED)).all()
    options = SolveOptions() if options is None else options
    wanted = preferences_of(problem) if preferences is None else tuple(preferences)
    without = [_without(problem, one) for one in wanted]
    start = np.concatenate([answer.factor_price[0], answer.cash_price[:1]])
    batch = join(without) if without else problem.problems(0, 0)
    solved = solve_batch(market, batch, options=options, start=start)
    n, share = problem.n_accounts, problem.value_usd / problem.value_usd.sum()
    prices = np.zeros((len(wanted), 5))
    te, uncertain = np.zeros(len(wanted)), np.zeros(len(wanted))
    for x, (one, changed) in enumerate(zip(wanted, without, strict=True)):
        kept = _present(problem, changed, answer, share, options, one)
        each = slice(x * n, (x + 1) * n)
        there = _terms(problem, solved, each, share)
        # What is done now could be done without the wish, too: it stands where solving finds no better.
        found = np.isin(solved.status[each], (Status.SOLVED, Status.RELAXED)).all()
        better = found and there.sum() < kept.sum()
        prices[x] = kept - there if better else 0.0
        te[x] = share @ (solved if better else answer).tracking_error[each if better else slice(None)]
        uncertain[x] = answer.gap[0] + (solved.gap[each.start] if found else np.inf)
    total = prices.sum(axis=1)
    whole = [x for x, one in enumerate(wanted) if one.wish == Wish.ALL]
    apart = [x for x, one in enumerate(wanted) if one.wish != Wish.ALL]
    risk, tax, cost, utility, relaxation = prices.T
    return PreferencePrices(
        wish=np.array([one.wish for one in wanted], np.int8),
        at=np.array([one.at for one in wanted], np.int32),
        price=total,
        risk=risk,
        tax=tax,
        cost=cost,
        utility=utility,
        relaxation=relaxation,
        tracking_error=te,
        uncertain=uncertain,
        interaction=float(total[whole[0]] - total[apart].sum()) if whole and apart else 0.0,
    )


def _is_asked(p: Problems, wish: Wish) -> bool:
    """Whether any account of the problem has the wish."""
    match wish:
        case Wish.TILT:
            return bool(p.utility.any())
        case Wish.EXCLUSION:
            return bool(_excluded(p).any())
        case Wish.WEIGHT_LIMIT:
            return bool(_limited(p).any())
        case Wish.NO_PURCHASE:
            return not bool((p.may_buy | _excluded(p)).all())
        case Wish.NO_SALE:
            return not bool(p.may_sell.all())
        case Wish.LOCKED_LOTS:
            return not bool(p.lot_sellable.all())
        case Wish.CASH_BAND:
            return bool(((p.cash_min > 0.0) | (p.cash_max < 1.0)).any())
        case Wish.TRACKING_LIMIT:
            return bool(np.isfinite(p.te_max).any())
        case Wish.TRADE_MIN:
            return bool((p.trade_min > 0.0).any())
        case Wish.HOLDING_MIN:
            return bool((p.holding_min > 0.0).any())
    return len(p.row_kind) > 0


def _excluded(p: Problems) -> Bools:
    return np.asarray(p.weight_max <= 0.0)


def _limited(p: Problems) -> Bools:
    return np.asarray(~_excluded(p) & ((p.weight_min > 0.0) | (p.weight_max < 1.0)))


def _without(p: Problems, one: Preference) -> Problems:
    """The problem without a wish; what is left has columns of its own where they differ."""
    if one.wish == Wish.ALL:
        for wish in Wish:
            p = p if wish == Wish.ALL else _without(p, Preference(wish))
        return p
    names = np.ones(len(p.held), np.bool_) if one.at < 0 else np.arange(len(p.held)) == one.at
    match one.wish:
        case Wish.TILT:
            return p._replace(utility=np.where(names, 0.0, p.utility))
        case Wish.EXCLUSION:
            out = names & _excluded(p)
            # An excluded name may not be bought either.
            return p._replace(weight_max=np.where(out, 1.0, p.weight_max), may_buy=p.may_buy | out)
        case Wish.WEIGHT_LIMIT:
            out = names & _limited(p)
            return p._replace(
                weight_min=np.where(out, 0.0, p.weight_min), weight_max=np.where(out, 1.0, p.weight_max)
            )
        case Wish.NO_PURCHASE:
            return p._replace(may_buy=p.may_buy | (names & ~_excluded(p)))
        case Wish.NO_SALE:
            return p._replace(may_sell=p.may_sell | names)
        case Wish.LOCKED_LOTS:
            return p._replace(lot_sellable=p.lot_sellable | np.repeat(names, n_under(p.lots_from)))
        case Wish.CASH_BAND:
            return p._replace(cash_min=np.minimum(p.cash_min, 0.0), cash_max=np.maximum(p.cash_max, 1.0))
        case Wish.TRACKING_LIMIT:
            free = np.isfinite(p.te_max) & (p.risk_price < _FREE_RISK_PRICE)
            return p._replace(
                te_max=np.full(p.n_accounts, np.inf),
                risk_price=np.where(free, _FREE_RISK_PRICE, p.risk_price),
            )
        case Wish.TRADE_MIN:
            return p._replace(trade_min=np.zeros(p.n_accounts))
        case Wish.HOLDING_MIN:
            return p._replace(holding_min=np.zeros(p.n_accounts))
    # A row that costs nothing to break is none, and the others keep their places.
    rows = np.ones(len(p.row_kind), np.bool_) if one.at < 0 else np.arange(len(p.row_kind)) == one.at
    return p._replace(
        row_lower=np.where(rows, -np.inf, p.row_lower),
        row_upper=np.where(rows, np.inf, p.row_upper),
        row_price=np.where(rows, 0.0, p.row_price),
    )


def _terms(p: Problems, s: Solutions, accounts: slice, share: Floats) -> Floats:
    """Risk at the price of risk of `p`, tax, cost, less utility, relaxation (5,) of all accounts."""
    columns = (
        p.risk_price / 2 * s.tracking_error[accounts] ** 2,
        s.tax[accounts] + s.year_tax[accounts],
        s.cost[accounts] + s.wash[accounts],
        -s.utility[accounts],
        s.relaxation[accounts],
    )
    return np.array([share @ column for column in columns])


def _present(
    p: Problems, changed: Problems, s: Solutions, share: Floats, options: SolveOptions, one: Preference
) -> Floats:
    """The terms of the answer as it stands, in the problem without the wish."""
    terms = _terms(p, s, slice(0, p.n_accounts), share)
    account = owners(p.names_from)
    of_name = share[account]
    terms[3] = -float(of_name @ (changed.utility * s.weight))
    row_account = owners(p.rows_from)
    row_share = np.where(p.row_joint, 1.0, share[row_account])
    lifted_rows = (p.row_price - changed.row_price) * np.abs(s.row_relaxation)
    before, after = (_outside(each, s.weight) for each in (p, changed))
    terms[4] -= float(row_share @ lifted_rows) + options.limit_price * float(of_name @ (before - after))
    if one.wish in (Wish.CASH_BAND, Wish.ALL):
        terms[4] -= options.cash_price * float(share @ np.abs(s.cash_relaxation))
    if one.wish in (Wish.TRACKING_LIMIT, Wish.ALL):
        terms[4] -= options.te_price * float(share @ s.te_relaxation)
    terms[4] = max(0.0, terms[4])
    return terms


def _outside(p: Problems, weight: Floats) -> Floats:
    return np.maximum(0.0, np.maximum(p.weight_min - weight, weight - p.weight_max))
