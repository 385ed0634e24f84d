"""Mandates written as TOML: one `[[mandate]]` table per version, keys as the columns of the CSV.

A list is a TOML array, pairs are an inline table:

    schema_version = 1

    [[mandate]]
    account = "A-1001-1"
    effective = 2024-01-02
    benchmark = { SP500 = 0.6, R2000 = 0.4 }
    excluded_sectors = ["Energy"]

A mistake is reported at the line of its key.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from allotment.errors import BadFileError, BadRow
from allotment.feeds.book_schemas import MANDATES
from allotment.feeds.table import Table, typed

_TABLE = re.compile(r"^\s*\[\[\s*mandate\s*\]\]")
_AT_LINE = re.compile(r"\(at line (\d+),")


def read_mandates(data: bytes, file: str, asof: date) -> Table:
    """The mandates of a TOML file as the columns of the mandates schema."""
    try:
        text = data.decode("utf-8-sig")
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _refused(file, line, "found bytes that are not UTF-8", "save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        raise _refused(
            file, int(at[1]) if at else 0, f"not valid TOML: {error}", "mend the line; strings need quotes"
        ) from None
    unknown = sorted(set(found) - {"mandate", "schema_version"})
    if unknown:
        raise _refused(
            file, 0, f"unknown key {unknown[0]!r}", "give only schema_version and [[mandate]] tables"
        )
    if found.get("schema_version", MANDATES.version) != MANDATES.version:
        wanted = f"write it for version {MANDATES.version}"
        raise _refused(file, 0, f"schema_version {found['schema_version']!r} is not known", wanted)
    mandates = found.get("mandate")
    if not isinstance(mandates, list) or not mandates or not all(isinstance(m, dict) for m in mandates):
        raise _refused(file, 0, "found no [[mandate]] table", "write one per account and version")
    lines = np.array([at for at, line in enumerate(text.splitlines(), 1) if _TABLE.match(line)], np.int64)
    if lines.size != len(mandates):
        lines = np.zeros(len(mandates), np.int64)
    names = list(dict.fromkeys(name for mandate in mandates for name in mandate))
    columns = {
        name: pa.chunked_array([pa.array([_cell(m.get(name, "")) for m in mandates], pa.string())])
        for name in names
    }
    table = typed(columns, lines, [], MANDATES, asof, file)
    table.bad = [_at_its_key(row, text) for row in table.bad]
    return table


def _refused(file: str, line: int, found: str, remedy: str) -> BadFileError:
    return BadFileError([BadRow(file, line, "", found, remedy)])


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ";".join(_cell(part) for part in value)
    if isinstance(value, dict):
        return ";".join(f"{name}={_cell(part)}" for name, part in value.items())
    return str(value)


def _at_its_key(row: BadRow, text: str) -> BadRow:
    """The mistake at the line of its key, looked for from the table's line to the next table."""
    if not row.column:
        return row
    key = re.compile(rf"^\s*[\"']?{re.escape(row.column)}[\"']?\s*=")
    is_known = row.column in MANDATES.by_name
    start = row.line if is_known else 0  # an unknown key is told once, wherever it stands first
    for at, line in enumerate(text.splitlines()[start:], start + 1):
        if is_known and _TABLE.match(line):
            break
        if key.match(line):
            return BadRow(row.file, at, row.column, row.found, row.remedy)
    return row
