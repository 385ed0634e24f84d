"""Checks a proof that `allotment ledger prove` wrote. It needs Python and nothing else.

    python check_proof.py proof.json [LINK]

LINK is a link of the chain that you kept from before (hexadecimal): everything up to it was there then,
as it is now. Docs: docs/how-to/prove-a-row.md. Exit code 0: everything holds, 1: something does not.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from struct import calcsize, pack, unpack_from
from typing import Any

NUMBERS = [
    "ledger_seq",
    "household_id",
    "account_id",
    "sleeve_id",
    "day_seq",
    "security_id",
    "quantity_nano",
    "amount_cents",
    "order_id",
    "other_account_id",
    "reverses",
    "effective",
    "settles",
    "kind",
    "detail",
    "actor_id",
]
WIDTHS = ">11q2i2hi"
TEXTS = ("source", "source_id", "terms", "lots", "named_lots")
SELL, COVER = 4, 23


def decoded(data: bytes) -> dict[str, Any]:
    """The fields of an event from its canonical bytes."""
    event: dict[str, Any] = dict(zip(NUMBERS, unpack_from(WIDTHS, data), strict=True))
    at = calcsize(WIDTHS)
    for name in TEXTS:
        (length,) = unpack_from(">i", data, at)
        at += 4
        event[name] = None if length < 0 else data[at : at + length]
        at += max(length, 0)
    if at != len(data):
        raise ValueError("the bytes of an event are longer than its fields")
    return event


def root_above(data: bytes, path: list[list[str]]) -> str:
    """The root that a path leads to from an event (RFC 9162 §2.1)."""
    node = sha256(b"\0" + data).digest()
    for side, sibling in path:
        other = bytes.fromhex(sibling)
        node = sha256(b"\1" + (other + node if side == "left" else node + other)).digest()
    return node.hex()


def link_after(before: str, posting: dict[str, Any]) -> str:
    """The link of a posting chained to the one before."""
    facts = pack(
        ">qqqi", posting["first_seq"], posting["last_seq"], posting["known_at_micros"], posting["actor_id"]
    )
    parts = bytes.fromhex(before) + bytes.fromhex(posting["root"]) + facts + posting["source"].encode()
    return sha256(parts).hexdigest()


def broken_chain(postings: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the chain of postings."""
    wrong, before, next_seq = [], bytes(32).hex(), 1
    for posting in postings:
        name = f"posting of events {posting['first_seq']} to {posting['last_seq']}"
        if posting["first_seq"] != next_seq:
            wrong.append(f"{name}: events from {next_seq} on are missing before it")
        if link_after(before, posting) != posting["link"]:
            wrong.append(f"{name}: its link does not follow from the one before")
        before, next_seq = posting["link"], posting["last_seq"] + 1
    return wrong


def broken_events(proof: dict[str, Any]) -> list[str]:
    """Events whose bytes do not lead to the root of their posting."""
    wrong = []
    for one in proof["events"]:
        data = bytes.fromhex(one["bytes"])
        seq = decoded(data)["ledger_seq"]
        home = [p for p in proof["postings"] if p["first_seq"] <= seq <= p["last_seq"]]
        if len(home) != 1 or root_above(data, one["path"]) != home[0]["root"]:
            wrong.append(f"event {seq}: its bytes do not lead to the root of its posting")
    return wrong


def wrong_figures(proof: dict[str, Any]) -> list[str]:
    """Where the rows of the sale say something else than the events that they come from."""
    events = {
        event["ledger_seq"]: event for event in (decoded(bytes.fromhex(e["bytes"])) for e in proof["events"])
    }
    sale = events.get(proof["sale_recorded_as"])
    if sale is None:
        return ["the event of the sale is not in the proof"]
    wrong = []
    rows = proof["rows"]
    if sale["kind"] == SELL:
        if sum(row["proceeds_cents"] for row in rows) != sale["amount_cents"]:
            wrong.append("the proceeds of the rows do not add up to the amount of the sale")
        if sum(row["quantity_nano"] for row in rows) != sale["quantity_nano"]:
            wrong.append("the shares of the rows do not add up to those of the sale")
    for row in rows:
        if row["proceeds_cents"] - row["basis_cents"] + row["disallowed_cents"] != row["gain_cents"]:
            wrong.append(f"the gain of lot {row['lot']} is not proceeds less basis plus disallowed loss")
        if row["lot_recorded_as"] not in events:
            wrong.append(f"the event that made lot {row['lot']} is not in the proof")
    return wrong


def main(arguments: list[str]) -> int:
    """Check the proof and say what was found."""
    if not arguments:
        sys.stdout.write(str(__doc__))
        return 1
    proof = json.loads(Path(arguments[0]).read_text("utf-8"))
    links = [posting["link"] for posting in proof["postings"]]
    wrong = broken_chain(proof["postings"]) + broken_events(proof) + wrong_figures(proof)
    if links and links[-1] != proof["last_link"]:
        wrong.append("the last link is not that of the last posting")
    if len(arguments) > 1 and arguments[1].lower() not in links:
        wrong.append("the link that you kept is not in this chain")
    sys.stdout.writelines(f"WRONG  {one}\n" for one in wrong)
    sys.stdout.write(
        f"{len(proof['events'])} events and {len(links)} postings checked, last link {proof['last_link']}: "
        f"{'does NOT hold' if wrong else 'holds'}\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
