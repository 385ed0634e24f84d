"""The commands. Each reads, calls one job, and prints; nothing is decided here.

Exit codes: 0 done, 2 bad use or input, 3 done with exceptions to look at, 1 internal failure.
With ``--json`` stdout is one JSON object; everything else goes to stderr.
"""

from __future__ import annotations

import sys

from allotment.errors import AllotmentError


def main() -> None:
    """Run one command and leave with its exit code."""
    import typer
    from typer.exceptions import TyperException

    from allotment.cli import output
    from allotment.cli.app import app

    as_json = "--json" in sys.argv
    try:
        code = app(standalone_mode=False)
    except AllotmentError as error:
        code = output.fail(error, as_json=as_json)
    except typer.Abort:
        code = output.fail(
            KeyboardInterrupt("stopped; what was committed stays, run again to go on"), as_json=as_json
        )
    except TyperException as error:
        code = output.misused(error, as_json=as_json)
    except Exception as error:
        output.log_failure(error)
        code = output.fail(error, as_json=as_json)
    sys.exit(code if isinstance(code, int) else 0)
