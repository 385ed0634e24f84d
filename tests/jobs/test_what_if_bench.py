"""The benchmark of questions asks each account several, and tells first and later ones apart."""

from __future__ import annotations

from allotment.jobs.what_if_bench import bench


def test_first_and_later_questions_are_told_apart() -> None:
    told = bench(accounts=20, asked=3, questions=4)
    assert told["requests"] == 12
    for block in ("all", "first", "again", "mandate", "unopened"):
        figures = told[block]
        assert 0.0 < figures["p50_ms"] <= figures["p95_ms"]
        assert 0.0 < figures["cpu_p50_ms"] <= figures["cpu_p95_ms"]
    assert told["gap_bps_median"] < 5.0
    assert told["trades_median"] > 0
