"""Days and windows tile a period exactly, and a bucket begins at its first instant, in every time zone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, strategies as st
from oracle import examples

from indivd_async import Bucket, InvalidQueryError
from indivd_async.models.clocks import first_instant, local_today
from indivd_async.planning import Window
from indivd_async.planning.windows import month_end, tile_days, tile_units, week_end, year_end
from indivd_async.time_zones import is_time_zone

Tile = Callable[..., Iterator[Window]]
TILES: dict[str, Tile] = {
    "days": tile_days,
    "months": partial(tile_units, unit_end=month_end),
    "years": partial(tile_units, unit_end=year_end),
}


def window(text: str) -> Window:
    start, _, end = text.partition(" to ")
    return Window(date.fromisoformat(start), date.fromisoformat(end or start))


@pytest.mark.parametrize(
    ("tile", "whole", "at_most", "parts"),
    [
        ("days", "2024-02-28", 1, ["2024-02-28"]),
        ("days", "2024-02-28 to 2024-03-02", 3, ["2024-02-28 to 2024-03-01", "2024-03-02"]),
        ("days", "2023-02-27 to 2023-03-01", 2, ["2023-02-27 to 2023-02-28", "2023-03-01"]),
        ("days", "2024-12-30 to 2025-01-02", 4, ["2024-12-30 to 2025-01-02"]),
        ("days", "9999-12-30 to 9999-12-31", 1, ["9999-12-30", "9999-12-31"]),
        ("months", "2024-02-10 to 2024-03-05", 1, ["2024-02-10 to 2024-02-29", "2024-03-01 to 2024-03-05"]),
        ("months", "2025-01-31 to 2025-03-31", 30, ["2025-01-31 to 2025-02-28", "2025-03-01 to 2025-03-31"]),
        (
            "months",
            "2025-01-31 to 2025-03-31",
            28,
            ["2025-01-31", "2025-02-01 to 2025-02-28", "2025-03-01 to 2025-03-31"],
        ),
        ("months", "2024-12-15 to 2025-01-15", 90, ["2024-12-15 to 2025-01-15"]),
        ("months", "9999-11-30 to 9999-12-31", 1, ["9999-11-30", "9999-12-01 to 9999-12-31"]),
        ("years", "2023-12-31 to 2025-01-01", 1, ["2023-12-31", "2024-01-01 to 2024-12-31", "2025-01-01"]),
        ("years", "2023-12-31 to 2025-01-01", 367, ["2023-12-31 to 2024-12-31", "2025-01-01"]),
        ("years", "2023-12-31 to 2025-01-01", 368, ["2023-12-31 to 2025-01-01"]),
        (
            "years",
            "2024-12-30 to 2026-01-02",
            1,
            ["2024-12-30 to 2024-12-31", "2025-01-01 to 2025-12-31", "2026-01-01 to 2026-01-02"],
        ),
        ("weeks", "2025-12-20 to 2026-01-06", 10, ["2025-12-20 to 2025-12-28", "2025-12-29 to 2026-01-06"]),
        ("weeks", "9999-12-25 to 9999-12-31", 7, ["9999-12-25 to 9999-12-31"]),
    ],
)
def test_a_period_is_cut_where_its_buckets_end(tile: str, whole: str, at_most: int, parts: list[str]) -> None:
    """Leap days, ends of years and the last day there is."""
    cut = partial(tile_units, unit_end=partial(week_end, numbering="iso")) if tile == "weeks" else TILES[tile]
    assert list(map(str, cut(window(whole), at_most=at_most))) == parts


DAYS = st.dates(date(1999, 1, 1), date(2040, 12, 31))


@examples(150)
@given(kind=st.sampled_from(sorted(TILES)), start=DAYS, length=st.integers(1, 1_500), at_most=st.integers(1, 800))
def test_windows_tile_a_period_exactly(kind: str, start: date, length: int, at_most: int) -> None:
    """In order, disjoint, every day once; none longer than allowed, unless one bucket is."""
    whole = Window(start, start + timedelta(days=length - 1))
    tiles = list(TILES[kind](whole, at_most=at_most))
    days = [tile.start + timedelta(days=k) for tile in tiles for k in range(tile.days)]
    assert days == [start + timedelta(days=k) for k in range(length)]
    for tile in tiles:
        if kind == "days":
            assert tile.days <= at_most
        else:
            name = kind.removesuffix("s")
            buckets = {(tile.start + timedelta(days=k)).timetuple()[: 1 + (name == "month")] for k in range(tile.days)}
            assert tile.days <= at_most or len(buckets) == 1
    for one, other in pairwise(tiles):
        if kind == "months":
            assert other.start.day == 1
        elif kind == "years":
            assert (other.start.month, other.start.day) == (1, 1)
        else:
            assert one.days == at_most


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Europe/Stockholm", True),
        ("UTC", True),
        ("US/Eastern", True),
        ("Etc/GMT+12", True),
        ("Europe/Gothenburg", False),
        ("Europe", False),
        ("", False),
        ("/etc/passwd", False),
        ("../UTC", False),
        ("UTC\0", False),
        ("localtime", False),
        ("Factory", False),
        ("posix/UTC", False),
        ("right/UTC", False),
    ],
)
def test_only_names_of_the_table_are_time_zones(name: str, known: bool) -> None:
    """The system's other files are not, and nonsense of any kind is no error."""
    assert is_time_zone(name) is known


