"""Are the books what their events say? Everything is derived anew and compared byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from allotment.jobs.posting import Books
from allotment.ledger import chain
from allotment.ledger.events import EventKind
from allotment.store import event_chain, event_tables, state_tables
from allotment.store.packed_state import pack_state
from allotment.store.session import FirmStore

Advance = Callable[[str, int, int], None]
_HOUSEHOLDS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found. The books are sound when nothing is broken or different."""

    n_households: int
    n_accounts: int
    n_events: int
    events_by_kind: dict[str, int]
    n_postings: int
    broken: tuple[str, ...]  # of the chain
    different: tuple[tuple[int, str], ...]  # (household, what)
    contradictions: tuple[str, ...]
    state_hash: str  # of all households looked at, in their order
    last_link: str  # of the chain: keep it, and everything before it can be proven

    @property
    def is_clean(self) -> bool:
        """True when the chain holds and every stored byte follows from the events."""
        return not (self.broken or self.different or self.contradictions)


def verify(firm: FirmStore, household_ids: Sequence[int] | None, advance: Advance) -> Verification:
    """Check households (default: all, and the chain of postings)."""
    with firm.transaction() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        books = Books(firm)
        chosen = books.household_ids if household_ids is None else sorted(household_ids)
        broken, n_postings, last_link = check_chain(firm, advance) if household_ids is None else ((), 0, b"")
        kinds: Counter[str] = Counter()
        different: list[tuple[int, str]] = []
        contradictions: list[str] = []
        n_accounts, digest = 0, sha256()
        for start in range(0, len(chosen), _HOUSEHOLDS_AT_ONCE):
            part = chosen[start : start + _HOUSEHOLDS_AT_ONCE]
            events = event_tables.load_events(firm, part)
            kinds.update(_named_kinds(events.kind.tolist()))
            state = books.fold_events(events, part)
            contradictions += [str(problem) for problem in state.problems]
            packed_state = pack_state(state)
            begun = frozenset(events.household_id.tolist())
            different += state_tables.differences(firm, packed_state, begun)
            n_accounts += len(packed_state.account_ids)
            digest.update(b"".join(packed_state.hashes))
            advance("deriving anew", start + len(part), len(chosen))
    return Verification(
        n_households=len(chosen),
        n_accounts=n_accounts,
        n_events=kinds.total(),
        events_by_kind=dict(sorted(kinds.items())),
        n_postings=n_postings,
        broken=broken,
        different=tuple(different),
        contradictions=tuple(contradictions),
        state_hash=digest.hexdigest(),
        last_link=last_link.hex(),
    )


def _named_kinds(kinds: list[int]) -> dict[str, int]:
    return {EventKind(kind).name.lower(): count for kind, count in Counter(kinds).items()}


def check_chain(firm: FirmStore, advance: Advance) -> tuple[tuple[str, ...], int, bytes]:
    """What is wrong with the chain, the number of postings, and the last link."""
    postings = event_chain.load_postings(firm)
    broken: list[str] = []
    next_seq, before = 1, chain.FIRST_LINK
    # An event put in behind the books has a number that was never given out.
    n_events = max(event_tables.last_sequence(firm), event_tables.newest_stored(firm))
    for posting in postings:
        name = f"the posting of events {posting.first_seq} to {posting.last_seq}"
        if posting.first_seq != next_seq:
            broken.append(f"events {next_seq} to {posting.first_seq - 1} belong to no posting")
        found = chain.leaves(list(event_chain.canonical(firm, posting.first_seq, posting.last_seq)))
        if len(found) != posting.last_seq - posting.first_seq + 1:
            broken.append(f"{name} has lost events")
        elif chain.root(found) != posting.root:
            broken.append(f"{name} has an event that was changed")
        if chain.link(before, posting) != posting.link:
            broken.append(f"{name} is not chained to the one before")
        before, next_seq = posting.link, posting.last_seq + 1
        advance("checking the chain", posting.last_seq, n_events)
    if next_seq <= n_events:
        broken.append(f"events {next_seq} to {n_events} belong to no posting")
    return tuple(broken), len(postings), before
