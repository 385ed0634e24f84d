"""One taxpayer's sales of a year in both views, and why the broker's figures differ from ours.

Law: §6045(g)(2)(B)(ii): the broker looks at one account and one security; §1091 looks at the
household. Reasons are those of docs/law/forms.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from allotment.ledger.fold import BookState, Disposals, View
from allotment.tax.form_8949 import ReportedSales
from allotment.units import Codes, Ints


class Reason(StrEnum):
    """Why the broker reports something else."""

    NONE = ""
    IRA = "IRA"
    SPOUSE = "spouse"
    CROSS_ACCOUNT = "cross-account"
    IDENTICAL_GROUP = "SI group"
    ROUNDING = "rounding"
    OTHER = "order of matching"


@dataclass(frozen=True, slots=True, kw_only=True)
class YearOfSales:
    """`reasons[i]` explains row i of `sales`."""

    sales: ReportedSales
    reasons: tuple[Reason, ...]


_Key = tuple[int, int, int, int]  # account, sale, lot's event, lot's line
_ROUNDING_CENTS = 2


def year_of_sales(
    state: BookState, taxpayer_id: int, year: int, noncovered: Codes | None = None
) -> YearOfSales:
    """The taxable sales of one taxpayer, by sale and lot; a lot that the taxpayer's books sold
    with two terms has two rows, and the broker's figures are shared out by shares.

    noncovered: 1 for each row of the taxpayer's disposals whose basis the broker does not
    report; by default all are covered.
    """
    ours = _of_year(state, state.taxpayer.disposals, taxpayer_id, year)
    theirs = _of_year(state, state.broker.disposals, taxpayer_id, year)
    mine, printed = state.taxpayer.disposals, state.broker.disposals
    reported: dict[_Key, list[int]] = {}
    for i in theirs:
        sums = reported.setdefault(_key(printed, int(i)), [0, 0, 0, 0])
        figures = (printed.quantity_nano, printed.basis_cents, printed.disallowed_cents)
        for place, column in enumerate(figures):
            sums[place] += int(column[i])
        sums[3] = max(sums[3], int(printed.long_term[i]))
    rows: dict[tuple[_Key, int], list[int]] = {}
    for i in ours:
        at = (_key(mine, int(i)), int(mine.long_term[i]))
        sums = rows.setdefault(at, [0, 0, 0, 0, 1, int(i)])
        own = (mine.quantity_nano, mine.proceeds_cents, mine.basis_cents, mine.disallowed_cents)
        for place, column in enumerate(own):
            sums[place] += int(column[i])
        if noncovered is not None and noncovered[i]:
            sums[4] = 0
    return _assemble(state, rows, reported)


def _of_year(state: BookState, sold: Disposals, taxpayer_id: int, year: int) -> Ints:
    mine = state.accounts.taxpayer_ids[sold.account_ix] == taxpayer_id
    in_year = sold.day.astype("M8[Y]") == np.datetime64(str(year), "Y")
    return np.flatnonzero(mine & in_year & (sold.taxable == 1))


def _key(sold: Disposals, i: int) -> _Key:
    return (
        int(sold.account_ix[i]),
        int(sold.event[i]),
        int(sold.origin_event[i]),
        int(sold.origin_line[i]),
    )


def _assemble(
    state: BookState, rows: dict[tuple[_Key, int], list[int]], reported: dict[_Key, list[int]]
) -> YearOfSales:
    why = _why(state)
    mine = state.taxpayer.disposals
    columns: list[tuple[int, ...]] = []
    reasons: list[Reason] = []
    left = {key: list(figures) for key, figures in reported.items()}
    for (key, long), (quantity, proceeds, basis, disallowed, covered, first) in sorted(rows.items()):
        rest = left.get(key, [quantity, basis, disallowed, long])
        share = quantity / rest[0] if rest[0] else 1.0
        their_basis = rest[1] if quantity == rest[0] else round(rest[1] * share)
        their_disallowed = rest[2] if quantity == rest[0] else round(rest[2] * share)
        left[key] = [rest[0] - quantity, rest[1] - their_basis, rest[2] - their_disallowed, rest[3]]
        columns.append(
            (
                first,
                quantity,
                proceeds,
                basis,
                disallowed,
                long,
                covered,
                their_basis,
                their_disallowed,
                rest[3],
            )
        )
        apart = max(abs(basis - their_basis), abs(disallowed - their_disallowed))
        if apart == 0 and long == rest[3]:
            reasons.append(Reason.NONE)
        else:
            small = apart <= _ROUNDING_CENTS and long == rest[3]
            reasons.append(why.get(key, Reason.ROUNDING if small else Reason.OTHER))
    table = np.array(columns, np.int64).reshape(len(columns), 10)
    at = table[:, 0]
    sales = ReportedSales(
        account_ix=mine.account_ix[at],
        sale=mine.event[at],
        security_id=mine.security_id[at],
        acquired=mine.acquired[at],
        sold=mine.day[at],
        quantity_nano=table[:, 1],
        proceeds_cents=table[:, 2],
        basis_cents=table[:, 3],
        disallowed_cents=table[:, 4],
        long_term=table[:, 5].astype(np.int8),
        covered=table[:, 6].astype(np.int8),
        broker_basis_cents=table[:, 7],
        broker_disallowed_cents=table[:, 8],
        broker_long_term=table[:, 9].astype(np.int8),
    )
    return YearOfSales(sales=sales, reasons=tuple(reasons))


def _why(state: BookState) -> dict[_Key, Reason]:
    """For each sale and lot that a wash across the broker's horizon touched, what crossed it:
    as the loss, or as the lot whose basis the loss had joined."""
    view: View = state.taxpayer
    links, sold = view.links, view.disposals
    out: dict[_Key, Reason] = {}
    burdened: dict[tuple[int, int], Reason] = {}
    for i in range(len(links)):
        row = int(links.disposal_ix[i])
        reason = _crossing(state, int(sold.account_ix[row]), int(links.account_ix[i]))
        if reason is Reason.NONE:
            reason = Reason.IDENTICAL_GROUP
            if _same_security(state, i):
                continue
        out[_key(sold, row)] = reason
        burdened[int(links.replacement_event[i]), int(links.replacement_line[i])] = reason
    for row in range(len(sold)):
        lot = (int(sold.origin_event[row]), int(sold.origin_line[row]))
        if lot in burdened:
            out.setdefault(_key(sold, row), burdened[lot])
    return out


def _crossing(state: BookState, seller: int, buyer: int) -> Reason:
    accounts = state.accounts
    if seller == buyer:
        return Reason.NONE
    if accounts.taxable[buyer] == 0:
        return Reason.IRA
    if accounts.taxpayer_ids[seller] != accounts.taxpayer_ids[buyer]:
        return Reason.SPOUSE
    return Reason.CROSS_ACCOUNT


def _same_security(state: BookState, link: int) -> bool:
    """Did the broker see this match too? It did when its own books have the same link."""
    links, theirs = state.taxpayer.links, state.broker.links
    seen = (theirs.replacement_event == links.replacement_event[link]) & (
        theirs.replacement_line == links.replacement_line[link]
    )
    return bool(seen.any())
