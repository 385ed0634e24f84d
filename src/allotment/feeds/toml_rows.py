"""Files written as TOML: one `[[…]]` table per row, keys as the columns of the CSV.

A list is a TOML array, pairs are an inline table; columns that all rows share stand once at the head,
where the schema allows it:

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
from allotment.feeds.schema import Schema
from allotment.feeds.table import Table, typed

_AT_LINE = re.compile(r"\(at line (\d+),")


def read_toml(data: bytes, file: str, schema: Schema, asof: date) -> Table:
    """The rows of a TOML file as the columns of the schema, which names its table."""
    assert schema.toml
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
    unknown = sorted(set(found) - {schema.toml, "schema_version", *schema.toml_head})
    if unknown:
        allowed = ", ".join(("schema_version", *schema.toml_head))
        raise _refused(
            file, 0, f"unknown key {unknown[0]!r}", f"give only {allowed} and [[{schema.toml}]] tables"
        )
    if found.get("schema_version", schema.version) != schema.version:
        wanted = f"write it for version {schema.version}"
        raise _refused(file, 0, f"schema_version {found['schema_version']!r} is not known", wanted)
    rows = found.get(schema.toml)
    if not isinstance(rows, list) or not rows or not all(isinstance(m, dict) for m in rows):
        raise _refused(file, 0, f"found no [[{schema.toml}]] table", "write one per row")
    head = {name: found[name] for name in schema.toml_head if name in found}
    rows = [head | row for row in rows]
    opens = _opening(schema)
    lines = np.array([at for at, line in enumerate(text.splitlines(), 1) if opens.match(line)], np.int64)
    if lines.size != len(rows):
        lines = np.zeros(len(rows), np.int64)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {
        name: pa.chunked_array([pa.array([_cell(row.get(name, "")) for row in rows], pa.string())])
        for name in names
    }
    table = typed(columns, lines, [], schema, asof, file)
    table.bad = [_at_its_key(row, text, schema) for row in table.bad]
    return table


def _opening(schema: Schema) -> re.Pattern[str]:
    return re.compile(rf"^\s*\[\[\s*{schema.toml}\s*\]\]")


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


def _at_its_key(row: BadRow, text: str, schema: Schema) -> BadRow:
    """The mistake at the line of its key, looked for from the table's line to the next table, then at
    the head."""
    if not row.column:
        return row
    key = re.compile(rf"^\s*[\"']?{re.escape(row.column)}[\"']?\s*=")
    is_known = row.column in schema.by_name
    start = row.line if is_known else 0  # an unknown key is told once, wherever it stands first
    opens = _opening(schema)
    lines = text.splitlines()
    for at, line in enumerate(lines[start:], start + 1):
        if is_known and opens.match(line):
            break
        if key.match(line):
            return BadRow(row.file, at, row.column, row.found, row.remedy)
    if row.column in schema.toml_head:
        for at, line in enumerate(lines, 1):
            if opens.match(line):
                break
            if key.match(line):
                return BadRow(row.file, at, row.column, row.found, row.remedy)
    return row
