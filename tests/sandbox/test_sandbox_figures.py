"""The sandbox's figures agree with each other: across endpoints, groupings, thresholds and runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from indivd_async.sandbox import World
from indivd_async.sandbox.visitors import Visit, Visitors

NOW = datetime(2026, 6, 1, tzinfo=UTC)
WORLD = World(scale=0.5, now=NOW)
BARE = World(scale=0.5, now=NOW, parents=False)
ZONES = {row["id"]: row for row in WORLD.listing("zones")}
LINES = WORLD.listing("lines")
LOCATIONS = {row["id"]: row for row in WORLD.listing("locations")}
MARCH = date(2025, 3, 1), date(2025, 3, 31)
DAY = date(2025, 3, 5)


def insights(start: date = DAY, end: date = DAY, world: World = WORLD, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = world.zone_visitors(start, end, **params)["current"]["insights"]
    return rows


def totals(rows: Iterable[Mapping[str, Any]], metric: str) -> Counter[int]:
    """Add *metric* up by zone."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts[row["aggregation"]["zone_id"]] += row[metric]
    return counts


def lines_of(zone: int, field: str) -> list[int]:
    return [line["id"] for line in LINES if line[field] == zone]


def entries(zone: int, start: date, end: date, **params: Any) -> list[dict[str, Any]]:
    return WORLD.line_crosses(start, end, zone_to=zone, **params)


# Across endpoints.


@pytest.mark.parametrize("zone", ZONES)
def test_entries_are_visits(zone: int) -> None:
    """Each visit crosses one of the zone's entry lines, in the same minute."""
    location = ZONES[zone]["location"]
    crossed = {tuple(row["_id"].values()): row["count"] for row in entries(zone, *MARCH, aggregate_by="minute")}
    fields = ("year", "month", "dayofmonth", "hour", "minute")
    rows = insights(*MARCH, location=location, zones=zone, aggregate_by="minute")
    assert crossed == {tuple(row["aggregation"][name] for name in fields): row["visits"] for row in rows}
    assert crossed


@pytest.mark.parametrize("location", [124, 129])
def test_who_enters_a_place_that_closes_leaves_it_the_same_day(location: int) -> None:
    """Entries and exits are as many on each day where nobody stays over midnight."""
    for zone in (id for id, row in ZONES.items() if row["location"] == location):
        assert WORLD.line_crosses(*MARCH, zone_from=zone) == entries(zone, *MARCH)


def visits_to(visitors: Visitors, location: int, start: int, end: int) -> list[Visit]:
    """List visits one by one, which come in columns."""
    return [visit for columns in visitors.visits(location, start, end) for visit in zip(*columns, strict=True)]


