"""Synthetic problems for benchmarks and tests: a factor market, accounts with lots of many ages.

The market has one broad factor of 15 % a year, sector-like and style-like factors of 3–5 %, and
specific risk of 15–45 %. An account has held for years: each name has one to five lots, bought
at prices that today's price has left by a lognormal factor, so that some 30 % of lots carry a
loss; its weights have drifted from the index.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.optimize.claims import one_claim
from allotment.optimize.problem import Market, Problems, make_problems
from allotment.units import Floats, Index


class Profile(NamedTuple):
    """What a batch of synthetic accounts looks like."""

    n_names: int = 500
    n_lots: int = 1500
    n_factors: int = 20
    risk_price: float = 100.0
    value_usd: tuple[float, float] = (250e3, 5e6)  # log-uniform between
    trade_bps_min: float = 1.0
    trade_usd_min: float = 0.0
    ticket_usd: float = 0.0
    lot_usd: float = 0.0
    cash_band: tuple[float, float] = (0.0, 0.0)
    sector_band: float = 0.0  # active weight allowed per sector, 0 = no rows
    washes: float = 0.0  # share of names with young lots or open claims, half each
    share_step: float = 1e-6  # shares


PROFILE_A = Profile()
PROFILE_B = Profile(
    trade_bps_min=0.0,
    trade_usd_min=100.0,
    ticket_usd=0.5,
    lot_usd=0.1,
    cash_band=(0.0, 0.001),
    sector_band=0.005,
    washes=0.1,
)
_N_SECTORS = 11
_SHORT_RATE, _LONG_RATE, _LOSS_VALUE = 0.408, 0.238, 0.8
_HALF_SPREAD = 3e-4
_ROW_PRICE = 1.0


class World(NamedTuple):
    """A market with what accounts need to know of it besides risk."""

    market: Market
    benchmark: Floats  # (N,) sums to one
    price_usd: Floats  # (N,)
    sector: Index  # (N,)


def synthetic_world(n_assets: int, n_factors: int, rng: np.random.Generator) -> World:
    """A market of n_assets with index weights like those of large companies."""
    sector = rng.integers(0, _N_SECTORS, n_assets).astype(np.int32)
    loadings = rng.normal(0.0, 0.03, (n_assets, n_factors))
    loadings[:, 0] = rng.normal(0.15, 0.04, n_assets)
    for f in range(1, min(_N_SECTORS, n_factors)):
        loadings[:, f] += 0.08 * (sector == f)
    specific = rng.uniform(0.15, 0.45, n_assets) ** 2
    size = np.exp(rng.normal(0.0, 1.1, n_assets))
    market = Market(np.ascontiguousarray(loadings), specific, np.arange(n_assets, dtype=np.int32))
    price = np.exp(rng.normal(4.5, 0.8, n_assets))
    return World(market, size / size.sum(), price, sector)


def synthetic_problems(world: World, profile: Profile, n_accounts: int, rng: np.random.Generator) -> Problems:
    """Accounts on the whole of `world`, all with the index as benchmark."""
    n = profile.n_names
    assert n == len(world.benchmark)
    low, high = profile.value_usd
    value = np.exp(rng.uniform(np.log(low), np.log(high), n_accounts))
    drift = np.exp(rng.normal(0.0, 0.25, (n_accounts, n)))
    held = world.benchmark * drift
    held *= (1 - 0.005) / held.sum(axis=1, keepdims=True)
    per_name = rng.multinomial(profile.n_lots - n, np.full(n, 1 / n), n_accounts) + 1
    lots_from = np.concatenate([[0], np.cumsum(per_name)]).astype(np.int64)
    n_lots = int(lots_from[-1])
    share = rng.exponential(1.0, n_lots)
    name_of_lot = np.repeat(np.arange(n_accounts * n), per_name.ravel())
    share /= np.bincount(name_of_lot, share)[name_of_lot]
    lot_weight = held.ravel()[name_of_lot] * share
    gain = 1.0 - np.exp(-rng.normal(0.12, 0.25, n_lots))  # of value; basis = value − gain
    is_long = rng.random(n_lots) < 0.7
    rate = np.where(is_long, _LONG_RATE, _SHORT_RATE)
    loss = gain < 0.0
    names = n_accounts * n
    washed = rng.random(names) < profile.washes
    young = washed & (rng.random(names) < 0.5)
    exposed = np.where(washed & ~young, 0.3 * held.ravel(), 0.0)
    rows = _sector_rows(world, profile, n_accounts)
    least = np.maximum(profile.trade_bps_min * 1e-4, profile.trade_usd_min / value)
    return make_problems(
        names_from=np.arange(n_accounts + 1, dtype=np.int64) * n,
        value_usd=value,
        risk_price=np.full(n_accounts, profile.risk_price),
        cash=np.full(n_accounts, 0.005),
        cash_min=np.full(n_accounts, profile.cash_band[0]),
        cash_max=np.full(n_accounts, profile.cash_band[1]),
        trade_min=least,
        ticket_charge=profile.ticket_usd / value,
        lot_charge=profile.lot_usd / value,
        lots_from=lots_from,
        asset_ix=np.tile(np.arange(n, dtype=np.int32), n_accounts),
        benchmark=np.tile(world.benchmark, n_accounts),
        held=held.ravel(),
        half_spread=np.full(names, _HALF_SPREAD),
        **one_claim(exposed, np.full(names, 0.02)),
        young=np.where(young, 0.2 * held.ravel(), 0.0),
        step=(profile.share_step * world.price_usd / value[:, None]).ravel(),
        lot_weight=lot_weight,
        lot_tax=rate * gain * np.where(loss, _LOSS_VALUE, 1.0),
        lot_gain=gain,
        lot_is_long=is_long,
        lot_is_loss=loss,
        **rows,
    )


def _sector_rows(world: World, profile: Profile, n_accounts: int) -> dict[str, np.ndarray]:
    n_rows = _N_SECTORS if profile.sector_band > 0.0 else 0
    by_sector = np.argsort(world.sector, kind="stable").astype(np.int32)
    counts = np.bincount(world.sector, minlength=_N_SECTORS)[:n_rows]
    target = np.bincount(world.sector, world.benchmark, minlength=_N_SECTORS)[:n_rows]
    n_entries = int(counts.sum())
    ends = np.cumsum(np.tile(counts, n_accounts))
    return {
        "rows_from": np.arange(n_accounts + 1, dtype=np.int64) * n_rows,
        "entries_from": np.concatenate([[0], ends]).astype(np.int64),
        "row_lower": np.tile(target - profile.sector_band, n_accounts),
        "row_upper": np.tile(target + profile.sector_band, n_accounts),
        "row_price": np.full(n_rows * n_accounts, _ROW_PRICE),
        "entry_name": np.tile(by_sector[:n_entries], n_accounts),
        "entry_coefficient": np.ones(n_entries * n_accounts),
    }
