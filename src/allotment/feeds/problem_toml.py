"""problem.toml of ``allotment optimize``: cash, risk, tax, trading and bounds of groups.

Every mistake is told at the line of its key. docs/reference/files/optimize.md is the page.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from allotment.errors import BadRow

FILE = "problem.toml"
RELIEFS = ("lots", "fifo", "lifo", "hifo")
_VERSION = 1
_AT_LINE = re.compile(r"\(at line (\d+),")
_TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[A-Za-z0-9_.\-]+)\s*=""")
_USD_MOST = 1e15
_ACTIVE_MOST = 10.0  # of account value: no bound at all
_STEP_MIN = Decimal("1e-12")  # shares


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemTerms:
    """What problem.toml says. Money in dollars, rates and weights as fractions."""

    as_of: date
    cash: Decimal
    cash_min: float
    cash_max: float
    risk_price: float  # κ; 0 when the tracking error is limited instead
    te_max: float  # annual; infinite without
    factor_variance: tuple[float, ...]
    short_rate: float
    long_rate: float
    loss_value: float
    basis_value: float
    gain_budget: float  # dollars; infinite without
    gain_budget_short: float
    gain_budget_long: float
    half_spread_bps: float
    trade_usd_min: float
    holding_usd_min: float
    ticket_usd: float
    closed_lot_usd: float
    share_step: Decimal  # 0: any fraction
    turnover_max: float  # one-way; infinite without
    relief: str
    groups: Mapping[str, Mapping[str, tuple[float, float]]]  # group, value → least and most active weight


@dataclass(frozen=True, slots=True)
class _Number:
    """A key that holds one number between two ends."""

    low: float
    high: float
    default: float | None = None  # None: the key is needed


_FRACTION = _Number(0.0, 1.0)
_COST = _Number(0.0, 1e9, 0.0)
_BUDGET = _Number(-_USD_MOST, _USD_MOST, math.inf)
_NUMBERS: Mapping[str, Mapping[str, _Number]] = {
    "account": {
        "cash": _Number(-_USD_MOST, _USD_MOST),
        "cash_min": _Number(0.0, 1.0, 0.0),
        "cash_max": _Number(0.0, 1.0, 1.0),
    },
    "risk": {"price": _Number(1e-9, 1e9, 0.0), "te_max": _Number(1e-9, 10.0, math.inf)},
    "tax": {
        "short_rate": _FRACTION,
        "long_rate": _FRACTION,
        "loss_value": _Number(0.0, 1.0, 1.0),
        "basis_value": _Number(0.0, 1.0, 0.0),
        "gain_budget": _BUDGET,
        "gain_budget_short": _BUDGET,
        "gain_budget_long": _BUDGET,
    },
    "trading": {
        "half_spread_bps": _Number(0.0, 1e4, 0.0),
        "trade_usd_min": _COST,
        "holding_usd_min": _COST,
        "ticket_usd": _COST,
        "closed_lot_usd": _COST,
        "share_step": _Number(0.0, 1e9, 0.0),
        "turnover_max": _Number(0.0, 1e3, math.inf),
    },
}
_OTHERS = {"account": ("as_of",), "risk": ("factor_variance",), "trading": ("relief",)}


class _Reader:
    """The document with the line of each key, and the mistakes found so far."""

    def __init__(self, text: str, found: Mapping[str, Any]) -> None:
        self.found = found
        self.bad: list[BadRow] = []
        self.lines = _lines(text)

    def refuse(self, path: str, found: str, remedy: str) -> None:
        """Note a mistake at a dotted path, or at the table that holds it."""
        line = self.lines.get(path) or self.lines.get(path.rpartition(".")[0], 0)
        self.bad.append(BadRow(FILE, line, path, found, remedy))

    def table(self, name: str) -> Mapping[str, Any]:
        """A table of the document; empty when it is not there or no table."""
        found = self.found.get(name, {})
        return found if isinstance(found, dict) else {}

    def number(self, path: str, value: Any, low: float, high: float) -> float | None:
        """A number within its ends, else a mistake."""
        remedy = f"give a number from {low:g} to {high:g}"
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.refuse(path, f"found {_shown(value)}", remedy)
        elif (isinstance(value, Decimal) and value.is_nan()) or not low <= value <= high:
            self.refuse(path, f"{_shown(value)} is out of range", remedy)
        else:
            return float(value)
        return None


def read_terms(data: bytes) -> tuple[ProblemTerms | None, list[BadRow], Mapping[str, int]]:
    """What the file says, its mistakes, and the line of each key by its dotted path.

    The terms are None exactly when there are mistakes.
    """
    try:
        text = data.decode("utf-8-sig")
        reader = _Reader(text, tomllib.loads(text, parse_float=Decimal))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return None, [BadRow(FILE, line, "", "found bytes that are not UTF-8", "save the file as UTF-8")], {}
    except (ValueError, ArithmeticError, RecursionError) as error:
        at = _AT_LINE.search(str(error))
        found = f"not valid TOML: {str(error)[:200]}"
        return None, [BadRow(FILE, int(at[1]) if at else 0, "", found, "mend the line")], {}
    _known_keys(reader)
    numbers = _numbers(reader)
    as_of = _day(reader)
    relief = reader.table("trading").get("relief", "lots")
    if relief not in RELIEFS:
        reader.refuse("trading.relief", f"found {_shown(relief)}", f"give one of {', '.join(RELIEFS)}")
    variance = _factor_variance(reader)
    groups = _groups(reader)
    _agree(reader, numbers)
    if reader.bad or as_of is None:
        return None, reader.bad, reader.lines
    exact = {key: Decimal(reader.table(table).get(key, 0)) for table, key in _EXACT}
    numbers["risk_price"] = numbers.pop("price")
    terms: dict[str, Any] = numbers | exact
    return (
        ProblemTerms(as_of=as_of, relief=relief, factor_variance=variance, groups=groups, **terms),
        [],
        reader.lines,
    )