def test_who_enters_leaves_once() -> None:
    """Where people stay over midnight the exits are on other days, but none is lost."""
    start, end = date(2014, 12, 1), date(2015, 2, 1)
    world = World(scale=0.2, now=datetime(2015, 1, 20, tzinfo=UTC))
    entered = sum(row["count"] for row in world.line_crosses(start, end, location=125, category=1))
    left = sum(row["count"] for row in world.line_crosses(start, end, location=125, category=2))
    present = int(world.now.timestamp())
    visits = visits_to(Visitors("indivd", 0.2, world.now), 125, 0, present)
    inside = sum(visit[2] + visit[3] // 10 >= present for visit in visits)
    assert len(visits) == entered == left + inside


def test_who_enters_leaves_when_the_dwell_is_over() -> None:
    """To the minute, also after midnight, and those who came the day before."""
    clock = ZoneInfo("Europe/Stockholm")
    begin = int(datetime(2025, 3, 5, tzinfo=clock).timestamp())
    exits: Counter[tuple[int, ...]] = Counter()
    overnight = 0
    for visit in visits_to(Visitors("indivd", 40, NOW), 125, begin - 86_400, begin + 86_400):
        left = visit[2] + visit[3] // 10
        if begin <= left < begin + 86_400:
            exits[datetime.fromtimestamp(left, clock).timetuple()[:5]] += 1
            overnight += visit[2] < begin
    rows = World(scale=40, now=NOW).line_crosses(DAY, DAY, location=125, category=2, aggregate_by="minute")
    assert {tuple(row["_id"].values()): row["count"] for row in rows} == exits
    assert overnight > 0


@pytest.mark.parametrize("interval", ["year", "month", "week", "day", "hour"])
def test_the_funnel_counts_visits_and_passing_lines(interval: str) -> None:
    """Drop-in entries are visits, passers-by are crossings of the passing line, in total, together and by zone."""
    answer = WORLD.drop_in_rate(*MARCH, location=125, interval=interval)
    visits = totals(insights(*MARCH, location=125, aggregate_by="zone"), "visits")
    blocks = answer["zone_details"]["current"]
    assert set(blocks) == {str(zone) for zone in visits if _passing_line(zone) is not None}
    for id, block in blocks.items():
        crossings = WORLD.line_crosses(*MARCH, line_ids=_passing_line(int(id)), aggregate_by="year")
        assert block["total_visits"] == visits[int(id)] == sum(row["visits"] for row in block["details"])
        assert block["total_passing_by"] == crossings[0]["count"] == sum(row["passing_by"] for row in block["details"])
    summary = answer["summary"]["current"]
    for name, total in (("enter", "total_visits"), ("passing_by", "total_passing_by")):
        assert summary[name] == sum(block[total] for block in blocks.values())
        assert summary[name] == sum(row[name] for row in answer["details"]["current"])
    assert summary["enter_percentage"] == round(100 * summary["enter"] / summary["passing_by"], 1)
    for row in answer["details"]["current"]:
        assert row["drop_in_rate"] == (round(100 * row["enter"] / row["passing_by"], 1) if row["passing_by"] else 0)


def _passing_line(zone: int) -> int | None:
    """Return the line past *zone*, which names no zone: the one numbered after the zone's exit."""
    [way_out] = lines_of(zone, "zone_from")
    return next((line["id"] for line in LINES if line["id"] == way_out + 1 and 3 in line["category"]), None)


# Across groupings.


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize(
    ("whole", "parts"),
    [("month", "dayofmonth"), ("dayofmonth", "hour"), ("zone", "week"), ("zone", "dayofweek"), ("zone", "minute")],
)
def test_what_adds_up_adds_up_and_uniques_stay_in_bounds(location: int, whole: str, parts: str) -> None:
    """Counts of parts are the whole's; as many people as in the largest part at least, as in all of them at most."""
    period = (DAY, DAY) if whole == "dayofmonth" else MARCH
    large = insights(*period, location=location, aggregate_by=whole, min_dwell=30, max_dwell=600)
    small = insights(*period, location=location, aggregate_by=parts, min_dwell=30, max_dwell=600)
    assert totals(large, "visits") == totals(small, "visits")
    assert totals(large, "bounce") == totals(small, "bounce")
    for row in large:
        zone = row["aggregation"]["zone_id"]
        own = [part for part in small if part["aggregation"]["zone_id"] == zone]
        uniques = [part["unique_visits"] for part in own]
        assert max(uniques) <= row["unique_visits"] <= min(sum(uniques), row["visits"])
        for name in ("min_dwell_time", "max_dwell_time"):
            assert row["exclude"][name] == sum(part["exclude"][name] for part in own)
        _check_statistics(row, [part["dwell_time_stats"] for part in own if part["dwell_time_stats"]])


def _check_statistics(row: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> None:
    stats = row["dwell_time_stats"]
    assert bool(stats) == bool(parts)
    if stats:
        assert stats["n"] == sum(part["n"] for part in parts)
        assert (stats["min"], stats["max"]) == (min(part["min"] for part in parts), max(part["max"] for part in parts))
        assert row["dwell_time"] == stats["mean"]
        weighted = sum(part["mean"] * part["n"] for part in parts) / stats["n"]
        assert stats["mean"] == pytest.approx(weighted, abs=0.11)  # either is rounded to a tenth


def test_people_come_again() -> None:
    """On a day, on other days, and into other zones of the location, but never at another location."""
    month = insights(*MARCH, location=124, zones=201, aggregate_by="month")[0]
    days = insights(*MARCH, location=124, zones=201, aggregate_by="dayofmonth")
    assert month["unique_visits"] < sum(row["unique_visits"] for row in days)
    assert any(row["unique_visits"] < row["visits"] for row in days)
    visitors = Visitors("indivd", 0.5, NOW)
    start, end = (int(datetime(2025, 3, day, tzinfo=UTC).timestamp()) for day in (1, 31))
    seen = {id: {(visit[0], visit[4]) for visit in visits_to(visitors, id, start, end)} for id in (124, 125)}
    assert {who for zone, who in seen[124] if zone == 201} & {who for zone, who in seen[124] if zone == 202}
    assert {who for _, who in seen[124]}.isdisjoint(who for _, who in seen[125])


@pytest.mark.parametrize("location", [125, 130])
def test_weeks_and_weekdays_are_numbered_as_mongodb_does(location: int) -> None:
    """Weeks begin on Sunday, before the first Sunday is week 0; Sunday is day 1."""
    period = date(2024, 12, 20), date(2025, 1, 12)
    weeks: Counter[tuple[int, ...]] = Counter()
    weekdays: Counter[tuple[int, ...]] = Counter()
    for row in WORLD.line_crosses(*period, location=location, category=1, aggregate_by="dayofmonth"):
        day = date(row["_id"]["year"], row["_id"]["month"], row["_id"]["dayofmonth"])
        weeks[day.year, int(day.strftime("%U"))] += row["count"]
        weekdays[(int(day.strftime("%w")) + 1,)] += row["count"]
    for grouping, expected in (("week", weeks), ("dayofweek", weekdays)):
        rows = WORLD.line_crosses(*period, location=location, category=1, aggregate_by=grouping)
        assert {tuple(row["_id"].values()): row["count"] for row in rows} == expected
    assert (2025, 0) in weeks


PARENTS = {
    "year": ["year"],
    "month": ["year", "month"],
    "week": ["year", "week"],
    "dayofmonth": ["year", "month", "dayofmonth"],
    "dayofweek": ["dayofweek"],
    "hour": ["year", "month", "dayofmonth", "hour"],
    "minute": ["year", "month", "dayofmonth", "hour", "minute"],
}


@pytest.mark.parametrize("grouping", PARENTS)
def test_a_single_grouping_comes_with_its_parents(grouping: str) -> None:
    """Unless the world says that zone_visitors returns the named field alone; line_crosses always has them."""
    for world, fields in ((WORLD, PARENTS[grouping]), (BARE, [grouping])):
        [row, *_] = insights(world=world, location=124, aggregate_by=grouping)
        assert _times(row) == fields
        assert list(world.line_crosses(DAY, DAY, location=124, aggregate_by=grouping)[0]["_id"]) == PARENTS[grouping]


@pytest.mark.parametrize(
    ("grouping", "fields", "has_location"),
    [
        ("zone", [], False),
        ("loc_id", [], True),
        ("dayofweek,hour", ["dayofweek", "hour"], False),
        ("hour,dayofmonth", ["dayofmonth", "hour"], False),
        ("year,month,loc_id", ["year", "month"], True),
        ("hour,loc_id", PARENTS["hour"], True),
    ],
)
def test_several_groupings_are_taken_as_named(grouping: str, fields: list[str], has_location: bool) -> None:
    """What is named is there, and nothing else; the location is that of the zone."""
    for row in insights(location=[124, 125], aggregate_by=grouping):
        assert _times(row) == fields
        location = ZONES[row["aggregation"]["zone_id"]]["location"]
        assert row["aggregation"].get("loc_id") == (location if has_location else None)


def _times(row: Mapping[str, Any]) -> list[str]:
    return [name for name in row["aggregation"] if name in PARENTS]


@pytest.mark.parametrize(
    ("days", "of_lines", "of_zones"),
    [
        (1, "hour", "hour"),
        (2, "dayofmonth", "dayofmonth"),
        (31, "dayofmonth", "dayofmonth"),
        (32, "month", "week"),
        (364, "month", "week"),
        (365, "month", "month"),
    ],
)
def test_the_length_of_the_range_tells_the_default_grouping(days: int, of_lines: str, of_zones: str) -> None:
    """As the article has it; a comparison is grouped as the current range is."""
    period = DAY, DAY + timedelta(days=days - 1)
    other = {"comparison_start_date": date(2024, 3, 4), "comparison_end_date": date(2024, 3, 6)}
    assert list(WORLD.line_crosses(*period, location=124)[0]["_id"]) == PARENTS[of_lines]
    visitors = WORLD.zone_visitors(*period, location=124, **other)
    rates = WORLD.drop_in_rate(*period, location=124, **other)
    assert rates["details"]["interval"] == of_zones.replace("dayofmonth", "day")
    for block in ("current", "comparison"):
        assert _times(visitors[block]["insights"][0]) == PARENTS[of_zones]
        named = [name for name in rates["zone_details"][block]["201"]["details"][0] if name in PARENTS]
        assert named == PARENTS[of_zones]
        of_all = PARENTS[of_zones] if "dayofmonth" not in PARENTS[of_zones] else ["year", "month", "day"]
        assert list(rates["details"][block][0])[: len(of_all)] == of_all


# Dwell times.


def _dwells(zone: int) -> list[float]:
    """Take single dwell times from minutes of so few visits that the statistics name each of them."""
    found = []
    for row in insights(location=124, zones=zone, aggregate_by="minute"):
        stats = row["dwell_time_stats"]
        assert row["visits"] == stats["n"] <= 3
        found += [[stats["min"]], [stats["min"], stats["max"]], [stats["min"], stats["quantiles"][1], stats["max"]]][
            stats["n"] - 1
        ]
    return found


@pytest.mark.parametrize("zone", [201, 202, 203, 204])
def test_statistics_are_those_of_the_single_visits(zone: int) -> None:
    """Mean, extremes and inclusive quartiles, rounded to a tenth."""
    dwells = _dwells(zone)
    [row] = insights(location=124, zones=zone, aggregate_by="zone")
    stats = row["dwell_time_stats"]
    assert (stats["n"], stats["min"], stats["max"]) == (len(dwells), min(dwells), max(dwells))
    assert stats["mean"] == pytest.approx(statistics.fmean(dwells), abs=0.051)
    assert stats["quantiles"] == pytest.approx(statistics.quantiles(dwells, method="inclusive"), abs=0.051)
    assert row["bounce"] == sum(dwell < ZONES[zone]["bounce_threshold"] for dwell in dwells)


@pytest.mark.parametrize(("low", "high"), [(None, None), (60, None), (None, 300), (60, 300), (0, 0), (10_800, 10_800)])
def test_thresholds_leave_visits_out_of_dwell_times_only(low: int | None, high: int | None) -> None:
    """What is left out is counted in exclude, and stays in visits, uniques and bounces."""
    plain = insights(*MARCH, location=125, aggregate_by="zone")
    for row, whole in zip(
        insights(*MARCH, location=125, aggregate_by="zone", min_dwell=low, max_dwell=high), plain, strict=True
    ):
        for name in ("visits", "unique_visits", "bounce", "aggregation"):
            assert row[name] == whole[name]
        stats, exclude = row["dwell_time_stats"], row["exclude"]
        assert stats.get("n", 0) + exclude["min_dwell_time"] + exclude["max_dwell_time"] == row["visits"]
        assert not stats or stats["min"] >= (low or 0)
        assert not stats or high is None or stats["max"] <= high
        assert stats or row["dwell_time"] == 0


def test_thresholds_keep_visits_as_long_as_themselves() -> None:
    """Shorter and longer ones are left out, so equal thresholds leave those of exactly that length."""
    kept = 0
    for seconds in range(100, 130):
        for row in insights(*MARCH, location=125, aggregate_by="zone", min_dwell=seconds, max_dwell=seconds):
            stats = row["dwell_time_stats"]
            assert not stats or stats["min"] == stats["max"] == seconds
            kept += stats.get("n", 0)
    assert kept > 0


@pytest.mark.parametrize("threshold", [1, 45, 3_600])
def test_bounces_are_the_visits_that_a_least_dwell_leaves_out(threshold: int) -> None:
    """Both mean visits shorter than the threshold, which each row names."""
    for row in insights(*MARCH, location=125, bounce_threshold=threshold, min_dwell=threshold):
        assert row["bounce"] == row["exclude"]["min_dwell_time"]
        assert row["aggregation"]["bounce_threshold"] == threshold


def test_the_zone_tells_the_bounce_threshold_and_0_tracks_none() -> None:
    """Minus one is as if omitted."""
    omitted = insights(location=124)
    assert insights(location=124, bounce_threshold=-1) == omitted
    assert all(
        row["aggregation"]["bounce_threshold"] == ZONES[row["aggregation"]["zone_id"]]["bounce_threshold"]
        for row in omitted
    )
    assert sum(row["bounce"] for row in omitted) > 0
    assert {row["bounce"] for row in insights(location=124, bounce_threshold=0)} == {0}


# Plans, periods, nothing.


def test_the_basic_plan_counts_visits_only() -> None:
    """What needs re-identification is 0 or empty; a token over both plans keeps them apart."""
    params = {"aggregate_by": "zone", "tz": "UTC"}
    basic = insights(token="sandbox-basic", **params)
    for row in basic:
        assert row["visits"] > 0
        assert row["unique_visits"] == row["bounce"] == row["dwell_time"] == 0
        assert row["dwell_time_stats"] == {}
    mixed = insights(token="sandbox-mixed", **params)
    assert mixed == sorted(basic + insights(**params), key=lambda row: row["aggregation"]["zone_id"])


def test_a_comparison_is_what_its_period_answers_alone() -> None:
    """With the same fields in its rows."""
    other = date(2025, 2, 5), date(2025, 2, 6)
    asked = {"comparison_start_date": other[0], "comparison_end_date": other[1], "location": 124}
    period = DAY, DAY + timedelta(days=1)
    answer = WORLD.zone_visitors(*period, **asked)
    assert answer["comparison"] == WORLD.zone_visitors(*other, location=124)["current"]
    assert answer["current"] == WORLD.zone_visitors(*period, location=124)["current"]
    answer, alone = WORLD.drop_in_rate(*period, **asked), WORLD.drop_in_rate(*other, location=124)
    for part in ("summary", "details", "zone_details"):
        assert answer[part]["comparison"] == alone[part]["current"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2025, 3, 2), date(2025, 3, 2)),  # a Sunday
        (date(2026, 6, 2), date(2030, 1, 1)),
        (date(2026, 6, 2), date.max),
        (date.min, date(2014, 12, 31)),
    ],
    ids=["closed", "future", "end of time", "before 2015"],
)
def test_nothing_looks_as_documented(start: date, end: date) -> None:
    """Empty lists, zeros, and empty objects."""
    period = {"startdate": start.isoformat(), "enddate": end.isoformat()}
    assert WORLD.line_crosses(start, end, location=124) == []
    assert WORLD.zone_visitors(start, end, location=124) == {"current": {**period, "insights": []}, "comparison": {}}
    assert WORLD.drop_in_rate(start, end, location=124, interval="month") == {
        "summary": {"current": {**period, "passing_by": 0, "enter": 0, "enter_percentage": 0}, "comparison": {}},
        "details": {"interval": "month", "current": [], "comparison": []},
        "zone_details": {"current": {}, "comparison": {}},
    }


