"""Scratch arrays of one thread, made once per chunk and used for one account after another.

Names, pieces and segments are explained in `curves`, the multipliers in `dual`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allotment.units import Bools, Codes, Floats, Index

PIECES_PER_NAME = 8
CANDIDATES_MAX = 96


class Workspace(NamedTuple):
    """Arrays long enough for the largest account of a batch; see `make_workspace` for lengths."""

    # Per name.
    benchmark: Floats
    held: Floats
    curvature: Floats  # κ d
    slack: Floats  # 1 / (κ d): how far the weight moves per unit of price
    utility: Floats
    q: Floats  # price of a unit of weight: (Bπ) − u + Σ μ a
    q_step: Floats  # change of q over a whole Newton step
    q_trial: Floats
    weight: Floats  # minimiser at q
    free: Floats  # `slack` where the minimiser moves with q, 0 at a kink
    free_counted: Floats  # what the Hessian holds of it now
    phi: Floats  # minimum of the name's cost at q
    phi_chosen: Floats
    weight_chosen: Floats
    chosen: Index  # piece of the branch that is fixed
    preferred: Index  # piece of the exact minimum over all branches
    answer_piece: Index
    answer_weight: Floats
    asset: Index
    group_next: Index  # next member of the name's group, −1 at the end
    in_group: Bools  # the name's group has another member
    group_head: Index  # first names of the groups with more than one member
    piece_from: Index
    lot_order_from: Index
    entry_from: Index

    # By the market's group number: last name seen, −1 outside an account.
    group_last: Index
    asset_seen: Bools  # by position in the market, for finding duplicates

    # Per piece.
    piece_low: Floats
    piece_high: Floats
    piece_cost: Floats  # at the high end, fixed charge included
    piece_mode: Codes
    segment_from: Index

    # Per segment.
    segment_low: Floats
    segment_slope: Floats

    # Per lot: the sellable lots of each name by rising rate.
    lot_order: Index
    lot_rate: Floats  # tax + half-spread + charge per weight

    # Per multiplier: k factors, the budget, the rows.
    theta: Floats
    theta_trial: Floats
    step: Floats
    gradient: Floats
    bound_theta: Floats  # multipliers of the best lower bound
    answer_theta: Floats  # multipliers at which the best answer was found
    lower: Floats  # ends of Σw and of the rows; unused for factors
    upper: Floats
    price: Floats  # of leaving them
    value: Floats  # factor exposures Bᵀ(w−b), Σw, row values
    benchmark_value: Floats  # Bᵀb; 0 beyond the factors
    fixed: Bools
    residual: Floats
    hessian: Floats  # (K, K)
    factor: Floats  # its Cholesky factor

    # Row entries by name.
    entry_row: Index
    entry_coefficient: Floats

    # Candidates of the branch search.
    candidate: Index  # first name of a single or of a group
    candidate_cost: Floats  # change of D when it flips, prices as they are
    candidate_piece: Index  # piece that a single name would take, or −1 − mode for a group
    candidate_in: Bools
    candidate_norm: Floats
    candidate_delta: Floats
    candidate_image: Floats  # (candidates, K) L⁻¹ E Δw


_FIELDS = Workspace._fields
_NAME_COLUMNS = _FIELDS[: _FIELDS.index("group_last")]


def make_workspace(
    n_names: int, n_lots: int, n_rows: int, n_entries: int, n_factors: int, n_groups: int, n_assets: int
) -> Workspace:
    """A workspace for accounts of at most these sizes; `n_groups` is 1 + the largest group number."""
    n_pieces = PIECES_PER_NAME * n_names + 1
    n_segments = 4 * n_lots + 6 * n_names + 1
    n_multipliers = n_factors + 1 + n_rows
    lengths = dict.fromkeys(_NAME_COLUMNS, n_names + 1)
    lengths |= {"group_last": n_groups, "asset_seen": n_assets}
    lengths |= dict.fromkeys(("piece_low", "piece_high", "piece_cost", "piece_mode"), n_pieces)
    lengths |= {"segment_from": n_pieces + 1, "segment_low": n_segments, "segment_slope": n_segments}
    lengths |= {"lot_order": n_lots, "lot_rate": n_lots}
    lengths |= {"entry_row": n_entries, "entry_coefficient": n_entries}
    candidates = [name for name in _FIELDS if name.startswith("candidate")]
    lengths |= dict.fromkeys(candidates, CANDIDATES_MAX)
    shapes: dict[str, tuple[int, ...]] = {
        "hessian": (n_multipliers, n_multipliers),
        "factor": (n_multipliers, n_multipliers),
        "candidate_image": (CANDIDATES_MAX, n_multipliers),
    }
    columns = {}
    hints = Workspace.__annotations__
    types = {"Floats": np.float64, "Index": np.int32, "Bools": np.bool_, "Codes": np.int8}
    for name in Workspace._fields:
        shape = shapes.get(name, (lengths.get(name, n_multipliers),))
        columns[name] = np.zeros(shape, types[hints[name].__forward_arg__])
    columns["group_last"][:] = -1
    return Workspace(**columns)
