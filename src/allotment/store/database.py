"""The database as a whole: firms, their schemas and roles, and the sessions that work in them.

    with Store.open(settings) as store:
        store.create_firm("demo", market="market_demo")
        with store.market("market_demo") as market, store.firm("demo") as firm:
            ...

The owner role (no superuser; it may create roles) migrates and creates; work is done as the
firm's role, which reaches its own schema and reads its market, or as the market's writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from allotment.settings import Settings
from allotment.store.session import FirmStore, MarketStore

SHARED_MARKET = "market"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """One tenant."""

    name: str  # lower-case letters, digits and underscores
    market: str  # the schema whose facts it reads
    title: str = ""


class Store:
    """The database of one installation, opened and up to date."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Start or reach the server, and bring the control schema up to date.

        Raises StoreError when the server does not start or refuses.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def firms(self) -> tuple[Firm, ...]:
        """Every firm, by name."""
        raise NotImplementedError

    def create_firm(self, name: str, *, market: str = SHARED_MARKET, title: str = "") -> Firm:
        """A new firm with schema and role; its market schema is made when it is new.

        Raises UsageError for a name in use or with other characters than [a-z0-9_].
        """
        raise NotImplementedError

    def drop_firm(self, name: str) -> None:
        """Remove a firm with everything in it, and its market schema when no other firm uses
        it and it is not the shared one. Unknown names are ignored."""
        raise NotImplementedError

    def firm(self, name: str = "", *, actor: str = "") -> FirmStore:
        """A session as the firm's role; default: the setting `firm`, else the one used last.

        `actor`: the name of a known actor; default: the setting `actor`.
        Raises UsageError when there is no such firm or actor.
        """
        raise NotImplementedError

    def market(self, name: str = SHARED_MARKET, *, actor: str = "") -> MarketStore:
        """A session as the writer of a market schema."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connections; the server goes on running."""
        raise NotImplementedError
