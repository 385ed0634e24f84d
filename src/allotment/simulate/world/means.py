"""The money of the sample clients: what they open with, bring in kind, add and take out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.market.history import MarketHistory
from allotment.simulate.world.people import People
from allotment.simulate.world.plans import FLOW, LEGACY
from allotment.simulate.world.tape import Records, Tape
from allotment.units import NANO_PER_SHARE, Bools, Floats, Index, Ints

_LEGACY_WEIGHT_MAX = 0.04  # of one name brought in kind, an executive's own apart
_BEFORE_HISTORY_GROWTH = 0.08  # a year, for lots older than the prices
_BEFORE_HISTORY_NOISE = 0.30
_YEAR = 252.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """Rows are grouped by account; the `…_start` columns have shape (n_accounts + 1,)."""

    flow_start: Ints
    flows: Records  # of plans.FLOW
    legacy_start: Ints
    legacy: Records  # of plans.LEGACY


def draw_kept(
    people: People, taxable: Bools, members: Ints, share: float, tape: Tape, rng: np.random.Generator
) -> Index:
    """The column of each executive's employer, -1 for everybody else, shape (n_accounts,)."""
    n_accounts = len(people.accounts)
    is_executive = taxable & (rng.random(n_accounts) < share)
    if share > 0.0 and not is_executive.any() and taxable.any():
        is_executive[int(np.flatnonzero(taxable)[0])] = True
    employers = rng.choice(members, n_accounts)
    is_priced = tape.price_micros[people.opened_ix, employers] > 0
    return np.where(is_executive & is_priced, employers, -1).astype(np.int32)


def draw_means(
    market: MarketHistory,
    tape: Tape,
    people: People,
    kept: Index,
    index_growth: Floats,
    share_with_legacy: float,
    share_of_executives_kept: tuple[float, float],
    rng: np.random.Generator,
) -> Means:
    """Openings, deposits, withdrawals and legacy lots of all accounts.

    index_growth: growth of the index from each session to the last, shape (T,).
    share_of_executives_kept: weight of an executive's own name at opening, from and to.
    """
    drawer = _LotDrawer(market, tape, rng)
    flows: list[list[tuple[int, int]]] = []
    legacy: list[list[tuple[int, int, int, int]]] = []
    for place, opened in enumerate(people.opened_ix.tolist()):
        opening_usd = 0.85 * people.size_usd[place] / index_growth[opened]
        weights: list[tuple[int, float]] = []
        if kept[place] >= 0:
            weights.append((int(kept[place]), float(rng.uniform(*share_of_executives_kept))))
        if rng.random() < share_with_legacy:
            weights.extend(drawer.legacy_weights(opened, int(kept[place])))
        lots: list[tuple[int, int, int, int]] = []
        for sec, weight in weights:
            n_lots = int(rng.integers(6, 25)) if sec == kept[place] else int(rng.integers(1, 5))
            lots.extend(drawer.lots(sec, weight * opening_usd, opened, n_lots))
        legacy.append(lots)
        in_kind_usd = sum(quantity * 1e-15 * tape.price_micros[opened, sec] for sec, quantity, _, _ in lots)
        cash_usd = max(opening_usd - in_kind_usd, 0.02 * opening_usd)
        flows.append(
            [(opened, _round_cents(cash_usd)), *_later_flows(opened, opening_usd, index_growth, rng)]
        )
    return Means(
        flow_start=_starts(flows),
        flows=np.array([row for rows in flows for row in rows], FLOW),
        legacy_start=_starts(legacy),
        legacy=np.array([row for rows in legacy for row in rows], LEGACY),
    )


