"""Figures of `allotment bench optimize`: how far from optimal, how fast, and beside whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

_BLUE, _ORANGE, _INK = "#0072B2", "#E69F00", "#333333"
_GAP_LEAST = 1e-4  # basis points: the axis is logarithmic, and a gap may be none


def gap_figure(bench: Mapping[str, Any], words: Mapping[str, str]) -> Figure:
    """Proven gap by profile, basis points of account value, on a logarithmic axis.

    bench: the result of the benchmark; words: what to call its profiles. A box is the middle half with
    its median, the whiskers are the 1st and 99th percentile, the cross is the worst.
    """
    from plotly.graph_objects import Box, Figure, Scatter

    names = [words[name] for name in bench["profiles"]]
    gaps = [_quantiles(block) for block in bench["profiles"].values()]
    figure = Figure()
    figure.add_trace(
        Box(
            name="1, 25, 50, 75, 99 %",
            y=names,
            orientation="h",
            lowerfence=[gap["1"] for gap in gaps],
            q1=[gap["25"] for gap in gaps],
            median=[gap["50"] for gap in gaps],
            q3=[gap["75"] for gap in gaps],
            upperfence=[gap["99"] for gap in gaps],
            line_color=_BLUE,
        )
    )
    worst = [gap["100"] for gap in gaps]
    marker = {"symbol": "x", "color": _ORANGE, "size": 8}
    figure.add_trace(Scatter(name="worst", x=worst, y=names, mode="markers", marker=marker))
    return _laid_out(figure, "Proven gap, basis points of account value", len(names))


def rate_figure(bench: Mapping[str, Any], words: Mapping[str, str]) -> Figure:
    """Certified accounts per second and core by profile, on a logarithmic axis."""
    from plotly.graph_objects import Figure

    names = [words[name] for name in bench["profiles"]]
    rates = [block["certified_accounts_per_second_per_core"] for block in bench["profiles"].values()]
    texts = [f"{rate:,.0f}" for rate in rates]
    figure = Figure(_dots(rates, names, texts, [_BLUE] * len(names)))
    return _laid_out(figure, "Certified accounts per second and core", len(names))


def peer_figure(bench: Mapping[str, Any], words: Mapping[str, str]) -> Figure:
    """Milliseconds per account on the convex core, ours and each peer's, on a logarithmic axis."""
    from plotly.graph_objects import Figure

    milliseconds = bench["peers"]["milliseconds"]
    names = [words[name] for name in milliseconds]
    own = milliseconds["own"]
    texts = [f"{one:.2f} ms (x {one / own:.0f})" for one in milliseconds.values()]
    colours = [_ORANGE if name.startswith("own") else _BLUE for name in milliseconds]
    dots = _dots(list(milliseconds.values()), names, texts, colours)
    return _laid_out(Figure(dots), "Milliseconds per account, convex core of 500 names", len(names))


def _dots(x: Sequence[float], y: Sequence[str], texts: Sequence[str], colours: Sequence[str]) -> Scatter:
    """Points with their figures beside them: a bar would have no beginning on a logarithmic axis."""
    from plotly.graph_objects import Scatter

    marker = {"color": colours, "size": 10}
    return Scatter(
        x=x,
        y=y,
        text=texts,
        mode="markers+text",
        textposition="middle right",
        marker=marker,
        cliponaxis=False,
    )


def _quantiles(block: Mapping[str, Any]) -> dict[str, float]:
    return {percent: max(gap, _GAP_LEAST) for percent, gap in block["gap_bps_quantiles"].items()}


def _laid_out(figure: Figure, title: str, n_rows: int) -> Figure:
    figure.update_layout(
        title=title,
        template="plotly_white",
        font_color=_INK,
        height=140 + 28 * n_rows,
        xaxis={"type": "log", "dtick": 1, "tickformat": ",~g"},
        yaxis={"autorange": "reversed", "automargin": True, "showgrid": True, "ticklabelstandoff": 8},
        legend={"orientation": "h"},
    )
    return figure
