"""The proof that no event was changed, added or lost behind the books' back.

Every posting (events that became known together) is a Merkle tree whose leaves are its events, as
RFC 9162 §2.1 defines it: a leaf is SHA-256(0x00 ‖ event), a node SHA-256(0x01 ‖ left ‖ right), and a
node without a sibling stands for itself. The roots form a chain: each link hashes the one before
with its posting's facts. Whoever kept one link can prove everything before it; one event is proven
by a path of hashes as long as the tree is high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import pack

FIRST_LINK = bytes(32)  # what the first posting is chained to


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """Events that became known together: sequences first_seq to last_seq."""

    first_seq: int
    last_seq: int
    known_at_micros: int  # microseconds since 1970 UTC
    actor_id: int
    source: str
    root: bytes  # of the tree of its events
    link: bytes  # chained to the posting before


def leaf(event: bytes) -> bytes:
    """The hash of one event in its canonical bytes (`store.event_tables`)."""
    return sha256(b"\0" + event).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over one leaf or more."""
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], at: int) -> list[tuple[str, bytes]]:
    """What proves leaf `at`: from the bottom up its siblings, each with its side, "left" or "right"."""
    found, level = [], list(leaves)
    while len(level) > 1:
        sibling = at ^ 1
        if sibling < len(level):
            found.append(("left" if sibling < at else "right", level[sibling]))
        level, at = _above(level), at // 2
    return found


def link(before: bytes, posting: Posting) -> bytes:
    """The posting's link: its own facts chained to the link before (FIRST_LINK for the first)."""
    facts = pack(">qqqi", posting.first_seq, posting.last_seq, posting.known_at_micros, posting.actor_id)
    return sha256(before + posting.root + facts + posting.source.encode()).digest()


def _above(level: list[bytes]) -> list[bytes]:
    pairs = [sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
    return pairs + level[-1:] if len(level) % 2 else pairs
