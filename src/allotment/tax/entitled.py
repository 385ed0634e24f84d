"""Which shares of which lots a dividend is paid on, and when they left.

Law: 26 U.S.C. §246(c): the test of a dividend goes share by share, from the actual acquisition to the
disposal. Paid is who held at the close of the day before the ex-date. A wash sale does not move the day
of acquisition, §246(c)(3)(B); a gift counts from the donor's purchase, §1223(2); shares that a split, a
tax-free merger or a new symbol has changed are still held, and a transfer between own accounts changes
nothing [M]. Shares given up in a split-off have left.

How: one walk over the transactions beside what the fold says each sale closed. For the few kinds whose
effect no disposal tells (donations, splits, mergers, exercises), what was held before and after is
folded again, for the securities concerned alone. Of one lot, shares that were there first leave first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from allotment.tax.fold import fold_transactions
from allotment.tax.folded import Folded
from allotment.tax.identical import IdenticalGroups
from allotment.tax.recompute import some_rows
from allotment.tax.streams import families, with_successors
from allotment.tax.transactions import FoldPolicy, Kind, TaxAccounts, Transactions
from allotment.units import Ints

EVERY_ACCOUNT = -1
NOT_GONE = -1
_FOLLOWED_DAYS = 370  # longer than any test looks: a loss is short-term for a year
_ENTERING = frozenset(
    {Kind.OPEN_LOT, Kind.BUY, Kind.REINVEST, Kind.GIFT_IN, Kind.INHERIT, Kind.OPTION_BUY, Kind.SHORT_SELL}
)
_CLOSING = frozenset({Kind.SELL, Kind.CASH_MERGER, Kind.WORTHLESS, Kind.COVER})
_QUIET = frozenset({Kind.RETURN_OF_CAPITAL, Kind.RELABEL})
_CONVERTING = frozenset({Kind.SPLIT, Kind.STOCK_MERGER, Kind.MIXED_MERGER, Kind.SYMBOL_CHANGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ExDate:
    """Who held `security_ix` in `account_ix` (-1: in any) when `day` began?"""

    security_ix: int
    account_ix: int
    day: int  # since 1970, as every day here


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitled:
    """Shares of one lot in one account that were there, and left together."""

    ex_date: int  # position in what was asked
    account_ix: int
    origin_row: int  # the transaction that made the lot
    is_short: bool  # sold short: the account pays instead
    acquired: int
    quantity_nano: int  # as of the ex-date
    left_row: int  # the transaction in which they left, NOT_GONE while held
    left: int  # its day; nothing while held


_Key = tuple[int, int, int]  # account, security, origin


@dataclass(slots=True)
class _Stake:
    ex_date: int
    day: int
    account: int
    quantity: int


@dataclass(slots=True)
class _Chunk:
    """Shares of one lot with one history."""

    quantity: int
    stakes: list[_Stake] = field(default_factory=list)

    def cut(self, quantity: int) -> _Chunk:
        """The part of `quantity`; what rounding leaves of the stakes stays here."""
        stakes = []
        for stake in self.stakes:
            part = (2 * stake.quantity * quantity + self.quantity) // (2 * self.quantity)
            stakes.append(_Stake(stake.ex_date, stake.day, stake.account, part))
            stake.quantity -= part
        self.quantity -= quantity
        return _Chunk(quantity, stakes)


def entitled(
    transactions: Transactions,
    folded: Folded,
    accounts: TaxAccounts,
    groups: IdenticalGroups,
    policy: FoldPolicy,
    asked: Sequence[ExDate],
) -> list[Entitled]:
    """For each ex-date the shares held, in parts by lot and by the transaction in which they left.

    transactions, folded: of one household, without problems. Ascending by ex-date asked, account
    (shares held before shares short), acquisition, lot, transaction of leaving (those still there last).
    """
    walk = _Walk(transactions, folded, accounts, groups, policy)
    waiting = sorted(range(len(asked)), key=lambda i: asked[i].day, reverse=True)
    days = transactions.day.astype("M8[D]").astype(np.int64).tolist()
    for row, day in enumerate(days):
        while waiting and asked[waiting[-1]].day <= day:
            walk.stake(waiting[-1], asked[waiting.pop()])
        walk.step(row, day)
    while waiting:
        walk.stake(waiting[-1], asked[waiting.pop()])
    return walk.told()


class _Walk:
    """Every share held, as the transactions go by."""

    def __init__(
        self,
        transactions: Transactions,
        folded: Folded,
        accounts: TaxAccounts,
        groups: IdenticalGroups,
        policy: FoldPolicy,
    ) -> None:
        self._t, self._accounts, self._policy = transactions, accounts, policy
        self._groups = with_successors(groups, transactions)
        self._family = families(self._groups, transactions).family_ix
        self._kind = [Kind(kind) for kind in transactions.kind.tolist()]
        self._security = transactions.security_ix.tolist()
        self._pools: dict[int, dict[tuple[int, int], list[_Chunk]]] = defaultdict(dict)
        self._out: dict[tuple[int, int, int, int], list[int]] = {}  # … → quantity, day
        self._closed: dict[int, list[tuple[_Key, int]]] = defaultdict(list)
        sold = folded.disposals
        columns = (sold.sale_row, sold.account_ix, sold.security_ix, sold.origin_row, sold.quantity_nano)
        for sale, account, security, origin, quantity in zip(*(c.tolist() for c in columns), strict=True):
            self._closed[sale].append(((account, security, origin), quantity))

    def stake(self, number: int, asked: ExDate) -> None:
        """Note what is held now as entitled to the dividend `number`."""
        for (account, origin), chunks in self._pools[asked.security_ix].items():
            if asked.account_ix not in (EVERY_ACCOUNT, account):
                continue
            for chunk in chunks:
                while chunk.stakes and chunk.stakes[0].day < asked.day - _FOLLOWED_DAYS:
                    self._tell(origin, chunk.stakes.pop(0), NOT_GONE, 0)
                chunk.stakes.append(_Stake(number, asked.day, account, chunk.quantity))

    def step(self, row: int, day: int) -> None:
        """One transaction."""
        kind, security = self._kind[row], self._security[row]
        if kind in _ENTERING:
            account = int(self._t.account_ix[row])
            self._enter((account, security, row), int(self._t.quantity_nano[row]))
        elif kind in _CLOSING:
            self._close(self._closed[row], row, day)
        elif kind is Kind.TRANSFER:
            start, end = self._t.named.start[row], self._t.named.start[row + 1]
            account, to = int(self._t.account_ix[row]), int(self._t.to_ix[row])
            for i in range(start, end):
                origin, quantity = int(self._t.named.row[i]), int(self._t.named.quantity_nano[i])
                for chunk in self._take((account, security, origin), quantity):
                    self._pools[security].setdefault((to, origin), []).append(chunk)
        elif kind not in _QUIET:
            self._compare(row, day)

    def told(self) -> list[Entitled]:
        """Everything noted, once all transactions have gone by."""
        for pools in self._pools.values():
            for (_, origin), chunks in pools.items():
                for chunk in chunks:
                    for stake in chunk.stakes:
                        self._tell(origin, stake, NOT_GONE, 0)
        found = [
            Entitled(
                ex_date=ex_date,
                account_ix=account,
                origin_row=origin,
                is_short=self._kind[origin] is Kind.SHORT_SELL,
                acquired=self._acquired(origin),
                quantity_nano=quantity,
                left_row=left_row,
                left=left,
            )
            for (ex_date, account, origin, left_row), (quantity, left) in self._out.items()
            if quantity
        ]
        found.sort(
            key=lambda e: (
                e.ex_date,
                e.account_ix,
                e.is_short,
                e.acquired,
                e.origin_row,
                e.left_row == NOT_GONE,
                e.left_row,
            )
        )
        return found

    def _acquired(self, origin: int) -> int:
        """The day from which shares of this lot count as held."""
        t, kind = self._t, self._kind[origin]
        day = t.day[origin]
        if kind is Kind.GIFT_IN:
            day = t.brought.holding_from[t.detail_ix[origin]]
        elif kind is Kind.OPEN_LOT:
            day = t.brought.acquired[t.detail_ix[origin]]
        return int(day.astype("M8[D]").astype(np.int64))

    def _tell(self, origin: int, stake: _Stake, left_row: int, left: int) -> None:
        key = (stake.ex_date, stake.account, origin, left_row)
        self._out.setdefault(key, [0, left])[0] += stake.quantity

    def _enter(self, key: _Key, quantity: int) -> None:
        account, security, origin = key
        self._pools[security].setdefault((account, origin), []).append(_Chunk(quantity))

    def _take(self, key: _Key, quantity: int) -> list[_Chunk]:
        """Shares of one lot out of one account, those that were there first."""
        account, security, origin = key
        chunks = self._pools[security][account, origin]
        taken = []
        while quantity:
            if chunks[0].quantity <= quantity:
                taken.append(chunks.pop(0))
            else:
                taken.append(chunks[0].cut(quantity))
            quantity -= taken[-1].quantity
        if not chunks:
            del self._pools[security][account, origin]
        return taken

    def _close(self, gone: Sequence[tuple[_Key, int]], row: int, day: int) -> None:
        for key, quantity in gone:
            for chunk in self._take(key, quantity):
                for stake in chunk.stakes:
                    self._tell(key[2], stake, row, day)

    def _compare(self, row: int, day: int) -> None:
        """A transaction whose effect shows in what is held before and after it alone."""
        kind, security = self._kind[row], self._security[row]
        before, after = self._held(row, row), self._held(row, row + 1)
        closed = self._closed[row]
        if kind is Kind.MIXED_MERGER:  # the rows of the old shares are their boot
            closed = [(key, quantity) for key, quantity in closed if key[1] != security]
        for key, quantity in closed:  # fractions: paid in cash after the rest was done
            after[key] = after.get(key, 0) + quantity
        if kind in _CONVERTING:
            self._convert(row, before, after)
        else:
            for key in sorted(before.keys() | after.keys()):
                more = after.get(key, 0) - before.get(key, 0)
                if more > 0:
                    self._enter(key, more)
                elif more < 0:
                    self._close([(key, -more)], row, day)
        self._close(closed, row, day)

    def _convert(self, row: int, before: dict[_Key, int], after: dict[_Key, int]) -> None:
        """Shares change in number or name, and go on."""
        security, only = self._security[row], int(self._t.account_ix[row])
        other = int(self._t.terms.other_ix[self._t.detail_ix[row]])
        new_security = other if other >= 0 else security
        for key, old in before.items():
            account, _, origin = key
            if key[1] != security or only not in (EVERY_ACCOUNT, account):
                continue
            new_key = (account, new_security, origin)
            new = after[new_key] - (before.get(new_key, 0) if new_key != key else 0)
            chunks = self._take(key, old)
            for chunk in chunks:
                scaled = (2 * new * chunk.quantity + old) // (2 * old)
                old, new, chunk.quantity = old - chunk.quantity, new - scaled, scaled
            self._pools[new_security].setdefault((account, origin), []).extend(chunks)

    def _held(self, row: int, until: int) -> dict[_Key, int]:
        """What was held, of the securities that row `row` can touch, before row `until`."""
        family = self._family[self._security[row]]
        rows: Ints = np.flatnonzero(self._family[self._t.security_ix[:until]] == family)
        lots = fold_transactions(some_rows(self._t, rows), self._accounts, self._groups, self._policy).lots
        held: dict[_Key, int] = defaultdict(int)
        columns = (lots.account_ix, lots.security_ix, rows[lots.origin_row], lots.quantity_nano)
        for account, security, origin, quantity in zip(*(c.tolist() for c in columns), strict=True):
            held[account, security, origin] += quantity
        return dict(held)
