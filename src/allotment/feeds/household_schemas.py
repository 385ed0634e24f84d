"""The documented files of households: who belongs to them when, and what comes from outside."""

from __future__ import annotations

from enum import StrEnum

from allotment.book.expected import Coming, Confidence
from allotment.book.household import AccountKind
from allotment.feeds.schema import Bound, Column, Schema, Type, choice, optional, security, values


class Term(StrEnum):
    """How long what was sold had been held."""

    SHORT = "short"
    LONG = "long"


class OutsideKind(StrEnum):
    """What happened in an outside account."""

    BUY = "buy"
    REINVEST = "reinvest"
    SELL = "sell"


def _account(meaning: str) -> Column:
    return Column(name="account", type=Type.CODE, meaning=meaning, example="A-1001-9")


def _figure(name: str, kind: Type, meaning: str, example: str, bound: Bound = Bound.ANY) -> Column:
    return Column(
        name=name, type=kind, meaning=meaning, example=example, required=False, default="0", bound=bound
    )


LINKS = Schema(
    kind="links",
    about="From when until when accounts are looked at with those of the other taxpayers in their "
    "households, for the wash-sale rule. An account without a row always is; accounts of one taxpayer are in "
    "any case.",
    columns=(
        _account("The account."),
        Column(
            name="linked",
            type=Type.DATE,
            meaning="First day on which it is looked at with those of others.",
            example="2024-05-18",
        ),
        optional("unlinked", Type.DATE, "First day on which it is not any more.", "2025-02-03"),
    ),
    key=("account",),
    needs=("accounts",),
    rules=(
        "`unlinked` is after `linked`.",
        "An account comes once and leaves once; a day that is recorded is not changed by a file.",
    ),
)

DISCRETION = Schema(
    kind="discretion",
    about="Periods in which accounts are managed at our discretion: what performance composites ask. Nothing "
    "else follows from them.",
    columns=(
        _account("The account."),
        Column(name="begins", type=Type.DATE, meaning="First day of the period.", example="2024-05-18"),
        optional("ends", Type.DATE, "First day on which we do not decide any more.", "2025-02-03"),
    ),
    key=("account", "begins"),
    needs=("accounts",),
    rules=(
        "`ends` is after `begins`, and the periods of an account do not overlap.",
        "A day that is recorded is not changed by a file.",
    ),
)

OUTSIDE_TRANSACTIONS = Schema(
    kind="outside_transactions",
    about="What happened in accounts that we do not manage. Purchases are enough; sales need the account's "
    "lots.",
    columns=(
        _account("The outside account (`management` fed or attested)."),
        Column(
            name="id",
            type=Type.CODE,
            meaning="The other side's name of the transaction; what comes again is booked once.",
            example="TX-20240314-1",
        ),
        Column(name="date", type=Type.DATE, meaning="Trade date.", example="2024-03-14", past=True),
        choice("kind", values(OutsideKind), "What happened."),
        security(),
        Column(name="quantity", type=Type.SHARES, meaning="Shares.", example="12.5", bound=Bound.POSITIVE),
        Column(
            name="amount",
            type=Type.MONEY,
            meaning="Whole cost with fees, or net proceeds.",
            example="2143.75",
            bound=Bound.NOT_NEGATIVE,
        ),
        optional("settles", Type.DATE, "Settlement.", "2024-03-18"),
    ),
    key=("account", "id"),
    needs=("accounts", "securities", "identifiers"),
    rules=(
        "The account is an outside one and open on `date`.",
        "Shares that are sold are known: by the account's `lots`, or by earlier purchases.",
        "`settles` is not before `date`.",
    ),
)

EXPECTED = Schema(
    kind="expected",
    about="What a household has coming from outside, one page a year: purchases that wash losses here, "
    "gains and losses carried in that decide what a loss is worth, and what the client attests. A page "
    "replaces the one before as a new version; none is lost.",
    columns=(
        Column(name="household", type=Type.CODE, meaning="The household.", example="H-1001"),
        Column(name="year", type=Type.WHOLE, meaning="The tax year.", example="2025", bound=Bound.POSITIVE),
        optional("line", Type.CODE, "A name of the line.", "rsu-march"),
        choice(
            "what",
            values(Coming),
            "What comes. The first five are purchases; `no_purchases` attests that nothing is bought.",
        ),
        choice(
            "confidence",
            values(Confidence),
            "How sure it is. Decisions count `certain` and `likely`; `possible` is only shown.",
            "likely",
        ),
        optional("taxpayer", Type.CODE, "Whose gain, distribution or loss carried.", "T-1001"),
        optional("account", Type.CODE, "Where it happens, if the account is linked.", "A-1001-9"),
        choice("inside", values(AccountKind), "The kind of an account that is not linked.", "taxable"),
        optional("security", Type.CODE, "What is bought, or not bought; empty: nothing named.", "AAPL"),
        optional("start", Type.DATE, "Day, or first day of a range.", "2025-03-14"),
        optional("end", Type.DATE, "Last day of a range.", "2025-03-21"),
        _figure(
            "every_days",
            Type.WHOLE,
            "0: once, on some day of the range; else every so many days from `start` to `end`.",
            "0",
            Bound.NOT_NEGATIVE,
        ),
        _figure("shares", Type.SHARES, "Shares of one purchase.", "25", Bound.NOT_NEGATIVE),
        _figure(
            "amount",
            Type.MONEY,
            "Dollars of one purchase, where the shares are not known; the gain (a loss is negative), the "
            "distribution, the loss carried (positive).",
            "0",
        ),
        choice("term", values(Term), "Of gains, distributions and losses carried.", "long"),
        optional("note", Type.TEXT, "For people.", "from the plan's letter of January"),
    ),
    key=("household", "year", "line"),
    key_or_row=True,
    toml="expected",
    toml_head=("household", "year"),
    needs=("households", "taxpayers", "accounts", "securities", "identifiers"),
    rules=(
        "A purchase has `security`, a `start` in the year, and `shares` or a positive `amount`.",
        "A gain, distribution or loss carried has `taxpayer` and `amount`; only a gain may be negative.",
        "`no_purchases` has `account`; without `security` it speaks of all.",
        "`end` is not before `start`; `every_days` needs `end`.",
        "Taxpayer and account belong to the household.",
    ),
)
