"""A sample market: prices, dividends, corporate actions and an index, made from a seed.

Nothing in it is a real company. What it has of a real market and what it has not:
docs/concepts/sample-world.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from allotment.errors import UsageError
from allotment.market.calendar import sessions_between
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.market.prices import PriceHistory
from allotment.market.security import Identifier, IdentifierKind, Security
from allotment.simulate.world.companies import Companies, cusip, invent_companies, other_tickers
from allotment.simulate.world.cutoff import cutoff_ix
from allotment.simulate.world.exchange import Exchange
from allotment.simulate.world.returns import draw_index, draw_names
from allotment.simulate.world.timetable import Counts, Timetable, plan
from allotment.units import MICROS_PER_USD, Dates, Floats, Ints

_QUIET_SESSIONS = 45  # before a book's cutoff: settled and out of the wash-sale window
_SHARE_PAYING = 0.8
_LARGEST_AT_START = 0.03  # of all names together; years of luck may triple it


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPolicy:
    """What the market looks like. Counts are of the whole period."""

    first: date = date(2019, 1, 2)
    last: date = date(2024, 12, 31)
    n_names: int = 600
    n_members: int = 500
    index_code: str = "US500"
    crash_depth: float = 0.34  # peak to trough of the index, total return
    crash_sessions: int = 23
    crash_start: float = 0.25  # of the period
    changes_per_year: int = 12  # regular additions, each with its deletion
    share_class_pairs: int = 3
    spin_offs: int = 2
    cash_mergers: int = 4
    stock_mergers: int = 2
    failures: int = 1  # delisted after a long fall
    reverse_splits: int = 1
    ticker_changes: int = 6
    market_return: float = 0.08  # annual and logarithmic, outside crash and recovery


def make_market(policy: MarketPolicy, seed: int) -> MarketHistory:
    """A market of `policy.n_names` securities; the same seed gives the same market.

    Index weights come with kind CLOSE at the first session, at each month-end, at each session
    with an addition or a deletion, and at the last session. For every name and session
    (close_t + cash_t + spin_value_t) × ratio_t / close_(t−1) equals adjusted_t / adjusted_(t−1).
    Spin-offs, mergers, delistings and ticker changes lie before the books' cutoff. Raises
    UsageError for a period or a universe too small for what is asked.
    """
    sessions = sessions_between(policy.first, policy.last)
    quiet_from = cutoff_ix(sessions, policy.last) - _QUIET_SESSIONS
    _check(policy, sessions, quiet_from)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x6D61726B]))
    companies = invent_companies(policy.n_names, rng)
    counts = Counts(
        members=policy.n_members,
        pairs=policy.share_class_pairs,
        spin_offs=policy.spin_offs,
        cash_mergers=policy.cash_mergers,
        stock_mergers=policy.stock_mergers,
        failures=policy.failures,
        reverse_splits=policy.reverse_splits,
        ticker_changes=policy.ticker_changes,
    )
    timetable = plan(sessions, policy.n_names, quiet_from, counts, rng)
    companies = companies.with_pairs([(first, second) for first, second, _ in timetable.pairs])
    exchange = _open_exchange(policy, sessions, companies, timetable, rng)
    exchange.run()
    prices = PriceHistory(
        sessions=sessions,
        security_ids=np.arange(1, policy.n_names + 1),
        close_micros=np.rint(exchange.close_usd * MICROS_PER_USD).astype(np.int64),
        adjusted_usd=_adjusted(exchange),
        volume=_volume(exchange, rng),
    )
    tickers = _Tickers(companies, timetable, sessions)
    return MarketHistory(
        securities=tuple(_security(i, companies, timetable, tickers) for i in range(policy.n_names)),
        identifiers=tickers.identifiers(prices),
        prices=prices,
        market_cap_usd=exchange.cap_usd,
        actions=tuple(
            sorted([*exchange.actions, *tickers.changes()], key=lambda a: (a.ex_date, a.security_id))
        ),
        index_weights=_index_weights(policy.index_code, exchange),
        scores={**companies.flags, "esg": companies.esg},
    )


def _check(policy: MarketPolicy, sessions: Dates, quiet_from: int) -> None:
    planned = policy.spin_offs + policy.cash_mergers + policy.stock_mergers + policy.failures
    trough = int(sessions.size * policy.crash_start) + policy.crash_sessions
    if quiet_from < 3 * planned + 30 or trough + 20 > sessions.size:
        raise UsageError(
            f"{policy.first} to {policy.last} is too short: the market needs a crash and "
            f"{planned} corporate actions well before the November of the year before its end."
        )
    large = 2 * policy.share_class_pairs + policy.spin_offs + policy.stock_mergers + 2
    spare = policy.n_names - policy.n_members
    if policy.n_members // 4 < large or spare < 2 * planned + policy.changes_per_year // 4 + 2:
        raise UsageError(
            f"{policy.n_names} names with {policy.n_members} members are too few for {planned} corporate "
            f"actions and {policy.share_class_pairs} pairs of share classes."
        )


def _open_exchange(
    policy: MarketPolicy,
    sessions: Dates,
    companies: Companies,
    timetable: Timetable,
    rng: np.random.Generator,
) -> Exchange:
    n = policy.n_names
    index_log, calm = draw_index(
        sessions.size,
        int(sessions.size * policy.crash_start),
        policy.crash_sessions,
        policy.crash_depth,
        policy.market_return,
        rng,
    )
    returns = draw_names(index_log, calm, _codes(companies.sectors), _codes(companies.industries), rng)
    start_usd = np.clip(75.0 * np.exp(0.6 * rng.standard_normal(n)), 12.0, 420.0)
    start_usd[timetable.untouched(n)[0]] = 520.0  # dear enough for at least one split
    pays = rng.random(n) < _SHARE_PAYING
    annual_yield = np.where(pays, np.clip(0.02 * np.exp(0.5 * rng.standard_normal(n)), 0.004, 0.06), 0.0)
    pay_month, pay_day = rng.integers(0, 3, n), rng.integers(3, 25, n)
    for a, b, units in timetable.pairs:
        start_usd[b] = min(start_usd[b], 40.0)
        start_usd[a] = 1.02 * units * start_usd[b]
        annual_yield[b], pay_month[b], pay_day[b] = annual_yield[a], pay_month[a], pay_day[a]
    cap_usd = 22e9 * np.sort(np.exp(1.15 * rng.standard_normal(n)))[::-1]
    cap_usd = np.minimum(cap_usd, _LARGEST_AT_START * cap_usd.sum())
    return Exchange(
        sessions=sessions,
        returns=returns,
        timetable=timetable,
        n_members=policy.n_members,
        changes_per_quarter=policy.changes_per_year // 4,
        start_usd=start_usd,
        shares=np.rint(cap_usd / start_usd),
        annual_yield=annual_yield,
        pay_month=pay_month,
        pay_day=pay_day,
    )


def _codes(labels: tuple[str, ...]) -> Ints:
    codes: Ints = np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64)
    return codes


def _adjusted(exchange: Exchange) -> Floats:
    """Total-return adjusted closes, equal to the close on each name's last session."""
    close, gross = exchange.close_usd, exchange.gross
    n_sessions = close.shape[0]
    last = np.minimum(exchange.timetable.last_ix, n_sessions - 1)
    growth = np.cumprod(gross, axis=0)
    columns = np.arange(close.shape[1])
    adjusted: Floats = growth * (close[last, columns] / growth[last, columns])
    adjusted[close == 0.0] = np.nan
    return adjusted


