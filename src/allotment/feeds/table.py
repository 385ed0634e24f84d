"""A documented file as typed columns with the line of every row, and every mistake in its cells.

`read_table` reads CSV or Parquet; `typed` makes the columns and is shared with other notations
(`feeds.toml_rows`). Rules over several cells are `feeds.checks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from allotment.errors import BadFileError, BadRow
from allotment.feeds import cells
from allotment.feeds.cells import Fault
from allotment.feeds.lines import split_lines
from allotment.feeds.schema import DECIMALS, Bound, Column, Schema, Type
from allotment.units import Bools, Codes, Dates, Floats, Index, Ints, as_day

_WORDS = {Type.CODE, Type.TEXT, Type.CHOICE, Type.YESNO, Type.LIST, Type.PAIRS}
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Words:
    """A column of texts: a code per row into the distinct values. "" stands for an empty cell."""

    codes: Index  # (n,)
    values: tuple[str, ...]

    def each(self) -> list[str]:
        """The text of every row."""
        values = self.values
        return [values[code] for code in self.codes.tolist()]

    def mapped(self, numbers: Sequence[int]) -> Ints:
        """Per row the number that stands for its value; `numbers` is in the order of `values`."""
        return np.asarray(numbers, np.int64)[self.codes] if self.values else np.empty(0, np.int64)


@dataclass(slots=True)
class Table:
    """The rows of one file. Every column has shape (n,)."""

    schema: Schema
    file: str  # its name, for messages
    lines: Ints  # (n,) line of each row
    given: frozenset[str]  # columns that the file has
    columns: dict[str, Any] = field(repr=False)
    empty: dict[str, Bools] = field(repr=False)  # cells left empty, their default filled in
    faulty: dict[str, Bools] = field(repr=False)  # cells that `bad` speaks of
    bad: list[BadRow] = field(repr=False)

    def __len__(self) -> int:
        return int(self.lines.shape[0])

    def words(self, name: str) -> Words:
        """A column of type CODE, TEXT, CHOICE, LIST or PAIRS."""
        found = self.columns[name]
        assert isinstance(found, Words)
        return found

    def ints(self, name: str) -> Ints:
        """A column of type MONEY, SHARES, PRICE or WHOLE, in its smallest unit."""
        found: Ints = self.columns[name]
        return found

    def floats(self, name: str) -> Floats:
        """A column of type NUMBER; NaN where empty without default."""
        found: Floats = self.columns[name]
        return found

    def days(self, name: str) -> Dates:
        """A column of type DATE; NaT where empty."""
        found: Dates = self.columns[name]
        return found

    def yes(self, name: str) -> Bools:
        """A column of type YESNO."""
        words = self.words(name)
        return words.mapped([_YES.get(word, False) for word in words.values]).astype(np.bool_)

    def sound(self, *names: str) -> Bools:
        """Rows none of whose cells in these columns has been refused."""
        good = np.ones(len(self), np.bool_)
        for name in names:
            good &= ~self.faulty[name]
        return good

    def refuse(self, rows: Any, column: str, found: Sequence[str] | str, remedy: str) -> None:
        """Note a mistake at each of the rows (positions), one text for all or one each."""
        positions = np.asarray(rows, np.int64)
        texts = [found] * len(positions) if isinstance(found, str) else found
        for line, text in zip(self.lines[positions].tolist(), texts, strict=True):
            self.bad.append(BadRow(self.file, line, column, text, remedy))
        if column:
            self.faulty[column][positions] = True

    def check(self) -> None:
        """Raise BadFileError when anything was refused."""
        if self.bad:
            order = {column.name: at for at, column in enumerate(self.schema.columns)}
            raise BadFileError(sorted(self.bad, key=lambda row: (row.line, order.get(row.column, -1))))


def read_table(path: Path, schema: Schema, asof: date, data: bytes | None = None) -> Table:
    """The typed columns of a CSV or Parquet file; mistakes are in `Table.bad`.

    asof: the day of the import, after which facts of the past cannot lie. data: the file's
    bytes, when they are at hand. Raises BadFileError when the file cannot be read as a table.
    """
    name = path.name
    if path.suffix.lower() in {".parquet", ".pq"}:
        columns, lines, bad = _parquet(path, data)
    else:
        columns, lines, bad = _csv(path.read_bytes() if data is None else data, name)
    return typed(columns, lines, bad, schema, asof, name)


def _csv(data: bytes, name: str) -> tuple[dict[str, pa.ChunkedArray], Ints, list[BadRow]]:
    import pyarrow.csv as pacsv

    split = split_lines(data, name)
    bad = list(split.bad)
    repeated = sorted({column for column in split.header if split.header.count(column) > 1})
    if repeated:
        raise BadFileError([BadRow(name, 1, c, "the column stands twice", "keep one") for c in repeated])
    if len(split.header) == 1 and any(mark in split.header[0] for mark in ";\t|"):
        found = f"found the header {split.header[0][:60]!r}"
        raise BadFileError([BadRow(name, 1, "", found, "separate the columns with commas")])
    if not split.header or (bad and bad[0].line <= 1):
        raise BadFileError(bad)
    if not len(split.body):
        rows = [] if bad else [BadRow(name, 1, "", "found a header and no rows", "leave an empty file out")]
        return {c: _no_cells() for c in split.header}, split.numbers, bad + rows
    table = pacsv.read_csv(
        pa.BufferReader(split.body),
        read_options=pacsv.ReadOptions(column_names=list(split.header), block_size=1 << 24),
        parse_options=pacsv.ParseOptions(newlines_in_values=False),
        convert_options=pacsv.ConvertOptions(
            column_types={column: pa.string() for column in split.header}, strings_can_be_null=False
        ),
    )
    assert table.num_rows == split.numbers.shape[0]
    return dict(zip(split.header, table.columns, strict=True)), split.numbers, bad


def _no_cells() -> pa.ChunkedArray:
    return pa.chunked_array([], pa.string())


def _parquet(path: Path, data: bytes | None) -> tuple[dict[str, pa.ChunkedArray], Ints, list[BadRow]]:
    """Every column as text, exactly; rows are numbered as lines of a CSV, from 2."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data) if data is not None else path)
    except (pa.ArrowException, OSError) as error:
        found = f"cannot be read as Parquet ({error})"
        raise BadFileError([BadRow(path.name, 0, "", found, "write the file again")]) from None
    columns, bad = {}, []
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns[name] = _as_text(column)
        except pa.ArrowException:
            found = f"the column holds {column.type}"
            bad.append(BadRow(path.name, 1, name, found, "store text, numbers or days"))
            columns[name] = pa.chunked_array([pa.repeat("", table.num_rows)])
    if not table.num_rows:
        bad.append(BadRow(path.name, 1, "", "found no rows", "leave an empty file out"))
    return columns, np.arange(table.num_rows, dtype=np.int64) + 2, bad


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    text = pc.cast(column, pa.string())
    if pa.types.is_timestamp(kind):
        text = pc.replace_substring_regex(text, r" 00:00:00(\.0+)?$", "")
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        # A float is the shortest decimal that means it; exponents are written out.
        scientific = np.flatnonzero(pc.match_substring_regex(text, "[eE]").fill_null(False).to_numpy())
        if scientific.size:
            words = text.to_pylist()
            for row in scientific.tolist():
                words[row] = format(Decimal(words[row]), "f")
            text = pa.chunked_array([pa.array(words, pa.string())])
    return pc.fill_null(text, "")


