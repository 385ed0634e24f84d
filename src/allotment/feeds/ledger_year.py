"""A ledger's sales of one year in both views, and its dividends: what the tax forms are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotment.feeds.ledger_dividends import DividendSums, dividend_parts, dividend_sums
from allotment.feeds.ledger_json import Ledger, replay
from allotment.tax.broker_view import Owners, Reason, SalesView, YearOfSales, year_of_sales
from allotment.tax.confirmed import confirmed_lots
from allotment.tax.fold import fold_transactions
from allotment.tax.folded import Folded
from allotment.tax.form_1099b import Form1099B, form_1099b
from allotment.tax.transactions import FoldPolicy, HoldingMethod, Kind, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerYear:
    """One owner's year (or the couple's), and what a broker with other readings would print."""

    ledger: Ledger
    year: int
    sales: YearOfSales
    dividends: DividendSums
    readings: tuple[tuple[Reason, Form1099B], ...]


def ledger_year(ledger: Ledger, year: int, owner: str = "") -> LedgerYear:
    """Sales and dividends of the year in the accounts of `owner` (taxpayer, spouse; both by default).

    Raises BadFileError when transactions contradict one another.
    """
    ours = replay(ledger)
    fold = ledger.policy.fold
    brokers = replace(fold, scope=Scope.ACCOUNT_CUSIP)
    sales = _sales(ledger, ours, _folded(ledger, ours, brokers), year, owner)
    other = [
        (Reason.SAME_ORDER, replace(brokers, same_order_candidates=not fold.same_order_candidates)),
        *(
            (Reason.HOLDING_METHOD, replace(brokers, hp_method=method))
            for method in HoldingMethod
            if method != fold.hp_method
        ),
    ]
    readings = tuple(
        (reason, form_1099b(_sales(ledger, ours, _folded(ledger, ours, policy), year, owner).sales))
        for reason, policy in other
    )
    dividends = dividend_sums(ledger, dividend_parts(ledger, ours), year, owner)
    return LedgerYear(ledger=ledger, year=year, sales=sales, dividends=dividends, readings=readings)


def _folded(ledger: Ledger, ours: Folded, policy: FoldPolicy) -> Folded:
    """The broker's books, which close the lots that ours closed."""
    named = confirmed_lots(ledger.transactions, ledger.accounts, ours)
    return fold_transactions(
        replace(ledger.transactions, named=named), ledger.accounts, ledger.groups, policy
    )


def _sales(ledger: Ledger, ours: Folded, theirs: Folded, year: int, owner: str) -> YearOfSales:
    sold, owners = ours.disposals, ledger.accounts.owner_ix[ours.disposals.account_ix]
    chosen = (sold.taxable == 1) & (sold.day.astype("M8[Y]") == np.datetime64(str(year), "Y"))
    if owner:
        chosen &= owners == (owner == "spouse")
    unreported = ledger.transactions.kind[sold.sale_row] == Kind.WORTHLESS
    facts = Owners(taxpayer=ledger.accounts.owner_ix, taxable=ledger.accounts.taxable, paper=_papers(ledger))
    return year_of_sales(_view(ours), _view(theirs), facts, chosen, unreported)


def _papers(ledger: Ledger) -> dict[int, int]:
    """Every symbol that was renamed, and its last name."""
    t = ledger.transactions
    renamed = np.flatnonzero((t.kind == Kind.SYMBOL_CHANGE) & (t.detail_ix >= 0))
    after = {int(t.security_ix[i]): int(t.terms.other_ix[t.detail_ix[i]]) for i in renamed}
    last = {}
    for old in after:
        name, seen = old, {old}
        while after.get(name, name) not in seen:
            name = after[name]
            seen.add(name)
        last[old] = name
    return last


def _view(folded: Folded) -> SalesView:
    sold, links = folded.disposals, folded.links
    return SalesView(
        account_ix=sold.account_ix,
        sale=sold.sale_row,
        lot=sold.origin_row,
        security_id=sold.security_ix.astype(np.int64),
        acquired=sold.acquired,
        sold=sold.day,
        quantity_nano=sold.quantity_nano,
        proceeds_cents=sold.proceeds_cents,
        basis_cents=sold.basis_cents,
        disallowed_cents=sold.disallowed_cents,
        long_term=sold.long_term,
        covered=sold.covered,
        link_row=links.disposal_ix,
        link_account_ix=links.account_ix,
        link_lot=links.origin_row,
        link_security_id=links.security_ix.astype(np.int64),
    )