def test_zones_of_others_and_zones_without_passing_lines_have_no_rows() -> None:
    """Neither is an error."""
    assert insights(zones=99_999) == insights(location=124, zones=211) == insights(zones=361, location=124) == []
    assert set(WORLD.drop_in_rate(DAY, DAY, location=124)["zone_details"]["current"]) == {"201", "203", "204"}
    assert WORLD.line_crosses(DAY, DAY, location=124, zone_to=202, floor=-1) == []


def test_conditions_within_a_parameter_are_or_between_parameters_and() -> None:
    """A line of two categories is counted once."""

    def count(**params: Any) -> int:
        return sum(row["count"] for row in WORLD.line_crosses(*MARCH, location=124, aggregate_by="year", **params))

    assert count(category=[1, 2]) == count(category=1) + count(category=2)
    assert count(category=[1, 4]) == count(category=1) + count(category=4) - count(category=1, floor=0)
    assert count(category=[1, 4], floor=[0, -1]) == count(floor=0) + count(category=1, floor=-1)
    assert 0 < count(floor=-1) < count()


def test_an_organization_is_its_locations() -> None:
    """One that the token does not show has no rows."""

    def count(**params: Any) -> int:
        return sum(row["count"] for row in WORLD.line_crosses(DAY, DAY, **params))

    for id in (1, 2):
        own = [row["id"] for row in LOCATIONS.values() if row["organization"] == id]
        assert 0 < count(organization=id) == count(location=own) < count()
    assert count(organization=3) == 0 < count(organization=3, token="sandbox-mixed")


