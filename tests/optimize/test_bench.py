"""The benchmark's own figures: every answer judged, quantiles in order, ratios on top."""

from __future__ import annotations

from itertools import count

import pytest

from allotment.optimize import bench
from allotment.optimize.synthetic import PROFILE_A
from allotment.optimize.variants import households_of_four

SMALL = PROFILE_A._replace(n_names=40, n_lots=120, n_factors=4)


def test_a_small_run_has_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PROFILE_A", SMALL)
    ticks = count()
    profiles = {
        "A": bench.Bench(SMALL, 6),
        "four": bench.Bench(SMALL._replace(cash_band=(0.0, 0.001)), 8, households_of_four),
    }
    made = bench.bench(lambda: float(next(ticks)), profiles=profiles, peer_accounts=2)
    assert set(made["profiles"]) == {"A", "four"}
    assert made["certified_accounts_per_second_per_core"] == 6.0  # in one tick of the clock
    assert made["profiles"]["four"]["problems"] == made["profiles"]["four"]["judged"] == 2
    for block in made["profiles"].values():
        quantiles = list(block["gap_bps_quantiles"].values())
        assert quantiles == sorted(quantiles)
        assert block["gap_bps_median"] == pytest.approx(block["gap_bps_quantiles"]["50"], abs=1e-4)
    assert {"ratio_piqp", "ratio_clarabel", "ratio_cvxpy"} <= set(made)
