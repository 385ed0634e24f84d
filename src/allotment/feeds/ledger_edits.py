"""Cancellations and corrections in a ledger file: what the transactions are once they are applied.

`{"id", "date", "type": "cancel", "of": ID}` takes an earlier transaction away; `{"id", "date", "type":
"correct", "of": ID, …}` replaces the fields that it gives. The corrected transaction keeps its place;
the edits themselves leave no trace in the books, and stay in the file as the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_OWN = frozenset({"id", "date", "type", "of", "note", "memo"})


def edited(entries: Sequence[Any], refuse: Callable[[str, str, str], None]) -> list[Any]:
    """The transactions with their cancellations and corrections applied.

    refuse(place, found, remedy) is called for every edit that cannot be applied.
    """
    place: dict[str, int] = {}
    kept: list[Any] = []
    used: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        kind = entry.get("type") if isinstance(entry, dict) else None
        if kind not in ("cancel", "correct"):
            if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                place.setdefault(entry["id"], len(kept))
            kept.append(entry)
            continue
        key, of = entry.get("id"), entry.get("of")
        where = f"transaction {key}" if isinstance(key, str) and key else f"transaction number {number}"
        if not isinstance(key, str) or not key or key in used or key in place:
            refuse(where, f"id {key!r}", "give every transaction its own id, a text")
            continue
        used.add(key)
        if not isinstance(of, str) or of not in place:
            refuse(where, f"of {of!r}", "name an earlier transaction")
        elif kept[place[of]] is None:
            refuse(where, f"{of} is cancelled already", "name one that stands")
        elif kind == "cancel":
            kept[place[of]] = None
            for name in sorted(set(entry) - _OWN):
                refuse(where, f"unknown field {name!r}", "a cancellation has `of` alone")
        else:
            changes = {name: value for name, value in entry.items() if name not in _OWN}
            changes |= {"date": entry["new_date"]} if "new_date" in entry else {}
            changes.pop("new_date", None)
            if not changes:
                refuse(where, "nothing is corrected", "give the fields that change; `new_date` for the date")
            kept[place[of]] = {**kept[place[of]], **changes}
    return [entry for entry in kept if entry is not None]