# The world.


def test_the_places_are_as_varied_as_calendars_are() -> None:
    """Enough organisations, locations, clocks, floors, and kinds of lines."""
    assert {124, 125} <= set(LOCATIONS)
    assert len(LOCATIONS) >= 8
    clocks = Counter(row["timezone"] for row in LOCATIONS.values())
    wanted = {"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"}
    assert wanted < set(clocks)
    assert clocks["Europe/Stockholm"] == 2
    assert len(WORLD.listing("organizations", token="sandbox-mixed")) >= 3
    assert (ZONES[201]["location"], ZONES[201]["name"]) == (124, "Entrance")
    assert {row["floor"] for row in ZONES.values()} == {-1, 0, 1}
    assert any(len(line["category"]) == 2 for line in LINES)
    for zone in ZONES:
        assert lines_of(zone, "zone_to")
        assert lines_of(zone, "zone_from")


@pytest.mark.parametrize("location", LOCATIONS)
def test_people_come_in_opening_hours(location: int) -> None:
    """On the clock of the place; the hours say when it closes."""
    hours = list(LOCATIONS[location]["opening_hours"].values())
    for row in WORLD.line_crosses(*MARCH, location=location, category=[1, 3], aggregate_by="hour"):
        label = row["_id"]
        of_day = hours[date(label["year"], label["month"], label["dayofmonth"]).weekday()]
        assert int(of_day["open"][:2]) <= label["hour"] < int(of_day["close"][:2])


