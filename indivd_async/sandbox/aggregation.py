"""
From single events to the JSON of the API, past any of its limits: what an unsplit answer would say.

Choices where the documentation is silent. A visit belongs to the bucket of its entry; one that is still going on has
lasted until now. Weeks are numbered as MongoDB does, 0 to 53 from Sunday, and days of the week from 1 for Sunday. A
single grouping comes with its parents (the day with month and year), several are taken as they are named. line_crosses
labels each crossing on its location's own clock. Thresholds leave visits out of dwell times only. Quantiles are linear
between neighbours. Where no visit is left the mean is 0 and the statistics are empty; on the Basic plan, too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import date, datetime
from itertools import compress
from typing import Any

from ..settings import TRUE_OR_FALSE, Rule, check, check_options, is_at_least, is_kind
from ..time_zones import is_time_zone
from .catalogue import AREAS, BASIC, BOUNDARIES, PLACES, TOKENS, Area, Boundary, Place, listing
from .clocks import MONGO, PARENTS, Clock, Label, Numbering, default_grouping
from .measure import Measure
from .visitors import Visit, Visitors, utc_now

Ids = Sequence[int] | int | None

#: What the filters of line_crosses look at.
_KEYS: dict[str, Callable[[Boundary], Iterable[int | None]]] = {
    "floor": lambda line: (line.floor,),
    "zone_to": lambda line: (line.zone_to,),
    "zone_from": lambda line: (line.zone_from,),
    "category": lambda line: line.category,
    "line_ids": lambda line: (line.id,),
}


#: What an option must be, where it is given.
_OPTIONS: dict[str, Rule] = {
    "seed": is_kind(str, "a str"),
    "scale": is_at_least(0, whole=False),
    "now": is_kind(datetime, "a datetime"),
    "parents": TRUE_OR_FALSE,
    "numbering": is_kind(Numbering, "a Numbering of the sandbox's clocks"),
    "lines_tz": (is_time_zone, "an IANA time zone name, such as Europe/Stockholm"),
    "forgets_overnight": TRUE_OR_FALSE,
}


class World:
    """
    A service's worth of visitors: equal worlds answer equally.

    *scale* multiplies the visitors; *now* ends the data. `parents=False` makes a single grouping that zone_visitors is
    asked for return only the field it names, which the documentation leaves open; so are the *numbering* of weeks and
    weekdays, the clock of line_crosses, *lines_tz* (None: each location's own), and whether somebody who comes again on
    another day is known again, or `forgets_overnight`. The methods answer with the API's
    JSON as Python values, whatever the API's limits: the application asks them after its checks. Filters take one id or
    several, also where the API takes one only.
    """

    def __init__(
        self,
        *,
        seed: str = "indivd",
        scale: float = 1.0,
        now: datetime | None = None,
        parents: bool = True,
        numbering: Numbering = MONGO,
        lines_tz: str | None = None,
        forgets_overnight: bool = False,
    ) -> None:
        check_options(locals(), _OPTIONS)
        check("scale", scale, _OPTIONS["scale"])
        self.now = now if now is not None else utc_now()
        self.parents = parents
        self.numbering = numbering
        self.lines_tz = lines_tz
        self.forgets_overnight = forgets_overnight
        self._visitors = Visitors(seed, scale, self.now)

    def changed(
        self,
        *,
        parents: bool | None = None,
        numbering: Numbering | None = None,
        lines_tz: str | None = None,
        forgets_overnight: bool | None = None,
    ) -> World:
        """Return a world of the same visitors that answers by other choices; None leaves a choice as it is."""
        other = copy(self)
        other.parents = self.parents if parents is None else parents
        other.numbering = numbering or self.numbering
        other.lines_tz = lines_tz or self.lines_tz
        other.forgets_overnight = self.forgets_overnight if forgets_overnight is None else forgets_overnight
        return other

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
        """Count the crossings of all lines that fit every filter."""
        fields = PARENTS[aggregate_by or default_grouping(start_date, end_date, lines=True)]
        filters = {
            "floor": floor,
            "zone_to": zone_to,
            "zone_from": zone_from,
            "category": category,
            "line_ids": line_ids,
        }
        wanted = {name: _set_of(ids) for name, ids in filters.items() if ids is not None}
        boundaries = [
            line for line in BOUNDARIES if not any(ids.isdisjoint(_KEYS[name](line)) for name, ids in wanted.items())
        ]
        lines = {line.id for line in boundaries}
        owners = None if organization is None else _set_of(organization)
        counts: Counter[Label] = Counter()
        for place in _having(boundaries, _places(token, location)):
            if owners is None or place.organization in owners:
                clock = Clock(self.lines_tz or place.timezone, start_date, end_date, self.now)
                labels = clock.labeller(fields, self.numbering)
                for crossed, moments in self._visitors.crossings(place.id, clock.start, clock.end):
                    counts.update(labels.of(compress(moments, map(lines.__contains__, crossed))))
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
        names = set((aggregate_by or default_grouping(start_date, end_date)).split(","))
        measure = Measure(bounce_threshold=bounce_threshold, min_dwell=min_dwell, max_dwell=max_dwell)
        places = _places(token, location)
        areas = _areas(zones)

        def period(start: date, end: date) -> dict[str, Any]:
            clock = Clock(_tz_of(tz, places), start, end, self.now)
            fields = _fields_of(names, parents=self.parents or aggregate_by is None)
            rows = list(self._insights(places, areas, clock, fields, measure))
            if "loc_id" in names:
                for row in rows:
                    aggregation = row["aggregation"]
                    aggregation["loc_id"] = areas[aggregation["zone_id"]].location
            return {"startdate": start.isoformat(), "enddate": end.isoformat(), "insights": rows}

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
        """Compare entries with passers-by, where there are passing lines, on the clock *tz* or the first location's."""
        interval = interval or default_grouping(start_date, end_date).replace("dayofmonth", "day")
        fields = PARENTS["dayofmonth" if interval == "day" else interval]
        places = _places(token, location)
        areas = {id: area for id, area in _areas(zone).items() if area.passing_line is not None}

        def period(start: date, end: date) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
            details, zones = self._drop_ins(places, areas, Clock(_tz_of(tz, places), start, end, self.now), fields)
            enter, passing_by = (sum(row[name] for row in details) for name in ("enter", "passing_by"))
            summary = {
                "startdate": start.isoformat(),
                "enddate": end.isoformat(),
                "passing_by": passing_by,
                "enter": enter,
                "enter_percentage": _rate(enter, passing_by),
            }
            return summary, details, {str(zone): _zone_block(areas[zone], zones[zone]) for zone in sorted(zones)}

        current = period(start_date, end_date)
        comparison: tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]] = ({}, [], {})
        if comparison_start_date is not None and comparison_end_date is not None:
            comparison = period(comparison_start_date, comparison_end_date)
        return {
            "summary": {"current": current[0], "comparison": comparison[0]},
            "details": {"interval": interval, "current": current[1], "comparison": comparison[1]},
            "zone_details": {"current": current[2], "comparison": comparison[2]},
        }

    def _insights(
        self,
        places: Iterable[Place],
        areas: Mapping[int, Area],
        clock: Clock,
        fields: Sequence[str],
        measure: Measure,
    ) -> Iterator[dict[str, Any]]:
        labels = clock.labeller(fields, self.numbering)
        groups: defaultdict[Label, defaultdict[int, list[Visit]]] = defaultdict(lambda: defaultdict(list))
        for place in _having(areas.values(), places):
            days = self._visitors.visits(place.id, clock.start, clock.end)
            visits: list[Visit] = [visit for day in days for visit in zip(*day, strict=True) if visit[0] in areas]
            if self.forgets_overnight:
                visits = _forgotten(visits, clock)
            for key, visit in zip(labels.of([visit[2] for visit in visits]), visits, strict=True):
                groups[key][visit[0]].append(visit)
        basic = {place.id for place in places if place.organization in BASIC}
        for key in sorted(groups):
            bucket = dict(zip(fields, key, strict=True))
            for zone, visits in sorted(groups[key].items()):
                area = areas[zone]
                yield measure.row(bucket, area, visits, is_basic=area.location in basic)

    def _drop_ins(
        self, places: Iterable[Place], areas: Mapping[int, Area], clock: Clock, fields: Sequence[str]
    ) -> tuple[list[dict[str, Any]], Mapping[int, list[dict[str, Any]]]]:
        """Count entries and passers-by: of all zones together, and of each."""
        labels = clock.labeller(fields, self.numbering)
        entered, passed = Counter[tuple[Label, int]](), Counter[tuple[Label, int]]()
        for place in _having(areas.values(), places):
            for counts, events in (
                (entered, self._visitors.visits(place.id, clock.start, clock.end)),
                (passed, self._visitors.passings(place.id, clock.start, clock.end)),
            ):
                for zones, _, moments, *_ in events:
                    counts.update(zip(labels.of(moments), zones, strict=True))
        tally: defaultdict[Label, dict[int, tuple[int, int]]] = defaultdict(dict)
        for key, zone in {**entered, **passed}:
            if zone in areas:
                tally[key][zone] = entered[key, zone], passed[key, zone]
        together = []
        apart: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for key in sorted(tally):
            bucket = dict(zip(fields, key, strict=True))
            for zone, (visits, passing_by) in tally[key].items():
                figures = {"visits": visits, "passing_by": passing_by, "drop_in_rate": _rate(visits, passing_by)}
                apart[zone].append(bucket | figures)
            # Here, and only here, the vendor calls the day "day".
            bucket = {"day" if name == "dayofmonth" else name: value for name, value in bucket.items()}
            enter, passing_by = map(sum, zip(*tally[key].values(), strict=True))
            together.append(
                bucket | {"passing_by": passing_by, "enter": enter, "drop_in_rate": _rate(enter, passing_by)}
            )
        return together, apart


