"""Clocks in the sandbox: every label, where clocks change, is what zoneinfo says of the events in UTC."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from indivd_async.sandbox import World
from indivd_async.sandbox.clocks import Clock

#: So many visitors that each hour, and most minutes, of a night have some.
WORLD = World(scale=40.0, now=datetime(2026, 6, 1, tzinfo=UTC))
MINUTE = ("year", "month", "dayofmonth", "hour", "minute")
HOUR = MINUTE[:4]


@attrs.frozen(kw_only=True)
class Change:
    """A night at a place that never closes: the first minute skipped or repeated, and how many are."""

    location: int
    tz: str
    day: date
    first: tuple[int, int]
    minutes: int
    is_skipped: bool

    def is_changed(self, hour: int, minute: int) -> bool:
        start = 60 * self.first[0] + self.first[1]
        return start <= 60 * hour + minute < start + self.minutes


CHANGES = [
    Change(location=130, tz="Australia/Lord_Howe", day=date(2025, 10, 5), first=(2, 0), minutes=30, is_skipped=True),
    Change(location=130, tz="Australia/Lord_Howe", day=date(2025, 4, 6), first=(1, 30), minutes=30, is_skipped=False),
    Change(location=128, tz="America/New_York", day=date(2025, 3, 9), first=(2, 0), minutes=60, is_skipped=True),
    Change(location=128, tz="America/New_York", day=date(2025, 11, 2), first=(1, 0), minutes=60, is_skipped=False),
    Change(location=125, tz="Europe/Stockholm", day=date(2025, 3, 30), first=(2, 0), minutes=60, is_skipped=True),
    Change(location=125, tz="Europe/Stockholm", day=date(2025, 10, 26), first=(2, 0), minutes=60, is_skipped=False),
]
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change.tz} {change.day}")


def visits(location: int, start: date, end: date, tz: str | None, grouping: str = "minute") -> Counter[tuple[int, ...]]:
    """Count the visits of all zones by label."""
    counts: Counter[tuple[int, ...]] = Counter()
    answer = WORLD.zone_visitors(start, end, location=location, tz=tz, aggregate_by=grouping)
    for row in answer["current"]["insights"]:
        counts[tuple(row["aggregation"][name] for name in MINUTE if name in row["aggregation"])] += row["visits"]
    return counts


@cache
def instants(location: int, day: date) -> Counter[datetime]:
    """Count the visits around *day* by the minute in UTC, where no label is ambiguous."""
    around = visits(location, day - timedelta(days=1), day + timedelta(days=1), "UTC")
    return Counter({datetime(*label, tzinfo=UTC): count for label, count in around.items()})


def relabelled(location: int, day: date, tz: str, size: int) -> Counter[tuple[int, ...]]:
    """Count the visits of the local *day* by the first *size* fields of the minute that the clock *tz* shows."""
    counts: Counter[tuple[int, ...]] = Counter()
    for moment, count in instants(location, day).items():
        wall = moment.astimezone(ZoneInfo(tz))
        if wall.date() == day:
            counts[wall.timetuple()[:size]] += count
    return counts


@each_change
def test_local_labels_are_those_of_the_utc_instants(change: Change) -> None:
    """Minutes, hours and the day, of visits and of crossings, which are always on the location's clock."""
    for grouping, size in (("minute", 5), ("hour", 4), ("dayofmonth", 3)):
        expected = relabelled(change.location, change.day, change.tz, size)
        assert visits(change.location, change.day, change.day, None, grouping) == expected
        params = {"location": change.location, "category": 1, "aggregate_by": grouping}
        crossed = WORLD.line_crosses(change.day, change.day, **params)
        assert {tuple(row["_id"].values()): row["count"] for row in crossed} == expected
        assert sum(expected.values()) > 0


@each_change
def test_minutes_skipped_have_no_rows_and_those_repeated_hold_both(change: Change) -> None:
    """A skipped label is never answered; a repeated one is the sum of two instants that an hour or a half part."""
    rows = visits(change.location, change.day, change.day, change.tz)
    changed = {label: count for label, count in rows.items() if change.is_changed(label[3], label[4])}
    if change.is_skipped:
        assert changed == {}
        return
    zone = ZoneInfo(change.tz)
    around = instants(change.location, change.day)
    halves: list[Counter[tuple[int, ...]]] = [Counter(), Counter()]
    for moment, count in around.items():
        wall = moment.astimezone(zone)
        if wall.date() == change.day and change.is_changed(wall.hour, wall.minute):
            halves[wall.fold][wall.timetuple()[:5]] += count
    assert halves[0]
    assert halves[1]
    assert changed == halves[0] + halves[1]
    assert set(halves[0]) & set(halves[1])


