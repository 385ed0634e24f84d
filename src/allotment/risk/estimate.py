"""A factor model estimated from daily returns."""

from __future__ import annotations

from dataclasses import dataclass

from allotment.risk.model import FactorModel
from allotment.risk.window import ReturnWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimationPolicy:
    """How returns become a model; half-lives in sessions."""

    k: int = 20  # factors in all: the market, the sectors, and statistical ones for the rest


def estimate(window: ReturnWindow, policy: EstimationPolicy | None = None) -> FactorModel:
    """The risk of every security of the window, annualised, as known on `window.asof`.

    Fewer factors than `policy.k` come back when the returns do not carry as many.
    """
    raise NotImplementedError
