"""
Which days of which location are there, and which are to be asked for. Pure.

Days are dates at the place. A `Stretch` is a run of days that were asked on one clock; it is settled once all its days
had ended, everywhere on earth, when they were asked for. What is to be asked for follows from what is there and from
what is wanted, so a run that was killed, a night that was left out and a store that opened late need no memory of their
own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import attrs

from ..models.clocks import ONE_DAY
from ..planning import Window

#: How the rows of a location can be replaced: by days; only as a whole, though days can be added ("edges": a label may
#: lie outside the days that were asked for); only as a whole ("whole": no day is told, or all days make one row).
KINDS = ("days", "edges", "whole")


_DOUBTED = date(1970, 1, 1)


@attrs.frozen(kw_only=True)
class Stretch:
    """Days that are there: from `start` to `end`, asked on `clock`."""

    start: date
    end: date
    clock: str | None = None
    #: The last day that had ended when they were asked for; None where that is all of them.
    ended: date | None = None

    @property
    def window(self) -> Window:
        """Its days."""
        return Window(self.start, self.end)

    @property
    def provisional_from(self) -> date | None:
        """The first of its days that had perhaps not ended; None where all had."""
        return None if self.ended is None or self.ended == _DOUBTED else self.ended + ONE_DAY


@attrs.frozen(kw_only=True)
class Holding:
    """What is there of one period and one location."""

    stretches: tuple[Stretch, ...] = ()
    kind: str = "days"

    @property
    def windows(self) -> list[Window]:
        """The days that are there."""
        return unite(stretch.window for stretch in self.stretches)

    def add(self, window: Window, *, clock: str | None, ended: date, kind: str) -> Holding:
        """Note that the days of *window* are there, as asked when *ended* was the last day that had ended."""
        kept = self.stretches if kind != "whole" else ()
        settled = Window(window.start, min(window.end, ended)) if window.start <= ended else None
        open_days = Window(max(window.start, ended + ONE_DAY), window.end) if ended < window.end else None
        new = [
            Stretch(start=days.start, end=days.end, clock=clock, ended=until)
            for days, until in ((settled, None), (open_days, ended))
            if days is not None
        ]
        worst = max(kind, self.kind, key=KINDS.index)
        return Holding(stretches=_join([*_without(kept, [window]), *new]), kind=worst)

    def remove(self, window: Window) -> Holding:
        """Forget the days of *window*."""
        return attrs.evolve(self, stretches=_join(_without(self.stretches, [window])))

    def doubt(self, windows: Iterable[Window]) -> Holding:
        """Note that the days of *windows* are to be asked again, and that nothing may be the answer."""
        windows = list(windows)
        kept = _without(self.stretches, windows)
        doubted = [
            attrs.evolve(stretch, start=both.start, end=both.end, ended=_DOUBTED)
            for stretch in self.stretches
            for both in _common([stretch.window], windows)
        ]
        return attrs.evolve(self, stretches=_join([*kept, *doubted]))

    def open(self) -> Holding:
        """Note that all days are to be asked again, as if none had ended when they were asked for."""
        new = [attrs.evolve(stretch, ended=stretch.start - ONE_DAY) for stretch in self.stretches]
        return attrs.evolve(self, stretches=tuple(new))

    @property
    def doubted(self) -> list[Window]:
        """The days that `doubt` has noted."""
        return [stretch.window for stretch in self.stretches if stretch.ended == _DOUBTED]


@attrs.frozen(kw_only=True)
class Wanted:
    """What a run wants of one period and one location: its days, on which clock, and since when to ask again."""

    period: Window
    clock: str | None
    #: minute, hour, day, month or year, where rows tell it; None where they repeat from day to day.
    unit: str | None
    ended: date
    refresh_since: date | None = None


def to_ask(held: Holding, wanted: Wanted) -> tuple[list[Window], list[Window]]:
    """
    Return the windows to ask again, whose rows are replaced, and those of which nothing is there yet.

    >>> march = Window(date(2025, 3, 1), date(2025, 3, 9))
    >>> there = Holding(stretches=(Stretch(start=date(2025, 3, 1), end=date(2025, 3, 5)),))
    >>> to_ask(there, Wanted(period=march, clock=None, unit="day", ended=date(2025, 4, 1)))[1]
    [Window(start=datetime.date(2025, 3, 6), end=datetime.date(2025, 3, 9))]
    """
    period, there = wanted.period, _common(held.windows, [wanted.period])
    again = [window for stretch in held.stretches for window in _due(stretch, wanted)]
    again = unite(_common(again, [period]))
    new = subtract([period], there)
    if not held.stretches:
        return [], new
    if wanted.unit is None or held.kind == "whole":
        changed = new or again or held.windows != [period]
        return ([period] if changed else []), []
    if held.kind == "edges" and again:
        return [period], []
    if wanted.unit not in ("month", "year"):
        return again, new
    # A month that is asked for in part would be a part of its row.
    again, new = ([_whole_units(window, wanted) for window in windows] for windows in (again, new))
    cut = [window for window in new if _common([window], held.windows)]
    return unite([*again, *cut]), unite(window for window in new if window not in cut)


def _due(stretch: Stretch, wanted: Wanted) -> list[Window]:
    """Return the days of *stretch* that are to be asked again."""
    has_ended_since = stretch.ended is not None and stretch.ended < min(stretch.end, wanted.ended)
    if stretch.clock != wanted.clock or has_ended_since:
        return [stretch.window]
    since = wanted.refresh_since
    if since is None or since > stretch.end:
        return []
    return [Window(max(since, stretch.start), stretch.end)]


def _whole_units(window: Window, wanted: Wanted) -> Window:
    """Widen *window* to whole buckets, within the period."""
    start = first_day_of_bucket(window.start, wanted.unit)
    end = last_day_of_bucket(window.end, wanted.unit)
    return Window(max(start, wanted.period.start), min(end, wanted.period.end))


def first_day_of_bucket(day: date, unit: str | None) -> date:
    """Return the first day of the bucket that *day* is in."""
    return day.replace(day=1) if unit == "month" else day.replace(month=1, day=1) if unit == "year" else day


def last_day_of_bucket(day: date, unit: str | None) -> date:
    """Return the last day of the bucket that *day* is in."""
    if unit == "year":
        return day.replace(month=12, day=31)
    if unit == "month":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - ONE_DAY
    return day


# Sets of days, as windows in order.


def unite(windows: Iterable[Window]) -> list[Window]:
    """Join windows that overlap or touch."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda one: one.start):
        if found and window.start <= found[-1].end + ONE_DAY:
            found[-1] = Window(found[-1].start, max(found[-1].end, window.end))
        else:
            found.append(window)
    return found


