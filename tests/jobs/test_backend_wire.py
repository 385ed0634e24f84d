"""The record that crosses to a program: what is written is what is read, and the page tells all of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allotment.jobs.backend_wire import read_trades, size_most, write_problems
from allotment.optimize import SolveOptions
from allotment.optimize.backend import BackendError, Reply
from allotment.optimize.tangled import Feature, random_problem

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "backends.md"
MARKET, PROBLEMS = random_problem(np.random.default_rng(4), 6, n_accounts=2, features=sorted(Feature))


def read(data: bytes) -> pa.RecordBatch:
    return pa.ipc.open_stream(data).read_next_batch()


def answer(**columns: list[float]) -> bytes:
    batch = pa.record_batch({name: pa.array([one], pa.list_(pa.float64())) for name, one in columns.items()})
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, batch.schema) as stream:
        stream.write_batch(batch)
    return bytes(out.getvalue())


def test_every_column_crosses_unchanged() -> None:
    row = read(write_problems(MARKET, PROBLEMS, SolveOptions(te_price=5.0)))
    assert row.column("n_factors").to_pylist() == [MARKET.loadings.shape[1]]
    assert row.column("te_price").to_pylist() == [5.0]
    for record in (MARKET, PROBLEMS):
        for name, column in record._asdict().items():
            (crossed,) = row.column(name).to_pylist()
            np.testing.assert_array_equal(np.array(crossed, column.dtype).reshape(column.shape), column, name)


@pytest.mark.skipif(bool(os.environ.get("ALLOTMENT_TEST_INSTALLED")), reason="the pages are not installed")
def test_the_page_names_every_column() -> None:
    row = read(write_problems(MARKET, PROBLEMS, SolveOptions()))
    text = PAGE.read_text()
    assert [name for name in row.schema.names if f"`{name}`" not in text] == []


def test_an_answer_is_read_to_the_bit_and_has_room() -> None:
    sold = np.random.default_rng(1).random(len(PROBLEMS.lot_weight)).tolist()
    bought = np.zeros(len(PROBLEMS.held)).tolist()
    data = answer(sold=sold, bought=bought, bound=[0.5])
    made = read_trades(data)
    assert made.trades.sold.tolist() == sold
    assert made.bound is not None
    assert made.bound.tolist() == [0.5]
    assert len(data) < size_most(PROBLEMS)
    assert read_trades(answer(sold=sold, bought=bought)).bound is None


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_stream_with_changed_bytes_is_read_or_refused_but_never_worse(data: st.DataObject) -> None:
    stream = bytearray(answer(sold=[0.1, 0.2, 0.3], bought=[0.0, 0.4]))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(stream[: data.draw(st.integers(0, len(stream)))])
    for one in (bytes(stream), cut):
        assert reply_to(one) in {Reply.TAKEN, Reply.GARBAGE}


def reply_to(data: bytes) -> Reply:
    try:
        read_trades(data)
    except BackendError as refused:
        return refused.reply
    return Reply.TAKEN
