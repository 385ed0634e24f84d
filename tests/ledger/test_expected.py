"""What a page of the year means on a day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from allotment.book.expected import Coming, Confidence, Expected, YearPage
from allotment.book.household import Account, AccountKind, Management, Taxpayer
from allotment.ledger.events import Events
from allotment.ledger.expected import ComingPurchases, coming_purchases, in_year, silent_accounts
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups
from allotment.tax.wash_calendar import planned_wash

STOCK, OTHER, PLAN = 7, 8, 12
ASOF = date(2025, 6, 16)
VESTS = Expected(what=Coming.VESTING, security_id=STOCK, quantity_nano=25 * 10**9)


def accounts(kind: AccountKind = AccountKind.TAXABLE) -> dict[int, Account]:
    made = Account(
        account_id=PLAN, code="plan", household_id=1, taxpayer_id=1, kind=kind, venue_code="",
        opened=date(2020, 1, 1), management=Management.ATTESTED,
    )  # fmt: skip
    return {PLAN: made}


def coming(*lines: Expected, events: Events | None = None, possible: bool = False) -> ComingPurchases:
    page = YearPage(household_id=1, year=2025, version=1, lines=lines)
    booked = EventWriter().events() if events is None else events
    prices = {OTHER: 40_000_000}
    return coming_purchases([page], accounts(), prices, booked, ASOF, with_possible=possible)


@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [
        (date(2025, 5, 17), None, True),  # the thirtieth day before
        (date(2025, 5, 16), None, False),
        (date(2025, 7, 16), None, True),  # the thirtieth day after
        (date(2025, 7, 17), None, False),
        (date(2025, 1, 2), date(2025, 12, 31), True),  # some day of the year
        (date(2025, 7, 17), date(2025, 9, 1), False),
    ],
)
def test_a_purchase_counts_within_thirty_days_of_the_sale(
    start: date, end: date | None, counts: bool
) -> None:
    """§1091(a), both ends included."""
    assert len(coming(replace(VESTS, start=start, end=end))) == counts


def test_what_is_only_possible_is_shown_and_not_counted() -> None:
    line = replace(VESTS, start=ASOF, confidence=Confidence.POSSIBLE)
    assert len(coming(line)) == 0
    assert len(coming(line, possible=True)) == 1


def test_a_contribution_every_two_weeks_comes_on_its_days() -> None:
    line = Expected(
        what=Coming.PAYROLL, security_id=OTHER, amount_cents=500_00, every_days=14,
        start=date(2025, 1, 3), end=date(2025, 7, 5), kind=AccountKind.ROTH_IRA,
    )  # fmt: skip
    found = coming(line)
    assert found.first.astype(str).tolist() == ["2025-05-23", "2025-06-06", "2025-06-20", "2025-07-04"]
    assert found.quantity_nano.tolist() == [12_500_000_000] * 4  # $500 at $40
    assert found.taxable.tolist() == [0] * 4


def test_dollars_without_a_price_count_as_a_share_each() -> None:
    line = Expected(what=Coming.PURCHASE, security_id=STOCK, amount_cents=123_45, start=ASOF)
    assert coming(line).quantity_nano.tolist() == [123_450_000_000]


def test_what_is_booked_by_now_is_left_to_the_books() -> None:
    """Two days early, as paydays before a holiday are; another account's purchase is another."""
    line = replace(VESTS, account_id=PLAN, start=date(2025, 6, 10))
    for account, left in ((PLAN, 0), (PLAN + 1, 1)):
        book = EventWriter()
        book.buy((1, account), date(2025, 6, 8), STOCK, 25, 1000)
        assert len(coming(line, events=book.events())) == left
    book = EventWriter()
    book.buy((1, PLAN), date(2025, 6, 6), STOCK, 25, 1000)
    assert len(coming(line, events=book.events())) == 1


def test_the_law_counts_them_in_shares_of_what_is_sold() -> None:
    """What was due and is not booked washes a sale of today as what is still to come does."""
    found = coming(replace(VESTS, start=date(2025, 6, 1)), replace(VESTS, start=date(2025, 7, 1)))
    asof = np.asarray(np.datetime64(ASOF))
    planned = found.planned(np.array([1]), asof)
    groups = IdenticalGroups.alone(np.array([STOCK, OTHER]))
    washed = planned_wash(planned, 0, np.array([STOCK, OTHER]), groups, asof)
    assert washed.planned_nano.tolist() == [50 * 10**9, 0]


def test_the_page_takes_the_place_of_the_profile_where_it_speaks() -> None:
    profile = Taxpayer(
        taxpayer_id=1, code="T", household_id=1, carry_short_cents=5, outside_short_cents=7,
        outside_long_cents=9,
    )  # fmt: skip
    gain = Expected(what=Coming.GAIN, taxpayer_id=1, amount_cents=-300, is_long=False)
    paid_out = Expected(what=Coming.DISTRIBUTION, taxpayer_id=1, amount_cents=1000)
    perhaps = replace(gain, amount_cents=10**6, confidence=Confidence.POSSIBLE)
    carried = Expected(what=Coming.CARRYFORWARD, taxpayer_id=1, amount_cents=4000)
    others = replace(gain, taxpayer_id=2)

    def seen(*lines: Expected, year: int = 2025) -> Taxpayer:
        return in_year(profile, [YearPage(household_id=1, year=2025, version=3, lines=lines)], year)

    assert seen(others, perhaps, VESTS) == profile
    assert seen(gain, carried, year=2026) == profile
    told = seen(gain, paid_out, perhaps, others)
    assert (told.outside_short_cents, told.outside_long_cents) == (-300, 1000)
    assert told.carry_short_cents == 5
    told = seen(carried)
    assert (told.carry_short_cents, told.carry_long_cents) == (0, 4000)
    assert told.outside_short_cents == 7


def test_an_account_is_silent_where_nobody_speaks_for_it() -> None:
    none = Expected(what=Coming.NO_PURCHASES, account_id=PLAN, security_id=STOCK, start=date(2025, 6, 1))

    def silent(*lines: Expected) -> list[int]:
        page = YearPage(household_id=1, year=2025, version=1, lines=lines)
        return silent_accounts([page], [PLAN], np.array([STOCK, OTHER]), ASOF).tolist()

    assert silent() == [1, 1]
    assert silent(replace(none, end=date(2025, 12, 31))) == [0, 1]
    assert silent(replace(none, security_id=0, end=date(2025, 12, 31))) == [0, 0]
    assert silent(replace(none, end=date(2025, 6, 15))) == [1, 1]
    assert silent(replace(VESTS, account_id=PLAN)) == [0, 1]
