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

import numpy as np

from allotment.ledger.digests import DIGEST_BYTES, Bytes, digests

_FEW = 16  # of one length: hashed one by one
_LONG = 1024  # bytes, beyond which rounds cost more than calls

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
    """The hash of one event in its canonical bytes (`store.event_chain`)."""
    return sha256(b"\0" + event).digest()


def leaves(events: Sequence[bytes]) -> Bytes:
    """The hashes of events in their canonical bytes, shape (n, 32)."""
    out = np.empty((len(events), DIGEST_BYTES), np.uint8)
    lengths = np.array([len(event) for event in events], np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if len(rows) < _FEW or length > _LONG:
            for row in rows.tolist():
                out[row] = np.frombuffer(leaf(events[row]), np.uint8)
        else:
            data = b"".join([events[row] for row in rows.tolist()])
            out[rows] = alike_leaves(np.frombuffer(data, np.uint8).reshape(len(rows), length))
    return out


def alike_leaves(events: Bytes) -> Bytes:
    """The hashes of events of one length, shape (n, 32). events: shape (n, length)."""
    marked = np.empty((len(events), events.shape[1] + 1), np.uint8)
    marked[:, 0] = 0
    marked[:, 1:] = events
    return digests(marked)


def root(leaves: Bytes) -> bytes:
    """The root of the tree over one leaf or more."""
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return bytes(level[0])


def path(leaves: Bytes, at: int) -> list[tuple[str, bytes]]:
    """What proves leaf `at`: from the bottom up its siblings, each with its side, "left" or "right"."""
    found, level = [], leaves
    while len(level) > 1:
        sibling = at ^ 1
        if sibling < len(level):
            found.append(("left" if sibling < at else "right", level[sibling].tobytes()))
        level, at = _above(level), at // 2
    return found


def link(before: bytes, posting: Posting) -> bytes:
    """The posting's link: its own facts chained to the link before (FIRST_LINK for the first)."""
    facts = pack(">qqqi", posting.first_seq, posting.last_seq, posting.known_at_micros, posting.actor_id)
    return sha256(before + posting.root + facts + posting.source.encode()).digest()


def _above(level: Bytes) -> Bytes:
    n_pairs = len(level) // 2
    pairs = np.empty((n_pairs, 1 + 2 * DIGEST_BYTES), np.uint8)
    pairs[:, 0] = 1
    pairs[:, 1:] = level[: 2 * n_pairs].reshape(n_pairs, 2 * DIGEST_BYTES)
    nodes = digests(pairs)
    return np.concatenate([nodes, level[-1:]]) if len(level) % 2 else nodes
