"""Allotment: open direct indexing. Own the index share by share, one account at a time."""

import os
from importlib.metadata import version

# One thread of linear algebra per process: the last bit of a risk model must not hang on the
# machine's load, and our own threads already fill the cores. Said before NumPy is imported.
for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

__version__ = version("allotment")
