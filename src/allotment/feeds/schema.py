"""What a documented file holds: one declaration that the reader, the error texts and the page
in docs/reference/files are all made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Type(Enum):
    """How a cell is written, and what it becomes."""

    CODE = "code"  # a name without blanks around it
    TEXT = "text"
    DATE = "date"  # YYYY-MM-DD
    MONEY = "money"  # dollars, at most 2 decimals -> int64 cents
    SHARES = "shares"  # at most 9 decimals -> int64 billionths
    PRICE = "price"  # dollars, at most 6 decimals -> int64 millionths
    NUMBER = "number"  # -> float64
    WHOLE = "whole number"  # -> int64
    YESNO = "yes or no"  # yes, no, true, false, 1, 0
    CHOICE = "choice"  # one of `choices`
    LIST = "list"  # names separated by ";"
    PAIRS = "pairs"  # name=number, separated by ";"


DECIMALS = {Type.MONEY: 2, Type.SHARES: 9, Type.PRICE: 6, Type.WHOLE: 0}


class Bound(Enum):
    """What a number may not be."""

    ANY = "any"
    NOT_NEGATIVE = "not negative"
    POSITIVE = "positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its name, how it is written, what it means."""

    name: str
    type: Type
    meaning: str
    example: str
    required: bool = True  # the column is there and no cell of it is empty
    default: str = ""  # what an empty cell or an absent column means, in the file's own notation
    default_meaning: str = ""  # the same in words, where no single value says it
    bound: Bound = Bound.ANY
    most: float | None = None  # the largest number allowed
    choices: tuple[str, ...] = ()
    past: bool = False  # a date that may not lie after the day of the import


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One kind of file."""

    kind: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]  # no two rows are equal in these
    needs: tuple[str, ...] = ()  # kinds that must be loaded before this one
    rules: tuple[str, ...] = ()
    version: int = 1
    # The key may be left out of a file; then no two whole rows may be equal.
    key_or_row: bool = False
    toml: str = ""  # the name of its table where it may be written as TOML
    toml_head: tuple[str, ...] = ()  # columns that may stand once, at the head of the TOML
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})
        assert all(name in self.by_name for name in self.key)


def values(kind: type[StrEnum]) -> tuple[str, ...]:
    """The values of an enumeration, in order."""
    return tuple(member.value for member in kind)


def security(meaning: str = "The security.") -> Column:
    """The column that names a security."""
    return Column(
        name="security",
        type=Type.CODE,
        meaning=f"{meaning} Our code, or an identifier such as `ticker:META` or `cusip:30303M102`.",
        example="AAPL",
    )


def optional(name: str, kind: Type, meaning: str, example: str, default: str = "") -> Column:
    """A column whose cells may be empty."""
    return Column(name=name, type=kind, meaning=meaning, example=example, required=False, default=default)


def choice(name: str, choices: tuple[str, ...], meaning: str, default: str = "") -> Column:
    """A column of one of a few words."""
    return Column(
        name=name,
        type=Type.CHOICE,
        meaning=meaning,
        example=default or choices[0],
        required=not default,
        default=default,
        choices=choices,
    )
