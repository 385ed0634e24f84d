"""Small random problems with everything in them at once, for tests and exact comparisons.

Sizes, prices and limits are drawn so that each rule binds often: shares are large beside the
account, limits cut through what is held, budgets are near what the account would like to do.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from allotment.optimize.claims import name_of_claim
from allotment.optimize.problem import Market, Problems, RowKind, join, make_problems
from allotment.optimize.synthetic import Profile, World, synthetic_problems, synthetic_world
from allotment.units import Floats

_SHORT_RATE, _LONG_RATE, _LOSS_VALUE, _CARRIED_VALUE = 0.408, 0.238, 0.8, 0.2
_HALF_SPREAD = 3e-4
_CHANCE = 0.5  # that a feature asked for is in the problem
_WEIGHTED = (RowKind.TURNOVER, RowKind.GAIN_SHORT, RowKind.GAIN_LONG, RowKind.GAIN, RowKind.TAX)


class Feature(IntEnum):
    """What may be in a random problem. Names, lots, spreads and the cash band are always there."""

    GROUPS = 0  # some names are substantially identical
    LIMITS = 1  # limits of weight, some broken before trading
    BANS = 2  # names that may not be bought or sold, lots that may not be sold
    EXPOSED = 3  # purchases that wash an earlier loss, at a price or blocked
    YOUNG_BARS = 4  # loss lots barred by young shares
    YOUNG_PRICES = 5  # loss sales washed by young shares at a price
    TICKETS = 6
    LOT_CHARGES = 7
    TRADE_MIN = 8
    HOLDING_MIN = 9
    WHOLE_SHARES = 10
    UTILITY = 11
    IMPACT = 12
    IN_ORDER = 13
    TE_MAX = 14
    SECTORS = 15  # LINEAR rows
    TURNOVER = 16
    GAINS = 17  # rows of the three kinds of gain, and of tax
    COUNTS = 18  # rows of trades and holdings
    BIG = 19
    YEAR = 20  # regimes of the year
    JOINT_ROWS = 21  # rows of a household
    REBUYS = 22  # lots at a gain may be sold and bought back, and some are better off so


class _Row(NamedTuple):
    kind: RowKind
    lower: float
    upper: float
    price: float
    is_joint: bool = False
    members: tuple[int, ...] = ()  # names of a LINEAR row, each with coefficient 1


def random_problem(
    rng: np.random.Generator,
    n_names: int,
    *,
    n_accounts: int = 1,
    features: Collection[Feature] = tuple(Feature),
) -> tuple[Market, Problems]:
    """One joint problem of n_accounts accounts, with each of `features` in it half of the time.

    The first account has n_names names, each further one most of the same.
    """
    world = synthetic_world(n_names, int(rng.integers(1, 4)), rng)
    present = {feature for feature in features if rng.random() < _CHANCE}
    market = world.market
    if Feature.GROUPS in present:
        group = rng.integers(0, n_names, n_names)
        group = np.where(rng.random(n_names) < 0.4, group, np.arange(n_names))
        market = market._replace(group_ix=group.astype(np.int32))
    accounts = []
    for a in range(n_accounts):
        chosen = (rng.random(n_names) < 0.8) | (a == 0)
        chosen[0] |= not chosen.any()
        assets = np.flatnonzero(chosen)
        accounts.append(_random_account(rng, world, assets, present, n_accounts))
    problem = join(accounts)._replace(
        joint_from=np.array([0, n_accounts], np.int64), regimes_from=np.zeros(2, np.int64)
    )
    if Feature.YEAR in present:
        short, long = (float(gain) for gain in rng.normal(0.0, 0.01, 2))
        problem = with_year(problem, short, long, 3000.0 / float(problem.value_usd.sum()))
    if Feature.REBUYS in present:
        problem = _with_rebuys(rng, problem)
    return market, problem


def with_year(problem: Problems, short: float, long: float, offset: float) -> Problems:
    """One joint problem with the regimes of a year that already has these gains, as fractions of value.

    offset: the loss that other income may take in the year. Lots keep only what they cost beside
    the year: the basis they give up.
    """
    whole = short + long
    ordinary, carried = _SHORT_RATE, _CARRIED_VALUE
    free = np.inf
    # Constant, short and long rate; least and most of short, long, total before what the year has.
    regimes = (
        (_SHORT_RATE * short + _LONG_RATE * long, _SHORT_RATE, _LONG_RATE, (0, 0, -free), (free, free, free)),
        (_SHORT_RATE * whole, _SHORT_RATE, _SHORT_RATE, (0, -free, 0), (free, 0, free)),
        (_LONG_RATE * whole, _LONG_RATE, _LONG_RATE, (-free, 0, 0), (0, free, free)),
        (ordinary * whole, ordinary, ordinary, (-free, -free, -offset), (free, free, 0)),
        (
            carried * whole - (ordinary - carried) * offset,
            carried,
            carried,
            (-free, -free, -free),
            (free, free, -offset),
        ),
    )
    so_far = np.array([short, long, whole])
    return problem._replace(
        lot_tax=-0.05 * problem.lot_gain,
        regimes_from=np.array([0, len(regimes)], np.int64),
        regime_constant=np.array([regime[0] for regime in regimes]),
        regime_short_rate=np.array([regime[1] for regime in regimes]),
        regime_long_rate=np.array([regime[2] for regime in regimes]),
        regime_lower=np.array([regime[3] for regime in regimes], np.float64) - so_far,
        regime_upper=np.array([regime[4] for regime in regimes], np.float64) - so_far,
    )


def _with_rebuys(rng: np.random.Generator, problem: Problems) -> Problems:
    """Some names may be bought back, and some gains save tax later by the basis they bring."""
    n_lots = len(problem.lot_gain)
    worth = np.where((problem.lot_gain > 0.0) & (rng.random(n_lots) < 0.5), 0.3 * problem.lot_gain, 0.0)
    lower = problem.row_lower.copy()
    if len(lower):  # and sometimes gains are wanted
        wanted = np.isin(problem.row_kind, (RowKind.GAIN_LONG, RowKind.GAIN)) & (rng.random(len(lower)) < 0.5)
        lower = np.where(wanted, np.minimum(problem.row_upper, rng.uniform(0.0, 0.01)), lower)
    return problem._replace(
        may_rebuy=rng.random(len(problem.held)) < 0.7, lot_tax=problem.lot_tax - worth, row_lower=lower
    )


def _random_account(
    rng: np.random.Generator, world: World, assets: np.ndarray, present: set[Feature], n_accounts: int
) -> Problems:
    n = len(assets)
    value = float(np.exp(rng.uniform(np.log(2e4), np.log(2e6))))
    benchmark = world.benchmark[assets] / world.benchmark[assets].sum()
    held = benchmark * np.exp(rng.normal(0.0, 0.3, n)) * (rng.random(n) < 0.9)
    held *= (1.0 - 0.005) / held.sum() if held.any() else 1.0
    n_lots = np.where(held > 0.0, rng.integers(1, 4, n), 0)
    name_of_lot = np.repeat(np.arange(n), n_lots)
    portion = rng.exponential(1.0, len(name_of_lot))
    portion /= np.bincount(name_of_lot, portion, minlength=n)[name_of_lot]
    gain = 1.0 - np.exp(-rng.normal(0.08, 0.25, len(name_of_lot)))
    is_long = rng.random(len(name_of_lot)) < 0.6
    is_loss = gain < 0.0
    tax = np.where(is_long, _LONG_RATE, _SHORT_RATE) * gain * np.where(is_loss, _LOSS_VALUE, 1.0)
    if n_accounts > 1 and rng.random() < 0.3:  # an IRA
        gain, tax, is_loss = 0.0 * gain, 0.0 * tax, np.zeros(len(gain), np.bool_)
    columns: dict[str, Any] = {
        "names_from": np.array([0, n], np.int64),
        "value_usd": np.array([value]),
        "risk_price": np.exp(rng.uniform(np.log(5.0), np.log(500.0), 1)),
        "cash": np.array([1.0 - held.sum()]),
        "cash_min": np.zeros(1),
        "cash_max": np.array([rng.choice([0.0, 0.002, 0.02])]),
        "lots_from": np.concatenate([[0], np.cumsum(n_lots)]).astype(np.int64),
        "asset_ix": assets.astype(np.int32),
        "benchmark": benchmark,
        "held": held,
        "half_spread": np.full(n, _HALF_SPREAD),
        "lot_weight": held[name_of_lot] * portion,
        "lot_tax": tax,
        "lot_gain": gain,
        "lot_is_long": is_long,
        "lot_is_loss": is_loss,
    }
    columns |= _random_terms(rng, world.price_usd[assets], value, present)
    columns |= _random_bars(rng, held, len(gain), present)
    rows = _random_rows(rng, world.sector[assets], benchmark, present, n_accounts)
    return make_problems(**(columns | _row_columns(rows)))


def _random_terms(
    rng: np.random.Generator, price_usd: Floats, value: float, present: set[Feature]
) -> dict[str, Any]:
    """Sizes, charges and prices of an account."""
    n = len(price_usd)
    columns: dict[str, Any] = {}
    step = rng.choice([0.0, 1e-6])
    if Feature.WHOLE_SHARES in present:
        step = 1.0
    columns["step"] = step * price_usd / value
    if Feature.TICKETS in present:
        columns["ticket_charge"] = rng.choice([1.0, 20.0], 1) / value
    if Feature.LOT_CHARGES in present:
        columns["lot_charge"] = rng.choice([0.5, 5.0], 1) / value
    if Feature.TRADE_MIN in present:
        columns["trade_min"] = rng.choice([1e-4, 5e-3, 2e-2], 1)
    if Feature.HOLDING_MIN in present:
        columns["holding_min"] = rng.choice([1e-3, 2e-2], 1)
    if Feature.IN_ORDER in present:
        columns["in_order"] = rng.random(1) < 0.7
    if Feature.TE_MAX in present:
        columns["te_max"] = rng.uniform(0.01, 0.05, 1)
        if rng.random() < 0.3:
            columns["risk_price"] = np.zeros(1)
    if Feature.UTILITY in present:
        columns["utility"] = np.where(rng.random(n) < 0.3, rng.normal(0.0, 0.01, n), 0.0)
    if Feature.IMPACT in present:
        columns["impact"] = np.exp(rng.uniform(np.log(0.003), np.log(0.3), n))
    if Feature.BIG in present:
        columns["big_from"] = rng.uniform(0.05, 0.15, 1)
    return columns


def _random_bars(
    rng: np.random.Generator, held: Floats, n_lots: int, present: set[Feature]
) -> dict[str, Any]:
    """Limits, bans and washes of an account's names."""
    n = len(held)
    columns: dict[str, Any] = {}
    if Feature.LIMITS in present:
        limited = rng.random(n) < 0.3
        columns["weight_max"] = np.where(limited, rng.choice([0.0, 0.5, 1.2], n) * held, 1.0)
        least = np.where(limited, 0.0, rng.choice([0.0, 0.0, 0.3, 1.1], n) * held)
        columns["weight_min"] = np.minimum(least, columns["weight_max"])
    if Feature.BANS in present:
        columns["may_buy"] = rng.random(n) < 0.85
        columns["may_sell"] = rng.random(n) < 0.85
        columns["lot_sellable"] = rng.random(n_lots) < 0.9
    if Feature.EXPOSED in present:
        exposed = rng.random(n) < 0.3
        columns |= _random_claims(rng, np.where(exposed, rng.uniform(0.05, 0.6, n) * held, 0.0))
    bars = Feature.YOUNG_BARS in present
    prices = Feature.YOUNG_PRICES in present
    if bars or prices:
        young = rng.random(n) < 0.4
        share_barred = float(bars) * (0.5 if prices else 1.0)
        barred = rng.random(n) < share_barred
        columns["young"] = np.where(young, rng.uniform(0.05, 0.6, n) * held, 0.0)
        columns["young_cost"] = np.where(barred, np.inf, rng.choice([0.01, 0.05, 0.2], n))
    return columns


