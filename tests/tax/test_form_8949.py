"""Form 1099-B, Form 8949 and Schedule D."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.ledger.events import AccountTable
from allotment.ledger.fold import BookState, fold
from allotment.ledger.reporting import year_of_sales
from allotment.ledger.write import EventWriter
from allotment.tax.broker_view import Reason, ReportedSales
from allotment.tax.form_1099b import form_1099b
from allotment.tax.form_8949 import form_8949, needs_row, summed_up
from allotment.tax.identical import IdenticalGroups
from allotment.tax.schedule_d import ScheduleDLine, schedule_d, whole_dollars

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


def sales_of(*rows: dict[str, int]) -> ReportedSales:
    defaults = {
        "account_ix": 0, "sale": 1, "security_id": 1, "quantity_nano": 1, "proceeds_cents": 0,
        "basis_cents": 0, "disallowed_cents": 0, "long_term": 0, "covered": 1, "reported": 1,
        "broker_basis_cents": 0, "broker_disallowed_cents": 0, "broker_long_term": 0,
    }  # fmt: skip
    columns = {name: np.array([{**defaults, **row}[name] for row in rows], np.int64) for name in defaults}
    day = np.array(["2025-06-03"] * len(rows), "M8[D]")
    return ReportedSales(acquired=day, sold=day, **columns)


def one(**facts: int) -> ReportedSales:
    return sales_of(facts)


def lines_of(sales: ReportedSales, form) -> dict[str, ScheduleDLine]:
    return {line.line: line for line in schedule_d(sales, form)}


def test_a_replacement_whose_addback_the_broker_missed_is_code_bt() -> None:
    """Proceeds 2,700; printed basis 2,050, ours 2,550; printed short, ours long: (g) -500, (h) 150."""
    form = form_8949(
        one(proceeds_cents=270_000, basis_cents=255_000, broker_basis_cents=205_000, long_term=1)
    )
    assert (form.box, form.codes) == (("D",), ("BT",))
    assert form.basis_cents.tolist() == [205_000]
    assert form.adjustment_cents.tolist() == [-50_000]
    assert form.gain_cents.tolist() == [15_000]


def test_a_noncovered_sale_shows_the_right_basis() -> None:
    form = form_8949(one(proceeds_cents=100, basis_cents=300, disallowed_cents=200, covered=0))
    assert (form.box, form.codes) == (("B",), ("W",))
    assert form.basis_cents.tolist() == [300]
    assert form.adjustment_cents.tolist() == [200]


def test_without_a_1099_b_the_boxes_are_c_and_f() -> None:
    """Worthless shares: nobody reports them, and nothing printed can be wrong."""
    facts = {"basis_cents": 300, "reported": 0, "broker_basis_cents": 100, "broker_disallowed_cents": 5}
    form = form_8949(sales_of(facts, {**facts, "long_term": 1}))
    assert (form.box, form.codes) == (("C", "F"), ("", ""))
    assert form.gain_cents.tolist() == [-300, -300]
    assert len(form_1099b(sales_of(facts)).row) == 0


def test_the_brokers_own_wash_sale_needs_a_row_though_nothing_is_wrong() -> None:
    washed = {"basis_cents": 300, "disallowed_cents": 200, "broker_basis_cents": 300}
    sale = one(**washed, broker_disallowed_cents=200)
    assert needs_row(sale).tolist() == [True]
    assert form_8949(sale).codes == ("W",)


def test_a_1099_b_leaves_boxes_of_noncovered_shares_blank() -> None:
    printed = {"broker_basis_cents": 300, "broker_disallowed_cents": 200, "broker_long_term": 1}
    form = form_1099b(sales_of({"covered": 0, **printed}, printed))
    assert form.basis_cents.tolist() == [0, 300]
    assert form.disallowed_cents.tolist() == [0, 200]
    assert form.long_term.tolist() == [0, 1]
    assert form.covered.tolist() == [0, 1]


def test_sales_without_adjustment_are_two_lines_of_schedule_d() -> None:
    """Exception 1; lines 7, 15 and 16 add up."""
    book = EventWriter()
    for month in range(1, 11):
        book.buy(A, date(2023, month, 1), 1, 10, 100)
    book.sell(A, date(2024, 3, 1), 1, 100, 1_500)
    year = year_of_sales(folded(book), 1, 2024)
    form = form_8949(year.sales)
    lines = lines_of(year.sales, form)
    assert len(form) == 0
    assert lines["1a"].gain_cents == 8 * 5_000
    assert lines["8a"].gain_cents == 2 * 5_000
    assert lines["16"].gain_cents == lines["7"].gain_cents + lines["15"].gain_cents == 50_000
    assert set(year.reasons.tolist()) == {Reason.NONE}


def test_losses_carried_in_stand_on_lines_6_and_14() -> None:
    sale = one(proceeds_cents=1_000, broker_basis_cents=0)
    lines = {line.line: line.gain_cents for line in schedule_d(sale, form_8949(sale), 300, 50)}
    assert (lines["6"], lines["14"], lines["7"], lines["15"], lines["16"]) == (-300, -50, 700, -50, 650)
    with pytest.raises(ValueError, match="positive"):
        schedule_d(sale, form_8949(sale), -1)


def test_exception_2_is_one_row_a_box_and_broker_with_every_code() -> None:
    form = summed_up(
        form_8949(
            sales_of(
                {"basis_cents": 300, "disallowed_cents": 200, "broker_basis_cents": 300},
                {"basis_cents": 200, "broker_basis_cents": 100, "broker_long_term": 1},
                {"account_ix": 1, "covered": 0, "basis_cents": 70},
                {"account_ix": 1, "basis_cents": 70, "broker_basis_cents": 60},
            )
        )
    )
    assert list(zip(form.box, form.account_ix.tolist(), form.codes, strict=True)) == [
        ("A", 0, "BMTW"),
        ("A", 1, "BM"),
        ("B", 1, "M"),
    ]
    assert form.gain_cents.tolist() == [-100 - 200, -70, -70]


def test_whole_dollars_round_sums_not_rows() -> None:
    """Three rows of 40 cents are $1.20, which is $1; half a dollar goes up, in size."""
    sales = sales_of(*[{"proceeds_cents": 40, "broker_disallowed_cents": 1}] * 3)
    lines = {line.line: whole_dollars(line) for line in schedule_d(sales, form_8949(sales))}
    assert lines["1b"].proceeds_cents == 100
    assert whole_dollars(ScheduleDLine(line="1a", gain_cents=-150)).gain_cents == -200
    assert whole_dollars(ScheduleDLine(line="1a", gain_cents=-149)).gain_cents == -100


_CENTS = st.integers(0, 10**7)
_SALE = st.fixed_dictionaries(
    {
        "account_ix": st.integers(0, 2), "proceeds_cents": _CENTS, "basis_cents": _CENTS,
        "disallowed_cents": st.sampled_from([0, 0, 5, 400]), "long_term": st.integers(0, 1),
        "covered": st.integers(0, 1), "reported": st.integers(0, 1),
        "broker_basis_cents": _CENTS, "broker_disallowed_cents": st.sampled_from([0, 0, 7]),
        "broker_long_term": st.integers(0, 1),
    }
)  # fmt: skip


@given(st.lists(_SALE, max_size=20), st.booleans())
def test_the_nets_are_our_gains_whatever_is_spared_or_summed_up(rows, is_summed) -> None:
    right = [
        {**row, "broker_basis_cents": row["basis_cents"]} if i % 2 else row for i, row in enumerate(rows)
    ]
    sales = sales_of(*right)
    form = form_8949(sales)
    assert (form.proceeds_cents - form.basis_cents + form.adjustment_cents == form.gain_cents).all()
    lines = lines_of(sales, summed_up(form) if is_summed and len(form) else form)
    long = sales.long_term == 1
    assert lines["7"].gain_cents == sales.gain_cents[~long].sum()
    assert lines["15"].gain_cents == sales.gain_cents[long].sum()
    assert sum(lines[name].proceeds_cents for name in ("1a", "1b", "2", "3", "8a", "8b", "9", "10")) == (
        sales.proceeds_cents.sum()
    )


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
    assert year.reasons.tolist() == [Reason.CROSS_ACCOUNT, Reason.IRA, Reason.CROSS_ACCOUNT]
    form = form_8949(year.sales)
    assert form.codes == ("W", "W", "BT")
    assert lines_of(year.sales, form)["16"].gain_cents == -50_000
