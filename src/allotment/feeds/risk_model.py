"""Reading a risk model of your own: B, F and D as CSV or Parquet files in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from allotment.risk.model import FactorModel


def read_risk_model(folder: Path, security_ids: Mapping[str, int]) -> FactorModel:
    """The model of `folder`, its securities named by the keys of `security_ids`.

    Raises BadFileError with every mistake found; nothing is taken from a folder with one.
    """
    raise NotImplementedError
