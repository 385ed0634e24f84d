"""A market as plain arrays, for the compiled rule that trades through it."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import WeightKind
from allotment.units import MICROS_PER_USD, Bools, Dates, Floats, Ints

Records = NDArray[np.void]  # rows with named fields, for compiled loops

# Kinds of action on the tape, in the order in which those of one day are applied.
SPIN_OFF, EXIT, SPLIT, MERGER = 0, 1, 2, 3

_DIVIDENDS = (ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND)
_NOT_AN_EVENT = (ActionKind.SPIN_OFF, ActionKind.STOCK_MERGER, ActionKind.MIXED_MERGER)
_RATIO_PARTS_MAX = 100_000


SESSION = np.dtype(
    [
        ("day", np.int64),  # days since 1970
        ("is_month_end", np.bool_),
        ("bench_row", np.int64),  # newest weight file, -1 before the first
        ("first_dividend", np.int64),  # offset; the next session's ends it
        ("first_action", np.int64),
    ],
    align=True,
)
DIVIDEND_ROW = np.dtype([("sec", np.int64), ("micros", np.int64)], align=True)  # per share
ACTION = np.dtype(
    [
        ("kind", np.int64),
        ("sec", np.int64),
        ("other", np.int64),  # column, -1 none
        ("new", np.int64),  # new (or child) shares …
        ("old", np.int64),  # … for so many old ones
        ("micros", np.int64),  # cash per share of an exit, value per share of a spin-off
    ],
    align=True,
)
NAME = np.dtype([("group", np.int64), ("sector", np.int64)], align=True)  # identical group; sector


class Tape(NamedTuple):
    """T sessions, N securities by column, F weight files, and actions in order of session."""

    sessions: Records  # (T + 1,) of SESSION; the last row only ends the offsets
    price_micros: Ints  # (T, N) close, carried forward over gaps; 0 before the first
    trades: Bools  # (T, N) can be bought and sold
    bench: Floats  # (F, N) index weights over the names that may be held
    rank: Ints  # (F, N) place by weight, 0 the largest
    members: Ints  # (F,)
    dividends: Records  # of DIVIDEND_ROW
    actions: Records  # of ACTION
    names: Records  # (N,) of NAME


def make_tape(market: MarketHistory, index_code: str, asof: date, cutoff: int) -> Tape:
    """The tape up to `asof`. Names whose lots would need an event that the sample book does not
    write after session `cutoff` (a spin-off, a stock or mixed merger, a split that leaves
    fractions) have no weight: never held.
    """
    prices = market.prices
    n_sessions = int(np.searchsorted(prices.sessions, np.datetime64(asof, "D"), "right"))
    sessions = prices.sessions[:n_sessions]
    close = prices.close_micros[:n_sessions]
    column = {int(security_id): i for i, security_id in enumerate(prices.security_ids)}
    placed = _placed(market.actions, sessions, column)
    avoided = {i for t, i, a in placed if t > cutoff and _needs_more(a)}
    trades = close > 0
    successors = {number: i for number, i in column.items() if i not in avoided}
    actions = _actions(placed, close, trades, successors)
    bench, bench_row, members = _bench(market, index_code, n_sessions, avoided)
    dividends = [(t, i, a) for t, i, a in placed if a.kind in _DIVIDENDS]
    return Tape(
        sessions=_sessions(sessions, bench_row, [t for t, _, _ in dividends], [row[0] for row in actions]),
        price_micros=np.ascontiguousarray(_carried_forward(close)),
        trades=trades,
        bench=bench,
        rank=np.argsort(np.argsort(-bench, axis=1, kind="stable"), axis=1, kind="stable"),
        members=members,
        dividends=np.array(
            [(i, round(a.amount_usd * MICROS_PER_USD)) for _, i, a in dividends], DIVIDEND_ROW
        ),
        actions=np.array([row[1:] for row in actions], ACTION),
        names=_names(market),
    )


def _sessions(days: Dates, bench_row: Ints, paid: list[int], acted: list[int]) -> Records:
    n = days.shape[0]
    months = days.astype("M8[M]")
    rows = np.zeros(n + 1, SESSION)
    rows["day"][:n] = days.astype(np.int64)
    rows["is_month_end"][:n] = np.append(months[1:] != months[:-1], True)
    rows["bench_row"][:n] = bench_row
    rows["first_dividend"] = _offsets(paid, n)
    rows["first_action"] = _offsets(acted, n)
    return rows


def _names(market: MarketHistory) -> Records:
    rows = np.zeros(len(market.securities), NAME)
    groups = [s.group_code or f"#{s.security_id}" for s in market.securities]
    rows["group"] = np.unique(np.array(groups), return_inverse=True)[1].ravel()
    sectors = [security.sector for security in market.securities]
    rows["sector"] = np.unique(np.array(sectors), return_inverse=True)[1].ravel()
    return rows


def _needs_more(action: CorporateAction) -> bool:
    """True for what the book's events cannot say exactly."""
    uneven = action.kind is ActionKind.SPLIT and action.ratio != round(action.ratio)
    return uneven or action.kind in _NOT_AN_EVENT


