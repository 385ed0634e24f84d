"""What can go wrong, and what to do about it.

The hierarchy::

    AllotmentError                  anything this program raises on purpose
    ├── UsageError                  a wrong call: exit code 2
    ├── DataError                   facts are missing or contradict each other: exit code 2
    │   └── BadFileError            a file with bad rows; carries every one of them
    ├── StoreError                  the database cannot do what is asked: exit code 1
    └── InvariantError              money or shares are not conserved: exit code 1, never expected

A mistake in somebody's file is a value (`BadRow`), collected with its place, so that one bad
row does not hide the next. An outcome of the business is a result with a status. A caller's
broken promise about shapes is an ``assert``. An exception is for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AllotmentError(Exception):
    """Root of the errors that a person can act on; the message is a whole sentence."""

    exit_code = 1


class UsageError(AllotmentError):
    """The command or call cannot be carried out as given."""

    exit_code = 2


class DataError(AllotmentError):
    """Facts that a decision needs are missing, stale or contradict each other."""

    exit_code = 2


class StoreError(AllotmentError):
    """The database is not there, not ours, or refuses."""


class InvariantError(AllotmentError):
    """Money or shares appeared or vanished. Always a defect of ours; nothing is written."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One mistake in one file: where it is, what was found, what to do."""

    file: str
    line: int  # 1 is the first line of the file, its header; 0 when the whole file is meant
    column: str  # the column's name, "" when the row as a whole is meant
    found: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        column = f" [{self.column}]" if self.column else ""
        return f"{place}{column}: {self.found}; {self.remedy}"


class BadFileError(DataError):
    """A file was refused whole; `rows` has every mistake that was found in it."""

    def __init__(self, rows: Sequence[BadRow]) -> None:
        self.rows = tuple(rows)
        files = sorted({row.file for row in rows})
        shown = "\n".join(f"  {row}" for row in self.rows[:20])
        more = len(self.rows) - 20
        tail = f"\n  … and {more} more" if more > 0 else ""
        super().__init__(
            f"{len(self.rows)} mistake(s) in {', '.join(files)}; nothing was loaded:\n{shown}{tail}"
        )
