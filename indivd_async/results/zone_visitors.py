"""What a question for visits gave."""

from __future__ import annotations

from typing import Any, Literal, overload

import attrs

from ..fielded import Fielded
from ..models import ZoneVisitorsRow
from ..wording import plural
from . import totals as _adding
from .result import Period, Result
from .shown import ShownAsTable, Sight, see_rows
from .totals import Bounds, Number


@attrs.frozen(kw_only=True, repr=False, eq=False)
class ZoneVisitorsPeriod(ShownAsTable, Fielded):
    """One period: `startdate` and `enddate` as the API writes them, `insights` a row per zone and bucket."""

    startdate: str
    """First day, `yyyy-mm-dd`."""
    enddate: str
    """Last day, included."""
    insights: tuple[ZoneVisitorsRow, ...]
    """Its rows, by bucket and zone."""

    def _sight(self) -> Sight:
        from . import tables

        head = f"{type(self).__name__} {self.startdate} to {self.enddate}: {plural(len(self.insights), 'row')}"
        return see_rows([head], tables.dicts_of_visits(self.insights), set())


@attrs.frozen(kw_only=True, repr=False, eq=False)
class ZoneVisitorsResult(Result[ZoneVisitorsRow]):
    """Visits, unique visitors, bounces and dwell times by zone and bucket. Its own rows are `current.insights`."""

    current: ZoneVisitorsPeriod
    """The period asked for."""
    comparison: ZoneVisitorsPeriod | None = None
    """The period to compare with; None if it was not asked for."""

    def _sequence(self) -> tuple[ZoneVisitorsRow, ...]:
        return self.current.insights

    def total(self, metric: str, *, period: Period = "current") -> Number | None:
        """
        Add up *metric* over all rows of a period.

        `visits`, `bounce`, `n`, `min_dwell_time` and `max_dwell_time` are sums, `dwell_time` is the mean weighted by
        n (seconds), `min` and `max` skip rows without visits. `unique_visits` and `quantiles` do not add up:
        `NotMergeableError` says what to ask instead. None where no visit was measured.
        """
        return _adding.total_of_visits(self._period(period), metric)

    @overload
    def unique_visits_bounds(self, by: None = None, *, period: Period = "current") -> Bounds: ...
    @overload
    def unique_visits_bounds(
        self, by: Literal["zone_id", "loc_id", "bucket"], *, period: Period = "current"
    ) -> dict[Any, Bounds]: ...
    def unique_visits_bounds(self, by: str | None = None, *, period: Period = "current") -> Bounds | dict[Any, Bounds]:
        """
        Bound the number of people behind the rows, (low, high), over all or by "zone_id", "loc_id" or "bucket".

        At least as many as the fullest row saw, at most as many as all rows together; over locations both add up,
        since nobody is recognised across locations (which rows tell where `aggregate_by` names loc_id).
        """
        return _adding.bound_uniques(self._period(period), by)

    def cross_visitation(
        self, zone_a: int, zone_b: int, location_uniques: int | None = None, *, period: Period = "current"
    ) -> Bounds:
        """
        Bound the number of people seen in both zones, (low, high).

        The article says that cross-visitation can be derived from `unique_visits`; what can be derived is that it
        lies between A + B less the unique visitors of the whole location, and the smaller of A and B. Without
        *location_uniques* low is 0.
        """
        return _adding.bound_cross_visitation(self._period(period), zone_a, zone_b, location_uniques)

    def _period(self, period: Period) -> tuple[ZoneVisitorsRow, ...]:
        found: ZoneVisitorsPeriod = _adding.of_period(self, period)
        return found.insights
