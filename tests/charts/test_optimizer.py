from __future__ import annotations

import pytest

from allotment.charts.optimizer import gap_figure, peer_figure, rate_figure

BENCH = {
    "profiles": {
        "A": {
            "certified_accounts_per_second_per_core": 1234.5,
            "gap_bps_quantiles": {"1": 0.0, "25": 0.1, "50": 0.2, "75": 0.3, "99": 1.0, "100": 2.0},
        },
        "B": {
            "certified_accounts_per_second_per_core": 600.0,
            "gap_bps_quantiles": {"1": 0.01, "25": 1.0, "50": 2.0, "75": 3.0, "99": 10.0, "100": 20.0},
        },
    },
    "peers": {"milliseconds": {"own": 0.5, "piqp": 5.0, "cvxpy_factor_form": 50.0}},
}
WORDS = {"A": "plain", "B": "charged", "own": "ours", "piqp": "PIQP", "cvxpy_factor_form": "cvxpy, factors"}


def test_gaps_are_boxes_with_their_worst_and_none_is_off_the_axis() -> None:
    boxes, worst = gap_figure(BENCH, WORDS).data
    assert list(boxes.y) == list(worst.y) == ["plain", "charged"]
    assert boxes.lowerfence == pytest.approx([1e-4, 0.01])
    assert boxes.median == pytest.approx([0.2, 2.0])
    assert boxes.upperfence == pytest.approx([1.0, 10.0])
    assert worst.x == pytest.approx([2.0, 20.0])


def test_rates_and_ratios_stand_beside_their_bars() -> None:
    (rates,) = rate_figure(BENCH, WORDS).data
    assert list(rates.text) == ["1,234", "600"]
    (peers,) = peer_figure(BENCH, WORDS).data
    assert list(peers.y) == ["ours", "PIQP", "cvxpy, factors"]
    assert list(peers.text) == ["0.50 ms (x 1)", "5.00 ms (x 10)", "50.00 ms (x 100)"]
