"""What a question about one account answers, as frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from allotment.rebalance.explain import Explanation, explain
from allotment.rebalance.proposal import Proposal
from allotment.rebalance.what_if import WhatIf, compare

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class WhatIfAnswer:
    """The account's proposal as it stands and as it would be; nothing of it is stored."""

    account: str
    found: WhatIf
    codes: dict[int, str]  # security id -> code
    factor_names: tuple[str, ...] = ()  # of the risk model

    @property
    def before(self) -> Proposal:
        """What is proposed as the account stands."""
        return self.found.before.proposal

    @property
    def after(self) -> Proposal:
        """What would be proposed."""
        return self.found.after.proposal

    @property
    def remarks(self) -> tuple[str, ...]:
        """What there is to look at in the changed proposal: limits that cannot be met."""
        return self.found.after.remarks

    @property
    def explanation(self) -> Explanation:
        """The changed proposal in sentences."""
        return explain(self.after, self.factor_names)

    @property
    def table(self) -> pl.DataFrame:
        """One row per figure: name, unit, before, after, change."""
        import polars as pl

        frame = pl.DataFrame([asdict(line) for line in compare(self.found)])
        return frame.with_columns(change=pl.col("after") - pl.col("before"))

    @property
    def trades(self) -> pl.DataFrame:
        """One row per name traded after the change, the largest first."""
        import polars as pl

        rows = [trade.record() for trade in self.explanation.trades]
        names = [self.codes[row.pop("security_id")] for row in rows]
        frame = pl.DataFrame(rows) if rows else pl.DataFrame({"side": []}, schema={"side": pl.String})
        return frame.insert_column(0, pl.Series("security", names, dtype=pl.String))

    def __repr__(self) -> str:
        return f"{self.account}: {self.explanation.headline}\n{self.table}"
