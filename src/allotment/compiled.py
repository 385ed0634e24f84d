"""Compiled loops: the one decorator of the hot code, and where its machine code is kept.

Numba notices an edit of the file that a compiled function stands in, by the file's path and time, not
an edit in a function that it calls from another module. So the machine code of a module is kept in a
folder named by the hash of the module, of everything that it imports from this package, directly or
not, and of the Numba version: an edit that can change a kernel starts a new folder, and a stale one
never runs; and the same source has the same machine code wherever and whenever it was written.

``python -m allotment.jobs.warm`` compiles every kernel once (the end of ``make setup``).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PACKAGE = Path(__file__).parent
_PREFIX = __name__.partition(".")[0] + "."
_FOLDERS_KEPT = 200
# A list of names ends with its line, or with its bracket.
_IMPORT = re.compile(
    r"^[ \t]*(?:from|import) +(allotment[.\w]*)(?: +import +(?:\(([^)]*)\)|([\w, ]*)))?", re.MULTILINE
)


class KernelFolder:
    """Tells Numba where the machine code of this package's functions is kept (its cache locators)."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._folder = _folder(function.__module__)
        self._py_file = file  # Numba names it in its warnings
        self._lineno = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> KernelFolder | None:
        """The place of a function of this package; None for any other."""
        return cls(function, file) if function.__module__.startswith(_PREFIX) else None

    def ensure_cache_path(self) -> None:
        """Make the folder. Raises OSError where it cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        """The folder."""
        return str(self._folder)

    def get_source_stamp(self) -> str:
        """Nothing: the folder's name says which source it is."""
        return ""

    def get_disambiguator(self) -> str:
        """What tells functions of one name apart."""
        return str(self._lineno)


_NUMBAS_OWN = (
    "UserProvidedCacheLocator,InTreeCacheLocator,UserWideCacheLocator,IPythonCacheLocator,ZipCacheLocator"
)
# Before those of Numba or the user, which serve the functions of others.
_others = vars(numba.config)["CACHE_LOCATOR_CLASSES"] or _NUMBAS_OWN
vars(numba.config)["CACHE_LOCATOR_CLASSES"] = f"{__name__}.{KernelFolder.__name__},{_others}"

_njit: Callable[..., Any] = numba.njit  # its stubs leave out `_nrt`
_HIDDEN = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def kernel(function: _Function) -> _Function:
    """Compile a loop over plain arrays: no interpreter lock, no fast-math, kept on disk.

    With ``NUMBA_DISABLE_JIT=1`` the function runs as Python (coverage, mutation testing).
    """
    # Said, not left to the default: a kernel first called by an `inner` would do without as well.
    return cast("_Function", _njit(nogil=True, cache=True, _nrt=True)(function))


def inner(function: _Function) -> _Function:
    """Compile a function that kernels call in their loops, and that makes no arrays.

    It does without reference counts: counting every array of every argument up and down, with
    locked instructions, costs more than a small function does.
    """
    return cast("_Function", _njit(nogil=True, cache=True, _nrt=False)(function))


def hidden(function: _Function) -> _Function:
    """Compile as `inner`, without an entry from Python: with many records among its arguments, the
    entry would take longer to compile than the function."""
    return cast("_Function", _njit(nogil=True, cache=True, _nrt=False, **_HIDDEN)(function))


def part(function: _Function) -> _Function:
    """Make a function part of the one kernel function that calls it.

    A function that calls many others is optimised with all of them, and again inside its caller,
    and so on upwards: the steps of a long calculation are compiled once, in the function whose
    steps they are.
    """
    return cast("_Function", _njit(nogil=True, cache=True, _nrt=False, inline="always", **_HIDDEN)(function))


@cache
def _folder(module: str) -> Path:
    """Where the machine code of a module's kernels is kept."""
    root = _root()
    folder = root / f"{module}-{_hash(module)}"
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        by_age = sorted(root.iterdir(), key=lambda old: old.stat().st_mtime, reverse=True)
        for old in by_age[_FOLDERS_KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    return folder


@cache
def _root() -> Path:
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return (
        Path(chosen)
        if chosen
        else Path(platformdirs.user_cache_dir("allotment", appauthor=False)) / "kernels"
    )


def _hash(module: str) -> str:
    """Of the module and of all that its compiled code can depend on."""
    digest = hashlib.sha256(numba.__version__.encode())
    seen: set[Path] = set()
    waiting = [_file(module)]
    while waiting:
        file = waiting.pop()
        if file is not None and file not in seen:
            seen.add(file)
            waiting.extend(_imported(file))
    for file in sorted(seen):
        digest.update(file.relative_to(_PACKAGE).as_posix().encode())
        digest.update(_text(file).encode())
    return digest.hexdigest()[:16]


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """Files of this package that a file imports; ``from a import b`` may name the module a.b."""
    files = []
    for match in _IMPORT.finditer(_text(file)):
        module, names = match.group(1), match.group(2) or match.group(3) or ""
        files.append(_file(module))
        files.extend(_file(f"{module}.{name}") for name in re.findall(r"\w+", names))
    return tuple(found for found in files if found is not None and found != _PACKAGE / "__init__.py")


@cache
def _text(file: Path) -> str:
    return file.read_text()


@cache
def _file(module: str) -> Path | None:
    """The source of a module of this package; None for anything else."""
    parts = module.split(".")[1:]
    for file in (_PACKAGE.joinpath(*parts, "__init__.py"), _PACKAGE.joinpath(*parts).with_suffix(".py")):
        if file.exists():
            return file
    return None
