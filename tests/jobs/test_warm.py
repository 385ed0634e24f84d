"""Compiling by walking the main job: it must reach the end of it."""

from __future__ import annotations

from allotment.jobs.warm import warm


def test_warming_decides_every_account() -> None:
    assert warm() == 6
