"""The sample book: its events fold into the lots and cash that its generator ended with."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from allotment.book.household import AccountKind
from allotment.book.lots import Lots
from allotment.book.mandate import RestrictionKind
from allotment.errors import DataError, UsageError
from allotment.ledger.events import AccountTable, EventKind
from allotment.ledger.fold import BookState, fold
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.simulate.world.book import BookPolicy, SampleBook, make_book
from allotment.simulate.world.market import MarketPolicy, make_market
from allotment.tax.identical import IdenticalGroups

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
IN = (EventKind.OPENING_CASH, EventKind.DEPOSIT, EventKind.DIVIDEND, EventKind.SELL)
OUT = (EventKind.WITHDRAWAL, EventKind.BUY)
DATA = Path(os.environ.get("ALLOTMENT_TEST_DATA", Path(__file__).parents[3] / "../shared/data"))


@pytest.fixture(scope="module")
def market() -> MarketHistory:
    return make_market(MarketPolicy(), 7)


@pytest.fixture(scope="module")
def small() -> MarketHistory:
    return make_market(SMALL, 5)


@pytest.fixture(scope="module")
def book(market: MarketHistory) -> SampleBook:
    return make_book(market, BookPolicy(accounts=120), 1)


@pytest.fixture(scope="module")
def state(market: MarketHistory, book: SampleBook) -> BookState:
    return _fold(market, book)


def test_the_fold_ends_where_the_generator_ended(book: SampleBook, state: BookState) -> None:
    """To the share and the cent, in both views."""
    assert state.problems == ()
    assert np.array_equal(state.cash_cents, book.cash_cents)
    assert _by_lot(state.taxpayer.lots) == _by_lot(state.broker.lots) == _by_lot(book.lots)


def test_cash_is_conserved(book: SampleBook) -> None:
    """What came in less what went out, account by account, without the ledger's help."""
    events = book.events
    sign = np.isin(events.kind, IN).astype(np.int64) - np.isin(events.kind, OUT)
    left = np.zeros(len(book.accounts), np.int64)
    np.add.at(left, events.account_id - 1, sign * events.amount_cents)
    assert np.array_equal(left, book.cash_cents)
    assert book.cash_cents.min() >= 0


def test_shares_are_conserved(book: SampleBook) -> None:
    """Brought + bought − sold = held, for the names that did not split."""
    events = book.events
    split = np.unique(events.security_id[events.kind == EventKind.SPLIT])
    size = len(book.accounts) + 1, 601
    held = np.zeros(size, np.int64)
    bringer = np.repeat(events.account_id, np.diff(events.lots_start))
    np.add.at(held, (bringer, events.lots.security_id), events.lots.quantity_nano)
    sign = (events.kind == EventKind.BUY).astype(np.int64) - (events.kind == EventKind.SELL)
    np.add.at(held, (events.account_id, events.security_id), sign * events.quantity_nano)
    kept = np.zeros(size, np.int64)
    np.add.at(kept, (book.lots.account_ix + 1, book.lots.security_id), book.lots.quantity_nano)
    whole = np.setdiff1d(np.arange(1, 601), split)
    assert split.size > 0
    assert np.array_equal(held[:, whole], kept[:, whole])


def test_trades_are_made_at_the_close(market: MarketHistory, book: SampleBook) -> None:
    events = book.events
    trades = np.flatnonzero(np.isin(events.kind, (EventKind.BUY, EventKind.SELL)))
    rows = np.searchsorted(market.prices.sessions, events.effective[trades])
    assert np.array_equal(market.prices.sessions[rows], events.effective[trades])
    assert (events.settles[trades] > events.effective[trades]).all()
    micros = market.prices.close_micros[rows, events.security_id[trades] - 1]
    for event, price in zip(trades.tolist(), micros.tolist(), strict=True):
        exact = int(events.quantity_nano[event]) * price
        assert abs(int(events.amount_cents[event]) * 10**13 - exact) * 2 <= 10**13


