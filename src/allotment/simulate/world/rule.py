"""The plain rule by which a sample account trades.

On its trading days an account sells lots that stand far below their basis and puts the proceeds
into other names of the same sector, trims what has grown far above its share, and invests cash
into what it holds too little of. Nothing that the household sold at a loss is bought for 30
days, nothing bought within 30 days is sold at a loss. It is no optimiser: a few hundred
names stand for the index, and each purchase is large enough to be worth its lot.
"""

from __future__ import annotations

import numpy as np

from allotment.compiled import kernel
from allotment.simulate.world.shelf import NANO, NONE, WASH_DAYS, Day, buy, find_lots, sell_parts

_TOP_SHARE = 0.6  # of an account's names are the largest of the index; the rest is a sample
_TRIM_ABOVE = 2.0  # times the target …
_TRIM_SLACK = 0.004  # … and so much of the account on top
_TRIMS_MAX = 12
_HARVESTS_MAX = 20
_IDLE_CASH = 0.006  # of the account: less is not worth a purchase
_PARTS_OF_PROCEEDS = 3  # names that share the proceeds of one harvested name
_ROOM_LEFT = 400  # lots: an account this near its limit buys a few names only
CENTS = 100.0


@kernel
def appraise(day: Day) -> float:
    """Fill all but `loss` and `order`; returns the account's value with its cash, in dollars."""
    tape, plans, shelf, desk = day.tape, day.plans, day.shelf, day.desk
    a, slot, t = day.account, day.slot, day.session
    account = day.plans.accounts[day.account]
    purse = day.shelf.purses[day.slot]
    session = day.tape.sessions[day.session]
    file, today, kept = session["bench_row"], session["day"], account["kept"]
    top = np.int64(_TOP_SHARE * account["names"])
    rest = max(tape.members[file] - top, 1)
    chance = min(1.0, (account["names"] - top) / rest)
    account_usd = purse["cash"] / CENTS
    total = 0.0
    for i in range(desk.shape[0]):
        held = shelf.position[slot, i]
        desk[i]["value"] = held * 1e-15 * tape.price_micros[t, i] if held > 0 else 0.0
        account_usd += desk[i]["value"]
        weight = tape.bench[file, i] if plans.allowed[a, i] else 0.0
        desk[i]["bound"] = weight
        is_open = shelf.groups[tape.names[i]["group"]]["blocked_until"] < today
        desk[i]["may_buy"] = weight > 0.0 and tape.trades[t, i] and i != kept and is_open
        if tape.rank[file, i] >= top:
            weight = weight / chance if plans.lottery[account["style"], i] < chance else 0.0
        desk[i]["target"] = weight
        total += weight
    if total > 0.0:
        for i in range(desk.shape[0]):
            desk[i]["target"] *= (1.0 - account["cash_weight"]) / total
    return float(account_usd)


@kernel
def trade(day: Day) -> None:
    """One trading day of one account: harvest, trim, invest."""
    t = day.session
    account = day.plans.accounts[day.account]
    purse = day.shelf.purses[day.slot]
    session = day.tape.sessions[day.session]
    if session["bench_row"] < 0:
        return
    account_usd = appraise(day)
    if account["taxable"] and t <= account["harvest_last"]:
        _harvest(day, account_usd)
    _trim(day, account_usd)
    spare_usd = purse["cash"] / CENTS - account["cash_weight"] * account_usd
    if spare_usd > _IDLE_CASH * account_usd:
        _invest(day, account_usd, spare_usd)


@kernel
def raise_cash(day: Day, cents: int) -> None:
    """Sell what stands highest above its target until the account has `cents` of cash, if it can."""
    tape, desk, t = day.tape, day.desk, day.session
    account = day.plans.accounts[day.account]
    purse = day.shelf.purses[day.slot]
    session = day.tape.sessions[day.session]
    if session["bench_row"] < 0:
        return
    account_usd = appraise(day)
    for _ in range(60):
        missing_usd = (cents - purse["cash"]) / CENTS
        if missing_usd <= 0.0:
            return
        best, excess = NONE, 0.0
        for i in range(desk.shape[0]):
            above = desk[i]["value"] - 0.8 * desk[i]["target"] * account_usd
            if above > excess and tape.trades[t, i] and i != account["kept"]:
                best, excess = i, above
        if best < 0:
            return
        amount_usd = min(desk[best]["value"], max(missing_usd / 8.0, min(missing_usd, excess)) + 1.0)
        before = purse["cash"]
        _sell_amount(day, best, amount_usd, 1.0)
        sold_usd = (purse["cash"] - before) / CENTS
        desk[best]["value"] = desk[best]["value"] - sold_usd if sold_usd > 0.0 else 0.0


