"""What each kind of file becomes: facts of the market, records of clients, events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np

from allotment.book.household import Sleeve
from allotment.errors import DataError
from allotment.feeds import arrival_files, book_files, household_files, market_files, opening_files
from allotment.feeds.references import Known, SecurityLookup
from allotment.feeds.schemas import BOOK_KINDS, MARKET_KINDS, SCHEMAS
from allotment.feeds.table import Table
from allotment.jobs import arrivals
from allotment.jobs.posting import Books, Posted, post, rebase
from allotment.ledger.discretion import DISCRETION_KINDS, periods_of
from allotment.ledger.events import EventKind, Events
from allotment.ledger.write import concatenate, take
from allotment.risk.exposures import NAMES as EXPOSURES
from allotment.store import (
    arrival_tables,
    book_tables,
    event_tables,
    expected_tables,
    index_tables,
    market_tables,
    state_tables,
)
from allotment.store.session import FirmStore, MarketStore

Advance = Callable[[str, int, int], None]
_OUTSIDE = "outside accounts"


def load(
    firm: FirmStore, market: MarketStore, table: Table, asof: date, sha256: str, advance: Advance
) -> str:
    """Resolve a checked table and write it; call it in the transaction of its file.

    Gives what came of it beside rows, in words. Raises BadFileError with every row that does not fit
    what is stored.
    """
    kind = table.schema.kind
    if kind in MARKET_KINDS:
        _load_market(market, table)
        return ""
    assert kind in BOOK_KINDS
    known = _known(firm, kind, asof)
    if kind == "venues":
        venues = book_files.venues(table)
        return _rederived(firm, lambda: book_tables.save_venues(firm, venues), advance)
    if kind == "accounts":
        accounts = book_files.accounts(table, known)
        return _rederived(firm, lambda: book_tables.save_accounts(firm, accounts), advance)
    if kind == "households":
        book_tables.save_households(firm, book_files.households(table, known))
    elif kind == "taxpayers":
        book_tables.save_taxpayers(firm, book_files.taxpayers(table, known))
    elif kind == "sleeves":
        book_tables.save_sleeves(firm, book_files.sleeves(table, known))
    elif kind == "mandates":
        book_tables.save_mandates(firm, book_files.mandates(table, known, asof))
    elif kind == "cash":
        post(firm, opening_files.cash(table, known, asof), source=f"cash {sha256}", advance=advance)
    elif kind == "lots":
        arrivals.book_opening(firm, table, known, asof, sha256, advance)
    elif kind == "transfers":
        return arrivals.book_transfers(firm, table, known, asof, advance)
    elif kind == "late_basis":
        return arrivals.book_late_basis(firm, table, known, sha256, advance)
    elif kind in {"links", "discretion", "outside_transactions", "expected"}:
        return _load_of_household(firm, table, known, asof, sha256, advance)
    else:
        arrival_tables.save_carried_prices(firm, arrival_files.carried_prices(table, known, asof))
    return ""


def _rederived(firm: FirmStore, save: Callable[[], object], advance: Advance) -> str:
    """Save facts that folds read, and derive anew the households that have events and whose facts changed;
    what came of it."""
    before = Books(firm).facts_of_accounts()
    save()
    after = Books(firm).facts_of_accounts()
    changed = [household for household, facts in after.items() if before.get(household) != facts]
    begun = state_tables.load_hashes(firm, changed)
    return arrivals.told(firm, rebase(firm, advance, list(begun))) if begun else ""


Groups = dict[int, tuple[str, float]]  # group and units of each security


def groups_of(firm: FirmStore) -> Groups:
    """Which securities the wash-sale rule looks at as one."""
    return {one.security_id: (one.group_code, one.group_units) for one in market_tables.load_securities(firm)}


def regroup(firm: FirmStore, before: Groups, advance: Advance) -> str:
    """Derive the books anew when securities that were known have changed their groups; what came of it.

    Other firms on the market have to do the same: `allotment ledger rebase`.
    """
    after = groups_of(firm)
    if all(after.get(security) == group for security, group in before.items()):
        return ""
    begun = list(state_tables.load_hashes(firm))
    return arrivals.told(firm, rebase(firm, advance, begun)) if begun else ""


def _load_of_household(
    firm: FirmStore, table: Table, known: Known, asof: date, sha256: str, advance: Advance
) -> str:
    """Who belongs together, and what comes from outside; what that changed."""
    if table.schema.kind == "links":
        events = household_files.links(table, known, event_tables.links(firm))
        posted = post(firm, events, source=f"links {sha256}", advance=advance)
    elif table.schema.kind == "discretion":
        recorded = periods_of(event_tables.days_of(firm, DISCRETION_KINDS))
        events = household_files.discretion(table, known, recorded)
        posted = post(firm, events, source=f"discretion {sha256}", advance=advance)
    elif table.schema.kind == "expected":
        expected_tables.save_pages(firm, household_files.expected(table, known, asof))
        return ""
    else:
        events = household_files.outside_transactions(table, known, asof)
        posted = _load_outside(firm, table, events, advance)
    return arrivals.told(firm, posted)


def _load_outside(firm: FirmStore, table: Table, events: Events, advance: Advance) -> Posted:
    """Post what is not booked yet; a row that contradicts the books is told by its line."""
    keys = household_files.outside_ids(table)
    households = np.unique(events.household_id)
    book_tables.lock_households(firm, households)
    booked = event_tables.sequences_of(firm, _OUTSIDE, keys)
    new = np.array([row for row, key in enumerate(keys) if key not in booked], np.int64)
    if len(new):
        stored = event_tables.load_events(firm, households)
        first = int(stored.ledger_seq.max(initial=0)) + 1
        coming = take(events, new)
        coming = replace(coming, ledger_seq=first + np.arange(len(new)))
        state = Books(firm).fold_events(concatenate([stored, coming]), households.tolist())
        for problem in state.problems:
            if problem.event >= first:
                remedy = "import the account's lots first, or leave the sale out: purchases are enough"
                table.refuse(
                    [new[problem.event - first]], "quantity", str(problem).partition(": ")[2], remedy
                )
        table.check()
    return post(firm, events, source=_OUTSIDE, source_ids=keys, advance=advance)


def _load_market(market: MarketStore, table: Table) -> None:
    kind = table.schema.kind
    securities = market_tables.load_securities(market)
    if kind == "securities":
        known = {security.code: security.security_id for security in securities}
        market_tables.save_securities(market, market_files.securities(table, known))
        return
    lookup = SecurityLookup(securities, market_tables.load_identifiers(market))
    if kind == "identifiers":
        market_tables.save_identifiers(market, market_files.identifiers(table, lookup))
    elif kind == "prices":
        for block in market_files.price_blocks(table, lookup):
            market_tables.correct_prices(market, block.prices, block.market_cap_usd)
    elif kind == "index_weights":
        index_tables.save_index_weights(market, market_files.index_weights(table, lookup))
    elif kind == "corporate_actions":
        market_tables.save_actions(market, market_files.corporate_actions(table, lookup))
    else:
        for scores in market_files.scores(table, lookup):
            index_tables.save_scores(market, scores.name, scores.day, scores.security_ids, scores.values)


def _known(firm: FirmStore, kind: str, asof: date) -> Known:
    """What the kind may refer to."""
    needs = {kind, *SCHEMAS[kind].needs, *(("accounts",) if kind == "taxpayers" else ())}

    def begun(by: EventKind, matters_to: set[str]) -> frozenset[int]:
        return event_tables.accounts_with(firm, by) if kind in matters_to else frozenset()

    securities = market_tables.load_securities(firm) if "securities" in needs else ()
    names = market_tables.load_identifiers(firm) if "securities" in needs else ()
    vocabulary = {}
    if kind == "mandates":
        ids = np.array([security.security_id for security in securities], np.int64)
        scores = frozenset(index_tables.load_scores(firm, asof, ids))
        vocabulary = {
            "benchmark": frozenset(index_tables.index_codes(firm)),
            "excluded_sectors": frozenset(security.sector for security in securities),
            "excluded_industries": frozenset(security.industry for security in securities),
            "excluded_flags": scores,
            "tilts": scores | frozenset(EXPOSURES),
        }
    households = book_tables.load_households(firm) if "households" in needs else ()
    taxpayers = book_tables.load_taxpayers(firm) if "taxpayers" in needs else ()
    accounts = book_tables.load_accounts(firm) if "accounts" in needs else ()
    sleeves = book_tables.load_sleeves(firm) if "sleeves" in needs else ()
    return Known(
        securities=SecurityLookup(securities, names),
        venues=book_tables.load_venues(firm) if "venues" in needs else {},
        households={one.code: one for one in households},
        taxpayers={one.code: one for one in taxpayers},
        accounts={one.code: one for one in accounts},
        sleeves={one.code: one for one in sleeves},
        vocabulary=vocabulary,
        with_lots=begun(EventKind.OPENING, {"lots"}),
        with_cash=begun(EventKind.OPENING_CASH, {"cash"}),
        with_events=event_tables.accounts_with_events(firm) if kind == "accounts" else frozenset(),
    )


def complete_sleeves(firm: FirmStore) -> None:
    """Every account has at least one sleeve: where none was given, one of the account's name."""
    with firm.transaction():
        firm.take_turns("import")
        sleeves = book_tables.load_sleeves(firm)
        owners = {sleeve.account_id for sleeve in sleeves}
        bare = [a for a in book_tables.load_accounts(firm) if a.account_id not in owners]
        known = {sleeve.code: sleeve.sleeve_id for sleeve in sleeves}
        codes = [account.code for account in bare]
        taken = [code for code in codes if code in known]
        if taken:
            raise DataError(f"sleeve {taken[0]!r} belongs to another account than {taken[0]!r}; rename it.")
        numbers = market_files.numbered(codes, known)
        book_tables.save_sleeves(
            firm,
            [
                Sleeve(sleeve_id=number, code=account.code, account_id=account.account_id)
                for number, account in zip(numbers, bare, strict=True)
            ],
        )
