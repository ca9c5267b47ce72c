"""The sandbox's buckets: labels on every clock, clock changes, weeks, groupings and their defaults."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from indivd_async.sandbox import World
from indivd_async.sandbox.catalogue import PLACES
from indivd_async.sandbox.visitors import Visitors, midnight

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORLD = World(now=NOW)
CROWDED = World(now=NOW, scale=25)
RAW = {WORLD: Visitors("indivd", 1.0, NOW), CROWDED: Visitors("indivd", 25, NOW)}
TZ = {place.id: place.timezone for place in PLACES}


def labels(rows: list[dict[str, Any]], *names: str) -> list[tuple[int, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def aggregations(*args: Any, world: World = WORLD, **options: Any) -> list[dict[str, Any]]:
    rows = world.zone_visitors(*args, **options)["current"]["insights"]
    return [row["aggregation"] | {"visits": row["visits"]} for row in rows]


# Clocks.

# (location, day, hours on its clock, labels of hours): a repeated hour has one label, a skipped one none.
CHANGES = [
    pytest.param(130, date(2025, 10, 5), 23.5, 24, id="Lord Howe, half of hour 2 is skipped"),
    pytest.param(130, date(2025, 4, 6), 24.5, 24, id="Lord Howe, half of hour 1 is repeated"),
    pytest.param(128, date(2025, 3, 9), 23, 23, id="New York, hour 2 is skipped"),
    pytest.param(128, date(2025, 11, 2), 25, 24, id="New York, hour 1 is repeated"),
    pytest.param(125, date(2025, 3, 30), 23, 23, id="Stockholm, hour 2 is skipped"),
    pytest.param(125, date(2025, 10, 26), 25, 24, id="Stockholm, hour 2 is repeated"),
    pytest.param(125, date(2025, 6, 1), 24, 24, id="Stockholm, an ordinary day"),
]


@pytest.mark.parametrize(("location", "day", "hours", "count"), CHANGES)
def test_no_event_is_lost_when_clocks_change(location: int, day: date, hours: float, count: int) -> None:
    """A day has the hours its clock shows, and they hold every event of the day, on every endpoint."""
    tz = TZ[location]
    zone = ZoneInfo(tz)
    begin, end = (int(datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()) for d in (day, day + timedelta(1)))
    assert (midnight(day, tz), midnight(day + timedelta(1), tz)) == (begin, end)
    assert end - begin == hours * 3_600
    expected = Counter(
        datetime.fromtimestamp(visit[2], zone).hour for visit in RAW[CROWDED].visits(location, begin, end)
    )
    assert len(expected) == count

    visited = aggregations(day, day, world=CROWDED, location=location, aggregate_by="hour")
    assert {row["dayofmonth"] for row in visited} == {day.day}
    of_hours: Counter[int] = Counter()
    for row in visited:
        of_hours[row["hour"]] += row["visits"]
    assert of_hours == expected

    crossed = CROWDED.line_crosses(day, day, location=location, category=1, aggregate_by="hour")
    assert {row["_id"]["hour"]: row["count"] for row in crossed} == expected
    passings = Counter(
        datetime.fromtimestamp(moment, zone).hour for _, _, moment in RAW[CROWDED].passings(location, begin, end)
    )
    dropped = CROWDED.drop_in_rate(day, day, location=location, interval="hour")["details"]["current"]
    assert {row["hour"]: row["passing_by"] for row in dropped} == passings


def test_a_repeated_hour_is_longer_and_a_cut_one_shorter() -> None:
    """Where clocks go back two hours share a label; where half an hour is skipped the label holds the other half."""
    back, ordinary = (
        {row["_id"]["hour"]: row["count"] for row in CROWDED.line_crosses(day, day, location=125, category=3)}
        for day in (date(2025, 10, 26), date(2025, 10, 19))
    )
    assert back[2] > 1.5 * ordinary[2]
    half = CROWDED.line_crosses(date(2025, 10, 5), date(2025, 10, 5), location=130, aggregate_by="minute")
    assert {row["_id"]["minute"] for row in half if row["_id"]["hour"] == 2} == set(range(30, 60))


@pytest.mark.parametrize(
    "tz", ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Kiritimati"]
)
@pytest.mark.parametrize("start", [date(2025, 3, 8), date(2025, 4, 5), date(2025, 10, 4), date(2025, 11, 1)], ids=str)
def test_labels_are_those_of_the_clock_asked_for(tz: str, start: date) -> None:
    """Each visit is counted in the minute that the clock of `tz` shows, and days are cut at its midnights."""
    zone, end = ZoneInfo(tz), start + timedelta(days=2)
    expected: Counter[tuple[int, ...]] = Counter()
    for location in (125, 128, 130):
        for visit in RAW[WORLD].visits(
            location, midnight(start, "UTC") - 2 * 86_400, midnight(end, "UTC") + 3 * 86_400
        ):
            wall = datetime.fromtimestamp(visit[2], zone)
            if start <= wall.date() <= end:
                expected[wall.year, wall.month, wall.day, wall.hour, wall.minute, visit[0]] += 1
    rows = aggregations(start, end, location=(125, 128, 130), tz=tz, aggregate_by="minute")
    names = ("year", "month", "dayofmonth", "hour", "minute", "zone_id")
    assert Counter(dict(zip(labels(rows, *names), (row["visits"] for row in rows), strict=True))) == expected
    assert labels(rows, *names) == sorted(labels(rows, *names))


def test_the_clock_is_the_first_locations_unless_named() -> None:
    """`tz` wins; else the first location asked for; else the first in scope. line_crosses uses each location's own."""
    day = date(2025, 3, 3)
    for location, tz in (((128, 125), TZ[128]), ((125, 128), TZ[125]), (None, TZ[124])):
        asked = WORLD.zone_visitors(day, day, location=location)
        assert asked == WORLD.zone_visitors(day, day, location=location, tz=tz)
        assert asked != WORLD.zone_visitors(day, day, location=location, tz="UTC")
        dropped = WORLD.drop_in_rate(day, day, location=location)
        assert dropped == WORLD.drop_in_rate(day, day, location=location, tz=tz)
    together: Counter[int] = Counter()
    for location in (125, 128):
        for row in WORLD.line_crosses(day, day, location=location):
            together[row["_id"]["hour"]] += row["count"]
    both = WORLD.line_crosses(day, day, location=(125, 128))
    assert {row["_id"]["hour"]: row["count"] for row in both} == together


