"""A model of one's own: read as given, or refused with every mistake in its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from allotment.errors import BadFileError
from allotment.feeds.references import SecurityLookup
from allotment.feeds.risk_model import read_risk_model
from allotment.market.security import Identifier, IdentifierKind, Security

LOOKUP = SecurityLookup(
    [Security(security_id=i, code=code, name=code) for i, code in ((3, "AAA"), (1, "BBB"), (2, "CCC"))],
    [Identifier(security_id=2, kind=IdentifierKind.TICKER, value="SEE", start=date(2020, 1, 1))],
)
HEADER = "schema_version = 1\nasof = 2024-01-31\n"
LOADINGS = """security,market,specific_variance,value
AAA,1.0,0.09,0.5
BBB,0.8,0.16,-0.2
ticker:SEE,1.2,4e-2,0
"""
COVARIANCE = """factor,market,value
value,0.006,0.01
market,0.04,0.006
"""


def write(folder: Path, header=HEADER, loadings=LOADINGS, covariance=COVARIANCE) -> Path:
    for name, text in (
        ("model.toml", header),
        ("loadings.csv", loadings),
        ("factor_covariance.csv", covariance),
    ):
        if text is not None:
            (folder / name).write_text(text)
    return folder


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(BadFileError) as error:
        read_risk_model(folder, LOOKUP)
    return [str(row) for row in error.value.rows]


def test_the_covariance_comes_out_as_it_went_in(tmp_path) -> None:
    model = read_risk_model(write(tmp_path), LOOKUP)
    assert model.asof == date(2024, 1, 31)
    assert model.security_ids.tolist() == [1, 2, 3]
    assert model.factor_names == ("market", "value")
    B = np.array([[0.8, -0.2], [1.2, 0.0], [1.0, 0.5]])
    truth = B @ np.array([[0.04, 0.006], [0.006, 0.01]]) @ B.T + np.diag([0.16, 0.04, 0.09])
    found = model.loadings @ model.loadings.T + np.diag(model.specific_variance)
    np.testing.assert_allclose(found, truth, rtol=1e-12)


def test_parquet_is_the_same_model(tmp_path) -> None:
    csv = read_risk_model(write(tmp_path), LOOKUP)
    for name in ("loadings", "factor_covariance"):
        pl.read_csv(tmp_path / f"{name}.csv").write_parquet(tmp_path / f"{name}.parquet")
        (tmp_path / f"{name}.csv").unlink()
    assert read_risk_model(tmp_path, LOOKUP).version == csv.version


def test_one_mistake_does_not_hide_the_next(tmp_path) -> None:
    folder = write(
        tmp_path,
        header="schema_version = 1\nasof = 2024-01-31\nunit = 'daily'\n",
        loadings="security,market,specific_variance\nAAA,one,0.09\nNIL,1,0.04\nBBB,1,-0.1\nAAA,1,0.2\nCCC,,0.1\n",
        covariance="factor,market,size\nmarket,0.04,0\nsize,0,0.01\n",
    )
    found = "\n".join(mistakes(folder))
    for part in (
        "model.toml [unit]: unknown key",
        "loadings.csv:2 [market]",
        "loadings.csv:3 [security]: unknown security 'NIL'",
        "loadings.csv:4 [specific_variance]",
        "loadings.csv:5 [security]: 'AAA' names a security that stands in the file already",
        "loadings.csv:6 [market]",
        "factor_covariance.csv:1 [size]: no such factor",
        "factor_covariance.csv:3 [factor]: no such factor 'size'",
    ):
        assert part in found
    assert len(found.splitlines()) == 8


def test_two_names_of_one_security_are_refused(tmp_path) -> None:
    (found,) = mistakes(write(tmp_path, loadings=LOADINGS + "CCC,1,0.1,0\n"))
    assert found.startswith(
        "loadings.csv:5 [security]: 'CCC' names a security that stands in the file already"
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"header": None}, "model.toml: the file is missing"),
        ({"header": "asof = "}, "not valid TOML"),
        ({"header": "schema_version = 2\nasof = 2024-01-31"}, "this program reads version 1"),
        ({"header": "schema_version = 1\nasof = '2024-01-31'"}, "write a day"),
        ({"loadings": None}, "loadings.csv: the file is missing"),
        ({"loadings": "security,specific_variance\nAAA,0.1\n"}, "no factor columns"),
        ({"covariance": "factor,market\nmarket,0.04\n"}, "[value]: the column is missing"),
        ({"covariance": "factor,market,value\nmarket,0.04,0.006\n"}, "factor 'value' has 0 rows"),
        ({"covariance": COVARIANCE.replace("value,0.006", "value,0.007")}, "not symmetric"),
        ({"covariance": COVARIANCE.replace("0.006", "0.03")}, "not positive semidefinite"),
    ],
)
def test_each_refusal_says_what_to_do(tmp_path, changes, says: str) -> None:
    found = mistakes(write(tmp_path, **changes))
    assert any(says in row for row in found)
    assert all("; " in row for row in found)


def test_two_files_of_one_name_are_refused(tmp_path) -> None:
    (write(tmp_path) / "loadings.parquet").write_bytes(b"")
    assert mistakes(tmp_path)[0].startswith("loadings.csv: there are 2 files of this name")
