from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from allotment.errors import BadFileError, BadRow
from allotment.feeds.checks import check_table
from allotment.feeds.schemas import SCHEMAS
from allotment.feeds.table import Table, read_table

ASOF = date(2024, 6, 28)
Read = Callable[[str, str | bytes], Table]
Mistakes = Callable[[str, str | bytes], list[BadRow]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a CSV of a kind as of 2024-06-28, with the rules inside the file checked."""

    def of(kind: str, text: str | bytes) -> Table:
        path = tmp_path / f"{kind}.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        table = read_table(path, SCHEMAS[kind], ASOF)
        check_table(table, ASOF)
        return table

    return of


@pytest.fixture
def mistakes(read: Read) -> Mistakes:
    """Every mistake of a CSV, in the order in which they are told."""

    def of(kind: str, text: str | bytes) -> list[BadRow]:
        try:
            table = read(kind, text)
            table.check()
        except BadFileError as error:
            return list(error.rows)
        return []

    return of


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real history, when there is one."""
    folder = Path(os.environ.get("ALLOTMENT_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "securities.parquet").exists():
        pytest.skip(f"no market history in {folder}; set ALLOTMENT_TEST_DATA")
    return folder
