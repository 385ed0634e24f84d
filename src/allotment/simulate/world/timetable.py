"""Which sample companies list, merge, fail, split off a child or change ticker, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.units import Dates, Ints

NEVER = 1 << 30
_ANNOUNCED_BEFORE = 60  # sessions between an offer and its completion
_DECLINE = 120  # sessions of a failing company's fall


@dataclass(frozen=True, slots=True)
class Merger:
    """An offer: `target` trades for the last time the session before `ex_ix`."""

    target: int
    acquirer: int  # -1: for cash
    announced_ix: int
    ex_ix: int


@dataclass(frozen=True, slots=True)
class SpinOff:
    """`child` trades from `ex_ix` on; `ratio` of its shares for each share of `parent`."""

    parent: int
    child: int
    ex_ix: int
    ratio: float
    value_share: float  # of the parent's value before


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The plan of N names over T sessions; positions are rows and columns of the history."""

    listed_ix: Ints  # (N,) first session with a price
    last_ix: Ints  # (N,) last session with a price, NEVER when it goes on
    mergers: tuple[Merger, ...]
    spin_offs: tuple[SpinOff, ...]
    failures: tuple[int, ...]  # names that fall to almost nothing and are delisted
    fall_sessions: int
    reverse_split_ix: Ints  # (n_reverse,) sessions at which the cheapest name consolidates
    ticker_changes: tuple[tuple[int, int], ...]  # (name, session)
    pairs: tuple[tuple[int, int, float], ...]  # (first class, second class, units of the first)
    index_dates: frozenset[int]  # sessions of the regular changes of the index

    def untouched(self, n_names: int) -> Ints:
        """Names without any planned action, shape (n,), ascending."""
        busy = {m.target for m in self.mergers} | {m.acquirer for m in self.mergers}
        busy |= {s.parent for s in self.spin_offs} | {s.child for s in self.spin_offs}
        busy |= set(self.failures) | {name for a, b, _ in self.pairs for name in (a, b)}
        return np.array([i for i in range(n_names) if i not in busy], np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many of each."""

    members: int
    pairs: int
    spin_offs: int
    cash_mergers: int
    stock_mergers: int
    failures: int
    reverse_splits: int
    ticker_changes: int


def plan(
    sessions: Dates, n_names: int, quiet_from: int, counts: Counts, rng: np.random.Generator
) -> Timetable:
    """A timetable in which nothing but splits happens after session `quiet_from`.

    Names are by falling size on the first day; children and late listings are the last ones.
    """
    n_sessions = sessions.shape[0]
    spare = n_names - counts.members
    late = max(0, (spare - counts.spin_offs) // 4)
    listed = np.zeros(n_names, np.int64)
    children = range(n_names - counts.spin_offs, n_names)
    late_names = range(n_names - counts.spin_offs - late, n_names - counts.spin_offs)
    listed[list(late_names)] = rng.integers(n_sessions // 10, max(quiet_from, n_sessions // 10 + 1), late)

    # Large names pair up, acquire and spin off; middling ones are bought, small ones fail.
    middle, tail = counts.members // 4, counts.members
    large = iter(rng.permutation(np.arange(2, middle)).tolist())
    mid = iter(rng.permutation(np.arange(middle, tail)).tolist())
    pairs = tuple((next(large), next(large), 10.0 if number == 0 else 1.0) for number in range(counts.pairs))
    n_mergers = counts.cash_mergers + counts.stock_mergers
    first_ex = min(_ANNOUNCED_BEFORE + _DECLINE // 2, quiet_from // 3)
    when = iter(_apart(first_ex, quiet_from, n_mergers + counts.spin_offs + counts.failures, rng))
    last = np.full(n_names, NEVER, np.int64)
    mergers, spin_offs = [], []
    for child in children:
        ex = next(when)
        listed[child] = ex
        spin_offs.append(SpinOff(next(large), child, ex, float(rng.choice([0.25, 0.5, 1.0])), 0.2))
    for number in range(n_mergers):
        ex = next(when)
        acquirer = next(large) if number < counts.stock_mergers else -1
        mergers.append(Merger(next(mid), acquirer, max(ex - _ANNOUNCED_BEFORE, 1), ex))
        last[mergers[-1].target] = ex - 1
    failures = tuple(next(mid) for _ in range(counts.failures))
    for failure in failures:
        last[failure] = next(when) - 1
    changes = tuple(
        (next(mid), int(rng.integers(1, max(quiet_from, 2)))) for _ in range(counts.ticker_changes)
    )
    return Timetable(
        listed_ix=listed,
        last_ix=last,
        mergers=tuple(mergers),
        spin_offs=tuple(spin_offs),
        failures=failures,
        fall_sessions=_DECLINE,
        reverse_split_ix=np.sort(
            rng.integers(quiet_from // 2, max(quiet_from, quiet_from // 2 + 1), counts.reverse_splits)
        ),
        ticker_changes=changes,
        pairs=pairs,
        index_dates=_after_third_fridays(sessions),
    )


def _apart(first: int, stop: int, n: int, rng: np.random.Generator) -> list[int]:
    """`n` different sessions in [first, stop), in random order."""
    chosen: list[int] = rng.choice(np.arange(first, stop), n, replace=False).tolist()
    return chosen


def _after_third_fridays(sessions: Dates) -> frozenset[int]:
    """The first session after the third Friday of March, June, September and December."""
    months = np.unique(sessions.astype("M8[M]"))
    quarter_ends = months[months.astype(np.int64) % 3 == 2]
    firsts = quarter_ends.astype("M8[D]")
    to_friday = (4 - (firsts.astype(np.int64) + 3) % 7) % 7  # 1970-01-01 was a Thursday
    third_fridays = firsts + to_friday + 14
    after = np.searchsorted(sessions, third_fridays, "right")
    return frozenset(int(ix) for ix in after if 0 < ix < sessions.shape[0])
