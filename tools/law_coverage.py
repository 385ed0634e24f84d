"""Branch coverage of the law, compiled code counted as Python: at least 98 %.

``python tools/law_coverage.py`` runs the law's tests with the compiler switched off (half a minute),
prints every module that has lines or branches without a test, and ends with 1 below the limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 98
TESTS = (
    "tests/tax",
    "tests/ledger/test_fold.py",
    "tests/feeds/test_tax_forms.py",
    "tests/feeds/test_ledger_edits.py",
    "tests/feeds/test_ledger_dividends.py",
)


def main() -> int:
    with TemporaryDirectory(prefix="allotment-coverage-") as folder:
        environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "COVERAGE_FILE": f"{folder}/data"}

        def run(*words: str) -> int:
            command = [sys.executable, "-m", "coverage", *words]
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

        options = ("-p", "no:cacheprovider", "-m", "not slow")
        if run("run", "-m", "pytest", *options, *TESTS):
            return 1
        law = "--include=src/allotment/tax/*"
        return run("report", law, "--show-missing", "--skip-covered", f"--fail-under={LIMIT}")


if __name__ == "__main__":
    sys.exit(main())
