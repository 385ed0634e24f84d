"""The head of every benchmark result."""

from __future__ import annotations

import os
from importlib.metadata import version

from allotment.jobs.machine import describe


def test_a_result_names_its_machine() -> None:
    found = describe()
    assert found["cores"] == os.cpu_count()
    assert found["numba"] == version("numba")
    assert found["processor"]
    assert 0.1 < float(str(found["memory_gb"])) < 100_000
