"""Single events, the same on every run: who entered which zone when and for how long, and who passed by."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import compress
from random import Random
from statistics import NormalDist
from zoneinfo import ZoneInfo

import attrs

from .catalogue import AREAS, PLACES, Area, Place

FIRST_DAY = date(2015, 1, 1)
#: Days kept in memory, about 7 kB each times the scale: a year of all locations, or ten of few visitors.
_KEPT_DAYS = 4_000
_VISITORS_A_DAY = 40
#: How busy each weekday is, Monday first.
_BUSY = (0.8, 0.8, 0.9, 1.0, 1.2, 1.4, 1.1)
#: The share of visitors who come again and again, how many they are, and the share of visits that another follows.
_REGULAR = 0.5
_REGULARS = 300
_AGAIN = 0.15
#: Dwell times in tenths of a second, equally likely: log-normal, half of them below 148 s, a few beyond three hours.
_DWELLS = tuple(round(10 * math.exp(NormalDist(5.0, 1.3).inv_cdf((k + 0.5) / 2_000))) for k in range(2_000))
_DAY_S = 86_400
_PLACES = {place.id: place for place in PLACES}
_AREAS_AT = {id: [area for area in AREAS if area.location == id] for id in _PLACES}
_EXITS = {area.id: area.exit for area in AREAS}
_Draw = Callable[[], float]

#: (zone, line, entry, dwell, visitor): entry in UTC seconds, dwell in tenths of a second
Visit = tuple[int, int, int, int, int]
#: (zone, line, moment)
Passing = tuple[int, int, int]
#: The zones, the lines, the moments and so on of several events, each by itself.
Columns = tuple[Sequence[int], ...]


@attrs.frozen
class Day:
    """All events of one location that begin on one of its days: `Visit` and `Passing` in columns, which take less."""

    visits: tuple[array[int], ...] = ()
    passings: tuple[array[int], ...] = ()
    #: The first and the last moment of any of them.
    span: tuple[int, int] = (0, 0)
    #: When the last visitor has left.
    empty: int = 0


@lru_cache(maxsize=1_000)
def zone_of(tz: str) -> ZoneInfo:
    """Look up a time zone, once."""
    return ZoneInfo(tz)


@lru_cache(maxsize=20_000)
def midnight(day: date, tz: str) -> int:
    """Return the first instant of *day* in *tz*, in UTC seconds."""
    # Noon exists everywhere and is never ambiguous; go back from it, by halves, to where the date begins.
    zone = zone_of(tz)
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=zone).timestamp())
    return first_moment(noon - _DAY_S, noon, lambda moment: datetime.fromtimestamp(moment, zone).date() >= day)


def first_moment(low: int, high: int, is_reached: Callable[[int], bool]) -> int:
    """Search by halves for the first moment after *low*, at most *high*, at which *is_reached* holds."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_reached(middle) else (middle, high)
    return high