@kernel
def _harvest(day: Day, account_usd: float) -> None:
    """Sell the lots far below their basis, name by name, the largest loss first."""
    tape, shelf, desk, slot, t = day.tape, day.shelf, day.desk, day.slot, day.session
    account = day.plans.accounts[day.account]
    purse = day.shelf.purses[day.slot]
    session = day.tape.sessions[day.session]
    desk["loss"][:] = 0.0
    floor = 1.0 - account["harvest_below"]
    for k in range(purse["n_lots"]):
        i = shelf.lots[slot, k]["sec"]
        value_usd = shelf.lots[slot, k]["quantity"] * 1e-15 * tape.price_micros[t, i]
        basis_usd = shelf.lots[slot, k]["basis"] / CENTS
        if value_usd < floor * basis_usd and tape.trades[t, i]:
            desk[i]["loss"] += basis_usd - value_usd
    worth_usd = max(40.0, 1e-4 * account_usd)
    for _ in range(_HARVESTS_MAX):
        i = int(np.argmax(desk["loss"]))
        if desk[i]["loss"] < worth_usd:
            return
        desk[i]["loss"] = 0.0
        held_days = session["day"] - shelf.groups[tape.names[i]["group"]]["bought_on"]
        if held_days <= WASH_DAYS or i == account["kept"]:
            continue
        n = find_lots(shelf, slot, i)
        for k in range(n):
            row = shelf.found[k]["row"]
            value_usd = shelf.lots[slot, row]["quantity"] * 1e-15 * tape.price_micros[t, i]
            if value_usd < floor * shelf.lots[slot, row]["basis"] / CENTS:
                shelf.found[k]["part"] = shelf.lots[slot, row]["quantity"]
        cents = sell_parts(day, i, tape.price_micros[t, i], n)
        desk[i]["value"] -= cents / CENTS
        for j in range(desk.shape[0]):
            if tape.names[j]["group"] == tape.names[i]["group"]:
                desk[j]["may_buy"] = False
        _replace(day, i, cents / CENTS, account_usd)


@kernel
def _replace(day: Day, sold: int, proceeds_usd: float, account_usd: float) -> None:
    """Spend the proceeds on the least held names of the same sector."""
    tape, desk = day.tape, day.desk
    left_usd = proceeds_usd
    for _ in range(_PARTS_OF_PROCEEDS):
        best, room_usd = NONE, 0.0
        for i in range(desk.shape[0]):
            if tape.names[i]["sector"] == tape.names[sold]["sector"] and desk[i]["may_buy"]:
                wanted_usd = 1.5 * max(desk[i]["bound"], desk[i]["target"]) * account_usd - desk[i]["value"]
                if wanted_usd > room_usd:
                    best, room_usd = i, wanted_usd
        if best < 0:
            return
        spend_usd = min(left_usd, max(room_usd, proceeds_usd / _PARTS_OF_PROCEEDS))
        spent = _buy_amount(day, best, spend_usd)
        if spent <= 0.0:
            return
        desk[best]["value"] += spent
        left_usd -= spent
        if left_usd < 0.1 * proceeds_usd:
            return


@kernel
def _trim(day: Day, account_usd: float) -> None:
    """Sell the excess of the names furthest above their share, highest basis first."""
    tape, desk, t = day.tape, day.desk, day.session
    account, purse = day.plans.accounts[day.account], day.shelf.purses[day.slot]
    for i in range(desk.shape[0]):
        desk[i]["order"] = 0.0
        if desk[i]["value"] > 0.0 and tape.trades[t, i] and i != account["kept"]:
            goal = max(desk[i]["target"], desk[i]["bound"])
            if desk[i]["value"] > (_TRIM_ABOVE * goal + (_TRIM_SLACK if goal > 0.0 else 0.0)) * account_usd:
                desk[i]["order"] = desk[i]["value"] - goal * account_usd
    gain_max = account["trim_gain_max"] if account["taxable"] else 1.0
    for _ in range(_TRIMS_MAX):
        i = int(np.argmax(desk["order"]))
        if desk[i]["order"] < max(100.0, 2e-4 * account_usd):
            return
        before = purse["cash"]
        _sell_amount(day, i, desk[i]["order"], gain_max)
        desk[i]["value"] -= (purse["cash"] - before) / CENTS
        desk[i]["order"] = 0.0


