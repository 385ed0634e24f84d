"""Columns packed to blobs come back bit for bit, and other layouts are refused."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.book.lots import Lots
from allotment.errors import StoreError
from allotment.rebalance.proposal import Trades
from allotment.store import packed
from allotment.units import Codes, Dates, Floats, Index, Ints


@dataclass(frozen=True, slots=True)
class Everything:
    """One column of each type."""

    wide: Ints
    narrow: Index
    small: Codes
    real: Floats
    day: Dates


LAYOUT = packed.layout_of(Everything, 7)


def columns(rows: list[tuple[int, int, int, float, int | None]]) -> Everything:
    days = np.array([np.datetime64("NaT") if row[4] is None else row[4] for row in rows], "M8[D]")
    return Everything(
        wide=np.array([row[0] for row in rows], np.int64),
        narrow=np.array([row[1] for row in rows], np.int32),
        small=np.array([row[2] for row in rows], np.int8),
        real=np.array([row[3] for row in rows], np.float64),
        day=days,
    )


ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-(2**31), 2**31 - 1),
        st.integers(-128, 127),
        st.floats(),
        st.none() | st.integers(-100_000, 100_000),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.lists(st.integers(0, 12), max_size=4))
def test_groups_come_back_as_they_went_in(rows, cuts) -> None:
    starts = np.sort(np.array([0, *[min(cut, len(rows)) for cut in cuts], len(rows)], np.int64))
    before = columns(rows)
    data, offsets = packed.pack(before, starts, LAYOUT)
    after, found = packed.unpack(data, offsets, LAYOUT, Everything)
    np.testing.assert_array_equal(found, starts)
    for f in fields(Everything):
        a, b = getattr(before, f.name), getattr(after, f.name)
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()  # NaN payloads and minus zero too


def test_the_layout_is_what_the_module_says() -> None:
    """Header, then columns big-endian: written out by hand."""
    one = columns([(-2, 3, -1, 1.5, 1)])
    data, _ = packed.pack(one, np.array([0, 1]), LAYOUT)
    expected = "414c070500000001fffffffffffffffe00000003ff3ff800000000000000000001"
    assert data.tobytes().hex() == expected


def test_the_sql_knows_the_widths() -> None:
    """The checks in migrations/firm: 15 columns of 72 bytes, 18 of 119."""
    lots = packed.layout_of(Lots, 1, without=("account_ix",))
    trades = packed.layout_of(Trades, 1)
    assert (len(lots.names), lots.row_bytes) == (15, 72)
    assert (len(trades.names), trades.row_bytes) == (18, 119)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda blob: blob[:5], "shorter than its header"),
        (lambda blob: b"XX" + blob[2:], "not of layout 7"),
        (lambda blob: blob[:2] + b"\x08" + blob[3:], "not of layout 7"),
        (lambda blob: blob[:-1], "another length"),
    ],
)
def test_a_foreign_blob_is_refused(damage, sentence) -> None:
    data, _ = packed.pack(columns([(1, 2, 3, 4.0, 5)]), np.array([0, 1]), LAYOUT)
    blob = np.frombuffer(damage(data.tobytes()), np.uint8)
    with pytest.raises(StoreError, match=sentence):
        packed.unpack(blob, np.array([0, len(blob)]), LAYOUT, Everything)
