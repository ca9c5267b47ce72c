"""What is asked, by name: of every run, and of deep ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from ..models.endpoints import DATA_ENDPOINTS
from ..planning import PlannedRequest
from ..planning.request import MAX_URL_BYTES
from .course import Course, dates_of, length_of, part_of
from .questions import make_question, whole

#: Days of hours that one answer should hold.
HOURS_DAYS = 62
MIN_DWELL_S, MAX_DWELL_S, THRESHOLD_S = 60, 600, 45
#: The filter endpoints that a run looks at, and those that only a deep one does.
LISTED, DEEP_LISTS = ("locations", "zones", "lines"), ("categories", "organizations")
#: All labels are named: a service that tells only those that it is asked for is measured all the same.
BY_DAY, BY_HOUR = "year,month,dayofmonth", "year,month,dayofmonth,hour"
#: Questions about the whole range, by days and as one total.
RANGE_BY_DAY, RANGE = "visits by day, the whole range", "visits of the whole range"
#: Asked only where the days of the whole range do not show them.
NEW_YEAR, FIRST_DAYS = "visits by day, around New Year", "visits of the first days of the range"
#: Asked at the end of a usual run.
AGAIN = "visits by day, once more"
#: A floor that no building has.
_NO_FLOOR = 999
#: The lengths, in days, that default groupings change at.
_LENGTHS = (31, 32, 365)

Questions = dict[str, PlannedRequest]


def list_questions(names: Sequence[str] = LISTED) -> Questions:
    """Name the lists that everything else is laid out from."""
    return {name: make_question(name) for name in names}


def usual_questions(course: Course) -> Questions:
    """Lay out the questions of every run."""
    week, visits, lines, drop_ins = course.week, *_askers(course)
    asked = {
        "visits by day": visits(week, BY_DAY),
        "visits of the week": visits(week, "zone"),
        "visits by hour": visits(week, BY_HOUR),
        "visits by hour of UTC": visits(week, BY_HOUR, tz="UTC"),
        "visits by weekday": visits(week, "dayofweek"),
        "visits of two periods": visits(
            part_of(week, 4, -1), "dayofmonth", bounce_threshold=0, **dates_of(part_of(week, 0, 3), "comparison_")
        ),
        "visits of one day, nothing else said": visits(part_of(week, -1, -1), None, tz=None),
        "visits by week": visits(course.new_year, "week"),
        RANGE_BY_DAY: visits(course.range, BY_DAY),
        RANGE: visits(course.range, "zone"),
        "visits by hour alone": visits(part_of(course.range, -min(HOURS_DAYS, length_of(course.range)), -1), "hour"),
        "crossings by day": lines(week, "dayofmonth"),
        "drop-in of two periods": drop_ins(week, "day", **dates_of(part_of(week, 0, 2), "comparison_")),
        "drop-in by month, the whole range": drop_ins(course.range, "month"),
    }
    if not course.holds_new_year:
        asked[NEW_YEAR] = visits(course.new_year, BY_DAY)
    if (zone := course.zone) is not None:
        own = whole(course.zones[zone].get("bounce_threshold"))
        threshold = THRESHOLD_S if own != THRESHOLD_S else THRESHOLD_S + 5
        filters = {"bounce_threshold": threshold, "min_dwell": MIN_DWELL_S, "max_dwell": MAX_DWELL_S}
        asked["visits of the zone, filtered"] = visits(week, "dayofmonth", zones=zone, **filters)
        asked["crossings into the zone by hour"] = lines(week, "hour", zone_to=zone)
        asked["crossings into the zone by month"] = lines(course.range, "month", zone_to=zone)
        asked["crossings out of the zone"] = lines(week, "dayofmonth", zone_from=zone)
        asked["drop-in of the zone by hour"] = drop_ins(week, "hour", zone=zone)
        asked["drop-in of the zone by hour of UTC"] = drop_ins(week, "hour", zone=zone, tz="UTC")
        asked["visits of all zones, by a long URL"] = long_question(course, MAX_URL_BYTES)
    others = [id for id, line in course.lines.items() if whole(line.get("zone_to")) != course.zone]
    if 0 < len(others) < len(course.lines):
        asked["crossings of all other lines"] = lines(week, "dayofmonth", line_ids=others)
    if len(course.floors) > 1:
        asked["crossings on the lowest floor"] = lines(week, "dayofmonth", floor=course.floors[0])
    if course.category is not None:
        asked["crossings of a category"] = lines(week, "dayofmonth", category=course.category)
    return asked


def deep_questions(course: Course, organizations: Sequence[int]) -> Questions:
    """Lay out the questions of a deep run, beyond the usual; what one New Year leaves open another may settle."""
    week, visits, lines, drop_ins = course.week, *_askers(course)
    december = course.new_year[0], course.new_year[0].replace(day=31)
    first, last = (day.replace(year=day.year - 1) for day in course.new_year)
    return {
        **{
            name: course.ask(endpoint, part_of(course.range, -days, -1), None)
            for endpoint in DATA_ENDPOINTS
            for days, name in ungrouped(endpoint).items()
            if days <= length_of(course.range)
        },
        "crossings by weekday": lines(week, "dayofweek"),
        "crossings of eight days by hour": lines((week[0] - timedelta(days=1), week[1]), "hour"),
        "crossings of four days by minute": lines(part_of(week, -4, -1), "minute"),
        "crossings of a day by minute": lines(part_of(week, -1, -1), "minute"),
        "visits of a day by minute": visits(part_of(week, -1, -1), "minute"),
        "crossings on no floor": lines(week, "dayofmonth", floor=_NO_FLOOR),
        **{f"crossings of organisation {id}": lines(week, "dayofmonth", organization=id) for id in organizations},
        "visits by week, another New Year": visits((first, last), "week"),
        "visits by day, another New Year": visits((first, last), BY_DAY),
        "crossings by week over a New Year": lines(course.new_year, "week"),
        "crossings by week in December": lines(december, "week"),
        "crossings by day in December": lines(december, "dayofmonth"),
        "drop-in by week around New Year": drop_ins(course.new_year, "week"),
        "drop-in by day around New Year": drop_ins(course.new_year, "day"),
    }


def _askers(course: Course) -> list[partial[PlannedRequest]]:
    return [partial(course.ask, endpoint) for endpoint in ("zone_visitors", "line_crosses", "drop_in_rate")]


def ungrouped(endpoint: str) -> dict[int, str]:
    """Name the questions to an endpoint without a grouping, by the days that they are about."""
    return {days: f"{endpoint} of {days} days, nothing else said" for days in _LENGTHS}


def long_question(course: Course, size: int) -> PlannedRequest:
    """Ask for all zones so often that the URL has *size* bytes; values of one parameter are alternatives."""
    ask = partial(course.ask, "zone_visitors", course.week, "zone")
    zones, named = list(course.zones), list[int]()
    length = len(ask(zones="").target)
    while length < size or len(named) < len(zones):
        named.append(zones[len(named) % len(zones)])
        length += len(str(named[-1])) + 1
    return ask(zones=named)
