"""A made-up market whose covariance is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.prices import PriceHistory
from allotment.market.security import Security
from allotment.risk.window import SESSIONS_PER_YEAR, ReturnWindow
from allotment.units import Floats

SECTORS = ("Energy", "Health", "Industry", "Software", "Utilities")


@dataclass(frozen=True)
class World:
    window: ReturnWindow
    covariance: Floats  # annual, the truth


Make = Callable[..., World]


@pytest.fixture(scope="session")
def make_world() -> Make:
    """Returns of a market, sector and two style factors, normal and independent over time."""

    def make(n: int = 150, sessions: int = 750, seed: int = 3, sectors: tuple[str, ...] = SECTORS) -> World:
        rng = np.random.default_rng(seed)
        sector = np.arange(n) % len(sectors)
        beta = rng.normal(1.0, 0.2, n)
        belongs = (sector[:, None] == np.arange(len(sectors))).astype(float)
        loadings = np.column_stack([beta, belongs, rng.normal(0.0, 1.0, (n, 2))])
        deviation = np.array([0.16] + [0.08] * len(sectors) + [0.05, 0.03])
        specific = rng.uniform(0.15, 0.35, n)
        daily = 1.0 / np.sqrt(SESSIONS_PER_YEAR)
        factors = rng.normal(size=(sessions, deviation.shape[0])) * deviation * daily
        returns = factors @ loadings.T + rng.normal(size=(sessions, n)) * specific * daily
        scaled = loadings * deviation
        return World(
            window=ReturnWindow(
                asof=date(2020, 6, 30),
                security_ids=np.arange(n, dtype=np.int64) * 10 + 7,
                returns=returns,
                sector_ix=sector.astype(np.int64),
                sector_names=sectors,
                market_cap_usd=np.exp(rng.normal(23.0, 1.0, n)),
            ),
            covariance=scaled @ scaled.T + np.diag(specific**2),
        )

    return make


@pytest.fixture(scope="session")
def world(make_world: Make) -> World:
    return make_world()


@pytest.fixture(scope="session")
def history(make_world: Make) -> MarketHistory:
    """Forty securities over 500 weekdays from 2020-01-01, with dividends and a split."""
    found = make_world(n=40, sessions=500).window
    days = np.arange("2020-01-01", "2022-12-31", dtype="M8[D]")
    sessions = days[np.is_busday(days)][:501]
    prices = 50.0 * np.vstack([np.ones(40), np.cumprod(1.0 + found.returns, axis=0)])
    ids = found.security_ids
    return MarketHistory(
        securities=tuple(
            Security(security_id=int(i), code=f"S{i}", name=f"S{i}", sector=SECTORS[at % len(SECTORS)])
            for at, i in enumerate(ids)
        ),
        identifiers=(),
        prices=PriceHistory(
            sessions=sessions,
            security_ids=ids,
            close_micros=np.round(prices * 1e6).astype(np.int64),
            adjusted_usd=prices,
            volume=np.ones_like(prices),
        ),
        market_cap_usd=found.market_cap_usd * prices / 50.0,
        actions=(
            CorporateAction(
                security_id=7, ex_date=date(2020, 3, 2), kind=ActionKind.CASH_DIVIDEND, amount_usd=9
            ),
            CorporateAction(
                security_id=7, ex_date=date(2020, 9, 1), kind=ActionKind.CASH_DIVIDEND, amount_usd=2
            ),
            CorporateAction(security_id=7, ex_date=date(2020, 12, 1), kind=ActionKind.SPLIT, ratio=4.0),
            CorporateAction(
                security_id=7, ex_date=date(2021, 3, 1), kind=ActionKind.CASH_DIVIDEND, amount_usd=0.5
            ),
            CorporateAction(
                security_id=17, ex_date=date(2021, 3, 1), kind=ActionKind.SPECIAL_DIVIDEND, amount_usd=5
            ),
            CorporateAction(
                security_id=17, ex_date=date(2021, 7, 1), kind=ActionKind.CASH_DIVIDEND, amount_usd=1
            ),
        ),
        index_weights=(),
        scores={},
    )
