"""
What a question for visits gave: rows, what of them adds up, and bounds for what does not.

Source: the vendor's article says what each metric counts; what may be added follows from that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from operator import attrgetter
from typing import Any, Literal, cast, overload

import attrs

from ..errors import InvalidQueryError, NotMergeableError
from ..fielded import Fielded
from ..models import Exclude, ZoneVisitorsRow
from ..wording import plural
from .columns import dicts_of
from .result import Number, Period, Result, of_period
from .shown import ShownAsTable, Sight, see_rows

Bounds = tuple[int, int]
_Rows = Sequence[ZoneVisitorsRow]


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
        from .tables import table_of_visits

        head = f"{type(self).__name__} {self.startdate} to {self.enddate}: {plural(len(self.insights), 'row')}"
        return see_rows([head], dicts_of(*table_of_visits(self.insights)), {row.tz for row in self.insights})


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
        `NotMergeableError` says what to ask instead. None where no visit was measured. The names of columns are taken,
        too, as `dwell_mean_s`.
        """
        rows: _Rows = of_period(self, period).insights
        path = _PATHS.get(metric, metric) if isinstance(metric, str) else ""
        if path == "unique_visits" and len(rows) <= 1:  # its own total; nobody came on a closed day
            return rows[0].unique_visits if rows else 0
        if path in _NEVER:
            raise NotMergeableError(metric, *_NEVER[path])
        if path not in _ADDS:
            raise InvalidQueryError("metric", f"must be one of {', '.join([*_ADDS, *_NEVER])}", metric)
        return _ADDS[path](rows, metric)

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
        rows: _Rows = of_period(self, period).insights
        if by is None:
            return _bound(rows)
        if not isinstance(by, str) or by not in _BY:
            raise InvalidQueryError("by", f"must be None or one of {', '.join(_BY)}", by)
        groups = _grouped(rows, f"aggregation.{by}")
        if by == "loc_id" and None in groups:
            raise NotMergeableError(
                "unique_visits",
                "rows do not tell their location",
                'Ask with loc_id among the groupings, as in aggregate_by="year,month,dayofmonth,loc_id"',
            )
        return {key: _bound(group) for key, group in groups.items()}

    def cross_visitation(
        self, zone_a: int, zone_b: int, location_uniques: int | None = None, *, period: Period = "current"
    ) -> Bounds:
        """
        Bound the number of people seen in both zones, (low, high).

        The article says that cross-visitation can be derived from `unique_visits`; what can be derived is that it
        lies between A + B less the unique visitors of the whole location, and the smaller of A and B. Without
        *location_uniques* low is 0. Zones of two locations share nobody: visitors are recognised within one only.
        """
        if location_uniques is not None and not (isinstance(location_uniques, Real) and location_uniques >= 0):
            raise InvalidQueryError("location_uniques", "must be a number of people, not negative", location_uniques)
        zones = _grouped(of_period(self, period).insights, "aggregation.zone_id")
        for name, zone in (("zone_a", zone_a), ("zone_b", zone_b)):
            if zone not in list(zones):
                raise InvalidQueryError(name, "must be a zone of this result", zone)
        (low_a, high_a), (low_b, high_b) = _bound(zones[zone_a]), _bound(zones[zone_b])
        if _are_apart(zones[zone_a], zones[zone_b]):
            return 0, 0
        high = min(high_a, high_b)
        low = 0 if location_uniques is None else max(0, low_a + low_b - location_uniques)
        return min(low, high), high


def _measured(rows: _Rows, metric: str) -> list[Any]:
    outer, _, inner = _PATHS.get(metric, metric).partition(".")
    found = [getattr(value, inner, None) if inner else value for value in map(attrgetter(outer), rows)]
    missing = sum(value is None for value in found)
    if missing:
        raise NotMergeableError(
            metric,
            f"{missing:,} of {len(rows):,} rows do not tell it",
            "Ask only for locations whose plan measures it, for a comparison period by itself, and for bounces with "
            "another bounce_threshold than 0",
        )
    return found


def _sum(rows: _Rows, metric: str) -> int:
    return sum(_measured(rows, metric))


def _sum_bounces(rows: _Rows, metric: str) -> int:
    thresholds: dict[int, int | None] = {}
    for row in rows:
        zone = row.aggregation
        if thresholds.setdefault(zone.zone_id, zone.bounce_threshold) != zone.bounce_threshold:
            raise NotMergeableError(
                metric,
                f"the threshold of zone {zone.zone_id} changed within the period",
                "Ask with an explicit bounce_threshold",
            )
    return _sum(rows, metric)


