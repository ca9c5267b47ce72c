"""What a question for crossings of lines gave."""

from __future__ import annotations

import attrs

from ..errors import InvalidQueryError, NotMergeableError
from ..models import LineCrossesRow
from .result import Number, Result


@attrs.frozen(kw_only=True, repr=False, eq=False)
class LineCrossesResult(Result[LineCrossesRow]):
    """Crossings by bucket, and by the values of a fan-out."""

    rows: tuple[LineCrossesRow, ...]
    """By bucket."""

    def _sequence(self) -> tuple[LineCrossesRow, ...]:
        return self.rows

    def total(self, metric: str = "count") -> Number:
        """Add up *metric* over all rows; `NotMergeableError` where that would count twice."""
        per = getattr(self.plan.query, "per", None)
        if metric != "count":
            raise InvalidQueryError("metric", "must be count", metric)
        if per in ("zone_to", "zone_from", "category"):
            raise NotMergeableError(
                "count",
                f"rows are per {per}, and one line may stand behind several of them",
                f"Ask without per to have the total for all of the {per} values given",
            )
        return sum(row.count for row in self.rows)
