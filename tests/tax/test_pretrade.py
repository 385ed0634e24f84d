"""What a trade of today would wash: §1091(a) before the fact."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import fold, open_claims
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups
from allotment.tax.pretrade import WashState, blocked_purchase, by_name, clean_quantity, wash_state

SHARE = 10**9
A, B = (1, 10), (1, 11)
K, L, OTHER = 1, 2, 3
# One share of K is 1,500 of L.
GROUPS = IdenticalGroups(
    security_ids=np.array([K, L, OTHER]),
    group_ix=np.array([0, 0, 1], np.int32),
    unit_parts=np.array([1500, 1, 1]),
    unit_whole=np.ones(3, np.int64),
)
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=number,
            code=str(number),
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 1),
        )
        for number in (10, 11)
    ]
)
HOUSEHOLD = np.zeros(2, np.int32)


def state_of(book: EventWriter, asof: str) -> tuple[WashState, np.ndarray]:
    day = np.datetime64(asof)
    folded = fold(book.events(), ACCOUNTS, GROUPS)
    lots = folded.taxpayer.lots
    state = wash_state(lots, HOUSEHOLD, open_claims(folded, day), GROUPS, day)
    return state, clean_quantity(lots, HOUSEHOLD, state, GROUPS)


def test_an_open_claim_blocks_purchases_of_the_whole_group_for_thirty_days() -> None:
    book = EventWriter()
    book.buy(A, date(2023, 1, 10), K, 2, 1_200_000)
    book.sell(A, date(2024, 6, 3), K, 1, 500_000)
    state, _ = state_of(book, "2024-07-03")
    names = by_name(state, 0, np.array([L, OTHER, K]), GROUPS)
    assert names.exposed_nano.tolist() == [1500 * SHARE, 0, SHARE]
    assert names.loss_per_share_usd.tolist() == [100_000 / 1500, 0, 100_000]
    assert names.no_buy_until[0] == np.datetime64("2024-07-03")
    assert np.isnat(names.no_buy_until[1])
    assert blocked_purchase(state, 0, np.array([L, OTHER]), GROUPS).tolist() == [1, 0]
    late, _ = state_of(book, "2024-07-04")
    assert blocked_purchase(late, 0, np.array([L, K]), GROUPS).tolist() == [0, 0]


def test_young_shares_limit_what_sells_clean_but_not_of_their_own_purchase() -> None:
    """Rev. Rul. 56-602: a lot bought last week is clean if nothing else was bought."""
    book = EventWriter()
    book.buy(A, date(2023, 1, 10), OTHER, 100, 5_000)
    book.buy(B, date(2024, 5, 28), OTHER, 30, 1_200)
    state, clean = state_of(book, "2024-06-03")
    assert clean.tolist() == [70 * SHARE, 30 * SHARE]
    names = by_name(state, 0, np.array([OTHER]), GROUPS)
    assert names.young_nano.tolist() == [30 * SHARE]
    assert names.young_purchases.tolist() == [1]


def test_the_forecast_is_what_posting_does() -> None:
    book = EventWriter()
    old = book.buy(A, date(2023, 1, 10), OTHER, 100, 5_000)
    book.buy(B, date(2024, 5, 28), OTHER, 30, 1_200)
    book.sell(A, date(2024, 6, 3), OTHER, 70, 2_800, [(old, 0, 70 * SHARE)])
    posted = fold(book.events(), ACCOUNTS, GROUPS).taxpayer.disposals
    assert int(posted.quantity_nano[posted.disallowed_cents > 0].sum()) == 30 * SHARE
    # Seventy were clean only if the other account's thirty had been matched by none of them:
    # the forecast counts shares that can be sold beside those that will wash.
    assert int(posted.quantity_nano[posted.disallowed_cents == 0].sum()) == 40 * SHARE


def test_a_household_sees_its_own_shares_only() -> None:
    book = EventWriter()
    book.buy(A, date(2024, 5, 28), OTHER, 30, 1_200)
    state, _ = state_of(book, "2024-06-03")
    assert by_name(state, 1, np.array([OTHER]), GROUPS).young_nano.tolist() == [0]
