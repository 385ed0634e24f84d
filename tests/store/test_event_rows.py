"""Ids that events are numbered by."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allotment.store.event_rows import numbers_as_ids, packed_ids


@given(st.lists(st.one_of(st.integers(0, 10**13), st.integers(-5, 10**12)), min_size=1, max_size=20))
def test_numbers_become_ids(numbers: list[int]) -> None:
    packed = packed_ids(np.array(numbers))
    ends = packed.starts + packed.lengths
    found = [packed.data[a:b].tobytes().decode() for a, b in zip(packed.starts, ends, strict=True)]
    assert found == numbers_as_ids(np.array(numbers)) == ["#" + str(one).rjust(12, "0") for one in numbers]