def _weighted(rows: _Rows, metric: str, name: str) -> list[tuple[Any, int]]:
    """Pair a statistic with its n, for rows with n > 0: a row without visits has nothing to tell."""
    pairs = []
    for row in rows:
        stats = row.dwell_time_stats
        n = stats.n if stats is not None else None
        if n is None and _nothing_is_left(row):
            continue
        value = getattr(stats, name, None)
        if n is None or (n > 0 and value is None):
            raise NotMergeableError(
                metric,
                "a row lacks dwell_time_stats or its n, the weight",
                'Ask for aggregate_by="zone": one figure per zone, or for a comparison period by itself',
            )
        if n > 0:
            pairs.append((value, n))
    return pairs


def _nothing_is_left(row: ZoneVisitorsRow) -> bool:
    """Tell whether a row without statistics had no visit to tell of: none at all, or all beyond the thresholds."""
    beyond = row.exclude or Exclude()
    return row.visits <= (beyond.min_dwell_time or 0) + (beyond.max_dwell_time or 0)


def _weighted_mean(rows: _Rows, metric: str) -> float | None:
    if len(rows) == 1 and rows[0].dwell_time_stats is None:  # its own mean, which needs no weight
        return None if _nothing_is_left(rows[0]) else rows[0].dwell_time
    pairs = _weighted(rows, metric, "mean")
    if len(pairs) == 1:
        return cast("float", pairs[0][0])  # as it was sent, not multiplied and divided
    weight = sum(n for _, n in pairs)
    return math.fsum(mean * n for mean, n in pairs) / weight if weight else None


_ADDS: Mapping[str, Callable[[_Rows, str], Number | None]] = {
    "visits": _sum,
    "bounce": _sum_bounces,
    "exclude.min_dwell_time": _sum,
    "exclude.max_dwell_time": _sum,
    "dwell_time": _weighted_mean,
    "dwell_time_stats.mean": _weighted_mean,
    "dwell_time_stats.min": lambda rows, metric: min(_weighted(rows, metric, "min"), default=(None, 0))[0],
    "dwell_time_stats.max": lambda rows, metric: max(_weighted(rows, metric, "max"), default=(None, 0))[0],
    "dwell_time_stats.n": lambda rows, metric: sum(n for _, n in _weighted(rows, metric, "n")),
}
_NEVER = {
    "unique_visits": (
        "someone seen in two rows is one person",
        'Ask for the whole period as one bucket (aggregate_by="zone"), or take unique_visits_bounds()',
    ),
    "dwell_time_stats.quantiles": (
        "the quantiles of parts do not tell those of the whole",
        'Ask for the whole period as one bucket (aggregate_by="zone")',
    ),
}
#: Metrics may be named without the object that holds them, and as the columns of tables are.
_PATHS = {path.partition(".")[2]: path for path in (*_ADDS, *_NEVER) if "." in path} | {
    "dwell_mean_s": "dwell_time",
    "dwell_min_s": "dwell_time_stats.min",
    "dwell_max_s": "dwell_time_stats.max",
    "dwell_n": "dwell_time_stats.n",
    "visits_below_min_dwell": "exclude.min_dwell_time",
    "visits_above_max_dwell": "exclude.max_dwell_time",
    **dict.fromkeys(("dwell_q25_s", "dwell_q50_s", "dwell_q75_s"), "dwell_time_stats.quantiles"),
}

_BY = ("zone_id", "loc_id", "bucket")


def _grouped(rows: _Rows, path: str) -> dict[Any, list[ZoneVisitorsRow]]:
    groups: dict[Any, list[ZoneVisitorsRow]] = {}
    for key, row in zip(map(attrgetter(path), rows), rows, strict=True):
        groups.setdefault(key, []).append(row)
    return groups


def _bound(rows: _Rows) -> Bounds:
    # Nobody is recognised across locations, so the people of each are people of their own: their bounds add up. Rows
    # that do not tell their location still belong to different ones where they have different clocks.
    apart = _grouped(rows, "aggregation.loc_id")
    if None in apart:
        apart = _grouped(rows, "tz")
    uniques = [_measured(group, "unique_visits") for group in apart.values()]
    return sum(map(max, uniques)), sum(map(sum, uniques))


def _are_apart(one: _Rows, other: _Rows) -> bool:
    """Tell whether the rows show two locations, by their ids or at least by their clocks."""
    for path in ("aggregation.loc_id", "tz"):
        places = [set(map(attrgetter(path), rows)) for rows in (one, other)]
        if all(places) and None not in places[0] | places[1]:
            return places[0].isdisjoint(places[1])
    return False
