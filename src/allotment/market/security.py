"""Securities: one permanent id each, identifiers that change over time, share-class groups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class SecurityKind(StrEnum):
    """What the law and the desk treat differently."""

    COMMON = "common"
    PREFERRED = "preferred"
    ETF = "etf"
    FUND = "fund"
    ADR = "adr"
    OPTION = "option"
    RIGHT = "right"
    BOND = "bond"
    PRIVATE = "private"


# Kinds that accounts may hold and this program neither buys nor sells: they are carried with the
# custodian's basis and price, and count in value, risk and cash.
CARRIED_KINDS = frozenset({SecurityKind.BOND, SecurityKind.PRIVATE})


class IdentifierKind(StrEnum):
    """Names under which the world knows a security from one day to another."""

    TICKER = "ticker"
    CUSIP = "cusip"
    ISIN = "isin"
    SEDOL = "sedol"
    FIGI = "figi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """One security; `code` is permanent and ours, tickers live in `Identifier`."""

    security_id: int
    code: str
    name: str
    kind: SecurityKind = SecurityKind.COMMON
    sector: str = ""
    industry: str = ""
    issuer: str = ""
    # Securities with one group code are substantially identical; `group_units` of the group's
    # unit equal one share (BRK.A = 1,500 BRK.B).
    group_code: str = ""
    group_units: float = 1.0

    @property
    def is_carried(self) -> bool:
        """True for what is held and never traded by this program."""
        return self.kind in CARRIED_KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """`value` names the security from `start` to `end`, both included; None = still."""

    security_id: int
    kind: IdentifierKind
    value: str
    start: date
    end: date | None = None
