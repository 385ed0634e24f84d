"""A frontier as a frame and a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allotment.charts.frontier import frontier_figure
from allotment.jobs.frontier import AccountFrontier
from allotment.optimize.frontier import table

if TYPE_CHECKING:
    import polars as pl
    from plotly.graph_objects import Figure


@dataclass(frozen=True, slots=True)
class FrontierAnswer:
    """Tax and cost of one account's trades against their tracking error."""

    found: AccountFrontier

    @property
    def table(self) -> pl.DataFrame:
        """One row per point, tracking error falling."""
        import polars as pl

        return pl.DataFrame(table(self.found.frontier, self.found.value_usd))

    @property
    def figure(self) -> Figure:
        """The frontier with today's account and its own price of risk."""
        found = self.found
        return frontier_figure(found.frontier, title=found.title, value_usd=found.value_usd)

    def __repr__(self) -> str:
        return f"{self.found.title}\n{self.table}"
