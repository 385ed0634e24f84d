"""What late facts change of sales that were known before."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.changes import ChangedSales, changed_sales
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import fold
from allotment.ledger.sold import sold_by_year
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups

OWN, STOCK, SHARE = (1, 10), 7, 10**9
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=10,
            code="own",
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 1),
        )
    ]
)
GROUPS = IdenticalGroups.alone(np.array([STOCK]))


def changes(book: EventWriter, known: int) -> ChangedSales:
    events = book.events()
    rows = []
    for upto in (known, len(events)):
        one = EventWriter()
        one._rows, one._lots = book._rows[:upto], book._lots
        one._named = book._named[: sum(row["n_named"] for row in book._rows[:upto])]
        state = fold(one.events(), ACCOUNTS, GROUPS)
        rows.append(sold_by_year(state.taxpayer, ACCOUNTS.account_ids, ACCOUNTS.household_ids).rows)
    return changed_sales(*rows, known_until=known)


def test_a_purchase_after_the_sale_washes_it() -> None:
    book = EventWriter()
    book.buy(OWN, date(2024, 1, 10), STOCK, 100, 5000)
    sale = book.sell(OWN, date(2024, 6, 3), STOCK, 100, 4000)
    book.buy(OWN, date(2024, 6, 10), STOCK, 100, 4100)
    found = changes(book, known=2)
    assert found.event.tolist() == [sale]
    assert found.only_washed.tolist() == [True]
    assert (found.before[0, 3], found.after[0, 3]) == (0, 100_000)


def test_a_late_purchase_that_first_in_first_out_would_have_sold() -> None:
    """A purchase of 2022 arrives after the sale was booked: other shares were sold, at another basis."""
    book = EventWriter()
    later = book.buy(OWN, date(2023, 1, 10), STOCK, 100, 5000)
    sale = book.sell(OWN, date(2024, 6, 3), STOCK, 100, 6000)
    earlier = book.buy(OWN, date(2022, 1, 10), STOCK, 100, 3000)
    found = changes(book, known=2)
    assert found.event.tolist() == [sale, sale]
    assert found.origin_event.tolist() == [later, earlier]
    assert found.after[:, 5].tolist() == [0, 300_000]
    assert not found.only_washed.any()


def test_a_new_sale_is_no_change_and_a_reversed_one_is() -> None:
    book = EventWriter()
    book.buy(OWN, date(2023, 1, 10), STOCK, 100, 5000)
    sale = book.sell(OWN, date(2024, 6, 3), STOCK, 50, 6000)
    book.sell(OWN, date(2024, 6, 4), STOCK, 10, 700)
    assert not len(changes(book, known=2))
    book.write(EventKind.REVERSAL, *OWN, date(2024, 6, 3), reverses=sale)
    found = changes(book, known=3)
    assert found.event.tolist() == [sale]
    assert found.after[0].tolist() == [0] * 7
    assert found.before[0, 0] == 50 * SHARE


def test_years_fall_apart_with_their_links() -> None:
    book = EventWriter()
    book.buy(OWN, date(2023, 1, 10), STOCK, 100, 5000)
    book.sell(OWN, date(2023, 6, 3), STOCK, 50, 2000)
    book.buy(OWN, date(2023, 6, 10), STOCK, 20, 900)
    book.sell(OWN, date(2024, 6, 3), STOCK, 30, 1100)
    book.buy(OWN, date(2024, 6, 5), STOCK, 10, 400)
    state = fold(book.events(), ACCOUNTS, GROUPS)
    found = sold_by_year(state.taxpayer, ACCOUNTS.account_ids, ACCOUNTS.household_ids)
    assert found.year.tolist() == [2023, 2024]
    sold = state.taxpayer.disposals
    assert len(found.rows) == len(sold)
    for at in range(2):
        rows = slice(found.starts[at], found.starts[at + 1])
        links = slice(found.link_starts[at], found.link_starts[at + 1])
        assert set(found.rows.day[rows].astype("M8[Y]").astype(int) + 1970) == {found.year[at]}
        washed = np.zeros(found.starts[at + 1] - found.starts[at], np.int64)
        np.add.at(washed, found.links.disposal_row[links], found.links.amount_cents[links])
        assert washed.tolist() == found.rows.disallowed_cents[rows].tolist()
