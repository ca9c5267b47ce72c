"""
What the caller holds: the merged rows, what became of each request, and what there is to know about the figures.

Attribute names mirror the API's JSON. A result iterates, counts and indexes over its rows, and hands them to polars,
pandas, pyarrow and DuckDB through the Arrow stream protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

import attrs

from . import _adding
from ._adding import Bounds, Number
from .errors import IndivdError, InvalidQueryError, PartialResultError
from .models import DropInRow, DropInTotals, LineCrossesRow, ZoneDropIn, ZoneVisitorsRow

if TYPE_CHECKING:
    from .chunks import Chunk
    from .planning import Plan, PlannedRequest

Row = TypeVar("Row", LineCrossesRow, ZoneVisitorsRow, DropInRow)
Period = Literal["current", "comparison"]


@attrs.frozen(kw_only=True)
class Note:
    """Something to know about the figures; `kind` is for programs, `message` for people."""

    kind: str
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.frozen(kw_only=True)
class Coverage:
    """What became of one planned request: `status` is "ok", "empty" (no row, no failure) or "failed"."""

    request: PlannedRequest
    status: Literal["ok", "empty", "failed"]
    rows: int
    #: 0 where the answer came from a cache. How an answer was had does not make the result another one.
    attempts: int = attrs.field(eq=False)
    error: IndivdError | None = None


@attrs.frozen(kw_only=True)
class Result(Generic[Row]):
    """What every result has."""

    plan: Plan
    coverage: tuple[Coverage, ...]
    notes: tuple[Note, ...] = ()
    #: The chunks behind an incomplete result or a shard, so that what is missing can still be merged with them.
    arrived: tuple[Chunk, ...] = attrs.field(default=(), repr=False, eq=False)

    @property
    def complete(self) -> bool:
        """Whether every request was answered; `coverage` tells which was not."""
        return all(item.status != "failed" for item in self.coverage)

    def raise_for_failures(self) -> None:
        """Raise `PartialResultError` unless `complete`."""
        failures = [item.error for item in self.coverage if item.status == "failed" and item.error is not None]
        if not self.complete:
            raise PartialResultError(self, failures)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as flat dictionaries, one column a key, as in the Arrow schema."""
        from . import tables

        return tables.to_dicts(cast("AnyResult", self))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Export the rows as an Arrow stream; needs the extra `arrow` (or `parquet`)."""
        from . import tables

        return tables.export_stream(cast("AnyResult", self), requested_schema)

    def _sequence(self) -> tuple[Row, ...]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Row]:
        return iter(self._sequence())

    def __len__(self) -> int:
        return len(self._sequence())

    def __bool__(self) -> bool:
        return True  # an empty answer is an answer

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self._sequence()[index]


@attrs.frozen(kw_only=True)
class LineCrossesResult(Result[LineCrossesRow]):
    """Crossings by bucket, and by the values of a fan-out."""

    rows: tuple[LineCrossesRow, ...]

    def _sequence(self) -> tuple[LineCrossesRow, ...]:
        return self.rows

    def total(self, metric: str = "count") -> Number | None:
        """Add up *metric* over all rows; `NotMergeableError` where that would count twice."""
        return _adding.total_of_lines(self.rows, metric, getattr(self.plan.query, "per", None))


@attrs.frozen(kw_only=True)
class ZoneVisitorsPeriod:
    """One period: `startdate` and `enddate` as the API writes them, `insights` a row per zone and bucket."""

    startdate: str
    enddate: str
    insights: tuple[ZoneVisitorsRow, ...]


@attrs.frozen(kw_only=True)
class ZoneVisitorsResult(Result[ZoneVisitorsRow]):
    """Visits, unique visitors, bounces and dwell times by zone and bucket. Its own rows are `current.insights`."""

    current: ZoneVisitorsPeriod
    #: None if it was not asked for.
    comparison: ZoneVisitorsPeriod | None = None

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
        found = {"current": self.current, "comparison": self.comparison}.get(period)
        if found is None:
            raise InvalidQueryError("period", "must be a period of this result", period)
        return found.insights


@attrs.frozen(kw_only=True)
class DropInSummary:
    """All zones together over each period; `comparison` is None if it was not asked for."""

    current: DropInTotals
    comparison: DropInTotals | None = None


@attrs.frozen(kw_only=True)
class DropInDetails:
    """All zones together by bucket."""

    #: What the rows are grouped by, as the API names it.
    interval: str | None
    current: tuple[DropInRow, ...]
    comparison: tuple[DropInRow, ...] | None = None


@attrs.frozen(kw_only=True)
class DropInZones:
    """Each zone by its id."""

    current: Mapping[int, ZoneDropIn]
    comparison: Mapping[int, ZoneDropIn] | None = None


@attrs.frozen(kw_only=True)
class DropInRateResult(Result[DropInRow]):
    """Passers-by, entries and their ratio. Its own rows are `details.current`; in Arrow, those of each zone."""

    summary: DropInSummary
    details: DropInDetails
    zone_details: DropInZones

    def _sequence(self) -> tuple[DropInRow, ...]:
        return self.details.current

    def total(self, metric: str, *, period: Period = "current") -> Number | None:
        """Return `passing_by`, `enter` or `drop_in_rate` (percent, None where nobody passed) over a whole period."""
        totals = {"current": self.summary.current, "comparison": self.summary.comparison}.get(period)
        if totals is None:
            raise InvalidQueryError("period", "must be a period of this result", period)
        names = {"passing_by": "passing_by", "enter": "enter", "drop_in_rate": "enter_percentage"}
        if metric not in names:
            raise InvalidQueryError("metric", f"must be one of {', '.join(names)}", metric)
        value: Number | None = getattr(totals, names[metric])
        return value


AnyResult = LineCrossesResult | ZoneVisitorsResult | DropInRateResult