class Visitors:
    """The events of a world up to *now*, made when asked for."""

    def __init__(self, seed: str, scale: float, now: datetime) -> None:
        self._now = int(now.timestamp())
        self._day = _days_of(seed, scale)

    def visits(self, location: int, start: int, end: int) -> Iterator[Columns]:
        """Give the visits to *location* that begin from *start* up to *end*, UTC seconds, in columns, day by day."""
        for day in self._days(location, start, end):
            yield from _between(day.visits, day.span, start, end)

    def passings(self, location: int, start: int, end: int) -> Iterator[Columns]:
        """Give the passers-by at *location* from *start* up to *end*, UTC seconds, in columns, day by day."""
        for day in self._days(location, start, end):
            yield from _between(day.passings, day.span, start, end)

    def crossings(self, location: int, start: int, end: int) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
        """Give lines and the moments they are crossed at, at *location* from *start* up to *end*, UTC seconds."""
        for columns in (*self.visits(location, start, end), *self.passings(location, start, end)):
            yield columns[1], columns[2]
        # Who came the day before may leave in this one.
        for zones, _, entered, dwells, _ in self.visits(location, start - _DAY_S, end):
            left = [entry + dwell // 10 for entry, dwell in zip(entered, dwells, strict=True)]
            inside = [start <= moment < end for moment in left]
            yield [_EXITS[zone] for zone in compress(zones, inside)], list(compress(left, inside))

    def _days(self, location: int, start: int, end: int) -> Iterator[Day]:
        if start < end:
            zone = zone_of(_PLACES[location].timezone)
            day = datetime.fromtimestamp(start, zone).date()
            last = datetime.fromtimestamp(end - 1, zone).date()
            for number in range((last - day).days + 1):
                yield _cut(self._day(location, day + timedelta(days=number)), self._now)


@lru_cache(maxsize=4)
def _days_of(seed: str, scale: float) -> Callable[[int, date], Day]:
    """Return what makes the days of locations; worlds that differ in their present alone have the same ones."""

    @lru_cache(maxsize=int(_KEPT_DAYS / max(scale, 0.1)))
    def make(location: int, day: date) -> Day:
        opens, closes, empty = _opening(_PLACES[location], day)
        if opens >= closes or day < FIRST_DAY:
            return Day()
        draw = Random(f"{seed}/{location}/{day.toordinal()}").random
        areas = _AREAS_AT[location]
        crowd = _VISITORS_A_DAY * scale * _BUSY[day.weekday()] * (0.7 + 0.6 * draw())
        visits: list[Visit] = []
        for number in range(int(crowd + draw())):
            known = draw() < _REGULAR
            visitor = int(_REGULARS * draw()) if known else 100_000 * day.toordinal() + number
            visitor += location * 10**12  # nobody is known across locations
            share = draw() if draw() < 0.5 else (draw() + draw()) / 2  # more come in the middle of the day
            moment = opens + int((closes - opens) * share)
            visits += _walk(areas, visitor, moment, closes, empty, draw)
        passings = list(_pass_by(areas, visits, opens, closes, draw))
        moments = [event[2] for event in (*visits, *passings)]
        span = (min(moments), max(moments)) if moments else (0, 0)
        return Day(_columns("iiqiq", visits), _columns("iiq", passings), span, empty)

    return make


def _opening(place: Place, day: date) -> tuple[int, int, int]:
    """Tell when *place* opens, lets nobody in any more, and is empty again; all the same on a day it is closed."""
    start = midnight(day, place.timezone)
    hours = place.week[day.weekday()]
    if hours is None:
        return start, start, start
    if hours == (0, 24):
        end = midnight(day + timedelta(days=1), place.timezone)
        return start, end, end + _DAY_S  # where it never closes people stay over midnight
    zone = zone_of(place.timezone)
    opens, closes = (int(datetime(day.year, day.month, day.day, hour, tzinfo=zone).timestamp()) for hour in hours)
    return opens, closes - 60, closes - 1  # nobody is counted outside opening hours


def _walk(areas: Sequence[Area], visitor: int, moment: int, closes: int, empty: int, draw: _Draw) -> Iterator[Visit]:
    """Let one visitor walk through the zones, into some of them twice."""
    for area in areas:
        if draw() >= area.lure:
            continue
        for _ in range(1 + (draw() < _AGAIN)):
            if moment >= closes:
                return
            dwell = min(_DWELLS[int(len(_DWELLS) * draw())], 10 * (empty - moment))
            yield area.id, area.entries[visitor % len(area.entries)], moment, dwell, visitor
            moment += dwell // 10 + int(300 * draw())


def _pass_by(areas: Sequence[Area], visits: Iterable[Visit], opens: int, closes: int, draw: _Draw) -> Iterator[Passing]:
    entries = Counter(visit[0] for visit in visits)
    for area in areas:
        if area.passing is not None and area.passing_line is not None:
            for _ in range(int(entries[area.id] * area.passing * (0.5 + draw()))):
                yield area.id, area.passing_line, opens + int((closes - opens) * draw())


def _cut(day: Day, now: int) -> Day:
    """Take away what has not happened yet: days are drawn whole, so that all else stays as the present moves on."""
    if day.empty <= now:
        return day
    visits = [
        (zone, line, entry, min(dwell, 10 * (now - entry)), visitor)
        for zone, line, entry, dwell, visitor in zip(*day.visits, strict=True)
        if entry < now
    ]
    passings = [passing for passing in zip(*day.passings, strict=True) if passing[2] < now]
    return Day(_columns("iiqiq", visits), _columns("iiq", passings), day.span, day.empty)


def _columns(typecodes: str, rows: Iterable[tuple[int, ...]]) -> tuple[array[int], ...]:
    """Turn rows into columns; no rows have none."""
    return tuple(array(code, column) for code, column in zip(typecodes, zip(*rows, strict=True), strict=False))


def _between(columns: Columns, span: tuple[int, int], start: int, end: int) -> Iterator[Columns]:
    """Give what of *columns*, whose moments, the third, lie within *span*, is from *start* up to *end*, if anything."""
    if columns and start <= span[0] and span[1] < end:
        yield columns  # most days lie within the period as a whole
    elif columns:
        inside = [start <= moment < end for moment in columns[2]]
        yield tuple([list(compress(column, inside)) for column in columns])


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)
