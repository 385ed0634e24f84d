"""Does the risk model tell the truth? Realised over predicted tracking error, by class of portfolio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allotment.market.history import MarketHistory
from allotment.units import Dates, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """How much is tried; sessions are trading days."""

    hold_sessions: int = 63
    window_sessions: int = 750
    portfolios: int = 40  # of each class on each formation day
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStudy:
    """One row per portfolio × model; annual tracking errors. Columns have one shape (R,)."""

    model: tuple[str, ...]
    kind: tuple[str, ...]  # class of portfolio
    formed: Dates
    predicted: Floats
    realised: Floats


def study(history: MarketHistory, plan: StudyPlan | None = None) -> RiskStudy:
    """Forms portfolios through the history, holds them, and compares. No look-ahead."""
    raise NotImplementedError


def bench(histories: Mapping[str, MarketHistory]) -> dict[str, object]:
    """The study over named periods as a JSON-able record, with the time of one estimate."""
    raise NotImplementedError
