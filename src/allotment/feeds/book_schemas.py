"""The documented files of the book: clients, what they want, what they hold."""

from __future__ import annotations

from enum import StrEnum

from allotment.book.household import AccountKind, FilingStatus, Management
from allotment.book.lots import BasisState
from allotment.book.venue import LotMode, Relief
from allotment.feeds.schema import Bound, Column, Schema, Type, choice, optional, security, values


class Origin(StrEnum):
    """How a lot came to its owner; only a purchase can wash a loss."""

    PURCHASE = "purchase"
    REINVEST = "reinvest"
    GIFT = "gift"
    INHERITANCE = "inheritance"
    ACTION = "action"  # a spin-off or merger handed the shares out
    UNKNOWN = "unknown"


BASIS_STATES = tuple(state.name.lower() for state in BasisState)
SIDES = ("long", "short")


def _rate(name: str, meaning: str, default: str) -> Column:
    return Column(
        name=name,
        type=Type.NUMBER,
        meaning=meaning,
        example=default,
        required=False,
        default=default,
        bound=Bound.NOT_NEGATIVE,
        most=1.0,
    )


VENUES = Schema(
    kind="venues",
    about="Custodians and what they can do with orders and lots.",
    columns=(
        Column(name="venue", type=Type.CODE, meaning="Code of the custodian.", example="acme"),
        Column(
            name="share_step",
            type=Type.SHARES,
            meaning="Smallest tradable fraction of a share; 1: whole shares only.",
            example="1",
            required=False,
            default="0.000000001",
            bound=Bound.POSITIVE,
        ),
        choice("lot_mode", values(LotMode), "How a sale tells which lots it closes.", "named"),
        choice("relief", values(Relief), "The standing order of closing lots.", "fifo"),
        optional("fifo_by_holding_from", Type.YESNO, "First-in by tacked start of holding.", "no", "no"),
        Column(
            name="lots_per_order_max",
            type=Type.WHOLE,
            meaning="Most lots that one order may name; 0: no limit.",
            example="0",
            required=False,
            default="0",
            bound=Bound.NOT_NEGATIVE,
        ),
    ),
    key=("venue",),
)

HOUSEHOLDS = Schema(
    kind="households",
    about="Households: wash sales are matched inside one.",
    columns=(
        Column(name="household", type=Type.CODE, meaning="Code of the household.", example="H-1001"),
        optional("name", Type.TEXT, "Name for people.", "Fields family"),
    ),
    key=("household",),
)


def _money(name: str, meaning: str, *, signed: bool = False) -> Column:
    return Column(
        name=name,
        type=Type.MONEY,
        meaning=meaning,
        example="12500.00",
        required=False,
        default="0",
        bound=Bound.ANY if signed else Bound.NOT_NEGATIVE,
    )


TAXPAYERS = Schema(
    kind="taxpayers",
    about="Persons, or couples filing jointly, with their tax profile of the year.",
    columns=(
        Column(name="taxpayer", type=Type.CODE, meaning="Code of the taxpayer.", example="T-1001"),
        Column(name="household", type=Type.CODE, meaning="Their household.", example="H-1001"),
        choice("filing_status", values(FilingStatus), "Federal filing status.", "single"),
        optional("state", Type.CODE, "State of residence, two letters.", "NY"),
        _rate("short_rate", "Tax on one more dollar of short-term gain, all taxes together.", "0.35"),
        _rate("long_rate", "Tax on one more dollar of long-term gain, all taxes together.", "0.20"),
        _rate("ordinary_rate", "Tax on one more dollar of other income.", "0.35"),
        _money("carry_short", "Short-term losses carried in, as a positive amount."),
        _money("carry_long", "Long-term losses carried in, as a positive amount."),
        _money("outside_short", "Net short-term gain expected elsewhere this year.", signed=True),
        _money("outside_long", "Net long-term gain expected elsewhere this year.", signed=True),
    ),
    key=("taxpayer",),
    needs=("households",),
)

