"""Index membership and weights as their publisher gave them, session by session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from allotment.units import Floats, Ints


class WeightKind(StrEnum):
    """Which moment a weight file describes."""

    CLOSE = "close"  # after the close of the session: performance is measured on these
    OPEN = "open"  # adjusted close, the next session's open: rebalancing aims at these
    PRO_FORMA = "pro_forma"  # announced, not yet effective


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexWeights:
    """One index at one moment. Columns of shape (n_members,), sorted by security."""

    index_code: str
    session: date
    kind: WeightKind
    version: int
    security_ids: Ints
    weight: Floats  # sums to one
