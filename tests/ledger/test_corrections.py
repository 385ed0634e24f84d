"""What later events withdraw or put right; a correction goes by the name of what it corrects."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.errors import InvariantError
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, fold
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups

OWN, SPOUSE = (1, 10), (1, 11)
STOCK = 7
SHARE = 10**9
ACCOUNTS = AccountTable.of_accounts(
    [
        Account(
            account_id=account_id,
            code=str(account_id),
            household_id=1,
            taxpayer_id=1,
            kind=AccountKind.TAXABLE,
            venue_code="",
            opened=date(2020, 1, 1),
        )
        for _, account_id in (OWN, SPOUSE)
    ]
)
GROUPS = IdenticalGroups.alone(np.array([STOCK]))


def folded(book: EventWriter) -> BookState:
    return fold(book.events(), ACCOUNTS, GROUPS)


def test_a_reversal_leaves_nothing() -> None:
    book = EventWriter()
    book.buy(OWN, date(2024, 1, 10), STOCK, 100, 1000)
    twice = book.buy(OWN, date(2024, 1, 10), STOCK, 100, 1000)
    book.write(EventKind.REVERSAL, *OWN, date(2024, 1, 10), reverses=twice)
    state = folded(book)
    assert state.taxpayer.lots.quantity_nano.tolist() == [100 * SHARE]
    assert state.cash_cents.tolist() == [-100_000, 0]


def test_a_corrected_fill_after_a_wash_match() -> None:
    """The purchase that washed the loss was of 40 shares, not of 100: 60 shares of the loss come back, and
    the lot goes on by its name, so that the sale which named it stands."""
    book = EventWriter()
    first = book.buy(OWN, date(2024, 1, 10), STOCK, 100, 5000)
    book.sell(OWN, date(2024, 6, 3), STOCK, 100, 4000, named=[(first, 0, 100 * SHARE)])
    washing = book.buy(OWN, date(2024, 6, 10), STOCK, 100, 4100)
    book.sell(OWN, date(2024, 9, 3), STOCK, 40, 2000, named=[(washing, 0, 40 * SHARE)])
    before = folded(book)
    assert before.taxpayer.disposals.disallowed_cents.tolist() == [100_000, 0]
    book.write(
        EventKind.BUY,
        *OWN,
        date(2024, 6, 10),
        security_id=STOCK,
        quantity_nano=40 * SHARE,
        amount_cents=164_000,
        reverses=washing,
        day_seq=2,
    )
    after = folded(book)
    sold = after.taxpayer.disposals
    assert sum(sold.disallowed_cents.tolist()) == 40_000
    assert set(sold.origin_event.tolist()) == {first, washing}
    assert not len(after.taxpayer.lots)
    assert after.problems == ()


def test_a_correction_of_a_correction_keeps_the_first_name() -> None:
    book = EventWriter()
    bought = book.buy(OWN, date(2024, 1, 10), STOCK, 1, 10)
    for usd in (11, 12):
        book.write(
            EventKind.BUY,
            *OWN,
            date(2024, 1, 10),
            security_id=STOCK,
            quantity_nano=SHARE,
            amount_cents=usd * 100,
            reverses=bought if usd == 11 else bought + 1,
        )
    stands = in_force(book.events())
    assert stands.events.ledger_seq.tolist() == [bought]
    assert stands.recorded_as.tolist() == [bought + 2]
    assert stands.events.amount_cents.tolist() == [1200]
    assert folded(book).taxpayer.lots.origin_event.tolist() == [bought]


def test_a_withdrawn_purchase_whose_shares_were_sold_by_name_is_told() -> None:
    book = EventWriter()
    bought = book.buy(OWN, date(2024, 1, 10), STOCK, 1, 10)
    sale = book.sell(OWN, date(2024, 2, 10), STOCK, 1, 10, named=[(bought, 0, SHARE)])
    book.write(EventKind.REVERSAL, *OWN, date(2024, 1, 10), reverses=bought)
    assert [problem.event for problem in folded(book).problems] == [sale]


@pytest.mark.parametrize("reverses", [99, 2])
def test_what_is_not_an_earlier_event_cannot_be_reversed(reverses: int) -> None:
    book = EventWriter()
    book.buy(OWN, date(2024, 1, 10), STOCK, 1, 10)
    book.write(EventKind.REVERSAL, *OWN, date(2024, 1, 10), reverses=reverses)
    with pytest.raises(InvariantError, match="not an earlier event"):
        in_force(book.events())


def test_nothing_is_reversed_twice() -> None:
    book = EventWriter()
    bought = book.buy(OWN, date(2024, 1, 10), STOCK, 1, 10)
    for _ in range(2):
        book.write(EventKind.REVERSAL, *OWN, date(2024, 1, 10), reverses=bought)
    with pytest.raises(InvariantError, match="reversed twice"):
        in_force(book.events())


Trade = tuple[int, int, int, int]  # account, day of 2024, shares (negative: sold), dollars a share


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1]), st.integers(0, 90), st.integers(-3, 5), st.integers(5, 15)).filter(
            lambda trade: trade[2] != 0
        ),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_books_with_mistakes_put_right_are_the_books_without(
    trades: list[Trade], data: st.DataObject
) -> None:
    """Written wrong and corrected, or written twice and reversed: the same money and the same lots."""
    right, wrong = EventWriter(), EventWriter()
    for place, (who, day, n, usd) in enumerate(trades):
        account, when = (OWN, SPOUSE)[who], date(2024, 1, 1 + day % 28)
        fact = {"security_id": STOCK, "quantity_nano": abs(n) * SHARE, "day_seq": place}
        kind = EventKind.BUY if n > 0 else EventKind.SELL
        right.write(kind, *account, when, amount_cents=abs(n) * usd * 100, **fact)
        mistake = data.draw(st.sampled_from(["none", "amount", "day", "twice"]))
        if mistake == "none":
            wrong.write(kind, *account, when, amount_cents=abs(n) * usd * 100, **fact)
        elif mistake == "twice":
            wrong.write(kind, *account, when, amount_cents=abs(n) * usd * 100, **fact)
            again = wrong.write(kind, *account, when, amount_cents=abs(n) * usd * 100, **fact)
            wrong.write(EventKind.REVERSAL, *account, when, reverses=again)
        else:
            booked = date(2024, 5, 1) if mistake == "day" else when
            cents = abs(n) * usd * 100 + (17 if mistake == "amount" else 0)
            seq = wrong.write(kind, *account, booked, amount_cents=cents, **fact)
            wrong.write(kind, *account, when, amount_cents=abs(n) * usd * 100, reverses=seq, **fact)
    one, other = folded(right), folded(wrong)
    assert one.cash_cents.tolist() == other.cash_cents.tolist()
    assert len(one.problems) == len(other.problems)
    for view in ("taxpayer", "broker"):
        mine, theirs = getattr(one, view), getattr(other, view)
        for part, names in (
            ("lots", ("account_ix", "quantity_nano", "basis_cents", "acquired", "holding_from", "absorbed")),
            (
                "disposals",
                ("account_ix", "day", "proceeds_cents", "gain_cents", "disallowed_cents", "long_term"),
            ),
        ):
            for name in names:
                assert (
                    getattr(getattr(mine, part), name).tolist()
                    == getattr(getattr(theirs, part), name).tolist()
                )
