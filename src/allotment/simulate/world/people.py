"""Who the sample clients are: households, taxpayers with their rates, accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from allotment.book.household import Account, AccountKind, FilingStatus, Household, Sleeve, Taxpayer
from allotment.book.venue import LotMode, Venue
from allotment.units import Dates, Floats, Ints

_ACCOUNTS_PER_HOUSEHOLD = (0.35, 0.30, 0.20, 0.15)
_FURTHER_KINDS = (
    (AccountKind.IRA, 0.45),
    (AccountKind.TAXABLE, 0.35),
    (AccountKind.ROTH_IRA, 0.20),
)
# State -> marginal income tax of a comfortable and of a very high income (fractions, about 2024).
_STATES = {
    "CA": (0.093, 0.133),
    "NY": (0.0685, 0.103),
    "TX": (0.0, 0.0),
    "FL": (0.0, 0.0),
    "MA": (0.05, 0.09),
    "NJ": (0.0637, 0.1075),
    "IL": (0.0495, 0.0495),
    "PA": (0.0307, 0.0307),
    "VA": (0.0575, 0.0575),
    "CO": (0.044, 0.044),
    "GA": (0.0539, 0.0539),
    "MN": (0.0785, 0.0985),
    "TN": (0.0, 0.0),
    "OR": (0.0875, 0.099),
}
# Value of the household's largest account in dollars -> federal short rate, long rate, NIIT.
_BANDS = (
    (250_000.0, 0.24, 0.15, 0.0),
    (1_000_000.0, 0.32, 0.15, 0.038),
    (4_000_000.0, 0.35, 0.15, 0.038),
    (np.inf, 0.37, 0.20, 0.038),
)

VENUES = (
    Venue(code="ALDER", share_step_nano=1_000, lot_mode=LotMode.NAMED),  # six decimals of a share
    Venue(code="BIRCH", share_step_nano=1_000_000_000, lot_mode=LotMode.NAMED),  # whole shares
)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Records of a book's clients, and what the accounts are worth about `asof`."""

    households: tuple[Household, ...]
    taxpayers: tuple[Taxpayer, ...]
    accounts: tuple[Account, ...]
    sleeves: tuple[Sleeve, ...]
    opened_ix: Ints  # (n_accounts,) session
    size_usd: Floats  # (n_accounts,)


def draw_people(
    n_accounts: int,
    share_fractional: float,
    usd_min: float,
    usd_max: float,
    sessions: Dates,
    first: int,
    rng: np.random.Generator,
) -> People:
    """`n_accounts` accounts in households of one to four, opened from session `first` on.

    sessions end with the book's day.
    """
    sizes = _household_sizes(n_accounts, rng)
    kinds = [kind for kind, _ in _FURTHER_KINDS]
    chances = [chance for _, chance in _FURTHER_KINDS]
    households: list[Household] = []
    taxpayers: list[Taxpayer] = []
    accounts: list[Account] = []
    size_usd, opened_ix = np.zeros(n_accounts), first + _openings(n_accounts, sessions.shape[0] - first, rng)
    for number, size in enumerate(sizes, start=1):
        households.append(Household(household_id=number, code=f"H{number:05d}", name=f"Household {number}"))
        begin = len(accounts)
        size_usd[begin : begin + size] = _sizes_usd(size, usd_min, usd_max, rng)
        people = _taxpayers(
            number, len(taxpayers) + 1, size, float(size_usd[begin : begin + size].max()), rng
        )
        taxpayers.extend(people)
        venue = VENUES[0] if rng.random() < share_fractional else VENUES[1]
        for place in range(size):
            kind = AccountKind.TAXABLE if place == 0 else kinds[rng.choice(len(kinds), p=chances)]
            account_id = len(accounts) + 1
            if kind is not AccountKind.TAXABLE:
                size_usd[account_id - 1] = np.clip(size_usd[account_id - 1] * 0.3, usd_min, 1_500_000.0)
            accounts.append(
                Account(
                    account_id=account_id,
                    code=f"A{account_id:06d}",
                    household_id=number,
                    taxpayer_id=people[place % len(people)].taxpayer_id,
                    kind=kind,
                    venue_code=venue.code,
                    opened=date.fromisoformat(str(sessions[opened_ix[account_id - 1]])),
                    name=f"{kind.value.replace('_', ' ')} account of household {number}",
                )
            )
    sleeves = tuple(
        Sleeve(
            sleeve_id=a.account_id,
            code=f"S{a.account_id:06d}",
            account_id=a.account_id,
            manager="direct index",
        )
        for a in accounts
    )
    return People(
        households=tuple(households),
        taxpayers=tuple(taxpayers),
        accounts=tuple(accounts),
        sleeves=sleeves,
        opened_ix=opened_ix,
        size_usd=size_usd,
    )