def test_no_loss_is_washed(market: MarketHistory, book: SampleBook, state: BookState) -> None:
    """§1091, told by the fold and counted by hand: within 30 days of a loss nobody in the
    household buys the name or its other share class."""
    assert len(state.taxpayer.links) == 0
    groups = IdenticalGroups.of_securities(market.securities).group_ix
    events, sold = book.events, state.taxpayer.disposals
    households = np.array([account.household_id for account in book.accounts])
    losses = {
        (int(households[account]), int(groups[security - 1]), day)
        for account, security, day, proceeds, basis in zip(
            sold.account_ix, sold.security_id, sold.day, sold.proceeds_cents, sold.basis_cents, strict=True
        )
        if proceeds < basis
    }
    assert len(losses) > 500
    bought: dict[tuple[int, int], list[np.datetime64]] = {}
    for event in np.flatnonzero(events.kind == EventKind.BUY):
        key = int(events.household_id[event]), int(groups[events.security_id[event] - 1])
        bought.setdefault(key, []).append(events.effective[event])
    for household, group, day in losses:
        days = np.array(bought.get((household, group), []), "M8[D]")
        assert not np.any(np.abs((days - day).astype(np.int64)) <= 30)


def test_whole_shares_stay_whole(book: SampleBook) -> None:
    steps = {venue.code: venue.share_step_nano for venue in book.venues}
    step = np.array([steps[account.venue_code] for account in book.accounts])
    assert set(step.tolist()) == {1_000, 1_000_000_000}
    is_whole = step == 1_000_000_000
    assert not np.any(book.lots.quantity_nano[is_whole[book.lots.account_ix]] % 1_000_000_000)
    assert np.any(book.lots.quantity_nano[~is_whole[book.lots.account_ix]] % 1_000_000_000)


def test_accounts_look_like_accounts(market: MarketHistory, book: SampleBook) -> None:
    """Hundreds of lots of many ages, little cash in most, losses to harvest in many."""
    lots, n = book.lots, len(book.accounts)
    counts = np.bincount(lots.account_ix, minlength=n)
    assert 200 <= np.median(counts) <= 900
    assert counts.max() <= 2_000
    value = lots.quantity_nano * 1e-15 * market.prices.close_micros[-1, lots.security_id - 1]
    account_usd = np.bincount(lots.account_ix, value, n) + book.cash_cents / 100
    assert account_usd.min() > 15_000
    assert account_usd.max() < 40e6
    assert 100e3 < np.median(account_usd) < 2e6
    cash_weight = book.cash_cents / 100 / account_usd
    assert np.median(cash_weight) < 0.02
    assert cash_weight.max() > 0.05
    losses = np.bincount(lots.account_ix, np.maximum(lots.basis_cents / 100 - value, 0.0), n)
    assert np.mean(losses > 0.01 * account_usd) > 0.25
    age_days = (np.datetime64(book.asof) - lots.acquired).astype(np.int64)
    assert np.percentile(age_days, 5) < 200
    assert np.percentile(age_days, 75) > 1_000
    recent = (book.events.kind == EventKind.SELL) & (book.events.effective > np.datetime64("2024-12-01"))
    assert recent.any()


def test_tables_refer_to_one_another(market: MarketHistory, book: SampleBook) -> None:
    assert [h.household_id for h in book.households] == list(range(1, len(book.households) + 1))
    assert [t.taxpayer_id for t in book.taxpayers] == list(range(1, len(book.taxpayers) + 1))
    assert [a.account_id for a in book.accounts] == list(range(1, 121))
    assert [s.account_id for s in book.sleeves] == list(range(1, 121))
    assert [m.account_id for m in book.mandates] == list(range(1, 121))
    household_of = {t.taxpayer_id: t.household_id for t in book.taxpayers}
    sizes = np.bincount([a.household_id for a in book.accounts])[1:]
    assert sizes.min() >= 1
    assert sizes.max() == 4
    assert {a.kind for a in book.accounts} == set(AccountKind)
    for account in book.accounts:
        assert household_of[account.taxpayer_id] == account.household_id
        assert account.opened <= book.asof
    for taxpayer in book.taxpayers:
        assert 0.0 < taxpayer.long_rate < taxpayer.short_rate < 0.6
    assert len({t.state for t in book.taxpayers}) > 5