def _random_claims(rng: np.random.Generator, exposed: Floats) -> dict[str, Any]:
    """One to three claims of each name with a weight exposed: dear, cheap and free ones in any order."""
    n = len(exposed)
    count = np.where(exposed > 0.0, rng.integers(1, 4, n), 0)
    name = np.repeat(np.arange(n), count)
    portion = rng.exponential(1.0, len(name))
    portion /= np.bincount(name, portion, minlength=n)[name]
    barred = rng.random(n) < 0.3
    return {
        "claims_from": np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        "claim_weight": exposed[name] * portion,
        "claim_cost": np.where(barred[name], np.inf, rng.choice([0.0, 0.005, 0.05], len(name))),
    }


def _random_rows(
    rng: np.random.Generator,
    sector: np.ndarray,
    benchmark: Floats,
    present: set[Feature],
    n_accounts: int,
) -> list[_Row]:
    rows = []
    n = len(sector)
    if Feature.SECTORS in present:
        band = rng.choice([0.002, 0.01])
        for each in np.unique(sector):
            members = np.flatnonzero(sector == each)
            target = float(benchmark[members].sum())
            rows.append(
                _Row(RowKind.LINEAR, target - band, target + band, 1.0, members=tuple(members.tolist()))
            )
    if Feature.TURNOVER in present:
        rows.append(_Row(RowKind.TURNOVER, -np.inf, rng.uniform(0.01, 0.2), rng.choice([0.05, 1.0])))
    if Feature.GAINS in present:
        kinds = (RowKind.GAIN_SHORT, RowKind.GAIN_LONG, RowKind.GAIN, RowKind.TAX)
        for kind in rng.choice(np.array(kinds), int(rng.integers(1, 4)), replace=False):
            lower = rng.choice([-np.inf, rng.uniform(-0.02, 0.0)])
            rows.append(_Row(RowKind(int(kind)), lower, rng.uniform(0.0, 0.01), rng.choice([0.1, 1.0])))
    if Feature.COUNTS in present:
        price = rng.choice([1e-4, 1e-3])
        rows.append(_Row(RowKind.TRADES, -np.inf, float(rng.integers(n // 3, max(n, 1))), price))
        rows.append(_Row(RowKind.HOLDINGS, -np.inf, float(rng.integers(n // 2, max(n, 1))), price))
    if Feature.BIG in present:
        rows.append(_Row(RowKind.BIG, -np.inf, rng.uniform(0.1, 0.5), rng.choice([0.05, 1.0])))
    if Feature.JOINT_ROWS in present and n_accounts > 1:
        kind = RowKind(int(rng.choice(np.array(_WEIGHTED))))
        rows.append(_Row(kind, -np.inf, rng.uniform(0.0, 0.02), rng.choice([0.1, 1.0]), is_joint=True))
    return rows


def _row_columns(rows: list[_Row]) -> dict[str, Any]:
    """The rows of one account as columns of `Problems`."""
    n_entries = [len(row.members) for row in rows]
    members = [name for row in rows for name in row.members]
    return {
        "rows_from": np.array([0, len(rows)], np.int64),
        "entries_from": np.concatenate([[0], np.cumsum(n_entries)]).astype(np.int64),
        "row_kind": np.array([row.kind for row in rows], np.int8),
        "row_joint": np.array([row.is_joint for row in rows], np.bool_),
        "row_lower": np.array([row.lower for row in rows], np.float64),
        "row_upper": np.array([row.upper for row in rows], np.float64),
        "row_price": np.array([row.price for row in rows], np.float64),
        "entry_name": np.array(members, np.int32),
        "entry_coefficient": np.ones(len(members)),
    }


def tangled_problem(rng: np.random.Generator, n_names: int, *, whole_shares: bool) -> tuple[Market, Problems]:
    """One small account with everything in it at once: groups, limits, bans, washes, rows, charges."""
    n_factors = int(rng.integers(1, 4))
    world = synthetic_world(n_names, n_factors, rng)
    group = rng.integers(0, n_names, n_names).astype(np.int32)
    group = np.where(rng.random(n_names) < 0.4, group, np.arange(n_names)).astype(np.int32)
    value = float(np.exp(rng.uniform(np.log(2e4), np.log(2e6))))
    profile = Profile(
        n_names=n_names,
        n_lots=n_names * int(rng.integers(1, 4)),
        n_factors=n_factors,
        risk_price=float(np.exp(rng.uniform(np.log(5.0), np.log(500.0)))),
        value_usd=(value, value * 1.0001),
        trade_bps_min=float(rng.choice([0.0, 1.0, 50.0])),
        ticket_usd=float(rng.choice([0.0, 1.0, 20.0])),
        lot_usd=float(rng.choice([0.0, 0.5])),
        cash_band=(0.0, float(rng.choice([0.0, 0.002, 0.02]))),
        sector_band=float(rng.choice([0.0, 0.01])),
        washes=0.4,
        share_step=1.0 if whole_shares else float(rng.choice([0.0, 1e-3])),
    )
    problem = synthetic_problems(world, profile, 1, rng)
    limited = rng.random(n_names) < 0.3
    blocked = rng.random(n_names) < 0.3
    problem = problem._replace(
        may_buy=rng.random(n_names) < 0.85,
        may_sell=rng.random(n_names) < 0.85,
        weight_max=np.where(limited, rng.choice([0.0, 0.5, 1.2], n_names) * problem.held, 1.0),
        weight_min=np.where(limited, 0.0, rng.choice([0.0, 0.3], n_names) * problem.held),
        utility=np.where(rng.random(n_names) < 0.3, rng.normal(0.0, 0.01, n_names), 0.0),
        lot_sellable=rng.random(len(problem.lot_weight)) < 0.9,
        claim_cost=np.where(blocked[name_of_claim(problem)], np.inf, problem.claim_cost),
    )
    return world.market._replace(group_ix=group), problem
