"""The benchmark of frontiers counts what its clock says, and judges what it counts."""

from __future__ import annotations

from itertools import count

import pytest

from allotment.optimize import frontier_bench
from allotment.optimize.synthetic import PROFILE_B


def test_a_block_tells_time_and_tightness(monkeypatch: pytest.MonkeyPatch) -> None:
    small = PROFILE_B._replace(n_names=40, n_lots=90, n_factors=3)
    monkeypatch.setattr(frontier_bench, "_PROFILES", {"small": small})
    ticks = count()
    told = frontier_bench.bench(lambda: float(next(ticks)), accounts=2)
    block = told["small"]
    assert block["milliseconds_median"] == block["milliseconds_p95"] == 1000.0
    assert block["accounts"] == 2
    assert block["points"] == 21
    assert 0.0 <= block["gap_bps_median"] <= block["gap_bps_p99"]
    assert block["tracking_error_span_median"] > 1.0
