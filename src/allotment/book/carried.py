"""What accounts hold and we do not trade: priced by the custodian."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedPrice:
    """The custodian's price of one unit of a bond, a private fund or the like, from a day on."""

    account_id: int
    security_id: int
    day: date
    price_micros: int
