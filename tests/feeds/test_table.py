"""Every kind of mistake in a cell, told at its line and column; clean cells come back exactly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allotment.errors import BadFileError, BadRow
from allotment.feeds.export import decimals
from allotment.feeds.schemas import SCHEMAS
from allotment.feeds.table import Table, read_table

ASOF = date(2024, 6, 28)
Mistakes = Callable[[str, str | bytes], list[BadRow]]
Read = Callable[[str, str | bytes], Table]


def only(found: list[BadRow]) -> tuple[int, str, str]:
    assert len(found) == 1, found
    return found[0].line, found[0].column, found[0].found


LOTS = "account,security,quantity,basis,acquired\nA1,AAPL,10,1500.00,2020-03-02\n"


@pytest.mark.parametrize(
    ("cell", "column", "found"),
    [
        ("A2,MSFT,ten,100,2020-03-02", "quantity", "found 'ten'"),
        ("A2,MSFT,-5,100,2020-03-02", "quantity", "'-5' is not above zero"),
        ("A2,MSFT,0,100,2020-03-02", "quantity", "'0' is not above zero"),
        ("A2,MSFT,,100,2020-03-02", "quantity", "found nothing"),
        ("A2,MSFT,1.0000000001,100,2020-03-02", "quantity", "'1.0000000001' has more than 9 decimals"),
        ("A2,MSFT,9999999999999,100,2020-03-02", "quantity", "'9999999999999' is too large"),
        ("A2,MSFT,5,100.005,2020-03-02", "basis", "'100.005' has more than 2 decimals"),
        ("A2,MSFT,5,-1,2020-03-02", "basis", "'-1' is negative"),
        ("A2,MSFT,5,1e3,2020-03-02", "basis", "found '1e3'"),
        ("A2,MSFT,5,,2020-03-02", "basis", "found nothing"),
        ("A2,MSFT,5,100,02.03.2020", "acquired", "found '02.03.2020'"),
        ("A2,MSFT,5,100,2020-02-30", "acquired", "'2020-02-30' is not a day from 1900 to 2199"),
        ("A2,MSFT,5,100,2024-06-29", "acquired", "'2024-06-29' is after 2024-06-28, the day of the import"),
        (",MSFT,5,100,2020-03-02", "account", "found nothing"),
        (
            " A2,MSFT,5,100,2020-03-02",
            "account",
            "' A2' has blanks or unprintable characters around or inside it",
        ),
    ],
)
def test_a_bad_cell_is_told_at_its_place(mistakes: Mistakes, cell: str, column: str, found: str) -> None:
    assert only(mistakes("lots", f"{LOTS}{cell}\nA3,IBM,1,1,2020-03-02\n")) == (3, column, found)


def test_the_remedy_says_how_the_cell_is_written(mistakes: Mistakes) -> None:
    row = mistakes("lots", f"{LOTS}A2,MSFT,ten,100,2020-03-02\n")[0]
    assert row.remedy == "give shares as 12.5, with at most 9 decimals, above zero"
    assert str(row).startswith("lots.csv:3 [quantity]: found 'ten'; give shares")


def test_one_mistake_does_not_hide_the_next(mistakes: Mistakes) -> None:
    found = mistakes("lots", f"{LOTS}A2,MSFT,ten,-1,never\nA3\nA4,IBM,1,1,2031-01-01\n")
    assert [(row.line, row.column) for row in found] == [
        (3, "quantity"),
        (3, "basis"),
        (3, "acquired"),
        (4, ""),
        (5, "acquired"),
    ]


def test_every_mistake_is_kept_and_twenty_are_shown(mistakes: Mistakes, tmp_path: Path) -> None:
    rows = "".join(f"A{i},IBM,x,1,2020-03-02\n" for i in range(1000))
    found = mistakes("lots", LOTS + rows)
    assert len(found) == 1000
    error = BadFileError(found)
    assert str(error).count("\n") == 21
    assert str(error).endswith("… and 980 more")


def test_unknown_missing_and_repeated_columns(mistakes: Mistakes) -> None:
    found = mistakes("households", "household,colour\nH1,red\n")
    assert only(found) == (1, "colour", "unknown column 'colour'")
    found = mistakes("households", "name\nFields\n")
    assert only(found) == (1, "household", "the column is missing")
    found = mistakes("households", "household,household\nH1,H1\n")
    assert only(found) == (1, "household", "the column stands twice")


def test_other_separators_are_told(mistakes: Mistakes) -> None:
    assert only(mistakes("households", "household;name\nH1;Fields\n"))[0] == 1


def test_a_file_without_rows(mistakes: Mistakes) -> None:
    assert only(mistakes("households", "household,name\n")) == (1, "", "found a header and no rows")
    assert only(mistakes("households", "")) == (0, "", "the file is empty")


def test_a_word_that_is_no_choice(mistakes: Mistakes) -> None:
    row = mistakes("securities", "security,name,kind\nX,X Corp,stonk\n")[0]
    assert (row.line, row.column, row.found) == (2, "kind", "found 'stonk'")
    assert row.remedy.startswith("give one of common, preferred")


def test_yes_no_and_rates(mistakes: Mistakes) -> None:
    assert only(mistakes("venues", "venue,fifo_by_holding_from\nacme,perhaps\n")) == (
        2,
        "fifo_by_holding_from",
        "found 'perhaps'",
    )
    found = mistakes("taxpayers", "taxpayer,household,short_rate\nT1,H1,37\n")
    assert only(found) == (2, "short_rate", "'37' is above 1.0")


def test_pairs_that_are_none(mistakes: Mistakes) -> None:
    found = mistakes("mandates", "account,effective,benchmark\nA1,2024-01-02,SP500=most\n")
    assert only(found) == (2, "benchmark", "found 'SP500=most'")


def test_defaults_stand_for_empty_cells(read: Read) -> None:
    table = read("venues", "venue,share_step,relief\nacme,,\nzeta,1,hifo\n")
    assert table.ints("share_step").tolist() == [1, 10**9]
    assert table.words("relief").each() == ["fifo", "hifo"]
    assert table.yes("fifo_by_holding_from").tolist() == [False, False]
    assert table.bad == []


def test_columns_in_any_order_with_quotes_and_windows_ends(read: Read) -> None:
    text = b'\xef\xbb\xbfname,household\r\n"Fields, ""Ann""",H1\r\n'
    table = read("households", text)
    assert table.words("name").each() == ['Fields, "Ann"']
    assert table.bad == []