def test_an_id_asked_for_twice_counts_once() -> None:
    """Values of one parameter are united."""
    day = date(2025, 3, 3)
    assert WORLD.zone_visitors(day, day, location=(124, 124)) == WORLD.zone_visitors(day, day, location=124)
    assert WORLD.line_crosses(day, day, location=(124, 124)) == WORLD.line_crosses(day, day, location=124)
    assert WORLD.drop_in_rate(day, day, location=(124, 124)) == WORLD.drop_in_rate(day, day, location=124)


# Groupings.


@pytest.mark.parametrize(
    ("days", "lines", "others"),
    [
        (1, "hour", "hour"),
        (2, "dayofmonth", "dayofmonth"),
        (31, "dayofmonth", "dayofmonth"),
        (32, "month", "week"),
        (364, "month", "week"),
        (365, "month", "month"),
        (800, "month", "month"),
    ],
)
def test_the_length_of_the_range_chooses_the_grouping(days: int, lines: str, others: str) -> None:
    """Unasked, each endpoint groups as its table says, by the days of the range, both ends counted."""
    start = date(2023, 3, 1)
    period = start, start + timedelta(days=days - 1)
    assert WORLD.line_crosses(*period, location=124) == WORLD.line_crosses(*period, location=124, aggregate_by=lines)
    asked = {"location": 124, "zones": 201}
    assert WORLD.zone_visitors(*period, **asked) == WORLD.zone_visitors(*period, **asked, aggregate_by=others)
    interval = others.replace("dayofmonth", "day")
    dropped = WORLD.drop_in_rate(*period, location=124)
    assert dropped == WORLD.drop_in_rate(*period, location=124, interval=interval)
    assert dropped["details"]["interval"] == interval


@pytest.mark.parametrize(
    ("grouping", "names"),
    [
        ("year", {"year"}),
        ("month", {"year", "month"}),
        ("week", {"year", "week"}),
        ("dayofmonth", {"year", "month", "dayofmonth"}),
        ("dayofweek", {"dayofweek"}),
        ("hour", {"year", "month", "dayofmonth", "hour"}),
        ("minute", {"year", "month", "dayofmonth", "hour", "minute"}),
        ("hour,loc_id", {"year", "month", "dayofmonth", "hour", "loc_id"}),
        ("dayofweek,hour", {"dayofweek", "hour"}),
        ("hour,month", {"month", "hour"}),
        ("hour,hour", {"year", "month", "dayofmonth", "hour"}),
        ("loc_id", {"loc_id"}),
        ("zone", set()),
    ],
)
def test_a_row_has_the_fields_of_its_grouping(grouping: str, names: set[str]) -> None:
    """One grouping comes with its parents, several as named; zone, its name and threshold are always there."""
    rows = WORLD.zone_visitors(date(2025, 2, 27), date(2025, 3, 2), location=124, aggregate_by=grouping)
    for row in rows["current"]["insights"]:
        assert set(row["aggregation"]) == names | {"zone_id", "zone_name", "bounce_threshold"}
    if "," not in grouping and grouping not in ("zone", "loc_id"):
        crossed = WORLD.line_crosses(date(2025, 2, 27), date(2025, 3, 2), location=124, aggregate_by=grouping)
        assert all(set(row["_id"]) == names for row in crossed)


