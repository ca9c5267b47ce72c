"""
Days, ranges and buckets: tiling a range exactly, aligned to buckets.

A day is a date at the place that was asked about. Both ends of a range belong to it. Nothing here adds hours to days: the 23- and 25-hour days
of a clock change are one day each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import attrs

ONE_DAY = timedelta(days=1)


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
    while start <= window.end:
        last = min(unit_end(start), window.end)
        while last < window.end:
            longer = min(unit_end(last + ONE_DAY), window.end)
            if (longer - start).days >= at_most:
                break
            last = longer
        yield Window(start, last)
        if last == window.end:
            return
        start = last + ONE_DAY


@lru_cache(maxsize=1024)
def zone_of(tz: str) -> ZoneInfo:
    """Look up an IANA time zone; ValueError, KeyError or OSError where there is none of that name."""
    return ZoneInfo(tz)


def is_time_zone(tz: str) -> bool:
    """Tell whether *tz* names an IANA time zone."""
    try:
        zone_of(tz)
    except (ValueError, KeyError, OSError):  # ZoneInfo raises each of them, by the kind of nonsense
        return False
    return True


def first_instant(local: datetime, tz: str) -> datetime:
    """
    Return the first instant of *tz* whose wall clock shows *local* or later.

    A repeated hour gives its first occurrence; a skipped one the first moment after the gap.

    >>> first_instant(datetime(2024, 4, 26), "Africa/Cairo").isoformat()
    '2024-04-26T01:00:00+03:00'
    """
    zone = zone_of(tz)
    aware = local.replace(tzinfo=zone)
    before, after = aware.utcoffset(), aware.replace(fold=1).utcoffset()
    if before is None or after is None or before >= after:  # an ordinary time, or a repeated one: fold 0 is the first
        return aware
    # In a gap, `fold=0` uses the offset from before it. Going through UTC lands as far behind the gap as *local* is inside it; the gap
    # ends where the offset changes, which a search by halves finds to the second.
    low, high = local - after, local - before
    offset = after
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if _offset_at(middle, zone) == offset:
            high = middle
        else:
            low = middle
    return high.replace(tzinfo=UTC).astimezone(zone)


def _offset_at(utc: datetime, zone: ZoneInfo) -> timedelta | None:
    return utc.replace(tzinfo=UTC).astimezone(zone).utcoffset()


def local_today(now_utc: datetime, tz: str) -> date:
    """Return the date at *tz* when it is *now_utc* (aware)."""
    return now_utc.astimezone(zone_of(tz)).date()