# What was asked.


def _set_of(ids: Sequence[int] | int) -> frozenset[int]:
    return frozenset((ids,) if isinstance(ids, int) else ids)


def _places(token: str, location: Ids) -> list[Place]:
    """List the places asked for and in scope, once each, in the order asked."""
    scope = {place.id: place for place in TOKENS[token].places()}
    if location is None:
        return list(scope.values())
    wanted = (location,) if isinstance(location, int) else location
    return [scope[id] for id in dict.fromkeys(wanted) if id in scope]


def _having(things: Iterable[Area | Boundary], places: Iterable[Place]) -> list[Place]:
    """Keep of *places* those that have one of *things*: what happens at the others is not asked for."""
    having = {thing.location for thing in things}
    return [place for place in places if place.id in having]


def _areas(zones: Ids) -> dict[int, Area]:
    wanted = None if zones is None else _set_of(zones)
    return {area.id: area for area in AREAS if wanted is None or area.id in wanted}


def _tz_of(tz: str | None, places: Sequence[Place]) -> str:
    return tz or (places[0].timezone if places else "UTC")


def _fields_of(names: set[str], *, parents: bool) -> tuple[str, ...]:
    times = [name for name in PARENTS if name in names]
    return PARENTS[times[0]] if len(times) == 1 and parents else tuple(times)


# What is answered.


def _forgotten(visits: Iterable[Visit], clock: Clock) -> list[Visit]:
    """Make another visitor each day of who comes again."""
    day = clock.labeller(("year", "month", "dayofmonth"))
    return [
        (*visit[:4], visit[4] * 10**5 + date(*label).toordinal() % 10**5)
        for visit, label in ((visit, day.of([visit[2]])[0]) for visit in visits)
    ]


def _rate(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def _zone_block(area: Area, rows: list[dict[str, Any]]) -> dict[str, Any]:
    visits, passing_by = (sum(row[name] for row in rows) for name in ("visits", "passing_by"))
    return {
        "zone_id": area.id,
        "zone_name": area.name,
        "loc_id": area.location,
        "loc_name": next(place.name for place in PLACES if place.id == area.location),
        "location_custom_id": "",
        "total_visits": visits,
        "total_passing_by": passing_by,
        "drop_in_rate": _rate(visits, passing_by),
        "details": rows,
    }
