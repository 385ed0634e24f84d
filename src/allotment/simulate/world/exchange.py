"""The sample exchange, session by session: closes in cents, dividends, splits, the index.

Each day the names' returns get one common shift, so that the members average to the index path
that was drawn. A common shift leaves their weights as they are, and since it is measured
against the level reached so far, rounding to cents does not add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np

from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.simulate.world.returns import Returns
from allotment.simulate.world.timetable import Merger, Timetable
from allotment.units import Bools, Dates, Floats, Ints

_SPLIT_FROM_USD = 450.0
_AFTER_SPLIT_USD = (120.0, 160.0, 260.0)  # boards differ in what they find handy
_SPLIT_RATIOS = (2, 3, 4, 5, 10, 20)
_SPLIT_EVERY = 63  # a board looks at its share price once a quarter
_REVERSE_RATIO = 0.1
_DIVIDEND_STEP_USD = 0.0025
_SEASONED_SESSIONS = 40  # between a listing and a place in the index


@dataclass(slots=True)
class Exchange:
    """What happened: T sessions, N names, matrices of shape (T, N). Filled by `run`."""

    sessions: Dates
    returns: Returns
    timetable: Timetable
    n_members: int
    changes_per_quarter: int
    start_usd: Floats  # (N,) price when listed
    shares: Floats  # (N,) outstanding, kept up to date
    annual_yield: Floats  # (N,) zero for names that pay nothing
    pay_month: Ints  # (N,) 0, 1 or 2: month of the quarter
    pay_day: Ints  # (N,) day of the month from which the ex-date falls
    close_usd: Floats = field(init=False)  # 0 where there is no price
    gross: Floats = field(init=False)  # total return factor of the day, 1 on the first
    cap_usd: Floats = field(init=False)  # NaN where there is no price
    member: Bools = field(init=False)
    changed: list[int] = field(init=False)  # sessions at which the index changed
    actions: list[CorporateAction] = field(init=False)  # `security_id` is position + 1

    def run(self) -> None:
        """Trade every session."""
        shape = self.returns.names_log.shape
        self.close_usd, self.gross = np.zeros(shape), np.ones(shape)
        self.cap_usd, self.member = np.full(shape, np.nan), np.zeros(shape, np.bool_)
        self.changed, self.actions = [], []
        listed = self.timetable.listed_ix == 0
        self.close_usd[0, listed] = _cents(self.start_usd[listed])
        self.cap_usd[0] = np.where(listed, self.shares * self.close_usd[0], np.nan)
        largest = np.argsort(-np.nan_to_num(self.cap_usd[0]), kind="stable")[: self.n_members]
        self.member[0, largest] = True
        plan = _Plan(self)
        wanted, level = np.cumsum(self.returns.index_log), 0.0
        for t in range(1, shape[0]):
            level += self._session(t, float(wanted[t]) - level, plan)

    def _session(self, t: int, missing: float, plan: _Plan) -> float:
        """One session; `missing` is the log return that the index should make, the result the
        one that it makes in cents."""
        before, timetable = self.close_usd[t - 1], self.timetable
        self.member[t] = self._members(t, plan.is_promised(t))
        trades = (timetable.listed_ix < t) & (t <= timetable.last_ix)
        weight = np.where(self.member[t] & trades, self.shares * before, 0.0)
        weight /= weight.sum()

        gross = np.exp(plan.log[t])
        fixed = plan.is_fixed(t)
        moved = float(weight[~fixed] @ gross[~fixed])
        gross[~fixed] *= (np.exp(missing) - float(weight[fixed] @ gross[fixed])) / moved

        cash = self._dividends(t, trades & ~plan.is_promised(t))
        ratio = self._splits(t, trades & plan.may_split & (cash == 0.0))
        spun = np.zeros_like(before)
        worth = before * gross / ratio - cash
        self._spin_offs(t, worth, spun)
        close = np.where(trades, _cents(worth - spun), 0.0)
        newly = timetable.listed_ix == t
        close[newly] = np.where(
            self.close_usd[t, newly] > 0.0, self.close_usd[t, newly], _cents(self.start_usd[newly])
        )
        self.close_usd[t] = close
        self.gross[t, trades] = ((close + cash + spun) * ratio)[trades] / before[trades]
        self.shares *= ratio
        self._completions(t)
        self.cap_usd[t] = np.where(close > 0.0, self.shares * close, np.nan)
        return float(np.log(weight @ self.gross[t]))

    def _members(self, t: int, promised: Bools) -> Bools:
        """Members at the open of session t: names that are gone leave, and on the quarter's
        day the smallest make room for the largest outsiders."""
        member = self.member[t - 1].copy()
        cap = np.nan_to_num(self.cap_usd[t - 1])
        here = (self.timetable.listed_ix + _SEASONED_SESSIONS <= t) & (t <= self.timetable.last_ix)
        candidates = np.flatnonzero(~member & here & ~promised)
        candidates = candidates[np.argsort(-cap[candidates], kind="stable")]
        leaves = np.flatnonzero(member & (t > self.timetable.last_ix))
        if t in self.timetable.index_dates:
            inside = np.flatnonzero(member & here)
            n = min(self.changes_per_quarter, candidates.size - leaves.size)
            leaves = np.concatenate([leaves, inside[np.argsort(cap[inside], kind="stable")][:n]])
        if leaves.size:
            assert leaves.size <= candidates.size, "too few names outside the index"
            member[leaves] = False
            member[candidates[: leaves.size]] = True
            self.changed.append(t)
        still: Bools = member
        return still

    def _splits(self, t: int, may: Bools) -> Floats:
        """New shares per old: dear names split, and the cheapest consolidates when planned."""
        before = self.close_usd[t - 1]
        ratio = np.ones_like(before)
        looks = (np.arange(before.shape[0]) + t) % _SPLIT_EVERY == 0
        for i in np.flatnonzero(looks & may & (before > _SPLIT_FROM_USD)):
            fits = [k for k in _SPLIT_RATIOS if before[i] / k < _AFTER_SPLIT_USD[i % 3]]
            ratio[i] = float(fits[0] if fits else _SPLIT_RATIOS[-1])
        if t in self.timetable.reverse_split_ix:
            ratio[int(np.argmin(np.where(may, before, np.inf)))] = _REVERSE_RATIO
        for split in np.flatnonzero(ratio != 1.0).tolist():
            self._act(t, split, ActionKind.SPLIT, ratio=float(ratio[split]))
        new_per_old: Floats = ratio
        return new_per_old

    def _dividends(self, t: int, pays: Bools) -> Floats:
        """Cash per share: names of the month pay on the first session from their day on.

        Days stop at 24, so that a session of the same month always follows.
        """
        today, yesterday = self.sessions[t], self.sessions[t - 1]
        month = today.astype("M8[M]")
        due = month.astype("M8[D]") + (self.pay_day - 1)
        is_month = self.pay_month == int(month.astype(np.int64)) % 3
        goes_ex = is_month & (due <= today) & (due > yesterday) & pays & (self.annual_yield > 0.0)
        steps = np.rint(self.close_usd[t - 1] * self.annual_yield / 4.0 / _DIVIDEND_STEP_USD)
        cash = np.where(goes_ex, np.round(steps * _DIVIDEND_STEP_USD, 4), 0.0)
        for i in np.flatnonzero(cash > 0.0).tolist():
            self._act(t, i, ActionKind.CASH_DIVIDEND, amount_usd=float(cash[i]))
        return cash

    def _spin_offs(self, t: int, worth: Floats, spun: Floats) -> None:
        for spin in self.timetable.spin_offs:
            if spin.ex_ix == t:
                child_usd = float(_cents(np.array(worth[spin.parent] * spin.value_share / spin.ratio)))
                spun[spin.parent] = spin.ratio * child_usd
                self.close_usd[t, spin.child] = child_usd
                self.shares[spin.child] = self.shares[spin.parent] * spin.ratio
                self._act(
                    t,
                    spin.parent,
                    ActionKind.SPIN_OFF,
                    ratio=spin.ratio,
                    value_usd=float(spun[spin.parent]),
                    other=spin.child,
                )

    def _completions(self, t: int) -> None:
        """Mergers and delistings whose ex-date is session t."""
        for merger in self.timetable.mergers:
            if merger.ex_ix != t:
                continue
            last = self.close_usd[t - 1, merger.target]
            if merger.acquirer < 0:
                self._act(t, merger.target, ActionKind.CASH_MERGER, amount_usd=float(last))
                continue
            ratio = round(float(last / self.close_usd[t - 1, merger.acquirer]), 4)
            self.shares[merger.acquirer] += ratio * self.shares[merger.target]
            self._act(t, merger.target, ActionKind.STOCK_MERGER, ratio=ratio, other=merger.acquirer)
        for name in self.timetable.failures:
            if self.timetable.last_ix[name] == t - 1:
                last = float(self.close_usd[t - 1, name])
                self._act(t, name, ActionKind.DELISTING, amount_usd=last)

    def _act(
        self,
        t: int,
        name: int,
        kind: ActionKind,
        *,
        ratio: float = 1.0,
        amount_usd: float = 0.0,
        value_usd: float = 0.0,
        other: int | None = None,
    ) -> None:
        self.actions.append(
            CorporateAction(
                security_id=name + 1,
                ex_date=date.fromisoformat(str(self.sessions[t])),
                kind=kind,
                ratio=ratio,
                amount_usd=amount_usd,
                value_usd=value_usd,
                other_security_id=None if other is None else other + 1,
            )
        )


class _Plan:
    """Returns bent to the timetable: offers, falls, and pairs that move together."""

    def __init__(self, exchange: Exchange) -> None:
        timetable = exchange.timetable
        self.log = exchange.returns.names_log.copy()
        n_names = self.log.shape[1]
        self._cash_offers: list[Merger] = []
        self._promised = timetable.mergers
        for merger in timetable.mergers:
            after = slice(merger.announced_ix + 1, merger.ex_ix)
            self.log[merger.announced_ix, merger.target] += np.log(1.3)
            if merger.acquirer < 0:
                self.log[after, merger.target] *= 0.03  # a done deal hardly moves
                self._cash_offers.append(merger)
            else:
                self.log[after, merger.target] = self.log[after, merger.acquirer]
        for name in timetable.failures:
            last = int(timetable.last_ix[name])
            self.log[max(1, last - timetable.fall_sessions) : last + 1, name] -= 0.03
        for first, second, _ in timetable.pairs:
            gap = 0.05 * (self.log[:, second] - self.log[:, first])
            # The gap between two classes closes again: only its change moves the second class.
            self.log[1:, second] = self.log[1:, first] + np.diff(gap, prepend=0.0)[1:]
        self.may_split = np.zeros(n_names, np.bool_)
        self.may_split[timetable.untouched(n_names)] = True

    def is_fixed(self, t: int) -> Bools:
        """Names whose return no index shift may touch: a cash offer stands."""
        fixed = np.zeros(self.log.shape[1], np.bool_)
        for merger in self._cash_offers:
            fixed[merger.target] = merger.announced_ix < t < merger.ex_ix
        return fixed

    def is_promised(self, t: int) -> Bools:
        """Names under an offer: they pay nothing until it is done and join no index."""
        promised = np.zeros(self.log.shape[1], np.bool_)
        for merger in self._promised:
            if merger.announced_ix < t < merger.ex_ix:
                promised[merger.target] = True
        return promised


def _cents(usd: Floats) -> Floats:
    """Prices as a market has them: whole cents, one at least."""
    rounded: Floats = np.maximum(np.rint(usd * 100.0), 1.0) / 100.0
    return rounded
