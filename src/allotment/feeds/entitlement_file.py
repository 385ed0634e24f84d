"""A custodian's file of entitlements: what each account received, or will, from corporate actions.

`allotment actions post` reads it; `allotment import` does not, for what it says is compared before
it is booked.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from allotment.feeds.checks import check_table
from allotment.feeds.references import Known, rows_of
from allotment.feeds.schema import Bound, Column, Schema, Type, choice, optional, security, values
from allotment.feeds.table import Table, read_table
from allotment.ledger.entitlement import Entitlement
from allotment.market.corporate_action import ActionKind

ENTITLEMENTS = Schema(
    kind="entitlements",
    about="What accounts received from corporate actions, as the custodian says.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account.", example="A-1001"),
        security("The security that was held."),
        Column(name="ex_date", type=Type.DATE, meaning="Ex-date of the action.", example="2024-04-02"),
        choice("kind", values(ActionKind), "What was done, as in the file of corporate actions."),
        optional("option", Type.CODE, "The option that was carried out.", "cash"),
        optional(
            "other",
            Type.CODE,
            "Security received; empty: the security itself, or what the announcement names.",
            "GEV",
        ),
        Column(
            name="shares",
            type=Type.SHARES,
            meaning="Shares received; of a split the change, below zero for a reverse split.",
            example="25",
            required=False,
            default="0",
        ),
        Column(
            name="cash",
            type=Type.MONEY,
            meaning="Dollars received, without cash in lieu.",
            example="0",
            required=False,
            default="0",
            bound=Bound.NOT_NEGATIVE,
        ),
        Column(
            name="lieu",
            type=Type.MONEY,
            meaning="Dollars received in lieu of a fraction.",
            example="48.11",
            required=False,
            default="0",
            bound=Bound.NOT_NEGATIVE,
        ),
        optional("pay_date", Type.DATE, "Day on which they came.", "2024-04-04"),
    ),
    key=("account", "security", "ex_date", "kind", "option"),
    needs=("accounts", "corporate_actions"),
    rules=("A row brings shares or cash, or says by zeros that nothing came.",),
)


def read_entitlements(path: Path, known: Known, asof: date) -> list[Entitlement]:
    """The file's rows; `asof` is today. Raises BadFileError with every mistake in them."""
    table = read_table(path, ENTITLEMENTS, asof)
    check_table(table, asof)
    return entitlements(table, known)


def entitlements(table: Table, known: Known) -> list[Entitlement]:
    """Rows of a checked table, names resolved."""
    rows_of(table, "account", known.accounts, "account")
    days = table.days("ex_date")
    ids = known.securities.ids(table, "security", days)
    others = known.securities.ids(table, "other", days)
    early = np.flatnonzero((table.days("pay_date") < days) & table.sound("pay_date", "ex_date"))
    table.refuse(early, "pay_date", "the day is before `ex_date`", "correct one of the two days")
    table.check()
    codes, kinds, options = (table.words(name).each() for name in ("account", "kind", "option"))
    shares, cash, lieu = (table.ints(name).tolist() for name in ("shares", "cash", "lieu"))
    return [
        Entitlement(
            line=int(table.lines[row]),
            account_id=known.accounts[codes[row]].account_id,
            security_id=int(ids[row]),
            ex_date=day,
            kind=ActionKind(kinds[row]),
            option=options[row],
            other_security_id=int(others[row]),
            shares_nano=shares[row],
            cash_cents=cash[row],
            lieu_cents=lieu[row],
            pay_date=paid,
        )
        for row, (day, paid) in enumerate(zip(days.tolist(), table.days("pay_date").tolist(), strict=True))
    ]
