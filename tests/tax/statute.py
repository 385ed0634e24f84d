"""The law a second time: slow, obvious, one object a lot, sharing no code with the program.

Works on the transactions of a `tax replay` file as they stand there. Exact fractions until a
cent is booked; every search is a loop over all lots. Written from 26 U.S.C. and the regulations
as quoted in the modules of `allotment.tax`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

NANO = 10**9


def half_up(x: Fraction) -> int:
    return int((x + Fraction(1, 2)).__floor__()) if x >= 0 else -half_up(-x)


def share(total: int, quantity: int, left: int) -> int:
    return half_up(Fraction(total) * quantity / left)


def cents(text: str) -> int:
    return int(Fraction(text) * 100)


def nano(text: str) -> int:
    return int(Fraction(text) * NANO)


def one_year_on(day: date) -> date:
    """The first day on which something held from `day` has been held more than a year."""
    start = day + timedelta(days=1)
    try:
        return start.replace(year=start.year + 1)
    except ValueError:
        return date(start.year + 1, 3, 1)


class Lot:
    def __init__(self, key: int, account: str, symbol: str, qty: int, basis: int, day: date) -> None:
        self.key, self.account, self.symbol, self.qty, self.basis = key, account, symbol, qty, basis
        self.loss_basis = basis
        self.acq, self.hp, self.purchased, self.purchase = day, day, day, key
        self.absorbed = False
        self.proceeds = 0
        self.birth = self.since = 0
        self.row: dict[str, Any] = {}  # of the sale, once sold

    def of_one_purchase(self) -> tuple[Any, ...]:
        """Its place among shares of one purchase and holding period: what replaced no loss first, then
        in the order in which they came to stand as they do."""
        return self.absorbed, self.since, self.birth

    def cut(self, qty: int) -> Lot:
        """The part of `qty`; what rounding leaves stays here."""
        new = copy(self)
        new.qty = qty
        for name in ("basis", "loss_basis", "proceeds"):
            setattr(new, name, share(getattr(self, name), qty, self.qty))
            setattr(self, name, getattr(self, name) - getattr(new, name))
        self.qty -= qty
        return new


class Household:
    def __init__(self, accounts: dict[str, dict[str, str]], policy: dict[str, Any]) -> None:
        self.accounts = {
            name: (facts.get("owner", "taxpayer"), facts.get("type", "taxable"))
            for name, facts in sorted(accounts.items())
        }
        self.linked = {
            name: (date.fromisoformat(facts.get("linked", "0001-01-01")),
                   date.fromisoformat(facts.get("unlinked", "9999-12-31")))
            for name, facts in accounts.items()
        }  # fmt: skip
        self.policy = policy
        self.group: dict[str, str] = {}
        self.units: dict[str, Fraction] = {}  # of the group in one share
        for members in policy.get("si_groups", []):
            for symbol in members:
                self.group[symbol] = min(members)
                self.units[symbol] = Fraction(members[symbol]) if isinstance(members, dict) else Fraction(1)
        self.lots: list[Lot] = []
        self.rows: list[dict[str, Any]] = []
        self.claims: list[dict[str, Any]] = []  # rows that a purchase may still wash
        self.links: list[tuple[Any, list[int]]] = []
        self.shorts: list[Lot] = []  # open, in order; basis: what they brought; absorbed: §1233(d)
        self.short_claims: list[dict[str, Any]] = []  # {row, open, day}: another short may still take it
        self.gone: list[Lot] = []  # sold, and by policy still able to replace
        self.births = 0
        self.calls: dict[str, str] = {}

    # -- helpers ------------------------------------------------------------------------------
    def says(self, name: str, default: str) -> str:
        return str(self.policy.get(name, default))

    def same(self, a: str, b: str) -> bool:
        return self.group_of(a) == self.group_of(b)

    def group_of(self, symbol: str) -> str:
        symbol = self.calls.get(symbol, symbol)
        return self.group.get(symbol, symbol)

    def unit_of(self, symbol: str) -> Fraction:
        return self.units.get(self.calls.get(symbol, symbol), Fraction(1))

    def converted(self, qty: int, symbol: str, other: str) -> int:
        """Shares of `symbol` as shares of `other`, by way of the units of their group."""
        if symbol == other:
            return qty
        return max(1, half_up(half_up(qty * self.unit_of(symbol)) / self.unit_of(other)))

    def in_scope(self, account: str, symbol: str, other: Lot, day: date) -> bool:
        if self.says("scope", "household") == "account_cusip":
            return account == other.account and symbol == other.symbol
        if self.accounts[account][0] != self.accounts[other.account][0]:  # §1091(a): "the taxpayer"
            for begins, ends in (self.linked[account], self.linked[other.account]):
                if day < begins or day >= ends:
                    return False
        return self.same(symbol, other.symbol)

    def count(self) -> int:
        self.births += 1
        return self.births

    def add(self, lot: Lot) -> Lot:
        lot.birth = lot.since = self.count()
        self.lots.append(lot)
        return lot

    def held(self, account: str, symbol: str) -> list[Lot]:
        lots = [lot for lot in self.lots if lot.account == account and lot.symbol == symbol]
        return sorted(lots, key=lambda lot: (lot.acq, lot.key, lot.hp, *lot.of_one_purchase()))

    def is_lost(self, seller: str, buyer: str) -> bool:
        if self.accounts[buyer][1] == "ira":
            return True
        apart = self.accounts[seller][0] != self.accounts[buyer][0]
        return apart and self.says("spouse_effect", "adjust_spouse_lot") == "permanent"

    def tack(self, lot: Lot, sold: date, sold_hp: date) -> date:
        method = self.says("hp_method", "tack_days")
        if method == "replace_date":
            return min(lot.hp, sold_hp)
        until = sold
        if method == "tack_no_overlap" and lot.purchased < sold:
            until = lot.purchased
        return lot.hp - max(timedelta(0), until - sold_hp)

    # -- disposals ----------------------------------------------------------------------------
    def relieve(
        self, account: str, symbol: str, qty: int, method: str, price: Fraction, day: date
    ) -> list[Lot]:
        """Lots closed by a method, cut out of the books."""
        lots = self.held(account, symbol)
        unit = {id(lot): Fraction(lot.basis, lot.qty) for lot in lots}
        is_long = {id(lot): day >= one_year_on(lot.hp) for lot in lots}
        if method == "lifo":
            lots.reverse()
        elif method == "hifo":
            lots.sort(key=lambda lot: -unit[id(lot)])
        elif method == "lofo":
            lots.sort(key=lambda lot: unit[id(lot)])
        elif method == "hifo_long_first":
            lots.sort(key=lambda lot: (not is_long[id(lot)], -unit[id(lot)]))
        elif method == "hifo_short_first":
            lots.sort(key=lambda lot: (is_long[id(lot)], -unit[id(lot)]))
        elif method in RANKS:
            lots.sort(key=lambda lot: RANKS[method](*self.outcome(lot, price), is_long[id(lot)]))
        elif method == "average":
            self.average(lots)
        else:
            assert method == "fifo", method
            if self.says("fifo_key", "acquired") == "holding_from":
                lots.sort(key=lambda lot: lot.hp)
        closed = []
        for lot in lots:
            if qty:
                here = min(qty, lot.qty)
                closed.append(self.close(lot, here))
                qty -= here
        assert qty == 0
        return closed

    @staticmethod
    def outcome(lot: Lot, price: Fraction) -> tuple[Fraction, Fraction]:
        """Cost and gain of one share at a price; for gifts there are two bases."""
        cost, low = Fraction(lot.basis, lot.qty), Fraction(lot.loss_basis, lot.qty)
        if price >= cost:
            return cost, price - cost
        return cost, min(Fraction(0), price - low)

    @staticmethod
    def average(lots: list[Lot]) -> None:
        basis, left = sum(lot.basis for lot in lots), sum(lot.qty for lot in lots)
        for lot in lots:
            mean = share(basis, lot.qty, left)
            basis, left = basis - mean, left - lot.qty
            lot.basis = lot.loss_basis = mean

    def close(self, lot: Lot, qty: int) -> Lot:
        if qty == lot.qty:
            self.lots.remove(lot)
            return lot
        new = lot.cut(qty)
        new.birth = self.count()
        return new

    def named(self, entry: dict[str, Any], account: str, keys: dict[str, int], symbol: str) -> list[Lot]:
        closed = []
        for name, quantity in entry["lots"]:
            left = nano(quantity)
            lots = [lot for lot in self.held(account, symbol) if lot.key == keys[name]]
            for lot in sorted(lots, key=lambda lot: (lot.acq, lot.hp, *lot.of_one_purchase())):
                if left:
                    here = min(left, lot.qty)
                    closed.append(self.close(lot, here))
                    left -= here
            assert left == 0
        return closed

    def book(self, piece: Lot, sale: int, day: date, disallowed: int, permanent: int) -> dict[str, Any]:
        basis, hp = piece.basis, piece.hp
        if piece.proceeds < piece.loss_basis:
            basis = piece.loss_basis
            if piece.loss_basis != piece.basis:
                hp = piece.acq
        elif piece.proceeds < basis:
            basis = piece.proceeds
        row = {
            "sale": sale,
            "lot": piece.key,
            "account": piece.account,
            "symbol": piece.symbol,
            "qty": piece.qty,
            "proceeds": piece.proceeds,
            "basis": basis,
            "disallowed": disallowed,
            "permanent": permanent,
            "long": day >= one_year_on(hp),
            "day": day,
            "acq": piece.acq,
            "hp": hp,
            "purchase": piece.purchase,
            "open": 0,
        }
        self.rows.append(row)
        return row

    def sell(self, pieces: list[Lot], sale: int, day: date, amount: int) -> None:
        pieces.sort(key=in_order_of_loss)
        for piece in pieces:
            piece.since = self.count()
        left = sum(piece.qty for piece in pieces)
        for piece in pieces:
            piece.proceeds = share(amount, piece.qty, left)
            amount -= piece.proceeds
            left -= piece.qty
        while pieces:
            self.settle(pieces.pop(0), pieces, sale, day)

    def settle(self, piece: Lot, later: list[Lot], sale: int, day: date) -> None:
        """§1091 for one piece; `later` are the pieces of the order that are still to come."""
        taxable = self.accounts[piece.account][1] == "taxable"
        while taxable and piece.loss_basis > piece.proceeds:
            kept = {id(lot) for lot in self.lots}
            candidates = self.lots + (
                later if self.says("same_order_candidates", "eligible") == "eligible" else []
            )
            candidates = candidates + [lot for lot in self.gone if lot.row["sale"] != sale]
            candidates = [
                lot
                for lot in candidates
                if lot.purchased is not None
                and not lot.absorbed
                and lot.purchase != piece.purchase
                and abs((lot.purchased - day).days) <= 30
                and self.in_scope(piece.account, piece.symbol, lot, day)
                and (
                    self.says("acquired_before_sold_lot", "eligible") == "eligible"
                    or lot.purchased >= piece.acq
                )
            ]
            if not candidates:
                break
            best = min(
                candidates,
                key=lambda lot: (lot.purchased, lot.key, id(lot) not in kept, *lot.of_one_purchase()),
            )
            sold = self.converted(best.qty, best.symbol, piece.symbol)
            qty = best.qty
            if sold > piece.qty:
                sold = piece.qty
                qty = min(qty, self.converted(sold, piece.symbol, best.symbol))
            matched = piece if sold == piece.qty else piece.cut(sold)
            part = best
            if qty < best.qty:
                part = best.cut(qty)
                part.birth = self.count()
                if best.row:
                    part.row = self.part_of_row(best.row, qty, best.qty + qty)
                else:
                    home = self.lots if id(best) in kept else later
                    home.insert([id(lot) for lot in home].index(id(best)), part)
            elif best.row:
                self.gone.remove(best)
            loss = max(0, matched.loss_basis - matched.proceeds)
            row = self.book(matched, sale, day, loss, 0)
            self.absorb(part, row, loss, sold, day)
            if part.row and not self.is_lost(row["account"], part.account):
                # The replacement was sold before: its sale bears the loss.
                part.row["basis"] += loss
                part.row["hp"] = part.hp
                part.row["long"] = part.row["day"] >= one_year_on(part.hp)
            if matched is piece:
                return
        row = self.book(piece, sale, day, 0, 0)
        if taxable and piece.loss_basis > piece.proceeds:
            row["open"] = piece.qty
            self.claims.append(row)
        fresh = piece.purchased is not None and not piece.absorbed
        if fresh and self.says("sold_earlier_candidates", "excluded") == "included":
            piece.row = row
            self.gone.append(piece)

    def part_of_row(self, row: dict[str, Any], qty: int, total: int) -> dict[str, Any]:
        """A row of its own for `qty` of the shares of a disposal; a claim on it is parted too."""
        new = dict(row)
        for name in PARTED:
            new[name] = share(row[name], qty, total)
            row[name] -= new[name]
        self.rows.append(new)
        for i, claim in enumerate(self.claims):
            if claim is row:
                self.claims.insert(i + 1, new)
                break
        return new

    def absorb(self, lot: Lot, row: dict[str, Any], loss: int, sold: int, day: date) -> None:
        """`sold`: shares of the loss that those of `lot` replace, found on `day`."""
        lot.absorbed, lot.since = True, self.count()
        at = (row["sale"], row["lot"], row["account"], lot.key, lot.account, lot.symbol, day)
        self.links.append(((*at, self.is_lost(row["account"], lot.account)), [lot.qty, sold, loss]))
        if self.is_lost(row["account"], lot.account):
            row["permanent"] += loss
            return
        lot.basis += loss
        lot.loss_basis += loss
        lot.hp = self.tack(lot, row["day"], row["hp"])

    def purchase(self, lot: Lot, day: date) -> None:
        """A new lot first washes the open claims, oldest first."""
        lot.birth = lot.since = self.count()
        for row in list(self.claims):
            if (
                row["purchase"] == lot.purchase
                or abs((lot.purchased - row["day"]).days) > 30
                or not self.in_scope(row["account"], row["symbol"], lot, day)
            ):
                continue
            sold = row["open"]
            qty = self.converted(sold, row["symbol"], lot.symbol)
            if qty > lot.qty:
                qty = lot.qty
                sold = min(sold, self.converted(qty, lot.symbol, row["symbol"]))
            matched = row
            if sold < row["open"]:
                matched = dict(row)
                opened = row["open"]
                for name in PARTED:
                    matched[name] = share(row[name], sold, opened)
                    row[name] -= matched[name]
                matched["open"] = 0
                self.rows.append(matched)
            else:
                self.claims.remove(row)
                row["open"] = 0
            part = lot
            if qty < lot.qty:
                part = lot.cut(qty)
                part.birth = self.count()
            loss = max(0, matched["basis"] - matched["proceeds"])
            matched["disallowed"] += loss
            self.absorb(part, matched, loss, sold, day)
            self.lots.append(part)
            if part is lot:
                return
        self.lots.append(lot)

    # -- short sales --------------------------------------------------------------------------
    def sell_short(self, lot: Lot, day: date) -> None:
        """§1233(d): as far as stock has been held for more than a year, a loss would be long-term."""
        old = sum(
            held.qty
            for held in self.lots
            if held.symbol == lot.symbol
            and self.accounts[held.account][1] == "taxable"
            and day >= one_year_on(held.hp)
        )
        if 0 < old < lot.qty:
            part = lot.cut(old)
            part.absorbed = True
            self.enter_short(part, day)
        elif old:
            lot.absorbed = True
        self.enter_short(lot, day)

    def enter_short(self, lot: Lot, day: date) -> None:
        """§1091(e)(2), another short after the closing: it takes the losses that wait, oldest first."""
        for claim in list(self.short_claims):
            row = claim["row"]
            if (day - claim["day"]).days > 30 or not self.in_scope(row["account"], row["symbol"], lot, day):
                continue
            closed = claim["open"]
            qty = self.converted(closed, row["symbol"], lot.symbol)
            if qty > lot.qty:
                qty = lot.qty
                closed = min(closed, self.converted(qty, lot.symbol, row["symbol"]))
            matched = row
            if closed < claim["open"]:
                matched = dict(row)
                for name in PARTED:
                    matched[name] = share(row[name], closed, claim["open"])
                    row[name] -= matched[name]
                claim["open"] -= closed
                self.rows.append(matched)
            else:
                self.short_claims.remove(claim)
            part = lot if qty == lot.qty else lot.cut(qty)
            loss = max(0, matched["basis"] - matched["proceeds"])
            matched["disallowed"] += loss
            self.defer(part, matched, loss, closed, day)
            self.shorts.append(part)
            if part is lot:
                return
        self.shorts.append(lot)

    def defer(self, short: Lot, row: dict[str, Any], loss: int, closed: int, day: date) -> None:
        """The other short's proceeds fall by the loss, so that its own closing shows it."""
        short.purchased = None
        is_lost = self.is_lost(row["account"], short.account)
        at = (row["sale"], row["lot"], row["account"], short.key, short.account, short.symbol, day)
        self.links.append(((*at, is_lost), [short.qty, closed, loss]))
        if is_lost:
            row["permanent"] += loss
        else:
            short.basis -= loss

    def cover(self, key: int, entry: dict[str, Any], account: str, day: date) -> None:
        """Close the oldest shorts of the account, one loss after the other."""
        left, cost = nano(entry["qty"]), cents(entry["amount"])
        closing = []
        for lot in [s for s in self.shorts if (s.account, s.symbol) == (account, entry["symbol"])]:
            here = min(left - sum(piece.qty for piece in closing), lot.qty)
            if here == lot.qty:
                self.shorts = [s for s in self.shorts if s is not lot]
                closing.append(lot)
            elif here:
                closing.append(lot.cut(here))
        for piece in closing:
            piece.proceeds = share(cost, piece.qty, left)  # here: what closing it costs
            cost -= piece.proceeds
            left -= piece.qty
        while closing:
            piece = closing.pop(0)
            self.start_anew(piece.symbol, piece.qty, piece.acq, day)
            self.settle_short(piece, closing, key, day)

    def settle_short(self, piece: Lot, later: list[Lot], sale: int, day: date) -> None:
        """§1091(e)(2), another short before the closing that is still open."""
        taxable = self.accounts[piece.account][1] == "taxable"
        while taxable and piece.proceeds > piece.basis:
            same_order = later if self.says("same_order_candidates", "eligible") == "eligible" else []
            candidates = [
                lot
                for lot in self.shorts + same_order
                if lot.purchased is not None
                and (day - lot.purchased).days <= 30
                and lot.purchase != piece.purchase
                and self.in_scope(piece.account, piece.symbol, lot, day)
                and (
                    self.says("acquired_before_sold_lot", "eligible") == "eligible"
                    or lot.purchased >= piece.acq
                )
            ]
            if not candidates:
                break
            best = min(candidates, key=lambda lot: (lot.acq, lot.key))  # the first of them: still open
            closed, qty = self.converted(best.qty, best.symbol, piece.symbol), best.qty
            if closed > piece.qty:
                closed = piece.qty
                qty = min(qty, self.converted(closed, piece.symbol, best.symbol))
            matched = piece if closed == piece.qty else piece.cut(closed)
            part = best
            if qty < best.qty:
                home = later if any(lot is best for lot in later) else self.shorts
                at = [id(lot) for lot in home].index(id(best))
                part = best.cut(qty)
                home.insert(at, part)
            loss = max(0, matched.proceeds - matched.basis)
            row = self.book_short(matched, sale, day, loss)
            self.defer(part, row, loss, closed, day)
            if matched is piece:
                return
        row = self.book_short(piece, sale, day, 0)
        if taxable and piece.proceeds > piece.basis:
            self.short_claims.append({"row": row, "open": piece.qty, "day": day})

    def book_short(self, piece: Lot, sale: int, day: date, disallowed: int) -> dict[str, Any]:
        row = {
            "sale": sale,
            "lot": piece.key,
            "account": piece.account,
            "symbol": piece.symbol,
            "qty": piece.qty,
            "proceeds": piece.basis,
            "basis": piece.proceeds,
            "disallowed": disallowed,
            "permanent": 0,
            "long": piece.absorbed and piece.proceeds > piece.basis,
            "day": day,
            "acq": piece.acq,
            "hp": day,
            "purchase": piece.purchase,
            "open": 0,
        }
        self.rows.append(row)
        return row

    def start_anew(self, symbol: str, qty: int, opened: date, day: date) -> None:
        """§1233(b)(2): of the stock that was not long-term when the short was sold, the earliest."""
        while qty:
            young = [
                lot
                for account in self.accounts
                if self.accounts[account][1] == "taxable"
                for lot in self.held(account, symbol)
                if one_year_on(lot.hp) > opened and lot.hp < day
            ]
            if not young:
                return
            lot = min(young, key=lambda lot: lot.acq)
            if qty < lot.qty:
                lot = lot.cut(qty)
                self.add(lot)
            lot.hp, lot.since = day, self.count()
            qty -= lot.qty

    # -- corporate actions --------------------------------------------------------------------
    def scaled(self, lots: list[Lot], ratio: Fraction) -> list[int]:
        old = sum(lot.qty for lot in lots)
        new = half_up(old * ratio)
        out = []
        for lot in lots:
            out.append(share(new, lot.qty, old))
            new -= out[-1]
            old -= lot.qty
        return out

    def in_lieu(self, entry: dict[str, Any], account: str, symbol: str, sale: int, day: date) -> None:
        fraction = sum(lot.qty for lot in self.held(account, symbol)) % NANO
        if entry.get("cil_price") and fraction:
            amount = half_up(Fraction(fraction, NANO) * Fraction(entry["cil_price"]) * 100)
            method = self.says("lot_method", "fifo")
            closed = self.relieve(account, symbol, fraction, method, Fraction(amount, fraction), day)
            self.sell(closed, sale, day, amount)

    def act(self, entry: dict[str, Any], account: str, sale: int, day: date) -> None:
        kind, symbol = entry["type"], entry["symbol"]
        lots = self.held(account, symbol)
        if not lots:
            return
        ratio = Fraction(1)
        if "ratio" in entry:
            new, _, old = entry["ratio"].partition(":")
            ratio = Fraction(new) / Fraction(old or "1")
        if kind == "split":
            for lot, qty in zip(lots, self.scaled(lots, ratio), strict=True):
                lot.qty = max(1, qty)  # no lot vanishes, be it a billionth of a share
            self.in_lieu(entry, account, symbol, sale, day)
        elif kind in ("stock_merger", "symbol_change", "mixed_merger"):
            if kind == "mixed_merger":
                self.boot(entry, lots, ratio, sale, day)
            for lot, qty in zip(lots, self.scaled(lots, ratio), strict=True):
                lot.qty, lot.symbol = max(1, qty), entry["to"]
                if kind != "symbol_change":
                    lot.purchased = None
            self.in_lieu(entry, account, entry["to"], sale, day)
        elif kind == "spinoff":
            self.spin(entry, account, lots, ratio, sale, day)
        elif kind == "rights":
            self.grant(entry, account, lots, sale, day)
        elif kind in ("taxable_merger", "taxable_spinoff"):
            self.taxed(entry, account, lots, ratio, sale, day)
        elif kind == "roc" or (kind == "liquidation" and not entry.get("final")):
            self.return_capital(entry, lots, sale, day)
        elif kind in ("cash_merger", "worthless", "liquidation"):
            held = sum(lot.qty for lot in lots)
            price = Fraction(entry.get("cash") or entry.get("per_share") or "0")
            sold = date(day.year, 12, 31) if kind == "worthless" else day
            amount = half_up(Fraction(held, NANO) * price * 100)
            self.sell([self.close(lot, lot.qty) for lot in lots], sale, sold, amount)

    def spin(
        self, entry: dict[str, Any], account: str, lots: list[Lot], ratio: Fraction, sale: int, day: date
    ) -> None:
        child_value = half_up(Fraction(entry["child_fmv"]) * ratio * NANO)
        parent_value = half_up(Fraction(entry["parent_fmv"]) * NANO)
        for lot, qty in zip(lots, self.scaled(lots, ratio), strict=True):
            if qty == 0:
                continue
            child = copy(lot)
            child.symbol, child.qty, child.purchased = entry["child"], qty, None
            for name in ("basis", "loss_basis"):
                moved = share(getattr(lot, name), child_value, child_value + parent_value)
                setattr(child, name, moved)
                setattr(lot, name, getattr(lot, name) - moved)
            self.add(child)
        self.in_lieu(entry, account, entry["child"], sale, day)

    def grant(self, entry: dict[str, Any], account: str, lots: list[Lot], sale: int, day: date) -> None:
        """§307(b): rights worth less than 15 % of the stock get no basis unless the holder elects."""
        rights = Fraction(entry["right_fmv"]) * Fraction(entry["per_share"])
        has_basis = entry.get("allocate") or rights >= Fraction(entry["stock_fmv"]) * 15 / 100
        spun = {
            "child": entry["rights"],
            "child_fmv": entry["right_fmv"] if has_basis else "0",
            "parent_fmv": entry["stock_fmv"],
        }
        self.spin({**entry, **spun}, account, lots, Fraction(entry["per_share"]), sale, day)

    def taxed(
        self, entry: dict[str, Any], account: str, lots: list[Lot], ratio: Fraction, sale: int, day: date
    ) -> None:
        held = sum(lot.qty for lot in lots)
        qty = half_up(held * ratio)
        value = half_up(Fraction(qty, NANO) * Fraction(entry.get("to_fmv") or entry["child_fmv"]) * 100)
        new_lot = Lot(sale, account, entry.get("to") or entry["child"], qty, value, day)
        if entry["type"] == "taxable_spinoff":
            new_lot.purchased = None
            self.add(new_lot)
            return
        cash = half_up(Fraction(held, NANO) * Fraction(entry.get("cash", "0")) * 100)
        self.sell([self.close(lot, lot.qty) for lot in lots], sale, day, cash + value)
        self.purchase(new_lot, day)

    def boot(self, entry: dict[str, Any], lots: list[Lot], ratio: Fraction, sale: int, day: date) -> None:
        left = sum(lot.qty for lot in lots)
        cash = half_up(Fraction(left, NANO) * Fraction(entry["cash"]) * 100)
        for lot in lots:
            here = share(cash, lot.qty, left)
            cash -= here
            left -= lot.qty
            received = half_up(lot.qty * ratio)
            value = half_up(Fraction(received, NANO) * Fraction(entry["to_fmv"]) * 100)
            gain = min(here, max(0, here + value - lot.basis))
            piece = copy(lot)
            piece.proceeds, piece.basis, piece.loss_basis = here, here - gain, here - gain
            self.book(piece, sale, day, 0, 0)
            lot.basis -= here - gain
            lot.loss_basis = max(0, lot.loss_basis - (here - gain))

    def return_capital(self, entry: dict[str, Any], lots: list[Lot], sale: int, day: date) -> None:
        left = sum(lot.qty for lot in lots)
        cash = half_up(Fraction(left, NANO) * Fraction(entry["per_share"]) * 100)
        for lot in lots:
            here = share(cash, lot.qty, left)
            cash -= here
            left -= lot.qty
            excess = max(0, here - lot.basis)
            lot.basis -= here - excess
            lot.loss_basis = max(0, lot.loss_basis - here)
            if excess:
                piece = copy(lot)
                piece.proceeds, piece.basis, piece.loss_basis = excess, 0, 0
                self.book(piece, sale, day, 0, 0)

    # -- one transaction ----------------------------------------------------------------------
    def apply(self, key: int, entry: dict[str, Any], keys: dict[str, int]) -> None:
        day, kind, symbol = date.fromisoformat(entry["date"]), entry["type"], entry["symbol"]
        account = entry.get("account", "A")
        for claim in [claim for claim in self.claims if (day - claim["day"]).days > 30]:
            self.claims.remove(claim)
            claim["open"] = 0
        if kind in ("buy", "reinvest"):
            lot = Lot(key, account, symbol, nano(entry["qty"]), cents(entry["amount"]), day)
            self.purchase(lot, day)
        elif kind == "option_buy":
            self.calls[entry["option"]] = symbol
            qty = nano(entry["contracts"]) * 100
            self.purchase(Lot(key, account, entry["option"], qty, cents(entry["amount"]), day), day)
        elif kind in ("gift_in", "inherit", "taxable_stock_dividend"):
            self.receive(key, entry, account, day)
        elif kind in ("option_sell", "option_expire"):
            qty = entry["contracts"]
            sale = {"type": "sell", "symbol": entry["option"], "qty": str(Fraction(qty) * 100)}
            self.leave(key, {"amount": "0", **entry, **sale}, keys, account, day)
        elif kind in ("sell", "donate", "transfer", "split_off", "ira_distribution"):
            self.leave(key, entry, keys, account, day)
        elif kind == "short_sell":
            lot = Lot(key, account, symbol, nano(entry["qty"]), cents(entry["amount"]), day)
            self.sell_short(lot, day)
        elif kind == "cover":
            self.cover(key, entry, account, day)
        elif kind in ("option_exercise", "exercise_rights"):
            self.exercise(key, entry, account, day)
        else:
            if kind == "split":
                new, _, old = entry["ratio"].partition(":")
                self.split_what_waits(symbol, Fraction(new) / Fraction(old))
            for name in self.accounts if "account" not in entry else [account]:
                self.act(entry, name, key, day)
            if kind == "symbol_change":
                self.group[entry["to"]] = self.group_of(symbol)

    def split_what_waits(self, symbol: str, ratio: Fraction) -> None:
        """Open claims, and shares that are gone but may still replace, count in new shares."""
        for claim in self.claims:
            if claim["symbol"] == symbol:
                claim["open"] = max(1, half_up(claim["open"] * ratio))
        for claim in self.short_claims:
            if claim["row"]["symbol"] == symbol:
                claim["open"] = max(1, half_up(claim["open"] * ratio))
        for lot in self.gone:
            if lot.symbol == symbol:
                lot.qty = max(1, half_up(lot.qty * ratio))
        for account in self.accounts:
            short = [lot for lot in self.shorts if (lot.account, lot.symbol) == (account, symbol)]
            for lot, qty in zip(short, self.scaled(short, ratio), strict=True):
                lot.qty = max(1, qty)

    def receive(self, key: int, entry: dict[str, Any], account: str, day: date) -> None:
        """Shares that are not bought."""
        paid = cents(entry.get("donor_basis") or entry["fmv"])
        lot = Lot(key, account, entry["symbol"], nano(entry["qty"]), paid, day)
        lot.purchased = None
        if entry["type"] == "gift_in":
            lot.loss_basis = min(lot.basis, cents(entry["fmv"]))
            lot.hp = date.fromisoformat(entry["donor_acq"])
        elif entry["type"] == "inherit":
            while one_year_on(lot.hp) > day:
                lot.hp -= timedelta(days=1)
        self.add(lot)

    def leave(self, key: int, entry: dict[str, Any], keys: dict[str, int], account: str, day: date) -> None:
        kind, symbol = entry["type"], entry["symbol"]
        account = entry.get("from", account)
        if "lots" in entry:
            closed = self.named(entry, account, keys, symbol)
        else:
            qty = nano(entry["qty"])
            price = Fraction(cents(entry.get("amount") or entry.get("fmv", "0")), qty)
            method = entry.get("method", self.says("lot_method", "fifo"))
            if method == "donation":
                price = Fraction(entry["price"]) * 100 / NANO
            closed = self.relieve(account, symbol, qty, method, price, day)
        if kind == "sell":
            self.sell(closed, key, day, cents(entry["amount"]))
        elif kind == "transfer":
            for lot in sorted(closed, key=in_order_of_loss):
                lot.account, lot.since = entry["to"], self.count()
                self.lots.append(lot)
        elif kind == "split_off":
            new, _, old = entry["ratio"].partition(":")
            closed.sort(key=in_order_of_loss)
            for lot, received in zip(
                closed, self.scaled(closed, Fraction(new) / Fraction(old or "1")), strict=True
            ):
                lot.symbol, lot.qty, lot.purchased = entry["to"], max(1, received), None
                self.lots.append(lot)
        elif kind == "ira_distribution":
            qty, value = nano(entry["qty"]), cents(entry["fmv"])
            self.purchase(Lot(key, entry["to"], symbol, qty, value, day), day)

    def exercise(self, key: int, entry: dict[str, Any], account: str, day: date) -> None:
        is_right = "rights" in entry
        qty = nano(entry["qty"]) if is_right else nano(entry["contracts"]) * 100
        given = entry["rights"] if is_right else entry["option"]
        method, price = self.says("lot_method", "fifo"), Fraction(cents(entry["amount"]), qty)
        closed = self.relieve(account, given, qty, method, price, day)
        closed.sort(key=in_order_of_loss)
        amount, left = cents(entry["amount"]), sum(lot.qty for lot in closed)
        for lot in closed:
            paid = share(amount, lot.qty, left)
            amount -= paid
            left -= lot.qty
            days = lot.acq - lot.hp if lot.absorbed else timedelta(0)
            lot.symbol, lot.key, lot.purchase = entry["symbol"], key, key
            lot.basis += paid
            lot.loss_basis = lot.basis
            # §1223(5): stock from rights counts from the day of exercise itself.
            lot.acq, lot.purchased, lot.hp = day, day, day - (timedelta(1) if is_right else days)
            if lot.absorbed:
                self.add(lot)
            else:
                self.purchase(lot, day)