def overlap(one: Window, other: Window) -> Window | None:
    """Return the days that both have."""
    start, end = max(one.start, other.start), min(one.end, other.end)
    return Window(start, end) if start <= end else None


def _common(some: Iterable[Window], others: Sequence[Window]) -> list[Window]:
    return [both for one in some for other in others if (both := overlap(one, other)) is not None]


def subtract(some: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return the days of *some* that are not of *others*."""
    left = list(some)
    for other in others:
        left = [piece for window in left for piece in _cut_out(window, other)]
    return left


def _cut_out(window: Window, hole: Window) -> list[Window]:
    if overlap(window, hole) is None:
        return [window]
    pieces = []
    if window.start < hole.start:
        pieces.append(Window(window.start, hole.start - ONE_DAY))
    if hole.end < window.end:
        pieces.append(Window(hole.end + ONE_DAY, window.end))
    return pieces


def _without(stretches: Iterable[Stretch], windows: Sequence[Window]) -> list[Stretch]:
    return [
        attrs.evolve(stretch, start=piece.start, end=piece.end)
        for stretch in stretches
        for piece in subtract([stretch.window], windows)
    ]


def _join(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Join neighbours that are alike."""
    found: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda one: one.start):
        last = found[-1] if found else None
        alike = last is not None and (last.clock, last.ended) == (stretch.clock, stretch.ended)
        if last is not None and alike and last.end + ONE_DAY == stretch.start:
            found[-1] = attrs.evolve(last, end=stretch.end)
        else:
            found.append(stretch)
    return tuple(found)