ACCOUNTS = Schema(
    kind="accounts",
    about="Custodial accounts.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="Code of the account.", example="A-1001-1"),
        Column(name="household", type=Type.CODE, meaning="Its household.", example="H-1001"),
        Column(name="taxpayer", type=Type.CODE, meaning="Its owner.", example="T-1001"),
        choice("kind", values(AccountKind), "How the law taxes what happens inside.", "taxable"),
        Column(name="venue", type=Type.CODE, meaning="Where it is held.", example="acme"),
        Column(name="opened", type=Type.DATE, meaning="First day.", example="2019-04-01", past=True),
        optional("closed", Type.DATE, "Last day; empty: open.", "2023-11-30"),
        optional("name", Type.TEXT, "Name for people.", "Fields, growth"),
        choice(
            "management",
            values(Management),
            "Who trades in it: we; or it is an outside account, known by a file of its transactions (`fed`) "
            "or by what the client attests.",
            "managed",
        ),
    ),
    key=("account",),
    needs=("households", "taxpayers", "venues"),
    rules=("`closed` is not before `opened`.", "The owner belongs to the account's household."),
)

SLEEVES = Schema(
    kind="sleeves",
    about="Parts of accounts that one manager or strategy runs. An account without a row gets one "
    "sleeve of its own name.",
    columns=(
        Column(name="sleeve", type=Type.CODE, meaning="Code of the sleeve.", example="A-1001-1-index"),
        Column(name="account", type=Type.CODE, meaning="Its account.", example="A-1001-1"),
        optional("manager", Type.TEXT, "Who runs it.", "direct index"),
    ),
    key=("sleeve",),
    needs=("accounts",),
)


def _names(name: str, meaning: str, example: str) -> Column:
    return optional(name, Type.LIST, meaning, example)


def _fraction(name: str, meaning: str, default: str, most: float | None = 1.0) -> Column:
    return Column(
        name=name,
        type=Type.NUMBER,
        meaning=meaning,
        example=default,
        required=False,
        default=default,
        bound=Bound.NOT_NEGATIVE,
        most=most,
    )


MANDATES = Schema(
    kind="mandates",
    about="What accounts want: one row, or one `[[mandate]]` table of a TOML file, per version.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account.", example="A-1001-1"),
        Column(
            name="version",
            type=Type.WHOLE,
            meaning="Counts up from 1.",
            example="1",
            required=False,
            default="1",
            bound=Bound.POSITIVE,
        ),
        Column(name="effective", type=Type.DATE, meaning="In force from this day.", example="2024-01-02"),
        Column(
            name="benchmark",
            type=Type.PAIRS,
            meaning="Indexes and their weights, which sum to 1; a lone code means all of it.",
            example="SP500=0.6;R2000=0.4",
        ),
        _names("excluded_sectors", "Sectors to own nothing of.", "Energy;Utilities"),
        _names("excluded_industries", "Industries to own nothing of.", "Brewers"),
        _names("excluded_flags", "Scores; names whose value is 1 are not owned.", "tobacco;firearms"),
        _names("exclude", "Securities to own none of.", "XOM"),
        _names("no_buy", "Securities to buy none of.", "IBM"),
        _names("no_sell", "Securities to sell none of.", "AAPL"),
        _names("hold", "Securities neither to buy nor to sell.", "MSFT"),
        optional(
            "tilts", Type.PAIRS, "Scores and the strength of the wish for more of them.", "momentum=0.002"
        ),
        _fraction("risk_price", "Price of risk in the optimiser (kappa).", "100", None),
        _fraction("loss_value", "What a dollar of tax saved by a loss is worth now.", "0.75"),
        _fraction("basis_value", "Present value of the tax on a dollar of basis.", "0"),
        _fraction("cash_weight_min", "Least cash, as a fraction of the account.", "0"),
        _fraction("cash_weight_max", "Most cash, as a fraction of the account.", "0.01"),
        _fraction("name_active_max", "Most that a name may stand above its benchmark weight.", "0.05"),
        _fraction("trade_usd_min", "Smallest trade, dollars.", "100", None),
        _fraction("lot_usd_min", "Lots worth less are not sold, dollars.", "0", None),
        Column(
            name="near_long_days",
            type=Type.WHOLE,
            meaning="Short-term gains this many days from long-term are not sold.",
            example="45",
            required=False,
            default="0",
            bound=Bound.NOT_NEGATIVE,
        ),
        optional("requested_by", Type.TEXT, "Who asked for this version.", "advisor"),
        optional("approved_by", Type.TEXT, "Who approved it.", "compliance"),
    ),
    key=("account", "version"),
    toml="mandate",
    needs=("accounts", "securities", "identifiers"),
    rules=(
        "The weights of `benchmark` sum to 1.",
        "`cash_weight_min` is not above `cash_weight_max`.",
        "A security stands in one of `exclude`, `no_buy`, `no_sell`, `hold`.",
    ),
)

