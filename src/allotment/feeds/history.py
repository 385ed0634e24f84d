"""A whole market read from a folder of Parquet files, laid out as docs/how-to/import.md tells."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from allotment.market.history import MarketHistory


def read_history(folder: Path, first: date | None = None, last: date | None = None) -> MarketHistory:
    """The market in `folder` from `first` to `last`, both included; None leaves that end open.

    Index weights are of index "SP500" and of kind CLOSE; there is always one set at the first
    session with weights on or before it. Unknown volumes and caps are NaN. Value flags become
    scores named without their prefix ("tobacco"), 0 or 1.

    Raises DataError when a needed file or column is missing, when there are no prices in the
    window, and when the window crosses files that name companies differently.
    """
    raise NotImplementedError
