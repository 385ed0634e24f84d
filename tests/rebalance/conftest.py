"""A market of thirty names and an account or two, small enough to reason about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.book.household import Account, AccountKind, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate
from allotment.book.venue import Venue
from allotment.market.security import Security
from allotment.rebalance.case import AccountCase
from allotment.rebalance.snapshot import MarketSnapshot
from allotment.rebalance.washes import GroupWashes
from allotment.risk.exposures import NAMES, Exposures
from allotment.risk.model import FactorModel
from allotment.tax.identical import IdenticalGroups

ASOF = date(2025, 6, 30)
N = 30


def small_market() -> MarketSnapshot:
    """Thirty names at $100 in three sectors; names 1 and 2 are share classes of one issuer."""
    rng = np.random.default_rng(5)
    ids = np.arange(1, N + 1)
    securities = tuple(
        Security(
            security_id=int(i),
            code=f"S{i:02d}",
            name=f"Company {i}",
            sector=("Energy", "Tech", "Health")[i % 3],
            group_code="G12" if i in (1, 2) else "",
        )
        for i in ids
    )
    groups = IdenticalGroups.of_securities(securities)
    weight = rng.uniform(0.5, 1.5, N)
    return MarketSnapshot(
        asof=ASOF,
        securities=securities,
        security_ids=ids,
        price_micros=np.full(N, 100_000_000),
        half_spread=np.full(N, 0.0002),
        group_ix=groups.group_ix,
        groups=groups,
        model=FactorModel(
            asof=ASOF,
            version="test",
            security_ids=ids,
            factor_names=("market", "style"),
            loadings=np.column_stack([np.full(N, 0.15), rng.normal(0, 0.08, N)]),
            specific_variance=rng.uniform(0.03, 0.09, N),
        ),
        exposures=Exposures(names=NAMES, security_ids=ids, values=rng.normal(0, 1, (N, len(NAMES)))),
        flags={"flag_tobacco": np.isin(ids, (4, 5))},
        benchmarks={"IDX": weight / weight.sum()},
        digest="market of the test",
    )


@pytest.fixture
def market() -> MarketSnapshot:
    """The market of this file."""
    return small_market()


def lots_of(*rows: tuple[int, float, float, str]) -> Lots:
    """Lots from (security, shares, basis in dollars, day of purchase), one event each."""
    n = len(rows)
    days = np.array([row[3] for row in rows], "M8[D]")
    basis = np.array([round(row[2] * 100) for row in rows], np.int64)
    return Lots(
        account_ix=np.zeros(n, np.int32),
        sleeve_ix=np.zeros(n, np.int32),
        security_id=np.array([row[0] for row in rows], np.int64),
        side=np.ones(n, np.int8),
        quantity_nano=np.array([round(row[1] * 1e9) for row in rows], np.int64),
        basis_cents=basis,
        loss_basis_cents=basis.copy(),
        acquired=days,
        holding_from=days,
        purchased=days,
        acquisition_id=np.arange(1, n + 1),
        origin_event=np.arange(1, n + 1),
        origin_line=np.zeros(n, np.int32),
        absorbed=np.zeros(n, np.int8),
        covered=np.ones(n, np.int8),
        basis_state=np.zeros(n, np.int8),
    )


def with_basis(lots: Lots, basis_cents: np.ndarray) -> Lots:
    """The lots with this basis, for a gain as for a loss."""
    basis = np.rint(basis_cents).astype(np.int64)
    return replace(lots, basis_cents=basis, loss_basis_cents=basis)


def case_maker(market: MarketSnapshot) -> Callable[..., AccountCase]:
    """Makes an account: `case(lots, cash, kind=…, mandate=dict(…), account_id=…)`."""

    def make(
        lots: Lots,
        cash_usd: float = 0.0,
        *,
        kind: AccountKind = AccountKind.TAXABLE,
        account_id: int = 1,
        household_id: int = 1,
        step_nano: int = 1,
        venue: dict[str, object] | None = None,
        mandate: dict[str, object] | None = None,
    ) -> AccountCase:
        n_groups = int(market.group_ix.max()) + 1
        return AccountCase(
            account=Account(
                account_id=account_id,
                code=f"A{account_id}",
                household_id=household_id,
                taxpayer_id=1,
                kind=kind,
                venue_code="V",
                opened=date(2020, 1, 2),
            ),
            taxpayer=Taxpayer(
                taxpayer_id=1, code="T1", household_id=household_id, short_rate=0.4, long_rate=0.2
            ),
            venue=Venue(code="V", share_step_nano=step_nano, **(venue or {})),
            mandate=Mandate(
                account_id=account_id,
                version=1,
                effective=date(2020, 1, 2),
                **{"benchmark": (("IDX", 1.0),), **(mandate or {})},
            ),
            lots=lots,
            cash_cents=round(cash_usd * 100),
            washes=GroupWashes.nothing(n_groups),
        )

    return make


def claimed(case: AccountCase, groups: np.ndarray, shares: float = 1.0, loss_usd: float = 1.0) -> AccountCase:
    """The case with an open claim in each of the groups (a mask, or positions)."""
    count = np.zeros(len(case.washes.young_nano), np.int64)
    count[groups] = 1
    washes = replace(
        case.washes,
        claims_from=np.concatenate([[0], np.cumsum(count)]),
        claim_nano=np.full(count.sum(), round(shares * 1e9)),
        claim_loss_cents=np.full(count.sum(), round(loss_usd * 100)),
    )
    return replace(case, washes=washes)


def with_young(
    case: AccountCase, groups: np.ndarray, shares: float = 1.0, *, purchase: int = -1, in_ira: bool = False
) -> AccountCase:
    """The case with young shares in each of the groups: of one purchase, or of several (-1)."""
    young, sole, ira = (
        getattr(case.washes, c).copy() for c in ("young_nano", "sole_purchase", "young_in_ira")
    )
    young[groups], sole[groups], ira[groups] = round(shares * 1e9), purchase, in_ira
    return replace(case, washes=replace(case.washes, young_nano=young, sole_purchase=sole, young_in_ira=ira))


@pytest.fixture
def case(market: MarketSnapshot) -> Callable[..., AccountCase]:
    """Makes an account on the market of this file; see `case_maker`."""
    return case_maker(market)
