"""Invented companies: names one can pronounce, tickers, identifiers, sectors and value flags."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from allotment.units import Floats

# Sector, its share of the companies, and its industries.
_SECTORS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    (
        "Information Technology",
        0.14,
        ("Semiconductors", "Application Software", "Systems Software", "Hardware", "IT Services"),
    ),
    ("Health Care", 0.13, ("Biotechnology", "Pharmaceuticals", "Medical Devices", "Managed Care")),
    ("Financials", 0.14, ("Banks", "Insurance", "Asset Management", "Payments")),
    (
        "Consumer Discretionary",
        0.11,
        ("Retail", "Automobiles", "Restaurants", "Casinos & Gaming", "Homebuilding"),
    ),
    ("Communication Services", 0.05, ("Media", "Telecommunications", "Interactive Services")),
    ("Industrials", 0.15, ("Machinery", "Aerospace & Defense", "Railroads", "Airlines", "Security Services")),
    ("Consumer Staples", 0.07, ("Packaged Foods", "Household Products", "Tobacco", "Brewers & Distillers")),
    ("Energy", 0.05, ("Oil & Gas Exploration", "Oil & Gas Refining", "Oilfield Services")),
    ("Utilities", 0.05, ("Electric Utilities", "Water Utilities", "Gas Utilities")),
    ("Real Estate", 0.06, ("Office Trusts", "Residential Trusts", "Data Centers")),
    ("Materials", 0.05, ("Chemicals", "Metals & Mining", "Packaging")),
)
_LAST_WORDS: dict[str, tuple[str, ...]] = {
    "Information Technology": ("Systems", "Software", "Devices", "Networks", "Logic"),
    "Health Care": ("Therapeutics", "Health", "Medical", "Biosciences"),
    "Financials": ("Bancorp", "Financial", "Assurance", "Capital"),
    "Consumer Discretionary": ("Brands", "Stores", "Motors", "Resorts", "Homes"),
    "Communication Services": ("Media", "Telecom", "Interactive"),
    "Industrials": ("Industries", "Aerospace", "Freight", "Tools", "Engineering"),
    "Consumer Staples": ("Foods", "Household", "Provisions"),
    "Energy": ("Petroleum", "Energy", "Drilling"),
    "Utilities": ("Power", "Water", "Light & Gas"),
    "Real Estate": ("Properties", "Realty", "Estates"),
    "Materials": ("Chemical", "Minerals", "Paper"),
}
# Value flag -> industries in which it may be set, and how often.
_FLAGS: dict[str, tuple[tuple[str, ...], float]] = {
    "fossil_fuel": (
        ("Oil & Gas Exploration", "Oil & Gas Refining", "Oilfield Services", "Gas Utilities"),
        1.0,
    ),
    "tobacco": (("Tobacco",), 1.0),
    "alcohol": (("Brewers & Distillers",), 1.0),
    "gambling": (("Casinos & Gaming",), 0.8),
    "defense": (("Aerospace & Defense",), 0.6),
    "firearms": (("Aerospace & Defense", "Retail"), 0.1),
    "private_prison": (("Security Services",), 0.3),
}
_STEMS = (
    "Al Bar Cor Dun El Fen Gar Hol Il Jor Kel Lor Mar Nor Or Pel Quin Ros Sel Tor Ul Ver Wes Yar Zan",
    "a e i o an en ba di ka lo mi ra ve",
    "bury dale ford gate lis mont nex ra ron sett ta ton via well wick worth",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Companies:
    """N invented companies; every tuple and column has N entries."""

    names: tuple[str, ...]
    tickers: tuple[str, ...]
    sectors: tuple[str, ...]
    industries: tuple[str, ...]
    flags: dict[str, Floats]  # name -> 0 or 1
    esg: Floats  # a score around 0, higher is better

    def with_pairs(self, pairs: list[tuple[int, int]]) -> Companies:
        """The second name of each pair becomes another share class of the first."""
        issuer = np.arange(len(self.names))
        for first, second in pairs:
            issuer[second] = first
        return Companies(
            names=tuple(self.names[i] for i in issuer),
            tickers=self.tickers,
            sectors=tuple(self.sectors[i] for i in issuer),
            industries=tuple(self.industries[i] for i in issuer),
            flags={name: values[issuer] for name, values in self.flags.items()},
            esg=self.esg[issuer],
        )


def invent_companies(n: int, rng: np.random.Generator) -> Companies:
    """`n` companies with different names and tickers, spread over eleven sectors."""
    stems = ["".join(parts) for parts in product(*(syllables.split() for syllables in _STEMS))]
    assert n <= len(stems)
    chosen = [stems[i] for i in rng.permutation(len(stems))[:n]]
    sector_ix = _spread(n, np.array([share for _, share, _ in _SECTORS]), rng)
    sectors = tuple(_SECTORS[i][0] for i in sector_ix)
    industries = tuple(str(rng.choice(_SECTORS[i][2])) for i in sector_ix)
    names = tuple(
        f"{stem} {rng.choice(_LAST_WORDS[sector])}" for stem, sector in zip(chosen, sectors, strict=True)
    )
    flags = {}
    for flag, (where, how_often) in _FLAGS.items():
        allowed = np.isin(np.array(industries), np.array(where))
        flags[flag] = (allowed & (rng.random(n) < how_often)).astype(np.float64)
    return Companies(
        names=names,
        tickers=_tickers(chosen),
        sectors=sectors,
        industries=industries,
        flags=flags,
        esg=np.round(rng.standard_normal(n), 2),
    )


def other_tickers(taken: tuple[str, ...], stems: tuple[str, ...]) -> tuple[str, ...]:
    """A ticker for each stem, none of them among `taken`."""
    return _tickers(list(stems), set(taken))


def cusip(number: int) -> str:
    """A CUSIP with a true check digit in the range that is left to users (issuers 99….).

    >>> cusip(1)
    '990001109'
    """
    base = f"99{number:04d}10"
    total = 0
    for place, character in enumerate(base):
        digit = int(character) * (2 if place % 2 else 1)
        total += digit // 10 + digit % 10
    return f"{base}{(10 - total % 10) % 10}"


def _spread(n: int, shares: Floats, rng: np.random.Generator) -> list[int]:
    """`n` positions into `shares`, each as often as its share says, in random order."""
    bounds = np.rint(np.cumsum(shares / shares.sum()) * n).astype(np.int64)
    positions = np.searchsorted(bounds, np.arange(n), "right")
    shuffled: list[int] = rng.permutation(positions).tolist()
    return shuffled


def _tickers(stems: list[str], taken: set[str] | None = None) -> tuple[str, ...]:
    """Three or four letters out of each stem, in the stem's order, none twice."""
    used = set(taken or ())
    tickers = []
    for stem in stems:
        letters = stem.upper()
        found = next(word for word in _abbreviations(letters) if word not in used)
        used.add(found)
        tickers.append(found)
    return tuple(tickers)


def _abbreviations(letters: str) -> list[str]:
    rest = range(1, len(letters))
    consonants = [i for i in rest if letters[i] not in "AEIOU"]
    threes = [letters[0] + letters[i] + letters[j] for i in consonants for j in consonants if i < j]
    fours = [
        letters[0] + letters[i] + letters[j] + letters[k]
        for i in rest
        for j in rest
        for k in rest
        if i < j < k
    ]
    fives = [word + last for word in fours for last in "XQZ"]
    return threes + fours + fives
