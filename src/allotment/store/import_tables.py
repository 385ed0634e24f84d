"""Which files were imported, by whom, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allotment.store.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """One file that was loaded whole."""

    sha256: str
    kind: str  # the schema's name: "prices", "lots", …
    name: str
    n_rows: int
    n_bytes: int
    schema_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRecord:
    """An import as logged."""

    import_id: int
    sha256: str
    kind: str
    name: str
    n_rows: int
    n_bytes: int
    schema_version: int
    imported_at: datetime
    actor: str


def log_import(session: Session, file: ImportedFile) -> int:
    """Log a file in the transaction that loads it (a firm's, or a market's); its id."""
    raise NotImplementedError


def find_import(session: Session, kind: str, sha256: str) -> ImportRecord | None:
    """The import of the same content, when it was loaded before."""
    raise NotImplementedError


def load_imports(session: Session) -> tuple[ImportRecord, ...]:
    """Every import, newest first."""
    raise NotImplementedError
