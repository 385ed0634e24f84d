from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from allotment.errors import UsageError
from allotment.feeds.folder import find_files, guess_kind


def test_names_tell_the_kind(tmp_path: Path) -> None:
    for name, kind in {
        "lots.csv": "lots",
        "Prices-2024.parquet": "prices",
        "index_weights 2024-01.csv": "index_weights",
        "corporate-actions.csv": "corporate_actions",
        "mandates_q1.toml": "mandates",
    }.items():
        assert guess_kind(tmp_path / name) == kind


def test_columns_tell_the_kind_where_the_name_does_not(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_bytes(b"\xef\xbb\xbfaccount,amount\r\nA,1\r\n")
    assert guess_kind(tmp_path / "export.csv") == "cash"
    pl.DataFrame({"security": ["A"], "date": ["2024-01-02"], "name": ["esg"], "value": [1]}).write_parquet(
        tmp_path / "x.parquet"
    )
    assert guess_kind(tmp_path / "x.parquet") == "scores"
    (tmp_path / "other.csv").write_text("a,b\n")
    assert guess_kind(tmp_path / "other.csv") == ""


def test_files_that_others_need_come_first(tmp_path: Path) -> None:
    for name in ("lots.csv", "accounts.csv", "securities.csv", "README.md", "households.csv", "prices.csv"):
        (tmp_path / name).write_text("x\n")
    assert [file.kind for file in find_files([tmp_path])] == [
        "securities",
        "prices",
        "households",
        "accounts",
        "lots",
    ]


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        find_files([tmp_path / "no"])
    with pytest.raises(UsageError, match="holds no"):
        find_files([tmp_path])
    with pytest.raises(UsageError, match="no kind 'lot'"):
        find_files([tmp_path], "lot")
    for name in ("weights.parquet", "prices_2021_2023.parquet"):
        (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match="folder of market history"):
        find_files([tmp_path])
