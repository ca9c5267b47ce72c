"""
From single events to the JSON of the API, past any of its limits: what an unsplit answer would say.

Choices where the documentation is silent. A visit belongs to the bucket of its entry. Weeks are numbered as MongoDB does, 0 to 53 from Sunday, and days of the
week from 1 for Sunday. line_crosses labels each crossing on its location's own clock. Thresholds leave visits out of dwell times only. Quantiles are linear between
neighbours. Where no visit is left the mean is 0 and the statistics are empty.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import attrs

from .catalogue import AREAS, BOUNDARIES, ORGANIZATIONS, TOKENS, Access, Area, Place, listing
from .visitors import Visitors, midnight, utc_now, zone_of

Ids = Sequence[int] | int | None
Label = tuple[int, ...]
_PARENTS = {
    "year": ("year",),
    "month": ("year", "month"),
    "week": ("year", "week"),
    "dayofmonth": ("year", "month", "dayofmonth"),
    "dayofweek": ("dayofweek",),
    "hour": ("year", "month", "dayofmonth", "hour"),
    "minute": ("year", "month", "dayofmonth", "hour", "minute"),
}
_ORDER = ("year", "month", "week", "dayofmonth", "dayofweek", "hour", "minute")
_BASIC = frozenset(organization.id for organization in ORGANIZATIONS if organization.plan == "basic")
_PLACE_OF = {area.id: area.location for area in AREAS}


def default_grouping(days: int, *, lines: bool = False) -> str:
    """Name the grouping of a range of *days* where none is asked for."""
    if days <= 1:
        return "hour"
    if days <= 31:
        return "dayofmonth"
    if lines or days >= 365:
        return "month"
    return "week"


def _tuple(ids: Ids) -> tuple[int, ...] | None:
    if ids is None:
        return None
    return (ids,) if isinstance(ids, int) else tuple(ids)


class Clock:
    """Labels for instants on one clock."""

    def __init__(self, tz: str, start: date, end: date) -> None:
        self.start = midnight(start, tz)
        self.end = midnight(end + timedelta(days=1), tz)
        zone = zone_of(tz)
        # Offsets change on whole quarter hours, rarely; between two equal samples of a day nothing does.
        self._from: list[int] = []
        self._offsets: list[int] = []
        moment = self.start - 86_400
        previous = None
        while moment < self.end + 2 * 86_400:
            offset = _offset(zone, moment)
            if previous is not None and offset != previous:
                low, high = moment - 86_400, moment
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (low, middle) if _offset(zone, middle) == offset else (middle, high)
                self._from.append(high)
                self._offsets.append(offset)
            elif previous is None:
                self._from.append(moment)
                self._offsets.append(offset)
            previous = offset
            moment += 86_400

    def local(self, moment: int) -> int:
        """Return the seconds that the wall clock shows, counted from 1970."""
        return moment + self._offsets[bisect_right(self._from, moment) - 1]

    def labeller(self, fields: Sequence[str]) -> Callable[[int], Label]:
        """Make the function from an instant to its label, the values of *fields*."""
        if len(self._offsets) == 1:
            shift = self._offsets[0]
            local: Callable[[int], int] = lambda moment: moment + shift  # noqa: E731
        else:
            local = self.local
        if "minute" in fields:
            size = 60
        elif "hour" in fields:
            size = 3_600
        elif fields:
            size = 86_400
        else:
            return lambda moment: ()
        known: dict[int, Label] = {}

        def label(moment: int) -> Label:
            unit = local(moment) // size
            found = known.get(unit)
            if found is None:
                found = known[unit] = _label(unit * size, fields)
            return found

        return label


def _offset(zone: Any, moment: int) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _label(seconds: int, fields: Sequence[str]) -> Label:
    wall = datetime.fromtimestamp(seconds, UTC)
    parts = {
        "year": wall.year,
        "month": wall.month,
        "week": int(wall.strftime("%U")),
        "dayofmonth": wall.day,
        "dayofweek": wall.isoweekday() % 7 + 1,
        "hour": wall.hour,
        "minute": wall.minute,
    }
    return tuple(parts[name] for name in fields)


@attrs.frozen(kw_only=True)
class _Measure:
    """How visits are judged."""

    bounce_threshold: int | None
    min_dwell: int | None
    max_dwell: int | None

    def row(self, area: Area, visits: Sequence[tuple[float, int]], *, basic: bool) -> dict[str, Any]:
        """Sum up (dwell, visitor) pairs of one zone and bucket."""
        threshold = area.bounce_threshold if self.bounce_threshold in (None, -1) else self.bounce_threshold
        low = 0 if self.min_dwell is None else self.min_dwell
        high = math.inf if self.max_dwell is None else self.max_dwell
        dwells = sorted([dwell for dwell, _ in visits if low <= dwell <= high])
        short = sum([dwell < low for dwell, _ in visits])
        n = len(dwells)
        stats: dict[str, Any] = {}
        mean = 0.0
        if n and not basic:
            mean = round(math.fsum(dwells) / n, 1)
            quantiles = [round(_quantile(dwells, q), 1) for q in (0.25, 0.5, 0.75)]
            stats = {"mean": mean, "min": dwells[0], "max": dwells[-1], "quantiles": quantiles, "n": n}
        return {
            "visits": len(visits),
            "unique_visits": 0 if basic else len({visitor for _, visitor in visits}),
            "bounce": 0 if basic else sum([dwell < (threshold or 0) for dwell, _ in visits]),
            "dwell_time": mean,
            "dwell_time_stats": stats,
            "exclude": {"min_dwell_time": short, "max_dwell_time": len(visits) - n - short},
            "aggregation": {"zone_id": area.id, "zone_name": area.name, "bounce_threshold": threshold},
        }


def _quantile(ordered: Sequence[float], q: float) -> float:
    place = q * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _rate(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


class World:
    """
    A service's worth of visitors: equal worlds answer equally.

    `parents=False` makes a single grouping of zone_visitors return only the field it names, which the documentation leaves open. `now` ends the data. The methods
    answer with the API's JSON as Python values, whatever the API's limits; the app asks them after its checks.
    """

    def __init__(
        self, *, seed: str = "indivd", scale: float = 1.0, now: datetime | None = None, parents: bool = True
    ) -> None:
        self.now = now if now is not None else utc_now()
        self.parents = parents
        self._visitors = Visitors(seed, scale, self.now)

    def listing(self, name: str, *, token: str = "sandbox") -> list[dict[str, Any]]:
        """Answer a filter endpoint."""
        return listing(name, TOKENS[token])

    def line_crosses(
        self,
        start_date: date,
        end_date: date,
        *,
        token: str = "sandbox",
        aggregate_by: str | None = None,
        organization: Ids = None,
        location: Ids = None,
        floor: Ids = None,
        zone_to: Ids = None,
        zone_from: Ids = None,
        category: Ids = None,
        line_ids: Ids = None,
    ) -> list[dict[str, Any]]:
        """Count crossings of all lines that fit every filter."""
        grouping = aggregate_by or default_grouping((end_date - start_date).days + 1, lines=True)
        fields = _PARENTS[grouping]
        categories = _tuple(category)
        lines = {
            line.id
            for line in BOUNDARIES
            if _fits(line.floor, floor)
            and _fits(line.zone_to, zone_to)
            and _fits(line.zone_from, zone_from)
            and _fits(line.id, line_ids)
            and (categories is None or any(item in categories for item in line.category))
        }
        counts: dict[Label, int] = defaultdict(int)
        for place in self._places(token, location, organization):
            clock = Clock(place.timezone, start_date, end_date)
            label = clock.labeller(fields)
            for moment, line in self._crossings(place, clock):
                if line in lines:
                    counts[label(moment)] += 1
        return [{"_id": dict(zip(fields, key, strict=True)), "count": counts[key]} for key in sorted(counts)]

    def zone_visitors(
        self,
        start_date: date,
        end_date: date,
        *,
        token: str = "sandbox",
        comparison_start_date: date | None = None,
        comparison_end_date: date | None = None,
        aggregate_by: str | None = None,
        location: Ids = None,
        zones: Ids = None,
        bounce_threshold: int | None = None,
        min_dwell: int | None = None,
        max_dwell: int | None = None,
        tz: str | None = None,
    ) -> dict[str, Any]:
        """Sum up visits by zone and bucket, on the clock *tz*, else on the first location's."""
        grouping = aggregate_by or default_grouping((end_date - start_date).days + 1)
        measure = _Measure(bounce_threshold=bounce_threshold, min_dwell=min_dwell, max_dwell=max_dwell)
        places = self._places(token, location)
        clock = tz or (places[0].timezone if places else "UTC")
        areas = {area.id: area for area in AREAS if _fits(area.id, zones)}

        def period(start: date, end: date) -> dict[str, Any]:
            insights = list(self._insights(places, areas, Clock(clock, start, end), grouping, measure))
            return {"startdate": start.isoformat(), "enddate": end.isoformat(), "insights": insights}

        comparison = {}
        if comparison_start_date is not None and comparison_end_date is not None:
            comparison = period(comparison_start_date, comparison_end_date)
        return {"current": period(start_date, end_date), "comparison": comparison}

    def drop_in_rate(
        self,
        start_date: date,
        end_date: date,
        *,
        token: str = "sandbox",
        comparison_start_date: date | None = None,
        comparison_end_date: date | None = None,
        interval: str | None = None,
        location: Ids = None,
        zone: Ids = None,
        tz: str | None = None,
    ) -> dict[str, Any]:
        """Compare entries with passers-by, for zones that have passing lines."""
        grouping = interval or default_grouping((end_date - start_date).days + 1).replace("dayofmonth", "day")
        fields = _PARENTS[grouping.replace("day", "dayofmonth")]
        places = self._places(token, location)
        clock = tz or (places[0].timezone if places else "UTC")
        areas = {area.id: area for area in AREAS if area.passing_lines and _fits(area.id, zone)}

        def period(start: date, end: date) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
            return self._drop_in(places, areas, Clock(clock, start, end), fields, (start, end))

        summary, details, zones = period(start_date, end_date)
        other: tuple[Any, Any, Any] = ({}, [], {})
        if comparison_start_date is not None and comparison_end_date is not None:
            other = period(comparison_start_date, comparison_end_date)
        return {
            "summary": {"current": summary, "comparison": other[0]},
            "details": {"interval": grouping, "current": details, "comparison": other[1]},
            "zone_details": {"current": zones, "comparison": other[2]},
        }

    # How.

    def _places(self, token: str, location: Ids, organization: Ids = None) -> list[Place]:
        """List the places asked for and in scope, in the order asked."""
        scope = {place.id: place for place in TOKENS[token].places()}
        wanted = _tuple(location)
        found = list(scope.values()) if wanted is None else [scope[id] for id in wanted if id in scope]
        return [place for place in found if _fits(place.organization, organization)]

    def _crossings(self, place: Place, clock: Clock) -> Iterator[tuple[int, int]]:
        start, end = clock.start, clock.end
        for day in self._visitors.between(place, start, end):
            for _, entry, dwell, _, line_in, line_out in day.visits:
                if start <= entry < end:
                    yield entry, line_in
                left = entry + int(dwell)
                if start <= left < end:
                    yield left, line_out
            for _, moment, line in day.passings:
                if start <= moment < end:
                    yield moment, line

    def _insights(
        self, places: Iterable[Place], areas: dict[int, Area], clock: Clock, grouping: str, measure: _Measure
    ) -> Iterator[dict[str, Any]]:
        names = grouping.split(",")
        fields: tuple[str, ...] = tuple(name for name in _ORDER if name in names)
        if len(names) == 1 and fields and self.parents:
            fields = _PARENTS[names[0]]
        label = clock.labeller(fields)
        groups: dict[tuple[Label, int], list[tuple[float, int]]] = defaultdict(list)
        basic: set[int] = set()
        start, end = clock.start, clock.end
        for place in places:
            if place.organization in _BASIC:
                basic.add(place.id)
            for day in self._visitors.between(place, start, end):
                for zone, entry, dwell, visitor, _, _ in day.visits:
                    if start <= entry < end and zone in areas:
                        groups[label(entry), zone].append((dwell, visitor))
        for key, zone in sorted(groups):
            row = measure.row(areas[zone], groups[key, zone], basic=_PLACE_OF[zone] in basic)
            row["aggregation"].update(zip(fields, key, strict=True))
            if "loc_id" in names:
                row["aggregation"]["loc_id"] = _PLACE_OF[zone]
            yield row

    def _drop_in(
        self,
        places: Iterable[Place],
        areas: dict[int, Area],
        clock: Clock,
        fields: Sequence[str],
        dates: tuple[date, date],
    ) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
        label = clock.labeller(fields)
        start, end = clock.start, clock.end
        entered: dict[tuple[int, Label], int] = defaultdict(int)
        passed: dict[tuple[int, Label], int] = defaultdict(int)
        names = {place.id: place.name for place in places}
        for place in places:
            for day in self._visitors.between(place, start, end):
                for zone, entry, *_ in day.visits:
                    if start <= entry < end and zone in areas:
                        entered[zone, label(entry)] += 1
                for zone, moment, _ in day.passings:
                    if start <= moment < end and zone in areas:
                        passed[zone, label(moment)] += 1
        together: dict[Label, list[int]] = defaultdict(lambda: [0, 0])
        zones: dict[str, Any] = {}
        for zone, key in sorted(set(entered) | set(passed)):
            visits, passing_by = entered[zone, key], passed[zone, key]
            together[key][0] += visits
            together[key][1] += passing_by
            area = areas[zone]
            block = zones.setdefault(
                str(zone),
                {
                    "zone_id": zone,
                    "zone_name": area.name,
                    "loc_id": area.location,
                    "loc_name": names[area.location],
                    "location_custom_id": "",
                    "total_visits": 0,
                    "total_passing_by": 0,
                    "drop_in_rate": 0.0,
                    "details": [],
                },
            )
            block["total_visits"] += visits
            block["total_passing_by"] += passing_by
            block["drop_in_rate"] = _rate(block["total_visits"], block["total_passing_by"])
            block["details"].append(
                {
                    **dict(zip(fields, key, strict=True)),
                    "visits": visits,
                    "passing_by": passing_by,
                    "drop_in_rate": _rate(visits, passing_by),
                }
            )
        day_fields = [name.replace("dayofmonth", "day") for name in fields]
        details = [
            {
                **dict(zip(day_fields, key, strict=True)),
                "passing_by": passing_by,
                "enter": enter,
                "drop_in_rate": _rate(enter, passing_by),
            }
            for key, (enter, passing_by) in sorted(together.items())
        ]
        enter, passing_by = sum(row["enter"] for row in details), sum(row["passing_by"] for row in details)
        summary = {
            "startdate": dates[0].isoformat(),
            "enddate": dates[1].isoformat(),
            "passing_by": passing_by,
            "enter": enter,
            "enter_percentage": _rate(enter, passing_by),
        }
        return summary, details, zones


def _fits(value: int | None, wanted: Ids) -> bool:
    return wanted is None or (value is not None and value in (_tuple(wanted) or ()))


@lru_cache(maxsize=64)
def is_time_zone(tz: str) -> bool:
    """Tell whether *tz* is an IANA name."""
    try:
        zone_of(tz)
    except (ValueError, KeyError, OSError):
        return False
    return True


def access_of(token: str) -> Access | None:
    """Return what *token* may see, None for an unknown one."""
    return TOKENS.get(token)