@each_change
def test_the_day_is_as_long_as_its_clock_says(change: Change) -> None:
    """Days of 23, 23.5, 24.5 and 25 hours tile the time: each event is in one of them."""
    days = [change.day + timedelta(days=number) for number in (-1, 0, 1)]
    together = visits(change.location, days[0], days[-1], change.tz)
    alone = [visits(change.location, day, day, change.tz) for day in days]
    assert alone[0] + alone[1] + alone[2] == together
    hours = {label[3] for label in visits(change.location, change.day, change.day, change.tz, "hour")}
    missing = {2} if change.is_skipped and change.minutes == 60 else set()
    assert hours == set(range(24)) - missing


@pytest.mark.parametrize(
    "tz", ["Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo", "UTC"]
)
def test_tz_sets_the_clock_of_labels_and_of_the_range(tz: str) -> None:
    """The dates asked for are days on that clock, whatever that of the location."""
    day = date(2025, 6, 11)
    assert visits(125, day, day, tz, "hour") == relabelled(125, day, tz, 4)
    rows = WORLD.drop_in_rate(day, day, location=125, tz=tz, interval="hour")["details"]["current"]
    zones = WORLD.drop_in_rate(day, day, location=125, tz=tz)["zone_details"]["current"]
    counted = visits(125, day, day, tz, "hour")
    without_lines = WORLD.zone_visitors(day, day, location=125, tz=tz, zones=_not_in(zones), aggregate_by="hour")
    for row in without_lines["current"]["insights"]:
        counted[tuple(row["aggregation"][name] for name in HOUR)] -= row["visits"]
    entered = Counter({tuple(row[name] for name in ("year", "month", "day", "hour")): row["enter"] for row in rows})
    assert entered == +counted


def _not_in(zones: dict[str, Any]) -> list[int]:
    return [row["id"] for row in WORLD.listing("zones") if row["location"] == 125 and str(row["id"]) not in zones]


def test_the_first_location_asked_for_sets_the_clock() -> None:
    """Without one it is the first in scope; both endpoints of zones go by it."""
    day = date(2025, 6, 11)
    for location, tz in (
        ([127, 124], "America/New_York"),
        ([124, 127], "Europe/Stockholm"),
        (None, "Europe/Stockholm"),
    ):
        for ask in (WORLD.zone_visitors, WORLD.drop_in_rate):
            assert ask(day, day, location=location) == ask(day, day, location=location, tz=tz)
    assert WORLD.zone_visitors(day, day, location=[127, 124]) != WORLD.zone_visitors(day, day, location=[124, 127])


def test_crossings_are_labelled_on_the_clock_of_each_location() -> None:
    """Counts over locations of several clocks are the sums of their own local hours."""
    day = date(2025, 6, 11)

    def count(location: int | list[int]) -> Counter[tuple[int, ...]]:
        rows = WORLD.line_crosses(day, day, location=location, aggregate_by="hour")
        return Counter({tuple(row["_id"].values()): row["count"] for row in rows})

    assert count([124, 127, 129, 130]) == count(124) + count(127) + count(129) + count(130)


def test_midnights_that_do_not_exist_begin_their_day_later() -> None:
    """In Beirut the clock went from midnight to one o'clock: the day has no hour 0, and loses no event."""
    day = date(2024, 3, 31)
    rows = visits(125, day, day, "Asia/Beirut", "hour")
    assert rows == relabelled(125, day, "Asia/Beirut", 4)
    assert min(label[3] for label in rows) == 1


@pytest.mark.parametrize("tz", ["Australia/Lord_Howe", "Asia/Pyongyang", "Asia/Kathmandu", "Africa/Casablanca", "UTC"])
def test_labels_that_are_kept_are_those_of_any_period(tz: str) -> None:
    """Asked for in turn on one clock: years with other offsets, and more minutes than are kept."""
    for start, days in (
        (date(2018, 5, 3), 4),
        (date(2025, 4, 1), 9),
        (date(2015, 8, 1), 150),
        (date(2025, 10, 1), 9),
        (date(2024, 12, 30), 9),
    ):
        clock = Clock(tz, start, start + timedelta(days=days - 1), WORLD.now)
        for fields in (HOUR, MINUTE):
            moments = range(clock.start, clock.end, 1_800 if days > 9 else 60)
            walls = [datetime.fromtimestamp(moment, ZoneInfo(tz)) for moment in moments]
            expected = [(wall.year, wall.month, wall.day, wall.hour, wall.minute)[: len(fields)] for wall in walls]
            assert clock.labeller(fields).of(moments) == expected
