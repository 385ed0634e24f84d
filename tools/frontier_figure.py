"""docs/assets/plots/frontier.json: the frontier of an invented account of 500 names, as the docs draw it.

``python tools/frontier_figure.py`` writes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from allotment.charts.frontier import frontier_figure
from allotment.optimize.frontier import frontier
from allotment.optimize.synthetic import PROFILE_B, synthetic_problems, synthetic_world

FILE = Path(__file__).resolve().parent.parent / "docs" / "assets" / "plots" / "frontier.json"
SEED = 2026


def main() -> None:
    rng = np.random.default_rng(SEED)
    world = synthetic_world(PROFILE_B.n_names, PROFILE_B.n_factors, rng)
    problem = synthetic_problems(world, PROFILE_B, 1, rng)
    found = frontier(world.market, problem)
    assert found is not None
    figure = frontier_figure(
        found, title="What less tracking error costs", value_usd=float(problem.value_usd[0])
    )
    figure.update_layout(template=None, height=460)
    FILE.write_text(figure.to_json() + "\n")


if __name__ == "__main__":
    main()
