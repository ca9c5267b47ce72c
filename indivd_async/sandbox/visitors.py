"""Single events, the same on every run: who entered which zone when and for how long, and who passed by."""

from __future__ import annotations

import random
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import attrs

from .catalogue import AREAS, Area, Place

#: Days kept in memory, about 15 kB each.
_KEPT_DAYS = 5_000
_VISITORS_A_DAY = 40
_REGULARS = 300
_FIRST_DAY = date(2015, 1, 1)

#: (zone, entry, dwell in seconds, visitor, entry line, exit line); times are UTC seconds
Visit = tuple[int, int, float, int, int, int]
#: (zone, time, line)
Passing = tuple[int, int, int]


@attrs.frozen
class Day:
    """All events of one location on one of its days."""

    visits: tuple[Visit, ...]
    passings: tuple[Passing, ...]


_EMPTY = Day((), ())


@lru_cache(maxsize=64)
def zone_of(tz: str) -> ZoneInfo:
    """Look up a time zone, once."""
    return ZoneInfo(tz)


@lru_cache(maxsize=20_000)
def midnight(day: date, tz: str) -> int:
    """Return the first instant of *day* in *tz*, in UTC seconds."""
    # Noon exists everywhere and is never ambiguous; walk back from it to where the date begins.
    zone = zone_of(tz)
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=zone).timestamp())
    low, high = noon - 86_400, noon
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).date() >= day:
            high = middle
        else:
            low = middle
    return high


class Visitors:
    """The events of a world, made when asked for."""

    def __init__(self, seed: str, scale: float, now: datetime) -> None:
        self._seed = seed
        self._scale = scale
        self._now = int(now.timestamp())
        self._days: OrderedDict[tuple[int, date], Day] = OrderedDict()
        self._areas: dict[int, list[Area]] = {}
        for area in AREAS:
            self._areas.setdefault(area.location, []).append(area)

    def day(self, place: Place, day: date) -> Day:
        """Return the events of *place* on its local *day*."""
        key = place.id, day
        found = self._days.get(key)
        if found is None:
            found = self._days[key] = self._make(place, day)
            if len(self._days) > _KEPT_DAYS:
                self._days.popitem(last=False)
        return found

    def between(self, place: Place, start: int, end: int) -> list[Day]:
        """Return the local days of *place* with events from *start* up to *end*, UTC seconds; visits may end a day later."""
        zone = zone_of(place.timezone)
        first = datetime.fromtimestamp(start, zone).date() - timedelta(days=1)
        last = datetime.fromtimestamp(end - 1, zone).date()
        return [self.day(place, first + timedelta(days=k)) for k in range((last - first).days + 1)]

    def _make(self, place: Place, day: date) -> Day:
        hours = place.week[day.weekday()]
        if hours is None or day < _FIRST_DAY:
            return _EMPTY
        start = midnight(day, place.timezone)
        if start > self._now:
            return _EMPTY
        if hours == (0, 24):
            opens, closes = start, midnight(day + timedelta(days=1), place.timezone)
        else:
            opens, closes = (
                int(datetime(day.year, day.month, day.day, hour, tzinfo=zone_of(place.timezone)).timestamp())
                for hour in hours
            )
        chance = random.Random(f"{self._seed}/{place.id}/{day.toordinal()}")
        visits: list[Visit] = []
        passings: list[Passing] = []
        crowd = max(1, int(_VISITORS_A_DAY * self._scale * (0.6 + 0.8 * chance.random())))
        for number in range(crowd):
            self._follow(place, day, number, opens, closes, chance, visits)
        for area in self._areas[place.id]:
            if area.passing is not None:
                count = sum(1 for visit in visits if visit[0] == area.id)
                for _ in range(int(count * area.passing * (0.5 + chance.random()))):
                    passings.append((area.id, chance.randrange(opens, closes), area.passing_lines[0]))
        return Day(
            tuple(sorted(visit for visit in visits if visit[1] < self._now)),
            tuple(sorted(passing for passing in passings if passing[1] < self._now)),
        )

    def _follow(
        self, place: Place, day: date, number: int, opens: int, closes: int, chance: random.Random, visits: list[Visit]
    ) -> None:
        """Let one visitor walk through the zones, some of them twice."""
        regular = chance.random() < 0.5
        visitor = chance.randrange(_REGULARS) if regular else 1_000 * day.toordinal() + _REGULARS + number
        visitor += place.id * 10**10  # nobody is known across locations
        moment = chance.randrange(opens, closes)
        for area in self._areas[place.id]:
            again = 1 + (chance.random() < 0.15)
            for _ in range(again if chance.random() < area.lure else 0):
                if moment >= closes:
                    return
                dwell = round(min(chance.lognormvariate(5.0, 1.1), 14_000.0), 1)
                entry = area.entries[visitor % len(area.entries)]
                visits.append((area.id, moment, dwell, visitor, entry, area.exits[0]))
                moment += int(dwell) + chance.randrange(1, 300)


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
