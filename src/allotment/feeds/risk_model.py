"""Reading a risk model of your own: B, F and D as files in one folder.

``model.toml``             schema_version = 1, asof = the day it describes
``loadings.csv``           security, specific_variance, then one column per factor
``factor_covariance.csv``  factor, then one column per factor

Tables may be Parquet instead of CSV; everything is annual. docs/reference/files/risk-model.md
is the page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from allotment.errors import BadFileError, BadRow
from allotment.feeds.lines import split_lines
from allotment.feeds.references import SecurityLookup
from allotment.feeds.schema import Bound, Column, Schema, Type, security
from allotment.feeds.table import Table, read_table
from allotment.risk.custom import ModelRefusedError, from_arrays
from allotment.risk.model import FactorModel
from allotment.units import Ints

_VERSION = 1
_SUFFIXES = (".csv", ".parquet", ".pq")
_Declare = Callable[[Sequence[str]], Schema]  # what a file holds, given its header


def read_risk_model(folder: Path, securities: SecurityLookup) -> FactorModel:
    """The model of `folder`, its securities named by code or by an identifier of the model's day.

    Raises BadFileError with every mistake found; nothing is taken from a folder with one.
    """
    asof, bad = _read_header(folder / "model.toml")
    loadings = _read(folder, "loadings", bad, asof, _loadings_schema)
    covariance = _read(folder, "factor_covariance", bad, asof, _covariance_schema)
    if loadings is None or covariance is None:
        raise BadFileError(bad)
    ids = _ids(loadings, securities, asof)
    factors = [name for name in loadings.schema.by_name if name not in {"security", "specific_variance"}]
    _check_factors(covariance, factors)
    bad += loadings.bad + covariance.bad
    if bad:
        raise BadFileError(bad)
    rows = {name: at for at, name in enumerate(covariance.words("factor").each())}
    order = [rows[factor] for factor in factors]
    try:
        return from_arrays(
            asof=asof,
            security_ids=ids,
            factor_names=factors,
            loadings=np.column_stack([loadings.floats(factor) for factor in factors]),
            factor_covariance=np.column_stack([covariance.floats(factor)[order] for factor in factors]),
            specific_variance=loadings.floats("specific_variance"),
        )
    except ModelRefusedError as error:
        found, _, remedy = str(error).partition(". ")
        raise BadFileError([BadRow(covariance.file, 0, "", found, remedy or "mend the file")]) from error


def _read_header(path: Path) -> tuple[date, list[BadRow]]:
    """The day of the model. Mistakes are values, and then the day is the last one there is."""
    example = "write schema_version = 1 and asof = 2024-01-31"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return date.max, [BadRow(path.name, 0, "", "the file is missing", example)]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return date.max, [BadRow(path.name, 0, "", f"is not valid TOML ({error})", example)]
    bad = [
        BadRow(path.name, 0, name, "unknown key", "remove it; known are schema_version, asof")
        for name in sorted(set(found) - {"schema_version", "asof"})
    ]
    if found.get("schema_version") != _VERSION:
        shown = f"found {found.get('schema_version')!r}"
        bad.append(BadRow(path.name, 0, "schema_version", shown, f"this program reads version {_VERSION}"))
    asof = found.get("asof")
    if type(asof) is not date:
        bad.append(BadRow(path.name, 0, "asof", f"found {asof!r}", "write a day as in asof = 2024-01-31"))
        return date.max, bad
    return asof, bad


def _read(folder: Path, kind: str, bad: list[BadRow], asof: date, declare: _Declare) -> Table | None:
    paths = [folder / f"{kind}{suffix}" for suffix in _SUFFIXES if (folder / f"{kind}{suffix}").exists()]
    if len(paths) != 1:
        found = "the file is missing" if not paths else f"there are {len(paths)} files of this name"
        bad.append(BadRow(f"{kind}.csv", 0, "", found, "give one, as CSV or Parquet"))
        return None
    try:
        return read_table(paths[0], declare(_header(paths[0])), asof)
    except BadFileError as error:
        bad += error.rows
        return None


def _header(path: Path) -> list[str]:
    """Names of the columns; a file that cannot be read has none, `read_table` says why."""
    if path.suffix == ".csv":
        return list(split_lines(path.read_bytes(), path.name).header)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError):
        return []


def _loadings_schema(header: Sequence[str]) -> Schema:
    """What the loadings file holds, given its header."""
    fixed = (
        security(),
        Column(
            name="specific_variance",
            type=Type.NUMBER,
            meaning="Annual variance that the factors leave: 0.04 is 20 % a year.",
            example="0.04",
            bound=Bound.POSITIVE,
        ),
    )
    about = "Specific variance and factor loadings of each security."
    return _with_factors("loadings", about, fixed, header, "Loading on the factor of this name, 0 for none.")


def _covariance_schema(header: Sequence[str]) -> Schema:
    """What the file of factor covariances holds, given its header."""
    fixed = (Column(name="factor", type=Type.CODE, meaning="A factor of the loadings.", example="market"),)
    about = "Annual covariance of every pair of factors."
    return _with_factors(
        "factor_covariance", about, fixed, header, "Covariance with the factor of this name."
    )


def _with_factors(
    kind: str, about: str, fixed: tuple[Column, ...], header: Sequence[str], meaning: str
) -> Schema:
    names = {column.name for column in fixed}
    factors = tuple(
        Column(name=name, type=Type.NUMBER, meaning=meaning, example="0.1")
        for name in header
        if name not in names
    )
    return Schema(kind=kind, about=about, columns=fixed + factors, key=(fixed[0].name,))


def _ids(loadings: Table, securities: SecurityLookup, asof: date) -> Ints:
    """The security of each row; two names of one security are as wrong as one name twice."""
    ids = securities.ids(loadings, "security", asof)
    _, first = np.unique(ids, return_index=True)
    again = np.setdiff1d(np.flatnonzero((ids > 0) & loadings.sound("security")), first)
    names = loadings.words("security").each()
    found = [f"{names[row]!r} names a security that stands in the file already" for row in again.tolist()]
    loadings.refuse(again, "security", found, "keep one row of each")
    return ids


def _check_factors(covariance: Table, factors: Sequence[str]) -> None:
    """Rows and columns of the covariance are the factors of the loadings, each once."""
    place = covariance.file
    rows = covariance.words("factor").each()
    columns = [name for name in covariance.schema.by_name if name != "factor"]
    if not factors:
        covariance.bad.append(BadRow("loadings.csv", 1, "", "no factor columns", "add at least one"))
    for name in [name for name in factors if name not in columns]:
        covariance.bad.append(
            BadRow(place, 1, name, "the column is missing", "add every factor of the loadings")
        )
    for name in [name for name in columns if name not in factors]:
        covariance.bad.append(BadRow(place, 1, name, "no such factor in the loadings", "remove the column"))
    for name in [name for name in factors if rows.count(name) != 1]:
        found = f"factor {name!r} has {rows.count(name)} rows"
        covariance.bad.append(BadRow(place, 0, "factor", found, "give each factor of the loadings one row"))
    for at in [at for at, name in enumerate(rows) if name and name not in factors]:
        covariance.refuse([at], "factor", f"no such factor {rows[at]!r} in the loadings", "remove the row")
