"""Events as they are stored: facts about accounts, never changed, only reversed or corrected.

An event is named by its ledger sequence, the order in which it became known. What it means for
lots is law (`tax`); what it means for cash is `ledger.cash`; what a later event withdraws or puts
right is `ledger.corrections`. Openings, incoming transfers, gifts and inheritances are one event
with a payload of lots; a lot is named by (event, line of the payload), line 0 for the lot of a
purchase. See docs/internals/ledger.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Self

import numpy as np

from allotment.book.household import Account, AccountKind
from allotment.book.venue import Relief, Venue
from allotment.tax.transactions import LotMethod
from allotment.units import Bools, Codes, Dates, Index, Ints


class EventKind(IntEnum):
    """What happened. Codes below 64 are the tax kinds of `tax.transactions.Kind` by the same
    number; from 64 on it is cash alone."""

    OPENING = 1  # lots payload: what the account held when its record here began
    BUY = 2
    REINVEST = 3
    SELL = 4
    SPLIT = 5  # terms
    SPIN_OFF = 6  # terms
    STOCK_MERGER = 7  # terms
    MIXED_MERGER = 8  # terms
    CASH_MERGER = 9  # terms
    RETURN_OF_CAPITAL = 10  # terms; + amount, the cash received
    RIGHTS = 11  # terms
    EXERCISE_RIGHTS = 12  # terms name the stock; - amount, the price paid
    SYMBOL_CHANGE = 13  # terms
    WORTHLESS = 14
    OPTION_BUY = 15  # calls, in underlying shares; - amount
    OPTION_EXERCISE = 16  # terms name the stock; - amount, the price paid
    GIFT_IN = 17  # lots payload: with the giver's basis and holding period
    INHERIT = 18  # lots payload: at the value on the day of death
    DONATE = 19
    TRANSFER = 20  # in kind to `other_account_id` of the same household
    TRANSFER_OUT = 21  # in kind, leaves our books
    SHORT_SELL = 22  # + amount
    COVER = 23  # - amount
    RELABEL = 24  # to sleeve `other_account_id` of the same account
    TAXABLE_MERGER = 25  # terms; + amount, the cash received
    TAXABLE_SPIN_OFF = 26  # terms
    SPLIT_OFF = 27  # terms
    IRA_DISTRIBUTION = 28  # in kind to `other_account_id`, at the market value `amount`
    TRANSFER_IN = 40  # lots payload: in kind from outside

    DEPOSIT = 64  # + amount
    WITHDRAWAL = 65  # - amount
    DIVIDEND = 66  # + amount, received on `settles`
    INTEREST = 67  # + amount
    FEE = 68  # - amount; `detail` is a FeeKind
    WITHHOLDING = 69  # - amount
    PAYMENT_IN_LIEU = 70  # + amount, of a dividend on lent shares
    CASH_ADJUSTMENT_IN = 71  # + amount
    CASH_ADJUSTMENT_OUT = 72  # - amount
    OPENING_CASH = 73  # + amount: cash when the record began
    CASH_TRANSFER = 74  # - amount here, + amount in `other_account_id`
    SLEEVE_CASH = 75  # - amount in its sleeve, + amount in sleeve `other_account_id` of the account

    ACCOUNT_OPENED = 96
    ACCOUNT_CLOSED = 97
    DISCRETION_BEGINS = 98  # from this day on we decide: performance composites ask
    DISCRETION_ENDS = 99
    ACCOUNT_LINKED = 100  # from this day on the account belongs to its household (`ledger.linking`)
    ACCOUNT_UNLINKED = 101  # from this day on no longer
    REVERSAL = 112  # withdraws the event `reverses`; nothing stands in its place


class FeeKind(IntEnum):
    """What a fee was for: the `detail` of a FEE."""

    OTHER = 0
    MANAGEMENT = 1
    CUSTODY = 2
    TRANSACTION = 3
    DEPOSITARY = 4  # of depositary receipts
    WIRE = 5


PROVISIONAL = 1  # the `detail` of a corporate action whose terms may change, of lots whose basis will come

_PAYLOAD = (EventKind.OPENING, EventKind.TRANSFER_IN, EventKind.GIFT_IN, EventKind.INHERIT)
_EXTERNAL = (
    *_PAYLOAD,
    EventKind.OPENING_CASH,
    EventKind.DEPOSIT,
    EventKind.WITHDRAWAL,
    EventKind.DONATE,
    EventKind.TRANSFER,
    EventKind.TRANSFER_OUT,
    EventKind.CASH_TRANSFER,
    EventKind.IRA_DISTRIBUTION,
)
PAYLOAD_KINDS = np.array(sorted(_PAYLOAD), np.int8)
EXTERNAL_KINDS = np.array(sorted(_EXTERNAL), np.int8)  # flows that no manager's decision explains


@dataclass(frozen=True, slots=True, kw_only=True)
class LotsPayload:
    """Lots that events bring with them, all events' lines one after the other. Shape (n_lines,)."""

    security_id: Ints
    sleeve_id: Ints  # 0: the sleeve of the event
    side: Codes  # +1 long
    quantity_nano: Ints
    basis_cents: Ints
    loss_basis_cents: Ints
    acquired: Dates
    holding_from: Dates
    purchased: Dates  # NaT when not acquired by purchase
    order_id: (
        Ints  # parent order of the purchase; lots of one order share it; 0: unknown, a purchase of its own
    )
    absorbed: Codes
    covered: Codes
    basis_state: Codes  # book.lots.BasisState

    def __post_init__(self) -> None:
        n = self.security_id.shape
        for part in fields(self):
            assert getattr(self, part.name).shape == n, part.name

    def __len__(self) -> int:
        return int(self.security_id.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTerms:
    """Terms of corporate actions, one row per distinct action, shape (n_terms,). Fields as in
    `tax.transactions.Terms`, with a security id in place of a position."""

    other_security_id: Ints  # 0 none
    new_parts: Ints
    old_parts: Ints
    cash_nano: Ints  # billionths of a dollar per share held
    lieu_nano: Ints  # billionths of a dollar per whole new share; 0: fractions are kept
    old_price_nano: Ints
    new_price_nano: Ints
    allocate: Codes

    def __post_init__(self) -> None:
        n = self.other_security_id.shape
        for part in fields(self):
            assert getattr(self, part.name).shape == n, part.name

    def __len__(self) -> int:
        return int(self.other_security_id.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events of one household or a whole book, in any order; the fold sorts them by household,
    effective day, `day_seq`, `ledger_seq`. Columns of shape (n_events,) unless said.

    Quantities and amounts are never negative; the kind gives the direction. `amount_cents`:
    whole cost of a purchase, net proceeds of a sale, or the cash moved. For kinds with a
    payload, security, quantity and amount are 0.
    """

    ledger_seq: Ints  # the event's id, ≥ 1, unique
    household_id: Ints
    account_id: Ints
    sleeve_id: Ints  # 0: the account's first sleeve
    effective: Dates  # trade date, ex-date, day of the movement
    day_seq: Ints  # order of execution within the day
    kind: Codes  # EventKind
    security_id: Ints  # 0 when the event has none
    quantity_nano: Ints
    amount_cents: Ints
    settles: Dates  # NaT where nothing settles later
    order_id: Ints  # parent order of a fill; 0: the event is its own
    other_account_id: Ints  # account of TRANSFER, CASH_TRANSFER and IRA_DISTRIBUTION; sleeve of RELABEL
    # and SLEEVE_CASH; else 0
    detail: Codes  # FEE: FeeKind; PROVISIONAL; else 0
    reverses: Ints  # event of the household that this one withdraws or puts right, 0 none
    terms_ix: Index  # row of `terms`, -1 none
    lots_start: Ints = field(metadata={"column": False})  # (n_events + 1,) offsets into `lots`
    lots: LotsPayload = field(metadata={"column": False})
    named_start: Ints = field(metadata={"column": False})  # (n_events + 1,) offsets into the named lots
    named_event: Ints = field(metadata={"column": False})  # (n_named,) event that made the lot
    named_line: Index = field(metadata={"column": False})  # (n_named,) line of its payload, else 0
    named_quantity_nano: Ints = field(metadata={"column": False})  # (n_named,)
    terms: EventTerms = field(metadata={"column": False})

    def __post_init__(self) -> None:
        n = self.ledger_seq.shape
        for part in fields(self):
            if part.metadata.get("column", True):
                assert getattr(self, part.name).shape == n, part.name
        assert self.lots_start.shape == self.named_start.shape == (n[0] + 1,)
        assert int(self.lots_start[-1]) == len(self.lots)
        named = self.named_event.shape
        assert self.named_line.shape == self.named_quantity_nano.shape == named
        assert int(self.named_start[-1]) == named[0]

    def __len__(self) -> int:
        return int(self.ledger_seq.shape[0])

    @property
    def is_external_flow(self) -> Bools:
        """True where securities or cash come from, or go to, somewhere outside the account."""
        return np.isin(self.kind, EXTERNAL_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTable:
    """Accounts at hand, shape (n_accounts,), ascending by household, then account.

    `account_ix` everywhere in the ledger's results is a row of this table.
    """

    account_ids: Ints
    household_ids: Ints
    taxpayer_ids: Ints
    taxable: Codes  # 1 taxable, 0 IRA and Roth IRA
    method: Codes  # tax.transactions.LotMethod, the standing instruction
    fifo_by_holding: Codes
    sleeve_ids: Ints  # (n_sleeves,) ascending; may be empty
    sleeve_ix: Index  # (n_sleeves,) position of that sleeve inside its account

    def __post_init__(self) -> None:
        n = self.account_ids.shape
        columns = (self.household_ids, self.taxpayer_ids, self.taxable, self.method, self.fifo_by_holding)
        assert all(column.shape == n for column in columns)
        assert self.sleeve_ids.shape == self.sleeve_ix.shape

    def __len__(self) -> int:
        return int(self.account_ids.shape[0])

    @classmethod
    def of_accounts(
        cls,
        accounts: Sequence[Account],
        venues: Sequence[Venue] = (),
        sleeves: Sequence[tuple[int, int]] = (),
    ) -> Self:
        """From records, in any order. `sleeves`: (sleeve_id, account_id) in the order in which
        they stand inside their account. A venue not given means FIFO by acquisition."""
        ordered = sorted(accounts, key=lambda account: (account.household_id, account.account_id))
        venue_of = {venue.code: venue for venue in venues}
        standard = Venue(code="")
        held_at = [venue_of.get(account.venue_code, standard) for account in ordered]
        seen: dict[int, int] = {}
        places = []
        for sleeve_id, account_id in sleeves:
            places.append((sleeve_id, seen.get(account_id, 0)))
            seen[account_id] = seen.get(account_id, 0) + 1
        places.sort()
        return cls(
            account_ids=np.array([account.account_id for account in ordered], np.int64),
            household_ids=np.array([account.household_id for account in ordered], np.int64),
            taxpayer_ids=np.array([account.taxpayer_id for account in ordered], np.int64),
            taxable=np.array([account.kind is AccountKind.TAXABLE for account in ordered], np.int8),
            method=np.array([_METHOD[venue.relief] for venue in held_at], np.int8),
            fifo_by_holding=np.array([venue.fifo_by_holding_from for venue in held_at], np.int8),
            sleeve_ids=np.array([sleeve_id for sleeve_id, _ in places], np.int64),
            sleeve_ix=np.array([place for _, place in places], np.int32),
        )


_METHOD = {
    Relief.FIFO: LotMethod.FIFO,
    Relief.LIFO: LotMethod.LIFO,
    Relief.HIFO: LotMethod.HIFO,
    Relief.MIN_TAX: LotMethod.MIN_TAX_DOLLARS,
}


def no_dates(n: int) -> Dates:
    """A column of n missing days."""
    return np.full(n, np.datetime64("NaT", "D"))