CASH = Schema(
    kind="cash",
    about="What cash each account held when its record here begins.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account.", example="A-1001-1"),
        Column(
            name="amount",
            type=Type.MONEY,
            meaning="Dollars.",
            example="2500.00",
            bound=Bound.NOT_NEGATIVE,
        ),
    ),
    key=("account",),
    needs=("accounts",),
    rules=("The account is open and has no opening cash yet.",),
)

LOTS = Schema(
    kind="lots",
    about="Every open lot of the accounts named, as of the day of the import. They become one "
    "opening event per account, so all lots of an account come in one file.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account.", example="A-1001-1"),
        optional("sleeve", Type.CODE, "Its sleeve; empty: the account's first.", "A-1001-1-index"),
        security(),
        optional("lot", Type.CODE, "The custodian's name of the lot.", "000123"),
        choice("side", SIDES, "Owned or owed.", "long"),
        Column(
            name="quantity",
            type=Type.SHARES,
            meaning="Shares.",
            example="12.5",
            bound=Bound.POSITIVE,
        ),
        Column(
            name="basis",
            type=Type.MONEY,
            meaning="Cost of the whole lot with fees and earlier wash-sale additions.",
            example="2143.75",
            required=False,
            default_meaning="needed unless `basis_state` is pending or missing",
            bound=Bound.NOT_NEGATIVE,
        ),
        Column(
            name="loss_basis",
            type=Type.MONEY,
            meaning="Basis for a loss, where a gift makes it differ.",
            example="2000.00",
            required=False,
            default_meaning="`basis`",
            bound=Bound.NOT_NEGATIVE,
        ),
        Column(name="acquired", type=Type.DATE, meaning="Trade date.", example="2021-06-14", past=True),
        Column(
            name="holding_from",
            type=Type.DATE,
            meaning="Start of the holding period, tacking included.",
            example="2021-05-03",
            required=False,
            default_meaning="`acquired`",
            past=True,
        ),
        choice("origin", values(Origin), "How the lot came to its owner.", "purchase"),
        optional(
            "order",
            Type.CODE,
            "The parent order; shares of one order do not replace one another.",
            "20210614-7",
        ),
        optional("absorbed", Type.YESNO, "These shares have washed a loss already.", "no", "no"),
        optional("covered", Type.YESNO, "The broker reports the basis.", "yes", "yes"),
        choice("basis_state", BASIS_STATES, "What is known of the basis.", "known"),
    ),
    key=("account", "lot"),
    key_or_row=True,
    needs=("accounts", "sleeves", "securities", "identifiers"),
    rules=(
        "The account is open and has no opening lots yet; the sleeve is the account's.",
        "`basis` is given unless `basis_state` is pending or missing.",
        "`holding_from` is not after `acquired`.",
        "Without `lot`, no two rows are equal in everything: give each lot its name.",
    ),
)

