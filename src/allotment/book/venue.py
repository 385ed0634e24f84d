"""What the place where an account is held can do with orders and lots."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LotMode(StrEnum):
    """How a sale tells which lots it closes."""

    NAMED = "named"  # the order or its allocation lists lots
    METHOD = "method"  # a relief method for the order
    DEFAULT = "default"  # only the account's standing method


class Relief(StrEnum):
    """The order in which a method closes lots."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    MIN_TAX = "min_tax"


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A custodian's capabilities, as data."""

    code: str
    share_step_nano: int = 1  # smallest tradable fraction; 1_000_000_000 means whole shares
    lot_mode: LotMode = LotMode.NAMED
    relief: Relief = Relief.FIFO
    fifo_by_holding_from: bool = False
    lots_per_order_max: int = 0  # 0 = no limit
