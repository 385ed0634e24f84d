"""A household to which everything happens once: an event of every kind, over two years.

Its securities are its own and trade nowhere; its accounts are closed at the end. It lets the checks of
the books (`allotment ledger verify`) meet each kind of event beside a book of thousands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from allotment.book.household import Account, AccountKind, Household, Sleeve, Taxpayer
from allotment.ledger.events import PROVISIONAL, EventKind, Events, FeeKind
from allotment.ledger.write import BroughtLot, EventWriter
from allotment.market.security import Security
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE

_NAMES = (
    "Alder", "Beech", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Larch", "Maple",
    "Oak", "Pine", "Rowan", "Spruce", "Willow", "Yew",
)  # fmt: skip
_CONTRACTS = ("Right on Oak", "Call on Pine")


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryKind:
    """The household and its events; ids follow those given."""

    securities: tuple[Security, ...]
    household: Household
    taxpayer: Taxpayer
    accounts: tuple[Account, ...]  # taxable, taxable, IRA
    sleeves: tuple[Sleeve, ...]
    events: Events


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstIds:
    """The first free number of each table."""

    security: int
    household: int
    taxpayer: int
    account: int
    sleeve: int


def every_kind(first: FirstIds, venue_code: str) -> EveryKind:
    """The household, from 2023 to 2024, with ids from `first` on."""
    securities = tuple(
        Security(security_id=first.security + i, code=f"X-{name.upper().replace(' ', '-')}", name=name)
        for i, name in enumerate((*_NAMES, *_CONTRACTS))
    )
    kinds = (AccountKind.TAXABLE, AccountKind.TAXABLE, AccountKind.IRA)
    accounts = tuple(
        Account(
            account_id=first.account + i,
            code=f"EVERY-{i + 1}",
            household_id=first.household,
            taxpayer_id=first.taxpayer,
            kind=kind,
            venue_code=venue_code,
            opened=date(2023, 1, 3),
            closed=date(2024, 12, 31),
        )
        for i, kind in enumerate(kinds)
    )
    homes = (0, 0, 1, 2)
    sleeves = tuple(
        Sleeve(
            sleeve_id=first.sleeve + i,
            code="core" if i != 1 else "satellite",
            account_id=accounts[home].account_id,
            manager="Manager two" if i == 1 else "Manager one",
        )
        for i, home in enumerate(homes)
    )
    story = _Story(first, accounts, sleeves)
    story.tell()
    return EveryKind(
        securities=securities,
        household=Household(household_id=first.household, code="EVERY", name="Every kind of event"),
        taxpayer=Taxpayer(taxpayer_id=first.taxpayer, code="EVERY", household_id=first.household),
        accounts=accounts,
        sleeves=sleeves,
        events=story.book.events(),
    )


class _Story:
    """Writes the events, in dollars and shares."""

    def __init__(self, first: FirstIds, accounts: tuple[Account, ...], sleeves: tuple[Sleeve, ...]) -> None:
        self.book = EventWriter()
        self.own, self.other, self.ira = (account.account_id for account in accounts)
        self.core, self.satellite, _, self.ira_sleeve = (sleeve.sleeve_id for sleeve in sleeves)
        self._household = first.household
        self._security = {name: first.security + i for i, name in enumerate((*_NAMES, *_CONTRACTS))}

    def tell(self) -> None:
        """All of it."""
        self._beginning()
        self._trading()
        self._actions()
        self._in_kind()
        self._end()

    def _beginning(self) -> None:
        day = date(2023, 1, 3)
        for account in (self.own, self.other, self.ira):
            self._event(EventKind.ACCOUNT_OPENED, day, account=account)
        self._event(EventKind.ACCOUNT_LINKED, day, account=self.ira)
        self._event(EventKind.DISCRETION_BEGINS, day)
        self._event(EventKind.OPENING, day, lots=[self._lot("Oak", 100, 5_000, date(2020, 5, 4))])
        self._event(EventKind.OPENING_CASH, day, usd=50_000)
        for account in (self.own, self.other, self.ira):
            self._event(EventKind.DEPOSIT, date(2023, 1, 4), usd=40_000, account=account)
        twice = self._event(EventKind.DEPOSIT, date(2023, 1, 4), usd=40_000)
        self._event(EventKind.REVERSAL, date(2023, 1, 4), reverses=twice)

    def _trading(self) -> None:
        for i, name in enumerate(_NAMES):
            self._event(EventKind.BUY, date(2023, 1, 5), name, 100, 2_000 + 100 * i, settles=date(2023, 1, 9))
        self._event(EventKind.SELL, date(2023, 3, 1), "Alder", 50, 800, settles=date(2023, 3, 3))
        self._event(EventKind.BUY, date(2023, 3, 10), "Alder", 20, 330, account=self.ira)
        self._event(EventKind.DIVIDEND, date(2023, 3, 15), "Oak", usd=120, settles=date(2023, 3, 31))
        self._event(EventKind.REINVEST, date(2023, 3, 31), "Oak", 2, 120)
        self._event(EventKind.INTEREST, date(2023, 3, 31), usd=7)
        self._event(EventKind.FEE, date(2023, 3, 31), usd=55, detail=FeeKind.MANAGEMENT)
        self._event(EventKind.WITHHOLDING, date(2023, 3, 31), "Oak", usd=18)
        self._event(EventKind.PAYMENT_IN_LIEU, date(2023, 3, 31), "Elm", usd=9)
        self._event(EventKind.CASH_ADJUSTMENT_IN, date(2023, 4, 3), usd=1)
        self._event(EventKind.CASH_ADJUSTMENT_OUT, date(2023, 4, 4), usd=1)
        self._event(EventKind.SHORT_SELL, date(2023, 4, 5), "Maple", 10, 400, account=self.other)
        self._event(EventKind.COVER, date(2023, 4, 12), "Maple", 10, 380, account=self.other)
        call = {"other_security_id": self._security["Pine"]}
        self._event(EventKind.OPTION_BUY, date(2023, 4, 13), "Call on Pine", 100, 150, terms=call)
        self._event(EventKind.OPTION_EXERCISE, date(2023, 6, 15), "Call on Pine", 100, 3_000, terms=call)

    def _actions(self) -> None:
        dollar = NANO_PER_SHARE
        act = self._action
        act(EventKind.SPLIT, date(2023, 7, 3), "Oak", new_parts=2)
        act(
            EventKind.SPIN_OFF,
            date(2023, 7, 5),
            "Oak",
            to="Yew",
            old_parts=4,
            old_price_nano=24 * dollar,
            new_price_nano=12 * dollar,
            lieu_nano=12 * dollar,
            detail=PROVISIONAL,
        )
        act(EventKind.STOCK_MERGER, date(2023, 7, 10), "Elm", to="Fir", old_parts=2)
        act(
            EventKind.MIXED_MERGER,
            date(2023, 8, 1),
            "Fir",
            to="Ivy",
            cash_nano=5 * dollar,
            new_price_nano=30 * dollar,
        )
        act(EventKind.RETURN_OF_CAPITAL, date(2023, 8, 15), "Hazel", cash_nano=dollar, usd=100)
        act(EventKind.CASH_MERGER, date(2023, 9, 1), "Beech", cash_nano=25 * dollar)
        act(
            EventKind.RIGHTS,
            date(2023, 9, 5),
            "Oak",
            to="Right on Oak",
            old_parts=10,
            old_price_nano=30 * dollar,
            new_price_nano=dollar,
            lieu_nano=dollar,
        )
        stock = {"other_security_id": self._security["Oak"]}
        self._event(EventKind.EXERCISE_RIGHTS, date(2023, 9, 20), "Right on Oak", 10, 200, terms=stock)
        act(EventKind.SYMBOL_CHANGE, date(2023, 10, 2), "Cedar", to="Larch")
        act(
            EventKind.TAXABLE_MERGER,
            date(2023, 10, 16),
            "Dogwood",
            to="Rowan",
            new_price_nano=40 * dollar,
            cash_nano=2 * dollar,
            usd=200,
        )
        act(
            EventKind.TAXABLE_SPIN_OFF,
            date(2023, 11, 1),
            "Spruce",
            to="Ginkgo",
            old_parts=5,
            new_price_nano=9 * dollar,
        )
        self._event(
            EventKind.SPLIT_OFF,
            date(2023, 11, 15),
            "Willow",
            40,
            terms={"other_security_id": self._security["Juniper"], "old_parts": 2},
        )
        self._event(EventKind.WORTHLESS, date(2023, 12, 1), "Pine")

    def _in_kind(self) -> None:
        given = self._lot("Hazel", 30, 400, date(2019, 3, 1), loss_usd=350, purchased=False)
        self._event(EventKind.GIFT_IN, date(2024, 1, 10), lots=[given])
        left = self._lot("Maple", 20, 900, date(2023, 2, 10), purchased=False)
        self._event(EventKind.INHERIT, date(2024, 2, 10), lots=[left])
        brought = self._lot("Ivy", 25, 700, date(2021, 6, 1))
        self._event(EventKind.TRANSFER_IN, date(2024, 3, 1), lots=[brought], detail=PROVISIONAL)
        self._event(EventKind.RELABEL, date(2024, 3, 4), "Oak", 50, to=self.satellite)
        self._event(EventKind.SLEEVE_CASH, date(2024, 3, 4), usd=1_000, to=self.satellite)
        self._event(EventKind.DONATE, date(2024, 4, 1), "Hazel", 20)
        self._event(EventKind.TRANSFER, date(2024, 4, 2), "Maple", 10, to=self.other)
        self._event(EventKind.TRANSFER_OUT, date(2024, 4, 3), "Ivy", 5)
        self._event(EventKind.CASH_TRANSFER, date(2024, 4, 4), usd=500, to=self.other)
        self._event(
            EventKind.IRA_DISTRIBUTION, date(2024, 5, 1), "Alder", 5, 90, account=self.ira, to=self.own
        )

    def _end(self) -> None:
        self._event(EventKind.WITHDRAWAL, date(2024, 12, 2), usd=1_000)
        self._event(EventKind.DISCRETION_ENDS, date(2024, 12, 30))
        self._event(EventKind.ACCOUNT_UNLINKED, date(2024, 12, 31), account=self.ira)
        for account in (self.own, self.other, self.ira):
            self._event(EventKind.ACCOUNT_CLOSED, date(2024, 12, 31), account=account)

    def _action(self, kind: EventKind, day: date, name: str, *, to: str = "", **terms: int) -> None:
        facts = {"detail": terms.pop("detail", 0), "usd": terms.pop("usd", 0)}
        if to:
            terms["other_security_id"] = self._security[to]
        self._event(kind, day, name, terms=terms, **facts)

    def _event(
        self,
        kind: EventKind,
        day: date,
        name: str = "",
        shares: int = 0,
        usd: int = 0,
        *,
        account: int = 0,
        to: int = 0,
        **more: Any,
    ) -> int:
        return self.book.write(
            kind,
            self._household,
            account or self.own,
            day,
            security_id=self._security[name] if name else 0,
            quantity_nano=shares * NANO_PER_SHARE,
            amount_cents=usd * CENTS_PER_USD,
            other_account_id=to,
            **more,
        )

    def _lot(
        self,
        name: str,
        shares: int,
        usd: int,
        acquired: date,
        *,
        loss_usd: int | None = None,
        purchased: bool = True,
    ) -> BroughtLot:
        return BroughtLot(
            security_id=self._security[name],
            quantity_nano=shares * NANO_PER_SHARE,
            basis_cents=usd * CENTS_PER_USD,
            acquired=acquired,
            loss_basis_cents=None if loss_usd is None else loss_usd * CENTS_PER_USD,
            purchased=purchased,
        )
