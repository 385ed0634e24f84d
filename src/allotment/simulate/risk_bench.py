"""The benchmark of the risk model: is it true, and how long does an estimate take?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date

from allotment.market.history import MarketHistory
from allotment.risk.estimate import estimate
from allotment.risk.window import window
from allotment.simulate.risk_study import RiskStudy, StudyPlan, study


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A stretch of history: what to read, and from when to form portfolios."""

    read_from: date
    formed_from: date
    read_to: date


# Three years before the first formation, where the data have them.
PERIODS: Mapping[str, Period] = {
    "2013-2018": Period(
        read_from=date(2010, 1, 1), formed_from=date(2012, 12, 31), read_to=date(2018, 12, 31)
    ),
    "2021-2023": Period(
        read_from=date(2021, 1, 29), formed_from=date(2021, 12, 31), read_to=date(2023, 12, 29)
    ),
}


def studies(histories: Mapping[str, MarketHistory], plan: StudyPlan | None = None) -> dict[str, RiskStudy]:
    """The study of each named period of `PERIODS`."""
    plan = plan or StudyPlan()
    return {
        name: study(history, replace(plan, formed_from=PERIODS[name].formed_from))
        for name, history in histories.items()
    }


def bench(
    histories: Mapping[str, MarketHistory], stopwatch: Callable[[], float], plan: StudyPlan | None = None
) -> dict[str, object]:
    """Ratios by period, class and model, and the seconds of one estimate over each whole history.

    `histories` are named as in `PERIODS`; `stopwatch` is a monotonic clock in seconds, such as
    ``time.perf_counter``, handed in because this room reads none.
    """
    estimates: dict[str, object] = {}
    for name, history in histories.items():
        known = window(history, history.prices.sessions[-1].item())
        start = stopwatch()
        model = estimate(known)
        estimates[name] = {
            "securities": known.returns.shape[1],
            "sessions": known.returns.shape[0],
            "factors": len(model.factor_names),
            "seconds": round(stopwatch() - start, 3),
        }
    ratios: dict[str, object] = {}
    met = True
    for name, result in studies(histories, plan).items():
        summary = result.summary()
        met &= all(row.is_met for row in summary if row.model == "allotment")
        ratios[name] = [
            {
                key: round(value, 4) if isinstance(value, float) else value
                for key, value in asdict(row).items()
            }
            for row in summary
        ]
    return {"estimate": estimates, "realised_over_predicted": ratios, "medians_inside_0_8_to_1_3": met}