_Placed = list[tuple[int, int, CorporateAction]]  # session, column, action
_Action = tuple[int, int, int, int, int, int, int]  # session, kind, column, other, new, old, micros


def _placed(
    actions: tuple[CorporateAction, ...],
    sessions: Dates,
    column: dict[int, int],
) -> _Placed:
    """Actions on the tape, each on the first session from its ex-date on."""
    placed = []
    for action in actions:
        t = int(np.searchsorted(sessions, np.datetime64(action.ex_date, "D"), "left"))
        if t < sessions.shape[0] and action.security_id in column:
            placed.append((t, column[action.security_id], action))
    placed.sort(key=lambda row: (row[0], row[1]))
    return placed


def _actions(placed: _Placed, close: Ints, trades: Bools, successors: dict[int, int]) -> list[_Action]:
    """Splits, spin-offs, mergers and exits; what ends without a known successor ends in cash."""
    rows: list[_Action] = []
    ended: set[int] = set()
    for t, i, action in placed:
        other = successors.get(action.other_security_id or 0, -1)
        parts = Fraction(action.ratio).limit_denominator(_RATIO_PARTS_MAX)
        terms = (parts.numerator, parts.denominator)
        if action.kind is ActionKind.SPLIT and action.ratio not in (0.0, 1.0):
            rows.append((t, SPLIT, i, -1, *terms, 0))
        elif action.kind is ActionKind.SPIN_OFF:
            child = other if other >= 0 and close[t, other] > 0 and parts > 0 else -1
            rows.append((t, SPIN_OFF, i, child, *terms, round(action.value_usd * MICROS_PER_USD)))
        elif action.kind is ActionKind.STOCK_MERGER and other >= 0 and close[t, i] == 0:
            rows.append((t, MERGER, i, other, *terms, 0))
            ended.add(i)
        elif action.kind is ActionKind.CASH_MERGER and close[t, i] == 0 and i not in ended:
            rows.append((t, EXIT, i, -1, 1, 1, round(action.amount_usd * MICROS_PER_USD)))
            ended.add(i)
    final = close.shape[0] - 1
    for i in range(close.shape[1]):
        priced = np.flatnonzero(trades[:, i])
        if priced.size and priced[-1] < final and i not in ended:
            last = int(priced[-1])
            rows.append((last, EXIT, i, -1, 1, 1, int(close[last, i])))
            trades[last, i] = False  # sold at this close, not to be bought on it
    return sorted(rows)


def _bench(
    market: MarketHistory, index_code: str, n_sessions: int, avoided: set[int]
) -> tuple[Floats, Ints, Ints]:
    """Weights of each file over the names that may be held, the newest file of each session."""
    prices = market.prices
    last = prices.sessions[n_sessions - 1]
    files = [
        w
        for w in market.index_weights
        if w.index_code == index_code and w.kind is WeightKind.CLOSE and np.datetime64(w.session, "D") <= last
    ]
    if not files:
        raise DataError(f"the market has no closing weights of index {index_code!r} up to {last}.")
    bench = np.zeros((len(files), prices.security_ids.shape[0]))
    for row, weights in enumerate(files):
        places = np.searchsorted(prices.security_ids, weights.security_ids)
        bench[row, places] = weights.weight
    bench[:, sorted(avoided)] = 0.0
    bench /= bench.sum(axis=1, keepdims=True)
    days = np.array([w.session for w in files], "M8[D]")
    newest = np.searchsorted(days, prices.sessions[:n_sessions], "right") - 1
    return bench, newest, (bench > 0.0).sum(axis=1)


def _carried_forward(close: Ints) -> Ints:
    rows = np.where(close > 0, np.arange(close.shape[0])[:, None], 0)
    np.maximum.accumulate(rows, axis=0, out=rows)
    carried: Ints = np.take_along_axis(close, rows, axis=0)
    return carried


def _offsets(sessions: list[int], n_sessions: int) -> Ints:
    counts = np.bincount(np.array(sessions, np.int64), minlength=n_sessions)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