def test_wishes_mean_something_in_this_market(market: MarketHistory, book: SampleBook) -> None:
    sectors = {security.sector for security in market.securities}
    exposures = {"momentum", "volatility", "size", "beta", "dividend_yield"}
    screened = [m for m in book.mandates if m.excluded_sectors or m.excluded_flags or m.excluded_industries]
    assert 0.1 < len(screened) / 120 < 0.5
    for mandate in book.mandates:
        assert mandate.benchmark == (("US500", 1.0),)
        assert set(mandate.excluded_sectors) <= sectors
        assert all(market.scores[flag].max() == 1.0 for flag in mandate.excluded_flags)
        assert {tilt.score for tilt in mandate.tilts} <= exposures | {"esg"}
        assert all(1 <= r.security_id <= 600 for r in mandate.restrictions)
    # A wish as old as the account was kept; a new one may still be broken.
    for place, mandate in enumerate(book.mandates):
        if mandate.excluded_sectors and mandate.effective == book.accounts[place].opened < book.cutoff:
            bought = (book.events.account_id == place + 1) & (book.events.kind == EventKind.BUY)
            names = np.unique(book.events.security_id[bought])
            assert all(market.securities[i - 1].sector not in mandate.excluded_sectors for i in names)


def test_an_executive_keeps_the_employers_shares(market: MarketHistory) -> None:
    """Every taxable account is an executive's here; most still have a tenth in the one name."""
    made = make_book(market, BookPolicy(accounts=40, share_of_executives=1.0, share_with_legacy=0.0), 2)
    value = made.lots.quantity_nano * 1e-15 * market.prices.close_micros[-1, made.lots.security_id - 1]
    total = np.bincount(made.lots.account_ix, value, 40)
    heavy = 0
    for place, mandate in enumerate(made.mandates):
        kinds = {r.security_id: r.kind for r in mandate.restrictions if mandate.name_active_max == 1.0}
        for security_id, kind in kinds.items():
            if kind not in {RestrictionKind.HOLD, RestrictionKind.NO_BUY}:
                continue
            own = (made.lots.account_ix == place) & (made.lots.security_id == security_id)
            heavy += bool(value[own].sum() > 0.1 * total[place])
    assert heavy >= 13


def test_the_seed_decides_and_threads_do_not(small: MarketHistory) -> None:
    policy = BookPolicy(accounts=90)
    first, again = make_book(small, policy, 3), make_book(small, policy, 3, threads=2)
    other = make_book(small, policy, 4)
    assert _digest(first) == _digest(again) != _digest(other)
    assert first.accounts == again.accounts
    assert first.mandates == again.mandates


