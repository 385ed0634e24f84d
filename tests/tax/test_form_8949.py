"""Form 8949 and Schedule D."""

from __future__ import annotations

from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import BookState, fold
from allotment.ledger.reporting import Reason, year_of_sales
from allotment.ledger.write import EventWriter
from allotment.tax.form_8949 import ReportedSales, capital_gain_forms
from allotment.tax.identical import IdenticalGroups

A, B, IRA = (1, 10), (1, 11), (1, 12)


def folded(book: EventWriter) -> BookState:
    accounts = [
        Account(
            account_id=number,
            code=str(number),
            household_id=1,
            taxpayer_id=1,
            kind=kind,
            venue_code="",
            opened=date(2020, 1, 1),
        )
        for number, kind in ((10, AccountKind.TAXABLE), (11, AccountKind.TAXABLE), (12, AccountKind.IRA))
    ]
    return fold(book.events(), AccountTable.of_accounts(accounts), IdenticalGroups.alone(np.array([1, 2])))


def one(**facts: int) -> ReportedSales:
    defaults = {
        "account_ix": 0,
        "sale": 1,
        "security_id": 1,
        "quantity_nano": 1,
        "proceeds_cents": 0,
        "basis_cents": 0,
        "disallowed_cents": 0,
        "long_term": 0,
        "covered": 1,
        "broker_basis_cents": 0,
        "broker_disallowed_cents": 0,
        "broker_long_term": 0,
    }
    columns = {name: np.array([value]) for name, value in (defaults | facts).items()}
    day = np.array(["2025-06-03"], "M8[D]")
    return ReportedSales(acquired=day, sold=day, **columns)  # type: ignore[arg-type]


def test_a_replacement_whose_addback_the_broker_missed_is_code_bt() -> None:
    """Proceeds 2,700; printed basis 2,050, ours 2,550; printed short, ours long: (g) -500, (h) 150."""
    sale = one(proceeds_cents=270_000, basis_cents=255_000, broker_basis_cents=205_000, long_term=1)
    forms = capital_gain_forms(sale)
    assert forms.form_8949.box == ("D",)
    assert forms.form_8949.codes == ("BT",)
    assert forms.form_8949.basis_cents.tolist() == [205_000]
    assert forms.form_8949.adjustment_cents.tolist() == [-50_000]
    assert forms.form_8949.gain_cents.tolist() == [15_000]


def test_a_noncovered_sale_shows_the_right_basis() -> None:
    forms = capital_gain_forms(one(proceeds_cents=100, basis_cents=300, disallowed_cents=200, covered=0))
    assert (forms.form_8949.box, forms.form_8949.codes) == (("B",), ("W",))
    assert forms.form_8949.basis_cents.tolist() == [300]
    assert forms.form_8949.adjustment_cents.tolist() == [200]


def test_sales_without_adjustment_are_two_lines_of_schedule_d() -> None:
    """Exception 1; lines 7, 15 and 16 add up."""
    book = EventWriter()
    for month in range(1, 11):
        book.buy(A, date(2023, month, 1), 1, 10, 100)
    book.sell(A, date(2024, 3, 1), 1, 100, 1_500)
    year = year_of_sales(folded(book), 1, 2024)
    forms = capital_gain_forms(year.sales)
    lines = {line.line: line for line in forms.schedule_d}
    assert len(forms.form_8949.row) == 0
    assert lines["1a"].gain_cents == 8 * 5_000
    assert lines["8a"].gain_cents == 2 * 5_000
    assert lines["16"].gain_cents == lines["7"].gain_cents + lines["15"].gain_cents == 50_000
    assert set(year.reasons) == {Reason.NONE}


def test_each_difference_from_the_1099_b_has_its_reason() -> None:
    book = EventWriter()
    book.buy(A, date(2023, 1, 10), 1, 100, 5_000)
    book.sell(A, date(2024, 3, 1), 1, 100, 4_000)
    book.buy(B, date(2024, 3, 8), 1, 100, 4_000)
    book.sell(B, date(2024, 6, 3), 1, 100, 4_500)
    book.buy(A, date(2023, 1, 10), 2, 100, 5_000)
    book.sell(A, date(2024, 3, 1), 2, 100, 4_000)
    book.buy(IRA, date(2024, 3, 8), 2, 100, 4_000)
    year = year_of_sales(folded(book), 1, 2024)
    assert year.reasons == (Reason.CROSS_ACCOUNT, Reason.IRA, Reason.CROSS_ACCOUNT)
    forms = capital_gain_forms(year.sales)
    assert forms.form_8949.codes == ("W", "W", "BT")
    gains = {line.line: line.gain_cents for line in forms.schedule_d}
    assert gains["16"] == -50_000
