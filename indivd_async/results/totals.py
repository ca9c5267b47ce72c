"""
What adds up, and how: the table behind `total`, and bounds for what does not. Pure.

Source: the vendor's article says what each metric counts; what may be added follows from that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from operator import attrgetter
from typing import Any, cast

from ..errors import InvalidQueryError, NotMergeableError
from ..models import Exclude, ZoneVisitorsRow

Bounds = tuple[int, int]
Number = int | float


def of_period(parts: Any, period: str) -> Any:
    """Return the current or the comparison part; InvalidQueryError where there is none."""
    found = getattr(parts, period) if period in ("current", "comparison") else None
    if found is None:
        raise InvalidQueryError("period", "must be a period of this result", period)
    return found


def rate(part: int, whole: int) -> float | None:
    """Return 100 · *part* / *whole* to one decimal, as the API rounds; None where *whole* is 0."""
    return round(100 * part / whole, 1) if whole else None


def total_of_visits(rows: Sequence[ZoneVisitorsRow], metric: str) -> Number | None:
    """Add up a metric of zone_visitors over all rows, where that is exact."""
    path = _PATHS.get(metric, metric) if isinstance(metric, str) else ""
    if path in _NEVER:
        if path == "unique_visits" and len(rows) == 1:  # its own total
            return rows[0].unique_visits
        raise NotMergeableError(metric, *_NEVER[path])
    if path not in _ADDS:
        raise InvalidQueryError("metric", f"must be one of {', '.join([*_ADDS, *_NEVER])}", metric)
    return _ADDS[path](rows, metric)


def _measured(rows: Sequence[ZoneVisitorsRow], metric: str) -> list[Any]:
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


def _sum(rows: Sequence[ZoneVisitorsRow], metric: str) -> int:
    return sum(_measured(rows, metric))


def _sum_bounces(rows: Sequence[ZoneVisitorsRow], metric: str) -> int:
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


def _weighted(rows: Sequence[ZoneVisitorsRow], metric: str, name: str) -> list[tuple[Any, int]]:
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


def _weighted_mean(rows: Sequence[ZoneVisitorsRow], metric: str) -> float | None:
    if len(rows) == 1 and rows[0].dwell_time_stats is None:  # its own mean, which needs no weight
        return None if _nothing_is_left(rows[0]) else rows[0].dwell_time
    pairs = _weighted(rows, metric, "mean")
    if len(pairs) == 1:
        return cast("float", pairs[0][0])  # as it was sent, not multiplied and divided
    weight = sum(n for _, n in pairs)
    return math.fsum(mean * n for mean, n in pairs) / weight if weight else None


_ADDS: Mapping[str, Callable[[Sequence[ZoneVisitorsRow], str], Number | None]] = {
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
#: Metrics may be named without the object that holds them.
_PATHS = {path.partition(".")[2]: path for path in (*_ADDS, *_NEVER) if "." in path}

_BY: Mapping[str, Callable[[ZoneVisitorsRow], Any]] = {
    "zone_id": attrgetter("aggregation.zone_id"),
    "loc_id": attrgetter("aggregation.loc_id"),
    "bucket": attrgetter("aggregation.bucket"),
}
_clock: Callable[[ZoneVisitorsRow], Any] = attrgetter("tz")


def bound_uniques(rows: Sequence[ZoneVisitorsRow], by: str | None) -> Bounds | dict[Any, Bounds]:
    """Bound the people behind *rows*: all of them, or by "zone_id", "loc_id" or "bucket"."""
    if by is None:
        return _bound(rows)
    if not isinstance(by, str) or by not in _BY:
        raise InvalidQueryError("by", f"must be None or one of {', '.join(_BY)}", by)
    groups = _grouped(rows, _BY[by])
    if by == "loc_id" and None in groups:
        raise NotMergeableError(
            "unique_visits",
            "rows do not tell their location",
            'Ask with loc_id among the groupings, as in aggregate_by="year,month,dayofmonth,loc_id"',
        )
    return {key: _bound(group) for key, group in groups.items()}


def _grouped(
    rows: Iterable[ZoneVisitorsRow], key: Callable[[ZoneVisitorsRow], Any]
) -> dict[Any, list[ZoneVisitorsRow]]:
    groups: dict[Any, list[ZoneVisitorsRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _bound(rows: Sequence[ZoneVisitorsRow]) -> Bounds:
    # Nobody is recognised across locations, so the people of each are people of their own: their bounds add up. Rows
    # that do not tell their location still belong to different ones where they have different clocks.
    apart = _grouped(rows, _BY["loc_id"])
    if None in apart:
        apart = _grouped(rows, _clock)
    uniques = [_measured(group, "unique_visits") for group in apart.values()]
    return sum(map(max, uniques)), sum(map(sum, uniques))


def bound_cross_visitation(
    rows: Sequence[ZoneVisitorsRow], zone_a: int, zone_b: int, location_uniques: int | None
) -> Bounds:
    """
    Bound the people seen in both zones.

    At least A + B less everybody in the location, at most the smaller of the two. Without *location_uniques* the lower
    bound is 0. Zones of two locations share nobody: visitors are recognised within one location only.
    """
    if location_uniques is not None and not (isinstance(location_uniques, Real) and location_uniques >= 0):
        raise InvalidQueryError("location_uniques", "must be a number of people, not negative", location_uniques)
    zones = _grouped(rows, _BY["zone_id"])
    sides = []
    for name, zone in (("zone_a", zone_a), ("zone_b", zone_b)):
        if zone not in list(zones):
            raise InvalidQueryError(name, "must be a zone of this result", zone)
        sides.append(_bound(zones[zone]))
    if _are_apart(zones[zone_a], zones[zone_b]):
        return 0, 0
    (low_a, high_a), (low_b, high_b) = sides
    high = min(high_a, high_b)
    low = 0 if location_uniques is None else max(0, low_a + low_b - location_uniques)
    return min(low, high), high


def _are_apart(one: Sequence[ZoneVisitorsRow], other: Sequence[ZoneVisitorsRow]) -> bool:
    """Tell whether the rows show two locations, by their ids or at least by their clocks."""
    for whose in (_BY["loc_id"], _clock):
        places = [{whose(row) for row in rows} for rows in (one, other)]
        if all(places) and None not in places[0] | places[1]:
            return places[0].isdisjoint(places[1])
    return False