def typed(
    found: dict[str, pa.ChunkedArray],
    lines: Ints,
    bad: list[BadRow],
    schema: Schema,
    asof: date,
    file: str,
) -> Table:
    """Columns of text as the schema's types, with defaults filled in."""
    table = Table(schema, file, lines, frozenset(found), {}, {}, {}, bad)
    known = ", ".join(schema.by_name)
    for name in found:
        if name not in schema.by_name:
            table.bad.append(
                BadRow(
                    file, 1, name, f"unknown column {name!r}", f"remove it or rename it; known are {known}"
                )
            )
    for column in schema.columns:
        if column.name not in found and column.required:
            table.bad.append(
                BadRow(file, 1, column.name, "the column is missing", f"add it: {column.meaning}")
            )
        cell = found.get(column.name)
        if cell is None:
            cell = pa.chunked_array([pa.repeat("", len(table))])
        _add(table, column, cell, asof)
    return table


def _add(table: Table, column: Column, text: pa.ChunkedArray, asof: date) -> None:
    values: Any
    if column.type in _WORDS:
        values, fault = _words(column, text)
    elif column.type is Type.DATE:
        values, fault = cells.days(text)
        if column.past:
            fault[values > as_day(asof)] = Fault.FUTURE
    elif column.type is Type.NUMBER:
        values, fault = cells.floats(text)
    else:
        values, fault = cells.scaled(text, DECIMALS[column.type])
    empty = fault == Fault.EMPTY
    if not isinstance(values, Words) and column.type is not Type.DATE:
        _judge(column, values, fault)
        if column.default:
            values[empty] = _default(column)
    table.columns[column.name], table.empty[column.name] = values, empty
    if not column.required or column.name not in table.given:
        fault[empty] = Fault.NONE
    table.faulty[column.name] = fault != Fault.NONE
    rows = np.flatnonzero(fault)
    if rows.size:
        shown = text.take(pa.array(rows)).to_pylist()
        for row, cell in zip(rows.tolist(), shown, strict=True):
            what = _found(column, Fault(fault[row]), cell, asof)
            table.bad.append(BadRow(table.file, int(table.lines[row]), column.name, what, _remedy(column)))


