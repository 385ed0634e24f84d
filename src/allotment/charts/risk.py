"""Figures about the risk model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allotment.simulate.risk_study import RiskStudy

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def risk_study_figure(result: RiskStudy) -> Figure:
    """Boxes of realised over predicted tracking error, by class of portfolio and model."""
    raise NotImplementedError