@kernel
def _invest(day: Day, account_usd: float, spare_usd: float) -> None:
    """Spread spare cash over the names that the account holds too little of."""
    tape, shelf, desk, t = day.tape, day.shelf, day.desk, day.session
    account = day.plans.accounts[day.account]
    purse = day.shelf.purses[day.slot]
    session = day.tape.sessions[day.session]
    ticket_usd = max(50.0, 2e-4 * account_usd)
    is_first = spare_usd > 0.5 * account_usd
    names_max = account["names"] if is_first else account["buys_max"]
    if purse["n_lots"] > account["lots_max"] - _ROOM_LEFT and not is_first:
        names_max = 5
    names_max = min(
        names_max, account["lots_max"] - purse["n_lots"], np.int64(spare_usd / (0.2 * ticket_usd))
    )
    today = session["day"]
    for i in range(desk.shape[0]):
        short_usd = desk[i]["target"] * account_usd - desk[i]["value"]
        wanted = short_usd > 0.2 * ticket_usd and desk[i]["may_buy"]
        # A trim of this day may have taken a loss.
        is_open = shelf.groups[tape.names[i]["group"]]["blocked_until"] < today
        desk[i]["order"] = -short_usd if wanted and is_open else 0.0
    if names_max <= 0:
        return
    places = np.argsort(desk["order"])[:names_max]
    total_usd = 0.0
    for i in places:
        total_usd -= desk[i]["order"]
    if total_usd <= 0.0:
        return
    scale = min(spare_usd / total_usd, 1.5)
    carried_usd = 0.0  # what whole shares leave over goes to the next name
    for i in places:
        if desk[i]["order"] >= 0.0:
            return
        share_usd = -desk[i]["order"] * scale
        price_usd = tape.price_micros[t, i] / 1e6
        budget_usd = min(share_usd + carried_usd, max(2.0 * share_usd, price_usd))
        spent = _buy_amount(day, i, budget_usd)
        carried_usd += share_usd - spent


@kernel
def _buy_amount(day: Day, i: int, amount_usd: float) -> float:
    """Buy at most so many dollars of a name, in steps of its venue; returns dollars spent."""
    tape, t = day.tape, day.session
    account, purse = day.plans.accounts[day.account], day.shelf.purses[day.slot]
    amount_usd = min(amount_usd, purse["cash"] / CENTS - 0.01)
    if amount_usd <= 0.0:
        return 0.0
    steps = np.int64(amount_usd * 1e6 / tape.price_micros[t, i] * (NANO / account["step"]))
    return buy(day, i, steps * account["step"]) / CENTS


@kernel
def _sell_amount(day: Day, i: int, amount_usd: float, gain_max: float) -> None:
    """Sell about so many dollars of a name, lots of the highest basis first; no lot with more
    gain than `gain_max` of its value, and no loss within 30 days of a purchase."""
    tape, shelf, slot, t = day.tape, day.shelf, day.slot, day.session
    account, session = day.plans.accounts[day.account], day.tape.sessions[day.session]
    micros = tape.price_micros[t, i]
    steps = np.int64(np.ceil(amount_usd * 1e6 / micros * (NANO / account["step"])))
    left = steps * account["step"]
    is_young = session["day"] - shelf.groups[tape.names[i]["group"]]["bought_on"] <= WASH_DAYS
    n = find_lots(shelf, slot, i)
    for _ in range(n):
        if left <= 0:
            break
        best, highest = NONE, -1.0
        for k in range(n):
            row = shelf.found[k]["row"]
            if shelf.found[k]["part"] > 0:
                continue
            basis_usd = shelf.lots[slot, row]["basis"] / CENTS
            value_usd = shelf.lots[slot, row]["quantity"] * 1e-15 * micros
            unit = basis_usd / shelf.lots[slot, row]["quantity"]
            if value_usd - basis_usd > gain_max * value_usd or (is_young and value_usd < basis_usd):
                continue
            if unit > highest:
                best, highest = k, unit
        if best < 0:
            break
        shelf.found[best]["part"] = min(left, shelf.lots[slot, shelf.found[best]["row"]]["quantity"])
        left -= shelf.found[best]["part"]
    sell_parts(day, i, micros, n)