def test_lines_count_what_an_editor_counts(mistakes: Mistakes) -> None:
    """Blank and refused lines count too: the fifth line is the fifth line."""
    text = "household,name\n\nH1,a\nH2\n H3,b\n"
    assert [(row.line, row.column) for row in mistakes("households", text)] == [(4, ""), (5, "household")]


# ── Parquet ─────────────────────────────────────────────────────────────────────────────────


def parquet(tmp_path: Path, columns: dict[str, Any]) -> Table:
    path = tmp_path / "lots.parquet"
    pq.write_table(pa.table(columns), path)
    return read_table(path, SCHEMAS["lots"], ASOF)


def lots_of(quantity: pa.Array, basis: pa.Array, acquired: pa.Array) -> dict[str, Any]:
    n = len(quantity)
    return {
        "account": ["A1"] * n,
        "security": pa.array(["AAPL"] * n).dictionary_encode(),
        "lot": [str(i) for i in range(n)],
        "quantity": quantity,
        "basis": basis,
        "acquired": acquired,
    }


def test_parquet_numbers_of_any_type_are_exact(tmp_path: Path) -> None:
    day = pa.array([date(2020, 3, 2)] * 2)
    for quantity in (
        pa.array([12.5, 1e-7]),
        pa.array([Decimal("12.5000000000"), Decimal("0.0000001")], pa.decimal128(20, 10)),
        pa.array(["12.5", "0.0000001"]),
    ):
        table = parquet(tmp_path, lots_of(quantity, pa.array([1, 3]), day))
        assert table.bad == []
        assert table.ints("quantity").tolist() == [12_500_000_000, 100]
        assert table.ints("basis").tolist() == [100, 300]