TRANSFERS = Schema(
    kind="transfers",
    about="Lots that came into accounts in kind. One transfer becomes one event; lots whose basis is pending "
    "or missing trade but are not harvested until a file `late_basis` brings it.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account that receives.", example="A-1001-1"),
        Column(
            name="transfer",
            type=Type.CODE,
            meaning="The custodian's number of the transfer.",
            example="ACAT-8841",
        ),
        Column(name="day", type=Type.DATE, meaning="Day on which it came.", example="2024-06-14", past=True),
        optional(
            "sleeve", Type.CODE, "The sleeve that receives; empty: the account's first.", "A-1001-1-index"
        ),
        security(),
        Column(name="lot", type=Type.CODE, meaning="The custodian's name of the lot.", example="000123"),
        Column(name="quantity", type=Type.SHARES, meaning="Shares.", example="12.5", bound=Bound.POSITIVE),
        LOTS.by_name["basis"],
        LOTS.by_name["loss_basis"],
        Column(
            name="acquired",
            type=Type.DATE,
            meaning="Trade date of the original purchase.",
            example="2021-06-14",
            required=False,
            default_meaning="needed unless `basis_state` is pending or missing; then the day of the transfer",
            past=True,
        ),
        LOTS.by_name["holding_from"],
        LOTS.by_name["origin"],
        LOTS.by_name["order"],
        LOTS.by_name["absorbed"],
        LOTS.by_name["covered"],
        LOTS.by_name["basis_state"],
    ),
    key=("account", "transfer", "lot"),
    needs=("accounts", "sleeves", "securities", "identifiers"),
    rules=(
        "The account is open, and the transfer is not booked yet; the sleeve is the account's.",
        "The rows of one transfer are of one day.",
        "`basis` and `acquired` are given unless `basis_state` is pending or missing.",
        "`acquired` is not after `day`, `holding_from` not after `acquired`.",
    ),
)

LATE_BASIS = Schema(
    kind="late_basis",
    about="Basis that became known after its lots came. The event that brought them is put right, and "
    "everything that follows from it is derived anew; sales that change are told.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account.", example="A-1001-1"),
        Column(
            name="transfer",
            type=Type.CODE,
            meaning="The transfer that brought the lot.",
            example="ACAT-8841",
            required=False,
            default_meaning="the lots of the account's opening",
        ),
        Column(
            name="lot",
            type=Type.CODE,
            meaning="The custodian's name of the lot, as it came.",
            example="000123",
        ),
        Column(
            name="quantity",
            type=Type.SHARES,
            meaning="Shares of the lot as it came, to be sure that it is the same.",
            example="12.5",
            required=False,
            default_meaning="not compared",
            bound=Bound.POSITIVE,
        ),
        Column(
            name="basis",
            type=Type.MONEY,
            meaning="Cost of the whole lot as it came, with fees and earlier wash-sale additions.",
            example="2143.75",
            bound=Bound.NOT_NEGATIVE,
        ),
        LOTS.by_name["loss_basis"],
        LOTS.by_name["acquired"],
        LOTS.by_name["holding_from"],
        LOTS.by_name["origin"],
        LOTS.by_name["covered"],
    ),
    key=("account", "transfer", "lot"),
    needs=("accounts", "lots", "transfers"),
    rules=(
        "The lot came with the transfer, or with the opening while its basis was pending or missing.",
        "`acquired` is not after the day on which the lot came, `holding_from` not after `acquired`.",
    ),
)

CARRIED_PRICES = Schema(
    kind="carried_prices",
    about="The custodian's prices of what accounts hold and we do not trade: bonds, private funds. A price "
    "holds until the next.",
    columns=(
        Column(name="account", type=Type.CODE, meaning="The account.", example="A-1001-1"),
        security("What is carried, a bond or a private fund."),
        Column(name="day", type=Type.DATE, meaning="Day of the price.", example="2024-06-28", past=True),
        Column(
            name="price",
            type=Type.PRICE,
            meaning="Dollars of one unit of the lots' quantity: 0.985 for a bond at 98.5 that is counted in "
            "dollars of face value.",
            example="0.985",
            bound=Bound.NOT_NEGATIVE,
        ),
    ),
    key=("account", "security", "day"),
    needs=("accounts", "securities", "identifiers"),
    rules=("The security is of a kind that is not traded (`bond`, `private`).",),
)