def _default(column: Column) -> float | int:
    if column.type is Type.NUMBER:
        return float(column.default)
    value, fault = cells.scaled(pa.chunked_array([[column.default]]), DECIMALS[column.type])
    assert not fault.any()
    return int(value[0])


def _judge(column: Column, values: Ints | Floats, fault: Codes) -> None:
    sound = fault == Fault.NONE
    if column.bound is Bound.POSITIVE:
        fault[sound & (values <= 0)] = Fault.NOT_POSITIVE
    elif column.bound is Bound.NOT_NEGATIVE:
        fault[sound & (values < 0)] = Fault.NEGATIVE
    if column.most is not None:
        fault[sound & (values > column.most)] = Fault.ABOVE


def _words(column: Column, text: pa.ChunkedArray) -> tuple[Words, Codes]:
    encoded = text.dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # no chunks at all
        return Words(np.empty(0, np.int32), ()), np.empty(0, np.int8)
    codes = encoded.indices.to_numpy().astype(np.int32)
    values: list[str] = encoded.dictionary.to_pylist()
    if column.type is Type.CODE:
        faults = cells.codes(encoded.dictionary)
    else:
        faults = np.array([_word_fault(column, value) for value in values], np.int8)
    if column.type in {Type.CHOICE, Type.YESNO}:
        values = [value.strip().lower() for value in values]
    elif column.type is Type.TEXT:
        values = [value.strip() for value in values]
    if column.default:
        values = [value or column.default for value in values]
    return Words(codes, tuple(values)), faults[codes]


def _word_fault(column: Column, value: str) -> Fault:
    kind = column.type
    if not value:
        return Fault.EMPTY
    if kind is Type.CHOICE and value.strip().lower() not in column.choices:
        return Fault.NOT_A_CHOICE
    if kind is Type.YESNO and value.strip().lower() not in _YES:
        return Fault.NOT_YES_NO
    if kind is Type.PAIRS and pairs(value) is None:
        return Fault.NOT_PAIRS
    return Fault.NONE


def names(value: str) -> tuple[str, ...]:
    """The names of a LIST cell."""
    return tuple(part.strip() for part in value.split(";") if part.strip())


def pairs(value: str) -> tuple[tuple[str, float], ...] | None:
    """The pairs of a PAIRS cell; a lone name counts 1. None when it is not written so."""
    made = []
    for part in names(value):
        name, _, number = part.partition("=")
        try:
            made.append((name.strip(), float(number or 1.0)))
        except ValueError:
            return None
        if not name.strip() or not np.isfinite(made[-1][1]):
            return None
    return tuple(made)


def _found(column: Column, fault: Fault, cell: str, asof: date) -> str:
    if fault is Fault.EMPTY:
        return "found nothing"
    reason = {
        Fault.TOO_MANY_DECIMALS: f" has more than {DECIMALS.get(column.type, 0)} decimals",
        Fault.TOO_LARGE: " is too large",
        Fault.NOT_IN_CALENDAR: " is not a day from 1900 to 2199",
        Fault.BLANKS: " has blanks or unprintable characters around or inside it",
        Fault.NEGATIVE: " is negative",
        Fault.NOT_POSITIVE: " is not above zero",
        Fault.ABOVE: f" is above {column.most}",
        Fault.FUTURE: f" is after {asof}, the day of the import",
    }.get(fault, "")
    shown = cell if len(cell) <= 60 else cell[:57] + "…"
    return f"found {shown!r}{reason}" if not reason else f"{shown!r}{reason}"


def _remedy(column: Column) -> str:
    kind = column.type
    if kind is Type.CHOICE:
        return f"give one of {', '.join(column.choices)}"
    wanted = {
        Type.CODE: "a code",
        Type.TEXT: "a text",
        Type.DATE: "a day as YYYY-MM-DD" + (", not after the day of the import" if column.past else ""),
        Type.MONEY: "dollars as 1234.56",
        Type.SHARES: "shares as 12.5, with at most 9 decimals",
        Type.PRICE: "dollars as 171.48, with at most 6 decimals",
        Type.NUMBER: "a number as 0.25",
        Type.WHOLE: "a whole number",
        Type.YESNO: "yes or no",
        Type.LIST: "names separated by semicolons",
        Type.PAIRS: "name=number, separated by semicolons",
    }[kind]
    bound = {Bound.ANY: "", Bound.NOT_NEGATIVE: ", zero or more", Bound.POSITIVE: ", above zero"}[
        column.bound
    ]
    most = f", at most {column.most:g}" if column.most is not None else ""
    return f"give {wanted}{bound}{most}"
