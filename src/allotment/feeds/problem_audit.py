"""audit.py and audit.npz of ``allotment optimize --audit``: to be run without Allotment."""

from __future__ import annotations

import io
from importlib.resources import files
from typing import Any

import numpy as np

from allotment.feeds.problem_answer import Answer
from allotment.feeds.problem_columns import OPTIONS
from allotment.optimize.audit import audit_arrays
from allotment.optimize.solution import Status


def audit_files(found: Answer) -> dict[str, str | bytes]:
    """The script and the account's convex core; nothing for an account that was not solved."""
    if found.status not in (Status.SOLVED, Status.RELAXED):
        return {}
    columns = found.columns
    arrays: dict[str, Any] = dict(audit_arrays(columns.market, columns.problem, found.solution, OPTIONS))
    assets, lots = found.given.assets, found.given.lots
    arrays["symbol"] = np.array(assets.symbols)
    arrays["lot_id"] = np.array([lots.lot_ids[row] for row in columns.lot_rows], np.str_)
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    script = files("allotment.feeds").joinpath("audit_script.py").read_text(encoding="utf-8")
    return {"audit.py": script, "audit.npz": packed.getvalue()}