# What each method sorts by: cost, gain, long-term?
RANKS: dict[str, Callable[[Fraction, Fraction, bool], Any]] = {
    "max_loss": lambda cost, gain, is_long: gain,
    "max_gain": lambda cost, gain, is_long: cost,
    "min_tax_rank": lambda cost, gain, is_long: (
        (gain > 0) - (gain < 0),
        is_long if gain <= 0 else not is_long,
        gain,
    ),
    "min_tax_dollars": lambda cost, gain, is_long: gain * Fraction("0.238" if is_long else "0.408"),
    # §170(e)(1)(A): long-term gains by share of gain, short-term ones at their basis, losses last.
    "donation": lambda cost, gain, is_long: (
        (0 if is_long else 1) if gain > 0 else 2 if gain == 0 else 3,
        -cost if gain > 0 and not is_long else cost,
    ),
}


def in_order_of_loss(piece: Lot) -> tuple[Any, ...]:
    """Reg. §1.1091-1(b), for the shares that one order closes."""
    return piece.acq, piece.hp, piece.key, *piece.of_one_purchase()


# What a row's parts share.
PARTED = ("qty", "proceeds", "basis", "disallowed", "permanent", "open")


@dataclass(frozen=True)
class Outcome:
    """Sums over disposals in taxable accounts, open lots, and matches of losses with replacements."""

    sold: dict[Any, list[int]]
    held: dict[Any, list[int]]
    linked: dict[Any, list[int]]


