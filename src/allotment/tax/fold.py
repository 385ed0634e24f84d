"""The pure fold: transactions in, open lots, disposals and wash links out.

Everything the law says about lots happens here, event by event, in compiled loops over the
streams of `tax.streams`: `tax.stream_fold` goes through them and `tax.chronicle` calls the rules,
each in its own module. What the fold gives back is checked against the identity of
docs/law/numbers.md, to the cent, every time.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from allotment.errors import InvariantError
from allotment.tax import pieces as c
from allotment.tax.chronicle import Rows
from allotment.tax.fills import whole_orders
from allotment.tax.folded import Folded, Harvest
from allotment.tax.identical import IdenticalGroups
from allotment.tax.pieces import Books, Facts, Matrix
from allotment.tax.problems import ProblemCode
from allotment.tax.stream_fold import fold_streams, money_off
from allotment.tax.streams import Families, Streams, families, streams, with_successors
from allotment.tax.transactions import FoldPolicy, NamedLots, SpouseEffect, TaxAccounts, Transactions
from allotment.units import Codes, Dates, Index, Ints

_ROWS_AT_ONCE = 1 << 18

__all__ = ["Folded", "ProblemCode", "fold_transactions"]


def fold_transactions(
    transactions: Transactions, accounts: TaxAccounts, groups: IdenticalGroups, policy: FoldPolicy
) -> Folded:
    """Fold. Raises InvariantError when the identity of docs/law/numbers.md does not hold."""
    groups = with_successors(groups, transactions)
    of = families(groups, transactions)
    plan = streams(transactions, of)
    whole = whole_orders(transactions, plan.rows)
    if whole is not None:
        return whole.by_fills(fold_transactions(whole.transactions, accounts, groups, policy))
    facts = _facts(accounts, groups, of, policy)
    facts.policy[c.UNKNOWN_BASIS] = bool(transactions.brought.basis_state.any())
    account_start = np.searchsorted(
        accounts.household_ix, np.arange(_n_households(transactions, accounts) + 1)
    )
    widest = int(np.diff(account_start).max(initial=1))
    ends = _ends(plan)
    most = int(np.diff(plan.start[ends]).max(initial=0))
    books = _books(most, widest, of)
    details = _details(transactions)
    lot = np.empty((most + 64, c.STATUS + 1), np.int64)
    harvest = Harvest(len(transactions))
    for first, last in pairwise(ends.tolist()):
        part = plan.rows[plan.start[first] : plan.start[last]]
        books.counts[[c.N_ROWS, c.N_LINKS, c.N_PROBLEMS]] = 0
        books, lot, n_lots, wrong = fold_streams(
            _rows(transactions, details, part),
            facts,
            books,
            plan.start[first : last + 1] - plan.start[first],
            plan.household_ix[first:last],
            plan.family_ix[first:last],
            account_start.astype(np.int64),
            of.size,
            of.n_groups,
            lot,
        )
        if wrong >= 0:
            raise _lost_money(transactions, plan, books, first + wrong)
        harvest.bring_in(books, lot[:n_lots], part)
    return harvest.folded(books.flow)


def _lost_money(transactions: Transactions, plan: Streams, books: Books, stream: int) -> InvariantError:
    """The identity of docs/law/numbers.md fails for one household and family of groups."""
    row = int(plan.rows[plan.start[stream]])
    return InvariantError(
        f"the fold lost or made money: {money_off(books, 1)} cents in taxable accounts, "
        f"{money_off(books, 0)} in IRAs, first in household {int(plan.household_ix[stream])} with security "
        f"{int(transactions.security_ix[row])}; nothing was written"
    )


def _ends(plan: Streams) -> Ints:
    """Where streams are parted, at ends of households, so that a part stays in memory already used:
    fresh memory costs more than the folding. At least (0, n_streams)."""
    n = len(plan.household_ix)
    closes = np.flatnonzero(plan.household_ix[1:] != plan.household_ix[:-1]) + 1
    part = plan.start[closes] // _ROWS_AT_ONCE
    first_of_part = np.flatnonzero(part[1:] != part[:-1]) + 1
    return np.concatenate([[0], closes[first_of_part], [n]])


def _n_households(transactions: Transactions, accounts: TaxAccounts) -> int:
    last = transactions.household_ix[-1] if len(transactions) else -1
    return max(int(last), int(accounts.household_ix[-1]) if len(accounts) else -1) + 1


def _facts(accounts: TaxAccounts, groups: IdenticalGroups, of: Families, policy: FoldPolicy) -> Facts:
    switches = np.zeros(c.N_SWITCHES, np.int64)
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
        member_from=_days(accounts.member_from),
        member_until=np.where(np.isnat(accounts.member_until), c.END_OF_DAYS, _days(accounts.member_until)),
        security_local=of.security_local,
        group_local=of.group_local,
        unit_parts=groups.unit_parts,
        unit_whole=groups.unit_whole,
        policy=switches,
        rates=np.array([policy.short_rate, policy.long_rate]),
        here=np.zeros(4, np.int64),
    )


def _books(most: int, widest: int, of: Families) -> Books:
    n_securities = int(of.size.max(initial=1))
    n_lists = 2 * widest * n_securities
    return Books(
        piece=np.empty((4096, c.N_PIECE_COLUMNS), np.int64),
        # Room that is not used is never touched, and costs nothing; growing costs a copy.
        row=np.empty((2 * most + 64, c.N_ROW_COLUMNS), np.int64),
        link=np.empty((most + 64, c.N_LINK_COLUMNS), np.int64),
        problem=np.empty((64, c.N_PROBLEM_COLUMNS), np.int64),
        counts=np.zeros(c.N_COUNTS, np.int64),
        head=np.empty(n_lists, np.int64),
        tail=np.empty(n_lists, np.int64),
        held=np.empty(n_lists, np.int64),
        group=np.empty((int(of.n_groups.max(initial=1)), c.N_GROUP_COLUMNS), np.int64),
        scaled=np.empty((n_securities, 2), np.int64),
        made=np.full((most + 1, c.N_MADE_COLUMNS), c.NONE, np.int64),
        flow=np.zeros((2, c.N_FLOWS), np.int64),
    )


def _details(t: Transactions) -> tuple[Matrix, Matrix]:
    """Terms and lots brought, as matrices."""
    terms, brought = t.terms, t.brought
    return (
        _matrix(
            terms.other_ix,
            terms.new_parts,
            terms.old_parts,
            terms.cash_nano,
            terms.lieu_nano,
            terms.old_price_nano,
            terms.new_price_nano,
            terms.allocate,
        ),
        _matrix(
            brought.loss_basis_cents,
            _days(brought.acquired),
            _days(brought.holding_from),
            _days(brought.purchased),
            brought.absorbed,
            brought.covered,
            brought.basis_state,
        ),
    )


def _rows(t: Transactions, details: tuple[Matrix, Matrix], rows: Ints) -> Rows:
    """The transactions `rows` (whole households), one behind the other as the fold goes through
    them: read where they stand, each would cost a walk to memory for every column."""
    named_start, named_row, named_quantity = _named(t.named, rows)
    return Rows(
        account=t.account_ix[rows],
        sleeve=t.sleeve_ix[rows],
        security=t.security_ix[rows],
        day=_days(t.day[rows]),
        settles=_days(t.settles[rows]),
        kind=t.kind[rows],
        quantity=t.quantity_nano[rows],
        amount=t.amount_cents[rows],
        order=t.order_id[rows],
        method=t.method[rows],
        to=t.to_ix[rows],
        detail=t.detail_ix[rows],
        named_start=named_start,
        named_row=named_row,
        named_quantity=named_quantity,
        terms=details[0],
        brought=details[1],
    )


def _named(named: NamedLots, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """Lots named by `rows`, by their place in `rows`; one past the end for rows elsewhere."""
    start = np.zeros(len(rows) + 1, np.int64)
    if not len(named.row):
        return start, named.row, named.quantity_nano
    count = np.diff(named.start)[rows]
    np.cumsum(count, out=start[1:])
    entry = np.repeat(named.start[rows] - start[:-1], count) + np.arange(start[-1])
    low, high = int(rows.min(initial=0)), int(rows.max(initial=-1))
    place = np.empty(high - low + 1, np.int64)
    place[rows - low] = np.arange(len(rows))
    lot = named.row[entry]
    inside = (lot >= low) & (lot <= high)
    found = np.where(inside, place[np.clip(lot - low, 0, high - low)], len(rows))
    return start, found, named.quantity_nano[entry]


def _matrix(*columns: Ints | Index | Codes) -> Matrix:
    out = np.empty((columns[0].shape[0], len(columns)), np.int64)
    for i, column in enumerate(columns):
        out[:, i] = column
    return out


def _days(dates: Dates) -> Ints:
    days = dates.astype("M8[D]").view(np.int64)
    missing = np.isnat(dates)
    return np.where(missing, c.NO_DAY, days) if missing.any() else days