def test_some_days_are_empty_for_some_zones() -> None:
    """So that a bucket without a row is met."""
    rows = insights(date(2025, 1, 1), date(2025, 12, 31), location=124, zones=204, aggregate_by="dayofmonth")
    sundays = 52
    assert 300 - sundays < len(rows) < 365 - sundays


def test_the_present_cuts_and_changes_nothing_before_it() -> None:
    """Events up to now are the same later; the last days are the only ones that still grow."""
    noon = World(scale=0.5, now=datetime(2025, 3, 5, 12, 30, tzinfo=UTC))
    before = noon.line_crosses(*MARCH, location=125, category=[1, 3], aggregate_by="minute")
    after = WORLD.line_crosses(*MARCH, location=125, category=[1, 3], aggregate_by="minute")
    assert before == after[: len(before)]
    assert [before[-1]["_id"][name] for name in ("dayofmonth", "hour")] == [5, 13]
    assert [row for row in insights(*MARCH, world=noon, location=125) if row["aggregation"]["dayofmonth"] > 5] == []


def test_who_is_still_inside_has_stayed_until_now() -> None:
    """No dwell time is longer than the time since its entry."""
    now = datetime(2025, 3, 5, 12, 30, tzinfo=UTC)
    inside = 0
    for row in insights(world=World(scale=10, now=now), location=125, aggregate_by="minute", tz="UTC"):
        label = row["aggregation"]
        begin = datetime(*(label[name] for name in PARENTS["minute"]), tzinfo=UTC)
        ends = begin + timedelta(seconds=row["dwell_time_stats"]["max"])
        assert ends <= now
        inside += ends > now - timedelta(minutes=1)
    assert inside > 0


