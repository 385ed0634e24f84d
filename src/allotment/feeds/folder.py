"""Which files to import, of which kind, in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from allotment.errors import BadFileError, BadRow, UsageError
from allotment.feeds.lines import header_of
from allotment.feeds.schemas import SCHEMAS

_ENDINGS = {".csv", ".parquet", ".pq", ".toml"}
_PARQUET = {".parquet", ".pq"}


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file and its kind; "" when the kind cannot be told."""

    path: Path
    kind: str


def find_files(paths: Iterable[Path], kind: str = "") -> tuple[ImportFile, ...]:
    """The files to import, those that others need first.

    kind: of every file, when the names do not say it. Raises UsageError for a path that is not
    there, a folder without files, and an unknown kind.
    """
    if kind and kind not in SCHEMAS:
        raise UsageError(f"there is no kind {kind!r}; kinds are {', '.join(SCHEMAS)}.")
    found: list[ImportFile] = []
    for path in paths:
        if path.is_dir():
            _refuse_history(path)
            inside = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in _ENDINGS)
            if not inside:
                raise UsageError(f"{path} holds no .csv, .parquet or .toml file.")
        elif path.is_file():
            inside = [path]
        else:
            raise UsageError(f"{path} does not exist.")
        found += [ImportFile(file, kind or guess_kind(file)) for file in inside]
    order = {name: at for at, name in enumerate(SCHEMAS)}
    return tuple(sorted(found, key=lambda file: (order.get(file.kind, len(order)), file.path.name)))


def guess_kind(path: Path) -> str:
    """The kind by the file's name ("prices-2024.parquet"), else by its columns; "" if neither tells."""
    name = re.sub(r"[^a-z]+", "_", path.stem.lower()).strip("_")
    for kind in sorted(SCHEMAS, key=len, reverse=True):
        if name == kind or name.startswith(f"{kind}_"):
            return kind
    if path.suffix.lower() == ".toml":
        return ""
    columns = _columns(path)
    fitting = [
        kind
        for kind, schema in SCHEMAS.items()
        if columns <= set(schema.by_name) and {c.name for c in schema.columns if c.required} <= columns
    ]
    return fitting[0] if len(fitting) == 1 else ""


def unknown_kind(file: ImportFile) -> BadFileError:
    """The refusal of a file whose kind cannot be told."""
    remedy = f"name it after its kind or give --kind; kinds are {', '.join(SCHEMAS)}"
    return BadFileError([BadRow(file.path.name, 0, "", "neither name nor columns tell its kind", remedy)])


def _columns(path: Path) -> set[str]:
    if path.suffix.lower() in _PARQUET:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return set(pq.read_schema(path).names)
        except (pa.ArrowException, OSError):
            return set()
    with path.open("rb") as file:
        return set(header_of(file.readline(1 << 20)))


def _refuse_history(folder: Path) -> None:
    """A folder of market history has files of the same names and other columns."""
    if (folder / "weights.parquet").exists() and any(folder.glob("prices_*.parquet")):
        raise UsageError(
            f"{folder} is a folder of market history, not of import files; "
            f"`allotment demo --prices {folder}` builds a book on it."
        )
