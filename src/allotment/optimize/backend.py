"""The port for other engines: each gets a batch of problems as records and returns trades.

A backend is a callable like `Backend`, or a `Command`: a program of any language that reads the
problems from its standard input and writes trades to its standard output. To add one, name it in
the entry-point group ``allotment.backends``; docs/reference/backends.md gives the columns and an
example. What a backend returns is checked, priced and bounded by `certify` as our own answers are:
it can raise, return nonsense, break rules or claim a false bound without harm. A program of its own
can hang or crash as well; one inside our process cannot be stopped.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np

from allotment.errors import AllotmentError
from allotment.optimize.certify import Certified, Trades, certify
from allotment.optimize.offsets import n_under, owners
from allotment.optimize.problem import Market, Problems, SolveOptions, join
from allotment.optimize.solution import Solutions
from allotment.optimize.solve import solve_batch
from allotment.units import Bools, Floats

_CLAIM_ROUNDING = 1e-9  # by so much a bound claimed may lie above a cost through rounding of floats
# Columns of `Solutions` that are not one per account: their axis in `Problems`, or none.
_BY_NAME = ("weight", "bought")
_BY_LOT = ("sold",)
_BY_ROW = ("row_value", "row_relaxation", "row_multiplier")
_OF_BOUND = ("cases_from", "case_bound", "theta_from", "theta")


class Proposed(NamedTuple):
    """What a backend returns."""

    trades: Trades
    bound: Floats | None = None  # (J,) below which it says that nothing can cost; only compared


class Backend(Protocol):
    """An engine inside our process. The arrays that it gets are copies."""

    def __call__(self, market: Market, problems: Problems, options: SolveOptions) -> Proposed:
        """The trades that it proposes; whatever it raises is its reply."""
        ...


class Command(NamedTuple):
    """An engine that is a program of its own; `jobs.backend_process` runs it."""

    words: tuple[str, ...]  # the command line
    seconds_max: float = 60.0  # for a whole batch


class Reply(StrEnum):
    """How a backend did on one problem. Only TAKEN lets its trades stand."""

    TAKEN = "taken"
    BREAKS_RULES = "breaks rules"
    DEARER = "dearer than holding"
    FAILED = "failed"  # it raised, crashed, or ended with a code
    TIMED_OUT = "timed out"
    GARBAGE = "garbage"  # what it wrote cannot be read, or has wrong shapes


class BackendError(AllotmentError):
    """A backend gave no answer that could be looked at; the optimiser's own stands."""

    def __init__(self, reply: Reply, found: str) -> None:
        self.reply, self.found = reply, found
        super().__init__(f"the backend gave no answer ({reply}): {found}. Our own answer stands.")


class Considered(NamedTuple):
    """What came of asking a backend about J problems."""

    replies: tuple[Reply, ...]  # (J,)
    found: str  # what went wrong with the whole batch, "" for nothing
    claims_false_bound: Bools  # (J,) it claimed more than trades cost that keep every rule
    certified: Certified | None  # its trades under our rules and prices; None when there were none
    own: Solutions
    stands: Solutions  # its answers where TAKEN, our own elsewhere


def consider(
    market: Market,
    problems: Problems,
    backend: Backend,
    *,
    options: SolveOptions | None = None,
    own: Solutions | None = None,
) -> Considered:
    """Ask a backend, and let its answers stand where they keep every rule and are worth trading.

    own: our answers to these problems under these options, if they are there; else they are solved.
    """
    options = SolveOptions() if options is None else options
    own = solve_batch(market, problems, options=options) if own is None else own
    try:
        loadings, variance, groups = market
        copied = Market(loadings.copy(), variance.copy(), groups.copy())
        proposed = _sound(backend(copied, join([problems]), options), problems)
    except BackendError as error:
        return _refused(own, problems.n_joint, error.reply, error.found)
    except Exception as error:  # whatever a stranger's code raises
        return _refused(own, problems.n_joint, Reply.FAILED, f"{type(error).__name__}: {error}"[:500])
    certified = certify(market, problems, proposed.trades, options=options, own=own)
    theirs, share = certified.solutions, _share(problems)
    cost = np.add.reduceat(share * theirs.objective, problems.joint_from[:-1])
    ours = np.add.reduceat(share * own.objective, problems.joint_from[:-1])
    hold = np.add.reduceat(share * own.hold_objective, problems.joint_from[:-1])
    replies = []
    for broken, is_dearer in zip(certified.broken, ~(cost <= hold) & np.isfinite(hold), strict=True):
        replies.append(Reply.BREAKS_RULES if broken else Reply.DEARER if is_dearer else Reply.TAKEN)
    known = np.where(certified.keeps_rules & (cost < ours), cost, ours)
    false = np.zeros(problems.n_joint, np.bool_)
    if proposed.bound is not None:
        false = np.isfinite(known) & ~(proposed.bound <= known + _CLAIM_ROUNDING)
    taken = np.array([reply == Reply.TAKEN for reply in replies], np.bool_)
    return Considered(tuple(replies), "", false, certified, own, _chosen(problems, taken, theirs, own))


def _refused(own: Solutions, n_joint: int, reply: Reply, found: str) -> Considered:
    return Considered((reply,) * n_joint, found, np.zeros(n_joint, np.bool_), None, own, own)


def _share(problems: Problems) -> Floats:
    """(A,) each account's share of the value of its problem; 1 where it stands alone."""
    problem = owners(problems.joint_from)
    whole = np.bincount(problem, problems.value_usd, minlength=problems.n_joint)[problem]
    return np.divide(problems.value_usd, whole, out=np.ones(len(whole)), where=whole > 0)


def _sound(proposed: Proposed, problems: Problems) -> Proposed:
    """The proposal as plain arrays of the right shapes. Raises BackendError."""
    if not isinstance(proposed, Proposed):
        raise BackendError(Reply.GARBAGE, f"it returned {type(proposed).__name__}, not Proposed")
    bound = proposed.bound
    wanted = {
        "sold": (proposed.trades.sold, len(problems.lot_weight)),
        "bought": (proposed.trades.bought, len(problems.held)),
        "bound": (np.zeros(problems.n_joint) if bound is None else bound, problems.n_joint),
    }
    made = {}
    for name, (column, size) in wanted.items():
        try:
            made[name] = np.array(column, np.float64)
        except (TypeError, ValueError) as error:
            raise BackendError(Reply.GARBAGE, f"{name} holds no numbers") from error
        if made[name].shape != (size,):
            found = f"{name} has shape {made[name].shape}, not ({size},)"
            raise BackendError(Reply.GARBAGE, found)
    return Proposed(Trades(made["sold"], made["bought"]), None if bound is None else made["bound"])


def _chosen(problems: Problems, taken: Bools, theirs: Solutions, own: Solutions) -> Solutions:
    """Their columns where taken (J,), our own elsewhere."""
    account = np.repeat(taken, n_under(problems.joint_from))
    name = np.repeat(account, n_under(problems.names_from))
    masks = dict.fromkeys(_BY_NAME, name) | dict.fromkeys(
        _BY_LOT, np.repeat(name, n_under(problems.lots_from))
    )
    masks |= dict.fromkeys(_BY_ROW, np.repeat(account, n_under(problems.rows_from)))
    columns = {}
    for column in Solutions._fields:
        ours, its = getattr(own, column), getattr(theirs, column)
        if column in _OF_BOUND or column == "factor_price":
            columns[column] = ours  # the bound is ours in any case
        else:
            columns[column] = np.where(masks.get(column, account), its, ours).astype(ours.dtype)
    return Solutions(**columns)