def test_parquet_floats_that_are_no_decimals_are_refused(tmp_path: Path) -> None:
    table = parquet(
        tmp_path, lots_of(pa.array([1.0, 2.0]), pa.array([0.1 + 0.2, 10.1]), pa.array([date(2020, 3, 2)] * 2))
    )
    assert only(table.bad) == (2, "basis", "'0.30000000000000004' has more than 2 decimals")


def test_parquet_times_are_days_only_at_midnight(tmp_path: Path) -> None:
    from datetime import datetime

    times = pa.array([datetime(2020, 3, 2), datetime(2020, 3, 2, 9, 30)])  # noqa: DTZ001  as files have them
    table = parquet(tmp_path, lots_of(pa.array([1, 1]), pa.array([1, 1]), times))
    assert [(row.line, row.column) for row in table.bad] == [(3, "acquired")]


def test_what_is_no_parquet(tmp_path: Path) -> None:
    path = tmp_path / "lots.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(BadFileError, match="cannot be read as Parquet"):
        read_table(path, SCHEMAS["lots"], ASOF)


def test_parquet_columns_of_lists_are_refused(tmp_path: Path) -> None:
    columns = lots_of(pa.array([1]), pa.array([[1, 2]]), pa.array([date(2020, 3, 2)]))
    table = parquet(tmp_path, columns)
    assert (table.bad[0].line, table.bad[0].column) == (1, "basis")


# ── properties ──────────────────────────────────────────────────────────────────────────────

codes = st.text('ABCDEFGHIJKLMNOPQRSTUVWXYZ.-é,"', min_size=1, max_size=6)
rows = st.lists(
    st.tuples(
        codes,
        codes,
        st.integers(1, 2**63 - 1),
        st.integers(0, 2**63 - 1),
        st.dates(date(1900, 1, 1), ASOF),
    ),
    min_size=1,
    max_size=12,
)


def frame_of(found: list[tuple[str, str, int, int, date]]) -> pl.DataFrame:
    account, security, quantity, basis, acquired = zip(*found, strict=True)
    return pl.DataFrame(
        {
            "account": account,
            "security": security,
            "quantity": decimals(pl.Series(quantity).to_numpy(), 9),
            "basis": decimals(pl.Series(basis).to_numpy(), 2),
            "acquired": acquired,
        }
    )


@given(rows, st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_clean_rows_come_back_exactly(
    tmp_path: Path, found: list[tuple[str, str, int, int, date]], as_parquet: bool
) -> None:
    path = tmp_path / ("lots.parquet" if as_parquet else "lots.csv")
    frame = frame_of(found)
    if as_parquet:
        frame.write_parquet(path)
    else:
        frame.write_csv(path)
    table = read_table(path, SCHEMAS["lots"], ASOF)
    assert table.bad == []
    assert table.words("account").each() == [row[0] for row in found]
    assert table.words("security").each() == [row[1] for row in found]
    assert table.ints("quantity").tolist() == [row[2] for row in found]
    assert table.ints("basis").tolist() == [row[3] for row in found]
    assert table.days("acquired").tolist() == [row[4] for row in found]


GARBAGE = {
    "account": ["", " A", "A\x07"],
    "security": ["", "A ", "\x7f"],
    "quantity": ["", "-1", "0", "x", "1.0000000001", "1e3", "99999999999", "1 000", "NaN"],
    "basis": ["", "-0.01", "1.001", "12,5", "$1", "--1", "1e300", "∞"],
    "acquired": ["", "2023-02-29", "20230101", "tomorrow", str(ASOF + timedelta(1)), "0001-01-01"],
}


@given(rows, st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_spoilt_cell_is_told_at_that_cell(
    read: Read, found: list[tuple[str, str, int, int, date]], data: st.DataObject
) -> None:
    frame = (
        frame_of(found)
        .with_columns(pl.all().cast(pl.String))
        .with_columns(lot=pl.int_range(pl.len()).cast(pl.String))
    )
    column = data.draw(st.sampled_from(sorted(GARBAGE)))
    row = data.draw(st.integers(0, len(found) - 1))
    frame[row, column] = data.draw(st.sampled_from(GARBAGE[column]))
    table = read("lots", frame.write_csv(quote_style="necessary"))
    assert {(bad.line, bad.column) for bad in table.bad} == {(row + 2, column)}
