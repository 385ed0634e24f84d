"""Daily closes: unadjusted for lots and orders, total-return adjusted for risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotment.units import Bools, Dates, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHistory:
    """A window of closes. T sessions, N securities; every matrix has shape (T, N).

    A missing price is 0 in `close_micros` and NaN in `adjusted_usd`.
    """

    sessions: Dates  # (T,) ascending
    security_ids: Ints  # (N,) ascending
    close_micros: Ints  # unadjusted close, millionths of a dollar
    adjusted_usd: Floats  # total-return adjusted close
    volume: Floats  # shares traded

    def __post_init__(self) -> None:
        shape = (self.sessions.shape[0], self.security_ids.shape[0])
        assert self.close_micros.shape == self.adjusted_usd.shape == self.volume.shape == shape

    def returns(self) -> Floats:
        """Total returns from session to session, shape (T-1, N); NaN where a price is missing."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.adjusted_usd[1:] / self.adjusted_usd[:-1] - 1.0

    def rows_of(self, security_ids: Ints) -> tuple[Ints, Bools]:
        """The column of each security, and whether there is one (any column where there is none)."""
        rows = np.minimum(np.searchsorted(self.security_ids, security_ids), len(self.security_ids) - 1)
        return rows, self.security_ids[rows] == security_ids

    def last_adjusted_usd(self, row: int) -> Floats:
        """The latest adjusted close on or before session number `row`, (N,); NaN where none."""
        known = np.isfinite(self.adjusted_usd[: row + 1])
        last = row - np.argmax(known[::-1], axis=0)
        latest: Floats = self.adjusted_usd[last, np.arange(len(self.security_ids))]
        return latest
