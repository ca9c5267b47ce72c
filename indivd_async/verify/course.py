"""What is asked of which place and days: the course of a run, laid out before its first question of figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import attrs

from ..models.clocks import last_today
from ..planning.request import MAX_URL_BYTES
from ..time_zones import is_time_zone, zone_of
from .questions import Question, whole

#: The longest period that is tried, in days: beyond a year, so that a New Year is in it.
DEFAULT_DAYS = 400
#: Days of the week that most questions are about.
_WEEK = 7
#: Days of hours that one answer should hold.
HOURS_DAYS = 62
#: Days before and after a New Year over which weeks are fitted: 31 with the day itself, which services that limit
#: periods still answer.
_BEFORE, _AFTER = 16, 14
MIN_DWELL_S, MAX_DWELL_S, THRESHOLD_S = 60, 600, 45
#: Asked only where the days of the whole range do not show them.
NEW_YEAR = "visits by day, around New Year"
FIRST_DAYS = "visits of the first days of the range"
#: All labels are named: a service that tells only those that it is asked for is measured all the same.
BY_DAY = "year,month,dayofmonth"
BY_HOUR = "year,month,dayofmonth,hour"
#: The filter endpoints that a run looks at.
LISTED = ("locations", "zones", "lines")
DEEP_LISTS = ("categories", "organizations")

Entity = Mapping[str, Any]
Days = tuple[date, date]


class NothingToAskError(ValueError):
    """There is no location, or not the one that was named."""


@attrs.frozen(kw_only=True)
class Run:
    """When a run was made, and what `verify` was asked for."""

    made_at: datetime
    location: int
    days: int
    deep: bool

    @classmethod
    def from_dict(cls, head: Mapping[str, Any]) -> Run:
        """Read what a recording begins with; raises ValueError, KeyError or TypeError where it is something else."""
        made_at = datetime.fromisoformat(head["made_at"])
        values = head["location"], head["days"], head["deep"]
        if made_at.tzinfo is None or list(map(type, values)) != [int, int, bool]:
            raise ValueError("it does not say of which run it is")
        return cls(made_at=made_at, location=values[0], days=values[1], deep=values[2])

    @property
    def run_text(self) -> str:
        """Write it as JSON, in one line of ASCII."""
        fields = {"made_at": self.made_at.isoformat(), "location": self.location, "days": self.days, "deep": self.deep}
        return json.dumps(fields)


@attrs.frozen(kw_only=True)
class Course:
    """The place and the days of a run. All days have ended everywhere on earth."""

    location: int
    tz: str | None
    #: The zones of the location, by id.
    zones: Mapping[int, Entity]
    #: The lines of the location, by id.
    lines: Mapping[int, Entity]
    #: How many locations the token sees, and how many zones the one with the most has, at least 1.
    locations: int
    most_zones: int
    #: The zone whose entries are held against lines; None where no zone is known.
    zone: int | None
    today: date
    week: Days
    range: Days
    new_year: Days

    @property
    def lines_into_zone(self) -> tuple[int, ...]:
        """The lines that lead into the zone."""
        return tuple(id for id, line in self.lines.items() if whole(line.get("zone_to")) == self.zone)

    @property
    def floors(self) -> tuple[int, ...]:
        """The floors of the location's lines, the lowest first."""
        return tuple(sorted({floor for line in self.lines.values() if (floor := whole(line.get("floor"))) is not None}))

    @property
    def category(self) -> int | None:
        """A category that some lines of the location belong to, and others do not."""
        for id in dict.fromkeys(id for line in self.lines.values() for id in categories_of(line)):
            if not all(id in categories_of(line) for line in self.lines.values()):
                return id
        return None

    @property
    def holds_new_year(self) -> bool:
        """Whether the range holds the days around New Year."""
        return self.range[0] <= self.new_year[0]


def categories_of(line: Entity) -> tuple[int, ...]:
    """List the categories of a line, one or several."""
    value = line.get("category")
    many = value if isinstance(value, list) else [value]
    return tuple(read for item in many if (read := whole(item)) is not None)


def _by_id(entities: Sequence[Entity], location: int | None) -> dict[int, Entity]:
    return {
        id: item
        for item in entities
        if (id := whole(item.get("id"))) is not None and (location is None or whole(item.get("location")) == location)
    }


