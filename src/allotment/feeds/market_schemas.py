"""The documented files of market facts."""

from __future__ import annotations

from allotment.feeds.schema import Bound, Column, Schema, Type, choice, optional, security, values
from allotment.market.corporate_action import ActionKind
from allotment.market.index import WeightKind
from allotment.market.security import IdentifierKind, SecurityKind

WEIGHT_SUM_TOLERANCE = 1e-4  # publishers round to four to six decimals

SECURITIES = Schema(
    kind="securities",
    about="What can be held: one row per security, under a code that never changes.",
    columns=(
        Column(name="security", type=Type.CODE, meaning="Our permanent code.", example="BRK.B"),
        Column(name="name", type=Type.TEXT, meaning="Name for people.", example="Berkshire Hathaway B"),
        choice("kind", values(SecurityKind), "What it is.", "common"),
        optional("sector", Type.TEXT, "Sector, for screens, bounds and the risk model.", "Financials"),
        optional("industry", Type.TEXT, "Industry, for screens.", "Multi-Sector Holdings"),
        optional("issuer", Type.TEXT, "Issuer; share classes of one company share it.", "1067983"),
        optional(
            "group",
            Type.CODE,
            "Securities of one group are substantially identical to the wash-sale rule.",
            "BRK",
        ),
        Column(
            name="group_units",
            type=Type.NUMBER,
            meaning="How many units of the group one share is: 1500 for BRK.A when BRK.B is 1.",
            example="1",
            required=False,
            default="1",
            bound=Bound.POSITIVE,
        ),
    ),
    key=("security",),
)

IDENTIFIERS = Schema(
    kind="identifiers",
    about="Names under which the world knows a security, from one day to another.",
    columns=(
        Column(name="security", type=Type.CODE, meaning="Our permanent code.", example="META"),
        choice("kind", values(IdentifierKind), "Whose name it is."),
        Column(name="value", type=Type.CODE, meaning="The name.", example="FB"),
        Column(name="start", type=Type.DATE, meaning="First day.", example="2012-05-18", past=True),
        optional("end", Type.DATE, "Last day, included; empty: still.", "2022-06-08"),
    ),
    key=("kind", "value", "start"),
    needs=("securities",),
    rules=(
        "`end` is not before `start`.",
        "One identifier names one security at a time: its periods do not overlap.",
    ),
)

PRICES = Schema(
    kind="prices",
    about="Daily closes. A security without a price on a session has no row.",
    columns=(
        security(),
        Column(name="session", type=Type.DATE, meaning="Trading day.", example="2024-03-28", past=True),
        Column(
            name="close",
            type=Type.PRICE,
            meaning="Unadjusted close: what a share cost that day.",
            example="171.48",
            bound=Bound.POSITIVE,
        ),
        Column(
            name="adjusted",
            type=Type.NUMBER,
            meaning="Total-return adjusted close; only its ratios count.",
            example="170.93112",
            bound=Bound.POSITIVE,
        ),
        Column(
            name="volume",
            type=Type.NUMBER,
            meaning="Shares traded; empty: unknown.",
            example="65672690",
            required=False,
            bound=Bound.NOT_NEGATIVE,
        ),
        Column(
            name="market_cap",
            type=Type.NUMBER,
            meaning="Company value in dollars; empty: unknown.",
            example="2648000000000",
            required=False,
            bound=Bound.POSITIVE,
        ),
    ),
    key=("security", "session"),
    needs=("securities", "identifiers"),
)