def _household_sizes(n_accounts: int, rng: np.random.Generator) -> list[int]:
    sizes: list[int] = []
    left = n_accounts
    while left:
        size = min(left, 1 + int(rng.choice(4, p=_ACCOUNTS_PER_HOUSEHOLD)))
        sizes.append(size)
        left -= size
    return sizes


def _openings(n_accounts: int, n_sessions: int, rng: np.random.Generator) -> Ints:
    """Sessions of opening: a sixth on the first days, a tenth in the last year, a few just now."""
    final = n_sessions - 1
    when = rng.random(n_accounts)
    spread = rng.integers(0, max(final - 252, 1), n_accounts)
    early = rng.integers(0, min(20, final), n_accounts)
    late = rng.integers(max(final - 252, 0), final, n_accounts)
    new = final - rng.integers(0, 3, n_accounts)
    opened: Ints = np.select([when < 0.16, when < 0.88, when < 0.985], [early, spread, late], new)
    return np.maximum(opened, 0)


def _sizes_usd(n: int, usd_min: float, usd_max: float, rng: np.random.Generator) -> Floats:
    """Four in five between $100k and $5M, the others anywhere; all log-uniform."""
    low, high = max(usd_min, min(100_000.0, usd_max)), max(min(usd_max, 5_000_000.0), usd_min)
    usual = rng.random(n) < 0.8
    usual_usd = np.exp(rng.uniform(np.log(min(low, high)), np.log(max(low, high)), n))
    any_usd = np.exp(rng.uniform(np.log(usd_min), np.log(usd_max), n))
    return np.where(usual, usual_usd, any_usd)


def _taxpayers(
    household: int, first_id: int, n_accounts: int, largest_usd: float, rng: np.random.Generator
) -> list[Taxpayer]:
    """One person or couple; sometimes spouses who file separately."""
    if n_accounts > 1 and rng.random() < 0.07:
        statuses = [FilingStatus.SEPARATE, FilingStatus.SEPARATE]
    else:
        chances = (0.38, 0.57, 0.05)
        all_statuses = (FilingStatus.SINGLE, FilingStatus.JOINT, FilingStatus.HEAD)
        statuses = [all_statuses[int(rng.choice(3, p=chances))]]
    state = str(rng.choice(list(_STATES)))
    band = next(
        i for i, row in enumerate(_BANDS) if largest_usd * np.exp(0.3 * rng.standard_normal()) < row[0]
    )
    _, short, long, investment = _BANDS[band]
    state_rate = _STATES[state][1 if band >= 2 else 0]
    return [
        Taxpayer(
            taxpayer_id=first_id + place,
            code=f"T{first_id + place:05d}",
            household_id=household,
            filing_status=status,
            state=state,
            short_rate=round(short + investment + state_rate, 4),
            long_rate=round(long + investment + state_rate, 4),
            ordinary_rate=round(short + state_rate, 4),
            carry_short_cents=_sometimes(0.15, 1e3, 1e5, rng),
            carry_long_cents=_sometimes(0.20, 1e3, 3e5, rng),
            outside_short_cents=_sometimes(0.30, 2e3, 0.04 * largest_usd + 3e3, rng),
            outside_long_cents=_sometimes(0.65, 0.01 * largest_usd + 2e3, 0.15 * largest_usd + 5e3, rng),
        )
        for place, status in enumerate(statuses)
    ]


def _sometimes(chance: float, usd_low: float, usd_high: float, rng: np.random.Generator) -> int:
    amount_usd = np.exp(rng.uniform(np.log(usd_low), np.log(usd_high)))
    return int(round(amount_usd, -2)) * 100 if rng.random() < chance else 0