def test_today_is_a_matter_of_place() -> None:
    """The date differs by up to two days between the first and the last place on earth."""
    now = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
    assert local_today(now, "Pacific/Kiritimati") == date(2025, 3, 2)
    assert local_today(now, "Etc/GMT+12") == date(2025, 2, 28)
    assert local_today(now, "Asia/Kathmandu") == date(2025, 3, 1)


# First instants.


@pytest.mark.parametrize(
    ("bucket", "tz", "start"),
    [
        (Bucket(year=2025, month=3, dayofmonth=30, hour=2), "Europe/Stockholm", "2025-03-30T03:00:00+02:00"),
        (Bucket(year=2025, month=10, dayofmonth=26, hour=2), "Europe/Stockholm", "2025-10-26T02:00:00+02:00"),
        (Bucket(year=2025, month=10, dayofmonth=26, hour=3), "Europe/Stockholm", "2025-10-26T03:00:00+01:00"),
        (Bucket(year=2024, month=4, dayofmonth=26), "Africa/Cairo", "2024-04-26T01:00:00+03:00"),
        (Bucket(year=2024, month=4, dayofmonth=26, hour=0), "Africa/Cairo", "2024-04-26T01:00:00+03:00"),
        (Bucket(year=2025, month=10, dayofmonth=5, hour=2), "Australia/Lord_Howe", "2025-10-05T02:30:00+11:00"),
        (Bucket(year=2025, month=4, dayofmonth=6, hour=1), "Australia/Lord_Howe", "2025-04-06T01:00:00+11:00"),
        (Bucket(year=2011, month=12, dayofmonth=30), "Pacific/Apia", "2011-12-31T00:00:00+14:00"),
        (Bucket(year=2011, month=12, dayofmonth=30, hour=13), "Pacific/Apia", "2011-12-31T00:00:00+14:00"),
        (Bucket(year=2011, month=12, dayofmonth=31), "Pacific/Apia", "2011-12-31T00:00:00+14:00"),
        (Bucket(year=2018, month=11, dayofmonth=4), "America/Sao_Paulo", "2018-11-04T01:00:00-02:00"),
        (Bucket(year=2025, month=3, dayofmonth=1, hour=9, minute=15), "Asia/Kathmandu", "2025-03-01T09:15:00+05:45"),
        (Bucket(year=2025, month=2), "UTC", "2025-02-01T00:00:00+00:00"),
        (Bucket(year=2024), "America/New_York", "2024-01-01T00:00:00-05:00"),
        (Bucket(year=2025, month=3, dayofmonth=30, hour=2), None, "2025-03-30T02:00:00"),
        (Bucket(year=2024, month=2, dayofmonth=29), None, "2024-02-29T00:00:00"),
        (Bucket(year=2025, month=3, dayofmonth=1, dayofweek=7), None, "2025-03-01T00:00:00"),
    ],
    ids=repr,
)
def test_a_bucket_begins_at_its_first_instant(bucket: Bucket, tz: str | None, start: str) -> None:
    """A repeated hour with its first occurrence, a skipped one at the first moment after the gap; naive without tz."""
    found = bucket.start(tz)
    assert found is not None
    assert found.isoformat() == start


@pytest.mark.parametrize(
    "bucket",
    [
        Bucket(),
        Bucket(year=2025, week=10),
        Bucket(year=2025, month=3, dayofweek=7),
        Bucket(year=2025, month=3, week=9, dayofmonth=1),
        Bucket(dayofweek=1),
        Bucket(month=3),
        Bucket(hour=9),
        Bucket(year=2025, dayofmonth=3),
        Bucket(year=2025, month=3, hour=9),
        Bucket(year=2025, month=3, dayofmonth=1, minute=5),
        Bucket(year=2025, month=2, dayofmonth=29),
        Bucket(year=2025, month=13),
        Bucket(year=2025, month=1, dayofmonth=1, hour=24),
        Bucket(year=0),
        Bucket(year=10**30),
    ],
    ids=repr,
)
def test_a_bucket_whose_labels_do_not_fix_it_has_no_start(bucket: Bucket) -> None:
    """Weeks and days of the week are labels of unknown numbering; gaps among the labels leave it open."""
    assert bucket.start() is None
    assert bucket.start("UTC") is None


def test_an_unknown_time_zone_is_refused() -> None:
    """Whatever the bucket."""
    with pytest.raises(InvalidQueryError, match=r"tz: must be an IANA time zone name.*Atlantis"):
        Bucket(year=2025).start("Atlantis/Centre")