def test_the_day_has_two_names_in_drop_in_rate() -> None:
    """`day` in the details, `dayofmonth` in those of a zone, as in the article's sample."""
    answer = WORLD.drop_in_rate(date(2025, 5, 15), date(2025, 5, 20), location=124)
    assert answer["details"]["interval"] == "day"
    assert {"year", "month", "day"} < set(answer["details"]["current"][0])
    block = answer["zone_details"]["current"]["201"]
    assert {"year", "month", "dayofmonth"} < set(block["details"][0])
    assert (block["loc_name"], block["location_custom_id"]) == ("Drottninggatan", "")


def test_without_parents_a_grouping_is_its_field_alone() -> None:
    """With `parents=False` days of different months share a row; a default grouping keeps the fields of the sample."""
    bare = World(now=NOW, parents=False)
    period = date(2025, 2, 27), date(2025, 3, 28)
    rows = aggregations(*period, world=bare, location=124, zones=201, aggregate_by="dayofmonth")
    assert "month" not in rows[0]
    full = aggregations(*period, location=124, zones=201, aggregate_by="dayofmonth")
    apart = Counter(row["dayofmonth"] for row in full)
    assert apart[27] == apart[28] == 2
    for row in rows:
        assert row["visits"] == sum(other["visits"] for other in full if other["dayofmonth"] == row["dayofmonth"])
    assert aggregations(*period, world=bare, location=124, zones=201) == full
    assert bare.line_crosses(*period, location=124) == WORLD.line_crosses(*period, location=124)


@pytest.mark.parametrize("year", range(2015, 2026))
def test_weeks_begin_on_sunday_and_do_not_cross_years(year: int) -> None:
    """Weeks are numbered as MongoDB does, the days before the first Sunday being week 0; days from 1 for Sunday."""
    for start in (date(year, 1, 1), date(year, 12, 24)):
        period = start, start + timedelta(days=7)
        weeks: Counter[tuple[int, int]] = Counter()
        weekdays: Counter[int] = Counter()
        for row in WORLD.line_crosses(*period, location=125, aggregate_by="dayofmonth"):
            day = date(row["_id"]["year"], row["_id"]["month"], row["_id"]["dayofmonth"])
            weeks[day.year, int(day.strftime("%U"))] += row["count"]
            weekdays[int(day.strftime("%w")) + 1] += row["count"]
        by_week = WORLD.line_crosses(*period, location=125, aggregate_by="week")
        assert {(row["_id"]["year"], row["_id"]["week"]): row["count"] for row in by_week} == weeks
        by_weekday = WORLD.line_crosses(*period, location=125, aggregate_by="dayofweek")
        assert {row["_id"]["dayofweek"]: row["count"] for row in by_weekday} == weekdays


# Two periods.


def test_a_comparison_is_grouped_as_the_current_period() -> None:
    """Whatever its own length; otherwise it is what the second period alone would be."""
    week, year = (date(2025, 3, 3), date(2025, 3, 9)), (date(2024, 1, 1), date(2024, 12, 31))
    both = {"comparison_start_date": year[0], "comparison_end_date": year[1]}

    visited = WORLD.zone_visitors(*week, location=124, **both)
    assert visited["current"] == WORLD.zone_visitors(*week, location=124)["current"]
    assert visited["comparison"] == WORLD.zone_visitors(*year, location=124, aggregate_by="dayofmonth")["current"]
    assert visited["comparison"]["startdate"] == "2024-01-01"

    dropped = WORLD.drop_in_rate(*week, location=124, **both)
    alone = WORLD.drop_in_rate(*year, location=124, interval="day")
    assert dropped["details"]["interval"] == "day"
    for section in ("summary", "details", "zone_details"):
        assert dropped[section]["comparison"] == alone[section]["current"]
        assert dropped[section]["current"] == WORLD.drop_in_rate(*week, location=124)[section]["current"]


def test_an_absent_comparison_is_empty() -> None:
    """An object or an array, as the section has it."""
    day = date(2025, 3, 3)
    assert WORLD.zone_visitors(day, day, location=124)["comparison"] == {}
    answer = WORLD.drop_in_rate(day, day, location=124)
    assert [answer[name]["comparison"] for name in ("summary", "details", "zone_details")] == [{}, [], {}]
