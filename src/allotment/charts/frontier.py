"""The frontier of one account: what less tracking error costs today."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allotment.optimize.frontier import Frontier

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe and Ito's palette: told apart with any colour vision, and in print by lightness.
_LINE, _CHOSEN, _TODAY = "#0072B2", "#D55E00", "#333333"
_UNREACHABLE = "rgba(51, 51, 51, 0.12)"
_INK = "#333333"
_FLOOR_POINTS = 200
_MARGIN = 0.06  # of the range of either axis


def frontier_figure(found: Frontier, *, title: str, value_usd: float) -> Figure:
    """Tracking error across, tax and cost upwards in basis points of the account.

    The line joins the points, the large mark is the account at its own price of risk, the cross is
    the account left as it is. Nothing can lie in the shaded region: that is proven.
    """
    from plotly.graph_objects import Figure, Scatter

    te, price = 100.0 * found.tracking_error, 1e4 * found.price
    here = found.hold_tracking_error * 100.0
    across = (0.0, max(float(te.max()), here) * (1 + _MARGIN))
    floor_te = np.linspace(across[0], across[1], _FLOOR_POINTS)
    floor = 1e4 * found.floor(floor_te / 100.0)
    shown = [*price.tolist(), *([1e4 * found.hold_price] if found.hold_feasible else [])]
    height = max(max(shown) - min(shown), 1.0)
    upwards = (min(*shown, float(floor.min())) - _MARGIN * height, max(shown) + _MARGIN * height)
    figure = Figure()
    figure.add_trace(
        Scatter(
            x=floor_te, y=np.full(_FLOOR_POINTS, upwards[0]), mode="lines", line_width=0,
            hoverinfo="skip", showlegend=False,
        )
    )  # fmt: skip
    figure.add_trace(
        Scatter(
            x=floor_te, y=np.clip(floor, *upwards), mode="lines", line_width=0, fill="tonexty",
            fillcolor=_UNREACHABLE, hoverinfo="skip", name="no plan lies here (proven)",
        )
    )  # fmt: skip
    figure.add_trace(
        Scatter(
            x=te, y=price, mode="lines+markers", name="frontier", line_color=_LINE, marker_size=6,
            customdata=np.column_stack([_usd(found, value_usd), found.gap_bps, found.risk_price]),
            hovertemplate="tracking error %{x:.2f} %<br>tax and cost %{y:.1f} bp"
            "<br>tax $%{customdata[0]:,.0f}, trading $%{customdata[1]:,.0f}"
            "<br>proven within %{customdata[2]:.2f} bp<br>price of risk %{customdata[3]:.3g}<extra></extra>",
        )
    )  # fmt: skip
    at = found.chosen
    figure.add_trace(
        Scatter(
            x=[te[at]], y=[price[at]], mode="markers", name="the account's own price of risk",
            marker={"symbol": "star", "size": 16, "color": _CHOSEN}, hoverinfo="skip",
        )
    )  # fmt: skip
    if found.hold_feasible:
        figure.add_trace(
            Scatter(
                x=[here], y=[1e4 * found.hold_price], mode="markers", name="today, nothing traded",
                marker={"symbol": "x", "size": 11, "color": _TODAY}, hoverinfo="skip",
            )
        )  # fmt: skip
    else:
        figure.add_trace(
            Scatter(
                x=[here, here], y=list(upwards), mode="lines", name="today, with a limit broken",
                line={"color": _TODAY, "width": 1.5, "dash": "dot"}, hoverinfo="skip",
            )
        )  # fmt: skip
    figure.update_layout(
        title=title,
        template="plotly_white",
        font_color=_INK,
        legend={"orientation": "h", "y": -0.18},
        xaxis={"title": "tracking error, % a year", "range": list(across), "zeroline": False},
        yaxis={"title": "tax and cost of today's trades, bp of the account", "range": list(upwards)},
    )
    return figure


def _usd(found: Frontier, value_usd: float) -> np.ndarray:
    """Tax and trading cost of each point in dollars, (m, 2)."""
    return np.column_stack([found.tax, found.trading_cost]) * value_usd
