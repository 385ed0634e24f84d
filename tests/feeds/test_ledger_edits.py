"""Cancellations, corrections and flags of a ledger file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from allotment.errors import BadFileError
from allotment.feeds import ledger_flags
from allotment.feeds.ledger_json import Ledger, read_ledger, replay
from allotment.feeds.replay_files import checks_json

BUY = {"id": "b", "date": "2024-01-10", "type": "buy", "symbol": "X", "qty": "10", "amount": "1000"}
SELL = {"id": "s", "date": "2025-03-03", "type": "sell", "symbol": "X", "qty": "10", "amount": "700"}


def ledger(*entries: dict[str, Any]) -> Ledger:
    return read_ledger(json.dumps({"transactions": entries}), "l.json")


def flags(known: Ledger) -> tuple[ledger_flags.Flag, ...]:
    return ledger_flags.flags(known, replay(known))


def edit(kind: str, of: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"{kind}-{of}", "date": "2025-04-01", "type": kind, "of": of, **fields}


def test_a_cancelled_transaction_never_was() -> None:
    known = ledger(BUY, SELL, edit("cancel", "s"))
    assert known.ids == ("b",)
    assert len(replay(known).disposals.sale_row) == 0


def test_a_correction_changes_what_it_gives_and_keeps_the_place() -> None:
    known = ledger(BUY, SELL, edit("correct", "b", amount="900"), edit("correct", "s", new_date="2025-03-04"))
    folded = replay(known)
    assert known.ids == ("b", "s")
    assert folded.disposals.gain_cents.tolist() == [-200_00]
    assert str(folded.disposals.day[0]) == "2025-03-04"
    assert known.entries["b"]["amount"] == "900"


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ([edit("cancel", "z")], "cancel-z.*of 'z'.*earlier"),
        ([edit("cancel", "s"), {**edit("cancel", "s"), "id": "again"}], "again.*cancelled already"),
        ([edit("cancel", "s", qty="1")], "unknown field 'qty'"),
        ([edit("correct", "s")], "nothing is corrected"),
        ([{**edit("cancel", "s"), "id": "b"}], "id 'b'"),
        ([edit("correct", "s", qty="-1")], "transaction s.*negative"),
        ([edit("correct", "s", colour="red")], "transaction s.*unknown field 'colour'"),
    ],
)
def test_edits_that_cannot_be_applied_are_told(edits, says) -> None:
    with pytest.raises(BadFileError, match=says):
        ledger(BUY, SELL, *edits)


def short(amount: str, day: str = "2024-06-03") -> dict[str, Any]:
    return {"id": "k", "date": day, "type": "short_sell", "symbol": "X", "qty": "5", "amount": amount}


def test_a_short_against_appreciated_shares_is_flagged() -> None:
    """§1259: the shares cost $100 each; sold short at $120."""
    known = ledger(BUY, short("600"))
    (flag,) = flags(known)
    assert (flag.transaction, flag.rule) == ("k", "§1259")
    told = json.loads(checks_json(replay(known), flags(known)))
    assert told["flags"][0]["transaction"] == "k"
    assert told["holds"] is True


def test_a_short_without_gain_or_without_shares_is_not() -> None:
    assert flags(ledger(BUY, short("400"))) == ()
    assert flags(ledger({**BUY, "date": "2024-07-01"})) == ()
    assert flags(ledger({**BUY, "symbol": "Z"}, short("600"))) == ()
    assert "flags" not in json.loads(checks_json(replay(ledger(BUY))))


def given(price: str, day: str = "2024-06-03", **fields: Any) -> dict[str, Any]:
    facts = {"id": "g", "date": day, "type": "donate", "symbol": "X", "qty": "5", "price": price}
    return {name: value for name, value in (facts | fields).items() if value}


def test_a_short_term_lot_given_away_is_flagged() -> None:
    """§170(e)(1)(A): five shares of a basis of $100 each, worth $120, held for five months."""
    (flag,) = flags(ledger(BUY, given("120")))
    assert (flag.transaction, flag.rule) == ("g", "§170(e)(1)(A)")
    assert "lot b is short-term; its deduction is cut to the basis of $500.00" in flag.found
    assert [f.rule for f in flags(ledger(BUY, given("")))] == ["§170(e)(1)(A)"]
    assert flags(ledger(BUY, given("120", "2025-01-11"))) == ()
    assert [f.rule for f in flags(ledger(BUY, given("120", "2025-01-10")))] == ["§170(e)(1)(A)"]


def test_a_lot_with_a_loss_given_away_is_flagged() -> None:
    for day in ("2024-06-03", "2025-06-03"):
        (flag,) = flags(ledger(BUY, given("99.99", day)))
        assert flag.rule == "§170(e)"
        assert "sell it and give the money" in flag.found
    assert flags(ledger(BUY, given("100", "2024-06-03"))) == ()
    ira = read_ledger(
        json.dumps({"accounts": {"I": {"type": "ira"}, "A": {}}, "transactions": [
            {**BUY, "account": "I"}, given("99", account="I")
        ]}), "l.json"
    )  # fmt: skip
    assert flags(ira) == ()


def put(kind: str, day: str, **fields: Any) -> dict[str, Any]:
    facts = {"id": "p", "date": day, "type": kind, "symbol": "X", "option": "XP", "contracts": "1"}
    return {**facts, "amount": "50", **fields}


def rules(*entries: dict[str, Any]) -> list[str]:
    return [flag.rule for flag in flags(ledger(*entries)) if flag.transaction == "p"]


def test_a_put_bought_is_flagged_by_the_shares_that_it_protects() -> None:
    """§1233(b): a short sale to young shares, held or yet to be bought; (c) not to those of its day."""
    alone, straddle = ["§1234(a)"], "§1092"
    assert rules(put("put_buy", "2024-01-09")) == alone
    assert rules(BUY, put("put_buy", "2024-01-11")) == [*alone, "§1233(b)", straddle]
    assert rules(BUY, put("put_buy", "2025-01-10")) == [*alone, "§1233(b)", straddle]
    assert rules(BUY, put("put_buy", "2025-01-11")) == [*alone, straddle]
    assert rules(BUY, put("put_buy", "2024-01-10")) == [*alone, "§1233(c)", straddle]
    assert rules(put("put_buy", "2024-01-10"), BUY) == [*alone, "§1233(c)", straddle]
    assert rules(put("put_buy", "2024-01-09"), BUY) == [*alone, "§1233(b)", straddle]
    assert rules(put("put_buy", "2023-01-09"), BUY) == alone
    assert rules(BUY, put("put_buy", "2024-01-11", symbol="Y")) == alone
    known = ledger(BUY, put("put_buy", "2024-01-11"))
    assert known.ids == ("b",)
    assert replay(known).lots.basis_cents.tolist() == [100_000]


@pytest.mark.parametrize(
    ("day", "is_near"),
    [("2025-02-01", True), ("2025-01-31", False), ("2025-04-02", True), ("2025-04-03", False)],
)
def test_a_put_written_deep_in_the_money_around_a_loss_is_flagged(day: str, is_near: bool) -> None:
    """WS-15, Rev. Rul. 85-87: thirty days to both sides of the sale of 3 March 2025."""
    written = put("put_write", day, deep_in_the_money=True, strike="200")
    book = [BUY, written, SELL] if day < SELL["date"] else [BUY, SELL, written]
    assert rules(*book) == ["§1234(b)"] + ["Rev. Rul. 85-87"] * is_near
    plain = [{**entry, "deep_in_the_money": False} if entry is written else entry for entry in book]
    assert rules(*plain) == ["§1234(b)"]
    gain = [{**entry, "amount": "1700"} if entry is SELL else entry for entry in book]
    assert rules(*gain) == ["§1234(b)"]


def test_puts_are_checked_like_every_transaction() -> None:
    with pytest.raises(BadFileError, match="option is missing"):
        ledger({name: value for name, value in put("put_buy", "2024-01-09").items() if name != "option"})
    with pytest.raises(BadFileError, match="true or false"):
        ledger(put("put_write", "2024-01-09", deep_in_the_money="very"))


def test_a_donation_in_the_order_of_gains_needs_a_price() -> None:
    with pytest.raises(BadFileError, match=r"transaction g.*without a price"):
        ledger(BUY, given("", method="donation"))
    with pytest.raises(BadFileError, match=r"transaction s.*method of sales"):
        ledger(BUY, {**SELL, "method": "donation"})
    document = {"transactions": [BUY], "policy": {"lot_method": "donation"}}
    with pytest.raises(BadFileError, match="lot_method"):
        read_ledger(json.dumps(document), "l.json")


def test_a_short_closed_at_a_loss_with_a_sale_of_the_stock_is_flagged() -> None:
    """§1091(e)(1): sold within thirty days of the closing. Another short is booked, not flagged."""
    opened, cover = short("600"), {**short("700", "2024-06-20"), "id": "c", "type": "cover"}
    old = {**BUY, "amount": "2000"}
    for day, found in (("2024-07-20", ["§1091(e)(1)"]), ("2024-07-21", [])):
        known = ledger(old, opened, cover, {**SELL, "date": day})
        assert [f.rule for f in flags(known)] == found
    assert flags(ledger(old, opened, {**cover, "amount": "500"}, {**SELL, "date": "2024-06-21"})) == ()
    assert flags(ledger(opened, cover, {**short("600", "2024-06-21"), "id": "k2"})) == ()