def test_machine_code_and_python_agree(small: MarketHistory) -> None:
    """The rule without the compiler, in a process of its own, gives the same bits."""
    script = (
        "import importlib.util as u\n"
        f"spec = u.spec_from_file_location('cases', {str(Path(__file__))!r})\n"
        "cases = u.module_from_spec(spec); spec.loader.exec_module(cases)\n"
        "market = cases.make_market(cases.SMALL, 5)\n"
        "print(cases._digest(cases.make_book(market, cases.BookPolicy(accounts=12), 8)))\n"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    plain = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert plain.stdout.strip() == _digest(make_book(small, BookPolicy(accounts=12), 8))


def test_a_name_that_will_need_more_than_the_book_can_write_is_never_held(small: MarketHistory) -> None:
    """A spin-off, a merger or an uneven split after the cutoff: on real prices they happen."""
    largest = small.index_weights[-1].security_ids[np.argsort(-small.index_weights[-1].weight)[:3]]
    kinds = [(ActionKind.SPIN_OFF, 0.5), (ActionKind.MIXED_MERGER, 1.0), (ActionKind.SPLIT, 1.5)]
    late = tuple(
        CorporateAction(security_id=int(i), ex_date=date(2024, 3, 20), kind=kind, ratio=ratio, value_usd=1.0)
        for i, (kind, ratio) in zip(largest, kinds, strict=True)
    )
    made = make_book(replace(small, actions=small.actions + late), BookPolicy(accounts=40), 1)
    for ids in (made.lots.security_id, made.events.security_id, made.events.lots.security_id):
        assert not np.isin(largest, ids).any()


def test_a_name_that_stops_trading_is_sold_at_its_last_close(small: MarketHistory) -> None:
    """Real files do not always say why."""
    last = 430
    name = int(small.index_weights[-1].security_ids[int(np.argmax(small.index_weights[-1].weight))])
    prices = small.prices
    close, adjusted = prices.close_micros.copy(), prices.adjusted_usd.copy()
    close[last + 1 :, name - 1], adjusted[last + 1 :, name - 1] = 0, np.nan
    gone = replace(small, prices=replace(prices, close_micros=close, adjusted_usd=adjusted))
    made = make_book(gone, BookPolicy(accounts=40), 1)
    day = prices.sessions[last]
    sales = (made.events.kind == EventKind.SELL) & (made.events.security_id == name)
    assert (made.events.effective[sales] == day).sum() > 10
    assert name not in made.lots.security_id
    state = _fold(gone, made)
    assert state.problems == ()
    assert np.array_equal(state.cash_cents, made.cash_cents)


def test_a_book_of_an_earlier_day(market: MarketHistory) -> None:
    """Mergers and spin-offs then lie between cutoff and day; the fold still agrees."""
    made = make_book(market, BookPolicy(accounts=40), 1, asof=date(2021, 12, 31))
    assert made.cutoff == date(2020, 11, 30)
    assert made.events.effective.max() <= np.datetime64("2021-12-31")
    state = _fold(market, made)
    assert state.problems == ()
    assert np.array_equal(state.cash_cents, made.cash_cents)
    assert _by_lot(state.taxpayer.lots).keys() == _by_lot(made.lots).keys()


def test_what_cannot_be_made_is_said(small: MarketHistory) -> None:
    with pytest.raises(DataError, match="November"):
        make_book(small, BookPolicy(accounts=2), 1, asof=date(2022, 12, 30))
    with pytest.raises(DataError, match="no closing weights"):
        make_book(small, BookPolicy(accounts=2), 1, index_code="US9")
    with pytest.raises(DataError, match="indexes none"):
        make_book(replace(small, index_weights=()), BookPolicy(accounts=2), 1)
    with pytest.raises(UsageError, match="at least one account"):
        make_book(small, BookPolicy(accounts=0), 1)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("first", "last"), [(date(2021, 1, 29), date(2023, 12, 29)), (date(2012, 1, 3), date(2018, 12, 31))]
)
def test_a_book_on_real_prices(first: date, last: date) -> None:
    """Shares and cash agree to the last; basis too, but for what law adds to replacements."""
    if not DATA.is_dir():
        pytest.skip(f"no market history in {DATA}; set ALLOTMENT_TEST_DATA")
    from allotment.feeds.history import read_history

    real = read_history(DATA, first, last)
    made = make_book(real, BookPolicy(accounts=100), 1)
    state = _fold(real, made)
    assert state.problems == ()
    assert np.array_equal(state.cash_cents, made.cash_cents)
    ours, folded = _by_lot(made.lots), _by_lot(state.taxpayer.lots)
    assert {lot: shares for lot, (shares, _) in ours.items()} == {
        lot: shares for lot, (shares, _) in folded.items()
    }
    moved = sum(ours[lot][1] != folded[lot][1] for lot in ours)
    assert moved <= len(state.taxpayer.links)


def _fold(market: MarketHistory, book: SampleBook) -> BookState:
    sleeves = [(s.sleeve_id, s.account_id) for s in book.sleeves]
    table = AccountTable.of_accounts(book.accounts, book.venues, sleeves)
    return fold(book.events, table, IdenticalGroups.of_securities(market.securities))


def _by_lot(lots: Lots) -> dict[tuple[int, int, int, int], tuple[int, int]]:
    """Shares and basis of each lot, its pieces added up."""
    found: dict[tuple[int, int, int, int], tuple[int, int]] = {}
    names = zip(
        lots.account_ix.tolist(),
        lots.security_id.tolist(),
        lots.origin_event.tolist(),
        lots.origin_line.tolist(),
        strict=True,
    )
    for name, shares, basis in zip(
        names, lots.quantity_nano.tolist(), lots.basis_cents.tolist(), strict=True
    ):
        before = found.get(name, (0, 0))
        found[name] = before[0] + shares, before[1] + basis
    return found


def _digest(book: SampleBook) -> str:
    """A hash of everything that was traded."""
    hashed = hashlib.sha256(book.cash_cents.tobytes())
    for part in (book.lots, book.events, book.events.lots):
        for field in fields(part):
            column = getattr(part, field.name)
            if isinstance(column, np.ndarray):
                hashed.update(np.ascontiguousarray(column).tobytes())
    return hashed.hexdigest()
