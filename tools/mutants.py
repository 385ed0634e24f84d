"""Mutation testing of the law: change one operator at a time and see whether a test notices.

``python tools/mutants.py [MODULE …]`` mutates modules of `allotment.tax` (by default those in
`MODULES`), one comparison, sum, constant, condition or statement at a time, runs the tests that
reach the changed function, quickest first, until one fails, and lists the mutants that survive.
Exit code 1 when one survives that tools/mutants.toml does not explain, or when an explanation
there is out of date.

Compiled code runs as Python. Each mutant lives in a fork of one process that has collected the
tests once, and is applied by exchanging the code object of one function, so that nothing is
imported again and nothing on disk is touched.
"""

from __future__ import annotations

import ast
import copy
import os
import signal
import sys
import time
import tomllib
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TAX = ROOT / "src" / "allotment" / "tax"
EXPLAINED = Path(__file__).with_suffix(".toml")
MODULES = (
    "claims", "disposal", "exercise", "fills", "holding_period", "merger", "pieces", "purchase", "relief",
    "return_of_capital", "sale", "short_sale", "short_wash", "sleeve_labels", "spin_off", "split",
    "split_off", "tacking", "taxable_exchange", "wash_sale",
)  # fmt: skip
TESTS = ("tests/tax", "tests/feeds/test_ledger_json.py", "tests/ledger/test_fold.py")
# They fold two books for every example; what they alone would catch is no matter of one rule.
SLOW_TESTS = ("test_recompute.py", "test_what_if.py", "test_states.py")