#: How many of these are the labels of a bucket.
LABELS = ("year", "month", "dayofmonth", "hour")
UNITS = {"hour": 4, "day": 3}


def labels_of(at: datetime, unit: str) -> tuple[int, ...]:
    return (at.year, at.month, at.day, at.hour)[: UNITS[unit]]


@cache
def changes() -> list[tuple[str, datetime]]:
    """Every change of offset since 2015, in every zone: its name and the first instant (UTC) of the new offset."""
    found = []
    for name in sorted(filter(is_time_zone, available_timezones())):
        zone = ZoneInfo(name)
        moment, end = datetime(2015, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
        offset = moment.astimezone(zone).utcoffset()
        while moment < end:
            later = moment + timedelta(days=14)  # no two changes are nearer to each other
            before, offset = offset, later.astimezone(zone).utcoffset()
            if before != offset:
                found.append((name, _first_after(zone, moment, later)))
            moment = later
    return found


def _first_after(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


def test_every_change_of_every_zone_since_2015_is_where_buckets_say() -> None:
    """
    Around each change, the start of a bucket is the earliest of all instants that its labels fit.

    A bucket that no instant fits begins where the gap ends: at the change.
    """
    assert len(changes()) > 3_000
    tried = set()
    for name, change in changes():
        zone = ZoneInfo(name)
        before = (change - timedelta(seconds=1)).astimezone(zone)
        after = change.astimezone(zone)
        key = (before.utcoffset(), after.utcoffset(), after.replace(tzinfo=None))
        if key in tried:  # zones that change together
            continue
        tried.add(key)
        # Minutes around the change, in order of time, so the first that fits a bucket is its earliest. The bucket of
        # the very first minute may have begun before.
        minutes = [change + timedelta(minutes=k) for k in range(-200, 200)]
        walls = [minute.astimezone(zone) for minute in minutes]
        naive_low, naive_high = sorted((before.replace(tzinfo=None), after.replace(tzinfo=None)))
        for unit in ("hour", "day"):
            first: dict[tuple[int, ...], datetime] = {}
            for wall in walls:
                first.setdefault(labels_of(wall, unit), wall)
            step = timedelta(hours=1)
            asked = naive_low - step
            while asked <= naive_high + step:
                labels = labels_of(asked, unit)
                bucket = Bucket(**dict(zip(LABELS, labels, strict=False)))
                if labels in first:
                    if labels != labels_of(walls[0], unit):
                        assert bucket.start(name) == first[labels], (name, bucket)
                else:
                    assert bucket.start(name) == change, (name, bucket)
                asked += step


@examples(200)
@given(data=st.data())
def test_going_through_utc_leads_back_to_the_label(data: st.DataObject) -> None:
    """Unless the clock skipped it, the first instant shows the label asked for, and an earlier one shows less."""
    name, change = data.draw(st.sampled_from(changes()))
    zone = ZoneInfo(name)
    near = (change + timedelta(minutes=data.draw(st.integers(-200, 200)))).astimezone(zone).replace(tzinfo=None)
    label = near.replace(second=0, microsecond=0) + timedelta(minutes=data.draw(st.integers(-90, 90)))
    found = first_instant(label, name)
    shown = found.astimezone(UTC).astimezone(zone)
    assert shown == found
    if shown.replace(tzinfo=None) == label:
        assert shown.fold == 0 or _offset_of(shown) == _offset_of(shown.replace(fold=0))
    else:  # skipped: the change itself, of which the second before shows less
        assert found == change
        assert shown.replace(tzinfo=None) > label
        earlier = (found.astimezone(UTC) - timedelta(seconds=1)).astimezone(zone)
        assert earlier.replace(tzinfo=None) < label


def _offset_of(moment: datetime) -> timedelta | None:
    return moment.utcoffset()


@pytest.mark.parametrize(
    "ask",
    [
        'ZoneVisitors("2025-03-01", "2025-03-02", location=124, tz="Europe/Stockholm")',
        'ZoneVisitors("2025-03-01", "2025-03-02", location=124, tz="Europe/Stockhol")',
        'Bucket(year=2025).start("Europe/Stockholm")',
        'Profile(line_crosses_tz="Europe/Stockholm")',
        'relevant_locations(ZoneVisitors("2025-03-01", "2025-03-02"), {1: Location(id=1, timezone="Asia/Tokyo")})',
    ],
)
def test_a_machine_that_knows_no_time_zones(ask: str) -> None:
    """A right name is not called wrong: what is missing is said, and the package that brings it."""
    script = f"""
        import sys
        sys.modules["tzdata"] = None  # as if it were not installed
        from indivd_async import Bucket, ConfigError, Location, Profile, ZoneVisitors
        from indivd_async.planning.layout import relevant_locations
        try:
            {ask}
        except ConfigError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout == "no time zones are known to this machine: `pip install tzdata` brings them\n"
