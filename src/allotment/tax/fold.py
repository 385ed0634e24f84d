"""The pure fold: transactions in, open lots, disposals and wash links out.

Everything the law says about lots happens here, event by event, in compiled loops over the
streams of `tax.streams`; `tax.chronicle` calls the rules, each in its own module. What the fold
gives back is checked against the identity of docs/law/numbers.md, to the cent, every time.
"""

from __future__ import annotations

import numpy as np

from allotment.errors import InvariantError
from allotment.tax import pieces as c
from allotment.tax.chronicle import Rows, fold_streams
from allotment.tax.folded import Folded, folded_of
from allotment.tax.identical import IdenticalGroups
from allotment.tax.pieces import Books, Facts, Matrix
from allotment.tax.problems import ProblemCode
from allotment.tax.streams import Families, families, streams, with_successors
from allotment.tax.transactions import FoldPolicy, SpouseEffect, TaxAccounts, Transactions
from allotment.units import Codes, Dates, Index, Ints

__all__ = ["Folded", "ProblemCode", "fold_transactions"]


def fold_transactions(
    transactions: Transactions, accounts: TaxAccounts, groups: IdenticalGroups, policy: FoldPolicy
) -> Folded:
    """Fold. Raises InvariantError when the identity of docs/law/numbers.md does not hold."""
    groups = with_successors(groups, transactions)
    of = families(groups, transactions)
    plan = streams(transactions, of)
    facts = _facts(accounts, groups, of, policy)
    account_start = np.searchsorted(
        accounts.household_ix, np.arange(_n_households(transactions, accounts) + 1)
    )
    widest = int(np.diff(account_start).max(initial=1))
    books = _books(len(transactions), widest, of)
    books, lot = fold_streams(
        _rows(transactions),
        facts,
        books,
        plan.rows,
        plan.start,
        plan.household_ix,
        plan.family_ix,
        account_start.astype(np.int64),
        of.size,
        of.n_groups,
        np.empty((len(transactions) + 64, c.STATUS + 1), np.int64),
    )
    folded = folded_of(books, lot, len(transactions), len(accounts))
    wrong = folded.conservation.difference()
    if wrong.any():
        raise InvariantError(
            f"the fold lost or made money: {int(wrong[1])} cents in taxable accounts, "
            f"{int(wrong[0])} in IRAs; nothing was written"
        )
    return folded


def _n_households(transactions: Transactions, accounts: TaxAccounts) -> int:
    last = transactions.household_ix[-1] if len(transactions) else -1
    return max(int(last), int(accounts.household_ix[-1]) if len(accounts) else -1) + 1


def _facts(accounts: TaxAccounts, groups: IdenticalGroups, of: Families, policy: FoldPolicy) -> Facts:
    switches = np.zeros(6, np.int64)
    switches[c.SCOPE] = policy.scope
    switches[c.HP_METHOD] = policy.hp_method
    switches[c.SAME_ORDER] = policy.same_order_candidates
    switches[c.SOLD_EARLIER] = policy.sold_earlier_candidates
    switches[c.BEFORE_LOT] = policy.acquired_before_sold_lot
    switches[c.SPOUSE_PERMANENT] = policy.spouse_effect == SpouseEffect.PERMANENT
    return Facts(
        taxable=accounts.taxable,
        owner=accounts.owner_ix,
        method=accounts.method,
        fifo_by_holding=accounts.fifo_by_holding,
        security_local=of.security_local,
        group_local=of.group_local,
        unit_parts=groups.unit_parts,
        unit_whole=groups.unit_whole,
        policy=switches,
        rates=np.array([policy.short_rate, policy.long_rate]),
        here=np.zeros(4, np.int64),
    )


def _books(n_rows: int, widest: int, of: Families) -> Books:
    n_securities = int(of.size.max(initial=1))
    n_lists = 2 * widest * n_securities
    return Books(
        piece=np.empty((4096, c.N_PIECE_COLUMNS), np.int64),
        # Room that is not used is never touched, and costs nothing; growing costs a copy.
        row=np.empty((2 * n_rows + 64, c.N_ROW_COLUMNS), np.int64),
        link=np.empty((n_rows + 64, c.N_LINK_COLUMNS), np.int64),
        problem=np.empty((64, c.N_PROBLEM_COLUMNS), np.int64),
        counts=np.zeros(c.N_COUNTS, np.int64),
        head=np.empty(n_lists, np.int64),
        tail=np.empty(n_lists, np.int64),
        held=np.empty(n_lists, np.int64),
        group=np.empty((int(of.n_groups.max(initial=1)), c.N_GROUP_COLUMNS), np.int64),
        scaled=np.empty(n_securities, np.int64),
        first_piece=np.full(n_rows, c.NONE, np.int64),
        flow=np.zeros((2, c.N_FLOWS), np.int64),
    )


def _rows(t: Transactions) -> Rows:
    terms = t.terms
    brought = t.brought
    return Rows(
        account=t.account_ix,
        sleeve=t.sleeve_ix,
        security=t.security_ix,
        day=_days(t.day),
        settles=_days(t.settles),
        kind=t.kind,
        quantity=t.quantity_nano,
        amount=t.amount_cents,
        order=t.order_id,
        method=t.method,
        to=t.to_ix,
        detail=t.detail_ix,
        named_start=t.named.start,
        named_row=t.named.row,
        named_quantity=t.named.quantity_nano,
        terms=_matrix(
            terms.other_ix,
            terms.new_parts,
            terms.old_parts,
            terms.cash_nano,
            terms.lieu_nano,
            terms.old_price_nano,
            terms.new_price_nano,
            terms.allocate,
        ),
        brought=_matrix(
            brought.loss_basis_cents,
            _days(brought.acquired),
            _days(brought.holding_from),
            _days(brought.purchased),
            brought.absorbed,
            brought.covered,
            brought.basis_state,
        ),
    )


def _matrix(*columns: Ints | Index | Codes) -> Matrix:
    out = np.empty((columns[0].shape[0], len(columns)), np.int64)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _days(dates: Dates) -> Ints:
    days = dates.astype("M8[D]").view(np.int64)
    missing = np.isnat(dates)
    return np.where(missing, c.NO_DAY, days) if missing.any() else days
