"""Does the risk model tell the truth? Realised over predicted tracking error, by class of portfolio.

On each formation day the model is estimated from the index members' returns up to that day.
Portfolios are formed, held with drifting weights, and their daily active returns compared with
the prediction. A security that stops trading counts as cash from its last price on.
The history's sectors may be the latest known ones; nothing else is from after the formation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from allotment.errors import DataError
from allotment.market.history import MarketHistory
from allotment.market.index import IndexWeights, WeightKind
from allotment.risk.estimate import estimate
from allotment.risk.model import FactorModel
from allotment.risk.tracking import tracking_error
from allotment.risk.window import SESSIONS_PER_YEAR, ReturnWindow, window
from allotment.simulate import risk_portfolios as portfolios
from allotment.simulate.risk_rivals import components_only, sectors_only
from allotment.units import Bools, Dates, Floats, Ints, as_day

Estimator = Callable[[ReturnWindow], FactorModel]
KINDS = ("random", "sector tilt", "screened", "optimised")
MODELS: Mapping[str, Estimator] = {
    "allotment": estimate,
    "components only": components_only,
    "sectors only": sectors_only,
}
RATIO_MEDIAN_MIN, RATIO_MEDIAN_MAX = 0.8, 1.3  # what a model has to meet


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """How much is tried; sessions are trading days."""

    formed_from: date | None = None  # None: as soon as `sessions_min` returns are known
    sessions_min: int = 230
    window_sessions: int = 750
    hold_sessions: int = 63
    every: int = 1  # of the history's index weights: 1 takes each, 3 every third
    portfolios: int = 20  # of each class on each formation day
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioSummary:
    """Realised over predicted of one model on one class."""

    model: str
    kind: str
    n: int
    p10: float
    median: float
    p90: float
    root_mean_square: float
    realised_median: float  # annual tracking error

    @property
    def is_met(self) -> bool:
        """The median lies within the promise."""
        return RATIO_MEDIAN_MIN <= self.median <= RATIO_MEDIAN_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStudy:
    """One row per portfolio × model; annual tracking errors. Columns have shape (R,)."""

    models: tuple[str, ...]
    kinds: tuple[str, ...]
    model_ix: Ints
    kind_ix: Ints
    formed: Dates
    predicted: Floats
    realised: Floats

    def ratios(self, model: str, kind: str) -> Floats:
        """Realised over predicted, in the order of formation."""
        chosen = self._chosen(model, kind)
        return np.asarray(self.realised[chosen] / self.predicted[chosen])

    def summary(self) -> tuple[RatioSummary, ...]:
        """Every model on every class, class by class."""
        found = []
        for kind in self.kinds:
            for model in self.models:
                ratio = self.ratios(model, kind)
                p10, median, p90 = np.quantile(ratio, (0.1, 0.5, 0.9)).tolist()
                found.append(
                    RatioSummary(
                        model=model,
                        kind=kind,
                        n=ratio.shape[0],
                        p10=p10,
                        median=median,
                        p90=p90,
                        root_mean_square=float(np.sqrt((ratio * ratio).mean())),
                        realised_median=float(np.median(self.realised[self._chosen(model, kind)])),
                    )
                )
        return tuple(found)

    def _chosen(self, model: str, kind: str) -> Bools:
        of_model: Bools = np.equal(self.model_ix, self.models.index(model))
        of_kind: Bools = np.equal(self.kind_ix, self.kinds.index(kind))
        return of_model & of_kind


@dataclass(slots=True)
class _Rows:
    """Rows as they come in, one block per formation day and model."""

    model_ix: list[Ints] = field(default_factory=list)
    kind_ix: list[Ints] = field(default_factory=list)
    formed: list[Dates] = field(default_factory=list)
    predicted: list[Floats] = field(default_factory=list)
    realised: list[Floats] = field(default_factory=list)


def study(
    history: MarketHistory, plan: StudyPlan | None = None, models: Mapping[str, Estimator] = MODELS
) -> RiskStudy:
    """Forms portfolios through the history, holds them, and compares. No look-ahead.

    Raises DataError when the history has no index weights with enough sessions on both sides,
    or fewer than two sectors.
    """
    plan = plan or StudyPlan()
    if len({security.sector for security in history.securities if security.sector}) < 2:
        raise DataError("the study tilts between sectors, and fewer than two are known. Give sectors.")
    rng = np.random.default_rng(plan.seed)
    rows = _Rows()
    for weights in _formations(history, plan):
        _try_all(history, weights, plan, models, rng, rows)
    if not rows.formed:
        raise DataError(
            f"no index weights lie at least {plan.sessions_min} sessions after the first price and "
            f"{plan.hold_sessions} before the last. Give a longer history."
        )
    return RiskStudy(
        models=tuple(models),
        kinds=KINDS,
        model_ix=np.concatenate(rows.model_ix),
        kind_ix=np.concatenate(rows.kind_ix),
        formed=np.concatenate(rows.formed),
        predicted=np.concatenate(rows.predicted),
        realised=np.concatenate(rows.realised),
    )


def _formations(history: MarketHistory, plan: StudyPlan) -> list[IndexWeights]:
    sessions = history.prices.sessions
    first = as_day(plan.formed_from) if plan.formed_from else sessions[0]
    found = []
    for weights in history.index_weights:
        day = as_day(weights.session)
        at = int(np.searchsorted(sessions, day))
        in_time = plan.sessions_min <= at < sessions.shape[0] - plan.hold_sessions
        if weights.kind is WeightKind.CLOSE and day >= first and in_time and sessions[at] == day:
            found.append(weights)
    return found[:: plan.every]


def _try_all(
    history: MarketHistory,
    weights: IndexWeights,
    plan: StudyPlan,
    models: Mapping[str, Estimator],
    rng: np.random.Generator,
    rows: _Rows,
) -> None:
    """One formation day: the same portfolios for every model, the wishes optimised by each."""
    prices = history.prices
    at = int(np.searchsorted(prices.sessions, as_day(weights.session)))
    place = np.searchsorted(prices.security_ids, weights.security_ids)
    priced = np.isfinite(prices.adjusted_usd[at, place])
    place = place[priced]
    index = weights.weight[priced] / weights.weight[priced].sum()
    known = window(
        history, weights.session, sessions=plan.window_sessions, security_ids=prices.security_ids[place]
    )
    flags = np.array([score[place] == 1.0 for score in history.scores.values()], np.bool_)
    flags = flags.reshape(len(history.scores), place.shape[0])
    later = _held_returns(prices.adjusted_usd[at : at + plan.hold_sessions + 1, place])
    each = range(plan.portfolios)
    plain = [portfolios.random_active(index, rng) for _ in each]
    plain += [portfolios.sector_tilted(index, known.sector_ix, rng) for _ in each]
    plain += [portfolios.screened(index, known.sector_ix, flags, rng) for _ in each]
    wishes = [portfolios.wish(index, known.sector_ix, rng) for _ in each]
    for number, estimator in enumerate(models.values()):
        model = estimator(known)
        optimised = [portfolios.closest_to_index(model, index, wanted) for wanted in wishes]
        active = np.array(plain + optimised) - index
        n = active.shape[0]
        rows.model_ix.append(np.full(n, number, np.int64))
        rows.kind_ix.append(np.repeat(np.arange(len(KINDS)), plan.portfolios))
        rows.formed.append(np.full(n, as_day(weights.session)))
        rows.predicted.append(tracking_error(model, active))
        rows.realised.append(_realised(active + index, index, later))


def _held_returns(adjusted_usd: Floats) -> Floats:
    """Growth of one dollar of each name, (hold, N), the last known price carried on."""
    filled = adjusted_usd.copy()
    for row in range(1, filled.shape[0]):
        missing = ~np.isfinite(filled[row])
        filled[row, missing] = filled[row - 1, missing]
    return np.asarray(filled[1:] / filled[0])


def _realised(weight: Floats, index: Floats, growth: Floats) -> Floats:
    """Annual tracking error of portfolios (P, N) held unchanged; about zero, not about the mean,
    because the mean of three months is noise."""
    value = np.vstack([np.ones(weight.shape[0]), growth @ weight.T])
    index_value = np.concatenate([[1.0], growth @ index])
    active = value[1:] / value[:-1] - (index_value[1:] / index_value[:-1])[:, None]
    return np.asarray(np.sqrt(SESSIONS_PER_YEAR * (active * active).mean(axis=0)))
