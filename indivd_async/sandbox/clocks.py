"""Days on one clock and the labels of their hours, as the API writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import gcd

import attrs

from .visitors import FIRST_DAY, first_moment, midnight, zone_of

Label = tuple[int, ...]

PARENTS = {
    "year": ("year",),
    "month": ("year", "month"),
    "week": ("year", "week"),
    "dayofmonth": ("year", "month", "dayofmonth"),
    "dayofweek": ("dayofweek",),
    "hour": ("year", "month", "dayofmonth", "hour"),
    "minute": ("year", "month", "dayofmonth", "hour", "minute"),
}
READ: dict[str, Callable[[datetime], int]] = {
    "year": lambda wall: wall.year,
    "month": lambda wall: wall.month,
    "week": lambda wall: (wall.timetuple().tm_yday + 6 - wall.isoweekday() % 7) // 7,
    "dayofmonth": lambda wall: wall.day,
    "dayofweek": lambda wall: wall.isoweekday() % 7 + 1,
    "hour": lambda wall: wall.hour,
    "minute": lambda wall: wall.minute,
}
#: Other ways to number, by names that no answer has: what stands in the label is what is read here.
READ |= {
    "iso_year": lambda wall: wall.isocalendar().year,
    "iso_week": lambda wall: wall.isocalendar().week,
    "first_sunday_week": lambda wall: (date(wall.year, 1, 1).isoweekday() % 7 + wall.timetuple().tm_yday - 1) // 7 + 1,
    "monday_week_from_0": lambda wall: int(wall.strftime("%W")),
    "financial_week": lambda wall: (wall.date() - date(wall.year - (wall.month < 4), 4, 1)).days // 7 + 1,
    "iso_weekday": lambda wall: wall.isoweekday(),
    "weekday_from_0_sunday": lambda wall: wall.isoweekday() % 7,
    "weekday_from_0_monday": lambda wall: wall.weekday(),
}
_DAY_S = 86_400
#: A day before the calendar ends, on any clock.
_LAST_MOMENT = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())


@attrs.frozen(kw_only=True)
class Numbering:
    """How weeks and weekdays are numbered: the names in `READ` that stand for each; `week_year` is a week's year."""

    week: str = "week"
    week_year: str = "year"
    dayofweek: str = "dayofweek"

    def names_read(self, fields: Sequence[str]) -> list[str]:
        """Name what is read for each of *fields*."""
        named = {"week": self.week, "dayofweek": self.dayofweek}
        if "week" in fields:
            named["year"] = self.week_year
        return [named.get(name, name) for name in fields]


#: MongoDB's: weeks 0 to 53 from Sunday, weekdays 1 to 7 from Sunday.
MONGO = Numbering()
ISO = Numbering(week="iso_week", week_year="iso_year", dayofweek="iso_weekday")


def default_grouping(start: date, end: date, *, lines: bool = False) -> str:
    """Name the grouping of a range where none is asked for."""
    days = (end - start).days + 1
    if days <= 31:
        return "hour" if days <= 1 else "dayofmonth"
    return "month" if lines or days >= 365 else "week"


class Clock:
    """Days on one clock, as far as there are events: from `start` up to `end`, UTC seconds, and labels for them."""

    def __init__(self, tz: str, start: date, end: date, now: datetime) -> None:
        # Beyond these days nothing happens anywhere, and the calendar ends at the year 9999.
        first, last = FIRST_DAY - timedelta(days=2), now.date() + timedelta(days=2)
        self.start = midnight(min(max(start, first), last), tz)
        self.end = min(midnight(min(max(end, first), last) + timedelta(days=1), tz), int(now.timestamp()))
        self._tz = tz

    def labeller(self, fields: Sequence[str], numbering: Numbering = MONGO) -> Labels:
        """Make what tells the labels of instants, the values of *fields*."""
        size = 60 if "minute" in fields else 3_600 if "hour" in fields else _DAY_S
        # Within a step no clock changes and no bucket ends.
        first, last = (datetime.fromtimestamp(moment, UTC).year for moment in (self.start, self.end))
        step = gcd(size, *(_step_of(self._tz, year) for year in range(first, last + 1)))
        return _labels_of(self._tz, step, *numbering.names_read(fields))


@lru_cache(maxsize=2_000)
def _step_of(tz: str, year: int) -> int:
    """Return the longest step, in seconds, of which all that a clock is off UTC in a *year*, and its changes, are."""
    zone = zone_of(tz)

    def offset(moment: int) -> int:
        wall = datetime.fromtimestamp(moment, zone).replace(tzinfo=UTC)
        return int(wall.timestamp()) - moment

    def change(before: int, new: int) -> int:
        return first_moment(before - _DAY_S, before, lambda moment: offset(moment) == new)

    begin = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    last = offset(begin)
    step = gcd(_DAY_S, last)
    # An offset holds for days at least: look once a day whether it is a new one, and then since when.
    for moment in range(begin + _DAY_S, min(begin + 366 * _DAY_S, _LAST_MOMENT) + 1, _DAY_S):
        new = offset(moment)
        if new != last:
            step, last = gcd(step, new, change(moment, new)), new
    return step


class Labels(dict[int, Label]):
    """Labels of instants on a clock, which all instants of a *step* share; each is worked out once."""

    def __init__(self, tz: str, step: int, *names: str) -> None:
        super().__init__()
        self._zone = zone_of(tz)
        self._step = step
        self._readers = [READ[name] for name in names]

    def __missing__(self, number: int) -> Label:
        wall = datetime.fromtimestamp(number * self._step, self._zone)
        if len(self) >= _KEPT_LABELS:
            self.clear()
        found = self[number] = tuple([read(wall) for read in self._readers])
        return found

    def of(self, moments: Iterable[int]) -> list[Label]:
        """Return the label of each of *moments*, UTC seconds."""
        step = self._step
        return [self[moment // step] for moment in moments]


#: A year of hours, for as many clocks and groupings as are asked about in turn.
_KEPT_LABELS = 10_000
_labels_of = lru_cache(maxsize=64)(Labels)
