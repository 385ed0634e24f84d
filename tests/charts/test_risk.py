from __future__ import annotations

import numpy as np

from allotment.charts.risk import risk_study_figure
from allotment.simulate.risk_study import RiskStudy


def test_boxes_show_the_quantiles_of_each_class_and_model() -> None:
    ratios = np.linspace(0.5, 1.5, 101)
    n = ratios.shape[0]
    study = RiskStudy(
        models=("ours", "theirs"),
        kinds=("random", "optimised"),
        model_ix=np.repeat([0, 0, 1, 1], n),
        kind_ix=np.repeat([0, 1, 0, 1], n),
        formed=np.full(4 * n, np.datetime64("2020-01-31")),
        predicted=np.full(4 * n, 0.02),
        realised=np.concatenate([ratios, ratios * 2, ratios, ratios]) * 0.02,
    )
    figure = risk_study_figure(study)
    ours, theirs = figure.data
    assert (ours.name, theirs.name) == ("ours", "theirs")
    assert ours.line.color != theirs.line.color
    assert list(ours.x) == ["random", "optimised"]
    np.testing.assert_allclose(ours.median, [1.0, 2.0])
    np.testing.assert_allclose(theirs.lowerfence, [0.6, 0.6])
    np.testing.assert_allclose(theirs.upperfence, [1.4, 1.4])
