"""Nothing that reaches a decision or a hash is summed by BLAS: its sums depend on processor and threads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import allotment

_HOME = Path(allotment.__file__).parent
# What only measures, judges, asks a general solver, or tells what has been decided.
_TELLS = {
    "audit", "bench", "checker", "conflict", "exact", "exact_costs", "exact_trades", "forbidding",
    "frontier_bench", "judge", "peers", "preferences", "reference", "synthetic", "tangled", "variants",
    "without",
}  # fmt: skip
_FILES = sorted(
    file
    for room in ("optimize", "rebalance")
    for file in (_HOME / room).glob("*.py")
    if file.stem not in _TELLS
)
_BY_BLAS = {"dot", "vdot", "inner", "matmul", "einsum", "tensordot", "linalg"}


@pytest.mark.parametrize("file", _FILES, ids=lambda file: f"{file.parent.name}.{file.stem}")
def test_decisions_are_summed_by_ourselves(file: Path) -> None:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    assert not [n.lineno for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult)]
    assert not [n.lineno for n in nodes if isinstance(n, ast.Attribute) and n.attr in _BY_BLAS]