def lay_course(
    *,
    locations: Sequence[Entity],
    zones: Sequence[Entity],
    lines: Sequence[Entity],
    location: int | str | None,
    days: int,
    now: datetime,
) -> Course:
    """
    Choose place and days: *location*, else one with a time zone and a zone that lines lead into, open on
    as many weekdays as any.

    Raises `NothingToAskError` where it is not listed.
    """
    places = _by_id(locations, None)
    named = None if location is None else _find(location, places)
    entered = {id for line in lines if (id := whole(line.get("zone_to"))) is not None}
    homes = {whole(item.get("location")) for item in zones if whole(item.get("id")) in entered}
    known = [id for id in places if is_time_zone(str(places[id].get("timezone") or ""))]
    # One that opens every day, if any is known to: where a weekday is always closed, numberings look alike.
    first = max([id for id in known if id in homes], key=lambda id: _days_open(places[id]), default=None)
    chosen = named if named is not None else first or next(iter([*known, *places]))
    tz = str(places[chosen].get("timezone") or "") if chosen in known else None
    at_place, beside = _by_id(zones, chosen), _by_id(lines, chosen)
    ways_in = [whole(line.get("zone_to")) for line in beside.values()]
    zone = max(at_place, key=ways_in.count, default=None)  # the first of those with the most
    end = last_today(now) - timedelta(days=2)
    start = end - timedelta(days=days - 1)
    return Course(
        location=chosen,
        tz=tz,
        zones=at_place,
        lines=beside,
        locations=len(places),
        most_zones=max(Counter(whole(item.get("location")) for item in zones).values(), default=1),
        zone=zone,
        today=end + timedelta(days=1),
        week=_choose_week(start, end, tz),
        range=(start, end),
        new_year=_last_new_year(end),
    )


def _find(location: int | str, places: Mapping[int, Entity]) -> int:
    """Return the id of a location that is given by its id or by its name."""
    if str(location).lstrip("-").isdigit():
        found = [id for id in places if id == int(location)]
    else:
        wanted = str(location).casefold()
        found = [id for id, place in places.items() if str(place.get("name", "")).casefold() == wanted]
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        raise NothingToAskError(f"{len(found)} locations are called {location!r}: name one of {ids} by its id")
    if not found:
        raise NothingToAskError(f"{location} is not one of those that the token may see")
    return found[0]


def _days_open(place: Entity) -> int:
    """Count the weekdays that a location opens on, as far as the form of its opening hours tells."""
    hours = next((value for name, value in place.items() if "opening" in name.lower()), None)
    entries = list(hours.values()) if isinstance(hours, dict) else hours if isinstance(hours, list) else []
    return sum(bool(entry) for entry in entries) if len(entries) == 7 else 0


def _choose_week(start: date, end: date, tz: str | None) -> Days:
    """Choose the last week at which the place's clock is another than UTC, so that the two can be told apart."""
    last = end
    while tz is not None and (last - start).days >= _WEEK - 1:
        if all(_offset(tz, last - timedelta(days=number)) for number in range(_WEEK)):
            return last - timedelta(days=_WEEK - 1), last
        last -= timedelta(days=_WEEK)
    return end - timedelta(days=_WEEK - 1), end


def _offset(tz: str, day: date) -> timedelta | None:
    return datetime.combine(day, time(12), UTC).astimezone(zone_of(tz)).utcoffset()


def _last_new_year(end: date, *, before: int = 0) -> Days:
    year = end.year - before
    if before == 0 and date(year, 1, 1) + timedelta(days=_AFTER) > end:
        year -= 1
    first = date(year, 1, 1)
    return first - timedelta(days=_BEFORE), first + timedelta(days=_AFTER)


def first_questions(names: Sequence[str] = LISTED) -> dict[str, Question]:
    """Name the lists that everything else is laid out from."""
    return {name: Question.of(name, {}) for name in names}


def _dates(days: Days, prefix: str = "") -> dict[str, object]:
    return {f"{prefix}start_date": days[0].isoformat(), f"{prefix}end_date": days[1].isoformat()}


def visits(course: Course, days: Days, by: str | None, **params: object) -> Question:
    """Ask zone_visitors about the place, on its own clock unless told otherwise."""
    given = {**_dates(days), "aggregate_by": by, "location": course.location, "tz": course.tz or "UTC", **params}
    return Question.of("zone_visitors", given)


def lines(course: Course, days: Days, by: str | None, **params: object) -> Question:
    """Ask line_crosses about the place."""
    return Question.of("line_crosses", {**_dates(days), "aggregate_by": by, "location": course.location, **params})


