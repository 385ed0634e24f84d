"""Generated passwords: a small JSON file that only its owner can read.

The file is replaced whole (written beside and renamed) under a lock, so that a killed program
leaves the old one or the new one.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from allotment.errors import StoreError
from allotment.store.lock import exclusive

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read(file: Path) -> dict[str, str]:
    """The secrets by name; empty when there is no file yet.

    Raises StoreError when others may read the file.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return {}
    if os.name == "posix" and mode & _OTHERS:
        raise StoreError(
            f"{file} holds passwords and may be read by others; run `chmod 600 {file}`, "
            "and treat the passwords as known if anybody else uses this machine."
        )
    found = json.loads(file.read_text())
    assert isinstance(found, dict)
    return {str(name): str(value) for name, value in found.items()}


def password(file: Path, name: str, created: Callable[[str], None] | None = None) -> str:
    """The password of a name; a missing one is generated, told to `created`, and kept."""
    known = read(file).get(name)
    if known is not None:
        return known
    with exclusive(file.with_suffix(".lock")):
        known = read(file).get(name)
        if known is not None:
            return known
        fresh = secrets.token_urlsafe(32)
        if created is not None:
            created(fresh)
        _write(file, {**read(file), name: fresh})
    return fresh


def forget(file: Path, name: str) -> None:
    """Remove a name."""
    with exclusive(file.with_suffix(".lock")):
        known = read(file)
        if known.pop(name, None) is not None:
            _write(file, known)


def _write(file: Path, content: dict[str, str]) -> None:
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as target:
        json.dump(content, target, indent=1)
        target.flush()
        os.fsync(target.fileno())
    fresh.replace(file)
