"""
Days, ranges and buckets: tiling a range exactly, aligned to buckets.

A day is a date at the place that was asked about. Both ends of a range belong to it. Nothing here adds hours to days:
the 23- and 25-hour days of a clock change are one day each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import cast
from zoneinfo import ZoneInfo

import attrs

ONE_DAY = timedelta(days=1)
_ONE_SECOND = timedelta(seconds=1)
_DAYS_END_LAST_AT = timedelta(hours=-12)  # UTC-12: no place on earth is later


@attrs.frozen
class Window:
    """
    Whole days, both ends included.

    >>> Window(date(2024, 2, 28), date(2024, 3, 1)).days
    3
    """

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days, both ends counted."""
        return (self.end - self.start).days + 1

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start} to {self.end}"


def tile_days(window: Window, *, at_most: int) -> Iterator[Window]:
    """
    Cut *window* into consecutive windows of at most *at_most* days.

    They are in order, disjoint, and cover it exactly, so rows fetched for each can be put end to end.

    >>> [w.days for w in tile_days(Window(date(2024, 2, 28), date(2024, 3, 2)), at_most=3)]
    [3, 1]
    """
    # Count from the first day, never by months or years from it: stepping from the 31st, or from 29 February, skips.
    start = window.start
    while (window.end - start).days >= at_most:
        last = start + timedelta(days=at_most - 1)
        yield Window(start, last)
        start = last + ONE_DAY
    yield Window(start, window.end)


def tile_months(window: Window, *, at_most: int) -> Iterator[Window]:
    """
    Cut *window* where months end, into windows of at most *at_most* days, or of one month where that is longer.

    >>> [str(w) for w in tile_months(Window(date(2025, 1, 15), date(2025, 3, 31)), at_most=59)]
    ['2025-01-15 to 2025-02-28', '2025-03-01 to 2025-03-31']
    """
    return _tile_units(window, _month_end, at_most)


def tile_years(window: Window, *, at_most: int) -> Iterator[Window]:
    """
    Cut *window* where years end, into windows of at most *at_most* days, or of one year where that is longer.

    >>> [str(w) for w in tile_years(Window(date(2024, 12, 30), date(2026, 1, 2)), at_most=1)]
    ['2024-12-30 to 2024-12-31', '2025-01-01 to 2025-12-31', '2026-01-01 to 2026-01-02']
    """
    return _tile_units(window, lambda day: date(day.year, 12, 31), at_most)


def _month_end(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1) - ONE_DAY if day < date(9999, 12, 1) else date.max


def _tile_units(window: Window, unit_end: Callable[[date], date], at_most: int) -> Iterator[Window]:
    start = window.start
    last = min(unit_end(start), window.end)
    while last < window.end:
        longer = min(unit_end(last + ONE_DAY), window.end)
        if (longer - start).days >= at_most:
            yield Window(start, last)
            start = last + ONE_DAY
        last = longer
    yield Window(start, last)


@lru_cache(maxsize=1024)
def zone_of(tz: str) -> ZoneInfo:
    """Look up an IANA time zone; ValueError, KeyError or OSError where there is none of that name."""
    return ZoneInfo(tz)


#: Files of the system that are no IANA time zones: the machine's own clock, and copies of the table.
_NOT_IANA = frozenset({"localtime", "posixrules", "Factory", "posix", "right"})


def is_time_zone(tz: str) -> bool:
    """Tell whether *tz* names an IANA time zone."""
    try:
        zone_of(tz)
    except (ValueError, KeyError, OSError):  # ZoneInfo raises each of them, by the kind of nonsense
        return False
    return tz.partition("/")[0] not in _NOT_IANA


def first_instant(local: datetime, tz: str) -> datetime:
    """
    Return the first instant at *tz* of what begins when its wall clock shows *local*.

    That is the instant at which the clock shows *local*, the first one where an hour is repeated. Where the clock
    skips *local*, it is the first moment after the gap: half past two for Lord Howe's hour 2 in October, and for an
    hour or a day that is skipped whole the beginning of what follows.

    >>> first_instant(datetime(2024, 4, 26), "Africa/Cairo").isoformat()
    '2024-04-26T01:00:00+03:00'
    """
    zone = zone_of(tz)
    aware = local.replace(tzinfo=zone)
    before, after = _offset(aware), _offset(aware.replace(fold=1))
    if before >= after:  # an ordinary time, or a repeated one, whose first occurrence is fold 0
        return aware
    # In a gap. Read with the offset from after the change, the label lies before it in UTC; with the one from before,
    # it lies at or behind it. So the change is between the two, and halving finds it to the second.
    too_early, late_enough = (local - after).replace(tzinfo=UTC), (local - before).replace(tzinfo=UTC)
    while late_enough - too_early > _ONE_SECOND:
        middle = too_early + timedelta(seconds=(late_enough - too_early) // _ONE_SECOND // 2)
        if _offset(middle.astimezone(zone)) == after:
            late_enough = middle
        else:
            too_early = middle
    return late_enough.astimezone(zone)


def _offset(moment: datetime) -> timedelta:
    return cast("timedelta", moment.utcoffset())  # None is for naive moments only


def last_today(now_utc: datetime) -> date:
    """
    Return the date where days end last: all before it have ended everywhere on earth.

    >>> last_today(datetime(2025, 3, 1, 11, 59, tzinfo=UTC))
    datetime.date(2025, 2, 28)
    """
    return (now_utc.astimezone(UTC) + _DAYS_END_LAST_AT).date()


def local_today(now_utc: datetime, tz: str) -> date:
    """Return the date at *tz* when it is *now_utc* (aware)."""
    return now_utc.astimezone(zone_of(tz)).date()
