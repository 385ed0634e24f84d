"""The sample market keeps the promises of docs/concepts/sample-world.md."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.errors import DataError, UsageError
from allotment.market.calendar import sessions_between
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import WeightKind
from allotment.market.security import IdentifierKind
from allotment.simulate.world.cutoff import cutoff_ix
from allotment.simulate.world.index_level import index_level
from allotment.simulate.world.market import MarketPolicy, make_market

SMALL = MarketPolicy(
    first=date(2022, 6, 1),
    last=date(2024, 3, 28),
    n_names=80,
    n_members=50,
    share_class_pairs=1,
    spin_offs=1,
    cash_mergers=1,
    stock_mergers=1,
)


@pytest.fixture(scope="module")
def market() -> MarketHistory:
    return make_market(MarketPolicy(), 7)


def test_six_years_of_the_exchanges_sessions(market: MarketHistory) -> None:
    days = sessions_between(date(2019, 1, 2), date(2024, 12, 31))
    assert market.prices.sessions.tolist() == days.tolist()
    assert market.prices.close_micros.shape == (1510, 600)


def test_the_crash_is_the_one_asked_for(market: MarketHistory) -> None:
    """34 % in 23 sessions, no deeper fall at any time, recovery in part within half a year."""
    level = index_level(market, "US500")
    fall = level / np.maximum.accumulate(level) - 1.0
    trough = int(np.argmin(fall))
    peak = int(np.argmax(level[: trough + 1]))
    assert trough - peak == 23
    assert fall[trough] == pytest.approx(-0.34, abs=2e-4)
    assert level[trough] * 1.15 < level[trough + 120] < level[peak]


def test_adjusted_returns_follow_from_closes_and_actions(market: MarketHistory) -> None:
    """(close + cash + spun-off value) × ratio ÷ close before = adjusted ÷ adjusted before."""
    error = np.abs(_gross_from_actions(market) - 1.0 - market.prices.returns())
    assert np.nanmax(error) < 1e-9


def test_prices_are_whole_cents_and_missing_together(market: MarketHistory) -> None:
    close = market.prices.close_micros
    assert not np.any(close % 10_000)
    priced = close > 0
    assert np.array_equal(priced, ~np.isnan(market.prices.adjusted_usd))
    assert np.array_equal(priced, ~np.isnan(market.market_cap_usd))
    assert np.array_equal(priced, market.prices.volume > 0)


def test_index_weights(market: MarketHistory) -> None:
    """Each file: 500 priced members, by capitalisation, sum one. Every month-end has one, and
    so has the last session."""
    days = market.prices.sessions
    for weights in market.index_weights:
        row = int(np.searchsorted(days, np.datetime64(weights.session, "D")))
        columns = weights.security_ids - 1
        cap = market.market_cap_usd[row, columns]
        assert weights.kind is WeightKind.CLOSE
        assert weights.weight.shape == (500,)
        assert weights.weight == pytest.approx(cap / cap.sum())
        assert weights.weight.sum() == pytest.approx(1.0, abs=1e-12)
    months = days.astype("M8[M]")
    month_ends = set(days[:-1][months[1:] != months[:-1]].tolist()) | {days[-1].item()}
    assert month_ends <= {weights.session for weights in market.index_weights}


def test_the_index_changes(market: MarketHistory) -> None:
    """About twelve regular changes a year, and whoever is taken over leaves on the day."""
    members = [set(w.security_ids.tolist()) for w in market.index_weights]
    joined = sum(len(after - before) for before, after in pairwise(members))
    assert 60 <= joined <= 90
    for action in market.actions:
        if action.kind in {ActionKind.CASH_MERGER, ActionKind.STOCK_MERGER, ActionKind.DELISTING}:
            later = [w for w in market.index_weights if w.session >= action.ex_date]
            assert all(action.security_id not in w.security_ids for w in later)


def test_dividends_come_once_a_quarter(market: MarketHistory) -> None:
    days: dict[int, list[date]] = {}
    for action in market.actions:
        if action.kind is ActionKind.CASH_DIVIDEND:
            assert action.amount_usd > 0.0
            days.setdefault(action.security_id, []).append(action.ex_date)
    gaps = [b - a for each in days.values() for a, b in pairwise(each)]
    assert 0.7 * 600 < len(days) < 0.9 * 600
    assert min(gaps) >= timedelta(days=84)
    assert max(gaps) <= timedelta(days=98)


def test_the_usual_kinds_of_action_happen(market: MarketHistory) -> None:
    assert {action.kind for action in market.actions} == {
        ActionKind.SPLIT,
        ActionKind.CASH_DIVIDEND,
        ActionKind.SPIN_OFF,
        ActionKind.STOCK_MERGER,
        ActionKind.CASH_MERGER,
        ActionKind.SYMBOL_CHANGE,
        ActionKind.DELISTING,
    }
    ratios = [a.ratio for a in market.actions if a.kind is ActionKind.SPLIT]
    assert min(ratios) == 0.1
    assert max(ratios) >= 2.0


def test_mergers_pay_what_the_target_was_worth(market: MarketHistory) -> None:
    """Prices end the session before the ex-date; the terms agree with the last close."""
    close = market.prices.close_micros / 1e6
    for action in market.actions:
        if action.kind in {ActionKind.CASH_MERGER, ActionKind.STOCK_MERGER}:
            row = _row(market, action)
            last = close[row - 1, action.security_id - 1]
            assert last > 0.0
            assert not close[row:, action.security_id - 1].any()
            if action.other_security_id is None:
                assert action.amount_usd == last
            else:
                offered = action.ratio * close[row - 1, action.other_security_id - 1]
                assert offered == pytest.approx(last, rel=1e-3)


def test_spun_off_children_trade_from_their_day(market: MarketHistory) -> None:
    close = market.prices.close_micros / 1e6
    for action in market.actions:
        if action.kind is ActionKind.SPIN_OFF:
            assert action.other_security_id is not None
            row, child = _row(market, action), action.other_security_id - 1
            assert not close[:row, child].any()
            assert action.value_usd == pytest.approx(action.ratio * close[row, child])


def test_share_classes_move_together(market: MarketHistory) -> None:
    groups: dict[str, list[int]] = {}
    for security in market.securities:
        if security.group_code:
            groups.setdefault(security.group_code, []).append(security.security_id - 1)
    assert len(groups) == 3
    units = np.array([security.group_units for security in market.securities])
    for first, second in groups.values():
        per_unit = market.prices.close_micros[:, [first, second]] / units[[first, second]]
        assert per_unit[:, 0] == pytest.approx(per_unit[:, 1], rel=0.1)
        assert market.securities[first].issuer == market.securities[second].issuer


def test_every_name_has_one_ticker_and_one_cusip_a_day(market: MarketHistory) -> None:
    """No gap, no overlap, no ticker for two; a changed ticker is the code from its day on."""
    by_kind: dict[tuple[IdentifierKind, int], list[tuple[date, date]]] = {}
    for name in market.identifiers:
        end = name.end or date(2024, 12, 31)
        by_kind.setdefault((name.kind, name.security_id), []).append((name.start, end))
        if name.kind is IdentifierKind.CUSIP:
            assert name.value[-1] == _check_digit(name.value[:8])
        elif name.end is None:
            assert name.value == market.securities[name.security_id - 1].code
    days = market.prices.sessions
    for (_, security_id), spans in by_kind.items():
        priced = days[market.prices.close_micros[:, security_id - 1] > 0]
        assert spans[0][0] == priced[0].item()
        assert spans[-1][1] == priced[-1].item()
        assert all(b[0] - a[1] == timedelta(days=1) for a, b in pairwise(spans))
    assert len(by_kind) == 2 * 600
    tickers = [name.value for name in market.identifiers if name.kind is IdentifierKind.TICKER]
    assert len(tickers) == len(set(tickers)) == 606


def test_returns_have_fat_tails_and_common_factors(market: MarketHistory) -> None:
    """Excess kurtosis of most names above 1; names of one sector move more together."""
    returns = np.log1p(market.prices.returns())
    whole = returns[:, ~np.isnan(returns).any(axis=0)]
    centred = whole - whole.mean(axis=0)
    kurtosis = (centred**4).mean(axis=0) / (centred**2).mean(axis=0) ** 2 - 3.0
    assert np.median(kurtosis) > 1.0
    sectors = np.array([s.sector for s in market.securities])[~np.isnan(returns).any(axis=0)]
    assert len(set(sectors)) == 11
    correlation = np.corrcoef(whole.T)
    same = sectors[:, None] == sectors[None, :]
    off_diagonal = ~np.eye(len(sectors), dtype=bool)
    assert correlation[same & off_diagonal].mean() > correlation[~same].mean() + 0.05
    assert correlation[~same].mean() > 0.1


def test_flags_and_scores(market: MarketHistory) -> None:
    assert {"fossil_fuel", "tobacco", "esg"} <= set(market.scores)
    for values in market.scores.values():
        assert values.shape == (600,)
    energy = [security.sector == "Energy" for security in market.securities]
    assert market.scores["fossil_fuel"][energy].all()


def test_nothing_a_book_cannot_write_after_its_cutoff(market: MarketHistory) -> None:
    cutoff = market.prices.sessions[cutoff_ix(market.prices.sessions, date(2024, 12, 31))].item()
    assert cutoff == date(2023, 11, 30)
    late = {action.kind for action in market.actions if action.ex_date > cutoff}
    assert late == {ActionKind.CASH_DIVIDEND, ActionKind.SPLIT}


def test_the_seed_decides() -> None:
    first, second, other = make_market(SMALL, 3), make_market(SMALL, 3), make_market(SMALL, 4)
    assert np.array_equal(first.prices.close_micros, second.prices.close_micros)
    assert first.securities == second.securities
    assert first.actions == second.actions
    assert not np.array_equal(first.prices.close_micros, other.prices.close_micros)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), depth=st.sampled_from([0.2, 0.34, 0.5]))
def test_any_seed_crashes_as_asked(seed: int, depth: float) -> None:
    """With fifty names a cent and a changed member weigh more: half a percent is allowed."""
    market = make_market(replace(SMALL, crash_depth=depth), seed)
    level = index_level(market, "US500")
    fall = level / np.maximum.accumulate(level) - 1.0
    assert fall.min() == pytest.approx(-depth, abs=5e-3)
    assert np.nanmax(np.abs(_gross_from_actions(market) - 1.0 - market.prices.returns())) < 1e-9


def test_too_little_room_is_said() -> None:
    with pytest.raises(UsageError, match="too short"):
        make_market(replace(SMALL, first=date(2023, 9, 1)), 1)
    with pytest.raises(UsageError, match="too few"):
        make_market(replace(SMALL, n_names=55), 1)
    with pytest.raises(DataError, match="November"):
        make_market(replace(SMALL, first=date(2024, 1, 2)), 1)


def _gross_from_actions(market: MarketHistory) -> np.ndarray:
    """The identity's left side for each session and name, NaN where a price is missing."""
    close = np.where(market.prices.close_micros > 0, market.prices.close_micros / 1e6, np.nan)
    cash, ratio = np.zeros_like(close), np.ones_like(close)
    for action in market.actions:
        place = _row(market, action), action.security_id - 1
        if action.kind is ActionKind.CASH_DIVIDEND:
            cash[place] += action.amount_usd
        elif action.kind is ActionKind.SPIN_OFF:
            cash[place] += action.value_usd
        elif action.kind is ActionKind.SPLIT:
            ratio[place] *= action.ratio
    return ((close + cash) * ratio)[1:] / close[:-1]


def _row(market: MarketHistory, action: CorporateAction) -> int:
    return int(np.searchsorted(market.prices.sessions, np.datetime64(action.ex_date, "D")))


def _check_digit(digits: str) -> str:
    """Every second digit doubled, the digits of all added up, to the next ten."""
    doubled = "".join(str(int(d) * (1 + place % 2)) for place, d in enumerate(digits))
    return str(-sum(map(int, doubled)) % 10)
