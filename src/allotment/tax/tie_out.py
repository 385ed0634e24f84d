"""A custodian's Form 1099-B against the one that our books say it should have printed.

Law: 26 U.S.C. §6045(g)(2)(B)(iii) [P]: an amount that is wrong by a de minimis sum ($100 [M]) need not
be corrected by the broker; such rows are told apart, not hidden. Rows are matched by account,
security, day of purchase and day of sale, lots of one day together; where the custodian prints
VARIOUS, all that is left of that sale.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from allotment.tax.broker_view import ROUNDING_CENTS, Reason, ReportedSales
from allotment.tax.form_1099b import Form1099B
from allotment.units import Codes, Dates, Index, Ints, mul_div

DE_MINIMIS_CENTS = 100_00
UNKNOWN_TERM = -1
_Key = tuple[int, int, int, int]  # account, security, day sold, day acquired
_VARIOUS = int(np.iinfo(np.int64).min)  # NaT as an integer


class Verdict(StrEnum):
    """What came of one comparison."""

    EQUAL = "equal"
    DE_MINIMIS = "de minimis"  # no amount differs by more than $100
    DIFFERENT = "different"
    NOT_PRINTED = "not printed"  # we have it, the custodian has not
    NOT_OURS = "not ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedForm:
    """A custodian's 1099-B, shape (n_rows,). `acquired` is NaT for VARIOUS."""

    account_ix: Index
    security_id: Ints
    quantity_nano: Ints
    acquired: Dates
    sold: Dates
    proceeds_cents: Ints
    basis_cents: Ints
    disallowed_cents: Ints
    long_term: Codes  # UNKNOWN_TERM where box 2 is empty
    covered: Codes


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums of the rows of one key."""

    quantity_nano: int = 0
    proceeds_cents: int = 0
    basis_cents: int = 0
    disallowed_cents: int = 0
    long_term: int = UNKNOWN_TERM
    covered: int = 1

    def apart_cents(self, other: Figures) -> int:
        """The largest difference of an amount."""
        return max(
            abs(self.proceeds_cents - other.proceeds_cents),
            abs(self.basis_cents - other.basis_cents),
            abs(self.disallowed_cents - other.disallowed_cents),
        )

    def same_term(self, other: Figures) -> bool:
        """True unless both tell a term and they differ."""
        told = UNKNOWN_TERM not in (self.long_term, other.long_term)
        return not told or self.long_term == other.long_term


@dataclass(frozen=True, slots=True, kw_only=True)
class TieOutRow:
    """One key in both forms."""

    account_ix: int
    security_id: int
    acquired: Dates  # shape (), NaT for VARIOUS
    sold: Dates
    ours: Figures | None
    theirs: Figures | None
    verdict: Verdict
    reason: Reason


def tie_out(
    ours: Form1099B, printed: PrintedForm, readings: Sequence[tuple[Reason, Form1099B]] = ()
) -> tuple[TieOutRow, ...]:
    """Compare, ascending by account, security and day.

    readings: what the custodian would have printed under another reading of the open questions;
    a difference that one of them explains to the cent gets its reason.
    """
    various = _various(printed)
    mine, theirs = _by_key(_rows_of(ours), various), _by_key(_rows_of(printed), various)
    others = [(reason, _by_key(_rows_of(form), various)) for reason, form in readings]
    return tuple(
        _compared(key, mine.get(key), theirs.get(key), [(reason, found.get(key)) for reason, found in others])
        for key in sorted(mine.keys() | theirs.keys())
    )


def with_printed(sales: ReportedSales, printed: PrintedForm) -> ReportedSales:
    """The sales with the custodian's own figures in the `broker_…` columns, where it printed them.

    A printed sum is shared out over our rows by shares; keys whose shares differ keep our figures.
    """
    various = _various(printed)
    theirs = _by_key(_rows_of(printed), various)
    groups: dict[_Key, list[int]] = defaultdict(list)
    for i, key in enumerate(_keys_of(sales)):
        groups[_told(key, various)].append(i)
    basis, washed = sales.broker_basis_cents.copy(), sales.broker_disallowed_cents.copy()
    term = sales.broker_long_term.copy()
    for key, rows in groups.items():
        found = theirs.get(key)
        left = sum(int(sales.quantity_nano[i]) for i in rows)
        if found is None or found.quantity_nano != left:
            continue
        rest_basis, rest_washed = found.basis_cents, found.disallowed_cents
        for i in rows:
            quantity = int(sales.quantity_nano[i])
            basis[i], washed[i] = mul_div(rest_basis, quantity, left), mul_div(rest_washed, quantity, left)
            rest_basis, rest_washed, left = rest_basis - basis[i], rest_washed - washed[i], left - quantity
            if found.long_term != UNKNOWN_TERM:
                term[i] = found.long_term
    columns = {name: getattr(sales, name) for name in sales.__dataclass_fields__}
    changed = {"broker_basis_cents": basis, "broker_disallowed_cents": washed, "broker_long_term": term}
    return ReportedSales(**(columns | changed))


def _compared(
    key: _Key,
    ours: Figures | None,
    theirs: Figures | None,
    readings: Iterable[tuple[Reason, Figures | None]],
) -> TieOutRow:
    verdict, reason = Verdict.EQUAL, Reason.NONE
    if ours is None or theirs is None:
        verdict = Verdict.NOT_OURS if ours is None else Verdict.NOT_PRINTED
    else:
        apart = ours.apart_cents(theirs)
        same = ours.same_term(theirs) and ours.quantity_nano == theirs.quantity_nano
        if apart or not same:
            verdict = Verdict.DE_MINIMIS if same and apart <= DE_MINIMIS_CENTS else Verdict.DIFFERENT
            explains = [r for r, other in readings if other is not None and _agree(other, theirs)]
            if explains:
                reason = explains[0]
            elif not (ours.covered and theirs.covered):
                reason = Reason.NONCOVERED
            elif same and apart <= ROUNDING_CENTS:
                reason = Reason.ROUNDING
    return TieOutRow(
        account_ix=key[0],
        security_id=key[1],
        sold=np.asarray(np.datetime64(key[2], "D")),
        acquired=np.asarray(np.datetime64("NaT", "D") if key[3] == _VARIOUS else np.datetime64(key[3], "D")),
        ours=ours,
        theirs=theirs,
        verdict=verdict,
        reason=reason,
    )


def _agree(one: Figures, other: Figures) -> bool:
    return one.apart_cents(other) <= ROUNDING_CENTS and one.same_term(other)


def _keys_of(form: Form1099B | PrintedForm | ReportedSales) -> list[_Key]:
    days = (form.sold.astype("M8[D]").astype(np.int64), form.acquired.astype("M8[D]").astype(np.int64))
    columns = (form.account_ix, form.security_id, *days)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _rows_of(form: Form1099B | PrintedForm) -> Iterable[tuple[_Key, Figures]]:
    columns = (
        form.quantity_nano,
        form.proceeds_cents,
        form.basis_cents,
        form.disallowed_cents,
        form.long_term,
        form.covered,
    )
    figures = zip(*(column.tolist() for column in columns), strict=True)
    return ((key, Figures(*one)) for key, one in zip(_keys_of(form), figures, strict=True))


def _various(printed: PrintedForm) -> frozenset[tuple[int, int, int]]:
    """Sales for which the custodian printed VARIOUS."""
    return frozenset(key[:3] for key in _keys_of(printed) if key[3] == _VARIOUS)


def _told(key: _Key, various: frozenset[tuple[int, int, int]]) -> _Key:
    return (*key[:3], _VARIOUS) if key[:3] in various else key


def _by_key(
    rows: Iterable[tuple[_Key, Figures]], various: frozenset[tuple[int, int, int]]
) -> dict[_Key, Figures]:
    found: dict[_Key, Figures] = {}
    for key, one in rows:
        at = _told(key, various)
        sums = found.get(at)
        found[at] = one if sums is None else _sum(sums, one)
    return found


def _sum(one: Figures, other: Figures) -> Figures:
    return Figures(
        one.quantity_nano + other.quantity_nano,
        one.proceeds_cents + other.proceeds_cents,
        one.basis_cents + other.basis_cents,
        one.disallowed_cents + other.disallowed_cents,
        one.long_term if one.long_term == other.long_term else UNKNOWN_TERM,
        min(one.covered, other.covered),
    )
