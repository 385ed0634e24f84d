"""A preview is the difference between two folds, told lot by lot."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.ledger.contradiction import contradictions
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.preview import preview
from allotment.ledger.write import EventWriter, concatenate
from allotment.tax.identical import IdenticalGroups
from allotment.tax.problems import ProblemCode

SHARE = 10**9
GROUPS = IdenticalGroups.alone(np.array([1, 2]))
TABLE = AccountTable.of_accounts(
    [
        Account(
            account_id=10, code="A", household_id=1, taxpayer_id=1, kind=AccountKind.TAXABLE, venue_code="",
            opened=date(2020, 1, 1),
        )
    ]
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    lots=st.lists(st.tuples(st.integers(1, 10**5), st.integers(1, 10**6)), min_size=1, max_size=5),
    boot=st.integers(0, 2000),
)
def test_shares_basis_and_cash_of_a_merger_with_boot_add_up(lots: list[tuple[int, int]], boot: int) -> None:
    """§356, §358(a)(1): basis after = basis before - cash + gain, over all lots together."""
    book = EventWriter()
    for at, (thousandths, cents) in enumerate(lots):
        book.buy((1, 10), date(2023, 1, 3 + at), 1, thousandths / 1000, cents / 100)
    planned = EventWriter(first_seq=len(lots) + 1)
    terms = {"other_security_id": 2, "cash_nano": boot * 10**7, "new_price_nano": 30 * SHARE}
    planned.write(EventKind.MIXED_MERGER, 1, 10, date(2024, 4, 2), security_id=1, terms=terms)
    seen = preview(book.events(), planned.events(), TABLE, GROUPS)
    before = [lot.before for lot in seen.lots if lot.before]
    after = [lot.after for lot in seen.lots if lot.after]
    assert len(before) == len(after) == len(lots)
    assert sum(lot.quantity_nano for lot in before) == sum(lot.quantity_nano for lot in after)
    paid = sum(cash.after_cents - cash.before_cents for cash in seen.cash)
    gain = sum(row.gain_cents for row in seen.recognised)
    assert paid == sum(row.proceeds_cents for row in seen.recognised)
    assert sum(lot.basis_cents for lot in after) == sum(lot.basis_cents for lot in before) - paid + gain
    assert min((row.gain_cents for row in seen.recognised), default=0) >= 0  # §356(c): never a loss
    assert [lot.acquired for lot in before] == [lot.acquired for lot in after]


def test_lots_that_nothing_happens_to_are_not_told() -> None:
    book = EventWriter()
    book.buy((1, 10), date(2023, 1, 3), 2, 5, 50)
    book.buy((1, 10), date(2023, 1, 3), 1, 5, 50)
    planned = EventWriter(first_seq=3)
    terms = {"new_parts": 2}
    planned.write(EventKind.SPLIT, 1, 10, date(2024, 4, 2), security_id=1, terms=terms)
    seen = preview(book.events(), planned.events(), TABLE, GROUPS)
    assert [(lot.security_id, lot.origin_event) for lot in seen.lots] == [(1, 2)]
    assert (seen.cash, seen.recognised, seen.problems) == ((), (), ())


def test_a_correction_is_previewed_under_the_name_of_what_it_corrects() -> None:
    book = EventWriter()
    book.buy((1, 10), date(2023, 1, 3), 1, 5, 50)
    wrong = book.sell((1, 10), date(2023, 2, 3), 1, 5, 60)
    planned = EventWriter(first_seq=3)
    planned.write(
        EventKind.SELL, 1, 10, date(2023, 2, 3), security_id=1, quantity_nano=4 * SHARE, amount_cents=4_800,
        reverses=wrong,
    )  # fmt: skip
    seen = preview(book.events(), planned.events(), TABLE, GROUPS)
    assert [(row.quantity_nano, row.gain_cents) for row in seen.recognised] == [(4 * SHARE, 800)]
    assert [lot.after.basis_cents if lot.after else 0 for lot in seen.lots] == [1_000]


def test_a_late_reverse_split_contradicts_the_sale_after_it() -> None:
    book = EventWriter()
    lot = book.buy((1, 10), date(2023, 1, 3), 1, 100, 50)
    book.sell((1, 10), date(2023, 3, 3), 1, 80, 60, named=[(lot, 0, 80 * SHARE)])
    planned = EventWriter(first_seq=3)
    planned.write(EventKind.SPLIT, 1, 10, date(2023, 2, 3), security_id=1, terms={"old_parts": 10})
    seen = preview(book.events(), planned.events(), TABLE, GROUPS)
    assert [problem.code for problem in seen.problems] == [ProblemCode.LOT_NOT_HELD]
    (told,) = contradictions(seen.problems, concatenate([book.events(), planned.events()]))
    assert (told.event, told.kind, told.account_id, told.effective) == (
        2,
        EventKind.SELL,
        10,
        date(2023, 3, 3),
    )
    assert "names lots in the shares of before" in told.remedy
    assert str(told).startswith("sell of 2023-03-03")