_EXACT = (("account", "cash"), ("trading", "share_step"))


def _lines(text: str) -> Mapping[str, int]:
    """The first line of each table and key, by dotted path."""
    lines: dict[str, int] = {}
    table = ""
    for at, line in enumerate(text.splitlines(), 1):
        if head := _TABLE.match(line):
            table = ".".join(part.strip(" \t\"'") for part in head[1].split("."))
            lines.setdefault(table, at)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{key[1].strip(chr(34) + chr(39))}".removeprefix("."), at)
    return lines


def _known_keys(reader: _Reader) -> None:
    tables = [*_NUMBERS, "groups"]
    for name, value in reader.found.items():
        if name == "schema_version":
            if isinstance(value, bool) or value != _VERSION:
                reader.refuse(
                    name, f"version {_shown(value)} is not known", f"write it for version {_VERSION}"
                )
        elif name not in tables:
            reader.refuse(name, f"unknown key {_shown(name)}", f"remove it; tables are {', '.join(tables)}")
        elif not isinstance(value, dict):
            reader.refuse(name, f"found {_shown(value)}", f"make it a table, [{name}]")
        elif name != "groups":
            known = (*_OTHERS.get(name, ()), *_NUMBERS[name])
            for key in value:
                if key not in known:
                    remedy = f"remove it or rename it; known are {', '.join(known)}"
                    reader.refuse(f"{name}.{key}", f"unknown key {_shown(key)}", remedy)


def _numbers(reader: _Reader) -> dict[str, float]:
    """Every number by its key; what is refused or left out has its default."""
    made: dict[str, float] = {}
    for table, keys in _NUMBERS.items():
        given = reader.table(table)
        for key, limits in keys.items():
            path = f"{table}.{key}"
            value: float | None = limits.default
            if key in given:
                value = reader.number(path, given[key], limits.low, limits.high)
            elif value is None:
                reader.refuse(path, "the key is missing", f"write {key} = … under [{table}]")
            made[key] = math.nan if value is None else value
    return made


def _agree(reader: _Reader, numbers: Mapping[str, float]) -> None:
    """Rules over two keys."""
    if numbers["cash_min"] > numbers["cash_max"]:
        found = f"cash_min {numbers['cash_min']:g} is above cash_max {numbers['cash_max']:g}"
        reader.refuse("account.cash_min", found, "give a band, least first")
    step = reader.table("trading").get("share_step", 0)
    if numbers["share_step"] > 0 and step < _STEP_MIN:
        remedy = f"give 0 for any fraction, or at least {_STEP_MIN}"
        reader.refuse("trading.share_step", f"{_shown(step)} is too small", remedy)
    given = [key for key in ("price", "te_max") if key in reader.table("risk")]
    if len(given) != 1:
        found = "price and te_max are both given" if given else "neither price nor te_max is given"
        reader.refuse("risk.te_max", found, "give one: the price of risk, or the limit of tracking error")


def _day(reader: _Reader) -> date | None:
    table = reader.table("account")
    value = table.get("as_of")
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            value = table["as_of"]
    if isinstance(value, date) and not isinstance(value, datetime):
        if 1900 <= value.year < 2200:
            return value
        reader.refuse(
            "account.as_of", f"{value} is not a day from 1900 to 2199", "give the day of the prices"
        )
        return None
    found = f"found {_shown(value)}" if "as_of" in table else "the key is missing"
    reader.refuse("account.as_of", found, "write a day as in as_of = 2024-01-31")
    return None


def _factor_variance(reader: _Reader) -> tuple[float, ...]:
    path, value = "risk.factor_variance", reader.table("risk").get("factor_variance", [])
    if not isinstance(value, list):
        reader.refuse(path, f"found {_shown(value)}", "give a list of numbers, one per factor column")
        return ()
    made = [reader.number(path, number, 0.0, 1e6) for number in value]
    return tuple(number for number in made if number is not None)


def _groups(reader: _Reader) -> dict[str, dict[str, tuple[float, float]]]:
    made: dict[str, dict[str, tuple[float, float]]] = {}
    for name, bounds in reader.table("groups").items():
        if not isinstance(bounds, dict):
            reader.refuse(f"groups.{name}", f"found {_shown(bounds)}", f"make it a table, [groups.{name}]")
            continue
        made[name] = {}
        for value, ends in bounds.items():
            path, remedy = f"groups.{name}.{value}", "give [least, most] active weight, as [-0.02, 0.02]"
            if not isinstance(ends, list) or len(ends) != 2:
                reader.refuse(path, f"found {_shown(ends)}", remedy)
                continue
            low, high = (reader.number(path, end, -_ACTIVE_MOST, _ACTIVE_MOST) for end in ends)
            if low is None or high is None:
                continue
            if low > high:
                reader.refuse(path, f"{low:g} is above {high:g}", remedy)
            made[name][value] = (low, high)
    return made


def _shown(value: Any) -> str:
    try:
        text = str(value) if isinstance(value, Decimal | date | time) else repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a nest of lists
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "…"
