"""The fields of a ledger file: how each is read, and which type has which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from allotment.tax.dividend import Payment
from allotment.tax.transactions import Kind, LotMethod
from allotment.units import parse_cents, parse_nano, parse_scaled

NANO = 1_000_000_000
_SHARES_PER_CONTRACT = 100
_DAYS_MAX = 181  # the longest window of §246(c)
_DAYS = frozenset(str(days) for days in range(_DAYS_MAX + 1))
LIMIT = 2**60  # cents and billionths of a share; beyond it sums could leave 64 bits


class RefusedError(Exception):
    """A field that cannot be used: what was found, and the remedy."""


def _money(text: Any) -> int:
    return _number(text, parse_cents, "an amount in dollars such as 1234.56")


def _quantity(text: Any) -> int:
    shares = _number(text, parse_nano, "a number of shares such as 12.5")
    if shares == 0:
        raise RefusedError("a quantity of zero; give a positive number")
    return shares


def _price(text: Any) -> int:
    return _number(text, lambda value: parse_scaled(value, NANO), "dollars per share such as 12.50")


def _number(text: Any, parse: Callable[[str], int], wanted: str) -> int:
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise RefusedError(f"found {text!r}; give {wanted}")
    try:
        value = parse(str(text))
    except ValueError as error:
        raise RefusedError(f"{error}; give {wanted}") from None
    if value < 0:
        raise RefusedError(f"found {text!r}, which is negative; give {wanted}, the type says the direction")
    if value > LIMIT:
        raise RefusedError(f"found {text!r}, which is too large; give {wanted}")
    return value


def read_day(text: Any) -> date:
    """A calendar day."""
    try:
        day = date.fromisoformat(text) if isinstance(text, str) and len(text) == 10 else None
    except ValueError:
        day = None
    if day is None:
        raise RefusedError(f"found {text!r}; give a date as YYYY-MM-DD")
    return day


def read_name(text: Any) -> str:
    """A symbol, an account or a lot."""
    if not isinstance(text, str) or not text:
        raise RefusedError(f"found {text!r}; give a name")
    return text


def _ratio(text: Any) -> tuple[int, int]:
    """new:old, or the number of new shares per old one, both in billionths."""
    parts = str(text).split(":")
    if len(parts) > 2:
        raise RefusedError(f"found {text!r}; give a ratio as new:old such as 3:2")
    wanted = "a ratio as new:old such as 3:2"
    new, old = (_number(part, lambda value: parse_scaled(value, NANO), wanted) for part in (*parts, "1")[:2])
    if new == 0 or old == 0:
        raise RefusedError(f"found {text!r}; both sides of a ratio are positive, such as 3:2")
    return new, old


def _contracts(text: Any) -> int:
    return _quantity(text) * _SHARES_PER_CONTRACT


def _flag(value: Any) -> int:
    if not isinstance(value, bool):
        raise RefusedError(f"found {value!r}; give true or false")
    return int(value)


def _days(value: Any) -> int:
    days = int(value) if isinstance(value, str) and value in _DAYS else -1  # numbers are read as text
    if days < 0:
        raise RefusedError(f"found {value!r}; give a number of days up to {_DAYS_MAX}")
    return days


def _payment(value: Any) -> Payment:
    kinds = {payment.name.lower(): payment for payment in Payment}
    if not isinstance(value, str) or value not in kinds:
        raise RefusedError(f"found {value!r}; give one of {', '.join(kinds)}")
    return kinds[value]


def _lots(value: Any) -> list[tuple[str, int]]:
    if not isinstance(value, list) or not value:
        raise RefusedError(f"found {value!r}; give lots as [[lot id, quantity], …]")
    lots = []
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 2:
            raise RefusedError(f"found {entry!r} among the lots; give [lot id, quantity]")
        lots.append((read_name(entry[0]), _quantity(entry[1])))
    return lots


def _method(value: Any) -> int:
    names = [method.name.lower() for method in LotMethod]
    if value not in names:
        raise RefusedError(f"found {value!r}; give one of {', '.join(names)}")
    return names.index(value)


PARSE: dict[str, Callable[[Any], Any]] = {
    "qty": _quantity,
    "amount": _money,
    "lots": _lots,
    "method": _method,
    "settle": read_day,
    "identified": read_day,
    "ratio": _ratio,
    "cil_price": _price,
    "child": read_name,
    "parent_fmv": _price,
    "child_fmv": _price,
    "to_fmv": _price,
    "cash": _price,
    "rights": read_name,
    "allocate": _flag,
    "stock_fmv": _price,
    "right_fmv": _price,
    "option": read_name,
    "contracts": _contracts,
    "donor_basis": _money,
    "donor_acq": read_day,
    "price": _price,
    "from": read_name,
    "to": read_name,
    "per_share": _price,
    "fmv": _money,
    "final": _flag,
    "ex_date": read_day,
    "kind": _payment,
    "preferred": _flag,
    "declared": read_day,
    "record": read_day,
    "is_fund": _flag,
    "hedged_days": _days,
    "strike": _price,
    "deep_in_the_money": _flag,
}

# Fields of each type besides id, date, type, symbol and account; a "?" marks optional ones.
FIELDS: dict[str, tuple[Kind, str]] = {
    "buy": (Kind.BUY, "qty amount settle?"),
    "reinvest": (Kind.REINVEST, "qty amount settle?"),
    "sell": (Kind.SELL, "qty amount lots? method? settle? identified?"),
    "split": (Kind.SPLIT, "ratio cil_price?"),
    "spinoff": (Kind.SPIN_OFF, "child ratio parent_fmv child_fmv cil_price?"),
    "stock_merger": (Kind.STOCK_MERGER, "to ratio cil_price?"),
    "mixed_merger": (Kind.MIXED_MERGER, "to ratio to_fmv cash cil_price?"),
    "cash_merger": (Kind.CASH_MERGER, "cash"),
    "roc": (Kind.RETURN_OF_CAPITAL, "per_share"),
    "rights": (Kind.RIGHTS, "rights per_share allocate? stock_fmv right_fmv cil_price?"),
    "exercise_rights": (Kind.EXERCISE_RIGHTS, "rights qty amount lots?"),
    "symbol_change": (Kind.SYMBOL_CHANGE, "to"),
    "worthless": (Kind.WORTHLESS, ""),
    "option_buy": (Kind.OPTION_BUY, "option contracts amount settle?"),
    "option_exercise": (Kind.OPTION_EXERCISE, "option contracts amount lots?"),
    "gift_in": (Kind.GIFT_IN, "qty donor_basis fmv donor_acq"),
    "inherit": (Kind.INHERIT, "qty fmv"),
    "donate": (Kind.DONATE, "qty price? lots? method?"),
    "transfer": (Kind.TRANSFER, "from to lots"),
    "short_sell": (Kind.SHORT_SELL, "qty amount settle?"),
    "cover": (Kind.COVER, "qty amount settle?"),
    "option_sell": (Kind.SELL, "option contracts amount lots? method? settle? identified?"),
    "option_expire": (Kind.SELL, "option contracts lots?"),
    "taxable_merger": (Kind.TAXABLE_MERGER, "to ratio to_fmv cash?"),
    "taxable_spinoff": (Kind.TAXABLE_SPIN_OFF, "child ratio child_fmv"),
    "split_off": (Kind.SPLIT_OFF, "to ratio qty lots? method?"),
    "taxable_stock_dividend": (Kind.OPEN_LOT, "qty fmv"),
    "liquidation": (Kind.RETURN_OF_CAPITAL, "per_share final?"),
    "ira_distribution": (Kind.IRA_DISTRIBUTION, "from to qty fmv lots?"),
}
# Types that move no lot and never reach the fold.
FACTS: dict[str, str] = {
    "dividend": "per_share ex_date? kind? preferred? declared? record? is_fund? hedged_days?",
    "put_buy": "option contracts amount strike? deep_in_the_money?",
    "put_write": "option contracts amount strike? deep_in_the_money?",
}
ACTIONS = frozenset(
    {"split", "spinoff", "stock_merger", "mixed_merger", "cash_merger", "roc", "rights", "symbol_change"}
    | {"worthless", "taxable_merger", "taxable_spinoff", "liquidation"}
)
SHARED = ("id", "date", "type", "symbol", "account")
IGNORED = ("note", "memo", "settle", "identified")  # allowed on every transaction