def summed(facts: Iterable[tuple[Any, list[int]]]) -> dict[Any, list[int]]:
    sums: dict[Any, list[int]] = {}
    for at, figures in facts:
        sums[at] = [a + b for a, b in zip(sums.get(at, [0] * len(figures)), figures, strict=True)]
    return sums


def fold(document: dict[str, Any]) -> Household:
    """The household after all transactions of a `tax replay` document."""
    home = Household(document.get("accounts", {"A": {}}), document.get("policy", {}))
    keys: dict[str, int] = {}
    for entry in document["transactions"]:
        if entry["type"] == "symbol_change":
            # A renamed stock is one stock, before the change too.
            home.group.setdefault(entry["to"], home.group_of(entry["symbol"]))
            home.units.setdefault(entry["to"], home.unit_of(entry["symbol"]))
    for key, entry in enumerate(document["transactions"]):
        home.apply(key, entry, keys)
        keys[entry["id"]] = key
    return home


def statute(document: dict[str, Any]) -> Outcome:
    """Disposals by (sale, lot, account, long, acquired, holding from), open lots by (lot, symbol,
    account, acquired, holding from, purchased, purchase, absorbed), links by (sale, lot sold, its
    account, replacement, its account and symbol, day, is lost); in billionths and cents."""
    home = fold(document)
    names = ("qty", "proceeds", "basis", "disallowed", "permanent", "open")
    at = ("sale", "lot", "account", "long", "acq", "hp")
    return Outcome(
        sold=summed(
            (tuple(row[name] for name in at), [row[name] for name in names])
            for row in home.rows
            if home.accounts[row["account"]][1] == "taxable"
        ),
        held=summed(
            (
                (
                    lot.key,
                    lot.symbol,
                    lot.account,
                    lot.acq,
                    lot.hp,
                    lot.purchased,
                    lot.purchase,
                    lot.absorbed,
                ),
                [lot.qty, lot.basis, lot.loss_basis],
            )
            for lot in home.lots + home.shorts
        ),
        linked=summed(home.links),
    )
