"""A market and a book written as the documented files, to copy from and to import again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from allotment.book.household import Account, Household, Sleeve, Taxpayer
from allotment.book.lots import Lots
from allotment.book.mandate import Mandate, RestrictionKind
from allotment.book.venue import Venue
from allotment.feeds.book_schemas import BASIS_STATES, Origin
from allotment.feeds.schema import DECIMALS, Type
from allotment.feeds.schemas import SCHEMAS
from allotment.market.history import MarketHistory
from allotment.units import Ints

_PLACES = {Type.MONEY: 2, Type.SHARES: 9, Type.PRICE: 6}


class Format(StrEnum):
    """How the files are written."""

    CSV = "csv"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRecords:
    """A book as it stands: records, and the lots and cash of each account."""

    households: Sequence[Household]
    taxpayers: Sequence[Taxpayer]
    accounts: Sequence[Account]
    sleeves: Sequence[Sleeve]
    venues: Sequence[Venue]
    mandates: Sequence[Mandate]
    lots: Lots  # `account_ix` is the position in `accounts`
    cash_cents: Ints  # (n_accounts,)


def write_folder(
    folder: Path,
    history: MarketHistory,
    book: BookRecords | None = None,
    file_format: Format = Format.CSV,
) -> tuple[Path, ...]:
    """Write one file per kind into `folder`, made when missing; the files, in order of import."""
    folder.mkdir(parents=True, exist_ok=True)
    codes = {security.security_id: security.code for security in history.securities}
    tables = _market(history, codes)
    if book is not None:
        tables |= _book(book, codes)
    written = []
    for kind, columns in tables.items():
        frame = pl.DataFrame(columns)
        if not frame.height:
            continue
        path = folder / f"{kind}.{file_format.value}"
        if file_format is Format.CSV:
            frame.write_csv(path)
        else:
            frame.write_parquet(path)
        written.append(path)
    return tuple(written)


def decimals(values: Ints, places: int) -> pl.Series:
    """Scaled integers as exact decimal strings, without needless zeros after the point."""
    scale = 10**places
    frame = pl.DataFrame({"value": np.asarray(values, np.int64)})
    size = pl.col("value").abs()
    # The most negative integer has no absolute value in 64 bits and is no amount of anything.
    whole = pl.format(
        "{}{}",
        pl.when(pl.col("value") < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        size // scale,
    )
    if not places:
        return frame.select(whole).to_series()
    rest = (size % scale).cast(pl.String).str.zfill(places).str.strip_chars_end("0")
    text = pl.when(rest == "").then(whole).otherwise(pl.format("{}.{}", whole, rest))
    return frame.select(text).to_series()


def _yes(claim: bool) -> str:
    return "yes" if claim else "no"


def _records(kind: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of a file from one mapping per row, in the schema's order and notation."""
    columns: dict[str, Any] = {}
    for column in SCHEMAS[kind].columns:
        values = [row[column.name] for row in rows]
        if column.type in DECIMALS:
            columns[column.name] = decimals(np.array(values, np.int64), DECIMALS[column.type])
        else:
            dtype = {Type.NUMBER: pl.Float64, Type.DATE: pl.Date}.get(column.type, pl.String)
            columns[column.name] = pl.Series(values, dtype=dtype)
    return columns


