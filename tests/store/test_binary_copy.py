"""What NumPy sends, PostgreSQL reads, and sends back the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from allotment.store import binary_copy
from allotment.store.binary_copy import Json, Nullable, Slices

BIG = 2**63 - 1


def make_table(firm, *columns: str) -> None:
    firm.connection().execute("DROP TABLE IF EXISTS pg_temp.t")
    firm.connection().execute(f"CREATE TEMP TABLE t ({', '.join(columns)})")


def test_every_type_arrives(firm) -> None:
    make_table(
        firm,
        "a bigint", "b integer", "c smallint", "d double precision", "e boolean", "f date",
        "g text", "h bytea", "i jsonb", "j bigint", "k bytea", "l smallint",
    )  # fmt: skip
    firm.copy_in(
        "t",
        {
            "a": np.array([BIG, -BIG - 1, 0]),
            "b": np.array([-1, 2**31 - 1, 0], np.int32),
            "c": np.array([-1, 127, -128], np.int8),
            "d": np.array([0.1, np.nan, -np.inf]),
            "e": np.array([True, False, True]),
            "f": np.array(["1999-12-31", "NaT", "2024-02-29"], "M8[D]"),
            "g": pa.array(["é", None, ""]),
            "h": [b"\0\xff", None, b""],
            "i": Json(['{"x": 1}', None, "[]"]),
            "j": Nullable(np.array([1, 2, 3]), np.array([False, True, False])),
            "k": Slices(np.frombuffer(b"abcdef", np.uint8), np.array([1, 0, 4]), np.array([2, -1, 0])),
            "l": np.array([7, 8, 9], np.int16),
        },
    )
    rows = (
        firm.connection().execute("SELECT a, b, c, d::text, e, f::text, g, h, i, j, k, l FROM t").fetchall()
    )
    assert rows == [
        (BIG, -1, -1, "0.1", True, "1999-12-31", "é", b"\0\xff", {"x": 1}, 1, b"bc", 7),
        (-BIG - 1, 2**31 - 1, 127, "NaN", False, None, None, None, None, None, None, 8),
        (0, 0, -128, "-Infinity", True, "2024-02-29", "", b"", [], 3, b"", 9),
    ]


def test_long_columns_go_in_several_pieces(firm, monkeypatch) -> None:
    monkeypatch.setattr(binary_copy, "_ROWS_AT_ONCE", 7)
    make_table(firm, "a bigint", "g text")
    n = 23
    texts = pa.array([None if i % 5 == 0 else "x" * i for i in range(n)])
    assert firm.copy_in("t", {"a": np.arange(n), "g": texts}) == n
    rows = firm.connection().execute("SELECT a, g FROM t ORDER BY a").fetchall()
    assert rows == list(enumerate(texts.to_pylist()))


def test_nothing_is_copied_from_no_rows(firm) -> None:
    make_table(firm, "a bigint")
    assert firm.copy_in("t", {"a": np.empty(0, np.int64)}) == 0


def test_columns_come_back_as_arrays(firm) -> None:
    make_table(
        firm, "k integer", "a bigint", "b real", "d double precision", "e boolean", "f date", "h bytea"
    )
    rng = np.random.default_rng(1)
    n = 500
    sent = {
        "k": np.sort(rng.integers(0, 9, n)).astype(np.int32),
        "a": rng.integers(-BIG, BIG, n),
        "d": rng.normal(size=n),
        "e": rng.random(n) < 0.5,
        "f": rng.integers(0, 20_000, n).astype("M8[D]"),
    }
    sent["f"][3] = np.datetime64("NaT")
    blobs = [None if i % 4 == 0 else bytes([i % 256]) * (i % 7) for i in range(n)]
    firm.copy_in("t", {**sent, "h": blobs})
    query = sql.SQL("SELECT k, a, d, e, coalesce(f, '-infinity') AS f, h FROM t ORDER BY k")
    found = firm.columns(query, tuple(sent), by="k", blobs=("h",))
    for name, column in sent.items():
        np.testing.assert_array_equal(found[name], column)
        assert found[name].dtype == column.dtype
    got = found["h"]
    pieces = [got.data[got.offsets[i] : got.offsets[i + 1]].tobytes() for i in range(n)]
    assert pieces == [blob or b"" for blob in blobs]


def test_columns_of_nothing_are_empty(firm) -> None:
    make_table(firm, "k integer", "f date", "h bytea")
    found = firm.columns(sql.SQL("SELECT * FROM t"), ("k", "f"), by="k", blobs=("h",))
    assert (len(found["k"]), found["k"].dtype, found["f"].dtype) == (0, np.int32, np.dtype("M8[D]"))
    assert found["h"].offsets.tolist() == [0]


def test_columns_see_the_own_transaction_and_arrow_what_is_committed(firm, book) -> None:
    query = sql.SQL("SELECT max(version) AS version FROM household")
    with firm.transaction() as connection:
        connection.execute("UPDATE household SET version = 60 WHERE household_id = 2")
        assert firm.columns(query, ("version",), by="version")["version"].tolist() == [60]
        assert firm.arrow(query)["version"].to_pylist() == [0]


def rows_of(columns: list[Any]) -> list[tuple[bytes | None, ...]]:
    """The stream read field by field, as the manual describes it."""
    data = b"".join(bytes(piece) for piece in binary_copy.encode(columns))
    assert data[:19] == b"PGCOPY\n\xff\r\n\0" + bytes(8)
    at, found = 19, []
    while (count := int.from_bytes(data[at : at + 2], "big", signed=True)) >= 0:
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            length = int.from_bytes(data[at : at + 4], "big", signed=True)
            at += 4
            row.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        found.append(tuple(row))
    assert at == len(data) - 2
    return found


TEXTS = st.lists(
    st.one_of(st.none(), st.sampled_from([b"", b"ab", b"abc", bytes(100)])), min_size=1, max_size=12
)


@given(TEXTS, st.booleans(), st.integers(0, 3), st.integers(1, 5))
def test_rows_of_one_width_are_the_same_bytes(
    texts: list[bytes | None], alike: bool, gap: int, at_once: int
) -> None:
    """Slices side by side, apart, or one for all; numbers, dates and nulls beside them."""
    texts = texts[:1] * len(texts) if alike else texts
    data, starts = b"", []
    for text in texts:
        starts.append(len(data))
        data += (text or b"") + b"x" * gap
    lengths = np.array([-1 if text is None else len(text) for text in texts])
    days = np.array(["NaT" if text is None else "2000-01-03" for text in texts], "M8[D]")
    numbers = np.arange(len(texts)) - 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binary_copy, "_ROWS_AT_ONCE", at_once)
        found = rows_of(
            [
                numbers,
                Slices(np.frombuffer(data, np.uint8), np.array(starts), lengths),
                days,
                Nullable(numbers, lengths < 0),
                Slices.repeated("all", len(texts)),
            ]
        )
    assert found == [
        (
            int(number).to_bytes(8, "big", signed=True),
            text,
            None if text is None else (2).to_bytes(4, "big"),
            None if text is None else int(number).to_bytes(8, "big", signed=True),
            b"all",
        )
        for number, text in zip(numbers, texts, strict=True)
    ]
