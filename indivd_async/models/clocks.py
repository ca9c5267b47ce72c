"""
Days, ranges and buckets: tiling a range exactly, aligned to buckets.

A day is a date at the place that was asked about. Both ends of a range belong to it. Nothing here adds hours to days:
the 23- and 25-hour days of a clock change are one day each.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..time_zones import zone_of

ONE_DAY = timedelta(days=1)
#: Nobody was counted before, and nobody will be after: a slip there would ask for centuries, day by day.
FIRST_DAY, LAST_DAY = "2000-01-01", "2099-12-31"
_ONE_SECOND = timedelta(seconds=1)
_DAYS_END_LAST_AT = timedelta(hours=-12)  # UTC-12: no place on earth is later


def first_instant(local: datetime, tz: str) -> datetime:
    """
    Return the first instant at *tz* of what begins when its wall clock shows *local*.

    That is the instant at which the clock shows *local*, the first one where an hour is repeated. Where the clock
    skips *local*, it is the first moment after the gap: half past two for Lord Howe's hour 2 in October, and for an
    hour or a day that is skipped whole the beginning of what follows.

    >>> first_instant(datetime(2024, 4, 26), "Africa/Cairo").isoformat()
    '2024-04-26T01:00:00+03:00'
    """
    zone: Any = zone_of(tz)
    before: timedelta = zone.utcoffset(local)
    after: timedelta = zone.utcoffset(local.replace(fold=1))
    if before >= after:  # an ordinary time, or a repeated one, whose first occurrence is fold 0
        return datetime.combine(local, local.time(), zone)  # in less than half the time that `replace` takes
    # In a gap. Read with the offset from after the change, the label lies before it in UTC; with the one from before,
    # it lies at or behind it. So the change is between the two, and halving finds it to the second.
    too_early, late_enough = (local - after).replace(tzinfo=UTC), (local - before).replace(tzinfo=UTC)
    while late_enough - too_early > _ONE_SECOND:
        middle = too_early + timedelta(seconds=(late_enough - too_early) // _ONE_SECOND // 2)
        if middle.astimezone(zone).utcoffset() == after:
            late_enough = middle
        else:
            too_early = middle
    return late_enough.astimezone(zone)


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
