"""What ``allotment tax replay`` writes: realized.csv, lots.csv, dividends.csv and checks.json.

Amounts and quantities are exact decimal strings; the columns are those of
docs/reference/files/ledger-json.md.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np

from allotment.feeds.ledger_dividends import DividendPart
from allotment.feeds.ledger_flags import Flag
from allotment.feeds.ledger_json import Ledger
from allotment.tax.folded import Folded
from allotment.units import CENTS_PER_USD, NANO_PER_SHARE, Ints, format_scaled

NOTICE = "Computed from the transactions given; this is no tax advice."
_REALIZED = (
    "sell",
    "lot",
    "account",
    "qty",
    "proceeds",
    "basis",
    "disallowed",
    "permanent",
    "gain",
    "term",
)
_LOTS = ("origin", "symbol", "account", "qty", "basis", "acq", "hp")
_DIVIDENDS = ("id", "lot", "account", "qty", "amount", "days", "qualified", "bucket", "year")


def realized_csv(ledger: Ledger, folded: Folded) -> str:
    """Disposals in taxable accounts, one row per piece of a lot; inside an IRA nothing is
    recognised, so its sales have no row."""
    sold = folded.disposals
    rows = np.flatnonzero(sold.taxable == 1)
    rows = rows[np.argsort(sold.sale_row[rows], kind="stable")]
    return _csv(
        _REALIZED,
        zip(
            (ledger.ids[i] for i in sold.sale_row[rows]),
            (ledger.ids[i] for i in sold.origin_row[rows]),
            (ledger.account_names[i] for i in sold.account_ix[rows]),
            _shares(sold.quantity_nano[rows]),
            _money(sold.proceeds_cents[rows]),
            _money(sold.basis_cents[rows]),
            _money(sold.disallowed_cents[rows]),
            _money(sold.permanent_cents[rows]),
            _money(sold.gain_cents[rows]),
            ("L" if long else "S" for long in sold.long_term[rows]),
            strict=True,
        ),
    )


def lots_csv(ledger: Ledger, folded: Folded) -> str:
    """Open lots; a lot that a wash sale divided has a row for each part. Shares sold short are
    negative, their basis is minus their proceeds."""
    lots = folded.lots
    return _csv(
        _LOTS,
        zip(
            (ledger.ids[i] for i in lots.origin_row),
            (ledger.symbols[i] for i in lots.security_ix),
            (ledger.account_names[i] for i in lots.account_ix),
            _shares(lots.side * lots.quantity_nano),
            _money(lots.side * lots.basis_cents),
            np.datetime_as_string(lots.acquired),
            np.datetime_as_string(lots.holding_from),
            strict=True,
        ),
    )


def dividends_csv(ledger: Ledger, parts: Sequence[DividendPart]) -> str:
    """Dividends in taxable accounts, one row per lot and fate of its shares. What is paid in lieu on
    shares short has a minus."""
    return _csv(
        _DIVIDENDS,
        (
            (
                part.fact.key,
                ledger.ids[part.lot_row],
                ledger.account_names[part.account_ix],
                format_scaled(part.quantity_nano, NANO_PER_SHARE),
                format_scaled(part.amount_cents, CENTS_PER_USD),
                part.counted_days,
                part.qualified,
                part.bucket,
                part.year,
            )
            for part in parts
        ),
    )


def checks_json(folded: Folded, flagged: Sequence[Flag] = ()) -> str:
    """The conservation identity of docs/law/numbers.md, taxable accounts and IRAs apart, and what a
    person should look at."""
    checks: dict[str, object] = {}
    for i, name in ((1, "taxable"), (0, "ira")):
        sums = {
            part: format_scaled(int(getattr(folded.conservation, part)[i]), CENTS_PER_USD)
            for part in ("recognised", "proceeds", "received", "held", "given", "permanent", "no_effect")
        }
        difference = int(folded.conservation.difference()[i])
        checks[name] = {**sums, "difference": format_scaled(difference, CENTS_PER_USD)}
    identity = "recognised = proceeds - received + held + given + permanent + no_effect"
    holds = not folded.conservation.difference().any()
    told = {"identity": identity, "holds": holds, **checks}
    if flagged:
        told["flags"] = [asdict(flag) for flag in flagged]
    return json.dumps(told | {"notice": NOTICE}, indent=2, ensure_ascii=False) + "\n"


def _money(cents: Ints) -> list[str]:
    return [format_scaled(int(value), CENTS_PER_USD) for value in cents]


def _shares(quantity_nano: Ints) -> list[str]:
    return [format_scaled(int(value), NANO_PER_SHARE) for value in quantity_nano]


def _csv(columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
