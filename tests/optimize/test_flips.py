"""The local search over flips against every subset."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from allotment.optimize.flips import best_flips
from allotment.optimize.workspace import Sizes, make_workspace


def test_no_single_flip_or_pair_beats_the_found_set_and_the_promise_is_its_change() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = Sizes(
            n_accounts=1, n_names=1, n_claims=1,
            n_lots=1, n_entries=0, n_multipliers=4, n_groups=1, n_assets=1,
            pieces_per_name=1, ordered_lots=0,
        )  # fmt: skip
        candidates = make_workspace(sizes).candidates
        count, images, costs = 7, rng.normal(size=(7, 4)), rng.normal(0.5, 1.0, 7)
        residual = rng.normal(size=4)
        candidates.image[:count], candidates.cost[:count] = images, costs
        candidates.residual[:] = residual

        def cost_of(taken: np.ndarray, images=images, costs=costs, residual=residual) -> float:
            moved = residual + taken @ images
            return float(taken @ costs + (moved @ moved - residual @ residual) / 2)

        promised = best_flips(candidates, count)
        found = candidates.taken[:count].astype(float)
        assert promised == pytest.approx(cost_of(found))
        for subset in product((0.0, 1.0), repeat=count):
            if np.abs(np.array(subset) - found).sum() <= 2:
                assert cost_of(np.array(subset)) >= promised - 1e-9
