"""A market as plain arrays, for the compiled rule that trades through it."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from allotment.errors import DataError
from allotment.market.corporate_action import ActionKind, CorporateAction
from allotment.market.history import MarketHistory
from allotment.market.index import WeightKind
from allotment.units import MICROS_PER_USD, Bools, Floats, Index, Ints

# Kinds of action on the tape, in the order in which those of one day are applied.
SPIN_OFF, EXIT, SPLIT, MERGER = 0, 1, 2, 3

_DIVIDENDS = (ActionKind.CASH_DIVIDEND, ActionKind.SPECIAL_DIVIDEND)
_NOT_AN_EVENT = (ActionKind.SPIN_OFF, ActionKind.STOCK_MERGER, ActionKind.MIXED_MERGER)
_RATIO_PARTS_MAX = 100_000


class Tape(NamedTuple):
    """T sessions, N securities by column, F weight files, and actions in order of session."""

    day: Ints  # (T,) days since 1970
    month_ends: Bools  # (T,)
    price_micros: Ints  # (T, N) close, carried forward over gaps; 0 before the first
    trades: Bools  # (T, N) can be bought and sold
    bench: Floats  # (F, N) index weights over the names that may be held
    rank: Index  # (F, N) place by weight, 0 the largest
    bench_row: Index  # (T,) newest file, -1 before the first
    members: Index  # (F,)
    dividend_start: Ints  # (T + 1,) offsets
    dividend_sec: Index
    dividend_micros: Ints  # per share
    action_start: Ints  # (T + 1,) offsets
    action_kind: Index
    action_sec: Index
    action_other: Index  # column, -1 none
    action_new: Ints  # new (or child) shares …
    action_old: Ints  # … for so many old ones
    action_micros: Ints  # cash per share of an exit, value per share of a spin-off
    group: Index  # (N,) substantially identical group
    sector: Index  # (N,)


def make_tape(market: MarketHistory, index_code: str, asof: date, cutoff: int) -> Tape:
    """The tape up to `asof`. Names whose lots would need an event that the sample book does not
    write after session `cutoff` (a spin-off, a stock or mixed merger, a split that leaves
    fractions) have no weight: never held.
    """
    prices = market.prices
    n_sessions = int(np.searchsorted(prices.sessions, np.datetime64(asof, "D"), "right"))
    sessions = prices.sessions[:n_sessions]
    close = prices.close_micros[:n_sessions]
    n_names = close.shape[1]
    column = {int(security_id): i for i, security_id in enumerate(prices.security_ids)}
    placed = _placed(market.actions, sessions, column)
    avoided = {i for t, i, a in placed if t > cutoff and _needs_more(a)}
    trades = close > 0
    successors = {number: i for number, i in column.items() if i not in avoided}
    actions = _actions(placed, close, trades, successors)
    bench, bench_row, members = _bench(market, index_code, n_sessions, avoided)
    dividends = [(t, i, a) for t, i, a in placed if a.kind in _DIVIDENDS]
    months = sessions.astype("M8[M]")
    sectors = np.array([security.sector for security in market.securities])
    groups = np.array([s.group_code or f"#{s.security_id}" for s in market.securities])
    return Tape(
        day=sessions.astype(np.int64),
        month_ends=np.append(months[1:] != months[:-1], True),
        price_micros=np.ascontiguousarray(_carried_forward(close)),
        trades=trades,
        bench=bench,
        rank=np.argsort(np.argsort(-bench, axis=1, kind="stable"), axis=1, kind="stable").astype(np.int32),
        bench_row=bench_row,
        members=members,
        dividend_start=_offsets([t for t, _, _ in dividends], n_sessions),
        dividend_sec=np.array([i for _, i, _ in dividends], np.int32),
        dividend_micros=np.array([round(a.amount_usd * MICROS_PER_USD) for _, _, a in dividends], np.int64),
        action_start=_offsets([row[0] for row in actions], n_sessions),
        action_kind=np.array([row[1] for row in actions], np.int32),
        action_sec=np.array([row[2] for row in actions], np.int32),
        action_other=np.array([row[3] for row in actions], np.int32),
        action_new=np.array([row[4] for row in actions], np.int64),
        action_old=np.array([row[5] for row in actions], np.int64),
        action_micros=np.array([row[6] for row in actions], np.int64),
        group=np.unique(groups, return_inverse=True)[1].astype(np.int32).reshape(n_names),
        sector=np.unique(sectors, return_inverse=True)[1].astype(np.int32).reshape(n_names),
    )


def _needs_more(action: CorporateAction) -> bool:
    """True for what the book's events cannot say exactly."""
    uneven = action.kind is ActionKind.SPLIT and action.ratio != round(action.ratio)
    return uneven or action.kind in _NOT_AN_EVENT


_Placed = list[tuple[int, int, CorporateAction]]  # session, column, action
_Action = tuple[int, int, int, int, int, int, int]  # session, kind, column, other, new, old, micros


def _placed(
    actions: tuple[CorporateAction, ...],
    sessions: np.ndarray[tuple[int], np.dtype[np.datetime64]],
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
) -> tuple[Floats, Index, Index]:
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
    return bench, newest.astype(np.int32), (bench > 0.0).sum(axis=1).astype(np.int32)


def _carried_forward(close: Ints) -> Ints:
    rows = np.where(close > 0, np.arange(close.shape[0])[:, None], 0)
    np.maximum.accumulate(rows, axis=0, out=rows)
    carried: Ints = np.take_along_axis(close, rows, axis=0)
    return carried


def _offsets(sessions: list[int], n_sessions: int) -> Ints:
    counts = np.bincount(np.array(sessions, np.int64), minlength=n_sessions)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