_COMPARED = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_COMPUTED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
}  # fmt: skip
_CALLED = {"min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    module: str
    function: str
    change: str  # "before → after", numbered when it occurs more than once
    line: int
    code: CodeType

    @property
    def name(self) -> str:
        return f"{self.module}.{self.function}"


# -- making mutants ------------------------------------------------------------------------------


def _of_expression(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Changed copies of one node, each with the text of what changed."""
    if isinstance(node, ast.Compare):
        for i, compared in enumerate(node.ops):
            for operator in _COMPARED.get(type(compared), ()):
                new = copy.deepcopy(node)
                new.ops[i] = operator()
                yield new, _text(node, new)
    elif isinstance(node, ast.BoolOp):
        new_bool = copy.deepcopy(node)
        new_bool.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield new_bool, _text(node, new_bool)
        for i in range(len(node.values)):
            rest = [value for j, value in enumerate(node.values) if j != i]
            fewer: ast.AST = rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
            yield copy.deepcopy(fewer), _text(node, fewer)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        if not isinstance(node.operand, ast.Constant):
            yield copy.deepcopy(node.operand), _text(node, node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        changed = copy.deepcopy(node)
        changed.op = _COMPUTED[type(node.op)]()
        yield changed, _text(node, changed)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        larger = ast.Constant(node.value + 1)
        yield larger, _text(node, larger)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        other = ast.Constant(not node.value)
        yield other, _text(node, other)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        swapped = copy.deepcopy(node)
        swapped.func = ast.Name(_CALLED[node.func.id], ast.Load())
        yield swapped, _text(node, swapped)
    elif isinstance(node, ast.IfExp):
        yield copy.deepcopy(node.body), _text(node, node.body)
        yield copy.deepcopy(node.orelse), _text(node, node.orelse)


def _of_statement(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    is_stored = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        for i, target in enumerate(node.targets[0].elts):
            fewer = copy.deepcopy(node)
            fewer.targets[0].elts[i] = ast.Name("_", ast.Store())  # type: ignore[attr-defined]
            yield fewer, f"{ast.unparse(target)} is not assigned"
    elif is_call or is_stored or isinstance(node, ast.AugAssign | ast.Break | ast.Continue):
        yield ast.Pass(), f"{ast.unparse(node)} → nothing"
    if isinstance(node, ast.AugAssign) and type(node.op) in _COMPUTED:
        new = copy.deepcopy(node)
        new.op = _COMPUTED[type(node.op)]()
        yield new, _text(node, new)


def _text(before: ast.AST, after: ast.AST) -> str:
    return f"{ast.unparse(before)} → {ast.unparse(ast.fix_missing_locations(after))}"


class _Swap(ast.NodeTransformer):
    """Exchanges one node of a tree for another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        if node is self.old:
            return ast.copy_location(self.new, node)
        return super().visit(node)


def mutants_of(module: str) -> list[Mutant]:
    """All mutants of the functions of a module, in order of line."""
    file = TAX / f"{module}.py"
    tree = ast.parse(file.read_text())
    made: list[Mutant] = []
    for at, function in enumerate(tree.body):
        if isinstance(function, ast.FunctionDef):
            seen: dict[str, int] = {}
            for node in _inside(function):
                for new, change in (*_of_expression(node), *_of_statement(node)):
                    seen[change] = seen.get(change, 0) + 1
                    numbered = change if seen[change] == 1 else f"{change} #{seen[change]}"
                    code = _compiled(tree, at, node, new, file)
                    made.append(Mutant(module, function.name, numbered, getattr(node, "lineno", 0), code))
    return made


def _inside(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Nodes of the body; not decorators, annotations or the docstring."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop(0)
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text:
            continue
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.AnnAssign):
            children.remove(node.annotation)
        waiting = children + waiting


def _compiled(tree: ast.Module, at: int, old: ast.AST, new: ast.AST, file: Path) -> CodeType:
    body = list(tree.body)
    body[at] = _copied(tree.body[at], old, new)
    module = ast.fix_missing_locations(ast.Module(body, []))
    whole = compile(module, str(file), "exec", dont_inherit=True)
    name = body[at].name  # type: ignore[attr-defined]
    return next(part for part in whole.co_consts if isinstance(part, CodeType) and part.co_name == name)


def _copied(function: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A copy of the function with `new` in the place of `old`."""
    memo: dict[int, Any] = {}
    copied = copy.deepcopy(function, memo)
    place = memo[id(old)]
    return _Swap(place, new).visit(copied)  # type: ignore[no-any-return]


# -- running them --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Item:
    """A test, how long it takes, and the functions under mutation that it reaches."""

    item: Any
    seconds: float
    reaches: frozenset[tuple[str, str]]


class Hunt:
    """A pytest plugin that runs the tests against every mutant in place of running them once."""

    def __init__(self, modules: list[str], explained: dict[str, dict[str, str]], chosen: Namespace) -> None:
        self.modules, self.explained = modules, explained
        self.shown, self.trusting, self.doubting = chosen.verbose, chosen.new, chosen.explained
        self.survivors: list[Mutant] = []
        self.equivalent = 0
        self.left_out = 0
        self.killed = 0
        self.stale: list[str] = []
        self.kills: Counter[tuple[str, str]] = Counter()  # by function and test

    def pytest_configure(self) -> None:
        """The same examples for every mutant, and no search for the smallest one that fails."""
        from hypothesis import Phase, settings

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: Any) -> bool:
        began = time.monotonic()
        pairs = zip(session.items, [*session.items[1:], None], strict=True)
        items = sorted((self._baseline(item, after) for item, after in pairs), key=lambda one: one.seconds)
        total = sum(one.seconds for one in items)
        print(f"{len(items)} tests, {total:.0f} s without a mutant", flush=True)
        for module in self.modules:
            mutants = mutants_of(module)
            left, start = len(self.survivors), time.monotonic()
            for mutant in mutants:
                is_explained = mutant.change in self.explained.get(mutant.name, {})
                if self.trusting if is_explained else self.doubting:
                    self.left_out += 1
                else:
                    self._try(mutant, items)
            self._find_stale(module, mutants)
            survived = len(self.survivors) - left
            print(
                f"{module}: {len(mutants)} mutants, {survived} unexplained survivors, "
                f"{time.monotonic() - start:.0f} s",
                flush=True,
            )
        print(f"{time.monotonic() - began:.0f} s in all")
        return True

    def _baseline(self, item: Any, after: Any) -> Item:
        """Run the test once, here, noting what it reaches."""
        from _pytest.runner import runtestprotocol

        reached: set[tuple[str, str]] = set()
        files = {str(TAX / f"{module}.py"): module for module in self.modules}

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename in files:
                reached.add((files[frame.f_code.co_filename], frame.f_code.co_name))

        sys.setprofile(note)
        try:
            reports = runtestprotocol(item, nextitem=after, log=False)
        finally:
            sys.setprofile(None)
        if any(report.failed for report in reports):
            told = "\n".join(str(report.longrepr) for report in reports if report.failed)
            raise SystemExit(f"{item.nodeid} fails without a mutant:\n{told}")
        return Item(item, sum(report.duration for report in reports), frozenset(reached))

    def _try(self, mutant: Mutant, items: list[Item]) -> None:
        chosen = [one for one in items if (mutant.module, mutant.function) in one.reaches]
        # Quick ones first, but what has caught others of this function is worth a longer wait.
        chosen.sort(key=lambda one: one.seconds / (1 + self.kills[mutant.name, one.item.nodeid]))
        why = self.explained.get(mutant.name, {}).get(mutant.change)
        if self._is_killed(mutant, chosen):
            self.killed += 1
            if why is not None:
                self.stale.append(f"{mutant.name}: {mutant.change} is caught, and need not be explained")
        elif why is not None:
            self.equivalent += 1
        else:
            self.survivors.append(mutant)
            print(f"  {mutant.module}.py:{mutant.line} {mutant.function}: {mutant.change}", flush=True)
        if self.shown:
            print(f"    {mutant.name}: {mutant.change}", flush=True)

    def _is_killed(self, mutant: Mutant, chosen: list[Item]) -> bool:
        if not chosen:
            return False
        told, telling = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(self._caught(mutant, chosen, telling))
        os.close(telling)
        with os.fdopen(told) as reading:
            running = reading.read().splitlines()
        _, status = os.waitpid(child, 0)
        is_killed = os.waitstatus_to_exitcode(status) != 0
        if is_killed:
            self.kills[mutant.name, chosen[len(running) - 1].item.nodeid] += 1
        return is_killed

    @staticmethod
    def _caught(mutant: Mutant, chosen: list[Item], telling: int) -> int:
        """In the child: 0 when every test passes. A test that hangs is killed by its alarm, in
        time of the processor, for the machine may be busy; so each is told before it runs."""
        from _pytest.runner import runtestprotocol

        module = sys.modules[f"allotment.tax.{mutant.module}"]
        getattr(module, mutant.function).__code__ = mutant.code
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        for one, following in zip(chosen, [*chosen[1:], None], strict=True):
            os.write(telling, b"\n")
            signal.setitimer(signal.ITIMER_PROF, 0.5 + 10.0 * one.seconds)
            reports = runtestprotocol(one.item, nextitem=following.item if following else None, log=False)
            if any(report.failed for report in reports):
                return 1
        return 0

    def _find_stale(self, module: str, mutants: list[Mutant]) -> None:
        there = {(mutant.name, mutant.change) for mutant in mutants}
        for name, changes in self.explained.items():
            if name.split(".")[0] == module:
                self.stale += [f"{name}: {change} is no mutant (any more)" for change in changes
                               if (name, change) not in there]  # fmt: skip


def explanations() -> dict[str, dict[str, str]]:
    """By function, then by change: why no test can notice."""
    if not EXPLAINED.exists():
        return {}
    return {
        f"{module}.{function}": changes
        for module, functions in tomllib.loads(EXPLAINED.read_text()).items()
        for function, changes in functions.items()
    }


def main() -> int:
    words = ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("modules", nargs="*", default=list(MODULES), metavar="MODULE")
    words.add_argument("--list", action="store_true", help="only say what would be changed")
    some = words.add_mutually_exclusive_group()
    some.add_argument("--new", action="store_true", help="leave out what tools/mutants.toml explains")
    some.add_argument("--explained", action="store_true", help="only what tools/mutants.toml explains")
    words.add_argument("--verbose", action="store_true", help="name every mutant")
    chosen = words.parse_args()
    if chosen.list:
        for module in chosen.modules:
            for mutant in mutants_of(module):
                print(f"{module}.py:{mutant.line} {mutant.function}: {mutant.change}")
        return 0
    if os.environ.get("NUMBA_DISABLE_JIT") != "1":
        os.environ["NUMBA_DISABLE_JIT"] = "1"  # read when Numba is imported, so start again
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import pytest

    hunt = Hunt(chosen.modules, explanations(), chosen)
    left_out = [f"--ignore-glob=*/{name}" for name in SLOW_TESTS]
    os.chdir(ROOT)
    status = pytest.main(
        [
            *TESTS,
            *left_out,
            "-m",
            "not slow",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:terminal",
            "-s",
            "--override-ini=addopts=--import-mode=importlib",
        ],
        plugins=[hunt],
    )
    print(
        f"{hunt.killed} killed, {hunt.equivalent} explained, {len(hunt.survivors)} survive; "
        f"{hunt.left_out} left out"
    )
    for line in hunt.stale:
        print(f"tools/mutants.toml: {line}")
    return int(bool(hunt.survivors or hunt.stale or status not in (0, 5)))


if __name__ == "__main__":
    sys.exit(main())
