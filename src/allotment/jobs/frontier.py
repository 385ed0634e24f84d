"""The frontier of one account with what people ask of it: whose, of which day, in dollars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from allotment.errors import UsageError
from allotment.feeds.problem_columns import for_purpose, problem_columns
from allotment.feeds.problem_folder import read_problem
from allotment.optimize.frontier import POINTS, Frontier, frontier
from allotment.optimize.modes import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFrontier:
    """One account's frontier, with what turns its fractions into dollars."""

    code: str
    asof: date
    value_usd: float
    frontier: Frontier

    @property
    def title(self) -> str:
        """What its figure is called."""
        return f"{self.code} on {self.asof}: what less tracking error costs"


def folder_frontier(folder: Path, points: int = POINTS, purpose: Purpose | None = None) -> AccountFrontier:
    """The frontier of an account given as files, as `allotment optimize` takes them.

    Raises BadFileError for its mistakes, UsageError when there is nothing to decide.
    """
    given = read_problem(folder)
    columns = for_purpose(problem_columns(given), purpose)
    found = frontier(columns.market, columns.problem, points=points)
    if found is None:
        raise UsageError(f"{folder} has no value, or figures that cannot be worked with.")
    return AccountFrontier(
        code=folder.resolve().name,
        asof=given.terms.as_of,
        value_usd=float(columns.value_usd),
        frontier=found,
    )
