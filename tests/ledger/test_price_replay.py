"""The replay follows adjusted closes that are right, and notices ones that are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from allotment.ledger.price_replay import PricedSymbol, replay
from allotment.market.corporate_action import ActionKind, CorporateAction

DAYS = [date(2024, 1, day) for day in (2, 3, 4, 5, 8, 9)]


def act(day: date, kind: ActionKind, **terms: Any) -> CorporateAction:
    return CorporateAction(security_id=1, ex_date=day, kind=kind, **terms)


ACTIONS = (
    act(DAYS[1], ActionKind.CASH_DIVIDEND, amount_usd=0.37),
    act(DAYS[2], ActionKind.SPLIT, ratio=1.5),
    act(DAYS[3], ActionKind.SPIN_OFF, ratio=0.333333, other_security_id=2, value_usd=4.0),
    act(DAYS[4], ActionKind.SYMBOL_CHANGE),
    act(DAYS[4], ActionKind.CASH_DIVIDEND, amount_usd=0.11),
    act(DAYS[5], ActionKind.SPLIT, ratio=0.1),
    act(DAYS[5], ActionKind.SPECIAL_DIVIDEND, amount_usd=2.5),
)
CLOSE = np.array([50.0, 49.5, 33.4, 29.3, 30.1, 275.0])


def symbol(actions: tuple[CorporateAction, ...] = ACTIONS) -> PricedSymbol:
    """Adjusted closes by the identity, from the amounts as they stand on the day, worked by hand."""
    growth = [
        (49.5 + 0.37) / 50.0,
        33.4 * 1.5 / 49.5,
        (29.3 + 4.0) / 33.4,
        (30.1 + 0.11) / 29.3,
        (275.0 * 0.1 + 2.5) / 30.1,
    ]
    return PricedSymbol(
        code="X",
        security_id=1,
        days=np.array(DAYS, "M8[D]").astype(np.int64),
        close_usd=CLOSE,
        adjusted_usd=np.cumprod([10.0, *growth]),
        actions=actions,
    )


def test_every_kind_follows_the_adjusted_close() -> None:
    made = replay([symbol()])
    assert made.by_kind == {
        "cash_dividend": 2,
        "special_cash_dividend": 1,
        "spin_off": 1,
        "split": 2,
        "symbol_change": 1,
    }
    assert (made.n_actions, made.n_ex_days, made.n_held, made.n_problems) == (7, 5, 1, 0)
    assert made.excluded == {"a delisting does nothing to lots": 0}
    assert made.stand_ins == 1  # the new name
    assert made.ex_days.both < 1e-9
    assert made.symbols.both < 1e-8


@pytest.mark.parametrize("at", [0, 1, 2, 4, 5, 6])  # a new name has no value that could be missed
def test_one_action_left_out_is_noticed(at: int) -> None:
    made = replay([symbol((*ACTIONS[:at], *ACTIONS[at + 1 :]))])
    assert made.symbols.both > 1e-3


def test_the_file_and_the_ledger_are_told_apart() -> None:
    wrong = symbol()
    wrong = replace(wrong, adjusted_usd=wrong.adjusted_usd * np.array([1, 1, 1, 1.01, 1, 1]))
    made = replay([wrong])
    assert made.ex_days.file == pytest.approx(0.01, rel=0.02)
    assert made.ex_days.rounding < 1e-9
    assert made.ex_days.worst.startswith("X 2024-01-0")
    assert made.symbols.both < 1e-8  # the end is where it was


def test_what_cannot_be_replayed_is_counted() -> None:
    early = act(DAYS[0], ActionKind.CASH_DIVIDEND, amount_usd=1.0)
    absent = act(date(2024, 1, 6), ActionKind.CASH_DIVIDEND, amount_usd=1.0)
    gone = act(DAYS[5], ActionKind.DELISTING, amount_usd=27.0)
    made = replay([symbol((early, *ACTIONS[:3], absent, *ACTIONS[3:], gone))])
    assert made.excluded == {
        "a delisting does nothing to lots": 1,
        "no close before the ex-date": 1,
        "no close on the ex-date": 1,
    }
    assert (made.n_held, made.n_left_out, made.n_ex_days) == (0, 1, 5)


def test_a_gap_in_the_closes_parts_a_symbol() -> None:
    """Nobody recorded what was paid while there were no prices."""
    whole = symbol(())
    parted = replace(
        whole,
        days=whole.days + np.array([0, 0, 0, 400, 400, 400]),
        close_usd=CLOSE[:1].repeat(6),
        adjusted_usd=np.array([1.0, 1.0, 1.0, 3.0, 3.0, 3.0]),
    )
    made = replay([parted])
    assert (made.n_gaps, made.n_held, made.n_symbols, made.n_symbols_with_actions) == (1, 2, 1, 0)
    assert made.symbols.both < 1e-9