def test_equal_worlds_answer_equally() -> None:
    """In any order of asking; another seed, or another scale, is another world."""
    one, other = (World(seed="a", scale=0.5, now=NOW) for _ in range(2))
    later, earlier = date(2025, 3, 6), date(2025, 3, 4)
    first = [one.zone_visitors(day, day) for day in (earlier, DAY, later)]
    assert [other.zone_visitors(day, day) for day in (later, DAY, earlier)] == first[::-1]
    assert World(seed="b", scale=0.5, now=NOW).zone_visitors(DAY, DAY) != first[1]
    many = World(seed="a", scale=5.0, now=NOW).zone_visitors(DAY, DAY, aggregate_by="zone")
    few = one.zone_visitors(DAY, DAY, aggregate_by="zone")
    ratio = _visits(many) / _visits(few)
    assert 8 < ratio < 12


def _visits(answer: Mapping[str, Any]) -> int:
    return sum(row["visits"] for row in answer["current"]["insights"])


def test_another_process_sees_the_same_world() -> None:
    """Nothing depends on how this process hashes text."""
    code = (
        "from datetime import *; from indivd_async.sandbox import World\n"
        "world = World(now=datetime(2026, 6, 1, tzinfo=UTC), scale=0.5)\n"
        "print(world.zone_visitors(date(2025, 3, 5), date(2025, 3, 5)))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == str(WORLD.zone_visitors(DAY, DAY))