def _later_flows(
    opened: int, opening_usd: float, index_growth: Floats, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Deposits now and then, savings month by month, or an income drawn each quarter."""
    final = index_growth.shape[0] - 1
    years = (final - opened) / _YEAR
    habit = rng.random()
    rows: list[tuple[int, float]] = []
    if habit < 0.18:
        rows = [(t, -rng.uniform(0.006, 0.014)) for t in range(opened + 63, final, 63)]
    elif habit < 0.28:
        monthly = rng.uniform(0.003, 0.01)
        rows = [(t, monthly) for t in range(opened + 21, final, 21)]
    elif final > opened + 5:
        when = rng.integers(opened + 5, final, int(rng.poisson(1.1 * years)))
        rows = [(int(t), float(np.exp(rng.uniform(np.log(0.005), np.log(0.10))))) for t in np.sort(when)]
    if habit > 0.94 and final > opened + 10:
        rows.append((final - int(rng.integers(0, 5)), rng.uniform(0.03, 0.15)))
    grown = index_growth[opened] / index_growth
    amounts = [(t, _round_cents(share * opening_usd * float(grown[t]))) for t, share in rows]
    return sorted(row for row in amounts if row[1] != 0)


def _round_cents(usd: float) -> int:
    """Whole hundreds of dollars, as people move them, in cents."""
    return round(usd / 100.0) * 10_000


def _starts(rows: list[list[tuple[int, int]]] | list[list[tuple[int, int, int, int]]]) -> Ints:
    return np.concatenate([[0], np.cumsum([len(each) for each in rows])]).astype(np.int64)


class _LotDrawer:
    """Lots that were bought before the account came here, at the price of their day."""

    def __init__(self, market: MarketHistory, tape: Tape, rng: np.random.Generator) -> None:
        self._adjusted = market.prices.adjusted_usd
        self._tape = tape
        self._rng = rng

    def legacy_weights(self, opened: int, kept: int) -> list[tuple[int, float]]:
        """Some names of the index of that day, five to forty, with their weights."""
        tape, rng = self._tape, self._rng
        weight = tape.bench[max(int(tape.sessions["bench_row"][opened]), 0)]
        candidates = np.flatnonzero((weight > 0.0) & tape.trades[opened])
        candidates = candidates[candidates != kept]
        n = min(int(rng.integers(5, 41)), candidates.size)
        names = rng.choice(candidates, n, replace=False, p=weight[candidates] / weight[candidates].sum())
        sizes = np.minimum(rng.uniform(0.2, 0.6) * rng.dirichlet(np.full(n, 2.0)), _LEGACY_WEIGHT_MAX)
        return list(zip(names.tolist(), sizes.tolist(), strict=True))

    def lots(self, sec: int, value_usd: float, opened: int, n_lots: int) -> list[tuple[int, int, int, int]]:
        """(column, quantity, basis, day acquired) of up to `n_lots` lots of whole shares."""
        tape, rng = self._tape, self._rng
        price_usd = tape.price_micros[opened, sec] / 1e6
        made = []
        for share in rng.dirichlet(np.full(n_lots, 3.0)):
            quantity = int(share * value_usd / price_usd) * NANO_PER_SHARE
            if quantity == 0:
                continue
            age_days = int(rng.integers(40, 4_500))
            acquired = int(tape.sessions["day"][opened]) - age_days
            growth = self._growth(sec, acquired, opened)
            basis = max(1, round(quantity * 1e-9 * price_usd / growth * 100.0))
            made.append((sec, quantity, basis, acquired))
        return made

    def _growth(self, sec: int, acquired: int, opened: int) -> float:
        """Growth of a share, adjusted for all that happened to it, since it was acquired."""
        tape, rng = self._tape, self._rng
        t = int(np.searchsorted(tape.sessions["day"][: opened + 1], acquired, "left"))
        first = int(np.argmax(tape.trades[:, sec]))
        known = float(self._adjusted[opened, sec] / self._adjusted[max(t, first), sec])
        years = max(int(tape.sessions["day"][first]) - acquired, 0) / 365.25
        drawn = _BEFORE_HISTORY_GROWTH * years
        drawn += _BEFORE_HISTORY_NOISE * np.sqrt(years) * rng.standard_normal()
        growth = known * float(np.exp(drawn))
        return growth if np.isfinite(growth) and growth > 0.02 else 1.0