def drop_ins(course: Course, days: Days, by: str | None, **params: object) -> Question:
    """Ask drop_in_rate about the place."""
    return Question.of("drop_in_rate", {**_dates(days), "interval": by, "location": course.location, **params})


def part_of(days: Days, first: int, last: int) -> Days:
    """Return the days from the *first* to the *last* of *days*, counted from 0; negative ones from the end."""
    ends = [days[0 if number >= 0 else 1] + timedelta(days=number + (number < 0)) for number in (first, last)]
    return ends[0], ends[1]


def usual_questions(course: Course) -> dict[str, Question]:
    """Lay out the questions of every run."""
    week = course.week
    asked = {
        "visits by day": visits(course, week, BY_DAY),
        "visits of the week": visits(course, week, "zone"),
        "visits by hour": visits(course, week, BY_HOUR),
        "visits by hour of UTC": visits(course, week, BY_HOUR, tz="UTC"),
        "visits by weekday": visits(course, week, "dayofweek"),
        "visits of two periods": visits(
            course, part_of(week, 4, -1), "dayofmonth", bounce_threshold=0, **_dates(part_of(week, 0, 3), "comparison_")
        ),
        "visits of one day, nothing else said": visits(course, part_of(week, -1, -1), None, tz=None),
        "visits by week": visits(course, course.new_year, "week"),
        "visits by day, the whole range": visits(course, course.range, BY_DAY),
        "visits of the whole range": visits(course, course.range, "zone"),
        "visits by hour alone": visits(course, _hours_days(course), "hour"),
        "crossings by day": lines(course, week, "dayofmonth"),
        "drop-in of two periods": drop_ins(course, week, "day", **_dates(part_of(week, 0, 2), "comparison_")),
        "drop-in by month, the whole range": drop_ins(course, course.range, "month"),
    }  # fmt: skip
    if not course.holds_new_year:
        asked[NEW_YEAR] = visits(course, course.new_year, BY_DAY)
    asked.update(_questions_of_zone(course))
    asked.update(_questions_of_lines(course))
    asked["visits by day, once more"] = asked["visits by day"]
    return asked


def _questions_of_zone(course: Course) -> Iterator[tuple[str, Question]]:
    if course.zone is None:
        return
    zone, week = course.zone, course.week
    own = whole(course.zones[zone].get("bounce_threshold"))
    threshold = THRESHOLD_S if own != THRESHOLD_S else THRESHOLD_S + 5
    filters = {"bounce_threshold": threshold, "min_dwell": MIN_DWELL_S, "max_dwell": MAX_DWELL_S}
    yield "visits filtered", visits(course, week, "dayofmonth", zones=zone, **filters)
    yield "crossings into the zone by hour", lines(course, week, "hour", zone_to=zone)
    yield "crossings into the zone by month", lines(course, course.range, "month", zone_to=zone)
    yield "crossings out of the zone", lines(course, week, "dayofmonth", zone_from=zone)
    yield "drop-in of the zone by hour", drop_ins(course, week, "hour", zone=zone)
    yield "drop-in of the zone by hour of UTC", drop_ins(course, week, "hour", zone=zone, tz="UTC")
    yield "visits of all zones, by a long URL", long_question(course, MAX_URL_BYTES)


def _questions_of_lines(course: Course) -> Iterator[tuple[str, Question]]:
    into = course.lines_into_zone
    others = [id for id in course.lines if id not in into]
    if into and others:
        yield "crossings of all other lines", lines(course, course.week, "dayofmonth", line_ids=others)
    if len(course.floors) > 1:
        yield "crossings on the lowest floor", lines(course, course.week, "dayofmonth", floor=course.floors[0])
    if course.category is not None:
        yield "crossings of a category", lines(course, course.week, "dayofmonth", category=course.category)


def long_question(course: Course, size: int) -> Question:
    """Ask for all zones so often that the URL has *size* bytes; values of one parameter are alternatives."""
    zones = list(course.zones)
    plain = visits(course, course.week, "zone", zones="")
    named: list[int] = []
    length = len(str(plain))
    while length < size or len(named) < len(zones):
        named.append(zones[len(named) % len(zones)])
        length += len(str(named[-1])) + 1
    return visits(course, course.week, "zone", zones=named)


def _hours_days(course: Course) -> Days:
    length = (course.range[1] - course.range[0]).days + 1
    return part_of(course.range, -min(HOURS_DAYS, length), -1)
