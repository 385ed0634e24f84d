"""Allotment: open direct indexing. Own the index share by share, one account at a time."""

import os
from importlib import import_module
from importlib.metadata import version
from typing import Any

# One thread of linear algebra per process: the last bit of a risk model must not hang on the
# machine's load, and our own threads already fill the cores. Said before NumPy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

__version__ = version("allotment")

# The face for notebooks, made in `api`, and read when it is first asked for: commands do not wait for it.
_FACE = ("Desk", "frontier", "what_if")
__all__ = ["Desk", "__version__", "frontier", "what_if"]


def __getattr__(name: str) -> Any:
    if name in _FACE:
        return getattr(import_module("allotment.api"), name)
    raise AttributeError(f"module 'allotment' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FACE})
