"""Nothing is lost in the books: shares, basis and cash of a household against a plain count of them."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.household import Account, AccountKind
from allotment.book.venue import Relief, Venue
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, View, fold
from allotment.ledger.write import EventWriter
from allotment.tax.identical import IdenticalGroups

SHARE, FIRST = 10**9, date(2024, 1, 2)
SLEEVES = {70: 10, 71: 10}  # sleeve → account; the others have none
FIRST_SLEEVE = {10: 70, 11: 0, 12: 0}
SECURITIES = (501, 502)
GROUPS = IdenticalGroups.alone(np.array(SECURITIES))


def account(account_id: int, kind: AccountKind, taxpayer_id: int) -> Account:
    return Account(
        account_id=account_id,
        code=str(account_id),
        household_id=1,
        taxpayer_id=taxpayer_id,
        kind=kind,
        venue_code="V",
        opened=FIRST,
    )


def accounts(relief: Relief) -> AccountTable:
    of = [
        account(10, AccountKind.TAXABLE, 1),
        account(11, AccountKind.IRA, 1),
        account(12, AccountKind.TAXABLE, 2),  # the spouse's
    ]
    return AccountTable.of_accounts(of, [Venue(code="V", relief=relief)], list(SLEEVES.items()))


class Counted:
    """What the events say, added up one by one."""

    def __init__(self) -> None:
        self.shares = Counter[tuple[int, int, int]]()  # account, sleeve, security
        self.cash = Counter[tuple[int, int]]()  # account, sleeve
        self.paid = Counter[int]()  # account: cost of what was bought
        self.got = Counter[int]()  # account: proceeds


event = st.tuples(
    st.sampled_from(["buy", "buy", "sell", "deposit", "fee", "dividend", "label", "pass", "wire", "undo"]),
    st.sampled_from([(10, 70), (10, 71), (11, 0), (12, 0)]),
    st.sampled_from(SECURITIES),
    st.integers(1, 60),  # quarters of a share
    st.integers(1, 20_000_00),
    st.integers(0, 9),  # days since the event before
)


def written(wishes: list[tuple[str, tuple[int, int], int, int, int, int]]) -> tuple[EventWriter, Counted]:
    """Those of the wishes that the holdings allow, and the count of them."""
    book, count, day = EventWriter(), Counted(), FIRST
    undone: list[tuple[int, tuple[int, int], int]] = []  # deposits that can be withdrawn again
    for kind, (home, sleeve), security, quarters, cents, days in wishes:
        day += timedelta(days=days)
        shares, own = quarters * SHARE // 4, (1, home, day)
        cash, held = (home, sleeve), (home, sleeve, security)
        facts = {"sleeve_id": sleeve, "amount_cents": cents}
        trade = facts | {"security_id": security, "quantity_nano": shares}
        if kind == "buy":
            book.write(EventKind.BUY, *own, **trade)
            count.shares[held] += shares
            count.cash[cash] -= cents
            count.paid[home] += cents
        elif kind == "sell" and count.shares[held] >= shares:
            book.write(EventKind.SELL, *own, **trade)
            count.shares[held] -= shares
            count.cash[cash] += cents
            count.got[home] += cents
        elif kind in ("deposit", "dividend"):
            seq = book.write(EventKind[kind.upper()], *own, **facts)
            count.cash[cash] += cents
            undone.append((seq, cash, cents))
        elif kind == "fee":
            book.write(EventKind.FEE, *own, **facts)
            count.cash[cash] -= cents
        elif kind == "pass" and home == 10:
            other = 141 - sleeve
            book.write(EventKind.SLEEVE_CASH, *own, **facts, other_account_id=other)
            count.cash[cash] -= cents
            count.cash[home, other] += cents
        elif kind == "wire":
            to = 12 if home == 10 else 10
            book.write(EventKind.CASH_TRANSFER, *own, **facts, other_account_id=to)
            count.cash[cash] -= cents
            count.cash[to, FIRST_SLEEVE[to]] += cents
        elif kind == "label" and home == 10 and count.shares[held] >= shares:
            other = 141 - sleeve
            book.write(EventKind.RELABEL, *own, **trade | {"amount_cents": 0}, other_account_id=other)
            count.shares[held] -= shares
            count.shares[home, other, security] += shares
        elif kind == "undo" and undone:
            seq, of, amount = undone.pop()
            book.write(EventKind.REVERSAL, 1, of[0], day, reverses=seq)
            count.cash[of] -= amount
    return book, count


def folded(book: EventWriter, relief: Relief) -> BookState:
    state = fold(in_force(book.events()).events, accounts(relief), GROUPS)
    assert state.problems == ()
    return state


def sleeve_of(home: int, place: int) -> int:
    return 70 + place if home == 10 else 0


@given(st.lists(event, min_size=1, max_size=40), st.sampled_from(list(Relief)))
@settings(max_examples=120, deadline=None)
def test_shares_basis_and_cash_are_conserved(
    wishes: list[tuple[str, tuple[int, int], int, int, int, int]], relief: Relief
) -> None:
    book, count = written(wishes)
    if not len(book.events()):
        return
    state = folded(book, relief)
    ids = state.accounts.account_ids.tolist()
    found = Counter[tuple[int, int]]()
    cash = state.cash
    for at, place, cents in zip(cash.account_ix, cash.sleeve_ix, cash.balance_cents.tolist(), strict=True):
        found[ids[at], sleeve_of(ids[at], int(place))] += cents
    assert +found == +count.cash
    assert -found == -count.cash
    for view in (state.taxpayer, state.broker):
        lots, shares = view.lots, Counter[tuple[int, int, int]]()
        for row, nano in enumerate(lots.quantity_nano.tolist()):
            home = ids[lots.account_ix[row]]
            shares[home, sleeve_of(home, int(lots.sleeve_ix[row])), int(lots.security_id[row])] += nano
        assert shares == +count.shares
        basis_is_kept(view, count, ids)


def basis_is_kept(view: View, count: Counted, ids: list[int]) -> None:
    """Of each account: what was paid, with the losses that its purchases replaced, is what was sold at and
    what is still there. What vanishes in an IRA or at a spouse's is told, and is in no basis."""
    lots, sold, links = view.lots, view.disposals, view.links
    came = Counter[int](count.paid)
    for at, cents, is_lost in zip(
        links.account_ix.tolist(), links.amount_cents.tolist(), links.permanent.tolist(), strict=True
    ):
        came[ids[at]] += 0 if is_lost else cents
    there = Counter[int]()
    for at, cents in zip(lots.account_ix.tolist(), lots.basis_cents.tolist(), strict=True):
        there[ids[at]] += cents
    proceeds = Counter[int]()
    for row, at in enumerate(sold.account_ix.tolist()):
        there[ids[at]] += int(sold.basis_cents[row])
        proceeds[ids[at]] += int(sold.proceeds_cents[row])
    assert +there == +came
    assert +proceeds == +count.got
    # The household: every loss that is not allowed lives on in a basis, or is told to be lost.
    carried = sum(int(one) for one in links.amount_cents)
    assert int(sold.disallowed_cents.sum()) == carried
    gains = int((sold.proceeds_cents - sold.basis_cents + sold.disallowed_cents).sum())
    assert int(sold.gain_cents.sum()) == gains