def _volume(exchange: Exchange, rng: np.random.Generator) -> Floats:
    """Shares traded: more on days that move, more in companies that trade a lot."""
    close = exchange.close_usd
    outstanding = np.nan_to_num(exchange.cap_usd) / np.where(close > 0.0, close, 1.0)
    habit = 0.006 * np.exp(0.4 * rng.standard_normal(close.shape[1]))
    excitement = 1.0 + 25.0 * np.abs(np.log(exchange.gross))
    volume: Floats = np.rint(
        outstanding * habit * excitement * np.exp(0.3 * rng.standard_normal(close.shape))
    )
    return volume


def _index_weights(index_code: str, exchange: Exchange) -> tuple[IndexWeights, ...]:
    sessions = exchange.sessions
    months = sessions.astype("M8[M]")
    is_month_end = np.append(months[1:] != months[:-1], True)
    wanted = sorted({0, *np.flatnonzero(is_month_end).tolist(), *exchange.changed})
    weights = []
    for t in wanted:
        members = np.flatnonzero(exchange.member[t])
        cap = exchange.cap_usd[t, members]
        weights.append(
            IndexWeights(
                index_code=index_code,
                session=date.fromisoformat(str(sessions[t])),
                kind=WeightKind.CLOSE,
                version=1,
                security_ids=members + 1,
                weight=cap / cap.sum(),
            )
        )
    return tuple(weights)


