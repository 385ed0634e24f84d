"""The one fold: events in, lots, disposals, wash links and cash out, in both views.

The taxpayer view follows the law (household × substantially identical group); the broker view
follows what the custodian must report (account × security, §6045(g)(2)(B)(ii)). A sale without
named lots relieves what the *broker's* books relieve, for that is what is confirmed; the
taxpayer view then closes the same lots.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from allotment.book.lots import Lots
from allotment.ledger.cash import Cash, Unsettled, cash_of, sum_by
from allotment.ledger.corrections import in_force
from allotment.ledger.events import AccountTable, Events
from allotment.ledger.linking import Membership, circles
from allotment.ledger.translate import Translated, positions, translate
from allotment.tax.confirmed import confirmed_lots
from allotment.tax.fold import Folded, ProblemCode, fold_transactions
from allotment.tax.identical import IdenticalGroups
from allotment.tax.pretrade import WINDOW_DAYS, OpenClaims
from allotment.tax.streams import with_successors
from allotment.tax.transactions import FoldPolicy, Scope
from allotment.units import NANO_PER_SHARE, Bools, Codes, Dates, Index, Ints, format_scaled, mul_div

_SAYS = {
    ProblemCode.SOLD_MORE_THAN_HELD: "more shares leave than are held",
    ProblemCode.LOT_NOT_HELD: "a named lot is not held in that quantity",
    ProblemCode.NAMED_QUANTITY_DIFFERS: "the named lots do not add up to the quantity",
    ProblemCode.UNKNOWN_ACCOUNT: "its account, or the account it goes to, is not known",
    ProblemCode.WRONG_HOUSEHOLD: "its account belongs to another household",
    ProblemCode.NOT_POSITIVE: "a quantity, amount or ratio is not positive",
    ProblemCode.UNKNOWN_KIND: "its kind is not known",
    ProblemCode.TOO_LARGE: "a quantity or amount is beyond what 64 bits carry",
    ProblemCode.NO_TERMS: "its terms, or the security that it names, are missing",
    ProblemCode.SHORT_IS_OPEN: "shares are short in a corporate action other than a split",
    ProblemCode.NOT_SHORT: "more shares are covered than are short",
    ProblemCode.LINKED_TWICE: "an account comes to its household once and leaves it once, later than it came",
    ProblemCode.INTO_ITSELF: "a security cannot become, or bring, itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One event that contradicts the others; it is left out, the rest is still folded."""

    event: int
    code: ProblemCode
    wanted_nano: int = 0
    held_nano: int = 0

    def __str__(self) -> str:
        wanted = format_scaled(self.wanted_nano, NANO_PER_SHARE)
        held = format_scaled(self.held_nano, NANO_PER_SHARE)
        return f"event {self.event}: {_SAYS[self.code]} (asked {wanted}, there {held})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposals:
    """What was sold, one row per piece of a lot, in order of account, then sale. Shape (n,).

    gain = proceeds - basis + disallowed. A gift sold between its two bases is booked with basis
    equal to proceeds.
    """

    account_ix: Index
    sleeve_ix: Index  # that held the shares
    event: Ints  # the sale
    security_id: Ints
    origin_event: Ints  # the lot
    origin_line: Index
    day: Dates  # trade date
    quantity_nano: Ints
    proceeds_cents: Ints
    basis_cents: Ints  # adjusted: earlier wash additions included
    disallowed_cents: Ints  # of the loss, ≥ 0
    permanent_cents: Ints  # the part of disallowed that goes nowhere
    gain_cents: Ints  # recognised
    long_term: Codes
    acquired: Dates
    holding_from: Dates
    acquisition_id: Ints  # the purchase that the shares came from
    taxable: Codes  # 0: inside an IRA, no tax event
    covered: Codes  # 1: the broker reports the basis
    open_nano: Ints  # shares of a loss that a purchase until day + 30 would still wash, splits included

    def __len__(self) -> int:
        return int(self.account_ix.shape[0])

    def take(self, rows: Index | Ints | slice | Bools) -> Disposals:
        """The rows asked for (positions, slice or mask), in that order."""
        return Disposals(**{part.name: getattr(self, part.name)[rows] for part in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class WashLinks:
    """Which shares washed which loss: one row per match, ascending by disposal. Shape (n_links,)."""

    disposal_ix: Ints  # row of Disposals whose loss is disallowed
    account_ix: Index  # account that holds the replacement
    security_id: Ints  # of the replacement
    replacement_event: Ints  # the lot that replaced
    replacement_line: Index
    quantity_nano: Ints  # shares of the replacement used
    sold_nano: Ints  # shares of the loss lot replaced, splits since included
    amount_cents: Ints  # disallowed by this match
    permanent: Codes  # 1: the replacement sits in an IRA (or a spouse's lot, by policy)
    matched: Dates  # when it became known: day of the sale or of the later purchase

    def __len__(self) -> int:
        return int(self.disposal_ix.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Lots, disposals and links under one reading of who counts. Lots ascending by account,
    family of connected securities (by its first member), security, acquisition."""

    lots: Lots
    disposals: Disposals
    links: WashLinks


@dataclass(frozen=True, slots=True, kw_only=True)
class BookState:
    """What follows from the events."""

    accounts: AccountTable
    members: Membership  # which of them belong to their household when
    groups: IdenticalGroups  # every security at hand; a renamed one stands with its new name
    taxpayer: View
    broker: View
    cash: Cash
    unsettled: Unsettled
    problems: tuple[Problem, ...]  # ascending by event

    @property
    def cash_cents(self) -> Ints:
        """Cash by account, all sleeves together, by trade date. Shape (n_accounts,)."""
        return sum_by(self.cash.account_ix, self.cash.balance_cents, len(self.accounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxpayerYear:
    """Recognised net gains by taxpayer, shape (n_taxpayers,), ascending by id."""

    taxpayer_ids: Ints
    short_cents: Ints
    long_cents: Ints


def fold(
    events: Events,
    accounts: AccountTable,
    groups: IdenticalGroups,
    policy: FoldPolicy | None = None,
) -> BookState:
    """Fold events of any number of households; folding one household gives its part of the book.

    Securities that `groups` does not know stand alone. Raises InvariantError when money or
    shares are not conserved (docs/law/numbers.md); contradictions in the input are `problems`.
    """
    policy = policy or FoldPolicy()
    told = translate(in_force(events).events, accounts, groups)
    by_broker = replace(policy, scope=Scope.ACCOUNT_CUSIP)
    broker = fold_transactions(told.transactions, told.accounts, told.groups, by_broker)
    confirmed = replace(told.transactions, named=confirmed_lots(told.transactions, told.accounts, broker))
    taxpayer = fold_transactions(confirmed, told.accounts, told.groups, policy)
    cash, unsettled = cash_of(told, broker, accounts)
    return BookState(
        accounts=accounts,
        members=told.members,
        groups=with_successors(told.groups, told.transactions),
        taxpayer=_view(told, taxpayer),
        broker=_view(told, broker),
        cash=cash,
        unsettled=unsettled,
        problems=_problems(told, broker, taxpayer),
    )


def _view(told: Translated, folded: Folded) -> View:
    lots, sold, links = folded.lots, folded.disposals, folded.links
    security_ids = told.groups.security_ids
    return View(
        lots=Lots(
            account_ix=lots.account_ix,
            sleeve_ix=lots.sleeve_ix,
            security_id=security_ids[lots.security_ix],
            side=lots.side,
            quantity_nano=lots.quantity_nano,
            basis_cents=lots.basis_cents,
            loss_basis_cents=lots.loss_basis_cents,
            acquired=lots.acquired,
            holding_from=lots.holding_from,
            purchased=lots.purchased,
            acquisition_id=lots.purchase_id,
            origin_event=told.event[lots.origin_row],
            origin_line=told.line[lots.origin_row],
            absorbed=lots.absorbed,
            covered=lots.covered,
            basis_state=lots.basis_state,
        ),
        disposals=Disposals(
            account_ix=sold.account_ix,
            sleeve_ix=sold.sleeve_ix,
            event=told.event[sold.sale_row],
            security_id=security_ids[sold.security_ix],
            origin_event=told.event[sold.origin_row],
            origin_line=told.line[sold.origin_row],
            day=sold.day,
            quantity_nano=sold.quantity_nano,
            proceeds_cents=sold.proceeds_cents,
            basis_cents=sold.basis_cents,
            disallowed_cents=sold.disallowed_cents,
            permanent_cents=sold.permanent_cents,
            gain_cents=sold.gain_cents,
            long_term=sold.long_term,
            acquired=sold.acquired,
            holding_from=sold.holding_from,
            acquisition_id=sold.purchase_id,
            taxable=sold.taxable,
            covered=sold.covered,
            open_nano=sold.open_nano,
        ),
        links=WashLinks(
            disposal_ix=links.disposal_ix,
            account_ix=links.account_ix,
            security_id=security_ids[links.security_ix],
            replacement_event=told.event[links.origin_row],
            replacement_line=told.line[links.origin_row],
            quantity_nano=links.quantity_nano,
            sold_nano=links.sold_nano,
            amount_cents=links.amount_cents,
            permanent=links.permanent,
            matched=links.matched,
        ),
    )


def _problems(told: Translated, *folds: Folded) -> tuple[Problem, ...]:
    found = {
        int(event): Problem(event=int(event), code=ProblemCode(int(code)))
        for event, code in zip(told.rejected.event, told.rejected.code, strict=True)
    }
    for folded in folds:
        problems = folded.problems
        for i in range(len(problems.row)):
            event = int(told.event[problems.row[i]])
            found.setdefault(
                event,
                Problem(
                    event=event,
                    code=ProblemCode(int(problems.code[i])),
                    wanted_nano=int(problems.wanted_nano[i]),
                    held_nano=int(problems.held_nano[i]),
                ),
            )
    return tuple(found[event] for event in sorted(found))


def open_claims(state: BookState, asof: Dates) -> OpenClaims:
    """Losses of the taxpayer view that a purchase on `asof` would wash, for `tax.pretrade`.

    household_ix is the circle of `ledger.linking` on the day: it counts the households of
    `state.accounts` in ascending order, then the accounts that belong to none; group_ix counts the
    groups of `state.groups`.
    """
    groups, sold = state.groups, state.taxpayer.disposals
    in_window = (sold.day <= asof + WINDOW_DAYS) & (sold.day >= asof - WINDOW_DAYS)
    sold = sold.take(in_window & (sold.open_nano > 0) & (sold.taxable == 1))
    household = circles(state.accounts, state.members, asof)[sold.account_ix]
    at = positions(groups.security_ids, sold.security_id)
    order = np.lexsort((sold.event, sold.day, groups.group_ix[at], household))
    sold, at = sold.take(order), at[order]
    units = [
        mul_div(int(quantity), int(parts), int(whole))
        for quantity, parts, whole in zip(
            sold.open_nano, groups.unit_parts[at], groups.unit_whole[at], strict=True
        )
    ]
    return OpenClaims(
        household_ix=household[order],
        group_ix=groups.group_ix[at],
        account_ix=sold.account_ix,
        security_id=sold.security_id,
        unit_nano=np.array(units, np.int64),
        loss_cents=sold.basis_cents - sold.proceeds_cents - sold.disallowed_cents,
        sold=sold.day,
        no_buy_until=sold.day + WINDOW_DAYS,
        acquisition_id=sold.acquisition_id,
    )


def taxpayer_year(state: BookState, year: int) -> TaxpayerYear:
    """Net short and long gains of `year` in the taxable accounts, by taxpayer."""
    sold = state.taxpayer.disposals
    sold = sold.take((sold.day.astype("M8[Y]") == np.datetime64(str(year), "Y")) & (sold.taxable == 1))
    taxpayers, owner = np.unique(state.accounts.taxpayer_ids, return_inverse=True)
    at = owner[sold.account_ix]
    long = sold.long_term == 1
    return TaxpayerYear(
        taxpayer_ids=taxpayers,
        short_cents=sum_by(at[~long], sold.gain_cents[~long], len(taxpayers)),
        long_cents=sum_by(at[long], sold.gain_cents[long], len(taxpayers)),
    )
