"""A custodian's 1099-B against ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotment.tax.broker_view import Reason, ReportedSales
from allotment.tax.form_1099b import form_1099b
from allotment.tax.tie_out import PrintedForm, Verdict, tie_out, with_printed


def sales(**changes: object) -> ReportedSales:
    """Two lots of security 7 sold on one day, and one of security 8."""
    base = {
        "account_ix": [0, 0, 0], "sale": [1, 1, 2], "security_id": [7, 7, 8],
        "quantity_nano": [30, 10, 5], "proceeds_cents": [3_000_00, 1_000_00, 500_00],
        "basis_cents": [2_000_00, 900_00, 800_00], "disallowed_cents": [0, 0, 300_00],
        "long_term": [1, 0, 0], "covered": [1, 1, 1], "reported": [1, 1, 1],
        "broker_basis_cents": [2_000_00, 900_00, 800_00], "broker_disallowed_cents": [0, 0, 300_00],
        "broker_long_term": [1, 0, 0],
    }  # fmt: skip
    columns = {name: np.array(values, np.int64) for name, values in (base | changes).items()}
    days = {"acquired": ["2023-01-03", "2025-01-02", "2025-01-02"], "sold": ["2025-06-03"] * 3}
    return ReportedSales(**columns, **{name: np.array(value, "M8[D]") for name, value in days.items()})


def printed(of: ReportedSales | None = None) -> PrintedForm:
    form = form_1099b(of or sales())
    names = PrintedForm.__dataclass_fields__
    return PrintedForm(**{name: getattr(form, name) for name in names})


def only(of: ReportedSales, there: PrintedForm, readings=()):
    (row,) = [row for row in tie_out(form_1099b(of), there, readings) if row.verdict != Verdict.EQUAL]
    return row


def test_our_own_form_ties_out() -> None:
    rows = tie_out(form_1099b(sales()), printed())
    assert [row.verdict for row in rows] == [Verdict.EQUAL] * 3


@pytest.mark.parametrize(
    ("cents", "verdict", "reason"),
    [
        (2, Verdict.DE_MINIMIS, Reason.ROUNDING),
        (100_00, Verdict.DE_MINIMIS, Reason.NONE),
        (100_01, Verdict.DIFFERENT, Reason.NONE),
    ],
)
def test_a_hundred_dollars_need_not_be_corrected(cents, verdict, reason) -> None:
    """§6045(g)(2)(B)(iii)."""
    there = printed(sales(broker_basis_cents=[2_000_00 + cents, 900_00, 800_00]))
    row = only(sales(), there)
    assert (row.verdict, row.reason, row.security_id) == (verdict, reason, 7)


def test_another_term_is_never_de_minimis() -> None:
    assert only(sales(), printed(sales(broker_long_term=[0, 0, 0]))).verdict == Verdict.DIFFERENT
    unknown = replace(printed(), long_term=np.array([-1, -1, -1]))
    assert {row.verdict for row in tie_out(form_1099b(sales()), unknown)} == {Verdict.EQUAL}


def test_missing_rows_are_told_on_both_sides() -> None:
    there = printed()
    first_two = PrintedForm(**{name: getattr(there, name)[:2] for name in PrintedForm.__dataclass_fields__})
    assert only(sales(), first_two).verdict == Verdict.NOT_PRINTED
    mine = form_1099b(sales(reported=[1, 1, 0]))
    assert [row.verdict for row in tie_out(mine, there)].count(Verdict.NOT_OURS) == 1


def test_various_takes_all_lots_of_the_sale() -> None:
    """One summed-up row for both lots of security 7; the terms differ, so that none is compared."""
    there = printed()
    keep = PrintedForm(**{name: getattr(there, name)[1:] for name in PrintedForm.__dataclass_fields__})
    various = replace(
        keep,
        acquired=np.array(["NaT", "2025-01-02"], "M8[D]"),
        quantity_nano=np.array([40, 5]),
        proceeds_cents=np.array([4_000_00, 500_00]),
        basis_cents=np.array([2_900_00, 800_00]),
    )
    rows = tie_out(form_1099b(sales()), various)
    assert [row.verdict for row in rows] == [Verdict.EQUAL, Verdict.EQUAL]
    assert np.isnat(rows[0].acquired)


def test_another_reading_explains_what_it_reproduces() -> None:
    replaced = sales(broker_long_term=[0, 0, 0])
    readings = [
        (Reason.SAME_ORDER, form_1099b(sales())),
        (Reason.HOLDING_METHOD, form_1099b(replaced)),
    ]
    assert only(sales(), printed(replaced), readings).reason == Reason.HOLDING_METHOD


def test_what_the_custodian_leaves_blank_is_noncovered() -> None:
    row = only(sales(), printed(sales(covered=[0, 1, 1])))
    assert (row.verdict, row.reason) == (Verdict.DIFFERENT, Reason.NONCOVERED)


def test_printed_figures_replace_our_idea_of_them() -> None:
    """Two rows of one key share a printed sum by shares; another quantity is not forced on ours."""
    days = np.array(["2023-01-03", "2023-01-03", "2025-01-02"], "M8[D]")
    mine = replace(sales(), acquired=days)
    there = PrintedForm(
        account_ix=np.array([0, 0]),
        security_id=np.array([7, 8]),
        quantity_nano=np.array([40, 6]),
        acquired=days[1:],
        sold=np.array(["2025-06-03"] * 2, "M8[D]"),
        proceeds_cents=np.array([4_000_00, 500_00]),
        basis_cents=np.array([2_800_01, 1]),
        disallowed_cents=np.array([4, 0]),
        long_term=np.array([1, 1]),
        covered=np.array([1, 1]),
    )
    made = with_printed(mine, there)
    assert made.broker_basis_cents.tolist() == [2_100_01, 700_00, 800_00]
    assert made.broker_disallowed_cents.tolist() == [3, 1, 300_00]
    assert made.broker_long_term.tolist() == [1, 1, 0]
    assert made.basis_cents.tolist() == mine.basis_cents.tolist()
