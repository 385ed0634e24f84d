"""Many messages hashed at once have the hashes that the library gives each."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.ledger import chain
from allotment.ledger.digests import digests


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 300), st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_each_message_has_the_hash_that_the_library_gives_it(n: int, length: int, seed: int) -> None:
    messages = np.random.default_rng(seed).integers(0, 256, (n, length)).astype(np.uint8)
    assert [one.tobytes() for one in digests(messages)] == [
        sha256(one.tobytes()).digest() for one in messages
    ]


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 119, 120, 128, 1000])
def test_the_ends_of_blocks(length: int) -> None:
    messages = np.full((65, length), 0xA5, np.uint8)
    assert {one.tobytes() for one in digests(messages)} == {sha256(b"\xa5" * length).digest()}


def test_columns_of_a_larger_array_are_read_as_rows() -> None:
    wide = np.arange(600, dtype=np.int64).astype(np.uint8).reshape(20, 30)
    assert digests(wide[:, 3:9])[7].tobytes() == sha256(wide[7, 3:9].tobytes()).digest()


@given(st.lists(st.binary(max_size=3), max_size=60))
def test_leaves_of_many_lengths_stay_in_their_order(events: list[bytes]) -> None:
    assert [one.tobytes() for one in chain.leaves(events)] == [chain.leaf(event) for event in events]


def test_a_long_event_among_short_ones() -> None:
    events = [b"short", bytes(5000)] * 20
    assert [one.tobytes() for one in chain.leaves(events)] == [chain.leaf(event) for event in events]