def _market(history: MarketHistory, codes: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    prices = history.prices
    t, n = np.nonzero((prices.close_micros > 0) & np.isfinite(prices.adjusted_usd))
    names = np.array([security.code for security in history.securities])
    weights = [(w, i) for w in history.index_weights for i in range(len(w.security_ids))]
    return {
        "securities": _records(
            "securities",
            [
                {
                    "security": s.code,
                    "name": s.name,
                    "kind": s.kind.value,
                    "sector": s.sector,
                    "industry": s.industry,
                    "issuer": s.issuer,
                    "group": s.group_code,
                    "group_units": s.group_units,
                }
                for s in history.securities
            ],
        ),
        "identifiers": _records(
            "identifiers",
            [
                {
                    "security": codes[i.security_id],
                    "kind": i.kind.value,
                    "value": i.value,
                    "start": i.start,
                    "end": i.end,
                }
                for i in history.identifiers
            ],
        ),
        "prices": {
            "security": names[n],
            "session": prices.sessions[t],
            "close": decimals(prices.close_micros[t, n], _PLACES[Type.PRICE]),
            "adjusted": prices.adjusted_usd[t, n],
            "volume": pl.Series(prices.volume[t, n]).fill_nan(None),
            "market_cap": pl.Series(history.market_cap_usd[t, n]).fill_nan(None),
        },
        "index_weights": {
            "index": [w.index_code for w, _ in weights],
            "session": pl.Series([w.session for w, _ in weights], dtype=pl.Date),
            "kind": [w.kind.value for w, _ in weights],
            "version": [str(w.version) for w, _ in weights],
            "security": [codes[int(w.security_ids[i])] for w, i in weights],
            "weight": pl.Series([float(w.weight[i]) for w, i in weights], dtype=pl.Float64),
        },
        "corporate_actions": _records(
            "corporate_actions",
            [
                {
                    "security": codes[a.security_id],
                    "ex_date": a.ex_date,
                    "kind": a.kind.value,
                    "ratio": a.ratio,
                    "amount": a.amount_usd,
                    "other": codes[a.other_security_id] if a.other_security_id else "",
                    "value": a.value_usd,
                    "note": a.note,
                    "pay_date": a.pay_date,
                    "price": a.price_usd,
                    "other_price": a.other_price_usd,
                    "lieu": a.lieu_usd,
                    "final": _yes(a.is_final),
                    "option": a.option,
                    "default": _yes(a.is_default),
                    "deadline": a.deadline,
                }
                for a in history.actions
            ],
        ),
        "scores": {
            "security": np.tile(names, len(history.scores)),
            "date": np.full(len(names) * len(history.scores), prices.sessions[0]),
            "name": np.repeat(np.array(list(history.scores), np.str_), len(names)),
            "value": np.concatenate([*history.scores.values(), np.empty(0)]),
        },
    }


def _book(book: BookRecords, codes: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    home = {h.household_id: h.code for h in book.households}
    owner = {t.taxpayer_id: t.code for t in book.taxpayers}
    account = {a.account_id: a.code for a in book.accounts}
    return {
        "venues": _records(
            "venues",
            [
                {
                    "venue": v.code,
                    "share_step": v.share_step_nano,
                    "lot_mode": v.lot_mode.value,
                    "relief": v.relief.value,
                    "fifo_by_holding_from": _yes(v.fifo_by_holding_from),
                    "lots_per_order_max": v.lots_per_order_max,
                }
                for v in book.venues
            ],
        ),
        "households": _records(
            "households", [{"household": h.code, "name": h.name} for h in book.households]
        ),
        "taxpayers": _records(
            "taxpayers",
            [
                {
                    "taxpayer": t.code,
                    "household": home[t.household_id],
                    "filing_status": t.filing_status.value,
                    "state": t.state,
                    "short_rate": t.short_rate,
                    "long_rate": t.long_rate,
                    "ordinary_rate": t.ordinary_rate,
                    "carry_short": t.carry_short_cents,
                    "carry_long": t.carry_long_cents,
                    "outside_short": t.outside_short_cents,
                    "outside_long": t.outside_long_cents,
                }
                for t in book.taxpayers
            ],
        ),
        "accounts": _records(
            "accounts",
            [
                {
                    "account": a.code,
                    "household": home[a.household_id],
                    "taxpayer": owner[a.taxpayer_id],
                    "kind": a.kind.value,
                    "venue": a.venue_code,
                    "opened": a.opened,
                    "closed": a.closed,
                    "name": a.name,
                    "management": a.management.value,
                }
                for a in book.accounts
            ],
        ),
        "sleeves": _records(
            "sleeves",
            [
                {"sleeve": s.code, "account": account[s.account_id], "manager": s.manager}
                for s in book.sleeves
            ],
        ),
        "mandates": _records("mandates", [_mandate(m, account, codes) for m in book.mandates]),
        "cash": {
            "account": [a.code for a in book.accounts],
            "amount": decimals(book.cash_cents, _PLACES[Type.MONEY]),
        },
        "lots": _lots(book, codes),
    }


def _mandate(mandate: Mandate, account: Mapping[int, str], codes: Mapping[int, str]) -> dict[str, Any]:
    listed = {
        kind.value: ";".join(codes[r.security_id] for r in mandate.restrictions if r.kind is kind)
        for kind in RestrictionKind
    }
    texts = {
        "account": account[mandate.account_id],
        "benchmark": ";".join(f"{index}={weight!r}" for index, weight in mandate.benchmark),
        "tilts": ";".join(f"{tilt.score}={tilt.strength!r}" for tilt in mandate.tilts),
    }
    joined = {
        name: ";".join(getattr(mandate, name))
        for name in ("excluded_sectors", "excluded_industries", "excluded_flags")
    }
    plain = {
        column.name: getattr(mandate, column.name)
        for column in SCHEMAS["mandates"].columns
        if column.name not in listed | texts | joined
    }
    return plain | listed | texts | joined


def _lots(book: BookRecords, codes: Mapping[int, str]) -> dict[str, Any]:
    lots = book.lots
    sleeves: dict[int, list[str]] = {}
    for sleeve in book.sleeves:
        sleeves.setdefault(sleeve.account_id, []).append(sleeve.code)
    accounts = lots.account_ix.tolist()
    own = [sleeves.get(book.accounts[at].account_id, [""]) for at in accounts]
    known = lots.basis_state == 0
    order = pl.Series(lots.acquisition_id).cast(pl.String)
    bought = ~np.isnat(lots.purchased)
    return {
        "account": [book.accounts[at].code for at in accounts],
        "sleeve": [codes_[at] for codes_, at in zip(own, lots.sleeve_ix.tolist(), strict=True)],
        "security": [codes[number] for number in lots.security_id.tolist()],
        # Pieces that a wash sale split share the name of their origin, so lots are counted.
        "lot": pl.Series(np.arange(1, len(lots) + 1)).cast(pl.String),
        "side": np.where(lots.side > 0, "long", "short"),
        "quantity": decimals(lots.quantity_nano, _PLACES[Type.SHARES]),
        "basis": decimals(lots.basis_cents, _PLACES[Type.MONEY]).set(pl.Series(~known), ""),
        "loss_basis": decimals(lots.loss_basis_cents, _PLACES[Type.MONEY]).set(pl.Series(~known), ""),
        "acquired": lots.acquired,
        "holding_from": lots.holding_from,
        "origin": np.where(bought, Origin.PURCHASE.value, Origin.UNKNOWN.value),
        "order": order,
        "absorbed": np.where(lots.absorbed == 1, "yes", "no"),
        "covered": np.where(lots.covered == 1, "yes", "no"),
        "basis_state": np.array(BASIS_STATES)[lots.basis_state],
    }