INDEX_WEIGHTS = Schema(
    kind="index_weights",
    about="Members of an index with their weights, as the publisher gave them.",
    columns=(
        Column(name="index", type=Type.CODE, meaning="Code of the index.", example="SP500"),
        Column(
            name="session", type=Type.DATE, meaning="Day that the weights describe.", example="2024-03-28"
        ),
        choice(
            "kind",
            values(WeightKind),
            "`close`: after the close; `open`: adjusted for the next session; `pro_forma`: announced.",
            "close",
        ),
        Column(
            name="version",
            type=Type.WHOLE,
            meaning="Higher replaces lower.",
            example="1",
            required=False,
            default="1",
            bound=Bound.POSITIVE,
        ),
        security("The member."),
        Column(
            name="weight",
            type=Type.NUMBER,
            meaning="Fraction of the index.",
            example="0.0563",
            bound=Bound.POSITIVE,
            most=1.0,
        ),
    ),
    key=("index", "session", "kind", "version", "security"),
    needs=("securities", "identifiers"),
    rules=(
        f"The weights of one index, session, kind and version sum to 1 within {WEIGHT_SUM_TOLERANCE:g}.",
        "Only `pro_forma` weights may lie in the future.",
    ),
)


def _dollars(name: str, meaning: str, example: str) -> Column:
    return Column(
        name=name,
        type=Type.NUMBER,
        meaning=meaning,
        example=example,
        required=False,
        default="0",
        bound=Bound.NOT_NEGATIVE,
    )


CORPORATE_ACTIONS = Schema(
    kind="corporate_actions",
    about="What companies did to their holders. Announced actions may have an ex-date to come.",
    columns=(
        security(),
        Column(name="ex_date", type=Type.DATE, meaning="First day without the right.", example="2024-02-09"),
        choice("kind", values(ActionKind), "What was done."),
        Column(
            name="ratio",
            type=Type.NUMBER,
            meaning="New shares per old (split, merger), or child shares per share held (spin-off).",
            example="4",
            required=False,
            default="1",
            bound=Bound.POSITIVE,
        ),
        Column(
            name="amount",
            type=Type.NUMBER,
            meaning="Dollars per share held before the action.",
            example="0.24",
            required=False,
            default="0",
            bound=Bound.NOT_NEGATIVE,
        ),
        optional("other", Type.CODE, "The child, the acquirer, the successor.", "GEV"),
        Column(
            name="value",
            type=Type.NUMBER,
            meaning="Market value handed out per share held (spin-off), dollars.",
            example="33.5",
            required=False,
            default="0",
            bound=Bound.NOT_NEGATIVE,
        ),
        optional("note", Type.TEXT, "Anything a person should know.", "approximate"),
        optional("pay_date", Type.DATE, "Day on which cash or shares come.", "2024-02-15"),
        _dollars("price", "Market value of a share held, just after (spin-off, rights).", "133.9"),
        _dollars("other_price", "Market value of a share received; empty: `value` over `ratio`.", "134"),
        _dollars("lieu", "Cash per whole share for fractions.", "134.2"),
        optional(
            "final", Type.YESNO, "Form 8937, or the year's reclassification, is in these terms.", "no", "no"
        ),
        optional("option", Type.CODE, "Name of the option, where holders may choose among rows.", "cash"),
        optional("default", Type.YESNO, "The option of who does not choose.", "no", "no"),
        optional("deadline", Type.DATE, "Last day to choose.", "2024-02-01"),
    ),
    key=("security", "ex_date", "kind", "other", "option"),
    needs=("securities", "identifiers"),
    rules=(
        "A split, spin-off, stock merger, split-off or issue of rights states its `ratio`.",
        "What pays cash (dividend, capital, tender, liquidation, cash or mixed merger) states its `amount`.",
        "To be booked, an action names in `other` what is spun off, merged into or issued.",
    ),
)

SCORES = Schema(
    kind="scores",
    about="Numbers about securities from outside: value flags (0 or 1), styles, ESG ratings.",
    columns=(
        security(),
        Column(name="date", type=Type.DATE, meaning="Known from this day.", example="2024-01-02", past=True),
        Column(name="name", type=Type.CODE, meaning="Name of the score.", example="tobacco"),
        Column(name="value", type=Type.NUMBER, meaning="Its value; larger is more.", example="1"),
    ),
    key=("security", "date", "name"),
    needs=("securities", "identifiers"),
)