class _Tickers:
    """Who is called what, from when to when. A company's last ticker is also its code."""

    def __init__(self, companies: Companies, timetable: Timetable, sessions: Dates) -> None:
        self.first = list(companies.tickers)
        self._sessions = sessions
        for a, b, _ in timetable.pairs:
            self.first[b], self.first[a] = f"{self.first[a]}.B", f"{self.first[a]}.A"
        changing = [name for name, _ in timetable.ticker_changes]
        fresh = other_tickers(companies.tickers, tuple(companies.names[name].split()[0] for name in changing))
        self._changed = {
            name: (fresh[k], date.fromisoformat(str(sessions[ix])))
            for k, (name, ix) in enumerate(timetable.ticker_changes)
        }

    def last(self, name: int) -> str:
        return self._changed[name][0] if name in self._changed else self.first[name]

    def changes(self) -> list[CorporateAction]:
        return [
            CorporateAction(
                security_id=name + 1,
                ex_date=day,
                kind=ActionKind.SYMBOL_CHANGE,
                note=f"{self.first[name]} becomes {ticker}",
            )
            for name, (ticker, day) in self._changed.items()
        ]

    def identifiers(self, prices: PriceHistory) -> tuple[Identifier, ...]:
        """Tickers and CUSIPs of all names, while they trade."""
        found = []
        for name in range(len(self.first)):
            priced = np.flatnonzero(prices.close_micros[:, name])
            start = date.fromisoformat(str(self._sessions[priced[0]]))
            final = date.fromisoformat(str(self._sessions[priced[-1]]))
            end = None if priced[-1] == self._sessions.size - 1 else final
            ticker, security_id = IdentifierKind.TICKER, name + 1
            if name in self._changed:
                fresh, day = self._changed[name]
                before = day - timedelta(days=1)
                found.append(
                    Identifier(
                        security_id=security_id, kind=ticker, value=self.first[name], start=start, end=before
                    )
                )
                found.append(
                    Identifier(security_id=security_id, kind=ticker, value=fresh, start=day, end=end)
                )
            else:
                found.append(
                    Identifier(
                        security_id=security_id, kind=ticker, value=self.first[name], start=start, end=end
                    )
                )
            found.append(
                Identifier(
                    security_id=security_id,
                    kind=IdentifierKind.CUSIP,
                    value=cusip(security_id),
                    start=start,
                    end=end,
                )
            )
        return tuple(found)


def _security(i: int, companies: Companies, timetable: Timetable, tickers: _Tickers) -> Security:
    pair = next((p for p in timetable.pairs if i in p[:2]), None)
    letter = "" if pair is None else " Class A" if i == pair[0] else " Class B"
    return Security(
        security_id=i + 1,
        code=tickers.last(i),
        name=companies.names[i] + letter,
        sector=companies.sectors[i],
        industry=companies.industries[i],
        issuer=companies.names[i],
        group_code="" if pair is None else companies.tickers[pair[0]],
        group_units=1.0 if pair is None or i != pair[0] else pair[2],
    )
