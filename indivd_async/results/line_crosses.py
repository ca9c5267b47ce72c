"""What a question for crossings of lines gave."""

from __future__ import annotations

import attrs

from ..models import LineCrossesRow
from . import totals as _adding
from .result import Result
from .totals import Number


@attrs.frozen(kw_only=True, repr=False, eq=False)
class LineCrossesResult(Result[LineCrossesRow]):
    """Crossings by bucket, and by the values of a fan-out."""

    rows: tuple[LineCrossesRow, ...]
    """By bucket."""

    def _sequence(self) -> tuple[LineCrossesRow, ...]:
        return self.rows

    def total(self, metric: str = "count") -> Number | None:
        """Add up *metric* over all rows; `NotMergeableError` where that would count twice."""
        return _adding.total_of_lines(self.rows, metric, getattr(self.plan.query, "per", None))
