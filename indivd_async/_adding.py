"""
What adds up, and how: the table behind `total`, and bounds for what does not. Pure.

Source: the vendor's article says what each metric counts; what may be added follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from .errors import InvalidQueryError, NotMergeableError
from .models import LineCrossesRow, ZoneVisitorsRow

Bounds = tuple[int, int]
Number = int | float


def rate(part: int, whole: int) -> float | None:
    """Return 100 · *part* / *whole* to one decimal, as the API rounds; None where *whole* is 0."""
    return round(100 * part / whole, 1) if whole else None


def total_of_lines(rows: Sequence[LineCrossesRow], metric: str, per: str | None) -> Number:
    """Add up `count`; refused where a fan-out may count one line for several values."""
    if metric != "count":
        raise InvalidQueryError("metric", "must be count", metric)
    if per in ("zone_to", "zone_from", "category"):
        raise NotMergeableError(
            "count",
            f"rows are per {per}, and one line may stand behind several of them",
            f"Ask without per to have the total for all of the {per} values given",
        )
    return sum(row.count for row in rows)


def total_of_visits(rows: Sequence[ZoneVisitorsRow], metric: str) -> Number | None:
    """Add up a metric of zone_visitors over all rows, where that is exact."""
    name = metric.removeprefix("dwell_time_stats.").removeprefix("exclude.")
    if name in _NEVER:
        if len(rows) == 1 and name == "unique_visits":
            return rows[0].unique_visits
        raise NotMergeableError(name, *_NEVER[name])
    if name not in _ADDS:
        allowed = ", ".join([*_ADDS, *_NEVER])
        raise InvalidQueryError("metric", f"must be one of {allowed}", metric)
    return _ADDS[name](rows, name)


def _measured(rows: Sequence[ZoneVisitorsRow], read: Callable[[Any], Any], metric: str) -> list[Any]:
    found = [value for row in rows if (value := read(row)) is not None]
    if len(found) < len(rows):
        raise NotMergeableError(
            metric,
            f"{len(rows) - len(found)} of {len(rows)} rows do not tell it",
            "Ask only for locations whose plan measures it, or without a comparison in the same request",
        )
    return found


def _sum(rows: Sequence[ZoneVisitorsRow], name: str) -> int:
    return int(sum(_measured(rows, attrgetter(name), name)))


def _sum_excluded(rows: Sequence[ZoneVisitorsRow], name: str) -> int:
    return sum(_measured(rows, lambda row: getattr(row.exclude, name, None), name))


def _sum_bounces(rows: Sequence[ZoneVisitorsRow], name: str) -> int:
    thresholds: dict[int, int | None] = {}
    for row in rows:
        zone = row.aggregation
        if thresholds.setdefault(zone.zone_id, zone.bounce_threshold) != zone.bounce_threshold:
            raise NotMergeableError(
                "bounce",
                f"the threshold of zone {zone.zone_id} changed within the period",
                "Ask with an explicit bounce_threshold",
            )
    return _sum(rows, name)


def _with_visits(rows: Sequence[ZoneVisitorsRow], name: str) -> list[tuple[Any, int]]:
    """Pair a statistic with its n, for rows with n > 0; a row without visits has nothing to tell."""
    pairs = []
    for row in rows:
        stats = row.dwell_time_stats
        if stats is None and row.visits == 0:
            continue
        if stats is None and row.exclude is not None and row.exclude != type(row.exclude)():
            left = row.visits - (row.exclude.min_dwell_time or 0) - (row.exclude.max_dwell_time or 0)
            if left <= 0:  # every visit was beyond the thresholds: n is 0
                continue
        if stats is None or stats.n is None:
            raise NotMergeableError(
                name, "a row lacks dwell_time_stats.n, the weight", 'Ask for aggregate_by="zone": one figure per zone'
            )
        if stats.n > 0:
            pairs.append((getattr(stats, name), stats.n))
    return pairs


def _sum_n(rows: Sequence[ZoneVisitorsRow], name: str) -> int:
    return sum(n for _, n in _with_visits(rows, name))


def _weighted_mean(rows: Sequence[ZoneVisitorsRow], _: str) -> float | None:
    pairs = _with_visits(rows, "mean")
    weight = sum(n for _, n in pairs)
    return sum(mean * n for mean, n in pairs) / weight if weight else None


def _smallest(rows: Sequence[ZoneVisitorsRow], name: str) -> float | None:
    return min((value for value, _ in _with_visits(rows, name)), default=None)


def _largest(rows: Sequence[ZoneVisitorsRow], name: str) -> float | None:
    return max((value for value, _ in _with_visits(rows, name)), default=None)


_ADDS: Mapping[str, Callable[[Sequence[ZoneVisitorsRow], str], Number | None]] = {
    "visits": _sum,
    "bounce": _sum_bounces,
    "min_dwell_time": _sum_excluded,
    "max_dwell_time": _sum_excluded,
    "n": _sum_n,
    "dwell_time": _weighted_mean,
    "mean": _weighted_mean,
    "min": _smallest,
    "max": _largest,
}
_NEVER = {
    "unique_visits": (
        "someone seen in two rows is one person",
        'Ask for the whole period as one bucket (aggregate_by="zone"), or take unique_visits_bounds()',
    ),
    "quantiles": (
        "the quantiles of parts do not tell those of the whole",
        'Ask for the whole period as one bucket (aggregate_by="zone")',
    ),
}

_BY: Mapping[str, Callable[[ZoneVisitorsRow], Any]] = {
    "zone_id": attrgetter("aggregation.zone_id"),
    "loc_id": attrgetter("aggregation.loc_id"),
    "bucket": attrgetter("aggregation.bucket"),
}


def bound_uniques(rows: Sequence[ZoneVisitorsRow], by: str | None) -> Bounds | dict[Any, Bounds]:
    """Bound the people behind *rows*: all of them, or by "zone_id", "loc_id" or "bucket"."""
    if by is None:
        return _bound(rows)
    if by not in _BY:
        raise InvalidQueryError("by", f"must be None or one of {', '.join(_BY)}", by)
    return {key: _bound(group) for key, group in _grouped(rows, _BY[by]).items()}


def _grouped(
    rows: Iterable[ZoneVisitorsRow], key: Callable[[ZoneVisitorsRow], Any]
) -> dict[Any, list[ZoneVisitorsRow]]:
    groups: dict[Any, list[ZoneVisitorsRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _bound(rows: Sequence[ZoneVisitorsRow]) -> Bounds:
    uniques = _measured(rows, attrgetter("unique_visits"), "unique_visits")
    by_location = _grouped(rows, _BY["loc_id"])
    if None in by_location or len(by_location) < 2:
        return max(uniques, default=0), sum(uniques)
    # Nobody is recognised across locations, so the people of each are people of their own.
    bounds = [_bound(group) for group in by_location.values()]
    return sum(low for low, _ in bounds), sum(high for _, high in bounds)


def bound_cross_visitation(
    rows: Sequence[ZoneVisitorsRow], zone_a: int, zone_b: int, location_uniques: int | None
) -> Bounds:
    """
    Bound the people seen in both zones.

    At least A + B less everybody in the location, at most the smaller of the two. Without *location_uniques* the lower bound is 0.
    """
    zones = _grouped(rows, _BY["zone_id"])
    sides = []
    for name, zone in (("zone_a", zone_a), ("zone_b", zone_b)):
        if zone not in zones:
            raise InvalidQueryError(name, "must be a zone of this result", zone)
        sides.append(_bound(zones[zone]))
    (low_a, high_a), (low_b, high_b) = sides
    high = min(high_a, high_b)
    low = 0 if location_uniques is None else max(0, low_a + low_b - location_uniques)
    return min(low, high), high
