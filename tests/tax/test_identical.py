"""Substantially identical groups and their units."""

from __future__ import annotations

import numpy as np

from allotment.market.security import Security
from allotment.tax.identical import IdenticalGroups, in_shares, in_units


def test_share_classes_stand_in_one_group_with_their_ratio() -> None:
    """BRK.A is 1,500 BRK.B; a security without a group code stands alone."""
    made = IdenticalGroups.of_securities(
        [
            Security(security_id=9, code="C", name="C"),
            Security(security_id=2, code="BRK.B", name="B", group_code="BRK"),
            Security(security_id=5, code="BRK.A", name="A", group_code="BRK", group_units=1500),
        ]
    )
    assert made.security_ids.tolist() == [2, 5, 9]
    assert made.group_ix.tolist() == [0, 0, 1]
    at = np.array([1, 0])
    assert in_units(np.array([2, 3]), made, at).tolist() == [3000, 3]
    assert in_shares(np.array([3000, 3]), made, at).tolist() == [2, 3]
    assert len(IdenticalGroups.alone(np.array([4, 4, 1]))) == 2
