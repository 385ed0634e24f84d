"""Figures about the risk model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allotment.simulate.risk_study import RATIO_MEDIAN_MAX, RATIO_MEDIAN_MIN, RiskStudy

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe and Ito's palette: told apart with any colour vision, and in print by lightness.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
_INK = "#333333"


def risk_study_figure(result: RiskStudy) -> Figure:
    """Realised over predicted tracking error by class of portfolio and model.

    A box is the middle half with its median, the whiskers are the 10th and 90th percentile. The
    axis is logarithmic, because half and double are equally wrong; the shaded band is where
    medians should lie.
    """
    from plotly.graph_objects import Box, Figure

    figure = Figure()
    for model, colour in zip(result.models, _COLOURS, strict=False):
        rows = [_quantiles(result, model, kind) for kind in result.kinds]
        figure.add_trace(
            Box(
                name=model,
                x=list(result.kinds),
                lowerfence=[row[0] for row in rows],
                q1=[row[1] for row in rows],
                median=[row[2] for row in rows],
                q3=[row[3] for row in rows],
                upperfence=[row[4] for row in rows],
                marker_color=colour,
                line_color=colour,
                boxpoints=False,
            )
        )
    figure.add_hrect(
        y0=RATIO_MEDIAN_MIN, y1=RATIO_MEDIAN_MAX, fillcolor=_INK, opacity=0.08, line_width=0, layer="below"
    )
    figure.add_hline(y=1.0, line_color=_INK, line_width=1)
    first, last = result.formed.min(), result.formed.max()
    figure.update_layout(
        title=f"Realised over predicted tracking error, formed {first} to {last}",
        boxmode="group",
        template="plotly_white",
        font_color=_INK,
        legend={"orientation": "h", "y": -0.12},
        xaxis_title=None,
        yaxis={
            "title": "realised / predicted (10, 25, 50, 75, 90 %)",
            "type": "log",
            "tickvals": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0],
        },
    )
    return figure


def _quantiles(result: RiskStudy, model: str, kind: str) -> list[float]:
    found: list[float] = np.quantile(result.ratios(model, kind), (0.1, 0.25, 0.5, 0.75, 0.9)).tolist()
    return found
