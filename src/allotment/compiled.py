"""Compiled loops: the one decorator of the hot code, and where its machine code is kept.

Numba notices an edit of the function that it compiled, not an edit in a function that this one
calls from another module. So the cache folder is named by the hash of all our sources and the
Numba version: an edit anywhere starts a new folder, and a stale kernel can never run. The
folder must be chosen before Numba is imported, which is why this module is below all others.

``python -m allotment.compiled`` compiles every kernel once (the end of ``make setup``).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import platformdirs

_Function = TypeVar("_Function", bound=Callable[..., Any])
_FOLDERS_KEPT = 4


def _source_hash() -> str:
    digest = hashlib.sha256(version("numba").encode())
    here = Path(__file__).parent
    for source in sorted(here.rglob("*.py")):
        digest.update(str(source.relative_to(here)).encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    kernels = Path(platformdirs.user_cache_dir("allotment", appauthor=False)) / "kernels"
    folder = kernels / _source_hash()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    by_age = sorted(kernels.iterdir(), key=lambda old: old.stat().st_mtime, reverse=True)
    for old in by_age[_FOLDERS_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(_cache_folder())

import numba  # noqa: E402  the folder above must be set first


def kernel(function: _Function) -> _Function:
    """Compile a loop over plain arrays: no interpreter lock, no fast-math, kept on disk.

    With ``NUMBA_DISABLE_JIT=1`` the function runs as Python (coverage, mutation testing).
    """
    return cast("_Function", numba.njit(nogil=True, cache=True)(function))
