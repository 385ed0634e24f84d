"""Allotment: open direct indexing. Own the index share by share, one account at a time."""

from importlib.metadata import version

import allotment.compiled  # noqa: F401  chooses the folder of compiled kernels before Numba is imported

__version__ = version("allotment")
