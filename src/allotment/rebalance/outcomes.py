"""How each account of a joint answer came out by itself.

The optimiser says of a problem whether *any* of its accounts relaxes a limit, and whether holding
keeps those of all. A person looks at one account: here each is told what it relaxes itself.
"""

from __future__ import annotations

import numpy as np

from allotment.optimize.offsets import owners
from allotment.optimize.problem import Problems
from allotment.optimize.solution import Solutions, Status
from allotment.units import Bools, Floats

_ROW_EXCESS_MIN = 1e-7  # of account value: a smaller one is rounding of shares
_HOLD_EXCESS_MIN = 1e-8  # price of what holding relaxes, in fractions of account value


def each_alone(problems: Problems, answers: Solutions) -> Solutions:
    """The answers, `status` and `hold_feasible` by account.

    A row over all accounts of a problem counts for each of them.
    """
    decided = (answers.status == Status.SOLVED) | (answers.status == Status.RELAXED)
    status = np.where(_relaxes(problems, answers), Status.RELAXED, Status.SOLVED)
    return answers._replace(
        status=np.where(decided, status, answers.status).astype(np.int8),
        hold_feasible=decided & (_hold_relaxation(problems, answers) <= _HOLD_EXCESS_MIN),
    )


def _relaxes(problems: Problems, answers: Solutions) -> Bools:
    own = (answers.cash_relaxation != 0.0) | (answers.limit_relaxation > 0.0) | (answers.te_relaxation > 0.0)
    account = owners(problems.rows_from)
    over = np.abs(answers.row_relaxation) > _ROW_EXCESS_MIN
    mine = np.bincount(account[over & ~problems.row_joint], minlength=problems.n_accounts) > 0
    problem = owners(problems.joint_from)
    shared = np.bincount(problem[account[over & problems.row_joint]], minlength=problems.n_joint) > 0
    relaxed: Bools = own | mine | shared[problem]
    return relaxed


def _hold_relaxation(problems: Problems, answers: Solutions) -> Floats:
    """Price of the limits that holding breaks, (A,): what its cost has besides risk and utility.

    The year's tax is counted from holding, so that it is nothing there.
    """
    account = owners(problems.names_from)
    utility = np.bincount(account, weights=problems.utility * problems.held, minlength=problems.n_accounts)
    return answers.hold_objective - answers.hold_risk + utility
