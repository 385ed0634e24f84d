"""The calendar of a household, and losses that are gone for good."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from allotment.book.expected import Coming, Expected, YearPage
from allotment.book.household import Account, AccountKind, Taxpayer
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.expected import ComingPurchases, coming_purchases
from allotment.ledger.fold import BookState, fold
from allotment.ledger.permanent import LossRule, permanent_losses
from allotment.ledger.wash_locks import LockPolicy, WashLocks, wash_locks
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups
from allotment.tax.transactions import FoldPolicy, SpouseEffect
from allotment.tax.wash_calendar import planned_wash

MINE, SPOUSES, IRA, OTHERS = (1, 10), (1, 11), (1, 12), (2, 20)
OLD, NEW, ELSE = 1, 2, 3  # one share of OLD is ten of NEW
GROUPS = IdenticalGroups(
    security_ids=np.array([OLD, NEW, ELSE]),
    group_ix=np.array([0, 0, 1], np.int32),
    unit_parts=np.array([10, 1, 1]),
    unit_whole=np.ones(3, np.int64),
)
ASOF = date(2025, 6, 16)
ACCOUNTS = {
    account_id: Account(
        account_id=account_id, code=f"A{account_id}", household_id=home, taxpayer_id=account_id,
        kind=AccountKind.IRA if account_id == 12 else AccountKind.TAXABLE, venue_code="",
        opened=date(2020, 1, 1),
    )
    for home, account_id in (MINE, SPOUSES, IRA, OTHERS)
}  # fmt: skip
TAXPAYERS = {
    number: Taxpayer(taxpayer_id=number, code=f"T{number}", household_id=1, short_rate=0.4, long_rate=0.2)
    for number in ACCOUNTS
}


def folded(book: EventWriter, policy: FoldPolicy | None = None) -> BookState:
    table = AccountTable.of_accounts(list(ACCOUNTS.values()))
    state = fold(book.events(), table, GROUPS, policy)
    assert state.problems == ()
    return state


def expected(*lines: Expected) -> ComingPurchases:
    page = YearPage(household_id=1, year=2025, version=1, lines=lines)
    return coming_purchases([page], ACCOUNTS, {}, EventWriter().events(), ASOF)


def locks_of(book: EventWriter, *lines: Expected, asof: date = ASOF) -> WashLocks:
    day = np.asarray(np.datetime64(asof))
    return wash_locks(
        folded(book), expected(*lines), TAXPAYERS, day, LockPolicy(later_years=1, discount=0.25)
    )


def rows(locks: WashLocks) -> list[tuple[int, int, int]]:
    return list(
        zip(*(c.tolist() for c in (locks.household_id, locks.account_id, locks.security_id)), strict=True)
    )


def loss_of_a_thousand(owner: tuple[int, int] = MINE, security: int = OLD) -> EventWriter:
    book = EventWriter()
    book.buy(owner, date(2024, 1, 10), security, 10, 3000)
    book.sell(owner, date(2025, 6, 2), security, 10, 2000)
    return book


def test_a_loss_locks_purchases_of_its_group_at_a_price() -> None:
    """$1,000 at 40 %, had a year later at 20 %, discounted by a quarter: $400 - $160; in an IRA all $400."""
    locks = locks_of(loss_of_a_thousand())
    assert rows(locks) == [(1, 0, OLD), (1, 0, NEW)]
    assert locks.exposed_nano.tolist() == [10 * 10**9, 100 * 10**9]
    assert locks.loss_cents.tolist() == [1_000_00] * 2
    assert locks.buy_unlocks.astype(str).tolist() == ["2025-07-03"] * 2
    assert locks.buy_clean_from.astype(str).tolist() == ["2025-07-03"] * 2
    assert locks.deferral_cents.tolist() == [240_00] * 2
    assert locks.permanent_cents.tolist() == [400_00] * 2
    assert np.isnat(locks.sale_unlocks).all()


def test_the_calendar_ends_on_the_thirty_first_day() -> None:
    assert len(locks_of(loss_of_a_thousand(), asof=date(2025, 7, 2))) == 2
    assert len(locks_of(loss_of_a_thousand(), asof=date(2025, 7, 3))) == 0


def test_what_was_bought_and_what_will_be_locks_loss_sales() -> None:
    book = EventWriter()
    book.buy(SPOUSES, date(2025, 6, 1), ELSE, 4, 100)
    vests = Expected(what=Coming.VESTING, security_id=ELSE, quantity_nano=25 * 10**9, start=date(2025, 7, 1))
    into_ira = Expected(
        what=Coming.PAYROLL, security_id=NEW, quantity_nano=5 * 10**9, account_id=12, start=date(2025, 6, 20)
    )
    locks = locks_of(book, vests, into_ira)
    assert rows(locks) == [(1, 0, OLD), (1, 0, NEW), (1, 0, ELSE)]
    assert locks.young_nano.tolist() == [0, 0, 4 * 10**9]
    assert locks.coming_nano.tolist() == [500_000_000, 5 * 10**9, 25 * 10**9]
    assert locks.coming_ira_nano.tolist() == [500_000_000, 5 * 10**9, 0]
    assert locks.sale_unlocks.astype(str).tolist() == ["2025-07-21", "2025-07-21", "2025-07-02"]
    assert locks.sale_clean_from.astype(str).tolist() == ["2025-07-21", "2025-07-21", "2025-08-01"]
    assert np.isnat(locks.buy_unlocks).all()


def test_planned_purchases_are_counted_as_the_law_counts_them() -> None:
    vests = Expected(what=Coming.VESTING, security_id=OLD, quantity_nano=10**9, start=date(2025, 6, 30))
    asof = np.asarray(np.datetime64(ASOF))
    locks = locks_of(EventWriter(), vests)
    planned = expected(vests).planned(np.array([1, 2]), asof)
    law = planned_wash(planned, 0, locks.security_id, GROUPS, asof)
    assert locks.coming_nano.tolist() == law.planned_nano.tolist() == [10**9, 10 * 10**9]


def test_household_and_accounts_that_stand_alone_have_calendars_of_their_own() -> None:
    book = loss_of_a_thousand(SPOUSES)
    book.buy(OTHERS, date(2025, 6, 10), ELSE, 1, 10)
    book.buy(MINE, date(2025, 6, 10), ELSE, 1, 10)
    book.write(EventKind.ACCOUNT_LINKED, *SPOUSES, date(2025, 6, 20))
    assert rows(locks_of(book)) == [(1, 0, ELSE), (1, 11, OLD), (1, 11, NEW), (2, 0, ELSE)]
    on_the_day = locks_of(book, asof=date(2025, 6, 20))
    assert rows(on_the_day) == [(1, 0, OLD), (1, 0, NEW), (1, 0, ELSE), (2, 0, ELSE)]


def test_nothing_is_locked_in_empty_books() -> None:
    assert len(locks_of(EventWriter())) == 0


def test_a_purchase_by_an_ira_is_recorded_as_a_loss_for_good() -> None:
    """Rev. Rul. 2008-5: forty of a hundred shares come back in the IRA."""
    book = EventWriter()
    book.buy(MINE, date(2024, 1, 10), ELSE, 100, 1000)
    sale = book.sell(MINE, date(2025, 6, 2), ELSE, 100, 600)
    bought = book.buy(IRA, date(2025, 6, 9), ELSE, 40, 240)
    book.buy(SPOUSES, date(2025, 6, 10), ELSE, 10, 60)
    lost = permanent_losses(folded(book))
    assert len(lost) == 1
    assert lost.day.astype(str).tolist() == ["2025-06-09"]
    assert (lost.account_id[0], lost.buyer_account_id[0]) == (10, 12)
    assert (lost.sale_event[0], lost.purchase_event[0], lost.security_id[0]) == (sale, bought, ELSE)
    assert (lost.quantity_nano[0], lost.amount_cents[0]) == (40 * 10**9, 160_00)
    assert LossRule(int(lost.rule[0])) is LossRule.IRA_BOUGHT
    assert "2008-5" in LossRule.IRA_BOUGHT.citation


@pytest.mark.parametrize("effect", list(SpouseEffect))
def test_a_spouses_purchase_destroys_a_loss_only_by_that_policy(effect: SpouseEffect) -> None:
    book = loss_of_a_thousand()
    book.buy(SPOUSES, date(2025, 6, 9), OLD, 10, 2000)
    lost = permanent_losses(folded(book, FoldPolicy(spouse_effect=effect)))
    if effect is SpouseEffect.ADJUST_SPOUSE_LOT:
        assert len(lost) == 0
    else:
        assert lost.amount_cents.tolist() == [1_000_00]
        assert lost.rule.tolist() == [LossRule.SPOUSE_BOUGHT]
